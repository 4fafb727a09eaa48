//! `credstore completions`: a script for the shell, made from the tree of commands.

use clap_complete::Shell;

use crate::cli::Cli;
use crate::errors::CliError;
use crate::output::Output;

/// Print a completion script for a shell
#[derive(clap::Args, Debug)]
#[command(before_help = "Example\n  credstore completions bash > ~/.local/share/bash-completion/completions/credstore")]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    /// Prints the script.
    pub(crate) fn run(self, out: &mut Output) -> Result<(), CliError> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::told(), "credstore", &mut script);
        out.line(String::from_utf8_lossy(&script).trim_end());
        Ok(())
    }
}
