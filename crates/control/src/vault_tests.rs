//! The vault under attack: whatever is changed or moved, nothing opens.

use proptest::prelude::*;

use super::*;

fn vault() -> Vault {
    Vault::load(KeySource::Value { name: "TEST_KEY".into(), value: key_line(7).into() }).unwrap()
}

fn key_line(byte: u8) -> String {
    BASE64.encode([byte; 32])
}

fn organization(byte: u8) -> OrganizationId {
    OrganizationId::from_parts(1, [byte; 10])
}

fn binding() -> Binding {
    Binding::new("provider_credentials", organization(1))
        .with("provider", "prv_1")
        .with("kind", "aws")
        .with("endpoint", "")
}

/// A folder of its own under the system's temporary folder, removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("marquee-vault-{}", uuid::Uuid::now_v7().as_simple()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

proptest! {
    #[test]
    fn what_is_sealed_opens_again(secret in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let sealed = vault().seal(&binding(), &secret).unwrap();
        let opened = vault().open(&binding(), &sealed).unwrap();
        prop_assert_eq!(opened.expose_secret(), secret.as_slice());
        prop_assert!(secret.len() < 16 || !sealed.ciphertext.windows(secret.len()).any(|w| w == secret));
    }

    #[test]
    fn one_flipped_bit_anywhere_opens_nothing(field in 0..3_usize, at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let mut sealed = vault().seal(&binding(), b"AKIA secret").unwrap();
        let bytes = match field {
            0 => &mut sealed.wrapped_key,
            1 => &mut sealed.nonce,
            _ => &mut sealed.ciphertext,
        };
        let index = at.index(bytes.len());
        bytes[index] ^= 1 << bit;
        let tampered = matches!(vault().open(&binding(), &sealed), Err(VaultError::Tampered { .. }));
        prop_assert!(tampered);
    }

    #[test]
    fn a_shortened_or_lengthened_part_opens_nothing(field in 0..3_usize, length in 0..120_usize) {
        let mut sealed = vault().seal(&binding(), b"AKIA secret").unwrap();
        let bytes = match field {
            0 => &mut sealed.wrapped_key,
            1 => &mut sealed.nonce,
            _ => &mut sealed.ciphertext,
        };
        prop_assume!(length != bytes.len());
        bytes.resize(length, 0);
        prop_assert!(vault().open(&binding(), &sealed).is_err());
    }

    #[test]
    fn another_binding_opens_nothing(provider in "[a-z_0-9]{0,8}", endpoint in "[a-z:/.]{0,12}", org in 0..3_u8, kind in "aws|azure") {
        let other = Binding::new("provider_credentials", organization(org))
            .with("provider", provider)
            .with("kind", kind)
            .with("endpoint", endpoint);
        let sealed = vault().seal(&binding(), b"AKIA secret").unwrap();
        prop_assert_eq!(vault().open(&other, &sealed).is_ok(), other.bytes(1).unwrap() == binding().bytes(1).unwrap());
    }

    /// Moving a character from one field to its neighbour must not give the same bytes.
    #[test]
    fn bindings_that_differ_have_different_bytes(a in "[ab]{0,3}", b in "[ab]{0,3}", c in "[ab]{0,3}", d in "[ab]{0,3}") {
        let one = Binding::new("p", organization(1)).with("x", a.clone()).with("y", b.clone());
        let two = Binding::new("p", organization(1)).with("x", c.clone()).with("y", d.clone());
        prop_assert_eq!(one.bytes(1).unwrap() == two.bytes(1).unwrap(), (a, b) == (c, d));
    }
}

#[test]
fn the_order_of_fields_does_not_matter_but_their_presence_does() {
    let sealed = vault().seal(&binding(), b"x").unwrap();
    let reordered = Binding::new("provider_credentials", organization(1))
        .with("endpoint", "")
        .with("kind", "aws")
        .with("provider", "prv_1");
    assert!(vault().open(&reordered, &sealed).is_ok());
    let fewer =
        Binding::new("provider_credentials", organization(1)).with("kind", "aws").with("provider", "prv_1");
    assert!(vault().open(&fewer, &sealed).is_err());
    let purpose = Binding { purpose: "webhook_secret", ..binding() };
    assert!(vault().open(&purpose, &sealed).is_err());
}

