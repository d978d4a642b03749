//! The pages of officers: they are looked for, appointed and changed. What gives an officer rights is proposed here, and
//! confirmed by another administrator ([`super::proposals`]).

use askama::Template;
use axum::Json;
use axum::extract::State;
use crypto::perso::problem::ProblemCode;
use serde::Serialize;
use time::{Duration, OffsetDateTime, UtcOffset};

use super::super::certificates::{self, CertificateItem};
use super::super::deputies::DeputyState;
use super::super::officers::{self, Account, OfficerFile, Standing, Wanted};
use super::super::proposals::{Change, Proposed};
use super::super::{Access, AccessError, proposals};
use super::proposals::{change_in_words, given};
use crate::deed::Deed;
use crate::ground::ids::{CertificateId, OfficerId};
use crate::ground::text::{Login, MOST_OF_REASON, SomeWords};
use crate::ground::{OfficeCode, Officer, Role};
use crate::web::html::{
    Asked, Dress, Filled, Frame, OFFICERS, PROPOSALS, Place, Shown, Texts, Trouble, Visitor, fill, page, page_about,
    texts, to,
};
use crate::web::{Answer, Desk, Named, Problem};

/// The officers who were looked for.
#[derive(Template)]
#[template(path = "officers.html")]
struct Officers {
    frame: Frame,
    name: String,
    office: String,
    /// True if the administrator may look at other offices.
    national: bool,
    roles: Vec<Choice>,
    states: Vec<Choice>,
    title: String,
    more: bool,
    rows: Vec<Row>,
    trouble: Option<Trouble>,
}

/// A word that can be chosen: the word, its text, whether it is chosen.
type Choice = (&'static str, &'static str, bool);

/// A tag: class, glyph, text.
type Tag = (&'static str, &'static str, String);

struct Row {
    href: String,
    name: String,
    office: String,
    roles: String,
    made: String,
    tag: Tag,
}

/// `GET /pages/administration/officers`
pub(super) async fn list(State(desk): State<Desk>, dress: Dress, visitor: Visitor, asked: Asked) -> Shown {
    let t = texts(dress.language);
    let said = |name: &str| asked.some(name).unwrap_or_default().trim().to_owned();
    let (name, office, state) = (said("name"), said("office"), said("state"));
    let (code, trouble) = match office.as_str() {
        "" => (None, None),
        text => match text.parse::<OfficeCode>() {
            Ok(code) => (Some(code), None),
            Err(_) => (None, Some(about_field(ProblemCode::OfficeCodeMalformed, "office"))),
        },
    };
    let role = Role::named(asked.some("role").unwrap_or_default());
    let ended = match state.as_str() {
        "all" => None,
        "ended" => Some(true),
        _ => Some(false),
    };
    let wanted = Wanted { name: name.clone(), office: code, role, ended };
    let look = async |deed: &mut Deed<Officer>| officers::found(deed, &wanted, MOST).await;
    let Json((found, more)) = desk.look(visitor.officer.clone(), look).await?;
    let offset = desk.deeds().source().clock().offset();
    let count = if more { format!("{MOST}+") } else { found.len().to_string() };
    let sheet = Officers {
        frame: Frame::new(&dress, Some(&visitor), Place::Administration),
        name,
        office,
        national: visitor.officer.office == OfficeCode::national(),
        roles: roles(t, |one| role == Some(one)),
        states: [
            ("service", &*t.officers.state_service, ended == Some(false)),
            ("ended", &t.officers.state_ended, ended == Some(true)),
            ("all", &t.officers.state_all, ended.is_none()),
        ]
        .map(|(word, text, chosen)| (word, text, chosen))
        .to_vec(),
        title: fill(&t.officers.found, &[("n", &count)]),
        more,
        rows: found.iter().map(|account| row(account, offset, t)).collect(),
        trouble: trouble.as_ref().map(|problem| Trouble::of(problem, t)),
    };
    match &trouble {
        None => page(&sheet),
        Some(problem) => page_about(problem, &sheet),
    }
}

/// A problem with one field of a form.
pub(super) fn about_field(code: ProblemCode, field: &str) -> Problem {
    Problem::new(code).field(format!("/{field}"), code, "see the hint")
}

fn row(account: &Account, offset: UtcOffset, t: &'static Texts) -> Row {
    Row {
        href: address(account.id),
        name: account.username.clone(),
        office: account.office.clone(),
        roles: in_words(&account.roles, t),
        made: ::pages::written::date(account.made_at.to_offset(offset).date()),
        tag: tag(account, offset, t),
    }
}

