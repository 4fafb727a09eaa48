//! First rows of secrets as they were when they were last opened: a get opens one only when it was written since.

use std::sync::Arc;

use quick_cache::sync::Cache;

use super::Secrets;
use crate::error::VaultError;
use crate::objects::{Head, ObjectType, Slot};
use crate::storage::Revision;

/// Most heads that are kept opened, over all vaults. Ours: half a megabyte; the rows themselves have a cache of their own.
const HEADS_KEPT: usize = 2048;

/// They hold names and properties, never a value, and one is used only for the row it was opened from.
pub(crate) struct Heads(Cache<OwnerAndTag, Kept>);

type OwnerAndTag = ([u8; 16], [u8; 16]);
type Kept = (Arc<Head<Secrets>>, Revision);

impl Default for Heads {
    fn default() -> Self {
        Self(Cache::new(HEADS_KEPT))
    }
}

impl Heads {
    /// The head of the row that `revision` wrote, opened by `open` unless it is kept.
    fn opened(
        &self,
        place: OwnerAndTag,
        revision: Revision,
        open: impl FnOnce() -> Result<Head<Secrets>, VaultError>,
    ) -> Result<Arc<Head<Secrets>>, VaultError> {
        if let Some((head, _)) = self.0.get(&place).filter(|(_, opened_from)| *opened_from == revision) {
            return Ok(head);
        }
        let head = Arc::new(open()?);
        self.0.insert(place, (Arc::clone(&head), revision));
        Ok(head)
    }
}

impl Slot<'_, Secrets> {
    /// The first row of the live secret as a get needs it: opened once for each time it was written.
    pub(super) fn kept(&self) -> Result<Option<Kept>, VaultError> {
        let Some(row) = self.vault.key.storage().get(&self.live_key())? else { return Ok(None) };
        let place = (*self.vault.key.owner(), self.tag);
        let head = self.vault.heads.opened(place, row.revision, || self.open_head(Secrets::ROWS.live, &row))?;
        Ok(Some((head, row.revision)))
    }
}

#[cfg(test)]
mod tests {
    use credstore_protocol::Timestamp;

    use super::*;
    use crate::error::StoreFailure;
    use crate::objects::Properties;
    use crate::secrets::SecretContent;

    fn head(name: &str) -> Head<Secrets> {
        let current = Properties::new([7; 16], SecretContent { content_type: None }, Timestamp(1));
        Head::new(&name.parse().unwrap(), current)
    }

    #[test]
    fn a_head_is_kept_for_the_row_that_it_was_opened_from_and_no_other() {
        let (heads, place, other) = (Heads::default(), ([1; 16], [2; 16]), ([1; 16], [3; 16]));
        let kept =
            |place, revision| heads.opened(place, revision, || panic!("it is opened again")).unwrap().name.clone();
        let opened = |place, revision, name| heads.opened(place, revision, || Ok(head(name))).unwrap().name.clone();
        assert_eq!(opened(place, 5, "first"), "first");
        assert_eq!(kept(place, 5), "first");
        assert_eq!(opened(place, 6, "written-again"), "written-again");
        assert_eq!(kept(place, 6), "written-again");
        // A reader with an older row, overtaken by a writer.
        assert_eq!(opened(place, 5, "first"), "first");
        assert_eq!(opened(other, 5, "another-secret"), "another-secret");
        let damaged = heads.opened(place, 9, || Err(StoreFailure::damaged("a row").into()));
        assert!(matches!(damaged, Err(VaultError::Store(_))));
        assert_eq!(opened(place, 9, "mended"), "mended", "a failure is not kept");
    }
}
