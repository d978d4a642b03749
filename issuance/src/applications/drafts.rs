//! What a counter takes bit by bit, before it is sent: features and portrait. It is kept with each bit, so that a
//! browser that closes or a session that ends loses nothing, and any officer of the counter finds it again. A step of
//! the application ends it.

use rand::Rng as _;
use sha2::{Digest, Sha256};

use super::fingerprints::{self, PrintState, TenPrintCard};
use super::model::{Application, Stage, TransitionError};
use super::portrait::{Finding, PortraitError};
use super::stages::{self, Step};
use super::store::{self, closed};
use super::{Counter, CounterError, claims, portrait, steps};
use crate::deed::{Action, Deed, Entry, Object, Purpose};
use crate::ground::ids::ApplicationId;
use crate::ground::text::tidy;
use crate::ground::{Decision, Officer, blocking};
use crate::store::StoreError;

/// What was taken and not sent yet.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Draft {
    /// Identifying features; empty until they are described.
    pub features: String,
    /// The portrait.
    pub portrait: Option<Taken>,
    /// The ten-print card.
    pub fingerprints: TenPrintCard,
    /// The officer who kept it last, and the moment; none where it is what was sent before.
    pub saved: Option<Decision>,
}

/// Shows nothing: a draft is personal.
impl std::fmt::Debug for Draft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Draft(…)")
    }
}

/// A portrait that was taken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Taken {
    /// The name of its object.
    pub name: String,
    /// What was found in the photograph.
    pub findings: Vec<Finding>,
}

/// A change of a draft that was kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Kept {
    /// The name of what stood there before.
    pub before: DraftDigest,
    /// The name of what stands there now.
    pub now: DraftDigest,
}

/// The name of what an officer saw of a draft, for the act that sends it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DraftDigest(pub [u8; 32]);

impl Draft {
    /// Returns the name of what stands in it.
    #[must_use]
    pub fn digest(&self) -> DraftDigest {
        let portrait = self.portrait.as_ref().map_or("", |taken| taken.name.as_str());
        let hash = Sha256::new_with_prefix("draft\0").chain_update(portrait).chain_update([0]);
        let mut hash = hash.chain_update(&self.features);
        for print in self.fingerprints.prints() {
            let state = match &print.state {
                PrintState::Image { object, .. } => object.as_str(),
                PrintState::None { because } => because.word(),
            };
            hash = hash.chain_update([0]).chain_update(print.finger.word()).chain_update([0]).chain_update(state);
        }
        DraftDigest(hash.finalize().into())
    }

    /// Returns what an officer answers for who uses the portrait.
    pub fn doubts(&self) -> impl Iterator<Item = Finding> {
        let findings = self.portrait.as_ref().map(|taken| taken.findings.as_slice()).unwrap_or_default();
        findings.iter().copied().filter(|finding| !finding.is_good())
    }

    /// Returns what was sent before, as the draft from which another one begins.
    fn sent(stage: &Stage) -> Self {
        let Some(capture) = stage.capture_of() else { return Self::default() };
        let portrait = Some(Taken { name: capture.portrait.clone(), findings: vec![] });
        Self { features: capture.features.clone(), portrait, ..Self::default() }
    }
}

/// Returns what stands before the officer: the draft, or what was sent before. For an application whose reading is
/// recorded.
///
/// # Errors
/// [`StoreError`]
pub async fn of_application(deed: &mut Deed<Officer>, application: &Application) -> Result<Draft, StoreError> {
    let kept = store::drafts::of_application(deed.tx(), application.id).await?;
    let fingerprints = fingerprints::of_application(deed, application.id).await?;
    Ok(Draft { fingerprints, ..kept.unwrap_or_else(|| Draft::sent(&application.stage)) })
}

/// True if portrait and features may be taken at the stage of an application.
#[must_use]
pub fn may_be_taken(application: &Application) -> bool {
    stages::next(application.stage.which(), Step::Capture, application.procedure()).is_some()
}

/// Draws the salt of what is taken.
pub(super) fn salt(deed: &mut Deed<Officer>) -> [u8; 16] {
    let mut salt = [0; 16];
    deed.rng().fill_bytes(&mut salt);
    salt
}

/// Makes the portrait of a photograph, looks at it, and keeps it. Returns the object's name with what was found. Needs
/// no deed, so that no other writer waits while it computes.
///
/// # Errors
/// [`CounterError::Portrait`], [`CounterError::Object`]
pub async fn develop(counter: &Counter, photograph: Vec<u8>) -> Result<Taken, CounterError> {
    let portrait::Examined { jpeg, findings } = blocking::run(move || portrait::examined(&photograph)).await?;
    Ok(Taken { name: counter.objects().keep(jpeg).await?, findings })
}

