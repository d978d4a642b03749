//! Ten prints at the counter: by a folder of files, one by one, or by a reason why there is none; each look at one is a
//! record that names the person, and they are erased with the portrait.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::lds::{FingerCoding, FingerImages, FingerPosition, FingerView};
use issuance::applications::fingerprint_image::sorted;
use issuance::applications::fingers::{Finger, NoPrint};
use issuance::applications::model::Kind;
use issuance::applications::{fingerprints, steps as counter};
use issuance::deed::Purpose;
use issuance::ground::Role;
use issuance::ground::ids::ApplicationId;
use issuance::web::Problem;
use issuance::{args, sql};
use serde_json::json;
use time::Duration;
use time::macros::datetime;

use crate::house::{House, on_both};
use crate::offices::{Offices, photograph, within};
use crate::pages::{Browser, CHROMIUM, fields, walked};
use crate::pages_counter::Counter;
use crate::retention::{files, runs};
use crate::tables::fresh_database;

/// A record of a drawn finger: rings in an oval, each seed another one.
pub fn record(position: FingerPosition, seed: u8) -> Vec<u8> {
    let four = matches!(position, FingerPosition::PlainRightFour | FingerPosition::PlainLeftFour);
    let (width, height): (u16, u16) = if four { (1200, 800) } else { (400, 500) };
    let (w, h) = (f64::from(width), f64::from(height));
    let pixel = |x: u16, y: u16| {
        let (x, y) = (f64::from(x) - w / 2.0, f64::from(y) - h / 2.0);
        let ring = (x.hypot(y * 0.8 + f64::from(seed)) / 1.5).sin();
        if (x / w).hypot(y / h) > 0.48 {
            255
        } else if ring > 0.0 {
            220
        } else {
            40
        }
    };
    let image: Vec<u8> = (0..height).flat_map(|y| (0..width).map(move |x| pixel(x, y))).collect();
    FingerView { position, impression: 1, width, height, coding: FingerCoding::Raw, image: &image }.record(500).unwrap()
}

