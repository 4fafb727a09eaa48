//! Server Settings: the credential store they configure, the references they hold, and what is wrong with them.
//!
//! Start at [`parse`]: it is pure and finds everything that the text alone can tell. What needs other files is in
//! [`check_files`]. Changing the `CredentialStore` entry without touching anything else is in [`set_store_entry`].
//! Fetching is elsewhere: a store is made from [`StoreSettings`] by whoever runs the program.
//!
//! Source: product behaviour sections 2, 3, 4, 9 and 10.

mod cloud;
mod edit;
pub(crate) mod files;
mod meaning;
mod references;
mod store_entry;
pub(crate) mod syntax;

use std::path::{Path, PathBuf};

use credstore_protocol::{ClientId, VaultName};

use crate::Diagnosis;
use crate::diagnosis::{Place, Severity};
use crate::reference::{IdentifierRules, Reference};

pub use cloud::Cloud;
pub use edit::{DiffLine, Edited, StoreEntry, set_store_entry, set_store_text, store_text};
pub use files::{CERTIFICATE_MAX, SETTINGS_MAX, check_files, decode, read};
pub use syntax::fix_all;

/// Name of the file store's file, beside the settings file. Source: product behaviour 2.2.
pub const CREDENTIAL_STORE_FILE: &str = "credential_store.json";

/// Name of the key file of an encrypted file store, beside it. Ours.
pub const CREDENTIAL_STORE_KEY: &str = "credential_store.key";

/// What Server Settings say about credentials. All other keys are left alone.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// The file the text came from.
    pub file: PathBuf,
    /// The configured credential store, if its entry is right.
    pub store: Option<StoreSettings>,
    /// Every well-formed `{"credential": "…"}`, in the order of the text.
    pub references: Vec<Reference>,
}

/// The one credential store.
#[derive(Clone, Debug)]
pub enum StoreSettings {
    /// `"Type": "File"`.
    File(FileStoreSettings),
    /// `"Type": "EncryptedFile"`: the same file, sealed.
    EncryptedFile(EncryptedFileSettings),
    /// `"Type": "AzureKeyVault"`: Microsoft's cloud or the embedded vault.
    AzureKeyVault(Box<AzureKeyVaultSettings>),
}

impl StoreSettings {
    /// What the store allows as an identifier.
    pub fn identifier_rules(&self) -> IdentifierRules {
        match self {
            StoreSettings::File(_) | StoreSettings::EncryptedFile(_) => IdentifierRules::File,
            StoreSettings::AzureKeyVault(_) => IdentifierRules::KeyVault,
        }
    }
}

/// Settings of the file store.
#[derive(Clone, Debug)]
pub struct FileStoreSettings {
    /// [`CREDENTIAL_STORE_FILE`] in the folder of the settings file.
    pub path: PathBuf,
    /// Where `Type` stands.
    pub place: Place,
}

/// Settings of the encrypted file.
#[derive(Clone, Debug)]
pub struct EncryptedFileSettings {
    /// [`CREDENTIAL_STORE_FILE`] in the folder of the settings file.
    pub path: PathBuf,
    /// `KeyFile`: the file with the key or the passphrase. A relative path was joined to the folder of the settings.
    pub key_file: Option<PathBuf>,
    /// Where `Type` stands.
    pub place: Place,
}

impl EncryptedFileSettings {
    /// Where the key is when nothing else says so: [`CREDENTIAL_STORE_KEY`] beside the file.
    pub fn usual_key_file(&self) -> PathBuf {
        self.path.with_file_name(CREDENTIAL_STORE_KEY)
    }
}

/// Settings of a Key Vault. Every value has been checked as far as its form goes.
#[derive(Clone, Debug)]
pub struct AzureKeyVaultSettings {
    /// Directory (tenant) ID: a GUID in lower case, or one of the directory's domains.
    pub tenant: String,
    /// Application (client) ID.
    pub client_id: ClientId,
    /// Bare name of the vault.
    pub vault_name: VaultName,
    /// The file with the private key and the certificate. A relative path was joined to the folder of the settings.
    pub certificate_file: PathBuf,
    /// Where to sign in and where the vault is.
    pub cloud: Cloud,
    /// Further trusted authorities for TLS, PEM. Joined as `certificate_file`.
    pub ca_file: Option<PathBuf>,
    /// Where each value stands, for messages.
    pub places: AzureKeyVaultPlaces,
}

/// Where each value of [`AzureKeyVaultSettings`] stands.
#[derive(Clone, Debug, Default)]
pub struct AzureKeyVaultPlaces {
    /// The value of `TenantId`.
    pub tenant_id: Place,
    /// The value of `ClientId`.
    pub client_id: Place,
    /// The value of `VaultName`.
    pub vault_name: Place,
    /// The value of `CertificateFile`.
    pub certificate_file: Place,
    /// The value of `Cloud`, `AuthorityHost` or, without these, `CredentialStore`.
    pub cloud: Place,
    /// The value of `CaFile`.
    pub ca_file: Option<Place>,
}

/// What [`parse`] found.
#[derive(Debug)]
pub struct Parsed {
    /// What could be understood, after certain repairs in memory, even when `findings` hold errors: so that a check
    /// can go on. To *use* settings, take [`Parsed::usable`]. `None` when the text could not be repaired.
    pub settings: Option<ServerSettings>,
    /// Everything that is wrong or doubtful, in the order of the text.
    pub findings: Vec<Diagnosis>,
}

impl Parsed {
    /// The settings and their warnings, for whoever acts on them.
    ///
    /// # Errors
    /// The first error among the findings: settings with an error are never acted on.
    pub fn usable(self) -> Result<(ServerSettings, Vec<Diagnosis>), Box<Diagnosis>> {
        let mut warnings = Vec::new();
        for finding in self.findings {
            match finding.severity {
                Severity::Error => return Err(Box::new(finding)),
                Severity::Warning => warnings.push(finding),
            }
        }
        match self.settings {
            Some(settings) => Ok((settings, warnings)),
            None => Err(Box::new(syntax::not_an_object(Place::default()))),
        }
    }
}

/// Reads Server Settings. Pure: `file` gives the folder for relative paths and the name for messages; nothing is
/// opened. The text is never changed; a finding whose repair is certain carries it as an edit.
pub fn parse(text: &str, file: &Path) -> Parsed {
    let syntax = syntax::Syntax::read(text, file);
    let mut findings = syntax.findings;
    let settings = syntax.repaired.and_then(|repaired| meaning::read(&repaired, file, &mut findings));
    findings.sort_by_key(|finding| {
        let place = finding.place.as_ref();
        place.map_or((u32::MAX, 0), |place| (place.line.unwrap_or(u32::MAX), place.column.unwrap_or(0)))
    });
    Parsed { settings, findings }
}
