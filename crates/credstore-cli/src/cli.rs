//! The command line: global flags, the tree of commands, and what happens when it is not understood.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory, Parser, Subcommand};
use credstore::codes::usage;
use credstore::diagnosis::Diagnosis;

use crate::commands::{
    app, broker, cert, check, completions, directory, expand, explain, file, get, identity_endpoint, list, man,
    quickstart, run, serve, setup, vault, version,
};
use crate::errors::{self, CliError, Style};
use crate::output::{Format, Output};
use crate::time_text::parse_span;
use crate::world::{Environment, World};

/// What `credstore` alone prints.
pub(crate) const FIRST_SCREEN: &str = "\
Use passwords by name. Nobody sees them, nothing stores them twice.

  credstore quickstart                          try it, one minute
  credstore setup embedded                      the five steps on this machine
  credstore get SqlServerP2P                    one value
  credstore run -e PASS=SqlServerP2P -- ./job   a command with a value
  credstore check server-settings.json          what is wrong, and how to fix it

Use         get  list  expand  run
Configure   setup  check  cert  explain
Vault       serve  vault  app  directory
Keep        file  broker
Help        completions  man  version
credstore help COMMAND for more.   Error codes: credstore explain CS3102";

/// Use passwords by name. Nobody sees them, nothing stores them twice.
#[derive(Parser, Debug)]
#[command(name = "credstore", version, max_term_width = 110, before_help = "Example\n  credstore quickstart")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

impl Cli {
    /// The tree of commands that people are told of, for scripts and pages.
    pub(crate) fn told() -> clap::Command {
        let whole = Self::command();
        // Clap takes no command out of a tree, so the tree is put together again without the hidden ones.
        clap::Command::new("credstore")
            .version(env!("CARGO_PKG_VERSION"))
            .about(whole.get_about().cloned().unwrap_or_default())
            .before_help(whole.get_before_help().cloned().unwrap_or_default())
            .args(whole.get_arguments().cloned())
            .subcommands(whole.get_subcommands().filter(|command| !command.is_hide_set()).cloned())
    }
}

/// Flags that every command takes, in any place.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Globals {
    /// Server Settings to use [env CREDSTORE_SETTINGS; default ./server-settings.json]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) settings: Option<PathBuf>,
    /// Folder of the embedded vault [env CREDSTORE_DATA_DIR; default ~/.local/share/credstore]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Form of the result [env CREDSTORE_OUTPUT; default table]
    #[arg(long, short, global = true, value_enum, value_name = "FORMAT")]
    pub(crate) output: Option<Format>,
    /// JMESPath applied to the result, as in az: --query appId -o tsv
    #[arg(long, global = true, value_name = "EXPR")]
    pub(crate) query: Option<String>,
    /// Less: results and errors only
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// More: what happens, on standard error
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Everything that happens, without values, on standard error [env CREDSTORE_LOG]
    #[arg(long, global = true)]
    pub(crate) debug: bool,
    /// Colour of messages [env NO_COLOR, CLICOLOR_FORCE]
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto, value_name = "WHEN")]
    pub(crate) color: Colour,
    /// Never ask [env CREDSTORE_NO_INPUT]
    #[arg(long, global = true)]
    pub(crate) no_input: bool,
    /// Answer ordinary questions with yes
    #[arg(long, short, global = true)]
    pub(crate) yes: bool,
    /// Time for the whole command: 10s, 500ms, 2m [env CREDSTORE_TIMEOUT]
    #[arg(long, global = true, value_name = "SPAN")]
    pub(crate) timeout: Option<String>,
    /// Socket of a broker, which is asked instead of the credential store [env CREDSTORE_SOCKET; docs/broker.md]
    #[arg(long, global = true, value_name = "PATH", conflicts_with = "no_broker")]
    pub(crate) socket: Option<PathBuf>,
    /// Ask the credential store itself, whatever broker there is
    #[arg(long, global = true)]
    pub(crate) no_broker: bool,
    /// Root key of the embedded vault [default root.key in the data folder, or the systemd credential credstore-root-key]
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "passphrase_file")]
    pub(crate) root_key_file: Option<PathBuf>,
    /// File with the passphrase of the embedded vault, instead of a root key
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

/// When messages are coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Flags of commands that change something.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct Change {
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

impl Change {
    /// Whether to stop here because nothing is to be changed; says what would have been done.
    pub(crate) fn only_said(self, what: &str, out: &mut Output) -> Result<bool, CliError> {
        if self.dry_run {
            let value = serde_json::json!({ "dryRun": true, "would": what });
            out.result(value, || format!("would {what}; nothing was changed\n"))?;
        }
        Ok(self.dry_run)
    }
}

