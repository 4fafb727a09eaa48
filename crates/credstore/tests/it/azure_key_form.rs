//! Keys in the forms of other programs, against the real `openssl`: its private keys are read, and the public halves are its own.

use std::path::Path;

use credstore::azure::key_form::{KEY_FILE_MAX, KeyFileError, private_key, public_der};
use credstore::protocol::Secret;
use credstore::protocol::encoding::{base64_any, hex_lower};
use credstore::protocol::key_vault::keys::{JsonWebKey, PrivateJsonWebKey};
use proptest::prelude::*;

use crate::azure_support::{Folder, openssl};

fn read(folder: &Folder, name: &str) -> String {
    std::fs::read_to_string(folder.path(name)).unwrap()
}

fn made(folder: &Folder, kind: &str) {
    let options = match kind.strip_prefix("rsa") {
        Some(bits) => format!("-algorithm RSA -pkeyopt rsa_keygen_bits:{bits}"),
        None => format!("-algorithm EC -pkeyopt ec_paramgen_curve:{kind}"),
    };
    openssl(folder, &format!("genpkey {options} -out key.pem"), "");
}

fn private(number: &Option<Secret>) -> Vec<u8> {
    base64_any(number.as_ref().expect("the number is there").expose_secret()).unwrap()
}

fn numbers(key: &PrivateJsonWebKey) -> Vec<Vec<u8>> {
    [&key.d, &key.p, &key.q, &key.dp, &key.dq, &key.qi].into_iter().filter(|it| it.is_some()).map(private).collect()
}

/// The numbers of `openssl pkey -text` below their names, without the sign byte.
fn shown(text: &str, name: &str) -> String {
    let lines = text.lines().skip_while(|line| !line.starts_with(name)).skip(1);
    let digits: String = lines.take_while(|line| line.starts_with(' ')).map(str::trim).collect();
    digits.replace(':', "").trim_start_matches("00").to_owned()
}

fn public(key: &PrivateJsonWebKey) -> JsonWebKey {
    JsonWebKey {
        kid: None,
        kty: key.kty,
        key_ops: None,
        n: key.n.clone(),
        e: key.e.clone(),
        crv: key.crv,
        x: key.x.clone(),
        y: key.y.clone(),
    }
}

#[test]
fn every_form_of_a_key_gives_the_numbers_that_openssl_shows() {
    let folder = Folder::new();
    for kind in ["rsa2048", "rsa3072", "P-256", "P-384", "P-521", "secp256k1"] {
        made(&folder, kind);
        openssl(&folder, "pkey -in key.pem -traditional -out traditional.pem", "");
        openssl(&folder, "pkcs8 -topk8 -in key.pem -out locked.pem -passout pass:word", "");
        openssl(&folder, "pkcs8 -topk8 -scrypt -in key.pem -out scrypt.pem -passout pass:word", "");
        openssl(&folder, "pkey -in key.pem -pubout -outform der -out public.der", "");
        let text = openssl(&folder, "pkey -in key.pem -noout -text", "");
        let wanted = if kind.starts_with("rsa") {
            ["privateExponent:", "prime1:", "prime2:", "exponent1:", "exponent2:", "coefficient:"].to_vec()
        } else {
            vec!["priv:"]
        };
        let wanted: Vec<_> = wanted.into_iter().map(|name| shown(&text, name)).collect();
        let word = Secret::from("word".to_owned());
        for (file, password) in
            [("key.pem", None), ("traditional.pem", None), ("locked.pem", Some(&word)), ("scrypt.pem", Some(&word))]
        {
            let key =
                private_key(&read(&folder, file), password).unwrap_or_else(|error| panic!("{kind} {file}: {error}"));
            let found: Vec<_> =
                numbers(&key).iter().map(|number| hex_lower(number).trim_start_matches("00").to_owned()).collect();
            assert_eq!(found, wanted, "{kind} {file}");
            let der = public_der(&public(&key)).unwrap();
            assert_eq!(der, std::fs::read(folder.path("public.der")).unwrap(), "{kind} {file}");
        }
    }
}

