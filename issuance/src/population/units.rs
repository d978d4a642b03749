//! A commune, district or province as officers type it: its code, or names from small to large (`Phúc Xá, Ba Đình, Hà
//! Nội`), with or without marks. Pure.

use crypto::identity::folded_name;
use time::Date;

use super::model::DeclaredPlace;
use super::reference::{Reference, Table};

/// Reads what was typed into the codes of a place; the detail stays empty. An empty text is an empty place.
///
/// A text that begins with a code is read by the code alone: five digits are a commune, three a province, and strokes
/// stand between the three levels (`001/004/00163`). Codes that no table has are left as they are: the rules say so.
///
/// # Errors
/// [`Unclear`], with the units that may be meant.
pub fn read(typed: &str, reference: &Reference, on: Date) -> Result<DeclaredPlace, Unclear> {
    let typed = typed.trim();
    if typed.is_empty() {
        return Ok(DeclaredPlace::default());
    }
    let code = typed.split_whitespace().next().unwrap_or_default().trim_end_matches([',', '·']);
    if let Some(place) = of_code(code, reference, on) {
        return Ok(place);
    }
    let parts: Vec<String> = typed.split(',').map(stripped).filter(|part| !part.is_empty()).collect();
    let mut exact = found(&parts, reference, on, usize::MAX, |name, sought| name == sought);
    if exact.len() == 1 {
        return Ok(exact.swap_remove(0).place);
    }
    let mut choices = if exact.is_empty() {
        found(&parts, reference, on, SHOWN, |name, sought| name.starts_with(sought))
    } else {
        exact
    };
    choices.truncate(SHOWN);
    Err(Unclear { choices: choices.into_iter().map(|unit| unit.written).collect() })
}

/// Returns units whose name begins as it was typed, as they are to be written; at most a few.
#[must_use]
pub fn choices(typed: &str, reference: &Reference, on: Date) -> Vec<String> {
    let parts: Vec<String> = typed.split(',').map(stripped).filter(|part| !part.is_empty()).collect();
    if let Some(place) = of_code(typed.trim(), reference, on) {
        let written = write(&place, reference, on);
        return if written.contains(' ') { vec![written] } else { vec![] };
    }
    found(&parts, reference, on, SHOWN, |name, sought| name.starts_with(sought))
        .into_iter()
        .map(|unit| unit.written)
        .collect()
}

/// Writes a place so that [`read`] reads the same codes: code, then names.
#[must_use]
pub fn write(place: &DeclaredPlace, reference: &Reference, on: Date) -> String {
    let [province, district, commune] = [&place.province, &place.district, &place.commune].map(|code| code.trim());
    let unit = |table, code: &str| (!code.is_empty()).then(|| reference.unit(table, code, on)).flatten();
    let in_province = province.parse().ok().and_then(|code| reference.province(code, on)).unwrap_or_default();
    let (in_commune, in_district) = (unit(Table::Communes, commune), unit(Table::Districts, district));
    let names = [in_commune.map_or("", |unit| unit.name), in_district.map_or("", |unit| unit.name), in_province];
    let names: Vec<&str> = names.into_iter().filter(|name| !name.is_empty()).collect();
    // A commune's code alone says where it lies, unless the codes above it say otherwise.
    let plain = in_commune.is_some_and(|unit| unit.within == district)
        && in_district.is_some_and(|unit| unit.within == province);
    let code = match (plain, commune.is_empty(), district.is_empty()) {
        (true, ..) => commune.to_owned(),
        (_, true, true) => province.to_owned(),
        (_, true, false) => format!("{province}/{district}"),
        _ => format!("{province}/{district}/{commune}"),
    };
    [code, names.join(", ")].join(" ").trim().to_owned()
}

/// It is not clear which unit is meant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unclear {
    /// Units that may be meant, as they are to be written; perhaps none.
    pub choices: Vec<String>,
}

fn of_code(code: &str, reference: &Reference, on: Date) -> Option<DeclaredPlace> {
    let parts: Vec<&str> = code.split('/').collect();
    let digits = |text: &str, length: usize| text.len() == length && text.bytes().all(|b| b.is_ascii_digit());
    let place = |province: &str, district: &str, commune: &str| DeclaredPlace {
        province: province.to_owned(),
        district: district.to_owned(),
        commune: commune.to_owned(),
        detail: String::new(),
    };
    match parts[..] {
        [commune] if digits(commune, 5) => {
            let district = reference.commune(commune, on).map_or("", |unit| unit.within);
            let province = reference.district(district, on).map_or("", |unit| unit.within);
            Some(place(province, district, commune))
        }
        [province] if digits(province, 3) => Some(place(province, "", "")),
        [province, district] if digits(province, 3) && digits(district, 3) => Some(place(province, district, "")),
        [province, district, commune]
            if [province, district].iter().all(|code| code.is_empty() || digits(code, 3)) && digits(commune, 5) =>
        {
            Some(place(province, district, commune))
        }
        _ => None,
    }
}

