//! The key and the secret that go with a certificate: what is written to them with it.
//!
//! One that is not where its leader is was moved by a write that came in between, which the batch is then refused for.

use super::{Head, ObjectType, Properties, Slot, Whole};
use crate::error::VaultError;
use crate::storage::{Batch, Expected};

impl<K: ObjectType> Slot<'_, K> {
    /// Adds `write` of what is live to the batch.
    pub(super) fn with_live(
        &self,
        batch: &mut Batch,
        write: impl FnOnce(&mut Batch, Whole<K>) -> Result<Head<K>, VaultError>,
    ) -> Result<(), VaultError> {
        match self.live()? {
            Some(whole) => write(batch, whole).map(drop),
            None => {
                batch.expect(self.live_key(), Expected::Present);
                Ok(())
            }
        }
    }

    /// Adds `write` of what is deleted to the batch.
    pub(super) fn with_deleted(
        &self,
        batch: &mut Batch,
        write: impl FnOnce(&mut Batch, Whole<K>) -> Result<Head<K>, VaultError>,
    ) -> Result<(), VaultError> {
        match self.deleted()? {
            Some(whole) => write(batch, whole).map(drop),
            None => {
                batch.expect(self.deleted_key(), Expected::Present);
                Ok(())
            }
        }
    }

    /// Gives the version that goes with `leader` the same state and tags.
    pub(super) fn follow<L: ObjectType>(&self, batch: &mut Batch, leader: &Properties<L>) -> Result<(), VaultError> {
        let follow = |properties: &mut Properties<K>| {
            properties.enabled = leader.enabled;
            properties.tags.clone_from(&leader.tags);
            properties.updated = leader.updated;
        };
        let Some((mut head, revision)) = self.live()? else {
            batch.expect(self.live_key(), Expected::Present);
            return Ok(());
        };
        if head.current.version == leader.version {
            follow(&mut head.current);
            batch.expect(self.live_key(), Expected::Revision(revision));
            return self.put_live(batch, &head);
        }
        match self.older(&leader.version)? {
            Some((mut properties, revision)) => {
                follow(&mut properties);
                batch.expect(self.version_key(&leader.version), Expected::Revision(revision));
                self.put_older(batch, &properties)
            }
            None => {
                batch.expect(self.version_key(&leader.version), Expected::Present);
                Ok(())
            }
        }
    }
}
