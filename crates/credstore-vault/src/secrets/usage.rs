//! When a value was last given out: collected in memory, written now and then.
//!
//! A crash loses the times since the last flush. They inform people who clean up; nothing decides by them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use credstore_protocol::{SecretName, Timestamp};

use super::Secrets;
use crate::access::{Caller, ObjectKind, ObjectOperation, Operation};
use crate::error::VaultError;
use crate::objects::Slot;
use crate::storage::{Expected, STEP};
use crate::vaults::Vault;

/// Most names remembered between two flushes of one vault. Ours: 8 MiB at the worst; later names are not noted.
const NAMES_MAX: usize = 1 << 17;
const SHARDS: usize = 16;

type Tag = [u8; 16];

/// Last-read times of one vault that are not written yet, by tag of the name.
#[derive(Default)]
pub(crate) struct Usage([Mutex<HashMap<Tag, Timestamp>>; SHARDS]);

impl Usage {
    fn shard(&self, tag: &Tag) -> std::sync::MutexGuard<'_, HashMap<Tag, Timestamp>> {
        // Tags are the output of a MAC, so any of their bits spread well.
        self.0[usize::from(tag[0]) % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note(&self, tag: &Tag, now: Timestamp) {
        let mut shard = self.shard(tag);
        let full = shard.len() >= NAMES_MAX / SHARDS;
        match shard.get_mut(tag) {
            Some(last) => *last = now.max(*last),
            None if full => {}
            None => {
                shard.insert(*tag, now);
            }
        }
    }

    pub(crate) fn last(&self, tag: &Tag) -> Option<Timestamp> {
        self.shard(tag).get(tag).copied()
    }

    fn noted(&self) -> Vec<(Tag, Timestamp)> {
        let shards = self.0.iter();
        shards
            .flat_map(|shard| {
                let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
                shard.iter().map(|(tag, at)| (*tag, *at)).collect::<Vec<_>>()
            })
            .collect()
    }

    /// Forgets a time that is written, unless a newer one came.
    fn written(&self, tag: &Tag, at: Timestamp) {
        let mut shard = self.shard(tag);
        if shard.get(tag) == Some(&at) {
            shard.remove(tag);
        }
    }
}

impl Vault {
    /// When the value of `name` was last given out, as far as is known. Permission: `secrets list`, as for the
    /// other things that a list shows; `None` without it.
    pub fn last_read(&self, caller: &Caller, name: &SecretName) -> Option<Timestamp> {
        self.allow(caller, Operation::Object(ObjectKind::Secrets, ObjectOperation::List)).ok()?;
        let slot = Slot::<Secrets>::of(&self.inner, name);
        let (head, _) = slot.live().ok()??;
        self.inner.usage.last(&slot.tag).max(head.last_read)
    }

    /// Writes the collected times. A name that is written to at the same moment keeps its time for the next flush.
    pub(crate) fn flush_usage(&self) {
        for group in self.inner.usage.noted().chunks(STEP) {
            if let Err(error) = self.flush_group(group) {
                tracing::warn!(%error, "last-read times were not written");
                return;
            }
        }
    }

    fn flush_group(&self, group: &[(Tag, Timestamp)]) -> Result<(), VaultError> {
        let any = Slot::<Secrets>::of_tag(&self.inner, [0; 16]);
        let mut batch = any.batch();
        for (tag, at) in group {
            let slot = Slot::<Secrets>::of_tag(&self.inner, *tag);
            if let Some((mut head, revision)) = slot.live()? {
                head.last_read = head.last_read.max(Some(*at));
                batch.expect(slot.live_key(), Expected::Revision(revision));
                slot.put_live(&mut batch, &head)?;
            }
        }
        if any.commit(batch)? {
            group.iter().for_each(|(tag, at)| self.inner.usage.written(tag, *at));
        }
        Ok(())
    }
}
