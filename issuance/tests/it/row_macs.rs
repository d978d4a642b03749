//! Rows that were changed by another hand than the service's are refused, on SQLite and on PostgreSQL.

use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::lds::File;
use crypto::perso::problem::ProblemCode;
use issuance::applications::model::{ChangeReason, Kind};
use issuance::applications::payments::{self, FeeUndoing, Payment, PaymentMethod};
use issuance::applications::steps::{self as counter, Request};
use issuance::bookings::model::{DayOfWeek, OpeningHours};
use issuance::bookings::steps::{self as hours, Wish};
use issuance::cards::CardError;
use issuance::deed::Occasion;
use issuance::ground::ids::ApplicationId;
use issuance::ground::{Id, Role};
use issuance::server::{self, Settings};
use issuance::store::{Argument, Sql, StoreError};
use issuance::web::Problem;
use issuance::{args, cards, production, sql};

use crate::house;
use crate::offices::{LOST, Offices, appoint, moves, photograph, within};
use crate::tables::fresh_database;

/// Runs a scenario on SQLite, then on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            tampered::$name(&Offices::open(None).await, None).await;
            if let Some(url) = fresh_database() {
                tampered::$name(&Offices::open(Some(url.clone())).await, Some(url)).await;
            }
        }
    )* };
}

on_both!(
    what_the_service_writes_passes,
    a_portrait_exchanged_between_approval_and_production_makes_no_card,
    a_stage_that_was_written_by_hand_makes_no_card,
    a_hidden_application_lets_no_second_one_begin,
    a_chip_that_was_made_blank_again_is_refused,
    a_card_that_was_made_active_again_is_refused,
    a_station_that_was_moved_is_refused,
    a_mac_of_another_row_or_none_is_refused,
    an_officer_who_captured_stays_involved_whatever_another_hand_writes_or_deletes,
    a_right_to_read_a_person_that_another_hand_gave_is_none,
    a_write_off_whose_witness_another_hand_exchanged_is_refused,
    an_entry_of_the_fees_that_another_hand_deletes_is_missed_in_the_till,
    hours_that_another_hand_wrote_give_no_slot,
);

/// Another hand: a statement that is not the service's.
async fn by_hand(offices: &Offices, sql: Sql, arguments: Vec<Argument>) {
    let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
    assert_eq!(tx.run(sql, arguments).await.unwrap(), 1);
    tx.commit().await.unwrap();
}

/// The walk over all rows. Returns the faults as `table id`.
async fn faults(offices: &Offices, database: Option<String>) -> Vec<String> {
    let settings = Settings { database, ..Settings::new(offices.data.path()) };
    let verified = server::verify(&settings, |_| ()).await.unwrap();
    verified.faults.iter().map(|(table, id)| format!("{table} {id}")).collect()
}

/// `stage_data` of an application.
async fn stage_data(offices: &Offices, id: ApplicationId) -> serde_json::Value {
    let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
    let row = tx.one(sql!("select stage_data from application where id = $1"), args![id]).await.unwrap();
    row.unwrap().get("stage_data").unwrap()
}

/// The name of a portrait that the service keeps and that was captured for no application.
/// A portrait of another face than [`photograph`]'s, that the service keeps.
pub async fn another_face(offices: &Offices) -> String {
    let mirrored = image::load_from_memory(&photograph()).unwrap().fliph().to_rgb8();
    let mut jpeg = vec![];
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 90).encode_image(&mirrored).unwrap();
    counter::develop(&offices.state.counter, STANDARD.encode(jpeg), None).await.unwrap()
}

fn code(error: impl Into<Problem>) -> ProblemCode {
    error.into().code()
}

mod tampered {
    use super::*;

