//! The data folder under several hands: commands at once, commands while the service runs, a full standard output.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use crypto::pki::{Certificate, Crl};
use crypto::suite::Curve;
use issuance::ground::{Clock, Randomness};
use issuance::keys::{self, Counters, InitOptions, Installation, KeyName, KeyStore};
use issuance::server::{self, Limits, Settings, TlsListener};
use time::OffsetDateTime;

/// A folder with `rotations` document signers before the one in use.
fn folder(rotations: usize) -> tempfile::TempDir {
    let data = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(data.path());
    settings.access.password_memory_kib = 64;
    settings.access.password_passes = 1;
    let options = InitOptions { csca_curve: Curve::P256, ..InitOptions::default() };
    let rng = &mut Randomness::System.draw();
    server::init(&settings, &options, "admin", now(), rng).unwrap();
    let store = KeyStore::open(data.path(), None).unwrap();
    for _ in 0..rotations {
        keys::rotate(&store, KeyName::DocumentSigner, now(), rng).unwrap();
    }
    data
}

fn now() -> OffsetDateTime {
    Clock::system(crypto::identity::civil_time::VIET_NAM).now()
}

/// `issuance COMMAND --data DATA ARGUMENTS…`
fn issuance(data: &Path, command: &str, arguments: &[&str]) -> Command {
    let mut issuance = Command::new(env!("CARGO_BIN_EXE_issuance"));
    issuance.arg(command).arg("--data").arg(data).args(arguments).stdin(Stdio::null());
    issuance
}

