//! Screens as markup. Templates escape all that is no markup of ours.

use askama::Template;
use crypto::inspection::{Check, Finding, Outcome, Step};
use pages::written;
use serde_json::json;
use time::UtcOffset;

use super::key::Unreadable;
use super::screen::{Answer, BundleFace, Face, Person, Screen, Shown, Word, Wrong};
use super::words::{Both, Said, Speaker, Texts, book};
use crate::failure::{Code, Language};

/// What is the same on every screen of a kiosk.
#[derive(Clone, Debug)]
pub(super) struct Look {
    /// Privacy mode.
    pub over: Option<u8>,
    pub keeps_cards: bool,
    pub duty: Option<String>,
    pub has_reports: bool,
    pub offset: UtcOffset,
    pub first: Language,
}

impl Look {
    /// A kiosk that nothing was set for.
    #[cfg(test)]
    pub(super) fn plain() -> Self {
        let (offset, first) = (crypto::identity::civil_time::VIET_NAM, Language::Vietnamese);
        Self { over: None, keeps_cards: false, duty: None, has_reports: true, offset, first }
    }
}

/// A screen, in a language.
pub(super) struct View<'a> {
    screen: &'a Screen,
    look: &'a Look,
    s: Speaker,
    t: &'static Texts,
}

/// A group of checks, as it came out.
struct Group {
    name: &'static Both,
    outcome: Outcome,
    proved: usize,
    checks: Vec<CheckLine>,
}

/// One check in words.
struct CheckLine {
    name: Said,
    outcome: Outcome,
    reason: String,
}

impl Group {
    fn glyph(&self) -> &'static str {
        glyph(self.outcome)
    }

    fn colour(&self) -> &'static str {
        colour(self.outcome)
    }
}

impl CheckLine {
    fn glyph(&self) -> &'static str {
        glyph(self.outcome)
    }

    fn colour(&self) -> &'static str {
        colour(self.outcome)
    }
}

fn glyph(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::NotChecked => "i-unknown",
        Outcome::Proved => "i-ok",
        Outcome::Refuted => "i-no",
    }
}

fn colour(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::NotChecked => "c-wait",
        Outcome::Proved => "c-good",
        Outcome::Refuted => "c-bad",
    }
}

#[derive(Template)]
#[template(path = "kiosk/page.html")]
struct Whole<'a> {
    v: &'a View<'a>,
    nonce: &'a str,
    sheet: &'static str,
    icons: &'static str,
}

#[derive(Template)]
#[template(path = "kiosk/band.html")]
struct Band<'a> {
    v: &'a View<'a>,
}

#[derive(Template)]
#[template(path = "kiosk/main.html")]
struct Main<'a> {
    v: &'a View<'a>,
}

#[derive(Template)]
#[template(path = "kiosk/foot.html")]
struct Foot<'a> {
    v: &'a View<'a>,
}

impl<'a> View<'a> {
    pub(super) fn new(screen: &'a Screen, look: &'a Look, first: Language) -> Self {
        Self { screen, look, s: Speaker(first), t: &book().texts }
    }

    /// Returns the whole page, whose scripts carry this nonce.
    pub(super) fn page(&self, nonce: &str) -> String {
        let whole = Whole { v: self, nonce, sheet: pages::address("app.css"), icons: pages::ICONS };
        whole.render().expect("a String takes all")
    }

    /// Returns the parts that change, as one line of JSON.
    pub(super) fn parts(&self) -> String {
        let all = "a String takes all";
        let parts = json!({
            "number": self.screen.number,
            "kind": self.kind(),
            "title": self.title(),
            "band": Band { v: self }.render().expect(all),
            "main": Main { v: self }.render().expect(all),
            "foot": Foot { v: self }.render().expect(all),
        });
        parts.to_string()
    }

