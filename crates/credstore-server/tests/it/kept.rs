//! The resolver that keeps passwords, against the real vault: what arrives there is counted by the vault itself.
//!
//! One clock is the resolver's and the vault's; it stands until a test moves it. Times, pauses and races without a network are
//! tested beside the resolver, in simulated time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use credstore::azure::certificate::generate;
use credstore::azure::rotation::{LOOKED_EVERY, REFUSED_FOR};
use credstore::azure::{HttpsTransport, TransportOptions};
use credstore::cache::{CachePolicy, CachingResolver, FRESH_FOR, SERVED_FOR};
use credstore::codes::vault as codes;
use credstore::resolver::{Freshness, Resolved, StaleReason};
use credstore::store::azure_key_vault::{AzureKeyVaultStore, transport_options};
use credstore::transport::{Answer, Body, Transport, TransportError};
use credstore_protocol::{Clock, Identifier, SteadyClock, Timestamp};
use credstore_server::{Fault, FaultHost, FaultPlan, FaultRule, LocalApp, LocalVault};
use credstore_testing::clock::FakeClock;
use credstore_vault::access::PermissionSet;
use credstore_vault::directory::{KeyCredentialChange, NewKeyCredential};
use tokio::sync::watch;

use crate::local::{Folder, now};

/// A clock that is moved by hand and never back.
struct Moved {
    wall: FakeClock,
    began: Timestamp,
}

impl Clock for Moved {
    fn now(&self) -> Timestamp {
        self.wall.now()
    }
}

impl SteadyClock for Moved {
    fn elapsed(&self) -> Duration {
        Duration::from_secs(self.now().seconds_since(self.began).cast_unsigned())
    }
}

/// What the network does with the requests to the vault.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Network {
    Works,
    Hangs,
    TimesOut,
}

/// Real HTTPS, with a network that can be told to swallow what is sent, and a count of the reads on their way.
struct Counted {
    https: HttpsTransport,
    network: watch::Sender<Network>,
    on_the_way: AtomicUsize,
    most: AtomicUsize,
}

impl Counted {
    async fn sent(&self, request: http::Request<Body>) -> Result<http::Response<Body>, TransportError> {
        // Tokens are renewed on their own account.
        if !request.uri().path().starts_with("/secrets/") {
            return self.https.send(request).await;
        }
        let on_the_way = self.on_the_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(on_the_way, Ordering::SeqCst);
        let mut network = self.network.subscribe();
        let now_does = network.wait_for(|network| *network != Network::Hangs).await.map(|network| *network);
        let outcome = match now_does {
            Ok(Network::Works) => self.https.send(request).await,
            _ => Err(TransportError::TimedOut { host: "acme-kv".to_owned() }),
        };
        self.on_the_way.fetch_sub(1, Ordering::SeqCst);
        outcome
    }
}

impl Transport for Counted {
    fn send(&self, request: http::Request<Body>) -> Answer<'_> {
        Box::pin(self.sent(request))
    }
}

/// A vault with the password `old` under `Db`, and a resolver of its app.
struct Scene {
    vault: LocalVault,
    clock: Arc<Moved>,
    wire: Arc<Counted>,
    store: Arc<AzureKeyVaultStore>,
    resolver: CachingResolver,
    app: LocalApp,
    folder: Folder,
}

fn db() -> Identifier {
    "Db".parse().unwrap()
}

impl Scene {
    fn new() -> Self {
        let began = now();
        let clock = Arc::new(Moved { wall: FakeClock::at(began), began });
        let vault = LocalVault::start("acme-kv", clock.clone()).unwrap();
        vault.set_secret("Db", "old").unwrap();
        let app = vault.app("process-mining").unwrap();
        let folder = Folder::of(&vault, &app);
        let settings = folder.settings();
        let https = HttpsTransport::new(transport_options(&settings, TransportOptions::default())).unwrap();
        let (on_the_way, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let wire = Arc::new(Counted { https, network: watch::Sender::new(Network::Works), on_the_way, most });
        let store = Arc::new(AzureKeyVaultStore::new(&settings, wire.clone()).unwrap());
        let resolver = CachingResolver::new(store.clone(), clock.clone(), CachePolicy::default());
        Self { vault, clock, wire, store, resolver, app, folder }
    }

    async fn read(&self) -> Resolved {
        self.resolver.resolve(&db()).await.unwrap()
    }

    async fn value(&self) -> String {
        self.read().await.secret().expose_secret().to_owned()
    }

    /// The first read, after which only what comes later is counted.
    async fn warm() -> Self {
        let scene = Self::new();
        assert_eq!(scene.value().await, "old");
        scene.wire.most.store(0, Ordering::SeqCst);
        scene
    }

    fn pass(&self, seconds: u64) {
        self.clock.wall.advance(Duration::from_secs(seconds));
    }

    /// Waits until `holds`, for which somebody else works.
    async fn until(&self, holds: impl Fn(&Self) -> bool) {
        let waiting = async {
            while !holds(self) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), waiting).await.unwrap();
    }

