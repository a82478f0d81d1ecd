//! Planted secrets, and the search for them in everything that leaves the server: logs, answers, metrics, and a
//! dump of the database.

use std::fmt::Write as _;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};

/// A secret that must not be seen, with a name for the failure's message.
#[derive(Debug, Clone)]
pub struct Canary {
    /// What it stands for, e.g. `the password of ana`.
    pub name: String,
    spellings: Vec<Vec<u8>>,
}

/// Where a canary was found.
#[derive(Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The canary's name.
    pub name: String,
    /// What stood around it.
    pub context: String,
}

impl Canary {
    /// A secret of at least 8 bytes, looked for as it is, in hexadecimal, in base64, percent-encoded, and as
    /// JSON would escape it.
    pub fn new(name: impl Into<String>, secret: &str) -> Self {
        assert!(secret.len() >= 8, "a short secret would be found by chance");
        let bytes = secret.as_bytes();
        let json = serde_json::Value::from(secret).to_string();
        // The last group of base64 depends on what follows, so only the whole groups are looked for.
        let whole = &bytes[..bytes.len() / 3 * 3];
        let mut spellings = vec![
            bytes.to_vec(),
            hex::encode(bytes).into_bytes(),
            hex::encode_upper(bytes).into_bytes(),
            STANDARD.encode(whole).into_bytes(),
            URL_SAFE_NO_PAD.encode(whole).into_bytes(),
            form_urlencoded::byte_serialize(bytes).collect::<String>().into_bytes(),
            json.trim_matches('"').as_bytes().to_vec(),
        ];
        spellings.sort();
        spellings.dedup();
        Self { name: name.into(), spellings }
    }

    /// A fresh secret that occurs nowhere by chance, and its canary.
    pub fn plant(name: impl Into<String>) -> (String, Self) {
        let secret = format!("canary-{}", uuid::Uuid::now_v7().as_simple());
        let canary = Self::new(name, &secret);
        (secret, canary)
    }
}

/// Every place where one of the canaries shows.
pub fn search(canaries: &[Canary], text: impl AsRef<[u8]>) -> Vec<Sighting> {
    let text = text.as_ref();
    let mut sightings = Vec::new();
    for canary in canaries {
        let found = canary.spellings.iter().find_map(|spelling| {
            text.windows(spelling.len()).position(|window| window == spelling).map(|at| (at, spelling.len()))
        });
        if let Some((at, length)) = found {
            let around = at.saturating_sub(60)..text.len().min(at + length + 20);
            let context = String::from_utf8_lossy(&text[around]).into_owned();
            sightings.push(Sighting { name: canary.name.clone(), context });
        }
    }
    sightings
}

/// Fails if a canary shows in `text`, which is called `place` in the message.
#[track_caller]
pub fn assert_unseen(canaries: &[Canary], place: &str, text: impl AsRef<[u8]>) {
    let sightings = search(canaries, text);
    assert!(sightings.is_empty(), "secrets seen in {place}: {sightings:#?}");
}

/// Every row of every table as text, as a superuser sees it: what a stolen backup would show.
pub async fn dump(database: &marquee_db::testing::TestDb) -> String {
    let client = database.superuser().await;
    let tables = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
                   WHERE schemaname NOT IN ('pg_catalog', 'information_schema')";
    let mut text = String::new();
    for row in client.query(tables, &[]).await.unwrap() {
        let table: String = row.get(0);
        for row in client.query(&format!("SELECT t::text FROM {table} t"), &[]).await.unwrap() {
            writeln!(text, "{table} {}", row.get::<_, String>(0)).unwrap();
        }
    }
    text
}

#[test]
fn a_canary_is_found_in_any_dress() {
    let (secret, canary) = Canary::plant("test");
    let canaries = [canary];
    let dresses = [
        format!("password={secret}&x"),
        hex::encode(&secret),
        STANDARD.encode(format!("{secret}:tail")),
        format!("\\x{}", hex::encode(&secret)),
    ];
    for text in dresses {
        assert_eq!(search(&canaries, &text).len(), 1, "{text}");
    }
    assert!(search(&canaries, "canary-nothing to see").is_empty());
}
