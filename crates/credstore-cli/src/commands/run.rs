//! `credstore run`: a command with values in its environment.
//!
//! Values are masked in output that goes into a file or a pipe; the command is our child then. Where there is nothing to mask,
//! it takes this process's place, so its signals, exit code and process group are its own, and nothing of ours stays
//! behind, but with `--azure-env` the endpoint of its identity, which ends with it. It is started only when every
//! identifier became a value.

mod azure_env;
mod masked;

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use credstore::codes::usage;
use credstore::diagnosis::Diagnosis;
use credstore::masking::{MASKED_MIN, Spellings, is_masked};
use credstore::resolver::Resolved;
use credstore_protocol::Identifier;

use crate::credentials::Credentials;
use crate::errors::CliError;
use crate::files;
use crate::harden;
use crate::names;
use crate::output::Output;
use crate::world::World;

use azure_env::AzureEnvironment;
use masked::Streams;

/// A credential is missing: the command was not started.
const NOT_STARTED: u8 = 125;
/// The command is there and cannot be executed. Source: POSIX `env`, exit status.
const NOT_EXECUTABLE: u8 = 126;
/// The command was not found. Source: POSIX `env`, exit status.
const NOT_FOUND: u8 = 127;

/// Run a command with values in its environment
#[derive(clap::Args, Debug)]
#[command(before_help = "Example\n  credstore run -e PGPASSWORD=SqlServerP2P -- psql -c 'select 1'")]
pub(crate) struct Run {
    /// Variable NAME gets the value behind identifier ID; may be repeated
    #[arg(long = "env", short = 'e', value_name = "NAME=ID")]
    variables: Vec<String>,
    /// File with NAME=ID lines; empty lines and lines that begin with # are skipped
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
    /// What to do when an identifier does not become a value
    #[arg(long, value_enum, default_value_t = IfMissing::Error, value_name = "WHAT")]
    if_missing: IfMissing,
    /// Give the command a managed identity: the app of the settings, for DefaultAzureCredential
    #[arg(long)]
    azure_env: bool,
    /// Leave the output as it is: values in it are shown. Output to a terminal is never masked
    #[arg(long)]
    no_masking: bool,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// End by a signal, as the command did whose place we had
#[derive(clap::Args, Debug)]
pub(crate) struct EndedBy {
    /// Its number
    signal: i32,
}

impl EndedBy {
    /// Ends this process, by the signal where that is one that ends processes.
    pub(crate) fn run(self) -> Result<(), CliError> {
        if let Some(signal) = rustix::process::Signal::from_named_raw(self.signal) {
            masked::end_by(signal);
        }
        Err(CliError::Printed(u8::try_from(128 + self.signal).unwrap_or(u8::MAX)))
    }
}

/// What to do when an identifier does not become a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum IfMissing {
    /// Do not start the command.
    Error,
    /// Say so and start it without the variable.
    Warn,
    /// Start it without the variable.
    Ignore,
}

impl Run {
    /// Resolves everything within `--timeout`, then runs the command for as long as it takes. Returns only when that is not
    /// possible.
    pub(crate) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let program = self.command.first().cloned().unwrap_or_default();
        let prepared = self.prepared(world, out);
        let (command, spellings) = match world.time_limit()? {
            None => prepared.await?,
            Some(limit) => tokio::time::timeout(limit, prepared).await.map_err(|_| crate::time_up(limit))??,
        };
        out.flush()?;
        let streams = Streams { stdout: !world.terminals.stdout, stderr: !world.terminals.stderr };
        let error = if self.no_masking || spellings.is_empty() || !(streams.stdout || streams.stderr) {
            harden::undo(&world.before);
            let mut command = command;
            command.exec()
        } else {
            masked::run(command, spellings, streams, world, out).await
        };
        Err(not_executed(&error, &program))
    }

    /// The command with its environment, and what is masked in its output.
    async fn prepared(&self, world: &World, out: &mut Output) -> Result<(Command, Spellings), CliError> {
        let program = self.command.first().cloned().unwrap_or_default();
        let values = self.values(world, out).await.map_err(|error| {
            let shown = crate::output::plain(&program.to_string_lossy());
            not_started(error, &shown)
        })?;
        let mut command = Command::new(&program);
        command.args(self.command.iter().skip(1));
        if self.azure_env {
            let shown = crate::output::plain(&program.to_string_lossy());
            let azure = AzureEnvironment::made(world, out).await.map_err(|error| not_started(error, &shown))?;
            azure.apply(&mut command, out);
        }
        for (name, resolved) in &values {
            command.env(name, resolved.secret().expose_secret());
        }
        if self.no_masking && !values.is_empty() {
            out.note("values in the output are not masked: --no-masking");
        }
        for (name, _) in values.iter().filter(|(_, resolved)| !is_masked(resolved.secret()) && !self.no_masking) {
            out.note(format!(
                "the value of {name} is too short to be masked: it has fewer than {MASKED_MIN} characters"
            ));
        }
        let spellings = Spellings::of(values.iter().map(|(_, resolved)| resolved.secret()));
        Ok((command, spellings))
    }

    async fn values(&self, world: &World, out: &mut Output) -> Result<Vec<(String, Resolved)>, CliError> {
        let mut wanted = Vec::new();
        for text in &self.variables {
            wanted.push(assignment(text, "-e")?);
        }
        if let Some(file) = &self.env_file {
            let text = files::read_text(file)?;
            for (number, line) in text.lines().enumerate() {
                let line = line.trim();
                if !line.is_empty() && !line.starts_with('#') {
                    wanted.push(assignment(line, &format!("{} line {}", file.display(), number + 1))?);
                }
            }
        }
        let mut values = Vec::new();
        if wanted.is_empty() {
            return Ok(values);
        }
        let credentials = Credentials::for_use(world).await?;
        for (name, identifier) in wanted {
            match credentials.resolve(&identifier, "asked for by credstore run", world, out).await {
                Ok(resolved) if resolved.secret().expose_secret().contains('\0') => {
                    return Err(Diagnosis::error(
                        &credstore::codes::identifiers::PASSWORD_WITH_NUL,
                        format!("the password of {identifier} holds a NUL character"),
                    )
                    .cause("an environment variable cannot hold one")
                    .into());
                }
                Ok(resolved) => values.push((name, resolved)),
                Err(error) => match self.if_missing {
                    IfMissing::Error => return Err(error),
                    IfMissing::Warn => note_missing(&error, &name, out),
                    IfMissing::Ignore => {}
                },
            }
        }
        Ok(values)
    }
}

