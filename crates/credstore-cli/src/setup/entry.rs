//! Step 5: the `CredentialStore` entry in Server Settings: drafted, shown, saved, tested, and put back when the test
//! does not pass.
//!
//! Only the entry changes; every other byte of the file stays. The test goes the way that every use of the settings
//! goes: read the file, sign in, resolve one identifier.

use std::path::{Path, PathBuf};
use std::time::Duration;

use credstore::codes::server as codes;
use credstore::diagnosis::{Diagnosis, Place};
use credstore::settings::{self, Cloud, DiffLine, Edited, StoreEntry, set_store_entry};
use credstore_protocol::{Identifier, SecretName};
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::app::{self, Registered};
use super::{CERTIFICATE_FILE, Ground, Row, Standing, Step, earlier, folder, shown};
use crate::credentials::Credentials;
use crate::errors::CliError;
use crate::files;
use crate::output::Output;
use crate::site;
use crate::world::World;

/// The settings before and after, not saved yet.
pub(crate) struct Draft {
    file: PathBuf,
    before: Option<Zeroizing<String>>,
    edited: Edited,
    entry: StoreEntry,
}

impl Draft {
    /// Whether the entry is there already as it is to be.
    pub(crate) fn is_saved(&self) -> bool {
        self.before.is_some() && self.edited.diff.is_empty()
    }

    /// Whether another entry is replaced.
    pub(crate) fn replaces(&self) -> bool {
        self.edited.diff.iter().any(|line| !matches!(line, DiffLine::Added(_)))
    }

    /// The entry before and after.
    pub(crate) fn diff(&self) -> &[DiffLine] {
        &self.edited.diff
    }

    /// The entry alone, as a file of its own.
    pub(crate) fn entry_alone(&self) -> Result<String, CliError> {
        Ok(set_store_entry("", &self.entry)?.text)
    }

    /// Saves it; the old version stays beside it.
    ///
    /// # Errors
    /// CS6026 when somebody saved since the draft was made; CS0107 when the file cannot be written.
    pub(crate) fn save(self) -> Result<Saved, CliError> {
        if read(&self.file)?.as_deref() != self.before.as_deref() {
            let message = format!("{} was changed by somebody else", self.file.display());
            return Err(Diagnosis::error(&codes::SETTINGS_CHANGED, message).fix("run it again").retryable().into());
        }
        let kept = match &self.before {
            Some(_) => folder::keep_old(&self.file)?,
            None => None,
        };
        files::replace_keeping_mode(&self.file, self.edited.text.as_bytes(), 0o600)?;
        Ok(Saved { file: self.file, before: self.before, kept })
    }
}

/// Saved settings that can still be put back.
pub(crate) struct Saved {
    file: PathBuf,
    before: Option<Zeroizing<String>>,
    kept: Option<PathBuf>,
}

impl Saved {
    /// Puts the old text back, because of `error`, which then says so.
    pub(crate) fn put_back(self, error: CliError) -> CliError {
        let done = match &self.before {
            Some(text) => files::replace_keeping_mode(&self.file, text.as_bytes(), 0o600),
            None => std::fs::remove_file(&self.file).map_err(|error| files::unwritable(&self.file, &error.to_string())),
        };
        match done {
            Ok(()) => {
                // Only what this run kept: the same text is in the file again.
                let _ = self.kept.map(std::fs::remove_file);
                let note = match self.before {
                    Some(_) => format!("{} is as it was before", self.file.display()),
                    None => format!("{} was not kept", self.file.display()),
                };
                error.map(|diagnosis| diagnosis.note(note))
            }
            Err(other) => other,
        }
    }
}

/// The text of the settings; `None` when there is no such file.
fn read(file: &Path) -> Result<Option<Zeroizing<String>>, CliError> {
    match file.symlink_metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Ok(_) | Err(_) => Ok(Some(settings::read(file)?)),
    }
}

