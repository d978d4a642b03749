//! `make demo`: one invented citizen from declaration to a verified chip, over the real PC/SC stack. Prints each step
//! with its duration and result. Leaves `demo-out/`.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use clap::Parser;
use serde_json::Value;
use tests::citizen::{self, Citizen};
use tests::road::{self, text};
use tests::world::{self, OFFICE, Options, World};
use tokio::signal::unix::{SignalKind, signal};

/// One citizen, declared, numbered, captured, approved, personalized, handed over, inspected.
#[derive(Parser)]
struct Arguments {
    /// Leave everything running, and print commands to try next.
    #[arg(long)]
    keep: bool,
    /// Folder of the results.
    #[arg(long, default_value = "demo-out")]
    out: PathBuf,
    /// Certificates with named curves instead of explicit parameters (OpenSSL then accepts the whole chain).
    #[arg(long)]
    named_curves: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let _ = fs::remove_dir_all(&arguments.out);
    fs::create_dir_all(&arguments.out)?;
    let out = fs::canonicalize(&arguments.out)?;
    let scratch = world::scratch();
    let mut road = Road { told_to_stop: told_to_stop()?, lines: Vec::new() };

    let world = road.step("0", "the house", || {
        let world = World::begin(
            &scratch.path().join("world"),
            &Options { named_curves: arguments.named_curves, ..Options::default() },
        )?;
        let said = format!(
            "pcscd with {} virtual readers, simulator, service on {}, station enrolled; {} blanks delivered",
            world.pcscd.readers(),
            world.service.address,
            world.serials.len()
        );
        Ok((world, said))
    })?;
    walk(&world, &out, &mut road)?;
    let end = ending(&out)?;
    let steps = road.lines.join("\n");
    fs::write(
        out.join("summary.txt"),
        format!("Citizen Card: one citizen from declaration to a verified chip\n\n{steps}\n{end}"),
    )?;
    print!("{end}");
    if arguments.keep {
        say_what_to_try(&world, &out)?;
        let _ = road.told_to_stop.recv();
        println!("Everything is stopped.");
    }
    Ok(())
}

/// Returns a channel that receives a message at SIGINT, SIGTERM and SIGHUP, so that the programs
/// started here can be ended.
fn told_to_stop() -> io::Result<Receiver<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let mut signals = {
        let _inside = runtime.enter();
        [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()]
            .into_iter()
            .map(signal)
            .collect::<io::Result<Vec<_>>>()?
    };
    let (tell, told) = mpsc::channel();
    for mut signal in signals.drain(..) {
        let tell = tell.clone();
        runtime.spawn(async move {
            while signal.recv().await.is_some() {
                let _ = tell.send(());
            }
        });
    }
    thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
    Ok(told)
}

fn walk(world: &World, out: &Path, road: &mut Road) -> Result<(), Box<dyn Error>> {
    let officers = &world.officers;
    let person = road.step("1", "declaration", || {
        let answer = officers.registrar.declares(&Citizen::invented(0).declaration())?;
        let findings = answer["findings"].as_array().map_or(0, Vec::len);
        Ok((
            text(&answer, "person_id"),
            format!("form DC01 parsed and kept; {findings} findings for the registrar to look at"),
        ))
    })?;
    road.step("2", "a number for life", || {
        let number = text(&officers.registrar.numbers(&person)?, "personal_number");
        let said = format!("{} (invented: province code {} is not assigned)", number, &number[..3]);
        Ok(((), said))
    })?;
    let (application, slip) = road.step("3", "application and capture", || {
        let application = text(&officers.capture.applies(&person, "first", None, OFFICE)?, "id");
        let photograph = citizen::photograph();
        let captured = officers.capture.captures(&application, &photograph, citizen::FEATURES)?;
        let said = format!(
            "photograph of {} bytes taken in, features written down, slip {}",
            photograph.len(),
            text(&captured, "slip")
        );
        Ok(((application, text(&captured, "slip")), said))
    })?;
    road.step("4", "second officer decides", || {
        let own = officers.registrar.approves(&application).err().map(|r| r.code).unwrap_or_default();
        officers.approver.approves(&application)?;
        Ok(((), format!("the officer who declared the person was refused ({own}); another one approved")))
    })?;
    road.step("—", "stock intake of the blank", || {
        road::intake(world, 0)?;
        let state = road::stock_state(world, &world.serials[0])?;
        Ok(((), format!("keys made on the chip, transport keys replaced; ledger says {state}")))
    })?;
    let writing = out.join("personalization.jsonl");
    let card = personalize(world, &writing, road)?;
    road.step("10", "hand-over", || {
        let answer = officers.counter.hands_over(&card, &slip)?;
        Ok(((), format!("the card is {}", text(&answer, "status"))))
    })?;
    road.step("11", "inspection by a kiosk", || {
        fs::copy(world.csca(), out.join("csca.der"))?;
        let number = text(&officers.registrar.person(&person)?, "personal_number");
        let (folder, log) = (out.to_string_lossy(), out.join("inspection.jsonl"));
        let options = ["--can", &number[6..], "--out", &folder, "--log", &log.to_string_lossy()];
        let said = road::succeeded("inspect", &road::inspect(world, 0, &options)?)?;
        fs::write(out.join("inspection.json"), &said)?;
        let _ = fs::remove_file(out.join("atrinfo.bin"));
        let verdict: Value = serde_json::from_str(&said)?;
        let checks = verdict["checks"].as_array().map_or(0, Vec::len);
        let proved =
            verdict["checks"].as_array().map_or(0, |all| all.iter().filter(|c| c["outcome"] == "proved").count());
        let apdus = fs::read_to_string(&log)?.lines().count();
        Ok(((), format!("verdict: {}; {proved} of {checks} checks proved, {apdus} APDUs", text(&verdict, "verdict"))))
    })
}

