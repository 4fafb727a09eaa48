//! An opened data folder: the one door to directory, vaults and CA.
//!
//! The folder holds `store.db` (sealed records), `lock`, `ca.pem`, `operator.pem`, and the root key when it is kept
//! there. A store is made under a temporary name, synced, and renamed, so that a cut at any moment leaves either
//! no store or a whole one; a root key that was already written is used again. What each part does with the store
//! is its own module.

mod credential;
pub(crate) mod files;
mod founding;
mod operator;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use credstore_protocol::{Secret, TenantId, Timestamp};
use zeroize::Zeroizing;

pub use credential::{CREDENTIAL_LIFETIME, NewCredential};
use files::{Access, FolderLock};
use founding::Opened;
pub use operator::{Operator, RENEW_BEFORE};

use crate::access::Caller;
use crate::authority::CertificateAuthority;
use crate::directory::{Directory, OPERATOR_NAME};
use crate::error::{DirectoryError, OpenError, StorageError, StoreFailure};
use crate::seal::{KeyDerivation, RootKey, RootKeySource};
use crate::storage::sqlite::{APPLICATION_ID, file_header};
use crate::storage::{MemoryStorage, SqliteStorage, Storage};
use crate::vaults::Vaults;

/// Newest format of the records that this program reads and writes.
pub const FORMAT: u32 = 1;

const STORE: &str = "store.db";
/// What SQLite keeps beside the store: the log, its index, and the journal of the moment in which a store is made.
const LOGS: [&str; 3] = ["store.db-wal", "store.db-shm", "store.db-journal"];
const LOCK: &str = "lock";
const CA: &str = "ca.pem";
const OPERATOR: &str = "operator.pem";

/// An opened data folder, held under its lock until it is dropped.
pub struct Installation {
    directory: Directory,
    vaults: Vaults,
    authority: CertificateAuthority,
    operator: Operator,
    credential: Credential,
    storage: Arc<dyn Storage>,
    /// Last, so that the storage is closed before another process may open it.
    _lock: Option<FolderLock>,
}

/// Where the operator's private key is.
enum Credential {
    File(PathBuf),
    /// Made when it is first asked for.
    Memory {
        made: Mutex<Option<Secret>>,
        opened: Timestamp,
    },
}

impl From<StorageError> for OpenError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Damaged(what) => Self::Damaged { what },
            StorageError::Full | StorageError::ReadOnly(_) | StorageError::Io(_) => Self::Storage(error),
        }
    }
}

impl From<StoreFailure> for OpenError {
    fn from(failure: StoreFailure) -> Self {
        match failure {
            StoreFailure::Storage(error) => error.into(),
            StoreFailure::ReadOnly(reason) => Self::Storage(StorageError::ReadOnly(reason)),
            other => Self::Damaged { what: other.to_string() },
        }
    }
}

impl From<DirectoryError> for OpenError {
    fn from(error: DirectoryError) -> Self {
        match error {
            DirectoryError::Store(failure) => failure.into(),
            other => Self::Damaged { what: other.to_string() },
        }
    }
}

impl Installation {
    /// Opens the data folder, which must hold a store.
    ///
    /// # Errors
    /// [`OpenError::Missing`] when there is no store; [`OpenError::InUse`] when another process has it; the others
    /// say what is wrong with folder, root key or store. Nothing is written unless it opens.
    pub fn open(folder: &Path, root_key: &RootKeySource, now: Timestamp) -> Result<Installation, OpenError> {
        files::check_folder(folder)?;
        if !files::exists(&folder.join(STORE))? {
            check_no_log(folder)?;
            return Err(OpenError::Missing(folder.to_owned()));
        }
        let lock = files::lock(&folder.join(LOCK))?;
        Self::open_locked(folder, root_key, lock, now)
    }

    /// Whether some process, this one included, has the data folder open.
    pub fn is_held(folder: &Path) -> bool {
        files::is_locked(&folder.join(LOCK))
    }

