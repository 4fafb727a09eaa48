//! The way to the embedded vault: the running server, or the data folder itself.
//!
//! Commands speak the wire protocol in both cases. A server that holds the data folder is found by its
//! `endpoint.json`; otherwise the folder is opened under its lock and the same routes answer without a socket.
//! The command line signs in with the operator's certificate like any client.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use credstore::azure::{
    ArmClient, Authority, CertificateFile, CertificateSource, GraphClient, HttpsTransport, KeyVaultClient,
    ServiceAddress, SigningCertificate, TokenSource, TransportOptions, Trust, VaultAddress, When,
};
use credstore::codes::{server as codes, vault as vault_codes};
use credstore::diagnosis::Diagnosis;
use credstore::transport::{Answer, Body, Transport};
use credstore_protocol::arm::VaultResource;
use credstore_protocol::{ClientId, Secret, TenantId, VaultName};
use credstore_server::{App, InProcess, Site};
use credstore_vault::{Installation, OpenError, RootKeySource};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::errors::CliError;
use crate::files::{self, Existing};
use crate::world::World;

/// How long to wait for another command that holds the data folder, or for a server that is starting.
const PATIENCE: Duration = Duration::from_secs(5);
/// Pause between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(25);
/// Zone of the names when nobody chose another.
pub(crate) const DEFAULT_ZONE: &str = "localhost";
/// Port when nobody chose another.
pub(crate) const DEFAULT_PORT: u16 = 8443;

/// `endpoint.json`: where a running server answers and who may administer it. No secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Endpoint {
    /// Process id of the server.
    pub(crate) pid: u32,
    /// Address it listens on.
    pub(crate) listen: String,
    /// Zone of its names.
    pub(crate) zone: String,
    /// Port of its names.
    pub(crate) port: u16,
    /// The tenant.
    pub(crate) tenant: TenantId,
    /// Client id of the operator.
    pub(crate) operator: ClientId,
}

/// `site.json`: zone and port that were served last, so that addresses stay the same between servers.
#[derive(Debug, Serialize, Deserialize)]
struct LastSite {
    zone: String,
    port: u16,
}

/// File names in the data folder.
pub(crate) const ENDPOINT_FILE: &str = "endpoint.json";
const SITE_FILE: &str = "site.json";
/// The public certificate of the local authority.
pub(crate) const CA_FILE: &str = "ca.pem";
const OPERATOR_FILE: &str = "operator.pem";
const ROOT_KEY_FILE: &str = "root.key";

/// Whether a data folder that is not there is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absent {
    /// It is an error.
    Refuse,
    /// It is made.
    Create,
}

/// Signed in to the embedded vault as its operator.
pub(crate) struct Connection {
    transport: Arc<dyn Transport>,
    tokens: Arc<TokenSource>,
    pub(crate) site: Site,
    pub(crate) tenant: TenantId,
    pub(crate) operator: ClientId,
    /// Whether a server answers; otherwise we do ourselves.
    pub(crate) served: bool,
}

impl Connection {
    /// ARM, for the subscription and the group that our vaults are made in.
    pub(crate) fn arm(&self) -> Result<ArmClient, CliError> {
        self.arm_in(RESOURCE_GROUP)
    }

    fn arm_in(&self, group: &str) -> Result<ArmClient, CliError> {
        let (transport, tokens) = (self.transport.clone(), self.tokens.clone());
        let address = address(&self.site.management_host())?;
        // Our installation has one subscription, named like its tenant.
        Ok(ArmClient::new(transport, tokens, address, self.tenant.as_str(), group))
    }

    /// A vault in whatever group it is, and ARM for that group: `az` makes vaults in any.
    pub(crate) async fn find_vault(
        &self,
        name: &VaultName,
        when: When,
    ) -> Result<Option<(ArmClient, VaultResource)>, CliError> {
        let vaults = self.arm()?.vaults(when).await?;
        let found = vaults.into_iter().find(|vault| vault.name.eq_ignore_ascii_case(name.as_str()));
        found.map(|vault| Ok((self.arm_in(group_of(&vault.id))?, vault))).transpose()
    }

