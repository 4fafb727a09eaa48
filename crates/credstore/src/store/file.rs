//! The file stores: `credential_store.json`, one flat object of identifiers and passwords, in the folder of the settings,
//! in clear or sealed.
//!
//! It is read at the first fetch and again when it changed. A change that cannot be used leaves the last good content
//! in force, with a warning at every fetch; a file that is gone or not readable is an error, because taking it away
//! is a way to withdraw passwords. No text of the file but its keys is in any message.
//!
//! Source: product behaviour sections 2.2 and 10.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use credstore_protocol::{Identifier, Secret, Timestamp};
use jsonc_parser::ast::{ObjectProp, Value};
use jsonc_parser::common::Ranged;
use zeroize::Zeroizing;

use super::unsealing::{FileKeySource, Opening, SeenVersions, exposed_key};
use super::{Fetched, Fetching, Store, StoreError, ends_with_newline};
use crate::Diagnosis;
use crate::codes::{identifiers, settings as codes};
use crate::diagnosis::{Place, Severity};
use crate::platform::{self, Fingerprint};
use crate::reference::{IdentifierRules, check_identifier};
use crate::settings::files::{Opened, ReadError, open_plain};
use crate::settings::syntax::{Repaired, Syntax};

/// Largest file, in bytes. Ours: some 600 passwords of the greatest length that a vault takes.
pub const STORE_FILE_MAX: u64 = 16 * 1024 * 1024;

/// The file store.
#[derive(Debug)]
pub struct FileStore {
    path: PathBuf,
    opening: Opening,
    state: Mutex<Option<Loaded>>,
}

/// What was read last.
#[derive(Debug)]
struct Loaded {
    /// Of the file as it was looked at last, good or not.
    fingerprint: Fingerprint,
    /// The last good content.
    content: Arc<Content>,
    /// What is wrong with the file now, when the content is older.
    broken: Option<Diagnosis>,
    /// What must be known about the content.
    remark: Option<Diagnosis>,
}

/// A content without mistakes.
#[derive(Debug)]
struct Content {
    passwords: BTreeMap<String, Secret>,
}

impl FileStore {
    /// The store in the file at `path`. Nothing is read yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), opening: Opening::Plain, state: Mutex::new(None) }
    }

    /// The store in the encrypted file at `path`, which `key` opens. A plain file there is refused. Nothing is read yet.
    pub fn encrypted(path: impl Into<PathBuf>, key: FileKeySource, seen: Option<Arc<dyn SeenVersions>>) -> Self {
        Self { path: path.into(), opening: Opening::Sealed { key, seen }, state: Mutex::new(None) }
    }

    /// Every identifier, in the order of the alphabet.
    ///
    /// # Errors
    /// As [`Store::fetch`], when there is no usable content.
    pub fn identifiers(&self) -> Result<Vec<String>, StoreError> {
        let (content, _) = self.content()?;
        Ok(content.passwords.keys().cloned().collect())
    }

    fn fetch_now(&self, identifier: &Identifier) -> Result<Fetched, StoreError> {
        let (content, mut warnings) = self.content()?;
        let Some(secret) = content.passwords.get(identifier.as_str()) else {
            let known = content.passwords.keys().map(String::as_str);
            return Err(StoreError::not_among(identifier, self.describe(), known));
        };
        if secret.is_empty() {
            return Err(StoreError::Empty { identifier: identifier.clone(), store: self.describe() });
        }
        warnings.extend(ends_with_newline(identifier, secret));
        let secret = Secret::from(secret.expose_secret().to_owned());
        Ok(Fetched { warnings, ..Fetched::bare(secret) })
    }

    /// The content to use now, and what must be known about it. Opening, looking and reading are on one descriptor.
    fn content(&self) -> Result<(Arc<Content>, Vec<Diagnosis>), StoreError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let opened =
            open_plain(&self.path, STORE_FILE_MAX).map_err(|error| unreadable(&self.path, &self.opening, &error));
        let opened = match opened {
            Ok(opened) => opened,
            Err(error) => {
                *state = None;
                return Err(error.into());
            }
        };
        let mut warnings: Vec<_> = exposed(&self.path, &self.opening, &opened).into_iter().collect();
        let fingerprint = Fingerprint::of(&opened.metadata);
        if let Some(loaded) = state.as_ref().filter(|loaded| loaded.fingerprint == fingerprint) {
            warnings.extend(loaded.broken.as_ref().map(|broken| stale(&self.path, broken)));
            warnings.extend(loaded.remark.clone());
            return Ok((Arc::clone(&loaded.content), warnings));
        }
        match load(&self.path, &self.opening, opened) {
            Ok((content, remark)) => {
                let content = Arc::new(content);
                warnings.extend(remark.clone());
                *state = Some(Loaded { fingerprint, content: Arc::clone(&content), broken: None, remark });
                Ok((content, warnings))
            }
            Err(broken) => match state.as_mut() {
                Some(loaded) => {
                    warnings.push(stale(&self.path, &broken));
                    warnings.extend(loaded.remark.clone());
                    loaded.fingerprint = fingerprint;
                    loaded.broken = Some(*broken);
                    Ok((Arc::clone(&loaded.content), warnings))
                }
                None => Err(StoreError::Diagnosed(broken)),
            },
        }
    }
}

