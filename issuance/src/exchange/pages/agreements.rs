//! Agreements, for the officers who sign them: what is to be done about each, and one of them as what it opens. Terms
//! never change, so what was read is what is signed.

use std::collections::BTreeMap;

use askama::Template;
use axum::Json;
use axum::extract::State;
use crypto::perso::problem::ProblemCode;
use serde::Serialize;
use time::OffsetDateTime;

use super::super::agreements::{self, AgreementFile};
use super::super::model::{Agreement, Dimension, Grant, Hours, Purpose, Service, Standing};
use super::super::{Exchange, ExchangeError};
use super::who_looked::field_of;
use super::written;
use crate::access::partners;
use crate::deed::Deed;
use crate::ground::ids::{AgreementId, PartnerId};
use crate::ground::text::{MOST_OF_REASON, SomeWords};
use crate::ground::{Decision, Id, Officer, Role};
use crate::web::html::{
    AGREEMENTS, Asked, Dress, Filled, Frame, PARTNERS, Place, Shown, Tag, Texts, Trouble, Visitor, fill, page,
    page_about, texts, to,
};
use crate::web::{Desk, Named, Problem};

/// The list of agreements.
#[derive(Template)]
#[template(path = "agreements.html")]
struct Agreements {
    frame: Frame,
    /// The choices: address, name, whether it is the present one.
    choices: Vec<(String, &'static str, bool)>,
    rows: Vec<Row>,
    next: Option<String>,
}

/// An agreement, in words.
pub(super) struct Row {
    pub(super) href: String,
    pub(super) number: String,
    pub(super) partner: String,
    pub(super) from: String,
    pub(super) until: String,
    pub(super) grants: usize,
    pub(super) tag: Tag,
}

/// What a list may have: the word in its address, and how the agreements stand.
const CHOICES: [(&str, &[Standing]); 6] = {
    use Standing::{Drafted, Ending, HalfSigned, InForce, Over, Signed};
    [
        ("open", &[Drafted, Ending, HalfSigned, InForce, Signed]),
        ("drafted", &[Drafted]),
        ("half-signed", &[HalfSigned]),
        ("in-force", &[Ending, InForce]),
        ("ending", &[Ending]),
        ("over", &[Over]),
    ]
};

/// `GET /pages/agreements`
pub(super) async fn list(State(desk): State<Desk>, dress: Dress, visitor: Visitor, asked: Asked) -> Shown {
    let t = texts(dress.language);
    let malformed = || Problem::new(ProblemCode::QueryMalformed);
    let word = asked.some("state").unwrap_or("open");
    let (word, standing) = *CHOICES.iter().find(|(known, _)| *known == word).ok_or_else(malformed)?;
    let after = asked.some("after").map(str::parse::<AgreementId>).transpose().map_err(|_| malformed())?;
    let look = async |deed: &mut Deed<Officer>| {
        let from = (after.unwrap_or(Id::nil()), SHOWN + 1);
        let rows = agreements::listed(deed, None, standing, from).await?;
        let known = partners::partners(deed.tx(), Id::nil(), PARTNERS_KNOWN).await?;
        let names: BTreeMap<PartnerId, String> = known.into_iter().map(|(row, _)| (row.id, row.name)).collect();
        Ok::<_, ExchangeError>((rows, names, deed.at()))
    };
    let Json((mut rows, names, now)) = desk.look(visitor.officer.clone(), look).await?;
    let most = usize::try_from(SHOWN).unwrap_or(usize::MAX);
    let more = rows.len() > most;
    rows.truncate(most);
    let last = rows.last().filter(|_| more);
    let next = last.map(|(one, _)| format!("{AGREEMENTS}?state={word}&after={}", one.id));
    let name = |id: PartnerId| names.get(&id).cloned().unwrap_or_else(|| id.to_string());
    let choice = |(known, _): (&'static str, &[Standing])| {
        (format!("{AGREEMENTS}?state={known}"), t.word(&t.agreement_list, known), known == word)
    };
    page(&Agreements {
        frame: Frame::new(&dress, Some(&visitor), Place::Partners),
        choices: CHOICES.into_iter().map(choice).collect(),
        rows: rows.iter().map(|(one, holds)| row(one, *holds, name(one.partner), (&desk, now), t)).collect(),
        next,
    })
}

/// Puts an agreement into the words of a list.
pub(super) fn row(
    one: &Agreement,
    holds: bool,
    partner: String,
    (desk, now): (&Desk, OffsetDateTime),
    t: &'static Texts,
) -> Row {
    Row {
        href: address(one.id),
        number: one.number.clone(),
        partner,
        from: written(desk, one.valid_from),
        until: written(desk, one.valid_to),
        grants: one.grants.len(),
        tag: if holds { tag(one, now, t) } else { ("bad-t", "i-no", t.partners.changed_elsewhere.clone()) },
    }
}

/// Returns how an agreement stands.
fn tag(one: &Agreement, now: OffsetDateTime, t: &'static Texts) -> Tag {
    let standing = one.standing(now);
    let (class, glyph) = match standing {
        Standing::Drafted | Standing::HalfSigned => ("wait", "i-wait"),
        Standing::Ending => ("wait", "i-clock"),
        Standing::InForce => ("good", "i-ok"),
        Standing::Over => ("", "i-none"),
        Standing::Signed => ("info", "i-clock"),
    };
    let days = (one.valid_to - now).whole_days().to_string();
    (class, glyph, fill(t.word(&t.standing, standing.word()), &[("n", &days)]))
}

fn address(id: AgreementId) -> String {
    format!("{AGREEMENTS}/{id}")
}

/// One agreement.
#[derive(Template)]
#[template(path = "agreement.html")]
struct AgreementPage {
    frame: Frame,
    token: String,
    key: String,
    id: AgreementId,
    number: String,
    partner: String,
    unit: String,
    partner_href: String,
    tag: Tag,
    basis: String,
    from: String,
    until: String,
    kept: String,
    grants: Vec<GrantInWords>,
    drafted: String,
    /// The officer who signed for the register, and when.
    signed: Option<String>,
    /// The data protection officer who signed, and when.
    protected: Option<String>,
    ended: Option<String>,
    end_reason: Option<String>,
    /// Signatures are missing.
    unsigned: bool,
    /// In whose place this officer signs.
    signs_as: &'static str,
    /// What the verb itself says against a signature of this officer.
    barred: Option<Trouble>,
    /// It can be ended.
    may_end: bool,
    /// What was typed as the reason of the end; none where nothing was.
    reason: Option<String>,
    done: Option<&'static str>,
    trouble: Option<Trouble>,
}

/// What a grant opens, in words.
struct GrantInWords {
    title: String,
    purpose: String,
    law: String,
    code: String,
    fields: String,
    fields_of: String,
    about: String,
    per_day_of: &'static str,
    per_day: String,
    /// Of counts: which are not told.
    small_cell: Option<String>,
    hours: String,
    procedures: String,
    tells_which: bool,
    number_alone: bool,
    births: bool,
}

impl AgreementPage {
    fn wrong(&self, field: &str) -> Option<&str> {
        self.trouble.as_ref().filter(|trouble| trouble.is_about(field)).map(|trouble| trouble.title.as_str())
    }
}

/// What the page is made with.
struct Sheet<'a> {
    desk: &'a Desk,
    exchange: &'a Exchange,
    dress: &'a Dress,
    visitor: &'a Visitor,
    id: AgreementId,
}

