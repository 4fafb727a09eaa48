//! Key material against the real `openssl`: what one of them makes, the other reads, checks and undoes.

use credstore_protocol::encoding::{base64_any, base64_standard, base64url, hex_upper};
use credstore_protocol::key_vault::keys::{
    Curve, EncryptionAlgorithm, JsonWebKey, KeyType, PrivateJsonWebKey, SignatureAlgorithm,
};
use credstore_vault::keys::{KeyError, KeyMaterial, KeyShape, RsaSize};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::openssl::Bench;

impl Bench {
    /// Makes `key.pem` with its public half `public.pem`, and reads it as a JSON Web Key.
    fn rsa(&self, bits: usize) -> Value {
        self.openssl(&format!("genrsa -out key.pem {bits}"));
        self.openssl("pkey -in key.pem -pubout -out public.pem");
        self.openssl("rsa -in key.pem -traditional -outform der -out key.der");
        // RFC 8017 appendix A.1.2: version, n, e, d, p, q, dp, dq, qi.
        let numbers = integers(&self.read("key.der"));
        let names = ["n", "e", "d", "p", "q", "dp", "dq", "qi"];
        let mut key = json!({"kty": "RSA"});
        for (name, number) in names.iter().zip(&numbers[1..]) {
            key[*name] = json!(base64url(number));
        }
        key
    }

    /// The same for an elliptic curve.
    fn ec(&self, curve: Curve) -> Value {
        let (name, field) = sec_name(curve);
        self.openssl(&format!("ecparam -name {name} -genkey -noout -out key.pem"));
        self.openssl("pkey -in key.pem -pubout -out public.pem");
        self.openssl("pkey -in key.pem -pubout -outform der -out public.der");
        self.openssl("ec -in key.pem -outform der -out key.der");
        // RFC 5915: SEQUENCE { INTEGER 1, OCTET STRING d, … }; the point is the end of the public key.
        let der = self.read("key.der");
        let (_, content, _) = element(&der);
        let (_, _, content) = element(content);
        let (tag, d, _) = element(content);
        assert_eq!((tag, d.len()), (4, field));
        let point = self.read("public.der");
        let (x, y) = point[point.len() - 2 * field..].split_at(field);
        json!({"kty": "EC", "crv": curve.as_str(), "x": base64url(x), "y": base64url(y), "d": base64url(d)})
    }

    /// Whether `openssl` takes `signature` for one of `digest` by the key of `public.pem`.
    fn verifies(&self, digest: &[u8], signature: &[u8], options: &str) -> bool {
        self.write("digest", digest);
        self.write("signature", signature);
        let arguments = format!("pkeyutl -verify -pubin -inkey public.pem -in digest -sigfile signature{options}");
        self.run(&arguments).status.success()
    }

    /// The signature of `digest` that `openssl` makes with `key.pem`.
    fn signs(&self, digest: &[u8], options: &str) -> Vec<u8> {
        self.write("digest", digest);
        self.openssl(&format!("pkeyutl -sign -inkey key.pem -in digest -out signature{options}"));
        self.read("signature")
    }
}

/// Tag, content and what follows of the DER element at the start.
fn element(der: &[u8]) -> (u8, &[u8], &[u8]) {
    let (length, header) = match der[1] {
        short @ 0..=0x7f => (usize::from(short), 2),
        0x81 => (usize::from(der[2]), 3),
        0x82 => (usize::from(der[2]) << 8 | usize::from(der[3]), 4),
        other => panic!("a length of {other:x}"),
    };
    (der[0], &der[header..header + length], &der[header + length..])
}

/// The numbers of a DER sequence of integers, without their sign bytes.
fn integers(der: &[u8]) -> Vec<Vec<u8>> {
    let (_, mut rest, _) = element(der);
    let mut numbers = Vec::new();
    while !rest.is_empty() {
        let (tag, number, after) = element(rest);
        assert_eq!(tag, 2);
        numbers.push(number.iter().copied().skip_while(|&byte| byte == 0).collect());
        rest = after;
    }
    numbers
}

