//! Every way in which this program ends without success: a code here, and its exit status, cause and remedy in
//! `docs/problems/agent.toml`.
//!
//! `docs/failure-codes.md` is generated from that file. A refusal of the service keeps the service's own code and words
//! ([`Failure::problem`]).

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::sync::LazyLock;

use crypto::conversation::Fault;
use crypto::perso::problem::{self, About, ProblemCode};
use serde::Deserialize;
use words::Translations;
pub use words::{Language, Words};

use crate::client::{Problem, ServiceError};
use crate::station::journal::JournalError;
use crate::transport::TransportError;

macro_rules! catalogue {
    ($($variant:ident $word:literal)*) => {
        /// Why this program ends without success, as a stable code.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum Code {
            $(#[doc = concat!("`", $word, "`; cause and remedy in `docs/problems/agent.toml`.")] $variant,)*
        }

        impl Code {
            /// All codes, in the order of their exit statuses.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Returns the stable word.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }
    };
}

catalogue! {
    Refused "card-refused"
    Undecided "card-undecided"
    WrongPassword "wrong-password"
    AccessFailed "access-failed"
    IssuerUnknown "card-issuer-unknown"
    CardExpired "card-expired"
    CardRevoked "card-revoked"
    PcscNotRunning "pcscd-not-running"
    ReaderUnknown "reader-unknown"
    ReaderAmbiguous "reader-ambiguous"
    ReaderGone "reader-gone"
    ReaderInUse "reader-in-use"
    NoCard "no-card"
    CardRemoved "card-removed"
    CardUnresponsive "card-unresponsive"
    CardHung "card-hung"
    ReaderFailed "reader-failed"
    LimitReached "limit-reached"
    ChipMisbehaved "chip-misbehaved"
    ChipRefused "chip-refused"
    ChipUnsupported "chip-unsupported"
    ChipSpoiled "chip-spoiled"
    ReadBackRefused "read-back-refused"
    UnfinishedEntry "unfinished-entry"
    JournalUnusable "journal-unusable"
    JournalCorrupt "journal-corrupt"
    StationIncomplete "station-incomplete"
    StationInUse "station-in-use"
    ServiceUnreachable "service-unreachable"
    ServiceUntrusted "service-untrusted"
    ServiceRefused "service-refused"
    NothingToPersonalize "nothing-to-personalize"
    ReceiptForged "receipt-forged"
    ServiceRefusedChip "service-refused-chip"
    ServiceRefusedStation "service-refused-station"
    ServiceUnable "service-unable"
    ServiceAnswer "service-answer"
    ClockDoubtful "clock-doubtful"
    TrustBundleUnusable "trust-bundle-unusable"
    InputUnusable "input-unusable"
    OutputUnusable "output-unusable"
    ClockBehind "clock-behind"
    TrustBundleOlder "trust-bundle-older"
    BundleRecordUnusable "bundle-record-unusable"
    ProtocolTooOld "protocol-too-old"
    ProtocolTooNew "protocol-too-new"
    SlipNotWaiting "slip-not-waiting"
    ChipsLeft "chips-left"
    Interrupted "interrupted"
    OutputClosed "output-closed"
}

impl Code {
    /// Returns the exit status of the process.
    pub fn exit(self) -> u8 {
        self.entry().exit
    }

    /// Returns cause and remedy in this language.
    pub fn words(self, language: Language) -> &'static Words {
        self.entry().words.of(language)
    }

    fn entry(self) -> &'static Entry {
        BOOK.get(self.word()).expect("a test finds every code in docs/problems/agent.toml")
    }
}

/// What `docs/problems/agent.toml` says of one code.
#[derive(Debug, Deserialize)]
struct Entry {
    exit: u8,
    #[serde(flatten)]
    words: Translations,
}

static BOOK: LazyLock<BTreeMap<String, Entry>> = LazyLock::new(|| {
    toml::from_str(include_str!("../../docs/problems/agent.toml")).expect("a test reads docs/problems/agent.toml")
});

/// A failure with its particulars.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The stable code, with cause and remedy.
    pub code: Code,
    /// The particulars, for a person. Nothing secret and nothing personal.
    pub detail: String,
    /// The service's own words, if the service refused.
    pub problem: Option<Box<Problem>>,
}

impl Failure {
    /// Returns a failure with this code and these particulars.
    pub fn new(code: Code, detail: impl fmt::Display) -> Self {
        Self { code, detail: detail.to_string(), problem: None }
    }
}

