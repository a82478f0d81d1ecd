//! The files beside the cluster: the lock, what a running server says of itself, and the passwords.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::error::EmbeddedError;
use crate::provision::Passwords;

/// The names of everything in a data folder that is ours.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub folder: PathBuf,
}

impl Layout {
    pub fn cluster(&self) -> PathBuf {
        self.folder.join("postgres")
    }
    pub fn unfinished_cluster(&self) -> PathBuf {
        self.folder.join("postgres.new")
    }
    pub fn lock(&self) -> PathBuf {
        self.folder.join("server.lock")
    }
    pub fn runtime(&self) -> PathBuf {
        self.folder.join("runtime.json")
    }
    pub fn secrets(&self) -> PathBuf {
        self.folder.join("postgres.json")
    }
    pub fn startup_log(&self) -> PathBuf {
        self.folder.join("postgres-startup.log")
    }

    /// Makes the data folder if it does not exist. Others may pass through it, because the database may run as
    /// another user than Marquee; they cannot list it.
    pub fn open(folder: &Path) -> Result<Self, EmbeddedError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o711)
            .create(folder)
            .map_err(EmbeddedError::file("cannot make the data folder", folder))?;
        let folder =
            fs::canonicalize(folder).map_err(EmbeddedError::file("cannot find the data folder", folder))?;
        Ok(Self { folder })
    }
}

/// Held by the process that serves the folder; the system lets go of it when that process ends, however it ends.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    pub fn take(layout: &Layout) -> Result<Self, EmbeddedError> {
        let path = layout.lock();
        let failed = |what| EmbeddedError::file(what, &path);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed("cannot open"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(EmbeddedError::AlreadyRunning {
                    folder: layout.folder.clone(),
                    pid: holder(layout),
                });
            }
            Err(TryLockError::Error(error)) => return Err(failed("cannot lock")(error)),
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| write!(file, "{}", std::process::id()))
            .map_err(EmbeddedError::file("cannot write", &path))?;
        Ok(Self(file))
    }

    /// Lets go of it. Dropping does the same, but cannot say if it failed.
    pub fn release(self) -> std::io::Result<()> {
        self.0.unlock()
    }
}

/// The process that holds the lock, if it has said so yet.
pub(super) fn holder(layout: &Layout) -> Option<u32> {
    let mut text = String::new();
    File::open(layout.lock()).ok()?.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// How another process reaches the server: `runtime.json`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Runtime {
    /// The Marquee that serves the folder.
    pub pid: u32,
    /// The folder of the socket.
    pub socket: PathBuf,
    pub database: String,
    /// owner, app, system.
    pub roles: [String; 3],
    /// The file with their passwords.
    pub secrets: PathBuf,
}

/// The passwords: `postgres.json`.
#[derive(Serialize, Deserialize)]
pub(super) struct Secrets {
    superuser: String,
    owner: String,
    app: String,
    system: String,
    /// Whether the roles and the database exist.
    pub provisioned: bool,
}

impl Secrets {
    pub fn new() -> Self {
        let passwords = Passwords::random();
        let text = |secret: &SecretString| secret.expose_secret().to_owned();
        Self {
            superuser: text(&Passwords::random().owner),
            owner: text(&passwords.owner),
            app: text(&passwords.app),
            system: text(&passwords.system),
            provisioned: false,
        }
    }

    pub fn superuser(&self) -> SecretString {
        SecretString::from(self.superuser.clone())
    }

    pub fn passwords(&self) -> Passwords {
        let secret = |text: &String| SecretString::from(text.clone());
        Passwords { owner: secret(&self.owner), app: secret(&self.app), system: secret(&self.system) }
    }
}

/// Reads a JSON file; `None` if there is none.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, EmbeddedError> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| EmbeddedError::file("cannot understand", path)(error.into())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(EmbeddedError::file("cannot read", path)(error)),
    }
}

/// Writes a JSON file that only its owner can read, whole or not at all.
pub(super) fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), EmbeddedError> {
    let write = || {
        let folder = path.parent().unwrap_or(Path::new("."));
        // Made with 0600, and given its name when it is complete and on disk.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer_pretty(&mut file, value)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        File::open(folder)?.sync_all()
    };
    write().map_err(EmbeddedError::file("cannot write", path))
}

/// Removes a file or an empty folder that may not exist.
pub(super) fn remove(path: &Path) -> Result<(), EmbeddedError> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(EmbeddedError::file("cannot remove", path)(error))
        }
        _ => Ok(()),
    }
}
