//! The lives of applications, chips and cards, as the models allow them: every verb is tried in every state.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crypto::identity::CardSerial;
use crypto::perso::LifeCycle;
use issuance::applications::model::{Capture, Complaint, Hold, HoldReason, ReturnReason, Stage, StageName};
use issuance::applications::stages::Procedure;
use issuance::cards::model::{Loss, Revocation, Status};
use issuance::ground::{Decision, Id, Role};
use issuance::production::model::{Account, ChipKeys, ChipState};
use time::macros::{date, datetime};
use uuid::Uuid;

use super::canvas::Canvas;

/// A life: its states in their order, and which verb leads from where to where.
struct Life {
    path: &'static str,
    title: &'static str,
    states: Vec<String>,
    verbs: BTreeSet<(usize, usize, &'static str)>,
}

/// Returns the path and the picture of each life.
pub fn all() -> Vec<(String, String)> {
    let lives = [application(), stock(), card(), chip()];
    lives.iter().map(|life| (format!("docs/{}.svg", life.path), life.draw())).collect()
}

/// A verb: its name, and where it leads from a state, if it does.
type Verb<S> = (&'static str, Box<dyn Fn(S) -> Option<S>>);

/// Tries every verb in every state.
fn tried<S: Clone>(
    states: &[S],
    name: impl Fn(&S) -> String,
    verbs: &[Verb<S>],
) -> BTreeSet<(usize, usize, &'static str)> {
    let at = |state: &S| states.iter().position(|other| name(other) == name(state)).expect("each state is among them");
    let mut found = BTreeSet::new();
    for (from, state) in states.iter().enumerate() {
        let led = verbs.iter().filter_map(|(verb, act)| Some((from, at(&act(state.clone())?), *verb)));
        found.extend(led);
    }
    found
}

fn by(officer: u128) -> Decision {
    Decision { by: Id::from_uuid(Uuid::from_u128(officer)), at: datetime!(2026-11-26 08:00 UTC) }
}

fn application() -> Life {
    let capture = || Capture { taken: by(1), portrait: "p".into(), features: "f".into(), salt: [7; 16], heard: None };
    let hold = || Hold { reason: HoldReason::PortraitLost, owner: Role::Capture, at: by(1).at };
    let captured = Stage::Registered.capture(capture()).unwrap();
    // Every step that there is: with a check, and with approvals in two places; and approved at once, without them.
    let both = Procedure { team_check: true, central_approval: true };
    let seen = |stage: &Stage, officer| stage.capture_of().map(|capture| capture.dossier(by(officer).by));
    let check = move |stage: Stage| {
        let seen = seen(&stage, 4);
        stage.check(both, &[], by(4), seen).ok()
    };
    let local = move |stage: Stage| {
        let seen = seen(&stage, 2);
        stage.approve(both, &[], by(2), seen).ok().filter(|stage| stage.which() == StageName::LocallyApproved)
    };
    let approve = move |stage: Stage| {
        let seen = seen(&stage, 5);
        stage.approve(Procedure::default(), &[], by(5), seen).ok()
    };
    let refuse = |stage: Stage| stage.refuse(&[], by(6), "r".into(), date!(2026 - 11 - 26)).ok();
    let give_back = |stage: Stage| {
        let missing = (vec![ReturnReason::PortraitUnfit], "r".to_owned());
        stage.give_back(&[], by(6), missing, date!(2026 - 12 - 26)).ok()
    };
    let complaint = || Complaint { on: date!(2026 - 11 - 27), words: "w".into(), taken: by(7) };
    let appeal = move |stage: Stage| stage.appeal(complaint()).ok();
    let approved = approve(captured.clone()).unwrap();
    let checked = check(captured.clone()).unwrap();
    let bound = approved.clone().bind(CardSerial([7; 10])).unwrap();
    let personalized = bound.clone().personalize(Id::from_uuid(Uuid::from_u128(9))).unwrap();
    let shipped = bound.clone().dispatch(Id::from_uuid(Uuid::from_u128(9))).unwrap();
    let states = vec![
        Stage::Registered,
        captured.clone(),
        give_back(captured.clone()).unwrap(),
        checked.clone(),
        local(checked).unwrap(),
        approved.clone(),
        approved.hold(hold()).unwrap(),
        refuse(captured.clone()).unwrap(),
        appeal(refuse(captured).unwrap()).unwrap(),
        bound,
        shipped,
        personalized.clone(),
        personalized.clone().miss().unwrap(),
        personalized.hand_over(by(3)).unwrap(),
        Stage::Registered.cancel(by(3), "r".into()).unwrap(),
    ];
    assert!(states.iter().map(Stage::which).eq(StageName::ALL), "every stage is drawn, in the order of the model");
    let verbs: Vec<Verb<Stage>> = vec![
        ("capture", Box::new(move |stage| stage.capture(capture()).ok())),
        ("give back", Box::new(give_back)),
        ("resubmit", Box::new(|stage| stage.resubmit([9; 16]).ok())),
        ("check", Box::new(check)),
        ("approve locally", Box::new(local)),
        ("approve", Box::new(approve)),
        ("refuse", Box::new(refuse)),
        ("complain", Box::new(appeal)),
        ("uphold", Box::new(|stage| stage.uphold(&[], by(8), "r".into()).ok())),
        ("allow", Box::new(|stage| stage.allow(&[], by(8), "r".into(), [6; 16]).ok())),
        ("hold", Box::new(move |stage| stage.hold(hold()).ok())),
        ("release", Box::new(|stage| stage.release(&[], by(2).by).ok())),
        ("bind a chip", Box::new(|stage| stage.bind(CardSerial([7; 10])).ok())),
        ("chip spoiled", Box::new(|stage| stage.unbind().ok())),
        ("personalize", Box::new(|stage| stage.personalize(Id::from_uuid(Uuid::from_u128(9))).ok())),
        ("personalize elsewhere", Box::new(|stage| stage.dispatch(Id::from_uuid(Uuid::from_u128(9))).ok())),
        ("arrive", Box::new(|stage| stage.arrive().ok())),
        ("not fetched", Box::new(|stage| stage.miss().ok())),
        ("give up", Box::new(|stage| stage.give_up(by(3)).ok())),
        ("hand over", Box::new(|stage| stage.hand_over(by(3)).ok())),
        ("cancel, withdraw", Box::new(|stage| stage.cancel(by(3), "r".into()).ok())),
    ];
    let name = |stage: &Stage| stage.name().to_owned();
    Life {
        path: "life-application",
        title: "The life of an application",
        verbs: tried(&states, name, &verbs),
        states: states.iter().map(name).collect(),
    }
}

fn stock() -> Life {
    let keys = || ChipKeys { key_version: 1, active_auth: vec![1], chip_auth: vec![2] };
    let account = || Account { reason: "r".into(), evidence: "e".into(), by: "station/s".into(), at: by(1).at };
    let initialised = ChipState::Delivered.initialise(keys()).unwrap();
    let bound = initialised.clone().bind(Id::from_uuid(Uuid::from_u128(8))).unwrap();
    let personalized = bound.clone().personalize(Id::from_uuid(Uuid::from_u128(9))).unwrap();
    let spoiled = ChipState::Delivered.spoil(account()).unwrap();
    let destroyed = spoiled.clone().destroy(Id::from_uuid(Uuid::from_u128(10))).unwrap();
    let lost = ChipState::Delivered.lose(account()).unwrap();
    let states = vec![ChipState::Delivered, initialised, bound, personalized, spoiled, destroyed, lost];
    let verbs: Vec<Verb<ChipState>> = vec![
        ("intake", Box::new(move |chip| chip.initialise(keys()).ok())),
        ("bind", Box::new(|chip| chip.bind(Id::from_uuid(Uuid::from_u128(8))).ok())),
        ("personalize", Box::new(|chip| chip.personalize(Id::from_uuid(Uuid::from_u128(9))).ok())),
        ("spoil", Box::new(move |chip| chip.spoil(account()).ok())),
        ("destroy", Box::new(|chip| chip.destroy(Id::from_uuid(Uuid::from_u128(10))).ok())),
        ("lose", Box::new(move |chip| chip.lose(account()).ok())),
        ("find", Box::new(move |chip| chip.find(account()).ok())),
    ];
    let name = |chip: &ChipState| chip.name().to_owned();
    Life {
        path: "life-stock",
        title: "The life of a chip, in the ledger of stock",
        verbs: tried(&states, name, &verbs),
        states: states.iter().map(name).collect(),
    }
}

fn card() -> Life {
    let loss = || Loss {
        reported: by(4).into(),
        by_holder: true,
        grounds: "g".into(),
        until: datetime!(2026-12-03 08:00 UTC),
        missing: false,
    };
    let active = Status::Personalized.activate(by(3)).unwrap();
    let suspended = active.clone().suspend(loss()).unwrap();
    let revoked = Status::Personalized.revoke(Revocation::Spoiled, by(3).at).unwrap();
    let states = vec![Status::Personalized, active, suspended, revoked];
    let verbs: Vec<Verb<Status>> = vec![
        ("hand over", Box::new(|card| card.activate(by(3)).ok())),
        ("report of loss", Box::new(move |card| card.suspend(loss()).ok())),
        ("two officers undo", Box::new(|card| card.propose_undo(by(5)).ok()?.undo(&by(6)).ok())),
        ("revoke", Box::new(|card| card.revoke(Revocation::Replaced, by(3).at).ok())),
    ];
    let name = |card: &Status| card.word().to_owned();
    Life {
        path: "life-card",
        title: "The life of a card",
        verbs: tried(&states, name, &verbs),
        states: states.iter().map(name).collect(),
    }
}

fn chip() -> Life {
    let step =
        |verb, to: LifeCycle| -> Verb<LifeCycle> { (verb, Box::new(move |from| from.may_become(to).then_some(to))) };
    let verbs = [
        step("become blank", LifeCycle::Blank),
        step("intake", LifeCycle::Initialised),
        step("personalize", LifeCycle::Personalized),
        step("lock", LifeCycle::Locked),
        step("terminate", LifeCycle::Terminated),
    ];
    Life {
        path: "life-chip",
        title: "The life cycle that the chip itself keeps",
        verbs: tried(&LifeCycle::ALL, LifeCycle::to_string, &verbs),
        states: LifeCycle::ALL.iter().map(LifeCycle::to_string).collect(),
    }
}

/// Verbs of one name that lead to one state, on one side of the boxes.
struct Arc {
    to: usize,
    verb: &'static str,
    from: Vec<usize>,
    lane: usize,
}

impl Arc {
    fn span(&self) -> (usize, usize) {
        let all = || self.from.iter().copied().chain([self.to]);
        (all().min().unwrap_or_default(), all().max().unwrap_or_default())
    }

    fn ends_at(&self, state: usize) -> bool {
        self.to == state || self.from.contains(&state)
    }

    /// Draws it, the one at this place of `arcs`: from each of its states to its lane, along it,
    /// and into the last state.
    fn draw(&self, canvas: &mut Canvas, side: f64, arcs: &[Self], at: usize) {
        let edge = if side > 0.0 { RIGHT } else { LEFT };
        let lane = edge + side * (STUB + GAP * count(self.lane));
        let port = |state: usize| {
            // Incoming arcs come from where they began: from above at the right, from below at the left.
            let key = |arc: &Self| {
                let (low, high) = arc.span();
                let incoming = arc.to == state;
                if side > 0.0 { (!incoming, usize::MAX - high) } else { (incoming, usize::MAX - low) }
            };
            let mut all: Vec<_> = arcs.iter().enumerate().filter(|(_, arc)| arc.ends_at(state)).collect();
            all.sort_by_key(|(_, arc)| key(arc));
            let place = all.iter().position(|(other, _)| *other == at).unwrap_or_default();
            y(state) + (count(place) - (count(all.len()) - 1.0) / 2.0) * 17.0
        };
        let end = port(self.to);
        for &from in &self.from {
            let begin = port(from);
            canvas.line("w", &format!("M{edge} {begin:.1}H{lane:.1}V{end:.1}H{:.1}", edge + side));
            let class = if side > 0.0 { "v" } else { "v e" };
            canvas.text(class, edge + side * 7.0, begin - 3.5, self.verb);
        }
    }
}

impl Life {
    /// Boxes from the top; a step to the next one between them, what leads on at the right,
    /// what leads back at the left.
    fn draw(&self) -> String {
        let mut canvas = Canvas::new(self.title);
        let arcs = |back: bool| self.arcs(|from, to| if back { to < from } else { to > from + 1 });
        let (right, left) = (arcs(false), arcs(true));
        for (at, state) in self.states.iter().enumerate() {
            let stops = self.verbs.iter().all(|(from, _, _)| *from != at);
            canvas.rect(if stops { "stop" } else { "box" }, LEFT, y(at) - BOX / 2.0, RIGHT - LEFT, BOX);
            canvas.text("t m", MIDDLE, y(at) + 4.5, state);
            let verbs = |to: usize| -> Vec<_> {
                self.verbs.iter().filter(|(from, t, _)| *from == at && *t == to).map(|(_, _, verb)| *verb).collect()
            };
            if let [first, rest @ ..] = verbs(at + 1).as_slice() {
                let label = rest.iter().fold((*first).to_owned(), |all, verb| all + ", " + verb);
                canvas.line("w", &format!("M{MIDDLE} {:.1}V{:.1}", y(at) + BOX / 2.0, y(at + 1) - BOX / 2.0 - 1.0));
                canvas.text("v", MIDDLE + 8.0, y(at) + STEP / 2.0 + 4.5, &label);
            }
            if let [verb, ..] = verbs(at).as_slice() {
                // Above the middle, where ways back arrive.
                let (x, top, low) = (LEFT - 16.0, y(at) - 19.0, y(at) - 7.0);
                canvas.line("w", &format!("M{LEFT} {top:.1}H{x}V{low:.1}H{:.1}", LEFT - 1.0));
                canvas.text("v e", x - 5.0, y(at) - 8.5, &format!("{verb} again"));
            }
        }
        for (side, arcs) in [(1.0, &right), (-1.0, &left)] {
            for (at, arc) in arcs.iter().enumerate() {
                arc.draw(&mut canvas, side, arcs, at);
            }
        }
        let mut description = String::new();
        for (at, state) in self.states.iter().enumerate() {
            let ways = self.verbs.iter().filter(|(from, _, _)| *from == at);
            let ways: Vec<_> = ways.map(|(_, to, verb)| format!("{verb} leads to {}", self.states[*to])).collect();
            let ways = if ways.is_empty() { "no way out".to_owned() } else { ways.join(", ") };
            let _ = write!(description, "{state}: {ways}. ");
        }
        canvas.finish(y(self.states.len() - 1) + BOX / 2.0 + 20.0, description.trim_end())
    }

    /// Groups the verbs that lead so, short ways in the inner lanes.
    fn arcs(&self, so: impl Fn(usize, usize) -> bool) -> Vec<Arc> {
        let mut arcs: Vec<Arc> = Vec::new();
        for &(from, to, verb) in self.verbs.iter().filter(|(from, to, _)| so(*from, *to)) {
            match arcs.iter_mut().find(|arc| arc.to == to && arc.verb == verb) {
                Some(arc) => arc.from.push(from),
                None => arcs.push(Arc { to, verb, from: vec![from], lane: 0 }),
            }
        }
        arcs.sort_by_key(|arc| arc.span().1 - arc.span().0);
        for at in 0..arcs.len() {
            let (low, high) = arcs[at].span();
            let meets = |other: &Arc| other.span().0 <= high && low <= other.span().1;
            let lane = (0..=at).find(|lane| arcs[..at].iter().all(|other| other.lane != *lane || !meets(other)));
            arcs[at].lane = lane.unwrap_or_default();
        }
        arcs
    }
}

/// The middle of a state's box.
fn y(state: usize) -> f64 {
    TOP + STEP * count(state)
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).expect("a few"))
}

const TOP: f64 = 74.0;
const STEP: f64 = 74.0;
const BOX: f64 = 44.0;
const LEFT: f64 = 210.0;
const RIGHT: f64 = 350.0;
const MIDDLE: f64 = 280.0;
/// From a box to the first lane: room for a verb.
const STUB: f64 = 118.0;
const GAP: f64 = 24.0;
