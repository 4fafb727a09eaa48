//! The verbs that every kind of object has: lists, delete and what comes after it, backup and restore.
//!
//! A kind says in [`Shown`] how it looks; examples and first lines of the help are at the verbs of the kind.

use std::path::PathBuf;

use clap::Args;
use credstore::azure::VaultObject;
use credstore_protocol::Timestamp;
use credstore_protocol::key_vault::BackupBlob;
use serde_json::{Value, json};

use super::at::{InVault, Named, write};
use crate::cli::Change;
use crate::confirm;
use crate::errors::CliError;
use crate::files;
use crate::names;
use crate::output::{Output, Table};
use crate::site;
use crate::time_text::{date, rfc3339};
use crate::world::World;

/// How a kind of object looks, in JSON and to people.
pub(super) trait Shown: VaultObject {
    /// What goes with it when it is deleted, for the question before.
    const WITH: &'static str;

    fn id(bundle: &Self::Bundle) -> &str;
    fn bundle(bundle: &Self::Bundle) -> Value;
    fn item(item: &Self::Item) -> Value;
    fn deleted(deleted: &Self::Deleted) -> Value;
    fn deleted_item(deleted: &Self::DeletedItem) -> Value;
    fn table(items: &[Self::Item], versions: bool, now: Timestamp) -> String;
    /// When a deleted object is purged.
    fn purged(deleted: &Self::Deleted) -> Timestamp;
    /// Identifier of a deleted object, when it was deleted and when it is purged.
    fn deletion(deleted: &Self::DeletedItem) -> (&str, Timestamp, Timestamp);
}

/// Name and version of `https://…/{collection}/{name}/{version}`.
pub(super) fn name_and_version<O: VaultObject>(id: &str) -> (&str, Option<&str>) {
    let collection = format!("/{}/", O::KIND.collection());
    let mut parts = id.split(&collection).nth(1).unwrap_or(id).splitn(2, '/');
    (parts.next().unwrap_or(id), parts.next().filter(|version| !version.is_empty()))
}

/// A deleted object: `object`, how it is recovered, when it was deleted and when it is purged.
pub(super) fn with_dates(mut object: Value, recovery_id: &str, [deleted, purged]: [Timestamp; 2]) -> Value {
    object["recoveryId"] = json!(recovery_id);
    object["deletedDate"] = json!(rfc3339(deleted));
    object["scheduledPurgeDate"] = json!(rfc3339(purged));
    object
}

#[derive(Args, Debug)]
pub(super) struct List {
    #[command(flatten)]
    vault: InVault,
}

impl List {
    pub(super) async fn run<O: Shown>(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let vault = self.vault.open(world).await?;
        let items = vault.objects::<O>(site::when(world)).await?;
        out.result(items.iter().map(O::item).collect(), || O::table(&items, false, world.now()))
    }
}

#[derive(Args, Debug)]
pub(super) struct ListVersions {
    #[command(flatten)]
    at: Named,
}

impl ListVersions {
    pub(super) async fn run<O: Shown>(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let (vault, name) = self.at.open(world).await?;
        let items = vault.object_versions::<O>(&name, site::when(world)).await?;
        out.result(items.iter().map(O::item).collect(), || O::table(&items, true, world.now()))
    }
}

#[derive(Args, Debug)]
pub(super) struct Delete {
    #[command(flatten)]
    at: Named,
    #[command(flatten)]
    change: Change,
}

impl Delete {
    pub(super) async fn run<O: Shown>(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let (kind, with) = (O::KIND, O::WITH);
        let name = names::secret(&self.at.name)?;
        if self.change.only_said(&format!("delete the {kind} {name}"), out)? {
            return Ok(());
        }
        let back = format!("credstore vault {kind} recover -n {name} brings it back.");
        confirm::yes(world, &format!("Delete {name}{with}? {back}"))?;
        let (vault, name) = self.at.open(world).await?;
        let deleted = vault.delete_object::<O>(&name, site::when(world)).await?;
        out.result(O::deleted(&deleted), || {
            format!("{name}  deleted, recoverable until {}\n", date(O::purged(&deleted)))
        })
    }
}

#[derive(Args, Debug)]
pub(super) struct ListDeleted {
    #[command(flatten)]
    vault: InVault,
}

