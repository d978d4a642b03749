//! At the counter and with those who decide: captures, returns, approvals in two places, complaints, claims, fees,
//! hand-over, and what becomes of a card in the citizen's hand.

use issuance::applications::appeals::{self, AppealOutcome};
use issuance::applications::claims;
use issuance::applications::hand_over::hand_over_settled;
use issuance::applications::model::ReturnReason;
use issuance::applications::payments::{self, ExemptionGround, FeeUndoing, Payment, PaymentMethod};
use issuance::applications::steps::{self as counter, Missing};
use issuance::cards::steps as cards;
use issuance::ground::Officer;
use issuance::ground::ids::{ApplicationId, CardId, PersonId};
use issuance::production::withdrawal;
use rand::RngExt as _;
use time::Duration;

use super::House;
use crate::offices::{LOST, lives, within};

impl House {
    /// Another officer has the dossier: no officer but that one takes a step, until it is given back or the minutes
    /// are over.
    pub(super) async fn is_claimed(&mut self, id: ApplicationId) {
        let stage = self.open[&id].stage;
        if !["registered", "captured", "returned", "checked", "locally-approved", "approved"].contains(&stage) {
            return;
        }
        let (guest, capture) = (self.guest.clone(), self.offices.capture.clone());
        let state = &self.offices.state;
        assert!(lives!(self.offices, guest, false, deed => claims::claim(deed, &state.counter, id)));
        assert!(!lives!(self.offices, capture, false, deed => counter::withdraw(deed, id, "Không còn nhu cầu")));
        if self.rng.random() {
            assert!(lives!(self.offices, guest, false, deed => claims::release(deed, id)));
        } else {
            self.offices.clock.advance(Duration::minutes(16));
        }
        self.tells("claims");
    }

    async fn captures(&mut self, id: ApplicationId, dies: bool) {
        let portrait = self.portrait.clone();
        if lives!(self.offices, self.offices.capture, dies, deed => counter::capture(deed, id, portrait, "Nốt ruồi"))
        {
            self.stands(id, "captured");
        }
    }

    /// The citizen withdraws the application, or the office ends it.
    pub(super) async fn ends(&mut self, id: ApplicationId, dies: bool) {
        let officer = self.offices.capture.clone();
        let withdraws = self.rng.random();
        let ended = if withdraws {
            lives!(self.offices, officer, dies, deed => counter::withdraw(deed, id, "Không còn nhu cầu"))
        } else {
            lives!(self.offices, officer, dies, deed => withdrawal::cancel(deed, id, "moved abroad"))
        };
        assert!(ended || dies, "{id} is ended at {}", self.open[&id].stage);
        if ended {
            self.tells(if withdraws { "withdrawn" } else { "ended by the office" });
            self.stands(id, "cancelled");
        }
    }

    async fn returns(&mut self, officer: &Officer, id: ApplicationId, dies: bool) {
        let until = self.offices.clock.today() + Duration::days(7);
        let missing = Missing { reasons: vec![ReturnReason::EvidenceMissing], says: "Mang giấy khai sinh", until };
        if lives!(self.offices, officer, dies, deed => counter::give_back(deed, &self.offices.state.counter, id, missing))
        {
            self.stands(id, "returned");
        }
    }

    async fn refuses(&mut self, officer: &Officer, id: ApplicationId, dies: bool) {
        if lives!(self.offices, officer, dies, deed => counter::refuse(deed, id, "another face")) {
            self.stands(id, "refused");
        }
    }

    pub(super) async fn at_registered(&mut self, id: ApplicationId, dies: bool) {
        match self.rng.random_range(0..12) {
            0 => self.ends(id, dies).await,
            1 => {
                let officer = self.deciders[self.open[&id].round].approver.clone();
                self.returns(&officer, id, dies).await;
            }
            2 if self.open[&id].due > 0 => self.settles_fee(id, dies).await,
            _ => self.captures(id, dies).await,
        }
    }

    pub(super) async fn at_captured(&mut self, id: ApplicationId, dies: bool) {
        let deciders = &self.deciders[self.open[&id].round];
        let (head, approver) = (deciders.head.clone(), deciders.approver.clone());
        match self.rng.random_range(0..20) {
            0 => self.ends(id, dies).await,
            1 => self.returns(&approver, id, dies).await,
            2 => self.captures(id, dies).await,
            3 | 4 => self.refuses(&approver, id, dies).await,
            _ => {
                let seen = self.offices.sees(&head, id).await.unwrap();
                if lives!(self.offices, head, dies, deed => counter::check(deed, id, seen)) {
                    self.stands(id, "checked");
                }
            }
        }
    }

