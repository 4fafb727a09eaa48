//! The seed file: what an installation is to hold, read strictly and before anything is opened.
//!
//! Names, permissions and roles are checked here, so that a mistake has its line and column and nothing is half
//! applied. The text of the file is in no message but for its keys and names: anything else may be a secret.

use std::fmt;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use credstore::codes::server as codes;
use credstore::diagnosis::{Diagnosis, Place};
use credstore_protocol::{Secret, SecretName, VaultName};
use credstore_vault::access::{
    CertificatePermission, Granted, KeyPermission, PermissionKind, Role, SecretPermission, UnknownPermission,
};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::output::plain;

/// Begins the texts that we write into an error of the parser: all others may quote the file.
const SAID: &str = "seed: ";

/// What an installation is to hold. What is not named stays as it is.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    /// App registrations.
    #[serde(default, deserialize_with = "each_once")]
    pub(super) apps: Vec<App>,
    /// Vaults.
    #[serde(default, deserialize_with = "each_once")]
    pub(super) vaults: Vec<Vault>,
}

/// An app registration with its service principal.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct App {
    /// Its display name.
    pub(super) name: String,
    /// The certificate that it signs in with.
    #[serde(default)]
    pub(super) certificate: Option<Certificate>,
}

/// Where an app's certificate is. A relative path begins at the folder of the seed file.
#[derive(Debug)]
pub(super) enum Certificate {
    /// PEM, PFX or DER; the public part is uploaded.
    File(PathBuf),
    /// The same, and when nothing is there a key pair is made and written.
    Make(PathBuf),
}

/// A vault.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Vault {
    /// Its name.
    #[serde(deserialize_with = "named")]
    pub(super) name: VaultName,
    /// Access policies; the vault decides by them.
    #[serde(default, deserialize_with = "some_each_once")]
    pub(super) access: Option<Vec<Access>>,
    /// Roles; the vault decides by them.
    #[serde(default, deserialize_with = "some_each_once")]
    pub(super) roles: Option<Vec<Assigned>>,
    /// Secrets.
    #[serde(default, deserialize_with = "each_once")]
    pub(super) secrets: Vec<Kept>,
}

/// The access policy of one app: these permissions and no others.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Access {
    /// Display name of the app.
    pub(super) app: String,
    #[serde(default, deserialize_with = "permissions")]
    pub(super) secrets: Granted<SecretPermission>,
    #[serde(default, deserialize_with = "permissions")]
    pub(super) keys: Granted<KeyPermission>,
    #[serde(default, deserialize_with = "permissions")]
    pub(super) certificates: Granted<CertificatePermission>,
}

/// One role of one app in the vault.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Assigned {
    /// Display name of the app.
    pub(super) app: String,
    #[serde(deserialize_with = "role")]
    pub(super) role: Role,
}

/// A secret.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Kept {
    /// Its name.
    #[serde(deserialize_with = "named")]
    pub(super) name: SecretName,
    /// Where its value is.
    pub(super) value: Source,
    /// What kind of text it is, for those who read it.
    #[serde(default)]
    pub(super) content_type: Option<String>,
}

/// Where a value is.
#[derive(Debug)]
pub(super) enum Source {
    /// Here.
    Text(Secret),
    /// In a file, every byte of it.
    File(PathBuf),
    /// In a variable of the environment.
    Env(String),
    /// In an encrypted credential file, behind the name of the secret.
    Sealed(PathBuf),
}

impl Document {
    /// Reads the text of `file`.
    ///
    /// # Errors
    /// CS6030 with line and column.
    pub(super) fn parse(text: &str, file: &Path) -> Result<Self, Box<Diagnosis>> {
        let document: Self = serde_json::from_str(text).map_err(|error| Box::new(refused(&error, file)))?;
        match document.vaults.iter().find(|vault| vault.access.is_some() && vault.roles.is_some()) {
            None => Ok(document),
            Some(vault) => {
                let message = format!("the vault {} has access policies and roles", vault.name);
                let error = Diagnosis::error(&codes::SEED_INVALID, message)
                    .cause("a vault decides by one of the two")
                    .fix("keep \"access\" or \"roles\"")
                    .at(Place { file: Some(file.to_owned()), ..Place::default() });
                Err(Box::new(error))
            }
        }
    }

