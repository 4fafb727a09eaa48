//! New versions of keys: on request, and by a policy when its time has come.
//!
//! `Rotate` acts; `Notify` is kept and given back, and nobody is told: the vault has no event grid.
//! Source: Key Vault data plane, "Rotate Key", "Get" and "Update Key Rotation Policy"; contract section 9.

use credstore_protocol::key_vault::keys::{
    LifetimeAction, LifetimeActionType, LifetimeTrigger, RotationAction, RotationPolicy, RotationPolicyAttributes,
};
use credstore_protocol::{ObjectName, Timestamp};

use super::period::Period;
use super::{KeyContent, KeyMaterial, KeyRecord, KeyShape, KeyStanding, Keys};
use crate::access::{Caller, Operation};
use crate::error::VaultError;
use crate::objects::limits::bad;
use crate::objects::{ATTEMPTS, Head, NewVersion, ObjectType, Properties, Slot, moved, not_found};
use crate::random;
use crate::storage::{Expected, rows_in_steps};
use crate::vaults::{Vault, prefixed};

/// Shortest validity of a version. Source: Key Vault, "Configure key auto-rotation": 28 days.
const EXPIRY_DAYS_MIN: u32 = 28;
/// Shortest time from creation or to expiry that rotates. Source: as above: seven days.
const ROTATE_DAYS_MIN: u32 = 7;

/// What the policy of a key says that has none. Source: contract section 9.
fn default_policy() -> RotationPolicy {
    RotationPolicy { id: None, lifetime_actions: vec![notify()], attributes: RotationPolicyAttributes::default() }
}

fn notify() -> LifetimeAction {
    let trigger = LifetimeTrigger { time_after_create: None, time_before_expiry: Some("P30D".to_owned()) };
    LifetimeAction { trigger, action: LifetimeActionType { kind: RotationAction::Notify } }
}

fn period(member: &str, text: &str, days_min: u32) -> Result<Period, VaultError> {
    let period: Period = text.parse().map_err(|error| bad(format!("{member} is {error}, such as P90D.")))?;
    if period.is_shorter_than(days_min) {
        return Err(bad(format!("{member} must not be shorter than {days_min} days.")));
    }
    Ok(period)
}

/// A policy as a request has it, checked and completed.
fn checked(mut policy: RotationPolicy) -> Result<RotationPolicy, VaultError> {
    let expiry = policy.attributes.expiry_time.as_deref();
    let expiry = expiry.map(|text| period("attributes.expiryTime", text, EXPIRY_DAYS_MIN)).transpose()?;
    for kind in RotationAction::ALL {
        if policy.lifetime_actions.iter().filter(|action| action.action.kind == *kind).count() > 1 {
            return Err(bad(format!("There must not be more than one lifetime action of type {kind}.")));
        }
    }
    for action in &policy.lifetime_actions {
        let trigger = &action.trigger;
        match (action.action.kind, &trigger.time_after_create, &trigger.time_before_expiry) {
            (_, Some(_), Some(_)) | (_, None, None) => {
                return Err(bad("A trigger has either timeAfterCreate or timeBeforeExpiry.".to_owned()));
            }
            (RotationAction::Notify, Some(_), None) => {
                return Err(bad("The trigger of Notify is timeBeforeExpiry.".to_owned()));
            }
            (RotationAction::Rotate, Some(text), None) => {
                period("timeAfterCreate", text, ROTATE_DAYS_MIN)?;
            }
            (RotationAction::Rotate, None, Some(text)) => {
                let before = period("timeBeforeExpiry", text, ROTATE_DAYS_MIN)?;
                // A version that is due as soon as it is made would be rotated without end.
                if expiry.is_none_or(|expiry| expiry.is_shorter_than(before.days() + ROTATE_DAYS_MIN)) {
                    return Err(bad(format!(
                        "timeBeforeExpiry of Rotate must be at least {ROTATE_DAYS_MIN} days shorter than attributes.expiryTime."
                    )));
                }
            }
            (RotationAction::Notify, None, Some(text)) => {
                period("timeBeforeExpiry", text, 0)?;
            }
        }
    }
    if !policy.lifetime_actions.iter().any(|action| action.action.kind == RotationAction::Notify) {
        policy.lifetime_actions.push(notify());
    }
    Ok(policy)
}

