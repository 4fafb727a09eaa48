//! Exchanging the certificate file under a program that runs on, against a directory in memory that takes what it was told to.

use std::sync::{Arc, Mutex, OnceLock};

use credstore::azure::certificate::{GeneratedCertificate, generate};
use credstore::azure::rotation::REFUSED_FOR;
use credstore::azure::{CertificateFile, CertificateSource, TokenSource, When};
use credstore::diagnosis::Diagnosis;
use credstore::protocol::Timestamp;
use credstore::protocol::encoding::{base64_any, base64url};

use crate::azure_support::{Fake, Folder, NOW, SCOPE, Seen, aadsts, generated, token, tokens_with};

fn at(seconds: i64) -> When {
    When::at(Timestamp(NOW.0 + seconds))
}

/// The certificate that follows [`generated`].
fn renewed() -> &'static GeneratedCertificate {
    static RENEWED: OnceLock<GeneratedCertificate> = OnceLock::new();
    RENEWED.get_or_init(|| generate("CN=renewed", 2048, 365, NOW).unwrap())
}

fn named(certificate: &GeneratedCertificate) -> String {
    base64url(&certificate.public.thumbprint_sha256)
}

/// The certificate that a sign-in was signed with.
fn signer(seen: &Seen) -> String {
    let assertion = url::form_urlencoded::parse(seen.body.as_bytes()).find(|(name, _)| name == "client_assertion");
    let header = base64_any(assertion.unwrap().1.split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<serde_json::Value>(&header).unwrap()["x5t#S256"].as_str().unwrap().to_owned()
}

/// A program that signs in with a file, and a directory.
struct Scene {
    folder: Folder,
    directory: Arc<Fake>,
    registered: Arc<Mutex<Vec<String>>>,
    tokens: Arc<TokenSource>,
}

impl Scene {
    /// The former certificate in the file and at the directory, and signed in.
    async fn new() -> Self {
        let folder = Folder::new();
        let registered = Arc::new(Mutex::new(vec![named(generated())]));
        let known = registered.clone();
        let directory = Fake::new(move |seen, nth| match known.lock().unwrap().contains(&signer(seen)) {
            true => token(&format!("t{nth}")),
            false => aadsts(401, 700_027, "not registered."),
        });
        let file = CertificateFile::new(folder.path("my.pem"), None);
        let tokens = tokens_with(&directory, CertificateSource::File(file));
        let scene = Self { folder, directory, registered, tokens };
        scene.write(generated().pem.expose_secret());
        scene.token(0).await.unwrap();
        scene
    }

    /// Exchanges the file as an administrator's tool does: by a new one in its place.
    fn write(&self, text: &str) {
        std::fs::write(self.folder.path("next"), text).unwrap();
        std::fs::rename(self.folder.path("next"), self.folder.path("my.pem")).unwrap();
    }

    fn register(&self, certificates: &[&GeneratedCertificate]) {
        *self.registered.lock().unwrap() = certificates.iter().map(|certificate| named(certificate)).collect();
    }

    /// The token that a program gets, after what it set off in the background has ended.
    async fn token(&self, seconds: i64) -> Result<String, &'static str> {
        let token = self.tokens.token(SCOPE, at(seconds)).await;
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        let code = |error| Diagnosis::from(Arc::as_ref(&error)).code.id;
        token.map(|token| token.expose_secret().to_owned()).map_err(code)
    }

    /// Who signed, from the `nth` sign-in on.
    fn signers_from(&self, nth: usize) -> Vec<String> {
        self.directory.all()[nth..].iter().map(signer).collect()
    }

    fn accepted(&self) -> String {
        base64url(&self.tokens.accepted_certificate().unwrap().thumbprint_sha256)
    }
}