/// Where the file of an officer is.
pub(super) fn address(id: OfficerId) -> String {
    format!("{OFFICERS}/{id}")
}

/// Returns all roles, each with its text and whether it is chosen.
fn roles(t: &'static Texts, chosen: impl Fn(Role) -> bool) -> Vec<Choice> {
    Role::ALL.into_iter().map(|role| (role.name(), t.word(&t.role, role.name()), chosen(role))).collect()
}

/// Returns roles in words.
pub(super) fn in_words(roles: &[Role], t: &'static Texts) -> String {
    if roles.is_empty() {
        return t.officers.role_none.clone();
    }
    roles.iter().map(|role| t.word(&t.role, role.name())).collect::<Vec<_>>().join(", ")
}

fn tag(account: &Account, offset: UtcOffset, t: &'static Texts) -> Tag {
    let day = |at: Option<OffsetDateTime>| at.map_or_else(String::new, |at| ::pages::written::moment(at, offset));
    let (class, glyph, text) = match account.standing {
        Standing::Changed => ("bad-t", "i-no", t.officers.stands_changed.clone()),
        Standing::Ended => ("", "i-none", fill(&t.officers.stands_ended, &[("at", &day(account.disabled_at))])),
        Standing::Open => ("good", "i-ok", t.officers.stands_open.clone()),
        Standing::PasswordDue => ("wait", "i-wait", t.officers.stands_due.clone()),
        Standing::Token => ("wait", "i-wait", fill(&t.officers.stands_token, &[("until", &day(account.token_until))])),
        Standing::Without => ("wait", "i-wait", t.officers.stands_without.clone()),
    };
    (class, glyph, text)
}

/// The form of a new officer.
#[derive(Template)]
#[template(path = "officer-new.html")]
struct NewOfficer {
    frame: Frame,
    token: String,
    key: String,
    name: String,
    office: String,
    national: bool,
    roles: Vec<Choice>,
    trouble: Option<Trouble>,
    /// Why two of the roles do not go together.
    excluded: Option<String>,
}

impl NewOfficer {
    fn wrong(&self, field: &str) -> Option<&str> {
        self.trouble.as_ref().filter(|trouble| trouble.is_about(field)).map(|trouble| trouble.title.as_str())
    }
}

/// `GET /pages/administration/officers/new`
pub(super) async fn form(dress: Dress, visitor: Visitor, asked: Asked) -> Shown {
    let t = texts(dress.language);
    let office = asked.some("office").unwrap_or(visitor.officer.office.as_str()).to_owned();
    page(&new_officer(&dress, &visitor, (String::new(), office, vec![]), None, t))
}

fn new_officer(
    dress: &Dress,
    visitor: &Visitor,
    (name, office, chosen): (String, String, Vec<Role>),
    problem: Option<&Problem>,
    t: &'static Texts,
) -> NewOfficer {
    NewOfficer {
        frame: Frame::new(&dress.at(&format!("{OFFICERS}/new")), Some(visitor), Place::Administration),
        token: visitor.token.clone(),
        key: visitor.key.clone(),
        name,
        office,
        national: visitor.officer.office == OfficeCode::national(),
        roles: roles(t, |role| chosen.contains(&role)),
        trouble: problem.map(|problem| Trouble::of(problem, t)),
        excluded: problem.and_then(|_| excluded(&chosen, t)),
    }
}

/// Returns which two of the roles one officer never has together, in words.
fn excluded(roles: &[Role], t: &'static Texts) -> Option<String> {
    let (one, other, _) = Role::conflict(roles)?;
    let word = |role: Role| t.word(&t.role, role.name());
    Some(fill(&t.officers.excluded, &[("one", word(one)), ("other", word(other))]))
}

/// Reads the roles that are ticked.
fn ticked(filled: &Filled) -> Vec<Role> {
    filled.all("roles").filter_map(Role::named).collect()
}

