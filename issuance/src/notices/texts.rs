//! The words of the notices, in Vietnamese and English; pure.
//!
//! A notice names neither the citizen nor a number of the citizen: an e-mail is read by many machines. The slip, which
//! fetches the card, stands on the slip alone.

use std::fmt::Write as _;

use time::{Date, Time};

use super::model::{BookingGone, Language, Matter, Need, Subject, Text};
use crate::ground::OfficeCode;

/// What every notice names.
#[derive(Clone, Copy, Debug)]
pub struct Of<'a> {
    /// The office of the application or the booking.
    pub office: &'a OfficeCode,
    /// The application or the booking.
    pub about: Subject,
    /// What the citizen quotes; none where the notice is only shown.
    pub reference: Option<&'a str>,
}

/// Returns what a notice says.
#[must_use]
pub fn text(matter: &Matter, language: Language, of: Of<'_>) -> Text {
    let vi = language == Language::Vi;
    let title = title(matter, vi);
    let Of { office, about, reference } = of;
    let mut body = if vi {
        format!("THÔNG BÁO\n{title}\n\nĐơn vị: {office}\n")
    } else {
        format!("NOTICE\n{title}\n\nOffice: {office}\n")
    };
    // A booking is called by the number that the citizen has.
    if let Subject::Application(application) = about {
        let label = if vi { "Hồ sơ" } else { "Application" };
        let _ = writeln!(body, "{label}: {application}");
    }
    if let Some(reference) = reference {
        let label = if vi { "Số thông báo" } else { "Reference" };
        let _ = writeln!(body, "{label}: {reference}");
    }
    say(&mut body, matter, vi);
    let short = short(matter, vi, office, reference.unwrap_or_default());
    let subject = match reference {
        Some(reference) => format!("{title} ({reference})"),
        None => title.to_owned(),
    };
    Text { subject, body, short }
}

const fn title(matter: &Matter, vi: bool) -> &'static str {
    match (matter, vi) {
        (Matter::AppealDecided { .. }, true) => "về việc giải quyết khiếu nại",
        (Matter::AppealDecided { .. }, false) => "Your complaint is decided",
        (Matter::AppealDiscontinued { .. }, true) => "về việc đình chỉ giải quyết khiếu nại",
        (Matter::AppealDiscontinued { .. }, false) => "Your complaint was taken back",
        (Matter::AppealReceived { .. }, true) => "về việc thụ lý khiếu nại",
        (Matter::AppealReceived { .. }, false) => "Your complaint was received",
        (Matter::BookingMoved { .. }, true) => "về việc chuyển lịch hẹn làm thẻ Căn cước công dân",
        (Matter::BookingMoved { .. }, false) => "Your booking has another time",
        (Matter::BookingToBeMoved { .. }, true) => "về việc lịch hẹn làm thẻ Căn cước công dân phải thay đổi",
        (Matter::BookingToBeMoved { .. }, false) => "Your booking cannot be kept",
        (Matter::CodeSet { .. }, true) => "về việc đặt mã cho thẻ Căn cước công dân",
        (Matter::CodeSet { .. }, false) => "A code was set for your identity card",
        (Matter::Destroyed, true) => "về việc thu hồi thẻ Căn cước công dân không được nhận",
        (Matter::Destroyed, false) => "Your identity card is revoked: it was not fetched",
        (Matter::LoggedIn { .. }, true) => "về việc đăng nhập bằng thẻ Căn cước công dân",
        (Matter::LoggedIn { .. }, false) => "Your identity card was used to log in",
        (Matter::NotFetched { .. }, true) => "về việc chưa đến nhận thẻ Căn cước công dân",
        (Matter::NotFetched { .. }, false) => "Your identity card was not fetched",
        (Matter::ObjectionAnswered { .. }, true) => "về việc trả lời ý kiến phản đối xử lý dữ liệu cá nhân",
        (Matter::ObjectionAnswered { .. }, false) => "Your objection is answered",
        (Matter::OfficeMoved { .. }, true) => "về việc chuyển hồ sơ đến đơn vị khác",
        (Matter::OfficeMoved { .. }, false) => "Another office has your application for an identity card",
        (Matter::Ready { .. }, true) => "về việc đến nhận thẻ Căn cước công dân",
        (Matter::Ready { .. }, false) => "Your identity card is ready",
        (Matter::Refused { .. }, true) => "về việc không cấp thẻ Căn cước công dân",
        (Matter::Refused { .. }, false) => "Your application for an identity card was refused",
        (Matter::Reminder { .. }, true) => "nhắc đến nhận thẻ Căn cước công dân",
        (Matter::Reminder { .. }, false) => "Your identity card waits for you",
        (Matter::Returned { .. }, true) => "về việc bổ sung hồ sơ cấp thẻ Căn cước công dân",
        (Matter::Returned { .. }, false) => "Something is missing from your application for an identity card",
    }
}

