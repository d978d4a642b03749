//! Citizens who log in with the card: what the card opens, for how long, and what does not open it. Over TLS.

use crypto::apdu::{Command, Response, Status};
use crypto::chip_auth::chip::{ChipAuthentication, Key};
use crypto::command::read_binary::ReadBinary;
use crypto::conversation::{Reply, Respondent as _};
use crypto::lds::{DataGroup, Dg14, File};
use crypto::log_in::Files;
use crypto::log_in::protocol::{Answer, Begin, SESSION_HEADER, Under, Wanted};
use crypto::sm;
use crypto::suite::{Curve, PrivateKey};
use issuance::applications::hand_over::hand_over;
use issuance::applications::model::Kind;
use issuance::cards::steps as cards;
use issuance::ground::ids::{CardId, PersonId};
use issuance::store::Argument;
use issuance::{args, sql};
use rand::SeedableRng as _;
use rand::rngs::ChaCha20Rng;
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use time::Duration;

use crate::chip::Chip;
use crate::house::{self, Caller, House, Said, on_both};
use crate::offices::{Offices, within};

const LOG_INS: &str = "/api/v1/citizen/log-ins";

/// A card that was handed over to its citizen.
pub struct InHand {
    pub person: PersonId,
    pub card: CardId,
    pub chip: Chip,
}

pub async fn in_hand(offices: &Offices, number: u8) -> InHand {
    let person = offices.citizen().await;
    let application = offices.approved(person, Kind::First).await;
    let mut chip = offices.initialised(number).await;
    let card = offices.card(&mut chip).await;
    within!(offices, offices.counter, deed => hand_over(deed, card, &application.slip.0)).unwrap();
    InHand { person, card, chip }
}

/// What an agent reads of a chip once the CAN opened it.
pub fn begin(chip: &Chip) -> Begin {
    Begin::from(Files {
        card_access: chip.file(File::CardAccess).to_vec(),
        sod: chip.file(File::Sod).to_vec(),
        dg14: chip.file(File::DataGroup(DataGroup::DG14)).to_vec(),
        longest_response: 4096,
    })
}

/// A chip at a reader that answers as ICAO says, after PACE: it proves its key, then speaks under the channel of the
/// service alone.
pub struct AtReader<'a> {
    chip: &'a Chip,
    role: Option<ChipAuthentication>,
    channel: Option<sm::Chip>,
    current: Option<File>,
}

impl<'a> AtReader<'a> {
    pub fn new(chip: &'a Chip) -> Self {
        Self::with_key(chip, chip.chip_auth.as_ref().unwrap().clone())
    }

    /// A copy of all files of a card, with a key of its own.
    pub fn copied(chip: &'a Chip) -> Self {
        Self::with_key(chip, PrivateKey::generate(Curve::P256, &mut ChaCha20Rng::seed_from_u64(9)).into())
    }

    fn with_key(chip: &'a Chip, private: std::sync::Arc<PrivateKey>) -> Self {
        let dg14 = Dg14::parse(chip.file(File::DataGroup(DataGroup::DG14))).unwrap();
        let infos: Vec<_> = dg14.0.chip_authentication().collect();
        let ciphers = infos.iter().map(|info| info.protocol.cipher).collect();
        let role = ChipAuthentication::new(vec![Key { private, key_id: infos[0].key_id, ciphers }]);
        Self { chip, role: Some(role), channel: None, current: None }
    }

    pub fn transmit(&mut self, under: Under, command: &Command) -> Response {
        if under == Under::Agent {
            return match self.role.take().unwrap().answer(command) {
                Reply::More(role, response) => {
                    self.role = Some(role);
                    response
                }
                Reply::Done(channel, response) => {
                    self.channel = Some(channel);
                    response
                }
                Reply::Refused(status) => status.into(),
            };
        }
        let Some(mut channel) = self.channel.take() else { return Status::SECURITY_NOT_SATISFIED.into() };
        match channel.open(command) {
            Ok(plain) => {
                let answer = self.reads(&plain);
                self.channel = Some(channel);
                self.channel.as_mut().unwrap().seal(answer)
            }
            Err(status) => status.into(),
        }
    }

