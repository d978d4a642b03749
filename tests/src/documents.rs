//! The documents of this repository as tests read them: their blocks of code, and whether each is run.

use std::path::{Path, PathBuf};

/// A fenced block of a document.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Block {
    /// The line of its fence, from 1.
    pub line: usize,
    /// The word after the fence: `sh`, `text`, …
    pub language: String,
    /// What stands in it.
    pub text: String,
    /// Why no test runs it: what `<!-- not run: … -->` on the line before says.
    pub not_run: Option<String>,
    /// The test that runs it: what `<!-- run by FILE -->` on the line before says.
    pub run_by: Option<String>,
    /// The output that the document shows for it: the `text` block that follows on the next line.
    pub shown: Option<Vec<String>>,
}

/// The folder of the workspace.
///
/// # Panics
/// Never: this crate has a folder above its own.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate stands in the workspace").to_owned()
}

/// Returns the fenced blocks of a document in Markdown, in order; those in lists, indented, too.
pub fn blocks(document: &str) -> Vec<Block> {
    let lines: Vec<&str> = document.lines().collect();
    let mut found: Vec<Block> = Vec::new();
    let (mut at, mut last_end) = (0, usize::MAX);
    while at < lines.len() {
        let indent = lines[at].len() - lines[at].trim_start().len();
        let Some(language) = lines[at].trim_start().strip_prefix("```") else {
            at += 1;
            continue;
        };
        let body: Vec<&str> = lines[at + 1..].iter().take_while(|line| line.trim() != "```").copied().collect();
        let text: String = body.iter().flat_map(|line| [line.get(indent..).unwrap_or_default(), "\n"]).collect();
        let before = at.checked_sub(1).map(|before| lines[before].trim()).unwrap_or_default();
        let not_run = before.strip_prefix("<!-- not run:").and_then(|rest| rest.strip_suffix("-->"));
        let run_by = before.strip_prefix("<!-- run by ").and_then(|rest| rest.strip_suffix("-->"));
        let follows = language == "text" && last_end.checked_add(1) == Some(at);
        if let Some(block) = found.last_mut().filter(|_| follows) {
            block.shown = Some(text.lines().map(str::to_owned).collect());
        }
        found.push(Block {
            line: at + 1,
            language: language.trim().to_owned(),
            text,
            not_run: not_run.map(|reason| reason.trim().to_owned()),
            run_by: run_by.map(|file| file.trim().to_owned()),
            shown: None,
        });
        last_end = at + 1 + body.len();
        at = last_end + 1;
    }
    found
}

/// A piece of code within a line of prose, between backticks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Span {
    /// The line, from 1.
    pub line: usize,
    /// What stands between the backticks.
    pub text: String,
}

/// Returns the pieces of code in the prose of a document, in order; blocks are left out.
pub fn spans(document: &str) -> Vec<Span> {
    let prose = prose(document);
    let parts = |(line, text): &(usize, &str)| -> Vec<Span> {
        let inner = text.split('`').skip(1).step_by(2);
        inner.map(|text| Span { line: *line, text: text.trim().to_owned() }).collect()
    };
    prose.iter().flat_map(parts).filter(|span| !span.text.is_empty()).collect()
}

/// Returns the lines of a document that stand in no block, with their numbers from 1.
pub fn prose(document: &str) -> Vec<(usize, &str)> {
    let mut fenced = false;
    let mut kept = Vec::new();
    for (at, line) in document.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            kept.push((at + 1, line));
        }
    }
    kept
}
