//! PFX (PKCS#12, RFC 7292), read and written by `p12-keystore`, here and nowhere else in the vault; its own buffers are not
//! wiped.
//!
//! That crate refuses more than a million iterations of one derivation; how many derivations and iterations are visible in
//! a file is counted before it is opened. What an encrypted part hides cannot be: a file made for it takes as many
//! derivations as fit into [`IMPORT_MAX`](super::IMPORT_MAX).

use credstore_protocol::Secret;
use p12_keystore::{Certificate, KeyStore, KeyStoreEntry, Pkcs12Archive, PrivateKey, PrivateKeyChain};
use zeroize::Zeroizing;

use super::import::Content;
use super::{CertificateError, Chain};

/// Name of the key in a file that the vault writes.
const FRIENDLY_NAME: &str = "key";
/// `localKeyId` that joins key and certificate, as Windows writes it.
const LOCAL_KEY_ID: [u8; 4] = [1, 0, 0, 0];
/// Deepest nesting of a file, octet strings that hold DER included. Ours: OpenSSL's files have 15 levels.
const DEPTH_MAX: usize = 32;
/// Most visible key derivations. Ours: one for the certificates, one for the key, one for the MAC; some tools write more
/// parts.
const DERIVATIONS_MAX: usize = 8;
/// Most visible iterations of all derivations together, about a second and a half of work. Ours: OpenSSL writes 2,048 for
/// each of three derivations, and whoever asks for many asks for some hundred thousand.
const ITERATIONS_MAX: u64 = 3_000_000;
/// DER of the object identifiers that a derivation begins with: PBES2, and up to its last arc each of PKCS#12's own.
///
/// Source: RFC 8018 appendix A.4, RFC 7292 appendix C.
const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d];
const PKCS12_PBE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01];
/// scrypt, which takes as much memory as the file says. Source: RFC 7914 section 7.
const SCRYPT: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x04, 0x0b];

/// Keys and certificates of a PFX.
pub(super) fn read(bytes: &[u8], password: Option<&Secret>) -> Result<Content, CertificateError> {
    if !Work::default().counted(bytes, DEPTH_MAX) {
        return Err(CertificateError::Pfx);
    }
    let password = password.map_or("", Secret::expose_secret);
    let archive = Pkcs12Archive::from_pkcs12(bytes, password).map_err(|_| CertificateError::Pfx)?;
    Ok(Content {
        keys: archive.keys.iter().map(|bag| Zeroizing::new(bag.key.as_der().to_vec())).collect(),
        certificates: archive.certs.iter().map(|bag| bag.cert.as_der().to_vec()).collect(),
    })
}

/// The work that can be seen in a file.
#[derive(Default)]
struct Work {
    derivations: usize,
    iterations: u64,
}

impl Work {
    /// Whether all that can be seen asks for no more work than a file of one key has to.
    fn counted(&mut self, mut der: &[u8], depth: usize) -> bool {
        const INTEGER: u8 = 0x02;
        const OBJECT_IDENTIFIER: u8 = 0x06;
        const OCTET_STRING: u8 = 0x04;
        const CONSTRUCTED: u8 = 0x20;
        if depth == 0 {
            return false;
        }
        let mut before = 0;
        while let Some((tag, content, rest)) = element(der) {
            match tag {
                OBJECT_IDENTIFIER if content == SCRYPT => return false,
                OBJECT_IDENTIFIER => {
                    self.derivations += usize::from(content == PBES2 || content.starts_with(PKCS12_PBE));
                }
                // The salt, then the iterations: RFC 8018 appendix A.2, RFC 7292 appendix C and section 4.
                INTEGER if before == OCTET_STRING => {
                    let number = content
                        .iter()
                        .fold(0_u64, |number, &byte| number.saturating_mul(256).saturating_add(u64::from(byte)));
                    self.iterations = self.iterations.saturating_add(number);
                }
                _ => {}
            }
            if self.derivations > DERIVATIONS_MAX || self.iterations > ITERATIONS_MAX {
                return false;
            }
            // An octet string may hold DER or be what is encrypted: then it is only by chance that it looks like DER.
            let nested = tag & CONSTRUCTED != 0 || (tag == OCTET_STRING && content.first() == Some(&0x30));
            if nested && !self.counted(content, depth - 1) {
                return false;
            }
            (before, der) = (tag, rest);
        }
        true
    }
}

