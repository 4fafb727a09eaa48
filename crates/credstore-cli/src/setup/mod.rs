//! The five steps as an engine: probe, do, verify. Used by `setup embedded`, `setup status` and `quickstart`.
//!
//! Each step has a file with two functions: `look`, which changes nothing and says whether the step is done, and
//! `act`, which does what is missing. What is remembered between runs ([`state`]) is a hint; the looks decide. That is
//! why a run that was cut off anywhere is finished by the next one, and why a second run changes nothing: every
//! file is written under a temporary name and renamed, every request is repeatable.
//!
//! Printing is in [`report`]; arguments and questions of the commands are in `commands::setup`.

pub(crate) mod access;
mod app;
pub(crate) mod certificate;
pub(crate) mod entry;
pub(crate) mod folder;
pub(crate) mod key_vault;
pub(crate) mod report;
pub(crate) mod state;

use std::path::{Path, PathBuf};

use credstore::codes::server as codes;
use credstore::diagnosis::Diagnosis;
use credstore_protocol::{ClientId, Secret, SecretName, VaultName};

use crate::errors::CliError;
use crate::files;
use crate::output::Output;
use crate::site::{Connection, opened};
use crate::world::World;

/// Name of the file with private key and certificate, beside the settings. Source: the set-up guide.
pub(crate) const CERTIFICATE_FILE: &str = "my-certificate.pem";
/// Name of the file with the public certificate, beside the settings. Source: the set-up guide.
pub(crate) const PUBLIC_FILE: &str = "azure-cert.cer";

/// The five steps, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// The vault.
    Vault = 1,
    /// Key and certificate.
    Certificate,
    /// The app registration.
    App,
    /// Public key, permission Get, secret.
    Access,
    /// The entry in Server Settings.
    Settings,
}

impl Step {
    /// All of them.
    pub(crate) const ALL: [Step; 5] = [Self::Vault, Self::Certificate, Self::App, Self::Access, Self::Settings];

    /// 1 to 5.
    pub(crate) fn number(self) -> u8 {
        self as u8
    }

    /// The step with this number.
    pub(crate) fn numbered(number: u8) -> Option<Step> {
        Self::ALL.into_iter().find(|step| step.number() == number)
    }
}

/// Where a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It was done before.
    Done,
    /// It was done now.
    Made,
    /// It is to be done.
    Open,
}

/// A step as it is shown: `1  Key Vault  demo-kv  created`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) step: Step,
    /// What it is about: `Key Vault`.
    pub(crate) what: &'static str,
    /// Which one: `demo-kv`.
    pub(crate) name: String,
    pub(crate) standing: Standing,
    /// In words: `created`.
    pub(crate) state: String,
}

impl Row {
    fn new(
        step: Step,
        what: &'static str,
        name: impl Into<String>,
        standing: Standing,
        state: impl Into<String>,
    ) -> Self {
        Self { step, what, name: name.into(), standing, state: state.into() }
    }

    /// Whether nothing is left to do.
    pub(crate) fn is_done(&self) -> bool {
        self.standing != Standing::Open
    }
}

/// What is to be set up, and where.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// The vault; `None` only where nothing is changed and nobody said which.
    pub(crate) vault: Option<VaultName>,
    /// Display name of the app registration.
    pub(crate) app: String,
    /// Its client ID, as far as it is remembered.
    pub(crate) client: Option<ClientId>,
    /// The secret that is to exist; without one, any secret of the vault will do.
    pub(crate) secret: Option<SecretName>,
    /// The Server Settings.
    pub(crate) settings: PathBuf,
    /// Name of the file with private key and certificate, beside the settings.
    pub(crate) certificate: String,
    /// Days that a new certificate is valid.
    pub(crate) days: u32,
    /// Name in a new certificate.
    pub(crate) subject: String,
}

impl Job {
    /// The file with private key and certificate.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.settings.with_file_name(&self.certificate)
    }

    /// The file with the public certificate.
    pub(crate) fn public(&self) -> PathBuf {
        self.settings.with_file_name(PUBLIC_FILE)
    }

    /// Every file that the set-up writes.
    pub(crate) fn written(&self) -> [PathBuf; 4] {
        [self.certificate(), self.public(), self.settings.clone(), self.folder().join(state::STATE_FILE)]
    }

    /// The folder that all files are in.
    pub(crate) fn folder(&self) -> PathBuf {
        files::folder_of(&self.settings)
    }
}

