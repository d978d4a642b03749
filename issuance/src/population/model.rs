//! A declaration as it was written on form DC01 (Circular 66/2015/TT-BCA, version of 104/2020), and the person that it
//! declares: the fields of Law 59/2014/QH13, Art. 9(1).

use std::fmt::{self, Write as _};

use crypto::identity::{Date, FullName, PersonalNumber, ProvinceCode, Sex, folded_name};
use crypto::lds::Dg13;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::reference::{Reference, Table};
use super::rules::{self, Rule};
use crate::ground::OfficeCode;
use crate::ground::ids::PersonId;
use crate::ground::text::{PrintedText, Words};

/// Form DC01 as it comes in: text, nothing checked yet.
#[derive(Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Declaration {
    /// 1 Surname, middle names and given name at birth, with diacritics.
    pub full_name: String,
    /// 2 `dd/MM/yyyy` or `yyyy-MM-dd`; `MM/yyyy` or `yyyy-MM` where the day is not known,
    /// `yyyy` where only the year is.
    pub birth_date: String,
    /// 3 `Nam`, `Nữ`, `M` or `F`.
    pub sex: String,
    /// 4 Where the birth was registered; its province begins the personal number.
    pub birth_registration: DeclaredPlace,
    /// 5 Place of origin (quê quán).
    pub place_of_origin: DeclaredPlace,
    /// 6 Ethnic group, two digits (`01` Kinh).
    pub ethnic_group: String,
    /// 7 Religion; empty for none.
    pub religion: String,
    /// 8 Nationality, three letters (Doc 9303-3); empty means the register's State.
    pub nationality: String,
    /// 9 `single`, `married`, `divorced`, `widowed`; empty if not declared.
    pub marital_status: String,
    /// 10 Permanent residence.
    pub permanent_residence: Option<DeclaredPlace>,
    /// 10 Temporary residence (tạm trú, Law on Residence 68/2020/QH14), if there is one.
    pub temporary_residence: Option<DeclaredPlace>,
    /// 11 Where the person lives now; the permanent residence if absent.
    pub current_residence: Option<DeclaredPlace>,
    /// 12 `A`, `B`, `AB`, `O`; only on request, with a test result.
    pub blood_group: String,
    /// 13 Father.
    pub father: Option<DeclaredRelative>,
    /// 13 Mother.
    pub mother: Option<DeclaredRelative>,
    /// 13 Wife or husband.
    pub spouse: Option<DeclaredRelative>,
    /// 13 Legal representative.
    pub representative: Option<DeclaredRelative>,
    /// 14 Head of the household.
    pub head_of_household: Option<DeclaredRelative>,
    /// 14 What the person is to the head (`con`, `chủ hộ`, …).
    pub relation_to_head: String,
    /// 15 Day of death.
    pub died: String,
    /// 15 Since when the person is missing, as a court declared; empty for everyone who is not.
    pub missing_since: String,
    /// Old identity card (CMND), nine digits.
    pub old_id_number: String,
    /// Household book.
    pub household_book_number: String,
}

/// A place in codes of the 2021 tables, and the rest in words.
#[derive(Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DeclaredPlace {
    /// Province, three digits.
    pub province: String,
    /// District, three digits.
    pub district: String,
    /// Commune, five digits.
    pub commune: String,
    /// Hamlet, street, house number.
    pub detail: String,
}

/// A relative of the person.
#[derive(Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DeclaredRelative {
    /// Full name.
    pub full_name: String,
    /// Personal number, if known.
    pub personal_number: String,
    /// Old identity card, if known.
    pub old_id_number: String,
    /// Nationality, three letters; empty means the register's State.
    pub nationality: String,
}

/// What a citizen tells or shows at the counter of an office that did not register the citizen: a number with date of
/// birth, and the name or what is printed on the card that the citizen holds.
///
/// Nothing in it is an identifier that this service answers or publishes (ids, fingerprints, serials of chips): those
/// prove what an officer has read, and not who stands at the counter.
#[derive(Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Claim {
    /// The number for life, twelve digits.
    #[schema(value_type = String)]
    pub personal_number: Words<20>,
    /// Date of birth, as in a declaration.
    #[schema(value_type = String)]
    pub birth_date: Words<20>,
    /// Full name at birth; may be left out where `card_issued` is given.
    #[schema(value_type = String)]
    pub full_name: Words<200>,
    /// The card with a chip that is shown, instead of the name: its printed day of issue, as a date of birth is
    /// written. All else on a card of this series follows from the number and the date of birth. A card that was
    /// reported lost, replaced or not yet handed over proves nothing.
    #[schema(value_type = String)]
    pub card_issued: Words<20>,
    /// The old card without a chip that is shown, in place of the number for life: its nine digits.
    #[schema(value_type = String)]
    pub old_card: Words<64>,
}

