//! Terms, and their legal grounds.

use serde::{Deserialize, Serialize};
use time::Duration;

/// How long something is kept, and why no longer.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// So long.
    #[serde(with = "crate::ground::span")]
    pub term: Duration,
    /// The legal ground, as the trail and those who ask are told.
    pub ground: String,
}

/// Settings of the retention.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// True: the running service erases by itself, once a day. False: `issuance retention run` does.
    pub automatic: bool,
    /// So many applications, or rows, are looked at between two records of the trail.
    pub batch: u16,
    /// Portraits of closed applications, from the closing on.
    pub portraits: Rule,
    /// Features of refused applications, and files of cards that were never handed over, from the closing on.
    pub dossiers: Rule,
    /// What notices said, from the day on which they were sent.
    pub notices: Rule,
    /// Answers of writes, for repeats of the same request.
    pub answers: Rule,
    /// Sessions, from their end on.
    pub sessions: Rule,
}

impl Default for Settings {
    fn default() -> Self {
        let rule = |days, ground: &str| Rule { term: Duration::days(days), ground: ground.to_owned() };
        Self {
            automatic: false,
            batch: 50,
            portraits: rule(90, "Decree 13/2023/NĐ-CP, Art. 3(7): no longer than the purpose needs"),
            dossiers: rule(365, "Decree 13/2023/NĐ-CP, Art. 3(7): no longer than the purpose needs"),
            notices: rule(1095, "Law 02/2011/QH13, Art. 9: shown that and when the citizen was told"),
            answers: rule(7, "Decree 13/2023/NĐ-CP, Art. 3(7): a repeated request is over by then"),
            sessions: rule(30, "Decree 13/2023/NĐ-CP, Art. 3(7): needed to trace an abuse of a session"),
        }
    }
}

/// A kind of thing that is erased.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Portraits of closed applications.
    Portraits,
    /// Other captured data of closed applications.
    Dossiers,
    /// What notices said.
    Notices,
    /// Stored answers.
    Answers,
    /// Ended sessions.
    Sessions,
}

impl Kind {
    /// All of them, in the order in which they are erased.
    pub const ALL: [Self; 5] = [Self::Portraits, Self::Dossiers, Self::Answers, Self::Sessions, Self::Notices];

    /// The word: also the key in `issuance.toml`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Portraits => "portraits",
            Self::Dossiers => "dossiers",
            Self::Notices => "notices",
            Self::Answers => "answers",
            Self::Sessions => "sessions",
        }
    }

    /// What it is, in words.
    #[must_use]
    pub const fn what(self) -> &'static str {
        match self {
            Self::Portraits => {
                "portraits of applications that were refused, cancelled or handed over, with their content keys"
            }
            Self::Dossiers => "features of refused applications; files of cards that were never handed over",
            Self::Notices => "what notices said that were sent; that they were sent stays",
            Self::Answers => "stored answers of writes",
            Self::Sessions => "sessions that ended",
        }
    }

    /// Its rule.
    #[must_use]
    pub fn rule(self, settings: &Settings) -> &Rule {
        match self {
            Self::Portraits => &settings.portraits,
            Self::Dossiers => &settings.dossiers,
            Self::Notices => &settings.notices,
            Self::Answers => &settings.answers,
            Self::Sessions => &settings.sessions,
        }
    }
}

/// Something that is kept for good.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Kept {
    /// What it is.
    pub what: &'static str,
    /// Why it is kept.
    pub why: &'static str,
}

/// What ends by itself, with what it belongs to, and why.
pub const PASSING: &[Kept] = &[Kept {
    what: "files of print jobs",
    why: "until the body was checked or the card handed over, or chip or document ended: the printer needs them no longer",
}];

/// What is kept for good, and why.
pub const KEPT: &[Kept] = &[
    Kept {
        what: "audit trail",
        why: "it answers who read or changed what about a person, for as long as the person can ask; it names persons by id, \
              without name and number (ADR 0017)",
    },
    Kept { what: "persons, personal numbers", why: "the register itself: numbers are for life and never given twice" },
    Kept {
        what: "applications, cards, documents of cards",
        why: "what a card says must be provable while it is in hand",
    },
    Kept {
        what: "where citizens want to be told",
        why: "they agreed to it, until they say otherwise at a counter: then it is erased at once",
    },
    Kept { what: "legal holds", why: "they say why something was not erased" },
];
