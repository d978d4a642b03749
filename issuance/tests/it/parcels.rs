//! Cards that the national office makes for another one: shipped in a sealed parcel, counted there by another officer,
//! and handed over only then. On SQLite and on PostgreSQL.

use std::sync::atomic::{AtomicU32, Ordering};

use crypto::identity::CardSerial;
use issuance::access::STATION;
use issuance::applications::hand_over::hand_over;
use issuance::applications::model::{Application, Kind, Stage};
use issuance::deed::Object;
use issuance::ground::ids::{ApplicationId, BoxId, CardBatchId, CardId, CaseId};
use issuance::ground::{OfficeCode, Officer, Role, Station};
use issuance::population::history::EventKind;
use issuance::production::boxes::Shipping;
use issuance::production::card_batches::{self, Wanted};
use issuance::production::cases::{self, CaseOutcome};
use issuance::production::personalization::{self, Wish};
use issuance::production::print_jobs::{self, Body};
use issuance::production::recalls::{self, RecallKind};
use issuance::production::{self, boxes, ends, withdrawal};
use issuance::server::overdue;
use issuance::web::Problem;
use issuance::{args, sql};
use serde_json::json;
use time::macros::date;

use crate::chip::Chip;
use crate::offices::{Offices, appoint, moves, within};
use crate::register_history::changes;
use crate::tables::fresh_database;

/// Runs a scenario on SQLite, then on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            Box::pin(shipped::$name(&Factory::open(None).await)).await;
            if let Some(url) = fresh_database() {
                Box::pin(shipped::$name(&Factory::open(Some(url)).await)).await;
            }
        }
    )* };
}

on_both!(
    a_card_that_came_beside_another_parcel_is_not_lost_with_its_own,
    a_card_made_elsewhere_can_be_handed_over_only_when_it_arrived,
    a_card_that_is_lost_on_the_way_counts_no_more_and_is_waste_when_it_is_found,
    a_card_too_many_stays_at_the_sender_until_both_offices_say_where_it_is,
    a_citizen_who_dies_while_the_card_is_on_its_way_leaves_none,
    a_parcel_under_another_seal_is_not_believed_to_have_arrived,
    a_seal_closes_one_parcel,
    what_must_not_leave_is_not_shipped_and_what_is_in_a_parcel_is_not_read,
    what_waits_in_a_batch_is_the_stock_keepers_who_make_its_cards,
);

fn word<T>(said: Result<T, impl Into<Problem>>) -> Result<T, &'static str> {
    said.map_err(|error| error.into().code().word())
}

/// The national office makes the cards; applications are of the office `district-1`.
pub struct Factory {
    pub offices: Offices,
    /// The stock keepers of `district-1`.
    pub keepers: [Officer; 2],
    pub second: Officer,
    /// The number of the next seal.
    seals: AtomicU32,
}

impl Factory {
    pub async fn open(database: Option<String>) -> Self {
        let mut offices = Offices::open(database).await;
        let deeds = offices.state.deeds();
        let keepers = [offices.stock.clone(), appoint(deeds, Role::Stock).await];
        let national = async || moves(deeds, &appoint(deeds, Role::Stock).await, "national").await;
        let (first, second) = (national().await, national().await);
        let station = Station { office: OfficeCode::national(), ..offices.station.clone() };
        let mut tx = deeds.db().begin_upkeep().await.unwrap();
        let sql = sql!("update station set office = 'national' where id = $1");
        assert_eq!(tx.change(&STATION, station.id, sql, args![station.id]).await.unwrap(), 1);
        tx.commit().await.unwrap();
        (offices.stock, offices.station) = (first, station);
        Self { offices, keepers, second, seals: AtomicU32::new(42) }
    }

    /// So many cards of applications of `district-1`, made at the national office.
    pub async fn makes(&self, cards: u8) -> Vec<(Application, CardId, CardSerial)> {
        let offices = &self.offices;
        let mut applications = Vec::new();
        for _ in 0..cards {
            let person = offices.citizen().await;
            applications.push(offices.approved(person, Kind::First).await);
        }
        let wanted = Wanted { priority: 0, cut_off: None, most: 10 };
        let batch = within!(offices, offices.stock, deed => card_batches::draft(deed, wanted)).unwrap().id;
        within!(offices, self.second, deed => card_batches::release(deed, batch)).unwrap();
        let mut made = Vec::new();
        for number in 1..=cards {
            let mut chip = offices.initialised(number).await;
            made.push((self.next(&mut chip, batch).await, chip.serial));
        }
        let of = |application: &Application| {
            let found = made.iter().find(|((id, _), _)| *id == application.id).unwrap();
            (found.0.1, found.1)
        };
        applications.iter().map(|application| (application.clone(), of(application).0, of(application).1)).collect()
    }

