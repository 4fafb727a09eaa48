//! The blocks of a PEM text (RFC 7468), read and written, with private keys in buffers that are wiped.
//!
//! Our own reader and not the TLS library's: that one keeps an unwiped copy of the key's text, and passes over
//! encrypted keys in silence, where we must say what was found.

use zeroize::Zeroizing;

use crate::encoding::{base64_any, base64_standard};

/// Characters of a line of PEM. Source: RFC 7468 section 2.
const LINE: usize = 64;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// Why a text has no blocks that can be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// A block begins and does not end; its label.
    #[error("the block {0} has no end")]
    NotClosed(String),
    /// The content of a block is not base64; its label.
    #[error("the block {0} is damaged")]
    Damaged(String),
    /// A block is encrypted the way of RFC 1421.
    #[error("the key is encrypted")]
    Encrypted,
}

/// One block. It has no `Debug`: the content may be a private key.
pub struct Block {
    /// What it is, for example `CERTIFICATE`.
    pub label: String,
    /// Its content, as a rule DER.
    pub der: Zeroizing<Vec<u8>>,
}

/// The label of a line `-----BEGIN label-----` or `-----END label-----`.
fn label<'a>(line: &'a str, edge: &str) -> Option<&'a str> {
    line.strip_prefix(edge)?.strip_suffix(DASHES)
}

/// Every block of the text. Lines outside of blocks are skipped, as OpenSSL's `Bag Attributes`.
///
/// # Errors
/// A block that is not closed, damaged or encrypted: the first one.
pub fn blocks(text: &str) -> Result<Vec<Block>, PemError> {
    let mut blocks = Vec::new();
    // CR alone, LF and CRLF all end a line; the empty lines in between do no harm.
    let mut lines = text.split(['\n', '\r']).map(str::trim);
    while let Some(line) = lines.next() {
        let Some(opened) = label(line, BEGIN) else { continue };
        let mut content = Zeroizing::new(String::with_capacity(text.len()));
        loop {
            let line = lines.next().ok_or_else(|| PemError::NotClosed(opened.to_owned()))?;
            if label(line, BEGIN).is_some() {
                return Err(PemError::NotClosed(opened.to_owned()));
            }
            match label(line, END) {
                Some(closed) if closed == opened => break,
                Some(_) => return Err(PemError::NotClosed(opened.to_owned())),
                // `Proc-Type: 4,ENCRYPTED` and `DEK-Info: …` (RFC 1421) stand before the key they encrypt.
                None if line.contains(':') => return Err(encrypted_or_damaged(line, opened)),
                None => content.extend(line.chars().filter(|c| !c.is_whitespace())),
            }
        }
        let der = base64_any(&content).ok_or_else(|| PemError::Damaged(opened.to_owned()))?;
        blocks.push(Block { label: opened.to_owned(), der: Zeroizing::new(der) });
    }
    Ok(blocks)
}

fn encrypted_or_damaged(header: &str, label: &str) -> PemError {
    if header.contains("ENCRYPTED") || header.starts_with("DEK-Info") {
        PemError::Encrypted
    } else {
        PemError::Damaged(label.to_owned())
    }
}

/// Appends a block with lines ended by LF. `pem` has to have room, twice the content and 64 bytes do, when the content is a
/// secret: a string that grows leaves unwiped copies behind.
pub fn push_block(pem: &mut String, label: &str, der: &[u8]) {
    let text = Zeroizing::new(base64_standard(der));
    pem.extend([BEGIN, label, DASHES, "\n"]);
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(LINE));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.extend([END, label, DASHES, "\n"]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_block_has_lines_of_sixty_four_characters_and_reads_back() {
        // RFC 7468 section 2: 48 bytes are one full line.
        for (length, lines) in [(0, 2), (1, 3), (48, 3), (49, 4), (96, 4), (97, 5)] {
            let mut pem = String::new();
            let content = vec![0xa5; length];
            push_block(&mut pem, "A B", &content);
            assert_eq!(pem.lines().count(), lines, "{length}");
            assert!(pem.lines().all(|line| line.len() <= 64) && pem.ends_with("-----END A B-----\n"));
            assert_eq!(blocks(&pem).unwrap()[0].der.as_slice(), content);
        }
    }

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
            assert!(matches!(blocks(text), Err(PemError::NotClosed(label)) if label == "A"), "{text}");
        }
    }

    #[test]
    fn content_that_is_not_base64_is_named() {
        let text = "-----BEGIN A-----\nZm 9v!\n-----END A-----\n";
        assert!(matches!(blocks(text), Err(PemError::Damaged(label)) if label == "A"));
    }

    #[test]
    fn a_key_encrypted_the_old_way_is_told_by_its_header() {
        let text = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAA==\n";
        assert!(matches!(blocks(text), Err(PemError::Encrypted)));
    }
}