/// Steps 5 to 9, which are one run of the station; their durations are the station's own.
/// Returns the card's identifier.
fn personalize(world: &World, log: &Path, road: &mut Road) -> Result<String, Box<dyn Error>> {
    let log = log.to_string_lossy().into_owned();
    let said = road::personalize(world, 0, &["--log", &log, "--json"])?;
    let done: Value = serde_json::from_str(&said)?;
    let apdus = fs::read_to_string(&log)?;
    let in_phase =
        |wanted: &str| apdus.lines().filter(|line| line.contains(&format!("\"phase\":\"{wanted}\""))).count();
    let (present, play) = (in_phase("present"), in_phase("personalize"));
    let back = apdus.lines().count() - present - play;
    let strides = [
        (
            "5",
            "a blank is presented",
            "present",
            format!("{present} APDUs in the clear: serial {}, life cycle, counter", text(&done, "serial")),
        ),
        (
            "6-7",
            "the sealed order",
            "order",
            format!(
                "data groups composed; SOD linted, stored, signed once, verified; {play} commands sealed for this chip and counter"
            ),
        ),
        (
            "8",
            "the script is played",
            "play",
            format!("{play} APDUs played blind; every answer under the chip's own MAC"),
        ),
        (
            "9",
            "read back and judged",
            "read-back",
            format!("{back} APDUs as a border guard: PACE, passive, chip and active authentication"),
        ),
        (
            "9",
            "the receipt",
            "report",
            "the service checked cryptogram, MACs, digest of the files and the signature over its challenge".to_owned(),
        ),
    ];
    for (number, name, stride, proved) in strides {
        let microseconds = done["strides"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|s| s["name"] == stride)
            .and_then(|s| s["microseconds"].as_u64());
        let microseconds = microseconds.ok_or_else(|| format!("the station did not {stride}"))?;
        road.took(number, name, Duration::from_micros(microseconds), &proved);
    }
    Ok(text(&done, "card_id"))
}

/// The printed lines of the steps so far, and the channel that tells to stop.
struct Road {
    told_to_stop: Receiver<()>,
    lines: Vec<String>,
}

impl Road {
    fn step<T>(
        &mut self,
        number: &str,
        name: &str,
        act: impl FnOnce() -> Result<(T, String), Box<dyn Error>>,
    ) -> Result<T, Box<dyn Error>> {
        if self.told_to_stop.try_recv().is_ok() {
            return Err("interrupted; everything is stopped".into());
        }
        let begun = Instant::now();
        let (value, said) = act().map_err(|e| format!("step {number}, {name}: {e}"))?;
        self.took(number, name, begun.elapsed(), &said);
        Ok(value)
    }

    fn took(&mut self, number: &str, name: &str, time: Duration, proved: &str) {
        let milliseconds = time.as_secs_f64() * 1000.0;
        let line = format!("{number:>4}  {name:<26} {milliseconds:>8.1} ms  {proved}");
        println!("{line}");
        self.lines.push(line);
    }
}

/// Returns the verdict and the list of files in `out`, as text.
fn ending(out: &Path) -> Result<String, Box<dyn Error>> {
    let verdict: Value = serde_json::from_str(&fs::read_to_string(out.join("inspection.json"))?)?;
    let mut text = String::new();
    writeln!(text, "\nVerdict of the inspection: {}", verdict["verdict"].as_str().unwrap_or("?"))?;
    for check in verdict["checks"].as_array().into_iter().flatten() {
        let field = |name: &str| check[name].as_str().unwrap_or_default().to_owned();
        writeln!(text, "  {:<12} {:<22} {}", field("outcome"), field("name"), field("reason"))?;
    }
    let mut files = fs::read_dir(out)?
        .map(|file| file.and_then(|file| Ok((file.file_name(), file.metadata()?.len()))))
        .collect::<io::Result<Vec<_>>>()?;
    files.sort();
    let named: Vec<_> = files.iter().map(|(name, size)| format!("{} ({size})", name.to_string_lossy())).collect();
    writeln!(text, "\nWritten to {}, with sizes in bytes:", out.display())?;
    for line in named.chunks(5) {
        writeln!(text, "  {}", line.join("  "))?;
    }
    writeln!(text, "  summary.txt, which says what stands here")?;
    Ok(text)
}

fn say_what_to_try(world: &World, out: &Path) -> io::Result<()> {
    // The last digits of the personal number, which DG1 carries as optional data: 5 octets of tags and lengths, then
    // 15 characters before it.
    let dg1 = fs::read(out.join("dg1.bin"))?;
    let can = String::from_utf8_lossy(&dg1[26..32]);
    let agent = world::program("card-agent").unwrap_or_default();
    let (agent, dir, out) = (agent.display(), world.dir.display(), out.display());
    let (card, blank, station) = (world.pcscd.reader(0), world.pcscd.reader(1), world.station());
    println!("\nEverything is left running until you press Ctrl-C. In another shell:\n");
    println!("  export PCSCLITE_CSOCK_NAME={}", world.pcscd.socket().display());
    println!("  {agent} readers");
    println!("  opensc-tool --list-readers");
    println!("  {agent} inspect --reader '{card}' --bundle {dir}/{} --anchor {out}/csca.der --can {can}", road::BUNDLE);
    println!("  {agent} intake --reader '{blank}' --station {}", station.display());
    println!("  curl --cacert {dir}/issuance/tls-ca.pem {}/openapi.json", world.service.address);
    println!("  echo 'remove 0' | nc -NU {dir}/simulator.sock    # and: insert 0, reset 0, status\n");
    Ok(())
}
