//! What each case of an application is judged by, costs and takes back, as one table: Law 59/2014/QH13, Art. 19 and 23;
//! Circular 59/2019/TT-BTC, Art. 4 and 5; Circulars 59 and 60/2021/TT-BCA. Pure.
//!
//! There is no second list: [`Kind::judge`](super::model::Kind::judge) and [`Fees::of`](super::fees::Fees::of) go by
//! it. Which validity follows is the same for all: to the next of 25, 40 and 60, or without limit
//! (`crypto::identity::validity`).

use serde::Serialize;
use utoipa::ToSchema;

use super::model::{ChangeReason, Held, Kind, ReissueReason};

/// What the fee of a case is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fee {
    /// That of a change.
    Change,
    /// Nothing is due.
    Free,
    /// Nothing, but for a nine-digit card (CMND) that is changed for the citizen card.
    FreeButOldCard,
    /// That of a re-issue.
    Reissue,
}

/// What becomes of the document that the citizen has.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OldDocument {
    /// The card is taken back when the new one is handed over (since 1 July 2021; before, it was cut and returned).
    CardAtHandOver,
    /// An old identity card (CMND), if there is one, is taken back when the new card is handed over.
    IdentityCardAtHandOver,
    /// There is none; one that is found later is handed in.
    None,
}

/// When a case needs a look-up in the archive of papers (Circular 60/2021/TT-BCA, Art. 6).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LookUp {
    /// With a nine-digit card (CMND) that is changed for the citizen card.
    OldCard,
    /// Where the register knows of no card that the person had: its number stands in the papers alone.
    UnknownCard,
}

impl LookUp {
    /// Returns whether the papers of a person are to be looked up.
    #[must_use]
    pub fn is_needed(self, has_old_card: bool, held: Held) -> bool {
        match self {
            Self::OldCard => has_old_card,
            Self::UnknownCard => held == Held::Never,
        }
    }

    /// The words, as they are documented.
    const fn words(self) -> &'static str {
        match self {
            Self::OldCard => "where there is a nine-digit card",
            Self::UnknownCard => "where the register knows of no card",
        }
    }
}

/// What a case says to what the registry of cards knows of the person.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It fits.
    Fits,
    /// It fits if the card in hand has reached its last day.
    FitsExpired(&'static str),
    /// An officer must know better: cards of before this register are not in it.
    Doubtful(&'static str),
    /// It cannot be meant.
    Contradicts(&'static str),
}

/// A case.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Case {
    /// What is applied for.
    pub kind: Kind,
    /// The letter of the law.
    pub law: &'static str,
    /// No card was ever in the person's hand.
    pub never: Verdict,
    /// A card is in the person's hand.
    pub now: Verdict,
    /// The last card counts no more.
    pub once: Verdict,
    /// What it costs.
    pub fee: Fee,
    /// What is taken back.
    pub old: OldDocument,
    /// When the archive of papers is asked.
    pub look_up: LookUp,
}

const UNKNOWN: Verdict = Verdict::Doubtful("the register knows of no card that the person had");
const GONE: Verdict = Verdict::Contradicts("the person has no card, the last one counts no more");
const IN_HAND: Verdict = Verdict::Contradicts("the person has a card that is not reported lost");

const fn change(reason: ChangeReason, law: &'static str, fee: Fee) -> Case {
    let (kind, old) = (Kind::Change(reason), OldDocument::CardAtHandOver);
    Case { kind, law, never: UNKNOWN, now: Verdict::Fits, once: GONE, fee, old, look_up: LookUp::UnknownCard }
}

const fn reissue(reason: ReissueReason, law: &'static str) -> Case {
    let (kind, old, fee) = (Kind::Reissue(reason), OldDocument::None, Fee::Reissue);
    Case { kind, law, never: UNKNOWN, now: IN_HAND, once: Verdict::Fits, fee, old, look_up: LookUp::UnknownCard }
}

/// All cases.
pub const CASES: [Case; 9] = {
    use ChangeReason as C;
    use ReissueReason as R;
    [
        Case {
            kind: Kind::First,
            law: "Art. 19(1)",
            never: Verdict::Fits,
            now: Verdict::Fits,
            once: Verdict::Contradicts("the person had a card"),
            fee: Fee::FreeButOldCard,
            old: OldDocument::IdentityCardAtHandOver,
            look_up: LookUp::OldCard,
        },
        Case {
            now: Verdict::FitsExpired("the card was issued for longer than today"),
            ..change(C::AgeReached, "Art. 23(1)(a)", Fee::Free)
        },
        change(C::Damaged, "Art. 23(1)(b)", Fee::Change),
        change(C::NameOrFeaturesChanged, "Art. 23(1)(c)", Fee::Change),
        change(C::SexOrOriginRedetermined, "Art. 23(1)(d)", Fee::Change),
        change(C::ErrorOnCard, "Art. 23(1)(đ)", Fee::Free),
        change(C::OnRequest, "Art. 23(1)(e)", Fee::Change),
        reissue(R::Lost, "Art. 23(2)(a)"),
        reissue(R::NationalityRegained, "Art. 23(2)(b)"),
    ]
};

/// Returns what the table says of a kind.
#[must_use]
pub fn case(kind: Kind) -> &'static Case {
    CASES.iter().find(|case| case.kind == kind).expect("a test looks for every kind")
}

