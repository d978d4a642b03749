//! The pictures of the figures: bars, the columns of days, how dark a tile is.

use ::pages::{Language, written};
use time::{Date, Duration};

use super::figures::{DAYS, Figures, first_day};
use crate::web::html::{fill, texts};

/// A bar beside its number.
#[derive(Debug)]
pub(super) struct Bar {
    pub name: String,
    pub number: String,
    /// Of 1,000.
    pub length: u64,
    pub class: &'static str,
}

/// Cards of each day.
#[derive(Debug)]
pub(super) struct Days {
    pub says: String,
    pub columns: Vec<Column>,
    pub lines: Vec<(u64, String)>,
    pub first: String,
    pub last: String,
    pub none: bool,
}

/// The column of a day.
#[derive(Debug)]
pub(super) struct Column {
    pub day: String,
    pub number: String,
    pub x: u64,
    pub y: u64,
    pub height: u64,
}

/// Bars as long as their numbers, beside the longest one.
pub(super) fn bars(all: Vec<(String, u64, &'static str)>, language: Language) -> Vec<Bar> {
    let most = all.iter().map(|(_, n, _)| *n).max().unwrap_or(0);
    all.into_iter()
        .map(|(name, n, class)| Bar {
            name,
            number: written::count(n, language),
            length: (n * 1000).checked_div(most).map_or(0, |length| if n > 0 { length.max(4) } else { 0 }),
            class,
        })
        .collect()
}

/// The columns of the cards of each day.
pub(super) fn days(figures: &Figures, today: Date, language: Language) -> Days {
    let t = &texts(language).dashboard;
    let count = |n| written::count(n, language);
    let first = first_day(today);
    let all: Vec<(Date, u64)> = (0..DAYS)
        .map(|day| first + Duration::days(day))
        .map(|day| (day, figures.cards.get(&day).copied().unwrap_or(0)))
        .collect();
    let most = all.iter().map(|(_, n)| *n).max().unwrap_or(0);
    let top = round(most);
    let height = |n: u64| (n * PLOT_HEIGHT).checked_div(top).unwrap_or(0);
    let columns = all.iter().zip(0_u64..).map(|((day, n), at)| Column {
        day: written::date(*day),
        number: count(*n),
        x: PLOT_LEFT + at * (COLUMN + GAP),
        y: PLOT_TOP + PLOT_HEIGHT - height(*n),
        height: height(*n),
    });
    let [from, to, made, highest] = [written::date(first), written::date(today), count(figures.made()), count(most)];
    Days {
        says: fill(&t.days_says, &[("from", &from), ("to", &to), ("n", &made), ("most", &highest)]),
        columns: columns.collect(),
        lines: [0, top / 2, top].into_iter().map(|n| (PLOT_TOP + PLOT_HEIGHT - height(n), count(n))).collect(),
        first: from,
        last: to,
        none: most == 0,
    }
}

/// Returns how dark a tile is: 0 for none, else the quarter of the highest number.
pub(super) fn level(n: u64, most: u64) -> usize {
    match (1..4_u64).zip(1..).find(|(quarter, _)| n <= (most * quarter).div_ceil(4)) {
        _ if n == 0 => 0,
        Some((_, level)) => level,
        None => 4,
    }
}

/// Returns the next number of one or two digits and zeros, for the top of a plot; even, so that its half is whole.
fn round(most: u64) -> u64 {
    let mut step = 2;
    while most > step * 10 {
        step *= 10;
    }
    most.div_ceil(step).max(1) * step
}

/// The plot of the days, in units of its picture: what stands in `dashboard.html` beside it.
const PLOT_LEFT: u64 = 64;
const PLOT_TOP: u64 = 12;
const PLOT_HEIGHT: u64 = 160;
const COLUMN: u64 = 15;
const GAP: u64 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tile_is_as_dark_as_its_quarter_of_the_highest() {
        assert_eq!([0, 1, 25, 26, 50, 75, 76, 100].map(|n| level(n, 100)), [0, 1, 1, 2, 2, 3, 4, 4]);
        assert_eq!([0, 1, 2].map(|n| level(n, 2)), [0, 1, 3]);
        assert_eq!(level(0, 0), 0);
    }

    #[test]
    fn the_top_of_a_plot_is_a_round_number_that_is_high_enough() {
        for (most, top) in [(0, 2), (1, 2), (3, 4), (19, 20), (21, 40), (199, 200), (201, 400), (12_345, 14_000)] {
            assert_eq!(round(most), top, "{most}");
        }
        for most in 0..5_000 {
            assert!(round(most) >= most && round(most).is_multiple_of(2) && round(most) <= most.max(1) * 2, "{most}");
        }
    }
}
