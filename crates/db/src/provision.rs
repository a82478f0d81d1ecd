//! Making the three roles and the database: what only a superuser, or a login that may create roles and
//! databases, can do.
//!
//! Used by the embedded server, by the test bed, and for an operator who hands over a privileged URL; one who
//! rather runs the SQL gets it from [`roles_sql`]. None of the roles may become another: a password that leaks
//! from the request path must not open the owner's door.

use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::RngExt as _;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;
use tokio_postgres::Client;
use tokio_util::task::TaskTracker;
use url::Url;

use crate::{
    connect::{self, Target},
    db::DatabaseUrls,
    error::DbError,
};

/// The roles, in the order of [`Passwords`].
pub const ROLES: [&str; 3] = ["marquee_owner", "marquee_app", "marquee_system"];

/// The passwords of the three roles.
#[derive(Clone, Debug)]
pub struct Passwords {
    /// Of `marquee_owner`.
    pub owner: SecretString,
    /// Of `marquee_app`.
    pub app: SecretString,
    /// Of `marquee_system`.
    pub system: SecretString,
}

impl Passwords {
    /// Three random passwords of 192 bits.
    pub fn random() -> Self {
        let one = || {
            let mut bytes = [0_u8; 24];
            rand::rng().fill(&mut bytes);
            SecretString::from(hex::encode(bytes))
        };
        Self { owner: one(), app: one(), system: one() }
    }

    /// Passwords that follow from the privileged login's own, so that every process which is given that login
    /// finds the same ones. Whoever knows that password may set these anyway. The database's name is not part
    /// of it: roles are the cluster's, and two databases there share them.
    fn derived(privileged: &str) -> Result<Self, DbError> {
        let one = |role: &str| {
            let mut mac = Hmac::<Sha256>::new_from_slice(privileged.as_bytes())
                .map_err(|error| DbError::misuse(format!("the privileged password: {error}")))?;
            mac.update(format!("marquee role password\n{role}").as_bytes());
            Ok::<_, DbError>(SecretString::from(hex::encode(mac.finalize().into_bytes())))
        };
        Ok(Self { owner: one(ROLES[0])?, app: one(ROLES[1])?, system: one(ROLES[2])? })
    }