    fn reads(&mut self, command: &Command) -> Response {
        let read = ReadBinary::try_from(command).unwrap();
        if let Some(short) = read.short_id {
            let files = self.chip.files.iter().map(|(file, _)| *file);
            self.current = files.filter(|file| file.is_in_application()).find(|file| file.short_id() == short);
        }
        let Some(file) = self.current else { return Status::FILE_NOT_FOUND.into() };
        let rest = &self.chip.file(file)[read.offset as usize..];
        Response::success(read.answer(&rest[..rest.len().min(read.length)]))
    }

    pub fn answers(&mut self, wanted: &Wanted) -> Answer {
        Answer::to(wanted, &self.transmit(wanted.under, &wanted.command().unwrap()))
    }
}

pub fn wanted(said: &Said) -> Wanted {
    assert_eq!(said.status, 200, "{said:?}");
    serde_json::from_value(said.body.clone()).unwrap()
}

fn steps(wanted: &Wanted) -> String {
    format!("{LOG_INS}/{}/steps", wanted.log_in)
}

pub async fn begins(agent: &Caller, chip: &Chip) -> Said {
    agent.post(LOG_INS, "k", serde_json::to_value(begin(chip)).unwrap()).await
}

pub async fn brings(agent: &Caller, wanted: &Wanted, answer: &Answer) -> Said {
    agent.post(&steps(wanted), "k", serde_json::to_value(answer).unwrap()).await
}

/// A citizen's agent whose card is logged in.
pub struct LoggedIn {
    pub caller: Caller,
    pub wanted: Wanted,
}

/// Carries a whole log-in. Returns the last answer of the service, whatever it is.
pub async fn carries(agent: &Caller, reader: &mut AtReader<'_>) -> Said {
    let mut said = begins(agent, reader.chip).await;
    for _ in 0..64 {
        if said.status != 200 || !said.body["session"].is_null() {
            return said;
        }
        let wanted = wanted(&said);
        said = brings(agent, &wanted, &reader.answers(&wanted)).await;
    }
    panic!("the log-in has no end")
}

pub async fn logs_in(house: &House, reader: &mut AtReader<'_>) -> LoggedIn {
    let wanted = wanted(&carries(&house.anyone(), reader).await);
    let token = wanted.session.as_ref().unwrap().token.clone().unwrap();
    LoggedIn { caller: with_session(house, &token), wanted }
}

/// A caller who shows this session.
pub fn with_session(house: &House, token: &str) -> Caller {
    let mut headers = HeaderMap::new();
    headers.insert(SESSION_HEADER, HeaderValue::from_str(token).unwrap());
    let client = house::builder(&house.folder, None).default_headers(headers).build().unwrap();
    Caller { client, ..house.anyone() }
}

/// So many records of this action name the person.
pub async fn recorded(house: &House, person: PersonId, action: &str) -> i64 {
    let sql = sql!("select count(*) as n from audit_entry where person_id = $1 and action = $2");
    house.count(sql, args![person, action]).await
}

pub async fn open_at(house: &House, caller: &Caller) -> bool {
    let _ = house;
    caller.get("/api/v1/citizen/card").await.status == 200
}

#[tokio::test]
async fn a_card_that_proves_itself_opens_its_own_matters_for_as_long_as_it_answers() {
    on_both(async |house| {
        let offices = Offices::of(house).await;
        let citizen = in_hand(&offices, 1).await;
        let mut reader = AtReader::new(&citizen.chip);
        let LoggedIn { caller, wanted: next } = logs_in(house, &mut reader).await;

        let card = caller.get("/api/v1/citizen/card").await;
        assert_eq!((card.status, card.body["status"].as_str()), (200, Some("active")), "{card:?}");
        assert!(card.body["expires"].is_string() && card.body.get("person_id").is_none());
        let count = caller.get("/api/v1/citizen/looks/count").await;
        assert_eq!(count.body["more"], false);
        let before = count.body["looks"].as_u64().unwrap();
        // The counting itself is a look of the citizen's.
        let after = caller.get("/api/v1/citizen/looks/count").await.body["looks"].as_u64().unwrap();
        assert_eq!(after, before + 1);

        // One record about the holder, by the holder, and one notice.
        let sql = sql!(
            "select count(*) as n from audit_entry where person_id = $1 and action = 'citizen-logged-in' and actor = $2"
        );
        let by = format!("citizen/{}", citizen.person);
        assert_eq!(house.count(sql, args![citizen.person, by.as_str()]).await, 1);
        let told = sql!("select count(*) as n from notice where person_id = $1 and kind = 'logged-in'");
        assert_eq!(house.count(told, args![citizen.person]).await, 1);
        assert_eq!(recorded(house, citizen.person, "card-read").await, 1);

        // The card answers, and the session goes on; without an answer it ends.
        house.clock.advance(Duration::seconds(40));
        let said = brings(&caller, &next, &reader.answers(&next)).await;
        let next = wanted(&said);
        assert!(next.session.as_ref().unwrap().token.is_none(), "the token is told once");
        house.clock.advance(Duration::seconds(40));
        assert!(open_at(house, &caller).await);
        house.clock.advance(Duration::seconds(10));
        let late = brings(&caller, &next, &reader.answers(&next)).await;
        assert_eq!(late.code(), "citizen-session-needed");
        assert_eq!(caller.get("/api/v1/citizen/card").await.code(), "citizen-session-needed");
    })
    .await;
}

