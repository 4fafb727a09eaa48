//! What a running broker is asked by people: how it is, what it keeps, to read anew, to stop.

use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use credstore::codes::broker as codes;
use credstore::diagnosis::Diagnosis;
use credstore::store::broker::BrokerClient;
use credstore_protocol::broker::Freshness;
use serde_json::json;

use crate::commands::cert::days_left;
use crate::errors::CliError;
use crate::names;
use crate::output::{Output, Table, pairs};
use crate::socket;
use crate::time_text::{date, rfc3339, since};
use crate::world::World;

/// How long `stop` waits for the end. Ours: twice what the broker gives requests that are under way.
const END_TIME: Duration = Duration::from_secs(20);
/// How often it looks.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

fn client(world: &World) -> Result<BrokerClient, CliError> {
    socket::place(world).map(BrokerClient::new)
}

/// Show how the broker is
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore broker status")]
pub(super) struct Status {}

impl Status {
    pub(super) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let client = client(world)?;
        let health = client.health().await?;
        let now = world.now();
        let mut object = serde_json::to_value(&health).unwrap_or_default();
        object["socket"] = json!(client.socket().display().to_string());
        out.result(object, || {
            let cache = health.cache;
            let mut rows = vec![
                ("Status", health.status.clone()),
                ("Socket", client.socket().display().to_string()),
                ("Version", health.version.clone()),
                ("Process", health.pid.to_string()),
                ("Since", format!("{} ({})", rfc3339(health.started_at), since(health.started_at, now))),
            ];
            if let Some(end) = health.certificate_expires {
                let left = end.seconds_since(now);
                let told = match left {
                    ..0 => format!("ended {}", date(end)),
                    0.. => format!("until {} ({} left)", date(end), days_left(left)),
                };
                rows.push(("Certificate", told));
            }
            rows.push(("Kept", format!("{} identifiers, {} bytes", cache.entries, cache.bytes)));
            rows.push(("Answered", format!("{} fresh from memory, {} stale", cache.hits, cache.stale)));
            rows.push(("Store", format!("{} questions, {} without a value", cache.fetches, cache.failures)));
            pairs(rows)
        })
    }
}

/// Stop the broker once its requests are answered
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore broker stop")]
pub(super) struct Stop {}

impl Stop {
    pub(super) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let client = client(world)?;
        client.stop().await?;
        let begun = Instant::now();
        // The broker takes its socket away when it has ended.
        while client.socket().symlink_metadata().is_ok() {
            if begun.elapsed() > END_TIME {
                return Err(Diagnosis::error(&codes::BROKER_RUNNING, "the broker was told to stop and goes on")
                    .cause(format!("its socket is still there after {} s", END_TIME.as_secs()))
                    .fix("credstore broker status   tells its process")
                    .into());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        let socket = client.socket().display().to_string();
        out.result(json!({ "stopped": true, "socket": socket }), || format!("stopped: {socket}\n"))
    }
}

/// Read Server Settings and rights anew; broken ones leave the old ones in place
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore broker reload")]
pub(super) struct Reload {}

impl Reload {
    pub(super) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        client(world)?.reload().await.map_err(|refused| match refused.code.exit {
            credstore::codes::Exit::Permission | credstore::codes::Exit::Unreachable => refused,
            _ => Box::new(refused.note("the broker goes on with what it had")),
        })?;
        out.result(json!({ "reloaded": true }), || "settings and rights were read anew\n".to_owned())
    }
}

/// What the broker keeps
#[derive(Args, Debug)]
#[command(
    arg_required_else_help = true,
    subcommand_required = true,
    before_help = "Example\n  credstore broker cache list"
)]
pub(super) struct Cache {
    #[command(subcommand)]
    command: CacheCommand,
}

#[derive(Subcommand, Debug)]
enum CacheCommand {
    List(List),
    Clear(Clear),
}

impl Cache {
    pub(super) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        match self.command {
            CacheCommand::List(command) => command.run(world, out).await,
            CacheCommand::Clear(command) => command.run(world, out).await,
        }
    }
}

/// List identifiers, versions and ages of what is kept, never values
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore broker cache list")]
struct List {}

impl List {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let kept = client(world)?.kept().await?;
        out.result(serde_json::to_value(&kept.entries).unwrap_or_default(), || {
            let mut table = Table::new(&["IDENTIFIER", "VERSION", "AGE", "FRESHNESS"]);
            for entry in &kept.entries {
                let freshness = if entry.freshness == Freshness::Fresh { "fresh" } else { "stale" };
                table.row(vec![
                    entry.identifier.clone(),
                    entry.version.clone().unwrap_or_default(),
                    format!("{} s", entry.age_seconds),
                    freshness.to_owned(),
                ]);
            }
            table.to_string()
        })
    }
}

/// Wipe what is kept, so that the next read asks the store
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore broker cache clear SmtpRelay")]
struct Clear {
    /// This identifier alone
    identifier: Option<String>,
}

impl Clear {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let identifier = self.identifier.as_deref().map(names::identifier).transpose()?;
        client(world)?.clear(identifier.as_ref()).await?;
        let what = identifier.as_ref().map_or("all", |identifier| identifier.as_str()).to_owned();
        out.result(json!({ "cleared": what }), || format!("wiped: {what}\n"))
    }
}
