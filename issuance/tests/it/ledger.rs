//! The ledger of the stock: every movement of a chip is a posting, on SQLite and on PostgreSQL.

use std::collections::BTreeMap;

use crypto::identity::CardSerial;
use issuance::applications::hand_over::hand_over;
use issuance::applications::model::Kind;
use issuance::deed::Object;
use issuance::ground::ids::{CaseId, DestructionId, OfficerId};
use issuance::ground::{Officer, Randomness, Role};
use issuance::production::cases::{self, CaseOutcome, CaseState};
use issuance::production::ends::{self, Wanted};
use issuance::production::recalls::{self, RecallKind};
use issuance::production::{batches, boxes, counts, steps, withdrawal};
use issuance::server::{self, Settings};
use issuance::store::{Argument, Sql};
use issuance::web::Problem;
use issuance::{args, production, sql};
use serde_json::json;
use time::Duration;

use crate::offices::{Offices, appoint, employs, moves, within};
use crate::statements::all_statements;
use crate::tables::fresh_database;

/// Runs a scenario on SQLite, then on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            Box::pin(booked::$name(&Offices::open(None).await, None)).await;
            if let Some(url) = fresh_database() {
                Box::pin(booked::$name(&Offices::open(Some(url.clone())).await, Some(url))).await;
            }
        }
    )* };
}

on_both!(
    every_step_of_a_chip_is_a_posting_and_the_sum_is_zero,
    what_another_hand_moves_is_found,
    a_destruction_needs_two_witnesses_who_confirm_by_themselves,
    a_lost_chip_becomes_no_card_and_is_spoiled_when_it_is_found,
    a_box_with_one_too_few_and_one_too_many_is_settled_by_both_offices,
    a_count_finds_the_difference_and_is_bound_to_its_moment,
    a_recalled_chip_gets_no_order_and_those_on_cards_are_listed,
    a_batch_closes_only_when_every_chip_is_accounted_for,
    a_card_without_a_signed_document_and_a_document_without_its_card_raise_the_alarm,
);

/// The way of a chip begins with its delivery, and is told in the order in which it was written: a clock that was set
/// back in between changes nothing.
#[tokio::test]
async fn the_way_of_a_chip_begins_with_its_delivery_and_goes_by_the_order_of_postings() {
    crate::house::on_both(async |house| {
        let keeper = house.officer("keeper", &[Role::Stock], "o-1").await;
        let (sees, witness) = house.appointed("witness", &[Role::Approver], "o-1").await;
        let other = house.officer("other", &[Role::Approver], "o-1").await;
        let (_, station) = house.station("station-1").await;
        let serials = [serial(1).to_string(), serial(2).to_string()];
        let body = json!({"manufacturer": "M", "batch": "1", "transport_key_id": "maker", "serials": serials});
        assert_eq!(keeper.post("/api/v1/stock/deliveries", "d", body).await.status, 201);
        let way = async |query: &str| -> Vec<String> {
            let said = keeper.get(&format!("/api/v1/stock/{}/postings{query}", serials[0])).await;
            let items = said.body["items"].as_array().unwrap_or_else(|| panic!("{said:?}"));
            items.iter().map(|item| item["what"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(way("").await, ["received"]);
        let given = json!({"serials": &serials[..1], "station_id": station});
        assert_eq!(keeper.post("/api/v1/stock/custody", "c", given).await.status, 200);
        house.clock.jump(Duration::seconds(-30));
        let lost = keeper.post(&format!("/api/v1/stock/{}/loss", serials[0]), "l", json!({"reason": "gone"})).await;
        assert_eq!(lost.status, 200, "{lost:?}");
        assert_eq!(way("").await, ["received", "opened", "lost"]);
        let mut paged = Vec::new();
        let mut after = String::new();
        loop {
            let said = keeper.get(&format!("/api/v1/stock/{}/postings?limit=1{after}", serials[0])).await;
            let item = &said.body["items"][0];
            paged.push(item["what"].as_str().unwrap_or_else(|| panic!("{said:?}")).to_owned());
            let Some(next) = said.body["next"].as_str() else { break };
            after = format!("&after={next}");
        }
        assert_eq!(paged, ["received", "opened", "lost"]);

        // A write-off that lapsed waits for no witness.
        let path = format!("/api/v1/stock/{}/write-off", serials[1]);
        let proposed = keeper.post(&path, "w", json!({"reason": "bent", "witness": witness})).await;
        assert_eq!(proposed.status, 200, "{proposed:?}");
        let waits = async |caller: &crate::house::Caller| {
            let path = format!("/api/v1/stock/{}", serials[1]);
            caller.get(&path).await.body["awaits_witness"].clone()
        };
        assert_eq!(waits(&keeper).await, json!(witness));
        // The witness, who keeps no stock, reads what is to be confirmed, and nothing else of the stock.
        let read = sees.get(&path).await;
        let shown = ["serial", "state", "reason"].map(|name| read.body[name].clone());
        assert_eq!(shown, [json!(serials[1]), json!("delivered"), json!("bent")], "{read:?}");
        for other in [&other, &keeper] {
            assert_eq!(other.get(&path).await.code(), "proposal-unknown", "another officer reads it");
        }
        let unnamed = format!("/api/v1/stock/{}/write-off", serials[0]);
        assert_eq!(sees.get(&unnamed).await.code(), "proposal-unknown");
        assert_eq!(sees.get(&format!("/api/v1/stock/{}", serials[1])).await.code(), "role-missing");
        house.clock.advance(Duration::days(8));
        let mut again = house.anyone();
        let session = again.signs_in("keeper", crate::house::PASSWORD).await;
        again.token = Some(session.body["token"].as_str().unwrap().into());
        assert_eq!(waits(&again).await, serde_json::Value::Null);
        let session = again.signs_in("witness", crate::house::PASSWORD).await;
        again.token = Some(session.body["token"].as_str().unwrap().into());
        assert_eq!(again.get(&path).await.code(), "proposal-unknown", "it lapsed");
    })
    .await;
}

#[test]
fn an_office_that_is_none_has_no_accounts() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let settings = crate::house::settings(&folder, None);
    let rng = &mut Randomness::seeded(1).draw();
    server::init(&settings, &issuance::keys::InitOptions::default(), "admin", crate::house::now(), rng).unwrap();
    runtime.block_on(async {
        let service = issuance::Service::start(&settings, None, Randomness::seeded(2)).await.unwrap();
        service.stop().await;
    });
    let balances = |office: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_issuance"));
        command.args(["stock", "balances", "--office", office, "--data"]).arg(&settings.data);
        command.output().unwrap()
    };
    assert!(balances("national").status.success());
    let refused = balances("o1");
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(refused.status.code() == Some(1) && said.contains("no office is called o1"), "{said}");
}

/// The one place that writes chips writes their postings with them: no other statement of the program touches a chip.
#[test]
fn no_other_statement_than_the_ledgers_changes_a_chip() {
    let writes = |statement: &&crate::statements::Statement| {
        let text = statement.pg.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        let verbs = ["update chip ", "insert into chip ", "delete from chip "];
        let seals = text.starts_with("update chip set version = $1, mac = $2 where");
        verbs.iter().any(|verb| text.contains(verb)) && !seals
    };
    let all = all_statements();
    let found: Vec<_> = all.iter().filter(writes).map(|statement| statement.path.as_str()).collect();
    assert_eq!(found, ["production/store/ledger.rs", "production/store/ledger.rs"], "one inserts, one updates");
}

pub fn word<T>(said: Result<T, impl Into<Problem>>) -> Result<T, &'static str> {
    said.map_err(|error| error.into().code().word())
}

