//! The Key Vault data plane: secrets of one vault.
//!
//! The order of checks is the contract's: token, then `api-version` and route, then permission, then names and
//! body, then the state of the secret. A caller without the permission learns nothing about names.
//! Keys and certificates are not part of this vault yet and are refused as such.

mod bundle;
mod problem;

use credstore_protocol::key_vault::{BackupBlob, LAST_READ_HEADER, PAGE_MAX, Page, SecretProperties, SetSecret};
use credstore_protocol::{ApiVersion, SecretName, SecretVersion, Timestamp, VaultName};
use credstore_vault::access::Operation;
use credstore_vault::{Caller, PageToken, Vault, VaultError};
use http::header::EXPIRES;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use hyper::body::{Body, Bytes};
use serde::de::DeserializeOwned;

use crate::app::{App, Incoming};
use crate::body::Content;
use crate::json;
use crate::limits::{BODY_MAX, RESTORE_BODY_MAX};
use crate::names::{Audience, LOCATION};
use crate::outcome::{Outcome, empty_answer, json_answer};
use crate::routes::{Captures, Endpoint, Found, Surface, find};
use crate::uri::{Parameters, segments};

use bundle::Ids;
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
    let (route, captures) = match find(Surface::Vault, parts.method.as_str(), &segments) {
        Found::Route(route, captures) => (route, captures),
        Found::OtherMethods(methods) => return Err(Problem::other_method(methods)),
        Found::Nothing => return Err(Problem::no_route(segments.first().map_or("", |first| first))),
    };
    *pattern = route.path;
    let Endpoint::Secret(operation) = route.endpoint else {
        return Err(Problem::no_route(""));
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
        let name = || path.text("name").parse::<SecretName>().map_err(|_| Problem::invalid_name(path.text("name")));
        match operation {
            Operation::GetSecret => self.get(&name()?, path.get("version")),
            Operation::SetSecret => self.set(name()?, read_json(parts, body, BODY_MAX).await?).await,
            Operation::UpdateSecret => {
                let name = name()?;
                let version = read_version(&name, path.get("version"))?;
                self.update(name, version, read_json(parts, body, BODY_MAX).await?).await
            }
            Operation::DeleteSecret => self.delete(name()?).await,
            Operation::ListSecrets => {
                self.list(parts.headers.get(LAST_READ_HEADER).is_some_and(|value| value == "true"))
            }
            Operation::ListSecretVersions => self.versions(&name()?),
            Operation::BackupSecret => self.backup(name()?).await,
            Operation::RestoreSecret => {
                let _turn = self.app.restores().acquire().await.map_err(|_| Problem::internal())?;
                self.restore(read_json(parts, body, RESTORE_BODY_MAX).await?).await
            }
            Operation::ListDeletedSecrets => self.list_deleted(),
            Operation::GetDeletedSecret => self.get_deleted(&name()?),
            Operation::RecoverSecret => self.recover(name()?).await,
            Operation::PurgeSecret => self.purge(name()?).await,
        }
    }

    fn explain(&self) -> impl Fn(VaultError) -> Problem {
        |error| Problem::of(error, self.app.names(), self.ids)
    }

    /// Runs a write of the vault, which waits for the disk.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Vault, &Caller, Timestamp) -> Result<T, VaultError> + Send + 'static,
    ) -> Result<T, Problem> {
        let (vault, caller, now) = (self.vault.clone(), self.caller.clone(), self.now);
        let result = self.app.aside(move |_| work(&vault, &caller, now)).await;
        result.map_err(|_| Problem::internal())?.map_err(self.explain())
    }

    fn get(&self, name: &SecretName, version: Option<&str>) -> Answer {
        // Both forms are what a plain secret is anyway: only one that backs a certificate would be converted.
        let known = ["PFX", "PEM"].map(|form| self.query.get("outContentType").is_none_or(|out| out == form));
        if self.version >= ApiVersion::V2025_07_01 && !known.contains(&true) {
            return Err(Problem::bad_parameter("The value of outContentType must be 'PFX' or 'PEM'."));
        }
        let version = read_version(name, version)?;
        let version = version.as_ref();
        let record = match self.caller.object_id == self.app.installation().operator().object_id {
            true => self.vault.secret_unnoted(&self.caller, name, version),
            false => self.vault.secret(&self.caller, name, version, self.now),
        };
        let record = record.map_err(self.explain())?;
        Ok(json_answer(StatusCode::OK, &self.ids.bundle(record)))
    }

    async fn set(&self, name: SecretName, set: SetSecret) -> Answer {
        // The write that comes in numbers: no thread is held while it waits for the disk.
        let _turn = self.app.turn_to_write().await.map_err(|_| Problem::internal())?;
        let record = self.vault.set_secret_async(&self.caller, &name, set, self.now).await.map_err(self.explain())?;
        Ok(json_answer(StatusCode::OK, &self.ids.bundle(record)))
    }

    async fn update(&self, name: SecretName, version: Option<SecretVersion>, update: SecretProperties) -> Answer {
        let work = move |vault: &Vault, caller: &Caller, now| {
            vault.update_secret(caller, &name, version.as_ref(), update, now)
        };
        let record = self.write(work).await?;
        Ok(json_answer(StatusCode::OK, &self.ids.bundle_without_value(record)))
    }

    async fn delete(&self, name: SecretName) -> Answer {
        let record = self.write(move |vault, caller, now| vault.delete_secret(caller, &name, now)).await?;
        Ok(json_answer(StatusCode::OK, &self.ids.deleted(record)))
    }

    fn list(&self, with_last_read: bool) -> Answer {
        let (after, limit) = self.page()?;
        let page = self.vault.secrets(&self.caller, after.as_ref(), limit).map_err(self.explain())?;
        let item = |record| match with_last_read {
            true => self.ids.item_with_last_read(record),
            false => self.ids.item(record),
        };
        let value = page.0.into_iter().map(item).collect();
        Ok(json_answer(StatusCode::OK, &Page { value, next_link: self.next("secrets", page.1, limit) }))
    }

    fn versions(&self, name: &SecretName) -> Answer {
        let (after, limit) = self.page()?;
        let page = self.vault.secret_versions(&self.caller, name, after.as_ref(), limit).map_err(self.explain())?;
        let value = page.0.into_iter().map(|record| self.ids.version_item(record)).collect();
        let next_link = self.next(&format!("secrets/{name}/versions"), page.1, limit);
        Ok(json_answer(StatusCode::OK, &Page { value, next_link }))
    }

    async fn backup(&self, name: SecretName) -> Answer {
        let value = self.write(move |vault, caller, now| vault.backup_secret(caller, &name, now)).await?;
        Ok(json_answer(StatusCode::OK, &BackupBlob { value }))
    }

    async fn restore(&self, blob: BackupBlob) -> Answer {
        let record = self.write(move |vault, caller, now| vault.restore_secret(caller, &blob.value, now)).await?;
        Ok(json_answer(StatusCode::OK, &self.ids.bundle_without_value(record)))
    }

    fn list_deleted(&self) -> Answer {
        let (after, limit) = self.page()?;
        let page = self.vault.deleted_secrets(&self.caller, after.as_ref(), limit, self.now).map_err(self.explain())?;
        let value = page.0.into_iter().map(|record| self.ids.deleted_item(record)).collect();
        Ok(json_answer(StatusCode::OK, &Page { value, next_link: self.next("deletedsecrets", page.1, limit) }))
    }

    fn get_deleted(&self, name: &SecretName) -> Answer {
        let record = self.vault.deleted_secret(&self.caller, name, self.now).map_err(self.explain())?;
        Ok(json_answer(StatusCode::OK, &self.ids.deleted(record)))
    }

    async fn recover(&self, name: SecretName) -> Answer {
        let record = self.write(move |vault, caller, now| vault.recover_secret(caller, &name, now)).await?;
        Ok(json_answer(StatusCode::OK, &self.ids.bundle_without_value(record)))
    }

    async fn purge(&self, name: SecretName) -> Answer {
        self.write(move |vault, caller, now| vault.purge_secret(caller, &name, now)).await?;
        Ok(empty_answer(StatusCode::NO_CONTENT))
    }

    /// `$skiptoken` and `maxresults`.
    fn page(&self) -> Result<(Option<PageToken>, usize), Problem> {
        let limit = match self.query.given("maxresults") {
            None => PAGE_MAX,
            Some(text) => text.parse().ok().filter(|limit| (1..=PAGE_MAX).contains(limit)).ok_or_else(|| {
                Problem::bad_parameter(format!("The value of maxresults must be between 1 and {PAGE_MAX}."))
            })?,
        };
        let after = self
            .query
            .given("$skiptoken")
            .map(|token| token.parse().map_err(|_| Problem::bad_parameter("The value of $skiptoken is not valid.")));
        Ok((after.transpose()?, limit))
    }

    /// Azure names the port in a nextLink even when it is 443. Source: contract section 4.
    fn next(&self, path: &str, token: Option<PageToken>, limit: usize) -> Option<String> {
        let token = token?;
        let (host, port) = (self.ids.host_name(), self.app.site().port);
        let version = self.query.get("api-version").unwrap_or_default();
        Some(format!("https://{host}:{port}/{path}?api-version={version}&$skiptoken={token}&maxresults={limit}"))
    }
}

/// A version that is not one cannot exist: that is an answer about the secret, not about the request.
fn read_version(name: &SecretName, text: Option<&str>) -> Result<Option<SecretVersion>, Problem> {
    let version = text.map(|text| text.parse().map_err(|_| Problem::no_such_version(name, text)));
    version.transpose()
}

async fn read_json<T, B>(parts: &Parts, body: Incoming<B>, max: usize) -> Result<T, Problem>
where
    T: DeserializeOwned,
    B: Body<Data = Bytes>,
{
    let content = body.read(&parts.headers, max).await.map_err(Problem::body)?;
    json::read(&content).map_err(|bad| Problem::bad_parameter(bad.0))
}
