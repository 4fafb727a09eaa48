//! An installation in memory, a clock that stands still, and clients that sign in.

use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PSS_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use credstore_protocol::Timestamp;
use credstore_server::{App, InProcess, Site};
use credstore_testing::clock::FakeClock;
use credstore_vault::Installation;
use http::{HeaderMap, Request, StatusCode};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// 2027-01-15T08:00:00Z, when every test begins.
pub(crate) const NOW: Timestamp = Timestamp(1_800_000_000);
pub(crate) const PORT: u16 = 8443;
pub(crate) const VAULT: &str = "acme.vault.localhost:8443";
pub(crate) const LOGIN: &str = "login.localhost:8443";
pub(crate) const MANAGEMENT: &str = "management.localhost:8443";
pub(crate) const GRAPH: &str = "graph.localhost:8443";

pub(crate) struct World {
    pub(crate) app: App,
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) tenant: String,
    pub(crate) operator: String,
    key: RsaKeyPair,
    pub(crate) certificate: Vec<u8>,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {} {}", self.status, self.text))
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        if self.text.is_empty() { Value::Null } else { self.json() }
    }

    /// Status, code, inner code and text of an error.
    pub(crate) fn error(&self) -> (u16, String, String, String) {
        let body = self.json();
        let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        (self.status.as_u16(), text("/error/code"), text("/error/innererror/code"), text("/error/message"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A request, built in words.
pub(crate) struct Ask<'a> {
    pub(crate) method: &'a str,
    pub(crate) host: &'a str,
    pub(crate) path: &'a str,
    pub(crate) token: Option<&'a str>,
    pub(crate) body: Vec<u8>,
    pub(crate) headers: Vec<(&'a str, &'a str)>,
}

pub(crate) fn ask<'a>(method: &'a str, host: &'a str, path: &'a str) -> Ask<'a> {
    Ask { method, host, path, token: None, body: Vec::new(), headers: Vec::new() }
}

impl<'a> Ask<'a> {
    pub(crate) fn token(mut self, token: &'a str) -> Self {
        self.token = Some(token);
        self
    }
    pub(crate) fn json(mut self, body: &Value) -> Self {
        self.body = body.to_string().into_bytes();
        self
    }
    pub(crate) fn text(mut self, body: &str) -> Self {
        self.body = body.as_bytes().to_vec();
        self
    }
    pub(crate) fn header(mut self, name: &'a str, value: &'a str) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(crate) async fn of(self, app: &App) -> Answer {
        let mut request = Request::builder().method(self.method).uri(format!("https://{}{}", self.host, self.path));
        if let Some(token) = self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Zeroizing::new(self.body)).unwrap();
        let (parts, body) = InProcess(app.clone()).answer(request).await.into_parts();
        Answer { status: parts.status, headers: parts.headers, text: String::from_utf8(body.to_vec()).unwrap() }
    }
}

/// Claims of a good assertion, for a test to spoil.
pub(crate) fn claims(world: &World, client: &str) -> Value {
    let audience = format!("https://{LOGIN}/{}/oauth2/v2.0/token", world.tenant);
    let now = world.now().0;
    json!({"aud": audience, "iss": client, "sub": client, "jti": "j", "nbf": now, "iat": now, "exp": now + 600})
}

impl World {
    /// An installation without vaults or applications.
    pub(crate) fn empty() -> Self {
        let installation = Arc::new(Installation::in_memory(NOW));
        let pem = installation.operator_pem().unwrap();
        let pem = pem.expose_secret().as_bytes();
        let key = PrivateKeyDer::from_pem_slice(pem).unwrap();
        let certificate = CertificateDer::from_pem_slice(pem).unwrap().to_vec();
        let key = RsaKeyPair::from_pkcs8(key.secret_der()).or_else(|_| RsaKeyPair::from_der(key.secret_der())).unwrap();
        let clock = Arc::new(FakeClock::at(NOW));
        let site = Site { zone: "localhost".to_owned(), port: PORT };
        Self {
            tenant: installation.tenant().to_string(),
            operator: installation.operator().client_id.to_string(),
            app: App::new(installation, site, clock.clone()),
            clock,
            key,
            certificate,
        }
    }

