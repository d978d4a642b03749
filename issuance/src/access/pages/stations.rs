//! The pages of stations: what is enrolled, what runs out, a certificate for a request that was made at the station,
//! and the end of one.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;
use crypto::perso::problem::ProblemCode;
use crypto::pki;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use time::{Duration, OffsetDateTime, UtcOffset};

use super::super::api::LONGEST_CSR;
use super::super::store::lists;
use super::super::{Access, AccessError, steps};
use super::officers::about_field;
use crate::deed::Deed;
use crate::ground::ids::StationId;
use crate::ground::text::{MOST_OF_REASON, SomeWords};
use crate::ground::{Id, OfficeCode, Officer};
use crate::store::{Record, StoreError};
use crate::web::html::{
    Asked, Dress, Filled, Frame, Place, STATIONS, Shown, Texts, Trouble, Uploaded, Visitor, fill, page, page_about,
    texts, to,
};
use crate::web::{Desk, Named, Problem};

/// A station, as administrators see it.
struct Account {
    id: StationId,
    name: String,
    office: String,
    made_at: OffsetDateTime,
    expires_at: OffsetDateTime,
    revoked_at: Option<OffsetDateTime>,
    revocation_reason: Option<String>,
    /// The certificate in use (DER).
    certificate: Vec<u8>,
    /// When the next certificate was made, which was not used yet.
    next_made_at: Option<OffsetDateTime>,
    /// True for a record that another hand changed: nothing of it is believed, and it opens no door.
    changed: bool,
}

impl Account {
    fn of(row: &Record, holds: bool) -> Result<Self, StoreError> {
        Ok(Self {
            id: Id::of(row, "id")?,
            name: row.get("name")?,
            office: row.get("office")?,
            made_at: row.get("made_at")?,
            expires_at: row.get("expires_at")?,
            revoked_at: row.get("revoked_at")?,
            revocation_reason: row.get("revocation_reason")?,
            certificate: row.get("certificate")?,
            next_made_at: row.get("next_made_at")?,
            changed: !holds,
        })
    }

    /// Returns the account in words: class, glyph, text.
    fn tag(&self, now: OffsetDateTime, offset: UtcOffset, t: &'static Texts) -> (&'static str, &'static str, String) {
        let day = |at: OffsetDateTime| ::pages::written::date(at.to_offset(offset).date());
        let left = self.expires_at - now;
        let days = left.whole_days().max(0).to_string();
        match self.revoked_at {
            _ if self.changed => ("bad-t", "i-no", t.officers.stands_changed.clone()),
            Some(at) => ("", "i-none", fill(&t.stations.revoked, &[("at", &day(at))])),
            None if !left.is_positive() => ("bad-t", "i-no", fill(&t.stations.ended, &[("at", &day(self.expires_at))])),
            None if left <= Duration::days(7) => ("bad-t", "i-no", fill(&t.stations.days_left, &[("n", &days)])),
            None if left <= Duration::days(30) => ("wait", "i-wait", fill(&t.stations.days_left, &[("n", &days)])),
            None => ("good", "i-ok", t.stations.in_use.clone()),
        }
    }
}

/// The stations.
#[derive(Template)]
#[template(path = "stations.html")]
struct Stations {
    frame: Frame,
    sought: String,
    rows: Vec<Row>,
    more: Option<String>,
}

struct Row {
    href: String,
    name: String,
    office: String,
    ends: String,
    tag: (&'static str, &'static str, String),
}