    async fn next(&self, chip: &mut Chip, batch: CardBatchId) -> (ApplicationId, CardId) {
        let offices = &self.offices;
        let (deeds, production, presentation) = (offices.state.deeds(), &offices.state.production, chip.presentation());
        let wish = Wish::Batch(batch);
        personalization::prepare(deeds, production, &offices.station, &presentation, wish).await.unwrap();
        let card = offices.card(chip).await;
        let row = sql!("select application_id from card where id = $1");
        let mut tx = deeds.db().begin_read().await.unwrap();
        let row = tx.one(row, args![card]).await.unwrap().unwrap();
        (issuance::ground::Id::of(&row, "application_id").unwrap(), card)
    }

    pub async fn ships(&self, serials: &[CardSerial], to: &str) -> Result<BoxId, &'static str> {
        let number = self.seals.fetch_add(1, Ordering::Relaxed);
        self.ships_under(serials, to, &format!("A {number:04}")).await
    }

    async fn ships_under(&self, serials: &[CardSerial], to: &str, seal: &str) -> Result<BoxId, &'static str> {
        let (offices, to) = (&self.offices, to.parse().unwrap());
        let shipping = Shipping { seal, days: 2, body_check: false };
        word(within!(offices, offices.stock, deed => boxes::ship(deed, serials, to, shipping))).map(|sent| sent.id)
    }

    pub async fn receives(
        &self,
        by: &Officer,
        id: BoxId,
        counted: &[CardSerial],
    ) -> Result<Option<CaseId>, &'static str> {
        let mut tx = self.offices.state.deeds().db().begin_read().await.unwrap();
        let row = tx.one(sql!("select seal from stock_box where id = $1"), args![id]).await.unwrap().unwrap();
        drop(tx);
        let seal: String = row.get("seal").unwrap();
        self.receives_under(by, id, counted, Some(&seal)).await
    }

    async fn receives_under(
        &self,
        by: &Officer,
        id: BoxId,
        counted: &[CardSerial],
        seal: Option<&str>,
    ) -> Result<Option<CaseId>, &'static str> {
        let offices = &self.offices;
        word(within!(offices, by, deed => boxes::receive(deed, id, counted, seal))).map(|(_, case)| case)
    }

    /// An officer of each of the two offices says how a case ends: two of one office do not.
    async fn settles(&self, case: CaseId, outcome: CaseOutcome) {
        let (offices, [one, other]) = (&self.offices, &self.keepers);
        let proposed = within!(offices, one, deed => cases::propose(deed, case, outcome, "we looked")).unwrap();
        let digest = proposed.digest().unwrap();
        let alone = within!(offices, other, deed => cases::confirm(deed, case, &digest));
        assert_eq!(word(alone).map(drop), Err("second-officer-needed"), "both are of one office");
        within!(offices, self.second, deed => cases::confirm(deed, case, &digest)).unwrap();
    }

    /// Zone and code of the body that belongs to the card of an application.
    async fn printed(&self, id: ApplicationId) -> (String, String) {
        let outbox = tempfile::tempdir().unwrap();
        let settings =
            production::Settings { print_jobs: Some(outbox.path().to_owned()), ..production::Settings::default() };
        let (deeds, printing) = (self.offices.state.deeds(), self.offices.state.production.clone());
        let printing = printing.with_settings(settings);
        let mut tx = deeds.db().begin_upkeep().await.unwrap();
        let sql = sql!(
            "insert into print_job (id, document_id, application_id, serial, state, made_at)
             select $1, id, application_id, serial, 'pending', made_at from document where application_id = $2"
        );
        let job: issuance::ground::Id<()> = deeds.source().id();
        assert_eq!(tx.run(sql, args![job, id]).await.unwrap(), 1);
        tx.commit().await.unwrap();
        print_jobs::write_out(&printing, deeds).await.unwrap();
        let sheet = std::fs::read(outbox.path().join(format!("{job}.json"))).unwrap();
        let sheet: serde_json::Value = serde_json::from_slice(&sheet).unwrap();
        let lines = sheet["back"]["mrz"].as_array().unwrap();
        let zone: Vec<&str> = lines.iter().map(|line| line.as_str().unwrap()).collect();
        (zone.join("\n"), sheet["front"]["qr"].as_str().unwrap().to_owned())
    }

    async fn fetches(&self, (application, card, _): &(Application, CardId, CardSerial)) -> Result<(), &'static str> {
        let offices = &self.offices;
        word(within!(offices, offices.counter, deed => hand_over(deed, *card, &application.slip.0))).map(drop)
    }

    /// The account on which a chip is, without the identifier of the box.
    async fn account(&self, serial: &CardSerial) -> String {
        let mut tx = self.offices.state.deeds().db().begin_read().await.unwrap();
        assert_eq!(production::balances(&mut tx).await.unwrap().complaints(), Vec::<String>::new());
        assert_eq!(production::check_ledger(&mut tx).await.unwrap().complaints, Vec::<String>::new());
        let sql = sql!("select to_account from posting where serial = $1 order by id desc limit 1");
        let row = tx.one(sql, args![serial.to_string()]).await.unwrap().unwrap();
        let account: String = row.get("to_account").unwrap();
        account.split('/').filter(|part| part.len() < 30).collect::<Vec<_>>().join("/")
    }

    async fn stage(&self, id: ApplicationId) -> &'static str {
        self.offices.application(id).await.stage.name()
    }
}

