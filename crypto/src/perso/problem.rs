//! The codes of the problems that the issuance service answers with, and what each of them is about.
//!
//! Service and station agree on this closed list: the service answers nothing else, and the station decides by
//! [`About`] and by code. Status, cause and remedy are data for people, in English and Vietnamese:
//! `docs/problems/service.toml`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

/// What a problem is about. A caller decides by it what to do with a refused request.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum About {
    /// The chip on the reader: another chip would not meet this problem.
    Chip,
    /// The request, its data, or the application that it names.
    Request,
    /// The service, which is unable for now: the same request may succeed later.
    Service,
    /// The standing of the caller, a station or an officer: identity, rights, office.
    Station,
}

impl About {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Chip, Self::Request, Self::Service, Self::Station];

    /// Returns the word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Chip => "chip",
            Self::Request => "request",
            Self::Service => "service",
            Self::Station => "station",
        }
    }
}

/// The word on the wire.
impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

macro_rules! catalogue {
    ($($variant:ident $word:literal $about:ident)*) => {
        /// A problem of the issuance service, as a stable code. On the wire it is a word in kebab case.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum ProblemCode {
            $(#[doc = concat!("`", $word, "`; cause and remedy in `docs/problems/service.toml`.")] $variant,)*
        }

        impl ProblemCode {
            /// All codes, in alphabetical order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Returns the word on the wire.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// Returns what the problem is about.
            pub const fn about(self) -> About {
                match self { $(Self::$variant => About::$about),* }
            }
        }
    };
}

