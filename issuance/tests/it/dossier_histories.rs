//! Random histories of dossiers, with verbs that die before they become true and services that start again: no dossier
//! that waits is without owner or due day, each is at the stage to which it was moved, none is lost or doubled, and the
//! sum of the stock is 0. On SQLite and on PostgreSQL.
//!
//! ```text
//! DOSSIERS=10000 cargo test --release -p issuance --test it -- dossier_histories --nocapture
//! ```

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::identity::CardSerial;
use crypto::scp03::MasterKey;
use issuance::applications::hand_over::hand_over;
use issuance::applications::model::{Kind, ReturnReason};
use issuance::applications::progress::remind;
use issuance::applications::steps::{self as counter, Missing};
use issuance::applications::store::progress;
use issuance::ground::ids::{ApplicationId, PersonId};
use issuance::ground::{Id, Officer, Role};
use issuance::population::history::EventKind;
use issuance::population::model::{Declaration, DeclaredRelative};
use issuance::production::personalization::PersonalizationOutcome;
use issuance::production::{self, steps, withdrawal};
use issuance::server::{Settings, overdue};
use issuance::{args, numbering, sql};
use rand::rngs::ChaCha20Rng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;
use time::Duration;
use time::macros::datetime;

use crate::chip::Chip;
use crate::offices::{Offices, TRANSPORT_MASTER, appoint, declaration, lives, moves, photograph, within};
use crate::postgres::fresh_database;
use crate::register_history::changes;

/// Dossiers that are under way at once.
const AT_ONCE: usize = 12;
/// Moves between two looks at the whole.
const BETWEEN: usize = 40;

/// The whole procedure of the law.
fn all_of_the_law(settings: &mut Settings) {
    settings.applications.procedure.team_check = true;
    settings.applications.procedure.central_approval = true;
}

/// A dossier, and what the history knows of it.
struct Dossier {
    person: PersonId,
    /// The stage to which it was moved last.
    stage: &'static str,
    chip: Option<Chip>,
}

/// The offices, with two officers wherever two must decide.
struct House {
    offices: Offices,
    database: Option<String>,
    head: Officer,
    centre: Officer,
    rng: ChaCha20Rng,
    portrait: String,
    open: BTreeMap<ApplicationId, Dossier>,
    /// Ended dossiers by their last stage.
    ended: BTreeMap<&'static str, usize>,
    begun: usize,
    chips: u32,
    died: usize,
    refused: usize,
}

impl House {
    async fn open(database: Option<String>, seed: u64) -> Self {
        let at = datetime!(2026-11-22 08:30 UTC);
        let offices = Offices::open_where(database.clone(), at, all_of_the_law).await;
        let deeds = offices.state.deeds();
        let head = appoint(deeds, Role::Approver).await;
        let centre = moves(deeds, &appoint(deeds, Role::Approver).await, "national").await;
        let photograph = STANDARD.encode(photograph());
        let portrait = counter::develop(&offices.state.counter, photograph, None).await.unwrap();
        Self {
            offices,
            database,
            head,
            centre,
            rng: ChaCha20Rng::seed_from_u64(seed),
            portrait,
            open: BTreeMap::new(),
            ended: BTreeMap::new(),
            begun: 0,
            chips: 0,
            died: 0,
            refused: 0,
        }
    }

    /// True for one verb in so many.
    fn one_in(&mut self, many: u32) -> bool {
        self.rng.random_range(0..many) == 0
    }

    /// One move of a history.
    async fn moves(&mut self, wanted: usize) {
        if self.begun < wanted && (self.open.len() < AT_ONCE && self.one_in(3) || self.open.is_empty()) {
            return Box::pin(self.begins()).await;
        }
        // The document signer signs for three months: in a long history a day passes less often.
        let moves_a_day = u32::try_from(wanted / 8).unwrap_or(u32::MAX).max(50);
        if self.one_in(moves_a_day) {
            self.offices.clock.advance(Duration::days(1));
            remind(self.offices.state.deeds()).await.unwrap();
        }
        // A new process: nothing of the old one's memory is there. PostgreSQL has only the deeds that died.
        if self.database.is_none() && self.one_in(400) {
            Box::pin(self.offices.starts_again_with(all_of_the_law)).await;
        }
        let which = self.rng.random_range(0..self.open.len());
        let id = *self.open.keys().nth(which).expect("one of them");
        let before = self.open[&id].stage;
        if self.one_in(90) && before != "in-production" {
            return Box::pin(self.dies(id)).await;
        }
        let dies = self.one_in(6);
        let moved = match before {
            "registered" => Box::pin(self.at_registered(id, dies)).await,
            "captured" => Box::pin(self.at_captured(id, dies)).await,
            "returned" => Box::pin(self.at_returned(id, dies)).await,
            "checked" | "locally-approved" => Box::pin(self.at_decided(id, before, dies)).await,
            "approved" => Box::pin(self.at_approved(id, dies)).await,
            "in-production" => Box::pin(self.at_production(id, dies)).await,
            "personalized" => Box::pin(self.at_personalized(id, dies)).await,
            other => panic!("a dossier is {other}, and no move of this history leads there"),
        };
        self.died += usize::from(dies);
        match moved {
            Some(stage) => self.stands(id, stage),
            None => self.refused += usize::from(!dies),
        }
        assert_eq!(self.offices.application(id).await.stage.name(), moved.unwrap_or(before), "{id} was {before}");
    }