pub fn serial(number: u8) -> CardSerial {
    CardSerial([0, 1, 2, 3, 4, 5, 6, 7, 8, number])
}

/// What the accounts hold, without stations' and boxes' identifiers.
pub async fn accounts(offices: &Offices) -> BTreeMap<String, i64> {
    let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
    let balances = production::balances(&mut tx).await.unwrap();
    assert_eq!(balances.complaints(), Vec::<String>::new());
    assert_eq!(balances.sum, 0);
    let mut held = BTreeMap::new();
    for (account, n) in balances.accounts {
        let parts = [Some(account.place.word()), account.office.as_ref().map(issuance::ground::OfficeCode::as_str)];
        let state = account.state.map(issuance::production::model::ChipStateName::word);
        let parts: Vec<_> = parts.into_iter().chain([state]).flatten().collect();
        *held.entry(parts.join(" ")).or_default() += n;
    }
    held
}

pub async fn checked(offices: &Offices) -> Vec<String> {
    let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
    production::check_ledger(&mut tx).await.unwrap().complaints
}

/// What moved a chip, in the order in which it did.
pub async fn way(offices: &Offices, serial: CardSerial) -> Vec<String> {
    let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
    let sql = sql!("select what from posting where serial = $1 order by id");
    let rows = tx.all(sql, args![serial.to_string()]).await.unwrap();
    rows.iter().map(|row| row.get("what").unwrap()).collect()
}

/// Enters blanks of the office `district-1`.
pub async fn delivered(
    offices: &Offices,
    officer: &Officer,
    batch: &str,
    firmware: Option<&str>,
    serials: &[CardSerial],
) {
    let production = &offices.state.production;
    let delivery = steps::Delivery { manufacturer: "Maker", batch, transport_key_id: "maker", firmware, serials };
    within!(offices, officer, deed => steps::deliver(deed, production, delivery)).unwrap();
}

pub async fn spoils(offices: &Offices, serials: &[CardSerial]) {
    let station = offices.station.id;
    within!(offices, offices.stock, deed => steps::give_custody(deed, serials, station)).unwrap();
    for serial in serials {
        within!(offices, offices.station, deed => withdrawal::spoil(deed, serial, "torn", "none")).unwrap();
    }
}

