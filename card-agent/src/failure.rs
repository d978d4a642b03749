//! Every way in which this program ends without success, once: code, exit status, cause, remedy.
//!
//! `docs/failure-codes.md` is the same table for people; a test keeps the two equal. What the service refuses has the
//! service's own codes and passes through unchanged ([`Failure::problem`]).

use std::fmt;

use crypto::conversation::Fault;

use crate::{
    client::{Problem, ServiceError},
    station::journal::JournalError,
    transport::TransportError,
};

macro_rules! catalogue {
    ($($variant:ident $code:literal $exit:literal $cause:literal $remedy:literal)*) => {
        /// What went wrong, as a stable code.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum Code {
            $(#[doc = $cause] $variant,)*
        }

        impl Code {
            /// All of them, in the order of `docs/failure-codes.md`.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable word.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $code),* }
            }

            /// Exit status of the process.
            pub fn exit(self) -> u8 {
                match self { $(Self::$variant => $exit),* }
            }

            /// What it means.
            pub fn cause(self) -> &'static str {
                match self { $(Self::$variant => $cause),* }
            }

            /// What to do.
            pub fn remedy(self) -> &'static str {
                match self { $(Self::$variant => $remedy),* }
            }
        }
    };
}

catalogue! {
    Refused "card-refused" 3
        "At least one check of the inspection was refuted: the card is forged, altered, revoked or expired."
        "Do not accept the card; follow the procedure for suspected documents. `--json` names the check."
    Undecided "card-undecided" 4
        "Nothing was refuted, but a required check could not be made."
        "Read the reason of the check; bring a fresh trust bundle, or present the MRZ instead of the CAN."
    WrongPassword "wrong-password" 5
        "The CAN or the MRZ is not the one of this card."
        "Read it again from the card: CAN six digits, MRZ three lines of the back. Repeated errors slow the chip down."
    AccessFailed "access-failed" 6
        "Neither PACE nor BAC opened the chip, though the password was not refused."
        "Try again with the card lying still; if it stays so, the chip is defective or of an unknown kind."
    PcscNotRunning "pcscd-not-running" 10
        "The PC/SC service does not answer."
        "Start it: `sudo systemctl start pcscd`, or without systemd `pcscd --foreground &`. PCSCLITE_CSOCK_NAME names another socket."
    ReaderUnknown "reader-unknown" 11
        "No connected reader has this name."
        "`card-agent readers` lists the readers; any unique part of a name will do."
    ReaderAmbiguous "reader-ambiguous" 11
        "The name fits several readers."
        "Give more of the name; `card-agent readers` lists them."
    ReaderGone "reader-gone" 12
        "The reader was unplugged or switched off."
        "Plug it in again and repeat the command; unfinished work is resumed."
    ReaderInUse "reader-in-use" 13
        "Another program holds the reader."
        "End the other program (pcsc_scan, a browser, another card-agent) and repeat the command."
    NoCard "no-card" 14
        "There is no card in the reader."
        "Insert the card, or lay it on the reader, and repeat the command."
    CardRemoved "card-removed" 15
        "The card was pulled out, swapped or lost its power while it was being used."
        "Insert the same card again and repeat the command: what was begun is resumed."
    CardUnresponsive "card-unresponsive" 16
        "The card does not answer to reset."
        "Clean the contacts, insert it the right way up. A station accounts for a dead chip with `card-agent spoil`."
    CardHung "card-hung" 17
        "Card, reader or pcscd gave no answer within the watchdog's time (10 s for pcscd, 30 s for one command)."
        "Pull the card and insert it again; if that does not help, restart pcscd. Unfinished work is resumed."
    ReaderFailed "reader-failed" 18
        "PC/SC reports an error that has no code of its own."
        "The detail is in PC/SC's words; reconnect the reader and restart pcscd."
    ChipMisbehaved "chip-misbehaved" 20
        "The chip said something that no correct chip says: a defect, a bad contact or an attack."
        "Repeat once. If it happens again keep the card as evidence."
    ChipRefused "chip-refused" 21
        "The chip refused a command."
        "The status word is in the detail. At a station the chip is resumed with a new order or accounted for as spoiled."
    ChipUnsupported "chip-unsupported" 22
        "The chip announces nothing that this program can do."
        "It is not one of our cards, or of another generation."
    ChipSpoiled "chip-spoiled" 23
        "The chip could not be brought to a proven state and was accounted for as spoiled."
        "Put it with the spoiled blanks; its serial number is in the stock ledger. Take the next blank."
    ReadBackRefused "read-back-refused" 24
        "The finished card does not read back as it must; the service was told and the chip is accounted for as spoiled."
        "Put it with the spoiled cards. If the next card fails too, stop the station and report it."
    UnfinishedEntry "unfinished-entry" 30
        "The journal has unfinished work on another chip in this reader."
        "Insert the chip whose serial number is shown and repeat the command, or account for it: `card-agent spoil --serial S --reason R`."
    JournalUnusable "journal-unusable" 31
        "The station's journal cannot be read or written."
        "Check disk space and rights of the station folder. Never edit or delete the journal: it accounts for blanks."
    JournalCorrupt "journal-corrupt" 32
        "A whole line of the journal fails its checksum: something other than a power cut changed it."
        "Keep the file, report it, and reconcile the station's stock with the ledger before going on."
    StationIncomplete "station-incomplete" 33
        "The station folder lacks a file that enrolment puts there."
        "Run `card-agent enrol`, have the request registered, then `card-agent enrol --certificate`."
    ServiceUnreachable "service-unreachable" 40
        "The issuance service does not answer."
        "Check the address and the network. Nothing is lost: repeat the command, the same request is sent under the same key."
    ServiceUntrusted "service-untrusted" 41
        "The TLS connection failed: the service's certificate is not from our authority, or it refuses ours."
        "Check `tls-ca.pem` in the station folder, the host name in the address, and whether the station was revoked."
    ServiceRefused "service-refused" 42
        "The service refused the request; its own code, detail and remedy are shown."
        "Follow the service's remedy."
    ServiceAnswer "service-answer" 43
        "The service's answer is not what this program understands."
        "Agent and service are of different versions; update the agent."
    TrustBundleUnusable "trust-bundle-unusable" 50
        "The trust bundle cannot be read, or its signature does not hold under the anchor."
        "Fetch it again (`GET /api/trust-bundle`), and get the anchor `csca.der` by a way that does not go through the service."
    InputUnusable "input-unusable" 51
        "A file or value given on the command line cannot be used."
        "The detail names it."
    OutputUnusable "output-unusable" 52
        "A file cannot be written."
        "Check the folder, its rights and the disk space."
    Interrupted "interrupted" 130
        "Ctrl-C or SIGTERM."
        "Nothing is lost: the next start resumes what was begun."
}