    /// The same for a vault that has to be there.
    ///
    /// # Errors
    /// CS4101 when there is none of that name.
    pub(crate) async fn located(&self, name: &VaultName, when: When) -> Result<(ArmClient, VaultResource), CliError> {
        let found = self.find_vault(name, when).await?;
        found.ok_or_else(|| {
            Diagnosis::error(&vault_codes::RESOURCE_MISSING, format!("there is no vault {name}"))
                .fix("list what is there: credstore vault list")
                .into()
        })
    }

    /// Graph.
    pub(crate) fn graph(&self) -> Result<GraphClient, CliError> {
        let address = address(&self.site.graph_host())?;
        Ok(GraphClient::new(self.transport.clone(), self.tokens.clone(), address))
    }

    /// The data plane of one vault.
    pub(crate) fn vault(&self, name: &VaultName) -> Result<KeyVaultClient, CliError> {
        self.vault_as(name, self.tokens.clone())
    }

    /// The data plane of one vault, for another client than the operator.
    pub(crate) fn vault_as(&self, name: &VaultName, tokens: Arc<TokenSource>) -> Result<KeyVaultClient, CliError> {
        let address = VaultAddress::new(name, &self.vault_suffix()).map_err(Diagnosis::from)?;
        let scope = format!("{}/.default", self.site.resource());
        Ok(KeyVaultClient::new(self.transport.clone(), tokens, address, scope))
    }

    /// A client that signs in with the certificate in `file`.
    pub(crate) fn client(&self, client: ClientId, file: &Path) -> Result<Arc<TokenSource>, CliError> {
        let source = CertificateSource::File(CertificateFile::new(file, None));
        let authority = Authority::new(&self.authority(), self.tenant.as_str()).map_err(Diagnosis::from)?;
        Ok(Arc::new(TokenSource::new(self.transport.clone(), authority, client, source)))
    }

    /// `https://login.localhost:8443`.
    pub(crate) fn authority(&self) -> String {
        format!("https://{}", self.site.authority_host())
    }

    /// `vault.localhost:8443`.
    pub(crate) fn vault_suffix(&self) -> String {
        self.site.resource().trim_start_matches("https://").to_owned()
    }
}

/// The resource group in an id: `/subscriptions/{s}/resourceGroups/{g}/…`.
fn group_of(id: &str) -> &str {
    id.split('/').nth(4).unwrap_or(RESOURCE_GROUP)
}

fn address(host: &str) -> Result<ServiceAddress, CliError> {
    ServiceAddress::new(&format!("https://{host}")).map_err(|error| Diagnosis::from(error).into())
}

/// The resource group that our vaults are made in.
pub(crate) const RESOURCE_GROUP: &str = "credstore";

/// The moment of a request, with the time that is usual for one.
pub(crate) fn when(world: &World) -> When {
    When::at(world.now())
}

/// Signs in to the embedded vault of the data folder.
///
/// # Errors
/// CS6001 when there is none, CS6002 when somebody holds it and does not answer, and the others of [`opened`].
pub(crate) async fn connect(world: &World, absent: Absent) -> Result<Connection, CliError> {
    let folder = world.data_folder();
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(endpoint) = running(&folder) {
            return to_server(&folder, &endpoint);
        }
        match open(world, &folder, absent).await {
            Ok(installation) => return in_process(Arc::new(installation), last_site(&folder), world),
            Err(OpenError::InUse { pid }) if Instant::now() >= deadline => return Err(in_use(&folder, pid).into()),
            Err(OpenError::InUse { .. }) => tokio::time::sleep(LOOK_AGAIN).await,
            Err(error) => return Err(opened(&error).into()),
        }
    }
}

/// Opens the folder, waiting a little for another command that holds it.
///
/// # Errors
/// As [`connect`]; a running server is CS6002 too.
pub(crate) async fn open_patiently(world: &World, folder: &Path, absent: Absent) -> Result<Installation, CliError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match open(world, folder, absent).await {
            Ok(installation) => return Ok(installation),
            Err(OpenError::InUse { .. }) if running(folder).is_none() && Instant::now() < deadline => {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            Err(OpenError::InUse { pid }) if running(folder).is_none() => return Err(in_use(folder, pid).into()),
            Err(error) => return Err(opened(&error).into()),
        }
    }
}

