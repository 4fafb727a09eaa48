//! What only a secret may look like. The texts name the member and never the value.

use credstore_protocol::key_vault::{CONTENT_TYPE_MAX, SECRET_VALUE_MAX};

use crate::error::VaultError;
use crate::objects::limits::bad;

pub(super) fn check_value(value: &str) -> Result<(), VaultError> {
    if value.len() > SECRET_VALUE_MAX {
        return Err(bad(format!("The value must not exceed {SECRET_VALUE_MAX} bytes, it has {}.", value.len())));
    }
    Ok(())
}

pub(super) fn check_content_type(content_type: Option<&str>) -> Result<(), VaultError> {
    if content_type.is_some_and(|text| text.chars().count() > CONTENT_TYPE_MAX) {
        return Err(bad(format!("contentType must not exceed {CONTENT_TYPE_MAX} characters.")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_at_most_25600_bytes() {
        assert!(check_value("").is_ok());
        assert!(check_value(&"x".repeat(25_600)).is_ok());
        assert!(check_value(&"x".repeat(25_601)).is_err());
        assert!(check_value(&"é".repeat(12_801)).is_err(), "bytes count, not characters");
    }

    #[test]
    fn a_content_type_has_at_most_255_characters() {
        assert!(check_content_type(None).is_ok());
        assert!(check_content_type(Some(&"é".repeat(255))).is_ok());
        assert!(check_content_type(Some(&"x".repeat(256))).is_err());
    }
}
