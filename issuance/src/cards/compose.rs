//! From a person and a chip to the files of one card; pure.

use crypto::identity::{PersonalNumber, validity};
use crypto::lds::dg13::Particulars;
use crypto::lds::{
    AtrInfo, CardAccess, Com, ComError, DataGroup, Dg1, Dg2, Dg2Error, Dg13, Dg13Error, Dg14, Dg15, File,
};
use crypto::mrz::{MrzError, MrzKey, Td1};
use crypto::pki::spki::{self, CurveForm};
use crypto::sod::LdsVersion;
use crypto::suite::{Curve, PrivateKey, PublicKey};
use thiserror::Error;
use time::Date;

use super::profile::CardProfile;
use crate::population::model::{OnCard, Person};
use crate::population::reference::Reference;

/// The holder of a card, and its day of issue.
#[derive(Clone, Copy, Debug)]
pub struct Holder<'a> {
    /// As in the register.
    pub person: &'a Person,
    /// The number for life.
    pub number: PersonalNumber,
    /// The passport portrait.
    pub portrait: Portrait<'a>,
    /// Identifying features.
    pub features: &'a str,
    /// Day of issue.
    pub issued: Date,
}

/// What of a holder stands on a card in letters: all but the portrait.
#[derive(Clone, Debug)]
pub struct Bearer<'a> {
    /// What of the person in the register stands on a card.
    pub person: OnCard<'a>,
    /// The number for life.
    pub number: PersonalNumber,
    /// Identifying features.
    pub features: &'a str,
    /// Day of issue.
    pub issued: Date,
}

/// A portrait as it goes on the chip.
#[derive(Clone, Copy, Debug)]
pub struct Portrait<'a> {
    /// JPEG.
    pub jpeg: &'a [u8],
    /// Width in pixels.
    pub width: u16,
    /// Height in pixels.
    pub height: u16,
}

/// What the chip said about itself.
#[derive(Clone, Copy, Debug)]
pub struct ChipFacts<'a> {
    /// Public key of active authentication.
    pub active_auth: &'a PublicKey,
    /// Public key of chip authentication.
    pub chip_auth: &'a PublicKey,
    /// How long its commands and responses may be.
    pub lengths: AtrInfo,
}

/// The files of one card but EF.SOD, and what goes with them.
#[derive(Debug)]
pub struct Composed {
    /// Data groups as the chip will hold them, by ascending number.
    pub groups: Vec<(DataGroup, Vec<u8>)>,
    /// EF.COM, EF.CardAccess, EF.ATR/INFO.
    pub others: Vec<(File, Vec<u8>)>,
    /// What opens the chip by its MRZ.
    pub mrz: MrzKey,
    /// Day of expiry; none: without limit.
    pub expires: Option<Date>,
}

/// The groups of a card that say in letters who its holder is, and what follows from them.
#[derive(Debug)]
pub struct Texts {
    /// DG1.
    pub dg1: Vec<u8>,
    /// DG13.
    pub dg13: Vec<u8>,
    mrz: MrzKey,
    expires: Option<Date>,
}

/// Writes DG1, DG2, DG13, DG14, DG15, EF.COM, EF.CardAccess and EF.ATR/INFO.
///
/// # Errors
/// [`ComposeError`] naming the file that cannot be written.
pub fn compose(
    holder: Holder<'_>,
    chip: ChipFacts<'_>,
    profile: &CardProfile,
    reference: &Reference,
    form: CurveForm,
) -> Result<Composed, ComposeError> {
    let Holder { person, number, portrait, features, issued } = holder;
    let texts = texts(&Bearer { person: person.on_card(), number, features, issued }, profile, reference)?;
    complete(texts, picture(portrait)?, chip, profile, form)
}

/// Writes DG1 and DG13, which need no chip.
///
/// # Errors
/// [`ComposeError`] naming the file that cannot be written.
pub fn texts(bearer: &Bearer<'_>, profile: &CardProfile, reference: &Reference) -> Result<Texts, ComposeError> {
    let person = &bearer.person;
    let expires = validity::expiry(person.birth, bearer.issued);
    let mut mrz = Td1::of_citizen(&bearer.number, person.full_name, person.sex, person.birth, expires)?;
    (mrz.issuing_state, mrz.nationality) = (profile.state.code.clone(), profile.state.code.clone());
    let particulars = particulars(bearer, profile, reference, expires);
    printable(&particulars)?;
    let dg13 = Dg13::new(&particulars)?.encode();
    let key = mrz.key();
    Ok(Texts { dg1: Dg1::Td1(mrz).encode()?, dg13, mrz: key, expires })
}

