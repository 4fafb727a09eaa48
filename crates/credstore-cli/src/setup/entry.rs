//! Step 5: the `CredentialStore` entry in Server Settings: drafted, shown, saved, tested, and put back when the test
//! does not pass.
//!
//! Only the entry changes; every other byte of the file stays. The test goes the way that every use of the settings
//! goes: read the file, sign in, resolve one identifier.

use std::path::Path;
use std::time::Duration;

use credstore::settings::{Cloud, StoreEntry, set_store_entry, store_text};
use credstore_protocol::{Identifier, SecretName};
use tokio::time::Instant;

use super::app::{self, Registered};
use super::{CERTIFICATE_FILE, Ground, Row, Standing, Step, earlier, shown};
use crate::credentials::Credentials;
use crate::draft::{Draft, read};
use crate::errors::CliError;
use crate::files;
use crate::output::Output;
use crate::site;
use crate::world::World;

/// Refuses settings whose text cannot be edited, before anything else is done.
///
/// # Errors
/// CS10xx with the place in the file.
pub(crate) fn check_text(file: &Path) -> Result<(), CliError> {
    match read(file)? {
        None => Ok(()),
        Some(_) => Draft::new(file, |text| set_store_entry(text, &StoreEntry::File)).map(|_| ()),
    }
}

/// The file beside the settings that they sign in with already, a renewed one perhaps; otherwise the usual name.
pub(crate) fn certificate_file(settings: &Path) -> String {
    let text = read(settings).ok().flatten();
    let named = text.and_then(|text| store_text(&text, "CertificateFile").ok().flatten());
    let is_beside = |name: &String| !name.contains('/') && settings.with_file_name(name).is_file();
    named.filter(is_beside).unwrap_or_else(|| CERTIFICATE_FILE.to_owned())
}

/// The entry as it is to be; `None` when there is no app or no vault name to write yet.
async fn entry(ground: &Ground<'_>) -> Result<Option<StoreEntry>, CliError> {
    let (Some(connection), Some(vault)) = (ground.connection, &ground.job.vault) else { return Ok(None) };
    let Some(Registered { app, .. }) = app::registered(ground).await? else { return Ok(None) };
    Ok(Some(StoreEntry::AzureKeyVault {
        tenant_id: connection.tenant.to_string(),
        client_id: app.app_id.to_string(),
        vault_name: vault.to_string(),
        certificate_file: ground.job.certificate.clone(),
        cloud: Cloud::Custom { authority_host: connection.authority(), vault_dns_suffix: connection.vault_suffix() },
        ca_file: Some(ca_file(ground.world, &ground.job.folder())?),
    }))
}

/// The settings as they are to be; `None` as for the entry.
pub(crate) async fn draft(ground: &Ground<'_>) -> Result<Option<Draft>, CliError> {
    let Some(entry) = entry(ground).await? else { return Ok(None) };
    Draft::new(&ground.job.settings, |text| set_store_entry(text, &entry)).map(Some)
}

/// The entry alone, as a file of its own.
///
/// # Errors
/// CS6024 when the app is not registered.
pub(crate) async fn alone(ground: &Ground<'_>) -> Result<String, CliError> {
    let entry = entry(ground).await?.ok_or_else(no_app)?;
    Ok(set_store_entry("", &entry)?.text)
}

fn no_app() -> CliError {
    earlier(Step::Settings, Step::App, "the app is not registered")
}

/// As [`draft`], where it must be possible.
///
/// # Errors
/// CS6024 when the app is not registered.
pub(crate) async fn must_draft(ground: &Ground<'_>) -> Result<Draft, CliError> {
    draft(ground).await?.ok_or_else(no_app)
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
