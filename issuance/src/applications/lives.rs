//! Every life that an application can have: each pure function of the model, tried by each officer at each stage under
//! each procedure, until nothing new is met.

use std::collections::{BTreeMap, BTreeSet};

use crypto::identity::CardSerial;
use time::Date;
use time::macros::{date, datetime};

use super::model::{
    Approval, Capture, Complaint, Hold, HoldReason, ReturnReason, Stage, StageName, TransitionError, Withdrawal,
};
use super::paper_archive::{self, ArchiveOutcome, ArchiveRequest, Classification, Papers};
use super::stages::{self, Procedure, Step, TABLE};
use crate::ground::ids::OfficerId;
use crate::ground::{Decision, Id, Role};

/// An application, and the officers who had a hand in it.
#[derive(Clone, Debug)]
struct Life {
    stage: Stage,
    involved: BTreeSet<OfficerId>,
}

impl Life {
    /// What tells it from others, but for which of the four officers is which: they are alike, so that two lives in
    /// which two of them change places go the same ways.
    fn name(&self) -> String {
        let mut text = serde_json::to_string(&self.stage).unwrap();
        let met = OFFICERS.into_iter().filter(|number| *number != DECLARER);
        let mut met: Vec<(usize, OfficerId)> =
            met.map(officer).filter_map(|id| Some((text.find(&id.to_string())?, id))).collect();
        met.sort_unstable();
        for (place, (_, id)) in met.iter().enumerate() {
            text = text.replace(&id.to_string(), &format!("officer {place}"));
        }
        let of_stage: Vec<bool> = met.iter().map(|(_, id)| self.involved.contains(id)).collect();
        let elsewhere = self.involved.iter().filter(|id| met.iter().all(|(_, other)| other != *id)).count();
        format!("{text} {of_stage:?} {elsewhere} {}", self.involved.contains(&officer(DECLARER)))
    }
}

/// An officer who declared the person, and four others who try everything.
const DECLARER: u128 = 1;
const OFFICERS: [u128; 5] = [DECLARER, 2, 3, 4, 5];
const TODAY: Date = date!(2026 - 11 - 26);

fn officer(number: u128) -> OfficerId {
    Id::from_uuid(uuid::Uuid::from_u128(number))
}

fn by(number: u128) -> Decision {
    Decision { by: officer(number), at: datetime!(2026-11-26 08:00 UTC) }
}

/// Returns what each step of this officer makes of it, with the step.
fn tried(life: &Life, procedure: Procedure, number: u128) -> Vec<(Step, Result<Life, TransitionError>)> {
    let Life { stage, involved } = life;
    let all: Vec<OfficerId> = involved.iter().copied().collect();
    let alone = |stage: Result<Stage, TransitionError>| stage.map(|stage| Life { stage, involved: involved.clone() });
    let with = |stage: Result<Stage, TransitionError>, more: Vec<OfficerId>| {
        stage.map(|stage| Life { stage, involved: involved.iter().copied().chain(more).collect() })
    };
    let with_a_hand = |stage| with(stage, vec![officer(number)]);
    let agreed = stage.agreed().iter().map(|decision| decision.by).collect();
    let refuser = stage.moved_by().map(|(by, _)| by);
    let complaint = Complaint { on: TODAY, words: "w".into(), taken: by(number) };
    let paper = Withdrawal { paper: "p".into(), taken: by(number) };
    let taken = Capture { taken: by(number), portrait: "p".into(), features: "f".into(), salt: [7; 16], heard: None };
    let seen = stage.capture_of().map(|capture| capture.dossier(officer(number)));
    let approves = if stage.which() == StageName::LocallyApproved { Step::Confirm } else { Step::Approve };
    let hold = Hold { reason: HoldReason::PortraitLost, owner: Role::Capture, at: by(1).at };
    let missing = || (vec![ReturnReason::PortraitUnfit], "r".to_owned());
    let chip = CardSerial([7; 10]);
    vec![
        (Step::Capture, with_a_hand(stage.clone().capture(taken))),
        (Step::Check, alone(stage.clone().check(procedure, &all, by(number), seen))),
        (approves, alone(stage.clone().approve(procedure, &all, by(number), seen))),
        (Step::Return, alone(stage.clone().give_back(&all, by(number), missing(), TODAY))),
        (Step::Resubmit, with_a_hand(stage.clone().resubmit([9; 16]))),
        // Those who agreed before count as involved, and so do those who refused once a complaint comes.
        (Step::Refuse, with(stage.clone().refuse(&all, by(number), "r".into(), TODAY), agreed)),
        (Step::Appeal, with(stage.clone().appeal(complaint), refuser.into_iter().chain([officer(number)]).collect())),
        (Step::Uphold, alone(stage.clone().uphold(&all, by(number), "r".into()))),
        (Step::Allow, with_a_hand(stage.clone().allow(&all, by(number), "r".into(), [6; 16]))),
        (Step::TakeBack, with_a_hand(stage.clone().take_back(paper))),
        (Step::Discontinue, alone(stage.clone().discontinue(&all, by(number)))),
        (Step::Hold, alone(stage.clone().hold(hold))),
        (Step::Release, alone(stage.clone().release(&all, officer(number)))),
        (Step::Reopen, alone(stage.clone().reopen([8; 16]))),
        (Step::Bind, alone(stage.clone().bind(chip))),
        (Step::Unbind, alone(stage.clone().unbind())),
        (Step::Personalize, alone(stage.clone().personalize(Id::nil()))),
        (Step::Dispatch, alone(stage.clone().dispatch(Id::nil()))),
        (Step::Arrive, alone(stage.clone().arrive())),
        (Step::HandOver, alone(stage.clone().hand_over(by(number)))),
        (Step::Miss, alone(stage.clone().miss())),
        (Step::GiveUp, alone(stage.clone().give_up(by(number)))),
        (Step::Cancel, alone(stage.clone().cancel(by(number), "r".into()))),
        (Step::Withdraw, alone(stage.clone().withdraw(by(number), "r".into()))),
    ]
}

