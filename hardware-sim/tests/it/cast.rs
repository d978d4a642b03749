//! The parties of the tests: an invented citizen's package, the issuer, a reader with a secure channel.

use crypto::apdu::{Command, Response, Status};
use crypto::command::read_binary::ReadBinary;
use crypto::command::select::Select;
use crypto::conversation::{CardTransport, converse};
use crypto::identity::{Can, CardSerial};
use crypto::lds::security_infos::{
    ChipAuthenticationInfo, ChipAuthenticationProtocol, ChipAuthenticationPublicKeyInfo, KeyAgreement, SecurityInfo,
    SecurityInfos,
};
use crypto::lds::{CardAccess, Com, DataGroup, Dg14, Dg15, File};
use crypto::mrz::MrzKey;
use crypto::pace::{self, Suite};
use crypto::perso::{Package, PublicKeys, Script, play, present};
use crypto::pki::{CurveForm, spki};
use crypto::scp03::{KeySet, MasterKey};
use crypto::suite::{Cipher, Curve, Hash, VerifyingKey};
use crypto::{active_auth, bac, sm, tlv};
use hardware_sim::{Chip, InProcess, InProcessError, Profile, Store, TRANSPORT_KEY_VERSION};
use rand::SeedableRng as _;
use rand::rngs::ChaCha20Rng;

pub const SEED: u64 = 7;
pub const CAN: &str = "000017";
pub const ISSUER_VERSION: u8 = 1;
pub const SUITE: Suite = Suite { cipher: Cipher::Aes128, curve: Curve::BrainpoolP256r1 };

pub fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(99)
}

pub fn can() -> Can {
    CAN.parse().expect("six digits")
}

/// Returns the MRZ key of an invented person whose province does not exist.
pub fn mrz() -> MrzKey {
    MrzKey::new("303000017", "030405", "991231").expect("an MRZ key")
}

pub fn transport(serial: CardSerial) -> KeySet {
    MasterKey::from_bytes(&[0x40; 16]).expect("a key").diversify(&serial, TRANSPORT_KEY_VERSION)
}

pub fn issuer(serial: CardSerial) -> KeySet {
    MasterKey::from_bytes(&[0x50; 32]).expect("a key").diversify(&serial, ISSUER_VERSION)
}

pub fn blank_in(store: Store, profile: Profile, slot: u32) -> Chip {
    let serial = hardware_sim::serial(SEED, slot);
    Chip::blank(profile, serial, transport(serial), SEED, store).expect("an empty store")
}

pub fn blank(profile: Profile) -> InProcess {
    InProcess::new(blank_in(Store::memory(), profile, 0))
}

/// Carries out the intake as the service orders it, also after a power cut in an earlier one. Returns the
/// public keys of the chip.
pub fn intake(card: &mut InProcess) -> Result<PublicKeys, InProcessError> {
    let presentation = present(card)?;
    let (old, new) = (transport(presentation.serial), issuer(presentation.serial));
    let (p256, brainpool) = (Curve::P256, Curve::BrainpoolP256r1);
    let fresh = presentation.key_version == TRANSPORT_KEY_VERSION;
    let (current, put) = if fresh { (&old, Some((&new, ISSUER_VERSION))) } else { (&new, None) };
    let script = Script::intake(current, &presentation, put, brainpool, p256, &mut rng()).expect("an intake order");
    let (receipt, error) = play(card, &script.order("intake"), &mut |_| {});
    if let Some(error) = error {
        return Err(error);
    }
    let outcome = script.verify(current, &receipt).expect("a genuine receipt");
    Ok(outcome.public_keys.expect("two key pairs"))
}

/// Carries out the personalization as the service orders it.
pub fn personalize(card: &mut InProcess, package: &Package) -> Result<(), InProcessError> {
    let presentation = present(card)?;
    let keys = issuer(presentation.serial);
    let script = Script::personalize(&keys, &presentation, package, &mut rng()).expect("an order");
    let (receipt, error) = play(card, &script.order("personalize"), &mut |_| {});
    if let Some(error) = error {
        return Err(error);
    }
    let report = script.verify(&keys, &receipt).expect("a genuine receipt").report.expect("a report");
    assert_eq!(report.digest, package.digest());
    Ok(())
}

pub fn personalized(profile: Profile) -> InProcess {
    let mut card = blank(profile);
    let keys = intake(&mut card).expect("the chip is there");
    personalize(&mut card, &package(&keys)).expect("the chip is there");
    card
}

