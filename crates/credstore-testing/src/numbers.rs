//! Numbers in a data folder, for tests that kill a writer and look what is left.
//!
//! Number 17 is the secret `n-17`; its value holds the number and a checksum, so that a wrong value is noticed even
//! if it opens.

use std::path::{Path, PathBuf};

use credstore_protocol::key_vault::SetSecret;
use credstore_protocol::{Secret, SecretName, Timestamp, VaultName};
use credstore_vault::access::{AccessPolicy, Caller, PermissionSet};
use credstore_vault::vaults::VaultSpec;
use credstore_vault::{Installation, RootKeySource, Secrets, Vault, VaultError};

/// The clock of these tests stands still: what they check does not depend on it.
pub const NOW: Timestamp = Timestamp(1_800_000_000);

const PAGE: usize = 1000;

/// A data folder with a vault of numbers.
pub struct Numbers {
    installation: Installation,
    vault: Vault,
    caller: Caller,
}

/// What went wrong, for people.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// FNV-1a over the number's digits, 64 bits: enough to notice a mix-up.
fn checksum(number: u64) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    number.to_string().bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

fn value(number: u64) -> String {
    // Padding makes most values a few hundred bytes and some several pages, as passwords and certificates are.
    let padding = if number.is_multiple_of(64) { 9000 } else { 200 };
    format!("{number} {:016x} {}", checksum(number), "x".repeat(padding))
}

impl Numbers {
    /// Opens the folder, making it and the vault when they are not there. With `must_exist` nothing is made.
    ///
    /// # Errors
    /// When the folder does not open.
    pub fn open(folder: &Path, must_exist: bool) -> Result<Self, Failure> {
        let root_key = RootKeySource::File(folder.join("root.key"));
        let installation = match must_exist {
            true => Installation::open(folder, &root_key, NOW)?,
            false => Installation::open_or_create(folder, &root_key, NOW)?,
        };
        let caller = installation.operator_caller();
        let name: VaultName = "numbers".parse()?;
        let vault = match installation.vaults().open(&name) {
            Err(VaultError::VaultNotFound(_)) if !must_exist => {
                let policy = AccessPolicy {
                    tenant: caller.tenant.clone(),
                    object_id: caller.object_id.clone(),
                    application_id: None,
                    permissions: PermissionSet::all(),
                };
                let spec = VaultSpec { access_policies: Some(vec![policy]), ..VaultSpec::default() };
                installation.vaults().create_or_update(&caller, &name, spec, NOW)?;
                installation.vaults().open(&name)?
            }
            other => other?,
        };
        Ok(Self { installation, vault, caller })
    }

    /// Every number, in order, each opened and checked.
    ///
    /// # Errors
    /// When a value does not open or is not the number's.
    pub fn all(&self) -> Result<Vec<u64>, Failure> {
        let mut numbers = Vec::new();
        let mut after = None;
        loop {
            let (secrets, next) = self.vault.list::<Secrets>(&self.caller, after.as_ref(), PAGE)?;
            for secret in secrets {
                let number = secret.name.as_str().strip_prefix("n-").and_then(|digits| digits.parse().ok());
                let number: u64 = number.ok_or("a name that is no number")?;
                let secret = self.vault.secret(&self.caller, &secret.name, None, NOW)?;
                if secret.value.expose_secret() != value(number) {
                    return Err(format!("n-{number} has the value of something else").into());
                }
                numbers.push(number);
            }
            match next {
                Some(token) => after = Some(token),
                None => break,
            }
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Writes `number`; durable when it returns.
    ///
    /// # Errors
    /// When it is not durable.
    pub fn write(&self, number: u64) -> Result<(), Failure> {
        self.set(&format!("n-{number}"), value(number))
    }

    /// Sets any secret; durable when it returns. A folder with others than numbers cannot be read back with
    /// [`all`](Self::all).
    ///
    /// # Errors
    /// When it is not durable.
    pub fn set(&self, name: &str, value: String) -> Result<(), Failure> {
        let name: SecretName = name.parse()?;
        let set = SetSecret { value: Secret::from(value), content_type: None, attributes: None, tags: None };
        self.vault.set_secret(&self.caller, &name, set, NOW)?;
        Ok(())
    }

    /// The installation behind it.
    pub fn installation(&self) -> &Installation {
        &self.installation
    }
}

/// The folder of `--dir D`, the only option of the two programs.
///
/// # Errors
/// Anything else on the command line.
pub fn folder_argument(mut arguments: impl Iterator<Item = String>) -> Result<PathBuf, Failure> {
    match (arguments.next().as_deref(), arguments.next(), arguments.next()) {
        (Some("--dir"), Some(folder), None) => Ok(folder.into()),
        _ => Err("usage: --dir FOLDER".into()),
    }
}
