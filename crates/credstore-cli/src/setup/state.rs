//! `setup-state.json` beside the settings: names and ids, so that the next run needs no flags. No secrets.
//!
//! It is a hint. What is so is found by looking.

use std::path::Path;

use credstore::codes::server as codes;
use credstore::diagnosis::{Diagnosis, Place};
use credstore_protocol::{ClientId, SecretName, TenantId};
use serde::{Deserialize, Serialize};

use crate::errors::CliError;
use crate::files::{self, Existing};

/// Its name.
pub(crate) const STATE_FILE: &str = "setup-state.json";

/// What the last run was about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct State {
    /// `embedded`.
    pub(crate) target: Target,
    /// Name of the vault.
    pub(crate) vault_name: String,
    /// Display name of the app.
    pub(crate) app_name: String,
    /// Name of the secret that was asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) secret: Option<String>,
    /// The tenant, once it is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) tenant_id: Option<TenantId>,
    /// The app's client ID, once it is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) client_id: Option<ClientId>,
}

/// Which vault is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Target {
    /// The one on this machine.
    Embedded,
}

impl State {
    /// Reads it; `None` when there is none.
    ///
    /// # Errors
    /// CS6021 when it is not what was written.
    pub(crate) fn read(folder: &Path) -> Result<Option<State>, CliError> {
        let file = folder.join(STATE_FILE);
        if !file.exists() {
            return Ok(None);
        }
        let bytes = files::read(&file)?;
        match serde_json::from_slice::<State>(&bytes) {
            Ok(state) if state.secret.as_deref().is_none_or(|name| name.parse::<SecretName>().is_ok()) => {
                Ok(Some(state))
            }
            Ok(_) => Err(unusable(&file, "it names a secret that no vault can hold")),
            Err(error) => Err(unusable(&file, &error.to_string())),
        }
    }

    /// Writes it when it is not there in this form already.
    ///
    /// # Errors
    /// CS0107 when it cannot be written.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), CliError> {
        let file = folder.join(STATE_FILE);
        let mut text =
            serde_json::to_string_pretty(self).map_err(|error| files::unwritable(&file, &error.to_string()))?;
        text.push('\n');
        if file.exists() && *files::read(&file)? == *text.as_bytes() {
            return Ok(());
        }
        files::write(&file, text.as_bytes(), 0o600, Existing::Replace)
    }
}

fn unusable(file: &Path, cause: &str) -> CliError {
    Diagnosis::error(&codes::SETUP_STATE, format!("{} cannot be used", file.display()))
        .cause(cause)
        .at(Place { file: Some(file.to_owned()), ..Place::default() })
        .fix("--restart ignores it and writes a new one; nothing is made twice")
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_has_names_and_ids_only() {
        let folder = std::env::temp_dir().join(format!("credstore-state-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&folder).unwrap();
        assert_eq!(State::read(&folder).unwrap(), None);
        let state = State {
            target: Target::Embedded,
            vault_name: "acme-pm-kv".to_owned(),
            app_name: "process-mining".to_owned(),
            secret: Some("SmtpRelay".to_owned()),
            tenant_id: None,
            client_id: Some("5d0c2a8e-91f3-4f0e-8a27-6c3f1d90b7f1".parse().unwrap()),
        };
        state.write(&folder).unwrap();
        assert_eq!(State::read(&folder).unwrap(), Some(state));
        for text in ["", "{", "{}", r#"{"target":"embedded","vaultName":"v","appName":"a","secret":"a b"}"#] {
            std::fs::write(folder.join(STATE_FILE), text).unwrap();
            let error = State::read(&folder).unwrap_err();
            assert_eq!(error.code().map(|code| code.id), Some("CS6021"), "{text}");
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}
