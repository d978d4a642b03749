//! `make demo`: one invented citizen from declaration to a verified chip, over the real PC/SC stack, each step with its duration and
//! what it proved. Leaves `demo-out/`.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Instant;

use clap::Parser;
use serde_json::Value;
use tests::road::{agent, text};
use tests::world::{OFFICE, Options, World};
use tests::{citizen, world};
use tokio::signal::unix::{SignalKind, signal};

/// Beside the running offices: what a kiosk is given.
const BUNDLE: &str = "trust-bundle.cms";

/// One citizen, declared, numbered, captured, approved, personalized, handed over, inspected.
#[derive(Parser)]
struct Arguments {
    /// Leave everything running, and say what to try next.
    #[arg(long)]
    keep: bool,
    /// Where the results go.
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

/// Receives a word at Ctrl-C and its like, so that whatever was started ends with us.
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
        let answer = officers.registrar.declares(&citizen::declaration())?;
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
        let own = officers.capture.approves(&application).err().map(|r| r.code).unwrap_or_default();
        officers.approver.approves(&application)?;
        Ok(((), format!("the capturing officer was refused ({own}); another one approved")))
    })?;
    let station = world.station();
    let station = station.to_string_lossy();
    let reader = world.pcscd.reader(0);
    road.step("—", "stock intake of the blank", || {
        agent(world, &["intake", "--reader", &reader, "--station", &station])?;
        let blank = officers.stock.get(&format!("/api/stock/{}", world.serials[0]))?;
        Ok(((), format!("keys made on the chip, transport keys replaced; ledger says {}", text(&blank, "state"))))
    })?;
    let writing = out.join("personalization.jsonl");
    let card = personalize(world, &reader, &station, &writing, road)?;
    road.step("10", "hand-over", || {
        let answer = officers.counter.hands_over(&card, &slip)?;
        Ok(((), format!("the card is {}", text(&answer, "status"))))
    })?;
    let bundle = world.dir.join(BUNDLE);
    road.step("11", "inspection by a kiosk", || {
        fs::write(&bundle, world.service.anyone().get_octets("/api/trust-bundle")?)?;
        fs::copy(world.csca(), out.join("csca.der"))?;
        let person = officers.registrar.get(&format!("/api/persons/{person}"))?;
        let number = text(&person, "personal_number");
        let (bundle, anchor, folder) = (bundle.to_string_lossy(), world.csca(), out.to_string_lossy());
        let log = out.join("inspection.jsonl");
        let said = agent(
            world,
            &[
                "inspect",
                "--reader",
                &reader,
                "--bundle",
                &bundle,
                "--anchor",
                &anchor.to_string_lossy(),
                "--can",
                &number[6..],
                "--json",
                "--out",
                &folder,
                "--log",
                &log.to_string_lossy(),
            ],
        )?;
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

/// Steps 5 to 9, which one run of the station does: what each took is what the station says.
fn personalize(
    world: &World,
    reader: &str,
    station: &str,
    log: &Path,
    road: &mut Road,
) -> Result<String, Box<dyn Error>> {
    let log = log.to_string_lossy().into_owned();
    let said = agent(world, &["personalize", "--reader", reader, "--station", station, "--log", &log, "--json"])?;
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
        road.took(
            number,
            name,
            microseconds.ok_or_else(|| format!("the station did not {stride}"))? as f64 / 1000.0,
            &proved,
        );
    }
    Ok(text(&done, "card_id"))
}

/// The steps walked so far.
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
        self.took(number, name, begun.elapsed().as_secs_f64() * 1000.0, &said);
        Ok(value)
    }

    fn took(&mut self, number: &str, name: &str, milliseconds: f64, proved: &str) {
        let line = format!("{number:>4}  {name:<26} {milliseconds:>8.1} ms  {proved}");
        println!("{line}");
        self.lines.push(line);
    }
}

/// The verdict, and what lies in `out`.
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
    // The last digits of the personal number, which DG1 carries as optional data: 5 octets of tags and lengths, then 15 characters before it.
    let dg1 = fs::read(out.join("dg1.bin"))?;
    let can = String::from_utf8_lossy(&dg1[26..32]);
    let agent = world::program("card-agent").unwrap_or_default();
    let (agent, dir, out) = (agent.display(), world.dir.display(), out.display());
    let (card, blank, station) = (world.pcscd.reader(0), world.pcscd.reader(1), world.station());
    println!("\nEverything is left running until you press Ctrl-C. In another shell:\n");
    println!("  export PCSCLITE_CSOCK_NAME={}", world.pcscd.socket().display());
    println!("  {agent} readers");
    println!("  opensc-tool --list-readers");
    println!("  {agent} inspect --reader '{card}' --bundle {dir}/{BUNDLE} --anchor {out}/csca.der --can {can}");
    println!("  {agent} intake --reader '{blank}' --station {}", station.display());
    println!("  curl --cacert {dir}/issuance/tls-ca.pem {}/openapi.json", world.service.address);
    println!("  echo 'remove 0' | nc -NU {dir}/simulator.sock    # and: insert 0, reset 0, status\n");
    Ok(())
}