pub async fn destruction(
    offices: &Offices,
    serials: &[CardSerial],
    witnesses: [OfficerId; 2],
) -> Result<DestructionId, &'static str> {
    let wanted = Wanted { serials, method: "shredded", witnesses };
    let proposed = within!(offices, offices.stock, deed => ends::propose_destruction(deed, wanted));
    word(proposed).map(|proposed| proposed.id)
}

pub async fn settles(
    offices: &Offices,
    (one, two): (&Officer, &Officer),
    case: CaseId,
    outcome: CaseOutcome,
) -> Result<(), &'static str> {
    let proposed = word(within!(offices, one, deed => cases::propose(deed, case, outcome, "as counted together")))?;
    let digest = proposed.digest().unwrap();
    let alone = within!(offices, one, deed => cases::confirm(deed, case, &digest));
    assert_eq!(word(alone).map(drop), Err("second-officer-needed"));
    word(within!(offices, two, deed => cases::confirm(deed, case, &digest))).map(drop)
}

mod booked {
    use super::*;

    pub async fn every_step_of_a_chip_is_a_posting_and_the_sum_is_zero(offices: &Offices, _: Option<String>) {
        let person = offices.citizen().await;
        offices.approved(person, Kind::First).await;
        let mut chip = offices.initialised(1).await;
        offices.prepares(&offices.station, &chip).await.unwrap();
        let expected = [("station district-1 bound", 1), ("supplier", -1)].map(|(name, n)| (name.to_owned(), n));
        assert_eq!(accounts(offices).await, BTreeMap::from(expected));
        offices.card(&mut chip).await;
        assert_eq!(way(offices, chip.serial).await, ["opened", "initialised", "bound", "personalized"]);
        let (stock, serial) = (&offices.stock, chip.serial);
        let witness = &offices.approver;
        within!(offices, stock, deed => withdrawal::write_off(deed, &serial, "blurred", witness.id)).unwrap();
        within!(offices, witness, deed => withdrawal::confirm_write_off(deed, &serial, "blurred")).unwrap();
        assert_eq!(way(offices, chip.serial).await.last().unwrap(), "spoiled");
        let expected = [("spoiled district-1 spoiled", 1), ("supplier", -1)].map(|(name, n)| (name.to_owned(), n));
        assert_eq!(accounts(offices).await, BTreeMap::from(expected));
        assert_eq!(checked(offices).await, Vec::<String>::new());
        // Each posting names the record of the trail that says who did it.
        let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
        let sql = sql!(
            "select action from posting left join v_audit_entry on v_audit_entry.id = posting.entry_id
             order by posting.id"
        );
        let rows = tx.all(sql, args![]).await.unwrap();
        let actions: Vec<String> = rows.iter().map(|row| row.get("action").unwrap()).collect();
        let expected = [
            "stock-delivered",
            "chip-custody-given",
            "chip-initialised",
            "application-bound",
            "card-personalized",
            "chip-spoiled",
        ];
        assert_eq!(actions, expected);
    }

    pub async fn what_another_hand_moves_is_found(offices: &Offices, database: Option<String>) {
        let blanks: Vec<_> = (1..=4).map(serial).collect();
        delivered(offices, &offices.stock, "1", None, &blanks).await;
        spoils(offices, &blanks[3..]).await;
        assert_eq!(checked(offices).await, Vec::<String>::new());
        let by_hand = async |sql: Sql, arguments: Vec<Argument>| {
            let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
            tx.run(sql, arguments).await.unwrap();
            tx.commit().await.unwrap();
        };
        // A blank leaves the store room without a posting.
        let id = blanks[0].to_string();
        by_hand(sql!("update chip set office = 'district-9' where id = $1"), args![&id]).await;
        let said = checked(offices).await;
        assert!(said.iter().any(|said| said.starts_with("office/district-9/delivered: 0 by postings")), "{said:?}");
        assert!(
            said.contains(&format!("chip {id}: its last posting put it on office/district-1/delivered")),
            "{said:?}"
        );
        by_hand(sql!("update chip set office = 'district-1' where id = $1"), args![&id]).await;
        assert_eq!(checked(offices).await, Vec::<String>::new());
        // A spoiled chip is a blank again: the figures say it without a walk.
        by_hand(sql!("update chip set state = 'delivered' where id = $1"), args![blanks[3].to_string()]).await;
        let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
        let said = production::balances(&mut tx).await.unwrap().complaints();
        drop(tx);
        assert_eq!(said, ["delivered: 3 on accounts, 4 chips", "spoiled: 1 on accounts, 0 chips"]);
        by_hand(sql!("update chip set state = 'spoiled' where id = $1"), args![blanks[3].to_string()]).await;
        // A posting that is gone, and one that was exchanged.
        let last = sql!("delete from posting where what = 'spoiled'");
        by_hand(last, args![]).await;
        let said = checked(offices).await;
        assert!(said.iter().any(|said| said.contains("0 by postings, 1 by the tally, 1 chips")), "{said:?}");
        let bigger = sql!("update posting set n = n + 1 where what = 'received'");
        by_hand(bigger, args![]).await;
        let settings = Settings { database, ..Settings::new(offices.data.path()) };
        let verified = server::verify(&settings, |_| ()).await.unwrap();
        assert!(verified.faults.iter().any(|(table, _)| *table == "posting"), "{:?}", verified.faults);
        assert!(!verified.ledger.complaints.is_empty());
        let status = server::status::status(&settings).await.unwrap();
        assert_eq!(status.stock_ledger.sum, 0, "the tally still adds up");
    }