/// Refuses an application on its way to a card that was not agreed to as the procedure wants it, by as many officers,
/// none of whom had a hand in it.
fn is_agreed(life: &Life, procedure: Procedure) {
    if let Stage::Refused { decision, upheld: Some(upheld), .. } = &life.stage {
        let by = upheld.decision.by;
        assert!(by != decision.by && !life.involved.contains(&by), "an officer decided about own work: {life:?}");
    }
    if let Stage::Refused { decision, discontinued: Some(ended), .. } = &life.stage {
        let (by, paper) = (ended.decision.by, ended.withdrawal.taken.by);
        let alone = by == paper || by == decision.by || life.involved.contains(&by);
        assert!(!alone, "one officer ended a citizen's complaint: {life:?}");
    }
    let (Stage::Approved { approval, .. }
    | Stage::Held { approval, .. }
    | Stage::InProduction { approval, .. }
    | Stage::Shipped { approval, .. }
    | Stage::Personalized { approval, .. }
    | Stage::NotFetched { approval, .. }
    | Stage::HandedOver { approval, .. }) = &life.stage
    else {
        return;
    };
    let Approval { by, local, checked, .. } = approval;
    assert_eq!(local.is_some(), procedure.central_approval, "{life:?}");
    assert_eq!(checked.is_some(), procedure.team_check, "{life:?}");
    let agreed: Vec<OfficerId> = local.iter().chain(checked).map(|decision| decision.by).chain([*by]).collect();
    let different: BTreeSet<OfficerId> = agreed.iter().copied().collect();
    assert_eq!(different.len(), agreed.len(), "one officer agreed twice: {life:?}");
    assert!(different.is_disjoint(&life.involved), "an officer agreed to own work: {life:?}");
}

/// Where each life can go.
type Next = BTreeMap<String, Vec<String>>;

/// Walks all lives under a procedure. Returns, for each, where it can go, and the ways that were gone.
fn walk(procedure: Procedure) -> (Next, BTreeSet<(StageName, Step)>) {
    let begin = Life { stage: Stage::Registered, involved: [officer(DECLARER)].into() };
    let (mut lives, mut gone, mut open) = (BTreeMap::new(), BTreeSet::new(), vec![begin]);
    while let Some(life) = open.pop() {
        if lives.contains_key(&life.name()) {
            continue;
        }
        is_agreed(&life, procedure);
        let mut next = Vec::new();
        for number in OFFICERS {
            for (step, after) in tried(&life, procedure, number) {
                let from = life.stage.which();
                let to = stages::next(from, step, procedure);
                match after {
                    Ok(after) => {
                        assert_eq!(to, Some(after.stage.which()), "{step:?} of {from:?} {procedure:?}");
                        gone.insert((from, step));
                        next.push(after.name());
                        open.push(after);
                    }
                    Err(TransitionError::NotFrom(_)) => {
                        // The one way that needs more than the table says: what was never taken is not resubmitted.
                        let untaken = step == Step::Resubmit && life.stage.capture_of().is_none();
                        assert!(to.is_none() || untaken, "{step:?} of {from:?} {procedure:?}");
                    }
                    Err(_) => {}
                }
            }
        }
        lives.insert(life.name(), next);
    }
    (lives, gone)
}

