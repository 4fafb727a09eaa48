//! The directory on the wire: metadata, signing keys and the token endpoint.
//!
//! Which assertion is good is decided in `credstore-vault`; here are forms, resources and the table of AADSTS
//! errors. Nothing here changes anything. Source: contract sections 11 to 13.

mod problem;

use credstore_protocol::token::{CLIENT_CREDENTIALS, JWT_BEARER, OpenIdConfiguration, TokenResponse};
use credstore_vault::SignInError;
use credstore_vault::directory::{IssuedToken, SignIn};
use http::request::Parts;
use http::{Response, StatusCode};
use hyper::body::{Body, Bytes};
use serde_json::json;

use crate::app::{App, Incoming};
use crate::body::Content;
use crate::limits::{FORM_MAX, SIGN_IN_WAIT};
use crate::names::Names;
use crate::outcome::{Outcome, allow, empty_answer, json_answer, unstored};
use crate::routes::{Endpoint, Found, LoginEndpoint, Surface, find};
use crate::uri::{Parameters, segments};

use problem::{FormProblem, Problem};

/// Tenant names that mean "the client does not know". Metadata answers them with the one tenant there is.
const ANY_TENANT: [&str; 2] = ["common", "organizations"];

/// Answers a request to `login.…`.
pub(crate) async fn answer<B>(app: &App, parts: &Parts, body: Incoming<B>) -> Outcome
where
    B: Body<Data = Bytes>,
{
    let Some(segments) = segments(parts.uri.path()) else {
        return Outcome::new(empty_answer(StatusCode::NOT_FOUND), "none", false);
    };
    let (route, captures) = match find(Surface::Login, parts.method.as_str(), &segments) {
        Found::Route(route, captures) => (route, captures),
        Found::OtherMethods(methods) => {
            let mut response = empty_answer(StatusCode::METHOD_NOT_ALLOWED);
            response.headers_mut().extend([allow(&methods)]);
            return Outcome::new(response, "none", false);
        }
        Found::Nothing => return Outcome::new(empty_answer(StatusCode::NOT_FOUND), "none", false),
    };
    let Endpoint::Login(endpoint) = route.endpoint else {
        return Outcome::new(empty_answer(StatusCode::NOT_FOUND), "none", false);
    };
    let tenant = captures.text("tenant");
    let (result, proven) = match endpoint {
        LoginEndpoint::InstanceDiscovery => (Ok(instance_discovery(app.names(), parts)), false),
        LoginEndpoint::OpenIdConfiguration => (openid_configuration(app.names(), tenant), false),
        LoginEndpoint::KeySet => (key_set(app, tenant), false),
        LoginEndpoint::TokenV2 | LoginEndpoint::TokenV1 => {
            let result = token(app, tenant, endpoint, parts, body).await;
            let proven = result.is_ok();
            (result, proven)
        }
    };
    let response =
        result.unwrap_or_else(|problem| problem.into_answer(endpoint, app.names(), &parts.headers, app.now()));
    Outcome::new(response, route.path, proven)
}

fn is_ours(names: &Names, tenant: &str) -> bool {
    tenant.eq_ignore_ascii_case(names.tenant.as_str())
}

fn known_tenant(names: &Names, tenant: &str) -> Result<(), Problem> {
    if is_ours(names, tenant) { Ok(()) } else { Err(Problem::tenant(tenant)) }
}

/// Contract section 11: MSAL asks it of hosts it trusts.
fn instance_discovery(names: &Names, parts: &Parts) -> Response<Content> {
    let host = names.authority.trim_start_matches("https://");
    let asked = Parameters::parse(parts.uri.query().unwrap_or_default()).unwrap_or_default();
    let version = asked.get("api-version").filter(|version| *version == "1.0").unwrap_or("1.1");
    let body = json!({
        "tenant_discovery_endpoint":
            format!("{}/{}/v2.0/.well-known/openid-configuration", names.authority, names.tenant),
        "api-version": version,
        "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
    });
    json_answer(StatusCode::OK, &body)
}

