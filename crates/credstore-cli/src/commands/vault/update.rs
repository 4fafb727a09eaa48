//! `credstore vault update`: tags, purge protection and permission model of a vault.
//!
//! Retention is not here: it is fixed when a vault is made, as in Azure.

use clap::Args;
use credstore_protocol::arm::{VaultResource, VaultUpdate, VaultUpdateProperties};

use super::{model, object, protection, tags};
use crate::cli::Change;
use crate::confirm;
use crate::errors::CliError;
use crate::names;
use crate::output::Output;
use crate::site::{self, Absent};
use crate::world::World;

/// Change tags, purge protection or what decides about permissions
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore vault update --name acme-pm-kv --tags owner=finance")]
pub(super) struct Update {
    /// Name of the vault
    #[arg(long, short, value_name = "VAULT")]
    name: String,
    #[command(flatten)]
    wanted: Wanted,
    #[command(flatten)]
    change: Change,
}

/// What is to change.
#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
struct Wanted {
    /// Tags of the vault, in place of those it has; none takes them away
    #[arg(long, value_name = "K=V", num_args = 0..)]
    tags: Option<Vec<String>>,
    /// Nobody can purge, and nobody can switch this off
    #[arg(long)]
    enable_purge_protection: bool,
    /// Whether roles decide instead of access policies; both are kept
    #[arg(long, value_name = "true|false")]
    enable_rbac_authorization: Option<bool>,
}

/// Properties of a vault for people, before and after.
type Line = (&'static str, String, String);

impl Update {
    pub(super) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let name = names::vault(&self.name)?;
        let update = VaultUpdate {
            tags: self.wanted.tags.as_deref().map(names::tags).transpose()?,
            properties: VaultUpdateProperties {
                enable_rbac_authorization: self.wanted.enable_rbac_authorization,
                enable_purge_protection: self.wanted.enable_purge_protection.then_some(true),
            },
        };
        let connection = site::connect(world, Absent::Refuse).await?;
        let (arm, before) = connection.located(&name, site::when(world)).await?;
        let lines = difference(&before, &after(&before, &update));
        if lines.is_empty() {
            return out.result(object(&before), || format!("{name}  already so; nothing was changed\n"));
        }
        let shown: Vec<String> = lines.iter().map(|(what, old, new)| format!("{what}: {old} -> {new}")).collect();
        let shown = crate::output::plain(&shown.join(", "));
        if self.change.only_said(&format!("change the vault {name}, {shown}"), out)? {
            return Ok(());
        }
        if let Some(why) = consequence(&before, &update) {
            confirm::yes(world, &format!("Change {name}, {shown}? {why}"))?;
        }
        let done = arm.update_vault(&name, &update, site::when(world)).await?;
        out.result(object(&done), || format!("{name}  changed   {shown}\n"))
    }
}

/// What the vault is to be.
fn after(before: &VaultResource, update: &VaultUpdate) -> VaultResource {
    let mut after = before.clone();
    let properties = &update.properties;
    after.tags = update.tags.clone().unwrap_or(after.tags);
    after.properties.enable_rbac_authorization =
        properties.enable_rbac_authorization.or(after.properties.enable_rbac_authorization);
    after.properties.enable_purge_protection =
        properties.enable_purge_protection.or(after.properties.enable_purge_protection);
    after
}

fn difference(before: &VaultResource, after: &VaultResource) -> Vec<Line> {
    let words = |vault: &VaultResource| {
        [
            ("tags", tags(&vault.tags)),
            ("purge protection", protection(vault).to_owned()),
            ("decides by", model(vault).to_owned()),
        ]
    };
    let both = words(before).into_iter().zip(words(after));
    both.filter(|(old, new)| old != new).map(|((what, old), (_, new))| (what, old, new)).collect()
}

/// What a person should know before it is done. Tags mean nothing to us.
fn consequence(before: &VaultResource, update: &VaultUpdate) -> Option<&'static str> {
    let properties = &update.properties;
    let protects = properties.enable_purge_protection.is_some() && protection(before) == "no";
    let switches = model(&after(before, update)) != model(before);
    match (protects, switches) {
        (true, true) => Some("Purge protection stays for ever, and who has access changes at once."),
        (true, false) => Some("Purge protection stays for ever."),
        (false, true) => Some("Who has access changes at once."),
        (false, false) => None,
    }
}