    pub async fn a_destruction_needs_two_witnesses_who_confirm_by_themselves(offices: &Offices, _: Option<String>) {
        let blanks: Vec<_> = (1..=3).map(serial).collect();
        delivered(offices, &offices.stock, "1", None, &blanks).await;
        let (one, two, three) = (&offices.approver, &offices.counter, &offices.capture);
        let both = [one.id, two.id];
        assert_eq!(destruction(offices, &blanks, both).await, Err("chip-not-spoiled"));
        spoils(offices, &blanks).await;
        let elsewhere = moves(offices.state.deeds(), &appoint(offices.state.deeds(), Role::Stock).await, "o-9").await;
        for (who, unfit) in [
            ("the reporter", [offices.stock.id, one.id]),
            ("the reporter as the second", [one.id, offices.stock.id]),
            ("one twice", [one.id, one.id]),
            ("of another office", [one.id, elsewhere.id]),
        ] {
            assert_eq!(destruction(offices, &blanks, unfit).await, Err("witness-unfit"), "{who}");
        }
        let id = destruction(offices, &blanks, both).await.unwrap();
        let confirms = async |by: &Officer, id| {
            word(within!(offices, by, deed => ends::confirm_destruction(deed, id))).map(|done| done.is_done())
        };
        for by in [&offices.stock, three] {
            assert_eq!(confirms(by, id).await, Err("proposal-unknown"), "an officer who is no witness");
        }
        assert_eq!(confirms(one, id).await, Ok(false));
        assert_eq!(confirms(one, id).await, Err("proposal-unknown"), "one witness counts once");
        assert_eq!(accounts(offices).await["spoiled district-1 spoiled"], 3);
        assert_eq!(confirms(two, id).await, Ok(true));
        assert_eq!(accounts(offices).await["destroyed district-1 destroyed"], 3);
        assert_eq!(way(offices, blanks[0]).await, ["opened", "spoiled", "destroyed"]);
        assert_eq!(destruction(offices, &blanks, both).await, Err("chip-destroyed"));
        // After a week it is proposed anew; and what was lost meanwhile is not destroyed.
        let more = [serial(4)];
        delivered(offices, &offices.stock, "2", None, &more).await;
        spoils(offices, &more).await;
        let late = destruction(offices, &more, both).await.unwrap();
        offices.clock.advance(Duration::days(7));
        assert_eq!(confirms(one, late).await, Err("proposal-unknown"));
        let again = destruction(offices, &more, both).await.unwrap();
        assert_eq!(confirms(one, again).await, Ok(false));
        let stock = &offices.stock;
        within!(offices, stock, deed => ends::report_lost(deed, &more[0], "not in the box of waste")).unwrap();
        assert_eq!(confirms(two, again).await, Err("chip-lost"));
        assert_eq!(checked(offices).await, Vec::<String>::new());
    }

    pub async fn a_lost_chip_becomes_no_card_and_is_spoiled_when_it_is_found(offices: &Offices, _: Option<String>) {
        let person = offices.citizen().await;
        let application = offices.approved(person, Kind::First).await;
        let chip = offices.initialised(1).await;
        let ordered = offices.orders(&chip).await.unwrap();
        let (stock, serial) = (&offices.stock, chip.serial);
        within!(offices, stock, deed => ends::report_lost(deed, &serial, "gone after the shift")).unwrap();
        assert_eq!(offices.application(application.id).await.stage.name(), "approved", "it waits for another chip");
        let (receipt, _) = crypto::perso::play(&mut { chip }, &ordered.order, &mut |_| {});
        let late = word(offices.receives(&receipt, None).await).map(drop);
        assert_eq!(late, Err("chip-lost"));
        let again = within!(offices, stock, deed => ends::report_lost(deed, &serial, "gone"));
        assert_eq!(word(again).map(drop), Err("chip-lost"));
        let write_off = within!(offices, stock, deed => withdrawal::write_off(deed, &serial, "x", offices.approver.id));
        assert_eq!(word(write_off).map(drop), Err("chip-lost"));
        let case = only_case(offices, &Object::Chip(serial)).await;
        assert_eq!(case.0, CaseState::Open);
        let (chip, found) = within!(offices, stock, deed => ends::find(deed, &serial, "behind the reader")).unwrap();
        assert_eq!((chip.state.name(), found.id), ("lost", case.1), "one officer alone finds nothing");
        let digest = found.digest().unwrap();
        let alone = within!(offices, stock, deed => cases::confirm(deed, found.id, &digest));
        assert_eq!(word(alone).map(drop), Err("second-officer-needed"));
        let colleague = appoint(offices.state.deeds(), Role::Stock).await;
        within!(offices, colleague, deed => cases::confirm(deed, found.id, &digest)).unwrap();
        let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
        let state = production::chip_state(&mut tx, &serial).await.unwrap();
        drop(tx);
        assert_eq!(state.as_deref(), Some("spoiled"), "where it was meanwhile is not known");
        assert_eq!(only_case(offices, &Object::Chip(serial)).await.0, CaseState::Settled);
        let twice = within!(offices, stock, deed => ends::find(deed, &serial, "behind the reader"));
        assert_eq!(word(twice).map(drop), Err("chip-not-lost"));
        assert_eq!(way(offices, serial).await, ["opened", "initialised", "bound", "lost", "found"]);
        // The application gets its card on another chip.
        let mut other = offices.initialised(2).await;
        offices.card(&mut other).await;
        assert_eq!(checked(offices).await, Vec::<String>::new());
    }

