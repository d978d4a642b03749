//! What a citizen is told in writing about an application: which stages are due a notice, and whether what one says is
//! still so when it leaves.

use time::Date;

use super::model::{Application, ReturnReason, Stage};
use super::{Counter, store};
use crate::cards;
use crate::notices::model::{Language, Matter, Need, Notice, NoticeKind, Subject};
use crate::notices::texts::{self, Of};
use crate::notices::{StillSo, Teller};
use crate::store::{StoreError, Tx};

/// Returns what a citizen is told of an application that comes to a stage, and is due to leave it on this day; `None`
/// where nothing is to tell.
pub(super) fn matter(stage: &Stage, due: Option<Date>) -> Option<Matter> {
    match stage {
        Stage::Appealed { complaint, .. } => due.map(|until| Matter::AppealReceived { on: complaint.on, until }),
        Stage::Refused { upheld: Some(upheld), .. } => {
            Some(Matter::AppealDecided { granted: false, says: upheld.reason.clone() })
        }
        Stage::Refused { discontinued: Some(discontinued), appeal_until, .. } => {
            Some(Matter::AppealDiscontinued { on: discontinued.on, until: *appeal_until })
        }
        Stage::Personalized { .. } => due.map(|until| Matter::Ready { until }),
        Stage::NotFetched { .. } => due.map(|until| Matter::NotFetched { until }),
        Stage::Cancelled { given_up: true, .. } => Some(Matter::Destroyed),
        Stage::Refused { reason, appeal_until, .. } => {
            Some(Matter::Refused { reason: reason.clone(), appeal_until: *appeal_until })
        }
        Stage::Returned { reasons, says, until, .. } => Some(Matter::Returned {
            needs: reasons.iter().map(|reason| need(*reason)).collect(),
            says: says.clone(),
            until: *until,
        }),
        _ => None,
    }
}

/// Returns the notice of an application that was refused or goes back, in Vietnamese, as it is shown to officers.
pub(super) fn notice(application: &Application) -> Option<String> {
    // That a card is ready the list says.
    let stage = &application.stage;
    let matter = matter(stage, application.progress.due).filter(|_| !matches!(stage, Stage::Personalized { .. }))?;
    let of = Of { office: &application.office, about: Subject::Application(application.id), reference: None };
    Some(texts::text(&matter, Language::Vi, of).body)
}

impl Teller for Counter {
    fn still_so<'a>(&'a self, tx: &'a mut Tx, notice: &'a Notice) -> StillSo<'a> {
        Box::pin(async move {
            let Subject::Application(id) = notice.about else { return Ok(None) };
            let Some((_, _, stage)) = store::case(tx, id).await? else { return Ok(None) };
            if !stands(notice.kind, &stage) {
                return Ok(Some(false));
            }
            let announces = matches!(notice.kind, NoticeKind::Ready | NoticeKind::Reminder | NoticeKind::NotFetched);
            if announces {
                can_be_fetched(tx, &stage, self.demands_body_check()).await.map(Some)
            } else {
                Ok(Some(true))
            }
        })
    }
}

/// True if what a notice of this kind says goes with the stage that the application has come to.
const fn stands(kind: NoticeKind, stage: &Stage) -> bool {
    match kind {
        // Told of what is over, or not of an application.
        NoticeKind::AppealDecided
        | NoticeKind::AppealDiscontinued
        | NoticeKind::BookingMoved
        | NoticeKind::BookingToBeMoved
        | NoticeKind::CodeSet
        | NoticeKind::Destroyed
        | NoticeKind::LoggedIn
        | NoticeKind::ObjectionAnswered => true,
        NoticeKind::AppealReceived => matches!(stage, Stage::Appealed { .. }),
        NoticeKind::NotFetched => matches!(stage, Stage::NotFetched { .. }),
        NoticeKind::OfficeMoved => !matches!(stage, Stage::Cancelled { .. } | Stage::HandedOver { .. }),
        NoticeKind::Ready | NoticeKind::Reminder => matches!(stage, Stage::Personalized { .. }),
        // Also while the citizen complains about it.
        NoticeKind::Refused => matches!(stage, Stage::Refused { .. } | Stage::Appealed { .. }),
        NoticeKind::Returned => matches!(stage, Stage::Returned { .. }),
    }
}

/// True if the card of an application may be handed over to a citizen who comes: it was not recalled, and its body was
/// compared with its chip where that is demanded.
///
/// # Errors
/// [`StoreError`]
pub(super) async fn can_be_fetched(tx: &mut Tx, stage: &Stage, body_check: bool) -> Result<bool, StoreError> {
    match stage.finished() {
        Some(card) => cards::store::can_be_handed_over(tx, card, body_check).await,
        None => Ok(false),
    }
}

const fn need(reason: ReturnReason) -> Need {
    match reason {
        ReturnReason::DataDisagree => Need::Data,
        ReturnReason::EvidenceMissing => Need::Evidence,
        ReturnReason::FeaturesUnfit => Need::Features,
        ReturnReason::OldDocumentMissing => Need::OldDocument,
        ReturnReason::PortraitUnfit => Need::Portrait,
    }
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::*;
    use crate::applications::deadlines::Progress;
    use crate::applications::model::{Kind, Slip};
    use crate::ground::{Decision, Id};

    #[test]
    fn a_notice_says_why_and_until_when() {
        let by = Decision { by: Id::nil(), at: datetime!(2027-02-03 02:00 UTC) };
        let mut application = Application {
            id: Id::nil(),
            slip: Slip("0Z0Z456789".into()),
            person: Id::nil(),
            kind: Kind::First,
            office: "003-001".parse().unwrap(),
            registered: by.clone(),
            fee: 0,
            stage: Stage::Registered,
            progress: Progress::default(),
        };
        assert_eq!(notice(&application), None);
        let reasons = vec![ReturnReason::EvidenceMissing, ReturnReason::PortraitUnfit];
        let returned = Stage::Registered.give_back(&[], by, (reasons, "Giấy khai sinh".into()), date!(2027 - 03 - 01));
        application.stage = returned.unwrap();
        let text = notice(&application).unwrap();
        for said in ["bổ sung", "chụp lại ảnh", "Giấy khai sinh", "01/03/2027"] {
            assert!(text.contains(said), "{said}: {text}");
        }
        assert!(!text.contains(&application.slip.0), "the slip fetches the card, and stands on the slip alone");
    }
}
