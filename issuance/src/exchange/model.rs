//! What a partner may ask: services, fields, grants and agreements; pure.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use time::{Duration, OffsetDateTime, Time, Weekday};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::ground::Decision;
use crate::ground::ids::{AgreementId, PartnerId};

macro_rules! listed {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
        pub enum $name { $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)* }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word, as stored and answered.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let words = Self::ALL.iter().map(|one| one.word());
                ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).into()
            }
        }

        impl ToSchema for $name {}

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.word()) }
        }

        impl FromStr for $name {
            type Err = Unlisted;

            fn from_str(text: &str) -> Result<Self, Unlisted> {
                Self::ALL.iter().copied().find(|known| known.word() == text).ok_or(Unlisted)
            }
        }
    };
}

/// A word that stands on no list of services or fields.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("unknown word")]
pub struct Unlisted;

listed! {
    /// A published question.
    Service {
        /// Whether the person has a card that counts.
        CardStatus = "card-status",
        /// Whether particulars belong together.
        Confirm = "confirm",
        /// As `confirm`, of a list.
        ConfirmList = "confirm-list",
        /// What changes of the person from now on.
        Follow = "follow",
        /// The persons of a household.
        Household = "household",
        /// Parents, spouse and legal representative.
        Kinship = "kinship",
        /// The record of a person.
        LookUp = "look-up",
        /// A birth is reported: the child has its number at once.
        Birth = "birth",
        /// A death is reported.
        Death = "death",
        /// What civil status changed of a person is reported.
        Change = "change",
        /// How many persons there are, and of no person anything.
        Statistics = "statistics",
    }
}

listed! {
    /// What persons are counted by in statistics.
    Dimension {
        /// Age in groups of five years, on the day of the state: `0-4` to `80-84`, `85+`.
        AgeGroup = "age_group",
        /// District of the permanent residence, with its province.
        District = "district",
        /// Ethnic group.
        EthnicGroup = "ethnic_group",
        /// Whether the person lives: `living`, `dead` or `missing`. Only the living are counted where it is not named.
        Life = "life",
        /// Marital status.
        MaritalStatus = "marital_status",
        /// Nationality.
        Nationality = "nationality",
        /// Province of the permanent residence.
        Province = "province",
        /// Sex.
        Sex = "sex",
    }
}

listed! {
    /// A field that an answer may hold.
    Field {
        /// Date of birth, perhaps without the day, or only the year.
        BirthDate = "birth_date",
        /// Where the birth was registered.
        BirthRegistration = "birth_registration",
        /// Blood group.
        BloodGroup = "blood_group",
        /// Day of expiry of the card that counts.
        CardExpires = "card_expires",
        /// Day of issue of the card that counts.
        CardIssued = "card_issued",
        /// Whether the person has a card that counts: `valid`, `suspended` or `none`.
        CardStatus = "card_status",
        /// Where the person lives now.
        CurrentResidence = "current_residence",
        /// Ethnic group.
        EthnicGroup = "ethnic_group",
        /// Father.
        Father = "father",
        /// Name at birth.
        FullName = "full_name",
        /// Head of the household.
        HeadOfHousehold = "head_of_household",
        /// Household book.
        HouseholdBookNumber = "household_book_number",
        /// Whether the person lives: `living`, `dead` or `missing`, with the day.
        Life = "life",
        /// Marital status.
        MaritalStatus = "marital_status",
        /// Mother.
        Mother = "mother",
        /// Nationality.
        Nationality = "nationality",
        /// Old identity card, nine digits.
        OldIdNumber = "old_id_number",
        /// Permanent residence.
        PermanentResidence = "permanent_residence",
        /// The number for life: a right of its own.
        PersonalNumber = "personal_number",
        /// Place of origin.
        PlaceOfOrigin = "place_of_origin",
        /// What the person is to the head of the household.
        RelationToHead = "relation_to_head",
        /// Religion.
        Religion = "religion",
        /// Legal representative.
        Representative = "representative",
        /// Sex.
        Sex = "sex",
        /// Wife or husband.
        Spouse = "spouse",
        /// Temporary residence.
        TemporaryResidence = "temporary_residence",
    }
}

