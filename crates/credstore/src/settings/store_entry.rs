//! The `CredentialStore` entry: every key and value is checked; nothing is guessed.

use std::path::{Path, PathBuf};

use credstore_protocol::{ClientId, InvalidName, TenantId, VaultName};
use jsonc_parser::ast::{Object, ObjectProp, StringLit, Value};
use url::Url;

use super::meaning::{Checker, STORE_KEY, quoted};
use super::references::CREDENTIAL;
use super::syntax::joined;
use super::{
    AzureKeyVaultPlaces, AzureKeyVaultSettings, CREDENTIAL_STORE_FILE, Cloud, EncryptedFileSettings, FileStoreSettings,
    StoreSettings,
};
use crate::Diagnosis;
use crate::codes::settings as codes;
use crate::nearest::nearest;
use crate::reference::IdentifierRules;

const TYPE: &str = "Type";
const TENANT_ID: &str = "TenantId";
const CLIENT_ID: &str = "ClientId";
const VAULT_NAME: &str = "VaultName";
const CERTIFICATE_FILE: &str = "CertificateFile";
const CLOUD: &str = "Cloud";
const AUTHORITY_HOST: &str = "AuthorityHost";
const VAULT_DNS_SUFFIX: &str = "VaultDnsSuffix";
const CA_FILE: &str = "CaFile";
const KEY_FILE: &str = "KeyFile";

const KEYS: [&str; 10] = [
    TYPE,
    TENANT_ID,
    CLIENT_ID,
    VAULT_NAME,
    CERTIFICATE_FILE,
    CLOUD,
    AUTHORITY_HOST,
    VAULT_DNS_SUFFIX,
    CA_FILE,
    KEY_FILE,
];

const FILE: &str = "File";
const ENCRYPTED_FILE: &str = "EncryptedFile";
const AZURE_KEY_VAULT: &str = "AzureKeyVault";
const TYPES: [&str; 3] = [FILE, ENCRYPTED_FILE, AZURE_KEY_VAULT];

/// Folders whose files developers can read. Source: product behaviour 9.4.
const DEVELOPERS_FOLDERS: [&str; 3] = ["workspaces", "development data", "server data"];

/// A key of the entry that is known, or nearly so, with its text.
struct Member<'v> {
    key: &'static str,
    text: &'v StringLit<'v>,
}

/// The members that are texts and filled in.
struct Members<'v> {
    present: Vec<&'static str>,
    texts: Vec<Member<'v>>,
}

impl<'v> Members<'v> {
    fn text(&self, key: &str) -> Option<&'v StringLit<'v>> {
        self.texts.iter().find(|member| member.key == key).map(|member| member.text)
    }
}

fn pointer(key: &str) -> String {
    joined(STORE_KEY, key)
}

/// Reads the entry. The store is there when the entry has no error; the rules as soon as its `Type` is known.
pub(super) fn read(
    checker: &mut Checker<'_, '_>,
    property: &ObjectProp<'_>,
    file: &Path,
) -> (Option<StoreSettings>, Option<IdentifierRules>) {
    let errors = checker.errors();
    let Value::Object(object) = &property.value else {
        let fix = "write \"CredentialStore\": {\"Type\": \"File\"}, or credstore setup";
        let message = "CredentialStore is not an object".to_owned();
        checker.error(&codes::STORE_NOT_AN_OBJECT, message, fix, &property.value, STORE_KEY);
        return (None, None);
    };
    let members = members(checker, object);
    let Some(kind) = kind(checker, property, &members) else { return (None, None) };
    let folder = file.parent().unwrap_or(Path::new(""));
    refuse_other_keys(checker, object, kind);
    if kind == AZURE_KEY_VAULT {
        let store = azure_key_vault(checker, property, &members, folder);
        let store = store.filter(|_| checker.errors() == errors);
        return (store.map(|store| StoreSettings::AzureKeyVault(Box::new(store))), Some(IdentifierRules::KeyVault));
    }
    let place = members.text(TYPE).map(|text| checker.place(text, &pointer(TYPE))).unwrap_or_default();
    let file = folder.join(CREDENTIAL_STORE_FILE);
    let store = if kind == ENCRYPTED_FILE {
        let key_file = members.text(KEY_FILE).and_then(|text| path(checker, KEY_FILE, text, folder));
        StoreSettings::EncryptedFile(EncryptedFileSettings { path: file, key_file, place })
    } else {
        StoreSettings::File(FileStoreSettings { path: file, place })
    };
    let whole = checker.errors() == errors;
    (whole.then_some(store), Some(IdentifierRules::File))
}

