//! The second process of `credstore run --azure-env`: a managed identity for one command, as long as that lives.
//!
//! It is told on standard input for whom it works and what the header's value is, says on standard output where it
//! answers, and ends when the command has ended. Nobody else starts it. It holds the tokens and signs with the
//! certificate of Server Settings; the command has neither.

use std::future::Future;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use credstore::azure::{AzureError, When};
use credstore::codes::server as codes;
use credstore::diagnosis::Diagnosis;
use credstore_protocol::{Clock, Secret};
use credstore_server::identity::{Identity, IdentityRefusal, IdentityToken, serve_identity};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, getppid, pidfd_open};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::credentials::SettingsApp;
use crate::errors::CliError;
use crate::files;
use crate::world::World;

/// Where distributions keep the authorities of the public web: Debian, Fedora, SUSE, Alpine.
const SYSTEM_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Answer for the managed identity of one command
#[derive(clap::Args, Debug)]
pub(crate) struct IdentityEndpoint {}

/// What the starting process says.
#[derive(Serialize, Deserialize)]
pub(crate) struct Order {
    /// What requests must carry.
    pub(crate) header: String,
    /// The process that is, or becomes, the command.
    pub(crate) command: u32,
    /// Bundles of authorities that the command uses now; `None` when the vault's is among the system's.
    pub(crate) bundles: Option<Vec<PathBuf>>,
}

impl Drop for Order {
    fn drop(&mut self) {
        self.header.zeroize();
    }
}

/// What this process says.
#[derive(Serialize, Deserialize)]
pub(crate) struct Answering {
    /// Port of 127.0.0.1.
    pub(crate) port: u16,
    /// The bundle of authorities for the command.
    pub(crate) bundle: Option<PathBuf>,
}

/// The app of the settings, for the endpoint.
struct AppIdentity {
    app: SettingsApp,
    clock: Arc<dyn Clock>,
}

impl Identity for AppIdentity {
    fn client_id(&self) -> &str {
        self.app.settings.client_id.as_str()
    }

    fn token<'a>(
        &'a self,
        resource: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<IdentityToken, IdentityRefusal>> + Send + 'a>> {
        Box::pin(async move {
            let scope = format!("{resource}/.default");
            match self.app.tokens.token(&scope, When::at(self.clock.now())).await {
                Ok(token) => Ok(IdentityToken {
                    value: Secret::from(token.expose_secret().to_owned()),
                    expires: token.expires(),
                }),
                Err(error) => Err(refusal(&Diagnosis::from(&AzureError::SignIn(error)))),
            }
        })
    }
}

fn refusal(diagnosis: &Diagnosis) -> IdentityRefusal {
    let cause = diagnosis.cause.as_deref().map(|cause| format!(": {cause}")).unwrap_or_default();
    let text = format!("credstore {}: {}{cause}", diagnosis.code.id, diagnosis.message);
    if diagnosis.retryable { IdentityRefusal::Unreachable(text) } else { IdentityRefusal::Refused(text) }
}

/// A private folder with one bundle in it, gone when dropped.
struct Bundle(PathBuf);

impl Drop for Bundle {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Bundle {
    fn file(&self) -> PathBuf {
        self.0.join("bundle.pem")
    }

