//! Random histories of dossiers through all ways of the procedure, with verbs that die before they become true and
//! services that start again: no dossier that waits is without owner or due day, each is at the stage to which it was
//! moved and ends once, each number has one person and each chip one place, none is lost or doubled, and the sum of the
//! stock is 0. On SQLite and on PostgreSQL.
//!
//! ```text
//! DOSSIERS=10000 cargo test -p issuance --test it -- leave_no_dossier_alone_on_sqlite --nocapture
//! ```
//! `SEED` begins another history. What is too rare for a short one is counted and printed.

mod counter;
mod factory;
mod whole;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::identity::CardSerial;
use issuance::access::STATION;
use issuance::applications::fees::PayBefore;
use issuance::applications::model::{Kind, ReissueReason};
use issuance::applications::progress;
use issuance::applications::steps::{self as counter_steps, Request};
use issuance::ground::ids::{ApplicationId, BoxId, CardBatchId, CardId, PersonId};
use issuance::ground::{OfficeCode, Officer, Randomness, Role, Station};
use issuance::keys::{self, KeyName, KeyStore};
use issuance::population::history::EventKind;
use issuance::population::model::{Declaration, DeclaredRelative};
use issuance::production::boxes;
use issuance::server::Settings;
use issuance::{args, cards, numbering, sql};
use rand::rngs::ChaCha20Rng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use self::factory::Batch;
use crate::chip::Chip;
use crate::offices::{Offices, appoint, declaration, enrol, moves, photograph, within};
use crate::register_history::changes;
use crate::tables::fresh_database;

/// Dossiers that are under way at once, besides those whose citizen does not come.
const AT_ONCE: usize = 14;
/// So many times at most months pass in one history: the CSCA certifies signers for five years.
const SEASONS: usize = 12;
/// So long after the last one an administrator certifies the next signers: they sign for three months.
const SIGNERS_SERVE: Duration = Duration::days(60);

/// The whole procedure of the law, with fees, printed bodies and their check.
fn all_of_the_law(settings: &mut Settings, outbox: &std::path::Path) {
    settings.applications.procedure.team_check = true;
    settings.applications.procedure.central_approval = true;
    settings.applications.fees.pay_before = PayBefore::Approval;
    settings.production.print_jobs = Some(outbox.to_owned());
    settings.production.body_check = true;
}

/// A dossier, and what the history knows of it.
struct Dossier {
    person: PersonId,
    /// The stage to which it was moved last.
    stage: &'static str,
    /// What is due, in đồng.
    due: u32,
    /// Which officers decide: after a complaint others do.
    round: usize,
    chip: Option<Chip>,
    /// True if the chip is at the national office's station.
    at_factory: bool,
    /// The batch that it is in.
    batch: Option<CardBatchId>,
    /// The fence of the lease that the process of the station knows.
    fence: Option<u64>,
    /// The body was compared with the chip.
    checked: bool,
    /// The parcel that it is in.
    boxed: Option<BoxId>,
    /// The citizen does not come in time; `Some(true)`: never.
    absent: Option<bool>,
    /// Nothing happens to it before months have passed.
    rests: bool,
}

impl Dossier {
    fn new(person: PersonId, due: u32) -> Self {
        Self {
            person,
            stage: "registered",
            due,
            round: 0,
            chip: None,
            at_factory: false,
            batch: None,
            fence: None,
            checked: false,
            boxed: None,
            absent: None,
            rests: false,
        }
    }

    /// Forgets the chip: the dossier waits for another one.
    fn without_chip(&mut self) {
        (self.chip, self.fence, self.checked, self.boxed, self.absent, self.rests) =
            (None, None, false, None, None, false);
    }
}

/// The officers who decide in a round.
struct Deciders {
    head: Officer,
    approver: Officer,
    centre: Officer,
}

