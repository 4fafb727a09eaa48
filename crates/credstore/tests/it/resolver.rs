//! The resolver, and the store `AzureKeyVault` behind it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use credstore::diagnosis::{Diagnosis, Place, Severity};
use credstore::protocol::{Identifier, Secret, Timestamp};
use credstore::resolver::Resolver;
use credstore::settings::{AzureKeyVaultPlaces, AzureKeyVaultSettings, Cloud};
use credstore::store::azure_key_vault::{AzureKeyVaultStore, Dates};
use credstore::store::{Fetched, Fetching, Store};
use tokio::sync::Notify;

use crate::azure_support::{CLIENT, Fake, Folder, NOW, Reply, TENANT, aadsts, bundle, generated, reply, vault_error};

fn id(text: &str) -> Identifier {
    text.parse().unwrap()
}

/// Gives a value when told to, and counts how often it was asked.
struct Gate {
    value: &'static str,
    asked: AtomicUsize,
    started: Notify,
    go: Notify,
}

impl Gate {
    fn new(value: &'static str) -> Arc<Self> {
        Arc::new(Self { value, asked: AtomicUsize::new(0), started: Notify::new(), go: Notify::new() })
    }
}

impl Store for Gate {
    fn fetch<'a>(&'a self, _: &'a Identifier, _: Timestamp) -> Fetching<'a> {
        Box::pin(async move {
            self.asked.fetch_add(1, Ordering::SeqCst);
            self.started.notify_one();
            self.go.notified().await;
            Ok(Fetched::bare(Secret::from(self.value.to_owned())))
        })
    }

    fn describe(&self) -> String {
        "a gate".to_owned()
    }
}

