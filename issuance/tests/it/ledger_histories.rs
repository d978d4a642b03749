//! Random histories of the stock, with verbs that die before they become true and services that start again: the sum of
//! all accounts is 0 after each step, each chip is what it was made, and none is doubled or lost. On SQLite and on
//! PostgreSQL.

use std::collections::BTreeMap;

use crypto::identity::CardSerial;
use crypto::scp03::MasterKey;
use issuance::applications::model::Kind;
use issuance::ground::ids::{BoxId, CaseId};
use issuance::ground::{Id, Officer, Role};
use issuance::production::cases::{self, CaseOutcome};
use issuance::production::ends::{self, Wanted};
use issuance::production::personalization::{self, Proof, Wish};
use issuance::production::{self, boxes, intake, steps, withdrawal};
use issuance::store::Sql;
use issuance::{args, sql};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use time::Duration;

use crate::chip::Chip;
use crate::offices::{Offices, TRANSPORT_MASTER, appoint, lives, moves};
use crate::tables::fresh_database;

/// One step of a history.
#[derive(Clone, Copy, Debug)]
enum Step {
    Deliver,
    Open,
    TakeIn,
    Personalize,
    Spoil,
    WriteOff,
    Destroy,
    Lose,
    Find,
    Send,
    Receive,
    Settle,
    StartAgain,
}

/// A step, which of the chips that it can be done with, and whether it dies just before it becomes true.
type Moment = (Step, u8, bool);

fn histories() -> impl Strategy<Value = Vec<Moment>> {
    let step = prop_oneof![
        3 => Just(Step::Deliver),
        4 => Just(Step::Open),
        4 => Just(Step::TakeIn),
        3 => Just(Step::Personalize),
        2 => Just(Step::Spoil),
        2 => Just(Step::WriteOff),
        2 => Just(Step::Destroy),
        2 => Just(Step::Lose),
        1 => Just(Step::Find),
        2 => Just(Step::Send),
        2 => Just(Step::Receive),
        2 => Just(Step::Settle),
        1 => Just(Step::StartAgain),
    ];
    proptest::collection::vec((step, any::<u8>(), prop::bool::weighted(0.25)), 40..80)
}

/// The offices, and what each chip should be.
struct House {
    offices: Offices,
    database: Option<String>,
    far: Officer,
    colleague: Officer,
    /// The chips themselves.
    chips: BTreeMap<CardSerial, Chip>,
    /// What the ledger should say of each.
    expected: BTreeMap<CardSerial, &'static str>,
    delivered: u8,
}

impl House {
    async fn open(database: Option<String>) -> Self {
        let offices = Offices::open(database.clone()).await;
        let deeds = offices.state.deeds();
        let far = moves(deeds, &appoint(deeds, Role::Stock).await, "district-2").await;
        let colleague = appoint(deeds, Role::Stock).await;
        for _ in 0..3 {
            let person = offices.citizen().await;
            offices.approved(person, Kind::First).await;
        }
        let (chips, expected) = (BTreeMap::new(), BTreeMap::new());
        Self { offices, database, far, colleague, chips, expected, delivered: 0 }
    }

    /// One of the chips that a statement finds.
    async fn one_of(&self, sql: Sql, which: u8) -> Option<CardSerial> {
        let mut tx = self.offices.state.deeds().db().begin_read().await.unwrap();
        let rows = tx.all(sql, args![]).await.unwrap();
        let row = rows.get(usize::from(which) % rows.len().max(1))?;
        Some(row.parsed("id").unwrap())
    }

    /// Does a step, if there is a chip for it.
    async fn does(&mut self, (step, which, dies): Moment) {
        match step {
            Step::Deliver => self.deliver(dies).await,
            Step::Open => self.open_one(which, dies).await,
            Step::TakeIn => self.take_in(which, dies).await,
            Step::Personalize => Box::pin(self.personalize(which, dies)).await,
            Step::Spoil => self.spoil(which, dies).await,
            Step::WriteOff => self.write_off(which, dies).await,
            Step::Destroy => self.destroy(which, dies).await,
            Step::Lose => self.lose(which, dies).await,
            Step::Find => self.find(which, dies).await,
            Step::Send => self.send(which, dies).await,
            Step::Receive => self.receive(which, dies).await,
            Step::Settle => self.settle(which, dies).await,
            // A new process: nothing of the old one's memory is there. PostgreSQL has only the deeds that died.
            Step::StartAgain if self.database.is_none() => Box::pin(self.offices.starts_again()).await,
            Step::StartAgain => {}
        }
    }

