-- Who did what, when, with what result: one append-only log for each organization.
--
-- Entries come from two sides. A *call* is something asked of Marquee, written in the transaction of the change
-- (or, if it was refused, in one of its own). A *row* is written by a trigger when a row of a configuration
-- table changes, with what it was and what it became, whoever changed it: the application, a worker or somebody
-- in psql. Where both would tell of the same thing (providers.create and the new row of the provider) they are one
-- entry: the trigger writes the call's, with the row in it. Entries of one request share its id.
--
-- An entry is only ever inserted, with no lock and no chain, so that one organization is not held to one commit
-- at a time. What a later chain needs is here from the start: columns that never change, the transaction's id
-- (entries below the oldest running transaction are complete), and personal fields as salted commitments.

CREATE DOMAIN audit_outcome AS text CHECK (VALUE IN ('allowed', 'refused', 'failed'));
CREATE DOMAIN audit_origin AS text CHECK (VALUE IN ('call', 'row'));
CREATE DOMAIN audit_fields AS jsonb CHECK (jsonb_typeof(VALUE) = 'object');
CREATE DOMAIN personal_field AS text CHECK (VALUE IN ('address', 'email'));
CREATE DOMAIN audit_salt AS bytea CHECK (octet_length(VALUE) = 16);

-- Every audited change waits for what is written here, so the tables have domains and not checks (which PostgreSQL
-- reads anew in every statement) and no index on a part of the rows (whose condition it reads anew too).

CREATE TABLE audit_logs (
    organization_id uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    id uuid NOT NULL,
    origin audit_origin NOT NULL,
    actor text COLLATE "C" NOT NULL,
    credential text COLLATE "C",
    action text COLLATE "C" NOT NULL,
    target_kind text COLLATE "C",
    target_id text COLLATE "C",
    outcome audit_outcome NOT NULL,
    reason text,
    before audit_fields,
    after audit_fields,
    request_id text COLLATE "C",
    personal audit_fields NOT NULL DEFAULT '{}',
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY (organization_id, at, id)
) PARTITION BY RANGE (at);
COMMENT ON TABLE audit_logs IS 'What was done and what was refused. The application can add and read, neither change nor remove.';
-- Text is compared byte by byte ("C"), so that an index also serves the filter's prefixes.
COMMENT ON COLUMN audit_logs.at IS 'When the transaction began, by the database''s clock: one clock, however many servers.';
COMMENT ON COLUMN audit_logs.origin IS 'call: asked of Marquee. row: the change of a row that no call is named after.';
COMMENT ON COLUMN audit_logs.actor IS 'user:usr_…, api_key:key_…, worker:…, system:…, or database:LOGIN for a write that did not come through Marquee.';
COMMENT ON COLUMN audit_logs.credential IS 'session:ses_… or api_key:key_…: by what the actor was recognized.';
COMMENT ON COLUMN audit_logs.action IS 'For a call its verb (api_keys.create); for a row rows.insert, rows.update or rows.delete.';
COMMENT ON COLUMN audit_logs.reason IS 'Why it was refused or failed: the problem''s code.';
COMMENT ON COLUMN audit_logs.before IS 'What it was, secrets masked; for an update the changed fields only.';
COMMENT ON COLUMN audit_logs.personal IS 'For each personal field a commitment: hex of sha256(salt, field, value). Salt and value are in audit_personal, and erasing them there leaves this line as it was.';
COMMENT ON COLUMN audit_logs.xid IS 'The writing transaction: entries are complete up to the oldest one still running.';
-- One for each documented filter of GET /api/audit; each ends in the order of the list.
CREATE INDEX audit_logs_actor ON audit_logs (organization_id, actor, at, id);
CREATE INDEX audit_logs_action ON audit_logs (organization_id, action, at, id);
CREATE INDEX audit_logs_target ON audit_logs (organization_id, target_id, at, id);
CREATE INDEX audit_logs_request ON audit_logs (organization_id, request_id, at, id);
CREATE INDEX audit_logs_outcome ON audit_logs (organization_id, outcome, at, id);
SELECT protect_append_only_table('audit_logs');
SELECT register_partitioned('audit_logs', 'month', 3, NULL);