    /// State and identifier of the one case about something.
    async fn only_case(offices: &Offices, subject: &Object) -> (CaseState, CaseId) {
        let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
        let sql = sql!("select id, state from stock_case where subject = $1");
        let rows = tx.all(sql, args![subject.to_string()]).await.unwrap();
        assert_eq!(rows.len(), 1);
        let state: String = rows[0].get("state").unwrap();
        let id = issuance::ground::Id::of(&rows[0], "id").unwrap();
        (serde_json::from_value(state.into()).unwrap(), id)
    }

    pub async fn a_box_with_one_too_few_and_one_too_many_is_settled_by_both_offices(
        offices: &Offices,
        _: Option<String>,
    ) {
        let deeds = offices.state.deeds();
        let far = moves(deeds, &appoint(deeds, Role::Stock).await, "district-2").await;
        let other = moves(deeds, &appoint(deeds, Role::Stock).await, "district-2").await;
        let blanks: Vec<_> = (1..=5).map(serial).collect();
        delivered(offices, &offices.stock, "1", None, &blanks).await;
        let send = async |serials: &[CardSerial], to: &str| {
            let to = to.parse().unwrap();
            word(within!(offices, offices.stock, deed => boxes::send(deed, serials, to, 2))).map(|sent| sent.id)
        };
        assert_eq!(send(&blanks[..1], "district-1").await, Err("stock-box-unfit"));
        let id = send(&blanks[..3], "district-2").await.unwrap();
        assert_eq!(send(&blanks[2..4], "district-2").await, Err("chip-in-box"), "nothing of it is sent");
        assert_eq!(accounts(offices).await["courier district-1 delivered"], 3);
        let station = offices.station.id;
        let taken = within!(offices, offices.stock, deed => steps::give_custody(deed, &blanks[..1], station));
        assert_eq!(word(taken), Err("chip-in-box"));
        // The first one is not there, the fourth one is, and one that no delivery brought.
        let counted = [blanks[1], blanks[2], blanks[3], serial(99)];
        let receive = async |by: &Officer| word(within!(offices, by, deed => boxes::receive(deed, id, &counted, None)));
        assert_eq!(receive(&offices.stock).await.map(drop), Err("other-office"), "the sender does not receive it");
        let (received, case) = receive(&far).await.unwrap();
        assert_eq!(received.received.unwrap().1, 4);
        assert_eq!(receive(&far).await.map(drop), Err("stock-box-unknown"), "once");
        let held = accounts(offices).await;
        assert_eq!(held["office district-2 delivered"], 2);
        assert_eq!(held["courier district-1 delivered"], 1, "the missing one");
        assert_eq!(held["office district-1 delivered"], 2, "the one too many is where it was");
        let case = case.unwrap();
        let wrong = within!(offices, far, deed => cases::propose(deed, case, CaseOutcome::Explained, "x"));
        assert_eq!(word(wrong).map(drop), Err("stock-case-outcome-unfit"));
        let sender = &offices.stock;
        let before = within!(offices, far, deed => cases::confirm(deed, case, ""));
        assert_eq!(word(before).map(drop), Err("proposal-unknown"), "before it is proposed");
        let stranger = moves(deeds, &appoint(deeds, Role::Stock).await, "district-3").await;
        let stranger = within!(offices, stranger, deed => cases::confirm(deed, case, ""));
        assert_eq!(word(stranger).map(drop), Err("other-office"));
        // The first officer may not keep stock any more when the second one confirms.
        let lost = within!(offices, far, deed => cases::propose(deed, case, CaseOutcome::Lost, "x")).unwrap();
        let lost = lost.digest().unwrap();
        employs(deeds, &far, &[Role::Capture]).await;
        let stale = within!(offices, sender, deed => cases::confirm(deed, case, &lost));
        assert_eq!(word(stale).map(drop), Err("proposal-stale"));
        employs(deeds, &far, &far.roles).await;
        // What was read is not what is settled: the proposal changed meanwhile.
        within!(offices, far, deed => cases::propose(deed, case, CaseOutcome::Returned, "x")).unwrap();
        let other_than_read = within!(offices, sender, deed => cases::confirm(deed, case, &lost));
        assert_eq!(word(other_than_read).map(drop), Err("proposal-changed"));
        let alone = settles(offices, (&far, &other), case, CaseOutcome::Arrived).await;
        assert_eq!(alone, Err("second-officer-needed"), "two of one office do not say what the other one has");
        settles(offices, (&far, sender), case, CaseOutcome::Arrived).await.unwrap();
        let held = accounts(offices).await;
        assert_eq!((held["office district-2 delivered"], held.get("courier district-1 delivered")), (4, None));
        let again = within!(offices, far, deed => cases::propose(deed, case, CaseOutcome::Lost, "x"));
        assert_eq!(word(again).map(drop), Err("stock-case-unknown"));
        // A box that comes whole opens no case; one that comes empty can be lost.
        let whole = send(&blanks[4..], "district-2").await.unwrap();
        let came = within!(offices, far, deed => boxes::receive(deed, whole, &blanks[4..], None)).unwrap();
        assert!(came.1.is_none());
        let back = within!(offices, far, deed => boxes::send(deed, &blanks[..2], "district-1".parse().unwrap(), 2));
        let (_, case) =
            within!(offices, offices.stock, deed => boxes::receive(deed, back.unwrap().id, &[], None)).unwrap();
        settles(offices, (sender, &far), case.unwrap(), CaseOutcome::Lost).await.unwrap();
        assert_eq!(accounts(offices).await["lost district-2 lost"], 2, "the office that sent it answers for it");
        assert_eq!(checked(offices).await, Vec::<String>::new());
    }

