//! What one officer, or one office, cannot say of the stock alone, on SQLite and on PostgreSQL: what another office
//! has, that a chip was found, what a second officer read.

use crypto::identity::CardSerial;
use issuance::deed::Object;
use issuance::ground::ids::{BoxId, CaseId, StationId};
use issuance::ground::{Officer, Role};
use issuance::production::cases::{self, CaseOutcome};
use issuance::production::ends::{self, Wanted};
use issuance::production::{self, batches, boxes, counts, steps, withdrawal};
use issuance::server::overdue;
use issuance::{args, sql};
use time::Duration;

use crate::ledger::{accounts, checked, delivered, serial, settles, way, word};
use crate::offices::{Offices, appoint, employs, enrol, moves, within};
use crate::tables::fresh_database;

/// Runs a scenario on SQLite, then on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            Box::pin(told::$name(&Offices::open(None).await)).await;
            if let Some(url) = fresh_database() {
                Box::pin(told::$name(&Offices::open(Some(url)).await)).await;
            }
        }
    )* };
}

on_both!(
    a_receipt_does_not_say_what_the_sender_has,
    an_officer_who_sends_does_not_receive_and_custody_stays_within_an_office,
    a_box_that_is_not_received_is_an_alarm_and_a_case,
    a_box_goes_to_an_office_that_receives_it_and_can_be_called_back,
    the_witness_confirms_what_was_proposed_by_an_officer_who_still_keeps_the_stock,
    a_chip_of_an_open_batch_stays_and_the_batch_of_a_revoked_station_closes,
    a_batch_of_before_says_which_of_its_chips_moved,
    a_count_with_the_same_difference_joins_the_case_and_one_without_ends_it,
    a_store_room_is_counted_in_parts,
);

async fn keeper(offices: &Offices, office: &str) -> Officer {
    let deeds = offices.state.deeds();
    moves(deeds, &appoint(deeds, Role::Stock).await, office).await
}

async fn sends(offices: &Offices, by: &Officer, serials: &[CardSerial], to: &str) -> Result<BoxId, &'static str> {
    let to = to.parse().unwrap();
    word(within!(offices, by, deed => boxes::send(deed, serials, to, 2))).map(|sent| sent.id)
}

async fn receives(
    offices: &Offices,
    by: &Officer,
    id: BoxId,
    counted: &[CardSerial],
) -> Result<Option<CaseId>, &'static str> {
    word(within!(offices, by, deed => boxes::receive(deed, id, counted, None))).map(|(_, case)| case)
}

async fn gives(offices: &Offices, by: &Officer, serials: &[CardSerial]) -> Result<(), &'static str> {
    let station = offices.station.id;
    word(within!(offices, by, deed => steps::give_custody(deed, serials, station)))
}

/// Identifiers of the cases that an officer of this office sees and that are not settled.
async fn cases_of(offices: &Offices, office: &str) -> Vec<String> {
    let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
    let sql =
        sql!("select id from stock_case where (office = $1 or from_office = $1) and state <> 'settled' order by id");
    let rows = tx.all(sql, args![office]).await.unwrap();
    let id = |row: &issuance::store::Record| issuance::ground::Id::<()>::of(row, "id").unwrap().to_string();
    rows.iter().map(id).collect()
}

mod told {
    use super::*;

