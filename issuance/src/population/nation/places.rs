//! Where people live: provinces with a rough number of people, their communes of the 2021 tables, their peoples and
//! religions. The figures are of the right size only, written from memory of the census of 2019.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crypto::identity::ProvinceCode;

use super::super::model::DeclaredPlace;
use super::super::reference::{COMMUNES, ExtraProvince, Reference, Table, embedded};
use super::dice::Dice;

/// A province of the tables, and what is likely there.
#[derive(Debug)]
pub(super) struct Province {
    /// Three digits.
    pub code: &'static str,
    /// Thousand people.
    weight: u32,
    /// Communes with their district, by code.
    communes: Vec<Commune>,
    /// Peoples beside the Kinh, per thousand.
    peoples: &'static [(u8, u32)],
    /// Religions of the reference table, per thousand.
    religions: &'static [(u8, u32)],
}

/// A commune with what it belongs to.
#[derive(Debug)]
pub(super) struct Commune {
    code: &'static str,
    district: &'static str,
    province: &'static str,
    urban: bool,
    southern: bool,
}

impl Commune {
    /// Returns the place with its rest in words.
    pub(super) fn place(&self, detail: String) -> DeclaredPlace {
        DeclaredPlace {
            province: self.province.to_owned(),
            district: self.district.to_owned(),
            commune: self.code.to_owned(),
            detail,
        }
    }

    /// Its code.
    pub(super) fn code(&self) -> &'static str {
        self.code
    }

    /// Draws a house in it.
    pub(super) fn house(&self, dice: &mut Dice) -> String {
        match (self.urban, self.southern) {
            (true, _) if dice.of(100) < 25 => {
                let (alley, house, street) = (1 + dice.of(160), 1 + dice.of(60), dice.pick(STREETS));
                format!("Số {house} Ngõ {alley} {street}")
            }
            (true, _) => format!("Số {} {}", 1 + dice.of(400), dice.pick(STREETS)),
            (false, true) => format!("Số {} Ấp {}", 1 + dice.of(500), dice.pick(HAMLETS)),
            (false, false) if dice.of(100) < 60 => format!("Thôn {}", 1 + dice.of(14)),
            (false, false) => format!("Xóm {}", dice.pick(HAMLETS)),
        }
    }

    /// Draws what a place of origin or of birth tells below the commune.
    pub(super) fn hamlet(&self, dice: &mut Dice) -> String {
        let kind = if self.southern { "Ấp" } else { "Thôn" };
        format!("{kind} {}", dice.pick(HAMLETS))
    }
}

impl Province {
    /// Returns the commune at a share of the way through the province.
    pub(super) fn commune_at(&self, part: u64, of: u64) -> usize {
        let all = self.communes.len() as u64;
        usize::try_from((part * all / of.max(1)).min(all - 1)).expect("fewer communes than that")
    }

    /// Returns a commune by its place in the list.
    pub(super) fn commune(&self, at: usize) -> &Commune {
        &self.communes[at % self.communes.len()]
    }

    /// Draws a commune.
    pub(super) fn some_commune(&self, dice: &mut Dice) -> &Commune {
        dice.pick(&self.communes)
    }

    /// Draws the ethnic group of a household.
    pub(super) fn people(&self, dice: &mut Dice) -> u8 {
        chosen(self.peoples, dice).unwrap_or_else(|| if dice.of(1000) < 3 { 2 + dice.of_u8(53) } else { 1 })
    }

    /// Draws the religion of a household of a group, 0 for none.
    pub(super) fn religion(&self, people: u8, dice: &mut Dice) -> u8 {
        let of_group: &[(u8, u32)] = match people {
            5 => &[(1, 850)],
            8 => &[(8, 250)],
            17 => &[(13, 450), (4, 400)],
            10 | 12 | 13 | 16 | 20 => &[(8, 450), (2, 150)],
            1 | 4 => self.religions,
            _ => &[(2, 15), (8, 10)],
        };
        chosen(of_group, dice).unwrap_or(0)
    }
}

fn chosen(shares: &[(u8, u32)], dice: &mut Dice) -> Option<u8> {
    let mut drawn = dice.of(1000);
    for (what, share) in shares {
        if drawn < *share {
            return Some(*what);
        }
        drawn -= share;
    }
    None
}