/// r and s at full length from the DER that `openssl` writes.
fn raw_signature(der: &[u8], field: usize) -> Vec<u8> {
    let mut raw = Vec::new();
    for number in integers(der) {
        raw.resize(raw.len() + field - number.len(), 0);
        raw.extend(number);
    }
    raw
}

/// The DER that `openssl` reads from r and s.
fn der_signature(raw: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    for half in raw.chunks(raw.len() / 2) {
        let mut number: Vec<u8> = half.iter().copied().skip_while(|&byte| byte == 0).collect();
        if number[0] >= 0x80 {
            number.insert(0, 0);
        }
        content.extend([2, u8::try_from(number.len()).unwrap()]);
        content.extend(number);
    }
    let length = u8::try_from(content.len()).unwrap();
    let header = if length < 0x80 { vec![0x30, length] } else { vec![0x30, 0x81, length] };
    [header, content].concat()
}

/// The name that `openssl` has for the curve, and the bytes of its field.
fn sec_name(curve: Curve) -> (&'static str, usize) {
    match curve {
        Curve::P256 => ("prime256v1", 32),
        Curve::P384 => ("secp384r1", 48),
        Curve::P521 => ("secp521r1", 66),
        Curve::P256K => ("secp256k1", 32),
    }
}

fn parsed(key: &Value) -> PrivateJsonWebKey {
    serde_json::from_value(key.clone()).unwrap()
}

fn imported(key: &Value) -> KeyMaterial {
    KeyMaterial::import(&parsed(key)).unwrap()
}

/// A change of a JSON Web Key: `null` takes the member away.
fn refused(key: &Value, member: &str, value: Value) -> KeyError {
    let mut changed = key.clone();
    changed[member] = value;
    match KeyMaterial::import(&parsed(&changed)) {
        Err(error) => error,
        Ok(_) => panic!("{member} was taken"),
    }
}

fn digest(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| u8::try_from(at).unwrap() ^ 0xa5).collect()
}

/// Algorithm, bytes of its digest, and how `openssl` is told the same.
const RSA_SIGNATURES: [(SignatureAlgorithm, usize, &str); 6] = [
    (SignatureAlgorithm::Rs256, 32, " -pkeyopt digest:sha256 -pkeyopt rsa_padding_mode:pkcs1"),
    (SignatureAlgorithm::Rs384, 48, " -pkeyopt digest:sha384 -pkeyopt rsa_padding_mode:pkcs1"),
    (SignatureAlgorithm::Rs512, 64, " -pkeyopt digest:sha512 -pkeyopt rsa_padding_mode:pkcs1"),
    (
        SignatureAlgorithm::Ps256,
        32,
        " -pkeyopt digest:sha256 -pkeyopt rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:32",
    ),
    (
        SignatureAlgorithm::Ps384,
        48,
        " -pkeyopt digest:sha384 -pkeyopt rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:48",
    ),
    (
        SignatureAlgorithm::Ps512,
        64,
        " -pkeyopt digest:sha512 -pkeyopt rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:64",
    ),
];

/// Curve, its algorithm, bytes of its digest. Source: RFC 7518 section 3.4, RFC 8812 section 3.2.
const EC_SIGNATURES: [(Curve, SignatureAlgorithm, usize); 4] = [
    (Curve::P256, SignatureAlgorithm::Es256, 32),
    (Curve::P384, SignatureAlgorithm::Es384, 48),
    (Curve::P521, SignatureAlgorithm::Es512, 64),
    (Curve::P256K, SignatureAlgorithm::Es256K, 32),
];

