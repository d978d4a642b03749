//! Judges what stable rustfmt leaves alone: length of comments, one import style, riddles in comments.
//!
//! ```text
//! style check [FILE…]     lists each violation as file:line: what; exits with 1 if there is one
//! style wrap [FILE…]      rewraps the comment paragraphs that have a line over the limit
//! ```
//! Without files: all `.rs` files of the repository that git does not ignore. `make check` builds it with
//! rustc alone and runs it.
//!
//! The import style is rustfmt's `group_imports = "StdExternalCrate"` with `imports_granularity = "Module"`, which
//! only nightly has: `cargo +nightly fmt -- --config group_imports=StdExternalCrate,imports_granularity=Module`
//! mends what is found here.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::{env, fs};

/// Characters of a line, indentation included; `max_width` of rustfmt.toml.
const WIDTH: usize = 120;
/// An inline code span up to this length is kept on one line.
const SPAN: usize = 60;
/// A last line shorter than this takes words from the lines before.
const SHORT: usize = 24;
/// Words that hide the actor; see "The rule of words" in CONTRIBUTING.md.
const RIDDLES: &[&str] = &["everybody", "no one", "nobody", "somebody", "whoever"];

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let mode = arguments.next().unwrap_or_default();
    let mut files: Vec<String> = arguments.collect();
    if files.is_empty() {
        files = tracked();
    }
    match mode.as_str() {
        "check" => check(&files),
        "wrap" => wrap_all(&files),
        _ => {
            eprintln!("usage: style check|wrap [FILE…]");
            ExitCode::from(2)
        }
    }
}

/// Returns the Rust files of the repository, new ones included, ignored ones not.
fn tracked() -> Vec<String> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "*.rs"])
        .output()
        .expect("git can be run");
    let listed = String::from_utf8(output.stdout).expect("file names are UTF-8");
    listed.lines().filter(|file| Path::new(file).exists()).map(str::to_owned).collect()
}

fn read(file: &str) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn check(files: &[String]) -> ExitCode {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for file in files {
        let text = read(file);
        let lines: Vec<&str> = text.lines().collect();
        let mut found = comment_faults(&lines);
        found.extend(import_faults(&lines));
        found.sort_by_key(|fault| fault.line);
        let folder = file.split('/').next().unwrap_or_default();
        for Fault { line, kind, what } in found {
            println!("{file}:{}: {what}", line + 1);
            *counts.entry((folder, kind)).or_default() += 1;
        }
    }
    for ((folder, kind), count) in &counts {
        eprintln!("{folder}: {count} x {kind}");
    }
    if counts.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

struct Fault {
    /// Counted from 0.
    line: usize,
    kind: &'static str,
    what: String,
}

// Comments

/// A line that holds nothing but a comment.
struct Comment<'a> {
    indent: &'a str,
    marker: &'a str,
    /// What follows the marker and one space.
    body: &'a str,
}

impl<'a> Comment<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let start = line.trim_start();
        let indent = &line[..line.len() - start.len()];
        let marker = ["///", "//!", "//"].into_iter().find(|marker| start.starts_with(marker))?;
        let rest = &start[marker.len()..];
        // `////` rules a line off; `//#` and the like are code switched off.
        if rest.starts_with('/') {
            return None;
        }
        Some(Self { indent, marker, body: rest.strip_prefix(' ').unwrap_or(rest) })
    }

    fn is_doc(&self) -> bool {
        self.marker.len() == 3
    }

    /// Whether a line break before or after this line means something: tables, headings, link
    /// targets, text set by hand.
    fn is_fixed(&self) -> bool {
        let body = self.body;
        body.trim().is_empty()
            || body.starts_with(['|', '#', '>', '+', '`'].as_slice())
                && (!body.starts_with('`') || body.starts_with("```"))
            || body.starts_with("   ")
            || body.starts_with('[') && body.contains("]: ")
    }
}