impl Failure {
    /// Returns the lines for a person: code and particulars, cause, remedy, and the id of a request that the service
    /// refused. Particulars whose form is not translated stay in English.
    pub fn lines(&self, language: Language) -> String {
        let ([cause, remedy], labels) = (self.cause_and_remedy(language), language.labels());
        let particulars = match &self.problem {
            Some(problem) => format!("{} ({})", problem.title, problem.code),
            None => words::particulars(&self.detail, language).unwrap_or_else(|| self.detail.clone()),
        };
        let mut lines = format!("{}: {particulars}", self.code.word());
        for (label, words) in [(labels.cause, cause), (labels.remedy, remedy)] {
            write!(lines, "\n  {label} {words}").expect("a String takes all");
        }
        if let Some(problem) = self.problem.as_ref().filter(|problem| !problem.request_id.is_empty()) {
            write!(lines, "\n  {} {}", labels.request, problem.request_id).expect("a String takes all");
        }
        lines
    }

    /// Returns cause and remedy. A refusal has those of the service: in English its own words, which know more, in
    /// another language those of the catalogue that the service and this program share.
    pub fn cause_and_remedy(&self, language: Language) -> [&str; 2] {
        let own = self.code.words(language);
        let Some(problem) = &self.problem else { return [&own.cause, &own.remedy] };
        if language != Language::English
            && let Some(words) = words::of_the_service(problem.code.word(), language)
        {
            return [&words.cause, &words.remedy];
        }
        let remedy = if problem.remedy.is_empty() { &own.remedy } else { &problem.remedy };
        [problem.detail.as_deref().unwrap_or(&problem.title), remedy]
    }
}

/// The lines in English.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines(Language::English))
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
            E::LimitReached { .. } => Code::LimitReached,
            E::Interrupted => Code::Interrupted,
            E::NoCard { .. } => Code::NoCard,
            E::NoReader | E::ReaderUnknown { .. } => Code::ReaderUnknown,
            E::NotNamed { .. } | E::ReaderAmbiguous { .. } => Code::ReaderAmbiguous,
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
                let (code, problem) = (of_a_refusal(problem), Some(problem.clone()));
                return Self { code, detail: error.to_string(), problem };
            }
            ServiceError::Clock(_) => Code::ClockDoubtful,
            ServiceError::Interrupted => Code::Interrupted,
            ServiceError::LimitReached { .. } => Code::LimitReached,
            ServiceError::Unreachable(_) => Code::ServiceUnreachable,
            ServiceError::Untrusted(_) => Code::ServiceUntrusted,
        };
        Self::new(code, error)
    }
}

/// Returns the code of a refusal: those that a script must not take for one another, else one by what the problem is
/// about.
fn of_a_refusal(problem: &Problem) -> Code {
    match (&problem.code, problem.about) {
        (problem::Code::Known(ProblemCode::NothingToPersonalize), _) => Code::NothingToPersonalize,
        (problem::Code::Known(ProblemCode::SlipNotWaiting), _) => Code::SlipNotWaiting,
        (problem::Code::Known(ProblemCode::ReceiptForged), _) => Code::ReceiptForged,
        (problem::Code::Known(ProblemCode::ProtocolTooNew), _) => Code::ProtocolTooNew,
        (problem::Code::Known(ProblemCode::ProtocolTooOld), _) => Code::ProtocolTooOld,
        (_, About::Chip) => Code::ServiceRefusedChip,
        (_, About::Request) => Code::ServiceRefused,
        (_, About::Service) => Code::ServiceUnable,
        (_, About::Station) => Code::ServiceRefusedStation,
    }
}

