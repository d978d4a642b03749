//! What of a card needs no chip is made before one is presented: DG1, DG2, DG13 and their hashes, for the applications
//! of released batches, by a job. Each is an object named by its content, sealed under a content key of its own, and
//! erased with the portraits of its application.
//!
//! ```text
//! look (transaction) -> portraits read -> composed (deed, dropped) -> object written -> noted (deed)
//! ```
//! A run that is cut leaves objects that are found again under their names, or nothing. What was made is used
//! only where the encoders make the same of the register and the portrait at the moment in which a chip is
//! bound, in the transaction that binds it: then nothing that changed meanwhile is overtaken. DG1 and DG13 are
//! encoded again for that, which costs no more than a digest of the record would, and also sees other tables of
//! places and another program.

use std::time::Duration;

use crypto::identity::PersonalNumber;
use crypto::lds::DataGroup;
use crypto::suite::Hash;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Production;
use super::error::ProductionError;
use super::personalization::hold;
use super::store::card_batches;
use crate::applications::fetched::FetchedPortrait;
use crate::applications::model::{Application, HoldReason, Stage};
use crate::applications::portrait;
use crate::applications::store::{self as applications, ahead, closed};
use crate::cards::CardProfile;
use crate::cards::compose::{self, Bearer, ComposeError, Texts};
use crate::deed::{Action, Deed, Deeds, Entry, Object, Purpose};
use crate::ground::actor::{Actor, Service};
use crate::ground::blocking;
use crate::ground::ids::ApplicationId;
use crate::ground::objects::{ObjectError, Objects};
use crate::population;
use crate::production::card_batches::CardBatchState;
use crate::store::StoreError;

/// The groups of a card that need no chip, with their hashes.
pub(super) struct MadeAhead {
    head: Head,
    /// DG2.
    pub(super) dg2: Vec<u8>,
}

/// What an object begins with.
#[derive(Deserialize, Serialize)]
struct Head {
    application: ApplicationId,
    /// Names what it was made of, [`inputs`].
    #[serde(with = "hex::serde")]
    inputs: [u8; 32],
    /// Of DG1, DG2 and DG13.
    lengths: [usize; 3],
    /// Likewise.
    hashes: [String; 3],
}

/// The groups in their order.
const GROUPS: [DataGroup; 3] = [DataGroup::DG1, DataGroup::DG2, DataGroup::DG13];

impl MadeAhead {
    /// Reads what was made ahead; none where it is lost or broken: then it is made when its chip is there.
    pub(super) async fn fetch(objects: &Objects, name: &str) -> Option<Self> {
        match objects.fetch(name).await {
            Ok(bytes) => Self::parse(&bytes),
            Err(error) => {
                tracing::warn!(%error, "what was made ahead for a card cannot be read: it is made anew");
                None
            }
        }
    }

    /// The length of the head, the head, DG1, DG2 and DG13.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first_chunk()?;
        let (head, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        let head: Head = serde_json::from_slice(head).ok()?;
        let [dg1, dg2, dg13] = head.lengths;
        let whole = dg1.checked_add(dg2)?.checked_add(dg13)? == rest.len();
        let dg2 = rest.get(dg1..)?.get(..dg2).filter(|_| whole)?.to_vec();
        Some(Self { head, dg2 })
    }

    /// Returns the hashes by group, if it was made for this application of what the encoders make of it now.
    pub(super) fn hashes(
        &self,
        application: &Application,
        texts: &Texts,
        portrait: &str,
        profile: &CardProfile,
    ) -> Option<Vec<(DataGroup, Vec<u8>)>> {
        let made_of = (self.head.application, self.head.inputs);
        if made_of != (application.id, inputs(texts, portrait, profile)) {
            return None;
        }
        let hashes = GROUPS.iter().zip(&self.head.hashes);
        hashes.map(|(group, hash)| Some((*group, hex::decode(hash).ok()?))).collect()
    }
}

