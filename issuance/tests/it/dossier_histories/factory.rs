//! Where cards are made: at the counter, and in batches at the office and at the national office, from where they are
//! shipped.

use std::collections::BTreeMap;

use crypto::identity::CardSerial;
use crypto::scp03::MasterKey;
use issuance::applications::model::Slip;
use issuance::ground::ids::{ApplicationId, BoxId, CardBatchId};
use issuance::ground::{Id, Officer, Station};
use issuance::production::card_batches::{self, Wanted};
use issuance::production::cases::{self, CaseOutcome};
use issuance::production::personalization::{self, Ordered, PersonalizationOutcome, Proof, Wish};
use issuance::production::print_jobs::{self, Body, BodyVerdict};
use issuance::production::{ProductionError, boxes, ends, intake, steps, withdrawal};
use issuance::web::Problem;
use issuance::{args, sql};
use rand::RngExt as _;
use serde_json::Value;
use time::Duration;

use super::House;
use crate::chip::Chip;
use crate::offices::{TRANSPORT_MASTER, lives, within};

/// A batch of cards that is not closed.
pub(super) struct Batch {
    at_factory: bool,
    paused: bool,
    /// Its applications; true for those that were taken out of it.
    items: BTreeMap<ApplicationId, bool>,
}

fn word<T>(said: Result<T, ProductionError>) -> Result<T, &'static str> {
    said.map_err(|error| Problem::from(error).code().word())
}

impl House {
    fn station(&self, at_factory: bool) -> Station {
        if at_factory { self.factory.clone() } else { self.offices.station.clone() }
    }

    fn keeper(&self, national: bool, which: usize) -> Officer {
        self.keepers[usize::from(national)][which].clone()
    }

    /// A chip that a station holds, initialised.
    async fn chip(&mut self, at_factory: bool) -> Chip {
        if let Some(spare) = self.spare[usize::from(at_factory)].pop() {
            return spare;
        }
        self.chips += 1;
        let [a, b, c, d] = self.chips.to_be_bytes();
        let serial = CardSerial([0, 1, 2, 3, 4, 5, a, b, c, d]);
        let (serials, keeper, station) = ([serial], self.keeper(at_factory, 0), self.station(at_factory));
        let production = &self.offices.state.production;
        let delivery = steps::Delivery {
            manufacturer: "Maker",
            batch: "1",
            transport_key_id: "maker",
            firmware: None,
            serials: &serials,
        };
        within!(self.offices, keeper, deed => steps::deliver(deed, production, delivery)).unwrap();
        within!(self.offices, keeper, deed => steps::give_custody(deed, &serials, station.id)).unwrap();
        let keys = MasterKey::from_bytes(&TRANSPORT_MASTER).unwrap().diversify(&serial, 0xff);
        let mut chip = Chip::blank(serial, keys);
        let presentation = chip.presentation();
        let order = within!(self.offices, station, deed => intake::order(deed, production, &presentation)).unwrap();
        let (receipt, _) = crypto::perso::play(&mut chip, &order, &mut |_| {});
        within!(self.offices, station, deed => intake::receipt(deed, production, &receipt)).unwrap();
        chip
    }

    async fn prepares(&self, chip: &Chip, at_factory: bool, wish: Wish<'_>) -> Result<Option<u64>, &'static str> {
        let (deeds, production) = (self.offices.state.deeds(), &self.offices.state.production);
        let (station, presentation) = (self.station(at_factory), chip.presentation());
        word(Box::pin(personalization::prepare(deeds, production, &station, &presentation, wish)).await)
    }

    async fn orders(&self, chip: &Chip, at_factory: bool, fence: Option<u64>) -> Result<Ordered, &'static str> {
        self.prepares(chip, at_factory, Wish::Next).await?;
        let (station, presentation) = (self.station(at_factory), chip.presentation());
        let production = &self.offices.state.production;
        word(within!(self.offices, station, deed => personalization::order(deed, production, &presentation, fence)))
    }