mod shipped {
    use super::*;

    pub async fn a_parcel_under_another_seal_is_not_believed_to_have_arrived(factory: &Factory) {
        let made = Box::pin(factory.makes(1)).await;
        let serial = made[0].2;
        let parcel = factory.ships(&[serial], "district-1").await.unwrap();
        let receives = async |seal| factory.receives_under(&factory.keepers[0], parcel, &[serial], seal).await;
        assert_eq!(receives(None).await, Err("seal-unfit"), "the seal is named");
        // As it is written: case and spaces between the words count.
        let case = receives(Some("A 0043")).await.unwrap().unwrap();
        assert_eq!(factory.account(&serial).await, "courier/national/personalized");
        assert_eq!(factory.fetches(&made[0]).await, Err("stage-does-not-allow"), "it is not there");
        factory.settles(case, CaseOutcome::Arrived).await;
        assert_eq!(factory.account(&serial).await, "card/district-1");
        assert_eq!(factory.fetches(&made[0]).await, Ok(()));
    }

    pub async fn a_card_made_elsewhere_can_be_handed_over_only_when_it_arrived(factory: &Factory) {
        let offices = &factory.offices;
        let made = Box::pin(factory.makes(2)).await;
        let serials: Vec<_> = made.iter().map(|(_, _, serial)| *serial).collect();
        let application = offices.application(made[0].0.id).await;
        assert!(matches!(application.stage, Stage::Shipped { .. }), "{:?}", application.stage);
        let owner = (OfficeCode::national(), Role::Stock);
        let expected = (Some(owner), Some(date!(2026 - 11 - 24)));
        assert_eq!((application.progress.owner, application.progress.due), expected, "two working days from Sunday");
        assert_eq!(factory.fetches(&made[0]).await, Err("stage-does-not-allow"));
        assert_eq!(factory.ships(&serials, "district-2").await, Err("stock-box-unfit"), "no stock keeper is there");
        let deeds = offices.state.deeds();
        let far = moves(deeds, &appoint(deeds, Role::Stock).await, "district-2").await;
        assert_eq!(factory.ships(&serials, "district-2").await, Err("card-not-to-ship"), "of another office");
        assert_eq!(factory.ships(&serials, "national").await, Err("stock-box-unfit"));
        let blank = offices.initialised(9).await.serial;
        assert_eq!(factory.ships(&[blank], "district-1").await, Err("card-not-to-ship"), "a blank is no card");
        let parcel = factory.ships(&serials, "district-1").await.unwrap();
        assert_eq!(factory.account(&serials[0]).await, "courier/national/personalized");
        assert_eq!(factory.ships(&serials[..1], "district-1").await, Err("chip-in-box"));
        assert_eq!(factory.fetches(&made[0]).await, Err("stage-does-not-allow"), "it is on its way");
        let alone = factory.receives(&offices.stock, parcel, &serials).await;
        assert_eq!(alone, Err("other-office"), "the office that made the cards does not count them");
        assert_eq!(factory.receives(&far, parcel, &serials).await, Err("other-office"));
        // One too few: the other one arrived all the same.
        let case = factory.receives(&factory.keepers[0], parcel, &serials[..1]).await.unwrap().unwrap();
        assert_eq!(factory.account(&serials[0]).await, "card/district-1");
        assert_eq!(factory.account(&serials[1]).await, "courier/national/personalized");
        let owner = offices.application(made[0].0.id).await.progress.owner;
        assert_eq!(owner, Some(("district-1".parse().unwrap(), Role::HandOver)));
        assert_eq!(factory.fetches(&made[0]).await, Ok(()));
        assert_eq!(factory.fetches(&made[1]).await, Err("stage-does-not-allow"));
        assert_eq!(factory.receives(&factory.keepers[0], parcel, &serials).await, Err("stock-box-unknown"), "once");
        factory.settles(case, CaseOutcome::Arrived).await;
        assert_eq!(factory.fetches(&made[1]).await, Ok(()), "it lay under the lid");
        let trail = offices.trail(Object::Card(made[1].1)).await;
        assert!(["card-arrived", "card-sent"].iter().all(|action| trail.contains(&(*action).to_owned())), "{trail:?}");
    }

