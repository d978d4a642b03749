//! `docs/failure-codes.md` against the sources: every problem code with its remedy.

use std::collections::BTreeMap;
use std::path::Path;

/// Codes and remedies as they stand in the sources: a word in quotes, then a sentence in quotes (or the name of one).
fn codes(folder: &Path, found: &mut BTreeMap<String, Option<String>>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            codes(&path, found);
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap();
        let quoted: Vec<&str> = text.split('"').collect();
        for at in 1..quoted.len() - 1 {
            let word = quoted[at];
            let is_word = word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
            if word.is_empty() || !is_word {
                continue;
            }
            let Some(after) = quoted[at + 1].strip_prefix(',') else { continue };
            let sentence = quoted.get(at + 2).copied().unwrap_or_default();
            if after.trim().is_empty() && sentence.starts_with(|c: char| c.is_ascii_uppercase()) {
                found.insert(word.to_owned(), Some(sentence.to_owned()));
            } else if after.trim_start().starts_with("remedy)") || after.trim_start().starts_with("asked)") {
                found.entry(word.to_owned()).or_default();
            }
        }
    }
}

#[test]
fn every_problem_code_stands_in_the_book_with_its_remedy() {
    let book = include_str!("../../../docs/failure-codes.md").split("## Of the issuance service").nth(1).unwrap();
    let mut found = BTreeMap::new();
    codes(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 80, "the scan must have found them: {found:?}");
    for (code, remedy) in &found {
        let row = book.lines().find(|line| line.starts_with(&format!("| `{code}` | ")));
        let row = row.unwrap_or_else(|| panic!("docs/failure-codes.md lacks `{code}`"));
        if let Some(remedy) = remedy {
            assert!(row.ends_with(&format!(" | {remedy} |")), "the remedy of `{code}` differs:\n{row}\n{remedy}");
        }
    }
    for row in book.lines().filter(|line| line.starts_with("| `")) {
        let code = row.split('`').nth(1).unwrap();
        assert!(found.contains_key(code), "no source has `{code}`");
    }
}
