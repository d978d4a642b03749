//! Every statement of the program, found in the sources and prepared by both databases: a table or a column that is not
//! there is found here, and not by a citizen.

use std::fs;
use std::path::{Path, PathBuf};

use issuance::server::migrations;
use issuance::sql;
use issuance::store::{Db, Sql};

use crate::postgres::fresh_database;

/// One file of the sources.
pub struct Source {
    /// Path below `issuance/src`, or `migrations/…`.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// One `sql!(…)`.
#[derive(Debug)]
pub struct Statement {
    /// The file.
    pub path: String,
    /// Line of the macro's name.
    pub line: usize,
    /// The text for PostgreSQL.
    pub pg: String,
    /// The text for SQLite.
    pub lite: String,
}

/// A piece of Rust text: code without comments, or the content of a string literal.
#[derive(Debug, Eq, PartialEq)]
pub enum Piece {
    Code(String),
    Text(String),
}

/// Returns all files of `issuance/src` with one of these endings, in the order of their names.
pub fn sources() -> Vec<Source> {
    below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "rs")
}

/// Returns all files under a folder with this ending, by their path below it.
pub fn below(root: &Path, ending: &str) -> Vec<Source> {
    let (mut folders, mut files) = (vec![root.to_owned()], Vec::<PathBuf>::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == ending) {
                files.push(path);
            }
        }
    }
    files.sort();
    let read = |path: PathBuf| Source {
        path: path.strip_prefix(root).unwrap().to_str().unwrap().to_owned(),
        text: fs::read_to_string(&path).unwrap(),
    };
    files.into_iter().map(read).collect()
}

/// Splits Rust text into code and string literals, each with the line where it begins. Comments are dropped, their line
/// ends kept.
pub fn pieces(text: &str) -> Vec<(usize, Piece)> {
    let chars: Vec<char> = text.chars().collect();
    let (mut at, mut line) = (0, 1);
    let (mut found, mut code, mut code_line) = (vec![], String::new(), 1);
    let starts = |at: usize, what: &str| what.chars().enumerate().all(|(n, c)| chars.get(at + n) == Some(&c));
    while let Some(&c) = chars.get(at) {
        let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
        let in_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
        let raw = c == 'r' && chars.get(at + 1 + hashes) == Some(&'"') && (!in_word || chars[at - 1] == 'b');
        if starts(at, "//") {
            while chars.get(at).is_some_and(|c| *c != '\n') {
                at += 1;
            }
        } else if starts(at, "/*") {
            while at < chars.len() && !starts(at, "*/") {
                if chars[at] == '\n' {
                    (line, code) = (line + 1, code + "\n");
                }
                at += 1;
            }
            at += 2;
        } else if c == '\'' {
            // A character literal, or the name of a lifetime, which has no closing quote near.
            let length = match (chars.get(at + 1), chars.get(at + 2)) {
                (Some('\\'), _) => chars[at + 3..].iter().position(|c| *c == '\'').map_or(1, |n| n + 4),
                (_, Some('\'')) => 3,
                _ => 1,
            };
            code.push_str(if length == 1 { "'" } else { "' '" });
            at += length;
        } else if c == '"' || raw {
            found.push((code_line, Piece::Code(std::mem::take(&mut code))));
            let (first_line, mut literal) = (line, String::new());
            let closing = if raw { format!("\"{}", "#".repeat(hashes)) } else { "\"".to_owned() };
            at += if raw { hashes + 2 } else { 1 };
            while at < chars.len() && !starts(at, &closing) {
                if !raw && chars[at] == '\\' {
                    at += 1;
                }
                line += usize::from(chars[at] == '\n');
                literal.push(chars[at]);
                at += 1;
            }
            at += closing.len();
            found.push((first_line, Piece::Text(literal)));
            code_line = line;
        } else {
            line += usize::from(c == '\n');
            code.push(c);
            at += 1;
        }
    }
    found.push((code_line, Piece::Code(code)));
    found
}

/// Returns the statements of a file: every `sql!` with one text, or with `pg` and `lite`.
///
/// # Panics
/// If a macro has another form, since it would go unchecked.
pub fn statements(source: &Source) -> Vec<Statement> {
    let pieces = pieces(&source.text);
    let text = |n: usize, line: usize| match pieces.get(n) {
        Some((_, Piece::Text(text))) => text.clone(),
        _ => panic!("{}:{line}: `sql!` without a text", source.path),
    };
    let mut found = vec![];
    for (n, (from, piece)) in pieces.iter().enumerate() {
        let Piece::Code(code) = piece else { continue };
        for (at, name) in code.match_indices("sql!(") {
            let line = from + code[..at].matches('\n').count();
            let (pg, lite) = match code[at + name.len()..].trim() {
                "" => (text(n + 1, line), text(n + 1, line)),
                "pg" => (text(n + 1, line), text(n + 3, line)),
                other => panic!("{}:{line}: `sql!` begins with `{other}`", source.path),
            };
            found.push(Statement { path: source.path.clone(), line, pg, lite });
        }
    }
    found
}

/// Returns all statements of the program.
pub fn all_statements() -> Vec<Statement> {
    sources().iter().flat_map(statements).collect()
}

