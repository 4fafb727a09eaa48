//! What is outside: the clock, the environment, the terminal. Made once in `main`, passed down.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use credstore_protocol::{Clock, SteadyClock, Timestamp};

use crate::cli::Globals;
use crate::harden::Before;

/// The environment as it was when the program started. Nobody reads it again.
#[derive(Debug, Default)]
pub(crate) struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// The variables given.
    pub(crate) fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        Self(variables.into_iter().collect())
    }

    /// A variable that is set and not empty.
    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        self.0.get(std::ffi::OsStr::new(name)).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    /// A variable that is set, not empty and text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(std::ffi::OsStr::new(name)).and_then(|value| value.to_str()).filter(|value| !value.is_empty())
    }
}

/// What the three standard streams are.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Terminals {
    /// Somebody types.
    pub(crate) stdin: bool,
    /// Somebody reads the result.
    pub(crate) stdout: bool,
    /// Somebody reads the messages.
    pub(crate) stderr: bool,
}

/// The system's clock, the only one in the program.
#[derive(Debug)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[allow(clippy::disallowed_methods, reason = "this is the clock that everybody else is given")]
        let now = std::time::SystemTime::now();
        now.into()
    }
}

impl SteadyClock for SystemClock {
    fn elapsed(&self) -> std::time::Duration {
        credstore::platform::since_boot()
    }
}

/// Everything a command may know about the outside.
pub(crate) struct World {
    pub(crate) environment: Environment,
    pub(crate) terminals: Terminals,
    pub(crate) globals: Globals,
    pub(crate) clock: std::sync::Arc<dyn SteadyClock>,
    pub(crate) before: Before,
}

/// Name of the settings file in the current folder and in the configuration folder.
const SETTINGS_FILE: &str = "server-settings.json";

impl World {
    /// The wall clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The data folder: flag, environment, `~/.local/share/credstore`.
    pub(crate) fn data_folder(&self) -> PathBuf {
        if let Some(folder) = &self.globals.data_dir {
            return folder.clone();
        }
        if let Some(folder) = self.environment.path("CREDSTORE_DATA_DIR") {
            return folder;
        }
        let base = self.environment.path("XDG_DATA_HOME").unwrap_or_else(|| self.home().join(".local/share"));
        base.join("credstore")
    }

    /// The folder for what this machine remembers: systemd's, `~/.local/state/credstore`.
    pub(crate) fn state_folder(&self) -> PathBuf {
        if let Some(folder) = self.environment.path("STATE_DIRECTORY") {
            return folder;
        }
        let base = self.environment.path("XDG_STATE_HOME").unwrap_or_else(|| self.home().join(".local/state"));
        base.join("credstore")
    }

    /// The settings file that was named by flag or environment.
    pub(crate) fn named_settings(&self) -> Option<PathBuf> {
        self.globals.settings.clone().or_else(|| self.environment.path("CREDSTORE_SETTINGS"))
    }

    /// The settings file to read: named, `./server-settings.json`, the one in the configuration folder.
    pub(crate) fn settings(&self) -> PathBuf {
        if let Some(named) = self.named_settings() {
            return named;
        }
        let here = PathBuf::from(SETTINGS_FILE);
        let base = self.environment.path("XDG_CONFIG_HOME").unwrap_or_else(|| self.home().join(".config"));
        let configured = base.join("credstore").join(SETTINGS_FILE);
        if !here.exists() && configured.exists() { configured } else { here }
    }

    /// Whether the settings are chosen: named, or in the current folder.
    pub(crate) fn has_chosen_settings(&self) -> bool {
        self.named_settings().is_some() || Path::new(SETTINGS_FILE).exists()
    }

    /// The settings file to write when none was named.
    pub(crate) fn settings_to_write(&self) -> PathBuf {
        self.named_settings().unwrap_or_else(|| PathBuf::from(SETTINGS_FILE))
    }

    fn home(&self) -> PathBuf {
        self.environment.path("HOME").unwrap_or_else(|| Path::new(".").to_owned())
    }

    /// Whether questions may be asked: somebody types, and nobody forbade it.
    pub(crate) fn may_ask(&self) -> bool {
        let forbidden = self.globals.no_input || self.environment.text("CREDSTORE_NO_INPUT").is_some_and(|v| v != "0");
        self.terminals.stdin && !forbidden
    }
}

#[cfg(test)]
impl World {
    /// A world with no environment and no terminal, for unit tests.
    pub(crate) fn bare(globals: Globals, environment: Environment) -> Self {
        Self {
            environment,
            terminals: Terminals::default(),
            globals,
            clock: std::sync::Arc::new(SystemClock),
            before: crate::harden::process(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(globals: Globals, variables: &[(&str, &str)]) -> World {
        World::bare(globals, Environment::new(variables.iter().map(|(name, value)| ((*name).into(), (*value).into()))))
    }

    #[test]
    fn a_flag_comes_before_a_variable_and_a_variable_before_the_default() {
        let variables =
            [("CREDSTORE_DATA_DIR", "/by/variable"), ("CREDSTORE_SETTINGS", "v.json"), ("HOME", "/home/ada")];
        let flags =
            Globals { data_dir: Some("/by/flag".into()), settings: Some("f.json".into()), ..Globals::default() };
        let flagged = world(flags, &variables);
        assert_eq!((flagged.data_folder(), flagged.settings()), ("/by/flag".into(), "f.json".into()));
        let varied = world(Globals::default(), &variables);
        assert_eq!((varied.data_folder(), varied.settings()), ("/by/variable".into(), "v.json".into()));
        let bare = world(Globals::default(), &[("HOME", "/home/ada"), ("CREDSTORE_DATA_DIR", "")]);
        assert_eq!(bare.data_folder(), PathBuf::from("/home/ada/.local/share/credstore"));
    }

    #[test]
    fn without_a_terminal_nobody_is_asked() {
        assert!(!world(Globals::default(), &[]).may_ask());
        let mut typed = world(Globals::default(), &[("CREDSTORE_NO_INPUT", "1")]);
        typed.terminals.stdin = true;
        assert!(!typed.may_ask());
        typed.environment = Environment::default();
        assert!(typed.may_ask());
        typed.globals.no_input = true;
        assert!(!typed.may_ask());
    }
}
