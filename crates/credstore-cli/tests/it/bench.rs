//! A folder for one test, and the ways to run the binary in it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A folder that is removed with the test, and the `credstore` binary working in it.
pub(crate) struct Bench {
    folder: PathBuf,
}

impl Bench {
    /// An empty folder; its data folder does not exist yet.
    pub(crate) fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("credstore-it-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&folder).unwrap();
        Self { folder }
    }

    /// A vault `acme-pm-kv` with a certificate, an app `process-mining` that has Get, settings, and one secret.
    pub(crate) fn with_vault() -> Self {
        let bench = Self::new();
        bench.ok(&["vault", "create", "--name", "acme-pm-kv"]);
        bench.ok(&["cert", "new", "--out", "my-certificate.pem"]);
        bench.ok(&["cert", "export-public", "my-certificate.pem", "--out", "azure-cert.cer"]);
        let app = bench.ok(&["app", "create", "--display-name", "process-mining", "--query", "appId", "-o", "tsv"]);
        let app = app.trim();
        bench.ok(&["app", "credential", "add", "--id", app, "--cert", "azure-cert.cer"]);
        bench.permit("get");
        let tenant = bench.ok(&["directory", "show", "--query", "tenantId", "-o", "tsv"]);
        let settings = serde_json::json!({
            "CredentialStore": {
                "Type": "AzureKeyVault",
                "TenantId": tenant.trim(),
                "ClientId": app,
                "VaultName": "acme-pm-kv",
                "CertificateFile": "my-certificate.pem",
                "AuthorityHost": "https://login.localhost:8443",
                "VaultDnsSuffix": "vault.localhost:8443",
                "CaFile": bench.path("data/ca.pem"),
            },
            "MailSettings": { "password": { "credential": "SmtpRelay" } },
        });
        std::fs::write(bench.path("server-settings.json"), format!("{settings:#}")).unwrap();
        bench.set("SmtpRelay", "in;the{vault}");
        bench
    }

    /// Gives the app these permissions on secrets.
    pub(crate) fn permit(&self, permissions: &str) {
        let app = self.ok(&["app", "show", "--id", "process-mining", "--query", "appId", "-o", "tsv"]);
        let policy = ["vault", "access-policy", "set", "--name", "acme-pm-kv", "--secret-permissions", permissions];
        self.ok(&[&policy[..], &["--spn", app.trim()]].concat());
    }

    /// Runs the real `openssl` in the folder and gives what it prints.
    pub(crate) fn openssl(&self, arguments: &str) -> String {
        let done = Command::new("openssl").args(arguments.split(' ')).current_dir(&self.folder).output().unwrap();
        assert!(done.status.success(), "openssl {arguments}: {}", text(&done.stderr));
        text(&done.stdout)
    }

    /// Sets a secret through standard input.
    pub(crate) fn set(&self, name: &str, value: &str) {
        let done =
            self.fed(&["vault", "secret", "set", "--vault-name", "acme-pm-kv", "--name", name], value.as_bytes());
        assert!(done.status.success(), "{}", text(&done.stderr));
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The binary with these arguments, nothing on standard input, and no environment but the data folder.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_credstore"));
        command.args(arguments).current_dir(&self.folder).env_clear().stdin(Stdio::null());
        command.env("CREDSTORE_DATA_DIR", self.path("data")).env("HOME", &self.folder).env("PATH", "/usr/bin:/bin");
        command
    }

    /// Runs it.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs it with bytes on standard input.
    pub(crate) fn fed(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A command that does not read its input is the point of some tests.
        let _ = child.stdin.take().unwrap().write_all(input);
        child.wait_with_output().unwrap()
    }

    /// Runs it, which must succeed; gives standard output.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let done = self.run(arguments);
        assert!(done.status.success(), "{arguments:?}: {}", text(&done.stderr));
        text(&done.stdout)
    }

    /// Runs it, which must fail with `code` and leave standard output empty; gives standard error.
    pub(crate) fn fails(&self, code: i32, arguments: &[&str]) -> String {
        let done = self.run(arguments);
        let errors = text(&done.stderr);
        assert_eq!(done.status.code(), Some(code), "{arguments:?}: {errors}");
        assert_eq!(text(&done.stdout), "", "{arguments:?}");
        errors
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Bytes as text.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Permission bits of a file.
pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().unwrap().permissions().mode() & 0o777
}

/// Says why a test stops early: what it needs is not here.
#[allow(clippy::print_stderr, reason = "a test that was skipped must be seen")]
pub(crate) fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}
