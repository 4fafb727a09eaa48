//! `credstore app`: app registrations of the embedded directory, as `az ad app`.

mod credential;

use clap::{Args, Subcommand};
use credstore::azure::graph::{ApplicationFilter, GraphClient};
use credstore::codes::directory as codes;
use credstore::diagnosis::Diagnosis;
use credstore_protocol::graph::{Application, ApplicationParameters};
use credstore_protocol::{ClientId, ObjectId};
use serde_json::{Value, json};

use crate::cli::Change;
use crate::confirm;
use crate::errors::CliError;
use crate::output::{Output, Table, pairs};
use crate::site::{self, Absent};
use crate::world::World;

/// App registrations of the embedded directory and their public keys
#[derive(Args, Debug)]
#[command(
    arg_required_else_help = true,
    subcommand_required = true,
    before_help = "Example\n  credstore app create --display-name process-mining --query appId -o tsv"
)]
pub(crate) struct App {
    #[command(subcommand)]
    command: AppCommand,
}

#[derive(Subcommand, Debug)]
enum AppCommand {
    Create(Create),
    List(List),
    Show(Show),
    Update(Update),
    Delete(Delete),
    Credential(credential::Credential),
}

impl App {
    /// Runs the verb.
    pub(crate) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        match self.command {
            AppCommand::Create(command) => command.run(world, out).await,
            AppCommand::List(command) => command.run(world, out).await,
            AppCommand::Show(command) => command.run(world, out).await,
            AppCommand::Update(command) => command.run(world, out).await,
            AppCommand::Delete(command) => command.run(world, out).await,
            AppCommand::Credential(command) => command.run(world, out).await,
        }
    }
}

/// Register an app and make its service principal; an app of that name is taken as it is
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore app create --display-name process-mining")]
struct Create {
    /// Name for people
    #[arg(long, value_name = "NAME")]
    display_name: String,
    #[command(flatten)]
    change: Change,
}

impl Create {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let name = &self.display_name;
        if self.change.only_said(&format!("register the app {}", crate::output::plain(name)), out)? {
            return Ok(());
        }
        let connection = site::connect(world, Absent::Create).await?;
        let graph = connection.graph()?;
        let (app, made) = ensure(&graph, name, world).await?;
        let principal = ensure_principal(&graph, &app.app_id, world).await?;
        let mut object = object(&app);
        object["servicePrincipalId"] = json!(principal.as_str());
        out.result(object, || {
            let state = if made { "created" } else { "already there" };
            format!("{}  {state}   client ID {}\n", crate::output::plain(name), app.app_id)
        })
    }
}

/// The app of that name, and whether it was made now. As `az`, a second one of the same name is not made.
pub(crate) async fn ensure(graph: &GraphClient, name: &str, world: &World) -> Result<(Application, bool), CliError> {
    let when = site::when(world);
    let known = graph.applications(&ApplicationFilter::Named(name.to_owned()), when).await;
    match known?.into_iter().next() {
        Some(app) => Ok((app, false)),
        None => {
            let made = graph.create_application(name, when).await?;
            Ok((made, true))
        }
    }
}

/// The service principal of an app, made when it is not there.
pub(crate) async fn ensure_principal(graph: &GraphClient, app: &ClientId, world: &World) -> Result<ObjectId, CliError> {
    let when = site::when(world);
    match graph.service_principal(app, when).await? {
        Some(principal) => Ok(principal.id),
        None => {
            let made = graph.create_service_principal(app, when).await;
            Ok(made?.id)
        }
    }
}

/// The app that `text` means: a client ID, an object ID or a name.
pub(crate) async fn find(graph: &GraphClient, text: &str, world: &World) -> Result<Application, CliError> {
    let when = site::when(world);
    let filter = match text.parse::<ClientId>() {
        Ok(client) => ApplicationFilter::Client(client),
        Err(_) => ApplicationFilter::Named(text.to_owned()),
    };
    let found = graph.applications(&filter, when).await?;
    let shown = crate::output::plain(text);
    match (found.as_slice(), text.parse::<ObjectId>()) {
        ([_], _) => Ok(found.into_iter().next().ok_or_else(|| missing(&shown))?),
        ([], Ok(object)) => match graph.application(&object, when).await {
            Ok(app) => Ok(app),
            Err(error) if error.is_not_found() => Err(missing(&shown).into()),
            Err(error) => Err(error.into()),
        },
        ([], Err(_)) => Err(missing(&shown).into()),
        (several, _) => {
            Err(Diagnosis::error(&codes::DIRECTORY_CONFLICT, format!("{} apps are called {shown}", several.len()))
                .fix("name one by its client ID: credstore app list")
                .into())
        }
    }
}

