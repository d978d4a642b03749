//! A small nation with doubles and people who look like them, and the truth about them: families with shared surnames,
//! parents, places and middle names; people declared twice with the faults of docs/duplicates.md. All of it
//! invented and drawn from a seed.

#![expect(clippy::unit_arg, reason = "each fault is one assignment, and says that it could be made")]

use rand::rngs::ChaCha20Rng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

/// A person as a form has it.
#[derive(Clone, Debug, Default)]
pub struct Form {
    pub name: Vec<String>,
    /// Day, month, year; day 0 for the year alone.
    pub birth: (u8, u8, u16),
    pub male: bool,
    pub born_in: (String, String),
    pub origin: (String, String),
    pub lives_in: (String, String),
    pub father: Vec<String>,
    pub mother: Vec<String>,
    pub old_number: String,
    /// Written as is, in place of the name: what an input method left.
    pub spelled: Option<String>,
    /// Written as is, in place of the date.
    pub dated: Option<String>,
}

/// What is true of a line that is not a person declared for the first time.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    pub double_of: Option<usize>,
    pub look_alike_of: Option<usize>,
    pub faults: Vec<&'static str>,
}

/// Lines and the truth about each.
pub struct Nation {
    pub forms: Vec<Form>,
    pub truths: Vec<Truth>,
}

/// What a nation is like.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    pub people: usize,
    pub seed: u64,
    /// False where forms have neither parents, communes nor old numbers.
    pub rich: bool,
}

impl Nation {
    /// Draws a nation.
    pub fn of(kind: Kind) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(kind.seed);
        let mut nation = Self { forms: vec![], truths: vec![] };
        while nation.forms.len() < kind.people {
            nation.family(&mut rng);
        }
        let first = nation.forms.len();
        for at in 0..first {
            if rng.random_bool(0.004) {
                // A namesake of the day, elsewhere.
                let mut other = nation.forms[at].clone();
                let stranger = nation.forms[rng.random_range(0..first)].clone();
                other.father = stranger.father;
                other.mother = stranger.mother;
                other.born_in = stranger.born_in;
                other.origin = stranger.origin;
                other.lives_in = stranger.lives_in;
                other.old_number = if other.old_number.is_empty() { String::new() } else { number(&mut rng) };
                nation.push(other, Truth { look_alike_of: Some(at), faults: vec!["namesake"], ..Truth::default() });
            }
            if rng.random_bool(0.03) && nation.truths[at].double_of.is_none() {
                let mut double = nation.forms[at].clone();
                let wanted = match rng.random_range(0..100) {
                    0..5 => 0,
                    5..55 => 1,
                    55..95 => 2,
                    _ => 3,
                };
                let mut faults = vec![];
                for _ in 0..60 {
                    if faults.len() == wanted {
                        break;
                    }
                    let (word, make) = FAULTS[rng.random_range(0..FAULTS.len())];
                    if !faults.contains(&word) && make(&mut double, &mut rng).is_some() {
                        faults.push(word);
                    }
                }
                nation.push(double, Truth { double_of: Some(at), faults, ..Truth::default() });
            }
        }
        if !kind.rich {
            for form in &mut nation.forms {
                form.father.clear();
                form.mother.clear();
                form.old_number.clear();
                form.born_in.1.clear();
                form.origin.1.clear();
                form.lives_in.1.clear();
            }
        }
        nation
    }

    fn push(&mut self, form: Form, truth: Truth) -> usize {
        self.forms.push(form);
        self.truths.push(truth);
        self.forms.len() - 1
    }

    fn family(&mut self, rng: &mut ChaCha20Rng) {
        let home = place(rng);
        let (mut father, mut mother) = (adult(rng, true, &home), adult(rng, false, &home));
        let year = rng.random_range(1925..1995_u16);
        let younger = year + rng.random_range(0..5);
        (father.birth, mother.birth) = (date(rng, year), date(rng, younger));
        let (surname, fathers, mothers) = (father.name[0].clone(), father.name.clone(), mother.name.clone());
        let at = self.push(father, Truth::default());
        let _ = self.push(mother, Truth::default());
        let shared: Option<String> = rng.random_bool(0.5).then(|| middle(rng, true));
        let mut born = year + rng.random_range(20..28);
        let mut last: Option<usize> = None;
        for _ in 0..rng.random_range(1..5) {
            let male = rng.random_bool(0.5);
            let mut child = person(rng, male, &home, year_of(born));
            child.name[0].clone_from(&surname);
            if let (Some(shared), true) = (&shared, child.name.len() > 2 && male) {
                child.name[1].clone_from(shared);
            }
            child.birth = date(rng, year_of(born));
            child.father.clone_from(&fathers);
            child.mother.clone_from(&mothers);
            if male && rng.random_bool(0.012) {
                // A junior.
                child.name.clone_from(&fathers);
                let faults = vec!["junior"];
                last = Some(self.push(child, Truth { look_alike_of: Some(at), faults, ..Truth::default() }));
            } else if let (Some(elder), true) = (last, rng.random_bool(0.03)) {
                // A twin.
                child.birth = self.forms[elder].birth;
                child.born_in.clone_from(&self.forms[elder].born_in);
                if self.forms[elder].name == child.name {
                    continue;
                }
                let faults = vec!["twin"];
                last = Some(self.push(child, Truth { look_alike_of: Some(elder), faults, ..Truth::default() }));
            } else if last.is_none_or(|elder| self.forms[elder].name != child.name) {
                last = Some(self.push(child, Truth::default()));
            }
            born += rng.random_range(1..5);
        }
    }
}

