//! The machine of an application as one table: at each stage who has it and until when, and which steps lead where.
//!
//! There is no second list: [`Stage`](super::model::Stage) takes each step by [`next`], owner and due day come from
//! [`row`], the picture and the list of `issuance stages` are drawn from [`TABLE`].

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::model::StageName;
use crate::ground::{Permission, Role};

/// How an office decides. A pilot with one office has neither.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Procedure {
    /// The head of the team checks a dossier before the first approval (Circular 60/2021/TT-BCA, Art. 7).
    pub team_check: bool,
    /// The office of the application approves first, then the national office.
    pub central_approval: bool,
}

impl Procedure {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self { team_check: false, central_approval: false },
        Self { team_check: true, central_approval: false },
        Self { team_check: false, central_approval: true },
        Self { team_check: true, central_approval: true },
    ];
}

/// What moves an application from a stage to another.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Step {
    /// A complaint about the refusal is right: the decision is taken anew.
    Allow,
    /// The citizen complains about the refusal.
    Appeal,
    /// A second officer agrees, or the first of two places.
    Approve,
    /// The card is counted at the office of the application.
    Arrive,
    /// It is bound to a chip.
    Bind,
    /// It ends at the office's wish, or since the citizen has no right to a card any more.
    Cancel,
    /// Portrait and features are taken.
    Capture,
    /// The head of the team finds it in order.
    Check,
    /// The national office agrees too.
    Confirm,
    /// The citizen took the complaint back on paper: it ends, and the refusal stands as before.
    Discontinue,
    /// The chip proves that it is personalized, at another office.
    Dispatch,
    /// The citizen did not come while the card was kept.
    GiveUp,
    /// The citizen takes the card.
    HandOver,
    /// It cannot become a card as it stands.
    Hold,
    /// The citizen did not come in time.
    Miss,
    /// The chip proves that it is personalized.
    Personalize,
    /// A second officer disagrees.
    Refuse,
    /// What stood against the card is mended.
    Release,
    /// What the register holds of the person changed.
    Reopen,
    /// The citizen brought what was missing.
    Resubmit,
    /// The citizen is to bring what is missing.
    Return,
    /// The citizen takes a complaint back, on paper.
    TakeBack,
    /// Its chip is written off.
    Unbind,
    /// A complaint about the refusal is not right: the refusal stands.
    Uphold,
    /// The citizen does not want it any more.
    Withdraw,
}

/// The caller who takes a step.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum By {
    /// An officer with this permission.
    Officer(Permission),
    /// The service, when the register changes.
    Register,
    /// The service, when a term is over.
    Service,
    /// A station, or the officers who write its chip off.
    Station,
}

impl Step {
    /// All of them.
    pub const ALL: [Self; 25] = [
        Self::Allow,
        Self::Appeal,
        Self::Approve,
        Self::Arrive,
        Self::Bind,
        Self::Cancel,
        Self::Capture,
        Self::Check,
        Self::Confirm,
        Self::Discontinue,
        Self::Dispatch,
        Self::GiveUp,
        Self::HandOver,
        Self::Hold,
        Self::Miss,
        Self::Personalize,
        Self::Refuse,
        Self::Release,
        Self::Reopen,
        Self::Resubmit,
        Self::Return,
        Self::TakeBack,
        Self::Unbind,
        Self::Uphold,
        Self::Withdraw,
    ];

    /// The word, as it is drawn.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Appeal => "appeal",
            Self::Approve => "approve",
            Self::Arrive => "arrive",
            Self::Bind => "bind",
            Self::Cancel => "cancel",
            Self::Capture => "capture",
            Self::Check => "check",
            Self::Confirm => "confirm",
            Self::Discontinue => "discontinue",
            Self::Dispatch => "dispatch",
            Self::GiveUp => "give up",
            Self::HandOver => "hand over",
            Self::Hold => "hold",
            Self::Miss => "miss",
            Self::Personalize => "personalize",
            Self::Refuse => "refuse",
            Self::Release => "release",
            Self::Reopen => "reopen",
            Self::Resubmit => "resubmit",
            Self::Return => "return",
            Self::TakeBack => "take back",
            Self::Unbind => "unbind",
            Self::Uphold => "uphold",
            Self::Withdraw => "withdraw",
        }
    }

    /// The caller who takes it; the routes have their right from here.
    #[must_use]
    pub const fn by(self) -> By {
        match self {
            Self::Allow
            | Self::Approve
            | Self::Check
            | Self::Confirm
            | Self::Discontinue
            | Self::Refuse
            | Self::Return
            | Self::Uphold => By::Officer(Permission::Decide),
            Self::Arrive | Self::GiveUp => By::Officer(Permission::Stock),
            Self::Appeal | Self::Cancel | Self::TakeBack | Self::Withdraw => By::Officer(Permission::Apply),
            Self::Capture | Self::Resubmit => By::Officer(Permission::Capture),
            Self::HandOver => By::Officer(Permission::HandOver),
            Self::Miss => By::Service,
            Self::Release => By::Officer(Permission::Release),
            Self::Reopen => By::Register,
            Self::Bind | Self::Dispatch | Self::Hold | Self::Personalize | Self::Unbind => By::Station,
        }
    }
}

