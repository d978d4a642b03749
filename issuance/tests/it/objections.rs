//! A citizen objects to a look, or to what the register holds, and takes a signed copy home.

use issuance::ground::Role;
use issuance::{args, sql};
use serde_json::{Value, json};
use time::Duration;

use crate::citizens::{AtReader, InHand, LoggedIn, at_the_counter, in_hand, logs_in, sets, shows};
use crate::exchange::verifies;
use crate::house::{Caller, House, PASSWORD, on_both};
use crate::offices::Offices;

const OWN: &str = "/api/v1/citizen/objections";
const WAITING: &str = "/api/v1/objections";

/// A citizen who is logged in, and showed the code.
async fn citizen(house: &House, in_hand: &InHand) -> Caller {
    let officer = at_the_counter(house).await;
    assert_eq!(sets(&officer, in_hand.card, "280519").await.status, 200);
    let LoggedIn { caller, .. } = logs_in(house, &mut AtReader::new(&in_hand.chip)).await;
    assert_eq!(shows(&caller, "280519").await.status, 200);
    caller
}

async fn recorded(house: &House, about: &InHand, action: &str) -> i64 {
    let sql = sql!("select count(*) as n from v_audit_entry where person_id = $1 and action = $2");
    house.count(sql, args![about.person, action]).await
}