CREATE TABLE audit_personal (
    organization_id uuid NOT NULL,
    at timestamptz NOT NULL,
    entry_id uuid NOT NULL,
    field personal_field NOT NULL,
    salt audit_salt NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (organization_id, at, entry_id, field)
) PARTITION BY RANGE (at);
COMMENT ON TABLE audit_personal IS 'The personal fields of audit entries, apart from them so that a person can be erased without touching the log.';
COMMENT ON COLUMN audit_personal.at IS 'The entry''s time, so that both are found in partitions of the same month.';
COMMENT ON COLUMN audit_personal.salt IS 'Without it the commitment in the log cannot be guessed from the few values there are.';
SELECT protect_append_only_table('audit_personal');
SELECT register_partitioned('audit_personal', 'month', 3, NULL);
GRANT DELETE ON audit_personal TO marquee_system;

-- What concerns no organization: callers that nobody knows. Written through its function alone, which the
-- application limits in rate; removed after its retention by the clean-up.
CREATE TABLE security_events (
    id uuid PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    kind text NOT NULL CHECK (kind ~ '^[a-z_]+\.[a-z_]+$'),
    address inet,
    request_id text,
    subject text CHECK (char_length(subject) <= 64),
    suppressed integer NOT NULL CHECK (suppressed >= 0)
);
COMMENT ON TABLE security_events IS 'Refusals of unknown callers, for the whole installation. Limited in rate: suppressed says how many were left out.';
COMMENT ON COLUMN security_events.subject IS 'A digest of what was tried, to tell one account tried often from many tried once.';
COMMENT ON COLUMN security_events.suppressed IS 'How many events were not written since the one before.';
CREATE INDEX security_events_at ON security_events (at);
ALTER TABLE security_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE security_events FORCE ROW LEVEL SECURITY;
CREATE POLICY system ON security_events TO marquee_system USING (true) WITH CHECK (true);
CREATE POLICY owner ON security_events TO marquee_owner USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, DELETE ON security_events TO marquee_system;

CREATE FUNCTION record_security_event(kind text, address inet, request_id text, subject text, suppressed integer) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
    INSERT INTO public.security_events (id, kind, address, request_id, subject, suppressed)
    VALUES (gen_random_uuid(), kind, address, request_id, subject, suppressed);
END;
COMMENT ON FUNCTION record_security_event(text, inet, text, text, integer) IS 'Notes a refusal of an unknown caller. The application may add such events but not read them.';
GRANT EXECUTE ON FUNCTION record_security_event(text, inet, text, text, integer) TO marquee_app;

---------------------------------------------------------------------------------------------------------------
-- Writing an entry

-- Time-ordered like the ids the application makes: a random (version 4) one with the time written over its
-- first 48 bits and the version set to 7.
CREATE FUNCTION uuid_v7() RETURNS uuid
LANGUAGE sql VOLATILE PARALLEL SAFE
RETURN pg_catalog.encode(
    pg_catalog.set_bit(pg_catalog.set_bit(
        pg_catalog.overlay(
            pg_catalog.uuid_send(pg_catalog.gen_random_uuid()),
            pg_catalog.substr(pg_catalog.int8send((extract(epoch FROM pg_catalog.clock_timestamp()) * 1000)::bigint), 3), 1, 6),
        52, 1), 53, 1), 'hex')::uuid;
COMMENT ON FUNCTION uuid_v7() IS 'A new time-ordered id, for rows that triggers write.';