impl Form {
    /// The declaration of form DC01, as NDJSON has it.
    pub fn declaration(&self) -> Value {
        let place = |(province, commune): &(String, String)| json!({"province": province, "commune": commune});
        let relative = |name: &[String]| (!name.is_empty()).then(|| json!({"full_name": name.join(" ")}));
        let (day, month, year) = self.birth;
        let date = if day == 0 { year.to_string() } else { format!("{day:02}/{month:02}/{year}") };
        let mut all = json!({
            "full_name": self.spelled.clone().unwrap_or_else(|| self.name.join(" ")),
            "birth_date": self.dated.clone().unwrap_or(date),
            "sex": if self.male { "Nam" } else { "Nữ" },
            "birth_registration": place(&self.born_in), "place_of_origin": place(&self.origin),
            "permanent_residence": place(&self.lives_in), "ethnic_group": "01", "old_id_number": self.old_number,
        });
        for (field, name) in [("father", &self.father), ("mother", &self.mother)] {
            if let Some(relative) = relative(name) {
                all[field] = relative;
            }
        }
        all
    }
}

fn year_of(year: u16) -> u16 {
    year.min(2020)
}

fn zipf<'a>(rng: &mut ChaCha20Rng, all: &[&'a str]) -> &'a str {
    let part = rng.random_range(0.0..1.0_f64);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "below the length"
    )]
    let at = (part.powf(1.6) * all.len() as f64) as usize;
    all[at.min(all.len() - 1)]
}

fn surname(rng: &mut ChaCha20Rng) -> String {
    let mut at = rng.random_range(0..1000);
    for (name, share) in SURNAMES {
        if at < *share {
            return (*name).to_owned();
        }
        at -= share;
    }
    (*RARE.choose(rng).expect("some")).to_owned()
}

fn middle(rng: &mut ChaCha20Rng, male: bool) -> String {
    if male { zipf(rng, &MALE_MIDDLE) } else { zipf(rng, &FEMALE_MIDDLE) }.to_owned()
}

fn name(rng: &mut ChaCha20Rng, male: bool) -> Vec<String> {
    let mut words = vec![surname(rng)];
    match (male, rng.random_range(0..100)) {
        (_, 0..8) => {}
        (true, 8..40) => words.push("Văn".into()),
        (false, 8..60) => words.push("Thị".into()),
        (_, 60..85) => words.push(middle(rng, male)),
        (true, _) => words.extend([middle(rng, male), middle(rng, male)]),
        (false, _) => words.extend(["Thị".into(), middle(rng, male)]),
    }
    words.push(zipf(rng, if male { &MALE } else { &FEMALE }).to_owned());
    words.dedup();
    words
}

