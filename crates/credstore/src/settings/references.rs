//! References in Server Settings, `{"credential": "…"}` at any depth, and passwords that are none.

use jsonc_parser::ast::{Object, Value};

use super::meaning::{Checker, STORE_KEY, span_of};
use super::syntax::{indexed, joined};
use crate::Diagnosis;
use crate::codes::{identifiers, settings as codes};
use crate::reference::{Form, IdentifierRules, Reference, check_identifier};

/// The one member of a reference.
pub(super) const CREDENTIAL: &str = "credential";

/// Every reference outside of the store entry. `rules` are those of the configured store, where its `Type` is known.
pub(super) fn read(checker: &mut Checker<'_, '_>, root: &Object<'_>, rules: Option<IdentifierRules>) -> Vec<Reference> {
    let mut references = Vec::new();
    // A stack and no recursion; children are pushed in reverse, so that they come in the order of the text.
    let mut open: Vec<(&Value<'_>, String)> = members(root, "").filter(|(_, pointer)| pointer != STORE_KEY).collect();
    open.reverse();
    while let Some((value, pointer)) = open.pop() {
        match value {
            Value::Object(object) => {
                if object.properties.iter().any(|property| property.name.as_str() == CREDENTIAL) {
                    references.extend(reference(checker, object, &pointer, rules));
                } else {
                    warn_of_misspelt_member(checker, object, &pointer);
                    open.extend(members(object, &pointer).collect::<Vec<_>>().into_iter().rev());
                }
            }
            Value::Array(array) => {
                let elements = array.elements.iter().enumerate();
                let elements: Vec<_> = elements.map(|(at, value)| (value, indexed(&pointer, at))).collect();
                open.extend(elements.into_iter().rev());
            }
            Value::StringLit(text) => {
                if is_password_setting(&pointer) && !text.value.is_empty() {
                    warn_of_plain_text(checker, value, &pointer);
                }
            }
            Value::NumberLit(_) | Value::BooleanLit(_) | Value::NullKeyword(_) => {}
        }
    }
    references
}

fn members<'v>(object: &'v Object<'v>, pointer: &str) -> impl Iterator<Item = (&'v Value<'v>, String)> {
    object.properties.iter().map(move |property| (&property.value, joined(pointer, property.name.as_str())))
}

fn reference(
    checker: &mut Checker<'_, '_>,
    object: &Object<'_>,
    pointer: &str,
    rules: Option<IdentifierRules>,
) -> Option<Reference> {
    let property = object.properties.iter().find(|property| property.name.as_str() == CREDENTIAL)?;
    if let Some(other) = object.properties.iter().find(|property| property.name.as_str() != CREDENTIAL) {
        let message = format!("the key {} stands next to credential", other.name.as_str());
        let error = Diagnosis::error(&codes::CREDENTIAL_NOT_ALONE, message)
            .cause("a reference is an object with the one member credential")
            .fix("remove the other members, or put the reference one level deeper");
        checker.report(error, &other.name, pointer);
        return None;
    }
    let Value::StringLit(text) = &property.value else {
        let error = Diagnosis::error(&codes::CREDENTIAL_NOT_TEXT, format!("credential of {pointer} is not a text"))
            .cause("the brackets in the documentation mark a placeholder")
            .fix("write {\"credential\": \"Identifier\"}");
        checker.report(error, &property.value, pointer);
        return None;
    };
    if checker.is_placeholder(&text.value, text, pointer) {
        return None;
    }
    let identifier = match text.value.parse() {
        Ok(identifier) => identifier,
        Err(reason) => {
            let message = format!("credential of {pointer} is not an identifier");
            let cause = if text.value.is_empty() { "it is empty".to_owned() } else { format!("{reason}") };
            let error = Diagnosis::error(&identifiers::IDENTIFIER_INVALID, message)
                .cause(cause)
                .fix("write the identifier that the administrator gave");
            checker.report(error, text, pointer);
            return None;
        }
    };
    let span = checker.repaired.original_span(span_of(text));
    if let Some(finding) = rules.and_then(|rules| check_identifier(&identifier, rules, Some(span))) {
        checker.report(finding, text, pointer);
    }
    Some(Reference {
        identifier,
        place: checker.place(text, pointer),
        form: Form::Setting { pointer: pointer.to_owned() },
        whole: checker.repaired.original_span(span_of(object)),
    })
}

/// `{"Credential": "…"}` is no reference; nothing would be resolved, and nobody would notice.
fn warn_of_misspelt_member(checker: &mut Checker<'_, '_>, object: &Object<'_>, pointer: &str) {
    let [property] = object.properties.as_slice() else { return };
    let key = property.name.as_str();
    let near = key.eq_ignore_ascii_case(CREDENTIAL) || key.eq_ignore_ascii_case("credentials");
    if near && matches!(property.value, Value::StringLit(_)) {
        let warning =
            Diagnosis::warning(&codes::CREDENTIAL_MISSPELT, format!("the key {key} of {pointer} is not credential"))
                .cause("the object is not a reference, nothing is resolved")
                .fix("write \"credential\"");
        checker.report_certain(warning, &property.name, pointer, CREDENTIAL);
    }
}

/// Documented settings whose value is a password. Source: product behaviour section 3.1.
fn is_password_setting(pointer: &str) -> bool {
    let provider = pointer.strip_prefix("ExternalAuthenticationProviders.");
    let bind_password = provider.and_then(|rest| rest.split_once('.')).is_some_and(|(_, key)| key == "bindCredentials");
    bind_password || matches!(pointer, "MailSettings.password" | "AutomationHubAppToken")
}

fn warn_of_plain_text(checker: &mut Checker<'_, '_>, value: &Value<'_>, pointer: &str) {
    let warning =
        Diagnosis::warning(&codes::PLAIN_TEXT_PASSWORD, format!("{pointer} holds the password in plain text"))
            .cause("everyone who sees Server Settings can read it, developers included")
            .fix("put it into the credential store and write {\"credential\": \"Identifier\"}");
    let mut place = checker.place(value, pointer);
    // Without a span the line is not shown: it holds the password.
    place.span = None;
    checker.findings.push(warning.at(place));
}
