//! The listener over real sockets: TLS, hostile bytes, deadlines, places, renewal and the end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use credstore_server::{Limits, Listen, ServeError, ServeOptions, Tls, serve};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use zeroize::Zeroizing;

use crate::world::{NOW, VAULT, World};

/// Nothing here takes this long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(30);

struct Running {
    world: World,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Result<(), ServeError>>,
}

async fn start(world: World, limits: Limits) -> Running {
    let (told, address) = oneshot::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let options = ServeOptions { listen: Listen::At("127.0.0.1:0".parse().unwrap()), limits, tls: Tls::OwnAuthority };
    let app = world.app.clone();
    let ended = tokio::spawn(async move {
        let shutdown = async { drop(stopped.await) };
        serve(app, options, |address| told.send(address).unwrap(), shutdown).await
    });
    Running { world, address: address.await.unwrap(), stop, ended }
}

#[derive(Debug)]
struct AtNow;

impl rustls::time_provider::TimeProvider for AtNow {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(NOW.0.unsigned_abs())))
    }
}

impl Running {
    fn authority(&self) -> String {
        self.world.app.installation().authority().certificate_pem().to_owned()
    }

    async fn connect(
        &self,
        version: &'static SupportedProtocolVersion,
        alpn: &[u8],
    ) -> io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.authority().as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_details(provider, Arc::new(AtNow));
        let builder = builder.with_protocol_versions(&[version]).unwrap();
        let mut configuration = builder.with_root_certificates(roots).with_no_client_auth();
        configuration.alpn_protocols = vec![alpn.to_vec()];
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from("acme.vault.localhost").unwrap();
        TlsConnector::from(Arc::new(configuration)).connect(name, stream).await
    }

    async fn http1(&self) -> TlsStream<TcpStream> {
        self.connect(&rustls::version::TLS13, b"http/1.1").await.unwrap()
    }

    /// Sends bytes and reads until the server closes.
    async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = self.http1().await;
        stream.write_all(bytes).await.unwrap();
        until_closed(&mut stream).await
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        tokio::time::timeout(PATIENCE, self.ended).await.unwrap().unwrap().unwrap();
    }
}

async fn until_closed(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut all = Vec::new();
    let mut chunk = [0; 4096];
    let reading = async {
        while let Ok(count @ 1..) = stream.read(&mut chunk).await {
            all.extend_from_slice(&chunk[..count]);
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("the server closes");
    String::from_utf8_lossy(&all).into_owned()
}

fn get(host: &str) -> Vec<u8> {
    format!("GET /secrets?api-version=7.4 HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").into_bytes()
}

#[tokio::test]
async fn both_tls_versions_and_both_protocols_are_spoken() {
    let running = start(World::with_vault().await, Limits::default()).await;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        for alpn in [&b"h2"[..], b"http/1.1"] {
            let stream = running.connect(version, alpn).await.unwrap();
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(alpn));
        }
    }
    let answer = running.raw(&get(VAULT)).await;
    assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("AKV10000"), "{answer}");
    running.stop().await;
}

#[tokio::test]
async fn http2_requests_share_a_connection_and_are_checked_alike() {
    let running = start(World::with_vault().await, Limits::default()).await;
    let token = running.world.operator_token("vault").await;
    let stream = running.connect(&rustls::version::TLS13, b"h2").await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let driver = tokio::spawn(connection);
    for (authority, host, token, status) in [
        (VAULT, None, None, 401),
        (VAULT, None, Some(&token), 200),
        (VAULT, Some("graph.localhost:8443"), Some(&token), 400),
        ("evil.example:8443", None, Some(&token), 421),
    ] {
        let mut request = http::Request::get(format!("https://{authority}/secrets?api-version=7.4"));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let request = request.body(http_body_util::Empty::<hyper::body::Bytes>::new()).unwrap();
        assert_eq!(sender.send_request(request).await.unwrap().status(), status, "{authority} {host:?}");
    }
    drop(sender);
    driver.await.unwrap().unwrap();
    running.stop().await;
}