/// The server that holds the folder, when there is one.
pub(crate) fn running(folder: &Path) -> Option<Endpoint> {
    let text = files::read(&folder.join(ENDPOINT_FILE)).ok()?;
    let endpoint = serde_json::from_slice(&text).ok()?;
    // A server that was killed leaves the file; its lock went with it.
    Installation::is_held(folder).then_some(endpoint)
}

/// Opens the data folder, off the event loop: a passphrase takes its time.
pub(crate) async fn open(world: &World, folder: &Path, absent: Absent) -> Result<Installation, OpenError> {
    let key = root_key(world, folder)?;
    let (folder, now) = (folder.to_owned(), world.now());
    let work = move || match absent {
        Absent::Refuse => Installation::open(&folder, &key, now),
        Absent::Create => Installation::open_or_create(&folder, &key, now),
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(stopped) => Err(OpenError::Damaged { what: stopped.to_string() }),
    }
}

/// Where the root key comes from: passphrase file, key file, systemd credential, `root.key` in the folder.
fn root_key(world: &World, folder: &Path) -> Result<RootKeySource, OpenError> {
    let globals = &world.globals;
    if let Some(file) = &globals.passphrase_file {
        let text = std::fs::read_to_string(file).map(zeroize::Zeroizing::new);
        let text = text.map_err(|source| OpenError::Io { path: file.clone(), source })?;
        let line = text.strip_suffix('\n').unwrap_or(&text);
        return Ok(RootKeySource::Passphrase(Secret::from(zeroize::Zeroizing::new(line.to_owned()))));
    }
    let by_systemd = || world.environment.path("CREDENTIALS_DIRECTORY").map(|at| at.join("credstore-root-key"));
    let file = globals.root_key_file.clone().or_else(|| by_systemd().filter(|file| file.exists()));
    Ok(RootKeySource::File(file.unwrap_or_else(|| folder.join(ROOT_KEY_FILE))))
}

/// Signed in to the server that holds the folder.
pub(crate) fn to_server(folder: &Path, endpoint: &Endpoint) -> Result<Connection, CliError> {
    let trust = Trust::Only(folder.join(CA_FILE));
    let transport = HttpsTransport::new(TransportOptions { trust, ..TransportOptions::default() });
    let transport: Arc<dyn Transport> = Arc::new(transport.map_err(Diagnosis::from)?);
    let site = Site { zone: endpoint.zone.clone(), port: endpoint.port };
    let certificate = CertificateSource::File(CertificateFile::new(folder.join(OPERATOR_FILE), None));
    connection(transport, site, &endpoint.tenant, &endpoint.operator, certificate, true)
}

/// A connection that answers itself. The folder stays open as long as the connection lives.
pub(crate) fn in_process(installation: Arc<Installation>, site: Site, world: &World) -> Result<Connection, CliError> {
    let pem = installation.operator_pem().map_err(|error| opened(&error))?;
    let certificate = SigningCertificate::load(pem.expose_secret().as_bytes(), None)
        .map_err(|error| error.diagnosis(Some(Path::new(OPERATOR_FILE)), None))?;
    let certificate = CertificateSource::Held(Arc::new(certificate));
    let (tenant, operator) = (installation.tenant().clone(), installation.operator().client_id.clone());
    let transport = routes(installation, &site, world);
    connection(transport, site, &tenant, &operator, certificate, false)
}

