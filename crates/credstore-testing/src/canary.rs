//! Searches for a planted value, in every spelling that it could leak in.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// A planted value and what it looks like when it leaks.
pub struct Canary(Vec<(&'static str, Vec<u8>)>);

/// Where a planted value was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Find {
    /// The file, or nothing for bytes that were given.
    pub file: Option<PathBuf>,
    /// Which spelling.
    pub spelling: &'static str,
    /// Byte offset.
    pub at: usize,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The part of a base64 text that does not depend on what stands before and after the value.
fn base64_cores(value: &[u8], encode: impl Fn(&[u8]) -> String) -> Vec<Vec<u8>> {
    (0..3)
        .map(|shift| {
            let text = encode(&[&vec![0; shift][..], value].concat());
            // Three bytes are four characters; the first and the last group may mix with neighbours.
            let start = if shift == 0 { 0 } else { 4 };
            let end = (shift + value.len()) / 3 * 4;
            text.as_bytes()[start.min(end)..end].to_vec()
        })
        .collect()
}

impl Canary {
    /// A canary for `value`, which must have at least 12 bytes so that no find is chance.
    pub fn new(value: &str) -> Self {
        assert!(value.len() >= 12, "a canary of {} bytes would be found by chance", value.len());
        let bytes = value.as_bytes();
        let mut spellings = vec![
            ("plain", bytes.to_vec()),
            ("hexadecimal", hex(bytes).into_bytes()),
            ("HEXADECIMAL", hex(bytes).to_uppercase().into_bytes()),
            ("percent-encoded", utf8_percent_encode(value, NON_ALPHANUMERIC).to_string().into_bytes()),
            ("reversed", bytes.iter().rev().copied().collect()),
            ("UTF-16", value.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ];
        spellings.extend(base64_cores(bytes, |b| STANDARD_NO_PAD.encode(b)).into_iter().map(|core| ("base64", core)));
        spellings
            .extend(base64_cores(bytes, |b| URL_SAFE_NO_PAD.encode(b)).into_iter().map(|core| ("base64url", core)));
        Self(spellings)
    }

    /// Where the value is in `bytes`; at most one find for each spelling.
    pub fn in_bytes(&self, bytes: &[u8]) -> Vec<Find> {
        let position = |needle: &[u8]| bytes.windows(needle.len()).position(|window| window == needle);
        let finds = self.0.iter().filter_map(|(spelling, needle)| Some((*spelling, position(needle)?)));
        finds.map(|(spelling, at)| Find { file: None, spelling, at }).collect()
    }

    /// Where the value is in the files under `folder`, and in their names.
    ///
    /// # Errors
    /// When a file cannot be read: what was not searched is not clean.
    pub fn in_folder(&self, folder: &Path) -> io::Result<Vec<Find>> {
        let mut finds = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let mut found = self.in_bytes(path.as_os_str().as_encoded_bytes());
            if path.is_dir() {
                found.extend(self.in_folder(&path)?);
            } else if path.is_file() {
                found.extend(self.in_bytes(&fs::read(&path)?));
            }
            finds.extend(found.into_iter().map(|find| Find { file: find.file.or(Some(path.clone())), ..find }));
        }
        Ok(finds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUE: &str = "planted-p4ssw0rd/+?";

    fn spellings(text: &[u8]) -> Vec<&'static str> {
        Canary::new(VALUE).in_bytes(text).into_iter().map(|find| find.spelling).collect()
    }

    #[test]
    fn every_spelling_is_found_among_other_bytes() {
        assert_eq!(spellings(format!("x{VALUE}y").as_bytes()), ["plain"]);
        assert_eq!(spellings(hex(VALUE.as_bytes()).as_bytes()), ["hexadecimal"]);
        assert_eq!(spellings(b"a=planted%2Dp4ssw0rd%2F%2B%3F&b"), ["percent-encoded"]);
        assert!(spellings(b"a=planted-p4ssw0rd").is_empty(), "a part is no find");
        for before in ["", "u", "us", "use"] {
            let text = base64::engine::general_purpose::STANDARD.encode(format!("{before}{VALUE}&rest"));
            assert!(spellings(text.as_bytes()).contains(&"base64"), "{text}");
            let text = URL_SAFE_NO_PAD.encode(format!("{before}{VALUE}"));
            assert!(spellings(text.as_bytes()).contains(&"base64url"), "{text}");
        }
    }

    #[test]
    fn clean_bytes_have_no_find() {
        assert!(spellings(&[0; 4096]).is_empty());
        assert!(spellings(b"").is_empty());
    }
}