/// Names what the three groups are made of: the texts as they are encoded, the portrait by its object, which never
/// changes, and the hash of the hash table.
fn inputs(texts: &Texts, portrait: &str, profile: &CardProfile) -> [u8; 32] {
    let mut all = Vec::new();
    let hash = format!("{:?}", profile.sod.hash);
    for part in [&texts.dg1[..], &texts.dg13, portrait.as_bytes(), hash.as_bytes()] {
        all.extend((part.len() as u64).to_be_bytes());
        all.extend(part);
    }
    Hash::Sha256.digest(&all).try_into().expect("SHA-256 has 32 bytes")
}

/// An application for which something is to be made.
struct Wanted {
    id: ApplicationId,
    portrait: Option<FetchedPortrait>,
}

/// What one is made of.
struct Sketch {
    texts: Texts,
    portrait: String,
    jpeg: Zeroizing<Vec<u8>>,
}

/// What came of one.
enum Made {
    /// It lies under this name, and was made of this.
    Kept(String, [u8; 32]),
    /// No card can carry it.
    Unfit,
    /// Its portrait or its record cannot be read; the station that has its turn says so.
    Unread,
}

/// Makes a stretch ahead: for some applications of released batches, the most urgent batches first. Returns for how
/// many something was done; 0 if nothing is lacking today. An application that no card can carry is held, before a
/// chip is on a reader for it.
///
/// # Errors
/// [`ProductionError`]; what was not noted is found under the same name by the next stretch.
pub async fn make(production: &Production, deeds: &Deeds) -> Result<usize, ProductionError> {
    if production.settings.ahead_percent == 0 {
        return Ok(0);
    }
    let wanted = lacking(production, deeds).await?;
    if wanted.is_empty() {
        return Ok(0);
    }
    let mut deed = deeds.open(Service).await?;
    let mut sketches = Vec::new();
    for Wanted { id, portrait } in &wanted {
        sketches.push((*id, sketch(&mut deed, production, *id, portrait.as_ref()).await?));
    }
    // Nothing of it was handed out: what is kept of it is recorded where it is noted.
    drop(deed);
    let (objects, profile) = (production.objects.clone(), std::sync::Arc::clone(&production.profile));
    let made = blocking::run(move || {
        let each = sketches.into_iter().map(|(id, sketch)| Ok((id, keep(&objects, &profile, id, sketch)?)));
        each.collect::<Result<Vec<_>, ObjectError>>()
    })
    .await?;
    note(production, deeds, made).await?;
    Ok(wanted.len())
}

/// Returns the next applications for which nothing was made today, with their portraits.
async fn lacking(production: &Production, deeds: &Deeds) -> Result<Vec<Wanted>, ProductionError> {
    let today = deeds.source().clock().today();
    let mut tx = deeds.db().begin_read().await?;
    let mut batches = card_batches::unclosed(&mut tx).await?;
    batches.retain(|batch| batch.state == CardBatchState::Released);
    batches.sort_by_key(|batch| (std::cmp::Reverse(batch.priority), batch.id));
    let mut names = Vec::new();
    for batch in batches {
        let most = i64::try_from(STRETCH - names.len()).unwrap_or(0);
        for id in ahead::lacking(&mut tx, batch.id, today, most).await? {
            names.push((id, applications::portrait_name(&mut tx, id).await?));
        }
        if names.len() >= STRETCH {
            break;
        }
    }
    drop(tx);
    let mut wanted = Vec::new();
    for (id, name) in names {
        let portrait = match name {
            Some(name) => Some(FetchedPortrait::of(&production.objects, name).await),
            None => None,
        };
        wanted.push(Wanted { id, portrait });
    }
    Ok(wanted)
}