    pub async fn a_card_that_is_lost_on_the_way_counts_no_more_and_is_waste_when_it_is_found(factory: &Factory) {
        let offices = &factory.offices;
        let made = Box::pin(factory.makes(1)).await;
        let serial = made[0].2;
        let parcel = factory.ships(&[serial], "district-1").await.unwrap();
        let case = factory.receives(&factory.keepers[0], parcel, &[]).await.unwrap().unwrap();
        let before = offices.revoked().await;
        factory.settles(case, CaseOutcome::Lost).await;
        assert_eq!(factory.account(&serial).await, "lost/national");
        assert_eq!(offices.revoked().await, before + 1, "kiosks refuse it");
        assert_eq!(factory.stage(made[0].0.id).await, "approved", "the citizen gets another one");
        let (_, found) = within!(offices, offices.stock, deed => ends::find(deed, &serial, "behind the seat")).unwrap();
        let (id, digest) = (found.id, found.digest().unwrap());
        within!(offices, factory.second, deed => cases::confirm(deed, id, &digest)).unwrap();
        assert_eq!(factory.account(&serial).await, "spoiled/national");
        assert_eq!(factory.ships(&[serial], "district-1").await, Err("card-not-to-ship"), "it is no card again");
        assert_eq!(factory.stage(made[0].0.id).await, "approved");
    }

    pub async fn a_card_too_many_stays_at_the_sender_until_both_offices_say_where_it_is(factory: &Factory) {
        let made = Box::pin(factory.makes(3)).await;
        let (sent, other, third) = (made[0].2, made[1].2, made[2].2);
        let parcel = factory.ships(&[sent], "district-1").await.unwrap();
        let case = factory.receives(&factory.keepers[0], parcel, &[sent, other]).await.unwrap().unwrap();
        assert_eq!(factory.account(&other).await, "card/national", "what the sender has is not the receiver's to say");
        assert_eq!(factory.fetches(&made[0]).await, Ok(()));
        assert_eq!(factory.fetches(&made[1]).await, Err("stage-does-not-allow"), "it is on no list");
        factory.settles(case, CaseOutcome::Returned).await;
        assert_eq!(factory.account(&other).await, "card/national");
        assert_eq!(factory.stage(made[1].0.id).await, "shipped", "it is sent once more");
        let parcel = factory.ships(&[other], "district-1").await.unwrap();
        let case = factory.receives(&factory.keepers[1], parcel, &[other, third]).await.unwrap().unwrap();
        assert_eq!(factory.fetches(&made[2]).await, Err("stage-does-not-allow"));
        factory.settles(case, CaseOutcome::Arrived).await;
        assert_eq!(factory.account(&third).await, "card/district-1", "the sender agrees that it came");
        assert_eq!(factory.fetches(&made[2]).await, Ok(()));
        assert_eq!(factory.fetches(&made[1]).await, Ok(()));
    }

