//! `credential_store.json`, as somebody may have written it.

use std::path::PathBuf;
use std::sync::OnceLock;

use credstore::store::file::{FileStore, check};

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
}
