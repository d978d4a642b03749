//! How long a citizen card is valid: Law on Citizen Identification 59/2014/QH13, Art. 21.

use time::Month;

use super::Date;

/// Ages at which a card must be changed, in years (Art. 21(1)).
pub const CHANGE_AGES: [i32; 3] = [25, 40, 60];

/// A card issued this many years or less before a change age stays valid to the next one (Art. 21(2)).
pub const GRACE_YEARS: i32 = 2;

/// Returns the day on which a card issued on `issued` expires, `None` if it never does.
///
/// That is the birthday on which the holder reaches the first age of [`CHANGE_AGES`] that is more than [`GRACE_YEARS`]
/// away; a card issued on the very 23rd, 38th or 58th birthday is within the two years.
///
/// Where the law is silent this function chooses: a holder of whom only the year of birth is known has the birthday 31
/// December, one of whom year and month are known the last day of the month; a holder born on 29 February reaches an
/// age in a common year on 28 February.
pub fn expiry(birth: Date, issued: time::Date) -> Option<time::Date> {
    CHANGE_AGES.into_iter().find(|age| issued < birthday(birth, age - GRACE_YEARS)).map(|age| birthday(birth, age))
}

/// Returns the day on which a person born on `birth` reaches `age` years, by the same choices as [`expiry`].
pub fn birthday(birth: Date, age: i32) -> time::Date {
    let year = i32::from(birth.year()).saturating_add(age);
    let month = birth.month().unwrap_or(Month::December);
    // At most the last of the month, also of a day that is not known and of 29 February.
    let last = month.length(year.clamp(1, 9999));
    let day = birth.full().map_or(last, |date| date.day().min(last));
    time::Date::from_calendar_date(year, month, day).unwrap_or(time::Date::MAX)
}

/// Returns the age in completed years on `day`, by the same choices as [`expiry`]; negative before birth.
pub fn age(birth: Date, day: time::Date) -> i32 {
    let years = day.year() - i32::from(birth.year());
    if day < birthday(birth, years) { years - 1 } else { years }
}