#[tokio::test(start_paused = true)]
async fn an_exchanged_file_is_seen_in_seconds_and_no_caller_waits_for_it() {
    let scene = Scene::new().await;
    scene.register(&[generated(), renewed()]);
    assert_eq!(scene.token(10).await, Ok("t0".to_owned()));
    scene.write(renewed().pem.expose_secret());
    // The token at hand is given out while the new certificate signs in.
    assert_eq!(scene.token(15).await, Ok("t0".to_owned()));
    assert_eq!(scene.token(16).await, Ok("t1".to_owned()));
    assert_eq!(scene.signers_from(1), [named(renewed())]);
    assert_eq!(scene.accepted(), named(renewed()));
    // Nothing more is to be done.
    assert_eq!(scene.token(1000).await, Ok("t1".to_owned()));
    assert_eq!(scene.directory.tokens_asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_former_signs_until_the_directory_knows_the_new_one() {
    let scene = Scene::new().await;
    scene.write(renewed().pem.expose_secret());
    scene.token(5).await.unwrap();
    assert_eq!(scene.signers_from(1), [named(renewed()), named(generated())], "tried, refused, and gone on");
    assert_eq!(scene.accepted(), named(generated()));
    // Within a minute the directory is not bothered with it again.
    let wait = i64::try_from(REFUSED_FOR.as_secs()).unwrap();
    scene.token(5 + wait - 1).await.unwrap();
    assert_eq!(scene.directory.tokens_asked(), 3);
    scene.register(&[generated(), renewed()]);
    scene.token(10 + wait).await.unwrap();
    assert_eq!(scene.signers_from(3), [named(renewed())]);
    assert_eq!(scene.accepted(), named(renewed()));
}

#[tokio::test(start_paused = true)]
async fn a_token_that_ran_out_is_renewed_by_the_former_too() {
    let scene = Scene::new().await;
    scene.write(renewed().pem.expose_secret());
    assert_eq!(scene.token(4000).await, Ok("t2".to_owned()));
    assert_eq!(scene.signers_from(1), [named(renewed()), named(generated())]);
}

#[tokio::test(start_paused = true)]
async fn when_neither_is_accepted_the_one_in_the_file_is_told() {
    let scene = Scene::new().await;
    scene.write(renewed().pem.expose_secret());
    scene.register(&[]);
    assert_eq!(scene.token(4000).await, Err("CS3102"));
    // The former is no longer known to work: it is not tried again.
    assert_eq!(scene.token(4100).await, Err("CS3102"));
    assert_eq!(scene.signers_from(1)[..2], [named(renewed()), named(generated())]);
    assert!(scene.signers_from(3).iter().all(|signer| *signer == named(renewed())));
    scene.register(&[renewed()]);
    assert!(scene.token(4200).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_half_written_or_wrong_does_not_end_the_sign_ins() {
    let scene = Scene::new().await;
    let (old, new) = (generated().pem.expose_secret(), renewed().pem.expose_secret());
    let certificate = new.find("-----BEGIN CERTIFICATE").unwrap();
    let mixed = format!("{}{}", &old[..old.find("-----BEGIN CERTIFICATE").unwrap()], &new[certificate..]);
    for (nth, text) in ["", &new[..certificate], &new[..new.len() / 2], &mixed, "not a certificate"].iter().enumerate()
    {
        scene.write(text);
        let asked = scene.directory.tokens_asked();
        scene.token(4000 * (1 + i64::try_from(nth).unwrap())).await.unwrap();
        assert_eq!(scene.signers_from(asked), [named(generated())], "{nth}");
    }
    scene.register(&[renewed()]);
    scene.write(new);
    assert!(scene.token(40_000).await.is_ok());
    assert_eq!(scene.accepted(), named(renewed()));
}

#[tokio::test(start_paused = true)]
async fn a_file_that_was_taken_away_takes_the_key_with_it() {
    let scene = Scene::new().await;
    std::fs::remove_file(scene.folder.path("my.pem")).unwrap();
    assert_eq!(scene.token(10).await, Ok("t0".to_owned()), "the token at hand is good until it expires");
    assert_eq!(scene.token(4000).await, Err("CS1201"));
    assert_eq!(scene.directory.tokens_asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_file_at_the_first_start_is_an_error() {
    let folder = Folder::new();
    std::fs::write(folder.path("my.pem"), "").unwrap();
    let directory = Fake::new(|_, _| token("t"));
    let file = CertificateFile::new(folder.path("my.pem"), None);
    let error = tokens_with(&directory, CertificateSource::File(file)).token(SCOPE, at(0)).await.unwrap_err();
    assert_eq!(Diagnosis::from(error.as_ref()).code.id, "CS1209");
    assert_eq!(directory.tokens_asked(), 0);
}