    /// With the vault `acme`, in which the operator may do everything.
    pub(crate) async fn with_vault() -> Self {
        let world = Self::empty();
        let token = world.operator_token("management").await;
        let policies = json!([world.policy(&world.operator_object(), "all")]);
        let body = json!({"location": "local", "properties": {"tenantId": world.tenant, "accessPolicies": policies,
            "enableRbacAuthorization": false}});
        let path = world.vault_path("acme");
        ask("PUT", MANAGEMENT, &path).token(&token).json(&body).of(&world.app).await.expect(201);
        world
    }

    pub(crate) fn now(&self) -> Timestamp {
        use credstore_protocol::Clock;
        self.clock.now()
    }

    pub(crate) fn operator_object(&self) -> String {
        self.app.installation().operator().object_id.to_string()
    }

    pub(crate) fn vault_path(&self, name: &str) -> String {
        format!(
            "/subscriptions/{}/resourceGroups/credstore/providers/Microsoft.KeyVault/vaults/{name}?api-version=2023-07-01",
            self.tenant
        )
    }

    pub(crate) fn policy(&self, object: &str, permission: &str) -> Value {
        json!({"tenantId": self.tenant, "objectId": object, "permissions": {"secrets": [permission]}})
    }

    /// A signed client assertion with these claims and this header beside `x5t#S256`.
    pub(crate) fn assertion(&self, claims: &Value) -> String {
        let thumbprint = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &self.certificate);
        let header = json!({"alg": "PS256", "typ": "JWT", "x5t#S256": URL_SAFE_NO_PAD.encode(thumbprint)});
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PSS_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The form of a token request with this assertion.
    pub(crate) fn form(client: &str, scope: &str, assertion: &str) -> String {
        format!(
            "client_id={client}&grant_type=client_credentials&scope={}&client_info=1\
             &client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
             &client_assertion={assertion}",
            scope.replace(':', "%3A").replace('/', "%2F")
        )
    }

    /// A token of `client` for `vault`, `management` or `graph`.
    pub(crate) async fn token(&self, client: &str, surface: &str) -> String {
        let assertion = self.assertion(&claims(self, client));
        let form = Self::form(client, &format!("https://{surface}.localhost:{PORT}/.default"), &assertion);
        let path = format!("/{}/oauth2/v2.0/token", self.tenant);
        let answer = ask("POST", LOGIN, &path).text(&form).of(&self.app).await.expect(200);
        answer["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn operator_token(&self, surface: &str) -> String {
        self.token(&self.operator, surface).await
    }

    /// Registers an application with its service principal; its certificate is the operator's, which spares a key.
    /// Gives object id of the application, client id, and object id of the service principal.
    pub(crate) async fn application(&self, name: &str) -> (String, String, String) {
        let token = self.operator_token("graph").await;
        let key = json!({"type": "AsymmetricX509Cert", "usage": "Verify", "key": STANDARD.encode(&self.certificate)});
        let body = json!({"displayName": name, "keyCredentials": [key]});
        let app = ask("POST", GRAPH, "/v1.0/applications").token(&token).json(&body).of(&self.app).await.expect(201);
        let body = json!({"appId": app["appId"], "accountEnabled": true});
        let principal =
            ask("POST", GRAPH, "/v1.0/servicePrincipals").token(&token).json(&body).of(&self.app).await.expect(201);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&app["id"]), text(&app["appId"]), text(&principal["id"]))
    }

    pub(crate) async fn grant(&self, object: &str, permission: &str) {
        let token = self.operator_token("management").await;
        let path = self.vault_path("acme").replace('?', "/accessPolicies/add?");
        let body = json!({"properties": {"accessPolicies": [self.policy(object, permission)]}});
        ask("PUT", MANAGEMENT, &path).token(&token).json(&body).of(&self.app).await.expect(200);
    }
}