/// Returns the provinces, by code.
pub(super) fn provinces() -> &'static [Province] {
    &PROVINCES
}

/// Draws a province, as likely as it has people.
pub(super) fn some_province(dice: &mut Dice) -> &'static Province {
    let mut drawn = dice.of(PROVINCES.iter().map(Province::weight).sum());
    PROVINCES
        .iter()
        .find(|province| {
            let here = drawn < province.weight;
            drawn = drawn.saturating_sub(province.weight);
            here
        })
        .expect("less than the sum of weights")
}

impl Province {
    /// Returns the province's share of people.
    pub(super) fn weight(&self) -> u32 {
        self.weight
    }
}

/// Returns the name of a religion as it stands on a form; empty for none.
pub(super) fn religion_name(code: u8) -> &'static str {
    if code == 0 { "" } else { &RELIGIONS[usize::from(code)] }
}

/// The codes with which numbers of generated people begin: gaps in the table of 2021, given to no province. They stay
/// gaps in every later table that we know.
pub(super) static UNASSIGNED: LazyLock<Vec<ProvinceCode>> = LazyLock::new(|| {
    let reference = Reference::new(&[]);
    let codes = (1..=96).map(|number| ProvinceCode::new(number).expect("below 1000"));
    codes.filter(|code| reference.province(*code, OF_2021).is_none()).collect()
});

/// Returns the provinces that the register must know before it takes generated people (`population.extra_provinces`).
#[must_use]
pub fn invented_provinces() -> Vec<ExtraProvince> {
    UNASSIGNED.iter().map(|code| ExtraProvince { code: *code, name: format!("Tỉnh Mẫu {code}") }).collect()
}

/// The day of the tables from which the generated people take their places.
const OF_2021: time::Date = time::macros::date!(2021 - 12 - 31);

static RELIGIONS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let entries = Reference::new(&[]).entries(Table::Religions, OF_2021);
    entries.into_iter().map(|entry| entry.name_vi.unwrap_or_default()).collect()
});

static PROVINCES: LazyLock<Vec<Province>> = LazyLock::new(|| {
    let mut of_provinces: BTreeMap<&'static str, Vec<Commune>> = BTreeMap::new();
    for row in COMMUNES.lines().skip(1) {
        // Columns: code, district_code, name_vi, name_en, full_name_vi, unit_type.
        let columns: Vec<&'static str> = row.split(',').collect();
        let district = columns[1];
        let (province, ..) = embedded(Table::Districts, district).expect("the tables hang together");
        let (urban, southern) = (columns[5] != "Commune", province >= FIRST_OF_THE_SOUTH);
        let commune = Commune { code: columns[0], district, province, urban, southern };
        of_provinces.entry(province).or_default().push(commune);
    }
    let rows = SHARES.iter().map(|(code, weight, peoples, religions)| {
        let communes = of_provinces.remove(code).expect("each province has communes");
        Province { code, weight: *weight, communes, peoples, religions }
    });
    rows.collect()
});

/// From this code on hamlets are called `ấp`.
const FIRST_OF_THE_SOUTH: &str = "070";

const STREETS: &[&str] = &[
    "Phố Trần Hưng Đạo",
    "Đường Lê Lợi",
    "Đường Nguyễn Huệ",
    "Phố Lý Thường Kiệt",
    "Đường Hai Bà Trưng",
    "Đường Quang Trung",
    "Đường Nguyễn Trãi",
    "Đường Lê Duẩn",
    "Đường Hùng Vương",
    "Đường Trần Phú",
    "Phố Ngô Quyền",
    "Đường Phan Bội Châu",
    "Đường Phan Chu Trinh",
    "Đường Nguyễn Du",
    "Đường Lê Hồng Phong",
    "Đường Điện Biên Phủ",
    "Đường 30 Tháng 4",
    "Đường Cách Mạng Tháng Tám",
    "Đường Võ Thị Sáu",
    "Đường Bà Triệu",
    "Phố Hàng Mẫu",
    "Đường Nguyễn Văn Cừ",
    "Đường Lạc Long Quân",
    "Đường Âu Cơ",
    "Đường Hoàng Diệu",
    "Đường Yersin",
];

