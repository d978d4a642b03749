//! This computer's clock beside the service's: where they differ, work fails in places that do not speak of time.

use time::format_description::well_known::{Rfc2822, Rfc3339};
use time::{Duration, OffsetDateTime};

/// Clocks that differ by less are taken for the same: requests take time, and so does an operator's watch.
const TOLERATED: Duration = Duration::seconds(60);

/// Returns words about the difference between this computer's clock and the `Date` of an answer; none if it is
/// tolerated or the date cannot be read.
pub(super) fn difference(ours: OffsetDateTime, date: &str) -> Option<String> {
    let apart = ahead(ours, date)?;
    let theirs = ours - apart;
    (apart.abs() > TOLERATED).then(|| {
        let way = if apart.is_positive() { "ahead of" } else { "behind" };
        format!(
            "this computer's clock says {}, {} s {way} the service's, which says {}: set the clock that is wrong",
            shown(ours),
            apart.whole_seconds().abs(),
            shown(theirs)
        )
    })
}

/// Returns how far this computer's clock is ahead of the `Date` of an answer; none if that cannot be read.
pub(super) fn ahead(ours: OffsetDateTime, date: &str) -> Option<Duration> {
    Some(ours - OffsetDateTime::parse(date, &Rfc2822).ok()?)
}

/// Returns words about the clock if a TLS connection failed because a certificate is not valid yet or any more. `words`
/// are those of the TLS library: it gives no other access to the reason through the HTTP client.
pub(super) fn doubt(words: &str, ours: OffsetDateTime) -> Option<String> {
    let after = |mark: &str| -> Option<OffsetDateTime> {
        let seconds: String = words.split_once(mark)?.1.chars().take_while(char::is_ascii_digit).collect();
        OffsetDateTime::from_unix_timestamp(seconds.parse().ok()?).ok()
    };
    let clock = format!("this computer's clock says {}", shown(ours));
    if let Some(from) = after("certificate is not valid before ") {
        return Some(format!("{clock}, and the service's certificate is valid from {} only", shown(from)));
    }
    if let Some(until) = after("certificate is not valid after ") {
        return Some(format!("{clock}, and the service's certificate was valid until {} only", shown(until)));
    }
    words.contains("received fatal alert: CertificateExpired").then(|| {
        format!(
            "the service says that this station's certificate is not valid at its time; {clock}. If it ended, \
             `card-agent enrol --renew` comes too late, and the station is enrolled anew"
        )
    })
}

/// Returns a moment in UTC, to the second.
fn shown(moment: OffsetDateTime) -> String {
    let whole = moment.to_offset(time::UtcOffset::UTC).replace_nanosecond(0).unwrap_or(moment);
    whole.format(&Rfc3339).unwrap_or_else(|_| whole.to_string())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn clocks_more_than_a_minute_apart_are_told_with_both_times() {
        let ours = datetime!(2026-11-25 12:00:30 UTC);
        for (date, way) in [
            ("Wed, 25 Nov 2026 12:01:31 GMT", "behind"),
            ("Wed, 25 Nov 2026 11:59:29 GMT", "ahead of"),
            ("Mon, 23 Nov 2026 12:00:30 GMT", "172800 s ahead of"),
        ] {
            let words = difference(ours, date).expect(date);
            assert!(words.contains("2026-11-25T12:00:30Z") && words.contains(way), "{words}");
        }
        for date in ["Wed, 25 Nov 2026 12:01:30 GMT", "Wed, 25 Nov 2026 11:59:30 GMT", "yesterday", ""] {
            assert_eq!(difference(ours, date), None, "{date}");
        }
    }

    #[test]
    fn only_a_certificate_at_a_wrong_time_casts_doubt_on_the_clock() {
        let ours = datetime!(2026-11-25 12:00:30 UTC);
        assert_eq!(doubt("invalid peer certificate: UnknownIssuer", ours), None);
        let words = "invalid peer certificate: certificate not valid yet: verification time 1 (UNIX), but certificate is not \
                     valid before 1800000000 (5 seconds in future)";
        assert!(doubt(words, ours).expect("not yet").contains("2027-01-15T08:00:00Z"));
    }
}