    pub async fn a_count_finds_the_difference_and_is_bound_to_its_moment(offices: &Offices, database: Option<String>) {
        let blanks: Vec<_> = (1..=4).map(serial).collect();
        let (stock, station) = (&offices.stock, offices.station.id);
        delivered(offices, stock, "1", None, &blanks).await;
        within!(offices, stock, deed => steps::give_custody(deed, &blanks[..3], station)).unwrap();
        let begin = async || within!(offices, stock, deed => counts::begin(deed, station)).unwrap().id;
        let finish = async |id, counted: &[CardSerial]| {
            word(within!(offices, stock, deed => counts::finish(deed, id, counted))).map(|(count, case)| {
                let finished = count.finished.unwrap();
                ((finished.counted, finished.missing, finished.extra), case)
            })
        };
        let id = begin().await;
        assert_eq!(finish(id, &blanks[..3]).await.unwrap(), ((3, 0, 0), None));
        assert_eq!(finish(id, &blanks[..3]).await.map(drop), Err("stock-count-unknown"), "once");
        // A blank is written on meanwhile: what was counted is of no moment.
        let id = begin().await;
        within!(offices, offices.station, deed => withdrawal::spoil(deed, &blanks[2], "torn", "none")).unwrap();
        assert_eq!(finish(id, &blanks[..2]).await.map(drop), Err("stock-count-overtaken"));
        let id = begin().await;
        let ((counted, missing, extra), case) = finish(id, &[blanks[0], blanks[3]]).await.unwrap();
        assert_eq!((counted, missing, extra), (2, 1, 1));
        let case = case.unwrap();
        // It has a day by which it is settled; after that day the status complains.
        let settings = Settings { database, ..Settings::new(offices.data.path()) };
        let cases = async || {
            let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
            production::open_cases(&mut tx, offices.clock.today()).await.unwrap()
        };
        assert_eq!(cases().await, (1, 0));
        offices.clock.advance(Duration::days(6));
        assert_eq!(cases().await, (1, 1), "three working days are over");
        let status = server::status::status(&settings).await.unwrap();
        assert_eq!(status.stock_ledger.cases_open, 1);
        let colleague = appoint(offices.state.deeds(), Role::Stock).await;
        settles(offices, (stock, &colleague), case, CaseOutcome::Lost).await.unwrap();
        assert_eq!(cases().await, (0, 0));
        assert_eq!(way(offices, blanks[1]).await, ["opened", "lost"]);
        assert_eq!(way(offices, blanks[3]).await, Vec::<String>::new(), "what is too many is not lost");
        assert_eq!(checked(offices).await, Vec::<String>::new());
    }