fn comment_faults(lines: &[&str]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut fenced = false;
    for (at, line) in lines.iter().enumerate() {
        let Some(comment) = Comment::parse(line) else {
            fenced = false;
            if line.chars().count() > WIDTH && line.contains(" // ") {
                let what = format!("comment beyond {WIDTH} characters; put it on a line of its own");
                faults.push(Fault { line: at, kind: "long comment", what });
            }
            continue;
        };
        let fence = comment.body.trim_start().starts_with("```");
        fenced ^= fence;
        let breakable = comment.body.trim().contains(' ') && !comment.body.starts_with('|');
        if line.chars().count() > WIDTH && breakable && !fenced && !fence {
            let what = format!("comment of {} characters; the limit is {WIDTH}", line.chars().count());
            faults.push(Fault { line: at, kind: "long comment", what });
        }
        if fenced || fence {
            continue;
        }
        let prose = comment.body.split('`').step_by(2); // code spans left out
        let words = prose.flat_map(|text| text.split(|c: char| !c.is_alphabetic())).map(str::to_lowercase);
        let words: Vec<String> = words.filter(|word| !word.is_empty()).collect();
        let pairs = words.windows(2).map(|pair| pair.join(" "));
        for word in words.iter().cloned().chain(pairs).filter(|word| RIDDLES.contains(&word.as_str())) {
            let what = format!("\"{word}\" hides who is meant; name the actor");
            faults.push(Fault { line: at, kind: "riddle", what });
        }
        if comment.is_doc() && is_one_word(lines, at, &comment) {
            let what = format!("\"{}\" says too little; write a sentence", comment.body);
            faults.push(Fault { line: at, kind: "riddle", what });
        }
    }
    faults
}

/// True if this doc comment is a single question word with a full stop (`Which.`). A single name
/// (`DER.`) says what it is.
fn is_one_word(lines: &[&str], at: usize, comment: &Comment) -> bool {
    let neighbour = |at: Option<usize>| {
        at.and_then(|at| lines.get(at))
            .and_then(|line| Comment::parse(line))
            .is_some_and(|c| c.marker == comment.marker)
    };
    let word = comment.body.trim().trim_end_matches('.');
    ["How", "What", "When", "Where", "Whether", "Which", "Who", "Whose", "Why"].contains(&word)
        && !neighbour(at.checked_sub(1))
        && !neighbour(Some(at + 1))
}

fn wrap_all(files: &[String]) -> ExitCode {
    for file in files {
        let text = read(file);
        let wrapped = wrap(&text);
        if wrapped != text {
            fs::write(file, wrapped).unwrap_or_else(|error| panic!("{file}: {error}"));
            println!("{file}");
        }
    }
    ExitCode::SUCCESS
}

/// Returns the text with each over-long comment line refilled, together with the rest of its paragraph.
fn wrap(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut result: Vec<String> = Vec::new();
    let (mut at, mut fenced) = (0, false);
    while at < lines.len() {
        let line = lines[at];
        let Some(comment) = Comment::parse(line) else {
            fenced = false;
            result.push(line.to_owned());
            at += 1;
            continue;
        };
        let fence = comment.body.trim_start().starts_with("```");
        fenced ^= fence;
        if fence || fenced || comment.is_fixed() || line.chars().count() <= WIDTH {
            result.push(line.to_owned());
            at += 1;
            continue;
        }
        let hanging = hanging_indent(comment.body);
        let mut words = comment.body.trim().to_owned();
        at += 1;
        while let Some(next) = lines.get(at).and_then(|line| Comment::parse(line)) {
            let same = next.indent == comment.indent && next.marker == comment.marker;
            if !same || next.is_fixed() || list_marker(next.body.trim_start()) > 0 {
                break;
            }
            words.push(' ');
            words.push_str(next.body.trim());
            at += 1;
        }
        let leading = &comment.body[..comment.body.len() - comment.body.trim_start().len()];
        let prefix = format!("{}{} ", comment.indent, comment.marker);
        let (first, next) = (format!("{prefix}{leading}"), format!("{prefix}{hanging}"));
        result.extend(fill(&atoms(&words), &first, &next));
    }
    let mut text = result.join("\n");
    text.push('\n');
    text
}

