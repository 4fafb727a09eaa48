//! `credstore man`: manual pages, made from the tree of commands.

use std::path::PathBuf;

use credstore::codes::internal;
use credstore::diagnosis::Diagnosis;

use crate::cli::Cli;
use crate::errors::CliError;
use crate::files::{self, Existing};
use crate::output::Output;

/// Print the manual page, or write one page for each command into a folder
#[derive(clap::Args, Debug)]
#[command(before_help = "Example\n  credstore man --dir ~/.local/share/man/man1")]
pub(crate) struct Man {
    /// Folder for the pages, made when it is not there
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Man {
    /// Prints or writes the pages.
    pub(crate) fn run(self, out: &mut Output) -> Result<(), CliError> {
        let mut root = Cli::told().disable_help_subcommand(true);
        root.build();
        let Some(folder) = self.dir else {
            out.line(String::from_utf8_lossy(&page(root)?).trim_end());
            return Ok(());
        };
        std::fs::create_dir_all(&folder).map_err(|error| files::unwritable(&folder, &error.to_string()))?;
        let mut left = vec![root];
        let mut count = 0;
        while let Some(command) = left.pop() {
            left.extend(command.get_subcommands().cloned());
            let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
            files::write(&folder.join(format!("{name}.1")), &page(command)?, 0o644, Existing::Replace)?;
            count += 1;
        }
        out.line(format!("{count} pages in {}", folder.display()));
        Ok(())
    }
}

fn page(command: clap::Command) -> Result<Vec<u8>, CliError> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut page)
        .map_err(|error| Diagnosis::error(&internal::BUG, "the page cannot be made").cause(error.to_string()))?;
    Ok(page)
}