#[cfg(test)]
mod book;
mod words;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_code_has_its_words_in_both_languages_and_no_word_is_without_code() {
        for code in Code::ALL {
            let entry =
                BOOK.get(code.word()).unwrap_or_else(|| panic!("docs/problems/agent.toml lacks {}", code.word()));
            assert!(entry.exit > 2, "{}: 0 is success, 1 a panic, 2 the command line", code.word());
            assert!(entry.words.are_complete(), "{}", code.word());
        }
        assert_eq!(BOOK.len(), Code::ALL.len(), "docs/problems/agent.toml has entries without code");
    }

    #[test]
    fn codes_are_unique() {
        let words: HashSet<_> = Code::ALL.iter().map(|code| code.word()).collect();
        assert_eq!(words.len(), Code::ALL.len());
    }

    #[test]
    fn a_refusal_names_the_request_that_the_remedy_speaks_of() {
        let mut problem =
            Problem::new(ProblemCode::Internal, 500, "Report the request id to the operator of the service.");
        problem.request_id = "0190-request".to_owned();
        let shown = Failure::from(ServiceError::Problem(Box::new(problem))).to_string();
        assert!(shown.contains("0190-request"), "{shown}");
    }

    #[test]
    fn a_script_tells_refusals_apart_by_the_exit_status() {
        let exit = |code| Failure::from(ServiceError::Problem(Box::new(Problem::new(code, 409, "")))).code.exit();
        let told: Vec<_> = [
            ProblemCode::NothingToPersonalize,
            ProblemCode::ReceiptForged,
            ProblemCode::ChipUnknown,
            ProblemCode::StationRevoked,
            ProblemCode::DatabaseBusy,
            ProblemCode::BodyInvalid,
            ProblemCode::ProtocolTooOld,
            ProblemCode::ProtocolTooNew,
            ProblemCode::SlipNotWaiting,
        ]
        .map(exit)
        .into();
        assert_eq!(told, [45, 46, 47, 48, 49, 42, 56, 57, 58]);
    }

    #[test]
    fn only_a_refuted_card_ends_with_three() {
        let three: Vec<_> = Code::ALL.iter().filter(|code| code.exit() == 3).collect();
        assert_eq!(three, [&Code::Refused]);
    }

    #[test]
    fn a_refusal_is_told_in_vietnamese_too() {
        let problem = Problem::new(ProblemCode::NothingToPersonalize, 409, "Approve one.");
        let failure = Failure::from(ServiceError::Problem(Box::new(problem)));
        let (english, vietnamese) = (failure.lines(Language::English), failure.lines(Language::Vietnamese));
        assert!(english.contains("  remedy: Approve one."), "{english}");
        assert!(vietnamese.contains("  nguyên nhân: ") && vietnamese.contains("  cách xử lý: "), "{vietnamese}");
        assert!(!vietnamese.contains("Approve one."), "{vietnamese}");
        assert!(vietnamese.starts_with("nothing-to-personalize: "), "the code is the same: {vietnamese}");
    }

    /// Without a wildcard: a new variant is named here, and translated.
    #[test]
    fn what_readers_and_cards_do_is_told_in_vietnamese() {
        use TransportError as E;
        let text = || "A 00".to_owned();
        let all = [
            E::Hung { seconds: 30, from: text() },
            E::LimitReached { limit: "within 120 s".to_owned(), commands: 3, seconds: 120 },
            E::LimitReached { limit: "after 10 commands".to_owned(), commands: 10, seconds: 1 },
            E::Interrupted,
            E::NoCard { reader: text() },
            E::NoReader,
            E::NotNamed { present: vec![text(), text()] },
            E::ReaderUnknown { wanted: text(), present: vec![] },
            E::ReaderAmbiguous { wanted: text(), fits: vec![text()] },
            E::ReaderGone { reader: text() },
            E::ReaderInUse { reader: text() },
            E::Removed,
            E::ServiceNotRunning,
            E::ShortAnswer { length: 1 },
            E::Unresponsive { reader: text() },
        ];
        for error in all {
            match &error {
                E::Fault(_) | E::Other(_) => panic!("stays in the words of the chip and of PC/SC"),
                E::Hung { .. }
                | E::LimitReached { .. }
                | E::Interrupted
                | E::NoCard { .. }
                | E::NoReader
                | E::NotNamed { .. }
                | E::ReaderUnknown { .. }
                | E::ReaderAmbiguous { .. }
                | E::ReaderGone { .. }
                | E::ReaderInUse { .. }
                | E::Removed
                | E::ServiceNotRunning
                | E::ShortAnswer { .. }
                | E::Unresponsive { .. } => {}
            }
            let english = error.to_string();
            let first = Failure::from(error).lines(Language::Vietnamese);
            assert!(!first.contains(&english), "{english} is not in docs/words/details.toml");
        }
    }

    #[test]
    fn a_failure_says_what_why_and_what_to_do() {
        let failure = Failure::from(TransportError::ServiceNotRunning).to_string();
        assert!(failure.starts_with("pcscd-not-running: "), "{failure}");
        assert!(failure.contains("systemctl start pcscd"), "{failure}");
    }
}