-- Stable, as convert_to() is: an immutable one would not be inlined, and be planned at every call.
CREATE FUNCTION audit_commitment(salt bytea, field text, value text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN pg_catalog.encode(pg_catalog.sha256(salt || pg_catalog.convert_to(field || ':' || value, 'UTF8')), 'hex');
COMMENT ON FUNCTION audit_commitment(bytea, text, text) IS 'What stands in the log for a personal field.';

-- Runs in the two functions below alone, which fix the search path.
CREATE FUNCTION write_audit_entry(
    organization uuid, entry_id uuid, origin text, actor text, credential text, action text, target_kind text,
    target_id text, outcome text, reason text, before jsonb, after jsonb, request_id text, address inet
) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    salt bytea;
    personal jsonb := '{}';
BEGIN
    IF (target_kind IS NULL) <> (target_id IS NULL) THEN
        RAISE EXCEPTION 'an audit entry names its target by kind and id, or not at all';
    END IF;
    IF address IS NOT NULL THEN
        salt := uuid_send(gen_random_uuid());
        personal := jsonb_build_object('address', public.audit_commitment(salt, 'address', host(address)));
        INSERT INTO public.audit_personal (organization_id, at, entry_id, field, salt, value)
        VALUES (organization, now(), entry_id, 'address', salt, host(address));
    END IF;
    INSERT INTO public.audit_logs (organization_id, at, id, origin, actor, credential, action, target_kind,
                                   target_id, outcome, reason, before, after, request_id, personal)
    VALUES (organization, now(), entry_id, origin, actor, credential, action, target_kind,
            target_id, outcome, reason, before, after, request_id, personal);
END $$;
COMMENT ON FUNCTION write_audit_entry(uuid, uuid, text, text, text, text, text, text, text, text, jsonb, jsonb, text, inet) IS 'Adds one entry, its address apart from it.';

-- The organization is the transaction's, and no argument.
CREATE FUNCTION record_call(entry_id uuid, action text, target_kind text, target_id text, outcome text, reason text, before jsonb, after jsonb)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM public.write_audit_entry(
        public.current_organization(), entry_id, 'call', public.current_actor(), public.current_credential(),
        action, target_kind, target_id, outcome, reason, before, after,
        public.current_request_id(), public.current_address());
END $$;
COMMENT ON FUNCTION record_call(uuid, text, text, text, text, text, jsonb, jsonb) IS 'Adds an entry about what was asked of Marquee, by the actor of this transaction.';
-- Both writers run as their definer: nobody else needs to add to the log.
REVOKE INSERT ON audit_logs, audit_personal FROM marquee_app, marquee_system;
GRANT EXECUTE ON FUNCTION audit_commitment(bytea, text, text), uuid_v7(),
    record_call(uuid, text, text, text, text, text, jsonb, jsonb) TO marquee_app, marquee_system;

---------------------------------------------------------------------------------------------------------------
-- Row changes of configuration tables

-- The part of one image that another does not have: the changed fields.
CREATE FUNCTION audit_difference(image jsonb, other jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
    SELECT coalesce(jsonb_object_agg(e.key, e.value), '{}') FROM jsonb_each(image) e
    WHERE other -> e.key IS DISTINCT FROM e.value;
END;
COMMENT ON FUNCTION audit_difference(jsonb, jsonb) IS 'The fields of the first that are absent from, or different in, the second.';

-- Runs as its definer, so that a row of a cascade or of a role without rights on the log is written all the
-- same. What the transaction says about its actor and its action is believed of the application's own logins only:
-- anybody else in psql could say anything, and is named by their login and their own address.
--
-- A row of the noun that the action is named after (a provider in providers.create) leaves the entry of the call
-- itself, and notes so for whoever would write that entry else.
CREATE FUNCTION record_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    noun text := TG_ARGV[0];
    id_column text := TG_ARGV[1];
    id_prefix text := TG_ARGV[2];
    masked text[] := TG_ARGV[3];
    ignored text[] := TG_ARGV[4];
    application boolean := session_user IN ('marquee_app', 'marquee_system');
    call boolean := application AND coalesce(starts_with(current_setting('marquee.action', true), noun || 's.'), false);
    before jsonb;
    after jsonb;
    image jsonb;
    field text;
    target text;
    organizations uuid[];
    organization uuid;
BEGIN
    IF TG_OP <> 'INSERT' THEN before := to_jsonb(OLD) - ignored; END IF;
    IF TG_OP <> 'DELETE' THEN after := to_jsonb(NEW) - ignored; END IF;
    image := coalesce(after, before);
    IF TG_OP = 'UPDATE' THEN
        IF before = after THEN RETURN NULL; END IF;
        after := public.audit_difference(image, before);
        before := public.audit_difference(before, image);
    END IF;
    -- The masked columns are named but not told.
    FOREACH field IN ARRAY masked LOOP
        IF before ->> field IS NOT NULL THEN before := jsonb_set(before, ARRAY[field], '"(masked)"'); END IF;
        IF after ->> field IS NOT NULL THEN after := jsonb_set(after, ARRAY[field], '"(masked)"'); END IF;
    END LOOP;
    -- A person belongs to no organization: their change is told to each of theirs.
    IF image ? 'organization_id' THEN
        organizations := ARRAY[(image ->> 'organization_id')::uuid];
    ELSE
        organizations := ARRAY(SELECT m.organization_id FROM public.memberships m WHERE m.user_id = (image ->> 'id')::uuid);
    END IF;
    target := id_prefix || '_' || replace(image ->> id_column, '-', '');
    FOREACH organization IN ARRAY organizations LOOP
        PERFORM public.write_audit_entry(
            organization, public.uuid_v7(), CASE WHEN call THEN 'call' ELSE 'row' END,
            CASE WHEN application THEN public.current_actor() ELSE 'database:' || session_user END,
            CASE WHEN application THEN public.current_credential() END,
            CASE WHEN call THEN current_setting('marquee.action') ELSE 'rows.' || lower(TG_OP) END,
            noun, target, 'allowed', NULL, before, after,
            CASE WHEN application THEN public.current_request_id() END,
            -- The address of a request stands in the entry of its call.
            CASE WHEN call THEN public.current_address() WHEN NOT application THEN inet_client_addr() END);
    END LOOP;
    IF call THEN PERFORM set_config('marquee.recorded', target, true); END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION record_change() IS 'Trigger: writes a row''s change to the audit log. Attach it with attach_change_audit().';

CREATE FUNCTION refuse_truncate() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'table % is audited row by row: use DELETE', TG_RELID::regclass;
END $$;
COMMENT ON FUNCTION refuse_truncate() IS 'Trigger: TRUNCATE would pass the audit log by.';

CREATE FUNCTION attach_change_audit(target regclass, noun text, id_column text, id_prefix text, masked text[] DEFAULT '{}', ignored text[] DEFAULT '{}')
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    unmasked text;
BEGIN
    -- Bytes are hashes, keys or ciphertexts: none of them belongs in the log, so each must be named.
    SELECT string_agg(a.attname, ', ') INTO unmasked FROM pg_attribute a
    WHERE a.attrelid = target AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid = 'bytea'::regtype
      AND a.attname <> ALL (masked || ignored);
    IF unmasked IS NOT NULL THEN
        RAISE EXCEPTION 'name these columns of % as masked or ignored: %', target, unmasked;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = target AND a.attname = id_column) THEN
        RAISE EXCEPTION 'table % has no column %', target, id_column;
    END IF;
    EXECUTE format('CREATE TRIGGER change_audit AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW '
                   'EXECUTE FUNCTION public.record_change(%L, %L, %L, %L, %L)',
                   target, noun, id_column, id_prefix, masked, ignored);
    EXECUTE format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON %s FOR EACH STATEMENT '
                   'EXECUTE FUNCTION public.refuse_truncate()', target);
END $$;
COMMENT ON FUNCTION attach_change_audit(regclass, text, text, text, text[], text[]) IS
    'Makes every change of a configuration table leave an audit entry. Masked columns are named but not told; changes of ignored ones alone leave none.';

SELECT attach_change_audit('organizations', 'organization', 'organization_id', 'org', ignored => '{revision}');
SELECT attach_change_audit('memberships', 'member', 'user_id', 'usr', ignored => '{revision}');
SELECT attach_change_audit('api_keys', 'api_key', 'id', 'key', masked => '{secret_hash}', ignored => '{last_used_at}');
SELECT attach_change_audit('users', 'user', 'id', 'usr', masked => '{email,name,password_hash}');
