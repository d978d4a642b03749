//! What `hardware-sim serve` writes beside its cards, so that the tests of others know what their reader is to find.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crypto::identity::Date;
use crypto::lds::File;
use crypto::pki::pem;
use hardware_sim::specimen::{Authority, Specimen, SpecimenError};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

/// The file that is written last, when every card is on its reader.
pub const LIST: &str = "cards.json";

/// Writes certificates, trust bundle and the files of each card into a folder, and removes the list of an earlier run.
/// Returns what will stand in [`LIST`].
///
/// # Errors
/// A sentence for the operator.
pub fn write(
    folder: &Path,
    seed: u64,
    authority: &Authority,
    cards: &[Specimen],
    readers: &[Option<String>],
    socket: Option<&Path>,
    at: OffsetDateTime,
) -> Result<Value, String> {
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    match fs::remove_file(folder.join(LIST)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(format!("{LIST}: {error}")),
        _ => {}
    }
    let made = |error: SpecimenError| error.to_string();
    let root = authority.csca().der();
    put(folder, "csca.der", root)?;
    put(folder, "csca.pem", pem::write("CERTIFICATE", root).as_bytes())?;
    put(folder, "trust-bundle.cms", &authority.trust_bundle(at).map_err(made)?)?;
    let mut listed = Vec::new();
    for (slot, card) in cards.iter().enumerate() {
        let name = format!("card-{slot}");
        let own = folder.join(&name);
        fs::create_dir_all(&own).map_err(|error| format!("{}: {error}", own.display()))?;
        let mut digests = serde_json::Map::new();
        for (file, content) in &card.files {
            let file = file_name(*file);
            put(&own, &file, content)?;
            digests.insert(file, hex::encode(Sha256::digest(content)).into());
        }
        listed.push(entry(slot, card, readers.get(slot).and_then(Option::as_deref), &name, &digests));
    }
    Ok(json!({
        "schema": "citizen-card/test-cards/1",
        "seed": seed,
        "pcsclite_csock_name": socket.map(|socket| socket.display().to_string()),
        "csca": "csca.der",
        "trust_bundle": "trust-bundle.cms",
        "cards": listed,
    }))
}

/// Writes the list: its presence says that the cards can be read.
///
/// # Errors
/// A sentence for the operator.
pub fn finish(folder: &Path, list: &Value) -> Result<PathBuf, String> {
    let (path, before) = (folder.join(LIST), folder.join("cards.json.new"));
    let text = format!("{list:#}\n");
    let written = fs::write(&before, text).and_then(|()| fs::rename(&before, &path));
    written.map(|()| path).map_err(|error| format!("{LIST}: {error}"))
}

fn entry(
    slot: usize,
    card: &Specimen,
    reader: Option<&str>,
    folder: &str,
    digests: &serde_json::Map<String, Value>,
) -> Value {
    let [first, second, third] = &card.mrz;
    let birth = match card.holder.birth {
        Date::Full(day) => day.to_string(),
        Date::Month(year, month) => format!("{year:04}-{:02}", u8::from(month)),
        Date::Year(year) => year.to_string(),
    };
    json!({
        "slot": slot,
        "reader": reader,
        "serial": card.serial.to_string(),
        "can": card.can.as_str(),
        "mrz": [first, second, third],
        "mrz_key": { "document_number": first[5..14], "birth": second[0..6], "expiry": second[8..14] },
        "personal_number": card.holder.number.as_str(),
        "name": card.holder.name.as_str(),
        "birth_date": birth,
        "sex": card.holder.sex.letter().to_string(),
        "expiry": card.holder.expiry.map(|day| day.to_string()),
        "folder": folder,
        "sha256": digests,
    })
}

/// Returns the name under which `card-agent inspect --out` writes the same file.
fn file_name(file: File) -> String {
    match file {
        File::DataGroup(group) => format!("dg{}.bin", group.number()),
        File::Com => "com.bin".to_owned(),
        File::Sod => "sod.bin".to_owned(),
        File::CardAccess => "cardaccess.bin".to_owned(),
        other => format!("{other:?}.bin").to_lowercase(),
    }
}

fn put(folder: &Path, name: &str, content: &[u8]) -> Result<(), String> {
    fs::write(folder.join(name), content).map_err(|error| format!("{}: {error}", folder.join(name).display()))
}
