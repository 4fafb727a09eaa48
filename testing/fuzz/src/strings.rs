//! Connection strings, and the many small texts that arrive in settings, arguments and addresses.

use credstore::connection_string::{self, Style};
use credstore_protocol::{ApiVersion, Identifier, Secret, SecretName, SecretVersion, VaultName};

/// The first line is the secret, the rest the connection string. An expanded string has the same keywords in the same
/// order, and the secret as the exact value of each reference.
pub(crate) fn connection_string(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Some((value, text)) = text.split_once('\n') else { return };
    let Ok(parsed) = connection_string::parse(text) else { return };
    let masked = parsed.masked();
    assert!(masked.len() <= text.len() + 8 * (parsed.pairs().len() + 1), "{masked}");
    let secret = Secret::from(value.to_owned());
    let Ok(expanded) = parsed.expand_with(Style::Odbc, |_| Some(&secret)) else { return };
    if !parsed.enabled() {
        return;
    }
    let again = connection_string::parse(&expanded).expect("what was expanded is a connection string");
    assert_eq!(parsed.pairs().len(), again.pairs().len());
    for (before, after) in parsed.pairs().zip(again.pairs()) {
        match before.identifier() {
            Some(_) => assert!(*after.value() == *value, "the value of {} is another one", after.keyword()),
            None => assert!(before.keyword() == after.keyword() && *before.value() == *after.value()),
        }
    }
}

/// Names, versions and encodings: what is accepted is written and read again as the same.
pub(crate) fn names(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(name) = text.parse::<SecretName>() {
        assert_eq!(name.as_str().parse::<SecretName>().as_ref(), Ok(&name));
    }
    if let Ok(name) = text.parse::<VaultName>() {
        assert_eq!(name.to_string().parse::<VaultName>().as_ref(), Ok(&name));
    }
    if let Ok(version) = text.parse::<SecretVersion>() {
        assert_eq!(version.to_string().parse::<SecretVersion>().as_ref(), Ok(&version));
    }
    if let Ok(version) = text.parse::<ApiVersion>() {
        assert_eq!(version.as_str().parse::<ApiVersion>().as_ref(), Ok(&version));
    }
    let _ = text.parse::<Identifier>();
    if let Some(decoded) = credstore_protocol::encoding::base64_any(text) {
        let written = credstore_protocol::encoding::base64url(&decoded);
        assert_eq!(credstore_protocol::encoding::base64_any(&written), Some(decoded));
    }
    let _ = credstore_protocol::encoding::hex_any(text);
}
