//! One suite for every storage engine, and what only the file engine has.

use std::collections::BTreeMap;
use std::sync::Arc;

use credstore_testing::failing_storage::{FailingStorage, Fault};
use credstore_vault::storage::sqlite::file_header;
use credstore_vault::storage::{Batch, CommitError, Expected, MemoryStorage, SqliteStorage, Storage};
use proptest::prelude::*;

use crate::folder::Folder;

/// A storage and what must outlive it.
struct Made {
    storage: Arc<dyn Storage>,
    _folder: Option<Folder>,
}

fn memory() -> Made {
    Made { storage: Arc::new(MemoryStorage::new()), _folder: None }
}

fn sqlite() -> Made {
    let folder = Folder::new();
    let path = folder.path().join("store.db");
    SqliteStorage::create(&path, 1, Vec::new()).unwrap();
    Made { storage: Arc::new(SqliteStorage::open(&path).unwrap()), _folder: Some(folder) }
}

fn wrapped() -> Made {
    Made { storage: Arc::new(FailingStorage::around(memory().storage, Fault::Before)), _folder: None }
}

/// Runs a law on every engine.
fn every(law: impl Fn(&dyn Storage)) {
    for make in [memory, sqlite, wrapped] {
        let made = make();
        law(&*made.storage);
    }
}

fn put(key: &[u8], value: &[u8]) -> Batch {
    Batch { puts: vec![(key.to_vec(), value.to_vec())], ..Batch::default() }
}

fn value(storage: &dyn Storage, key: &[u8]) -> Option<Vec<u8>> {
    storage.get(key).unwrap().map(|row| row.value.to_vec())
}

#[test]
fn what_was_put_is_there_until_it_is_deleted() {
    every(|storage| {
        assert_eq!(storage.get(b"a").unwrap(), None);
        let first = storage.commit(put(b"a", b"1")).unwrap();
        assert_eq!(storage.get(b"a").unwrap().unwrap().revision, first);
        assert_eq!(value(storage, b"a"), Some(b"1".to_vec()));
        let second = storage.commit(put(b"a", b"")).unwrap();
        assert!(second > first);
        assert_eq!(value(storage, b"a"), Some(Vec::new()));
        storage.commit(Batch { deletes: vec![b"a".to_vec(), b"b".to_vec()], ..Batch::default() }).unwrap();
        assert_eq!(storage.get(b"a").unwrap(), None);
    });
}

#[test]
fn commits_may_be_awaited_together_or_given_up_and_are_written_all_the_same() {
    every(|storage| {
        let awaited: Vec<_> = (0..100_u8).map(|n| storage.submit(put(&[1, n], b"awaited"))).collect();
        drop(storage.submit(put(b"given up", b"written")));
        let revisions: Vec<_> = awaited.into_iter().map(|commit| commit.wait().unwrap()).collect();
        assert!(revisions.is_sorted_by(|one, next| one < next), "{revisions:?}");
        // A later commit is answered after every earlier one.
        storage.commit(put(b"last", b"")).unwrap();
        assert_eq!(value(storage, b"given up"), Some(b"written".to_vec()));
        assert_eq!(storage.scan(&[1], None, 200).unwrap().len(), 100);
        let mut twice = put(b"last", b"again");
        twice.expect(b"last".to_vec(), Expected::Absent);
        assert!(matches!(storage.submit(twice).wait(), Err(CommitError::Conflict)));
    });
}

#[test]
fn a_batch_whose_precondition_does_not_hold_leaves_no_trace() {
    every(|storage| {
        let revision = storage.commit(put(b"a", b"1")).unwrap();
        let refused = [
            (b"a".to_vec(), Expected::Absent),
            (b"b".to_vec(), Expected::Present),
            (b"a".to_vec(), Expected::Revision(revision + 1)),
            (b"b".to_vec(), Expected::Revision(revision)),
        ];
        for precondition in refused {
            let mut batch = put(b"c", b"x");
            batch.preconditions = vec![(b"a".to_vec(), Expected::Present), precondition];
            batch.delete(b"a".to_vec());
            assert_eq!(storage.commit(batch), Err(CommitError::Conflict));
            assert_eq!(value(storage, b"a"), Some(b"1".to_vec()));
            assert_eq!(value(storage, b"c"), None);
        }
        let mut batch = put(b"a", b"2");
        batch.preconditions = vec![(b"a".to_vec(), Expected::Revision(revision)), (b"b".to_vec(), Expected::Absent)];
        storage.commit(batch).unwrap();
        assert_eq!(value(storage, b"a"), Some(b"2".to_vec()));
    });
}

#[test]
fn a_key_deleted_and_put_again_has_a_revision_of_its_own() {
    every(|storage| {
        let first = storage.commit(put(b"a", b"1")).unwrap();
        storage.commit(Batch { deletes: vec![b"a".to_vec()], ..Batch::default() }).unwrap();
        let second = storage.commit(put(b"a", b"1")).unwrap();
        assert!(second > first);
    });
}

