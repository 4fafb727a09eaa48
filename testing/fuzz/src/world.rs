//! An installation in memory with the vault `acme`, and its operator. Made anew from time to time, so that what is
//! stored does not grow without end.

use std::cell::RefCell;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PSS_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use credstore_protocol::Timestamp;
use credstore_server::{App, InProcess, Site};
use credstore_testing::clock::FakeClock;
use credstore_vault::Installation;
use http::Request;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// 2027-01-15T08:00:00Z, as in the seeds.
const NOW: Timestamp = Timestamp(1_800_000_000);
const PORT: u16 = 8443;
/// Requests after which the world is made anew.
const LIFE: u32 = 20_000;

thread_local! {
    static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
}

/// One request in parts. What cannot be put into a request at all is not sent: a listener would not have read it.
pub(crate) struct Sent<'a> {
    pub(crate) method: &'a str,
    pub(crate) place: &'a str,
    pub(crate) path: &'a str,
    pub(crate) headers: Vec<(&'a str, &'a str)>,
    pub(crate) body: &'a [u8],
}

pub(crate) struct World {
    app: App,
    runtime: tokio::runtime::Runtime,
    key: RsaKeyPair,
    certificate: Vec<u8>,
    operator: String,
    tenant: String,
    tokens: Vec<(&'static str, String)>,
    left: u32,
}

impl World {
    /// Runs `work` in the world of this thread.
    pub(crate) fn with(work: impl FnOnce(&World)) {
        WORLD.with_borrow_mut(|world| {
            if world.as_ref().is_none_or(|world| world.left == 0) {
                *world = Some(World::new());
            }
            let world = world.as_mut().expect("it was made above");
            world.left -= 1;
            work(world);
        });
    }

    fn new() -> Self {
        let installation = Arc::new(Installation::in_memory(NOW));
        let pem = installation.operator_pem().expect("an installation in memory has its operator's key");
        let pem = pem.expose_secret().as_bytes();
        let key = PrivateKeyDer::from_pem_slice(pem).expect("a private key");
        let certificate = CertificateDer::from_pem_slice(pem).expect("a certificate").to_vec();
        let key = RsaKeyPair::from_pkcs8(key.secret_der()).or_else(|_| RsaKeyPair::from_der(key.secret_der()));
        let site = Site { zone: "localhost".to_owned(), port: PORT };
        let mut world = Self {
            operator: installation.operator().client_id.to_string(),
            tenant: installation.tenant().to_string(),
            key: key.expect("an RSA key"),
            certificate,
            app: App::new(Arc::clone(&installation), site, Arc::new(FakeClock::at(NOW))),
            runtime: tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime"),
            tokens: Vec::new(),
            left: LIFE,
        };
        for surface in ["vault", "management", "graph"] {
            let token = format!("Bearer {}", world.signed_in(surface));
            world.tokens.push((surface, token));
        }
        let object = installation.operator().object_id.to_string();
        let permissions = json!({"secrets": ["all"], "keys": ["all"], "certificates": ["all"]});
        let policy = json!({"tenantId": world.tenant, "objectId": object, "permissions": permissions});
        let vault = json!({"location": "local", "properties": {"tenantId": world.tenant, "accessPolicies": [policy],
            "enableRbacAuthorization": false, "sku": {"family": "A", "name": "standard"}}});
        let group = "/subscriptions/{tenant}/resourceGroups/credstore?api-version=2021-04-01";
        world.made("PUT", "management", group, &json!({"location": "local"}));
        world.made("PUT", "management", "/subscriptions/{tenant}/resourceGroups/credstore/providers/Microsoft.KeyVault/vaults/acme?api-version=2023-07-01", &vault);
        world.made("PUT", "vault", "/secrets/kept?api-version=7.4", &json!({"value": "a value"}));
        world
    }

    fn made(&self, method: &str, place: &str, path: &str, body: &Value) {
        let token = self.token(place);
        let headers = vec![("authorization", token.as_str()), ("content-type", "application/json")];
        let body = body.to_string();
        let (status, text) = self.answered(&Sent { method, place, path, headers, body: body.as_bytes() });
        assert!((200..300).contains(&status), "{status} {text}");
    }

