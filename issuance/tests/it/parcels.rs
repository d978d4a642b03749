//! Cards that the national office makes for another one: shipped in a sealed parcel, counted there by another officer,
//! and handed over only then. On SQLite and on PostgreSQL.

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
use issuance::production::{self, boxes, ends};
use issuance::web::Problem;
use issuance::{args, sql};
use serde_json::json;
use time::macros::date;

use crate::chip::Chip;
use crate::offices::{Offices, appoint, moves, within};
use crate::postgres::fresh_database;
use crate::register_history::changes;

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
    a_card_made_elsewhere_can_be_handed_over_only_when_it_arrived,
    a_card_that_is_lost_on_the_way_counts_no_more_and_is_waste_when_it_is_found,
    a_card_too_many_stays_at_the_sender_until_both_offices_say_where_it_is,
    a_citizen_who_dies_while_the_card_is_on_its_way_leaves_none,
    a_parcel_under_another_seal_is_not_believed_to_have_arrived,
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
        Self { offices, keepers, second }
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
        let (offices, to) = (&self.offices, to.parse().unwrap());
        let shipping = Shipping { seal: "A 0042", days: 2, body_check: false };
        word(within!(offices, offices.stock, deed => boxes::ship(deed, serials, to, shipping))).map(|sent| sent.id)
    }

    pub async fn receives(
        &self,
        by: &Officer,
        id: BoxId,
        counted: &[CardSerial],
    ) -> Result<Option<CaseId>, &'static str> {
        self.receives_under(by, id, counted, Some("A 0042")).await
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

    pub async fn a_citizen_who_dies_while_the_card_is_on_its_way_leaves_none(factory: &Factory) {
        let made = Box::pin(factory.makes(1)).await;
        let parcel = factory.ships(&[made[0].2], "district-1").await.unwrap();
        changes(&factory.offices, made[0].0.person, EventKind::Died, json!({"died": "2026-11-20"})).await;
        assert_eq!(factory.stage(made[0].0.id).await, "cancelled");
        assert_eq!(factory.account(&made[0].2).await, "spoiled/national");
        assert_eq!(factory.receives(&factory.keepers[0], parcel, &[]).await, Ok(None), "it is missed by none");
    }
}