/// Algorithm, how `openssl` is told the same, and bytes that it takes of the modulus. Source: RFC 8017 sections 7.1.1
/// (2 hLen + 2) and 7.2.1 (11).
const ENCRYPTIONS: [(EncryptionAlgorithm, &str, usize); 3] = [
    (EncryptionAlgorithm::RsaOaep, " -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha1", 42),
    (
        EncryptionAlgorithm::RsaOaep256,
        " -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256",
        66,
    ),
    (EncryptionAlgorithm::Rsa15, " -pkeyopt rsa_padding_mode:pkcs1", 11),
];

#[test]
fn an_rsa_key_of_openssl_is_imported_in_every_size_and_shows_its_public_half() {
    for size in RsaSize::ALL {
        let bench = Bench::new();
        let sent = bench.rsa(size.bits() as usize);
        let key = imported(&sent);
        assert_eq!(key.shape(), KeyShape::Rsa(size));
        let public = key.public().unwrap();
        let modulus = bench.openssl("rsa -in key.pem -noout -modulus");
        assert_eq!(modulus.trim(), format!("Modulus={}", hex_upper(&base64_any(public.n.as_ref().unwrap()).unwrap())));
        // 65537, which openssl takes when nothing else is said.
        let expected = json!({"kty": "RSA", "n": sent["n"], "e": "AQAB"});
        assert_eq!(serde_json::to_value(&public).unwrap(), expected);
    }
}

#[test]
fn an_ec_key_of_openssl_is_imported_on_every_curve_and_shows_its_public_half() {
    for &curve in Curve::ALL {
        let sent = Bench::new().ec(curve);
        let key = imported(&sent);
        assert_eq!(key.shape(), KeyShape::Ec(curve));
        let expected = json!({"kty": "EC", "crv": curve.as_str(), "x": sent["x"], "y": sent["y"]});
        assert_eq!(serde_json::to_value(key.public().unwrap()).unwrap(), expected);
    }
}

#[test]
fn openssl_takes_a_generated_key_for_a_sound_one_of_its_size() {
    let rsa = RsaSize::ALL.map(|size| (KeyShape::Rsa(size), format!("Private-Key: ({} bit, 2 primes)", size.bits())));
    // The names of openssl's texts; NIST's where the curve has one.
    let ec = [
        (KeyShape::Ec(Curve::P256), "NIST CURVE: P-256".to_owned()),
        (KeyShape::Ec(Curve::P384), "NIST CURVE: P-384".to_owned()),
        (KeyShape::Ec(Curve::P521), "NIST CURVE: P-521".to_owned()),
        (KeyShape::Ec(Curve::P256K), "ASN1 OID: secp256k1".to_owned()),
    ];
    let bench = Bench::new();
    for (shape, expected) in rsa.into_iter().chain(ec) {
        let key = KeyMaterial::generate(shape).unwrap();
        assert_eq!(key.shape(), shape);
        bench.write("key.der", &key.pkcs8().unwrap());
        let said = bench.openssl("pkey -inform der -in key.der -check -noout -text");
        assert!(said.contains("Key is valid") && said.contains(&expected), "{shape:?}: {said}");
    }
}

#[test]
fn two_generated_keys_are_two_keys() {
    for shape in [KeyShape::Rsa(RsaSize::Bits2048), KeyShape::Ec(Curve::P256)] {
        let made = || KeyMaterial::generate(shape).unwrap().public().unwrap();
        assert_ne!(made(), made());
    }
}

#[test]
fn an_rsa_signature_is_one_for_openssl_and_the_other_way_round() {
    let bench = Bench::new();
    let key = imported(&bench.rsa(2048));
    for (algorithm, length, options) in RSA_SIGNATURES {
        let digest = digest(length);
        let ours = key.sign(algorithm, &digest).unwrap();
        assert!(bench.verifies(&digest, &ours, options), "{algorithm}");
        let theirs = bench.signs(&digest, options);
        assert_eq!(key.verify(algorithm, &digest, &theirs), Ok(true), "{algorithm}");
        let deterministic =
            matches!(algorithm, SignatureAlgorithm::Rs256 | SignatureAlgorithm::Rs384 | SignatureAlgorithm::Rs512);
        assert_eq!(ours == theirs, deterministic, "{algorithm}");
    }
}

