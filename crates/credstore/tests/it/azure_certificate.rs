//! Certificates against the real `openssl`: its files work here, ours work there.

use std::path::Path;

use credstore::azure::assertion;
use credstore::azure::certificate::{
    CertificateError, CertificateFile, SigningAlgorithm, SigningCertificate, export_public, generate,
    public_certificate,
};
use credstore::protocol::encoding::{base64_any, base64url};
use credstore::protocol::{Secret, Timestamp};
use proptest::prelude::*;

use crate::azure_support::{CLIENT, Folder, NOW, certificate, client_id, generated, openssl};

/// The first command of the set-up guide, answered with Enter, as the guide says.
const GUIDE_MAKE: &str =
    "req -x509 -nodes -days 365 -newkey rsa:2048 -keyout my-certificate.pem -out my-certificate.pem";
/// The second one.
const GUIDE_EXPORT: &str = "x509 -outform der -in my-certificate.pem -out azure-cert.cer";

fn read(folder: &Folder, name: &str) -> Vec<u8> {
    std::fs::read(folder.path(name)).unwrap()
}

fn load(folder: &Folder, name: &str) -> Result<SigningCertificate, CertificateError> {
    SigningCertificate::load(&read(folder, name), None)
}

#[test]
fn the_files_of_the_set_up_guide_work() {
    let folder = Folder::new();
    openssl(&folder, GUIDE_MAKE, "\n\n\n\n\n\n\n");
    openssl(&folder, GUIDE_EXPORT, "");
    let certificate = load(&folder, "my-certificate.pem").unwrap();
    let public = public_certificate(&read(&folder, "azure-cert.cer")).unwrap();
    assert_eq!(*certificate.public(), public);
    assert_eq!(public.not_after.seconds_since(public.not_before), 365 * 86_400);
    assert_eq!(public.key_bits, Some(2048));
    assert!(public.subject.contains("Internet Widgits Pty Ltd"), "{}", public.subject);
    let shown = openssl(&folder, "x509 -noout -fingerprint -sha1 -in my-certificate.pem", "");
    assert!(shown.replace(':', "").contains(&public.thumbprint()), "{shown}");
    assert_eq!(export_public(&read(&folder, "my-certificate.pem"), None).unwrap().der, read(&folder, "azure-cert.cer"));
}

#[test]
fn every_form_of_a_good_file_gives_the_same_certificate() {
    let folder = Folder::new();
    openssl(&folder, GUIDE_MAKE, "\n\n\n\n\n\n\n");
    let original = String::from_utf8(read(&folder, "my-certificate.pem")).unwrap();
    let wanted = load(&folder, "my-certificate.pem").unwrap().public().thumbprint();
    openssl(&folder, "pkey -in my-certificate.pem -traditional -out rsa.pem", "");
    openssl(&folder, "x509 -in my-certificate.pem -out only-certificate.pem", "");
    openssl(&folder, "pkcs12 -export -in my-certificate.pem -out bare.pfx -passout pass:", "");
    openssl(&folder, "pkcs12 -export -in my-certificate.pem -out locked.pfx -passout pass:word", "");
    openssl(&folder, "pkcs12 -in bare.pfx -nodes -out bags.pem -passin pass:", "");
    openssl(&folder, "req -x509 -nodes -newkey rsa:2048 -subj /CN=other -keyout other.key -out other.pem", "");

    let pkcs1 = String::from_utf8(read(&folder, "rsa.pem")).unwrap();
    assert!(pkcs1.contains("BEGIN RSA PRIVATE KEY"));
    let only = String::from_utf8(read(&folder, "only-certificate.pem")).unwrap();
    let other = String::from_utf8(read(&folder, "other.pem")).unwrap();
    let bags = String::from_utf8(read(&folder, "bags.pem")).unwrap();
    assert!(bags.contains("Bag Attributes"));
    for (what, text) in [
        ("certificate first, PKCS#1", format!("{only}{pkcs1}")),
        ("CRLF", original.replace('\n', "\r\n")),
        ("byte order mark", format!("\u{feff}{original}")),
        ("bag attributes", bags),
        ("another certificate first", format!("{other}{original}")),
        ("no newline at the end", original.trim_end().to_owned()),
    ] {
        let certificate =
            SigningCertificate::load(text.as_bytes(), None).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(certificate.public().thumbprint(), wanted, "{what}");
    }
    assert_eq!(load(&folder, "bare.pfx").unwrap().public().thumbprint(), wanted);
    let word = Secret::from("word".to_owned());
    let opened = SigningCertificate::load(&read(&folder, "locked.pfx"), Some(&word)).unwrap();
    assert_eq!(opened.public().thumbprint(), wanted);
}