/// When a version made now expires by the policy of its key.
pub(super) fn expiry(policy: Option<&RotationPolicy>, now: Timestamp) -> Option<Timestamp> {
    let period: Period = policy?.attributes.expiry_time.as_deref()?.parse().ok()?;
    Some(period.after(now))
}

/// Whether the policy of a key asks for a new version now.
fn is_due(head: &Head<Keys>, now: Timestamp) -> bool {
    let actions = head.standing.rotation_policy.iter().flat_map(|policy| &policy.lifetime_actions);
    let mut rotations = actions.filter(|action| action.action.kind == RotationAction::Rotate);
    head.current.enabled
        && rotations.any(|LifetimeAction { trigger, .. }| {
            let parsed = |text: &Option<String>| text.as_deref().and_then(|text| text.parse::<Period>().ok());
            let after_create = parsed(&trigger.time_after_create).map(|period| period.after(head.current.created));
            let before_expiry = || Some(parsed(&trigger.time_before_expiry)?.before(head.current.exp?));
            after_create.or_else(before_expiry).is_some_and(|due| now >= due)
        })
}

/// The key that follows, with the kind, operations, tags and state of the current one.
struct Successor {
    version: [u8; 16],
    sealed: Vec<u8>,
    content: KeyContent,
}

impl Successor {
    fn make(slot: &Slot<'_, Keys>, name: &ObjectName, head: &Head<Keys>) -> Result<Self, VaultError> {
        let version = random::bytes();
        let before = &head.current.content;
        let shape = KeyShape::of_public(&before.key).ok_or_else(|| slot.damaged("the public half"))?;
        let failed = |error| VaultError::Key { name: name.clone(), version: None, error };
        let key = KeyMaterial::generate(shape).map_err(failed)?;
        let sealed = slot.sealed_material(&version, &key.pkcs8().map_err(failed)?)?;
        let content = KeyContent { key: key.public().map_err(failed)?, key_ops: before.key_ops.clone() };
        Ok(Self { version, sealed, content })
    }

    fn properties(&self, head: &Head<Keys>, now: Timestamp) -> Properties<Keys> {
        let mut properties = Properties::new(self.version, self.content.clone(), now);
        properties.enabled = head.current.enabled;
        properties.tags.clone_from(&head.current.tags);
        properties.exp = expiry(head.standing.rotation_policy.as_ref(), now);
        properties
    }
}

impl Vault {
    /// Makes a new version of a key: another key of the same kind, with the same `key_ops` and tags, valid as long as the
    /// rotation policy says. Permission: `keys rotate`.
    ///
    /// # Errors
    /// [`VaultError::ObjectNotFound`], [`VaultError::Denied`].
    pub fn rotate_key(&self, caller: &Caller, name: &ObjectName, now: Timestamp) -> Result<KeyRecord, VaultError> {
        let operation = Operation::RotateKey;
        self.allow_on(caller, operation, Some(name.as_str()))?;
        let slot = Slot::<Keys>::of(&self.inner, name);
        let (head, _) = slot.live()?.ok_or_else(|| not_found::<Keys>(name, None))?;
        let successor = Successor::make(&slot, name, &head)?;
        let state = self.allow_on(caller, operation, Some(name.as_str()))?;
        let new = NewVersion {
            operation,
            name,
            sealed: successor.sealed.clone(),
            name_may_be_free: false,
            properties: &|live: Option<&Head<Keys>>| match live {
                Some(head) => Ok(successor.properties(head, now)),
                None => Err(not_found::<Keys>(name, None)),
            },
        };
        pollster::block_on(self.add_version(caller, state, new, now))
    }