#[test]
fn an_ec_signature_is_one_for_openssl_and_the_other_way_round() {
    for (curve, algorithm, length) in EC_SIGNATURES {
        let bench = Bench::new();
        let key = imported(&bench.ec(curve));
        let (digest, field) = (digest(length), sec_name(curve).1);
        // Several, since a number with a leading zero comes once in 256 signatures only.
        for _ in 0..3 {
            let ours = key.sign(algorithm, &digest).unwrap();
            assert_eq!(ours.len(), 2 * field);
            assert!(bench.verifies(&digest, &der_signature(&ours), ""), "{algorithm}");
            let theirs = raw_signature(&bench.signs(&digest, ""), field);
            assert_eq!(key.verify(algorithm, &digest, &theirs), Ok(true), "{algorithm}");
        }
    }
}

#[test]
fn a_pss_signature_with_another_salt_is_none() {
    let bench = Bench::new();
    let key = imported(&bench.rsa(2048));
    let options = " -pkeyopt digest:sha256 -pkeyopt rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:20";
    let theirs = bench.signs(&digest(32), options);
    assert_eq!(key.verify(SignatureAlgorithm::Ps256, &digest(32), &theirs), Ok(false));
}

#[test]
fn openssl_finds_the_digest_info_in_what_rsnull_signed() {
    let bench = Bench::new();
    let key = imported(&bench.rsa(2048));
    // RFC 8017 section 9.2, note 1.
    let infos = [
        ("3031300d060960864801650304020105000420", 32, SignatureAlgorithm::Rs256),
        ("3041300d060960864801650304020205000430", 48, SignatureAlgorithm::Rs384),
        ("3051300d060960864801650304020305000440", 64, SignatureAlgorithm::Rs512),
    ];
    for (start, length, same) in infos {
        let start = credstore_protocol::encoding::hex_any(start).unwrap();
        let info = [start, digest(length)].concat();
        let ours = key.sign(SignatureAlgorithm::RsNull, &info).unwrap();
        bench.write("signature", &ours);
        let padding = "-pkeyopt rsa_padding_mode:pkcs1";
        bench.openssl(&format!("pkeyutl -verifyrecover -pubin -inkey public.pem -in signature -out found {padding}"));
        assert_eq!(bench.read("found"), info);
        assert_eq!(key.verify(SignatureAlgorithm::RsNull, &info, &ours), Ok(true));
        assert_eq!(key.verify(same, &digest(length), &ours), Ok(true));
        for other in [&info[1..], &info[..info.len() - 1], &[&info[..], &[0]].concat(), &digest(length), &[]] {
            assert_eq!(key.sign(SignatureAlgorithm::RsNull, other), Err(KeyError::DigestInfo));
            assert_eq!(key.verify(SignatureAlgorithm::RsNull, other, &ours), Err(KeyError::DigestInfo));
        }
    }
}

#[test]
fn what_openssl_encrypts_is_decrypted_and_the_other_way_round() {
    let bench = Bench::new();
    let key = imported(&bench.rsa(2048));
    for (algorithm, options, _) in ENCRYPTIONS {
        for text in [&b"a"[..], b"a key of another algorithm 32 by", &[0; 190]] {
            bench.write("text", text);
            bench.openssl(&format!("pkeyutl -encrypt -pubin -inkey public.pem -in text -out sealed{options}"));
            assert_eq!(key.decrypt(algorithm, &bench.read("sealed")).unwrap().as_slice(), text, "{algorithm}");
            bench.write("sealed", &key.encrypt(algorithm, text).unwrap());
            bench.openssl(&format!("pkeyutl -decrypt -inkey key.pem -in sealed -out opened{options}"));
            assert_eq!(bench.read("opened"), text, "{algorithm}");
        }
    }
}