/// Returns the pieces as lines; a narrower limit is used where the last line would hold a word or two.
fn fill(atoms: &[String], first: &str, next: &str) -> Vec<String> {
    let within = |limit: usize| {
        let mut lines = vec![first.to_owned()];
        let mut empty = true;
        for atom in atoms {
            let line = lines.last_mut().expect("has its first line");
            if !empty && line.chars().count() + 1 + atom.chars().count() > limit {
                lines.push(format!("{next}{atom}"));
                continue;
            }
            if !empty {
                line.push(' ');
            }
            line.push_str(atom);
            empty = false;
        }
        lines
    };
    let full = within(WIDTH);
    let short = |lines: &[String]| lines.last().is_some_and(|line| line.chars().count() < next.chars().count() + SHORT);
    if !short(&full) {
        return full;
    }
    let narrower = (WIDTH - SHORT..WIDTH).rev().map(within);
    narrower.take_while(|lines| lines.len() == full.len()).find(|lines| !short(lines)).unwrap_or(full)
}

/// Splits into pieces that stay on one line: words, short code spans, a word with what Markdown would
/// misread at the start of a line.
fn atoms(text: &str) -> Vec<String> {
    let mut atoms: Vec<String> = Vec::new();
    let mut open = false;
    for word in text.split_whitespace() {
        let glued = match atoms.last() {
            None => false,
            Some(last) => {
                open && last.chars().count() < SPAN
                    || list_marker(&format!("{word} x")) > 0
                    || word.starts_with(['#', '>', '|'])
            }
        };
        match atoms.last_mut() {
            Some(last) if glued => {
                last.push(' ');
                last.push_str(word);
            }
            _ => atoms.push(word.to_owned()),
        }
        open ^= word.matches('`').count() % 2 == 1;
    }
    atoms
}

/// Returns the spaces under which a list item or an indented paragraph goes on.
fn hanging_indent(body: &str) -> String {
    let start = body.trim_start();
    " ".repeat(body.len() - start.len() + list_marker(start))
}

/// Returns the length of `* `, `- ` or `12. ` at the start, else 0.
fn list_marker(text: &str) -> usize {
    if text.starts_with("* ") || text.starts_with("- ") || text.starts_with("+ ") {
        return 2;
    }
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    if digits > 0 && digits < 3 && text[digits..].starts_with(". ") { digits + 2 } else { 0 }
}

// Imports

/// A `use` item.
struct Import {
    line: usize,
    /// Visibility and attributes: imports that differ in them are not merged.
    outside: String,
    block: Block,
    /// The module imported from, and whether something is deeper than one level below it.
    module: String,
    nested: bool,
    /// Whether an empty line stands before it.
    apart: bool,
}

#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
enum Block {
    Std,
    External,
    Ours,
}

fn import_faults(lines: &[&str]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let (mut at, mut run) = (0, Vec::new());
    let (mut apart, mut attributes) = (false, String::new());
    while at < lines.len() {
        let line = lines[at].trim();
        if let Some((outside, mut item)) = use_item(line) {
            let start = at;
            while !item.contains(';') && at + 1 < lines.len() {
                at += 1;
                item.push(' ');
                item.push_str(lines[at].trim());
            }
            run.push(Import::new(start, format!("{attributes}{outside}"), &item, apart));
            (apart, attributes) = (false, String::new());
        } else if line.is_empty() {
            apart = true;
        } else if line.starts_with("#[") {
            attributes.push_str(line);
        } else {
            judge_run(&run, &mut faults);
            run.clear();
            (apart, attributes) = (false, String::new());
        }
        at += 1;
    }
    judge_run(&run, &mut faults);
    faults
}

/// Splits a line that begins a `use` item into what stands before `use` and what is used.
fn use_item(line: &str) -> Option<(&str, String)> {
    let rest = line.strip_prefix("pub").map_or(line, |rest| {
        let rest = rest.trim_start();
        rest.strip_prefix('(').and_then(|inner| inner.split_once(')')).map_or(rest, |(_, rest)| rest.trim_start())
    });
    let item = rest.strip_prefix("use ")?;
    Some((line[..line.len() - rest.len()].trim_end(), item.to_owned()))
}