impl ListDeleted {
    pub(super) async fn run<O: Shown>(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let vault = self.vault.open(world).await?;
        let items = vault.deleted_objects::<O>(site::when(world)).await?;
        out.result(items.iter().map(O::deleted_item).collect(), || {
            let mut table = Table::new(&["NAME", "DELETED", "PURGED ON"]);
            for item in &items {
                let (id, deleted, purged) = O::deletion(item);
                let (name, _) = name_and_version::<O>(id);
                table.row(vec![name.to_owned(), rfc3339(deleted), rfc3339(purged)]);
            }
            table.to_string()
        })
    }
}

#[derive(Args, Debug)]
pub(super) struct ShowDeleted {
    #[command(flatten)]
    at: Named,
}

impl ShowDeleted {
    pub(super) async fn run<O: Shown>(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let (vault, name) = self.at.open(world).await?;
        let deleted = vault.deleted_object::<O>(&name, site::when(world)).await?;
        out.result(O::deleted(&deleted), || {
            format!("{name}  deleted, recoverable until {}\n", date(O::purged(&deleted)))
        })
    }
}

#[derive(Args, Debug)]
pub(super) struct Recover {
    #[command(flatten)]
    at: Named,
    #[command(flatten)]
    change: Change,
}

impl Recover {
    pub(super) async fn run<O: Shown>(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let name = names::secret(&self.at.name)?;
        if self.change.only_said(&format!("recover the {} {name}", O::KIND), out)? {
            return Ok(());
        }
        let (vault, name) = self.at.open(world).await?;
        let bundle = vault.recover_object::<O>(&name, site::when(world)).await?;
        out.result(O::bundle(&bundle), || format!("{name}  recovered\n"))
    }
}

#[derive(Args, Debug)]
pub(super) struct Purge {
    #[command(flatten)]
    at: Named,
    /// The name again, for scripts
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
    #[command(flatten)]
    change: Change,
}

impl Purge {
    pub(super) async fn run<O: Shown>(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let name = names::secret(&self.at.name)?;
        if self.change.only_said(&format!("purge the {} {name}", O::KIND), out)? {
            return Ok(());
        }
        confirm::named(world, &format!("purging {name} cannot be undone"), name.as_str(), self.confirm.as_deref())?;
        let (vault, name) = self.at.open(world).await?;
        vault.purge_object::<O>(&name, site::when(world)).await?;
        out.result(json!({ "name": name.as_str(), "purged": true }), || format!("{name}  purged\n"))
    }
}

#[derive(Args, Debug)]
pub(super) struct Backup {
    #[command(flatten)]
    at: Named,
    /// File to write, mode 0600
    #[arg(long, short, value_name = "FILE")]
    file: PathBuf,
}

impl Backup {
    pub(super) async fn run<O: Shown>(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let (vault, name) = self.at.open(world).await?;
        let backup = vault.backup_object::<O>(&name, site::when(world)).await?;
        write(&self.file, backup.value.as_bytes(), 0o600, world)?;
        let file = self.file.display().to_string();
        out.result(json!({ "name": name.as_str(), "file": file }), || {
            format!("{name}  sealed backup in {file}   mode 0600\n")
        })
    }
}

#[derive(Args, Debug)]
pub(super) struct Restore {
    #[command(flatten)]
    vault: InVault,
    /// File that backup wrote
    #[arg(long, short, value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    change: Change,
}

impl Restore {
    pub(super) async fn run<O: Shown>(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let blob = BackupBlob { value: files::read_text(&self.file)?.trim().to_owned() };
        if self.change.only_said(&format!("restore the {} in {}", O::KIND, self.file.display()), out)? {
            return Ok(());
        }
        let vault = self.vault.open(world).await?;
        let bundle = vault.restore_object::<O>(&blob, site::when(world)).await?;
        out.result(O::bundle(&bundle), || format!("{}  restored\n", name_and_version::<O>(O::id(&bundle)).0))
    }
}

#[cfg(test)]
mod tests {
    use credstore::azure::{Certificates, Secrets};

    use super::*;

    #[test]
    fn an_identifier_has_a_name_and_perhaps_a_version() {
        let id = "https://v.vault.localhost:8443/secrets/A";
        assert_eq!(name_and_version::<Secrets>(id), ("A", None));
        assert_eq!(name_and_version::<Secrets>(&format!("{id}/0f")), ("A", Some("0f")));
        let id = "https://v.vault.localhost:8443/certificates/A/0f";
        assert_eq!(name_and_version::<Certificates>(id), ("A", Some("0f")));
    }
}
