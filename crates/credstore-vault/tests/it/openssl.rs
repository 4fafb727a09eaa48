//! The real `openssl`, run in the folder of one test.

use std::path::PathBuf;
use std::process::{Command, Output};

use crate::folder::Folder;

/// The folder of one test, where `openssl` reads and writes.
pub(crate) struct Bench(Folder);

impl Bench {
    pub(crate) fn new() -> Self {
        Self(Folder::new())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    pub(crate) fn run(&self, arguments: &str) -> Output {
        let mut openssl = Command::new("openssl");
        openssl.args(arguments.split(' ')).current_dir(self.0.path()).output().expect("openssl is installed")
    }

    /// Runs `openssl` and gives what it prints.
    pub(crate) fn openssl(&self, arguments: &str) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}
