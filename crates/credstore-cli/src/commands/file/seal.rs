//! Sealing the credential file, opening it for good, and changing its key.
//!
//! Each verb can be stopped anywhere and run again: a key is on the disk before anything is sealed with it, a file changes as
//! a whole, and Server Settings change last.

use std::path::Path;

use clap::Args;
use credstore::codes::{settings as codes, usage};
use credstore::diagnosis::{Diagnosis, Place};
use credstore::encrypted_file::{EncryptedFile, FileKey, KeyKind, Sealer, Unlock, is_encrypted};
use credstore::settings::{self, CREDENTIAL_STORE_FILE, EncryptedFileSettings, StoreSettings, set_store_text};
use credstore::store::file::identifiers_in;
use credstore::store::unsealing::{next_key_file, unlock_in};
use serde_json::json;

use super::store;
use crate::cli::Change;
use crate::confirm;
use crate::credential_file::{FileKeys, Held, plain, turn, write_sealed};
use crate::draft::Draft;
use crate::errors::CliError;
use crate::files::{self, Existing};
use crate::output::Output;
use crate::secret_input;
use crate::world::World;

/// With what a file is sealed.
#[derive(Args, Debug)]
pub(super) struct With {
    /// Ask for a passphrase instead of making a key file; a server needs it in a file all the same
    #[arg(long)]
    passphrase: bool,
}

impl With {
    /// The key, on the disk before it is used. Gives what to say of it.
    pub(super) fn key(&self, world: &World, places: &EncryptedFileSettings) -> Result<(FileKey, String), CliError> {
        let file = places.key_file.clone().unwrap_or_else(|| places.usual_key_file());
        if self.passphrase {
            if !world.may_ask() {
                return Err(Diagnosis::error(&usage::INPUT_NEEDED, "a passphrase is needed")
                    .cause("nobody can be asked")
                    .fix("without --passphrase a key file is made")
                    .into());
            }
            let unlock = Unlock::Passphrase(secret_input::asked_twice("Passphrase (hidden): ")?);
            let key = FileKey::of(&unlock).map_err(|error| unsealed(&places.path, &error))?;
            return Ok((key, "a passphrase".to_owned()));
        }
        Ok((key_in(&file)?, file.display().to_string()))
    }
}

/// The key in a key file, which is made when it is not there.
fn key_in(file: &Path) -> Result<FileKey, CliError> {
    if file.symlink_metadata().is_ok() {
        let unlock = unlock_in(file, KeyKind::KeyFile)?;
        return FileKey::of(&unlock).map_err(|error| unsealed(file, &error));
    }
    let (key, text) = FileKey::random().map_err(|error| unsealed(file, &error))?;
    files::write(file, text.as_bytes(), 0o600, Existing::Keep)?;
    Ok(key)
}

fn unsealed(file: &Path, error: &credstore::encrypted_file::EncryptedFileError) -> CliError {
    files::unwritable(file, &error.to_string())
}

/// Where file and key are: as the settings say, or as they will when they name the file.
pub(super) fn places(world: &World) -> Result<EncryptedFileSettings, CliError> {
    let settings = world.settings_to_write();
    let usual = || {
        let path = settings.with_file_name(CREDENTIAL_STORE_FILE);
        EncryptedFileSettings { path, key_file: None, place: Place::default() }
    };
    Ok(configured(&settings)?.unwrap_or_else(usual))
}

/// The encrypted file that the settings name already.
pub(super) fn configured(file: &Path) -> Result<Option<EncryptedFileSettings>, CliError> {
    if file.symlink_metadata().is_err() {
        return Ok(None);
    }
    let text = settings::read(file)?;
    match settings::parse(&text, file).settings.and_then(|settings| settings.store) {
        Some(StoreSettings::EncryptedFile(store)) => Ok(Some(store)),
        Some(StoreSettings::File(_) | StoreSettings::AzureKeyVault(_)) | None => Ok(None),
    }
}