/// `GET /pages/administration/stations`: what runs out first stands first.
pub(super) async fn list(State(desk): State<Desk>, dress: Dress, visitor: Visitor, asked: Asked) -> Shown {
    let t = texts(dress.language);
    let sought = asked.some("sought").unwrap_or_default().trim().to_owned();
    let part = sought.to_lowercase();
    let fits = |one: &&Account| one.name.to_lowercase().contains(&part) || one.office == part;
    let (all, now) = (accounts(&desk, &visitor.officer).await?, desk.deeds().source().now());
    let offset = desk.deeds().source().clock().offset();
    let mut sorted: Vec<&Account> = all.iter().filter(fits).collect();
    sorted.sort_by(|one, other| {
        let key = |one: &Account| (one.revoked_at.is_some(), one.expires_at);
        key(one).cmp(&key(other)).then_with(|| one.name.cmp(&other.name))
    });
    let row = |one: &Account| Row {
        href: format!("{STATIONS}/{}", one.id),
        name: one.name.clone(),
        office: one.office.clone(),
        ends: ::pages::written::date(one.expires_at.to_offset(offset).date()),
        tag: one.tag(now, offset, t),
    };
    let more = (sorted.len() > MOST).then(|| fill(&t.stations.more, &[("n", &MOST.to_string())]));
    let rows = sorted.into_iter().take(MOST).map(row).collect();
    page(&Stations { frame: Frame::new(&dress, Some(&visitor), Place::Administration), sought, rows, more })
}

/// Returns the stations of the administrator's office, for the national office those of all.
async fn accounts(desk: &Desk, officer: &Officer) -> Result<Vec<Account>, Problem> {
    let mut tx = desk.deeds().db().begin_read().await?;
    let (mut after, mut all) = (StationId::nil(), vec![]);
    loop {
        let rows = lists::stations(&mut tx, &officer.office, after, AT_ONCE).await?;
        let Some((last, _)) = rows.last() else { return Ok(all) };
        after = Id::of(last, "id")?;
        for (row, holds) in &rows {
            match Account::of(row, *holds) {
                Ok(account) => all.push(account),
                Err(error) if *holds => return Err(error.into()),
                // A row that another hand made unreadable opens no door, and hides no other.
                Err(_) => {}
            }
        }
    }
}

/// Returns how many certificates of stations end within a month, or have ended.
///
/// # Errors
/// [`Problem`]
pub(crate) async fn ending_stations(desk: &Desk, officer: &Officer) -> Result<usize, Problem> {
    let now = desk.deeds().source().now();
    let all = accounts(desk, officer).await?;
    Ok(all.iter().filter(|one| one.revoked_at.is_none() && one.expires_at - now <= Duration::days(30)).count())
}

/// The form of a new station.
#[derive(Template)]
#[template(path = "station-new.html")]
struct NewStation {
    frame: Frame,
    token: String,
    key: String,
    typed: Typed,
    national: bool,
    trouble: Option<Trouble>,
}

impl NewStation {
    fn wrong(&self, field: &str) -> Option<&str> {
        self.trouble.as_ref().filter(|trouble| trouble.is_about(field)).map(|trouble| trouble.title.as_str())
    }
}

#[derive(Clone, Default)]
struct Typed {
    name: String,
    office: String,
    csr: String,
}

impl NewStation {
    fn new(dress: &Dress, visitor: &Visitor, typed: Typed, problem: Option<&Problem>) -> Self {
        Self {
            frame: Frame::new(&dress.at(&format!("{STATIONS}/new")), Some(visitor), Place::Administration),
            token: visitor.token.clone(),
            key: visitor.key.clone(),
            typed,
            national: visitor.officer.office == OfficeCode::national(),
            trouble: problem.map(|problem| Trouble::of(problem, texts(dress.language))),
        }
    }
}

/// `GET /pages/administration/stations/new`
pub(super) async fn form(dress: Dress, visitor: Visitor) -> Shown {
    let office = visitor.officer.office.to_string();
    page(&NewStation::new(&dress, &visitor, Typed { office, ..Typed::default() }, None))
}

/// What an enrolment came to, as it is kept under the key of the act.
#[derive(Serialize)]
struct Enrolled {
    station: StationId,
}