fn listed(said: &Value) -> Vec<String> {
    let items = said["items"].as_array().unwrap_or_else(|| panic!("{said}"));
    items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_objection_to_a_look_is_answered_by_the_data_protection_officer_who_did_not_look() {
    on_both(async |house| {
        let offices = Offices::of(house).await;
        let in_hand = in_hand(&offices, 1).await;
        let bao = house.officer("bao", &[Role::DataProtection], "national").await;
        let both = house.officer("both", &[Role::DataProtection, Role::Registrar], "national").await;
        assert_eq!(both.get(&format!("/api/v1/persons/{}", in_hand.person)).await.status, 200);
        let caller = citizen(house, &in_hand).await;
        let looks = caller.get("/api/v1/citizen/looks").await.body;
        let look = looks["looks"].as_array().unwrap().iter().find(|look| look["institution"] == "national");
        let look = look.unwrap_or_else(|| panic!("{looks}"))["id"].clone();

        let words = "Tôi không có hồ sơ nào ở cơ quan trung ương.";
        let made = caller.post(OWN, "one", json!({"look": look, "words": words})).await;
        assert_eq!((made.status, &made.body["state"], &made.body["words"]), (200, &json!("waiting"), &json!(words)));
        assert_eq!((&made.body["office"], &made.body["person_id"]), (&json!("national"), &Value::Null));
        let id = made.body["id"].as_str().unwrap().to_owned();
        assert_eq!(caller.post(OWN, "one", json!({"look": look, "words": words})).await.body["id"], json!(id), "once");
        assert_eq!(recorded(house, &in_hand, "objection-made").await, 1);
        // The words rest sealed.
        let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
        let kept: Vec<u8> =
            tx.one(sql!("select words from objection"), args![]).await.unwrap().unwrap().get("words").unwrap();
        drop(tx);
        assert!(!String::from_utf8_lossy(&kept).contains("trung ương"));

        // A look of which the citizen was not told, or another's, is none.
        let strange = json!({"look": "01a21e30-3268-7299-800f-742755a972f5", "words": "x y"});
        assert_eq!(caller.post(OWN, "strange", strange).await.code(), "look-unknown");

        // Who waits for it: not the registrar of the office, not a data protection officer elsewhere.
        let list = bao.get(WAITING).await.body;
        assert_eq!((listed(&list), &list["items"][0]["words"]), (vec![id.clone()], &Value::Null));
        let registrar = house.officer("registrar-o", &[Role::Registrar], "o-1").await;
        let elsewhere = house.officer("elsewhere", &[Role::DataProtection], "o-1").await;
        let one = format!("{WAITING}/{id}");
        for other in [&registrar, &elsewhere] {
            assert_eq!(listed(&other.get(WAITING).await.body), Vec::<String>::new());
            assert_eq!(other.get(&one).await.code(), "objection-unknown");
            let answer = json!({"verdict": "rejected", "words": "no"});
            assert_eq!(other.post(&format!("{one}/answer"), "x", answer).await.code(), "objection-unknown");
        }
        let read = bao.get(&one).await;
        assert_eq!((&read.body["words"], &read.body["person_id"]), (&json!(words), &json!(in_hand.person)));
        assert_eq!(recorded(house, &in_hand, "objection-read").await, 1, "who reads it is told of");

        // The officer who looked answers nothing of it.
        let answer = json!({"verdict": "upheld", "words": "Cán bộ đã bị nhắc nhở."});
        let own = both.post(&format!("{one}/answer"), "own", answer.clone()).await;
        assert_eq!(own.code(), "second-officer-needed");
        let answered = bao.post(&format!("{one}/answer"), "a", answer.clone()).await;
        assert_eq!((answered.status, &answered.body["state"]), (200, &json!("upheld")), "{answered:?}");
        assert_eq!(bao.post(&format!("{one}/answer"), "b", answer).await.code(), "objection-answered");
        assert_eq!(listed(&bao.get(WAITING).await.body), Vec::<String>::new());
        let told = sql!("select count(*) as n from notice where person_id = $1 and kind = 'objection-answered'");
        assert_eq!(house.count(told, args![in_hand.person]).await, 1);
        let all = caller.get(OWN).await.body;
        let mine = &all["objections"][0];
        assert_eq!((&mine["state"], &mine["answer"]), (&json!("upheld"), &json!("Cán bộ đã bị nhắc nhở.")), "{all}");
    })
    .await;
}

#[tokio::test]
async fn an_objection_to_the_record_is_the_registrars_and_one_that_waits_too_long_is_told_aloud() {
    on_both(async |house| {
        let offices = Offices::of(house).await;
        let (first, second) = (in_hand(&offices, 1).await, in_hand(&offices, 2).await);
        let caller = citizen(house, &first).await;
        let made = caller.post(OWN, "one", json!({"words": "Ngày sinh của tôi ghi sai."})).await;
        let office = made.body["office"].as_str().unwrap().to_owned();
        let registrar = house.officer("registrar-o", &[Role::Registrar], &office).await;
        let bao = house.officer("bao", &[Role::DataProtection], "national").await;
        assert_eq!(listed(&registrar.get(WAITING).await.body), [made.body["id"].as_str().unwrap()]);
        assert_eq!(listed(&bao.get(WAITING).await.body), Vec::<String>::new());

        // Only so many wait at once, also of those that come at once; another citizen's are counted apart.
        let more = (0..9).map(|n| {
            let caller = caller.clone();
            async move { caller.post(OWN, &format!("more-{n}"), json!({"words": format!("Lần {n}")})).await }
        });
        let said = futures_util::future::join_all(more).await;
        let taken = said.iter().filter(|said| said.status == 200).count();
        assert_eq!(taken, 4, "{said:?}");
        assert!(said.iter().all(|said| said.status == 200 || said.code() == "objections-open"), "{said:?}");
        let officer = Caller { token: None, ..house.anyone() };
        let mut officer = officer;
        officer.token = officer.signs_in("counter", PASSWORD).await.body["token"].as_str().map(str::to_owned);
        assert_eq!(sets(&officer, second.card, "135790").await.status, 200);
        let LoggedIn { caller: other, .. } = logs_in(house, &mut AtReader::new(&second.chip)).await;
        assert_eq!(other.post(OWN, "o", json!({"words": "x y"})).await.code(), "citizen-code-needed");
        assert_eq!(shows(&other, "135790").await.status, 200);
        assert_eq!(other.post(OWN, "o2", json!({"words": "x y"})).await.status, 200);
        assert_eq!(other.get(OWN).await.body["objections"].as_array().unwrap().len(), 1);

        let complains = async |word: &str| {
            for _ in 0..100 {
                if house.anyone().get("/health").await.body.to_string().contains(word) {
                    return true;
                }
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
            false
        };
        house.clock.advance(Duration::hours(73));
        assert!(complains("objection of a citizen waits too long").await);
        // What another hand called answered opens nothing.
        let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
        tx.run(sql!("update objection set verdict = 'rejected'"), args![]).await.unwrap();
        tx.commit().await.unwrap();
        let mut registrar = registrar;
        registrar.token = registrar.signs_in("registrar-o", PASSWORD).await.body["token"].as_str().map(str::to_owned);
        let one = format!("{WAITING}/{}", made.body["id"].as_str().unwrap());
        assert_eq!(registrar.get(&one).await.code(), "record-tampered");
    })
    .await;
}

#[tokio::test]
async fn a_copy_is_signed_over_its_bytes_and_is_recorded_as_what_it_holds() {
    on_both(async |house| {
        let offices = Offices::of(house).await;
        let in_hand = in_hand(&offices, 1).await;
        let caller = citizen(house, &in_hand).await;
        let request = caller.client.get(format!("{}/api/v1/citizen/copy", caller.address));
        let token = caller.token.clone();
        assert!(token.is_none(), "a citizen has no bearer token");
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let signature = answer.headers()["x-jws-signature"].to_str().unwrap().to_owned();
        let body = answer.bytes().await.unwrap();
        let keys = house.anyone().get("/api/v1/exchange/keys").await.body;
        assert!(verifies(&keys, &signature, &body));
        let changed = String::from_utf8(body.to_vec()).unwrap().replacen("full_name", "full-name", 1);
        assert!(!verifies(&keys, &signature, changed.as_bytes()));
        let copy: Value = serde_json::from_slice(&body).unwrap();
        assert!(copy["record"]["person"]["full_name"].is_string(), "{copy}");
        assert_eq!(copy["applications"][0]["stage"], "handed-over");
        assert!(!copy["looks"]["looks"].as_array().unwrap().is_empty());
        for action in ["person-read", "exchange-looks-read", "applications-listed"] {
            assert_eq!(recorded(house, &in_hand, action).await, 1, "{action}");
        }
    })
    .await;
}
