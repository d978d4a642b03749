//! Keys at rest, the signer, ceremonies.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crypto::identity::CardSerial;
use crypto::pki::CurveForm;
use issuance::ground::Randomness;
use issuance::keys::{
    self, CardKeys, CrlFileError, CurrentCrl, InitOptions, KeyName, KeyStore, KeyStoreError, Signer, SignerError,
    SigningKey,
};
use issuance::server::{self, InitError, Initialised, Offices, Settings};
use issuance::{Service, args, sql};
use zeroize::Zeroizing;

use crate::house::{self, House, on_both};

fn init(settings: &Settings, options: &InitOptions) -> Result<Initialised, InitError> {
    server::init(settings, options, "admin", house::now(), &mut Randomness::seeded(7).draw())
}

#[test]
fn no_key_rests_in_the_clear() {
    let folder = tempfile::tempdir().unwrap();
    let settings = house::settings(&folder, None);
    let transport = [0xa5; 16];
    let options = InitOptions {
        transport_keys: vec![("factory-1".into(), Zeroizing::new(transport.to_vec()))],
        ..InitOptions::default()
    };
    let initialised = init(&settings, &options).unwrap();
    let store = KeyStore::open(&settings.data, None).unwrap();
    let mut secrets: Vec<Vec<u8>> = vec![transport.to_vec()];
    for name in store.names("").unwrap() {
        let key = store.load(&name).unwrap();
        // The tail: what comes before may be an algorithm identifier that is no secret.
        secrets.push(key[key.len().saturating_sub(16)..].to_vec());
    }
    assert!(secrets.len() > 7);
    for entry in walk(&settings.data) {
        if entry.ends_with("admin-password") {
            continue;
        }
        let bytes = fs::read(&entry).unwrap();
        let holds = |secret: &[u8]| bytes.windows(secret.len()).any(|window| window == secret);
        assert!(!secrets.iter().any(|secret| holds(secret) || holds(hex::encode(secret).as_bytes())), "{entry:?}");
        assert!(!holds(initialised.admin_password.as_bytes()), "{entry:?}");
        let mode = fs::metadata(&entry).unwrap().permissions().mode() & 0o777;
        let private =
            entry.extension().is_some_and(|e| e == "sealed") || entry.ends_with("kek") || entry.ends_with("lock");
        assert_eq!(mode, if private { 0o600 } else { 0o644 }, "{entry:?}");
    }
    let keys = fs::metadata(settings.data.join("keys")).unwrap().permissions().mode() & 0o777;
    assert_eq!(keys, 0o700);
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn a_sealed_key_opens_under_its_own_name_and_key_only() {
    let folder = tempfile::tempdir().unwrap();
    let store = KeyStore::init(folder.path(), None, &mut Randomness::seeded(1).draw()).unwrap();
    store.locked().unwrap().put("one", b"a secret of one").unwrap();
    let keys = folder.path().join("keys");
    fs::copy(keys.join("one.sealed"), keys.join("two.sealed")).unwrap();
    assert!(matches!(store.load("two"), Err(KeyStoreError::NotOurs(_))), "passed off as another");
    let mut changed = fs::read(keys.join("one.sealed")).unwrap();
    for at in 0..changed.len() {
        changed[at] ^= 1;
        fs::write(keys.join("one.sealed"), &changed).unwrap();
        assert!(matches!(store.load("one"), Err(KeyStoreError::NotOurs(_))), "byte {at}");
        changed[at] ^= 1;
    }
    fs::write(keys.join("one.sealed"), &changed).unwrap();
    assert_eq!(*store.load("one").unwrap(), b"a secret of one");
    assert!(matches!(store.load("three"), Err(KeyStoreError::Missing(_))));
}

#[test]
fn a_key_file_that_others_can_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    KeyStore::init(folder.path(), None, &mut Randomness::seeded(1).draw()).unwrap();
    let kek = folder.path().join("kek");
    fs::set_permissions(&kek, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(KeyStore::open(folder.path(), None), Err(KeyStoreError::ReadableByOthers(_))));
    fs::set_permissions(&kek, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&kek, "zz").unwrap();
    assert!(matches!(KeyStore::open(folder.path(), None), Err(KeyStoreError::Malformed(_))));
}