/// Who has an application at a stage.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Owner {
    /// This role at the national office.
    Centre(Role),
    /// The role that mends it, which the stage names, at the office of the application.
    Mender,
    /// This role at the office of the application.
    Office(Role),
}

/// Until when an application leaves a stage. Stages with one term share its days.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Term {
    /// The decision about a complaint.
    Appeal,
    /// The centre: approval there, printing.
    Centre,
    /// Shipping, and the time in which the citizen fetches the card.
    HandOver,
    /// The time for which a card that was not fetched is kept.
    Keep,
    /// The office: to receive, process and send.
    Local,
    /// The day that the officer set for the citizen.
    Set,
    /// From the office that makes the card to the counter.
    Shipping,
}

/// What is to be done about an application at a stage.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Rest {
    /// Nothing: an end.
    Over,
    /// It waits for its owner, until it is due.
    Waits {
        /// Who has it.
        owner: Owner,
        /// Until when.
        term: Term,
    },
}

/// Under which procedure a way exists; `None`: under any.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Under {
    team_check: Option<bool>,
    central_approval: Option<bool>,
}

/// A way out of a stage.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Way {
    /// By which step.
    pub step: Step,
    /// Where to.
    pub to: StageName,
    under: Under,
}

impl Way {
    /// True if the way exists under this procedure.
    #[must_use]
    pub fn exists(&self, procedure: Procedure) -> bool {
        let fits = |wanted: Option<bool>, is| wanted.is_none_or(|wanted| wanted == is);
        fits(self.under.team_check, procedure.team_check)
            && fits(self.under.central_approval, procedure.central_approval)
    }

    /// Returns when the way exists, in words; nothing if always.
    #[must_use]
    pub fn condition(&self) -> String {
        let word = |wanted: Option<bool>, with, without| wanted.map(|is| if is { with } else { without });
        let check = word(self.under.team_check, "checked", "no check");
        let words = check.into_iter().chain(word(self.under.central_approval, "two places", "one place"));
        words.collect::<Vec<_>>().join(", ")
    }
}

/// A stage.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Row {
    /// Its name.
    pub stage: StageName,
    /// Who has the application, and until when.
    pub rest: Rest,
    /// Where it goes from here.
    pub ways: &'static [Way],
}

const fn way(step: Step, to: StageName) -> Way {
    Way { step, to, under: Under { team_check: None, central_approval: None } }
}

const fn under(step: Step, to: StageName, team_check: Option<bool>, central_approval: Option<bool>) -> Way {
    Way { step, to, under: Under { team_check, central_approval } }
}

const fn waits(owner: Owner, term: Term) -> Rest {
    Rest::Waits { owner, term }
}