fn say(body: &mut String, matter: &Matter, vi: bool) {
    let _ = match matter {
        Matter::AppealDecided { granted, says } if vi => {
            let result = if *granted { "Chấp nhận khiếu nại" } else { "Không chấp nhận khiếu nại" };
            let next = if *granted { "" } else { SECOND_COMPLAINT_VI };
            write!(body, "Kết quả: {result}\nLý do: {says}\n{next}")
        }
        Matter::AppealDecided { granted, says } => {
            let result = if *granted { "your complaint is granted" } else { "your complaint is not granted" };
            let next = if *granted { "" } else { SECOND_COMPLAINT_EN };
            write!(body, "Result: {result}\nReasons: {says}\n{next}")
        }
        Matter::AppealDiscontinued { on, until } if vi => write!(
            body,
            "Khiếu nại ngày: {}\n\nViệc giải quyết khiếu nại đã được đình chỉ theo đơn rút khiếu nại có chữ ký của Ông/Bà. Quyết định không cấp thẻ được giữ nguyên; Ông/Bà có quyền khiếu nại lại đến hết ngày {}. Nếu Ông/Bà không ký đơn này, đề nghị báo ngay cho đơn vị.\n",
            day(*on),
            day(*until)
        ),
        Matter::AppealDiscontinued { on, until } => write!(
            body,
            "Complaint of: {}\n\nIt ended, since a paper signed by you takes it back. The refusal stands; you may complain anew until {}. If you did not sign such a paper, please tell the office at once.\n",
            day(*on),
            day(*until)
        ),
        Matter::AppealReceived { on, until } if vi => {
            write!(body, "Khiếu nại ngày: {}\nGiải quyết đến hết ngày: {}\n", day(*on), day(*until))
        }
        Matter::AppealReceived { on, until } => {
            write!(body, "Complaint of: {}\nIt is decided until: {}\n", day(*on), day(*until))
        }
        Matter::BookingMoved { number, day: on, from } if vi => {
            write!(body, "Lịch hẹn: {number}\n\nThời gian mới: {} ngày {}.\n", hour(*from), day(*on))
        }
        Matter::BookingMoved { number, day: on, from } => {
            write!(body, "Booking: {number}\n\nThe new time: {} on {}.\n", hour(*from), day(*on))
        }
        Matter::BookingToBeMoved { number, day: on, from, because } if vi => write!(
            body,
            "Lịch hẹn: {number}, {} ngày {}\nLý do: {}\n\nLịch hẹn này không thực hiện được nữa. Đề nghị Ông/Bà liên hệ đơn vị cấp căn cước để được chuyển sang thời gian khác.\n",
            hour(*from),
            day(*on),
            gone_words(*because, vi)
        ),
        Matter::BookingToBeMoved { number, day: on, from, because } => write!(
            body,
            "Booking: {number}, {} on {}\nReason: {}\n\nThis booking cannot be kept. Please ask a counter to move it to another time.\n",
            hour(*from),
            day(*on),
            gone_words(*because, vi)
        ),
        Matter::Destroyed if vi => write!(
            body,
            "\nThẻ của Ông/Bà không được nhận trong thời hạn, đã bị thu hồi và sẽ được tiêu hủy. Ông/Bà có thể nộp hồ sơ mới.\n"
        ),
        Matter::Destroyed => write!(
            body,
            "\nYour card was not fetched in time: it is revoked and will be destroyed. You may apply again.\n"
        ),
        Matter::CodeSet { on } if vi => write!(
            body,
            "Ngày: {}\n\nMột mã đã được đặt tại quầy cho thẻ Căn cước công dân của Ông/Bà. Nếu không phải Ông/Bà đặt, đề nghị báo ngay cho đơn vị.\n",
            day(*on)
        ),
        Matter::CodeSet { on } => write!(
            body,
            "Day: {}\n\nA code was set at the counter for your identity card. If you did not choose it, please tell the office at once.\n",
            day(*on)
        ),
        Matter::LoggedIn { on, at } if vi => write!(
            body,
            "Thời gian: {} ngày {}\n\nThẻ Căn cước công dân của Ông/Bà đã được dùng để đăng nhập. Nếu không phải Ông/Bà đăng nhập, đề nghị khóa thẻ ngay hoặc báo mất thẻ tại bất kỳ đơn vị cấp căn cước nào.\n",
            hour(*at),
            day(*on)
        ),
        Matter::LoggedIn { on, at } => write!(
            body,
            "Time: {} on {}\n\nYour identity card was used to log in. If it was not you, lock the card at once, or report it as lost at any office.\n",
            hour(*at),
            day(*on)
        ),
        Matter::ObjectionAnswered { on } if vi => write!(
            body,
            "Ngày: {}\n\nÝ kiến phản đối của Ông/Bà về việc xử lý dữ liệu cá nhân đã được trả lời. Đề nghị đăng nhập bằng thẻ và mã để xem, hoặc hỏi tại đơn vị.\n",
            day(*on)
        ),
        Matter::ObjectionAnswered { on } => write!(
            body,
            "Day: {}\n\nYour objection to what is done with your data is answered. Log in with card and code to read it, or ask the office.\n",
            day(*on)
        ),
        Matter::NotFetched { until } if vi => write!(
            body,
            "\nThẻ của Ông/Bà đã có nhưng chưa được nhận. Ông/Bà có thể đến nhận đến hết ngày {}; sau ngày đó thẻ bị thu hồi và tiêu hủy.\n",
            day(*until)
        ),
        Matter::NotFetched { until } => write!(
            body,
            "\nYour card was not fetched. You may still come until {}; after that day it is revoked and destroyed.\n",
            day(*until)
        ),
        Matter::OfficeMoved { until } if vi => write!(
            body,
            "\nĐơn vị trước đây đã giải thể. Hồ sơ và thẻ (nếu có) của Ông/Bà nay do đơn vị ghi trên thông báo này giải quyết. Đề nghị Ông/Bà đến đơn vị này đến hết ngày {}.\n",
            day(*until)
        ),
        Matter::OfficeMoved { until } => write!(
            body,
            "\nThe office that had your application is dissolved. The office named above has it now, and your card where there is one. Please come there until {}.\n",
            day(*until)
        ),
        Matter::Ready { until } if vi => write!(
            body,
            "\nThẻ của Ông/Bà đã có. Đề nghị Ông/Bà mang giấy hẹn đến nhận đến hết ngày {}.\n",
            day(*until)
        ),
        Matter::Ready { until } => write!(
            body,
            "\nYour card is ready. Please bring your appointment slip and fetch it until {}.\n",
            day(*until)
        ),
        Matter::Refused { reason, appeal_until } if vi => write!(
            body,
            "Lý do: {reason}\n\nÔng/Bà có quyền khiếu nại đến hết ngày {} (Luật Khiếu nại số 02/2011/QH13, Điều 9).\n",
            day(*appeal_until)
        ),
        Matter::Refused { reason, appeal_until } => write!(
            body,
            "Reason: {reason}\n\nYou may complain until {} (Law on Complaints 02/2011/QH13, Art. 9).\n",
            day(*appeal_until)
        ),
        Matter::Reminder { until } if vi => write!(
            body,
            "\nThẻ của Ông/Bà đã có và chưa được nhận. Đề nghị Ông/Bà mang giấy hẹn đến nhận đến hết ngày {}.\n",
            day(*until)
        ),
        Matter::Reminder { until } => write!(
            body,
            "\nYour card still waits for you. Please bring your appointment slip and fetch it until {}.\n",
            day(*until)
        ),
        Matter::Returned { needs, says, until } => {
            body.push_str(if vi { "Cần bổ sung:\n" } else { "Please bring:\n" });
            for need in needs {
                let _ = writeln!(body, "- {}", need_words(*need, vi));
            }
            if vi {
                write!(
                    body,
                    "Nội dung: {says}\n\nĐề nghị Ông/Bà bổ sung đến hết ngày {}. Thời hạn giải quyết không tính thời gian này.\n",
                    day(*until)
                )
            } else {
                write!(
                    body,
                    "In words: {says}\n\nPlease bring it until {}. The terms of the law do not run meanwhile.\n",
                    day(*until)
                )
            }
        }
    };
}