/// The installation in the data folder for `tenant`'s settings; `None` when the folder holds another tenant or nothing.
pub(crate) async fn own_installation(
    world: &World,
    folder: &Path,
    tenant: &str,
) -> Result<Option<Arc<Installation>>, CliError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match open(world, folder, Absent::Refuse).await {
            Ok(installation) if installation.tenant().as_str() == tenant => {
                return Ok(Some(Arc::new(installation)));
            }
            Ok(_) | Err(OpenError::Missing(_) | OpenError::NotAFolder(_)) => return Ok(None),
            Err(OpenError::InUse { .. }) if running(folder).is_some() => return Ok(None),
            Err(OpenError::InUse { pid }) if Instant::now() >= deadline => return Err(in_use(folder, pid).into()),
            Err(OpenError::InUse { .. }) => tokio::time::sleep(LOOK_AGAIN).await,
            Err(error) => return Err(opened(&error).into()),
        }
    }
}

fn connection(
    transport: Arc<dyn Transport>,
    site: Site,
    tenant: &TenantId,
    operator: &ClientId,
    certificate: CertificateSource,
    served: bool,
) -> Result<Connection, CliError> {
    let host = format!("https://{}", site.authority_host());
    let authority = Authority::new(&host, tenant.as_str()).map_err(Diagnosis::from)?;
    let tokens = Arc::new(TokenSource::new(transport.clone(), authority, operator.clone(), certificate));
    Ok(Connection { transport, tokens, site, tenant: tenant.clone(), operator: operator.clone(), served })
}

/// Zone and port that were served last from this folder.
pub(crate) fn last_site(folder: &Path) -> Site {
    let last = files::read(&folder.join(SITE_FILE)).ok().and_then(|text| serde_json::from_slice(&text).ok());
    match last {
        Some(LastSite { zone, port }) => Site { zone, port },
        None => Site { zone: DEFAULT_ZONE.to_owned(), port: DEFAULT_PORT },
    }
}

/// Says where this process answers; the file goes when the value is dropped.
pub(crate) struct Announced(PathBuf);

impl Announced {
    /// Writes `endpoint.json` and `site.json`.
    pub(crate) fn new(folder: &Path, endpoint: &Endpoint) -> Result<Self, CliError> {
        let last = LastSite { zone: endpoint.zone.clone(), port: endpoint.port };
        write_json(&folder.join(SITE_FILE), &last)?;
        let file = folder.join(ENDPOINT_FILE);
        write_json(&file, endpoint)?;
        Ok(Self(file))
    }
}

impl Drop for Announced {
    fn drop(&mut self) {
        // What is left behind is recognised by the lock that nobody holds.
        let _ = std::fs::remove_file(&self.0);
    }
}

fn write_json(file: &Path, value: &impl Serialize) -> Result<(), CliError> {
    let text = serde_json::to_vec_pretty(value).map_err(|error| files::unwritable(file, &error.to_string()))?;
    files::write(file, &text, 0o600, Existing::Replace)
}

fn in_use(folder: &Path, pid: Option<u32>) -> Diagnosis {
    let who = pid.map_or("another process".to_owned(), |pid| format!("process {pid}"));
    Diagnosis::error(&codes::FOLDER_IN_USE, format!("{who} holds the data folder {}", folder.display()))
        .cause(format!("it did not finish or answer within {} s", PATIENCE.as_secs()))
        .fix("wait for it, or stop it and try again")
        .retryable()
}