/// All stages, in the order of [`StageName::ALL`].
pub const TABLE: [Row; 15] = {
    use Owner::{Centre, Mender, Office};
    use StageName as S;
    [
        Row {
            stage: S::Registered,
            rest: waits(Office(Role::Capture), Term::Local),
            ways: &[
                way(Step::Capture, S::Captured),
                way(Step::Return, S::Returned),
                way(Step::Withdraw, S::Cancelled),
                way(Step::Cancel, S::Cancelled),
            ],
        },
        Row {
            stage: S::Captured,
            rest: waits(Office(Role::Approver), Term::Local),
            ways: &[
                way(Step::Capture, S::Captured),
                way(Step::Reopen, S::Captured),
                under(Step::Check, S::Checked, Some(true), None),
                under(Step::Approve, S::LocallyApproved, Some(false), Some(true)),
                under(Step::Approve, S::Approved, Some(false), Some(false)),
                way(Step::Return, S::Returned),
                way(Step::Refuse, S::Refused),
                way(Step::Withdraw, S::Cancelled),
                way(Step::Cancel, S::Cancelled),
            ],
        },
        Row {
            stage: S::Returned,
            rest: waits(Office(Role::Capture), Term::Set),
            ways: &[
                way(Step::Capture, S::Captured),
                way(Step::Resubmit, S::Captured),
                way(Step::Withdraw, S::Cancelled),
                way(Step::Cancel, S::Cancelled),
            ],
        },
        Row {
            stage: S::Checked,
            rest: waits(Office(Role::Approver), Term::Local),
            ways: &[
                under(Step::Approve, S::LocallyApproved, None, Some(true)),
                under(Step::Approve, S::Approved, None, Some(false)),
                way(Step::Reopen, S::Captured),
                way(Step::Return, S::Returned),
                way(Step::Refuse, S::Refused),
                way(Step::Withdraw, S::Cancelled),
                way(Step::Cancel, S::Cancelled),
            ],
        },
        Row {
            stage: S::LocallyApproved,
            rest: waits(Centre(Role::Approver), Term::Centre),
            ways: &[
                way(Step::Confirm, S::Approved),
                way(Step::Reopen, S::Captured),
                way(Step::Return, S::Returned),
                way(Step::Refuse, S::Refused),
                way(Step::Withdraw, S::Cancelled),
                way(Step::Cancel, S::Cancelled),
            ],
        },
        Row {
            stage: S::Approved,
            rest: waits(Office(Role::Stock), Term::Centre),
            ways: &[
                way(Step::Bind, S::InProduction),
                way(Step::Hold, S::Held),
                way(Step::Reopen, S::Captured),
                way(Step::Withdraw, S::Cancelled),
                way(Step::Cancel, S::Cancelled),
            ],
        },
        Row {
            stage: S::Held,
            rest: waits(Mender, Term::Centre),
            ways: &[
                way(Step::Release, S::Approved),
                way(Step::Capture, S::Captured),
                way(Step::Reopen, S::Captured),
                way(Step::Withdraw, S::Cancelled),
                way(Step::Cancel, S::Cancelled),
            ],
        },
        // An end, about which the citizen may complain.
        Row { stage: S::Refused, rest: Rest::Over, ways: &[way(Step::Appeal, S::Appealed)] },
        Row {
            stage: S::Appealed,
            rest: waits(Centre(Role::Approver), Term::Appeal),
            ways: &[
                way(Step::Allow, S::Captured),
                way(Step::Uphold, S::Refused),
                // No officer at the counter ends a complaint alone.
                way(Step::TakeBack, S::Appealed),
                way(Step::Discontinue, S::Refused),
                // With the citizen's death, by the register alone.
                way(Step::Cancel, S::Cancelled),
            ],
        },
        Row {
            stage: S::InProduction,
            rest: waits(Office(Role::Stock), Term::Centre),
            ways: &[
                way(Step::Personalize, S::Personalized),
                way(Step::Dispatch, S::Shipped),
                way(Step::Unbind, S::Approved),
                way(Step::Cancel, S::Cancelled),
            ],
        },
        Row {
            stage: S::Shipped,
            rest: waits(Centre(Role::Stock), Term::Shipping),
            ways: &[way(Step::Arrive, S::Personalized), way(Step::Unbind, S::Approved)],
        },
        Row {
            stage: S::Personalized,
            rest: waits(Office(Role::HandOver), Term::HandOver),
            ways: &[way(Step::HandOver, S::HandedOver), way(Step::Miss, S::NotFetched), way(Step::Unbind, S::Approved)],
        },
        Row {
            stage: S::NotFetched,
            rest: waits(Office(Role::Stock), Term::Keep),
            ways: &[
                way(Step::HandOver, S::HandedOver),
                way(Step::GiveUp, S::Cancelled),
                way(Step::Unbind, S::Approved),
            ],
        },
        Row { stage: S::HandedOver, rest: Rest::Over, ways: &[] },
        Row { stage: S::Cancelled, rest: Rest::Over, ways: &[] },
    ]
};

/// Returns what the table says of a stage.
#[must_use]
pub const fn row(stage: StageName) -> &'static Row {
    &TABLE[stage as usize]
}

/// Returns where a step leads from a stage under a procedure; `None` if it leads nowhere.
#[must_use]
pub fn next(from: StageName, step: Step, procedure: Procedure) -> Option<StageName> {
    let mut ways = row(from).ways.iter().filter(|way| way.step == step && way.exists(procedure));
    ways.next().map(|way| way.to)
}

