//! What goes on in a factory, in the words of a language.

use ::pages::{Language, written};
use askama::Template;
use time::{OffsetDateTime, UtcOffset};

use crate::ground::OfficeCode;
use crate::ground::ids::CardBatchId;
use crate::production::card_batches::CardBatchState;
use crate::production::floor::{self, Doing, Failed, FloorBatch, FloorStation};
use crate::production::live::Seen;
use crate::web::html::{FACTORY, Texts, fill, texts};

/// A tag: class, glyph and text.
pub(super) type Tag = (&'static str, &'static str, &'static str);

/// The part of the page of a factory that changes by itself.
#[derive(Template)]
#[template(path = "floor.html")]
pub(super) struct FloorPart {
    pub t: &'static Texts,
    /// When it was looked at.
    pub at: String,
    pub batches: Vec<BatchCard>,
    pub more_batches: bool,
    pub stations_title: String,
    pub stations: Vec<StationCard>,
    pub more_stations: bool,
    pub failures: Vec<FailureRow>,
    pub accounts: Vec<(String, String)>,
    pub differs: bool,
    pub cases: Option<(&'static str, String)>,
    pub boxes: Vec<BoxRow>,
}

/// A batch of cards.
#[derive(Debug)]
pub(super) struct BatchCard {
    pub href: String,
    pub title: String,
    pub tag: Tag,
    pub good: String,
    pub of: String,
    pub done: u64,
    pub items: u64,
    pub progress: String,
    pub rate: Option<String>,
    pub left: Option<String>,
    pub spoiled: String,
    pub share: String,
    pub leased: String,
    pub waiting: String,
    pub dropped: Option<String>,
    pub drafted: String,
    pub reason: Option<String>,
    pub drafted_only: bool,
}

/// A station.
#[derive(Debug)]
pub(super) struct StationCard {
    pub name: String,
    pub class: &'static str,
    pub tag: Tag,
    pub says: String,
    pub heard: String,
    pub blanks: String,
    pub chips: Vec<(String, String)>,
    pub certificate: String,
}

/// A failure, with what to do.
#[derive(Debug)]
pub(super) struct FailureRow {
    pub cause: String,
    pub code: Option<String>,
    pub remedy: String,
    pub chips: String,
    pub last: String,
    pub station: String,
    pub serial: String,
}

/// A box on its way.
#[derive(Debug)]
pub(super) struct BoxRow {
    pub way: String,
    pub chips: String,
    pub due: String,
    pub late: bool,
}

/// In which words, and by which clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words {
    pub language: Language,
    pub offset: UtcOffset,
}

impl Words {
    fn t(self) -> &'static Texts {
        texts(self.language)
    }

    pub(super) fn count(self, n: u64) -> String {
        written::count(n, self.language)
    }

    fn moment(self, at: OffsetDateTime) -> String {
        written::moment(at, self.offset)
    }

    /// A moment to the second, of today.
    fn clock(self, at: OffsetDateTime) -> String {
        let at = at.to_offset(self.offset);
        format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second())
    }

    /// Cards per minute, with one digit behind the point.
    pub(super) fn rate(self, per_minute: f64) -> String {
        let rate = format!("{per_minute:.1}");
        if self.t().is_vietnamese() { rate.replace('.', ",") } else { rate }
    }

    /// So many seconds, in words that are no more exact than the rate.
    pub(super) fn left(self, seconds: u64) -> String {
        let t = &self.t().factory;
        let minutes = seconds.div_ceil(60);
        if minutes < 120 {
            return fill(&t.minutes, &[("n", &self.count(minutes))]);
        }
        fill(&t.hours, &[("n", &self.count(minutes.div_ceil(60)))])
    }

    /// What is seen of a factory.
    pub(super) fn floor(self, seen: &Seen) -> FloorPart {
        let t = self.t();
        let (floor, shelf) = (&seen.floor, &seen.shelf);
        let at_work = floor.stations.iter().filter(|station| station.doing == Doing::Writing).count() as u64;
        let needy = floor.stations.iter().filter(|station| station.doing < Doing::Writing).count() as u64;
        let title = [("n", floor.stations.len() as u64), ("writing", at_work), ("needy", needy)];
        let title = title.map(|(name, n)| (name, self.count(n)));
        let title: Vec<(&str, &str)> = title.iter().map(|(name, n)| (*name, n.as_str())).collect();
        let name_of = |failed: &Failed| {
            let station = failed.station.and_then(|id| floor.stations.iter().find(|station| station.id == id));
            match (failed.station, station) {
                (None, _) => t.factory.by_officer.clone(),
                (Some(_), None) => t.factory.by_station.clone(),
                (Some(_), Some(station)) => station.name.clone(),
            }
        };
        let accounts = shelf.accounts.iter().filter(|(.., chips)| *chips != 0);
        let (open, overdue) = shelf.cases;
        let cases = [("n", self.count(open)), ("late", self.count(overdue))];
        let cases_says = fill(&t.factory.cases, &[(cases[0].0, &cases[0].1), (cases[1].0, &cases[1].1)]);
        FloorPart {
            t,
            at: self.clock(floor.at),
            batches: floor.batches.iter().map(|batch| self.batch(batch)).collect(),
            more_batches: floor.more_batches,
            stations_title: fill(&t.factory.stations, &title),
            stations: floor.stations.iter().map(|station| self.station(station)).collect(),
            more_stations: floor.more_stations,
            failures: shelf.failures.iter().map(|failed| self.failure(failed, name_of(failed))).collect(),
            accounts: accounts
                .map(|(place, state, chips)| {
                    let name = t.word(&t.account, place.word());
                    let what = state.filter(|_| place.has_states()).map(|state| t.word(&t.chip, state.word()));
                    let name = what.map_or_else(|| name.to_owned(), |what| format!("{name}: {what}"));
                    let sign = if *chips < 0 { "−" } else { "" };
                    (name, format!("{sign}{}", self.count(chips.unsigned_abs())))
                })
                .collect(),
            differs: shelf.differs,
            cases: (open > 0).then_some((if overdue > 0 { "bad-t" } else { "wait" }, cases_says)),
            boxes: shelf
                .boxes
                .iter()
                .map(|boxed| BoxRow {
                    way: fill(&t.factory.box_way, &[("from", boxed.from.as_str()), ("to", boxed.to.as_str())]),
                    chips: self.count(boxed.chips as u64),
                    due: boxed.due.map_or_else(|| t.approvals.no_due.clone(), written::date),
                    late: boxed.late,
                })
                .collect(),
        }
    }

    /// A batch of cards, as it is shown.
    pub(super) fn batch(self, batch: &FloorBatch) -> BatchCard {
        let t = &self.t().factory;
        let counts = &batch.counts;
        let title = fill(&t.batch, &[("reference", &reference(batch.id))]);
        let (good, of) = (self.count(counts.done), fill(&t.of, &[("n", &self.count(counts.items))]));
        let goes = batch.state == CardBatchState::Released;
        let share = percent(counts.spoiled, counts.spoiled + counts.done);
        BatchCard {
            href: format!("{FACTORY}/batches/{}", batch.id),
            progress: fill(&t.progress, &[("title", &title), ("done", &good), ("items", &self.count(counts.items))]),
            title,
            tag: if batch.tampered { ("bad-t", "i-no", &*self.t().approvals.tampered) } else { self.state(batch.word) },
            good,
            of,
            done: counts.done,
            items: counts.items.max(1),
            rate: goes.then(|| self.rate(batch.per_minute)),
            left: batch.seconds_left.filter(|_| goes && counts.waiting + counts.leased > 0).map(|left| self.left(left)),
            spoiled: self.count(counts.spoiled),
            share: fill(&t.spoiled_share, &[("n", &share.unwrap_or(0).to_string())]),
            leased: self.count(counts.leased),
            waiting: self.count(counts.waiting),
            dropped: (counts.left > 0).then(|| self.count(counts.left)),
            drafted: fill(&t.drafted, &[("at", &self.moment(batch.drafted_at)), ("n", &batch.priority.to_string())]),
            reason: batch.reason.clone(),
            drafted_only: batch.state == CardBatchState::Drafted,
        }
    }

    /// The state of a batch, as a tag.
    pub(super) fn state(self, word: &str) -> Tag {
        let t = self.t();
        let (class, glyph) = match word {
            "running" => ("good", "i-play"),
            "released" => ("info", "i-clock"),
            "paused" | "drafted" => ("wait", "i-wait"),
            _ => ("", "i-ok"),
        };
        (class, glyph, t.word(&t.batch, word))
    }

    fn station(self, station: &FloorStation) -> StationCard {
        let t = self.t();
        let word = station.doing.word();
        let (class, tag, glyph) = match station.doing {
            Doing::Silent | Doing::Shut => ("s-bad", "bad-t", "i-no"),
            Doing::NoBlanks => ("s-wait", "wait", "i-wait"),
            Doing::Writing => ("s-good", "good", "i-play"),
            Doing::Ready => ("s-good", "info", "i-clock"),
            Doing::Revoked => ("s-none", "", "i-none"),
        };
        let chip = |one: &floor::Writing| {
            let n = self.count(one.orders);
            let at = one.last.map_or_else(|| "–".to_owned(), |at| self.clock(at));
            (grouped(&one.serial.to_string()), fill(&t.factory.orders, &[("n", &n), ("at", &at)]))
        };
        StationCard {
            name: station.name.clone(),
            class,
            tag: (tag, glyph, t.word(&t.doing, word)),
            says: t.word(&t.doing_says, word).to_owned(),
            heard: station.heard.map_or_else(|| t.factory.heard_never.clone(), |at| self.moment(at)),
            blanks: self.count(station.blanks),
            chips: station.writing.iter().map(chip).collect(),
            certificate: written::date(station.certificate_until.to_offset(self.offset).date()),
        }
    }

    fn failure(self, failed: &Failed, station: String) -> FailureRow {
        let t = self.t();
        let known = floor::remedy(&failed.reason, t.is_vietnamese());
        FailureRow {
            cause: known.map_or_else(|| failed.reason.clone(), |(cause, _)| plain(cause)),
            remedy: known.map_or_else(|| t.factory.no_remedy.clone(), |(_, remedy)| plain(remedy)),
            code: known.map(|_| failed.reason.clone()),
            chips: self.count(failed.chips),
            last: self.moment(failed.last),
            serial: grouped(&failed.serial),
            station,
        }
    }
}

