//! What every kind of object may look like. The texts name the member and never the value.

use credstore_protocol::Timestamp;
use credstore_protocol::key_vault::{TAG_TEXT_MAX, TAGS_MAX};

use super::{Change, ObjectType};
use crate::error::VaultError;

/// Last second of year 9999, the end of what .NET and RFC 3339 can write.
pub const TIME_MAX: Timestamp = Timestamp(253_402_300_799);

pub(crate) fn bad(message: String) -> VaultError {
    VaultError::BadParameter { message }
}

/// Limits on what both a new version and an update of any kind may give.
pub(crate) fn check<K: ObjectType>(change: &Change<K>) -> Result<(), VaultError> {
    if let Some(tags) = &change.tags {
        if tags.len() > TAGS_MAX {
            return Err(bad(format!("There must not be more than {TAGS_MAX} tags.")));
        }
        let too_long = |text: &String| text.chars().count() > TAG_TEXT_MAX;
        if tags.iter().any(|(name, value)| too_long(name) || too_long(value)) {
            return Err(bad(format!("Names and values of tags must not exceed {TAG_TEXT_MAX} characters.")));
        }
    }
    check_time("nbf", change.nbf)?;
    check_time("exp", change.exp)
}

/// A time before 1970 comes from clients that overflow 32 bits (contract section 19, 18). An end before the start
/// is accepted, as Key Vault accepts it.
fn check_time(member: &str, time: Option<Timestamp>) -> Result<(), VaultError> {
    match time {
        Some(time) if time < Timestamp(0) || time > TIME_MAX => {
            Err(bad(format!("{member} must be a time from 1970 to 9999 in Unix seconds.")))
        }
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use credstore_protocol::key_vault::Tags;

    use super::*;
    use crate::secrets::Secrets;

    const NOTHING: Change<Secrets> = Change { tags: None, enabled: None, nbf: None, exp: None, update: None };

    fn tags(count: usize, name: usize, value: usize) -> Change<Secrets> {
        let tags: Tags = (0..count).map(|n| (format!("{n:0name$}"), "v".repeat(value))).collect();
        Change { tags: Some(tags), ..NOTHING }
    }

    #[test]
    fn there_are_at_most_15_tags_of_512_characters() {
        assert!(check(&tags(15, 512, 512)).is_ok());
        assert!(check(&tags(16, 2, 1)).is_err());
        assert!(check(&tags(1, 513, 1)).is_err());
        assert!(check(&tags(1, 1, 513)).is_err());
    }

    #[test]
    fn a_time_is_from_1970_to_9999() {
        let with = |nbf, exp| check(&Change { nbf, exp, ..NOTHING }).is_ok();
        assert!(with(Some(Timestamp(0)), Some(TIME_MAX)));
        assert!(!with(Some(Timestamp(-1)), None));
        assert!(!with(None, Some(Timestamp(-2_147_483_648))), "2038 and later from a 32-bit client");
        assert!(!with(None, Some(Timestamp(TIME_MAX.0 + 1))));
        assert!(with(Some(Timestamp(2)), Some(Timestamp(1))));
    }
}
