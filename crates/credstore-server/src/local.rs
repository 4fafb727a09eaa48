//! A vault in the process of a test suite: real HTTPS on a free port of 127.0.0.1, nothing on disk, gone with the value.
//!
//! It is the embedded vault itself, not an imitation: tokens are signed and checked, permissions decide, deleted secrets
//! wait for their purge. What a suite needs beyond the few methods here it asks for over the protocol, or of
//! [`LocalVault::installation`].
//!
//! ```
//! use std::sync::Arc;
//! use std::time::SystemTime;
//!
//! use credstore::azure::TransportOptions;
//! use credstore::resolver::Resolver;
//! use credstore::settings::{self, StoreSettings};
//! use credstore::store::azure_key_vault::AzureKeyVaultStore;
//! use credstore_protocol::Timestamp;
//! use credstore_server::LocalVault;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let vault = LocalVault::start("acme-kv", Arc::new(|| Timestamp::from(SystemTime::now())))?;
//! vault.set_secret("SqlServerP2P", "only for tests")?;
//! let app = vault.app("process-mining")?;
//!
//! // What an administrator would put beside the application under test.
//! let folder = std::env::temp_dir().join(format!("local-vault-{}", vault.address().port()));
//! std::fs::create_dir_all(&folder)?;
//! std::fs::write(folder.join("app.pem"), app.pem.expose_secret())?;
//! std::fs::write(folder.join("ca.pem"), vault.ca_pem())?;
//! let text = vault.server_settings(&app, "app.pem", "ca.pem");
//!
//! let (settings, _) = settings::parse(&text, &folder.join("server-settings.json")).usable()?;
//! let Some(StoreSettings::AzureKeyVault(settings)) = settings.store else { panic!("it is a Key Vault") };
//! let store = AzureKeyVaultStore::connect(&settings, TransportOptions::default())?;
//! let resolver = Resolver::new(Arc::new(store));
//! let resolved = resolver.resolve(&"SqlServerP2P".parse()?, SystemTime::now().into()).await?;
//! assert_eq!(resolved.secret().expose_secret(), "only for tests");
//! # std::fs::remove_dir_all(folder)?;
//! # Ok(())
//! # }
//! ```

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use credstore_protocol::key_vault::SetSecret;
use credstore_protocol::{ClientId, Clock, InvalidName, ObjectId, Secret, TenantId, VaultName};
use credstore_vault::access::{AccessPolicy, Granted, PermissionSet, SecretPermission};
use credstore_vault::directory::NewKeyCredential;
use credstore_vault::installation::NewCredential;
use credstore_vault::vaults::PolicyChange;
use credstore_vault::{DirectoryError, Installation, OpenError, VaultError, VaultSpec};
use serde_json::json;
use tokio::sync::oneshot;

use crate::app::App;
use crate::faults::{BadFaultPlan, FaultPlan};
use crate::limits::Limits;
use crate::listener::{Listen, ServeError, ServeOptions, Tls, serve};
use crate::site::Site;

/// Zone of the names: every resolver that follows RFC 6761 knows that it is this machine.
const ZONE: &str = "localhost";
/// Group and location of the vault, as the command line makes it.
const GROUP: &str = "credstore";
const LOCATION: &str = "local";

