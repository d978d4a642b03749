//! A notice: what it is about, by which way it leaves and how far it is; and where a citizen wants to be told. Pure.

use serde::{Deserialize, Serialize};
use time::{Date, OffsetDateTime, Time};
use utoipa::ToSchema;

use crate::deed::Object;
use crate::ground::ids::{ApplicationId, BookingId, NoticeId, OfficerId, PersonId};
use crate::ground::{OfficeCode, words};

/// What a notice says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Matter {
    /// The citizen's complaint about a refusal is decided.
    AppealDecided {
        /// True if the citizen is right.
        granted: bool,
        /// The reasons, in words for the citizen.
        says: String,
    },
    /// The citizen took a complaint about a refusal back, and it ended.
    AppealDiscontinued {
        /// The day on which it was made.
        on: Date,
        /// The last day on which the citizen may complain anew; it may be over.
        until: Date,
    },
    /// The citizen's complaint about a refusal is taken.
    AppealReceived {
        /// The day on which it was made.
        on: Date,
        /// The day until which it is decided.
        until: Date,
    },
    /// The citizen's booking has another place or time.
    BookingMoved {
        /// What the citizen quotes.
        number: String,
        /// The day.
        day: Date,
        /// The time of the day.
        from: Time,
    },
    /// The citizen's booking cannot be kept.
    BookingToBeMoved {
        /// What the citizen quotes.
        number: String,
        /// The day that it was for.
        day: Date,
        /// The time of the day.
        from: Time,
        /// Why it cannot be kept.
        because: BookingGone,
    },
    /// A code was set for the card at the counter.
    CodeSet {
        /// The day.
        on: Date,
    },
    /// The card was not fetched while it was kept.
    Destroyed,
    /// The card was used to log in.
    LoggedIn {
        /// The day.
        on: Date,
        /// The State's civil time of the day.
        at: Time,
    },
    /// What the citizen objected to is answered.
    ObjectionAnswered {
        /// The day.
        on: Date,
    },
    /// The card was not fetched.
    NotFetched {
        /// The last day on which the citizen may still come.
        until: Date,
    },
    /// Another office has the application from now on.
    OfficeMoved {
        /// The last day on which the citizen is to come there.
        until: Date,
    },
    /// The card can be fetched.
    Ready {
        /// The last day on which it can.
        until: Date,
    },
    /// The application was refused.
    Refused {
        /// The reason, in words for the citizen.
        reason: String,
        /// The last day on which the citizen may complain.
        appeal_until: Date,
    },
    /// The card still can be fetched.
    Reminder {
        /// The last day on which it can.
        until: Date,
    },
    /// The citizen is to bring something.
    Returned {
        /// What is missing or wrong.
        needs: Vec<Need>,
        /// The same in words for the citizen.
        says: String,
        /// The last day for it.
        until: Date,
    },
}

/// Why a booking cannot be kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BookingGone {
    /// The day is no working day any more.
    DayClosed,
    /// The office has other hours, or fewer desks.
    HoursChanged,
    /// The office takes no bookings any more.
    OfficeClosed,
}

/// What a citizen is to bring.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Need {
    /// The register's data are wrong or not there.
    Data,
    /// The ground of the application is not shown.
    Evidence,
    /// The description of features.
    Features,
    /// The card or old identity card that is in hand.
    OldDocument,
    /// The portrait.
    Portrait,
}

impl Need {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Data, Self::Evidence, Self::Features, Self::OldDocument, Self::Portrait];
}

/// What a notice is about.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NoticeKind {
    /// A complaint was decided.
    AppealDecided,
    /// A complaint was taken back, and ended.
    AppealDiscontinued,
    /// A complaint was taken.
    AppealReceived,
    /// A booking has another place or time.
    BookingMoved,
    /// A booking cannot be kept.
    BookingToBeMoved,
    /// A code was set for the card at the counter.
    CodeSet,
    /// The card was not fetched while it was kept.
    Destroyed,
    /// The card was used to log in.
    LoggedIn,
    /// The card was not fetched.
    NotFetched,
    /// What the citizen objected to is answered.
    ObjectionAnswered,
    /// Another office has the application from now on.
    OfficeMoved,
    /// The card can be fetched.
    Ready,
    /// The application was refused.
    Refused,
    /// The card still can be fetched.
    Reminder,
    /// The citizen is to bring something.
    Returned,
}

