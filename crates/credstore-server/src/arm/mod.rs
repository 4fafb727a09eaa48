//! Azure Resource Manager: one subscription, resource groups, vaults, roles.
//!
//! Only the operator may do anything here. The subscription has the tenant's id.
//! Source: contract sections 14 and 15.

mod faults;
mod groups;
mod problem;
mod roles;
mod vaults;

use credstore_protocol::Timestamp;
use credstore_vault::{Caller, VaultError, Vaults};
use http::header::WWW_AUTHENTICATE;
use http::request::Parts;
use http::{Response, StatusCode};
use hyper::body::{Body, Bytes};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::app::{App, Incoming};
use crate::body::Content;
use crate::faults::is_faults_path;
use crate::json;
use crate::limits::MANAGEMENT_BODY_MAX;
use crate::names::{Audience, Names};
use crate::outcome::{Outcome, json_answer};
use crate::routes::{Access, Captures, Endpoint, Found, ManagementEndpoint, Surface, find};
use crate::tokens::Unauthenticated;
use crate::uri::{Parameters, segments};

use problem::{Problem, ResourceProblem, UriProblem};

/// Longest name of a resource group. Source: ARM naming rules.
const GROUP_NAME_MAX: usize = 90;
/// Characters of an `api-version` without its `-preview`. Source: ARM, every version is a date.
const API_VERSION_DATE: usize = "2026-02-01".len();

type Answer = Result<Response<Content>, Problem>;

/// Answers a request to `management.…`.
pub(crate) async fn answer<B>(app: &App, parts: &Parts, body: Incoming<B>) -> Outcome
where
    B: Body<Data = Bytes>,
{
    let segments = segments(parts.uri.path()).unwrap_or_default();
    let found = find(Surface::Management, parts.method.as_str(), &segments);
    if let Found::Route(route, _) = &found
        && route.access == Access::Anyone
    {
        return Outcome::new(json_answer(StatusCode::OK, &cloud_metadata(app.names())), route.path, false);
    }
    let caller = match is_faults_path(parts.uri.path()) {
        true => app.caller_of_faults(Audience::Management, &parts.headers),
        false => app.caller(Audience::Management, &parts.headers),
    };
    let caller = match caller {
        Ok(caller) => caller,
        Err(why) => return Outcome::new(unauthenticated(app.names(), &why), "unauthenticated", false),
    };
    let (route, captures) = match found {
        Found::Route(route, captures) => (route, captures),
        Found::OtherMethods(methods) => {
            return Outcome::new(Problem::Uri(UriProblem::OtherMethod(methods)).into_answer(), "none", true);
        }
        Found::Nothing => return Outcome::new(Problem::Uri(UriProblem::NoRoute).into_answer(), "none", true),
    };
    let Endpoint::Management(endpoint) = route.endpoint else {
        return Outcome::new(Problem::Uri(UriProblem::NoRoute).into_answer(), "none", true);
    };
    let call = Call { app, parts, path: &captures, caller, now: app.now() };
    let result = call.perform(endpoint, route.access, body).await;
    Outcome::new(result.unwrap_or_else(Problem::into_answer), route.path, true)
}

fn unauthenticated(names: &Names, why: &Unauthenticated) -> Response<Content> {
    let mut response = match why {
        Unauthenticated::Missing => {
            Problem::Unauthenticated("Authentication failed. The 'Authorization' header is missing.")
        }
        Unauthenticated::Rejected(_) => Problem::Unauthenticated("Authentication failed. The access token is invalid."),
    }
    .into_answer();
    response.headers_mut().insert(WWW_AUTHENTICATE, names.plain_challenge.clone());
    response
}