/// What the steps work on. Nothing in it changes while they do.
#[derive(Clone, Copy)]
pub(crate) struct Ground<'a> {
    pub(crate) world: &'a World,
    pub(crate) job: &'a Job,
    /// The embedded vault; `None` when there is none yet and nothing is to be changed.
    pub(crate) connection: Option<&'a Connection>,
}

impl<'a> Ground<'a> {
    /// The embedded vault and the name of the vault in it, where both are needed.
    fn there(&self) -> Result<(&'a Connection, &'a VaultName), CliError> {
        match (self.connection, &self.job.vault) {
            (Some(connection), Some(vault)) => Ok((connection, vault)),
            (None, _) | (_, None) => Err(opened(&credstore_vault::OpenError::Missing(self.world.data_folder())).into()),
        }
    }

    /// Where a step stands. Nothing is changed.
    pub(crate) async fn look(&self, step: Step) -> Result<Row, CliError> {
        match step {
            Step::Vault => key_vault::look(self).await,
            Step::Certificate => certificate::look(self),
            Step::App => app::look(self).await,
            Step::Access => access::look(self).await,
            Step::Settings => entry::look(self).await,
        }
    }

    /// Where all five stand.
    pub(crate) async fn look_at_all(&self) -> Result<Vec<Row>, CliError> {
        let mut rows = Vec::with_capacity(Step::ALL.len());
        for step in Step::ALL {
            rows.push(self.look(step).await?);
        }
        Ok(rows)
    }

    /// Does one of the steps 1 to 4 when it is not done, and looks again. Step 5 ends the connection and asks: see
    /// [`entry`].
    ///
    /// # Errors
    /// CS6022 when it was done and the second look does not find it; CS6024 when an earlier step is missing.
    pub(crate) async fn ensure(&self, step: Step, value: &mut Value<'_>, out: &mut Output) -> Result<Row, CliError> {
        let before = self.look(step).await?;
        if before.is_done() {
            return Ok(before);
        }
        let made = match step {
            Step::Vault => key_vault::act(self).await?,
            Step::Certificate => certificate::act(self).await?,
            Step::App => app::act(self).await?,
            Step::Access => access::act(self, value, out).await?,
            Step::Settings => return Ok(before),
        };
        let after = self.look(step).await?;
        if !after.is_done() {
            let message = format!("step {} was done and does not verify", step.number());
            return Err(Diagnosis::error(&codes::SETUP_VERIFY, message)
                .cause(format!("{} {}: {}", after.what, after.name, after.state))
                .fix("run it again; when it stays so, credstore setup status shows what is there")
                .into());
        }
        Ok(made)
    }

    /// The app's client ID, once it is registered.
    pub(crate) async fn client_id(&self) -> Result<Option<ClientId>, CliError> {
        Ok(app::registered(self).await?.map(|registered| registered.app.app_id))
    }

    /// A secret to test with: the one that was named, else the first of the vault that can be read.
    pub(crate) async fn test_secret(&self) -> Result<Option<SecretName>, CliError> {
        match &self.job.secret {
            Some(name) => Ok(Some(name.clone())),
            None => access::first_secret(self).await,
        }
    }
}

/// Where the secret's value comes from, if it is needed.
pub(crate) enum Value<'a> {
    /// It was read already, or made.
    Given(Secret),
    /// Read or ask when it is needed.
    Ask(&'a crate::secret_input::SecretSource),
}

/// CS6024: a step cannot be done before an earlier one.
fn earlier(step: Step, missing: Step, what: &str) -> CliError {
    Diagnosis::error(&codes::SETUP_EARLIER_STEP, format!("step {} needs step {}", step.number(), missing.number()))
        .cause(what)
        .fix(format!("credstore setup embedded --from {}", missing.number()))
        .into()
}

/// The last part of a path, as it is shown in a row.
fn shown(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