    async fn deliver(&mut self, dies: bool) {
        let serial = |n| CardSerial([0, 1, 2, 3, 4, 5, 6, 7, 9, n]);
        let serials = [serial(self.delivered), serial(self.delivered + 1)];
        let delivery = steps::Delivery {
            manufacturer: "Maker",
            batch: "1",
            transport_key_id: "maker",
            firmware: None,
            serials: &serials,
        };
        let production = &self.offices.state.production;
        if lives!(self.offices, self.offices.stock, dies, deed => steps::deliver(deed, production, delivery)) {
            self.delivered += 2;
            self.expected.extend(serials.map(|serial| (serial, "delivered")));
        }
    }

    async fn open_one(&mut self, which: u8, dies: bool) {
        let sql = sql!(
            "select id from chip where state in ('delivered', 'initialised') and custody is null and box_id is null
             and office = 'district-1' order by id"
        );
        let Some(serial) = self.one_of(sql, which).await else { return };
        let station = self.offices.station.id;
        _ = lives!(self.offices, self.offices.stock, dies, deed => steps::give_custody(deed, &[serial], station));
    }

    async fn take_in(&mut self, which: u8, dies: bool) {
        let sql = sql!("select id from chip where state = 'delivered' and custody is not null order by id");
        let Some(serial) = self.one_of(sql, which).await else { return };
        let keys = MasterKey::from_bytes(&TRANSPORT_MASTER).unwrap().diversify(&serial, 0xff);
        let chip = self.chips.entry(serial).or_insert_with(|| Chip::blank(serial, keys));
        let (presentation, production) = (chip.presentation(), &self.offices.state.production);
        let mut deed = self.offices.state.deeds().open(self.offices.station.clone()).await.unwrap();
        let order = intake::order(&mut deed, production, &presentation).await.unwrap();
        deed.commit().await.unwrap();
        let (receipt, _) = crypto::perso::play(chip, &order, &mut |_| {});
        if lives!(self.offices, self.offices.station, dies, deed => intake::receipt(deed, production, &receipt)) {
            self.expected.insert(serial, "initialised");
        }
    }

    async fn personalize(&mut self, which: u8, dies: bool) {
        let sql =
            sql!("select id from chip where state in ('initialised', 'bound') and custody is not null order by id");
        let Some(serial) = self.one_of(sql, which).await else { return };
        let production = &self.offices.state.production;
        let chip = self.chips.get_mut(&serial).unwrap();
        let (deeds, station, presentation) = (self.offices.state.deeds(), &self.offices.station, chip.presentation());
        // Without an application that waits there is nothing to do.
        if personalization::prepare(deeds, production, station, &presentation, Wish::Next).await.is_err() {
            return;
        }
        self.expected.insert(serial, "bound");
        let mut deed = deeds.open(station.clone()).await.unwrap();
        let ordered = personalization::order(&mut deed, production, &presentation, None).await.unwrap();
        deed.commit().await.unwrap();
        let (receipt, _) = crypto::perso::play(chip, &ordered.order, &mut |_| {});
        let signature = chip.signs(&ordered.challenge);
        let proof = Some(Proof { challenge: &ordered.challenge, signature: &signature });
        if lives!(self.offices, self.offices.station, dies, deed => personalization::receipt(deed, production, &receipt, proof))
        {
            self.expected.insert(serial, "personalized");
        }
    }

    async fn spoil(&mut self, which: u8, dies: bool) {
        let sql = sql!(
            "select id from chip where state in ('delivered', 'initialised', 'bound') and custody is not null order by id"
        );
        let Some(serial) = self.one_of(sql, which).await else { return };
        if lives!(self.offices, self.offices.station, dies, deed => withdrawal::spoil(deed, &serial, "torn", "none")) {
            self.expected.insert(serial, "spoiled");
        }
    }

    async fn write_off(&mut self, which: u8, dies: bool) {
        let sql = sql!("select id from chip where office = 'district-1' order by id");
        let Some(serial) = self.one_of(sql, which).await else { return };
        let witness = self.offices.approver.clone();
        if lives!(self.offices, self.offices.stock, false, deed => withdrawal::write_off(deed, &serial, "bent", witness.id))
            && lives!(self.offices, witness, dies, deed => withdrawal::confirm_write_off(deed, &serial, "bent"))
        {
            self.expected.insert(serial, "spoiled");
        }
    }

