//! Where the server is and who asks: the credentials file, the environment and the flags.
//!
//! The file holds one context for each server, `contexts.NAME`, and is readable by its owner only. A token is sent
//! to the server it was issued by and to no other: naming another server on the command line leaves the stored
//! token at home.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use clap::ArgMatches;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{failure::Failure, surroundings::Surroundings};

/// Where `marquee demo` and the examples listen.
pub const DEFAULT_URL: &str = "http://127.0.0.1:7300";

const DEFAULT_CONTEXT: &str = "default";

/// The credentials file.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// The context that holds when none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    /// The contexts by name.
    #[serde(default)]
    pub contexts: BTreeMap<String, Context>,
}

/// One server and who one is there.
#[derive(Default, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// Where the server is.
    pub url: String,
    /// The session token or API key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// As whom, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Until when the token is good, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// A file of certificates that are trusted besides the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_certificate: Option<PathBuf>,
}

/// What holds for one command.
pub struct Connection {
    /// Where the server is.
    pub url: Url,
    /// Who asks, if known.
    pub token: Option<SecretString>,
    /// Certificates that are trusted besides the system's.
    pub ca_certificate: Option<PathBuf>,
    /// The name under which a login is stored.
    pub context: String,
    /// Said to the person where it matters: why a stored token was not used.
    pub remark: Option<String>,
}

impl Connection {
    /// From the flags, then the environment, then the file.
    pub fn resolve(matches: &ArgMatches, surroundings: &Surroundings) -> Result<Self, Failure> {
        let file = File::load(surroundings)?;
        let flag = |name: &str| matches.try_get_one::<String>(name).ok().flatten().cloned();
        let named = flag("context").or_else(|| surroundings.set_variable("MARQUEE_CONTEXT"));
        let context =
            named.clone().or_else(|| file.current.clone()).unwrap_or_else(|| DEFAULT_CONTEXT.into());
        let stored = file.contexts.get(&context).cloned();
        let asked = flag("url").or_else(|| surroundings.set_variable("MARQUEE_URL"));
        if let (Some(name), None, None) = (&named, &stored, &asked) {
            return Err(Failure::Usage(unknown_context(name, &file)));
        }
        let text =
            asked.or_else(|| stored.as_ref().map(|s| s.url.clone())).unwrap_or_else(|| DEFAULT_URL.into());
        let url = parse_url(&text)?;
        let own = stored.filter(|stored| parse_url(&stored.url).is_ok_and(|of| of.origin() == url.origin()));
        let by_url = || {
            let same = |c: &&Context| parse_url(&c.url).is_ok_and(|of| of.origin() == url.origin());
            if named.is_some() { None } else { file.contexts.values().find(same).cloned() }
        };
        let stored = own.or_else(by_url);
        let remark = match &stored {
            None if !file.contexts.is_empty() => Some(format!("none of the stored logins is for {url}")),
            _ => None,
        };
        let certificate =
            flag("ca-certificate").or_else(|| surroundings.set_variable("MARQUEE_CA_CERTIFICATE"));
        let token = surroundings.set_variable("MARQUEE_TOKEN");
        Ok(Self {
            token: token.or_else(|| stored.as_ref()?.token.clone()).map(SecretString::from),
            ca_certificate: certificate
                .map(PathBuf::from)
                .or_else(|| stored.as_ref()?.ca_certificate.clone()),
            url,
            context,
            remark,
        })
    }
}

fn unknown_context(name: &str, file: &File) -> String {
    let known: Vec<&str> = file.contexts.keys().map(String::as_str).collect();
    let known = if known.is_empty() {
        "none is stored yet".to_owned()
    } else {
        format!("there is {}", known.join(", "))
    };
    format!("there is no context `{name}`; {known}. `marquee login --context {name} --url URL` makes it")
}