const fn gone_words(because: BookingGone, vi: bool) -> &'static str {
    match (because, vi) {
        (BookingGone::DayClosed, true) => "ngày hẹn là ngày nghỉ",
        (BookingGone::DayClosed, false) => "the day is no working day",
        (BookingGone::HoursChanged, true) => "đơn vị thay đổi giờ tiếp nhận",
        (BookingGone::HoursChanged, false) => "the office has other hours",
        (BookingGone::OfficeClosed, true) => "đơn vị không còn tiếp nhận",
        (BookingGone::OfficeClosed, false) => "the office takes no bookings any more",
    }
}

const fn need_words(need: Need, vi: bool) -> &'static str {
    match (need, vi) {
        (Need::Data, true) => {
            "giấy tờ chứng minh thông tin chưa đúng hoặc chưa có trong Cơ sở dữ liệu quốc gia về dân cư (DC02)"
        }
        (Need::Data, false) => "papers for what the register holds wrongly or not at all (DC02)",
        (Need::Evidence, true) => "giấy tờ chứng minh lý do cấp, đổi, cấp lại",
        (Need::Evidence, false) => "papers for the ground of your application",
        (Need::Features, true) => "mô tả lại đặc điểm nhân dạng",
        (Need::Features, false) => "your features are to be described again",
        (Need::OldDocument, true) => "nộp lại CMND hoặc thẻ CCCD đang sử dụng",
        (Need::OldDocument, false) => "the identity card that you have",
        (Need::Portrait, true) => "chụp lại ảnh chân dung",
        (Need::Portrait, false) => "your portrait is to be taken again",
    }
}

