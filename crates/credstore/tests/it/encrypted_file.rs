//! The encrypted file against the vectors of another implementation, and against everything that may happen to a file.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use credstore::encrypted_file::{EncryptedFile, EncryptedFileError, FileKey, KeyKind, Sealer, Unlock, is_encrypted};
use credstore::store::file::FileStore;
use credstore::store::unsealing::{FileKeySource, SeenVersions, next_key_file};
use credstore::store::{Fetched, Store, StoreError};
use credstore_protocol::Secret;

use crate::azure_support::NOW;

fn vector(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testing/vectors/encrypted-file");
    std::fs::read(folder.join(name)).unwrap()
}

fn key_of(name: &str, kind: KeyKind) -> Unlock {
    Unlock::of_text(kind, std::str::from_utf8(&vector(name)).unwrap()).unwrap()
}

#[test]
fn files_of_another_implementation_open() {
    for (name, kind) in [("key-file", KeyKind::KeyFile), ("passphrase", KeyKind::Passphrase)] {
        let file = EncryptedFile::parse(&vector(&format!("{name}.sealed"))).unwrap();
        assert_eq!(file.key_kind(), kind);
        let content = file.open(&key_of(&format!("{name}.key"), kind)).unwrap();
        assert_eq!(content.text.trim_end().as_bytes(), vector(&format!("{name}.json")), "{name}");
        assert_eq!(content.next.version(), file.claimed_version());
    }
}

/// Reliability goal C3: every bit and every length. None opens, and none is taken for a file in clear.
#[test]
fn no_changed_byte_and_no_shorter_file_opens() {
    let whole = vector("key-file.sealed");
    let key = key_of("key-file.key", KeyKind::KeyFile);
    let opens = |bytes: &[u8]| EncryptedFile::parse(bytes).and_then(|file| file.open(&key)).is_ok();
    assert!(opens(&whole));
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut changed = whole.clone();
            changed[at] ^= 1 << bit;
            assert!(!opens(&changed), "byte {at} bit {bit}");
        }
        assert!(!opens(&whole[..at]), "length {at}");
    }
    for added in ["\n", " ", "x", "\r\n", "credstore-encrypted-file 1\n"] {
        assert!(!opens(&[&whole[..], added.as_bytes()].concat()));
        assert!(!opens(&[added.as_bytes(), &whole[..]].concat()));
    }
}

#[test]
fn one_spelling_of_a_header_and_no_cheaper_passphrase() {
    let whole = String::from_utf8(vector("passphrase.sealed")).unwrap();
    let malformed = |text: &str| matches!(EncryptedFile::parse(text.as_bytes()), Err(EncryptedFileError::Malformed(_)));
    assert!(!malformed(&whole));
    for (from, to) in [
        ("\"memoryKiB\":65536", "\"memoryKiB\":1024"),
        ("\"memoryKiB\":65536", "\"memoryKiB\":4294967295"),
        ("\"passes\":3", "\"passes\":1"),
        ("\"passes\":3", "\"passes\":1000"),
        ("\"lanes\":1", "\"lanes\":2"),
        ("argon2id", "argon2i"),
        ("AAECAwQFBgcICQoLDA0ODw==", "AAECAwQ="),
        ("\"generation\":1", "\"generation\":01"),
        ("\"generation\":1", "\"generation\": 1"),
        ("\"generation\":1", "\"generation\":1,\"generation\":1"),
        ("\"generation\":1", "\"generation\":1,\"program\":\"sh\""),
        ("\"generation\":1", "\"generation\":-1"),
        ("\"kind\":\"passphrase\"", "\"kind\":\"plugin\""),
        ("5d0c2a8e", "5D0C2A8E"),
        ("\n{", "\r\n{"),
    ] {
        assert!(malformed(&whole.replacen(from, to, 1)), "{from} -> {to}");
    }
    let newer = whole.replacen("file 1", "file 2", 1);
    assert_eq!(EncryptedFile::parse(newer.as_bytes()).unwrap_err(), EncryptedFileError::Newer);
    assert!(is_encrypted(newer.as_bytes()));
    assert_eq!(EncryptedFile::parse(b"{}").unwrap_err(), EncryptedFileError::NotEncrypted);
}