    /// The rotation policy of a key. Permission: `keys getrotationpolicy`.
    ///
    /// # Errors
    /// [`VaultError::ObjectNotFound`], [`VaultError::Denied`].
    pub fn rotation_policy(&self, caller: &Caller, name: &ObjectName) -> Result<RotationPolicy, VaultError> {
        self.allow_on(caller, Operation::GetRotationPolicy, Some(name.as_str()))?;
        let live = Slot::<Keys>::of(&self.inner, name).live()?;
        let (head, _) = live.ok_or_else(|| not_found::<Keys>(name, None))?;
        Ok(head.standing.rotation_policy.unwrap_or_else(default_policy))
    }

    /// Sets the rotation policy of a key. What it says about expiry holds for versions made from now on. Permission:
    /// `keys setrotationpolicy`.
    ///
    /// # Errors
    /// [`VaultError::ObjectNotFound`], [`VaultError::BadParameter`], [`VaultError::Denied`].
    pub fn set_rotation_policy(
        &self,
        caller: &Caller,
        name: &ObjectName,
        policy: RotationPolicy,
        now: Timestamp,
    ) -> Result<RotationPolicy, VaultError> {
        let operation = Operation::SetRotationPolicy;
        self.allow_on(caller, operation, Some(name.as_str()))?;
        let mut policy = checked(policy)?;
        policy.id = None;
        let slot = Slot::<Keys>::of(&self.inner, name);
        for _ in 0..ATTEMPTS {
            let (mut head, revision) = slot.live()?.ok_or_else(|| not_found::<Keys>(name, None))?;
            head.require_own(operation)?;
            let before = head.standing.rotation_policy.as_ref().map(|policy| &policy.attributes);
            policy.attributes.created = before.and_then(|attributes| attributes.created).or(Some(now));
            policy.attributes.updated = match before.and_then(|attributes| attributes.updated) {
                Some(before) => Some(moved(before, now)),
                None => Some(now),
            };
            head.standing = KeyStanding { rotation_policy: Some(policy.clone()) };
            let mut batch = slot.batch();
            batch.expect(slot.live_key(), Expected::Revision(revision));
            slot.put_live(&mut batch, &head)?;
            if slot.commit(batch)? {
                return Ok(policy);
            }
            self.allow_on(caller, operation, Some(name.as_str()))?;
        }
        Err(VaultError::Busy)
    }

    /// Rotates every key whose policy says so. A key that somebody writes to at the same moment waits for the next time.
    pub(crate) fn rotate_due_keys(&self, now: Timestamp) -> Result<usize, VaultError> {
        let prefix = prefixed(Keys::ROWS.live, self.inner.key.owner());
        let mut rotated = 0;
        for found in rows_in_steps(self.inner.key.storage(), prefix) {
            let (key, row) = found?;
            let head = Slot::<Keys>::of_row(&self.inner, &key)?.open_head(Keys::ROWS.live, &row)?;
            if !is_due(&head, now) {
                continue;
            }
            match self.rotate_due_key(&head, now) {
                Ok(done) => rotated += usize::from(done),
                Err(error) => tracing::error!(%error, key = head.name, "a key was not rotated"),
            }
        }
        Ok(rotated)
    }

    fn rotate_due_key(&self, head: &Head<Keys>, now: Timestamp) -> Result<bool, VaultError> {
        let unnamed = || Slot::<Keys>::of_tag(&self.inner, [0; 16]).damaged("the name");
        let name: ObjectName = head.name.parse().map_err(|_| unnamed())?;
        let slot = Slot::<Keys>::of(&self.inner, &name);
        let successor = Successor::make(&slot, &name, head)?;
        let new = NewVersion {
            operation: Operation::RotateKey,
            name: &name,
            sealed: successor.sealed.clone(),
            name_may_be_free: false,
            properties: &|live: Option<&Head<Keys>>| match live.filter(|head| is_due(head, now)) {
                Some(head) => Ok(successor.properties(head, now)),
                None => Err(VaultError::Busy),
            },
        };
        match slot.with_version(&new, slot.live()?) {
            Ok((batch, _)) => slot.commit(batch),
            Err(VaultError::Busy) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
