//! Vault resources: made, changed, deleted, recovered and purged by the operator; opened by anybody.
//!
//! A vault has a random id and a data key of its own. Purging it destroys the data key first, so that its
//! records are worthless at once, and removes them afterwards; a purge that was cut short is finished by
//! [`Vaults::purge_expired`]. Operations on what is in a vault are in
//! [`objects`](crate::objects) and the rooms of each kind.

mod groups;
mod record;
mod roles;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use credstore_protocol::{ObjectId, TenantId, Timestamp, VaultName};

use groups::{DEFAULT_GROUP, Groups};
pub use groups::{RESOURCE_GROUPS_MAX, ResourceGroup};
pub use record::{
    ACCESS_POLICIES_MAX, DeletedVault, KEPT_MAX, PolicyChange, RETENTION_DAYS, VAULT_TAGS_MAX, VAULT_TEXT_MAX,
    VaultRecord, VaultSpec,
};
pub(crate) use record::{Deletion, StoredVault};
use roles::Assignments;
pub use roles::{NewRoleAssignment, ROLE_ASSIGNMENTS_MAX, ROLE_DESCRIPTION_MAX};

use crate::access::{Caller, Grant, Operation, PermissionModel, RoleAssignment, allows, permits};
use crate::certificates::Certificates;
use crate::error::{CommitError, DeniedPlace, StoreFailure, VaultError};
use crate::keys::Keys;
use crate::objects::{ObjectType, Retention, Rows};
use crate::seal::{DataKey, kind};
use crate::secrets::{Heads, Secrets, Usage};
use crate::storage::{Batch, Expected, Revision, Row, STEP, Storage};

/// Every vault of the installation.
pub struct Vaults {
    tenant: TenantId,
    operator: ObjectId,
    system: Arc<DataKey>,
    /// Vaults that were opened, by canonical name.
    opened: RwLock<HashMap<String, Arc<VaultInner>>>,
    heads: Arc<Heads>,
    assignments: RwLock<Assignments>,
    /// Those that have a row.
    groups: RwLock<Groups>,
    /// Held by whoever changes a vault resource, a resource group or a role assignment, or puts a vault into `opened`.
    changing: Mutex<()>,
}

/// One vault, for the data plane. Cheap to clone.
#[derive(Clone)]
pub struct Vault {
    pub(crate) inner: Arc<VaultInner>,
}

pub(crate) struct VaultInner {
    pub(crate) key: DataKey,
    /// Where the vault itself lies. Every write in it demands that it is there.
    pub(crate) row: Vec<u8>,
    pub(crate) usage: Usage,
    pub(crate) heads: Arc<Heads>,
    state: RwLock<Arc<VaultState>>,
}

/// What may change about an opened vault.
pub(crate) struct VaultState {
    pub(crate) record: VaultRecord,
    pub(crate) retention: Retention,
    /// What roles grant here; looked at only when the vault uses them.
    grants: Vec<Grant>,
    gone: bool,
}

impl VaultState {
    fn new(record: VaultRecord, assignments: &[RoleAssignment]) -> Arc<Self> {
        let retention = Retention::of(record.retention_days, record.purge_protection);
        let grants = Grant::in_vault(assignments, &record.resource_group, &record.name);
        Arc::new(Self { record, retention, grants, gone: false })
    }

    fn with_assignments(&self, assignments: &[RoleAssignment]) -> Arc<Self> {
        Self::new(self.record.clone(), assignments)
    }
}

impl VaultInner {
    pub(crate) fn state(&self) -> Arc<VaultState> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set_state(&self, state: Arc<VaultState>) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

impl Vault {
    /// The check that comes before everything else: the vault is there, and `caller` may do `operation`.
    pub(crate) fn allow(&self, caller: &Caller, operation: Operation) -> Result<Arc<VaultState>, VaultError> {
        self.allow_on(caller, operation, None)
    }

    /// The same for an operation on the object of this name: a role may be assigned on it alone.
    pub(crate) fn allow_on(
        &self,
        caller: &Caller,
        operation: Operation,
        object: Option<&str>,
    ) -> Result<Arc<VaultState>, VaultError> {
        let state = self.inner.state();
        let record = &state.record;
        if state.gone {
            return Err(VaultError::VaultNotFound(record.name.clone()));
        }
        let model = if record.rbac { PermissionModel::Roles } else { PermissionModel::AccessPolicies };
        let allowed = match model {
            PermissionModel::AccessPolicies => allows(&record.access_policies, caller, operation),
            PermissionModel::Roles => permits(&state.grants, caller, operation, object),
        };
        if allowed && caller.tenant == record.tenant {
            return Ok(state);
        }
        let place = DeniedPlace { group: record.resource_group.clone(), object: object.map(str::to_owned) };
        let (caller, vault) = (caller.clone(), record.name.clone());
        Err(VaultError::Denied { caller, operation, vault, place: Box::new(place), model })
    }

