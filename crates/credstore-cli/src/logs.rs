//! What happens, on standard error: levels by flag, one line or one JSON object an event. Values are never in it.

use std::io;

use tracing::Level;
use tracing_subscriber::EnvFilter;

use crate::world::World;

/// Starts logging. `least` is shown without any flag; `CREDSTORE_LOG` overrides everything.
pub(crate) fn start(world: &World, json: bool, least: Level) {
    let globals = &world.globals;
    let level = match (globals.debug, globals.verbose, globals.quiet) {
        (true, _, _) | (_, 2.., _) => Level::DEBUG,
        (_, 1, _) => Level::INFO.max(least),
        (_, _, true) => Level::ERROR,
        _ => least,
    };
    // Only our own crates: the libraries below may log bytes of requests.
    let ours = |level: Level| format!("off,credstore={level},credstore_vault={level},credstore_server={level}");
    let wanted = world.environment.text("CREDSTORE_LOG").map_or(level, |text| text.parse().unwrap_or(level));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(ours(wanted)))
        .with_writer(io::stderr)
        .with_ansi(world.terminals.stderr && world.environment.text("NO_COLOR").is_none());
    // A second start in the same process keeps the first one's settings.
    let _ = if json { builder.json().try_init() } else { builder.try_init() };
}

/// Starts logging for a command that says nothing by itself, when a flag or variable asks for it.
pub(crate) fn start_if_asked(world: &World, json: bool) {
    let asked = world.globals.debug || world.globals.verbose > 0 || world.environment.text("CREDSTORE_LOG").is_some();
    if asked {
        start(world, json, Level::WARN);
    }
}
