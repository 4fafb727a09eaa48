//! `credstore vault certificate issuer`: who signs certificates, as `az keyvault certificate issuer`, and `download`, which
//! `az` has not: the certificate of an authority inside the vault, for those who are to trust what it signs.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use credstore::codes::vault as codes;
use credstore::diagnosis::Diagnosis;
use credstore_protocol::key_vault::certificates::{
    IssuerAttributes, IssuerBundle, IssuerItem, Organization, PROVIDER_INSIDE, SetIssuer, SetIssuerCredentials,
};
use credstore_protocol::{ObjectName, Timestamp};
use serde_json::{Value, json};

use super::at::{InVault, write_or_print};
use super::certificate_text::pem_of;
use crate::cli::Change;
use crate::confirm;
use crate::errors::CliError;
use crate::names;
use crate::output::{Output, Table, pairs};
use crate::site;
use crate::time_text::rfc3339;
use crate::world::World;

/// Issuers of certificates
#[derive(Args, Debug)]
#[command(
    arg_required_else_help = true,
    subcommand_required = true,
    before_help = "Example\n  credstore vault certificate issuer create --vault-name acme-pm-kv --issuer-name corp-ca"
)]
pub(super) struct Issuer {
    #[command(subcommand)]
    command: IssuerCommand,
}

#[derive(Subcommand, Debug)]
enum IssuerCommand {
    Create(Create),
    Show(Show),
    List(List),
    Download(Download),
    Delete(Delete),
}

impl Issuer {
    pub(super) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        match self.command {
            IssuerCommand::Create(command) => command.run(world, out).await,
            IssuerCommand::Show(command) => command.run(world, out).await,
            IssuerCommand::List(command) => command.run(world, out).await,
            IssuerCommand::Download(command) => command.run(world, out).await,
            IssuerCommand::Delete(command) => command.run(world, out).await,
        }
    }
}

/// Which issuer.
#[derive(Args, Debug)]
struct At {
    #[command(flatten)]
    vault: InVault,
    /// Its name
    #[arg(long, short = 'n', visible_alias = "name", value_name = "NAME")]
    issuer_name: String,
}

impl At {
    fn name(&self) -> Result<ObjectName, CliError> {
        names::secret(&self.issuer_name)
    }
}

/// The name at the end of `https://…/certificates/issuers/{name}`.
fn name_in(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}

fn object(issuer: &IssuerBundle) -> Value {
    json!({
        "id": issuer.id,
        "name": name_in(&issuer.id),
        "provider": issuer.provider,
        "accountId": issuer.credentials.as_ref().and_then(|credentials| credentials.account_id.as_ref()),
        "organizationDetails": issuer.org_details,
        "enabled": issuer.attributes.enabled,
        "created": issuer.attributes.created.map(rfc3339),
        "updated": issuer.attributes.updated.map(rfc3339),
        "cer": issuer.cer,
    })
}

fn state(issuer: &IssuerBundle) -> &'static str {
    if issuer.attributes.enabled == Some(false) { "disabled" } else { "enabled" }
}

/// Make an issuer, or replace it
#[derive(Args, Debug)]
#[command(
    before_help = "Example\n  credstore vault certificate issuer create --vault-name acme-pm-kv --issuer-name corp-ca"
)]
struct Create {
    #[command(flatten)]
    at: At,
    /// Credstore is an authority inside the vault; any other is kept, and nothing is issued by it
    #[arg(long, value_name = "PROVIDER", default_value = PROVIDER_INSIDE)]
    provider_name: String,
    /// Name of the account at the issuer
    #[arg(long, value_name = "ID")]
    account_id: Option<String>,
    /// Number of the organization at the issuer
    #[arg(long, value_name = "ID")]
    organization_id: Option<String>,
    /// Nothing is issued by it until it is enabled
    #[arg(long)]
    disabled: bool,
    #[command(flatten)]
    change: Change,
}

impl Create {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let name = self.at.name()?;
        let set = SetIssuer {
            provider: Some(self.provider_name),
            credentials: self.account_id.map(|id| SetIssuerCredentials { account_id: Some(id), pwd: None }),
            org_details: self.organization_id.map(|id| Organization { id: Some(id), ..Organization::default() }),
            attributes: Some(IssuerAttributes { enabled: Some(!self.disabled), ..IssuerAttributes::default() }),
        };
        if self.change.only_said(&format!("create the issuer {name}"), out)? {
            return Ok(());
        }
        let vault = self.at.vault.open(world).await?;
        let made = vault.set_issuer(&name, &set, site::when(world)).await?;
        out.result(object(&made), || {
            let provider = made.provider.as_deref().unwrap_or("-");
            format!("{name}  created   {provider}   {}\n", state(&made))
        })
    }
}

