//! Microsoft Graph: applications, service principals and their key credentials.
//!
//! Only the operator may see or change them. Source: contract section 16.

use std::borrow::Cow;

use credstore_protocol::encoding::{base64_any, base64_standard, hex_upper};
use credstore_protocol::graph::{
    self as wire, AddKeyParameters, ApplicationParameters, Collection, RemoveKeyParameters, ServicePrincipalParameters,
};
use credstore_protocol::{ObjectId, Timestamp};
use credstore_vault::directory::{Application, KeyCredential, KeyCredentialChange, NewKeyCredential, ServicePrincipal};
use credstore_vault::{Caller, Directory, DirectoryError};
use http::header::WWW_AUTHENTICATE;
use http::request::Parts;
use http::{Response, StatusCode};
use hyper::body::{Body, Bytes};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use zeroize::Zeroizing;

use crate::app::{App, Incoming};
use crate::body::Content;
use crate::json;
use crate::limits::GRAPH_BODY_MAX;
use crate::names::Audience;
use crate::outcome::{Outcome, allow, empty_answer, json_answer};
use crate::routes::{Access, Captures, Endpoint, Found, GraphEndpoint, Surface, find};
use crate::store::{self, ToPeer};
use crate::uri::{Parameters, segments};

/// Body of `POST /directoryObjects/getByIds`.
#[derive(Deserialize)]
struct ObjectsByIds {
    ids: Vec<String>,
}

/// Body of `PATCH /servicePrincipals/{id}`. What else a service principal has follows its application: a change that
/// would not be made is refused.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PrincipalUpdate {
    account_enabled: bool,
}

