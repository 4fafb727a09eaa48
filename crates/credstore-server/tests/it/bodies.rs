//! How large a body may be, and that nobody makes the server hold one before it is known who asks.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use credstore_server::limits::{
    BODY_MAX, FORM_MAX, GRAPH_BODY_MAX, MANAGEMENT_BODY_MAX, RESTORE_BODY_MAX, RESTORES_AT_ONCE,
};
use http::Request;
use hyper::body::{Body, Bytes, Frame};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::world::{GRAPH, LOGIN, MANAGEMENT, VAULT, World, ask};

/// A value of control characters, each written as `\u00XX`.
fn controls(length: usize) -> String {
    "\u{1}".repeat(length)
}

/// `text` with every character as two surrogate escapes, the longest spelling there is.
fn surrogates(count: usize, last: usize) -> String {
    format!("{}\\ud834\\u{:04x}", "\\ud834\\udd1e".repeat(count - 1), 0xdd1e + last)
}

/// Every member of a secret at its limit, as long as JSON can spell it.
fn largest_secret(value: usize) -> String {
    let escaped = |count: usize| "\\u0001".repeat(count);
    let tags: Vec<String> = (0..15).map(|n| format!("\"{}\":\"{}\"", surrogates(512, n), surrogates(512, n))).collect();
    format!(
        "{{\"value\":\"{}\",\"contentType\":\"{}\",\"tags\":{{{}}},\"attributes\":{{\"enabled\":true,\"nbf\":0,\
         \"exp\":253402300799}}}}",
        escaped(value),
        surrogates(255, 0),
        tags.join(",")
    )
}

/// `text` with blanks at its end, `length` bytes in all.
fn padded(text: &str, length: usize) -> String {
    text.to_owned() + &" ".repeat(length - text.len())
}

#[tokio::test]
async fn a_value_of_25600_control_characters_comes_back_and_one_more_is_refused() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    let body = json!({"value": controls(25_600)});
    assert!(body.to_string().len() > 6 * 25_600, "each is written with six bytes");
    vault.put("/secrets/db", &body).await.expect(200);
    assert_eq!(vault.get("/secrets/db").await.expect(200)["value"], body["value"]);
    let error = vault.put("/secrets/db", &json!({"value": controls(25_601)})).await.error();
    assert_eq!((error.0, error.1.as_str()), (400, "BadParameter"));
    assert_eq!(error.3, "The value must not exceed 25600 bytes, it has 25601.");
}

#[tokio::test]
async fn a_secret_with_every_member_at_its_limit_is_taken_in_the_longest_spelling() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    let body = largest_secret(25_600);
    assert!(body.len() <= BODY_MAX, "{}", body.len());
    assert!(body.len() + 4096 > BODY_MAX, "the limit is no larger than it must be");
    vault.send_text("PUT", "/secrets/db", body).await.expect(200);
    let read = vault.get("/secrets/db").await.expect(200);
    assert_eq!(read["value"].as_str().unwrap().len(), 25_600);
    assert_eq!(read["contentType"].as_str().unwrap().chars().count(), 255);
    let tags = read["tags"].as_object().unwrap();
    assert!(tags.len() == 15 && tags.iter().all(|(name, value)| name.chars().count() == 512 && *name == *value));
    let error = vault.send_text("PUT", "/secrets/db", largest_secret(25_601)).await.error();
    assert_eq!((error.0, error.1.as_str()), (400, "BadParameter"));
}

#[tokio::test]
async fn each_surface_takes_a_body_up_to_its_limit_and_no_byte_more() {
    let world = World::with_vault().await;
    let (vault, management) = (world.vault().await, world.management().await);
    let graph = world.session(GRAPH, &world.operator_token("graph").await);
    let vault_put = json!({"location": "local", "properties": {"tenantId": world.tenant, "accessPolicies": []}});
    let acme = world.vault_path("acme");
    for (session, method, path, body, max, status) in [
        (&vault, "PUT", "/secrets/db", json!({"value": "v"}), BODY_MAX, 200),
        (&vault, "PATCH", "/secrets/db", json!({"tags": {}}), BODY_MAX, 200),
        (&vault, "POST", "/secrets/restore", json!({"value": "AAAA"}), RESTORE_BODY_MAX, 400),
        (&management, "PUT", acme.as_str(), vault_put, MANAGEMENT_BODY_MAX, 200),
        (&graph, "POST", "/v1.0/applications", json!({"displayName": "x"}), GRAPH_BODY_MAX, 201),
    ] {
        let text = body.to_string();
        let fits = session.send_text(method, path, padded(&text, max)).await;
        assert_eq!(fits.status, status, "{method} {path} {}", fits.text);
        let over = session.send_text(method, path, padded(&text, max + 1)).await;
        assert_eq!(over.status, 413, "{method} {path}");
    }
}

