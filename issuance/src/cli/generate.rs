//! `issuance generate`

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use crypto::identity::ProvinceCode;
use time::Date;
use time::macros::date;

use super::{Outcome, output};
use crate::population::nation::{self, Nation, Rate};

/// Writes the declarations of a nation that does not exist, with the truth about every line beside them.
///
/// Households, ages, names, addresses and faults have the shapes of the real ones; every person is invented, and every
/// number belongs to no person. The same seed writes the same bytes. No service and no database is needed. What
/// the register must know before it takes these people is shown by `--settings`. See docs/generate.md.
#[derive(Args)]
pub(super) struct Generate {
    /// People; those with a second form (`--doubles`) have one line more.
    #[arg(long, value_name = "N", required_unless_present = "settings")]
    people: Option<u64>,
    /// Another seed makes another nation.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Share of people whose form has one fault or two, as 0.05 or 5%.
    #[arg(long, value_name = "RATE", default_value = "0")]
    faults: Rate,
    /// Share of people who are declared twice, the second time with one difference or two.
    #[arg(long, value_name = "RATE", default_value = "0")]
    doubles: Rate,
    /// Provinces that they live in, three digits each, with commas [default: all].
    #[arg(long, value_name = "CODES", value_delimiter = ',')]
    province: Vec<ProvinceCode>,
    /// Last day of the collection: ages and papers are of that day.
    #[arg(long, value_name = "YYYY-MM-DD", default_value_t = DAY, value_parser = day)]
    day: Date,
    /// How the declarations are written.
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
    /// File of the declarations; it must not exist.
    #[arg(long, value_name = "FILE", required_unless_present = "settings")]
    out: Option<PathBuf>,
    /// File of the truth, one JSON object a line; it must not exist.
    #[arg(long, value_name = "FILE", required_unless_present = "settings")]
    truth: Option<PathBuf>,
    /// Threads that make people [default: as many as the computer has cores]. The files are the same with any number.
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Only show the line of the configuration by which the register knows the provinces of these people.
    #[arg(long, conflicts_with_all = ["people", "out", "truth"])]
    settings: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// Comma-separated values with a header.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

impl Generate {
    pub(super) fn run(self) -> Outcome {
        if self.settings {
            let provinces = nation::invented_provinces();
            let one = |province: &crate::population::reference::ExtraProvince| {
                format!("    {{ code = \"{}\", name = \"{}\" }},", province.code, province.name)
            };
            let lines: Vec<String> = provinces.iter().map(one).collect();
            output::line(format_args!("[population]\nextra_provinces = [\n{}\n]", lines.join("\n")))?;
            return Ok(());
        }
        let (people, rates) = (self.people.unwrap_or_default(), (self.faults, self.doubles));
        let nation = Nation::new(people, self.seed, rates, &self.province, self.day)?;
        let format = match self.format {
            Format::Csv => nation::Format::Csv,
            Format::Ndjson => nation::Format::Ndjson,
        };
        let threads = self.threads.or_else(|| std::thread::available_parallelism().ok().map(usize::from)).unwrap_or(1);
        let mut out = create(self.out.as_ref())?;
        let mut truth = create(self.truth.as_ref()).inspect_err(|_| {
            // The same command would be refused for the empty file.
            let _ = self.out.as_ref().map(std::fs::remove_file);
        })?;
        let mut told = 0;
        let written = nation.write(format, threads, &mut out, &mut truth, |people| {
            if people >= told + TOLD_EVERY {
                told = people;
                output::complain(format_args!("{people} people written"));
            }
        })?;
        for mut file in [out, truth] {
            file.flush()?;
            file.get_ref().sync_all()?;
        }
        let nation::Written { people, faulty, doubles, lookalikes } = written;
        output::line(format_args!(
            "{people} people in {} lines: {faulty} forms with faults, {doubles} second forms, {lookalikes} people who are easily \
             taken for another.",
            people + doubles
        ))?;
        Ok(())
    }
}

/// Opens a new file; one that is there is not overwritten.
fn create(path: Option<&PathBuf>) -> Result<BufWriter<File>, Box<dyn std::error::Error>> {
    let path = path.ok_or("a file is needed")?;
    let file = File::create_new(path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(BufWriter::with_capacity(1 << 20, file))
}

fn day(text: &str) -> Result<Date, String> {
    let date: crypto::identity::Date = text.parse().map_err(|e: crypto::identity::DateError| e.to_string())?;
    date.full().filter(|day| (1970..=2099).contains(&day.year())).ok_or_else(|| "a day from 1970 to 2099".to_owned())
}

/// The end of the collection of 2021.
const DAY: Date = date!(2021 - 01 - 31);
/// People between two lines of progress.
const TOLD_EVERY: u64 = 1_000_000;