/// Keeps the features that an officer typed; empty ones too, since an officer may begin anew.
///
/// # Errors
/// [`CounterError::Features`] for more than a card can carry; as [`take`].
pub async fn describe(
    deed: &mut Deed<Officer>,
    counter: &Counter,
    id: ApplicationId,
    features: &str,
) -> Result<Kept, CounterError> {
    let features = tidy(features).unwrap_or_default();
    if !steps::fits_a_card(&features) {
        return Err(CounterError::Features);
    }
    keep(deed, counter, id, |draft| draft.features = features).await
}

/// Keeps the portrait that was made of a photograph.
///
/// # Errors
/// [`CounterError::Claimed`] while another officer has the application; [`CounterError::Transition`] at a stage at
/// which nothing is taken; [`CounterError`]
pub async fn take(
    deed: &mut Deed<Officer>,
    counter: &Counter,
    id: ApplicationId,
    taken: Taken,
) -> Result<Kept, CounterError> {
    // Its name is noted at once: it is erased with the others of the application, also if it is never sent.
    let at = deed.at();
    let name = taken.name.clone();
    let kept = keep(deed, counter, id, |draft| draft.portrait = Some(taken)).await?;
    closed::took(deed.tx(), id, &name, at).await?;
    Ok(kept)
}

/// Changes the draft of an application, which the officer has before them from now on.
async fn keep(
    deed: &mut Deed<Officer>,
    counter: &Counter,
    id: ApplicationId,
    change: impl FnOnce(&mut Draft),
) -> Result<Kept, CounterError> {
    let application = steps::to_step(deed, id).await?;
    if !may_be_taken(&application) {
        return Err(TransitionError::NotFrom(application.stage.name()).into());
    }
    if claims::free_for_actor(deed, &application).await?.is_none() {
        claims::claim(deed, counter, id).await?;
    }
    let mut draft = of_application(deed, &application).await?;
    let before = draft.digest();
    change(&mut draft);
    // Also where another officer sends it: who took a bit of what is decided on does not decide on it.
    steps::involve_actor(deed, id).await?;
    let saved = deed.decision();
    store::drafts::put(deed.tx(), id, &draft, &saved).await?;
    let entry = Entry::new(Action::ApplicationDraftKept, Object::Application(id), Purpose::Capture);
    deed.enter(entry.about(application.person).of(&application.office)).await?;
    Ok(Kept { before, now: draft.digest() })
}

/// Sends what was taken: `→ Captured`. The officer names what that officer saw, and answers for a portrait that is
/// blurred, badly lit or without a face that was found: the record says so.
///
/// # Errors
/// [`CounterError::Doubtful`] for a portrait that an officer must answer for; [`CounterError::Portrait`],
/// [`CounterError::Features`] where one is missing; [`TransitionError::Changed`] if something else was seen;
/// [`CounterError`]
pub async fn send(
    deed: &mut Deed<Officer>,
    id: ApplicationId,
    seen: Option<DraftDigest>,
    answered_for: bool,
) -> Result<Application, CounterError> {
    let application = steps::to_step(deed, id).await?;
    let draft = of_application(deed, &application).await?;
    if seen.ok_or(TransitionError::NotSeen)? != draft.digest() {
        return Err(TransitionError::Changed.into());
    }
    let doubts: Vec<String> = draft.doubts().map(Finding::word).collect();
    if !doubts.is_empty() && !answered_for {
        return Err(CounterError::Doubtful("the portrait is not as it should be"));
    }
    let because = (!doubts.is_empty()).then(|| format!("portrait: {}; acknowledged", doubts.join(", ")));
    let taken = draft.portrait.ok_or(PortraitError::Missing)?;
    steps::captured(deed, id, taken.name, &draft.features, because).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_named_by_portrait_and_features() {
        let draft = |name: &str, features: &str| {
            let portrait = Some(Taken { name: name.into(), findings: vec![] });
            Draft { features: features.into(), portrait, ..Draft::default() }.digest()
        };
        assert_eq!(draft("a", "b"), draft("a", "b"));
        let all = [draft("a", "b"), draft("a", "c"), draft("b", "b"), draft("ab", ""), draft("", "ab")];
        for (at, one) in all.iter().enumerate() {
            assert!(all[at + 1..].iter().all(|other| other != one));
        }
    }
}