    /// The check that every operation makes first, alone: for a server that must refuse before it checks a name
    /// or reads a body. `object` is the name as the request has it.
    ///
    /// # Errors
    /// [`VaultError::Denied`], or [`VaultError::VaultNotFound`] when the vault was deleted meanwhile.
    pub fn authorize(&self, caller: &Caller, operation: Operation, object: Option<&str>) -> Result<(), VaultError> {
        self.allow_on(caller, operation, object).map(drop)
    }

    /// The vault's name as it was created.
    pub fn name(&self) -> VaultName {
        self.inner.state().record.name.clone()
    }

    /// Where the vault is said to be; Azure's denial names it.
    pub fn location(&self) -> String {
        self.inner.state().record.location.clone()
    }
}

impl Vaults {
    pub(crate) fn load(tenant: TenantId, operator: ObjectId, system: Arc<DataKey>) -> Result<Self, StoreFailure> {
        let assignments = RwLock::new(roles::load(&system)?);
        let groups = RwLock::new(groups::load(&system)?);
        let (opened, heads) = (RwLock::default(), Arc::default());
        Ok(Self { tenant, operator, system, opened, heads, assignments, groups, changing: Mutex::new(()) })
    }

    /// Creates a vault, or changes it when it exists.
    ///
    /// # Errors
    /// [`VaultError::VaultDeleted`] when a deleted vault has the name; [`NotFound`](crate::GroupError::NotFound) when a new vault is
    /// to be in a group that is not there; [`VaultError::BadParameter`].
    pub fn create_or_update(
        &self,
        caller: &Caller,
        name: &VaultName,
        spec: VaultSpec,
        now: Timestamp,
    ) -> Result<VaultRecord, VaultError> {
        self.require_operator(caller)?;
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((stored, revision)) = self.stored(kind::VAULT, name)? {
            let id = stored.id;
            let record = record::updated(&stored.record()?, &self.tenant, spec)?;
            return self.rewrite(id, record, revision);
        }
        if let Some((stored, revision)) = self.stored(kind::DELETED_VAULT, name)? {
            if !stored.deletion.is_some_and(|deletion| deletion.is_over(now)) {
                return Err(VaultError::VaultDeleted(name.clone()));
            }
            self.destroy(name, &stored, revision)?;
        }
        self.require_group(spec.resource_group.as_deref())?;
        let record = record::created(name, &self.tenant, spec, now)?;
        let id = crate::random::bytes();
        let (_, mut batch) = self.system.keyring().new_data_key(id);
        batch.expect(self.row_key(kind::VAULT, name), Expected::Absent);
        batch.expect(self.row_key(kind::DELETED_VAULT, name), Expected::Absent);
        self.put(&mut batch, kind::VAULT, name, &StoredVault::of(id, &record, None))?;
        self.commit(batch)?;
        Ok(record)
    }

    /// One vault.
    ///
    /// # Errors
    /// [`VaultError::VaultNotFound`], [`VaultError::NotOperator`].
    pub fn record(&self, caller: &Caller, name: &VaultName) -> Result<VaultRecord, VaultError> {
        self.require_operator(caller)?;
        self.live(name)?.0.record()
    }

    /// Every vault, in no promised order.
    ///
    /// # Errors
    /// [`VaultError::NotOperator`].
    pub fn list(&self, caller: &Caller) -> Result<Vec<VaultRecord>, VaultError> {
        self.require_operator(caller)?;
        self.every(kind::VAULT)?.into_iter().map(|(stored, _)| stored.record()).collect()
    }

    /// Changes who may do what. Effective at once, for open handles too.
    ///
    /// # Errors
    /// [`VaultError::VaultNotFound`], [`VaultError::BadParameter`], [`VaultError::NotOperator`].
    pub fn set_access_policies(
        &self,
        caller: &Caller,
        name: &VaultName,
        change: PolicyChange,
        _now: Timestamp,
    ) -> Result<VaultRecord, VaultError> {
        self.require_operator(caller)?;
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let (stored, revision) = self.live(name)?;
        let id = stored.id;
        let mut record = stored.record()?;
        record.access_policies = record::changed_policies(record.access_policies, change);
        record::check(&record, &self.tenant)?;
        self.rewrite(id, record, revision)
    }

