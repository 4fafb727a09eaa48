//! A storage without a disk, and the model that the other engines are compared with.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{PoisonError, RwLock};

use super::{Batch, CommitError, Revision, Row, Rows, Storage, StorageError, end_of_prefix};

/// Rows in memory. "Durable" means as long as the process.
#[derive(Default)]
pub struct MemoryStorage(RwLock<Content>);

#[derive(Default)]
struct Content {
    revision: Revision,
    rows: BTreeMap<Vec<u8>, Row>,
}

impl MemoryStorage {
    /// An empty storage.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Storage for MemoryStorage {
    fn get(&self, key: &[u8]) -> Result<Option<Row>, StorageError> {
        Ok(self.0.read().unwrap_or_else(PoisonError::into_inner).rows.get(key).cloned())
    }

    fn at_hand(&self, key: &[u8]) -> Option<Row> {
        self.get(key).ok().flatten()
    }

    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Rows, StorageError> {
        let content = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after.to_vec()),
            _ => Bound::Included(prefix.to_vec()),
        };
        let end = end_of_prefix(prefix);
        let rows = content.rows.range::<Vec<u8>, _>((from, Bound::Unbounded));
        let rows = rows.take_while(|(key, _)| end.as_ref().is_none_or(|end| *key < end)).take(limit);
        Ok(rows.map(|(key, row)| (key.clone(), row.clone())).collect())
    }

    fn commit(&self, batch: Batch) -> Result<Revision, CommitError> {
        let mut content = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let revision_of = |key: &Vec<u8>| content.rows.get(key).map(|row| row.revision);
        if !batch.preconditions.iter().all(|(key, expected)| expected.holds(revision_of(key))) {
            return Err(CommitError::Conflict);
        }
        content.revision += 1;
        let revision = content.revision;
        for key in &batch.deletes {
            content.rows.remove(key);
        }
        for (key, value) in batch.puts {
            content.rows.insert(key, Row { revision, value: value.into() });
        }
        Ok(revision)
    }

    fn read_only(&self) -> Option<String> {
        None
    }
}
