//! What the documents name exists: commands, flags, routes, files, links, settings, codes. And each block of commands
//! is run by a test or says why not.
//!
//! A failure lists every place as `document:line: what is wrong`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tests::documents::{Block, blocks, prose, root, spans};
use tests::world::program;

/// Documents whose blocks of commands a test runs, and that test.
const RUN_BY: [(&str, &str); 1] = [("docs/by-hand.md", "by_hand::every_block_of_the_tutorial_does_what_it_shows")];

/// Our programs, whose subcommands and flags are looked up.
const PROGRAMS: [&str; 3] = ["issuance", "card-agent", "hardware-sim"];

/// Programs with which a line of commands begins.
const COMMANDS: [&str; 9] =
    ["age-keygen", "card-agent", "cargo", "curl", "hardware-sim", "issuance", "make", "sudo", "systemctl"];

/// Names that a document may use though they stand in no source: of other projects, and of what was decided against.
const OF_OTHERS: &[&str] = &[
    "CARD_AGENT__KIOSK__KEY",
    "CARD_AGENT__STATION__KEY",
    "archive_command",
    "archive_mode",
    "archive_timeout",
    "cldr-core",
    "cldr-localenames-full",
    "get_serial",
    "ISSUANCE__SECTION__KEY",
    "hostile-empty-reads",
    "hostile-garbage",
    "hostile-one-byte-reads",
    "hostile-truncated",
    "hostile-wrong-macs",
    "opentelemetry-otlp",
    "PARTNER_ANSWER_KEYS",
    "PARTNER_AUTHORITY",
    "PARTNER_CERTIFICATE",
    "PARTNER_KEY",
    "PARTNER_SERVICE",
    "pg_basebackup",
    "pg_stats",
    "restore_command",
    "scikit-image",
    "sqlite_stat1",
    "tone-placement",
    "tracing-opentelemetry",
    "xml-sec",
    "tests/unittests/test_globalplatform.py",
];

/// Returns the documents that git knows, each with its text.
fn documents() -> Vec<(String, String)> {
    let found: Vec<_> = tracked()
        .into_iter()
        .filter(|path| ends(path, "md"))
        .map(|path| (path.clone(), fs::read_to_string(root().join(path)).unwrap()))
        .collect();
    assert!(found.len() > 20, "the documents are found");
    found
}

/// Returns the files that git knows or would know.
fn tracked() -> Vec<String> {
    let arguments = ["ls-files", "--cached", "--others", "--exclude-standard"];
    let said = Command::new("git").args(arguments).current_dir(root()).output().unwrap();
    let all = String::from_utf8(said.stdout).unwrap();
    all.lines().filter(|path| root().join(path).exists()).map(str::to_owned).collect()
}

/// Whether a file's name ends so.
fn ends(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == extension)
}

fn none_of(wrong: &[String], remedy: &str) {
    assert!(wrong.is_empty(), "{remedy}\n{}", wrong.join("\n"));
}

#[test]
fn every_block_of_commands_is_run_or_says_why_not() {
    let mut wrong = Vec::new();
    for (path, text) in documents() {
        let run = RUN_BY.iter().any(|(document, _)| *document == path);
        for block in blocks(&text).iter().filter(|block| block.language != "sh") {
            // Two spaces after the name are those of a drawing.
            let command = |rest: &str| rest.starts_with(' ') && !rest.starts_with("  ");
            let begins = |line: &str| COMMANDS.iter().any(|name| line.trim().strip_prefix(name).is_some_and(command));
            if block.text.lines().any(begins) {
                wrong.push(format!(
                    "{path}:{}: a block of commands is marked `{}`, not `sh`",
                    block.line, block.language
                ));
            }
        }
        for block in blocks(&text).iter().filter(|block| block.language == "sh" && !run) {
            let runs = |test: &String| {
                fs::read_to_string(root().join(test))
                    .is_ok_and(|source| source.contains(path.rsplit('/').next().unwrap()))
            };
            if block.run_by.as_ref().is_some_and(runs) {
                continue;
            }
            if block.not_run.as_ref().is_none_or(String::is_empty) {
                wrong.push(format!("{path}:{}: no test runs this block", block.line));
            }
        }
    }
    for (document, test) in RUN_BY {
        let (module, name) = test.split_once("::").unwrap();
        let source = fs::read_to_string(root().join(format!("tests/tests/it/{module}.rs"))).unwrap();
        if !source.contains(&format!("fn {name}()")) || !source.contains(document) {
            wrong.push(format!("{document}: {test} does not run it"));
        }
    }
    none_of(
        &wrong,
        "put `<!-- not run: REASON -->` on the line before the block, or run it and name its test in RUN_BY",
    );
}