#[tokio::test]
async fn a_token_request_has_at_most_64_kib() {
    let world = World::empty();
    for (length, status, code) in [(FORM_MAX, 400, 900_144), (FORM_MAX + 1, 413, 90014)] {
        let form = format!("filler={}", "x".repeat(length - 7));
        let error = world.ask_token("oauth2/v2.0/token", &form).await.expect(status);
        assert_eq!(error["error_codes"], json!([code]), "{length}");
    }
}

#[tokio::test]
async fn a_vault_with_every_policy_it_may_have_is_put_back_as_az_does() {
    let world = World::with_vault().await;
    let management = world.management().await;
    let kinds = [
        (
            "keys",
            "encrypt decrypt wrapKey unwrapKey sign verify get list create update import delete backup restore \
                  recover purge release rotate getrotationpolicy setrotationpolicy",
        ),
        ("secrets", "get list set delete backup restore recover purge"),
        (
            "certificates",
            "get list delete create import update managecontacts getissuers listissuers setissuers \
                          deleteissuers manageissuers recover purge backup restore",
        ),
        (
            "storage",
            "get list delete set update regeneratekey recover purge backup restore setsas listsas getsas \
                     deletesas",
        ),
    ];
    let permissions: Value =
        kinds.iter().map(|(kind, names)| ((*kind).to_owned(), names.split_whitespace().collect::<Value>())).collect();
    let policy = |n: usize| {
        let object = format!("5d0c2a8e-91f3-4f0e-8a27-{n:012x}");
        json!({"tenantId": world.tenant, "objectId": object, "applicationId": object, "permissions": permissions})
    };
    let acme = world.vault_path("acme");
    let mut vault = management.get(&acme).await.expect(200);
    for (count, status) in [(1024, 200), (1025, 400)] {
        vault["properties"]["accessPolicies"] = (0..count).map(policy).collect();
        let answer = management.put(&acme, &vault).await;
        assert_eq!(answer.status, status, "{count}: {:.200}", answer.text);
    }
}

/// A body that must not be read.
struct Unread;

impl Body for Unread {
    type Data = Bytes;
    type Error = Infallible;
    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        panic!("the body was read")
    }
}

#[tokio::test]
async fn no_body_is_read_from_who_has_no_token_or_no_permission() {
    let world = World::with_vault().await;
    let (_, stranger, _) = world.application("stranger").await;
    let (vault, graph) = (world.token(&stranger, "vault").await, world.token(&stranger, "graph").await);
    let management = world.token(&stranger, "management").await;
    let acme = world.vault_path("acme").replace("{s}", &world.tenant);
    for (method, host, path, token) in [
        ("PUT", VAULT, "/secrets/db?api-version=7.4", &vault),
        ("PATCH", VAULT, "/secrets/db?api-version=7.4", &vault),
        ("POST", VAULT, "/secrets/restore?api-version=7.4", &vault),
        ("PUT", MANAGEMENT, acme.as_str(), &management),
        ("PATCH", MANAGEMENT, acme.as_str(), &management),
        ("POST", GRAPH, "/v1.0/applications", &graph),
        ("POST", GRAPH, "/v1.0/servicePrincipals", &graph),
    ] {
        for (authorization, status) in
            [(None, 401), (Some("Bearer garbage".to_owned()), 401), (Some(format!("Bearer {token}")), 403)]
        {
            let mut request = Request::builder().method(method).uri(path).header("host", host);
            if let Some(value) = authorization {
                request = request.header("authorization", value);
            }
            let answer = world.app.answer(request.body(Unread).unwrap()).await;
            assert_eq!(answer.status(), status, "{method} {path}");
        }
    }
}

/// A body that ends, empty, when it is let go; it counts the bodies that somebody began to read.
struct Held {
    begun: Arc<AtomicUsize>,
    counted: bool,
    let_go: oneshot::Receiver<()>,
}

impl Body for Held {
    type Data = Bytes;
    type Error = Infallible;
    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if !std::mem::replace(&mut self.counted, true) {
            self.begun.fetch_add(1, Ordering::SeqCst);
        }
        Pin::new(&mut self.let_go).poll(context).map(|_| None)
    }
}

