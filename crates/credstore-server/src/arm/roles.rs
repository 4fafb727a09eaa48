//! `Microsoft.Authorization`: role definitions, and role assignments at every scope that a vault is under.
//!
//! Assignments decide about the data plane only: ARM and Graph are the operator's whatever is assigned. A condition
//! on an assignment is refused, since dropping it would grant more than was asked for.
//! Source: learn.microsoft.com "Role Assignments" and "Role Definitions" (REST, 2022-04-01).

use credstore_protocol::ObjectId;
use credstore_protocol::arm::ResourceList;
use credstore_vault::VaultError;
use credstore_vault::access::{ObjectKind, Role, RoleAssignment, Scope, VaultScope};
use credstore_vault::vaults::NewRoleAssignment;
use http::StatusCode;
use hyper::body::{Body, Bytes};
use serde::Deserialize;
use serde_json::{Value, json};

use super::problem::{Problem, RoleProblem};
use super::{Answer, Call};
use crate::app::Incoming;
use crate::graph::rfc3339;
use crate::outcome::{empty_answer, json_answer};

const DEFINITIONS: &str = "providers/Microsoft.Authorization/roleDefinitions";
const ASSIGNMENTS: &str = "providers/Microsoft.Authorization/roleAssignments";

/// Body of PUT. Members that only answers have are read and dropped: clients echo them.
#[derive(Deserialize)]
struct Request {
    properties: Properties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    role_definition_id: String,
    principal_id: String,
    #[serde(default)]
    principal_type: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    condition: Option<String>,
}

/// What a list of assignments is narrowed to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Filter {
    at_scope: bool,
    principal: Option<String>,
}

