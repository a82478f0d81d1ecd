-- Durable work: jobs, operations with their steps, the leases of reconcilers, and idempotency keys.
--
-- A job is a row from the moment it is asked for until the moment it is done: a finished job is deleted in
-- the transaction that finishes it, and what is worth keeping about long work stands in `operations`. So the
-- queue holds only what is still to do, and no index of it collects the past.
--
-- Who writes what: a request inserts (as marquee_app, inside its own organization); workers claim across
-- organizations (as marquee_system) and then act inside one organization (as marquee_app again).

CREATE DOMAIN job_state AS text
    CHECK (VALUE IN ('ready', 'waiting', 'running', 'dead'));
COMMENT ON DOMAIN job_state IS
    'ready: may start now. waiting: not before run_at. running: leased by a worker. dead: gave up, kept to be seen and retried.';

CREATE DOMAIN operation_state AS text
    CHECK (VALUE IN ('pending', 'awaiting_approval', 'running', 'paused', 'cancelling', 'undoing',
                     'succeeded', 'partially_succeeded', 'failed', 'undone', 'cancelled'));
COMMENT ON DOMAIN operation_state IS 'The states of long work; the last five are final.';

CREATE DOMAIN operation_policy AS text CHECK (VALUE IN ('unwind', 'partial'));
COMMENT ON DOMAIN operation_policy IS
    'unwind: steps one after the other, all or nothing. partial: independent steps, each succeeds or fails alone.';

CREATE DOMAIN operation_step_state AS text
    CHECK (VALUE IN ('pending', 'running', 'succeeded', 'failed', 'skipped', 'undoing', 'undone', 'undo_failed'));
COMMENT ON DOMAIN operation_step_state IS
    'pending: not started, or to be tried again. skipped: never started and never will be. undo_failed: something is left; the error says what.';

CREATE DOMAIN idempotency_state AS text CHECK (VALUE IN ('in_flight', 'committed', 'done'));
COMMENT ON DOMAIN idempotency_state IS
    'in_flight: the first request is being answered. committed: its effect is stored, its answer not yet. done: the answer is stored.';

-- Limits of idempotency keys as domains: PostgreSQL reads a table's checks anew in every statement.
CREATE DOMAIN idempotency_text AS text COLLATE "C" CHECK (length(VALUE) BETWEEN 1 AND 1000);
CREATE DOMAIN http_status AS integer CHECK (VALUE BETWEEN 100 AND 599);

-- ---------------------------------------------------------------------------------------------------- jobs

CREATE TABLE jobs (
    organization_id uuid        NOT NULL,
    id              uuid        NOT NULL,
    kind            text        NOT NULL CHECK (length(kind) BETWEEN 1 AND 100),
    payload         jsonb       NOT NULL DEFAULT '{}',
    dedup_key       text                 CHECK (length(dedup_key) BETWEEN 1 AND 300),
    priority        smallint    NOT NULL DEFAULT 0,
    state           job_state   NOT NULL DEFAULT 'ready',
    run_at          timestamptz NOT NULL,
    attempt         integer     NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    max_attempts    integer     NOT NULL CHECK (max_attempts >= 1),
    lease           bigint,
    lease_until     timestamptz,
    worker          text,
    error           jsonb,
    request_id      text        NOT NULL DEFAULT '',
    enqueued_at     timestamptz NOT NULL,
    started_at      timestamptz,
    died_at         timestamptz,
    PRIMARY KEY (organization_id, id),
    CHECK ((state = 'running') = (lease IS NOT NULL)),
    CHECK ((lease IS NULL) = (lease_until IS NULL)),
    CHECK ((state = 'dead') = (died_at IS NOT NULL))
) WITH (
    -- Rows live for milliseconds: leave room to update in place, and clean up long before a fifth of a
    -- table that is mostly empty has died.
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0.0,
    autovacuum_vacuum_threshold = 2000,
    autovacuum_analyze_scale_factor = 0.0,
    autovacuum_analyze_threshold = 20000
);
COMMENT ON TABLE jobs IS
    'Durable work still to be done, enqueued in the transaction that wants it; a finished job is deleted.';
