//! Import: from a PFX or a PEM to a key with its chain, and the policy that such a certificate has.

use credstore_protocol::encoding::base64_any;
use credstore_protocol::key_vault::certificates::{
    AlternativeNames, CertificateAction, CertificateForm, ISSUER_UNKNOWN, ImportCertificate, IssuerParameters, KeyUsage,
};
use credstore_protocol::{Secret, pem};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use zeroize::Zeroizing;

use super::chain::{is_of, parse, shape_of};
use super::issue::UPN;
use super::policy::{VALIDITY_MONTHS_MAX, actions, default_action, form};
use super::{CHAIN_MAX, CertificateError, Chain, IMPORT_MAX, Policy, name, pfx, secret_value};
use crate::keys::{KeyMaterial, KeyShape};

/// Seconds of a month on average: 365.2425 days of a year, divided by twelve.
const MONTH: i64 = 2_629_746;

/// What a file holds, before anything is matched.
pub(super) struct Content {
    pub(super) keys: Vec<Zeroizing<Vec<u8>>>,
    pub(super) certificates: Vec<Vec<u8>>,
}

/// A certificate that came in whole.
#[derive(Debug)]
pub struct Imported {
    /// The key.
    pub key: KeyMaterial,
    /// Its certificate and those above it.
    pub chain: Chain,
    /// What the import said, completed by what the certificate says.
    pub policy: Policy,
}

/// Reads what an import brings. What it is, PFX or PEM, is seen from the value; the policy's content type only says how it
/// is handed out. The chain is brought into order, unless the request wants to keep the one it has.
///
/// # Errors
/// [`CertificateError::Pfx`], [`CertificateError::Pem`], [`CertificateError::PemForm`], [`CertificateError::TooLarge`],
/// [`CertificateError::Count`], [`CertificateError::Unreadable`], [`CertificateError::KeyKind`],
/// [`CertificateError::OtherKey`], and those of a policy about its content type and its actions.
///
/// Source: Key Vault data plane, "Import Certificate"; contract section 8.
pub fn import(request: &ImportCertificate) -> Result<Imported, CertificateError> {
    let (given, content) = read(&request.value, request.pwd.as_ref())?;
    let [pkcs8] = content.keys.as_slice() else {
        return Err(match given {
            CertificateForm::Pem => CertificateError::PemForm,
            CertificateForm::Pkcs12 => CertificateError::Pfx,
        });
    };
    let chain = Chain::of(content.certificates)?;
    let (at, key) = holder(&chain, pkcs8)?;
    let chain = ordered(chain, at, request.preserve_order.unwrap_or(false))?;
    let policy = policy_of(request, given, &chain, key.shape())?;
    Ok(Imported { key, chain, policy })
}

/// The value of a certificate's secret in this form, with the key if it had one.
///
/// # Errors
/// Those of [`import()`], never for a value that [`secret_value`](super::secret_value) made.
///
/// Source: Key Vault data plane 2025-07-01, "Get Secret", `outContentType`.
pub fn converted(value: &Secret, form: CertificateForm) -> Result<Secret, CertificateError> {
    let (_, content) = read(value, None)?;
    let chain = Chain::of(content.certificates)?;
    let key = content.keys.first().map(|pkcs8| holder(&chain, pkcs8)).transpose()?;
    secret_value(form, key.as_ref().map(|(_, key)| key), &chain)
}

/// What a file holds, and which of the two it is.
fn read(value: &Secret, password: Option<&Secret>) -> Result<(CertificateForm, Content), CertificateError> {
    let value = value.expose_secret();
    if value.len() > IMPORT_MAX {
        return Err(CertificateError::TooLarge { most: IMPORT_MAX });
    }
    if value.contains("-----BEGIN ") {
        return Ok((CertificateForm::Pem, from_pem(value)?));
    }
    let text = Zeroizing::new(value.chars().filter(|c| !c.is_ascii_whitespace()).collect::<String>());
    let bytes = Zeroizing::new(base64_any(&text).ok_or(CertificateError::Pfx)?);
    match std::str::from_utf8(&bytes) {
        // "Accepted formats: PEM content or Base64 encoded PEM content."
        Ok(text) if text.contains("-----BEGIN ") => Ok((CertificateForm::Pem, from_pem(text)?)),
        Ok(_) | Err(_) => Ok((CertificateForm::Pkcs12, pfx::read(&bytes, password)?)),
    }
}

