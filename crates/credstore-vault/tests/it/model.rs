//! Random sequences of operations against a model that fits on a page.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use credstore_protocol::key_vault::SecretProperties;
use credstore_protocol::{SecretVersion, Timestamp};
use credstore_vault::access::PermissionSet;
use credstore_vault::vaults::{Vault, VaultSpec};
use credstore_vault::{Secrets, VaultError};
use proptest::prelude::*;

use crate::world::{DAY, NOW, World, enabled, name, policy, set, vault_name};

const NAMES: [&str; 3] = ["alpha", "Beta", "gamma"];
const RETENTION: i64 = 90 * DAY;

#[derive(Clone, Debug)]
enum Step {
    Set { at: usize, value: u16, enabled: bool },
    Get { at: usize, older: bool },
    Update { at: usize, older: bool, enabled: bool },
    Delete { at: usize },
    Recover { at: usize },
    Purge { at: usize },
    BackupPurgeRestore { at: usize },
    Wait { seconds: i64 },
    PurgeExpired,
}

#[derive(Clone, Debug)]
struct Version {
    version: SecretVersion,
    value: String,
    enabled: bool,
    created: i64,
    updated: i64,
}

#[derive(Clone, Debug, Default)]
struct Modelled {
    versions: Vec<Version>,
    deleted: Option<i64>,
}

fn step() -> impl Strategy<Value = Step> {
    let at = 0..NAMES.len();
    prop_oneof![
        6 => (at.clone(), any::<u16>(), any::<bool>()).prop_map(|(at, value, enabled)| Step::Set { at, value, enabled }),
        6 => (at.clone(), any::<bool>()).prop_map(|(at, older)| Step::Get { at, older }),
        3 => (at.clone(), any::<bool>(), any::<bool>()).prop_map(|(at, older, enabled)| Step::Update { at, older, enabled }),
        3 => at.clone().prop_map(|at| Step::Delete { at }),
        2 => at.clone().prop_map(|at| Step::Recover { at }),
        1 => at.clone().prop_map(|at| Step::Purge { at }),
        1 => at.prop_map(|at| Step::BackupPurgeRestore { at }),
        2 => prop_oneof![Just(0), Just(1), Just(RETENTION), -RETENTION..RETENTION].prop_map(|seconds| Step::Wait { seconds }),
        1 => Just(Step::PurgeExpired),
    ]
}

/// A short value or one that is too long for the first row of its secret.
fn text_of(value: u16) -> String {
    value.to_string().repeat(if value.is_multiple_of(2) { 1 } else { 600 })
}

/// What a step may answer, without values and times.
#[derive(Debug, PartialEq)]
enum Answer {
    Done,
    NotFound,
    Disabled,
    Recoverable,
}

fn answer<T>(result: Result<T, VaultError>) -> Answer {
    match result {
        Ok(_) => Answer::Done,
        Err(VaultError::ObjectNotFound { .. } | VaultError::DeletedObjectNotFound { .. }) => Answer::NotFound,
        Err(VaultError::SecretDisabled(_)) => Answer::Disabled,
        Err(VaultError::DeletedButRecoverable { .. }) => Answer::Recoverable,
        Err(other) => panic!("{other:?}"),
    }
}

struct Run {
    world: &'static World,
    vault: Vault,
    model: BTreeMap<usize, Modelled>,
    now: i64,
}

