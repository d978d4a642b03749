//! Makes a golden house for each engine: `cargo run -p tests --bin fixture -- tests/fixtures/house-YYYY-MM`.
//! `tests/README.md` says when, and what it is for.

use std::path::PathBuf;

use clap::Parser;
use tests::golden::{Trouble, story};
use tests::world::postgres;

/// Makes a golden house for each engine.
#[derive(Parser)]
struct Arguments {
    /// Folder of the new golden house; `sqlite` and `postgresql` in it must not exist.
    folder: PathBuf,
}

fn main() -> Result<(), Trouble> {
    let Arguments { folder } = Arguments::parse();
    let database = postgres::fresh_database().ok_or("a golden house needs both engines")?;
    story::make(&folder.join("sqlite"), None)?;
    story::make(&folder.join("postgresql"), Some(&database))
}
