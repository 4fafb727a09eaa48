//! A secret that is set without looking whether its name is free: the batch finds out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use credstore_protocol::Timestamp;
use credstore_vault::access::ObjectKind;
use credstore_vault::storage::{Batch, CommitError, MemoryStorage, Revision, Row, Rows, Storage, StorageError};
use credstore_vault::vaults::VaultSpec;
use credstore_vault::{Secrets, VaultError};

use crate::world::{DAY, NOW, World, later, name, set};

/// A storage with nothing at hand that counts what it is asked for.
#[derive(Default)]
struct Distant {
    rows: MemoryStorage,
    reads: AtomicU64,
}

impl Storage for Distant {
    fn get(&self, key: &[u8]) -> Result<Option<Row>, StorageError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.rows.get(key)
    }

    fn at_hand(&self, _key: &[u8]) -> Option<Row> {
        None
    }

    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Rows, StorageError> {
        self.rows.scan(prefix, after, limit)
    }

    fn commit(&self, batch: Batch) -> Result<Revision, CommitError> {
        self.rows.commit(batch)
    }

    fn read_only(&self) -> Option<String> {
        None
    }
}

fn world() -> (World, Arc<Distant>) {
    let storage = Arc::new(Distant::default());
    (World::over(Arc::clone(&storage) as Arc<dyn Storage>, VaultSpec::default()), storage)
}

#[test]
fn a_new_secret_is_written_without_a_read() {
    let (world, storage) = world();
    world.set("first", "one", NOW);
    let before = storage.reads.load(Ordering::SeqCst);
    world.set("db", "one", NOW);
    assert_eq!(storage.reads.load(Ordering::SeqCst), before);
    assert_eq!(world.get("db", NOW), Ok("one".to_owned()));
}

#[test]
fn a_name_that_is_taken_gets_another_version() {
    let (world, _) = world();
    for value in ["one", "two", "three"] {
        world.set("db", value, NOW);
        assert_eq!(world.get("db", NOW), Ok(value.to_owned()));
    }
    let versions = world.vault.versions::<Secrets>(&world.operator(), &name("db"), None, 25).unwrap().0;
    assert_eq!(versions.len(), 3);
}

#[test]
fn a_name_that_a_deleted_secret_holds_is_refused_until_its_date() {
    let (world, _) = world();
    world.set("db", "one", NOW);
    world.vault.delete::<Secrets>(&world.operator(), &name("db"), NOW).unwrap();
    let set_at = |now: Timestamp| world.vault.set_secret(&world.operator(), &name("db"), set("two"), now).map(|_| ());
    let held = VaultError::DeletedButRecoverable { kind: ObjectKind::Secrets, name: name("db") };
    assert_eq!(set_at(NOW), Err(held.clone()));
    assert_eq!(set_at(later(90 * DAY - 1)), Err(held));
    assert_eq!(set_at(later(90 * DAY)), Ok(()));
    assert_eq!(world.get("db", later(90 * DAY)), Ok("two".to_owned()));
    let versions = world.vault.versions::<Secrets>(&world.operator(), &name("db"), None, 25).unwrap().0;
    assert_eq!(versions.len(), 1, "nothing of the deleted one is left");
}
