//! The credential file of the settings, in clear or sealed: where its key is, and changing it as a whole or not at all.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use credstore::codes::{server as server_codes, settings as codes};
use credstore::diagnosis::{Diagnosis, Place};
use credstore::encrypted_file::{EncryptedFile, KeyKind, Sealer, Unlock, is_encrypted};
use credstore::settings::{EncryptedFileSettings, StoreSettings};
use credstore::store::file::FileStore;
use credstore::store::unsealing::{self, FileKeySource, SeenVersions};
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::errors::CliError;
use crate::files::{self, Existing};
use crate::secret_input;
use crate::seen_versions::SeenInFile;
use crate::setup::folder::Turn;
use crate::world::World;

/// Name of the systemd credential with the key.
const SYSTEMD_CREDENTIAL: &str = "credstore-file-key";
/// How long to wait for another command that changes the file.
const PATIENCE: Duration = Duration::from_secs(5);
/// Pause between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// What opens encrypted files without asking anybody: for processes that run on.
#[derive(Clone)]
pub(crate) struct FileKeys {
    by_systemd: Option<PathBuf>,
    seen: Arc<SeenInFile>,
}

impl FileKeys {
    pub(crate) fn of(world: &World) -> Self {
        let by_systemd = world.environment.path("CREDENTIALS_DIRECTORY").map(|at| at.join(SYSTEMD_CREDENTIAL));
        Self { by_systemd, seen: Arc::new(SeenInFile::of(world)) }
    }

    /// The file with the key, whether it is there or not: named by the settings, given by systemd, beside the file.
    pub(crate) fn key_file(&self, settings: &EncryptedFileSettings) -> PathBuf {
        let given = || self.by_systemd.clone().filter(|file| file.exists());
        settings.key_file.clone().or_else(given).unwrap_or_else(|| settings.usual_key_file())
    }

    /// The store in an encrypted file.
    pub(crate) fn store(&self, settings: &EncryptedFileSettings) -> FileStore {
        self.store_with(settings, FileKeySource::File(self.key_file(settings)))
    }

    fn store_with(&self, settings: &EncryptedFileSettings, key: FileKeySource) -> FileStore {
        let seen: Arc<dyn SeenVersions> = self.seen.clone();
        FileStore::encrypted(&settings.path, key, Some(seen))
    }
}

/// Where the key of this file is; a passphrase that is nowhere is asked for.
fn key_source(world: &World, settings: &EncryptedFileSettings) -> Result<FileKeySource, CliError> {
    let kept = FileKeys::of(world).key_file(settings);
    if !kept.exists() && world.may_ask() && is_of_passphrase(&settings.path) {
        let entered = secret_input::asked_once("Passphrase (hidden): ")?;
        return Ok(FileKeySource::Held(Arc::new(Unlock::Passphrase(entered))));
    }
    Ok(FileKeySource::File(kept))
}

fn is_of_passphrase(file: &Path) -> bool {
    let parsed = files::read(file).ok().and_then(|bytes| EncryptedFile::parse(&bytes).ok());
    parsed.is_some_and(|file| file.key_kind() == KeyKind::Passphrase)
}

/// The store in an encrypted file.
///
/// # Errors
/// When a passphrase is needed and nobody types one.
pub(crate) fn encrypted_store(world: &World, settings: &EncryptedFileSettings) -> Result<FileStore, CliError> {
    Ok(FileKeys::of(world).store_with(settings, key_source(world, settings)?))
}

/// The text of an encrypted file that stands alone, its key where it is looked for.
///
/// # Errors
/// CS0106 when the file cannot be read, CS1401 to CS1405.
pub(crate) fn opened(world: &World, path: &Path) -> Result<Zeroizing<String>, CliError> {
    let settings = EncryptedFileSettings { path: path.to_owned(), key_file: None, place: Place::default() };
    Ok(unsealing::open(&files::read(path)?, path, &key_source(world, &settings)?)?.text)
}

