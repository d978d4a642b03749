//! What a citizen is told in writing about an application that is refused or goes back: the form of the notice; pure.

use std::fmt::Write as _;

use time::Date;

use super::model::{Application, ReturnReason, Stage};
use crate::ground::OfficeCode;

/// Returns the notice that belongs to the stage of an application, in Vietnamese; `None` where none is due.
#[must_use]
pub(super) fn notice(application: &Application) -> Option<String> {
    let mut text = String::new();
    let (office, id) = (&application.office, application.id);
    match &application.stage {
        Stage::Refused { upheld: Some(upheld), .. } => {
            let _ = write!(
                text,
                "THÔNG BÁO\nvề việc giải quyết khiếu nại\n\nĐơn vị: {}\nHồ sơ: {id}\nKhiếu nại ngày: {}\nKết quả: giữ nguyên việc không cấp thẻ Căn cước công dân.\n\
                 Lý do: {}\n\nNếu không đồng ý, Ông/Bà có quyền khiếu nại lần hai hoặc khởi kiện vụ án hành chính (Luật Khiếu nại số 02/2011/QH13, Điều 33).\n",
                OfficeCode::national(),
                day(upheld.complaint.on),
                upheld.reason
            );
        }
        Stage::Appealed { complaint, .. } => {
            let until = application.progress.due.map_or_else(String::new, day);
            let _ = write!(
                text,
                "THÔNG BÁO\nvề việc thụ lý khiếu nại\n\nĐơn vị: {office}\nHồ sơ: {id}\nKhiếu nại ngày: {}\nGiải quyết đến hết ngày: {until}\n",
                day(complaint.on)
            );
        }
        Stage::Refused { reason, appeal_until, .. } => {
            let _ = write!(
                text,
                "THÔNG BÁO\nvề việc không cấp thẻ Căn cước công dân\n\nĐơn vị: {office}\nHồ sơ: {id}\nLý do: {reason}\n\n\
                 Ông/Bà có quyền khiếu nại đến hết ngày {} (Luật Khiếu nại số 02/2011/QH13, Điều 9).\n",
                day(*appeal_until)
            );
        }
        Stage::Returned { reasons, says, until, .. } => {
            let _ = write!(
                text,
                "THÔNG BÁO\nvề việc bổ sung hồ sơ cấp thẻ Căn cước công dân\n\nĐơn vị: {office}\nHồ sơ: {id}\nCần bổ sung:\n"
            );
            for reason in reasons {
                let _ = writeln!(text, "- {}", words(*reason));
            }
            let _ = write!(
                text,
                "Nội dung: {says}\n\nĐề nghị Ông/Bà bổ sung đến hết ngày {}. Thời hạn giải quyết không tính thời gian này.\n",
                day(*until)
            );
        }
        _ => return None,
    }
    Some(text)
}

const fn words(reason: ReturnReason) -> &'static str {
    match reason {
        ReturnReason::DataDisagree => {
            "giấy tờ chứng minh thông tin chưa đúng hoặc chưa có trong Cơ sở dữ liệu quốc gia về dân cư (DC02)"
        }
        ReturnReason::EvidenceMissing => "giấy tờ chứng minh lý do cấp, đổi, cấp lại",
        ReturnReason::FeaturesUnfit => "mô tả lại đặc điểm nhân dạng",
        ReturnReason::OldDocumentMissing => "nộp lại CMND hoặc thẻ CCCD đang sử dụng",
        ReturnReason::PortraitUnfit => "chụp lại ảnh chân dung",
    }
}

/// A day as it is printed: `20/02/2027`.
fn day(day: Date) -> String {
    format!("{:02}/{:02}/{:04}", day.day(), u8::from(day.month()), day.year())
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