    /// Whether a value stands in the file itself.
    pub(super) fn holds_values(&self) -> bool {
        self.vaults.iter().flat_map(|vault| &vault.secrets).any(|secret| matches!(secret.value, Source::Text(_)))
    }
}

/// The parser's text where it cannot quote a value, and otherwise what kind of mistake it is.
fn refused(error: &serde_json::Error, file: &Path) -> Diagnosis {
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    let ours = ["unknown field `", "missing field `", "duplicate field `"];
    let cause = match text.strip_prefix(SAID) {
        Some(said) => said.to_owned(),
        None if !error.is_data() || ours.iter().any(|known| text.starts_with(known)) => text.replace('`', ""),
        None => match text.rsplit_once(", expected ") {
            Some((_, expected)) => format!("the value is not what is expected here: {expected}"),
            None => "the value is not what is expected here".to_owned(),
        },
    };
    let number = |at: usize| u32::try_from(at).ok();
    Diagnosis::error(&codes::SEED_INVALID, format!("{} is not a seed", file.display()))
        .cause(plain(&cause))
        .fix("docs/seed.md shows what it may hold")
        .at(Place {
            file: Some(file.to_owned()),
            line: number(error.line()),
            column: number(error.column()),
            ..Place::default()
        })
}

fn said<E: Error>(text: impl fmt::Display) -> E {
    E::custom(format!("{SAID}{text}"))
}

fn named<'de, D: Deserializer<'de>, T: FromStr<Err: fmt::Display>>(deserializer: D) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|reason| said(format!("{text} cannot be a name: {reason}")))
}

fn permissions<'de, D, P>(deserializer: D) -> Result<Granted<P>, D::Error>
where
    D: Deserializer<'de>,
    P: PermissionKind + FromStr<Err = UnknownPermission>,
{
    let names = Vec::<String>::deserialize(deserializer)?;
    Granted::from_names(&names).map_err(|unknown| said(format!("{} is not a permission on {}", unknown.text, P::KIND)))
}

fn role<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Role, D::Error> {
    let name = String::deserialize(deserializer)?;
    let known = Role::EVERY.into_iter().find(|role| role.definition().name.eq_ignore_ascii_case(&name));
    known.ok_or_else(|| {
        let names = Role::EVERY.map(|role| role.definition().name).join(", ");
        said(format!("{name} is not a role; the roles are {names}"))
    })
}

/// An object with exactly one member that is a text; gives its key among `keys` and the text.
struct One(&'static [&'static str]);

impl One {
    fn read<'de, A: MapAccess<'de>>(&self, mut map: A) -> Result<(&'static str, String), A::Error> {
        let wanted = || format!("one of {} is expected", self.0.join(" and "));
        let key: String = map.next_key()?.ok_or_else(|| said(wanted()))?;
        let known = self.0.iter().find(|known| **known == key);
        let known = known.ok_or_else(|| said(format!("{key} is not known here; {}", wanted())))?;
        let text = map.next_value()?;
        match map.next_key::<String>()? {
            None => Ok((known, text)),
            Some(_) => Err(said(wanted())),
        }
    }
}

impl<'de> Visitor<'de> for One {
    type Value = (&'static str, String);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with {}", self.0.join(" or "))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        self.read(map)
    }
}

impl<'de> Deserialize<'de> for Certificate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (key, path) = deserializer.deserialize_map(One(&["file", "make"]))?;
        Ok(if key == "make" { Self::Make(path.into()) } else { Self::File(path.into()) })
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Source;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, or an object with file, env or sealed")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Source, E> {
                Ok(Source::Text(Secret::from(text.to_owned())))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Source, A::Error> {
                let deserializer = MapAccessDeserializer::new(map);
                let (key, text) = deserializer.deserialize_map(One(&["file", "env", "sealed"]))?;
                Ok(match key {
                    "env" => Source::Env(text),
                    "sealed" => Source::Sealed(text.into()),
                    _ => Source::File(text.into()),
                })
            }
        }

        deserializer.deserialize_any(Either)
    }
}

