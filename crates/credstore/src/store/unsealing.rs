//! How the bytes of a credential file become its text: as they are, or opened with a key.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use uuid::Uuid;
use zeroize::Zeroizing;

use crate::Diagnosis;
use crate::codes::settings as codes;
use crate::diagnosis::Place;
use crate::encrypted_file::{Content, EncryptedFile, EncryptedFileError, KeyKind, Unlock, is_encrypted};
use crate::platform;
use crate::settings::files::{Opened, ReadError, decode, open_plain};

/// Largest file with a key or passphrase, in bytes. Ours.
pub const KEY_FILE_MAX: u64 = 4096;

/// Where the key of an encrypted file is.
#[derive(Clone)]
pub enum FileKeySource {
    /// In a file: 32 bytes in base64, or the passphrase. It is read whenever the encrypted file is.
    File(PathBuf),
    /// In memory.
    Held(Arc<Unlock>),
}

impl fmt::Debug for FileKeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "File({})", path.display()),
            Self::Held(_) => f.write_str("Held"),
        }
    }
}

/// Remembers the newest version of each encrypted file that was seen, in a place of its own: it tells that an older copy
/// was put back, which the file itself cannot.
pub trait SeenVersions: Send + Sync {
    /// Notes this version of the file and gives the newest one that was ever noted, this one included.
    fn newest(&self, file: Uuid, generation: u64) -> u64;
}

/// What a file must be.
#[derive(Clone)]
pub(super) enum Opening {
    Plain,
    Sealed { key: FileKeySource, seen: Option<Arc<dyn SeenVersions>> },
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain => f.write_str("Plain"),
            Self::Sealed { key, .. } => f.debug_tuple("Sealed").field(key).finish(),
        }
    }
}

impl Opening {
    /// The text of the file, and what must be known about it.
    pub(super) fn text(
        &self,
        bytes: &[u8],
        path: &Path,
    ) -> Result<(Zeroizing<String>, Option<Diagnosis>), Box<Diagnosis>> {
        match self {
            Self::Plain if is_encrypted(bytes) => Err(Box::new(encrypted(path))),
            Self::Plain => decode(bytes, path).map(|text| (text, None)),
            Self::Sealed { key, seen } => {
                let content = open(bytes, path, key)?;
                let (id, generation) = content.next.version();
                let newest = seen.as_ref().map_or(generation, |seen| seen.newest(id, generation));
                let older = (newest > generation).then(|| put_back(path, generation, newest));
                Ok((content.text, older))
            }
        }
    }
}

/// Opens an encrypted file with the key from where it is.
///
/// # Errors
/// CS1401 to CS1406.
pub fn open(bytes: &[u8], path: &Path, key: &FileKeySource) -> Result<Content, Box<Diagnosis>> {
    let refused = |error| Box::new(refusal(error, path, key));
    let file = EncryptedFile::parse(bytes).map_err(refused)?;
    let content = match key {
        FileKeySource::Held(unlock) => file.open(unlock),
        FileKeySource::File(key_file) => match file.open(&unlock_in(key_file, file.key_kind())?) {
            // The key is being changed: the file has the new one a moment before the key file has.
            Err(EncryptedFileError::WrongKey) => match unlock_in(&next_key_file(key_file), file.key_kind()) {
                Ok(next) => file.open(&next),
                Err(_) => Err(EncryptedFileError::WrongKey),
            },
            other => other,
        },
    };
    content.map_err(refused)
}

/// Where a new key lies until the file is sealed with it.
pub fn next_key_file(key_file: &Path) -> PathBuf {
    let mut name = key_file.as_os_str().to_owned();
    name.push(".next");
    name.into()
}

