//! How well people who were declared twice are found, by kind of fault, and how long a look takes, in memory. Run by
//! hand: `cargo bench -p issuance --bench duplicates [PEOPLE]`.

#[path = "../tests/it/nation.rs"]
mod nation;

use std::process::{Command, ExitCode};

use serde_json::json;

use crate::nation::{Kind, Nation};

fn main() -> ExitCode {
    let people = std::env::args().find_map(|word| word.parse().ok()).unwrap_or(30_000);
    let folder = tempfile::tempdir().expect("a folder");
    for rich in [true, false] {
        // The weights were set by nations of the seeds 1 to 12.
        let nation = Nation::of(Kind { people, seed: 20_261_126, rich });
        let (file, truth) = (folder.path().join("people.ndjson"), folder.path().join("truth.ndjson"));
        let lines: Vec<String> = nation.forms.iter().map(|form| form.declaration().to_string()).collect();
        std::fs::write(&file, lines.join("\n")).expect("room for the people");
        let of_line = |(at, truth): (usize, &nation::Truth)| {
            let line = |of: Option<usize>| of.map(|at| at + 1);
            (truth.double_of.is_some() || truth.look_alike_of.is_some()).then(|| {
                json!({"line": at + 1, "double_of": line(truth.double_of), "look_alike_of": line(truth.look_alike_of),
                    "faults": truth.faults})
                .to_string()
            })
        };
        let truths: Vec<String> = nation.truths.iter().enumerate().filter_map(of_line).collect();
        std::fs::write(&truth, truths.join("\n")).expect("room for the truth");
        println!(
            "{}",
            if rich { "with parents, communes and old numbers" } else { "name, date, sex and provinces alone" }
        );
        let issuance = Command::new(env!("CARGO_BIN_EXE_issuance"))
            .args(["duplicates", "--file"])
            .arg(&file)
            .arg("--truth")
            .arg(&truth)
            .status();
        if !issuance.is_ok_and(|status| status.success()) {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
