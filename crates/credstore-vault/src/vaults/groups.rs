//! Resource groups: names that vaults are made under. Deleting one deletes the vaults in it.
//!
//! There are few, so all are in memory; each is one sealed row. The group of a live vault is there even without a
//! row: stores from before there were rows have vaults, and a vault that comes back brings its group along.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use credstore_protocol::Timestamp;
use serde::{Deserialize, Serialize};

use super::record::{VAULT_TAGS_MAX, VAULT_TEXT_MAX};
use super::{VaultRecord, Vaults, roles};
use crate::access::{Caller, RoleAssignment, Scope};
use crate::error::{GroupError, StoreFailure, VaultError};
use crate::seal::{DataKey, kind};
use crate::storage::Batch;

/// Most resource groups. Source: Azure subscription limits, "Resource groups per subscription: 980".
pub const RESOURCE_GROUPS_MAX: usize = 980;

/// The group of a vault whose maker names none.
pub(super) const DEFAULT_GROUP: &str = "credstore";

/// A resource group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceGroup {
    /// Its name as it was made; it compares in any case.
    pub name: String,
    /// Where it is said to be. Fixed when it is made.
    pub location: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// When it was made.
    pub created: Timestamp,
}

impl ResourceGroup {
    fn of(vault: &VaultRecord) -> Self {
        let (name, location) = (vault.resource_group.clone(), vault.location.clone());
        Self { name, location, tags: BTreeMap::new(), created: vault.created }
    }

    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

pub(super) type Groups = Arc<Vec<ResourceGroup>>;

const WHAT: &str = "a resource group";

fn row_key(system: &DataKey, name: &str) -> Vec<u8> {
    system.row_key(kind::RESOURCE_GROUP, &name.to_ascii_lowercase())
}

/// Reads every group that has a row.
pub(super) fn load(system: &DataKey) -> Result<Groups, StoreFailure> {
    let mut groups: Vec<ResourceGroup> = system.every_record(kind::RESOURCE_GROUP, WHAT)?;
    groups.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(Arc::new(groups))
}

fn check(group: &ResourceGroup) -> Result<(), VaultError> {
    let too_long = |text: &String| text.chars().count() > VAULT_TEXT_MAX;
    let bad = |message: String| Err(VaultError::BadParameter { message });
    if group.tags.len() > VAULT_TAGS_MAX || group.tags.iter().any(|(name, value)| too_long(name) || too_long(value)) {
        return bad(format!("At most {VAULT_TAGS_MAX} tags of {VAULT_TEXT_MAX} characters each."));
    }
    if too_long(&group.name) || too_long(&group.location) {
        return bad(format!("Resource group and location must not exceed {VAULT_TEXT_MAX} characters."));
    }
    Ok(())
}

impl Vaults {
    /// Makes a resource group, or gives one other tags; absent tags stay. The second value says whether it is new.
    ///
    /// # Errors
    /// [`GroupError::Elsewhere`] when it is at another location, [`GroupError::Limit`],
    /// [`VaultError::BadParameter`], [`VaultError::NotOperator`].
    pub fn put_group(
        &self,
        caller: &Caller,
        name: &str,
        location: &str,
        tags: Option<BTreeMap<String, String>>,
        now: Timestamp,
    ) -> Result<(ResourceGroup, bool), VaultError> {
        self.require_operator(caller)?;
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.known_group(name)?;
        let is_new = known.is_none();
        let mut group = known.unwrap_or_else(|| ResourceGroup {
            name: name.to_owned(),
            location: location.to_owned(),
            tags: BTreeMap::new(),
            created: now,
        });
        if !group.location.eq_ignore_ascii_case(location) {
            let wanted = location.to_owned();
            return Err(GroupError::Elsewhere { name: group.name, location: group.location, wanted }.into());
        }
        group.tags = tags.unwrap_or(group.tags);
        check(&group)?;
        let others: Vec<_> = self.group_rows().iter().filter(|other| !other.is(name)).cloned().collect();
        if others.len() >= RESOURCE_GROUPS_MAX {
            return Err(GroupError::Limit.into());
        }
        let key = row_key(&self.system, name);
        let sealed = self.system.sealed_record(&key, WHAT, &group)?;
        let mut batch = Batch::default();
        batch.put(key, sealed);
        self.commit(batch)?;
        self.set_groups(others.into_iter().chain([group.clone()]).collect());
        Ok((group, is_new))
    }

