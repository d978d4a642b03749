//! Where requests become verbs: opens deeds, keeps answers.

use axum::Json;
use serde::{Deserialize, Serialize};

use super::write::{Answer, Looked, Stamp, repeated, seal_purpose};
use super::{Problem, store};
use crate::deed::{Action, Deed, Deeds, Object, Purpose};
use crate::ground::actor::Actor;
use crate::ground::{Secrets, failpoint};

/// Settings of the web.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Largest request body of a known caller, in bytes.
    pub body_limit: usize,
    /// The API as a page for people, at `/docs`.
    pub docs: bool,
    /// Largest request body of a known caller on a page that takes files, in bytes.
    pub upload_limit: usize,
    /// A known caller's body must have come whole within this time.
    #[serde(with = "crate::ground::span::std")]
    pub body_deadline: std::time::Duration,
    /// Bytes that the bodies of all known callers may hold at once.
    pub known_bytes: usize,
    /// As `known_bytes`, per origin.
    pub known_bytes_per_origin: usize,
    /// A request that takes longer is given up.
    #[serde(with = "crate::ground::span::std")]
    pub request_limit: std::time::Duration,
    /// Largest request body where the caller is unknown, in bytes.
    pub stranger_body_limit: usize,
    /// An unknown caller's body must have come whole within this time.
    #[serde(with = "crate::ground::span::std")]
    pub stranger_body_deadline: std::time::Duration,
    /// Bytes that the bodies of all unknown callers may hold at once.
    pub stranger_bytes: usize,
    /// As `stranger_bytes`, per origin.
    pub stranger_bytes_per_origin: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            body_limit: 4 * MIB,
            docs: false,
            upload_limit: 16 * MIB,
            body_deadline: std::time::Duration::from_secs(30),
            known_bytes: 192 * MIB,
            known_bytes_per_origin: 64 * MIB,
            request_limit: std::time::Duration::from_mins(1),
            stranger_body_limit: 8 * 1024,
            stranger_body_deadline: std::time::Duration::from_secs(10),
            stranger_bytes: 4 * MIB,
            stranger_bytes_per_origin: MIB,
        }
    }
}

const MIB: usize = 1024 * 1024;

/// What every handler needs: deeds, and the secrets under which answers rest.
#[derive(Clone, Debug)]
pub struct Desk {
    deeds: Deeds,
    secrets: Secrets,
}

impl Desk {
    /// A desk over these deeds.
    #[must_use]
    pub fn new(deeds: Deeds, secrets: Secrets) -> Self {
        Self { deeds, secrets }
    }

    /// Opens deeds.
    #[must_use]
    pub fn deeds(&self) -> &Deeds {
        &self.deeds
    }

    /// Runs `verb` as a deed of its own and returns what it answers: for reads, whose record is all that they write.
    ///
    /// # Errors
    /// What `verb` says.
    pub async fn look<A: Actor, T, E: Into<Problem>>(
        &self,
        actor: A,
        verb: impl AsyncFnOnce(&mut Deed<A>) -> Result<T, E>,
    ) -> Looked<T> {
        let mut deed = self.deeds.open(actor).await?;
        let answer = verb(&mut deed).await.map_err(Into::into)?;
        deed.commit().await?;
        Ok(Json(answer))
    }

    /// Returns the stored answer of a request that came before, if it did: for verbs that do something before
    /// [`write`](Self::write).
    ///
    /// # Errors
    /// As [`write`](Self::write) for a repeated request.
    pub async fn answered(&self, actor: &impl Actor, stamp: &Stamp) -> Result<Option<Answer>, Problem> {
        let caller = actor.caller().to_string();
        let mut tx = self.deeds.db().begin_read().await?;
        if store::answer(&mut tx, &caller, stamp.key.as_str()).await?.is_none() {
            return Ok(None);
        }
        drop(tx);
        self.replay(self.deeds.open(actor.clone()).await?, stamp).await.map(Some)
    }

    /// Runs `verb` in one transaction together with its answer: a repeated request has one effect and the same answer.
    ///
    /// A refusal leaves nothing behind, so the same key may be used again after the cause is gone.
    ///
    /// # Errors
    /// What `verb` says; `idempotency-key-reused` if the key came before with another request.
    pub async fn write<A: Actor, T: Serialize, E: Into<Problem>>(
        &self,
        actor: A,
        stamp: Stamp,
        verb: impl AsyncFnOnce(&mut Deed<A>) -> Result<T, E>,
    ) -> Result<Answer, Problem> {
        self.settle(actor, stamp, async |deed| verb(deed).await.map(|answer| (answer, None))).await
    }

    /// As [`write`](Self::write), for an answer with a secret in it: `verb` returns the answer that is kept, without
    /// the secret, and the one that is shown this once.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn write_and_show_once<A: Actor, T: Serialize, E: Into<Problem>>(
        &self,
        actor: A,
        stamp: Stamp,
        verb: impl AsyncFnOnce(&mut Deed<A>) -> Result<(T, T), E>,
    ) -> Result<Answer, Problem> {
        self.settle(actor, stamp, async |deed| verb(deed).await.map(|(kept, shown)| (kept, Some(shown)))).await
    }

    async fn settle<A: Actor, T: Serialize, E: Into<Problem>>(
        &self,
        actor: A,
        stamp: Stamp,
        verb: impl AsyncFnOnce(&mut Deed<A>) -> Result<(T, Option<T>), E>,
    ) -> Result<Answer, Problem> {
        let mut deed = self.deeds.open(actor).await?;
        let (caller, at) = (deed.caller().to_string(), deed.at());
        let hash = self.secrets.fingerprint("request", &stamp.request_hash);
        if !store::claim(deed.tx(), &caller, stamp.key.as_str(), &hash, at).await? {
            return Box::pin(self.replay(deed, &stamp)).await;
        }
        let (kept, shown) = verb(&mut deed).await.map_err(Into::into)?;
        let body = serde_json::to_vec(&kept).map_err(|e| Problem::internal(&e))?;
        // Answers carry personal data, and outlive the request: they rest encrypted.
        let sealed = self.secrets.seal(&seal_purpose(&caller, &stamp), &body);
        let persons = deed.told().clone();
        store::keep(deed.tx(), &caller, stamp.key.as_str(), sealed, &persons).await?;
        deed.commit().await?;
        failpoint::pass(failpoint::WRITE_COMMITTED);
        match shown {
            Some(shown) => Ok(Answer::fresh(serde_json::to_vec(&shown).map_err(|e| Problem::internal(&e))?)),
            None => Ok(Answer::fresh(body)),
        }
    }

    /// Gives the stored answer again, with a record about each person of whom it tells.
    async fn replay<A: Actor>(&self, mut deed: Deed<A>, stamp: &Stamp) -> Result<Answer, Problem> {
        let caller = deed.caller();
        let answer = repeated(deed.tx(), &self.secrets, &caller.to_string(), stamp).await?;
        let persons = store::persons(deed.tx(), &caller.to_string(), stamp.key.as_str()).await?;
        for person in &persons {
            let object = Object::of_caller(&caller);
            deed.record(Action::AnswerReplayed, object, Some(*person), Purpose::Work).await?;
        }
        if !persons.is_empty() {
            deed.commit().await?;
        }
        Ok(answer)
    }
}