/// Sorts the members by what they are; reports unknown keys and values that are no texts.
fn members<'v>(checker: &mut Checker<'_, '_>, object: &'v Object<'v>) -> Members<'v> {
    let mut members = Members { present: Vec::new(), texts: Vec::new() };
    for property in &object.properties {
        let Some(key) = known_key(checker, property) else { continue };
        members.present.push(key);
        let pointer = pointer(key);
        match &property.value {
            Value::StringLit(text) if text.value.trim().is_empty() => {
                let fix = "write the value, or remove the key if it is optional";
                checker.error(&codes::STORE_VALUE_EMPTY, format!("{key} is empty"), fix, text, &pointer);
            }
            Value::StringLit(text) => {
                if !checker.is_placeholder(&text.value, text, &pointer) {
                    members.texts.push(Member { key, text });
                }
            }
            Value::Object(inner) if inner.properties.iter().any(|inner| inner.name.as_str() == CREDENTIAL) => {
                let message = format!("{key} refers to the credential store that it configures");
                let fix = "write the value itself; it is no password";
                checker.error(&codes::CREDENTIAL_IN_STORE, message, fix, &property.value, &pointer);
            }
            Value::Object(_) | Value::Array(_) | Value::NumberLit(_) | Value::BooleanLit(_) | Value::NullKeyword(_) => {
                let message = format!("the value of {key} is not a text");
                let fix = "put it in double quotes";
                checker.error(&codes::STORE_VALUE_NOT_TEXT, message, fix, &property.value, &pointer);
            }
        }
    }
    members
}

/// The known key that a member has or was probably meant to have. A key that is not exact is reported.
fn known_key(checker: &mut Checker<'_, '_>, property: &ObjectProp<'_>) -> Option<&'static str> {
    let written = property.name.as_str();
    if let Some(key) = KEYS.into_iter().find(|key| *key == written) {
        return Some(key);
    }
    let place = pointer(written);
    if written == CREDENTIAL {
        let message = "CredentialStore refers to itself".to_owned();
        let fix = "write Type and the values themselves";
        checker.error(&codes::CREDENTIAL_IN_STORE, message, fix, &property.name, &place);
        return None;
    }
    let error = Diagnosis::error(&codes::STORE_KEY_UNKNOWN, format!("CredentialStore has no key {written}"));
    match nearest(written, KEYS) {
        Some(key) if key.eq_ignore_ascii_case(written) => {
            let error = error.cause("keys are read with their capitals").fix(format!("write \"{key}\""));
            checker.report_certain(error, &property.name, &place, key);
        }
        Some(key) => checker.report(error.fix(format!("did you mean {key}?")), &property.name, &place),
        None => {
            checker.report(error.fix(format!("remove it; the keys are {}", KEYS.join(", "))), &property.name, &place)
        }
    }
    nearest(written, KEYS)
}

/// The `Type`, one of [`TYPES`].
fn kind(checker: &mut Checker<'_, '_>, property: &ObjectProp<'_>, members: &Members<'_>) -> Option<&'static str> {
    let pointer = pointer(TYPE);
    let Some(text) = members.text(TYPE) else {
        if !members.present.contains(&TYPE) {
            let fix =
                format!("add \"Type\": {}, {} or {}", quoted(FILE), quoted(ENCRYPTED_FILE), quoted(AZURE_KEY_VAULT));
            let message = "CredentialStore has no Type".to_owned();
            checker.error(&codes::TYPE_MISSING, message, &fix, &property.name, STORE_KEY);
        }
        return None;
    };
    if let Some(kind) = TYPES.into_iter().find(|kind| *kind == text.value) {
        return Some(kind);
    }
    let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
    let error = Diagnosis::error(&codes::TYPE_UNKNOWN, format!("there is no Type {}", text.value));
    let same = TYPES.into_iter().find(|kind| letters(kind) == letters(&text.value));
    match (same, nearest(&text.value, TYPES)) {
        (Some(kind), _) => {
            let error = error.cause("it is read with these capitals").fix(format!("write {}", quoted(kind)));
            checker.report_certain(error, text, &pointer, kind);
            Some(kind)
        }
        (None, Some(kind)) => {
            checker.report(error.fix(format!("did you mean {kind}?")), text, &pointer);
            Some(kind)
        }
        (None, None) => {
            checker.report(error.fix(format!("the types are {}", TYPES.join(", "))), text, &pointer);
            None
        }
    }
}