fn from_pem(text: &str) -> Result<Content, CertificateError> {
    let mut content = Content { keys: Vec::new(), certificates: Vec::new() };
    for block in pem::blocks(text).map_err(|_| CertificateError::Pem)? {
        match block.label.as_str() {
            "CERTIFICATE" => content.certificates.push(block.der.to_vec()),
            "PRIVATE KEY" => content.keys.push(block.der),
            // RSA PRIVATE KEY and EC PRIVATE KEY are not PKCS#8; Azure refuses them, and encrypted keys, in these words.
            label if label.ends_with("PRIVATE KEY") => return Err(CertificateError::PemForm),
            _ => {}
        }
    }
    Ok(content)
}

/// Which certificate is the key's, and the key.
fn holder(chain: &Chain, pkcs8: &[u8]) -> Result<(usize, KeyMaterial), CertificateError> {
    let mut known = false;
    let mut tried: Vec<KeyShape> = Vec::with_capacity(CHAIN_MAX);
    for (at, der) in chain.certificates().iter().enumerate() {
        let Some(shape) = shape_of(&parse(der)?) else { continue };
        known = true;
        // Opening checks an RSA key, which takes time: once for each shape, however many certificates have it.
        if tried.contains(&shape) {
            continue;
        }
        tried.push(shape);
        let Ok(key) = KeyMaterial::open(shape, pkcs8) else { continue };
        for (at, der) in chain.certificates().iter().enumerate().skip(at) {
            if is_of(&parse(der)?, &key)? {
                return Ok((at, key));
            }
        }
    }
    Err(if known { CertificateError::OtherKey } else { CertificateError::KeyKind })
}

/// The certificate of the key first; after it, unless the order is to stay, each one's issuer, then what is left over.
fn ordered(chain: Chain, holder: usize, preserve: bool) -> Result<Chain, CertificateError> {
    let mut rest = chain.certificates().to_vec();
    let mut ordered = vec![rest.remove(holder)];
    if !preserve {
        while let Some(at) = issuer_of(ordered.last().map_or(&[], Vec::as_slice), &rest)? {
            ordered.push(rest.remove(at));
        }
    }
    ordered.append(&mut rest);
    Chain::of(ordered)
}