#[test]
fn a_text_fits_up_to_the_size_of_the_key_less_the_padding() {
    for size in [RsaSize::Bits2048, RsaSize::Bits3072] {
        let key = KeyMaterial::generate(KeyShape::Rsa(size)).unwrap();
        for (algorithm, _, padding) in ENCRYPTIONS {
            let most = size.bits() as usize / 8 - padding;
            for length in [0, 1, most] {
                let sealed = key.encrypt(algorithm, &vec![7; length]).unwrap();
                assert_eq!(sealed.len(), size.bits() as usize / 8);
                assert_eq!(*key.decrypt(algorithm, &sealed).unwrap(), vec![7; length]);
            }
            let expected = KeyError::TooLong { algorithm: algorithm.as_str(), found: most + 1, most };
            assert_eq!(key.encrypt(algorithm, &vec![7; most + 1]), Err(expected));
        }
    }
}

#[test]
fn the_same_text_is_encrypted_otherwise_each_time() {
    let key = KeyMaterial::generate(KeyShape::Rsa(RsaSize::Bits2048)).unwrap();
    for (algorithm, ..) in ENCRYPTIONS {
        assert_ne!(key.encrypt(algorithm, b"text"), key.encrypt(algorithm, b"text"));
    }
}

#[test]
fn whatever_is_wrong_about_a_sealed_text_is_one_error() {
    let key = KeyMaterial::generate(KeyShape::Rsa(RsaSize::Bits2048)).unwrap();
    let other = KeyMaterial::generate(KeyShape::Rsa(RsaSize::Bits2048)).unwrap();
    for (algorithm, ..) in ENCRYPTIONS {
        let expected = KeyError::Undecryptable { algorithm: algorithm.as_str() };
        let mut changed = key.encrypt(algorithm, b"text").unwrap();
        let whole = changed.clone();
        changed[0] = 0xff;
        let of_other = other.encrypt(algorithm, b"text").unwrap();
        for sealed in [&changed[..], &of_other, &whole[1..], &whole[..255], &[&whole[..], &[0]].concat(), &[]] {
            // Of PKCS#1 padding, one wrong text in some ten thousand looks right (RFC 3218 section 2.1).
            if algorithm != EncryptionAlgorithm::Rsa15 || sealed.len() != 256 {
                assert_eq!(key.decrypt(algorithm, sealed).err(), Some(expected), "{algorithm}");
            }
        }
    }
    let oaep = key.encrypt(EncryptionAlgorithm::RsaOaep, b"text").unwrap();
    assert!(key.decrypt(EncryptionAlgorithm::RsaOaep256, &oaep).is_err());
}

#[test]
fn a_digest_has_the_length_of_its_algorithm() {
    let rsa = KeyMaterial::generate(KeyShape::Rsa(RsaSize::Bits2048)).unwrap();
    let rsa_rows = RSA_SIGNATURES.map(|(algorithm, length, _)| (None, algorithm, length));
    let ec_rows = EC_SIGNATURES.map(|(curve, algorithm, length)| (Some(curve), algorithm, length));
    for (curve, algorithm, needed) in rsa_rows.into_iter().chain(ec_rows) {
        let made = curve.map(|curve| KeyMaterial::generate(KeyShape::Ec(curve)).unwrap());
        let key = made.as_ref().unwrap_or(&rsa);
        let signature = key.sign(algorithm, &digest(needed)).unwrap();
        for found in [0, needed - 1, needed + 1, 200] {
            let expected = KeyError::DigestLength { algorithm: algorithm.as_str(), found, needed };
            assert_eq!(key.sign(algorithm, &digest(found)), Err(expected));
            assert_eq!(key.verify(algorithm, &digest(found), &signature), Err(expected));
        }
    }
}