    pub async fn a_recalled_chip_gets_no_order_and_those_on_cards_are_listed(offices: &Offices, _: Option<String>) {
        let deeds = offices.state.deeds();
        let one = moves(deeds, &appoint(deeds, Role::Stock).await, "national").await;
        let two = moves(deeds, &appoint(deeds, Role::Stock).await, "national").await;
        let person = offices.citizen().await;
        let of_card = offices.approved(person, Kind::First).await;
        let mut card = offices.initialised(1).await;
        let card_id = offices.card(&mut card).await;
        let taken_in = offices.initialised(2).await;
        let mut blank = offices.blank(3).await;
        let person = offices.citizen().await;
        let waits = offices.approved(person, Kind::First).await.id;
        let propose = async |by: &Officer, kind, value: &str, manufacturer: Option<&str>| {
            let wanted = recalls::Wanted { kind, value, manufacturer, reason: "weak random numbers" };
            word(within!(offices, by, deed => recalls::propose(deed, wanted))).map(|recall| recall.id)
        };
        assert_eq!(propose(&offices.stock, RecallKind::Lot, "1", None).await, Err("other-office"));
        assert_eq!(propose(&one, RecallKind::Lot, "7", None).await, Err("recall-unfit"));
        assert_eq!(propose(&one, RecallKind::Lot, "1", Some("Another")).await, Err("recall-unfit"));
        assert_eq!(propose(&one, RecallKind::Delivery, "1", None).await, Err("recall-unfit"));
        // Spelled otherwise, it is the same.
        let id = propose(&one, RecallKind::Lot, "1", Some("MA KER")).await.unwrap();
        let confirm = async |by: &Officer| word(within!(offices, by, deed => recalls::confirm(deed, id))).map(drop);
        // Proposed alone it changes nothing.
        assert!(offices.prepares(&offices.station, &taken_in).await.is_ok());
        assert_eq!(confirm(&one).await, Err("second-officer-needed"));
        assert_eq!(confirm(&two).await, Ok(()));
        assert_eq!(confirm(&two).await, Err("proposal-unknown"));
        // One that was being written is written off, and its application waits for another chip.
        let refused = offices.prepares(&offices.station, &taken_in).await;
        assert_eq!(word(refused), Err("chip-recalled"), "also one that was bound before");
        assert_eq!(offices.application(waits).await.stage.name(), "approved");
        // One that is a card is not handed over; written off, its application waits for another one.
        let slip = &of_card.slip.0;
        let handed = within!(offices, offices.counter, deed => hand_over(deed, card_id, slip));
        assert_eq!(word(handed).map(drop), Err("card-recalled"));
        assert!(offices.trail(Object::Card(card_id)).await.contains(&"card-recalled".to_owned()));
        let (of, chip) = (offices.capture.id, card.serial);
        within!(offices, offices.stock, deed => withdrawal::write_off(deed, &chip, "recalled", of)).unwrap();
        within!(offices, offices.capture, deed => withdrawal::confirm_write_off(deed, &chip, "recalled")).unwrap();
        assert_eq!(offices.application(of_card.id).await.stage.name(), "approved");
        assert_eq!(word(offices.takes_in(&mut blank).await).map(drop), Err("chip-recalled"));
        // A chip of another lot, and of another firmware, is not concerned.
        let other = [serial(9)];
        delivered(offices, &offices.stock, "2", Some("JC 4.1"), &other).await;
        let id = propose(&one, RecallKind::Firmware, "jc4.1", None).await.unwrap();
        within!(offices, two, deed => recalls::confirm(deed, id)).unwrap();
        // Another hand hides a lot from its recall: its chips get no order for that.
        let sql = sql!("update delivery set batch = '8' where batch = '1'");
        let mut tx = deeds.db().begin_upkeep().await.unwrap();
        assert!(tx.run(sql, args![]).await.unwrap() > 0);
        tx.commit().await.unwrap();
        assert_eq!(word(offices.takes_in(&mut blank).await).map(drop), Err("record-tampered"));
        assert_eq!(checked(offices).await, Vec::<String>::new());
    }

    pub async fn a_batch_closes_only_when_every_chip_is_accounted_for(offices: &Offices, _: Option<String>) {
        let person = offices.citizen().await;
        offices.approved(person, Kind::First).await;
        let mut card = offices.initialised(1).await;
        let (torn, held, gone) = (serial(2), serial(3), serial(4));
        for number in 2..=4 {
            offices.blank(number).await;
        }
        let (stock, station) = (&offices.stock, offices.station.id);
        let all = [card.serial, torn, held, gone];
        let open = async |serials: &[CardSerial]| {
            word(within!(offices, stock, deed => batches::open(deed, station, serials))).map(|batch| batch.id)
        };
        let elsewhere = [serial(9)];
        delivered(offices, stock, "9", None, &elsewhere).await;
        assert_eq!(open(&elsewhere).await, Err("chip-in-other-custody"));
        let id = open(&all).await.unwrap();
        assert_eq!(open(&all[..1]).await, Err("chip-in-batch"));
        let close = async |held: &[CardSerial]| {
            let closed = word(within!(offices, stock, deed => batches::close(deed, id, held)));
            closed.map(|batch| batch.closed.map(|closed| (closed.good, closed.spoiled, closed.held)).unwrap())
        };
        assert_eq!(close(&[torn, held, gone]).await, Err("chip-unaccounted"), "one is not written yet");
        offices.card(&mut card).await;
        within!(offices, offices.station, deed => withdrawal::spoil(deed, &torn, "torn", "none")).unwrap();
        assert_eq!(close(&[held]).await, Err("chip-unaccounted"), "one is not in hand");
        assert_eq!(close(&[torn, held, gone]).await, Err("chip-unaccounted"), "one in hand is spoiled");
        assert_eq!(close(&[held, gone, serial(9)]).await, Err("chip-unaccounted"), "one in hand is of no batch");
        let lost = within!(offices, stock, deed => ends::report_lost(deed, &gone, "fell behind the desk")).unwrap();
        assert_eq!(close(&[held]).await, Err("chip-unaccounted"), "its case is not settled");
        let case = only_case(offices, &Object::Chip(lost.serial)).await.1;
        let colleague = appoint(offices.state.deeds(), Role::Stock).await;
        settles(offices, (stock, &colleague), case, CaseOutcome::Lost).await.unwrap();
        assert_eq!(close(&[held]).await, Ok((1, 2, 1)), "in = good + spoiled + held");
        assert_eq!(close(&[held]).await, Err("production-batch-unknown"), "once");
        assert!(open(&[held]).await.is_ok(), "what is held goes into another tray");
    }