impl Service {
    /// The fields that an agreement about this service may name: what may be told; for a confirmation what may be put
    /// to the test, for a report what it may be about.
    #[must_use]
    pub fn fields(self) -> &'static [Field] {
        use Field as F;
        match self {
            Self::CardStatus => &[F::CardExpires, F::CardIssued, F::CardStatus],
            Self::Confirm | Self::ConfirmList => {
                &[F::BirthDate, F::EthnicGroup, F::FullName, F::Nationality, F::OldIdNumber, F::PersonalNumber, F::Sex]
            }
            Self::Follow | Self::Household | Self::LookUp => Field::ALL,
            Self::Birth => &[F::PersonalNumber],
            Self::Death => &[F::Life],
            // It counts by dimensions, and tells no field of a person.
            Self::Statistics => &[],
            Self::Change => &[
                F::BirthDate,
                F::BirthRegistration,
                F::EthnicGroup,
                F::Father,
                F::FullName,
                F::MaritalStatus,
                F::Mother,
                F::Nationality,
                F::PlaceOfOrigin,
                F::Representative,
                F::Sex,
                F::Spouse,
            ],
            Self::Kinship => &[
                F::BirthDate,
                F::Father,
                F::FullName,
                F::Life,
                F::Mother,
                F::Nationality,
                F::OldIdNumber,
                F::PermanentResidence,
                F::PersonalNumber,
                F::Representative,
                F::Sex,
                F::Spouse,
            ],
        }
    }
}

/// Hours in which a grant may be used, in the State's civil time.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// From this hour on, 0 to 23.
    pub from: u8,
    /// Before this hour, 1 to 24.
    pub to: u8,
    /// Days of the week, Monday 1 to Sunday 7.
    pub days: BTreeSet<u8>,
}

impl Hours {
    /// True if a moment lies in them.
    #[must_use]
    pub fn hold(&self, day: Weekday, time: Time) -> bool {
        self.days.contains(&day.number_from_monday()) && (self.from..self.to).contains(&time.hour())
    }
}

/// One thing that an agreement allows: a service for a purpose.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Code of the purpose.
    pub purpose: String,
    /// The service.
    pub service: Service,
    /// What the answer may hold; for a confirmation, what may be put to the test. None for `statistics`.
    #[serde(default)]
    pub fields: BTreeSet<Field>,
    /// Of `statistics`: what may be counted by.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub dimensions: BTreeSet<Dimension>,
    /// Of `statistics`: a count below this number is not told. None, or one below that of the settings: that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub small_cell: Option<u32>,
    /// Provinces, three digits each, whose residents may be asked about, or where a birth that is reported is
    /// registered; none: all of the country.
    #[serde(default)]
    pub provinces: BTreeSet<String>,
    /// So many persons a day; of `statistics`, so many questions.
    pub per_day: u32,
    /// The hours; none: always.
    #[serde(default)]
    pub hours: Option<Hours>,
    /// A confirmation says which field differs.
    #[serde(default)]
    pub tells_which: bool,
    /// A person is named by the number for life alone, without full name and date of birth: only where the law gives
    /// the partner the number to work with.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub number_alone: bool,
    /// A partner that follows is told of each birth that is registered, under its own name for the child: only where
    /// the law has it told of children whom it did not ask about.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub births: bool,
    /// Codes of the administrative procedures (MaDVC, Decision 362/QĐ-VPCP of 2019) that have this purpose: what a
    /// message of the national population database names in its place. Without any, such a message is answered where
    /// the service is granted for one purpose alone.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub procedures: BTreeSet<String>,
}

/// Most grants of an agreement.
const MOST_GRANTS: usize = 100;
/// Longest term of an agreement.
const LONGEST: Duration = Duration::days(366 * 5);