/// An `http` or `https` URL, without anything after the path.
pub fn parse_url(text: &str) -> Result<Url, Failure> {
    if text.contains('@') {
        return Err(Failure::Usage("a URL must not carry a user or password; use `marquee login`".into()));
    }
    let wrong = |why: &str| Failure::Usage(format!("`{text}` is not the URL of a server: {why}"));
    let mut url =
        Url::parse(text).map_err(|error| wrong(&format!("{error}; it looks like {DEFAULT_URL}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("it must begin with http:// or https://"));
    }
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}

impl File {
    /// Reads the file; one that does not exist is empty.
    pub fn load(surroundings: &Surroundings) -> Result<Self, Failure> {
        let Some(path) = path(surroundings) else { return Ok(Self::default()) };
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(Failure::Local(format!("cannot read {}: {error}", path.display()))),
        };
        refuse_if_readable_by_others(&path)?;
        // The parser's own message may quote what stands there, and what stands there may be a token.
        toml::from_str(&text).map_err(|error: toml::de::Error| {
            let line =
                error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            Failure::Local(format!("{}, line {line}: not understood", path.display()))
        })
    }

    /// Writes the file whole, so that a crash leaves the old one.
    pub fn save(&self, surroundings: &Surroundings) -> Result<PathBuf, Failure> {
        let Some(path) = path(surroundings) else {
            return Err(Failure::Local(
                "no home folder to keep the login in: set HOME or XDG_CONFIG_HOME".into(),
            ));
        };
        let failed = |error: io::Error| Failure::Local(format!("cannot write {}: {error}", path.display()));
        let text = toml::to_string(self).map_err(|error| Failure::Local(error.to_string()))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(failed)?;
        let draft = folder.join(format!(".credentials.{}.toml", std::process::id()));
        let written = write_private(&draft, text.as_bytes()).and_then(|()| fs::rename(&draft, &path));
        if written.is_err() {
            drop(fs::remove_file(&draft));
        }
        written.map_err(failed).map(|()| path.clone())
    }
}

/// `$XDG_CONFIG_HOME/marquee/credentials.toml`, or the same under `~/.config` (or `%APPDATA%`).
fn path(surroundings: &Surroundings) -> Option<PathBuf> {
    let base = surroundings.set_variable("XDG_CONFIG_HOME").map(PathBuf::from).filter(|p| p.is_absolute());
    let home = || surroundings.set_variable("HOME").map(|home| Path::new(&home).join(".config"));
    let base = base.or_else(home).or_else(|| surroundings.set_variable("APPDATA").map(PathBuf::from))?;
    Some(base.join("marquee").join("credentials.toml"))
}

#[cfg(unix)]
fn refuse_if_readable_by_others(path: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt;
    let failed = |error: io::Error| Failure::Local(format!("cannot read {}: {error}", path.display()));
    let mode = fs::metadata(path).map_err(failed)?.permissions().mode();
    if mode.trailing_zeros() >= 6 {
        return Ok(());
    }
    let shown = path.display();
    Err(Failure::Local(format!("{shown} holds secrets and others may read it; run: chmod 600 {shown}")))
}

#[cfg(not(unix))]
fn refuse_if_readable_by_others(_: &Path) -> Result<(), Failure> {
    Ok(())
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Keeps a login under a context and makes it the current one.
pub fn remember(surroundings: &Surroundings, name: &str, context: Context) -> Result<PathBuf, Failure> {
    let mut file = File::load(surroundings)?;
    file.contexts.insert(name.to_owned(), context);
    file.current = Some(name.to_owned());
    file.save(surroundings)
}

/// Forgets the token of a context, if it is this one.
pub fn forget(surroundings: &Surroundings, name: &str, token: &SecretString) -> Result<bool, Failure> {
    let mut file = File::load(surroundings)?;
    let Some(context) = file.contexts.get_mut(name) else { return Ok(false) };
    if context.token.as_deref() != Some(token.expose_secret()) {
        return Ok(false);
    }
    context.token = None;
    context.expires_at = None;
    file.save(surroundings).map(|_| true)
}
