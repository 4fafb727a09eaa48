//! The blocks of a PEM file (RFC 7468), with private keys in buffers that are wiped.
//!
//! Our own reader and not the TLS library's: that one keeps an unwiped copy of the key's text, and passes over
//! encrypted keys in silence, where we must say what was found.

use credstore_protocol::encoding::base64_any;
use zeroize::Zeroizing;

use super::CertificateError;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// One block: its label and its content, DER.
pub(super) struct Block {
    pub(super) label: String,
    pub(super) der: Zeroizing<Vec<u8>>,
}

/// The label of a line `-----BEGIN label-----` or `-----END label-----`.
fn label<'a>(line: &'a str, edge: &str) -> Option<&'a str> {
    line.strip_prefix(edge)?.strip_suffix(DASHES)
}

/// Every block of the text. Lines outside of blocks are skipped, as OpenSSL's `Bag Attributes`.
pub(super) fn blocks(text: &str) -> Result<Vec<Block>, CertificateError> {
    let mut blocks = Vec::new();
    // CR alone, LF and CRLF all end a line; the empty lines in between do no harm.
    let mut lines = text.split(['\n', '\r']).map(str::trim);
    while let Some(line) = lines.next() {
        let Some(opened) = label(line, BEGIN) else { continue };
        let mut content = Zeroizing::new(String::with_capacity(text.len()));
        loop {
            let line = lines.next().ok_or_else(|| CertificateError::BlockNotClosed(opened.to_owned()))?;
            if label(line, BEGIN).is_some() {
                return Err(CertificateError::BlockNotClosed(opened.to_owned()));
            }
            match label(line, END) {
                Some(closed) if closed == opened => break,
                Some(_) => return Err(CertificateError::BlockNotClosed(opened.to_owned())),
                // `Proc-Type: 4,ENCRYPTED` and `DEK-Info: …` (RFC 1421) stand before the key they encrypt.
                None if line.contains(':') => return Err(encrypted_or_damaged(line, opened)),
                None => content.extend(line.chars().filter(|c| !c.is_whitespace())),
            }
        }
        let der = base64_any(&content).ok_or_else(|| CertificateError::BlockDamaged(opened.to_owned()))?;
        blocks.push(Block { label: opened.to_owned(), der: Zeroizing::new(der) });
    }
    Ok(blocks)
}

fn encrypted_or_damaged(header: &str, label: &str) -> CertificateError {
    if header.contains("ENCRYPTED") || header.starts_with("DEK-Info") {
        CertificateError::KeyEncrypted
    } else {
        CertificateError::BlockDamaged(label.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> Vec<String> {
        blocks(text).unwrap().into_iter().map(|block| block.label).collect()
    }

    #[test]
    fn blocks_are_found_between_other_text_with_any_line_ends() {
        for end in ["\n", "\r\n", "\r"] {
            let lines =
                ["Bag Attributes", "    localKeyID: 01", "-----BEGIN A B-----", "Zm9v", "-----END A B-----", ""];
            let found = blocks(&lines.join(end)).unwrap();
            assert_eq!((found[0].label.as_str(), found[0].der.as_slice()), ("A B", &b"foo"[..]));
        }
        assert!(labels("no block at all").is_empty());
    }

    #[test]
    fn a_block_without_its_end_is_named() {
        for text in [
            "-----BEGIN A-----\nZm9v\n",
            "-----BEGIN A-----\nZm9v\n-----END B-----\n",
            "-----BEGIN A-----\nZm9v\n-----BEGIN A-----\nZm9v\n-----END A-----\n",
        ] {
            assert!(matches!(blocks(text), Err(CertificateError::BlockNotClosed(label)) if label == "A"), "{text}");
        }
    }

    #[test]
    fn content_that_is_not_base64_is_named() {
        let text = "-----BEGIN A-----\nZm 9v!\n-----END A-----\n";
        assert!(matches!(blocks(text), Err(CertificateError::BlockDamaged(label)) if label == "A"));
    }

    #[test]
    fn a_key_encrypted_the_old_way_is_told_by_its_header() {
        let text = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAA==\n";
        assert!(matches!(blocks(text), Err(CertificateError::KeyEncrypted)));
    }
}
