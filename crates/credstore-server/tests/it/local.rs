//! The vault for test suites, through our own client: HTTPS, sign-in and permissions are the real ones.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use credstore::azure::{AzureError, Secrets, TransportOptions, When};
use credstore::resolver::Resolver;
use credstore::settings::{self, AzureKeyVaultSettings, StoreSettings};
use credstore::store::azure_key_vault::AzureKeyVaultStore;
use credstore_protocol::key_vault::SecretProperties;
use credstore_protocol::{Secret, SecretName, Timestamp};
use credstore_server::{Fault, FaultHost, FaultPlan, FaultRule, LocalApp, LocalVault, LocalVaultError};
use credstore_testing::clock::FakeClock;
use credstore_vault::access::{Granted, PermissionSet, SecretPermission};

#[allow(clippy::disallowed_methods, reason = "TLS of the client looks at the real time")]
pub(crate) fn now() -> Timestamp {
    SystemTime::now().into()
}

fn started() -> (LocalVault, Arc<FakeClock>) {
    let clock = Arc::new(FakeClock::at(now()));
    (LocalVault::start("acme-kv", clock.clone()).unwrap(), clock)
}

/// The files of an application, removed with the value.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn of(vault: &LocalVault, app: &LocalApp) -> Self {
        let folder = std::env::temp_dir().join(format!("credstore-local-{}", app.client_id));
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("app.pem"), app.pem.expose_secret()).unwrap();
        std::fs::write(folder.join("ca.pem"), vault.ca_pem()).unwrap();
        std::fs::write(folder.join("settings.json"), vault.server_settings(app, "app.pem", "ca.pem")).unwrap();
        Self(folder)
    }

    pub(crate) fn settings(&self) -> AzureKeyVaultSettings {
        let file = self.0.join("settings.json");
        let (settings, _) = settings::parse(&settings::read(&file).unwrap(), &file).usable().unwrap();
        let Some(StoreSettings::AzureKeyVault(settings)) = settings.store else { panic!("it is a Key Vault") };
        *settings
    }

    /// Puts another certificate into the place of the app's, as an administrator's tool does.
    pub(crate) fn exchange_certificate(&self, pem: &str) {
        std::fs::write(self.0.join("next.pem"), pem).unwrap();
        std::fs::rename(self.0.join("next.pem"), self.0.join("app.pem")).unwrap();
    }

    fn store(&self) -> AzureKeyVaultStore {
        AzureKeyVaultStore::connect(&self.settings(), TransportOptions::default()).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn name(text: &str) -> SecretName {
    text.parse().unwrap()
}

fn denied<T: std::fmt::Debug>(result: Result<T, AzureError>) -> bool {
    credstore::Diagnosis::from(&result.unwrap_err()).code.exit == credstore::codes::Exit::Permission
}

#[tokio::test]
async fn an_app_resolves_by_get_alone_and_may_do_more_when_it_is_permitted() {
    let (vault, _) = started();
    vault.set_secret("SqlServerP2P", "first").unwrap();
    vault.set_secret("SqlServerP2P", "second").unwrap();
    let app = vault.app("process-mining").unwrap();
    let folder = Folder::of(&vault, &app);
    let store = folder.store();
    let client = store.client();
    assert_eq!(vault.url(), format!("https://acme-kv.{}", vault.dns_suffix()));
    let when = || When::at(now());
    let read = client.secret(&name("SqlServerP2P"), None, when()).await.unwrap();
    assert_eq!(read.value.unwrap().expose_secret(), "second");
    assert!(denied(client.objects::<Secrets>(when()).await));
    let more = [SecretPermission::List, SecretPermission::Set];
    let more = PermissionSet { secrets: Granted::of(&more), ..PermissionSet::default() };
    vault.permit(&app, more).unwrap();
    let value = Secret::from("from the app".to_owned());
    client.set_secret(&name("Other"), &value, &SecretProperties::default(), when()).await.unwrap();
    assert_eq!(client.objects::<Secrets>(when()).await.unwrap().len(), 2);
    assert!(denied(client.secret(&name("Other"), None, when()).await), "Get was not among them");
}

#[tokio::test]
async fn two_vaults_know_nothing_of_each_other_and_end_with_their_values() {
    let ((one, _), (other, _)) = (started(), started());
    one.set_secret("A", "of one").unwrap();
    other.set_secret("A", "of the other").unwrap();
    let (app, stranger) = (one.app("app").unwrap(), other.app("app").unwrap());
    let (folder, foreign) = (Folder::of(&one, &app), Folder::of(&other, &stranger));
    let (resolver, theirs) = (Resolver::new(Arc::new(folder.store())), Resolver::new(Arc::new(foreign.store())));
    let identifier = "A".parse().unwrap();
    assert_eq!(resolver.resolve(&identifier, now()).await.unwrap().secret().expose_secret(), "of one");
    assert_eq!(theirs.resolve(&identifier, now()).await.unwrap().secret().expose_secret(), "of the other");
    // The app of one has no place in the other's directory.
    std::fs::write(foreign.0.join("settings.json"), other.server_settings(&app, "app.pem", "ca.pem")).unwrap();
    let refused = Resolver::new(Arc::new(foreign.store())).resolve(&identifier, now()).await.unwrap_err();
    assert_eq!(credstore::Diagnosis::from(refused).code.exit, credstore::codes::Exit::SignIn);
    // A connection is still open, and this very thread would have to close it.
    let address = one.address();
    drop(one);
    assert!(std::net::TcpStream::connect(address).is_err());
    assert!(std::net::TcpStream::connect(other.address()).is_ok());
}

#[test]
fn the_clock_is_the_vaults_time_and_no_runtime_is_needed() {
    let (vault, clock) = started();
    let made = |vault: &LocalVault, secret: &str| {
        let (vaults, operator) = (vault.installation().vaults(), vault.installation().operator_caller());
        let open = vaults.open(vault.name()).unwrap();
        open.secret(&operator, &name(secret), None, now()).unwrap().record.created
    };
    vault.set_secret("Before", "x").unwrap();
    clock.advance(Duration::from_secs(86_400));
    vault.set_secret("After", "x").unwrap();
    assert_eq!(made(&vault, "After").seconds_since(made(&vault, "Before")), 86_400);
}

#[test]
fn what_cannot_be_a_name_is_refused() {
    let clock = Arc::new(FakeClock::at(now()));
    assert!(matches!(LocalVault::start("a b", clock), Err(LocalVaultError::Name(_))));
    let (vault, _) = started();
    assert!(matches!(vault.set_secret("with blank", "x"), Err(LocalVaultError::Name(_))));
    assert!(matches!(vault.set_secret("A", "x".repeat(25_601)), Err(LocalVaultError::Vault(_))));
    assert!(matches!(vault.app(""), Err(LocalVaultError::Directory(_))));
    assert!(format!("{vault:?}").contains("acme-kv"));
}

#[tokio::test]
async fn our_client_gets_over_failures_that_the_vault_is_told_to_have() {
    let (vault, _) = started();
    vault.set_secret("db", "v").unwrap();
    let folder = Folder::of(&vault, &vault.app("process-mining").unwrap());
    let (store, when) = (folder.store(), || When::at(now()));
    store.client().secret(&name("db"), None, when()).await.unwrap();
    let rule = |times, fault| FaultRule {
        host: FaultHost::Vault,
        method: None,
        path: Some("/secrets/db*".to_owned()),
        skip: 0,
        times,
        fault,
        asked: 0,
    };
    for fault in [Fault::Status { status: 503, retry_after_seconds: Some(0) }, Fault::Drop] {
        let rules = vec![rule(Some(1), fault.clone())];
        vault.inject(FaultPlan { rules, ..FaultPlan::default() }).unwrap();
        let read = store.client().secret(&name("db"), None, when()).await.unwrap();
        assert_eq!(read.value.unwrap().expose_secret(), "v");
        assert_eq!(vault.fault_plan().rules[0].asked, 2, "{fault:?}");
    }
    let rules = vec![rule(None, Fault::Status { status: 404, retry_after_seconds: None })];
    vault.inject(FaultPlan { rules, ..FaultPlan::default() }).unwrap();
    assert!(store.client().secret(&name("db"), None, when()).await.is_err());
    vault.inject(FaultPlan::default()).unwrap();
    assert!(store.client().secret(&name("db"), None, when()).await.is_ok());
}