impl Sheet<'_> {
    async fn of(&self, reason: Option<String>, problem: Option<&Problem>) -> Result<AgreementPage, Problem> {
        let Self { desk, dress, visitor, id, .. } = *self;
        let (t, officer) = (texts(dress.language), &visitor.officer);
        let look = async |deed: &mut Deed<Officer>| agreements::file(deed, id).await.map(|file| (file, deed.at()));
        let Json((AgreementFile { agreement, partner, purposes, officers }, now)) =
            desk.look(officer.clone(), look).await?;
        let standing = agreement.standing(now);
        let unsigned = matches!(standing, Standing::Drafted | Standing::HalfSigned);
        let barred = if unsigned { self.barred(&agreement).await? } else { None };
        let by = |decision: &Decision| {
            let name = officers.get(&decision.by).map_or("?", String::as_str);
            format!("{name}, {}", written(desk, decision.at))
        };
        let protects = officer.roles.contains(&Role::DataProtection);
        let grants = agreement.grants.iter().zip(1..);
        Ok(AgreementPage {
            frame: Frame::new(&dress.at(&address(id)), Some(visitor), Place::Partners),
            token: visitor.token.clone(),
            key: visitor.key.clone(),
            id,
            grants: grants.map(|(grant, n)| self.grant(n, grant, purposes.get(&grant.purpose), t)).collect(),
            tag: tag(&agreement, now, t),
            from: written(desk, agreement.valid_from),
            until: written(desk, agreement.valid_to),
            kept: fill(&t.agreements.days, &[("n", &agreement.kept_days.to_string())]),
            drafted: by(&agreement.drafted),
            signed: agreement.signed.as_ref().map(by),
            protected: agreement.protected.as_ref().map(by),
            ended: agreement.ended.as_ref().map(by),
            partner: partner.name,
            unit: partner.unit,
            partner_href: format!("{PARTNERS}/{}", partner.id),
            number: agreement.number,
            basis: agreement.basis,
            end_reason: agreement.end_reason,
            unsigned,
            signs_as: if protects { &t.agreements.signs_for_persons } else { &t.agreements.signs_for_register },
            barred,
            may_end: standing != Standing::Over,
            reason,
            done: None,
            trouble: problem.map(|problem| Trouble::of(problem, t)),
        })
    }

    /// Returns what the verb itself says against a signature of this officer: it is tried in a deed that is not kept.
    async fn barred(&self, agreement: &Agreement) -> Result<Option<Trouble>, Problem> {
        let t = texts(self.dress.language);
        let mut deed = self.desk.deeds().open(self.visitor.officer.clone()).await?;
        let said = agreements::sign(&mut deed, self.id).await;
        drop(deed);
        let Some(problem) = said.err().map(Problem::from) else { return Ok(None) };
        if problem.status().is_server_error() {
            return Err(problem);
        }
        let mut trouble = Trouble::of(&problem, t);
        if problem.code() == ProblemCode::AgreementStateUnfit {
            // The own side has signed: the other one is waited for.
            let waits =
                if agreement.signed.is_some() { &t.agreements.waits_persons } else { &t.agreements.waits_register };
            t.agreements.own_side.clone_into(&mut trouble.title);
            waits.clone_into(&mut trouble.says);
        }
        Ok(Some(trouble))
    }

    /// Puts a grant into words: what of the register it opens.
    fn grant(&self, n: usize, grant: &Grant, purpose: Option<&Purpose>, t: &'static Texts) -> GrantInWords {
        let a = &t.agreements;
        let today = self.desk.deeds().source().clock().today();
        let reference = self.exchange.register.reference();
        let province = |code: &String| {
            let name = code.parse().ok().and_then(|parsed| reference.province(parsed, today));
            name.map_or_else(|| code.clone(), |name| format!("{name} ({code})"))
        };
        let counts = grant.service == Service::Statistics;
        let fields: Vec<&str> = if counts {
            grant.dimensions.iter().map(|dimension| t.word(&t.dimension, dimension.word())).collect()
        } else {
            grant.fields.iter().map(|field| field_of(field.word(), t)).collect()
        };
        let all = if counts { Dimension::ALL.len() } else { grant.service.fields().len() };
        let least = grant.small_cell.unwrap_or(0).max(self.exchange.settings.small_cell).to_string();
        let provinces: Vec<String> = grant.provinces.iter().map(province).collect();
        let named = |purpose: &Purpose| {
            if t.is_vietnamese() { purpose.name_vi.clone() } else { purpose.name_en.clone() }
        };
        let [told, all] = [fields.len(), all].map(|n| n.to_string());
        let of = if counts { &a.dimensions_of } else { &a.fields_of };
        GrantInWords {
            title: format!("{n}. {}", t.word(&t.service, grant.service.word())),
            purpose: purpose.map_or_else(|| grant.purpose.clone(), named),
            law: purpose.map_or_else(String::new, |purpose| purpose.law.clone()),
            code: grant.purpose.clone(),
            fields_of: fill(of, &[("n", &told), ("all", &all)]),
            fields: fields.join(", "),
            about: if provinces.is_empty() { a.country.clone() } else { provinces.join(", ") },
            per_day_of: if counts { &a.questions_per_day } else { &a.per_day },
            small_cell: counts.then(|| fill(&a.small_cell, &[("n", &least)])),
            per_day: ::pages::written::count(u64::from(grant.per_day), self.dress.language),
            hours: grant.hours.as_ref().map_or_else(|| a.always.clone(), |hours| hours_in_words(hours, t)),
            procedures: grant.procedures.iter().cloned().collect::<Vec<_>>().join(", "),
            tells_which: grant.tells_which,
            number_alone: grant.number_alone,
            births: grant.births,
        }
    }

    /// Leads back to the agreement after an act, or shows it with what is wrong.
    async fn after(&self, said: Result<(), Problem>, word: &str, reason: Option<String>) -> Shown {
        match said {
            Ok(()) => Ok(to(&format!("{}?done={word}", address(self.id)))),
            Err(problem) if problem.status().is_server_error() => Err(problem),
            Err(problem) => match self.of(reason, Some(&problem)).await {
                Ok(sheet) => page_about(&problem, &sheet),
                // It may not be read: what the verb said is all there is to say.
                Err(_) => Err(problem),
            },
        }
    }
}

