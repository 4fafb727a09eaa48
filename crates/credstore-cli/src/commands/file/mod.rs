//! `credstore file`: the credential file beside the settings, in clear or sealed.

mod seal;
pub(crate) mod set_up;

use clap::{Args, Subcommand};
use credstore::codes::identifiers;
use credstore::diagnosis::Diagnosis;
use credstore::settings::{self, StoreSettings};
use credstore::store::file::identifiers_in;
use credstore::store::file_edit::{Change as Changed, remove_password, set_password};
use serde_json::json;

use crate::cli::Change;
use crate::confirm;
use crate::credential_file::Held;
use crate::errors::CliError;
use crate::names;
use crate::output::{Output, Table};
use crate::secret_input::SecretSource;
use crate::world::World;

/// Passwords in a file: credential_store.json, in clear or sealed
#[derive(Args, Debug)]
#[command(
    arg_required_else_help = true,
    subcommand_required = true,
    before_help = "Example\n  credstore file init\n  credstore file set --name SqlServerP2P"
)]
pub(crate) struct File {
    #[command(subcommand)]
    command: FileCommand,
}

#[derive(Subcommand, Debug)]
enum FileCommand {
    Init(seal::Init),
    Set(Set),
    List(List),
    Remove(Remove),
    Encrypt(seal::Encrypt),
    Decrypt(seal::Decrypt),
    Rekey(seal::Rekey),
}

impl File {
    /// Runs the verb.
    pub(crate) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        match self.command {
            FileCommand::Init(command) => command.run(world, out).await,
            FileCommand::Set(command) => command.run(world, out).await,
            FileCommand::List(command) => command.run(world, out).await,
            FileCommand::Remove(command) => command.run(world, out).await,
            FileCommand::Encrypt(command) => command.run(world, out).await,
            FileCommand::Decrypt(command) => command.run(world, out).await,
            FileCommand::Rekey(command) => command.run(world, out).await,
        }
    }
}

/// The store of the settings.
fn store(world: &World) -> Result<StoreSettings, CliError> {
    let file = world.settings();
    let text = settings::read(&file)?;
    let (settings, _) = settings::parse(&text, &file).usable()?;
    settings.store.ok_or_else(|| crate::credentials::not_configured(&file).into())
}

/// Put a password into the file, or another one in its place
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore file set --name SqlServerP2P")]
struct Set {
    /// The identifier
    #[arg(long, short = 'n', value_name = "NAME")]
    name: String,
    #[command(flatten)]
    source: SecretSource,
    #[command(flatten)]
    change: Change,
}

impl Set {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let identifier = names::identifier(&self.name)?;
        self.source.refuse_argument(&format!("credstore file set -n {identifier}"))?;
        if self.change.only_said(&format!("set the password of {identifier}"), out)? {
            return Ok(());
        }
        let store = store(world)?;
        let value = self.source.read(world, out)?;
        if value.is_empty() {
            return Err(Diagnosis::error(
                &identifiers::PASSWORD_EMPTY,
                format!("the password of {identifier} is empty"),
            )
            .cause("an empty password is never what a reference means")
            .fix(format!("credstore file remove -n {identifier}   takes the identifier away"))
            .into());
        }
        let held = Held::open(world, &store).await?;
        let (text, changed) = set_password(&held.text, &held.path, &identifier, &value)?;
        let what = match changed {
            Changed::Added => "added",
            Changed::Replaced => "replaced",
            Changed::None => "is so already",
        };
        if changed != Changed::None {
            held.write(&text)?;
        }
        let object = json!({"name": identifier.as_str(), "change": what, "file": held.path.display().to_string(), "encrypted": held.sealer.is_some()});
        out.result(object, || {
            let how = if held.sealer.is_some() { ", sealed" } else { ", in clear" };
            format!("{identifier}  {what}   {}{how}\n", held.path.display())
        })
    }
}

/// List the identifiers in the file, never values
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore file list")]
struct List {}

impl List {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let held = Held::open(world, &store(world)?).await?;
        let identifiers = identifiers_in(&held.text, &held.path)?;
        out.result(identifiers.iter().map(|name| json!({ "name": name })).collect(), || {
            let mut table = Table::new(&["NAME"]);
            identifiers.iter().for_each(|name| table.row(vec![name.clone()]));
            table.to_string()
        })
    }
}

/// Take a password out of the file
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore file remove --name SqlServerP2P --yes")]
struct Remove {
    /// The identifier
    #[arg(long, short = 'n', value_name = "NAME")]
    name: String,
    #[command(flatten)]
    change: Change,
}

impl Remove {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let identifier = names::identifier(&self.name)?;
        if self.change.only_said(&format!("remove {identifier} from the file"), out)? {
            return Ok(());
        }
        let held = Held::open(world, &store(world)?).await?;
        let (text, changed) = remove_password(&held.text, &held.path, &identifier)?;
        if changed == Changed::None {
            let known = identifiers_in(&held.text, &held.path)?;
            let file = held.path.display().to_string();
            let known = known.iter().map(String::as_str);
            return Err(Diagnosis::from(credstore::store::StoreError::not_among(&identifier, file, known)).into());
        }
        confirm::yes(world, &format!("{identifier} goes for good; a backup alone brings it back. Remove it?"))?;
        held.write(&text)?;
        out.result(
            json!({"name": identifier.as_str(), "change": "removed", "file": held.path.display().to_string()}),
            || format!("{identifier}  removed   {}\n", held.path.display()),
        )
    }
}
