//! What of a card needs no chip is made ahead for a released batch, and stands on no card whose citizen changed since.
//! On SQLite and on PostgreSQL.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crypto::lds::{DataGroup, Dg1, Dg13, File};
use issuance::applications::hand_over::hand_over;
use issuance::applications::model::{Application, Kind};
use issuance::applications::steps as counter;
use issuance::deed::Object;
use issuance::ground::Role;
use issuance::ground::ids::{ApplicationId, CardBatchId, CardId};
use issuance::population::history::EventKind;
use issuance::production::ahead;
use issuance::production::card_batches::{self, Wanted};
use issuance::production::personalization::{self, Wish};
use issuance::{args, sql};
use serde_json::json;
use time::Duration;

use crate::chip::Chip;
use crate::held::features;
use crate::offices::{Offices, appoint, within};
use crate::register_history::changes;
use crate::retention::runs;
use crate::row_macs::another_face;
use crate::tables::fresh_database;

/// Runs a scenario on SQLite, then on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            Box::pin(made::$name(&Offices::open(None).await)).await;
            if let Some(url) = fresh_database() {
                Box::pin(made::$name(&Offices::open(Some(url)).await)).await;
            }
        }
    )* };
}

on_both!(
    what_was_made_ahead_stands_on_the_card_and_the_portrait_is_not_read_again,
    a_change_of_the_register_is_never_overtaken,
    another_portrait_is_never_overtaken,
    on_another_day_everything_is_made_anew,
    a_run_that_was_cut_writes_nothing_twice,
    what_was_made_for_another_citizen_stands_on_no_card,
    what_is_lost_or_broken_is_made_when_its_chip_is_there,
    what_no_card_can_carry_is_held_before_a_chip_is_there,
    what_was_made_ahead_is_erased_with_the_portrait,
);

/// So many applications in a released batch, in its order.
async fn batch_of(offices: &Offices, citizens: usize) -> (Vec<Application>, CardBatchId) {
    let mut applications = Vec::new();
    for _ in 0..citizens {
        let person = offices.citizen().await;
        applications.push(offices.approved(person, Kind::First).await);
        offices.clock.advance(Duration::seconds(1));
    }
    let second = appoint(offices.state.deeds(), Role::Stock).await;
    let wanted = Wanted { priority: 1, cut_off: None, most: 100 };
    let id = within!(offices, offices.stock, deed => card_batches::draft(deed, wanted)).unwrap().id;
    within!(offices, second, deed => card_batches::release(deed, id)).unwrap();
    (applications, id)
}

/// Does the work of the service's worker until nothing is lacking. Returns how many it looked at.
async fn makes(offices: &Offices) -> usize {
    let mut all = 0;
    loop {
        match Box::pin(ahead::make(&offices.state.production, offices.state.deeds())).await.unwrap() {
            0 => return all,
            some => all += some,
        }
    }
}

async fn ready(offices: &Offices, batch: CardBatchId) -> u64 {
    let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
    card_batches::ready(&mut tx, batch, offices.clock.today()).await.unwrap()
}

/// A chip becomes the card of the next item, or of what waits in the queue.
async fn card(offices: &Offices, number: u8, batch: Option<CardBatchId>) -> (CardId, Chip) {
    let mut chip = offices.initialised(number).await;
    let wish = batch.map_or(Wish::Next, Wish::Batch);
    let (deeds, production) = (offices.state.deeds(), &offices.state.production);
    let presentation = chip.presentation();
    let prepared = personalization::prepare(deeds, production, &offices.station, &presentation, wish);
    Box::pin(prepared).await.unwrap();
    let card = offices.card(&mut chip).await;
    (card, chip)
}

fn group(chip: &Chip, group: DataGroup) -> &[u8] {
    chip.file(File::DataGroup(group))
}

fn texts(chip: &Chip) -> Dg13 {
    Dg13::parse(group(chip, DataGroup::DG13)).unwrap()
}

/// The number of the citizen of an application.
async fn number(offices: &Offices, application: &Application) -> String {
    let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
    let sql = sql!("select personal_number from person where id = $1");
    let row = tx.one(sql, args![application.person]).await.unwrap().unwrap();
    row.get("personal_number").unwrap()
}

fn objects(offices: &Offices) -> BTreeSet<PathBuf> {
    fn below(folder: &Path, found: &mut BTreeSet<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                below(&path, found);
            } else {
                found.insert(path);
            }
        }
    }
    let mut found = BTreeSet::new();
    below(&offices.data.path().join("objects"), &mut found);
    found
}

fn file(offices: &Offices, name: &str) -> PathBuf {
    offices.data.path().join("objects").join(&name[..2]).join(&name[2..])
}

/// The object that was made ahead for an application.
async fn object(offices: &Offices, id: ApplicationId) -> String {
    let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
    let sql = sql!("select object from made_ahead where application_id = $1");
    tx.one(sql, args![id]).await.unwrap().unwrap().get("object").unwrap()
}