fn place(rng: &mut ChaCha20Rng) -> (String, String) {
    let province = PROVINCES.choose(rng).expect("some");
    (format!("{province:03}"), format!("{:05}", u32::from(*province) * 300 + rng.random_range(0..150)))
}

fn number(rng: &mut ChaCha20Rng) -> String {
    format!("{:09}", rng.random_range(10_000_000..400_000_000_u32))
}

fn date(rng: &mut ChaCha20Rng, year: u16) -> (u8, u8, u16) {
    match rng.random_range(0..100) {
        0..4 => (1, 1, year),
        4..8 if year < 1975 => (0, 0, year),
        _ => {
            let month = rng.random_range(1..=12_u8);
            (rng.random_range(1..=days(month)), month, year)
        }
    }
}

fn days(month: u8) -> u8 {
    match month {
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn person(rng: &mut ChaCha20Rng, male: bool, home: &(String, String), born: u16) -> Form {
    let born_in = if rng.random_bool(0.9) { home.clone() } else { place(rng) };
    let old = born < 2002 && rng.random_bool(0.7);
    let origin = if rng.random_bool(0.8) { born_in.clone() } else { place(rng) };
    let lives_in = if rng.random_bool(0.7) { home.clone() } else { place(rng) };
    let old_number = if old { number(rng) } else { String::new() };
    Form { name: name(rng, male), male, born_in, origin, lives_in, old_number, ..Form::default() }
}

fn adult(rng: &mut ChaCha20Rng, male: bool, home: &(String, String)) -> Form {
    let mut one = person(rng, male, home, 1960);
    if rng.random_bool(0.9) {
        one.father = name(rng, true);
        one.name[0].clone_from(&one.father[0]);
    }
    if rng.random_bool(0.9) {
        one.mother = name(rng, false);
    }
    one
}

type Fault = fn(&mut Form, &mut ChaCha20Rng) -> Option<()>;

/// Each kind of fault by its word; one that cannot be made of a form returns `None`.
pub const FAULTS: [(&str, Fault); 23] = [
    ("tones-missing", |form, _| Some(form.name = form.name.iter().map(|word| bare(word)).collect())),
    ("tone-wrong", |form, rng| {
        let at = rng.random_range(0..form.name.len());
        let other = other_tone(&form.name[at], rng)?;
        Some(form.name[at] = other)
    }),
    ("unicode-form", |form, _| {
        use unicode_normalization::UnicodeNormalization as _;
        Some(form.name = form.name.iter().map(|word| word.nfd().collect()).collect())
    }),
    ("d-bar", |form, _| {
        let at = form.name.iter().position(|word| word.starts_with('Đ'))?;
        Some(form.name[at] = form.name[at].replace('Đ', "\u{d0}"))
    }),
    ("name-order", |form, rng| {
        let last = form.name.pop()?;
        if rng.random_bool(0.5) {
            form.name.insert(0, last);
        } else {
            let first = form.name.remove(0);
            form.name.extend([last, first]);
        }
        Some(())
    }),
    ("middle-missing", |form, rng| {
        if form.name.len() < 3 {
            return None;
        }
        let at = rng.random_range(1..form.name.len() - 1);
        form.name.remove(at);
        Some(())
    }),
    ("middle-doubled", |form, rng| {
        if form.name.len() < 3 {
            return None;
        }
        let again = if rng.random_bool(0.5) { form.name[1].clone() } else { middle(rng, form.male) };
        Some(form.name.insert(1, again))
    }),
    ("joined", |form, rng| {
        let at = rng.random_range(0..form.name.len().checked_sub(1)?);
        let second = form.name.remove(at + 1);
        Some(form.name[at] += &second.to_lowercase())
    }),
    ("typo", |form, rng| {
        let at = rng.random_range(0..form.name.len());
        let slip = slip(&form.name[at], rng)?;
        Some(form.name[at] = slip)
    }),
    ("telex-rest", |form, rng| {
        let at = rng.random_range(0..form.name.len());
        let rest = telex(&form.name[at])?;
        Some(form.name[at] = rest)
    }),
    ("sound", |form, rng| {
        let at = rng.random_range(0..form.name.len());
        let alike = alike(&form.name[at], rng)?;
        Some(form.name[at] = alike)
    }),
    ("name-at-marriage", |form, rng| {
        let given = zipf(rng, if form.male { &MALE } else { &FEMALE });
        // Rare; half of what is drawn is another kind.
        rng.random_bool(0.3).then(|| given.clone_into(form.name.last_mut().expect("a name has words")))
    }),
    ("day-month-swapped", |form, _| {
        let (day, month, year) = form.birth;
        (day != 0 && day != month && day <= 12).then(|| form.birth = (month, day, year))
    }),
    ("day-missing", |form, _| (form.birth.0 != 0).then(|| (form.birth.0, form.birth.1) = (0, 0))),
    ("year-off", |form, rng| {
        Some(form.birth.2 = if rng.random_bool(0.5) { form.birth.2 - 1 } else { form.birth.2 + 1 })
    }),
    ("year-digits", |form, rng| {
        let year = form.birth.2;
        let other = if rng.random_bool(0.5) {
            year / 100 * 100 + year % 10 * 10 + year / 10 % 10
        } else {
            year / 100 * 100 + rng.random_range(0..10) * 10 + year % 10
        };
        (other != year && (1910..2022).contains(&other)).then(|| form.birth.2 = other)
    }),
    ("day-typo", |form, rng| {
        let (day, month, year) = form.birth;
        let other = day / 10 * 10 + rng.random_range(0..10);
        (day != 0 && other != day && other != 0 && other <= days(month)).then(|| form.birth = (other, month, year))
    }),
    ("lunar", |form, rng| {
        let (day, month, year) = form.birth;
        if day == 0 {
            return None;
        }
        let solar = time::Date::from_calendar_date(year.into(), month.try_into().ok()?, day).ok()?;
        let lunar = solar - time::Duration::days(rng.random_range(18..51));
        Some(form.birth = (lunar.day(), lunar.month().into(), u16::try_from(lunar.year()).ok()?))
    }),
    ("sex", |form, rng| rng.random_bool(0.5).then(|| form.male = !form.male)),
    ("province", |form, rng| {
        form.born_in =
            if rng.random_bool(0.5) && form.lives_in != form.born_in { form.lives_in.clone() } else { place(rng) };
        Some(())
    }),
    ("parents-missing", |form, rng| {
        if form.father.is_empty() && form.mother.is_empty() {
            return None;
        }
        match rng.random_range(0..3) {
            0 => form.father.clear(),
            1 => form.mother.clear(),
            _ => {
                form.father.clear();
                form.mother.clear();
            }
        }
        Some(())
    }),
    ("parents-faulty", |form, rng| {
        let parent = if rng.random_bool(0.5) { &mut form.father } else { &mut form.mother };
        let at = parent.len().checked_sub(1).map(|last| rng.random_range(0..=last))?;
        let word = if rng.random_bool(0.5) { bare(&parent[at]) } else { slip(&parent[at], rng)? };
        Some(parent[at] = word)
    }),
    ("old-number", |form, rng| {
        if form.old_number.is_empty() {
            return None;
        }
        let at = rng.random_range(0..9);
        let digit = char::from(b'0' + rng.random_range(0..10));
        Some(form.old_number.replace_range(at..=at, &digit.to_string()))
    }),
];

fn bare(word: &str) -> String {
    use unicode_normalization::UnicodeNormalization as _;
    let marks = |c: &char| !unicode_normalization::char::is_combining_mark(*c);
    word.nfd().filter(marks).collect::<String>().replace('Đ', "D").replace('đ', "d")
}

fn other_tone(word: &str, rng: &mut ChaCha20Rng) -> Option<String> {
    use unicode_normalization::UnicodeNormalization as _;
    let tones = ['\u{300}', '\u{301}', '\u{303}', '\u{309}', '\u{323}'];
    let mut letters: Vec<char> = word.nfd().collect();
    match letters.iter().position(|c| tones.contains(c)) {
        Some(at) => letters[at] = *tones.choose(rng)?,
        None => {
            let at = letters.iter().position(|c| "aeiouyAEIOUY".contains(*c))?;
            letters.insert(at + 1, *tones.choose(rng)?);
        }
    }
    let other: String = letters.into_iter().nfc().collect();
    (other != word).then_some(other)
}

fn slip(word: &str, rng: &mut ChaCha20Rng) -> Option<String> {
    let mut letters: Vec<char> = word.chars().collect();
    let at = rng.random_range(0..letters.len());
    match rng.random_range(0..4) {
        0 => letters[at] = neighbour(letters[at], rng),
        1 if letters.len() > 2 => drop(letters.remove(at)),
        2 => letters.insert(at, *['a', 'n', 'h', 'g', 'o', 'i', 'c', 't'].choose(rng)?),
        _ if at + 1 < letters.len() => letters.swap(at, at + 1),
        _ => return None,
    }
    let slipped: String = letters.into_iter().collect();
    (slipped != word).then_some(slipped)
}

fn neighbour(letter: char, rng: &mut ChaCha20Rng) -> char {
    let plain = bare(&letter.to_lowercase().to_string()).chars().next().unwrap_or('a');
    let row = ["qwertyuiop", "asdfghjkl", "zxcvbnm"].into_iter().find(|row| row.contains(plain)).unwrap_or("asdfg");
    let at = row.find(plain).unwrap_or(0);
    let near = if at == 0 || rng.random_bool(0.5) && at + 1 < row.len() { at + 1 } else { at - 1 };
    char::from(row.as_bytes()[near])
}

fn telex(word: &str) -> Option<String> {
    use unicode_normalization::UnicodeNormalization as _;
    let (mut plain, mut tone) = (String::new(), None);
    for letter in word.nfd() {
        match letter {
            '\u{300}' => tone = Some('f'),
            '\u{301}' => tone = Some('s'),
            '\u{303}' => tone = Some('x'),
            '\u{309}' => tone = Some('r'),
            '\u{323}' => tone = Some('j'),
            '\u{302}' => plain.push(plain.chars().last()?.to_ascii_lowercase()),
            '\u{306}' | '\u{31b}' => plain.push('w'),
            'Đ' => plain.push_str("Dd"),
            other => plain.push(other),
        }
    }
    plain.extend(tone);
    (plain != word).then_some(plain)
}

fn alike(word: &str, rng: &mut ChaCha20Rng) -> Option<String> {
    let pairs = [("Tr", "Ch"), ("S", "X"), ("L", "N"), ("Gi", "D"), ("D", "R"), ("y", "i"), ("ng", "n"), ("c", "t")];
    let fitting: Vec<_> = pairs
        .iter()
        .flat_map(|(a, b)| [(*a, *b), (*b, *a)])
        .filter(
            |(from, _)| {
                if from.starts_with(char::is_uppercase) { word.starts_with(from) } else { word.ends_with(from) }
            },
        )
        .collect();
    let (from, to) = *fitting.choose(rng)?;
    Some(if from.starts_with(char::is_uppercase) {
        word.replacen(from, to, 1)
    } else {
        format!("{}{to}", word.strip_suffix(from)?)
    })
}

const SURNAMES: &[(&str, u32)] = &[
    ("Nguyễn", 384),
    ("Trần", 121),
    ("Lê", 95),
    ("Phạm", 70),
    ("Hoàng", 30),
    ("Huỳnh", 21),
    ("Phan", 45),
    ("Vũ", 20),
    ("Võ", 19),
    ("Đặng", 21),
    ("Bùi", 20),
    ("Đỗ", 14),
    ("Hồ", 13),
    ("Ngô", 13),
    ("Dương", 10),
    ("Lý", 5),
];
const RARE: [&str; 24] = [
    "Đào", "Đinh", "Mai", "Trịnh", "Trương", "Lâm", "Phùng", "Tô", "Đoàn", "Hà", "Tạ", "Quách", "Cao", "Châu", "Tăng",
    "Thái", "Lương", "Vương", "Nông", "Hứa", "Kiều", "La", "Lại", "Bạch",
];
const MALE_MIDDLE: [&str; 20] = [
    "Văn", "Đức", "Minh", "Hữu", "Quang", "Quốc", "Thành", "Ngọc", "Xuân", "Đình", "Công", "Thanh", "Duy", "Anh",
    "Hoàng", "Trọng", "Tuấn", "Viết", "Bá", "Thế",
];
const FEMALE_MIDDLE: [&str; 20] = [
    "Thị", "Thu", "Ngọc", "Thanh", "Kim", "Hồng", "Minh", "Phương", "Bích", "Mỹ", "Thùy", "Khánh", "Xuân", "Diệu",
    "Hoài", "Tuyết", "Quỳnh", "Lan", "Mai", "Như",
];
const MALE: [&str; 60] = [
    "Hùng",
    "Dũng",
    "Tuấn",
    "Anh",
    "Nam",
    "Minh",
    "Hải",
    "Long",
    "Sơn",
    "Thắng",
    "Cường",
    "Hưng",
    "Đức",
    "Bình",
    "Tùng",
    "Thành",
    "Trung",
    "Quân",
    "Huy",
    "Hiếu",
    "Phúc",
    "Phong",
    "Khánh",
    "Tiến",
    "Hoàng",
    "Việt",
    "Quang",
    "Dương",
    "Tâm",
    "Lâm",
    "Hòa",
    "Đạt",
    "Kiên",
    "Toàn",
    "Vinh",
    "Lộc",
    "Nghĩa",
    "Khoa",
    "Tài",
    "Thịnh",
    "Trọng",
    "Bảo",
    "An",
    "Duy",
    "Khang",
    "Vũ",
    "Thái",
    "Phương",
    "Hậu",
    "Quý",
    "Chiến",
    "Sang",
    "Nhân",
    "Tín",
    "Luân",
    "Thuận",
    "Trường",
    "Giang",
    "Sinh",
    "Khôi",
];
const FEMALE: [&str; 60] = [
    "Hương",
    "Lan",
    "Hoa",
    "Linh",
    "Hà",
    "Anh",
    "Thảo",
    "Trang",
    "Hằng",
    "Mai",
    "Nga",
    "Hạnh",
    "Thủy",
    "Phương",
    "Yến",
    "Loan",
    "Nhung",
    "Ngọc",
    "Huyền",
    "Dung",
    "Oanh",
    "Thu",
    "Vân",
    "Hiền",
    "Tuyết",
    "Liên",
    "Trâm",
    "My",
    "Ngân",
    "Quỳnh",
    "Châu",
    "Chi",
    "Nhi",
    "Vy",
    "Thúy",
    "Hoài",
    "Diệp",
    "Giang",
    "Xuân",
    "Bích",
    "Kiều",
    "Ly",
    "Tâm",
    "Thanh",
    "Hồng",
    "Lý",
    "Đào",
    "Trinh",
    "Thơ",
    "Uyên",
    "Như",
    "Thư",
    "Duyên",
    "Hân",
    "Nguyệt",
    "Phượng",
    "Sương",
    "Cúc",
    "Huệ",
    "Ánh",
];
/// Codes of the 63 provinces are of three digits; these are some of them.
const PROVINCES: [u16; 40] = [
    1, 2, 4, 6, 8, 10, 11, 12, 14, 15, 17, 19, 20, 22, 24, 25, 26, 27, 30, 31, 33, 34, 35, 36, 37, 38, 40, 42, 44, 45,
    46, 48, 49, 51, 52, 54, 56, 66, 79, 92,
];