    /// Returns the kind of screen, as classes and script know it.
    fn kind(&self) -> &'static str {
        match &self.screen.face {
            Face::Asking { .. } => "asking",
            Face::Reading { .. } => "reading",
            Face::Shown(shown) => match shown.word {
                Word::Refused => "refused",
                Word::Trusted => "trusted",
                Word::Unknown => "unknown",
            },
            Face::TakeOut => "take-out",
            Face::Waiting { .. } => "waiting",
        }
    }

    fn glyph(&self) -> &'static str {
        match self.kind() {
            "refused" => "i-no",
            "trusted" => "i-ok",
            "unknown" => "i-unknown",
            "reading" => "i-clock",
            _ => "i-card",
        }
    }

    /// Returns what the band says.
    fn headline(&self) -> &'static Both {
        match self.kind() {
            "asking" => &self.t.asking,
            "reading" => &self.t.reading,
            "refused" => &self.t.refused,
            "trusted" => &self.t.trusted,
            "unknown" => &self.t.unknown,
            "take-out" => &self.t.take_out,
            _ => &self.t.waiting,
        }
    }

    fn title(&self) -> String {
        format!("{} · {}", self.s.first(self.headline()), self.s.first(&self.t.title))
    }

    fn shown(&self) -> Option<&Shown> {
        match &self.screen.face {
            Face::Shown(shown) => Some(shown),
            _ => None,
        }
    }

    fn person(&self) -> Option<&Person> {
        self.shown()?.person.as_ref()
    }

    fn answer(&self) -> Option<Answer> {
        self.shown()?.answer
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
    fn answer_text(&self, answer: &Answer) -> Said {
        let text = match answer.is_over {
            Some(true) => &self.t.over_yes,
            Some(false) => &self.t.over_no,
            None => &self.t.over_unknown,
        };
        self.s.say_of(text, answer.years)
    }

    fn is_asked_for_a_key(&self) -> bool {
        matches!(self.screen.face, Face::Asking { .. } | Face::Waiting { .. })
    }

    fn key_waits(&self) -> bool {
        matches!(self.screen.face, Face::Waiting { has_key: true, .. })
    }

    /// Returns what is wrong with what was typed, in sentences.
    fn wrong(&self) -> Vec<Said> {
        let (Face::Asking { wrong } | Face::Waiting { wrong, .. }) = &self.screen.face else { return Vec::new() };
        match wrong {
            None => Vec::new(),
            Some(Wrong::Password { tries_left }) => {
                let tries = tries_left.map(|tries| self.s.say_of(&self.t.tries_left, tries));
                [self.s.say(&self.t.wrong_password)].into_iter().chain(tries).collect()
            }
            Some(Wrong::Unreadable(Unreadable::Digits(count))) => vec![self.s.say_of(&self.t.wrong_digits, count)],
            Some(Wrong::Unreadable(Unreadable::Mrz)) => vec![self.s.say(&self.t.wrong_mrz)],
            Some(Wrong::Unreadable(Unreadable::Qr)) => vec![self.s.say(&self.t.wrong_qr)],
        }
    }

    /// Returns the step that is being read, from 1, with its words; 0 before the first.
    fn step(&self) -> (usize, Said) {
        let Face::Reading { step } = self.screen.face else { return (0, self.s.say(&self.t.reading)) };
        let name = Step::PROCEDURE.get(step).map_or("", |step| step.name());
        (step + 1, self.s.say(book().steps.get(name).unwrap_or(&self.t.reading)))
    }

    #[expect(clippy::unused_self, reason = "called from a template")]
    fn steps(&self) -> usize {
        Step::PROCEDURE.len()
    }

    fn code(&self) -> Option<Code> {
        Some(self.shown()?.failure.as_ref()?.code)
    }

    /// Returns the name of what is to be said about the failure.
    fn subject(&self) -> &'static str {
        let Some(code) = self.code() else { return "" };
        let is_overdue = |finding: &Finding| {
            finding.name == Check::BundleFreshness && finding.outcome == Outcome::NotChecked && finding.required
        };
        let findings = self.shown().map_or(&[][..], |shown| &shown.findings);
        // In privacy mode the checks are not there, and the bundle says it alone.
        let overdue =
            findings.iter().any(is_overdue) || (findings.is_empty() && self.look.over.is_some() && self.is_overdue());
        if code == Code::Undecided && overdue { "bundle-overdue" } else { code.word() }
    }

    /// Returns why the card is not trusted.
    fn why(&self) -> Option<Said> {
        let code = self.code()?;
        Some(book().advice.get(self.subject()).map_or_else(|| self.s.cause(code), |advice| self.s.say(&advice.why)))
    }

    /// Returns what is to be done.
    fn todo(&self) -> Vec<Said> {
        let Some(code) = self.code() else { return Vec::new() };
        let mut todo: Vec<Said> = match book().advice.get(self.subject()) {
            Some(advice) => advice.todo.iter().map(|text| self.s.say(text)).collect(),
            None => vec![self.s.remedy(code)],
        };
        if self.kind() == "refused" {
            if self.look.keeps_cards && code != Code::CardExpired {
                todo.push(self.s.say(&self.t.keep_card));
            }
            todo.extend(self.look.duty.as_ref().map(|duty| self.s.say_of(&self.t.call, duty)));
        }
        todo
    }

    /// Returns the checks in three groups, those that failed first, those that were not made next.
    fn groups(&self) -> Vec<Group> {
        let findings = self.shown().map_or(&[][..], |shown| &shown.findings);
        let mut groups: Vec<Group> =
            [(&self.t.group_chip, &CHIP[..]), (&self.t.group_data, &[]), (&self.t.group_valid, &VALID[..])]
                .into_iter()
                .map(|(name, own)| {
                    let is_of = |finding: &&Finding| match own {
                        [] => !CHIP.contains(&finding.name) && !VALID.contains(&finding.name),
                        own => own.contains(&finding.name),
                    };
                    self.group(name, findings.iter().filter(is_of).collect())
                })
                .filter(|group| !group.checks.is_empty())
                .collect();
        groups.sort_by_key(|group| match group.outcome {
            Outcome::Refuted => 0,
            Outcome::NotChecked => 1,
            Outcome::Proved => 2,
        });
        groups
    }

    fn group(&self, name: &'static Both, findings: Vec<&Finding>) -> Group {
        let is = |outcome| {
            findings
                .iter()
                .any(|finding| finding.outcome == outcome && (finding.required || outcome == Outcome::Refuted))
        };
        let outcome = match () {
            () if is(Outcome::Refuted) => Outcome::Refuted,
            () if is(Outcome::NotChecked) => Outcome::NotChecked,
            () => Outcome::Proved,
        };
        let proved = findings.iter().filter(|finding| finding.outcome == Outcome::Proved).count();
        Group { name, outcome, proved, checks: findings.into_iter().map(|finding| self.line(finding)).collect() }
    }

    fn line(&self, finding: &Finding) -> CheckLine {
        let name = match finding.name {
            Check::DataGroup(group) => self.s.say_of(&book().checks["data-group"], group.number()),
            check => self.s.say(&book().checks[&check.to_string()]),
        };
        CheckLine { name, outcome: finding.outcome, reason: finding.reason.clone() }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
    fn outcome(&self, outcome: &Outcome) -> Said {
        self.s.say(match outcome {
            Outcome::NotChecked => &self.t.not_checked,
            Outcome::Proved => &self.t.proved,
            Outcome::Refuted => &self.t.refuted,
        })
    }

    fn bundle(&self) -> Option<BundleFace> {
        self.screen.bundle.as_ref().ok().copied()
    }

    fn is_overdue(&self) -> bool {
        self.bundle().is_some_and(|bundle| bundle.due < crate::ambient::now())
    }

    fn day(&self, at: &time::OffsetDateTime) -> String {
        written::moment(*at, self.look.offset)
    }

    fn bundle_code(&self) -> Option<&'static str> {
        Some(self.screen.bundle.as_ref().err()?.code.word())
    }

    fn card_is_there(&self) -> bool {
        self.shown().is_some_and(|shown| shown.card_is_there)
    }

    /// Whether the card can be read again.
    fn can_try_again(&self) -> bool {
        self.kind() == "unknown" && self.card_is_there()
    }

    fn can_save(&self) -> bool {
        self.look.has_reports && self.card_is_there() && !self.shown().is_none_or(|shown| shown.findings.is_empty())
    }

    fn asks(&self) -> bool {
        self.screen.asks
    }

    fn saved(&self) -> Option<Said> {
        Some(match self.screen.saved.as_ref()? {
            Ok(name) => self.s.say_of(&self.t.saved, name),
            Err(failure) => self.s.say_of(&self.t.not_saved, failure.code.word()),
        })
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
    fn sex(&self, sex: &crypto::identity::Sex) -> &'static Both {
        match sex {
            crypto::identity::Sex::Female => &self.t.female,
            crypto::identity::Sex::Male => &self.t.male,
        }
    }
}

