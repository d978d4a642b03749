//! The pages of officers: they are looked for and appointed. What gives an officer rights is proposed here, and
//! confirmed by another administrator ([`super::proposals`]).

use askama::Template;
use axum::Json;
use axum::extract::State;
use crypto::perso::problem::ProblemCode;
use serde::Serialize;
use time::{OffsetDateTime, UtcOffset};

use super::super::officers::{self, Account, Standing, Wanted};
use super::super::proposals::{Change, Proposed};
use super::super::{Access, AccessError, proposals};
use super::proposals::given;
use crate::deed::Deed;
use crate::ground::ids::OfficerId;
use crate::ground::text::Login;
use crate::ground::{OfficeCode, Officer, Role};
use crate::web::html::{
    Asked, Dress, Filled, Frame, OFFICERS, Place, Shown, Texts, Trouble, Visitor, fill, page, page_about, texts, to,
};
use crate::web::{Answer, Desk, Problem};

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
pub(super) type Choice = (&'static str, &'static str, bool);

/// A tag: class, glyph, text.
pub(super) type Tag = (&'static str, &'static str, String);

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
pub(super) fn roles(t: &'static Texts, chosen: impl Fn(Role) -> bool) -> Vec<Choice> {
    Role::ALL.into_iter().map(|role| (role.name(), t.word(&t.role, role.name()), chosen(role))).collect()
}

/// Returns roles in words.
pub(super) fn in_words(roles: &[Role], t: &'static Texts) -> String {
    if roles.is_empty() {
        return t.officers.role_none.clone();
    }
    roles.iter().map(|role| t.word(&t.role, role.name())).collect::<Vec<_>>().join(", ")
}

pub(super) fn tag(account: &Account, offset: UtcOffset, t: &'static Texts) -> Tag {
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
pub(super) fn excluded(roles: &[Role], t: &'static Texts) -> Option<String> {
    let (one, other, _) = Role::conflict(roles)?;
    let word = |role: Role| t.word(&t.role, role.name());
    Some(fill(&t.officers.excluded, &[("one", word(one)), ("other", word(other))]))
}

/// Reads the roles that are ticked.
pub(super) fn ticked(filled: &Filled) -> Vec<Role> {
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
pub(super) fn named(problem: Problem) -> Problem {
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

/// Officers that a list shows.
const MOST: usize = 200;
