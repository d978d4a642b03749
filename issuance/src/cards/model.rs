//! A card from the moment its chip proved itself to the day it counts no more; pure.

use crypto::identity::CardSerial;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use time::{Date, OffsetDateTime};
use utoipa::ToSchema;

use crate::ground::ids::{ApplicationId, CardId, OfficerId, PersonId};
use crate::ground::{Decision, OfficeCode};

/// One card. Its document number repeats from card to card of the same citizen, so `id` and the fingerprint of
/// EF.SOD tell cards apart.
#[derive(Clone, Debug)]
pub struct Card {
    /// Identifier.
    pub id: CardId,
    /// Whose: identifier in the register.
    pub person: PersonId,
    /// What it was issued for.
    pub application: ApplicationId,
    /// Its chip.
    pub serial: CardSerial,
    /// Fingerprint of its EF.SOD (SHA-256 of the signed hash table): how kiosks name a card.
    pub sod_sha256: [u8; 32],
    /// Where it is handed over.
    pub office: OfficeCode,
    /// Day of issue.
    pub issued: Date,
    /// Day of expiry; none: valid without limit.
    pub expires: Option<Date>,
    /// What it is now.
    pub status: Status,
    /// True for a card whose holder must change it: what is written on it is no longer what the register holds.
    pub must_change: bool,
    /// Whether its body was compared with its chip.
    pub body: BodyCheck,
    /// True if its chip was recalled before it was handed over.
    pub recalled: bool,
}

/// Whether the body of a card was compared with its chip.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BodyCheck {
    /// It was made while no check was demanded.
    NotDue,
    /// It is handed over only after the check.
    Awaited,
    /// The body carries what the chip holds.
    Checked,
    /// One officer read another thing from the body than the chip holds: another officer's reading decides.
    Doubted,
}

impl BodyCheck {
    /// The word, as stored; none where no check is due.
    #[must_use]
    pub const fn word(self) -> Option<&'static str> {
        match self {
            Self::NotDue => None,
            Self::Awaited => Some("awaited"),
            Self::Checked => Some("checked"),
            Self::Doubted => Some("doubted"),
        }
    }

    /// True if a card may leave the office that made it, where the check is demanded at this moment. One that was made
    /// while it was demanded waits for it in any case, and so does one whose body is doubted.
    #[must_use]
    pub const fn lets_go(self, demanded: bool) -> bool {
        match self {
            Self::NotDue => !demanded,
            Self::Awaited | Self::Doubted => false,
            Self::Checked => true,
        }
    }
}

/// What a card is now.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "status")]
pub enum Status {
    /// Written, and not yet in the citizen's hand.
    Personalized,
    /// In the citizen's hand.
    Active {
        /// The officer and the moment.
        handed_over: Decision,
    },
    /// Reported lost. Counts no more, and comes back only if two officers undo the report in time.
    Suspended {
        /// The officer who handed it over and the moment.
        handed_over: Decision,
        /// The report.
        loss: Loss,
        /// The first of the two officers who undo it, if one wants to.
        undo: Option<Decision>,
    },
    /// Counts no more, for ever.
    Revoked {
        /// The reason.
        reason: Revocation,
        /// The moment.
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
    },
}

/// The name of a state, without what is known in it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StatusName {
    /// Written, and not yet in the citizen's hand.
    Personalized,
    /// In the citizen's hand.
    Active,
    /// Reported lost.
    Suspended,
    /// Counts no more, for ever.
    Revoked,
}

impl StatusName {
    /// The word, as stored and answered.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Personalized => "personalized",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
        }
    }
}

/// Who told of a loss, and when.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Reported {
    /// The officer who took the report; none where the holder locked the card with the card itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<OfficerId>,
    /// The moment.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

impl From<Decision> for Reported {
    fn from(Decision { by, at }: Decision) -> Self {
        Self { by: Some(by), at }
    }
}

/// A report of loss.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Loss {
    /// The officer who took it and the moment.
    pub reported: Reported,
    /// True if the holder reported it, and not another person.
    pub by_holder: bool,
    /// What was told at the counter.
    pub grounds: String,
    /// It can be undone until then.
    #[serde(with = "time::serde::rfc3339")]
    pub until: OffsetDateTime,
    /// True if no loss was reported: a court declared the holder missing. It ends when the holder is found again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub missing: bool,
}

/// Why a card is revoked.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Revocation {
    /// The holder died.
    HolderDied,
    /// Reported lost.
    Lost,
    /// The holder is no longer a citizen.
    NationalityLost,
    /// The number for life on it was cancelled.
    NumberCancelled,
    /// Another card took its place.
    Replaced,
    /// The chip was destroyed before the citizen had the card.
    Spoiled,
}

impl Revocation {
    /// The word, as stored and answered.
    pub fn word(self) -> &'static str {
        match self {
            Self::HolderDied => "holder-died",
            Self::Lost => "lost",
            Self::NationalityLost => "nationality-lost",
            Self::NumberCancelled => "number-cancelled",
            Self::Replaced => "replaced",
            Self::Spoiled => "spoiled",
        }
    }
}

