//! The secret value, as a type that cannot leak by accident.
//!
//! It has no `Display`, no `Serialize`, no `Clone` and no `Hash`:
//!
//! ```compile_fail
//! let secret = credstore_protocol::Secret::from("planted".to_owned());
//! println!("{secret}");
//! ```
//! ```compile_fail
//! let secret = credstore_protocol::Secret::from("planted".to_owned());
//! let _ = secret.clone();
//! ```
//! ```compile_fail
//! let secret = credstore_protocol::Secret::from("planted".to_owned());
//! let _ = serde_json::to_string(&secret);
//! ```

use std::fmt;

use serde::{Deserialize, Deserializer};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A secret value. It prints as `[secret]`, cannot be serialised, and is wiped when dropped.
///
/// A `Zeroizing<String>` and not a boxed `str`: shrinking a `String` may move it and leave the first copy unwiped.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The only way to the value. Every call site is a place to review.
    pub fn expose_secret(&self) -> &str {
        &self.0
    }

    /// Whether the value is the empty string, which Key Vault allows and the resolver refuses.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Equality in time that depends on the lengths only.
    pub fn matches(&self, other: &Secret) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self(Zeroizing::new(value))
    }
}

impl From<Zeroizing<String>> for Secret {
    fn from(value: Zeroizing<String>) -> Self {
        Self(value)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_as_a_placeholder() {
        assert_eq!(format!("{:?}", Secret::from("planted".to_owned())), "[secret]");
    }

    #[test]
    fn equal_values_match_and_others_do_not() {
        let one = Secret::from("a".to_owned());
        assert!(one.matches(&Secret::from("a".to_owned())));
        assert!(!one.matches(&Secret::from("b".to_owned())));
        assert!(!one.matches(&Secret::from("aa".to_owned())));
    }
}