/// The folder of a scanner: fourteen records, each named by its number.
pub fn folder() -> Vec<(String, Vec<u8>)> {
    (1..=14).map(|code| (format!("{code:02}.fir"), record(FingerPosition::of_code(code).unwrap(), code))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_of_fourteen_prints_is_taken_and_each_look_at_one_names_the_person() {
    on_both(async |house| {
        let counter = Counter::of(house).await;
        let (person, _) = counter.person("Trần Thị Hoài An", "17/09/1995", "").await;
        let browser = &counter.browser;
        let (path, id) = counter.opens(browser, &person, "first").await;
        assert!(browser.reads(&path).await.says(&format!("{path}/prints")), "the application leads there");
        let place = format!("{path}/prints");
        let sheet = browser.reads(&place).await;
        assert!(sheet.says("Còn 10 ngón") && sheet.says("Ngón út trái"), "{}", sheet.text);
        let token = [("token", sheet.field("token"))];
        let said = browser.uploads_all(&place, &token, "files", &folder()).await;
        assert_eq!(said.leads_to(), format!("{place}?done=taken"), "{}", said.text);
        let sheet = browser.reads(&place).await;
        assert!(sheet.says("Đủ mười ngón") && !sheet.says("data:image"), "no image is shown there: {}", sheet.text);
        assert_eq!(sheet.text.matches("Xem ảnh").count(), 14);
        assert_eq!(counter.trail("fingerprint-taken", &person, "capture").await, 1);
        assert_eq!(counter.trail("fingerprint-read", &person, "capture").await, 0);
        // Each look at one is a record of its own, with the finger.
        let one = browser.reads(&format!("{place}/right-ring")).await;
        assert!(one.says("data:image/png;base64,") && one.says("Ngón nhẫn phải"), "{} {}", one.status, one.text);
        assert_eq!(one.headers["cache-control"], "no-store");
        let api = format!("/api/v1/applications/{id}/fingerprints");
        let read = counter.capture.get(&format!("{api}/left-thumb")).await;
        let kept = STANDARD.decode(read.body["record"].as_str().unwrap_or_else(|| panic!("{read:?}"))).unwrap();
        assert_eq!(FingerImages::parse(&kept).unwrap().views[0].position, FingerPosition::LeftThumb);
        assert_eq!(counter.trail("fingerprint-read", &person, "capture").await, 1);
        let named = sql!("select count(*) as n from v_audit_entry where action = 'fingerprint-read' and reason = $1");
        assert_eq!(house.count(named, args!["left-thumb"]).await, 1);
        // What is listed has no image; who may not see the portrait sees no print.
        let list = counter.capture.get(&api).await;
        assert_eq!((list.body["prints"].as_array().map(Vec::len), &list.body["left"]), (Some(14), &json!([])));
        assert!(!list.body.to_string().contains("digest"), "{list:?}");
        let registrar = house.officer("mai.do", &[Role::Registrar], "o-1").await;
        assert_eq!(registrar.get(&format!("{api}/left-thumb")).await.code(), "role-missing");
        let away = house.officer("an.ho", &[Role::Capture], "o-2").await;
        for path in [&api, &format!("{api}/left-thumb")] {
            assert_eq!(away.get(path).await.code(), "other-office");
        }
        assert_eq!(
            away.post(&api, "k", json!({"finger": "left-ring", "because": "worn"})).await.code(),
            "other-office"
        );
        assert_eq!(counter.capture.get(&format!("{api}/left-toe")).await.code(), "identifier-malformed");
        // On the disk nothing of it is in the clear.
        for file in files(&house.folder.path().join("data/objects")) {
            let bytes = std::fs::read(&file).unwrap();
            assert!(!bytes.windows(4).any(|window| window == b"FIR\0" || window == b"IHDR"), "{file:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prints_in_the_wrong_order_are_named_and_those_that_are_right_stay() {
    let house = Box::pin(House::open(None)).await;
    let counter = Counter::of(&house).await;
    let (person, _) = counter.person("Trần Thị Hoài An", "17/09/1995", "").await;
    let browser = &counter.browser;
    let (path, id) = counter.opens(browser, &person, "first").await;
    let place = format!("{path}/prints");
    let sheet = browser.reads(&place).await;
    let token = [("token", sheet.field("token"))];
    let mut scanned = folder();
    // The ring and the little finger were taken in the wrong order.
    let little = scanned[4].1.clone();
    scanned[4].1 = std::mem::replace(&mut scanned[3].1, little);
    let said = browser.uploads_all(&place, &token, "files", &scanned).await;
    assert_eq!(said.status, 422, "{}", said.text);
    for words in [
        "Đã lưu 12 ảnh đúng",
        "04.fir",
        "Tên tệp là Ngón nhẫn phải, nhưng bản ghi nói Ngón út phải",
        "05.fir",
        "Còn 2 ngón",
    ] {
        assert!(said.says(words), "{words}: {}", said.text);
    }
    // Named right, the two alone are sent.
    let again: Vec<_> = folder().into_iter().skip(3).take(2).collect();
    assert_eq!(browser.uploads_all(&place, &token, "files", &again).await.status, 303);
    assert!(browser.reads(&place).await.says("Đủ mười ngón"));
    // Hostile names and files; an image that was given for another finger.
    let wrong = |name: &str, file: Vec<u8>| vec![(name.to_owned(), file)];
    let (thumb, index) = (FingerPosition::RightThumb, FingerPosition::RightIndex);
    for (files, words) in [
        (wrong("<b>01.wsq", b"\xff\xa0\xff\xa8".to_vec()), "Không nhận loại tệp WSQ"),
        (wrong("scan.png", b"\x89PNG\r\n\x1a\n".to_vec()), "Không biết là ngón nào"),
        (wrong("01.fir", record(thumb, 1)[..4000].to_vec()), "Tệp hỏng hoặc thiếu"),
        (wrong("02.fir", record(index, 1)), "Trùng với ảnh của Ngón cái phải"),
        (wrong("01.fir", record(index, 90)), "Tên tệp là Ngón cái phải, nhưng bản ghi nói Ngón trỏ phải"),
    ] {
        let said = browser.uploads_all(&place, &token, "files", &files).await;
        assert!(said.status == 422 && said.says(words), "{words}: {} {}", said.status, said.text);
        assert!(!said.says("<b>01"), "a name is text");
    }
    let none = browser.uploads_all(&place, &token, "files", &[]).await;
    assert!(none.says("files-err"), "{} {}", none.status, none.text);
    // Chosen by the officer, one print is replaced.
    let chosen = [token[0], ("which", "right-index")];
    let unnamed = wrong("scan.fir", record(FingerPosition::Unknown, 91));
    assert_eq!(browser.uploads_all(&place, &chosen, "files", &unnamed).await.status, 303);
    // A reason stands in the place of an image, once, and is one of the ten.
    let sheet = browser.reads(&place).await;
    let missing = format!("{path}/missing-prints");
    let said = browser.sends(&missing, &fields(&sheet, &[("finger", "left-little"), ("because", "")])).await;
    assert!(said.status == 422 && said.says("because-err"), "{}", said.text);
    let form = fields(&sheet, &[("finger", "left-little"), ("because", "amputated")]);
    let (one, two) = tokio::join!(browser.sends(&missing, &form), browser.sends(&missing, &form));
    assert_eq!((one.status, two.status), (303, 303), "{} {}", one.text, two.text);
    assert!(browser.reads(&place).await.says("cụt, không có ngón"));
    let api = format!("/api/v1/applications/{id}/fingerprints");
    let flat = json!({"finger": "plain-left-four", "because": "worn"});
    assert_eq!(counter.capture.post(&api, "k-1", flat).await.code(), "fingerprint-unfit");
    assert_eq!(counter.capture.get(&format!("{api}/left-little")).await.code(), "fingerprint-absent");
    let image = STANDARD.encode(b"\xff\xd8\xff\xe0");
    let jpeg = json!({"finger": "right-thumb", "image": image});
    assert_eq!(counter.capture.post(&api, "k-2", jpeg).await.code(), "fingerprint-format");
    for body in [json!({}), json!({"finger": "right-thumb"}), json!({"image": "?", "because": "worn"})] {
        let key = format!("k-{body}");
        assert_eq!(counter.capture.post(&api, &key, body).await.code(), "fingerprint-unfit");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_ten_prints_are_demanded_no_application_is_sent_without_them_and_a_change_is_looked_at_again() {
    let change = |settings: &mut issuance::server::Settings| settings.applications.fingerprints.demanded = true;
    let house = Box::pin(House::open_with(change)).await;
    let counter = Counter::of(&house).await;
    house.officer("khoi.do", &[Role::Approver], "o-1").await;
    let (person, _) = counter.person("Trần Thị Hoài An", "17/09/1995", "").await;
    let browser = &counter.browser;
    let (path, id) = counter.opens(browser, &person, "first").await;
    counter.takes(browser, &path).await;
    let sends = async || {
        let sheet = browser.reads(&path).await;
        browser.sends(&format!("{path}/capture"), &fields(&sheet, &[("seen", sheet.field("seen"))])).await
    };
    let said = sends().await;
    assert!(said.status == 422 && said.says("fingerprints-missing"), "{} {}", said.status, said.text);
    assert!(browser.reads(&path).await.says("vân tay đủ mười ngón"));
    let api = format!("/api/v1/applications/{id}/fingerprints");
    let taking = async |n: u8| {
        let finger = Finger::ten()[usize::from(n)];
        let image = STANDARD.encode(record(finger.position(), n));
        let said = counter.capture.post(&api, &format!("k-{n}"), json!({"image": image})).await;
        assert_eq!(said.status, 200, "{said:?}");
    };
    for n in 0..9 {
        taking(n).await;
    }
    assert!(sends().await.says("fingerprints-missing"));
    let seen_before = browser.reads(&path).await;
    let lost = json!({"finger": "left-little", "because": "amputated"});
    assert_eq!(counter.capture.post(&api, "k-9", lost).await.body["left"], json!([]));
    // What the officer saw was another card.
    let stale = fields(&seen_before, &[("seen", seen_before.field("seen"))]);
    assert!(browser.sends(&format!("{path}/capture"), &stale).await.says("portrait-changed"));
    assert_eq!(sends().await.status, 303);
    // The form and the second officer have them.
    let paper = browser.reads(&format!("{path}/cc02")).await;
    assert!(paper.text.starts_with("%PDF-"));
    let approver = Browser::of(&house, "khoi.do").await;
    let file = approver.reads(&format!("/pages/approvals/{id}")).await;
    assert!(file.says("cụt, không có ngón") && file.says("/prints/right-thumb"), "{}", file.text);
    let one = approver.reads(&format!("/pages/approvals/{id}/prints/right-thumb")).await;
    assert!(one.says("data:image/png;base64,"), "{} {}", one.status, one.text);
    assert_eq!(counter.trail("fingerprint-read", &person, "decision").await, 1);
    // A print that is taken again after that was not seen by that officer.
    let image = STANDARD.encode(record(FingerPosition::RightThumb, 77));
    let said = counter.capture.post(&api, "k-10", json!({"image": image})).await;
    assert_eq!(said.status, 200, "{said:?}");
    // The officer at the counter, who took the application for that, has it no more.
    house.clock.advance(time::Duration::minutes(16));
    let form = fields(&file, &[("dossier", file.field("dossier"))]);
    let said = approver.sends(&format!("/pages/approvals/{id}/approval"), &form).await;
    assert!(said.status == 409 && said.says("portrait-changed"), "{} {}", said.status, said.text);
    let file = approver.reads(&format!("/pages/approvals/{id}")).await;
    let form = fields(&file, &[("dossier", file.field("dossier"))]);
    assert_eq!(approver.sends(&format!("/pages/approvals/{id}/approval"), &form).await.status, 303);
    // Decided, nothing is taken any more.
    let said = counter.capture.post(&api, "k-11", json!({"finger": "right-thumb", "because": "worn"})).await;
    assert_eq!(said.code(), "stage-does-not-allow");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prints_are_erased_with_the_portrait_and_a_row_that_another_hand_changed_is_refused() {
    for database in [Some(None), fresh_database().map(Some)].into_iter().flatten() {
        let at = datetime!(2027-03-01 08:00 UTC);
        let offices = Box::pin(Offices::open_where(database, at, |_| ())).await;
        let (office, officer) = (&offices.state.counter, &offices.capture);
        let person = offices.citizen().await;
        let id = offices.applies(person, Kind::First).await.unwrap().id;
        let thumb = record(FingerPosition::RightThumb, 1);
        let images = sorted(&[("", &thumb)], None).right;
        let developed = fingerprints::develop(office, images).await.unwrap();
        within!(offices, officer, deed => fingerprints::take(deed, office, id, developed)).unwrap();
        within!(offices, officer, deed => fingerprints::miss(deed, office, id, Finger::LeftThumb, NoPrint::Bandaged))
            .unwrap();
        offices.captures(id).await;
        let objects = || files(&offices.data.path().join("objects")).len();
        assert_eq!(objects(), 2, "the portrait and the print");
        let cards = async |id: ApplicationId| {
            let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
            let sql = sql!("select count(*) as n from fingerprint_card where application_id = $1");
            tx.one(sql, args![id]).await.unwrap().unwrap().get::<i64>("n").unwrap()
        };
        assert_eq!(cards(id).await, 1);
        within!(offices, offices.approver, deed => counter::refuse(deed, id, "other face")).unwrap();
        offices.clock.advance(Duration::days(182));
        runs(&offices, false).await;
        assert_eq!((objects(), cards(id).await), (0, 0));
        let read =
            within!(offices, officer, deed => fingerprints::read(deed, id, Finger::RightThumb, Purpose::Capture));
        assert_eq!(Problem::from(read.unwrap_err()).code().word(), "erased");
        // Another application, whose card another hand changes.
        let person = offices.citizen().await;
        let id = offices.applies(person, Kind::First).await.unwrap().id;
        within!(offices, officer, deed => fingerprints::miss(deed, office, id, Finger::LeftThumb, NoPrint::Worn))
            .unwrap();
        let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
        let sql = sql!("update fingerprint_card set prints = '[]' where application_id = $1");
        assert_eq!(tx.run(sql, args![id]).await.unwrap(), 1);
        tx.commit().await.unwrap();
        let portrait = STANDARD.encode(photograph());
        counter::develop(office, portrait, None).await.unwrap();
        let read = within!(offices, officer, deed => fingerprints::read(deed, id, Finger::LeftThumb, Purpose::Capture));
        assert_eq!(Problem::from(read.unwrap_err()).code().word(), "record-tampered");
    }
}

/// The walk in a browser: `tests/pages/prints.mjs`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_officer_takes_ten_prints_in_a_real_browser() {
    let house = Box::pin(House::open(None)).await;
    let counter = Counter::of(&house).await;
    house.officer("khoi.do", &[Role::Approver], "o-1").await;
    let name = "Tôn Nữ Hoàng Phượng Khuê Ngọc Ẩn Thị Thương";
    let (person, _) = counter.person(name, "03/02/1979", "").await;
    let (path, id) = counter.opens(&counter.browser, &person, "first").await;
    counter.takes(&counter.browser, &path).await;
    let sheet = counter.browser.reads(&path).await;
    let token = [("token", sheet.field("token"))];
    assert_eq!(counter.browser.sends(&format!("{path}/claim/release"), &token).await.status, 303);
    let scanned = house.folder.path().join("scan");
    std::fs::create_dir(&scanned).unwrap();
    for (name, file) in folder() {
        std::fs::write(scanned.join(name), file).unwrap();
    }
    std::fs::write(scanned.join("wrong.wsq"), b"\xff\xa0\xff\xa8").unwrap();
    let given = json!({
        "walk": "prints", "address": format!("https://{}", house.service.address()), "chromium": CHROMIUM,
        "password": crate::house::PASSWORD, "username": "hang.vu", "approver": "khoi.do", "application": id,
        "scanned": scanned, "name": name,
    });
    if let Some(told) = Box::pin(walked(&given)).await {
        println!("{told}");
        assert!(counter.trail("fingerprint-read", &person, "capture").await > 0);
    }
}
