//! The code that a citizen set at the counter, for what the card alone does not open: kept as a password is, and
//! throttled by the service. The number on the front of the card is no secret, and the chip signs for any terminal.

use time::{Date, Duration};
use zeroize::Zeroizing;

use super::steps::own_card;
use super::{CitizenError, Citizens, store};
use crate::cards::model::Card;
use crate::deed::{Action, Deed, Deeds, Entry, Object, Purpose};
use crate::ground::actor::Citizen;
use crate::ground::ids::CardId;
use crate::ground::{Decision, Officer, Secrets};
use crate::notices::model::Matter;
use crate::notices::{self, Case};
use crate::population::model::Registered;
use crate::web::Origin;
use crate::{cards, population};

/// A code as it is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Code {
    /// The card that it is for.
    pub card: CardId,
    /// Hash, as a PHC string.
    pub hash: String,
    /// The officer at whose counter it was set, and when.
    pub set: Decision,
    /// Wrong codes since the last right one.
    pub wrong: u32,
    /// None is looked at before this moment.
    pub not_before: Option<time::OffsetDateTime>,
}

/// A code that a citizen chose: 6 to 12 digits that are no row and no repetition.
#[derive(Debug)]
pub(super) struct Chosen(Zeroizing<String>);

impl Chosen {
    /// Judges what was typed.
    ///
    /// # Errors
    /// [`CitizenError::CodeUnfit`]
    pub(super) fn of(typed: &str) -> Result<Self, CitizenError> {
        let digits = typed.as_bytes();
        let step = |by: i16| digits.windows(2).all(|pair| i16::from(pair[1]) - i16::from(pair[0]) == by);
        let fits = (6..=12).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
        if fits && !step(0) && !step(1) && !step(-1) {
            Ok(Self(Zeroizing::new(typed.to_owned())))
        } else {
            Err(CitizenError::CodeUnfit)
        }
    }

    /// Refuses a code that stands on the card, where its finder reads it: a part of the number for life, of which the
    /// access number may be the end, or a date.
    ///
    /// # Errors
    /// [`CitizenError::CodeUnfit`]
    fn require_unprinted(&self, card: &Card, holder: &Registered) -> Result<(), CitizenError> {
        let number = holder.personal_number.map(|number| number.to_string()).unwrap_or_default();
        let dates = [holder.person.birth.full(), Some(card.issued), card.expires];
        let printed = number.contains(self.0.as_str()) || dates.into_iter().flatten().any(|date| self.says(date));
        if printed { Err(CitizenError::CodeUnfit) } else { Ok(()) }
    }

    /// True for a date, in whichever order its parts are written.
    fn says(&self, date: Date) -> bool {
        let (day, month) = (format!("{:02}", date.day()), format!("{:02}", u8::from(date.month())));
        let years = [format!("{:04}", date.year()), format!("{:02}", date.year().rem_euclid(100))];
        years.iter().any(|year| {
            let orders = [[&day, &month, year], [&month, &day, year], [year, &month, &day], [year, &day, &month]];
            orders.iter().any(|parts| parts.map(String::as_str).concat() == self.0.as_str())
        })
    }
}

/// Returns what is hashed in place of a code: bound to the card and to a key that is not in the database, so that a
/// stolen row cannot be tried out.
fn bound(secrets: &Secrets, card: CardId, code: &str) -> Zeroizing<String> {
    let said = Zeroizing::new(format!("{card}/{code}"));
    Zeroizing::new(hex::encode(secrets.fingerprint("citizen-code", said.as_bytes())))
}

/// Hashes a code that was chosen, before the deed that keeps it.
///
/// # Errors
/// [`CitizenError::Access`] if too many wait for a turn.
pub(super) async fn hash(
    citizens: &Citizens,
    deeds: &Deeds,
    (origin, card): (Origin, CardId),
    chosen: &Chosen,
) -> Result<String, CitizenError> {
    let secret = bound(deeds.secrets(), card, &chosen.0);
    Ok(citizens.access.hash_secret(origin, secret, &mut deeds.source().rng()).await?)
}

/// Keeps the code that the citizen chose at the counter, in place of an earlier one: wrong ones are forgotten with it.
/// The card must be in its holder's hand; the holder is told in writing.
///
/// # Errors
/// [`CitizenError::Card`] for an unknown or another office's card, [`CitizenError::NotInForce`],
/// [`CitizenError::CodeUnfit`] for a code that stands on the card
pub(super) async fn set(
    deed: &mut Deed<Officer>,
    id: CardId,
    (chosen, hash): (&Chosen, String),
) -> Result<(), CitizenError> {
    let card = cards::steps::of_office(deed, id).await?;
    let card = super::log_in::require_in_force(deed, card).await?;
    let holder = population::store::person(deed, card.person).await?.ok_or(CitizenError::NotInForce)?;
    chosen.require_unprinted(&card, &holder)?;
    let set = deed.decision();
    store::put(deed.tx(), &Code { card: id, hash, set, wrong: 0, not_before: None }).await?;
    let case = Case { application: card.application, person: card.person, office: &card.office };
    let matter = Matter::CodeSet { on: deed.today() };
    notices::write(deed, case, &matter).await?;
    let entry = Entry::new(Action::CitizenCodeSet, Object::Card(id), Purpose::HandOver).about(card.person);
    deed.enter(entry.of(&card.office)).await?;
    Ok(())
}