COMMENT ON COLUMN jobs.dedup_key IS 'At most one unfinished job of a kind has it; asking again finds that one.';
COMMENT ON COLUMN jobs.priority IS 'Higher first, among the jobs of the same organization only.';
COMMENT ON COLUMN jobs.run_at IS 'Not before this time, by the clock of the workers.';
COMMENT ON COLUMN jobs.attempt IS 'How often it was started; a start that ended with the worker''s death counts.';
COMMENT ON COLUMN jobs.lease IS
    'The fencing token: new with every claim, null while nobody has the job. Whoever holds another one can commit nothing (hold_lease).';
COMMENT ON COLUMN jobs.lease_until IS
    'When the job may be taken from a silent worker, by the database''s clock, so that workers'' clocks need not agree.';
COMMENT ON COLUMN jobs.worker IS 'The process that holds the lease, for people who look.';
COMMENT ON COLUMN jobs.error IS 'The last failure: {"code", "detail"}.';
COMMENT ON COLUMN jobs.request_id IS 'The request that asked for it, so that its log lines can be found.';

-- The claim walks organizations (a skip scan over the first column) and takes the best few of each.
CREATE INDEX jobs_ready ON jobs (organization_id, priority DESC, id) WHERE state = 'ready';
CREATE INDEX jobs_waiting ON jobs (run_at) WHERE state = 'waiting';
CREATE INDEX jobs_running ON jobs (organization_id, id) WHERE state = 'running';
CREATE INDEX jobs_dead ON jobs (organization_id, id) WHERE state = 'dead';
CREATE UNIQUE INDEX jobs_dedup ON jobs (organization_id, kind, dedup_key)
    WHERE dedup_key IS NOT NULL AND state <> 'dead';

SELECT protect_tenant_table('jobs');

-- Proves, inside the caller's transaction, that a lease is still held, and keeps it so until the end of that
-- transaction. KEY SHARE conflicts with a claim (which locks FOR UPDATE) but not with a heartbeat.
CREATE FUNCTION hold_lease(organization uuid, job uuid, token bigint) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    PERFORM FROM public.jobs
      WHERE jobs.organization_id = hold_lease.organization
        AND jobs.id = hold_lease.job
        AND jobs.lease = hold_lease.token
        FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the lease on job % was lost', hold_lease.job
            USING ERRCODE = 'check_violation', CONSTRAINT = 'lease_held', TABLE = 'jobs';
    END IF;
END;
$$;
COMMENT ON FUNCTION hold_lease IS 'Fails (constraint lease_held) unless the lease is held; keeps it until commit.';
GRANT EXECUTE ON FUNCTION hold_lease TO marquee_app, marquee_system;

-- ---------------------------------------------------------------------------------------------- operations

