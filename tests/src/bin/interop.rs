//! `make interop`: readers that we did not write read DG1, DG2, DG13 and SOD from our chip over the real pcscd, by BAC,
//! by PACE with the MRZ and by PACE with the CAN, and agree with our own inspection byte for byte and in the verdict.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Parser;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tests::citizen::Citizen;
use tests::road;
use tests::world::{self, Options, World};

/// Compares readers that we did not write with ours.
#[derive(Parser)]
struct Arguments {
    /// Program built from tests/interop/dmrtd.
    #[arg(long)]
    dmrtd: PathBuf,
    /// Build folder of tests/interop/jmrtd.
    #[arg(long)]
    jmrtd: PathBuf,
}

/// The files that are compared.
const FILES: [&str; 4] = ["dg1", "dg2", "dg13", "sod"];
/// The access protocols and passwords by which the chip is opened.
const MODES: [&str; 3] = ["bac", "pace-mrz", "pace-can"];

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments = Arguments::parse();
    let (mut passed, mut failed) = (0, 0);
    for named_curves in [false, true] {
        let scratch = world::scratch();
        let world = World::begin(&scratch.path().join("world"), &Options { named_curves, ..Options::default() })?;
        let issued = road::issue(&world, 0, &Citizen::invented(0))?;
        let ours = our_reading(&world, &issued, scratch.path())?;
        let mrz = mrz_key(&scratch.path().join("read/dg1.bin"))?;
        for (name, mode) in ["dmrtd", "JMRTD"].into_iter().flat_map(|name| MODES.map(|mode| (name, mode))) {
            let mut command = if name == "dmrtd" { Command::new(&arguments.dmrtd) } else { jmrtd(&arguments.jmrtd) };
            command.args([&world.pcscd.reader(0), mode, &mrz.0, &mrz.1, &mrz.2, &issued.number[6..]]).arg(world.csca());
            command.env("PCSCLITE_CSOCK_NAME", world.pcscd.socket());
            let verdict = compare(&mut command, &ours);
            let form = if named_curves { "named curves" } else { "explicit curve parameters" };
            match verdict {
                Ok(()) => {
                    passed += 1;
                    println!("ok      {name:<6} {mode:<9} {form}");
                }
                Err(why) => {
                    failed += 1;
                    println!("FAILED  {name:<6} {mode:<9} {form}: {why}");
                }
            }
        }
    }
    println!(
        "test result: {}. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out",
        if failed == 0 { "ok" } else { "FAILED" }
    );
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Returns SHA-256 (hexadecimal) of the files as our own inspection read them; an error unless it trusts the card.
fn our_reading(world: &World, issued: &road::Issued, scratch: &Path) -> Result<[String; 4], Box<dyn Error>> {
    let folder = scratch.join("read");
    let said = road::inspect(world, 0, &["--can", &issued.number[6..], "--out", &folder.to_string_lossy()])?;
    if !said.status.success() {
        return Err(
            format!("our own inspection does not trust the card: {}", String::from_utf8_lossy(&said.stdout)).into()
        );
    }
    let mut digests = FILES.map(str::to_owned);
    for digest in &mut digests {
        *digest = hex::encode(Sha256::digest(std::fs::read(folder.join(format!("{digest}.bin")))?));
    }
    Ok(digests)
}

/// Returns document number, birth and expiry (six digits each for the dates) from the MRZ in DG1.
fn mrz_key(dg1: &Path) -> Result<(String, String, String), Box<dyn Error>> {
    let bytes = std::fs::read(dg1)?;
    let mrz = String::from_utf8(bytes[bytes.len() - 90..].to_vec())?;
    Ok((mrz[5..14].to_owned(), mrz[30..36].to_owned(), mrz[38..44].to_owned()))
}

/// JMRTD under Java, whose PC/SC provider needs the path of Debian's libpcsclite.
fn jmrtd(build: &Path) -> Command {
    let mut command = Command::new("java");
    let machine = std::env::consts::ARCH;
    command.arg(format!("-Dsun.security.smartcardio.library=/usr/lib/{machine}-linux-gnu/libpcsclite.so.1"));
    command.arg("-cp").arg(format!("{0}/classes:{0}/lib/*", build.display())).arg("interop.ReadWithJmrtd");
    command
}

fn compare(command: &mut Command, ours: &[String; 4]) -> Result<(), String> {
    let said = command.output().map_err(|e| e.to_string())?;
    let out = String::from_utf8_lossy(&said.stdout);
    let line = out.lines().find(|l| l.starts_with('{')).ok_or_else(|| {
        let complaint = String::from_utf8_lossy(&said.stderr);
        format!("{}: {}", said.status, complaint.lines().take(6).collect::<Vec<_>>().join(" | "))
    })?;
    let theirs: Value = serde_json::from_str(line).map_err(|e| e.to_string())?;
    for (file, digest) in FILES.iter().zip(ours) {
        if theirs[file] != digest.as_str() {
            return Err(format!("{file} differs from what we read"));
        }
    }
    if theirs["authentic"] == true { Ok(()) } else { Err("it does not find the document authentic, we do".into()) }
}