impl Grant {
    fn check(&self) -> Result<(), String> {
        if let Some(field) = self.fields.iter().find(|field| !self.service.fields().contains(field)) {
            return Err(format!("{}: the service has no field {field}", self.service));
        }
        self.check_statistics()?;
        let confirms = matches!(self.service, Service::Confirm | Service::ConfirmList);
        if confirms && ![Field::FullName, Field::BirthDate].iter().all(|field| self.fields.contains(field)) {
            return Err("confirmations: full_name and birth_date are always put to the test".to_owned());
        }
        let kin = [Field::Father, Field::Mother, Field::Spouse, Field::Representative];
        if self.service == Service::Kinship && !kin.iter().any(|field| self.fields.contains(field)) {
            return Err("kinship: no relative is named".to_owned());
        }
        let province = |code: &&String| code.len() != 3 || !code.bytes().all(|b| b.is_ascii_digit());
        if let Some(code) = self.provinces.iter().find(province) {
            return Err(format!("{}: `{code}` is no code of a province", self.service));
        }
        if self.per_day == 0 {
            return Err(format!("{}: per_day is 0", self.service));
        }
        if self.tells_which && !confirms {
            return Err(format!("{}: tells_which is for confirmations", self.service));
        }
        if self.number_alone && !matches!(self.service, Service::CardStatus | Service::LookUp) {
            return Err(format!("{}: number_alone is for look-up and card-status", self.service));
        }
        if self.births && self.service != Service::Follow {
            return Err(format!("{}: births is for follow", self.service));
        }
        if let Some(why) = self.procedures.iter().find_map(|code| unfit_procedure(code)) {
            return Err(format!("{}: procedures: {why}", self.service));
        }
        match &self.hours {
            Some(hours) if hours.from >= hours.to || hours.to > 24 => Err("hours: from lies before to".to_owned()),
            Some(hours) if hours.days.is_empty() || hours.days.iter().any(|day| !(1..=7).contains(day)) => {
                Err("hours: days are 1 to 7".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// Refuses dimensions that mean nothing, and a service that names nothing of what it tells.
    fn check_statistics(&self) -> Result<(), String> {
        let unfit = |why: &str| Err(format!("{}: {why}", self.service));
        if self.service != Service::Statistics {
            return match (self.fields.is_empty(), self.dimensions.is_empty() && self.small_cell.is_none()) {
                (true, _) => unfit("no field is named"),
                (_, false) => unfit("dimensions and small_cell are for statistics"),
                (false, true) => Ok(()),
            };
        }
        let counts_by_place = [Dimension::Province, Dimension::District].iter().any(|by| self.dimensions.contains(by));
        match self.provinces.is_empty() || counts_by_place {
            _ if self.dimensions.is_empty() => unfit("no dimension is named"),
            _ if !self.procedures.is_empty() => unfit("no message names a procedure for it"),
            false => unfit("where provinces are named it counts by province or district"),
            true => Ok(()),
        }
    }

    /// True if a person who lives in this province may be asked about.
    #[must_use]
    pub fn reaches(&self, province: Option<&str>) -> bool {
        self.provinces.is_empty() || province.is_some_and(|province| self.provinces.contains(province))
    }
}

/// Returns why this is no code of a procedure.
fn unfit_procedure(code: &str) -> Option<&'static str> {
    let fits = (1..=40).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_graphic());
    (!fits).then_some("a code has 1 to 40 ASCII characters and no space")
}

/// What a partner may ask, as two officers signed it. Once signed it is never changed: another one takes its place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Agreement {
    /// Identifier.
    pub id: AgreementId,
    /// The partner that may ask.
    pub partner: PartnerId,
    /// Number, as both sides call it.
    pub number: String,
    /// Legal basis: text and article.
    pub basis: String,
    /// From this moment on …
    pub valid_from: OffsetDateTime,
    /// … until before this one.
    pub valid_to: OffsetDateTime,
    /// Answers are kept for so many days.
    pub kept_days: u32,
    /// What it allows.
    pub grants: Vec<Grant>,
    /// Who drafted it.
    pub drafted: Decision,
    /// The officer who signed for the authority of the register.
    pub signed: Option<Decision>,
    /// The data protection officer who signed.
    pub protected: Option<Decision>,
    /// Who ended it.
    pub ended: Option<Decision>,
    /// Why it ended.
    pub end_reason: Option<String>,
}

/// How far an agreement is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AgreementState {
    /// Signatures are missing.
    Drafted,
    /// It was ended before its time.
    Ended,
    /// It is in force.
    InForce,
    /// Its time is over.
    Over,
    /// It is signed, and its time comes.
    Signed,
}

