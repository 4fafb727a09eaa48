//! The files of a store that were cut or changed on the disk: what comes out is right, or it is an error.

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use credstore_vault::access::PermissionSet;
use credstore_vault::vaults::{Vault, VaultSpec};
use credstore_vault::{Installation, OpenError, RootKeySource, VaultError};

use crate::folder::Folder;
use crate::world::{NOW, name, operator, policy, set, vault_name};

/// SQLite's file format, section 4.1: a log begins with 32 bytes, and each frame is a page after 24 bytes.
const LOG_HEADER: usize = 32;
const FRAME: usize = 24 + PAGE;
const PAGE: usize = 4096;
const SECRETS: usize = 12;

fn open(folder: &Path) -> Result<Installation, OpenError> {
    Installation::open(folder, &RootKeySource::File(folder.join("root.key")), NOW)
}

fn value(number: usize) -> String {
    // Some values take several pages, so that a batch is more than one frame.
    format!("value {number} {}", "x".repeat(if number.is_multiple_of(4) { 9000 } else { 100 }))
}

fn secret_name(number: usize) -> credstore_protocol::SecretName {
    name(&format!("n-{number}"))
}

/// A data folder as a crash leaves it, copied while it was open.
struct Crashed {
    folder: Folder,
    store: Vec<u8>,
    log: Vec<u8>,
    /// Length of the log when the writing of the secret with this number was acknowledged.
    acknowledged: Vec<usize>,
}

impl Crashed {
    fn new() -> Self {
        let folder = Folder::new();
        let live = folder.path().join("live");
        let root_key = RootKeySource::File(live.join("root.key"));
        let installation = Installation::open_or_create(&live, &root_key, NOW).unwrap();
        let caller = operator(&installation);
        let policies = vec![policy(&caller, PermissionSet::all())];
        let spec = VaultSpec { access_policies: Some(policies), ..VaultSpec::default() };
        installation.vaults().create_or_update(&caller, &vault_name("acme-kv"), spec, NOW).unwrap();
        let vault = installation.vaults().open(&vault_name("acme-kv")).unwrap();
        let log = live.join("store.db-wal");
        let acknowledged = (0..SECRETS).map(|number| {
            vault.set_secret(&caller, &secret_name(number), set(&value(number)), NOW).unwrap();
            usize::try_from(fs::metadata(&log).unwrap().len()).unwrap()
        });
        let acknowledged = acknowledged.collect();
        let (store, log) = (fs::read(live.join("store.db")).unwrap(), fs::read(log).unwrap());
        drop((vault, installation));
        Self { folder, store, log, acknowledged }
    }

    /// The store after a clean end: everything in one file.
    fn checkpointed(&self) -> Vec<u8> {
        fs::read(self.folder.path().join("live/store.db")).unwrap()
    }

    /// A new folder with these contents and the keys of the live one.
    fn with(&self, store: &[u8], log: &[u8]) -> Folder {
        let at = Folder::new();
        let put = |name: &str, content: &[u8]| {
            let mut options = fs::OpenOptions::new();
            let file = options.write(true).create_new(true).mode(0o600).open(at.path().join(name)).unwrap();
            std::io::Write::write_all(&mut &file, content).unwrap();
        };
        fs::set_permissions(at.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        for name in ["root.key", "operator.pem", "ca.pem"] {
            put(name, &fs::read(self.folder.path().join("live").join(name)).unwrap());
        }
        put("store.db", store);
        if !log.is_empty() {
            put("store.db-wal", log);
        }
        at
    }

    /// With `log` in the place of its own it opens, and has exactly what was acknowledged in the first `end` bytes.
    fn assert_log_counts_until(&self, end: usize, log: &[u8], what: &str) {
        let folder = self.with(&self.store, log);
        let installation = open(folder.path()).unwrap_or_else(|error| panic!("{what}: {error}"));
        for (number, there) in present(&installation).into_iter().enumerate() {
            assert_eq!(there, self.acknowledged[number] <= end, "secret {number}, {what}");
        }
    }
}

fn vault_in(installation: &Installation) -> Result<Vault, VaultError> {
    installation.vaults().open(&vault_name("acme-kv"))
}

/// Which secrets are there. Each that opens must have its own value.
fn present(installation: &Installation) -> Vec<bool> {
    let Ok(vault) = vault_in(installation) else { return vec![false; SECRETS] };
    let caller = operator(installation);
    let there = |number| match vault.secret(&caller, &secret_name(number), None, NOW) {
        Ok(secret) => {
            assert_eq!(secret.value.expose_secret(), value(number), "a wrong value was served");
            true
        }
        Err(_) => false,
    };
    (0..SECRETS).map(there).collect()
}

#[test]
fn every_acknowledged_write_before_a_cut_of_the_log_is_there() {
    let crashed = Crashed::new();
    let frames = (crashed.log.len() - LOG_HEADER) / FRAME;
    assert_eq!(crashed.log.len(), LOG_HEADER + frames * FRAME);
    assert!(frames > 2 * SECRETS, "{frames}");
    let mut cuts = vec![0, 1, LOG_HEADER - 1];
    for frame in 0..=frames {
        let boundary = LOG_HEADER + frame * FRAME;
        cuts.extend([boundary, boundary + 1, boundary + 24, boundary + 24 + PAGE / 2, boundary + FRAME - 1]);
    }
    let whole = crashed.log.len();
    for cut in cuts.into_iter().filter(|cut| *cut <= whole) {
        crashed.assert_log_counts_until(cut, &crashed.log[..cut], &format!("cut at {cut}"));
    }
}

#[test]
fn a_changed_frame_of_the_log_ends_it_and_nothing_wrong_is_served() {
    let crashed = Crashed::new();
    for frame in 0..(crashed.log.len() - LOG_HEADER) / FRAME {
        let begin = LOG_HEADER + frame * FRAME;
        for at in [begin, begin + 8, begin + 24, begin + 24 + PAGE / 2, begin + FRAME - 1] {
            let mut log = crashed.log.clone();
            log[at] ^= 0x10;
            crashed.assert_log_counts_until(begin, &log, &format!("frame {frame}"));
        }
    }
}

#[test]
fn a_changed_page_of_the_store_is_an_error_and_never_a_wrong_value() {
    let crashed = Crashed::new();
    let store = crashed.checkpointed();
    assert!(store.len() / PAGE > 8, "{} bytes", store.len());
    let (mut refused, mut unreadable) = (0, 0);
    for page in 0..store.len() / PAGE {
        // Header, list of cells, and places all over the content.
        for at in [0, 3, 5, 8, 9, 1000, 2000, 3000, 3500, PAGE - 200, PAGE - 20, PAGE - 1] {
            let mut changed = store.clone();
            changed[page * PAGE + at] ^= 0x41;
            let folder = crashed.with(&changed, &[]);
            match open(folder.path()) {
                Ok(installation) => unreadable += present(&installation).iter().filter(|there| !**there).count(),
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > 0 && unreadable > 0, "{refused} {unreadable}: the changes did not reach what is read");
}

#[test]
fn a_store_that_was_cut_is_refused_or_lacks_what_was_cut() {
    let crashed = Crashed::new();
    let store = crashed.checkpointed();
    for page in 0..store.len() / PAGE {
        for length in [page * PAGE, page * PAGE + 100, page * PAGE + PAGE / 2] {
            let folder = crashed.with(&store[..length], &[]);
            if let Ok(installation) = open(folder.path()) {
                assert!(present(&installation).contains(&false), "{length} bytes hold everything");
            }
        }
    }
}