/// `POST /pages/administration/stations`: enrols a station and issues its certificate.
pub(super) async fn enrol(
    State(access): State<Access>,
    State(desk): State<Desk>,
    dress: Dress,
    visitor: Visitor,
    uploaded: Uploaded,
) -> Shown {
    let Uploaded { filled, file } = uploaded;
    let typed = Typed {
        name: filled.text("name").to_owned(),
        office: filled.text("office").trim().to_owned(),
        csr: filled.text("csr").to_owned(),
    };
    let read = || {
        let name: SomeWords<64> = filled.judged("name")?;
        let code = |_| about_field(ProblemCode::OfficeCodeMalformed, "office");
        let office: OfficeCode = typed.office.parse().map_err(code)?;
        let unfit = || about_field(ProblemCode::CertificationRequestUnfit, "csr");
        let request = if file.is_empty() { typed.csr.clone() } else { String::from_utf8(file).map_err(|_| unfit())? };
        if request.len() > LONGEST_CSR {
            return Err(unfit());
        }
        Ok::<_, Problem>((name, office, request, filled.stamp()?))
    };
    let said = match read() {
        Ok((name, office, request, stamp)) => {
            let authority = access.authority();
            let verb = async |deed: &mut Deed<Officer>| {
                let (station, _) =
                    steps::enrol_station(deed, &authority, name.as_str(), &office, request.trim()).await?;
                Ok::<_, AccessError>(Enrolled { station })
            };
            desk.write(visitor.officer.clone(), stamp, verb).await
        }
        Err(problem) => Err(problem),
    };
    match said {
        Ok(answer) => {
            let station = answer.text("station").unwrap_or_default();
            Ok(to(&format!("{STATIONS}/{station}?done=enrolled")))
        }
        Err(problem) if problem.status().is_server_error() => Err(problem),
        Err(problem) => {
            let problem = named(problem);
            page_about(&problem, &NewStation::new(&dress, &visitor, typed, Some(&problem)))
        }
    }
}

/// Says which field a problem is about, where the verb does not.
fn named(problem: Problem) -> Problem {
    let field = match problem.code() {
        ProblemCode::NameTaken | ProblemCode::NameUnfit => "/name",
        ProblemCode::CertificationRequestUnfit | ProblemCode::KeyCertifiedBefore => "/csr",
        ProblemCode::OfficeDissolved => "/office",
        _ => return problem,
    };
    let code = problem.code();
    problem.field(field, code, "see the title")
}

/// A station.
#[derive(Template)]
#[template(path = "station.html")]
struct File {
    frame: Frame,
    token: String,
    key: String,
    id: StationId,
    name: String,
    office: String,
    tag: (&'static str, &'static str, String),
    made: String,
    ends: String,
    fingerprint: String,
    next: Option<String>,
    reason: Option<String>,
    revocable: bool,
    typed: String,
    enrolled: bool,
    revoked: bool,
    trouble: Option<Trouble>,
}

impl File {
    fn wrong(&self, field: &str) -> Option<&str> {
        self.trouble.as_ref().filter(|trouble| trouble.is_about(field)).map(|trouble| trouble.title.as_str())
    }
}

async fn account(desk: &Desk, officer: &Officer, id: StationId) -> Result<Account, Problem> {
    let mut tx = desk.deeds().db().begin_read().await?;
    let (row, holds) = lists::station(&mut tx, id).await?.ok_or(AccessError::StationUnknown)?;
    let account = Account::of(&row, holds)?;
    // What the row says of the office is not believed if another hand changed it.
    let office = if holds { row.parsed("office")? } else { OfficeCode::national() };
    officer.may_act_for(&office)?;
    Ok(account)
}

/// `GET /pages/administration/stations/{id}`
pub(super) async fn open(
    State(desk): State<Desk>,
    dress: Dress,
    visitor: Visitor,
    Named(id): Named<StationId>,
    asked: Asked,
) -> Shown {
    let file = file(&desk, &dress, &visitor, id, String::new(), None).await?;
    let done = asked.some("done");
    page(&File { enrolled: done == Some("enrolled"), revoked: done == Some("revoked"), ..file })
}