fn note_missing(error: &CliError, name: &str, out: &mut Output) {
    if let CliError::Diagnosed { diagnosis, .. } = error {
        out.note(format!("warning[{}]: {}; {name} is not set", diagnosis.code.id, diagnosis.message));
    }
}

/// `NAME=ID`.
fn assignment(text: &str, place: &str) -> Result<(String, Identifier), CliError> {
    let wrong = |cause: &str| {
        // The text is not repeated: what stands after the sign may be a password typed by mistake.
        CliError::from(
            Diagnosis::error(&usage::COMMAND_LINE, format!("{place} takes NAME=IDENTIFIER"))
                .cause(cause)
                .fix("credstore run -e PGPASSWORD=SqlServerP2P -- psql"),
        )
    };
    let (name, identifier) = text.split_once('=').ok_or_else(|| wrong("there is no equals sign"))?;
    let well_formed = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if name.is_empty() || !well_formed || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(wrong("a variable's name has letters, digits and _, and does not begin with a digit"));
    }
    Ok((name.to_owned(), names::identifier(identifier)?))
}

/// The cause's own error with the exit code of `run`. An unknown identifier is told in the form of the manual.
fn not_started(error: CliError, program: &str) -> CliError {
    let unknown = credstore::codes::identifiers::IDENTIFIER_UNKNOWN.id;
    if error.code().is_some_and(|code| code.exit == credstore::codes::Exit::Usage) {
        return error;
    }
    error
        .map(|mut diagnosis| {
            let cause = format!("{program} was not started");
            if diagnosis.code.id == unknown {
                diagnosis.cause = Some(cause);
                diagnosis.place = None;
                diagnosis.fix = diagnosis.fix.into_iter().map(|fix| fix.replace("list all: ", "")).collect();
            } else if diagnosis.note.is_none() {
                diagnosis.note = Some(cause);
            }
            diagnosis
        })
        .exiting(NOT_STARTED)
}

fn not_executed(error: &std::io::Error, program: &OsString) -> CliError {
    let name = crate::output::plain(&program.to_string_lossy());
    let found = error.kind() != std::io::ErrorKind::NotFound;
    let message = if found { format!("{name} cannot be executed") } else { format!("{name} was not found") };
    let diagnosis = Diagnosis::error(&usage::COMMAND_NOT_STARTED, message).cause(error.to_string());
    CliError::from(diagnosis).exiting(if found { NOT_EXECUTABLE } else { NOT_FOUND })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignment_is_a_name_and_an_identifier() {
        let (name, identifier) = assignment("PGPASSWORD=SqlServerP2P", "-e").unwrap();
        assert_eq!((name.as_str(), identifier.as_str()), ("PGPASSWORD", "SqlServerP2P"));
        for text in ["PGPASSWORD", "=x", "1A=x", "A B=x", "A-B=x", "A="] {
            assert_eq!(assignment(text, "-e").unwrap_err().exit(), 2, "{text}");
        }
    }

    #[test]
    fn what_is_not_an_assignment_is_not_repeated() {
        let CliError::Diagnosed { diagnosis, .. } = assignment("planted value", "-e").unwrap_err() else { panic!() };
        assert!(!format!("{diagnosis:?}").contains("planted"));
    }
}
