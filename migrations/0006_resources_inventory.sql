-- Resources: what exists in each provider, how it stands to the rest, what it was before, and how fresh that is.
--
-- Rules that the code keeps and the tables are made for:
-- * A resource's id is made of its provider, kind and native id, so it is known before the row is written and is
--   the same if the resource comes back.
-- * An unchanged resource is not written: `digest` is compared, freshness stands in sync_scopes.
-- * A change moves the row as it was into cloud_resource_versions, closed at that moment; the current version is
--   the row itself, open since valid_from. A deletion closes the last one and sets deleted_at.
-- * Nothing is deleted without a second look: missing_since marks what one complete listing lacked.

CREATE DOMAIN resource_kind AS text CHECK (VALUE IN (
    'compute_instance', 'disk', 'snapshot', 'image', 'network', 'subnet', 'security_group', 'public_ip',
    'load_balancer', 'target_group', 'scaling_group', 'database', 'database_cluster', 'database_snapshot',
    'bucket', 'dns_zone'));
CREATE DOMAIN resource_state AS text CHECK (VALUE IN (
    'pending', 'running', 'stopping', 'stopped', 'updating', 'available', 'in_use', 'deleting', 'deleted',
    'failed', 'unknown'));
CREATE DOMAIN resource_relation AS text CHECK (VALUE IN (
    'attached_to', 'member_of', 'protected_by', 'created_from', 'routes_to', 'replica_of', 'manages'));

CREATE TABLE cloud_resources (
    organization_id uuid           NOT NULL,
    id              uuid           NOT NULL,
    provider_id     uuid           NOT NULL,
    scope           text           COLLATE "C" NOT NULL,
    kind            resource_kind  NOT NULL,
    native_id       text           COLLATE "C" NOT NULL,
    name            text           COLLATE "C" NOT NULL,
    region          text           COLLATE "C" NOT NULL,
    zone            text           COLLATE "C",
    state           resource_state NOT NULL,
    native_state    text,
    size            text           COLLATE "C",
    vcpus           bigint,
    memory_mib      bigint,
    tags            json           NOT NULL,
    attributes      jsonb          NOT NULL,
    raw             json           NOT NULL,
    created_at      timestamptz,
    digest          bytea          NOT NULL,
    first_seen_at   timestamptz    NOT NULL,
    valid_from      timestamptz    NOT NULL,
    missing_since   timestamptz,
    deleted_at      timestamptz,
    PRIMARY KEY (organization_id, id)
) WITH (toast_tuple_target = 1024, autovacuum_vacuum_scale_factor = 0.05);
-- The raw answer is read one at a time and written by the ten thousand: quick compression, and out of the way.
ALTER TABLE cloud_resources ALTER COLUMN raw SET COMPRESSION lz4;
ALTER TABLE cloud_resources ALTER COLUMN attributes SET COMPRESSION lz4;
COMMENT ON TABLE cloud_resources IS 'What exists (and lately existed) in the providers of an organization: the current version of each resource.';
COMMENT ON COLUMN cloud_resources.scope IS 'The part of the inventory it was listed by, service and region: ec2/instances@eu-west-1.';
COMMENT ON COLUMN cloud_resources.native_id IS 'The vendor''s own globally unique id: an ARN, a resource path.';
COMMENT ON COLUMN cloud_resources.vcpus IS 'From the attributes, as a number that a filter can reach by an index.';
COMMENT ON COLUMN cloud_resources.memory_mib IS 'From the attributes, as a number that a filter can reach by an index.';
COMMENT ON COLUMN cloud_resources.tags IS 'As shown, so text; filters go by cloud_resource_tags.';
COMMENT ON COLUMN cloud_resources.raw IS 'All else the vendor said, in its own words.';
COMMENT ON COLUMN cloud_resources.created_at IS 'When the vendor says it was made.';
COMMENT ON COLUMN cloud_resources.digest IS '16 bytes of SHA-256 over everything observed: equal means unchanged.';
COMMENT ON COLUMN cloud_resources.valid_from IS 'Since when it has been as this row says.';
COMMENT ON COLUMN cloud_resources.missing_since IS 'Since when complete listings have lacked it, while that is not yet certain.';
COMMENT ON COLUMN cloud_resources.deleted_at IS 'When it was found to be gone, or its provider was disconnected.';