/// Refuses the keys that belong to another type.
fn refuse_other_keys(checker: &mut Checker<'_, '_>, object: &Object<'_>, kind: &str) {
    for property in &object.properties {
        let key = property.name.as_str();
        if KEYS.contains(&key) && key != TYPE && type_of(key) != kind {
            let error =
                Diagnosis::error(&codes::KEY_OF_OTHER_TYPE, format!("{key} does not belong to the Type {kind}"))
                    .cause("only one credential store can be used at a time")
                    .fix(format!("remove {key}, or write \"Type\": \"{}\"", type_of(key)));
            checker.report(error, &property.name, &pointer(key));
        }
    }
}

/// The type whose key it is.
fn type_of(key: &str) -> &'static str {
    if key == KEY_FILE { ENCRYPTED_FILE } else { AZURE_KEY_VAULT }
}

fn azure_key_vault(
    checker: &mut Checker<'_, '_>,
    property: &ObjectProp<'_>,
    members: &Members<'_>,
    folder: &Path,
) -> Option<AzureKeyVaultSettings> {
    for (key, example) in [
        (TENANT_ID, "Directory (tenant) ID"),
        (CLIENT_ID, "Application (client) ID"),
        (VAULT_NAME, "name of the vault"),
        (CERTIFICATE_FILE, "my-certificate.pem"),
    ] {
        if !members.present.contains(&key) {
            let fix = format!("add \"{key}\": \"…\" ({example})");
            let message = format!("CredentialStore has no {key}");
            checker.error(&codes::STORE_KEY_MISSING, message, &fix, &property.name, STORE_KEY);
        }
    }
    let tenant = members.text(TENANT_ID).and_then(|text| tenant(checker, text));
    let client_id = members.text(CLIENT_ID).and_then(|text| client_id(checker, text));
    let vault_name = members.text(VAULT_NAME).and_then(|text| vault_name(checker, text));
    let certificate_file =
        members.text(CERTIFICATE_FILE).and_then(|text| path(checker, CERTIFICATE_FILE, text, folder));
    let ca_file = members.text(CA_FILE).and_then(|text| path(checker, CA_FILE, text, folder));
    let cloud = cloud(checker, members);
    warn_of_developers_folder(checker, members);
    warn_of_equal_ids(checker, members, tenant.as_deref(), client_id.as_ref());
    let place = |key: &str| members.text(key).map(|text| checker.place(text, &pointer(key)));
    let places = AzureKeyVaultPlaces {
        tenant_id: place(TENANT_ID).unwrap_or_default(),
        client_id: place(CLIENT_ID).unwrap_or_default(),
        vault_name: place(VAULT_NAME).unwrap_or_default(),
        certificate_file: place(CERTIFICATE_FILE).unwrap_or_default(),
        cloud: place(CLOUD)
            .or_else(|| place(AUTHORITY_HOST))
            .unwrap_or_else(|| checker.place(&property.name, STORE_KEY)),
        ca_file: place(CA_FILE),
    };
    Some(AzureKeyVaultSettings {
        tenant: tenant?,
        client_id: client_id?,
        vault_name: vault_name?,
        certificate_file: certificate_file?,
        cloud: cloud?,
        ca_file,
        places,
    })
}