#[tokio::test]
async fn a_thousand_callers_cause_one_fetch_and_share_the_secret() {
    let gate = Gate::new("s3cret");
    let resolver = Arc::new(Resolver::new(gate.clone()));
    let callers: Vec<_> = (0..1000)
        .map(|_| {
            let resolver = resolver.clone();
            tokio::spawn(async move { resolver.resolve(&id("A"), NOW).await.unwrap() })
        })
        .collect();
    gate.started.notified().await;
    gate.go.notify_one();
    for caller in callers {
        assert_eq!(caller.await.unwrap().secret().expose_secret(), "s3cret");
    }
    assert_eq!(gate.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_cancelled_caller_does_not_take_the_others_with_it() {
    let gate = Gate::new("s3cret");
    let resolver = Arc::new(Resolver::new(gate.clone()));
    let ask = || {
        let resolver = resolver.clone();
        tokio::spawn(async move { resolver.resolve(&id("A"), NOW).await })
    };
    let first = ask();
    gate.started.notified().await;
    let second = ask();
    tokio::task::yield_now().await;
    first.abort();
    gate.started.notified().await;
    gate.go.notify_one();
    assert_eq!(second.await.unwrap().unwrap().secret().expose_secret(), "s3cret");
    assert_eq!(gate.asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn an_empty_value_of_any_store_is_refused() {
    let gate = Gate::new("");
    gate.go.notify_one();
    let error = Resolver::new(gate).resolve(&id("A"), NOW).await.unwrap_err();
    assert_eq!(error.diagnosis.code.id, "CS2005");
}

fn place(pointer: &str) -> Place {
    Place { pointer: Some(format!("CredentialStore.{pointer}")), ..Place::default() }
}

pub(crate) fn settings(folder: &Folder) -> AzureKeyVaultSettings {
    let certificate_file = folder.path("my-certificate.pem");
    std::fs::write(&certificate_file, generated().pem.expose_secret()).unwrap();
    AzureKeyVaultSettings {
        tenant: TENANT.to_owned(),
        client_id: CLIENT.parse().unwrap(),
        vault_name: "acme-kv".parse().unwrap(),
        certificate_file,
        cloud: Cloud::AzurePublic,
        ca_file: None,
        places: AzureKeyVaultPlaces {
            tenant_id: place("TenantId"),
            client_id: place("ClientId"),
            vault_name: place("VaultName"),
            certificate_file: place("CertificateFile"),
            ..AzureKeyVaultPlaces::default()
        },
    }
}

/// The certificate is read at the first sign-in: `folder` must still be there then.
fn store(fake: &Arc<Fake>, folder: &Folder) -> AzureKeyVaultStore {
    AzureKeyVaultStore::new(&settings(folder), fake.clone()).unwrap()
}

async fn fetch(fake: &Arc<Fake>, identifier: &str) -> Result<Fetched, Diagnosis> {
    let folder = Folder::new();
    store(fake, &folder).fetch(&id(identifier), NOW).await.map_err(Diagnosis::from)
}

fn bundle_with(members: serde_json::Value) -> impl Fn() -> Reply + Send + Sync {
    move || {
        let mut body = serde_json::json!({"value": "s3cret", "attributes": {"enabled": true},
            "id": "https://acme-kv.vault.azure.net/secrets/Db/4387e9f3d6e14c459867679a90fd0f79"});
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        reply(200, &[], &body.to_string())
    }
}

async fn fetch_bundle(members: serde_json::Value) -> Result<Fetched, Diagnosis> {
    let answer = bundle_with(members);
    fetch(&Fake::signed_in(move |_, _| answer()), "Db").await
}

#[tokio::test]
async fn an_identifier_becomes_the_value_with_one_get() {
    let fake = Fake::signed_in(|_, _| bundle("s3cret"));
    let fetched = fetch(&fake, "Db").await.unwrap();
    assert_eq!(fetched.secret.expose_secret(), "s3cret");
    assert_eq!(fetched.version.unwrap().to_string(), "4387e9f3d6e14c459867679a90fd0f79");
    assert!(fetched.warnings.is_empty());
    let asked = fake.asked();
    assert_eq!((asked.len(), asked[0].method.as_str()), (1, "GET"));
}

#[tokio::test]
async fn an_identifier_that_a_vault_cannot_hold_sends_nothing() {
    let fake = Fake::signed_in(|_, _| bundle("s3cret"));
    for (identifier, code) in [("smtp_relay", "CS2001"), ("../x", "CS2007"), ("Db/4387", "CS2007"), ("a?b", "CS2001")] {
        assert_eq!(fetch(&fake, identifier).await.unwrap_err().code.id, code);
    }
    assert!(fake.all().is_empty());
}

#[tokio::test]
async fn the_private_key_of_a_certificate_is_never_handed_out() {
    for members in [
        serde_json::json!({"contentType": "application/x-pem-file"}),
        serde_json::json!({"contentType": "application/x-pkcs12"}),
        serde_json::json!({"managed": true}),
        serde_json::json!({"kid": "https://acme-kv.vault.azure.net/keys/Db/1"}),
    ] {
        let diagnosis = fetch_bundle(members).await.unwrap_err();
        assert_eq!((diagnosis.code.id, diagnosis.code.exit as u8), ("CS4016", 7));
        assert!(!format!("{diagnosis:?}").contains("s3cret"));
    }
}

#[tokio::test]
async fn empty_expired_early_and_newline_values_are_told_apart() {
    assert_eq!(fetch_bundle(serde_json::json!({"value": ""})).await.unwrap_err().code.id, "CS2005");
    let warned = |members| async {
        fetch_bundle(members).await.unwrap().warnings.into_iter().map(|w| w.code.id).collect::<Vec<_>>()
    };
    assert_eq!(warned(serde_json::json!({"attributes": {"exp": NOW.0}})).await, ["CS4009"]);
    assert_eq!(warned(serde_json::json!({"attributes": {"nbf": NOW.0 + 1}})).await, ["CS4017"]);
    assert_eq!(warned(serde_json::json!({"value": "s3cret\n"})).await, ["CS2006"]);
    assert!(warned(serde_json::json!({"attributes": {"nbf": NOW.0, "exp": NOW.0 + 1}})).await.is_empty());
}

#[tokio::test]
async fn strict_dates_refuse_what_is_only_warned_about_otherwise() {
    for (members, code) in [
        (serde_json::json!({"attributes": {"exp": NOW.0}}), "CS4009"),
        (serde_json::json!({"attributes": {"nbf": NOW.0 + 1}}), "CS4017"),
    ] {
        let answer = bundle_with(members);
        let folder = Folder::new();
        let store = store(&Fake::signed_in(move |_, _| answer()), &folder).with_dates(Dates::Refuse);
        let diagnosis = Diagnosis::from(store.fetch(&id("Db"), NOW).await.unwrap_err());
        assert_eq!((diagnosis.code.id, diagnosis.code.exit as u8, diagnosis.severity), (code, 7, Severity::Error));
    }
}

#[tokio::test]
async fn an_unknown_identifier_is_the_stores_own_error() {
    let fake = Fake::signed_in(|_, _| vault_error(404, "SecretNotFound", None, "not found"));
    let diagnosis = fetch(&fake, "Db").await.unwrap_err();
    assert_eq!(diagnosis.code.id, "CS2004");
    assert_eq!(diagnosis.message, "there is no identifier Db");
    assert!(diagnosis.cause.unwrap().contains("not in vault acme-kv"));
}

#[tokio::test]
async fn an_error_points_at_the_setting_that_is_most_likely_wrong() {
    for (number, pointer) in
        [(90002, "TenantId"), (700_016, "ClientId"), (700_027, "CertificateFile"), (1_000_502, "CertificateFile")]
    {
        let fake =
            Fake::new(move |seen, _| if seen.is_token() { aadsts(400, number, "no.") } else { reply(404, &[], "") });
        let diagnosis = fetch(&fake, "Db").await.unwrap_err();
        assert_eq!(diagnosis.place.unwrap().pointer.unwrap(), format!("CredentialStore.{pointer}"), "{number}");
    }
}

#[tokio::test]
async fn an_address_that_cannot_be_used_is_found_when_the_store_is_made() {
    let folder = Folder::new();
    let fake = Fake::new(|_, _| reply(500, &[], ""));
    for (host, suffix) in [
        ("http://login.example", "vault.example"),
        ("https://login.example/path", "vault.example"),
        ("https://login.example", "vault.example/path"),
        ("https://login.example", "vault.example@evil.example"),
    ] {
        let cloud = Cloud::Custom { authority_host: host.to_owned(), vault_dns_suffix: suffix.to_owned() };
        let settings = AzureKeyVaultSettings { cloud, ..settings(&folder) };
        let diagnosis = AzureKeyVaultStore::new(&settings, fake.clone()).err().unwrap();
        assert_eq!(diagnosis.code.id, "CS4030", "{host} {suffix}");
    }
}