#[test]
fn a_scan_gives_the_keys_of_its_prefix_in_order_and_in_pages() {
    every(|storage| {
        let keys: [&[u8]; 7] = [b"a", b"b", b"b\x00", b"b\xff", b"b\xff\xff", b"ba", b"c"];
        for key in keys {
            storage.commit(put(key, key)).unwrap();
        }
        let keys_of = |prefix: &[u8], after: Option<&[u8]>, limit| -> Vec<Vec<u8>> {
            storage.scan(prefix, after, limit).unwrap().into_iter().map(|(key, _)| key).collect()
        };
        let all: [&[u8]; 5] = [b"b", b"b\x00", b"ba", b"b\xff", b"b\xff\xff"];
        assert_eq!(keys_of(b"b", None, 10), all);
        assert_eq!(keys_of(b"b", None, 2), all[..2]);
        assert_eq!(keys_of(b"b", Some(b"b\x00"), 2), all[2..4]);
        assert_eq!(keys_of(b"b", Some(b"b\xff\xff"), 2), Vec::<Vec<u8>>::new());
        assert_eq!(keys_of(b"b", Some(b"a"), 1), all[..1], "a position before the prefix is its beginning");
        assert_eq!(keys_of(b"b\xff", None, 9), all[3..]);
        assert_eq!(keys_of(b"", None, 99).len(), keys.len());
        assert_eq!(keys_of(b"b", None, 0).len(), 0);
    });
}

#[test]
fn of_many_writers_who_expect_the_same_row_one_wins() {
    every(|storage| {
        let revision = storage.commit(put(b"a", b"0")).unwrap();
        let won: usize = std::thread::scope(|scope| {
            let write = |n: u8| {
                let mut batch = put(b"a", &[n]);
                batch.expect(b"a".to_vec(), Expected::Revision(revision));
                usize::from(storage.commit(batch).is_ok())
            };
            let writers: Vec<_> = (0..16).map(|n| scope.spawn(move || write(n))).collect();
            writers.into_iter().map(|writer| writer.join().unwrap()).sum()
        });
        assert_eq!(won, 1);
    });
}

#[test]
fn a_reader_never_sees_an_older_row_after_a_newer_one() {
    every(|storage| {
        storage.commit(put(b"a", &0_u32.to_be_bytes())).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let mut last = 0;
                    // A fixed number of reads, so that a failing writer ends the test and does not hang it.
                    for _ in 0..5000 {
                        let row = storage.get(b"a").unwrap().unwrap();
                        let seen = u32::from_be_bytes(row.value[..].try_into().unwrap());
                        assert!(seen >= last, "{seen} after {last}");
                        last = seen;
                    }
                });
            }
            for n in 1..=200_u32 {
                storage.commit(put(b"a", &n.to_be_bytes())).unwrap();
                assert_eq!(value(storage, b"a"), Some(n.to_be_bytes().to_vec()));
            }
        });
    });
}

#[test]
fn what_was_committed_is_there_when_the_file_is_opened_again() {
    let folder = Folder::new();
    let path = folder.path().join("store.db");
    SqliteStorage::create(&path, 7, vec![(b"a".to_vec(), b"1".to_vec())]).unwrap();
    let header = file_header(std::fs::File::open(&path).unwrap()).unwrap().unwrap();
    assert_eq!((header.application_id, header.format), (0x6372_6564, 7));
    let last = {
        let storage = SqliteStorage::open(&path).unwrap();
        assert_eq!(value(&storage, b"a"), Some(b"1".to_vec()));
        storage.commit(put(b"b", &[9; 30_000])).unwrap()
    };
    assert!(!path.with_file_name("store.db-wal").exists(), "a clean end leaves no log");
    let storage = SqliteStorage::open(&path).unwrap();
    assert_eq!(value(&storage, b"b"), Some(vec![9; 30_000]));
    assert!(storage.commit(put(b"c", b"")).unwrap() > last);
    storage.check_structure().unwrap();
    assert!(SqliteStorage::create(&path, 1, Vec::new()).is_err(), "an existing file is never overwritten");
}

#[test]
fn a_text_file_is_no_store() {
    let folder = Folder::new();
    let path = folder.path().join("store.db");
    std::fs::write(&path, "x".repeat(200)).unwrap();
    assert_eq!(file_header(std::fs::File::open(&path).unwrap()).unwrap(), None);
    assert!(SqliteStorage::open(&path).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn the_file_engine_does_what_the_model_does(
        steps in proptest::collection::vec(
            (0_u8..12, any::<bool>(), proptest::option::of(0_u8..12), proptest::collection::vec(any::<u8>(), 0..40)),
            1..60,
        ),
    ) {
        let (made, model) = (sqlite(), MemoryStorage::new());
        let mut last_seen = BTreeMap::new();
        for (key, delete, expect, content) in steps {
            let key = vec![b'k', key];
            let mut batch = Batch::default();
            if delete { batch.delete(key.clone()) } else { batch.put(key.clone(), content) }
            let mut modelled = batch.clone();
            if let Some(other) = expect {
                let other = vec![b'k', other];
                // What was seen of it last, which may be out of date. Each engine counts for itself.
                let (ours, theirs) = match last_seen.get(&other) {
                    Some(Some((ours, theirs))) => (Expected::Revision(*ours), Expected::Revision(*theirs)),
                    Some(None) | None => (Expected::Absent, Expected::Absent),
                };
                batch.expect(other.clone(), ours);
                modelled.expect(other, theirs);
            }
            prop_assert_eq!(made.storage.commit(batch).is_ok(), model.commit(modelled).is_ok());
            let (ours, theirs) = (made.storage.get(&key).unwrap(), model.get(&key).unwrap());
            prop_assert_eq!(ours.as_ref().map(|row| &row.value), theirs.as_ref().map(|row| &row.value));
            last_seen.insert(key, ours.zip(theirs).map(|(ours, theirs)| (ours.revision, theirs.revision)));
        }
        let of = |storage: &dyn Storage| -> Vec<_> {
            storage.scan(b"k", None, 99).unwrap().into_iter().map(|(key, row)| (key, row.value)).collect()
        };
        prop_assert_eq!(of(&*made.storage), of(&model));
    }
}
