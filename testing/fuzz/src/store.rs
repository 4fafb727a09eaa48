//! `credential_store.json`, in clear and sealed, as somebody may have written it.

use std::path::PathBuf;
use std::sync::OnceLock;

use credstore::encrypted_file::{EncryptedFile, Unlock, is_encrypted};
use credstore::store::file::{FileStore, check, identifiers_in};
use credstore::store::file_edit::{remove_password, set_password};
use credstore_protocol::Secret;

static FILE: OnceLock<PathBuf> = OnceLock::new();

/// Any file is checked and listed; one that cannot be listed has an error to show for it. Not the other way round: the
/// names are there although a password is empty.
pub(crate) fn credential_store(bytes: &[u8]) {
    let file = FILE.get_or_init(|| std::env::temp_dir().join(format!("credstore-fuzz-{}.json", std::process::id())));
    std::fs::write(file, bytes).expect("a file in the temporary folder");
    let findings = check(file);
    let usable = FileStore::new(file).identifiers();
    let errors = findings.iter().any(|finding| finding.severity == credstore::diagnosis::Severity::Error);
    assert!(usable.is_ok() || errors, "{findings:?}");
    if let Ok(text) = std::str::from_utf8(bytes) {
        changed(text);
    }
}

/// A text that can be changed has the same entries afterwards, and the changed one.
fn changed(text: &str) {
    let path = std::path::Path::new("credential_store.json");
    let identifier = "Added".parse().expect("an identifier");
    let password = Secret::from("p\";\\\u{1}w".to_owned());
    let Ok((with, _)) = set_password(text, path, &identifier, &password) else { return };
    let mut names = identifiers_in(&with, path).expect("a changed file is one as before");
    assert!(names.iter().any(|name| name == "Added"));
    let (without, _) = remove_password(&with, path, &identifier).expect("what was added can be removed");
    names.retain(|name| name != "Added");
    assert_eq!(identifiers_in(&without, path).expect("the rest stays"), names);
}

/// No input opens: the key has sealed nothing.
pub(crate) fn encrypted_file(bytes: &[u8]) {
    let file = EncryptedFile::parse(bytes);
    assert!(file.is_err() || is_encrypted(bytes));
    let key = Unlock::key_file("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHiA=").expect("a key");
    if let Ok(file) = file {
        assert!(file.open(&key).is_err());
    }
}
