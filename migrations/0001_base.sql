-- What every later migration stands on: who the organization of a transaction is, how a table is put under
-- row level security, and how time-partitioned tables get and lose their partitions.
--
-- Run by the database's owner, marquee_owner. The three roles are made beforehand, by whoever may create
-- roles (see docs/tenancy.md); a migration never creates or alters a role.

-- Nothing that is created here or later is open to everyone. The application's two roles get exactly what the
-- functions below, or a migration's own GRANT, give them.
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO marquee_app, marquee_system;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

CREATE TABLE schema_migrations (
    version integer PRIMARY KEY CHECK (version > 0),
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    duration_ms bigint NOT NULL
);
COMMENT ON TABLE schema_migrations IS 'Which migrations this database has had, in order; written by the migrator alone.';
COMMENT ON COLUMN schema_migrations.checksum IS 'SHA-256 of the file as it was applied: a changed file is refused, not run again.';
GRANT SELECT ON schema_migrations TO marquee_app, marquee_system;

---------------------------------------------------------------------------------------------------------------
-- Who the transaction acts for

-- A plain SQL function without SET, so that the planner inlines it: a policy then compares with a value that is
-- computed once per scan. Without an organization it is null, and a comparison with null is true for no row.
CREATE FUNCTION current_organization() RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(pg_catalog.current_setting('marquee.organization_id', true), '')::uuid;
COMMENT ON FUNCTION current_organization() IS 'The organization this transaction acts for, or null.';

-- For audit triggers: what the application said, else the database login, so that a write from psql names someone.
CREATE FUNCTION current_actor() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(nullif(pg_catalog.current_setting('marquee.actor', true), ''), 'database:' || session_user::text);
COMMENT ON FUNCTION current_actor() IS 'Who acts in this transaction: user:…, api_key:…, worker:…, system:… or, outside the application, database:LOGIN.';

CREATE FUNCTION current_credential() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(pg_catalog.current_setting('marquee.credential', true), '');
COMMENT ON FUNCTION current_credential() IS 'The session or API key the actor showed, or null.';

CREATE FUNCTION current_request_id() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(pg_catalog.current_setting('marquee.request_id', true), '');
COMMENT ON FUNCTION current_request_id() IS 'The request this transaction belongs to, or null.';

CREATE FUNCTION current_address() RETURNS inet
LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(pg_catalog.current_setting('marquee.address', true), '')::inet;
COMMENT ON FUNCTION current_address() IS 'The network address the request came from, or null.';

GRANT EXECUTE ON FUNCTION current_organization(), current_actor(), current_credential(), current_request_id(), current_address()
    TO marquee_app, marquee_system;

---------------------------------------------------------------------------------------------------------------
-- Putting a table under row level security

-- Row level security on, and forced on the owner too; then one policy for each role that may see rows at all.
-- The owner's policy is what backfills in migrations and SECURITY DEFINER functions run under: without it they
-- would silently find nothing. No policy asks a setting whether it may be skipped.
CREATE FUNCTION isolate_by_organization(target regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_attribute a
                   WHERE a.attrelid = target AND a.attname = 'organization_id' AND a.attnotnull
                     AND a.atttypid = 'uuid'::regtype) THEN
        RAISE EXCEPTION 'table % needs a column organization_id uuid NOT NULL to be a tenant table', target;
    END IF;
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
    EXECUTE format('CREATE POLICY organization ON %s TO marquee_app '
                   'USING (organization_id = (SELECT current_organization())) '
                   'WITH CHECK (organization_id = (SELECT current_organization()))', target);
    EXECUTE format('CREATE POLICY system ON %s TO marquee_system USING (true) WITH CHECK (true)', target);
    EXECUTE format('CREATE POLICY owner ON %s TO marquee_owner USING (true) WITH CHECK (true)', target);
END $$;
COMMENT ON FUNCTION isolate_by_organization(regclass) IS 'Row level security, forced, with its policies, but no grants. Called by protect_tenant_table and for each partition.';

