//! `make demo`: one invented citizen from declaration to a verified chip, over the real PC/SC stack. Prints each step
//! with its duration and result. Leaves `demo-out/`.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use card_agent::private;
use clap::Parser;
use faces::{Face, Look, Resolution, Use};
use serde_json::Value;
use tests::citizen::{self, Citizen};
use tests::road::{self, text};
use tests::world::{self, APPOINTED, OFFICE, Offices, Options, World};
use tokio::signal::unix::{SignalKind, signal};

/// One citizen, declared, numbered, captured, approved, personalized, handed over, inspected.
#[derive(Parser)]
struct Arguments {
    /// Leave everything running, and print commands to try next.
    #[arg(long)]
    keep: bool,
    /// As --keep, and keep everything in this folder: the same command starts it again.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Folder of the results.
    #[arg(long, default_value = "demo-out")]
    out: PathBuf,
    /// Certificates with named curves instead of explicit parameters (OpenSSL then accepts the whole chain).
    #[arg(long)]
    named_curves: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let mut road = Road { told_to_stop: told_to_stop()?, lines: Vec::new() };
    let options = Options { named_curves: arguments.named_curves, ..Options::default() };
    let kept = arguments.dir.as_deref();
    if let Some(dir) = kept.filter(|dir| Offices::stand_in(dir)) {
        return again(dir, &arguments.out, &options, &road);
    }
    if let Some(dir) = kept.filter(|dir| fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some())) {
        return Err(format!("{} is not empty, and no demonstration was kept in it", dir.display()).into());
    }
    let _ = fs::remove_dir_all(&arguments.out);
    private::create_folder(&arguments.out)?;
    let out = fs::canonicalize(&arguments.out)?;
    let scratch = world::scratch();
    let dir = kept.map_or_else(|| scratch.path().join("world"), Path::to_owned);

    let world = road.step("0", "the house", || {
        let world = World::begin(&dir, &options)?;
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
    if arguments.keep || kept.is_some() {
        say_what_to_try(&world, &out, kept);
        road.wait_for_the_end(&world, kept);
    }
    Ok(())
}

/// Starts a demonstration again that was kept: the same people, officers and chips.
fn again(dir: &Path, out: &Path, options: &Options, road: &Road) -> Result<(), Box<dyn Error>> {
    let world = World::resume(dir, options)?;
    println!("The house in {} stands again: service on {}.", world.dir.display(), world.service.address);
    fs::create_dir_all(out)?;
    let out = fs::canonicalize(out)?;
    fs::copy(world.csca(), out.join("csca.der"))?;
    fs::write(world.dir.join(road::BUNDLE), world.service.anyone().trust_bundle()?)?;
    say_what_to_try(&world, &out, Some(dir));
    road.wait_for_the_end(&world, Some(dir));
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
        // Drawn: the pictures that the demonstration leaves show no person who lives.
        let photograph = citizen::drawing();
        let captured = officers.capture.captures(&application, &photograph, citizen::FEATURES)?;
        let said = format!(
            "drawn portrait of {} bytes taken in, features written down, slip {}",
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
        let verdict = serde_json::from_str::<Value>(&said)?["result"].clone();
        private::write(&out.join("inspection.json"), serde_json::to_string_pretty(&verdict)?.as_bytes())?;
        let _ = fs::remove_file(out.join("atrinfo.bin"));
        let checks = verdict["checks"].as_array().map_or(0, Vec::len);
        let proved =
            verdict["checks"].as_array().map_or(0, |all| all.iter().filter(|c| c["outcome"] == "proved").count());
        let apdus = fs::read_to_string(&log)?.lines().count();
        Ok(((), format!("verdict: {}; {proved} of {checks} checks proved, {apdus} APDUs", text(&verdict, "verdict"))))
    })?;
    road.step("12", "the card's faces", || {
        let faces = draw_faces(out)?;
        Ok(((), format!("{} as they are printed, marked SPECIMEN", faces.join(", "))))
    })
}

