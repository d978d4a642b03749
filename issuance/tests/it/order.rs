//! The order of the folders, in code and in SQL: each imports only from those that stand before it, and each table is
//! written and read by its owner alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::statements::{Piece, Source, below, pieces, sources, statements};

/// The folders of `issuance/src`; each may import only from those before it.
const ORDER: &[&str] = &[
    "store",
    "ground",
    "deed",
    "web",
    "jobs",
    "keys",
    "access",
    "audit",
    "offices",
    "holds",
    "population",
    "cards",
    "numbering",
    "notices",
    "bookings",
    "applications",
    "production",
    "trust",
    "exchange",
    "citizens",
    "retention",
    "dashboards",
    "server",
    "cli",
];

/// The macros of `store`, which stand at the root of the crate and may be used everywhere.
const MACROS: &[&str] = &["args", "migration", "sql"];

/// The files that begin a writing transaction without a record in the audit trail, each with its reason.
const UPKEEP: &[(&str, &str)] = &[
    ("access/gate.rs", "the session's last use, noted while a request is let in"),
    ("access/proposals.rs", "the time of an alarm is counted while nothing is decided"),
    ("access/steps.rs", "the count of failed sign-ins must outlive the refused sign-in"),
    ("applications/erasure.rs", "names of files that are gone, after the deed that erased them"),
    ("applications/progress.rs", "owners and deadlines of applications of an earlier version, given once at a start"),
    ("applications/store/payments.rs", "the tills of offices of an earlier version, begun once at a start"),
    ("exchange/ask.rs", "answers that are kept no more are erased; what was told of whom stays on record"),
    (
        "exchange/feed/sequence.rs",
        "changes that recorded verbs noted get their places in the feeds, and are kept no more after their time",
    ),
    (
        "exchange/notifications/delivery.rs",
        "how far a subscription is; what is told of whom is a deed before it leaves",
    ),
    ("exchange/statistics/making.rs", "counts with their errors, of which no person can be told"),
    ("jobs/mod.rs", "leases of the service's own jobs"),
    ("keys/installation.rs", "which folder a database belongs to, and MACs of rows from before there were MACs"),
    ("keys/signer.rs", "the count of a key's uses is reserved before the signature"),
    ("offices/steps.rs", "the holidays of the configuration are written at a start"),
    ("population/store/duplicates.rs", "the keys of persons of an earlier version, written once at a start"),
    ("population/store/quality.rs", "persons of an earlier version are counted once at a start; the tally is added up"),
    ("population/store/search.rs", "by what persons of an earlier version are found, written once at a start"),
    ("population/steps.rs", "the count of wrong claims must outlive the refused opening of a case"),
    ("production/print_jobs.rs", "a file of the outbox was written or removed, after the deed that made its job"),
    ("production/documents.rs", "a signature is kept for a document that a recorded verb stored"),
    ("retention/job.rs", "the day on which an application was closed is put right, before it is judged"),
    ("server/worker.rs", "expired answers and sessions are purged, tallies are added up"),
    ("web/readiness.rs", "a row without meaning is written to see whether the database takes writes"),
    ("trust/bundle.rs", "bundles hold nothing personal, and no caller asks for their making"),
];

/// The files that begin the transaction of a deed.
const BEGIN: &[(&str, &str)] =
    &[("deed/mod.rs", "a deed leaves a record or does not become true"), ("store/db.rs", "the drivers' own")];

/// Everything that breaks the order, each with the file, the line and the rule.
struct Checker {
    violations: Vec<String>,
    /// Folder and kind of each table and view.
    owners: BTreeMap<String, Owner>,
    /// Files of [`UPKEEP`] and [`BEGIN`] that were met.
    met: BTreeSet<&'static str>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Owner {
    folder: String,
    is_view: bool,
}

impl Checker {
    fn new() -> Self {
        Self { violations: vec![], owners: BTreeMap::new(), met: BTreeSet::new() }
    }

    fn violates(&mut self, path: &str, line: usize, rule: &str) {
        self.violations.push(format!("{path}:{line}: {rule}"));
    }

