//! `credstore get`: print one value to standard output, and nothing else.

use std::path::PathBuf;

use credstore::azure::AzureError;
use credstore::codes::identifiers;
use credstore::diagnosis::Diagnosis;
use credstore_protocol::{Secret, SecretName, SecretVersion};
use zeroize::Zeroizing;

use crate::credentials::Credentials;
use crate::errors::CliError;
use crate::files::{self, Existing};
use crate::names;
use crate::output::Output;
use crate::site;
use crate::socket;
use crate::world::World;

/// Print the value behind an identifier
#[derive(clap::Args, Debug)]
#[command(before_help = "Example\n  credstore get SqlServerP2P")]
pub(crate) struct Get {
    /// The identifier
    identifier: String,
    /// This version instead of the current one
    #[arg(long, value_name = "V")]
    version: Option<String>,
    /// Write the value to FILE, mode 0600, instead of printing it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// An empty value is no error
    #[arg(long)]
    allow_empty: bool,
}

impl Get {
    /// Resolves, then writes: no newline at the end in a pipe, one on a terminal.
    pub(crate) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let identifier = names::identifier(&self.identifier)?;
        let credentials = match self.version.is_some() || self.allow_empty {
            true => {
                socket::refuse_named(world, "older versions and empty values")?;
                Credentials::open(world).await?
            }
            false => Credentials::for_use(world).await?,
        };
        let asked = "asked for on the command line";
        let resolved = match (&self.version, self.allow_empty) {
            (None, false) => Some(credentials.resolve(&identifier, asked, world, out).await?),
            _ => None,
        };
        let fetched = match &resolved {
            Some(_) => None,
            None => Some(self.version_of(&credentials, world).await?),
        };
        let secret = match (&resolved, &fetched) {
            (Some(resolved), _) => resolved.secret(),
            (None, Some(fetched)) => fetched,
            (None, None) => return Ok(()),
        };
        self.write(secret, world, out)
    }

    /// Asks the vault itself, for what a resolver does not give: an older version, an empty value.
    async fn version_of(&self, credentials: &Credentials, world: &World) -> Result<Secret, CliError> {
        let Some(vault) = credentials.vault() else {
            return Err(Diagnosis::error(
                &identifiers::IDENTIFIER_WITH_VERSION,
                "a file has no versions and no empty values",
            )
            .cause(format!("the credential store is {}", credentials.store_name))
            .into());
        };
        let name: SecretName = names::secret(&self.identifier)?;
        let version: Option<SecretVersion> = match &self.version {
            None => None,
            Some(text) => Some(text.parse().map_err(|_| names::no_version("secret", text))?),
        };
        let bundle = vault.secret(&name, version.as_ref(), site::when(world)).await;
        let bundle = match bundle {
            Ok(bundle) => bundle,
            Err(error) => {
                let deleted = if error.is_not_found() { credentials.deleted(name.as_str(), world).await } else { None };
                return Err(deleted.unwrap_or_else(|| unknown(&error, &name, version.as_ref(), credentials)).into());
            }
        };
        match bundle.value {
            Some(value) if value.is_empty() && !self.allow_empty => {
                Err(Diagnosis::error(&identifiers::PASSWORD_EMPTY, format!("the password of {name} is empty"))
                    .fix("store it again, or --allow-empty")
                    .into())
            }
            Some(value) => Ok(value),
            None => Ok(Secret::from(String::new())),
        }
    }

    fn write(&self, secret: &Secret, world: &World, out: &mut Output) -> Result<(), CliError> {
        if let Some(file) = &self.out {
            let existing = if world.globals.yes { Existing::Replace } else { Existing::Keep };
            files::write(file, secret.expose_secret().as_bytes(), 0o600, existing)?;
            out.line(format!("{}  mode 0600", file.display()));
            return Ok(());
        }
        out.secret_result("value", &self.identifier, secret.expose_secret())?;
        if out.for_people() && out.terminal {
            out.secret(&Zeroizing::new(*b"\n")[..]);
        }
        Ok(())
    }
}

/// Which of name and version is unknown is not in the answer.
fn unknown(
    error: &AzureError,
    name: &SecretName,
    version: Option<&SecretVersion>,
    credentials: &Credentials,
) -> Diagnosis {
    match (Diagnosis::from(error), version) {
        (found, Some(version)) if found.code.id == identifiers::IDENTIFIER_UNKNOWN.id => {
            let message = format!("there is no version {version} of {name}");
            let cause = Some(format!("not in {}", credentials.store_name));
            let fix = vec![format!("credstore vault secret list-versions -n {name}")];
            Diagnosis { message, cause, fix, ..found }
        }
        (found, _) => found,
    }
}
