//! `card-agent decode`: the files of a card in words. It compares and proves nothing; `inspect` does.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use card_agent::failure::{Code, Failure};
use card_agent::{kiosk, papers};
use crypto::identity::civil_time::to_the_minute;
use crypto::lds::{Com, DataGroup, Dg1, Dg2, Dg13, File};
use crypto::mrz::MrzDate;
use crypto::pki::Certificate;
use crypto::sod::Sod;
use serde_json::{Value, json};

use crate::arguments::Decode;
use crate::screen::Screen;

/// Label and content of what a file says.
type Lines = Vec<(String, String)>;

pub fn perform(arguments: &Decode, screen: &Screen) -> Result<(), Failure> {
    let folder = &arguments.folder;
    let unusable = |e: &dyn std::fmt::Display| Failure::new(Code::InputUnusable, format!("{}: {e}", folder.display()));
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(|e| unusable(&e))? {
        names.push(entry.map_err(|e| unusable(&e))?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    let (mut files, mut text) = (serde_json::Map::new(), String::new());
    for name in names {
        let Some(read) = decode(folder, &name).transpose() else { continue };
        let lines = read.unwrap_or_else(|why| vec![("unreadable".to_owned(), why)]);
        writeln!(text, "{name}").expect("a String takes all");
        for (label, content) in &lines {
            writeln!(text, "  {label:<16} {content}").expect("a String takes all");
        }
        let members: serde_json::Map<String, Value> =
            lines.into_iter().map(|(label, content)| (label.replace(' ', "_"), json!(content))).collect();
        files.insert(name, members.into());
    }
    if files.is_empty() {
        return Err(unusable(&"no file of a card and no certificate is in it; `card-agent inspect --out` writes them"));
    }
    text.push_str("As the files say it: nothing of this is proved. `card-agent inspect` judges a card.");
    screen.result(json!({ "proved": false, "files": files }), &text)
}

/// Returns what a file says, or none if it is no file of a card and no certificate.
fn decode(folder: &Path, name: &str) -> Result<Option<Lines>, String> {
    let file = File::of_application().find(|file| kiosk::file_name(*file) == name);
    let is_paper = [".der", ".pem", ".crt", ".cer"].iter().any(|ending| name.ends_with(ending));
    if file.is_none() && !is_paper {
        return Ok(None);
    }
    let bytes = fs::read(folder.join(name)).map_err(|e| e.to_string())?;
    let words = |e: &dyn std::fmt::Display| e.to_string();
    Ok(Some(match file {
        Some(File::Com) => com(&Com::parse(&bytes).map_err(|e| words(&e))?),
        Some(File::Sod) => sod(&Sod::parse(&bytes).map_err(|e| words(&e))?),
        Some(File::DataGroup(DataGroup::DG1)) => dg1(&Dg1::parse(&bytes).map_err(|e| words(&e))?),
        Some(File::DataGroup(DataGroup::DG2)) => {
            let dg2 = Dg2::parse(&bytes).map_err(|e| words(&e))?;
            lines([("portrait", format!("{:?}, {} bytes", dg2.format, dg2.image.len()))])
        }
        Some(File::DataGroup(DataGroup::DG13)) => dg13(&Dg13::parse(&bytes).map_err(|e| words(&e))?),
        Some(_) => lines([("length", format!("{} bytes", bytes.len()))]),
        None => {
            let all = papers::certificates(&bytes).map_err(|e| words(&e))?;
            all.iter().flat_map(certificate).collect()
        }
    }))
}

fn com(com: &Com) -> Lines {
    lines([("groups", groups(&com.groups))])
}

fn sod(sod: &Sod) -> Lines {
    let mut all =
        lines([("signed groups", groups(&sod.unverified_groups())), ("fingerprint", hex::encode(sod.fingerprint()))]);
    match sod.signer_certificate() {
        Ok(signer) => {
            all.extend(certificate(signer).into_iter().map(|(label, text)| (format!("signer {label}"), text)));
        }
        Err(error) => all.push(("signer".to_owned(), error.to_string())),
    }
    all
}

fn dg1(dg1: &Dg1) -> Lines {
    let Some(td1) = dg1.td1() else {
        return lines([("zone", "no TD1 zone with right check digits".to_owned())]);
    };
    let number = td1.personal_number().map_or_else(|| "none with a right check digit".to_owned(), |n| n.to_string());
    let expiry = if td1.expiry == MrzDate::NO_EXPIRY { "never".to_owned() } else { td1.expiry.to_string() };
    lines([
        ("document", format!("{} of {}, number {}", td1.document_code, td1.issuing_state, td1.document_number)),
        ("name", kiosk::mrz_name(&td1.name)),
        ("personal number", number),
        ("birth (YYMMDD)", td1.birth.to_string()),
        ("sex", td1.sex.map_or_else(|| "not said".to_owned(), |sex| sex.letter().to_string())),
        ("expiry (YYMMDD)", expiry),
        ("nationality", td1.nationality.clone()),
    ])
}

fn dg13(dg13: &Dg13) -> Lines {
    let all = [
        ("số", &dg13.number),
        ("họ và tên", &dg13.name),
        ("ngày sinh", &dg13.birth),
        ("giới tính", &dg13.sex),
        ("quốc tịch", &dg13.nationality),
        ("dân tộc", &dg13.ethnicity),
        ("tôn giáo", &dg13.religion),
        ("quê quán", &dg13.origin),
        ("nơi thường trú", &dg13.residence),
        ("đặc điểm", &dg13.features),
        ("ngày cấp", &dg13.issued),
        ("có giá trị đến", &dg13.expiry),
        ("cha", &dg13.father),
        ("mẹ", &dg13.mother),
        ("vợ hoặc chồng", &dg13.spouse),
        ("số CMND cũ", &dg13.old_number),
        ("field 16", &dg13.mark),
    ];
    all.into_iter().filter_map(|(label, content)| Some((label.to_owned(), content.clone()?))).collect()
}

fn certificate(certificate: &Certificate) -> Lines {
    lines([
        ("subject", certificate.subject().to_string()),
        ("issuer", certificate.issuer().to_string()),
        ("serial", certificate.serial().to_string()),
        ("valid", format!("{} to {}", to_the_minute(certificate.not_before()), to_the_minute(certificate.not_after()))),
        ("sha-256", hex::encode(certificate.fingerprint())),
    ])
}

fn groups(groups: &[DataGroup]) -> String {
    groups.iter().map(|group| format!("DG{}", group.number())).collect::<Vec<_>>().join(", ")
}

fn lines<const N: usize>(all: [(&str, String); N]) -> Lines {
    all.map(|(label, content)| (label.to_owned(), content)).into()
}