/// What the key file holds, read as `kind`.
///
/// # Errors
/// CS1401 when it is not there or cannot be read, CS1402 when it holds no key.
pub fn unlock_in(key_file: &Path, kind: KeyKind) -> Result<Unlock, Box<Diagnosis>> {
    let name = key_file.display();
    let read = open_plain(key_file, KEY_FILE_MAX).and_then(Opened::read).map_err(|error| {
        let cause = match error {
            ReadError::Missing => "it is not there".to_owned(),
            ReadError::NotPlain => "it is not a plain file".to_owned(),
            ReadError::TooLarge => "it is too large".to_owned(),
            ReadError::Refused(error) => error.kind().to_string(),
        };
        Box::new(
            Diagnosis::error(&codes::FILE_KEY_MISSING, format!("the key file {name} cannot be read"))
                .cause(cause)
                .fix("put the key file there from your backup, or name it: \"KeyFile\" in CredentialStore")
                .at(of(key_file)),
        )
    })?;
    let text = std::str::from_utf8(&read).ok();
    text.and_then(|text| Unlock::of_text(kind, text)).ok_or_else(|| {
        Box::new(
            Diagnosis::error(&codes::FILE_KEY_WRONG, format!("{name} holds no key"))
                .cause("a key is 32 bytes in base64")
                .fix("name the key file that the file was sealed with")
                .at(of(key_file)),
        )
    })
}

/// Whether others may read the key file, which is as good as the passwords.
pub fn exposed_key(key_file: &Path) -> Option<Diagnosis> {
    let opened = open_plain(key_file, KEY_FILE_MAX).ok()?;
    let mode = platform::others_may_read(&opened.metadata)?;
    let name = key_file.display().to_string();
    let message = format!("{name} opens the passwords and others can read it (mode {mode:04o})");
    Some(Diagnosis::warning(&codes::FILE_KEY_READABLE, message).fix(platform::private_command(&name)).at(of(key_file)))
}

fn of(path: &Path) -> Place {
    Place { file: Some(path.to_owned()), ..Place::default() }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn encrypted(path: &Path) -> Diagnosis {
    Diagnosis::error(&codes::FILE_IS_ENCRYPTED, format!("{} is encrypted", file_name(path)))
        .cause("the Type File takes it as plain JSON")
        .fix("write \"Type\": \"EncryptedFile\"")
        .at(of(path))
}

fn put_back(path: &Path, generation: u64, newest: u64) -> Diagnosis {
    let name = file_name(path);
    Diagnosis::warning(&codes::FILE_PUT_BACK, format!("{name} is an older version of itself"))
        .cause(format!("it is version {generation}, and version {newest} was in use on this machine"))
        .fix("if you restored it from a backup, the next change makes it the newest: credstore file set NAME")
        .fix("if you did not, somebody put it back: passwords that were changed or removed are the old ones again")
        .at(of(path))
}

fn refusal(error: EncryptedFileError, path: &Path, key: &FileKeySource) -> Diagnosis {
    let name = file_name(path);
    let with = match key {
        FileKeySource::File(key_file) => key_file.display().to_string(),
        FileKeySource::Held(_) => "what was given".to_owned(),
    };
    let restore = "restore the file from a backup";
    let diagnosis = match error {
        EncryptedFileError::NotEncrypted => {
            Diagnosis::error(&codes::FILE_NOT_ENCRYPTED, format!("{name} is not encrypted"))
                .cause("the Type EncryptedFile takes a sealed file only")
                .fix("credstore file encrypt   seals it, or write \"Type\": \"File\"")
        }
        EncryptedFileError::Newer => Diagnosis::error(&codes::FILE_NEWER, format!("{name} is of a later version"))
            .fix("use the version of credstore that wrote it, or a later one"),
        EncryptedFileError::WrongKey => {
            Diagnosis::error(&codes::FILE_KEY_WRONG, format!("{with} does not open {name}"))
                .cause("it was sealed with another key")
                .fix("name the key that it was sealed with: \"KeyFile\" in CredentialStore")
        }
        EncryptedFileError::OtherKind(kind) => {
            Diagnosis::error(&codes::FILE_KEY_WRONG, format!("{with} does not open {name}"))
                .cause(format!("it was sealed with {kind}"))
                .fix("name that in \"KeyFile\" of CredentialStore")
        }
        EncryptedFileError::Malformed(_) | EncryptedFileError::Damaged | EncryptedFileError::NotSealed => {
            Diagnosis::error(&codes::FILE_DAMAGED, format!("{name} does not open"))
                .cause(error.to_string())
                .fix(restore)
        }
    };
    diagnosis.at(of(path))
}