    pub async fn what_the_service_writes_passes(offices: &Offices, database: Option<String>) {
        let person = offices.citizen().await;
        let application = offices.approved(person, Kind::First).await;
        let mut chip = offices.initialised(1).await;
        let card = offices.card(&mut chip).await;
        let slip = application.slip.0.clone();
        within!(offices, offices.counter, deed => issuance::applications::hand_over::hand_over(deed, card, &slip))
            .unwrap();
        within!(offices, offices.counter, deed => cards::steps::report_loss(deed, card, LOST)).unwrap();
        let spoiled = offices.initialised(2).await;
        let serial = spoiled.presentation().serial;
        within!(offices, offices.station, deed => production::withdrawal::spoil(deed, &serial, "torn", "none"))
            .unwrap();
        offices.blank(3).await;
        let settings = Settings { database: database.clone(), ..Settings::new(offices.data.path()) };
        let verified = server::verify(&settings, |_| ()).await.unwrap();
        assert_eq!(verified.faults, []);
        let tables = [
            ("officer", 6),
            ("station", 1),
            ("card", 1),
            ("application", 1),
            ("chip", 3),
            ("session", 5),
            ("officer_proposal", 0),
            ("person_reader", 1),
            ("application_officer", 1),
            ("write_off", 0),
            ("finding", 0),
            ("officer_certificate", 0),
            ("legal_hold", 0),
            ("register_change", 0),
            ("register_event", 1),
            ("import_batch", 0),
            ("number_lease", 0),
            ("register_merge", 0),
            ("duplicate_verdict", 0),
            ("posting", 11),
            ("destruction", 0),
            ("stock_case", 0),
            ("stock_box", 0),
            ("stock_count", 0),
            ("stock_count_part", 0),
            ("recall", 0),
            ("production_batch", 0),
            ("delivery", 3),
            ("card_batch", 0),
            ("batch_item", 0),
            ("fee_entry", 0),
            ("register_check", 0),
            ("classification", 0),
            ("archive_request", 0),
            ("contact", 0),
            ("notice", 1),
            ("stand_in", 0),
            ("dissolution", 0),
            ("booking", 0),
            ("body_doubt", 0),
            ("fee_till", 0),
            ("office_hours", 0),
            ("declaration_form", 0),
            ("partner", 0),
            ("partner_system", 0),
            ("agreement", 0),
            ("exchange_purpose", 0),
            ("exchange_delay", 0),
            ("exchange_canary", 0),
            ("emergency_look", 0),
            ("exchange_report", 0),
            ("partner_address", 0),
            ("fingerprint_card", 0),
            ("citizen_code", 0),
            ("objection", 0),
        ];
        assert_eq!(verified.tables, tables);
        let (code, said) = verify_command(offices, database.as_deref());
        assert!(code == Some(0) && said.contains("application 1") && said.contains("deleted"), "{said}");
    }

    pub async fn a_portrait_exchanged_between_approval_and_production_makes_no_card(
        offices: &Offices,
        database: Option<String>,
    ) {
        let (robbed, honest) = (offices.citizen().await, offices.citizen().await);
        let robbed = offices.approved(robbed, Kind::First).await;
        offices.clock.advance(time::Duration::seconds(1));
        let honest = offices.approved(honest, Kind::First).await;
        // A face that the service keeps, of which the second officer never heard.
        let other = another_face(offices).await;
        let mut stage = stage_data(offices, robbed.id).await;
        let taken = stage.to_string().split("\"portrait\":\"").nth(1).unwrap()[..64].to_owned();
        stage = serde_json::from_str(&stage.to_string().replace(&taken, &other)).unwrap();
        let sql = sql!("update application set stage_data = $1 where id = $2");
        by_hand(offices, sql, args![Argument::Json(Some(stage)), robbed.id]).await;
        let mut chip = offices.initialised(1).await;
        offices.card(&mut chip).await;
        assert_eq!(offices.application(honest.id).await.stage.name(), "personalized", "the queue goes on");
        let read = within!(offices, offices.capture, deed => counter::read(deed, robbed.id, Occasion::default()));
        assert_eq!(code(read.unwrap_err()), ProblemCode::RecordTampered);
        assert_eq!(faults(offices, database.clone()).await, [format!("application {}", robbed.id)]);
        let (code, said) = verify_command(offices, database.as_deref());
        assert!(code == Some(1) && said.contains(&robbed.id.to_string()), "{said}");
    }