    /// Judges one engine's migrations, and learns the owners from them. Returns columns by table.
    fn migrations(&mut self, files: &[Source]) -> BTreeMap<String, Vec<String>> {
        let (mut tables, mut versions) = (BTreeMap::new(), BTreeSet::new());
        for file in files {
            let name = file.path.trim_end_matches(".sql");
            let mut parts = name.splitn(3, '_');
            let (version, office) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
            if version.len() != 4 || !version.bytes().all(|b| b.is_ascii_digit()) || !ORDER.contains(&office) {
                self.violates(&file.path, 1, "a migration is called NNNN_folder_what.sql");
            }
            if !versions.insert(version.to_owned()) {
                self.violates(&file.path, 1, "this number is taken");
            }
            self.migration(file, office, &mut tables);
        }
        tables
    }

    fn migration(&mut self, file: &Source, office: &str, tables: &mut BTreeMap<String, Vec<String>>) {
        let plain = without_comments(&file.text);
        let mut line = 1;
        for statement in plain.split(';') {
            let begins = line + leading_lines(statement);
            line += statement.matches('\n').count();
            let words = words(statement);
            let word = |n: usize| words.get(n).map_or("", |(_, word)| word);
            let skip = if word(2) == "if" { 3 } else { 0 };
            match (word(0), word(1)) {
                ("", _) => {}
                ("create", "table") => {
                    let table = word(2 + skip).to_owned();
                    tables.insert(table.clone(), columns(statement));
                    self.owns(file, begins, office, &table, false);
                    for (at, pair) in words.windows(2).enumerate() {
                        if pair[0].1 == "references" {
                            let line = begins + words[at].0 - words[0].0;
                            self.refers(file, line, office, &pair[1].1);
                        }
                    }
                }
                ("create", "view") => {
                    let view = word(2 + skip).to_owned();
                    if !view.starts_with("v_") {
                        self.violates(&file.path, begins, &format!("the view `{view}` must be called v_…"));
                    }
                    self.owns(file, begins, office, &view, true);
                    for name in used(&words).0 {
                        self.owned_by(file, begins, office, &name, "publishes");
                    }
                    let columns = words.iter().skip_while(|(_, word)| word != "select").skip(1);
                    let columns = columns.take_while(|(_, word)| word != "from").map(|(_, word)| word.clone());
                    tables.insert(view, columns.filter(|word| word != ",").collect());
                }
                ("create", "index" | "unique") | ("alter", "table") | ("drop", "table" | "view") => {
                    let of = match word(0) {
                        "create" => words.iter().position(|(_, word)| word == "on").map_or(0, |on| on + 1),
                        _ => 2 + skip,
                    };
                    self.owned_by(file, begins, office, word(of), "changes");
                    match (word(0), word(3), word(4)) {
                        ("drop", ..) => _ = tables.remove(word(of)),
                        // A table that is made anew takes the name of the one before.
                        ("alter", "rename", "to") => {
                            let columns = tables.remove(word(2));
                            tables.extend(columns.map(|columns| (word(5).to_owned(), columns)));
                        }
                        ("alter", "alter", "column") if word(6) == "drop" && word(7) == "not" => {
                            let columns = tables.get_mut(word(2)).into_iter().flatten();
                            for column in columns.filter(|column| column.split(' ').next() == Some(word(5))) {
                                *column = column.replacen(" not null", "", 1);
                            }
                        }
                        _ => {}
                    }
                }
                (verb, _) => {
                    let (read, written) = used(&words);
                    for name in read.into_iter().chain(written) {
                        self.owned_by(file, begins, office, &name, verb);
                    }
                }
            }
        }
    }

    fn owns(&mut self, file: &Source, line: usize, office: &str, name: &str, is_view: bool) {
        let owner = Owner { folder: office.to_owned(), is_view };
        let before = self.owners.insert(name.to_owned(), owner.clone());
        if before.is_some_and(|before| before != owner) {
            self.violates(&file.path, line, &format!("`{name}` belongs to two folders"));
        }
    }

