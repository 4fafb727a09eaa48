//! `vault key`: every verb, with openssl on the other side.

use credstore_protocol::encoding::base64_any;

use crate::bench::{Bench, mode, text};

fn key<'a>(verb: &[&'a str]) -> Vec<&'a str> {
    [&["vault", "key"], verb].concat()
}

#[test]
fn what_a_key_signs_openssl_verifies() {
    let bench = Bench::with_vault();
    let made = bench.ok(&key(&["create", "-n", "signing"]));
    assert!(
        made.starts_with("signing  created, version ") && made.contains("…  RSA 2048   enabled, never expires"),
        "{made}"
    );
    bench.ok(&key(&["download", "-n", "signing", "--file", "signing.pub"]));
    std::fs::write(bench.path("release"), "what is signed").unwrap();
    bench.ok(&key(&["sign", "-n", "signing", "--algorithm", "RS384", "--file", "release", "--out", "release.sig"]));
    bench.openssl("dgst -sha384 -verify signing.pub -signature release.sig release");
    let verify = ["verify", "-n", "signing", "--algorithm", "rs384", "--signature", "release.sig"];
    let with = |what: &[&'static str]| key(&[&verify[..], what].concat());
    assert_eq!(bench.ok(&with(&["--file", "release"])), "signing  the signature is right\n");
    let digest = bench.openssl("dgst -sha384 -r release");
    let digest: &'static str = digest.split(' ').next().unwrap().to_owned().leak();
    bench.ok(&with(&["--digest", digest]));
    let wrong = bench.fails(10, &with(&["--file", "signing.pub"]));
    assert!(wrong.starts_with("error[CS4112]: the signature was not made with signing\n"), "{wrong}");
    // The digest of SHA-256 for "abc", FIPS 180-4's example.
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let printed = bench.ok(&key(&["sign", "-n", "signing", "--algorithm", "PS256", "--digest", abc]));
    assert_eq!(printed.trim_end().len(), 342, "256 bytes of base64url");
}

#[test]
fn public_halves_of_every_kind_are_read_by_openssl() {
    let bench = Bench::with_vault();
    for (kind, line) in [
        ("rsa3072", "Public-Key: (3072 bit)"),
        ("p256", "ASN1 OID: prime256v1"),
        ("p384", "ASN1 OID: secp384r1"),
        ("p521", "ASN1 OID: secp521r1"),
        ("p256k", "ASN1 OID: secp256k1"),
    ] {
        bench.ok(&key(&["create", "-n", kind, "--kind", kind]));
        let file: &'static str = format!("{kind}.pub").leak();
        bench.ok(&key(&["download", "-n", kind, "--file", file]));
        let read = bench.openssl(&format!("pkey -pubin -in {file} -noout -text"));
        assert!(read.contains(line), "{kind}: {read}");
    }
}

#[test]
fn what_openssl_encrypts_the_vault_decrypts_and_the_other_way_round() {
    let bench = Bench::with_vault();
    bench.ok(&key(&["create", "-n", "wrapping"]));
    bench.ok(&key(&["download", "-n", "wrapping", "--file", "wrapping.pub"]));
    std::fs::write(bench.path("text"), [0, 1, 2, 0xff]).unwrap();
    let oaep = "-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256";
    bench.openssl(&format!("pkeyutl -encrypt -pubin -inkey wrapping.pub -in text -out by-openssl {oaep}"));
    let crypt = |verb: &'static str, file: &'static str, out: &'static str| {
        key(&[verb, "-n", "wrapping", "--algorithm", "RSA-OAEP-256", "--file", file, "--out", out])
    };
    bench.ok(&crypt("decrypt", "by-openssl", "decrypted"));
    assert_eq!(std::fs::read(bench.path("decrypted")).unwrap(), [0, 1, 2, 0xff]);
    assert_eq!(mode(&bench.path("decrypted")), 0o600);
    for (there, back) in [("encrypt", "decrypt"), ("wrap", "unwrap")] {
        bench.ok(&[&crypt(there, "text", "sealed")[..], &["--yes"]].concat());
        let done = bench.run(&crypt(back, "sealed", "-"));
        assert_eq!(done.stdout, [0, 1, 2, 0xff], "{}", text(&done.stderr));
    }
    let broken = bench.fails(2, &crypt("decrypt", "text", "never"));
    assert!(broken.contains("was not encrypted for this key"), "{broken}");
    assert!(!bench.path("never").exists());
}