    /// One resource group.
    ///
    /// # Errors
    /// [`GroupError::NotFound`], [`VaultError::NotOperator`].
    pub fn group(&self, caller: &Caller, name: &str) -> Result<ResourceGroup, VaultError> {
        self.require_operator(caller)?;
        self.known_group(name)?.ok_or_else(|| GroupError::NotFound(name.to_owned()).into())
    }

    /// Every resource group, by name.
    ///
    /// # Errors
    /// [`VaultError::NotOperator`].
    pub fn groups(&self, caller: &Caller) -> Result<Vec<ResourceGroup>, VaultError> {
        let mut groups = self.group_rows().to_vec();
        for vault in self.list(caller)? {
            if !groups.iter().any(|group| group.is(&vault.resource_group)) {
                groups.push(ResourceGroup::of(&vault));
            }
        }
        groups.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(groups)
    }

    /// Deletes a resource group: the vaults in it can be recovered, roles assigned on it and in it go for good.
    ///
    /// # Errors
    /// [`GroupError::NotFound`], [`VaultError::NotOperator`]. What was deleted before an error stays deleted.
    pub fn delete_group(&self, caller: &Caller, name: &str, now: Timestamp) -> Result<(), VaultError> {
        self.require_operator(caller)?;
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.known_group(name)?.is_none() {
            return Err(GroupError::NotFound(name.to_owned()).into());
        }
        for vault in self.vaults_in(name)? {
            self.delete_held(&vault.name, now)?;
        }
        let mut batch = Batch::default();
        batch.delete(row_key(&self.system, name));
        let of_group = |assignment: &RoleAssignment| match &assignment.scope {
            Scope::Subscription => false,
            Scope::Group(group) => group.eq_ignore_ascii_case(name),
            Scope::Vault(vault) | Scope::Object(vault, ..) => vault.group.eq_ignore_ascii_case(name),
        };
        let stays = roles::without(&self.system, &self.assignments(), of_group, &mut batch);
        self.commit(batch)?;
        self.set_assignments(stays);
        self.set_groups(self.group_rows().iter().filter(|group| !group.is(name)).cloned().collect());
        Ok(())
    }

    /// For a vault that is to be made.
    ///
    /// # Errors
    /// [`GroupError::NotFound`] when its maker names a group that is not there.
    pub(super) fn require_group(&self, named: Option<&str>) -> Result<(), VaultError> {
        match named {
            Some(name) if self.known_group(name)?.is_none() => Err(GroupError::NotFound(name.to_owned()).into()),
            Some(_) | None => Ok(()),
        }
    }

    fn known_group(&self, name: &str) -> Result<Option<ResourceGroup>, VaultError> {
        if let Some(group) = self.group_rows().iter().find(|group| group.is(name)) {
            return Ok(Some(group.clone()));
        }
        Ok(self.vaults_in(name)?.first().map(ResourceGroup::of))
    }

    fn vaults_in(&self, group: &str) -> Result<Vec<VaultRecord>, VaultError> {
        let records = self.every(kind::VAULT)?.into_iter().map(|(stored, _)| stored.record());
        let inside = |vault: &VaultRecord| vault.resource_group.eq_ignore_ascii_case(group);
        records.filter(|record| record.as_ref().map_or(true, inside)).collect()
    }

    fn group_rows(&self) -> Groups {
        Arc::clone(&self.groups.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set_groups(&self, groups: Vec<ResourceGroup>) {
        *self.groups.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(groups);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Installation;

    const NOW: Timestamp = Timestamp(1_800_000_000);

    #[test]
    fn there_are_at_most_as_many_groups_as_the_limit_says() {
        let installation = Installation::in_memory(NOW);
        let (vaults, caller) = (installation.vaults(), installation.operator_caller());
        let put = |at: usize| vaults.put_group(&caller, &format!("g{at}"), "local", None, NOW);
        let (first, _) = put(1).unwrap();
        let filler = (2..RESOURCE_GROUPS_MAX).map(|at| ResourceGroup { name: format!("g{at}"), ..first.clone() });
        vaults.set_groups([first.clone()].into_iter().chain(filler).collect());
        assert!(put(RESOURCE_GROUPS_MAX).is_ok());
        assert_eq!(put(RESOURCE_GROUPS_MAX + 1), Err(GroupError::Limit.into()));
        assert!(put(1).is_ok(), "one that is there can be put again");
        vaults.delete_group(&caller, "g1", NOW).unwrap();
        assert!(put(RESOURCE_GROUPS_MAX + 1).is_ok());
    }
}