/// Why Graph does not do what it was asked.
#[derive(Debug)]
enum Problem {
    Unauthenticated(&'static str),
    NoRoute,
    OtherMethod(Vec<&'static str>),
    NotDelegated,
    NoSecretsHere,
    BadRequest(String),
    NotFound(String),
    Body(StatusCode),
    Internal,
    Directory(DirectoryError),
}

impl From<DirectoryError> for Problem {
    fn from(error: DirectoryError) -> Self {
        Self::Directory(error)
    }
}

impl Problem {
    fn row(&self) -> (StatusCode, &'static str, String) {
        let bad = StatusCode::BAD_REQUEST;
        match self {
            Self::Unauthenticated(text) => (StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken", (*text).to_owned()),
            Self::NoRoute => (
                bad,
                "BadRequest",
                "Resource not found for the segment: the request URI names nothing here.".to_owned(),
            ),
            Self::OtherMethod(_) => (
                StatusCode::METHOD_NOT_ALLOWED,
                "Request_BadRequest",
                "Specified HTTP method is not allowed for the request target.".to_owned(),
            ),
            Self::NotDelegated => {
                (bad, "BadRequest", "/me request is only valid with delegated authentication flow.".to_owned())
            }
            Self::NoSecretsHere => (
                bad,
                "Request_BadRequest",
                "Applications of this directory sign in with certificates: change keyCredentials with PATCH or addKey."
                    .to_owned(),
            ),
            Self::BadRequest(text) => (bad, "Request_BadRequest", text.clone()),
            Self::NotFound(id) => (
                StatusCode::NOT_FOUND,
                "Request_ResourceNotFound",
                format!(
                    "Resource '{id}' does not exist or one of its queried reference-property objects are not present."
                ),
            ),
            Self::Body(status) => (*status, "Request_BadRequest", "The request body could not be read.".to_owned()),
            Self::Internal => internal(),
            Self::Directory(error) => directory_row(error),
        }
    }

    fn into_answer(self, now: Timestamp) -> Response<Content> {
        let (status, code, message) = self.row();
        let id = uuid::Uuid::new_v4().to_string();
        let inner = json!({"date": rfc3339(now), "request-id": id, "client-request-id": id});
        let body = json!({"error": {"code": code, "message": message, "innerError": inner}});
        let mut response = json_answer(status, &body);
        if let Self::OtherMethod(methods) = self {
            response.headers_mut().extend([allow(&methods)]);
        }
        response
    }
}

fn internal() -> (StatusCode, &'static str, String) {
    (StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "The request could not be processed.".to_owned())
}

fn unavailable() -> (StatusCode, &'static str, String) {
    (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "No writes are taken at the moment.".to_owned())
}

/// The table, no wildcard.
fn directory_row(error: &DirectoryError) -> (StatusCode, &'static str, String) {
    match error {
        DirectoryError::Denied => (
            StatusCode::FORBIDDEN,
            "Authorization_RequestDenied",
            "Insufficient privileges to complete the operation.".to_owned(),
        ),
        DirectoryError::NotFound => (
            StatusCode::NOT_FOUND,
            "Request_ResourceNotFound",
            "The resource does not exist or one of its queried reference-property objects are not present.".to_owned(),
        ),
        DirectoryError::ServicePrincipalExists => (
            StatusCode::CONFLICT,
            "Request_MultipleObjectsWithSameKeyValue",
            "The service principal cannot be created, updated, or restored because the service principal name is \
             already in use."
                .to_owned(),
        ),
        DirectoryError::Unproven(why) => {
            // The peer learns as little as from Azure: one text for everything that a proof can lack.
            tracing::info!(%why, "a proof of possession is refused");
            (
                StatusCode::UNAUTHORIZED,
                "Authentication_MissingOrMalformed",
                "Access Token missing or malformed.".to_owned(),
            )
        }
        DirectoryError::Protected => (
            StatusCode::FORBIDDEN,
            "Authorization_RequestDenied",
            "The operator's registration cannot be changed or deleted.".to_owned(),
        ),
        DirectoryError::BadCertificate { reason } => (
            StatusCode::BAD_REQUEST,
            "KeyCredentialsInvalidPublicKey",
            format!("Key credential is not valid: {reason}."),
        ),
        DirectoryError::BadParameter { message } => (StatusCode::BAD_REQUEST, "Request_BadRequest", message.clone()),
        DirectoryError::Store(failure) => match store::report(failure) {
            ToPeer::NoWrites => unavailable(),
            ToPeer::Broken => internal(),
        },
    }
}

/// `2026-11-23T10:42:07Z`; the first moment of the calendar when it is in none.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    let formatted = OffsetDateTime::from_unix_timestamp(at.0).ok().and_then(|at| at.format(&Rfc3339).ok());
    formatted.unwrap_or_else(|| "0001-01-01T00:00:00Z".to_owned())
}

/// Answers a request to `graph.…`.
pub(crate) async fn answer<B>(app: &App, parts: &Parts, body: Incoming<B>) -> Outcome
where
    B: Body<Data = Bytes>,
{
    let caller = match app.caller(Audience::Graph, &parts.headers) {
        Ok(caller) => caller,
        Err(why) => {
            let text = match why {
                crate::tokens::Unauthenticated::Missing => "Access token is empty.",
                crate::tokens::Unauthenticated::Rejected(_) => "Access token validation failure.",
            };
            let mut response = Problem::Unauthenticated(text).into_answer(app.now());
            response.headers_mut().insert(WWW_AUTHENTICATE, app.names().plain_challenge.clone());
            return Outcome::new(response, "unauthenticated", false);
        }
    };
    let refuse = |problem: Problem| Outcome::new(problem.into_answer(app.now()), "none", true);
    let Some(segments) = segments(parts.uri.path()) else { return refuse(Problem::NoRoute) };
    let segments = key_apart(segments);
    let (route, captures) = match find(Surface::Graph, parts.method.as_str(), &segments) {
        Found::Route(route, captures) => (route, captures),
        Found::OtherMethods(methods) => return refuse(Problem::OtherMethod(methods)),
        Found::Nothing => return refuse(Problem::NoRoute),
    };
    let Endpoint::Graph(endpoint) = route.endpoint else { return refuse(Problem::NoRoute) };
    let call = Call { app, parts, path: &captures, caller, now: app.now() };
    let result = call.perform(endpoint, route.access, body).await;
    Outcome::new(result.unwrap_or_else(|problem| problem.into_answer(app.now())), route.path, true)
}

/// How a path names an application by its client id. Source: Graph, `application`, alternate key.
const BY_CLIENT_ID: &str = "(appId='";

/// `applications(appId='…')` as the two segments that `applications/{id}` has.
fn key_apart(segments: Vec<Cow<'_, str>>) -> Vec<Cow<'_, str>> {
    let apart = |segment: Cow<'_, str>| match segment.split_once(BY_CLIENT_ID) {
        Some((collection, key)) => vec![collection.to_owned().into(), format!("{BY_CLIENT_ID}{key}").into()],
        None => vec![segment.into_owned().into()],
    };
    segments.into_iter().flat_map(apart).collect()
}

type Answer = Result<Response<Content>, Problem>;

struct Call<'a> {
    app: &'a App,
    parts: &'a Parts,
    path: &'a Captures<'a>,
    caller: Caller,
    now: Timestamp,
}

impl Call<'_> {
    async fn perform<B>(&self, endpoint: GraphEndpoint, access: Access, body: Incoming<B>) -> Answer
    where
        B: Body<Data = Bytes>,
    {
        if access == Access::Operator && self.caller.object_id != self.app.installation().operator().object_id {
            return Err(DirectoryError::Denied.into());
        }
        if access == Access::Proof {
            // Refused before its body is read.
            self.directory().may_roll_keys(&self.caller, &self.id()?)?;
        }
        let query = Parameters::parse(self.parts.uri.query().unwrap_or_default())
            .map_err(|_| Problem::BadRequest("The query of the request URI is not valid.".to_owned()))?;
        match endpoint {
            GraphEndpoint::Me => Err(Problem::NotDelegated),
            GraphEndpoint::Password => Err(Problem::NoSecretsHere),
            GraphEndpoint::ListApplications => self.applications(&query),
            GraphEndpoint::CreateApplication => self.create_application(self.read(body).await?).await,
            GraphEndpoint::GetApplication => self.get_application(&query),
            GraphEndpoint::UpdateApplication => self.update_application(self.read(body).await?).await,
            GraphEndpoint::DeleteApplication => self.delete_application().await,
            GraphEndpoint::AddKey => self.add_key(self.read(body).await?).await,
            GraphEndpoint::RemoveKey => self.remove_key(self.read(body).await?).await,
            GraphEndpoint::ListServicePrincipals => self.service_principals(&query),
            GraphEndpoint::CreateServicePrincipal => self.create_service_principal(self.read(body).await?).await,
            GraphEndpoint::GetServicePrincipal => self.get_service_principal(),
            GraphEndpoint::UpdateServicePrincipal => self.update_service_principal(self.read(body).await?).await,
            GraphEndpoint::DeleteServicePrincipal => self.delete_service_principal().await,
            GraphEndpoint::ObjectsByIds => self.objects(self.read(body).await?),
        }
    }