/// The offices, with two officers wherever two must decide.
struct House {
    offices: Offices,
    database: Option<String>,
    outbox: tempfile::TempDir,
    deciders: [Deciders; 2],
    /// Of the national office: decides about complaints.
    chief: Officer,
    /// Takes dossiers, and no step.
    guest: Officer,
    /// Another officer at the counter.
    second_counter: Officer,
    /// Stock keepers of `district-1` and of the national office.
    keepers: [[Officer; 2]; 2],
    /// Of the national office: compare bodies with chips.
    quality: [Officer; 2],
    factory: Station,
    rng: ChaCha20Rng,
    portrait: String,
    open: BTreeMap<ApplicationId, Dossier>,
    /// Ended dossiers, each with its end.
    ended: BTreeMap<ApplicationId, &'static str>,
    batches: BTreeMap<CardBatchId, Batch>,
    boxes: BTreeSet<BoxId>,
    /// So many seals were used: each closes one parcel.
    seals: u32,
    /// Chips without an application, by whether they are at the national office.
    spare: [Vec<Chip>; 2],
    /// Chips that were lost and not found, likewise.
    lost: Vec<(CardSerial, bool)>,
    /// Persons who lost their card and apply again.
    without_card: Vec<PersonId>,
    /// Persons who hold a card that counts.
    holders: BTreeSet<PersonId>,
    persons: usize,
    chips: u32,
    receipts: u32,
    signers_since: OffsetDateTime,
    seasons: usize,
    /// What happened, and how often.
    told: BTreeMap<&'static str, usize>,
}

impl House {
    async fn open(database: Option<String>, seed: u64) -> Self {
        let at = datetime!(2026-11-22 08:30 UTC);
        let outbox = tempfile::tempdir().unwrap();
        let settings = |settings: &mut Settings| all_of_the_law(settings, outbox.path());
        let offices = Offices::open_where(database.clone(), at, settings).await;
        let deeds = offices.state.deeds();
        let national = async |role| moves(deeds, &appoint(deeds, role).await, "national").await;
        let first = Deciders {
            head: appoint(deeds, Role::Approver).await,
            approver: offices.approver.clone(),
            centre: national(Role::Approver).await,
        };
        let second = Deciders {
            head: appoint(deeds, Role::Approver).await,
            approver: appoint(deeds, Role::Approver).await,
            centre: national(Role::Approver).await,
        };
        let keepers = [
            [offices.stock.clone(), appoint(deeds, Role::Stock).await],
            [national(Role::Stock).await, national(Role::Stock).await],
        ];
        let station = enrol(deeds, "factory").await;
        let mut tx = deeds.db().begin_upkeep().await.unwrap();
        let sql = sql!("update station set office = 'national' where id = $1");
        assert_eq!(tx.change(&STATION, station.id, sql, args![station.id]).await.unwrap(), 1);
        tx.commit().await.unwrap();
        let photograph = STANDARD.encode(photograph());
        let portrait = counter_steps::develop(&offices.state.counter, photograph, None).await.unwrap();
        Self {
            chief: national(Role::Approver).await,
            guest: appoint(deeds, Role::Capture).await,
            second_counter: appoint(deeds, Role::HandOver).await,
            quality: [national(Role::Stock).await, national(Role::Stock).await],
            factory: Station { office: OfficeCode::national(), ..station },
            deciders: [first, second],
            keepers,
            database,
            outbox,
            rng: ChaCha20Rng::seed_from_u64(seed),
            portrait,
            open: BTreeMap::new(),
            ended: BTreeMap::new(),
            batches: BTreeMap::new(),
            boxes: BTreeSet::new(),
            seals: 0,
            spare: [vec![], vec![]],
            lost: vec![],
            without_card: vec![],
            holders: BTreeSet::new(),
            persons: 0,
            chips: 0,
            receipts: 0,
            signers_since: at,
            seasons: 0,
            told: BTreeMap::new(),
            offices,
        }
    }

    /// True for one verb in so many.
    fn one_in(&mut self, many: u32) -> bool {
        self.rng.random_range(0..many) == 0
    }

    /// Counts that something happened.
    fn tells(&mut self, what: &'static str) {
        *self.told.entry(what).or_default() += 1;
    }

    fn dossier(&mut self, id: ApplicationId) -> &mut Dossier {
        self.open.get_mut(&id).expect("it is under way")
    }

    /// Dossiers to which something can happen today.
    fn at_hand(&self) -> Vec<ApplicationId> {
        self.open.iter().filter(|(_, dossier)| !dossier.rests).map(|(id, _)| *id).collect()
    }