    pub(super) async fn at_returned(&mut self, id: ApplicationId, dies: bool) {
        let captured = self.offices.application(id).await.stage.capture_of().is_some();
        match self.rng.random_range(0..6) {
            0 => self.ends(id, dies).await,
            1..=3 if captured => {
                if lives!(self.offices, self.offices.capture, dies, deed => counter::resubmit(deed, id)) {
                    self.tells("resubmitted");
                    self.stands(id, "captured");
                }
            }
            _ => self.captures(id, dies).await,
        }
    }

    /// At one of the two places that approve.
    pub(super) async fn at_decided(&mut self, id: ApplicationId, dies: bool) {
        let central = self.open[&id].stage == "locally-approved";
        let deciders = &self.deciders[self.open[&id].round];
        let head = deciders.head.clone();
        let officer = if central { deciders.centre.clone() } else { deciders.approver.clone() };
        match self.rng.random_range(0..20) {
            0 => self.ends(id, dies).await,
            1 => self.returns(&officer, id, dies).await,
            2 => self.refuses(&officer, id, dies).await,
            // The head of the team checked, and approves nothing of it.
            3 => {
                let refused = self.offices.approves(&head, id).await;
                assert!(refused.is_err(), "{refused:?}");
            }
            4 => self.fee_is_undone(id, dies).await,
            _ if self.open[&id].due > 0 => {
                assert!(self.offices.approves(&officer, id).await.is_err(), "it is not paid");
                self.settles_fee(id, dies).await;
            }
            _ => {
                let seen = self.offices.sees(&officer, id).await.unwrap();
                let portrait = self.offices.fetches(id).await.unwrap();
                let counter = &self.offices.state.counter;
                if lives!(self.offices, officer, dies, deed => counter::approve(deed, counter, id, seen, portrait)) {
                    self.stands(id, if central { "approved" } else { "locally-approved" });
                }
            }
        }
    }

    /// The citizen pays, or is exempt on a ground.
    async fn settles_fee(&mut self, id: ApplicationId, dies: bool) {
        let (dong, officer) = (self.open[&id].due, self.offices.capture.clone());
        self.receipts += 1;
        let (receipt, on) = (format!("A {}", self.receipts), self.offices.clock.today());
        let settled = if self.one_in(3) {
            let ground = ExemptionGround::PoorHousehold;
            lives!(self.offices, officer, dies, deed => payments::exempt(deed, id, ground, "Giấy chứng nhận hộ nghèo"))
        } else {
            let payment = Payment { dong, method: PaymentMethod::Cash, receipt: &receipt, on };
            lives!(self.offices, officer, dies, deed => payments::pay(deed, id, payment))
        };
        assert!(settled || dies, "{dong} đồng are due");
        if settled {
            self.dossier(id).due = 0;
            self.tells("fees settled");
        }
    }

    /// A second officer strikes a payment or an exemption out: the fee is due again.
    async fn fee_is_undone(&mut self, id: ApplicationId, dies: bool) {
        let officer = self.offices.counter.clone();
        let account = within!(self.offices, officer, deed => payments::read(deed, id)).unwrap();
        assert_eq!(account.due(), self.open[&id].due);
        let Some(last) = account.entries.last().filter(|_| account.fee > 0 && account.due() == 0) else { return };
        let (entry, how) = (last.id, FeeUndoing::Void);
        let alone = self.offices.capture.clone();
        assert!(!lives!(self.offices, alone, false, deed => payments::undo(deed, id, entry, how, "entered twice")));
        if lives!(self.offices, officer, dies, deed => payments::undo(deed, id, entry, how, "entered twice")) {
            self.dossier(id).due = account.fee;
            self.tells("fees undone");
        }
    }

    /// The citizen complains about the refusal, or accepts it. What was decided anew is not complained about here.
    pub(super) async fn at_refused(&mut self, id: ApplicationId, dies: bool) {
        if self.open[&id].round > 0 || self.one_in(3) {
            return self.ends_as(id, "refused");
        }
        let (today, state) = (self.offices.clock.today(), &self.offices.state);
        let officer = self.offices.capture.clone();
        let complained = lives!(self.offices, officer, dies, deed => appeals::appeal(deed, &state.counter, id, "Ảnh chụp sau khi ốm", today));
        match (complained, dies) {
            (true, _) => self.stands(id, "appealed"),
            (false, true) => {}
            // Months have passed: it is late.
            (false, false) => {
                self.tells("complaints too late");
                self.ends_as(id, "refused");
            }
        }
    }

