//! What the audit trail tells: closed lists of actions, kinds of objects and purposes.

use std::fmt;
use std::str::FromStr;

use crypto::identity::CardSerial;
use crypto::perso::problem::ProblemCode;
use time::Date;

use crate::ground::ids::{
    AgreementId, ApplicationId, BatchId, BookingId, BoxId, CardBatchId, CardId, CaseId, CountId, DelayId, DeliveryId,
    DeputyId, DestructionId, EmergencyLookId, FindingId, FormId, HoldId, LeaseId, NoticeId, ObjectionId, OfficerId,
    OrderId, PartnerId, PartnerSystemId, PersonId, ProductionBatchId, QuarantinedId, RecallId, RequestId, StationId,
};
use crate::ground::{Caller, OfficeCode, Permission};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word, as stored and answered.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.word()) }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                Self::ALL.iter().copied().find(|known| known.word() == text).ok_or(UnknownWord)
            }
        }
    };
}

/// A word that is none of a closed list.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("unknown word")]
pub struct UnknownWord;

words! {
    /// What was done.
    Action {
        /// A caller reached for what is not theirs.
        AccessRefused = "access-refused",
        /// An answer about a person was given again under its idempotency key.
        AnswerReplayed = "answer-replayed",
        /// The decision about an application is taken anew after a complaint about its refusal.
        ApplicationAppealAllowed = "application-appeal-allowed",
        /// A complaint ended since the citizen took it back: the refusal stands as before it.
        ApplicationAppealDiscontinued = "application-appeal-discontinued",
        /// The citizen takes a complaint back, on paper.
        ApplicationAppealTakenBack = "application-appeal-taken-back",
        /// The refusal of an application stands after a complaint.
        ApplicationAppealUpheld = "application-appeal-upheld",
        /// The citizen complained about the refusal of an application.
        ApplicationAppealed = "application-appealed",
        /// A second officer agreed.
        ApplicationApproved = "application-approved",
        /// An approved application was put into a batch of cards.
        ApplicationBatched = "application-batched",
        /// A chip was bound to an application.
        ApplicationBound = "application-bound",
        /// An application ended before there was a card.
        ApplicationCancelled = "application-cancelled",
        /// An officer said where the papers of the citizen's old identity card lie.
        ApplicationClassified = "application-classified",
        /// Portrait and features were taken.
        ApplicationCaptured = "application-captured",
        /// An officer gave an application back that the officer had taken.
        ApplicationClaimReleased = "application-claim-released",
        /// An officer took an application for some minutes.
        ApplicationClaimed = "application-claimed",
        /// The head of the team found an application in order.
        ApplicationChecked = "application-checked",
        /// A counter kept what it took for an application and has not sent yet.
        ApplicationDraftKept = "application-draft-kept",
        /// The national office was told that an application stays late.
        ApplicationEscalated = "application-escalated",
        /// An application cannot become a card as it stands, and was taken out of the queue.
        ApplicationHeld = "application-held",
        /// The office of an application is dissolved: another one has it from now on.
        ApplicationOfficeChanged = "application-office-changed",
        /// The office agreed; the approval of the national office is awaited.
        ApplicationLocallyApproved = "application-locally-approved",
        /// The office that has an application was told that it is late.
        ApplicationOverdue = "application-overdue",
        /// The portrait of an application that waits for a chip was missing, and the next one was taken.
        ApplicationPassedOver = "application-passed-over",
        /// An application was read.
        ApplicationRead = "application-read",
        /// A second officer disagreed.
        ApplicationRefused = "application-refused",
        /// The citizen said whether what the register holds is right.
        ApplicationRegisterChecked = "application-register-checked",
        /// An application was opened.
        ApplicationRegistered = "application-registered",
        /// The applications of a person were listed.
        ApplicationsListed = "applications-listed",
        /// A held application went back into the queue.
        ApplicationReleased = "application-released",
        /// What the register holds of the person changed: the decision is to be taken anew.
        ApplicationReopened = "application-reopened",
        /// The citizen brought what was missing.
        ApplicationResubmitted = "application-resubmitted",
        /// The citizen is to bring what is missing.
        ApplicationReturned = "application-returned",
        /// An application lost its chip.
        ApplicationUnbound = "application-unbound",
        /// The citizen does not want the card any more.
        ApplicationWithdrawn = "application-withdrawn",
        /// An archive of papers said what it has of a citizen.
        ArchiveAnswered = "archive-answered",
        /// An archive of papers was asked about a citizen.
        ArchiveAsked = "archive-asked",
        /// The national office was told that an archive of papers still does not answer.
        ArchiveEscalated = "archive-escalated",
        /// An archive of papers was told that its answer is late.
        ArchiveOverdue = "archive-overdue",
        /// A question to an archive of papers was read, with what is looked for.
        ArchiveRequestRead = "archive-request-read",
        /// What a partner may ask was drafted.
        AgreementDrafted = "agreement-drafted",
        /// A partner may ask no more what an agreement named.
        AgreementEnded = "agreement-ended",
        /// An officer signed what a partner may ask.
        AgreementSigned = "agreement-signed",
        /// Agreements with partners were listed, or one was read.
        AgreementsListed = "agreements-listed",
        /// The audit trail was read.
        AuditRead = "audit-read",
        /// The body of a card was compared with its chip, and carries the same.
        BodyChecked = "body-checked",
        /// The body of a card carries other things than its chip, as two officers read it: both are spoiled.
        BodyDiffers = "body-differs",
        /// An officer read other things from the body of a card than its chip holds: another one's reading decides.
        BodyDoubted = "body-doubted",
        /// What was read for a card is the body, or the chip, of another card of the house.
        BodyOfAnotherCard = "body-of-another-card",
        /// The citizen came for a booking, or an application took it.
        BookingArrived = "booking-arrived",
        /// A citizen wants a booking no more.
        BookingCancelled = "booking-cancelled",
        /// A citizen was given a place and a time.
        BookingMade = "booking-made",
        /// A citizen did not come for a booking: its desk is free.
        BookingMissed = "booking-missed",
        /// A booking has another place or time.
        BookingMoved = "booking-moved",
        /// A booking was read.
        BookingRead = "booking-read",
        /// The slot of a booking is gone: it is to be moved, and the citizen is told.
        BookingToBeMoved = "booking-to-be-moved",
        /// The bookings of an office or of a person were listed.
        BookingsListed = "bookings-listed",
        /// A record was noted as of no person, or that was confirmed: each look at it is told.
        CanaryNoted = "canary-noted",
        /// Forms that communes handed in were counted.
        CampaignFormsCollected = "campaign-forms-collected",
        /// It was said how many people are expected in communes, and until when.
        CampaignPlanned = "campaign-planned",
        /// What was not begun was taken out of a batch of cards.
        CardBatchCancelled = "card-batch-cancelled",
        /// A batch of cards was closed.
        CardBatchClosed = "card-batch-closed",
        /// A batch of cards was drafted.
        CardBatchDrafted = "card-batch-drafted",
        /// A batch of cards was paused.
        CardBatchPaused = "card-batch-paused",
        /// A second officer released a batch of cards.
        CardBatchReleased = "card-batch-released",
        /// A paused batch of cards goes on.
        CardBatchResumed = "card-batch-resumed",
        /// A card was counted at the office of its application.
        CardArrived = "card-arrived",
        /// A card was handed over.
        CardHandedOver = "card-handed-over",
        /// A card was not handed over to the person who came for it.
        CardHandOverRefused = "card-hand-over-refused",
        /// What of a card needs no chip was made before one is presented.
        CardMadeAhead = "card-made-ahead",
        /// A card was reported lost.
        CardLossReported = "card-loss-reported",
        /// A report of loss was undone by two officers.
        CardLossUndone = "card-loss-undone",
        /// An officer wants a report of loss undone.
        CardLossUndoProposed = "card-loss-undo-proposed",
        /// A card was not fetched in time.
        CardNotFetched = "card-not-fetched",
        /// A chip proved that it is a card.
        CardPersonalized = "card-personalized",
        /// A card was read.
        CardRead = "card-read",
        /// The cards of a person were listed.
        CardsListed = "cards-listed",
        /// A card must be changed: what is written on it is no longer what the register holds.
        CardMustBeChanged = "card-must-be-changed",
        /// A card that a restored database did not know was entered again, on its chip's own proof.
        CardReentered = "card-reentered",
        /// The chip of a card that was not handed over was recalled: the card is kept.
        CardRecalled = "card-recalled",
        /// A card counts no more.
        CardRevoked = "card-revoked",
        /// A card was put into a parcel for the office of its application.
        CardSent = "card-sent",
        /// A partner that follows a person was told that something changed.
        ChangesTold = "changes-told",
        /// A code was shown for a card that is not the citizen's.
        CitizenCodeRefused = "citizen-code-refused",
        /// A citizen set a code for the own card at the counter.
        CitizenCodeSet = "citizen-code-set",
        /// A citizen showed the code of the own card.
        CitizenCodeShown = "citizen-code-shown",
        /// A card was used to log in, and did not prove itself.
        CitizenLogInRefused = "citizen-log-in-refused",
        /// A citizen logged in with the card.
        CitizenLoggedIn = "citizen-logged-in",
        /// A blank was given to a station.
        ChipCustodyGiven = "chip-custody-given",
        /// A chip that was reported lost is there again.
        ChipFound = "chip-found",
        /// A blank has our keys and its own.
        ChipInitialised = "chip-initialised",
        /// A chip was reported lost.
        ChipLost = "chip-lost",
        /// Spoiled chips were destroyed before two witnesses.
        ChipsDestroyed = "chips-destroyed",
        /// An officer wants spoiled chips destroyed, and named two witnesses.
        ChipsDestructionProposed = "chips-destruction-proposed",
        /// The first of two witnesses confirmed a destruction.
        ChipsDestructionWitnessed = "chips-destruction-witnessed",
        /// A chip will never be a card.
        ChipSpoiled = "chip-spoiled",
        /// A write-off was proposed, and waits for its witness.
        ChipWriteOffProposed = "chip-write-off-proposed",
        /// The national office was told that an application is still not classified.
        ClassificationEscalated = "classification-escalated",
        /// The office that has an application was told that its classification is late.
        ClassificationOverdue = "classification-overdue",
        /// A citizen was reminded that the card can be fetched.
        CitizenReminded = "citizen-reminded",
        /// What a citizen was said to claim was not what the register holds.
        ClaimRefused = "claim-refused",
        /// Where a citizen wants to be told was written down.
        ContactChanged = "contact-changed",
        /// Where a citizen wants to be told was read.
        ContactRead = "contact-read",
        /// An officer began to type a paper form DC01.
        DeclarationFormBegun = "declaration-form-begun",
        /// A second officer's reading of a paper form was compared with what was typed.
        DeclarationFormCompared = "declaration-form-compared",
        /// A paper form was dropped.
        DeclarationFormDropped = "declaration-form-dropped",
        /// What was typed of a paper form was kept.
        DeclarationFormKept = "declaration-form-kept",
        /// What was typed of a paper form was read.
        DeclarationFormRead = "declaration-form-read",
        /// A paper form went back to the officer who typed it.
        DeclarationFormReturned = "declaration-form-returned",
        /// A paper form was sent to be read a second time.
        DeclarationFormSent = "declaration-form-sent",
        /// The paper forms of an office were listed.
        DeclarationFormsListed = "declaration-forms-listed",
        /// Rows of a file of declarations entered the register or its quarantine; without the names of the persons.
        DeclarationsImported = "declarations-imported",
        /// An officer was appointed to stand in for another.
        DeputyAppointed = "deputy-appointed",
        /// A second administrator agreed that an officer stands in for another.
        DeputyConfirmed = "deputy-confirmed",
        /// An officer's standing in for another was ended early.
        DeputyEnded = "deputy-ended",
        /// Captured data of a closed application were erased.
        DossierErased = "dossier-erased",
        /// An officer said of two persons that they are one, or two.
        DuplicateJudged = "duplicate-judged",
        /// An officer broke the glass: a look in an emergency at a person of whom the office has no case.
        EmergencyLookOpened = "emergency-look-opened",
        /// A person was looked at in an emergency.
        EmergencyLookRead = "emergency-look-read",
        /// It was judged whether a look in an emergency was justified.
        EmergencyLookReviewed = "emergency-look-reviewed",
        /// Looks in an emergency were listed, or one was read.
        EmergencyLooksListed = "emergency-looks-listed",
        /// A partner was told of a person.
        ExchangeAnswered = "exchange-answered",
        /// A second officer agreed that looks are told later.
        ExchangeDelayConfirmed = "exchange-delay-confirmed",
        /// An officer proposed that looks are told later, as a judge orders.
        ExchangeDelayProposed = "exchange-delay-proposed",
        /// A partner opened a list of persons to be confirmed.
        ExchangeListOpened = "exchange-list-opened",
        /// Who looked at a person, and what was told, was put together for the person.
        ExchangeLooksRead = "exchange-looks-read",
        /// A partner was not told what it asked.
        ExchangeRefused = "exchange-refused",
        /// An officer decided what a partner reported and the register held.
        ExchangeReportDecided = "exchange-report-decided",
        /// What partners reported and the register holds was listed or read.
        ExchangeReportRead = "exchange-report-read",
        /// Nothing is to be paid for an application, on a ground of the law.
        FeeExempted = "fee-exempted",
        /// The fee of an application was paid.
        FeePaid = "fee-paid",
        /// The fee of an application was read.
        FeeRead = "fee-read",
        /// A payment or an exemption was undone.
        FeeUndone = "fee-undone",
        /// The image of a finger was read.
        FingerprintRead = "fingerprint-read",
        /// The image of a finger was taken, or noted why there is none.
        FingerprintTaken = "fingerprint-taken",
        /// A document that a restored database does not know was found.
        FindingEntered = "finding-entered",
        /// An officer wants a document that was found revoked.
        FindingProposed = "finding-proposed",
        /// A second officer agreed: the document that was found is revoked.
        FindingRevoked = "finding-revoked",
        /// The findings of a reconciliation were listed.
        FindingsListed = "findings-listed",
        /// A partner follows a person no more.
        FollowEnded = "follow-ended",
        /// A partner was told whom it follows.
        FollowsListed = "follows-listed",
        /// A day of the calendar was set as a holiday or as a working day.
        HolidayChanged = "holiday-changed",
        /// An administrator proposed what a day of the calendar is.
        HolidayProposed = "holiday-proposed",
        /// A backup of the installation was put back.
        InstallationRestored = "installation-restored",
        /// An order of intake did not end.
        IntakeIncomplete = "intake-incomplete",
        /// An order of intake was made.
        IntakeOrdered = "intake-ordered",
        /// Another key-encryption key is about to take the place of the one in use.
        KeyEncryptionKeyChanged = "key-encryption-key-changed",
        /// A legal hold was confirmed by a second officer.
        LegalHoldConfirmed = "legal-hold-confirmed",
        /// An officer proposed a legal hold, which stands until it is decided.
        LegalHoldProposed = "legal-hold-proposed",
        /// An officer wants a legal hold to end.
        LegalHoldReleaseProposed = "legal-hold-release-proposed",
        /// The proposal that a legal hold ends was taken back.
        LegalHoldReleaseWithdrawn = "legal-hold-release-withdrawn",
        /// A legal hold was ended by two officers.
        LegalHoldReleased = "legal-hold-released",
        /// The legal holds were listed.
        LegalHoldsListed = "legal-holds-listed",
        /// An attempt to send a notice began.
        NoticeAttempted = "notice-attempted",
        /// What a notice said was erased.
        NoticeErased = "notice-erased",
        /// A notice was read as a letter.
        NoticeRead = "notice-read",
        /// A notice was sent, posted or handed over.
        NoticeSent = "notice-sent",
        /// A notice could not be sent this time.
        NoticeUndelivered = "notice-undelivered",
        /// The notices of an application were listed.
        NoticesListed = "notices-listed",
        /// A number for life was cancelled: another one takes its place.
        NumberCancelled = "number-cancelled",
        /// A number for life was established.
        NumberEstablished = "number-established",
        /// A lease of numbers was read, with its unused numbers.
        NumberLeaseRead = "number-lease-read",
        /// A lease of numbers was returned: its unused numbers are never given.
        NumberLeaseReturned = "number-lease-returned",
        /// A number for life was asked for again.
        NumberRead = "number-read",
        /// A block of numbers was leased.
        NumbersLeased = "numbers-leased",
        /// Two administrators dissolve an office: it takes no new work, and what waits there moves.
        OfficeClosing = "office-closing",
        /// An administrator proposed that an office is dissolved.
        OfficeDissolutionProposed = "office-dissolution-proposed",
        /// The proposal that an office is dissolved was taken back.
        OfficeDissolutionWithdrawn = "office-dissolution-withdrawn",
        /// An office is dissolved: nothing waits there any more.
        OfficeDissolved = "office-dissolved",
        /// Stock, a station or a matter of the stock of an office that is dissolved went to the
        /// one that takes its place.
        OfficeWorkMoved = "office-work-moved",
        /// The opening hours of an office were set.
        OfficeHoursSet = "office-hours-set",
        /// An officer enrolled a client certificate.
        OfficerCertificateEnrolled = "officer-certificate-enrolled",
        /// A client certificate of an officer was revoked.
        OfficerCertificateRevoked = "officer-certificate-revoked",
        /// The client certificates of officers were listed.
        OfficerCertificatesListed = "officer-certificates-listed",
        /// Roles, office or access of an officer changed, as two administrators wanted it.
        OfficerChanged = "officer-changed",
        /// An officer's access was ended.
        OfficerDisabled = "officer-disabled",
        /// An officer was appointed.
        OfficerMade = "officer-made",
        /// An administrator proposed something about an officer.
        OfficerProposed = "officer-proposed",
        /// A proposal about an officer was taken back or turned down.
        OfficerProposalWithdrawn = "officer-proposal-withdrawn",
        /// The open proposals about officers were read.
        OfficerProposalsRead = "officer-proposals-read",
        /// The accounts of an office were listed.
        OfficersListed = "officers-listed",
        /// What became of the citizen's old document when the new card was handed over.
        OldDocumentSettled = "old-document-settled",
        /// A sealed parcel of cards was sent to another office.
        ParcelSent = "parcel-sent",
        /// A second officer agreed that notifications go to an address of a partner's system.
        PartnerAddressConfirmed = "partner-address-confirmed",
        /// An officer named an address of a partner's system, to which notifications are to go.
        PartnerAddressDrafted = "partner-address-drafted",
        /// No notification goes to an address of a partner's system any more.
        PartnerAddressEnded = "partner-address-ended",
        /// A second officer agreed that an authority is a partner.
        PartnerConfirmed = "partner-confirmed",
        /// An officer proposed that an authority is a partner.
        PartnerDrafted = "partner-drafted",
        /// An authority is a partner no more.
        PartnerEnded = "partner-ended",
        /// A second officer agreed that a system of a partner has a certificate.
        PartnerSystemConfirmed = "partner-system-confirmed",
        /// An officer brought the certification request of a partner's system.
        PartnerSystemDrafted = "partner-system-drafted",
        /// The certificate of a partner's system counts no more.
        PartnerSystemRevoked = "partner-system-revoked",
        /// The partners were listed, or one was read.
        PartnersListed = "partners-listed",
        /// An officer set a password.
        PasswordSet = "password-set",
        /// What the register holds of a person changed.
        PersonChanged = "person-changed",
        /// An officer proposed to change what the register holds of a person.
        PersonChangeProposed = "person-change-proposed",
        /// A proposal to change what the register holds of a person was taken back.
        PersonChangeWithdrawn = "person-change-withdrawn",
        /// A person entered the register.
        PersonDeclared = "person-declared",
        /// A person was found by a search.
        PersonFound = "person-found",
        /// The history of a person was read.
        PersonHistoryRead = "person-history-read",
        /// A person was read.
        PersonRead = "person-read",
        /// Two records of one person became one.
        PersonMerged = "person-merged",
        /// An officer proposed that two records are of one person, or that one record is of two.
        PersonMergeProposed = "person-merge-proposed",
        /// A proposal to merge or to split was taken back.
        PersonMergeWithdrawn = "person-merge-withdrawn",
        /// One record became two: a merge was undone, or the declarations of two people were parted.
        PersonSplit = "person-split",
        /// Persons were sought.
        PersonsSought = "persons-sought",
        /// An order of personalization did not end.
        PersonalizationIncomplete = "personalization-incomplete",
        /// An order of personalization was made.
        PersonalizationOrdered = "personalization-ordered",
        /// The portraits of a closed application were erased.
        PortraitErased = "portrait-erased",
        /// The portrait of an application was read.
        PortraitRead = "portrait-read",
        /// What is to be printed on the body of a card was given to the printer's outbox.
        PrintJobMade = "print-job-made",
        /// A batch of production was closed: each of its chips is accounted for.
        ProductionBatchClosed = "production-batch-closed",
        /// A batch of production was opened.
        ProductionBatchOpened = "production-batch-opened",
        /// A row in quarantine was corrected.
        QuarantineCorrected = "quarantine-corrected",
        /// A row in quarantine was dropped.
        QuarantineDropped = "quarantine-dropped",
        /// A second officer agreed that partners may ask for a purpose.
        PurposeConfirmed = "purpose-confirmed",
        /// A citizen's objection was answered.
        ObjectionAnswered = "objection-answered",
        /// A citizen objected to a look, or to what the register holds.
        ObjectionMade = "objection-made",
        /// A citizen's objection was read.
        ObjectionRead = "objection-read",
        /// Citizens' objections that wait were listed.
        ObjectionsListed = "objections-listed",
        /// An officer ended a purpose for which partners asked.
        PurposeEnded = "purpose-ended",
        /// An officer proposed a purpose for which partners may ask.
        PurposeDrafted = "purpose-drafted",
        /// The purposes for which partners may ask were listed.
        PurposesListed = "purposes-listed",
        /// Rows in quarantine were listed or exported.
        QuarantineListed = "quarantine-listed",
        /// A row in quarantine was read.
        QuarantineRead = "quarantine-read",
        /// A row in quarantine entered the register.
        QuarantineReplayed = "quarantine-replayed",
        /// A second officer put a recall of chips into force.
        RecallConfirmed = "recall-confirmed",
        /// An officer wants chips recalled.
        RecallProposed = "recall-proposed",
        /// A receipt was not the chip's.
        ReceiptRefused = "receipt-refused",
        /// What is kept no longer was erased.
        RetentionRun = "retention-run",
        /// A sign-in failed.
        SignInRefused = "sign-in-refused",
        /// A session was opened.
        SignedIn = "signed-in",
        /// A session was ended.
        SignedOut = "signed-out",
        /// A station was enrolled.
        StationEnrolled = "station-enrolled",
        /// A station was given its next certificate, or used it for the first time.
        StationRenewed = "station-renewed",
        /// A station was revoked.
        StationRevoked = "station-revoked",
        /// A box that was not received was called back by the office that sent it.
        StockBoxCalledBack = "stock-box-called-back",
        /// A box of blanks was received and counted.
        StockBoxReceived = "stock-box-received",
        /// A box of blanks was sent to another office.
        StockBoxSent = "stock-box-sent",
        /// What was left of a box was taken to the office where it is.
        StockBoxSettled = "stock-box-settled",
        /// A difference of the stock was met.
        StockCaseOpened = "stock-case-opened",
        /// An officer said how a case of the stock ends.
        StockCaseProposed = "stock-case-proposed",
        /// A case of the stock was settled.
        StockCaseSettled = "stock-case-settled",
        /// A count of what a station holds began.
        StockCountBegun = "stock-count-begun",
        /// What a station holds was counted.
        StockCounted = "stock-counted",
        /// A delivery of blanks entered the ledger.
        StockDelivered = "stock-delivered",
        /// Chips that an older service entered or moved without postings were taken over into the ledger.
        StockOpened = "stock-opened",
        /// A system of a partner wants to be told of a topic at one of its addresses.
        SubscriptionBegun = "subscription-begun",
        /// A system of a partner showed the token that was sent to its address.
        SubscriptionConfirmed = "subscription-confirmed",
        /// A system of a partner is told of a topic no more.
        SubscriptionEnded = "subscription-ended",
        /// A system of a partner was given an access token.
        TokenIssued = "token-issued",
        /// The old TLS authority is about to end, and those who have certificates of it are shut out.
        TlsAuthorityEnded = "tls-authority-ended",
        /// A unit of the authority was made, renamed or put under another.
        UnitChanged = "unit-changed",
    }
}