/// A short message: at most 160 letters that every telephone shows, and no reason, which others may read on a screen.
fn short(matter: &Matter, vi: bool, office: &OfficeCode, reference: &str) -> String {
    match (matter, vi) {
        (Matter::AppealDecided { .. }, true) => {
            format!("CCCD {reference}: Khieu nai cua Ong/Ba da duoc giai quyet. Lien he {office}.")
        }
        (Matter::AppealDecided { .. }, false) => {
            format!("CCCD {reference}: Your complaint is decided. Please ask office {office}.")
        }
        (Matter::AppealDiscontinued { .. }, true) => {
            format!("CCCD {reference}: Khieu nai da duoc rut. Neu khong phai Ong/Ba rut, lien he {office}.")
        }
        (Matter::AppealDiscontinued { .. }, false) => {
            format!("CCCD {reference}: Your complaint was taken back. If not by you, tell office {office}.")
        }
        (Matter::AppealReceived { until, .. }, true) => {
            format!("CCCD {reference}: {office} da nhan khieu nai, giai quyet den het {}.", day(*until))
        }
        (Matter::AppealReceived { until, .. }, false) => {
            format!("CCCD {reference}: {office} has your complaint and decides it until {}.", day(*until))
        }
        (Matter::BookingMoved { number, day: on, from }, true) => {
            format!("CCCD {reference}: Lich hen {number} chuyen sang {} {} tai {office}.", hour(*from), day(*on))
        }
        (Matter::BookingMoved { number, day: on, from }, false) => {
            format!("CCCD {reference}: Booking {number} is now on {} at {}, office {office}.", day(*on), hour(*from))
        }
        (Matter::BookingToBeMoved { number, day: on, .. }, true) => {
            format!("CCCD {reference}: Lich hen {number} ngay {} tai {office} phai doi. Xin lien he.", day(*on))
        }
        (Matter::BookingToBeMoved { number, day: on, .. }, false) => {
            format!("CCCD {reference}: Booking {number} of {}, office {office}, must be moved. Please ask.", day(*on))
        }
        (Matter::CodeSet { on }, true) => {
            format!("CCCD {reference}: Da dat ma cho the ngay {}. Neu khong phai Ong/Ba, lien he {office}.", day(*on))
        }
        (Matter::CodeSet { on }, false) => {
            format!("CCCD {reference}: A code was set for your card on {}. If not by you, tell {office}.", day(*on))
        }
        (Matter::Destroyed, true) => format!("CCCD {reference}: The khong duoc nhan da bi thu hoi. Lien he {office}."),
        (Matter::Destroyed, false) => {
            format!("CCCD {reference}: Your card was not fetched and is revoked. Please ask office {office}.")
        }
        (Matter::LoggedIn { on, at }, true) => {
            let (hour, day) = (hour(*at), day(*on));
            format!("CCCD {reference}: The da dang nhap {hour} {day}. Neu khong phai Ong/Ba, khoa the, bao {office}.")
        }
        (Matter::LoggedIn { on, at }, false) => {
            let (hour, day) = (hour(*at), day(*on));
            format!("CCCD {reference}: Your card logged in at {hour} on {day}. If not you, lock it, and tell {office}.")
        }
        (Matter::NotFetched { until }, true) => {
            format!("CCCD {reference}: The chua duoc nhan. Han cuoi {} tai {office}.", day(*until))
        }
        (Matter::NotFetched { until }, false) => {
            format!("CCCD {reference}: Your card was not fetched. Last day {} at {office}.", day(*until))
        }
        (Matter::ObjectionAnswered { on }, true) => {
            format!(
                "CCCD {reference}: Y kien phan doi da duoc tra loi {}. Dang nhap bang the, hoac hoi {office}.",
                day(*on)
            )
        }
        (Matter::ObjectionAnswered { on }, false) => {
            format!("CCCD {reference}: Your objection was answered on {}. Log in, or ask {office}.", day(*on))
        }
        (Matter::OfficeMoved { until }, true) => {
            format!("CCCD {reference}: Ho so nay do {office} giai quyet. Moi den day den het {}.", day(*until))
        }
        (Matter::OfficeMoved { until }, false) => {
            format!("CCCD {reference}: {office} has your application now. Please come there until {}.", day(*until))
        }
        (Matter::Ready { until }, true) => {
            format!("CCCD {reference}: Da co the, moi nhan tai {office} den het {}.", day(*until))
        }
        (Matter::Ready { until }, false) => {
            format!("CCCD {reference}: Your card is ready at {office} until {}.", day(*until))
        }
        (Matter::Refused { .. }, true) => {
            format!("CCCD {reference}: Ho so khong duoc cap the. Moi den {office} nhan thong bao.")
        }
        (Matter::Refused { .. }, false) => {
            format!("CCCD {reference}: Your application was refused. Please ask office {office}.")
        }
        (Matter::Reminder { until }, true) => {
            format!("CCCD {reference}: Nhac nhan the tai {office} den het {}.", day(*until))
        }
        (Matter::Reminder { until }, false) => {
            format!("CCCD {reference}: Your card waits at {office} until {}.", day(*until))
        }
        (Matter::Returned { until, .. }, true) => {
            format!("CCCD {reference}: Ho so can bo sung tai {office} den het {}.", day(*until))
        }
        (Matter::Returned { until, .. }, false) => {
            format!("CCCD {reference}: Something is missing. Please come to {office} until {}.", day(*until))
        }
    }
}