#[test]
fn the_head_of_one_version_does_not_fit_the_text_of_another() {
    let (key, text) = FileKey::random().unwrap();
    let unlock = Unlock::key_file(&text).unwrap();
    let first = Sealer::new(key).seal("{\"A\": \"one\"}").unwrap();
    let opened = EncryptedFile::parse(&first).unwrap().open(&unlock).unwrap();
    let second = opened.next.seal("{\"A\": \"two\"}").unwrap();
    let lines =
        |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap().lines().map(str::to_owned).collect::<Vec<_>>();
    let (one, two) = (lines(&first), lines(&second));
    let mixed = format!("{}\n{}\n{}\n", one[0], two[1], one[2]);
    let error = EncryptedFile::parse(mixed.as_bytes()).unwrap().open(&unlock).unwrap_err();
    assert_eq!(error, EncryptedFileError::Damaged);
    let (_, other) = FileKey::random().unwrap();
    let wrong = EncryptedFile::parse(&second).unwrap().open(&Unlock::key_file(&other).unwrap()).unwrap_err();
    assert_eq!(wrong, EncryptedFileError::WrongKey);
    let passphrase = Unlock::Passphrase(Secret::from(text.to_string()));
    let kind = EncryptedFile::parse(&second).unwrap().open(&passphrase).unwrap_err();
    assert_eq!(kind, EncryptedFileError::OtherKind(KeyKind::KeyFile));
    assert_eq!(EncryptedFile::parse(&second).unwrap().claimed_version().1, 2);
}

#[test]
fn the_size_tells_little_and_two_versions_with_one_text_have_nothing_in_common() {
    let (key, _) = FileKey::random().unwrap();
    let sealer = Sealer::new(key);
    let size = |text: &str| sealer.seal(text).unwrap().len();
    assert_eq!(size("{}"), size(&"x".repeat(1024)));
    assert_ne!(size("{}"), size(&"x".repeat(1025)));
    let (one, two) = (sealer.seal("{}").unwrap(), sealer.seal("{}").unwrap());
    let sealed = |bytes: &[u8]| bytes.split(|byte| *byte == b'\n').nth(2).unwrap().to_vec();
    let (one, two) = (sealed(&one), sealed(&two));
    let same = one.iter().zip(&two).filter(|(one, two)| one == two).count();
    assert!(same < one.len() / 16, "{same} of {} characters are the same", one.len());
}

// ---- the store ----------------------------------------------------------------------------------------------------

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("credstore-sealed-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("credential_store.json")
    }

    fn key(&self) -> PathBuf {
        self.0.join("credential_store.key")
    }

    /// Seals `text` with a new key, and gives what seals the next version.
    fn seal(&self, text: &str) -> Sealer {
        let (key, key_text) = FileKey::random().unwrap();
        write(&self.key(), key_text.as_bytes());
        let sealer = Sealer::new(key);
        write(&self.file(), &sealer.seal(text).unwrap());
        let unlock = Unlock::key_file(&key_text).unwrap();
        EncryptedFile::parse(&std::fs::read(self.file()).unwrap()).unwrap().open(&unlock).unwrap().next
    }

    fn store(&self) -> FileStore {
        FileStore::encrypted(self.file(), FileKeySource::File(self.key()), None)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn write(path: &Path, bytes: &[u8]) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, bytes).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn fetch(store: &FileStore) -> Result<Fetched, StoreError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(store.fetch(&"A".parse().unwrap(), NOW))
}

fn value(store: &FileStore) -> (String, Vec<&'static str>) {
    let fetched = fetch(store).unwrap();
    let codes = fetched.warnings.iter().map(|warning| warning.code.id).collect();
    (fetched.secret.expose_secret().to_owned(), codes)
}

fn code(store: &FileStore) -> &'static str {
    credstore::Diagnosis::from(fetch(store).unwrap_err()).code.id
}

#[test]
fn a_sealed_file_is_a_store_and_is_read_again_when_it_changed() {
    let folder = Folder::new();
    let next = folder.seal("{\"A\": \"one\"}");
    let store = folder.store();
    assert_eq!(value(&store), ("one".to_owned(), vec![]));
    assert_eq!(store.identifiers().unwrap(), ["A"]);
    write(&folder.file(), &next.seal("{\"A\": \"two\"}").unwrap());
    assert_eq!(value(&store), ("two".to_owned(), vec![]));
    // A content that does not open leaves the last good one in force, as with a file in clear.
    write(&folder.file(), b"{\"A\": \"planted in clear\"}");
    assert_eq!(value(&store), ("two".to_owned(), vec!["CS1307"]));
    assert_eq!(code(&folder.store()), "CS1405", "a file in clear is never taken for a sealed one");
    std::fs::remove_file(folder.file()).unwrap();
    assert_eq!(code(&store), "CS1302");
}

