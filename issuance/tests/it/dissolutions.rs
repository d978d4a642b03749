//! An office is dissolved with work in it: whatever waits there comes to its end at the office that takes its place. On
//! SQLite and on PostgreSQL.

use std::time::Duration as Span;

use issuance::access::dissolutions::DissolutionState;
use issuance::applications::appeals;
use issuance::applications::hand_over::hand_over;
use issuance::applications::model::{Application, Kind, ReturnReason, Stage};
use issuance::applications::steps::{self as counter, Missing, Request};
use issuance::deed::Object;
use issuance::ground::ids::{ApplicationId, DissolutionId, StationId};
use issuance::ground::{OfficeCode, Officer, Role};
use issuance::production::cases::{self, CaseOutcome};
use issuance::production::dissolutions::{Cursor, PIECE, Plan, Work};
use issuance::production::{boxes, counts, dissolutions, ends, steps};
use issuance::server::overdue;
use issuance::store::{Argument, Sql};
use issuance::{args, notices, sql};
use serde_json::{Value, json};
use time::macros::date;

use crate::house::{Caller, Said, on_both};
use crate::ledger::{accounts, checked, delivered, serial, spoils, way, word};
use crate::offices::{Offices, appoint, moves, within};
use crate::parcels::Factory;
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

/// An officer of another office than `district-1`.
async fn officer(offices: &Offices, role: Role, at: &str) -> Officer {
    let deeds = offices.state.deeds();
    moves(deeds, &appoint(deeds, role).await, at).await
}

/// The officer as the gate lets the officer in after `district-1` was dissolved in favour of this office.
fn of_successor(officer: &Officer, to: &str) -> Officer {
    Officer { office: office(to), successor_of: vec![office("district-1")], ..officer.clone() }
}

/// Two administrators of the national office, and what they do together.
struct Admins(Officer, Officer);

impl Admins {
    async fn of(offices: &Offices) -> Self {
        Self(officer(offices, Role::Admin, "national").await, officer(offices, Role::Admin, "national").await)
    }

    async fn proposes(&self, offices: &Offices, from: &str, to: Option<&str>) -> Result<Plan, &'static str> {
        let (from, to) = (office(from), to.map(office));
        let first = &self.0;
        word(within!(offices, first, deed => dissolutions::propose(deed, &from, to.as_ref(), "Nghị quyết 1")))
    }

    async fn confirms(&self, offices: &Offices, from: &str, digest: &str, most: usize) -> Result<Plan, &'static str> {
        let (from, second) = (office(from), &self.1);
        word(within!(offices, second, deed => Box::pin(dissolutions::confirm(deed, &from, digest, most))))
    }

    async fn dissolve(&self, offices: &Offices, from: &str, to: &str) -> Result<Plan, &'static str> {
        let digest = self.proposes(offices, from, Some(to)).await?.digest();
        self.confirms(offices, from, &digest, PIECE).await
    }
}

async fn work(offices: &Offices, at: &str) -> Work {
    let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
    dissolutions::work(&mut tx, &office(at), offices.clock.now()).await.unwrap()
}

async fn defects(offices: &Offices) -> Vec<String> {
    let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
    let found = overdue::look(&mut tx, offices.clock.today()).await.unwrap();
    found.defects.iter().map(overdue::Defect::says).collect()
}

async fn count(offices: &Offices, sql: Sql, arguments: Vec<Argument>) -> i64 {
    let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
    tx.one(sql, arguments).await.unwrap().unwrap().get("n").unwrap()
}

async fn told(offices: &Offices, id: ApplicationId, by: &Officer) -> Vec<&'static str> {
    let all = within!(offices, by, deed => notices::steps::of_application(deed, id)).unwrap();
    all.iter().map(|(notice, _)| notice.kind.word()).collect()
}

async fn stage(offices: &Offices, id: ApplicationId) -> &'static str {
    offices.application(id).await.stage.name()
}

/// Every row that carries a MAC is as the service wrote it.
async fn nothing_is_changed_by_another_hand(offices: &Offices) {
    let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
    for table in issuance::server::SEALED {
        assert_eq!(tx.walk(table).await.unwrap().1, Vec::<String>::new(), "{}", table.table);
    }
}

/// The citizen fetches the card at the office that takes the place.
async fn fetches(offices: &Offices, by: &Officer, application: &Application) -> Result<(), &'static str> {
    let card = offices.application(application.id).await.stage.card().unwrap();
    word(within!(offices, by, deed => hand_over(deed, card, &application.slip.0))).map(drop)
}

