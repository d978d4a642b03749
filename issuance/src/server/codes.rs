//! The problem codes that a route can give, for the document: those of its right, its method and its parameters, and
//! those of its verb as far as they are known here.

use axum::http::Method;
use crypto::perso::problem::ProblemCode as C;
use utoipa::openapi::RefOr;
use utoipa::openapi::path::{Operation, ParameterIn};

use crate::web::Right;

/// Returns the codes of a route, by their words.
pub(super) fn of(right: Right, method: &Method, path: &str, operation: &Operation) -> Vec<C> {
    let mut codes =
        vec![C::DatabaseBusy, C::DatabaseUnreachable, C::Internal, C::RequestTooSlow, C::ServiceBusy, C::StorageFull];
    match right {
        Right::Anyone => {}
        Right::SignedIn => codes.extend([C::PasswordChangeNeeded, C::SecondFactorNeeded, C::SessionNeeded]),
        Right::Officer(_) => {
            codes.extend([C::PasswordChangeNeeded, C::RoleMissing, C::SecondFactorNeeded, C::SessionNeeded]);
        }
        Right::Station => codes.extend([
            C::ProtocolTooNew,
            C::ProtocolTooOld,
            C::StationCertificateExpired,
            C::StationCertificateNeeded,
            C::StationRevoked,
            C::StationUnknown,
        ]),
    }
    if *method == Method::POST {
        codes.extend([
            C::BodyCut,
            C::BodyInvalid,
            C::BodyMalformed,
            C::BodyTooLarge,
            C::BodyTooSlow,
            C::TextTooLong,
            C::TextUnfit,
        ]);
        if right != Right::Anyone {
            codes.extend([
                C::IdempotencyKeyInUse,
                C::IdempotencyKeyMalformed,
                C::IdempotencyKeyMissing,
                C::IdempotencyKeyReused,
            ]);
        }
    }
    for parameter in operation.parameters.iter().flatten() {
        match parameter {
            RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Path => codes.push(C::IdentifierMalformed),
            RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Query => codes.push(C::QueryMalformed),
            _ => {}
        }
    }
    let of_verb = VERBS.iter().filter(|(verb, at, _)| *verb == method.as_str() && *at == path);
    codes.extend(of_verb.flat_map(|(_, _, codes)| codes.iter().copied()));
    codes.sort_unstable_by_key(|code| code.word());
    codes.dedup();
    codes
}

