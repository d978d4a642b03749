//! Which applications are late, by the office and the role that have them, and which have no owner: for the
//! administrator, while the service runs or not.

use std::collections::BTreeSet;

use serde::Serialize;
use time::{Date, OffsetDateTime};

use super::Settings;
use super::compose::{self, StartError};
use crate::applications::deciders;
use crate::applications::store::progress::{self as store, LateRow};
use crate::ground::ids::{ApplicationId, BoxId};
use crate::ground::{Id, OfficeCode, Permission};
use crate::offices::calendar::Day;
use crate::offices::steps;
use crate::store::{StoreError, Tx};
use crate::{access, production};

/// What is late, and what is wrong.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Overdue {
    /// Late applications, by office, role and day.
    pub late: Vec<LateDossier>,
    /// Boxes and parcels that should have been received.
    pub boxes: Vec<LateBox>,
    /// What no officer can do anything about before it is mended.
    pub defects: Vec<Defect>,
}

/// A box, or a parcel, that was not received by its day.
#[derive(Clone, Debug, Serialize)]
pub struct LateBox {
    /// The box.
    pub id: BoxId,
    /// The office that sent it.
    pub from_office: String,
    /// The office that it is for.
    pub to_office: String,
    /// When it was due; none for a box of before due days.
    pub due_on: Option<Day>,
}

/// A late application.
#[derive(Clone, Debug, Serialize)]
pub struct LateDossier {
    /// The office that has it.
    pub office: String,
    /// The role that has it.
    pub owner: String,
    /// The application.
    pub application: ApplicationId,
    /// Where it stands.
    pub stage: String,
    /// When it was due.
    pub due_on: Day,
    /// Working days since then.
    pub days_late: u32,
    /// When its owner was told.
    #[serde(with = "time::serde::rfc3339::option")]
    pub reminded_at: Option<OffsetDateTime>,
    /// When the national office was told.
    #[serde(with = "time::serde::rfc3339::option")]
    pub escalated_at: Option<OffsetDateTime>,
}

/// Something that waits and that no officer has.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "defect")]
pub enum Defect {
    /// An application without owner or due day.
    NoOwner {
        /// The application.
        application: ApplicationId,
    },
    /// Applications wait for a role at an office where no officer in service has it: the office was dissolved, or the
    /// officers left.
    NoOfficer {
        /// The office.
        office: String,
        /// The role.
        owner: String,
        /// So many wait.
        waiting: u64,
    },
    /// An application waits for a decision, and each officer in service who could take it had a hand in it.
    NoDecider {
        /// The application.
        application: ApplicationId,
        /// The office that has it.
        office: String,
    },
    /// Cases of the stock wait at an office where no officer in service keeps its stock.
    NoKeeper {
        /// The office.
        office: String,
        /// So many wait.
        waiting: u64,
    },
}

impl Defect {
    /// Returns how many wait.
    #[must_use]
    pub const fn waiting(&self) -> u64 {
        match self {
            Self::NoDecider { .. } | Self::NoOwner { .. } => 1,
            Self::NoOfficer { waiting, .. } | Self::NoKeeper { waiting, .. } => *waiting,
        }
    }

    /// Returns what is wrong, in a sentence; for work without an officer also what helps.
    #[must_use]
    pub fn says(&self) -> String {
        match self {
            Self::NoOwner { application } => format!("{application} waits without owner or due day"),
            Self::NoOfficer { office, owner, waiting } => {
                format!(
                    "{waiting} wait for {owner} of {office}, where no officer in service is one: appoint one, or move one \
                     there"
                )
            }
            Self::NoDecider { application, office } => format!(
                "{application} waits for a decision of {office}, and each officer in service who could take it had a hand in \
                 it, or stands in for one who had: appoint another approver there, or move one there from another \
                 office; a deputy helps where that officer had no hand in it, and stands in for none who had"
            ),
            Self::NoKeeper { office, waiting } => format!(
                "{waiting} cases of the stock wait at {office}, where no officer in service keeps it: appoint two, or two of \
                 the national office settle them"
            ),
        }
    }
}

