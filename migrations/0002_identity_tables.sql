-- Who people are, which organizations they belong to, and by what they are recognized: sessions and API keys.
--
-- Before a caller is recognized no organization is known, so the tables cannot be read through their policies.
-- The three questions that must be answered then (whose session, whose key, whose password) are functions that
-- run as their definer; each answers about the one row that was asked for and nothing else.

CREATE DOMAIN member_role AS text CHECK (VALUE IN ('viewer', 'engineer', 'manager', 'admin', 'owner'));
-- A name that a person chose: no leading or trailing blank, no control character.
CREATE DOMAIN display_name AS text CHECK (VALUE = btrim(VALUE) AND char_length(VALUE) BETWEEN 1 AND 100 AND VALUE !~ '[[:cntrl:]]');

CREATE TABLE organizations (
    organization_id uuid PRIMARY KEY,
    name display_name NOT NULL,
    revision bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL
);
COMMENT ON TABLE organizations IS 'The tenants. The key is called organization_id, so that a tenant''s own row is isolated like all its others.';
COMMENT ON COLUMN organizations.name IS 'For people; two organizations may have the same.';
COMMENT ON COLUMN organizations.revision IS 'Counts the changes of the row; the ETag is made of it.';
SELECT protect_tenant_table('organizations');
REVOKE DELETE ON organizations FROM marquee_app;

-- A person is one row however many organizations they belong to, so this table belongs to no organization.
CREATE TABLE users (
    id uuid PRIMARY KEY,
    email text NOT NULL CONSTRAINT users_email_unique UNIQUE
        CONSTRAINT users_email_form CHECK (email = lower(email) AND char_length(email) BETWEEN 3 AND 254 AND email ~ '^[^@[:space:][:cntrl:]]+@[^@[:space:][:cntrl:]]+$'),
    name display_name,
    password_hash text NOT NULL CONSTRAINT users_password_hash_form CHECK (password_hash LIKE '$argon2id$%'),
    password_changed_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL
);
COMMENT ON TABLE users IS 'People who can log in. Global: what somebody may do comes from their memberships.';
COMMENT ON COLUMN users.email IS 'The login name, in lower case.';
COMMENT ON COLUMN users.password_hash IS 'Argon2id in PHC form. The application cannot select it; login_candidate() hands it out for one e-mail.';
ALTER TABLE users ENABLE ROW LEVEL SECURITY;
ALTER TABLE users FORCE ROW LEVEL SECURITY;
-- The organization sees those who belong to it, and of them not the password.
GRANT SELECT (id, email, name, password_changed_at, created_at) ON users TO marquee_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON users TO marquee_system;

CREATE TABLE memberships (
    organization_id uuid NOT NULL REFERENCES organizations (organization_id),
    user_id uuid NOT NULL REFERENCES users (id),
    role member_role NOT NULL,
    revision bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, user_id)
);
COMMENT ON TABLE memberships IS 'Who belongs to which organization, in which role.';
COMMENT ON COLUMN memberships.revision IS 'Counts the changes of the row; the ETag is made of it.';
CREATE INDEX memberships_user ON memberships (user_id);
-- The owners are locked before one of them goes, so that the last cannot.
CREATE INDEX memberships_role ON memberships (organization_id, role);
SELECT protect_tenant_table('memberships');

CREATE POLICY members ON users FOR SELECT TO marquee_app
    USING (id IN (SELECT m.user_id FROM memberships m WHERE m.organization_id = (SELECT current_organization())));
CREATE POLICY system ON users TO marquee_system USING (true) WITH CHECK (true);
CREATE POLICY owner ON users TO marquee_owner USING (true) WITH CHECK (true);

CREATE TABLE sessions (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    token_hash bytea NOT NULL CONSTRAINT sessions_token_hash_unique UNIQUE CHECK (octet_length(token_hash) = 32),
    created_at timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    address inet,
    user_agent text CHECK (char_length(user_agent) <= 300),
    PRIMARY KEY (organization_id, id),
    CONSTRAINT sessions_membership FOREIGN KEY (organization_id, user_id) REFERENCES memberships (organization_id, user_id) ON DELETE CASCADE
);
COMMENT ON TABLE sessions IS 'Log-ins of one user to one organization. An ended session is deleted; that it was is in the audit log.';
COMMENT ON COLUMN sessions.token_hash IS 'SHA-256 of the token: it is 256 random bits, so a fast hash is enough and allows a look-up.';
COMMENT ON COLUMN sessions.last_used_at IS 'To a minute or so: written in bulk, off the path of requests. Decides the idle expiry.';
COMMENT ON COLUMN sessions.expires_at IS 'The end whatever the use.';
COMMENT ON COLUMN sessions.address IS 'Where the log-in came from.';
CREATE INDEX sessions_user ON sessions (organization_id, user_id);
CREATE INDEX sessions_expires ON sessions (expires_at);
SELECT protect_tenant_table('sessions');