#[test]
fn a_key_goes_through_all_its_verbs() {
    let bench = Bench::with_vault();
    bench.ok(&key(&[
        "create",
        "-n",
        "Signing",
        "--kind",
        "p256",
        "--ops",
        "sign",
        "--expires",
        "2035-01-01",
        "--tags",
        "a=b",
    ]));
    let shown = bench.ok(&key(&["show", "-n", "Signing"]));
    for part in [
        "Kind              EC P-256\n",
        "Operations        sign\n",
        "Expires           2035-01-01T00:00:00Z\n",
        "Tags              a=b\n",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let rotated = bench.ok(&key(&["rotate", "-n", "Signing"]));
    assert!(rotated.starts_with("Signing  rotated, version "), "{rotated}");
    let versions = bench.ok(&key(&["list-versions", "-n", "Signing", "--query", "[].version", "-o", "tsv"]));
    assert_eq!(versions.lines().count(), 2);
    let old = versions.lines().next().unwrap();
    assert!(bench.ok(&key(&["show", "-n", "Signing", "--version", old])).contains(old));
    let off = bench.ok(&key(&["set-attributes", "-n", "Signing", "--enabled", "false"]));
    assert!(off.starts_with("Signing  disabled"), "{off}");
    let digest = "00".repeat(32).leak() as &'static str;
    let refused = bench.fails(7, &key(&["sign", "-n", "Signing", "--algorithm", "ES256", "--digest", digest]));
    assert!(refused.starts_with("error[CS4006]: Signing is disabled\n"), "{refused}");

    let policy = bench.ok(&key(&["rotation-policy", "show", "-n", "Signing"]));
    assert!(policy.contains("Notify  P30D before expiry"), "{policy}");
    let wanted = r#"{"lifetimeActions": [{"trigger": {"timeAfterCreate": "P90D"}, "action": {"type": "Rotate"}}],
        "attributes": {"expiryTime": "P120D"}}"#;
    std::fs::write(bench.path("policy.json"), wanted).unwrap();
    let policy = bench.ok(&key(&["rotation-policy", "update", "-n", "Signing", "--value", "policy.json"]));
    assert!(policy.contains("versions live P120D\n") && policy.contains("Rotate  P90D after creation\n"), "{policy}");
    std::fs::write(bench.path("policy.json"), "[").unwrap();
    let update = |value| key(&["rotation-policy", "update", "-n", "Signing", "--value", value]);
    assert!(bench.fails(2, &update("policy.json")).contains("policy.json is no rotation policy\n  cause  line 1"));
    assert!(bench.fails(2, &update("{")).contains("--value is no rotation policy"));
    let shown = bench.ok(&key(&["rotation-policy", "show", "-n", "Signing", "-o", "json"]));
    let wanted = shown.replace("P90D", "P80D");
    assert!(bench.ok(&update(&wanted)).contains("Rotate  P80D after creation\n"), "what show gives, update takes");

    bench.ok(&key(&["backup", "-n", "Signing", "--file", "key.backup"]));
    assert!(bench.ok(&key(&["delete", "-n", "Signing", "--yes"])).contains("recoverable until"));
    assert!(bench.ok(&key(&["list-deleted"])).contains("Signing"));
    assert!(bench.ok(&key(&["show-deleted", "-n", "Signing"])).contains("recoverable"));
    let taken = bench.fails(9, &key(&["create", "-n", "Signing"]));
    assert!(taken.contains("credstore vault key recover --vault-name acme-pm-kv --name Signing"), "{taken}");
    bench.ok(&key(&["recover", "-n", "Signing"]));
    bench.ok(&key(&["delete", "-n", "Signing", "--yes"]));
    bench.ok(&key(&["purge", "-n", "Signing", "--yes", "--confirm", "Signing"]));
    bench.ok(&key(&["restore", "--file", "key.backup"]));
    assert!(bench.ok(&key(&["list"])).contains("Signing"));
}