#[test]
fn a_service_is_not_initialised_twice() {
    let folder = tempfile::tempdir().unwrap();
    let settings = house::settings(&folder, None);
    init(&settings, &InitOptions::default()).unwrap();
    let csca = fs::read(settings.data.join("csca.der")).unwrap();
    let again = init(&settings, &InitOptions::default());
    assert!(matches!(again, Err(InitError::KeyStore(KeyStoreError::AlreadyThere(_)))));
    assert_eq!(fs::read(settings.data.join("csca.der")).unwrap(), csca);
}

#[test]
fn a_service_can_begin_with_both_curve_forms_and_with_brainpool() {
    use crypto::suite::Curve;
    for (curve_form, csca_curve, signer_curve) in [
        (CurveForm::Explicit, Curve::P384, Curve::P256),
        (CurveForm::Named, Curve::P384, Curve::P256),
        (CurveForm::Explicit, Curve::BrainpoolP384r1, Curve::BrainpoolP256r1),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let settings = house::settings(&folder, None);
        let options = InitOptions { curve_form, csca_curve, signer_curve, ..InitOptions::default() };
        init(&settings, &options).unwrap();
        let store = KeyStore::open(&settings.data, None).unwrap();
        let signer = opened(&store, keys::Settings::default());
        let ds = signer.certificate(KeyName::DocumentSigner);
        assert_eq!(crypto::pki::spki::form(ds.subject_public_key_info()).unwrap(), Some(curve_form));
        let trust = crypto::pki::TrustStore::new(vec![signer.csca().clone()]);
        trust.verify_signer(ds, house::now()).unwrap();
        signer.key(KeyName::DocumentSigner).unwrap().sign(b"message").unwrap();
    }
}

#[tokio::test]
async fn usage_is_reserved_before_and_ends_at_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = house::settings(&folder, None);
    settings.keys.signing_key_limit = 40;
    init(&settings, &InitOptions::default()).unwrap();
    let opens = async || {
        let offices = Offices::open(&settings, None, Randomness::System).await.unwrap();
        let store = KeyStore::open(&settings.data, None).unwrap();
        (offices.deeds().clone(), opened(&store, settings.keys.clone()))
    };
    let (deeds, signer) = opens().await;
    for _ in 0..5 {
        signer.sign(&deeds, KeyName::DocumentSigner, b"message").await.unwrap();
    }
    deeds.db().close().await;
    // The crash forfeits the rest of the block of 32: eight are left, never more than forty in all.
    let (deeds, signer) = opens().await;
    for _ in 0..8 {
        signer.sign(&deeds, KeyName::DocumentSigner, b"message").await.unwrap();
    }
    let error = signer.sign(&deeds, KeyName::DocumentSigner, b"message").await.unwrap_err();
    assert!(matches!(error, SignerError::Exhausted(KeyName::DocumentSigner)));
    let error = signer.sign(&deeds, KeyName::Csca, b"message").await.unwrap_err();
    assert!(matches!(error, SignerError::Closed(KeyName::Csca)), "the running service has no CSCA key");
}

/// The signing keys of a folder, opened a second time.
fn opened(store: &KeyStore, settings: keys::Settings) -> Signer {
    Signer::open(store, settings, keys::Installation::open(store).unwrap().counters()).unwrap()
}

/// The signing keys of a house, opened a second time.
fn signer(house: &House) -> Signer {
    let store = KeyStore::open(&house.folder.path().join("data"), None).unwrap();
    opened(&store, keys::Settings::default())
}