fn done(mut command: Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn crl(data: &Path) -> Crl {
    Crl::parse(&fs::read(data.join("csca.crl")).unwrap()).unwrap()
}

/// The serial numbers of the document signers, those of before first.
fn signers(data: &Path) -> Vec<String> {
    let store = KeyStore::open(data, None).unwrap();
    let mut issued = keys::issued(&store).unwrap();
    issued.retain(|one| one.file.starts_with("ds"));
    issued.sort_by_key(|one| one.file == "ds");
    issued.iter().map(|one| one.certificate.serial().to_string()).collect()
}

#[test]
fn four_revocations_at_once_lose_nothing() {
    let data = folder(4);
    let serials = signers(data.path());
    assert_eq!(serials.len(), 5);
    let at_once: Vec<Child> = serials[..4]
        .iter()
        .map(|serial| {
            let mut command = issuance(data.path(), "crl", &["--yes", "--revoke", serial]);
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        })
        .collect();
    for mut child in at_once {
        assert!(child.wait().unwrap().success());
    }
    let list = crl(data.path());
    let mut revoked: Vec<_> = list.revoked().iter().map(|entry| entry.serial.to_string()).collect();
    let mut expected = serials[..4].to_vec();
    revoked.sort();
    expected.sort();
    assert_eq!(revoked, expected);
    assert_eq!(list.number(), Some(vec![5]), "four lists after the first");
}

#[test]
fn a_serial_number_is_found_however_it_is_typed_and_openssl_reads_the_list() {
    let data = folder(1);
    let serial = &signers(data.path())[0];
    let pairs: Vec<&str> = (0..serial.len()).step_by(2).map(|at| &serial[at..at + 2]).collect();
    let typed = [format!("00{serial}"), serial.to_lowercase(), pairs.join(":"), format!(" {} ", pairs.join(" "))];
    for text in &typed {
        let (code, said, shown) = done(issuance(data.path(), "crl", &["--yes", "--revoke", text]));
        assert_eq!(code, Some(0), "{text}: {shown}");
        assert!(said.contains(serial) && said.contains("lists 1 certificates"), "{said}");
        assert!(shown.contains(serial) && shown.contains("Document Signer"), "shown back before: {shown}");
    }
    let entries = crl(data.path()).revoked().iter().map(|entry| entry.serial.to_string()).collect::<Vec<_>>();
    assert_eq!(entries, std::slice::from_ref(serial));
    let mut openssl = Command::new("openssl");
    openssl.args(["crl", "-inform", "DER", "-noout", "-text", "-in"]).arg(data.path().join("csca.crl"));
    let (code, text, error) = done(openssl);
    assert_eq!(code, Some(0), "{error}");
    assert!(text.contains(&format!("Serial Number: {serial}")), "{text}");
}

#[test]
fn a_serial_number_that_was_never_issued_is_refused_with_what_there_is() {
    let data = folder(1);
    let before = fs::read(data.path().join("csca.crl")).unwrap();
    let csca = Certificate::parse(&fs::read(data.path().join("csca.der")).unwrap()).unwrap().serial().to_string();
    for typed in ["", "00", "4a0f", "no number", csca.as_str()] {
        let (code, _, error) = done(issuance(data.path(), "crl", &["--yes", "--revoke", typed]));
        assert_eq!(code, Some(1), "{typed}");
        assert!(signers(data.path()).iter().all(|serial| error.contains(serial)), "{typed}: {error}");
        assert!(error.contains("Trust List Signer"), "{error}");
    }
    // Not confirmed: there is no terminal.
    let (code, _, error) = done(issuance(data.path(), "crl", &["--revoke", &signers(data.path())[0]]));
    assert!(code == Some(1) && error.contains("--yes"), "{error}");
    assert_eq!(fs::read(data.path().join("csca.crl")).unwrap(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ceremonies_and_a_running_service_change_the_folder_at_the_same_time() {
    let data = folder(0);
    let store = KeyStore::open(data.path(), None).unwrap();
    let counters: Counters = Installation::open(&store).unwrap().counters();
    let mut ceremonies: Vec<Child> = (0..4)
        .map(|n| {
            let key = data.path().join(format!("key-{n}"));
            fs::write(&key, "42".repeat(16)).unwrap();
            let mut command = match n % 2 {
                0 => issuance(data.path(), "crl", &[]),
                _ => issuance(data.path(), "transport-key", &[&format!("maker-{n}={}", key.display())]),
            };
            command.stdout(Stdio::null()).spawn().unwrap()
        })
        .collect();
    // Two processes that serve one folder: no value of a counter goes to both.
    let reserves = |counters: Counters| async move {
        let mut given = Vec::new();
        for n in 0..20 {
            given.extend(
                counters.reserve(&format!("number-cell/{}", n % 3), 0, 2, 1_000).await.unwrap().map(|at| (n % 3, at)),
            );
        }
        given
    };
    let (one, other) = tokio::join!(tokio::spawn(reserves(counters.clone())), tokio::spawn(reserves(counters)));
    let mut given = [one.unwrap(), other.unwrap()].concat();
    let all = given.len();
    given.sort_unstable();
    given.dedup();
    assert_eq!((given.len(), all), (80, 80), "no value twice");
    for ceremony in &mut ceremonies {
        assert!(ceremony.wait().unwrap().success());
    }
    assert_eq!(crl(data.path()).number(), Some(vec![3]));
    assert_eq!(store.names("transport-").unwrap(), ["maker-1", "maker-3"]);
}

#[tokio::test]
async fn a_new_server_certificate_that_was_cut_off_leaves_the_old_pair() {
    let data = folder(0);
    let store = KeyStore::open(data.path(), None).unwrap();
    let old = fs::read(data.path().join("server.pem")).unwrap();
    keys::renew_server(&store, &[], now(), &mut Randomness::System.draw()).unwrap();
    let listens = async || {
        let grace = std::time::Duration::ZERO;
        let bound = TlsListener::bind("127.0.0.1:0".parse().unwrap(), &store, Limits::default(), &[], grace);
        bound.await.map(drop)
    };
    listens().await.unwrap();
    // As if the power had gone before the certificate was published.
    assert_ne!(fs::read(data.path().join("server.pem")).unwrap(), old);
    fs::write(data.path().join("server.pem"), old).unwrap();
    listens().await.unwrap();
}

#[test]
fn a_transport_key_is_not_replaced_in_silence() {
    let data = folder(0);
    let key = |name: &str, digits: &str| {
        let file = data.path().join(name);
        fs::write(&file, digits).unwrap();
        format!("maker={}", file.display())
    };
    let (one, other) = (key("one", &"42".repeat(16)), key("other", &"43".repeat(16)));
    let runs = |arguments: &[&str]| done(issuance(data.path(), "transport-key", arguments));
    let there = || KeyStore::open(data.path(), None).unwrap().load("transport-maker").unwrap().to_vec();
    // AES-128 of sixteen bytes 01 under 42…42 and 43…43, by OpenSSL.
    let (value_of_one, value_of_other) = (openssl_check_value(&"42".repeat(16)), openssl_check_value(&"43".repeat(16)));
    let (code, said, _) = runs(&[&one]);
    assert!(code == Some(0) && said.contains(&value_of_one), "{said}");
    let (code, said, _) = runs(&[&one]);
    assert!(code == Some(0) && said.contains("was there"), "the same key again: {said}");
    let (code, _, error) = runs(&[&other]);
    assert_eq!(code, Some(1));
    assert!(error.contains(&value_of_one) && error.contains(&value_of_other) && error.contains("--replace"), "{error}");
    let (code, _, error) = runs(&["--replace", &other]);
    assert!(code == Some(1) && error.contains("is lost") && error.contains("--yes"), "{error}");
    assert_eq!(there(), [0x42; 16], "nothing was changed");
    let (code, _, error) = runs(&["--replace", "--yes", &other]);
    assert!(code == Some(0) && error.contains(&value_of_one), "{error}");
    assert_eq!(there(), [0x43; 16]);
}

/// The first three bytes of AES over sixteen bytes 01, in capital letters.
fn openssl_check_value(key: &str) -> String {
    let ones = tempfile::NamedTempFile::new().unwrap();
    fs::write(ones.path(), [1; 16]).unwrap();
    let mut openssl = Command::new("openssl");
    openssl.args(["enc", "-aes-128-ecb", "-nopad", "-K", key, "-in"]).arg(ones.path());
    let done = openssl.output().unwrap();
    assert!(done.status.success());
    hex::encode_upper(&done.stdout[..3])
}

#[test]
fn another_state_says_what_its_cards_call_its_citizens() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path().join("data");
    let (code, _, error) = done(issuance(&data, "init", &["--country", "UT/UTO"]));
    assert!(code == Some(1) && error.contains("--nationality"), "{error}");
    assert!(!data.exists());
    let (code, _, error) = done(issuance(&data, "init", &["--country", "UT/UTO", "--nationality", "Utopia"]));
    assert_eq!(code, Some(0), "{error}");
    assert!(fs::read_to_string(data.join("authority.toml")).unwrap().contains("Utopia"));
}

#[test]
fn a_full_standard_output_ends_no_command_in_the_middle() {
    let data = folder(1);
    let full = || Stdio::from(fs::File::options().write(true).open("/dev/full").unwrap());
    let into_full = |mut command: Command| {
        command.stdout(full());
        done(command)
    };
    let serial = &signers(data.path())[0];
    let key = data.path().join("key");
    fs::write(&key, "42".repeat(16)).unwrap();
    let key = format!("maker={}", key.display());
    let commands: [(&str, &[&str]); 4] = [
        ("crl", &["--yes", "--revoke", serial]),
        ("rotate", &["ds"]),
        ("renew-server", &[]),
        ("transport-key", &[&key]),
    ];
    for (command, arguments) in commands {
        let (code, _, error) = into_full(issuance(data.path(), command, arguments));
        assert!(code == Some(3) && error.contains("output-unusable"), "{command}: {code:?} {error}");
    }
    assert_eq!(crl(data.path()).revoked().len(), 1, "nothing is undone");
    assert_eq!(signers(data.path()).len(), 3);
    let new = tempfile::tempdir().unwrap();
    let (code, _, error) = into_full(issuance(&new.path().join("data"), "init", &[]));
    assert!(code == Some(3) && error.contains("output-unusable"), "{error}");
    assert!(new.path().join("data/admin-password").exists());
    let mut openapi = Command::new(env!("CARGO_BIN_EXE_issuance"));
    openapi.arg("openapi").stdin(Stdio::null());
    let (code, _, error) = into_full(openapi);
    assert!(code == Some(3) && !error.contains("panicked"), "{error}");
}

#[test]
fn a_closed_pipe_ends_no_command_in_the_middle() {
    let mut openapi = Command::new(env!("CARGO_BIN_EXE_issuance"));
    openapi.arg("openapi").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = openapi.spawn().unwrap();
    drop(child.stdout.take());
    let Output { status, stderr, .. } = child.wait_with_output().unwrap();
    let error = String::from_utf8(stderr).unwrap();
    assert!(status.code() == Some(3) && error.contains("output-unusable"), "{error}");
}

#[test]
fn a_list_that_is_not_there_is_named_with_what_to_do() {
    let data = folder(0);
    let list = data.path().join("csca.crl");
    fs::remove_file(&list).unwrap();
    let complains = |words: &str| {
        let (code, _, error) = done(issuance(data.path(), "crl", &[]));
        assert_eq!(code, Some(1), "{error}");
        assert!(error.contains(&list.display().to_string()) && error.contains(words), "{error}");
        assert!(error.contains("Restore it from the backup") && !error.contains("issuance init"), "{error}");
    };
    complains("No such file");
    fs::create_dir(&list).unwrap();
    complains("Is a directory");
    fs::remove_dir(&list).unwrap();
    fs::write(&list, [0; 100]).unwrap();
    complains("not a revocation list");
    assert_eq!(fs::read(&list).unwrap(), [0; 100], "nothing was issued");
}

/// Wherever `init` is cut, the folder is told to be unfinished, and the same command makes it whole,
/// with a password that works.
#[test]
fn an_init_that_is_cut_is_finished_by_the_same_command() {
    let mut cuts = 0;
    for turn in 1.. {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let mut cut = issuance(&data, "init", &[]);
        cut.env("ISSUANCE_FAILPOINT", format!("file-renamed:{turn}"));
        let (code, ..) = done(cut);
        if code == Some(0) {
            break;
        }
        cuts += 1;
        let finished = data.join("issuance.toml").exists();
        if !finished && data.join("init-unfinished").exists() {
            let (code, _, error) = done(config_check(&data));
            assert!(code == Some(1) && error.contains("run it again with the same arguments"), "{turn}: {error}");
        }
        let (code, _, error) = done(issuance(&data, "init", &[]));
        // Cut after the last file: the folder is whole, and what it holds is not made anew.
        assert!(code == Some(0) || error.contains("already holds the keys"), "{turn}: {code:?} {error}");
        let (code, told, error) = done(config_check(&data));
        assert!(code == Some(0) && told.contains("its keys open"), "{turn}: {error}");
        assert!(data.join("admin-password").exists() && data.join("keys/first-officer.sealed").exists(), "{turn}");
        let (code, _, error) = done(issuance(&data, "crl", &[]));
        assert_eq!(code, Some(0), "{turn}: {error}");
    }
    assert!(cuts > 10, "only {cuts} files were renamed");
}

fn config_check(data: &Path) -> Command {
    let mut issuance = Command::new(env!("CARGO_BIN_EXE_issuance"));
    issuance.arg("config").arg("--data").arg(data).arg("check").stdin(Stdio::null());
    issuance
}
