//! The `api-version` of the Key Vault data plane.

use std::str::FromStr;

/// The stable versions, oldest first, and what a client of that version may use.
///
/// Not compared as text: `7.x` is older than `2025-07-01`. Previews count as the version they became.
/// Source: azure-rest-api-specs, `specification/keyvault/data-plane`; contract section 1.
const STABLE: [&str; 11] =
    ["2015-06-01", "2016-10-01", "7.0", "7.1", "7.2", "7.3", "7.4", "7.5", "7.6", "2025-07-01", "2026-04-01"];

/// An `api-version` this server speaks. Later versions compare greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiVersion(usize);

impl ApiVersion {
    /// The newest stable version.
    pub const LATEST: ApiVersion = ApiVersion(STABLE.len() - 1);
    /// From here on GET of a secret takes `outContentType`.
    pub const V2025_07_01: ApiVersion = ApiVersion(9);

    /// The spelling of the stable version.
    pub fn as_str(self) -> &'static str {
        STABLE[self.0]
    }
}

/// The version is none that Key Vault ever had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown api-version")]
pub struct UnknownApiVersion;

impl FromStr for ApiVersion {
    type Err = UnknownApiVersion;

    fn from_str(text: &str) -> Result<Self, UnknownApiVersion> {
        if let Some(at) = STABLE.iter().position(|stable| *stable == text) {
            return Ok(Self(at));
        }
        let (base, suffix) = text.split_once("-preview").ok_or(UnknownApiVersion)?;
        let numbered = suffix.is_empty() || suffix.strip_prefix('.').is_some_and(|n| n.parse::<u8>().is_ok());
        match STABLE.iter().position(|stable| *stable == base) {
            Some(at) if numbered => Ok(Self(at)),
            // The preview that follows the newest stable version has no stable version yet.
            None if numbered && base == "2026-07-01" => Ok(Self::LATEST),
            _ => Err(UnknownApiVersion),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_newer_than_numbers() {
        assert!("7.6".parse::<ApiVersion>().unwrap() < ApiVersion::V2025_07_01);
        assert_eq!("2026-04-01".parse(), Ok(ApiVersion::LATEST));
        assert_eq!("2025-07-01".parse(), Ok(ApiVersion::V2025_07_01));
    }

    #[test]
    fn previews_in_use_are_spoken_and_inventions_are_not() {
        assert_eq!("7.6-preview.2".parse::<ApiVersion>(), "7.6".parse::<ApiVersion>());
        assert_eq!("2026-07-01-preview".parse(), Ok(ApiVersion::LATEST));
        for text in ["", "7", "7.7", "9.9-preview.1", "7.6-preview.x", "2027-01-01", "7.4 "] {
            assert_eq!(text.parse::<ApiVersion>(), Err(UnknownApiVersion), "{text}");
        }
    }
}
