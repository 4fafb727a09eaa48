//! Names: what may be called how, decided once.
//!
//! Names compare without regard to ASCII case, as Key Vault's do, but print as they were written. None of
//! them derives `Hash`: it would disagree with `==`. Use [`ObjectName::canonical`] as a key.

use std::fmt;
use std::str::FromStr;

use crate::encoding::{hex_any, hex_lower};

/// Longest name of a secret, key or certificate. Source: Key Vault, "Object identifiers and versioning".
pub const OBJECT_NAME_MAX: usize = 127;
/// Shortest and longest name of a vault. Source: ARM `Microsoft.KeyVault/vaults`, pattern of `vaultName`.
pub const VAULT_NAME_LENGTH: std::ops::RangeInclusive<usize> = 3..=24;
/// Longest identifier that we accept for the file store. Ours: a key of a JSON object has no limit of its own.
pub const IDENTIFIER_MAX: usize = 1024;

/// Why a text is not a name. Positions are byte offsets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Too short or too long; the length in bytes.
    #[error("a name of {0} characters is too short or too long")]
    Length(usize),
    /// A character that is not allowed, at this byte.
    #[error("character {} is not allowed", at + 1)]
    Character {
        /// Byte offset of the character.
        at: usize,
    },
    /// A vault name must begin with a letter and end with a letter or digit.
    #[error("it must begin with a letter and end with a letter or digit")]
    Ends,
    /// A vault name must not hold two hyphens in a row.
    #[error("it must not hold two hyphens in a row")]
    DoubleHyphen,
}

fn first_not_alphanumeric_or_hyphen(text: &str) -> Option<usize> {
    text.bytes().position(|byte| !(byte.is_ascii_alphanumeric() || byte == b'-'))
}

macro_rules! name {
    ($name:ident) => {
        impl $name {
            /// The name as it was written.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The spelling under which the name is kept and compared: lower case.
            pub fn canonical(&self) -> String {
                self.0.to_ascii_lowercase()
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.0.eq_ignore_ascii_case(&other.0)
            }
        }

        impl Eq for $name {}

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

/// The name of a secret, key or certificate in one vault: 1 to 127 characters of `0-9`, `a-z`, `A-Z` and `-`.
#[derive(Clone, Debug)]
pub struct ObjectName(String);
name!(ObjectName);

/// The name of a secret.
pub type SecretName = ObjectName;

impl FromStr for ObjectName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if text.is_empty() || text.len() > OBJECT_NAME_MAX {
            return Err(InvalidName::Length(text.len()));
        }
        match first_not_alphanumeric_or_hyphen(text) {
            Some(at) => Err(InvalidName::Character { at }),
            None => Ok(Self(text.to_owned())),
        }
    }
}

/// The name of a vault: 3 to 24 letters, digits and single hyphens, from a letter to a letter or digit.
#[derive(Clone, Debug)]
pub struct VaultName(String);
name!(VaultName);

impl FromStr for VaultName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if !VAULT_NAME_LENGTH.contains(&text.len()) {
            return Err(InvalidName::Length(text.len()));
        }
        if let Some(at) = first_not_alphanumeric_or_hyphen(text) {
            return Err(InvalidName::Character { at });
        }
        if !text.starts_with(|c: char| c.is_ascii_alphabetic()) || text.ends_with('-') {
            return Err(InvalidName::Ends);
        }
        if text.contains("--") {
            return Err(InvalidName::DoubleHyphen);
        }
        Ok(Self(text.to_owned()))
    }
}

/// What a developer writes instead of a password: a secret's name in a vault, a key in a credential file.
///
/// Case matters here, because it matters in a file; a vault compares the [`ObjectName`] made of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identifier(String);

impl Identifier {
    /// The identifier as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it fits both stores and a connection string: `[A-Za-z][A-Za-z0-9-]{0,126}`.
    pub fn is_portable(&self) -> bool {
        self.0.parse::<ObjectName>().is_ok() && self.0.starts_with(|c: char| c.is_ascii_alphabetic())
    }
}

impl FromStr for Identifier {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if text.is_empty() || text.len() > IDENTIFIER_MAX {
            return Err(InvalidName::Length(text.len()));
        }
        match text.char_indices().find(|(_, c)| c.is_control()) {
            Some((at, _)) => Err(InvalidName::Character { at }),
            None => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The version of a secret, key or certificate: 16 random bytes, written as 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ObjectVersion([u8; 16]);

/// The version of a secret.
pub type SecretVersion = ObjectVersion;

impl ObjectVersion {
    /// The version made of these bytes. They must be random: a version is never given twice.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes of the version.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl FromStr for ObjectVersion {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let bytes = hex_any(text).and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or(InvalidName::Length(text.len()))
    }
}

impl fmt::Display for ObjectVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex_lower(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_object_name_has_1_to_127_letters_digits_and_hyphens() {
        assert!("a".parse::<ObjectName>().is_ok());
        assert!("-0".parse::<ObjectName>().is_ok());
        assert!("x".repeat(127).parse::<ObjectName>().is_ok());
        assert_eq!("x".repeat(128).parse::<ObjectName>(), Err(InvalidName::Length(128)));
        assert_eq!("".parse::<ObjectName>(), Err(InvalidName::Length(0)));
        assert_eq!("my_secret".parse::<ObjectName>(), Err(InvalidName::Character { at: 2 }));
        assert_eq!("../x".parse::<ObjectName>(), Err(InvalidName::Character { at: 0 }));
    }

    #[test]
    fn a_vault_name_has_3_to_24_characters_and_clean_ends() {
        assert!("acme-pm-kv".parse::<VaultName>().is_ok());
        assert!("a".repeat(24).parse::<VaultName>().is_ok());
        assert_eq!("a".repeat(25).parse::<VaultName>(), Err(InvalidName::Length(25)));
        assert_eq!("ab".parse::<VaultName>(), Err(InvalidName::Length(2)));
        assert_eq!("1ab".parse::<VaultName>(), Err(InvalidName::Ends));
        assert_eq!("ab-".parse::<VaultName>(), Err(InvalidName::Ends));
        assert_eq!("a--b".parse::<VaultName>(), Err(InvalidName::DoubleHyphen));
        assert_eq!("a.b".parse::<VaultName>(), Err(InvalidName::Character { at: 1 }));
    }

    #[test]
    fn names_compare_without_case_and_print_as_written() {
        let name: ObjectName = "SmtpRelay".parse().unwrap();
        assert_eq!(name, "smtprelay".parse().unwrap());
        assert_eq!(name.to_string(), "SmtpRelay");
        assert_eq!(name.canonical(), "smtprelay");
    }

    #[test]
    fn a_portable_identifier_begins_with_a_letter() {
        assert!("SmtpRelay".parse::<Identifier>().unwrap().is_portable());
        assert!(!"1SmtpRelay".parse::<Identifier>().unwrap().is_portable());
        assert!(!"smtp_relay".parse::<Identifier>().unwrap().is_portable());
        assert!("smtp\nrelay".parse::<Identifier>().is_err());
    }

    proptest! {
        #[test]
        fn a_printed_version_parses_back_to_itself(bytes in any::<[u8; 16]>()) {
            let version = ObjectVersion::from_bytes(bytes);
            prop_assert_eq!(version.to_string().parse::<ObjectVersion>().unwrap(), version);
        }

        #[test]
        fn a_name_that_is_accepted_holds_only_harmless_characters(text in "\\PC{0,40}") {
            if let Ok(name) = text.parse::<ObjectName>() {
                prop_assert!(name.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
            }
        }
    }
}
