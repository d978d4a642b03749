//! Partners with their systems, for the officers of the national office who join them: whose certificate ends soon, and
//! what was agreed with one.

use askama::Template;
use axum::Json;
use axum::extract::State;
use crypto::perso::problem::ProblemCode;
use time::OffsetDateTime;

use super::super::agreements;
use super::super::model::{Agreement, ENDS_SOON, Standing};
use super::agreements::{self as sheets, Row as AgreementRow};
use super::written;
use crate::access::partners::{self, PartnerRow, SystemRow};
use crate::access::{self, AccessError};
use crate::deed::Deed;
use crate::exchange::ExchangeError;
use crate::ground::ids::PartnerId;
use crate::ground::{Id, Officer};
use crate::web::html::{Asked, Dress, Frame, PARTNERS, Place, Shown, Tag, Texts, Visitor, fill, page, texts};
use crate::web::{Desk, Named, Problem};

/// The list of partners.
#[derive(Template)]
#[template(path = "partners.html")]
struct Partners {
    frame: Frame,
    rows: Vec<Row>,
    next: Option<String>,
}

/// A partner, in words.
struct Row {
    href: String,
    code: String,
    name: String,
    unit: String,
    tag: Tag,
    systems: Vec<System>,
}

/// A system of a partner, in words.
struct System {
    name: String,
    /// What it is beside a system that asks for itself: the member of a data exchange layer, or a carrier of one.
    asks_as: Option<String>,
    /// When the certificate ends.
    ends: Option<String>,
    tag: Tag,
}

/// `GET /pages/partners`
pub(super) async fn list(State(desk): State<Desk>, dress: Dress, visitor: Visitor, asked: Asked) -> Shown {
    let t = texts(dress.language);
    let after = asked.some("after").map(str::parse::<PartnerId>).transpose();
    let after = after.map_err(|_| Problem::new(ProblemCode::QueryMalformed))?.unwrap_or(Id::nil());
    let look = async |deed: &mut Deed<Officer>| {
        let mut rows = partners::listed(deed, after, SHOWN + 1).await?;
        let most = usize::try_from(SHOWN).unwrap_or(usize::MAX);
        let more = rows.len() > most;
        rows.truncate(most);
        let next = rows.last().filter(|_| more).map(|(row, _)| row.id);
        let mut all = Vec::with_capacity(rows.len());
        for (row, holds) in rows {
            let systems = partners::systems_of(deed.tx(), row.id).await?;
            all.push((row, holds, systems));
        }
        Ok::<_, AccessError>((all, next, deed.at()))
    };
    let Json((all, next, now)) = desk.look(visitor.officer.clone(), look).await?;
    let row = |(row, holds, systems): (PartnerRow, bool, Vec<(SystemRow, bool)>)| Row {
        systems: all_in_words(systems, row.ended.is_some(), (&desk, now), t),
        href: format!("{PARTNERS}/{}", row.id),
        tag: state(&row, holds, t),
        code: row.code.to_string(),
        name: row.name,
        unit: row.unit,
    };
    page(&Partners {
        frame: Frame::new(&dress, Some(&visitor), Place::Partners),
        rows: all.into_iter().map(row).collect(),
        next: next.map(|id| format!("{PARTNERS}?after={id}")),
    })
}

/// Returns how far a partner is.
fn state(row: &PartnerRow, holds: bool, t: &'static Texts) -> Tag {
    match (&row.confirmed, &row.ended) {
        _ if !holds => ("bad-t", "i-no", t.partners.changed_elsewhere.clone()),
        (_, Some(_)) => ("", "i-none", t.partners.ended.clone()),
        (Some(_), None) => ("good", "i-ok", t.partners.joined.clone()),
        (None, None) => ("wait", "i-wait", t.partners.drafted.clone()),
    }
}

/// Puts the systems of a partner into words, each with whether its record is as it was written.
fn all_in_words(
    rows: Vec<(SystemRow, bool)>,
    ended: bool,
    now: (&Desk, OffsetDateTime),
    t: &'static Texts,
) -> Vec<System> {
    rows.into_iter().map(|(row, holds)| in_words(row, (holds, ended), now, t)).collect()
}