    /// Deletes a vault; it can be recovered until its retention has passed. Roles assigned on it or in it go for
    /// good, as in Azure (Key Vault, soft delete: role assignments are not recovered).
    ///
    /// # Errors
    /// [`VaultError::VaultNotFound`], [`VaultError::NotOperator`].
    pub fn delete(&self, caller: &Caller, name: &VaultName, now: Timestamp) -> Result<(), VaultError> {
        self.require_operator(caller)?;
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.delete_held(name, now)
    }

    /// [`delete`](Self::delete) for a caller that holds `changing`.
    fn delete_held(&self, name: &VaultName, now: Timestamp) -> Result<(), VaultError> {
        let (stored, revision) = self.live(name)?;
        let id = stored.id;
        let record = stored.record()?;
        let deletion = Deletion::new(now, record.retention_days);
        let mut batch = Batch::default();
        let row = self.row_key(kind::VAULT, name);
        batch.expect(row.clone(), Expected::Revision(revision));
        batch.delete(row);
        self.put(&mut batch, kind::DELETED_VAULT, name, &StoredVault::of(id, &record, Some(deletion)))?;
        let of_vault = |assignment: &RoleAssignment| assignment.scope.is_of(&record.resource_group, &record.name);
        let stays = roles::without(&self.system, &self.assignments(), of_vault, &mut batch);
        self.commit(batch)?;
        self.set_assignments(stays);
        let opened = self.opened.write().unwrap_or_else(PoisonError::into_inner).remove(&name.canonical());
        if let Some(inner) = opened {
            let retention = inner.state().retention;
            inner.set_state(Arc::new(VaultState { record, retention, grants: Vec::new(), gone: true }));
        }
        Ok(())
    }

    /// Every deleted vault whose retention has not passed.
    ///
    /// # Errors
    /// [`VaultError::NotOperator`].
    pub fn deleted(&self, caller: &Caller, now: Timestamp) -> Result<Vec<DeletedVault>, VaultError> {
        self.require_operator(caller)?;
        let mut deleted = Vec::new();
        for (stored, _) in self.every(kind::DELETED_VAULT)? {
            let Some(deletion) = stored.deletion.filter(|deletion| !deletion.is_over(now)) else { continue };
            let record = stored.record()?;
            deleted.push(DeletedVault { record, deleted: deletion.at, scheduled_purge: deletion.purge });
        }
        Ok(deleted)
    }

    /// Brings a deleted vault back with everything in it.
    ///
    /// # Errors
    /// [`VaultError::DeletedVaultNotFound`], [`VaultError::NotOperator`].
    pub fn recover(&self, caller: &Caller, name: &VaultName, now: Timestamp) -> Result<VaultRecord, VaultError> {
        self.require_operator(caller)?;
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let (stored, revision) = self.deleted_vault(name, now)?;
        let id = stored.id;
        let record = stored.record()?;
        let mut batch = Batch::default();
        let row = self.row_key(kind::DELETED_VAULT, name);
        batch.expect(row.clone(), Expected::Revision(revision));
        batch.expect(self.row_key(kind::VAULT, name), Expected::Absent);
        batch.delete(row);
        self.put(&mut batch, kind::VAULT, name, &StoredVault::of(id, &record, None))?;
        self.commit(batch)?;
        Ok(record)
    }

    /// Destroys a deleted vault and everything in it.
    ///
    /// # Errors
    /// [`VaultError::DeletedVaultNotFound`], [`VaultError::PurgeProtected`], [`VaultError::NotOperator`].
    pub fn purge(&self, caller: &Caller, name: &VaultName, now: Timestamp) -> Result<(), VaultError> {
        self.require_operator(caller)?;
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let (stored, revision) = self.deleted_vault(name, now)?;
        let id = stored.id;
        if stored.clone().record()?.purge_protection {
            return Err(VaultError::PurgeProtected);
        }
        self.destroy(name, &stored, revision)?;
        self.sweep(&id)
    }

