//! A verb under way, and the audit trail that it writes.
//!
//! The trail stands under the deed (ADR 0011): the table `audit_entry` belongs to this folder, which only writes it;
//! the office `audit` reads it through the view `v_audit_entry`.

mod entry;
mod event;
mod store;

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;

pub use entry::{Action, Entry, Object, Occasion, Purpose, UnknownWord};
pub use event::{Consequences, Objection, RegisterEvent, Subscriber};
use rand::rngs::ChaCha20Rng;
pub use store::MIGRATIONS;
pub use store::changes::Changed;
pub(crate) use store::changes::{forget_changes, note_change, waiting_changes};
pub(crate) use store::{
    first_record, last_record_about, last_record_until, last_times, last_words, officers_who, persons_of,
};
use thiserror::Error;
use time::{Date, OffsetDateTime};

use crate::ground::actor::{Actor, Caller, Decision, Officer, Partner, Registers, Reporter, Standing};
use crate::ground::ids::{EntryId, OfficerId, PersonId};
use crate::ground::{Id, OfficeCode, Secrets, Source};
use crate::store::{Db, StoreError, Tx};

/// Opens deeds: database, clock, randomness, and the secrets under which an office seals what rests in its rows. Clones
/// share them.
#[derive(Clone, Debug)]
pub struct Deeds {
    db: Db,
    source: Source,
    secrets: Secrets,
    still_in: StillIn,
    subscribers: Arc<[Arc<dyn Subscriber>]>,
}

/// True if a caller whom the gate let in may still come in, at this moment and in this transaction.
pub type StillIn = for<'a> fn(
    &'a mut Tx,
    Standing<'a>,
    OffsetDateTime,
) -> Pin<Box<dyn Future<Output = Result<bool, StoreError>> + Send + 'a>>;

impl Deeds {
    /// Deeds in this database, by this clock, of callers who are looked at again by this rule.
    #[must_use]
    pub fn new(db: Db, source: Source, secrets: Secrets, still_in: StillIn) -> Self {
        Self { db, source, secrets, still_in, subscribers: Arc::from([]) }
    }

    /// The same deeds, in which these offices act when the register changes, in this order.
    #[must_use]
    pub fn heard_by(self, subscribers: Vec<Arc<dyn Subscriber>>) -> Self {
        Self { subscribers: subscribers.into(), ..self }
    }

    /// Begins a verb of this caller. The caller was let in before the request was read, which may take long; what ended
    /// meanwhile (session, role, certificate) is found now, in the transaction of the verb.
    ///
    /// # Errors
    /// [`DeedError::Dismissed`]
    pub async fn open<A: Actor>(&self, actor: A) -> Result<Deed<A>, DeedError> {
        let mut deed = self.begin(actor).await?;
        let Deed { tx, actor, at, .. } = &mut deed;
        if (self.still_in)(tx, actor.standing(), *at).await? {
            Ok(deed)
        } else {
            Err(DeedError::Dismissed(match deed.actor.standing() {
                Standing::Citizen(_) => Dismissed::Citizen,
                Standing::Partner(_) => Dismissed::Partner,
                Standing::Station(_) => Dismissed::Station,
                Standing::Free | Standing::Officer(_) => Dismissed::Officer,
            }))
        }
    }

    /// As [`open`](Self::open) for the deed that opens the officer's session, and judges the account itself.
    ///
    /// # Errors
    /// [`StoreError`]
    pub(crate) async fn open_with_session(&self, officer: Officer) -> Result<Deed<Officer>, StoreError> {
        self.begin(officer).await
    }

    async fn begin<A: Actor>(&self, actor: A) -> Result<Deed<A>, StoreError> {
        let tx = self.db.begin().await?;
        let (at, source) = (self.source.now(), self.source.clone());
        let (subscribers, secrets) = (Arc::clone(&self.subscribers), self.secrets.clone());
        let (seen, told) = (BTreeSet::new(), BTreeSet::new());
        Ok(Deed { tx, actor, at, source, secrets, subscribers, seen, told, entries: 0 })
    }