/// Returns the files of the package. The portrait is long, so that it takes many reads.
pub fn files(keys: &PublicKeys) -> Vec<(File, Vec<u8>)> {
    let explicit = |key| spki::encode(&VerifyingKey::Ec(key), CurveForm::Explicit);
    let protocol = ChipAuthenticationProtocol::ecdh(Cipher::Aes128);
    let security = SecurityInfos(vec![
        SecurityInfo::Pace(SUITE.info()),
        SecurityInfo::ChipAuthentication(ChipAuthenticationInfo { protocol, version: 1, key_id: None }),
        SecurityInfo::ChipAuthenticationPublicKey(ChipAuthenticationPublicKeyInfo {
            agreement: KeyAgreement::Ecdh,
            spki: explicit(keys.chip_auth.clone()),
            key_id: None,
        }),
        SecurityInfo::ActiveAuthentication { signature_algorithm: active_auth::signature_algorithm(Hash::Sha256) },
    ]);
    let groups =
        vec![DataGroup::DG1, DataGroup::DG2, DataGroup::DG3, DataGroup::DG13, DataGroup::DG14, DataGroup::DG15];
    vec![
        (File::CardAccess, CardAccess(SecurityInfos(vec![SecurityInfo::Pace(SUITE.info())])).encode()),
        (File::Com, Com::new(groups).encode().expect("known groups")),
        (File::Sod, tlv::encode(0x77, &[0x30; 1_800])),
        (DataGroup::DG1.into(), tlv::encode(0x61, &tlv::encode(0x5f1f, &[b'<'; 90]))),
        (DataGroup::DG2.into(), tlv::encode(0x75, &(0..=255).cycle().take(36_000).collect::<Vec<u8>>())),
        (DataGroup::DG3.into(), tlv::encode(0x63, &[1; 200])),
        (DataGroup::DG13.into(), tlv::encode(0x6d, &[2; 400])),
        (DataGroup::DG14.into(), Dg14(security).encode()),
        (DataGroup::DG15.into(), Dg15 { spki: explicit(keys.active_auth.clone()) }.encode()),
    ]
}

pub fn package(keys: &PublicKeys) -> Package {
    Package::new(files(keys), can(), &mrz()).expect("a package")
}

/// A card transport through the terminal's end of a secure channel.
pub struct Secured<C = InProcess> {
    pub card: C,
    pub channel: sm::Terminal,
}

impl<C: CardTransport<Error = InProcessError>> CardTransport for Secured<C> {
    type Error = InProcessError;

    fn transmit(&mut self, command: &Command) -> Result<Response, InProcessError> {
        let sealed = self.channel.seal(command)?;
        let answer = self.card.transmit(&sealed)?;
        Ok(self.channel.open(&answer)?)
    }
}

pub fn pace(card: &InProcess, password: impl Into<pace::Password>) -> Result<Secured, InProcessError> {
    let mut card = card.clone();
    let random = pace::terminal::Random::generate(SUITE.curve, &mut rng());
    let talk = pace::terminal::Pace::new(SUITE, password, random)?;
    let channel = converse(&mut card, talk)?.channel;
    let mut secured = Secured { card, channel };
    select_lds(&mut secured)?;
    Ok(secured)
}

pub fn bac(card: &InProcess, key: &MrzKey) -> Result<Secured, InProcessError> {
    let mut card = card.clone();
    select_lds(&mut card)?;
    let keys = bac::AccessKeys::new(&key.into());
    let channel = converse(&mut card, bac::terminal::Bac::new(keys, bac::Random::generate(&mut rng())))?;
    Ok(Secured { card, channel })
}

pub fn select_lds<C: CardTransport>(card: &mut C) -> Result<(), C::Error> {
    card.transmit(&Select::lds1().into())?.accepted(0xa4)?;
    Ok(())
}

/// Selects a file by its identifier and reads it in pieces. Returns the whole content.
pub fn read<C: CardTransport>(card: &mut C, file: File, piece: usize) -> Result<Vec<u8>, C::Error> {
    card.transmit(&Select::File(file.id()).into())?.accepted(0xa4)?;
    let mut content = Vec::new();
    loop {
        let wanted = match content.len() {
            0 => 4,
            read => piece.min(tlv::announced_length(&content).expect("a header") - read),
        };
        let ask = ReadBinary::current(u32::try_from(content.len()).expect("short"), wanted);
        let answer = card.transmit(&Command::from(ask))?;
        assert!(matches!(answer.status, Status::SUCCESS), "{file} at {}: {answer:?}", content.len());
        content.extend(ask.content(answer.data)?);
        if content.len() >= tlv::announced_length(&content).expect("a header") {
            return Ok(content);
        }
    }
}

/// Sends a command APDU given in hex. Returns the response APDU in hex.
pub fn say(card: &InProcess, command: &str) -> String {
    let bytes = hex::decode(command.replace(' ', "")).expect("hex");
    hex::encode_upper(card.chip().transmit(&bytes))
}
