//! The two base64 alphabets of this protocol, named by where they occur.
//!
//! JWT segments, thumbprints and backup blobs are base64url without padding; certificates, PFX and CSR are
//! standard base64. Real clients mix them up (contract section 12), so [`base64_any`] reads both.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_encode_padding(false);
const URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);

/// base64url without padding (RFC 4648 section 5), as in JWT (RFC 7515 section 2).
pub fn base64url(bytes: &[u8]) -> String {
    URL.encode(bytes)
}

/// Standard base64 with padding (RFC 4648 section 4).
pub fn base64_standard(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Reads either alphabet, padded or not. `None` when it is neither.
pub fn base64_any(text: &str) -> Option<Vec<u8>> {
    if text.contains(['+', '/']) { STANDARD.decode(text).ok() } else { URL.decode(text).ok() }
}

/// Upper-case hexadecimal, as thumbprints are shown.
pub fn hex_upper(bytes: &[u8]) -> String {
    hex(bytes, b"0123456789ABCDEF")
}

/// Lower-case hexadecimal, as versions and request ids are written.
pub fn hex_lower(bytes: &[u8]) -> String {
    hex(bytes, b"0123456789abcdef")
}

fn hex(bytes: &[u8], digits: &[u8; 16]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.extend([byte >> 4, byte & 15].map(|half| char::from(digits[usize::from(half)])));
    }
    text
}

/// Reads hexadecimal in any case. `None` for anything else, or an odd length.
pub fn hex_any(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_a_client_sends_is_read() {
        // RFC 4648 has no vector with both special characters; 0xFB 0xEF 0xFF gives them in each alphabet.
        for text in ["--__", "++//"] {
            assert_eq!(base64_any(text), Some(vec![0xfb, 0xef, 0xff]), "{text}");
        }
        assert_eq!(base64_any("Zm8="), base64_any("Zm8"));
        assert_eq!(base64_any("Z m8"), None);
    }

    #[test]
    fn hexadecimal_has_two_digits_a_byte() {
        // RFC 4648 section 8: the alphabet; section 10 has the vector.
        assert_eq!(hex_upper(b"foobar"), "666F6F626172");
        assert_eq!(hex_lower(&[0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]), "0123456789abcdef");
        assert_eq!(hex_any("00Ff"), Some(vec![0, 255]));
        assert_eq!(hex_any("0"), None);
        assert_eq!(hex_any("+1"), None);
    }
}
