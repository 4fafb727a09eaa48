//! `credstore vault key rotation-policy`: when a key is rotated, as `az keyvault key rotation-policy`.

use std::path::Path;

use clap::{Args, Subcommand};
use credstore::codes::usage;
use credstore::diagnosis::Diagnosis;
use credstore_protocol::ObjectName;
use credstore_protocol::key_vault::keys::RotationPolicy;
use zeroize::Zeroizing;

use super::at::Named;
use crate::cli::Change;
use crate::errors::CliError;
use crate::files;
use crate::names;
use crate::output::Output;
use crate::site;
use crate::world::World;

/// When a key is rotated
#[derive(Args, Debug)]
#[command(
    arg_required_else_help = true,
    subcommand_required = true,
    before_help = "Example\n  credstore vault key rotation-policy update --vault-name acme-pm-kv --name signing --value policy.json"
)]
pub(super) struct Policy {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Subcommand, Debug)]
enum PolicyCommand {
    Show(Show),
    Update(Update),
}

/// Show when a key is rotated
#[derive(Args, Debug)]
#[command(
    before_help = "Example\n  credstore vault key rotation-policy show --vault-name acme-pm-kv --name signing -o json"
)]
struct Show {
    #[command(flatten)]
    at: Named,
}

/// Replace the rotation policy of a key
#[derive(Args, Debug)]
#[command(
    before_help = "Example\n  credstore vault key rotation-policy update --vault-name acme-pm-kv --name signing --value policy.json"
)]
struct Update {
    #[command(flatten)]
    at: Named,
    /// The policy as JSON, or a file with it; `rotation-policy show -o json` gives one
    #[arg(long, value_name = "JSON|FILE")]
    value: String,
    #[command(flatten)]
    change: Change,
}

impl Policy {
    pub(super) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        match self.command {
            PolicyCommand::Show(command) => command.run(world, out).await,
            PolicyCommand::Update(command) => command.run(world, out).await,
        }
    }
}

impl Show {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let (vault, name) = self.at.open(world).await?;
        let policy = vault.key_rotation_policy(&name, site::when(world)).await;
        said(&name, &policy?, out)
    }
}

impl Update {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let name = names::secret(&self.at.name)?;
        let policy = policy_of(&self.value)?;
        if self.change.only_said(&format!("set the rotation policy of {name}"), out)? {
            return Ok(());
        }
        let (vault, name) = self.at.open(world).await?;
        let policy = vault.set_key_rotation_policy(&name, &policy, site::when(world)).await;
        said(&name, &policy?, out)
    }
}

fn said(name: &ObjectName, policy: &RotationPolicy, out: &mut Output) -> Result<(), CliError> {
    // A message of ours always has a JSON form.
    out.result(serde_json::to_value(policy).unwrap_or_default(), || {
        let mut text = format!("{name}  versions live {}\n", policy.attributes.expiry_time.as_deref().unwrap_or("on"));
        for action in &policy.lifetime_actions {
            let (after, before) = (&action.trigger.time_after_create, &action.trigger.time_before_expiry);
            let when = match (after, before) {
                (Some(after), _) => format!("{after} after creation"),
                (None, Some(before)) => format!("{before} before expiry"),
                (None, None) => "never".to_owned(),
            };
            text += &format!("  {}  {when}\n", action.action.kind);
        }
        text
    })
}

/// The policy in `--value`: JSON itself begins with a brace, and is a file otherwise.
fn policy_of(value: &str) -> Result<RotationPolicy, CliError> {
    let (what, text) = match value.trim_start().starts_with('{') {
        true => ("--value".to_owned(), Zeroizing::new(value.to_owned())),
        false => (value.to_owned(), files::read_text(Path::new(value))?),
    };
    serde_json::from_str(&text).map_err(|error| {
        Diagnosis::error(&usage::COMMAND_LINE, format!("{what} is no rotation policy"))
            .cause(format!("line {}, column {}", error.line(), error.column()))
            .fix("credstore vault key rotation-policy show --name NAME -o json   shows one")
            .into()
    })
}