/// Judges a code that a citizen shows. A right one opens the rest of the session's routes.
///
/// # Errors
/// [`CitizenError::CodeUnset`], [`CitizenError::CodeLocked`], [`CitizenError::CodeWrong`]
pub(super) async fn show(
    citizens: &Citizens,
    deeds: &Deeds,
    (citizen, origin): (Citizen, Origin),
    typed: &str,
) -> Result<(), CitizenError> {
    let id = citizen.card;
    let now = deeds.source().now();
    let mut tx = deeds.db().begin_read().await?;
    let kept = store::code(&mut tx, id).await?.ok_or(CitizenError::CodeUnset)?;
    drop(tx);
    kept.open_to_a_try(now)?;
    let secret = bound(deeds.secrets(), id, typed);
    let right = citizens.access.verify_secret(origin, secret, kept.hash.clone()).await?;
    let mut deed = deeds.open(citizen.clone()).await?;
    let card = own_card(&mut deed).await?;
    let now = deed.at();
    let held = store::code_locked(deed.tx(), id).await?.ok_or(CitizenError::CodeUnset)?;
    // Of codes that are shown at once one is judged: the others were looked at before it was counted.
    if held != kept {
        return Err(CitizenError::CodeLocked { wait: Some(1) });
    }
    let (wrong, action) = match right {
        true => (0, Action::CitizenCodeShown),
        false => (held.wrong.saturating_add(1), Action::CitizenCodeRefused),
    };
    let not_before = delay(wrong).map(|delay| now + delay);
    store::count(deed.tx(), id, wrong, not_before).await?;
    let entry = Entry::new(action, Object::Card(id), Purpose::Own).about(card.person).of(&card.office);
    deed.enter(entry).await?;
    deed.commit().await?;
    if !right {
        return Err(CitizenError::CodeWrong);
    }
    citizens.sessions.code_shown(&citizen.session);
    Ok(())
}

impl Code {
    /// Refuses a try while the wait goes on, and for good after the last one.
    fn open_to_a_try(&self, now: time::OffsetDateTime) -> Result<(), CitizenError> {
        if self.wrong >= TRIES {
            return Err(CitizenError::CodeLocked { wait: None });
        }
        match self.not_before.filter(|until| *until > now) {
            None => Ok(()),
            Some(until) => {
                // A clock that was ahead makes no wait longer than the longest one.
                let wait = (until - now).min(LONGEST).whole_seconds() + 1;
                Err(CitizenError::CodeLocked { wait: u64::try_from(wait).ok() })
            }
        }
    }
}

/// Returns how long none is looked at after so many wrong codes.
fn delay(wrong: u32) -> Option<Duration> {
    match wrong {
        0..=2 => None,
        3 => Some(Duration::minutes(1)),
        4 => Some(Duration::minutes(5)),
        5 => Some(Duration::minutes(15)),
        6 => Some(Duration::hours(1)),
        _ => Some(LONGEST),
    }
}

/// After so many wrong codes a new one is set at the counter.
const TRIES: u32 = 10;
/// The longest wait between two tries.
const LONGEST: Duration = Duration::hours(4);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_six_to_twelve_digits_and_no_row() {
        for fit in ["280519", "13579246", "112233445566"] {
            assert!(Chosen::of(fit).is_ok(), "{fit}");
        }
        for unfit in ["", "12345", "123456", "654321", "000000", "1234567890123", "28051a", "２８０５１９", " 280519"]
        {
            assert!(matches!(Chosen::of(unfit), Err(CitizenError::CodeUnfit)), "{unfit}");
        }
    }

    #[test]
    fn a_date_is_known_in_whichever_order_it_is_written() {
        let date = time::macros::date!(1990 - 05 - 17);
        for said in ["170590", "051790", "900517", "901705", "17051990", "05171990", "19900517", "19901705"] {
            assert!(Chosen::of(said).unwrap().says(date), "{said}");
        }
        for other in ["170591", "1705901", "175090", "280519"] {
            assert!(!Chosen::of(other).unwrap().says(date), "{other}");
        }
    }

    #[test]
    fn the_wait_grows_and_never_shrinks() {
        let waits: Vec<_> = (0..TRIES).map(delay).collect();
        assert!(waits.is_sorted(), "{waits:?}");
        assert_eq!(waits[2], None);
        assert_eq!(waits[9], Some(LONGEST));
    }
}