/// The GUID in a text that is one but for blanks or braces around it.
fn bare_guid(text: &str) -> Option<&str> {
    let bare = text.trim().trim_start_matches(['{', '(']).trim_end_matches(['}', ')']).trim();
    (bare != text && bare.parse::<ClientId>().is_ok()).then_some(bare)
}

fn tenant(checker: &mut Checker<'_, '_>, text: &StringLit<'_>) -> Option<String> {
    let pointer = pointer(TENANT_ID);
    if let Ok(tenant) = text.value.parse::<TenantId>() {
        return Some(tenant.as_str().to_owned());
    }
    if is_domain(&text.value) {
        return Some(text.value.to_ascii_lowercase());
    }
    let error = Diagnosis::error(&codes::TENANT_ID_INVALID, "TenantId is neither a GUID nor a domain");
    match bare_guid(&text.value) {
        Some(bare) => checker.report_certain(error.fix(format!("write {}", quoted(bare))), text, &pointer, bare),
        None => {
            let fix = "copy the Directory (tenant) ID from the Overview page of Microsoft Entra ID";
            checker.report(error.fix(fix), text, &pointer);
        }
    }
    None
}

/// A domain of a directory: at least two labels. Source: RFC 1035 section 2.3.1, RFC 1123 section 2.1.
fn is_domain(text: &str) -> bool {
    text.contains('.') && is_host(text) && text.ends_with(|c: char| c.is_ascii_alphabetic())
}

