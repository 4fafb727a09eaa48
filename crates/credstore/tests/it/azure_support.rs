//! An Azure in memory for the tests: a transport that answers by a function and remembers what it was sent.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};

use credstore::azure::certificate::{GeneratedCertificate, SigningCertificate, generate};
use credstore::azure::{
    ArmClient, Authority, CertificateSource, GraphClient, KeyVaultClient, ServiceAddress, TokenSource, VaultAddress,
    When,
};
use credstore::protocol::{ClientId, SecretName, Timestamp, VaultName};
use credstore::transport::{Answer, AnswerMax, Body, Transport, TransportError};
use http::{Request, Response};
use zeroize::Zeroizing;

pub(crate) const TENANT: &str = "3f0d6c1e-52aa-4b1c-9a56-0c8b7e2d1f44";
pub(crate) const CLIENT: &str = "5d0c2a8e-91f3-4f0e-8a27-6c3f1d90b7f1";
pub(crate) const SCOPE: &str = "https://vault.azure.net/.default";
pub(crate) const NOW: Timestamp = Timestamp(1_795_428_127); // 2026-11-23T10:02:07Z

/// One request as it was sent.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: String,
    /// How large an answer the request allows, where that is more than usual.
    pub(crate) answer_max: Option<usize>,
}

impl Seen {
    pub(crate) fn is_token(&self) -> bool {
        self.path.ends_with("/oauth2/v2.0/token")
    }

    /// Method and path, with the parameters.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub(crate) type Reply = Result<Response<Body>, TransportError>;
type Answering = Box<dyn Fn(&Seen, usize) -> Reply + Send + Sync>;

/// Answers by a function of the request and of how many came before it.
pub(crate) struct Fake {
    answering: Answering,
    pub(crate) seen: Mutex<Vec<Seen>>,
}

impl Fake {
    pub(crate) fn new(answering: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { answering: Box::new(answering), seen: Mutex::new(Vec::new()) })
    }

    /// The n-th token request gets token `t{n}`; everything else is answered by `vault`, told how often it was asked.
    pub(crate) fn signed_in(vault: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static) -> Arc<Self> {
        let counts = Mutex::new((0, 0));
        Self::new(move |seen, _| {
            let mut counts = counts.lock().unwrap();
            if seen.is_token() {
                counts.0 += 1;
                token(&format!("t{}", counts.0))
            } else {
                counts.1 += 1;
                vault(seen, counts.1 - 1)
            }
        })
    }

    pub(crate) fn all(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn tokens_asked(&self) -> usize {
        self.all().iter().filter(|seen| seen.is_token()).count()
    }

    /// Requests that were not for a token.
    pub(crate) fn asked(&self) -> Vec<Seen> {
        self.all().into_iter().filter(|seen| !seen.is_token()).collect()
    }
}

impl Transport for Fake {
    fn send(&self, request: Request<Body>) -> Answer<'_> {
        let (parts, body) = request.into_parts();
        assert_eq!(parts.uri.scheme_str(), Some("https"));
        let seen = Seen {
            method: parts.method.to_string(),
            host: parts.uri.authority().unwrap().to_string(),
            path: parts.uri.path_and_query().unwrap().to_string(),
            answer_max: parts.extensions.get::<AnswerMax>().map(|allowed| allowed.0),
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        };
        let before = {
            let mut all = self.seen.lock().unwrap();
            all.push(seen.clone());
            all.len() - 1
        };
        Box::pin(async move {
            tokio::task::yield_now().await;
            (self.answering)(&seen, before)
        })
    }
}

pub(crate) fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> Reply {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    Ok(response.body(Zeroizing::new(body.as_bytes().to_vec())).unwrap())
}

