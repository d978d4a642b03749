//! Each route × each role: closed unless the table here says otherwise.

use std::collections::BTreeSet;

use issuance::ground::Role::{self, Admin, Approver, Auditor, Capture, DataProtection, HandOver, Registrar, Stock};
use issuance::server;
use reqwest::Method;
use serde_json::json;

use crate::house::{Caller, House, NIL, on_both};
use crate::pages::{Browser, Sheet};

/// Who may call a route, as the law divides the work.
#[derive(Clone, Copy, Debug)]
enum Who {
    /// Every caller, known or not.
    Anyone,
    /// Citizens whose card is at a reader.
    Citizens,
    /// Officers with one of these roles.
    Officers(&'static [Role]),
    /// Systems of partners, and no officer.
    Partners,
    /// Every officer with a session, whatever the roles.
    SignedIn,
    /// Enrolled stations, and no officer.
    Stations,
}
use Who::{Anyone, Citizens, Officers, Partners, SignedIn, Stations};

/// Who may call what. Written by hand from the division of work in Circulars 59/2021/TT-BCA (Art. 11) and
/// 60/2021/TT-BCA (Art. 6, 7 and 11), and not from the program: a permission that is given to another role there, or a
/// route with another right, differs from this table.
///
/// The receiving officer searches the register, opens the dossier, describes the features and takes the portrait
/// (`Capture`); a second officer decides (`Approver`); the returning officer hands over and takes reports of loss
/// (`HandOver`); the register and the numbers have officers of their own (`Registrar`), and so have blank cards
/// (`Stock`). An administrator sees no citizen; an auditor sees the trail alone.
const TABLE: &[(&str, &str, Who)] = &[
    // Terminals and kiosks, and the way in.
    ("GET", "/health", Anyone),
    ("GET", "/livez", Anyone),
    ("GET", "/readyz", Anyone),
    ("GET", "/openapi.json", Anyone),
    // Only where `web.docs` is set.
    ("GET", "/docs", Anyone),
    ("GET", "/docs/style.css", Anyone),
    ("GET", "/api/v1/crl", Anyone),
    ("GET", "/api/v1/trust-bundle", Anyone),
    ("GET", "/api/v1/card-status/{sod_sha256}", Anyone),
    ("POST", "/api/v1/sessions", Anyone),
    // A citizen with the own card: the chip proves itself step by step, and opens a session while it answers.
    ("POST", "/api/v1/citizen/log-ins", Anyone),
    ("POST", "/api/v1/citizen/log-ins/{id}/steps", Anyone),
    ("GET", "/api/v1/citizen/card", Citizens),
    ("POST", "/api/v1/citizen/card/lock", Citizens),
    ("GET", "/api/v1/citizen/looks/count", Citizens),
    ("DELETE", "/api/v1/citizen/session", Citizens),
    ("POST", "/api/v1/citizen/code", Citizens),
    ("GET", "/api/v1/citizen/record", Citizens),
    ("GET", "/api/v1/citizen/looks", Citizens),
    ("GET", "/api/v1/citizen/applications", Citizens),
    ("GET", "/api/v1/citizen/copy", Citizens),
    ("GET", "/api/v1/citizen/objections", Citizens),
    ("POST", "/api/v1/citizen/objections", Citizens),
    // Of looks the data protection officers, of the record the registrars of its office.
    ("GET", "/api/v1/objections", Officers(&[DataProtection, Registrar])),
    ("GET", "/api/v1/objections/{id}", Officers(&[DataProtection, Registrar])),
    ("POST", "/api/v1/objections/{id}/answer", Officers(&[DataProtection, Registrar])),
    // The officer who returns cards has the citizen and the card at the counter.
    ("POST", "/api/v1/cards/{id}/citizen-code", Officers(&[HandOver])),
    ("DELETE", "/api/v1/sessions/current", SignedIn),
    // Other authorities: joined by the national office, with a data protection officer among the two.
    ("GET", "/api/v1/partners", Officers(&[Admin, DataProtection])),
    ("POST", "/api/v1/partners", Officers(&[Admin, DataProtection])),
    ("GET", "/api/v1/partners/{id}", Officers(&[Admin, DataProtection])),
    ("POST", "/api/v1/partners/{id}/confirmation", Officers(&[Admin, DataProtection])),
    ("POST", "/api/v1/partners/{id}/end", Officers(&[Admin, DataProtection])),
    ("POST", "/api/v1/partners/{id}/systems", Officers(&[Admin, DataProtection])),
    ("POST", "/api/v1/partner-systems/{id}/confirmation", Officers(&[Admin, DataProtection])),
    ("POST", "/api/v1/partner-systems/{id}/revocation", Officers(&[Admin, DataProtection])),
    ("GET", "/api/v1/partner-systems/{id}/addresses", Officers(&[Admin, DataProtection])),
    ("POST", "/api/v1/partner-systems/{id}/addresses", Officers(&[Admin, DataProtection])),
    ("POST", "/api/v1/partner-addresses/{id}/confirmation", Officers(&[Admin, DataProtection])),
    ("POST", "/api/v1/partner-addresses/{id}/end", Officers(&[Admin, DataProtection])),
    ("GET", "/api/v1/exchange-purposes", Officers(&[Admin, DataProtection])),
    ("POST", "/api/v1/exchange-purposes", Officers(&[Admin, DataProtection])),
    ("POST", "/api/v1/exchange-purposes/{purpose}/confirmation", Officers(&[Admin, DataProtection])),
    ("POST", "/api/v1/exchange-purposes/{purpose}/end", Officers(&[Admin, DataProtection])),
    ("GET", "/api/v1/agreements", Officers(&[Admin, DataProtection])),
    ("POST", "/api/v1/agreements", Officers(&[Admin, DataProtection])),
    ("GET", "/api/v1/agreements/{id}", Officers(&[Admin, DataProtection])),
    ("POST", "/api/v1/agreements/{id}/signature", Officers(&[Admin, DataProtection])),
    ("POST", "/api/v1/agreements/{id}/end", Officers(&[Admin, DataProtection])),
    // What the citizen is told of looks, and what later.
    ("GET", "/api/v1/persons/{id}/looks", Officers(&[Auditor, Capture, DataProtection, HandOver])),
    ("POST", "/api/v1/persons/{id}/look-delays", Officers(&[Auditor, DataProtection])),
    ("POST", "/api/v1/look-delays/{id}/confirmation", Officers(&[Auditor, DataProtection])),
    ("GET", "/api/v1/emergency-looks", Officers(&[Auditor, DataProtection])),
    ("POST", "/api/v1/emergency-looks", Officers(&[Approver, Capture, Registrar])),
    ("GET", "/api/v1/emergency-looks/{id}", Officers(&[Auditor, DataProtection])),
    ("GET", "/api/v1/emergency-looks/{id}/person", Officers(&[Approver, Capture, Registrar])),
    ("POST", "/api/v1/emergency-looks/{id}/review", Officers(&[Auditor, DataProtection])),
    ("POST", "/api/v1/persons/{id}/canary", Officers(&[Auditor, DataProtection])),
    ("POST", "/api/v1/persons/{id}/canary/confirmation", Officers(&[Auditor, DataProtection])),
    // What they ask, by the certificates of their systems.
    ("GET", "/api/v1/exchange/keys", Anyone),
    ("GET", "/api/v1/exchange/agreements", Partners),
    ("POST", "/api/v1/exchange/confirm", Partners),
    ("POST", "/api/v1/exchange/look-up", Partners),
    ("POST", "/api/v1/exchange/household", Partners),
    ("POST", "/api/v1/exchange/kinship", Partners),
    ("POST", "/api/v1/exchange/card-status", Partners),
    ("GET", "/api/v1/exchange/changes", Partners),
    ("POST", "/api/v1/exchange/follow", Partners),
    ("GET", "/api/v1/exchange/follows", Partners),
    ("POST", "/api/v1/exchange/lists", Partners),
    ("GET", "/api/v1/exchange/lists/{id}", Partners),
    ("POST", "/api/v1/exchange/lists/{id}/stretches", Partners),
    ("POST", "/api/v1/exchange/statistics", Partners),
    ("POST", "/api/v1/exchange/unfollow", Partners),
    ("POST", "/api/v1/exchange/birth", Partners),
    ("POST", "/api/v1/exchange/death", Partners),
    ("POST", "/api/v1/exchange/change", Partners),
    ("POST", "/api/v1/exchange/report-status", Partners),
    ("GET", "/api/v1/held-births", Officers(&[Registrar])),
    ("GET", "/api/v1/held-births/{id}", Officers(&[Registrar])),
    ("POST", "/api/v1/held-births/{id}/registration", Officers(&[Registrar])),
    ("POST", "/api/v1/held-births/{id}/refusal", Officers(&[Registrar])),
    // Officers and stations of the authority.
    ("GET", "/api/v1/officers", Officers(&[Admin])),
    ("POST", "/api/v1/officers", Officers(&[Admin])),
    ("POST", "/api/v1/officers/{id}/disablement", Officers(&[Admin])),
    ("POST", "/api/v1/officers/{id}/enablement", Officers(&[Admin])),
    ("POST", "/api/v1/officers/{id}/roles", Officers(&[Admin])),
    ("POST", "/api/v1/officers/{id}/office", Officers(&[Admin])),
    ("POST", "/api/v1/officers/{id}/password-reset", Officers(&[Admin])),
    ("POST", "/api/v1/officers/{id}/certificates", Officers(&[Admin])),
    ("GET", "/api/v1/officer-certificates", Officers(&[Admin])),
    ("POST", "/api/v1/officer-certificates/{id}/revocation", Officers(&[Admin])),
    ("GET", "/api/v1/officer-proposals", Officers(&[Admin])),
    ("POST", "/api/v1/officer-proposals/{id}/confirmation", Officers(&[Admin])),
    ("POST", "/api/v1/officer-proposals/{id}/withdrawal", Officers(&[Admin])),
    ("POST", "/api/v1/password", Anyone),
    ("POST", "/api/v1/me/password", SignedIn),
    ("GET", "/api/v1/quality", SignedIn),
    ("GET", "/api/v1/campaign", SignedIn),
    ("GET", "/api/v1/me", SignedIn),
    ("GET", "/api/v1/me/sessions", SignedIn),
    ("DELETE", "/api/v1/me/sessions/{id}", SignedIn),
    ("GET", "/api/v1/me/certificates", SignedIn),
    ("POST", "/api/v1/me/certificates", SignedIn),
    ("POST", "/api/v1/me/certificates/renewal", SignedIn),
    ("DELETE", "/api/v1/me/certificates/{id}", SignedIn),
    ("GET", "/api/v1/stations", Officers(&[Admin])),
    ("GET", "/api/v1/reference/{table}", SignedIn),
    ("POST", "/api/v1/stations", Officers(&[Admin])),
    ("POST", "/api/v1/stations/{id}/revocation", Officers(&[Admin])),
    ("GET", "/api/v1/audit", Officers(&[Auditor])),
    // Units, working days and deputies: known to every officer, changed by administrators.
    ("GET", "/api/v1/units", SignedIn),
    ("GET", "/api/v1/units/{code}", SignedIn),
    ("POST", "/api/v1/units", Officers(&[Admin])),
    ("POST", "/api/v1/units/{code}/change", Officers(&[Admin])),
    ("GET", "/api/v1/calendar", SignedIn),
    ("POST", "/api/v1/calendar/days", Officers(&[Admin])),
    ("POST", "/api/v1/calendar/days/{day}/confirmation", Officers(&[Admin])),
    // A place and a time: hours and slots tell of no citizen; booked by the counter that opens the dossier.
    ("GET", "/api/v1/offices/{office}/hours", SignedIn),
    ("POST", "/api/v1/offices/{office}/hours", Officers(&[Admin])),
    ("GET", "/api/v1/offices/{office}/slots", SignedIn),
    ("GET", "/api/v1/bookings", Officers(&[Capture])),
    ("POST", "/api/v1/bookings", Officers(&[Capture])),
    ("GET", "/api/v1/bookings/{id}", Officers(&[Capture])),
    ("GET", "/api/v1/booking-numbers/{number}", Officers(&[Capture])),
    ("GET", "/api/v1/bookings/{id}/notices", Officers(&[Capture])),
    ("GET", "/api/v1/persons/{id}/bookings", Officers(&[Capture])),
    ("POST", "/api/v1/bookings/{id}/move", Officers(&[Capture])),
    ("POST", "/api/v1/bookings/{id}/cancellation", Officers(&[Capture])),
    ("POST", "/api/v1/bookings/{id}/arrival", Officers(&[Capture])),
    ("GET", "/api/v1/deputies", SignedIn),
    ("POST", "/api/v1/deputies", Officers(&[Admin])),
    ("POST", "/api/v1/deputies/{id}/confirmation", Officers(&[Admin])),
    ("POST", "/api/v1/deputies/{id}/end", Officers(&[Admin])),
    ("GET", "/api/v1/dissolutions", Officers(&[Admin])),
    ("GET", "/api/v1/offices/{code}/dissolution", Officers(&[Admin])),
    ("POST", "/api/v1/offices/{code}/dissolution", Officers(&[Admin])),
    ("POST", "/api/v1/offices/{code}/dissolution/confirmation", Officers(&[Admin])),
    ("POST", "/api/v1/offices/{code}/dissolution/withdrawal", Officers(&[Admin])),
    // The register: forms DC01 and DC02, and the number for life.
    ("POST", "/api/v1/declarations", Officers(&[Registrar])),
    ("POST", "/api/v1/births", Officers(&[Registrar])),
    ("POST", "/api/v1/persons/{id}/number", Officers(&[Registrar])),
    ("GET", "/api/v1/number-leases", Officers(&[Registrar])),
    ("POST", "/api/v1/number-leases", Officers(&[Registrar])),
    ("GET", "/api/v1/number-leases/{id}", Officers(&[Registrar])),
    ("POST", "/api/v1/number-leases/{id}/return", Officers(&[Registrar])),
    ("GET", "/api/v1/number-cells", Officers(&[Registrar])),
    ("POST", "/api/v1/persons/{id}/changes", Officers(&[Registrar])),
    ("GET", "/api/v1/register-changes", Officers(&[Registrar])),
    ("GET", "/api/v1/register-changes/{id}", Officers(&[Registrar])),
    ("POST", "/api/v1/register-changes/{id}/application", Officers(&[Registrar])),
    ("POST", "/api/v1/register-changes/{id}/withdrawal", Officers(&[Registrar])),
    ("GET", "/api/v1/quarantine", Officers(&[Registrar])),
    ("GET", "/api/v1/quarantine/{id}", Officers(&[Registrar])),
    ("POST", "/api/v1/quarantine/{id}/correction", Officers(&[Registrar])),
    ("POST", "/api/v1/quarantine/{id}/replay", Officers(&[Registrar])),
    ("POST", "/api/v1/quarantine/{id}/dismissal", Officers(&[Registrar])),
    ("POST", "/api/v1/persons/{id}/merges", Officers(&[Registrar])),
    ("POST", "/api/v1/persons/{id}/merge-undoings", Officers(&[Registrar])),
    ("POST", "/api/v1/persons/{id}/splits", Officers(&[Registrar])),
    ("GET", "/api/v1/register-merges", Officers(&[Registrar])),
    ("GET", "/api/v1/register-merges/{id}", Officers(&[Registrar])),
    ("POST", "/api/v1/register-merges/{id}/application", Officers(&[Registrar])),
    ("POST", "/api/v1/register-merges/{id}/withdrawal", Officers(&[Registrar])),
    ("POST", "/api/v1/persons/{id}/duplicate-verdicts", Officers(&[Registrar])),
    ("GET", "/api/v1/persons/{id}/duplicates", Officers(&[Approver, Capture, Registrar])),
    ("GET", "/api/v1/persons/{id}/history", Officers(&[Approver, Capture, Registrar])),
    // Circular 59, Art. 11 (1): the receiving officer searches it; the officer who decides compares with it.
    ("GET", "/api/v1/persons/{id}", Officers(&[Approver, Capture, Registrar])),
    ("POST", "/api/v1/persons/search", Officers(&[Approver, Capture, Registrar])),
    ("POST", "/api/v1/persons/{id}/reading", Officers(&[Approver, Capture, Registrar])),
    // Circular 59, Art. 11 (1) to (9): dossier, features, portrait, slip.
    ("POST", "/api/v1/applications", Officers(&[Capture])),
    ("POST", "/api/v1/applications/{id}/capture", Officers(&[Capture])),
    ("POST", "/api/v1/applications/{id}/cancellation", Officers(&[Capture])),
    ("POST", "/api/v1/applications/{id}/giving-up", Officers(&[Stock])),
    ("POST", "/api/v1/applications/{id}/resubmission", Officers(&[Capture])),
    ("POST", "/api/v1/applications/{id}/withdrawal", Officers(&[Capture])),
    ("GET", "/api/v1/applications/{id}", Officers(&[Approver, Capture, HandOver, Registrar])),
    // Without names. A registrar asks for what is held, and no more: the gate lets in, the list decides.
    // A registrar lists what is held, a stock keeper what the stock has.
    ("GET", "/api/v1/applications", Officers(&[Approver, Capture, HandOver, Registrar, Stock])),
    ("GET", "/api/v1/applications/{id}/portrait", Officers(&[Approver, Capture, HandOver, Registrar])),
    // What a citizen is told: by the counter that opens the dossier, read by those who read the dossier.
    ("GET", "/api/v1/applications/{id}/notices", Officers(&[Approver, Capture, HandOver])),
    ("GET", "/api/v1/notices/{id}/letter", Officers(&[Approver, Capture, HandOver])),
    ("POST", "/api/v1/notices/{id}/delivery", Officers(&[Capture])),
    ("GET", "/api/v1/persons/{id}/contact", Officers(&[Capture])),
    ("POST", "/api/v1/persons/{id}/contact", Officers(&[Capture])),
    // What must not be erased: two officers of the national office, who look after the register or the trail.
    ("GET", "/api/v1/legal-holds", Officers(&[Auditor, Registrar])),
    ("POST", "/api/v1/legal-holds", Officers(&[Auditor, Registrar])),
    ("POST", "/api/v1/legal-holds/{id}/confirmation", Officers(&[Auditor, Registrar])),
    ("POST", "/api/v1/legal-holds/{id}/release", Officers(&[Auditor, Registrar])),
    ("POST", "/api/v1/legal-holds/{id}/release/confirmation", Officers(&[Auditor, Registrar])),
    ("POST", "/api/v1/legal-holds/{id}/release/withdrawal", Officers(&[Auditor, Registrar])),
    // Circular 60, Art. 7: eligible or not, decided by another officer.
    ("POST", "/api/v1/applications/{id}/approval", Officers(&[Approver])),
    ("POST", "/api/v1/applications/{id}/refusal", Officers(&[Approver])),
    // Circular 59, Art. 11: the citizen looks at what the register holds.
    ("POST", "/api/v1/applications/{id}/register-check", Officers(&[Capture])),
    // Circular 59, Art. 5(3): fingers; the officer who decides sees them, an officer of the register does not.
    ("GET", "/api/v1/applications/{id}/fingerprints", Officers(&[Approver, Capture, HandOver, Registrar])),
    ("POST", "/api/v1/applications/{id}/fingerprints", Officers(&[Capture])),
    ("GET", "/api/v1/applications/{id}/fingerprints/{finger}", Officers(&[Approver, Capture, HandOver, Registrar])),
    // Circular 59, Art. 11 (7): the fee is taken at the counter; the officer who decides sees whether it was.
    ("GET", "/api/v1/applications/{id}/fee", Officers(&[Approver, Capture, HandOver, Registrar])),
    ("POST", "/api/v1/applications/{id}/fee/payment", Officers(&[Capture, HandOver])),
    ("POST", "/api/v1/applications/{id}/fee/exemption", Officers(&[Capture, HandOver])),
    ("POST", "/api/v1/applications/{id}/fee/undoing", Officers(&[Capture, HandOver])),
    ("GET", "/api/v1/fees", Officers(&[Capture, HandOver])),
    // Officers who may read an application may take it, so that a second one is told.
    ("POST", "/api/v1/applications/{id}/claim", Officers(&[Approver, Capture, HandOver, Registrar])),
    ("POST", "/api/v1/applications/{id}/claim/release", Officers(&[Approver, Capture, HandOver, Registrar])),
    // Law on Complaints, Art. 8 and 17: taken where the citizen is, decided by an officer of the office above.
    ("POST", "/api/v1/applications/{id}/appeal", Officers(&[Capture])),
    ("POST", "/api/v1/applications/{id}/appeal/decision", Officers(&[Approver])),
    ("POST", "/api/v1/applications/{id}/appeal/withdrawal", Officers(&[Capture])),
    // Circular 60, Art. 7: sorted, and checked by the head of the team before the approval.
    ("POST", "/api/v1/applications/{id}/check", Officers(&[Approver])),
    // Circular 60, Art. 6: sorted on the day of the capture; the head approves the question to the archive, whose own
    // officers answer it.
    ("GET", "/api/v1/unclassified-applications", Officers(&[Capture])),
    ("POST", "/api/v1/applications/{id}/classification", Officers(&[Capture])),
    ("POST", "/api/v1/applications/{id}/archive-request", Officers(&[Approver])),
    ("GET", "/api/v1/archive-requests", Officers(&[Registrar])),
    ("GET", "/api/v1/archive-requests/{id}", Officers(&[Registrar])),
    ("POST", "/api/v1/archive-requests/{id}/answer", Officers(&[Registrar])),
    ("POST", "/api/v1/applications/{id}/return", Officers(&[Approver])),
    // What is held for a record of the register is mended, and put back, by who keeps the register.
    ("POST", "/api/v1/applications/{id}/release", Officers(&[Approver, Registrar])),
    // Circular 60, Art. 11: return at the place of application; loss is reported at any counter.
    ("GET", "/api/v1/cards", Officers(&[HandOver])),
    ("GET", "/api/v1/cards/{id}", Officers(&[HandOver])),
    ("POST", "/api/v1/cards/{id}/hand-over", Officers(&[HandOver])),
    ("POST", "/api/v1/cards/{id}/hand-over/refusal", Officers(&[HandOver])),
    ("POST", "/api/v1/cards/{id}/loss", Officers(&[Capture, HandOver])),
    ("POST", "/api/v1/cards/{id}/loss/undoing", Officers(&[Capture, HandOver])),
    ("POST", "/api/v1/cards/{id}/loss/undoing/confirmation", Officers(&[Capture, HandOver])),
    // Blank cards are counted.
    ("POST", "/api/v1/stock/deliveries", Officers(&[Stock])),
    ("POST", "/api/v1/stock/custody", Officers(&[Stock])),
    ("GET", "/api/v1/stock", Officers(&[Stock])),
    ("GET", "/api/v1/orders/unfinished", Officers(&[Stock])),
    ("GET", "/api/v1/stock/{serial}", Officers(&[Stock])),
    ("POST", "/api/v1/stock/{serial}/write-off", Officers(&[Stock])),
    // The officer whom the write-off names as its witness, whatever the roles.
    ("GET", "/api/v1/stock/{serial}/write-off", SignedIn),
    ("POST", "/api/v1/stock/{serial}/write-off/confirmation", SignedIn),
    ("GET", "/api/v1/stock/balances", Officers(&[Stock])),
    ("GET", "/api/v1/stock/{serial}/postings", Officers(&[Stock])),
    ("POST", "/api/v1/stock/{serial}/loss", Officers(&[Stock])),
    ("POST", "/api/v1/stock/{serial}/finding", Officers(&[Stock])),
    ("POST", "/api/v1/stock/destructions", Officers(&[Stock])),
    ("GET", "/api/v1/stock/destructions", Officers(&[Stock])),
    // The two officers whom it names as its witnesses, whatever the roles.
    ("GET", "/api/v1/stock/destructions/{id}", SignedIn),
    ("POST", "/api/v1/stock/destructions/{id}/confirmation", SignedIn),
    ("POST", "/api/v1/stock/boxes", Officers(&[Stock])),
    ("POST", "/api/v1/stock/parcels", Officers(&[Stock])),
    ("GET", "/api/v1/stock/boxes", Officers(&[Stock])),
    ("POST", "/api/v1/stock/boxes/{id}/receipt", Officers(&[Stock])),
    ("POST", "/api/v1/stock/boxes/{id}/call-back", Officers(&[Stock])),
    ("GET", "/api/v1/stock/cases", Officers(&[Stock])),
    ("POST", "/api/v1/stock/cases/{id}/proposal", Officers(&[Stock])),
    ("POST", "/api/v1/stock/cases/{id}/confirmation", Officers(&[Stock])),
    ("POST", "/api/v1/stock/batches", Officers(&[Stock])),
    ("GET", "/api/v1/stock/batches", Officers(&[Stock])),
    ("POST", "/api/v1/stock/batches/{id}/closing", Officers(&[Stock])),
    ("POST", "/api/v1/production/{id}/body-check", Officers(&[Stock])),
    ("POST", "/api/v1/batches", Officers(&[Stock])),
    ("GET", "/api/v1/batches", Officers(&[Stock])),
    ("GET", "/api/v1/batches/{id}", Officers(&[Stock])),
    ("GET", "/api/v1/batches/{id}/items", Officers(&[Stock])),
    ("POST", "/api/v1/batches/{id}/release", Officers(&[Stock])),
    ("POST", "/api/v1/batches/{id}/pause", Officers(&[Stock])),
    ("POST", "/api/v1/batches/{id}/resumption", Officers(&[Stock])),
    ("POST", "/api/v1/batches/{id}/cancellation", Officers(&[Stock])),
    ("POST", "/api/v1/batches/{id}/closing", Officers(&[Stock])),
    ("POST", "/api/v1/stock/counts", Officers(&[Stock])),
    ("POST", "/api/v1/stock/counts/{id}/result", Officers(&[Stock])),
    ("POST", "/api/v1/stock/recalls", Officers(&[Stock])),
    ("GET", "/api/v1/stock/recalls", Officers(&[Stock])),
    ("POST", "/api/v1/stock/recalls/{id}/confirmation", Officers(&[Stock])),
    ("GET", "/api/v1/stock/recalls/{id}/chips", Officers(&[Stock])),
    // What a restored house does not know is revoked by two administrators; it shows no citizen.
    ("GET", "/api/v1/reconciliation/findings", Officers(&[Admin])),
    ("POST", "/api/v1/reconciliation/findings/{id}/proposal", Officers(&[Admin])),
    ("POST", "/api/v1/reconciliation/findings/{id}/confirmation", Officers(&[Admin])),
    // Production: machines alone.
    ("GET", "/api/v1/production/queue", Stations),
    ("POST", "/api/v1/station/certificate", Stations),
    ("GET", "/api/v1/station/batches", Stations),
    ("GET", "/api/v1/station/batches/{id}", Stations),
    ("GET", "/api/v1/station/custody", Stations),
    ("POST", "/api/v1/station/chips/{serial}/spoiled", Stations),
    ("POST", "/api/v1/station/intake/orders", Stations),
    ("POST", "/api/v1/station/intake/receipts", Stations),
    ("POST", "/api/v1/station/personalization/orders", Stations),
    ("POST", "/api/v1/station/personalization/receipts", Stations),
];

/// As [`TABLE`], for the pages: a page is for those who may do what it does.
const PAGES: &[(&str, &str, Who)] = &[
    ("GET", "/pages", SignedIn),
    // What an administrator does, and no other officer sees.
    ("GET", "/pages/administration", Officers(&[Admin])),
    ("GET", "/pages/administration/calendar", Officers(&[Admin])),
    ("POST", "/pages/administration/calendar", Officers(&[Admin])),
    ("POST", "/pages/administration/calendar/{day}/confirmation", Officers(&[Admin])),
    ("GET", "/pages/administration/deputies", Officers(&[Admin])),
    ("POST", "/pages/administration/deputies", Officers(&[Admin])),
    ("POST", "/pages/administration/deputies/{id}/confirmation", Officers(&[Admin])),
    ("POST", "/pages/administration/deputies/{id}/end", Officers(&[Admin])),
    ("GET", "/pages/administration/keys", Officers(&[Admin])),
    ("GET", "/pages/administration/officers", Officers(&[Admin])),
    ("POST", "/pages/administration/officers", Officers(&[Admin])),
    ("GET", "/pages/administration/officers/new", Officers(&[Admin])),
    ("GET", "/pages/administration/officers/{id}", Officers(&[Admin])),
    ("POST", "/pages/administration/officers/{id}", Officers(&[Admin])),
    ("GET", "/pages/administration/offices", Officers(&[Admin])),
    ("POST", "/pages/administration/offices", Officers(&[Admin])),
    ("GET", "/pages/administration/offices/{code}", Officers(&[Admin])),
    ("POST", "/pages/administration/offices/{code}", Officers(&[Admin])),
    ("GET", "/pages/administration/offices/{code}/hours", Officers(&[Admin])),
    ("POST", "/pages/administration/offices/{code}/hours", Officers(&[Admin])),
    ("GET", "/pages/administration/proposals", Officers(&[Admin])),
    ("GET", "/pages/administration/proposals/{id}", Officers(&[Admin])),
    ("POST", "/pages/administration/proposals/{id}/confirmation", Officers(&[Admin])),
    ("POST", "/pages/administration/proposals/{id}/withdrawal", Officers(&[Admin])),
    ("GET", "/pages/administration/stations", Officers(&[Admin])),
    ("POST", "/pages/administration/stations", Officers(&[Admin])),
    ("GET", "/pages/administration/stations/new", Officers(&[Admin])),
    ("GET", "/pages/administration/stations/tls-ca.pem", Officers(&[Admin])),
    ("GET", "/pages/administration/stations/{id}", Officers(&[Admin])),
    ("GET", "/pages/administration/stations/{id}/certificate.pem", Officers(&[Admin])),
    ("POST", "/pages/administration/stations/{id}/revocation", Officers(&[Admin])),
    ("GET", "/pages/administration/tables", Officers(&[Admin])),
    ("GET", "/pages/approvals", Officers(&[Approver])),
    ("GET", "/pages/approvals/queue", Officers(&[Approver])),
    ("GET", "/pages/approvals/{id}", Officers(&[Approver])),
    ("POST", "/pages/approvals/{id}/appeal", Officers(&[Approver])),
    ("POST", "/pages/approvals/{id}/approval", Officers(&[Approver])),
    ("POST", "/pages/approvals/{id}/check", Officers(&[Approver])),
    ("POST", "/pages/approvals/{id}/claim", Officers(&[Approver])),
    ("POST", "/pages/approvals/{id}/claim/release", Officers(&[Approver])),
    ("POST", "/pages/approvals/{id}/refusal", Officers(&[Approver])),
    ("POST", "/pages/approvals/{id}/return", Officers(&[Approver])),
    // Files that show no person, and the choice of language and colours.
    ("GET", "/pages/assets/{name}", Anyone),
    ("GET", "/pages/counter", Officers(&[Capture])),
    ("GET", "/pages/counter/applications/{id}", Officers(&[Capture])),
    ("POST", "/pages/counter/applications/{id}/capture", Officers(&[Capture])),
    ("GET", "/pages/counter/applications/{id}/cc02", Officers(&[Capture])),
    ("POST", "/pages/counter/applications/{id}/claim", Officers(&[Capture])),
    ("POST", "/pages/counter/applications/{id}/claim/release", Officers(&[Capture])),
    ("POST", "/pages/counter/applications/{id}/exemption", Officers(&[Capture])),
    ("POST", "/pages/counter/applications/{id}/features", Officers(&[Capture])),
    ("POST", "/pages/counter/applications/{id}/payment", Officers(&[Capture])),
    ("POST", "/pages/counter/applications/{id}/portrait", Officers(&[Capture])),
    ("GET", "/pages/counter/applications/{id}/prints", Officers(&[Capture])),
    ("POST", "/pages/counter/applications/{id}/prints", Officers(&[Capture])),
    ("GET", "/pages/counter/applications/{id}/prints/{finger}", Officers(&[Capture])),
    ("POST", "/pages/counter/applications/{id}/missing-prints", Officers(&[Capture])),
    ("GET", "/pages/approvals/{id}/prints/{finger}", Officers(&[Approver])),
    ("POST", "/pages/counter/applications/{id}/register-check", Officers(&[Capture])),
    ("POST", "/pages/counter/applications/{id}/resubmission", Officers(&[Capture])),
    ("GET", "/pages/counter/applications/{id}/slip", Officers(&[Capture])),
    ("GET", "/pages/counter/persons/{id}", Officers(&[Capture])),
    ("POST", "/pages/counter/persons/{id}", Officers(&[Capture])),
    ("POST", "/pages/counter/persons/{id}/application", Officers(&[Capture])),
    ("POST", "/pages/counter/search", Officers(&[Capture])),
    // The faces of a card, for who reads the card by the API.
    ("GET", "/pages/cards/{id}/back.png", Officers(&[HandOver])),
    ("GET", "/pages/cards/{id}/front.png", Officers(&[HandOver])),
    ("GET", "/pages/dashboard", Officers(&[Approver, Capture, HandOver, Registrar, Stock])),
    ("GET", "/pages/design", Anyone),
    ("GET", "/pages/emergency-looks", Officers(&[Auditor, DataProtection])),
    ("GET", "/pages/emergency-looks/{id}", Officers(&[Auditor, DataProtection])),
    ("POST", "/pages/emergency-looks/{id}/review", Officers(&[Auditor, DataProtection])),
    ("GET", "/pages/factory", Officers(&[Stock])),
    ("POST", "/pages/factory/batches", Officers(&[Stock])),
    ("GET", "/pages/factory/batches/{id}", Officers(&[Stock])),
    ("POST", "/pages/factory/batches/{id}/cancellation", Officers(&[Stock])),
    ("POST", "/pages/factory/batches/{id}/closing", Officers(&[Stock])),
    ("POST", "/pages/factory/batches/{id}/pause", Officers(&[Stock])),
    ("POST", "/pages/factory/batches/{id}/release", Officers(&[Stock])),
    ("POST", "/pages/factory/batches/{id}/resumption", Officers(&[Stock])),
    ("GET", "/pages/factory/events", Officers(&[Stock])),
    ("GET", "/pages/hand-over", Officers(&[HandOver])),
    ("POST", "/pages/hand-over", Officers(&[HandOver])),
    ("GET", "/pages/hand-over/{id}", Officers(&[HandOver])),
    ("POST", "/pages/hand-over/{id}", Officers(&[HandOver])),
    ("GET", "/pages/hand-over/{id}/receipt", Officers(&[HandOver])),
    ("POST", "/pages/hand-over/{id}/refusal", Officers(&[HandOver])),
    // The code that an administrator gave shows who comes.
    ("GET", "/pages/held-births", Officers(&[Registrar])),
    ("GET", "/pages/held-births/{id}", Officers(&[Registrar])),
    ("POST", "/pages/held-births/{id}/refusal", Officers(&[Registrar])),
    ("POST", "/pages/held-births/{id}/registration", Officers(&[Registrar])),
    ("GET", "/pages/first-password", Anyone),
    ("POST", "/pages/first-password", Anyone),
    ("POST", "/pages/look", Anyone),
    ("GET", "/pages/objections", Officers(&[DataProtection, Registrar])),
    ("GET", "/pages/objections/{id}", Officers(&[DataProtection, Registrar])),
    ("POST", "/pages/objections/{id}/answer", Officers(&[DataProtection, Registrar])),
    ("GET", "/pages/agreements", Officers(&[Admin, DataProtection])),
    ("GET", "/pages/agreements/{id}", Officers(&[Admin, DataProtection])),
    ("POST", "/pages/agreements/{id}/end", Officers(&[Admin, DataProtection])),
    ("POST", "/pages/agreements/{id}/signature", Officers(&[Admin, DataProtection])),
    ("GET", "/pages/partners", Officers(&[Admin, DataProtection])),
    ("GET", "/pages/partners/{id}", Officers(&[Admin, DataProtection])),
    ("GET", "/pages/password", SignedIn),
    ("GET", "/pages/persons", Officers(&[Approver, Capture, Registrar])),
    ("POST", "/pages/persons", Officers(&[Approver, Capture, Registrar])),
    ("GET", "/pages/persons/{id}", Officers(&[Approver, Capture, Registrar])),
    ("GET", "/pages/persons/{id}/looks", Officers(&[Auditor, Capture, DataProtection, HandOver])),
    ("GET", "/pages/persons/{id}/readings", Officers(&[Auditor])),
    ("GET", "/pages/readings", Officers(&[Auditor])),
    ("GET", "/pages/register", Officers(&[Registrar])),
    ("GET", "/pages/register/campaign", Officers(&[Registrar])),
    ("GET", "/pages/register/campaign.csv", Officers(&[Registrar])),
    ("GET", "/pages/register/changes/{id}", Officers(&[Registrar])),
    ("POST", "/pages/register/changes/{id}/application", Officers(&[Registrar])),
    ("POST", "/pages/register/changes/{id}/refusal", Officers(&[Registrar])),
    ("GET", "/pages/register/figures", Officers(&[Registrar])),
    ("GET", "/pages/register/figures.csv", Officers(&[Registrar])),
    ("POST", "/pages/register/forms", Officers(&[Registrar])),
    ("GET", "/pages/register/forms/{id}", Officers(&[Registrar])),
    ("POST", "/pages/register/forms/{id}", Officers(&[Registrar])),
    ("POST", "/pages/register/forms/{id}/check", Officers(&[Registrar])),
    ("POST", "/pages/register/forms/{id}/dismissal", Officers(&[Registrar])),
    ("POST", "/pages/register/forms/{id}/entry", Officers(&[Registrar])),
    ("GET", "/pages/register/forms/{id}/reading", Officers(&[Registrar])),
    ("POST", "/pages/register/forms/{id}/reading", Officers(&[Registrar])),
    ("POST", "/pages/register/forms/{id}/return", Officers(&[Registrar])),
    ("POST", "/pages/register/forms/{id}/sending", Officers(&[Registrar])),
    ("GET", "/pages/register/merges/{id}", Officers(&[Registrar])),
    ("POST", "/pages/register/merges/{id}/application", Officers(&[Registrar])),
    ("POST", "/pages/register/merges/{id}/refusal", Officers(&[Registrar])),
    ("GET", "/pages/register/persons/{id}", Officers(&[Registrar])),
    ("GET", "/pages/register/persons/{id}/change", Officers(&[Registrar])),
    ("POST", "/pages/register/persons/{id}/change", Officers(&[Registrar])),
    ("GET", "/pages/register/persons/{id}/merge", Officers(&[Registrar])),
    ("POST", "/pages/register/persons/{id}/merge", Officers(&[Registrar])),
    ("POST", "/pages/register/persons/{id}/undoing", Officers(&[Registrar])),
    ("GET", "/pages/register/places", Officers(&[Registrar])),
    ("GET", "/pages/register/quarantine/{id}", Officers(&[Registrar])),
    ("POST", "/pages/register/quarantine/{id}", Officers(&[Registrar])),
    ("POST", "/pages/register/quarantine/{id}/dismissal", Officers(&[Registrar])),
    ("POST", "/pages/register/quarantine/{id}/replay", Officers(&[Registrar])),
    ("GET", "/pages/register/waiting/{kind}", Officers(&[Registrar])),
    ("POST", "/pages/password", SignedIn),
    ("GET", "/pages/sign-in", Anyone),
    ("POST", "/pages/sign-in", Anyone),
    ("POST", "/pages/sign-out", SignedIn),
];

/// Routes in the words of other interfaces, and who may call them.
const ADAPTERS: &[(&str, &str, Who)] = &[
    ("GET", "/.well-known/oauth-authorization-server", Anyone),
    ("GET", "/npdb/soap", Anyone),
    ("POST", "/npdb/soap", Partners),
    ("GET", "/oauth2/keys", Anyone),
    ("POST", "/oauth2/token", Partners),
    ("GET", "/osia/dataaccess/v1/persons", Partners),
    ("GET", "/osia/dataaccess/v1/persons/{uin}", Partners),
    ("POST", "/osia/dataaccess/v1/persons/{uin}/match", Partners),
    ("POST", "/osia/dataaccess/v1/persons/{uin}/verify", Partners),
    ("GET", "/osia/dataaccess/v1/persons/{uin}/document", Partners),
    ("GET", "/osia/openapi.json", Anyone),
    ("POST", "/osia/3rdparty/v1/attributes/{identifier}", Partners),
    ("POST", "/osia/3rdparty/v1/verify/{identifier}", Partners),
    ("POST", "/osia/uin/v1/uin", Partners),
    ("GET", "/osia/notification/v1/subscriptions", Partners),
    ("POST", "/osia/notification/v1/subscriptions", Partners),
    ("DELETE", "/osia/notification/v1/subscriptions/{uuid}", Partners),
    ("GET", "/osia/notification/v1/subscriptions/confirm", Partners),
    ("GET", "/osia/notification/v1/topics", Partners),
    ("POST", "/osia/notification/v1/topics", Partners),
    ("DELETE", "/osia/notification/v1/topics/{uuid}", Partners),
    ("POST", "/osia/notification/v1/topics/{uuid}/publish", Partners),
    ("GET", "/xroad/soap", Anyone),
    ("POST", "/xroad/soap", Partners),
];

#[tokio::test]
async fn each_route_of_another_interface_has_one_row_and_is_closed_to_officers_and_stations() {
    let listed: BTreeSet<_> = ADAPTERS.iter().map(|(method, path, _)| ((*method).into(), (*path).into())).collect();
    assert_eq!(server::adapter_rights().into_keys().collect::<BTreeSet<(String, String)>>(), listed);
    let house = House::open(None).await;
    let mut callers = vec![house.anyone(), house.station("counter-1").await.0];
    for role in Role::ALL {
        callers.push(house.officer(&format!("adapter-{}", role.name()), &[role], "o-1").await);
    }
    for (method, path, who) in ADAPTERS {
        for caller in &callers {
            let path = path.replace("{uin}", "000000000000").replace("{identifier}", "000000000000");
            let path = if *method == "GET" { path.replace("/soap", "/soap?wsdl") } else { path };
            let mut request = caller.client.request(method.parse().unwrap(), format!("{}{path}", caller.address));
            if let Some(token) = &caller.token {
                request = request.bearer_auth(token);
            }
            let response = request.send().await.unwrap();
            let status = response.status().as_u16();
            let expected = match who {
                Anyone => 200,
                // SOAP 1.1 has one status for faults.
                _ if path.starts_with("/npdb/") || path.starts_with("/xroad/") => 500,
                _ => 401,
            };
            assert_eq!(status, expected, "{method} {path}");
            if status == 500 {
                let said = response.text().await.unwrap();
                assert!(said.contains("<cc:Code>partner-certificate-"), "{method} {path}: {said}");
            }
        }
    }
}

#[test]
fn every_page_has_one_row_and_every_row_a_page() {
    let listed: BTreeSet<_> = PAGES.iter().map(|(method, path, _)| ((*method).into(), (*path).into())).collect();
    let (pages, none) = (server::page_rights().into_keys().collect::<BTreeSet<_>>(), Vec::<&(String, String)>::new());
    assert_eq!(listed.len(), PAGES.len(), "a page stands twice in the table");
    assert_eq!(pages.difference(&listed).collect::<Vec<_>>(), none, "pages without a row");
    assert_eq!(listed.difference(&pages).collect::<Vec<_>>(), none, "rows without a page");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_page_for_each_role() {
    let house = Box::pin(House::open(None)).await;
    let mut officers = vec![];
    for role in [None].into_iter().chain(Role::ALL.map(Some)) {
        let name = format!("page-{}", role.map_or("no-role", Role::name));
        house.officer(&name, role.as_slice(), "o-1").await;
        officers.push((role, Browser::of(&house, &name).await));
    }
    let stranger = Browser::new(&house);
    let asks = async |browser: &Browser, method: &str, path: &str| {
        let path = path.replace("{id}", NIL).replace("{name}", "x").replace("{finger}", "left-ring");
        if path.ends_with("/events") {
            // A stream that is open does not end by itself.
            let stream = browser.follows(&path).await;
            let (status, headers) = (stream.status().as_u16(), stream.headers().clone());
            let text = if status == 200 { String::new() } else { stream.text().await.unwrap() };
            return Sheet { status, text, headers };
        }
        if method == "POST" { browser.sends(&path, &[]).await } else { browser.reads(&path).await }
    };
    for (method, path, who) in PAGES {
        for (role, browser) in &officers {
            let said = asks(browser, method, path).await;
            let barred = said.status == 403 && said.text.contains("role-missing");
            let door = said.leads_to().starts_with("/pages/sign-in") && *path != "/pages/sign-out";
            let may = match who {
                Officers(roles) => role.is_some_and(|role| roles.contains(&role)),
                Anyone | SignedIn => true,
                Citizens | Partners | Stations => false,
            };
            assert_eq!((barred, door), (!may, false), "{method} {path} by {role:?}: {} {}", said.status, said.text);
        }
        let said = asks(&stranger, method, path).await;
        let shut =
            said.leads_to().starts_with("/pages/sign-in") || said.status == 401 && said.text.contains("session-needed");
        assert_eq!(shut, !matches!(who, Anyone), "{method} {path} without a session: {} {}", said.status, said.text);
    }
}

/// Method and path of every route of the service.
fn routes() -> BTreeSet<(String, String)> {
    server::rights().into_keys().collect()
}

#[test]
fn every_route_has_one_row_and_every_row_a_route() {
    let listed: BTreeSet<_> = TABLE.iter().map(|(method, path, _)| ((*method).into(), (*path).into())).collect();
    assert_eq!(listed.len(), TABLE.len(), "a route stands twice in the table");
    let (routes, none) = (routes(), Vec::<&(String, String)>::new());
    assert_eq!(routes.difference(&listed).collect::<Vec<_>>(), none, "routes without a row");
    assert_eq!(listed.difference(&routes).collect::<Vec<_>>(), none, "rows without a route");
}

#[test]
fn the_document_names_the_same_routes_and_who_may_call_them() {
    let document = serde_json::to_value(server::document()).unwrap();
    let mut documented = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let methods = item
            .as_object()
            .unwrap()
            .keys()
            .filter(|key| ["get", "post", "put", "patch", "delete"].contains(&key.as_str()));
        documented.extend(methods.map(|method| (method.to_uppercase(), path.clone())));
    }
    assert_eq!(documented, routes());
    for (method, path, who) in TABLE {
        let operation = &document["paths"][path][method.to_lowercase()];
        let names = |roles: &[Role]| roles.iter().map(|role| role.name()).collect::<Vec<_>>();
        let security = match who {
            Anyone => json!([]),
            Citizens => json!([{"citizen": []}]),
            Officers(roles) => json!([{"officer": names(roles)}]),
            SignedIn => json!([{"officer": []}]),
            Partners => json!([{"partner": []}]),
            Stations => json!([{"station": []}]),
        };
        assert_eq!(operation["security"], security, "{method} {path}");
        let mut parameters = operation["parameters"].as_array().into_iter().flatten();
        let keyed = parameters.any(|parameter| parameter["name"] == "Idempotency-Key");
        let asks = path.ends_with("/search");
        assert_eq!(keyed, *method == "POST" && !matches!(who, Anyone) && !asks, "{method} {path}");
    }
    for role in Role::ALL {
        assert_eq!(json!(role), role.name());
    }
}

/// What the service answered: barred at the gate with this code, or let through.
#[derive(Debug, Eq, PartialEq)]
enum Gate {
    Barred(String),
    Passed,
}

async fn asks(caller: &Caller, method: &str, path: &str) -> Gate {
    // A registrar asks for what is held, a stock keeper for what the stock has.
    if (method, path) == ("GET", "/api/v1/applications") {
        return match asks_at(caller, method, "/api/v1/applications?stage=held").await {
            Gate::Passed => Gate::Passed,
            Gate::Barred(_) => asks_at(caller, method, "/api/v1/applications?owner=stock").await,
        };
    }
    asks_at(caller, method, path).await
}

async fn asks_at(caller: &Caller, method: &str, path: &str) -> Gate {
    let path = path
        .replace("{id}", NIL)
        .replace("{finger}", "left-ring")
        .replace("{serial}", &"0".repeat(20))
        .replace("{sod_sha256}", &"0".repeat(64));
    let body = (method == "POST").then(|| json!({}));
    let said = caller.asks(method.parse().unwrap(), &path, Some("k"), body).await;
    // Behind the gate an empty body or a nil identifier is refused with another status, and a verb of the national
    // office alone with another code.
    if matches!(said.status, 401 | 403) && said.code() != "other-office" {
        Gate::Barred(said.code().to_owned())
    } else {
        Gate::Passed
    }
}

#[tokio::test]
async fn each_route_for_each_role() {
    let house = House::open(None).await;
    let mut officers = vec![(None, house.officer("no-role", &[], "o-1").await)];
    for role in Role::ALL {
        officers.push((Some(role), house.officer(&format!("one-{}", role.name()), &[role], "o-1").await));
    }
    let (station, _) = house.station("counter-1").await;
    let anyone = house.anyone();
    // Signing out comes last.
    let (last, routes): (Vec<_>, Vec<_>) = TABLE.iter().partition(|(_, path, _)| *path == "/api/v1/sessions/current");
    let barred = |code: &str| Gate::Barred(code.to_owned());
    for (method, path, who) in routes.into_iter().chain(last) {
        for (role, officer) in &officers {
            let expected = match who {
                Anyone | SignedIn => Gate::Passed,
                Citizens => barred("citizen-session-needed"),
                Officers(roles) if role.is_some_and(|role| roles.contains(&role)) => Gate::Passed,
                Officers(_) => barred("role-missing"),
                Partners => barred("partner-certificate-needed"),
                Stations => barred("station-certificate-needed"),
            };
            assert_eq!(asks(officer, method, path).await, expected, "{method} {path} by {role:?}");
        }
        let (by_station, by_anyone) = match who {
            Anyone => (Gate::Passed, Gate::Passed),
            Citizens => (barred("citizen-session-needed"), barred("citizen-session-needed")),
            Officers(_) | SignedIn => (barred("session-needed"), barred("session-needed")),
            Partners => (barred("partner-certificate-unfit"), barred("partner-certificate-needed")),
            Stations => (Gate::Passed, barred("station-certificate-needed")),
        };
        assert_eq!(asks(&station, method, path).await, by_station, "{method} {path} by a station");
        assert_eq!(asks(&anyone, method, path).await, by_anyone, "{method} {path} by a caller who is not known");
    }
    for (role, officer) in &officers {
        assert_eq!(officer.get("/api/v1/audit?object=x").await.code(), "session-needed", "{role:?} has signed out");
    }
}

#[tokio::test]
async fn a_method_or_path_without_a_right_is_closed() {
    let house = House::open(None).await;
    let said = house.admin.get("/api/v1/everything").await;
    assert_eq!((said.status, said.code()), (404, "no-such-path"));
    for (method, path) in
        [(Method::PUT, "/api/v1/officers"), (Method::PATCH, "/api/v1/officers"), (Method::DELETE, "/health")]
    {
        let said = house.admin.asks(method, path, None, None).await;
        assert_eq!((said.status, said.code()), (405, "method-not-allowed"), "{path}");
    }
    // HEAD is answered by the handler of GET, so it has the right of GET.
    let person = format!("/api/v1/persons/{NIL}");
    assert_eq!(house.anyone().asks(Method::HEAD, &person, None, None).await.status, 401);
    assert_eq!(house.admin.asks(Method::HEAD, &person, None, None).await.status, 403);
    assert_eq!(house.anyone().asks(Method::HEAD, "/health", None, None).await.status, 200);
}

/// Over HTTP: what one office opened is closed to every role of another, and the slip is shown only to the officer who
/// prints it.
#[tokio::test]
async fn an_office_is_closed_to_the_others_and_a_slip_is_shown_only_where_it_is_printed() {
    on_both(async |house| {
        let capture = house.officer("capture", &[Role::Capture], "o-1").await;
        let registrar = house.officer("registrar", &[Role::Registrar], "o-1").await;
        let counter = house.officer("counter", &[Role::HandOver], "o-1").await;
        let place = json!({"province": "001", "detail": "Số 1 Phố Mẫu"});
        let declaration = json!({"full_name": "Nguyễn Thị Mẫu", "birth_date": "05/01/2000", "sex": "Nữ",
            "birth_registration": place, "place_of_origin": place, "ethnic_group": "01", "permanent_residence": place});
        let declared = registrar.post("/api/v1/declarations", "k-1", declaration).await;
        let person = declared.body["person_id"].as_str().unwrap_or_else(|| panic!("{declared:?}")).to_owned();
        let number = registrar.post(&format!("/api/v1/persons/{person}/number"), "k-2", json!({})).await;
        assert_eq!(number.status, 200, "{number:?}");
        let body = json!({"person_id": person, "kind": "first", "office": "o-1"});
        let opened = capture.post("/api/v1/applications", "k-3", body.clone()).await;
        assert!(opened.body["slip"].is_string(), "{opened:?}");
        let application = opened.body["id"].as_str().unwrap();
        let read = counter.get(&format!("/api/v1/applications/{application}")).await;
        assert_eq!((read.status, read.body["slip"].is_null()), (200, true), "{read:?}");

        let stranger = house.officer("stranger", &Role::ALL, "o-2").await;
        for path in [format!("/api/v1/persons/{person}"), format!("/api/v1/applications/{application}")] {
            assert_eq!(stranger.get(&path).await.code(), "other-office", "{path}");
        }
        let reason = json!({"reason": "x"});
        let capture = json!({"portrait": photograph(), "features": "x"});
        for (path, body) in [
            (format!("/api/v1/persons/{person}/number"), json!({})),
            ("/api/v1/applications".to_owned(), body),
            (format!("/api/v1/applications/{application}/capture"), capture),
            (format!("/api/v1/applications/{application}/approval"), json!({})),
            (format!("/api/v1/applications/{application}/refusal"), reason.clone()),
            (format!("/api/v1/applications/{application}/cancellation"), reason),
        ] {
            assert_eq!(stranger.post(&path, "k", body).await.code(), "other-office", "{path}");
        }
    })
    .await;
}

fn photograph() -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(crate::offices::photograph())
}