/// What a program understands: of each command, by its words joined by spaces, the subcommands and the flags; and of
/// all programs the flags that take a value.
struct Grammar(BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)>, BTreeSet<String>);

impl Grammar {
    /// Asks the built programs.
    fn of_our_programs() -> Self {
        let mut all = Self(BTreeMap::new(), BTreeSet::new());
        for name in PROGRAMS {
            all.ask(name, &[]);
        }
        all
    }

    fn ask(&mut self, name: &str, words: &[String]) {
        let said = Command::new(program(name).unwrap()).args(words).arg("--help").output().unwrap();
        let help = String::from_utf8(said.stdout).unwrap();
        let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
        let commands: BTreeSet<_> = commands
            .filter_map(|line| line.strip_prefix("  ")?.split(' ').next().filter(|word| !word.is_empty()))
            .map(str::to_owned)
            .collect();
        let flags = help.lines().filter(|line| line.trim_start().starts_with('-'));
        let valued = flags.clone().filter(|line| line.contains('<')).flat_map(str::split_whitespace);
        self.1.extend(valued.filter(|word| word.starts_with("--")).map(|flag| flag_alone(flag).to_owned()));
        let flags = flags.flat_map(str::split_whitespace).filter(|word| word.starts_with('-'));
        let flags = flags.map(|flag| flag_alone(flag).to_owned()).collect();
        for command in commands.iter().filter(|command| *command != "help") {
            self.ask(name, &[words, std::slice::from_ref(command)].concat());
        }
        self.0.insert([&[name.to_owned()], words].concat().join(" "), (commands, flags));
    }

    /// Says what of this command line does not exist. It begins with the name of one of our programs.
    fn refuses(&self, line: &[&str]) -> Option<String> {
        let mut command = line[0].to_owned();
        let mut rest = line[1..].iter().peekable();
        while let Some((commands, flags)) = self.0.get(&command) {
            let Some(word) = rest.next() else { break };
            let word = word.trim_end_matches([',', '.', ')', '"', '\'']);
            if let Some(flag) = word.starts_with('-').then(|| flag_alone(word)).filter(|flag| flag.len() > 1) {
                if flag == "--" {
                    break;
                }
                if !flags.contains(flag) {
                    return Some(format!("`{command}` has no flag {flag}"));
                }
                if self.1.contains(flag) && !word.contains('=') {
                    rest.next();
                }
            } else if commands.contains(word) {
                command = format!("{command} {word}");
            } else if !commands.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '-') {
                return Some(format!("`{command}` has no command {word}"));
            }
        }
        None
    }
}

fn flag_alone(word: &str) -> &str {
    word.split(['=', '[', '<', ',', ']']).next().unwrap_or_default()
}

/// Returns the command lines of our programs in a piece of shell.
fn command_lines(shell: &str) -> Vec<Vec<&str>> {
    let mut found = Vec::new();
    for command in shell.split(['\n', ';', '|', '&', '(', ')', '{', '}']) {
        let command = command.split(" #").next().unwrap_or_default();
        let words: Vec<_> = command.split_whitespace().collect();
        let at = words.iter().position(|word| PROGRAMS.contains(&word.rsplit('/').next().unwrap_or_default()));
        // After these the name is that of a package, a user or a file.
        let named = |at: usize| at == 0 || !words[0].starts_with(['c', 'g', 'r']) || words[0].starts_with("card");
        if let Some(at) = at.filter(|&at| named(at) && words[0] != "podman" && !words[at].contains('/')) {
            found.push(words[at..].to_vec());
        }
    }
    found
}

#[test]
fn every_command_and_flag_exists() {
    let grammar = Grammar::of_our_programs();
    assert!(grammar.0.len() > 30, "the programs tell their commands");
    let targets = fs::read_to_string(root().join("Makefile")).unwrap();
    let (mut wrong, mut looked) = (Vec::new(), 0);
    for (path, text) in documents() {
        let shell = blocks(&text).into_iter().filter(|block| block.language == "sh");
        let shell = shell.map(|Block { line, text, .. }| (line, text.replace("\\\n", " ")));
        let inline = spans(&text).into_iter().map(|span| (span.line, span.text));
        for (line, code) in shell.chain(inline) {
            // What is built or tested is a package, and the rest is said to cargo.
            let of_cargo = ["cargo bench", "cargo test"].iter().any(|cargo| code.contains(cargo));
            for command in command_lines(&code).into_iter().filter(|_| !of_cargo) {
                looked += 1;
                wrong.extend(grammar.refuses(&command).map(|why| format!("{path}:{line}: {why}")));
            }
            for target in code.lines().filter_map(|line| line.trim().strip_prefix("make ")?.split_whitespace().next()) {
                if !targets.lines().any(|line| line.starts_with(&format!("{target}:"))) {
                    wrong.push(format!("{path}:{line}: the Makefile has no target {target}"));
                }
            }
        }
    }
    assert!(looked > 100, "only {looked} command lines are found");
    none_of(&wrong, "a document names what no program understands");
}