    /// A foreign key points to a table of the same or of a lower folder.
    fn refers(&mut self, file: &Source, line: usize, office: &str, table: &str) {
        match self.owners.get(table).map(|owner| owner.folder.clone()) {
            None => {
                let rule = format!("a foreign key to `{table}`, which no migration before makes");
                self.violates(&file.path, line, &rule);
            }
            Some(owner) if rank(&owner) > rank(office) => {
                let rule = format!("a foreign key of `{office}` points up, to `{table}` of `{owner}`");
                self.violates(&file.path, line, &rule);
            }
            Some(_) => {}
        }
    }

    fn owned_by(&mut self, file: &Source, line: usize, office: &str, name: &str, verb: &str) {
        // The engine's own lists.
        if name.starts_with("pg_") {
            return;
        }
        let owner = self.owners.get(name).map(|owner| owner.folder.clone());
        if owner.as_deref() != Some(office) {
            let owner = owner.unwrap_or_else(|| "no folder".to_owned());
            self.violates(&file.path, line, &format!("a migration of `{office}` {verb} `{name}` of `{owner}`"));
        }
    }

    /// Judges one file of the sources.
    fn source(&mut self, source: &Source) {
        let path = source.path.as_str();
        let Some((folder, rest)) = path.split_once('/') else {
            if !["lib.rs", "main.rs"].contains(&path) {
                self.violates(path, 1, "a file of the sources stands in a folder of the order");
            }
            return;
        };
        if rank(folder).is_none() {
            self.violates(path, 1, &format!("the folder `{folder}` has no place in the order"));
            return;
        }
        self.imports(source, folder, rest);
        self.parts(source, rest);
        self.texts(source, folder, rest);
        self.doors(source);
        for statement in statements(source) {
            for text in [&statement.pg, &statement.lite] {
                self.statement(path, statement.line, folder, text);
            }
        }
    }

    fn imports(&mut self, source: &Source, folder: &str, rest: &str) {
        let code = code(source);
        for (at, name) in roots(&code, depth(rest)) {
            let line = line_of(&code, at);
            if MACROS.contains(&name.as_str()) {
                continue;
            }
            match rank(&name) {
                None => self.violates(&source.path, line, &format!("`crate::{name}` is no folder of the order")),
                Some(other) if Some(other) > rank(folder) => {
                    let rule = format!("`{folder}` must not import `{name}`, which stands after it");
                    self.violates(&source.path, line, &rule);
                }
                Some(_) => {}
            }
        }
    }

    /// What the parts of an office must not know.
    fn parts(&mut self, source: &Source, rest: &str) {
        let forbidden: &[&str] = match rest {
            "model.rs" => &["axum", "sql!", "sqlx", "Tx", "StatusCode", "Problem"],
            "steps.rs" => &["axum", "sql!", "sqlx", "StatusCode", "Problem"],
            _ => &[],
        };
        let code = code(source);
        for word in forbidden {
            for at in places(&code, word) {
                self.violates(&source.path, line_of(&code, at), &format!("`{rest}` knows nothing of `{word}`"));
            }
        }
        let of_store = ["store/db.rs", "store/snapshot.rs"].contains(&source.path.as_str());
        let in_store = of_store || rest == "store.rs" || rest.starts_with("store/");
        for at in places(&code, "sql!").into_iter().filter(|_| !in_store) {
            self.violates(&source.path, line_of(&code, at), "SQL stands only in an office's store");
        }
        let drives = source.path.starts_with("store/") || ["store/pg.rs", "store/lite.rs"].contains(&rest);
        for at in places(&code, "sqlx").into_iter().filter(|_| !drives) {
            self.violates(&source.path, line_of(&code, at), "the drivers are reached only in `store`");
        }
    }

    /// SQL that is no statement of a store, and tables that are made outside of the migrations.
    fn texts(&mut self, source: &Source, folder: &str, rest: &str) {
        let in_store = rest == "store.rs" || rest.starts_with("store/") || folder == "store";
        for (line, piece) in pieces(&source.text) {
            let Piece::Text(text) = piece else { continue };
            let text = text.trim_start().to_lowercase();
            let begins = |verbs: &[&str]| verbs.iter().any(|verb| text.starts_with(verb));
            if begins(&["create table", "create index", "create unique index", "create view", "alter table", "drop "]) {
                self.violates(&source.path, line, "tables change only in migrations");
            }
            if !in_store && begins(&["select ", "insert into ", "update ", "delete from ", "with "]) {
                self.violates(&source.path, line, "SQL stands only in an office's store");
            }
        }
    }