catalogue! {
    AcknowledgementNeeded "acknowledgement-needed" Request
    ActiveAuthenticationFailed "active-authentication-failed" Chip
    AgeBelowFourteen "age-below-fourteen" Request
    AgreementStateUnfit "agreement-state-unfit" Request
    AgreementUnfit "agreement-unfit" Request
    AgreementUnknown "agreement-unknown" Request
    AlreadyThere "already-there" Request
    AppealDecided "appeal-decided" Request
    AppealLate "appeal-late" Request
    AppealUnfit "appeal-unfit" Request
    ApplicationCancelled "application-cancelled" Request
    ApplicationClaimed "application-claimed" Request
    ApplicationHeld "application-held" Request
    ApplicationMovedOn "application-moved-on" Request
    ApplicationOpen "application-open" Request
    ApplicationUnknown "application-unknown" Request
    ArchiveAnswerMissing "archive-answer-missing" Request
    ArchiveAnswerUnfit "archive-answer-unfit" Request
    ArchiveRequestClosed "archive-request-closed" Request
    ArchiveRequestUnknown "archive-request-unknown" Request
    BatchClosed "batch-closed" Request
    BatchExhausted "batch-exhausted" Request
    BatchItemElsewhere "batch-item-elsewhere" Chip
    BatchPaused "batch-paused" Request
    BatchStateUnfit "batch-state-unfit" Request
    BatchUnfinished "batch-unfinished" Request
    BatchUnknown "batch-unknown" Request
    BearerOnPage "bearer-on-page" Request
    BirthRecorded "birth-recorded" Request
    BirthRegistrationUsed "birth-registration-used" Request
    BodyCheckNeeded "body-check-needed" Request
    BodyCut "body-cut" Request
    BodyInvalid "body-invalid" Request
    BodyMalformed "body-malformed" Request
    BodyTooLarge "body-too-large" Request
    BodyTooSlow "body-too-slow" Service
    BodyUnreadable "body-unreadable" Request
    BookingBeyondHorizon "booking-beyond-horizon" Request
    BookingDayClosed "booking-day-closed" Request
    BookingEnded "booking-ended" Request
    BookingNotToday "booking-not-today" Request
    BookingOpen "booking-open" Request
    BookingOutsideHours "booking-outside-hours" Request
    BookingSlotFull "booking-slot-full" Request
    BookingTimePast "booking-time-past" Request
    BookingUnchanged "booking-unchanged" Request
    BookingUnknown "booking-unknown" Request
    CalendarDayUnfit "calendar-day-unfit" Request
    CalendarEnds "calendar-ends" Service
    CardAlreadyHeld "card-already-held" Request
    CardAltered "card-altered" Chip
    CardNotComposable "card-not-composable" Request
    CardNotInForce "card-not-in-force" Chip
    CardNotOfState "card-not-of-state" Chip
    CardNotToShip "card-not-to-ship" Request
    CardRecalled "card-recalled" Request
    CardStatusDoesNotAllow "card-status-does-not-allow" Request
    CardUnknown "card-unknown" Request
    CardUnproved "card-unproved" Chip
    CertificationRequestUnfit "certification-request-unfit" Request
    ChallengeUnknown "challenge-unknown" Request
    ChallengeUsed "challenge-used" Request
    ChangeStale "change-stale" Request
    ChangeUnfit "change-unfit" Request
    ChangeUnknown "change-unknown" Request
    ChipAlreadyInitialised "chip-already-initialised" Chip
    ChipAlreadyPersonalized "chip-already-personalized" Chip
    ChipBound "chip-bound" Chip
    ChipDestroyed "chip-destroyed" Chip
    ChipDiffers "chip-differs" Chip
    ChipInBatch "chip-in-batch" Request
    ChipInBox "chip-in-box" Chip
    ChipInOtherCustody "chip-in-other-custody" Chip
    ChipKeyKnown "chip-key-known" Chip
    ChipLifeCycleUnexpected "chip-life-cycle-unexpected" Chip
    ChipLost "chip-lost" Chip
    ChipNotInitialised "chip-not-initialised" Chip
    ChipNotLost "chip-not-lost" Request
    ChipNotSpoiled "chip-not-spoiled" Request
    ChipRecalled "chip-recalled" Chip
    ChipSpoiled "chip-spoiled" Chip
    ChipUnaccounted "chip-unaccounted" Request
    ChipUnknown "chip-unknown" Chip
    CitizenCodeLocked "citizen-code-locked" Station
    CitizenCodeNeeded "citizen-code-needed" Station
    CitizenCodeUnfit "citizen-code-unfit" Request
    CitizenCodeUnset "citizen-code-unset" Station
    CitizenCodeWrong "citizen-code-wrong" Station
    CitizenSessionNeeded "citizen-session-needed" Station
    ClaimMismatch "claim-mismatch" Request
    ClaimNeeded "claim-needed" Request
    ClaimTooSoon "claim-too-soon" Station
    ClassificationMissing "classification-missing" Request
    ClassificationUnfit "classification-unfit" Request
    ColumnUnknown "column-unknown" Request
    ContactUnfit "contact-unfit" Request
    CookieOnApi "cookie-on-api" Request
    CredentialsWrong "credentials-wrong" Station
    CropOutside "crop-outside" Request
    DatabaseBusy "database-busy" Service
    DatabaseUnreachable "database-unreachable" Service
    DateImpossible "date-impossible" Request
    DateInFuture "date-in-future" Request
    DateUnreadable "date-unreadable" Request
    DeclarationIncomplete "declaration-incomplete" Request
    DeliveryEmpty "delivery-empty" Request
    DeputyUnfit "deputy-unfit" Request
    DeputyUnknown "deputy-unknown" Request
    DissolutionUnfit "dissolution-unfit" Request
    DossierNotSeen "dossier-not-seen" Request
    EmergencyLookOver "emergency-look-over" Request
    EmergencyLookUnknown "emergency-look-unknown" Request
    EmergencyLooksUnreviewed "emergency-looks-unreviewed" Request
    Erased "erased" Request
    EvidenceMissing "evidence-missing" Request
    ExchangeCursorGone "exchange-cursor-gone" Request
    ExchangeGuessing "exchange-guessing" Station
    ExchangeListUnknown "exchange-list-unknown" Request
    ExchangeNotAgreed "exchange-not-agreed" Station
    ExchangeQuotaSpent "exchange-quota-spent" Station
    ExchangeReportUnknown "exchange-report-unknown" Request
    ExchangeRequestReused "exchange-request-reused" Request
    ExchangeRequestUnfit "exchange-request-unfit" Request
    ExchangeScopeMissing "exchange-scope-missing" Station
    ExchangeTokenUnfit "exchange-token-unfit" Station
    FeaturesUnfit "features-unfit" Request
    FeeEntryUnfit "fee-entry-unfit" Request
    FeePaymentUnfit "fee-payment-unfit" Request
    FeeUnpaid "fee-unpaid" Request
    FingerprintAbsent "fingerprint-absent" Request
    FingerprintFormat "fingerprint-format" Request
    FingerprintUnfit "fingerprint-unfit" Request
    FingerprintsMissing "fingerprints-missing" Request
    FormForeign "form-foreign" Request
    FormMovedOn "form-moved-on" Request
    FormUnknown "form-unknown" Request
    HashMalformed "hash-malformed" Request
    HoursUnfit "hours-unfit" Request
    IdempotencyKeyInUse "idempotency-key-in-use" Service
    IdempotencyKeyMalformed "idempotency-key-malformed" Request
    IdempotencyKeyMissing "idempotency-key-missing" Request
    IdempotencyKeyReused "idempotency-key-reused" Request
    IdentifierMalformed "identifier-malformed" Request
    Internal "internal" Service
    KeyCertifiedBefore "key-certified-before" Request
    KindContradictsRegister "kind-contradicts-register" Request
    LastAdministrator "last-administrator" Request
    LeaseLost "lease-lost" Request
    LegalHoldState "legal-hold-state" Request
    LegalHoldUnknown "legal-hold-unknown" Request
    ListTooLong "list-too-long" Request
    LogInBusy "log-in-busy" Service
    LogInUnknown "log-in-unknown" Request
    LookDelayUnfit "look-delay-unfit" Request
    LookDelayUnknown "look-delay-unknown" Request
    LookUnknown "look-unknown" Request
    LossGroundsMissing "loss-grounds-missing" Request
    MergeStale "merge-stale" Request
    MergeUnfit "merge-unfit" Request
    MergeUnknown "merge-unknown" Request
    MethodNotAllowed "method-not-allowed" Request
    NameNotWritable "name-not-writable" Request
    NameTaken "name-taken" Request
    NameUnfit "name-unfit" Request
    NoSuchPath "no-such-path" Request
    NotEntitled "not-entitled" Request
    NothingToPersonalize "nothing-to-personalize" Request
    NoticeUnknown "notice-unknown" Request
    NumberCellExhausted "number-cell-exhausted" Request
    NumberGiven "number-given" Request
    NumberLeaseElsewhere "number-lease-elsewhere" Request
    NumberLeaseLimit "number-lease-limit" Request
    NumberLeaseReturned "number-lease-returned" Request
    NumberLeaseUnfit "number-lease-unfit" Request
    NumberLeaseUnknown "number-lease-unknown" Request
    NumberMissing "number-missing" Request
    NumberNotLeased "number-not-leased" Request
    NumberStructure "number-structure" Request
    ObjectionAnswered "objection-answered" Request
    ObjectionUnknown "objection-unknown" Request
    ObjectionsOpen "objections-open" Request
    ObjectsUnreadable "objects-unreadable" Service
    OfficeCodeMalformed "office-code-malformed" Request
    OfficeDissolved "office-dissolved" Request
    OfficeTakesNoBookings "office-takes-no-bookings" Request
    OfficerCertificateUnknown "officer-certificate-unknown" Request
    OfficerNotFound "officer-not-found" Request
    OneTimeTokenUnfit "one-time-token-unfit" Station
    OrderUnknown "order-unknown" Request
    OtherOffice "other-office" Station
    ParentDead "parent-dead" Request
    ParentUnknown "parent-unknown" Request
    PartnerCertificateNeeded "partner-certificate-needed" Station
    PartnerCertificateUnfit "partner-certificate-unfit" Station
    PartnerMemberUnfit "partner-member-unfit" Station
    PartnerStateUnfit "partner-state-unfit" Request
    PartnerSystemUnknown "partner-system-unknown" Request
    PartnerUnknown "partner-unknown" Request
    PasswordChangeNeeded "password-change-needed" Station
    PasswordUnfit "password-unfit" Request
    PeriodUnfit "period-unfit" Request
    PersonMerged "person-merged" Request
    PersonUnknown "person-unknown" Request
    PortraitChanged "portrait-changed" Request
    PortraitDamaged "portrait-damaged" Request
    PortraitLost "portrait-lost" Request
    PortraitNotBase64 "portrait-not-base64" Request
    PortraitNotJpeg "portrait-not-jpeg" Request
    PortraitOversize "portrait-oversize" Request
    PortraitRestless "portrait-restless" Request
    PortraitTooSmall "portrait-too-small" Request
    PortraitUnfit "portrait-unfit" Request
    PresentationUnfit "presentation-unfit" Chip
    ProductionBatchUnknown "production-batch-unknown" Request
    ProposalChanged "proposal-changed" Request
    ProposalStale "proposal-stale" Request
    ProposalUnknown "proposal-unknown" Request
    ProtocolTooNew "protocol-too-new" Station
    ProtocolTooOld "protocol-too-old" Station
    ProvinceUnassigned "province-unassigned" Request
    PurposeUnknown "purpose-unknown" Request
    QuarantinedUnknown "quarantined-unknown" Request
    QueryMalformed "query-malformed" Request
    ReadingsDiffer "readings-differ" Request
    ReasonMissing "reason-missing" Request
    ReasonUnfit "reason-unfit" Request
    RecallUnfit "recall-unfit" Request
    ReceiptForged "receipt-forged" Chip
    ReceiptTaken "receipt-taken" Request
    RecordInconsistent "record-inconsistent" Service
    RecordTampered "record-tampered" Service
    RegisterChangeOpen "register-change-open" Request
    RegisterCheckUnfit "register-check-unfit" Request
    RequestTooSlow "request-too-slow" Service
    RoleMissing "role-missing" Station
    RolesExclude "roles-exclude" Request
    RouteWithoutRight "route-without-right" Service
    SealUnfit "seal-unfit" Request
    SearchTooBroad "search-too-broad" Request
    SearchUnfit "search-unfit" Request
    SecondFactorNeeded "second-factor-needed" Station
    SecondOfficerNeeded "second-officer-needed" Station
    SerialAlreadyDelivered "serial-already-delivered" Request
    ServiceBusy "service-busy" Service
    SessionNeeded "session-needed" Station
    SessionUnknown "session-unknown" Request
    SignInLocked "sign-in-locked" Station
    SignerRevoked "signer-revoked" Service
    SigningKeyExhausted "signing-key-exhausted" Service
    SlipMismatch "slip-mismatch" Request
    SlipNotWaiting "slip-not-waiting" Request
    StageDoesNotAllow "stage-does-not-allow" Request
    StationCertificateExpired "station-certificate-expired" Station
    StationCertificateNeeded "station-certificate-needed" Station
    StationNotFound "station-not-found" Request
    StationRenewalOpen "station-renewal-open" Station
    StationRevoked "station-revoked" Station
    StationUnknown "station-unknown" Station
    StockBoxUnfit "stock-box-unfit" Request
    StockBoxUnknown "stock-box-unknown" Request
    StockCaseOutcomeUnfit "stock-case-outcome-unfit" Request
    StockCaseUnknown "stock-case-unknown" Request
    StockCountOvertaken "stock-count-overtaken" Request
    StockCountUnknown "stock-count-unknown" Request
    StorageFull "storage-full" Service
    TextTooLong "text-too-long" Request
    TextUnfit "text-unfit" Request
    TransportKeyUnknown "transport-key-unknown" Request
    TrustBundleNotReady "trust-bundle-not-ready" Service
    UnitCycle "unit-cycle" Request
    UnitParentUnknown "unit-parent-unknown" Request
    UnitUnfit "unit-unfit" Request
    UnitUnknown "unit-unknown" Request
    WitnessUnfit "witness-unfit" Request
}