/// The road is long: it has a thread with room for it.
#[test]
fn work_at_every_stage_comes_to_its_end_at_the_office_that_takes_the_place() {
    let road = || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(on_both_offices(async |offices| Box::pin(every_stage(offices)).await));
    };
    std::thread::Builder::new().stack_size(64 << 20).spawn(road).unwrap().join().unwrap();
}

async fn every_stage(offices: &Offices) {
    let (deeds, admins) = (offices.state.deeds(), Admins::of(offices).await);
    let [capture, approver, stock, colleague, counter_there] = [
        officer(offices, Role::Capture, "district-2").await,
        officer(offices, Role::Approver, "district-2").await,
        officer(offices, Role::Stock, "district-2").await,
        officer(offices, Role::Stock, "district-2").await,
        officer(offices, Role::HandOver, "district-2").await,
    ]
    .map(|officer| of_successor(&officer, "district-2"));
    let far = officer(offices, Role::Stock, "district-3").await;
    let applies = async || {
        let person = offices.citizen().await;
        offices.applies(person, Kind::First).await.unwrap()
    };

    // A dossier at each stage at which it can wait.
    let made = async |number: u8| {
        let application = offices.approved(offices.citizen().await, Kind::First).await;
        let mut chip = offices.initialised(number).await;
        let card = offices.card(&mut chip).await;
        (application, card)
    };
    let (handed_over, card) = made(1).await;
    within!(offices, offices.counter, deed => hand_over(deed, card, &handed_over.slip.0)).unwrap();
    let (personalized, _) = made(2).await;
    let bound = offices.approved(offices.citizen().await, Kind::First).await;
    let mut chip = offices.initialised(3).await;
    offices.prepares(&offices.station, &chip).await.unwrap();
    let registered = applies().await;
    let captured = applies().await;
    offices.captures(captured.id).await;
    let returned = applies().await;
    offices.captures(returned.id).await;
    let until = date!(2026 - 12 - 04);
    let missing = Missing { reasons: vec![ReturnReason::EvidenceMissing], says: "Mang giấy khai sinh", until };
    let state = &offices.state;
    within!(offices, offices.approver, deed => counter::give_back(deed, &state.counter, returned.id, missing)).unwrap();
    let refused = applies().await;
    offices.captures(refused.id).await;
    within!(offices, offices.approver, deed => counter::refuse(deed, refused.id, "Ảnh không rõ")).unwrap();
    let claimed = applies().await;
    within!(offices, offices.capture, deed => issuance::applications::claims::claim(deed, &state.counter, claimed.id))
        .unwrap();
    let approved = offices.approved(offices.citizen().await, Kind::First).await;
    let promised = offices.application(approved.id).await.progress;
    assert_eq!(stage(offices, bound.id).await, "in-production");

    // Stock: blanks in the store and at the station, a spoiled chip, a lost one, boxes in both directions.
    let blanks: Vec<_> = (11..=20).map(serial).collect();
    delivered(offices, &offices.stock, "9", None, &blanks).await;
    spoils(offices, &blanks[..1]).await;
    within!(offices, offices.stock, deed => ends::report_lost(deed, &blanks[1], "gone")).unwrap();
    within!(offices, offices.stock, deed => steps::give_custody(deed, &blanks[2..4], offices.station.id)).unwrap();
    let sent =
        within!(offices, offices.stock, deed => boxes::send(deed, &blanks[4..6], office("district-3"), 2)).unwrap();
    let theirs = [serial(31), serial(32)];
    delivered(offices, &far, "10", None, &theirs).await;
    let coming = within!(offices, far, deed => boxes::send(deed, &theirs, office("district-1"), 2)).unwrap();

    let person = offices.citizen().await;

    // Without an office that takes the place it is refused, and says how many of what there are.
    assert_eq!(admins.proposes(offices, "district-1", None).await.map(drop), Err("dissolution-unfit"));
    let alone = within!(offices, admins.0, deed =>
        dissolutions::propose(deed, &office("district-1"), None, "x"));
    let said = alone.unwrap_err().to_string();
    assert!(
        said.contains("8 applications, 1 cards to fetch, 5 chips, 3 chips at stations, 2 boxes, 1 cases"),
        "{said}"
    );
    let before = work(offices, "district-1").await;
    let expected = Work {
        applications: 8,
        cards_to_fetch: 1,
        chips: 5,
        chips_at_stations: 3,
        boxes: 2,
        cases: 1,
        officers: 5,
        stations: 1,
        ..Work::default()
    };
    assert_eq!(before, expected);

    // Two administrators, and the second one has read what waits now.
    let plan = admins.proposes(offices, "district-1", Some("district-2")).await.unwrap();
    assert_eq!((plan.dissolution.state, plan.work), (DissolutionState::Proposed, expected));
    let one = within!(offices, admins.0, deed =>
        dissolutions::confirm(deed, &office("district-1"), &plan.digest(), PIECE));
    assert_eq!(word(one).map(drop), Err("second-officer-needed"));
    let late = applies().await;
    let stale = admins.confirms(offices, "district-1", &plan.digest(), PIECE).await;
    assert_eq!(stale.map(drop), Err("proposal-changed"), "an application came in since");
    within!(offices, offices.capture, deed => counter::withdraw(deed, late.id, "không cần nữa")).unwrap();
    let plan = admins.confirms(offices, "district-1", &plan.digest(), PIECE).await.unwrap();
    assert_eq!((plan.dissolution.state, plan.work), (DissolutionState::Dissolved, Work::default()));
    assert_eq!((plan.dissolution.applications, plan.dissolution.chips), (8, 12));

    // Owner, day and promise stay; the office changes; a claim ends; the citizen who is to come is told.
    let now = offices.application(approved.id).await;
    assert_eq!(now.progress.owner, Some((office("district-2"), Role::Stock)));
    assert_eq!((now.progress.due, now.progress.promised), (promised.due, promised.promised));
    let held = offices.application(claimed.id).await;
    let claim = {
        let mut tx = deeds.db().begin_read().await.unwrap();
        issuance::applications::claims::standing(&mut tx, &held, offices.clock.now()).await.unwrap()
    };
    assert!(claim.is_none(), "{claim:?}");
    assert_eq!(told(offices, personalized.id, &approver).await, ["ready", "office-moved"]);
    assert_eq!(told(offices, returned.id, &approver).await, ["returned", "office-moved"]);
    assert_eq!(told(offices, captured.id, &approver).await, Vec::<&str>::new());
    let trail = offices.trail(Object::Application(captured.id)).await;
    assert!(trail.contains(&"application-office-changed".to_owned()), "{trail:?}");
    assert_eq!(defects(offices).await, Vec::<String>::new());

    // What the ledger says: everything by postings, nothing left but the card in the citizen's hand.
    assert_eq!(checked(offices).await, Vec::<String>::new());
    let held = accounts(offices).await;
    let here: Vec<_> = held.iter().filter(|(account, _)| account.contains("district-1")).collect();
    assert_eq!(here, [(&"card district-1 personalized".to_owned(), &1)]);
    let there = |account: &str| held.get(account).copied().unwrap_or(0);
    assert_eq!((there("office district-2 delivered"), there("station district-2 delivered")), (4, 2));
    assert_eq!((there("station district-2 bound"), there("spoiled district-2 spoiled")), (1, 1));
    assert_eq!((there("lost district-2 lost"), there("card district-2 personalized")), (1, 1));
    assert_eq!((there("courier district-2 delivered"), there("courier district-3 delivered")), (2, 2));
    assert_eq!(way(offices, blanks[9]).await, ["moved"]);
    nothing_is_changed_by_another_hand(offices).await;

    // Each dossier comes to its end there, by officers of that office and by those who came with it.
    let moved_in = |officer: &Officer| of_successor(officer, "district-2");
    let came = moved_in(&offices.approver);
    fetches(offices, &counter_there, &personalized).await.unwrap();
    let station = issuance::ground::Station { office: office("district-2"), ..offices.station.clone() };
    let production = &offices.state.production;
    let presentation = chip.presentation();
    let ordered = within!(offices, station, deed =>
        issuance::production::personalization::order(deed, production, &presentation, None))
    .unwrap();
    let (receipt, _) = crypto::perso::play(&mut chip, &ordered.order, &mut |_| {});
    let signature = chip.signs(&ordered.challenge);
    let proof = issuance::production::personalization::Proof { challenge: &ordered.challenge, signature: &signature };
    within!(offices, station, deed =>
        issuance::production::personalization::receipt(deed, production, &receipt, Some(proof)))
    .unwrap();
    assert_eq!(stage(offices, bound.id).await, "personalized");
    fetches(offices, &counter_there, &bound).await.unwrap();

    let captures = async |id: ApplicationId| {
        use base64::Engine as _;
        let photograph = base64::engine::general_purpose::STANDARD.encode(crate::offices::photograph());
        let portrait = counter::develop(&state.counter, photograph, None).await.unwrap();
        within!(offices, capture, deed => counter::capture(deed, id, portrait, "Nốt ruồi")).unwrap();
    };
    for id in [registered.id, claimed.id] {
        captures(id).await;
    }
    within!(offices, capture, deed => counter::resubmit(deed, returned.id)).unwrap();
    let complaint = within!(offices, capture, deed =>
        appeals::appeal(deed, &state.counter, refused.id, "Ảnh rõ", offices.clock.today()));
    assert!(matches!(complaint.unwrap().stage, Stage::Appealed { .. }));
    let centre = officer(offices, Role::Approver, "national").await;
    within!(offices, centre, deed =>
        appeals::decide(deed, refused.id, appeals::AppealOutcome::Allowed, "Ảnh rõ"))
    .unwrap();
    assert_eq!(offices.application(refused.id).await.progress.owner, Some((office("district-2"), Role::Approver)));
    for id in [registered.id, claimed.id, captured.id, returned.id, refused.id] {
        offices.approves(&approver, id).await.unwrap();
    }
    assert!(offices.approves(&came, registered.id).await.is_err(), "it is approved already");
    // The stations that came make the rest, of blanks that came.
    let mut cards = 0;
    for number in 40..46 {
        let serials = [serial(number)];
        delivered(offices, &stock, &format!("b{number}"), None, &serials).await;
        within!(offices, stock, deed => steps::give_custody(deed, &serials, station.id)).unwrap();
        let keys = crypto::scp03::MasterKey::from_bytes(&crate::offices::TRANSPORT_MASTER).unwrap();
        let mut chip = crate::chip::Chip::blank(serials[0], keys.diversify(&serials[0], 0xff));
        let presented = chip.presentation();
        let order = within!(offices, station, deed =>
            issuance::production::intake::order(deed, production, &presented))
        .unwrap();
        let (receipt, _) = crypto::perso::play(&mut chip, &order, &mut |_| {});
        within!(offices, station, deed => issuance::production::intake::receipt(deed, production, &receipt)).unwrap();
        offices.prepares(&station, &chip).await.unwrap();
        let presented = chip.presentation();
        let ordered = within!(offices, station, deed =>
            issuance::production::personalization::order(deed, production, &presented, None))
        .unwrap();
        let (receipt, _) = crypto::perso::play(&mut chip, &ordered.order, &mut |_| {});
        let signature = chip.signs(&ordered.challenge);
        let proof =
            issuance::production::personalization::Proof { challenge: &ordered.challenge, signature: &signature };
        within!(offices, station, deed =>
            issuance::production::personalization::receipt(deed, production, &receipt, Some(proof)))
        .unwrap();
        cards += 1;
    }
    assert_eq!(cards, 6);
    for application in [&registered, &claimed, &captured, &returned, &refused, &approved] {
        fetches(offices, &counter_there, application).await.unwrap();
        assert_eq!(stage(offices, application.id).await, "handed-over");
    }

    // The boxes are received where they are now, the loss is settled there, and the store room is counted.
    within!(offices, far, deed => boxes::receive(deed, sent.id, &blanks[4..6], None)).unwrap();
    within!(offices, stock, deed => boxes::receive(deed, coming.id, &theirs, None)).unwrap();
    let loss = Object::Chip(blanks[1]).to_string();
    let unsettled =
        sql!("select count(*) as n from stock_case where subject = $1 and state <> 'settled' and office = $2");
    assert_eq!(count(offices, unsettled, args![loss, "district-2"]).await, 1);
    let asked = args![Object::Unit("district-2".into()).to_string(), "district-2"];
    assert_eq!(count(offices, unsettled, asked.clone()).await, 1, "a count is asked of the office");
    let begun = within!(offices, stock, deed => counts::begin(deed, None::<StationId>)).unwrap();
    let there: Vec<_> = blanks[6..].iter().chain(&theirs).copied().collect();
    let (finished, case) = within!(offices, stock, deed => counts::finish(deed, begun.id, &there)).unwrap();
    assert_eq!((finished.finished.unwrap().missing, case), (0, None));
    assert_eq!(count(offices, unsettled, asked).await, 0, "it was counted, and all is there");
    let id = {
        let mut tx = deeds.db().begin_read().await.unwrap();
        let row = tx.one(sql!("select id from stock_case where kind = 'lost'"), args![]).await.unwrap().unwrap();
        issuance::ground::Id::of(&row, "id").unwrap()
    };
    let proposed = within!(offices, stock, deed => cases::propose(deed, id, CaseOutcome::Lost, "we looked")).unwrap();
    let digest = proposed.digest().unwrap();
    within!(offices, colleague, deed => cases::confirm(deed, id, &digest)).unwrap();
    assert_eq!(checked(offices).await, Vec::<String>::new());
    assert_eq!(defects(offices).await, Vec::<String>::new());
    offices.counts_are_true().await;
    nothing_is_changed_by_another_hand(offices).await;

    // It is over: no second end, no way back, no new work.
    assert_eq!(admins.dissolve(offices, "district-1", "district-3").await.map(drop), Err("office-dissolved"));
    assert_eq!(admins.dissolve(offices, "district-2", "district-1").await.map(drop), Err("dissolution-unfit"));
    let national = officer(offices, Role::Capture, "national").await;
    let here = office("district-1");
    let request = Request { person, kind: Kind::First, office: &here, exempt: false, claim: None, acknowledged: None };
    let opened = within!(offices, national, deed => counter::register(deed, &state.counter, request));
    assert_eq!(word(opened).map(drop), Err("office-dissolved"));
    let boxed = within!(offices, far, deed => boxes::send(deed, &blanks[4..5], office("district-1"), 2));
    assert_eq!(word(boxed).map(drop), Err("stock-box-unfit"));
    assert_eq!(work(offices, "district-1").await, Work::default());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_between_two_stretches_or_within_one_loses_nothing() {
    on_both_offices(async |offices| {
        let (deeds, admins) = (offices.state.deeds(), Admins::of(offices).await);
        let capture = of_successor(&officer(offices, Role::Capture, "district-2").await, "district-2");
        let _keepers =
            [officer(offices, Role::Stock, "district-2").await, officer(offices, Role::Approver, "district-2").await];
        let mut dossiers = Vec::new();
        for _ in 0..7 {
            let person = offices.citizen().await;
            dossiers.push(offices.applies(person, Kind::First).await.unwrap().id);
        }
        let blanks: Vec<_> = (1..=9).map(serial).collect();
        delivered(offices, &offices.stock, "1", None, &blanks).await;
        within!(offices, offices.stock, deed => steps::give_custody(deed, &blanks[..2], offices.station.id)).unwrap();
        let digest = admins.proposes(offices, "district-1", Some("district-2")).await.unwrap().digest();
        let plan = admins.confirms(offices, "district-1", &digest, 3).await.unwrap();
        assert_eq!(plan.dissolution.state, DissolutionState::Closing);
        let left = plan.work;
        assert!(left.applications > 0 && left.applications < 7 && left.chips > 0, "{left:?}");
        assert_eq!((left.officers, left.stations), (0, 0), "people and stations come first");
        assert_eq!(defects(offices).await, Vec::<String>::new(), "the successor's officers act for it meanwhile");
        // Closing, it takes no new work; what waits there goes on in the hands of the successor's officers.
        let last = *dossiers.last().unwrap();
        assert_eq!(offices.application(last).await.office, office("district-1"));
        within!(offices, capture, deed => counter::withdraw(deed, last, "không cần nữa")).unwrap();
        assert_eq!(admins.dissolve(offices, "district-1", "district-3").await.map(drop), Err("office-dissolved"));
        assert_eq!(admins.dissolve(offices, "district-2", "district-3").await.map(drop), Err("dissolution-unfit"));

        // Stretches that die at any moment: each is there whole, or not at all.
        let id: DissolutionId = plan.dissolution.id;
        for micros in [0, 200, 1_000, 5_000, 20_000] {
            let mut cursor = Cursor::default();
            let dies = dissolutions::one_stretch(deeds, id, &mut cursor, 1);
            let _ = tokio::time::timeout(Span::from_micros(micros), Box::pin(dies)).await;
            // What a dropped connection leaves is rolled back by the database.
            tokio::time::sleep(Span::from_millis(20)).await;
            assert_eq!(checked(offices).await, Vec::<String>::new());
            let torn = sql!(
                "select count(*) as n from application
                 where owner_office is not null and office <> owner_office and owner_office <> 'national'"
            );
            assert_eq!(count(offices, torn, args![]).await, 0);
            nothing_is_changed_by_another_hand(offices).await;
        }
        // Two processes at once go on: each thing moves once.
        let (one, two) = tokio::join!(Box::pin(dissolutions::go_on(deeds)), Box::pin(dissolutions::go_on(deeds)));
        let went = [one, two].into_iter().flatten().count();
        assert!(went >= 1, "one of two may have to wait for the other");
        dissolutions::go_on(deeds).await.unwrap();
        assert_eq!(work(offices, "district-1").await, Work::default());
        let held = accounts(offices).await;
        assert_eq!(held["office district-2 delivered"] + held["station district-2 delivered"], 9);
        assert_eq!(checked(offices).await, Vec::<String>::new());
        let moved = sql!("select count(*) as n from application where office = 'district-2'");
        assert_eq!(count(offices, moved, args![]).await, 6);
        let changes = sql!("select count(*) as n from audit_entry where action = 'application-office-changed'");
        assert_eq!(count(offices, changes, args![]).await, 6, "each once");
        let ends = sql!("select count(*) as n from audit_entry where action = 'office-dissolved'");
        assert_eq!(count(offices, ends, args![]).await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_another_hand_changed_stays_behind_and_keeps_nothing_else_back() {
    on_both_offices(async |offices| {
        let (deeds, admins) = (offices.state.deeds(), Admins::of(offices).await);
        let _there = officer(offices, Role::Capture, "district-2").await;
        let mut dossiers = Vec::new();
        for _ in 0..3 {
            let person = offices.citizen().await;
            dossiers.push(offices.applies(person, Kind::First).await.unwrap().id);
        }
        let by_hand = async |sql: Sql| {
            let mut tx = deeds.db().begin_upkeep().await.unwrap();
            assert_eq!(tx.run(sql, args![dossiers[1]]).await.unwrap(), 1);
            tx.commit().await.unwrap();
        };
        by_hand(sql!("update application set fee = fee + 1 where id = $1")).await;
        let plan = admins.dissolve(offices, "district-1", "district-2").await.unwrap();
        assert_eq!((plan.dissolution.state, plan.work.applications), (DissolutionState::Closing, 1));
        let stays = dissolutions::go_on(deeds).await.unwrap_err().to_string();
        assert!(stays.contains(&dossiers[1].to_string()), "{stays}");
        // Mended, it follows.
        by_hand(sql!("update application set fee = fee - 1 where id = $1")).await;
        assert_eq!(dissolutions::go_on(deeds).await.unwrap(), 1);
        assert_eq!(work(offices, "district-1").await, Work::default());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cards_that_are_on_their_way_to_the_office_arrive_at_the_one_that_takes_its_place() {
    for database in [Some(None), fresh_database().map(Some)].into_iter().flatten() {
        let factory = Box::new(Box::pin(Factory::open(database)).await);
        Box::pin(on_their_way(&factory)).await;
    }
}

async fn on_their_way(factory: &Factory) {
    let (offices, admins) = (&factory.offices, Admins::of(&factory.offices).await);
    let keeper = of_successor(&officer(offices, Role::Stock, "district-2").await, "district-2");
    let hands = of_successor(&officer(offices, Role::HandOver, "district-2").await, "district-2");
    let made = Box::pin(factory.makes(2)).await;
    let parcel = factory.ships(&[made[0].2], "district-1").await.unwrap();
    let plan = admins.dissolve(offices, "district-1", "district-2").await.unwrap();
    assert_eq!(plan.dissolution.state, DissolutionState::Dissolved, "{:?}", plan.work);
    assert_eq!(factory.ships(&[made[1].2], "district-1").await, Err("stock-box-unfit"));
    let second = factory.ships(&[made[1].2], "district-2").await.unwrap();
    for (parcel, serial) in [(parcel, made[0].2), (second, made[1].2)] {
        assert_eq!(factory.receives(&keeper, parcel, &[serial]).await, Ok(None));
    }
    for (application, ..) in &made {
        fetches(offices, &hands, application).await.unwrap();
    }
    assert_eq!(checked(offices).await, Vec::<String>::new());
    assert_eq!(defects(offices).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_national_office_takes_the_place_no_officer_comes_along_and_its_cards_are_there() {
    for database in [Some(None), fresh_database().map(Some)].into_iter().flatten() {
        let factory = Box::new(Box::pin(Factory::open(database)).await);
        Box::pin(to_the_national_office(&factory)).await;
    }
}

async fn to_the_national_office(factory: &Factory) {
    let (offices, admins) = (&factory.offices, Admins::of(&factory.offices).await);
    let hands = of_successor(&officer(offices, Role::HandOver, "national").await, "national");
    let made = Box::pin(factory.makes(2)).await;
    let parcel = factory.ships(&[made[0].2], "district-1").await.unwrap();
    let refused = admins.dissolve(offices, "district-1", "national").await;
    assert_eq!(refused.map(drop), Err("dissolution-unfit"), "its officers would act for every office");
    let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
    let all = sql!("select id from officer where office = 'district-1' and disabled_at is null order by id");
    for row in tx.all(all, args![]).await.unwrap() {
        let id: issuance::ground::ids::OfficerId = issuance::ground::Id::of(&row, "id").unwrap();
        let leaves = sql!("update officer set disabled_at = $1 where id = $2");
        tx.change(&issuance::access::OFFICER, id, leaves, args![offices.clock.now(), id]).await.unwrap();
    }
    tx.commit().await.unwrap();
    let plan = admins.dissolve(offices, "district-1", "national").await.unwrap();
    assert_eq!(plan.dissolution.state, DissolutionState::Dissolved, "{:?}", plan.work);
    assert_eq!(stage(offices, made[1].0.id).await, "personalized", "it was made where it is fetched now");
    assert_eq!(factory.receives(&factory.second, parcel, &[made[0].2]).await, Ok(None));
    for (application, ..) in &made {
        fetches(offices, &hands, application).await.unwrap();
    }
    assert_eq!(checked(offices).await, Vec::<String>::new());
    assert_eq!(defects(offices).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_office_takes_no_place_for_which_no_officer_would_be_there() {
    on_both_offices(async |offices| {
        let admins = Admins::of(offices).await;
        let person = offices.citizen().await;
        offices.applies(person, Kind::First).await.unwrap();
        let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
        let leaves = sql!("update officer set disabled_at = $1 where id = $2");
        let id = offices.capture.id;
        tx.change(&issuance::access::OFFICER, id, leaves, args![offices.clock.now(), id]).await.unwrap();
        tx.commit().await.unwrap();
        let _there = officer(offices, Role::Stock, "district-2").await;
        let to = office("district-2");
        let refused = within!(offices, admins.0, deed =>
            dissolutions::propose(deed, &office("district-1"), Some(&to), "x"));
        let said = refused.unwrap_err().to_string();
        assert!(said.contains("work waits for capture"), "{said}");
        assert_eq!(admins.dissolve(offices, "district-1", "district-9").await.map(drop), Err("dissolution-unfit"));
        assert_eq!(admins.dissolve(offices, "district-1", "district-1").await.map(drop), Err("dissolution-unfit"));
        assert_eq!(admins.dissolve(offices, "national", "district-1").await.map(drop), Err("dissolution-unfit"));
        assert_eq!(admins.dissolve(offices, "district-9", "district-1").await.map(drop), Err("unit-unknown"));
        let _clerk = officer(offices, Role::Capture, "district-2").await;
        admins.dissolve(offices, "district-1", "district-2").await.unwrap();
        // A chain: the third office acts for the first one, too.
        let _heir = officer(offices, Role::Capture, "district-3").await;
        let plan = admins.dissolve(offices, "district-2", "district-3").await.unwrap();
        assert_eq!(plan.dissolution.applications, 1);
        assert_eq!(admins.dissolve(offices, "district-3", "district-1").await.map(drop), Err("dissolution-unfit"));
        assert_eq!(admins.dissolve(offices, "district-3", "district-2").await.map(drop), Err("dissolution-unfit"));
        assert_eq!(defects(offices).await, Vec::<String>::new());
    })
    .await;
}

fn good(said: &Said) -> &Value {
    assert!([200, 201].contains(&said.status), "{said:?}");
    &said.body
}

fn refused(said: &Said, code: &str) {
    assert_eq!(said.code(), code, "{said:?}");
}

const PATH: &str = "/api/v1/offices/o-1/dissolution";

async fn says_of_me(caller: &Caller, field: &str) -> Value {
    good(&caller.get("/api/v1/me").await)[field].clone()
}

#[tokio::test]
async fn two_administrators_of_the_national_office_dissolve_an_office_and_its_people_work_on_elsewhere() {
    on_both(async |house| {
        let (admin, second) = (&house.admin, &house.second);
        let district = |code: &str, parent: &str| {
            json!({"code": code, "kind": "district", "province": "003", "name": "Quận Mẫu", "parent": parent})
        };
        for (code, parent) in [("o-1", "national"), ("o-2", "national"), ("o-3", "o-1")] {
            good(&admin.post("/api/v1/units", code, district(code, parent)).await);
        }
        let clerk = house.officer("clerk", &[Role::Capture], "o-1").await;
        let keeper = house.officer("keeper", &[Role::Stock], "o-2").await;
        let local = house.officer("local", &[Role::Admin], "o-1").await;
        let (station, station_id) = house.station("counter-1").await;
        let wanted = json!({"successor": "o-2", "reason": "Nghị quyết 1"});
        refused(&local.post(PATH, "k", wanted.clone()).await, "other-office");
        refused(&local.get(PATH).await, "other-office");
        refused(&local.get("/api/v1/dissolutions").await, "other-office");
        let below = admin.post(PATH, "k", wanted.clone()).await;
        refused(&below, "dissolution-unfit");
        assert_eq!(below.body["detail"], "1 units stand below it: put them under another one first");
        let up = json!({"parent": "national", "reason": "x"});
        good(&admin.post("/api/v1/units/o-3/change", "up", up).await);
        let alone = admin.post(PATH, "k", json!({"successor": null, "reason": "x"})).await;
        refused(&alone, "dissolution-unfit");
        let detail = "no office is named that takes its place, and there are 2 officers, 1 stations";
        assert_eq!(alone.body["detail"], detail);
        refused(&admin.post(PATH, "k", json!({"successor": "o-2", "reason": " "})).await, "reason-missing");

        // Proposed and taken back; proposed and not confirmed in a week; proposed and confirmed.
        good(&admin.post(PATH, "one", wanted.clone()).await);
        let back = second.post(&format!("{PATH}/withdrawal"), "back", json!({})).await;
        assert_eq!(good(&back)["dissolution"]["state"], "withdrawn");
        refused(&second.post(&format!("{PATH}/withdrawal"), "again", json!({})).await, "proposal-unknown");
        let read = second.get(PATH).await;
        assert_eq!((&good(&read)["dissolution"], &read.body["work"]["officers"]), (&Value::Null, &json!(2)));
        let proposed = admin.post(PATH, "two", wanted.clone()).await;
        let digest = good(&proposed)["digest"].clone();
        let confirmation = format!("{PATH}/confirmation");
        refused(&admin.post(&confirmation, "own", json!({"digest": digest})).await, "second-officer-needed");
        refused(&second.post(&confirmation, "other", json!({"digest": "00"})).await, "proposal-changed");
        let dissolved = second.post(&confirmation, "yes", json!({"digest": digest})).await;
        assert_eq!(good(&dissolved)["dissolution"]["state"], "dissolved", "{dissolved:?}");
        assert!(second.post(&confirmation, "yes", json!({"digest": digest})).await.replayed);
        let listed = second.get("/api/v1/dissolutions").await;
        let states: Vec<_> =
            good(&listed)["items"].as_array().unwrap().iter().map(|item| item["state"].as_str().unwrap()).collect();
        assert_eq!(states, ["withdrawn", "dissolved"]);

        // The sessions of its officers go on, at the other office; those who were there act for it.
        assert_eq!(says_of_me(&clerk, "office").await, "o-2");
        assert_eq!(says_of_me(&keeper, "successor_of").await, json!(["o-1"]));
        good(&keeper.get("/api/v1/stock?office=o-1").await);
        let stations = admin.get("/api/v1/stations").await;
        let stands = good(&stations)["items"].as_array().unwrap().iter().find(|item| item["id"] == json!(station_id));
        assert_eq!(stands.unwrap()["office"], "o-2");
        drop(station);

        // Nothing new comes to the office.
        let officer = json!({"username": "late", "roles": ["stock"], "office": "o-1"});
        let said = admin.post("/api/v1/officers", "late", officer).await;
        refused(&said, "office-dissolved");
        assert_eq!(said.body["detail"], "o-1 is dissolved, and o-2 takes its place");
        let clerk_id = says_of_me(&clerk, "id").await;
        let move_back = json!({"office": "o-1", "reason": "x"});
        let path = format!("/api/v1/officers/{}/office", clerk_id.as_str().unwrap());
        refused(&admin.post(&path, "back", move_back).await, "office-dissolved");
        let (_, request) = crate::factors::csr();
        let enrolment = json!({"name": "counter-9", "office": "o-1", "csr_pem": request});
        refused(&admin.post("/api/v1/stations", "late", enrolment).await, "office-dissolved");
        refused(&admin.post("/api/v1/units", "late", district("o-9", "o-1")).await, "office-dissolved");
        let renamed = json!({"name": "Quận Cũ", "reason": "x"});
        refused(&admin.post("/api/v1/units/o-1/change", "late", renamed).await, "office-dissolved");
        refused(&admin.post(PATH, "late", wanted).await, "office-dissolved");

        // One in which nothing waits needs no other office.
        let empty = "/api/v1/offices/o-3/dissolution";
        let proposed = admin.post(empty, "e", json!({"successor": null, "reason": "x"})).await;
        let body = json!({"digest": good(&proposed)["digest"]});
        let dissolved = second.post(&format!("{empty}/confirmation"), "e", body).await;
        assert_eq!(good(&dissolved)["dissolution"]["state"], "dissolved");
        refused(&admin.get("/api/v1/offices/Ở/dissolution").await, "identifier-malformed");
    })
    .await;
}
