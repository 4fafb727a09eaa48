//! A storage that fails when it is told to, around one that does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use credstore_vault::storage::{Batch, CommitError, Revision, Row, Rows, Storage, StorageError};

/// What happens to the commits that are to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Refused for lack of space; nothing is written.
    Full,
    /// Another write is said to have come first; nothing is written.
    Conflict,
    /// Fails before anything is written.
    Before,
    /// Written, and then reported as failed, as a sync that fails late.
    After,
}

/// A storage around another one. Commits are counted from 1; those from `from` to `until` fail.
pub struct FailingStorage {
    inner: Arc<dyn Storage>,
    fault: Fault,
    from: AtomicU64,
    until: AtomicU64,
    commits: AtomicU64,
}

impl FailingStorage {
    /// A storage that does not fail yet.
    pub fn around(inner: Arc<dyn Storage>, fault: Fault) -> Self {
        let never = || AtomicU64::new(u64::MAX);
        Self { inner, fault, from: never(), until: never(), commits: AtomicU64::new(0) }
    }

    /// Lets the next `count` commits fail.
    pub fn fail_next(&self, count: u64) {
        let next = self.commits.load(Ordering::SeqCst) + 1;
        self.until.store(next.saturating_add(count), Ordering::SeqCst);
        self.from.store(next, Ordering::SeqCst);
    }

    /// How many commits were asked for.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::SeqCst)
    }
}

impl Storage for FailingStorage {
    fn get(&self, key: &[u8]) -> Result<Option<Row>, StorageError> {
        self.inner.get(key)
    }

    fn at_hand(&self, key: &[u8]) -> Option<Row> {
        self.inner.at_hand(key)
    }

    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Rows, StorageError> {
        self.inner.scan(prefix, after, limit)
    }

    fn commit(&self, batch: Batch) -> Result<Revision, CommitError> {
        let number = self.commits.fetch_add(1, Ordering::SeqCst) + 1;
        let fails = (self.from.load(Ordering::SeqCst)..self.until.load(Ordering::SeqCst)).contains(&number);
        if !fails {
            return self.inner.commit(batch);
        }
        let failed = || CommitError::Storage(StorageError::Io("injected".to_owned()));
        match self.fault {
            Fault::Full => Err(CommitError::Storage(StorageError::Full)),
            Fault::Conflict => Err(CommitError::Conflict),
            Fault::Before => Err(failed()),
            Fault::After => self.inner.commit(batch).and(Err(failed())),
        }
    }

    fn read_only(&self) -> Option<String> {
        self.inner.read_only()
    }
}