#[tokio::test]
async fn a_key_does_not_sign_after_its_period() {
    on_both(async |house| {
        let (deeds, signer) = (house.service.offices().deeds(), signer(house));
        house.clock.advance(time::Duration::days(91));
        signer.sign(deeds, KeyName::DocumentSigner, b"message").await.unwrap();
        house.clock.advance(time::Duration::days(2));
        let error = signer.sign(deeds, KeyName::DocumentSigner, b"message").await.unwrap_err();
        assert!(matches!(error, SignerError::Expired(KeyName::DocumentSigner)));
        signer.sign(deeds, KeyName::TrustListSigner, b"message").await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn reserved_usage_is_shared_by_both_databases_alike() {
    on_both(async |house| {
        let (deeds, signer) = (house.service.offices().deeds(), signer(house));
        for _ in 0..33 {
            signer.sign(deeds, KeyName::DocumentSigner, b"message").await.unwrap();
        }
        let used = sql!("select used as n from signing_key where name = $1");
        assert_eq!(house.count(used, args!["ds"]).await, 64);
    })
    .await;
}

#[test]
fn a_new_document_signer_takes_over_and_the_old_certificate_stays() {
    let folder = tempfile::tempdir().unwrap();
    let settings = house::settings(&folder, None);
    let rng = &mut Randomness::seeded(7).draw();
    let now = house::now();
    init(&settings, &InitOptions::default()).unwrap();
    let old = fs::read(settings.data.join("ds.der")).unwrap();
    let store = KeyStore::open(&settings.data, None).unwrap();
    let new = keys::rotate(&store, KeyName::DocumentSigner, now, rng).unwrap();
    assert!(matches!(keys::rotate(&store, KeyName::Csca, now, rng), Err(keys::CeremonyError::Signer(_))));
    let signer = opened(&store, keys::Settings::default());
    assert_eq!(signer.certificate(KeyName::DocumentSigner).der(), new.der());
    let old = crypto::pki::Certificate::parse(&old).unwrap();
    assert_eq!(fs::read(settings.data.join(format!("ds-{}.der", old.serial()))).unwrap(), old.der());
    // The old key is still there: `SigningKey::open` finds it by its certificate.
    SigningKey::open(&store, KeyName::DocumentSigner, &old).unwrap();

    let crl = keys::issue_crl(&store, &[old.serial().clone()], now + time::Duration::seconds(5)).unwrap();
    assert_eq!((crl.revoked().len(), crl.number()), (1, Some(vec![2])));
    crl.verify(signer.csca()).unwrap();
}

#[test]
fn card_keys_differ_by_chip_version_and_master() {
    let folder = tempfile::tempdir().unwrap();
    let settings = house::settings(&folder, None);
    let options = InitOptions {
        transport_keys: vec![
            ("factory-1".into(), Zeroizing::new(vec![1; 16])),
            ("factory-2".into(), Zeroizing::new(vec![2; 32])),
        ],
        ..InitOptions::default()
    };
    init(&settings, &options).unwrap();
    let keys = CardKeys::open(&KeyStore::open(&settings.data, None).unwrap()).unwrap();
    let serial = |n: u8| CardSerial([n; 10]);
    let bytes = |set: crypto::scp03::KeySet| set.to_bytes().to_vec();
    let mut seen = vec![
        bytes(keys.issuer(&serial(1), 1).unwrap()),
        bytes(keys.issuer(&serial(2), 1).unwrap()),
        bytes(keys.transport("factory-1", &serial(1), 1).unwrap()),
        bytes(keys.transport("factory-2", &serial(1), 1).unwrap()),
    ];
    assert_eq!(bytes(keys.issuer(&serial(1), 1).unwrap()), seen[0], "the same chip, the same keys");
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 4);
    assert!(keys.transport("factory-3", &serial(1), 1).is_err());
    assert!(keys.knows_transport("factory-2") && !keys.knows_transport("factory-3"));
    let store = KeyStore::open(&settings.data, None).unwrap();
    // Another version is another master key, and the one before is kept.
    assert!(keys.issuer(&serial(1), 2).is_err());
    assert_eq!(CardKeys::rotate(&store.locked().unwrap(), &mut Randomness::seeded(9).draw()).unwrap(), 2);
    let both = CardKeys::open(&store).unwrap();
    assert_eq!((both.newest(), CardKeys::versions(&store).unwrap()), (2, vec![1, 2]));
    assert_eq!(bytes(both.issuer(&serial(1), 1).unwrap()), bytes(keys.issuer(&serial(1), 1).unwrap()));
    assert_ne!(bytes(both.issuer(&serial(1), 2).unwrap()), bytes(both.issuer(&serial(1), 1).unwrap()));
    assert!(CardKeys::import_transport(&store.locked().unwrap(), "../kek", &[1; 16], false).is_err());
    assert!(CardKeys::import_transport(&store.locked().unwrap(), "short", &[1; 15], false).is_err());
}

#[tokio::test]
async fn the_list_in_force_is_read_again_when_its_file_has_changed() {
    let folder = tempfile::tempdir().unwrap();
    let settings = house::settings(&folder, None);
    init(&settings, &InitOptions::default()).unwrap();
    let (store, current) = (KeyStore::open(&settings.data, None).unwrap(), CurrentCrl::new(&settings.data));
    assert_eq!(current.read().await.unwrap().1.number(), Some(vec![1]));
    let serial = signer_serial(&store);
    keys::issue_crl(&store, &[serial], house::now()).unwrap();
    let (der, list) = current.read().await.unwrap();
    assert_eq!((list.number(), list.revoked().len()), (Some(vec![2]), 1));
    assert_eq!(*der, fs::read(settings.data.join("csca.crl")).unwrap());
    fs::write(settings.data.join("csca.crl"), b"no list").unwrap();
    assert!(matches!(current.read().await, Err(CrlFileError::Malformed(_))));
    fs::remove_file(settings.data.join("csca.crl")).unwrap();
    assert!(matches!(current.read().await, Err(CrlFileError::File(..))));
}

fn signer_serial(store: &KeyStore) -> crypto::pki::SerialNumber {
    let signer = opened(store, keys::Settings::default());
    signer.certificate(KeyName::DocumentSigner).serial().clone()
}

/// The command line, and a client that knows the service by each of its names.
#[tokio::test]
async fn a_renewed_server_certificate_keeps_the_names_unless_others_are_given() {
    let folder = tempfile::tempdir().unwrap();
    let settings = house::settings(&folder, None);
    let hosts = ["127.0.0.1", "counter.invalid"].map(str::to_owned).to_vec();
    init(&settings, &InitOptions { hosts, ..InitOptions::default() }).unwrap();
    let renews = |hosts: &[&str]| {
        let before = fs::read(settings.data.join("server.pem")).unwrap();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_issuance"));
        command.arg("renew-server").arg("--data").arg(&settings.data).args(hosts);
        assert!(command.output().unwrap().status.success());
        assert_ne!(fs::read(settings.data.join("server.pem")).unwrap(), before);
    };
    for (given, known) in [
        (&[][..], ["127.0.0.1", "counter.invalid"].as_slice()),
        (&["--host", "other.invalid"], &["other.invalid"]),
        (&[], &["other.invalid"]),
    ] {
        renews(given);
        let service = Service::start(&settings, None, Randomness::System).await.unwrap();
        let address = service.address();
        for host in ["127.0.0.1", "counter.invalid", "other.invalid", "localhost"] {
            let client = house::builder(&folder, None).resolve(host, address).build().unwrap();
            let answer = client.get(format!("https://{host}:{}/health", address.port())).send().await;
            assert_eq!(answer.is_ok(), known.contains(&host), "{host} after {given:?}: {answer:?}");
        }
        service.stop().await;
    }
}
