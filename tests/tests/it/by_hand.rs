//! `docs/by-hand.md` is run as its reader would run it: every block, in order, in one shell, with the real programs.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, fs};

use tests::documents::{self, Block};
use tests::world::{Pcscd, program, scratch};

/// Whether a line is the expected one, in which `…` stands for anything.
fn fits(expected: &str, line: &str) -> bool {
    let mut parts = expected.split('…');
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else { return false };
    let mut last = None;
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
        last = Some(part);
    }
    rest.is_empty() || last.is_some_and(|part| part.is_empty() || rest.ends_with(part))
}

/// Fails if this is not the output that the document shows.
fn compare(block: &Block, shown: &[String], said: &str) {
    let lines: Vec<_> = said.lines().collect();
    let same = lines.len() == shown.len() && shown.iter().zip(&lines).all(|(shown, line)| fits(shown, line));
    assert!(
        same,
        "docs/by-hand.md:{}: the block says\n{said}\nand the document shows\n{}",
        block.line,
        shown.join("\n")
    );
}

#[test]
fn every_block_of_the_tutorial_does_what_it_shows() {
    for needed in ["curl", "jq", "faketime"] {
        if !Command::new("sh")
            .args(["-c", &format!("command -v {needed}")])
            .stdout(Stdio::null())
            .status()
            .unwrap()
            .success()
        {
            println!("SKIPPED: docs/by-hand.md needs {needed} (tests/setup.sh test installs it)");
            return;
        }
    }
    let scratch = scratch();
    let text = fs::read_to_string(documents::root().join("docs/by-hand.md")).unwrap();
    let pieces = documents::blocks(&text);
    let run: Vec<&Block> = pieces.iter().filter(|block| block.language == "sh" && block.not_run.is_none()).collect();
    assert!(run.len() > 10, "the blocks of the tutorial are found");
    let mut script = String::from("set -euo pipefail\ntrap 'kill $(jobs -p) 2> /dev/null' EXIT\n");
    for (i, block) in run.iter().enumerate() {
        let _ = writeln!(script, "echo '@@ {i}'; echo '@@ {i}' >&2\n{}", block.text);
    }
    let bin = program("issuance").unwrap();
    for other in ["card-agent", "hardware-sim"] {
        program(other).unwrap();
    }
    fs::create_dir(scratch.path().join("pcscd")).unwrap();
    let pcscd = Pcscd::start(&scratch.path().join("pcscd"), 4).unwrap();
    let path = env::join_paths(
        bin.parent().map(Path::to_owned).into_iter().chain(env::split_paths(&env::var_os("PATH").unwrap_or_default())),
    );
    let said = Command::new("bash")
        .args(["-c", &script])
        .current_dir(documents::root())
        .env("PATH", path.unwrap())
        .env("TMPDIR", scratch.path())
        .env("VPCD", format!("127.0.0.1:{}", pcscd.base_port()))
        .env("PCSCLITE_CSOCK_NAME", pcscd.socket())
        .env_remove("CITIZEN_CARD_READER")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    let outputs: Vec<&str> = out.split("@@ ").skip(1).map(|part| part.split_once('\n').unwrap_or_default().1).collect();
    for (block, said) in run.iter().zip(&outputs) {
        if let Some(shown) = &block.shown {
            compare(block, shown, said);
        }
    }
    let stopped = run.get(outputs.len().saturating_sub(1)).map_or(0, |block| block.line);
    assert!(
        said.status.success() && outputs.len() == run.len(),
        "docs/by-hand.md:{stopped}: the block ended with {}\n{}\n{}",
        said.status,
        outputs.last().unwrap_or(&""),
        err.rsplit("@@ ").next().unwrap_or_default()
    );
}

#[test]
fn an_ellipsis_stands_for_anything() {
    for (expected, line, fit) in [
        ("a", "a", true),
        ("a", "ab", false),
        ("a…", "abc", true),
        ("…\tx", "1\tx", true),
        ("…\tx", "1\ty", false),
        ("…x", "xax", true),
    ] {
        assert_eq!(fits(expected, line), fit, "{expected} {line}");
    }
}
