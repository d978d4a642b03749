//! Seeds of the fuzz targets of `crypto`.
//!
//! * `cargo run --package tests --bin seeds` writes `crypto/fuzz/seeds` and `crypto/fuzz/context` anew, after a format
//!   has changed. Look at what changed before committing it. Seeds of other names, which findings left behind, stay.
//! * `cargo run --package tests --bin seeds -- --replay TARGET FILE` hands a file to a target without
//!   libFuzzer, to look into a finding.

#![expect(clippy::unwrap_used, reason = "a message that cannot be made is a fault of this program")]

#[path = "../../../../crypto/fuzz/src/lib.rs"]
mod fuzz;
mod messages;

use std::error::Error;
use std::fs;
use std::path::Path;

use clap::Parser;

/// Writes the seeds of the fuzz targets anew, or replays a finding.
#[derive(Parser)]
struct Arguments {
    /// Hands this file to this target instead of writing anything.
    #[arg(long, num_args = 2, value_names = ["TARGET", "FILE"])]
    replay: Option<Vec<String>>,
}

fn main() -> Result<(), Box<dyn Error>> {
    match Arguments::parse().replay.as_deref() {
        Some([target, file]) => fuzz::run(target, &fs::read(file)?),
        _ => write(Path::new(env!("CARGO_MANIFEST_DIR")).join("../crypto/fuzz").as_path())?,
    }
    Ok(())
}

fn write(root: &Path) -> Result<(), Box<dyn Error>> {
    let seeds = messages::all().0;
    for (path, bytes) in &seeds {
        let path = root.join(path);
        fs::create_dir_all(path.parent().ok_or("a seed has a folder")?)?;
        fs::write(path, bytes)?;
    }
    for target in fuzz::TARGETS {
        let folder = Path::new("seeds").join(target.name);
        let made = seeds.keys().filter(|path| path.starts_with(&folder)).count();
        if made == 0 {
            return Err(format!("no seed is made for the target {}", target.name).into());
        }
        println!("{:<16} {made} seeds; {} mutations of each in a test run", target.name, target.mutations);
    }
    Ok(())
}