CREATE FUNCTION protect_tenant_table(target regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM public.isolate_by_organization(target);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO marquee_app, marquee_system', target);
END $$;
COMMENT ON FUNCTION protect_tenant_table(regclass) IS 'Makes a table a tenant table: each organization sees and writes its own rows only.';

CREATE FUNCTION protect_append_only_table(target regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM public.isolate_by_organization(target);
    EXECUTE format('GRANT SELECT, INSERT ON %s TO marquee_app, marquee_system', target);
END $$;
COMMENT ON FUNCTION protect_append_only_table(regclass) IS 'As protect_tenant_table, but rows can only be added and read.';

---------------------------------------------------------------------------------------------------------------
-- Partitions by time

CREATE DOMAIN partition_span AS text CHECK (VALUE IN ('month', 'day'));

CREATE TABLE partitioned_tables (
    parent regclass PRIMARY KEY,
    span partition_span NOT NULL,
    ahead integer NOT NULL CHECK (ahead BETWEEN 1 AND 120),
    keep interval CHECK (keep > interval '0')
);
COMMENT ON TABLE partitioned_tables IS 'The tables that are partitioned by time, and how upkeep_partitions() treats each.';
COMMENT ON COLUMN partitioned_tables.ahead IS 'How many partitions exist beyond the current one.';
COMMENT ON COLUMN partitioned_tables.keep IS 'A partition is dropped when its end is older than this; null keeps it for ever.';
GRANT SELECT ON partitioned_tables TO marquee_app, marquee_system;

-- The start of the span that holds an instant, in UTC whatever the session's time zone.
CREATE FUNCTION partition_start(span partition_span, at timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN pg_catalog.date_trunc(span::text, at, 'UTC');
COMMENT ON FUNCTION partition_start(partition_span, timestamptz) IS 'Where the month or day (UTC) that holds an instant begins.';

CREATE FUNCTION partition_end(span partition_span, start timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (CASE span::text WHEN 'month' THEN (start AT TIME ZONE 'UTC') + interval '1 month'
                        ELSE (start AT TIME ZONE 'UTC') + interval '1 day' END) AT TIME ZONE 'UTC';
COMMENT ON FUNCTION partition_end(partition_span, timestamptz) IS 'Where the month or day (UTC) that begins at start ends.';

-- Makes the partition that holds `at`, unless it exists; true if it was made. It is filled apart and attached,
-- so that readers and writers of the parent are not locked out, and takes over what had landed in the default
-- partition. It carries the parent's policies (its own, because asking for a partition by name skips the
-- parent's) and no grants at all.
CREATE FUNCTION make_partition(parent regclass, span partition_span, at timestamptz) RETURNS boolean
LANGUAGE plpgsql SET timezone = 'UTC' SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    lower_bound timestamptz := public.partition_start(span, at);
    upper_bound timestamptz := public.partition_end(span, lower_bound);
    base text := (SELECT relname FROM pg_class WHERE oid = parent);
    stamp text := to_char(lower_bound AT TIME ZONE 'UTC', CASE span::text WHEN 'month' THEN 'YYYYMM' ELSE 'YYYYMMDD' END);
    part text := format('public.%I', base || '_' || stamp);
    rest text := format('public.%I', base || '_default');
    key_column text := (SELECT a.attname FROM pg_partitioned_table p
                        JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
                        WHERE p.partrelid = parent);
BEGIN
    IF to_regclass(part) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE %s (LIKE %s INCLUDING ALL EXCLUDING IDENTITY)', part, parent);
    EXECUTE format('COMMENT ON TABLE %s IS %L', part,
                   format('Partition of %s for %s.', base, stamp));
    PERFORM public.isolate_by_organization(part::regclass);
    EXECUTE format('WITH moved AS (DELETE FROM %s WHERE %I >= %L AND %2$I < %4$L RETURNING *) INSERT INTO %5$s SELECT * FROM moved',
                   rest, key_column, lower_bound, upper_bound, part);
    EXECUTE format('ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)',
                   parent, part, lower_bound, upper_bound);
    RETURN true;
END $$;
COMMENT ON FUNCTION make_partition(regclass, partition_span, timestamptz) IS 'Makes and attaches the partition that holds an instant, unless it exists.';

CREATE FUNCTION register_partitioned(parent regclass, span text, ahead integer, keep interval) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    base text := (SELECT relname FROM pg_class WHERE oid = parent);
    rest text := format('public.%I', base || '_default');
BEGIN
    IF NOT EXISTS (SELECT FROM pg_partitioned_table p
                   JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
                   WHERE p.partrelid = parent AND p.partstrat = 'r' AND p.partnatts = 1
                     AND a.atttypid IN ('timestamptz'::regtype, 'date'::regtype)) THEN
        RAISE EXCEPTION 'table % is not partitioned by range of one timestamptz or date column', parent;
    END IF;
    INSERT INTO public.partitioned_tables VALUES (parent, span, ahead, keep);
    EXECUTE format('CREATE TABLE %s PARTITION OF %s DEFAULT', rest, parent);
    EXECUTE format('COMMENT ON TABLE %s IS %L', rest,
                   format('Rows of %s outside every partition: a safety net that upkeep empties.', base));
    PERFORM public.isolate_by_organization(rest::regclass);
    PERFORM public.upkeep_partitioned_table(parent, now());
END $$;
COMMENT ON FUNCTION register_partitioned(regclass, text, integer, interval) IS
    'Hands a table partitioned by time to upkeep and makes its first partitions. Call it after protect_tenant_table and after the indexes.';

CREATE FUNCTION upkeep_partitioned_table(parent regclass, at timestamptz, OUT created integer, OUT dropped integer)
LANGUAGE plpgsql SET timezone = 'UTC' SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    entry public.partitioned_tables;
    start timestamptz;
    part record;
    key_column text;
BEGIN
    created := 0;
    dropped := 0;
    SELECT * INTO STRICT entry FROM public.partitioned_tables t WHERE t.parent = upkeep_partitioned_table.parent;
    start := public.partition_start(entry.span, at);
    FOR i IN 0..entry.ahead LOOP
        IF public.make_partition(entry.parent, entry.span, start) THEN
            created := created + 1;
        END IF;
        start := public.partition_end(entry.span, start);
    END LOOP;
    IF entry.keep IS NULL THEN
        RETURN;
    END IF;
    FOR part IN
        SELECT c.oid::regclass AS name,
               (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'TO \(''([^'']+)''\)'))[1]::timestamptz AS upper_bound
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = entry.parent AND pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT'
    LOOP
        IF part.upper_bound <= at - entry.keep THEN
            EXECUTE format('ALTER TABLE %s DETACH PARTITION %s', entry.parent, part.name);
            EXECUTE format('DROP TABLE %s', part.name);
            dropped := dropped + 1;
        END IF;
    END LOOP;
    SELECT a.attname INTO key_column FROM pg_partitioned_table p
        JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0] WHERE p.partrelid = entry.parent;
    EXECUTE format('DELETE FROM public.%I WHERE %I < %L',
                   (SELECT relname FROM pg_class WHERE oid = entry.parent) || '_default', key_column, at - entry.keep);
END $$;
COMMENT ON FUNCTION upkeep_partitioned_table(regclass, timestamptz) IS 'Makes the partitions one table needs at an instant and drops those past its retention.';

-- Partitions belong to the owner, whom nobody logs in as while the application runs; so upkeep runs as its
-- definer, and only the system role may call it: an instant of the caller's choice decides what is dropped.
CREATE FUNCTION upkeep_partitions(at timestamptz DEFAULT now())
RETURNS TABLE (parent regclass, created integer, dropped integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    entry record;
BEGIN
    -- One upkeep at a time in the whole installation; the second finds its work done.
    PERFORM pg_advisory_xact_lock(hashtextextended('marquee.upkeep_partitions', 0));
    FOR entry IN SELECT t.parent FROM public.partitioned_tables t ORDER BY t.parent::text LOOP
        RETURN QUERY SELECT entry.parent, u.created, u.dropped FROM public.upkeep_partitioned_table(entry.parent, at) u;
    END LOOP;
END $$;
COMMENT ON FUNCTION upkeep_partitions(timestamptz) IS 'Makes partitions ahead and drops those past retention, for every registered table.';
GRANT EXECUTE ON FUNCTION upkeep_partitions(timestamptz) TO marquee_system;
