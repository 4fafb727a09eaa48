//! Role assignments: made and taken away by the operator, effective at once in every vault that they cover.
//!
//! There are few, so all are in memory; each is one sealed row. What they mean for a request is in
//! [`access`](crate::access).

use std::sync::{Arc, PoisonError};

use credstore_protocol::{ObjectId, Timestamp};

use super::Vaults;
use crate::access::{Caller, Role, RoleAssignment, Scope};
use crate::error::{RoleAssignmentError, StoreFailure, VaultError};
use crate::seal::{DataKey, kind};
use crate::storage::{Batch, Expected};

/// Most role assignments. Source: Azure subscription limits, "Azure role assignments per Azure subscription: 4,000".
pub const ROLE_ASSIGNMENTS_MAX: usize = 4_000;
/// Longest description of an assignment in characters. Ours.
pub const ROLE_DESCRIPTION_MAX: usize = 1_024;
/// Longest name of a group or object in a scope, in characters. Ours: a secret's name has at most 127.
const SCOPE_TEXT_MAX: usize = 127;

/// An assignment that is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRoleAssignment {
    /// The GUID that is its name.
    pub id: ObjectId,
    /// Where.
    pub scope: Scope,
    /// Which role.
    pub role: Role,
    /// Object id of the service principal.
    pub principal: ObjectId,
    /// What its maker says about it.
    pub description: Option<String>,
}

pub(super) type Assignments = Arc<Vec<RoleAssignment>>;

const WHAT: &str = "a role assignment";

fn row_key(system: &DataKey, id: &ObjectId) -> Vec<u8> {
    system.row_key(kind::ROLE_ASSIGNMENT, id.as_str())
}

/// Reads every assignment.
pub(super) fn load(system: &DataKey) -> Result<Assignments, StoreFailure> {
    let mut assignments: Vec<RoleAssignment> = system.every_record(kind::ROLE_ASSIGNMENT, WHAT)?;
    assignments.sort_by(|one, other| (one.created, &one.id).cmp(&(other.created, &other.id)));
    Ok(Arc::new(assignments))
}

/// Everything that a list takes away with a vault: the rows into `batch`, the rest is the answer.
pub(super) fn without(
    system: &DataKey,
    assignments: &[RoleAssignment],
    goes: impl Fn(&RoleAssignment) -> bool,
    batch: &mut Batch,
) -> Assignments {
    let (gone, stays): (Vec<_>, Vec<_>) = assignments.iter().cloned().partition(goes);
    for assignment in gone {
        batch.delete(row_key(system, &assignment.id));
    }
    Arc::new(stays)
}

fn check(new: &NewRoleAssignment) -> Result<(), VaultError> {
    let bad = |message: String| Err(VaultError::BadParameter { message });
    let too_long = |text: &str, most: usize| text.chars().count() > most;
    if new.description.as_ref().is_some_and(|text| too_long(text, ROLE_DESCRIPTION_MAX)) {
        return bad(format!("description must not exceed {ROLE_DESCRIPTION_MAX} characters."));
    }
    let texts: &[&str] = match &new.scope {
        Scope::Subscription => &[],
        Scope::Group(group) => &[group],
        Scope::Vault(vault) => &[&vault.group, &vault.vault],
        Scope::Object(vault, _, name) => &[&vault.group, &vault.vault, name],
    };
    if texts.iter().any(|text| too_long(text, SCOPE_TEXT_MAX)) {
        return bad(format!("No name in a scope exceeds {SCOPE_TEXT_MAX} characters."));
    }
    Ok(())
}

impl Vaults {
    /// Gives a principal a role. The same again changes the description and nothing else; the second value says
    /// whether the assignment is new.
    ///
    /// # Errors
    /// [`RoleAssignmentError::Fixed`] when the id names another assignment,
    /// [`RoleAssignmentError::Exists`] when another id has the same content,
    /// [`RoleAssignmentError::Limit`], [`VaultError::BadParameter`], [`VaultError::NotOperator`].
    pub fn assign_role(
        &self,
        caller: &Caller,
        new: NewRoleAssignment,
        now: Timestamp,
    ) -> Result<(RoleAssignment, bool), VaultError> {
        self.require_operator(caller)?;
        check(&new)?;
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.assignments();
        let same = |other: &RoleAssignment| {
            other.principal == new.principal && other.role == new.role && other.scope.same(&new.scope)
        };
        if let Some(found) = known.iter().find(|other| other.id == new.id) {
            if !same(found) {
                return Err(RoleAssignmentError::Fixed.into());
            }
            if found.description == new.description {
                return Ok((found.clone(), false));
            }
            let described = RoleAssignment { description: new.description, updated: now, ..found.clone() };
            return Ok((self.put_assignment(&known, described)?, false));
        }
        if let Some(found) = known.iter().find(|other| same(other)) {
            return Err(RoleAssignmentError::Exists(found.id.clone()).into());
        }
        if known.len() >= ROLE_ASSIGNMENTS_MAX {
            return Err(RoleAssignmentError::Limit.into());
        }
        let NewRoleAssignment { id, scope, role, principal, description } = new;
        let made = RoleAssignment { id, scope, role, principal, description, created: now, updated: now };
        Ok((self.put_assignment(&known, made)?, true))
    }