    /// Notes where a dossier is; an ended one leaves the open ones.
    fn stands(&mut self, id: ApplicationId, stage: &'static str) {
        if ["refused", "cancelled", "handed-over"].contains(&stage) {
            self.open.remove(&id);
            *self.ended.entry(stage).or_default() += 1;
        } else {
            self.open.get_mut(&id).expect("it is open").stage = stage;
        }
    }

    async fn begins(&mut self) {
        // No two of these women are alike: neither name nor birth nor mother.
        let letters = |mut number: usize| {
            let mut word = String::new();
            for _ in 0..4 {
                word.push(char::from(b"bcdghklmnpqrstvx"[number % 16]));
                word.push(char::from(b"aeiou"[number / 16 % 5]));
                number /= 80;
            }
            word
        };
        let scattered = self.begun.wrapping_mul(7_919) % 40_960_000;
        let declaration = Declaration {
            full_name: format!("Nguyễn Thị {}", letters(scattered)),
            birth_date: format!(
                "{:02}/{:02}/{}",
                1 + self.begun % 28,
                1 + self.begun / 28 % 12,
                1960 + self.begun % 45
            ),
            mother: Some(DeclaredRelative {
                full_name: format!("Trần {}", letters(scattered.wrapping_mul(31) % 40_960_000)),
                ..Default::default()
            }),
            ..declaration()
        };
        let person = self.offices.declares(&declaration).await;
        let because = Some("the papers name other parents");
        within!(self.offices, self.offices.registrar, deed => numbering::steps::establish(deed, &self.offices.state.numbers, person, because)).unwrap();
        let application = self.offices.applies(person, Kind::First).await.unwrap();
        self.begun += 1;
        self.open.insert(application.id, Dossier { person, stage: "registered", chip: None });
    }

    /// The citizen dies: whatever was under way ends.
    async fn dies(&mut self, id: ApplicationId) {
        let person = self.open[&id].person;
        let day = self.offices.clock.today().to_string();
        Box::pin(changes(&self.offices, person, EventKind::Died, json!({ "died": day }))).await;
        let stage = self.offices.application(id).await.stage.name();
        assert_eq!(stage, "cancelled", "a dossier of a dead person that was {}", self.open[&id].stage);
        self.stands(id, "cancelled");
    }

