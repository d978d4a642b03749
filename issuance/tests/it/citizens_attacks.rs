//! Terminals, copies of cards and requests that come late, against the log-in of citizens. Over TLS.

use std::net::{IpAddr, Ipv4Addr};

use issuance::cards::steps as cards;
use issuance::keys::{self, KeyStore};
use issuance::{args, sql};
use serde_json::{Value, json};
use time::Duration;

use crate::citizens::{
    AtReader, LoggedIn, at_the_counter, begins, brings, carries, in_hand, logs_in, open_at, recorded, sets, shows,
    wanted,
};
use crate::exchange_attacks::{sends_slowly, shows_none};
use crate::house::{self, Caller, House, on_both};
use crate::offices::{Offices, within};

/// An agent at another place.
fn elsewhere(house: &House, last: u8) -> Caller {
    let place = IpAddr::V4(Ipv4Addr::new(127, 0, 0, last));
    let client = house::builder(&house.folder, None).local_address(place).build().unwrap();
    Caller { client, ..house.anyone() }
}

/// Asks for an act of the citizen's whose body ends after `meanwhile`.
async fn acts_late(
    house: &House,
    token: &str,
    (path, body): (&str, Value),
    meanwhile: impl AsyncFnOnce(),
) -> (u16, String) {
    let head = format!(
        "POST /api/v1/citizen/{path} HTTP/1.1\r\nx-citizen-session: {token}\r\nidempotency-key: late-{}",
        house.clock.now().unix_timestamp()
    );
    let (status, code, _) = sends_slowly(house, &shows_none(house), &head, &body, meanwhile).await.unwrap();
    (status, code)
}

#[tokio::test]
async fn an_act_whose_end_comes_after_the_session_is_not_done() {
    on_both(async |house| {
        let offices = Offices::of(house).await;
        let citizen = in_hand(&offices, 1).await;
        assert_eq!(sets(&at_the_counter(house).await, citizen.card, "280519").await.status, 200);
        let token = async || {
            let LoggedIn { wanted, .. } = logs_in(house, &mut AtReader::new(&citizen.chip)).await;
            wanted.session.unwrap().token.unwrap()
        };
        let needed = (401, "citizen-session-needed".to_owned());
        // The card was taken away a while ago.
        let gone = async || house.clock.advance(Duration::seconds(46));
        assert_eq!(acts_late(house, &token().await, ("card/lock", json!({})), gone).await, needed);
        // A wrong code that was held back counts against none.
        let gone = async || house.clock.advance(Duration::seconds(46));
        assert_eq!(acts_late(house, &token().await, ("code", json!({"code": "135790"})), gone).await, needed);
        // The card is logged in elsewhere.
        let anew = async || drop(token().await);
        assert_eq!(acts_late(house, &token().await, ("card/lock", json!({})), anew).await, needed);
        for action in ["card-loss-reported", "citizen-code-refused"] {
            assert_eq!(recorded(house, citizen.person, action).await, 0, "{action}");
        }
        // What comes in time is done.
        let said = acts_late(house, &token().await, ("card/lock", json!({})), async || ()).await;
        assert_eq!(said, (200, String::new()));
    })
    .await;
}

#[tokio::test]
async fn who_has_a_copy_of_a_card_keeps_its_holder_out_neither_alone_nor_from_several_places() {
    on_both(async |house| {
        let offices = Offices::of(house).await;
        let citizen = in_hand(&offices, 1).await;
        let agent = house.anyone();
        let floods = async |last: u8| {
            let copy = elsewhere(house, last);
            for _ in 0..5 {
                house.clock.advance(Duration::MILLISECOND);
                assert_eq!(begins(&copy, &citizen.chip).await.status, 200);
            }
        };
        // From one place: it only displaces its own.
        let mut reader = AtReader::new(&citizen.chip);
        let mut next = wanted(&begins(&agent, &citizen.chip).await);
        floods(2).await;
        for _ in 0..3 {
            next = wanted(&brings(&agent, &next, &reader.answers(&next)).await);
        }
        // From several: the chip has proved itself by now, and none of theirs did.
        for last in 3..8 {
            floods(last).await;
        }
        while next.session.is_none() {
            next = wanted(&brings(&agent, &next, &reader.answers(&next)).await);
        }
    })
    .await;
}

