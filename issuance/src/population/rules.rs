//! The rules that a declaration is judged by: each with an identifier for ever, its law or reason, and which of the
//! four words of the register it serves. `docs/rules.md` is this list.

use std::fmt::Write as _;

use serde::Serialize;

/// One rule.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Rule {
    /// `R-01` and so on: given once, never to another rule.
    pub id: &'static str,
    /// Stable name of what is wrong, as in a [`Finding`](super::model::Finding).
    pub code: &'static str,
    /// Which of the four words it serves.
    pub word: Word,
    /// What follows.
    pub severity: Severity,
    /// The law, or the reason.
    pub ground: &'static str,
    /// What is wrong, for people.
    pub says: &'static str,
}

/// The four words of the register: đúng, đủ, sạch, sống.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Word {
    /// Đúng: a value agrees with the evidence and with the tables.
    Right,
    /// Đủ: what the law asks for is there.
    Enough,
    /// Sạch: nothing stands twice, nothing contradicts itself.
    Clean,
    /// Sống: the record is fresh.
    Living,
}

impl Word {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Right, Self::Enough, Self::Clean, Self::Living];

    /// The word, as stored and answered.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Enough => "enough",
            Self::Clean => "clean",
            Self::Living => "living",
        }
    }
}

/// What follows when a rule is broken.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// No person is registered from it; a row of a file goes into quarantine.
    Declines,
    /// Declines where no person can be registered without the field; elsewhere the field stays empty, with a finding.
    DeclinesWhereNeeded,
    /// The person is registered, with a finding that an officer looks at.
    Finds,
}

impl Severity {
    /// The word, as answered.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Declines => "declines",
            Self::DeclinesWhereNeeded => "declines-where-needed",
            Self::Finds => "finds",
        }
    }
}

macro_rules! rules {
    ($($name:ident = $id:literal $code:literal $word:ident $severity:ident $ground:literal $says:literal;)*) => {
        $(
            #[doc = $says]
            pub const $name: Rule = Rule {
                id: $id, code: $code, word: Word::$word, severity: Severity::$severity, ground: $ground, says: $says,
            };
        )*
        /// All rules, by identifier.
        pub const ALL: &[Rule] = &[$($name),*];
    };
}