    async fn captures(&self, id: ApplicationId, dies: bool) -> Option<&'static str> {
        let portrait = self.portrait.clone();
        lives!(self.offices, self.offices.capture, dies, deed => counter::capture(deed, id, portrait, "Nốt ruồi"))
            .then_some("captured")
    }

    async fn ends(&mut self, id: ApplicationId, dies: bool) -> Option<&'static str> {
        let officer = &self.offices.capture;
        let ended = if self.rng.random() {
            lives!(self.offices, officer, dies, deed => counter::withdraw(deed, id, "Không còn nhu cầu"))
        } else {
            lives!(self.offices, officer, dies, deed => withdrawal::cancel(deed, id, "moved abroad"))
        };
        ended.then_some("cancelled")
    }

    async fn returns(&self, officer: &Officer, id: ApplicationId, dies: bool) -> Option<&'static str> {
        let until = self.offices.clock.today() + Duration::days(7);
        let missing = Missing { reasons: vec![ReturnReason::EvidenceMissing], says: "Mang giấy khai sinh", until };
        lives!(self.offices, officer, dies, deed => counter::give_back(deed, &self.offices.state.counter, id, missing))
            .then_some("returned")
    }

    async fn at_registered(&mut self, id: ApplicationId, dies: bool) -> Option<&'static str> {
        match self.rng.random_range(0..10) {
            0 => self.ends(id, dies).await,
            1 => self.returns(&self.offices.approver, id, dies).await,
            _ => self.captures(id, dies).await,
        }
    }

    async fn at_captured(&mut self, id: ApplicationId, dies: bool) -> Option<&'static str> {
        match self.rng.random_range(0..20) {
            0 => self.ends(id, dies).await,
            1 => self.returns(&self.offices.approver, id, dies).await,
            2 => self.captures(id, dies).await,
            3 => self.refuses(&self.offices.approver, id, dies).await,
            _ => {
                let seen = self.offices.sees(&self.head, id).await.unwrap();
                lives!(self.offices, self.head, dies, deed => counter::check(deed, id, seen)).then_some("checked")
            }
        }
    }

    async fn refuses(&self, officer: &Officer, id: ApplicationId, dies: bool) -> Option<&'static str> {
        lives!(self.offices, officer, dies, deed => counter::refuse(deed, id, "another face")).then_some("refused")
    }

    async fn at_returned(&mut self, id: ApplicationId, dies: bool) -> Option<&'static str> {
        let captured = self.offices.application(id).await.stage.capture_of().is_some();
        match self.rng.random_range(0..6) {
            0 => self.ends(id, dies).await,
            1..=3 if captured => lives!(self.offices, self.offices.capture, dies, deed => counter::resubmit(deed, id))
                .then_some("captured"),
            _ => self.captures(id, dies).await,
        }
    }

    /// At one of the two places that approve.
    async fn at_decided(&mut self, id: ApplicationId, before: &str, dies: bool) -> Option<&'static str> {
        let central = before == "locally-approved";
        let officer = if central { self.centre.clone() } else { self.offices.approver.clone() };
        match self.rng.random_range(0..20) {
            0 => self.ends(id, dies).await,
            1 => self.returns(&officer, id, dies).await,
            2 => self.refuses(&officer, id, dies).await,
            // The head of the team checked, and approves nothing of it.
            3 => {
                let refused = self.offices.approves(&self.head, id).await;
                assert!(refused.is_err(), "{refused:?}");
                None
            }
            _ => {
                let seen = self.offices.sees(&officer, id).await.unwrap();
                let portrait = self.offices.fetches(id).await.unwrap();
                let counter = &self.offices.state.counter;
                lives!(self.offices, officer, dies, deed => counter::approve(deed, counter, id, seen, portrait))
                    .then_some(if central { "approved" } else { "locally-approved" })
            }
        }
    }

    /// A chip that the station holds, initialised.
    async fn chip(&mut self) -> Chip {
        self.chips += 1;
        let [a, b, c, d] = self.chips.to_be_bytes();
        let serial = CardSerial([0, 1, 2, 3, 4, 5, a, b, c, d]);
        let (serials, production) = ([serial], &self.offices.state.production);
        let delivery = steps::Delivery {
            manufacturer: "Maker",
            batch: "1",
            transport_key_id: "maker",
            firmware: None,
            serials: &serials,
        };
        within!(self.offices, self.offices.stock, deed => steps::deliver(deed, production, delivery)).unwrap();
        let station = self.offices.station.id;
        within!(self.offices, self.offices.stock, deed => steps::give_custody(deed, &serials, station)).unwrap();
        let keys = MasterKey::from_bytes(&TRANSPORT_MASTER).unwrap().diversify(&serial, 0xff);
        let mut chip = Chip::blank(serial, keys);
        self.offices.takes_in(&mut chip).await.unwrap();
        chip
    }

    async fn at_approved(&mut self, id: ApplicationId, dies: bool) -> Option<&'static str> {
        if self.one_in(12) {
            return self.ends(id, dies).await;
        }
        let chip = self.chip().await;
        let slip = self.offices.application(id).await.slip;
        let bound = self.offices.prepares_for(&slip, &chip).await;
        bound.as_ref().unwrap_or_else(|error| panic!("{error}"));
        self.open.get_mut(&id).expect("it is open").chip = Some(chip);
        Some("in-production")
    }

    async fn at_production(&mut self, id: ApplicationId, dies: bool) -> Option<&'static str> {
        let mut chip = self.open.get_mut(&id).expect("it is open").chip.take().expect("bound");
        if self.one_in(6) {
            let (serial, station) = (chip.serial, self.offices.station.clone());
            let torn = lives!(self.offices, station, dies, deed => withdrawal::spoil(deed, &serial, "torn", "none"));
            self.open.get_mut(&id).expect("it is open").chip = (!torn).then_some(chip);
            return torn.then_some("approved");
        }
        // The receipt is lost as often as a verb dies: the station plays the order anew.
        let ordered = self.offices.orders(&chip).await.unwrap();
        let (receipt, _) = crypto::perso::play(&mut chip, &ordered.order, &mut |_| {});
        let made = if dies { None } else { Some(self.offices.reports(&chip, &ordered, &receipt).await.unwrap()) };
        self.open.get_mut(&id).expect("it is open").chip = Some(chip);
        matches!(made, Some(PersonalizationOutcome::Personalized { .. })).then_some("personalized")
    }

    async fn at_personalized(&mut self, id: ApplicationId, dies: bool) -> Option<&'static str> {
        let application = self.offices.application(id).await;
        let mut tx = self.offices.state.deeds().db().begin_read().await.unwrap();
        let row = tx.one(sql!("select id from card where application_id = $1"), args![id]).await.unwrap().unwrap();
        drop(tx);
        let (card, slip) = (Id::of(&row, "id").unwrap(), application.slip.0.clone());
        let counter = &self.offices.counter;
        assert!(!lives!(self.offices, counter, false, deed => hand_over(deed, card, "S0000000000")), "another slip");
        lives!(self.offices, counter, dies, deed => hand_over(deed, card, &slip)).then_some("handed-over")
    }

    /// What must hold at every moment.
    async fn is_in_order(&self) {
        let mut tx = self.offices.state.deeds().db().begin_read().await.unwrap();
        let found = overdue::look(&mut tx, self.offices.clock.today()).await.unwrap();
        assert_eq!(found.defects, vec![], "each dossier that waits has an owner and a day");
        assert_eq!(progress::count_ownerless(&mut tx).await.unwrap(), 0);
        let balances = production::balances(&mut tx).await.unwrap();
        assert_eq!((balances.sum, balances.complaints()), (0, vec![]));
        let rows = tx.all(sql!("select stage, count(*) as n from application group by stage"), args![]).await.unwrap();
        let there: BTreeMap<String, u64> =
            rows.iter().map(|row| (row.get("stage").unwrap(), row.number("n").unwrap())).collect();
        let mut expected: BTreeMap<String, u64> = BTreeMap::new();
        let ended = self.ended.iter().map(|(stage, count)| (*stage, *count));
        for (stage, count) in self.open.values().map(|dossier| (dossier.stage, 1)).chain(ended) {
            *expected.entry(stage.to_owned()).or_default() += count as u64;
        }
        assert_eq!(there, expected, "none is lost or doubled");
    }

    /// What must hold in the end.
    async fn is_whole(&self) {
        self.is_in_order().await;
        let mut tx = self.offices.state.deeds().db().begin_read().await.unwrap();
        assert_eq!(production::check_ledger(&mut tx).await.unwrap().complaints, Vec::<String>::new());
        let twice = sql!("select person_id from card where status = 'active' group by person_id having count(*) > 1");
        assert_eq!(tx.all(twice, args![]).await.unwrap().len(), 0, "no person has two cards that count");
        let rows = tx.all(sql!("select count(*) as n from card where status = 'active'"), args![]).await.unwrap();
        let active: u64 = rows[0].number("n").unwrap();
        assert_eq!(active, self.ended.get("handed-over").map_or(0, |count| *count as u64), "a card for each hand-over");
        drop(tx);
        self.offices.counts_are_true().await;
    }
}

