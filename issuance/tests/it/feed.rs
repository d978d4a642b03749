//! What changes of the persons whom a partner follows: told without data, in its order, at least once, and no more than
//! is agreed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration as Real, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use issuance::ground::Role;
use issuance::ground::ids::PersonId;
use issuance::{args, sql};
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use reqwest::Method;
use serde_json::{Value, json};
use time::Duration;

use crate::exchange::{Joined, agreed, asks, joined, person, question, system_of};
use crate::house::{Caller, House, Said, on_both};

const PURPOSE: &str = "tax-number";
const MAU: (&str, &str) = ("Nguyễn Thị Mẫu", "17/05/1990");

fn grant(service: &str, fields: &[&str]) -> Value {
    json!({"purpose": PURPOSE, "service": service, "fields": fields, "per_day": 1000})
}

/// An agreement to follow, about these fields.
async fn following(house: &House, joined: &Joined, fields: &[&str]) {
    agreed(house, joined, &joined.partner, "TT-F", json!([grant("follow", fields)])).await;
}

/// Begins to follow a person. Returns the partner's name for the person.
async fn follows(system: &Caller, request: &str, number: &str, (name, birth): (&str, &str)) -> String {
    let said = asks(system, "follow", question(request, number, name, birth)).await;
    assert_eq!((said.status, &said.body["outcome"]), (200, &json!("found")), "{said:?}");
    said.body["pseudonym"].as_str().unwrap().to_owned()
}

async fn feed(system: &Caller, rest: &str) -> Said {
    system.get(&format!("/api/v1/exchange/changes?purpose={PURPOSE}{rest}")).await
}

/// What a partner is told after a cursor, once there is something.
async fn told(system: &Caller, after: Option<&str>) -> Value {
    let rest = after.map(|cursor| format!("&after={cursor}")).unwrap_or_default();
    let began = Instant::now();
    loop {
        let said = feed(system, &rest).await;
        assert_eq!(said.status, 200, "{said:?}");
        if !said.body["items"].as_array().unwrap().is_empty() {
            return said.body;
        }
        assert!(began.elapsed() < Real::from_mins(1), "nothing is told");
        tokio::time::sleep(Real::from_millis(20)).await;
    }
}

/// Waits until every change that was noted has its place.
async fn placed(house: &House) {
    let began = Instant::now();
    while house.count(sql!("select count(*) as n from deed_change"), args![]).await > 0 {
        assert!(began.elapsed() < Real::from_mins(1), "changes wait");
        tokio::time::sleep(Real::from_millis(20)).await;
    }
}

fn kinds(change: &Value) -> Vec<&str> {
    change["kinds"].as_array().unwrap().iter().map(|kind| kind.as_str().unwrap()).collect()
}

/// Two registrars of the office.
struct Registrars(Caller, Caller);

impl Registrars {
    async fn of(house: &House) -> Self {
        let one = house.officer("changes-one", &[Role::Registrar], "o-1").await;
        Self(one, house.officer("changes-two", &[Role::Registrar], "o-1").await)
    }

    /// One proposes a change, the other one applies it.
    async fn change(&self, id: &str, kind: &str, fields: Value, valid_from: Option<&str>) {
        let evidence = json!({"form": "dc02", "source": "civil-status", "document": "Trích lục 1/2026",
            "confidence": "proved"});
        let mut body = json!({"kind": kind, "fields": fields, "evidence": evidence});
        if let Some(day) = valid_from {
            body["valid_from"] = json!(day);
        }
        let key = format!("{id}-{kind}-{}", valid_from.unwrap_or_default());
        let proposed = self.0.post(&format!("/api/v1/persons/{id}/changes"), &key, body).await;
        assert_eq!(proposed.status, 201, "{proposed:?}");
        let change = proposed.body["change_id"].as_str().unwrap();
        let path = format!("/api/v1/register-changes/{change}/application");
        let applied = self.1.post(&path, &format!("apply-{change}"), json!({})).await;
        assert!((200..300).contains(&applied.status), "{applied:?}");
    }
}

