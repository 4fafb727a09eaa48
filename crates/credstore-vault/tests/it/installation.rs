//! Data folders: made whole, closed to others, locked, and refused when something is wrong.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use credstore_protocol::{Secret, Timestamp};
use credstore_testing::canary::Canary;
use credstore_vault::access::PermissionSet;
use credstore_vault::vaults::VaultSpec;
use credstore_vault::{Installation, OpenError, RootKeySource};

use crate::folder::Folder;
use crate::world::{DAY, NOW, later, name, operator, policy, set, vault_name};

fn root_key(folder: &Path) -> RootKeySource {
    RootKeySource::File(folder.join("root.key"))
}

fn create(folder: &Path) -> Installation {
    Installation::open_or_create(folder, &root_key(folder), NOW).unwrap()
}

fn refusal(folder: &Path) -> OpenError {
    Installation::open_or_create(folder, &root_key(folder), NOW).map(|_| ()).expect_err("a refusal")
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn fill(installation: &Installation, value: &str) {
    let operator = operator(installation);
    let spec =
        VaultSpec { access_policies: Some(vec![policy(&operator, PermissionSet::all())]), ..VaultSpec::default() };
    installation.vaults().create_or_update(&operator, &vault_name("acme-kv"), spec, NOW).unwrap();
    let vault = installation.vaults().open(&vault_name("acme-kv")).unwrap();
    vault.set_secret(&operator, &name("db"), set(value), NOW).unwrap();
}

fn value(installation: &Installation) -> String {
    let vault = installation.vaults().open(&vault_name("acme-kv")).unwrap();
    let secret = vault.secret(&operator(installation), &name("db"), None, NOW).unwrap();
    secret.value.expose_secret().to_owned()
}

#[test]
fn a_folder_opens_again_as_the_same_installation() {
    let folder = Folder::new();
    let at = folder.path().join("deep/data");
    let first = create(&at);
    fill(&first, "planted-value-0123456789");
    let (tenant, operator) = (first.tenant().clone(), first.operator().clone());
    let (ca, keys) = (first.authority().certificate_pem().to_owned(), first.directory().key_set().keys[0].kid.clone());
    let pem = first.operator_pem().unwrap();
    drop(first);
    let again = Installation::open(&at, &root_key(&at), later(1)).unwrap();
    assert_eq!((again.tenant(), again.operator()), (&tenant, &operator));
    assert_eq!(again.authority().certificate_pem(), ca);
    assert_eq!(again.directory().key_set().keys[0].kid, keys);
    assert!(again.operator_pem().unwrap().matches(&pem));
    assert_eq!(value(&again), "planted-value-0123456789");
    assert_eq!(fs::read_to_string(at.join("ca.pem")).unwrap(), ca);
    drop(again);
    for canary in ["planted-value-0123456789", "BEGIN PRIVATE KEY-----"].map(Canary::new) {
        let finds = canary.in_folder(&at).unwrap();
        let outside: Vec<_> =
            finds.iter().filter(|find| !find.file.as_ref().unwrap().ends_with("operator.pem")).collect();
        assert!(outside.is_empty(), "{outside:?}");
    }
}

#[test]
fn every_file_is_closed_to_others() {
    let folder = Folder::new();
    let at = folder.path().join("data");
    let installation = create(&at);
    fill(&installation, "x");
    assert_eq!(mode(&at), 0o700);
    let mut names: Vec<_> = fs::read_dir(&at).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    let expected = ["ca.pem", "lock", "operator.pem", "root.key", "store.db", "store.db-shm", "store.db-wal"];
    assert_eq!(names, expected);
    for name in expected {
        assert_eq!(mode(&at.join(name)), 0o600, "{name}");
    }
}

#[test]
fn what_others_may_reach_is_refused() {
    let folder = Folder::new();
    let at = folder.path().join("data");
    drop(create(&at));
    for bits in [0o001, 0o010, 0o004, 0o040, 0o020, 0o002] {
        chmod(&at, 0o700 | bits);
        assert!(matches!(refusal(&at), OpenError::Permissions { mode, .. } if mode == 0o700 | bits));
        chmod(&at, 0o700);
        for file in ["root.key", "store.db", "store.db-wal", "store.db-shm", "operator.pem"].map(|name| at.join(name)) {
            let absent = !file.exists();
            if absent {
                fs::write(&file, "").unwrap();
            }
            chmod(&file, 0o600 | bits);
            let refused = refusal(&at);
            assert!(
                matches!(&refused, OpenError::Permissions { path, mode } if *path == file && *mode == 0o600 | bits),
                "{refused:?}"
            );
            if absent {
                fs::remove_file(&file).unwrap();
            } else {
                chmod(&file, 0o600);
            }
        }
    }
    chmod(&at.join("ca.pem"), 0o644);
    drop(create(&at));
}

/// Gives `path` to another user and group; `false` when this one may not.
#[expect(clippy::print_stderr, reason = "a test that does not test says so")]
fn given_away(path: &Path) -> bool {
    let given = std::os::unix::fs::lchown(path, Some(65_534), Some(65_534)).is_ok();
    if !given {
        eprintln!("skipped: only root may give a file to another user");
    }
    given
}

#[test]
fn what_belongs_to_another_user_is_refused() {
    let folder = Folder::new();
    let at = folder.path().join("data");
    drop(create(&at));
    for name in ["root.key", "store.db", "operator.pem", ""] {
        let path = at.join(name);
        if !given_away(&path) {
            return;
        }
        let refused = refusal(&at);
        assert!(matches!(&refused, OpenError::ForeignOwner(whose) if *whose == path), "{name}: {refused:?}");
        std::os::unix::fs::chown(&path, Some(0), Some(0)).unwrap();
    }
    drop(create(&at));
}

#[test]
fn a_link_to_the_folder_is_followed_and_what_it_leads_to_is_checked() {
    let folder = Folder::new();
    let (real, linked) = (folder.path().join("real"), folder.path().join("linked"));
    symlink(&real, &linked).unwrap();
    assert!(matches!(refusal(&linked), OpenError::NotAFolder(_)), "a link that leads nowhere");
    fs::create_dir(&real).unwrap();
    chmod(&real, 0o700);
    let installation = create(&linked);
    fill(&installation, "behind a link");
    assert!(matches!(refusal(&real), OpenError::InUse { .. }), "it is one folder, however it is reached");
    drop(installation);
    assert_eq!(value(&create(&real)), "behind a link");
    chmod(&real, 0o750);
    assert!(matches!(refusal(&linked), OpenError::Permissions { mode: 0o750, .. }));
    chmod(&real, 0o700);
    if given_away(&linked) {
        assert!(matches!(refusal(&linked), OpenError::ForeignOwner(_)), "another user could lead it elsewhere");
    }
}

#[test]
fn a_link_or_a_pipe_in_the_place_of_a_file_is_refused_at_once() {
    let folder = Folder::new();
    let at = folder.path().join("data");
    drop(create(&at));
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    for name in ["store.db", "store.db-wal", "store.db-shm", "store.db-journal", "operator.pem", "ca.pem", "lock"] {
        let (path, kept) = (at.join(name), folder.path().join("kept"));
        let was_there = fs::rename(&path, &kept).is_ok();
        let refused = |what: &str| {
            let refused = refusal(&at);
            assert!(matches!(&refused, OpenError::NotAFile(file) if *file == path), "{name}, {what}: {refused:?}");
            fs::remove_file(&path).unwrap();
        };
        symlink(&kept, &path).unwrap();
        refused("a link");
        symlink(folder.path().join("nowhere"), &path).unwrap();
        refused("a link that leads nowhere");
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, mode).unwrap();
        refused("a pipe");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        chmod(&path, 0o600);
        refused("a socket");
        if was_there {
            fs::rename(&kept, &path).unwrap();
        }
    }
    drop(create(&at));
}