#[tokio::test]
async fn a_session_ends_by_its_end_by_time_by_a_new_log_in_and_by_an_answer_that_is_not_the_chips() {
    on_both(async |house| {
        let offices = Offices::of(house).await;
        let citizen = in_hand(&offices, 1).await;
        let (mut first, mut second) = (AtReader::new(&citizen.chip), AtReader::new(&citizen.chip));
        let one = logs_in(house, &mut first).await;
        let other = logs_in(house, &mut second).await;
        assert!(!open_at(house, &one.caller).await, "the card logged in elsewhere");
        assert!(open_at(house, &other.caller).await);
        assert_eq!(other.caller.asks(reqwest::Method::DELETE, "/api/v1/citizen/session", None, None).await.status, 204);
        assert!(!open_at(house, &other.caller).await);

        // The card was taken away, and something else answers in its place.
        let mut reader = AtReader::new(&citizen.chip);
        let LoggedIn { caller, wanted: next } = logs_in(house, &mut reader).await;
        let mut answer = reader.answers(&next);
        answer.response[3] ^= 1;
        assert_eq!(brings(&caller, &next, &answer).await.code(), "card-unproved");
        assert!(!open_at(house, &caller).await);

        // However well it answers, a quarter of an hour is all.
        let mut reader = AtReader::new(&citizen.chip);
        let LoggedIn { caller, wanted: mut next } = logs_in(house, &mut reader).await;
        for _ in 0..29 {
            house.clock.advance(Duration::seconds(30));
            next = wanted(&brings(&caller, &next, &reader.answers(&next)).await);
        }
        assert!(open_at(house, &caller).await);
        house.clock.advance(Duration::seconds(30));
        assert_eq!(brings(&caller, &next, &reader.answers(&next)).await.code(), "citizen-session-needed");
    })
    .await;
}

#[tokio::test]
async fn a_citizen_locks_the_own_card_and_two_officers_bring_it_back() {
    on_both(async |house| {
        let offices = Offices::of(house).await;
        let citizen = in_hand(&offices, 1).await;
        let mut reader = AtReader::new(&citizen.chip);
        let LoggedIn { caller, .. } = logs_in(house, &mut reader).await;
        let locked = caller.post("/api/v1/citizen/card/lock", "lock", json!({})).await;
        assert_eq!((locked.status, locked.body["status"].as_str()), (200, Some("suspended")), "{locked:?}");
        assert_eq!(offices.status(citizen.chip.file(File::Sod)).await, "suspended");
        assert_eq!(recorded(house, citizen.person, "card-loss-reported").await, 1);
        assert!(!open_at(house, &caller).await);
        assert_eq!(carries(&house.anyone(), &mut AtReader::new(&citizen.chip)).await.code(), "card-not-in-force");

        let other = crate::offices::appoint(offices.state.deeds(), issuance::ground::Role::HandOver).await;
        within!(offices, offices.counter, deed => cards::propose_undo(deed, citizen.card, "found")).unwrap();
        within!(offices, other, deed => cards::undo_loss(deed, citizen.card)).unwrap();
        let again = logs_in(house, &mut AtReader::new(&citizen.chip)).await;
        assert!(open_at(house, &again.caller).await);
    })
    .await;
}