    /// Harms every read of the vault from now on.
    fn fails_with(&self, status: u16, retry_after_seconds: Option<u32>) {
        let rules = vec![rule(FaultHost::Vault, None, Fault::Status { status, retry_after_seconds })];
        self.vault.inject(FaultPlan { rules, ..FaultPlan::default() }).unwrap();
    }

    /// The next read past a failure's pause sets a refresh off, and the one after that is fresh.
    async fn recovers(&self) {
        self.pass(90);
        let fetches = self.resolver.counts().fetches;
        let fresh = async {
            while !self.read().await.freshness.is_fresh() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), fresh).await.unwrap();
        assert!(self.resolver.counts().fetches <= fetches + 1, "one refresh is enough");
    }
}

fn rule(host: FaultHost, times: Option<u64>, fault: Fault) -> FaultRule {
    let (method, path) = match host {
        FaultHost::Vault => ("GET", Some("/secrets/Db*".to_owned())),
        FaultHost::Login | FaultHost::Management | FaultHost::Graph => ("POST", None),
    };
    FaultRule { host, method: Some(method.to_owned()), path, skip: 0, times, fault, asked: 0 }
}

fn is_not_refreshed(resolved: &Resolved) -> bool {
    matches!(resolved.freshness, Freshness::Stale { reason: StaleReason::NotRefreshed(_), .. })
}

#[tokio::test]
async fn a_thousand_cold_readers_are_one_read_of_the_vault_and_one_sign_in() {
    let scene = Scene::new();
    // Rules that harm nothing and count.
    let counting = |host| rule(host, Some(0), Fault::Drop);
    let rules = vec![counting(FaultHost::Vault), counting(FaultHost::Login)];
    scene.vault.inject(FaultPlan { rules, ..FaultPlan::default() }).unwrap();
    let readers: Vec<_> = (0..1_000)
        .map(|_| {
            let resolver = scene.resolver.clone();
            tokio::spawn(async move { resolver.resolve(&db()).await.unwrap().secret().expose_secret().to_owned() })
        })
        .collect();
    for reader in readers {
        assert_eq!(reader.await.unwrap(), "old");
    }
    let asked: Vec<u64> = scene.vault.fault_plan().rules.iter().map(|rule| rule.asked).collect();
    assert_eq!(asked, [1, 1]);
}

#[tokio::test]
async fn sixty_readers_of_a_vault_that_answers_500_all_get_the_stale_password_and_one_attempt_is_under_way() {
    let scene = Scene::warm().await;
    scene.fails_with(500, None);
    scene.pass(FRESH_FOR.as_secs() + 1);
    for _ in 0..60 {
        let resolved = scene.read().await;
        assert!(resolved.cached && !resolved.freshness.is_fresh());
        tokio::task::yield_now().await;
    }
    scene.until(|scene| scene.resolver.counts().failures == 1).await;
    assert!(is_not_refreshed(&scene.read().await), "and now it says why");
    assert_eq!((scene.resolver.counts().fetches, scene.wire.most.load(Ordering::SeqCst)), (2, 1));
    // One question of three tries (TRIES), whatever the crowd.
    assert_eq!(scene.vault.fault_plan().rules[0].asked, 3);
}

#[tokio::test]
async fn an_hour_without_the_vault_fails_no_reader_and_is_over_with_one_refresh() {
    let scene = Scene::warm().await;
    // It asks to wait for longer than a question has time, so each question is one try.
    scene.fails_with(503, Some(61));
    for minute in 1..=60 {
        scene.pass(60);
        let failures = scene.resolver.counts().failures;
        for _ in 0..20 {
            let resolved = scene.read().await;
            assert_eq!(resolved.secret().expose_secret(), "old");
            assert_eq!(resolved.freshness.is_fresh(), minute < 5, "{minute}");
        }
        let fetches = scene.resolver.counts().fetches;
        scene.until(|scene| scene.resolver.counts().failures + 1 == fetches).await;
        assert!(scene.resolver.counts().failures <= failures + 1);
    }
    assert_eq!(scene.wire.most.load(Ordering::SeqCst), 1);
    scene.vault.inject(FaultPlan::default()).unwrap();
    scene.vault.set_secret("Db", "new").unwrap();
    scene.recovers().await;
    assert_eq!(scene.value().await, "new");
}

#[tokio::test]
async fn past_the_hard_limit_the_password_is_refused_and_back_when_the_vault_is() {
    let scene = Scene::warm().await;
    scene.fails_with(503, Some(61));
    scene.pass(SERVED_FOR.as_secs() - 1);
    assert_eq!(scene.value().await, "old");
    scene.until(|scene| scene.resolver.counts().failures == 1).await;
    scene.pass(1);
    let refused = scene.resolver.resolve(&db()).await.unwrap_err().diagnosis;
    assert_eq!(refused.code.id, codes::VAULT_FAULT.id);
    assert!(refused.note.as_deref().unwrap_or_default().contains("too old"), "{refused:?}");
    assert_eq!(scene.resolver.counts().bytes, 0, "it is wiped");
    scene.vault.inject(FaultPlan::default()).unwrap();
    scene.pass(90);
    assert_eq!(scene.value().await, "old");
}