/// Has a database prepare every statement, and on PostgreSQL every select that may be locked also with its lock.
/// Returns what it refused.
async fn refused(db: &Db, statements: &[Statement], locks: bool) -> Vec<String> {
    let mut refused = vec![];
    for statement in statements {
        let mut texts = vec![(statement.pg.clone(), statement.lite.clone())];
        let plain = statement.pg.starts_with("select") && !statement.pg.contains(" join ");
        // A view is not locked, and an aggregate has no row to lock.
        let aggregate = ["count(", "sum("].iter().any(|word| statement.pg.contains(word));
        if locks && plain && !statement.pg.contains(" v_") && !aggregate {
            for lock in [" for no key update", " for no key update skip locked"] {
                texts.push((format!("{}{lock}", statement.pg), statement.lite.clone()));
            }
        }
        for (pg, lite) in texts {
            // The types ask for texts of the program itself; a test may leak a few.
            let sql = Sql::new(pg.leak(), lite.leak());
            if let Err(error) = db.prepare(sql).await {
                refused.push(format!("{}:{}: {error}", statement.path, statement.line));
            }
        }
    }
    refused
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_prepares_every_statement() {
    let data = tempfile::tempdir().unwrap();
    let db = Db::open(None, data.path(), &migrations()).await.unwrap();
    prepares_every_statement(&db, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_prepares_every_statement_with_its_locks() {
    let Some(url) = fresh_database() else { return };
    let data = tempfile::tempdir().unwrap();
    let db = Db::open(Some(&url), data.path(), &migrations()).await.unwrap();
    prepares_every_statement(&db, true).await;
}

async fn prepares_every_statement(db: &Db, locks: bool) {
    let all = all_statements();
    assert!(all.len() >= 70, "only {} statements were found", all.len());
    assert_eq!(refused(db, &all, locks).await, Vec::<String>::new());
    // The check itself: a column that is not there is named with file and line.
    let broken = Source {
        path: "office/store.rs".into(),
        text: "// sql!(\"nothing\")\nfn f() {\n    sql!(\n        pg \"select nothing from person\",\n        lite \
               \"select nothing from person\",\n    );\n}\n"
            .into(),
    };
    let refused = refused(db, &statements(&broken), false).await;
    assert_eq!(refused.len(), 1);
    assert!(refused[0].starts_with("office/store.rs:3: ") && refused[0].contains("nothing"), "{refused:?}");
}

/// Returns the comparisons of a statement that ask for an order of texts, but for the next page of a list that is
/// sorted by the same column.
fn ranges(statement: &Statement, texts: &[(String, String)]) -> Vec<String> {
    let sql = statement.pg.replace(['(', ')', ','], " ");
    let words: Vec<&str> = sql.split_whitespace().collect();
    let sorted = |column: &str| {
        let orders = words.windows(2).enumerate().filter(|(_, pair)| *pair == ["order", "by"]);
        orders.map(|(at, _)| &words[at + 2..]).any(|by| by.iter().any(|word| word.rsplit('.').next() == Some(column)))
    };
    let mut found = vec![];
    for pair in words.windows(2) {
        let column = pair[0].rsplit('.').next().unwrap_or_default();
        let is_range = ["<", "<=", ">", ">=", "between"].contains(&pair[1]);
        // A column that is named with its table is of that one.
        let of = pair[0].rsplit_once('.').map(|(of, _)| of).filter(|of| texts.iter().any(|(table, _)| table == of));
        let here = |table: &str| of.map_or_else(|| words.contains(&table), |of| of == table);
        let is_text = texts.iter().any(|(table, name)| name == column && here(table));
        if is_range && is_text && !(pair[1] == ">" && sorted(column)) {
            found.push(format!("{}:{}: `{} {}`", statement.path, statement.line, pair[0], pair[1]));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_range_of_texts_is_in_the_order_of_bytes() {
    let Some(url) = fresh_database() else { return };
    let data = tempfile::tempdir().unwrap();
    let db = Db::open(Some(&url), data.path(), &migrations()).await.unwrap();
    let columns = sql!(
        pg "select table_name::text as t, column_name::text as c, (collation_name is null) as free
            from information_schema.columns where table_schema = 'public' and data_type = 'text'",
        lite "select '' as t, '' as c, true as free",
    );
    let rows = db.begin_read().await.unwrap().all(columns, vec![]).await.unwrap();
    let free = rows.iter().filter(|row| row.get("free").unwrap());
    let texts: Vec<(String, String)> = free.map(|row| (row.get("t").unwrap(), row.get("c").unwrap())).collect();
    assert!(texts.len() > 100 && texts.len() < rows.len());
    let all = all_statements();
    assert_eq!(all.iter().flat_map(|statement| ranges(statement, &texts)).collect::<Vec<_>>(), [""; 0]);
    // The check itself.
    let broken = Source {
        path: "office/store.rs".into(),
        text: "sql!(\"select id from quarantined q where q.raw >= $1 and q.raw < $2\")".into(),
    };
    assert_eq!(statements(&broken).iter().flat_map(|statement| ranges(statement, &texts)).count(), 2);
}

#[test]
fn code_and_texts_are_told_apart() {
    let strings = "let a = \"x \\\" // no comment\"; // \"no text\"\n";
    let text = format!("{strings}/* \"neither\" */ let c = '\"'; let r = r#\"raw\"#; f::<'a>()");
    let texts: Vec<_> = pieces(&text).into_iter().filter(|(_, piece)| matches!(piece, Piece::Text(_))).collect();
    let expected = [(1, "x \" // no comment"), (2, "raw")].map(|(line, text)| (line, Piece::Text(text.into())));
    assert_eq!(texts, expected);
}
