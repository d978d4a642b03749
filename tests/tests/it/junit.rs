//! `make test` writes JUnit XML from its log: it parses, it counts as the log does, and it says so where it cannot.

use std::process::{Command, Output, Stdio};

const LOG: &str = "
     Running unittests src/lib.rs (target/debug/deps/issuance-0639efa380d97c74)

running 4 tests
test keys::opens ... ok
test keys::a <b> & \"c\" ... FAILED
test keys::without_postgres - should panic ... ok
test keys::slow ... ignored, takes hours

successes:

---- keys::without_postgres stdout ----
SKIPPED: no PostgreSQL
test this::line::is_printed_by_a_test ... ok

failures:

---- keys::a <b> & \"c\" stdout ----
thread 'keys' panicked at issuance/src/keys.rs:1:1:
left: \u{1b}[31m<x> && ]]>

failures:
    keys::a <b> & \"c\"

test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 1.25s

     Running tests/it/main.rs (target/debug/deps/it-9a5f4e5635b72ddc)
test keys::opens ... ok
test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s
     Running tests/it/main.rs (target/debug/deps/it-cbce13cbcfece766)
test keys::opens ... FAILED
test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s
";

fn converted(log: &str) -> Output {
    let folder = tests::world::scratch();
    let path = folder.path().join("test.log");
    std::fs::write(&path, log).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../.ci/junit.awk");
    Command::new("awk").args(["-f", script]).arg(path).stdin(Stdio::null()).output().unwrap()
}

/// Returns the names of the elements in order of their beginning; fails where tags, quotes or characters are not XML.
fn elements(xml: &str) -> Vec<String> {
    let (mut open, mut names) = (Vec::new(), Vec::new());
    assert!(xml.chars().all(|c| c >= ' ' || c == '\n' || c == '\t'), "a control character");
    for piece in xml.split('<').skip(1) {
        let (tag, between) = piece.split_once('>').unwrap();
        assert!(tag.matches('"').count().is_multiple_of(2), "an open quote: {tag}");
        let references = between.matches('&').chain(tag.matches('&')).count();
        let known = ["&amp;", "&lt;", "&gt;", "&quot;"].iter().map(|known| piece.matches(known).count()).sum::<usize>();
        assert_eq!(references, known, "{piece}");
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap().to_owned();
        match (tag.starts_with(['?', '/']), tag.ends_with('/')) {
            (true, _) if tag.starts_with('?') => {}
            (true, _) => assert_eq!(open.pop(), Some(name)),
            (false, alone) => {
                names.push(name.clone());
                open.extend((!alone).then_some(name));
            }
        }
    }
    assert!(open.is_empty(), "not closed: {open:?}");
    names
}

#[test]
fn the_log_becomes_xml_with_the_same_counts() {
    let output = converted(LOG);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let xml = String::from_utf8(output.stdout).unwrap();
    let names = elements(&xml);
    let count = |wanted: &str| names.iter().filter(|name| *name == wanted).count();
    assert_eq!((count("testsuite"), count("testcase"), count("failure"), count("skipped")), (3, 6, 2, 2), "{xml}");
    for part in [
        "<testsuites tests=\"6\" failures=\"2\" skipped=\"2\">",
        "name=\"issuance: src/lib.rs\" tests=\"4\" failures=\"1\" skipped=\"2\" time=\"1.25\"",
        "name=\"it: tests/it/main.rs (2)\"",
        "<skipped message=\"SKIPPED: no PostgreSQL\"/>",
        "name=\"keys::a &lt;b&gt; &amp; &quot;c&quot;\"",
        "&lt;x&gt; &amp;&amp; ]]&gt;",
    ] {
        assert!(xml.contains(part), "{part}: {xml}");
    }
}

#[test]
fn a_log_with_a_line_that_was_not_understood_is_refused() {
    let output = converted(&LOG.replace("test keys::opens ... ok", "test keys::opens ..."));
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("the log says 3, 2, 1"), "{output:?}");
}