    /// The doors to the database.
    fn doors(&mut self, source: &Source) {
        let code = code(source);
        for (door, allowed) in [(".begin_upkeep()", UPKEEP), (".begin()", BEGIN)] {
            for (at, _) in code.match_indices(door) {
                match allowed.iter().find(|(path, _)| *path == source.path) {
                    Some((path, _)) => _ = self.met.insert(path),
                    None => {
                        let rule = format!("`{door}` leaves no record: name the file with its reason, or use a deed");
                        self.violates(&source.path, line_of(&code, at), &rule);
                    }
                }
            }
        }
    }

    fn statement(&mut self, path: &str, line: usize, folder: &str, text: &str) {
        let (read, written) = used(&words(text));
        for name in written {
            match self.owners.get(&name) {
                None => self.violates(path, line, &format!("`{name}` is no table of the migrations")),
                Some(owner) if owner.folder != folder || owner.is_view => {
                    let rule = format!("`{folder}` writes `{name}`, a table of `{}`", owner.folder);
                    self.violates(path, line, &rule);
                }
                Some(_) => {}
            }
        }
        for name in read {
            match self.owners.get(&name).cloned() {
                // The engine's own list of its tables.
                None if name == "sqlite_master" || name.starts_with("pg_") => {}
                None => self.violates(path, line, &format!("`{name}` is no table of the migrations")),
                Some(owner) if owner.is_view && rank(&owner.folder) <= rank(folder) => {}
                Some(owner) if owner.folder != folder => {
                    let rule = format!("`{folder}` reads `{name}` of `{}`: only through a view v_…", owner.folder);
                    self.violates(path, line, &rule);
                }
                Some(_) => {}
            }
        }
    }
}

fn rank(folder: &str) -> Option<usize> {
    ORDER.iter().position(|name| *name == folder)
}

/// The code of a file without comments; literals are empty, line ends are kept.
fn code(source: &Source) -> String {
    let mut code = String::new();
    for (_, piece) in pieces(&source.text) {
        match piece {
            Piece::Code(text) => code += &text,
            Piece::Text(text) => code.extend(["\"", &"\n".repeat(text.matches('\n').count()), "\""]),
        }
    }
    code
}

fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// How many `super` lead from a file below its folder to the root of the crate.
fn depth(rest: &str) -> usize {
    let parts: Vec<&str> = rest.split('/').collect();
    let last = parts.last().copied().unwrap_or("");
    // `check_tests.rs` is `mod tests` of `check.rs`.
    parts.len() + usize::from(last != "mod.rs") + usize::from(last.ends_with("_tests.rs"))
}

/// Where a word stands in code.
fn places(code: &str, word: &str) -> Vec<usize> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let whole = |at: usize| {
        let after = &code[at + word.len()..];
        !code[..at].ends_with(is_part) && !after.starts_with(is_part)
    };
    code.match_indices(word).map(|(at, _)| at).filter(|at| whole(*at)).collect()
}

/// What stands directly below the root of the crate in every path of a file that begins there: `crate::…`, and as many
/// `super::` as lead there (one more for each module inside the file).
fn roots(code: &str, depth: usize) -> Vec<(usize, String)> {
    let mut found = vec![];
    for at in places(code, "crate").into_iter().filter(|at| !code[..*at].ends_with("(in ")) {
        if let Some(path) = code[at + 5..].trim_start().strip_prefix("::") {
            found.extend(firsts(path).into_iter().map(|name| (at, name)));
        }
    }
    for at in places(code, "super").into_iter().filter(|at| !code[..*at].ends_with("super::")) {
        let (mut path, mut steps) = (&code[at..], 0);
        while let Some(rest) = path.strip_prefix("super::") {
            (path, steps) = (rest, steps + 1);
        }
        if steps == depth + modules_around(code, at) {
            found.extend(firsts(path).into_iter().map(|name| (at, name)));
        }
    }
    found
}

