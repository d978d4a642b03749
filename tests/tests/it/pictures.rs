//! The pictures of the documents: those that are drawn from the code and from the tables of `docs/benchmarks.md` are as
//! those say, and all can be read small, in the dark and by a screen reader.
//!
//! `UPDATE_PICTURES=1 cargo test -p tests pictures` draws them anew.

mod canvas;
mod figures;
mod lives;

use std::path::Path;
use std::{env, fs};

use tests::documents::root;

/// Pictures that are drawn by hand, older than the rule of the width.
const WIDE: [&str; 2] = ["docs/layers.svg", "docs/road.svg"];

#[test]
fn a_picture_that_is_drawn_is_what_the_code_and_the_figures_say() {
    let benchmarks = fs::read_to_string(root().join("docs/benchmarks.md")).unwrap();
    let mut old = Vec::new();
    for (path, drawn) in lives::all().into_iter().chain(figures::all(&benchmarks)) {
        let file = root().join(&path);
        if env::var_os("UPDATE_PICTURES").is_some() {
            fs::write(&file, &drawn).unwrap();
        }
        if fs::read_to_string(&file).unwrap_or_default() != drawn {
            old.push(path);
        }
    }
    assert!(old.is_empty(), "run `UPDATE_PICTURES=1 cargo test -p tests pictures` and look at {old:?}");
}

#[test]
fn every_picture_is_read_small_in_the_dark_and_by_a_screen_reader() {
    let mut wrong = Vec::new();
    let mut pictures = 0;
    for folder in ["docs", "docs/figures"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let name = format!("{folder}/{}", entry.unwrap().file_name().to_string_lossy());
            if Path::new(&name).extension().is_none_or(|found| found != "svg") {
                continue;
            }
            pictures += 1;
            let text = fs::read_to_string(root().join(&name)).unwrap();
            for needed in ["role=\"img\"", "<title id=\"title\">", "<desc id=\"desc\">", "prefers-color-scheme: dark"] {
                if !text.contains(needed) {
                    wrong.push(format!("{name} has no {needed}"));
                }
            }
            let width =
                text.split("viewBox=\"0 0 ").nth(1).and_then(|rest| rest.split(' ').next()?.parse::<u32>().ok());
            if !WIDE.contains(&name.as_str()) && width != Some(600) {
                wrong.push(format!("{name} is not 600 wide, at which its letters are as large as the text around it"));
            }
        }
    }
    assert!(pictures > 8 && wrong.is_empty(), "{pictures} pictures\n{}", wrong.join("\n"));
}