impl Call<'_> {
    /// The scope of the path. What it names must be there, an object excepted: a name may be granted before it is used.
    fn scope(&self) -> Result<Scope, Problem> {
        let Some(group) = self.path.get("g") else { return Ok(Scope::Subscription) };
        self.vaults().group(&self.caller, group)?;
        if self.path.get("n").is_none() {
            return Ok(Scope::Group(group.to_owned()));
        }
        let record = self.vault_here()?;
        let vault = VaultScope { group: record.resource_group, vault: record.name.to_string() };
        let Some(kind) = self.path.get("kind") else { return Ok(Scope::Vault(vault)) };
        let kind = ObjectKind::of_name(kind).ok_or_else(|| self.no_vault())?;
        Ok(Scope::Object(vault, kind, self.path.text("object").to_owned()))
    }

    fn scope_id(&self, scope: &Scope) -> String {
        let subscription = format!("/subscriptions/{}", self.app.names().tenant);
        let of_vault = |scope: &VaultScope| {
            let (group, vault) = (&scope.group, &scope.vault);
            format!("{subscription}/resourceGroups/{group}/providers/Microsoft.KeyVault/vaults/{vault}")
        };
        match scope {
            Scope::Subscription => subscription,
            Scope::Group(group) => format!("{subscription}/resourceGroups/{group}"),
            Scope::Vault(vault) => of_vault(vault),
            Scope::Object(vault, kind, name) => format!("{}/{}/{name}", of_vault(vault), kind.as_str()),
        }
    }

    fn definition_id(&self, role: Role) -> String {
        format!("/subscriptions/{}/{DEFINITIONS}/{}", self.app.names().tenant, role.definition().id)
    }

    fn definition(&self, role: Role) -> Value {
        let definition = role.definition();
        json!({
            "id": self.definition_id(role),
            "type": "Microsoft.Authorization/roleDefinitions",
            "name": definition.id,
            "properties": {
                "roleName": definition.name,
                "type": "BuiltInRole",
                "description": definition.description,
                "assignableScopes": ["/"],
                "permissions": [{
                    "actions": [], "notActions": [], "dataActions": definition.data_actions, "notDataActions": [],
                }],
            },
        })
    }

    fn assignment(&self, assignment: &RoleAssignment) -> Value {
        let (scope, id) = (self.scope_id(&assignment.scope), &assignment.id);
        json!({
            "id": format!("{scope}/{ASSIGNMENTS}/{id}"),
            "type": "Microsoft.Authorization/roleAssignments",
            "name": id,
            "properties": {
                "roleDefinitionId": self.definition_id(assignment.role),
                "principalId": assignment.principal,
                "principalType": "ServicePrincipal",
                "scope": scope,
                "description": assignment.description,
                "condition": null,
                "createdOn": rfc3339(assignment.created),
                "updatedOn": rfc3339(assignment.updated),
            },
        })
    }

    pub(super) fn list_roles(&self, filter: Option<&str>) -> Answer {
        let wanted = filter.filter(|text| *text != "atScopeAndBelow()").map(|text| {
            let name = text.strip_prefix("roleName eq '").and_then(|rest| rest.strip_suffix('\''));
            name.ok_or_else(Problem::unknown_filter)
        });
        let wanted = wanted.transpose()?;
        let fits = |role: &Role| wanted.is_none_or(|name| role.definition().name.eq_ignore_ascii_case(name));
        let value = Role::EVERY.into_iter().filter(fits).map(|role| self.definition(role)).collect();
        Ok(json_answer(StatusCode::OK, &ResourceList::<Value> { value, next_link: None }))
    }

    pub(super) fn get_role(&self) -> Answer {
        let id = self.path.text("r");
        let role = Role::of_id(id).ok_or_else(|| RoleProblem::NoDefinition(id.to_owned()))?;
        Ok(json_answer(StatusCode::OK, &self.definition(role)))
    }

    /// Assignments at the scope and around it, and below it unless the filter says `atScope()`.
    pub(super) fn list_assignments(&self, filter: Option<&str>) -> Answer {
        let scope = self.scope()?;
        let filter = filter.map_or(Some(Filter::default()), Filter::parse).ok_or_else(Problem::unknown_filter)?;
        let fits = |assignment: &&RoleAssignment| {
            let of_principal =
                filter.principal.as_ref().is_none_or(|id| assignment.principal.as_str().eq_ignore_ascii_case(id));
            let below = !filter.at_scope && scope.contains(&assignment.scope);
            of_principal && (below || assignment.scope.contains(&scope))
        };
        let every = self.vaults().role_assignments(&self.caller)?;
        let value = every.iter().filter(fits).map(|assignment| self.assignment(assignment)).collect();
        Ok(json_answer(StatusCode::OK, &ResourceList::<Value> { value, next_link: None }))
    }

    fn assignment_id(&self) -> Result<ObjectId, Problem> {
        let text = self.path.text("a");
        text.parse().map_err(|_| RoleProblem::BadId(text.to_owned()).into())
    }

    pub(super) fn get_assignment(&self) -> Answer {
        let (scope, id) = (self.scope()?, self.assignment_id()?);
        let every = self.vaults().role_assignments(&self.caller)?;
        let found = every.iter().find(|assignment| assignment.id == id && assignment.scope.same(&scope));
        let found = found.ok_or_else(|| RoleProblem::NoAssignment(id.to_string()))?;
        Ok(json_answer(StatusCode::OK, &self.assignment(found)))
    }

    pub(super) async fn put_assignment<B: Body<Data = Bytes>>(&self, body: Incoming<B>) -> Answer {
        let (scope, id) = (self.scope()?, self.assignment_id()?);
        let request: Request = self.read(body).await?;
        let new = self.new_assignment(id, scope, request.properties)?;
        let (made, is_new) = self.write(move |vaults, caller, now| vaults.assign_role(caller, new, now)).await?;
        let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
        Ok(json_answer(status, &self.assignment(&made)))
    }

    fn new_assignment(&self, id: ObjectId, scope: Scope, asked: Properties) -> Result<NewRoleAssignment, Problem> {
        if asked.condition.is_some_and(|condition| !condition.is_empty()) {
            return Err(Problem::BadRequest("A role assignment has no condition here.".to_owned()));
        }
        let role = asked.role_definition_id.rsplit('/').next().unwrap_or_default();
        let role = Role::of_id(role).ok_or_else(|| RoleProblem::NoDefinition(role.to_owned()))?;
        let absent =
            || RoleProblem::NoPrincipal { id: asked.principal_id.clone(), tenant: self.app.names().tenant.to_string() };
        let principal: ObjectId = asked.principal_id.parse().map_err(|_| absent())?;
        let principals = self.app.installation().directory().service_principals(&self.caller);
        let principals = principals.map_err(|error| match error {
            credstore_vault::DirectoryError::Store(failure) => Problem::Vault(VaultError::Store(failure)),
            _ => Problem::Internal,
        })?;
        if !principals.iter().any(|known| known.id == principal) {
            return Err(absent().into());
        }
        if let Some(kind) = asked.principal_type.filter(|kind| !kind.eq_ignore_ascii_case("ServicePrincipal")) {
            return Err(RoleProblem::OtherPrincipalType { id: principal.to_string(), kind }.into());
        }
        Ok(NewRoleAssignment { id, scope, role, principal, description: asked.description })
    }

    pub(super) async fn delete_assignment(&self) -> Answer {
        let (scope, id) = (self.scope()?, self.assignment_id()?);
        match self.write(move |vaults, caller, _| vaults.unassign_role(caller, &scope, &id)).await? {
            Some(gone) => Ok(json_answer(StatusCode::OK, &self.assignment(&gone))),
            None => Ok(empty_answer(StatusCode::NO_CONTENT)),
        }
    }
}

impl Filter {
    /// `atScope()`, `principalId eq '…'` and `assignedTo('…')`, joined by `and`. There are no groups of principals, so
    /// the last two mean the same.
    fn parse(text: &str) -> Option<Self> {
        let mut filter = Self::default();
        for one in text.split(" and ").map(str::trim) {
            let within = |start: &str, end: &str| one.strip_prefix(start)?.strip_suffix(end);
            match within("principalId eq '", "'").or_else(|| within("assignedTo('", "')")) {
                Some(id) => filter.principal = Some(id.to_owned()),
                None if one == "atScope()" => filter.at_scope = true,
                None => return None,
            }
        }
        Some(filter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_of_az_are_read_and_others_are_not() {
        let filter = |at_scope, id: Option<&str>| Some(Filter { at_scope, principal: id.map(str::to_owned) });
        for (text, expected) in [
            ("atScope()", filter(true, None)),
            ("principalId eq 'x'", filter(false, Some("x"))),
            ("atScope() and assignedTo('x')", filter(true, Some("x"))),
            ("atScope() or assignedTo('x')", None),
            ("principalId ne 'x'", None),
            ("", None),
        ] {
            assert_eq!(Filter::parse(text), expected, "{text}");
        }
    }
}