/// How many modules inside the file stand around a place.
fn modules_around(code: &str, at: usize) -> usize {
    let mut open = vec![];
    for (brace, c) in code[..at].char_indices() {
        match c {
            '{' => {
                let mut before = code[..brace].split_whitespace().rev();
                open.push(before.next().is_some() && before.next() == Some("mod"));
            }
            '}' => _ = open.pop(),
            _ => {}
        }
    }
    open.into_iter().filter(|is_module| *is_module).count()
}

/// The first names of a path, or of each path in its braces.
fn firsts(path: &str) -> Vec<String> {
    let path = path.trim_start();
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(group) = path.strip_prefix('{') else { return vec![name(path)] };
    let (mut level, mut names, mut current) = (0, vec![], String::new());
    for c in group.chars() {
        match c {
            '{' => level += 1,
            '}' if level == 0 => break,
            '}' => level -= 1,
            ',' if level == 0 => names.push(std::mem::take(&mut current)),
            _ if level == 0 => current.push(c),
            _ => {}
        }
    }
    names.push(current);
    names.iter().map(|text| name(text.trim_start())).filter(|name| !name.is_empty()).collect()
}

/// SQL without its comments, line ends kept.
fn without_comments(sql: &str) -> String {
    sql.lines().map(|line| line.split("--").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

fn leading_lines(text: &str) -> usize {
    text[..text.len() - text.trim_start().len()].matches('\n').count()
}

/// The words of a statement in lower case with their lines (from 0); parentheses and commas are words, texts are not.
fn words(sql: &str) -> Vec<(usize, String)> {
    let (mut words, mut word, mut line, mut in_text) = (vec![], String::new(), 0, false);
    for c in sql.chars().chain([' ']) {
        if !in_text && (c.is_alphanumeric() || ['_', '$', '.'].contains(&c)) {
            word.extend(c.to_lowercase());
            continue;
        }
        if !word.is_empty() {
            words.push((line, std::mem::take(&mut word)));
        }
        match c {
            '\'' => in_text = !in_text,
            '(' | ')' | ',' if !in_text => words.push((line, c.to_string())),
            '\n' => line += 1,
            _ => {}
        }
    }
    words
}

/// The tables and views that a statement reads, and those that it writes.
fn used(words: &[(usize, String)]) -> (BTreeSet<String>, BTreeSet<String>) {
    let word = |n: usize| words.get(n).map_or("", |(_, word)| word.as_str());
    let (mut read, mut written) = (BTreeSet::new(), BTreeSet::new());
    // Names that the statement itself gives: `with x as (`, `, y as (`.
    let named: BTreeSet<&str> =
        (0..words.len()).filter(|n| word(n + 1) == "as" && word(n + 2) == "(").map(word).collect();
    for n in 0..words.len() {
        let before = if n == 0 { "" } else { word(n - 1) };
        match word(n) {
            "into" if before == "insert" => _ = written.insert(word(n + 1).to_owned()),
            "update" if !["after", "do", "for", "key"].contains(&before) => _ = written.insert(word(n + 1).to_owned()),
            "from" if before == "delete" => _ = written.insert(word(n + 1).to_owned()),
            "join" => _ = read.insert(word(n + 1).to_owned()),
            "from" if before != "distinct" => {
                let mut at = n + 1;
                loop {
                    read.insert(word(at).to_owned());
                    // `from a x, b y`
                    at += 1 + usize::from(![",", ")", "(", "where", "join", "order", ""].contains(&word(at + 1)));
                    if word(at) != "," {
                        break;
                    }
                    at += 1;
                }
            }
            _ => {}
        }
    }
    let functions: BTreeSet<String> = (0..words.len())
        .filter(|n| word(n + 1) == "(" && n.checked_sub(1).is_none_or(|p| word(p) != "into"))
        .map(|n| word(n).to_owned())
        .collect();
    read.retain(|name| name != "(" && !named.contains(name.as_str()) && !functions.contains(name));
    (read, written)
}

/// The columns of `create table`, with what makes them required or keys, in the order of the text.
fn columns(statement: &str) -> Vec<String> {
    let (mut level, mut parts, mut current) = (0, vec![], String::new());
    for c in statement.chars() {
        match c {
            '(' => level += 1,
            ')' => level -= 1,
            ',' if level == 1 => {
                parts.push(std::mem::take(&mut current));
                continue;
            }
            _ => {}
        }
        if level >= 1 && !(level == 1 && c == '(') {
            current.push(c);
        }
    }
    parts.push(current);
    let constraint = ["primary", "unique", "foreign", "check", "constraint"];
    let words = parts.iter().map(|part| part.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>());
    // The type, the second word of a column, is the engine's own.
    let shared = words.filter(|part| !part.is_empty()).map(|mut part| {
        if !constraint.contains(&part[0].as_str()) && part.len() > 1 {
            part.remove(1);
        }
        part.join(" ")
    });
    shared.collect()
}

fn migrations_of(engine: &str) -> Vec<Source> {
    below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(engine), "sql")
}

#[test]
fn every_folder_imports_only_from_below() {
    let mut checker = Checker::new();
    checker.migrations(&migrations_of("pg"));
    let sources = sources();
    assert!(sources.len() > 90, "only {} files were found", sources.len());
    for source in &sources {
        checker.source(source);
    }
    assert_eq!(checker.violations, Vec::<String>::new());
    let folders: BTreeSet<&str> =
        sources.iter().filter_map(|source| source.path.split_once('/')).map(|p| p.0).collect();
    assert_eq!(folders, ORDER.iter().copied().collect(), "a folder of the order is not there");
    let listed: BTreeSet<&str> = UPKEEP.iter().chain(BEGIN).map(|(path, _)| *path).collect();
    assert_eq!(checker.met, listed, "a listed file no longer needs its place in the list");
}

#[test]
fn both_engines_have_the_same_tables() {
    let (mut pg, mut lite) = (Checker::new(), Checker::new());
    let (pg_files, lite_files) = (migrations_of("pg"), migrations_of("lite"));
    let names = |files: &[Source]| files.iter().map(|file| file.path.clone()).collect::<Vec<_>>();
    assert_eq!(names(&pg_files), names(&lite_files));
    let (of_pg, of_lite) = (pg.migrations(&pg_files), lite.migrations(&lite_files));
    assert!(of_pg.len() >= 20, "only {} tables were found", of_pg.len());
    assert_eq!(of_pg, of_lite);
    assert_eq!((pg.violations, lite.violations), (vec![], vec![]));
    assert_eq!(of_pg["person_reader"].len(), 4, "{:?}", of_pg["person_reader"]);
    assert!(of_pg["v_audit_entry"].contains(&"person_id".to_owned()));
}

/// The table of `docs/database.md`: `| table | folder | …`.
#[test]
fn every_table_stands_in_the_documentation() {
    let mut checker = Checker::new();
    checker.migrations(&migrations_of("pg"));
    let text = include_str!("../../../docs/database.md");
    let section = text.split("\n## ").find(|section| section.starts_with("Tables\n")).unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")).map(|row| {
        let (name, rest) = row.split_once('`').unwrap();
        (
            name.to_owned(),
            rest.trim_start_matches([' ', '|']).split([' ', '|']).next().unwrap().trim_matches('`').to_owned(),
        )
    });
    let documented: BTreeMap<_, _> = rows.collect();
    let made: BTreeMap<_, _> = checker.owners.into_iter().map(|(name, owner)| (name, owner.folder)).collect();
    assert_eq!(documented, made);
}