    /// Purges every deleted vault and object whose retention has passed, and ends purges that were cut short.
    /// For a background loop, about once an hour. Answers how many of them went.
    ///
    /// # Errors
    /// The first thing that could not be read or written; what was done before stays done.
    pub fn purge_expired(&self, now: Timestamp) -> Result<usize, VaultError> {
        let mut purged = 0;
        {
            let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
            for (stored, revision) in self.every(kind::DELETED_VAULT)? {
                if stored.deletion.is_some_and(|deletion| deletion.is_over(now)) {
                    let name = stored.clone().record()?.name;
                    self.destroy(&name, &stored, revision)?;
                    purged += 1;
                }
            }
            for (key, _) in self.storage().scan(&[kind::PURGED_VAULT], None, usize::MAX)? {
                if let Ok(id) = <[u8; 16]>::try_from(&key[1..]) {
                    self.sweep(&id)?;
                }
            }
        }
        for (stored, _) in self.every(kind::VAULT)? {
            let vault = self.open(&stored.record()?.name)?;
            purged += vault.purge_expired::<Certificates>(now)?;
            purged += vault.purge_expired::<Secrets>(now)? + vault.purge_expired::<Keys>(now)?;
        }
        Ok(purged)
    }

    /// Makes a new version of every key whose rotation policy asks for one. For a background loop, about once an hour.
    /// Answers how many keys were rotated; one that cannot be rotated is logged and does not hinder the others.
    ///
    /// # Errors
    /// The first vault that could not be read.
    pub fn rotate_due_keys(&self, now: Timestamp) -> Result<usize, VaultError> {
        let mut rotated = 0;
        for (stored, _) in self.every(kind::VAULT)? {
            rotated += self.open(&stored.record()?.name)?.rotate_due_keys(now)?;
        }
        Ok(rotated)
    }

    /// Makes a new version of every certificate whose policy asks for one and that the vault can sign itself. For a
    /// background loop, about once an hour. Answers how many were renewed; one that cannot be is logged and does not hinder
    /// the others.
    ///
    /// # Errors
    /// The first vault that could not be read.
    pub fn renew_due_certificates(&self, now: Timestamp) -> Result<usize, VaultError> {
        let mut renewed = 0;
        for (stored, _) in self.every(kind::VAULT)? {
            renewed += self.open(&stored.record()?.name)?.renew_due_certificates(now)?;
        }
        Ok(renewed)
    }

    /// The vault for the data plane.
    ///
    /// # Errors
    /// [`VaultError::VaultNotFound`].
    pub fn open(&self, name: &VaultName) -> Result<Vault, VaultError> {
        let canonical = name.canonical();
        if let Some(inner) = self.opened.read().unwrap_or_else(PoisonError::into_inner).get(&canonical) {
            return Ok(Vault { inner: Arc::clone(inner) });
        }
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(inner) = self.opened.read().unwrap_or_else(PoisonError::into_inner).get(&canonical) {
            return Ok(Vault { inner: Arc::clone(inner) });
        }
        let (stored, _) = self.live(name)?;
        let key = self.system.keyring().open_data_key(stored.id)?;
        let key = key.ok_or_else(|| StoreFailure::damaged(format!("the data key of vault {name}")))?;
        let inner = Arc::new(VaultInner {
            key,
            row: self.row_key(kind::VAULT, name),
            usage: Usage::default(),
            heads: Arc::clone(&self.heads),
            state: RwLock::new(VaultState::new(stored.record()?, &self.assignments())),
        });
        self.opened.write().unwrap_or_else(PoisonError::into_inner).insert(canonical, Arc::clone(&inner));
        Ok(Vault { inner })
    }

    /// Writes the last-read times of every opened vault.
    pub(crate) fn flush_usage(&self) {
        let opened: Vec<_> =
            self.opened.read().unwrap_or_else(PoisonError::into_inner).values().map(Arc::clone).collect();
        for inner in opened {
            Vault { inner }.flush_usage();
        }
    }

    fn require_operator(&self, caller: &Caller) -> Result<(), VaultError> {
        let is_operator = caller.object_id == self.operator && caller.tenant == self.tenant;
        if is_operator { Ok(()) } else { Err(VaultError::NotOperator) }
    }

    fn storage(&self) -> &dyn Storage {
        self.system.storage()
    }

    fn row_key(&self, kind: u8, name: &VaultName) -> Vec<u8> {
        self.system.row_key(kind, &name.canonical())
    }

    fn open_row(&self, key: &[u8], row: &Row) -> Result<StoredVault, VaultError> {
        Ok(self.system.opened_record(key, "a vault", row)?)
    }