/// The checks by which a chip proves that it is no copy, and how it was opened.
const CHIP: [Check; 5] =
    [Check::Access, Check::CardAccess, Check::ChipAuthentication, Check::ActiveAuthentication, Check::CloneProtection];

/// The checks of time and of the lists; those that stand in neither list are of the signed data.
const VALID: [Check; 5] =
    [Check::Validity, Check::Revocation, Check::BundleFreshness, Check::BundleCompleteness, Check::OnlineStatus];

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use time::macros::datetime;

    use super::*;
    use crate::failure::Failure;

    const HOSTILE: &str = "</p><script>alert(1)</script>'\"&";

    fn screen(face: Face) -> Screen {
        let due = datetime!(2099-01-01 00:00 UTC);
        let bundle = Ok(BundleFace { issued: datetime!(2026-11-25 17:00 UTC), due });
        Screen { number: 3, face, readers: vec![(HOSTILE.to_owned(), true)], bundle, asks: false, saved: None }
    }

    fn finding(name: Check, outcome: Outcome) -> Finding {
        Finding { name, outcome, reason: HOSTILE.to_owned(), required: true }
    }

    fn verdict(word: Word, failure: Option<Failure>, findings: Vec<Finding>) -> Shown {
        Shown { visit: 2, word, failure, findings, person: None, answer: None, card_is_there: true }
    }

    fn shown(shown: Shown) -> Screen {
        screen(Face::Shown(Arc::new(shown)))
    }

    fn parts(screen: &Screen, look: &Look) -> serde_json::Value {
        serde_json::from_str(&View::new(screen, look, Language::Vietnamese).parts()).unwrap()
    }

    #[test]
    fn what_chips_and_readers_say_is_text_on_every_screen() {
        let person =
            Person { name: Some(HOSTILE.to_owned()), residence: Some(HOSTILE.to_owned()), ..Person::default() };
        let findings = vec![finding(Check::SodSignature, Outcome::Proved), finding(Check::Validity, Outcome::Refuted)];
        let trusted = Shown { person: Some(person), ..verdict(Word::Trusted, None, findings.clone()) };
        let failure = Failure::new(Code::Refused, HOSTILE);
        let mut look = Look::plain();
        look.duty = Some(HOSTILE.to_owned());
        for screen in [shown(trusted), shown(verdict(Word::Refused, Some(failure), findings))] {
            let view = View::new(&screen, &look, Language::English);
            let page = view.page("0123");
            assert_eq!(page.matches("<script").count(), 1, "{page}");
            assert!(page.contains("&#60;script&#62;") || page.contains("&lt;script&gt;"), "{page}");
            assert!(!parts(&screen, &look).to_string().contains("<script"));
        }
    }

    #[test]
    fn the_number_of_tries_is_said_where_the_chip_says_it() {
        let asked = |tries_left| {
            let wrong = Some(Wrong::Password { tries_left });
            parts(&screen(Face::Asking { wrong }), &Look::plain())["main"].to_string()
        };
        assert!(asked(Some(2)).contains("Chip còn cho thử 2 lần.") && asked(Some(2)).contains("allows 2 more tries"));
        assert!(asked(None).contains("Số này không mở được thẻ") && !asked(None).contains("còn cho thử"));
    }

    #[test]
    fn a_person_and_a_picture_are_shown_with_a_trusted_card_alone() {
        let card =
            |word, failure| parts(&shown(verdict(word, failure, Vec::new())), &Look::plain())["main"].to_string();
        let refused = card(Word::Refused, Some(Failure::new(Code::CardRevoked, "")));
        assert!(refused.contains("báo mất") && !refused.contains("<img") && !refused.contains("<dl"), "{refused}");
        let person = Person { portrait: Some(vec![1]), expiry: Some(None), ..Person::default() };
        let trusted = Shown { person: Some(person), ..verdict(Word::Trusted, None, Vec::new()) };
        let trusted = parts(&shown(trusted), &Look::plain())["main"].to_string();
        assert!(trusted.contains("portrait/2") && trusted.contains("Không thời hạn"), "{trusted}");
    }

    #[test]
    fn what_failed_comes_before_what_was_not_made_and_that_before_what_is_proved() {
        let findings = vec![
            finding(Check::Access, Outcome::Proved),
            finding(Check::SodSignature, Outcome::NotChecked),
            Finding { required: false, ..finding(Check::OnlineStatus, Outcome::NotChecked) },
            finding(Check::Validity, Outcome::Refuted),
        ];
        let screen = shown(verdict(Word::Refused, Some(Failure::new(Code::Refused, "")), findings));
        let look = Look::plain();
        let groups = View::new(&screen, &look, Language::English).groups();
        let seen: Vec<_> = groups.iter().map(|group| (group.outcome, group.proved, group.checks.len())).collect();
        assert_eq!(seen, [(Outcome::Refuted, 0, 2), (Outcome::NotChecked, 0, 1), (Outcome::Proved, 1, 1)]);
    }

    #[test]
    fn every_failure_has_a_why_and_something_to_do() {
        for code in Code::ALL {
            let screen = shown(verdict(Word::Unknown, Some(Failure::new(*code, "")), Vec::new()));
            let look = Look::plain();
            let view = View::new(&screen, &look, Language::Vietnamese);
            assert!(view.why().is_some_and(|why| !why.to_string().is_empty()), "{}", code.word());
            assert!(!view.todo().is_empty(), "{}", code.word());
        }
    }

    #[test]
    fn the_place_says_whether_a_refused_card_is_kept_and_whom_to_call() {
        let todo = |look: &Look, code| {
            let screen = shown(verdict(Word::Refused, Some(Failure::new(code, "")), Vec::new()));
            View::new(&screen, look, Language::English).todo().iter().map(ToString::to_string).collect::<String>()
        };
        assert!(!todo(&Look::plain(), Code::CardRevoked).contains("Keep the card"));
        let look = Look { keeps_cards: true, duty: Some("114".to_owned()), ..Look::plain() };
        assert!(
            todo(&look, Code::CardRevoked).contains("Keep the card") && todo(&look, Code::CardRevoked).contains("114")
        );
        assert!(!todo(&look, Code::CardExpired).contains("Keep the card"), "a genuine card of its bearer");
    }

    #[test]
    fn the_age_of_the_trust_list_is_always_shown() {
        let mut screen = screen(Face::Waiting { wrong: None, has_key: false });
        let foot = |screen: &Screen| parts(screen, &Look::plain())["foot"].to_string();
        assert!(foot(&screen).contains("26/11/2026\u{a0}00:00"), "in the time of the State: {}", foot(&screen));
        screen.bundle =
            Ok(BundleFace { issued: datetime!(2020-01-01 00:00 UTC), due: datetime!(2020-01-08 00:00 UTC) });
        assert!(foot(&screen).contains("đã quá hạn từ") && foot(&screen).contains("08/01/2020"));
        screen.bundle = Err(Failure::new(Code::TrustBundleOlder, ""));
        assert!(foot(&screen).contains("chưa kết luận được thẻ nào") && foot(&screen).contains("trust-bundle-older"));
    }
}