    async fn destroy(&mut self, which: u8, dies: bool) {
        let sql = sql!("select id from chip where state = 'spoiled' and office = 'district-1' order by id");
        let Some(one) = self.one_of(sql, which).await else { return };
        let two = self.one_of(sql, which / 2).await.unwrap();
        let witnesses = [self.offices.approver.clone(), self.offices.counter.clone()];
        let serials = [one, two];
        let wanted = Wanted { serials: &serials, method: "shredded", witnesses: [witnesses[0].id, witnesses[1].id] };
        let mut deed = self.offices.state.deeds().open(self.offices.stock.clone()).await.unwrap();
        let proposed = ends::propose_destruction(&mut deed, wanted).await.unwrap();
        deed.commit().await.unwrap();
        let id = proposed.id;
        assert!(lives!(self.offices, witnesses[0], false, deed => ends::confirm_destruction(deed, id)));
        if lives!(self.offices, witnesses[1], dies, deed => ends::confirm_destruction(deed, id)) {
            self.expected.extend(serials.map(|serial| (serial, "destroyed")));
        }
    }

    async fn lose(&mut self, which: u8, dies: bool) {
        let sql = sql!("select id from chip where office = 'district-1' order by id");
        let Some(serial) = self.one_of(sql, which).await else { return };
        if lives!(self.offices, self.offices.stock, dies, deed => ends::report_lost(deed, &serial, "gone")) {
            self.expected.insert(serial, "lost");
        }
    }

    async fn find(&mut self, which: u8, dies: bool) {
        let sql = sql!("select id from chip where state = 'lost' and office = 'district-1' order by id");
        let Some(serial) = self.one_of(sql, which).await else { return };
        let mut deed = self.offices.state.deeds().open(self.offices.stock.clone()).await.unwrap();
        let (_, case) = ends::find(&mut deed, &serial, "there").await.unwrap();
        deed.commit().await.unwrap();
        let (id, digest) = (case.id, case.digest().unwrap());
        if lives!(self.offices, self.colleague, dies, deed => cases::confirm(deed, id, &digest)) {
            self.expected.insert(serial, "spoiled");
        }
    }

    async fn send(&mut self, which: u8, dies: bool) {
        let sql = sql!(
            "select id from chip where state in ('delivered', 'initialised') and box_id is null and office = 'district-1'
             order by id"
        );
        let Some(one) = self.one_of(sql, which).await else { return };
        let two = self.one_of(sql, which / 2).await.unwrap();
        let serials = [one, two];
        _ = lives!(self.offices, self.offices.stock, dies, deed => boxes::send(deed, &serials, "district-2".parse().unwrap(), 2));
    }

    /// A box is received: whole, with one too few, or with one too many.
    async fn receive(&mut self, which: u8, dies: bool) {
        let mut tx = self.offices.state.deeds().db().begin_read().await.unwrap();
        let sql = sql!("select id, serials from stock_box where received_at is null and ended_at is null order by id");
        let rows = tx.all(sql, args![]).await.unwrap();
        let Some(row) = rows.get(usize::from(which) % rows.len().max(1)) else { return };
        let id: BoxId = Id::of(row, "id").unwrap();
        let serials: Vec<String> = row.json("serials").unwrap();
        drop(tx);
        let mut counted: Vec<CardSerial> = serials.iter().map(|serial| serial.parse().unwrap()).collect();
        match which % 3 {
            0 => _ = counted.pop(),
            1 => {
                let any = sql!("select id from chip order by id");
                counted.extend(self.one_of(any, which).await);
            }
            _ => {}
        }
        assert!(lives!(self.offices, self.far, dies, deed => boxes::receive(deed, id, &counted, None)) || dies);
    }