/// The days of the week in the order of their numbers, as the texts call them.
const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

fn hours_in_words(hours: &Hours, t: &'static Texts) -> String {
    let name = |day: &u8| DAYS.get(usize::from(*day).wrapping_sub(1)).map_or("?", |word| t.word(&t.weekday, word));
    let days: Vec<&str> = hours.days.iter().map(name).collect();
    let [from, to] = [hours.from, hours.to].map(|hour| format!("{hour:02}:00"));
    fill(&t.agreements.hours_say, &[("from", &from), ("to", &to), ("days", &days.join(", "))])
}

/// `GET /pages/agreements/{id}`
pub(super) async fn open(
    State(desk): State<Desk>,
    State(exchange): State<Exchange>,
    dress: Dress,
    visitor: Visitor,
    Named(id): Named<AgreementId>,
    asked: Asked,
) -> Shown {
    let t = texts(dress.language);
    let done = match asked.some("done") {
        Some("signed") => Some(t.agreements.done_signed.as_str()),
        Some("ended") => Some(t.agreements.done_ended.as_str()),
        _ => None,
    };
    let sheet = Sheet { desk: &desk, exchange: &exchange, dress: &dress, visitor: &visitor, id };
    page(&AgreementPage { done, ..sheet.of(None, None).await? })
}

