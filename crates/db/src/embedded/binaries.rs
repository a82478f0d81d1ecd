//! Where the server's binaries are, and which of them to use.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::process::Command;

use super::error::EmbeddedError;

/// The least major version. Row level security, `security_invoker` views and the public schema's ownership all
/// are as the migrations expect from here on.
pub const LEAST_MAJOR: u32 = 15;

/// One installed server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Binaries {
    pub major: u32,
    pub version: String,
    pub folder: PathBuf,
}

impl Binaries {
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn described(&self) -> String {
        format!("{} in {}", self.version, self.folder.display())
    }
}

/// The binaries for a cluster: of its own major version if it exists, else the newest.
pub(super) async fn choose(
    explicit: Option<&Path>,
    cluster: &Path,
    cluster_major: Option<u32>,
) -> Result<Binaries, EmbeddedError> {
    let found = match explicit {
        Some(folder) => vec![inspect_explicit(folder).await?],
        None => installed().await,
    };
    let described = || found.iter().map(Binaries::described).collect::<Vec<_>>();
    match cluster_major {
        Some(major) => found.iter().filter(|one| one.major == major).max().cloned().ok_or_else(|| {
            EmbeddedError::WrongVersion {
                cluster: cluster.to_owned(),
                cluster_major: major,
                found: described(),
            }
        }),
        None => found
            .iter()
            .filter(|one| one.major >= LEAST_MAJOR)
            .max()
            .cloned()
            .ok_or_else(|| EmbeddedError::NoBinaries { least: LEAST_MAJOR, found: described() }),
    }
}

async fn inspect_explicit(folder: &Path) -> Result<Binaries, EmbeddedError> {
    let bad =
        |reason: String| EmbeddedError::BadBinaries { folder: folder.to_owned(), least: LEAST_MAJOR, reason };
    let binaries = inspect(folder.to_owned()).await.map_err(|error| bad(error.to_string()))?;
    if binaries.major < LEAST_MAJOR {
        return Err(bad(format!("it is version {}", binaries.version)));
    }
    Ok(binaries)
}

/// What is installed in the usual places, by `pg_config`, and on the search path.
async fn installed() -> Vec<Binaries> {
    let mut folders = Vec::new();
    for (parent, prefix, suffix) in [("/usr/lib/postgresql", "", "bin"), ("/usr", "pgsql-", "bin")] {
        // A parent that does not exist holds no server.
        for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(prefix) {
                folders.push(entry.path().join(suffix));
            }
        }
    }
    folders.extend(said_by("pg_config", &["--bindir"]).await.map(PathBuf::from));
    let on_path = said_by("sh", &["-c", "command -v postgres"]).await;
    folders.extend(
        on_path
            .and_then(|path| fs::canonicalize(path).ok())
            .and_then(|path| path.parent().map(Path::to_owned)),
    );
    let mut found: Vec<Binaries> = Vec::new();
    for folder in folders {
        if let Ok(binaries) = inspect(folder).await
            && !found.contains(&binaries)
        {
            found.push(binaries);
        }
    }
    found
}

/// The one line a program prints, or nothing if there is no such program.
async fn said_by(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stderr(Stdio::null()).output().await.ok()?;
    let line = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !line.is_empty()).then_some(line)
}

async fn inspect(folder: PathBuf) -> io::Result<Binaries> {
    let said = Command::new(folder.join("postgres")).arg("--version").output().await?;
    fs::metadata(folder.join("initdb"))?;
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    let (major, version) = parse_version(&text)
        .ok_or_else(|| io::Error::other(format!("`postgres --version` says {:?}", text.trim())))?;
    Ok(Binaries { major, version, folder })
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`, `… 17beta1`.
fn parse_version(text: &str) -> Option<(u32, String)> {
    let version = text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    Some((digits.parse().ok()?, version.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        let debian = parse_version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n");
        assert_eq!(debian, Some((15, "15.18".to_owned())));
        assert_eq!(parse_version("postgres (PostgreSQL) 19devel").map(|found| found.0), Some(19));
        assert_eq!(parse_version("postgres"), None);
    }
}
