//! The server under test: set up as a user would, served on one core, asked with curl.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{SERVER_CORE, client};
use crate::Outcome;

const VAULT: &str = "bench-kv";
const SECRET: &str = "bench-secret";
/// The value that is read: 39 bytes, as in the measurements of other vaults.
const VALUE: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABC";
/// Longest wait for a server to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A folder that is removed when dropped.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn make(parent: &Path) -> Outcome<Self> {
        let path = parent.join(format!("bench-{}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Self(path.canonicalize()?))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A data folder with one vault, one app and one secret, and a token for the app.
pub(super) struct Prepared {
    binary: PathBuf,
    folder: PathBuf,
    port: u16,
    token: String,
    tenant: String,
    client_id: String,
    form: String,
}

impl Prepared {
    /// Runs the five steps, gives the app every secret permission, and signs it in.
    pub(super) fn make(binary: &Path, scratch: &Path) -> Outcome<Self> {
        let mut prepared = Self {
            binary: binary.canonicalize()?,
            folder: scratch.to_owned(),
            port: free_port()?,
            token: String::new(),
            tenant: String::new(),
            client_id: String::new(),
            form: String::new(),
        };
        let running = prepared.serve()?;
        let value = scratch.join("value");
        std::fs::write(&value, VALUE)?;
        let settings = scratch.join("server-settings.json");
        let setup = ["setup", "embedded", "--vault-name", VAULT, "--app-name", "bench", "--secret", SECRET, "--yes"];
        prepared.credstore(&[&setup[..], &["--settings", &settings.to_string_lossy()]].concat(), Some(&value))?;
        let entry: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&settings)?)?;
        let entry = &entry["CredentialStore"];
        let text = |key: &str| entry[key].as_str().ok_or_else(|| format!("no {key} in the settings"));
        let policy = ["vault", "access-policy", "set", "--name", VAULT, "--secret-permissions", "all", "--spn"];
        prepared.credstore(&[&policy[..], &[text("ClientId")?]].concat(), None)?;
        let client = client::Client {
            authority: format!("https://login.localhost:{}", prepared.port),
            tenant: text("TenantId")?.to_owned(),
            client_id: text("ClientId")?.to_owned(),
            certificate: scratch.join(text("CertificateFile")?),
            resource: format!("https://vault.localhost:{}", prepared.port),
            ca: prepared.ca(),
        };
        prepared.form = client.form(scratch)?;
        prepared.token = client.token(&prepared.form, scratch)?;
        (prepared.tenant, prepared.client_id) = (client.tenant, client.client_id);
        running.stop()?;
        Ok(prepared)
    }

    /// The access token of the app.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// The body with which the app signs in: valid for ten minutes, and as secret as a password.
    pub(super) fn form(&self) -> &str {
        &self.form
    }

    /// The app.
    pub(super) fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Where tokens are asked for, by address.
    pub(super) fn token_url(&self) -> String {
        format!("https://127.0.0.1:{}/{}/oauth2/v2.0/token", self.port, self.tenant)
    }

    /// The Host header of the directory.
    pub(super) fn login_host(&self) -> String {
        format!("login.localhost:{}", self.port)
    }

    /// Where the harness keeps its files.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn ca(&self) -> PathBuf {
        self.data().join("ca.pem")
    }

    fn credstore(&self, arguments: &[&str], stdin: Option<&Path>) -> Outcome {
        let input = stdin.map_or_else(|| Ok(Stdio::null()), |path| std::fs::File::open(path).map(Stdio::from))?;
        let output = Command::new(&self.binary)
            .args(arguments)
            .arg("--data-dir")
            .arg(self.data())
            .current_dir(&self.folder)
            .stdin(input)
            .output()?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!("credstore {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr)).into())
    }

    /// Starts the server and waits until it is ready.
    pub(super) fn serve(&self) -> Outcome<Running> {
        self.start().map(|(running, _)| running)
    }

    /// Starts the server and reads the secret. The time is that from exec to ready, and that of the first request:
    /// connection, TLS, answer, as curl counts them; curl's own start is not in it.
    pub(super) fn serve_timed(&self) -> Outcome<(Running, Duration)> {
        let (running, ready) = self.start()?;
        let (_, first) = client::read(&running.named_url(), &self.token, &self.ca(), &self.folder)?;
        Ok((running, ready + first))
    }

    fn start(&self) -> Outcome<(Running, Duration)> {
        let ready = self.folder.join("ready");
        let _ = std::fs::remove_file(&ready);
        let started = Instant::now();
        let child = Command::new("taskset")
            .args(["-c", &SERVER_CORE.to_string()])
            .arg(&self.binary)
            .args(["serve", "--listen", &format!("127.0.0.1:{}", self.port), "--ready-file"])
            .arg(&ready)
            .arg("--data-dir")
            .arg(self.data())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(self.folder.join("serve.log"))?)
            .spawn()?;
        let mut running = Running { child, port: self.port };
        while !ready.exists() {
            if let Some(status) = running.child.try_wait()? {
                return Err(format!("the server ended with {status}: {}", self.log()?).into());
            }
            if started.elapsed() > PATIENCE {
                return Err(format!("the server was not ready in time: {}", self.log()?).into());
            }
            std::thread::yield_now();
        }
        Ok((running, started.elapsed()))
    }

    fn log(&self) -> Outcome<String> {
        Ok(std::fs::read_to_string(self.folder.join("serve.log"))?)
    }

    /// The answer to GET of the secret.
    pub(super) fn body(&self, running: &Running) -> Outcome<String> {
        client::read(&running.named_url(), &self.token, &self.ca(), &self.folder).map(|(body, _)| body)
    }
}

/// A running server, stopped when dropped.
pub(super) struct Running {
    child: Child,
    port: u16,
}

impl Running {
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The Host header of the vault.
    pub(super) fn host(&self) -> String {
        format!("{VAULT}.vault.localhost:{}", self.port)
    }

    /// The vault by address, for clients that cannot resolve its name.
    pub(super) fn vault_url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// The secret by address.
    pub(super) fn secret_url(&self) -> String {
        format!("{}/secrets/{SECRET}?api-version=2025-07-01", self.vault_url())
    }

    /// The secret by name.
    fn named_url(&self) -> String {
        format!("https://{}/secrets/{SECRET}?api-version=2025-07-01", self.host())
    }

    /// Asks it to stop and waits until it has.
    pub(super) fn stop(mut self) -> Outcome {
        let asked = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status()?;
        if !asked.success() {
            return Err("the server was gone before it was stopped".into());
        }
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port of loopback that nobody listens on.
pub(super) fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Waits until something listens on a port of loopback.
pub(super) fn wait_for_port(port: u16) -> Outcome {
    let started = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        if started.elapsed() > PATIENCE {
            return Err(format!("nothing listens on port {port}").into());
        }
        std::thread::yield_now();
    }
    Ok(())
}
