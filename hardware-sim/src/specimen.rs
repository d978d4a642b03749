//! Finished cards of invented people, for the tests of others: a seed makes an authority, its signers, and any number
//! of cards that real readers accept.
//!
//! The same seed makes the same keys, people, files and certificates, today and later; only the trust bundle carries
//! the day. The authority is not a secret and protects nothing: its keys are a function of a number.

use crypto::identity::{Can, CardSerial, Date, PersonalNumber, ProvinceCode, Sex, validity};
use crypto::lds::dg13::Particulars;
use crypto::lds::security_infos::{
    ChipAuthenticationInfo, ChipAuthenticationProtocol, ChipAuthenticationPublicKeyInfo, KeyAgreement, SecurityInfo,
    SecurityInfos,
};
use crypto::lds::{CardAccess, Com, DataGroup, Dg1, Dg2, Dg13, Dg14, Dg15, File};
use crypto::mrz::Td1;
use crypto::pace::Suite;
use crypto::perso::{Package, PublicKeys, Script, play, present};
use crypto::pki::{
    Certificate, CertificateDraft, Country, CurveForm, Issuer, Name, Role, SerialNumber, Validity, spki, trust_bundle,
};
use crypto::scp03::MasterKey;
use crypto::suite::{Cipher, Curve, Hash, PrivateKey, PublicKey, VerifyingKey};
use crypto::{active_auth, sod};
use rand::SeedableRng as _;
use rand::rngs::ChaCha20Rng;
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use time::macros::{date, datetime};
use time::{Duration, OffsetDateTime};

use crate::chip::{Chip, TRANSPORT_KEY_VERSION};
use crate::hostile::Malice;
use crate::in_process::InProcess;
use crate::manufacture;
use crate::profile::Profile;
use crate::state::Store;

/// A test authority: CSCA, document signer and trust-list signer.
pub struct Authority {
    seed: u64,
    csca: Certificate,
    documents: Signer,
    lists: Signer,
}

/// A finished card: the chip, and what its holder and its issuer know.
pub struct Specimen {
    /// The personalized chip.
    pub chip: Chip,
    /// The chip's serial.
    pub serial: CardSerial,
    /// The holder, as DG13 tells it.
    pub holder: Particulars,
    /// The machine readable zone: three lines of thirty characters.
    pub mrz: [String; 3],
    /// The card access number.
    pub can: Can,
    /// The files as they are on the chip.
    pub files: Vec<(File, Vec<u8>)>,
}

/// Data groups of a card, each with its file.
pub type Groups = [(DataGroup, Vec<u8>)];

/// A key and its certificate.
struct Signer {
    key: PrivateKey,
    certificate: Certificate,
}

impl Authority {
    /// Founds the authority of this seed.
    ///
    /// # Errors
    /// [`SpecimenError`], which no seed causes.
    pub fn of(seed: u64) -> Result<Self, SpecimenError> {
        let csca = certificate(seed, Role::Csca, None)?;
        let documents = Role::DocumentSigner { document_types: vec!["ID".to_owned()] };
        let documents = certificate(seed, documents, Some(&csca))?;
        let lists = certificate(seed, Role::TrustListSigner, Some(&csca))?;
        Ok(Self { seed, csca: csca.certificate, documents, lists })
    }

    /// Returns the certificate of the CSCA, the anchor of every reader.
    pub fn csca(&self) -> &Certificate {
        &self.csca
    }

    /// Returns the signed trust bundle of this moment, which is due for renewal after a year. No document is revoked.
    ///
    /// # Errors
    /// [`SpecimenError`] outside 2026 to 2045, in which the authority may sign.
    pub fn trust_bundle(&self, at: OffsetDateTime) -> Result<Vec<u8>, SpecimenError> {
        self.trust_bundle_until(at, at + Duration::days(365), vec![])
    }

    /// Returns a signed trust bundle of this moment that is due for renewal at another, and on which these documents,
    /// by the fingerprint of their EF.SOD, are revoked.
    ///
    /// # Errors
    /// [`SpecimenError`] as for [`Self::trust_bundle`], and if it would be due before it is issued.
    pub fn trust_bundle_until(
        &self,
        at: OffsetDateTime,
        next_update: OffsetDateTime,
        revoked_documents: Vec<[u8; 32]>,
    ) -> Result<Vec<u8>, SpecimenError> {
        let contents = trust_bundle::Contents {
            issued_at: at,
            next_update,
            cscas: vec![self.csca.der().to_vec()],
            crls: vec![],
            revoked_documents,
        };
        let prepared = trust_bundle::Draft::new(contents, &self.lists.certificate).lint().map_err(refused)?;
        let signature = self.lists.key.sign_der(Hash::Sha256, prepared.to_be_signed());
        prepared.attach(&signature).map_err(refused)
    }

