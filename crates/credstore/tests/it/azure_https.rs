//! The HTTPS transport against real servers on this machine: good ones, and every kind of bad one.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use credstore::azure::https::ANSWER_MAX;
use credstore::azure::{HttpsTransport, TransportOptions, Trust};
use credstore::transport::{AnswerMax, Body, Transport, TransportError};
use http::{Request, Response};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::azure_support::Folder;

const GOOD: &str = "kv.vault.localhost";

/// An authority of the test's own.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// TLS with a certificate for `names`, valid in the years given.
    fn acceptor(&self, names: &[&str], (from, until): (i32, i32)) -> TlsAcceptor {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        (params.not_before, params.not_after) = (rcgen::date_time_ymd(from, 1, 1), rcgen::date_time_ymd(until, 1, 1));
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        acceptor(vec![leaf.der().clone()], &key)
    }
}

fn acceptor(chain: Vec<rustls::pki_types::CertificateDer<'static>>, key: &KeyPair) -> TlsAcceptor {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// What a server does after the request.
#[derive(Clone)]
enum Then {
    Send(String),
    /// Sends this and then nothing more, without closing.
    Stall(String),
}

const ALWAYS: (i32, i32) = (2000, 2100);

fn ok(body: &str) -> Then {
    Then::Send(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()))
}

/// Answers every connection the same way; gives the port and what was received.
async fn serve(tls: TlsAcceptor, then: Then) -> (u16, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let received = Arc::new(Mutex::new(String::new()));
    let log = received.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (tls, then, log) = (tls.clone(), then.clone(), log.clone());
            tokio::spawn(async move {
                let Ok(mut stream) = tls.accept(stream).await else { return };
                let head = read_head(&mut stream).await;
                log.lock().unwrap().push_str(&head);
                match then {
                    Then::Send(answer) => {
                        let _ = stream.write_all(answer.as_bytes()).await;
                        let _ = stream.shutdown().await;
                    }
                    Then::Stall(answer) => {
                        let _ = stream.write_all(answer.as_bytes()).await;
                        let _ = stream.flush().await;
                        std::future::pending::<()>().await;
                    }
                }
            });
        }
    });
    (port, received)
}

async fn read_head(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

fn trusting(authority: &Authority) -> (TransportOptions, Folder) {
    let folder = Folder::new();
    let file = folder.path("ca.pem");
    std::fs::write(&file, &authority.pem).unwrap();
    (TransportOptions { trust: Trust::Only(file), ..TransportOptions::default() }, folder)
}

async fn get(options: TransportOptions, url: &str) -> Result<Response<Body>, TransportError> {
    let request = Request::get(url).body(Body::default()).unwrap();
    HttpsTransport::new(options).unwrap().send(request).await
}

/// Asks a server with a certificate for `names` that answers like `then`.
async fn ask(
    names: &[&str],
    then: Then,
    change: impl Fn(&mut TransportOptions),
) -> Result<Response<Body>, TransportError> {
    let authority = Authority::new("Test CA");
    let (port, _) = serve(authority.acceptor(names, ALWAYS), then).await;
    let (mut options, _folder) = trusting(&authority);
    change(&mut options);
    get(options, &format!("https://{GOOD}:{port}/x")).await
}

#[tokio::test]
async fn a_name_below_localhost_is_this_machine_and_the_answer_is_whole() {
    let authority = Authority::new("Test CA");
    let (port, received) = serve(authority.acceptor(&[GOOD], ALWAYS), ok("hello")).await;
    let (options, _folder) = trusting(&authority);
    let transport = HttpsTransport::new(options).unwrap();
    let body = Body::new(b"{}".to_vec());
    let request = Request::put(format!("https://{GOOD}:{port}/secrets/a?b=c")).header("x-a", "b").body(body).unwrap();
    let answer = transport.send(request).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.body().as_slice()), (200, &b"hello"[..]));
    let head = received.lock().unwrap().to_ascii_lowercase();
    assert!(head.starts_with("put /secrets/a?b=c http/1.1\r\n"), "{head}");
    assert!(head.contains("x-a: b\r\n") && head.contains("content-length: 2\r\n"), "{head}");
}