    pub(super) async fn at_appealed(&mut self, id: ApplicationId, dies: bool) {
        let (chief, centre, why) = (self.chief.clone(), self.deciders[0].approver.clone(), "Hai ảnh khác nhau");
        let allowed = AppealOutcome::Allowed;
        assert!(!lives!(self.offices, centre, false, deed => appeals::decide(deed, id, allowed, why)), "not its place");
        if self.one_in(6) {
            // The citizen takes it back on paper: no officer at the counter ends it, and the national office does.
            let (capture, paper) = (self.offices.capture.clone(), "Đơn rút khiếu nại");
            assert!(!lives!(self.offices, capture, false, deed => counter::withdraw(deed, id, why)));
            if lives!(self.offices, capture, dies, deed => appeals::take_back(deed, id, paper)) {
                let discontinued = AppealOutcome::Discontinued;
                if lives!(self.offices, chief, dies, deed => appeals::decide(deed, id, discontinued, why)) {
                    self.tells("complaints taken back");
                    self.ends_as(id, "refused");
                }
            }
        } else if self.one_in(3) {
            let upheld = AppealOutcome::Upheld;
            if lives!(self.offices, chief, dies, deed => appeals::decide(deed, id, upheld, why)) {
                self.tells("refusals upheld");
                self.ends_as(id, "refused");
            }
        } else if lives!(self.offices, chief, dies, deed => appeals::decide(deed, id, allowed, why)) {
            self.dossier(id).round = 1;
            self.tells("complaints allowed");
            self.stands(id, "captured");
        }
    }

    pub(super) async fn at_personalized(&mut self, id: ApplicationId, dies: bool) {
        if self.open[&id].absent.is_none() {
            // Some do not come in time, of whom some never come.
            let absent = self.one_in(7);
            let never = absent && self.rng.random();
            let dossier = self.dossier(id);
            dossier.absent = Some(never);
            if absent {
                // What was not compared is announced to no citizen, and missed by none.
                if !dossier.checked {
                    Box::pin(self.body_is_checked(id, dies)).await;
                }
                let dossier = self.dossier(id);
                dossier.rests = dossier.checked && dossier.absent.is_some();
                return;
            }
        }
        if self.one_in(16) {
            return Box::pin(self.chip_is_lost(id, dies)).await;
        }
        Box::pin(self.citizen_comes(id, dies)).await;
    }

    pub(super) async fn at_not_fetched(&mut self, id: ApplicationId, dies: bool) {
        if self.open[&id].absent != Some(true) {
            return Box::pin(self.citizen_comes(id, dies)).await;
        }
        let due = self.offices.application(id).await.progress.due.unwrap();
        let kept = due >= self.offices.clock.today();
        let keeper = self.keepers[0][0].clone();
        let given_up = lives!(self.offices, keeper, dies, deed => withdrawal::give_up(deed, id));
        assert!(!(given_up && kept), "the citizen may still come until {due}");
        match (given_up, kept) {
            (true, _) => {
                self.tells("given up");
                self.stands(id, "cancelled");
            }
            (false, true) => self.dossier(id).rests = true,
            (false, false) => assert!(dies, "it was kept until {due}"),
        }
    }

    /// The citizen comes for the card, when its body was compared with its chip.
    async fn citizen_comes(&mut self, id: ApplicationId, dies: bool) {
        let serial = self.open[&id].chip.as_ref().expect("there is a card").serial;
        let card = self.card_on(&serial).await;
        let slip = self.offices.application(id).await.slip.0;
        let officer = self.offices.counter.clone();
        let counter = &self.offices.state.counter;
        if !self.open[&id].checked {
            let early = lives!(self.offices, officer, false, deed => hand_over_settled(deed, counter, card, &slip));
            assert!(!early, "its body was not compared with its chip");
            return Box::pin(self.body_is_checked(id, dies)).await;
        }
        let other = "S0000000000";
        assert!(
            !lives!(self.offices, officer, false, deed => hand_over_settled(deed, counter, card, other)),
            "another slip"
        );
        let handed_over = lives!(self.offices, officer, dies, deed => hand_over_settled(deed, counter, card, &slip));
        assert!(handed_over || dies, "{id} is {}", self.open[&id].stage);
        if handed_over {
            let (person, late) = (self.open[&id].person, self.open[&id].stage == "not-fetched");
            self.holders.insert(person);
            self.tells(if late { "fetched late" } else { "fetched" });
            self.stands(id, "handed-over");
            if self.one_in(6) {
                Box::pin(self.card_is_lost(card, person)).await;
            }
        }
    }

    /// The citizen loses the card: it is found, as two officers say, or the citizen applies for another one.
    async fn card_is_lost(&mut self, card: CardId, person: PersonId) {
        let officer = self.offices.counter.clone();
        within!(self.offices, officer, deed => cards::report_loss(deed, card, LOST)).unwrap();
        if self.rng.random() {
            self.holders.remove(&person);
            self.without_card.push(person);
            return;
        }
        let (second, third) = (self.second_counter.clone(), self.offices.capture.clone());
        within!(self.offices, second, deed => cards::propose_undo(deed, card, "found at home")).unwrap();
        assert!(!lives!(self.offices, second, false, deed => cards::undo_loss(deed, card)), "it takes two");
        within!(self.offices, third, deed => cards::undo_loss(deed, card)).unwrap();
        self.tells("lost cards found");
    }
}