#[tokio::test]
async fn two_restores_are_read_at_once_and_the_third_waits() {
    let world = World::with_vault().await;
    let token = world.operator_token("vault").await;
    let begun = Arc::new(AtomicUsize::new(0));
    let restore = || {
        let (let_go, held) = oneshot::channel();
        let body = Held { begun: Arc::clone(&begun), counted: false, let_go: held };
        let request = Request::builder().method("POST").uri("/secrets/restore?api-version=7.4").header("host", VAULT);
        let request = request.header("authorization", format!("Bearer {token}")).body(body).unwrap();
        (let_go, world.app.answer(request))
    };
    let (first, second, third) = (restore(), restore(), restore());
    assert_eq!(RESTORES_AT_ONCE, 2);
    let driver = async {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert_eq!(begun.load(Ordering::SeqCst), 2, "the third is not read yet");
        for let_go in [first.0, second.0, third.0] {
            let_go.send(()).unwrap();
        }
    };
    let (one, two, three, ()) = tokio::join!(first.1, second.1, third.1, driver);
    assert_eq!([one.status(), two.status(), three.status()], [http::StatusCode::BAD_REQUEST; 3]);
    assert_eq!(begun.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_claimed_length_over_the_limit_is_refused_before_the_body_is_read() {
    let world = World::with_vault().await;
    let token = world.operator_token("vault").await;
    let login = format!("/{}/oauth2/v2.0/token", world.tenant);
    for (method, host, path, max) in [
        ("PUT", VAULT, "/secrets/db?api-version=7.4", BODY_MAX),
        ("POST", VAULT, "/secrets/restore?api-version=7.4", RESTORE_BODY_MAX),
        ("POST", LOGIN, login.as_str(), FORM_MAX),
    ] {
        let request = Request::builder().method(method).uri(path).header("host", host);
        let request = request.header("authorization", format!("Bearer {token}"));
        let request = request.header("content-length", (max + 1).to_string()).body(Unread).unwrap();
        assert_eq!(world.app.answer(request).await.status(), 413, "{path}");
    }
}

#[tokio::test]
async fn json_bombs_are_refused_or_ignored_and_nothing_is_stored() {
    // Reliability goal I3: depth, width, long names and numbers, doubled members, half surrogates.
    let world = World::with_vault().await;
    let vault = world.vault().await;
    let nested = |open: &str, close: &str, levels: usize| {
        format!("{{\"value\":\"planted\",\"x\":{}1{}}}", open.repeat(levels), close.repeat(levels))
    };
    let bombs = [
        ("arrays 100,000 deep", nested("[", "]", 100_000)),
        ("objects 50,000 deep", nested("{\"a\":", "}", 50_000)),
        ("17 levels", nested("[", "]", 16)),
        ("100,000 brackets that never close", format!("{{\"value\":{}", "[".repeat(100_000))),
        ("a member twice", r#"{"value":"planted","value":"planted"}"#.to_owned()),
        ("a member twice in its other spelling", r#"{"value":"planted","\u0076alue":"planted"}"#.to_owned()),
        ("a doubled member where nobody looks", r#"{"value":"planted","x":{"a":1,"a":2}}"#.to_owned()),
        ("a high surrogate alone", r#"{"value":"planted\ud834"}"#.to_owned()),
        ("a low surrogate alone", r#"{"value":"planted\udd1e"}"#.to_owned()),
        (
            "a number without end",
            format!("{{\"value\":\"planted\",\"attributes\":{{\"exp\":1{}}}}}", "0".repeat(90_000)),
        ),
        ("an exponent without end", r#"{"value":"planted","attributes":{"exp":1e999999999}}"#.to_owned()),
        ("a fraction for a time", r#"{"value":"planted","attributes":{"exp":1.5}}"#.to_owned()),
        (
            "20,000 tags",
            format!(
                "{{\"value\":\"planted\",\"tags\":{{{}\"z\":\"z\"}}}}",
                (0..20_000).map(|n| format!("\"{n}\":\"\",")).collect::<String>()
            ),
        ),
        ("a name of 300,000 bytes", format!("{{\"value\":\"planted\",\"tags\":{{\"{}\":\"\"}}}}", "n".repeat(300_000))),
        ("a value of the wrong type", format!("{{\"value\":[{}1]}}", "1,".repeat(100_000))),
        ("two documents", r#"{"value":"planted"}{"value":"planted"}"#.to_owned()),
        ("a byte order mark", "\u{feff}{\"value\":\"planted\"}".to_owned()),
        ("no JSON", "planted".to_owned()),
    ];
    for (name, body) in bombs {
        let answer = vault.send_text("PUT", "/secrets/bomb", body).await;
        let error = answer.error();
        assert_eq!((error.0, error.1.as_str()), (400, "BadParameter"), "{name}");
        assert!(!answer.text.contains("planted") && answer.text.len() < 400, "{name}: {:.300}", answer.text);
    }
    for (name, body) in [
        ("a list of 100,000 where nobody looks", format!("{{\"value\":\"v\",\"x\":[{}1]}}", "1,".repeat(100_000))),
        ("15 levels below the first", nested("[", "]", 15)),
    ] {
        let answer = vault.send_text("PUT", "/secrets/odd", body).await;
        assert_eq!(answer.status, 200, "{name}: {:.300}", answer.text);
    }
    assert_eq!(vault.get("/secrets/bomb").await.error().1, "SecretNotFound");
    let ask_again = ask("GET", VAULT, "/secrets/odd?api-version=7.4").token(&vault.token).of(&world.app).await;
    ask_again.expect(200);
}
