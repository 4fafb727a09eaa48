//! `credstore vault`: the vaults of the embedded vault, as `az keyvault`.

pub(crate) mod access_policy;
mod at;
mod certificate;
mod certificate_contact;
mod certificate_issuer;
mod certificate_text;
mod deleted;
mod key;
mod key_file;
mod key_policy;
mod key_text;
mod key_use;
mod object;
mod secret;
mod secret_json;
mod update;

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use credstore::azure::arm::new_vault;
use credstore::codes::vault as codes;
use credstore::diagnosis::Diagnosis;
use credstore_protocol::VaultName;
use credstore_protocol::arm::{AccessPolicyEntry, Permissions, VaultResource};
use serde_json::{Value, json};

use crate::cli::Change;
use crate::confirm;
use crate::errors::CliError;
use crate::names;
use crate::output::{Output, Table, pairs};
use crate::site::{self, Absent, Connection};
use crate::world::World;

/// Where our vaults are, in the words of ARM.
pub(crate) const LOCATION: &str = "local";

/// Vaults of the embedded vault, their secrets, certificates, keys and access policies
#[derive(Args, Debug)]
#[command(
    arg_required_else_help = true,
    subcommand_required = true,
    before_help = "Example\n  credstore vault create --name acme-pm-kv"
)]
pub(crate) struct Vault {
    #[command(subcommand)]
    command: VaultCommand,
}

#[derive(Subcommand, Debug)]
enum VaultCommand {
    Create(Create),
    List(List),
    Show(Show),
    Update(update::Update),
    Delete(Delete),
    ListDeleted(deleted::ListDeleted),
    Recover(deleted::Recover),
    Purge(deleted::Purge),
    Secret(secret::Secret),
    Certificate(certificate::Certificate),
    Key(key::Key),
    AccessPolicy(access_policy::AccessPolicy),
    /// The same as access-policy set, as az spells it
    #[command(hide = true)]
    SetPolicy(access_policy::Set),
    /// The same as access-policy delete, as az spells it
    #[command(hide = true)]
    DeletePolicy(access_policy::Delete),
}

impl Vault {
    /// Runs the verb.
    pub(crate) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        match self.command {
            VaultCommand::Create(command) => command.run(world, out).await,
            VaultCommand::List(command) => command.run(world, out).await,
            VaultCommand::Show(command) => command.run(world, out).await,
            VaultCommand::Update(command) => command.run(world, out).await,
            VaultCommand::Delete(command) => command.run(world, out).await,
            VaultCommand::ListDeleted(command) => command.run(world, out).await,
            VaultCommand::Recover(command) => command.run(world, out).await,
            VaultCommand::Purge(command) => command.run(world, out).await,
            VaultCommand::Secret(command) => command.run(world, out).await,
            VaultCommand::Certificate(command) => command.run(world, out).await,
            VaultCommand::Key(command) => command.run(world, out).await,
            VaultCommand::AccessPolicy(command) => command.run(world, out).await,
            VaultCommand::SetPolicy(command) => command.run(world, out).await,
            VaultCommand::DeletePolicy(command) => command.run(world, out).await,
        }
    }
}

/// Make a vault; who makes it may do everything in it
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore vault create --name acme-pm-kv")]
struct Create {
    /// Name of the vault: 3 to 24 letters, digits and hyphens
    #[arg(long, short, value_name = "VAULT")]
    name: String,
    /// Days that deleted secrets are kept, 7 to 90
    #[arg(long, value_name = "DAYS", default_value_t = 90, value_parser = clap::value_parser!(u16).range(7..=90))]
    retention_days: u16,
    /// Nobody can purge, and nobody can switch this off
    #[arg(long)]
    enable_purge_protection: bool,
    /// Tags of the vault
    #[arg(long, value_name = "K=V", num_args = 1..)]
    tags: Vec<String>,
    #[command(flatten)]
    change: Change,
}

impl Create {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let name = names::vault(&self.name)?;
        let tags = names::tags(&self.tags)?;
        if self.change.only_said(&format!("create the vault {name}"), out)? {
            return Ok(());
        }
        let connection = site::connect(world, Absent::Create).await?;
        if connection.find_vault(&name, site::when(world)).await?.is_some() {
            return Err(Diagnosis::error(&codes::VAULT_NAME_TAKEN, format!("the vault {name} exists"))
                .fix(format!("credstore vault show --name {name}, or choose another name"))
                .into());
        }
        let made = create(&connection, &name, self.retention_days, self.enable_purge_protection, tags, world).await?;
        out.result(object(&made), || {
            format!("{name}  created   {}   secrets for its maker, nobody else yet\n", uri(&made))
        })
    }
}