#[test]
fn every_usual_mistake_is_told_apart() {
    let folder = Folder::new();
    openssl(&folder, GUIDE_MAKE, "\n\n\n\n\n\n\n");
    openssl(&folder, GUIDE_EXPORT, "");
    for arguments in [
        "pkey -in my-certificate.pem -out key.pem",
        "pkey -in my-certificate.pem -outform der -out key.der",
        "x509 -in my-certificate.pem -out certificate.pem",
        "pkey -in my-certificate.pem -aes256 -passout pass:word -out encrypted.pem",
        "pkey -in my-certificate.pem -aes256 -passout pass:word -traditional -out encrypted-old.pem",
        "req -x509 -nodes -newkey rsa:2048 -subj /CN=other -keyout other.key -out other.pem",
        "req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj /CN=ec -keyout ec.pem -out ec.pem",
        "req -x509 -nodes -newkey ed25519 -subj /CN=ed -keyout ed.pem -out ed.pem",
        "req -x509 -nodes -newkey rsa:1024 -subj /CN=small -keyout small.pem -out small.pem",
        "pkcs12 -export -in my-certificate.pem -out locked.pfx -passout pass:word",
        "ecparam -name prime256v1 -genkey -noout -out ec-old.key",
    ] {
        openssl(&folder, arguments, "");
    }
    let join = |names: &[&str]| names.iter().flat_map(|name| read(&folder, name)).collect::<Vec<u8>>();
    let good = read(&folder, "my-certificate.pem");
    let mut cut = good.clone();
    cut.truncate(good.len() - 40);
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(good.iter().flat_map(|byte| [*byte, 0])).collect();
    type Check = fn(&CertificateError) -> bool;
    let cases: [(&str, Vec<u8>, Check); 17] = [
        ("only key", join(&["key.pem"]), |e| matches!(e, CertificateError::OnlyKey)),
        ("only certificate", join(&["certificate.pem"]), |e| matches!(e, CertificateError::OnlyCertificate)),
        ("other key", join(&["other.key", "certificate.pem"]), |e| {
            matches!(e, CertificateError::KeyMismatch { certificates: 1 })
        }),
        ("encrypted", join(&["encrypted.pem", "certificate.pem"]), |e| matches!(e, CertificateError::KeyEncrypted)),
        ("encrypted, old form", join(&["encrypted-old.pem", "certificate.pem"]), |e| {
            matches!(e, CertificateError::KeyEncrypted)
        }),
        ("EC", join(&["ec.pem"]), |e| matches!(e, CertificateError::KeyNotRsa("an EC"))),
        ("EC, old form", join(&["ec-old.key", "certificate.pem"]), |e| {
            matches!(e, CertificateError::KeyNotRsa("an EC"))
        }),
        ("Ed25519", join(&["ed.pem"]), |e| matches!(e, CertificateError::KeyNotRsa(_))),
        ("small", join(&["small.pem"]), |e| matches!(e, CertificateError::KeyTooSmall)),
        ("DER certificate", join(&["azure-cert.cer"]), |e| matches!(e, CertificateError::DerCertificate)),
        ("DER key", join(&["key.der"]), |e| matches!(e, CertificateError::DerKey)),
        ("PFX with password", join(&["locked.pfx"]), |e| {
            matches!(e, CertificateError::PfxPassword { password_given: false })
        }),
        ("cut off", cut, |e| matches!(e, CertificateError::BlockNotClosed(_))),
        ("UTF-16", utf16, |e| matches!(e, CertificateError::Utf16)),
        ("empty", b" \r\n".to_vec(), |e| matches!(e, CertificateError::Empty)),
        ("something else", b"hello".to_vec(), |e| matches!(e, CertificateError::NotACertificate)),
        ("too large", vec![b' '; 128 * 1024 + 1], |e| matches!(e, CertificateError::TooLarge)),
    ];
    for (what, bytes, is_expected) in cases {
        let error = SigningCertificate::load(&bytes, None).err().unwrap_or_else(|| panic!("{what} was accepted"));
        assert!(is_expected(&error), "{what}: {error:?}");
        let diagnosis = error.diagnosis(Some(Path::new("my.pem")), None);
        assert!(diagnosis.code.id.starts_with("CS12") && !diagnosis.fix.is_empty(), "{what}: {diagnosis:?}");
    }
    let wrong = Secret::from("wrong".to_owned());
    let error = SigningCertificate::load(&read(&folder, "locked.pfx"), Some(&wrong)).unwrap_err();
    assert_eq!(error, CertificateError::PfxPassword { password_given: true });
}

