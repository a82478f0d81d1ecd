//! The presentation table: what people call things, which columns they want to see, and examples.
//!
//! Nothing here decides what can be done; a noun without an entry is reachable all the same, under the API's own
//! words and with the columns of the answer.

/// How one noun is shown.
#[derive(Debug)]
pub struct Noun {
    /// The command: `api-keys`.
    pub name: &'static str,
    /// One of them, in a sentence: `API key`.
    pub singular: &'static str,
    /// What the command is for, in one line.
    pub about: &'static str,
    /// The API's verb and the command's.
    pub verbs: &'static [(&'static str, &'static str)],
    /// The API's field or parameter (dotted) and the command's flag.
    pub flags: &'static [(&'static str, &'static str)],
    /// The columns of its lists: a heading and the dotted place of the value.
    pub columns: &'static [Column],
    /// Columns of other lists of this noun, by verb.
    pub other_columns: &'static [(&'static str, &'static [Column])],
    /// Examples, by verb.
    pub examples: &'static [(&'static str, &'static str)],
    /// What disappears with a `remove`, for the question that is asked before.
    pub removal: &'static str,
    /// Environment variables that hold parts of a secret group: the place and the variable.
    pub secret_variables: &'static [(&'static str, &'static str)],
    /// The form a union takes when nothing points to another: the first whose condition holds.
    pub default_tags: &'static [DefaultTag],
    /// How one of them is found by what people call it.
    pub by_name: Option<ByName>,
    /// Verbs whose answer holds a document that is shown as it is: the verb, and the place of the document.
    pub documents: &'static [(&'static str, &'static str)],
    /// What is said to a person before a secret group is asked for: a field of the body and its value, and the lines.
    pub guidance: &'static [((&'static str, &'static str), &'static str)],
}

/// How things that people gave names to are found.
#[derive(Debug, Clone, Copy)]
pub struct ByName {
    /// What every id begins with.
    pub prefix: &'static str,
    /// The operation that lists them, each with its `id` and `name`.
    pub list: &'static str,
}

/// The tag's place; a field of the body and the value it must have, if that decides; and the tag's value.
pub type DefaultTag = (&'static str, Option<(&'static str, &'static str)>, &'static str);

/// A heading and the dotted place of the value.
pub type Column = (&'static str, &'static str);

/// The entry of a noun, if it has one.
pub fn find(name: &str) -> Option<&'static Noun> {
    NOUNS.iter().find(|noun| noun.name == name)
}

const BLANK: Noun = Noun {
    name: "",
    singular: "",
    about: "",
    verbs: COMMON_VERBS,
    flags: &[],
    columns: &[],
    other_columns: &[],
    examples: &[],
    removal: "",
    secret_variables: &[],
    default_tags: &[],
    by_name: None,
    documents: &[],
    guidance: &[],
};

const COMMON_VERBS: &[(&str, &str)] = &[("get", "show"), ("delete", "remove")];