impl Import {
    fn new(line: usize, outside: String, item: &str, apart: bool) -> Self {
        let path = item.split(';').next().unwrap_or_default().trim().trim_start_matches("::");
        let block = match path.split([':', ' ', '{'].as_slice()).next() {
            Some("alloc" | "core" | "std") => Block::Std,
            Some("crate" | "self" | "super") => Block::Ours,
            _ => Block::External,
        };
        let (module, nested) = match path.split_once('{') {
            Some((module, inner)) => {
                (module.trim_end_matches(':').to_owned(), inner.contains("::") || inner.contains('{'))
            }
            None => (path.rsplit_once("::").map_or(String::new(), |(module, _)| module.to_owned()), false),
        };
        Self { line, outside, block, module, nested, apart }
    }
}

fn judge_run(run: &[Import], faults: &mut Vec<Fault>) {
    let mut fault = |line, what: &str| faults.push(Fault { line, kind: "import", what: what.to_owned() });
    for import in run.iter().filter(|import| import.nested) {
        fault(import.line, "one `use` per module: no path inside the braces");
    }
    for (first, second) in run.iter().zip(run.iter().skip(1)) {
        match (first.block == second.block, second.apart) {
            (true, true) => fault(second.line, "one block of imports is parted by an empty line"),
            (false, false) => fault(second.line, "imports in three blocks: std, others, ours (crate, self, super)"),
            _ if first.block > second.block => fault(second.line, "blocks of imports in order: std, others, ours"),
            _ => {}
        }
    }
    for (at, import) in run.iter().enumerate() {
        let same = |other: &Import| {
            !other.module.is_empty() && other.module == import.module && other.outside == import.outside
        };
        if run[..at].iter().any(same) {
            fault(import.line, "two `use` of one module: merge them");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(usize, &'static str)> {
        let lines: Vec<&str> = text.lines().collect();
        let faults = comment_faults(&lines).into_iter().chain(import_faults(&lines));
        faults.map(|fault| (fault.line, fault.kind)).collect()
    }

    #[test]
    fn imports_stand_in_three_blocks_one_per_module() {
        let good =
            "use std::fmt::{self, Debug};\nuse std::fs;\n\npub use image::Rgb;\nuse time::Date;\n\nuse super::Deed;\n";
        assert_eq!(found(good), []);
        assert_eq!(found("use std::{fmt, fs};\n\nuse time::Date;\nuse crate::Deed;\n"), [(3, "import")]);
        assert_eq!(found("use time::Date;\n\nuse std::fs;\n"), [(2, "import")]);
        assert_eq!(found("use std::fmt;\n\nuse std::fs;\n"), [(2, "import"), (2, "import")]);
        assert_eq!(found("use crypto::{\n    lds::Com,\n    sod,\n};\n"), [(0, "import")]);
    }

    #[test]
    fn riddles_are_found_in_prose_only() {
        assert_eq!(
            found("/// Which.\nfn a() {}\n// Nobody knows, and no one asks.\n"),
            [(0, "riddle"), (2, "riddle"), (2, "riddle"),]
        );
        assert_eq!(found("/// Calls `nobody`.\nlet a = \"somebody\";\n"), []);
    }

    #[test]
    fn long_paragraphs_are_refilled_and_nothing_else() {
        let words = "word ".repeat(30);
        let table = format!("//! | a | {words} |\n//! ```text\n//! {words}\n//! ```\n");
        assert_eq!(wrap(&table), table);
        let item = format!("    /// * {}\n    ///   end.\n    /// * next\n", words.trim());
        let wrapped = wrap(&item);
        assert!(wrapped.lines().all(|line| line.chars().count() <= WIDTH), "{wrapped}");
        assert!(wrapped.contains("\n    ///   word") && wrapped.ends_with("word end.\n    /// * next\n"), "{wrapped}");
        assert_eq!(wrap(&wrapped), wrapped);
    }
}
