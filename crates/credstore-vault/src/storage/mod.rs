//! Rows by key on a disk: get, scan, and batches that are written whole or not at all.
//!
//! A storage sees keys without names and values that are sealed; it does not interpret either. Every row has
//! a revision, and a batch may demand that rows are as they were when they were read. A commit returns when
//! the batch is durable. Engines: [`sqlite`] for a data folder, [`memory`] for tests and embedders. Both pass
//! one suite (`tests/it/storage.rs`).

pub mod memory;
pub mod sqlite;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_channel::oneshot;

pub use memory::MemoryStorage;
pub use sqlite::SqliteStorage;

pub use crate::error::{CommitError, StorageError};

/// Longest key in bytes. Ours: the longest key of the vault has 49.
pub const KEY_MAX: usize = 64;

/// Grows with every batch. No two batches of one storage have the same.
pub type Revision = i64;

/// A value and the batch that wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The batch that wrote it.
    pub revision: Revision,
    /// Sealed bytes.
    pub value: Arc<[u8]>,
}

/// What must hold for a key, or the whole batch is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// There is no row.
    Absent,
    /// There is a row.
    Present,
    /// There is a row, written by this batch.
    Revision(Revision),
}

impl Expected {
    /// Whether a row with `revision`, or none, is as expected.
    pub fn holds(self, revision: Option<Revision>) -> bool {
        match self {
            Self::Absent => revision.is_none(),
            Self::Present => revision.is_some(),
            Self::Revision(expected) => revision == Some(expected),
        }
    }
}

/// What to write in one step. Deletes come before puts.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Checked before anything is written, against the rows as they are then.
    pub preconditions: Vec<(Vec<u8>, Expected)>,
    /// Rows that are to be gone. Those that are not there already do not matter.
    pub deletes: Vec<Vec<u8>>,
    /// Rows that are to be there.
    pub puts: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Batch {
    /// Adds a precondition.
    pub fn expect(&mut self, key: Vec<u8>, expected: Expected) {
        self.preconditions.push((key, expected));
    }

    /// Adds a row to write.
    pub fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.puts.push((key, value));
    }

    /// Adds a row to delete.
    pub fn delete(&mut self, key: Vec<u8>) {
        self.deletes.push(key);
    }
}

/// Keys and rows in the order of the keys.
pub type Rows = Vec<(Vec<u8>, Row)>;

/// A batch on its way to the disk: await it, or [`wait`](Self::wait). Given up, it is written all the same.
#[derive(Debug)]
pub struct PendingCommit(oneshot::Receiver<Result<Revision, CommitError>>);

/// The other end of a [`PendingCommit`].
type Answer = oneshot::Sender<Result<Revision, CommitError>>;

impl PendingCommit {
    /// A commit and where its outcome is told. An answer that is dropped says that the writer has stopped.
    fn with_answer() -> (Answer, Self) {
        let (answer, outcome) = oneshot::channel();
        (answer, Self(outcome))
    }

    /// Holds the thread until the outcome is known.
    ///
    /// # Errors
    /// As [`Storage::commit`].
    pub fn wait(self) -> Result<Revision, CommitError> {
        pollster::block_on(self)
    }
}

impl From<Result<Revision, CommitError>> for PendingCommit {
    fn from(outcome: Result<Revision, CommitError>) -> Self {
        let (answer, pending) = Self::with_answer();
        // The receiver is in the next line.
        let _ = answer.send(outcome);
        pending
    }
}

impl Future for PendingCommit {
    type Output = Result<Revision, CommitError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let stopped = || StorageError::ReadOnly("the writer has stopped".to_owned());
        Pin::new(&mut self.0).poll(context).map(|told| told.unwrap_or_else(|_| Err(CommitError::Storage(stopped()))))
    }
}

/// A place for rows. Reads never wait for a commit's sync.
pub trait Storage: Send + Sync {
    /// The row of `key`.
    ///
    /// # Errors
    /// When the storage cannot be read.
    fn get(&self, key: &[u8]) -> Result<Option<Row>, StorageError>;

    /// The row of `key` when it is at hand without asking a disk. `None` does not say that there is none.
    fn at_hand(&self, _key: &[u8]) -> Option<Row> {
        None
    }

    /// At most `limit` rows whose keys begin with `prefix` and come after `after`, in the order of the keys.
    ///
    /// # Errors
    /// When the storage cannot be read.
    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Rows, StorageError>;

    /// Writes the batch, whole or not at all, and returns when it is durable. Waits; other batches may share the sync.
    ///
    /// # Errors
    /// [`CommitError::Conflict`] when a precondition does not hold. After [`StorageError::Io`] of a commit it is not
    /// known whether the batch is there; the storage takes no more writes until it is opened again.
    fn commit(&self, batch: Batch) -> Result<Revision, CommitError>;

    /// As [`commit`](Self::commit), without holding a thread until the batch is durable.
    fn submit(&self, batch: Batch) -> PendingCommit {
        self.commit(batch).into()
    }

    /// Why writes are refused, when they are.
    fn read_only(&self) -> Option<String>;
}

/// Rows read or deleted in one step of long work. Ours: keeps one transaction short.
pub(crate) const STEP: usize = 256;

/// Every row whose key begins with `prefix`, read in steps: rows that come meanwhile may be among them or not.
pub(crate) fn rows_in_steps(
    storage: &dyn Storage,
    prefix: Vec<u8>,
) -> impl Iterator<Item = Result<(Vec<u8>, Row), StorageError>> {
    let (mut step, mut after) = (Rows::new().into_iter(), None::<Vec<u8>>);
    std::iter::from_fn(move || {
        if step.len() == 0 {
            match storage.scan(&prefix, after.as_deref(), STEP) {
                Ok(rows) => step = rows.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
        let (key, row) = step.next()?;
        after = Some(key.clone());
        Some(Ok((key, row)))
    })
}

/// The first key after every key that begins with `prefix`; `None` when there is no such key.
pub(crate) fn end_of_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_comes_once_however_many_steps_it_takes() {
        let storage = MemoryStorage::new();
        for count in [0, 1, STEP, STEP + 1, 2 * STEP + 3] {
            let prefix = u8::try_from(count % 251).unwrap();
            let mut batch = Batch::default();
            for at in 0..count {
                batch.put([&[prefix][..], &(at as u64).to_be_bytes()].concat(), Vec::new());
            }
            storage.commit(batch).unwrap();
            let keys: Vec<_> = rows_in_steps(&storage, vec![prefix]).map(|row| row.unwrap().0).collect();
            assert_eq!(keys.len(), count);
            assert!(keys.is_sorted_by(|one, other| one < other));
        }
    }

    #[test]
    fn the_end_of_a_prefix_is_the_next_key_that_does_not_begin_with_it() {
        assert_eq!(end_of_prefix(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(end_of_prefix(&[1, 255, 255]), Some(vec![2]));
        assert_eq!(end_of_prefix(&[255]), None);
        assert_eq!(end_of_prefix(b""), None);
    }

    #[test]
    fn an_expectation_holds_for_exactly_what_it_says() {
        let cases = [
            (Expected::Absent, None, true),
            (Expected::Absent, Some(1), false),
            (Expected::Present, None, false),
            (Expected::Present, Some(1), true),
            (Expected::Revision(1), Some(1), true),
            (Expected::Revision(1), Some(2), false),
            (Expected::Revision(1), None, false),
        ];
        for (expected, revision, holds) in cases {
            assert_eq!(expected.holds(revision), holds, "{expected:?} {revision:?}");
        }
    }
}
