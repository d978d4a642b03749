//! Until when something is done, in words: what is late is told in words and a shape, and by colour only besides.

use time::OffsetDateTime;

use super::texts::{Texts, fill};

/// Colour, glyph, word.
pub(crate) type Tag = (&'static str, &'static str, String);

/// Returns how late something is at a moment, or how long there is time for it.
pub(crate) fn until(due: OffsetDateTime, now: OffsetDateTime, t: &'static Texts) -> Tag {
    let left = due - now;
    if !left.is_positive() {
        return match left.whole_days().unsigned_abs() {
            0 => ("bad-t", "i-no", t.due.late.clone()),
            days => ("bad-t", "i-no", fill(&t.due.late_days, &[("n", &days.to_string())])),
        };
    }
    match left.whole_days() {
        // An hour that began counts.
        0 => (
            "wait",
            "i-clock",
            fill(&t.due.hours_left, &[("n", &((left.whole_minutes() + 59) / 60).max(1).to_string())]),
        ),
        days => ("info", "i-clock", fill(&t.due.days_left, &[("n", &days.to_string())])),
    }
}

#[cfg(test)]
mod tests {
    use ::pages::Language;
    use time::Duration;
    use time::macros::datetime;

    use super::super::texts::texts;
    use super::*;

    #[test]
    fn what_is_late_is_told_in_words_and_what_is_not_says_how_long_there_is_time() {
        let due = datetime!(2026-06-01 08:00 UTC);
        let said = |before: Duration| until(due, due - before, texts(Language::En)).2;
        assert_eq!(said(Duration::days(2) + Duration::hours(1)), "2 d left");
        assert_eq!(said(Duration::hours(23)), "23 h left");
        assert_eq!(said(Duration::minutes(5)), "1 h left");
        assert_eq!(said(Duration::ZERO), "Late");
        assert_eq!(said(-Duration::hours(23)), "Late");
        assert_eq!(said(-Duration::hours(25)), "Late by 1 d");
    }
}