#[test]
fn what_stands_beside_a_key_does_no_harm() {
    let folder = Folder::new();
    openssl(&folder, "ecparam -name prime256v1 -genkey -out key.pem", "");
    let text = read(&folder, "key.pem");
    assert!(text.contains("BEGIN EC PARAMETERS") && private_key(&text, None).is_ok());
    openssl(&folder, "pkey -in key.pem -pubout -out public.pem", "");
    assert!(private_key(&(read(&folder, "public.pem") + &text.replace('\n', "\r\n")), None).is_ok());
    let unused = Secret::from("unused".to_owned());
    assert!(private_key(&text, Some(&unused)).is_ok(), "a password does no harm to a key without one");
}

#[test]
fn each_mistake_is_told_apart() {
    let folder = Folder::new();
    made(&folder, "P-256");
    let key = read(&folder, "key.pem");
    openssl(&folder, "pkey -in key.pem -pubout -out public.pem", "");
    openssl(&folder, "pkcs8 -topk8 -in key.pem -out locked.pem -passout pass:word", "");
    openssl(&folder, "pkcs8 -topk8 -v1 PBE-SHA1-3DES -in key.pem -out old.pem -passout pass:word", "");
    openssl(&folder, "ec -aes256 -in key.pem -out older.pem -passout pass:word", "");
    openssl(&folder, "genpkey -algorithm ED25519 -out edwards.pem", "");
    openssl(&folder, "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out short.pem", "");
    let file = |name: &str| read(&folder, name);
    let (word, other) = (Secret::from("word".to_owned()), Secret::from("planted".to_owned()));
    let cut = key.replace("-----END PRIVATE KEY-----", "");
    let damaged = key.replacen('M', "?", 1);
    for (text, password, wanted) in [
        (String::new(), None, KeyFileError::NoKey),
        (file("public.pem"), None, KeyFileError::NoKey),
        (key.repeat(2), None, KeyFileError::SeveralKeys),
        (cut, None, KeyFileError::Damaged("PRIVATE KEY".to_owned())),
        (damaged, None, KeyFileError::Damaged("PRIVATE KEY".to_owned())),
        (file("locked.pem"), None, KeyFileError::PasswordNeeded),
        (file("locked.pem"), Some(&other), KeyFileError::PasswordWrong),
        (file("old.pem"), Some(&word), KeyFileError::Encryption),
        (file("older.pem"), Some(&word), KeyFileError::Encryption),
        (key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"), Some(&word), KeyFileError::Encryption),
        (file("edwards.pem"), None, KeyFileError::Kind),
        (file("short.pem"), None, KeyFileError::Kind),
        (key.replace("PRIVATE KEY", "OPENSSH PRIVATE KEY"), None, KeyFileError::Kind),
    ] {
        let error = private_key(&text, password).unwrap_err();
        assert_eq!(error, wanted);
        let shown = format!("{:?}", error.diagnosis(Path::new("key.pem")));
        assert!(shown.contains("CS1216") && shown.contains("key.pem") && !shown.contains("planted"), "{shown}");
    }
}

#[test]
fn a_file_may_be_as_long_as_the_limit() {
    let folder = Folder::new();
    made(&folder, "P-256");
    let key = read(&folder, "key.pem");
    let padded = |length: usize| format!("{key}{}", "\n".repeat(length - key.len()));
    assert!(private_key(&padded(KEY_FILE_MAX), None).is_ok());
    assert_eq!(private_key(&padded(KEY_FILE_MAX + 1), None).unwrap_err(), KeyFileError::TooLarge);
}

#[test]
fn a_public_half_that_lacks_a_number_has_no_der() {
    let folder = Folder::new();
    for kind in ["rsa2048", "P-256"] {
        made(&folder, kind);
        let whole = public(&private_key(&read(&folder, "key.pem"), None).unwrap());
        assert!(public_der(&whole).is_some());
        for lacking in [
            JsonWebKey { n: None, x: None, ..whole.clone() },
            JsonWebKey { e: None, y: None, ..whole.clone() },
            JsonWebKey { e: Some("no base64".to_owned()), crv: None, ..whole.clone() },
        ] {
            assert_eq!(public_der(&lacking), None, "{lacking:?}");
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_between_the_lines_of_a_key_make_it_panic(
        der in prop::collection::vec(any::<u8>(), 0..200),
        label in prop::sample::select(vec!["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY"]),
    ) {
        let mut text = String::new();
        credstore::protocol::pem::push_block(&mut text, label, &der);
        prop_assert!(private_key(&text, Some(&Secret::from(String::new()))).is_err());
    }
}