-- No foreign key to cloud_providers: providers are never deleted, and the check would cost a third of a first sync.
-- The list as it is asked for most, past what is gone.
CREATE INDEX cloud_resources_present ON cloud_resources (organization_id, id) WHERE deleted_at IS NULL;
CREATE INDEX cloud_resources_scope ON cloud_resources (organization_id, provider_id, scope, id) WHERE deleted_at IS NULL;
CREATE INDEX cloud_resources_kind ON cloud_resources (organization_id, kind, id) WHERE deleted_at IS NULL;
CREATE INDEX cloud_resources_region ON cloud_resources (organization_id, region, id) WHERE deleted_at IS NULL;
CREATE INDEX cloud_resources_state ON cloud_resources (organization_id, state, id) WHERE deleted_at IS NULL;
CREATE INDEX cloud_resources_name ON cloud_resources (organization_id, name, id) WHERE deleted_at IS NULL;
CREATE INDEX cloud_resources_native_id ON cloud_resources (organization_id, native_id);
CREATE INDEX cloud_resources_size ON cloud_resources (organization_id, size, id) WHERE deleted_at IS NULL AND size IS NOT NULL;
CREATE INDEX cloud_resources_zone ON cloud_resources (organization_id, zone, id) WHERE deleted_at IS NULL AND zone IS NOT NULL;
CREATE INDEX cloud_resources_vcpus ON cloud_resources (organization_id, vcpus, id) WHERE deleted_at IS NULL AND vcpus IS NOT NULL;
CREATE INDEX cloud_resources_memory ON cloud_resources (organization_id, memory_mib, id) WHERE deleted_at IS NULL AND memory_mib IS NOT NULL;
-- A CASE, not coalesce(): that one PostgreSQL does not hold to be leakproof, so it would reach no index.
CREATE INDEX cloud_resources_created ON cloud_resources
    (organization_id, (CASE WHEN created_at IS NULL THEN '-infinity'::timestamptz ELSE created_at END), id) WHERE deleted_at IS NULL;
CREATE INDEX cloud_resources_changed ON cloud_resources (organization_id, valid_from, id);
SELECT protect_tenant_table('cloud_resources');

CREATE TABLE cloud_resource_versions (
    organization_id uuid           NOT NULL,
    id              uuid           NOT NULL,
    provider_id     uuid           NOT NULL,
    kind            resource_kind  NOT NULL,
    native_id       text           COLLATE "C" NOT NULL,
    name            text           COLLATE "C" NOT NULL,
    region          text           COLLATE "C" NOT NULL,
    zone            text           COLLATE "C",
    state           resource_state NOT NULL,
    native_state    text,
    size            text           COLLATE "C",
    vcpus           bigint,
    memory_mib      bigint,
    tags            json           NOT NULL,
    attributes      jsonb          NOT NULL,
    raw             json           NOT NULL,
    created_at      timestamptz,
    valid_from      timestamptz    NOT NULL,
    valid_to        timestamptz    NOT NULL CHECK (valid_to >= valid_from),
    ended           text           NOT NULL CHECK (ended IN ('changed', 'deleted')),
    PRIMARY KEY (organization_id, id, valid_to)
) PARTITION BY RANGE (valid_to);
COMMENT ON TABLE cloud_resource_versions IS 'What resources were before: whole versions, each true in [valid_from, valid_to).';
COMMENT ON COLUMN cloud_resource_versions.ended IS 'What ended it: a change that opened the next version, or the resource''s deletion.';
CREATE INDEX cloud_resource_versions_span ON cloud_resource_versions (organization_id, valid_to, valid_from);
SELECT protect_tenant_table('cloud_resource_versions');
SELECT register_partitioned('cloud_resource_versions', 'month', 2, interval '13 months');