async fn lived(wanted: usize, seed: u64, database: Option<String>) {
    let mut house = Box::pin(House::open(database, seed)).await;
    let mut moves = 0;
    while house.begun < wanted || !house.open.is_empty() {
        Box::pin(house.moves(wanted)).await;
        // Identifiers ascend with time: what starts again knows nothing of those before.
        house.offices.clock.advance(Duration::milliseconds(20));
        moves += 1;
        if moves % BETWEEN == 0 {
            Box::pin(house.is_in_order()).await;
        }
        if moves % 20_000 == 0 {
            eprintln!("{} dossiers begun, {moves} moves", house.begun);
        }
    }
    Box::pin(house.is_whole()).await;
    println!(
        "{} dossiers, {moves} moves, {} died, {} refused, {} chips, ended: {:?}",
        house.begun, house.died, house.refused, house.chips, house.ended
    );
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_histories_with_crashes_leave_no_dossier_alone_on_sqlite() {
    let wanted = usize::try_from(number("DOSSIERS", 16)).unwrap();
    Box::pin(lived(wanted, number("SEED", 11), None)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_histories_with_crashes_leave_no_dossier_alone_on_postgresql() {
    let wanted = usize::try_from(number("DOSSIERS", 16)).unwrap();
    if let Some(url) = fresh_database() {
        Box::pin(lived(wanted, number("SEED", 12), Some(url))).await;
    }
}