#[tokio::test]
async fn a_vault_that_hangs_for_an_hour_fails_no_reader_and_holds_one_question() {
    let scene = Scene::warm().await;
    scene.wire.network.send_replace(Network::Hangs);
    for _ in 0..60 {
        scene.pass(60);
        for _ in 0..20 {
            assert_eq!(scene.value().await, "old");
            tokio::task::yield_now().await;
        }
    }
    assert_eq!((scene.resolver.counts().fetches, scene.wire.most.load(Ordering::SeqCst)), (2, 1));
    scene.wire.network.send_replace(Network::TimesOut);
    scene.until(|scene| scene.resolver.counts().failures == 1).await;
    assert!(is_not_refreshed(&scene.read().await));
    scene.wire.network.send_replace(Network::Works);
    scene.recovers().await;
}

#[tokio::test]
async fn a_rotated_password_is_seen_within_the_fresh_time() {
    let scene = Scene::warm().await;
    scene.vault.set_secret("Db", "new").unwrap();
    let mut waited = 0;
    while scene.resolver.counts().fetches == 1 {
        assert!(waited < FRESH_FOR.as_secs());
        scene.pass(1);
        waited += 1;
        let resolved = scene.read().await;
        assert!(resolved.secret().expose_secret() == "old" && resolved.freshness.is_fresh(), "{waited}");
    }
    // The refresh is on its way, and the clock stands.
    let seen = async {
        while scene.value().await == "old" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), seen).await.unwrap();
    assert_eq!((scene.value().await, scene.resolver.counts().fetches), ("new".to_owned(), 2));
}

#[tokio::test]
async fn a_permission_that_is_taken_away_wipes_the_kept_password() {
    let scene = Scene::warm().await;
    scene.vault.permit(&scene.app, PermissionSet::default()).unwrap();
    assert!(scene.resolver.refresh(&db()).await.is_ok(), "it was asked for within the last second");
    scene.pass(2);
    let refused = scene.resolver.refresh(&db()).await.unwrap_err();
    assert_eq!(refused.diagnosis.code.id, codes::DENIED_BY_POLICY.id);
    assert!(scene.resolver.resolve(&db()).await.is_err());
    assert_eq!(scene.resolver.counts().bytes, 0);
}

impl Scene {
    /// Reads of the vault's current value by many at once, none of which fails.
    async fn read_by_many(&self) {
        let readers: Vec<_> = (0..16)
            .map(|_| {
                let resolver = self.resolver.clone();
                tokio::spawn(async move { resolver.refresh(&db()).await.unwrap().freshness.is_fresh() })
            })
            .collect();
        for reader in readers {
            assert!(reader.await.unwrap());
        }
    }

    /// Registers exactly these certificates with the app; `None` keeps the one that it has.
    fn register(&self, certificates: &[Option<&[u8]>]) {
        let (directory, operator) =
            (self.vault.installation().directory(), self.vault.installation().operator_caller());
        let mut applications = directory.applications(&operator).unwrap();
        applications.retain(|application| application.app_id == self.app.client_id);
        let kept = applications[0].keys[0].key_id.clone();
        let change = |certificate: &Option<&[u8]>| match certificate {
            None => KeyCredentialChange::Keep(kept.clone()),
            Some(der) => {
                let certificate_der = der.to_vec();
                KeyCredentialChange::Add(NewKeyCredential { certificate_der, ..NewKeyCredential::default() })
            }
        };
        let keys = certificates.iter().map(change).collect();
        directory.update_application(&operator, &applications[0].id, None, Some(keys), self.clock.now()).unwrap();
    }
}

#[tokio::test]
async fn a_certificate_that_is_exchanged_under_load_fails_no_read() {
    let scene = Scene::warm().await;
    // Harms nothing and counts the sign-ins.
    let rules = vec![rule(FaultHost::Login, Some(0), Fault::Drop)];
    scene.vault.inject(FaultPlan { rules, ..FaultPlan::default() }).unwrap();
    let sign_ins = |scene: &Scene| scene.vault.fault_plan().rules[0].asked;
    let renewed = generate("CN=renewed", 2048, 365, scene.clock.now()).unwrap();
    scene.folder.exchange_certificate(renewed.pem.expose_secret());
    scene.pass(LOOKED_EVERY.as_secs());
    scene.read_by_many().await;
    scene.until(|scene| sign_ins(scene) == 2).await;
    scene.read_by_many().await;
    // Now the administrator uploads it.
    scene.register(&[None, Some(&renewed.public.der)]);
    let accepted = |scene: &Scene| scene.store.client().tokens().accepted_certificate().unwrap();
    for _ in 0..30 {
        if accepted(&scene) == renewed.public {
            break;
        }
        scene.pass(REFUSED_FOR.as_secs());
        scene.read_by_many().await;
    }
    assert_eq!(accepted(&scene), renewed.public);
    // And takes the former away, and the token that it signed for expires.
    scene.register(&[Some(&renewed.public.der)]);
    scene.pass(2 * 3600);
    scene.read_by_many().await;
    assert_eq!(sign_ins(&scene), 4, "two for the one that was refused, one for each of the new one's tokens");
}