/// The codes of verbs: method, path, codes.
pub(super) const VERBS: &[(&str, &str, &[C])] = &[
    ("POST", "/api/v1/sessions", &[C::CredentialsWrong, C::SignInLocked]),
    ("POST", "/api/v1/password", &[C::OneTimeTokenUnfit, C::PasswordUnfit, C::SignInLocked]),
    ("POST", "/api/v1/me/password", &[C::CredentialsWrong, C::PasswordUnfit, C::SignInLocked]),
    ("DELETE", "/api/v1/me/sessions/{id}", &[C::SessionUnknown]),
    ("POST", "/api/v1/me/certificates", &[C::CertificationRequestUnfit, C::KeyCertifiedBefore, C::OneTimeTokenUnfit]),
    (
        "POST",
        "/api/v1/me/certificates/renewal",
        &[C::CertificationRequestUnfit, C::KeyCertifiedBefore, C::SecondFactorNeeded],
    ),
    ("DELETE", "/api/v1/me/certificates/{id}", &[C::LastAdministrator, C::OfficerCertificateUnknown]),
    (
        "POST",
        "/api/v1/officer-certificates/{id}/revocation",
        &[C::LastAdministrator, C::OfficerCertificateUnknown, C::OtherOffice, C::ReasonMissing],
    ),
    (
        "POST",
        "/api/v1/officers/{id}/certificates",
        &[C::OfficerNotFound, C::OtherOffice, C::ReasonMissing, C::SecondOfficerNeeded],
    ),
    (
        "POST",
        "/api/v1/officers",
        &[C::NameTaken, C::NameUnfit, C::OfficeCodeMalformed, C::OtherOffice, C::RolesExclude],
    ),
    (
        "POST",
        "/api/v1/officers/{id}/disablement",
        &[C::LastAdministrator, C::OfficerNotFound, C::OtherOffice, C::ReasonMissing],
    ),
    (
        "POST",
        "/api/v1/officer-proposals/{id}/confirmation",
        &[C::OtherOffice, C::ProposalUnknown, C::SecondOfficerNeeded],
    ),
    ("POST", "/api/v1/officer-proposals/{id}/withdrawal", &[C::OtherOffice, C::ProposalUnknown]),
    ("POST", "/api/v1/stations", &[C::CertificationRequestUnfit, C::KeyCertifiedBefore, C::NameTaken, C::OtherOffice]),
    ("POST", "/api/v1/stations/{id}/revocation", &[C::OtherOffice, C::ReasonMissing, C::StationNotFound]),
    (
        "POST",
        "/api/v1/declarations",
        &[
            C::DateImpossible,
            C::DateInFuture,
            C::DateUnreadable,
            C::DeclarationIncomplete,
            C::NameNotWritable,
            C::ProvinceUnassigned,
        ],
    ),
    (
        "POST",
        "/api/v1/persons/{id}/changes",
        &[
            C::ChangeUnfit,
            C::DateImpossible,
            C::DateInFuture,
            C::DateUnreadable,
            C::DeclarationIncomplete,
            C::NameNotWritable,
            C::OtherOffice,
            C::PersonUnknown,
            C::ProvinceUnassigned,
        ],
    ),
    ("GET", "/api/v1/register-changes", &[C::OtherOffice]),
    ("GET", "/api/v1/register-changes/{id}", &[C::ChangeUnknown, C::OtherOffice, C::RecordTampered]),
    (
        "POST",
        "/api/v1/register-changes/{id}/application",
        &[
            C::ChangeStale,
            C::ChangeUnknown,
            C::DeclarationIncomplete,
            C::NumberCellExhausted,
            C::OtherOffice,
            C::RecordTampered,
            C::SecondOfficerNeeded,
        ],
    ),
    ("GET", "/api/v1/quarantine", &[C::OtherOffice]),
    ("GET", "/api/v1/quarantine/{id}", &[C::OtherOffice, C::QuarantinedUnknown]),
    (
        "POST",
        "/api/v1/quarantine/{id}/correction",
        &[C::ColumnUnknown, C::OtherOffice, C::QuarantinedUnknown, C::TextTooLong, C::TextUnfit],
    ),
    (
        "POST",
        "/api/v1/quarantine/{id}/replay",
        &[
            C::DateImpossible,
            C::DateInFuture,
            C::DateUnreadable,
            C::DeclarationIncomplete,
            C::NameNotWritable,
            C::OtherOffice,
            C::ProvinceUnassigned,
            C::QuarantinedUnknown,
            C::RecordTampered,
        ],
    ),
    (
        "POST",
        "/api/v1/quarantine/{id}/dismissal",
        &[C::OtherOffice, C::QuarantinedUnknown, C::ReasonMissing, C::TextTooLong, C::TextUnfit],
    ),
    ("POST", "/api/v1/register-changes/{id}/withdrawal", &[C::ChangeUnknown, C::OtherOffice, C::RecordTampered]),
    (
        "POST",
        "/api/v1/births",
        &[
            C::AcknowledgementNeeded,
            C::BirthRecorded,
            C::BirthRegistrationUsed,
            C::DateImpossible,
            C::DateInFuture,
            C::DateUnreadable,
            C::DeclarationIncomplete,
            C::NameNotWritable,
            C::NotEntitled,
            C::NumberCellExhausted,
            C::NumberGiven,
            C::NumberLeaseReturned,
            C::NumberLeaseUnknown,
            C::NumberNotLeased,
            C::OtherOffice,
            C::ParentDead,
            C::ParentUnknown,
            C::ProvinceUnassigned,
            C::ReasonMissing,
        ],
    ),
    ("GET", "/api/v1/number-leases", &[C::OtherOffice]),
    (
        "POST",
        "/api/v1/number-leases",
        &[C::NumberCellExhausted, C::NumberLeaseElsewhere, C::NumberLeaseLimit, C::NumberLeaseUnfit],
    ),
    ("GET", "/api/v1/number-leases/{id}", &[C::NumberLeaseUnknown, C::OtherOffice, C::RecordTampered]),
    (
        "POST",
        "/api/v1/number-leases/{id}/return",
        &[C::NumberLeaseReturned, C::NumberLeaseUnknown, C::OtherOffice, C::RecordTampered],
    ),
    (
        "POST",
        "/api/v1/persons/{id}/merges",
        &[C::ChangeUnfit, C::DeclarationIncomplete, C::MergeUnfit, C::OtherOffice, C::PersonMerged, C::PersonUnknown],
    ),
    (
        "POST",
        "/api/v1/persons/{id}/merge-undoings",
        &[C::ChangeUnfit, C::DeclarationIncomplete, C::MergeUnfit, C::OtherOffice, C::PersonMerged, C::PersonUnknown],
    ),
    (
        "POST",
        "/api/v1/persons/{id}/splits",
        &[
            C::ChangeUnfit,
            C::DateImpossible,
            C::DateInFuture,
            C::DateUnreadable,
            C::DeclarationIncomplete,
            C::NameNotWritable,
            C::OtherOffice,
            C::PersonMerged,
            C::PersonUnknown,
            C::ProvinceUnassigned,
        ],
    ),
    ("GET", "/api/v1/register-merges", &[C::OtherOffice]),
    ("GET", "/api/v1/register-merges/{id}", &[C::MergeUnknown, C::OtherOffice, C::RecordTampered]),
    (
        "POST",
        "/api/v1/register-merges/{id}/application",
        &[
            C::DeclarationIncomplete,
            C::MergeStale,
            C::MergeUnfit,
            C::MergeUnknown,
            C::OtherOffice,
            C::PersonMerged,
            C::RecordTampered,
            C::SecondOfficerNeeded,
        ],
    ),
    ("POST", "/api/v1/register-merges/{id}/withdrawal", &[C::MergeUnknown, C::OtherOffice, C::RecordTampered]),
    ("POST", "/api/v1/persons/search", &[C::SearchTooBroad, C::SearchUnfit]),
    ("GET", "/api/v1/persons/{id}/duplicates", &[C::OtherOffice, C::PersonUnknown, C::RecordTampered]),
    ("POST", "/api/v1/persons/{id}/duplicate-verdicts", &[C::OtherOffice, C::PersonUnknown]),
    ("GET", "/api/v1/persons/{id}/history", &[C::OtherOffice, C::PersonUnknown, C::RecordTampered]),
    ("GET", "/api/v1/persons/{id}", &[C::OtherOffice, C::PersonUnknown]),
    ("POST", "/api/v1/persons/{id}/reading", &[C::ClaimMismatch, C::ClaimTooSoon, C::PersonUnknown]),
    ("GET", "/api/v1/applications", &[C::OtherOffice]),
    (
        "POST",
        "/api/v1/applications",
        &[
            C::AcknowledgementNeeded,
            C::AgeBelowFourteen,
            C::ApplicationOpen,
            C::CalendarEnds,
            C::CardAlreadyHeld,
            C::ClaimMismatch,
            C::ClaimNeeded,
            C::ClaimTooSoon,
            C::KindContradictsRegister,
            C::NotEntitled,
            C::NumberMissing,
            C::OtherOffice,
            C::PersonUnknown,
            C::ReasonMissing,
            C::ReasonUnfit,
        ],
    ),
    (
        "GET",
        "/api/v1/applications/{id}/portrait",
        &[
            C::ApplicationUnknown,
            C::Erased,
            C::ObjectsUnreadable,
            C::OtherOffice,
            C::PortraitLost,
            C::RecordTampered,
            C::StageDoesNotAllow,
        ],
    ),
    ("GET", "/api/v1/legal-holds", &[C::OtherOffice]),
    (
        "POST",
        "/api/v1/legal-holds",
        &[C::ApplicationUnknown, C::CardUnknown, C::OtherOffice, C::PersonUnknown, C::ReasonMissing, C::RecordTampered],
    ),
    (
        "POST",
        "/api/v1/legal-holds/{id}/confirmation",
        &[C::LegalHoldState, C::LegalHoldUnknown, C::OtherOffice, C::RecordTampered, C::SecondOfficerNeeded],
    ),
    (
        "POST",
        "/api/v1/legal-holds/{id}/release",
        &[C::LegalHoldState, C::LegalHoldUnknown, C::OtherOffice, C::ReasonMissing, C::RecordTampered],
    ),
    (
        "POST",
        "/api/v1/legal-holds/{id}/release/confirmation",
        &[C::LegalHoldState, C::LegalHoldUnknown, C::OtherOffice, C::RecordTampered, C::SecondOfficerNeeded],
    ),
    (
        "POST",
        "/api/v1/legal-holds/{id}/release/withdrawal",
        &[C::LegalHoldState, C::LegalHoldUnknown, C::OtherOffice, C::RecordTampered],
    ),
    ("GET", "/api/v1/applications/{id}", &[C::ApplicationUnknown, C::OtherOffice, C::PortraitLost, C::RecordTampered]),
    (
        "POST",
        "/api/v1/applications/{id}/capture",
        &[
            C::ApplicationUnknown,
            C::CropOutside,
            C::FeaturesUnfit,
            C::OtherOffice,
            C::PortraitNotBase64,
            C::PortraitNotJpeg,
            C::PortraitOversize,
            C::PortraitRestless,
            C::PortraitTooSmall,
            C::StageDoesNotAllow,
        ],
    ),
    (
        "POST",
        "/api/v1/applications/{id}/approval",
        &[
            C::ApplicationUnknown,
            C::CardNotComposable,
            C::DossierNotSeen,
            C::OtherOffice,
            C::PortraitChanged,
            C::SecondOfficerNeeded,
            C::StageDoesNotAllow,
        ],
    ),
    (
        "POST",
        "/api/v1/applications/{id}/check",
        &[
            C::ApplicationHeld,
            C::ApplicationUnknown,
            C::DossierNotSeen,
            C::OtherOffice,
            C::PortraitChanged,
            C::SecondOfficerNeeded,
            C::StageDoesNotAllow,
        ],
    ),
    (
        "POST",
        "/api/v1/applications/{id}/return",
        &[
            C::ApplicationHeld,
            C::ApplicationUnknown,
            C::CalendarEnds,
            C::OtherOffice,
            C::PeriodUnfit,
            C::ReasonMissing,
            C::SecondOfficerNeeded,
            C::StageDoesNotAllow,
        ],
    ),
    ("POST", "/api/v1/applications/{id}/resubmission", &[C::ApplicationUnknown, C::OtherOffice, C::StageDoesNotAllow]),
    (
        "POST",
        "/api/v1/applications/{id}/withdrawal",
        &[C::ApplicationUnknown, C::OtherOffice, C::ReasonMissing, C::StageDoesNotAllow],
    ),
    (
        "POST",
        "/api/v1/applications/{id}/refusal",
        &[C::ApplicationUnknown, C::OtherOffice, C::ReasonMissing, C::SecondOfficerNeeded, C::StageDoesNotAllow],
    ),
    (
        "POST",
        "/api/v1/applications/{id}/release",
        &[C::ApplicationUnknown, C::CardNotComposable, C::OtherOffice, C::SecondOfficerNeeded, C::StageDoesNotAllow],
    ),
    (
        "POST",
        "/api/v1/applications/{id}/cancellation",
        &[C::ApplicationUnknown, C::OtherOffice, C::ReasonMissing, C::StageDoesNotAllow],
    ),
    ("GET", "/api/v1/cards", &[C::OtherOffice]),
    ("GET", "/api/v1/cards/{id}", &[C::CardUnknown, C::OtherOffice, C::RecordTampered]),
    ("POST", "/api/v1/cards/{id}/hand-over", &[C::CardUnknown, C::OtherOffice, C::SlipMismatch, C::StageDoesNotAllow]),
    ("POST", "/api/v1/cards/{id}/loss", &[C::CardStatusDoesNotAllow, C::CardUnknown, C::LossGroundsMissing]),
    ("GET", "/api/v1/card-status/{sod_sha256}", &[C::HashMalformed]),
    ("GET", "/api/v1/stock", &[C::OtherOffice]),
    ("GET", "/api/v1/stock/{serial}", &[C::ChipUnknown, C::OtherOffice]),
    (
        "POST",
        "/api/v1/stock/deliveries",
        &[C::DeliveryEmpty, C::ListTooLong, C::SerialAlreadyDelivered, C::TransportKeyUnknown],
    ),
    (
        "POST",
        "/api/v1/stock/custody",
        &[C::ChipBound, C::ChipInBox, C::ChipUnknown, C::ListTooLong, C::OtherOffice, C::StationNotFound],
    ),
    ("GET", "/api/v1/stock/{serial}/postings", &[C::ChipUnknown, C::OtherOffice]),
    (
        "POST",
        "/api/v1/stock/{serial}/loss",
        &[C::ChipDestroyed, C::ChipLost, C::ChipUnknown, C::EvidenceMissing, C::OtherOffice],
    ),
    ("POST", "/api/v1/stock/{serial}/finding", &[C::ChipNotLost, C::ChipUnknown, C::EvidenceMissing, C::OtherOffice]),
    (
        "POST",
        "/api/v1/stock/destructions",
        &[
            C::ChipDestroyed,
            C::ChipLost,
            C::ChipNotSpoiled,
            C::ChipUnknown,
            C::DeliveryEmpty,
            C::EvidenceMissing,
            C::ListTooLong,
            C::OtherOffice,
            C::WitnessUnfit,
        ],
    ),
    (
        "POST",
        "/api/v1/stock/destructions/{id}/confirmation",
        &[C::ChipDestroyed, C::ChipLost, C::ProposalUnknown, C::WitnessUnfit],
    ),
    (
        "POST",
        "/api/v1/stock/boxes",
        &[
            C::ChipBound,
            C::ChipInBox,
            C::ChipUnknown,
            C::DeliveryEmpty,
            C::ListTooLong,
            C::OfficeCodeMalformed,
            C::OtherOffice,
            C::StockBoxUnfit,
        ],
    ),
    (
        "POST",
        "/api/v1/stock/parcels",
        &[
            C::BodyCheckNeeded,
            C::CardNotToShip,
            C::ChipInBox,
            C::ChipUnknown,
            C::DeliveryEmpty,
            C::ListTooLong,
            C::OtherOffice,
            C::StockBoxUnfit,
        ],
    ),
    (
        "POST",
        "/api/v1/stock/boxes/{id}/receipt",
        &[C::ListTooLong, C::OtherOffice, C::SecondOfficerNeeded, C::StockBoxUnknown],
    ),
    (
        "POST",
        "/api/v1/stock/cases/{id}/proposal",
        &[C::EvidenceMissing, C::OtherOffice, C::StockCaseOutcomeUnfit, C::StockCaseUnknown],
    ),
    (
        "POST",
        "/api/v1/stock/cases/{id}/confirmation",
        &[C::OtherOffice, C::ProposalStale, C::ProposalUnknown, C::SecondOfficerNeeded, C::StockCaseUnknown],
    ),
    (
        "POST",
        "/api/v1/stock/batches",
        &[
            C::ChipBound,
            C::ChipInBatch,
            C::ChipInOtherCustody,
            C::ChipUnknown,
            C::DeliveryEmpty,
            C::ListTooLong,
            C::OtherOffice,
            C::StationNotFound,
        ],
    ),
    ("POST", "/api/v1/stock/batches/{id}/closing", &[C::ChipUnaccounted, C::OtherOffice, C::ProductionBatchUnknown]),
    (
        "POST",
        "/api/v1/production/{id}/body-check",
        &[C::ApplicationMovedOn, C::OtherOffice, C::SecondOfficerNeeded, C::StageDoesNotAllow],
    ),
    ("POST", "/api/v1/batches", &[C::ListTooLong]),
    ("GET", "/api/v1/batches/{id}", &[C::BatchUnknown, C::OtherOffice]),
    ("GET", "/api/v1/batches/{id}/items", &[C::BatchUnknown, C::OtherOffice]),
    (
        "POST",
        "/api/v1/batches/{id}/release",
        &[C::BatchStateUnfit, C::BatchUnknown, C::OtherOffice, C::ProposalStale, C::SecondOfficerNeeded],
    ),
    ("POST", "/api/v1/batches/{id}/pause", &[C::BatchStateUnfit, C::BatchUnknown, C::EvidenceMissing, C::OtherOffice]),
    ("POST", "/api/v1/batches/{id}/resumption", &[C::BatchStateUnfit, C::BatchUnknown, C::OtherOffice]),
    (
        "POST",
        "/api/v1/batches/{id}/cancellation",
        &[C::BatchStateUnfit, C::BatchUnknown, C::EvidenceMissing, C::OtherOffice],
    ),
    (
        "POST",
        "/api/v1/batches/{id}/closing",
        &[C::BatchStateUnfit, C::BatchUnfinished, C::BatchUnknown, C::OtherOffice],
    ),
    ("GET", "/api/v1/station/batches/{id}", &[C::BatchUnknown]),
    ("POST", "/api/v1/stock/counts", &[C::OtherOffice, C::StationNotFound]),
    (
        "POST",
        "/api/v1/stock/counts/{id}/result",
        &[C::ListTooLong, C::OtherOffice, C::StockCountOvertaken, C::StockCountUnknown],
    ),
    ("POST", "/api/v1/stock/recalls", &[C::EvidenceMissing, C::OtherOffice, C::RecallUnfit]),
    (
        "POST",
        "/api/v1/stock/recalls/{id}/confirmation",
        &[C::OtherOffice, C::ProposalStale, C::ProposalUnknown, C::SecondOfficerNeeded],
    ),
    ("GET", "/api/v1/stock/recalls/{id}/chips", &[C::OtherOffice, C::ProposalUnknown]),
    (
        "POST",
        "/api/v1/stock/{serial}/write-off",
        &[
            C::ChipDestroyed,
            C::ChipLost,
            C::ChipSpoiled,
            C::ChipUnknown,
            C::OtherOffice,
            C::ReasonMissing,
            C::WitnessUnfit,
        ],
    ),
    (
        "POST",
        "/api/v1/station/intake/orders",
        &[C::ChipInOtherCustody, C::ChipRecalled, C::ChipUnknown, C::PresentationUnfit],
    ),
    ("POST", "/api/v1/station/intake/receipts", &[C::ChipKeyKnown, C::OrderUnknown, C::ReceiptForged]),
    (
        "POST",
        "/api/v1/station/personalization/orders",
        &[
            C::ApplicationCancelled,
            C::BatchClosed,
            C::BatchExhausted,
            C::BatchItemElsewhere,
            C::BatchPaused,
            C::BatchUnknown,
            C::ChipAlreadyPersonalized,
            C::ChipBound,
            C::ChipInOtherCustody,
            C::ChipLifeCycleUnexpected,
            C::ChipLost,
            C::ChipNotInitialised,
            C::ChipRecalled,
            C::ChipSpoiled,
            C::ChipUnknown,
            C::LeaseLost,
            C::NothingToPersonalize,
            C::SlipNotWaiting,
            C::SignerRevoked,
            C::SigningKeyExhausted,
        ],
    ),
    (
        "POST",
        "/api/v1/station/personalization/receipts",
        &[
            C::ActiveAuthenticationFailed,
            C::BatchItemElsewhere,
            C::ChallengeUnknown,
            C::ChallengeUsed,
            C::ChipDiffers,
            C::OrderUnknown,
            C::ReceiptForged,
        ],
    ),
    (
        "POST",
        "/api/v1/station/certificate",
        &[C::CertificationRequestUnfit, C::KeyCertifiedBefore, C::StationRenewalOpen],
    ),
    (
        "POST",
        "/api/v1/station/chips/{serial}/spoiled",
        &[C::ChipDestroyed, C::ChipInOtherCustody, C::ChipLost, C::ChipSpoiled, C::ChipUnknown, C::EvidenceMissing],
    ),
    ("GET", "/api/v1/trust-bundle", &[C::TrustBundleNotReady]),
];
