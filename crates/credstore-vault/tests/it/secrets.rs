//! Contract sections 6 and 7, operation by operation.

use std::collections::HashSet;

use credstore_protocol::key_vault::{SecretAttributes, SecretProperties, Tags};
use credstore_protocol::{SecretVersion, Timestamp};
use credstore_vault::access::ObjectKind;
use credstore_vault::vaults::VaultSpec;
use credstore_vault::{Retention, Secrets, VaultError};

use crate::world::{DAY, NOW, World, enabled, later, name, set, vault_name};

fn tags(pairs: &[(&str, &str)]) -> Option<Tags> {
    Some(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

#[test]
fn a_new_secret_has_the_defaults_of_the_contract() {
    let world = World::new();
    let set = world.vault.set_secret(&world.operator(), &name("db"), set("s3cret"), NOW).unwrap();
    assert_eq!(set.value.expose_secret(), "s3cret");
    let made = set.record;
    assert!(made.enabled);
    assert_eq!((made.created, made.updated), (NOW, NOW));
    assert_eq!((made.nbf, made.exp, made.content.content_type, made.tags), (None, None, None, None));
    assert_eq!(made.retention, Retention { level: "Recoverable+Purgeable", days: 90 });
    assert_eq!(world.get("db", NOW), Ok("s3cret".to_owned()));
}

#[test]
fn an_empty_value_is_a_value() {
    let world = World::new();
    world.set("empty", "", NOW);
    assert_eq!(world.get("empty", NOW), Ok(String::new()));
}

#[test]
fn names_are_one_name_in_every_case_and_keep_the_case_of_creation() {
    let world = World::new();
    world.set("SmtpRelay", "one", NOW);
    let second = world.set("smtprelay", "two", NOW);
    assert_eq!(second.name.as_str(), "SmtpRelay");
    assert_eq!(world.get("SMTPRELAY", NOW), Ok("two".to_owned()));
}

#[test]
fn the_newest_version_is_current_even_when_it_is_disabled() {
    let world = World::new();
    let operator = world.operator();
    let first = world.set("db", "one", NOW);
    let mut disabled = set("two");
    disabled.attributes = enabled(false);
    let second = world.vault.set_secret(&operator, &name("db"), disabled, NOW).unwrap().record;
    assert_ne!(first.version, second.version);
    assert_eq!(world.get("db", NOW), Err(VaultError::SecretDisabled(name("db"))));
    let old = world.vault.secret(&operator, &name("db"), Some(&first.version), NOW).unwrap();
    assert_eq!(old.value.expose_secret(), "one");
    let by_version = world.vault.secret(&operator, &name("db"), Some(&second.version), NOW);
    assert_eq!(by_version.map(|_| ()), Err(VaultError::SecretDisabled(name("db"))));
}

#[test]
fn a_version_carries_nothing_over_from_the_one_before() {
    let world = World::new();
    let operator = world.operator();
    let mut first = set("one");
    first.content_type = Some("text/plain".to_owned());
    first.tags = tags(&[("a", "b")]);
    first.attributes = Some(SecretAttributes { exp: Some(Timestamp(9)), ..SecretAttributes::default() });
    world.vault.set_secret(&operator, &name("db"), first, NOW).unwrap();
    let second = world.set("db", "two", NOW);
    assert_eq!((second.content.content_type, second.tags, second.exp), (None, None, None));
}

#[test]
fn start_and_end_do_not_hinder_a_get() {
    let world = World::new();
    let mut past = set("value");
    let window = SecretAttributes { nbf: Some(later(100)), exp: Some(later(-100)), ..SecretAttributes::default() };
    past.attributes = Some(window);
    world.vault.set_secret(&world.operator(), &name("db"), past, NOW).unwrap();
    assert_eq!(world.get("db", NOW), Ok("value".to_owned()));
}

#[test]
fn an_update_changes_what_it_names_and_moves_the_time() {
    let world = World::new();
    let operator = world.operator();
    let mut first = set("one");
    first.tags = tags(&[("a", "1"), ("b", "2")]);
    first.content_type = Some("text/plain".to_owned());
    let made = world.vault.set_secret(&operator, &name("db"), first, NOW).unwrap().record;
    let update = SecretProperties { tags: tags(&[("c", "3")]), ..SecretProperties::default() };
    // Three changes in the second of creation, and one after the clock was set back.
    for (step, now) in [(1, NOW), (2, NOW), (3, NOW), (4, later(-1000))] {
        let changed = world.vault.update::<Secrets>(&operator, &name("db"), None, update.clone(), now).unwrap();
        assert_eq!(changed.updated, later(step));
        assert_eq!((changed.created, changed.version), (NOW, made.version));
        assert_eq!(changed.tags, tags(&[("c", "3")]), "tags replace the whole map");
        assert_eq!(changed.content.content_type.as_deref(), Some("text/plain"), "what is not named stays");
    }
    assert_eq!(world.get("db", NOW), Ok("one".to_owned()));
}

#[test]
fn an_older_version_is_updated_without_touching_the_current_one() {
    let world = World::new();
    let operator = world.operator();
    let first = world.set("db", "one", NOW);
    let second = world.set("db", "two", NOW);
    let update = SecretProperties { attributes: enabled(false), ..SecretProperties::default() };
    let changed =
        world.vault.update::<Secrets>(&operator, &name("db"), Some(&first.version), update, later(5)).unwrap();
    assert_eq!((changed.version, changed.enabled, changed.updated), (first.version, false, later(5)));
    assert_eq!(world.get("db", NOW), Ok("two".to_owned()));
    let current = world.vault.secret(&operator, &name("db"), Some(&second.version), NOW).unwrap();
    assert_eq!(current.record.updated, NOW);
}

#[test]
fn what_is_not_there_is_not_found() {
    let world = World::new();
    let operator = world.operator();
    world.set("db", "one", NOW);
    let version = SecretVersion::from_bytes([1; 16]);
    let missing = |at: &str, version| VaultError::ObjectNotFound { kind: ObjectKind::Secrets, name: name(at), version };
    let update = SecretProperties::default;
    let vault = &world.vault;
    assert_eq!(world.get("other", NOW), Err(missing("other", None)));
    let get = vault.secret(&operator, &name("db"), Some(&version), NOW).map(|_| ());
    assert_eq!(get, Err(missing("db", Some(version))));
    let patch = vault.update::<Secrets>(&operator, &name("other"), None, update(), NOW).map(|_| ());
    assert_eq!(patch, Err(missing("other", None)));
    let patch = vault.update::<Secrets>(&operator, &name("db"), Some(&version), update(), NOW).map(|_| ());
    assert_eq!(patch, Err(missing("db", Some(version))));
    assert_eq!(vault.delete::<Secrets>(&operator, &name("other"), NOW).map(|_| ()), Err(missing("other", None)));
    assert_eq!(vault.backup::<Secrets>(&operator, &name("other")), Err(missing("other", None)));
    let deleted = VaultError::DeletedObjectNotFound { kind: ObjectKind::Secrets, name: name("db") };
    assert_eq!(vault.deleted::<Secrets>(&operator, &name("db"), NOW).map(|_| ()), Err(deleted.clone()));
    assert_eq!(vault.recover::<Secrets>(&operator, &name("db"), NOW).map(|_| ()), Err(deleted.clone()));
    assert_eq!(vault.purge::<Secrets>(&operator, &name("db"), NOW), Err(deleted));
    assert!(vault.versions::<Secrets>(&operator, &name("other"), None, 25).unwrap().0.is_empty());
}

#[test]
fn a_deleted_secret_keeps_its_name_until_it_is_recovered_or_purged() {
    let world = World::new();
    let operator = world.operator();
    let vault = &world.vault;
    let made = world.set("db", "one", NOW);
    let deleted = vault.delete::<Secrets>(&operator, &name("db"), later(100)).unwrap();
    assert_eq!(deleted.deleted, later(100));
    assert_eq!(deleted.scheduled_purge, later(100 + 7_776_000), "90 days, contract section 7");
    assert_eq!((deleted.object.version, deleted.object.created, deleted.object.updated), (made.version, NOW, NOW));
    assert!(world.get("db", NOW).is_err());
    let again = vault.set_secret(&operator, &name("DB"), set("two"), NOW).map(|_| ());
    assert_eq!(again, Err(VaultError::DeletedButRecoverable { kind: ObjectKind::Secrets, name: name("db") }));
    assert!(vault.list::<Secrets>(&operator, None, 25).unwrap().0.is_empty());
    assert_eq!(vault.list_deleted::<Secrets>(&operator, None, 25, NOW).unwrap().0.len(), 1);
    let back = vault.recover::<Secrets>(&operator, &name("db"), NOW).unwrap();
    assert_eq!((back.version, back.created, back.updated), (made.version, NOW, NOW));
    assert_eq!(world.get("db", NOW), Ok("one".to_owned()));
    vault.delete::<Secrets>(&operator, &name("db"), NOW).unwrap();
    vault.purge::<Secrets>(&operator, &name("db"), NOW).unwrap();
    assert!(vault.deleted::<Secrets>(&operator, &name("db"), NOW).is_err());
    world.set("db", "new", NOW);
    assert_eq!(vault.versions::<Secrets>(&operator, &name("db"), None, 25).unwrap().0.len(), 1);
}

#[test]
fn a_secret_is_gone_from_its_scheduled_date_on() {
    let world = World::new();
    let operator = world.operator();
    world.set("db", "one", NOW);
    world.set("db", "two", NOW);
    world.vault.delete::<Secrets>(&operator, &name("db"), NOW).unwrap();
    let (last, over) = (later(90 * DAY - 1), later(90 * DAY));
    assert!(world.vault.deleted::<Secrets>(&operator, &name("db"), last).is_ok());
    assert_eq!(world.installation.vaults().purge_expired(last), Ok(0));
    assert!(world.vault.deleted::<Secrets>(&operator, &name("db"), over).is_err());
    assert!(world.vault.recover::<Secrets>(&operator, &name("db"), over).is_err());
    assert!(world.vault.list_deleted::<Secrets>(&operator, None, 25, over).unwrap().0.is_empty());
    world.set("db", "three", over);
    let versions = world.vault.versions::<Secrets>(&operator, &name("db"), None, 25).unwrap().0;
    assert_eq!(versions.len(), 1, "nothing of the purged secret is left");
    world.vault.delete::<Secrets>(&operator, &name("db"), over).unwrap();
    let rows = world.storage.scan(&[], None, usize::MAX).unwrap().len();
    assert_eq!(world.installation.vaults().purge_expired(Timestamp(over.0 + 90 * DAY)), Ok(1));
    assert_eq!(world.storage.scan(&[], None, usize::MAX).unwrap().len(), rows - 1, "the row with the value");
}

#[test]
fn purge_protection_forbids_to_purge_early_and_keeps_nothing_longer() {
    let spec = VaultSpec { purge_protection: Some(true), retention_days: Some(7), ..VaultSpec::default() };
    let world = World::over(std::sync::Arc::new(credstore_vault::storage::MemoryStorage::new()), spec);
    let operator = world.operator();
    let made = world.set("db", "one", NOW);
    assert_eq!(made.retention, Retention { level: "CustomizedRecoverable", days: 7 });
    world.vault.delete::<Secrets>(&operator, &name("db"), NOW).unwrap();
    let refused = world.vault.purge::<Secrets>(&operator, &name("db"), later(7 * DAY - 1));
    assert_eq!(refused, Err(VaultError::PurgeProtected));
    assert_eq!(world.installation.vaults().purge_expired(later(7 * DAY)), Ok(1));
}

#[test]
fn pages_show_every_secret_once() {
    let world = World::new();
    let operator = world.operator();
    for n in 0..53 {
        world.set(&format!("s-{n}"), "x", NOW);
    }
    for limit in [1, 7, 25, 53, 54] {
        let (mut seen, mut after, mut pages) = (HashSet::new(), None, 0);
        loop {
            let (secrets, next) = world.vault.list::<Secrets>(&operator, after.as_ref(), limit).unwrap();
            assert!(secrets.len() <= limit);
            pages += 1;
            for secret in secrets {
                assert!(seen.insert(secret.name.as_str().to_owned()), "twice in pages of {limit}");
            }
            match next {
                Some(token) => after = Some(token.to_string().parse().unwrap()),
                None => break,
            }
        }
        assert_eq!((seen.len(), pages), (53, 53_usize.div_ceil(limit)));
    }
}

#[test]
fn pages_show_every_version_once() {
    let world = World::new();
    let operator = world.operator();
    let made: HashSet<_> = (0..12).map(|n| world.set("db", &n.to_string(), NOW).version).collect();
    for limit in [1, 2, 5, 11, 12, 13] {
        let (mut seen, mut after) = (HashSet::new(), None);
        loop {
            let (versions, next) =
                world.vault.versions::<Secrets>(&operator, &name("db"), after.as_ref(), limit).unwrap();
            assert!(versions.len() <= limit);
            for version in versions {
                assert!(seen.insert(version.version), "twice in pages of {limit}");
            }
            match next {
                Some(token) => after = Some(token),
                None => break,
            }
        }
        assert_eq!(seen, made, "pages of {limit}");
    }
}

#[test]
fn a_backup_brings_back_every_version_in_another_vault_of_the_installation() {
    let world = World::new();
    let operator = world.operator();
    let versions: Vec<_> = (0..5).map(|n| world.set("Db", &format!("value {n}"), later(n)).version).collect();
    let update = SecretProperties { tags: tags(&[("k", "v")]), ..SecretProperties::default() };
    world.vault.update::<Secrets>(&operator, &name("db"), Some(&versions[1]), update, later(50)).unwrap();
    let backup = world.vault.backup::<Secrets>(&operator, &name("db")).unwrap();
    let live = world.vault.restore::<Secrets>(&operator, &backup, NOW).map(|_| ());
    assert_eq!(
        live,
        Err(VaultError::RestoreConflict { kind: ObjectKind::Secrets, name: name("Db"), version: versions[4] })
    );
    world.vault.delete::<Secrets>(&operator, &name("db"), NOW).unwrap();
    let deleted = world.vault.restore::<Secrets>(&operator, &backup, NOW).map(|_| ());
    assert_eq!(deleted, Err(VaultError::DeletedButRecoverable { kind: ObjectKind::Secrets, name: name("db") }));

    let vaults = world.installation.vaults();
    let record = vaults.record(&operator, &vault_name("acme-kv")).unwrap();
    let spec = VaultSpec { access_policies: Some(record.access_policies), ..VaultSpec::default() };
    vaults.create_or_update(&operator, &vault_name("other-kv"), spec, NOW).unwrap();
    let other = vaults.open(&vault_name("other-kv")).unwrap();
    let restored = other.restore::<Secrets>(&operator, &backup, later(1000)).unwrap();
    assert_eq!((restored.name.as_str(), restored.version, restored.created), ("Db", versions[4], later(4)));
    for (n, version) in versions.iter().enumerate() {
        let secret = other.secret(&operator, &name("db"), Some(version), NOW).unwrap();
        assert_eq!(secret.value.expose_secret(), format!("value {n}"));
        assert_eq!(secret.record.tags.is_some(), n == 1);
    }
    let newer = other.set_secret(&operator, &name("db"), set("newer"), later(-5)).unwrap().record;
    assert_eq!(other.secret(&operator, &name("db"), None, NOW).unwrap().record.version, newer.version);
}

#[test]
fn a_backup_holds_500_versions_and_not_one_more() {
    let world = World::new();
    let operator = world.operator();
    for _ in 0..500 {
        world.set("db", "x", NOW);
    }
    assert!(world.vault.backup::<Secrets>(&operator, &name("db")).is_ok());
    world.set("db", "x", NOW);
    let refused = world.vault.backup::<Secrets>(&operator, &name("db"));
    assert!(matches!(refused, Err(VaultError::BadParameter { .. })));
}

#[test]
fn a_backup_that_is_changed_cut_or_foreign_is_malformed() {
    let world = World::new();
    let operator = world.operator();
    world.set("db", "s3cret", NOW);
    let backup = world.vault.backup::<Secrets>(&operator, &name("db")).unwrap();
    world.vault.delete::<Secrets>(&operator, &name("db"), NOW).unwrap();
    world.vault.purge::<Secrets>(&operator, &name("db"), NOW).unwrap();
    let restore = |text: &str| world.vault.restore::<Secrets>(&operator, text, NOW).map(|_| ());
    for at in 0..backup.len() {
        let mut changed = backup.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert_eq!(restore(&changed), Err(VaultError::MalformedBackup), "character {at}");
        assert_eq!(restore(&backup[..at]), Err(VaultError::MalformedBackup), "cut at {at}");
    }
    let foreign = World::new();
    foreign.set("db", "s3cret", NOW);
    let foreign = foreign.vault.backup::<Secrets>(&foreign.operator(), &name("db")).unwrap();
    assert_eq!(restore(&foreign), Err(VaultError::MalformedBackup));
    assert_eq!(restore("not base64 !"), Err(VaultError::MalformedBackup));
    assert_eq!(restore(&backup), Ok(()));
}

#[test]
fn sixteen_writers_of_one_name_make_sixteen_ordered_versions() {
    let world = World::new();
    let operator = world.operator();
    let versions: HashSet<_> = std::thread::scope(|scope| {
        let write = |n: usize| world.vault.set_secret(&operator, &name("db"), set(&n.to_string()), NOW).unwrap();
        let writers: Vec<_> = (0..16).map(|n| scope.spawn(move || write(n).record.version)).collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    assert_eq!(versions.len(), 16);
    let listed = world.vault.versions::<Secrets>(&operator, &name("db"), None, 25).unwrap().0;
    assert_eq!(listed.into_iter().map(|version| version.version).collect::<HashSet<_>>(), versions);
    let last = world.set("db", "last", NOW);
    assert_eq!(world.vault.secret(&operator, &name("db"), None, NOW).unwrap().record.version, last.version);
}

#[test]
fn the_last_read_is_known_at_once_and_after_a_flush() {
    let world = World::new();
    let operator = world.operator();
    world.set("db", "x", NOW);
    assert_eq!(world.vault.last_read(&operator, &name("db")), None);
    world.get("db", later(70)).unwrap();
    assert_eq!(world.vault.last_read(&operator, &name("db")), Some(later(70)));
    world.installation.flush_usage();
    let again = credstore_vault::Installation::over(std::sync::Arc::clone(&world.storage), &world.root_key, NOW);
    let again = again.unwrap();
    let vault = again.vaults().open(&vault_name("acme-kv")).unwrap();
    let listed = vault.list::<Secrets>(&operator, None, 25).unwrap().0;
    assert_eq!(listed[0].last_read, Some(later(70)));
    assert_eq!(listed[0].updated, NOW, "a read is no change");
}

#[test]
fn a_clock_that_jumps_moves_every_change_and_purges_nothing_early() {
    let world = World::new();
    let (operator, db) = (world.operator(), name("db"));
    let mut last = world.set("db", "x", NOW).updated;
    for jump in [0, -1, -DAY, -20_000 * DAY, 5, 400 * DAY, 0, -400 * DAY] {
        let update = SecretProperties { attributes: enabled(true), ..SecretProperties::default() };
        let updated = world.vault.update::<Secrets>(&operator, &db, None, update, later(jump)).unwrap().updated;
        assert!(updated > last, "{jump}: {updated:?} after {last:?}");
        last = updated;
    }
    // The clock stands at the beginning of its days when the secret is deleted, and is mended afterwards.
    let deleted = world.vault.delete::<Secrets>(&operator, &db, Timestamp(0)).unwrap();
    assert_eq!((deleted.deleted, deleted.scheduled_purge), (NOW, later(90 * DAY)));
    let vaults = world.installation.vaults();
    for now in [NOW, Timestamp(0), later(DAY), later(90 * DAY - 1), Timestamp(0)] {
        assert_eq!(vaults.purge_expired(now), Ok(0), "{now:?}");
        assert!(world.vault.deleted::<Secrets>(&operator, &db, now).is_ok(), "{now:?}");
    }
    assert_eq!(vaults.purge_expired(deleted.scheduled_purge), Ok(1));
    assert!(
        world.vault.deleted::<Secrets>(&operator, &db, NOW).is_err(),
        "what is purged does not come back with the clock"
    );
}
