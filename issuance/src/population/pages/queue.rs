//! What waits in the register for an officer: forms to be read twice, proposals of a colleague, rows in quarantine, and
//! forms that were begun. No list has a name in it.

use askama::Template;
use axum::extract::State;
use crypto::perso::problem::ProblemCode;

use super::super::forms::{self, FormState};
use super::super::import::quarantine;
use super::super::store::forms as store_forms;
use super::super::{change, merge};
use super::form::called;
use super::{done, name_of, proposer_of, reference};
use crate::deed::Deed;
use crate::ground::ids::{ChangeId, FormId, MergeId, OfficerId, QuarantinedId};
use crate::ground::{Id, Officer};
use crate::store::{Record, StoreError};
use crate::web::html::{Asked, Dress, Frame, Place, REGISTER, Shown, Texts, Visitor, fill, page, texts};
use crate::web::{Desk, Named, Problem};

/// The page of the register.
#[derive(Template)]
#[template(path = "register.html")]
struct Sheet {
    frame: Frame,
    token: String,
    key: String,
    lists: Vec<List>,
    done: Option<&'static str>,
}

/// One list, page by page.
#[derive(Template)]
#[template(path = "register-list.html")]
struct ListSheet {
    frame: Frame,
    list: List,
}

/// One list of what waits.
#[derive(Debug)]
pub(super) struct List {
    word: &'static str,
    title: &'static str,
    says: &'static str,
    none: &'static str,
    rows: Vec<Row>,
    /// How many, as far as they were counted.
    count: String,
    /// Where the next page begins.
    next: Option<String>,
}

#[derive(Debug)]
struct Row {
    href: String,
    what: String,
    at: String,
    by: String,
    /// Class, glyph and text of a tag.
    tag: Option<(&'static str, &'static str, &'static str)>,
    /// The key of the list.
    key: String,
}

/// The lists of the page, in the order of their urgency.
const KINDS: [Kind; 5] = [Kind::Reading, Kind::Changes, Kind::Merges, Kind::Quarantine, Kind::Begun];

/// What waits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Reading,
    Changes,
    Merges,
    Quarantine,
    Begun,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Reading => "reading",
            Self::Changes => "changes",
            Self::Merges => "merges",
            Self::Quarantine => "quarantine",
            Self::Begun => "begun",
        }
    }
}

/// Who asks, and how moments are written.
struct Reader<'a> {
    desk: &'a Desk,
    officer: Officer,
    t: &'static Texts,
}