#[tokio::test]
async fn a_copy_of_a_card_is_told_nothing_of_it_and_a_locked_card_that_is_used_is_recorded() {
    on_both(async |house| {
        let offices = Offices::of(house).await;
        let citizen = in_hand(&offices, 1).await;
        let copied = async || {
            let said = carries(&house.anyone(), &mut AtReader::copied(&citizen.chip)).await;
            (said.status, said.code().to_owned())
        };
        let before = copied().await;
        within!(offices, offices.counter, deed => cards::report_loss(deed, citizen.card, crate::offices::LOST))
            .unwrap();
        assert_eq!((copied().await, &*before.1), (before.clone(), "card-unproved"), "locked or not");
        // The finder of the card tries it: the holder is told in the log, once in a while.
        house.clock.advance(Duration::minutes(11));
        let refused = recorded(house, citizen.person, "citizen-log-in-refused").await;
        for _ in 0..3 {
            let said = carries(&house.anyone(), &mut AtReader::new(&citizen.chip)).await;
            assert_eq!((said.code(), &said.body["detail"]), ("card-not-in-force", &Value::Null));
        }
        assert_eq!(recorded(house, citizen.person, "citizen-log-in-refused").await, refused + 1);
        let why = sql!(
            "select count(*) as n from audit_entry where person_id = $1 and reason = 'card-not-in-force'
             and action = 'citizen-log-in-refused'"
        );
        assert_eq!(house.count(why, args![citizen.person]).await, 1);
    })
    .await;
}

#[tokio::test]
async fn no_code_stands_on_the_card_that_its_finder_has() {
    on_both(async |house| {
        let offices = Offices::of(house).await;
        let citizen = in_hand(&offices, 1).await;
        let officer = at_the_counter(house).await;
        let number = sql!("select cast(personal_number as text) as number from person where id = $1");
        let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
        let number: String = tx.one(number, args![citizen.person]).await.unwrap().unwrap().get("number").unwrap();
        drop(tx);
        let today = house.clock.today();
        let issued = format!("{:02}{:02}{}", today.day(), u8::from(today.month()), today.year());
        // The access number on the front is the end of the number for life; born on 05/01/2000.
        for printed in [number.as_str(), &number[6..], &number[..8], "050100", "000105", "05012000", issued.as_str()] {
            assert_eq!(sets(&officer, citizen.card, printed).await.code(), "citizen-code-unfit", "{printed}");
        }
        assert_eq!(recorded(house, citizen.person, "citizen-code-set").await, 0);
        assert_eq!(sets(&officer, citizen.card, "280519").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_new_code_is_shown_anew_also_in_a_session_that_is_open() {
    on_both(async |house| {
        let offices = Offices::of(house).await;
        let citizen = in_hand(&offices, 1).await;
        let officer = at_the_counter(house).await;
        assert_eq!(sets(&officer, citizen.card, "280519").await.status, 200);
        let LoggedIn { caller, .. } = logs_in(house, &mut AtReader::new(&citizen.chip)).await;
        assert_eq!(shows(&caller, "280519").await.status, 200);
        assert_eq!(caller.get("/api/v1/citizen/record").await.status, 200);
        assert_eq!(sets(&officer, citizen.card, "246802").await.status, 200);
        assert!(open_at(house, &caller).await, "the card is there as before");
        assert_eq!(caller.get("/api/v1/citizen/record").await.code(), "citizen-code-needed");
        assert_eq!(shows(&caller, "246802").await.status, 200);
        assert_eq!(caller.get("/api/v1/citizen/record").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_card_whose_signer_was_revoked_opens_nothing_and_a_locked_one_has_no_new_code() {
    on_both(async |house| {
        let offices = Offices::of(house).await;
        let citizen = in_hand(&offices, 1).await;
        let officer = at_the_counter(house).await;
        within!(offices, offices.counter, deed => cards::report_loss(deed, citizen.card, crate::offices::LOST))
            .unwrap();
        assert_eq!(sets(&officer, citizen.card, "280519").await.code(), "card-not-in-force");

        let citizen = in_hand(&offices, 2).await;
        assert_eq!(begins(&house.anyone(), &citizen.chip).await.status, 200);
        let store = KeyStore::open(&house.folder.path().join("data"), None).unwrap();
        let signer = keys::issued(&store).unwrap().into_iter().find(|one| one.file == "ds").unwrap();
        keys::issue_crl(&store, &[signer.certificate.serial().clone()], house.clock.now()).unwrap();
        assert_eq!(begins(&house.anyone(), &citizen.chip).await.code(), "card-not-of-state");
    })
    .await;
}

#[tokio::test]
async fn of_one_place_eight_log_ins_are_under_way_and_another_place_is_let_in() {
    on_both(async |house| {
        let offices = Offices::of(house).await;
        let (agent, mut begun) = (house.anyone(), Vec::new());
        for number in 1..=3 {
            let citizen = in_hand(&offices, number).await;
            for _ in 0..3 {
                begun.push(begins(&agent, &citizen.chip).await.code().to_owned());
            }
            if number == 3 {
                assert_eq!(begins(&elsewhere(house, 2), &citizen.chip).await.status, 200);
            }
        }
        assert_eq!((begun[..8].concat(), begun[8].as_str()), (String::new(), "log-in-busy"), "{begun:?}");
    })
    .await;
}