words! {
    NoticeKind {
        AppealDecided = "appeal-decided",
        AppealDiscontinued = "appeal-discontinued",
        AppealReceived = "appeal-received",
        BookingMoved = "booking-moved",
        BookingToBeMoved = "booking-to-be-moved",
        CodeSet = "code-set",
        Destroyed = "destroyed",
        LoggedIn = "logged-in",
        NotFetched = "not-fetched",
        ObjectionAnswered = "objection-answered",
        OfficeMoved = "office-moved",
        Ready = "ready",
        Refused = "refused",
        Reminder = "reminder",
        Returned = "returned",
    }
}

/// By which way a notice leaves.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    /// E-mail.
    Email,
    /// A letter that an officer or `issuance notices letters` prints.
    Letter,
    /// A short message through a gateway.
    Sms,
}

words! { Channel { Email = "email", Letter = "letter", Sms = "sms", } }

/// How far a notice is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NoticeState {
    /// It could not be sent, and waits for the printer.
    Dead,
    /// It was not sent: what it says was no longer so.
    Overtaken,
    /// It was not sent: the citizen is dead.
    RecipientDead,
    /// It was sent, posted or handed over.
    Sent,
    /// It waits.
    Waiting,
}

words! {
    NoticeState {
        Dead = "dead",
        Overtaken = "overtaken",
        RecipientDead = "recipient-dead",
        Sent = "sent",
        Waiting = "waiting",
    }
}

impl NoticeState {
    /// True where nothing is done about a notice any more.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Overtaken | Self::RecipientDead | Self::Sent)
    }
}

/// The language of a notice.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Language {
    /// English.
    En,
    /// Vietnamese.
    Vi,
}

words! { Language { En = "en", Vi = "vi", } }

impl Matter {
    /// Returns what it is about.
    #[must_use]
    pub const fn kind(&self) -> NoticeKind {
        match self {
            Self::AppealDecided { .. } => NoticeKind::AppealDecided,
            Self::AppealDiscontinued { .. } => NoticeKind::AppealDiscontinued,
            Self::AppealReceived { .. } => NoticeKind::AppealReceived,
            Self::BookingMoved { .. } => NoticeKind::BookingMoved,
            Self::BookingToBeMoved { .. } => NoticeKind::BookingToBeMoved,
            Self::CodeSet { .. } => NoticeKind::CodeSet,
            Self::Destroyed => NoticeKind::Destroyed,
            Self::LoggedIn { .. } => NoticeKind::LoggedIn,
            Self::NotFetched { .. } => NoticeKind::NotFetched,
            Self::ObjectionAnswered { .. } => NoticeKind::ObjectionAnswered,
            Self::OfficeMoved { .. } => NoticeKind::OfficeMoved,
            Self::Ready { .. } => NoticeKind::Ready,
            Self::Refused { .. } => NoticeKind::Refused,
            Self::Reminder { .. } => NoticeKind::Reminder,
            Self::Returned { .. } => NoticeKind::Returned,
        }
    }
}

/// Of what a notice tells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Subject {
    /// An application.
    Application(ApplicationId),
    /// A booking.
    Booking(BookingId),
}

impl Subject {
    /// Returns the application, if it is one.
    #[must_use]
    pub const fn application(self) -> Option<ApplicationId> {
        match self {
            Self::Application(id) => Some(id),
            Self::Booking(_) => None,
        }
    }

    /// Returns the booking, if it is one.
    #[must_use]
    pub const fn booking(self) -> Option<BookingId> {
        match self {
            Self::Application(_) => None,
            Self::Booking(id) => Some(id),
        }
    }

    /// Returns it as the trail names it.
    #[must_use]
    pub const fn object(self) -> Object {
        match self {
            Self::Application(id) => Object::Application(id),
            Self::Booking(id) => Object::Booking(id),
        }
    }
}

/// A notice, without what it says.
#[derive(Clone, Debug)]
pub struct Notice {
    /// Identifier.
    pub id: NoticeId,
    /// What it is about.
    pub kind: NoticeKind,
    /// The application or the booking.
    pub about: Subject,
    /// The person whom it is for.
    pub person: PersonId,
    /// The office of the application or the booking.
    pub office: OfficeCode,
    /// Its language.
    pub language: Language,
    /// What the citizen quotes, for ever.
    pub reference: String,
    /// The Message-ID, for ever from the first attempt on.
    pub message_id: Option<String>,
    /// By which way it leaves.
    pub channel: Channel,
    /// How far it is.
    pub state: NoticeState,
    /// When it was written.
    pub written_at: OffsetDateTime,
    /// When the next attempt is due, or the one under way is given up.
    pub due_at: Option<OffsetDateTime>,
    /// Attempts that began.
    pub attempts: u32,
    /// Attempts that began after one whose end is not known: the citizen may have it twice.
    pub repeats: u32,
    /// True while it is not known whether the last attempt delivered it.
    pub unsure: bool,
    /// Why the last attempt failed: a word and the server's number.
    pub failure: Option<String>,
    /// When it was sent, posted or handed over, or seen to be overtaken.
    pub ended_at: Option<OffsetDateTime>,
}

