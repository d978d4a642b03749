//! The provinces as equal tiles, about where they lie: Bắc Ninh is seen as well as Nghệ An, and every name can be read.

/// A tile: the code of the province, column and row.
pub(super) const TILES: [(&str, u32, u32); 63] = [
    ("002", 3, 0),
    ("004", 4, 0),
    ("012", 0, 1),
    ("010", 1, 1),
    ("015", 2, 1),
    ("008", 3, 1),
    ("006", 4, 1),
    ("020", 5, 1),
    ("011", 0, 2),
    ("014", 1, 2),
    ("025", 2, 2),
    ("026", 3, 2),
    ("019", 4, 2),
    ("024", 5, 2),
    ("022", 6, 2),
    ("017", 2, 3),
    ("001", 3, 3),
    ("027", 4, 3),
    ("030", 5, 3),
    ("031", 6, 3),
    ("035", 3, 4),
    ("033", 4, 4),
    ("034", 5, 4),
    ("037", 3, 5),
    ("036", 4, 5),
    ("038", 3, 6),
    ("040", 3, 7),
    ("042", 3, 8),
    ("044", 4, 9),
    ("045", 4, 10),
    ("046", 4, 11),
    ("048", 5, 11),
    ("049", 5, 12),
    ("062", 4, 13),
    ("051", 5, 13),
    ("064", 4, 14),
    ("052", 5, 14),
    ("066", 4, 15),
    ("054", 5, 15),
    ("067", 3, 16),
    ("068", 4, 16),
    ("056", 5, 16),
    ("070", 2, 17),
    ("075", 3, 17),
    ("060", 4, 17),
    ("058", 5, 17),
    ("072", 1, 18),
    ("074", 2, 18),
    ("079", 3, 18),
    ("077", 4, 18),
    ("089", 0, 19),
    ("087", 1, 19),
    ("080", 2, 19),
    ("082", 3, 19),
    ("091", 0, 20),
    ("092", 1, 20),
    ("086", 2, 20),
    ("083", 3, 20),
    ("093", 0, 21),
    ("094", 1, 21),
    ("084", 2, 21),
    ("096", 0, 22),
    ("095", 1, 22),
];

/// The two archipelagos: name, the province to which each belongs, column and row.
pub(super) const ARCHIPELAGOS: [(&str, &str, u32, u32); 2] = [("Hoàng Sa", "048", 6, 11), ("Trường Sa", "056", 6, 16)];

/// Width and height of a tile, and the gap between two, in units of the picture.
pub(super) const TILE: (u32, u32, u32) = (128, 46, 4);

/// Returns where the tile of a column and a row begins.
pub(super) const fn corner(column: u32, row: u32) -> (u32, u32) {
    (column * (TILE.0 + TILE.2), row * (TILE.1 + TILE.2))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use time::macros::date;

    use super::*;
    use crate::population::reference::Reference;

    #[test]
    fn each_province_has_one_tile_and_no_two_lie_on_each_other() {
        let reference = Reference::new(&[]);
        let codes: BTreeSet<&str> = TILES.iter().map(|(code, ..)| *code).collect();
        assert_eq!(codes.len(), TILES.len());
        for code in &codes {
            let name = reference.province(code.parse().unwrap(), date!(2024 - 01 - 01));
            assert!(name.is_some_and(|name| name.chars().count() <= 18), "{code}: {name:?}");
        }
        for code in 1..=999_u16 {
            let code = format!("{code:03}");
            let known = reference.province(code.parse().unwrap(), date!(2024 - 01 - 01)).is_some();
            assert_eq!(known, codes.contains(code.as_str()), "{code}");
        }
        let islands = ARCHIPELAGOS.iter().map(|(_, _, column, row)| (*column, *row));
        let places: BTreeSet<(u32, u32)> =
            TILES.iter().map(|(_, column, row)| (*column, *row)).chain(islands).collect();
        assert_eq!(places.len(), TILES.len() + ARCHIPELAGOS.len());
        assert!(ARCHIPELAGOS.iter().all(|(_, province, ..)| codes.contains(province)));
    }
}