/// Shows nothing: a claim is personal data.
impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Claim(…)")
    }
}

impl Claim {
    /// True if the date of birth, the number for life or that of the old card, and the name or the day of issue of a
    /// card in the citizen's hand are those of the register; all that is claimed must be right, and a part that cannot
    /// be read is a wrong one. `in_hand` are the days of issue of the cards that count.
    pub(super) fn tells_of(&self, registered: &Registered, in_hand: &[time::Date]) -> bool {
        let (number, old) = (self.personal_number.as_str(), self.old_card.as_str());
        let same = |claimed: &str, known: Option<&str>| !claimed.is_empty() && known == Some(claimed);
        let number_right = same(number, registered.personal_number.as_ref().map(PersonalNumber::as_str));
        // Nine digits only: a later number of twelve is no card of before.
        let known = registered.person.old_id_number.as_deref().filter(|known| known.len() == 9);
        let old_right = same(old, known);
        let numbers = (number_right || number.is_empty()) && (old_right || old.is_empty());
        let birth = self.birth_date.as_str().parse() == Ok(registered.person.birth);
        let lower = |name: &FullName| name.as_str().to_lowercase();
        let name: Option<FullName> = self.full_name.as_str().parse().ok();
        let name_right = name.is_some_and(|name| lower(&name) == lower(&registered.person.full_name));
        let issued = self.card_issued.as_str().parse().ok().and_then(Date::full);
        let card_right = issued.is_some_and(|issued| in_hand.contains(&issued));
        let holder = (name_right || self.full_name.as_str().is_empty())
            && (card_right || self.card_issued.as_str().is_empty())
            && (name_right || card_right);
        (number_right || old_right) && numbers && birth && holder
    }
}

/// Something in a declaration that the registrar should look at.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Finding {
    /// Which field, in the words of the declaration (`father.personal_number`); empty for the whole of it.
    pub field: String,
    /// Stable name of what is wrong (`commune-elsewhere`).
    pub code: String,
    /// The same for people. Says nothing personal.
    pub message: String,
    /// The rule that found it (`R-28`); empty in findings of before there were rules.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rule: String,
    /// The shape of the value, never the value: `9d` nine digits, `A5 A3` words by their length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub shape: Option<String>,
    /// How it may be mended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub repair: Option<Repair>,
}

/// How a finding may be mended.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Repair {
    /// In words.
    pub says: String,
    /// The field that is to hold another value, and the value, where one is likely.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub put: Option<Put>,
}

/// A value for a field.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Put {
    /// The field.
    pub field: String,
    /// What it is likely to hold.
    pub value: String,
}

/// Shows the field only.
impl fmt::Debug for Put {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Put({})", self.field)
    }
}

impl Finding {
    /// What a rule found in a field.
    #[must_use]
    pub fn new(rule: Rule, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            code: rule.code.to_owned(),
            message: message.into(),
            rule: rule.id.to_owned(),
            shape: None,
            repair: None,
        }
    }

    /// With the shape of the value.
    #[must_use]
    pub fn shaped(self, value: &str) -> Self {
        Self { shape: Some(rules::shape(value)).filter(|shape| !shape.is_empty()), ..self }
    }

    /// With what may mend it.
    #[must_use]
    pub fn mended(self, says: &str, put: Option<(&str, String)>) -> Self {
        let put = put.map(|(field, value)| Put { field: field.to_owned(), value });
        Self { repair: Some(Repair { says: says.to_owned(), put }), ..self }
    }

    /// The number for life keeps the province of the birth registration that it was established with.
    pub(super) fn number_keeps_province() -> Self {
        Self::new(
            rules::NUMBER_KEEPS_PROVINCE,
            "birth_registration.province",
            "the number for life stays as it is and begins with another province: it is established anew for another \
             sex or year of birth only (Decree 137/2015/NĐ-CP, Art. 15 as amended by Decree 37/2021/NĐ-CP)",
        )
    }

    /// A row has the number of another person, or one that is given no more.
    pub(super) fn number_taken() -> Self {
        let says = "the number is another person's, or is given no more";
        Self::new(rules::NUMBER_TAKEN, "personal_number", says).mended("compare the papers of both", None)
    }

    /// A row says the same as the declaration of a person of the register.
    pub(super) fn declared_already() -> Self {
        let says = "the same declaration, field by field, is in the register";
        let mends = "leave it out, or add what tells the two persons apart";
        Self::new(rules::DECLARED_ALREADY, "", says).mended(mends, None)
    }

    /// The number of an old card is another person's too.
    pub(super) fn old_number_shared() -> Self {
        let says = "another person of the register has this number";
        Self::new(rules::OLD_NUMBER_SHARED, "old_id_number", says)
    }

    /// A person of the same name, birth date and sex, or one who is much alike, is in the register.
    pub(super) fn perhaps_declared_before() -> Self {
        Self::new(
            rules::PERHAPS_DECLARED_BEFORE,
            "full_name",
            "a person who is probably the same one is in the register: compare parents and papers before \
             establishing a number",
        )
    }
}

