//! The subject of the measurements: an invented citizen's card, composed as the service composes
//! it, on the chip in process.

use std::error::Error;

use crypto::identity::PersonalNumber;
use crypto::lds::security_infos::SecurityInfo;
use crypto::lds::{AtrInfo, DataGroup, Dg14, File};
use crypto::mrz::MrzKey;
use crypto::perso::{Package, PublicKeys, Script, play, present};
use crypto::pki::{
    Certificate, CertificateDraft, Country, CurveForm, Issuer, Name, Role, SerialNumber, TrustStore, Validity,
};
use crypto::scp03::MasterKey;
use crypto::sod;
use crypto::suite::{Curve, PrivateKey};
use hardware_sim::{Chip, InProcess, Profile, Store, TRANSPORT_KEY_VERSION};
use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;
use tests::citizen::{self, Citizen};
use tests::world::PROVINCE;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use crate::issuance_parts::{
    CardProfile, ChipFacts, Composed, Declaration, ExtraProvince, Holder, Reference, check, compose, on_chip,
    passport_portrait,
};

/// The moment of everything that is measured.
pub const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

pub fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(2_026)
}

/// A CSCA on P-384, as founded by default, and a document signer on `curve`.
pub struct Authority {
    pub key: PrivateKey,
    pub certificate: Certificate,
    pub trust: TrustStore,
}

impl Authority {
    pub fn found(curve: Curve) -> Result<Self, Box<dyn Error>> {
        let root = PrivateKey::generate(Curve::P384, &mut rng());
        let csca = certify(&root, &root, None)?;
        let key = PrivateKey::generate(curve, &mut rng());
        let certificate = certify(&key, &root, Some(&csca))?;
        Ok(Self { key, certificate, trust: TrustStore::new(vec![csca]) })
    }
}

fn certify(key: &PrivateKey, by: &PrivateKey, csca: Option<&Certificate>) -> Result<Certificate, Box<dyn Error>> {
    let country = Country::new("VN", "VNM")?;
    let not_before = NOW - Duration::days(1);
    let (name, role) = match csca {
        None => ("Country Signing CA", Role::Csca),
        Some(_) => ("Document Signer", Role::DocumentSigner { document_types: vec!["ID".into()] }),
    };
    let draft = CertificateDraft {
        role,
        subject: Name::new(&country, "Invented authority", None, name)?,
        issuer: csca.map_or(Issuer::Itself, |csca| Issuer::Csca(Box::new(csca.clone()))),
        serial: SerialNumber::generate(&mut rng()),
        validity: Validity { not_before, not_after: not_before + Duration::days(30 * 365) },
        private_key_usage: Validity { not_before, not_after: not_before + Duration::days(92) },
        key: key.public().into(),
        form: CurveForm::Explicit,
        country,
        contact: None,
        crl_distribution_points: vec!["https://csca.invalid/api/crl".into()],
    };
    let prepared = draft.lint()?;
    let signature = by.sign_der(prepared.algorithm().hash(), prepared.to_be_signed());
    Ok(prepared.attach(&signature)?)
}

/// Composes the files of one card, without EF.SOD.
pub fn composed(keys: &PublicKeys, lengths: AtrInfo) -> Result<Composed, Box<dyn Error>> {
    let unassigned = ExtraProvince { code: PROVINCE.parse()?, name: "Tỉnh Mẫu".into() };
    let reference = Reference::new(&[unassigned]);
    let declaration: Declaration = serde_json::from_value(Citizen::invented(0).declaration())?;
    let (person, _) =
        check::examine(&declaration, &reference, NOW.date()).map_err(|_| "the declaration is declined")?;
    let portrait = passport_portrait(&citizen::photograph(), None)?;
    let holder = Holder {
        person: &person,
        number: number(),
        portrait: on_chip(&portrait),
        features: citizen::FEATURES,
        issued: NOW.date(),
    };
    let chip = ChipFacts { active_auth: &keys.active_auth, chip_auth: &keys.chip_auth, lengths };
    Ok(compose(holder, chip, &CardProfile::default(), &reference, CurveForm::Explicit)?)
}