struct Found {
    place: DeclaredPlace,
    written: String,
}

/// Returns the units that fit the parts of a name, communes first.
fn found(
    parts: &[String],
    reference: &Reference,
    on: Date,
    most: usize,
    fits: impl Fn(&str, &str) -> bool,
) -> Vec<Found> {
    let Some((first, above)) = parts.split_first() else { return vec![] };
    let mut found = vec![];
    for (table, upwards) in [(Table::Communes, 2), (Table::Districts, 1), (Table::Provinces, 0)] {
        if above.len() > upwards {
            break;
        }
        for entry in reference.entries(table, on) {
            let name = entry.name_vi.as_deref().map(stripped).unwrap_or_default();
            if name.is_empty() || !fits(&name, first) {
                continue;
            }
            let code = match (table, &entry.within) {
                (Table::Districts, Some(province)) => format!("{province}/{}", entry.code),
                _ => entry.code,
            };
            let place = of_code(&code, reference, on);
            let Some(place) = place else { continue };
            if lies_in(&place, table, above, reference, on) {
                let written = write(&place, reference, on);
                found.push(Found { place, written });
            }
            if found.len() >= most {
                return found;
            }
        }
    }
    found
}

/// True if the units above a place have the names that were typed behind it.
fn lies_in(place: &DeclaredPlace, table: Table, above: &[String], reference: &Reference, on: Date) -> bool {
    let district = reference.district(&place.district, on).map(|unit| stripped(unit.name));
    let province = place.province.parse().ok().and_then(|code| reference.province(code, on)).map(stripped);
    let chain: Vec<String> = match table {
        Table::Communes => [district, province].into_iter().flatten().collect(),
        Table::Districts => province.into_iter().collect(),
        _ => vec![],
    };
    match above {
        [] => true,
        [one] => chain.contains(one),
        [district, province, ..] => chain.first() == Some(district) && chain.last() == Some(province),
    }
}

/// Returns a name folded, without the word for the kind of unit before it.
fn stripped(name: &str) -> String {
    let folded = folded_name(name);
    let rest = KINDS.iter().find_map(|kind| folded.strip_prefix(kind)).map(str::trim);
    // `Phường 1` is called 1.
    rest.filter(|rest| !rest.is_empty()).map_or_else(|| folded.trim().to_owned(), str::to_owned)
}

/// The words before the names of units, as they are folded; longer ones first.
const KINDS: [&str; 10] =
    ["huyen dao ", "thanh pho ", "thi tran ", "thi xa ", "phuong ", "huyen ", "quan ", "tinh ", "tp. ", "xa "];
/// So many choices are shown.
const SHOWN: usize = 12;

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    const TODAY: Date = date!(2026 - 11 - 26);

    fn codes(typed: &str) -> Result<String, Vec<String>> {
        let place = read(typed, &Reference::new(&[]), TODAY).map_err(|unclear| unclear.choices)?;
        Ok([place.province, place.district, place.commune].join("/"))
    }

    #[test]
    fn a_place_is_read_by_its_code_or_by_its_names_from_small_to_large() {
        for typed in [
            "00001",
            "00001 Phúc Xá, Ba Đình, Hà Nội",
            "Phúc Xá, Ba Đình, Hà Nội",
            "phuong phuc xa, quan ba dinh",
            "PHÚC XÁ , Hà Nội",
            "001/001/00001",
        ] {
            assert_eq!(codes(typed), Ok("001/001/00001".to_owned()), "{typed}");
        }
        assert_eq!(codes("001"), Ok("001//".to_owned()));
        assert_eq!(codes("Ba Đình, Hà Nội"), Ok("001/001/".to_owned()));
        assert_eq!(codes("  "), Ok("//".to_owned()));
        // A code that no table has is left to the rules.
        assert_eq!(codes("99999"), Ok("//99999".to_owned()));
    }

    #[test]
    fn what_may_mean_several_units_is_never_guessed() {
        let several = codes("Tân Lập").unwrap_err();
        assert!(several.len() > 3 && several.iter().all(|one| one.contains("Tân Lập")), "{several:?}");
        assert_eq!(codes("không có đơn vị này"), Err(vec![]));
        let begun = codes("Phúc X").unwrap_err();
        assert!(begun.iter().any(|one| one.starts_with("00001 ")), "{begun:?}");
    }

    #[test]
    fn what_is_written_is_read_as_the_same_codes() {
        let reference = Reference::new(&[]);
        for code in ["00001", "001", "001/001", "001/002/00001"] {
            let place = of_code(code, &reference, TODAY).unwrap();
            let again = read(&write(&place, &reference, TODAY), &reference, TODAY).unwrap();
            let codes = |place: &DeclaredPlace| [&place.province, &place.district, &place.commune].map(Clone::clone);
            assert_eq!(codes(&place), codes(&again), "{code}");
        }
    }
}
