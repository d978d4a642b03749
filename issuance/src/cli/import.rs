//! `issuance import`

use std::collections::BTreeMap;
use std::error::Error;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use time::format_description::well_known::Rfc3339;

use super::serve::stop_requested;
use super::{Outcome, Place, output};
use crate::access;
use crate::deed::Deeds;
use crate::ground::ids::{BatchId, OfficerId};
use crate::ground::text::Login;
use crate::ground::{OfficeCode, Permission, Role};
use crate::population::import::{Done, Ended, First, Format, Told, Wanted, end, import, load_first, look_for_doubles};
use crate::population::rules;
use crate::population::store::import::Batch;
use crate::server::{Offices, Settings};

/// Takes files of declarations (form DC01) into the register: CSV or NDJSON, in UTF-8
/// (docs/import.md has every column).
///
/// Each row becomes a person of the register, or waits in quarantine with the rules that keep it out. It may be cut at
/// any moment (a signal, a power cut, a full disk): the same command goes on where it was. The same file again changes
/// nothing. The service may run meanwhile.
#[derive(Args)]
pub(super) struct ImportCommand {
    #[command(flatten)]
    place: Place,
    /// Files, one after the other.
    #[arg(required_unless_present = "end", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Ends a file that was begun and can never be read to its end, since it was changed meanwhile or is gone: the
    /// identifier of its batch, as `issuance quarantine list` and `issuance status` show it. What entered of it stays.
    #[arg(long, value_name = "BATCH", conflicts_with_all = ["files", "doubles", "json"], requires = "because")]
    end: Option<BatchId>,
    /// Why the file is ended, for the audit trail.
    #[arg(long, value_name = "WORDS", requires = "end")]
    because: Option<String>,
    /// Waits so many seconds for a lock of PostgreSQL that another session holds, then says which session it is.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    wait: u64,
    /// The registrar in whose name they are imported: the first event of each person names the officer.
    #[arg(long, value_name = "NAME")]
    officer: Login,
    /// The office whose persons they declare [default: the officer's]. Another one than the officer's own is for the
    /// national office.
    #[arg(long, value_name = "CODE")]
    office: Option<OfficeCode>,
    /// How they are written [default: by the end of the name: .csv, or .ndjson and .jsonl].
    #[arg(long)]
    format: Option<Written>,
    /// Compares each person of the files with everyone in the register afterwards, and notes with both of two who are
    /// probably one that they are. It takes longer than the import; the same command does it for files that are there,
    /// and goes on where it was.
    #[arg(long)]
    doubles: bool,
    /// Loads a register that is empty: rows enter without most indexes, which are made when all files are read. Nothing
    /// else enters the register meanwhile. PostgreSQL alone; refused where a standby follows or a replication slot is.
    /// It may be cut too: the same command goes on.
    #[arg(long)]
    first: bool,
    /// What became of each file, as one line of JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Written {
    /// Comma-separated values with a header.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

impl ImportCommand {
    pub(super) fn run(self) -> Outcome {
        let settings = Settings { lock_timeout: Some(Duration::from_secs(self.wait)), ..self.place.settings()? };
        tokio::runtime::Runtime::new()?.block_on(async {
            let offices = Box::pin(Offices::beside(&settings)).await?;
            let outcome = Box::pin(self.files(&offices)).await;
            offices.deeds().db().close().await;
            outcome
        })
    }