    fn directory(&self) -> &Directory {
        self.app.installation().directory()
    }

    async fn read<T: DeserializeOwned, B: Body<Data = Bytes>>(&self, body: Incoming<B>) -> Result<T, Problem> {
        let content = body.read(&self.parts.headers, GRAPH_BODY_MAX).await.map_err(Problem::Body)?;
        json::read(&content).map_err(|bad| Problem::BadRequest(bad.0))
    }

    /// Runs a write of the directory, which waits for the disk.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Directory, &Caller, Timestamp) -> Result<T, DirectoryError> + Send + 'static,
    ) -> Result<T, Problem> {
        let (caller, now) = (self.caller.clone(), self.now);
        let result = self.app.aside(move |installation| work(installation.directory(), &caller, now)).await;
        Ok(result.map_err(|_| Problem::Internal)??)
    }

    /// The object id in the path. An application may also be named by its client id: `applications(appId='…')`.
    fn id(&self) -> Result<ObjectId, Problem> {
        let text = self.path.text("id");
        if let Some(client) = text.strip_prefix(BY_CLIENT_ID).and_then(|rest| rest.strip_suffix("')")) {
            let unknown = || Problem::NotFound(client.chars().take(64).collect());
            let client = client.parse().map_err(|_| unknown())?;
            return match self.directory().application_id(&self.caller, &client) {
                Err(DirectoryError::NotFound) => Err(unknown()),
                other => Ok(other?),
            };
        }
        text.parse().map_err(|_| Problem::NotFound(text.chars().take(64).collect()))
    }

    fn collection<T: Serialize>(&self, kind: &str, value: Vec<T>) -> Response<Content> {
        let context = format!("{}/v1.0/$metadata#{kind}", self.app.names().graph);
        json_answer(StatusCode::OK, &Collection { context, value })
    }

    fn applications(&self, query: &Parameters) -> Answer {
        let filter = filter(query)?;
        let all = self.directory().applications(&self.caller)?.into_iter();
        let fits = |application: &Application| {
            filter.as_ref().is_none_or(|filter| filter.fits(&application.display_name, application.app_id.as_str()))
        };
        Ok(self.collection("applications", all.filter(fits).map(|application| shown(application, false)).collect()))
    }

    fn get_application(&self, query: &Parameters) -> Answer {
        let with_keys = query.get("$select").is_some_and(|select| select.split(',').any(|one| one == "keyCredentials"));
        let id = self.id()?;
        let application = match self.directory().application(&self.caller, &id) {
            Err(DirectoryError::NotFound) => return Err(Problem::NotFound(id.to_string())),
            other => other?,
        };
        Ok(json_answer(StatusCode::OK, &shown(application, with_keys)))
    }

    async fn create_application(&self, request: ApplicationParameters) -> Answer {
        let name = request.display_name.filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| Problem::BadRequest("The member 'displayName' is missing.".to_owned()))?;
        let keys: Result<Vec<_>, _> = request.key_credentials.unwrap_or_default().into_iter().map(new_key).collect();
        let keys = keys?;
        let work =
            move |directory: &Directory, caller: &Caller, now| directory.create_application(caller, &name, keys, now);
        Ok(json_answer(StatusCode::CREATED, &shown(self.write(work).await?, false)))
    }

    /// `keyCredentials` replaces the whole list; an entry without `key` names one that is there already.
    async fn update_application(&self, request: ApplicationParameters) -> Answer {
        let id = self.id()?;
        let change = |key: wire::KeyCredential| match (&key.key, &key.key_id) {
            (None, Some(id)) => Ok(KeyCredentialChange::Keep(id.to_ascii_lowercase())),
            _ => new_key(key).map(KeyCredentialChange::Add),
        };
        let keys = request.key_credentials.map(|keys| keys.into_iter().map(change).collect::<Result<Vec<_>, _>>());
        let (keys, name) = (keys.transpose()?, request.display_name);
        self.write(move |directory, caller, now| directory.update_application(caller, &id, name, keys, now)).await?;
        Ok(empty_answer(StatusCode::NO_CONTENT))
    }

    async fn delete_application(&self) -> Answer {
        let id = self.id()?;
        self.write(move |directory, caller, now| directory.delete_application(caller, &id, now)).await?;
        Ok(empty_answer(StatusCode::NO_CONTENT))
    }

    /// Adds one key beside the others. Source: Graph, `application: addKey`, status 200.
    async fn add_key(&self, request: AddKeyParameters) -> Answer {
        let id = self.id()?;
        let key = new_key(request.key_credential)?;
        let proof = Zeroizing::new(request.proof);
        let added = self.write(move |directory, caller, now| directory.add_key(caller, &id, key, &proof, now)).await?;
        let mut shown = serde_json::to_value(key_shown(added, false)).unwrap_or_default();
        shown["@odata.context"] =
            json!(format!("{}/v1.0/$metadata#microsoft.graph.keyCredential", self.app.names().graph));
        Ok(json_answer(StatusCode::OK, &shown))
    }

    /// Takes one key away. Source: Graph, `application: removeKey`, status 204.
    async fn remove_key(&self, request: RemoveKeyParameters) -> Answer {
        let id = self.id()?;
        let (key_id, proof) = (request.key_id, Zeroizing::new(request.proof));
        self.write(move |directory, caller, now| directory.remove_key(caller, &id, &key_id, &proof, now)).await?;
        Ok(empty_answer(StatusCode::NO_CONTENT))
    }

    fn service_principals(&self, query: &Parameters) -> Answer {
        let filter = filter(query)?;
        let all = self.directory().service_principals(&self.caller)?.into_iter();
        let fits = |principal: &ServicePrincipal| {
            filter.as_ref().is_none_or(|filter| filter.fits(&principal.display_name, principal.app_id.as_str()))
        };
        let value = all.filter(fits).map(|principal| self.principal(principal)).collect();
        Ok(self.collection("servicePrincipals", value))
    }

    fn get_service_principal(&self) -> Answer {
        let id = self.id()?;
        let mut all = self.directory().service_principals(&self.caller)?.into_iter();
        let found = all.find(|principal| principal.id == id).ok_or_else(|| Problem::NotFound(id.to_string()))?;
        Ok(json_answer(StatusCode::OK, &self.principal(found)))
    }

    async fn update_service_principal(&self, request: PrincipalUpdate) -> Answer {
        let id = self.id()?;
        let enabled = request.account_enabled;
        self.write(move |directory, caller, now| directory.enable_service_principal(caller, &id, enabled, now)).await?;
        Ok(empty_answer(StatusCode::NO_CONTENT))
    }

    async fn delete_service_principal(&self) -> Answer {
        let id = self.id()?;
        self.write(move |directory, caller, now| directory.delete_service_principal(caller, &id, now)).await?;
        Ok(empty_answer(StatusCode::NO_CONTENT))
    }

    /// `az` asks for the names of principals in role assignments. Applications are not among the types it asks for.
    fn objects(&self, request: ObjectsByIds) -> Answer {
        let all = self.directory().service_principals(&self.caller)?.into_iter();
        let asked = |id: &ObjectId| request.ids.iter().any(|asked| asked.eq_ignore_ascii_case(id.as_str()));
        let found = all.filter(|principal| asked(&principal.id)).map(|principal| {
            let mut object = self.principal(principal);
            object["@odata.type"] = json!("#microsoft.graph.servicePrincipal");
            object
        });
        Ok(self.collection("directoryObjects", found.collect()))
    }

    async fn create_service_principal(&self, request: ServicePrincipalParameters) -> Answer {
        if request.account_enabled == Some(false) {
            return Err(Problem::BadRequest("A service principal is created enabled.".to_owned()));
        }
        let app_id = request.app_id;
        let created =
            self.write(move |directory, caller, now| directory.create_service_principal(caller, &app_id, now)).await?;
        Ok(json_answer(StatusCode::CREATED, &self.principal(created)))
    }

    fn principal(&self, principal: ServicePrincipal) -> serde_json::Value {
        json!({
            "id": principal.id,
            "appId": principal.app_id,
            "appDisplayName": principal.display_name,
            "displayName": principal.display_name,
            "servicePrincipalNames": [principal.app_id],
            "servicePrincipalType": "Application",
            "accountEnabled": principal.enabled,
            "appOwnerOrganizationId": self.app.names().tenant,
        })
    }
}