/// What is to be done about an agreement: how far it is, and whether it ends soon.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// Neither signature is there.
    Drafted,
    /// It is in force, and ends within [`ENDS_SOON`].
    Ending,
    /// One signature is there.
    HalfSigned,
    /// It is in force.
    InForce,
    /// It was ended, or its time is over.
    Over,
    /// It is signed, and its time comes.
    Signed,
}

/// An end is told of so long before.
pub const ENDS_SOON: Duration = Duration::days(30);

impl Standing {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Drafted, Self::Ending, Self::HalfSigned, Self::InForce, Self::Over, Self::Signed];

    /// The word in statements and in addresses.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Drafted => "drafted",
            Self::Ending => "ending",
            Self::HalfSigned => "half-signed",
            Self::InForce => "in-force",
            Self::Over => "over",
            Self::Signed => "signed",
        }
    }
}

impl Agreement {
    /// Returns what is to be done about it at a moment.
    #[must_use]
    pub fn standing(&self, now: OffsetDateTime) -> Standing {
        let signatures = u8::from(self.signed.is_some()) + u8::from(self.protected.is_some());
        match signatures {
            _ if self.ended.is_some() || self.valid_to <= now => Standing::Over,
            0 => Standing::Drafted,
            1 => Standing::HalfSigned,
            _ if now < self.valid_from => Standing::Signed,
            _ if self.valid_to <= now + ENDS_SOON => Standing::Ending,
            _ => Standing::InForce,
        }
    }

    /// Returns how far it is at a moment.
    #[must_use]
    pub fn state(&self, now: OffsetDateTime) -> AgreementState {
        match (&self.ended, self.signed.is_some() && self.protected.is_some()) {
            (Some(_), _) => AgreementState::Ended,
            (None, false) => AgreementState::Drafted,
            (None, true) if now < self.valid_from => AgreementState::Signed,
            (None, true) if now < self.valid_to => AgreementState::InForce,
            (None, true) => AgreementState::Over,
        }
    }

    /// Refuses terms that mean nothing.
    ///
    /// # Errors
    /// [`AgreementUnfit`], which says what is wrong.
    pub fn check(&self) -> Result<(), AgreementUnfit> {
        let unfit = |why: String| Err(AgreementUnfit(why));
        if self.valid_from >= self.valid_to || self.valid_to - self.valid_from > LONGEST {
            return unfit("valid_from lies before valid_to, and at most five years before".to_owned());
        }
        if !(1..=3660).contains(&self.kept_days) {
            return unfit("kept_days is 1 to 3660".to_owned());
        }
        if self.grants.is_empty() || self.grants.len() > MOST_GRANTS {
            return unfit(format!("an agreement has 1 to {MOST_GRANTS} grants"));
        }
        let (mut pairs, mut procedures) = (BTreeSet::new(), BTreeSet::new());
        for grant in &self.grants {
            grant.check().map_err(AgreementUnfit)?;
            if !pairs.insert((&grant.purpose, grant.service)) {
                return unfit(format!("{} for {} stands twice", grant.service, grant.purpose));
            }
            for code in &grant.procedures {
                if !procedures.insert((code, grant.service)) {
                    return unfit(format!("{}: the procedure {code} stands for two purposes", grant.service));
                }
            }
        }
        Ok(())
    }

    /// Returns what allows a service for a purpose, with its place among the grants.
    #[must_use]
    pub fn grant(&self, service: Service, purpose: &str) -> Option<(usize, &Grant)> {
        self.grants.iter().enumerate().find(|(_, grant)| grant.service == service && grant.purpose == purpose)
    }
}