    async fn settle(&mut self, which: u8, dies: bool) {
        let mut tx = self.offices.state.deeds().db().begin_read().await.unwrap();
        let sql = sql!("select id, kind, missing, extra, subject from stock_case where state <> 'settled' order by id");
        let rows = tx.all(sql, args![]).await.unwrap();
        let Some(row) = rows.get(usize::from(which) % rows.len().max(1)) else { return };
        let id: CaseId = Id::of(row, "id").unwrap();
        let (kind, subject): (String, String) = (row.get("kind").unwrap(), row.get("subject").unwrap());
        let both = ["missing", "extra"].map(|column| row.json::<Vec<String>>(column).unwrap()).concat();
        let boxed = sql!("select id from chip where 'stock-box/' || cast(box_id as text) = $1 order by id");
        let boxed = tx.all(boxed, args![&subject]).await.unwrap();
        let boxed: Vec<CardSerial> = boxed.iter().map(|row| row.parsed("id").unwrap()).collect();
        drop(tx);
        let outcomes = [CaseOutcome::Arrived, CaseOutcome::Returned, CaseOutcome::Lost];
        let outcome = if kind == "box" { outcomes[usize::from(which) % 3] } else { CaseOutcome::Lost };
        let (one, two) = if kind == "box" {
            (self.far.clone(), self.offices.stock.clone())
        } else {
            (self.offices.stock.clone(), self.colleague.clone())
        };
        let mut deed = self.offices.state.deeds().open(one).await.unwrap();
        let digest = cases::propose(&mut deed, id, outcome, "counted together").await.unwrap().digest().unwrap();
        deed.commit().await.unwrap();
        let settled = lives!(self.offices, two, dies, deed => cases::confirm(deed, id, &digest));
        assert!(settled || dies);
        if settled && outcome == CaseOutcome::Lost && kind == "box" {
            let of_case = |serial: &&CardSerial| both.contains(&serial.to_string());
            self.expected.extend(boxed.iter().filter(of_case).map(|serial| (*serial, "lost")));
        }
    }

    /// What must hold after every step.
    async fn is_in_order(&self) {
        let mut tx = self.offices.state.deeds().db().begin_read().await.unwrap();
        let balances = production::balances(&mut tx).await.unwrap();
        assert_eq!((balances.sum, balances.complaints()), (0, vec![]));
        let rows = tx.all(sql!("select id, state from chip order by id"), args![]).await.unwrap();
        let there: BTreeMap<CardSerial, String> =
            rows.iter().map(|row| (row.parsed("id").unwrap(), row.get("state").unwrap())).collect();
        let expected: BTreeMap<_, _> =
            self.expected.iter().map(|(serial, state)| (*serial, (*state).to_owned())).collect();
        assert_eq!(there, expected, "each chip is what it was made, and none is lost or doubled");
    }

    /// What must hold in the end: each chip's postings are one chain from its delivery to where it is.
    async fn chains_are_whole(&self) {
        let mut tx = self.offices.state.deeds().db().begin_read().await.unwrap();
        assert_eq!(production::check_ledger(&mut tx).await.unwrap().complaints, Vec::<String>::new());
        let sql = sql!("select serial, from_account, to_account from posting where serial is not null order by id");
        let mut at: BTreeMap<String, String> = BTreeMap::new();
        for row in tx.all(sql, args![]).await.unwrap() {
            let (serial, from, to): (String, String, String) =
                (row.get("serial").unwrap(), row.get("from_account").unwrap(), row.get("to_account").unwrap());
            let before = at.insert(serial.clone(), to);
            assert_eq!(before.as_deref().unwrap_or("office/district-1/delivered"), from, "chip {serial}");
        }
    }
}

async fn lived(history: Vec<Moment>, database: Option<String>) {
    let mut house = Box::pin(House::open(database)).await;
    for moment in history {
        Box::pin(house.does(moment)).await;
        // Identifiers ascend with time: what starts again knows nothing of those before.
        house.offices.clock.advance(Duration::seconds(1));
        house.is_in_order().await;
    }
    house.chains_are_whole().await;
    house.offices.counts_are_true().await;
    house.is_in_order().await;
}

fn histories_leave_the_ledger_whole(cases: u32, database: impl Fn() -> Option<Option<String>>) {
    let config = Config { cases, max_shrink_iters: 24, failure_persistence: None, ..Config::default() };
    let lived = |history| {
        let Some(database) = database() else { return Ok(()) };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(Box::pin(lived(history, database)));
        Ok(())
    };
    TestRunner::new(config).run(&histories(), lived).unwrap();
}

#[test]
fn random_histories_with_crashes_leave_the_ledger_whole_on_sqlite() {
    histories_leave_the_ledger_whole(4, || Some(None));
}

#[test]
fn random_histories_with_crashes_leave_the_ledger_whole_on_postgresql() {
    histories_leave_the_ledger_whole(2, || fresh_database().map(Some));
}