    /// The database, for reads of nothing personal and for upkeep.
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Clock and randomness.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The secrets under which an office seals what rests in its rows.
    #[must_use]
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }
}

/// A verb under way: transaction, caller, moment, identifiers.
///
/// Personal data is read only through it: what hands out a person's data marks the person as [seen](Self::saw), and
/// [`commit`](Self::commit) refuses while a person was seen of whom no record tells, or while there is no
/// record at all. So the audit trail and the citizen's log are complete by construction. Dropped without a
/// commit, the verb never happened.
#[derive(Debug)]
pub struct Deed<A> {
    tx: Tx,
    actor: A,
    at: OffsetDateTime,
    source: Source,
    secrets: Secrets,
    /// Offices that act when the register changes.
    subscribers: Arc<[Arc<dyn Subscriber>]>,
    /// Persons whose data was read and of whom no record tells yet.
    seen: BTreeSet<PersonId>,
    /// Persons of whom a record tells.
    told: BTreeSet<PersonId>,
    /// Records written.
    entries: usize,
}

impl<A: Actor> Deed<A> {
    /// The transaction, for an office's own store.
    pub fn tx(&mut self) -> &mut Tx {
        &mut self.tx
    }

    /// The caller.
    #[must_use]
    pub fn actor(&self) -> &A {
        &self.actor
    }

    /// The caller, as the audit trail names it.
    #[must_use]
    pub fn caller(&self) -> Caller {
        self.actor.caller()
    }

    /// The moment of the verb: one for all that it writes, in UTC.
    #[must_use]
    pub fn at(&self) -> OffsetDateTime {
        self.at
    }

    /// The State's civil day of the verb.
    #[must_use]
    pub fn today(&self) -> Date {
        self.source.clock().day_of(self.at)
    }

    /// Returns the State's civil time of the verb.
    #[must_use]
    pub fn time_of_day(&self) -> time::Time {
        self.source.clock().time_of(self.at)
    }

    /// Returns the State's civil day of another moment.
    #[must_use]
    pub fn day_of(&self, at: OffsetDateTime) -> Date {
        self.source.clock().day_of(at)
    }

    /// Returns the moment at which a civil day of the State begins.
    #[must_use]
    pub fn begin_of(&self, day: Date) -> OffsetDateTime {
        self.source.clock().begin_of(day)
    }

    /// Returns a new identifier.
    #[must_use]
    pub fn id<T>(&self) -> Id<T> {
        self.source.id()
    }

    /// Returns a fresh random generator.
    #[must_use]
    pub fn rng(&self) -> ChaCha20Rng {
        self.source.rng()
    }

    /// Returns the secrets under which an office seals what rests in its rows.
    #[must_use]
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Marks a person's data as read: a record that names the person is due before the commit.
    pub fn saw(&mut self, person: PersonId) {
        self.seen.insert(person);
    }

    /// Writes what the caller did to which object, about which person and for what purpose, in the
    /// transaction of the verb.
    ///
    /// # Errors
    /// [`StoreError`]: then the verb must not happen either.
    pub async fn record(
        &mut self,
        action: Action,
        object: Object,
        person: Option<PersonId>,
        purpose: Purpose,
    ) -> Result<(), StoreError> {
        self.enter(Entry { action, object, person, purpose, related: None, reason: None, office: None }).await
    }