#[tokio::test]
async fn a_dropped_request_ends_the_connection_and_no_other() {
    let world = World::with_vault().await;
    world.app.allow_faults();
    let rule = json!({"host": "vault", "times": 2, "fault": {"kind": "drop"}});
    let path = "/credstore/faults?api-version=2023-07-01";
    world.management().await.put(path, &json!({"rules": [rule]})).await.expect(200);
    let running = start(world, Limits::default()).await;
    assert_eq!(running.raw(&get(VAULT)).await, "");
    let stream = running.connect(&rustls::version::TLS13, b"h2").await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let driver = tokio::spawn(connection);
    for dropped in [true, false] {
        let request = http::Request::get(format!("https://{VAULT}/secrets?api-version=7.4"));
        let request = request.body(http_body_util::Empty::<hyper::body::Bytes>::new()).unwrap();
        assert_eq!(sender.send_request(request).await.is_err(), dropped, "only the stream is reset");
    }
    drop(sender);
    driver.await.unwrap().unwrap();
    assert!(running.raw(&get(VAULT)).await.starts_with("HTTP/1.1 401 "));
    running.stop().await;
}

#[tokio::test]
async fn an_answer_by_the_head_alone_waits_for_the_body_and_keeps_the_connection() {
    let running = start(World::with_vault().await, Limits::default()).await;
    let mut stream = running.http1().await;
    let head = format!("PUT /secrets/db?api-version=7.4 HTTP/1.1\r\nHost: {VAULT}\r\nContent-Length: 13\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    // There is no token, so the answer is known. It must not overtake the client, who is still sending.
    let mut first = [0; 1];
    let early = tokio::time::timeout(Duration::from_millis(200), stream.read(&mut first)).await;
    assert!(early.is_err(), "{early:?}");
    stream.write_all(b"{\"value\":\"v\"}").await.unwrap();
    stream.write_all(&get(VAULT)).await.unwrap();
    let answers = until_closed(&mut stream).await;
    assert_eq!(answers.matches("HTTP/1.1 401 ").count(), 2, "{answers}");
    running.stop().await;
}

#[tokio::test]
async fn a_client_that_waits_for_100_continue_gets_its_answer_at_once() {
    let running = start(World::with_vault().await, Limits::default()).await;
    let head = format!(
        "PUT /secrets/db?api-version=7.4 HTTP/1.1\r\nHost: {VAULT}\r\nContent-Length: 13\r\nExpect: 100-continue\r\n\r\n"
    );
    let answer = running.raw(head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    running.stop().await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_handshakes_that_nobody_goes_on_with() {
    let running = start(
        World::empty(),
        Limits { drain: Duration::from_secs(3600), tls: Duration::from_secs(3600), ..Limits::default() },
    )
    .await;
    let mut silent = TcpStream::connect(running.address).await.unwrap();
    // The listener answers this one, so it has accepted the silent one before.
    running.raw(&get(VAULT)).await;
    running.stop().await;
    assert_eq!(until_closed(&mut silent).await, "");
}

#[tokio::test]
async fn hostile_heads_are_refused() {
    let running = start(World::with_vault().await, Limits::default()).await;
    let head = |lines: &str| format!("GET /secrets HTTP/1.1\r\n{lines}\r\nConnection: close\r\n\r\n");
    let long = "a".repeat(9_000);
    let many = "X: y\r\n".repeat(120);
    for (request, statuses) in [
        (head(&format!("Host: {VAULT}\r\nHost: {VAULT}")), &[400][..]),
        (head("X: y"), &[400]),
        (head("Host: evil.example:8443"), &[421]),
        (head("Host: acme.vault.localhost"), &[421]),
        (head(&format!("Host: user@{VAULT}")), &[400]),
        (
            format!("GET https://{VAULT}/secrets HTTP/1.1\r\nHost: graph.localhost:8443\r\nConnection: close\r\n\r\n"),
            &[400],
        ),
        (format!("GET http://{VAULT}/secrets HTTP/1.1\r\nHost: {VAULT}\r\nConnection: close\r\n\r\n"), &[400]),
        (format!("GET https://{VAULT}/secrets HTTP/1.1\r\nHost: {VAULT}\r\nConnection: close\r\n\r\n"), &[401]),
        (format!("GET /{long} HTTP/1.1\r\nHost: {VAULT}\r\nConnection: close\r\n\r\n"), &[414]),
        (head(&format!("Host: {VAULT}\r\n{many}X: y")), &[431]),
        (head(&format!("Host: {VAULT}\r\nX: {}", "y".repeat(50_000))), &[431]),
        ("GARBAGE\r\n\r\n".to_owned(), &[400]),
        (head(&format!("Host: {VAULT}\r\nBad Name: x")), &[400]),
        (
            format!("PUT /secrets/db HTTP/1.1\r\nHost: {VAULT}\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx"),
            &[400],
        ),
        (format!("PUT /secrets/db HTTP/1.1\r\nHost: {VAULT}\r\nContent-Length: -1\r\n\r\n"), &[400]),
    ] {
        let answer = running.raw(request.as_bytes()).await;
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        assert!(statuses.contains(&status), "{:.60}: {answer:.200}", request);
        assert!(!answer.contains("evil.example"));
    }
    running.stop().await;
}

#[tokio::test]
async fn a_broken_body_is_the_clients_fault() {
    let running = start(World::with_vault().await, Limits::default()).await;
    let token = running.world.operator_token("vault").await;
    let head = format!(
        "PUT /secrets/db?api-version=7.4 HTTP/1.1\r\nHost: {VAULT}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n"
    );
    for (rest, status) in [
        ("Transfer-Encoding: chunked\r\n\r\nZZ\r\nx\r\n0\r\n\r\n", "400"),
        ("Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nx", "400"),
        ("Content-Length: 99999999\r\n\r\n{}", "413"),
        ("Transfer-Encoding: chunked\r\n\r\nd\r\n{\"value\":\"v\"}\r\n0\r\n\r\n", "200"),
    ] {
        let answer = running.raw(format!("{head}{rest}").as_bytes()).await;
        assert_eq!(answer.split(' ').nth(1), Some(status), "{rest:?}: {answer}");
    }
    running.stop().await;
}

#[tokio::test]
async fn slow_connections_are_closed_in_every_phase() {
    let short = Duration::from_millis(200);
    let limits = Limits { tls: short, head: short, idle: short, body: short, ..Limits::default() };
    let running = start(World::with_vault().await, limits).await;
    let mut no_handshake = TcpStream::connect(running.address).await.unwrap();
    assert_eq!(until_closed(&mut no_handshake).await, "");
    let mut silent = running.http1().await;
    assert_eq!(until_closed(&mut silent).await, "");
    let mut half = running.http1().await;
    half.write_all(b"GET / HTTP/1.1\r\nHo").await.unwrap();
    until_closed(&mut half).await;
    let mut idle = running.http1().await;
    idle.write_all(format!("GET / HTTP/1.1\r\nHost: {VAULT}\r\n\r\n").as_bytes()).await.unwrap();
    assert!(until_closed(&mut idle).await.starts_with("HTTP/1.1 401 "));
    let mut http2 = running.connect(&rustls::version::TLS13, b"h2").await.unwrap();
    http2.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    until_closed(&mut http2).await;
    let token = running.world.operator_token("vault").await;
    let slow = format!(
        "PUT /secrets/db?api-version=7.4 HTTP/1.1\r\nHost: {VAULT}\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: 20\r\n\r\n{{"
    );
    assert!(running.raw(slow.as_bytes()).await.starts_with("HTTP/1.1 408 "));
    running.stop().await;
}

#[tokio::test]
async fn silent_connections_do_not_keep_honest_ones_out() {
    let running = start(World::with_vault().await, Limits { connections: 8, ..Limits::default() }).await;
    let token = running.world.operator_token("vault").await;
    let mut honest = running.http1().await;
    let request =
        format!("GET /secrets?api-version=7.4 HTTP/1.1\r\nHost: {VAULT}\r\nAuthorization: Bearer {token}\r\n\r\n");
    honest.write_all(request.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    honest.read_exact(&mut answer).await.unwrap();
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(TcpStream::connect(running.address).await.unwrap());
    }
    assert!(running.raw(&get(VAULT)).await.starts_with("HTTP/1.1 401 "), "a new client is served");
    let mut rest = vec![0; 4096];
    while !String::from_utf8_lossy(&rest).contains("nextLink") {
        rest.resize(8192, 0);
        assert_ne!(honest.read(&mut rest).await.unwrap(), 0);
    }
    honest.write_all(request.as_bytes()).await.unwrap();
    honest.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200", "the authenticated one kept its place");
    running.stop().await;
}

#[tokio::test]
async fn a_stopped_listener_finishes_what_it_has_and_takes_no_more() {
    let running = start(World::with_vault().await, Limits::default()).await;
    let token = running.world.operator_token("vault").await;
    let mut open = running.http1().await;
    let head = format!(
        "PUT /secrets/db?api-version=7.4 HTTP/1.1\r\nHost: {VAULT}\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: 13\r\nExpect: 100-continue\r\n\r\n"
    );
    open.write_all(head.as_bytes()).await.unwrap();
    // The interim answer says that the request is under way.
    let mut interim = [0; 25];
    open.read_exact(&mut interim).await.unwrap();
    assert!(interim.starts_with(b"HTTP/1.1 100 "));
    running.stop.send(()).unwrap();
    open.write_all(b"{\"value\":\"v\"}").await.unwrap();
    assert!(until_closed(&mut open).await.starts_with("HTTP/1.1 200 "));
    tokio::time::timeout(PATIENCE, running.ended).await.unwrap().unwrap().unwrap();
    assert!(TcpStream::connect(running.address).await.is_err());
}

#[tokio::test]
async fn the_certificate_is_replaced_at_two_thirds_of_its_life() {
    let limits = Limits { upkeep: Duration::from_millis(5), ..Limits::default() };
    let running = start(World::with_vault().await, limits).await;
    let leaf = |stream: &TlsStream<TcpStream>| stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
    let first = leaf(&running.http1().await);
    running.world.clock.advance(Duration::from_secs(59 * 86_400));
    assert_eq!(leaf(&running.http1().await), first);
    running.world.clock.advance(Duration::from_secs(2 * 86_400));
    let renewed = async {
        // The client's clock stands at the start, before the new certificate is valid: any TLS error will do.
        loop {
            match running.connect(&rustls::version::TLS13, b"http/1.1").await {
                Ok(stream) if leaf(&stream) == first => tokio::task::yield_now().await,
                _ => break,
            }
        }
    };
    tokio::time::timeout(PATIENCE, renewed).await.expect("a new certificate is served");
    running.stop().await;
}

#[tokio::test]
async fn openssl_accepts_the_chain_for_every_kind_of_name() {
    let running = start(World::with_vault().await, Limits::default()).await;
    let file = std::env::temp_dir().join(format!("credstore-ca-{}-{}.pem", std::process::id(), running.address.port()));
    std::fs::write(&file, running.authority()).unwrap();
    let names =
        [("acme.vault.localhost", true), ("login.localhost", true), ("graph.localhost", true), ("evil.example", false)];
    for (name, accepted) in names {
        let mut command = tokio::process::Command::new("openssl");
        command.args(["s_client", "-brief", "-verify_return_error", "-x509_strict", "-connect"]);
        command.arg(running.address.to_string()).arg("-CAfile").arg(&file);
        command.args(["-attime", &NOW.0.to_string(), "-verify_hostname", name, "-servername", name]);
        let output = command.stdin(std::process::Stdio::null()).output().await.unwrap();
        assert_eq!(output.status.success(), accepted, "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
    std::fs::remove_file(&file).unwrap();
    running.stop().await;
}

#[tokio::test]
async fn an_unusable_certificate_or_address_is_an_error_before_ready() {
    let world = World::empty();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let never = || std::future::pending::<()>();
    let options =
        |tls| ServeOptions { listen: Listen::At(taken.local_addr().unwrap()), limits: Limits::default(), tls };
    let given = Tls::Given { chain_pem: b"none".to_vec(), key_pem: Zeroizing::new(b"none".to_vec()) };
    let ready = |_| panic!("not ready");
    let refused = serve(world.app.clone(), options(given), ready, never()).await;
    assert!(matches!(refused, Err(ServeError::Certificate { .. })), "{refused:?}");
    let refused = serve(world.app.clone(), options(Tls::OwnAuthority), ready, never()).await;
    assert!(matches!(refused, Err(ServeError::Bind { .. })), "{refused:?}");
}