    fn stored(&self, kind: u8, name: &VaultName) -> Result<Option<(StoredVault, Revision)>, VaultError> {
        let key = self.row_key(kind, name);
        match self.storage().get(&key)? {
            Some(row) => Ok(Some((self.open_row(&key, &row)?, row.revision))),
            None => Ok(None),
        }
    }

    fn live(&self, name: &VaultName) -> Result<(StoredVault, Revision), VaultError> {
        self.stored(kind::VAULT, name)?.ok_or_else(|| VaultError::VaultNotFound(name.clone()))
    }

    fn deleted_vault(&self, name: &VaultName, now: Timestamp) -> Result<(StoredVault, Revision), VaultError> {
        let stored = self.stored(kind::DELETED_VAULT, name)?;
        let waiting = stored.filter(|(stored, _)| stored.deletion.is_some_and(|deletion| !deletion.is_over(now)));
        waiting.ok_or_else(|| VaultError::DeletedVaultNotFound(name.clone()))
    }

    fn every(&self, kind: u8) -> Result<Vec<(StoredVault, Revision)>, VaultError> {
        let rows = self.storage().scan(&[kind], None, usize::MAX)?;
        rows.iter().map(|(key, row)| Ok((self.open_row(key, row)?, row.revision))).collect()
    }

    fn put(&self, batch: &mut Batch, kind: u8, name: &VaultName, stored: &StoredVault) -> Result<(), VaultError> {
        let key = self.row_key(kind, name);
        let sealed = self.system.sealed_record(&key, "a vault", stored)?;
        batch.put(key, sealed);
        Ok(())
    }

    /// The caller holds `changing`, so a conflict means that the storage was changed behind our back.
    fn commit(&self, batch: Batch) -> Result<Revision, VaultError> {
        self.storage().commit(batch).map_err(|error| match error {
            CommitError::Conflict => VaultError::Busy,
            CommitError::Storage(error) => error.into(),
        })
    }

    fn rewrite(&self, id: [u8; 16], record: VaultRecord, revision: Revision) -> Result<VaultRecord, VaultError> {
        let mut batch = Batch::default();
        batch.expect(self.row_key(kind::VAULT, &record.name), Expected::Revision(revision));
        self.put(&mut batch, kind::VAULT, &record.name, &StoredVault::of(id, &record, None))?;
        self.commit(batch)?;
        if let Some(inner) = self.opened.read().unwrap_or_else(PoisonError::into_inner).get(&record.name.canonical()) {
            inner.set_state(VaultState::new(record.clone(), &self.assignments()));
        }
        Ok(record)
    }

    /// Takes a deleted vault and its data key away. Its rows cannot be opened from then on; [`sweep`](Self::sweep)
    /// removes them.
    fn destroy(&self, name: &VaultName, stored: &StoredVault, revision: Revision) -> Result<(), VaultError> {
        let mut batch = Batch::default();
        let row = self.row_key(kind::DELETED_VAULT, name);
        batch.expect(row.clone(), Expected::Revision(revision));
        batch.delete(row);
        for kind in [kind::DATA_KEY, kind::KEY_USES] {
            batch.delete(prefixed(kind, &stored.id));
        }
        batch.put(prefixed(kind::PURGED_VAULT, &stored.id), Vec::new());
        self.commit(batch).map(|_| ())
    }

    fn sweep(&self, id: &[u8; 16]) -> Result<(), VaultError> {
        let of_objects = [Secrets::ROWS, Keys::ROWS, Certificates::ROWS].into_iter().flat_map(Rows::every);
        for kind in of_objects.chain([kind::ISSUER, kind::ISSUER_KEY, kind::CONTACTS]) {
            loop {
                let rows = self.storage().scan(&prefixed(kind, id), None, STEP)?;
                if rows.is_empty() {
                    break;
                }
                let deletes = rows.into_iter().map(|(key, _)| key).collect();
                self.commit(Batch { deletes, ..Batch::default() })?;
            }
        }
        self.commit(Batch { deletes: vec![prefixed(kind::PURGED_VAULT, id)], ..Batch::default() }).map(|_| ())
    }
}

/// The common beginning of a vault's rows of one kind.
pub(crate) fn prefixed(kind: u8, id: &[u8; 16]) -> Vec<u8> {
    let mut key = Vec::with_capacity(49);
    key.push(kind);
    key.extend_from_slice(id);
    key
}
