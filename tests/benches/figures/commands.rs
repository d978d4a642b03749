//! How many commands an inspection and a personalization take, and how few they could take. The minimum is computed
//! here from the lengths of the files and the layout of messages, without the code that is measured.

use std::error::Error;
use std::fmt::Write as _;

use crypto::apdu::{Command, Response};
use crypto::conversation::CardTransport;
use crypto::inspection::{self, Conclusion, Password, Request};
use crypto::lds::{DataGroup, File};
use hardware_sim::Profile;

use crate::subject::{self, Issued, NOW};
use crate::{grouped, row};

/// The access protocol that opens a card.
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum Opening {
    Bac,
    PaceCan,
}

impl Opening {
    pub fn password(self, issued: &Issued) -> Password {
        match self {
            Self::Bac => Password::Mrz(issued.mrz.clone()),
            Self::PaceCan => Password::Can(subject::number().can()),
        }
    }
}

/// Returns the inspections that are measured: name, chip, access protocol.
pub fn scenarios() -> [(&'static str, Profile, Opening); 4] {
    let short_bac = Profile { pace: false, ..Profile::short() };
    [
        ("PACE with CAN, short APDUs", Profile::short(), Opening::PaceCan),
        ("PACE with CAN, extended length", Profile::default(), Opening::PaceCan),
        ("BAC, short APDUs", short_bac, Opening::Bac),
        ("BAC, extended length", Profile::bac_only(), Opening::Bac),
    ]
}

/// A card whose commands are counted.
pub struct Tap<'a, C> {
    pub card: &'a mut C,
    pub reads: usize,
    pub others: usize,
}

impl<C: CardTransport> CardTransport for Tap<'_, C> {
    type Error = C::Error;

    fn transmit(&mut self, command: &Command) -> Result<Response, C::Error> {
        match command.ins {
            0xb0 | 0xb1 => self.reads += 1,
            _ => self.others += 1,
        }
        self.card.transmit(command)
    }
}

/// Bytes of a cipher's block.
const AES: usize = 16;
const TRIPLE_DES: usize = 8;

/// Returns the most bytes of plaintext in one protected response: the whole body less the status object (99 02 SW1
/// SW2), the MAC object (8E 08 …) and the header of the cryptogram (87, length, padding indicator); whole blocks, one
/// byte of which at least is padding.
fn plaintext_per_read(block: usize, max_response: usize) -> usize {
    let body = (max_response - 2).min(65_536);
    let room = body - 4 - 10;
    let fits = |blocks: &usize| {
        let value = blocks * block + 1;
        let length_bytes = match value {
            0..=127 => 1,
            128..=255 => 2,
            256..=65_535 => 3,
            _ => 4,
        };
        1 + length_bytes + value <= room
    };
    (1..=room / block).rev().find(fits).map_or(0, |blocks| blocks * block - 1)
}

/// Returns the most bytes of plaintext in one STORE DATA under C-ENC and C-MAC: whole blocks less one byte of padding,
/// beside a MAC of eight bytes.
fn plaintext_per_store(max_command: usize) -> usize {
    let short = 255 - 8;
    // Header 4, Lc 3, Le 2.
    let long = max_command.saturating_sub(9).min(65_535).saturating_sub(8);
    short.min(max_command - 6 - 8).max(long) / AES * AES - 1
}