impl Reader<'_> {
    fn moment(&self, at: time::OffsetDateTime) -> String {
        ::pages::written::moment(at, self.desk.deeds().source().clock().offset())
    }

    /// Reads one list, after the row with this key.
    async fn list(&self, kind: Kind, after: Option<&str>, most: usize) -> Result<List, Problem> {
        let t = self.t;
        let one_more = i64::try_from(most).unwrap_or(i64::MAX - 1) + 1;
        let mut rows = match kind {
            Kind::Reading => self.forms(FormState::Sent, key(after)?, one_more).await?,
            Kind::Begun => self.forms(FormState::Begun, key(after)?, one_more).await?,
            Kind::Changes => self.changes(key(after)?, one_more).await?,
            Kind::Merges => self.merges(key(after)?, one_more).await?,
            Kind::Quarantine => self.quarantine(key(after)?, one_more).await?,
        };
        let more = rows.len() > most;
        rows.truncate(most);
        let (title, says, none) = match kind {
            Kind::Reading => (&t.registry.reading, &t.registry.reading_says, &t.registry.reading_none),
            Kind::Changes => (&t.registry.changes, &t.registry.changes_says, &t.registry.changes_none),
            Kind::Merges => (&t.registry.merges, &t.registry.merges_says, &t.registry.merges_none),
            Kind::Quarantine => (&t.registry.quarantine, &t.registry.quarantine_says, &t.registry.quarantine_none),
            Kind::Begun => (&t.registry.begun, &t.registry.begun_says, &t.registry.begun_none),
        };
        let next = rows.last().filter(|_| more).map(|row| row.key.clone());
        let count = format!("{}{}", rows.len(), if more { "+" } else { "" });
        Ok(List { word: kind.word(), title, says, none, rows, count, next })
    }

    async fn forms(&self, state: FormState, after: FormId, most: i64) -> Result<Vec<Row>, Problem> {
        let look = async |deed: &mut Deed<Officer>| {
            let rows = forms::waiting(deed, state, after, most).await?;
            let mut found = vec![];
            for (row, holds) in rows {
                if !holds {
                    found.push(self.tampered(&row));
                    continue;
                }
                let form = store_forms::read(&row)?;
                let last = form.sent.clone().unwrap_or_else(|| form.saved.clone());
                let mine = form.had_a_hand(deed.actor());
                let sent = state == FormState::Sent;
                let by = name_of(deed, last.by).await?;
                found.push(Row {
                    href: format!("{REGISTER}/forms/{}{}", form.id, if sent { "/reading" } else { "" }),
                    what: called(&form, self.t),
                    at: self.moment(last.at),
                    by,
                    tag: match (sent, mine, form.differs.is_empty()) {
                        (true, true, _) => Some(("", "i-none", self.t.registry.tag_other.as_str())),
                        (false, _, false) => Some(("wait", "i-wait", self.t.registry.tag_returned.as_str())),
                        _ => None,
                    },
                    key: form.id.to_string(),
                });
            }
            Ok::<_, StoreError>(found)
        };
        Ok(self.desk.look(self.officer.clone(), look).await?.0)
    }

    async fn changes(&self, after: ChangeId, most: i64) -> Result<Vec<Row>, Problem> {
        let look = async |deed: &mut Deed<Officer>| {
            let rows = change::waiting(deed, after, most).await?;
            let mut found = vec![];
            for (row, holds) in rows {
                found.push(self.proposal(deed, &row, holds, "changes").await?);
            }
            Ok::<_, StoreError>(found)
        };
        Ok(self.desk.look(self.officer.clone(), look).await?.0)
    }

    async fn merges(&self, after: MergeId, most: i64) -> Result<Vec<Row>, Problem> {
        let look = async |deed: &mut Deed<Officer>| {
            let rows = merge::waiting(deed, after, most).await?;
            let mut found = vec![];
            for (row, holds) in rows {
                found.push(self.proposal(deed, &row, holds, "merges").await?);
            }
            Ok::<_, StoreError>(found)
        };
        Ok(self.desk.look(self.officer.clone(), look).await?.0)
    }

    async fn proposal(
        &self,
        deed: &mut Deed<Officer>,
        row: &Record,
        holds: bool,
        list: &str,
    ) -> Result<Row, StoreError> {
        if !holds {
            return Ok(self.tampered(row));
        }
        let (kind, by): (String, OfficerId) = (row.get("kind")?, Id::of(row, "proposed_by")?);
        let id: ChangeId = Id::of(row, "id")?;
        let what =
            if list == "merges" { self.t.word(&self.t.merging, &kind) } else { self.t.word(&self.t.event, &kind) };
        let partner = if list == "merges" { None } else { Id::of_optional(row, "partner_id")? };
        let mine = deed.actor().is_one_with(by);
        Ok(Row {
            href: format!("{REGISTER}/{list}/{id}"),
            what: format!("{what} · {}", reference(id)),
            at: self.moment(row.get("proposed_at")?),
            by: proposer_of(deed, by, partner).await?,
            tag: mine.then_some(("", "i-none", self.t.registry.tag_other.as_str())),
            key: id.to_string(),
        })
    }

    async fn quarantine(&self, after: QuarantinedId, most: i64) -> Result<Vec<Row>, Problem> {
        let look = async |deed: &mut Deed<Officer>| {
            let office = deed.actor().office.clone();
            let rows = quarantine::list(deed, &office, after, most).await?;
            let row = |row: super::super::store::import::Quarantined| {
                let first = row.findings.first();
                let says = first.map_or_else(
                    || self.t.registry.nothing_against.clone(),
                    |finding| super::fields::said(&finding.code, &finding.message, self.t),
                );
                Row {
                    href: format!("{REGISTER}/quarantine/{}", row.id),
                    what: says,
                    at: fill(&self.t.registry.line, &[("n", &row.line.to_string())]),
                    by: String::new(),
                    tag: match (row.findings.is_empty(), row.findings.iter().any(likely)) {
                        (true, _) => Some(("good", "i-ok", self.t.registry.tag_ready.as_str())),
                        (_, true) => Some(("info", "i-info", self.t.registry.tag_repair.as_str())),
                        _ => None,
                    },
                    key: row.id.to_string(),
                }
            };
            Ok::<_, StoreError>(rows.into_iter().map(row).collect())
        };
        Ok(self.desk.look(self.officer.clone(), look).await?.0)
    }

    /// A row that another hand changed: nothing of it is shown but that it is there.
    fn tampered(&self, row: &Record) -> Row {
        let name = row.name();
        Row {
            href: REGISTER.to_owned(),
            what: name.chars().rev().take(6).collect::<Vec<_>>().into_iter().rev().collect::<String>().to_uppercase(),
            at: String::new(),
            by: String::new(),
            tag: Some(("bad-t", "i-no", self.t.approvals.tampered.as_str())),
            key: name,
        }
    }
}

/// True for a finding that says which value is likely meant.
fn likely(finding: &super::super::model::Finding) -> bool {
    finding.repair.as_ref().is_some_and(|repair| repair.put.is_some())
}

/// Reads the key after which a page begins.
fn key<K>(after: Option<&str>) -> Result<Id<K>, Problem> {
    let unfit = |_| Problem::new(ProblemCode::QueryMalformed);
    after.map_or_else(|| Ok(Id::nil()), |text| text.parse().map_err(unfit))
}

/// What waits, the first of each list.
pub(super) async fn begin(State(desk): State<Desk>, dress: Dress, visitor: Visitor, asked: Asked) -> Shown {
    let t = texts(dress.language);
    let reader = Reader { desk: &desk, officer: visitor.officer.clone(), t };
    let mut lists = vec![];
    for kind in KINDS {
        lists.push(Box::pin(reader.list(kind, None, FIRST)).await?);
    }
    let frame = Frame::new(&dress, Some(&visitor), Place::Register);
    let (token, key) = (visitor.token.clone(), visitor.key.clone());
    page(&Sheet { frame, token, key, lists, done: done(&asked, t) })
}

/// One list, page by page.
pub(super) async fn all(
    State(desk): State<Desk>,
    dress: Dress,
    visitor: Visitor,
    Named(word): Named<String>,
    asked: Asked,
) -> Shown {
    let kind = KINDS.into_iter().find(|kind| kind.word() == word);
    let kind = kind.ok_or_else(|| Problem::new(ProblemCode::NoSuchPath))?;
    let reader = Reader { desk: &desk, officer: visitor.officer.clone(), t: texts(dress.language) };
    let list = Box::pin(reader.list(kind, asked.some("after"), PAGE)).await?;
    page(&ListSheet { frame: Frame::new(&dress, Some(&visitor), Place::Register), list })
}

/// So many of each list stand on the page of the register.
const FIRST: usize = 6;
/// So many rows has a page of one list.
const PAGE: usize = 50;