#[tokio::test]
async fn every_bad_certificate_is_refused_with_its_reason_and_issuer() {
    let (ours, foreign) = (Authority::new("Test CA"), Authority::new("Inspecting Proxy"));
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec![GOOD.to_owned()]).unwrap().self_signed(&key).unwrap();
    for (what, tls, reason) in [
        ("other host", ours.acceptor(&["login.localhost"], ALWAYS), "it is for another name"),
        ("parent", ours.acceptor(&["vault.localhost"], ALWAYS), "it is for another name"),
        ("wildcard too high", ours.acceptor(&["*.localhost"], ALWAYS), "it is for another name"),
        ("no name", ours.acceptor(&[], ALWAYS), "it is for another name"),
        ("expired", ours.acceptor(&[GOOD], (2000, 2001)), "it has expired"),
        ("early", ours.acceptor(&[GOOD], (2099, 2100)), "it is not valid yet"),
        (
            "foreign",
            foreign.acceptor(&[GOOD], ALWAYS),
            "its issuer is not trusted here; issuer seen: CN=Inspecting Proxy",
        ),
        ("self-signed", acceptor(vec![own.der().clone()], &key), "its issuer is not trusted here"),
    ] {
        let (port, received) = serve(tls, ok("planted")).await;
        let (options, _folder) = trusting(&ours);
        match get(options, &format!("https://{GOOD}:{port}/")).await {
            Err(TransportError::Tls { host, reason: said }) => {
                assert_eq!(host, format!("{GOOD}:{port}"), "{what}");
                assert!(said.starts_with(reason), "{what}: {said}");
                assert!(said.contains("issuer seen: CN="), "{what}: {said}");
            }
            other => panic!("{what}: {other:?}"),
        }
        assert!(received.lock().unwrap().is_empty(), "{what}: a request was sent");
    }
}

#[tokio::test]
async fn with_the_systems_authorities_a_file_besides_is_trusted_and_without_it_not() {
    let authority = Authority::new("Test CA");
    let (port, _) = serve(authority.acceptor(&[GOOD], ALWAYS), ok("hello")).await;
    let (options, folder) = trusting(&authority);
    drop(options);
    let file = folder.path("ca.pem");
    let url = format!("https://{GOOD}:{port}/");
    for trust in
        [Trust::System { instead: None, also: Some(file.clone()) }, Trust::System { instead: Some(file), also: None }]
    {
        get(TransportOptions { trust, ..TransportOptions::default() }, &url).await.unwrap();
    }
    assert!(matches!(get(TransportOptions::default(), &url).await, Err(TransportError::Tls { .. })));
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let then =
        Then::Send("HTTP/1.1 302 Found\r\nlocation: https://evil.example/\r\ncontent-length: 0\r\n\r\n".to_owned());
    assert_eq!(ask(&[GOOD], then, |_| ()).await.unwrap().status().as_u16(), 302);
}