    /// What happens to batches, parcels and lost chips as a whole.
    pub(super) async fn in_the_factory(&mut self) {
        match self.rng.random_range(0..8) {
            0 if !self.lost.is_empty() => {
                let which = self.rng.random_range(0..self.lost.len());
                let (serial, national) = self.lost.swap_remove(which);
                Box::pin(self.chip_is_found(&serial, national)).await;
            }
            1 => Box::pin(self.parcels_arrive()).await,
            2 | 3 => Box::pin(self.releases_batch()).await,
            _ => {
                let which = self.rng.random_range(0..self.batches.len().max(1));
                let Some(id) = self.batches.keys().nth(which).copied() else { return };
                Box::pin(self.batch_goes_on(id)).await;
            }
        }
    }

    /// Approved applications that are in no batch.
    fn in_queue(&self) -> Vec<ApplicationId> {
        let waits = self.open.iter().filter(|(_, dossier)| dossier.stage == "approved" && dossier.batch.is_none());
        waits.map(|(id, _)| *id).collect()
    }

    /// Two officers release a batch of all that waits.
    async fn releases_batch(&mut self) {
        let waits = self.in_queue();
        if waits.is_empty() {
            return;
        }
        let (at_factory, dies) = (!self.one_in(3), self.one_in(6));
        let (first, second) = (self.keeper(at_factory, 0), self.keeper(at_factory, 1));
        let wanted = Wanted { priority: self.rng.random_range(0..3), cut_off: None, most: 1_000 };
        let id = within!(self.offices, first, deed => card_batches::draft(deed, wanted)).unwrap().id;
        assert!(!lives!(self.offices, first, false, deed => card_batches::release(deed, id)), "it takes two");
        if !lives!(self.offices, second, dies, deed => card_batches::release(deed, id)) {
            assert!(dies);
            within!(self.offices, first, deed => card_batches::cancel(deed, id, "not needed")).unwrap();
            return;
        }
        let mut tx = self.offices.state.deeds().db().begin_read().await.unwrap();
        let sql = sql!("select application_id from batch_item where batch_id = $1 order by application_id");
        let rows = tx.all(sql, args![id]).await.unwrap();
        drop(tx);
        let items: Vec<ApplicationId> = rows.iter().map(|row| Id::of(row, "application_id").unwrap()).collect();
        assert_eq!(items, waits, "all that waits is in the batch, once");
        for item in &items {
            self.dossier(*item).batch = Some(id);
        }
        let items = items.into_iter().map(|item| (item, false)).collect();
        self.batches.insert(id, Batch { at_factory, paused: false, items });
        self.tells("batches released");
    }

    /// A batch is paused, goes on, is cut short, or closed.
    async fn batch_goes_on(&mut self, id: CardBatchId) {
        let (keeper, paused) = (self.keeper(self.batches[&id].at_factory, 0), self.batches[&id].paused);
        match self.rng.random_range(0..10) {
            0..=2 if paused => self.resumes(id).await,
            0 => {
                within!(self.offices, keeper, deed => card_batches::pause(deed, id, "a look at the tray")).unwrap();
                self.batches.get_mut(&id).unwrap().paused = true;
                self.tells("batches paused");
            }
            1 => {
                within!(self.offices, keeper, deed => card_batches::cancel(deed, id, "no blanks left")).unwrap();
                for (item, dossier) in &mut self.open {
                    if dossier.batch == Some(id) && dossier.stage == "approved" {
                        dossier.batch = None;
                        self.batches.get_mut(&id).unwrap().items.insert(*item, true);
                    }
                }
                self.tells("batches cut short");
            }
            _ => _ = Box::pin(self.closes(id)).await,
        }
    }

    async fn resumes(&mut self, id: CardBatchId) {
        let keeper = self.keeper(self.batches[&id].at_factory, 0);
        within!(self.offices, keeper, deed => card_batches::resume(deed, id)).unwrap();
        self.batches.get_mut(&id).unwrap().paused = false;
    }

