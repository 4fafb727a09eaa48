//! `credstore vault access-policy`: who may do what in a vault.

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use credstore::azure::arm::AccessPolicyChange;
use credstore::codes::directory as codes;
use credstore::diagnosis::Diagnosis;
use credstore_protocol::arm::{AccessPolicyEntry, Permissions, VaultResource};
use credstore_protocol::{ClientId, ObjectId, VaultName};
use serde_json::{Value, json};

use crate::cli::Change;
use crate::confirm;
use crate::errors::CliError;
use crate::names;
use crate::output::{Output, Table};
use crate::site::{self, Absent, Connection};
use crate::world::World;

/// Source: contract section 10.
const KEYS: [&str; 21] = [
    "all",
    "encrypt",
    "decrypt",
    "wrapKey",
    "unwrapKey",
    "sign",
    "verify",
    "get",
    "list",
    "create",
    "update",
    "import",
    "delete",
    "backup",
    "restore",
    "recover",
    "purge",
    "release",
    "rotate",
    "getrotationpolicy",
    "setrotationpolicy",
];
/// Source: contract section 10.
const SECRETS: [&str; 9] = ["all", "get", "list", "set", "delete", "backup", "restore", "recover", "purge"];
/// Source: contract section 10.
const CERTIFICATES: [&str; 17] = [
    "all",
    "get",
    "list",
    "delete",
    "create",
    "import",
    "update",
    "managecontacts",
    "getissuers",
    "listissuers",
    "setissuers",
    "deleteissuers",
    "manageissuers",
    "recover",
    "purge",
    "backup",
    "restore",
];

/// Who may do what in a vault
#[derive(Args, Debug)]
#[command(
    arg_required_else_help = true,
    subcommand_required = true,
    before_help = "Example\n  credstore vault access-policy list --name acme-pm-kv"
)]
pub(super) struct AccessPolicy {
    #[command(subcommand)]
    command: AccessPolicyCommand,
}

#[derive(Subcommand, Debug)]
enum AccessPolicyCommand {
    Set(Set),
    List(List),
    Delete(Delete),
}

impl AccessPolicy {
    pub(super) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        match self.command {
            AccessPolicyCommand::Set(command) => command.run(world, out).await,
            AccessPolicyCommand::List(command) => command.run(world, out).await,
            AccessPolicyCommand::Delete(command) => command.run(world, out).await,
        }
    }
}

/// Whose policy it is.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct Principal {
    /// Application (client) ID of the app
    #[arg(long, value_name = "APPID")]
    spn: Option<String>,
    /// Object ID of the service principal
    #[arg(long, value_name = "ID")]
    object_id: Option<String>,
}

impl Principal {
    async fn object_id(&self, connection: &Connection, world: &World) -> Result<ObjectId, CliError> {
        if let Some(id) = &self.object_id {
            return names::guid(id, "an object ID");
        }
        let client: ClientId = names::guid(self.spn.as_deref().unwrap_or_default(), "an application (client) ID")?;
        let found = connection.graph()?.service_principal(&client, site::when(world)).await;
        match found? {
            Some(principal) => Ok(principal.id),
            None => Err(Diagnosis::error(
                &codes::DIRECTORY_OBJECT_MISSING,
                format!("there is no app with the client ID {client}"),
            )
            .fix("credstore app list   shows the client IDs")
            .into()),
        }
    }
}

/// Give permissions in a vault; kinds that are not named stay as they are
#[derive(Args, Debug)]
#[command(
    before_help = "Example\n  credstore vault access-policy set --name acme-pm-kv --spn APPID --secret-permissions get"
)]
pub(super) struct Set {
    /// Name of the vault
    #[arg(long, short, value_name = "VAULT")]
    name: String,
    #[command(flatten)]
    principal: Principal,
    /// On secrets: all, get, list, set, delete, backup, restore, recover, purge
    #[arg(long, value_name = "PERMISSION", num_args = 0.., value_delimiter = ',', ignore_case = true, hide_possible_values = true,
        value_parser = PossibleValuesParser::new(SECRETS))]
    secret_permissions: Option<Vec<String>>,
    /// On keys, as in az
    #[arg(long, value_name = "PERMISSION", num_args = 0.., value_delimiter = ',', ignore_case = true, hide_possible_values = true,
        value_parser = PossibleValuesParser::new(KEYS))]
    key_permissions: Option<Vec<String>>,
    /// On certificates, as in az
    #[arg(long, value_name = "PERMISSION", num_args = 0.., value_delimiter = ',', ignore_case = true, hide_possible_values = true,
        value_parser = PossibleValuesParser::new(CERTIFICATES))]
    certificate_permissions: Option<Vec<String>>,
    #[command(flatten)]
    change: Change,
}

impl Set {
    pub(super) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let name = names::vault(&self.name)?;
        if self.change.only_said(&format!("set an access policy on the vault {name}"), out)? {
            return Ok(());
        }
        let connection = site::connect(world, Absent::Refuse).await?;
        let principal = self.principal.object_id(&connection, world).await?;
        let mut permissions = existing(&vault(&connection, &name, world).await?, &principal).unwrap_or_default();
        let given = [
            (&mut permissions.secrets, self.secret_permissions),
            (&mut permissions.keys, self.key_permissions),
            (&mut permissions.certificates, self.certificate_permissions),
        ];
        for (kind, wanted) in given {
            if let Some(wanted) = wanted {
                *kind = wanted;
            }
        }
        set(&connection, &name, &principal, permissions.clone(), world).await?;
        out.result(
            json!({ "vault": name.as_str(), "objectId": principal.as_str(), "permissions": permissions }),
            || format!("{principal}  may in {name}: {}\n", words(&permissions)),
        )
    }
}