/// A person who is followed moves, and the change has its place.
pub async fn moves(house: &House, id: &str) {
    let place = json!({"province": "003", "detail": "Số 2, đường Thử"});
    Registrars::of(house).await.change(id, "moved", json!({"permanent_residence": place}), Some("01/01/2026")).await;
    placed(house).await;
}

#[tokio::test]
async fn a_change_is_told_without_data_to_who_follows_and_as_far_as_is_agreed() {
    on_both(async |house| {
        let joined = joined(house).await;
        following(house, &joined, &["life", "permanent_residence"]).await;
        let (id, number) = person(house, MAU.0, MAU.1, json!({})).await;
        let pseudonym = follows(&joined.system, "f-1", &number, MAU).await;
        let registrars = Registrars::of(house).await;
        let place = json!({"province": "003", "detail": "Số 2, đường Thử"});
        registrars.change(&id, "corrected", json!({"religion": "Không"}), None).await;
        registrars.change(&id, "moved", json!({"permanent_residence": place}), Some("01/01/2026")).await;
        registrars.change(&id, "died", json!({"died": "02/01/2026"}), Some("02/01/2026")).await;
        placed(house).await;

        let said = told(&joined.system, None).await;
        let changes = said["items"].as_array().unwrap();
        assert_eq!(changes.len(), 2, "the religion is not in the agreement: {said}");
        assert_eq!((kinds(&changes[0]), kinds(&changes[1])), (vec!["residence"], vec!["life"]));
        assert_eq!((&changes[0]["effective"], &changes[1]["effective"]), (&json!("01/01/2026"), &json!("02/01/2026")));
        for change in changes {
            let members: Vec<_> = change.as_object().unwrap().keys().cloned().collect();
            assert_eq!(members, ["cursor", "effective", "kinds", "placed_at", "pseudonym"]);
            assert_eq!(change["pseudonym"], json!(pseudonym));
        }
        assert!(!said.to_string().contains(&number) && !said.to_string().contains("Số 2"), "{said}");
        // It comes again as long as it is asked for, and after its cursor what follows.
        assert_eq!(told(&joined.system, None).await["items"], said["items"]);
        let second = told(&joined.system, changes[0]["cursor"].as_str()).await;
        assert_eq!(second["items"].as_array().unwrap()[..], changes[1..]);
        let end = said["next"].as_str().unwrap();
        let none = feed(&joined.system, &format!("&after={end}")).await;
        assert_eq!(
            (&none.body["items"], &none.body["next"], &none.body["more"]),
            (&json!([]), &json!(end), &json!(false))
        );
        // In pages: the first page ends at what is not told, and says that there is more.
        let first = feed(&joined.system, "&limit=1").await;
        assert_eq!((&first.body["items"], &first.body["more"]), (&json!([]), &json!(true)), "{first:?}");
        assert!(first.body["next"].is_string());

        // The citizen sees that the partner follows, and each time that it was told.
        let counter = house.officer("counter", &[Role::Capture], "o-1").await;
        let looks = counter.get(&format!("/api/v1/persons/{id}/looks")).await;
        let of_partner: Vec<_> =
            looks.body["looks"].as_array().unwrap().iter().filter(|look| look["service"] == "follow").collect();
        assert_eq!(of_partner.len(), 6, "once followed, told of two changes twice and of one once: {looks:?}");
        let person: PersonId = id.parse().unwrap();
        let about = sql!("select count(*) as n from audit_entry where person_id = $1 and action = $2");
        assert_eq!(house.count(about, args![person, "changes-told"]).await, 5);
    })
    .await;
}

