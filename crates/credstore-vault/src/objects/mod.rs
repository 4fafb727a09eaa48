//! What secrets and keys have in common: names with versions, soft delete, lists, backups. Contract sections 6 and 7.
//!
//! Each operation checks the permission first, then the request, then the state of the name. `read` and `write` work on
//! live objects, `deleted` on deleted ones, `backup` on both ends of a backup; `stored` knows where the rows lie and
//! seals them. Writes to one name are ordered by the storage: a write that finds another came first starts again from
//! what is there. What only one kind of object does is in its own room.

mod backup;
mod companions;
mod deleted;
pub mod limits;
mod read;
mod row;
mod stored;
mod write;

use std::fmt;
use std::str::FromStr;

use credstore_protocol::encoding::{base64_any, base64url};
use credstore_protocol::key_vault::Tags;
use credstore_protocol::{ObjectName, ObjectVersion, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use read::Opened;
pub(crate) use stored::{Head, Properties, Slot, Whole, unless_conflicting};
pub(crate) use write::{Former, NewVersion, moved};

use crate::access::ObjectKind;
use crate::error::VaultError;

/// One kind of object: what its versions hold, and where they lie.
///
/// Implemented by [`Secrets`](crate::secrets::Secrets) and [`Keys`](crate::keys::Keys), which are names at compile time
/// and have no values.
pub trait ObjectType: Clone + fmt::Debug + PartialEq + Sized + 'static {
    /// The kind, for permissions and errors.
    const KIND: ObjectKind;
    /// What the texts for the operator call one of them.
    const NOUN: &'static str;
    /// What they call the sealed part of a version.
    const MATERIAL: &'static str;
    /// Where the rows lie.
    const ROWS: Rows;
    /// Whether it is noted when the sealed part was given out last.
    const READS_ARE_NOTED: bool;
    /// First bytes of what is inside a backup: the kind of object and the version of the form.
    const BACKUP: &'static [u8; 16];
    /// What a backup is bound to besides the installation and the tenant.
    const BACKUP_SCOPE: &'static [u8];
    /// Whether a key and a secret of the same name go with each, version by version: made, changed, deleted, recovered,
    /// purged and backed up with it, in the same batches, and never alone.
    const LEADS: bool;

    /// What a version has besides the properties that every object has. Never the sealed part.
    type Content: Clone + fmt::Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync;
    /// What the object has besides its versions.
    type Standing: Clone + fmt::Debug + Default + PartialEq + Serialize + DeserializeOwned + Send + Sync;
    /// What a change may give besides tags and attributes.
    type Update: Clone + fmt::Debug;

    /// Whether the bytes can be the sealed part of a version with this content.
    fn fits(content: &Self::Content, material: &[u8]) -> bool;

    /// Whether a version with this content can be used once it is enabled.
    fn is_complete(_content: &Self::Content) -> bool {
        true
    }

    /// Takes over what a request gives; what it does not give stays. There is no `standing` when the request names one
    /// version, or makes one.
    ///
    /// # Errors
    /// [`VaultError::BadParameter`] for what such an object cannot have.
    fn change(
        content: &mut Self::Content,
        standing: Option<&mut Self::Standing>,
        update: Self::Update,
        now: Timestamp,
    ) -> Result<(), VaultError>;

    /// What of the standing goes into a backup of an object that leads; the others' versions are all there is.
    fn lasting(standing: &Self::Standing) -> Self::Standing {
        standing.clone()
    }
}

/// The kinds of rows of one kind of object; values of [`kind`](crate::seal).
#[derive(Clone, Copy, Debug)]
pub struct Rows {
    /// A live object: its name and its current version.
    pub(crate) live: u8,
    /// A deleted object, likewise.
    pub(crate) deleted: u8,
    /// A version that is not the current one.
    pub(crate) version: u8,
    /// The sealed part of a version.
    pub(crate) material: u8,
}

impl Rows {
    /// All of them, for whoever removes everything.
    pub(crate) const fn every(self) -> [u8; 4] {
        [self.live, self.deleted, self.version, self.material]
    }
}

/// What an update or a new version says about any kind of object. `None` leaves what is there, or the default.
#[derive(Clone, Debug)]
pub struct Change<K: ObjectType> {
    /// All tags.
    pub tags: Option<Tags>,
    /// Whether it may be used.
    pub enabled: Option<bool>,
    /// Not to be used before.
    pub nbf: Option<Timestamp>,
    /// Not to be used from then on.
    pub exp: Option<Timestamp>,
    /// What only this kind of object has.
    pub update: K::Update,
}

/// One version of an object, without the part that is sealed.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectRecord<K: ObjectType> {
    /// Name as it was created.
    pub name: ObjectName,
    /// The version.
    pub version: ObjectVersion,
    /// What this kind of object has.
    pub content: K::Content,
    /// Tags of the version.
    pub tags: Option<Tags>,
    /// Whether it may be used.
    pub enabled: bool,
    /// Not to be used before.
    pub nbf: Option<Timestamp>,
    /// Not to be used from then on.
    pub exp: Option<Timestamp>,
    /// When the version was made.
    pub created: Timestamp,
    /// When its properties last changed. Moves by at least a second with every change, even when the clock does not.
    pub updated: Timestamp,
    /// What deletion means in this vault.
    pub retention: Retention,
    /// When a value of any version was last given out, as far as is known; secrets only.
    pub last_read: Option<Timestamp>,
    /// Whether it goes with a certificate and cannot be changed without it.
    pub managed: bool,
    /// What the object has besides its versions.
    pub standing: K::Standing,
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

/// A deleted object.
#[derive(Clone, Debug, PartialEq)]
pub struct DeletedRecord<K: ObjectType> {
    /// The current version as it was.
    pub object: ObjectRecord<K>,
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
pub type Page<T> = (Vec<T>, Option<PageToken>);

/// Most items of one page, whatever the caller asks. The wire's own limit is 25.
pub const LIST_MAX: usize = 1000;

/// How often a write starts again because another one came first. Ours: each time one of the others is done, so
/// this many writers of one name all come through.
pub(crate) const ATTEMPTS: usize = 512;

pub(crate) fn not_found<K: ObjectType>(name: &ObjectName, version: Option<&ObjectVersion>) -> VaultError {
    VaultError::ObjectNotFound { kind: K::KIND, name: name.clone(), version: version.copied() }
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
