//! From Server Settings to a resolver: which store is configured, and the way to it.
//!
//! A store that lives in our own data folder is asked in process when no server is running; everything else goes
//! over HTTPS, through the proxy and with the authorities that settings and environment name.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use credstore::azure::{
    Authority, AzureError, CertificateSource, GraphClient, HttpsTransport, KeyVaultClient, ObjectKind, Secrets,
    TokenSource, TransportOptions, Trust, VaultAddress,
};
use credstore::codes::{server as server_codes, settings as codes, vault as vault_codes};
use credstore::diagnosis::Diagnosis;
use credstore::reference::Reference;
use credstore::resolver::{Resolved, Resolver};
use credstore::settings::{self, AzureKeyVaultSettings, ServerSettings, StoreSettings};
use credstore::store::Store;
use credstore::store::azure_key_vault::{AzureKeyVaultStore, token_source, transport_options};
use credstore::store::broker::BrokerStore;
use credstore::store::file::FileStore;
use credstore::transport::Transport;
use credstore_protocol::key_vault::SecretItem;
use credstore_protocol::{Identifier, SecretName};
use credstore_server::Site;
use credstore_vault::Installation;

use crate::credential_file::{FileKeys, encrypted_store};
use crate::errors::CliError;
use crate::output::Output;
use crate::site::{self, Connection, Endpoint};
use crate::socket;
use crate::time_text::date;
use crate::world::World;

/// The configured store, ready to be asked.
pub(crate) struct Credentials {
    resolver: Resolver,
    settings: ServerSettings,
    /// The store again, when it is a vault: it can do more than give one secret.
    vault: Option<Arc<AzureKeyVaultStore>>,
    /// The store again, when it is a file.
    file: Option<Arc<FileStore>>,
    /// The same vault as its operator, when it is this machine's own: an app with Get only can list nothing.
    operated: Option<KeyVaultClient>,
    /// What the store is called in messages.
    pub(crate) store_name: String,
}

impl Credentials {
    /// Reads the settings and makes the resolver.
    ///
    /// # Errors
    /// What is wrong with the settings, the certificate file or the way to the store.
    pub(crate) async fn open(world: &World) -> Result<Self, CliError> {
        Self::of_file(world, &world.settings()).await
    }

    /// What gives current values: the broker, where one is named or found, otherwise the store itself.
    ///
    /// # Errors
    /// As [`Self::open`]. A broker that was named is never replaced by the store.
    pub(crate) async fn for_use(world: &World) -> Result<Self, CliError> {
        match socket::way(world) {
            None => Self::open(world).await,
            Some(socket) => {
                let store = Arc::new(BrokerStore::new(&socket));
                let settings = ServerSettings { file: socket, store: None, references: Vec::new() };
                let store_name = store.describe();
                let resolver = Resolver::new(store);
                Ok(Self { resolver, settings, vault: None, file: None, operated: None, store_name })
            }
        }
    }

    /// As [`Self::open`], for the settings in `file`.
    pub(crate) async fn of_file(world: &World, file: &Path) -> Result<Self, CliError> {
        let settings = settings_in(file)?;
        let mut file_store = None;
        let mut operated = None;
        let (store, vault): (Arc<dyn Store>, _) = match &settings.store {
            None => return Err(not_configured(file).into()),
            Some(StoreSettings::File(store)) => {
                let store = Arc::new(FileStore::new(&store.path));
                file_store = Some(store.clone());
                (store, None)
            }
            Some(StoreSettings::EncryptedFile(store)) => {
                let store = Arc::new(encrypted_store(world, store)?);
                file_store = Some(store.clone());
                (store, None)
            }
            Some(StoreSettings::AzureKeyVault(vault)) => {
                let own = own_vault(world, vault).await?;
                operated = own.as_ref().and_then(|own| own.operated(world, vault));
                let transport = match own {
                    Some(Own::Opened(installation, site)) => site::routes(installation, &site, world),
                    Some(Own::Served(..)) | None => https(world, vault)?,
                };
                let store = Arc::new(AzureKeyVaultStore::new(vault, transport)?);
                (store.clone(), Some(store))
            }
        };
        let store_name = store.describe();
        Ok(Self { resolver: Resolver::new(store), settings, vault, file: file_store, operated, store_name })
    }

    /// Resolves one identifier that was `asked` for somewhere; warnings go to standard error.
    pub(crate) async fn resolve(
        &self,
        identifier: &Identifier,
        asked: &str,
        world: &World,
        out: &mut Output,
    ) -> Result<Resolved, CliError> {
        match self.resolver.resolve(identifier, world.now()).await {
            Ok(resolved) => {
                for warning in resolved.warnings() {
                    out.warn(warning);
                }
                Ok(resolved)
            }
            Err(error) => Err(self.with_suggestion(error.into(), identifier, asked, world).await.into()),
        }
    }