    pub async fn an_officer_who_captured_stays_involved_whatever_another_hand_writes_or_deletes(
        offices: &Offices,
        database: Option<String>,
    ) {
        let colleague = appoint(offices.state.deeds(), Role::Capture).await;
        let mut waiting = Vec::new();
        for _ in 0..2 {
            let person = offices.citizen().await;
            let application = offices.applies(person, Kind::First).await.unwrap();
            let portrait = counter::develop(&offices.state.counter, STANDARD.encode(photograph()), None).await.unwrap();
            let first = portrait.clone();
            within!(offices, colleague, deed => counter::capture(deed, application.id, first, "Nốt ruồi")).unwrap();
            // Captured once more by another officer: only the table knows of the colleague.
            within!(offices, offices.capture, deed => counter::capture(deed, application.id, portrait, "Nốt ruồi"))
                .unwrap();
            waiting.push(application.id);
        }
        let exchange =
            sql!("update application_officer set officer_id = $1 where application_id = $2 and officer_id = $3");
        by_hand(offices, exchange, args![offices.stock.id, waiting[0], colleague.id]).await;
        let delete = sql!("delete from application_officer where application_id = $1 and officer_id = $2");
        by_hand(offices, delete, args![waiting[1], colleague.id]).await;
        for id in &waiting {
            let refused = offices.approves(&offices.approver, *id).await.unwrap_err();
            assert_eq!(code(refused), ProblemCode::RecordTampered);
        }
        let changed = format!("application_officer {} {}", waiting[0], offices.stock.id);
        assert_eq!(faults(offices, database).await, [changed]);
    }

    pub async fn a_right_to_read_a_person_that_another_hand_gave_is_none(offices: &Offices, database: Option<String>) {
        let person = offices.citizen().await;
        let deeds = offices.state.deeds();
        let stranger = moves(deeds, &appoint(deeds, Role::Capture).await, "district-2").await;
        let reads = async || within!(offices, stranger, deed => issuance::population::steps::read(deed, person, Occasion::default()));
        assert_eq!(code(reads().await.unwrap_err()), ProblemCode::OtherOffice);
        let gives = sql!("insert into person_reader (person_id, office, since) values ($1, 'district-2', $2)");
        by_hand(offices, gives, args![person, offices.clock.now()]).await;
        assert_eq!(code(reads().await.unwrap_err()), ProblemCode::RecordTampered);
        assert_eq!(faults(offices, database).await, [format!("person_reader {person} district-2")]);
    }

    pub async fn a_write_off_whose_witness_another_hand_exchanged_is_refused(
        offices: &Offices,
        database: Option<String>,
    ) {
        let serial = offices.initialised(1).await.presentation().serial;
        let (stock, witness) = (&offices.stock, offices.counter.id);
        within!(offices, stock, deed => production::withdrawal::write_off(deed, &serial, "torn", witness)).unwrap();
        let exchange = sql!("update write_off set witness = $1 where serial = $2");
        by_hand(offices, exchange, args![offices.capture.id, serial.to_string()]).await;
        let confirmed =
            within!(offices, offices.capture, deed => production::withdrawal::confirm_write_off(deed, &serial, "torn"));
        assert_eq!(code(confirmed.unwrap_err()), ProblemCode::RecordTampered);
        assert_eq!(faults(offices, database).await, [format!("write_off {serial}")]);
    }

    pub async fn an_entry_of_the_fees_that_another_hand_deletes_is_missed_in_the_till(
        offices: &Offices,
        database: Option<String>,
    ) {
        let settings = Settings { database: database.clone(), ..Settings::new(offices.data.path()) };
        let miscounted = async || {
            let found = Box::pin(server::verify(&settings, |_| ())).await.unwrap();
            let one = |one: server::Miscount| (one.of, one.state, one.said, one.counted);
            (found.miscounted.into_iter().map(one).collect::<Vec<_>>(), found.faults)
        };
        let office = "district-1".parse().unwrap();
        let mut entries = Vec::new();
        for receipt in ["A 1", "A 2"] {
            let person = offices.citizen().await;
            let kind = Kind::Change(ChangeReason::OnRequest);
            let acknowledged = Some("a card of before the register");
            let request = Request { person, kind, office: &office, exempt: false, claim: None, acknowledged };
            let opened =
                within!(offices, offices.capture, deed => counter::register(deed, &offices.state.counter, request));
            let on = offices.clock.today();
            let payment = Payment { dong: 50_000, method: PaymentMethod::Cash, receipt, on };
            let id = opened.unwrap().id;
            let paid = within!(offices, offices.capture, deed => payments::pay(deed, id, payment)).unwrap();
            entries.push(paid.entries[0].id);
        }
        assert_eq!(miscounted().await, (vec![], vec![]));
        by_hand(offices, sql!("delete from fee_entry where id = $1"), args![entries[0]]).await;
        let of = "fee_entry";
        let missed = vec![(of, "district-1".to_owned(), 2, 1), (of, "district-1 đồng".to_owned(), 100_000, 50_000)];
        assert_eq!(miscounted().await, (missed, vec![]));
        let (code, said) = verify_command(offices, database.as_deref());
        assert!(code == Some(1) && said.contains("fee_entry district-1: there are 1, the tally says 2"), "{said}");
        // A till that is made to agree is no till of the service's; and it stops no payment.
        by_hand(offices, sql!("update fee_till set entries = 1, dong = 50000 where office = $1"), args!["district-1"])
            .await;
        assert_eq!(miscounted().await, (vec![], vec![("fee_till", "district-1".to_owned())]));
        let opened = offices.applies(offices.citizen().await, Kind::First).await.unwrap();
        assert_eq!(opened.fee, 0);
        let undo = FeeUndoing::Void;
        let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
        let of_entry = sql!("select application_id from fee_entry where id = $1");
        let id = Id::of(&tx.one(of_entry, args![entries[1]]).await.unwrap().unwrap(), "application_id").unwrap();
        drop(tx);
        within!(offices, offices.counter, deed => payments::undo(deed, id, entries[1], undo, "entered twice")).unwrap();
    }

