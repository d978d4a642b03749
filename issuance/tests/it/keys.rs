//! Keys at rest, the signer, ceremonies.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crypto::identity::CardSerial;
use crypto::pki::CurveForm;
use issuance::app::{Clock, Randomness};
use issuance::args;
use issuance::pki::{
    self, CardKeys, CeremonyError, Founding, KeyName, KeyStore, KeyStoreError, SignerError, SigningKey,
};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::house::{self, on_both};

#[test]
fn no_key_rests_in_the_clear() {
    let folder = tempfile::tempdir().unwrap();
    let config = house::config(&folder, None);
    let transport = [0xa5; 16];
    let founding = Founding {
        transport_keys: vec![("factory-1".into(), Zeroizing::new(transport.to_vec()))],
        ..Founding::default()
    };
    let rng = &mut Randomness::seeded(7).draw();
    let founded = pki::found(&config, &founding, OffsetDateTime::now_utc(), rng).unwrap();
    let store = KeyStore::open(&config.data, None).unwrap();
    let mut secrets: Vec<Vec<u8>> = vec![transport.to_vec()];
    for name in store.names("").unwrap() {
        let key = store.take(&name).unwrap();
        // The tail: what comes before may be an algorithm identifier that is no secret.
        secrets.push(key[key.len().saturating_sub(16)..].to_vec());
    }
    assert!(secrets.len() > 7);
    for entry in walk(&config.data) {
        if entry.ends_with("admin-password") {
            continue;
        }
        let bytes = fs::read(&entry).unwrap();
        let holds = |secret: &[u8]| bytes.windows(secret.len()).any(|window| window == secret);
        assert!(!secrets.iter().any(|secret| holds(secret) || holds(hex::encode(secret).as_bytes())), "{entry:?}");
        assert!(!holds(founded.admin_password.as_bytes()), "{entry:?}");
        let mode = fs::metadata(&entry).unwrap().permissions().mode() & 0o777;
        let private = entry.extension().is_some_and(|e| e == "sealed") || entry.ends_with("kek");
        assert_eq!(mode, if private { 0o600 } else { 0o644 }, "{entry:?}");
    }
    let keys = fs::metadata(config.data.join("keys")).unwrap().permissions().mode() & 0o777;
    assert_eq!(keys, 0o700);
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn a_sealed_key_opens_under_its_own_name_and_key_only() {
    let folder = tempfile::tempdir().unwrap();
    let store = KeyStore::found(folder.path(), None, &mut Randomness::seeded(1).draw()).unwrap();
    store.put("one", b"a secret of one").unwrap();
    let keys = folder.path().join("keys");
    fs::copy(keys.join("one.sealed"), keys.join("two.sealed")).unwrap();
    assert!(matches!(store.take("two"), Err(KeyStoreError::NotOurs(_))), "passed off as another");
    let mut changed = fs::read(keys.join("one.sealed")).unwrap();
    for at in 0..changed.len() {
        changed[at] ^= 1;
        fs::write(keys.join("one.sealed"), &changed).unwrap();
        assert!(matches!(store.take("one"), Err(KeyStoreError::NotOurs(_))), "byte {at}");
        changed[at] ^= 1;
    }
    fs::write(keys.join("one.sealed"), &changed).unwrap();
    assert_eq!(*store.take("one").unwrap(), b"a secret of one");
    assert!(matches!(store.take("three"), Err(KeyStoreError::Missing(_))));
}

#[test]
fn a_key_file_that_others_can_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    KeyStore::found(folder.path(), None, &mut Randomness::seeded(1).draw()).unwrap();
    let kek = folder.path().join("kek");
    fs::set_permissions(&kek, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(KeyStore::open(folder.path(), None), Err(KeyStoreError::ReadableByOthers(_))));
    fs::set_permissions(&kek, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&kek, "zz").unwrap();
    assert!(matches!(KeyStore::open(folder.path(), None), Err(KeyStoreError::Malformed(_))));
}

#[test]
fn a_founded_service_is_not_founded_again() {
    let folder = tempfile::tempdir().unwrap();
    let config = house::config(&folder, None);
    let found =
        || pki::found(&config, &Founding::default(), OffsetDateTime::now_utc(), &mut Randomness::seeded(7).draw());
    found().unwrap();
    let csca = fs::read(config.data.join("csca.der")).unwrap();
    assert!(matches!(found(), Err(CeremonyError::KeyStore(KeyStoreError::AlreadyFounded(_)))));
    assert_eq!(fs::read(config.data.join("csca.der")).unwrap(), csca);
}

#[test]
fn both_curve_forms_and_brainpool_can_be_founded() {
    use crypto::suite::Curve;
    for (curve_form, csca_curve, signer_curve) in [
        (CurveForm::Explicit, Curve::P384, Curve::P256),
        (CurveForm::Named, Curve::P384, Curve::P256),
        (CurveForm::Explicit, Curve::BrainpoolP384r1, Curve::BrainpoolP256r1),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let config = house::config(&folder, None);
        let founding = Founding { curve_form, csca_curve, signer_curve, ..Founding::default() };
        pki::found(&config, &founding, OffsetDateTime::now_utc(), &mut Randomness::seeded(7).draw()).unwrap();
        let store = KeyStore::open(&config.data, None).unwrap();
        let signer = pki::Signer::open(&store).unwrap();
        let ds = signer.certificate(KeyName::DocumentSigner);
        assert_eq!(crypto::pki::spki::form(ds.subject_public_key_info()).unwrap(), Some(curve_form));
        let trust = crypto::pki::TrustStore::new(vec![signer.csca().clone()]);
        trust.verify_signer(ds, OffsetDateTime::now_utc()).unwrap();
        signer.key(KeyName::DocumentSigner).unwrap().sign(b"message").unwrap();
    }
}

