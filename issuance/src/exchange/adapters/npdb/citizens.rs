//! The one internal answer, written as today's clients read it. An element stands there where the agreement names its
//! field; it is empty where the register has no value.

use std::io::{self, Write};

use crypto::identity::{Date, FullName};
use quick_xml::Writer;
use quick_xml::events::BytesText;
use serde_json::Value;

use super::names::{BIRTH, CITIZEN, CITIZENS, DAY, NAME, NUMBER, OLD_NUMBER, YEAR};

/// What is written into a body.
type Out<'a> = Writer<&'a mut Vec<u8>>;

/// Writes whether particulars belong together.
pub(super) fn confirmation(out: &mut Vec<u8>, holds: bool) -> io::Result<()> {
    let mut out = Writer::new(out);
    let root = out.create_element("dc:KetQuaXacThuc").with_attribute(("xmlns:dc", CITIZENS));
    root.write_inner_content(|out| leaf(out, "TonTai", if holds { "true" } else { "false" }))?;
    Ok(())
}

/// Writes the citizen of an answer, or that there is none.
pub(super) fn collection(out: &mut Vec<u8>, answer: &Value) -> io::Result<()> {
    let mut out = Writer::new(out);
    let text = |name: &str| answer[name].as_str().unwrap_or_default();
    let found = text("outcome") == "found";
    let root = out.create_element("dc:CongdanCollection").with_attributes([
        ("xmlns:dc", CITIZENS),
        ("SoCongDan", if found { "1" } else { "0" }),
        ("ThoiDiemDuLieu", text("answered_at")),
        ("id", text("answer")),
    ]);
    if found {
        root.write_inner_content(|out| citizen(out, answer))?;
    } else {
        root.write_empty()?;
    }
    Ok(())
}

/// What of an answer the elements of a citizen are.
struct Told<'a> {
    /// The fields of the record, of a look-up.
    record: &'a Value,
    /// The relatives, of the question about kin.
    relatives: &'a Value,
}

fn citizen(out: &mut Out<'_>, answer: &Value) -> io::Result<()> {
    let told = Told { record: &answer["record"], relatives: &answer["relatives"] };
    out.create_element("dc:CongDan")
        .write_inner_content(|out| CITIZEN.iter().try_for_each(|name| told.write(out, name)))?;
    Ok(())
}

impl Told<'_> {
    /// Returns a field, if the agreement names it.
    fn field(&self, name: &str) -> Option<&Value> {
        self.record.get(name)
    }

    /// Writes an element, if its field is told.
    fn write(&self, out: &mut Out<'_>, element: &str) -> io::Result<()> {
        let code = |out: &mut Out<'_>, field: &str, of: fn(&str) -> String| match self.field(field) {
            Some(value) => leaf(out, element, &of(value.as_str().unwrap_or_default())),
            None => Ok(()),
        };
        match element {
            NUMBER => code(out, "personal_number", str::to_owned),
            OLD_NUMBER => code(out, "old_id_number", str::to_owned),
            NAME => self.some(out, "full_name", |out, value| parted(out, element, value)),
            "GioiTinh" => code(out, "sex", sex),
            "DanToc" => code(out, "ethnic_group", str::to_owned),
            "TonGiao" => code(out, "religion", religion),
            "TinhTrangHonNhan" => code(out, "marital_status", marital),
            "NhomMau" => code(out, "blood_group", blood),
            BIRTH => self.some(out, "birth_date", born),
            "NoiDangKyKhaiSinh" => self.some(out, "birth_registration", |out, value| place(out, element, value)),
            "QuocTich" => code(out, "nationality", country),
            "QueQuan" => self.some(out, "place_of_origin", |out, value| place(out, element, value)),
            "ThuongTru" => self.some(out, "permanent_residence", |out, value| place(out, element, value)),
            "NoiOHienTai" => self.some(out, "current_residence", |out, value| place(out, element, value)),
            "Cha" => self.relative(out, element, "father"),
            "Me" => self.relative(out, element, "mother"),
            "VoChong" => self.relative(out, element, "spouse"),
            "NguoiDaiDien" => self.relative(out, element, "representative"),
            "ChuHo" => self.head(out),
            "SoSoHoKhau" => code(out, "household_book_number", str::to_owned),
            // Each name of the list has its row: a test of each field holds that.
            _ => Ok(()),
        }
    }

    fn some(
        &self,
        out: &mut Out<'_>,
        field: &str,
        write: impl FnOnce(&mut Out<'_>, &Value) -> io::Result<()>,
    ) -> io::Result<()> {
        self.field(field).map_or(Ok(()), |value| write(out, value))
    }

    /// Writes a relative: of a look-up as declared, of the question about kin as far as the agreement goes.
    fn relative(&self, out: &mut Out<'_>, element: &str, relation: &str) -> io::Result<()> {
        let of_kin = self.relatives.as_array().into_iter().flatten().find(|one| one["relation"] == relation);
        match of_kin.map(|one| &one["record"]).or_else(|| self.field(relation)) {
            None => Ok(()),
            Some(Value::Null) => empty(out, element),
            Some(told) => {
                let parts = [
                    (NAME, "full_name", str::to_owned as fn(&str) -> String),
                    ("QuocTich", "nationality", country),
                    (NUMBER, "personal_number", str::to_owned),
                    (OLD_NUMBER, "old_id_number", str::to_owned),
                ];
                out.create_element(format!("dc:{element}")).write_inner_content(|out| {
                    parts.iter().try_for_each(|(name, field, of)| match told.get(*field) {
                        Some(value) => leaf(out, name, &of(value.as_str().unwrap_or_default())),
                        None => Ok(()),
                    })
                })?;
                Ok(())
            }
        }
    }

    /// Writes the head of the household, and what the citizen is to the head.
    fn head(&self, out: &mut Out<'_>) -> io::Result<()> {
        let (relation, head) = (self.field("relation_to_head"), self.field("head_of_household"));
        if relation.is_none() && head.is_none() {
            return Ok(());
        }
        out.create_element("dc:ChuHo").write_inner_content(|out| {
            if let Some(relation) = relation {
                leaf(out, "QuanHe", relation.as_str().unwrap_or_default())?;
            }
            match head {
                Some(head) => leaf(out, NAME, head["full_name"].as_str().unwrap_or_default()),
                None => Ok(()),
            }
        })?;
        Ok(())
    }
}