/// The word on the wire.
impl fmt::Display for ProblemCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// The text is no code of this list.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("`{0}` is no problem code of this version")]
pub struct UnknownProblemCode(pub String);

impl FromStr for ProblemCode {
    type Err = UnknownProblemCode;

    fn from_str(word: &str) -> Result<Self, UnknownProblemCode> {
        let code = Self::ALL.iter().find(|code| code.word() == word);
        code.copied().ok_or_else(|| UnknownProblemCode(word.to_owned()))
    }
}

impl Serialize for ProblemCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl<'de> Deserialize<'de> for ProblemCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A code as a caller reads it: a newer service may answer with one that this version does not know.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Code {
    /// A code of this version.
    Known(ProblemCode),
    /// A word that this version does not know.
    Unknown(String),
}

impl Code {
    /// Returns the word on the wire.
    pub fn word(&self) -> &str {
        match self {
            Self::Known(code) => code.word(),
            Self::Unknown(word) => word,
        }
    }
}

/// The word on the wire.
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl From<ProblemCode> for Code {
    fn from(code: ProblemCode) -> Self {
        Self::Known(code)
    }
}

impl From<String> for Code {
    fn from(word: String) -> Self {
        word.parse().map_or_else(|UnknownProblemCode(word)| Self::Unknown(word), Self::Known)
    }
}

