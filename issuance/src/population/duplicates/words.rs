//! The words of Vietnamese names: which are syllables, how they sound, how much they tell. Pure.

use super::super::names::one_letter_apart;

/// Returns a folded word without what an input method left in it: digits of VNI; letters of Telex, if a syllable
/// remains (`nguyeexn`, `dduwcs`).
pub(super) fn without_rests(folded: &str) -> String {
    let word: String = folded.chars().filter(|c| !c.is_numeric()).take(LONGEST).collect();
    if is_syllable(&word) || !word.is_ascii() {
        return word;
    }
    let (mut plain, mut vowels) = (String::new(), false);
    for letter in word.chars() {
        let rest = letter == 'w' || vowels && matches!(letter, 's' | 'f' | 'r' | 'x' | 'j');
        let doubled = matches!(letter, 'a' | 'e' | 'o' | 'd') && plain.ends_with(letter);
        vowels |= VOWELS.contains(letter);
        if !rest && !doubled {
            plain.push(letter);
        }
    }
    if is_syllable(&plain) { plain } else { word }
}

/// Returns what regions and typists write alike: `d`, `gi` and `r`; `s` and `x`; `ch` and `tr`; `l` and `n`; `i` and
/// `y`; `c`, `k` and `q`; `g` and `gh`; `ng` and `ngh`.
pub(super) fn sound(word: &str) -> String {
    let (initial, rime) = split(word);
    // Of `gi` the vowel is part of both: `gin` sounds like `din`.
    let rime =
        if initial == "gi" && !rime.starts_with(|c| VOWELS.contains(c)) { format!("i{rime}") } else { rime.into() };
    let initial = match initial {
        "gi" | "r" => "d",
        "x" => "s",
        "tr" => "ch",
        "n" => "l",
        "k" | "q" => "c",
        "gh" => "g",
        "ngh" => "ng",
        other => other,
    };
    format!("{initial}{}", rime.replace('y', "i"))
}

/// True for a word that a Vietnamese name can have, without its tone: one with a fault mostly is none.
pub(super) fn is_syllable(word: &str) -> bool {
    let (initial, rime) = split(word);
    RIMES.binary_search(&rime).is_ok() || initial == "gi" && RIMES.binary_search(&&word[1..]).is_ok()
}

/// Cuts what was written as one word where it is several names (`thuha`); returns the word alone where it is not.
/// A syllable is never cut, and each part is commonly a name, so that a slip of the hand is not one. Of several ways
/// the one with the fewest parts is taken, and then the one with the commonest names.
pub(super) fn parts_of(word: &str) -> Vec<&str> {
    if word.is_empty() || is_syllable(word) || !word.is_ascii() {
        return vec![word];
    }
    // The best way to write the first letters in whole names, by their number.
    let mut best: Vec<Option<(i32, Vec<&str>)>> = vec![None; word.len() + 1];
    best[0] = Some((0, vec![]));
    for end in 2..=word.len() {
        for begin in end.saturating_sub(LONGEST_SYLLABLE)..end - 1 {
            let (Some((cost, parts)), part) = (&best[begin], &word[begin..end]) else { continue };
            if !is_known(part) {
                continue;
            }
            // No name tells as much as one part more costs.
            let cost = cost + 1000 + bits(part);
            if best[end].as_ref().is_none_or(|(least, _)| cost < *least) {
                best[end] = Some((cost, parts.iter().copied().chain([part]).collect()));
            }
        }
    }
    best.pop().flatten().map_or_else(|| vec![word], |(_, parts)| parts)
}

/// True for a word that is commonly a name: two of them that are a letter apart are two names (`Lan`, `Loan`).
pub(super) fn is_known(word: &str) -> bool {
    COMMON.iter().any(|(known, _)| known.contains(&word)) || KNOWN.binary_search(&word).is_ok()
}

