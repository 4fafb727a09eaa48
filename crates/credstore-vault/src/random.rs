//! Random bytes and identifiers, from the system through aws-lc.

use aws_lc_rs::rand;

/// `N` random bytes.
///
/// # Panics
/// When the system has no randomness to give. Nothing could be done safely without.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).expect("the system's random source works: without it no key or token is safe");
    bytes
}

/// A random GUID (RFC 9562 version 4) in lower case.
pub(crate) fn guid() -> String {
    uuid::Builder::from_random_bytes(bytes()).into_uuid().hyphenated().to_string()
}

/// A random GUID as one of the identifier types.
pub(crate) fn id<T: std::str::FromStr>() -> T {
    guid().parse().unwrap_or_else(|_| unreachable!("a GUID made by the uuid crate is a GUID"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_is_random_and_says_so() {
        let (one, other) = (guid(), guid());
        assert_ne!(one, other);
        // RFC 9562: version in the 13th digit, variant in the 17th.
        assert_eq!(&one[14..15], "4");
        assert!(matches!(&one[19..20], "8" | "9" | "a" | "b"));
    }
}