    pub async fn a_receipt_does_not_say_what_the_sender_has(offices: &Offices) {
        let (far, farther) = (keeper(offices, "district-2").await, keeper(offices, "district-2").await);
        let blanks: Vec<_> = (1..=20).map(serial).collect();
        delivered(offices, &offices.stock, "1", None, &blanks).await;
        let id = sends(offices, &offices.stock, &blanks[..1], "district-2").await.unwrap();
        let case = receives(offices, &far, id, &blanks).await.unwrap().unwrap();
        let held = accounts(offices).await;
        assert_eq!((held["office district-2 delivered"], held["office district-1 delivered"]), (1, 19));
        assert_eq!(gives(offices, &offices.stock, &blanks[19..]).await, Ok(()), "what lies in the store is there");
        assert_eq!(cases_of(offices, "district-1").await, [case.to_string()], "the sender has the case too");
        for outcome in [CaseOutcome::Arrived, CaseOutcome::Lost] {
            let alone = settles(offices, (&far, &farther), case, outcome).await;
            assert_eq!(alone, Err("second-officer-needed"), "two of the receiver");
        }
        let own = keeper(offices, "district-1").await;
        let alone = settles(offices, (&offices.stock, &own), case, CaseOutcome::Returned).await;
        assert_eq!(alone, Err("second-officer-needed"), "two of the sender");
        settles(offices, (&far, &offices.stock), case, CaseOutcome::Arrived).await.unwrap();
        let held = accounts(offices).await;
        assert_eq!(held["office district-2 delivered"], 19, "what the sender agrees to");
        assert_eq!(held["station district-1 delivered"], 1, "but for what went elsewhere meanwhile");
        assert_eq!(way(offices, blanks[5]).await, ["arrived"]);
        // What is declared lost is what was on the way, and nothing in the sender's store.
        let more: Vec<_> = (21..=30).map(serial).collect();
        delivered(offices, &offices.stock, "2", None, &more).await;
        let id = sends(offices, &offices.stock, &more[..2], "district-2").await.unwrap();
        let case = receives(offices, &far, id, &more[1..]).await.unwrap().unwrap();
        settles(offices, (&far, &offices.stock), case, CaseOutcome::Lost).await.unwrap();
        let held = accounts(offices).await;
        assert_eq!((held["lost district-1 lost"], held["office district-1 delivered"]), (1, 8));
        assert_eq!(checked(offices).await, Vec::<String>::new());
    }

    pub async fn an_officer_who_sends_does_not_receive_and_custody_stays_within_an_office(offices: &Offices) {
        let (far, national) = (keeper(offices, "district-2").await, keeper(offices, "national").await);
        let second = keeper(offices, "national").await;
        let blanks: Vec<_> = (1..=4).map(serial).collect();
        delivered(offices, &offices.stock, "1", None, &blanks).await;
        let id = sends(offices, &national, &blanks[..2], "district-2").await.unwrap();
        assert_eq!(receives(offices, &national, id, &blanks[..2]).await, Err("second-officer-needed"));
        let case = receives(offices, &far, id, &blanks[..1]).await.unwrap().unwrap();
        // The national office stands for one of the two offices; two of its officers for both.
        settles(offices, (&national, &second), case, CaseOutcome::Returned).await.unwrap();
        assert_eq!(accounts(offices).await["office district-1 delivered"], 3);
        assert_eq!(gives(offices, &national, &blanks[..1]).await, Err("other-office"), "a blank of another office");
        assert_eq!(gives(offices, &national, &blanks[1..2]).await, Ok(()), "a blank of the station's office");
        // Where the national office is one of the two, it does not stand for the other one.
        let own = [serial(9)];
        delivered(offices, &national, "2", None, &own).await;
        let id = sends(offices, &national, &own, "district-2").await.unwrap();
        let case = receives(offices, &far, id, &[]).await.unwrap().unwrap();
        let alone = settles(offices, (&national, &second), case, CaseOutcome::Arrived).await;
        assert_eq!(alone, Err("second-officer-needed"));
        settles(offices, (&far, &second), case, CaseOutcome::Arrived).await.unwrap();
        assert_eq!(checked(offices).await, Vec::<String>::new());
    }