/// What an act came to, as it is kept under the key of the act.
#[derive(Serialize)]
struct Done {
    agreement: AgreementId,
}

/// `POST /pages/agreements/{id}/signature`
pub(super) async fn sign(
    State(desk): State<Desk>,
    State(exchange): State<Exchange>,
    dress: Dress,
    visitor: Visitor,
    Named(id): Named<AgreementId>,
    filled: Filled,
) -> Shown {
    let said = match filled.stamp() {
        Ok(stamp) => {
            let verb = async |deed: &mut Deed<Officer>| {
                agreements::sign(deed, id).await?;
                Ok::<_, ExchangeError>(Done { agreement: id })
            };
            desk.write(visitor.officer.clone(), stamp, verb).await
        }
        Err(problem) => Err(problem),
    };
    let sheet = Sheet { desk: &desk, exchange: &exchange, dress: &dress, visitor: &visitor, id };
    sheet.after(said.map(drop), "signed", None).await
}

/// `POST /pages/agreements/{id}/end`
pub(super) async fn end(
    State(desk): State<Desk>,
    State(exchange): State<Exchange>,
    dress: Dress,
    visitor: Visitor,
    Named(id): Named<AgreementId>,
    filled: Filled,
) -> Shown {
    let read = || Ok::<_, Problem>((filled.judged::<SomeWords<MOST_OF_REASON>>("reason")?, filled.stamp()?));
    let said = match read() {
        Ok((reason, stamp)) => {
            let verb = async |deed: &mut Deed<Officer>| {
                agreements::end(deed, id, reason.as_str()).await?;
                Ok::<_, ExchangeError>(Done { agreement: id })
            };
            desk.write(visitor.officer.clone(), stamp, verb).await
        }
        Err(problem) => Err(problem),
    };
    let sheet = Sheet { desk: &desk, exchange: &exchange, dress: &dress, visitor: &visitor, id };
    sheet.after(said.map(drop), "ended", Some(filled.text("reason").to_owned())).await
}

/// So many agreements are a page.
const SHOWN: i64 = 50;
/// So many partners are called by their names; of further ones a list has the identifier.
const PARTNERS_KNOWN: i64 = 1_000;

#[cfg(test)]
mod tests {
    use ::pages::Language;

    use super::*;

    #[test]
    fn each_standing_and_each_choice_has_words() {
        for t in [texts(Language::Vi), texts(Language::En)] {
            for standing in Standing::ALL {
                assert_ne!(t.word(&t.standing, standing.word()), "?", "{standing:?}");
            }
            for (word, _) in CHOICES {
                assert_ne!(t.word(&t.agreement_list, word), "?", "{word}");
            }
            let hours = Hours { from: 7, to: 17, days: (1..=7).collect() };
            assert!(!hours_in_words(&hours, t).contains('?'));
        }
    }
}
