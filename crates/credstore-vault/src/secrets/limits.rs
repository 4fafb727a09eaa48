//! What a secret may look like. The texts name the member and never the value.

use credstore_protocol::Timestamp;
use credstore_protocol::key_vault::{
    CONTENT_TYPE_MAX, SECRET_VALUE_MAX, SecretAttributes, TAG_TEXT_MAX, TAGS_MAX, Tags,
};

use crate::error::VaultError;

/// Last second of year 9999, the end of what .NET and RFC 3339 can write.
pub const TIME_MAX: Timestamp = Timestamp(253_402_300_799);
/// Most items of one page, whatever the caller asks. The wire's own limit is 25.
pub const LIST_MAX: usize = 1000;

fn bad(message: String) -> VaultError {
    VaultError::BadParameter { message }
}

pub(super) fn check_value(value: &str) -> Result<(), VaultError> {
    if value.len() > SECRET_VALUE_MAX {
        return Err(bad(format!("The value must not exceed {SECRET_VALUE_MAX} bytes, it has {}.", value.len())));
    }
    Ok(())
}

/// Limits on what both set and update may give.
pub(super) fn check_properties(
    content_type: Option<&str>,
    tags: Option<&Tags>,
    attributes: Option<&SecretAttributes>,
) -> Result<(), VaultError> {
    if content_type.is_some_and(|text| text.chars().count() > CONTENT_TYPE_MAX) {
        return Err(bad(format!("contentType must not exceed {CONTENT_TYPE_MAX} characters.")));
    }
    if let Some(tags) = tags {
        if tags.len() > TAGS_MAX {
            return Err(bad(format!("There must not be more than {TAGS_MAX} tags.")));
        }
        let too_long = |text: &String| text.chars().count() > TAG_TEXT_MAX;
        if tags.iter().any(|(name, value)| too_long(name) || too_long(value)) {
            return Err(bad(format!("Names and values of tags must not exceed {TAG_TEXT_MAX} characters.")));
        }
    }
    if let Some(attributes) = attributes {
        check_time("nbf", attributes.nbf)?;
        check_time("exp", attributes.exp)?;
    }
    Ok(())
}

/// A time before 1970 comes from clients that overflow 32 bits (contract section 19, 18). An end before the start
/// is accepted: both only inform, and Key Vault gives the value all the same.
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
    use super::*;

    fn tags(count: usize, name: usize, value: usize) -> Tags {
        (0..count).map(|n| (format!("{n:0name$}"), "v".repeat(value))).collect()
    }

    #[test]
    fn a_value_has_at_most_25600_bytes() {
        assert!(check_value("").is_ok());
        assert!(check_value(&"x".repeat(25_600)).is_ok());
        assert!(check_value(&"x".repeat(25_601)).is_err());
        assert!(check_value(&"é".repeat(12_801)).is_err(), "bytes count, not characters");
    }

    #[test]
    fn a_content_type_has_at_most_255_characters() {
        assert!(check_properties(Some(&"é".repeat(255)), None, None).is_ok());
        assert!(check_properties(Some(&"x".repeat(256)), None, None).is_err());
    }

    #[test]
    fn there_are_at_most_15_tags_of_512_characters() {
        assert!(check_properties(None, Some(&tags(15, 512, 512)), None).is_ok());
        assert!(check_properties(None, Some(&tags(16, 2, 1)), None).is_err());
        assert!(check_properties(None, Some(&tags(1, 513, 1)), None).is_err());
        assert!(check_properties(None, Some(&tags(1, 1, 513)), None).is_err());
    }

    #[test]
    fn a_time_is_from_1970_to_9999() {
        let with = |nbf, exp| {
            let attributes = SecretAttributes { nbf, exp, ..Default::default() };
            check_properties(None, None, Some(&attributes)).is_ok()
        };
        assert!(with(Some(Timestamp(0)), Some(TIME_MAX)));
        assert!(!with(Some(Timestamp(-1)), None));
        assert!(!with(None, Some(Timestamp(-2_147_483_648))), "2038 and later from a 32-bit client");
        assert!(!with(None, Some(Timestamp(TIME_MAX.0 + 1))));
        assert!(with(Some(Timestamp(2)), Some(Timestamp(1))));
    }
}