#[test]
fn a_file_with_a_private_key_is_never_taken_for_upload() {
    let folder = Folder::new();
    openssl(&folder, GUIDE_MAKE, "\n\n\n\n\n\n\n");
    for arguments in [
        "pkey -in my-certificate.pem -aes256 -passout pass:word -out encrypted.pem",
        "pkey -in my-certificate.pem -outform der -out key.der",
        "pkey -in my-certificate.pem -traditional -outform der -out key1.der",
        "pkcs12 -export -in my-certificate.pem -out bare.pfx -passout pass:",
        "pkcs12 -export -in my-certificate.pem -out locked.pfx -passout pass:word",
    ] {
        openssl(&folder, arguments, "");
    }
    for name in ["my-certificate.pem", "encrypted.pem", "key.der", "key1.der", "bare.pfx", "locked.pfx"] {
        assert_eq!(public_certificate(&read(&folder, name)), Err(CertificateError::HoldsPrivateKey), "{name}");
    }
}

#[test]
fn openssl_accepts_what_we_make() {
    let folder = Folder::new();
    for bits in [2048, 3072] {
        let made = generate("CN=process-mining, O=Acme, C=DE", bits, 365, NOW).unwrap();
        let pem = made.pem.expose_secret();
        assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n") && pem.ends_with("-----END CERTIFICATE-----\n"));
        assert!(!pem.contains('\r'));
        std::fs::write(folder.path("ours.pem"), pem).unwrap();
        assert!(openssl(&folder, "pkey -in ours.pem -check -noout", "").contains("Key is valid"));
        let text = openssl(&folder, "x509 -in ours.pem -noout -text", "");
        for part in
            ["sha256WithRSAEncryption", "CN = process-mining", "O = Acme", "C = DE", "CA:FALSE", "Digital Signature"]
        {
            assert!(text.replace('=', " = ").replace("  ", " ").contains(part), "{part} in {text}");
        }
        openssl(&folder, &format!("verify -CAfile ours.pem -attime {} ours.pem", NOW.0), "");
        openssl(&folder, "x509 -outform der -in ours.pem -out ours.cer", "");
        assert_eq!(read(&folder, "ours.cer"), made.public.der);
        let certificate = load(&folder, "ours.pem").unwrap();
        assert_eq!(*certificate.public(), made.public);
        assert_eq!(made.public.not_after, Timestamp(NOW.0 + 365 * 86_400));
        assert!(made.public.is_valid_at(NOW));
    }
}

#[test]
fn openssl_verifies_our_signature_and_the_claims_are_those_of_the_contract() {
    let folder = Folder::new();
    std::fs::write(folder.path("ours.pem"), generated().pem.expose_secret()).unwrap();
    openssl(&folder, "x509 -in ours.pem -noout -pubkey -out public.pem", "");
    let public = openssl(&folder, "x509 -in ours.pem -noout -pubkey", "");
    std::fs::write(folder.path("public.pem"), public).unwrap();
    let audience = "https://login.microsoftonline.com/t/oauth2/v2.0/token";
    for (algorithm, options, header) in [
        (
            SigningAlgorithm::Ps256,
            "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32 ",
            serde_json::json!({"alg": "PS256", "typ": "JWT", "x5t#S256": base64url(&generated().public.thumbprint_sha256)}),
        ),
        (
            SigningAlgorithm::Rs256,
            "",
            serde_json::json!({"alg": "RS256", "typ": "JWT", "x5t": base64url(&generated().public.thumbprint_sha1)}),
        ),
    ] {
        let assertion = assertion::sign(&certificate(), algorithm, &client_id(), audience, NOW, "id-1").unwrap();
        let parts: Vec<&str> = assertion.split('.').collect();
        let json = |part: &str| serde_json::from_slice::<serde_json::Value>(&base64_any(part).unwrap()).unwrap();
        assert_eq!(json(parts[0]), header);
        let claims = serde_json::json!({"aud": audience, "iss": CLIENT, "sub": CLIENT, "jti": "id-1",
            "exp": NOW.0 + 600, "nbf": NOW.0, "iat": NOW.0});
        assert_eq!(json(parts[1]), claims);
        std::fs::write(folder.path("signed"), format!("{}.{}", parts[0], parts[1])).unwrap();
        std::fs::write(folder.path("signature"), base64_any(parts[2]).unwrap()).unwrap();
        let verified =
            openssl(&folder, &format!("dgst -sha256 {options}-verify public.pem -signature signature signed"), "");
        assert!(verified.contains("Verified OK"), "{verified}");
    }
}

