//! The file store: what it gives, what it refuses, and what happens when its file changes under it.

use std::fs;
use std::future::Future;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};

use credstore::Diagnosis;
use credstore::protocol::Timestamp;
use credstore::store::file::{FileStore, STORE_FILE_MAX, check};
use credstore::store::{Fetched, Store, StoreError};

const NOW: Timestamp = Timestamp(1_800_000_000);

/// A folder of its own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("credstore-file-store-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("credential_store.json")
    }

    fn write(&self, text: &str) -> FileStore {
        write(&self.file(), text.as_bytes());
        FileStore::new(self.file())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn fetch(store: &FileStore, identifier: &str) -> Result<Fetched, StoreError> {
    let identifier = identifier.parse().unwrap();
    let mut fetching = pin!(store.fetch(&identifier, NOW));
    match fetching.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the file store never waits"),
    }
}

fn value(store: &FileStore, identifier: &str) -> String {
    let fetched = fetch(store, identifier).unwrap();
    assert!(fetched.warnings.is_empty(), "{:?}", fetched.warnings);
    fetched.secret.expose_secret().to_owned()
}

fn refusal(store: &FileStore, identifier: &str) -> Diagnosis {
    fetch(store, identifier).unwrap_err().into()
}

fn codes(findings: &[Diagnosis]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.code.id).collect()
}

#[test]
fn values_are_given_exactly_and_only_for_the_exact_identifier() {
    let folder = Folder::new();
    let store = folder.write(
        "\u{FEFF}{\"passwordIdentifier\": \"^(!_><%~$] \", \"escaped\": \"a\\\"b\\\\c\\u00fc\\n d\", \"ö\": \"x\"}",
    );
    assert_eq!(value(&store, "passwordIdentifier"), "^(!_><%~$] ");
    assert_eq!(value(&store, "escaped"), "a\"b\\cü\n d");
    assert_eq!(value(&store, "ö"), "x");
    assert_eq!(refusal(&store, "PasswordIdentifier").code.id, "CS2004");
    assert_eq!(store.identifiers().unwrap(), ["escaped", "passwordIdentifier", "ö"]);
    assert_eq!(store.describe(), "credential_store.json");
}

#[test]
fn an_unknown_identifier_is_told_with_the_nearest_one_and_the_count() {
    let folder = Folder::new();
    let store = folder.write("{\"SapHanaExtract\": \"planted\", \"SmtpRelay\": \"planted\"}");
    let error = refusal(&store, "SapHanaExtrct");
    assert_eq!(error.message, "there is no identifier SapHanaExtrct");
    assert_eq!(error.cause.as_deref(), Some("not in credential_store.json (2 identifiers looked at)"));
    assert_eq!(error.fix, ["did you mean SapHanaExtract?   list all: credstore list"]);
    assert_eq!(error.code.exit as u8, 6);
    assert!(!format!("{error:?}").contains("planted"));
}

#[test]
fn an_empty_password_is_refused_and_a_final_newline_is_a_warning() {
    let folder = Folder::new();
    let store = folder.write("{\"Empty\": \"\", \"Newline\": \"x\\n\"}");
    assert_eq!(refusal(&store, "Empty").code.id, "CS2005");
    let fetched = fetch(&store, "Newline").unwrap();
    assert_eq!(fetched.secret.expose_secret(), "x\n");
    assert_eq!(codes(&fetched.warnings), ["CS2006"]);
}

#[test]
fn a_changed_file_is_read_again_without_a_restart() {
    let folder = Folder::new();
    let store = folder.write("{\"A\": \"one\"}");
    assert_eq!(value(&store, "A"), "one");
    // The same length, put in place by renaming as editors do: told by the inode.
    write(&folder.0.join("new"), b"{\"A\": \"two\"}");
    fs::rename(folder.0.join("new"), folder.file()).unwrap();
    assert_eq!(value(&store, "A"), "two");
    write(&folder.file(), b"{\"B\": \"three\"}");
    assert_eq!(refusal(&store, "A").code.id, "CS2004");
    assert_eq!(value(&store, "B"), "three");
}

#[test]
fn a_broken_edit_keeps_the_last_good_content_and_says_so_each_time() {
    let folder = Folder::new();
    let store = folder.write("{\"A\": \"one\"}");
    assert_eq!(value(&store, "A"), "one");
    write(&folder.file(), b"{\"A\": \"planted\"\n \"B\": \"planted\"}");
    for _ in 0..2 {
        let fetched = fetch(&store, "A").unwrap();
        assert_eq!(fetched.secret.expose_secret(), "one");
        assert_eq!(codes(&fetched.warnings), ["CS1307"]);
        let shown = format!("{:?}", fetched.warnings);
        assert!(shown.contains("CS1003") && shown.contains("line 1") && !shown.contains("planted"), "{shown}");
    }
    write(&folder.file(), b"{\"A\": \"mended\"}");
    assert_eq!(value(&store, "A"), "mended");
}