#[tokio::test]
async fn a_card_that_is_locked_at_the_counter_opens_nothing_more_in_a_session_that_is_open() {
    on_both(async |house| {
        let offices = Offices::of(house).await;
        let citizen = in_hand(&offices, 1).await;
        let LoggedIn { caller, .. } = logs_in(house, &mut AtReader::new(&citizen.chip)).await;
        within!(offices, offices.counter, deed => cards::report_loss(deed, citizen.card, crate::offices::LOST))
            .unwrap();
        for path in ["/api/v1/citizen/card", "/api/v1/citizen/looks/count"] {
            assert_eq!(caller.get(path).await.code(), "card-not-in-force", "{path}");
        }
        assert_eq!(caller.post("/api/v1/citizen/card/lock", "lock", json!({})).await.code(), "card-not-in-force");
    })
    .await;
}

#[tokio::test]
async fn what_is_no_card_of_the_citizen_opens_nothing() {
    on_both(async |house| {
        let offices = Offices::of(house).await;
        let (citizen, other) = (in_hand(&offices, 1).await, in_hand(&offices, 2).await);
        let agent = house.anyone();

        // A copy of the files, with a key of its own: recorded once about the holder, however often it is tried.
        for _ in 0..3 {
            assert_eq!(carries(&agent, &mut AtReader::copied(&citizen.chip)).await.code(), "card-unproved");
        }
        assert_eq!(recorded(house, citizen.person, "citizen-log-in-refused").await, 1);
        assert_eq!(recorded(house, citizen.person, "citizen-logged-in").await, 0);

        // DG14 of another card, and of another State's.
        let mut swapped = begin(&citizen.chip);
        swapped.dg14 = begin(&other.chip).dg14;
        let swapped = agent.post(LOG_INS, "k", serde_json::to_value(swapped).unwrap()).await;
        assert_eq!(swapped.code(), "card-altered");
        // EF.CardAccess that announces what is not signed, or nothing.
        for card_access in [vec![0x31, 0], vec![], vec![0x31, 0x80]] {
            let hidden = Begin { card_access, ..begin(&citizen.chip) };
            let hidden = agent.post(LOG_INS, "k", serde_json::to_value(hidden).unwrap()).await;
            assert_eq!(hidden.code(), "card-altered");
        }
        let mut forged = begin(&citizen.chip);
        *forged.sod.last_mut().unwrap() ^= 1;
        let forged = agent.post(LOG_INS, "k", serde_json::to_value(forged).unwrap()).await;
        assert_eq!(forged.code(), "card-altered");
        let elsewhere = Offices::open(None).await;
        let foreign = in_hand(&elsewhere, 3).await;
        assert_eq!(begins(&agent, &foreign.chip).await.code(), "card-not-of-state");

        // The chip of one card under the document of another.
        let mut mixed = AtReader::new(&citizen.chip);
        mixed.role = AtReader::new(&other.chip).role;
        assert_eq!(carries(&agent, &mut mixed).await.code(), "card-unproved");
        // None of it told anything of a person.
        for said in [swapped, forged] {
            assert!(said.body["detail"].is_null(), "{said:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_relay_that_replays_changes_or_continues_elsewhere_gets_nothing() {
    on_both(async |house| {
        let offices = Offices::of(house).await;
        let citizen = in_hand(&offices, 1).await;
        let agent = house.anyone();

        // What a chip said before is of another key of the service.
        let (mut reader, mut transcript) = (AtReader::new(&citizen.chip), Vec::new());
        let mut said = begins(&agent, &citizen.chip).await;
        while said.body["session"].is_null() {
            let wanted = wanted(&said);
            let answer = reader.answers(&wanted);
            transcript.push(answer.clone());
            said = brings(&agent, &wanted, &answer).await;
        }
        assert!(transcript.len() >= 4, "two of chip authentication, two files at least");
        let mut said = begins(&agent, &citizen.chip).await;
        for answer in &transcript {
            if said.status != 200 {
                break;
            }
            let wanted = wanted(&said);
            said = brings(&agent, &wanted, &Answer { ticket: wanted.ticket.clone(), ..answer.clone() }).await;
        }
        assert_eq!(said.code(), "card-unproved");

        // A changed bit in any answer ends it.
        for at in 0..transcript.len() {
            house.clock.advance(Duration::minutes(2));
            let mut reader = AtReader::new(&citizen.chip);
            let mut said = begins(&agent, &citizen.chip).await;
            for number in 0..=at {
                let wanted = wanted(&said);
                let mut answer = reader.answers(&wanted);
                if number == at {
                    let last = answer.response.len() - 1;
                    answer.response[last] ^= 1;
                }
                said = brings(&agent, &wanted, &answer).await;
            }
            assert_eq!(said.code(), "card-unproved", "answer {at}");
        }

        // Without its secret the name of a log-in opens nothing, and does not disturb it; with it the log-in goes on
        // over whatever connection.
        house.clock.advance(Duration::minutes(2));
        let mut reader = AtReader::new(&citizen.chip);
        let first = wanted(&begins(&agent, &citizen.chip).await);
        let answer = reader.answers(&first);
        let theirs = wanted(&begins(&agent, &citizen.chip).await);
        for ticket in [None, Some(String::new()), Some("0".repeat(64)), theirs.ticket.clone()] {
            assert_ne!(ticket, first.ticket);
            let without = Answer { ticket, ..answer.clone() };
            for caller in [&agent, &house.anyone()] {
                assert_eq!(brings(caller, &first, &without).await.code(), "log-in-unknown");
            }
        }
        let second = wanted(&brings(&house.anyone(), &first, &answer).await);
        assert_eq!(second.ticket, first.ticket);
        // Out of turn it is over, also with the right answer afterwards.
        assert_eq!(brings(&agent, &first, &answer).await.code(), "log-in-unknown");
        assert_eq!(brings(&agent, &second, &reader.answers(&second)).await.code(), "log-in-unknown");

        // Too late.
        let mut reader = AtReader::new(&citizen.chip);
        let first = wanted(&begins(&agent, &citizen.chip).await);
        house.clock.advance(Duration::seconds(31));
        assert_eq!(brings(&agent, &first, &reader.answers(&first)).await.code(), "log-in-unknown");

        // Another card's session does not go on over this card's log-in.
        let other = in_hand(&offices, 2).await;
        let mine = logs_in(house, &mut AtReader::new(&citizen.chip)).await;
        let theirs = logs_in(house, &mut AtReader::new(&other.chip)).await;
        let answer = Answer { number: theirs.wanted.number, response: vec![0x90, 0], ticket: None };
        assert_eq!(brings(&mine.caller, &theirs.wanted, &answer).await.code(), "log-in-unknown");
        assert!(open_at(house, &theirs.caller).await);
    })
    .await;
}

#[tokio::test]
async fn a_card_that_waits_or_ran_out_and_a_dead_holders_open_nothing_and_say_the_same() {
    on_both(async |house| {
        let offices = Offices::of(house).await;
        let person = offices.citizen().await;
        offices.approved(person, Kind::First).await;
        let mut waiting = offices.initialised(1).await;
        offices.card(&mut waiting).await;
        let refused = async |chip: &Chip| {
            // The chip proves itself first: a copy of its files is told nothing of the card.
            assert_eq!(begins(&house.anyone(), chip).await.status, 200);
            let said = carries(&house.anyone(), &mut AtReader::new(chip)).await;
            (said.code().to_owned(), said.body["detail"].clone())
        };
        let not_in_force = ("card-not-in-force".to_owned(), Value::Null);
        assert_eq!(refused(&waiting).await, not_in_force, "it was not handed over");

        let citizen = in_hand(&offices, 2).await;
        let expires = sql!("update card set expires = $1 where id = $2");
        let yesterday = house.clock.today() - Duration::DAY;
        let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
        let arguments: Vec<Argument> = args![yesterday, citizen.card];
        tx.change(&issuance::cards::CARD, citizen.card, expires, arguments).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(refused(&citizen.chip).await, not_in_force, "it ran out");

        let citizen = in_hand(&offices, 3).await;
        let died = sql!(
            pg "update person set record = jsonb_set(record::jsonb, '{died}', '\"2026-01-01\"') where id = $1",
            lite "update person set record = json_set(record, '$.died', '2026-01-01') where id = $1",
        );
        let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
        assert_eq!(tx.run(died, args![citizen.person]).await.unwrap(), 1);
        tx.commit().await.unwrap();
        assert_eq!(refused(&citizen.chip).await, not_in_force, "the holder is dead");
    })
    .await;
}

#[tokio::test]
async fn log_ins_are_bounded_by_place_and_by_card() {
    on_both(async |house| {
        let offices = Offices::of(house).await;
        let citizen = in_hand(&offices, 1).await;
        let agent = house.anyone();
        // With one card three are under way; the fourth takes the place of the oldest.
        let mut begun = Vec::new();
        for _ in 0..4 {
            begun.push(wanted(&begins(&agent, &citizen.chip).await));
            house.clock.advance(Duration::MILLISECOND);
        }
        let mut reader = AtReader::new(&citizen.chip);
        assert_eq!(brings(&agent, &begun[0], &reader.answers(&begun[0])).await.code(), "log-in-unknown");
        let mut reader = AtReader::new(&citizen.chip);
        assert_eq!(brings(&agent, &begun[1], &reader.answers(&begun[1])).await.status, 200);
        // From one place thirty begin in a minute.
        let mut refused = None;
        for _ in 0..40 {
            let said = begins(&agent, &citizen.chip).await;
            if said.status != 200 {
                refused = Some(said);
                break;
            }
        }
        let refused = refused.unwrap();
        assert_eq!(refused.code(), "log-in-busy");
        assert!(refused.retry_after.is_some_and(|wait| (1..=61).contains(&wait)), "{refused:?}");
        house.clock.advance(Duration::seconds(61));
        assert_eq!(begins(&agent, &citizen.chip).await.status, 200);
    })
    .await;
}

/// An officer who hands cards over, at the office of the card.
pub async fn at_the_counter(house: &House) -> Caller {
    house.officer("counter", &[issuance::ground::Role::HandOver], "district-1").await
}

pub async fn sets(officer: &Caller, card: CardId, code: &str) -> Said {
    officer.post(&format!("/api/v1/cards/{card}/citizen-code"), code, json!({"code": code})).await
}

pub async fn shows(citizen: &Caller, code: &str) -> Said {
    citizen.post("/api/v1/citizen/code", "code", json!({"code": code})).await
}

const OPENED_BY_THE_CODE: [&str; 5] = [
    "/api/v1/citizen/record",
    "/api/v1/citizen/looks",
    "/api/v1/citizen/applications",
    "/api/v1/citizen/copy",
    "/api/v1/citizen/objections",
];

#[tokio::test]
async fn what_tells_of_the_citizen_needs_the_code_too() {
    on_both(async |house| {
        let offices = Offices::of(house).await;
        let citizen = in_hand(&offices, 1).await;
        let officer = at_the_counter(house).await;
        let LoggedIn { caller, .. } = logs_in(house, &mut AtReader::new(&citizen.chip)).await;
        assert_eq!(shows(&caller, "280519").await.code(), "citizen-code-unset");
        for unfit in ["12345", "123456", "999999", "28051a", "1234567890123"] {
            assert_eq!(sets(&officer, citizen.card, unfit).await.code(), "citizen-code-unfit", "{unfit}");
        }
        assert_eq!(sets(&officer, citizen.card, "280519").await.status, 200);
        let told = sql!("select count(*) as n from notice where person_id = $1 and kind = 'code-set'");
        assert_eq!(house.count(told, args![citizen.person]).await, 1);
        assert_eq!(recorded(house, citizen.person, "citizen-code-set").await, 1);
        // The code stands nowhere as it is.
        let sql = sql!("select hash from citizen_code");
        let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
        let hash: String = tx.one(sql, args![]).await.unwrap().unwrap().get("hash").unwrap();
        drop(tx);
        assert!(hash.starts_with("$argon2id$") && !hash.contains("280519"));

        for path in OPENED_BY_THE_CODE {
            assert_eq!(caller.get(path).await.code(), "citizen-code-needed", "{path}");
        }
        assert_eq!(shows(&caller, "280519").await.status, 200);
        let record = caller.get("/api/v1/citizen/record").await;
        assert_eq!((record.status, record.body["person"]["full_name"].is_string()), (200, true), "{record:?}");
        let applications = caller.get("/api/v1/citizen/applications").await;
        assert_eq!(applications.body["applications"][0]["stage"], "handed-over", "{applications:?}");
        let looks = caller.get("/api/v1/citizen/looks").await;
        let own = looks.body["looks"].as_array().unwrap();
        for service in ["person-read", "applications-listed", "citizen-logged-in"] {
            let look =
                own.iter().find(|look| look["service"] == service).unwrap_or_else(|| panic!("{service}: {looks:?}"));
            assert_eq!((look["institution"].as_str(), look["purpose"].as_str()), (Some("yourself"), Some("own")));
        }
        assert!(own.iter().any(|look| look["institution"] != "yourself"), "officers looked too: {looks:?}");
        assert_eq!(recorded(house, citizen.person, "person-read").await, 1, "what needs the code reads nothing before");
        // Another session of the card begins without the code.
        let again = logs_in(house, &mut AtReader::new(&citizen.chip)).await;
        assert_eq!(again.caller.get("/api/v1/citizen/record").await.code(), "citizen-code-needed");
        // Another office's officer sets none.
        let elsewhere = house.officer("elsewhere", &[issuance::ground::Role::HandOver], "o-2").await;
        assert_eq!(sets(&elsewhere, citizen.card, "135790").await.code(), "other-office");
    })
    .await;
}

#[tokio::test]
async fn each_wrong_code_makes_the_wait_longer_and_after_ten_a_new_one_is_set_at_the_counter() {
    on_both(async |house| {
        let offices = Offices::of(house).await;
        let citizen = in_hand(&offices, 1).await;
        let mut officer = at_the_counter(house).await;
        assert_eq!(sets(&officer, citizen.card, "280519").await.status, 200);
        let (mut tries, mut waits) = (0, Vec::new());
        while tries < 10 {
            let LoggedIn { caller, .. } = logs_in(house, &mut AtReader::new(&citizen.chip)).await;
            let said = shows(&caller, "135790").await;
            if said.code() == "citizen-code-wrong" {
                tries += 1;
                continue;
            }
            assert_eq!(said.code(), "citizen-code-locked", "{said:?}");
            // The right one is not looked at either.
            assert_eq!(shows(&caller, "280519").await.code(), "citizen-code-locked");
            let wait = said.retry_after.unwrap();
            waits.push(wait);
            house.clock.advance(Duration::seconds(i64::try_from(wait).unwrap()));
        }
        assert!(waits.len() == 7 && waits.is_sorted() && waits[0] >= 60, "{waits:?}");
        // Waiting helps no more.
        house.clock.advance(Duration::days(30));
        let LoggedIn { caller, .. } = logs_in(house, &mut AtReader::new(&citizen.chip)).await;
        let stopped = shows(&caller, "280519").await;
        assert_eq!((stopped.code(), stopped.retry_after), ("citizen-code-locked", None));
        assert_eq!(recorded(house, citizen.person, "citizen-code-refused").await, 10);
        // The officer's session ended meanwhile.
        officer.token = officer.signs_in("counter", house::PASSWORD).await.body["token"].as_str().map(str::to_owned);
        assert_eq!(sets(&officer, citizen.card, "246802").await.status, 200);
        assert_eq!(shows(&caller, "246802").await.status, 200);
        assert_eq!(caller.get("/api/v1/citizen/record").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn codes_that_are_shown_at_once_are_no_more_tries_than_one_by_one() {
    on_both(async |house| {
        let offices = Offices::of(house).await;
        let citizen = in_hand(&offices, 1).await;
        let officer = at_the_counter(house).await;
        assert_eq!(sets(&officer, citizen.card, "280519").await.status, 200);
        let LoggedIn { caller, .. } = logs_in(house, &mut AtReader::new(&citizen.chip)).await;
        let guesses = (0..12).map(|guess| {
            let caller = caller.clone();
            async move { shows(&caller, &format!("13579{guess}")).await }
        });
        let said = futures_util::future::join_all(guesses).await;
        let judged = said.iter().filter(|said| said.code() == "citizen-code-wrong").count();
        let wrong = sql!("select wrong as n from citizen_code");
        assert_eq!(house.count(wrong, args![]).await, i64::try_from(judged).unwrap());
        assert!((1..=3).contains(&judged), "{judged} of twelve were judged before the first wait");
        assert!(
            said.iter()
                .all(|said| ["citizen-code-wrong", "citizen-code-locked", "service-busy"].contains(&said.code())),
            "{said:?}"
        );
    })
    .await;
}
