//! `credstore app credential`: the public keys with which an app signs in.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use credstore::azure::certificate;
use credstore::codes::directory as codes;
use credstore::diagnosis::Diagnosis;
use credstore_protocol::graph::KeyCredential;
use serde_json::{Value, json};

use crate::cli::Change;
use crate::confirm;
use crate::errors::CliError;
use crate::files;
use crate::output::{Output, Table};
use crate::site::{self, Absent};
use crate::world::World;

/// Public keys of an app
#[derive(Args, Debug)]
#[command(
    arg_required_else_help = true,
    subcommand_required = true,
    before_help = "Example\n  credstore app credential add --id APPID --cert azure-cert.cer"
)]
pub(super) struct Credential {
    #[command(subcommand)]
    command: CredentialCommand,
}

#[derive(Subcommand, Debug)]
enum CredentialCommand {
    Add(Add),
    List(List),
    Delete(Delete),
}

impl Credential {
    pub(super) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        match self.command {
            CredentialCommand::Add(command) => command.run(world, out).await,
            CredentialCommand::List(command) => command.run(world, out).await,
            CredentialCommand::Delete(command) => command.run(world, out).await,
        }
    }
}

/// Upload a public certificate; a file with a private key is refused
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore app credential add --id APPID --cert azure-cert.cer")]
struct Add {
    /// Client ID, object ID or name of the app
    #[arg(long, value_name = "ID")]
    id: String,
    /// CER or PEM file without a private key
    #[arg(long, value_name = "FILE")]
    cert: PathBuf,
    /// Name of the key for people
    #[arg(long, value_name = "NAME")]
    display_name: Option<String>,
    #[command(flatten)]
    change: Change,
}

impl Add {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        // Read and judged before anything is opened or sent: a private key never leaves this machine.
        let file = self.cert.display().to_string();
        let file_name = file.strip_prefix('@').map_or_else(|| self.cert.clone(), PathBuf::from);
        let certificate = certificate::public_certificate(&files::read(&file_name)?)
            .map_err(|error| error.diagnosis(Some(&file_name), None))?;
        if self.change.only_said(
            &format!("upload {} to the app {}", certificate.thumbprint(), crate::output::plain(&self.id)),
            out,
        )? {
            return Ok(());
        }
        let graph = site::connect(world, Absent::Refuse).await?.graph()?;
        let app = super::find(&graph, &self.id, world).await?;
        let added = graph.add_key(&app.id, &certificate, self.display_name.as_deref(), site::when(world)).await?;
        let count = graph.keys(&app.id, site::when(world)).await.map_or(1, |keys| keys.len());
        out.result(object(&added), || {
            let keys = if count == 1 { "1 key now".to_owned() } else { format!("{count} keys now") };
            let name = crate::output::plain(&app.display_name);
            format!("Public key    {}   uploaded to {name} ({keys})\n", file_name.display())
        })
    }
}

/// List the public keys of an app
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore app credential list --id APPID")]
struct List {
    /// Client ID, object ID or name of the app
    #[arg(long, value_name = "ID")]
    id: String,
}

impl List {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let graph = site::connect(world, Absent::Refuse).await?.graph()?;
        let app = super::find(&graph, &self.id, world).await?;
        let keys = graph.keys(&app.id, site::when(world)).await?;
        out.result(keys.iter().map(object).collect(), || {
            let mut table = Table::new(&["KEY ID", "THUMBPRINT", "UNTIL", "NAME"]);
            for key in &keys {
                let text = |part: &Option<String>| part.clone().unwrap_or_else(|| "-".to_owned());
                table.row(vec![
                    text(&key.key_id),
                    text(&key.custom_key_identifier),
                    text(&key.end_date_time),
                    text(&key.display_name),
                ]);
            }
            table.to_string()
        })
    }
}

/// Remove a public key from an app
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore app credential delete --id process-mining --key-id KEYID --yes")]
struct Delete {
    /// Client ID, object ID or name of the app
    #[arg(long, value_name = "ID")]
    id: String,
    /// Key ID, as credential list shows it
    #[arg(long, value_name = "KEYID")]
    key_id: String,
    #[command(flatten)]
    change: Change,
}

impl Delete {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let key = crate::output::plain(&self.key_id);
        if self.change.only_said(&format!("remove the key {key}"), out)? {
            return Ok(());
        }
        let graph = site::connect(world, Absent::Refuse).await?.graph()?;
        let app = super::find(&graph, &self.id, world).await?;
        let name = crate::output::plain(&app.display_name);
        confirm::yes(world, &format!("Remove the key {key} from {name}? Whoever signs in with it cannot any more."))?;
        let gone = graph.delete_key(&app.id, &self.key_id, site::when(world)).await;
        if !gone? {
            return Err(Diagnosis::error(&codes::DIRECTORY_OBJECT_MISSING, format!("{name} has no key {key}"))
                .fix(format!("credstore app credential list --id {}", app.app_id))
                .into());
        }
        out.result(json!({ "keyId": self.key_id, "deleted": true }), || format!("{key}  removed from {name}\n"))
    }
}

fn object(key: &KeyCredential) -> Value {
    json!({
        "keyId": key.key_id,
        "customKeyIdentifier": key.custom_key_identifier,
        "displayName": key.display_name,
        "startDateTime": key.start_date_time,
        "endDateTime": key.end_date_time,
        "type": key.type_,
        "usage": key.usage,
    })
}
