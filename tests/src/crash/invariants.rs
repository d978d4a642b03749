//! What holds in a house whatever happened to it, asked of the real database by SQL, and of the sealed objects.
//!
//! Each question selects the rows that break its sentence. It is one text for both engines.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crypto::perso::LifeCycle;
use crypto::sod::Sod;
use issuance::ground::objects::Objects;
use issuance::ground::{Clock, Randomness, Secrets, Source};
use issuance::keys::KeyStore;
use issuance::store::{Db, Record, Sql, Tx};
use issuance::{server, sql};
use time::UtcOffset;
use uuid::Uuid;

use crate::golden::Trouble;

/// How many rows there are of what the callers asked for: one per idempotency key that was answered.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Effects {
    /// Declarations, each of another person.
    pub persons: i64,
    /// Numbers for life.
    pub numbers: i64,
    /// Applications.
    pub applications: i64,
    /// Deliveries of blanks.
    pub deliveries: i64,
    /// Cards that were handed over.
    pub handed_over: i64,
}

/// A house whose service does not run (any more), opened to be asked.
pub struct House<'a> {
    /// The folder of the service.
    pub data: &'a Path,
    /// `postgres://…`, or none for SQLite.
    pub database: Option<&'a str>,
}

impl House<'_> {
    /// Asks everything. Returns a line for each row that breaks a sentence; none if all holds. `chips` are the life
    /// cycles of the real chips by serial number.
    ///
    /// # Errors
    /// If the house cannot be opened, or a row has no meaning.
    pub fn broken(&self, chips: &BTreeMap<String, LifeCycle>) -> Result<Vec<String>, Trouble> {
        self.asks(async |db, secrets, objects| {
            let mut tx = db.begin_read().await?;
            let rows = broken_rows(&mut tx).await?.into_iter();
            let mut broken: Vec<_> = rows.map(|(sentence, what)| format!("broken: {sentence}: {what}")).collect();
            broken.extend(sealed(&mut tx, &secrets).await?);
            broken.extend(portraits(&mut tx, &objects).await?);
            broken.extend(carried(&mut tx, chips).await?);
            Ok(broken)
        })
    }

    /// Runs a statement that breaks something, asks, and rolls it back. Returns the sentences that it breaks: to see
    /// that each can be broken.
    ///
    /// # Errors
    /// If the house cannot be opened or refuses the statement.
    pub fn broken_by(&self, statement: Sql) -> Result<BTreeSet<&'static str>, Trouble> {
        self.asks(async |db, _, _| {
            let mut tx = db.begin_upkeep().await?;
            tx.run(statement, Vec::new()).await?;
            Ok(broken_rows(&mut tx).await?.into_iter().map(|(sentence, _)| sentence).collect())
        })
    }

    /// Counts the effects.
    ///
    /// # Errors
    /// If the house cannot be opened.
    pub fn effects(&self) -> Result<Effects, Trouble> {
        self.asks(async |db, _, _| {
            let mut tx = db.begin_read().await?;
            Ok(Effects {
                persons: count(&mut tx, sql!("select count(*) as n from person")).await?,
                numbers: count(&mut tx, sql!("select count(*) as n from personal_number")).await?,
                applications: count(&mut tx, sql!("select count(*) as n from application")).await?,
                deliveries: count(&mut tx, sql!("select count(*) as n from delivery")).await?,
                handed_over: count(&mut tx, sql!("select count(*) as n from card where status = 'active'")).await?,
            })
        })
    }

    /// Returns the applications that are no card in a citizen's hand, each with its stage.
    ///
    /// # Errors
    /// If the house cannot be opened.
    pub fn unfinished(&self) -> Result<Vec<String>, Trouble> {
        self.asks(async |db, _, _| {
            let question = sql!(
                "select cast(id as text) || ' is ' || stage as what from application where stage <> 'handed-over'"
            );
            let rows = db.begin_read().await?.all(question, Vec::new()).await?;
            rows.iter().map(|row| Ok(row.get("what")?)).collect()
        })
    }

    fn asks<T>(&self, asking: impl AsyncFnOnce(Db, Secrets, Objects) -> Result<T, Trouble>) -> Result<T, Trouble> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let secrets = KeyStore::open(self.data, None)?.secrets().clone();
            let source = Source::new(Clock::system(UtcOffset::UTC), Randomness::System);
            let objects = Objects::open(self.data, secrets.clone(), source)?;
            let db = Db::open(self.database, self.data, &server::migrations()).await?;
            let answer = asking(db.clone(), secrets, objects).await;
            db.close().await;
            answer
        })
    }
}