CREATE TABLE operations (
    organization_id uuid             NOT NULL,
    id              uuid             NOT NULL,
    kind            text             NOT NULL CHECK (length(kind) BETWEEN 1 AND 80),
    target          text                      CHECK (length(target) BETWEEN 1 AND 300),
    input           jsonb            NOT NULL DEFAULT '{}',
    policy          operation_policy NOT NULL,
    parallel        integer          NOT NULL CHECK (parallel BETWEEN 1 AND 1000),
    dedup_key       text                      CHECK (length(dedup_key) BETWEEN 1 AND 300),
    state           operation_state  NOT NULL DEFAULT 'pending',
    done            boolean          NOT NULL GENERATED ALWAYS AS
        (state IN ('succeeded', 'partially_succeeded', 'failed', 'undone', 'cancelled')) STORED,
    pause_reason    text                      CHECK (length(pause_reason) BETWEEN 1 AND 2000),
    progress        jsonb            NOT NULL DEFAULT '{}',
    error           jsonb,
    requested_by    text             NOT NULL CHECK (length(requested_by) BETWEEN 1 AND 200),
    request_id      text             NOT NULL DEFAULT '',
    created_at      timestamptz      NOT NULL,
    started_at      timestamptz,
    finished_at     timestamptz,
    PRIMARY KEY (organization_id, id),
    CHECK (policy = 'partial' OR parallel = 1),
    CHECK (done = (finished_at IS NOT NULL))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
COMMENT ON TABLE operations IS
    'Long work that survives a crash: an ordered list of steps, the policy for failures, and how far it is.';
COMMENT ON COLUMN operations.target IS 'The id of what is worked on, e.g. prv_…; free of meaning to the engine.';
COMMENT ON COLUMN operations.parallel IS 'How many steps may run at once; always 1 under unwind.';
COMMENT ON COLUMN operations.dedup_key IS 'At most one operation of a kind that is not done has it; starting another joins it.';
COMMENT ON COLUMN operations.done IS 'Whether the state is final.';
COMMENT ON COLUMN operations.pause_reason IS
    'Set: stop at the next step boundary (state is then paused) and say this. Cleared by resuming.';
COMMENT ON COLUMN operations.progress IS 'Counters of the steps, merged by add_counters.';
COMMENT ON COLUMN operations.error IS
    'Why it did not wholly succeed: {"code", "detail", "step", …}; under unwind it is set when undoing begins.';
COMMENT ON COLUMN operations.requested_by IS 'Who asked: user:usr_…, api_key:key_… or reconciler:<name>.';

CREATE UNIQUE INDEX operations_dedup ON operations (organization_id, kind, dedup_key)
    WHERE dedup_key IS NOT NULL AND NOT done;
CREATE INDEX operations_open ON operations (organization_id, id) WHERE NOT done;
CREATE INDEX operations_kind ON operations (organization_id, kind, id);
CREATE INDEX operations_target ON operations (organization_id, target, id) WHERE target IS NOT NULL;
CREATE INDEX operations_finished ON operations (finished_at) WHERE done;

SELECT protect_tenant_table('operations');

CREATE TABLE operation_steps (
    organization_id uuid                 NOT NULL,
    operation_id    uuid                 NOT NULL,
    position        integer              NOT NULL CHECK (position >= 0),
    name            text                 NOT NULL CHECK (length(name) BETWEEN 1 AND 300),
    input           jsonb                NOT NULL DEFAULT '{}',
    state           operation_step_state NOT NULL DEFAULT 'pending',
    attempt         integer              NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    failures        integer              NOT NULL DEFAULT 0 CHECK (failures BETWEEN 0 AND attempt + undo_attempt),
    undo_attempt    integer              NOT NULL DEFAULT 0 CHECK (undo_attempt >= 0),
    undo_began_at   timestamptz,
    retry_at        timestamptz,
    output          jsonb,
    kept            jsonb,
    error           jsonb,
    started_at      timestamptz,
    finished_at     timestamptz,
    PRIMARY KEY (organization_id, operation_id, position),
    FOREIGN KEY (organization_id, operation_id) REFERENCES operations (organization_id, id) ON DELETE CASCADE
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
COMMENT ON TABLE operation_steps IS
    'The steps of an operation, written before and after each do and each undo; a step may have added later ones.';
COMMENT ON COLUMN operation_steps.position IS 'The order; steps that a step adds go behind all there are.';
COMMENT ON COLUMN operation_steps.attempt IS 'How often the step was started, crashes of the worker included.';
COMMENT ON COLUMN operation_steps.failures IS
    'How often it (or, while undoing, its undo) answered with an error since it last began to be tried.';
COMMENT ON COLUMN operation_steps.undo_attempt IS 'How often its undo was started.';
COMMENT ON COLUMN operation_steps.undo_began_at IS 'When its undo was started first.';
COMMENT ON COLUMN operation_steps.retry_at IS 'Not to be tried again before this time.';
COMMENT ON COLUMN operation_steps.output IS 'What the step says it did; its undo and later steps can read it.';
COMMENT ON COLUMN operation_steps.kept IS
    'What an attempt that is to be gone on with later left for the next one, or for the undo; null once the step has ended.';
COMMENT ON COLUMN operation_steps.error IS 'The last failure: {"code", "detail"}.';

SELECT protect_tenant_table('operation_steps');

-- Adds the numbers of `delta` to those of `base`, into nested objects too; anything else in `delta` replaces.
-- One UPDATE with it is atomic, so steps that run side by side can count into one object.
CREATE FUNCTION add_counters(base jsonb, delta jsonb) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    entry record;
    merged jsonb := coalesce(base, '{}');
BEGIN
    FOR entry IN SELECT key, value, merged -> key AS old FROM jsonb_each(delta) LOOP
        merged := jsonb_set(merged, ARRAY[entry.key], CASE
            WHEN jsonb_typeof(entry.old) = 'number' AND jsonb_typeof(entry.value) = 'number'
                THEN to_jsonb(entry.old::numeric + entry.value::numeric)
            WHEN jsonb_typeof(entry.old) = 'object' AND jsonb_typeof(entry.value) = 'object'
                THEN public.add_counters(entry.old, entry.value)
            ELSE entry.value
        END);
    END LOOP;
    RETURN merged;
END;
$$;
COMMENT ON FUNCTION add_counters IS 'Merges counters: numbers add, objects merge, everything else replaces.';
GRANT EXECUTE ON FUNCTION add_counters TO marquee_app, marquee_system;

-- --------------------------------------------------------------------------------------------- reconcilers

CREATE TABLE reconcilers (
    name        text        PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 100),
    due_at      timestamptz NOT NULL,
    lease       bigint      NOT NULL DEFAULT 0,
    lease_until timestamptz,
    worker      text,
    started_at  timestamptz,
    finished_at timestamptz,
    failures    integer     NOT NULL DEFAULT 0,
    summary     jsonb,
    error       jsonb
) WITH (fillfactor = 50);
COMMENT ON TABLE reconcilers IS
    'One row a reconciler, for the whole installation: when it is due, and which process runs it now.';
COMMENT ON COLUMN reconcilers.due_at IS
    'The next run. Set ahead when a run starts, and back to now by a nudge, so that a nudge during a run is kept.';
COMMENT ON COLUMN reconcilers.lease IS 'The fencing token: one more with every run.';
COMMENT ON COLUMN reconcilers.lease_until IS 'When a silent process loses it, by the database''s clock.';
COMMENT ON COLUMN reconcilers.failures IS 'Failed runs in a row.';
COMMENT ON COLUMN reconcilers.summary IS 'What the last successful run says it did.';

GRANT SELECT, INSERT, UPDATE, DELETE ON reconcilers TO marquee_system;

-- ---------------------------------------------------------------------------------------- idempotency keys

CREATE TABLE idempotency_keys (
    organization_id uuid              NOT NULL,
    principal       idempotency_text  NOT NULL,
    method          idempotency_text  NOT NULL,
    path            idempotency_text  NOT NULL,
    key             idempotency_text  NOT NULL,
    fingerprint     bytea             NOT NULL,
    state           idempotency_state NOT NULL DEFAULT 'in_flight',
    status          http_status,
    response        json,
    locked_until    timestamptz       NOT NULL,
    created_at      timestamptz       NOT NULL,
    expires_at      timestamptz       NOT NULL,
    PRIMARY KEY (organization_id, principal, method, path, key),
    CHECK (state <> 'done' OR status IS NOT NULL)
) WITH (fillfactor = 80);
COMMENT ON TABLE idempotency_keys IS
    'One row a creating request that sent an Idempotency-Key: its answer, kept for a day, so that a repeat gets the same.';
COMMENT ON COLUMN idempotency_keys.principal IS 'Who sent it: user:usr_… or api_key:key_…; a key belongs to its sender.';
COMMENT ON COLUMN idempotency_keys.fingerprint IS 'Keyed hash of the body: the same key with another body is refused.';
COMMENT ON COLUMN idempotency_keys.locked_until IS
    'Until then the first request is taken to be alive and a repeat is told to wait, for its turn or for its answer.';
COMMENT ON COLUMN idempotency_keys.response IS 'The answer: body, without secrets, media type, and the headers that are kept.';

CREATE INDEX idempotency_keys_expired ON idempotency_keys (expires_at);

SELECT protect_tenant_table('idempotency_keys');

-- Marks a key as used, in the transaction that makes the change. If the request has lost the key in the meantime (it
-- ran out of time and gave the key back, or a crash of the database took the reservation), the change must not be made:
-- a repetition may be making it, or have made it.
CREATE FUNCTION hold_idempotency_key(principal text, method text, path text, key text, answered_by timestamptz)
    RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    UPDATE public.idempotency_keys k
       SET state = 'committed', locked_until = least(k.locked_until, hold_idempotency_key.answered_by)
     WHERE k.organization_id = public.current_organization()
       AND k.principal = hold_idempotency_key.principal AND k.method = hold_idempotency_key.method
       AND k.path = hold_idempotency_key.path AND k.key = hold_idempotency_key.key AND k.state = 'in_flight';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the idempotency key was given back before the change was made'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'idempotency_key_held', TABLE = 'idempotency_keys';
    END IF;
END;
$$;
COMMENT ON FUNCTION hold_idempotency_key IS 'Marks a key as used; fails (constraint idempotency_key_held) if the request has it no more.';
GRANT EXECUTE ON FUNCTION hold_idempotency_key TO marquee_app;
