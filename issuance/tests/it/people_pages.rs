//! The pages of people and of the hand-over: who is found and shown to whom, what each look leaves in the trail, and a
//! card that goes to its holder once.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::identity::CardSerial;
use crypto::perso::{self, protocol};
use crypto::scp03::MasterKey;
use issuance::cards::CARD;
use issuance::ground::Role;
use issuance::ground::ids::{CardId, PersonId};
use issuance::store::Argument;
use issuance::{args, sql};
use serde_json::{Value, json};

use crate::chip::Chip;
use crate::house::{Caller, House, NIL, PASSWORD, on_both};
use crate::offices::TRANSPORT_MASTER;
use crate::pages::{Browser, Sheet, fields};

/// The people of an office, who make dossiers and cards.
struct Office {
    registrar: Caller,
    capture: Caller,
    approver: Caller,
    stock: Caller,
    station: Caller,
    station_id: String,
}

/// A citizen with an application.
struct Citizen {
    person: String,
    number: String,
    application: String,
    slip: String,
}

impl Office {
    async fn of(house: &House) -> Self {
        let (station, station_id) = house.station("maker").await;
        Self {
            registrar: house.officer("mai.do", &[Role::Registrar], "o-1").await,
            capture: house.officer("kim.ngo", &[Role::Capture], "o-1").await,
            approver: house.officer("dung.ly", &[Role::Approver], "o-1").await,
            stock: house.officer("phuc.ha", &[Role::Stock], "o-1").await,
            station,
            station_id,
        }
    }

    /// A person, with a number.
    async fn declares(&self, name: &str, birth: &str, mother: &str, old: &str) -> (String, String) {
        let place = json!({"province": "003", "detail": "Số 2, thôn Mẫu"});
        let declaration = json!({"full_name": name, "birth_date": birth, "sex": "Nam", "birth_registration": place,
            "place_of_origin": place, "ethnic_group": "01", "permanent_residence": place, "old_id_number": old,
            "mother": {"full_name": mother}});
        let key = hex::encode(name);
        let key = &key[..key.len().min(100)];
        let said = self.registrar.post("/api/v1/declarations", key, declaration).await;
        let person = said.body["person_id"].as_str().unwrap_or_else(|| panic!("{said:?}")).to_owned();
        let known = json!({"acknowledged": true, "because": "papers compared"});
        let number = self.registrar.post(&format!("/api/v1/persons/{person}/number"), &format!("{key}-n"), known).await;
        (person, number.body["personal_number"].as_str().unwrap_or_else(|| panic!("{number:?}")).to_owned())
    }

    /// A citizen who applies, with portrait and features.
    async fn applies(&self, name: &str, birth: &str, mother: &str, old: &str) -> Citizen {
        let (person, number) = self.declares(name, birth, mother, old).await;
        let body = json!({"person_id": person, "kind": "first", "office": "o-1"});
        let opened = self.capture.post("/api/v1/applications", &number, body).await;
        let application = opened.body["id"].as_str().unwrap_or_else(|| panic!("{opened:?}")).to_owned();
        let photograph = include_bytes!("../../../tests/data/portrait/drawn.jpg");
        let body = json!({"portrait": STANDARD.encode(photograph), "features": "Nốt ruồi dưới mép phải",
            "register_check": {"agrees": true}});
        let path = format!("/api/v1/applications/{application}");
        let captured = self.capture.post(&format!("{path}/capture"), &format!("{number}-c"), body).await;
        assert_eq!(captured.status, 200, "{captured:?}");
        Citizen { person, number, application, slip: opened.body["slip"].as_str().unwrap().to_owned() }
    }