    pub async fn a_box_that_is_not_received_is_an_alarm_and_a_case(offices: &Offices) {
        let deeds = offices.state.deeds();
        let far = keeper(offices, "district-2").await;
        let blanks: Vec<_> = (1..=3).map(serial).collect();
        delivered(offices, &offices.stock, "1", None, &blanks).await;
        let late = sends(offices, &offices.stock, &blanks[..1], "district-2").await.unwrap();
        let other = sends(offices, &offices.stock, &blanks[1..2], "district-2").await.unwrap();
        let open = async || {
            let mut tx = deeds.db().begin_read().await.unwrap();
            production::open_boxes(&mut tx, offices.clock.today(), offices.clock.now()).await.unwrap()
        };
        offices.clock.advance(Duration::days(2));
        assert_eq!((open().await, boxes::miss(deeds).await.unwrap()), ((2, 0), 0), "its day is not over");
        offices.clock.advance(Duration::days(1));
        assert_eq!(open().await, (2, 2), "two working days are over");
        let mut tx = deeds.db().begin_read().await.unwrap();
        let found = overdue::look(&mut tx, offices.clock.today()).await.unwrap();
        drop(tx);
        let named: Vec<_> = found.boxes.iter().map(|boxed| (boxed.id, boxed.to_office.as_str())).collect();
        assert_eq!(named, [(late, "district-2"), (other, "district-2")]);
        assert_eq!(boxes::miss(deeds).await.unwrap(), 2);
        assert_eq!(boxes::miss(deeds).await.unwrap(), 0, "a case for each, once");
        assert_eq!(cases_of(offices, "district-1").await, cases_of(offices, "district-2").await);
        // One comes after all: its case is settled.
        assert_eq!(receives(offices, &far, other, &blanks[1..2]).await, Ok(None));
        let cases = cases_of(offices, "district-1").await;
        assert_eq!((cases.len(), open().await), (1, (1, 1)));
        // The other one is lost, as both offices say: it is on its way no more.
        let case = cases[0].parse().unwrap();
        settles(offices, (&far, &offices.stock), case, CaseOutcome::Lost).await.unwrap();
        assert_eq!(open().await, (0, 0));
        assert_eq!(receives(offices, &far, late, &blanks[..1]).await, Err("stock-box-unknown"));
        assert_eq!(way(offices, blanks[0]).await, ["sent", "lost"]);
        offices.clock.advance(Duration::days(9));
        assert_eq!(boxes::miss(deeds).await.unwrap(), 0);
        assert_eq!(checked(offices).await, Vec::<String>::new());
        // One that another hand changed hides no other.
        let changed = sends(offices, &offices.stock, &blanks[2..], "district-2").await.unwrap();
        sends(offices, &far, &blanks[1..2], "district-1").await.unwrap();
        let mut tx = deeds.db().begin_upkeep().await.unwrap();
        let sql = sql!("update stock_box set seal = 'A 1' where id = $1");
        assert_eq!(tx.run(sql, args![changed]).await.unwrap(), 1);
        tx.commit().await.unwrap();
        offices.clock.advance(Duration::days(9));
        assert_eq!(boxes::miss(deeds).await.unwrap(), 1);
    }

    pub async fn a_box_goes_to_an_office_that_receives_it_and_can_be_called_back(offices: &Offices) {
        let far = keeper(offices, "district-2").await;
        let blanks: Vec<_> = (1..=2).map(serial).collect();
        delivered(offices, &offices.stock, "1", None, &blanks).await;
        let nowhere = sends(offices, &offices.stock, &blanks, "district-7").await;
        assert_eq!(nowhere, Err("stock-box-unfit"), "no stock keeper is there");
        let id = sends(offices, &offices.stock, &blanks, "district-2").await.unwrap();
        let back = async |by: &Officer| word(within!(offices, by, deed => boxes::call_back(deed, id))).map(drop);
        assert_eq!(back(&far).await, Err("other-office"), "the receiver calls nothing back");
        assert_eq!(back(&offices.stock).await, Ok(()));
        assert_eq!(back(&offices.stock).await, Err("stock-box-unknown"), "once");
        assert_eq!(receives(offices, &far, id, &blanks).await, Err("stock-box-unknown"));
        assert_eq!(accounts(offices).await["office district-1 delivered"], 2);
        assert_eq!(way(offices, blanks[0]).await, ["sent", "returned"]);
        let id = sends(offices, &offices.stock, &blanks, "district-2").await.unwrap();
        assert_eq!(receives(offices, &far, id, &blanks).await, Ok(None));
        let late = word(within!(offices, offices.stock, deed => boxes::call_back(deed, id))).map(drop);
        assert_eq!(late, Err("stock-box-unknown"), "it was received");
        assert_eq!(checked(offices).await, Vec::<String>::new());
    }