/// Something that a list may hold once.
trait Distinct {
    /// What makes it the same as another one, in one case.
    fn key(&self) -> String;
    /// How it is called in a message.
    fn called(&self) -> String;
}

impl Distinct for App {
    // The directory tells names of another case apart.
    fn key(&self) -> String {
        self.name.clone()
    }
    fn called(&self) -> String {
        format!("the app {}", self.name)
    }
}

impl Distinct for Vault {
    fn key(&self) -> String {
        self.name.as_str().to_ascii_lowercase()
    }
    fn called(&self) -> String {
        format!("the vault {}", self.name)
    }
}

impl Distinct for Kept {
    fn key(&self) -> String {
        self.name.as_str().to_ascii_lowercase()
    }
    fn called(&self) -> String {
        format!("the secret {}", self.name)
    }
}

impl Distinct for Access {
    fn key(&self) -> String {
        self.app.clone()
    }
    fn called(&self) -> String {
        format!("the access of {}", self.app)
    }
}

impl Distinct for Assigned {
    fn key(&self) -> String {
        format!("{} {}", self.role.definition().id, self.app)
    }
    fn called(&self) -> String {
        format!("the role {} of {}", self.role.definition().name, self.app)
    }
}

/// A list without doubles. Looked at while it is read: then the place of the second one is known.
fn each_once<'de, D: Deserializer<'de>, T: DeserializeOwned + Distinct>(deserializer: D) -> Result<Vec<T>, D::Error> {
    struct List<T>(PhantomData<T>);

    impl<'de, T: DeserializeOwned + Distinct> Visitor<'de> for List<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Vec<T>, A::Error> {
            let (mut list, mut seen) = (Vec::new(), std::collections::HashSet::new());
            while let Some(item) = sequence.next_element::<T>()? {
                if !seen.insert(item.key()) {
                    return Err(said(format!("{} is given twice", item.called())));
                }
                list.push(item);
            }
            Ok(list)
        }
    }

    deserializer.deserialize_seq(List(PhantomData))
}