words! {
    /// What for. Each stands for a task that the law gives to the caller.
    Purpose {
        /// Officers, stations, units.
        Administration = "administration",
        /// Inspection of the trail itself.
        Audit = "audit",
        /// The end of an application at the citizen's or the office's wish.
        Cancellation = "cancellation",
        /// Capture at the counter (Circular 59/2021/TT-BCA, Art. 11).
        Capture = "capture",
        /// The second officer's decision (Circular 60/2021/TT-BCA, Art. 7).
        Decision = "decision",
        /// Form DC01 enters the register.
        Declaration = "declaration",
        /// A look in an emergency, for which the office has no case.
        Emergency = "emergency",
        /// Another authority asked under an agreement (Decree 47/2020/NĐ-CP, Art. 5).
        Exchange = "exchange",
        /// Hand-over of the card (Circular 60/2021/TT-BCA, Art. 11).
        HandOver = "hand-over",
        /// Intake of blanks.
        Intake = "intake",
        /// A single look-up at the counter.
        LookUp = "look-up",
        /// Loss reported by the holder.
        LossByHolder = "loss-by-holder",
        /// Loss reported by another person.
        LossByOther = "loss-by-other",
        /// The citizen is told in writing (Circular 60/2021/TT-BCA, Art. 7).
        Notice = "notice",
        /// A citizen objects to what is done with the own data (Decree 13/2023/NĐ-CP, Art. 9(8), unverified).
        Objection = "objection",
        /// The number for life (Decree 137/2015/NĐ-CP, Art. 13 and 14).
        Numbering = "numbering",
        /// The citizen's own matter, with the own card (Law 59/2014/QH13, Art. 5).
        Own = "own",
        /// The card is written on a chip.
        Personalization = "personalization",
        /// An application is opened (Law 59/2014/QH13, Art. 19 and 23).
        Registration = "registration",
        /// A newer card takes the place of an older one.
        Replacement = "replacement",
        /// What is kept no longer is erased, and what must be kept is not.
        Retention = "retention",
        /// The ledger of blanks.
        Stock = "stock",
        /// What the register holds of a person changes (form DC02, Circular 66/2015/TT-BCA).
        Update = "update",
        /// The officer's working day.
        Work = "work",
    }
}

