//! `credstore vault secret`: every verb of `az keyvault secret`, with the value never on the command line.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use credstore::azure::Secrets;
use credstore_protocol::Timestamp;
use credstore_protocol::key_vault::{DeletedSecret, SecretAttributes, SecretBundle, SecretItem, SecretProperties};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::at::{Named, moment, there, version, write};
use super::object::{self, Shown, name_and_version};
use super::secret_json;
use crate::cli::Change;
use crate::errors::CliError;
use crate::names;
use crate::output::{Output, Table, pairs};
use crate::secret_input::SecretSource;
use crate::site;
use crate::time_text::{date, expiry, rfc3339};
use crate::world::World;

/// Secrets of a vault
#[derive(Args, Debug)]
#[command(
    arg_required_else_help = true,
    subcommand_required = true,
    before_help = "Example\n  credstore vault secret set --vault-name acme-pm-kv --name SqlServerP2P"
)]
pub(super) struct Secret {
    #[command(subcommand)]
    command: SecretCommand,
}

#[derive(Subcommand, Debug)]
enum SecretCommand {
    Set(Set),
    Show(Show),
    /// List the secrets of a vault, without values
    #[command(before_help = "Example\n  credstore vault secret list --vault-name acme-pm-kv")]
    List(object::List),
    /// List the versions of a secret, without values
    #[command(
        before_help = "Example\n  credstore vault secret list-versions --vault-name acme-pm-kv --name SqlServerP2P"
    )]
    ListVersions(object::ListVersions),
    SetAttributes(SetAttributes),
    /// Delete a secret; it can be recovered until it is purged
    #[command(
        before_help = "Example\n  credstore vault secret delete --vault-name acme-pm-kv --name SqlServerP2P --yes"
    )]
    Delete(object::Delete),
    /// List deleted secrets
    #[command(before_help = "Example\n  credstore vault secret list-deleted --vault-name acme-pm-kv")]
    ListDeleted(object::ListDeleted),
    /// Show a deleted secret, without its value
    #[command(
        before_help = "Example\n  credstore vault secret show-deleted --vault-name acme-pm-kv --name SqlServerP2P"
    )]
    ShowDeleted(object::ShowDeleted),
    /// Bring a deleted secret back with all its versions
    #[command(before_help = "Example\n  credstore vault secret recover --vault-name acme-pm-kv --name SqlServerP2P")]
    Recover(object::Recover),
    /// Destroy a deleted secret for good
    #[command(before_help = "Example\n  credstore vault secret purge --name SqlServerP2P --yes --confirm SqlServerP2P")]
    Purge(object::Purge),
    /// Write all versions of a secret to a file that only this vault opens
    #[command(
        before_help = "Example\n  credstore vault secret backup --vault-name acme-pm-kv --name SqlServerP2P --file sql.backup"
    )]
    Backup(object::Backup),
    /// Bring a secret back from a backup file
    #[command(before_help = "Example\n  credstore vault secret restore --vault-name acme-pm-kv --file sql.backup")]
    Restore(object::Restore),
    Download(Download),
}

impl Secret {
    pub(super) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        match self.command {
            SecretCommand::Set(command) => command.run(world, out).await,
            SecretCommand::Show(command) => command.run(world, out).await,
            SecretCommand::List(command) => command.run::<Secrets>(world, out).await,
            SecretCommand::ListVersions(command) => command.run::<Secrets>(world, out).await,
            SecretCommand::SetAttributes(command) => command.run(world, out).await,
            SecretCommand::Delete(command) => command.run::<Secrets>(world, out).await,
            SecretCommand::ListDeleted(command) => command.run::<Secrets>(world, out).await,
            SecretCommand::ShowDeleted(command) => command.run::<Secrets>(world, out).await,
            SecretCommand::Recover(command) => command.run::<Secrets>(world, out).await,
            SecretCommand::Purge(command) => command.run::<Secrets>(world, out).await,
            SecretCommand::Backup(command) => command.run::<Secrets>(world, out).await,
            SecretCommand::Restore(command) => command.run::<Secrets>(world, out).await,
            SecretCommand::Download(command) => command.run(world, out).await,
        }
    }
}

