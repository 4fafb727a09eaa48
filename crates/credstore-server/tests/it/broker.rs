//! The broker over its real socket, asked byte by byte: who gets what, what is refused, what is written down.
//!
//! The store behind it is scripted and counts what it is asked. At the end the real vault is behind it.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use credstore::azure::TransportOptions;
use credstore::cache::{CachePolicy, CachingResolver, FRESH_FOR};
use credstore::codes::{settings, vault};
use credstore::diagnosis::Diagnosis;
use credstore::store::azure_key_vault::AzureKeyVaultStore;
use credstore::store::{Fetched, Fetching, Store, StoreError};
use credstore_protocol::broker::{CONNECTION_STRING_MAX, IDENTIFIERS_MAX};
use credstore_protocol::{Clock, Identifier, Secret, SecretVersion, SteadyClock, Timestamp};
use credstore_server::broker::limits::{BODY_MAX, HEAD_MAX, HEADERS_MAX};
use credstore_server::broker::{
    Accounts, AuditLog, Broker, BrokerLimits, Configuration, Configured, Rights, Serving, serve_broker,
};
use credstore_server::{Fault, FaultHost, FaultPlan, FaultRule, LocalVault};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::local::{Folder, now};

const NOW: i64 = 1_800_000_000;
/// Somebody who is neither the broker's user nor root. Source: `nobody` of Debian and Fedora.
const FOREIGN: u32 = 65_534;
/// Nothing here takes this long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// Seconds since the start, moved by hand, and when that was.
struct Hand(AtomicU64, Timestamp);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        self.1 + self.elapsed()
    }
}

impl SteadyClock for Hand {
    fn elapsed(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::SeqCst))
    }
}

/// What a read of the store brings: `Gone` is not there, `Away` cannot be asked, `Stuck` never answers.
#[derive(Default)]
struct Scripted {
    asked: Mutex<BTreeMap<String, usize>>,
    away: AtomicBool,
}

impl Scripted {
    fn asked(&self) -> usize {
        self.asked.lock().unwrap().values().sum()
    }
}

impl Store for Scripted {
    fn fetch<'a>(&'a self, identifier: &'a Identifier, _: Timestamp) -> Fetching<'a> {
        *self.asked.lock().unwrap().entry(identifier.as_str().to_owned()).or_default() += 1;
        let away = self.away.load(Ordering::SeqCst) || identifier.as_str() == "Away";
        Box::pin(async move {
            match identifier.as_str() {
                "Stuck" => std::future::pending().await,
                _ if away => Err(Diagnosis::error(&vault::TIMED_OUT, "no answer").retryable().into()),
                "Gone" => Err(StoreError::not_among(identifier, self.describe(), std::iter::empty())),
                name => Ok(Fetched {
                    version: Some(SecretVersion::from_bytes([0xab; 16])),
                    content_type: Some("text/plain".to_owned()),
                    ..Fetched::bare(Secret::from(format!("value of {name}; {{}}")))
                }),
            }
        })
    }

    fn describe(&self) -> String {
        "the scripted store".to_owned()
    }
}

/// Lines in memory, until the disk is full.
#[derive(Default)]
struct Lines {
    written: Mutex<Vec<Value>>,
    full: AtomicBool,
}

impl AuditLog for Lines {
    fn write(&self, line: &[u8]) -> io::Result<()> {
        if self.full.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.written.lock().unwrap().push(serde_json::from_slice(line).unwrap());
        Ok(())
    }
}

/// The next configuration, when there is one.
#[derive(Clone, Default)]
struct Next(Arc<Mutex<Option<Rights>>>);

impl Configuration for Next {
    fn read<'a>(&'a self, current: &'a Serving) -> Configured<'a> {
        let rights = self.0.lock().unwrap().take();
        let refused = || Box::new(Diagnosis::error(&settings::STORE_NOT_CONFIGURED, "the file is broken"));
        let (resolver, audit) = (current.resolver.clone(), current.audit.clone());
        Box::pin(async move { Ok(Serving { resolver, audit, certificate: None, rights: rights.ok_or_else(refused)? }) })
    }
}