/// Refuses what a chip could hold and the body around it could not show.
fn printable(particulars: &Particulars) -> Result<(), ComposeError> {
    let Particulars { name, origin, residence, features, .. } = particulars;
    let shown = [("name", name.as_str()), ("origin", origin), ("residence", residence), ("features", features)];
    match shown.into_iter().find_map(|(field, text)| Some((field, ::faces::unprintable(text)?))) {
        Some((field, letter)) => Err(ComposeError::Letter { field, letter }),
        None => Ok(()),
    }
}

/// Writes DG2, which needs no chip.
///
/// # Errors
/// [`ComposeError::Dg2`]
pub fn picture(portrait: Portrait<'_>) -> Result<Vec<u8>, ComposeError> {
    let Portrait { jpeg, width, height } = portrait;
    Ok(Dg2::new(jpeg.to_vec(), width, height)?.encode())
}

/// Adds to what needs no chip what does.
///
/// # Errors
/// [`ComposeError::Com`]
pub fn complete(
    texts: Texts,
    dg2: Vec<u8>,
    chip: ChipFacts<'_>,
    profile: &CardProfile,
    form: CurveForm,
) -> Result<Composed, ComposeError> {
    let Texts { dg1, dg13, mrz, expires } = texts;
    let groups = vec![
        (DataGroup::DG1, dg1),
        (DataGroup::DG2, dg2),
        (DataGroup::DG13, dg13),
        (DataGroup::DG14, Dg14(profile.security_infos(chip.chip_auth, form)).encode()),
        (DataGroup::DG15, Dg15 { spki: spki::encode(&chip.active_auth.clone().into(), form) }.encode()),
    ];
    let mut com = Com::new(groups.iter().map(|(group, _)| *group).collect());
    // EF.COM and the hash table name the same version, or inspection systems complain.
    if let LdsVersion::V18 { lds, unicode } = &profile.sod.lds_version {
        (com.lds_version, com.unicode_version) = (lds.clone(), unicode.clone());
    }
    let others = vec![
        (File::Com, com.encode()?),
        (File::CardAccess, CardAccess(profile.access_infos()).encode()),
        (File::AtrInfo, chip.lengths.encode()),
    ];
    Ok(Composed { groups, others, mrz, expires })
}

/// Composes the card as [`compose`] would, with a chip that does not exist: to find out before a chip is used whether a
/// card can carry what the register and the counter hold.
///
/// # Errors
/// [`ComposeError`]
pub fn rehearse(holder: Holder<'_>, profile: &CardProfile, reference: &Reference) -> Result<(), ComposeError> {
    let sample =
        |curve| PrivateKey::from_bytes(curve, &one(curve)).expect("one is a private key on every curve").public();
    let (active_auth, chip_auth) = (sample(profile.active_auth_curve), sample(profile.chip_auth_curve));
    let lengths = AtrInfo { max_command: 4096, max_response: 4096 };
    let chip = ChipFacts { active_auth: &active_auth, chip_auth: &chip_auth, lengths };
    compose(holder, chip, profile, reference, CurveForm::Explicit).map(drop)
}

/// The scalar 1, big-endian in the curve's width.
fn one(curve: Curve) -> Vec<u8> {
    let mut scalar = vec![0; curve.field_len()];
    if let Some(last) = scalar.last_mut() {
        *last = 1;
    }
    scalar
}

fn particulars(bearer: &Bearer<'_>, profile: &CardProfile, reference: &Reference, expiry: Option<Date>) -> Particulars {
    let person = &bearer.person;
    Particulars {
        number: bearer.number,
        name: person.full_name.clone(),
        birth: person.birth,
        sex: person.sex,
        nationality: profile.state.nationality.clone(),
        ethnicity: reference.ethnic_group(person.ethnic_group, bearer.issued).unwrap_or_default().into(),
        religion: person.religion.to_owned(),
        origin: person.place_of_origin.in_words(reference, bearer.issued),
        residence: person.permanent_residence.map(|place| place.in_words(reference, bearer.issued)).unwrap_or_default(),
        features: bearer.features.into(),
        issued: bearer.issued,
        expiry,
        father: person.father.clone(),
        mother: person.mother.clone(),
        spouse: person.spouse.clone(),
        old_number: person.old_card.map(str::to_owned),
        mark: None,
    }
}