/// Dates, type and tags of a secret.
#[derive(Args, Debug)]
struct Properties {
    /// Not to be used from this time on: 2027-06-01 or 2027-06-01T00:00:00Z
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// Not to be used before this time
    #[arg(long, value_name = "TIME")]
    not_before: Option<String>,
    /// What kind of value it is
    #[arg(long, visible_alias = "description", value_name = "TEXT")]
    content_type: Option<String>,
    /// Tags; `description` and `owner` are shown by credstore list
    #[arg(long, value_name = "K=V", num_args = 0..)]
    tags: Option<Vec<String>>,
}

impl Properties {
    fn attributes(&self, enabled: Option<bool>) -> Result<Option<SecretAttributes>, CliError> {
        let (exp, nbf) = (moment(self.expires.as_ref())?, moment(self.not_before.as_ref())?);
        let any = enabled.is_some() || exp.is_some() || nbf.is_some();
        Ok(any.then(|| SecretAttributes { enabled, exp, nbf, ..SecretAttributes::default() }))
    }
}

/// Set a secret: a new version with this value
#[derive(Args, Debug)]
#[command(
    before_help = "Example\n  credstore vault secret set --vault-name acme-pm-kv --name SqlServerP2P --file password.txt"
)]
struct Set {
    #[command(flatten)]
    at: Named,
    #[command(flatten)]
    source: SecretSource,
    #[command(flatten)]
    properties: Properties,
    /// The new version cannot be read until it is enabled
    #[arg(long)]
    disabled: bool,
    #[command(flatten)]
    change: Change,
}

impl Set {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let shown = crate::output::plain(&self.at.name);
        self.source.refuse_argument(&format!("credstore vault secret set -n {shown}"))?;
        let name = names::secret(&self.at.name)?;
        let properties = SecretProperties {
            content_type: self.properties.content_type.clone(),
            attributes: self.properties.attributes(self.disabled.then_some(false))?,
            tags: self.properties.tags.as_deref().map(names::tags).transpose()?,
        };
        if self.change.only_said(&format!("set the secret {name}"), out)? {
            return Ok(());
        }
        let value = self.source.read(world, out)?;
        let (vault, name) = self.at.open(world).await?;
        let when = site::when(world);
        let set = vault.set_secret(&name, &value, &properties, when).await?;
        let versions = vault.object_versions::<Secrets>(&name, when).await.map_or(1, |versions| versions.len());
        out.result(secret_json::bundle(&set), || {
            let version: String = name_and_version::<Secrets>(&set.id).1.unwrap_or_default().chars().take(6).collect();
            let previous = if versions > 1 { "   (previous version stays readable by its ID)" } else { "" };
            format!("{name}  new version {version}…  {}{previous}\n", state(&set.attributes, world.now()))
        })
    }
}

fn state(attributes: &SecretAttributes, now: Timestamp) -> String {
    let enabled = if attributes.enabled == Some(false) { "disabled" } else { "enabled" };
    match attributes.exp {
        None => format!("{enabled}, never expires"),
        Some(at) if at <= now => format!("{enabled}, expired {}", expiry(at, now)),
        Some(at) => format!("{enabled}, expires {}", date(at)),
    }
}

/// Show a secret, without its value unless --reveal
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore vault secret show --vault-name acme-pm-kv --name SqlServerP2P")]
struct Show {
    #[command(flatten)]
    at: Named,
    /// This version instead of the current one
    #[arg(long, value_name = "V")]
    version: Option<String>,
    /// Print the value too
    #[arg(long)]
    reveal: bool,
}

impl Show {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let version = version("secret", self.version.as_ref())?;
        let (vault, name) = self.at.open(world).await?;
        let bundle = vault.secret(&name, version.as_ref(), site::when(world)).await?;
        if !self.reveal {
            return out.result(secret_json::bundle(&bundle), || text(&bundle, world.now()));
        }
        let value = there(bundle.value.as_ref().map(credstore_protocol::Secret::expose_secret))?;
        if out.for_people() {
            let shown = Zeroizing::new(format!("{}Value         {value}\n", text(&bundle, world.now())));
            out.secret(shown.as_bytes());
            return Ok(());
        }
        let mut object = secret_json::bundle(&bundle);
        object["value"] = json!(value);
        out.result(object, String::new)
    }
}

