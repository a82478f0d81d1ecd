-- Schedules: jobs that are asked for again and again, by a timetable of wall clock times in a time zone.
--
-- Rules that the code keeps and the table is made for:
-- * The jobs of an occurrence and the step to the next occurrence are one transaction: whatever dies, no occurrence is
--   fired twice and none is forgotten.
-- * next_at is the occurrence itself, fire_at is next_at and the schedule's own delay (jitter). Both are null when
--   nothing is to come: the timetable is over, the schedule is paused, or it cannot be read (error says so).
-- * Any process may fire any schedule; rows are locked with SKIP LOCKED for that moment.

CREATE DOMAIN schedule_missed AS text CHECK (VALUE IN ('skip', 'once', 'all'));
COMMENT ON DOMAIN schedule_missed IS
    'What becomes of occurrences that nobody was there for. skip: nothing. once: one job for all of them. all: a job for each.';

CREATE TABLE schedules (
    organization_id  uuid            NOT NULL,
    id               uuid            NOT NULL,
    name             text            NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    job_kind         text            NOT NULL CHECK (length(job_kind) BETWEEN 1 AND 100),
    payload          jsonb           NOT NULL CHECK (jsonb_typeof(payload) = 'object'),
    dedup_key        text                     CHECK (length(dedup_key) BETWEEN 1 AND 300),
    priority         smallint        NOT NULL,
    max_attempts     integer         NOT NULL CHECK (max_attempts >= 1),
    timetable        jsonb           NOT NULL,
    jitter_seconds   integer         NOT NULL CHECK (jitter_seconds BETWEEN 0 AND 3600),
    missed           schedule_missed NOT NULL,
    catch_up_seconds integer         NOT NULL CHECK (catch_up_seconds BETWEEN 60 AND 604800),
    paused           boolean         NOT NULL DEFAULT false,
    next_at          timestamptz,
    fire_at          timestamptz,
    last_at          timestamptz,
    fired_at         timestamptz,
    error            jsonb,
    created_at       timestamptz     NOT NULL,
    PRIMARY KEY (organization_id, id),
    CONSTRAINT schedules_name_unique UNIQUE (organization_id, name),
    CHECK ((next_at IS NULL) = (fire_at IS NULL)),
    CHECK (NOT paused OR next_at IS NULL)
) WITH (fillfactor = 70);
COMMENT ON TABLE schedules IS 'Jobs that are asked for again and again, by a timetable.';
COMMENT ON COLUMN schedules.name IS 'Chosen by whoever made it; putting a schedule of the same name replaces it.';
COMMENT ON COLUMN schedules.dedup_key IS 'The key of its jobs: while one is unfinished no other is made. Null for a key per occurrence.';
COMMENT ON COLUMN schedules.timetable IS
    '{"cron", "time_zone"} or {"rrule", "starts_at", "time_zone"}, with wall clock times of that zone.';
COMMENT ON COLUMN schedules.jitter_seconds IS 'Its delay is at most this; the same at every occurrence, since it comes from the id.';
COMMENT ON COLUMN schedules.catch_up_seconds IS 'What is older was missed for good.';
COMMENT ON COLUMN schedules.next_at IS 'The next occurrence; null when none is to come.';
COMMENT ON COLUMN schedules.fire_at IS 'When it is fired: next_at and the delay.';
COMMENT ON COLUMN schedules.last_at IS 'The last occurrence that was fired or given up.';
COMMENT ON COLUMN schedules.fired_at IS 'When jobs were last made.';
COMMENT ON COLUMN schedules.error IS 'Why it fires no more, if its timetable can no longer be read: {"code", "detail"}.';

CREATE INDEX schedules_fire ON schedules (fire_at) WHERE fire_at IS NOT NULL;
-- For a clock that was ahead and was put back: occurrences fired ahead of their time, of which there are none else.
CREATE INDEX schedules_last ON schedules (last_at) WHERE fire_at IS NOT NULL;

SELECT protect_tenant_table('schedules');