/// The catalogue is written for Markdown: without the marks of code.
fn plain(text: &str) -> String {
    text.replace('`', "")
}

/// Returns the share in percent; `None` of nothing.
fn percent(part: u64, whole: u64) -> Option<u64> {
    (part * 100).checked_div(whole)
}

/// A batch is called by the last six signs of its identifier.
pub(super) fn reference(id: CardBatchId) -> String {
    let id = id.to_string();
    id[id.len() - 6..].to_uppercase()
}

/// A long number in groups of four.
pub(super) fn grouped(text: &str) -> String {
    let signs: Vec<char> = text.chars().collect();
    signs.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("\u{a0}")
}

/// The address of the page of an office's factory.
pub(super) fn factory_of(office: &OfficeCode, own: &OfficeCode) -> String {
    if office == own { FACTORY.to_owned() } else { format!("{FACTORY}?office={office}") }
}

#[cfg(test)]
mod tests {
    use time::macros::offset;

    use super::*;
    use crate::production::ledger::Place;
    use crate::production::model::ChipStateName;

    #[test]
    fn every_word_of_a_factory_has_a_text() {
        for language in Language::ALL {
            let t = texts(language);
            for doing in Doing::ALL {
                assert_ne!(t.word(&t.doing, doing.word()), "?", "{doing:?}");
                assert_ne!(t.word(&t.doing_says, doing.word()), "?", "{doing:?}");
            }
            assert_eq!((t.doing.len(), t.doing_says.len()), (Doing::ALL.len(), Doing::ALL.len()));
            for state in CardBatchState::ALL.map(CardBatchState::word).into_iter().chain(["running"]) {
                assert_ne!(t.word(&t.batch, state), "?", "{state}");
            }
            for place in Place::ALL {
                assert_ne!(t.word(&t.account, place.word()), "?", "{place:?}");
            }
            for state in ChipStateName::ALL {
                assert_ne!(t.word(&t.chip, state.word()), "?", "{state:?}");
            }
            assert_eq!((t.batch.len(), t.account.len(), t.chip.len()), (5, Place::ALL.len(), ChipStateName::ALL.len()));
        }
    }

    #[test]
    fn time_left_is_no_more_exact_than_the_rate() {
        let words = Words { language: Language::En, offset: offset!(+7) };
        assert_eq!((&*words.left(1), &*words.left(61)), ("1 min", "2 min"));
        assert_eq!((&*words.left(119 * 60), &*words.left(121 * 60)), ("119 min", "3 h"));
        assert_eq!((&*words.rate(4.25), &*Words { language: Language::Vi, ..words }.rate(4.0)), ("4.2", "4,0"));
        assert_eq!((percent(1, 3), percent(0, 0)), (Some(33), None));
    }
}