    pub async fn hours_that_another_hand_wrote_give_no_slot(offices: &Offices, database: Option<String>) {
        let deeds = offices.state.deeds();
        let (admin, office) = (appoint(deeds, Role::Admin).await, "district-1".parse().unwrap());
        let monday = OpeningHours {
            weekday: DayOfWeek::Monday,
            from: "08:00".parse().unwrap(),
            to: "09:00".parse().unwrap(),
            slot_minutes: 30,
            desks: 1,
        };
        let today = offices.clock.today();
        within!(offices, admin, deed => hours::set_hours(deed, &office, today, vec![monday], "x")).unwrap();
        let (person, day) = (offices.citizen().await, time::macros::date!(2026 - 11 - 23));
        let books = async |person| {
            let wish = Wish { person, office: &office, day, from: "08:00".parse().unwrap(), claim: None };
            within!(offices, offices.capture, deed => hours::book(deed, &offices.state.bookings, wish))
        };
        let booked = books(person).await.unwrap().booking;
        let kept = async || Box::pin(issuance::bookings::upkeep::keep(deeds)).await.unwrap().to_be_moved;
        assert_eq!((faults(offices, database.clone()).await, kept().await), (vec![], 0));
        by_hand(offices, sql!("update office_hours set hours = $1"), vec![Argument::json(&Vec::<OpeningHours>::new())])
            .await;
        assert_eq!(faults(offices, database).await, ["office_hours district-1 1".to_owned()]);
        assert_eq!(code(books(offices.citizen().await).await.unwrap_err()), ProblemCode::RecordTampered);
        // No citizen loses a booking by it.
        assert_eq!(kept().await, 0);
        let read = within!(offices, offices.capture, deed => hours::read(deed, &offices.state.bookings, booked.id));
        assert_eq!(read.unwrap().0.booking.state.word(), "booked");
    }

    pub async fn a_stage_that_was_written_by_hand_makes_no_card(offices: &Offices, database: Option<String>) {
        let person = offices.citizen().await;
        let application = offices.applies(person, Kind::First).await.unwrap();
        offices.captures(application.id).await;
        let sql = sql!("update application set stage = 'approved' where id = $1");
        by_hand(offices, sql, args![application.id]).await;
        let chip = offices.initialised(1).await;
        let refused = offices.prepares(&offices.station, &chip).await.unwrap_err();
        assert_eq!(code(refused), ProblemCode::NothingToPersonalize);
        let approved = offices.approves(&offices.approver, application.id).await.unwrap_err();
        assert_eq!(code(approved), ProblemCode::RecordTampered);
        assert_eq!(faults(offices, database).await, [format!("application {}", application.id)]);
    }

    pub async fn a_hidden_application_lets_no_second_one_begin(offices: &Offices, _: Option<String>) {
        let person = offices.citizen().await;
        let application = offices.applies(person, Kind::First).await.unwrap();
        let sql = sql!("update application set stage = 'cancelled' where id = $1");
        by_hand(offices, sql, args![application.id]).await;
        let second = offices.applies(person, Kind::First).await.unwrap_err();
        assert_eq!(code(second), ProblemCode::RecordTampered);
    }