/// Returns all sentences that are asked of the database.
pub fn sentences() -> BTreeSet<&'static str> {
    SENTENCES.iter().map(|(sentence, _)| *sentence).collect()
}

/// Returns the rows that break a sentence, each with the sentence.
async fn broken_rows(tx: &mut Tx) -> Result<Vec<(&'static str, String)>, Trouble> {
    let mut broken = Vec::new();
    for (sentence, question) in SENTENCES {
        for row in tx.all(*question, Vec::new()).await.map_err(|error| format!("{sentence}: {error}"))? {
            broken.push((*sentence, row.get::<Option<String>>("what")?.unwrap_or_default()));
        }
    }
    Ok(broken)
}

async fn count(tx: &mut Tx, question: Sql) -> Result<i64, Trouble> {
    Ok(tx.one(question, Vec::new()).await?.ok_or("a count is one row")?.get("n")?)
}

/// What rests sealed in rows opens under the house's key, and a signed document has the fingerprint that its row says.
async fn sealed(tx: &mut Tx, secrets: &Secrets) -> Result<Vec<String>, Trouble> {
    let mut broken = Vec::new();
    let documents = sql!("select id, files, prepared, sod, sod_sha256 from document");
    for row in tx.all(documents, Vec::new()).await? {
        let id: Uuid = row.get("id")?;
        for part in ["files", "prepared", "sod"] {
            let Some(bytes) = row.get::<Option<Vec<u8>>>(part)? else { continue };
            match secrets.open(&format!("document/{id}/{part}"), &bytes) {
                Err(error) => broken.push(format!("broken: document {id}, {part}: {error}")),
                Ok(plain) if part == "sod" => {
                    let fingerprint = Sod::parse(&plain)?.fingerprint();
                    if row.get::<Option<Vec<u8>>>("sod_sha256")? != Some(fingerprint.to_vec()) {
                        broken.push(format!("broken: document {id} has another fingerprint than its row says"));
                    }
                }
                Ok(_) => {}
            }
        }
    }
    for row in tx.all(sql!("select caller, idempotency_key, sealed from answer"), Vec::new()).await? {
        let (caller, key) = (row.get::<String>("caller")?, row.get::<String>("idempotency_key")?);
        let answer: Option<Vec<u8>> = row.get("sealed")?;
        if answer.is_some_and(|answer| secrets.open(&format!("answer/{caller}/{key}"), &answer).is_err()) {
            broken.push(format!("broken: the answer of {caller} under {key} does not open"));
        }
    }
    Ok(broken)
}

/// Each portrait that an application names is there and opens.
async fn portraits(tx: &mut Tx, objects: &Objects) -> Result<Vec<String>, Trouble> {
    let question = sql!("select id, stage_data->'capture'->>'portrait' as portrait from application");
    let mut broken = Vec::new();
    for row in tx.all(question, Vec::new()).await? {
        let Some(name) = row.get::<Option<String>>("portrait")? else { continue };
        if let Err(error) = objects.fetch(&name).await {
            broken.push(format!("broken: the portrait of application {}: {error}", row.get::<Uuid>("id")?));
        }
    }
    Ok(broken)
}

/// The ledger says of no chip more than the chip itself is.
async fn carried(tx: &mut Tx, chips: &BTreeMap<String, LifeCycle>) -> Result<Vec<String>, Trouble> {
    let rows = tx.all(sql!("select id, state from chip"), Vec::new()).await?;
    let judged = rows.iter().map(|row| judged(row, chips)).collect::<Result<Vec<_>, _>>()?;
    Ok(judged.into_iter().flatten().collect())
}