impl Status {
    /// The word, as answered to a kiosk.
    pub fn word(&self) -> &'static str {
        self.which().word()
    }

    /// Which state it is.
    #[must_use]
    pub const fn which(&self) -> StatusName {
        match self {
            Self::Personalized => StatusName::Personalized,
            Self::Active { .. } => StatusName::Active,
            Self::Suspended { .. } => StatusName::Suspended,
            Self::Revoked { .. } => StatusName::Revoked,
        }
    }

    /// True for a card in the citizen's hand that counts.
    pub fn is_active(&self) -> bool {
        matches!(self, Self::Active { .. })
    }

    /// `Personalized → Active`.
    ///
    /// # Errors
    /// [`StatusError`] with the word of the status that it is in.
    pub fn activate(self, handed_over: Decision) -> Result<Self, StatusError> {
        match self {
            Self::Personalized => Ok(Self::Active { handed_over }),
            other => Err(StatusError(other.word())),
        }
    }

    /// `Active → Suspended`.
    ///
    /// # Errors
    /// [`StatusError`]
    pub fn suspend(self, loss: Loss) -> Result<Self, StatusError> {
        match self {
            Self::Active { handed_over } => Ok(Self::Suspended { handed_over, loss, undo: None }),
            other => Err(StatusError(other.word())),
        }
    }

    /// `Suspended → Suspended`: a first officer wants the report undone. Another one may take the place of the first.
    ///
    /// # Errors
    /// [`UndoError::Status`], also after the term.
    pub fn propose_undo(self, by: Decision) -> Result<Self, UndoError> {
        match self {
            Self::Suspended { handed_over, loss, .. } if by.at < loss.until && !loss.missing => {
                Ok(Self::Suspended { handed_over, loss, undo: Some(by) })
            }
            other => Err(StatusError(other.word()).into()),
        }
    }

    /// `Suspended → Active`: the holder, who was missing, is found again. Everything else stays as it is.
    #[must_use]
    pub fn found(self) -> Self {
        match self {
            Self::Suspended { handed_over, loss, .. } if loss.missing => Self::Active { handed_over },
            other => other,
        }
    }

    /// `Suspended → Active`: a second officer agrees, who neither took the report nor wanted it undone.
    ///
    /// # Errors
    /// [`UndoError::SameOfficer`]; [`UndoError::Status`] if no officer wanted it undone, and after the term.
    pub fn undo(self, by: &Decision) -> Result<Self, UndoError> {
        match self {
            Self::Suspended { handed_over, loss, undo: Some(first) } if by.at < loss.until => {
                if first.by == by.by || loss.reported.by == Some(by.by) {
                    return Err(UndoError::SameOfficer);
                }
                Ok(Self::Active { handed_over })
            }
            other => Err(StatusError(other.word()).into()),
        }
    }

    /// `Personalized | Active | Suspended → Revoked`. Revoked stays revoked, for its first reason; a card that was
    /// reported lost is revoked as lost, whatever else happens.
    ///
    /// # Errors
    /// [`StatusError`]
    pub fn revoke(self, reason: Revocation, at: OffsetDateTime) -> Result<Self, StatusError> {
        match self {
            Self::Personalized | Self::Active { .. } => Ok(Self::Revoked { reason, at }),
            Self::Suspended { .. } => Ok(Self::Revoked { reason: Revocation::Lost, at }),
            Self::Revoked { .. } => Err(StatusError("revoked")),
        }
    }
}

/// The status has no such way out.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("not possible for a card that is {0}")]
pub struct StatusError(pub &'static str);

/// A report of loss is not undone.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum UndoError {
    /// One officer cannot do both.
    #[error("another officer than the one who took the report, and the one who wants it undone")]
    SameOfficer,
    /// The card's status.
    #[error(transparent)]
    Status(#[from] StatusError),
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::ground::Id;

    #[test]
    fn nothing_comes_back_from_revocation() {
        let at = datetime!(2026-11-22 08:00 UTC);
        let by = || Decision { by: Id::from_uuid(uuid::Uuid::from_u128(1)), at };
        let active = Status::Personalized.activate(by()).unwrap();
        assert_eq!(active.clone().activate(by()), Err(StatusError("active")));
        let loss = Loss {
            reported: by().into(),
            by_holder: true,
            grounds: "x".into(),
            until: at + time::Duration::days(7),
            missing: false,
        };
        let lost = active.suspend(loss).unwrap().revoke(Revocation::Replaced, at).unwrap();
        assert_eq!(lost, Status::Revoked { reason: Revocation::Lost, at });
        assert_eq!(lost.clone().propose_undo(by()), Err(StatusError("revoked").into()));
        assert_eq!(lost.clone().undo(&by()), Err(StatusError("revoked").into()));
        assert_eq!(lost.clone().activate(by()), Err(StatusError("revoked")));
        assert_eq!(lost.revoke(Revocation::Replaced, at), Err(StatusError("revoked")));
    }
}