impl Purpose {
    /// What a person's data may be read for, and the permission that the task takes; a look-up takes none but that to
    /// read.
    pub const READING: &'static [(Self, Option<Permission>)] = &[
        (Self::Capture, Some(Permission::Capture)),
        (Self::Decision, Some(Permission::Decide)),
        (Self::HandOver, Some(Permission::HandOver)),
        (Self::LookUp, None),
        (Self::LossByHolder, Some(Permission::ReportLoss)),
        (Self::LossByOther, Some(Permission::ReportLoss)),
        (Self::Numbering, Some(Permission::Number)),
        (Self::Registration, Some(Permission::Apply)),
        (Self::Update, Some(Permission::Declare)),
    ];
}

/// For what a person's data are read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Occasion {
    /// The task: one of [`Purpose::READING`].
    pub purpose: Purpose,
    /// The application for which it is done, if there is one.
    pub case: Option<ApplicationId>,
}

impl Default for Occasion {
    /// A look-up without a case.
    fn default() -> Self {
        Self { purpose: Purpose::LookUp, case: None }
    }
}

/// What was acted on: kind and identifier, `kind/identifier` as text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Object {
    /// What a partner may ask.
    Agreement(AgreementId),
    /// An application.
    Application(ApplicationId),
    /// A file of declarations.
    Batch(BatchId),
    /// A booking.
    Booking(BookingId),
    /// A day of the calendar.
    CalendarDay(Date),
    /// A card.
    Card(CardId),
    /// A batch of cards.
    CardBatch(CardBatchId),
    /// A chip.
    Chip(CardSerial),
    /// A delivery of blanks.
    Delivery(DeliveryId),
    /// An officer's standing in for another.
    Deputy(DeputyId),
    /// Spoiled chips that are destroyed together.
    Destruction(DestructionId),
    /// What a partner asked, by our identifier of the request.
    ExchangeRequest(RequestId),
    /// A judge's order that looks are told later.
    ExchangeDelay(DelayId),
    /// A look in an emergency.
    EmergencyLook(EmergencyLookId),
    /// A citizen's objection.
    Objection(ObjectionId),
    /// A purpose for which partners ask, by its code.
    ExchangePurpose(String),
    /// What a reconciliation found.
    Finding(FindingId),
    /// A paper form DC01 on its way into the register.
    Form(FormId),
    /// An installation, by its identifier.
    Installation(uuid::Uuid),
    /// A legal hold.
    LegalHold(HoldId),
    /// A lease of numbers.
    NumberLease(LeaseId),
    /// A notice to a citizen.
    Notice(NoticeId),
    /// An officer.
    Officer(OfficerId),
    /// An order for a chip.
    Order(OrderId),
    /// A partner.
    Partner(PartnerId),
    /// A system of a partner.
    PartnerSystem(PartnerSystemId),
    /// A person.
    Person(PersonId),
    /// What a question to the trail named, by its text.
    Asked(String),
    /// A batch of production.
    ProductionBatch(ProductionBatchId),
    /// What the path of a refused request names; no personal data stands in our paths.
    Path(String),
    /// A name that was typed at sign-in, by the first eight bytes of its SHA-256.
    SignIn([u8; 8]),
    /// A row of a file that waits for an officer.
    Quarantined(QuarantinedId),
    /// A recall of chips.
    Recall(RecallId),
    /// A station.
    Station(StationId),
    /// A box of blanks on its way.
    StockBox(BoxId),
    /// A difference of the stock.
    StockCase(CaseId),
    /// A count of what a station holds.
    StockCount(CountId),
    /// The trail of something, by the text of the question.
    Trail(String),
    /// A unit of the authority, by its code.
    Unit(String),
}

