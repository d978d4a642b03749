//! A wrong clock at the station, over real TLS: told with both times, and named where TLS fails for it.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// OpenSSL's TLS server, ended when dropped.
struct Server(Child, u16);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Serves the files of a folder, each a whole HTTP answer, under a certificate of the authority.
fn serves(folder: &Path, authority: &Issuer<'_, KeyPair>, from: OffsetDateTime, until: OffsetDateTime) -> Server {
    let key = KeyPair::generate().expect("a key");
    let mut parameters = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    (parameters.not_before, parameters.not_after) = (from, until);
    let certificate = parameters.signed_by(&key, authority).expect("signed");
    fs::write(folder.join("server.pem"), format!("{}{}", certificate.pem(), key.serialize_pem())).expect("written");
    let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
    let child = Command::new("openssl")
        .args(["s_server", "-quiet", "-HTTP", "-cert", "server.pem", "-key", "server.pem", "-accept"])
        .arg(format!("127.0.0.1:{port}"))
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl runs");
    let server = Server(child, port);
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(30), "openssl s_server does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    server
}

/// Enrols a station in `folder`, and returns what `card-agent status` says, and whether all is well.
fn asks(folder: &Path, authority: &rcgen::Certificate, port: u16) -> (bool, String) {
    let station = folder.join(format!("station-{port}")).to_string_lossy().into_owned();
    let ca = folder.join("ca.pem").to_string_lossy().into_owned();
    fs::write(&ca, authority.pem()).expect("written");
    let agent = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_card-agent"));
        let said = command.args(arguments).env("LC_ALL", "C").output().expect("the program runs");
        let text = [said.stdout, said.stderr].concat();
        (said.status.success(), String::from_utf8_lossy(&text).into_owned())
    };
    let service = format!("https://localhost:{port}");
    let first =
        ["enrol", "--station", &station, "--name", "c", "--service", &service, "--service-ca", &ca, "--anchor", &ca];
    assert!(agent(&first).0);
    let key = fs::read_to_string(Path::new(&station).join("key.pem")).expect("made");
    let own = CertificateParams::default().self_signed(&KeyPair::from_pem(&key).expect("a key")).expect("signed");
    let certificate = folder.join("own.pem");
    fs::write(&certificate, own.pem()).expect("written");
    assert!(agent(&["enrol", "--station", &station, "--certificate", &certificate.to_string_lossy()]).0);
    agent(&["status", "--station", &station])
}

fn authority() -> (rcgen::Certificate, Issuer<'static, KeyPair>) {
    let key = KeyPair::generate().expect("a key");
    let mut parameters = CertificateParams::default();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = parameters.self_signed(&key).expect("signed");
    (certificate, Issuer::new(parameters, key))
}

/// The present moment in UTC, to the second.
fn now() -> OffsetDateTime {
    card_agent::ambient::now().replace_nanosecond(0).expect("a whole second")
}

fn minutes(count: i64) -> time::Duration {
    time::Duration::minutes(count)
}

#[test]
fn a_clock_that_differs_from_the_services_is_told_with_both_times() {
    let folder = tempfile::tempdir().expect("a folder");
    let (root, issuer) = authority();
    let server = serves(folder.path(), &issuer, now() - minutes(60), now() + minutes(60));
    for (apart, told) in [(120, true), (-120, true), (0, false)] {
        let date = (now() + minutes(apart)).format(&Rfc2822).expect("a date").replace("+0000", "GMT");
        let mut answer = fs::File::create(folder.path().join("readyz")).expect("made");
        write!(answer, "HTTP/1.0 200 OK\r\nDate: {date}\r\nContent-Length: 4\r\n\r\nnone").expect("written");
        let (done, said) = asks(folder.path(), &root, server.1);
        fs::remove_dir_all(folder.path().join(format!("station-{}", server.1))).expect("there");
        assert!(done && said.contains("ready (HTTP 200"), "{said}");
        assert_eq!(said.contains("agrees with the service's"), !told, "{said}");
        assert_eq!(said.contains("this computer's clock says"), told, "{apart} minutes: {said}");
        if told {
            assert_eq!(said.matches("this computer's clock says").count(), 1, "{said}");
            assert!(said.contains("the service's, which says"), "{said}");
        }
    }
}

#[test]
fn a_certificate_that_is_not_valid_now_casts_doubt_on_the_clock_with_its_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let (root, issuer) = authority();
    for (from, until, words) in
        [(60, 120, "the service's certificate is valid from"), (-120, -60, "the service's certificate was valid until")]
    {
        let server = serves(folder.path(), &issuer, now() + minutes(from), now() + minutes(until));
        let begun = Instant::now();
        let (_, said) = asks(folder.path(), &root, server.1);
        assert!(said.contains("clock-doubtful: this computer's clock says") && said.contains(words), "{said}");
        assert!(!said.contains("trying again"), "{:?}: another attempt cannot help: {said}", begun.elapsed());
    }
    // Another reason is not blamed on the clock.
    let (other, _) = authority();
    let server = serves(folder.path(), &issuer, now() - minutes(60), now() + minutes(60));
    let (_, said) = asks(folder.path(), &other, server.1);
    assert!(said.contains("service-untrusted: ") && !said.contains("clock says"), "{said}");
}