/// The text of a credential file, held for a change. Nobody else changes the file meanwhile.
pub(crate) struct Held {
    pub(crate) path: PathBuf,
    pub(crate) text: Zeroizing<String>,
    /// What seals it again; `None` when it is in clear.
    pub(crate) sealer: Option<Sealer>,
    seen: SeenInFile,
    _turn: Turn,
}

impl Held {
    /// Opens the file that the settings name. A file store's file that is not there yet is an empty one.
    ///
    /// # Errors
    /// CS1219 when the store is no file; what is wrong with the file or its key; CS6025 when another command holds it.
    pub(crate) async fn open(world: &World, store: &StoreSettings) -> Result<Self, CliError> {
        let (path, sealed) = match store {
            StoreSettings::File(store) => (store.path.clone(), None),
            StoreSettings::EncryptedFile(store) => (store.path.clone(), Some(store)),
            StoreSettings::AzureKeyVault(_) => return Err(no_file()),
        };
        let turn = turn(&path).await?;
        let seen = SeenInFile::of(world);
        let (text, sealer) = match sealed {
            None if path.symlink_metadata().is_err() => (Zeroizing::new("{}\n".to_owned()), None),
            None => (plain(&path)?, None),
            Some(store) => {
                let content = unsealing::open(&files::read(&path)?, &path, &key_source(world, store)?)?;
                let (id, generation) = content.next.version();
                (content.text, Some(content.next.above(seen.newest(id, generation))))
            }
        };
        Ok(Self { path, text, sealer, seen, _turn: turn })
    }

    /// Writes another text, sealed as the file was.
    ///
    /// # Errors
    /// CS0107 when it cannot be written; then the file is as it was.
    pub(crate) fn write(&self, text: &str) -> Result<(), CliError> {
        match &self.sealer {
            None => files::write(&self.path, text.as_bytes(), 0o600, Existing::Replace),
            Some(sealer) => self.write_sealed(text, sealer),
        }
    }

    /// Writes a text, sealed by `sealer`.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub(crate) fn write_sealed(&self, text: &str, sealer: &Sealer) -> Result<(), CliError> {
        write_sealed(&self.path, text.trim_end(), sealer, Existing::Replace)?;
        let (id, generation) = sealer.version();
        self.seen.newest(id, generation.saturating_add(1));
        Ok(())
    }
}

/// The text of a file in clear.
pub(crate) fn plain(path: &Path) -> Result<Zeroizing<String>, CliError> {
    let bytes = files::read(path)?;
    if is_encrypted(&bytes) {
        let message = format!("{} is encrypted", path.display());
        return Err(Diagnosis::error(&codes::FILE_IS_ENCRYPTED, message)
            .fix("write \"Type\": \"EncryptedFile\" in CredentialStore")
            .into());
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.strip_prefix('\u{FEFF}').unwrap_or(text).to_owned())),
        Err(_) => Err(Diagnosis::error(&codes::NOT_UTF8, format!("{} is not UTF-8", path.display()))
            .fix("save it as UTF-8")
            .into()),
    }
}

/// Seals a text into a file.
pub(crate) fn write_sealed(path: &Path, text: &str, sealer: &Sealer, existing: Existing) -> Result<(), CliError> {
    let sealed = sealer.seal(text).map_err(|error| files::unwritable(path, &error.to_string()))?;
    files::write(path, &sealed, 0o600, existing)
}

/// The right to change the file, waited for.
pub(crate) async fn turn(path: &Path) -> Result<Turn, CliError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match Turn::take(&files::folder_of(path), &[path.to_owned()]) {
            Err(error) if is_busy(&error) && Instant::now() < deadline => tokio::time::sleep(LOOK_AGAIN).await,
            other => return other,
        }
    }
}

fn is_busy(error: &CliError) -> bool {
    error.code().is_some_and(|code| code.id == server_codes::SETUP_BUSY.id)
}

/// CS1219.
pub(crate) fn no_file() -> CliError {
    Diagnosis::error(&codes::STORE_IS_NO_FILE, "the credential store is no file")
        .cause("Server Settings name a Key Vault")
        .fix("credstore vault secret set   changes what is in the vault")
        .into()
}