    fn each(&self) -> [(&'static str, &SecretString); 3] {
        [(ROLES[0], &self.owner), (ROLES[1], &self.app), (ROLES[2], &self.system)]
    }
}

/// Makes the roles with new random passwords (a role that exists gets a new one), and the database if it does
/// not exist; the URLs to use from now on. `privileged` must be a superuser's URL, or one of a login with
/// CREATEROLE and CREATEDB.
pub async fn provision(privileged: &SecretString, database: &str) -> Result<DatabaseUrls, DbError> {
    provision_with(privileged, database, &Passwords::random()).await
}

/// The three logins of the database that a privileged URL names, made if need be: for an operator who gives one
/// URL only. The URL must have a password, and its login must be able to make roles.
pub async fn for_one_login(privileged: &SecretString) -> Result<DatabaseUrls, DbError> {
    let parsed =
        Url::parse(privileged.expose_secret()).map_err(|error| DbError::misuse(error.to_string()))?;
    let Some(password) = parsed.password().filter(|password| !password.is_empty()) else {
        return Err(DbError::misuse(
            "the database URL has no password to make the three roles' passwords from",
        ));
    };
    let database = Target::parse(privileged)?.database().to_owned();
    let passwords = Passwords::derived(password)?;
    provision_with(privileged, &database, &passwords).await
}

/// As [`provision`], with passwords of the caller's choice.
pub async fn provision_with(
    privileged: &SecretString,
    database: &str,
    passwords: &Passwords,
) -> Result<DatabaseUrls, DbError> {
    let tasks = TaskTracker::new();
    let target = Target::parse(privileged)?;
    let client = connect::connect(&target, &tasks).await?;
    make_roles(&client, passwords).await?;
    make_database(privileged, &client, database).await?;
    urls(privileged, database, passwords)
}

/// The three logins on the server of a privileged URL.
pub(crate) fn urls(
    privileged: &SecretString,
    database: &str,
    passwords: &Passwords,
) -> Result<DatabaseUrls, DbError> {
    let [owner, app, system] =
        passwords.each().map(|(role, password)| url_for(privileged, role, password, database));
    Ok(DatabaseUrls { admin: owner?, app: app?, system: system? })
}

async fn make_roles(client: &Client, passwords: &Passwords) -> Result<(), DbError> {
    // One transaction, and a lock against a second provisioner on the same cluster.
    client
        .batch_execute("BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('marquee.provision', 0))")
        .await?;
    client.batch_execute("SET LOCAL password_encryption = 'scram-sha-256'").await?;
    // A statement with a password must not stand in the server's log; only a superuser may say so.
    client
        .batch_execute(
            "DO $$ BEGIN IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN \
             SET LOCAL log_statement = 'none'; SET LOCAL log_min_duration_statement = -1; END IF; END $$",
        )
        .await?;
    for (role, password) in passwords.each() {
        let exists: bool = client
            .query_one("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", &[&role])
            .await?
            .get(0);
        let verb = if exists { "ALTER" } else { "CREATE" };
        client.batch_execute(&role_statement(verb, role, password.expose_secret())).await?;
    }
    client.batch_execute("COMMIT").await?;
    Ok(())
}

fn role_statement(verb: &str, role: &str, password: &str) -> String {
    let password = password.replace('\'', "''");
    format!("{verb} ROLE {role} LOGIN PASSWORD '{password}'")
}

async fn make_database(privileged: &SecretString, client: &Client, database: &str) -> Result<(), DbError> {
    let name = identifier(database);
    let exists: bool = client
        .query_one("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", &[&database])
        .await?
        .get(0);
    // Whoever is no superuser must be a member of the role it gives the database to; only for that moment.
    let for_a_moment = |statement: &str| {
        format!(
            "DO $$ BEGIN IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN \
             EXECUTE format('{statement}', current_user); END IF; END $$"
        )
    };
    client.batch_execute(&for_a_moment("GRANT marquee_owner TO %I")).await?;
    if !exists {
        client
            .batch_execute(&format!(
                "CREATE DATABASE {name} OWNER marquee_owner TEMPLATE template0 ENCODING 'UTF8'"
            ))
            .await?;
    }
    if exists {
        adopt_if_empty(privileged, client, database).await?;
    }
    client.batch_execute(&database_grants(&name)).await?;
    client.batch_execute(&for_a_moment("REVOKE marquee_owner FROM %I")).await?;
    Ok(())
}

/// A database that was made for Marquee and is still empty becomes the owner's; another's tables are left alone,
/// and the migrations then say that they may not create any.
async fn adopt_if_empty(privileged: &SecretString, client: &Client, database: &str) -> Result<(), DbError> {
    let tasks = TaskTracker::new();
    let inside = connect::connect(&Target::parse(privileged)?.with_database(database), &tasks).await?;
    let empty: bool = inside
        .query_one(
            "SELECT NOT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = 'public')",
            &[],
        )
        .await?
        .get(0);
    if empty {
        client
            .batch_execute(&format!("ALTER DATABASE {} OWNER TO marquee_owner", identifier(database)))
            .await?;
    }
    Ok(())
}

pub(crate) fn database_grants(name: &str) -> String {
    format!(
        "REVOKE ALL ON DATABASE {name} FROM PUBLIC; \
         GRANT CONNECT ON DATABASE {name} TO marquee_app, marquee_system"
    )
}

/// What a database administrator runs, as a superuser, where Marquee is not given a privileged login. The
/// passwords are left to fill in.
pub fn roles_sql(database: &str) -> String {
    let name = identifier(database);
    let mut sql = String::from(
        "-- Marquee's three roles: none owns what another may touch, none may become another.\n",
    );
    for role in ROLES {
        sql.push_str(&role_statement("CREATE", role, &format!("choose a password for {role}")));
        sql.push_str(";\n");
    }
    let grants = database_grants(&name).replace("; ", ";\n");
    sql + &format!(
        "CREATE DATABASE {name} OWNER marquee_owner TEMPLATE template0 ENCODING 'UTF8';\n{grants};\n"
    )
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The same server as `privileged`, another login and database.
fn url_for(
    privileged: &SecretString,
    role: &str,
    password: &SecretString,
    database: &str,
) -> Result<SecretString, DbError> {
    let invalid = || {
        DbError::misuse("a privileged database URL must look like postgresql://user:password@host/database")
    };
    let mut url = Url::parse(privileged.expose_secret()).map_err(|_| invalid())?;
    url.set_username(role).map_err(|()| invalid())?;
    url.set_password(Some(password.expose_secret())).map_err(|()| invalid())?;
    url.path_segments_mut().map_err(|()| invalid())?.clear().push(database);
    Ok(SecretString::from(url.to_string()))
}