impl Object {
    /// The caller as an object.
    #[must_use]
    pub fn of_caller(caller: &Caller) -> Self {
        match caller {
            Caller::Officer(id, _) => Self::Officer(*id),
            Caller::Station(id, _) => Self::Station(*id),
            Caller::Citizen(id) => Self::Person(*id),
            Caller::Partner(id) => Self::Partner(*id),
            Caller::Anyone | Caller::Service => Self::Trail(caller.to_string()),
        }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agreement(id) => write!(f, "agreement/{id}"),
            Self::Application(id) => write!(f, "application/{id}"),
            Self::Asked(text) => f.write_str(text),
            Self::Batch(id) => write!(f, "batch/{id}"),
            Self::Booking(id) => write!(f, "booking/{id}"),
            Self::CalendarDay(day) => write!(f, "calendar-day/{day}"),
            Self::Card(id) => write!(f, "card/{id}"),
            Self::CardBatch(id) => write!(f, "card-batch/{id}"),
            Self::Chip(serial) => write!(f, "chip/{serial}"),
            Self::Delivery(id) => write!(f, "delivery/{id}"),
            Self::Deputy(id) => write!(f, "deputy/{id}"),
            Self::Destruction(id) => write!(f, "destruction/{id}"),
            Self::ExchangeDelay(id) => write!(f, "exchange-delay/{id}"),
            Self::EmergencyLook(id) => write!(f, "emergency-look/{id}"),
            Self::Objection(id) => write!(f, "objection/{id}"),
            Self::ExchangePurpose(code) => write!(f, "exchange-purpose/{code}"),
            Self::ExchangeRequest(id) => write!(f, "exchange-request/{id}"),
            Self::Finding(id) => write!(f, "finding/{id}"),
            Self::Form(id) => write!(f, "form/{id}"),
            Self::Installation(id) => write!(f, "installation/{id}"),
            Self::LegalHold(id) => write!(f, "legal-hold/{id}"),
            Self::NumberLease(id) => write!(f, "number-lease/{id}"),
            Self::Notice(id) => write!(f, "notice/{id}"),
            Self::Officer(id) => write!(f, "officer/{id}"),
            Self::Order(id) => write!(f, "order/{id}"),
            Self::Partner(id) => write!(f, "partner/{id}"),
            Self::PartnerSystem(id) => write!(f, "partner-system/{id}"),
            Self::Person(id) => write!(f, "person/{id}"),
            Self::Path(path) => f.write_str(path),
            Self::ProductionBatch(id) => write!(f, "production-batch/{id}"),
            Self::Quarantined(id) => write!(f, "quarantined/{id}"),
            Self::Recall(id) => write!(f, "recall/{id}"),
            Self::SignIn(hash) => write!(f, "sign-in/{}", hex::encode(hash)),
            Self::Station(id) => write!(f, "station/{id}"),
            Self::StockBox(id) => write!(f, "stock-box/{id}"),
            Self::StockCase(id) => write!(f, "stock-case/{id}"),
            Self::StockCount(id) => write!(f, "stock-count/{id}"),
            Self::Trail(of) => write!(f, "trail-of/{of}"),
            Self::Unit(code) => write!(f, "unit/{code}"),
        }
    }
}