/// Every entry, in the order of the help page.
pub static NOUNS: &[Noun] = &[
    Noun {
        name: "providers",
        singular: "provider",
        about: "Connected cloud accounts",
        verbs: &[
            ("create", "add"),
            ("get", "show"),
            ("replace", "update"),
            ("delete", "remove"),
            ("disconnect", "remove"),
            ("test-connection", "test"),
        ],
        flags: &[
            ("settings.regions", "region"),
            ("settings.endpoint_url", "endpoint-url"),
            ("settings.authority_url", "authority-url"),
            ("settings.blob_endpoint_url", "blob-endpoint-url"),
            ("settings.ca_certificate", "ca-certificate"),
            ("settings.subscription_id", "subscription"),
            ("settings.project_id", "project"),
            ("credentials.type", "credentials-type"),
            ("credentials.role_arn", "role-arn"),
            ("credentials.session_name", "session-name"),
            ("credentials.name", "profile"),
        ],
        columns: &[
            ("ID", "id"),
            ("NAME", "name"),
            ("KIND", "kind"),
            ("ACCOUNT", "account"),
            ("LAST SYNC", "last_sync.state"),
            ("SYNCED", "last_sync.finished_at"),
            ("NEXT SYNC", "next_sync_at"),
        ],
        other_columns: &[
            ("regions", &[("REGION", "id"), ("NAME", "name"), ("ENABLED", "enabled")]),
            ("services", &[("SERVICE", "id"), ("NAME", "name"), ("REGIONS", "regions")]),
            ("kinds", &[("KIND", "kind"), ("NAME", "title"), ("NEEDS", "groups.permissions.permission")]),
            (
                "scopes",
                &[
                    ("SERVICE", "service"),
                    ("REGION", "region"),
                    ("RESOURCES", "resources"),
                    ("COMPLETE", "complete_at"),
                    ("ATTEMPTED", "attempted_at"),
                    ("ERROR", "error.detail"),
                ],
            ),
        ],
        examples: &[
            (
                "add",
                "  # The keys are taken from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
  marquee providers add --kind aws --name production --region eu-central-1

  # From a file of the AWS command line's form, or of JSON; - is the standard input
  marquee providers add --kind aws --name production \\
      --credentials-file keys.ini

  # As a role, which the keys of the environment may assume
  marquee providers add --kind aws --name production --credentials-env \\
      --role-arn arn:aws:iam::123456789012:role/marquee

  # Against a local moto_server
  marquee providers add --kind aws --name local --region us-east-1 \\
      --endpoint-url http://127.0.0.1:5000",
            ),
            ("list", "  marquee providers list\n  marquee providers list --all --output csv > providers.csv"),
            ("sync", "  marquee providers sync production --wait"),
            (
                "policy",
                "  # What a key, a service principal or a service account must be allowed
  marquee providers policy aws > marquee-policy.json
  marquee providers policy azure --subscription 3f6d1c52-8f0e-4d2b-9a57-6c1e0b7d4a21
  marquee providers policy gcp --format json

  # With the vendor's own commands that make a credential of it
  marquee providers policy aws -o json",
            ),
            (
                "update",
                "  marquee providers update production --name staging
  # New keys, asked for without an echo
  marquee providers update production --credentials-prompt
  # Back to the default
  marquee providers update prv_01989f2c… --clear endpoint-url",
            ),
            ("test", "  marquee providers test production"),
        ],
        removal: "Its resources leave the inventory; their history stays.",
        secret_variables: &[
            ("credentials.access_key_id", "AWS_ACCESS_KEY_ID"),
            ("credentials.secret_access_key", "AWS_SECRET_ACCESS_KEY"),
            ("credentials.session_token", "AWS_SESSION_TOKEN"),
            ("credentials.tenant_id", "AZURE_TENANT_ID"),
            ("credentials.client_id", "AZURE_CLIENT_ID"),
            ("credentials.client_secret", "AZURE_CLIENT_SECRET"),
            ("credentials.source.access_key_id", "AWS_ACCESS_KEY_ID"),
            ("credentials.source.secret_access_key", "AWS_SECRET_ACCESS_KEY"),
            ("credentials.source.session_token", "AWS_SESSION_TOKEN"),
        ],
        default_tags: &[("credentials.type", None, "static")],
        by_name: Some(ByName { prefix: "prv_", list: "providers.list" }),
        documents: &[("policy", "document")],
        guidance: &[
            (
                ("kind", "aws"),
                "For a key that may only read: marquee providers policy aws > marquee-policy.json, then
  aws iam create-policy --policy-name marquee --policy-document file://marquee-policy.json",
            ),
            (
                ("kind", "azure"),
                "For a principal that may only read: marquee providers policy azure > marquee-role.json, then
  az role definition create --role-definition @marquee-role.json",
            ),
            (
                ("kind", "gcp"),
                "For an account that may only read: marquee providers policy gcp > marquee-role.yaml, then
  gcloud iam roles create marqueeReader --project PROJECT --file marquee-role.yaml; \
                 a key's file goes to --credentials-file",
            ),
        ],
    },
    Noun {
        name: "resources",
        singular: "resource",
        about: "Everything that exists in the connected accounts",
        columns: &[
            ("ID", "id"),
            ("KIND", "kind"),
            ("NAME", "name"),
            ("REGION", "region"),
            ("STATE", "state"),
            ("SIZE", "size"),
            ("NATIVE ID", "native_id"),
        ],
        other_columns: &[
            (
                "related",
                &[
                    ("DIRECTION", "direction"),
                    ("RELATION", "relation"),
                    ("ID", "resource.id"),
                    ("KIND", "resource.kind"),
                    ("NAME", "resource.name"),
                    ("STATE", "resource.state"),
                    ("NATIVE ID", "native_id"),
                ],
            ),
            (
                "history",
                &[
                    ("FROM", "valid_from"),
                    ("TO", "valid_to"),
                    ("ENDED", "ended"),
                    ("STATE", "resource.state"),
                    ("SIZE", "resource.size"),
                    ("CHANGES", "changes.field"),
                ],
            ),
        ],
        examples: &[
            (
                "list",
                "  marquee resources list \\
      --filter 'kind = \"compute_instance\" AND region = \"eu-central-1\"'
  marquee resources list --filter 'tags.team = \"checkout\"' --all -o csv
  marquee resources list --as-of 2026-06-20T18:00:00Z",
            ),
            ("summary", "  marquee resources summary --group-by kind,region"),
            ("history", "  marquee resources history res_01989f2c…"),
            (
                "create",
                "  marquee resources create --provider-id prv_01989f2c… --kind disk --region eu-central-1 \\
      --spec.name photos --spec.zone eu-central-1a --spec.size-gib 100",
            ),
            (
                "resize",
                "  # Shows the plan, and asks
  marquee resources resize res_01989f2c… --size m7i.xlarge
  # Only shows it
  marquee resources resize res_01989f2c… --size m7i.xlarge --validate-only",
            ),
            ("stop", "  marquee resources stop res_01989f2c… --yes --wait"),
            (
                "bulk-stop",
                "  marquee resources bulk-stop --filter 'kind = compute_instance AND tags.env = staging' \\
      --expect-count 12",
            ),
            ("snapshot", "  marquee resources snapshot res_01989f2c… --name before-saturday"),
            ("protect", "  marquee resources protect res_01989f2c… --reason 'serves Saturday'"),
        ],
        ..BLANK
    },
    Noun {
        name: "syncs",
        singular: "sync",
        about: "Discovery runs over the connected accounts",
        columns: &[
            ("ID", "id"),
            ("PROVIDER", "provider_id"),
            ("STATE", "state"),
            ("STARTED", "started_at"),
            ("FINISHED", "finished_at"),
            ("COUNTS", "counts"),
        ],
        ..BLANK
    },
    Noun {
        name: "operations",
        singular: "operation",
        about: "Long-running work: look at it, wait for it, cancel it",
        columns: &[
            ("ID", "id"),
            ("KIND", "kind"),
            ("STATE", "state"),
            ("CREATED", "created_at"),
            ("FINISHED", "finished_at"),
            ("TARGET", "target"),
        ],
        examples: &[
            (
                "wait",
                "  marquee operations wait op_01989f2c…\n  marquee operations wait op_01989f2c… --timeout 600",
            ),
            (
                "list",
                "  marquee operations list --filter 'done = false'
  marquee operations list --filter 'state = awaiting_approval'",
            ),
            ("approve", "  marquee operations approve op_01989f2c… --reason 'after the rehearsal'"),
            ("reject", "  marquee operations reject op_01989f2c… --reason 'not on a Saturday'"),
        ],
        ..BLANK
    },
    Noun {
        name: "approval-policies",
        singular: "approval policy",
        about: "Which changes need the approval of a second person",
        columns: &[
            ("ID", "id"),
            ("NAME", "name"),
            ("APPROVER", "approver_role"),
            ("ACTIONS", "actions"),
            ("FILTER", "filter"),
            ("EXPIRES AFTER", "expires_after_seconds"),
        ],
        examples: &[(
            "create",
            "  marquee approval-policies create --name 'two for production' --approver-role manager \\
      --filter 'tags.env = \"production\"'",
        )],
        removal: "Changes that await approval still do.",
        ..BLANK
    },
    Noun {
        name: "offers",
        singular: "offer",
        about: "The sizes that could be made, what they cost, and which fulfil a wish best",
        columns: &[
            ("SIZE", "size"),
            ("REGION", "region"),
            ("PROVIDER", "provider_id"),
            ("VCPUS", "vcpus"),
            ("MIB", "memory_mib"),
            ("ARCHITECTURE", "architecture"),
            ("MONTHLY", "monthly.amount"),
            ("", "monthly.currency"),
            ("QUOTA ROOM", "quota_room"),
            ("NO CAPACITY", "no_capacity_at"),
        ],
        examples: &[("list", "  marquee offers list --places prv_…@eu-west-1 --vcpus 8 --memory-gib 32")],
        ..BLANK
    },
    Noun {
        name: "quotas",
        singular: "quota",
        about: "How much of what sizes count against is left, and where to ask for more",
        columns: &[
            ("CODE", "code"),
            ("NAME", "name"),
            ("USED", "used"),
            ("LIMIT", "limit"),
            ("LEFT", "left"),
            ("UNIT", "unit"),
            ("ASK FOR MORE", "request"),
        ],
        ..BLANK
    },
    Noun {
        name: "members",
        singular: "member",
        about: "Who belongs to the organization, and in which role",
        columns: &[
            ("ID", "id"),
            ("E-MAIL", "email"),
            ("NAME", "name"),
            ("ROLE", "role"),
            ("SINCE", "created_at"),
        ],
        removal: "Their sessions end and their API keys stop working.",
        ..BLANK
    },
    Noun {
        name: "api-keys",
        singular: "API key",
        about: "Credentials for programs",
        columns: &[
            ("ID", "id"),
            ("NAME", "name"),
            ("SCOPES", "scopes"),
            ("CREATED", "created_at"),
            ("EXPIRES", "expires_at"),
            ("LAST USED", "last_used_at"),
        ],
        verbs: &[("get", "show"), ("delete", "revoke")],
        examples: &[(
            "create",
            "  # The key is shown once, in the answer
  marquee api-keys create --name ci --expires-at +90d \\
      --scopes providers.read,resources.read",
        )],
        removal: "Whatever uses it is refused within seconds.",
        ..BLANK
    },
    Noun { name: "organizations", singular: "organization", about: "The organization you are in", ..BLANK },
    Noun { name: "auth", singular: "password", about: "Your own password", ..BLANK },
    Noun {
        name: "sessions",
        singular: "session",
        about: "Where you are logged in",
        columns: &[
            ("ID", "id"),
            ("CREATED", "created_at"),
            ("LAST USED", "last_used_at"),
            ("ENDS", "ends_at"),
            ("ADDRESS", "address"),
            ("CURRENT", "current"),
            ("CLIENT", "user_agent"),
        ],
        verbs: &[("get", "show"), ("delete", "revoke")],
        removal: "Whoever uses it is logged out within seconds.",
        ..BLANK
    },
    Noun {
        name: "audit",
        singular: "audit entry",
        about: "Who did what",
        columns: &[
            ("AT", "at"),
            ("ACTOR", "actor"),
            ("ACTION", "action"),
            ("TARGET", "target.id"),
            ("OUTCOME", "outcome"),
            ("ADDRESS", "address"),
        ],
        examples: &[("list", "  marquee audit list --filter 'action = \"providers.create\"' --output json")],
        ..BLANK
    },
];