/// Puts a system into words. A certificate that ends soon is told of before; a member of a data exchange layer has
/// none; with its partner every system ended.
fn in_words(
    row: SystemRow,
    (holds, ended): (bool, bool),
    (desk, now): (&Desk, OffsetDateTime),
    t: &'static Texts,
) -> System {
    let p = &t.partners;
    let tag = match (&row.confirmed, row.expires_at) {
        _ if !holds => ("bad-t", "i-no", p.changed_elsewhere.clone()),
        _ if row.revoked.is_some() => ("", "i-none", p.revoked.clone()),
        _ if ended => ("", "i-none", p.ended.clone()),
        (None, _) => ("wait", "i-wait", p.drafted.clone()),
        (Some(_), Some(ends)) if ends <= now => ("bad-t", "i-no", p.certificate_over.clone()),
        (Some(_), Some(ends)) if ends <= now + ENDS_SOON => {
            let days = (ends - now).whole_days().to_string();
            ("wait", "i-clock", fill(&p.certificate_ends, &[("n", &days)]))
        }
        (Some(_), _) => ("good", "i-ok", p.in_use.clone()),
    };
    let member = row.member.map(|member| fill(&p.as_member, &[("member", member.as_str())]));
    let asks_as = member.or_else(|| row.carries.map(|instance| fill(&p.as_carrier, &[("instance", &instance)])));
    System { name: row.name, asks_as, ends: row.expires_at.map(|ends| written(desk, ends)), tag }
}

/// One partner.
#[derive(Template)]
#[template(path = "partner.html")]
struct PartnerPage {
    frame: Frame,
    code: String,
    name: String,
    unit: String,
    tag: Tag,
    contact: [String; 3],
    drafted: String,
    confirmed: Option<String>,
    ended: Option<String>,
    end_reason: Option<String>,
    systems: Vec<System>,
    agreements: Vec<AgreementRow>,
    /// There are more agreements than are shown.
    more: Option<String>,
}

/// `GET /pages/partners/{id}`
pub(super) async fn open(
    State(desk): State<Desk>,
    dress: Dress,
    visitor: Visitor,
    Named(id): Named<PartnerId>,
) -> Shown {
    let t = texts(dress.language);
    let look = async |deed: &mut Deed<Officer>| {
        let (row, systems) = partners::file(deed, id).await?;
        let agreed = agreements::listed(deed, Some(id), &Standing::ALL, (Id::nil(), SHOWN + 1)).await?;
        let mut names = vec![];
        for by in [Some(&row.drafted), row.confirmed.as_ref(), row.ended.as_ref()] {
            names.push(match by {
                Some(by) => Some((access::called(deed.tx(), by.by).await?, by.at)),
                None => None,
            });
        }
        Ok::<_, ExchangeError>((row, systems, agreed, names, deed.at()))
    };
    let Json((row, systems, agreed, names, now)) = desk.look(visitor.officer.clone(), look).await?;
    let by = |at: usize| names.get(at)?.as_ref().map(|(name, at)| format!("{name}, {}", written(&desk, *at)));
    let most = usize::try_from(SHOWN).unwrap_or(usize::MAX);
    let more = (agreed.len() > most).then(|| fill(&t.lists.first, &[("n", &SHOWN.to_string())]));
    let called = row.name.clone();
    let agreement = |(one, holds): (Agreement, bool)| sheets::row(&one, holds, called.clone(), (&desk, now), t);
    page(&PartnerPage {
        frame: Frame::new(&dress, Some(&visitor), Place::Partners),
        tag: state(&row, true, t),
        code: row.code.to_string(),
        contact: [row.contact.name, row.contact.email, row.contact.phone],
        drafted: by(0).unwrap_or_default(),
        confirmed: by(1),
        ended: by(2),
        end_reason: row.end_reason,
        systems: all_in_words(systems, row.ended.is_some(), (&desk, now), t),
        agreements: agreed.into_iter().take(most).map(agreement).collect(),
        more,
        name: row.name,
        unit: row.unit,
    })
}

/// Returns how many agreements lack a signature or end soon, in words.
///
/// # Errors
/// [`Problem`]
pub(crate) async fn waiting_agreements(desk: &Desk, t: &'static Texts) -> Result<String, Problem> {
    let now = desk.deeds().source().now();
    let mut tx = desk.deeds().db().begin_read().await?;
    let (unsigned, ending) = agreements::how_many(&mut tx, now, COUNTED).await?;
    let [unsigned, ending] = [unsigned, ending].map(|n| n.to_string());
    Ok(match (&*unsigned, &*ending) {
        ("0", "0") => t.partners.home.clone(),
        _ => fill(&t.partners.home_some, &[("unsigned", &unsigned), ("ending", &ending)]),
    })
}

/// So many partners, or agreements of one, are a page.
const SHOWN: i64 = 50;
/// So many agreements are counted for the beginning.
const COUNTED: i64 = 200;
