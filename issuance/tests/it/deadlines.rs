//! Owners and deadlines of applications, and the steps of the law that a pilot does without: return and resubmission,
//! the check by the head of the team, approvals in two places, withdrawal. On SQLite and on PostgreSQL.

use std::collections::BTreeSet;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use issuance::access::OFFICER;
use issuance::applications::model::{HoldReason, Kind, ReturnReason, Stage, StageName};
use issuance::applications::progress::{Said as Told, remind};
use issuance::applications::stages::{self, Owner, Rest, TABLE};
use issuance::applications::steps::{self as counter, Missing};
use issuance::applications::store::{APPLICATION, progress};
use issuance::applications::{CounterError, hand_over};
use issuance::deed::Object;
use issuance::ground::ids::ApplicationId;
use issuance::ground::{OfficeCode, Officer, Role};
use issuance::offices::calendar::SetDay;
use issuance::population::history::EventKind;
use issuance::server::Settings;
use issuance::server::overdue::{self, Defect};
use issuance::store::{Argument, Sql};
use issuance::{args, offices as units, sql};
use serde_json::{Value, json};
use time::macros::{date, datetime};
use time::{Date, Duration};

use crate::house::{Caller, House, Said};
use crate::offices::{Offices, appoint, moves, photograph, within};
use crate::register_history::changes;
use crate::tables::fresh_database;

/// Runs a scenario on SQLite, then on PostgreSQL.
async fn on_both_offices(scenario: impl AsyncFn(&Offices)) {
    for database in [Some(None), fresh_database().map(Some)].into_iter().flatten() {
        let offices = Box::new(Box::pin(Offices::open(database)).await);
        Box::pin(scenario(offices.as_ref())).await;
    }
}

fn office(code: &str) -> OfficeCode {
    code.parse().unwrap()
}

/// Another hand than the service's.
async fn by_hand(offices: &Offices, sql: Sql, arguments: Vec<Argument>) {
    let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
    tx.run(sql, arguments).await.unwrap();
    tx.commit().await.unwrap();
}