fn chunked(length: usize) -> Then {
    let body = "x".repeat(length);
    Then::Send(format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n"))
}

#[tokio::test]
async fn an_answer_may_have_the_limit_and_not_one_byte_more() {
    for (length, fits) in [(1000, true), (1001, false)] {
        for then in [ok(&"x".repeat(length)), chunked(length)] {
            let answer = ask(&[GOOD], then, |options| options.answer_max = 1000).await;
            match answer {
                Ok(answer) => assert!(fits && answer.body().len() == length),
                Err(TransportError::BadAnswer { reason, .. }) => {
                    assert!(!fits && reason == "it is larger than 1000 bytes", "{reason}");
                }
                Err(other) => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_request_may_allow_a_larger_answer_for_itself_alone() {
    let authority = Authority::new("Test CA");
    // Ours is larger than what is set aside at the first byte, so that the buffer has to grow.
    let limit = ANSWER_MAX + 100_000;
    for (length, allowed, fits) in [
        (limit, Some(limit), true),
        (limit + 1, Some(limit), false),
        (ANSWER_MAX, None, true),
        (ANSWER_MAX + 1, None, false),
        // Less than the transport takes of any other changes nothing.
        (ANSWER_MAX, Some(1), true),
    ] {
        for then in [ok(&"x".repeat(length)), chunked(length)] {
            let (port, _) = serve(authority.acceptor(&[GOOD], ALWAYS), then).await;
            let (options, _folder) = trusting(&authority);
            let mut request = Request::get(format!("https://{GOOD}:{port}/x")).body(Body::default()).unwrap();
            if let Some(bytes) = allowed {
                request.extensions_mut().insert(AnswerMax(bytes));
            }
            match HttpsTransport::new(options).unwrap().send(request).await {
                Ok(answer) => assert!(fits && answer.body().iter().filter(|byte| **byte == b'x').count() == length),
                Err(TransportError::BadAnswer { .. }) => assert!(!fits, "{length} {allowed:?}"),
                Err(other) => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_broken_off_or_no_http_is_not_usable() {
    for text in ["HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this", "SSH-2.0-OpenSSH_9.9\r\n", ""] {
        let answer = ask(&[GOOD], Then::Send(text.to_owned()), |_| ()).await;
        assert!(matches!(answer, Err(TransportError::BadAnswer { .. })), "{text}: {answer:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_silent_at_any_point_is_given_up() {
    for text in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"] {
        let short = |options: &mut TransportOptions| options.request_timeout = Duration::from_millis(300);
        let answer = ask(&[GOOD], Then::Stall(text.to_owned()), short).await;
        assert!(matches!(answer, Err(TransportError::TimedOut { .. })), "{text}: {answer:?}");
    }
    // Accepts the connection and never speaks TLS.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{GOOD}:{}/", listener.local_addr().unwrap().port());
    let (mut options, _folder) = trusting(&Authority::new("Test CA"));
    options.connect_timeout = Duration::from_millis(300);
    assert!(matches!(get(options, &url).await, Err(TransportError::TimedOut { .. })));
}

#[tokio::test]
async fn nobody_listening_and_nobody_of_that_name_are_told_apart() {
    let (options, _folder) = trusting(&Authority::new("Test CA"));
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    match get(options.clone(), &format!("https://{GOOD}:{port}/")).await {
        Err(TransportError::Connect { host, proxy: None, reason }) => {
            assert_eq!(host, format!("{GOOD}:{port}"));
            assert!(reason.to_lowercase().contains("refused"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    // RFC 6761 section 6.4: names below `invalid` never exist.
    match get(options, "https://acme-kv.vault.invalid/").await {
        Err(TransportError::Resolve { host }) => assert_eq!(host, "acme-kv.vault.invalid"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn nothing_but_https_is_spoken() {
    let (options, _folder) = trusting(&Authority::new("Test CA"));
    for url in ["http://localhost:1/", "https://user@localhost:1/"] {
        assert!(matches!(get(options.clone(), url).await, Err(TransportError::Connect { .. })), "{url}");
    }
}

/// A proxy that answers CONNECT like this and then joins the two ends.
async fn proxy(answer: &'static str, target: u16) -> (u16, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let received = Arc::new(Mutex::new(String::new()));
    let log = received.clone();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let head = read_head(&mut client).await;
            log.lock().unwrap().push_str(&head);
            let _ = client.write_all(answer.as_bytes()).await;
            if answer.contains(" 200 ")
                && let Ok(mut server) = TcpStream::connect(("127.0.0.1", target)).await
            {
                let _ = copy_bidirectional(&mut client, &mut server).await;
            }
        }
    });
    (port, received)
}

#[tokio::test]
async fn a_proxy_carries_the_tunnel_and_sees_no_request() {
    let authority = Authority::new("Test CA");
    let (target, _) = serve(authority.acceptor(&["kv.vault.example"], ALWAYS), ok("hello")).await;
    let (port, received) = proxy("HTTP/1.1 200 OK\r\n\r\n", target).await;
    let (mut options, _folder) = trusting(&authority);
    options.https_proxy = Some(format!("http://user:word@127.0.0.1:{port}"));
    let answer = get(options, "https://kv.vault.example/secrets/planted").await.unwrap();
    assert_eq!(answer.body().as_slice(), b"hello");
    let head = received.lock().unwrap().clone();
    assert!(head.starts_with("CONNECT kv.vault.example:443 HTTP/1.1\r\n"), "{head}");
    // user:word in base64, RFC 7617.
    assert!(head.to_lowercase().contains("proxy-authorization: basic ") && head.contains("dXNlcjp3b3Jk"), "{head}");
    assert!(!head.contains("planted"));
}

#[tokio::test]
async fn a_word_with_signs_reaches_the_proxy_as_it_is() {
    let (port, received) = proxy("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", 1).await;
    let (mut options, _folder) = trusting(&Authority::new("Test CA"));
    options.https_proxy = Some(format!("http://us%40er:p%40%2Fs@127.0.0.1:{port}"));
    get(options, "https://kv.vault.example/").await.unwrap_err();
    // us@er:p@/s in base64, RFC 7617.
    assert!(received.lock().unwrap().contains("dXNAZXI6cEAvcw=="), "{}", received.lock().unwrap());
}

#[tokio::test]
async fn a_proxy_that_refuses_or_is_away_is_named_without_its_credentials() {
    let mut ports = vec![TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()];
    for answer in [
        "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic realm=\"x\"\r\n\r\n",
        "HTTP/1.1 502 Bad Gateway\r\n\r\n<html>no</html>",
        "HTTP/1.1 301 Moved\r\nlocation: http://evil.example/\r\n\r\n",
        "no HTTP at all\r\n\r\n",
        "",
    ] {
        ports.push(proxy(answer, 1).await.0);
    }
    for port in ports {
        let (mut options, _folder) = trusting(&Authority::new("Test CA"));
        options.https_proxy = Some(format!("http://user:planted@127.0.0.1:{port}"));
        let error = get(options, "https://kv.vault.example/").await.unwrap_err();
        assert!(!format!("{error:?}").contains("planted"), "{error:?}");
        match error {
            TransportError::Connect { host, proxy, .. } => {
                assert_eq!(host, "kv.vault.example");
                assert_eq!(proxy, Some(format!("127.0.0.1:{port}")));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn this_machine_is_never_asked_through_a_proxy() {
    let authority = Authority::new("Test CA");
    let (port, _) = serve(authority.acceptor(&[GOOD], ALWAYS), ok("hello")).await;
    let (mut options, _folder) = trusting(&authority);
    options.https_proxy = Some("http://127.0.0.1:1".to_owned());
    get(options, &format!("https://{GOOD}:{port}/")).await.unwrap();
}
