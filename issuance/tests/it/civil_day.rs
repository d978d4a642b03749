//! A day is the civil day of the issuing State: between 0 and 7 o'clock in Viet Nam it is still yesterday in UTC.

use crypto::identity::civil_time::VIET_NAM;
use crypto::lds::{DataGroup, Dg1, Dg13, File};
use issuance::applications::model::{ApplicationError, Kind, Stage};
use issuance::applications::steps::{self as counter, CounterError};
use issuance::ground::ids::PersonId;
use issuance::population::PopulationError;
use issuance::population::model::Declaration;
use issuance::{numbering, population};
use time::macros::{date, datetime, offset};
use time::{Date, Duration, OffsetDateTime, UtcOffset};

use crate::offices::{Offices, declaration, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_midnight_in_viet_nam() {
    Box::pin(days_are_those_of(datetime!(2026-11-22 18:30 UTC), VIET_NAM, date!(2026 - 11 - 23))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_same_moment_in_a_state_that_keeps_utc() {
    Box::pin(days_are_those_of(datetime!(2026-11-22 18:30 UTC), UtcOffset::UTC, date!(2026 - 11 - 22))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_midnight_in_a_state_behind_utc() {
    Box::pin(days_are_those_of(datetime!(2026-11-23 02:30 UTC), offset!(-03:30), date!(2026 - 11 - 22))).await;
}

/// Takes every decision that depends on a day, on both sides of it.
async fn days_are_those_of(at: OffsetDateTime, utc_offset: UtcOffset, today: Date) {
    let offices = Offices::open_in(None, at, utc_offset).await;
    let tomorrow = today.next_day().unwrap();

    declares(&offices, today).await.expect("a child may be declared on the day of its birth");
    assert!(matches!(declares(&offices, tomorrow).await, Err(PopulationError::Declined(_))), "in the future");

    let fourteen = numbered(&offices, years_before(today, 14)).await;
    offices.applies(fourteen, Kind::First).await.expect("fourteen today");
    let thirteen = numbered(&offices, years_before(tomorrow, 14)).await;
    let young = offices.applies(thirteen, Kind::First).await;
    assert!(matches!(young, Err(CounterError::Application(ApplicationError::TooYoung))), "fourteen tomorrow");

    // A card that is issued on the 38th birthday outlives the 40th (Art. 21(2)); one of the day before does not.
    for (birth, until) in [(years_before(today, 38), 60), (years_before(tomorrow, 38), 40)] {
        let person = numbered(&offices, birth).await;
        let application = offices.approved(person, Kind::First).await;
        let mut chip = offices.initialised(until).await;
        offices.card(&mut chip).await;
        let expires = years_before(birth, -i32::from(until));
        let dg13 = Dg13::parse(chip.file(File::DataGroup(DataGroup::DG13))).unwrap();
        assert_eq!(dg13.issued, Some(written(today)), "the day of issue on the card");
        assert_eq!(dg13.expiry, Some(written(expires)));
        let Dg1::Td1(mrz) = Dg1::parse(chip.file(File::DataGroup(DataGroup::DG1))).unwrap() else { panic!("no TD1") };
        assert_eq!(mrz.expiry.expiry(), Some(expires));
        assert_eq!(offices.application(application.id).await.stage.name(), "personalized");
    }

    let person = numbered(&offices, date!(1990 - 01 - 05)).await;
    let application = offices.applies(person, Kind::First).await.unwrap();
    offices.captures(application.id).await;
    let refused = within!(offices, offices.approver, deed => counter::refuse(deed, application.id, "other face"));
    let Stage::Refused { appeal_until, .. } = refused.unwrap().stage else { panic!("not refused") };
    assert_eq!(appeal_until, today + Duration::days(90));
}

async fn declares(offices: &Offices, birth: Date) -> Result<PersonId, PopulationError> {
    let declaration = Declaration { birth_date: written(birth), ..declaration() };
    let register = &offices.state.register;
    let declared =
        within!(offices, offices.registrar, deed => population::steps::declare(deed, register, &declaration));
    declared.map(|(person, _)| person)
}

/// A person of this birthday, with a number.
async fn numbered(offices: &Offices, birth: Date) -> PersonId {
    let person = declares(offices, birth).await.unwrap();
    let numbers = &offices.state.numbers;
    within!(offices, offices.registrar, deed => numbering::steps::establish(deed, numbers, person, NAMESAKES)).unwrap();
    person
}

/// All these people have one name, and some of them birthdays that differ by a day.
const NAMESAKES: Option<&str> = Some("the papers of both were compared");

fn years_before(day: Date, years: i32) -> Date {
    day.replace_year(day.year() - years).unwrap()
}

/// `dd/MM/yyyy`.
fn written(day: Date) -> String {
    format!("{:02}/{:02}/{}", day.day(), u8::from(day.month()), day.year())
}

/// Doc 9303-3 §4.8: what is not known is a filler in the zone; print and DG13 say month and year.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_citizen_who_knows_month_and_year_of_birth_gets_a_card_that_says_those() {
    let offices = Offices::open(None).await;
    let form = Declaration { birth_date: "2001-05".into(), ..declaration() };
    let person = offices.declares(&form).await;
    let numbers = &offices.state.numbers;
    within!(offices, offices.registrar, deed => numbering::steps::establish(deed, numbers, person, None)).unwrap();
    offices.approved(person, Kind::First).await;
    let mut chip = offices.initialised(1).await;
    offices.card(&mut chip).await;
    let dg13 = Dg13::parse(chip.file(File::DataGroup(DataGroup::DG13))).unwrap();
    assert_eq!(dg13.birth.as_deref(), Some("05/2001"));
    // 25 on the last day of May 2026, which was; 40 on the last day of May 2041.
    assert_eq!(dg13.expiry.as_deref(), Some("31/05/2041"));
    let Dg1::Td1(mrz) = Dg1::parse(chip.file(File::DataGroup(DataGroup::DG1))).unwrap() else { panic!("no TD1") };
    assert_eq!(mrz.birth.as_str(), "0105<<");
    // A child is fourteen when the month in which it was born is over.
    for (birth, old_enough) in [("2012-10", true), ("2012-11", false)] {
        let child = offices.declares(&Declaration { birth_date: birth.into(), ..declaration() }).await;
        within!(offices, offices.registrar, deed => numbering::steps::establish(deed, numbers, child, NAMESAKES))
            .unwrap();
        let applied = offices.applies(child, Kind::First).await;
        assert_eq!(applied.is_ok(), old_enough, "{birth}: {applied:?}");
    }
}