/// The table in lines for a person.
#[must_use]
pub fn text() -> String {
    let mut text = String::new();
    for row in &TABLE {
        let _ = match row.rest {
            Rest::Over => writeln!(text, "{}: an end", row.stage.word()),
            Rest::Waits { owner, term } => {
                writeln!(text, "{}: {}, {}", row.stage.word(), owner_words(owner), term_words(term))
            }
        };
        for way in row.ways {
            let condition = way.condition();
            let condition = if condition.is_empty() { condition } else { format!(" ({condition})") };
            let _ = writeln!(
                text,
                "    {:<12} {:<18} -> {}{condition}",
                way.step.word(),
                by_words(way.step.by()),
                way.to.word()
            );
        }
    }
    text
}

fn owner_words(owner: Owner) -> String {
    match owner {
        Owner::Centre(role) => format!("{} of the national office", role.name()),
        Owner::Mender => "the role that mends it".to_owned(),
        Owner::Office(role) => role.name().to_owned(),
    }
}

const fn term_words(term: Term) -> &'static str {
    match term {
        Term::Appeal => "within the term of a complaint",
        Term::Centre => "within the term of the centre",
        Term::HandOver => "within shipping and fetching",
        Term::Keep => "while the card is kept",
        Term::Local => "within the term of the office",
        Term::Set => "until the day that the officer set",
        Term::Shipping => "within the term of shipping",
    }
}

const fn by_words(by: By) -> &'static str {
    match by {
        By::Officer(Permission::Apply) => "counter",
        By::Officer(Permission::Capture) => "capture",
        By::Officer(Permission::HandOver) => "hand-over",
        By::Officer(Permission::Release) => "second, registrar",
        By::Officer(Permission::Stock) => "stock keeper",
        By::Officer(_) => "second officer",
        By::Register => "register",
        By::Service => "service",
        By::Station => "station",
    }
}

/// Draws the table: a box for each stage with owner and term, a line for each way. SVG that needs no font of its own
/// and follows a dark page; a screen reader is told the whole table.
#[must_use]
pub fn picture() -> String {
    let rows: Vec<u32> = TABLE.iter().map(|row| HEAD + LINE * count(row.ways.len()) + 14).collect();
    let height = TOP + rows.iter().sum::<u32>() + GAP * count(rows.len()) + 8;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" role=\"img\" \
         aria-labelledby=\"title desc\">\n<title id=\"title\">{TITLE}</title>\n<desc id=\"desc\">{}</desc>\n{STYLE}<rect class=\"page\" width=\"{WIDTH}\" height=\"{height}\"/>\n\
         <text class=\"title\" x=\"16\" y=\"30\">{TITLE}</text>\n",
        text().split_whitespace().collect::<Vec<_>>().join(" ").replace("->", "to")
    );
    let mut put = |text: std::fmt::Arguments<'_>| svg.write_fmt(text).expect("a text grows");
    let mut y = TOP;
    for (row, tall) in TABLE.iter().zip(rows) {
        let (class, rest) = match row.rest {
            Rest::Over => ("end", "an end: nothing is to be done any more".to_owned()),
            Rest::Waits { owner, term } => ("waits", format!("{}, {}", owner_words(owner), term_words(term))),
        };
        put(format_args!(
            "<rect class=\"{class}\" x=\"10\" y=\"{y}\" width=\"{}\" height=\"{tall}\" rx=\"6\"/>\n",
            WIDTH - 20
        ));
        put(format_args!("<text class=\"stage\" x=\"22\" y=\"{}\">{}</text>\n", y + 23, row.stage.word()));
        put(format_args!("<text class=\"rest\" x=\"165\" y=\"{}\">{rest}</text>\n", y + 23));
        for (at, way) in (0..).zip(row.ways) {
            let base = y + HEAD + LINE * at + 12;
            let condition = way.condition();
            put(format_args!("<text class=\"step\" x=\"36\" y=\"{base}\">{}</text>\n", way.step.word()));
            put(format_args!("<text class=\"by\" x=\"136\" y=\"{base}\">{}</text>\n", by_words(way.step.by())));
            put(format_args!("<path class=\"arrow\" d=\"M262 {}h26m-6 -4l6 4l-6 4\"/>\n", base - 5));
            put(format_args!("<text class=\"step\" x=\"298\" y=\"{base}\">{}</text>\n", way.to.word()));
            if !condition.is_empty() {
                put(format_args!("<text class=\"by\" x=\"430\" y=\"{base}\">{condition}</text>\n"));
            }
        }
        y += tall + GAP;
    }
    svg.push_str("</svg>\n");
    svg
}

fn count(number: usize) -> u32 {
    u32::try_from(number).expect("a few")
}