/// Draws the faces of the card out of what the kiosk read from its chip. Returns the names of the files.
fn draw_faces(out: &Path) -> Result<[&'static str; 3], Box<dyn Error>> {
    let faces = [
        Face::front(&citizen::front(out)?, Look { for_: Use::Show, specimen: true })?,
        Face::back(&citizen::back(out)?, Look { for_: Use::Show, specimen: true })?,
    ];
    let names = ["card-front.png", "card-back.png", "card.pdf"];
    for (face, name) in faces.iter().zip(names) {
        private::write(&out.join(name), &face.png(Resolution::Dpi600)?)?;
    }
    private::write(&out.join(names[2]), &faces::pdf(&faces)?)?;
    Ok(names)
}

/// Steps 5 to 9, which are one run of the station; their durations are the station's own.
/// Returns the card's identifier.
fn personalize(world: &World, log: &Path, road: &mut Road) -> Result<String, Box<dyn Error>> {
    let log = log.to_string_lossy().into_owned();
    let said = road::personalize(world, 0, &["--log", &log, "--json"])?;
    let done = serde_json::from_str::<Value>(&said)?["result"].clone();
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
    /// Waits for Ctrl-C, and says what it did.
    fn wait_for_the_end(&self, world: &World, kept: Option<&Path>) {
        let _ = self.told_to_stop.recv();
        let dir = world.dir.display();
        match kept {
            Some(kept) => {
                println!("Everything is stopped. {dir} is kept: `make demo KEEP={}` starts it again.", kept.display());
            }
            None => println!("Everything is stopped, and {dir} is deleted."),
        }
    }

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

fn say_what_to_try(world: &World, out: &Path, kept: Option<&Path>) {
    let agent = world::program("card-agent").unwrap_or_default();
    let (agent, dir, out, address) = (agent.display(), world.dir.display(), out.display(), &world.service.address);
    let (card, blank, station) = (world.pcscd.reader(0), world.pcscd.reader(1), world.station());
    println!(
        "\nEverything is left running until you press Ctrl-C. {}",
        match kept {
            Some(kept) => format!(
                "That stops everything and deletes nothing: `make demo KEEP={}` starts it again.",
                kept.display()
            ),
            None => format!(
                "That stops everything and deletes {dir}: service, register, keys, chips. {out} stays. `make demo KEEP=DIR` keeps all in DIR."
            ),
        }
    );
    println!("\nOfficers, each with the password in {dir}/password-of-NAME:\n");
    println!("  {:<12} admin", "admin");
    println!("  {:<12} admin, who confirms what the first proposes", "admin-2");
    for (username, roles) in APPOINTED {
        println!("  {username:<12} {}", roles.join(", "));
    }
    println!(
        "\nIn another shell, sign in as one of them; the token goes into the header `authorization: Bearer TOKEN`:\n"
    );
    println!(
        "  curl --cacert {dir}/issuance/tls-ca.pem --json \"{{\\\"username\\\":\\\"capture\\\",\\\"password\\\":\\\"$(cat {dir}/password-of-capture)\\\"}}\" {address}/api/v1/sessions"
    );
    println!("  curl --cacert {dir}/issuance/tls-ca.pem {address}/openapi.json    # every route");
    println!("\nAnd the readers, where reader 0 holds the finished card and reader 1 a blank:\n");
    println!("  export PCSCLITE_CSOCK_NAME={} LC_ALL=C.UTF-8", world.pcscd.socket().display());
    println!("  {agent} readers");
    println!("  opensc-tool --list-readers");
    // The last six digits of the personal number, which DG1 carries as optional data: 5 octets of tags and lengths,
    // then 15 characters before it.
    let can = fs::read(Path::new(&out.to_string()).join("dg1.bin")).ok();
    let can = can.and_then(|dg1| dg1.get(26..32).map(|digits| String::from_utf8_lossy(digits).into_owned()));
    let can = can.map_or_else(String::new, |can| format!(" --can {can}"));
    println!("  {agent} inspect --reader '{card}' --bundle {dir}/{} --anchor {out}/csca.der{can}", road::BUNDLE);
    println!("  {agent} decode {out}");
    println!("  {agent} info --reader '{blank}'");
    println!("  {agent} intake --reader '{blank}' --station {}", station.display());
    println!("  {agent} status --station {}", station.display());
    println!(
        "  echo 'remove 0' | nc -NU {dir}/simulator.sock    # and: insert 0, reset 0, blank 0 (a new one, its serial to be delivered), status\n"
    );
}