    async fn files(&self, offices: &Offices) -> Outcome {
        let (officer, office) = registrar(offices.deeds(), &self.officer, self.office.as_ref()).await?;
        if let Some(batch) = self.end {
            let ended = end(offices.deeds(), batch, (officer, &office), self.because.as_deref().unwrap_or_default());
            let Batch { file_name, rows, accepted, quarantined, .. } = Box::pin(ended).await?;
            return Ok(output::line(format_args!(
                "{file_name}: ended with {rows} rows = {accepted} accepted + {quarantined} quarantined; what waits of it waits on"
            ))?);
        }
        let stop = Arc::new(AtomicBool::new(false));
        tokio::spawn({
            let (stop, requested) = (Arc::clone(&stop), stop_requested()?);
            async move {
                requested.await;
                output::complain(format_args!("issuance: stops after the rows under way …"));
                stop.store(true, Ordering::Relaxed);
            }
        });
        let wanted = |file: &Path| -> Result<Wanted, String> {
            Ok(Wanted { file: file.to_owned(), format: self.format_of(file)?, officer, office: office.clone() })
        };
        if self.first {
            self.load_first(offices, &wanted, &stop).await?;
        }
        for file in &self.files {
            let (file, wanted) = (file.clone(), wanted(file)?);
            let mut shown = Shown::new(&file);
            let done =
                Box::pin(import(offices.deeds(), &offices.register, wanted, &stop, |told| shown.tell(&told))).await;
            shown.end();
            let (done, ended) = done.map_err(|error| format!("{}: {error}", file.display()))?;
            if ended == Ended::Stopped {
                self.say(&file, &done, &ended, None)?;
                return Err("stopped; the same command goes on after the last row that was taken".into());
            }
            // As JSON a file has one line, with all that was done about it.
            if !self.json {
                self.say(&file, &done, &ended, None)?;
            }
            let doubles = match self.doubles {
                true => Some(self.look_for_doubles(offices, done.batch, &stop).await?),
                false => None,
            };
            if self.json {
                self.say(&file, &done, &ended, doubles)?;
            }
        }
        Ok(())
    }

    /// Reads the files into a register without indexes, and makes these.
    async fn load_first(
        &self,
        offices: &Offices,
        wanted: &impl Fn(&Path) -> Result<Wanted, String>,
        stop: &AtomicBool,
    ) -> Outcome {
        let deeds = offices.deeds();
        let mut first = Box::pin(First::open(deeds)).await?;
        for file in &self.files {
            let mut shown = Shown::new(file);
            let read = load_first(deeds, &offices.register, wanted(file)?, &mut first, stop, |told| shown.tell(&told));
            let read = Box::pin(read).await;
            shown.end();
            let (_, ended) = read.map_err(|error| format!("{}: {error}", file.display()))?;
            if ended == Ended::Stopped {
                return Err("stopped; the same command goes on after the last row that was taken".into());
            }
        }
        let told = |left| output::complain(format_args!("{left} indexes are to be made"));
        Ok(Box::pin(first.finish(deeds, told)).await?)
    }

    /// Looks for people of the file who were declared twice. Returns how many it noted.
    async fn look_for_doubles(
        &self,
        offices: &Offices,
        batch: BatchId,
        stop: &AtomicBool,
    ) -> Result<u64, Box<dyn std::error::Error>> {
        let mut said = Instant::now();
        let (noted, whole) = look_for_doubles(offices.deeds(), batch, stop, |compared, noted| {
            if said.elapsed() >= Duration::from_secs(10) {
                said = Instant::now();
                output::complain(format_args!("{compared} persons compared with the register, {noted} may be doubles"));
            }
        })
        .await?;
        if !whole {
            return Err("stopped while persons were compared; the same command goes on there".into());
        }
        if noted > 0 && !self.json {
            output::line(format_args!(
                "  {noted} persons may have been declared twice ({}): GET /api/v1/persons/ID/duplicates tells with whom",
                rules::PERHAPS_DECLARED_BEFORE.id
            ))?;
        }
        Ok(noted)
    }

    fn format_of(&self, file: &Path) -> Result<Format, String> {
        let end = file.extension().and_then(|end| end.to_str()).map(str::to_ascii_lowercase);
        match (self.format, end.as_deref()) {
            (Some(Written::Csv), _) | (None, Some("csv")) => Ok(Format::Csv),
            (Some(Written::Ndjson), _) | (None, Some("ndjson" | "jsonl")) => Ok(Format::Ndjson),
            _ => Err(format!("{}: is it csv or ndjson? say so by --format", file.display())),
        }
    }