mod made_up {
    //! Each rule is broken once, so that the checker cannot pass because it sees nothing.

    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.into(), text: text.into() }
    }

    /// What is found in one file, with the tables of the real migrations.
    fn found(path: &str, text: &str) -> Vec<String> {
        let mut checker = Checker::new();
        checker.migrations(&migrations_of("pg"));
        assert_eq!(checker.violations, Vec::<String>::new());
        checker.source(&source(path, text));
        checker.violations
    }

    #[track_caller]
    fn violates(path: &str, text: &str, at: &str, rule: &str) {
        let found = found(path, text);
        assert!(found.iter().any(|v| v.starts_with(at) && v.contains(rule)), "{found:?}");
    }

    #[test]
    fn an_import_from_above() {
        let rule = "`store` must not import `ground`";
        violates("store/tx.rs", "use crate::ground::Id;", "store/tx.rs:1", rule);
        violates("store/tx.rs", "\n\nuse crate::{args, ground::{Id}, sql};", "store/tx.rs:3", rule);
        violates("store/tx.rs", "use super::super::ground::Id;", "store/tx.rs:1", rule);
        violates("store/mod.rs", "use super::{ground};", "store/mod.rs:1", rule);
        violates("store/tx.rs", "fn f() {\n crate::ground::now() }", "store/tx.rs:2", rule);
        violates("store/tx.rs", "mod tests { use super::super::super::ground; }", "store/tx.rs:1", rule);
        violates("cards/store.rs", "use crate::{\n applications,\n};", "cards/store.rs:1", "`cards` must not import");
        violates("cards/a/b.rs", "use super::super::super::trust::X;", "cards/a/b.rs:1", "`cards` must not import");
    }

    #[test]
    fn an_unknown_folder() {
        violates("newcomer/mod.rs", "", "newcomer/mod.rs:1", "no place in the order");
        violates("cards/store.rs", "use crate::newcomer::X;", "cards/store.rs:1", "no folder of the order");
        violates("newcomer.rs", "", "newcomer.rs:1", "stands in a folder");
    }

    #[test]
    fn a_part_of_an_office_that_knows_too_much() {
        violates("cards/model.rs", "use axum::Json;", "cards/model.rs:1", "nothing of `axum`");
        violates("cards/model.rs", "use crate::store::{StoreError, Tx};", "cards/model.rs:1", "nothing of `Tx`");
        violates("cards/model.rs", "fn f() { sql!(\"select 1\"); }", "cards/model.rs:1", "nothing of `sql!`");
        violates("cards/steps.rs", "\nuse crate::web::Problem;", "cards/steps.rs:2", "nothing of `Problem`");
        violates("cards/steps.rs", "use http::StatusCode;", "cards/steps.rs:1", "nothing of `StatusCode`");
    }

    #[test]
    fn sql_outside_of_a_store() {
        violates(
            "cards/api.rs",
            "fn f() {\n sql!(\"select id from card\"); }",
            "cards/api.rs:2",
            "only in an office's",
        );
        violates(
            "cards/api.rs",
            "const X: &str = \"delete from card\";",
            "cards/api.rs:1",
            "only in an office's store",
        );
        violates("store/tx.rs", "fn f() { sql!(\"select 1\"); }", "store/tx.rs:1", "only in an office's store");
        violates("cards/store.rs", "use sqlx::Row;", "cards/store.rs:1", "drivers are reached only");
        violates(
            "cards/store.rs",
            "const X: &str = \"create table x (id text)\";",
            "cards/store.rs:1",
            "in migrations",
        );
    }

    #[test]
    fn a_door_without_a_reason() {
        violates("cards/steps.rs", "db.begin_upkeep().await", "cards/steps.rs:1", "`.begin_upkeep()` leaves no record");
        violates("server/worker.rs", "db.begin().await", "server/worker.rs:1", "`.begin()` leaves no record");
    }

    #[test]
    fn a_table_of_another_office() {
        let read = |sql: &str| format!("fn f() {{\n let x = sql!(\"{sql}\"); }}");
        let of_cards = |sql: &str, rule: &str| violates("cards/store.rs", &read(sql), "cards/store.rs:2", rule);
        of_cards("select id from application", "`cards` reads `application` of `applications`");
        of_cards("select c.id from card c join person p on p.id = c.person_id", "reads `person` of `population`");
        of_cards("select c.id from card c, person p", "reads `person` of `population`");
        of_cards("select id from card where id in (select id from person)", "reads `person` of `population`");
        of_cards("update person set office = $1", "`cards` writes `person`");
        of_cards("delete from person", "`cards` writes `person`");
        of_cards("insert into person (id) values ($1)", "`cards` writes `person`");
        of_cards("insert into v_audit_entry (id) values ($1)", "`cards` writes `v_audit_entry`");
        of_cards("select id from nowhere", "`nowhere` is no table");
        let two = "fn f() { sql!(pg \"select id from card\", lite \"select id from person\"); }";
        violates("cards/store.rs", two, "cards/store.rs:1", "reads `person`");
        // A view of `deed` is for all that stand above it, and its owner's table for none of them.
        assert_eq!(found("audit/store.rs", &read("select id from v_audit_entry")), Vec::<String>::new());
        violates("audit/store.rs", &read("select id from audit_entry"), "audit/store.rs:2", "only through a view");
        violates("store/db.rs", &read("select id from v_audit_entry"), "store/db.rs:2", "only through a view");
    }

    #[test]
    fn what_is_allowed() {
        let text = "//! crate::trust is above.\nuse crate::store::Tx;\nuse crate::{args, deed, sql};\nuse super::model::Card;\n\
                    fn f() { let a = \"crate::trust\"; sql!(\"insert into card (id) values ($1) on conflict (id) do \
                    update set id = $1\"); sql!(\"with old as (select id from card) select o.id from old o where \
                    o.id is distinct from $1 and o.id in (select value from json_each($2)) for update\"); }\n\
                    mod tests { use super::super::model::X; }";
        assert_eq!(found("cards/store.rs", text), Vec::<String>::new());
    }

    fn migrated(files: &[(&str, &str)]) -> Vec<String> {
        let mut checker = Checker::new();
        checker.migrations(&files.iter().map(|(path, text)| source(path, text)).collect::<Vec<_>>());
        checker.violations
    }

    #[test]
    fn migrations_that_break_the_order() {
        let person = ("0001_population_a.sql", "create table person (id uuid primary key);");
        let breaks = |second: (&str, &str), rule: &str| {
            let found = migrated(&[person, second]);
            assert!(found.iter().any(|v| v.starts_with(second.0) && v.contains(rule)), "{found:?}");
        };
        let up = "-- A\ncreate table officer (\n id uuid primary key,\n of uuid references person (id)\n);";
        breaks(("0002_access_a.sql", up), "a foreign key of `access` points up, to `person` of `population`");
        let missing = "create table x (id uuid references y (id));";
        breaks(("0002_cards_a.sql", missing), "which no migration before makes");
        breaks(("0002_cards_a.sql", "create table person (id uuid);"), "belongs to two folders");
        breaks(("0002_cards_a.sql", "alter table person add column x text;"), "changes `person` of `population`");
        breaks(("0002_cards_a.sql", "create index x on person (id);"), "changes `person` of `population`");
        breaks(("0002_cards_a.sql", "drop table person;"), "changes `person` of `population`");
        breaks(("0002_cards_a.sql", "update person set id = null;"), "update `person` of `population`");
        breaks(("0002_cards_a.sql", "create view v_x as select id from person;"), "publishes `person` of `population`");
        breaks(("0002_population_a.sql", "create view x as select id from person;"), "must be called v_…");
        breaks(("0002_nobody_a.sql", ""), "NNNN_folder_what");
        breaks(("0001_cards_a.sql", ""), "this number is taken");
        assert_eq!(migrated(&[person, ("0002_population_b.sql", "alter table person add column x text;")]), [""; 0]);
    }

    #[test]
    fn tables_that_differ() {
        let columns = |text: &str| columns(text);
        let pg = columns("create table x (id uuid primary key, n bigint not null, primary key (id, n))");
        assert_eq!(pg, ["id primary key", "n not null", "primary key (id, n)"].map(str::to_owned));
        assert_eq!(
            columns("create table x (id TEXT, at INTEGER)"),
            columns("create table x (id uuid, at timestamptz)")
        );
        assert_ne!(columns("create table x (id TEXT not null)"), columns("create table x (id uuid)"));
    }
}