    /// Closes a batch in which nothing is left to do. What the service counts is what the history knows.
    async fn closes(&mut self, id: CardBatchId) -> bool {
        let batch = &self.batches[&id];
        let stage = |item: &ApplicationId| -> &'static str {
            self.open.get(item).map_or_else(|| self.ended[item], |dossier| dossier.stage)
        };
        let in_batch = batch.items.iter().filter(|(_, taken_out)| !**taken_out);
        let stages: Vec<&'static str> = in_batch.map(|(item, _)| stage(item)).collect();
        let is_done = !stages.iter().any(|stage| ["approved", "in-production"].contains(stage));
        let cards = ["shipped", "personalized", "not-fetched", "handed-over"];
        let good = stages.iter().filter(|stage| cards.contains(stage)).count() as u64;
        let (left, keeper) = (batch.items.len() as u64 - good, self.keeper(batch.at_factory, 0));
        match word(within!(self.offices, keeper, deed => card_batches::close(deed, id))) {
            Ok(closed) => {
                let closing = closed.closed.unwrap();
                assert_eq!((is_done, closing.good, closing.left), (true, good, left), "{stages:?}");
                self.batches.remove(&id);
                self.open.values_mut().filter(|it| it.batch == Some(id)).for_each(|it| it.batch = None);
                self.tells("batches closed");
            }
            Err(code) => assert_eq!((is_done, code), (false, "batch-unfinished"), "{stages:?}"),
        }
        is_done
    }

    pub(super) async fn at_approved(&mut self, id: ApplicationId, dies: bool) {
        if self.one_in(14) {
            return Box::pin(self.ends(id, dies)).await;
        }
        let batch = self.open[&id].batch;
        match batch {
            Some(batch) => Box::pin(self.takes_item(batch)).await,
            None if self.one_in(3) => {
                let (chip, slip) = (Box::pin(self.chip(false)).await, self.offices.application(id).await.slip);
                self.binds(id, &slip, chip).await;
            }
            None => Box::pin(self.releases_batch()).await,
        }
    }

    /// At the counter, for the slip that the citizen has.
    async fn binds(&mut self, id: ApplicationId, slip: &Slip, chip: Chip) {
        let bound = self.prepares(&chip, false, Wish::Slip(slip)).await;
        assert_eq!(bound, Ok(None), "{id}");
        self.is_bound(id, chip, false, None);
    }

    fn is_bound(&mut self, id: ApplicationId, chip: Chip, at_factory: bool, fence: Option<u64>) {
        let dossier = self.dossier(id);
        (dossier.chip, dossier.at_factory, dossier.fence) = (Some(chip), at_factory, fence);
        self.stands(id, "in-production");
    }

    /// A chip is presented for the next item of a batch. Where none waits, it gets one whose lease ran out.
    async fn takes_item(&mut self, batch: CardBatchId) {
        let Batch { at_factory, paused, .. } = self.batches[&batch];
        let chip = Box::pin(self.chip(at_factory)).await;
        let waits = self.open.values().any(|dossier| dossier.batch == Some(batch) && dossier.stage == "approved");
        let given = self.prepares(&chip, at_factory, Wish::Batch(batch)).await;
        let fence = match given {
            Ok(fence) => fence.expect("an item that is bound now has a fence"),
            Err(code) => {
                let expected = if paused { "batch-paused" } else { "batch-exhausted" };
                assert_eq!((code, paused || !waits), (expected, true));
                self.spare[usize::from(at_factory)].push(chip);
                if paused {
                    self.resumes(batch).await;
                }
                return;
            }
        };
        let mut tx = self.offices.state.deeds().db().begin_read().await.unwrap();
        let row = tx.one(sql!("select id, state_data from chip where id = $1"), args![chip.serial.to_string()]).await;
        let data: Value = row.unwrap().unwrap().json("state_data").unwrap();
        drop(tx);
        let id: ApplicationId = data["application"].as_str().unwrap().parse().unwrap();
        assert_eq!(self.open[&id].batch, Some(batch), "it is an item of this batch");
        if let Some(silent) = self.dossier(id).chip.take() {
            assert!(!waits, "one that waits comes before one that is silent");
            let late = self.prepares(&silent, at_factory, Wish::Batch(batch)).await;
            assert_eq!(late, Err("batch-item-elsewhere"), "what the silent chip still asks is refused");
            self.tells("leases ran out");
        }
        self.is_bound(id, chip, at_factory, Some(fence));
    }

    pub(super) async fn at_production(&mut self, id: ApplicationId, dies: bool) {
        let (at_factory, in_batch) = (self.open[&id].at_factory, self.open[&id].batch);
        match self.rng.random_range(0..24) {
            0 | 1 => {
                let (serial, station) = (self.serial(id), self.station(at_factory));
                if lives!(self.offices, station, dies, deed => withdrawal::spoil(deed, &serial, "torn", "none")) {
                    self.loses_chip(id);
                    self.tells("chips torn");
                }
            }
            2 => Box::pin(self.chip_is_lost(id, dies)).await,
            3 => {
                let officer = self.offices.capture.clone();
                if lives!(self.offices, officer, dies, deed => withdrawal::cancel(deed, id, "moved abroad")) {
                    self.tells("ended on a chip");
                    self.stands(id, "cancelled");
                }
            }
            // The station goes silent.
            4..=6 if in_batch.is_some() => {
                self.offices.clock.advance(Duration::minutes(11));
                Box::pin(self.takes_item(in_batch.unwrap())).await;
            }
            _ => Box::pin(self.is_written(id, dies)).await,
        }
    }

    fn serial(&self, id: ApplicationId) -> CardSerial {
        self.open[&id].chip.as_ref().expect("it is on a chip").serial
    }

    /// The chip is no card (any more), and the dossier waits for another one.
    fn loses_chip(&mut self, id: ApplicationId) {
        self.dossier(id).without_chip();
        self.stands(id, "approved");
    }

    /// The station asks for the order, plays it and sends the receipt, each of which may be lost.
    async fn is_written(&mut self, id: ApplicationId, dies: bool) {
        let (at_factory, fence) = (self.open[&id].at_factory, self.open[&id].fence);
        let mut chip = self.dossier(id).chip.take().expect("bound");
        // A program that started again knows no fence; what the one before still asks is refused.
        let starts_again = self.one_in(5);
        let ordered = self.orders(&chip, at_factory, fence.filter(|_| !starts_again)).await;
        let ordered = ordered.unwrap_or_else(|code| panic!("{id}: {code}"));
        let given = ordered.lease.as_ref().map(|lease| lease.fence);
        if let (Some(before), Some(now)) = (fence, given) {
            assert_eq!(now, if starts_again { before + 1 } else { before });
            if starts_again {
                assert_eq!(self.orders(&chip, at_factory, fence).await.map(drop), Err("lease-lost"));
                self.tells("fences refused");
            }
        }
        let torn = self.one_in(8);
        chip.dies_after = torn.then_some(5);
        let (receipt, _) = crypto::perso::play(&mut chip, &ordered.order, &mut |_| {});
        chip.dies_after = None;
        let (station, signature) = (self.station(at_factory), chip.signs(&ordered.challenge));
        let proof = Some(Proof { challenge: &ordered.challenge, signature: &signature });
        let production = &self.offices.state.production;
        let mut deed = self.offices.state.deeds().open(station).await.unwrap();
        let outcome = personalization::receipt(&mut deed, production, &receipt, proof).await;
        let outcome = word(outcome).unwrap_or_else(|code| panic!("{id}: {code}"));
        // The receipt is lost as often as a verb dies: the station plays the order anew.
        if dies {
            drop(deed);
        } else {
            deed.commit().await.unwrap();
        }
        let dossier = self.dossier(id);
        (dossier.chip, dossier.fence) = (Some(chip), given);
        match outcome {
            PersonalizationOutcome::Personalized { .. } if !dies => {
                self.stands(id, if at_factory { "shipped" } else { "personalized" });
            }
            PersonalizationOutcome::Personalized { .. } => self.tells("receipts lost"),
            PersonalizationOutcome::Incomplete { .. } => self.tells("power failed"),
        }
    }

    /// An officer who had no hand in it compares the printed body with the chip.
    pub(super) async fn body_is_checked(&mut self, id: ApplicationId, dies: bool) {
        let (deeds, production) = (self.offices.state.deeds(), &self.offices.state.production);
        Box::pin(print_jobs::write_out(production, deeds)).await.unwrap();
        let mut tx = deeds.db().begin_read().await.unwrap();
        let sql = sql!("select id from print_job where application_id = $1 and state = 'written'");
        let jobs = tx.all(sql, args![id]).await.unwrap();
        drop(tx);
        assert_eq!(jobs.len(), 1, "{id} is printed once");
        let job: Id<()> = Id::of(&jobs[0], "id").unwrap();
        let sheet = std::fs::read(self.outbox.path().join(format!("{job}.json"))).unwrap();
        let sheet: Value = serde_json::from_slice(&sheet).unwrap();
        let lines = sheet["back"]["mrz"].as_array().unwrap();
        let mrz: Vec<&str> = lines.iter().map(|line| line.as_str().unwrap()).collect();
        let (mrz, mut qr) = (mrz.join("\n"), sheet["front"]["qr"].as_str().unwrap().to_owned());
        let differs = self.one_in(12);
        if differs {
            qr.push('x');
        }
        let mut deed = self.offices.state.deeds().open(self.quality[0].clone()).await.unwrap();
        let (production, read) = (&self.offices.state.production, Body { mrz: &mrz, qr: &qr, chip: None });
        let found = print_jobs::check_body(&mut deed, production, id, read).await;
        // What this officer doubted before, another one decides.
        if let Err(ProductionError::SecondOfficer) = found {
            drop(deed);
            return Box::pin(self.body_is_decided(id, (&mrz, &qr), dies)).await;
        }
        assert_eq!(found.unwrap().verdict, if differs { BodyVerdict::Doubted } else { BodyVerdict::Matches });
        if dies {
            return;
        }
        deed.commit().await.unwrap();
        if !differs {
            self.dossier(id).checked = true;
            return;
        }
        // It stops the tray, and spoils nothing.
        if let Some(batch) = self.open[&id].batch {
            self.batches.get_mut(&batch).unwrap().paused = true;
        }
        self.tells("bodies doubted");
    }

    /// A second officer reads the body that another one doubted, and as the paper says it or not.
    async fn body_is_decided(&mut self, id: ApplicationId, (mrz, qr): (&str, &str), dies: bool) {
        let differs = qr.ends_with('x') || self.rng.random();
        let qr = if differs { format!("{qr}x") } else { qr.to_owned() };
        let read = Body { mrz, qr: &qr, chip: None };
        let mut deed = self.offices.state.deeds().open(self.quality[1].clone()).await.unwrap();
        let checked = print_jobs::check_body(&mut deed, &self.offices.state.production, id, read).await.unwrap();
        assert_eq!(checked.verdict, if differs { BodyVerdict::Spoiled } else { BodyVerdict::Matches });
        if dies {
            return;
        }
        deed.commit().await.unwrap();
        if !differs {
            self.dossier(id).checked = true;
            return self.tells("doubts that were none");
        }
        if let Some(batch) = self.open[&id].batch {
            self.batches.get_mut(&batch).unwrap().paused = true;
        }
        self.loses_chip(id);
        self.tells("bodies differ");
    }

    /// The seal of a parcel.
    async fn seal(&self, parcel: BoxId) -> String {
        let mut tx = self.offices.state.deeds().db().begin_read().await.unwrap();
        let row = tx.one(sql!("select seal from stock_box where id = $1"), args![parcel]).await.unwrap().unwrap();
        row.get("seal").unwrap()
    }

    pub(super) async fn at_shipped(&mut self, id: ApplicationId, dies: bool) {
        if !self.open[&id].checked {
            return Box::pin(self.body_is_checked(id, dies)).await;
        }
        if self.one_in(20) {
            return Box::pin(self.chip_is_lost(id, dies)).await;
        }
        if self.open[&id].boxed.is_some() {
            return Box::pin(self.parcels_arrive()).await;
        }
        let ready = |dossier: &super::Dossier| dossier.stage == "shipped" && dossier.checked && dossier.boxed.is_none();
        let sent: Vec<ApplicationId> = self.open.iter().filter(|(_, it)| ready(it)).map(|(id, _)| *id).collect();
        let serials: Vec<CardSerial> = sent.iter().map(|id| self.serial(*id)).collect();
        let mut deed = self.offices.state.deeds().open(self.keeper(true, 0)).await.unwrap();
        self.seals += 1;
        let seal = format!("A {:04}", self.seals);
        let sealed = boxes::Shipping { seal: &seal, days: 2, body_check: true };
        let parcel = boxes::ship(&mut deed, &serials, "district-1".parse().unwrap(), sealed).await.unwrap().id;
        if dies {
            return;
        }
        deed.commit().await.unwrap();
        for id in sent {
            self.dossier(id).boxed = Some(parcel);
        }
        self.boxes.insert(parcel);
        self.tells("parcels sent");
    }

    /// The first parcel on its way is counted at the office: whole, or with one card too few, about which an officer of
    /// each of the two offices decides.
    async fn parcels_arrive(&mut self) {
        let Some(parcel) = self.boxes.first().copied() else { return };
        let inside: Vec<ApplicationId> =
            self.open.iter().filter(|(_, dossier)| dossier.boxed == Some(parcel)).map(|(id, _)| *id).collect();
        let mut counted: Vec<CardSerial> = inside.iter().map(|id| self.serial(*id)).collect();
        let missing = if self.one_in(4) { counted.pop().and(inside.last().copied()) } else { None };
        let (receiver, sender, seal) = (self.keeper(false, 0), self.keeper(true, 0), self.seal(parcel).await);
        assert!(
            !lives!(self.offices, sender, false, deed => boxes::receive(deed, parcel, &counted, Some(&seal))),
            "its sender"
        );
        let dies = self.one_in(6);
        let mut deed = self.offices.state.deeds().open(receiver.clone()).await.unwrap();
        let (_, case) = boxes::receive(&mut deed, parcel, &counted, Some(&seal)).await.unwrap();
        assert_eq!(case.is_some(), missing.is_some(), "{parcel}");
        if dies {
            return;
        }
        deed.commit().await.unwrap();
        self.boxes.remove(&parcel);
        self.tells("parcels counted");
        for id in inside.into_iter().filter(|id| Some(*id) != missing) {
            self.arrives(id);
        }
        let Some((id, case)) = missing.zip(case) else { return };
        let outcomes = [CaseOutcome::Arrived, CaseOutcome::Returned, CaseOutcome::Lost];
        let outcome = outcomes[self.rng.random_range(0..3)];
        let proposed =
            within!(self.offices, receiver, deed => cases::propose(deed, case, outcome, "we looked")).unwrap();
        let (digest, serial) = (proposed.digest().unwrap(), self.serial(id));
        within!(self.offices, sender, deed => cases::confirm(deed, case, &digest)).unwrap();
        match outcome {
            CaseOutcome::Arrived => self.arrives(id),
            CaseOutcome::Returned => self.dossier(id).boxed = None,
            _ => {
                self.lost.push((serial, true));
                self.loses_chip(id);
            }
        }
        self.tells("cards missing in a parcel");
    }

    fn arrives(&mut self, id: ApplicationId) {
        self.dossier(id).boxed = None;
        self.stands(id, "personalized");
    }

    /// A stock keeper of the office that has it reports the chip of a dossier as lost.
    pub(super) async fn chip_is_lost(&mut self, id: ApplicationId, dies: bool) {
        let serial = self.serial(id);
        let national = self.open[&id].at_factory && ["in-production", "shipped"].contains(&self.open[&id].stage);
        let keeper = self.keeper(national, 0);
        if lives!(self.offices, keeper, dies, deed => ends::report_lost(deed, &serial, "not in the drawer")) {
            self.lost.push((serial, national));
            self.loses_chip(id);
            self.tells("chips lost");
        }
    }

    /// A lost chip is there again, as two officers say: it is waste.
    async fn chip_is_found(&mut self, serial: &CardSerial, national: bool) {
        let (finder, second) = (self.keeper(national, 0), self.keeper(national, 1));
        let (_, case) = within!(self.offices, finder, deed => ends::find(deed, serial, "behind the drawer")).unwrap();
        let (id, digest) = (case.id, case.digest().unwrap());
        within!(self.offices, second, deed => cases::confirm(deed, id, &digest)).unwrap();
        self.tells("lost chips found");
    }

    /// Parcels are counted, lost chips found, batches closed.
    pub(super) async fn tidies_up(&mut self) {
        while !self.boxes.is_empty() {
            Box::pin(self.parcels_arrive()).await;
        }
        while let Some((serial, national)) = self.lost.pop() {
            Box::pin(self.chip_is_found(&serial, national)).await;
        }
        let batches: Vec<CardBatchId> = self.batches.keys().copied().collect();
        for id in batches {
            assert!(Box::pin(self.closes(id)).await, "nothing is left to do in {id}");
        }
    }
}
