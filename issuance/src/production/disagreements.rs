//! What was signed and what was produced: each card has its signed document and its row in the registry, with one
//! digest, and each signed document is on a chip that is being written for its application, or is its card. Where they
//! disagree, a case is opened, and the alarm stays until two stock keepers settle it. What they settled is that
//! difference: another one of the same chip is another case.

use std::collections::{BTreeMap, BTreeSet};

use crypto::identity::CardSerial;
use sha2::{Digest as _, Sha256};
use time::{Duration, OffsetDateTime};

use super::cases::{self, CaseKind, Difference};
use super::error::ProductionError;
use super::model::ChipState;
use super::store::cases as kept;
use super::store::ledger::{self as store, Produced};
use crate::cards;
use crate::deed::{Deeds, Object};
use crate::ground::actor::Service;
use crate::ground::ids::{CardId, DocumentId, PostingId};
use crate::ground::{Decision, Id, OfficeCode};
use crate::store::{StoreError, Tx};

/// Something that disagrees.
struct Disagreement {
    serial: CardSerial,
    office: OfficeCode,
    what: &'static str,
    /// Digest of what disagrees: the same difference has the same, another one of the same chip another.
    evidence: String,
}

impl Disagreement {
    fn new(serial: CardSerial, office: OfficeCode, what: &'static str, parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in [what.as_bytes()].iter().chain(parts) {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self { serial, office, what, evidence: hex::encode(hash.finalize()) }
    }

    fn says(&self) -> String {
        format!("chip {}: {}", self.serial, self.what)
    }
}

/// Returns where what was signed and what was produced disagree, in sentences: what the last hour shows, and every case
/// about it that two officers have not settled.
///
/// # Errors
/// [`StoreError`]
pub async fn disagreements(tx: &mut Tx, now: OffsetDateTime) -> Result<Vec<String>, StoreError> {
    let mut said: Vec<String> = without_case(tx, Some(now)).await?.iter().map(Disagreement::says).collect();
    said.extend(unsettled(tx).await?);
    Ok(said)
}

/// As [`disagreements`], over all that was ever signed and produced. Reads every card.
///
/// # Errors
/// [`StoreError`]
pub(super) async fn all(tx: &mut Tx) -> Result<Vec<String>, StoreError> {
    let mut said: Vec<String> = without_case(tx, None).await?.iter().map(Disagreement::says).collect();
    said.extend(unsettled(tx).await?);
    Ok(said)
}

/// Opens a case for each disagreement of the last hour that has none. The service does so each minute.
///
/// # Errors
/// [`ProductionError`]
pub async fn open_cases_of_disagreements(deeds: &Deeds) -> Result<(), ProductionError> {
    let now = deeds.source().now();
    let mut tx = deeds.db().begin_read().await?;
    let found = without_case(&mut tx, Some(now)).await?;
    drop(tx);
    if found.is_empty() {
        return Ok(());
    }
    let mut deed = deeds.open(Service).await?;
    let mut opened_any = false;
    for one in found {
        let subject = Object::Chip(one.serial);
        // Another process of the service looks too.
        if kept::is_known(deed.tx(), CaseKind::Signed.word(), &subject.to_string(), &one.evidence).await? {
            continue;
        }
        // No officer met it: the service itself did.
        let opened = Decision { by: Id::nil(), at: deed.at() };
        let (missing, extra) = (vec![one.serial], vec![]);
        let difference = Difference { kind: CaseKind::Signed, office: one.office, from: None, subject, missing, extra };
        cases::open_for(&mut deed, opened, difference, Some(one.evidence)).await?;
        opened_any = true;
    }
    if opened_any { Ok(deed.commit().await?) } else { Ok(()) }
}

async fn unsettled(tx: &mut Tx) -> Result<Vec<String>, StoreError> {
    let open = kept::unsettled_of_kind(tx, CaseKind::Signed.word()).await?;
    let says =
        |(id, subject)| format!("{subject}: signed and produced disagree, case {id} waits for two stock keepers");
    Ok(open.into_iter().map(says).collect())
}

/// Looks at the last hour before a moment, or at everything.
async fn without_case(tx: &mut Tx, now: Option<OffsetDateTime>) -> Result<Vec<Disagreement>, StoreError> {
    let since = now.map(|now| now - Duration::hours(1));
    let mut after = since.map_or(Id::nil(), PostingId::first_at);
    let mut found = Vec::new();
    loop {
        let some = store::produced(tx, after, PIECE).await?;
        let Some(last) = some.last() else { break };
        after = last.posting;
        found.extend(of_cards(tx, some).await?);
    }
    let documents = since.map_or(Id::nil(), DocumentId::first_at);
    let elsewhere = store::signed_elsewhere(tx, documents).await?.into_iter();
    found.extend(elsewhere.map(|(serial, office, document)| {
        Disagreement::new(serial, office, NOT_ITS_CARD, &[document.uuid().as_bytes().as_slice()])
    }));
    if found.is_empty() {
        return Ok(found);
    }
    let known = kept::known_of_kind(tx, CaseKind::Signed.word()).await?;
    let (settled, open): (Vec<_>, Vec<_>) = known.into_iter().partition(|case| case.settled);
    let open: BTreeSet<String> = open.into_iter().map(|case| case.subject).collect();
    let settled: BTreeSet<(String, Option<String>)> =
        settled.into_iter().map(|case| (case.subject, case.evidence)).collect();
    found.retain(|one| {
        let subject = Object::Chip(one.serial).to_string();
        // A case of before differences had a digest was settled for all of its chip.
        let known = |evidence: Option<&String>| settled.contains(&(subject.clone(), evidence.cloned()));
        !open.contains(&subject) && !known(None) && !known(Some(&one.evidence))
    });
    Ok(found)
}

async fn of_cards(tx: &mut Tx, produced: Vec<Produced>) -> Result<Vec<Disagreement>, StoreError> {
    let card_of = |one: &Produced| match &one.state {
        Some(ChipState::Personalized { card, .. }) => Some(*card),
        _ => None,
    };
    let ids: Vec<CardId> = produced.iter().filter_map(card_of).collect();
    let cards: BTreeMap<CardId, _> = cards::store::digests(tx, &ids).await?.into_iter().collect();
    let judged = produced.into_iter().filter_map(|one| {
        let card = card_of(&one).and_then(|id| cards.get(&id));
        let what = match (&one.digest, card) {
            (None, _) => "card without a signed document",
            (_, None) => "its card is not in the registry of cards",
            (_, Some((serial, _))) if *serial != one.serial => "its card is that of another chip",
            (Some(signed), Some((_, digest))) if signed != digest => "its card has another digest than its document",
            _ => return None,
        };
        let signed = one.digest.unwrap_or_default();
        let (of_card, digest) = card.map(|(serial, digest)| (serial.to_string(), digest.to_vec())).unwrap_or_default();
        Some(Disagreement::new(one.serial, one.office, what, &[&signed, of_card.as_bytes(), &digest]))
    });
    Ok(judged.collect())
}

const NOT_ITS_CARD: &str = "signed document that is not its card";
/// So many postings are looked at in one go.
const PIECE: i64 = 1_000;