    pub async fn the_witness_confirms_what_was_proposed_by_an_officer_who_still_keeps_the_stock(offices: &Offices) {
        let (stock, one, two) = (&offices.stock, &offices.approver, &offices.counter);
        let (torn, bent) = (serial(1), serial(2));
        delivered(offices, stock, "1", None, &[torn, bent]).await;
        let proposes = async |chip: CardSerial, reason: &str| {
            within!(offices, stock, deed => withdrawal::write_off(deed, &chip, reason, one.id)).unwrap();
        };
        let confirms = async |chip: CardSerial, reason: &str| {
            word(within!(offices, one, deed => withdrawal::confirm_write_off(deed, &chip, reason))).map(drop)
        };
        proposes(torn, "torn").await;
        proposes(torn, "burnt").await;
        assert_eq!(confirms(torn, "torn").await, Err("proposal-changed"), "what was seen is not what is written");
        assert_eq!(confirms(torn, " burnt ").await, Ok(()));
        proposes(bent, "bent").await;
        let wanted = Wanted { serials: &[torn], method: "shredded", witnesses: [one.id, two.id] };
        let id = within!(offices, stock, deed => ends::propose_destruction(deed, wanted)).unwrap().id;
        let sees = async |by: &Officer| {
            word(within!(offices, by, deed => ends::confirm_destruction(deed, id))).map(|done| done.is_done())
        };
        assert_eq!(sees(one).await, Ok(false));
        employs(offices.state.deeds(), stock, &[Role::Capture]).await;
        assert_eq!(confirms(bent, "bent").await, Err("proposal-stale"));
        assert_eq!(sees(two).await, Err("proposal-stale"));
        employs(offices.state.deeds(), stock, &stock.roles).await;
        assert_eq!((confirms(bent, "bent").await, sees(two).await), (Ok(()), Ok(true)));
        assert_eq!(checked(offices).await, Vec::<String>::new());
    }

    pub async fn a_chip_of_an_open_batch_stays_and_the_batch_of_a_revoked_station_closes(offices: &Offices) {
        let _far = keeper(offices, "district-2").await;
        let (stock, station) = (&offices.stock, offices.station.id);
        let next = enrol(offices.state.deeds(), "counter-2").await.id;
        let (one, two) = (serial(1), serial(2));
        delivered(offices, stock, "1", None, &[one, two]).await;
        gives(offices, stock, &[one, two]).await.unwrap();
        let batch = within!(offices, stock, deed => batches::open(deed, station, &[one, two])).unwrap().id;
        let goes = async || word(within!(offices, stock, deed => steps::give_custody(deed, &[one], next)));
        assert_eq!(goes().await, Err("chip-in-batch"));
        assert_eq!(sends(offices, stock, &[two], "district-2").await, Err("chip-in-batch"));
        let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
        let sql = sql!("update station set revoked_at = $1, revocation_reason = 'stolen' where id = $2");
        let revoked = tx.change(&issuance::access::STATION, station, sql, args![offices.clock.now(), station]).await;
        assert_eq!(revoked.unwrap(), 1);
        tx.commit().await.unwrap();
        assert_eq!(goes().await, Err("chip-in-batch"), "also those of a revoked station");
        let closed = within!(offices, stock, deed => batches::close(deed, batch, &[one, two])).unwrap().closed.unwrap();
        assert_eq!((closed.held, closed.moved), (2, 0));
        assert_eq!(goes().await, Ok(()), "the batch is closed");
        assert_eq!(sends(offices, stock, &[two], "district-2").await.map(drop), Ok(()));
    }

    /// Before, chips of an open batch could go elsewhere: such a batch closes, and says so.
    pub async fn a_batch_of_before_says_which_of_its_chips_moved(offices: &Offices) {
        let (stock, station) = (&offices.stock, offices.station.id);
        let next = enrol(offices.state.deeds(), "counter-2").await.id;
        let (one, two) = (serial(1), serial(2));
        delivered(offices, stock, "1", None, &[one, two]).await;
        gives(offices, stock, &[one, two]).await.unwrap();
        let batch = within!(offices, stock, deed => batches::open(deed, station, &[one, two])).unwrap().id;
        let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
        let sql = sql!("update chip set custody = $1 where id = $2");
        let moved = tx.change(&production::CHIP, one.to_string(), sql, args![next, one.to_string()]).await;
        assert_eq!(moved.unwrap(), 1);
        tx.commit().await.unwrap();
        let close = async |held: &[CardSerial]| {
            let closed = word(within!(offices, stock, deed => batches::close(deed, batch, held)));
            closed.map(|batch| batch.closed.map(|closed| (closed.held, closed.moved)).unwrap())
        };
        assert_eq!(close(&[one, two]).await, Err("chip-unaccounted"), "one in hand is another station's");
        assert_eq!(close(&[two]).await, Ok((1, 1)));
    }