CREATE TABLE cloud_resource_tags (
    organization_id uuid NOT NULL,
    key             text COLLATE "C" NOT NULL,
    value           text COLLATE "C" NOT NULL,
    resource_id     uuid NOT NULL,
    PRIMARY KEY (organization_id, key, value, resource_id)
) WITH (autovacuum_vacuum_scale_factor = 0.05);
COMMENT ON TABLE cloud_resource_tags IS 'The tags of resources that exist, one row each, so that a filter on a tag is a look-up. Deleted resources have none.';
SELECT protect_tenant_table('cloud_resource_tags');

CREATE TABLE cloud_resource_relationships (
    organization_id uuid              NOT NULL,
    resource_id     uuid              NOT NULL,
    relation        resource_relation NOT NULL,
    target_id       uuid              NOT NULL,
    target_native   text              NOT NULL,
    PRIMARY KEY (organization_id, resource_id, relation, target_id)
) WITH (autovacuum_vacuum_scale_factor = 0.05);
COMMENT ON TABLE cloud_resource_relationships IS 'resource relation target, e.g. a disk attached_to an instance. The target need not have been seen yet.';
COMMENT ON COLUMN cloud_resource_relationships.target_id IS 'The id the target has or will have: ids follow from provider and native id.';
CREATE INDEX cloud_resource_relationships_target ON cloud_resource_relationships (organization_id, target_id);
SELECT protect_tenant_table('cloud_resource_relationships');

CREATE TABLE sync_runs (
    organization_id uuid        NOT NULL,
    id              uuid        NOT NULL,
    provider_id     uuid        NOT NULL,
    operation_id    uuid        NOT NULL,
    requested_by    text        NOT NULL,
    state           sync_state  NOT NULL DEFAULT 'running',
    counts          jsonb       NOT NULL DEFAULT '{}',
    started_at      timestamptz NOT NULL,
    finished_at     timestamptz,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, provider_id) REFERENCES cloud_providers (organization_id, id),
    CHECK ((state = 'running') = (finished_at IS NULL))
);
COMMENT ON TABLE sync_runs IS 'One discovery run over a provider; its steps are those of the operation.';
COMMENT ON COLUMN sync_runs.counts IS 'What it did in the end: resources seen, created, changed, deleted; scopes done and failed; calls throttled.';
CREATE INDEX sync_runs_provider ON sync_runs (organization_id, provider_id, id);
CREATE INDEX sync_runs_operation ON sync_runs (organization_id, operation_id);
SELECT protect_tenant_table('sync_runs');

CREATE TABLE sync_scopes (
    organization_id uuid        NOT NULL,
    provider_id     uuid        NOT NULL,
    scope           text        COLLATE "C" NOT NULL,
    service         text        NOT NULL,
    region          text        NOT NULL,
    complete_at     timestamptz,
    attempted_at    timestamptz NOT NULL,
    resources       bigint      NOT NULL DEFAULT 0,
    error           jsonb,
    missing_since   timestamptz,
    PRIMARY KEY (organization_id, provider_id, scope),
    FOREIGN KEY (organization_id, provider_id) REFERENCES cloud_providers (organization_id, id)
);
COMMENT ON TABLE sync_scopes IS 'How fresh each part of a provider''s inventory is: service and region succeed or fail alone.';
COMMENT ON COLUMN sync_scopes.complete_at IS 'The start of the last listing that was proven complete: everything in the scope was true then or later.';
COMMENT ON COLUMN sync_scopes.missing_since IS 'Since when discovery has lacked the scope although no setting leaves it out; a second time decides.';
COMMENT ON COLUMN sync_scopes.error IS 'Why the last attempt was not complete; null if it was.';
SELECT protect_tenant_table('sync_scopes');
