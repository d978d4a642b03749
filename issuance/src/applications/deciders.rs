//! Applications that wait for a decision which no officer in service may take, since each who could had a hand in them:
//! a small house after a complaint, for one. By the rules of the steps themselves.

use std::collections::BTreeMap;

use time::{Date, OffsetDateTime};

use super::model::{Application, Stage};
use super::store::progress as store;
use super::{appeals, steps};
use crate::access;
use crate::ground::ids::ApplicationId;
use crate::ground::{Id, OfficeCode, Officer, Permission, Role};
use crate::store::{StoreError, Tx};

/// An application about which no officer in service may decide.
#[derive(Clone, Debug)]
pub struct Undecidable {
    /// The application.
    pub application: ApplicationId,
    /// The office that has it.
    pub office: OfficeCode,
}

/// The officers of some offices who decide, each office read once.
#[derive(Debug)]
struct Posts {
    officers: BTreeMap<String, Option<Vec<Officer>>>,
    successors: BTreeMap<String, String>,
    most: usize,
    now: OffsetDateTime,
}

impl Posts {
    async fn read(tx: &mut Tx, now: OffsetDateTime, most: usize) -> Result<Self, StoreError> {
        let successors = access::dissolutions::successors(tx).await?;
        Ok(Self { officers: BTreeMap::new(), successors, most, now })
    }

    /// Returns the officers who may decide about an application, but for the hand that they may have had in it; `None`
    /// where they are so many that one of them is left: an application goes through few hands.
    async fn who_may(&mut self, tx: &mut Tx, application: &Application) -> Result<Option<Vec<Officer>>, StoreError> {
        let national = OfficeCode::national();
        let mut offices = vec![application.office.to_string(), national.to_string()];
        offices.extend(self.successors.get(application.office.as_str()).cloned());
        offices.sort();
        offices.dedup();
        let of_complaint = matches!(application.stage, Stage::Appealed { .. });
        let may = |officer: &Officer| {
            officer.may_act_for(&application.office).is_ok()
                && if of_complaint {
                    officer.office == national
                } else {
                    steps::at_its_place(officer, application).is_ok()
                }
        };
        let mut found = Vec::new();
        for office in offices {
            if !self.officers.contains_key(&office) {
                let of = (office.as_str(), Permission::Decide);
                let officers = access::officers_with(tx, of, self.now, self.most).await?;
                self.officers.insert(office.clone(), officers);
            }
            // Where the step asks for another place, the officers of this one are none.
            let counts = !of_complaint || office == national.as_str();
            match &self.officers[&office] {
                Some(officers) => found.extend(officers.iter().filter(|officer| may(officer)).cloned()),
                None if counts => return Ok(None),
                None => {}
            }
        }
        Ok(Some(found))
    }
}

/// Returns applications that wait for a decision which each officer in service who could take it may not take: of
/// complaints, of decisions that are taken anew after one, and of those that are late at a place with few officers. A
/// place without any such officer is another matter: `Defect::NoOfficer`. Rows that another hand changed are left out.
///
/// # Errors
/// [`StoreError`]
pub async fn without_any(tx: &mut Tx, today: Date, now: OffsetDateTime) -> Result<Vec<Undecidable>, StoreError> {
    let (mut posts, mut found, mut after) = (Posts::read(tx, now, MANY).await?, Vec::new(), Id::nil());
    loop {
        let some = store::to_decide(tx, today, after, PIECE).await?;
        let Some(last) = some.last() else { return Ok(found) };
        after = *last;
        for id in some {
            match judge(tx, &mut posts, id).await {
                Ok(one) => found.extend(one),
                Err(StoreError::Tampered { .. } | StoreError::Inconsistent { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// True if no officer in service may decide about an application that waits for it, and officers who could are few. For
/// the officer who reads it: what another hand changed is shown as such elsewhere.
///
/// # Errors
/// [`StoreError`]
pub async fn lacks_one(tx: &mut Tx, id: ApplicationId, now: OffsetDateTime) -> Result<bool, StoreError> {
    let mut posts = Posts::read(tx, now, FEW).await?;
    match judge(tx, &mut posts, id).await {
        Err(StoreError::Tampered { .. } | StoreError::Inconsistent { .. }) => Ok(false),
        judged => judged.map(|one| one.is_some()),
    }
}

async fn judge(tx: &mut Tx, posts: &mut Posts, id: ApplicationId) -> Result<Option<Undecidable>, StoreError> {
    let Some(application) = store::looked_at(tx, id).await? else { return Ok(None) };
    let Some((office, Role::Approver)) = application.progress.owner.clone() else { return Ok(None) };
    let officers = posts.who_may(tx, &application).await?.unwrap_or_default();
    if officers.is_empty() {
        return Ok(None);
    }
    let mut hands = steps::hands_in(tx, &application).await?;
    hands.extend(application.stage.hands());
    if let Stage::Appealed { .. } = application.stage {
        hands.extend(appeals::decided_before(tx, &application).await?);
    }
    let barred = |officer: &Officer| {
        let one_of_them = hands.iter().any(|hand| officer.is_one_with(*hand));
        one_of_them || application.stage.second(&hands, officer.id).is_err()
    };
    Ok(officers.iter().all(barred).then_some(Undecidable { application: id, office }))
}

/// So many applications are read in one go.
const PIECE: i64 = 200;
/// Where so many officers of an office decide, one of them had no hand in it.
const MANY: usize = 24;
/// The same for an officer who reads one application, and does not wait for the rows of many officers.
const FEW: usize = 6;