    /// Makes the card with this number: a blank of this profile, taken in and personalized as the service does it. A
    /// hostile one behaves until it is finished: some would never become a card.
    ///
    /// # Errors
    /// [`SpecimenError`], which no profile causes.
    pub fn card(&self, number: u32, profile: &Profile) -> Result<Specimen, SpecimenError> {
        self.card_with(number, profile, &|_| {})
    }

    /// Makes the card with this number, whose data groups are changed before they are signed: what an authority would
    /// sign that does not look at it.
    ///
    /// # Errors
    /// [`SpecimenError`], if the chip does not take what they were changed to.
    pub fn card_with(
        &self,
        number: u32,
        profile: &Profile,
        change: &dyn Fn(&mut Groups),
    ) -> Result<Specimen, SpecimenError> {
        let malice = profile.malice;
        let profile = Profile { malice: Malice::NONE, ..profile.clone() };
        let rng = &mut stream(self.seed, "card", number);
        let serial = manufacture::serial(self.seed, number);
        let transport = MasterKey::from_bytes(&TRANSPORT).map_err(refused)?;
        let transport = || transport.diversify(&serial, TRANSPORT_KEY_VERSION);
        let keys = MasterKey::from_bytes(&hash(self.seed, "cards", 0)).map_err(refused)?.diversify(&serial, 1);
        let blank = Chip::blank(profile, serial, transport(), self.seed, Store::memory()).map_err(refused)?;
        let mut card = InProcess::new(blank);

        let presentation = present(&mut card).map_err(refused)?;
        let new = Some((&keys, 1));
        let intake = Script::intake(&transport(), &presentation, new, Curve::BrainpoolP256r1, Curve::P256, rng);
        let intake = intake.map_err(refused)?;
        let (receipt, failed) = play(&mut card, &intake.order("intake"), &mut |_| {});
        failed.map_or(Ok(()), |error| Err(refused(error)))?;
        let made = intake.verify(&transport(), &receipt).map_err(refused)?.public_keys.ok_or_else(incomplete)?;

        let holder = invented(self.seed, number)?;
        let zone = Td1::of_citizen(&holder.number, &holder.name, holder.sex, holder.birth, holder.expiry);
        let zone = zone.map_err(refused)?;
        let files = self.files(&holder, &zone, &made, change)?;
        let package = Package::new(files.clone(), holder.number.can(), &zone.key()).map_err(refused)?;
        let presentation = present(&mut card).map_err(refused)?;
        let script = Script::personalize(&keys, &presentation, &package, rng).map_err(refused)?;
        let (receipt, failed) = play(&mut card, &script.order("personalize"), &mut |_| {});
        failed.map_or(Ok(()), |error| Err(refused(error)))?;
        let report = script.verify(&keys, &receipt).map_err(refused)?.report.ok_or_else(incomplete)?;
        if report.digest != package.digest() {
            return Err(incomplete());
        }

        let mrz = zone.compose().map_err(refused)?;
        let line = |from: usize| String::from_utf8_lossy(&mrz[from..from + 30]).into_owned();
        let mut chip = card.into_chip().ok_or_else(incomplete)?;
        chip.misbehaves(malice).map_err(refused)?;
        let can = holder.number.can();
        Ok(Specimen { chip, serial, can, mrz: [line(0), line(30), line(60)], holder, files })
    }

