//! `credstore check`: what is wrong with Server Settings, with the fix for each finding. Nothing is asked over the
//! network. Findings are the result of this command: they go to standard output, and errors among them exit 10.

use std::io::Read;
use std::path::{Path, PathBuf};

use credstore::azure::certificate::SigningCertificate;
use credstore::codes::{Exit, usage};
use credstore::diagnosis::{Diagnosis, Severity};
use credstore::settings::{self, ServerSettings, StoreSettings};
use serde_json::json;
use zeroize::Zeroizing;

use super::cert::validity;
use crate::cli::Change;
use crate::errors::{self, CliError};
use crate::files;
use crate::output::Output;
use crate::world::World;

/// Check Server Settings: syntax, meaning, files and certificate
#[derive(clap::Args, Debug)]
#[command(before_help = "Example\n  credstore check server-settings.json --strict")]
pub(crate) struct Check {
    /// The settings file; - reads standard input
    file: Option<PathBuf>,
    /// Make the repairs that are certain, such as a missing comma
    #[arg(long)]
    fix: bool,
    /// Warnings count too
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    change: Change,
}

impl Check {
    /// Checks, repairs when asked to, and prints what is left.
    pub(crate) fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let file = self.file.clone().unwrap_or_else(|| world.settings());
        let stdin = file.as_os_str() == "-";
        let mut text = if stdin { from_stdin()? } else { settings::read(&file).map_err(as_finding)? };
        let mut findings = findings(&text, &file, world);
        if self.fix {
            let fixed = Zeroizing::new(settings::fix_all(&text, &findings));
            if *fixed != *text {
                let count = findings.iter().filter(|finding| finding.edit.is_some()).count();
                let what =
                    format!("make {count} {} in {}", if count == 1 { "repair" } else { "repairs" }, file.display());
                if stdin {
                    return Err(Diagnosis::error(&usage::COMMAND_LINE, "--fix needs a file").into());
                }
                if self.change.only_said(&what, out)? {
                    return Ok(());
                }
                files::replace_keeping_mode(&file, fixed.as_bytes(), 0o600)?;
                out.note(format!(
                    "{count} {} made in {}",
                    if count == 1 { "repair" } else { "repairs" },
                    file.display()
                ));
                text = fixed;
                findings = self::findings(&text, &file, world);
            }
        }
        self.print(&findings, &text, &file, out)
    }

    fn print(&self, findings: &[Diagnosis], text: &str, file: &Path, out: &mut Output) -> Result<(), CliError> {
        let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
        let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
        let object = json!({
            "file": file.display().to_string(),
            "errors": errors,
            "warnings": warnings,
            "findings": findings.iter().map(|finding| errors::object(finding, Exit::Findings as u8)).collect::<Vec<_>>(),
        });
        let colour = out.style.colour && out.terminal;
        out.result(object, || {
            let mut shown: String =
                findings.iter().map(|finding| errors::finding(finding, text, colour) + "\n").collect();
            shown.push_str(&match (errors, warnings) {
                (0, 0) => format!("{}  no errors, no warnings\n", file.display()),
                (errors, warnings) => format!("{}, {}\n", counted(errors, "error"), counted(warnings, "warning")),
            });
            shown
        })?;
        if errors > 0 || (self.strict && warnings > 0) {
            out.flush()?;
            return Err(CliError::Printed(Exit::Findings as u8));
        }
        Ok(())
    }
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// A file that is not UTF-8 is a finding of this command like any other mistake in it; one that is not there is not.
fn as_finding(error: Box<Diagnosis>) -> CliError {
    let in_the_file = error.code.id == credstore::codes::settings::NOT_UTF8.id;
    let error = CliError::from(error);
    if in_the_file { error.exiting(Exit::Findings as u8) } else { error }
}

/// Everything that can be said without the network, in the order of the text, files last.
pub(crate) fn findings(text: &str, file: &Path, world: &World) -> Vec<Diagnosis> {
    let parsed = settings::parse(text, file);
    let mut findings = parsed.findings;
    if let Some(settings) = &parsed.settings {
        findings.extend(settings::check_files(settings));
        findings.extend(certificate(settings, world));
    }
    findings
}

fn certificate(settings: &ServerSettings, world: &World) -> Vec<Diagnosis> {
    let Some(StoreSettings::AzureKeyVault(vault)) = &settings.store else { return Vec::new() };
    let path = &vault.certificate_file;
    // A file that is missing or not readable was reported by the check of the files.
    let Ok(bytes) = files::read(path) else { return Vec::new() };
    let folder = settings.file.parent().unwrap_or(Path::new(""));
    let shown = path.strip_prefix(folder).unwrap_or(path);
    match SigningCertificate::load(&bytes, None) {
        Ok(pair) => validity(pair.public(), shown, world.now()),
        Err(error) => vec![error.diagnosis(Some(shown), Some(vault.places.certificate_file.clone()))],
    }
}

fn from_stdin() -> Result<Zeroizing<String>, CliError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(64 * 1024));
    std::io::stdin().lock().take(settings::SETTINGS_MAX + 1).read_to_end(&mut bytes).map_err(|error| {
        Diagnosis::error(&usage::INPUT_NEEDED, "standard input cannot be read").cause(error.to_string())
    })?;
    settings::decode(&bytes, Path::new("-")).map_err(as_finding)
}