/// Folds a word in one canonical spelling as [`crypto::identity::folded_name`] does, without its work: names of the
/// nation are written in few letters. `None` for a word with another one.
pub(super) fn folded(word: &str) -> Option<String> {
    let mut plain = String::with_capacity(word.len());
    for letter in word.chars() {
        plain.push(if letter.is_ascii_alphabetic() { letter.to_ascii_lowercase() } else { base(letter)? });
    }
    Some(plain)
}

/// Returns the letter below the marks of a letter of Vietnamese, in lower case.
fn base(letter: char) -> Option<char> {
    Some(match letter {
        'à' | 'á' | 'â' | 'ã' | 'ă' | 'À' | 'Á' | 'Â' | 'Ã' | 'Ă' | 'ạ' | 'ả' | 'Ạ' | 'Ả' | 'Ấ'..='ặ' => {
            'a'
        }
        'è' | 'é' | 'ê' | 'È' | 'É' | 'Ê' | 'Ẹ'..='ệ' => 'e',
        'ì' | 'í' | 'ĩ' | 'Ì' | 'Í' | 'Ĩ' | 'Ỉ'..='ị' => 'i',
        'ò' | 'ó' | 'ô' | 'õ' | 'ơ' | 'Ò' | 'Ó' | 'Ô' | 'Õ' | 'Ơ' | 'Ọ'..='ợ' => 'o',
        'ù' | 'ú' | 'ũ' | 'ư' | 'Ù' | 'Ú' | 'Ũ' | 'Ư' | 'Ụ'..='ự' => 'u',
        'ý' | 'Ý' | 'Ỳ'..='ỹ' => 'y',
        'đ' | 'Đ' => 'd',
        _ => return None,
    })
}

/// Returns how much it tells that two people share this word of a name, in tenths of a bit: about a third of the nation
/// is called `nguyen`.
pub(super) fn bits(word: &str) -> i32 {
    COMMON.iter().find(|(known, _)| known.contains(&word)).map_or(85, |(_, bits)| *bits)
}

/// True if one letter was written wrongly, left out or added, or two neighbours are swapped.
pub(super) fn near(one: &str, other: &str) -> bool {
    one_letter_apart(&one.chars().collect::<Vec<_>>(), other)
}

/// Returns the consonants that a word begins with, and the rest.
fn split(word: &str) -> (&str, &str) {
    let initial = INITIALS.iter().find(|initial| word.starts_with(**initial) && word.len() > initial.len());
    word.split_at(initial.map_or(0, |initial| initial.len()))
}

const VOWELS: &str = "aeiouy";
/// Letters of a word that are looked at: no syllable has more than seven.
const LONGEST: usize = 24;
/// Letters of the longest syllable (`nghieng`).
const LONGEST_SYLLABLE: usize = 7;

/// Longest first.
const INITIALS: [&str; 26] = [
    "ngh", "ch", "gh", "gi", "kh", "ng", "nh", "ph", "th", "tr", "b", "c", "d", "g", "h", "k", "l", "m", "n", "p", "q",
    "r", "s", "t", "v", "x",
];

/// The ends of syllables without marks, sorted.
const RIMES: [&str; 120] = [
    "a", "ac", "ach", "ai", "am", "an", "ang", "anh", "ao", "ap", "at", "au", "ay", "e", "ec", "ech", "em", "en",
    "eng", "enh", "eo", "ep", "et", "eu", "i", "ia", "ich", "iec", "iem", "ien", "ieng", "iep", "iet", "ieu", "im",
    "in", "inh", "ip", "it", "iu", "o", "oa", "oac", "oach", "oai", "oam", "oan", "oang", "oanh", "oao", "oap", "oat",
    "oay", "oc", "oe", "oen", "oeo", "oet", "oi", "om", "on", "ong", "oong", "op", "ot", "u", "ua", "uac", "uach",
    "uai", "uan", "uang", "uanh", "uao", "uat", "uay", "uc", "ue", "uech", "uen", "uenh", "ueo", "uet", "ui", "uit",
    "um", "un", "ung", "uo", "uoc", "uoi", "uom", "uon", "uong", "uop", "uot", "uou", "up", "ut", "uu", "uy", "uya",
    "uych", "uyen", "uyet", "uyn", "uynh", "uyp", "uyt", "uyu", "y", "ych", "yem", "yen", "yeng", "yet", "yeu", "ym",
    "yn", "ynh",
];

