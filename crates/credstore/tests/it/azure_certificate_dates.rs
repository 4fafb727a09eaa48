//! The end of a certificate, as `check` tells it, on every day that matters and without asking anybody.

use credstore::azure::certificate::{CertificateFile, generate};
use credstore::azure::{CertificateSource, When};
use credstore::diagnosis::{Diagnosis, Severity};
use credstore::protocol::Timestamp;

use crate::azure_support::{Fake, Folder, NOW, SCOPE, aadsts, generated, tokens_with};

const DAY: i64 = 86_400;

struct Written {
    file: CertificateFile,
    _folder: Folder,
}

fn written() -> Written {
    let folder = Folder::new();
    let path = folder.path("my-certificate.pem");
    std::fs::write(&path, generated().pem.expose_secret()).unwrap();
    Written { file: CertificateFile::new(path, None), _folder: folder }
}

/// Seconds relative to the last second at which the certificate is valid.
fn at(seconds: i64) -> Timestamp {
    Timestamp(generated().public.not_after.0 + seconds)
}

#[test]
fn the_days_that_are_left_are_counted_down_to_none_and_then_it_has_expired() {
    let written = written();
    for (when, severity, words) in [
        (-31 * DAY, Severity::Warning, "expires in 31 days (23 Nov 2027)"),
        (-30 * DAY, Severity::Warning, "expires in 30 days (23 Nov 2027)"),
        (-14 * DAY, Severity::Warning, "expires in 14 days (23 Nov 2027)"),
        (-7 * DAY, Severity::Warning, "expires in 7 days (23 Nov 2027)"),
        (-2 * DAY, Severity::Warning, "expires in 2 days (23 Nov 2027)"),
        (-DAY, Severity::Warning, "expires in 1 day (23 Nov 2027)"),
        (-DAY + 1, Severity::Warning, "expires in 0 days (23 Nov 2027)"),
        (0, Severity::Warning, "expires in 0 days (23 Nov 2027)"),
        (1, Severity::Error, "expired on 23 Nov 2027"),
        (DAY, Severity::Error, "expired on 23 Nov 2027"),
        (400 * DAY, Severity::Error, "expired on 23 Nov 2027"),
    ] {
        let [finding] = written.file.findings(at(when)).try_into().unwrap();
        assert_eq!((finding.code.id, finding.code.exit as u8, finding.severity), ("CS1204", 3, severity), "{when}");
        assert!(finding.message.ends_with(words), "{when}: {}", finding.message);
        assert_eq!(finding.fix, ["credstore cert renew"]);
        assert_eq!(finding.place.unwrap().file.as_deref(), Some(written.file.path()));
    }
    assert!(written.file.findings(at(-60 * DAY)).is_empty());
    assert!(written.file.findings(NOW).is_empty());
}

#[test]
fn a_certificate_that_is_not_valid_yet_points_at_the_clock() {
    let written = written();
    let start = generated().public.not_before;
    assert!(written.file.findings(start).is_empty());
    for early in [1, DAY, 10_000 * DAY] {
        let [finding] = written.file.findings(Timestamp(start.0 - early)).try_into().unwrap();
        assert_eq!((finding.code.id, finding.severity), ("CS1204", Severity::Error));
        assert!(finding.message.ends_with("is not valid before 23 Nov 2026"), "{}", finding.message);
        assert_eq!(finding.fix, ["check the clock of this machine"]);
    }
}

#[test]
fn a_renewed_file_is_judged_by_its_new_content() {
    let written = written();
    assert_eq!(written.file.findings(at(1)).len(), 1);
    let renewed = generate("CN=process-mining", 2048, 365, at(0)).unwrap();
    std::fs::write(written.file.path(), renewed.pem.expose_secret()).unwrap();
    assert!(written.file.findings(at(1)).is_empty());
    std::fs::write(written.file.path(), "").unwrap();
    assert_eq!(written.file.findings(at(1))[0].code.id, "CS1209");
}

#[tokio::test]
async fn an_expired_certificate_is_found_here_without_the_directory_and_explained_with_it() {
    let Written { file, _folder } = written();
    assert_eq!(file.findings(at(DAY))[0].code.id, "CS1204");
    // Our clock may be the wrong one, so the directory is asked all the same, and its answer shown (sample 10).
    let fake = Fake::new(|_, _| aadsts(401, 1_000_502, "not within its valid time range."));
    let source = tokens_with(&fake, CertificateSource::File(file));
    let diagnosis = Diagnosis::from(source.token(SCOPE, When::at(at(DAY))).await.unwrap_err().as_ref());
    assert_eq!((diagnosis.code.id, diagnosis.code.exit as u8), ("CS3104", 4));
    assert!(diagnosis.cause.unwrap().ends_with("now 24 Nov 2027 (AADSTS1000502)"));
    assert_eq!(diagnosis.upstream.unwrap().code, "AADSTS1000502");
    assert_eq!(fake.tokens_asked(), 2, "once more after the file was read again");
}