/// The commands.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    // Start here
    Quickstart(quickstart::Quickstart),
    Setup(setup::Setup),
    // Use credentials
    Get(get::Get),
    List(list::List),
    Expand(expand::Expand),
    Run(run::Run),
    // Configure
    Check(check::Check),
    Cert(cert::Cert),
    Explain(explain::Explain),
    // Embedded vault and directory
    Serve(serve::Serve),
    Vault(vault::Vault),
    App(app::App),
    Directory(directory::Directory),
    // Keep
    File(file::File),
    Broker(broker::Broker),
    // Help
    Completions(completions::Completions),
    Man(man::Man),
    Version(version::Version),
    // Started by `run --azure-env` alone
    #[command(hide = true)]
    IdentityEndpoint(identity_endpoint::IdentityEndpoint),
    // What `run` becomes when its command ended by a signal
    #[command(hide = true)]
    EndedBy(run::EndedBy),
}

impl Command {
    /// Whether the command answers requests of others, on all cores.
    pub(crate) fn serves(&self) -> bool {
        match self {
            Self::Serve(_) | Self::Quickstart(_) => true,
            Self::Broker(command) => command.runs(),
            _ => false,
        }
    }

    /// Whether the command looks at `--timeout` itself: it has something to clean up, which must not happen in the
    /// middle of a step, or its time is that of another command.
    pub(crate) fn keeps_its_time(&self) -> bool {
        matches!(self, Self::Quickstart(_) | Self::IdentityEndpoint(_) | Self::Run(_))
    }

    /// Runs it.
    pub(crate) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        // Boxed, so that the smallest command does not carry the largest one's state.
        match self {
            Self::Quickstart(command) => Box::pin(command.run(world, out)).await,
            Self::Setup(command) => Box::pin(command.run(world, out)).await,
            Self::Get(command) => Box::pin(command.run(world, out)).await,
            Self::List(command) => Box::pin(command.run(world, out)).await,
            Self::Expand(command) => Box::pin(command.run(world, out)).await,
            Self::Run(command) => Box::pin(command.run(world, out)).await,
            Self::Check(command) => command.run(world, out),
            Self::File(command) => Box::pin(command.run(world, out)).await,
            Self::Cert(command) => Box::pin(command.run(world, out)).await,
            Self::Explain(command) => command.run(out),
            Self::Serve(command) => Box::pin(command.run(world, out)).await,
            Self::Vault(command) => Box::pin(command.run(world, out)).await,
            Self::App(command) => Box::pin(command.run(world, out)).await,
            Self::Directory(command) => Box::pin(command.run(world, out)).await,
            Self::Broker(command) => Box::pin(command.run(world, out)).await,
            Self::Completions(command) => command.run(out),
            Self::Man(command) => command.run(out),
            Self::Version(command) => command.run(out),
            Self::IdentityEndpoint(command) => Box::pin(command.run(world)).await,
            Self::EndedBy(command) => command.run(),
        }
    }
}

impl World {
    /// `--timeout`, then `CREDSTORE_TIMEOUT`.
    pub(crate) fn time_limit(&self) -> Result<Option<Duration>, CliError> {
        let text = self.globals.timeout.as_deref().or_else(|| self.environment.text("CREDSTORE_TIMEOUT"));
        text.map(|text| {
            parse_span(text).filter(|span| !span.is_zero()).ok_or_else(|| {
                Diagnosis::error(&usage::COMMAND_LINE, format!("{} is no span of time", crate::output::plain(text)))
                    .fix("a number and a unit: 500ms, 10s, 2m, 1h")
                    .into()
            })
        })
        .transpose()
    }
}

/// Whether messages are coloured. Source: no-color.org, bixense.com/clicolors.
pub(crate) fn colour(wanted: Colour, environment: &Environment, terminal: bool) -> bool {
    match wanted {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto if environment.text("NO_COLOR").is_some() => false,
        Colour::Auto if environment.text("CLICOLOR_FORCE").is_some_and(|value| value != "0") => true,
        Colour::Auto => terminal && environment.text("TERM") != Some("dumb"),
    }
}

/// Whether errors are to be JSON, also when the rest of the command line is not understood.
pub(crate) fn asks_for_json(arguments: &[OsString], environment: &Environment) -> bool {
    let ours: Vec<&str> = arguments.iter().map_while(|a| a.to_str().filter(|a| *a != "--")).collect();
    let flagged = ours.iter().enumerate().rev().find_map(|(at, argument)| match *argument {
        "-o" | "--output" => ours.get(at + 1).copied(),
        other => other.strip_prefix("--output=").or_else(|| other.strip_prefix("-o")),
    });
    flagged.or_else(|| environment.text("CREDSTORE_OUTPUT")) == Some("json")
}