impl Run {
    /// A new vault in one installation, whose keys take long to make.
    fn new() -> Self {
        static WORLD: OnceLock<World> = OnceLock::new();
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let world = WORLD.get_or_init(World::new);
        let at = vault_name(&format!("kv-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
        let policies = vec![policy(&world.operator(), PermissionSet::all())];
        let spec = VaultSpec { access_policies: Some(policies), ..VaultSpec::default() };
        let vaults = world.installation.vaults();
        vaults.create_or_update(&world.operator(), &at, spec, NOW).unwrap();
        Self { world, vault: vaults.open(&at).unwrap(), model: BTreeMap::new(), now: NOW.0 }
    }

    fn forget_expired(&mut self) {
        let now = self.now;
        self.model.retain(|_, secret| secret.deleted.is_none_or(|at| now < at + RETENTION));
    }

    fn live(&mut self, at: usize) -> Option<&mut Modelled> {
        self.model.get_mut(&at).filter(|secret| secret.deleted.is_none())
    }

    fn take(&mut self, step: &Step) {
        let operator = self.world.operator();
        let (vault, now) = (self.vault.clone(), Timestamp(self.now));
        match *step {
            Step::Set { at, value, enabled: on } => {
                let mut request = set(&text_of(value));
                request.attributes = enabled(on);
                let result = vault.set_secret(&operator, &name(NAMES[at]), request, now);
                if self.model.get(&at).is_some_and(|secret| secret.deleted.is_some()) {
                    assert_eq!(answer(result), Answer::Recoverable);
                    return;
                }
                let made = result.unwrap().record;
                let (value, created) = (text_of(value), self.now);
                let version = Version { version: made.version, value, enabled: on, created, updated: created };
                self.model.entry(at).or_default().versions.push(version);
            }
            Step::Get { at, older } => {
                let expected = self.live(at).map(|secret| secret.versions.clone());
                let chosen =
                    expected.as_ref().map(|versions| if older { &versions[0] } else { &versions[versions.len() - 1] });
                let version = chosen.filter(|_| older).map(|chosen| chosen.version);
                let result = vault.secret(&operator, &name(NAMES[at]), version.as_ref(), now);
                match chosen {
                    None => assert_eq!(answer(result), Answer::NotFound),
                    Some(chosen) if !chosen.enabled => assert_eq!(answer(result), Answer::Disabled),
                    Some(chosen) => {
                        let got = result.unwrap();
                        assert_eq!(got.value.expose_secret(), chosen.value);
                        assert_eq!((got.record.version, got.record.updated.0), (chosen.version, chosen.updated));
                    }
                }
            }
            Step::Update { at, older, enabled: on } => {
                let now_seconds = self.now;
                let chosen = self.live(at).map(|secret| {
                    let last = secret.versions.len() - 1;
                    &mut secret.versions[if older { 0 } else { last }]
                });
                let version = chosen.as_ref().filter(|_| older).map(|chosen| chosen.version);
                let update = SecretProperties { attributes: enabled(on), ..SecretProperties::default() };
                let result = vault.update::<Secrets>(&operator, &name(NAMES[at]), version.as_ref(), update, now);
                match chosen {
                    None => assert_eq!(answer(result), Answer::NotFound),
                    Some(chosen) => {
                        chosen.enabled = on;
                        chosen.updated = now_seconds.max(chosen.updated + 1);
                        assert_eq!(result.unwrap().updated.0, chosen.updated);
                    }
                }
            }
            Step::Delete { at } => {
                let result = answer(vault.delete::<Secrets>(&operator, &name(NAMES[at]), now));
                let now = self.now;
                match self.live(at) {
                    Some(secret) => {
                        let created = secret.versions.last().map_or(now, |current| current.created);
                        secret.deleted = Some(now.max(created));
                    }
                    None => return assert_eq!(result, Answer::NotFound),
                }
                assert_eq!(result, Answer::Done);
            }
            Step::Recover { at } => {
                let result = answer(vault.recover::<Secrets>(&operator, &name(NAMES[at]), now));
                match self.model.get_mut(&at).and_then(|secret| secret.deleted.take()) {
                    Some(_) => assert_eq!(result, Answer::Done),
                    None => assert_eq!(result, Answer::NotFound),
                }
            }
            Step::Purge { at } => {
                let result = answer(vault.purge::<Secrets>(&operator, &name(NAMES[at]), now));
                let deleted = self.model.get(&at).is_some_and(|secret| secret.deleted.is_some());
                assert_eq!(result, if deleted { Answer::Done } else { Answer::NotFound });
                if deleted {
                    self.model.remove(&at);
                }
            }
            Step::BackupPurgeRestore { at } => {
                if self.live(at).is_some() {
                    let name = name(NAMES[at]);
                    let backup = vault.backup::<Secrets>(&operator, &name).unwrap();
                    vault.delete::<Secrets>(&operator, &name, now).unwrap();
                    vault.purge::<Secrets>(&operator, &name, now).unwrap();
                    vault.restore::<Secrets>(&operator, &backup, now).unwrap();
                }
            }
            Step::Wait { seconds } => {
                self.now += seconds;
                self.forget_expired();
                // What has expired is purged for good, even if the clock is set back afterwards.
                self.world.installation.vaults().purge_expired(Timestamp(self.now)).unwrap();
            }
            Step::PurgeExpired => {
                assert_eq!(self.world.installation.vaults().purge_expired(now), Ok(0), "waiting has purged already");
            }
        }
    }

    fn compare(&self) {
        let operator = self.world.operator();
        let vault = &self.vault;
        let (live, _) = vault.list::<Secrets>(&operator, None, 25).unwrap();
        let (deleted, _) = vault.list_deleted::<Secrets>(&operator, None, 25, Timestamp(self.now)).unwrap();
        let of = |gone: bool| self.model.iter().filter(|(_, secret)| secret.deleted.is_some() == gone).count();
        assert_eq!((live.len(), deleted.len()), (of(false), of(true)));
        for secret in live {
            let at = NAMES.iter().position(|name| secret.name == crate::world::name(name)).unwrap();
            let modelled = &self.model[&at];
            let current = modelled.versions.last().unwrap();
            assert_eq!((secret.version, secret.enabled), (current.version, current.enabled));
            let (versions, _) = vault.versions::<Secrets>(&operator, &secret.name, None, 1000).unwrap();
            assert_eq!(versions.len(), modelled.versions.len());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_vault_does_what_the_model_does(steps in proptest::collection::vec(step(), 1..60)) {
        let mut run = Run::new();
        for step in &steps {
            run.take(step);
            run.compare();
        }
        let (vaults, operator) = (run.world.installation.vaults(), run.world.operator());
        vaults.delete(&operator, &run.vault.name(), NOW).unwrap();
        vaults.purge(&operator, &run.vault.name(), NOW).unwrap();
    }
}
