//! Import of a key from a JSON Web Key: every number is there, fits the others, and has a size that a vault keeps.
//!
//! The private numbers of an RSA key are wanted in full, with the primes and the three numbers derived from them.

use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::EcdsaKeyPair;
use credstore_protocol::Secret;
use credstore_protocol::encoding::base64_any;
use credstore_protocol::key_vault::keys::{KeyType, PrivateJsonWebKey};
use zeroize::Zeroizing;

use super::material::{field_bytes, signing_algorithm};
use super::{KeyError, KeyMaterial, RsaSize};

/// Longest public exponent in bytes. Source: aws-lc, `RSA_check_key`: 33 bits.
const EXPONENT_MAX: usize = 5;

impl KeyMaterial {
    /// The key that the client sends.
    ///
    /// # Errors
    /// [`KeyError::Kind`], [`KeyError::Member`], [`KeyError::Size`], [`KeyError::Inconsistent`].
    pub fn import(key: &PrivateJsonWebKey) -> Result<Self, KeyError> {
        match key.kty {
            KeyType::Rsa => rsa(key),
            KeyType::Ec => ec(key),
            KeyType::RsaHsm | KeyType::EcHsm | KeyType::Oct | KeyType::OctHsm => Err(KeyError::Kind(key.kty)),
        }
    }
}

fn rsa(key: &PrivateJsonWebKey) -> Result<KeyMaterial, KeyError> {
    let inconsistent = KeyError::Inconsistent(KeyType::Rsa);
    let (n, e) = (public(&key.n, "n")?, public(&key.e, "e")?);
    let (n, e) = (without_zeros(&n), without_zeros(&e));
    // The sizes first: the library's checks of long numbers take time, and whoever sends them decides how long they are.
    RsaSize::of_bits(bits(n))?;
    let members = [(&key.d, "d"), (&key.p, "p"), (&key.q, "q"), (&key.dp, "dp"), (&key.dq, "dq"), (&key.qi, "qi")];
    let mut numbers = Vec::with_capacity(members.len());
    for (member, name) in members {
        numbers.push(private(member, name)?);
    }
    if e.len() > EXPONENT_MAX || numbers.iter().any(|number| without_zeros(number).len() > n.len()) {
        return Err(inconsistent);
    }
    let [d, p, q, dp, dq, qi] = numbers.as_slice() else { return Err(inconsistent) };
    let pair = RsaKeyPair::from_components(&KeyPairComponents {
        public_key: PublicKeyComponents { n, e },
        d: d.as_slice(),
        p: p.as_slice(),
        q: q.as_slice(),
        dP: dp.as_slice(),
        dQ: dq.as_slice(),
        qInv: qi.as_slice(),
    });
    KeyMaterial::of_rsa(pair.map_err(|_| inconsistent)?)
}

fn ec(key: &PrivateJsonWebKey) -> Result<KeyMaterial, KeyError> {
    let inconsistent = KeyError::Inconsistent(KeyType::Ec);
    let curve = key.crv.ok_or(KeyError::Member { member: "crv" })?;
    let length = field_bytes(curve);
    let (x, y, d) = (public(&key.x, "x")?, public(&key.y, "y")?, private(&key.d, "d")?);
    let mut point = vec![4];
    for coordinate in [&x, &y] {
        point.extend_from_slice(&at_length(coordinate, length).ok_or(inconsistent)?);
    }
    let d = at_length(&d, length).ok_or(inconsistent)?;
    let pair = EcdsaKeyPair::from_private_key_and_public_key(signing_algorithm(curve), &d, &point);
    Ok(KeyMaterial::of_ec(curve, pair.map_err(|_| inconsistent)?))
}

fn public(member: &Option<String>, name: &'static str) -> Result<Vec<u8>, KeyError> {
    member.as_deref().and_then(base64_any).ok_or(KeyError::Member { member: name })
}

fn private(member: &Option<Secret>, name: &'static str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let read = member.as_ref().and_then(|number| base64_any(number.expose_secret()));
    read.map(Zeroizing::new).ok_or(KeyError::Member { member: name })
}

/// Java's and .NET's big integers come with a sign byte.
fn without_zeros(number: &[u8]) -> &[u8] {
    &number[number.iter().take_while(|&&byte| byte == 0).count()..]
}

fn bits(number: &[u8]) -> usize {
    number.first().map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize)
}

/// The number in `length` bytes, whatever zeros it came with. `None` when it is too large.
fn at_length(number: &[u8], length: usize) -> Option<Zeroizing<Vec<u8>>> {
    let number = without_zeros(number);
    let zeros = length.checked_sub(number.len())?;
    let mut padded = Zeroizing::new(vec![0; length]);
    padded[zeros..].copy_from_slice(number);
    Some(padded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_brought_to_its_length_without_changing_it() {
        assert_eq!(at_length(&[1, 2], 3).unwrap().as_slice(), [0, 1, 2]);
        assert_eq!(at_length(&[0, 0, 1, 2], 2).unwrap().as_slice(), [1, 2]);
        assert_eq!(at_length(&[], 2).unwrap().as_slice(), [0, 0]);
        assert!(at_length(&[1, 2, 3], 2).is_none());
    }

    #[test]
    fn bits_are_counted_from_the_first_that_is_set() {
        for (number, expected) in [(&[][..], 0), (&[1], 1), (&[0x80], 8), (&[0x7f, 0], 15), (&[0xff, 0], 16)] {
            assert_eq!(bits(number), expected, "{number:?}");
        }
    }
}