/// Why a local vault did not start or change.
#[derive(Debug, thiserror::Error)]
pub enum LocalVaultError {
    /// A name cannot be one.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// There is no port, thread or runtime to be had.
    #[error("the system refused")]
    System(#[from] io::Error),
    /// The local CA did not issue a certificate.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The vault refuses.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The directory refuses.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The fault plan cannot be followed.
    #[error(transparent)]
    Faults(#[from] BadFaultPlan),
    /// A key cannot be made.
    #[error(transparent)]
    Key(#[from] OpenError),
}

/// An application of the vault's directory.
#[derive(Debug)]
pub struct LocalApp {
    /// The application (client) ID.
    pub client_id: ClientId,
    /// Object ID of its service principal.
    pub object_id: ObjectId,
    /// Private key and certificate that it signs in with, as in `my-certificate.pem`.
    pub pem: Secret,
}

/// One vault with its directory, served until the value is dropped.
pub struct LocalVault {
    app: App,
    clock: Arc<dyn Clock>,
    name: VaultName,
    address: SocketAddr,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl fmt::Debug for LocalVault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalVault").field("name", &self.name).field("address", &self.address).finish_non_exhaustive()
    }
}

impl LocalVault {
    /// A new installation in memory with the vault `name`, answering when this returns. It has a thread of its own, so
    /// tests with and without a runtime can have one. Takes about a quarter of a second: keys are made.
    ///
    /// `clock` is the vault's time, for tokens, dates of secrets and retention; a test may move it. A client's TLS has
    /// its own: to a vault whose clock is weeks away from it no client connects that cannot be told the time.
    ///
    /// # Errors
    /// [`LocalVaultError::Name`] and what the system refuses.
    pub fn start(name: &str, clock: Arc<dyn Clock>) -> Result<Self, LocalVaultError> {
        let name: VaultName = name.parse()?;
        let now = clock.now();
        let installation = Arc::new(Installation::in_memory(now));
        let operator = installation.operator_caller();
        installation.vaults().put_group(&operator, GROUP, LOCATION, None, now)?;
        let policy = AccessPolicy {
            tenant: installation.tenant().clone(),
            object_id: operator.object_id.clone(),
            application_id: None,
            permissions: PermissionSet::all(),
        };
        let spec = VaultSpec { access_policies: Some(vec![policy]), ..VaultSpec::default() };
        installation.vaults().create_or_update(&operator, &name, spec, now)?;

        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let site = Site { zone: ZONE.to_owned(), port: address.port() };
        let app = App::new(installation, site, clock.clone());
        let running = Some(serve_aside(listener, app.clone())?);
        Ok(Self { app, clock, name, address, running })
    }

    /// The vault's name.
    pub fn name(&self) -> &VaultName {
        &self.name
    }

    /// The vault's address, as Microsoft's clients take it: `https://acme-kv.vault.localhost:41234`.
    pub fn url(&self) -> String {
        format!("https://{}", self.app.site().vault_host(&self.name))
    }

    /// The directory's address: `https://login.localhost:41234`.
    pub fn authority(&self) -> String {
        format!("https://{}", self.app.site().authority_host())
    }

    /// What follows the vault's name: `vault.localhost:41234`.
    pub fn dns_suffix(&self) -> String {
        self.app.site().resource().trim_start_matches("https://").to_owned()
    }

    /// Where it listens, for clients whose resolver does not know `*.localhost`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The tenant of the directory.
    pub fn tenant(&self) -> &TenantId {
        self.installation().tenant()
    }

    /// The authority that clients have to trust, PEM.
    pub fn ca_pem(&self) -> &str {
        self.installation().authority().certificate_pem()
    }

    /// Everything behind it; [`Installation::operator_caller`] may do everything.
    pub fn installation(&self) -> &Installation {
        self.app.installation()
    }

    /// Registers an application that may get secrets, and nothing else. Makes a key, which takes some 50 ms.
    ///
    /// # Errors
    /// [`LocalVaultError::Directory`] when the name cannot be one.
    pub fn app(&self, display_name: &str) -> Result<LocalApp, LocalVaultError> {
        let (operator, now) = (self.installation().operator_caller(), self.clock.now());
        let NewCredential { pem, certificate_der } = NewCredential::generate(display_name, now)?;
        let key = NewKeyCredential { certificate_der, ..NewKeyCredential::default() };
        let directory = self.installation().directory();
        let registered = directory.create_application(&operator, display_name, vec![key], now)?;
        let principal = directory.create_service_principal(&operator, &registered.app_id, now)?;
        let app = LocalApp { client_id: registered.app_id, object_id: principal.id, pem };
        let get = PermissionSet { secrets: Granted::of(&[SecretPermission::Get]), ..PermissionSet::default() };
        self.permit(&app, get)?;
        Ok(app)
    }

    /// Gives an application these permissions and no others. Effective at once.
    ///
    /// # Errors
    /// [`LocalVaultError::Vault`] when the vault was deleted meanwhile.
    pub fn permit(&self, app: &LocalApp, permissions: PermissionSet) -> Result<(), LocalVaultError> {
        let policy = AccessPolicy {
            tenant: self.tenant().clone(),
            object_id: app.object_id.clone(),
            application_id: None,
            permissions,
        };
        let (operator, change) = (self.installation().operator_caller(), PolicyChange::Replace(vec![policy]));
        self.installation().vaults().set_access_policies(&operator, &self.name, change, self.clock.now())?;
        Ok(())
    }

    /// Sets a secret: a new version, which is the current one.
    ///
    /// # Errors
    /// [`LocalVaultError::Name`]; [`LocalVaultError::Vault`] when the value is too long or the secret is deleted.
    pub fn set_secret(&self, name: &str, value: impl Into<String>) -> Result<(), LocalVaultError> {
        let set = SetSecret { value: Secret::from(value.into()), content_type: None, attributes: None, tags: None };
        let (vaults, operator) = (self.installation().vaults(), self.installation().operator_caller());
        vaults.open(&self.name)?.set_secret(&operator, &name.parse()?, set, self.clock.now())?;
        Ok(())
    }

    /// Lets requests fail from now on, as the plan says; the default plan ends it.
    ///
    /// # Errors
    /// [`LocalVaultError::Faults`]; the plan before it stays.
    pub fn inject(&self, plan: FaultPlan) -> Result<(), LocalVaultError> {
        Ok(self.app.inject(plan)?)
    }

    /// The fault plan, with how many requests each rule was asked about.
    pub fn fault_plan(&self) -> FaultPlan {
        self.app.fault_plan()
    }

    /// Server Settings with which `app` reads this vault. The two paths go in as they are: to the file with
    /// [`LocalApp::pem`], and to the one with [`Self::ca_pem`].
    pub fn server_settings(&self, app: &LocalApp, certificate_file: &str, ca_file: &str) -> String {
        let store = json!({
            "Type": "AzureKeyVault",
            "TenantId": self.tenant().as_str(),
            "ClientId": app.client_id.as_str(),
            "VaultName": self.name.as_str(),
            "CertificateFile": certificate_file,
            "AuthorityHost": self.authority(),
            "VaultDnsSuffix": self.dns_suffix(),
            "CaFile": ca_file,
        });
        format!("{:#}\n", json!({ "CredentialStore": store }))
    }
}

impl Drop for LocalVault {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            // A thread that has ended already has nothing to be told, and its panic was printed.
            let _ = stop.send(());
            let _ = thread.join();
        }
    }
}

/// Serves on a thread of its own until it is told to stop.
fn serve_aside(listener: TcpListener, app: App) -> Result<(oneshot::Sender<()>, JoinHandle<()>), LocalVaultError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // The end waits for nobody: whoever drops the vault may be the one who would have to answer.
    let limits = Limits { drain: Duration::ZERO, ..Limits::default() };
    let options = ServeOptions { listen: Listen::On(listener), limits, tls: Tls::OwnAuthority };
    let (stop, stopped) = oneshot::channel();
    let (told, begun) = mpsc::channel();
    let serving = async move {
        let ready = told.clone();
        let done = serve(app, options, move |_| drop(ready.send(Ok(()))), async { drop(stopped.await) }).await;
        // Nobody listens any more to how a vault ends that has begun.
        let _ = told.send(done);
    };
    let thread = std::thread::Builder::new().name("local-vault".to_owned());
    let thread = thread.spawn(move || {
        runtime.block_on(serving);
        runtime.shutdown_background();
    })?;
    begun.recv().map_err(|_| io::Error::other("the thread of the vault ended"))??;
    Ok((stop, thread))
}