impl Store for FileStore {
    fn fetch<'a>(&'a self, identifier: &'a Identifier, _now: Timestamp) -> Fetching<'a> {
        Box::pin(async move { self.fetch_now(identifier) })
    }

    fn describe(&self) -> String {
        file_name(&self.path)
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// The file as a place. Without span: the text of the file must not be shown.
fn in_file(path: &Path) -> Place {
    Place { file: Some(path.to_owned()), ..Place::default() }
}

fn unreadable(path: &Path, opening: &Opening, error: &ReadError) -> Diagnosis {
    let name = file_name(path);
    let diagnosis = match (error, opening) {
        (ReadError::Missing, Opening::Sealed { .. }) => {
            Diagnosis::error(&codes::STORE_FILE_MISSING, format!("{name} is not there"))
                .fix("put it there from your backup, or make a new one: credstore file init")
        }
        (ReadError::Missing, Opening::Plain) => {
            Diagnosis::error(&codes::STORE_FILE_MISSING, format!("{name} is not there"))
                .fix(format!("make it: {{\"Identifier\": \"password\"}}, then {}", platform::private_command(&name)))
        }
        (ReadError::NotPlain, _) => Diagnosis::error(&codes::STORE_FILE_KIND, format!("{name} is not a plain file"))
            .fix("put a plain file there"),
        (ReadError::TooLarge, _) => Diagnosis::error(&codes::STORE_FILE_TOO_LARGE, format!("{name} is too large"))
            .cause("it has more than 16 MiB"),
        (ReadError::Refused(error), _) => {
            Diagnosis::error(&codes::STORE_FILE_UNREADABLE, format!("{name} cannot be read"))
                .cause(error.kind().to_string())
                .fix("give the account that runs credstore the right to read it")
        }
    };
    diagnosis.at(in_file(path))
}

/// Whether others can read what opens the passwords: the plain file, or the key of the sealed one.
fn exposed(path: &Path, opening: &Opening, opened: &Opened) -> Option<Diagnosis> {
    match opening {
        Opening::Plain => readable_by_others(path, opened),
        Opening::Sealed { key: FileKeySource::File(key_file), .. } => exposed_key(key_file),
        Opening::Sealed { key: FileKeySource::Held(_), .. } => None,
    }
}

fn readable_by_others(path: &Path, opened: &Opened) -> Option<Diagnosis> {
    let mode = platform::others_may_read(&opened.metadata)?;
    let name = file_name(path);
    let message = format!("{name} holds passwords and others can read it (mode {mode:04o})");
    let warning = Diagnosis::warning(&codes::STORE_FILE_READABLE, message);
    Some(warning.fix(platform::private_command(&name)).at(in_file(path)))
}

/// The warning that goes with every secret from an older content.
fn stale(path: &Path, broken: &Diagnosis) -> Diagnosis {
    let line =
        broken.place.as_ref().and_then(|place| place.line).map_or_else(String::new, |line| format!(", line {line}"));
    let message = format!("the last good content of {} is used", file_name(path));
    Diagnosis::warning(&codes::STORE_FILE_STALE, message)
        .cause(format!("the file was changed, and now {} ({}{line})", broken.message, broken.code.id))
        .fix(format!("mend the file: credstore explain {}", broken.code.id))
        .at(broken.place.clone().unwrap_or_default())
}

/// A finding about the text of the file, without anything that would show the text.
fn without_text(finding: Diagnosis, path: &Path) -> Diagnosis {
    let mut finding = without_span(finding);
    if let Some(place) = &mut finding.place {
        place.file = Some(path.to_owned());
    }
    finding
}

/// A finding that shows nothing of the file that it is about.
fn without_span(mut finding: Diagnosis) -> Diagnosis {
    if let Some(place) = &mut finding.place {
        place.span = None;
    }
    finding.edit = None;
    finding
}

fn load(path: &Path, opening: &Opening, opened: Opened) -> Result<(Content, Option<Diagnosis>), Box<Diagnosis>> {
    let bytes = opened.read().map_err(|error| Box::new(unreadable(path, opening, &error)))?;
    let (text, remark) = opening.text(&bytes, path).map_err(|error| Box::new(without_span(*error)))?;
    let (content, findings) = understand(&text, path);
    match findings.into_iter().find(|finding| finding.severity == Severity::Error) {
        Some(error) => Err(Box::new(error)),
        None => Ok((content, remark)),
    }
}

/// What is wrong with the form of a text.
pub(super) fn text_findings(text: &str, path: &Path) -> Vec<Diagnosis> {
    understand(text, path).1
}

/// The identifiers in the text of a credential file, in the order of the alphabet.
///
/// # Errors
/// The first error of the text. Nothing of a value is in it.
pub fn identifiers_in(text: &str, path: &Path) -> Result<Vec<String>, Box<Diagnosis>> {
    let (content, findings) = understand(text, path);
    match findings.into_iter().next() {
        Some(error) => Err(Box::new(error)),
        None => Ok(content.passwords.into_keys().collect()),
    }
}

/// The password behind an identifier in the text of a credential file; `None` when it has no such identifier.
///
/// # Errors
/// As [`identifiers_in`].
pub fn password_in(text: &str, path: &Path, identifier: &Identifier) -> Result<Option<Secret>, Box<Diagnosis>> {
    let (mut content, findings) = understand(text, path);
    match findings.into_iter().next() {
        Some(error) => Err(Box::new(error)),
        None => Ok(content.passwords.remove(identifier.as_str())),
    }
}

/// The passwords in a text, and every error of its form. Warnings of the syntax are left out: a byte order mark is
/// accepted here.
fn understand(text: &str, path: &Path) -> (Content, Vec<Diagnosis>) {
    let syntax = Syntax::read(text, path);
    let errors = syntax.findings.into_iter().filter(|finding| finding.severity == Severity::Error);
    let mut findings: Vec<_> = errors.map(|finding| without_text(finding, path)).collect();
    let mut content = Content { passwords: BTreeMap::new() };
    let Some(repaired) = syntax.repaired else { return (content, findings) };
    let Some(Value::Object(root)) = repaired.parse() else {
        findings.push(wrong_shape("the file is not one object", repaired.place(0..1, None), path));
        return (content, findings);
    };
    for property in root.properties {
        match password(property, &repaired, path) {
            Ok((key, secret)) => {
                content.passwords.insert(key, secret);
            }
            Err(finding) => findings.push(*finding),
        }
    }
    (content, findings)
}

fn password(
    property: ObjectProp<'_>,
    repaired: &Repaired<'_>,
    path: &Path,
) -> Result<(String, Secret), Box<Diagnosis>> {
    let key = property.name.as_str().to_owned();
    let range = property.value.range();
    match property.value {
        Value::StringLit(text) => Ok((key, Secret::from(Zeroizing::new(text.value.into_owned())))),
        Value::Object(_) | Value::Array(_) | Value::NumberLit(_) | Value::BooleanLit(_) | Value::NullKeyword(_) => {
            let place = repaired.place(range.start..range.start, Some(key.clone()));
            Err(Box::new(wrong_shape(&format!("the value of {key} is not a text"), place, path)))
        }
    }
}

pub(super) fn wrong_shape(message: &str, place: Place, path: &Path) -> Diagnosis {
    let error = Diagnosis::error(&codes::STORE_FILE_SHAPE, message)
        .cause("the file is one object: identifiers as keys, passwords as texts in double quotes")
        .at(place);
    without_text(error, path)
}

/// Everything that is wrong or doubtful about the plain file, for `check`. No value is looked up or kept.
pub fn check(path: &Path) -> Vec<Diagnosis> {
    check_opened(path, &Opening::Plain)
}

/// The same for an encrypted file.
pub fn check_encrypted(path: &Path, key: FileKeySource) -> Vec<Diagnosis> {
    check_opened(path, &Opening::Sealed { key, seen: None })
}

fn check_opened(path: &Path, opening: &Opening) -> Vec<Diagnosis> {
    let opened = match open_plain(path, STORE_FILE_MAX) {
        Ok(opened) => opened,
        Err(error) => return vec![unreadable(path, opening, &error)],
    };
    let mut findings: Vec<_> = exposed(path, opening, &opened).into_iter().collect();
    let bytes = match opened.read() {
        Ok(bytes) => bytes,
        Err(error) => return vec![unreadable(path, opening, &error)],
    };
    match opening.text(&bytes, path) {
        Ok((text, _)) => {
            let (content, errors) = understand(&text, path);
            findings.extend(errors);
            findings.extend(check_passwords(&content, path));
        }
        Err(error) => findings.push(without_span(*error)),
    }
    findings
}

fn check_passwords(content: &Content, path: &Path) -> Vec<Diagnosis> {
    let mut findings = Vec::new();
    let mut spellings: HashMap<String, &str> = HashMap::new();
    for (key, secret) in &content.passwords {
        let place = Place { pointer: Some(key.clone()), ..in_file(path) };
        if let Some(other) = spellings.insert(key.to_lowercase(), key) {
            let message = format!("the identifiers {other} and {key} differ only in capitals");
            let warning = Diagnosis::warning(&codes::STORE_FILE_CASE, message)
                .cause("a Key Vault does not distinguish them, so they cannot be moved to one")
                .fix("rename one of the two, here and where it is used");
            findings.push(warning.at(place.clone()));
        }
        let found = match key.parse::<Identifier>() {
            Err(reason) => {
                let warning = Diagnosis::warning(&identifiers::IDENTIFIER_INVALID, "a key is not an identifier");
                vec![warning.cause(format!("nothing can refer to it: {reason}"))]
            }
            Ok(identifier) => {
                let empty = secret
                    .is_empty()
                    .then(|| StoreError::Empty { identifier: identifier.clone(), store: file_name(path) }.into());
                let portable = check_identifier(&identifier, IdentifierRules::File, None);
                [empty, portable, ends_with_newline(&identifier, secret)].into_iter().flatten().collect()
            }
        };
        findings.extend(found.into_iter().map(|finding| finding.at(place.clone())));
    }
    findings
}