    /// As [`record`](Self::record), with a second object or a reason.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn enter(&mut self, entry: Entry) -> Result<(), StoreError> {
        self.entered(entry).await.map(drop)
    }

    /// As [`enter`](Self::enter). Returns the record's identifier, for what is written because of it.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn entered(&mut self, entry: Entry) -> Result<EntryId, StoreError> {
        let id = self.source.id();
        let (caller, acts_for) = (self.actor.caller(), self.actor.acts_for());
        store::insert(&mut self.tx, id, self.at, (&caller, acts_for), &entry).await?;
        if let Some(person) = entry.person {
            self.seen.remove(&person);
            self.told.insert(person);
        }
        self.entries += 1;
        Ok(id)
    }

    /// As [`enter`](Self::enter) for many records, without going to the database for each.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn enter_all(&mut self, entries: Vec<Entry>) -> Result<(), StoreError> {
        let entries: Vec<(EntryId, Entry)> = entries.into_iter().map(|entry| (self.source.id(), entry)).collect();
        let (caller, acts_for) = (self.actor.caller(), self.actor.acts_for());
        store::insert_all(&mut self.tx, self.at, (&caller, acts_for), &entries).await?;
        for person in entries.iter().filter_map(|(_, entry)| entry.person) {
            self.seen.remove(&person);
            self.told.insert(person);
        }
        self.entries += entries.len();
        Ok(())
    }

    /// Records that a person's data were read in an object of this office, with purpose and case: the one record of
    /// every route that reads a person.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn record_reading(
        &mut self,
        action: Action,
        object: Object,
        person: PersonId,
        office: &OfficeCode,
        occasion: Occasion,
    ) -> Result<(), StoreError> {
        let entry = Entry::new(action, object, occasion.purpose).about(person).of(office);
        self.enter(Entry { related: occasion.case.map(Object::Application), ..entry }).await
    }

    /// Returns the persons of whom a record of this verb tells.
    #[must_use]
    pub fn told(&self) -> &BTreeSet<PersonId> {
        &self.told
    }

    /// Notes the office that registered a person: its auditors see what any office does about the person.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn settle(&mut self, person: PersonId, office: &OfficeCode) -> Result<(), StoreError> {
        store::settle(&mut self.tx, person, office).await
    }

    /// As [`settle`](Self::settle), for persons who enter the register together.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn settle_all(&mut self, persons: &[PersonId], office: &OfficeCode) -> Result<(), StoreError> {
        store::settle_all(&mut self.tx, persons, office).await
    }

    /// Makes everything true at once.
    ///
    /// # Errors
    /// [`DeedError::Unrecorded`] if the verb left no record, or read a person's data without a record that names the
    /// person: a fault of this program, after which nothing happened.
    pub async fn commit(self) -> Result<(), DeedError> {
        if self.entries == 0 || !self.seen.is_empty() {
            return Err(DeedError::Unrecorded { entries: self.entries, unnamed: self.seen.len() });
        }
        Ok(self.tx.commit().await?)
    }
}

impl<A: Registers> Deed<A> {
    /// The act at this moment, of the officer who answers for it.
    #[must_use]
    pub fn decision(&self) -> Decision {
        Decision { by: self.actor.answers(), at: self.at }
    }
}

impl Deed<Partner> {
    /// The same verb as a report under an agreement: this office takes it, and this officer answers for it.
    #[must_use]
    pub fn reporting(self, office: OfficeCode, answers: OfficerId) -> Deed<Reporter> {
        let Self { tx, actor: partner, at, source, secrets, subscribers, seen, told, entries } = self;
        let actor = Reporter { partner, office, answers };
        Deed { tx, actor, at, source, secrets, subscribers, seen, told, entries }
    }
}

impl Deed<Officer> {
    /// Tells the offices above the register what changed about a person: each does what follows from it, now.
    ///
    /// # Errors
    /// [`Objection`] of the first that cannot: then the change must not happen.
    pub async fn publish(&mut self, event: RegisterEvent) -> Result<(), Objection> {
        for subscriber in Arc::clone(&self.subscribers).iter() {
            subscriber.follow(self, event).await?;
        }
        Ok(())
    }
}

/// Which kind of caller was let in and may not come in any more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dismissed {
    /// A citizen: the card was taken away, or the session ended.
    Citizen,
    /// An officer: session, role or office ended.
    Officer,
    /// A partner, or its system.
    Partner,
    /// A station.
    Station,
}

/// Why a verb does not become true.
#[derive(Debug, Error)]
pub enum DeedError {
    /// The caller was let in, and may not come in any more.
    #[error("the caller was let in, and may not come in any more")]
    Dismissed(Dismissed),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The verb is not in the audit trail as it must be.
    #[error("a verb with {entries} records in the audit trail read {unnamed} persons whom no record names")]
    Unrecorded {
        /// Records written.
        entries: usize,
        /// Persons read without a record that names them.
        unnamed: usize,
    },
}