#[test]
fn every_route_exists() {
    let said = Command::new(program("issuance").unwrap()).arg("openapi").output().unwrap();
    let document: Value = serde_json::from_slice(&said.stdout).unwrap();
    let routes = document["paths"].as_object().unwrap();
    let (mut wrong, mut looked) = (Vec::new(), 0);
    for (path, text) in documents() {
        for (at, line) in text.lines().enumerate() {
            for (before, rest) in line.match_indices("/api/v1/").map(|(at, _)| line.split_at(at)) {
                let end = rest.find(|c: char| c.is_whitespace() || "`\"'?|)<>,;".contains(c)).unwrap_or(rest.len());
                let route = rest[..end].trim_end_matches(['.', ':']);
                if route.ends_with('/') || route.contains(['…', '*']) {
                    continue;
                }
                looked += 1;
                let methods = ["get", "post", "delete", "head"];
                let word = |word: &str| word.trim_matches(|c: char| !c.is_ascii_alphabetic()).to_ascii_lowercase();
                let said: Vec<_> = before.split_whitespace().rev().take(2).map(word).collect();
                let method = said.iter().find(|word| methods.contains(&word.as_str()));
                let method = method.map(|method| if method == "head" { "get" } else { method.as_str() });
                let there = routes.iter().any(|(known, item)| {
                    same_route(known, route) && method.is_none_or(|method| item.get(method).is_some())
                });
                if !there {
                    let method = method.unwrap_or("any method");
                    wrong.push(format!("{path}:{}: the service has no {route} with {method}", at + 1));
                }
            }
        }
    }
    assert!(looked > 60, "only {looked} routes are found");
    none_of(&wrong, "a document names a route that `issuance openapi` does not have");
}

/// Whether a document's route is this one of the service: `{…}` and `$…` stand for any parameter.
fn same_route(known: &str, named: &str) -> bool {
    let (known, named): (Vec<_>, Vec<_>) = (known.split('/').collect(), named.split('/').collect());
    known.len() == named.len()
        && known.iter().zip(&named).all(|(known, named)| known == named || known.starts_with('{'))
}

#[test]
fn every_link_and_every_file_exists() {
    let files = tracked();
    let tops: BTreeSet<_> = files.iter().filter_map(|file| file.split_once('/')).map(|(top, _)| top).collect();
    let (mut wrong, mut links) = (Vec::new(), 0);
    for (path, text) in documents() {
        let folder = Path::new(&path).parent().unwrap().to_owned();
        for (line, said) in prose(&text) {
            for target in said.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                if target.contains("://") || target.starts_with("mailto:") {
                    continue;
                }
                links += 1;
                let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
                let file = if file.is_empty() { root().join(&path) } else { root().join(&folder).join(file) };
                if !file.exists() {
                    wrong.push(format!("{path}:{line}: the link {target} leads nowhere"));
                } else if !anchor.is_empty() && !anchors(&fs::read_to_string(&file).unwrap()).contains(anchor) {
                    wrong.push(format!("{path}:{line}: {} has no heading #{anchor}", file.display()));
                }
            }
        }
        for span in spans(&text) {
            let name = span.text.split("::").next().unwrap_or_default().trim_end_matches('/');
            let plain =
                name.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c)) && !OF_OTHERS.contains(&name);
            let plain = plain && !["YYYY", "NNNN", "dgN"].iter().any(|stands| name.contains(stands));
            let Some((top, _)) = name.split_once('/').filter(|_| plain) else { continue };
            let below = [root(), root().join(&folder)];
            if tops.contains(top) && !below.iter().any(|base| base.join(name).exists()) {
                wrong.push(format!("{path}:{}: there is no file {name}", span.line));
            }
        }
    }
    assert!(links > 60, "only {links} links are found");
    none_of(&wrong, "a document names a file or a heading that is not there");
}

/// Returns the anchors of a document's headings, as GitHub and GitLab make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).into_iter().filter_map(|(_, line)| line.strip_prefix('#'));
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    let anchor =
        |line: &str| line.trim_start_matches('#').trim().to_lowercase().chars().filter(kept).collect::<String>();
    headings.map(|line| anchor(line).replace(' ', "-")).collect()
}