fn missing(shown: &str) -> Diagnosis {
    Diagnosis::error(&codes::DIRECTORY_OBJECT_MISSING, format!("there is no app {shown}")).fix("credstore app list")
}

/// List the apps
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore app list")]
struct List {}

impl List {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let graph = site::connect(world, Absent::Refuse).await?.graph()?;
        let apps = graph.applications(&ApplicationFilter::All, site::when(world)).await;
        let mut apps = apps?;
        apps.sort_by(|a, b| a.display_name.cmp(&b.display_name));
        out.result(apps.iter().map(object).collect(), || {
            let mut table = Table::new(&["DISPLAY NAME", "CLIENT ID", "KEYS", "CREATED"]);
            for app in &apps {
                let keys = app.key_credentials.len().to_string();
                table.row(vec![app.display_name.clone(), app.app_id.to_string(), keys, app.created_date_time.clone()]);
            }
            table.to_string()
        })
    }
}

/// Show one app
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore app show --id APPID")]
struct Show {
    /// Client ID, object ID or name
    #[arg(long, value_name = "ID")]
    id: String,
}

impl Show {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let graph = site::connect(world, Absent::Refuse).await?.graph()?;
        let app = find(&graph, &self.id, world).await?;
        out.result(object(&app), || {
            pairs([
                ("Display name", app.display_name.clone()),
                ("Client ID", app.app_id.to_string()),
                ("Object ID", app.id.to_string()),
                ("Created", app.created_date_time.clone()),
                ("Keys", app.key_credentials.len().to_string()),
            ])
        })
    }
}

/// Give an app another name; its client ID, keys and permissions stay
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore app update --id APPID --display-name process-mining")]
struct Update {
    /// Client ID, object ID or name
    #[arg(long, value_name = "ID")]
    id: String,
    /// New name for people
    #[arg(long, value_name = "NAME")]
    display_name: String,
    #[command(flatten)]
    change: Change,
}

impl Update {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let (id, name) = (crate::output::plain(&self.id), crate::output::plain(&self.display_name));
        if self.change.only_said(&format!("rename the app {id} to {name}"), out)? {
            return Ok(());
        }
        let graph = site::connect(world, Absent::Refuse).await?.graph()?;
        let app = find(&graph, &self.id, world).await?;
        if app.display_name == self.display_name {
            return out.result(object(&app), || format!("{name}  already so; nothing was changed\n"));
        }
        let when = site::when(world);
        let known = graph.applications(&ApplicationFilter::Named(self.display_name.clone()), when).await;
        // Commands take an app by its name, so a second one of that name is not made here either.
        if let Some(other) = known?.into_iter().find(|known| known.id != app.id) {
            return Err(Diagnosis::error(&codes::DIRECTORY_CONFLICT, format!("another app is called {name}"))
                .cause(format!("its client ID is {}", other.app_id))
                .fix("choose another name")
                .into());
        }
        let renamed = ApplicationParameters { display_name: Some(self.display_name), key_credentials: None };
        graph.update_application(&app.id, &renamed, when).await?;
        let changed = graph.application(&app.id, when).await?;
        out.result(object(&changed), || format!("{name}  renamed   was {}\n", crate::output::plain(&app.display_name)))
    }
}

/// Delete an app with its service principal and keys
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore app delete --id APPID --yes")]
struct Delete {
    /// Client ID, object ID or name
    #[arg(long, value_name = "ID")]
    id: String,
    #[command(flatten)]
    change: Change,
}

impl Delete {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        if self.change.only_said(&format!("delete the app {}", crate::output::plain(&self.id)), out)? {
            return Ok(());
        }
        let graph = site::connect(world, Absent::Refuse).await?.graph()?;
        let app = find(&graph, &self.id, world).await?;
        let name = crate::output::plain(&app.display_name);
        confirm::yes(world, &format!("Delete {name} ({})? Whoever signs in as it cannot any more.", app.app_id))?;
        graph.delete_application(&app.id, site::when(world)).await?;
        out.result(json!({ "appId": app.app_id.as_str(), "deleted": true }), || format!("{name}  deleted\n"))
    }
}

fn object(app: &Application) -> Value {
    // A message of ours always has a JSON form.
    serde_json::to_value(app).unwrap_or_default()
}
