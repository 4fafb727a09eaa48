//! A distinguished name from its text and back, in the form of Windows' `CertStrToName` and .NET's
//! `X500DistinguishedName`: the text begins with what the name ends with, as in RFC 4514.
//!
//! Attributes are separated by `,` or `;`, values may stand in `"`, where `""` is a quote; keys ignore case. A name that
//! has an attribute twice is refused, because the library that writes certificates keeps one of each; `+` joins nothing and
//! is part of the value. Source: Microsoft, "CertStrToNameA function"; RFC 4519 and RFC 5280 appendix A for the types.

use credstore_protocol::encoding::hex_upper;
use rcgen::{DistinguishedName, DnType, DnValue};
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// Longest text of a name in bytes. Ours: X.520 bounds one value at 64 to 128 characters.
pub(super) const SUBJECT_MAX: usize = 1024;
/// Most arcs of an object identifier. Ours: registered ones have about ten.
const ARCS_MAX: usize = 20;

/// The name that `text` writes; the empty text is the empty name. `None` when it writes none.
pub(super) fn distinguished(text: &str) -> Option<DistinguishedName> {
    if text.len() > SUBJECT_MAX || text.contains(char::is_control) {
        return None;
    }
    let mut parts: Vec<(DnType, DnValue)> = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=')?;
        let kind = kind(key.trim())?;
        let (value, after) = value(after.trim_start())?;
        let written = written(&kind, value)?;
        if parts.iter().any(|(earlier, _)| *earlier == kind) {
            return None;
        }
        parts.push((kind, written));
        let after = after.trim_start();
        rest = after.strip_prefix([',', ';']).unwrap_or(after).trim_start();
        let separated = after.starts_with([',', ';']);
        if rest.is_empty() == separated {
            return None;
        }
    }
    let mut name = DistinguishedName::new();
    for (kind, value) in parts.into_iter().rev() {
        name.push(kind, value);
    }
    Some(name)
}

/// The text of a name. A value that is no text is shown as `#` and its bytes (RFC 4514 section 2.4).
pub(super) fn text_of(name: &X509Name<'_>) -> String {
    let mut parts: Vec<String> = name.iter_attributes().map(part_of).collect();
    parts.reverse();
    parts.join(", ")
}

fn part_of(attribute: &AttributeTypeAndValue<'_>) -> String {
    let dotted = attribute.attr_type().to_id_string();
    let key = match dotted.as_str() {
        "2.5.4.3" => "CN",
        "2.5.4.4" => "SN",
        "2.5.4.5" => "SERIALNUMBER",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "S",
        "2.5.4.9" => "STREET",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "2.5.4.12" => "T",
        "2.5.4.42" => "G",
        "2.5.4.43" => "I",
        "0.9.2342.19200300.100.1.25" => "DC",
        "1.2.840.113549.1.9.1" => "E",
        _ => return format!("OID.{dotted}={}", value_of(attribute)),
    };
    format!("{key}={}", value_of(attribute))
}

fn value_of(attribute: &AttributeTypeAndValue<'_>) -> String {
    let Ok(value) = attribute.as_str() else { return format!("#{}", hex_upper(attribute.as_slice())) };
    if value.contains([',', ';', '"', '=', '+', '<', '>', '#']) || value.trim() != value {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.to_owned()
    }
}

/// The value at the start and what follows it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(mut quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ';']).unwrap_or(text.len());
        let (value, after) = text.split_at(end);
        return (!value.contains('"')).then(|| (value.trim_end().to_owned(), after));
    };
    let mut value = String::new();
    loop {
        let (part, after) = quoted.split_once('"')?;
        value.push_str(part);
        match after.strip_prefix('"') {
            Some(more) => {
                value.push('"');
                quoted = more;
            }
            None => return Some((value, after)),
        }
    }
}

fn kind(key: &str) -> Option<DnType> {
    let arcs: &[u64] = match key.to_ascii_uppercase().as_str() {
        "CN" => return Some(DnType::CommonName),
        "C" => return Some(DnType::CountryName),
        "L" => return Some(DnType::LocalityName),
        "S" | "ST" => return Some(DnType::StateOrProvinceName),
        "O" => return Some(DnType::OrganizationName),
        "OU" => return Some(DnType::OrganizationalUnitName),
        "SN" => &[2, 5, 4, 4],
        "SERIALNUMBER" => &[2, 5, 4, 5],
        "STREET" => &[2, 5, 4, 9],
        "T" | "TITLE" => &[2, 5, 4, 12],
        "G" | "GN" | "GIVENNAME" => &[2, 5, 4, 42],
        "I" | "INITIALS" => &[2, 5, 4, 43],
        "DC" => &[0, 9, 2342, 19_200_300, 100, 1, 25],
        "E" | "EMAIL" => &[1, 2, 840, 113_549, 1, 9, 1],
        other => {
            return object_identifier(other.strip_prefix("OID.").unwrap_or(other)).map(|arcs| DnType::from_oid(&arcs));
        }
    };
    Some(DnType::CustomDnType(arcs.to_vec()))
}

