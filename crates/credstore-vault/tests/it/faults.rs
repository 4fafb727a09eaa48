//! What a failing storage does to the vault, and what it must not do.

use std::sync::Arc;

use credstore_testing::failing_storage::{FailingStorage, Fault};
use credstore_vault::storage::{MemoryStorage, Storage, StorageError};
use credstore_vault::vaults::VaultSpec;
use credstore_vault::{Installation, OpenError, Secrets, StoreFailure, VaultError};

use crate::world::{NOW, World, name, set};

fn world(fault: Fault) -> (World, Arc<FailingStorage>) {
    let failing = Arc::new(FailingStorage::around(Arc::new(MemoryStorage::new()), fault));
    let storage: Arc<dyn Storage> = Arc::clone(&failing) as _;
    (World::over(storage, VaultSpec::default()), failing)
}

#[test]
fn a_write_that_failed_is_reported_and_changes_nothing() {
    for fault in [Fault::Full, Fault::Before] {
        let (world, failing) = world(fault);
        world.set("db", "one", NOW);
        failing.fail_next(1);
        let failed = world.vault.set_secret(&world.operator(), &name("db"), set("two"), NOW).map(|_| ());
        assert!(matches!(failed, Err(VaultError::Store(StoreFailure::Storage(_)))), "{fault:?}: {failed:?}");
        assert_eq!(world.get("db", NOW), Ok("one".to_owned()));
        world.set("db", "three", NOW);
        assert_eq!(world.get("db", NOW), Ok("three".to_owned()));
    }
}

#[test]
fn a_full_disk_is_told_apart() {
    let (world, failing) = world(Fault::Full);
    failing.fail_next(1);
    let failed = world.vault.set_secret(&world.operator(), &name("db"), set("x"), NOW).map(|_| ());
    assert_eq!(failed, Err(VaultError::Store(StoreFailure::Storage(StorageError::Full))));
}

#[test]
fn a_write_that_is_there_although_it_failed_is_whole() {
    let (world, failing) = world(Fault::After);
    world.set("db", "one", NOW);
    failing.fail_next(1);
    assert!(world.vault.set_secret(&world.operator(), &name("db"), set("two"), NOW).is_err());
    assert_eq!(world.get("db", NOW), Ok("two".to_owned()));
    let versions = world.vault.versions::<Secrets>(&world.operator(), &name("db"), None, 25).unwrap().0;
    assert_eq!(versions.len(), 2);
}

#[test]
fn a_conflict_is_tried_again_and_not_for_ever() {
    let (world, failing) = world(Fault::Conflict);
    world.set("db", "zero", NOW);
    failing.fail_next(5);
    world.set("db", "one", NOW);
    assert_eq!(world.get("db", NOW), Ok("one".to_owned()));
    failing.fail_next(u64::MAX);
    let never = world.vault.set_secret(&world.operator(), &name("db"), set("two"), NOW).map(|_| ());
    assert_eq!(never, Err(VaultError::Busy));
    assert_eq!(world.get("db", NOW), Ok("one".to_owned()));
}

#[test]
fn an_installation_whose_first_write_fails_is_not_there() {
    let inner: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let failing = Arc::new(FailingStorage::around(Arc::clone(&inner), Fault::Before));
    failing.fail_next(1);
    let storage: Arc<dyn Storage> = failing;
    let opened = Installation::over(storage, &credstore_vault::seal::RootKey::random(), NOW).map(|_| ());
    assert!(matches!(opened, Err(OpenError::Storage(_))));
    assert!(inner.scan(&[], None, 10).unwrap().is_empty());
}

#[test]
fn times_that_could_not_be_written_are_kept_for_the_next_flush() {
    let (world, failing) = world(Fault::Full);
    world.set("db", "x", NOW);
    world.get("db", NOW).unwrap();
    failing.fail_next(1);
    world.installation.flush_usage();
    assert_eq!(world.vault.last_read(&world.operator(), &name("db")), Some(NOW));
    let before = failing.commits();
    world.installation.flush_usage();
    assert_eq!(failing.commits(), before + 1);
    world.installation.flush_usage();
    let batch_of_nothing = failing.commits() - before - 1;
    assert_eq!(batch_of_nothing, 0, "what is written is not written again");
}