/// Refuses settings whose text cannot be edited, before anything else is done.
///
/// # Errors
/// CS10xx with the place in the file.
pub(crate) fn check_text(file: &Path) -> Result<(), CliError> {
    match read(file)? {
        None => Ok(()),
        Some(text) => edit(&text, &StoreEntry::File, file).map(|_| ()),
    }
}

fn edit(text: &str, entry: &StoreEntry, file: &Path) -> Result<Edited, CliError> {
    set_store_entry(text, entry).map_err(|mut error| {
        error.place = Some(Place { file: Some(file.to_owned()), ..error.place.unwrap_or_default() });
        error.into()
    })
}

/// The settings as they are to be; `None` when there is no app or no vault name to write yet.
pub(crate) async fn draft(ground: &Ground<'_>) -> Result<Option<Draft>, CliError> {
    let (Some(connection), Some(vault)) = (ground.connection, &ground.job.vault) else { return Ok(None) };
    let Some(Registered { app, .. }) = app::registered(ground).await? else { return Ok(None) };
    let entry = StoreEntry::AzureKeyVault {
        tenant_id: connection.tenant.to_string(),
        client_id: app.app_id.to_string(),
        vault_name: vault.to_string(),
        certificate_file: CERTIFICATE_FILE.to_owned(),
        cloud: Cloud::Custom { authority_host: connection.authority(), vault_dns_suffix: connection.vault_suffix() },
        ca_file: Some(ca_file(ground.world, &ground.job.folder())?),
    };
    let file = ground.job.settings.clone();
    let before = read(&file)?;
    let edited = edit(before.as_deref().map_or("", |text| text), &entry, &file)?;
    Ok(Some(Draft { file, before, edited, entry }))
}

/// As [`draft`], where it must be possible.
///
/// # Errors
/// CS6024 when the app is not registered.
pub(crate) async fn must_draft(ground: &Ground<'_>) -> Result<Draft, CliError> {
    match draft(ground).await? {
        Some(draft) => Ok(draft),
        None => Err(earlier(Step::Settings, Step::App, "the app is not registered")),
    }
}

/// `CaFile`: relative when the data folder is below that of the settings, so that both can be moved together.
fn ca_file(world: &World, settings_folder: &Path) -> Result<String, CliError> {
    let whole = |path: &Path| path.canonicalize().map_err(|error| files::unreadable(path, &error.to_string()));
    let ca = whole(&world.data_folder())?.join(site::CA_FILE);
    let path = match ca.strip_prefix(whole(settings_folder)?) {
        Ok(below) => below.to_owned(),
        Err(_) => ca,
    };
    match path.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(files::unreadable(&path, "its name is not UTF-8, and settings are")),
    }
}

pub(super) async fn look(ground: &Ground<'_>) -> Result<Row, CliError> {
    let name = shown(&ground.job.settings);
    let row = |standing, state: &str| Ok(Row::new(Step::Settings, "Server Settings", name.clone(), standing, state));
    match draft(ground).await? {
        Some(draft) if draft.is_saved() => row(Standing::Done, "already there"),
        Some(draft) if draft.replaces() => row(Standing::Open, "another CredentialStore"),
        Some(_) | None if read(&ground.job.settings)?.is_none() => row(Standing::Open, "not there"),
        Some(_) => row(Standing::Open, "no CredentialStore"),
        None => row(Standing::Open, "not for this vault"),
    }
}

/// Resolves `secret` with the settings as they are in the file. Gives how long that took, sign-in included.
///
/// # Errors
/// What is wrong, with its place in the settings where it has one.
pub(crate) async fn test(
    world: &World,
    file: &Path,
    secret: &SecretName,
    out: &mut Output,
) -> Result<Duration, CliError> {
    let identifier: Identifier = crate::names::identifier(secret.as_str())?;
    let started = Instant::now();
    let credentials = Credentials::of_file(world, file).await?;
    credentials.resolve(&identifier, "asked for by the test of the set-up", world, out).await?;
    Ok(started.elapsed())
}
