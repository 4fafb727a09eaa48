//! The secrets of one vault: every operation of contract section 6 and soft delete of section 7.
//!
//! Each operation checks the permission first, then the request, then the state of the name. `read` and
//! `write` work on live secrets, `deleted` on deleted ones, `backup` on both ends of a backup;
//! `stored` knows where the rows lie and seals them; [`limits`] holds the limits. Writes to one name are
//! ordered by the storage: a write that finds another came first starts again from what is there.

mod backup;
mod deleted;
pub mod limits;
mod read;
mod stored;
mod usage;
mod write;

use std::fmt;
use std::str::FromStr;

use credstore_protocol::encoding::{base64_any, base64url};
use credstore_protocol::key_vault::Tags;
use credstore_protocol::{Secret, SecretName, SecretVersion, Timestamp};

pub(crate) use stored::Heads;
pub(crate) use usage::Usage;

use crate::error::VaultError;

/// One version of a secret.
#[derive(Debug)]
pub struct SecretRecord {
    /// Name as it was created.
    pub name: SecretName,
    /// The version.
    pub version: SecretVersion,
    /// The value; only from `set_secret` and `secret`.
    pub value: Option<Secret>,
    /// What kind of value it is.
    pub content_type: Option<String>,
    /// Tags of the version.
    pub tags: Option<Tags>,
    /// Whether the value may be read.
    pub enabled: bool,
    /// Not to be used before. Informs only.
    pub nbf: Option<Timestamp>,
    /// Not to be used from then on. Informs only.
    pub exp: Option<Timestamp>,
    /// When the version was made.
    pub created: Timestamp,
    /// When its properties last changed. Moves by at least a second with every change, even when the clock does not.
    pub updated: Timestamp,
    /// What deletion means in this vault.
    pub retention: Retention,
    /// When the value of any version was last given out, as far as is known.
    pub last_read: Option<Timestamp>,
}

/// What deletion means in a vault. Source: contract section 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// `recoveryLevel`.
    pub level: &'static str,
    /// `recoverableDays`.
    pub days: u16,
}

impl Retention {
    pub(crate) fn of(days: u16, purge_protection: bool) -> Self {
        let level = match (days >= 90, purge_protection) {
            (true, false) => "Recoverable+Purgeable",
            (false, false) => "CustomizedRecoverable+Purgeable",
            (true, true) => "Recoverable",
            (false, true) => "CustomizedRecoverable",
        };
        Self { level, days }
    }
}

/// A deleted secret. Never with a value.
#[derive(Debug)]
pub struct DeletedRecord {
    /// The current version as it was.
    pub secret: SecretRecord,
    /// When it was deleted.
    pub deleted: Timestamp,
    /// When it will be purged.
    pub scheduled_purge: Timestamp,
}

/// Where the next page of a list begins. Opaque to clients; any other 16 bytes only give another page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageToken([u8; 16]);

/// The text is no page token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a page token")]
pub struct NotAPageToken;

impl fmt::Display for PageToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url(&self.0))
    }
}

impl FromStr for PageToken {
    type Err = NotAPageToken;

    fn from_str(text: &str) -> Result<Self, NotAPageToken> {
        // 16 bytes are 22 characters, 24 with padding.
        let bytes = if text.len() <= 24 { base64_any(text) } else { None };
        bytes.and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(NotAPageToken)
    }
}

/// A page of a list and where the next one begins; `None` at the end.
pub type SecretPage = (Vec<SecretRecord>, Option<PageToken>);

/// A page of deleted secrets and where the next one begins; `None` at the end.
pub type DeletedPage = (Vec<DeletedRecord>, Option<PageToken>);

/// How often a write starts again because another one came first. Ours: each time one of the others is done, so
/// this many writers of one name all come through.
const ATTEMPTS: usize = 512;

fn not_found(name: &SecretName, version: Option<&SecretVersion>) -> VaultError {
    VaultError::SecretNotFound { name: name.clone(), version: version.copied() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recovery_level_follows_retention_and_purge_protection() {
        // Contract section 7.
        let cases = [
            (90, false, "Recoverable+Purgeable"),
            (89, false, "CustomizedRecoverable+Purgeable"),
            (7, false, "CustomizedRecoverable+Purgeable"),
            (90, true, "Recoverable"),
            (7, true, "CustomizedRecoverable"),
        ];
        for (days, protected, level) in cases {
            assert_eq!(Retention::of(days, protected), Retention { level, days });
        }
    }

    #[test]
    fn a_page_token_is_read_back_and_other_texts_are_refused() {
        let token = PageToken([0xfb; 16]);
        assert_eq!(token.to_string().parse(), Ok(token));
        for text in ["", "abc", "====", &"A".repeat(23), &"A".repeat(5000), "\u{1f600}"] {
            assert_eq!(text.parse::<PageToken>(), Err(NotAPageToken), "{text}");
        }
    }
}