fn judged(row: &Record, chips: &BTreeMap<String, LifeCycle>) -> Result<Option<String>, Trouble> {
    let (serial, state) = (row.get::<String>("id")?, row.get::<String>("state")?);
    let real = chips.get(&serial);
    let agrees = match state.as_str() {
        "delivered" | "spoiled" => true,
        "initialised" => real == Some(&LifeCycle::Initialised),
        "bound" => matches!(real, Some(LifeCycle::Initialised | LifeCycle::Personalized)),
        "personalized" => real == Some(&LifeCycle::Personalized),
        _ => false,
    };
    Ok((!agrees).then(|| format!("broken: chip {serial} is {state} in the ledger, and {real:?} itself")))
}

/// The sentences, each with the question for the rows that break it.
const SENTENCES: &[(&str, Sql)] = &[
    (
        "no application is bound to two chips",
        sql!(
            "select state_data->>'application' as what from chip where state in ('bound', 'personalized')
             group by state_data->>'application' having count(*) > 1"
        ),
    ),
    (
        "no chip is bound to two applications",
        sql!(
            "select stage_data->>'chip' as what from application where stage = 'in-production'
             group by stage_data->>'chip' having count(*) > 1"
        ),
    ),
    (
        "no chip has two documents that count",
        sql!("select serial as what from document where state <> 'dropped' group by serial having count(*) > 1"),
    ),
    (
        "no application has two documents that count",
        sql!(
            "select cast(application_id as text) as what from document where state <> 'dropped'
             group by application_id having count(*) > 1"
        ),
    ),
    (
        "a document is signed exactly if it has an EF.SOD, or was dropped",
        sql!(
            "select cast(id as text) as what from document
             where (state = 'signed' and (sod is null or sod_sha256 is null))
                or (state = 'prepared' and (sod is not null or sod_sha256 is not null))"
        ),
    ),
    (
        "what a row's column says of its state, its contents say too",
        sql!(
            "select 'chip ' || id as what from chip where state <> state_data->>'state'
             union all select 'application ' || cast(id as text) from application where stage <> stage_data->>'stage'
             union all select 'card ' || cast(id as text) from card where status <> status_data->>'status'"
        ),
    ),
    (
        "a bound chip's application is in production on it",
        sql!(
            "select chip.id as what from chip
             left join application on cast(application.id as text) = chip.state_data->>'application'
             where chip.state = 'bound'
               and (application.id is null or coalesce(application.stage_data->>'chip', '') <> chip.id)"
        ),
    ),
    (
        "an application in production has a bound chip",
        sql!(
            "select cast(application.id as text) as what from application
             left join chip on chip.id = application.stage_data->>'chip' and chip.state = 'bound'
             where application.stage = 'in-production'
               and coalesce(chip.state_data->>'application', '') <> cast(application.id as text)"
        ),
    ),
    (
        "a chip that is bound or a card has a document of its application",
        sql!(
            "select chip.id as what from chip where state in ('bound', 'personalized') and not exists
               (select 1 from document where document.serial = chip.id and document.state <> 'dropped'
                and cast(document.application_id as text) = chip.state_data->>'application')"
        ),
    ),
    (
        "a card that counts is on a personalized chip and its application's",
        sql!(
            "select cast(card.id as text) as what from card
             left join chip on chip.id = card.serial left join application on application.id = card.application_id
             where card.status <> 'revoked'
               and (coalesce(chip.state, '') <> 'personalized'
                 or coalesce(chip.state_data->>'card', '') <> cast(card.id as text)
                 or coalesce(chip.state_data->>'application', '') <> cast(card.application_id as text)
                 or coalesce(application.stage_data->>'card', '') <> cast(card.id as text)
                 or (card.status = 'active' and application.stage <> 'handed-over')
                 or (card.status = 'personalized' and application.stage <> 'personalized')
                 or application.person_id <> card.person_id)"
        ),
    ),
    (
        "a personalized chip has its card",
        sql!(
            "select id as what from chip where state = 'personalized' and not exists
               (select 1 from card where card.serial = chip.id and cast(card.id as text) = chip.state_data->>'card')"
        ),
    ),
    (
        "a finished application has exactly one card that counts",
        sql!(
            "select cast(id as text) as what from application where stage in ('personalized', 'handed-over')
               and (select count(*) from card
                    where card.application_id = application.id and card.status <> 'revoked') <> 1"
        ),
    ),
    (
        "a card has the fingerprint of its document",
        sql!(
            "select cast(card.id as text) as what from card where status <> 'revoked' and not exists
               (select 1 from document where document.serial = card.serial and document.state = 'signed'
                and document.application_id = card.application_id and document.sod_sha256 = card.sod_sha256)"
        ),
    ),
    (
        "a spoiled chip has no document that counts",
        sql!(
            "select document.serial as what from document join chip on chip.id = document.serial
             where chip.state = 'spoiled' and document.state <> 'dropped'"
        ),
    ),
    (
        "a signed document of an ended chip is on the revoked list",
        sql!(
            "select cast(id as text) as what from document where state = 'dropped' and sod_sha256 is not null
               and not exists (select 1 from revoked_document where revoked_document.sod_sha256 = document.sod_sha256)"
        ),
    ),
    (
        "no document that counts is on the revoked list",
        sql!(
            "select cast(document.id as text) as what from document
             join revoked_document on revoked_document.sod_sha256 = document.sod_sha256
             where document.state <> 'dropped' and not exists
               (select 1 from card where card.sod_sha256 = document.sod_sha256 and card.status = 'revoked')"
        ),
    ),
    (
        "a number for life is one person's, in the register and in the table of numbers",
        sql!(
            "select cast(person.id as text) as what from person
             left join personal_number on personal_number.personal_number = person.personal_number
             where person.personal_number is not null
               and (personal_number.person_id is null or personal_number.person_id <> person.id)
             union all select cast(personal_number.person_id as text) from personal_number
             join person on person.id = personal_number.person_id
             where coalesce(person.personal_number, '') <> personal_number.personal_number"
        ),
    ),
    (
        "no person has two applications under way",
        sql!(
            "select cast(person_id as text) as what from application
             where stage not in ('refused', 'handed-over', 'cancelled') group by person_id having count(*) > 1"
        ),
    ),
    (
        "no person has two cards in hand",
        sql!(
            "select cast(person_id as text) as what from card where status = 'active'
             group by person_id having count(*) > 1"
        ),
    ),
    (
        "a card was proved under exactly one challenge, and no challenge was used for nothing",
        sql!(
            "select serial as what from card where (select count(*) from perso_order
               where perso_order.serial = card.serial and perso_order.challenge_used_at is not null) <> 1
             union all select cast(id as text) from perso_order where challenge_used_at is not null
               and not exists (select 1 from card where card.serial = perso_order.serial)"
        ),
    ),
    (
        "no key signed more than was reserved for it",
        sql!(
            "select name as what from signing_key
             where (name = 'ds' and used < (select count(*) from document where sod is not null))
                or (name = 'trust-list-signer'
                    and used < (select count(*) from trust_bundle where signed is not null))"
        ),
    ),
    ("a key that was claimed has its answer", sql!("select idempotency_key as what from answer where sealed is null")),
    (
        "the trail tells of each person, number, application and delivery exactly once",
        sql!(
            "select 'person ' || cast(id as text) as what from person where (select count(*) from audit_entry
               where action = 'person-declared' and object = 'person/' || cast(person.id as text)) <> 1
             union all select 'number of ' || cast(person_id as text) from personal_number
               where (select count(*) from audit_entry where action = 'number-established'
                 and object = 'person/' || cast(personal_number.person_id as text)) <> 1
             union all select 'application ' || cast(id as text) from application
               where (select count(*) from audit_entry where action = 'application-registered'
                 and object = 'application/' || cast(application.id as text)) <> 1
             union all select 'delivery ' || cast(id as text) from delivery
               where (select count(*) from audit_entry where action = 'stock-delivered'
                 and object = 'delivery/' || cast(delivery.id as text)) <> 1"
        ),
    ),
    (
        "the trail tells of each approval",
        sql!(
            "select cast(id as text) as what from application where approved_at is not null and not exists
               (select 1 from audit_entry where action = 'application-approved'
                 and object = 'application/' || cast(application.id as text))"
        ),
    ),
    (
        "the trail tells of what became of each chip exactly once",
        sql!(
            "select 'initialised ' || id as what from chip where state in ('initialised', 'bound', 'personalized')
               and (select count(*) from audit_entry
                    where action = 'chip-initialised' and object = 'chip/' || chip.id) <> 1
             union all select 'spoiled ' || id from chip where state = 'spoiled'
               and (select count(*) from audit_entry
                    where action = 'chip-spoiled' and object = 'chip/' || chip.id) <> 1
             union all select 'in custody ' || id from chip where custody is not null
               and not exists (select 1 from audit_entry
                    where action = 'chip-custody-given' and object = 'chip/' || chip.id)"
        ),
    ),
    (
        "the accounts of the stock add up to zero",
        sql!("select cast(total as text) as what from (select sum(n) as total from stock_tally) adds where total <> 0"),
    ),
    (
        "each account of the stock holds the chips that there are",
        sql!(
            "select account || ': ' || cast(sum(n) as text) as what from (
               select to_account as account, n from posting
               union all select from_account, -n from posting
               union all select case
                 when state = 'personalized' then 'card/' || office
                 when state in ('spoiled', 'destroyed', 'lost') then state || '/' || office
                 when custody is not null then 'station/' || office || '/' || cast(custody as text) || '/' || state
                 when office = 'national' then 'store-room/national/' || state
                 else 'office/' || office || '/' || state end, -1 from chip
             ) everything where account <> 'supplier' group by account having sum(n) <> 0"
        ),
    ),
    (
        "each chip is where its last posting put it, and each posting has its record",
        sql!(
            "select 'chip ' || chip.id as what from chip left join posting on posting.id = chip.posting_id
               where posting.id is null or (posting.serial is not null and posting.serial <> chip.id)
             union all select 'posting ' || cast(posting.id as text) from posting
               where not exists (select 1 from audit_entry where audit_entry.id = posting.entry_id)"
        ),
    ),
    (
        "the trail tells of each document's binding exactly once",
        sql!(
            "select cast(id as text) as what from document where (select count(*) from audit_entry
               where action = 'application-bound' and reason is null and related = 'chip/' || document.serial
                 and object = 'application/' || cast(document.application_id as text)) <> 1"
        ),
    ),
    (
        "the trail tells of each order exactly once",
        sql!(
            "select cast(id as text) as what from perso_order where (select count(*) from audit_entry
               where action in ('intake-ordered', 'personalization-ordered')
                 and object = 'chip/' || perso_order.serial
                 and related = 'order/' || cast(perso_order.id as text)) <> 1"
        ),
    ),
    (
        "the trail tells of each card and of each hand-over exactly once",
        sql!(
            "select 'card ' || cast(id as text) as what from card where (select count(*) from audit_entry
               where action = 'card-personalized' and object = 'card/' || cast(card.id as text)) <> 1
             union all select 'hand-over ' || cast(id as text) from card where status = 'active'
               and (select count(*) from audit_entry
                    where action = 'card-handed-over' and object = 'card/' || cast(card.id as text)) <> 1"
        ),
    ),
    (
        "the trail tells of nothing that is not there",
        sql!(
            "select object as what from audit_entry where action = 'person-declared' and not exists
               (select 1 from person where 'person/' || cast(person.id as text) = audit_entry.object)
             union all select object from audit_entry where action = 'number-established' and not exists
               (select 1 from personal_number
                where 'person/' || cast(personal_number.person_id as text) = audit_entry.object)
             union all select object from audit_entry where action = 'application-registered' and not exists
               (select 1 from application where 'application/' || cast(application.id as text) = audit_entry.object)
             union all select object from audit_entry where action = 'card-personalized' and not exists
               (select 1 from card where 'card/' || cast(card.id as text) = audit_entry.object)
             union all select object from audit_entry where action in ('intake-ordered', 'personalization-ordered')
               and not exists
               (select 1 from perso_order where 'order/' || cast(perso_order.id as text) = audit_entry.related)"
        ),
    ),
];