impl Fee {
    /// The words, as they are documented.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Change => "`change`",
            Self::Free => "none",
            Self::FreeButOldCard => "none; `from_old_card` with a nine-digit card",
            Self::Reissue => "`reissue`",
        }
    }
}

impl OldDocument {
    /// The words, as they are documented.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::CardAtHandOver => "the card, at the hand-over",
            Self::IdentityCardAtHandOver => "an old identity card, at the hand-over",
            Self::None => "nothing; what is found later is handed in",
        }
    }
}

impl Verdict {
    const fn words(self) -> &'static str {
        match self {
            Self::Fits => "fits",
            Self::FitsExpired(_) => "fits from its last day on",
            Self::Doubtful(_) => "an officer answers for it",
            Self::Contradicts(_) => "refused",
        }
    }
}

impl Case {
    /// The case as a line of the table in `docs/stages.md`.
    #[must_use]
    pub fn line(&self) -> String {
        let answered: serde_json::Value = serde_json::json!(self.kind);
        let reason = answered["reason"].as_str().map_or_else(String::new, |reason| format!(" `{reason}`"));
        let [never, now, once] = [self.never, self.now, self.once].map(Verdict::words);
        let (kind, law, fee, old) = (self.kind.word(), self.law, self.fee.words(), self.old.words());
        format!("| `{kind}`{reason} | {law} | {never} | {now} | {once} | {fee} | {old} |")
    }

    /// The case as a line of the table of look-ups in `docs/stages.md`.
    #[must_use]
    pub fn look_up_line(&self) -> String {
        let answered: serde_json::Value = serde_json::json!(self.kind);
        let reason = answered["reason"].as_str().map_or_else(String::new, |reason| format!(" `{reason}`"));
        format!("| `{}`{reason} | {} |", self.kind.word(), self.look_up.words())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_case() {
        use {ChangeReason as C, ReissueReason as R};
        let changes = [C::AgeReached, C::Damaged, C::NameOrFeaturesChanged, C::SexOrOriginRedetermined];
        let changes = changes.into_iter().chain([C::ErrorOnCard, C::OnRequest]).map(Kind::Change);
        let reissues = [R::Lost, R::NationalityRegained].map(Kind::Reissue);
        let all: Vec<Kind> = [Kind::First].into_iter().chain(changes).chain(reissues).collect();
        assert_eq!(CASES.map(|case| case.kind).to_vec(), all);
        for kind in all {
            assert_eq!(case(kind).kind, kind);
        }
    }

    #[test]
    fn what_is_taken_back_is_what_the_citizen_may_have() {
        for case in CASES {
            let has_card = !matches!(case.now, Verdict::Contradicts(_)) && case.kind != Kind::First;
            assert_eq!(case.old == OldDocument::CardAtHandOver, has_card, "{case:?}");
        }
    }

    #[test]
    fn the_cases_are_documented_as_they_are() {
        let document = include_str!("../../../docs/stages.md");
        for case in CASES {
            assert!(document.contains(&case.line()), "{}", case.line());
            assert!(document.contains(&case.look_up_line()), "{}", case.look_up_line());
        }
    }
}