/// The file that cannot be written. The register lets in only what a card has room for, so this is rare.
#[derive(Debug, Error)]
pub enum ComposeError {
    /// EF.COM.
    #[error("EF.COM: {0}")]
    Com(#[from] ComError),
    /// DG2.
    #[error("DG2: {0}")]
    Dg2(#[from] Dg2Error),
    /// DG13.
    #[error("DG13: {0}")]
    Dg13(#[from] Dg13Error),
    /// A letter that the font of the card has not.
    #[error("the body of the card: the {field} has a letter that cannot be printed, U+{:04X}", u32::from(*letter))]
    Letter {
        /// What it stands in.
        field: &'static str,
        /// The letter.
        letter: char,
    },
    /// DG1.
    #[error("DG1: {0}")]
    Mrz(#[from] MrzError),
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use time::macros::date;

    use super::*;

    /// What the card of a person says in letters.
    fn said(person: &Person) -> (Vec<u8>, Vec<u8>) {
        let number = "003090000017".parse().unwrap();
        let bearer =
            Bearer { person: person.on_card(), number, features: "Nốt ruồi", issued: date!(2026 - 11 - 26) };
        let texts = texts(&bearer, &CardProfile::default(), &Reference::new(&[])).unwrap();
        (texts.dg1, texts.dg13)
    }

    #[test]
    fn what_a_card_says_is_what_the_register_compares() {
        let record: Value = serde_json::from_str(include_str!("../../tests/golden/person/married.3.json")).unwrap();
        let person: Person = serde_json::from_value(record.clone()).unwrap();
        let place = json!({"province": "001", "district": null, "commune": null, "detail": "Số 2 Phố Khác"});
        let relative = json!({"full_name": "Phạm Thị Khác", "nationality": "VNM", "old_id_number": null,
            "personal_number": null});
        // Another value for each field of the register, and whether a card says it.
        let fields = [
            ("full_name", json!("Trần Văn Khác"), true),
            ("birth_date", json!("06/01/1990"), true),
            ("sex", json!("F"), true),
            ("birth_registration", place.clone(), false),
            ("place_of_origin", place.clone(), true),
            ("ethnic_group", json!("02"), true),
            ("religion", Value::Null, true),
            ("nationality", json!("LAO"), false),
            ("marital_status", json!("widowed"), false),
            ("permanent_residence", place.clone(), true),
            ("temporary_residence", place.clone(), false),
            ("current_residence", place, false),
            ("blood_group", json!("O-"), false),
            ("father", relative.clone(), true),
            ("mother", relative.clone(), true),
            ("spouse", relative.clone(), true),
            ("representative", relative.clone(), false),
            ("head_of_household", relative, false),
            ("relation_to_head", json!("vợ"), false),
            ("died", Value::Null, false),
            ("missing_since", json!("01/11/2026"), false),
            ("old_id_number", json!("987654321"), true),
            ("household_book_number", json!("HK 2"), false),
        ];
        let known = match serde_json::to_value(&person).unwrap() {
            Value::Object(members) => members.keys().cloned().collect::<std::collections::BTreeSet<_>>(),
            other => panic!("{other}"),
        };
        let known: Vec<String> = known.into_iter().collect();
        let mut asked: Vec<&str> = fields.iter().map(|(field, ..)| *field).collect();
        asked.sort_unstable();
        assert_eq!(asked, known, "each field of the register is looked at here");
        for (field, value, on_card) in fields {
            let mut other = record.clone();
            other[field] = value;
            let other: Person = serde_json::from_value(other).unwrap();
            assert_ne!(serde_json::to_value(&other).unwrap()[field], serde_json::to_value(&person).unwrap()[field]);
            assert_eq!(said(&other) != said(&person), on_card, "{field} on the card");
            assert_eq!(other.on_card() != person.on_card(), on_card, "{field} in the register");
        }
        // Of a relative the name alone stands there.
        let mut other = record;
        other["father"]["old_id_number"] = Value::Null;
        let other: Person = serde_json::from_value(other).unwrap();
        assert!(said(&other) == said(&person) && other.on_card() == person.on_card());
    }
}