fn openid_configuration(names: &Names, tenant: &str) -> Result<Response<Content>, Problem> {
    if !ANY_TENANT.contains(&tenant) {
        known_tenant(names, tenant).map_err(Problem::at_metadata)?;
    }
    let base = format!("{}/{}", names.authority, names.tenant);
    let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    Ok(json_answer(
        StatusCode::OK,
        &OpenIdConfiguration {
            token_endpoint: format!("{base}/oauth2/v2.0/token"),
            token_endpoint_auth_methods_supported: texts(&[
                "client_secret_post",
                "private_key_jwt",
                "client_secret_basic",
            ]),
            jwks_uri: format!("{base}/discovery/v2.0/keys"),
            issuer: format!("{base}/v2.0"),
            authorization_endpoint: format!("{base}/oauth2/v2.0/authorize"),
            device_authorization_endpoint: format!("{base}/oauth2/v2.0/devicecode"),
            response_types_supported: texts(&["code", "token"]),
            subject_types_supported: texts(&["pairwise"]),
            id_token_signing_alg_values_supported: texts(&["RS256"]),
        },
    ))
}

fn key_set(app: &App, tenant: &str) -> Result<Response<Content>, Problem> {
    if !ANY_TENANT.contains(&tenant) {
        known_tenant(app.names(), tenant).map_err(Problem::at_metadata)?;
    }
    Ok(json_answer(StatusCode::OK, &app.installation().directory().key_set()))
}

/// RFC 6749 section 4.4 with RFC 7523 section 2.2.
async fn token<B>(
    app: &App,
    tenant: &str,
    endpoint: LoginEndpoint,
    parts: &Parts,
    body: Incoming<B>,
) -> Result<Response<Content>, Problem>
where
    B: Body<Data = Bytes>,
{
    known_tenant(app.names(), tenant)?;
    let body = body.read(&parts.headers, FORM_MAX).await.map_err(Problem::Body)?;
    let form = std::str::from_utf8(&body).ok().and_then(|text| Parameters::parse(text).ok());
    let form = form.ok_or(FormProblem::Malformed)?;
    let needed = |name: &'static str| form.given(name).ok_or(FormProblem::MissingParameter(name));
    if needed("grant_type")? != CLIENT_CREDENTIALS {
        return Err(FormProblem::UnsupportedGrant.into());
    }
    let client_id = needed("client_id")?;
    let resource = resource(app.names(), &form, endpoint)?;
    let Some(assertion) = form.given("client_assertion") else {
        return Err(if form.given("client_secret").is_some() { Problem::WrongSecret } else { Problem::NoCredential });
    };
    if needed("client_assertion_type")? != JWT_BEARER {
        return Err(SignInError::Malformed { reason: "not a client_assertion_type that is accepted" }.into());
    }
    let issued = sign_in(app, client_id, assertion, resource).await?;
    let answer = TokenResponse {
        token_type: "Bearer".to_owned(),
        expires_in: issued.expires_in,
        ext_expires_in: issued.expires_in,
        access_token: issued.token.as_str().to_owned(),
    };
    let response = unstored(json_answer(StatusCode::OK, &answer));
    drop(zeroize::Zeroizing::new(answer.access_token));
    Ok(response)
}

/// Checks the assertion, a few at a time, where it holds up nobody else.
async fn sign_in(app: &App, client_id: &str, assertion: &str, resource: String) -> Result<IssuedToken, Problem> {
    let turn = tokio::time::timeout(SIGN_IN_WAIT, app.sign_ins().acquire()).await;
    let Ok(Ok(_turn)) = turn else { return Err(Problem::TooBusy) };
    let (client_id, assertion) = (client_id.to_owned(), zeroize::Zeroizing::new(assertion.to_owned()));
    let (audiences, issuer) = (app.names().assertion_audiences.clone(), app.names().issuer.clone());
    let now = app.now();
    let work = move |installation: &credstore_vault::Installation| {
        let request = SignIn {
            client_id: &client_id,
            assertion: &assertion,
            audiences: &audiences,
            resource: &resource,
            issuer: &issuer,
        };
        installation.directory().sign_in(&request, now)
    };
    Ok(app.aside(work).await.map_err(|_| Problem::Internal)??)
}

/// The resource that the token shall be for, from `scope` (v2) or `resource` (v1), spelled as `aud` will be.
fn resource(names: &Names, form: &Parameters, endpoint: LoginEndpoint) -> Result<String, Problem> {
    let asked = match endpoint {
        LoginEndpoint::TokenV1 => form.given("resource").ok_or(FormProblem::MissingParameter("resource"))?,
        _ => {
            let scope = form.given("scope").ok_or(FormProblem::MissingParameter("scope"))?;
            let mut scopes =
                scope.split(' ').filter(|scope| !["", "openid", "profile", "offline_access"].contains(scope));
            let one = scopes.next().filter(|_| scopes.next().is_none());
            one.and_then(|scope| scope.strip_suffix("/.default")).ok_or_else(|| Problem::scope(scope))?
        }
    };
    names.known_resource(asked).ok_or_else(|| Problem::resource(asked))
}