async fn file(
    desk: &Desk,
    dress: &Dress,
    visitor: &Visitor,
    id: StationId,
    typed: String,
    problem: Option<&Problem>,
) -> Result<File, Problem> {
    let t = texts(dress.language);
    let one = account(desk, &visitor.officer, id).await?;
    let (now, offset) = (desk.deeds().source().now(), desk.deeds().source().clock().offset());
    let moment = |at: OffsetDateTime| ::pages::written::moment(at, offset);
    let fingerprint = hex::encode(Sha256::digest(&one.certificate));
    let groups: Vec<&str> = (0..fingerprint.len() / 4).filter_map(|at| fingerprint.get(at * 4..at * 4 + 4)).collect();
    Ok(File {
        frame: Frame::new(&dress.at(&format!("{STATIONS}/{id}")), Some(visitor), Place::Administration),
        token: visitor.token.clone(),
        key: visitor.key.clone(),
        id,
        tag: one.tag(now, offset, t),
        made: moment(one.made_at),
        ends: moment(one.expires_at),
        fingerprint: groups.join(" "),
        next: one.next_made_at.map(|at| fill(&t.stations.next, &[("at", &moment(at))])),
        reason: one.revocation_reason,
        revocable: one.revoked_at.is_none() && !one.changed,
        name: one.name,
        office: one.office,
        typed,
        enrolled: false,
        revoked: false,
        trouble: problem.map(|problem| Trouble::of(problem, t)),
    })
}

/// `POST /pages/administration/stations/{id}/revocation`
pub(super) async fn revoke(
    State(desk): State<Desk>,
    dress: Dress,
    visitor: Visitor,
    Named(id): Named<StationId>,
    filled: Filled,
) -> Shown {
    let read = || Ok::<_, Problem>((filled.judged::<SomeWords<MOST_OF_REASON>>("reason")?, filled.stamp()?));
    let said = match read() {
        Ok((reason, stamp)) => {
            let verb = async |deed: &mut Deed<Officer>| {
                steps::revoke_station(deed, id, reason.as_str()).await?;
                Ok::<_, AccessError>(Enrolled { station: id })
            };
            desk.write(visitor.officer.clone(), stamp, verb).await
        }
        Err(problem) => Err(problem),
    };
    match said {
        Ok(_) => Ok(to(&format!("{STATIONS}/{id}?done=revoked"))),
        Err(problem) if problem.status().is_server_error() => Err(problem),
        Err(problem) => {
            let typed = filled.text("reason").to_owned();
            page_about(&problem, &file(&desk, &dress, &visitor, id, typed, Some(&problem)).await?)
        }
    }
}

/// `GET /pages/administration/stations/{id}/certificate.pem`: the certificate in use, which is no secret.
pub(super) async fn certificate(State(desk): State<Desk>, visitor: Visitor, Named(id): Named<StationId>) -> Shown {
    let one = account(&desk, &visitor.officer, id).await?;
    Ok(pem("station.pem", &pki::pem::write("CERTIFICATE", &one.certificate)))
}

/// `GET /pages/administration/stations/tls-ca.pem`: the authority that stations trust.
pub(super) async fn authority(State(access): State<Access>) -> Shown {
    Ok(pem("tls-ca.pem", access.authority().all_pem()))
}

fn pem(name: &str, text: &str) -> axum::response::Response {
    let kind = HeaderValue::from_static("application/x-pem-file");
    let named = HeaderValue::try_from(format!("attachment; filename=\"{name}\""));
    let named = named.unwrap_or_else(|_| HeaderValue::from_static("attachment"));
    ([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, named)], text.to_owned()).into_response()
}

/// Stations that are shown.
const MOST: usize = 500;
/// Rows that are read at once.
const AT_ONCE: i64 = 500;