rules! {
    FIELD_MISSING = "R-01" "field-missing" Enough Declines
        "Law 59/2014/QH13, Art. 9(1): without it there is no record" "a field without which there is no person is empty";
    NAME_NOT_WRITABLE = "R-02" "name-not-writable" Right DeclinesWhereNeeded
        "Doc 9303-3: a name is written in the zone of the card" "a name has a character that no card can carry, or no letter";
    DATE_UNREADABLE = "R-03" "date-unreadable" Right DeclinesWhereNeeded
        "Circular 104/2020/TT-BCA, form DC01" "a date has none of the forms of a date";
    DATE_IMPOSSIBLE = "R-04" "date-impossible" Right DeclinesWhereNeeded
        "the calendar" "the calendar has no such day";
    DATE_IN_FUTURE = "R-05" "date-in-future" Right Declines
        "nothing is declared before it happens" "a date lies ahead";
    SEX_UNKNOWN = "R-06" "sex-unknown" Right Declines
        "Law 59/2014/QH13, Art. 9(1) c; a digit of the number" "the sex is not Nam, Nữ, M or F";
    PROVINCE_UNASSIGNED = "R-07" "province-unassigned" Right DeclinesWhereNeeded
        "Circular 07/2016/TT-BCA, appendix: begins the number" "no province has this code";
    ETHNIC_GROUP_UNKNOWN = "R-08" "ethnic-group-unknown" Right Declines
        "Decision 121-TCTK/PPCĐ of 1979" "no ethnic group has this code";
    NATIONALITY_UNKNOWN = "R-09" "nationality-unknown" Right Declines
        "Doc 9303-3, section 5" "a nationality is three capital letters";
    TEXT_TOO_LONG = "R-10" "text-too-long" Right Declines
        "the fields of the card and of its chip" "a text is longer than its field";
    BIRTH_DAY_MISSING = "R-11" "birth-day-missing" Enough Finds
        "Law 59/2014/QH13, Art. 9(1) b" "the day of birth is not declared: the year alone, or year and month";
    AGE_IMPROBABLE = "R-12" "age-improbable" Living Finds
        "few people live so long" "older than 110 years and not recorded as dead";
    DEATH_RECORDED = "R-13" "death-recorded" Living Finds
        "Law 59/2014/QH13, Art. 9(1) p" "recorded as dead";
    DEATH_BEFORE_BIRTH = "R-14" "death-before-birth" Clean Finds
        "the two fields contradict each other" "the death lies before the birth";
    RESIDENCE_MISSING = "R-15" "residence-missing" Enough Finds
        "Law 59/2014/QH13, Art. 9(1) k" "no permanent residence is declared";
    PARENTS_MISSING = "R-16" "parents-missing" Enough Finds
        "Law 59/2014/QH13, Art. 9(1) n" "neither parent nor a representative is declared";
    HEAD_MISSING = "R-17" "head-missing" Enough Finds
        "Law 59/2014/QH13, Art. 9(1) o" "no head of the household is declared";
    MARITAL_STATUS_UNKNOWN = "R-18" "marital-status-unknown" Right Finds
        "Law 59/2014/QH13, Art. 9(1) i" "the marital status is not single, married, divorced or widowed";
    MARRIED_TOO_YOUNG = "R-19" "married-too-young" Clean Finds
        "Law on Marriage and Family 52/2014/QH13, Art. 8(1) a" "younger than 18 and not single";
    SPOUSE_WITHOUT_MARRIAGE = "R-20" "spouse-without-marriage" Clean Finds
        "the two fields contradict each other" "a spouse is declared, but not a marriage";
    NUMBER_MALFORMED = "R-21" "number-malformed" Right Finds
        "Decree 137/2015/NĐ-CP, Art. 13" "a relative's personal number has not twelve digits";
    NUMBER_DISAGREES_WITH_SEX = "R-22" "number-disagrees-with-sex" Clean Finds
        "Decree 137/2015/NĐ-CP, Art. 13: the fourth digit" "a parent's number is one of the other sex";
    PARENT_TOO_YOUNG = "R-23" "parent-too-young" Clean Finds
        "biology" "a parent was less than twelve years old";
    ADDRESS_INCOMPLETE = "R-24" "address-incomplete" Enough Finds
        "Circular 104/2020/TT-BCA, form DC01" "a place lacks its district or its commune";
    DISTRICT_UNKNOWN = "R-25" "district-unknown" Right Finds
        "the tables of 2021" "no district has this code";
    DISTRICT_ELSEWHERE = "R-26" "district-elsewhere" Right Finds
        "the tables of 2021" "a district belongs to another province";
    COMMUNE_UNKNOWN = "R-27" "commune-unknown" Right Finds
        "the tables of 2021" "no commune has this code";
    COMMUNE_ELSEWHERE = "R-28" "commune-elsewhere" Right Finds
        "the tables of 2021" "a commune belongs to another district";
    BLOOD_GROUP_UNKNOWN = "R-29" "blood-group-unknown" Right Finds
        "Law 59/2014/QH13, Art. 9(1) m" "the blood group is not A, B, AB or O";
    OLD_NUMBER_MALFORMED = "R-30" "old-number-malformed" Right Finds
        "Decree 05/1999/NĐ-CP: nine digits" "the number of an old card has not nine or twelve digits";
    PERHAPS_DECLARED_BEFORE = "R-31" "perhaps-declared-before" Clean Finds
        "one person has one record" "a person of this name, birth date and sex is in the register";
    OWN_NUMBER_MALFORMED = "R-32" "own-number-malformed" Right Declines
        "Decree 137/2015/NĐ-CP, Art. 13" "the person's number has not twelve digits";
    OWN_NUMBER_OTHER_SEX = "R-33" "own-number-other-sex" Clean Declines
        "Decree 137/2015/NĐ-CP, Art. 13: the fourth digit" "the person's number is one of the other sex";
    OWN_NUMBER_OTHER_YEAR = "R-34" "own-number-other-year" Clean Declines
        "Decree 137/2015/NĐ-CP, Art. 13: the fifth and sixth digit" "the person's number is one of another year of birth";
    OWN_NUMBER_OTHER_PROVINCE = "R-35" "own-number-other-province" Clean Declines
        "Decree 137/2015/NĐ-CP, Art. 13: the first three digits"
        "the person's number is one of another province of birth registration";
    NUMBER_TAKEN = "R-36" "number-taken" Clean Declines
        "Decree 137/2015/NĐ-CP, Art. 12: one person, one number, for ever" "the number is another person's, or is given no more";
    DECLARED_ALREADY = "R-37" "declared-already" Clean Declines
        "one person has one record" "the same declaration, field by field, is in the register";
    OLD_NUMBER_SHARED = "R-38" "old-number-shared" Clean Finds
        "an old card was one person's" "another person has this number of an old card";
    CHILD_OLDER_THAN_PARENT = "R-39" "child-older-than-parent" Clean Finds
        "biology" "a parent was not born before the child";
    NUMBER_PROVINCE_UNKNOWN = "R-40" "number-province-unknown" Right Finds
        "Circular 07/2016/TT-BCA, appendix" "a relative's number begins with a code that no province has";
    SPOUSE_OF_SAME_SEX = "R-41" "spouse-of-same-sex" Clean Finds
        "Law on Marriage and Family 52/2014/QH13, Art. 8(2)" "the spouse's number is one of the person's own sex";
    MARITAL_STATUS_MISSING = "R-42" "marital-status-missing" Enough Finds
        "Law 59/2014/QH13, Art. 9(1) i" "no marital status of an adult is declared";
    RELATION_MISSING = "R-43" "relation-missing" Enough Finds
        "Law 59/2014/QH13, Art. 9(1) o" "what the person is to the head of the household is not declared";
    SPOUSE_MISSING = "R-44" "spouse-missing" Enough Finds
        "Law 59/2014/QH13, Art. 9(1) n" "a marriage is declared, but no spouse";
    HOUSEHOLD_WITHOUT_HEAD = "R-45" "household-without-head" Clean Finds
        "Law on Residence 68/2020/QH14, Art. 10: a household has a head" "no person of this household book heads it";
    HOUSEHOLD_WITH_TWO_HEADS = "R-46" "household-with-two-heads" Clean Finds
        "Law on Residence 68/2020/QH14, Art. 10: a household has one head" "more than one person of this household book heads it";
    RECORD_STALE = "R-47" "record-stale" Living Finds
        "a form that is old tells of another time" "the declaration was made more than two years before it was entered";
    DECLARED_ON_UNREADABLE = "R-48" "declared-on-unreadable" Right Declines
        "docs/import.md" "the day on the form is no day, or lies ahead";
    BYTES_NOT_UTF8 = "R-49" "bytes-not-utf8" Right Declines
        "docs/import.md: files are UTF-8" "bytes that are not UTF-8";
    BYTE_NUL = "R-50" "byte-nul" Right Declines
        "docs/import.md: files are text" "a NUL byte";
    COLUMNS_DIFFER = "R-51" "columns-differ" Right Declines
        "RFC 4180: each row has the fields of the header" "a row has more or fewer fields than the header";
    QUOTE_MISPLACED = "R-52" "quote-misplaced" Right Declines
        "RFC 4180, section 2" "a quotation mark stands inside a field";
    ROW_TOO_LONG = "R-53" "row-too-long" Right Declines
        "docs/import.md: 1 MB a row, 8 KB a field" "a row is longer than 1 MB";
    FIELD_TOO_LONG = "R-54" "field-too-long" Right Declines
        "docs/import.md: 1 MB a row, 8 KB a field" "a field is longer than 8 KB";
    JSON_MALFORMED = "R-55" "json-malformed" Right Declines
        "docs/import.md: one declaration a line" "a line is no declaration in JSON";
    NUMBER_KEEPS_PROVINCE = "R-56" "number-keeps-province" Right Finds
        "Decree 137/2015/NĐ-CP, Art. 15 as amended by Decree 37/2021/NĐ-CP"
        "the number for life begins with another province than that of the birth registration, and stays";
    PROVINCE_ENDED = "R-57" "province-ended" Right Finds
        "docs/operations.md: the tables by day" "the province of a residence is no more";
    DISTRICT_ENDED = "R-58" "district-ended" Right Finds
        "docs/operations.md: the tables by day" "the district of a residence is no more, or belongs to another province";
    COMMUNE_ENDED = "R-59" "commune-ended" Right Finds
        "docs/operations.md: the tables by day" "the commune of a residence is no more, or belongs to another district";
    JSON_KEY_TWICE = "R-60" "json-key-twice" Right Declines
        "RFC 8259, section 4: the names in an object are unique" "a line of JSON has a field twice";
    MISSING_RECORDED = "R-61" "missing-recorded" Living Finds
        "Law 59/2014/QH13, Art. 9(1) p; Civil Code 91/2015/QH13, Art. 68" "declared missing by a court";
}