/// `POST /pages/administration/officers`: proposes a new officer.
pub(super) async fn appoint(
    State(access): State<Access>,
    State(desk): State<Desk>,
    dress: Dress,
    visitor: Visitor,
    filled: Filled,
) -> Shown {
    let t = texts(dress.language);
    let (typed, roles) =
        ((filled.text("username").to_owned(), filled.text("office").trim().to_owned()), ticked(&filled));
    let read = || {
        let name: Login = filled.judged("username")?;
        let code = |_| about_field(ProblemCode::OfficeCodeMalformed, "office");
        Ok::<_, Problem>((name, typed.1.parse::<OfficeCode>().map_err(code)?, filled.stamp()?))
    };
    let mut token = None;
    let said = match read() {
        Ok((name, office, stamp)) => {
            let verb = async |deed: &mut Deed<Officer>| {
                let proposed = proposals::appoint(deed, access.settings(), name.as_str(), &roles, &office).await?;
                let Proposed { officer, effective, token: given, .. } = proposed;
                token = given;
                Ok::<_, AccessError>(Done { officer, word: if effective { "effective" } else { "proposed" } })
            };
            desk.write(visitor.officer.clone(), stamp, verb).await
        }
        Err(problem) => Err(problem),
    };
    match said {
        Ok(answer) => {
            let officer = answer.text("officer").and_then(|id| id.parse().ok());
            let officer = officer.ok_or_else(|| Problem::new(ProblemCode::OfficerNotFound))?;
            match token {
                Some(token) => given(&desk, &dress, &visitor, officer, (&Change::Appoint, token)).await,
                None => Ok(to(&done_at(&answer))),
            }
        }
        Err(problem) if problem.status().is_server_error() => Err(problem),
        Err(problem) => {
            let problem = named(problem);
            page_about(&problem, &new_officer(&dress, &visitor, (typed.0, typed.1, roles), Some(&problem), t))
        }
    }
}

/// Says which field a problem is about, where the verb does not.
fn named(problem: Problem) -> Problem {
    let field = match problem.code() {
        ProblemCode::NameTaken | ProblemCode::NameUnfit => "/username",
        ProblemCode::RolesExclude => "/roles",
        ProblemCode::OfficeDissolved => "/office",
        _ => return problem,
    };
    let code = problem.code();
    problem.field(field, code, "see the title")
}

/// What became of an act about an officer, as it is kept under the key of the act.
#[derive(Serialize)]
pub(super) struct Done {
    pub officer: OfficerId,
    pub word: &'static str,
}

/// Returns the file of the officer whom an act was about, where it says what was done.
pub(super) fn done_at(answer: &Answer) -> String {
    let said = |member| answer.text(member).unwrap_or_default();
    format!("{OFFICERS}/{}?done={}", said("officer"), said("word"))
}

/// The file of an officer.
#[derive(Template)]
#[template(path = "officer.html")]
struct File {
    frame: Frame,
    token: String,
    key: String,
    id: OfficerId,
    name: String,
    tag: Tag,
    office: String,
    roles: String,
    made: String,
    last: String,
    /// Refused sign-ins of the last day, each in words.
    refused: Vec<String>,
    /// The name is locked where the last of them came from.
    locked: Option<String>,
    proposals: Vec<(String, String, String)>,
    certificates: Vec<Certificate>,
    deputies: Vec<String>,
    /// What can be done about the officer; nothing about oneself.
    acts: bool,
    national: bool,
    in_service: bool,
    /// True for an administrator, whose end waits for a second one.
    by_two: bool,
    role_choices: Vec<Choice>,
    excluded: Option<String>,
    typed: Typed,
    done: Option<String>,
    trouble: Option<Trouble>,
}

impl File {
    fn wrong(&self, field: &str) -> Option<&str> {
        self.trouble.as_ref().filter(|trouble| trouble.is_about(field)).map(|trouble| trouble.title.as_str())
    }

    /// True if this act was tried, so that its form stays open with what was typed.
    fn tried(&self, act: &str) -> bool {
        self.typed.act == act
    }

    /// Returns the reason that was typed for this act.
    fn reason(&self, act: &str) -> &str {
        if self.tried(act) { &self.typed.reason } else { "" }
    }

    /// Returns the certificates that can be revoked.
    fn revocable(&self) -> Vec<&Certificate> {
        self.certificates.iter().filter(|one| one.revocable).collect()
    }
}

/// A client certificate of an officer.
struct Certificate {
    id: CertificateId,
    /// The first bytes of its SHA-256; none before it is enrolled.
    fingerprint: String,
    tag: Tag,
    ends: String,
    revocable: bool,
}