    /// The citizen's card, made on a chip that proved itself. Returns its id.
    async fn makes(&self, citizen: &Citizen, number: u8) -> String {
        let path = format!("/api/v1/applications/{}", citizen.application);
        let seen = self.approver.get(&format!("{path}?purpose=decision")).await.body["dossier_sha256"].clone();
        let approved = self.approver.post(&format!("{path}/approval"), &citizen.number, json!({"dossier": seen})).await;
        assert_eq!(approved.status, 200, "{approved:?}");
        let serial = CardSerial([0, 1, 2, 3, 4, 5, 6, 7, 8, number]);
        let (name, key) = (serial.to_string(), |verb: &str| format!("{verb}-{number}"));
        let note = json!({"manufacturer": "Maker", "batch": key("b"), "transport_key_id": "maker", "serials": [name]});
        assert_eq!(self.stock.post("/api/v1/stock/deliveries", &key("d"), note).await.status, 201);
        let custody = json!({"serials": [name], "station_id": self.station_id});
        let given = self.stock.post("/api/v1/stock/custody", &key("c"), custody).await;
        assert!((200..300).contains(&given.status), "{given:?}");
        let keys = MasterKey::from_bytes(&TRANSPORT_MASTER).unwrap().diversify(&serial, 0xff);
        let mut chip = Chip::blank(serial, keys);
        let asks = async |what: &str, body: Value| {
            let said = self.station.post(&format!("/api/v1/station/{what}"), &key(what), body).await;
            assert!((200..300).contains(&said.status), "{what}: {said:?}");
            said.body
        };
        let presented = |chip: &Chip| json!(protocol::Presented { presentation: chip.presentation() });
        let ordered = asks("intake/orders", presented(&chip)).await;
        let ordered: protocol::IntakeOrder = serde_json::from_value(ordered).unwrap();
        let (receipt, _) = perso::play(&mut chip, &ordered.order, &mut |_| {});
        asks("intake/receipts", json!(protocol::IntakeReceipt { receipt })).await;
        let ordered = asks("personalization/orders", presented(&chip)).await;
        let ordered: protocol::PersonalizationOrder = serde_json::from_value(ordered).unwrap();
        assert_eq!(ordered.slip, citizen.slip);
        let (receipt, _) = perso::play(&mut chip, &ordered.order, &mut |_| {});
        let challenge = ordered.read_back.challenge.to_vec();
        let active_authentication =
            Some(protocol::ActiveAuthentication { signature: chip.signs(&challenge), challenge });
        let receipt = protocol::PersonalizationReceipt { receipt, active_authentication };
        let made = asks("personalization/receipts", json!(receipt)).await;
        made["card_id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
    }
}

/// True if the page has the words.
fn says(sheet: &Sheet, words: &str) -> bool {
    sheet.text.contains(words)
}

fn status(sheet: &Sheet) -> u16 {
    sheet.status
}

/// Looks for someone as the form does.
async fn finds(browser: &Browser, form: &[(&str, &str)]) -> Sheet {
    let page = browser.reads("/pages/persons").await;
    let form: Vec<_> = [("token", page.field("token"))].into_iter().chain(form.iter().copied()).collect();
    browser.sends("/pages/persons", &form).await
}

async fn looks(house: &House, action: &str, purpose: &str, person: &str) -> i64 {
    let sql = sql!("select count(*) as n from v_audit_entry where action = $1 and purpose = $2 and person_id = $3");
    let person: PersonId = person.parse().unwrap();
    house.count(sql, args![action, purpose, person]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_is_found_in_one_box_and_each_look_is_in_the_trail_with_its_purpose() {
    on_both(async |house| {
        let office = Office::of(house).await;
        let (person, number) = office.declares("Lương Quang Thế Vĩnh", "08/05/1978", "Trịnh Thị Ẩm", "000411902").await;
        let browser = Browser::of(house, "mai.do").await;
        let spaced = format!("{} {}", &number[..6], &number[6..]);
        for form in [
            &[("who", "luong quang the vinh")][..],
            &[("who", "Lương Quang Thế Vĩnh"), ("birth", "1978")],
            &[("who", spaced.as_str())],
            &[("who", "000 411 902")],
            &[("mother", "trinh thi am"), ("birth", "1978")],
            &[("who", "luong quang"), ("birth", "08/05/1978"), ("beginning", "yes"), ("province", "003")],
        ] {
            let found = finds(&browser, form).await;
            assert_eq!(status(&found), 200, "{form:?}: {}", found.text);
            assert!(says(&found, &format!("/pages/persons/{person}\"")), "{form:?}: {}", found.text);
        }
        assert_eq!(looks(house, "person-found", "look-up", &person).await, 6);
        let none = finds(&browser, &[("who", "Khổng Minh Triết")]).await;
        assert!(says(&none, "Không tìm thấy ai") && !says(&none, "Lương"), "{}", none.text);
        // What is wrong is told beside its field, and what was typed stays.
        let wrong = finds(&browser, &[("who", "0004119"), ("birth", "1978")]).await;
        assert!(status(&wrong) == 422 && says(&wrong, "Số này có 7 chữ số"), "{}", wrong.text);
        assert!(says(&wrong, "value=\"0004119\"") && says(&wrong, "value=\"1978\""), "{}", wrong.text);
        let place = finds(&browser, &[("who", "Lương"), ("commune", "không có xã này")]).await;
        assert!(status(&place) == 422 && says(&place, "id=\"commune-err\""), "{}", place.text);
        let alone = finds(&browser, &[("who", &number), ("birth", "1978")]).await;
        assert!(status(&alone) == 422 && says(&alone, "search-unfit"), "{}", alone.text);

        let found = finds(&browser, &[("who", &number), ("purpose", "update")]).await;
        let place = format!("/pages/persons/{person}?purpose=update");
        assert!(says(&found, &place), "{}", found.text);
        assert_eq!(looks(house, "person-found", "update", &person).await, 1);
        let file = browser.reads(&place).await;
        for words in ["Trịnh Thị Ẩm", "08/05/1978", "000411902", "Khai lần đầu", "Lần xem của bạn vừa được ghi"]
        {
            assert!(file.text.to_lowercase().contains(&words.to_lowercase()), "{words}: {}", file.text);
        }
        assert!(looks(house, "person-read", "update", &person).await >= 1);
        assert_eq!(looks(house, "person-history-read", "update", &person).await, 1);
        // A purpose that the officer's roles do not have.
        let said = browser.reads(&format!("/pages/persons/{person}?purpose=decision")).await;
        assert!(status(&said) == 403 && says(&said, "role-missing"), "{}", said.text);
        let said = browser.reads(&format!("/pages/persons/{NIL}")).await;
        assert!(status(&said) == 404 && says(&said, "person-unknown"), "{}", said.text);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_role_sees_its_own_parts_of_a_file_and_another_office_none_of_it() {
    let house = Box::pin(House::open(None)).await;
    let office = Office::of(&house).await;
    let citizen = office.applies("Quách Đình Khải", "19/12/1983", "Lục Thị Nhàn", "").await;
    let card = Box::pin(office.makes(&citizen, 1)).await;
    for (name, roles, at) in [
        ("both", &[Role::HandOver, Role::Registrar][..], "o-1"),
        ("trail", &[Role::Auditor, Role::Registrar], "o-1"),
        ("far", &[Role::Registrar], "o-2"),
        ("chief", &[Role::Registrar, Role::HandOver], "national"),
        ("hand", &[Role::HandOver], "o-1"),
        ("minh", &[Role::Auditor], "o-1"),
    ] {
        house.officer(name, roles, at).await;
    }
    let path = format!("/pages/persons/{}", citizen.person);
    let parts = ["id=\"cards\"", "id=\"cases\"", "id=\"looks\""];
    for (name, sees) in [
        ("mai.do", [false, true, false]),
        ("kim.ngo", [false, true, false]),
        ("dung.ly", [false, true, false]),
        ("both", [true, true, false]),
        ("trail", [false, true, true]),
        ("chief", [true, true, false]),
    ] {
        let file = Browser::of(&house, name).await.reads(&path).await;
        assert_eq!((status(&file), parts.map(|part| says(&file, part))), (200, sees), "{name}: {}", file.text);
        assert!(says(&file, &citizen.number[9..]), "{name}");
    }
    // What waits is offered to the officer who hands over; a registrar sees held applications alone, as at the API.
    let there = Browser::of(&house, "both").await.reads(&path).await;
    assert!(says(&there, &format!("/pages/hand-over/{}", citizen.application)), "{}", there.text);
    let reference = citizen.application[30..].to_uppercase();
    assert!(says(&there, &reference) && says(&there, "data:image/jpeg;base64,"), "{}", there.text);
    let registrar = Browser::of(&house, "mai.do").await.reads(&path).await;
    assert!(!says(&registrar, &reference) && !says(&registrar, "image/jpeg"), "{}", registrar.text);
    // By the chip, for those who read cards.
    let serial = "00010203040506070801";
    let found = finds(&Browser::of(&house, "both").await, &[("who", serial)]).await;
    assert!(says(&found, &path), "{}", found.text);
    let card_read = sql!("select count(*) as n from v_audit_entry where action = 'card-read' and object = $1");
    assert_eq!(house.count(card_read, args![format!("card/{card}")]).await, 1);
    let refused = finds(&Browser::of(&house, "mai.do").await, &[("who", serial)]).await;
    assert!(status(&refused) == 403 && says(&refused, "role-missing") && !says(&refused, &path), "{}", refused.text);

    // Another office finds that there is a person, and nothing more.
    let far = Browser::of(&house, "far").await;
    let found = finds(&far, &[("who", &citizen.number)]).await;
    assert!(says(&found, "Người của đơn vị o-1") && !says(&found, "Khải") && !says(&found, &path), "{}", found.text);
    let by_name = finds(&far, &[("who", "Quách Đình Khải")]).await;
    assert!(says(&by_name, "Không tìm thấy ai"), "{}", by_name.text);
    let closed = far.reads(&path).await;
    assert!(status(&closed) == 403 && says(&closed, "other-office") && !says(&closed, "Khải"), "{}", closed.text);
    for (name, path) in [
        ("hand", path.clone()),
        ("minh", path.clone()),
        ("mai.do", format!("{path}/readings")),
        ("mai.do", "/pages/hand-over".to_owned()),
    ] {
        let said = Browser::of(&house, name).await.reads(&path).await;
        assert!(status(&said) == 403 && says(&said, "role-missing"), "{name} {path}: {}", said.text);
    }
    // The beginning names what each role has.
    for (name, has) in [
        ("mai.do", [true, false, false]),
        ("minh", [false, true, false]),
        ("hand", [false, false, true]),
        ("both", [true, false, true]),
    ] {
        let home = Browser::of(&house, name).await.reads("/pages").await;
        let cards = ["/pages/persons", "/pages/readings", "/pages/hand-over"];
        let there = cards.map(|place| says(&home, &format!("class=\"card\" href=\"{place}\"")));
        assert_eq!(there, has, "{name}: {}", home.text);
    }
    let home = Browser::of(&house, "hand").await.reads("/pages").await;
    assert!(says(&home, "1 thẻ chờ công dân đến nhận"), "{}", home.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_looked_is_told_page_by_page_to_the_auditors_who_see_the_trail() {
    on_both(async |house| {
        let office = Office::of(house).await;
        let (person, number) = office.declares("Thái Duy Nghĩa", "23/07/1969", "Cù Thị Lan", "").await;
        for (name, at) in [("minh", "o-1"), ("far", "o-2")] {
            house.officer(name, &[Role::Auditor], at).await;
        }
        let far = house.officer("far.registrar", &[Role::Registrar], "o-2").await;
        for _ in 0..55 {
            house.clock.advance(time::Duration::seconds(1));
            assert_eq!(office.registrar.get(&format!("/api/v1/persons/{person}?purpose=update")).await.status, 200);
        }
        house.clock.advance(time::Duration::seconds(1));
        far.post("/api/v1/persons/search", "unused", json!({"personal_number": number})).await;
        let browser = Browser::of(house, "minh").await;
        let to = browser.reads(&format!("/pages/readings?person={person}")).await;
        let place = format!("/pages/persons/{person}/readings");
        assert_eq!((status(&to), to.leads_to()), (303, place.as_str()));
        let rows = |sheet: &Sheet| sheet.text.matches("<th scope=\"row\">").count();
        let first = browser.reads(&place).await;
        assert!(says(&first, "far.registrar") && says(&first, "kết quả tra cứu"), "{}", first.text);
        assert_eq!(rows(&first), 50);
        assert!(says(&first, "sửa sổ dân cư") && !says(&first, "Thái Duy"), "the trail has no names: {}", first.text);
        let older = first.text.split("?before=").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        let second = browser.reads(&format!("{place}?before={older}")).await;
        assert!(!says(&second, "far.registrar") && !says(&second, "Những lần trước đó"), "{}", second.text);
        assert!((6..=8).contains(&rows(&second)), "{}: {}", rows(&second), second.text);
        // The looks are looks too.
        assert_eq!(looks(house, "audit-read", "audit", &person).await, 2);
        let again = browser.reads(&place).await;
        assert!(says(&again, "nhật ký về người này"), "{}", again.text);
        // Auditors of another office see what their own office did.
        let there = Browser::of(house, "far").await.reads(&place).await;
        assert!(says(&there, "far.registrar") && !says(&there, "mai.do"), "{}", there.text);
        let wrong = browser.reads("/pages/readings?person=003").await;
        assert!(status(&wrong) == 422 && says(&wrong, "identifier-malformed"), "{}", wrong.text);
        let nothing = browser.reads(&format!("/pages/persons/{NIL}/readings")).await;
        assert!(says(&nothing, "Chưa có lần xem nào"), "{}", nothing.text);
    })
    .await;
}

/// Finds a card as the form of the hand-over does.
async fn scans(browser: &Browser, sought: &str) -> Sheet {
    let page = browser.reads("/pages/hand-over").await;
    browser.sends("/pages/hand-over", &[("token", page.field("token")), ("sought", sought)]).await
}

async fn card_status(officer: &Caller, card: &str) -> String {
    officer.get(&format!("/api/v1/cards/{card}")).await.body["status"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_is_handed_over_once_to_who_brings_its_slip_and_the_trail_says_what_was_compared() {
    on_both(async |house| {
        let office = Office::of(house).await;
        let citizen = office.applies("Mạc Văn Thuận", "30/10/1972", "Ninh Thị Thêu", "000512903").await;
        let waiting = office.applies("Tạ Thu Hằng Nga", "11/02/1990", "Bạch Thị Xuân", "").await;
        let card = Box::pin(office.makes(&citizen, 1)).await;
        let hand = house.officer("suong.phan", &[Role::HandOver], "o-1").await;
        let browser = Browser::of(house, "suong.phan").await;
        let list = browser.reads("/pages/hand-over").await;
        let place = format!("/pages/hand-over/{}", citizen.application);
        assert!(says(&list, &place) && !says(&list, "Mạc"), "nameless: {}", list.text);
        let early = scans(&browser, &waiting.slip).await;
        assert!(says(&early, "Chưa có thẻ để trao") && !says(&early, "Nga"), "{}", early.text);
        let none = scans(&browser, "AAAAA00009").await;
        assert!(says(&none, "Không có thẻ nào theo số này"), "{}", none.text);
        for sought in [&citizen.number, "00010203040506070801"] {
            let found = scans(&browser, sought).await;
            assert!(says(&found, "name=\"slip\" value=\"\""), "the slip is still asked for: {}", found.text);
            assert!(!says(&found, &citizen.slip), "{}", found.text);
        }
        let slip = format!("{}-{}", &citizen.slip[..5], citizen.slip[5..].to_lowercase());
        let open = scans(&browser, &slip).await;
        for words in ["30/10/1972", "000 512 903", "data:image/jpeg;base64,", "0001\u{a0}0203"] {
            assert!(open.text.replace('\u{a0}', " ").contains(&words.replace('\u{a0}', " ")), "{words}: {}", open.text);
        }
        assert!(!says(&open, "id=\"why\""), "{}", open.text);
        assert!(looks(house, "person-read", "hand-over", &citizen.person).await >= 1);
        assert!(looks(house, "card-read", "hand-over", &citizen.person).await >= 1);

        // What is missing is told, and what was typed stays.
        let form = |more: &[(&'static str, &'static str)]| {
            let mut form = fields(&open, &[]);
            form.extend([("card", open.field("card")), ("due", "yes"), ("envelope", "TB-0892")]);
            form.extend(more.iter().copied());
            form
        };
        let mut unseen = form(&[("old", "collected")]);
        unseen.push(("slip", citizen.slip.as_str()));
        let said = browser.sends(&place, &unseen).await;
        assert!(status(&said) == 422 && says(&said, "id=\"checks-err\"") && says(&said, "TB-0892"), "{}", said.text);
        let seen = [("checks", "face-compared"), ("checks", "chip-trusted")];
        let mut nowhere = form(&seen);
        nowhere.push(("slip", citizen.slip.as_str()));
        let said = browser.sends(&place, &nowhere).await;
        assert!(status(&said) == 422 && says(&said, "id=\"old-err\""), "{}", said.text);
        let mut right = form(&[seen[0], seen[1], ("old", "collected")]);
        right.push(("slip", waiting.slip.as_str()));
        let said = browser.sends(&place, &right).await;
        assert!(says(&said, "slip-mismatch") && says(&said, &waiting.slip), "{}", said.text);
        assert_eq!(card_status(&hand, &card).await, "personalized");

        // A double click is one hand-over.
        right.pop();
        right.push(("slip", slip.as_str()));
        let (one, two) = tokio::join!(browser.sends(&place, &right), browser.sends(&place, &right));
        assert_eq!((one.status, two.status), (303, 303), "{} {}", one.text, two.text);
        assert_eq!(card_status(&hand, &card).await, "active");
        let told = sql!("select count(*) as n from v_audit_entry where action = $1 and object = $2 and reason = $3");
        for (action, reason) in
            [("card-handed-over", "chip-trusted, face-compared"), ("old-document-settled", "collected: TB-0892")]
        {
            assert_eq!(house.count(told, args![action, format!("card/{card}"), reason]).await, 1, "{action}");
        }
        let done = browser.reads(one.leads_to()).await;
        assert!(says(&done, "Đã trao thẻ của hồ sơ") && says(&done, &format!("{place}/receipt")), "{}", done.text);
        let minutes = browser.reads(&format!("{place}/receipt")).await;
        for words in ["CC12", "Đã thu, còn đọc được", "TB-0892", "suong.phan", "30/10/1972"] {
            assert!(says(&minutes, words), "{words}: {}", minutes.text);
        }
        // What is over shows as over.
        let after = browser.reads(&place).await;
        assert!(!says(&after, "name=\"slip\"") && says(&after, "đã trao thẻ"), "{}", after.text);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_is_not_handed_over_to_another_person_by_another_office_or_once_it_counts_no_more() {
    let house = Box::pin(House::open(None)).await;
    let office = Office::of(&house).await;
    let citizen = office.applies("Đinh Trọng Tấn Phát", "04/04/1995", "Văn Thị Huệ", "").await;
    let card = Box::pin(office.makes(&citizen, 1)).await;
    let hand = house.officer("suong.phan", &[Role::HandOver], "o-1").await;
    house.officer("far", &[Role::HandOver], "o-2").await;
    let place = format!("/pages/hand-over/{}", citizen.application);
    // The slip tells at another office where the card lies, and nothing of its holder.
    let far = Browser::of(&house, "far").await;
    let told = scans(&far, &citizen.slip).await;
    assert!(says(&told, "Thẻ này do đơn vị o-1 trao") && !says(&told, "Đinh"), "{}", told.text);
    assert_eq!(looks(&house, "applications-listed", "hand-over", &citizen.person).await, 1);
    let by_number = scans(&far, &citizen.number).await;
    assert!(says(&by_number, "Không có thẻ nào theo số này"), "{}", by_number.text);
    let closed = far.reads(&place).await;
    assert!(status(&closed) == 403 && says(&closed, "other-office") && !says(&closed, "Đinh"), "{}", closed.text);
    let closed = far.reads(&format!("{place}/receipt")).await;
    assert!(status(&closed) == 403 && says(&closed, "other-office"), "{}", closed.text);

    // Another person came: the reason is recorded, and the card waits on.
    let browser = Browser::of(&house, "suong.phan").await;
    let open = scans(&browser, &citizen.slip).await;
    assert!(says(&open, "Đinh Trọng Tấn Phát") || open.text.to_uppercase().contains("ĐINH TRỌNG"), "{}", open.text);
    let mut form = fields(&open, &[]);
    form.push(("card", open.field("card")));
    let empty: Vec<_> = form.iter().copied().chain([("reason", "  ")]).collect();
    let said = browser.sends(&format!("{place}/refusal"), &empty).await;
    assert!(status(&said) == 422 && says(&said, "id=\"refusal-err\""), "{}", said.text);
    let other: Vec<_> = form.iter().copied().chain([("reason", "Người đến không phải người trong ảnh")]).collect();
    let refusal = format!("{place}/refusal");
    let (one, two) = tokio::join!(browser.sends(&refusal, &other), browser.sends(&refusal, &other));
    assert_eq!((one.status, two.status), (303, 303), "{} {}", one.text, two.text);
    let kept = sql!("select count(*) as n from v_audit_entry where action = 'card-hand-over-refused' and object = $1");
    assert_eq!(house.count(kept, args![format!("card/{card}")]).await, 1, "a double click is one");
    assert_eq!(card_status(&hand, &card).await, "personalized");
    let open = browser.reads(&place).await;
    assert!(says(&open, "1 lần không được trao") && says(&open, "suong.phan"), "{}", open.text);

    // The officer who opened the application knows its slip.
    let body = json!({"username": "opener", "roles": ["capture", "hand-over"], "office": "o-1"});
    let made = house.admin.post("/api/v1/officers", "opener", body).await;
    let confirmed = house.confirms(&made).await;
    let mut opener = house.anyone();
    opener.owns("opener", &confirmed).await;
    let own = Office { capture: opener, ..office };
    let second = own.applies("Ông Ích Khiêm Đạt", "07/09/1988", "Mẫn Thị Chi", "").await;
    let again = Box::pin(own.makes(&second, 2)).await;
    let there = Browser::of(&house, "opener").await;
    let open = there.reads(&format!("/pages/hand-over/{}", second.application)).await;
    assert!(says(&open, "id=\"why\"") && says(&open, "second-officer-needed"), "{}", open.text);
    assert_eq!(card_status(&hand, &again).await, "personalized", "the trial is not kept");
    // A form is about the card of its own address.
    let open = browser.reads(&place).await;
    let mut mixed = fields(&open, &[("checks", "face-compared"), ("slip", &second.slip), ("reason", "x")]);
    mixed.push(("card", again.as_str()));
    for act in [place.clone(), format!("{place}/refusal")] {
        let said = browser.sends(&act, &mixed).await;
        assert!(status(&said) == 404 && says(&said, "card-unknown"), "{act}: {} {}", said.status, said.text);
    }
    assert_eq!(card_status(&hand, &again).await, "personalized");
    assert_eq!(house.count(kept, args![format!("card/{again}")]).await, 0);

    // Revoked meanwhile: the page says so, and a form that was open before is refused.
    let open = browser.reads(&place).await;
    let mut right = fields(&open, &[("checks", "face-compared"), ("slip", &citizen.slip)]);
    right.push(("card", open.field("card")));
    let id: CardId = card.parse().unwrap();
    let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
    let gone = json!({"status": "revoked", "reason": "holder-died", "at": "2026-01-01T00:00:00Z"});
    let set = sql!("update card set status = 'revoked', status_data = $1 where id = $2");
    tx.change(&CARD, id, set, args![Argument::json(&gone), id]).await.unwrap();
    tx.commit().await.unwrap();
    let said = browser.sends(&place, &right).await;
    assert!(status(&said) == 409 && says(&said, "card-status-does-not-allow"), "{} {}", said.status, said.text);
    let open = browser.reads(&place).await;
    assert!(says(&open, "id=\"why\"") && !says(&open, "name=\"slip\""), "{}", open.text);
    let late = browser.reads(&format!("{place}/receipt")).await;
    assert_eq!(status(&late), 404, "{}", late.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_complaint_is_decided_on_a_page_of_the_national_office_by_an_officer_without_a_hand_in_it() {
    on_both(async |house| {
        let office = Office::of(house).await;
        let citizen = office.applies("Hứa Vĩ Văn Thành", "12/12/1991", "Khúc Thị Lệ", "").await;
        for (name, at) in [("chief", "national"), ("an.le", "o-1")] {
            house.officer(name, &[Role::Approver], at).await;
        }
        let path = format!("/api/v1/applications/{}", citizen.application);
        let reason = json!({"reason": "ảnh không phải công dân"});
        assert_eq!(office.approver.post(&format!("{path}/refusal"), "k-1", reason).await.status, 200);
        let words = json!({"words": "chụp sau khi ốm", "on": house.clock.today().to_string()});
        assert_eq!(office.capture.post(&format!("{path}/appeal"), "k-2", words).await.status, 200);
        let place = format!("/pages/approvals/{}", citizen.application);
        // Officers of the office read it, and have no form.
        let there = Browser::of(house, "an.le").await.reads(&place).await;
        assert!(says(&there, "Cán bộ duyệt của đơn vị trung ương quyết định"), "{}", there.text);
        assert!(!says(&there, "name=\"outcome\""), "{}", there.text);
        let browser = Browser::of(house, "chief").await;
        let open = browser.reads(&place).await;
        assert!(says(&open, "name=\"outcome\"") && says(&open, "chụp sau khi ốm"), "{}", open.text);
        let decided = sql!("select count(*) as n from v_audit_entry where action = 'application-appeal-allowed'");
        assert_eq!(house.count(decided, args![]).await, 0);
        let why = ("reason", "hai ảnh cũ là một người");
        let said = browser.sends(&format!("{place}/appeal"), &fields(&open, &[why])).await;
        assert!(status(&said) == 422 && says(&said, "id=\"outcome-err\"") && says(&said, why.1), "{}", said.text);
        let form = fields(&open, &[why, ("outcome", "allowed")]);
        let appeal = format!("{place}/appeal");
        let (one, two) = tokio::join!(browser.sends(&appeal, &form), browser.sends(&appeal, &form));
        assert_eq!((one.status, two.status), (303, 303), "{} {}", one.text, two.text);
        assert_eq!(house.count(decided, args![]).await, 1);
        let done = browser.reads(one.leads_to()).await;
        assert!(says(&done, "Đã chấp nhận khiếu nại của hồ sơ"), "{}", done.text);
        assert_eq!(office.approver.get(&path).await.body["stage"], "captured");
        // Not at the office, whatever the form says.
        let far = Browser::of(house, "an.le").await;
        let open = far.reads(&place).await;
        let said = far.sends(&appeal, &fields(&open, &[why, ("outcome", "upheld")])).await;
        assert!(matches!(status(&said), 403 | 409), "{} {}", said.status, said.text);
        assert_eq!(office.approver.get(&path).await.body["stage"], "captured");
    })
    .await;
}

/// What the walk in a browser (`tests/pages/person.mjs`) needs: officers, a citizen whose card waits, and many names.
pub async fn for_browser(house: &House) -> Value {
    let office = Office::of(house).await;
    let long = "Công Tằng Tôn Nữ Hoàng Phượng Khuê Nguyệt Quỳnh Trang Thùy Dương Ngọc Bích Hạnh Nguyên Thị Hương Thu";
    let citizen = office.applies("Lâm Quang Thế Hiển", "08/05/1978", "Trịnh Thị Ẩm", "000411902").await;
    Box::pin(office.makes(&citizen, 1)).await;
    let (named, _) = office.declares(long, "02/06/1981", "Hồ Thị Mận", "").await;
    for (day, name) in (1..).zip(NAMES) {
        let (day, mother) = (format!("{day:02}/03/1966"), format!("Đoàn Thị {name}"));
        office.declares(&format!("Chu Mạnh Trinh {name}"), &day, &mother, "").await;
    }
    let (kept, _) = office.declares("Vương Thừa Vũ", "15/08/1959", "Hạ Thị Sáu", "").await;
    house.officer("sang.vo", &[Role::HandOver, Role::Registrar, Role::Auditor], "o-1").await;
    json!({"username": "sang.vo", "password": PASSWORD, "person": citizen.person, "number": citizen.number,
        "application": citizen.application, "slip": citizen.slip, "long": named, "long_name": long, "kept": kept})
}

const NAMES: [&str; 12] =
    ["An", "Bình", "Cường", "Dũng", "Giang", "Hải", "Khánh", "Long", "Minh", "Nam", "Phong", "Quân"];