/// What is left to a citizen whose complaint was not right.
const SECOND_COMPLAINT_VI: &str = "\nNếu không đồng ý, Ông/Bà có quyền khiếu nại lần hai hoặc khởi kiện vụ án hành chính (Luật Khiếu nại số 02/2011/QH13, Điều 33).\n";
const SECOND_COMPLAINT_EN: &str =
    "\nIf you do not agree, you may complain a second time or go to court (Law on Complaints 02/2011/QH13, Art. 33).\n";

/// A time as it is printed: `07:30`.
fn hour(time: Time) -> String {
    format!("{:02}:{:02}", time.hour(), time.minute())
}

/// A day as it is printed: `20/02/2027`.
fn day(day: Date) -> String {
    format!("{:02}/{:02}/{:04}", day.day(), u8::from(day.month()), day.year())
}

#[cfg(test)]
mod tests {
    use time::macros::{date, time};

    use super::*;
    use crate::ground::Id;
    use crate::notices::model::NoticeKind;

    /// A matter of each kind.
    fn all() -> Vec<Matter> {
        let (until, says) = (date!(2027 - 03 - 01), "Mang giấy khai sinh".to_owned());
        vec![
            Matter::AppealDecided { granted: true, says: says.clone() },
            Matter::AppealDecided { granted: false, says: says.clone() },
            Matter::AppealDiscontinued { on: until, until },
            Matter::AppealReceived { on: until, until },
            Matter::BookingMoved { number: NUMBER.to_owned(), day: until, from: time!(07:30) },
            gone(BookingGone::DayClosed),
            gone(BookingGone::HoursChanged),
            gone(BookingGone::OfficeClosed),
            Matter::CodeSet { on: until },
            Matter::Destroyed,
            Matter::LoggedIn { on: until, at: time!(07:30) },
            Matter::NotFetched { until },
            Matter::ObjectionAnswered { on: until },
            Matter::OfficeMoved { until },
            Matter::Ready { until },
            Matter::Refused { reason: says.clone(), appeal_until: until },
            Matter::Reminder { until },
            Matter::Returned { needs: Need::ALL.to_vec(), says, until },
        ]
    }

