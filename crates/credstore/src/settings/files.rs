//! What needs files: reading the settings, and checks of the files they name.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;

use zeroize::Zeroizing;

use super::{AzureKeyVaultSettings, FileStoreSettings, ServerSettings, StoreSettings};
use crate::Diagnosis;
use crate::codes::settings as codes;
use crate::diagnosis::Place;
use crate::platform;
use crate::store::file;
use crate::store::unsealing::FileKeySource;

/// Largest settings file, in bytes. Ours: real ones have a few kilobytes.
pub const SETTINGS_MAX: u64 = 1024 * 1024;

/// Largest certificate file, in bytes. Ours: a key, a certificate and its chain have a few kilobytes.
pub const CERTIFICATE_MAX: u64 = 1024 * 1024;

/// Why a file gave no content.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// There is no such file.
    Missing,
    /// A folder, a pipe or a device.
    NotPlain,
    /// Larger than allowed.
    TooLarge,
    /// Anything else the operating system says.
    Refused(io::Error),
}

/// A plain file that was opened, with what is known about the opened one.
pub(crate) struct Opened {
    file: File,
    limit: u64,
    /// Taken from the descriptor, not from the name.
    pub(crate) metadata: Metadata,
}

/// Opens a plain file of at most `limit` bytes, without waiting for anybody.
pub(crate) fn open_plain(path: &Path, limit: u64) -> Result<Opened, ReadError> {
    let file = platform::open_without_waiting(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ReadError::Missing,
        _ => ReadError::Refused(error),
    })?;
    let metadata = file.metadata().map_err(ReadError::Refused)?;
    if !metadata.is_file() {
        return Err(ReadError::NotPlain);
    }
    if metadata.len() > limit {
        return Err(ReadError::TooLarge);
    }
    Ok(Opened { file, limit, metadata })
}

impl Opened {
    /// The content.
    pub(crate) fn read(self) -> Result<Zeroizing<Vec<u8>>, ReadError> {
        // Room for one byte more than expected: a buffer that grows would leave copies of passwords behind unwiped.
        let room = usize::try_from(self.metadata.len()).unwrap_or(0).saturating_add(1);
        let mut content = Zeroizing::new(Vec::with_capacity(room));
        let read = self.file.take(self.limit + 1).read_to_end(&mut content).map_err(ReadError::Refused)?;
        if read as u64 > self.limit { Err(ReadError::TooLarge) } else { Ok(content) }
    }
}

fn of_file(file: &Path) -> Place {
    Place { file: Some(file.to_owned()), ..Place::default() }
}

/// Reads a settings file as text, for [`parse`](super::parse).
///
/// # Errors
/// CS1001 when it is not there, CS1002 when it cannot be read or is no plain file, CS1023 when it has more than
/// [`SETTINGS_MAX`] bytes, CS1014 when it is not UTF-8.
pub fn read(file: &Path) -> Result<Zeroizing<String>, Box<Diagnosis>> {
    let name = file.display();
    let error = match open_plain(file, SETTINGS_MAX).and_then(Opened::read) {
        Ok(bytes) => return decode(&bytes, file),
        Err(ReadError::Missing) => Diagnosis::error(&codes::SETTINGS_MISSING, format!("{name} is not there"))
            .fix("name the file with --settings, or make one with credstore setup"),
        Err(ReadError::NotPlain) => {
            Diagnosis::error(&codes::SETTINGS_UNREADABLE, format!("{name} is not a plain file"))
                .fix("name a file with --settings")
        }
        Err(ReadError::TooLarge) => Diagnosis::error(&codes::SETTINGS_TOO_LARGE, format!("{name} is too large"))
            .cause("it has more than 1 MiB; it is probably another file"),
        Err(ReadError::Refused(error)) => {
            Diagnosis::error(&codes::SETTINGS_UNREADABLE, format!("{name} cannot be read"))
                .cause(error.kind().to_string())
                .fix("give the account that runs credstore the right to read it")
        }
    };
    Err(Box::new(error.at(of_file(file))))
}

/// The text of a settings file.
///
/// # Errors
/// CS1014, with line and column of the first byte that is not UTF-8.
pub fn decode(bytes: &[u8], file: &Path) -> Result<Zeroizing<String>, Box<Diagnosis>> {
    let error = match std::str::from_utf8(bytes) {
        Ok(text) => return Ok(Zeroizing::new(text.to_owned())),
        Err(error) => error,
    };
    let mut place = of_file(file);
    let utf16 = bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]);
    let cause = if utf16 {
        "it is UTF-16, which Notepad calls Unicode"
    } else {
        let good = std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default();
        let (line, column) = crate::position::line_and_column(good, good.len());
        (place.line, place.column) = (Some(line), Some(column));
        "it was probably saved in a code page such as ANSI"
    };
    let error = Diagnosis::error(&codes::NOT_UTF8, format!("{} is not UTF-8", file.display()));
    Err(Box::new(error.cause(cause).fix("save it as UTF-8").at(place)))
}