/// Returns the rule that says this in a finding.
#[must_use]
pub fn by_code(code: &str) -> Option<&'static Rule> {
    ALL.iter().find(|rule| rule.code == code)
}

/// Returns the rule with this identifier.
#[must_use]
pub fn by_id(id: &str) -> Option<&'static Rule> {
    ALL.iter().find(|rule| rule.id == id)
}

/// Returns the shape of a value, which tells what is wrong with it and not what it is: runs of digits as `9d`, of
/// letters as `A5`, other signs of ASCII as they are, all else as `?`.
#[must_use]
pub fn shape(value: &str) -> String {
    let mut shape = String::new();
    let mut run: Option<(bool, usize)> = None;
    let end = |run: &mut Option<(bool, usize)>, shape: &mut String| {
        match run.take() {
            Some((true, digits)) => write!(shape, "{digits}d"),
            Some((false, letters)) => write!(shape, "A{letters}"),
            None => Ok(()),
        }
        .expect("a text can be written to");
    };
    for c in value.chars() {
        // A mark belongs to its letter.
        if unicode_normalization::char::is_combining_mark(c) {
            continue;
        }
        let kind = if c.is_ascii_digit() { Some(true) } else { c.is_alphabetic().then_some(false) };
        match (&mut run, kind) {
            (Some((of, length)), Some(kind)) if *of == kind => *length += 1,
            (run, Some(kind)) => {
                end(run, &mut shape);
                *run = Some((kind, 1));
            }
            (run, None) => {
                end(run, &mut shape);
                shape.push(if c.is_ascii_graphic() || c == ' ' { c } else { '?' });
            }
        }
        if shape.len() > MOST_SHAPE {
            shape.push('…');
            return shape;
        }
    }
    end(&mut run, &mut shape);
    shape
}