impl PartialEq<ProblemCode> for Code {
    fn eq(&self, code: &ProblemCode) -> bool {
        *self == Self::Known(*code)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(String::deserialize(deserializer)?.into())
    }
}

/// The body of an answer that is no success: `application/problem+json` (RFC 9457) with our own members.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(from = "Wire")]
pub struct Problem {
    /// `https://citizen-card.invalid/problems/<code>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The stable code.
    pub code: Code,
    /// The code in words.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// The particulars, without personal data.
    pub detail: Option<String>,
    /// What the caller can do about it; empty if the service did not say.
    pub remedy: String,
    /// Identifies the request in the service's log; empty if the service did not say.
    pub request_id: String,
    /// What the problem is about.
    pub about: About,
}

impl Problem {
    /// Returns the problem with this code and status; `type`, title and `about` follow from the code.
    pub fn new(code: ProblemCode, status: u16, remedy: impl Into<String>) -> Self {
        Self {
            kind: format!("https://citizen-card.invalid/problems/{code}"),
            code: code.into(),
            title: code.word().replace('-', " "),
            status,
            detail: None,
            remedy: remedy.into(),
            request_id: String::new(),
            about: code.about(),
        }
    }
}

/// A [`Problem`] as it may arrive: only the code is sure to be there.
#[derive(Deserialize)]
struct Wire {
    #[serde(default, rename = "type")]
    kind: String,
    code: Code,
    #[serde(default)]
    title: String,
    #[serde(default)]
    status: u16,
    #[serde(default)]
    detail: Option<String>,
    #[serde(default)]
    remedy: Option<String>,
    #[serde(default)]
    request_id: Option<String>,
    #[serde(default)]
    about: Option<About>,
}