fn portrait(application: &Application) -> String {
    application.stage.capture_of().unwrap().portrait.clone()
}

mod made {
    use super::*;

    pub async fn what_was_made_ahead_stands_on_the_card_and_the_portrait_is_not_read_again(offices: &Offices) {
        let (applications, batch) = batch_of(offices, 2).await;
        let in_queue = offices.approved(offices.citizen().await, Kind::First).await;
        assert_eq!((makes(offices).await, ready(offices, batch).await), (2, 2), "those of the batch alone");
        assert_eq!(makes(offices).await, 0, "nothing is lacking");
        for application in &applications {
            let trail = offices.trail(Object::Application(application.id)).await;
            assert_eq!(trail.iter().filter(|action| *action == "card-made-ahead").count(), 1, "{trail:?}");
        }
        // Without the file of its portrait a card can be made of nothing else.
        std::fs::remove_file(file(offices, &portrait(&applications[0]))).unwrap();
        let (_, first) = card(offices, 1, Some(batch)).await;
        assert_eq!(ready(offices, batch).await, 1);
        let (_, second) = card(offices, 2, Some(batch)).await;
        let (_, third) = card(offices, 3, None).await;
        for (chip, application) in [(&first, &applications[0]), (&second, &applications[1]), (&third, &in_queue)] {
            assert_eq!(texts(chip).number.unwrap(), number(offices, application).await);
            // They show one photograph: what was made ahead is what is made without.
            assert_eq!(group(chip, DataGroup::DG2), group(&third, DataGroup::DG2));
            let (one, other) = (texts(chip), texts(&third));
            assert_eq!((one.name, one.residence, one.issued), (other.name, other.residence, other.issued));
        }
        let zone = Dg1::characters(group(&first, DataGroup::DG1)).unwrap();
        let zone = String::from_utf8_lossy(zone).into_owned();
        assert!(zone.contains(&number(offices, &applications[0]).await), "the zone names the citizen");
    }

    pub async fn a_change_of_the_register_is_never_overtaken(offices: &Offices) {
        let (applications, batch) = batch_of(offices, 2).await;
        assert_eq!((makes(offices).await, ready(offices, batch).await), (2, 2));
        // What stands on the card was changed: both are decided anew, and what was made for them is of no use.
        let before = object(offices, applications[1].id).await;
        changes(offices, applications[0].person, EventKind::Corrected, json!({"religion": "Phật giáo"})).await;
        let name = json!({"full_name": "Nguyễn Thị Mẫu Mực"});
        changes(offices, applications[1].person, EventKind::Corrected, name).await;
        let again = appoint(offices.state.deeds(), Role::Approver).await;
        for application in &applications {
            offices.approves(&again, application.id).await.unwrap();
        }
        assert_eq!(
            (object(offices, applications[1].id).await, ready(offices, batch).await),
            (before, 0),
            "it is stale"
        );
        let (_, first) = card(offices, 1, Some(batch)).await;
        let (_, second) = card(offices, 2, Some(batch)).await;
        assert_eq!(texts(&first).religion.as_deref(), Some("Phật giáo"), "as the register says now");
        assert_eq!(texts(&second).name.as_deref(), Some("Nguyễn Thị Mẫu Mực"));
    }

    /// What stands in letters is as it was: the photograph alone is another one.
    pub async fn another_portrait_is_never_overtaken(offices: &Offices) {
        let (applications, batch) = batch_of(offices, 2).await;
        assert_eq!((makes(offices).await, ready(offices, batch).await), (2, 2));
        let (id, person) = (applications[0].id, applications[0].person);
        for name in ["Nguyễn Thị Mẫu Mực", "Nguyễn Thị Mẫu"] {
            changes(offices, person, EventKind::Corrected, json!({"full_name": name})).await;
        }
        let face = another_face(offices).await;
        within!(offices, offices.capture, deed => counter::capture(deed, id, face, "Nốt ruồi")).unwrap();
        let again = appoint(offices.state.deeds(), Role::Approver).await;
        offices.approves(&again, id).await.unwrap();
        let (_, first) = card(offices, 1, Some(batch)).await;
        let (_, second) = card(offices, 2, Some(batch)).await;
        assert_eq!(texts(&first).number.unwrap(), number(offices, &applications[0]).await);
        assert_ne!(group(&first, DataGroup::DG2), group(&second, DataGroup::DG2), "the photograph that was taken last");
    }