#[test]
fn an_algorithm_is_for_one_kind_of_key_and_one_curve() {
    let rsa = KeyMaterial::generate(KeyShape::Rsa(RsaSize::Bits2048)).unwrap();
    for &has in Curve::ALL {
        let key = KeyMaterial::generate(KeyShape::Ec(has)).unwrap();
        for (needs, algorithm, length) in EC_SIGNATURES {
            let of_rsa = KeyError::AlgorithmOfOtherKind { algorithm: algorithm.as_str(), key_type: KeyType::Rsa };
            assert_eq!(rsa.sign(algorithm, &digest(length)), Err(of_rsa));
            assert_eq!(rsa.verify(algorithm, &digest(length), &[]), Err(of_rsa));
            let other = KeyError::AlgorithmOfOtherCurve { algorithm: algorithm.as_str(), curve: has, needs };
            assert_eq!(key.sign(algorithm, &digest(length)).err(), (has != needs).then_some(other));
            assert_eq!(key.verify(algorithm, &digest(length), &[]).err(), (has != needs).then_some(other));
        }
        let of_ec = |algorithm| KeyError::AlgorithmOfOtherKind { algorithm, key_type: KeyType::Ec };
        for algorithm in RSA_SIGNATURES.map(|(algorithm, ..)| algorithm).into_iter().chain([SignatureAlgorithm::RsNull])
        {
            assert_eq!(key.sign(algorithm, &digest(32)), Err(of_ec(algorithm.as_str())));
            assert_eq!(key.verify(algorithm, &digest(32), &[]), Err(of_ec(algorithm.as_str())));
        }
        for (algorithm, ..) in ENCRYPTIONS {
            assert_eq!(key.encrypt(algorithm, b"a"), Err(of_ec(algorithm.as_str())));
            assert_eq!(key.decrypt(algorithm, b"a").err(), Some(of_ec(algorithm.as_str())));
        }
    }
}

#[test]
fn a_signature_of_another_form_is_none_and_no_error() {
    let rsa = KeyMaterial::generate(KeyShape::Rsa(RsaSize::Bits2048)).unwrap();
    let ours = rsa.sign(SignatureAlgorithm::Rs256, &digest(32)).unwrap();
    for other in [&[][..], &ours[1..], &[&ours[..], &[0]].concat(), &[0; 256]] {
        assert_eq!(rsa.verify(SignatureAlgorithm::Rs256, &digest(32), other), Ok(false));
    }
    assert_eq!(rsa.verify(SignatureAlgorithm::Ps256, &digest(32), &ours), Ok(false));
    let ec = KeyMaterial::generate(KeyShape::Ec(Curve::P256)).unwrap();
    let ours = ec.sign(SignatureAlgorithm::Es256, &digest(32)).unwrap();
    for other in [&[][..], &ours[1..], &[&ours[..], &[0]].concat(), &[0; 64], &der_signature(&ours)] {
        assert_eq!(ec.verify(SignatureAlgorithm::Es256, &digest(32), other), Ok(false));
    }
}

#[test]
fn an_import_without_one_of_its_members_is_refused_by_the_member() {
    let (rsa, ec) = (Bench::new().rsa(2048), Bench::new().ec(Curve::P256));
    for (key, members) in [(&rsa, &["n", "e", "d", "p", "q", "dp", "dq", "qi"][..]), (&ec, &["x", "y", "d"])] {
        for &member in members {
            assert_eq!(refused(key, member, Value::Null), KeyError::Member { member });
            assert_eq!(refused(key, member, json!("not base64url")), KeyError::Member { member });
        }
    }
    assert_eq!(refused(&ec, "crv", Value::Null), KeyError::Member { member: "crv" });
}

