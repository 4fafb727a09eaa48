//! An installation in memory, a clock that stands still, and clients that sign in.

use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair};
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
        Self::around(Installation::in_memory(NOW))
    }

    fn around(installation: Installation) -> Self {
        let installation = Arc::new(installation);
        let operator = installation.operator_caller();
        installation.vaults().put_group(&operator, "credstore", "local", None, NOW).unwrap();
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
        Self::of(Installation::in_memory(NOW)).await
    }

    /// The same over an installation of the test's own.
    pub(crate) async fn of(installation: Installation) -> Self {
        let world = Self::around(installation);
        world.make_vault("acme", json!({"enableRbacAuthorization": false})).await;
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

    /// SHA-256 of the certificate.
    pub(crate) fn thumbprint(&self) -> Vec<u8> {
        aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &self.certificate).as_ref().to_vec()
    }

    /// A signed client assertion with these claims, as MSAL for Node writes it.
    pub(crate) fn assertion(&self, claims: &Value) -> String {
        let header = json!({"alg": "PS256", "typ": "JWT", "x5t#S256": URL_SAFE_NO_PAD.encode(self.thumbprint())});
        self.signed(&header, &claims.to_string(), &URL_SAFE_NO_PAD)
    }

    /// A JWT signed as its header says (anything but RS256 as PS256), with each segment in this base64.
    pub(crate) fn signed(&self, header: &Value, claims: &str, base64: &impl base64::Engine) -> String {
        let signed = format!("{}.{}", base64.encode(header.to_string()), base64.encode(claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        let padding = if header["alg"] == "RS256" { &RSA_PKCS1_SHA256 } else { &RSA_PSS_SHA256 };
        self.key.sign(padding, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
        format!("{signed}.{}", base64.encode(signature))
    }

    /// Asks the token endpoint, `oauth2/v2.0/token` or `oauth2/token`.
    pub(crate) async fn ask_token(&self, endpoint: &str, form: &str) -> Answer {
        let path = format!("/{}/{endpoint}", self.tenant);
        ask("POST", LOGIN, &path).text(form).of(&self.app).await
    }

    /// The operator at the vault `acme`.
    pub(crate) async fn vault(&self) -> Session<'_> {
        self.session(VAULT, &self.operator_token("vault").await)
    }

    /// The operator at ARM.
    pub(crate) async fn management(&self) -> Session<'_> {
        self.session(MANAGEMENT, &self.operator_token("management").await)
    }

    pub(crate) fn session(&self, host: &str, token: &str) -> Session<'_> {
        Session { world: self, host: host.to_owned(), token: token.to_owned() }
    }

    /// Makes a vault with these properties beside the tenant; the operator may do everything in it.
    pub(crate) async fn make_vault(&self, name: &str, properties: Value) -> Session<'_> {
        let mut properties = properties;
        properties["tenantId"] = json!(self.tenant);
        let mut owner = self.policy(&self.operator_object(), "all");
        owner["permissions"]["keys"] = json!(["all"]);
        owner["permissions"]["certificates"] = json!(["all"]);
        properties["accessPolicies"] = json!([owner]);
        let body = json!({"location": "local", "properties": properties});
        self.management().await.put(&self.vault_path(name), &body).await.expect(201);
        Session { host: format!("{name}.vault.localhost:{PORT}"), ..self.vault().await }
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

/// Somebody with a token at one host. `{s}` in a path is the subscription; `api-version=7.4` is added to a path of a
/// vault that names none.
pub(crate) struct Session<'w> {
    pub(crate) world: &'w World,
    pub(crate) host: String,
    pub(crate) token: String,
}

impl Session<'_> {
    async fn call(&self, method: &str, path: &str, body: Vec<u8>) -> Answer {
        let mut path = path.replace("{s}", &self.world.tenant);
        if self.host.contains(".vault.") && !path.contains("api-version=") {
            path += if path.contains('?') { "&api-version=7.4" } else { "?api-version=7.4" };
        }
        let mut request = ask(method, &self.host, &path).token(&self.token);
        request.body = body;
        request.of(&self.world.app).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, Vec::new()).await
    }
    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path, Vec::new()).await
    }
    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send("PUT", path, body).await
    }
    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send("PATCH", path, body).await
    }
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, body).await
    }

    /// Without a body when it is null.
    pub(crate) async fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        self.call(method, path, body).await
    }

    /// A body as the text that it is.
    pub(crate) async fn send_text(&self, method: &str, path: &str, body: String) -> Answer {
        self.call(method, path, body.into_bytes()).await
    }

    /// Sets a secret.
    pub(crate) async fn set(&self, name: &str, value: &str) -> Value {
        self.put(&format!("/secrets/{name}"), &json!({"value": value})).await.expect(200)
    }

    /// Identifiers in a list that has one page.
    pub(crate) async fn ids(&self, path: &str) -> Vec<String> {
        let page = self.get(path).await.expect(200);
        assert_eq!(page["nextLink"], Value::Null, "{path}");
        page["value"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    }
}