#[test]
fn no_life_is_a_dead_end_goes_round_an_officer_or_leaves_the_table() {
    for procedure in Procedure::ALL {
        let (lives, gone) = walk(procedure);
        assert!(lives.len() > 100, "{procedure:?}: {}", lives.len());
        let of_table = TABLE.iter().flat_map(|row| row.ways.iter().map(move |way| (row.stage, way)));
        let of_table: BTreeSet<(StageName, Step)> =
            of_table.filter(|(_, way)| way.exists(procedure)).map(|(stage, way)| (stage, way.step)).collect();
        let reached: BTreeSet<StageName> = gone.iter().map(|(stage, _)| *stage).collect();
        let of_table: BTreeSet<_> = of_table.into_iter().filter(|(stage, _)| reached.contains(stage)).collect();
        assert_eq!(gone, of_table, "{procedure:?}: each way of the table is gone, and no other");
        // From the ends back: every life is met.
        let mut ends: BTreeSet<&String> =
            lives.iter().filter(|(_, next)| next.is_empty()).map(|(name, _)| name).collect();
        assert!(!ends.is_empty());
        loop {
            let more: Vec<&String> = lives
                .iter()
                .filter(|(name, next)| !ends.contains(name) && next.iter().any(|to| ends.contains(to)))
                .map(|(name, _)| name)
                .collect();
            if more.is_empty() {
                break;
            }
            ends.extend(more);
        }
        assert_eq!(ends.len(), lives.len(), "{procedure:?}: a life without an end");
    }
}

#[test]
fn what_a_colleague_saw_is_agreed_to_by_no_other() {
    let taken = Capture { taken: by(2), portrait: "p".into(), features: "f".into(), salt: [7; 16], heard: None };
    let procedure = Procedure { team_check: true, central_approval: true };
    let seen_by = |stage: &Stage, number| stage.capture_of().map(|capture| capture.dossier(officer(number)));
    let captured = Stage::Registered.capture(taken).unwrap();
    let of_colleague = seen_by(&captured, 4);
    let refused = captured.clone().check(procedure, &[], by(3), of_colleague);
    assert_eq!(refused.unwrap_err(), TransitionError::Changed);
    let checked = captured.clone().check(procedure, &[], by(3), seen_by(&captured, 3)).unwrap();
    assert_eq!(checked.clone().approve(procedure, &[], by(4), None).unwrap_err(), TransitionError::NotSeen);
    let local = checked.approve(procedure, &[], by(4), of_colleague).unwrap();
    assert_eq!(local.name(), "locally-approved");
    let same = local.clone().approve(procedure, &[], by(4), of_colleague);
    assert_eq!(same.unwrap_err(), TransitionError::SameOfficer);
    let twice = local.clone().approve(procedure, &[], by(5), seen_by(&local, 5)).unwrap();
    let Stage::Approved { approval, .. } = twice else { panic!("not approved") };
    assert_eq!(
        (approval.by, approval.local.unwrap().by, approval.checked.unwrap().by),
        (officer(5), officer(4), officer(3))
    );
}

/// An application with its work beside the stage: at most two questions to archives, of which the last may wait.
#[derive(Clone, Debug)]
struct WithPapers {
    stage: StageName,
    classification: Option<Classification>,
    requests: Vec<ArchiveRequest>,
}

impl WithPapers {
    fn name(&self) -> String {
        let said = self.classification.as_ref().map(|said| (said.papers, said.needed));
        let asked: Vec<_> =
            self.requests.iter().map(|one| (one.papers, one.answered.is_some(), one.ended_at.is_some())).collect();
        format!("{:?} {said:?} {asked:?}", self.stage)
    }