pub fn count() -> Result<String, Box<dyn Error>> {
    let mut table = String::from("\n## Commands of a full inspection\n\n");
    let head = ["way", "READ BINARY, least", "taken", "all commands, least", "taken", "ratio"];
    row(&mut table, &head);
    row(&mut table, &["---", "---:", "---:", "---:", "---:", "---:"]);
    let mut notes = String::new();
    for (name, profile, opening) in scenarios() {
        let mut issued = subject::issue(profile)?;
        let request = Request { password: opening.password(&issued), challenge: [0xc5; 8], groups: None };
        let mut tap = Tap { card: &mut issued.card, reads: 0, others: 0 };
        let evidence = inspection::read(&mut tap, &request, &mut subject::rng(), &mut |_| {})?;
        let (reads, others) = (tap.reads, tap.others);
        let verdict = inspection::judge(&evidence, &issued.trust, NOW).verdict;
        // Without a bundle nothing is known of revoked documents; everything else must be proved.
        if verdict.conclusion() == Conclusion::Refused {
            return Err(format!("{name}: the verdict is\n{verdict}").into());
        }
        let (least_reads, in_words) = least_reads(&issued, opening);
        let (fixed, fixed_in_words) = fixed_part(opening);
        let (least, taken) = (least_reads + fixed, reads + others);
        let _ = writeln!(notes, "* {name}: reads {in_words}; fixed {fixed_in_words}.");
        let steps: Vec<String> = evidence.commands.iter().map(|(step, count)| format!("{step} {count}")).collect();
        let _ = writeln!(notes, "  Taken by step: {}.", steps.join(", "));
        let ratio = format!("{:.3}", taken as f64 / least as f64);
        let cells = [least_reads, reads, least, taken].map(|number| number.to_string());
        row(&mut table, &[name, &cells[0], &cells[1], &cells[2], &cells[3], &ratio]);
    }
    let _ = write!(table, "\n{notes}");

    let head = ["chip", "STORE DATA, least", "taken", "ratio", "all commands of the order, least", "taken", "ratio"];
    let _ = write!(table, "\n## Commands of a personalization\n\n");
    row(&mut table, &head);
    row(&mut table, &["---", "---:", "---:", "---:", "---:", "---:", "---:"]);
    let mut notes = String::new();
    for (name, profile) in [("short APDUs", Profile::short()), ("extended length", Profile::default())] {
        let issued = subject::issue(profile)?;
        let (presented, taken, blocks) = issued.personalization;
        let bytes: usize = issued.files.iter().map(|(_, length)| length).sum::<usize>() + 6 + 20;
        let most = plaintext_per_store(issued.max_command);
        let least_blocks = bytes.div_ceil(most);
        let least = least_blocks + 5;
        let ratio = |taken: usize, least: usize| format!("{:.3}", taken as f64 / least as f64);
        let cells = [least_blocks, blocks, least, taken].map(|number| number.to_string());
        let ratios = [ratio(blocks, least_blocks), ratio(taken, least)];
        row(&mut table, &[name, &cells[0], &cells[1], &ratios[0], &cells[2], &cells[3], &ratios[1]]);
        let _ = writeln!(
            notes,
            "* {name}: {} bytes of content (files, 6 of CAN, 20 of MRZ seed), {} in a command; besides SELECT, INITIALIZE UPDATE, \
             EXTERNAL AUTHENTICATE, SET STATUS and GET DATA of the report. Before it, to know the chip: {presented}. Intake before \
             that: {} and {}.",
            grouped(bytes as f64),
            grouped(most as f64),
            issued.intake.0,
            issued.intake.1,
        );
    }
    let _ = write!(table, "\n{notes}");
    Ok(table)
}

/// Returns the least number of READ BINARY, and the sum file by file in words.
fn least_reads(issued: &Issued, opening: Opening) -> (usize, String) {
    let clear = 256;
    let first = match opening {
        Opening::Bac => TRIPLE_DES,
        Opening::PaceCan => AES,
    };
    let mut sum = 0;
    let mut words = Vec::new();
    let mut add = |file: String, length: usize, most: usize| {
        let reads = length.div_ceil(most);
        sum += reads;
        words.push(format!("{file} {length} B / {} = {reads}", grouped(most as f64)));
    };
    let per_read = |block: usize| plaintext_per_read(block, issued.max_response);
    let length = |file: File| issued.files.iter().find(|(f, _)| *f == file).map(|(_, length)| *length);
    let group = |number: u8| File::DataGroup(DataGroup::new(number).expect("1 to 16"));
    add("EF.ATR/INFO".into(), length(File::AtrInfo).unwrap_or(1), clear);
    // Where the file is absent, one attempt finds that out.
    add("EF.CardAccess".into(), length(File::CardAccess).unwrap_or(1), clear);
    for (file, block) in [
        (File::Com, first),
        (File::Sod, first),
        (group(14), first),
        // Under the channel of chip authentication, which is AES.
        (group(15), AES),
        (group(1), AES),
        (group(2), AES),
        (group(13), AES),
    ] {
        add(file.to_string(), length(file).expect("on every card"), per_read(block));
    }
    (sum, words.join(", "))
}

/// Returns the number of commands other than reads, and the sum one by one in words.
fn fixed_part(opening: Opening) -> (usize, String) {
    let opened: &[(&str, usize)] = match opening {
        Opening::Bac => &[("SELECT", 1), ("GET CHALLENGE", 1), ("EXTERNAL AUTHENTICATE", 1)],
        Opening::PaceCan => &[("MSE:Set AT", 1), ("GENERAL AUTHENTICATE", 4), ("SELECT", 1)],
    };
    let proofs = [("MSE:Set AT + GENERAL AUTHENTICATE (chip authentication)", 2), ("INTERNAL AUTHENTICATE", 1)];
    let all = || opened.iter().chain(&proofs);
    let words: Vec<String> = all().map(|(name, count)| format!("{name} {count}")).collect();
    (all().map(|(_, count)| count).sum(), words.join(", "))
}
