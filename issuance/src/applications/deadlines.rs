//! Who has an application and until when: the terms of the law, counted in working days; pure.
//!
//! Terms: Circular 60/2021/TT-BCA, Art. 8 (two working days where the dossier is received, three or, for those received
//! at the centre, four there, two to deliver); Law 59/2014/QH13, Art. 25 (7, 15 or 20 working days in all, by place and
//! kind); Law on Complaints 02/2011/QH13, Art. 28 (30 days for a first complaint).

use serde::{Deserialize, Serialize};
use time::{Date, OffsetDateTime};

use super::model::{Kind, Stage, StageName};
use super::paper_archive::Archives;
use super::stages::{self, Owner, Procedure, Rest, Term};
use crate::ground::{OfficeCode, Role};
use crate::offices::calendar::{Calendar, CalendarEnds};

/// The terms, in working days.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Deadlines {
    /// At the office: from the opening to the approval there.
    pub local: u16,
    /// At the centre: from the approval of the office to the finished card.
    pub centre: u16,
    /// The same for what was opened at the national office.
    pub centre_received: u16,
    /// From the finished card to the counter.
    pub shipping: u16,
    /// In which the citizen fetches the card; no act names it.
    pub fetch: u16,
    /// In which a card that was not fetched is kept; no act names it.
    pub keep: u16,
    /// So many days after the card is ready, each, a citizen who has not fetched it is reminded; ascending.
    pub reminders: Vec<u16>,
    /// Most that an officer gives a citizen to bring what is missing; no act names it.
    pub citizen: u16,
    /// At the national office: from a complaint about a refusal to the decision about it.
    pub appeal: u16,
    /// So many days after it was due, a late dossier is told to the national office.
    pub escalation: u16,
    /// In all, in cities and towns.
    pub city: u16,
    /// The same for a card that is issued again.
    pub city_reissue: u16,
    /// In all, in mountain, border and island districts.
    pub remote: u16,
    /// In all, elsewhere.
    pub elsewhere: u16,
    /// True: an application is refused while the holidays up to its last day are not known. False: its days come out
    /// too early, and `issuance status` says so.
    pub known_holidays_only: bool,
    /// Codes of the offices of cities and towns.
    pub city_offices: Vec<OfficeCode>,
    /// Codes of the offices of mountain, border and island districts.
    pub remote_offices: Vec<OfficeCode>,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            local: 2,
            centre: 3,
            centre_received: 4,
            shipping: 2,
            fetch: 30,
            keep: 60,
            reminders: vec![7, 21],
            citizen: 30,
            appeal: APPEAL,
            escalation: 3,
            city: 7,
            city_reissue: 15,
            remote: 20,
            elsewhere: 15,
            known_holidays_only: false,
            city_offices: Vec::new(),
            remote_offices: Vec::new(),
        }
    }
}

/// The terms and the procedure under which an application was opened: a change of the configuration moves no deadline
/// of what is under way.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Terms {
    /// At the office.
    pub local: u16,
    /// At the centre.
    pub centre: u16,
    /// Shipping and fetching.
    pub hand_over: u16,
    /// Shipping alone.
    #[serde(default = "two", skip_serializing_if = "is_two")]
    pub shipping: u16,
    /// In which a card that was not fetched is kept.
    #[serde(default = "kept_before")]
    pub keep: u16,
    /// In all, without what the citizen takes.
    pub whole: u16,
    /// For a complaint about a refusal. Applications of before there were complaints have the usual one.
    #[serde(default = "usual_appeal")]
    pub appeal: u16,
    /// So many days after it was due, the national office is told.
    pub escalation: u16,
    /// How it is decided.
    pub procedure: Procedure,
    /// By when it is classified and archives answer; none where that is not demanded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive: Option<Archives>,
    /// True where it is sent with a whole ten-print card only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fingerprints: bool,
}