fn some_each_once<'de, D: Deserializer<'de>, T: DeserializeOwned + Distinct>(
    deserializer: D,
) -> Result<Option<Vec<T>>, D::Error> {
    each_once(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> Diagnosis {
        match Document::parse(text, Path::new("seed.json")) {
            Ok(document) => panic!("{text} was taken: {document:?}"),
            Err(diagnosis) => *diagnosis,
        }
    }

    #[test]
    fn a_seed_says_apps_vaults_access_and_secrets() {
        let text = r#"{
            "apps": [{"name": "pm", "certificate": {"make": "keys/pm.pem"}}, {"name": "dp", "certificate": {"file": "dp.cer"}}],
            "vaults": [
                {"name": "acme-kv", "access": [{"app": "pm", "secrets": ["Get", "list"]}],
                 "secrets": [{"name": "A", "value": "in clear"}, {"name": "B", "value": {"file": "b.txt"}, "contentType": "text/plain"}]},
                {"name": "roles-kv", "roles": [{"app": "dp", "role": "key vault secrets user"}],
                 "secrets": [{"name": "A", "value": {"env": "A"}}]}
            ]
        }"#;
        let document = Document::parse(text, Path::new("seed.json")).unwrap();
        assert!(document.holds_values());
        assert!(
            matches!(&document.apps[0].certificate, Some(Certificate::Make(path)) if path == Path::new("keys/pm.pem"))
        );
        assert!(matches!(&document.apps[1].certificate, Some(Certificate::File(path)) if path == Path::new("dp.cer")));
        let [acme, roles] = &document.vaults[..] else { panic!("{document:?}") };
        let access = &acme.access.as_ref().unwrap()[0];
        assert_eq!(access.secrets.to_names(), ["get", "list"]);
        assert!(access.keys.to_names().is_empty() && acme.roles.is_none());
        assert!(matches!(&acme.secrets[0].value, Source::Text(secret) if secret.expose_secret() == "in clear"));
        assert!(matches!(&acme.secrets[1].value, Source::File(path) if path == Path::new("b.txt")));
        assert_eq!(acme.secrets[1].content_type.as_deref(), Some("text/plain"));
        assert_eq!(roles.roles.as_ref().unwrap()[0].role, Role::SecretsUser);
        assert!(matches!(&roles.secrets[0].value, Source::Env(name) if name == "A"));
        assert!(!Document::parse("{}", Path::new("seed.json")).unwrap().holds_values());
    }

    #[test]
    fn a_mistake_is_told_with_line_and_column_and_without_a_value() {
        let vault = |members: &str| format!("{{\"vaults\": [\n{{\"name\": \"acme-kv\", {members}}}]}}");
        let secret = |members: &str| vault(&format!("\"secrets\": [{{{members}}}]"));
        for (text, line, told) in [
            ("{\"app\": []}".to_owned(), 1, "unknown field app, expected apps or vaults"),
            ("{\"apps\": [{}]}".to_owned(), 1, "missing field name"),
            ("{\"apps\": [],\n\"apps\": []}".to_owned(), 2, "duplicate field apps"),
            ("{\"apps\": []\n\"vaults\": []}".to_owned(), 2, "expected , or }"),
            ("{\"apps\": [{\"name\": \"a\"},\n{\"name\": \"a\"}]}".to_owned(), 2, "the app a is given twice"),
            ("{\"vaults\": [{\"name\": \"a b\"}]}".to_owned(), 1, "a b cannot be a name"),
            (
                vault("\"access\": [{\"app\": \"a\", \"secrets\": [\"gets\"]}]"),
                2,
                "gets is not a permission on secrets",
            ),
            (vault("\"access\": {\"app\": \"a\"}"), 2, "a list"),
            (
                vault("\"roles\": [{\"app\": \"a\", \"role\": \"Owner\"}]"),
                2,
                "Owner is not a role; the roles are Key Vault",
            ),
            (
                secret("\"name\": \"A\", \"value\": \"hunter2\"}, {\"name\": \"a\", \"value\": \"hunter2\""),
                2,
                "secret a is given twice",
            ),
            (secret("\"name\": \"A\", \"valeu\": \"hunter2\""), 2, "unknown field valeu, expected one of name, value"),
            (secret("\"name\": \"A\", \"value\": 4711471147"), 2, "a text, or an object with file, env or sealed"),
            (
                secret("\"name\": \"A\", \"value\": {\"fiel\": \"hunter2\"}"),
                2,
                "fiel is not known here; one of file and env and sealed",
            ),
            (secret("\"name\": \"A\", \"value\": {}"), 2, "one of file and env and sealed"),
            (
                secret("\"name\": \"A\", \"value\": {\"file\": \"x\", \"env\": \"y\"}"),
                2,
                "one of file and env and sealed",
            ),
            (secret("\"name\": \"A\", \"value\": {\"file\": 4711471147}"), 2, "a string"),
            (vault("\"secrets\": \"hunter2, expected nothing\""), 2, "a list"),
            (vault("\"secrets\": [\"hunter2\"]"), 2, "struct Kept"),
        ] {
            let diagnosis = refusal(&text);
            let cause = diagnosis.cause.unwrap();
            assert!(cause.contains(told), "{text}: {cause}");
            let place = diagnosis.place.unwrap();
            assert_eq!((diagnosis.code.id, place.line), ("CS6030", Some(line)), "{text}");
            assert!(place.column.is_some() && place.span.is_none(), "{text}");
            let shown = format!("{} {cause}", diagnosis.message);
            assert!(!shown.contains("hunter2") && !shown.contains("4711471147"), "{text}: {shown}");
        }
    }

    #[test]
    fn the_seed_in_the_documentation_is_one() {
        let page = include_str!("../../../../docs/seed.md");
        let text = page.split("```json").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let document = Document::parse(text, Path::new("seed.json")).unwrap();
        assert_eq!((document.apps.len(), document.vaults.len(), document.vaults[0].secrets.len()), (2, 2, 4));
    }

    #[test]
    fn a_vault_has_access_policies_or_roles() {
        let diagnosis = refusal(r#"{"vaults": [{"name": "acme-kv", "access": [], "roles": []}]}"#);
        assert_eq!(diagnosis.message, "the vault acme-kv has access policies and roles");
    }
}