/// Makes a vault in which the operator may do everything, as `az keyvault create` does for its caller.
pub(crate) async fn create(
    connection: &Connection,
    name: &VaultName,
    retention_days: u16,
    purge_protection: bool,
    tags: BTreeMap<String, String>,
    world: &World,
) -> Result<VaultResource, CliError> {
    let when = site::when(world);
    let principal = connection.graph()?.service_principal(&connection.operator, when).await?;
    let all = || vec!["all".to_owned()];
    let policies = principal.into_iter().map(|principal| AccessPolicyEntry {
        tenant_id: connection.tenant.to_string(),
        object_id: principal.id.to_string(),
        application_id: None,
        permissions: Permissions { keys: all(), secrets: all(), certificates: all(), storage: all() },
    });
    let mut resource = new_vault(LOCATION, connection.tenant.as_str(), policies.collect(), tags);
    resource.properties.soft_delete_retention_in_days = Some(retention_days);
    resource.properties.enable_purge_protection = purge_protection.then_some(true);
    let arm = connection.arm()?;
    arm.ensure_group(LOCATION, when).await?;
    arm.put_vault(name, resource, when).await.map_err(CliError::from)
}

/// List the vaults
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore vault list")]
struct List {}

impl List {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let connection = site::connect(world, Absent::Refuse).await?;
        let mut vaults = connection.arm()?.vaults(site::when(world)).await?;
        vaults.sort_by(|a, b| a.name.cmp(&b.name));
        out.result(vaults.iter().map(object).collect(), || {
            let mut table = Table::new(&["NAME", "VAULT URI", "RETENTION", "POLICIES"]);
            for vault in &vaults {
                let properties = &vault.properties;
                let days = properties.soft_delete_retention_in_days.unwrap_or_default();
                let policies = match properties.enable_rbac_authorization {
                    Some(true) => "roles".to_owned(),
                    Some(false) | None => properties.access_policies.len().to_string(),
                };
                table.row(vec![vault.name.clone(), uri(vault).to_owned(), format!("{days} days"), policies]);
            }
            table.to_string()
        })
    }
}

/// Show one vault
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore vault show --name acme-pm-kv")]
struct Show {
    /// Name of the vault
    #[arg(long, short, value_name = "VAULT")]
    name: String,
}

impl Show {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let name = names::vault(&self.name)?;
        let connection = site::connect(world, Absent::Refuse).await?;
        let (_, vault) = connection.located(&name, site::when(world)).await?;
        out.result(object(&vault), || {
            let properties = &vault.properties;
            pairs([
                ("Name", vault.name.clone()),
                ("Vault URI", uri(&vault).to_owned()),
                ("Tenant ID", properties.tenant_id.clone()),
                ("Retention", format!("{} days", properties.soft_delete_retention_in_days.unwrap_or_default())),
                ("Purge protection", protection(&vault).to_owned()),
                ("Decides by", model(&vault).to_owned()),
                ("Access policies", properties.access_policies.len().to_string()),
                ("Tags", tags(&vault.tags)),
            ])
        })
    }
}

/// Delete a vault with all its secrets; it can be recovered until it is purged
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore vault delete --name acme-pm-kv --yes --confirm acme-pm-kv")]
struct Delete {
    /// Name of the vault
    #[arg(long, short, value_name = "VAULT")]
    name: String,
    /// The name again, for scripts
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
    #[command(flatten)]
    change: Change,
}

impl Delete {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let name = names::vault(&self.name)?;
        if self.change.only_said(&format!("delete the vault {name}"), out)? {
            return Ok(());
        }
        let act = format!("deleting the vault {name} takes its secrets from every app");
        confirm::named(world, &act, name.as_str(), self.confirm.as_deref())?;
        let connection = site::connect(world, Absent::Refuse).await?;
        let when = site::when(world);
        // To delete what is not there is no error of the protocol; of a person it is a mistake in the name.
        let (arm, _) = connection.located(&name, when).await?;
        arm.delete_vault(&name, when).await?;
        out.result(json!({ "name": name.as_str(), "deleted": true }), || {
            format!("{name}  deleted; credstore vault recover --name {name} brings it back\n")
        })
    }
}

fn protection(vault: &VaultResource) -> &'static str {
    if vault.properties.enable_purge_protection == Some(true) { "yes" } else { "no" }
}

/// Which of the two permission models decides.
fn model(vault: &VaultResource) -> &'static str {
    if vault.properties.enable_rbac_authorization == Some(true) { "roles" } else { "access policies" }
}

fn tags(tags: &BTreeMap<String, String>) -> String {
    let tags: Vec<String> = tags.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if tags.is_empty() { "-".to_owned() } else { tags.join(" ") }
}

fn uri(vault: &VaultResource) -> &str {
    vault.properties.vault_uri.as_deref().unwrap_or_default()
}

fn object(vault: &VaultResource) -> Value {
    // A message of ours always has a JSON form.
    serde_json::to_value(vault).unwrap_or_default()
}