impl Certificate {
    fn of(item: &CertificateItem, now: OffsetDateTime, offset: UtcOffset, t: &'static Texts) -> Self {
        let day = |at: OffsetDateTime| ::pages::written::date(at.to_offset(offset).date());
        let (ends, ended) = (item.expires_at, item.expires_at.is_some_and(|ends| ends <= now));
        let tag = match (item.tampered, item.revoked_at) {
            (true, _) => ("bad-t", "i-no", t.officers.stands_changed.clone()),
            (false, Some(at)) => ("", "i-none", fill(&t.officers.cert_revoked, &[("at", &day(at))])),
            (false, None) if item.fingerprint.is_none() && item.token_expires_at <= now => {
                ("", "i-none", t.officers.cert_lapsed.clone())
            }
            (false, None) if item.fingerprint.is_none() => ("wait", "i-wait", t.officers.cert_granted.clone()),
            (false, None) if ended => ("", "i-none", t.officers.cert_ended.clone()),
            (false, None) => ("good", "i-ok", t.officers.cert_use.clone()),
        };
        Self {
            id: item.id,
            fingerprint: item.fingerprint.as_ref().map_or_else(String::new, |hex| hex[..16.min(hex.len())].to_owned()),
            tag,
            ends: ends.or(Some(item.token_expires_at)).map_or_else(String::new, day),
            revocable: item.revoked_at.is_none() && !item.tampered && !ended,
        }
    }
}

/// What was typed into one of the forms.
#[derive(Clone, Default)]
struct Typed {
    act: String,
    reason: String,
    roles: Vec<Role>,
    office: String,
    certificate: String,
}

/// `GET /pages/administration/officers/{id}`
pub(super) async fn open(
    State(access): State<Access>,
    State(desk): State<Desk>,
    dress: Dress,
    visitor: Visitor,
    Named(id): Named<OfficerId>,
    asked: Asked,
) -> Shown {
    let t = texts(dress.language);
    let done = asked.some("done").and_then(|word| match word {
        "proposed" => Some(t.officers.done_proposed.clone()),
        "effective" => Some(t.officers.done_effective.clone()),
        "ended" => Some(t.officers.done_ended.clone()),
        "revoked" => Some(t.officers.done_revoked.clone()),
        _ => None,
    });
    let file = file(&access, &desk, &dress, &visitor, id, Typed::default(), None).await?;
    page(&File { done, ..file })
}

async fn file(
    access: &Access,
    desk: &Desk,
    dress: &Dress,
    visitor: &Visitor,
    id: OfficerId,
    typed: Typed,
    problem: Option<&Problem>,
) -> Result<File, Problem> {
    let t = texts(dress.language);
    let look = async |deed: &mut Deed<Officer>| officers::read(deed, id).await;
    let Json(read) = desk.look(visitor.officer.clone(), look).await?;
    let (now, offset) = (desk.deeds().source().now(), desk.deeds().source().clock().offset());
    let OfficerFile { account, last, refused, proposals, certificates, deputies } = read;
    let moment = |at: OffsetDateTime| ::pages::written::moment(at, offset);
    let day = |date| ::pages::written::date(date);
    let changed = account.standing == Standing::Changed;
    Ok(File {
        frame: Frame::new(&dress.at(&address(id)), Some(visitor), Place::Administration),
        token: visitor.token.clone(),
        key: visitor.key.clone(),
        id,
        tag: tag(&account, offset, t),
        office: account.office.clone(),
        roles: in_words(&account.roles, t),
        made: ::pages::written::date(account.made_at.to_offset(offset).date()),
        last: match last {
            None => t.officers.last_none.clone(),
            Some(last) => {
                let with = if last.certificate { &t.officers.last_two } else { &t.officers.last_one };
                fill(with, &[("at", &moment(last.opened_at))])
            }
        },
        locked: locked(&refused, access.settings().lockout_for, now).map(|until| {
            let until = moment(until);
            fill(&t.officers.locked, &[("until", &until)])
        }),
        refused: refused
            .iter()
            .map(|(at, why)| {
                let from = why.split(" from ").nth(1).and_then(|rest| rest.split(':').next()).unwrap_or("?");
                fill(&t.officers.refused_one, &[("at", &moment(*at)), ("from", from)])
            })
            .collect(),
        proposals: proposals
            .iter()
            .map(|one| (format!("{PROPOSALS}/{}", one.id), change_in_words(&one.change, t), moment(one.expires_at)))
            .collect(),
        certificates: certificates.iter().map(|item| Certificate::of(item, now, offset, t)).collect(),
        deputies: deputies
            .iter()
            .map(|(deputy, other)| {
                let (stands, is) = (&t.officers.stands_for, &t.officers.has_deputy);
                let said = if deputy.officer == id { stands } else { is };
                let said = fill(said, &[("name", other), ("from", &day(deputy.from)), ("to", &day(deputy.to))]);
                let waits = deputy.state(now) == DeputyState::Proposed;
                if waits { format!("{said} ({})", t.officers.deputy_waits) } else { said }
            })
            .collect(),
        acts: id != visitor.officer.id,
        national: visitor.officer.office == OfficeCode::national(),
        in_service: account.disabled_at.is_none(),
        by_two: !changed && account.roles.contains(&Role::Admin),
        role_choices: roles(t, |role| match typed.act.as_str() {
            "roles" => typed.roles.contains(&role),
            _ => account.roles.contains(&role),
        }),
        excluded: problem.and_then(|_| excluded(&typed.roles, t)),
        name: account.username,
        typed,
        done: None,
        trouble: problem.map(|problem| Trouble::of(problem, t)),
    })
}