    /// The authorities that the command trusts already, or else the system's, and the vault's.
    fn made(given: &[PathBuf], vault: &Path) -> Result<Self, CliError> {
        let given = given.to_vec();
        let system = SYSTEM_BUNDLES.map(PathBuf::from).into_iter().find(|file| file.exists());
        let mut known = if given.is_empty() { system.into_iter().collect() } else { given };
        known.push(vault.to_owned());
        known.dedup();
        let mut bundle = Zeroizing::new(Vec::new());
        for file in known {
            bundle.extend_from_slice(&files::read(&file)?);
            bundle.push(b'\n');
        }
        let folder = std::env::temp_dir().join(format!("credstore-identity-{}", uuid::Uuid::new_v4().simple()));
        let unwritable = |error: std::io::Error| files::unwritable(&folder, &error.to_string());
        // The umask makes both private; a folder that is there already is refused, so nobody can have put a link here.
        std::fs::create_dir(&folder).map_err(unwritable)?;
        let made = Self(folder.clone());
        std::fs::write(made.file(), &*bundle).map_err(unwritable)?;
        Ok(made)
    }
}

impl IdentityEndpoint {
    /// Answers until the command ends.
    pub(crate) async fn run(self, world: &World) -> Result<(), CliError> {
        let wrong = |cause: String| -> CliError {
            Diagnosis::error(&codes::IDENTITY_NOT_STARTED, "this command is started by credstore run --azure-env")
                .cause(cause)
                .into()
        };
        let mut text = Zeroizing::new(Vec::new());
        std::io::stdin().read_to_end(&mut text).map_err(|error| wrong(error.to_string()))?;
        let mut order: Order = serde_json::from_slice(&text).map_err(|_| wrong("it was told nothing".to_owned()))?;
        let ended = ended(order.command).ok_or_else(|| wrong("its command is gone".to_owned()))?;
        let app = SettingsApp::open(world).await?;
        let bundle = match (&order.bundles, &app.settings.ca_file) {
            (Some(given), Some(vault)) => Some(Bundle::made(given, vault)?),
            _ => None,
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| wrong(error.to_string()))?;
        let port = listener.local_addr().map_err(|error| wrong(error.to_string()))?.port();
        let answering = Answering { port, bundle: bundle.as_ref().map(Bundle::file) };
        let said = serde_json::to_string(&answering).map_err(|error| wrong(error.to_string()))?;
        // Written past `Output`: this is for a program, and whatever -o or -q was asked for is not meant for it.
        writeln!(std::io::stdout(), "{said}").map_err(|error| wrong(error.to_string()))?;
        let header = Secret::from(std::mem::take(&mut order.header));
        let identity = Arc::new(AppIdentity { app, clock: world.clock.clone() });
        serve_identity(listener, identity, header, ended).await.map_err(|error| wrong(error.to_string()))
    }
}

/// Completes when our parent, which is the command, has ended. `None`: it is not our parent any more.
fn ended(command: u32) -> Option<impl Future<Output = ()>> {
    let command = Pid::from_raw(i32::try_from(command).ok()?)?;
    let handle = pidfd_open(command, PidfdFlags::empty()).ok()?;
    // Looked at after the handle was taken: the number cannot have gone to another process before.
    if getppid() != Some(command) {
        return None;
    }
    let (tell, told) = tokio::sync::oneshot::channel();
    let watch = move || {
        // An error here means that it cannot be watched: better no identity than one without an end.
        while let Err(Errno::INTR) = poll(&mut [PollFd::new(&handle, PollFlags::IN)], None) {}
        let _ = tell.send(());
    };
    std::thread::Builder::new().name("command-watch".to_owned()).spawn(watch).ok()?;
    Some(async move {
        let _ = told.await;
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_has_what_was_trusted_before_and_the_vaults_authority_and_goes_with_its_owner() {
        let folder = std::env::temp_dir().join(format!("credstore-bundle-test-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let file = |name: &str, text: &str| {
            std::fs::write(folder.join(name), text).unwrap();
            folder.join(name)
        };
        let (mine, vault) = (file("mine.pem", "mine"), file("ca.pem", "vault"));
        let bundle = Bundle::made(&[mine.clone(), mine], &vault).unwrap();
        assert_eq!(std::fs::read_to_string(bundle.file()).unwrap(), "mine\nvault\n");
        let at = bundle.file();
        drop(bundle);
        assert!(!at.exists() && !at.parent().unwrap().exists());
        assert!(Bundle::made(&[folder.join("nowhere")], &vault).is_err());
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_passes_is_asked_again_and_what_does_not_is_refused() {
        let diagnosis = Diagnosis::error(&codes::SERVER_FAILED, "no answer").cause("why");
        assert!(matches!(refusal(&diagnosis), IdentityRefusal::Refused(text) if text.ends_with("no answer: why")));
        assert!(matches!(refusal(&diagnosis.retryable()), IdentityRefusal::Unreachable(_)));
    }
}