    fn files(
        &self,
        holder: &Particulars,
        zone: &Td1,
        made: &PublicKeys,
        change: &dyn Fn(&mut Groups),
    ) -> Result<Vec<(File, Vec<u8>)>, SpecimenError> {
        let pace = SecurityInfo::Pace(PACE.info());
        let explicit = |key: &PublicKey| spki::encode(&VerifyingKey::Ec(key.clone()), CurveForm::Explicit);
        let infos = vec![
            pace.clone(),
            SecurityInfo::ChipAuthentication(ChipAuthenticationInfo {
                protocol: ChipAuthenticationProtocol::ecdh(Cipher::Aes128),
                version: 1,
                key_id: None,
            }),
            SecurityInfo::ChipAuthenticationPublicKey(ChipAuthenticationPublicKeyInfo {
                agreement: KeyAgreement::Ecdh,
                spki: explicit(&made.chip_auth),
                key_id: None,
            }),
            SecurityInfo::ActiveAuthentication { signature_algorithm: active_auth::signature_algorithm(Hash::Sha256) },
        ];
        let mut groups = [
            (DataGroup::DG1, Dg1::from(zone.clone()).encode().map_err(refused)?),
            (DataGroup::DG2, Dg2::new(PORTRAIT.to_vec(), 300, 400).map_err(refused)?.encode()),
            (DataGroup::DG13, Dg13::new(holder).map_err(refused)?.encode()),
            (DataGroup::DG14, Dg14(SecurityInfos(infos)).encode()),
            (DataGroup::DG15, Dg15 { spki: explicit(&made.active_auth) }.encode()),
        ];
        change(&mut groups);
        let hashed: Vec<_> = groups.iter().map(|(group, raw)| (*group, raw.as_slice())).collect();
        let signer = &self.documents;
        let prepared = sod::Draft::new(&hashed, sod::Profile::default(), &signer.certificate, SIGNED);
        let prepared = prepared.lint().map_err(refused)?;
        let signature = signer.key.sign_der(Hash::Sha256, prepared.to_be_signed());
        let security = prepared.attach(&signature).map_err(refused)?.raw().to_vec();
        let com = Com::new(groups.iter().map(|(group, _)| *group).collect()).encode().map_err(refused)?;
        let mut files = vec![
            (File::CardAccess, CardAccess(SecurityInfos(vec![pace])).encode()),
            (File::Com, com),
            (File::Sod, security),
        ];
        files.extend(groups.into_iter().map(|(group, raw)| (File::DataGroup(group), raw)));
        Ok(files)
    }
}

/// Why a card could not be made.
#[derive(Debug, Error)]
#[error("a finished card cannot be made: {0}")]
pub struct SpecimenError(String);

fn refused(error: impl std::fmt::Display) -> SpecimenError {
    SpecimenError(error.to_string())
}

fn incomplete() -> SpecimenError {
    refused("the chip did not do all of its order")
}

/// Invents the holder of a card.
fn invented(seed: u64, number: u32) -> Result<Particulars, SpecimenError> {
    let drawn = hash(seed, "holder", number);
    let of = |names: &'static [&'static str], byte: u8| names[usize::from(byte) % names.len()];
    let sex = if drawn[0].is_multiple_of(2) { Sex::Female } else { Sex::Male };
    let middle = if sex == Sex::Female { "Thị" } else { "Văn" };
    let name = format!("{} {middle} {}", of(&FAMILY_NAMES, drawn[1]), of(&GIVEN_NAMES, drawn[2]));
    // Grown up, and too young for a card without expiry.
    let days = u16::from_be_bytes([drawn[3], drawn[4]]) % 12_000;
    let birth = date!(1970 - 01 - 01) + Duration::days(i64::from(days));
    let year = u16::try_from(birth.year()).map_err(refused)?;
    let serial = (u32::from_be_bytes([0, drawn[5], drawn[6], drawn[7]]) + number) % 1_000_000;
    let province = ProvinceCode::new(UNASSIGNED).map_err(refused)?;
    let birth = Date::Full(birth);
    Ok(Particulars {
        number: PersonalNumber::compose(province, sex, year, serial).map_err(refused)?,
        name: name.parse().map_err(refused)?,
        birth,
        sex,
        nationality: "Việt Nam".to_owned(),
        ethnicity: "Kinh".to_owned(),
        religion: "Không".to_owned(),
        origin: "Xã Thử, Tỉnh Thử".to_owned(),
        residence: "Số 1, Xã Thử, Tỉnh Thử".to_owned(),
        features: "Nốt ruồi cách 2 cm dưới đuôi mắt trái".to_owned(),
        issued: SIGNED.date(),
        expiry: validity::expiry(birth, SIGNED.date()),
        father: None,
        mother: None,
        spouse: None,
        old_number: None,
        mark: None,
    })
}