#[test]
fn every_name_in_code_stands_in_the_sources() {
    let sources: String = tracked()
        .iter()
        .filter(|path| !ends(path, "md") && !ends(path, "svg") && !path.ends_with("documents.rs"))
        .filter_map(|path| fs::read_to_string(root().join(path)).ok())
        .collect();
    let sources = sources + &tracked().join("\n");
    let words = || sources.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_')));
    // Variants of an enumeration are answered in kebab case.
    let variants = words().filter(|word| word.starts_with(|c: char| c.is_ascii_uppercase())).map(kebab);
    let words: BTreeSet<String> = words().map(str::to_owned).chain(variants).collect();
    let example = Command::new(program("issuance").unwrap()).args(["config", "example"]).output().unwrap();
    let example = String::from_utf8(example.stdout).unwrap();
    let settings = settings(&example);
    let sections: BTreeSet<&str> =
        settings.iter().filter_map(|key| key.split_once('.')).map(|(first, _)| first).collect();
    assert!(settings.len() > 30, "the example of the configuration is read");
    let (mut wrong, mut looked) = (Vec::new(), 0);
    for (path, text) in documents() {
        for span in spans(&text) {
            let name = span.text.split(" = ").next().unwrap_or_default();
            let of = |allowed: fn(char) -> bool| name.chars().all(allowed);
            let joined = name.contains(['-', '_']) && !name.starts_with('-') && !name.ends_with(['-', '_']);
            let code = joined && of(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_'));
            let variable =
                joined && name.contains('_') && of(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
            if code || variable {
                looked += 1;
                if !words.contains(name) && !OF_OTHERS.contains(&name) {
                    wrong.push(format!("{path}:{}: no source has the word `{name}`", span.line));
                }
            }
            let dotted = name.contains('.') && of(|c| c.is_ascii_lowercase() || matches!(c, '.' | '_'));
            let first = name.split('.').next().unwrap_or_default();
            let file = [".rs", ".toml", ".age", ".json", ".pdf"].iter().any(|end| name.ends_with(end));
            let dotted = dotted && !file && !name.ends_with("_data");
            if dotted && sections.contains(first) && !settings.contains(name) && !root().join(name).exists() {
                wrong.push(format!("{path}:{}: the service has no setting {name}", span.line));
            }
        }
    }
    assert!(looked > 200, "only {looked} names are found");
    none_of(
        &wrong,
        "a document names a code, a setting or a variable that is gone; what others' programs call so goes into OF_OTHERS",
    );
}

/// Returns `NotChecked` as `not-checked`.
fn kebab(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// Returns the settings of an `issuance.toml`, as `section.key`; those that are commented out too.
fn settings(toml: &str) -> BTreeSet<String> {
    let mut section = String::new();
    let mut found = BTreeSet::new();
    for line in toml.lines().map(|line| line.trim_start_matches(['#', ' '])) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.split(']').next()) {
            section = format!("{}.", name.trim_matches('['));
        } else if let Some((key, _)) = line.split_once('=') {
            found.insert(format!("{section}{}", key.trim()));
        }
    }
    found
}

#[test]
fn a_block_has_its_reason_and_the_output_that_follows_it() {
    let text = "a `b-c` d\n<!-- not run: hours -->\n```sh\nx\n```\n\n  ```sh\n  y\n  ```\n```text\nz\n```\n";
    let found = blocks(text);
    let seen: Vec<_> = found.iter().map(|block| (block.line, block.text.as_str(), block.not_run.as_deref())).collect();
    assert_eq!(seen, [(3, "x\n", Some("hours")), (7, "y\n", None), (10, "z\n", None)]);
    assert_eq!(found[1].shown.as_deref(), Some(["z".to_owned()].as_slice()));
    assert!(found[0].shown.is_none());
    let named: Vec<_> = spans(text).into_iter().map(|span| (span.line, span.text)).collect();
    assert_eq!(named, [(1, "b-c".to_owned())]);
}

#[test]
fn every_page_stands_in_the_index() {
    let index = fs::read_to_string(root().join("docs/README.md")).unwrap();
    let pages = tracked().into_iter().filter(|path| ends(path, "md") || ends(path, "svg"));
    let pages = pages.filter_map(|path| path.strip_prefix("docs/").map(str::to_owned));
    let pages: Vec<_> = pages.filter(|page| !page.contains('/') && page != "README.md").collect();
    assert!(pages.len() > 20, "the pages are found");
    let seen = |page: &String| index.contains(&format!("]({page})")) || OF_ARCHITECTURE.contains(&page.as_str());
    let missing: Vec<_> = pages.into_iter().filter(|page| !seen(page)).collect();
    none_of(&missing, "say in docs/README.md who reads these pages");
}

/// Pictures that stand in `docs/ARCHITECTURE.md`.
const OF_ARCHITECTURE: [&str; 2] = ["layers.svg", "road.svg"];