/// Labels of letters, digits and inner hyphens, joined by dots.
fn is_host(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

fn client_id(checker: &mut Checker<'_, '_>, text: &StringLit<'_>) -> Option<ClientId> {
    let pointer = pointer(CLIENT_ID);
    if let Ok(client_id) = text.value.parse() {
        return Some(client_id);
    }
    let error = Diagnosis::error(&codes::CLIENT_ID_INVALID, "ClientId is not a GUID");
    match bare_guid(&text.value) {
        Some(bare) => checker.report_certain(error.fix(format!("write {}", quoted(bare))), text, &pointer, bare),
        None => {
            let fix = "copy the Application (client) ID from the Overview page of the app registration";
            checker.report(error.fix(fix), text, &pointer);
        }
    }
    None
}

fn warn_of_equal_ids(
    checker: &mut Checker<'_, '_>,
    members: &Members<'_>,
    tenant: Option<&str>,
    client_id: Option<&ClientId>,
) {
    if let (Some(tenant), Some(client_id), Some(text)) = (tenant, client_id, members.text(CLIENT_ID))
        && tenant == client_id.as_str()
    {
        let warning = Diagnosis::warning(&codes::IDS_EQUAL, "TenantId and ClientId are the same")
            .cause("the directory and the application have different IDs")
            .fix("copy both again: Directory (tenant) ID and Application (client) ID");
        checker.report(warning, text, &pointer(CLIENT_ID));
    }
}

fn vault_name(checker: &mut Checker<'_, '_>, text: &StringLit<'_>) -> Option<VaultName> {
    let pointer = pointer(VAULT_NAME);
    let reason = match text.value.parse() {
        Ok(name) => return Some(name),
        Err(reason) => reason,
    };
    if let Some(name) = name_in_address(&text.value) {
        let error = Diagnosis::error(&codes::VAULT_NAME_IS_ADDRESS, "VaultName is an address")
            .cause("it is the bare name of the vault, without https:// and domain")
            .fix(format!("write \"{VAULT_NAME}\": {}", quoted(name)));
        checker.report_certain(error, text, &pointer, name);
        return None;
    }
    let cause = match reason {
        InvalidName::Length(length) => format!("it has {length} characters; 3 to 24 are allowed"),
        InvalidName::Character { .. } => "letters A to Z, digits and hyphens are allowed".to_owned(),
        InvalidName::Ends | InvalidName::DoubleHyphen => reason.to_string(),
    };
    let error = Diagnosis::error(&codes::VAULT_NAME_INVALID, "VaultName is not a valid name")
        .cause(cause)
        .fix("copy the Name from the Overview page of the vault");
    checker.report(error, text, &pointer);
    None
}

/// The vault's name in `https://name.vault.azure.net/` or `name.vault.azure.net`.
fn name_in_address(text: &str) -> Option<&str> {
    let text = text.trim();
    let scheme_less = text.split_once("://").map_or(text, |(_, rest)| rest);
    let host = scheme_less.split(['/', ':', '?', '#', '@']).next()?;
    let name = host.split('.').next()?;
    (name.len() < text.len() && name.parse::<VaultName>().is_ok()).then_some(name)
}

/// A path as the settings mean it: relative to their folder, never to the working directory.
fn path(checker: &mut Checker<'_, '_>, key: &str, text: &StringLit<'_>, folder: &Path) -> Option<PathBuf> {
    if text.value.contains(|c: char| c.is_control()) {
        let message = format!("{key} holds a control character");
        let fix = "write every backslash of the path twice: C:\\\\certificates\\\\my-certificate.pem";
        checker.error(&codes::PATH_INVALID, message, fix, text, &pointer(key));
        return None;
    }
    Some(folder.join(text.value.as_ref()))
}

fn warn_of_developers_folder(checker: &mut Checker<'_, '_>, members: &Members<'_>) {
    let Some(text) = members.text(CERTIFICATE_FILE) else { return };
    let lower = text.value.to_lowercase();
    if lower.split(['/', '\\']).any(|part| DEVELOPERS_FOLDERS.contains(&part)) {
        let warning =
            Diagnosis::warning(&codes::CERTIFICATE_IN_WORKSPACE, "the certificate lies where developers can read")
                .cause("it holds the private key")
                .fix("move it to a folder of the server's account and change CertificateFile");
        checker.report(warning, text, &pointer(CERTIFICATE_FILE));
    }
}

fn cloud(checker: &mut Checker<'_, '_>, members: &Members<'_>) -> Option<Cloud> {
    let named = members.text(CLOUD);
    let authority = members.text(AUTHORITY_HOST);
    let suffix = members.text(VAULT_DNS_SUFFIX);
    if let Some(named) = named {
        if let Some((key, other)) = authority.map(|t| (AUTHORITY_HOST, t)).or(suffix.map(|t| (VAULT_DNS_SUFFIX, t))) {
            let message = format!("Cloud and {key} exclude each other");
            let fix = "keep Cloud, or AuthorityHost and VaultDnsSuffix";
            checker.error(&codes::CLOUD_TWICE_GIVEN, message, fix, other, &pointer(key));
        }
        return named_cloud(checker, named);
    }
    match (authority, suffix) {
        (None, None) => Some(Cloud::default()),
        (Some(text), None) => half_given(checker, AUTHORITY_HOST, VAULT_DNS_SUFFIX, members, text),
        (None, Some(text)) => half_given(checker, VAULT_DNS_SUFFIX, AUTHORITY_HOST, members, text),
        (Some(authority), Some(suffix)) => {
            let authority_host = authority_host(checker, authority);
            let vault_dns_suffix = vault_dns_suffix(checker, suffix);
            Some(Cloud::Custom { authority_host: authority_host?, vault_dns_suffix: vault_dns_suffix? })
        }
    }
}

fn half_given(
    checker: &mut Checker<'_, '_>,
    given: &str,
    absent: &'static str,
    members: &Members<'_>,
    text: &StringLit<'_>,
) -> Option<Cloud> {
    // A value that is there but was already reported is not reported as absent, too.
    if !members.present.contains(&absent) {
        let message = format!("{given} needs {absent}");
        checker.error(&codes::CLOUD_HALF_GIVEN, message, &format!("add \"{absent}\": \"…\""), text, &pointer(given));
    }
    None
}

fn named_cloud(checker: &mut Checker<'_, '_>, text: &StringLit<'_>) -> Option<Cloud> {
    let names = Cloud::NAMED.map(|(name, _)| name);
    if let Some((_, cloud)) = Cloud::NAMED.into_iter().find(|(name, _)| *name == text.value) {
        return Some(cloud);
    }
    let error = Diagnosis::error(&codes::CLOUD_UNKNOWN, format!("there is no Cloud {}", text.value));
    let place = pointer(CLOUD);
    match nearest(&text.value, names) {
        Some(name) if name.eq_ignore_ascii_case(&text.value) => {
            checker.report_certain(error.fix(format!("write {}", quoted(name))), text, &place, name);
        }
        Some(name) => checker.report(error.fix(format!("did you mean {name}?")), text, &place),
        None => checker.report(error.fix(format!("the clouds are {}", names.join(", "))), text, &place),
    }
    None
}

/// The https origin, without a final slash.
fn authority_host(checker: &mut Checker<'_, '_>, text: &StringLit<'_>) -> Option<String> {
    let place = pointer(AUTHORITY_HOST);
    let error = || Diagnosis::error(&codes::AUTHORITY_HOST_INVALID, "AuthorityHost is not an https origin");
    let url = Url::parse(&text.value).ok().filter(|url| url.scheme() == "https" && url.host_str().is_some());
    let Some(url) = url else {
        let fix = "write https and the host, for example \"https://login.microsoftonline.com\"";
        checker.report(error().fix(fix), text, &place);
        return None;
    };
    let origin = url.origin().ascii_serialization();
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if !url.username().is_empty() || url.password().is_some() {
        let fix = format!("write {}; no user name belongs there", quoted(&origin));
        checker.report(error().cause("it holds a user name").fix(fix), text, &place);
        return None;
    }
    if !bare {
        let error = error().cause("nothing follows after the host").fix(format!("write {}", quoted(&origin)));
        checker.report_certain(error, text, &place, &origin);
        return None;
    }
    Some(origin)
}

/// A host, possibly with a port.
fn vault_dns_suffix(checker: &mut Checker<'_, '_>, text: &StringLit<'_>) -> Option<String> {
    if is_suffix(&text.value) {
        return Some(text.value.to_ascii_lowercase());
    }
    let place = pointer(VAULT_DNS_SUFFIX);
    let error = Diagnosis::error(&codes::VAULT_DNS_SUFFIX_INVALID, "VaultDnsSuffix is not a host name")
        .cause("it is what follows after the vault's name and a dot, possibly with a port");
    let trimmed = text.value.trim();
    let rest = trimmed.split_once("://").map_or(trimmed, |(_, rest)| rest);
    let bare = rest.trim_end_matches('/').trim_start_matches(['*', '.']);
    if is_suffix(bare) {
        checker.report_certain(error.fix(format!("write {}", quoted(bare))), text, &place, bare);
    } else {
        checker.report(error.fix("write for example \"vault.azure.net\""), text, &place);
    }
    None
}

fn is_suffix(text: &str) -> bool {
    let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
    let is_port =
        |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0);
    let named = host.split('.').next_back().is_some_and(|label| label.starts_with(|c: char| c.is_ascii_alphabetic()));
    is_host(host) && named && port.is_none_or(is_port)
}
