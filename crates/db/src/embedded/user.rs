//! As whom the server runs: as we do, or, where we are root, as someone who is not.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path, process::Stdio};

use tokio::process::Command;

use super::error::EmbeddedError;

/// The user a server's processes run as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ServerUser {
    /// The user this process runs as.
    Same,
    /// Another, because this process runs as root.
    Other { name: String, uid: u32, gid: u32 },
}

impl ServerUser {
    /// The owner of the cluster if there is one, else `postgres`, else `nobody`.
    pub fn choose(cluster: &Path) -> Result<Self, EmbeddedError> {
        let own = rustix::process::geteuid().as_raw();
        let owner = fs::metadata(cluster.join("PG_VERSION")).ok().map(|found| (found.uid(), found.gid()));
        if own != 0 {
            return match owner {
                Some((owner, _)) if owner != own => {
                    Err(EmbeddedError::ForeignCluster { cluster: cluster.to_owned(), owner })
                }
                _ => Ok(Self::Same),
            };
        }
        let users =
            fs::read_to_string("/etc/passwd").map_err(EmbeddedError::file("cannot read", "/etc/passwd"))?;
        let found = match owner {
            Some((uid, gid)) => {
                let name =
                    find(&users, |_, its| its == uid).map_or_else(|| uid.to_string(), |(name, ..)| name);
                Some((name, uid, gid))
            }
            None => find(&users, |name, _| name == "postgres")
                .or_else(|| find(&users, |name, _| name == "nobody")),
        };
        match found {
            Some((name, uid, gid)) if uid != 0 => Ok(Self::Other { name, uid, gid }),
            _ => Err(EmbeddedError::NoUser),
        }
    }

    /// A command that runs as this user, knows nothing of our environment and of our terminal, and holds no
    /// folder.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LC_ALL", "C.UTF-8")
            .current_dir("/")
            .stdin(Stdio::null())
            .process_group(0);
        if let Self::Other { uid, gid, .. } = self {
            // Where the user id changes, std drops the supplementary groups too.
            command.gid(*gid).uid(*uid);
        }
        command
    }

    /// Hands a file or folder to this user.
    pub fn give(&self, path: &Path) -> Result<(), EmbeddedError> {
        match self {
            Self::Same => Ok(()),
            Self::Other { uid, gid, .. } => std::os::unix::fs::chown(path, Some(*uid), Some(*gid))
                .map_err(EmbeddedError::file("cannot change the owner of", path)),
        }
    }

    /// Refuses a folder this user cannot enter, and names the one on the way that is closed.
    pub async fn must_reach(&self, folder: &Path) -> Result<(), EmbeddedError> {
        let Self::Other { name, uid, gid } = self else { return Ok(()) };
        // Asking the system is right where permission bits are not all there is.
        let entered = self
            .command(Path::new("/bin/sh"))
            .args(["-c", "cd -- \"$1\"", "sh"])
            .arg(folder)
            .stderr(Stdio::null())
            .status()
            .await
            .map_err(EmbeddedError::file("cannot run", "/bin/sh"))?;
        if entered.success() {
            return Ok(());
        }
        let mut ancestors: Vec<&Path> = folder.ancestors().collect();
        ancestors.reverse();
        let closed = ancestors.into_iter().find(|path| {
            fs::metadata(path).is_ok_and(|found| {
                let may = if found.uid() == *uid {
                    0o100
                } else if found.gid() == *gid {
                    0o010
                } else {
                    0o001
                };
                found.mode() & may == 0
            })
        });
        Err(EmbeddedError::Untraversable { folder: closed.unwrap_or(folder).to_owned(), user: name.clone() })
    }
}

/// The first user of a passwd file for which `wanted(name, uid)`: name, uid, gid.
fn find(users: &str, wanted: impl Fn(&str, u32) -> bool) -> Option<(String, u32, u32)> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        wanted(name, uid).then(|| (name.to_owned(), uid, gid))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_name_and_number() {
        let users = "root:x:0:0:root:/root:/bin/sh\npostgres:x:101:104::/var/lib/postgresql:/bin/sh\n";
        assert_eq!(find(users, |name, _| name == "postgres"), Some(("postgres".to_owned(), 101, 104)));
        assert_eq!(find(users, |_, uid| uid == 0).map(|user| user.0), Some("root".to_owned()));
        assert_eq!(find(users, |name, _| name == "nobody"), None);
    }
}
