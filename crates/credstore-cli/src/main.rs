//! The `credstore` binary: makes the world, parses the command line, runs one command, answers with an exit code.
//!
//! Commands are one file each in [`commands`]; every error is printed by [`errors`]. Only this file reads the
//! environment and asks whether the streams are terminals.

mod cli;
mod commands;
mod confirm;
mod credential_file;
mod credentials;
mod draft;
mod errors;
mod excerpt;
mod files;
mod harden;
mod logs;
mod names;
mod output;
mod secret_input;
mod seed;
mod seen_versions;
mod setup;
mod site;
mod socket;
mod time_text;
mod world;

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use credstore::codes::{internal, usage};
use credstore::diagnosis::Diagnosis;

use crate::cli::Cli;
use crate::errors::{CliError, Style};
use crate::output::{Format, Output};
use crate::world::{Environment, SystemClock, Terminals, World};

fn main() -> ExitCode {
    harden::on_panic();
    // A panic is our own mistake and has said where: the code for that, not Rust's 101, which `run` leaves to others.
    std::panic::catch_unwind(command).unwrap_or(ExitCode::from(credstore::codes::Exit::Unexpected as u8))
}

/// Everything but the last resort.
fn command() -> ExitCode {
    let before = harden::process();
    let environment = Environment::new(std::env::vars_os());
    let terminals = Terminals {
        stdin: io::stdin().is_terminal(),
        stdout: io::stdout().is_terminal(),
        stderr: io::stderr().is_terminal(),
    };
    let arguments: Vec<_> = std::env::args_os().collect();
    let mut out = Output::new(
        Box::new(io::stdout()),
        Box::new(io::stderr()),
        terminals.stdout,
        Style { json: cli::asks_for_json(&arguments, &environment), colour: false },
    );
    let parsed = match Cli::try_parse_from(&arguments) {
        Ok(parsed) => parsed,
        Err(error) => return cli::refuse(&error, &mut out),
    };
    out.style.colour = cli::colour(parsed.globals.color, &environment, terminals.stderr);
    let world =
        World { environment, terminals, globals: parsed.globals, clock: std::sync::Arc::new(SystemClock), before };
    let done = configure(&world, &mut out).and_then(|()| match parsed.command {
        None => {
            out.line(cli::FIRST_SCREEN);
            Ok(())
        }
        Some(command) => run(command, &world, &mut out),
    });
    match done.and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let style = out.style;
            // Nobody is left to tell when standard error is closed; the exit code still says it.
            let _ = errors::print(&error, style, out.stderr());
            ExitCode::from(error.exit())
        }
    }
}

/// Format, query and silence: flag, then environment, then default.
fn configure(world: &World, out: &mut Output) -> Result<(), CliError> {
    let format = match (world.globals.output, world.environment.text("CREDSTORE_OUTPUT")) {
        (Some(format), _) => format,
        (None, None) => Format::Table,
        (None, Some(text)) => <Format as clap::ValueEnum>::from_str(text, true).map_err(|_| {
            Diagnosis::error(&usage::COMMAND_LINE, "CREDSTORE_OUTPUT is no output format")
                .fix("one of   table, json, jsonl, tsv, none")
        })?,
    };
    out.style.json = format == Format::Json;
    out.configure(format, world.globals.query.as_deref(), world.globals.quiet)
}

/// Runs the command in an event loop of its own: one thread, but for the server.
fn run(command: cli::Command, world: &World, out: &mut Output) -> Result<(), CliError> {
    if command.serves() {
        harden::server();
    }
    let mut builder = match command.serves() {
        true => tokio::runtime::Builder::new_multi_thread(),
        false => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = builder
        .enable_all()
        .build()
        .map_err(|error| Diagnosis::error(&internal::BUG, "the event loop does not start").cause(error.to_string()))?;
    let limit = world.time_limit()?.filter(|_| !command.keeps_its_time());
    if !command.serves() {
        logs::start_if_asked(world, out.style.json);
    }
    let done = runtime.block_on(async {
        match limit {
            None => command.run(world, out).await,
            Some(limit) => match tokio::time::timeout(limit, command.run(world, out)).await {
                Ok(done) => done,
                Err(_) => Err(time_up(limit)),
            },
        }
    });
    // A blocking call that outlives its command does not hold up the exit.
    runtime.shutdown_timeout(Duration::from_secs(5));
    done
}

/// What `--timeout` ends with.
pub(crate) fn time_up(limit: Duration) -> CliError {
    Diagnosis::error(&usage::TIME_UP, format!("not done within {} s", limit.as_secs_f32()))
        .cause("--timeout limits the whole command")
        .retryable()
        .into()
}