/// Returns until when the name is locked where the last guess came from, if it is.
fn locked(refused: &[(OffsetDateTime, String)], lasts: Duration, now: OffsetDateTime) -> Option<OffsetDateTime> {
    let (at, _) = refused.iter().find(|(_, why)| why.starts_with("sign-in-locked"))?;
    Some(*at + lasts).filter(|until| *until > now)
}

/// `POST /pages/administration/officers/{id}`: proposes or does what the form says about an officer.
pub(super) async fn act(
    State(access): State<Access>,
    State(desk): State<Desk>,
    dress: Dress,
    visitor: Visitor,
    Named(id): Named<OfficerId>,
    filled: Filled,
) -> Shown {
    let typed = Typed {
        act: filled.text("act").to_owned(),
        reason: filled.text("reason").to_owned(),
        roles: ticked(&filled),
        office: filled.text("office").trim().to_owned(),
        certificate: filled.text("certificate").to_owned(),
    };
    let said = match asked(&typed, &filled) {
        Ok((what, reason)) => {
            let verb = async |deed: &mut Deed<Officer>| done(deed, &access, id, &what, reason.as_str()).await;
            match filled.stamp() {
                Ok(stamp) => desk.write(visitor.officer.clone(), stamp, verb).await,
                Err(problem) => Err(problem),
            }
        }
        Err(problem) => Err(problem),
    };
    match said {
        Ok(answer) => Ok(to(&done_at(&answer))),
        Err(problem) if problem.status().is_server_error() => Err(problem),
        Err(problem) => {
            let problem = named(problem);
            page_about(&problem, &file(&access, &desk, &dress, &visitor, id, typed, Some(&problem)).await?)
        }
    }
}

/// An act about an officer.
enum Wish {
    /// The access ends.
    End,
    /// Something is proposed.
    Propose(Change),
    /// A certificate is revoked.
    Revoke(CertificateId),
}

fn asked(typed: &Typed, filled: &Filled) -> Result<(Wish, SomeWords<MOST_OF_REASON>), Problem> {
    let code = |_| about_field(ProblemCode::OfficeCodeMalformed, "office");
    let wish = match typed.act.as_str() {
        "roles" => Wish::Propose(Change::Roles { roles: typed.roles.clone() }),
        "office" => Wish::Propose(Change::Office { office: typed.office.parse().map_err(code)? }),
        "reset" => Wish::Propose(Change::Reset),
        "certificate" => Wish::Propose(Change::Certificate),
        "enable" => Wish::Propose(Change::Enable),
        "disable" => Wish::End,
        "revoke" => {
            let unknown = |_| about_field(ProblemCode::OfficerCertificateUnknown, "certificate");
            Wish::Revoke(typed.certificate.parse().map_err(unknown)?)
        }
        _ => return Err(Problem::new(ProblemCode::BodyMalformed)),
    };
    Ok((wish, filled.judged("reason")?))
}

/// Does it.
async fn done(
    deed: &mut Deed<Officer>,
    access: &Access,
    id: OfficerId,
    wish: &Wish,
    reason: &str,
) -> Result<Done, AccessError> {
    let word = match wish {
        Wish::Propose(change) => {
            proposals::propose(deed, access.settings(), id, change.clone(), reason).await?;
            "proposed"
        }
        Wish::End => match proposals::disable(deed, access.settings(), id, reason).await? {
            Some(_) => "proposed",
            None => "ended",
        },
        Wish::Revoke(certificate) => {
            certificates::revoke_of_officer(deed, access, *certificate, reason).await?;
            "revoked"
        }
    };
    Ok(Done { officer: id, word })
}

/// Officers that a list shows.
const MOST: usize = 200;