#[test]
fn a_data_key_is_never_used_twice_and_parts_cannot_be_swapped() {
    let (one, two) = (vault().seal(&binding(), b"one").unwrap(), vault().seal(&binding(), b"one").unwrap());
    assert_ne!(one.wrapped_key, two.wrapped_key);
    assert_ne!(one.ciphertext, two.ciphertext);
    let mixed = Sealed { wrapped_key: two.wrapped_key, ..one };
    assert!(vault().open(&binding(), &mixed).is_err());
}

#[test]
fn a_second_line_still_opens_and_the_first_seals() {
    let old = vault();
    let sealed = old.seal(&binding(), b"x").unwrap();
    let value = format!("# new\n{}\n\n{}\n", key_line(8), key_line(7));
    let rotated = Vault::load(KeySource::Value { name: "TEST_KEY".into(), value: value.into() }).unwrap();
    assert_ne!(rotated.sealing_key(), old.sealing_key());
    assert!(rotated.open(&binding(), &sealed).is_ok());
    assert!(rotated.has_key(&sealed.key_id));
}

#[test]
fn a_missing_key_is_named_with_those_that_are_there() {
    let sealed = vault().seal(&binding(), b"x").unwrap();
    let other = Vault::load(KeySource::Value { name: "TEST_KEY".into(), value: key_line(9).into() }).unwrap();
    let message = other.open(&binding(), &sealed).unwrap_err().to_string();
    assert!(message.contains(&sealed.key_id) && message.contains(other.sealing_key().as_str()), "{message}");
    assert!(message.contains("TEST_KEY"), "{message}");
}

#[test]
fn a_layout_from_the_future_is_refused() {
    let mut sealed = vault().seal(&binding(), b"x").unwrap();
    sealed.binding_version = 2;
    assert!(matches!(vault().open(&binding(), &sealed), Err(VaultError::UnknownLayout(2))));
}

#[test]
fn broken_sources_say_what_is_wrong_and_never_show_the_key() {
    let load = |text: &str| {
        Vault::load(KeySource::Value { name: "TEST_KEY".into(), value: text.into() }).unwrap_err().to_string()
    };
    assert!(load("# only a comment\n").contains("no encryption key in TEST_KEY"));
    let short = BASE64.encode([1; 31]);
    let message = load(&format!("{}\n{short}", key_line(1)));
    assert!(message.contains("line 2 of TEST_KEY") && !message.contains(&short), "{message}");
}

#[test]
fn the_key_file_is_made_once_for_its_owner_alone() {
    let folder = Folder::new();
    let path = folder.0.join("keys").join("encryption.key");
    let source = KeySource::File { path: path.clone(), create: true };
    let first = Vault::load(source.clone()).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(folder.0.join("keys")).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(std::fs::read_dir(folder.0.join("keys")).unwrap().count(), 1, "the draft is gone");
    let second = Vault::load(source).unwrap();
    assert_eq!(first.sealing_key(), second.sealing_key());
}

#[test]
fn servers_that_start_at_once_share_one_key() {
    let folder = Folder::new();
    let path = folder.0.join("keys").join("encryption.key");
    let ids: Vec<_> = std::thread::scope(|scope| {
        let servers: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| Vault::load(KeySource::File { path: path.clone(), create: true }).unwrap())
            })
            .collect();
        servers.into_iter().map(|server| server.join().unwrap().sealing_key().clone()).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]));
}

#[test]
fn a_missing_or_readable_file_is_refused_with_what_to_do() {
    let folder = Folder::new();
    let path = folder.0.join("encryption.key");
    let source = KeySource::File { path: path.clone(), create: false };
    assert!(matches!(Vault::load(source.clone()), Err(VaultError::Missing { .. })));
    std::fs::write(&path, key_line(1)).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let message = Vault::load(source).unwrap_err().to_string();
    assert!(message.contains("chmod 600") && message.contains("640"), "{message}");
}

#[test]
fn fingerprints_are_the_same_in_every_process_and_are_not_the_key() {
    assert_eq!(vault().fingerprint_key(), vault().fingerprint_key());
    assert_ne!(vault().fingerprint_key(), [7; 32]);
}

#[test]
fn nothing_secret_is_printed() {
    let sealed = vault().seal(&binding(), b"hunter2hunter2").unwrap();
    let printed = format!("{:?} {sealed:?} {:?}", vault(), vault().open(&binding(), &sealed).unwrap());
    assert!(!printed.contains("hunter2") && !printed.contains(&key_line(7)), "{printed}");
}