    fn signed_in(&self, surface: &str) -> String {
        let audience = format!("https://login.localhost:{PORT}/{}/oauth2/v2.0/token", self.tenant);
        let thumbprint = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &self.certificate);
        let header = json!({"alg": "PS256", "typ": "JWT", "x5t#S256": URL_SAFE_NO_PAD.encode(thumbprint)});
        let claims = json!({"aud": audience, "iss": self.operator, "sub": self.operator, "jti": "j", "nbf": NOW.0,
            "iat": NOW.0, "exp": NOW.0 + 600});
        let assertion = self.signed(header.to_string().as_bytes(), claims.to_string().as_bytes());
        let form = self.form(&assertion).replace("vault.localhost", &format!("{surface}.localhost"));
        let (status, text) = self.answered(&self.token_request(&form));
        assert_eq!(status, 200, "{text}");
        let answer: Value = serde_json::from_str(&text).expect("a token response");
        answer["access_token"].as_str().expect("a token").to_owned()
    }

    /// The value of `authorization` for a place.
    pub(crate) fn token(&self, place: &str) -> String {
        self.tokens.iter().find(|(surface, _)| *surface == place).map_or_else(String::new, |(_, token)| token.clone())
    }

    /// A JWT of these bytes, signed with the operator's key. `{operator}`, `{tenant}` and `{x5t}` in them are filled in.
    pub(crate) fn signed(&self, header: &[u8], claims: &[u8]) -> String {
        let thumbprint = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &self.certificate);
        let filled = |bytes: &[u8]| match std::str::from_utf8(bytes) {
            Ok(text) => self.filled(&text.replace("{x5t}", &URL_SAFE_NO_PAD.encode(thumbprint))).into_bytes(),
            Err(_) => bytes.to_vec(),
        };
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(filled(header)), URL_SAFE_NO_PAD.encode(filled(claims)));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(&RSA_PSS_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .expect("the operator's key signs");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn filled(&self, text: &str) -> String {
        text.replace("{operator}", &self.operator).replace("{tenant}", &self.tenant)
    }

    /// The form of a sign-in for the vault's resource.
    pub(crate) fn form(&self, assertion: &str) -> String {
        format!(
            "client_id={}&grant_type=client_credentials&scope=https%3A%2F%2Fvault.localhost%3A{PORT}%2F.default\
             &client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
             &client_assertion={assertion}",
            self.operator
        )
    }

    /// A sign-in.
    pub(crate) fn token_request<'a>(&self, form: &'a str) -> Sent<'a> {
        Sent {
            method: "POST",
            place: "login",
            path: "/{tenant}/oauth2/v2.0/token",
            headers: vec![("content-type", "application/x-www-form-urlencoded")],
            body: form.as_bytes(),
        }
    }

    /// Sends it, and holds the answer to the laws that every answer obeys: no 5xx, and JSON is JSON.
    pub(crate) fn answered(&self, sent: &Sent<'_>) -> (u16, String) {
        let host = match sent.place {
            "vault" => format!("acme.vault.localhost:{PORT}"),
            "login" | "management" | "graph" => format!("{}.localhost:{PORT}", sent.place),
            other => other.to_owned(),
        };
        let uri = format!("https://{host}{}", self.filled(sent.path));
        let mut request = Request::builder().method(sent.method).uri(uri);
        for (name, value) in &sent.headers {
            request = request.header(*name, *value);
        }
        let Ok(request) = request.body(Zeroizing::new(sent.body.to_vec())) else { return (0, String::new()) };
        let answer = self.runtime.block_on(InProcess(self.app.clone()).answer(request));
        let status = answer.status().as_u16();
        let json =
            answer.headers().get("content-type").is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
        let text = String::from_utf8(answer.body().to_vec()).expect("every body is text");
        assert!(status < 500, "{status}: {text}");
        assert!(!json || serde_json::from_str::<Value>(&text).is_ok(), "{status}: no JSON: {text}");
        (status, text)
    }
}
