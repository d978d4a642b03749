//! `make demo`: one invented citizen from declaration to a verified chip, over the real PC/SC stack, each step with its duration and
//! what it proved. Leaves `demo-out/`.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Parser;
use serde_json::Value;
use tests::road::{agent, text};
use tests::world::{OFFICE, Options, World};
use tests::{citizen, world};

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
    let mut road = Road::default();

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
    let summary = road.summary(&out)?;
    fs::write(out.join("summary.txt"), &summary)?;
    println!("\n{summary}");
    if arguments.keep {
        keep(&world);
    }
    Ok(())
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
    let bundle = out.join("trust-bundle.cms");
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
#[derive(Default)]
struct Road {
    lines: Vec<String>,
}

impl Road {
    fn step<T>(
        &mut self,
        number: &str,
        name: &str,
        act: impl FnOnce() -> Result<(T, String), Box<dyn Error>>,
    ) -> Result<T, Box<dyn Error>> {
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

    fn summary(&self, out: &Path) -> Result<String, Box<dyn Error>> {
        let verdict: Value = serde_json::from_str(&fs::read_to_string(out.join("inspection.json"))?)?;
        let mut text = String::from("Citizen Card: one citizen from declaration to a verified chip\n\n");
        for line in &self.lines {
            writeln!(text, "{line}")?;
        }
        writeln!(text, "\nVerdict of the inspection: {}", verdict["verdict"].as_str().unwrap_or("?"))?;
        for check in verdict["checks"].as_array().into_iter().flatten() {
            let field = |name: &str| check[name].as_str().unwrap_or_default().to_owned();
            writeln!(text, "  {:<12} {:<26} {}", field("outcome"), field("name"), field("reason"))?;
        }
        writeln!(text, "\nWritten to {}:", out.display())?;
        let mut files: Vec<_> = fs::read_dir(out)?.collect::<Result<_, _>>()?;
        files.sort_by_key(fs::DirEntry::file_name);
        for file in files {
            writeln!(text, "  {:>7}  {}", file.metadata()?.len(), file.file_name().to_string_lossy())?;
        }
        Ok(text)
    }
}

fn keep(world: &World) {
    let agent = world::program("card-agent").unwrap_or_default();
    println!("Everything is left running until you press Ctrl-C. In another shell:\n");
    println!("  export PCSCLITE_CSOCK_NAME={}", world.pcscd.socket().display());
    println!("  {} readers", agent.display());
    println!("  opensc-tool -l");
    println!("  curl --cacert {0}/issuance/tls-ca.pem {1}/openapi.json", world.dir.display(), world.service.address);
    println!(
        "  {} intake --reader '{}' --station {}",
        agent.display(),
        world.pcscd.reader(1),
        world.station().display()
    );
    println!("  echo 'remove 0' | nc -U {}/simulator.sock", world.dir.display());
    loop {
        std::thread::park();
    }
}