fn text(bundle: &SecretBundle, now: Timestamp) -> String {
    let (name, version) = name_and_version::<Secrets>(&bundle.id);
    let tags = bundle.tags.iter().flatten().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
    let time = |at: Option<Timestamp>| at.map_or("-".to_owned(), rfc3339);
    pairs([
        ("Name", name.to_owned()),
        ("Version", version.unwrap_or_default().to_owned()),
        ("State", state(&bundle.attributes, now)),
        ("Not before", time(bundle.attributes.nbf)),
        ("Expires", time(bundle.attributes.exp)),
        ("Created", time(bundle.attributes.created)),
        ("Updated", time(bundle.attributes.updated)),
        ("Content type", bundle.content_type.clone().unwrap_or_else(|| "-".to_owned())),
        ("Tags", if tags.is_empty() { "-".to_owned() } else { tags.join(" ") }),
    ])
}

/// Change dates, type, tags or whether it may be read; the value stays
#[derive(Args, Debug)]
#[command(
    before_help = "Example\n  credstore vault secret set-attributes --vault-name acme-pm-kv --name SqlServerP2P --enabled false"
)]
struct SetAttributes {
    #[command(flatten)]
    at: Named,
    /// This version instead of the current one
    #[arg(long, value_name = "V")]
    version: Option<String>,
    /// Whether it may be read
    #[arg(long, value_name = "true|false")]
    enabled: Option<bool>,
    #[command(flatten)]
    properties: Properties,
    #[command(flatten)]
    change: Change,
}

impl SetAttributes {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let update = SecretProperties {
            content_type: self.properties.content_type.clone(),
            attributes: self.properties.attributes(self.enabled)?,
            tags: self.properties.tags.as_deref().map(names::tags).transpose()?,
        };
        let version = version("secret", self.version.as_ref())?;
        if self.change.only_said(&format!("change the properties of {}", crate::output::plain(&self.at.name)), out)? {
            return Ok(());
        }
        let (vault, name) = self.at.open(world).await?;
        let done = vault.update_secret(&name, version.as_ref(), &update, site::when(world)).await?;
        out.result(secret_json::bundle(&done), || format!("{name}  {}\n", state(&done.attributes, world.now())))
    }
}

/// Write a value to a file, mode 0600
#[derive(Args, Debug)]
#[command(
    before_help = "Example\n  credstore vault secret download --vault-name acme-pm-kv --name SqlServerP2P --file password.txt"
)]
struct Download {
    #[command(flatten)]
    at: Named,
    /// This version instead of the current one
    #[arg(long, value_name = "V")]
    version: Option<String>,
    /// File to write, mode 0600
    #[arg(long, short, value_name = "FILE")]
    file: PathBuf,
}

impl Download {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let version = version("secret", self.version.as_ref())?;
        let (vault, name) = self.at.open(world).await?;
        let bundle = vault.secret(&name, version.as_ref(), site::when(world)).await?;
        let value = there(bundle.value.as_ref().map(credstore_protocol::Secret::expose_secret))?;
        write(&self.file, value.as_bytes(), 0o600, world)?;
        let file = self.file.display().to_string();
        let object: Value = json!({ "name": name.as_str(), "file": file });
        out.result(object, || format!("{name}  value in {file}   mode 0600\n"))
    }
}

impl Shown for Secrets {
    const WITH: &'static str = "";

    fn id(bundle: &SecretBundle) -> &str {
        &bundle.id
    }

    fn bundle(bundle: &SecretBundle) -> Value {
        secret_json::bundle(bundle)
    }

    fn item(item: &SecretItem) -> Value {
        secret_json::item(item)
    }

    fn deleted(deleted: &DeletedSecret) -> Value {
        secret_json::deleted(deleted)
    }

    fn deleted_item(deleted: &DeletedSecret) -> Value {
        secret_json::deleted(deleted)
    }

    fn table(items: &[SecretItem], versions: bool, now: Timestamp) -> String {
        let mut table = Table::new(&[if versions { "VERSION" } else { "NAME" }, "STATE", "UPDATED", "CONTENT TYPE"]);
        for item in items {
            let (name, version) = name_and_version::<Self>(&item.id);
            let first = if versions { version.unwrap_or_default() } else { name };
            let updated = item.attributes.updated.map_or("-".to_owned(), rfc3339);
            let kind = item.content_type.clone().unwrap_or_else(|| "-".to_owned());
            table.row(vec![first.to_owned(), state(&item.attributes, now), updated, kind]);
        }
        table.to_string()
    }

    fn purged(deleted: &DeletedSecret) -> Timestamp {
        deleted.scheduled_purge_date
    }

    fn deletion(deleted: &DeletedSecret) -> (&str, Timestamp, Timestamp) {
        (&deleted.secret.id, deleted.deleted_date, deleted.scheduled_purge_date)
    }
}