    /// Writes an assignment in the place of the one with its id, or as the newest. The caller holds `changing`.
    fn put_assignment(
        &self,
        known: &[RoleAssignment],
        assignment: RoleAssignment,
    ) -> Result<RoleAssignment, VaultError> {
        let at = known.iter().position(|other| other.id == assignment.id);
        let key = row_key(&self.system, &assignment.id);
        let sealed = self.system.sealed_record(&key, WHAT, &assignment)?;
        let mut batch = Batch::default();
        if at.is_none() {
            batch.expect(key.clone(), Expected::Absent);
        }
        batch.put(key, sealed);
        self.commit(batch)?;
        let mut every = known.to_vec();
        match at {
            Some(at) => every[at] = assignment.clone(),
            None => every.push(assignment.clone()),
        }
        self.set_assignments(Arc::new(every));
        Ok(assignment)
    }

    /// Takes an assignment away; `None` when there is none of this id at this scope.
    ///
    /// # Errors
    /// [`VaultError::NotOperator`].
    pub fn unassign_role(
        &self,
        caller: &Caller,
        scope: &Scope,
        id: &ObjectId,
    ) -> Result<Option<RoleAssignment>, VaultError> {
        self.require_operator(caller)?;
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.assignments();
        let found = known.iter().find(|assignment| assignment.id == *id && assignment.scope.same(scope)).cloned();
        if found.is_some() {
            let mut batch = Batch::default();
            let stays = without(&self.system, &known, |assignment| assignment.id == *id, &mut batch);
            self.commit(batch)?;
            self.set_assignments(stays);
        }
        Ok(found)
    }

    /// Every assignment, oldest first.
    ///
    /// # Errors
    /// [`VaultError::NotOperator`].
    pub fn role_assignments(&self, caller: &Caller) -> Result<Arc<Vec<RoleAssignment>>, VaultError> {
        self.require_operator(caller)?;
        Ok(self.assignments())
    }

    pub(super) fn assignments(&self) -> Assignments {
        Arc::clone(&self.assignments.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The caller holds `changing`. Opened vaults decide by the new list from here on.
    pub(super) fn set_assignments(&self, assignments: Assignments) {
        for inner in self.opened.read().unwrap_or_else(PoisonError::into_inner).values() {
            inner.set_state(inner.state().with_assignments(&assignments));
        }
        *self.assignments.write().unwrap_or_else(PoisonError::into_inner) = assignments;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Installation;

    const NOW: Timestamp = Timestamp(1_800_000_000);

    #[test]
    fn there_are_at_most_as_many_assignments_as_the_limit_says() {
        let installation = Installation::in_memory(NOW);
        let (vaults, caller) = (installation.vaults(), installation.operator_caller());
        let id = |at: usize| format!("10000000-0000-4000-8000-{at:012}").parse::<ObjectId>().unwrap();
        let new = |at: usize| {
            let scope = Scope::Group(format!("g{at}"));
            NewRoleAssignment { id: id(at), scope, role: Role::Reader, principal: id(0), description: None }
        };
        let (first, _) = vaults.assign_role(&caller, new(1), NOW).unwrap();
        let filler = (2..ROLE_ASSIGNMENTS_MAX).map(|at| RoleAssignment { id: id(at), ..first.clone() });
        vaults.set_assignments(Arc::new([first.clone()].into_iter().chain(filler).collect()));
        assert!(vaults.assign_role(&caller, new(ROLE_ASSIGNMENTS_MAX), NOW).is_ok());
        let over = vaults.assign_role(&caller, new(ROLE_ASSIGNMENTS_MAX + 1), NOW);
        assert_eq!(over, Err(RoleAssignmentError::Limit.into()));
        vaults.unassign_role(&caller, &first.scope, &first.id).unwrap();
        assert!(vaults.assign_role(&caller, new(ROLE_ASSIGNMENTS_MAX + 1), NOW).is_ok());
    }
}
