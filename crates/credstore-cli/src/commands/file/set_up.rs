//! `credstore setup file`: an encrypted file, a first password and Server Settings, in three steps that can be repeated.

use std::path::Path;

use clap::Args;
use credstore::codes::settings as codes;
use credstore::diagnosis::Diagnosis;
use credstore::encrypted_file::{Sealer, is_encrypted};
use credstore::settings::{EncryptedFileSettings, StoreEntry, StoreSettings, set_store_entry};
use credstore::store::file::identifiers_in;
use credstore::store::file_edit::set_password;
use credstore_protocol::{Secret, SecretName};
use serde_json::json;

use super::seal::{With, configured, places};
use crate::cli::Change;
use crate::confirm;
use crate::credential_file::{Held, turn, write_sealed};
use crate::draft::Draft;
use crate::errors::CliError;
use crate::files::{self, Existing};
use crate::names;
use crate::output::Output;
use crate::secret_input::SecretSource;
use crate::setup::{entry, report};
use crate::world::World;

/// An encrypted file beside the settings, with its key; what is done already is left alone
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore setup file --secret SmtpRelay --settings server-settings.json")]
pub(crate) struct SetupFile {
    /// Name of the first secret: the identifier
    #[arg(long, value_name = "NAME")]
    secret: Option<SecretName>,
    #[command(flatten)]
    with: With,
    #[command(flatten)]
    source: SecretSource,
    #[command(flatten)]
    change: Change,
}

impl SetupFile {
    pub(crate) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        self.source.refuse_argument("credstore setup file")?;
        let file = world.settings_to_write();
        entry::check_text(&file)?;
        let places = places(world)?;
        let path = places.path.clone();
        if self
            .change
            .only_said(&format!("make the encrypted file {} and name it in {}", path.display(), file.display()), out)?
        {
            return Ok(());
        }
        let is_new = path.symlink_metadata().is_err();
        if !is_new && !is_encrypted(&files::read(&path)?) {
            let message = format!("{} is there and not encrypted", path.display());
            return Err(Diagnosis::error(&codes::FILE_NOT_ENCRYPTED, message)
                .fix("credstore file encrypt   seals it with what is in it, and switches Server Settings")
                .into());
        }
        let store = StoreSettings::EncryptedFile(places.clone());
        // Asked for before anything is made, so that a missing value leaves nothing behind.
        let value = match &self.secret {
            Some(name) if is_new || !has(&Held::open(world, &store).await?, name)? => {
                Some(self.source.read(world, out)?)
            }
            Some(_) | None => None,
        };
        let made = self.make(world, &places, is_new).await?;
        said(1, "Credential file", &path.display().to_string(), &made, out);
        if let Some(name) = &self.secret {
            said(2, "Secret", name.as_str(), put(world, &store, name, value).await?, out);
        }
        let saved = self.settings(world, &file, out)?;
        if let Some(name) = &self.secret {
            let span = entry::test(world, &file, name, out).await?;
            out.line(format!("     tested: {name} resolved in {} ms", report::milliseconds(span)));
        }
        let object = json!({"file": path.display().to_string(), "made": is_new, "settings": file.display().to_string(), "saved": saved});
        out.result(object, || "\nDone. Keep a copy of the key apart from copies of the file.\n".to_owned())
    }

    async fn make(&self, world: &World, places: &EncryptedFileSettings, is_new: bool) -> Result<String, CliError> {
        if !is_new {
            return Ok("already there".to_owned());
        }
        let _turn = turn(&places.path).await?;
        let (key, with) = self.with.key(world, places)?;
        write_sealed(&places.path, "{}", &Sealer::new(key), Existing::Keep)?;
        Ok(format!("sealed with {with}"))
    }

    /// Names the file in Server Settings; whether they changed.
    fn settings(&self, world: &World, file: &Path, out: &mut Output) -> Result<bool, CliError> {
        let name = file.display().to_string();
        if configured(file)?.is_some() {
            said(3, "Server Settings", &name, "already there", out);
            return Ok(false);
        }
        let draft = Draft::new(file, |text| set_store_entry(text, &StoreEntry::EncryptedFile))?;
        said(3, "Server Settings", &name, "", out);
        out.line(format!("\n{}", report::diff(draft.diff()).trim_end()));
        if draft.replaces() {
            if world.terminals.stdout {
                out.flush()?;
            }
            confirm::yes(world, "     Save this? The old version is kept beside it.")?;
        }
        draft.save()?;
        out.line("     saved");
        Ok(true)
    }
}

fn said(number: u8, what: &str, name: &str, state: &str, out: &mut Output) {
    out.line(format!("  {number}  {what:<15}  {name:<25}  {state}").trim_end());
}

fn has(held: &Held, name: &SecretName) -> Result<bool, CliError> {
    Ok(identifiers_in(&held.text, &held.path)?.iter().any(|known| known == name.as_str()))
}

/// Puts the value into the file unless its name is there.
async fn put(
    world: &World,
    store: &StoreSettings,
    name: &SecretName,
    value: Option<Secret>,
) -> Result<&'static str, CliError> {
    let held = Held::open(world, store).await?;
    match value {
        Some(value) if !has(&held, name)? => {
            let (text, _) = set_password(&held.text, &held.path, &names::identifier(name.as_str())?, &value)?;
            held.write(&text)?;
            Ok("added")
        }
        Some(_) | None => Ok("already there"),
    }
}