struct Scene {
    socket: PathBuf,
    store: Arc<Scripted>,
    lines: Arc<Lines>,
    clock: Arc<Hand>,
    next: Next,
    broker: Broker,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<io::Result<()>>,
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(self.socket.parent().unwrap());
    }
}

fn own_uid() -> u32 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").unwrap().uid()
}

fn rules(rules: Value) -> Rights {
    Rights::parse(&json!({ "rules": rules }).to_string(), &Accounts::default()).unwrap()
}

impl Scene {
    fn new(rights: Rights, limits: BrokerLimits) -> Self {
        let (store, clock) = (Arc::new(Scripted::default()), Arc::new(Hand(AtomicU64::new(0), Timestamp(NOW))));
        let resolver = CachingResolver::new(store.clone(), clock.clone(), CachePolicy::default());
        Self::of(resolver, store, clock, rights, limits)
    }

    fn of(
        resolver: CachingResolver,
        store: Arc<Scripted>,
        clock: Arc<Hand>,
        rights: Rights,
        limits: BrokerLimits,
    ) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let folder = std::env::temp_dir().join(format!("credstore-broker-test-{}-{number}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
        let socket = folder.join("broker.sock");
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        // Everybody reaches it, so that the broker alone decides.
        std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o666)).unwrap();
        let (lines, next) = (Arc::new(Lines::default()), Next::default());
        let serving = Serving { resolver, rights, audit: lines.clone(), certificate: None };
        let broker = Broker::new(serving, Box::new(next.clone()), clock.clone(), own_uid());
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(serve_broker(broker.clone(), listener, limits, async { drop(stopped.await) }));
        Self { socket, store, lines, clock, next, broker, stop: Some(stop), served }
    }

    fn open() -> Self {
        Self::new(Rights::of_owner(own_uid()), BrokerLimits::default())
    }

    async fn connect(&self) -> UnixStream {
        UnixStream::connect(&self.socket).await.unwrap()
    }

    /// Sends the bytes and reads to the end of the connection.
    async fn exchange(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        // A broker that has heard enough closes before all of it is written.
        let _ = stream.write_all(bytes).await;
        read_to_end(&mut stream).await
    }

    async fn asked(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let body = body.map(Value::to_string).unwrap_or_default();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        parsed(&self.exchange(format!("{head}{body}").as_bytes()).await)
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.asked("GET", path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.asked("POST", path, Some(&body)).await
    }

    fn lines(&self) -> Vec<Value> {
        self.lines.written.lock().unwrap().clone()
    }
}

async fn read_to_end(stream: &mut UnixStream) -> String {
    let mut bytes = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.unwrap();
    String::from_utf8(bytes).unwrap()
}

fn parsed(answer: &str) -> (u16, Value) {
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
    (status, serde_json::from_str(body).unwrap_or_default())
}

/// `curl` as another user; `None` when we are not root, or there is none.
async fn as_foreigner(scene: &Scene, arguments: &[&str]) -> Option<(u16, Value)> {
    if own_uid() != 0 {
        return None;
    }
    let mut curl = Command::new("curl");
    curl.args(["-s", "-i", "--max-time", "20", "--unix-socket"]).arg(&scene.socket).args(arguments);
    curl.uid(FOREIGN).gid(FOREIGN).current_dir("/");
    let done = tokio::task::spawn_blocking(move || curl.output()).await.unwrap().ok()?;
    Some(parsed(&String::from_utf8(done.stdout).unwrap()))
}