/// The term of shipping of the act, under which applications were opened before it was kept by itself.
const fn two() -> u16 {
    2
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_two(days: &u16) -> bool {
    *days == two()
}

/// For what was opened before cards were kept.
fn kept_before() -> u16 {
    Deadlines::default().keep
}

impl Deadlines {
    /// Returns the terms of an application of this kind at this office.
    #[must_use]
    pub fn terms(&self, kind: Kind, office: &OfficeCode, procedure: Procedure) -> Terms {
        let centre = if *office == OfficeCode::national() { self.centre_received } else { self.centre };
        let whole = match kind {
            _ if self.remote_offices.contains(office) => self.remote,
            Kind::Reissue(_) if self.city_offices.contains(office) => self.city_reissue,
            _ if self.city_offices.contains(office) => self.city,
            _ => self.elsewhere,
        };
        let (local, hand_over, escalation) = (self.local, self.shipping + self.fetch, self.escalation);
        Terms {
            local,
            centre,
            hand_over,
            shipping: self.shipping,
            keep: self.keep,
            whole,
            appeal: self.appeal,
            escalation,
            procedure,
            archive: None,
            fingerprints: false,
        }
    }

    /// Returns the day so many working days after this one, as a citizen is told it.
    ///
    /// # Errors
    /// [`CalendarEnds`] if the holidays up to that day are not known, and must be.
    pub fn day_for_citizen(&self, calendar: &Calendar, day: Date, days: u16) -> Result<Date, CalendarEnds> {
        let counted = calendar.add_working_days(day, days.into()).ok_or(CalendarEnds { year: day.year() })?;
        if self.known_holidays_only { calendar.knows(day, counted).map(|()| counted) } else { Ok(counted) }
    }
}

/// The day and the moment of a move.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// The State's civil day.
    pub day: Date,
    /// The moment.
    pub at: OffsetDateTime,
}

/// Who has an application, and until when.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Progress {
    /// Office and role that have it; none at an end.
    pub owner: Option<(OfficeCode, Role)>,
    /// The last day on which it leaves the stage in time; none at an end.
    pub due: Option<Date>,
    /// The day that the citizen was promised.
    pub promised: Option<Date>,
    /// When it came to the stage.
    pub moved_at: Option<OffsetDateTime>,
    /// How often it moved.
    pub moves: u32,
    /// The terms under which it was opened; none for one of before there were any that has not moved since.
    pub terms: Option<Terms>,
}

impl Progress {
    /// The progress of an application that is opened now, and was promised for this day.
    #[must_use]
    pub fn begin(
        stage: &Stage,
        office: &OfficeCode,
        terms: Terms,
        promised: Date,
        now: Now,
        calendar: &Calendar,
    ) -> Self {
        let none = Self { promised: Some(promised), terms: Some(terms), ..Self::default() };
        none.at(stage, office, now, calendar, None)
    }

    /// Returns the progress after a move. Stages with one term share it; what the citizen takes to bring something, or
    /// to complain about a refusal with what the decision about it takes, moves the promised day by as much: from
    /// `left_on`. Nothing that the office does is due later than what was promised.
    #[must_use]
    pub fn moved(
        &self,
        before: &Stage,
        stage: &Stage,
        office: &OfficeCode,
        now: Now,
        calendar: &Calendar,
        left_on: Option<Date>,
    ) -> Self {
        // Where it is under way again: a complaint that is taken back was no pause, or the days would count twice.
        let goes_on = before.which() != stage.which() && stage.is_open();
        let paused = match (before.which(), left_on.filter(|_| goes_on)) {
            (StageName::Appealed | StageName::Returned, Some(since)) => calendar.working_days_between(since, now.day),
            _ => 0,
        };
        let promised = self.promised.map(|day| calendar.add_working_days(day, paused).unwrap_or(day));
        let shared = term(before).filter(|of| *of != Term::Set && term(stage) == Some(*of));
        let kept = self.due.filter(|_| shared.is_some());
        Self { promised, ..self.clone() }.at(stage, office, now, calendar, kept)
    }