    pub async fn on_another_day_everything_is_made_anew(offices: &Offices) {
        let (applications, batch) = batch_of(offices, 2).await;
        assert_eq!((makes(offices).await, ready(offices, batch).await), (2, 2));
        let old = object(offices, applications[1].id).await;
        offices.clock.advance(Duration::days(1));
        assert_eq!(ready(offices, batch).await, 0, "the day of issue stands on the card");
        let (_, early) = card(offices, 1, Some(batch)).await;
        assert_eq!((makes(offices).await, ready(offices, batch).await), (1, 1));
        let new = object(offices, applications[1].id).await;
        assert!(new != old && file(offices, &new).exists() && !file(offices, &old).exists(), "the old one is erased");
        let (_, late) = card(offices, 2, Some(batch)).await;
        let today = Some("23/11/2026".to_owned());
        assert_eq!([early, late].map(|chip| texts(&chip).issued), [today.clone(), today]);
    }

    pub async fn a_run_that_was_cut_writes_nothing_twice(offices: &Offices) {
        let (applications, batch) = batch_of(offices, 3).await;
        assert_eq!(makes(offices).await, 3);
        let all = objects(offices);
        assert_eq!(all.len(), 6, "a portrait and what was made of it for each");
        // As a process leaves it that ends between the files and the transaction that notes them.
        let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
        for application in &applications[..2] {
            let (id, kept) = (application.id, portrait(application));
            tx.run(sql!("delete from made_ahead where application_id = $1"), args![id]).await.unwrap();
            let names = sql!("delete from portrait where application_id = $1 and name <> $2");
            assert_eq!(tx.run(names, args![id, kept]).await.unwrap(), 1);
        }
        tx.commit().await.unwrap();
        assert_eq!((ready(offices, batch).await, makes(offices).await, ready(offices, batch).await), (1, 2, 3));
        assert_eq!(objects(offices), all, "the same files");
        let (one, other) = tokio::join!(makes(offices), makes(offices));
        assert_eq!(one + other, 0);
        for number in 1..=3 {
            card(offices, number, Some(batch)).await;
        }
    }

    pub async fn what_was_made_for_another_citizen_stands_on_no_card(offices: &Offices) {
        let (applications, batch) = batch_of(offices, 2).await;
        assert_eq!(makes(offices).await, 2);
        let names = [object(offices, applications[0].id).await, object(offices, applications[1].id).await];
        // Another hand exchanges the two.
        let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
        for (application, name) in applications.iter().zip([&names[1], &names[0]]) {
            let sql = sql!("update made_ahead set object = $1 where application_id = $2");
            assert_eq!(tx.run(sql, args![name.as_str(), application.id]).await.unwrap(), 1);
        }
        tx.commit().await.unwrap();
        for (at, application) in (1..).zip(&applications) {
            let (_, chip) = card(offices, at, Some(batch)).await;
            assert_eq!(texts(&chip).number.unwrap(), number(offices, application).await);
        }
    }

    pub async fn what_is_lost_or_broken_is_made_when_its_chip_is_there(offices: &Offices) {
        let (applications, batch) = batch_of(offices, 2).await;
        assert_eq!(makes(offices).await, 2);
        let [lost, broken] = [object(offices, applications[0].id).await, object(offices, applications[1].id).await];
        std::fs::remove_file(file(offices, &lost)).unwrap();
        let mut sealed = std::fs::read(file(offices, &broken)).unwrap();
        sealed[40] ^= 1;
        std::fs::write(file(offices, &broken), sealed).unwrap();
        for (at, application) in (1..).zip(&applications) {
            let (_, chip) = card(offices, at, Some(batch)).await;
            assert_eq!(texts(&chip).number.unwrap(), number(offices, application).await);
        }
    }

    pub async fn what_no_card_can_carry_is_held_before_a_chip_is_there(offices: &Offices) {
        let (applications, batch) = batch_of(offices, 3).await;
        features(offices, &applications[0], Dg13::MAX_TEXT + 1).await;
        std::fs::remove_file(file(offices, &portrait(&applications[1]))).unwrap();
        assert_eq!((makes(offices).await, ready(offices, batch).await), (3, 1));
        let stages = [offices.application(applications[0].id).await, offices.application(applications[1].id).await];
        assert_eq!(stages.map(|application| application.stage.name()), ["held", "approved"]);
        assert_eq!(makes(offices).await, 0, "a portrait that is missing is not looked for again today");
    }

    pub async fn what_was_made_ahead_is_erased_with_the_portrait(offices: &Offices) {
        let (applications, batch) = batch_of(offices, 1).await;
        assert_eq!(makes(offices).await, 1);
        let (id, _) = card(offices, 1, Some(batch)).await;
        within!(offices, offices.counter, deed => hand_over(deed, id, &applications[0].slip.0)).unwrap();
        assert_eq!(objects(offices).len(), 2);
        offices.clock.advance(Duration::days(89));
        runs(offices, false).await;
        assert_eq!(objects(offices).len(), 2, "kept as long as the portrait");
        offices.clock.advance(Duration::days(2));
        runs(offices, false).await;
        assert_eq!(objects(offices), BTreeSet::new());
        let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
        let sql = sql!("select count(*) as n from made_ahead");
        assert_eq!(tx.one(sql, args![]).await.unwrap().unwrap().number::<u64>("n").unwrap(), 0);
    }
}