#[test]
fn an_import_whose_numbers_are_not_of_one_key_is_refused() {
    let (rsa, other) = (Bench::new().rsa(2048), Bench::new().rsa(2048));
    for member in ["n", "e", "d", "p", "q", "dp", "dq", "qi"] {
        // Another key's number; its exponent is the same, so that one is 3.
        let value = if member == "e" { json!("Aw") } else { other[member].clone() };
        assert_eq!(refused(&rsa, member, value), KeyError::Inconsistent(KeyType::Rsa), "{member}");
        // Longer than any number of such a key.
        let long = json!(base64url(&vec![1; 100_000]));
        let expected =
            if member == "n" { KeyError::Size { bits: 799_993 } } else { KeyError::Inconsistent(KeyType::Rsa) };
        assert_eq!(refused(&rsa, member, long), expected, "{member}");
        if !["n", "e"].contains(&member) {
            assert_eq!(refused(&rsa, member, json!("")), KeyError::Inconsistent(KeyType::Rsa), "{member}");
        }
    }
    for even in ["AA", "AQ", "AQAA", "AQAAAAAAAQ"] {
        assert_eq!(refused(&rsa, "e", json!(even)), KeyError::Inconsistent(KeyType::Rsa), "{even}");
    }
    for curve in Curve::ALL {
        let (ec, other) = (Bench::new().ec(*curve), Bench::new().ec(*curve));
        let field = sec_name(*curve).1;
        for member in ["x", "y", "d"] {
            let long = base64url(&vec![1; field + 1]);
            for value in
                [other[member].clone(), json!("AA"), json!(""), json!(base64url(&vec![0xff; field])), json!(long)]
            {
                assert_eq!(refused(&ec, member, value), KeyError::Inconsistent(KeyType::Ec), "{curve} {member}");
            }
        }
    }
    let ec = Bench::new().ec(Curve::P256);
    for other in ["P-256K", "P-384", "P-521"] {
        assert_eq!(refused(&ec, "crv", json!(other)), KeyError::Inconsistent(KeyType::Ec));
    }
}

#[test]
fn an_import_of_a_size_or_kind_that_a_vault_has_not_is_refused() {
    let bench = Bench::new();
    for bits in [1024, 2056, 2560] {
        let error = KeyMaterial::import(&parsed(&bench.rsa(bits))).err();
        assert_eq!(error, Some(KeyError::Size { bits }));
    }
    let rsa = bench.rsa(2048);
    for (kty, kind) in
        [("RSA-HSM", KeyType::RsaHsm), ("EC-HSM", KeyType::EcHsm), ("oct", KeyType::Oct), ("oct-HSM", KeyType::OctHsm)]
    {
        assert_eq!(refused(&rsa, "kty", json!(kty)), KeyError::Kind(kind));
    }
}

#[test]
fn the_spellings_of_a_number_are_one_number() {
    let (rsa, ec) = (Bench::new().rsa(2048), Bench::new().ec(Curve::P521));
    for (key, members) in [(&rsa, &["n", "e", "d", "p", "q", "dp", "dq", "qi"][..]), (&ec, &["x", "y", "d"])] {
        let (mut padded, mut signed) = (key.clone(), key.clone());
        for member in members {
            let number = base64_any(key[member].as_str().unwrap()).unwrap();
            padded[member] = json!(base64_standard(&number));
            signed[member] = json!(base64url(&[&[0][..], &number].concat()));
        }
        let expected = imported(key).public().unwrap();
        assert_eq!(imported(&padded).public().unwrap(), expected);
        assert_eq!(imported(&signed).public().unwrap(), expected);
    }
    // A client that drops leading zeros: the first byte of a P-521 number is 0 or 1.
    let mut short = ec.clone();
    for member in ["x", "y", "d"] {
        let number = base64_any(ec[member].as_str().unwrap()).unwrap();
        short[member] = json!(base64url(&number.into_iter().skip_while(|&byte| byte == 0).collect::<Vec<_>>()));
    }
    let public = imported(&short).public().unwrap();
    assert_eq!((json!(public.x), json!(public.y)), (ec["x"].clone(), ec["y"].clone()));
}