/// A person of the register, as declared and checked.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
pub struct Person {
    /// 1 Name at birth.
    pub full_name: FullName,
    /// 2 Date of birth, perhaps without the day, or only the year.
    #[serde(rename = "birth_date", alias = "birth")]
    pub birth: Date,
    /// 3 Sex.
    pub sex: Sex,
    /// 4 Where the birth was registered.
    pub birth_registration: Place,
    /// 5 Place of origin.
    pub place_of_origin: Place,
    /// 6 Ethnic group, two digits.
    pub ethnic_group: String,
    /// 7 Religion.
    pub religion: Option<CardText>,
    /// 8 Nationality, three letters.
    pub nationality: String,
    /// 9 Marital status.
    pub marital_status: Option<MaritalStatus>,
    /// 10 Permanent residence.
    pub permanent_residence: Option<Place>,
    /// 10 Temporary residence.
    #[serde(default)]
    pub temporary_residence: Option<Place>,
    /// 11 Where the person lives, if elsewhere.
    pub current_residence: Option<Place>,
    /// 12 Blood group.
    pub blood_group: Option<String>,
    /// 13 Father.
    pub father: Option<Relative>,
    /// 13 Mother.
    pub mother: Option<Relative>,
    /// 13 Wife or husband.
    pub spouse: Option<Relative>,
    /// 13 Legal representative.
    pub representative: Option<Relative>,
    /// 14 Head of the household.
    pub head_of_household: Option<Relative>,
    /// 14 Relation to the head.
    pub relation_to_head: Option<String>,
    /// 15 Death.
    pub died: Option<Date>,
    /// 15 Since when missing, as a court declared.
    #[serde(default)]
    pub missing_since: Option<Date>,
    /// Old identity card, nine digits.
    pub old_id_number: Option<String>,
    /// Household book.
    pub household_book_number: Option<String>,
}

impl Person {
    /// Returns what two declarations of one person have in common: folded name, birth date, sex.
    pub(super) fn likeness(&self) -> String {
        self.likeness_of(&folded_name(self.full_name.as_str()))
    }

    /// As [`likeness`](Self::likeness), where the folded name is known.
    pub(super) fn likeness_of(&self, fold: &str) -> String {
        let mut likeness = String::with_capacity(fold.len() + 14);
        likeness.push_str(fold);
        write!(likeness, "|{}|{}", self.birth, self.sex).expect("a text grows");
        likeness
    }

    /// Returns the household that the person belongs to: the commune of the permanent residence and the number of the
    /// household book; `None` if either is not declared.
    pub(super) fn household(&self) -> Option<String> {
        let commune = self.permanent_residence.as_ref()?.commune.as_deref()?;
        let book = self.household_book_number.as_deref()?.to_uppercase();
        Some([commune, "/", &book].concat())
    }

    /// Returns what of the person stands on a card.
    #[must_use]
    pub fn on_card(&self) -> OnCard<'_> {
        let name = |relative: &Option<Relative>| relative.as_ref().map(|relative| relative.full_name.clone());
        OnCard {
            full_name: &self.full_name,
            birth: self.birth,
            sex: self.sex,
            place_of_origin: &self.place_of_origin,
            ethnic_group: &self.ethnic_group,
            religion: self.religion.as_ref().map_or(NO_RELIGION, CardText::as_str),
            permanent_residence: self.permanent_residence.as_ref(),
            father: name(&self.father),
            mother: name(&self.mother),
            spouse: name(&self.spouse),
            // A later number of twelve digits is no card of before.
            old_card: self.old_id_number.as_deref().filter(|number| number.len() == 9),
        }
    }

    /// True if the person heads the household.
    pub(super) fn heads_household(&self) -> bool {
        self.relation_to_head.as_deref().is_some_and(|relation| folded_name(relation) == "chu ho")
    }
}