/// The four shapes of `$filter` that clients send.
#[derive(Debug, PartialEq, Eq)]
enum Filter {
    NameStartsWith(String),
    NameIs(String),
    AppIdIs(String),
}

impl Filter {
    fn fits(&self, display_name: &str, app_id: &str) -> bool {
        match self {
            Self::NameStartsWith(start) => display_name.to_lowercase().starts_with(&start.to_lowercase()),
            Self::NameIs(name) => display_name.to_lowercase() == name.to_lowercase(),
            Self::AppIdIs(id) => app_id.eq_ignore_ascii_case(id),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let within = |start: &str, end: &str| {
            let inside = text.trim().strip_prefix(start)?.strip_suffix(end)?;
            // A quote inside is doubled (OData 4, "Primitive literals").
            let plain = inside.replace("''", "");
            (!plain.contains('\'')).then(|| inside.replace("''", "'"))
        };
        within("startswith(displayName,'", "')")
            .map(Self::NameStartsWith)
            .or_else(|| within("displayName eq '", "'").map(Self::NameIs))
            .or_else(|| within("appId eq '", "'").map(Self::AppIdIs))
            .or_else(|| within("servicePrincipalNames/any(c:c eq '", "')").map(Self::AppIdIs))
    }
}

fn filter(query: &Parameters) -> Result<Option<Filter>, Problem> {
    let parse = |text| Filter::parse(text).ok_or_else(|| Problem::BadRequest("Invalid filter clause.".to_owned()));
    query.given("$filter").map(parse).transpose()
}

fn new_key(key: wire::KeyCredential) -> Result<NewKeyCredential, Problem> {
    let bad = |text: &str| Problem::BadRequest(text.to_owned());
    if key.type_.as_deref().is_some_and(|kind| kind != "AsymmetricX509Cert") {
        return Err(bad("The type of a key credential is 'AsymmetricX509Cert'."));
    }
    if key.usage.as_deref().is_some_and(|usage| usage != "Verify") {
        return Err(bad("The usage of a key credential is 'Verify'."));
    }
    let text = key.key.ok_or_else(|| bad("A new key credential needs its 'key'."))?;
    // az breaks the base64 into lines.
    let text: String = text.split_ascii_whitespace().collect();
    let moment = |text: Option<String>| match text {
        None => Ok(None),
        Some(text) => match OffsetDateTime::parse(&text, &Rfc3339) {
            Ok(at) => Ok(Some(Timestamp(at.unix_timestamp()))),
            Err(_) => Err(bad("A date of a key credential is not of the form 2026-11-23T10:42:07Z.")),
        },
    };
    Ok(NewKeyCredential {
        certificate_der: base64_any(&text).ok_or_else(|| bad("The 'key' of a key credential is not base64."))?,
        display_name: key.display_name,
        key_id: key.key_id,
        start: moment(key.start_date_time)?,
        end: moment(key.end_date_time)?,
    })
}

fn key_shown(key: KeyCredential, with_key: bool) -> wire::KeyCredential {
    wire::KeyCredential {
        key_id: Some(key.key_id),
        custom_key_identifier: Some(hex_upper(&key.thumbprint_sha1)),
        display_name: key.display_name,
        start_date_time: Some(rfc3339(key.start)),
        end_date_time: Some(rfc3339(key.end)),
        type_: Some("AsymmetricX509Cert".to_owned()),
        usage: Some("Verify".to_owned()),
        key: with_key.then(|| base64_standard(&key.certificate_der)),
    }
}

fn shown(application: Application, with_keys: bool) -> serde_json::Value {
    let application = wire::Application {
        id: application.id,
        app_id: application.app_id,
        display_name: application.display_name,
        created_date_time: rfc3339(application.created),
        key_credentials: application.keys.into_iter().map(|key| key_shown(key, with_keys)).collect(),
        password_credentials: Vec::new(),
        sign_in_audience: "AzureADMyOrg".to_owned(),
        identifier_uris: Vec::new(),
    };
    // Strings and lists of strings only: there is nothing that cannot be JSON.
    let mut value = serde_json::to_value(application).unwrap_or_default();
    for (member, empty) in [
        ("publisherDomain", json!(null)),
        ("requiredResourceAccess", json!([])),
        ("appRoles", json!([])),
        ("api", json!({})),
        ("web", json!({})),
    ] {
        value[member] = empty;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_filters_of_real_clients_are_read_and_others_are_not() {
        for (text, expected) in [
            ("startswith(displayName,'pm')", Some(Filter::NameStartsWith("pm".to_owned()))),
            ("displayName eq 'O''Brien'", Some(Filter::NameIs("O'Brien".to_owned()))),
            ("appId eq 'x'", Some(Filter::AppIdIs("x".to_owned()))),
            ("servicePrincipalNames/any(c:c eq 'x')", Some(Filter::AppIdIs("x".to_owned()))),
            ("displayName eq 'a' or appId eq 'b'", None),
            ("displayName ne 'a'", None),
            ("", None),
        ] {
            assert_eq!(Filter::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn a_key_with_line_breaks_is_read() {
        let key = |text: &str| wire::KeyCredential { key: Some(text.to_owned()), ..Default::default() };
        assert_eq!(new_key(key("AQID\nBAUG\r\n")).unwrap().certificate_der, [1, 2, 3, 4, 5, 6]);
        assert!(new_key(key("<>")).is_err());
        assert!(new_key(wire::KeyCredential::default()).is_err());
    }
}