#[tokio::test]
async fn a_secret_comes_with_version_age_and_freshness_and_its_read_is_written_down() {
    let scene = Scene::open();
    let version = "abababababababababababababababab";
    let expected = |age: u64, cached: bool| {
        json!({
            "identifier": "Db", "value": "value of Db; {}", "version": version, "contentType": "text/plain",
            "fetchedAt": NOW, "ageSeconds": age, "freshness": "fresh", "cached": cached
        })
    };
    assert_eq!(scene.get("/v1/secrets/Db").await, (200, expected(0, false)));
    scene.clock.0.store(7, Ordering::SeqCst);
    assert_eq!(scene.get("/v1/secrets/Db").await, (200, expected(7, true)));
    assert_eq!(scene.store.asked(), 1);
    let lines = scene.lines();
    let of = |line: &Value| {
        ["identifier", "outcome", "version", "from"].map(|key| line[key].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(of(&lines[0]), ["Db", "allowed", version, "store"]);
    assert_eq!(of(&lines[1]), ["Db", "allowed", version, "cache"]);
    assert_eq!((&lines[1]["uid"], &lines[1]["pid"]), (&json!(own_uid()), &json!(std::process::id())));
    assert_eq!(lines[1]["executable"], json!(std::env::current_exe().unwrap()));
    assert!(!Value::from(lines).to_string().contains("value of"));
}

#[tokio::test]
async fn while_the_store_is_away_the_kept_value_says_why_it_is_stale_and_since_when() {
    let scene = Scene::open();
    scene.get("/v1/secrets/Db").await;
    scene.clock.0.store(FRESH_FOR.as_secs() + 1, Ordering::SeqCst);
    scene.store.away.store(true, Ordering::SeqCst);
    let (status, aged) = scene.get("/v1/secrets/Db").await;
    let since = NOW + FRESH_FOR.as_secs().cast_signed();
    assert_eq!((status, &aged["freshness"]), (200, &json!("stale")));
    assert_eq!(aged["stale"], json!({"reason": "aged", "since": since}));
    let told = async {
        loop {
            let (_, stale) = scene.get("/v1/secrets/Db").await;
            if stale["stale"]["reason"] != "aged" {
                return stale;
            }
        }
    };
    let stale = tokio::time::timeout(PATIENCE, told).await.unwrap();
    assert_eq!((&stale["stale"]["reason"], &stale["value"]), (&json!(vault::TIMED_OUT.id), &aged["value"]));
}

#[tokio::test]
async fn one_bad_identifier_of_many_does_not_block_the_others() {
    let scene = Scene::new(
        rules(json!([{"user": own_uid(), "identifiers": ["Db", "Smtp", "Gone", "Away"]}])),
        BrokerLimits::default(),
    );
    let wanted = ["Db", "Gone", "", "Other", "Away", "Smtp", "Db"];
    let (status, answer) = scene.post("/v1/secrets", json!({ "identifiers": wanted })).await;
    assert_eq!(status, 200);
    let each = |list: &str, key: &str| -> Vec<String> {
        answer[list].as_array().unwrap().iter().map(|item| item[key].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(each("secrets", "identifier"), ["Db", "Smtp", "Db"]);
    assert_eq!(each("errors", "identifier"), ["Gone", "", "Other", "Away"]);
    let codes: Vec<_> = answer["errors"].as_array().unwrap().iter().map(|item| item["error"]["code"].clone()).collect();
    assert_eq!(codes, ["CS2004", "CS5007", "CS5004", vault::TIMED_OUT.id]);
    assert_eq!(scene.store.asked.lock().unwrap().get("Other"), None, "nothing is asked for what is not allowed");
}

#[tokio::test]
async fn a_connection_string_is_resolved_in_the_syntax_it_is_for() {
    let scene = Scene::open();
    let text = "DSN=P2P;User=reader;mv-credential-Pass=Db;";
    let (status, odbc) = scene.post("/v1/expand", json!({ "connectionString": text })).await;
    // ODBC: a value with a semicolon or a brace stands in braces, and a closing one is doubled.
    let expected = json!({"connectionString": "DSN=P2P;User=reader;Pass={value of Db; {}}};", "freshness": "fresh"});
    assert_eq!((status, odbc), (200, expected));
    let (_, uri) = scene.post("/v1/expand", json!({ "connectionString": text, "style": "uri" })).await;
    assert_eq!(uri["connectionString"], "DSN=P2P;User=reader;Pass=value%20of%20Db%3B%20%7B%7D;");
    for (text, status, code) in [
        ("DSN=P2P;mv-credential-Pass=Gone;", 404, "CS2004"),
        ("DSN=P2P;mv-credential-Pass=;", 422, "CS2019"),
        ("DSN=P2P;Pass=a;mv-credential-Pass=Db;", 422, "CS2011"),
    ] {
        let (found, answer) = scene.post("/v1/expand", json!({ "connectionString": text })).await;
        assert_eq!((found, answer["error"]["code"].as_str().unwrap()), (status, code), "{text}");
    }
}

#[tokio::test]
async fn outside_the_rights_the_answer_is_the_same_whether_the_identifier_exists_and_nobody_is_asked() {
    let scene = Scene::new(rules(json!([{"user": own_uid(), "identifiers": ["Smtp*"]}])), BrokerLimits::default());
    let refused = |name: &'static str| {
        let scene = &scene;
        async move {
            let (status, answer) = scene.get(&format!("/v1/secrets/{name}")).await;
            (status, answer.to_string().replace(name, "NAME"))
        }
    };
    let (known, unknown) = (refused("Db").await, refused("Gone").await);
    assert_eq!(known.0, 403);
    assert_eq!(known, unknown);
    assert!(known.1.contains("CS5004"));
    assert_eq!(scene.store.asked(), 0);
    assert_eq!(scene.get("/v1/secrets/SmtpRelay").await.0, 200);
    let outcomes: Vec<_> = scene.lines().iter().map(|line| line["outcome"].clone()).collect();
    assert_eq!(outcomes, ["notAllowed", "notAllowed", "allowed"]);
    let text = "DSN=a;mv-credential-Pass=SmtpRelay;mv-credential-Other=Db;";
    assert_eq!(scene.post("/v1/expand", json!({ "connectionString": text })).await.0, 403);
}

#[tokio::test]
async fn another_user_gets_what_a_rule_gives_and_nothing_else() {
    let url = |path: &str| format!("http://localhost{path}");
    let scene = Scene::open();
    let Some((status, answer)) = as_foreigner(&scene, &[&url("/v1/secrets/Db")]).await else { return };
    assert_eq!((status, &answer["error"]["code"]), (403, &json!("CS5004")), "{answer}");
    assert_eq!(scene.store.asked(), 0);
    assert_eq!(scene.lines()[0]["uid"], FOREIGN);
    for (method, path) in [
        ("GET", "/v1/cache"),
        ("DELETE", "/v1/cache"),
        ("DELETE", "/v1/cache/Db"),
        ("POST", "/v1/reload"),
        ("POST", "/v1/stop"),
    ] {
        let (status, answer) = as_foreigner(&scene, &["-X", method, &url(path)]).await.unwrap();
        assert_eq!((status, &answer["error"]["code"]), (403, &json!("CS5009")), "{method} {path}");
    }
    assert_eq!(as_foreigner(&scene, &[&url("/v1/health")]).await.unwrap().0, 200);
    let given = rules(json!([{"user": FOREIGN, "identifiers": ["Db"]}, {"group": FOREIGN, "identifiers": ["Smtp*"]}]));
    *scene.next.0.lock().unwrap() = Some(given);
    assert_eq!(scene.post("/v1/reload", json!({})).await.0, 200);
    for (name, status) in [("Db", 200), ("SmtpRelay", 200), ("Other", 403)] {
        assert_eq!(as_foreigner(&scene, &[&url(&format!("/v1/secrets/{name}"))]).await.unwrap().0, status, "{name}");
    }
    assert_eq!(scene.get("/v1/secrets/Db").await.0, 403, "a file of rights decides for the broker's user too");
}

#[tokio::test]
async fn a_read_whose_line_cannot_be_written_is_refused() {
    let scene = Scene::open();
    scene.get("/v1/secrets/Db").await;
    scene.lines.full.store(true, Ordering::SeqCst);
    for path in ["/v1/secrets/Db", "/v1/secrets/Smtp"] {
        let (status, answer) = scene.get(path).await;
        assert_eq!((status, &answer["error"]["code"]), (503, &json!("CS5006")), "{path}");
        assert!(!answer.to_string().contains("value of"));
    }
    let (_, many) = scene.post("/v1/secrets", json!({"identifiers": ["Db"]})).await;
    assert_eq!(many["errors"][0]["error"]["code"], "CS5006");
}

#[tokio::test]
async fn health_and_metrics_tell_no_secret_and_no_identifier() {
    let scene = Scene::open();
    scene.get("/v1/secrets/Db").await;
    scene.get("/v1/secrets/Gone").await;
    scene.clock.0.store(60, Ordering::SeqCst);
    let (status, health) = scene.get("/v1/health").await;
    assert_eq!((status, &health["status"], &health["upSeconds"]), (200, &json!("serving"), &json!(60)));
    assert_eq!((&health["cache"]["fetches"], &health["cache"]["failures"]), (&json!(2), &json!(1)));
    let metrics = scene.exchange(b"GET /v1/metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    assert!(metrics.contains("content-type: text/plain; version=0.0.4"), "{metrics}");
    assert!(metrics.contains("\ncredstore_broker_reads_allowed_total 1\n"), "{metrics}");
    assert!(metrics.contains("\ncredstore_broker_reads_failed_total 1\n"), "{metrics}");
    for planted in ["value of", "Gone", "Db"] {
        assert!(!health.to_string().contains(planted) && !metrics.contains(planted), "{planted}");
    }
}

#[tokio::test]
async fn the_owner_lists_what_is_kept_and_wipes_one_or_all() {
    let scene = Scene::open();
    for name in ["Smtp", "Db", "a%2Fb"] {
        assert_eq!(scene.get(&format!("/v1/secrets/{name}")).await.0, 200);
    }
    let listed = || async {
        let (_, answer) = scene.get("/v1/cache").await;
        let entries = answer["entries"].as_array().unwrap().clone();
        assert!(!answer.to_string().contains("value of"));
        entries.into_iter().map(|entry| entry["identifier"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(listed().await, ["Db", "Smtp", "a/b"]);
    assert_eq!(scene.asked("DELETE", "/v1/cache/a%2Fb", None).await.0, 200);
    assert_eq!(listed().await, ["Db", "Smtp"]);
    assert_eq!(scene.asked("DELETE", "/v1/cache", None).await.0, 200);
    assert_eq!(listed().await, [""; 0]);
    scene.get("/v1/secrets/Db").await;
    assert_eq!(scene.store.asked.lock().unwrap()["Db"], 2);
}

#[tokio::test]
async fn a_reader_whose_login_was_refused_gets_the_value_as_the_store_has_it_now() {
    let scene = Scene::open();
    scene.get("/v1/secrets/Db").await;
    scene.clock.0.store(5, Ordering::SeqCst);
    let (_, refreshed) = scene.get("/v1/secrets/Db?refresh=true").await;
    assert_eq!((&refreshed["cached"], &refreshed["fetchedAt"]), (&json!(false), &json!(NOW + 5)));
    assert_eq!(scene.store.asked(), 2);
}

#[tokio::test]
async fn a_broken_configuration_leaves_the_old_one_in_place_and_says_so() {
    let scene = Scene::open();
    let (status, answer) = scene.post("/v1/reload", json!({})).await;
    assert_eq!((status, &answer["error"]["message"]), (422, &json!("the file is broken")));
    assert_eq!(scene.get("/v1/secrets/Db").await.0, 200);
    assert!(scene.broker.reload().await.is_err());
}

#[tokio::test]
async fn bodies_identifiers_and_connection_strings_have_a_limit() {
    let scene = Scene::open();
    let padded = |bytes: usize| {
        let text = r#"{"identifiers":["Db"]}"#;
        let body = format!("{text}{}", " ".repeat(bytes - text.len()));
        format!(
            "POST /v1/secrets HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {bytes}\r\n\r\n{body}"
        )
    };
    assert_eq!(parsed(&scene.exchange(padded(BODY_MAX).as_bytes()).await).0, 200);
    assert_eq!(parsed(&scene.exchange(padded(BODY_MAX + 1).as_bytes()).await).0, 413);
    let many = |count: usize| scene.post("/v1/secrets", json!({ "identifiers": vec!["Db"; count] }));
    assert_eq!(many(IDENTIFIERS_MAX).await.0, 200);
    assert_eq!(many(IDENTIFIERS_MAX + 1).await.0, 400);
    let long = |bytes: usize| {
        let text = format!("DSN={}", "a".repeat(bytes - 4));
        scene.post("/v1/expand", json!({ "connectionString": text }))
    };
    assert_eq!(long(CONNECTION_STRING_MAX).await.0, 200);
    assert_eq!(long(CONNECTION_STRING_MAX + 1).await.0, 400);
    let name = async |bytes: usize| scene.get(&format!("/v1/secrets/{}", "a".repeat(bytes))).await;
    assert_eq!(name(1_024).await.0, 200);
    assert_eq!(name(1_025).await.0, 400);
}

#[tokio::test]
async fn a_head_that_is_too_long_and_too_many_lines_are_refused() {
    let scene = Scene::open();
    let head = |lines: usize, padding: usize| {
        let more: String = (0..lines).map(|at| format!("X-{at}: {}\r\n", "a".repeat(padding))).collect();
        format!("GET /v1/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{more}\r\n")
    };
    let status = async |bytes: String| parsed(&scene.exchange(bytes.as_bytes()).await).0;
    assert_eq!(status(head(HEADERS_MAX - 2, 1)).await, 200);
    assert_eq!(status(head(HEADERS_MAX - 1, 1)).await, 431);
    assert_eq!(status(head(1, HEAD_MAX / 2)).await, 200);
    assert_eq!(status(head(1, HEAD_MAX)).await, 431);
}

#[tokio::test]
async fn hostile_bytes_end_their_connection_and_nothing_else() {
    let scene = Scene::open();
    for bytes in [
        &b"\0\0\0\0\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n",
    ] {
        let answer = scene.exchange(bytes).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    assert_eq!(scene.get("/v1/secrets/Db").await.0, 200);
}

#[tokio::test]
async fn who_sends_too_slowly_is_let_go() {
    let limits =
        BrokerLimits { head: Duration::from_millis(50), body: Duration::from_millis(50), ..BrokerLimits::default() };
    let scene = Scene::new(Rights::of_owner(own_uid()), limits);
    // Nothing, half a head, half a body: none of them ever goes on.
    for sent in [
        "",
        "GET /v1/health HTTP/1.1\r\nHost: local",
        "POST /v1/secrets HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{",
    ] {
        let mut stream = scene.connect().await;
        stream.write_all(sent.as_bytes()).await.unwrap();
        let answer = read_to_end(&mut stream).await;
        assert!(!answer.starts_with("HTTP/1.1 200"), "{sent}: {answer}");
    }
    assert_eq!(scene.get("/v1/health").await.0, 200);
}

#[tokio::test]
async fn one_connection_too_many_is_closed_and_counted_and_a_place_is_free_again() {
    let limits = BrokerLimits { connections: 3, ..BrokerLimits::default() };
    let scene = Scene::new(Rights::of_owner(own_uid()), limits);
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut stream = scene.connect().await;
        stream.write_all(b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        held.push(stream);
    }
    assert_eq!(read_to_end(&mut scene.connect().await).await, "");
    held.pop();
    let free = async { while scene.get("/v1/health").await.0 != 200 {} };
    tokio::time::timeout(PATIENCE, free).await.unwrap();
    drop(held);
}

#[tokio::test]
async fn the_end_waits_for_what_was_asked_and_accepts_nobody_else() {
    let mut scene = Scene::open();
    let mut idle = scene.connect().await;
    let mut asking = scene.connect().await;
    asking.write_all(b"POST /v1/secrets HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 22\r\nExpect: 100-continue\r\n\r\n").await.unwrap();
    let mut interim = [0; 25];
    asking.read_exact(&mut interim).await.unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    scene.stop.take().unwrap().send(()).unwrap();
    assert_eq!(read_to_end(&mut idle).await, "");
    asking.write_all(br#"{"identifiers":["Db"]}"#).await.unwrap();
    assert_eq!(parsed(&read_to_end(&mut asking).await).0, 200);
    tokio::time::timeout(PATIENCE, &mut scene.served).await.unwrap().unwrap().unwrap();
    assert!(UnixStream::connect(&scene.socket).await.is_err());
}

#[tokio::test]
async fn a_read_that_never_ends_holds_the_end_up_for_the_drain_time_only() {
    let limits = BrokerLimits { drain: Duration::from_millis(20), ..BrokerLimits::default() };
    let mut scene = Scene::new(Rights::of_owner(own_uid()), limits);
    let mut asking = scene.connect().await;
    asking.write_all(b"GET /v1/secrets/Stuck HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let begun = async {
        while scene.store.asked() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, begun).await.unwrap();
    assert_eq!(scene.post("/v1/stop", json!({})).await, (200, json!({"stopping": true})));
    tokio::time::timeout(PATIENCE, &mut scene.served).await.unwrap().unwrap().unwrap();
    assert_eq!(read_to_end(&mut asking).await, "");
}

#[tokio::test]
async fn two_hundred_cold_reads_over_as_many_connections_are_one_question_to_the_store() {
    let scene = Arc::new(Scene::open());
    let readers: Vec<_> = (0..200)
        .map(|_| {
            let scene = scene.clone();
            tokio::spawn(async move { scene.get("/v1/secrets/Db").await.0 })
        })
        .collect();
    for reader in readers {
        assert_eq!(reader.await.unwrap(), 200);
    }
    assert_eq!(scene.store.asked(), 1);
    assert_eq!(scene.lines().len(), 200);
}

#[tokio::test]
async fn a_thousand_cold_reads_are_one_read_of_the_real_vault_and_one_sign_in() {
    let clock = Arc::new(Hand(AtomicU64::new(0), now()));
    let vault = LocalVault::start("acme-kv", clock.clone()).unwrap();
    vault.set_secret("Db", "in the vault").unwrap();
    let app = vault.app("process-mining").unwrap();
    let folder = Folder::of(&vault, &app);
    let store = AzureKeyVaultStore::connect(&folder.settings(), TransportOptions::default()).unwrap();
    let resolver = CachingResolver::new(Arc::new(store), clock.clone(), CachePolicy::default());
    // Rules that harm nothing and count.
    let counting = |host, method: &str| FaultRule {
        host,
        method: Some(method.to_owned()),
        path: None,
        skip: 0,
        times: Some(0),
        fault: Fault::Drop,
        asked: 0,
    };
    let rules = vec![counting(FaultHost::Vault, "GET"), counting(FaultHost::Login, "POST")];
    vault.inject(FaultPlan { rules, ..FaultPlan::default() }).unwrap();
    let rights = Rights::of_owner(own_uid());
    let scene = Arc::new(Scene::of(resolver, Arc::default(), clock, rights, BrokerLimits::default()));
    let readers: Vec<_> = (0..250)
        .map(|_| {
            let scene = scene.clone();
            tokio::spawn(async move { scene.post("/v1/secrets", json!({ "identifiers": vec!["Db"; 4] })).await })
        })
        .collect();
    for reader in readers {
        let (status, answer) = reader.await.unwrap();
        assert_eq!((status, answer["secrets"].as_array().map(Vec::len)), (200, Some(4)), "{answer}");
        assert_eq!(answer["secrets"][3]["value"], "in the vault");
    }
    let asked: Vec<u64> = vault.fault_plan().rules.iter().map(|rule| rule.asked).collect();
    assert_eq!(asked, [1, 1]);
    assert_eq!(scene.lines().len(), 1_000);
}