pub(crate) fn token(value: &str) -> Reply {
    reply(
        200,
        &[],
        &format!(r#"{{"token_type":"Bearer","expires_in":3599,"ext_expires_in":3599,"access_token":"{value}"}}"#),
    )
}

/// An error of the token endpoint in the form of contract section 13.
pub(crate) fn aadsts(status: u16, number: u64, text: &str) -> Reply {
    let body = serde_json::json!({
        "error": "invalid_client",
        "error_description": format!("AADSTS{number}: {text} Trace ID: 1f0c5c3e-0000-4000-8000-000000000001 \
             Correlation ID: 2f0c5c3e-0000-4000-8000-000000000002 Timestamp: 2026-11-23 10:42:07Z"),
        "error_codes": [number],
        "timestamp": "2026-11-23 10:42:07Z",
        "trace_id": "1f0c5c3e-0000-4000-8000-000000000001",
        "correlation_id": "2f0c5c3e-0000-4000-8000-000000000002",
    });
    reply(status, &[("date", "Mon, 23 Nov 2026 10:02:07 GMT")], &body.to_string())
}

pub(crate) fn vault_error(status: u16, code: &str, inner: Option<&str>, message: &str) -> Reply {
    let mut error = serde_json::json!({"code": code, "message": message});
    if let Some(inner) = inner {
        error["innererror"] = serde_json::json!({"code": inner});
    }
    reply(status, &[("x-ms-request-id", "9f0c5c3e")], &serde_json::json!({ "error": error }).to_string())
}

pub(crate) fn bundle(value: &str) -> Reply {
    let body = serde_json::json!({
        "value": value,
        "id": "https://acme-kv.vault.azure.net/secrets/Db/4387e9f3d6e14c459867679a90fd0f79",
        "attributes": {"enabled": true, "created": 1, "updated": 1, "recoveryLevel": "Recoverable+Purgeable"}
    });
    reply(200, &[], &body.to_string())
}

pub(crate) const CHALLENGE: &str = "Bearer authorization=\"https://login.microsoftonline.com/3f0d6c1e-52aa-4b1c-9a56-0c8b7e2d1f44\", resource=\"https://vault.azure.net\"";

pub(crate) fn unauthorized(challenge: &str) -> Reply {
    let body = r#"{"error":{"code":"Unauthorized","message":"AKV10000: Request is missing a Bearer or PoP token."}}"#;
    reply(401, &[("www-authenticate", challenge)], body)
}

/// One certificate for all tests: making keys is slow.
pub(crate) fn generated() -> &'static GeneratedCertificate {
    static MADE: OnceLock<GeneratedCertificate> = OnceLock::new();
    MADE.get_or_init(|| generate("CN=process-mining", 2048, 365, NOW).unwrap())
}

pub(crate) fn certificate() -> Arc<SigningCertificate> {
    Arc::new(SigningCertificate::load(generated().pem.expose_secret().as_bytes(), None).unwrap())
}

pub(crate) fn client_id() -> ClientId {
    CLIENT.parse().unwrap()
}

pub(crate) fn tokens_with(fake: &Arc<Fake>, certificate: CertificateSource) -> Arc<TokenSource> {
    let authority = Authority::new("https://login.microsoftonline.com", TENANT).unwrap();
    Arc::new(TokenSource::new(fake.clone(), authority, client_id(), certificate))
}

pub(crate) fn tokens(fake: &Arc<Fake>) -> Arc<TokenSource> {
    tokens_with(fake, CertificateSource::Held(certificate()))
}

pub(crate) fn vault(fake: &Arc<Fake>) -> KeyVaultClient {
    let address = VaultAddress::new(&"acme-kv".parse().unwrap(), "vault.azure.net").unwrap();
    KeyVaultClient::new(fake.clone(), tokens(fake), address, SCOPE)
}

pub(crate) fn arm(fake: &Arc<Fake>) -> ArmClient {
    let address = ServiceAddress::new("https://management.azure.com").unwrap();
    ArmClient::new(fake.clone(), tokens(fake), address, TENANT, "credstore")
}

pub(crate) fn graph(fake: &Arc<Fake>) -> GraphClient {
    let address = ServiceAddress::new("https://graph.microsoft.com").unwrap();
    GraphClient::new(fake.clone(), tokens(fake), address)
}

pub(crate) fn name() -> SecretName {
    "Db".parse().unwrap()
}

pub(crate) fn vault_name() -> VaultName {
    "acme-kv".parse().unwrap()
}

pub(crate) fn now() -> When {
    When::at(NOW)
}

/// A folder of its own for a test, removed when dropped.
pub(crate) struct Folder(pub(crate) std::path::PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let path = std::env::temp_dir().join(format!("credstore-test-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs `openssl` in the folder, with `input` on standard input, and gives its output.
pub(crate) fn openssl(folder: &Folder, arguments: &str, input: &str) -> String {
    let mut child = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(&folder.0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl is installed");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "openssl {arguments}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned() + &said
}