/// Answers a command line that clap does not take: help on standard output, everything else as an error.
pub(crate) fn refuse(error: &clap::Error, out: &mut Output) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let style = out.style;
            out.line(error.render().to_string().trim_end());
            match out.flush() {
                Ok(()) => ExitCode::SUCCESS,
                Err(closed) => {
                    let _ = errors::print(&closed, style, out.stderr());
                    ExitCode::from(closed.exit())
                }
            }
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            out.note(error.render().to_string().trim_end());
            ExitCode::from(credstore::codes::Exit::Usage as u8)
        }
        _ => {
            let refused = CliError::from(diagnosis(error));
            let style = Style { colour: false, ..out.style };
            let _ = errors::print(&refused, style, out.stderr());
            ExitCode::from(refused.exit())
        }
    }
}

fn diagnosis(error: &clap::Error) -> Diagnosis {
    let rendered = error.render().to_string();
    // The first paragraph says what is wrong; its further lines are the arguments it is about.
    let first: Vec<&str> = rendered.lines().take_while(|line| !line.trim().is_empty()).map(str::trim).collect();
    let message = first.join(" ");
    let mut diagnosis = Diagnosis::error(&usage::COMMAND_LINE, message.trim_start_matches("error: "));
    for tip in rendered.lines().filter_map(|line| line.trim().strip_prefix("tip: ")) {
        diagnosis = diagnosis.fix(tip);
    }
    if let Some(ContextValue::StyledStr(usage)) = error.get(ContextKind::Usage) {
        let usage = usage.to_string();
        let usage = usage.trim().trim_start_matches("Usage:").trim();
        diagnosis = diagnosis.fix(usage.lines().next().unwrap_or_default());
    }
    diagnosis
}

#[cfg(test)]
mod tests {

    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        Environment::new(pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())))
    }

    #[test]
    fn the_tree_of_commands_is_consistent() {
        Cli::command().debug_assert();
    }

    fn each(command: &clap::Command, path: &str, check: &mut dyn FnMut(&str, &clap::Command)) {
        check(path, command);
        for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help" && !sub.is_hide_set()) {
            each(sub, &format!("{path} {}", sub.get_name()), check);
        }
    }

    #[test]
    fn the_help_of_every_command_starts_with_an_example_that_parses() {
        each(&Cli::command(), "credstore", &mut |path, command| {
            let help = command.clone().term_width(0).render_long_help().to_string();
            let mut lines = help.lines();
            assert_eq!(lines.next(), Some("Example"), "{path}");
            let example = lines.next().unwrap_or_default().trim();
            assert!(example.starts_with(path), "{path}: {example}");
            let words = example.split_whitespace().take_while(|word| !matches!(*word, "|" | "<" | ">"));
            if let Err(error) = Cli::try_parse_from(words) {
                panic!("{path}: {example}: {error}");
            }
        });
    }

    #[test]
    fn every_command_says_in_a_line_what_it_does() {
        each(&Cli::command(), "credstore", &mut |path, command| {
            assert!(command.get_about().is_some_and(|about| !about.to_string().is_empty()), "{path}");
        });
    }

    #[test]
    fn a_misspelt_command_names_the_nearest() {
        let error = Cli::try_parse_from(["credstore", "exapnd"]).unwrap_err();
        let found = diagnosis(&error);
        assert!(found.fix.iter().any(|fix| fix.contains("expand")), "{found:?}");
        assert_eq!(found.code.id, "CS0101");
    }

    #[test]
    fn json_is_seen_before_the_command_line_is_understood() {
        let asks = |arguments: &[&str], env: &[(&str, &str)]| {
            asks_for_json(&arguments.iter().map(OsString::from).collect::<Vec<_>>(), &environment(env))
        };
        assert!(asks(&["credstore", "-o", "json", "x"], &[]));
        assert!(asks(&["credstore", "-ojson"], &[]));
        assert!(asks(&["credstore", "x", "--output=json"], &[]));
        assert!(asks(&["credstore"], &[("CREDSTORE_OUTPUT", "json")]));
        assert!(!asks(&["credstore", "-o", "tsv"], &[("CREDSTORE_OUTPUT", "json")]));
        assert!(!asks(&["credstore", "run", "--", "x", "-o", "json"], &[]));
    }

    #[test]
    fn colour_follows_flag_then_variables_then_terminal() {
        assert!(colour(Colour::Always, &environment(&[("NO_COLOR", "1")]), false));
        assert!(!colour(Colour::Never, &environment(&[("CLICOLOR_FORCE", "1")]), true));
        assert!(colour(Colour::Auto, &environment(&[]), true));
        assert!(!colour(Colour::Auto, &environment(&[]), false));
        assert!(!colour(Colour::Auto, &environment(&[("NO_COLOR", "1")]), true));
        assert!(!colour(Colour::Auto, &environment(&[("TERM", "dumb")]), true));
        assert!(colour(Colour::Auto, &environment(&[("CLICOLOR_FORCE", "1")]), false));
    }
}