    pub async fn a_card_that_came_beside_another_parcel_is_not_lost_with_its_own(factory: &Factory) {
        let offices = &factory.offices;
        let made = Box::pin(factory.makes(3)).await;
        let (first, lagging, second) = (made[0].2, made[1].2, made[2].2);
        let [keeper, colleague] = &factory.keepers;
        // The card is missed in the first parcel, and lies in the second one.
        let parcel = factory.ships(&[first, lagging], "district-1").await.unwrap();
        let older = factory.receives(keeper, parcel, &[first]).await.unwrap().unwrap();
        let parcel = factory.ships(&[second], "district-1").await.unwrap();
        let case = factory.receives(keeper, parcel, &[second, lagging]).await.unwrap().unwrap();
        let proposed = within!(offices, keeper, deed => cases::propose(deed, older, CaseOutcome::Lost, "not there"));
        let digest = proposed.unwrap().digest().unwrap();
        let lost = within!(offices, factory.second, deed => cases::confirm(deed, older, &digest));
        assert_eq!(word(lost).map(drop), Err("stock-case-outcome-unfit"), "the other case says that it is there");
        assert_eq!(factory.stage(made[1].0.id).await, "shipped", "it is revoked by no one");
        factory.settles(case, CaseOutcome::Arrived).await;
        assert_eq!(factory.account(&lagging).await, "card/district-1");
        assert_eq!(factory.fetches(&made[1]).await, Ok(()), "the card in hand counts");
        let again = within!(offices, colleague, deed => cases::propose(deed, older, CaseOutcome::Lost, "not there"));
        assert_eq!(word(again).map(drop), Err("stock-case-unknown"), "the older case is about nothing any more");
        // What other offices sent to each other is not theirs to say.
        let deeds = offices.state.deeds();
        moves(deeds, &appoint(deeds, Role::Stock).await, "district-2").await;
        let (blank, other) = (offices.initialised(8).await.serial, offices.initialised(9).await.serial);
        let send = async |serial, to: &str| {
            let to = to.parse().unwrap();
            word(within!(offices, offices.stock, deed => boxes::send(deed, &[serial], to, 2))).unwrap().id
        };
        send(blank, "district-2").await;
        let here = send(other, "district-1").await;
        let counted = [blank, other];
        let case = within!(offices, keeper, deed => boxes::receive(deed, here, &counted, None)).unwrap().1.unwrap();
        let proposed = within!(offices, keeper, deed => cases::propose(deed, case, CaseOutcome::Arrived, "it is here"));
        let digest = proposed.unwrap().digest().unwrap();
        let arrived = within!(offices, factory.second, deed => cases::confirm(deed, case, &digest));
        assert_eq!(word(arrived).map(drop), Err("chip-in-box"), "it is on its way to a third office");
    }

    pub async fn what_must_not_leave_is_not_shipped_and_what_is_in_a_parcel_is_not_read(factory: &Factory) {
        let offices = &factory.offices;
        let made = Box::pin(factory.makes(2)).await;
        let deeds = offices.state.deeds();
        let quality = moves(deeds, &appoint(deeds, Role::Stock).await, "national").await;
        let ship = async |serial: CardSerial, seal: &str, body_check| {
            let (to, shipping) = ("district-1".parse().unwrap(), Shipping { seal, days: 2, body_check });
            word(within!(offices, offices.stock, deed => boxes::ship(deed, &[serial], to, shipping))).map(drop)
        };
        let (id, serial) = (made[0].0.id, made[0].2);
        assert_eq!(ship(serial, "C 1", true).await, Err("body-check-needed"), "it was not read yet");
        let (zone, code) = factory.printed(id).await;
        let production = &offices.state.production;
        let reads = async || {
            let body = Body { mrz: &zone, qr: &code, chip: Some(serial) };
            let read = within!(offices, quality, deed => print_jobs::check_body(deed, production, id, body));
            word(read).map(|checked| checked.matches())
        };
        assert_eq!(reads().await, Ok(true));
        assert_eq!(ship(serial, "C 1", true).await, Ok(()));
        assert_eq!(reads().await, Err("chip-in-box"), "it is with the courier");
        let wanted = recalls::Wanted { kind: RecallKind::Lot, value: "1", manufacturer: None, reason: "weak numbers" };
        let recall = within!(offices, offices.stock, deed => recalls::propose(deed, wanted)).unwrap().id;
        within!(offices, factory.second, deed => recalls::confirm(deed, recall)).unwrap();
        assert_eq!(ship(made[1].2, "C 2", false).await, Err("chip-recalled"));
    }