/// Show an issuer
#[derive(Args, Debug)]
#[command(
    before_help = "Example\n  credstore vault certificate issuer show --vault-name acme-pm-kv --issuer-name corp-ca"
)]
struct Show {
    #[command(flatten)]
    at: At,
}

impl Show {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let name = self.at.name()?;
        let vault = self.at.vault.open(world).await?;
        let issuer = vault.issuer(&name, site::when(world)).await?;
        let or_none = |text: Option<&String>| text.cloned().unwrap_or_else(|| "-".to_owned());
        let time = |at: Option<Timestamp>| at.map_or("-".to_owned(), rfc3339);
        out.result(object(&issuer), || {
            pairs([
                ("Name", name_in(&issuer.id).to_owned()),
                ("Provider", or_none(issuer.provider.as_ref())),
                ("State", state(&issuer).to_owned()),
                ("Account", or_none(issuer.credentials.as_ref().and_then(|it| it.account_id.as_ref()))),
                ("Organization", or_none(issuer.org_details.as_ref().and_then(|it| it.id.as_ref()))),
                ("Created", time(issuer.attributes.created)),
                ("Updated", time(issuer.attributes.updated)),
            ])
        })
    }
}

/// List the issuers of a vault
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore vault certificate issuer list --vault-name acme-pm-kv")]
struct List {
    #[command(flatten)]
    vault: InVault,
}

impl List {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let vault = self.vault.open(world).await?;
        let issuers = vault.issuers(site::when(world)).await?;
        let item = |it: &IssuerItem| json!({ "id": it.id, "name": name_in(&it.id), "provider": it.provider });
        out.result(issuers.iter().map(item).collect(), || {
            let mut table = Table::new(&["NAME", "PROVIDER"]);
            for issuer in &issuers {
                let provider = issuer.provider.clone().unwrap_or_else(|| "-".to_owned());
                table.row(vec![name_in(&issuer.id).to_owned(), provider]);
            }
            table.to_string()
        })
    }
}

/// Write the certificate of an authority inside the vault to a file, as PEM: who trusts it trusts what it signs
#[derive(Args, Debug)]
#[command(
    before_help = "Example\n  credstore vault certificate issuer download --issuer-name corp-ca --file corp-ca.pem"
)]
struct Download {
    #[command(flatten)]
    at: At,
    /// File to write; - is standard output
    #[arg(long, short, value_name = "FILE")]
    file: PathBuf,
}

impl Download {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let name = self.at.name()?;
        let vault = self.at.vault.open(world).await?;
        let issuer = vault.issuer(&name, site::when(world)).await?;
        let Some(text) = pem_of("CERTIFICATE", issuer.cer.as_deref()) else {
            return Err(Diagnosis::error(&codes::UPSTREAM_SECRET_MISSING, format!("{name} has no certificate"))
                .cause(format!("only an issuer of provider {PROVIDER_INSIDE} is an authority inside the vault"))
                .fix("credstore vault certificate issuer list   shows the providers")
                .into());
        };
        if !write_or_print((&self.file, text.as_bytes()), 0o644, world, out)? {
            return Ok(());
        }
        let file = self.file.display().to_string();
        out.result(json!({ "name": name.as_str(), "file": file }), || format!("{name}  certificate in {file}\n"))
    }
}

/// Delete an issuer: nothing is issued or renewed by it any more
#[derive(Args, Debug)]
#[command(
    before_help = "Example\n  credstore vault certificate issuer delete --issuer-name corp-ca --yes --confirm corp-ca"
)]
struct Delete {
    #[command(flatten)]
    at: At,
    /// The name again, for scripts
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
    #[command(flatten)]
    change: Change,
}

impl Delete {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let name = self.at.name()?;
        if self.change.only_said(&format!("delete the issuer {name}"), out)? {
            return Ok(());
        }
        // The key of an authority goes with it, so this cannot be undone.
        let what = format!("deleting {name} cannot be undone");
        confirm::named(world, &what, name.as_str(), self.confirm.as_deref())?;
        let vault = self.at.vault.open(world).await?;
        let deleted = vault.delete_issuer(&name, site::when(world)).await?;
        out.result(object(&deleted), || format!("{name}  deleted\n"))
    }
}
