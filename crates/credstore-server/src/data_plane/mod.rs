//! The Key Vault data plane: what is in one vault.
//!
//! The order of checks is the contract's: token, then `api-version` and route, then permission, then names and
//! body, then the state of the object. A caller without the permission learns nothing about names.

mod certificates;
mod ids;
mod keys;
mod objects;
mod problem;
mod secrets;

use credstore_protocol::key_vault::certificates::ISSUER_CERTIFICATE_HEADER;
use credstore_protocol::{ApiVersion, Timestamp, VaultName};
use credstore_vault::access::{ObjectKind, ObjectOperation, Operation};
use credstore_vault::certificates::IssuerWrite;
use credstore_vault::{Caller, Certificates, Keys, Secrets, TokenRejected, Vault, VaultError};
use http::header::EXPIRES;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Response};
use hyper::body::{Body, Bytes};
use serde::de::DeserializeOwned;

use crate::app::{App, Incoming};
use crate::body::Content;
use crate::json;
use crate::limits::BODY_MAX;
use crate::names::{Audience, LOCATION};
use crate::outcome::Outcome;
use crate::routes::{Captures, Endpoint, Found, Surface, find};
use crate::tokens::Unauthenticated;
use crate::uri::{Parameters, segments};

use ids::Ids;
use objects::object_name;
use problem::Problem;

/// Answers a request to the vault named in its host.
pub(crate) async fn answer<B>(app: &App, vault: VaultName, parts: &Parts, body: Incoming<B>) -> Outcome
where
    B: Body<Data = Bytes>,
{
    let caller = match app.caller(Audience::Vault, &parts.headers) {
        Ok(caller) => caller,
        Err(why) => return Outcome::new(dressed(problem::challenge(app.names(), &why)), "unauthenticated", false),
    };
    let mut route = "none";
    let result = known(app, &vault, parts, body, caller, &mut route).await;
    Outcome::new(dressed(result.unwrap_or_else(Problem::into_answer)), route, true)
}

/// What an expired token is answered, for a token that has not expired.
pub(crate) fn expired(app: &App) -> Response<Content> {
    dressed(problem::challenge(app.names(), &Unauthenticated::Rejected(TokenRejected::Expired)))
}

/// Headers of Azure's answers; some clients log them. Source: contract section 2.
fn dressed(mut response: Response<Content>) -> Response<Content> {
    const REGION: HeaderName = HeaderName::from_static("x-ms-keyvault-region");
    const SERVICE_VERSION: HeaderName = HeaderName::from_static("x-ms-keyvault-service-version");
    let headers = response.headers_mut();
    headers.insert(EXPIRES, HeaderValue::from_static("-1"));
    headers.insert(REGION, HeaderValue::from_static(LOCATION));
    headers.insert(SERVICE_VERSION, HeaderValue::from_static(env!("CARGO_PKG_VERSION")));
    response
}

type Answer = Result<Response<Content>, Problem>;

async fn known<B>(
    app: &App,
    vault_name: &VaultName,
    parts: &Parts,
    body: Incoming<B>,
    caller: Caller,
    pattern: &mut &'static str,
) -> Answer
where
    B: Body<Data = Bytes>,
{
    let query = Parameters::parse(parts.uri.query().unwrap_or_default())
        .map_err(|_| Problem::bad_parameter("The query of the request URI is not valid."))?;
    let version = api_version(&query)?;
    let segments = segments(parts.uri.path()).ok_or_else(|| Problem::invalid_name(parts.uri.path()))?;
    if let Some(problem) = Problem::of_hardware(&segments) {
        return Err(problem);
    }
    let (route, captures) = match find(Surface::Vault, parts.method.as_str(), &segments) {
        Found::Route(route, captures) => (route, captures),
        Found::OtherMethods(methods) => return Err(Problem::other_method(methods)),
        Found::Nothing => return Err(Problem::no_route(&segments)),
    };
    *pattern = route.path;
    let Endpoint::Vault(operation) = route.endpoint else {
        return Err(Problem::no_route(&[]));
    };
    let ids = Ids::new(app.site(), vault_name);
    let vault = app.installation().vaults().open(vault_name).map_err(|error| Problem::of(error, app.names(), &ids))?;
    if let Err(error) = vault.authorize(&caller, operation, captures.get("name")) {
        return Err(Problem::of(error, app.names(), &ids.located(vault.location())));
    }
    let call = Call { app, ids: &ids, vault, caller, query, version, now: app.now() };
    call.perform(operation, &captures, parts, body).await
}

/// `api-version` is mandatory and must be one that Key Vault has. Source: contract sections 1 and 5.
fn api_version(query: &Parameters) -> Result<ApiVersion, Problem> {
    let text = query.given("api-version").ok_or_else(|| Problem::bad_parameter("api-version must be specified"))?;
    text.parse().map_err(|_| {
        Problem::bad_parameter(format!(
            "The specified version ({text}) is not recognized. Consider using the latest supported version ({}).",
            ApiVersion::LATEST.as_str()
        ))
    })
}

/// A request whose caller may do what it asks.
struct Call<'a> {
    app: &'a App,
    ids: &'a Ids<'a>,
    vault: Vault,
    caller: Caller,
    query: Parameters,
    version: ApiVersion,
    now: Timestamp,
}