    pub async fn a_chip_that_was_made_blank_again_is_refused(offices: &Offices, database: Option<String>) {
        let mut chip = offices.initialised(1).await;
        let serial = chip.presentation().serial;
        let sql = sql!("update chip set state = 'delivered', state_data = $1 where id = $2");
        let delivered = Argument::json(&production::model::ChipState::Delivered);
        by_hand(offices, sql, vec![delivered, serial.to_string().into()]).await;
        assert_eq!(code(offices.takes_in(&mut chip).await.unwrap_err()), ProblemCode::RecordTampered);
        assert_eq!(faults(offices, database).await, [format!("chip {serial}")]);
    }

    pub async fn a_card_that_was_made_active_again_is_refused(offices: &Offices, database: Option<String>) {
        let person = offices.citizen().await;
        offices.approved(person, Kind::First).await;
        let mut chip = offices.initialised(1).await;
        let card = offices.card(&mut chip).await;
        by_hand(offices, sql!("update card set status = 'active' where id = $1"), args![card]).await;
        let hash = hex::encode(crypto::sod::Sod::parse(chip.file(File::Sod)).unwrap().fingerprint());
        let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
        let status = cards::steps::status(&mut tx, &hash).await.unwrap_err();
        assert!(matches!(&status, CardError::Store(StoreError::Tampered { table: "card", .. })), "{status}");
        drop(tx);
        let lost = within!(offices, offices.counter, deed => cards::steps::report_loss(deed, card, LOST));
        assert_eq!(code(lost.unwrap_err()), ProblemCode::RecordTampered);
        assert_eq!(faults(offices, database).await, [format!("card {card}")]);
    }

    pub async fn a_station_that_was_moved_is_refused(offices: &Offices, database: Option<String>) {
        let id = offices.station.id;
        by_hand(offices, sql!("update station set office = 'district-2' where id = $1"), args![id]).await;
        let stock = &offices.stock;
        let given = within!(offices, stock, deed => production::steps::give_custody(deed, &[], id));
        assert_eq!(code(given.unwrap_err()), ProblemCode::RecordTampered);
        assert_eq!(faults(offices, database).await, [format!("station {id}")]);
    }

    pub async fn a_mac_of_another_row_or_none_is_refused(offices: &Offices, database: Option<String>) {
        let (one, other) = (offices.citizen().await, offices.citizen().await);
        let one = offices.applies(one, Kind::First).await.unwrap();
        let other = offices.applies(other, Kind::First).await.unwrap();
        let sql = sql!(
            "update application set mac = (select mac from application where id = $1),
                 version = (select version from application where id = $1) where id = $2"
        );
        by_hand(offices, sql, args![one.id, other.id]).await;
        let sql = sql!("update application set mac = null, version = null where id = $1");
        by_hand(offices, sql, args![one.id]).await;
        let mut expected = [format!("application {}", one.id), format!("application {}", other.id)];
        let mut found = faults(offices, database).await;
        expected.sort();
        found.sort();
        assert_eq!(found, expected);
        for id in [one.id, other.id] {
            let read = within!(offices, offices.capture, deed => counter::read(deed, id, Occasion::default()));
            assert_eq!(code(read.unwrap_err()), ProblemCode::RecordTampered);
        }
    }
}

/// `issuance verify`: exit code, and all that it said.
fn verify_command(offices: &Offices, database: Option<&str>) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_issuance"));
    command.arg("verify").arg("--data").arg(offices.data.path()).stdin(Stdio::null());
    if let Some(url) = database {
        command.args(["--database", url]);
    }
    let done = command.output().unwrap();
    (done.status.code(), String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_was_written_by_hand_opens_nothing() {
    house::on_both(async |house| {
        let officer = house.officer("capture-1", &[Role::Capture], "o-1").await;
        assert_eq!(officer.get("/api/v1/audit?actor=officer/x").await.code(), "role-missing");
        let db = house.service.offices().deeds().db();
        let mut tx = db.begin_upkeep().await.unwrap();
        let sql = sql!("update officer set roles = $1 where username = 'capture-1'");
        tx.run(sql, vec![Argument::json(&[Role::Auditor])]).await.unwrap();
        tx.commit().await.unwrap();
        let said = officer.get("/api/v1/audit?actor=officer/x").await;
        assert_eq!((said.status, said.code()), (500, "record-tampered"));
        let said = house.anyone().signs_in("capture-1", house::PASSWORD).await;
        assert_eq!((said.status, said.code()), (500, "record-tampered"));
    })
    .await;
}