    pub async fn a_seal_closes_one_parcel(factory: &Factory) {
        let made = Box::pin(factory.makes(2)).await;
        let parcel = factory.ships_under(&[made[0].2], "district-1", "B 7").await.unwrap();
        for seal in ["B 7", "b7", " B  7 "] {
            assert_eq!(factory.ships_under(&[made[1].2], "district-1", seal).await, Err("seal-unfit"), "{seal}");
        }
        assert_eq!(factory.receives(&factory.keepers[0], parcel, &[made[0].2]).await, Ok(None));
        assert_eq!(factory.ships_under(&[made[1].2], "district-1", "B 7").await, Err("seal-unfit"), "it was broken");
        assert!(factory.ships_under(&[made[1].2], "district-1", "B 8").await.is_ok());
    }

    pub async fn what_waits_in_a_batch_is_the_stock_keepers_who_make_its_cards(factory: &Factory) {
        let offices = &factory.offices;
        let mut waits = Vec::new();
        for _ in 0..2 {
            waits.push(offices.approved(offices.citizen().await, Kind::First).await.id);
        }
        let owner = async |id| offices.application(id).await.progress.owner.unwrap().0.to_string();
        assert_eq!(owner(waits[0]).await, "district-1");
        let wanted = Wanted { priority: 0, cut_off: None, most: 10 };
        let batch = within!(offices, offices.stock, deed => card_batches::draft(deed, wanted)).unwrap().id;
        within!(offices, factory.second, deed => card_batches::release(deed, batch)).unwrap();
        assert_eq!([owner(waits[0]).await, owner(waits[1]).await], ["national", "national"]);
        let chip = offices.initialised(1).await;
        let (deeds, production, presentation) = (offices.state.deeds(), &offices.state.production, chip.presentation());
        let wish = Wish::Batch(batch);
        personalization::prepare(deeds, production, &offices.station, &presentation, wish).await.unwrap();
        let bound = offices.application(waits[0]).await;
        assert_eq!((bound.stage.name(), owner(waits[0]).await.as_str()), ("in-production", "national"));
        // What is late is told to the office that can do something about it.
        offices.clock.advance(time::Duration::days(30));
        let mut tx = deeds.db().begin_read().await.unwrap();
        let late = overdue::look(&mut tx, offices.clock.today()).await.unwrap().late;
        drop(tx);
        let offices_of_late: Vec<&str> = late.iter().map(|late| late.office.as_str()).collect();
        assert_eq!(offices_of_late, ["national", "national"]);
        let station = &offices.station;
        let given_up = within!(offices, station, deed => withdrawal::spoil(deed, &chip.serial, "torn", "journal 7"));
        assert_eq!(given_up.unwrap().state.name(), "spoiled");
        assert_eq!(owner(waits[0]).await, "national", "it waits for another chip there");
        within!(offices, offices.stock, deed => card_batches::cancel(deed, batch, "no blanks left")).unwrap();
        assert_eq!([owner(waits[0]).await, owner(waits[1]).await], ["district-1", "district-1"], "it left the batch");
    }

    pub async fn a_citizen_who_dies_while_the_card_is_on_its_way_leaves_none(factory: &Factory) {
        let made = Box::pin(factory.makes(1)).await;
        let parcel = factory.ships(&[made[0].2], "district-1").await.unwrap();
        changes(&factory.offices, made[0].0.person, EventKind::Died, json!({"died": "2026-11-20"})).await;
        assert_eq!(factory.stage(made[0].0.id).await, "cancelled");
        assert_eq!(factory.account(&made[0].2).await, "spoiled/national");
        assert_eq!(factory.receives(&factory.keepers[0], parcel, &[]).await, Ok(None), "it is missed by none");
    }
}