/// Terms of an agreement that mean nothing.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("{0}")]
pub struct AgreementUnfit(pub String);

/// What is asked for: coded, with the article of the law that allows it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Purpose {
    /// Code: letters, digits and hyphens.
    pub code: String,
    /// In Vietnamese.
    pub name_vi: String,
    /// In English.
    pub name_en: String,
    /// The law's article.
    pub law: String,
    /// The term of the Data Privacy Vocabulary (DPV 2.3) that it is nearest to.
    pub dpv: Option<String>,
    /// Who proposed it.
    pub drafted: Decision,
    /// Who confirmed it.
    pub confirmed: Option<Decision>,
    /// Who ended it.
    pub ended: Option<Decision>,
    /// Why it ended.
    pub end_reason: Option<String>,
}

impl Purpose {
    /// True while agreements may be drafted and signed for it.
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.confirmed.is_some() && self.ended.is_none()
    }
}

/// Code of a purpose: 2 to 40 lower-case letters, digits and hyphens.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(try_from = "String")]
pub struct PurposeCode(String);

impl PurposeCode {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for PurposeCode {
    type Error = Unlisted;

    fn try_from(text: String) -> Result<Self, Unlisted> {
        let sign = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if (2..=40).contains(&text.len()) && text.bytes().all(sign) { Ok(Self(text)) } else { Err(Unlisted) }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::ground::Id;

    fn grant(service: Service, fields: &[Field]) -> Grant {
        Grant {
            purpose: "tax-number".to_owned(),
            service,
            fields: fields.iter().copied().collect(),
            dimensions: BTreeSet::new(),
            small_cell: None,
            provinces: BTreeSet::new(),
            per_day: 10,
            hours: None,
            tells_which: false,
            number_alone: false,
            births: false,
            procedures: BTreeSet::new(),
        }
    }

    fn agreement(grants: Vec<Grant>) -> Agreement {
        Agreement {
            id: Id::nil(),
            partner: Id::nil(),
            number: "TT-1".to_owned(),
            basis: "Decree 47/2020/NĐ-CP, Art. 5".to_owned(),
            valid_from: datetime!(2026-01-01 00:00 UTC),
            valid_to: datetime!(2027-01-01 00:00 UTC),
            kept_days: 30,
            grants,
            drafted: Decision { by: Id::nil(), at: datetime!(2026-01-01 00:00 UTC) },
            signed: None,
            protected: None,
            ended: None,
            end_reason: None,
        }
    }

    #[test]
    fn terms_that_mean_nothing_are_refused_with_what_is_wrong() {
        let confirm = || grant(Service::Confirm, &[Field::FullName, Field::BirthDate]);
        assert_eq!(agreement(vec![confirm()]).check(), Ok(()));
        let refused = |grants: Vec<Grant>, why: &str| {
            let said = agreement(grants).check().unwrap_err().0;
            assert!(said.contains(why), "{said}");
        };
        refused(vec![], "1 to 100 grants");
        refused(vec![confirm(), confirm()], "stands twice");
        refused(vec![grant(Service::Confirm, &[Field::FullName])], "always put to the test");
        refused(vec![grant(Service::CardStatus, &[Field::FullName])], "no field full_name");
        refused(vec![grant(Service::LookUp, &[])], "no field is named");
        refused(vec![grant(Service::Kinship, &[Field::FullName])], "no relative");
        refused(vec![Grant { provinces: ["1".to_owned()].into(), ..confirm() }], "no code of a province");
        refused(vec![Grant { per_day: 0, ..confirm() }], "per_day");
        refused(vec![Grant { tells_which: true, ..grant(Service::LookUp, &[Field::Sex]) }], "for confirmations");
        refused(vec![Grant { number_alone: true, ..confirm() }], "for look-up and card-status");
        refused(vec![Grant { births: true, ..confirm() }], "births is for follow");
        let of = |codes: &[&str]| codes.iter().map(|code| (*code).to_owned()).collect::<BTreeSet<_>>();
        refused(vec![Grant { procedures: of(&["1.000 656"]), ..confirm() }], "no space");
        refused(vec![Grant { procedures: of(&[""]), ..confirm() }], "1 to 40");
        let other = Grant { purpose: "other".to_owned(), procedures: of(&["1.000656"]), ..confirm() };
        refused(vec![Grant { procedures: of(&["1.000656"]), ..confirm() }, other], "stands for two purposes");
        let counts =
            |by: &[Dimension]| Grant { dimensions: by.iter().copied().collect(), ..grant(Service::Statistics, &[]) };
        assert_eq!(agreement(vec![counts(&[Dimension::Sex])]).check(), Ok(()));
        refused(vec![counts(&[])], "no dimension is named");
        refused(vec![Grant { fields: [Field::Sex].into(), ..counts(&[Dimension::Sex]) }], "no field sex");
        refused(vec![Grant { dimensions: [Dimension::Sex].into(), ..confirm() }], "are for statistics");
        refused(vec![Grant { small_cell: Some(20), ..confirm() }], "are for statistics");
        refused(vec![Grant { provinces: of(&["001"]), ..counts(&[Dimension::Sex]) }], "by province or district");
        refused(vec![Grant { procedures: of(&["1.000656"]), ..counts(&[Dimension::Sex]) }], "names a procedure");
        let hours = |from, to, days: &[u8]| Some(Hours { from, to, days: days.iter().copied().collect() });
        refused(vec![Grant { hours: hours(8, 8, &[1]), ..confirm() }], "from lies before to");
        refused(vec![Grant { hours: hours(8, 25, &[1]), ..confirm() }], "from lies before to");
        refused(vec![Grant { hours: hours(8, 17, &[0]), ..confirm() }], "1 to 7");
        let mut turned = agreement(vec![confirm()]);
        turned.valid_to = turned.valid_from;
        assert!(turned.check().is_err());
    }

    #[test]
    fn an_agreement_is_in_force_from_its_first_moment_to_before_its_last_and_with_both_signatures() {
        let by = Decision { by: Id::nil(), at: datetime!(2026-01-01 00:00 UTC) };
        let mut one = agreement(vec![grant(Service::LookUp, &[Field::Sex])]);
        let noon = datetime!(2026-06-01 12:00 UTC);
        assert_eq!(one.state(noon), AgreementState::Drafted);
        one.signed = Some(by.clone());
        assert_eq!(one.state(noon), AgreementState::Drafted);
        one.protected = Some(by.clone());
        assert_eq!(one.state(noon), AgreementState::InForce);
        assert_eq!(one.state(one.valid_from - Duration::microseconds(1)), AgreementState::Signed);
        assert_eq!(one.state(one.valid_from), AgreementState::InForce);
        assert_eq!(one.state(one.valid_to - Duration::microseconds(1)), AgreementState::InForce);
        assert_eq!(one.state(one.valid_to), AgreementState::Over);
        one.ended = Some(by);
        assert_eq!(one.state(noon), AgreementState::Ended);
    }

    #[test]
    fn hours_hold_from_the_first_to_before_the_last() {
        let hours = Hours { from: 7, to: 17, days: [1, 5].into() };
        let at = |hour, minute| Time::from_hms(hour, minute, 0).unwrap();
        assert!(hours.hold(Weekday::Monday, at(7, 0)) && hours.hold(Weekday::Friday, at(16, 59)));
        assert!(!hours.hold(Weekday::Monday, at(6, 59)) && !hours.hold(Weekday::Monday, at(17, 0)));
        assert!(!hours.hold(Weekday::Tuesday, at(8, 0)));
    }

    #[test]
    fn words_of_services_and_fields_read_back() {
        assert!(Field::ALL.iter().all(|field| field.word().parse() == Ok(*field)));
        assert!(Service::ALL.iter().all(|service| service.word().parse() == Ok(*service)));
        assert!(Dimension::ALL.iter().all(|dimension| dimension.word().parse() == Ok(*dimension)));
        assert!(Field::ALL.windows(2).all(|pair| pair[0].word() < pair[1].word()), "sorted by word");
        assert!("portrait".parse::<Field>().is_err());
    }
}
