-- Providers: the cloud accounts an organization has connected, the credentials they are reached with, and what
-- each was found to offer.
--
-- A provider is disconnected softly: its row stays, so that history keeps its name. Its credentials do not: their
-- columns are emptied with the disconnection.
--
-- A provider is one row, its sealed credentials in it: a page of the list is one walk along the primary key, a
-- connection one row to write and to audit. The columns of the sync are no part of the configuration: they change
-- neither the version nor the audit log.

-- How a sync stands: of the runs, and of each provider's last one.
CREATE DOMAIN sync_state AS text CHECK (VALUE IN (
    'running', 'succeeded', 'partially_succeeded', 'failed', 'cancelled'));

-- Limits as domains and not as checks of the table: PostgreSQL reads a table's checks anew in every statement.
CREATE DOMAIN provider_name AS text CHECK (length(VALUE) BETWEEN 1 AND 100);
CREATE DOMAIN provider_kind AS text CHECK (VALUE ~ '^[a-z][a-z0-9_]{0,30}$');
CREATE DOMAIN account_name AS text CHECK (length(VALUE) BETWEEN 1 AND 200);
CREATE DOMAIN principal_name AS text CHECK (length(VALUE) BETWEEN 1 AND 2000);
CREATE DOMAIN external_id AS text CHECK (length(VALUE) BETWEEN 16 AND 100);
CREATE DOMAIN sync_interval AS integer CHECK (VALUE BETWEEN 60 AND 604800);

CREATE TABLE cloud_providers (
    organization_id       uuid           NOT NULL,
    id                    uuid           NOT NULL,
    name                  provider_name  NOT NULL,
    kind                  provider_kind  NOT NULL,
    settings              json           NOT NULL DEFAULT '{}',
    external_id           external_id    NOT NULL,
    account               account_name,
    principal             principal_name,
    verified_at           timestamptz,
    sync_interval_seconds sync_interval  NOT NULL,
    credentials           json,
    version               bigint         NOT NULL DEFAULT 1,
    created_at            timestamptz    NOT NULL,
    updated_at            timestamptz    NOT NULL,
    deleted_at            timestamptz,
    next_sync_at          timestamptz,
    last_sync_id          uuid,
    last_sync_state       sync_state,
    last_sync_finished_at timestamptz,
    key_id                text,
    wrapped_key           bytea,
    nonce                 bytea,
    ciphertext            bytea,
    binding_version       smallint,
    binding               jsonb,
    PRIMARY KEY (organization_id, id),
    -- Connected: with credentials, and due some time. Disconnected: neither.
    CHECK (num_nonnulls(next_sync_at, credentials, key_id, wrapped_key, nonce, ciphertext, binding_version, binding)
           = CASE WHEN deleted_at IS NULL THEN 8 ELSE 0 END),
    FOREIGN KEY (organization_id) REFERENCES organizations (organization_id)
);
COMMENT ON TABLE cloud_providers IS 'One connected cloud account: an AWS account, an Azure subscription, a Google Cloud project.';
COMMENT ON COLUMN cloud_providers.kind IS 'Which adapter: aws, …; the registry of the running server knows which there are.';
COMMENT ON COLUMN cloud_providers.settings IS 'The adapter''s settings, checked by it; never a secret.';
COMMENT ON COLUMN cloud_providers.external_id IS 'Made by Marquee for this provider alone, for clouds that ask for one when a role is assumed; nobody can choose it.';
COMMENT ON COLUMN cloud_providers.account IS 'The account the credentials were last found to belong to.';
COMMENT ON COLUMN cloud_providers.verified_at IS 'When the cloud last accepted the credentials.';
COMMENT ON COLUMN cloud_providers.credentials IS 'What may be shown of the credentials: their type and public parts. Null once disconnected.';
COMMENT ON COLUMN cloud_providers.key_id IS 'Which key-encryption key wraps the data key of the sealed credentials.';
COMMENT ON COLUMN cloud_providers.wrapped_key IS 'The data key, this row''s alone, under the key-encryption key, with its nonce.';
COMMENT ON COLUMN cloud_providers.ciphertext IS 'The credentials, sealed with the data key and the nonce beside it.';
COMMENT ON COLUMN cloud_providers.binding_version IS 'How the associated data is laid out; it names organization, provider and binding.';
COMMENT ON COLUMN cloud_providers.binding IS 'What the credentials may be used for (kind, endpoint, account, role): part of the associated data, so that they cannot be aimed elsewhere.';
COMMENT ON COLUMN cloud_providers.version IS 'One more with every change; the ETag.';
COMMENT ON COLUMN cloud_providers.deleted_at IS 'When it was disconnected; its row stays for the history.';
COMMENT ON COLUMN cloud_providers.next_sync_at IS 'The interval after the last start, jittered; null once disconnected.';
COMMENT ON COLUMN cloud_providers.last_sync_id IS 'The last sync that ended, and in the next two columns how and when.';

CREATE UNIQUE INDEX cloud_providers_name ON cloud_providers (organization_id, lower(name)) WHERE deleted_at IS NULL;
-- The list, past those that are disconnected.
CREATE INDEX cloud_providers_connected ON cloud_providers (organization_id, id) WHERE deleted_at IS NULL;
-- For the scheduler, over all organizations.
CREATE INDEX cloud_providers_due ON cloud_providers (next_sync_at);
SELECT protect_tenant_table('cloud_providers');

CREATE TABLE cloud_provider_regions (
    organization_id uuid        NOT NULL,
    provider_id     uuid        NOT NULL,
    region          text        NOT NULL,
    name            text,
    enabled         boolean     NOT NULL,
    discovered_at   timestamptz NOT NULL,
    PRIMARY KEY (organization_id, provider_id, region),
    FOREIGN KEY (organization_id, provider_id) REFERENCES cloud_providers (organization_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE cloud_provider_regions IS 'The regions a provider was last found to offer.';
COMMENT ON COLUMN cloud_provider_regions.enabled IS 'Whether the account may use it.';
SELECT protect_tenant_table('cloud_provider_regions');

CREATE TABLE cloud_provider_services (
    organization_id uuid        NOT NULL,
    provider_id     uuid        NOT NULL,
    service         text        NOT NULL,
    name            text        NOT NULL,
    regions         text[]      NOT NULL,
    discovered_at   timestamptz NOT NULL,
    PRIMARY KEY (organization_id, provider_id, service),
    FOREIGN KEY (organization_id, provider_id) REFERENCES cloud_providers (organization_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE cloud_provider_services IS 'The services a provider was last found to offer, and where.';
COMMENT ON COLUMN cloud_provider_services.regions IS 'Empty for a service without regions.';
SELECT protect_tenant_table('cloud_provider_services');

SELECT attach_change_audit('cloud_providers', 'provider', 'id', 'prv',
                           masked => '{wrapped_key,nonce,ciphertext}',
                           ignored => '{version,next_sync_at,last_sync_id,last_sync_state,last_sync_finished_at,key_id,binding_version}');
