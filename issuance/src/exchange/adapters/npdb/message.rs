//! A message that comes in: SOAP 1.1, one question in its body. Elements are read in any order, each once; one that is
//! not known is refused with its name, and no value is said again.

use super::super::soap::envelope::{Envelope, Rejected, called, no_attributes, plain, unfit};
use super::super::soap::xml::{self, Node};
use super::Settings;
use super::names::{BIRTH, DAY, OPERATIONS, Operation, PARTS, SYNCHRONISATION, YEAR};

/// A question: its operation and what stands in its elements.
pub(in super::super) struct Message {
    /// The operation.
    pub operation: &'static Operation,
    values: Vec<(&'static str, String)>,
}

impl Message {
    /// Reads a message.
    ///
    /// # Errors
    /// [`Rejected`]
    pub fn read(bytes: &[u8]) -> Result<Self, Rejected> {
        let envelope = Envelope::read(bytes)?;
        if envelope.header.must_be_understood(|_| false) {
            return Err(Rejected::MustUnderstand);
        }
        Self::of(&envelope.question)
    }

    /// Reads the one element of a body.
    ///
    /// # Errors
    /// [`Rejected`]
    pub fn of(question: &Node) -> Result<Self, Rejected> {
        let operation = OPERATIONS.iter().find(|one| question.is(one.namespace, one.name));
        let Some(operation) = operation else { return unfit(unknown_operation(question)) };
        Ok(Self { operation, values: values(question, operation)? })
    }