/// Longest shape, bytes.
const MOST_SHAPE: usize = 60;

/// Returns the catalogue as the page `docs/rules.md`.
#[must_use]
pub fn page() -> String {
    let mut page = String::from(
        "# Rules of the register\n\nMade from `issuance/src/population/rules.rs` by the tests (`UPDATE_BOOK=1 cargo test \
         -p issuance --lib rules`); do not edit. `issuance rules` prints the same.\n\nEach declaration is judged by these \
         rules, at the counter and in a file. An identifier is given once and never to another rule. A rule serves one of \
         four words: **right** (đúng: agrees with evidence and tables), **enough** (đủ: what the law asks for is there), \
         **clean** (sạch: nothing stands twice, nothing contradicts itself), **living** (sống: fresh). What *declines* \
         keeps the person out of the register: an officer at the counter is told, a row of a file goes into quarantine. \
         What *finds* is noted with the person.\n\n| Rule | Code | Word | What follows | What is wrong | Law or reason \
         |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for rule in ALL {
        let follows = match rule.severity {
            Severity::Declines => "declines",
            Severity::DeclinesWhereNeeded => "declines where the field is needed, else finds",
            Severity::Finds => "finds",
        };
        let (id, code, word, says, ground) = (rule.id, rule.code, rule.word.word(), rule.says, rule.ground);
        writeln!(page, "| {id} | `{code}` | {word} | {follows} | {says} | {ground} |")
            .expect("a text can be written to");
    }
    page
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn identifiers_and_codes_are_given_once_and_in_order() {
        for (rule, number) in ALL.iter().zip(1..) {
            assert_eq!(rule.id, format!("R-{number:02}"));
        }
        let codes: BTreeSet<_> = ALL.iter().map(|rule| rule.code).collect();
        assert_eq!(codes.len(), ALL.len());
    }

    #[test]
    fn the_page_of_the_rules_is_the_list() {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/rules.md");
        if std::env::var_os("UPDATE_BOOK").is_some() {
            std::fs::write(&file, page()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(file).unwrap(), page(), "UPDATE_BOOK=1 makes it anew");
    }

    #[test]
    fn a_shape_tells_the_form_and_not_the_value() {
        for (value, expected) in [
            ("012345678", "9d"),
            ("Nguyễn Thị 2", "A6 A3 1d"),
            ("NGUYE\u{302}\u{303}N", "A6"),
            ("31/02/1990", "2d/2d/4d"),
            ("a\u{0}b", "A1?A1"),
            ("", ""),
        ] {
            assert_eq!(shape(value), expected);
        }
        assert!(shape(&"1a".repeat(4000)).len() < 100);
    }
}