    /// Opens the data folder; makes folder, root key file and store when there is no store.
    ///
    /// # Errors
    /// As [`open`](Self::open), without [`OpenError::Missing`].
    pub fn open_or_create(folder: &Path, root_key: &RootKeySource, now: Timestamp) -> Result<Installation, OpenError> {
        files::make_folder(folder)?;
        let lock = files::lock(&folder.join(LOCK))?;
        if !files::exists(&folder.join(STORE))? {
            check_no_log(folder)?;
            create(folder, root_key, now)?;
        }
        Self::open_locked(folder, root_key, lock, now)
    }

    /// An installation without a folder, for tests and embedders. It ends with the value.
    ///
    /// # Panics
    /// When no key can be made: the system has no randomness or memory to give.
    pub fn in_memory(now: Timestamp) -> Installation {
        Self::over(Arc::new(MemoryStorage::new()), &RootKey::random(), now)
            .expect("a new store in memory opens with the key it was made with")
    }

    /// An installation in any storage: an empty one is filled, another one is opened. There are no files; the
    /// operator's key is in memory, made when it is first asked for.
    ///
    /// # Errors
    /// As [`open`](Self::open), as far as it is about the store.
    pub fn over(storage: Arc<dyn Storage>, root_key: &RootKey, now: Timestamp) -> Result<Installation, OpenError> {
        if founding::header(&*storage)?.is_none() {
            founding::found(&storage, root_key, None, now)?;
        }
        let opened = Opened::read(&storage, root_key)?;
        let credential = Credential::Memory { made: Mutex::new(None), opened: now };
        Ok(Self::assemble(opened, storage, credential, None))
    }

    fn open_locked(
        folder: &Path,
        root_key: &RootKeySource,
        lock: FolderLock,
        now: Timestamp,
    ) -> Result<Installation, OpenError> {
        let path = folder.join(STORE);
        check_store_files(folder)?;
        // A wrong file or passphrase must not have touched the store, so the key comes first where it can.
        let (from_file, no_file) = match root_key {
            RootKeySource::File(path) => match RootKey::read(path) {
                Ok(key) => (Some(key), None),
                // Whether a file is missing at all is for the store to say.
                Err(missing @ OpenError::RootKeyMissing(_)) => (None, Some(missing)),
                Err(other) => return Err(other),
            },
            RootKeySource::Passphrase(_) => (None, None),
        };
        let storage: Arc<dyn Storage> = Arc::new(SqliteStorage::open(&path)?);
        let header = founding::header(&*storage)?;
        let header = header.ok_or_else(|| OpenError::Damaged { what: "the header of the store".to_owned() })?;
        if let (Some(missing), None) = (no_file, &header.derivation) {
            return Err(missing);
        }
        let root_key = match (from_file, root_key, &header.derivation) {
            (Some(key), _, None) => key,
            (None, RootKeySource::Passphrase(passphrase), Some(derivation)) => RootKey::derive(passphrase, derivation)?,
            (_, _, derivation) => return Err(OpenError::OtherKeySource { passphrase: derivation.is_some() }),
        };
        let opened = Opened::read(&storage, &root_key)?;
        let ca = folder.join(CA);
        let kept = files::read(&ca, Access::Public)?;
        if kept.is_none_or(|kept| kept.as_str() != opened.authority.certificate_pem()) {
            files::replace(&ca, opened.authority.certificate_pem().as_bytes())?;
        }
        let path = folder.join(OPERATOR);
        let kept = files::read(&path, Access::Owner)?;
        if !kept.is_some_and(|pem| operator::is_good(&pem, &opened.directory, now)) {
            let credential = NewCredential::generate(OPERATOR_NAME, now)?;
            // Registered first: a cut in between leaves a file that is not registered, and the next start repeats.
            opened.directory.set_operator_key(credential.certificate_der)?;
            files::replace(&path, credential.pem.expose_secret().as_bytes())?;
        }
        Ok(Self::assemble(opened, storage, Credential::File(path), Some(lock)))
    }

    fn assemble(
        opened: Opened,
        storage: Arc<dyn Storage>,
        credential: Credential,
        lock: Option<FolderLock>,
    ) -> Installation {
        let Opened { directory, vaults, authority, operator } = opened;
        Installation { directory, vaults, authority, operator, credential, storage, _lock: lock }
    }

    /// The one tenant.
    pub fn tenant(&self) -> &TenantId {
        self.directory.tenant()
    }

    /// Applications, service principals, tokens.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Vaults and their secrets.
    pub fn vaults(&self) -> &Vaults {
        &self.vaults
    }

