//! Kills the service while stations issue cards, and says what does not hold afterwards:
//! `cargo run -p tests --bin crash -- --kills 200 --database postgres`.

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use tests::crash::{self, Options};
use tests::golden::Trouble;
use tests::world::{postgres, scratch};

/// Kills the service while stations issue cards, and says what does not hold afterwards.
#[derive(Parser)]
struct Arguments {
    /// Decides the moments of the kills; without it, drawn and printed.
    #[arg(long)]
    seed: Option<u64>,
    /// How often the service is killed.
    #[arg(long, default_value_t = 50)]
    kills: u32,
    /// The number of citizens at least.
    #[arg(long, default_value_t = 20)]
    citizens: u32,
    /// The number of stations at the same time.
    #[arg(long, default_value_t = 4)]
    stations: u32,
    /// The engine.
    #[arg(long, default_value = "sqlite")]
    database: Engine,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Engine {
    Sqlite,
    Postgres,
}

fn main() -> Result<ExitCode, Trouble> {
    let Arguments { seed, kills, citizens, stations, database: engine } = Arguments::parse();
    let database = match engine {
        Engine::Sqlite => None,
        Engine::Postgres => Some(postgres::fresh_database().ok_or("PostgreSQL is not installed")?),
    };
    let seed = seed.unwrap_or_else(|| u64::from_be_bytes(tests::ambient::bytes()));
    println!("seed {seed}, {engine:?}");
    let scratch = scratch();
    let dir = scratch.path().join("house");
    let report = crash::run(&dir, &Options { seed, kills, citizens, stations, database })?;
    println!("{report:#?}");
    if report.broken.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("seed {seed}; {} kept\n{}", scratch.keep().display(), crash::log_of(&dir));
    Ok(ExitCode::FAILURE)
}
