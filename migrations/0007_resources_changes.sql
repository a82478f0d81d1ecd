-- Changing resources: who has one in hand, and which are protected.
--
-- Rules that the code keeps and the tables are made for:
-- * A resource is in the hand of one operation at a time. An operation claims whatever it changes in the transaction that
--   starts it, and lets go in the transaction that closes it: there is no moment between.
-- * Whoever comes second is refused or waits, by its own choice. One that waits is paused; the operation that lets go
--   hands over to the one that has waited longest.
-- * A protected resource is changed by nobody. Lifting the protection is a call, and an audit entry, of its own.

CREATE TABLE resource_claims (
    organization_id uuid        NOT NULL,
    resource_id     uuid        NOT NULL,
    operation_id    uuid        NOT NULL,
    held            boolean     NOT NULL,
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (organization_id, resource_id, operation_id),
    FOREIGN KEY (organization_id, operation_id) REFERENCES operations (organization_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE resource_claims IS 'Which operation has a resource in hand, and which wait for it.';
COMMENT ON COLUMN resource_claims.held IS 'Whether it has it in hand; if not it waits, in the order of created_at.';
CREATE UNIQUE INDEX resource_claims_held ON resource_claims (organization_id, resource_id) WHERE held;
CREATE INDEX resource_claims_operation ON resource_claims (organization_id, operation_id);
SELECT protect_tenant_table('resource_claims');

CREATE TABLE bulk_changes (
    organization_id uuid    NOT NULL,
    operation_id    uuid    NOT NULL,
    position        integer NOT NULL CHECK (position >= 0),
    change_id       uuid    NOT NULL,
    PRIMARY KEY (organization_id, operation_id, position),
    FOREIGN KEY (organization_id, operation_id) REFERENCES operations (organization_id, id) ON DELETE CASCADE,
    FOREIGN KEY (organization_id, change_id) REFERENCES operations (organization_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE bulk_changes IS 'Which operation changes one resource for which step of an operation that changes many.';
COMMENT ON COLUMN bulk_changes.operation_id IS 'The operation that changes many.';
COMMENT ON COLUMN bulk_changes.position IS 'Its step.';
COMMENT ON COLUMN bulk_changes.change_id IS 'The operation that changes one.';
CREATE INDEX bulk_changes_change ON bulk_changes (organization_id, change_id);
SELECT protect_tenant_table('bulk_changes');

CREATE DOMAIN protection_reason AS text CHECK (length(VALUE) BETWEEN 1 AND 500);

CREATE TABLE resource_protections (
    organization_id uuid              NOT NULL,
    resource_id     uuid              NOT NULL,
    reason          protection_reason NOT NULL,
    protected_by    text              NOT NULL CHECK (length(protected_by) BETWEEN 1 AND 200),
    created_at      timestamptz       NOT NULL,
    PRIMARY KEY (organization_id, resource_id),
    FOREIGN KEY (organization_id, resource_id) REFERENCES cloud_resources (organization_id, id)
);
COMMENT ON TABLE resource_protections IS 'Resources that nobody changes until the protection is lifted.';
COMMENT ON COLUMN resource_protections.protected_by IS 'Who protected it: user:usr_… or api_key:key_….';
SELECT protect_tenant_table('resource_protections');