/// One record of the trail, but for caller and moment, which the deed knows.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What was done.
    pub action: Action,
    /// To which object.
    pub object: Object,
    /// About which person: whose log shows it.
    pub person: Option<PersonId>,
    /// What for.
    pub purpose: Purpose,
    /// A second object: the chip of an application, the order for a chip.
    pub related: Option<Object>,
    /// An officer's own words or a problem code. No personal data.
    pub reason: Option<String>,
    /// The office whose object it is: its auditors see the record, also of a caller of another office.
    pub office: Option<OfficeCode>,
}

impl Entry {
    /// A record about no person, without more to say.
    #[must_use]
    pub fn new(action: Action, object: Object, purpose: Purpose) -> Self {
        Self { action, object, person: None, purpose, related: None, reason: None, office: None }
    }

    /// Names the person whom it is about.
    #[must_use]
    pub fn about(self, person: PersonId) -> Self {
        Self { person: Some(person), ..self }
    }

    /// Names a second object.
    #[must_use]
    pub fn with(self, related: Object) -> Self {
        Self { related: Some(related), ..self }
    }

    /// Names the office whose object it is.
    #[must_use]
    pub fn of(self, office: &OfficeCode) -> Self {
        Self { office: Some(office.clone()), ..self }
    }

    /// Says why, in an officer's own words.
    #[must_use]
    pub fn because(self, reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..self }
    }

    /// Says why, by the code of the refusal.
    #[must_use]
    pub fn refused(self, code: ProblemCode) -> Self {
        self.because(code.word())
    }
}