#[test]
fn no_store_is_made_beside_the_log_of_one_that_is_gone() {
    let folder = Folder::new();
    let at = folder.path().join("data");
    let installation = create(&at);
    fill(&installation, "only in the log");
    let log = fs::read(at.join("store.db-wal")).unwrap();
    let store = fs::read(at.join("store.db")).unwrap();
    drop(installation);
    fs::remove_file(at.join("store.db")).unwrap();
    let expected = [("store.db-wal", &log[..]), ("store.db-shm", b""), ("store.db-journal", b"")];
    for (name, content) in expected {
        let left = at.join(name);
        fs::write(&left, content).unwrap();
        chmod(&left, 0o600);
        for refused in [refusal(&at), Installation::open(&at, &root_key(&at), NOW).map(|_| ()).unwrap_err()] {
            assert!(matches!(&refused, OpenError::LogWithoutStore(file) if *file == left), "{name}: {refused:?}");
        }
        assert!(!at.join("store.db").exists());
        assert_eq!(fs::read(&left).unwrap(), content, "it is left as it is");
        if name != "store.db-wal" {
            fs::remove_file(&left).unwrap();
        } else {
            fs::rename(&left, folder.path().join("log")).unwrap();
        }
    }
    // The remedy that the message names: store and log of one moment belong together.
    fs::rename(folder.path().join("log"), at.join("store.db-wal")).unwrap();
    fs::write(at.join("store.db"), store).unwrap();
    chmod(&at.join("store.db"), 0o600);
    assert_eq!(value(&create(&at)), "only in the log");
}