    /// One move of a history.
    async fn moves(&mut self, wanted: usize, season: usize) {
        let at_hand = self.at_hand();
        let may_begin = self.persons < wanted && at_hand.len() < AT_ONCE;
        if may_begin && (at_hand.is_empty() || self.one_in(3)) {
            return Box::pin(self.begins()).await;
        }
        let moves_a_day = u32::try_from(wanted / 8).unwrap_or(u32::MAX).max(60);
        if self.one_in(moves_a_day) {
            return Box::pin(self.time_passes(Duration::days(1))).await;
        }
        let season_comes = self.seasons < SEASONS && self.one_in(u32::try_from(season).unwrap_or(u32::MAX));
        if at_hand.is_empty() || season_comes {
            self.seasons += 1;
            self.tells("months passed");
            Box::pin(self.time_passes(SIGNERS_SERVE)).await;
            self.open.values_mut().filter(|dossier| dossier.stage == "not-fetched").for_each(|it| it.rests = false);
            return;
        }
        // A new process: nothing of the old one's memory is there. PostgreSQL has only the deeds that died.
        if self.database.is_none() && self.one_in(400) {
            let outbox = self.outbox.path().to_owned();
            Box::pin(self.offices.starts_again_with(|settings| all_of_the_law(settings, &outbox))).await;
            self.tells("service started again");
        }
        if let Some(person) = self.without_card.pop() {
            return Box::pin(self.applies(person, Kind::Reissue(ReissueReason::Lost))).await;
        }
        if self.one_in(20) {
            return Box::pin(self.in_the_factory()).await;
        }
        let id = at_hand[self.rng.random_range(0..at_hand.len())];
        if self.one_in(90) && self.open[&id].stage != "refused" {
            return Box::pin(self.dies(id)).await;
        }
        if self.one_in(14) {
            Box::pin(self.is_claimed(id)).await;
        }
        let dies = self.one_in(6);
        if dies {
            self.tells("verbs died");
        }
        match self.open[&id].stage {
            "registered" => Box::pin(self.at_registered(id, dies)).await,
            "captured" => Box::pin(self.at_captured(id, dies)).await,
            "returned" => Box::pin(self.at_returned(id, dies)).await,
            "checked" | "locally-approved" => Box::pin(self.at_decided(id, dies)).await,
            "refused" => Box::pin(self.at_refused(id, dies)).await,
            "appealed" => Box::pin(self.at_appealed(id, dies)).await,
            "approved" => Box::pin(self.at_approved(id, dies)).await,
            "in-production" => Box::pin(self.at_production(id, dies)).await,
            "shipped" => Box::pin(self.at_shipped(id, dies)).await,
            "personalized" => Box::pin(self.at_personalized(id, dies)).await,
            "not-fetched" => Box::pin(self.at_not_fetched(id, dies)).await,
            other => panic!("a dossier is {other}, and no move of this history leads there"),
        }
        let expected = self.open.get(&id).map(|dossier| dossier.stage).or_else(|| self.ended.get(&id).copied());
        assert_eq!(Some(self.offices.application(id).await.stage.name()), expected, "{id}");
    }

    /// Notes where a dossier is; an ended one leaves the open ones.
    fn stands(&mut self, id: ApplicationId, stage: &'static str) {
        self.tells(stage);
        if ["cancelled", "handed-over"].contains(&stage) {
            self.ends_as(id, stage);
        } else {
            self.dossier(id).stage = stage;
        }
    }

    fn ends_as(&mut self, id: ApplicationId, stage: &'static str) {
        self.open.remove(&id).expect("it is under way");
        assert_eq!(self.ended.insert(id, stage), None, "{id} ends once");
    }

    /// Jobs run as time passes, and an administrator certifies the next signers before the old ones end.
    async fn time_passes(&mut self, by: Duration) {
        self.offices.clock.advance(by);
        let now = self.offices.clock.now();
        if now >= self.signers_since + SIGNERS_SERVE {
            self.signers_since = now;
            let store = KeyStore::open(self.offices.data.path(), None).unwrap();
            for name in [KeyName::DocumentSigner, KeyName::TrustListSigner] {
                keys::rotate(&store, name, now, &mut Randomness::System.draw()).unwrap();
            }
            keys::issue_crl(&store, &[], now).unwrap();
            assert_eq!(self.offices.state.signer.reload(&store).unwrap().len(), 2);
            self.tells("signers were renewed");
        }
        let deeds = self.offices.state.deeds();
        Box::pin(progress::miss(deeds)).await.unwrap();
        Box::pin(progress::remind(deeds)).await.unwrap();
        Box::pin(boxes::miss(deeds)).await.unwrap();
        Box::pin(cards::steps::end_suspensions(deeds)).await.unwrap();
        let mut tx = deeds.db().begin_read().await.unwrap();
        let sql = sql!("select id from application where stage = 'not-fetched' order by id");
        let rows = tx.all(sql, args![]).await.unwrap();
        drop(tx);
        for row in rows {
            let id = ApplicationId::of(&row, "id").unwrap();
            let dossier = self.dossier(id);
            if dossier.stage == "personalized" {
                dossier.rests = false;
                self.stands(id, "not-fetched");
            }
            assert_eq!(self.open[&id].stage, "not-fetched", "only a card that waits is not fetched");
        }
    }