const KEEP_THE_KEY: &str = "Keep a copy of the key apart from copies of the file: nobody opens the file without it.";

/// Make an encrypted file without passwords, and its key
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore file init")]
pub(super) struct Init {
    #[command(flatten)]
    with: With,
    #[command(flatten)]
    change: Change,
}

impl Init {
    pub(super) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let places = places(world)?;
        let path = &places.path;
        if self.change.only_said(&format!("make the encrypted file {}", path.display()), out)? {
            return Ok(());
        }
        let _turn = turn(path).await?;
        if path.symlink_metadata().is_ok() {
            let message = format!("{} exists", path.display());
            return Err(Diagnosis::error(&usage::FILE_EXISTS, message)
                .cause("its passwords would be lost")
                .fix("credstore file encrypt   seals it with what is in it")
                .into());
        }
        let (key, with) = self.with.key(world, &places)?;
        write_sealed(path, "{}", &Sealer::new(key), Existing::Keep)?;
        out.result(json!({"file": path.display().to_string(), "sealedWith": with}), || {
            let entry = "\"CredentialStore\": {\"Type\": \"EncryptedFile\"}";
            let file = path.display();
            format!(
                "Encrypted file  {file}\nSealed with     {with}\n\n{KEEP_THE_KEY}\n\nIn Server Settings:  {entry}\n"
            )
        })
    }
}

/// Seal the passwords of a plain file, and switch Server Settings to EncryptedFile
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore file encrypt")]
pub(super) struct Encrypt {
    #[command(flatten)]
    with: With,
    #[command(flatten)]
    change: Change,
}

impl Encrypt {
    pub(super) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let places = places(world)?;
        let path = &places.path;
        if self.change.only_said(&format!("seal {}", path.display()), out)? {
            return Ok(());
        }
        let switch = switchable(store(world)?, "File", "EncryptedFile")?;
        let _turn = turn(path).await?;
        let is_sealed = is_encrypted(&files::read(path)?);
        let with = if is_sealed {
            "the key that it has".to_owned()
        } else {
            let text = plain(path)?;
            let count = identifiers_in(&text, path)?.len();
            let (key, with) = self.with.key(world, &places)?;
            write_sealed(path, text.trim_end(), &Sealer::new(key), Existing::Replace)?;
            out.line(format!("Sealed          {}   {}", path.display(), counted(count)));
            with
        };
        if switch {
            switch_type(world, "EncryptedFile")?;
        }
        out.result(json!({"file": path.display().to_string(), "sealedWith": with, "type": "EncryptedFile"}), || {
            let copies = "Copies of the plain file, in backups for instance, are plain still.";
            format!("Sealed with     {with}\nServer Settings \"Type\": \"EncryptedFile\"\n\n{KEEP_THE_KEY}\n{copies}\n")
        })
    }
}

/// Turn the file into plain JSON again, and switch Server Settings to File
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore file decrypt --yes")]
pub(super) struct Decrypt {
    #[command(flatten)]
    change: Change,
}

impl Decrypt {
    pub(super) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let path = places(world)?.path;
        if self.change.only_said(&format!("write the passwords of {} in clear", path.display()), out)? {
            return Ok(());
        }
        let store = store(world)?;
        let switch = switchable(store.clone(), "EncryptedFile", "File")?;
        if switch {
            let held = Held::open(world, &store).await?;
            let question = format!("Every password will lie in {} in clear. Decrypt it?", path.display());
            confirm::yes(world, &question)?;
            files::write(&path, format!("{}\n", held.text.trim_end()).as_bytes(), 0o600, Existing::Replace)?;
            switch_type(world, "File")?;
        }
        out.result(json!({"file": path.display().to_string(), "type": "File"}), || {
            format!("Plain file      {}   mode 0600\nServer Settings \"Type\": \"File\"\n", path.display())
        })
    }
}