    pub async fn a_card_without_a_signed_document_and_a_document_without_its_card_raise_the_alarm(
        offices: &Offices,
        _: Option<String>,
    ) {
        let person = offices.citizen().await;
        offices.approved(person, Kind::First).await;
        let mut chip = offices.initialised(1).await;
        offices.card(&mut chip).await;
        let said = async || {
            let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
            production::disagreements(&mut tx, offices.clock.now()).await.unwrap()
        };
        let by_hand = async |sql: Sql| {
            let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
            assert_eq!(tx.run(sql, args![]).await.unwrap(), 1);
            tx.commit().await.unwrap();
        };
        assert_eq!(said().await, Vec::<String>::new());
        by_hand(sql!("update document set state = 'dropped'")).await;
        assert_eq!(said().await, [format!("chip {}: card without a signed document", chip.serial)]);
        by_hand(sql!("update document set state = 'signed'")).await;
        by_hand(sql!("update chip set state = 'initialised'")).await;
        assert_eq!(said().await, [format!("chip {}: signed document that is not its card", chip.serial)]);
        by_hand(sql!("update chip set state = 'personalized'")).await;
        assert_eq!(said().await, Vec::<String>::new());
        // Another digest, and a card that is gone.
        by_hand(sql!("update document set prepared = sod_sha256, sod_sha256 = files")).await;
        let digest = format!("chip {}: its card has another digest than its document", chip.serial);
        assert_eq!(said().await, [digest.as_str()]);
        assert_eq!(checked(offices).await, [digest.as_str()], "`issuance stock check` and `verify` see it");
        offices.clock.advance(Duration::hours(2));
        assert_eq!((said().await, checked(offices).await.len()), (vec![], 1), "it has no case, and is old");
        offices.clock.jump(Duration::hours(-2));
        by_hand(sql!("update document set sod_sha256 = prepared")).await;
        assert_eq!(said().await, Vec::<String>::new());
        by_hand(sql!("delete from card")).await;
        assert_eq!(said().await, [format!("chip {}: its card is not in the registry of cards", chip.serial)]);
        // Once the service met it, it stays until two settle it.
        let deeds = offices.state.deeds();
        for _ in 0..2 {
            production::open_cases_of_disagreements(deeds).await.unwrap();
        }
        offices.clock.advance(Duration::hours(2));
        let (alarm, seen) = (said().await, checked(offices).await);
        assert!(alarm.len() == 1 && alarm[0].contains("waits for two stock keepers"), "{alarm:?}");
        assert_eq!(alarm, seen);
        let mut tx = deeds.db().begin_read().await.unwrap();
        let row = tx.one(sql!("select id from stock_case where kind = 'signed'"), args![]).await.unwrap().unwrap();
        drop(tx);
        let id: CaseId = issuance::ground::Id::of(&row, "id").unwrap();
        let second = moves(deeds, &appoint(deeds, Role::Stock).await, "district-1").await;
        let (outcome, why) = (CaseOutcome::Explained, "the card was deleted by hand; restored from the backup");
        let proposed = within!(offices, offices.stock, deed => cases::propose(deed, id, outcome, why)).unwrap();
        assert_eq!(said().await.len(), 1, "one officer settles nothing");
        let digest = proposed.digest().unwrap();
        within!(offices, second, deed => cases::confirm(deed, id, &digest)).unwrap();
        assert_eq!((said().await, checked(offices).await), (vec![], vec![]));
        // What was settled is that difference: another one of the same chip is an alarm, and a case of its own.
        offices.clock.jump(Duration::hours(-2));
        production::open_cases_of_disagreements(deeds).await.unwrap();
        assert_eq!(said().await, Vec::<String>::new(), "the one that was explained is silent");
        by_hand(sql!("update document set state = 'dropped'")).await;
        assert_eq!(said().await, [format!("chip {}: card without a signed document", chip.serial)]);
        for _ in 0..2 {
            production::open_cases_of_disagreements(deeds).await.unwrap();
        }
        let alarm = said().await;
        assert!(alarm.len() == 1 && alarm[0].contains("waits for two stock keepers"), "{alarm:?}");
    }
}
