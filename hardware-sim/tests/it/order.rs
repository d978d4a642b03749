//! The top-level modules of this crate import each other in one direction only.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Where one module imports another: file and line of the first place.
type Imports = BTreeMap<String, BTreeMap<String, String>>;

/// Roots that compose the others and that no module may import from.
const ROOTS: [&str; 2] = ["lib", "main"];

#[test]
fn modules_import_in_one_direction_only() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    collect(&source, &source, &mut sources);
    let faults = judge(&sources);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(sources.len() > 15, "only {} files were found in {}", sources.len(), source.display());
}

#[test]
fn a_circle_and_an_import_through_the_root_are_named() {
    let source = |path: &str, text: &str| (path.to_owned(), text.to_owned());
    let circle = [
        source("chip.rs", "use crate::applet;\n"),
        source("applet/files.rs", "//! See `crate::slot`.\nuse std::fs;\nuse crate::core::Core;\n"),
        source("core.rs", "fn f() { crate::chip::g() } // crate::slot\n"),
        source("slot.rs", "use crate::chip::Chip;\n"),
    ];
    let rule = "modules import in one direction only; this is a circle: ";
    let way = "applet -> core (applet/files.rs:3), core -> chip (core.rs:1), chip -> applet (chip.rs:1)";
    assert_eq!(judge(&circle), [format!("{rule}{way}")]);
    let root = [source("slot.rs", "use crate::{chip::Chip, Store};\nuse crate::Profile;\n"), source("chip.rs", "")];
    let rule = "a module imports another by its path, not through the root of the crate";
    assert_eq!(judge(&root), [format!("slot.rs:1: Store: {rule}"), format!("slot.rs:2: Profile: {rule}")]);
}

fn collect(root: &Path, folder: &Path, sources: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(root, &path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).expect("inside").to_string_lossy().into_owned();
            sources.push((name, fs::read_to_string(&path).expect("text")));
        }
    }
    sources.sort();
}

/// Returns one sentence for each import that breaks a rule.
fn judge(sources: &[(String, String)]) -> Vec<String> {
    let module = |path: &str| path.split(['/', '.']).next().unwrap_or_default().to_owned();
    let modules: BTreeSet<String> = sources.iter().map(|(path, _)| module(path)).collect();
    let mut faults = Vec::new();
    let mut imports = Imports::new();
    for (path, text) in sources.iter().filter(|(path, _)| !ROOTS.contains(&&*module(path))) {
        for (at, line) in text.lines().enumerate() {
            let place = format!("{path}:{}", at + 1);
            for name in imported(line) {
                if !modules.contains(&name) {
                    let rule = "a module imports another by its path, not through the root of the crate";
                    faults.push(format!("{place}: {name}: {rule}"));
                } else if name != module(path) {
                    imports.entry(module(path)).or_default().entry(name).or_insert_with(|| place.clone());
                }
            }
        }
    }
    let mut known = BTreeSet::new();
    for start in imports.keys() {
        if let Some(circle) = circle(&imports, start, &mut vec![start.clone()]) {
            let mut members = circle.clone();
            members.sort();
            if known.insert(members) {
                let way = circle.iter().zip(circle.iter().cycle().skip(1));
                let steps: Vec<String> =
                    way.map(|(from, to)| format!("{from} -> {to} ({})", imports[from][to])).collect();
                faults.push(format!("modules import in one direction only; this is a circle: {}", steps.join(", ")));
            }
        }
    }
    faults
}

/// Returns the way from `start` back to itself, if there is one.
fn circle(imports: &Imports, start: &str, way: &mut Vec<String>) -> Option<Vec<String>> {
    let here = way.last()?.clone();
    for next in imports.get(&here)?.keys() {
        if next == start {
            return Some(way.clone());
        }
        if !way.contains(next) {
            way.push(next.clone());
            if let Some(found) = circle(imports, start, way) {
                return Some(found);
            }
            way.pop();
        }
    }
    None
}

/// Returns the first names after `crate::` in a line of code, those of a group in braces included.
fn imported(line: &str) -> Vec<String> {
    let code = line.split("//").next().unwrap_or_default();
    let first = |path: &str| path.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let names = code.split("crate::").skip(1).flat_map(|path| match path.strip_prefix('{') {
        Some(group) => group.split(',').map(first).collect(),
        None => vec![first(path)],
    });
    names.filter(|name| !name.is_empty()).collect()
}