#[test]
fn two_processes_cannot_have_the_same_folder() {
    let folder = Folder::new();
    let at = folder.path().join("data");
    assert!(!Installation::is_held(&at));
    let first = create(&at);
    assert!(matches!(refusal(&at), OpenError::InUse { pid } if pid == Some(std::process::id())));
    assert!(Installation::is_held(&at) && Installation::is_held(&at), "a look leaves the lock as it was");
    drop(first);
    assert!(!Installation::is_held(&at));
    drop(create(&at));
}

#[test]
fn a_missing_folder_or_store_is_missing_and_is_not_made_by_open() {
    let folder = Folder::new();
    let at = folder.path().join("data");
    let open = |at: &Path| Installation::open(at, &root_key(at), NOW).map(|_| ()).expect_err("a refusal");
    assert!(matches!(open(&at), OpenError::Missing(_)));
    assert!(!at.exists());
    fs::create_dir(&at).unwrap();
    chmod(&at, 0o700);
    assert!(matches!(open(&at), OpenError::Missing(_)));
    assert_eq!(fs::read_dir(&at).unwrap().count(), 0);
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(refusal(&file), OpenError::NotAFolder(_)));
}

#[test]
fn a_store_without_its_root_key_never_gets_a_new_one() {
    let folder = Folder::new();
    let at = folder.path().join("data");
    drop(create(&at));
    let key = fs::read(at.join("root.key")).unwrap();
    fs::remove_file(at.join("root.key")).unwrap();
    assert!(matches!(refusal(&at), OpenError::RootKeyMissing(_)));
    assert!(!at.join("root.key").exists());
    let write = |content: &[u8]| {
        fs::write(at.join("root.key"), content).unwrap();
        chmod(&at.join("root.key"), 0o600);
    };
    for malformed in [&b""[..], b"not base64!", b"AAAA", &key[..40], &[0xff; 44], &[b'A'; 300]] {
        write(malformed);
        assert!(matches!(refusal(&at), OpenError::RootKeyMalformed(_)), "{malformed:?}");
    }
    write(b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    assert!(matches!(refusal(&at), OpenError::WrongRootKey));
    write(&key);
    drop(create(&at));
}

#[test]
fn a_root_key_behind_a_link_is_refused() {
    let folder = Folder::new();
    let at = folder.path().join("data");
    drop(create(&at));
    fs::rename(at.join("root.key"), at.join("real.key")).unwrap();
    symlink(at.join("real.key"), at.join("root.key")).unwrap();
    assert!(matches!(refusal(&at), OpenError::Io { .. }));
}

#[test]
fn a_creation_that_was_cut_short_is_done_again() {
    let folder = Folder::new();
    let at = folder.path().join("data");
    drop(create(&at));
    let key = fs::read(at.join("root.key")).unwrap();
    // As after a cut between root key and store, with half a store and half a key under their temporary names.
    for name in ["store.db", "ca.pem", "operator.pem"] {
        fs::remove_file(at.join(name)).unwrap();
    }
    for name in ["store.db.new", "store.db.new-wal", "root.key.new", "operator.pem.new"] {
        fs::write(at.join(name), "half").unwrap();
    }
    drop(create(&at));
    assert_eq!(fs::read(at.join("root.key")).unwrap(), key, "the key that is there is used");
    // As after a cut between the store and the operator's file.
    fs::remove_file(at.join("operator.pem")).unwrap();
    let again = create(&at);
    assert!(again.operator_pem().unwrap().expose_secret().contains("BEGIN PRIVATE KEY"));
}

#[test]
fn a_newer_or_foreign_store_is_refused_and_not_touched() {
    let folder = Folder::new();
    let at = folder.path().join("data");
    drop(create(&at));
    let good = fs::read(at.join("store.db")).unwrap();
    let changed = |offset: usize, bytes: &[u8]| {
        let mut changed = good.clone();
        changed[offset..offset + bytes.len()].copy_from_slice(bytes);
        fs::write(at.join("store.db"), &changed).unwrap();
        let refused = refusal(&at);
        assert_eq!(fs::read(at.join("store.db")).unwrap(), changed, "{refused}");
        assert!(!at.join("store.db-wal").exists());
        refused
    };
    // SQLite's file format: user version at 60, application id at 68.
    assert!(matches!(changed(60, &[0, 0, 0, 2]), OpenError::NewerFormat { found: 2, known: 1 }));
    assert!(matches!(changed(60, &[0, 0, 0, 0]), OpenError::Damaged { .. }));
    assert!(matches!(changed(68, &[0, 0, 0, 0]), OpenError::Damaged { .. }));
    assert!(matches!(changed(0, b"X"), OpenError::Damaged { .. }));
    fs::write(at.join("store.db"), "").unwrap();
    assert!(matches!(refusal(&at), OpenError::Damaged { .. }));
    fs::write(at.join("store.db"), &good).unwrap();
    drop(create(&at));
}

#[test]
fn a_passphrase_opens_what_it_closed() {
    let folder = Folder::new();
    let at = folder.path().join("data");
    let passphrase = |text: &str| RootKeySource::Passphrase(Secret::from(text.to_owned()));
    let first = Installation::open_or_create(&at, &passphrase("correct horse"), NOW).unwrap();
    fill(&first, "s3cret");
    drop(first);
    assert!(!at.join("root.key").exists());
    let open = |source: &RootKeySource| Installation::open(&at, source, NOW);
    assert_eq!(value(&open(&passphrase("correct horse")).unwrap()), "s3cret");
    assert!(matches!(open(&passphrase("wrong")).map(|_| ()), Err(OpenError::WrongRootKey)));
    drop(create(&folder.path().join("other")));
    let file = root_key(&folder.path().join("other"));
    assert!(matches!(open(&file).map(|_| ()), Err(OpenError::OtherKeySource { passphrase: true })));
}

#[test]
fn a_store_says_itself_whether_it_wants_a_passphrase_or_a_file() {
    let folder = Folder::new();
    let at = folder.path().join("data");
    let words = RootKeySource::Passphrase(Secret::from("correct horse".to_owned()));
    drop(Installation::open_or_create(&at, &words, NOW).unwrap());
    let no_file = root_key(&at);
    let refused = |at: &Path, source: &RootKeySource| match Installation::open_or_create(at, source, NOW) {
        Ok(_) => panic!("it opened"),
        Err(error) => error,
    };
    assert!(matches!(refused(&at, &no_file), OpenError::OtherKeySource { passphrase: true }));
    assert!(!at.join("root.key").exists(), "no key is made for a store that exists");

    let other = folder.path().join("other");
    drop(create(&other));
    assert!(matches!(refused(&other, &words), OpenError::OtherKeySource { passphrase: false }));
    fs::remove_file(other.join("root.key")).unwrap();
    assert!(matches!(refused(&other, &words), OpenError::OtherKeySource { passphrase: false }));
    assert!(matches!(refused(&other, &root_key(&other)), OpenError::RootKeyMissing(_)));
}

#[test]
fn the_operator_gets_a_new_key_thirty_days_before_the_old_one_ends() {
    let folder = Folder::new();
    let at = folder.path().join("data");
    let first = create(&at).operator_pem().unwrap();
    let at_time = |now: Timestamp| {
        let installation = Installation::open(&at, &root_key(&at), now).unwrap();
        let applications = installation.directory().applications(&operator(&installation)).unwrap();
        assert_eq!(applications[0].keys.len(), 1, "the old key is gone");
        installation.operator_pem().unwrap()
    };
    assert!(at_time(later(335 * DAY)).matches(&first));
    let second = at_time(later(335 * DAY + 1));
    assert!(!second.matches(&first));
    fs::write(at.join("operator.pem"), first.expose_secret()).unwrap();
    assert!(!at_time(later(336 * DAY)).matches(&first), "a key that is not registered is replaced");
}

#[test]
fn sixty_four_writers_at_once_are_all_durable() {
    let folder = Folder::new();
    let at = folder.path().join("data");
    let installation = create(&at);
    fill(&installation, "x");
    let (vault, caller) = (installation.vaults().open(&vault_name("acme-kv")).unwrap(), operator(&installation));
    std::thread::scope(|scope| {
        for n in 0..64 {
            let (vault, caller) = (&vault, &caller);
            scope.spawn(move || vault.set_secret(caller, &name(&format!("w-{n}")), set(&n.to_string()), NOW).unwrap());
        }
    });
    drop((vault, installation));
    let again = create(&at);
    let vault = again.vaults().open(&vault_name("acme-kv")).unwrap();
    for n in 0..64 {
        let secret = vault.secret(&caller, &name(&format!("w-{n}")), None, NOW).unwrap();
        assert_eq!(secret.value.expose_secret(), n.to_string());
    }
}