/// The table from the vault's door to our codes.
pub(crate) fn opened(error: &OpenError) -> Diagnosis {
    let message = error.to_string();
    match error {
        OpenError::InUse { .. } => Diagnosis::error(&codes::FOLDER_IN_USE, message)
            .fix("stop that process, or use its vault: commands find a running server by themselves"),
        OpenError::Missing(folder) => {
            Diagnosis::error(&codes::FOLDER_MISSING, format!("there is no embedded vault in {}", folder.display()))
                .fix("credstore setup embedded, or name the folder with --data-dir")
        }
        OpenError::LogWithoutStore(log) => Diagnosis::error(&codes::STORE_DAMAGED, message)
            .cause("it may hold writes that were acknowledged and are nowhere else; no new store is made beside it")
            .fix("put store.db back beside it, from the same moment: the two belong together")
            .fix(format!("to begin anew without what it holds, move it away first: mv {0} {0}.old", log.display())),
        OpenError::NotAFolder(_) => {
            Diagnosis::error(&codes::FOLDER_UNUSABLE, message).fix("name a folder with --data-dir")
        }
        OpenError::NotAFile(_) => Diagnosis::error(&codes::FOLDER_UNUSABLE, message)
            .cause("a link, a pipe or a folder has its name; only files that lie in the data folder itself are used")
            .fix("put the file itself there; the data folder as a whole may be reached through a link"),
        OpenError::WrongRootKey => Diagnosis::error(&codes::ROOT_KEY_WRONG, message)
            .cause("the store was made with another one; or, rarer, the id in the store's header was changed")
            .fix("give the key the store was made with: --root-key-file FILE or --passphrase-file FILE")
            .fix("when it is the right one, restore the data folder from a backup"),
        OpenError::RootKeyMissing(_) => Diagnosis::error(&codes::ROOT_KEY_MISSING, message)
            .cause("the store was made with a root key file, not with a passphrase")
            .fix("restore it from your backup, or name it with --root-key-file FILE"),
        OpenError::RootKeyMalformed(_) => Diagnosis::error(&codes::ROOT_KEY_WRONG, message)
            .fix("name the root key of this store with --root-key-file FILE"),
        OpenError::OtherKeySource { passphrase: true } => {
            Diagnosis::error(&codes::ROOT_KEY_WRONG, message).fix("give it with --passphrase-file FILE")
        }
        OpenError::OtherKeySource { passphrase: false } => Diagnosis::error(&codes::ROOT_KEY_WRONG, message)
            .fix("leave --passphrase-file out; a root key outside the data folder is named with --root-key-file FILE"),
        OpenError::Permissions { path, .. } => {
            let mode = if path.is_dir() { "700" } else { "600" };
            let refused = Diagnosis::error(&codes::FOLDER_PERMISSIONS, message);
            let refused = refused.fix(format!("chmod {mode} {}", path.display()));
            match path.ends_with(OPERATOR_FILE) {
                true => refused.fix("if somebody may have read it, remove it: the next command makes another key"),
                false => refused,
            }
        }
        OpenError::ForeignOwner(path) => Diagnosis::error(&codes::FOLDER_PERMISSIONS, message)
            .fix("run credstore as the user who owns the data folder")
            .fix(format!("or give it to the user who runs credstore: chown -h USER {}", path.display())),
        OpenError::NewerFormat { .. } => Diagnosis::error(&codes::FORMAT_NEWER, message)
            .fix("use the version of credstore that wrote it, or a later one"),
        OpenError::Damaged { .. } => {
            Diagnosis::error(&codes::STORE_DAMAGED, message).fix("restore the data folder from a backup")
        }
        OpenError::Io { source, .. } => Diagnosis::error(&codes::FOLDER_UNUSABLE, message).cause(source.to_string()),
        OpenError::Storage(_) => Diagnosis::error(&codes::FOLDER_UNUSABLE, message)
            .cause("the storage engine refused")
            .fix("look at the free space of the disk, and whether it is mounted read-only"),
        OpenError::KeyGeneration(_) => Diagnosis::error(&codes::FOLDER_UNUSABLE, message),
    }
}

/// The routes of an installation as a way to send requests.
pub(crate) fn routes(installation: Arc<Installation>, site: &Site, world: &World) -> Arc<dyn Transport> {
    Arc::new(Routes(InProcess(App::new(installation, site.clone(), world.clock.clone()))))
}

/// Sends into the routes, without a socket.
struct Routes(InProcess);

impl Transport for Routes {
    fn send(&self, request: http::Request<Body>) -> Answer<'_> {
        Box::pin(async move { Ok(self.0.answer(request).await) })
    }
}

impl Drop for Routes {
    fn drop(&mut self) {
        // Nobody else writes the times of reading that were collected while the folder was open.
        self.0.0.installation().flush_usage();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_of_a_vault_stands_in_its_id() {
        let id = "/subscriptions/s/resourceGroups/rg-1/providers/Microsoft.KeyVault/vaults/acme";
        assert_eq!(group_of(id), "rg-1");
        assert_eq!(group_of(""), RESOURCE_GROUP);
    }
}