#[test]
fn a_file_that_is_gone_or_closed_is_an_error_even_after_it_was_read() {
    let folder = Folder::new();
    let store = folder.write("{\"A\": \"one\"}");
    assert_eq!(value(&store, "A"), "one");
    fs::remove_file(folder.file()).unwrap();
    assert_eq!(refusal(&store, "A").code.id, "CS1302");
    assert_eq!(codes(&check(&folder.file())), ["CS1302"]);
    let under_a_file = folder.0.join("file/credential_store.json");
    fs::write(folder.0.join("file"), "").unwrap();
    let error = refusal(&FileStore::new(under_a_file), "A");
    assert_eq!((error.code.id, error.code.exit as u8), ("CS1303", 5));
}

#[test]
fn every_wrong_form_is_refused_without_showing_the_text() {
    let folder = Folder::new();
    for (text, code) in [
        ("", "CS1020"),
        ("[\"planted\"]", "CS1304"),
        ("{\"A\": 12}", "CS1304"),
        ("{\"A\": {\"Username\": \"u\", \"Password\": \"planted\"}}", "CS1304"),
        ("{\"A\": [\"planted\"]}", "CS1304"),
        ("{\"A\": null}", "CS1304"),
        ("{\"A\": \"planted\", \"A\": \"planted\"}", "CS1012"),
        ("{\"A\": \"planted\",}", "CS1004"),
        ("{\"A\": 'planted'}", "CS1006"),
        ("{\"A\": planted}", "CS1015"),
        ("{\"A\": \"planted}", "CS1010"),
        ("{\"A\": <planted>}", "CS1016"),
        ("{\"A\": \"\\planted\"}", "CS1019"),
        ("{\"A\": \"planted\"} planted", "CS1021"),
        ("{\"A\": \"plan\tted\"}", "CS1013"),
    ] {
        let store = folder.write(text);
        let error = refusal(&store, "A");
        assert_eq!(error.code.id, code, "{text}");
        assert!(!format!("{error:?} {error}").contains("planted"), "{text}: {error:?}");
        let place = error.place.unwrap();
        assert_eq!((place.span, error.edit), (None, None), "{text}");
        assert!(place.line.is_some() && place.file.is_some(), "{text}");
        let findings = check(&folder.file());
        assert!(codes(&findings).contains(&code) && !format!("{findings:?}").contains("planted"), "{text}");
    }
    write(&folder.file(), b"{\"A\": \"\xFF\"}");
    assert_eq!(refusal(&FileStore::new(folder.file()), "A").code.id, "CS1014");
}

#[test]
fn a_file_that_others_may_read_is_used_with_a_warning() {
    let folder = Folder::new();
    let store = folder.write("{\"A\": \"one\"}");
    for (mode, shown) in [(0o644, "0644"), (0o640, "0640"), (0o602, "0602")] {
        fs::set_permissions(folder.file(), fs::Permissions::from_mode(mode)).unwrap();
        let fetched = fetch(&store, "A").unwrap();
        assert_eq!(codes(&fetched.warnings), ["CS1305"]);
        assert_eq!(
            fetched.warnings[0].message,
            format!("credential_store.json holds passwords and others can read it (mode {shown})")
        );
        assert_eq!(fetched.warnings[0].fix, ["chmod 600 credential_store.json"]);
    }
    fs::set_permissions(folder.file(), fs::Permissions::from_mode(0o400)).unwrap();
    assert_eq!(value(&store, "A"), "one");
}

#[test]
fn pipes_devices_and_folders_are_refused_without_waiting() {
    let folder = Folder::new();
    symlink("/dev/zero", folder.file()).unwrap();
    assert_eq!(refusal(&FileStore::new(folder.file()), "A").code.id, "CS1308");
    assert_eq!(refusal(&FileStore::new(&folder.0), "A").code.id, "CS1308");
    let pipe = folder.0.join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    assert_eq!(refusal(&FileStore::new(pipe), "A").code.id, "CS1308");
}

#[test]
fn a_link_to_a_plain_file_is_followed() {
    let folder = Folder::new();
    write(&folder.0.join("real.json"), b"{\"A\": \"one\"}");
    symlink("real.json", folder.file()).unwrap();
    assert_eq!(value(&FileStore::new(folder.file()), "A"), "one");
}

#[test]
fn the_size_is_limited_before_anything_is_read() {
    let folder = Folder::new();
    let file = fs::File::create(folder.file()).unwrap();
    file.set_len(STORE_FILE_MAX + 1).unwrap();
    assert_eq!(refusal(&FileStore::new(folder.file()), "A").code.id, "CS1309");
    file.set_len(STORE_FILE_MAX).unwrap();
    let error = refusal(&FileStore::new(folder.file()), "A");
    assert_ne!(error.code.id, "CS1309", "at the limit it is read, and found to be no JSON");
}

#[test]
fn check_tells_every_doubt_about_the_content() {
    let folder = Folder::new();
    folder.write(
        "{\"smtp\": \"planted\", \"SMTP\": \"planted\", \"a_b\": \"planted\\n\", \"E\": \"\", \"\": \"planted\"}",
    );
    let findings = check(&folder.file());
    let mut found = codes(&findings);
    found.sort_unstable();
    assert_eq!(found, ["CS1306", "CS2002", "CS2003", "CS2005", "CS2006"]);
    assert!(!format!("{findings:?}").contains("planted"));
    folder.write("{\"SmtpRelay\": \"x\"}");
    assert!(check(&folder.file()).is_empty());
}