    fn say(&self, file: &Path, done: &Done, ended: &Ended, doubles: Option<u64>) -> Outcome {
        let Done { batch, rows, accepted, quarantined, households, by_rule, .. } = done;
        let word = match ended {
            Ended::Finished => "finished",
            Ended::Read => "read",
            Ended::Stopped => "stopped",
            Ended::Before(_) => "imported-before",
        };
        if self.json {
            let done = serde_json::json!({"file": file, "batch": batch, "outcome": word, "rows": rows,
                "accepted": accepted, "quarantined": quarantined, "by_rule": by_rule,
                "household_findings": households, "doubles_noted": doubles});
            return Ok(output::line(format_args!("{done}"))?);
        }
        if let Ended::Before(at) = ended {
            output::line(format_args!(
                "{}: the same file was imported at {}; nothing changed",
                file.display(),
                at.format(&Rfc3339)?
            ))?;
        }
        output::line(format_args!(
            "{}: {rows} rows = {accepted} accepted + {quarantined} quarantined (batch {batch})",
            file.display()
        ))?;
        say_rules(by_rule)?;
        if *households > 0 {
            output::line(format_args!("  {households} persons live in a household without a head, or with two"))?;
        }
        Ok(())
    }
}

/// Returns the registrar of this name, and the office for which the registrar acts: the own one, or another one that is
/// named, for the national office.
pub(super) async fn registrar(
    deeds: &Deeds,
    name: &Login,
    office: Option<&OfficeCode>,
) -> Result<(OfficerId, OfficeCode), Box<dyn Error>> {
    let officer = access::officer_of_name(&mut deeds.db().begin_read().await?, name.as_str()).await?;
    let (officer, own, roles) = officer.ok_or("no officer in service has this name")?;
    let may = |role: &Role| Permission::Declare.roles().contains(role);
    if !roles.iter().any(may) {
        return Err("the officer is no registrar".into());
    }
    let office = office.cloned().unwrap_or_else(|| own.clone());
    if office != own && own != OfficeCode::national() {
        return Err("the officer is of another office".into());
    }
    Ok((officer, office))
}

/// Lines about rules that kept rows out.
fn say_rules(by_rule: &BTreeMap<String, u64>) -> Outcome {
    for (id, rows) in by_rule {
        let (code, says) = rules::by_id(id).map_or(("?", ""), |rule| (rule.code, rule.says));
        output::line(format_args!("  {rows} x {id} {code}: {says}"))?;
    }
    Ok(())
}

/// How far an import is: a bar on a terminal, a line every ten seconds elsewhere.
struct Shown {
    name: String,
    terminal: bool,
    began: Instant,
    said: Option<Instant>,
    /// Rows and bytes that were there before this run.
    before: Option<(u64, u64)>,
}

impl Shown {
    fn new(file: &Path) -> Self {
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let terminal = std::io::stderr().is_terminal();
        Self { name, terminal, began: Instant::now(), said: None, before: None }
    }

    fn tell(&mut self, told: &Told) {
        let pause = if self.terminal { Duration::from_millis(200) } else { Duration::from_secs(10) };
        let due = self.said.is_none_or(|said| said.elapsed() >= pause);
        let line = match told {
            Told::Looking { .. } if !due => return,
            Told::Looking { read, of } => format!("{}: looked through {}", self.name, part(*read, *of)),
            Told::Entered(done) => {
                if self.before.is_none() {
                    self.began = Instant::now();
                }
                let (rows, read) = *self.before.get_or_insert((done.rows, done.read));
                if !due {
                    return;
                }
                let seconds = self.began.elapsed().as_secs_f64().max(0.001);
                #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
                let (rate, speed) = ((done.rows - rows) as f64 / seconds, (done.read - read) as f64 / seconds);
                #[expect(clippy::cast_precision_loss, reason = "a time for people")]
                let left = (done.bytes.saturating_sub(done.read)) as f64 / speed.max(1.0);
                format!(
                    "{}: {}, {} rows, {rate:.0} rows/s, {left:.0} s left",
                    self.name,
                    part(done.read, done.bytes),
                    done.rows
                )
            }
        };
        if self.terminal {
            eprint_bar(&line);
        } else if self.said.is_some() {
            output::complain(format_args!("{line}"));
        }
        self.said = Some(Instant::now());
    }

    fn end(&self) {
        if self.terminal && self.said.is_some() {
            eprint_bar("");
        }
    }
}

/// Writes a line over the one before.
fn eprint_bar(line: &str) {
    use std::io::Write as _;
    let mut to = std::io::stderr().lock();
    let _ = write!(to, "\r{line}\u{1b}[K");
    let _ = to.flush();
}

/// A part of a whole, as a bar and in hundredths.
fn part(part: u64, whole: u64) -> String {
    let hundredths = part.saturating_mul(100).checked_div(whole).unwrap_or(100);
    let full = usize::try_from(hundredths / 5).unwrap_or(20);
    format!("[{}{}] {hundredths} %", "#".repeat(full), ".".repeat(20_usize.saturating_sub(full)))
}
