//! `credstore version`: which program this is.

use serde_json::json;

use crate::errors::CliError;
use crate::output::Output;

/// Print the version
#[derive(clap::Args, Debug)]
#[command(before_help = "Example\n  credstore version -o json")]
pub(crate) struct Version {}

impl Version {
    /// Prints name and version; with a format also the target.
    pub(crate) fn run(self, out: &mut Output) -> Result<(), CliError> {
        let version = env!("CARGO_PKG_VERSION");
        let target = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
        out.result(json!({ "name": "credstore", "version": version, "target": target }), || {
            format!("credstore {version}\n")
        })
    }
}