/// Looks at an installation from outside. The service may run meanwhile, and need not.
///
/// # Errors
/// [`StartError`], which says what to do.
pub async fn overdue(settings: &Settings) -> Result<Overdue, StartError> {
    let opened = compose::look(settings).await?;
    let mut tx = opened.begin_read().await?;
    let found = look(&mut tx, opened.clock().today()).await;
    drop(tx);
    opened.close().await;
    Ok(found?)
}

/// Returns what is late on this day, and what is wrong.
///
/// # Errors
/// [`StoreError`]
pub async fn look(tx: &mut Tx, today: Date) -> Result<Overdue, StoreError> {
    let calendar = steps::calendar(tx, today.year() - 1, today.year()).await?;
    let late = store::late(tx, today).await?.into_iter().map(|row| {
        let LateRow { id, stage, owner_office, owner, due, reminded_at, escalated_at } = row;
        let days_late = calendar.working_days_between(due, today);
        let (office, application, due_on) = (owner_office, id, Day(due));
        LateDossier { office, owner, application, stage, due_on, days_late, reminded_at, escalated_at }
    });
    let late = late.collect();
    let mut defects = Vec::new();
    let mut after = Id::nil();
    loop {
        let some = store::ownerless(tx, after, PIECE).await?;
        let Some(last) = some.last() else { break };
        after = *last;
        defects.extend(some.into_iter().map(|application| Defect::NoOwner { application }));
    }
    let now = today.midnight().assume_utc();
    defects.extend(unattended(tx, today, now).await?);
    let boxes = production::late_boxes(tx, today, now).await?.into_iter().map(|boxed| LateBox {
        id: boxed.id,
        from_office: boxed.from.to_string(),
        to_office: boxed.to.to_string(),
        due_on: boxed.due_on.map(Day),
    });
    Ok(Overdue { late, boxes: boxes.collect(), defects })
}

/// Returns the work for which there is no officer in service where it waits, or none who may decide about it:
/// applications and cases of the stock.
///
/// # Errors
/// [`StoreError`]
pub async fn unattended(tx: &mut Tx, today: Date, now: OffsetDateTime) -> Result<Vec<Defect>, StoreError> {
    let mut defects = Vec::new();
    let posts = access::posts_in_service(tx).await?;
    let there: BTreeSet<(&str, &str)> =
        posts.iter().flat_map(|(office, roles)| roles.iter().map(move |role| (office.as_str(), role.name()))).collect();
    // The officers of the office that takes the place of another one act for it, until all of its work has moved.
    let successors = access::dissolutions::successors(tx).await?;
    let acts = |office: &str| successors.get(office).cloned().unwrap_or_else(|| office.to_owned());
    for (office, owner, waiting) in store::owners(tx).await? {
        if !there.contains(&(acts(&office).as_str(), owner.as_str())) {
            defects.push(Defect::NoOfficer { office, owner, waiting });
        }
    }
    for one in deciders::without_any(tx, today, now).await? {
        defects.push(Defect::NoDecider { application: one.application, office: one.office.to_string() });
    }
    let keeps = |office: &str| Permission::Stock.roles().iter().any(|role| there.contains(&(office, role.name())));
    for (office, waiting) in production::cases_by_office(tx).await? {
        if !keeps(&acts(&office)) {
            defects.push(Defect::NoKeeper { office, waiting });
        }
    }
    Ok(defects)
}

/// True if there is such an office: a unit, or the office of an officer in service.
///
/// # Errors
/// [`StoreError`]
pub async fn is_office(tx: &mut Tx, office: &OfficeCode) -> Result<bool, StoreError> {
    let posts = access::posts_in_service(tx).await?;
    Ok(posts.iter().any(|(of, _)| of == office) || steps::is_unit(tx, office).await?)
}

/// So many applications are read in one go.
const PIECE: i64 = 500;
