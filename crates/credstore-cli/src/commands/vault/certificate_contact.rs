//! `credstore vault certificate contact`: whom a vault names for its certificates, as `az keyvault certificate contact`.
//!
//! The contacts of a vault are one list, which is read, changed and written back: of two changes at the same moment the
//! later one stays, as with `az`. Nobody is written to.

use clap::{Args, Subcommand};
use credstore::codes::vault as codes;
use credstore::diagnosis::Diagnosis;
use credstore_protocol::key_vault::certificates::{Contact as Entry, Contacts};
use serde_json::{Value, json};

use super::at::InVault;
use crate::cli::Change;
use crate::confirm;
use crate::errors::CliError;
use crate::output::{Output, Table, plain};
use crate::site;
use crate::world::World;

/// Contacts of a vault for its certificates
#[derive(Args, Debug)]
#[command(
    arg_required_else_help = true,
    subcommand_required = true,
    before_help = "Example\n  credstore vault certificate contact add --vault-name acme-pm-kv --email pki@acme.example"
)]
pub(super) struct Contact {
    #[command(subcommand)]
    command: ContactCommand,
}

#[derive(Subcommand, Debug)]
enum ContactCommand {
    Add(Add),
    List(List),
    Delete(Delete),
}

impl Contact {
    pub(super) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        match self.command {
            ContactCommand::Add(command) => command.run(world, out).await,
            ContactCommand::List(command) => command.run(world, out).await,
            ContactCommand::Delete(command) => command.run(world, out).await,
        }
    }
}

fn object(contacts: &Contacts) -> Value {
    contacts.list.iter().map(|it| json!({ "email": it.email, "name": it.name, "phone": it.phone })).collect()
}

fn is_of(contact: &Entry, email: &str) -> bool {
    contact.email.as_deref().is_some_and(|it| it.eq_ignore_ascii_case(email))
}

/// Add a contact
#[derive(Args, Debug)]
#[command(
    before_help = "Example\n  credstore vault certificate contact add --vault-name acme-pm-kv --email pki@acme.example"
)]
struct Add {
    #[command(flatten)]
    vault: InVault,
    /// E-mail address; a vault has each once
    #[arg(long, value_name = "ADDRESS")]
    email: String,
    /// Name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Telephone number
    #[arg(long, value_name = "NUMBER")]
    phone: Option<String>,
    #[command(flatten)]
    change: Change,
}

impl Add {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let email = plain(&self.email);
        if self.change.only_said(&format!("add the contact {email}"), out)? {
            return Ok(());
        }
        let (vault, when) = (self.vault.open(world).await?, site::when(world));
        let mut contacts = vault.contacts(when).await?;
        if contacts.list.iter().any(|contact| is_of(contact, &self.email)) {
            return Err(Diagnosis::error(&codes::CONFLICT, format!("{email} is a contact already"))
                .fix("credstore vault certificate contact list, or delete it first")
                .into());
        }
        contacts.list.push(Entry { email: Some(self.email), name: self.name, phone: self.phone });
        let contacts = vault.set_contacts(&contacts, when).await?;
        out.result(object(&contacts), || format!("{email}  added\n"))
    }
}

/// List the contacts of a vault
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore vault certificate contact list --vault-name acme-pm-kv")]
struct List {
    #[command(flatten)]
    vault: InVault,
}

impl List {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let vault = self.vault.open(world).await?;
        let contacts = vault.contacts(site::when(world)).await?;
        out.result(object(&contacts), || {
            let mut table = Table::new(&["EMAIL", "NAME", "PHONE"]);
            let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
            for contact in &contacts.list {
                table.row([&contact.email, &contact.name, &contact.phone].map(or_none).to_vec());
            }
            table.to_string()
        })
    }
}

/// Remove a contact
#[derive(Args, Debug)]
#[command(
    before_help = "Example\n  credstore vault certificate contact delete --vault-name acme-pm-kv --email pki@acme.example --yes"
)]
struct Delete {
    #[command(flatten)]
    vault: InVault,
    /// E-mail address
    #[arg(long, value_name = "ADDRESS")]
    email: String,
    #[command(flatten)]
    change: Change,
}

impl Delete {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let email = plain(&self.email);
        if self.change.only_said(&format!("delete the contact {email}"), out)? {
            return Ok(());
        }
        let (vault, when) = (self.vault.open(world).await?, site::when(world));
        let mut contacts = vault.contacts(when).await?;
        let before = contacts.list.len();
        contacts.list.retain(|contact| !is_of(contact, &self.email));
        if contacts.list.len() == before {
            return Err(Diagnosis::error(&codes::UPSTREAM_SECRET_MISSING, format!("{email} is no contact"))
                .fix("credstore vault certificate contact list")
                .into());
        }
        confirm::yes(world, &format!("Delete the contact {email}?"))?;
        let contacts = vault.set_contacts(&contacts, when).await?;
        out.result(object(&contacts), || format!("{email}  deleted\n"))
    }
}