    /// Says which identifier was probably meant, when listing is allowed; otherwise why that cannot be said.
    async fn with_suggestion(&self, found: Diagnosis, wanted: &Identifier, asked: &str, world: &World) -> Diagnosis {
        if found.code.id != credstore::codes::identifiers::IDENTIFIER_UNKNOWN.id {
            return found;
        }
        if let Some(deleted) = self.deleted(wanted.as_str(), world).await {
            return deleted.at_words(asked);
        }
        let mut better = match &self.vault {
            None => found,
            Some(vault) => match self.items(vault, world).await {
                Ok(items) => {
                    let names: Vec<&str> = items.iter().map(name_of).collect();
                    credstore::store::StoreError::not_among(wanted, self.store_name.clone(), names.iter().copied())
                        .into()
                }
                Err(_) => Diagnosis {
                    fix: vec![
                        "ask who administers the vault for its names; a suggestion needs the permission List"
                            .to_owned(),
                    ],
                    ..found
                },
            },
        };
        if better.place.is_none() {
            better = better.at_words(asked);
        }
        better
    }

    /// What to say when the vault has a deleted secret of this name; `None` when it has none or does not tell.
    /// Permission: Get.
    pub(crate) async fn deleted(&self, name: &str, world: &World) -> Option<Diagnosis> {
        let (client, name) = (self.vault()?, name.parse::<SecretName>().ok()?);
        let found = client.deleted_object::<Secrets>(&name, site::when(world)).await.ok()?;
        let vault = client.address().name();
        let kind = if found.secret.managed == Some(true) { ObjectKind::Certificate } else { ObjectKind::Secret };
        Some(
            Diagnosis::error(&vault_codes::SECRET_DELETED, format!("{name} is deleted"))
                .cause(format!("vault {vault} keeps it until {}", date(found.scheduled_purge_date)))
                .fix(format!("credstore vault {kind} recover --vault-name {vault} --name {name}")),
        )
    }

    /// The secrets of the vault without values, except those of certificates, which are no passwords; `None` when the store
    /// is a file.
    pub(crate) async fn listed(&self, world: &World) -> Option<Result<Vec<SecretItem>, AzureError>> {
        let mut listed = self.items(self.vault.as_ref()?, world).await;
        if let Ok(items) = &mut listed {
            items.retain(|item| item.managed != Some(true));
        }
        Some(listed)
    }

    /// As the operator where we are it; otherwise with what the app may do.
    async fn items(&self, vault: &AzureKeyVaultStore, world: &World) -> Result<Vec<SecretItem>, AzureError> {
        if let Some(operated) = &self.operated
            && let Ok(items) = operated.secrets_with_last_read(site::when(world)).await
        {
            return Ok(items);
        }
        vault.client().objects::<Secrets>(site::when(world)).await
    }

    /// The names in the file; none when the store is a vault.
    pub(crate) fn names_in_file(&self) -> Result<Vec<String>, CliError> {
        match &self.file {
            None => Ok(Vec::new()),
            Some(file) => file.identifiers().map_err(|error| Diagnosis::from(error).into()),
        }
    }

    /// The references in the settings.
    pub(crate) fn references(&self) -> &[Reference] {
        &self.settings.references
    }

    /// The vault that is asked, when the store is one.
    pub(crate) fn vault(&self) -> Option<&KeyVaultClient> {
        self.vault.as_ref().map(|store| store.client())
    }
}

/// The app that the settings name, to sign in for somebody else.
pub(crate) struct SettingsApp {
    /// Gives its tokens.
    pub(crate) tokens: Arc<TokenSource>,
    /// What the settings say of it.
    pub(crate) settings: AzureKeyVaultSettings,
    /// Whether the vault is one of ours, on this machine.
    pub(crate) embedded: bool,
}

impl SettingsApp {
    /// Reads the settings. Nothing is sent yet.
    ///
    /// # Errors
    /// What is wrong with the settings; CS6028 when the store is no vault, CS6027 when the vault is an embedded one that
    /// nobody serves.
    pub(crate) async fn open(world: &World) -> Result<Self, CliError> {
        let file = world.settings();
        let settings = settings_in(&file)?;
        let Some(StoreSettings::AzureKeyVault(vault)) = settings.store else {
            return Err(Diagnosis::error(&server_codes::IDENTITY_NEEDS_VAULT, "the credential store is no Key Vault")
                .cause(format!("{} names no CredentialStore of type AzureKeyVault", file.display()))
                .fix("credstore setup embedded   makes a vault on this machine and writes the entry")
                .into());
        };
        let own = own_vault(world, &vault).await?;
        if matches!(own, Some(Own::Opened(..))) {
            let message = format!("vault {} is on this machine and nobody serves it", vault.vault_name);
            return Err(Diagnosis::error(&server_codes::IDENTITY_NEEDS_SERVER, message)
                .cause("the command asks the vault itself, over HTTPS")
                .fix("credstore serve   in another terminal or as a service")
                .into());
        }
        let tokens = token_source(&vault, https(world, &vault)?)?;
        Ok(Self { tokens, embedded: own.is_some(), settings: *vault })
    }
}