    fn at(self, stage: &Stage, office: &OfficeCode, now: Now, calendar: &Calendar, kept: Option<Date>) -> Self {
        let moved = Self { moved_at: Some(now.at), moves: self.moves + 1, ..self };
        let Rest::Waits { owner, term } = stages::row(stage.which()).rest else {
            return Self { owner: None, due: None, ..moved };
        };
        let terms =
            moved.terms.unwrap_or_else(|| Deadlines::default().terms(Kind::First, office, Procedure::default()));
        let after = |days: u16| calendar.add_working_days(now.day, days.into()).unwrap_or(Date::MAX);
        let in_time = |day: Date| moved.promised.map_or(day, |promised| day.min(promised));
        let due = match (term, stage) {
            (Term::Set, Stage::Returned { until, .. }) => *until,
            (Term::Shipping, _) => kept.unwrap_or_else(|| after(terms.shipping)),
            (Term::Appeal, _) => kept.unwrap_or_else(|| after(terms.appeal)),
            (Term::HandOver | Term::Set, _) => kept.unwrap_or_else(|| after(terms.hand_over)),
            (Term::Keep, _) => kept.unwrap_or_else(|| after(terms.keep)),
            (Term::Local, _) => kept.unwrap_or_else(|| in_time(after(terms.local))),
            (Term::Centre, _) => kept.unwrap_or_else(|| in_time(after(terms.centre))),
        };
        let owner = match owner {
            Owner::Centre(role) => (OfficeCode::national(), role),
            Owner::Office(role) => (office.clone(), role),
            Owner::Mender => {
                let role = if let Stage::Held { hold, .. } = stage { hold.owner } else { Role::Registrar };
                (office.clone(), role)
            }
        };
        Self { owner: Some(owner), due: Some(due), ..moved }
    }

    /// Returns the progress of what this office makes, whatever office it is of.
    #[must_use]
    pub fn at_maker(self, maker: Option<OfficeCode>) -> Self {
        let owner = match (self.owner, maker) {
            (Some((_, role)), Some(maker)) => Some((maker, role)),
            (owner, _) => owner,
        };
        Self { owner, ..self }
    }

    /// Returns how many working days it is late; 0 while it is in time.
    #[must_use]
    pub fn days_late(&self, today: Date, calendar: &Calendar) -> u32 {
        self.due.map_or(0, |due| calendar.working_days_between(due, today))
    }
}

/// A month of the Law on Complaints 02/2011/QH13, Art. 28, in working days.
const APPEAL: u16 = 20;

fn usual_appeal() -> u16 {
    APPEAL
}