fn leaf<W: Write>(out: &mut Writer<W>, name: &str, text: &str) -> io::Result<()> {
    let element = out.create_element(format!("dc:{name}"));
    if text.is_empty() {
        element.write_empty()?
    } else {
        element.write_text_content(BytesText::new(text))?
    };
    Ok(())
}

fn empty<W: Write>(out: &mut Writer<W>, name: &str) -> io::Result<()> {
    leaf(out, name, "")
}

/// A name in three parts: family name, middle names, given name.
fn parted(out: &mut Out<'_>, element: &str, told: &Value) -> io::Result<()> {
    let Some(name) = told.as_str().and_then(|text| text.parse::<FullName>().ok()) else { return empty(out, element) };
    let rest = name.middle_and_given();
    let (middle, given) = rest.rsplit_once(' ').unwrap_or(("", rest));
    // A name of one word is the given name.
    let (family, given) = if given.is_empty() { ("", name.family()) } else { (name.family(), given) };
    out.create_element(format!("dc:{element}")).write_inner_content(|out| {
        leaf(out, "Ho", family)?;
        leaf(out, "ChuDem", middle)?;
        leaf(out, "Ten", given)
    })?;
    Ok(())
}

/// A date of birth: the year, and the day where it is known.
fn born(out: &mut Out<'_>, told: &Value) -> io::Result<()> {
    let Some(date) = told.as_str().and_then(|text| text.parse::<Date>().ok()) else { return empty(out, BIRTH) };
    out.create_element(format!("dc:{BIRTH}")).write_inner_content(|out| {
        leaf(out, YEAR, &format!("{:04}", date.year()))?;
        match date.full() {
            Some(day) => leaf(out, DAY, &format!("{:04}{:02}{:02}", day.year(), u8::from(day.month()), day.day())),
            None => Ok(()),
        }
    })?;
    Ok(())
}

/// A place: the codes of its units, the address in words, and the country.
fn place(out: &mut Out<'_>, element: &str, told: &Value) -> io::Result<()> {
    if told.is_null() {
        return empty(out, element);
    }
    let text = |name: &str| told[name].as_str().unwrap_or_default();
    out.create_element(format!("dc:{element}")).write_inner_content(|out| {
        // The table of provinces has two digits; numbers for life write three.
        leaf(out, "MaTinhThanh", text("province").strip_prefix('0').unwrap_or(text("province")))?;
        leaf(out, "MaQuanHuyen", text("district"))?;
        leaf(out, "MaPhuongXa", text("commune"))?;
        leaf(out, "ChiTiet", text("in_words"))?;
        leaf(out, "QuocGia", "VN")
    })?;
    Ok(())
}

fn sex(told: &str) -> String {
    match told {
        "M" => "1",
        "F" => "2",
        _ => "0",
    }
    .to_owned()
}

