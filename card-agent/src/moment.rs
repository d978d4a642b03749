//! Moments as people read them.

use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

/// Returns day and minute with the offset: `2026-11-26 23:12 +07:00`.
pub fn to_the_minute(moment: OffsetDateTime) -> String {
    written(moment, MINUTE)
}

/// Returns two moments that are compared: to the minute, or to the second where they would look the same.
pub fn apart(one: OffsetDateTime, other: OffsetDateTime) -> [String; 2] {
    let form = if written(one, MINUTE) == written(other, MINUTE) { SECOND } else { MINUTE };
    [written(one, form), written(other, form)]
}

fn written(moment: OffsetDateTime, form: &[BorrowedFormatItem<'_>]) -> String {
    moment.format(form).unwrap_or_else(|_| moment.to_string())
}

const MINUTE: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day] [hour]:[minute] [offset_hour sign:mandatory]:[offset_minute]");
const SECOND: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second] [offset_hour sign:mandatory]:[offset_minute]");

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_moment_is_told_to_the_minute_and_to_the_second_only_where_that_tells_two_apart() {
        let moment = datetime!(2026-11-26 23:12:38.630236 +7);
        assert_eq!(to_the_minute(moment), "2026-11-26 23:12 +07:00");
        let later = |seconds| moment + time::Duration::seconds(seconds);
        assert_eq!(apart(moment, later(60)), ["2026-11-26 23:12 +07:00", "2026-11-26 23:13 +07:00"]);
        assert_eq!(apart(moment, later(1)), ["2026-11-26 23:12:38 +07:00", "2026-11-26 23:12:39 +07:00"]);
    }
}