#[test]
fn each_thing_that_keeps_a_file_closed_has_its_code() {
    let folder = Folder::new();
    let next = folder.seal("{\"A\": \"one\"}");
    let sealed = std::fs::read(folder.file()).unwrap();
    let key = std::fs::read(folder.key()).unwrap();
    assert_eq!(code(&FileStore::new(folder.file())), "CS1406");
    std::fs::remove_file(folder.key()).unwrap();
    assert_eq!(code(&folder.store()), "CS1401");
    for wrong in [&vector("key-file.key")[..], b"no key", b"\xff"] {
        write(&folder.key(), wrong);
        assert_eq!(code(&folder.store()), "CS1402");
    }
    write(&folder.key(), &key);
    write(&folder.file(), &sealed[..sealed.len() - 5]);
    assert_eq!(code(&folder.store()), "CS1403");
    write(&folder.file(), &vector("passphrase.sealed"));
    assert_eq!(code(&folder.store()), "CS1402", "a key is no passphrase of it");
    write(&folder.file(), &String::from_utf8(sealed.clone()).unwrap().replacen("file 1", "file 9", 1).into_bytes());
    assert_eq!(code(&folder.store()), "CS1404");
    write(&folder.file(), &next.seal("[\"planted\"]").unwrap());
    let error = credstore::Diagnosis::from(fetch(&folder.store()).unwrap_err());
    assert!(error.code.id == "CS1304" && !format!("{error:?}").contains("planted"), "{error:?}");
    write(&folder.file(), &sealed);
    std::fs::set_permissions(folder.key(), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    assert_eq!(value(&folder.store()), ("one".to_owned(), vec!["CS1408"]));
}

#[test]
fn a_key_that_is_being_changed_opens_the_file_before_and_after() {
    let folder = Folder::new();
    let next = folder.seal("{\"A\": \"one\"}");
    let store = folder.store();
    let (key, text) = FileKey::random().unwrap();
    write(&next_key_file(&folder.key()), text.as_bytes());
    assert_eq!(value(&folder.store()).0, "one");
    write(&folder.file(), &next.with_key(key).seal("{\"A\": \"two\"}").unwrap());
    assert_eq!((value(&folder.store()).0, value(&store).0), ("two".to_owned(), "two".to_owned()));
    std::fs::rename(next_key_file(&folder.key()), folder.key()).unwrap();
    assert_eq!(value(&folder.store()), ("two".to_owned(), vec![]));
}

/// A witness in memory.
#[derive(Default)]
struct Seen(Mutex<u64>);

impl SeenVersions for Seen {
    fn newest(&self, _file: uuid::Uuid, generation: u64) -> u64 {
        let mut newest = self.0.lock().unwrap();
        *newest = generation.max(*newest);
        *newest
    }
}

#[test]
fn an_older_version_that_is_put_back_is_told_with_every_read() {
    let folder = Folder::new();
    let next = folder.seal("{\"A\": \"one\"}");
    let old = std::fs::read(folder.file()).unwrap();
    let seen = Arc::new(Seen::default());
    let store = || FileStore::encrypted(folder.file(), FileKeySource::File(folder.key()), Some(seen.clone()));
    let running = store();
    assert_eq!(value(&running), ("one".to_owned(), vec![]));
    write(&folder.file(), &next.seal("{\"A\": \"two\"}").unwrap());
    assert_eq!(value(&running), ("two".to_owned(), vec![]));
    write(&folder.file(), &old);
    for store in [&running, &running, &store()] {
        assert_eq!(value(store), ("one".to_owned(), vec!["CS1407"]));
    }
    // The next change counts on above the newest: it is the newest then.
    write(&folder.file(), &next.above(2).seal("{\"A\": \"three\"}").unwrap());
    assert_eq!(value(&running), ("three".to_owned(), vec![]));
}