/// Less common words of names, sorted.
const KNOWN: [&str; 124] = [
    "ai", "an", "ban", "bao", "bich", "bien", "bong", "ca", "cam", "canh", "cat", "chinh", "chung", "chuong", "cu",
    "cuc", "da", "dai", "dam", "dan", "dao", "dau", "dich", "diem", "dien", "dieu", "doan", "doanh", "don", "duan",
    "duyen", "gam", "gia", "giao", "gioi", "han", "hao", "hau", "hoai", "hoan", "hoang", "hoat", "hoe", "hoi", "hop",
    "huan", "huu", "huyen", "ke", "khai", "khang", "khiem", "khoi", "khue", "khuong", "kieu", "ky", "la", "lanh",
    "lap", "le", "lieu", "loi", "luan", "luc", "luong", "luu", "luyen", "man", "men", "mong", "muoi", "na", "nghi",
    "ngo", "nguyet", "nhan", "nhat", "nhien", "nhu", "nhuan", "ninh", "nu", "phat", "phi", "phuoc", "phung", "phuong",
    "quy", "quyet", "sam", "sang", "sau", "sen", "si", "sinh", "suong", "sy", "tai", "thai", "tham", "than", "thi",
    "thiem", "thin", "thinh", "thoa", "thoai", "thong", "thuan", "thuc", "thuong", "ti", "tin", "tinh", "to", "trai",
    "tram", "truc", "tung", "tuong", "ty", "van", "vuong",
];

/// Common words of names, and how much each tells. Shares of surnames as they are commonly published.
const COMMON: [(&[&str], i32); 7] = [
    (&["nguyen"], 14),
    (&["thi"], 20),
    (&["van"], 28),
    (&["tran", "le"], 32),
    (&["pham", "hoang", "huynh", "phan", "vu", "vo"], 42),
    (&["dang", "bui", "do", "ho", "ngo", "duong", "minh", "ngoc", "thanh", "huu", "duc", "anh"], 52),
    (
        &[
            "an", "binh", "chau", "chi", "chien", "cong", "cuong", "dat", "diep", "dinh", "dung", "duy", "giang", "ha",
            "hai", "han", "hang", "hanh", "hien", "hiep", "hieu", "hoa", "hong", "hue", "hung", "huong", "huy",
            "huyen", "khanh", "khoa", "kien", "kim", "lam", "lan", "lien", "linh", "loan", "loc", "long", "ly", "mai",
            "manh", "my", "nam", "nga", "ngan", "nghia", "nhi", "nhung", "oanh", "phong", "phu", "phuc", "phuong",
            "quan", "quang", "quoc", "quyen", "quynh", "son", "tam", "tan", "thang", "thao", "the", "thien", "tho",
            "thu", "thuy", "tien", "toan", "trang", "tri", "trinh", "trong", "trung", "truong", "tu", "tuan", "tuyet",
            "uyen", "vinh", "xuan", "yen",
        ],
        65,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_were_written_as_one_word_are_cut() {
        assert_eq!(parts_of("thuha"), ["thu", "ha"]);
        assert_eq!(parts_of("hoanganh"), ["hoang", "anh"]);
        assert_eq!(parts_of("nguyenthithuha"), ["nguyen", "thi", "thu", "ha"]);
        // More than one way: the commoner names.
        assert_eq!(parts_of("thanhan"), ["thanh", "an"]);
    }

    #[test]
    fn syllables_slips_and_names_of_other_languages_stay_whole() {
        for whole in
            ["", "hoan", "toan", "nghieng", "nguyenn", "linhh", "minhi", "maria", "linda", "chloe", "y", "hamh", "αβ"]
        {
            assert_eq!(parts_of(whole), [whole]);
        }
    }
}