/// The vault that the settings name and the ways to it and its directory, for whoever exchanges the certificate.
pub(crate) struct SettingsVault {
    /// What the settings say of it.
    pub(crate) settings: AzureKeyVaultSettings,
    /// To the directory, Graph and the vault.
    pub(crate) transport: Arc<dyn Transport>,
    /// The app, with the certificate of the settings.
    pub(crate) tokens: Arc<TokenSource>,
    /// Graph as the operator, when the vault is an embedded one of this machine.
    pub(crate) operator: Option<GraphClient>,
}

impl SettingsVault {
    /// Reads the settings. Nothing is sent yet.
    ///
    /// # Errors
    /// What is wrong with the settings; CS1218 when the store is no vault.
    pub(crate) async fn open(world: &World) -> Result<Self, CliError> {
        let file = world.settings();
        let Some(StoreSettings::AzureKeyVault(vault)) = settings_in(&file)?.store else {
            return Err(Diagnosis::error(
                &codes::STORE_WITHOUT_CERTIFICATE,
                "the credential store needs no certificate",
            )
            .cause(format!("{} names no CredentialStore of type AzureKeyVault", file.display()))
            .fix("name other settings with --settings FILE, or make a pair alone: credstore cert new")
            .into());
        };
        let own = own_vault(world, &vault).await?;
        let operator = own.as_ref().and_then(|own| own.connection(world)?.graph().ok());
        let transport = match own {
            Some(Own::Opened(installation, site)) => site::routes(installation, &site, world),
            Some(Own::Served(..)) | None => https(world, &vault)?,
        };
        let tokens = token_source(&vault, transport.clone())?;
        Ok(Self { settings: *vault, transport, tokens, operator })
    }

    /// The app with another certificate.
    ///
    /// # Errors
    /// When the directory's address is not usable.
    pub(crate) fn tokens_with(&self, certificate: CertificateSource) -> Result<Arc<TokenSource>, CliError> {
        let authority = Authority::new(self.settings.cloud.authority_host(), &self.settings.tenant);
        let (authority, client) = (authority.map_err(Diagnosis::from)?, self.settings.client_id.clone());
        Ok(Arc::new(TokenSource::new(self.transport.clone(), authority, client, certificate)))
    }

    /// The data plane, as the app.
    ///
    /// # Errors
    /// When the vault's address is not usable.
    pub(crate) fn key_vault(&self) -> Result<KeyVaultClient, CliError> {
        let address = VaultAddress::new(&self.settings.vault_name, self.settings.cloud.vault_dns_suffix());
        let address = address.map_err(Diagnosis::from)?;
        let scope = self.settings.cloud.scope();
        Ok(KeyVaultClient::new(self.transport.clone(), self.tokens.clone(), address, scope))
    }
}

/// Warnings of the settings are for `check`, not for every use.
fn settings_in(file: &Path) -> Result<ServerSettings, CliError> {
    let text = settings::read(file)?;
    let (settings, _) = settings::parse(&text, file).usable()?;
    Ok(settings)
}

/// The last part of `https://…/secrets/{name}`, without a version.
pub(crate) fn name_of(item: &SecretItem) -> &str {
    item.id.split("/secrets/").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or(&item.id)
}

/// CS1117.
pub(crate) fn not_configured(file: &Path) -> Diagnosis {
    Diagnosis::error(&codes::STORE_NOT_CONFIGURED, "no credential store is configured")
        .cause(format!("{} has no entry CredentialStore", file.display()))
        .fix("credstore setup embedded   makes a vault on this machine and writes the entry")
}

/// A store for a process that runs on.
pub(crate) struct Lasting {
    pub(crate) store: Arc<dyn Store>,
    /// Who signs in for it with a certificate, when it needs that.
    pub(crate) certificate: Option<Arc<TokenSource>>,
}

