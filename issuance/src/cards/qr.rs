//! The text in the square code on a card: seven fields in the order of the cards of 2021, with `|` between them; pure.

use crypto::lds::Dg13;

/// Returns the text of the code, from the fields that the chip holds: number, old number, name, birth, sex, residence,
/// day of issue.
#[must_use]
pub fn text(dg13: &Dg13) -> String {
    let digits = |field: &Option<String>| -> String {
        field.iter().flat_map(|text| text.chars()).filter(char::is_ascii_digit).collect()
    };
    // A bar within a field would be read as the end of it.
    let plain = |field: &Option<String>| field.as_deref().unwrap_or_default().replace('|', " ");
    [
        plain(&dg13.number),
        plain(&dg13.old_number),
        plain(&dg13.name),
        digits(&dg13.birth),
        plain(&dg13.sex),
        plain(&dg13.residence),
        digits(&dg13.issued),
    ]
    .join("|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_has_seven_fields_in_their_order() {
        let some = |text: &str| Some(text.to_owned());
        let mut dg13 = Dg13 {
            number: some("003300000017"),
            old_number: some("000000001"),
            name: some("Nguyễn Thị Mẫu"),
            birth: some("05/01/2000"),
            sex: some("Nữ"),
            residence: some("Số 1 Phố Mẫu, Phúc Xá, Ba Đình, Hà Nội"),
            issued: some("15/03/2021"),
            ..Dg13::default()
        };
        let expected =
            "003300000017|000000001|Nguyễn Thị Mẫu|05012000|Nữ|Số 1 Phố Mẫu, Phúc Xá, Ba Đình, Hà Nội|15032021";
        assert_eq!(text(&dg13), expected);
        dg13.old_number = None;
        dg13.residence = some("Số 1|2");
        assert_eq!(text(&dg13), "003300000017||Nguyễn Thị Mẫu|05012000|Nữ|Số 1 2|15032021");
    }
}