/// Replaces the policy of one principal.
pub(crate) async fn set(
    connection: &Connection,
    vault: &VaultName,
    principal: &ObjectId,
    permissions: Permissions,
    world: &World,
) -> Result<(), CliError> {
    let entry = AccessPolicyEntry {
        tenant_id: connection.tenant.to_string(),
        object_id: principal.to_string(),
        application_id: None,
        permissions,
    };
    let (arm, _) = connection.located(vault, site::when(world)).await?;
    let done = arm.change_access_policy(vault, AccessPolicyChange::Replace, entry, site::when(world)).await;
    done.map(|_| ()).map_err(CliError::from)
}

/// The permissions of a principal in a vault.
pub(crate) fn existing(vault: &VaultResource, principal: &ObjectId) -> Option<Permissions> {
    let policies = &vault.properties.access_policies;
    let found = policies.iter().find(|policy| policy.object_id.eq_ignore_ascii_case(principal.as_str()));
    found.map(|policy| policy.permissions.clone())
}

async fn vault(connection: &Connection, name: &VaultName, world: &World) -> Result<VaultResource, CliError> {
    Ok(connection.located(name, site::when(world)).await?.1)
}

/// List the access policies of a vault
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore vault access-policy list --name acme-pm-kv")]
struct List {
    /// Name of the vault
    #[arg(long, short, value_name = "VAULT")]
    name: String,
}

impl List {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let name = names::vault(&self.name)?;
        let connection = site::connect(world, Absent::Refuse).await?;
        let vault = vault(&connection, &name, world).await?;
        let graph = connection.graph()?;
        let principals = graph.service_principals(site::when(world)).await?;
        let app_of = |policy: &AccessPolicyEntry| {
            let found =
                principals.iter().find(|principal| principal.id.as_str().eq_ignore_ascii_case(&policy.object_id));
            found.map(|principal| (principal.display_name.clone(), principal.app_id.to_string()))
        };
        let policies = &vault.properties.access_policies;
        let objects: Vec<Value> = policies
            .iter()
            .map(|policy| {
                let (name, client) = app_of(policy).unzip();
                json!({"objectId": policy.object_id, "tenantId": policy.tenant_id, "displayName": name, "appId": client,
                "permissions": policy.permissions})
            })
            .collect();
        out.result(Value::Array(objects), || {
            let mut table = Table::new(&["PRINCIPAL", "CLIENT ID", "PERMISSIONS"]);
            for policy in policies {
                let (name, client) = app_of(policy).unwrap_or_else(|| (policy.object_id.clone(), "-".to_owned()));
                table.row(vec![name, client, words(&policy.permissions)]);
            }
            table.to_string()
        })
    }
}

/// Take all permissions of a principal in a vault away
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore vault access-policy delete --name acme-pm-kv --spn APPID --yes")]
pub(super) struct Delete {
    /// Name of the vault
    #[arg(long, short, value_name = "VAULT")]
    name: String,
    #[command(flatten)]
    principal: Principal,
    #[command(flatten)]
    change: Change,
}

impl Delete {
    pub(super) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let name = names::vault(&self.name)?;
        if self.change.only_said(&format!("delete an access policy of the vault {name}"), out)? {
            return Ok(());
        }
        let connection = site::connect(world, Absent::Refuse).await?;
        let principal = self.principal.object_id(&connection, world).await?;
        if existing(&vault(&connection, &name, world).await?, &principal).is_none() {
            return Err(Diagnosis::error(
                &codes::DIRECTORY_OBJECT_MISSING,
                format!("{principal} has no access policy in {name}"),
            )
            .fix(format!("credstore vault access-policy list --name {name}"))
            .into());
        }
        confirm::yes(
            world,
            &format!("Take all permissions of {principal} in {name} away? access-policy set gives them back."),
        )?;
        let entry = AccessPolicyEntry {
            tenant_id: connection.tenant.to_string(),
            object_id: principal.to_string(),
            application_id: None,
            permissions: Permissions::default(),
        };
        let (arm, _) = connection.located(&name, site::when(world)).await?;
        let done = arm.change_access_policy(&name, AccessPolicyChange::Remove, entry, site::when(world)).await;
        done?;
        out.result(json!({ "vault": name.as_str(), "objectId": principal.as_str(), "deleted": true }), || {
            format!("{principal}  has no permissions in {name} any more\n")
        })
    }
}

fn words(permissions: &Permissions) -> String {
    let kinds =
        [("secrets", &permissions.secrets), ("keys", &permissions.keys), ("certificates", &permissions.certificates)];
    let given: Vec<String> = kinds
        .iter()
        .filter(|(_, list)| !list.is_empty())
        .map(|(kind, list)| format!("{kind} {}", list.join(" ")))
        .collect();
    if given.is_empty() { "nothing".to_owned() } else { given.join(", ") }
}
