//! The problem codes that a route can give, for the document: those of its right, its method and its parameters, and
//! those of its verb as far as they are known here.

use axum::http::Method;
use crypto::perso::problem::ProblemCode::{self, *};
use utoipa::openapi::RefOr;
use utoipa::openapi::path::{Operation, ParameterIn};

use crate::web::Right;

/// Returns the codes of a route, by their words.
pub(super) fn of(right: Right, method: &Method, path: &str, operation: &Operation) -> Vec<ProblemCode> {
    let mut codes = vec![DatabaseBusy, DatabaseUnreachable, Internal, RequestTooSlow, ServiceBusy, StorageFull];
    match right {
        Right::Anyone => {}
        Right::SignedIn => codes.extend([PasswordChangeNeeded, SessionNeeded]),
        Right::Officer(_) => codes.extend([PasswordChangeNeeded, RoleMissing, SessionNeeded]),
        Right::Station => codes.extend([StationCertificateNeeded, StationRevoked, StationUnknown]),
    }
    if *method == Method::POST {
        codes.extend([BodyCut, BodyInvalid, BodyMalformed, BodyTooLarge, BodyTooSlow, TextTooLong, TextUnfit]);
        if right != Right::Anyone {
            codes.extend([IdempotencyKeyInUse, IdempotencyKeyMalformed, IdempotencyKeyMissing, IdempotencyKeyReused]);
        }
    }
    for parameter in operation.parameters.iter().flatten() {
        match parameter {
            RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Path => codes.push(IdentifierMalformed),
            RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Query => codes.push(QueryMalformed),
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
pub(super) const VERBS: &[(&str, &str, &[ProblemCode])] = &[
    ("POST", "/api/sessions", &[CredentialsWrong, SignInLocked]),
    ("POST", "/api/password", &[OneTimeTokenUnfit, PasswordUnfit, SignInLocked]),
    ("POST", "/api/me/password", &[CredentialsWrong, PasswordUnfit, SignInLocked]),
    ("DELETE", "/api/me/sessions/{id}", &[SessionUnknown]),
    ("POST", "/api/officers", &[NameTaken, NameUnfit, OfficeCodeMalformed, OtherOffice, RolesExclude]),
    ("POST", "/api/officers/{id}/disablement", &[LastAdministrator, OfficerNotFound, OtherOffice, ReasonMissing]),
    ("POST", "/api/officer-proposals/{id}/confirmation", &[OtherOffice, ProposalUnknown, SecondOfficerNeeded]),
    ("POST", "/api/officer-proposals/{id}/withdrawal", &[OtherOffice, ProposalUnknown]),
    ("POST", "/api/stations", &[CertificationRequestUnfit, NameTaken, OtherOffice]),
    ("POST", "/api/stations/{id}/revocation", &[OtherOffice, ReasonMissing, StationNotFound]),
    (
        "POST",
        "/api/declarations",
        &[DateImpossible, DateInFuture, DateUnreadable, DeclarationIncomplete, NameNotWritable, ProvinceUnassigned],
    ),
    ("GET", "/api/persons/{id}", &[OtherOffice, PersonUnknown]),
    ("POST", "/api/persons/{id}/reading", &[ClaimMismatch, ClaimTooSoon, PersonUnknown]),
    ("GET", "/api/applications", &[OtherOffice]),
    (
        "POST",
        "/api/applications",
        &[
            AcknowledgementNeeded,
            AgeBelowFourteen,
            ApplicationOpen,
            CardAlreadyHeld,
            ClaimMismatch,
            ClaimNeeded,
            ClaimTooSoon,
            KindContradictsRegister,
            NotEntitled,
            NumberMissing,
            OtherOffice,
            PersonUnknown,
            ReasonMissing,
            ReasonUnfit,
        ],
    ),
    ("GET", "/api/applications/{id}", &[ApplicationUnknown, OtherOffice, PortraitLost, RecordTampered]),
    (
        "POST",
        "/api/applications/{id}/capture",
        &[
            ApplicationUnknown,
            CropOutside,
            FeaturesUnfit,
            OtherOffice,
            PortraitNotBase64,
            PortraitNotJpeg,
            PortraitOversize,
            PortraitRestless,
            PortraitTooSmall,
            StageDoesNotAllow,
        ],
    ),
    (
        "POST",
        "/api/applications/{id}/approval",
        &[
            ApplicationUnknown,
            CardNotComposable,
            DossierNotSeen,
            OtherOffice,
            PortraitChanged,
            SecondOfficerNeeded,
            StageDoesNotAllow,
        ],
    ),
    (
        "POST",
        "/api/applications/{id}/refusal",
        &[ApplicationUnknown, OtherOffice, ReasonMissing, SecondOfficerNeeded, StageDoesNotAllow],
    ),
    (
        "POST",
        "/api/applications/{id}/release",
        &[ApplicationUnknown, CardNotComposable, OtherOffice, SecondOfficerNeeded, StageDoesNotAllow],
    ),
    (
        "POST",
        "/api/applications/{id}/cancellation",
        &[ApplicationUnknown, OtherOffice, ReasonMissing, StageDoesNotAllow],
    ),
    ("GET", "/api/cards", &[OtherOffice]),
    ("GET", "/api/cards/{id}", &[CardUnknown, OtherOffice, RecordTampered]),
    ("POST", "/api/cards/{id}/hand-over", &[CardUnknown, OtherOffice, SlipMismatch, StageDoesNotAllow]),
    ("POST", "/api/cards/{id}/loss", &[CardStatusDoesNotAllow, CardUnknown, LossGroundsMissing]),
    ("GET", "/api/card-status/{sod_sha256}", &[HashMalformed]),
    ("GET", "/api/stock", &[OtherOffice]),
    ("GET", "/api/stock/{serial}", &[ChipUnknown, OtherOffice]),
    ("POST", "/api/stock/deliveries", &[DeliveryEmpty, ListTooLong, SerialAlreadyDelivered, TransportKeyUnknown]),
    ("POST", "/api/stock/custody", &[ChipBound, ChipUnknown, ListTooLong, OtherOffice, StationNotFound]),
    ("POST", "/api/stock/{serial}/write-off", &[ChipSpoiled, ChipUnknown, OtherOffice, ReasonMissing, WitnessUnfit]),
    ("POST", "/api/station/intake/orders", &[ChipInOtherCustody, ChipUnknown, PresentationUnfit]),
    ("POST", "/api/station/intake/receipts", &[ChipKeyKnown, OrderUnknown, ReceiptForged]),
    (
        "POST",
        "/api/station/personalization/orders",
        &[
            ApplicationCancelled,
            ChipAlreadyPersonalized,
            ChipBound,
            ChipInOtherCustody,
            ChipLifeCycleUnexpected,
            ChipNotInitialised,
            ChipSpoiled,
            ChipUnknown,
            NothingToPersonalize,
            SignerRevoked,
            SigningKeyExhausted,
        ],
    ),
    (
        "POST",
        "/api/station/personalization/receipts",
        &[ActiveAuthenticationFailed, ChallengeUnknown, ChallengeUsed, ChipDiffers, OrderUnknown, ReceiptForged],
    ),
    ("POST", "/api/station/chips/{serial}/spoiled", &[ChipInOtherCustody, ChipSpoiled, ChipUnknown, EvidenceMissing]),
    ("GET", "/api/trust-bundle", &[TrustBundleNotReady]),
];