/// Checks of the files that the settings name: they are there, they can be read, and by nobody else. What the
/// certificate file *holds* is checked by `azure::certificate`, which needs the current time.
pub fn check_files(settings: &ServerSettings) -> Vec<Diagnosis> {
    match &settings.store {
        None => Vec::new(),
        Some(StoreSettings::EncryptedFile(store)) => {
            // Where the environment has the key instead is for whoever knows it.
            let key = store.key_file.clone().unwrap_or_else(|| store.usual_key_file());
            file::check_encrypted(&store.path, FileKeySource::File(key))
        }
        Some(StoreSettings::File(store)) => check_store_file(store),
        Some(StoreSettings::AzureKeyVault(store)) => {
            let mut findings = check_certificate_file(store, settings);
            findings.extend(check_ca_file(store));
            findings
        }
    }
}

fn check_store_file(store: &FileStoreSettings) -> Vec<Diagnosis> {
    let plain = Diagnosis::warning(
        &codes::PLAIN_TEXT_STORE,
        format!("passwords in plain text: {} is the active back end", super::CREDENTIAL_STORE_FILE),
    )
    .fix("credstore file encrypt   seals it, or credstore setup embedded --resume   makes a vault")
    .at(Place { span: None, ..store.place.clone() });
    let mut findings = vec![plain];
    findings.extend(file::check(&store.path));
    findings
}

fn check_certificate_file(store: &AzureKeyVaultSettings, settings: &ServerSettings) -> Vec<Diagnosis> {
    let path = &store.certificate_file;
    let folder = settings.file.parent().unwrap_or(Path::new(""));
    let name = path.strip_prefix(folder).unwrap_or(path).display().to_string();
    // Without a span: the line of the settings is right, it is the file that is not.
    let place = Place { span: None, ..store.places.certificate_file.clone() };
    let finding = match open_plain(path, CERTIFICATE_MAX) {
        Ok(opened) => match platform::others_may_read(&opened.metadata) {
            Some(mode) => Diagnosis::warning(
                &codes::CERTIFICATE_READABLE,
                format!("{name} holds the private key and others can read it (mode {mode:04o})"),
            )
            .fix(platform::private_command(&name)),
            None => return Vec::new(),
        },
        Err(ReadError::Missing) => {
            Diagnosis::error(&codes::CERTIFICATE_MISSING, format!("the certificate file {name} is not there"))
                .cause(format!("looked for {}", path.display()))
                .fix("put the file there, or make a pair: credstore cert new")
        }
        Err(ReadError::NotPlain) => {
            Diagnosis::error(&codes::CERTIFICATE_UNREADABLE, format!("{name} is not a plain file"))
                .fix("name the PEM or PFX file in CertificateFile")
        }
        Err(ReadError::TooLarge) => {
            Diagnosis::error(&codes::CERTIFICATE_UNREADABLE, format!("{name} is too large for a certificate file"))
                .cause("it has more than 1 MiB")
                .fix("name the PEM or PFX file in CertificateFile")
        }
        Err(ReadError::Refused(error)) => {
            Diagnosis::error(&codes::CERTIFICATE_UNREADABLE, format!("{name} cannot be read"))
                .cause(error.kind().to_string())
                .fix("give the account that runs credstore the right to read it")
        }
    };
    vec![finding.at(place)]
}

fn check_ca_file(store: &AzureKeyVaultSettings) -> Option<Diagnosis> {
    let path = store.ca_file.as_ref()?;
    let cause = match open_plain(path, CERTIFICATE_MAX) {
        Ok(_) => return None,
        Err(ReadError::Missing) => "it is not there".to_owned(),
        Err(ReadError::NotPlain) => "it is not a plain file".to_owned(),
        Err(ReadError::TooLarge) => "it has more than 1 MiB".to_owned(),
        Err(ReadError::Refused(error)) => error.kind().to_string(),
    };
    let error = Diagnosis::error(&codes::CA_FILE_UNREADABLE, format!("the CaFile {} cannot be read", path.display()))
        .cause(cause)
        .fix("put the PEM file of the authority there, or remove CaFile");
    let place = store.places.ca_file.clone().unwrap_or_default();
    Some(error.at(Place { span: None, ..place }))
}