#[test]
fn a_file_is_read_again_when_it_changed_and_only_then() {
    let folder = Folder::new();
    let path = folder.path("my-certificate.pem");
    let file = CertificateFile::new(&path, None);
    assert_eq!(file.current().unwrap_err(), CertificateError::NotFound);
    std::fs::write(&path, generated().pem.expose_secret()).unwrap();
    let first = file.current().unwrap();
    assert!(std::sync::Arc::ptr_eq(&first, &file.current().unwrap()));
    let other = generate("other", 2048, 1, NOW).unwrap();
    // Renewal puts another file under the name.
    std::fs::write(folder.path("new"), other.pem.expose_secret()).unwrap();
    std::fs::rename(folder.path("new"), &path).unwrap();
    assert_eq!(file.current().unwrap().public().thumbprint(), other.public.thumbprint());
    std::fs::write(&path, "broken").unwrap();
    assert_eq!(file.current().unwrap_err(), CertificateError::NotACertificate);
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert!(matches!(file.current(), Err(CertificateError::NotReadable(_))));
}

#[cfg(unix)]
#[test]
fn a_key_that_others_can_read_is_a_warning() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let path = folder.path("my-certificate.pem");
    std::fs::write(&path, generated().pem.expose_secret()).unwrap();
    let file = CertificateFile::new(&path, None);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let warning = file.exposure().unwrap();
    assert_eq!(warning.code.id, "CS1207");
    assert!(warning.message.ends_with("(mode 0644)"), "{}", warning.message);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(file.exposure().is_none());
}

#[test]
fn a_certificate_is_warned_about_from_sixty_days_before_its_end() {
    let folder = Folder::new();
    let path = folder.path("my-certificate.pem");
    std::fs::write(&path, generated().pem.expose_secret()).unwrap();
    let file = CertificateFile::new(&path, None);
    let end = generated().public.not_after;
    let at = |seconds: i64| {
        file.findings(Timestamp(end.0 + seconds)).pop().map(|finding| (finding.severity, finding.message))
    };
    use credstore::diagnosis::Severity::{Error, Warning};
    assert_eq!(at(-60 * 86_400), None);
    let (severity, message) = at(-60 * 86_400 + 1).unwrap();
    assert!(severity == Warning && message.contains("expires in 59 days (23 Nov 2027)"), "{message}");
    assert_eq!(at(0).unwrap().0, Warning);
    assert_eq!(at(1).unwrap().0, Error);
    let early = file.findings(Timestamp(generated().public.not_before.0 - 1)).pop().unwrap();
    assert!(early.severity == Error && early.message.contains("is not valid before"), "{}", early.message);
}

proptest! {
    #[test]
    fn no_file_is_too_strange_to_be_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let der = [&[0x30u8, 0x82][..], &bytes].concat();
        let pem = [b"-----BEGIN PRIVATE KEY-----\n", &bytes[..], b"\n-----END PRIVATE KEY-----\n"].concat();
        for file in [&bytes, &der, &pem] {
            prop_assert!(SigningCertificate::load(file, None).is_err());
            prop_assert!(public_certificate(file).is_err());
        }
    }

    #[test]
    fn a_file_with_one_changed_byte_is_refused_or_still_signs(at in 0..4000usize, to in 0x20..0x7fu8) {
        let mut pem = generated().pem.expose_secret().as_bytes().to_vec();
        let at = at % pem.len();
        pem[at] = to;
        if let Ok(certificate) = SigningCertificate::load(&pem, None) {
            // Text that does not count, such as base64 padding bits, may change; the signature still verifies.
            prop_assert_eq!(certificate.public().key_bits, Some(2048));
            prop_assert!(certificate.sign(SigningAlgorithm::Ps256, b"x").is_some());
        }
    }
}