fn term(stage: &Stage) -> Option<Term> {
    match stages::row(stage.which()).rest {
        Rest::Over => None,
        Rest::Waits { term, .. } => Some(term),
    }
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::*;
    use crate::applications::model::{Capture, ReissueReason};
    use crate::ground::{Decision, Id};
    use crate::offices::holidays::Holidays;

    fn calendar() -> Calendar {
        let years = Holidays::default();
        Calendar::default().with_years(years.years().map(|(n, year)| (n, year.announced, year.days())).collect())
    }

    fn now(day: Date) -> Now {
        Now { day, at: day.midnight().assume_utc() }
    }

    fn by() -> Decision {
        Decision { by: Id::nil(), at: datetime!(2027-02-03 02:00 UTC) }
    }

    fn captured() -> Stage {
        let capture = Capture { taken: by(), portrait: "p".into(), features: "f".into(), salt: [7; 16], heard: None };
        Stage::Registered.capture(capture).unwrap()
    }

    fn office() -> OfficeCode {
        "003-001".parse().unwrap()
    }

    fn opened(day: Date) -> Progress {
        let terms = Deadlines::default().terms(Kind::First, &office(), Procedure::default());
        let promised = Deadlines::default().day_for_citizen(&calendar(), day, terms.whole).unwrap();
        Progress::begin(&Stage::Registered, &office(), terms, promised, now(day), &calendar())
    }

    #[test]
    fn terms_are_by_place_and_kind() {
        let of = |code: &str| code.parse::<OfficeCode>().unwrap();
        let deadlines =
            Deadlines { city_offices: vec![of("city")], remote_offices: vec![of("isle")], ..Deadlines::default() };
        let lost = Kind::Reissue(ReissueReason::Lost);
        for (office, kind, whole, centre) in [
            ("city", Kind::First, 7, 3),
            ("city", lost, 15, 3),
            ("isle", Kind::First, 20, 3),
            ("isle", lost, 20, 3),
            ("plain", Kind::First, 15, 3),
            ("national", lost, 15, 4),
        ] {
            let terms = deadlines.terms(kind, &of(office), Procedure::default());
            assert_eq!((terms.whole, terms.centre, terms.local, terms.hand_over), (whole, centre, 2, 32), "{office}");
        }
    }

    #[test]
    fn tet_and_weekends_do_not_count() {
        // Wednesday 3 February 2027; Tết is from Friday to the next Thursday.
        let progress = opened(date!(2027 - 02 - 03));
        assert_eq!(progress.owner, Some((office(), Role::Capture)));
        assert_eq!((progress.due, progress.promised), (Some(date!(2027 - 02 - 12)), Some(date!(2027 - 03 - 03))));
        assert_eq!((progress.moves, progress.days_late(date!(2027 - 02 - 12), &calendar())), (1, 0));
        assert_eq!(progress.days_late(date!(2027 - 02 - 16), &calendar()), 2);
    }

    #[test]
    fn stages_of_one_term_share_its_days() {
        let (opened, today) = (opened(date!(2027 - 03 - 01)), now(date!(2027 - 03 - 02)));
        let taken = opened.moved(&Stage::Registered, &captured(), &office(), today, &calendar(), None);
        assert_eq!((taken.due, taken.moves), (opened.due, 2), "the counter and the second officer share two days");
        assert_eq!(taken.owner, Some((office(), Role::Approver)));
        let seen = captured().capture_of().map(|capture| capture.dossier(Id::from_uuid(uuid::Uuid::from_u128(2))));
        let approver = Decision { by: Id::from_uuid(uuid::Uuid::from_u128(2)), ..by() };
        let approved = captured().approve(Procedure::default(), &[], approver, seen).unwrap();
        let waits = taken.moved(&captured(), &approved, &office(), today, &calendar(), None);
        assert_eq!((waits.due, waits.owner), (Some(date!(2027 - 03 - 05)), Some((office(), Role::Stock))));
    }

    #[test]
    fn what_the_citizen_takes_moves_the_promised_day() {
        let opened = opened(date!(2027 - 03 - 01));
        let until = date!(2027 - 03 - 31);
        let returned = Stage::Registered.give_back(&[], by(), (vec![], "Giấy khai sinh".into()), until).unwrap();
        let monday = now(date!(2027 - 03 - 01));
        let waits = opened.moved(&Stage::Registered, &returned, &office(), monday, &calendar(), None);
        assert_eq!((waits.due, waits.promised), (Some(until), opened.promised));
        // Five working days later.
        let next = now(date!(2027 - 03 - 08));
        let taken = waits.moved(&returned, &captured(), &office(), next, &calendar(), Some(monday.day));
        assert_eq!(taken.due, Some(date!(2027 - 03 - 10)), "the office has its days again");
        let later = |day: Option<Date>| day.and_then(|day| calendar().add_working_days(day, 5));
        assert_eq!(taken.promised, later(opened.promised));
    }

    #[test]
    fn nothing_is_due_after_what_was_promised_nor_at_an_end() {
        let opened = opened(date!(2027 - 03 - 01));
        let late = now(date!(2027 - 03 - 22));
        let reopened = Progress { due: None, ..opened.clone() };
        let again = reopened.moved(&Stage::Registered, &captured(), &office(), late, &calendar(), None);
        assert_eq!(again.due, opened.promised);
        let over = captured().cancel(by(), "r".into()).unwrap();
        let over = again.moved(&captured(), &over, &office(), late, &calendar(), None);
        assert_eq!((over.owner, over.due, over.moves), (None, None, 3));
    }

    #[test]
    fn a_promise_past_the_table_of_holidays_is_refused_where_it_must_be_right() {
        let (lenient, strict) = (Deadlines::default(), Deadlines { known_holidays_only: true, ..Deadlines::default() });
        let promised = |deadlines: &Deadlines, day| deadlines.day_for_citizen(&calendar(), day, 15);
        assert_eq!(promised(&strict, date!(2027 - 12 - 10)), Ok(date!(2027 - 12 - 31)));
        assert_eq!(promised(&strict, date!(2027 - 12 - 13)), Err(CalendarEnds { year: 2028 }));
        assert_eq!(promised(&lenient, date!(2027 - 12 - 13)), Ok(date!(2028 - 01 - 03)));
    }
}