impl Notice {
    /// True if an attempt is due at this moment.
    #[must_use]
    pub fn is_due(&self, now: OffsetDateTime) -> bool {
        self.state == NoticeState::Waiting
            && self.channel != Channel::Letter
            && self.due_at.is_some_and(|due| due <= now)
    }

    /// True if it waits for a printer.
    #[must_use]
    pub fn is_to_print(&self) -> bool {
        match self.state {
            NoticeState::Dead => true,
            NoticeState::Overtaken | NoticeState::RecipientDead | NoticeState::Sent => false,
            NoticeState::Waiting => self.channel == Channel::Letter,
        }
    }
}

/// What a notice says, in its language.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
pub struct Text {
    /// The subject.
    pub subject: String,
    /// The whole text.
    pub body: String,
    /// For a short message.
    pub short: String,
}

/// Shows nothing: the text may be personal.
impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Text(…)")
    }
}

/// Where a citizen wants to be told.
#[derive(Clone, Debug)]
pub struct Contact {
    /// In which language.
    pub language: Language,
    /// True if there is an address for e-mail.
    pub has_email: bool,
    /// True if there is a telephone number.
    pub has_phone: bool,
    /// When the citizen agreed to be told there.
    pub consent_at: Option<OffsetDateTime>,
    /// The officer who wrote it down.
    pub changed_by: OfficerId,
    /// The moment at which it was written down.
    pub changed_at: OffsetDateTime,
}

impl Contact {
    /// Returns by which way a citizen is told who left this, if anything.
    #[must_use]
    pub fn channel(contact: Option<&Self>) -> Channel {
        match contact {
            Some(contact) if contact.has_email => Channel::Email,
            Some(contact) if contact.has_phone => Channel::Sms,
            _ => Channel::Letter,
        }
    }
}

/// The addresses that a citizen left.
#[derive(Clone, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Addresses {
    /// For e-mail.
    pub email: Option<String>,
    /// A telephone number: `+` and digits.
    pub phone: Option<String>,
}

/// Shows nothing: addresses are personal.
impl std::fmt::Debug for Addresses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Addresses(…)")
    }
}

/// True for a telephone number with its country: `+` and 8 to 15 digits (ITU-T E.164).
#[must_use]
pub fn is_phone(text: &str) -> bool {
    text.strip_prefix('+')
        .is_some_and(|digits| (8..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// Returns how long a notice rests after so many attempts: twice as long each time.
#[must_use]
pub fn rest(attempts: u32, first: std::time::Duration, longest: std::time::Duration) -> std::time::Duration {
    let doubled = 1_u32 << attempts.saturating_sub(1).min(20);
    first.saturating_mul(doubled).min(longest)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_rest_doubles_up_to_the_longest() {
        let rest = |n| rest(n, Duration::from_mins(1), Duration::from_mins(10)).as_secs() / 60;
        assert_eq!([0, 1, 2, 3, 4, 5, 60].map(rest), [1, 1, 2, 4, 8, 10, 10]);
    }

    #[test]
    fn a_telephone_number_has_its_country() {
        for (text, is) in
            [("+84912345678", true), ("0912345678", false), ("+84 91", false), ("+1234567", false), ("+", false)]
        {
            assert_eq!(is_phone(text), is, "{text}");
        }
    }

    #[test]
    fn words_are_read_as_they_are_written() {
        assert!(NoticeKind::ALL.iter().all(|kind| NoticeKind::named(kind.word()) == Some(*kind)));
        assert!(Channel::ALL.iter().all(|channel| Channel::named(channel.word()) == Some(*channel)));
        assert_eq!(NoticeState::named("posted"), None);
        assert!(NoticeState::ALL.iter().all(|state| serde_json::to_value(state).unwrap() == state.word()));
        // As an answer, too.
        assert!(NoticeKind::ALL.iter().all(|kind| serde_json::to_value(kind).unwrap() == kind.word()));
        assert!(Channel::ALL.iter().all(|channel| serde_json::to_value(channel).unwrap() == channel.word()));
    }
}
