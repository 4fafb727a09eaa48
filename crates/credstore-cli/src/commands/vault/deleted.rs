//! `credstore vault list-deleted|recover|purge`: vaults after their deletion.

use clap::Args;
use credstore::azure::arm::{ArmClient, DeletedVault};
use credstore::codes::vault as codes;
use credstore::diagnosis::Diagnosis;
use credstore_protocol::VaultName;
use serde_json::{Value, json};

use super::{object, uri};
use crate::cli::Change;
use crate::confirm;
use crate::errors::CliError;
use crate::names;
use crate::output::{Output, Table};
use crate::site::{self, Absent};
use crate::world::World;

/// List the deleted vaults
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore vault list-deleted")]
pub(super) struct ListDeleted {}

impl ListDeleted {
    pub(super) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let arm = site::connect(world, Absent::Refuse).await?.arm()?;
        let mut vaults = arm.deleted_vaults(site::when(world)).await?;
        vaults.sort_by(|a, b| a.name.cmp(&b.name));
        // A message of ours always has a JSON form.
        out.result(vaults.iter().map(|vault| serde_json::to_value(vault).unwrap_or_default()).collect(), || {
            let mut table = Table::new(&["NAME", "DELETED", "PURGED ON", "PURGE BEFORE THAT"]);
            for DeletedVault { name, properties, .. } in &vaults {
                let purge = if properties.purge_protection_enabled { "no" } else { "yes" }.to_owned();
                let (deleted, purged) = (properties.deletion_date.clone(), properties.scheduled_purge_date.clone());
                table.row(vec![name.clone(), deleted, purged, purge]);
            }
            table.to_string()
        })
    }
}

/// The deleted vault of this name.
async fn find(arm: &ArmClient, name: &VaultName, world: &World) -> Result<DeletedVault, CliError> {
    let vaults = arm.deleted_vaults(site::when(world)).await?;
    let found = vaults.into_iter().find(|vault| vault.name.eq_ignore_ascii_case(name.as_str()));
    found.ok_or_else(|| {
        Diagnosis::error(&codes::DELETED_VAULT_MISSING, format!("there is no deleted vault {name}"))
            .fix("list what is there: credstore vault list-deleted")
            .into()
    })
}

/// Bring a deleted vault back with its secrets and access policies
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore vault recover --name acme-pm-kv")]
pub(super) struct Recover {
    /// Name of the vault
    #[arg(long, short, value_name = "VAULT")]
    name: String,
    #[command(flatten)]
    change: Change,
}

impl Recover {
    pub(super) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let name = names::vault(&self.name)?;
        if self.change.only_said(&format!("recover the vault {name}"), out)? {
            return Ok(());
        }
        let connection = site::connect(world, Absent::Refuse).await?;
        let arm = connection.arm()?;
        let deleted = find(&arm, &name, world).await?;
        let (place, tenant) = (&deleted.properties.location, connection.tenant.as_str());
        let recovered = arm.recover_vault(&name, place, tenant, site::when(world)).await?;
        if recovered.properties.enable_rbac_authorization == Some(true) {
            out.note("the vault uses roles; those that were assigned on it are gone and have to be assigned again");
        }
        out.result(object(&recovered), || format!("{}  recovered   {}\n", recovered.name, uri(&recovered)))
    }
}

/// Destroy a deleted vault and everything in it for good
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore vault purge --name acme-pm-kv --yes --confirm acme-pm-kv")]
pub(super) struct Purge {
    /// Name of the vault
    #[arg(long, short, value_name = "VAULT")]
    name: String,
    /// The name again, for scripts
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
    #[command(flatten)]
    change: Change,
}

impl Purge {
    pub(super) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let name = names::vault(&self.name)?;
        if self.change.only_said(&format!("purge the vault {name}"), out)? {
            return Ok(());
        }
        let act = format!("purging the vault {name} cannot be undone");
        confirm::named(world, &act, name.as_str(), self.confirm.as_deref())?;
        let arm = site::connect(world, Absent::Refuse).await?.arm()?;
        let deleted = find(&arm, &name, world).await?;
        let done = arm.purge_vault(&name, &deleted.properties.location, site::when(world)).await;
        done?;
        let gone: Value = json!({ "name": deleted.name, "purged": true });
        out.result(gone, || format!("{}  purged\n", deleted.name))
    }
}