#[test]
fn a_key_is_the_same_after_it_was_stored() {
    let shapes =
        [KeyShape::Rsa(RsaSize::Bits2048)].into_iter().chain(Curve::ALL.iter().map(|&curve| KeyShape::Ec(curve)));
    let shapes: Vec<_> = shapes.collect();
    for &shape in &shapes {
        let key = KeyMaterial::generate(shape).unwrap();
        let stored = key.pkcs8().unwrap();
        let opened = KeyMaterial::open(shape, &stored).unwrap();
        assert_eq!((opened.shape(), opened.public()), (shape, key.public()));
        assert_eq!(opened.pkcs8().unwrap(), stored);
        for &other in shapes.iter().chain(&[KeyShape::Rsa(RsaSize::Bits3072)]) {
            assert_eq!(KeyMaterial::open(other, &stored).is_ok(), other == shape, "{shape:?} as {other:?}");
        }
        for cut in [&stored[1..], &stored[..stored.len() - 1], &[]] {
            assert_eq!(KeyMaterial::open(shape, cut).err(), Some(KeyError::Damaged));
        }
    }
}

#[test]
fn neither_a_key_nor_an_error_about_it_shows_a_private_number() {
    let rsa = Bench::new().rsa(2048);
    let shown = format!("{:?} {:?}", imported(&rsa), parsed(&rsa));
    let errors = ["n", "d", "p", "qi"].map(|member| refused(&rsa, member, json!("planted planted")));
    let said = format!("{shown} {errors:?} {}", errors.map(|error| error.to_string()).join(" "));
    for member in ["d", "p", "q", "dp", "dq", "qi"] {
        assert!(!said.contains(rsa[member].as_str().unwrap()), "{member}");
    }
    assert!(!said.contains("planted"));
    let public: JsonWebKey = imported(&rsa).public().unwrap();
    assert!(!serde_json::to_string(&public).unwrap().contains(rsa["d"].as_str().unwrap()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_changed_bit_in_a_digest_or_signature_is_seen(at in 0_usize..64 * 8, digest in any::<[u8; 32]>()) {
        let key = KeyMaterial::generate(KeyShape::Ec(Curve::P256)).unwrap();
        let mut signature = key.sign(SignatureAlgorithm::Es256, &digest).unwrap();
        prop_assert_eq!(key.verify(SignatureAlgorithm::Es256, &digest, &signature), Ok(true));
        let mut other = digest;
        other[at / 8 % 32] ^= 1 << (at % 8);
        prop_assert_eq!(key.verify(SignatureAlgorithm::Es256, &other, &signature), Ok(false));
        signature[at / 8] ^= 1 << (at % 8);
        prop_assert_eq!(key.verify(SignatureAlgorithm::Es256, &digest, &signature), Ok(false));
    }

    #[test]
    fn foreign_numbers_are_refused_and_never_end_the_process(
        members in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 8),
        curve in prop::sample::select(Curve::ALL),
    ) {
        let mut key = json!({"kty": "RSA", "crv": curve.as_str()});
        for (name, bytes) in ["n", "e", "d", "p", "q", "dp", "dq", "qi"].iter().zip(&members) {
            key[*name] = json!(base64url(bytes));
        }
        prop_assert!(KeyMaterial::import(&parsed(&key)).is_err());
        // Past the check of the size.
        key["n"] = json!(base64url(&[&[0x80][..], &[7; 255]].concat()));
        prop_assert!(KeyMaterial::import(&parsed(&key)).is_err());
        key["kty"] = json!("EC");
        (key["x"], key["y"]) = (key["p"].clone(), key["q"].clone());
        prop_assert!(KeyMaterial::import(&parsed(&key)).is_err());
    }

    #[test]
    fn foreign_bytes_are_no_stored_key(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for shape in [KeyShape::Rsa(RsaSize::Bits2048), KeyShape::Ec(Curve::P256)] {
            prop_assert_eq!(KeyMaterial::open(shape, &bytes).err(), Some(KeyError::Damaged));
        }
    }
}