/// Who has an application, and until when.
async fn stands(offices: &Offices, id: ApplicationId) -> (Option<(OfficeCode, Role)>, Option<Date>) {
    let progress = offices.application(id).await.progress;
    (progress.owner, progress.due)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_stage_that_waits_has_an_owner_and_a_day_on_the_road_to_the_card() {
    on_both_offices(async |offices| {
        // Opened on Sunday 22 November 2026.
        let (person, here) = (offices.citizen().await, office("district-1"));
        let application = offices.applies(person, Kind::First).await.unwrap();
        let id = application.id;
        assert_eq!(application.progress.promised, Some(date!(2026 - 12 - 11)), "15 working days");
        let tuesday = Some(date!(2026 - 11 - 24));
        assert_eq!(stands(offices, id).await, (Some((here.clone(), Role::Capture)), tuesday));
        offices.clock.advance(Duration::days(1));
        offices.captures(id).await;
        assert_eq!(
            stands(offices, id).await,
            (Some((here.clone(), Role::Approver)), tuesday),
            "the two days are shared"
        );
        offices.approves(&offices.approver, id).await.unwrap();
        let thursday = Some(date!(2026 - 11 - 26));
        assert_eq!(stands(offices, id).await, (Some((here.clone(), Role::Stock)), thursday), "three for the centre");
        let mut chip = offices.initialised(1).await;
        let card = offices.card(&mut chip).await;
        // Two to ship, thirty to fetch, 1 January off.
        let fetched = Some(date!(2027 - 01 - 07));
        assert_eq!(stands(offices, id).await, (Some((here, Role::HandOver)), fetched));
        within!(offices, offices.counter, deed => hand_over::hand_over(deed, card, &application.slip.0)).unwrap();
        assert_eq!(stands(offices, id).await, (None, None), "an end has none");
        assert_eq!(offices.application(id).await.progress.moves, 6);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_dossier_is_told_once_to_its_office_and_once_to_the_national_one_at_each_stage() {
    on_both_offices(async |offices| {
        let deeds = offices.state.deeds();
        let id = offices.applies(offices.citizen().await, Kind::First).await.unwrap().id;
        let told = |reminders, escalations| Told { reminders, escalations };
        offices.clock.advance(Duration::days(2));
        assert_eq!(remind(deeds).await.unwrap(), told(0, 0), "on the last day it is in time");
        offices.clock.advance(Duration::days(1));
        // Two processes at once say it once.
        let (one, two) = tokio::join!(Box::pin(remind(deeds)), Box::pin(remind(deeds)));
        assert_eq!(one.unwrap().reminders + two.unwrap().reminders, 1);
        assert_eq!(remind(deeds).await.unwrap(), told(0, 0));
        // Wednesday, Thursday, Friday.
        offices.clock.advance(Duration::days(2));
        assert_eq!(remind(deeds).await.unwrap(), told(0, 0), "three working days late");
        offices.clock.advance(Duration::days(3));
        assert_eq!(remind(deeds).await.unwrap(), told(0, 1));
        assert_eq!(remind(deeds).await.unwrap(), told(0, 0));
        let trail = offices.trail(Object::Application(id)).await;
        let times = |word: &str| trail.iter().filter(|action| *action == word).count();
        assert_eq!((times("application-overdue"), times("application-escalated")), (1, 1), "{trail:?}");

        // At the next stage it is late again, and told again.
        offices.captures(id).await;
        assert_eq!(remind(deeds).await.unwrap(), told(1, 0));
        let mut tx = deeds.db().begin_read().await.unwrap();
        let found = overdue::look(&mut tx, date!(2026 - 12 - 02)).await.unwrap();
        let late = &found.late[0];
        assert_eq!((late.office.as_str(), late.owner.as_str(), late.days_late), ("district-1", "approver", 6));
        assert_eq!((late.application, late.stage.as_str()), (id, "captured"));
        assert_eq!((found.defects, found.late.len()), (vec![], 1));
        assert_eq!(progress::count_late(&mut tx, date!(2026 - 12 - 02)).await.unwrap(), [("captured".to_owned(), 1)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dossier_that_no_officer_has_is_a_defect() {
    on_both_offices(async |offices| {
        let id = offices.applies(offices.citizen().await, Kind::First).await.unwrap().id;
        let look = async || {
            let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
            let found = overdue::look(&mut tx, date!(2026 - 11 - 23)).await.unwrap();
            (found.late.len(), found.defects, progress::count_ownerless(&mut tx).await.unwrap())
        };
        assert_eq!(look().await, (0, vec![], 0));
        // The office is dissolved: its officers leave, and its work stays.
        let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
        let leaves = sql!("update officer set disabled_at = $1 where id = $2");
        tx.change(&OFFICER, offices.capture.id, leaves, args![offices.clock.now(), offices.capture.id]).await.unwrap();
        tx.commit().await.unwrap();
        let gone = Defect::NoOfficer { office: "district-1".into(), owner: "capture".into(), waiting: 1 };
        assert_eq!(look().await, (0, vec![gone], 0));
        by_hand(offices, sql!("update application set due_on = null where id = $1"), args![id]).await;
        let (_, defects, ownerless) = look().await;
        assert!(defects.contains(&Defect::NoOwner { application: id }) && ownerless == 1, "{defects:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_citizens_days_do_not_count_and_a_day_that_is_past_is_refused() {
    on_both_offices(async |offices| {
        let id = offices.applies(offices.citizen().await, Kind::First).await.unwrap().id;
        offices.captures(id).await;
        let promised = offices.application(id).await.progress.promised;
        let returns = async |officer: &Officer, until: Date, reasons: &[ReturnReason], says: &str| {
            let missing = Missing { reasons: reasons.to_vec(), says, until };
            within!(offices, officer, deed => counter::give_back(deed, &offices.state.counter, id, missing))
        };
        let (approver, reasons) = (&offices.approver, [ReturnReason::EvidenceMissing, ReturnReason::EvidenceMissing]);
        let until = date!(2026 - 12 - 04);
        for day in [date!(2026 - 11 - 21), date!(2026 - 11 - 22), date!(2027 - 01 - 05)] {
            let refused = returns(approver, day, &reasons, "x").await.unwrap_err();
            assert!(matches!(refused, CounterError::Until(last) if last == date!(2027 - 01 - 04)), "{refused}");
        }
        assert!(matches!(returns(approver, until, &[], "x").await, Err(CounterError::ReasonMissing)));
        assert!(matches!(returns(approver, until, &reasons, " ").await, Err(CounterError::ReasonMissing)));
        let own = returns(&offices.capture, until, &reasons, "x").await;
        assert!(matches!(own, Err(CounterError::Transition(_))), "who captured does not judge it: {own:?}");
        let returned = returns(approver, until, &reasons, "Mang giấy khai sinh").await.unwrap();
        let Stage::Returned { reasons, .. } = &returned.stage else { panic!("{:?}", returned.stage) };
        assert_eq!(reasons, &[ReturnReason::EvidenceMissing], "each once");
        assert_eq!(stands(offices, id).await, (Some((office("district-1"), Role::Capture)), Some(until)));

        // What was seen before the return is not approved after it.
        let before = returned.stage.capture_of().map(|capture| capture.dossier(approver.id));
        offices.clock.advance(Duration::days(5));
        within!(offices, offices.capture, deed => counter::resubmit(deed, id)).unwrap();
        let progress = offices.application(id).await.progress;
        assert_eq!(progress.due, Some(date!(2026 - 12 - 01)), "the office has two days from Friday");
        // From Sunday to Friday.
        assert_eq!((promised, progress.promised), (Some(date!(2026 - 12 - 11)), Some(date!(2026 - 12 - 18))));
        let portrait = offices.fetches(id).await.unwrap();
        let stale =
            within!(offices, approver, deed => counter::approve(deed, &offices.state.counter, id, before, portrait));
        assert!(matches!(stale, Err(CounterError::Transition(_))), "{stale:?}");
        offices.approves(approver, id).await.unwrap();
        // Not the second time.
        let twice = within!(offices, offices.capture, deed => counter::resubmit(deed, id)).unwrap_err();
        assert!(matches!(twice, CounterError::MovedOn { stage: "approved", by, .. } if by == approver.id), "{twice}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_citizen_may_withdraw_until_a_chip_is_bound_and_apply_again() {
    on_both_offices(async |offices| {
        let person = offices.citizen().await;
        let id = offices.approved(person, Kind::First).await.id;
        let withdraws = async |id: ApplicationId| {
            within!(offices, offices.capture, deed => counter::withdraw(deed, id, "Không còn nhu cầu"))
        };
        let withdrawn = withdraws(id).await.unwrap();
        assert!(matches!(withdrawn.stage, Stage::Cancelled { withdrawn: true, .. }), "{:?}", withdrawn.stage);
        assert!(offices.trail(Object::Application(id)).await.contains(&"application-withdrawn".to_owned()));
        let again = offices.approved(person, Kind::First).await.id;
        let chip = offices.initialised(1).await;
        offices.prepares(&offices.station, &chip).await.unwrap();
        let late = withdraws(again).await.unwrap_err();
        assert!(matches!(late, CounterError::MovedOn { stage: "in-production", .. }), "{late}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_citizen_who_dies_leaves_no_dossier_that_waits() {
    on_both_offices(async |offices| {
        let person = offices.citizen().await;
        let id = offices.applies(person, Kind::First).await.unwrap().id;
        let (reasons, until) = (vec![ReturnReason::EvidenceMissing], date!(2026 - 12 - 04));
        let missing = Missing { reasons, says: "Mang giấy khai sinh", until };
        within!(offices, offices.approver, deed => counter::give_back(deed, &offices.state.counter, id, missing))
            .unwrap();
        changes(offices, person, EventKind::Died, json!({"died": "2026-11-20"})).await;
        let application = offices.application(id).await;
        assert!(matches!(application.stage, Stage::Cancelled { withdrawn: false, .. }), "{:?}", application.stage);
        assert_eq!((application.progress.owner, application.progress.due), (None, None));
    })
    .await;
}

async fn no_promise_past_the_table(database: Option<String>) {
    let at = datetime!(2027-12-20 02:00 UTC);
    let strict = |settings: &mut Settings| settings.applications.deadlines.known_holidays_only = true;
    let mut offices = Box::pin(Offices::open_where(database.clone(), at, strict)).await;
    let person = offices.citizen().await;
    let refused = async |offices: &Offices| {
        let refused = offices.applies(person, Kind::First).await.unwrap_err();
        assert!(matches!(&refused, CounterError::Calendar(ends) if ends.year == 2028), "{refused}");
    };
    refused(&offices).await;
    let deeds = offices.state.deeds();
    let admin = moves(deeds, &appoint(deeds, Role::Admin).await, "national").await;
    let tet = date!(2028 - 01 - 26);
    let name = "Tết Nguyên đán";
    within!(offices, admin, deed => units::steps::propose_day(deed, tet, false, name, "Thông báo")).unwrap();
    let second = moves(deeds, &appoint(deeds, Role::Admin).await, "national").await;
    let read = SetDay { working: false, name: name.to_owned() };
    within!(offices, second, deed => units::steps::confirm_day(deed, tet, &read)).unwrap();
    // One day that is set by hand says nothing of the others: the year is known by a statement with its Tết.
    refused(&offices).await;
    let stated = json!({"2028": {"announced": true, "off": ["2028-01-25..2028-01-31 Tết Nguyên đán"]}});
    Box::pin(offices.starts_again_with(|settings| {
        settings.database = database;
        settings.applications.deadlines.known_holidays_only = true;
        settings.calendar = serde_json::from_value(stated).unwrap();
    }))
    .await;
    let opened = offices.applies(person, Kind::First).await.unwrap();
    assert_eq!(opened.progress.promised, Some(date!(2028 - 01 - 10)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promise_past_the_table_of_holidays_is_refused_until_the_year_is_entered() {
    Box::pin(no_promise_past_the_table(None)).await;
    if let Some(url) = fresh_database() {
        Box::pin(no_promise_past_the_table(Some(url))).await;
    }
}

/// As a version of before stored it: without owner and day.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn applications_of_before_are_given_owner_and_day_at_the_next_start() {
    let mut offices = Box::pin(Offices::open(None)).await;
    let person = offices.citizen().await;
    let id = offices.approved(person, Kind::First).await.id;
    let of_before = sql!(
        "update application set owner_office = null, owner = null, due_on = null, promised_on = null, moved_at = null,
             moves = null, terms = null
         where id = $1"
    );
    let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
    tx.change(&APPLICATION, id, of_before, args![id]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(stands(&offices, id).await, (None, None));
    offices.clock.advance(Duration::days(1));
    Box::pin(offices.starts_again()).await;
    // Three days of the centre from Monday.
    let expected = (Some((office("district-1"), Role::Stock)), Some(date!(2026 - 11 - 26)));
    assert_eq!(stands(&offices, id).await, expected);
    let mut chip = offices.initialised(1).await;
    offices.card(&mut chip).await;
    assert_eq!(stands(&offices, id).await.0, Some((office("district-1"), Role::HandOver)), "its life goes on");
}

/// The lists of ends in statements and indexes are those of the table.
#[test]
fn statements_name_the_stages_that_are_ends() {
    const FILES: [&str; 2] = ["0131_applications_progress", "0150_applications_open"];
    let ends = StageName::ALL.into_iter().filter(|stage| stages::row(*stage).rest == Rest::Over);
    let ends = ends.map(|stage| format!("'{}'", stage.word())).collect::<Vec<_>>().join(", ");
    let ends = format!("stage not in ({ends})");
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let ends_in_order = "stage not in ('refused', 'handed-over', 'cancelled')";
    assert_eq!(ends, ends_in_order);
    for (engine, file) in ["pg", "lite"].iter().flat_map(|engine| FILES.map(|file| (engine, file))) {
        let path = format!("{}/migrations/{engine}/{file}.sql", env!("CARGO_MANIFEST_DIR"));
        let text = words(&std::fs::read_to_string(path).unwrap());
        assert!(text.contains(&ends), "{engine}/{file}: {ends}");
    }
    let store = words(include_str!("../../src/applications/store.rs"));
    assert!(store.contains(&format!("application.{ends}")), "{ends}");
    assert!(words(include_str!("../../src/applications/store/progress.rs")).contains(&ends));
}

/// Two officers of the office, one of the national one, a clerk, and an application that the clerk captured.
pub struct TwoPlaces {
    pub clerk: Caller,
    pub head: Caller,
    pub chief: Caller,
    pub centre: Caller,
    /// The application.
    pub id: String,
}

impl TwoPlaces {
    pub async fn of(house: &House) -> Self {
        let registrar = house.officer("registrar", &[Role::Registrar], "o-1").await;
        let place = json!({"province": "003", "detail": "Số 1 Phố Mẫu"});
        let declaration = json!({"full_name": "Nguyễn Thị Mẫu", "birth_date": "05/01/2000", "sex": "Nữ",
            "birth_registration": place, "place_of_origin": place, "ethnic_group": "01",
            "permanent_residence": place, "nationality": "VNM"});
        let declared = registrar.post("/api/v1/declarations", "k-1", declaration).await;
        let person = declared.body["person_id"].as_str().unwrap_or_else(|| panic!("{declared:?}")).to_owned();
        let number = json!({"acknowledged": true, "because": "the papers name other parents"});
        let given = registrar.post(&format!("/api/v1/persons/{person}/number"), "k-2", number).await;
        assert!((200..300).contains(&given.status), "{given:?}");
        let clerk = house.officer("clerk", &[Role::Capture], "o-1").await;
        let applies = json!({"person_id": person, "kind": "first", "office": "o-1"});
        let opened = clerk.post("/api/v1/applications", "k-3", applies).await;
        let id = opened.body["id"].as_str().unwrap_or_else(|| panic!("{opened:?}")).to_owned();
        let portrait = json!({"portrait": STANDARD.encode(photograph()), "features": "Nốt ruồi"});
        let captured = clerk.post(&format!("/api/v1/applications/{id}/capture"), "k-4", portrait).await;
        assert_eq!(captured.body["stage"], "captured", "{captured:?}");
        Self {
            head: house.officer("head", &[Role::Approver], "o-1").await,
            chief: house.officer("chief", &[Role::Approver], "o-1").await,
            centre: house.officer("centre", &[Role::Approver], "national").await,
            clerk,
            id,
        }
    }

    /// The officer reads the application and agrees to what it shows, in this way.
    pub async fn agrees(&self, officer: &Caller, how: &str, key: &str) -> Said {
        let path = format!("/api/v1/applications/{}", self.id);
        let seen = officer.get(&path).await.body["dossier_sha256"].clone();
        officer.post(&format!("{path}/{how}"), key, json!({"dossier": seen})).await
    }
}

fn refused(said: &Said, code: &str) {
    assert_eq!(said.code(), code, "{said:?}");
}

/// Runs a scenario in a house with checks and approvals in two places, on SQLite, then on PostgreSQL.
async fn in_two_places(scenario: impl AsyncFn(&House)) {
    for database in [Some(None), fresh_database().map(Some)].into_iter().flatten() {
        let house = House::open_with(|settings| {
            settings.database = database;
            settings.applications.procedure.team_check = true;
            settings.applications.procedure.central_approval = true;
        });
        let house = Box::new(Box::pin(house).await);
        Box::pin(scenario(house.as_ref())).await;
        Box::pin(house.service.stop()).await;
    }
}

#[tokio::test]
async fn a_card_takes_a_check_and_two_approvals_in_two_places_by_three_officers() {
    in_two_places(async |house| {
        let places = Box::pin(TwoPlaces::of(house)).await;
        let TwoPlaces { head, chief, centre, .. } = &places;
        refused(&places.agrees(chief, "approval", "k-1").await, "stage-does-not-allow");
        refused(&places.agrees(centre, "check", "k-1").await, "other-office");
        let checked = places.agrees(head, "check", "k-2").await;
        assert_eq!((&checked.body["stage"], &checked.body["owner"]), (&json!("checked"), &json!("approver")));
        refused(&places.agrees(head, "approval", "k-3").await, "second-officer-needed");
        refused(&places.agrees(centre, "approval", "k-3").await, "other-office");
        let local = places.agrees(chief, "approval", "k-4").await;
        assert_eq!(
            (&local.body["stage"], &local.body["owner_office"]),
            (&json!("locally-approved"), &json!("national"))
        );
        refused(&places.agrees(head, "approval", "k-5").await, "other-office");
        // A double click changes nothing, and a second officer is told who was faster.
        let again = places.agrees(chief, "check", "k-6").await;
        refused(&again, "other-office");
        let queue = centre.get("/api/v1/applications?owner=approver").await;
        assert_eq!(queue.body["items"][0]["id"], json!(places.id), "{queue:?}");
        let approved = places.agrees(centre, "approval", "k-7").await;
        assert_eq!((&approved.body["stage"], &approved.body["owner"]), (&json!("approved"), &json!("stock")));
        let replayed = places.agrees(centre, "approval", "k-7").await;
        assert!(replayed.replayed && replayed.body["stage"] == "approved", "{replayed:?}");
        refused(&places.agrees(chief, "approval", "k-8").await, "second-officer-needed");
    })
    .await;
}

#[tokio::test]
async fn the_second_of_two_officers_is_told_who_has_it() {
    let house = Box::new(Box::pin(House::open(None)).await);
    let places = Box::pin(TwoPlaces::of(&house)).await;
    let approved = places.agrees(&places.head, "approval", "k-1").await;
    assert_eq!(approved.body["stage"], "approved", "one place, one approval: {approved:?}");
    let second = places.agrees(&places.chief, "approval", "k-2").await;
    refused(&second, "stage-does-not-allow");
    let me = places.head.get("/api/v1/me").await;
    let who = format!("officer/{}", me.body["id"].as_str().unwrap());
    assert_eq!(second.body["object"], json!(who), "{second:?}");
    refused(&places.agrees(&places.chief, "check", "k-3").await, "stage-does-not-allow");
    house.service.stop().await;
}

/// Whatever the stage: the role that has an application can list it, and is told of no person.
#[tokio::test]
async fn at_each_stage_its_owner_can_list_it() {
    crate::house::on_both(async |house| {
        let places = Box::pin(TwoPlaces::of(house)).await;
        let id: ApplicationId = places.id.parse().unwrap();
        let mut alone = Vec::new();
        for role in [Role::Approver, Role::Capture, Role::HandOver, Role::Registrar, Role::Stock] {
            for office in ["o-1", "national"] {
                let name = format!("one-{}-{office}", role.name());
                alone.push((role, office, house.officer(&name, &[role], office).await));
            }
        }
        let mut met = BTreeSet::new();
        for row in &TABLE {
            let Rest::Waits { owner, .. } = row.rest else { continue };
            let owners = match owner {
                Owner::Centre(role) => vec![("national", role)],
                Owner::Office(role) => vec![("o-1", role)],
                Owner::Mender => [HoldReason::NotComposable, HoldReason::PortraitLost, HoldReason::RecordInconsistent]
                    .map(|reason| ("o-1", reason.owner()))
                    .to_vec(),
            };
            for (office, role) in owners {
                let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
                let sql = sql!("update application set stage = $1, owner_office = $2, owner = $3 where id = $4");
                let arguments = args![row.stage.word(), office, role.name(), id];
                tx.change(&APPLICATION, id, sql, arguments).await.unwrap();
                tx.commit().await.unwrap();
                let (_, _, officer) = alone.iter().find(|(of, at, _)| (*of, *at) == (role, office)).unwrap();
                let said = officer.get(&format!("/api/v1/applications?owner={}", role.name())).await;
                let items = said.body["items"].as_array().unwrap_or_else(|| panic!("{:?} {said:?}", row.stage));
                assert_eq!((items.len(), &items[0]["id"]), (1, &json!(places.id)), "{:?}", row.stage);
                assert!(items[0]["slip"].is_null() || role == Role::Capture, "{:?}", row.stage);
                assert!(!items[0].to_string().contains("person_id"), "{:?}", row.stage);
                met.insert(role.name());
            }
        }
        assert_eq!(met, BTreeSet::from(["approver", "capture", "hand-over", "registrar", "stock"]));
        // No more than that: a stock keeper asks for no other queue, for no stage, and for no person.
        let (_, _, keeper) = alone.iter().find(|(role, at, _)| (*role, *at) == (Role::Stock, "o-1")).unwrap();
        for query in ["", "owner=approver", "stage=held", "stage=shipped", "claimed=me", "overdue=true"] {
            refused(&keeper.get(&format!("/api/v1/applications?{query}")).await, "role-missing");
        }
        refused(&keeper.get("/api/v1/applications?owner=stock&office=o-2").await, "other-office");
        refused(&keeper.get(&format!("/api/v1/applications/{}", places.id)).await, "role-missing");
        let late = keeper.get("/api/v1/applications?owner=stock&overdue=true").await;
        assert_eq!(late.status, 200, "{late:?}");
    })
    .await;
}

#[tokio::test]
async fn lists_show_who_has_what_and_what_is_late() {
    crate::house::on_both(async |house| {
        let places = Box::pin(TwoPlaces::of(house)).await;
        let listed = async |officer: &Caller, query: &str| -> Vec<Value> {
            let said = officer.get(&format!("/api/v1/applications?{query}")).await;
            said.body["items"].as_array().unwrap_or_else(|| panic!("{said:?}")).clone()
        };
        let (clerk, head) = (&places.clerk, &places.head);
        assert_eq!(listed(head, "owner=approver").await.len(), 1);
        assert_eq!(listed(head, "owner=capture").await.len(), 0);
        assert_eq!(listed(head, "overdue=true").await.len(), 0);
        let item = &listed(clerk, "overdue=false").await[0];
        assert_eq!(
            (&item["owner"], &item["owner_office"], &item["days_late"]),
            (&json!("approver"), &json!("o-1"), &Value::Null)
        );
        let id: ApplicationId = places.id.parse().unwrap();
        let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
        let late = sql!("update application set due_on = $1 where id = $2");
        tx.change(&APPLICATION, id, late, args![date!(2026 - 01 - 05), id]).await.unwrap();
        tx.commit().await.unwrap();
        for query in ["overdue=true", "overdue=true&owner=approver", "overdue=true&office=o-1"] {
            let items = listed(head, query).await;
            assert!(items.len() == 1 && items[0]["days_late"].as_u64() > Some(10), "{query}: {items:?}");
        }
        assert_eq!(listed(head, "overdue=true&owner=stock").await.len(), 0);
        for query in ["owner=approver&stage=captured", "overdue=true&slip=AAAAA00001", "owner=somebody"] {
            refused(&head.get(&format!("/api/v1/applications?{query}")).await, "query-malformed");
        }
        refused(&head.get("/api/v1/applications?owner=approver&office=o-2").await, "other-office");
        // What is late is told to the administrator.
        let offices = house.service.offices();
        offices.watch.look(offices.deeds()).await.unwrap();
        let status = offices.watch.latest().unwrap();
        let late: Vec<_> = status.dossiers_overdue.iter().map(|late| (late.state.as_str(), late.count)).collect();
        assert_eq!((late, status.dossiers_without_owner), (vec![("captured", 1)], 0));
        assert!(status.findings.iter().any(|finding| finding.about == "dossiers"), "{:?}", status.findings);
        let metrics = offices.metrics.text().unwrap();
        for line in [r#"issuance_dossiers_overdue{stage="captured"} 1"#, "issuance_dossiers_without_owner 0"] {
            assert!(metrics.contains(line), "{line}\n{metrics}");
        }
    })
    .await;
}

/// The last approver and the last stock keeper of an office leave it: what waits for them is a defect, also where the
/// running service looks.
#[tokio::test]
async fn work_without_an_officer_is_a_defect_for_status_and_metrics_too() {
    crate::house::on_both(async |house| {
        let places = Box::pin(TwoPlaces::of(house)).await;
        let keeper = house.officer("keeper", &[Role::Stock], "o-1").await;
        let serial = "00010203040506070801";
        let body = json!({"manufacturer": "M", "batch": "1", "transport_key_id": "maker", "serials": [serial]});
        assert_eq!(keeper.post("/api/v1/stock/deliveries", "d", body).await.status, 201);
        let lost = keeper.post(&format!("/api/v1/stock/{serial}/loss"), "l", json!({"reason": "gone"})).await;
        assert_eq!(lost.status, 200, "{lost:?}");
        let offices = house.service.offices();
        let seen = async || {
            offices.watch.look(offices.deeds()).await.unwrap();
            let status = offices.watch.latest().unwrap();
            let about = |finding: &issuance::server::status::Finding| finding.about.ends_with("without officer");
            status.findings.iter().filter(|finding| about(finding)).map(|one| one.says.clone()).collect::<Vec<_>>()
        };
        assert_eq!(seen().await, Vec::<String>::new());
        for officer in [&places.head, &places.chief, &keeper] {
            let id = officer.get("/api/v1/me").await.body["id"].as_str().unwrap().to_owned();
            let path = format!("/api/v1/officers/{id}/disablement");
            let left = house.admin.post(&path, &id, json!({"reason": "left"})).await;
            assert!(left.status < 300, "{left:?}");
            if left.body["proposal_id"].is_string() {
                house.confirms(&left).await;
            }
        }
        let found = seen().await;
        let says = |text: &str| found.iter().any(|says| says.contains(text));
        assert!(says("1 wait for approver of o-1") && says("1 cases of the stock wait at o-1"), "{found:?}");
        let mut tx = offices.deeds().db().begin_read().await.unwrap();
        let overdue = issuance::server::overdue::look(&mut tx, house.clock.today()).await.unwrap();
        assert_eq!(overdue.defects.len(), found.len(), "the same as `issuance overdue --check`");
        drop(tx);
        let metrics = offices.metrics.text().unwrap();
        assert!(metrics.contains("issuance_work_without_officer 2"), "{metrics}");
    })
    .await;
}

/// What `issuance overdue` ends with, and says.
async fn command(offices: &Offices, arguments: &'static [&'static str]) -> (Option<i32>, String) {
    let data = offices.data.path().to_owned();
    let run = move || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_issuance"));
        command.arg("overdue").arg("--data").arg(data).args(arguments).output().unwrap()
    };
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr))
}

/// The command goes by the computer's clock, which is later than the day on which the offices began.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_lists_what_is_late_and_ends_with_a_code() {
    let offices = Box::new(Box::pin(Offices::open(None)).await);
    let (code, told) = command(&offices, &["--check"]).await;
    assert_eq!((code, told.as_str()), (Some(0), "Nothing is late.\n"));
    let id = offices.applies(offices.citizen().await, Kind::First).await.unwrap().id;
    let early = date!(2026 - 11 - 02);
    let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
    let late = sql!("update application set due_on = $1 where id = $2");
    tx.change(&APPLICATION, id, late, args![early, id]).await.unwrap();
    tx.commit().await.unwrap();
    let (code, told) = command(&offices, &["--check"]).await;
    assert_eq!(code, Some(4), "{told}");
    assert!(told.contains("capture of district-1: 1 late") && told.contains(&format!("{id} registered")), "{told}");
    assert_eq!(command(&offices, &[]).await.0, Some(0), "without --check it only lists");
    by_hand(&offices, sql!("update application set owner = null where id = $1"), args![id]).await;
    let (code, told) = command(&offices, &["--check", "--json"]).await;
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((code, &told["defects"][0]["defect"]), (Some(5), &json!("no-owner")), "{told}");
}

#[test]
fn the_stages_are_drawn_as_they_are_documented() {
    let run = |flag: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_issuance")).args(["stages", flag]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(run("--svg"), include_str!("../../../docs/stages.svg"));
    assert_eq!(run("--table").trim_end(), stages::text().trim_end());
}