const HAMLETS: &[&str] = &[
    "Đông",
    "Đoài",
    "Trung",
    "Thượng",
    "Hạ",
    "Nam",
    "Bắc",
    "Tân Lập",
    "Tân Tiến",
    "Đồng Tâm",
    "Phú Thịnh",
    "An Hòa",
    "Bình An",
    "Mỹ Hưng",
    "Long Thành",
    "Phước Lộc",
    "Tân Bình",
    "Hòa Bình",
    "Thạnh Lợi",
    "1",
    "2",
    "3",
    "4",
    "5",
    "6",
];

/// Province, thousand people, peoples and religions per thousand.
type Share = (&'static str, u32, &'static [(u8, u32)], &'static [(u8, u32)]);

const NORTH: &[(u8, u32)] = &[(1, 40), (2, 25)];
const CATHOLIC: &[(u8, u32)] = &[(2, 150), (1, 30)];
const SOUTH: &[(u8, u32)] = &[(1, 110), (2, 90), (8, 15), (5, 8)];
const DELTA: &[(u8, u32)] = &[(1, 80), (2, 40), (3, 20), (5, 15)];

#[rustfmt::skip]
const SHARES: &[Share] = &[
    ("001", 8054, &[(6, 8)], NORTH),
    ("002", 855, &[(8, 330), (2, 230), (9, 150), (7, 95), (25, 20), (38, 15), (43, 2), (45, 8), (47, 3), (49, 2), (51, 1)], &[]),
    ("004", 530, &[(2, 410), (7, 310), (9, 100), (8, 100), (15, 14), (43, 6)], &[]),
    ("006", 314, &[(2, 530), (9, 180), (7, 90), (8, 70)], &[]),
    ("008", 785, &[(2, 260), (9, 130), (15, 90), (8, 25), (7, 20), (18, 17), (46, 1)], &[]),
    ("010", 730, &[(8, 250), (2, 150), (9, 140), (25, 45), (7, 40), (40, 12), (35, 6)], &[]),
    ("011", 599, &[(3, 380), (8, 380), (29, 33), (9, 12), (33, 9), (35, 8), (37, 9), (50, 1), (48, 2)], &[]),
    ("012", 460, &[(3, 310), (8, 240), (9, 130), (35, 35), (25, 30), (41, 25), (37, 15), (42, 14), (45, 9), (29, 17), (50, 1), (48, 3)], &[]),
    ("014", 1248, &[(3, 540), (8, 160), (6, 68), (34, 20), (9, 17), (29, 12), (33, 8), (39, 7), (37, 3)], &[]),
    ("015", 821, &[(2, 180), (8, 130), (9, 125), (3, 75), (6, 21), (7, 19), (25, 3), (40, 1)], &[]),
    ("017", 854, &[(6, 640), (3, 40), (2, 30), (9, 20), (8, 8)], &[]),
    ("019", 1287, &[(2, 120), (7, 70), (18, 43), (15, 30), (9, 25), (8, 8)], NORTH),
    ("020", 782, &[(7, 420), (2, 360), (9, 37), (8, 2)], &[]),
    ("022", 1320, &[(9, 56), (2, 30), (18, 15), (15, 12), (4, 3)], NORTH),
    ("024", 1804, &[(7, 50), (2, 33), (15, 17), (18, 17), (4, 12), (9, 6)], NORTH),
    ("025", 1464, &[(6, 140), (9, 10), (15, 2)], NORTH),
    ("026", 1151, &[(15, 2), (18, 38)], NORTH),
    ("027", 1369, &[(2, 3)], NORTH),
    ("030", 1892, &[(15, 1)], NORTH),
    ("031", 2029, &[(4, 1)], NORTH),
    ("033", 1253, &[], NORTH),
    ("034", 1860, &[], CATHOLIC),
    ("035", 853, &[], CATHOLIC),
    ("036", 1780, &[], CATHOLIC),
    ("037", 982, &[(6, 27)], CATHOLIC),
    ("038", 3640, &[(6, 105), (3, 62), (8, 5), (24, 3), (9, 2), (29, 1)], NORTH),
    ("040", 3328, &[(3, 100), (24, 20), (29, 13), (8, 10), (53, 1)], CATHOLIC),
    ("042", 1289, &[], CATHOLIC),
    ("044", 895, &[(23, 22), (44, 8)], CATHOLIC),
    ("045", 632, &[(23, 110), (31, 26)], NORTH),
    ("046", 1129, &[(31, 32), (26, 15)], &[(1, 400), (2, 60)]),
    ("048", 1134, &[(26, 2)], &[(1, 100), (2, 50), (5, 3)]),
    ("049", 1496, &[(26, 38), (14, 30), (27, 15), (30, 4)], &[(1, 60), (2, 20), (5, 7)]),
    ("051", 1232, &[(19, 108), (30, 28), (14, 15)], &[(1, 40), (5, 8)]),
    ("052", 1487, &[(13, 15), (19, 7), (17, 4)], &[(1, 50), (2, 30), (5, 12)]),
    ("054", 872, &[(12, 23), (17, 23), (13, 5)], &[(1, 60), (5, 10)]),
    ("056", 1231, &[(21, 45), (16, 5), (12, 3)], &[(1, 150), (2, 100), (5, 8)]),
    ("058", 590, &[(17, 115), (21, 110), (36, 1)], &[(1, 100), (2, 110)]),
    ("060", 1231, &[(17, 32), (21, 15), (16, 12), (32, 2)], &[(1, 100), (2, 100)]),
    ("062", 540, &[(14, 250), (13, 130), (27, 75), (10, 50), (3, 10), (52, 1), (54, 1)], &[(1, 40), (2, 150)]),
    ("064", 1514, &[(10, 300), (13, 125), (2, 8), (7, 8), (8, 2)], &[(1, 60), (2, 60)]),
    ("066", 1869, &[(12, 185), (7, 40), (2, 28), (20, 26), (8, 20), (3, 10), (10, 11)], &[(1, 70), (2, 80)]),
    ("067", 622, &[(20, 80), (8, 55), (7, 45), (2, 35), (28, 12), (12, 9), (3, 17)], &[(1, 60), (2, 130)]),
    ("068", 1297, &[(16, 135), (28, 25), (2, 15), (7, 15), (36, 14), (20, 9)], &[(1, 160), (2, 150), (5, 5)]),
    ("070", 995, &[(22, 97), (2, 25), (7, 25), (5, 18), (20, 11)], SOUTH),
    ("072", 1169, &[(5, 7), (17, 3), (22, 2)], &[(5, 320), (1, 60), (2, 30)]),
    ("074", 2426, &[(4, 8), (5, 8)], SOUTH),
    ("075", 3097, &[(4, 30), (2, 5), (7, 6), (32, 6), (5, 6), (28, 1)], &[(2, 320), (1, 130)]),
    ("077", 1148, &[(32, 7), (4, 8)], &[(2, 230), (1, 200)]),
    ("079", 8993, &[(4, 42), (5, 6), (17, 1)], SOUTH),
    ("080", 1689, &[(5, 1), (4, 2)], DELTA),
    ("082", 1764, &[(4, 2)], DELTA),
    ("083", 1288, &[(4, 2)], DELTA),
    ("084", 1009, &[(5, 317), (4, 7)], DELTA),
    ("086", 1023, &[(5, 22), (4, 4)], DELTA),
    ("087", 1599, &[(4, 1)], &[(3, 120), (1, 50), (2, 30), (5, 10)]),
    ("089", 1908, &[(5, 40), (17, 6), (4, 4)], &[(3, 390), (1, 150), (2, 30)]),
    ("091", 1723, &[(5, 123), (4, 14)], DELTA),
    ("092", 1235, &[(5, 18), (4, 9)], &[(3, 180), (1, 90), (2, 30)]),
    ("093", 733, &[(5, 30), (4, 6)], DELTA),
    ("094", 1200, &[(5, 302), (4, 52)], DELTA),
    ("095", 907, &[(5, 80), (4, 17)], DELTA),
    ("096", 1194, &[(5, 23), (4, 6)], DELTA),
];