    /// Another citizen comes.
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
        let number = self.persons;
        let scattered = number.wrapping_mul(7_919) % 40_960_000;
        let declaration = Declaration {
            full_name: format!("Nguyễn Thị {}", letters(scattered)),
            birth_date: format!("{:02}/{:02}/{}", 1 + number % 28, 1 + number / 28 % 12, 1960 + number % 45),
            mother: Some(DeclaredRelative {
                full_name: format!("Trần {}", letters(scattered.wrapping_mul(31) % 40_960_000)),
                ..Default::default()
            }),
            // The change of the old identity card costs something.
            old_id_number: if number.is_multiple_of(3) {
                format!("{:09}", 100_000_000 + number)
            } else {
                String::new()
            },
            ..declaration()
        };
        let person = self.offices.declares(&declaration).await;
        let because = Some("the papers name other parents");
        within!(self.offices, self.offices.registrar, deed => numbering::steps::establish(deed, &self.offices.state.numbers, person, because)).unwrap();
        self.persons += 1;
        Box::pin(self.applies(person, Kind::First)).await;
    }

    async fn applies(&mut self, person: PersonId, kind: Kind) {
        let office: OfficeCode = "district-1".parse().unwrap();
        let request = Request { person, kind, office: &office, exempt: false, claim: None, acknowledged: None };
        let counter = &self.offices.state.counter;
        let opened =
            within!(self.offices, self.offices.capture, deed => counter_steps::register(deed, counter, request));
        let application = opened.unwrap();
        self.open.insert(application.id, Dossier::new(person, application.fee));
        self.tells(match kind {
            Kind::First => "first",
            _ => "reissued after loss",
        });
    }

    /// The citizen dies: whatever was under way ends, and no card counts.
    async fn dies(&mut self, id: ApplicationId) {
        let person = self.open[&id].person;
        let day = self.offices.clock.today().to_string();
        Box::pin(changes(&self.offices, person, EventKind::Died, json!({ "died": day }))).await;
        let (stage, before) = (self.offices.application(id).await.stage.name(), self.open[&id].stage);
        assert_eq!(stage, "cancelled", "a dossier of a dead person that was {before}");
        self.holders.remove(&person);
        self.stands(id, "cancelled");
        self.tells("citizens died");
    }

    /// The card that is on a chip.
    async fn card_on(&self, serial: &CardSerial) -> CardId {
        let mut tx = self.offices.state.deeds().db().begin_read().await.unwrap();
        let sql = sql!("select id from card where serial = $1");
        let row = tx.one(sql, args![serial.to_string()]).await.unwrap().unwrap();
        CardId::of(&row, "id").unwrap()
    }
}

async fn lived(wanted: usize, seed: u64, database: Option<String>) {
    let began = Instant::now();
    let mut house = Box::pin(House::open(database, seed)).await;
    let (season, between) = ((wanted * 12 / SEASONS).max(150), (wanted / 10).max(40));
    let mut moves = 0_usize;
    while house.persons < wanted || !house.open.is_empty() || !house.without_card.is_empty() {
        Box::pin(house.moves(wanted, season)).await;
        // Identifiers ascend with time: what starts again knows nothing of those before.
        house.offices.clock.advance(Duration::milliseconds(20));
        moves += 1;
        if moves.is_multiple_of(between) {
            Box::pin(house.is_in_order()).await;
        }
        if moves.is_multiple_of(10_000) {
            let (seconds, dossiers) = (began.elapsed().as_secs(), house.open.len() + house.ended.len());
            eprintln!("{dossiers} dossiers begun, {moves} moves, {seconds} s");
        }
    }
    Box::pin(house.tidies_up()).await;
    Box::pin(house.is_whole()).await;
    let (dossiers, seconds) = (house.ended.len(), began.elapsed().as_secs());
    println!("{dossiers} dossiers, {moves} moves, {} chips, {seconds} s: {:?}", house.chips, house.told);
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