/// Which of `rest` has the name that issued `certificate`.
fn issuer_of(certificate: &[u8], rest: &[Vec<u8>]) -> Result<Option<usize>, CertificateError> {
    let certificate = parse(certificate)?;
    for (at, der) in rest.iter().enumerate() {
        if parse(der)?.subject() == certificate.issuer() {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

/// The issuer is unknown and contacts are written to, unless the import says otherwise. What stands in the certificate is
/// told by the certificate alone. Source: contract section 8, "Import"; the action is that of issuer `Unknown`.
fn policy_of(
    request: &ImportCertificate,
    given: CertificateForm,
    chain: &Chain,
    shape: KeyShape,
) -> Result<Policy, CertificateError> {
    let asked = request.policy.clone().unwrap_or_default();
    let leaf = parse(chain.leaf())?;
    let key = asked.key_props.unwrap_or_default();
    let issuer_words: IssuerParameters = asked.issuer.unwrap_or_default();
    let validity = leaf.validity();
    let seconds = validity.not_after.timestamp().saturating_sub(validity.not_before.timestamp());
    let months = (seconds.saturating_add(MONTH / 2) / MONTH).clamp(1, VALIDITY_MONTHS_MAX);
    let usual = || vec![default_action(CertificateAction::EmailContacts)];
    Ok(Policy {
        shape,
        exportable: key.exportable.unwrap_or(true),
        reuse_key: key.reuse_key.unwrap_or(false),
        form: form(asked.secret_props.as_ref())?.unwrap_or(given),
        subject: name::text_of(leaf.subject()),
        names: names_of(&leaf),
        ekus: ekus_of(&leaf),
        key_usage: usages_of(&leaf),
        months,
        actions: actions(asked.lifetime_actions.as_deref(), months)?.unwrap_or_else(usual),
        issuer: issuer_words.name.clone().unwrap_or_else(|| ISSUER_UNKNOWN.to_owned()),
        issuer_words,
    })
}

fn names_of(leaf: &X509Certificate<'_>) -> AlternativeNames {
    let mut names = AlternativeNames::default();
    let Ok(Some(extension)) = leaf.subject_alternative_name() else { return names };
    for name in &extension.value.general_names {
        let (list, text) = match name {
            GeneralName::RFC822Name(text) => (&mut names.emails, (*text).to_owned()),
            GeneralName::DNSName(text) => (&mut names.dns_names, (*text).to_owned()),
            GeneralName::URI(text) => (&mut names.uris, (*text).to_owned()),
            GeneralName::IPAddress(bytes) => match address(bytes) {
                Some(text) => (&mut names.ip_addresses, text),
                None => continue,
            },
            GeneralName::OtherName(kind, bytes) if kind.iter().is_some_and(|arcs| arcs.eq(UPN)) => {
                match principal(bytes) {
                    Some(text) => (&mut names.upns, text),
                    None => continue,
                }
            }
            _ => continue,
        };
        list.get_or_insert_default().push(text);
    }
    names
}

fn address(bytes: &[u8]) -> Option<String> {
    let four = <[u8; 4]>::try_from(bytes).map(std::net::IpAddr::from);
    let address = four.or_else(|_| <[u8; 16]>::try_from(bytes).map(std::net::IpAddr::from));
    address.ok().map(|address| address.to_string())
}

/// The text of a user principal name: `[0] EXPLICIT UTF8String`.
fn principal(bytes: &[u8]) -> Option<String> {
    const UTF8_STRING: u8 = 0x0c;
    let (_, content, _) = pfx::element(bytes)?;
    match pfx::element(content)? {
        (UTF8_STRING, text, []) => String::from_utf8(text.to_vec()).ok(),
        _ => None,
    }
}

fn ekus_of(leaf: &X509Certificate<'_>) -> Vec<String> {
    let extensions = leaf.extensions().iter();
    let usage = extensions.map(|extension| extension.parsed_extension()).find_map(|parsed| match parsed {
        ParsedExtension::ExtendedKeyUsage(usage) => Some(usage),
        _ => None,
    });
    let Some(usage) = usage else { return Vec::new() };
    // RFC 5280 section 4.2.1.12 and RFC 6960 section 4.2.2.2.
    let named = [
        (usage.any, "2.5.29.37.0"),
        (usage.server_auth, "1.3.6.1.5.5.7.3.1"),
        (usage.client_auth, "1.3.6.1.5.5.7.3.2"),
        (usage.code_signing, "1.3.6.1.5.5.7.3.3"),
        (usage.email_protection, "1.3.6.1.5.5.7.3.4"),
        (usage.time_stamping, "1.3.6.1.5.5.7.3.8"),
        (usage.ocsp_signing, "1.3.6.1.5.5.7.3.9"),
    ];
    let named = named.into_iter().filter(|(set, _)| *set).map(|(_, dotted)| dotted.to_owned());
    named.chain(usage.other.iter().map(|other| other.to_id_string())).collect()
}

fn usages_of(leaf: &X509Certificate<'_>) -> Vec<KeyUsage> {
    let Ok(Some(extension)) = leaf.key_usage() else { return Vec::new() };
    let usage = extension.value;
    let set = |one: KeyUsage| match one {
        KeyUsage::DigitalSignature => usage.digital_signature(),
        KeyUsage::NonRepudiation => usage.non_repudiation(),
        KeyUsage::KeyEncipherment => usage.key_encipherment(),
        KeyUsage::DataEncipherment => usage.data_encipherment(),
        KeyUsage::KeyAgreement => usage.key_agreement(),
        KeyUsage::KeyCertSign => usage.key_cert_sign(),
        KeyUsage::CrlSign => usage.crl_sign(),
        KeyUsage::EncipherOnly => usage.encipher_only(),
        KeyUsage::DecipherOnly => usage.decipher_only(),
    };
    KeyUsage::ALL.iter().copied().filter(|&one| set(one)).collect()
}