/// Contract section 14: what `az cloud register` asks for, without a token.
fn cloud_metadata(names: &Names) -> Value {
    let host = |url: &str| url.trim_start_matches("https://").to_owned();
    json!({
        "name": "credstore",
        "portal": format!("{}/", names.management),
        "authentication": {
            "loginEndpoint": names.authority,
            "audiences": [format!("{}/", names.management), names.management],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "resourceManager": names.management,
        "graphAudience": format!("{}/", names.graph),
        "microsoftGraphResourceId": format!("{}/", names.graph),
        "gallery": format!("{}/", names.management),
        "suffixes": {
            "keyVaultDns": host(&names.vault),
            "storage": format!("storage.{}", host(&names.vault)),
            "sqlServerHostname": format!("database.{}", host(&names.vault)),
            "acrLoginServer": format!("registry.{}", host(&names.vault)),
        },
    })
}

/// A request with a token for ARM.
struct Call<'a> {
    app: &'a App,
    parts: &'a Parts,
    path: &'a Captures<'a>,
    caller: Caller,
    now: Timestamp,
}

impl Call<'_> {
    async fn perform<B>(&self, endpoint: ManagementEndpoint, access: Access, body: Incoming<B>) -> Answer
    where
        B: Body<Data = Bytes>,
    {
        let operator = self.caller.object_id == self.app.installation().operator().object_id;
        if access == Access::Operator && !operator {
            return Err(Problem::not_authorized(&self.caller, self.parts.uri.path()));
        }
        let query = Parameters::parse(self.parts.uri.query().unwrap_or_default()).map_err(|_| UriProblem::BadQuery)?;
        let api_version = api_version(&query)?;
        let subscription = self.app.names().tenant.as_str();
        if let Some(asked) = self.path.get("s").filter(|asked| !asked.eq_ignore_ascii_case(subscription)) {
            return Err(ResourceProblem::SubscriptionNotFound(asked.to_owned()).into());
        }
        if let Some(group) = self.path.get("g") {
            check_group_name(group)?;
        }
        match endpoint {
            ManagementEndpoint::CloudMetadata => Ok(json_answer(StatusCode::OK, &cloud_metadata(self.app.names()))),
            ManagementEndpoint::ListSubscriptions => Ok(self.subscriptions(operator)),
            ManagementEndpoint::GetSubscription => Ok(json_answer(StatusCode::OK, &self.subscription())),
            ManagementEndpoint::ListGroups => self.list_groups(),
            ManagementEndpoint::GetGroup => self.get_group(),
            ManagementEndpoint::CheckGroup => self.check_group(),
            ManagementEndpoint::PutGroup => self.put_group(body).await,
            ManagementEndpoint::DeleteGroup => self.delete_group().await,
            ManagementEndpoint::ListManagedHsms => Ok(json_answer(StatusCode::OK, &json!({"value": []}))),
            ManagementEndpoint::ListResources => self.list_resources(query.given("$filter")),
            ManagementEndpoint::ListVaults | ManagementEndpoint::ListGroupVaults => self.list_vaults(),
            ManagementEndpoint::GetVault => self.get_vault(),
            ManagementEndpoint::PutVault => self.put_vault(body, api_version).await,
            ManagementEndpoint::PatchVault => self.patch_vault(body).await,
            ManagementEndpoint::DeleteVault => self.delete_vault().await,
            ManagementEndpoint::ChangePolicies => self.change_policies(body).await,
            ManagementEndpoint::CheckName => self.check_name(body).await,
            ManagementEndpoint::ListDeletedVaults => self.list_deleted_vaults(),
            ManagementEndpoint::GetDeletedVault => self.get_deleted_vault(),
            ManagementEndpoint::PurgeVault => self.purge_vault().await,
            ManagementEndpoint::ListRoles => self.list_roles(query.given("$filter")),
            ManagementEndpoint::GetRole => self.get_role(),
            ManagementEndpoint::ListAssignments => self.list_assignments(query.given("$filter")),
            ManagementEndpoint::GetAssignment => self.get_assignment(),
            ManagementEndpoint::PutAssignment => self.put_assignment(body).await,
            ManagementEndpoint::DeleteAssignment => self.delete_assignment().await,
            ManagementEndpoint::GetFaults => self.get_faults(),
            ManagementEndpoint::PutFaults => self.put_faults(body).await,
            ManagementEndpoint::DeleteFaults => self.delete_faults(),
        }
    }

    fn vaults(&self) -> &Vaults {
        self.app.installation().vaults()
    }

    async fn read<T: DeserializeOwned, B: Body<Data = Bytes>>(&self, body: Incoming<B>) -> Result<T, Problem> {
        let content = body.read(&self.parts.headers, MANAGEMENT_BODY_MAX).await.map_err(Problem::Body)?;
        json::read(&content).map_err(|bad| Problem::BadRequest(bad.0))
    }

    /// Runs a write of the vaults, which waits for the disk.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Vaults, &Caller, Timestamp) -> Result<T, VaultError> + Send + 'static,
    ) -> Result<T, Problem> {
        let (caller, now) = (self.caller.clone(), self.now);
        let result = self.app.aside(move |installation| work(installation.vaults(), &caller, now)).await;
        Ok(result.map_err(|_| Problem::Internal)??)
    }

    fn subscription(&self) -> Value {
        let id = self.app.names().tenant.as_str();
        json!({
            "id": format!("/subscriptions/{id}"),
            "subscriptionId": id,
            "tenantId": id,
            "displayName": "credstore",
            "state": "Enabled",
            "authorizationSource": "RoleBased",
            "subscriptionPolicies": {
                "locationPlacementId": "Public_2014-09-01",
                "quotaId": "PayAsYouGo_2014-09-01",
                "spendingLimit": "Off",
            },
        })
    }

    /// As in Azure, who has no role in a subscription does not see it: `az login` of an application then needs
    /// `--allow-no-subscriptions`.
    fn subscriptions(&self, operator: bool) -> Response<Content> {
        let value = if operator { vec![self.subscription()] } else { Vec::new() };
        json_answer(StatusCode::OK, &json!({"value": value, "count": {"type": "Total", "value": value.len()}}))
    }
}