/// Makes the files those of a chip that speaks BAC alone: neither EF.CardAccess nor DG14 announces PACE.
fn without_pace(composed: &mut Composed) -> Result<(), Box<dyn Error>> {
    composed.others.retain(|(file, _)| *file != File::CardAccess);
    for (_, raw) in composed.groups.iter_mut().filter(|(group, _)| *group == DataGroup::DG14) {
        let mut infos = Dg14::parse(raw)?.0;
        infos.0.retain(|info| !matches!(info, SecurityInfo::Pace(_)));
        *raw = Dg14(infos).encode();
    }
    Ok(())
}

pub fn number() -> PersonalNumber {
    Citizen::invented(0).personal_number()
}

/// Borrows the data groups.
pub fn groups(composed: &Composed) -> Vec<(DataGroup, &[u8])> {
    composed.groups.iter().map(|(group, raw)| (*group, &raw[..])).collect()
}

/// A personalized chip, and how many commands that took.
pub struct Issued {
    pub card: InProcess,
    pub trust: TrustStore,
    pub mrz: MrzKey,
    /// Lengths of the files on the chip.
    pub files: Vec<(File, usize)>,
    pub max_command: usize,
    pub max_response: usize,
    /// Number of commands of `present` and of the order.
    pub intake: (u64, usize),
    /// Number of commands of `present`, of the order, and of the STORE DATA among the latter.
    pub personalization: (u64, usize, usize),
}

pub fn issue(profile: Profile) -> Result<Issued, Box<dyn Error>> {
    let authority = Authority::found(Curve::P256)?;
    let serial = hardware_sim::serial(7, 0);
    let transport = || MasterKey::from_bytes(&[0x40; 16]).expect("a key").diversify(&serial, TRANSPORT_KEY_VERSION);
    let issuer = MasterKey::from_bytes(&[0x50; 32])?.diversify(&serial, 1);
    let with_pace = profile.pace;
    let mut card = InProcess::new(Chip::blank(profile, serial, transport(), 7, Store::memory())?);

    let before = card.commands();
    let presentation = present(&mut card)?;
    let presented = card.commands() - before;
    let current = transport();
    let brainpool = Curve::BrainpoolP256r1;
    let script = Script::intake(&current, &presentation, Some((&issuer, 1)), brainpool, Curve::P256, &mut rng())?;
    let order = script.order("intake");
    let (receipt, error) = play(&mut card, &order, &mut |_| {});
    error.map_or(Ok(()), Err)?;
    let keys = script.verify(&current, &receipt)?.public_keys.ok_or("no public keys")?;
    let intake = (presented, order.commands.len());

    let before = card.commands();
    let presentation = present(&mut card)?;
    let presented = card.commands() - before;
    let (max_command, max_response) = (presentation.max_command, presentation.max_response);
    let mut composed = composed(&keys, AtrInfo { max_command, max_response })?;
    if !with_pace {
        without_pace(&mut composed)?;
    }
    let draft = sod::Draft::new(&groups(&composed), sod::Profile::default(), &authority.certificate, NOW);
    let prepared = draft.lint()?;
    let signature = authority.key.sign_der(prepared.algorithm().hash(), prepared.to_be_signed());
    let sod = prepared.attach(&signature)?;
    let mut files: Vec<(File, Vec<u8>)> = composed.groups.into_iter().map(|(group, raw)| (group.into(), raw)).collect();
    files.extend(composed.others);
    files.push((File::Sod, sod.raw().to_vec()));
    let lengths = files.iter().map(|(file, content)| (*file, content.len())).collect();
    let package = Package::new(files, number().can(), &composed.mrz)?;
    let script = Script::personalize(&issuer, &presentation, &package, &mut rng())?;
    let order = script.order("personalize");
    let (receipt, error) = play(&mut card, &order, &mut |_| {});
    error.map_or(Ok(()), Err)?;
    script.verify(&issuer, &receipt)?;
    let blocks = script.steps().iter().filter(|step| matches!(step, crypto::perso::ScriptStep::StoreData(_))).count();
    let personalization = (presented, order.commands.len(), blocks);
    card.chip().reset();
    Ok(Issued {
        card,
        trust: authority.trust,
        mrz: composed.mrz,
        files: lengths,
        max_command,
        max_response,
        intake,
        personalization,
    })
}