    const NUMBER: &str = "LH-0123-4567-89AB";

    fn gone(because: BookingGone) -> Matter {
        let (number, day, from) = (NUMBER.to_owned(), date!(2027 - 03 - 01), time!(07:30));
        Matter::BookingToBeMoved { number, day, from, because }
    }

    fn written(matter: &Matter, language: Language) -> Text {
        let of = Of {
            office: &"003-001".parse().unwrap(),
            about: Subject::Application(Id::nil()),
            reference: Some("TB-0123-4567-89AB-CDEF"),
        };
        text(matter, language, of)
    }

    #[test]
    fn every_kind_of_notice_is_written_in_both_languages() {
        let kinds: Vec<_> = all().iter().map(Matter::kind).collect();
        assert!(NoticeKind::ALL.iter().all(|kind| kinds.contains(kind)));
        for matter in all() {
            let texts = [Language::Vi, Language::En].map(|language| written(&matter, language));
            for text in &texts {
                let words =
                    matches!(matter, Matter::AppealDecided { .. } | Matter::Refused { .. } | Matter::Returned { .. });
                assert!(!words || text.body.contains("Mang giấy khai sinh"), "{}", text.body);
                let has_day = !matches!(matter, Matter::AppealDecided { .. } | Matter::Destroyed);
                assert!(!has_day || text.body.contains("01/03/2027"), "{}", text.body);
                let books = matches!(matter, Matter::BookingMoved { .. } | Matter::BookingToBeMoved { .. });
                assert!(!books || text.body.contains(NUMBER) && text.body.contains("07:30"), "{}", text.body);
                assert!(!books || text.short.contains(NUMBER), "{}", text.short);
                for said in ["003-001", "TB-0123-4567-89AB-CDEF"] {
                    assert!(text.body.contains(said) && text.short.contains(said), "{}", text.body);
                }
                assert!(text.short.len() <= 160 && text.short.is_ascii(), "{}", text.short);
                assert!(text.subject.contains("TB-0123") && !text.short.contains("giấy"), "{}", text.subject);
            }
            let [vi, en] = &texts;
            assert!(vi.body != en.body && vi.short != en.short && vi.subject != en.subject, "{}", en.body);
            assert!(!en.body.replace("Mang giấy khai sinh", "").contains(['ệ', 'ố', 'ư', 'đ']), "{}", en.body);
        }
    }

    #[test]
    fn each_need_has_its_own_words() {
        for vi in [true, false] {
            let words: std::collections::BTreeSet<_> = Need::ALL.iter().map(|need| need_words(*need, vi)).collect();
            assert_eq!(words.len(), Need::ALL.len());
        }
    }
}