/// Seal the file with a new key
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore file rekey")]
pub(super) struct Rekey {
    #[command(flatten)]
    change: Change,
}

impl Rekey {
    pub(super) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let store = store(world)?;
        let StoreSettings::EncryptedFile(settings) = &store else {
            return Err(Diagnosis::error(&codes::FILE_NOT_ENCRYPTED, "the credential file is not encrypted")
                .cause("Server Settings name another Type than EncryptedFile")
                .fix("credstore file encrypt   seals a plain file")
                .into());
        };
        if self.change.only_said(&format!("seal {} with a new key", settings.path.display()), out)? {
            return Ok(());
        }
        let mut held = Held::open(world, &store).await?;
        let Some(sealer) = held.sealer.take() else { return Err(files::unwritable(&held.path, "it is not sealed")) };
        let kind = EncryptedFile::parse(&files::read(&held.path)?).map(|file| file.key_kind());
        let with = match kind.map_err(|error| unsealed(&held.path, &error))? {
            KeyKind::Passphrase => {
                let given = if world.may_ask() {
                    secret_input::asked_twice("New passphrase (hidden): ")?
                } else {
                    return Err(Diagnosis::error(&usage::INPUT_NEEDED, "a new passphrase is needed")
                        .cause("nobody can be asked")
                        .into());
                };
                let key = FileKey::of(&Unlock::Passphrase(given)).map_err(|error| unsealed(&held.path, &error))?;
                held.write_sealed(&held.text, &sealer.with_key(key))?;
                "the new passphrase".to_owned()
            }
            KeyKind::KeyFile => {
                let key_file = FileKeys::of(world).key_file(settings);
                let next = next_key_file(&key_file);
                // One that a killed run has left may be the key of the file by now: then it is the present one.
                if next.symlink_metadata().is_ok() && opens(&next, &held.path) {
                    rename(&next, &key_file)?;
                }
                let (key, text) = FileKey::random().map_err(|error| unsealed(&next, &error))?;
                files::write(&next, text.as_bytes(), 0o600, Existing::Replace)?;
                held.write_sealed(&held.text, &sealer.with_key(key))?;
                rename(&next, &key_file)?;
                key_file.display().to_string()
            }
        };
        out.result(json!({"file": held.path.display().to_string(), "sealedWith": with}), || {
            let file = held.path.display();
            let former = "Copies of the file open with the former key still.";
            format!("Sealed anew     {file}\nSealed with     {with}\n\n{KEEP_THE_KEY}\n{former}\n")
        })
    }
}

fn opens(key_file: &Path, file: &Path) -> bool {
    let unlock = unlock_in(key_file, KeyKind::KeyFile).ok();
    let parsed = files::read(file).ok().and_then(|bytes| EncryptedFile::parse(&bytes).ok());
    unlock.zip(parsed).is_some_and(|(unlock, file)| file.open(&unlock).is_ok())
}

fn rename(from: &Path, to: &Path) -> Result<(), CliError> {
    std::fs::rename(from, to).map_err(|error| files::unwritable(to, &error.to_string()))?;
    files::synced(&files::folder_of(to))
}

/// Whether the settings have to change from one type to the other; they may have it already.
fn switchable(store: StoreSettings, from: &str, to: &str) -> Result<bool, CliError> {
    let now = match store {
        StoreSettings::File(_) => "File",
        StoreSettings::EncryptedFile(_) => "EncryptedFile",
        StoreSettings::AzureKeyVault(_) => return Err(crate::credential_file::no_file()),
    };
    debug_assert!(now == from || now == to);
    Ok(now == from)
}

fn switch_type(world: &World, to: &str) -> Result<(), CliError> {
    Draft::new(&world.settings(), |text| set_store_text(text, "Type", to))?.save().map(|_| ())
}

fn counted(passwords: usize) -> String {
    if passwords == 1 { "1 password".to_owned() } else { format!("{passwords} passwords") }
}