/// Returns what the card of an application is made of, or why nothing can be made.
async fn sketch<A: Actor>(
    deed: &mut Deed<A>,
    production: &Production,
    id: ApplicationId,
    portrait: Option<&FetchedPortrait>,
) -> Result<Result<Sketch, Made>, ProductionError> {
    let Some(jpeg) = portrait.and_then(|portrait| portrait.jpeg().ok()) else { return Ok(Err(Made::Unread)) };
    let application = match applications::application(deed, id).await {
        Ok(Some(application)) => application,
        Ok(None) => return Ok(Err(Made::Unread)),
        Err(error) if is_of_one(&error) => return Ok(Err(Made::Unread)),
        Err(error) => return Err(error.into()),
    };
    let Some(capture) = application.stage.capture_of() else { return Ok(Err(Made::Unread)) };
    let portrait = capture.portrait.clone();
    Ok(match texts_of(deed, production, &application).await {
        Ok((texts, _)) => Ok(Sketch { texts, portrait, jpeg: Zeroizing::new(jpeg.to_vec()) }),
        Err(ProductionError::Compose(_)) => Err(Made::Unfit),
        Err(ProductionError::Store(error)) if is_of_one(&error) => Err(Made::Unread),
        Err(error) => return Err(error),
    })
}

/// True for a fault of one record, which stops no other.
fn is_of_one(error: &StoreError) -> bool {
    matches!(error, StoreError::Inconsistent { .. } | StoreError::Tampered { .. })
}

/// Encodes what stands on the card of an application in letters, if it were issued today. Returns it with the number of
/// its holder.
pub(super) async fn texts_of<A: Actor>(
    deed: &mut Deed<A>,
    production: &Production,
    application: &Application,
) -> Result<(Texts, PersonalNumber), ProductionError> {
    let capture = application.stage.capture_of().ok_or(ProductionError::ApplicationGone)?;
    let registered = population::store::person(deed, application.person).await?;
    let registered = registered.ok_or_else(|| StoreError::inconsistent("application", "person_id", application.id))?;
    let number = registered.personal_number;
    let number = number.ok_or_else(|| StoreError::inconsistent("person", "personal_number", registered.id))?;
    let (person, features) = (registered.person.on_card(), capture.features.as_str());
    let bearer = Bearer { person, number, features, issued: deed.today() };
    Ok((compose::texts(&bearer, &production.profile, production.register.reference())?, number))
}

/// Encodes and hashes the groups of one application, and writes them down. Blocking.
fn keep(
    objects: &Objects,
    profile: &CardProfile,
    id: ApplicationId,
    sketch: Result<Sketch, Made>,
) -> Result<Made, ObjectError> {
    let Sketch { texts, portrait, jpeg } = match sketch {
        Ok(sketch) => sketch,
        Err(made) => return Ok(made),
    };
    let dg2 = match compose::picture(portrait::on_chip(&jpeg)) {
        Ok(dg2) => Zeroizing::new(dg2),
        Err(ComposeError::Dg2(_)) => return Ok(Made::Unfit),
        Err(_) => return Ok(Made::Unread),
    };
    let inputs = inputs(&texts, &portrait, profile);
    let groups = [&texts.dg1[..], &dg2[..], &texts.dg13[..]];
    let hashes = groups.map(|raw| hex::encode(profile.sod.hash.digest(raw)));
    let head = Head { application: id, inputs, lengths: groups.map(<[u8]>::len), hashes };
    let head = serde_json::to_vec(&head).expect("a head becomes JSON");
    let length = u32::try_from(head.len()).expect("a head is short").to_be_bytes();
    let bytes = Zeroizing::new([&length[..], &head, groups[0], groups[1], groups[2]].concat());
    Ok(Made::Kept(objects.keep_once(&format!("made-ahead/{id}"), &bytes)?, inputs))
}