#[tokio::test]
async fn the_feed_is_signed_over_its_bytes() {
    on_both(async |house| {
        let joined = joined(house).await;
        following(house, &joined, &["life"]).await;
        let (_, number) = person(house, MAU.0, MAU.1, json!({})).await;
        follows(&joined.system, "f-1", &number, MAU).await;
        let keys = house.anyone().get("/api/v1/exchange/keys").await.body;
        let bytes = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).unwrap();
        let point = |part: &str| bytes(keys["keys"][0][part].as_str().unwrap());
        let key = VerifyingKey::from_sec1_bytes(&[vec![4], point("x"), point("y")].concat()).unwrap();
        for list in ["changes", "follows"] {
            let url = format!("{}/api/v1/exchange/{list}?purpose={PURPOSE}", joined.system.address);
            let answer = joined.system.client.get(url).send().await.unwrap();
            let signature = answer.headers()["x-jws-signature"].to_str().unwrap().to_owned();
            let body = answer.bytes().await.unwrap();
            let (header, signature) = signature.split_once("..").unwrap();
            let input = [header.as_bytes(), b".", &body].concat();
            let signature = Signature::from_slice(&bytes(signature)).unwrap();
            key.verify(&input, &signature).unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn who_is_not_known_not_agreed_or_not_reached_is_not_followed() {
    on_both(async |house| {
        let joined = joined(house).await;
        let (id, number) = person(house, MAU.0, MAU.1, json!({})).await;
        let ask = |request: &'static str| asks(&joined.system, "follow", question(request, &number, MAU.0, MAU.1));
        assert_eq!(ask("f-0").await.code(), "exchange-not-agreed");
        assert_eq!(feed(&joined.system, "").await.code(), "exchange-not-agreed");
        let mut narrow = grant("follow", &["life", "permanent_residence"]);
        narrow["provinces"] = json!(["003"]);
        let agreement = agreed(house, &joined, &joined.partner, "TT-1", json!([narrow])).await;
        // Another's name: no such person, and nothing is followed.
        let other = asks(&joined.system, "follow", question("f-1", &number, "Trần Thị Khác", MAU.1)).await;
        assert_eq!((&other.body["outcome"], &other.body["pseudonym"]), (&json!("not-found"), &Value::Null));
        let mut fields = question("f-2", &number, MAU.0, MAU.1);
        fields["fields"] = json!(["life"]);
        assert_eq!(asks(&joined.system, "follow", fields).await.code(), "exchange-request-unfit");
        assert_eq!(feed(&joined.system, "&after=nothing").await.code(), "exchange-cursor-gone");
        assert_eq!(feed(&joined.system, "&limit=501").await.code(), "query-malformed");
        assert_eq!(feed(&joined.system, "&who=me").await.code(), "query-malformed");
        assert_eq!(feed(&joined.system, "").await.body["next"], Value::Null);

        follows(&joined.system, "f-3", &number, MAU).await;
        // Who moved away from where the agreement reaches: that is told, and nothing after it.
        let registrars = Registrars::of(house).await;
        let away = json!({"province": "004", "detail": "Số 9, đường Khác"});
        registrars.change(&id, "moved", json!({"permanent_residence": away}), Some("01/01/2026")).await;
        registrars.change(&id, "died", json!({"died": "02/01/2026"}), Some("02/01/2026")).await;
        placed(house).await;
        let said = told(&joined.system, None).await;
        assert_eq!(said["items"].as_array().unwrap().iter().map(kinds).collect::<Vec<_>>(), [["residence"]]);

        // Another partner's system reads a feed of its own, and the cursor of this one is none there.
        let cursor = said["items"][0]["cursor"].as_str().unwrap().to_owned();
        let drafted = house.admin.post("/api/v1/partners", "p-2", crate::exchange::new_partner("p-khac")).await;
        let partner = drafted.body["id"].as_str().unwrap().to_owned();
        joined.bao.post(&format!("/api/v1/partners/{partner}/confirmation"), "p-2-c", json!({})).await;
        let (stranger, _) = system_of(house, &joined.bao, &partner, "may-2").await;
        let stranger_joined =
            Joined { bao: joined.bao.clone(), system: stranger, partner: partner.clone(), system_id: String::new() };
        agreed(house, &stranger_joined, &partner, "TT-2", json!([grant("follow", &["life"])])).await;
        assert_eq!(feed(&stranger_joined.system, "").await.body["items"], json!([]));
        assert_eq!(feed(&stranger_joined.system, &format!("&after={cursor}")).await.code(), "exchange-cursor-gone");

        // It ended a moment ago: nothing is told, and to follow no more is possible still.
        joined.bao.post(&format!("/api/v1/agreements/{agreement}/end"), "end", json!({"reason": "over"})).await;
        assert_eq!(feed(&joined.system, "").await.code(), "exchange-not-agreed");
        let path = format!("/api/v1/exchange/follows?purpose={PURPOSE}");
        assert_eq!(joined.system.get(&path).await.code(), "exchange-not-agreed");
        let pseudonym = &said["items"][0]["pseudonym"];
        let body = json!({"purpose": PURPOSE, "pseudonym": pseudonym});
        for ended in [true, false] {
            let path = "/api/v1/exchange/unfollow";
            let said = joined.system.asks(Method::POST, path, None, Some(body.clone())).await;
            assert_eq!((said.status, &said.body["ended"]), (200, &json!(ended)), "{said:?}");
        }
        assert_eq!(house.count(sql!("select count(*) as n from exchange_follow"), args![]).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_cursor_that_is_gone_says_so_and_the_list_of_follows_helps() {
    on_both(async |house| {
        let joined = joined(house).await;
        following(house, &joined, &["permanent_residence"]).await;
        let (id, number) = person(house, MAU.0, MAU.1, json!({})).await;
        let pseudonym = follows(&joined.system, "f-1", &number, MAU).await;
        let registrars = Registrars::of(house).await;
        let place =
            |n: u32| json!({"permanent_residence": {"province": "003", "detail": format!("Số {n}, đường Thử")}});
        registrars.change(&id, "moved", place(11), Some("01/01/2026")).await;
        placed(house).await;
        let first = told(&joined.system, None).await["next"].as_str().unwrap().to_owned();
        registrars.change(&id, "moved", place(12), Some("02/01/2026")).await;
        placed(house).await;
        let second = told(&joined.system, Some(&first)).await["next"].as_str().unwrap().to_owned();

        // As a restored database has it: the places were given once more, to other changes.
        let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
        let again = sql!("update exchange_notice set tag = $1 where place = (select max(place) from exchange_notice)");
        assert_eq!(tx.run(again, args![[7_u8; 8]]).await.unwrap(), 1);
        tx.commit().await.unwrap();
        let gone = feed(&joined.system, &format!("&after={second}")).await;
        assert_eq!((gone.status, gone.code()), (410, "exchange-cursor-gone"), "no change is skipped in silence");
        let path = format!("/api/v1/exchange/follows?purpose={PURPOSE}");
        let list = joined.system.get(&path).await.body;
        assert_eq!(list["items"].as_array().unwrap().len(), 1);
        assert_eq!(list["items"][0]["pseudonym"], json!(pseudonym));
        let cursor = list["cursor"].as_str().unwrap().to_owned();
        assert_eq!(feed(&joined.system, &format!("&after={cursor}")).await.body["items"], json!([]));
        registrars.change(&id, "moved", place(13), Some("03/01/2026")).await;
        placed(house).await;
        let third = told(&joined.system, Some(&cursor)).await;
        assert_eq!(third["items"][0]["effective"], "03/01/2026");

        // After their time all but the last are kept no more: the beginning is gone, the last cursor is not.
        house.clock.advance(Duration::days(91));
        let erased = issuance::exchange::erase_notices(house.service.offices().deeds(), Duration::days(90)).await;
        assert_eq!(erased.unwrap(), 2);
        assert_eq!(feed(&joined.system, "").await.code(), "exchange-cursor-gone");
        assert_eq!(feed(&joined.system, &format!("&after={first}")).await.code(), "exchange-cursor-gone");
        let last = third["next"].as_str().unwrap();
        assert_eq!(feed(&joined.system, &format!("&after={last}")).await.body["items"], json!([]));
        assert_eq!(joined.system.get(&path).await.body["cursor"], json!(last));
    })
    .await;
}

#[tokio::test]
async fn what_a_clock_that_was_ahead_left_in_a_feed_makes_no_gap_in_it() {
    on_both(async |house| {
        let joined = joined(house).await;
        following(house, &joined, &["permanent_residence"]).await;
        let (id, number) = person(house, MAU.0, MAU.1, json!({})).await;
        follows(&joined.system, "f-1", &number, MAU).await;
        let registrars = Registrars::of(house).await;
        for n in 1..=4 {
            let place = json!({"permanent_residence": {"province": "003", "detail": format!("Số {n}0, đường Thử")}});
            registrars.change(&id, "moved", place, Some(&format!("0{n}/01/2026"))).await;
            placed(house).await;
        }
        let first = feed(&joined.system, "&limit=1").await.body["next"].as_str().unwrap().to_owned();
        // The first notice was placed under a clock that was a year ahead.
        let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
        let ahead = sql!("update exchange_notice set at = $1 where place = (select min(place) from exchange_notice)");
        assert_eq!(tx.run(ahead, args![house.clock.now() + Duration::days(365)]).await.unwrap(), 1);
        tx.commit().await.unwrap();
        house.clock.advance(Duration::days(91));
        let deeds = house.service.offices().deeds();
        assert_eq!(issuance::exchange::erase_notices(deeds, Duration::days(90)).await.unwrap(), 0);
        let rest = feed(&joined.system, &format!("&after={first}")).await;
        assert_eq!(rest.body["items"].as_array().map(Vec::len), Some(3), "told, or gone; never skipped: {rest:?}");
    })
    .await;
}

#[tokio::test]
async fn that_two_records_were_of_one_person_is_told_and_whom_a_partner_follows_no_more_is_not() {
    on_both(async |house| {
        let joined = joined(house).await;
        following(house, &joined, &["life"]).await;
        let (one, _) = person(house, MAU.0, MAU.1, json!({})).await;
        let registrars = Registrars::of(house).await;
        // Declared a second time, with the number of the old card.
        let place = json!({"province": "003", "detail": "Số 1, đường Thử"});
        let twice = json!({"full_name": MAU.0, "birth_date": MAU.1, "sex": "Nữ", "ethnic_group": "01",
            "birth_registration": place, "place_of_origin": place, "permanent_residence": place,
            "old_id_number": "012345678"});
        let declared = registrars.0.post("/api/v1/declarations", "twice", twice).await;
        let other = declared.body["person_id"].as_str().unwrap_or_else(|| panic!("{declared:?}")).to_owned();
        let mut by_old = question("f-1", "", MAU.0, MAU.1);
        by_old["subject"] = json!({"old_id_number": "012345678", "full_name": MAU.0, "birth_date": MAU.1});
        let begun = asks(&joined.system, "follow", by_old).await;
        let pseudonym = begun.body["pseudonym"].as_str().unwrap_or_else(|| panic!("{begun:?}")).to_owned();
        let evidence = json!({"form": "dc02", "source": "identity-archive", "document": "Biên bản đối chiếu 3/2026",
            "confidence": "proved"});
        let merge = json!({"other": other, "take": [], "evidence": evidence});
        let proposed = registrars.0.post(&format!("/api/v1/persons/{one}/merges"), "merge", merge).await;
        let merge = proposed.body["merge_id"].as_str().unwrap_or_else(|| panic!("{proposed:?}"));
        let path = format!("/api/v1/register-merges/{merge}/application");
        let applied = registrars.1.post(&path, "merge-applied", json!({})).await;
        assert!((200..300).contains(&applied.status), "{applied:?}");
        placed(house).await;
        let said = told(&joined.system, None).await;
        assert_eq!(said["items"].as_array().unwrap().iter().map(kinds).collect::<Vec<_>>(), [["record"]]);
        assert_eq!(said["items"][0]["pseudonym"], json!(pseudonym));
        // By its name for the record that is no more, the partner finds the person, with the name that counts now.
        let mut by_name = question("f-2", "", "", "");
        by_name["subject"] = json!({"pseudonym": pseudonym});
        let found = asks(&joined.system, "follow", by_name).await;
        assert_eq!(found.body["outcome"], "found", "{found:?}");
        assert_ne!(found.body["pseudonym"], json!(pseudonym));

        let body = json!({"purpose": PURPOSE, "pseudonym": pseudonym});
        let ended = joined.system.asks(Method::POST, "/api/v1/exchange/unfollow", None, Some(body)).await;
        assert_eq!(ended.body["ended"], json!(true));
        assert_eq!(feed(&joined.system, "").await.body["items"], json!([]), "of whom it follows no more, nothing");
    })
    .await;
}

/// Notes a change as an office does in a transaction of its own.
async fn note(house: &House, person: PersonId, fields: &str, before_the_commit: Real) {
    let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
    let sql = sql!("insert into deed_change (person_id, fields, effective) values ($1, $2, $3)");
    tx.run(sql, args![person, "permanent_residence", fields]).await.unwrap();
    tokio::time::sleep(before_the_commit).await;
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn no_change_is_lost_or_overtaken_whichever_becomes_true_first_and_whoever_gives_the_places() {
    on_both(async |house| {
        let joined = joined(house).await;
        following(house, &joined, &["permanent_residence"]).await;
        let names = ["Nguyễn Văn Một", "Trần Thị Hai", "Lê Văn Ba", "Phạm Thị Bốn"];
        let mut persons = Vec::new();
        for (n, name) in names.into_iter().enumerate() {
            let (id, number) = person(house, name, MAU.1, json!({})).await;
            let pseudonym = follows(&joined.system, &format!("f-{n}"), &number, (name, MAU.1)).await;
            persons.push((id.parse::<PersonId>().unwrap(), pseudonym));
        }
        let deeds = house.service.offices().deeds();
        let mut reader = BTreeMap::<String, Vec<String>>::new();
        let mut seen = BTreeSet::new();
        // Each writer changes its person again and again; a transaction that began earlier often ends later.
        let writers = async {
            futures_util::future::join_all(persons.iter().enumerate().map(|(w, (id, _))| async move {
                for n in 0..12_u64 {
                    note(house, *id, &format!("{n:02}"), Real::from_millis((n * 7 + w as u64 * 13) % 30)).await;
                }
            }))
            .await;
        };
        // Two more services give places beside the one that runs; now and then one is cut.
        let placers = async {
            for n in 0..60_u64 {
                let cut = Real::from_millis(n % 9);
                let _ = tokio::time::timeout(cut, issuance::exchange::place_changes(deeds)).await;
                tokio::time::sleep(Real::from_millis(3)).await;
            }
        };
        let mut cursor: Option<String> = None;
        let reading = async {
            let began = Instant::now();
            while seen.len() < 48 {
                assert!(began.elapsed() < Real::from_mins(1), "{} of 48 were told", seen.len());
                let rest = cursor.as_ref().map(|cursor| format!("&limit=5&after={cursor}"));
                let said = feed(&joined.system, &rest.unwrap_or_else(|| "&limit=5".to_owned())).await;
                assert_eq!(said.status, 200, "{said:?}");
                for change in said.body["items"].as_array().unwrap() {
                    let text = |member: &str| change[member].as_str().unwrap().to_owned();
                    assert!(seen.insert(text("cursor")), "told twice though the cursor moved on");
                    reader.entry(text("pseudonym")).or_default().push(text("effective"));
                }
                cursor = said.body["next"].as_str().map(str::to_owned);
            }
        };
        tokio::join!(writers, placers, placers_again(deeds), reading);
        for (_, pseudonym) in &persons {
            let in_order: Vec<String> = (0..12).map(|n| format!("{n:02}")).collect();
            assert_eq!(reader[pseudonym], in_order);
        }
    })
    .await;
}

async fn placers_again(deeds: &issuance::deed::Deeds) {
    for _ in 0..40 {
        let _ = issuance::exchange::place_changes(deeds).await;
        tokio::time::sleep(Real::from_millis(5)).await;
    }
}