/// Tag, content and rest of the element at the start; `None` at the end and for anything that is not whole.
pub(super) fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = der.split_first_chunk()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0, |length, &byte| length << 8 | usize::from(byte)), rest)
        }
        0x80 | 0x85..=0xff => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// A PFX with the empty password. Without a key it has the certificates only.
///
/// # Errors
/// [`CertificateError::Library`].
pub(super) fn write(pkcs8: Option<&[u8]>, chain: &Chain) -> Result<Zeroizing<Vec<u8>>, CertificateError> {
    let library = |_| CertificateError::Library;
    let certificates = chain.certificates().iter().map(|der| Certificate::from_der(der));
    let certificates = certificates.collect::<Result<Vec<_>, _>>().map_err(library)?;
    let mut file = KeyStore::new();
    match pkcs8 {
        Some(pkcs8) => {
            let key = PrivateKey::from_der(pkcs8).map_err(library)?;
            let entry = PrivateKeyChain::new(LOCAL_KEY_ID.as_slice(), key, certificates);
            file.add_entry(FRIENDLY_NAME, KeyStoreEntry::PrivateKeyChain(entry));
        }
        None => {
            for (at, certificate) in certificates.into_iter().enumerate() {
                file.add_entry(&at.to_string(), KeyStoreEntry::Certificate(certificate));
            }
        }
    }
    file.writer("").write().map(Zeroizing::new).map_err(library)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(der: &[u8], depth: usize) -> bool {
        Work::default().counted(der, depth)
    }

    /// A SEQUENCE of `count` object identifiers of PBES2.
    fn derivations(count: usize) -> Vec<u8> {
        let one: Vec<u8> = [&[0x06, 9], PBES2].concat();
        [vec![0x30, (count * one.len()) as u8], one.repeat(count)].concat()
    }

    #[test]
    fn a_file_with_many_derivations_is_not_opened() {
        assert!(counted(&derivations(DERIVATIONS_MAX), DEPTH_MAX));
        assert!(!counted(&derivations(DERIVATIONS_MAX + 1), DEPTH_MAX));
        assert!(!counted(&[&[0x06, 9], SCRYPT].concat(), DEPTH_MAX));
    }

    #[test]
    fn a_file_with_many_iterations_is_not_opened() {
        // A salt and a number, as the parameters of every derivation end.
        let parameters = |iterations: u64| {
            let number = iterations.to_be_bytes();
            [&[0x30, 14, 0x04, 2, 0, 0, 0x02, 8][..], &number].concat()
        };
        let half = ITERATIONS_MAX / 2;
        assert!(counted(&parameters(ITERATIONS_MAX), DEPTH_MAX));
        assert!(!counted(&parameters(ITERATIONS_MAX + 1), DEPTH_MAX));
        assert!(counted(&[parameters(half), parameters(half)].concat(), DEPTH_MAX));
        assert!(!counted(&[parameters(half), parameters(half + 1)].concat(), DEPTH_MAX));
        assert!(!counted(&parameters(u64::MAX), DEPTH_MAX));
        // Another number counts for nothing: the modulus of a key has a thousand bits and more.
        let number = [0x30, 12, 0x05, 0, 0x02, 8, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        assert!(counted(&number, DEPTH_MAX));
    }

    #[test]
    fn a_file_is_looked_at_to_a_bounded_depth() {
        let nested =
            |levels: usize| (0..levels).fold(vec![0x05, 0], |der, _| [vec![0x30, der.len() as u8], der].concat());
        assert!(counted(&nested(DEPTH_MAX - 1), DEPTH_MAX));
        assert!(!counted(&nested(DEPTH_MAX), DEPTH_MAX));
    }

    #[test]
    fn an_element_that_is_not_whole_is_none() {
        for der in [&[][..], &[0x30], &[0x30, 1], &[0x30, 0x80, 0, 0], &[0x30, 0x82, 1], &[0x30, 0x85, 0, 0, 0, 0, 0]] {
            assert_eq!(element(der), None, "{der:?}");
        }
        assert_eq!(element(&[4, 0x81, 1, 7, 9]), Some((4, &[7][..], &[9][..])));
    }
}