/// The store that `settings` name. A vault is asked over HTTPS, also one of this machine: the data folder is left to
/// `credstore serve`.
///
/// # Errors
/// When no store is configured, or what is cannot be used.
pub(crate) fn lasting(
    settings: &ServerSettings,
    base: TransportOptions,
    keys: &FileKeys,
) -> Result<Lasting, Box<Diagnosis>> {
    match &settings.store {
        None => Err(Box::new(not_configured(&settings.file))),
        Some(StoreSettings::EncryptedFile(store)) => {
            Ok(Lasting { store: Arc::new(keys.store(store)), certificate: None })
        }
        Some(StoreSettings::File(store)) => {
            Ok(Lasting { store: Arc::new(FileStore::new(&store.path)), certificate: None })
        }
        Some(StoreSettings::AzureKeyVault(vault)) => {
            let store = Arc::new(AzureKeyVaultStore::connect(vault, base)?);
            let certificate = Some(store.client().tokens().clone());
            Ok(Lasting { store, certificate })
        }
    }
}

/// Proxy and trusted authorities, as the environment names them.
pub(crate) fn transport_base(world: &World) -> TransportOptions {
    let environment = &world.environment;
    let proxy = ["https_proxy", "HTTPS_PROXY"].iter().find_map(|name| environment.text(name));
    let exempt = ["no_proxy", "NO_PROXY"].iter().find_map(|name| environment.text(name));
    TransportOptions {
        trust: Trust::System { instead: environment.path("SSL_CERT_FILE"), also: None },
        https_proxy: proxy.map(str::to_owned),
        no_proxy: exempt.map(str::to_owned),
        ..TransportOptions::default()
    }
}

fn https(world: &World, vault: &AzureKeyVaultSettings) -> Result<Arc<dyn Transport>, CliError> {
    let base = transport_base(world);
    let transport = HttpsTransport::new(transport_options(vault, base)).map_err(|error| {
        let diagnosis = Diagnosis::from(error);
        match &vault.places.ca_file {
            Some(place) => diagnosis.at(place.clone()),
            None => diagnosis,
        }
    })?;
    Ok(Arc::new(transport))
}

/// The installation of this machine that the settings mean.
enum Own {
    /// A server holds it.
    Served(PathBuf, Endpoint),
    /// Nobody held it; now we do.
    Opened(Arc<Installation>, Site),
}

impl Own {
    /// The vault as its operator; `None` where we may not be it.
    fn operated(&self, world: &World, vault: &AzureKeyVaultSettings) -> Option<KeyVaultClient> {
        self.connection(world)?.vault(&vault.vault_name).ok()
    }

    /// Signed in as its operator; `None` where we may not be it.
    fn connection(&self, world: &World) -> Option<Connection> {
        let connection = match self {
            Self::Served(folder, endpoint) => site::to_server(folder, endpoint),
            Self::Opened(installation, site) => site::in_process(installation.clone(), site.clone(), world),
        };
        connection.ok()
    }
}

async fn own_vault(world: &World, vault: &AzureKeyVaultSettings) -> Result<Option<Own>, CliError> {
    let folder = world.data_folder();
    let Some(site) = embedded_site(vault) else { return Ok(None) };
    // The installation that the settings were made for is named by its authority, when that is beside it.
    let folder = match &vault.ca_file {
        Some(ca) if world.globals.data_dir.is_none() && world.environment.path("CREDSTORE_DATA_DIR").is_none() => {
            ca.parent().map_or(folder, PathBuf::from)
        }
        _ => folder,
    };
    if !folder.is_dir() {
        return Ok(None);
    }
    if let Some(endpoint) = site::running(&folder) {
        let meant = (endpoint.tenant.as_str(), endpoint.zone.as_str(), endpoint.port)
            == (vault.tenant.as_str(), site.zone.as_str(), site.port);
        return Ok(meant.then_some(Own::Served(folder, endpoint)));
    }
    let opened = site::own_installation(world, &folder, &vault.tenant).await?;
    Ok(opened.map(|installation| Own::Opened(installation, site)))
}

/// Zone and port, when the addresses have the form of an embedded vault on this machine.
fn embedded_site(vault: &AzureKeyVaultSettings) -> Option<Site> {
    let authority = vault.cloud.authority_host().strip_prefix("https://login.")?;
    let suffix = vault.cloud.vault_dns_suffix().strip_prefix("vault.")?;
    if authority != suffix {
        return None;
    }
    let (zone, port) = match authority.rsplit_once(':') {
        Some((zone, port)) => (zone, port.parse().ok()?),
        None => (authority, 443),
    };
    let local = zone == site::DEFAULT_ZONE || zone.ends_with(".localhost");
    local.then(|| Site { zone: zone.to_owned(), port })
}

/// Whether the store answered that listing is not allowed.
pub(crate) fn is_denied(error: &AzureError) -> bool {
    Diagnosis::from(error).code.exit == credstore::codes::Exit::Permission
}