/// The service's own `about` counts. Without it the code's counts, and an unknown code tells nothing of chip or
/// station: it is then taken for a problem of the service, so that no work is ended by it.
impl From<Wire> for Problem {
    fn from(wire: Wire) -> Self {
        let of_code = match &wire.code {
            Code::Known(code) => code.about(),
            Code::Unknown(_) => About::Service,
        };
        Self {
            kind: wire.kind,
            code: wire.code,
            title: wire.title,
            status: wire.status,
            detail: wire.detail,
            remedy: wire.remedy.unwrap_or_default(),
            request_id: wire.request_id.unwrap_or_default(),
            about: wire.about.unwrap_or(of_code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_sorted_and_read_back() {
        for pair in ProblemCode::ALL.windows(2) {
            assert!(pair[0].word() < pair[1].word(), "{} before {}", pair[0], pair[1]);
            assert!(pair[0] < pair[1]);
        }
        for code in ProblemCode::ALL {
            assert_eq!(code.word().parse(), Ok(*code));
            let json = serde_json::to_string(code).unwrap();
            assert_eq!(json, format!("\"{code}\""));
            assert_eq!(serde_json::from_str::<ProblemCode>(&json).unwrap(), *code);
        }
    }

    #[test]
    fn an_unknown_word_is_no_code_and_is_kept_for_the_reader() {
        assert_eq!("made-up".parse::<ProblemCode>(), Err(UnknownProblemCode("made-up".to_owned())));
        assert!(serde_json::from_str::<ProblemCode>("\"made-up\"").is_err());
        assert_eq!(Code::from("made-up".to_owned()), Code::Unknown("made-up".to_owned()));
        assert_eq!(Code::from("internal".to_owned()), ProblemCode::Internal);
    }

    #[test]
    fn the_words_of_about_are_those_of_serde() {
        for about in About::ALL {
            assert_eq!(serde_json::to_string(&about).unwrap(), format!("\"{about}\""));
        }
    }

    #[test]
    fn a_problem_has_its_golden_json() {
        let mut problem = Problem::new(ProblemCode::ChipBound, 409, "Account for it.");
        problem.request_id = "0190".to_owned();
        let golden = r#"{"type":"https://citizen-card.invalid/problems/chip-bound","code":"chip-bound","title":"chip bound","status":409,"detail":null,"remedy":"Account for it.","request_id":"0190","about":"chip"}"#;
        assert_eq!(serde_json::to_string(&problem).unwrap(), golden);
        assert_eq!(serde_json::from_str::<Problem>(golden).unwrap(), problem);
    }

    #[test]
    fn about_comes_from_the_answer_else_from_the_code_else_is_the_service() {
        let read = |json: &str| serde_json::from_str::<Problem>(json).unwrap();
        assert_eq!(read(r#"{"code":"chip-bound"}"#).about, About::Chip);
        assert_eq!(read(r#"{"code":"chip-bound","about":"request"}"#).about, About::Request);
        assert_eq!(read(r#"{"code":"made-up","about":"chip"}"#).about, About::Chip);
        assert_eq!(read(r#"{"code":"made-up"}"#).about, About::Service);
        assert!(serde_json::from_str::<Problem>(r#"{"title":"no code"}"#).is_err());
    }
}