    /// Returns what stands in an element; nothing for one that is empty or is not there.
    pub fn some(&self, name: &str) -> Option<&str> {
        let found = self.values.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// Returns the code of an integration, if it may stand in this operation.
    ///
    /// # Errors
    /// What is wrong.
    pub fn fits(&self, name: &str, settings: &Settings) -> Result<(), String> {
        let known = (self.operation.integrations)(settings);
        match self.some(name) {
            Some(code) if !known.is_empty() && !known.iter().any(|one| one == code) => {
                Err(format!("{name}: not a code of {}", self.operation.name))
            }
            _ => Ok(()),
        }
    }
}

/// Reads the elements of a question.
fn values(question: &Node, operation: &'static Operation) -> Result<Vec<(&'static str, String)>, Rejected> {
    plain(question)?;
    let is = |part: &Node, names: &[&str]| part.namespace == operation.namespace && names.contains(&&*part.name);
    if question.children.iter().any(|part| is(part, SYNCHRONISATION)) {
        return Err(Rejected::Synchronisation);
    }
    let mut values: Vec<(&'static str, String)> = Vec::new();
    for part in &question.children {
        let known = PARTS.iter().find(|name| **name == part.name && part.namespace == operation.namespace);
        let Some(name) = known else {
            return unfit(format!("{}: {} does not belong there", operation.name, called(part)));
        };
        if values.iter().any(|(known, _)| known == name) {
            return unfit(format!("{}: {name} stands there twice", operation.name));
        }
        let value = if *name == BIRTH { birth(part, operation)? } else { leaf(part, name)? };
        values.push((name, value));
    }
    Ok(values)
}

/// Reads a date of birth: a year, or a day.
fn birth(part: &Node, operation: &Operation) -> Result<String, Rejected> {
    if part.children.is_empty() {
        return date(&leaf(part, BIRTH)?).ok_or_else(|| Rejected::Unfit(format!("{BIRTH}: {FORMS}")));
    }
    plain(part)?;
    let (mut year, mut day) = (None, None);
    for one in &part.children {
        let place = match (one.namespace == operation.namespace, one.name.as_str()) {
            (true, YEAR) => &mut year,
            (true, DAY) => &mut day,
            _ => return unfit(format!("{BIRTH}: {} does not belong there", called(one))),
        };
        if place.replace(leaf(one, &one.name)?).is_some() {
            return unfit(format!("{BIRTH}: {} stands there twice", called(one)));
        }
    }
    let some = |text: Option<String>| text.filter(|text| !text.is_empty());
    let (year, day) = (some(year), some(day));
    let fits = |name: &str, text: &str| date(text).ok_or_else(|| Rejected::Unfit(format!("{name}: {FORMS}")));
    match (year, day) {
        (None, None) => Ok(String::new()),
        (Some(year), None) => fits(YEAR, &year),
        (year, Some(day)) => {
            let day = fits(DAY, &day)?;
            match year {
                Some(year) if !day.starts_with(&year) => unfit(format!("{BIRTH}: {YEAR} is another year than {DAY}'s")),
                _ => Ok(day),
            }
        }
    }
}

const FORMS: &str = "a day is yyyyMMdd or yyyy-MM-dd, a year yyyy";

/// Returns a date as the register reads it; nothing for a text that has none of the forms.
fn date(text: &str) -> Option<String> {
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    match text.len() {
        0 | 4 if digits(text) => Some(text.to_owned()),
        8 if digits(text) => Some(format!("{}-{}-{}", &text[..4], &text[4..6], &text[6..])),
        10 if text.is_ascii() && digits(&text.replace('-', "")) && &text[4..5] == "-" && &text[7..8] == "-" => {
            Some(text.to_owned())
        }
        _ => None,
    }
}

/// Returns the text of an element that has nothing else.
fn leaf(part: &Node, name: &str) -> Result<String, Rejected> {
    if !part.children.is_empty() {
        return unfit(format!("{name}: it has a text and no elements"));
    }
    no_attributes(part)?;
    Ok(part.text.trim_matches(xml::is_space).to_owned())
}

fn unknown_operation(question: &Node) -> String {
    match OPERATIONS.iter().find(|one| one.name == question.name) {
        Some(one) => format!("Body: the namespace of {} is {}", one.name, one.namespace),
        None => format!("Body: {} is no operation of this service", called(question)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::soap::SOAP;
    use super::super::names::{NAME, NUMBER, OLD_NUMBER, REQUEST};
    use super::*;

    fn enveloped(body: &str) -> String {
        format!(
            "<s:Envelope xmlns:s='{SOAP}' xmlns:d='http://dancuquocgia.bca'><s:Header/><s:Body>{body}</s:Body></s:Envelope>"
        )
    }

    fn asked(parts: &str) -> Result<Message, Rejected> {
        let body = format!("<d:XacThucThongTinCongDan>{parts}</d:XacThucThongTinCongDan>");
        Message::read(enveloped(&body).as_bytes())
    }

    fn why(read: Result<Message, Rejected>) -> String {
        match read {
            Err(Rejected::Unfit(why)) => why,
            Err(other) => format!("{other:?}"),
            Ok(_) => panic!("it is read"),
        }
    }

    #[test]
    fn elements_are_read_in_any_order() {
        let parts = "<d:HoVaTen> Nguyễn Thị Mẫu\n</d:HoVaTen><d:SoCMND/><d:SoDinhDanh>000190000017</d:SoDinhDanh>\
            <d:NgayThangNamSinh><d:NgayThangNam>19900517</d:NgayThangNam></d:NgayThangNamSinh><d:MaYeuCau>r-1</d:MaYeuCau>";
        let message = asked(parts).ok().unwrap();
        assert_eq!(message.operation.service.word(), "confirm");
        let some = [REQUEST, NUMBER, OLD_NUMBER, NAME, BIRTH].map(|name| message.some(name));
        assert_eq!(some, [Some("r-1"), Some("000190000017"), None, Some("Nguyễn Thị Mẫu"), Some("1990-05-17")]);
    }

    #[test]
    fn dates_of_birth_have_the_forms_of_todays_clients() {
        let birth = |inner: &str| {
            let read = asked(&format!("<d:NgayThangNamSinh>{inner}</d:NgayThangNamSinh>"));
            read.map(|message| message.some(BIRTH).unwrap_or_default().to_owned())
        };
        for (inner, read) in [
            ("<d:Nam>1990</d:Nam>", "1990"),
            ("<d:Nam/><d:NgayThangNam>19900517</d:NgayThangNam>", "1990-05-17"),
            ("<d:NgayThangNam>1990-05-17</d:NgayThangNam><d:Nam>1990</d:Nam>", "1990-05-17"),
            ("19900517", "1990-05-17"),
            ("1990", "1990"),
            ("", ""),
            ("<d:Nam/>", ""),
        ] {
            assert_eq!(birth(inner).ok().unwrap(), read, "{inner}");
        }
        for (inner, said) in [
            ("<d:NgayThangNam>17/05/1990</d:NgayThangNam>", "yyyyMMdd"),
            ("<d:NgayThangNam>1990517</d:NgayThangNam>", "yyyyMMdd"),
            ("<d:NgayThangNam>199005-17-</d:NgayThangNam>", "yyyyMMdd"),
            ("<d:NgayThangNam>ưưưưư</d:NgayThangNam>", "yyyyMMdd"),
            ("<d:Nam>90</d:Nam>", "yyyy"),
            ("<d:Nam>1991</d:Nam><d:NgayThangNam>19900517</d:NgayThangNam>", "another year"),
            ("<d:Nam>1990</d:Nam><d:Nam>1990</d:Nam>", "twice"),
            ("<d:Nam>1990</d:Nam>x", "no text"),
            ("<Nam>1990</Nam>", "Nam without a namespace"),
            ("<d:Thang>05</d:Thang>", "Thang does not belong"),
            ("<d:Nam><d:Nam/></d:Nam>", "no elements"),
        ] {
            let said_ = why(asked(&format!("<d:NgayThangNamSinh>{inner}</d:NgayThangNamSinh>")));
            assert!(said_.contains(said), "{inner}: {said_}");
        }
    }

    #[test]
    fn namespaces_are_compared_and_prefixes_are_not() {
        let other = |xml: &str| why(Message::read(xml.as_bytes()));
        let good = enveloped("<d:XacThucThongTinCongDan/>");
        assert!(Message::read(good.as_bytes()).is_ok());
        let renamed = good.replace("xmlns:d=", "xmlns:x=").replace("d:", "x:");
        assert!(Message::read(renamed.as_bytes()).is_ok());
        assert_eq!(other(&good.replace(SOAP, "http://www.w3.org/2003/05/soap-envelope")), "Version");
        assert!(
            other(&good.replace("http://dancuquocgia.bca", "http://dancuquocgia.bca/")).contains("the namespace of")
        );
        assert!(other(&good.replace("http://dancuquocgia.bca", "urn:x")).contains("the namespace of"));
        assert!(other(&enveloped("<XacThucThongTinCongDan/>")).contains("the namespace of"));
        assert!(other(&enveloped("<d:XacMinhThongTinNhanThan/>")).contains("http://gtel.vn/qldc"));
        assert!(why(asked("<MaYeuCau>r</MaYeuCau>")).contains("MaYeuCau without a namespace"));
        assert!(why(asked("<MaYeuCau xmlns='urn:x'>r</MaYeuCau>")).contains("does not belong"));
    }

    #[test]
    fn what_is_no_question_is_refused_with_the_culprit_and_without_a_value() {
        for (xml, said) in [
            ("<x/>".to_owned(), "no SOAP envelope"),
            (enveloped(""), "one element"),
            (enveloped("<d:XacThucThongTinCongDan/><d:XacThucThongTinCongDan/>"), "one element"),
            (enveloped("text"), "no text"),
            (enveloped("<d:Xoa/>"), "Xoa is no operation"),
            (enveloped("<d:_000190000017/>"), "Body: an element is no operation"),
            (enveloped("<d:XacThucThongTinCongDan k='1'/>"), "no attributes"),
            (enveloped("<d:XacThucThongTinCongDan/>").replace("<s:Header/>", "<s:Body/>"), "Body stands there twice"),
            (
                enveloped("<d:XacThucThongTinCongDan/>").replace("<s:Header/>", "<s:Header/><s:Header/>"),
                "Header stands",
            ),
            (enveloped("<d:XacThucThongTinCongDan/>").replace("<s:Header/>", "<d:x/>"), "x does not belong"),
            (format!("<s:Envelope xmlns:s='{SOAP}'/>"), "Body is missing"),
        ] {
            let read = why(Message::read(xml.as_bytes()));
            assert!(read.contains(said), "{xml}: {read}");
        }
        for (parts, said) in [
            ("<d:MaYeuCau>bí mật</d:MaYeuCau><d:MaYeuCau>bí mật</d:MaYeuCau>", "MaYeuCau stands there twice"),
            ("<d:GhiChu>bí mật</d:GhiChu>", "GhiChu does not belong"),
            ("<d:MaYeuCau><d:MaYeuCau>bí mật</d:MaYeuCau></d:MaYeuCau>", "no elements"),
            ("<d:MaYeuCau k='bí mật'>r</d:MaYeuCau>", "no attributes"),
            ("bí mật", "no text"),
            ("<d:TuNgay>1</d:TuNgay>", "Synchronisation"),
        ] {
            let read = why(asked(parts));
            assert!(read.contains(said) && !read.contains("mật"), "{parts}: {read}");
        }
        // Attributes that change nothing.
        assert!(asked("<d:SoCMND xmlns:i='http://www.w3.org/2001/XMLSchema-instance' i:nil='true'/>").is_ok());
    }

    #[test]
    fn a_block_of_the_header_is_passed_over_unless_it_must_be_understood() {
        let with = |block: &str| {
            let xml = enveloped("<d:XacThucThongTinCongDan/>")
                .replace("<s:Header/>", &format!("<s:Header>{block}</s:Header>"));
            Message::read(xml.as_bytes()).err()
        };
        assert_eq!(with("<a xmlns='urn:a'><b/></a>"), None);
        assert_eq!(with("<a xmlns='urn:a' s:mustUnderstand='0'/>"), None);
        assert_eq!(with("<a xmlns='urn:a' s:mustUnderstand='1'/>"), Some(Rejected::MustUnderstand));
    }
}
