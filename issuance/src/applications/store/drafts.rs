//! SQL of what a counter took and has not sent yet.

use crate::applications::drafts::{Draft, Taken};
use crate::applications::fingerprints::TenPrintCard;
use crate::ground::ids::ApplicationId;
use crate::ground::{Decision, Id};
use crate::store::{Argument, StoreError, Tx};
use crate::{args, sql};

/// Keeps the draft of an application, in the place of the last one.
pub(in crate::applications) async fn put(
    tx: &mut Tx,
    id: ApplicationId,
    draft: &Draft,
    saved: &Decision,
) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into application_draft (application_id, features, portrait, findings, saved_by, saved_at)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (application_id) do update set features = $2, portrait = $3, findings = $4, saved_by = $5, saved_at = $6"
    );
    let portrait = draft.portrait.as_ref().map(|taken| taken.name.as_str());
    let findings = draft.portrait.as_ref().map(|taken| taken.findings.clone()).unwrap_or_default();
    tx.run(sql, args![id, draft.features.as_str(), portrait, Argument::json(&findings), saved.by, saved.at]).await?;
    Ok(())
}

/// Returns the draft of an application, if there is one. The deed owes a record that names the person.
pub(in crate::applications) async fn of_application(
    tx: &mut Tx,
    id: ApplicationId,
) -> Result<Option<Draft>, StoreError> {
    let sql = sql!(
        "select application_id, features, portrait, findings, saved_by, saved_at from application_draft
         where application_id = $1"
    );
    let Some(row) = tx.one(sql, args![id]).await? else { return Ok(None) };
    let (portrait, findings): (Option<String>, _) = (row.get("portrait")?, row.json("findings")?);
    Ok(Some(Draft {
        features: row.get("features")?,
        portrait: portrait.map(|name| Taken { name, findings }),
        fingerprints: TenPrintCard::default(),
        saved: Some(Decision { by: Id::of(&row, "saved_by")?, at: row.get("saved_at")? }),
    }))
}

/// Forgets the draft of an application: it took a step.
pub(in crate::applications) async fn forget(tx: &mut Tx, id: ApplicationId) -> Result<(), StoreError> {
    tx.run(sql!("delete from application_draft where application_id = $1"), args![id]).await?;
    Ok(())
}