/// Country, e-mail and domain component have their own string types (RFC 5280 appendix A.1); all others are UTF-8.
fn written(kind: &DnType, value: String) -> Option<DnValue> {
    match kind {
        _ if value.is_empty() => None,
        DnType::CountryName => {
            let country = value.len() == 2 && value.bytes().all(|byte| byte.is_ascii_alphabetic());
            country.then(|| value.as_str().try_into().ok().map(DnValue::PrintableString)).flatten()
        }
        DnType::CustomDnType(arcs) if matches!(arcs.as_slice(), [0, 9, ..] | [1, 2, 840, 113_549, 1, 9, 1]) => {
            value.as_str().try_into().ok().map(DnValue::Ia5String)
        }
        _ => Some(DnValue::Utf8String(value)),
    }
}

/// Dotted numbers as the arcs of an object identifier. `None` when DER could not write them.
pub(super) fn object_identifier(text: &str) -> Option<Vec<u64>> {
    let plain = |arc: &str| !arc.is_empty() && arc.len() <= 10 && arc.bytes().all(|byte| byte.is_ascii_digit());
    let arcs: Vec<u64> =
        text.split('.').take(ARCS_MAX + 1).map(|arc| plain(arc).then(|| arc.parse().ok())?).collect::<Option<_>>()?;
    // X.660: the first arc is 0, 1 or 2; under 0 and 1 the second is at most 39.
    let allowed = matches!(arcs.as_slice(), [0 | 1, 0..=39, ..] | [2, 0..=999, ..]);
    (allowed && arcs.len() <= ARCS_MAX).then_some(arcs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Option<Vec<(DnType, String)>> {
        let shown = |value: &DnValue| match value {
            DnValue::Utf8String(text) => text.clone(),
            DnValue::PrintableString(text) => text.as_str().to_owned(),
            DnValue::Ia5String(text) => text.as_str().to_owned(),
            other => panic!("{other:?}"),
        };
        let mut parts: Vec<_> = distinguished(text)?.iter().map(|(kind, value)| (kind.clone(), shown(value))).collect();
        parts.reverse();
        Some(parts)
    }

    #[test]
    fn names_are_read_as_windows_reads_them() {
        let cn = |value: &str| (DnType::CommonName, value.to_owned());
        let o = |value: &str| (DnType::OrganizationName, value.to_owned());
        for (text, expected) in [
            ("", vec![]),
            ("CN=app", vec![cn("app")]),
            ("CN=http://www.example.com/?a=b", vec![cn("http://www.example.com/?a=b")]),
            ("cn = app , O=Acme", vec![cn("app"), o("Acme")]),
            (r#"CN=x, O="a, b""#, vec![cn("x"), o("a, b")]),
            (r#"O="say ""hi"""; CN=x"#, vec![o(r#"say "hi""#), cn("x")]),
            ("CN=Müller & Söhne", vec![cn("Müller & Söhne")]),
            ("OID.2.5.4.3=app", vec![cn("app")]),
            ("C=de", vec![(DnType::CountryName, "de".to_owned())]),
        ] {
            assert_eq!(parts(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = format!("CN={}", "a".repeat(SUBJECT_MAX - 2));
        for text in [
            "app",
            "CN",
            "CN=",
            "=x",
            "CN=a,",
            "CN=a,,O=b",
            ",CN=a",
            "XX=a",
            r#"CN="a"#,
            r#"CN="a"b"#,
            r#"CN=a"b"#,
            "CN=a\nb",
            "CN=a\0",
            "C=DEU",
            "C=1!",
            "CN=a, CN=b",
            "OID.9.9=a",
            "E=ä",
            long.as_str(),
        ] {
            assert_eq!(parts(text), None, "{text}");
        }
        assert!(parts(&long[1 + 1..].replacen('=', "CN=", 1)[..SUBJECT_MAX]).is_some());
    }

    #[test]
    fn an_object_identifier_is_one_that_der_can_write() {
        assert_eq!(object_identifier("1.3.6.1.5.5.7.3.1"), Some(vec![1, 3, 6, 1, 5, 5, 7, 3, 1]));
        let most = vec!["1"; ARCS_MAX].join(".");
        assert!(object_identifier(&most).is_some());
        for text in ["", "1", "3.1", "1.40", "1..2", "1.2.", "1.2.x", "1.2.-3", "1.2.99999999999", &format!("{most}.1")]
        {
            assert_eq!(object_identifier(text), None, "{text}");
        }
    }
}