/// A failure with its particulars.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Which one.
    pub code: Code,
    /// The particulars, for a person; nothing secret, nothing personal.
    pub detail: String,
    /// The service's own words, if it was the service that refused.
    pub problem: Option<Box<Problem>>,
}

impl Failure {
    /// This failure with these particulars.
    pub fn new(code: Code, detail: impl fmt::Display) -> Self {
        Self { code, detail: detail.to_string(), problem: None }
    }
}

/// Three lines: what, why, what to do.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.problem {
            Some(problem) => {
                writeln!(f, "{}: {} ({})", self.code.word(), problem.title, problem.code)?;
                writeln!(f, "  cause:  {}", problem.detail.as_deref().unwrap_or(&problem.title))?;
                write!(f, "  remedy: {}", problem.remedy.as_deref().unwrap_or(self.code.remedy()))
            }
            None => {
                writeln!(f, "{}: {}", self.code.word(), self.detail)?;
                writeln!(f, "  cause:  {}", self.code.cause())?;
                write!(f, "  remedy: {}", self.code.remedy())
            }
        }
    }
}

impl std::error::Error for Failure {}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        let code = match fault {
            Fault::Misbehaved(_) => Code::ChipMisbehaved,
            Fault::Refused { .. } => Code::ChipRefused,
            Fault::Unsupported(_) => Code::ChipUnsupported,
            Fault::WrongPassword { .. } => Code::WrongPassword,
        };
        Self::new(code, fault)
    }
}

impl From<TransportError> for Failure {
    fn from(error: TransportError) -> Self {
        use TransportError as E;
        let code = match &error {
            E::Fault(fault) => return fault.clone().into(),
            E::Hung { .. } => Code::CardHung,
            E::Interrupted => Code::Interrupted,
            E::NoCard { .. } => Code::NoCard,
            E::ReaderUnknown { .. } => Code::ReaderUnknown,
            E::ReaderAmbiguous { .. } => Code::ReaderAmbiguous,
            E::ReaderGone { .. } => Code::ReaderGone,
            E::ReaderInUse { .. } => Code::ReaderInUse,
            E::Removed | E::ShortAnswer { .. } => Code::CardRemoved,
            E::ServiceNotRunning => Code::PcscNotRunning,
            E::Unresponsive { .. } => Code::CardUnresponsive,
            E::Other(_) => Code::ReaderFailed,
        };
        Self::new(code, error)
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        let code = match error {
            JournalError::Corrupt { .. } => Code::JournalCorrupt,
            JournalError::Io { .. } => Code::JournalUnusable,
        };
        Self::new(code, error)
    }
}

impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Self {
        let code = match &error {
            ServiceError::Answer(_) => Code::ServiceAnswer,
            ServiceError::Problem(problem) => {
                let problem = Some(problem.clone());
                return Self { code: Code::ServiceRefused, detail: error.to_string(), problem };
            }
            ServiceError::Unreachable(_) => Code::ServiceUnreachable,
            ServiceError::Untrusted(_) => Code::ServiceUntrusted,
        };
        Self::new(code, error)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_code_stands_in_the_book_with_the_same_words() {
        let book = include_str!("../../docs/failure-codes.md");
        for code in Code::ALL {
            let row = format!("| `{}` | {} | {} | {} |", code.word(), code.exit(), code.cause(), code.remedy());
            assert!(book.contains(&row), "docs/failure-codes.md lacks:\n{row}");
        }
    }

    #[test]
    fn codes_are_unique() {
        let words: HashSet<_> = Code::ALL.iter().map(|code| code.word()).collect();
        assert_eq!(words.len(), Code::ALL.len());
    }

    #[test]
    fn a_failure_says_what_why_and_what_to_do() {
        let failure = Failure::from(TransportError::ServiceNotRunning).to_string();
        assert!(failure.starts_with("pcscd-not-running: "), "{failure}");
        assert!(failure.contains("systemctl start pcscd"), "{failure}");
    }
}