/// What of a person stands on a card in letters. Cards are composed of this and of nothing else that the register holds
/// of a person, so that what a change of the register makes wrong on a card is found by comparing two of these.
#[derive(Clone, Eq, PartialEq)]
pub struct OnCard<'a> {
    /// Name at birth.
    pub full_name: &'a FullName,
    /// Date of birth.
    pub birth: Date,
    /// Sex.
    pub sex: Sex,
    /// Place of origin.
    pub place_of_origin: &'a Place,
    /// Ethnic group, two digits.
    pub ethnic_group: &'a str,
    /// Religion, in words.
    pub religion: &'a str,
    /// Permanent residence.
    pub permanent_residence: Option<&'a Place>,
    /// Name of the father.
    pub father: Option<FullName>,
    /// Name of the mother.
    pub mother: Option<FullName>,
    /// Name of wife or husband.
    pub spouse: Option<FullName>,
    /// Number of the old card without a chip, nine digits.
    pub old_card: Option<&'a str>,
}

/// Shows nothing: a person is personal data.
impl fmt::Debug for OnCard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnCard(…)")
    }
}

/// What a card says of a person of whom no religion is declared.
const NO_RELIGION: &str = "Không";

/// Shows nothing: a person is personal data.
impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Person(…)")
    }
}

/// A place: a province that exists, and below it what was declared (with a [`Finding`] where the tables disagree).
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
pub struct Place {
    /// Province.
    pub province: ProvinceCode,
    /// District, three digits.
    pub district: Option<String>,
    /// Commune, five digits.
    pub commune: Option<String>,
    /// The rest in words.
    pub detail: Option<CardText>,
}

/// Text of one field of DG13: the register lets nothing longer in.
pub type CardText = PrintedText<{ Dg13::MAX_TEXT }>;

impl Place {
    /// The address in words on a day, smallest unit first, as it is printed on the card and written in DG13. A unit
    /// that ended before keeps its name: the place was declared so.
    pub fn in_words(&self, reference: &Reference, on: time::Date) -> String {
        self.words(reference, on).collect::<Vec<_>>().join(BETWEEN)
    }

    /// Returns how many bytes [`in_words`](Self::in_words) has.
    pub(super) fn length_in_words(&self, reference: &Reference, on: time::Date) -> usize {
        let (length, parts) =
            self.words(reference, on).fold((0, 0), |(length, parts), part| (length + part.len(), parts + 1));
        length + BETWEEN.len() * usize::saturating_sub(parts, 1)
    }

    fn words<'a>(&'a self, reference: &'a Reference, on: time::Date) -> impl Iterator<Item = &'a str> {
        let district = self.district.as_deref().and_then(|code| reference.district(code, on));
        let commune = self.commune.as_deref().and_then(|code| reference.commune(code, on));
        let parts = [
            self.detail.as_ref().map(CardText::as_str),
            commune.map(|unit| unit.name),
            district.map(|unit| unit.name),
            reference.province(self.province, on),
        ];
        parts.into_iter().flatten().filter(|part| !part.is_empty())
    }

    /// Returns the units of the place that ended before this day: table, code, the day and what took its place.
    pub fn ended<'a>(
        &'a self,
        reference: &'a Reference,
        on: time::Date,
    ) -> impl Iterator<Item = (Table, String, time::Date, &'a str)> {
        let codes = [
            (Table::Provinces, Some(self.province.to_string())),
            (Table::Districts, self.district.clone()),
            (Table::Communes, self.commune.clone()),
        ];
        codes.into_iter().filter_map(move |(table, code)| {
            let code = code?;
            let (day, successor) = reference.unit(table, &code, on)?.ended?;
            Some((table, code, day, successor))
        })
    }
}

/// Between the parts of an address.
const BETWEEN: &str = ", ";

/// A relative of the person.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
pub struct Relative {
    /// Full name.
    pub full_name: FullName,
    /// Personal number.
    pub personal_number: Option<PersonalNumber>,
    /// Old identity card.
    pub old_id_number: Option<String>,
    /// Nationality, three letters.
    pub nationality: String,
}

/// Marital status (tình trạng hôn nhân).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MaritalStatus {
    /// Never married.
    Single,
    /// Married.
    Married,
    /// Divorced.
    Divorced,
    /// Widowed.
    Widowed,
}

impl MaritalStatus {
    /// The word, as declared, stored and answered.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Married => "married",
            Self::Divorced => "divorced",
            Self::Widowed => "widowed",
        }
    }
}

/// A person as the register keeps one: with an identity of its own before there is a number.
#[derive(Clone, Debug)]
pub struct Registered {
    /// Made by the register, not shown on any card.
    pub id: PersonId,
    /// The office whose officer declared the person.
    pub office: OfficeCode,
    /// The person.
    pub person: Person,
    /// What was wrong with the declaration.
    pub findings: Vec<Finding>,
    /// The number for life, once established.
    pub personal_number: Option<PersonalNumber>,
    /// The record into which this one is merged; told only where the person was asked for by id.
    pub merged_into: Option<PersonId>,
}