#[test]
fn keys_of_openssl_are_imported_and_sign() {
    let bench = Bench::with_vault();
    bench.openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.pem");
    bench.openssl("rsa -traditional -in rsa.pem -out pkcs1.pem");
    bench.openssl("ecparam -name secp384r1 -genkey -noout -out ec.pem");
    bench.openssl("pkcs8 -topk8 -in rsa.pem -out locked.pem -passout pass:word");
    std::fs::write(bench.path("word"), "word\n").unwrap();
    std::fs::write(bench.path("release"), "what is signed").unwrap();
    for (name, file, more, kind) in [
        ("pkcs8", "rsa.pem", &[][..], "RSA 2048"),
        ("pkcs1", "pkcs1.pem", &[], "RSA 2048"),
        ("locked", "locked.pem", &["--pem-password-file", "word"], "RSA 2048"),
        ("ec", "ec.pem", &["--ops", "sign", "--tags", "a=b", "--expires", "2035-01-01"], "EC P-384"),
    ] {
        let made = bench.ok(&key(&[&["import", "-n", name, "--pem-file", file], more].concat()));
        assert!(made.starts_with(&format!("{name}  imported, version ")) && made.contains(kind), "{made}");
        let public = bench.ok(&key(&["download", "-n", name, "--file", "-"]));
        let source = if name == "ec" { "ec.pem" } else { "rsa.pem" };
        assert_eq!(public, bench.openssl(&format!("pkey -in {source} -pubout")), "{name}");
    }
    bench.ok(&key(&["sign", "-n", "locked", "--algorithm", "RS256", "--file", "release", "--out", "release.sig"]));
    bench.openssl("pkey -in rsa.pem -pubout -out rsa.pub");
    bench.openssl("dgst -sha256 -verify rsa.pub -signature release.sig release");
    let shown = bench.ok(&key(&["show", "-n", "ec"]));
    for line in ["Operations        sign\n", "Tags              a=b\n", "Expires           2035-01-01T00:00:00Z\n"] {
        assert!(shown.contains(line), "{line} in {shown}");
    }
    let piped =
        bench.fed(&key(&["import", "-n", "piped", "--pem-file", "-"]), &std::fs::read(bench.path("ec.pem")).unwrap());
    assert!(piped.status.success(), "{}", text(&piped.stderr));

    let import = |more: &[&'static str]| key(&[&["import", "-n", "never"], more].concat());
    let locked = bench.fails(3, &import(&["--pem-file", "locked.pem"]));
    assert!(locked.starts_with("error[CS1216]: the private key is encrypted\n"), "{locked}");
    assert!(locked.contains("--pem-password-file FILE"), "{locked}");
    let wrong = bench.fails(3, &import(&["--pem-file", "locked.pem", "--pem-password-file", "release"]));
    assert!(wrong.contains("the password does not open the private key"), "{wrong}");
    let typed = bench.fails(2, &import(&["--pem-file", "locked.pem", "--pem-password", "planted"]));
    assert!(typed.starts_with("error[CS0102]") && !typed.contains("planted"), "{typed}");
    assert!(bench.fails(3, &import(&["--pem-file", "release"])).contains("holds no private key in PEM"));
    assert!(bench.ok(&import(&["--pem-file", "ec.pem", "--dry-run"])).contains("would import the key never"));
    bench.fails(6, &key(&["show", "-n", "never"]));
}

#[test]
fn a_public_half_is_written_in_three_forms() {
    let bench = Bench::with_vault();
    bench.ok(&key(&["create", "-n", "k", "--kty", "EC", "--curve", "P-256"]));
    for form in ["PEM", "DER", "JWK"] {
        bench.ok(&key(&["download", "-n", "k", "--encoding", form, "--file", form]));
    }
    let der = std::fs::read(bench.path("DER")).unwrap();
    bench.openssl("pkey -pubin -in PEM -outform der -out by-openssl");
    assert_eq!(der, std::fs::read(bench.path("by-openssl")).unwrap());
    let jwk: serde_json::Value = serde_json::from_slice(&std::fs::read(bench.path("JWK")).unwrap()).unwrap();
    let number = |name: &str| base64_any(jwk[name].as_str().unwrap()).unwrap();
    assert_eq!((&jwk["kty"], &jwk["crv"]), (&"EC".into(), &"P-256".into()));
    // RFC 5480 section 2.2: the key's bits end with the point, whose coordinates are the JWK's.
    assert!(der.ends_with(&[number("x"), number("y")].concat()));
    assert!(jwk.get("d").is_none());
}

#[test]
fn bytes_come_from_standard_input_and_go_to_standard_output() {
    let bench = Bench::with_vault();
    bench.ok(&key(&["create", "-n", "k"]));
    let fed = |arguments: &[&'static str], input: &[u8]| {
        let done = bench.fed(&key(arguments), input);
        assert!(done.status.success(), "{arguments:?}: {}", text(&done.stderr));
        done.stdout
    };
    let crypt = |verb, input: &[u8]| fed(&[verb, "-n", "k", "-a", "RSA-OAEP", "--file", "-", "--out", "-"], input);
    for (there, back) in [("encrypt", "decrypt"), ("wrap", "unwrap")] {
        assert_eq!(crypt(back, &crypt(there, &[0, 0xff, 10])), [0, 0xff, 10], "{there}");
    }
    let signature = fed(&["sign", "-n", "k", "-a", "RS256", "--file", "-", "--out", "-"], b"what is signed");
    assert_eq!(signature.len(), 256);
    std::fs::write(bench.path("file"), "what is signed").unwrap();
    let verify = ["verify", "-n", "k", "-a", "RS256", "--file"];
    fed(&[&verify[..], &["file", "--signature", "-"]].concat(), &signature);
    std::fs::write(bench.path("signature"), &signature).unwrap();
    fed(&[&verify[..], &["-", "--signature", "signature"]].concat(), b"what is signed");
    let both = bench.fails(2, &key(&[&verify[..], &["-", "--signature", "-"]].concat()));
    assert!(both.contains("are both standard input"), "{both}");
}

#[test]
fn a_key_is_created_with_the_options_of_az() {
    let bench = Bench::with_vault();
    for (options, kind) in [
        (&["--kty", "RSA", "--size", "3072"][..], "RSA 3072"),
        (&["--size", "2048"], "RSA 2048"),
        (&["--kty", "ec", "--curve", "P-521"], "EC P-521"),
        (&["--curve", "p-256k"], "EC P-256K"),
        (&["--kty", "EC"], "EC P-256"),
    ] {
        let made = bench.ok(&key(&[&["create", "-n", "k"], options].concat()));
        assert!(made.contains(&format!("…  {kind}   ")), "{options:?}: {made}");
    }
    let hardware = bench.fails(2, &key(&["create", "-n", "k", "--kty", "RSA-HSM"]));
    assert!(hardware.contains("CS4"), "the vault's own answer: {hardware}");
    for options in [&["--kind", "rsa", "--kty", "RSA"][..], &["--size", "2048", "--curve", "P-256"], &["--kty", "DSA"]]
    {
        bench.fails(2, &key(&[&["create", "-n", "k"], options].concat()));
    }
}

#[test]
fn mistakes_with_keys_say_what_to_do() {
    let bench = Bench::with_vault();
    let missing = bench.fails(6, &key(&["show", "-n", "nothing"]));
    assert!(missing.starts_with("error[CS4027]: there is no key nothing in vault acme-pm-kv\n"), "{missing}");
    assert!(missing.contains("credstore vault key list-deleted"), "{missing}");
    let sign = ["sign", "-n", "k", "--algorithm"];
    let unknown = bench.fails(2, &key(&[&sign[..], &["HS256", "--digest", "00"]].concat()));
    assert!(unknown.contains("RS256"), "{unknown}");
    let digest = bench.fails(2, &key(&[&sign[..], &["RS256", "--digest", "no digest"]].concat()));
    assert!(digest.contains("neither hexadecimal nor base64"), "{digest}");
    bench.fails(2, &key(&[&sign[..], &["RS256"]].concat()));
    std::fs::write(bench.path("file"), "x").unwrap();
    let null = bench.fails(2, &key(&[&sign[..], &["RSNULL", "--file", "file"]].concat()));
    assert!(null.contains("RSNULL signs what --digest gives"), "{null}");
    bench.ok(&["vault", "certificate", "create", "-n", "of-certificate", "--key", "p256"]);
    let alone = bench.fails(7, &key(&["rotate", "-n", "of-certificate"]));
    assert!(alone.contains("of-certificate belongs to a certificate"), "{alone}");
    let dry = bench.ok(&key(&["create", "-n", "dry", "--dry-run"]));
    assert!(dry.contains("create the key dry"), "{dry}");
}