/// ARM versions are dates; any from 2014 on is spoken, with `-preview` too. They compare as text.
fn api_version(query: &Parameters) -> Result<&str, UriProblem> {
    let text = query.given("api-version").ok_or(UriProblem::MissingApiVersion)?;
    let date = text.strip_suffix("-preview").unwrap_or(text);
    let well_formed = date.len() == API_VERSION_DATE
        && date
            .bytes()
            .enumerate()
            .all(|(at, byte)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() });
    if well_formed && date >= "2014-01-01" { Ok(text) } else { Err(UriProblem::InvalidApiVersion(text.to_owned())) }
}

/// Source: ARM naming rules for resource groups.
fn check_group_name(name: &str) -> Result<(), ResourceProblem> {
    let allowed = |c: char| c.is_alphanumeric() || "-_.()".contains(c);
    let fits =
        (1..=GROUP_NAME_MAX).contains(&name.chars().count()) && name.chars().all(allowed) && !name.ends_with('.');
    if fits { Ok(()) } else { Err(ResourceProblem::GroupNameInvalid) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_version_is_a_date() {
        for (version, fits) in [
            ("2026-02-01", true),
            ("2015-11-01", true),
            ("2021-06-01-preview", true),
            ("2013-12-31", false),
            ("7.4", false),
            ("2026-2-1", false),
            ("2026-02-01x", false),
            ("", false),
        ] {
            let query = Parameters::parse(&format!("api-version={version}")).ok().unwrap();
            assert_eq!(api_version(&query).is_ok(), fits, "{version}");
        }
    }

    #[test]
    fn a_group_name_has_at_most_90_characters() {
        assert!(check_group_name(&"g".repeat(GROUP_NAME_MAX)).is_ok());
        assert!(check_group_name(&"g".repeat(GROUP_NAME_MAX + 1)).is_err());
        for bad in ["a/b", "a.", "", "a b", "<script>"] {
            assert!(check_group_name(bad).is_err(), "{bad}");
        }
    }
}