    /// The local CA.
    pub fn authority(&self) -> &CertificateAuthority {
        &self.authority
    }

    /// The built-in application.
    pub fn operator(&self) -> &Operator {
        &self.operator
    }

    /// The operator as the one who asks, for work in the operator's name.
    pub fn operator_caller(&self) -> Caller {
        let Operator { object_id, client_id, .. } = self.operator.clone();
        Caller { tenant: self.tenant().clone(), object_id, app_id: client_id }
    }

    /// The operator's private key and certificate, PEM, as in `operator.pem`.
    ///
    /// # Errors
    /// When the file cannot be read, or the key in memory cannot be made.
    pub fn operator_pem(&self) -> Result<Secret, OpenError> {
        match &self.credential {
            Credential::Memory { made, opened } => {
                let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(pem) = &*made {
                    return Ok(copy(pem));
                }
                let credential = NewCredential::generate(OPERATOR_NAME, *opened)?;
                self.directory.set_operator_key(credential.certificate_der)?;
                Ok(copy(made.insert(credential.pem)))
            }
            Credential::File(path) => {
                files::read(path, Access::Owner)?.map(Secret::from).ok_or_else(|| OpenError::Missing(path.clone()))
            }
        }
    }

    /// Why the store takes no writes, after a failed sync. Reads go on.
    pub fn read_only(&self) -> Option<String> {
        self.storage.read_only()
    }

    /// Writes the last-read times that were collected in memory. For a background loop, and before the end.
    pub fn flush_usage(&self) {
        self.vaults.flush_usage();
    }
}

/// Refuses what others may reach or this program does not know, from the first bytes of the file and without the
/// engine.
fn check_store_files(folder: &Path) -> Result<(), OpenError> {
    let path = folder.join(STORE);
    for log in LOGS {
        files::open(&folder.join(log), Access::Owner)?;
    }
    let store = files::open(&path, Access::Owner)?.ok_or_else(|| OpenError::Missing(folder.to_owned()))?;
    let damaged = || OpenError::Damaged { what: "the beginning of the store".to_owned() };
    let header = file_header(store).map_err(|source| OpenError::Io { path, source })?;
    let header = header.filter(|header| header.application_id == APPLICATION_ID).ok_or_else(damaged)?;
    match header.format {
        0 => Err(damaged()),
        found if found > FORMAT => Err(OpenError::NewerFormat { found, known: FORMAT }),
        _ => Ok(()),
    }
}

/// Refuses to go on without a store when a log of one is there: SQLite would play it into the next store of that
/// name, and writes that exist nowhere else would be lost.
fn check_no_log(folder: &Path) -> Result<(), OpenError> {
    for log in LOGS.map(|log| folder.join(log)) {
        if files::exists(&log)? {
            return Err(OpenError::LogWithoutStore(log));
        }
    }
    Ok(())
}

/// Makes a store in the folder. What an earlier try has left behind is used or removed.
fn create(folder: &Path, source: &RootKeySource, now: Timestamp) -> Result<(), OpenError> {
    let (root_key, derivation) = match source {
        RootKeySource::File(path) => match RootKey::read(path) {
            Err(OpenError::RootKeyMissing(_)) => (RootKey::write_new(path)?, None),
            other => (other?, None),
        },
        RootKeySource::Passphrase(passphrase) => {
            let derivation = KeyDerivation::fresh();
            (RootKey::derive(passphrase, &derivation)?, Some(derivation))
        }
    };
    let memory: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    founding::found(&memory, &root_key, derivation, now)?;
    let rows = memory.scan(&[], None, usize::MAX)?;
    let rows = rows.into_iter().map(|(key, row)| (key, row.value.to_vec())).collect();
    let temporary = folder.join("store.db.new");
    for left in ["store.db.new", "store.db.new-wal", "store.db.new-shm", "store.db.new-journal"] {
        files::remove(&folder.join(left))?;
    }
    SqliteStorage::create(&temporary, FORMAT, rows)?;
    files::rename(&temporary, &folder.join(STORE))
}
/// The same value once more.
fn copy(secret: &Secret) -> Secret {
    Secret::from(Zeroizing::new(secret.expose_secret().to_owned()))
}