CREATE TABLE api_keys (
    organization_id uuid NOT NULL,
    id uuid NOT NULL CONSTRAINT api_keys_id_unique UNIQUE,
    name display_name NOT NULL,
    created_by uuid NOT NULL,
    secret_hash bytea NOT NULL CHECK (octet_length(secret_hash) = 32),
    scopes text[] NOT NULL CHECK (cardinality(scopes) BETWEEN 1 AND 128 AND array_position(scopes, NULL) IS NULL),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    last_used_at timestamptz,
    PRIMARY KEY (organization_id, id),
    CONSTRAINT api_keys_name_unique UNIQUE (organization_id, name),
    CONSTRAINT api_keys_expiry CHECK (expires_at > created_at AND expires_at <= created_at + interval '367 days'),
    CONSTRAINT api_keys_creator FOREIGN KEY (organization_id, created_by) REFERENCES memberships (organization_id, user_id) ON DELETE CASCADE
);
COMMENT ON TABLE api_keys IS 'Credentials of services. A key may do what its scopes and its creator''s present role both allow, and goes when its creator goes.';
COMMENT ON COLUMN api_keys.secret_hash IS 'SHA-256 of the whole key as it is sent: its secret part is 256 random bits.';
COMMENT ON COLUMN api_keys.scopes IS 'Permissions by name; one that no longer exists grants nothing.';
COMMENT ON COLUMN api_keys.last_used_at IS 'To a minute or so; null if never.';
CREATE INDEX api_keys_created_by ON api_keys (organization_id, created_by);
CREATE INDEX api_keys_expires ON api_keys (expires_at);
SELECT protect_tenant_table('api_keys');

---------------------------------------------------------------------------------------------------------------
-- What must be asked before an organization is known

CREATE FUNCTION find_session(wanted bytea)
RETURNS TABLE (organization_id uuid, session_id uuid, user_id uuid, role text, last_used_at timestamptz, expires_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
    SELECT s.organization_id, s.id, s.user_id, m.role::text, s.last_used_at, s.expires_at
    FROM public.sessions s
    JOIN public.memberships m ON m.organization_id = s.organization_id AND m.user_id = s.user_id
    WHERE s.token_hash = wanted;
END;
COMMENT ON FUNCTION find_session(bytea) IS 'The session whose token has this SHA-256, with its user''s present role. Expiry is the caller''s to judge.';

CREATE FUNCTION find_api_key(wanted uuid)
RETURNS TABLE (organization_id uuid, created_by uuid, role text, secret_hash bytea, scopes text[], expires_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
    SELECT k.organization_id, k.created_by, m.role::text, k.secret_hash, k.scopes, k.expires_at
    FROM public.api_keys k
    JOIN public.memberships m ON m.organization_id = k.organization_id AND m.user_id = k.created_by
    WHERE k.id = wanted;
END;
COMMENT ON FUNCTION find_api_key(uuid) IS 'The key with this id, with its creator''s present role. Secret and expiry are the caller''s to judge.';

CREATE FUNCTION login_candidate(wanted text)
RETURNS TABLE (user_id uuid, password_hash text, organization_id uuid, organization_name text, role text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
    SELECT u.id, u.password_hash, m.organization_id, o.name::text, m.role::text
    FROM public.users u
    LEFT JOIN public.memberships m ON m.user_id = u.id
    LEFT JOIN public.organizations o ON o.organization_id = m.organization_id
    WHERE u.email = wanted
    ORDER BY m.created_at, m.organization_id;
END;
COMMENT ON FUNCTION login_candidate(text) IS 'The person with this e-mail, once for each organization they belong to, the oldest membership first.';

---------------------------------------------------------------------------------------------------------------
-- What an organization may do to the global table of people

CREATE FUNCTION create_user(new_id uuid, new_email text, new_name text, new_password_hash text, at timestamptz) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
    INSERT INTO public.users (id, email, name, password_hash, password_changed_at, created_at)
    VALUES (new_id, new_email, new_name, new_password_hash, at, at);
END;
COMMENT ON FUNCTION create_user(uuid, text, text, text, timestamptz) IS 'Adds a person; breaks users_email_unique if there is one with this e-mail.';

-- Nobody sets another's password, not even from another organization they share.
CREATE FUNCTION current_user_id() RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN current_actor() ~ '^user:usr_[0-9a-f]{32}$' THEN pg_catalog.substr(current_actor(), 10)::uuid END;
COMMENT ON FUNCTION current_user_id() IS 'The user this transaction acts for; null if it acts for a key, a worker or nobody.';

CREATE FUNCTION set_own_password(new_password_hash text, at timestamptz) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    UPDATE public.users SET password_hash = new_password_hash, password_changed_at = at
    WHERE id = public.current_user_id();
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION set_own_password(text, timestamptz) IS 'Changes the password of the user this transaction acts for; false if it acts for no user.';

CREATE FUNCTION own_password() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
    SELECT u.password_hash FROM public.users u WHERE u.id = public.current_user_id();
END;
COMMENT ON FUNCTION own_password() IS 'The password hash of the user this transaction acts for, to check the present one before a change.';

CREATE FUNCTION end_own_sessions(kept uuid) RETURNS SETOF bytea
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RETURN QUERY DELETE FROM public.sessions s
    WHERE s.id <> kept AND (s.organization_id, s.user_id) IN
          (SELECT m.organization_id, m.user_id FROM public.memberships m WHERE m.user_id = public.current_user_id())
    RETURNING s.token_hash;
END $$;
COMMENT ON FUNCTION end_own_sessions(uuid) IS 'Ends all sessions of the user this transaction acts for, in every organization, but the one kept; gives the token hashes of the ended.';

CREATE FUNCTION delete_user_without_memberships(leaver uuid) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    DELETE FROM public.users u WHERE u.id = leaver
        AND NOT EXISTS (SELECT FROM public.memberships m WHERE m.user_id = leaver);
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION delete_user_without_memberships(uuid) IS 'Forgets a person who belongs to no organization any more: nobody could reach, change or re-invite them.';

GRANT EXECUTE ON FUNCTION end_own_sessions(uuid), delete_user_without_memberships(uuid), find_session(bytea), find_api_key(uuid), login_candidate(text),
    create_user(uuid, text, text, text, timestamptz), current_user_id(), set_own_password(text, timestamptz), own_password() TO marquee_app;