    fn asked(papers: Papers) -> ArchiveRequest {
        ArchiveRequest {
            id: Id::nil(),
            application: Id::nil(),
            person: Id::nil(),
            ordinal: 1,
            papers,
            province: None,
            from: "district-1".parse().unwrap(),
            to: "province-1".parse().unwrap(),
            words: "w".into(),
            asked: by(2),
            due_on: TODAY,
            answered: None,
            answer: None,
            ended_at: None,
        }
    }

    /// Where it can go, by the table of stages and by the work beside it, if this case needs a look-up or not.
    fn next(&self, procedure: Procedure, demanded: bool, needed: bool) -> Vec<Self> {
        let mut found = Vec::new();
        for way in stages::row(self.stage).ways.iter().filter(|way| way.exists(procedure)) {
            let mut after = Self { stage: way.to, ..self.clone() };
            let settled = paper_archive::settled(demanded, self.classification.as_ref(), &self.requests);
            if matches!(way.step, Step::Approve | Step::Confirm) && settled.is_err() {
                continue;
            }
            // As the store does with each end.
            for request in after.requests.iter_mut().filter(|request| !way.to.is_open() && request.is_open()) {
                request.ended_at = Some(by(1).at);
            }
            found.push(after);
        }
        if paper_archive::may_classify(self.stage, &self.requests).is_ok() {
            for papers in [Papers::Inside, Papers::Outside, Papers::Nowhere] {
                let said = Classification { papers, province: None, needed, classified: by(3) };
                if !(needed && papers == Papers::Nowhere) {
                    found.push(Self { classification: Some(said), ..self.clone() });
                }
            }
        }
        let asks = paper_archive::may_ask(self.stage, self.classification.as_ref(), &self.requests);
        if let (Ok(said), true) = (asks, self.requests.len() < 2) {
            let asked = Self::asked(said.papers);
            let requests = self.requests.iter().cloned().chain([asked]).collect();
            found.push(Self { requests, ..self.clone() });
        }
        if self.requests.last().is_some_and(ArchiveRequest::is_open) {
            let mut after = self.clone();
            after.requests.last_mut().unwrap().answered = Some((ArchiveOutcome::NotFound, by(4)));
            found.push(after);
        }
        found
    }
}

#[test]
fn no_life_waits_for_an_archive_for_ever_or_becomes_a_card_without_its_answer() {
    for (procedure, demanded, needed) in
        Procedure::ALL.into_iter().flat_map(|p| [(p, true, true), (p, true, false), (p, false, true)])
    {
        let begin = WithPapers { stage: StageName::Registered, classification: None, requests: vec![] };
        let (mut met, mut open) = (BTreeMap::<String, Vec<String>>::new(), vec![begin]);
        while let Some(life) = open.pop() {
            if met.contains_key(&life.name()) {
                continue;
            }
            let waits = life.requests.iter().any(ArchiveRequest::is_open);
            let approved = matches!(
                life.stage,
                StageName::LocallyApproved | StageName::Approved | StageName::InProduction | StageName::HandedOver
            );
            assert!(!(waits && (approved || !life.stage.is_open())), "asked, and approved or ended: {life:?}");
            let answered = life.requests.iter().any(|request| request.answered.is_some());
            assert!(!(approved && demanded && needed) || answered, "a card without the answer: {life:?}");
            assert!(!(approved && demanded) || life.classification.is_some(), "a card unclassified: {life:?}");
            let next = life.next(procedure, demanded, needed);
            met.insert(life.name(), next.iter().map(WithPapers::name).collect());
            open.extend(next);
        }
        assert!(met.keys().any(|name| name.starts_with("HandedOver")), "{procedure:?} {demanded} {needed}");
        // From the ends back: every life is met.
        let mut ends: BTreeSet<&String> =
            met.iter().filter(|(_, next)| next.is_empty()).map(|(name, _)| name).collect();
        loop {
            let more: Vec<&String> = met
                .iter()
                .filter(|(name, next)| !ends.contains(name) && next.iter().any(|to| ends.contains(to)))
                .map(|(name, _)| name)
                .collect();
            if more.is_empty() {
                break;
            }
            ends.extend(more);
        }
        assert_eq!(ends.len(), met.len(), "{procedure:?} {demanded} {needed}: a life without an end");
    }
}