const TITLE: &str = "The stages of an application";
const WIDTH: u32 = 600;
const TOP: u32 = 46;
const HEAD: u32 = 36;
const LINE: u32 = 20;
const GAP: u32 = 10;
const STYLE: &str = "<style>text{font:14px sans-serif;fill:#1b1f24}.title{font-size:18px;font-weight:bold}.stage{font-weight:bold;font-size:15px}\
.by,.rest{fill:#57606a}.page{fill:#fff}.waits{fill:#eef4fb;stroke:#5b7fa6}.end{fill:#f1f1f1;stroke:#8c959f}.arrow{fill:none;stroke:#57606a;stroke-width:1.5}\
@media(prefers-color-scheme: dark){text{fill:#e6edf3}.by,.rest{fill:#9da7b1}.page{fill:#0d1117}.waits{fill:#16263a;stroke:#5b7fa6}\
.end{fill:#21262d;stroke:#6e7681}.arrow{stroke:#9da7b1}}</style>\n";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Stages that can be reached from a stage by steps that fit.
    fn reached(from: StageName, procedure: Procedure, fits: impl Fn(Step) -> bool) -> BTreeSet<&'static str> {
        let (mut found, mut open) = (BTreeSet::from([from.word()]), vec![from]);
        while let Some(stage) = open.pop() {
            for way in row(stage).ways.iter().filter(|way| way.exists(procedure) && fits(way.step)) {
                if found.insert(way.to.word()) {
                    open.push(way.to);
                }
            }
        }
        found
    }

    #[test]
    fn each_stage_stands_in_its_row() {
        assert_eq!(TABLE.map(|row| row.stage), StageName::ALL);
        for stage in StageName::ALL {
            assert_eq!(row(stage).stage, stage);
        }
    }

    #[test]
    fn what_waits_has_a_way_out_and_an_end_has_none_but_a_complaint() {
        for row in &TABLE {
            let ends = row.ways.iter().all(|way| way.step == Step::Appeal);
            assert_eq!(ends, row.rest == Rest::Over, "{:?}", row.stage);
        }
    }

    #[test]
    fn a_step_leads_to_one_place() {
        for (procedure, row) in Procedure::ALL.iter().flat_map(|p| TABLE.iter().map(move |row| (*p, row))) {
            let ways: Vec<Step> = row.ways.iter().filter(|way| way.exists(procedure)).map(|way| way.step).collect();
            let set: BTreeSet<Step> = ways.iter().copied().collect();
            assert_eq!(ways.len(), set.len(), "{:?} {procedure:?}", row.stage);
        }
        let used: BTreeSet<Step> = TABLE.iter().flat_map(|row| row.ways.iter().map(|way| way.step)).collect();
        assert_eq!(used, Step::ALL.into_iter().collect());
    }

    #[test]
    fn every_stage_reaches_an_end_and_a_card_where_it_may_become_one() {
        for procedure in Procedure::ALL {
            for row in TABLE.iter().filter(|row| row.rest != Rest::Over) {
                let found = reached(row.stage, procedure, |_| true);
                assert!(found.contains("handed-over") && found.contains("cancelled"), "{:?} {procedure:?}", row.stage);
            }
        }
    }

    #[test]
    fn a_death_ends_an_application_at_every_stage() {
        for row in TABLE.iter().filter(|row| row.rest != Rest::Over) {
            let found = reached(row.stage, Procedure::default(), |step| matches!(step, Step::Unbind | Step::Cancel));
            assert!(found.contains("cancelled"), "{:?}", row.stage);
        }
    }

    #[test]
    fn there_is_no_way_to_a_card_round_the_approvals() {
        for procedure in Procedure::ALL {
            let needed: &[Step] = match (procedure.team_check, procedure.central_approval) {
                (false, false) => &[Step::Approve],
                (true, false) => &[Step::Check, Step::Approve],
                (false, true) => &[Step::Approve, Step::Confirm],
                (true, true) => &[Step::Check, Step::Approve, Step::Confirm],
            };
            for left_out in needed {
                let found = reached(StageName::Registered, procedure, |step| step != *left_out);
                assert!(!found.contains("in-production"), "without {left_out:?} {procedure:?}");
            }
        }
    }

    #[test]
    fn the_picture_is_of_this_table() {
        let drawn = picture();
        for row in &TABLE {
            assert!(drawn.contains(&format!(">{}<", row.stage.word())));
        }
        let lines = drawn.matches("class=\"arrow\"").count();
        assert_eq!(lines, TABLE.iter().map(|row| row.ways.len()).sum::<usize>());
        assert_eq!(include_str!("../../../docs/stages.svg"), drawn, "issuance stages --svg > docs/stages.svg");
    }
}