#[tokio::test]
async fn usage_is_reserved_before_and_ends_at_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = house::config(&folder, None);
    config.signing_key_limit = 40;
    pki::found(&config, &Founding::default(), OffsetDateTime::now_utc(), &mut Randomness::seeded(7).draw()).unwrap();
    let app = issuance::app::App::open(config.clone(), Clock::System, Randomness::System).await.unwrap();
    for _ in 0..5 {
        app.sign(KeyName::DocumentSigner, b"message").await.unwrap();
    }
    app.db().close().await;
    // The crash forfeits the rest of the block of 32: eight are left, never more than forty in all.
    let app = issuance::app::App::open(config, Clock::System, Randomness::System).await.unwrap();
    for _ in 0..8 {
        app.sign(KeyName::DocumentSigner, b"message").await.unwrap();
    }
    let error = app.sign(KeyName::DocumentSigner, b"message").await.unwrap_err();
    assert!(matches!(error, SignerError::Exhausted(KeyName::DocumentSigner)));
    let error = app.sign(KeyName::Csca, b"message").await.unwrap_err();
    assert!(matches!(error, SignerError::Closed(KeyName::Csca)), "the running service has no CSCA key");
}

#[tokio::test]
async fn a_key_does_not_sign_after_its_period() {
    on_both(async |house| {
        let app = house.service.app();
        house.clock.advance(time::Duration::days(91));
        app.sign(KeyName::DocumentSigner, b"message").await.unwrap();
        house.clock.advance(time::Duration::days(2));
        let error = app.sign(KeyName::DocumentSigner, b"message").await.unwrap_err();
        assert!(matches!(error, SignerError::Expired(KeyName::DocumentSigner)));
        app.sign(KeyName::TrustListSigner, b"message").await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn reserved_usage_is_shared_by_both_databases_alike() {
    on_both(async |house| {
        let app = house.service.app();
        for _ in 0..33 {
            app.sign(KeyName::DocumentSigner, b"message").await.unwrap();
        }
        assert_eq!(house.count("select used as n from signing_key where name = $1", args!["ds"]).await, 64);
    })
    .await;
}

#[test]
fn a_new_document_signer_takes_over_and_the_old_certificate_stays() {
    let folder = tempfile::tempdir().unwrap();
    let config = house::config(&folder, None);
    let rng = &mut Randomness::seeded(7).draw();
    let now = OffsetDateTime::now_utc();
    pki::found(&config, &Founding::default(), now, rng).unwrap();
    let old = fs::read(config.data.join("ds.der")).unwrap();
    let new = pki::rotate(&config, KeyName::DocumentSigner, now, rng).unwrap();
    let store = KeyStore::open(&config.data, None).unwrap();
    let signer = pki::Signer::open(&store).unwrap();
    assert_eq!(signer.certificate(KeyName::DocumentSigner).der(), new.der());
    let old = crypto::pki::Certificate::parse(&old).unwrap();
    assert_eq!(fs::read(config.data.join(format!("ds-{}.der", old.serial()))).unwrap(), old.der());
    // The old key is still there: `SigningKey::open` finds it by its certificate.
    SigningKey::open(&store, KeyName::DocumentSigner, &old).unwrap();

    let crl = pki::issue_crl(&config, &[old.serial().clone()], now + time::Duration::seconds(5)).unwrap();
    assert_eq!((crl.revoked().len(), crl.number()), (1, Some(vec![2])));
    crl.verify(signer.csca()).unwrap();
}

#[test]
fn card_keys_differ_by_chip_version_and_master() {
    let folder = tempfile::tempdir().unwrap();
    let config = house::config(&folder, None);
    let founding = Founding {
        transport_keys: vec![
            ("factory-1".into(), Zeroizing::new(vec![1; 16])),
            ("factory-2".into(), Zeroizing::new(vec![2; 32])),
        ],
        ..Founding::default()
    };
    pki::found(&config, &founding, OffsetDateTime::now_utc(), &mut Randomness::seeded(7).draw()).unwrap();
    let keys = CardKeys::open(&KeyStore::open(&config.data, None).unwrap()).unwrap();
    let serial = |n: u8| CardSerial([n; 10]);
    let bytes = |set: crypto::scp03::KeySet| set.to_bytes().to_vec();
    let mut seen = vec![
        bytes(keys.issuer(&serial(1), 1)),
        bytes(keys.issuer(&serial(2), 1)),
        bytes(keys.issuer(&serial(1), 2)),
        bytes(keys.transport("factory-1", &serial(1), 1).unwrap()),
        bytes(keys.transport("factory-2", &serial(1), 1).unwrap()),
    ];
    assert_eq!(bytes(keys.issuer(&serial(1), 1)), seen[0], "the same chip, the same keys");
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 5);
    assert!(keys.transport("factory-3", &serial(1), 1).is_err());
    assert!(keys.knows_transport("factory-2") && !keys.knows_transport("factory-3"));
    let store = KeyStore::open(&config.data, None).unwrap();
    assert!(CardKeys::import_transport(&store, "../kek", &[1; 16]).is_err());
    assert!(CardKeys::import_transport(&store, "short", &[1; 15]).is_err());
}
