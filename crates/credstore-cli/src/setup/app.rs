//! Step 3: the app registration and its service principal.

use credstore::azure::graph::ApplicationFilter;
use credstore::codes::directory as codes;
use credstore::diagnosis::Diagnosis;
use credstore_protocol::ObjectId;
use credstore_protocol::graph::Application;

use super::{Ground, Row, Standing, Step};
use crate::commands::app;
use crate::errors::CliError;
use crate::output::plain;
use crate::site;

/// An app registration with its identity in the tenant.
pub(super) struct Registered {
    pub(super) app: Application,
    /// Object id of the service principal; access policies name it.
    pub(super) principal: Option<ObjectId>,
}

/// The app of the job, if it is there. The remembered client ID counts only while the name is still the same.
pub(super) async fn registered(ground: &Ground<'_>) -> Result<Option<Registered>, CliError> {
    let Some(connection) = ground.connection else { return Ok(None) };
    let (graph, when) = (connection.graph()?, site::when(ground.world));
    let named = graph.applications(&ApplicationFilter::Named(ground.job.app.clone()), when).await;
    let mut named = named?;
    if let Some(client) = &ground.job.client
        && named.iter().any(|app| app.app_id == *client)
    {
        named.retain(|app| app.app_id == *client);
    }
    let app = match (named.pop(), named.len()) {
        (None, _) => return Ok(None),
        (Some(app), 0) => app,
        (Some(_), others) => {
            let message = format!("{} apps are called {}", others + 1, plain(&ground.job.app));
            return Err(Diagnosis::error(&codes::DIRECTORY_CONFLICT, message)
                .fix("choose another name with --app-name, or delete those that are not used: credstore app list")
                .into());
        }
    };
    let principal = graph.service_principal(&app.app_id, when).await?;
    Ok(Some(Registered { app, principal: principal.map(|principal| principal.id) }))
}

pub(super) async fn look(ground: &Ground<'_>) -> Result<Row, CliError> {
    let row = |standing, state: &str| Ok(Row::new(Step::App, "App", plain(&ground.job.app), standing, state));
    match registered(ground).await? {
        None => row(Standing::Open, "not there"),
        Some(Registered { principal: None, .. }) => row(Standing::Open, "has no service principal"),
        Some(Registered { principal: Some(_), .. }) => row(Standing::Done, "already there"),
    }
}

pub(super) async fn act(ground: &Ground<'_>) -> Result<Row, CliError> {
    let (connection, _) = ground.there()?;
    let graph = connection.graph()?;
    let app = match registered(ground).await? {
        Some(found) => found.app,
        None => {
            let made = graph.create_application(&ground.job.app, site::when(ground.world)).await;
            made?
        }
    };
    app::ensure_principal(&graph, &app.app_id, ground.world).await?;
    let state = format!("client ID {}", app.app_id);
    Ok(Row::new(Step::App, "App", plain(&ground.job.app), Standing::Made, state))
}
