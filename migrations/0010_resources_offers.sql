-- What a cloud lately had none of: told by changes that found no capacity, and weighed when sizes are chosen.

CREATE TABLE capacity_shortages (
    organization_id uuid        NOT NULL,
    provider_id     uuid        NOT NULL,
    region          text        NOT NULL CHECK (length(region) BETWEEN 1 AND 100),
    size            text        NOT NULL CHECK (length(size) BETWEEN 1 AND 200),
    seen_at         timestamptz NOT NULL,
    PRIMARY KEY (organization_id, provider_id, region, size),
    FOREIGN KEY (organization_id, provider_id) REFERENCES cloud_providers (organization_id, id)
);
COMMENT ON TABLE capacity_shortages IS 'Sizes that a cloud had none of when one was to be made, and when that was last.';
SELECT protect_tenant_table('capacity_shortages');