/// Religion: `00` where none is declared, else the words of the register.
fn religion(told: &str) -> String {
    if told.is_empty() { "00".to_owned() } else { told.to_owned() }
}

fn marital(told: &str) -> String {
    match told {
        "single" => "1",
        "married" => "2",
        "divorced" | "widowed" => "3",
        _ => "0",
    }
    .to_owned()
}

fn blood(told: &str) -> String {
    match told {
        "A" => "01",
        "B" => "02",
        "AB" => "03",
        "O" => "04",
        _ => "00",
    }
    .to_owned()
}

/// Viet Nam by two letters, as clients write it; the other countries by three, as the register has them.
fn country(told: &str) -> String {
    if told == "VNM" { "VN".to_owned() } else { told.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::names::OPERATIONS;
    use super::*;

    fn written(answer: &Value) -> String {
        let mut out = Vec::new();
        collection(&mut out, answer).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_field_of_the_list_has_an_element_and_no_field_has_another_ones() {
        for operation in OPERATIONS {
            for field in operation.fields {
                let value = match field.word() {
                    "father" | "mother" | "spouse" | "representative" | "head_of_household" => {
                        json!({"full_name": "Trần Thử"})
                    }
                    "birth_date" => json!("17/05/1990"),
                    word if word.ends_with("residence") || word.starts_with("birth_r") || word.starts_with("place") => {
                        json!({"province": "003", "district": null, "commune": null, "in_words": "Số 1"})
                    }
                    _ => json!("Thử"),
                };
                if operation.name != "TraCuuThongTinCongDan" {
                    continue;
                }
                let said = written(&json!({"outcome": "found", "record": {field.word(): value}}));
                let elements = CITIZEN.iter().filter(|name| said.contains(&format!("<dc:{name}>"))).count();
                let nested = said.contains("<dc:ChuHo><dc:HoVaTen>") || said.contains("<dc:HoVaTen>Trần Thử");
                assert_eq!(elements, if nested { 2 } else { 1 }, "{field}: {said}");
            }
        }
        let none =
            written(&json!({"outcome": "found", "record": {"card_status": "valid", "life": {"state": "living"}}}));
        assert!(none.ends_with("id=\"\"><dc:CongDan></dc:CongDan></dc:CongdanCollection>"), "{none}");
    }

    #[test]
    fn codes_are_those_of_the_tables() {
        let of = |code: fn(&str) -> String, told: &[&str]| told.iter().map(|told| code(told)).collect::<Vec<_>>();
        assert_eq!(of(sex, &["M", "F", ""]), ["1", "2", "0"]);
        assert_eq!(of(marital, &["single", "married", "divorced", "widowed", ""]), ["1", "2", "3", "3", "0"]);
        assert_eq!(of(blood, &["A", "B", "AB", "O", ""]), ["01", "02", "03", "04", "00"]);
        assert_eq!(of(religion, &["", "Phật giáo"]), ["00", "Phật giáo"]);
        assert_eq!(of(country, &["VNM", "UTO"]), ["VN", "UTO"]);
    }

    #[test]
    fn names_have_three_parts_and_dates_as_much_as_is_known() {
        let name = |text: &str| written(&json!({"outcome": "found", "record": {"full_name": text}}));
        assert!(
            name("Nguyễn Thị Hồng Mẫu")
                .contains("<dc:Ho>Nguyễn</dc:Ho><dc:ChuDem>Thị Hồng</dc:ChuDem><dc:Ten>Mẫu</dc:Ten>")
        );
        assert!(name("Nguyễn Mẫu").contains("<dc:Ho>Nguyễn</dc:Ho><dc:ChuDem/><dc:Ten>Mẫu</dc:Ten>"));
        assert!(name("Mẫu").contains("<dc:Ho/><dc:ChuDem/><dc:Ten>Mẫu</dc:Ten>"));
        let born = |text: &str| written(&json!({"outcome": "found", "record": {"birth_date": text}}));
        assert!(born("17/05/1990").contains("<dc:Nam>1990</dc:Nam><dc:NgayThangNam>19900517</dc:NgayThangNam>"));
        assert!(born("05/1990").contains("<dc:Nam>1990</dc:Nam></dc:NgayThangNamSinh>"));
        assert!(born("1990").contains("<dc:Nam>1990</dc:Nam></dc:NgayThangNamSinh>"));
    }

    #[test]
    fn what_would_be_markup_is_escaped() {
        let said = written(&json!({"outcome": "found", "record": {"religion": "<x>&\"]]>"}}));
        assert!(said.contains("<dc:TonGiao>&lt;x&gt;&amp;") && !said.contains("]]>"), "{said}");
    }
}