    pub async fn a_count_with_the_same_difference_joins_the_case_and_one_without_ends_it(offices: &Offices) {
        let (stock, station) = (&offices.stock, offices.station.id);
        let colleague = keeper(offices, "district-1").await;
        let blanks: Vec<_> = (1..=3).map(serial).collect();
        delivered(offices, stock, "1", None, &blanks).await;
        gives(offices, stock, &blanks).await.unwrap();
        let count = async |by: &Officer, counted: &[CardSerial]| {
            let id = within!(offices, by, deed => counts::begin(deed, station)).unwrap().id;
            within!(offices, by, deed => counts::finish(deed, id, counted)).unwrap().1
        };
        let case = count(stock, &blanks[..2]).await.unwrap();
        let proposed = within!(offices, stock, deed => cases::propose(deed, case, CaseOutcome::Lost, "gone")).unwrap();
        assert_eq!(count(&colleague, &blanks[..2]).await, Some(case), "the same difference is the same case");
        assert_eq!(count(stock, &blanks[..1]).await, Some(case));
        let read = proposed.digest().unwrap();
        let stale = within!(offices, colleague, deed => cases::confirm(deed, case, &read));
        assert_eq!(word(stale).map(drop), Err("proposal-unknown"), "another difference is proposed anew");
        // All is there: the officer who opened the case only proposes it.
        assert_eq!(count(stock, &blanks).await, None);
        assert_eq!(cases_of(offices, "district-1").await, [case.to_string()]);
        assert_eq!(count(&colleague, &blanks).await, None);
        assert_eq!(cases_of(offices, "district-1").await, Vec::<String>::new());
        // Lost by a case, and found: one case, which two settle.
        let case = count(stock, &blanks[..2]).await.unwrap();
        settles(offices, (stock, &colleague), case, CaseOutcome::Lost).await.unwrap();
        let (_, found) = within!(offices, stock, deed => ends::find(deed, &blanks[2], "in the other tray")).unwrap();
        assert_eq!(found.subject, Object::Chip(blanks[2]).to_string());
        let (id, digest) = (found.id, found.digest().unwrap());
        within!(offices, colleague, deed => cases::confirm(deed, id, &digest)).unwrap();
        assert_eq!(cases_of(offices, "district-1").await, Vec::<String>::new());
        assert_eq!(way(offices, blanks[2]).await, ["opened", "lost", "found"]);
        assert_eq!(checked(offices).await, Vec::<String>::new());
    }

    pub async fn a_store_room_is_counted_in_parts(offices: &Offices) {
        let (stock, far) = (&offices.stock, keeper(offices, "district-2").await);
        let colleague = keeper(offices, "district-1").await;
        let blanks: Vec<_> = (1..=6).map(serial).collect();
        delivered(offices, stock, "1", None, &blanks).await;
        gives(offices, stock, &blanks[..1]).await.unwrap();
        sends(offices, stock, &blanks[1..2], "district-2").await.unwrap();
        let id = within!(offices, stock, deed => counts::begin(deed, None::<StationId>)).unwrap().id;
        let stranger = within!(offices, far, deed => counts::add(deed, id, &blanks[2..4]));
        assert_eq!(word(stranger).map(drop), Err("other-office"));
        within!(offices, stock, deed => counts::add(deed, id, &blanks[2..4])).unwrap();
        let (count, case) = within!(offices, stock, deed => counts::finish(deed, id, &blanks[3..5])).unwrap();
        let finished = count.finished.unwrap();
        assert_eq!((finished.counted, finished.missing, finished.extra), (3, 1, 0), "the station's and the box's not");
        let late = within!(offices, stock, deed => counts::add(deed, id, &blanks[5..]));
        assert_eq!(word(late).map(drop), Err("stock-count-unknown"));
        settles(offices, (stock, &colleague), case.unwrap(), CaseOutcome::Lost).await.unwrap();
        assert_eq!(way(offices, blanks[5]).await, ["lost"]);
        assert_eq!(accounts(offices).await["office district-1 delivered"], 3);
        assert_eq!(checked(offices).await, Vec::<String>::new());
    }
}
