-- Approval: which changes of resources need a second person, and what was decided.
--
-- Rules that the code keeps and the tables are made for:
-- * An approval policy names actions and resources (by filter), and the role of whoever may approve. A change that one
--   applies to is an operation in the state awaiting_approval: nothing drives it until somebody approves.
-- * Whoever asked cannot approve, with no credential of theirs. Policies that apply together are one approval, by the
--   highest of their roles and within the shortest of their times.
-- * An operation that awaits approval has nothing in hand: what nobody has approved holds up nobody.
-- * A request that nobody decides expires, and its operation is cancelled.

CREATE DOMAIN approval_filter AS text CHECK (length(VALUE) BETWEEN 1 AND 2000);
CREATE DOMAIN approval_seconds AS integer CHECK (VALUE BETWEEN 300 AND 2592000);
CREATE DOMAIN approval_reason AS text CHECK (length(VALUE) BETWEEN 1 AND 500);
CREATE DOMAIN approval_decision AS text CHECK (VALUE IN ('approved', 'rejected', 'expired', 'withdrawn'));
COMMENT ON DOMAIN approval_decision IS
    'expired: nobody decided in time. withdrawn: the operation was cancelled before anybody decided.';

CREATE TABLE approval_policies (
    organization_id       uuid             NOT NULL,
    id                    uuid             NOT NULL,
    name                  display_name     NOT NULL,
    actions               text[]           NOT NULL CHECK (cardinality(actions) <= 100 AND array_position(actions, NULL) IS NULL),
    filter                approval_filter,
    approver_role         member_role      NOT NULL,
    expires_after_seconds approval_seconds NOT NULL,
    created_by            text             NOT NULL CHECK (length(created_by) BETWEEN 1 AND 200),
    created_at            timestamptz      NOT NULL,
    PRIMARY KEY (organization_id, id),
    CONSTRAINT approval_policies_name_unique UNIQUE (organization_id, name)
);
COMMENT ON TABLE approval_policies IS 'Which changes of which resources need the approval of a second person.';
COMMENT ON COLUMN approval_policies.actions IS 'Actions by name, e.g. terminate_instance; empty for every action.';
COMMENT ON COLUMN approval_policies.filter IS 'Which resources, in the language of the list of resources; null for all.';
COMMENT ON COLUMN approval_policies.approver_role IS 'Members of this role or a higher one may approve.';
SELECT protect_tenant_table('approval_policies');

CREATE TABLE operation_approvals (
    organization_id uuid              NOT NULL,
    operation_id    uuid              NOT NULL,
    policies        text[]            NOT NULL CHECK (cardinality(policies) >= 1),
    approver_role   member_role       NOT NULL,
    requester       uuid              NOT NULL,
    created_at      timestamptz       NOT NULL,
    expires_at      timestamptz       NOT NULL,
    decision        approval_decision,
    decided_by      text              CHECK (length(decided_by) BETWEEN 1 AND 200),
    decided_at      timestamptz,
    reason          approval_reason,
    PRIMARY KEY (organization_id, operation_id),
    FOREIGN KEY (organization_id, operation_id) REFERENCES operations (organization_id, id) ON DELETE CASCADE,
    CHECK ((decision IS NULL) = (decided_at IS NULL)),
    CHECK ((decision IS NULL) = (decided_by IS NULL))
);
COMMENT ON TABLE operation_approvals IS 'The approval that an operation needs, and what was decided.';
COMMENT ON COLUMN operation_approvals.policies IS 'The names of the policies that apply, as they were when it was asked for.';
COMMENT ON COLUMN operation_approvals.requester IS 'The person who asked, or who made the API key that did: the one who cannot approve.';
COMMENT ON COLUMN operation_approvals.decided_by IS 'user:usr_…, or worker:approval_expiry where nobody decided.';
CREATE INDEX operation_approvals_open ON operation_approvals (expires_at) WHERE decision IS NULL;
SELECT protect_tenant_table('operation_approvals');