impl Call<'_> {
    async fn perform<B>(self, operation: Operation, path: &Captures<'_>, parts: &Parts, body: Incoming<B>) -> Answer
    where
        B: Body<Data = Bytes>,
    {
        let name = || object_name(path);
        let key = || self.target(name()?, path.get("version"));
        match operation {
            Operation::Object(ObjectKind::Secrets, ObjectOperation::Get) => {
                self.get_secret(&name()?, path.get("version")).await
            }
            Operation::Object(ObjectKind::Secrets, operation) => {
                self.on_object::<Secrets, _>(operation, path, parts, body).await
            }
            Operation::Object(ObjectKind::Keys, ObjectOperation::Get) => self.get_key(key()?),
            Operation::Object(ObjectKind::Keys, operation) => {
                self.on_object::<Keys, _>(operation, path, parts, body).await
            }
            Operation::Object(ObjectKind::Certificates, ObjectOperation::Get) => {
                self.get_certificate(&name()?, path.get("version"))
            }
            Operation::Object(ObjectKind::Certificates, operation) => {
                self.on_object::<Certificates, _>(operation, path, parts, body).await
            }
            Operation::SetSecret => self.set_secret(name()?, asked(parts, body).await?).await,
            Operation::CreateKey => self.create_key(name()?, asked(parts, body).await?).await,
            Operation::ImportKey => self.import_key(name()?, asked(parts, body).await?).await,
            Operation::RotateKey => self.rotate_key(name()?).await,
            Operation::GetRotationPolicy => self.get_rotation_policy(&name()?),
            Operation::SetRotationPolicy => self.set_rotation_policy(name()?, asked(parts, body).await?).await,
            Operation::Encrypt => self.crypt(key()?, asked(parts, body).await?, Vault::encrypt).await,
            Operation::Decrypt => self.crypt(key()?, asked(parts, body).await?, Vault::decrypt).await,
            Operation::WrapKey => self.crypt(key()?, asked(parts, body).await?, Vault::wrap_key).await,
            Operation::UnwrapKey => self.crypt(key()?, asked(parts, body).await?, Vault::unwrap_key).await,
            Operation::Sign => self.sign(key()?, asked(parts, body).await?).await,
            Operation::Verify => self.verify(key()?, asked(parts, body).await?).await,
            Operation::CreateCertificate => self.create_certificate(name()?, asked(parts, body).await?).await,
            Operation::ImportCertificate => self.import_certificate(name()?, asked(parts, body).await?).await,
            Operation::MergeCertificate => self.merge_certificate(name()?, asked(parts, body).await?).await,
            Operation::GetCertificateOperation => self.get_certificate_operation(&name()?),
            Operation::UpdateCertificateOperation => {
                self.update_certificate_operation(name()?, asked(parts, body).await?).await
            }
            Operation::DeleteCertificateOperation => self.delete_certificate_operation(name()?).await,
            Operation::GetCertificatePolicy => self.get_certificate_policy(&name()?),
            Operation::UpdateCertificatePolicy => {
                self.update_certificate_policy(name()?, asked(parts, body).await?).await
            }
            Operation::GetContacts => self.get_contacts(),
            Operation::SetContacts => self.set_contacts(asked(parts, body).await?).await,
            Operation::DeleteContacts => self.delete_contacts().await,
            Operation::ListIssuers => self.list_issuers(),
            Operation::GetIssuer => {
                let asked = parts.headers.get(ISSUER_CERTIFICATE_HEADER).is_some_and(|value| value == "true");
                self.get_issuer(&name()?, asked)
            }
            Operation::SetIssuer => self.set_issuer(name()?, IssuerWrite::Set, asked(parts, body).await?).await,
            Operation::UpdateIssuer => self.set_issuer(name()?, IssuerWrite::Update, asked(parts, body).await?).await,
            Operation::DeleteIssuer => self.delete_issuer(name()?).await,
        }
    }

    fn explain(&self) -> impl Fn(VaultError) -> Problem {
        |error| Problem::of(error, self.app.names(), self.ids)
    }

    /// Runs what waits for the disk or takes the processor for long.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Vault, &Caller, Timestamp) -> Result<T, VaultError> + Send + 'static,
    ) -> Result<T, Problem> {
        let (vault, caller, now) = (self.vault.clone(), self.caller.clone(), self.now);
        let result = self.app.aside(move |_| work(&vault, &caller, now)).await;
        result.map_err(|_| Problem::internal())?.map_err(self.explain())
    }
}

/// The body of every request but a restore.
async fn asked<T, B>(parts: &Parts, body: Incoming<B>) -> Result<T, Problem>
where
    T: DeserializeOwned,
    B: Body<Data = Bytes>,
{
    read_json(parts, body, BODY_MAX).await
}

async fn read_json<T, B>(parts: &Parts, body: Incoming<B>, max: usize) -> Result<T, Problem>
where
    T: DeserializeOwned,
    B: Body<Data = Bytes>,
{
    let content = body.read(&parts.headers, max).await.map_err(Problem::body)?;
    json::read(&content).map_err(|bad| Problem::bad_parameter(bad.0))
}