fn certificate(seed: u64, role: Role, issuer: Option<&Signer>) -> Result<Signer, SpecimenError> {
    let (name, valid, signs) = match role {
        Role::Csca => ("Test Country Signing CA", 35 * 365, 5 * 365),
        Role::DocumentSigner { .. } => ("Test Document Signer", 30 * 365, 90),
        // Longer than a real one, so that others need not change their tests.
        Role::TrustListSigner => ("Test Trust List Signer", 30 * 365, 20 * 365),
    };
    let rng = &mut stream(seed, name, 0);
    let key = PrivateKey::generate(Curve::P256, rng);
    let country = Country::new("VN", "VNM").map_err(refused)?;
    let period = |days| Validity { not_before: FOUNDED, not_after: FOUNDED + Duration::days(days) };
    let draft = CertificateDraft {
        subject: Name::new(&country, "Test cards without value", None, name).map_err(refused)?,
        issuer: issuer.map_or(Issuer::Itself, |signer| Issuer::Csca(Box::new(signer.certificate.clone()))),
        serial: SerialNumber::generate(rng),
        validity: period(valid),
        private_key_usage: period(signs),
        key: key.public().into(),
        form: CurveForm::Explicit,
        country,
        contact: Some("https://test-cards.invalid".to_owned()),
        crl_distribution_points: vec!["https://test-cards.invalid/crl/VNM.crl".to_owned()],
        role,
    };
    let prepared = draft.lint().map_err(|findings| refused(format!("{findings:?}")))?;
    let signing = issuer.map_or(&key, |signer| &signer.key);
    let signature = signing.sign_der(prepared.algorithm().hash(), prepared.to_be_signed());
    let certificate = prepared.attach(&signature).map_err(refused)?;
    Ok(Signer { key, certificate })
}

fn hash(seed: u64, what: &str, number: u32) -> [u8; 32] {
    let begun = Sha256::new().chain_update(b"citizen card specimen").chain_update(seed.to_be_bytes());
    begun.chain_update(number.to_be_bytes()).chain_update(what.as_bytes()).finalize().into()
}

fn stream(seed: u64, what: &str, number: u32) -> ChaCha20Rng {
    ChaCha20Rng::from_seed(hash(seed, what, number))
}

/// How every card opens its channel.
const PACE: Suite = Suite { cipher: Cipher::Aes128, curve: Curve::BrainpoolP256r1 };
/// The transport keys of chips that never travel.
const TRANSPORT: [u8; 16] = [0x40; 16];
/// The first moment of every authority; the cards of a seed are not to change from one year to the next.
const FOUNDED: OffsetDateTime = datetime!(2026-01-01 00:00:00 UTC);
/// When every card was signed.
const SIGNED: OffsetDateTime = datetime!(2026-01-15 09:00:00 UTC);
/// A province code that is not assigned.
const UNASSIGNED: u16 = 3;
const PORTRAIT: &[u8] = include_bytes!("../data/portrait.jpg");
const FAMILY_NAMES: [&str; 7] = ["Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Vũ", "Đặng"];
const GIVEN_NAMES: [&str; 9] = ["Mẫu", "Thử", "Một", "Hai", "Ba", "Tư", "Năm", "Sáu", "Bảy"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_cards_and_another_seed_others() {
        let made = |seed| {
            let authority = Authority::of(seed).expect("an authority");
            let card = authority.card(1, &Profile::default()).expect("a card");
            (authority.csca().der().to_vec(), card.serial, card.mrz, card.files)
        };
        assert_eq!(made(7), made(7));
        let ((root, serial, mrz, _), (other_root, other_serial, other_mrz, _)) = (made(7), made(8));
        assert!(root != other_root && serial != other_serial && mrz != other_mrz);
    }

    /// A reader of others is to be tried on finished cards of every profile.
    #[test]
    fn every_profile_makes_a_finished_card_that_misbehaves_after_a_reset_too() {
        let authority = Authority::of(7).expect("an authority");
        for name in Profile::names() {
            let profile: Profile = name.parse().expect("a name of the list");
            let mut card = authority.card(1, &profile).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(card.files.len(), 8, "{name}");
            card.chip.reset();
            assert_eq!(*card.chip.profile(), profile, "{name}");
            card.chip.remove();
            card.chip.insert();
            assert_eq!(*card.chip.profile(), profile, "{name}");
        }
    }

    #[test]
    fn the_cards_of_one_seed_are_of_different_people_and_their_bundle_opens_for_years() {
        let authority = Authority::of(7).expect("an authority");
        let zones: std::collections::BTreeSet<_> =
            (0..20).map(|number| authority.card(number, &Profile::short()).expect("a card").mrz).collect();
        assert_eq!(zones.len(), 20);
        for at in [datetime!(2026-02-01 00:00:00 UTC), datetime!(2045-01-01 00:00:00 UTC)] {
            let bundle = authority.trust_bundle(at).expect("a bundle");
            trust_bundle::open(&bundle, authority.csca(), at).expect("a bundle that opens");
        }
        authority.trust_bundle(datetime!(2025-01-01 00:00:00 UTC)).expect_err("before it was founded");
    }
}