/// Notes what was made, of each application that still waits and of which the same would be made now.
async fn note(production: &Production, deeds: &Deeds, made: Vec<(ApplicationId, Made)>) -> Result<(), ProductionError> {
    let mut deed = deeds.open(Service).await?;
    let (at, today, mut replaced) = (deed.at(), deed.today(), Vec::new());
    for (id, made) in made {
        let application = match applications::application_locked(&mut deed, id).await {
            Ok(Some(application)) => application,
            Ok(None) | Err(StoreError::Inconsistent { .. } | StoreError::Tampered { .. }) => {
                ahead::put(deed.tx(), id, today, None, at).await?;
                let entry = Entry::new(Action::ApplicationRead, Object::Application(id), Purpose::Personalization);
                deed.enter(entry.because("its record cannot be believed")).await?;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let entry = |action| {
            let entry = Entry::new(action, Object::Application(id), Purpose::Personalization);
            entry.about(application.person).of(&application.office)
        };
        let portrait = application.stage.capture_of().map(|capture| capture.portrait.clone()).unwrap_or_default();
        let waits = matches!(application.stage, Stage::Approved { .. });
        let texts = match waits {
            true => texts_of(&mut deed, production, &application).await,
            false => Err(ProductionError::ApplicationGone),
        };
        match (made, texts) {
            (_, Err(ProductionError::Store(error))) if !is_of_one(&error) => return Err(error.into()),
            (Made::Kept(name, made_of), Ok((texts, _)))
                if made_of == inputs(&texts, &portrait, &production.profile) =>
            {
                let before = ahead::put(deed.tx(), id, today, Some(&name), at).await?;
                closed::note(deed.tx(), id, &name, at).await?;
                if let Some(before) = before.filter(|before| *before != name) {
                    closed::forget(deed.tx(), id, &before).await?;
                    replaced.push(before);
                }
                deed.enter(entry(Action::CardMadeAhead)).await?;
            }
            (_, Err(ProductionError::Compose(_))) | (Made::Unfit, Ok(_)) => {
                hold(&mut deed, application, HoldReason::NotComposable).await?;
            }
            (Made::Unread, _) => {
                ahead::put(deed.tx(), id, today, None, at).await?;
                deed.enter(entry(Action::ApplicationRead)).await?;
            }
            // It moved, or what the register or the counter holds changed since: the next stretch looks again.
            _ => deed.enter(entry(Action::ApplicationRead)).await?,
        }
    }
    deed.commit().await?;
    let objects = production.objects.clone();
    Ok(blocking::run(move || replaced.iter().try_for_each(|name| objects.erase(name))).await?)
}

impl Production {
    /// Returns how long the job rests after a stretch that took so long, so that it has its share of a core at most.
    #[must_use]
    pub fn rest_after(&self, worked: Duration) -> Duration {
        rest(worked, self.settings.ahead_percent)
    }
}

/// Returns the rest after which what was worked is so many percent of the time.
fn rest(worked: Duration, percent: u8) -> Duration {
    let percent = u32::from(percent.clamp(1, 100));
    worked * (100 - percent) / percent
}

/// So many cards are made ahead in one stretch: they are noted in one transaction, for which other writers wait.
const STRETCH: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_job_rests_until_its_work_is_its_share() {
        let worked = Duration::from_millis(40);
        assert_eq!(rest(worked, 25), Duration::from_millis(120));
        assert_eq!(rest(worked, 50), worked);
        assert_eq!(rest(worked, 100), Duration::ZERO);
    }

    #[test]
    fn what_is_cut_short_or_too_long_is_nothing() {
        let head = Head {
            application: crate::ground::Id::nil(),
            inputs: [7; 32],
            lengths: [2, 3, 1],
            hashes: std::array::from_fn(|_| "00".to_owned()),
        };
        let head = serde_json::to_vec(&head).unwrap();
        let length = u32::try_from(head.len()).unwrap().to_be_bytes();
        let whole = [&length[..], &head, b"aabbbc"].concat();
        assert_eq!(MadeAhead::parse(&whole).unwrap().dg2, b"bbb");
        for cut in 0..whole.len() {
            assert!(MadeAhead::parse(&whole[..cut]).is_none(), "{cut} bytes");
        }
        assert!(MadeAhead::parse(&[&whole[..], b"d"].concat()).is_none());
    }
}
