//! The page of one officer: the account, what waits about it, certificates and deputies; and what can be done, which is
//! a proposal but for an end and a revocation.

use askama::Template;
use axum::Json;
use axum::extract::State;
use crypto::perso::problem::ProblemCode;
use time::{Duration, OffsetDateTime, UtcOffset};

use super::super::certificates::{self, CertificateItem};
use super::super::deputies::DeputyState;
use super::super::officers::{self, OfficerFile, Standing};
use super::super::proposals::Change;
use super::super::{Access, AccessError, proposals};
use super::officers::{
    Choice, Done, Tag, about_field, address, done_at, excluded, in_words, named, roles, tag, ticked,
};
use super::proposals::change_in_words;
use crate::deed::Deed;
use crate::ground::ids::{CertificateId, OfficerId};
use crate::ground::text::{MOST_OF_REASON, SomeWords};
use crate::ground::{OfficeCode, Officer, Role};
use crate::web::html::{
    Asked, Dress, Filled, Frame, PROPOSALS, Place, Shown, Texts, Trouble, Visitor, fill, page, page_about, texts, to,
};
use crate::web::{Desk, Named, Problem};

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
    may: May,
    national: bool,
    role_choices: Vec<Choice>,
    excluded: Option<String>,
    typed: Typed,
    done: Option<String>,
    trouble: Option<Trouble>,
}

/// What an administrator may do about an officer.
#[derive(Clone, Copy, Eq, PartialEq)]
enum May {
    /// All that concerns an officer in service.
    Change,
    /// The same, of an administrator, whose end waits for a second one.
    ChangeByTwo,
    /// Nothing: it is the administrator's own account.
    Nothing,
    /// Bring the officer back.
    Return,
}

impl File {
    fn acts(&self) -> bool {
        self.may != May::Nothing
    }

    fn in_service(&self) -> bool {
        matches!(self.may, May::Change | May::ChangeByTwo)
    }

    fn by_two(&self) -> bool {
        self.may == May::ChangeByTwo
    }

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
        may: match account.disabled_at {
            _ if id == visitor.officer.id => May::Nothing,
            Some(_) => May::Return,
            None if !changed && account.roles.contains(&Role::Admin) => May::ChangeByTwo,
            None => May::Change,
        },
        national: visitor.officer.office == OfficeCode::national(),
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
