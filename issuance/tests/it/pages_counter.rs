//! The pages of the counter: a person is found and compared, an application opened, features and portrait taken bit by
//! bit, the fee settled, papers printed, and the application sent; and what must not go wrong on the way.

use std::io::Cursor;

use image::{ImageFormat, RgbImage};
use issuance::ground::Role;
use issuance::ground::ids::{ApplicationId, OfficerId, PersonId};
use issuance::{args, sql};
use serde_json::{Value, json};
use time::Duration;

use crate::house::{Caller, House, on_both};
use crate::pages::{Browser, Sheet, fields};

const PHOTOGRAPH: &[u8] = include_bytes!("../../../tests/data/portrait/photograph.jpg");
const FEATURES: &str = "Sẹo chấm trên cung mày trái";

/// A counter, and the officers around it.
pub struct Counter<'a> {
    house: &'a House,
    registrar: Caller,
    pub capture: Caller,
    pub browser: Browser,
}

impl<'a> Counter<'a> {
    pub async fn of(house: &'a House) -> Self {
        Self {
            house,
            registrar: house.officer("thu.dang", &[Role::Registrar], "o-1").await,
            capture: house.officer("hang.vu", &[Role::Capture], "o-1").await,
            browser: Browser::of(house, "hang.vu").await,
        }
    }

    /// A person with a number: the register's id, and the number.
    pub async fn person(&self, name: &str, birth: &str, old: &str) -> (String, String) {
        let place = json!({"province": "003", "detail": "Số 14, thôn Mẫu"});
        let declaration = json!({"full_name": name, "birth_date": birth, "sex": "Nữ", "birth_registration": place,
            "place_of_origin": place, "ethnic_group": "01", "permanent_residence": place,
            "father": {"full_name": "Phạm Hữu Lộc"}, "mother": {"full_name": format!("Bùi {}", name.split_once(' ').unwrap().1)},
            "old_id_number": old});
        let key = hex::encode(name);
        let declared = self.registrar.post("/api/v1/declarations", &key, declaration).await;
        let person = declared.body["person_id"].as_str().unwrap_or_else(|| panic!("{declared:?}")).to_owned();
        let known = json!({"acknowledged": true, "because": "papers compared"});
        let number = self.registrar.post(&format!("/api/v1/persons/{person}/number"), &format!("{key}-n"), known).await;
        let number = number.body["personal_number"].as_str().unwrap_or_else(|| panic!("{number:?}")).to_owned();
        (person, number)
    }

    /// Opens an application on the page. Returns its address and its id.
    pub async fn opens(&self, browser: &Browser, person: &str, kind: &str) -> (String, String) {
        let sheet = browser.reads(&format!("/pages/counter/persons/{person}")).await;
        let form = fields(&sheet, &[("kind", kind)]);
        let said = browser.sends(&format!("/pages/counter/persons/{person}/application"), &form).await;
        assert_eq!(said.status, 303, "{}", said.text);
        let path = said.leads_to().to_owned();
        let id = path.rsplit('/').next().unwrap().to_owned();
        (path, id)
    }

    /// Takes all that is sent with an application.
    pub async fn takes(&self, browser: &Browser, path: &str) {
        let sheet = browser.reads(path).await;
        let said = browser.sends(&format!("{path}/register-check"), &fields(&sheet, &[("said", "agrees")])).await;
        assert_eq!(said.leads_to(), format!("{path}?done=word"), "{}", said.text);
        let token = [("token", sheet.field("token")), ("features", FEATURES)];
        let said = browser.sends(&format!("{path}/features"), &token).await;
        assert_eq!(said.leads_to(), format!("{path}?done=features"), "{}", said.text);
        let said = photographs(browser, path, &sheet, PHOTOGRAPH).await;
        assert_eq!(said.leads_to(), format!("{path}?done=portrait"), "{}", said.text);
    }

    async fn read(&self, id: &str) -> Value {
        self.capture.get(&format!("/api/v1/applications/{id}")).await.body
    }

    /// So many records of the trail have this action about this person.
    pub async fn trail(&self, action: &str, person: &str, purpose: &str) -> i64 {
        let kept =
            sql!("select count(*) as n from v_audit_entry where action = $1 and person_id = $2 and purpose = $3");
        let person: PersonId = person.parse().unwrap();
        self.house.count(kept, args![action, person, purpose]).await
    }

    async fn drafts(&self) -> i64 {
        self.house.count(sql!("select count(*) as n from application_draft"), args![]).await
    }
}

async fn photographs(browser: &Browser, path: &str, sheet: &Sheet, file: &[u8]) -> Sheet {
    let form = [("token", sheet.field("token"))];
    browser.uploads(&format!("{path}/portrait"), &form, "photograph", "portrait.jpg", file).await
}

fn picture(of: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(vec![]);
    of.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A wall with some structure, without a person.
fn wall() -> RgbImage {
    RgbImage::from_fn(600, 800, |x, y| {
        image::Rgb([u8::try_from((x + y) % 200).unwrap(), 120, u8::try_from(y % 180).unwrap()])
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_counter_finds_a_person_and_sends_an_application_once() {
    on_both(async |house| {
        let counter = Counter::of(house).await;
        let (person, number) = counter.person("Trần Thị Hoài An", "17/09/1995", "").await;
        let browser = &counter.browser;
        assert!(browser.reads("/pages").await.says("href=\"/pages/counter\""), "the beginning leads there");
        let start = browser.reads("/pages/counter").await;
        assert!(start.says("Không có hồ sơ nào đang dở"), "{}", start.text);
        // By number, also in groups or as the QR code of a card has it; by name and day.
        let grouped = format!("{} {}", &number[..3], &number[3..]);
        let scanned = format!("{number}|123456789|Trần Thị Hoài An|17091995");
        for form in [
            [("number", number.as_str()), ("name", ""), ("birth", "")],
            [("number", &grouped), ("name", ""), ("birth", "")],
            [("number", &scanned), ("name", ""), ("birth", "")],
            [("number", ""), ("name", "tran thi hoai an"), ("birth", "17/09/1995")],
        ] {
            let form: Vec<_> = [("token", start.field("token"))].into_iter().chain(form).collect();
            let found = browser.sends("/pages/counter/search", &form).await;
            assert!(found.says(&format!("/pages/counter/persons/{person}")), "{form:?}: {}", found.text);
        }
        assert_eq!(counter.trail("person-found", &person, "registration").await, 4);
        let form = [("token", start.field("token")), ("number", "12345"), ("name", "giữ lại")];
        let said = browser.sends("/pages/counter/search", &form).await;
        assert!(said.status == 422 && said.says("search-unfit") && said.says("giữ lại"), "{}", said.text);
        // Beside what the citizen brings: what is the same is quiet, what differs is not.
        let path = format!("/pages/counter/persons/{person}");
        let sheet = browser.reads(&path).await;
        assert!(
            sheet.text.to_lowercase().contains("trần thị hoài an") && !sheet.says("class=\"diff\""),
            "{}",
            sheet.text
        );
        assert_eq!(counter.trail("person-read", &person, "registration").await, 1);
        let paper = [("name", "Trần Thị Hoài Ân"), ("birth", "17/09/1995"), ("number", number.as_str())];
        let token = sheet.field("token").to_owned();
        let form: Vec<_> = [("token", token.as_str())].into_iter().chain(paper).collect();
        let compared = browser.sends(&path, &form).await;
        assert_eq!(compared.text.matches("class=\"diff\"").count(), 1, "{}", compared.text);
        assert_eq!(compared.text.matches("class=\"same\"").count(), 2, "{}", compared.text);
        assert!(compared.says("<ins>Trần Thị Hoài Ân</ins>") && compared.says("1 chỗ khác"), "{}", compared.text);
        // A double click opens one application.
        let form = fields(&compared, &[("kind", "first")]);
        let opening = format!("{path}/application");
        let (one, two) = tokio::join!(browser.sends(&opening, &form), browser.sends(&opening, &form));
        assert_eq!((one.status, two.status), (303, 303), "{} {}", one.text, two.text);
        assert_eq!(one.leads_to(), two.leads_to());
        let (path, id) = (one.leads_to().to_owned(), one.leads_to().rsplit('/').next().unwrap().to_owned());
        assert!(browser.reads(&format!("/pages/counter/persons/{person}")).await.says(&path), "the one under way");
        let list = browser.reads("/pages/counter").await;
        assert!(list.says(&path) && !list.text.to_lowercase().contains("hoài an"), "no name stands in the list");
        // Nothing is sent before all of it is taken.
        let sheet = browser.reads(&path).await;
        assert!(sheet.says("id=\"missing\"") && !sheet.says("/cc02"), "{}", sheet.text);
        let form = fields(&sheet, &[("seen", sheet.field("seen"))]);
        let said = browser.sends(&format!("{path}/capture"), &form).await;
        assert!(said.status == 422 && said.says("portrait-unfit"), "{}", said.text);
        counter.takes(browser, &path).await;
        assert_eq!(counter.drafts().await, 1);
        assert_eq!(counter.read(&id).await["stage"], "registered");
        assert_eq!(counter.trail("application-draft-kept", &person, "capture").await, 2);
        // What was seen before the portrait was taken is not what stands there now.
        let said = browser.sends(&format!("{path}/capture"), &form).await;
        assert!(said.status == 409 && said.says("portrait-changed"), "{} {}", said.status, said.text);
        let sheet = browser.reads(&path).await;
        for words in [FEATURES, "data:image/jpeg;base64,", "Có một khuôn mặt", "Ảnh nét", "/cc02", "/slip"] {
            assert!(sheet.says(words), "{words}: {}", sheet.text);
        }
        assert!(!sheet.says("id=\"missing\"") && !sheet.says("name=\"answers\""), "{}", sheet.text);
        let form = fields(&sheet, &[("seen", sheet.field("seen"))]);
        let sending = format!("{path}/capture");
        let (one, two) = tokio::join!(browser.sends(&sending, &form), browser.sends(&sending, &form));
        assert_eq!((one.status, two.status), (303, 303), "{} {}", one.text, two.text);
        assert!(browser.reads(one.leads_to()).await.says("Đã gửi hồ sơ đi duyệt"));
        let read = counter.read(&id).await;
        assert_eq!((&read["stage"], &read["features"]), (&json!("captured"), &json!(FEATURES)));
        assert_eq!(read["register_check"]["agrees"], true);
        assert_eq!(counter.trail("application-captured", &person, "capture").await, 1);
        assert_eq!(counter.drafts().await, 0, "the draft ended with the step");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hostile_picture_is_refused_in_words_and_takes_nothing_with_it() {
    let house = Box::pin(House::open(None)).await;
    let counter = Counter::of(&house).await;
    let (person, _) = counter.person("Trần Thị Hoài An", "17/09/1995", "").await;
    let browser = &counter.browser;
    let (path, id) = counter.opens(browser, &person, "first").await;
    let sheet = browser.reads(&path).await;
    let token = [("token", sheet.field("token")), ("features", FEATURES)];
    assert_eq!(browser.sends(&format!("{path}/features"), &token).await.status, 303);
    let one = image::load_from_memory(PHOTOGRAPH).unwrap().to_rgb8();
    let mut two = RgbImage::from_pixel(one.width() * 2, one.height(), image::Rgb([120, 130, 140]));
    image::imageops::replace(&mut two, &one, 0, 0);
    image::imageops::replace(&mut two, &one, i64::from(one.width()), 0);
    let small = image::imageops::resize(&one, 90, 120, image::imageops::FilterType::Lanczos3);
    for (file, status, code) in [
        (picture(&one, ImageFormat::Png), 415, "portrait-not-jpeg"),
        (b"<svg onload=alert(1)>".to_vec(), 415, "portrait-not-jpeg"),
        (PHOTOGRAPH[..PHOTOGRAPH.len() / 2].to_vec(), 422, "portrait-damaged"),
        (picture(&two, ImageFormat::Jpeg), 422, "portrait-unfit"),
        (picture(&small, ImageFormat::Jpeg), 422, "portrait-too-small"),
        (vec![], 422, "portrait-unfit"),
        ([PHOTOGRAPH, &vec![0; 10_000_000]].concat(), 413, "portrait-oversize"),
    ] {
        let said = photographs(browser, &path, &sheet, &file).await;
        assert_eq!((said.status, said.says(code)), (status, true), "{code}: {} {}", said.status, said.text);
        assert!(said.says(FEATURES) && said.says("photograph-err"), "what was kept stays, beside what is wrong");
        assert!(!said.says("data:image/jpeg"), "{code}");
    }
    // More than a request may have: refused before it is read, in words too.
    let said = photographs(browser, &path, &sheet, &vec![0xff; 17_000_000]).await;
    assert!(said.status == 413 && said.says("Tệp lớn quá"), "{} {}", said.status, said.text);
    assert!(browser.reads(&path).await.says(FEATURES));
    // A form from elsewhere, and one that is none.
    let foreign = browser.uploads(&format!("{path}/portrait"), &[("token", "x")], "photograph", "a", PHOTOGRAPH).await;
    assert!(foreign.status == 403 && foreign.says("form-foreign"), "{}", foreign.text);
    let none = browser.sends(&format!("{path}/portrait"), &[("token", sheet.field("token"))]).await;
    assert!(none.status == 400 && none.says("body-malformed"), "{}", none.text);
    // What is no UTF-8 is no text, and does not become one without a word; nor is what no card can show.
    for (typed, status, code) in [("raw:%FF", 400, "body-malformed"), ("Sẹo 漢 ☃", 422, "features-unfit")] {
        let said =
            browser.sends(&format!("{path}/features"), &[("token", sheet.field("token")), ("features", typed)]).await;
        assert!(said.status == status && said.says(code), "{typed}: {} {}", said.status, said.text);
    }
    assert!(browser.reads(&path).await.says(FEATURES));
    // A picture without a face is used only by an officer who answers for it, and the record says so.
    let taken = photographs(browser, &path, &sheet, &picture(&wall(), ImageFormat::Jpeg)).await;
    assert_eq!(taken.status, 303, "{}", taken.text);
    let sheet = browser.reads(&path).await;
    assert!(sheet.says("Không nhận ra khuôn mặt nào") && sheet.says("name=\"answers\""), "{}", sheet.text);
    let form = fields(&sheet, &[("seen", sheet.field("seen"))]);
    let said = browser.sends(&format!("{path}/capture"), &form).await;
    assert!(said.says("acknowledgement-needed"), "{} {}", said.status, said.text);
    assert_eq!(counter.read(&id).await["stage"], "registered");
    let form = fields(&sheet, &[("seen", sheet.field("seen")), ("answers", "yes")]);
    assert_eq!(browser.sends(&format!("{path}/capture"), &form).await.status, 303);
    assert_eq!(counter.read(&id).await["stage"], "captured");
    let kept = sql!(
        "select count(*) as n from v_audit_entry where action = 'application-captured' and reason like '%no-face%'"
    );
    assert_eq!(house.count(kept, args![]).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_begun_is_found_again_and_a_second_officer_is_told_who_has_it() {
    on_both(async |house| {
        let counter = Counter::of(house).await;
        house.officer("an.le", &[Role::Capture], "o-1").await;
        let (person, _) = counter.person("Trần Thị Hoài An", "17/09/1995", "").await;
        let (path, id) = counter.opens(&counter.browser, &person, "first").await;
        let sheet = counter.browser.reads(&path).await;
        let token = [("token", sheet.field("token")), ("features", FEATURES)];
        assert_eq!(counter.browser.sends(&format!("{path}/features"), &token).await.status, 303);
        // The browser was closed: another window of the same officer has it.
        assert!(Browser::of(house, "hang.vu").await.reads(&path).await.says(FEATURES));
        // A second officer sees who has it, and keeps nothing.
        let other = Browser::of(house, "an.le").await;
        let list = other.reads("/pages/counter").await;
        assert!(list.says(&path) && list.says("cán bộ khác đang giữ"), "{}", list.text);
        let there = other.reads(&path).await;
        assert!(there.says("hang.vu đang giữ hồ sơ này") && there.says(FEATURES), "{}", there.text);
        let form = [("token", there.field("token")), ("features", "khác")];
        let said = other.sends(&format!("{path}/features"), &form).await;
        assert!(said.status == 409 && said.says("application-claimed") && said.says("khác"), "{}", said.text);
        let said = photographs(&other, &path, &there, PHOTOGRAPH).await;
        assert!(said.status == 409 && said.says("application-claimed"), "{}", said.text);
        let kept = counter.browser.reads(&path).await;
        assert!(kept.says(FEATURES) && !kept.says("data:image/jpeg"), "{}", kept.text);
        // Given back, the second officer goes on where the first one stopped.
        let given = [("token", kept.field("token"))];
        assert_eq!(counter.browser.sends(&format!("{path}/claim/release"), &given).await.status, 303);
        counter.takes(&other, &path).await;
        let sheet = other.reads(&path).await;
        let form = fields(&sheet, &[("seen", sheet.field("seen"))]);
        assert_eq!(other.sends(&format!("{path}/capture"), &form).await.status, 303);
        // Both had a hand in it.
        let hands = sql!("select count(*) as n from application_officer where application_id = $1");
        let id: ApplicationId = id.parse().unwrap();
        assert_eq!(house.count(hands, args![id]).await, 2);
        // A draft that is never sent goes with the application.
        let (second, _) = counter.person("Đặng Thị Ngọc Ẩn", "14/07/1986", "").await;
        let (path, id) = counter.opens(&other, &second, "first").await;
        counter.takes(&other, &path).await;
        let away = house.officer("an.ho", &[Role::Capture], "o-1").await;
        let sheet = other.reads(&path).await;
        other.sends(&format!("{path}/claim/release"), &[("token", sheet.field("token"))]).await;
        let body = json!({"reason": "công dân không muốn nữa"});
        let said = away.post(&format!("/api/v1/applications/{id}/withdrawal"), "k-w", body).await;
        assert_eq!((said.status, counter.drafts().await), (200, 0), "{said:?}");
        let names = sql!("select count(*) as n from portrait where application_id = $1");
        let id: ApplicationId = id.parse().unwrap();
        assert_eq!(house.count(names, args![id]).await, 1, "its picture is erased with those of the application");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_ends_while_an_officer_types_is_told_and_nothing_is_kept_in_its_name() {
    let house = Box::pin(House::open(None)).await;
    let counter = Counter::of(&house).await;
    let (person, _) = counter.person("Trần Thị Hoài An", "17/09/1995", "").await;
    let browser = &counter.browser;
    let (path, _) = counter.opens(browser, &person, "first").await;
    let sheet = browser.reads(&path).await;
    let form = [("token", sheet.field("token")), ("features", FEATURES)];
    let by_itself = [("sec-fetch-site", "same-origin"), ("hx-request", "true")];
    let keeping = format!("{path}/features");
    let kept = browser.asks(reqwest::Method::POST, &keeping, &by_itself, Some(&form)).await;
    assert!(kept.status == 200 && kept.text.starts_with("hang.vu lưu lúc"), "{} {}", kept.status, kept.text);
    // Who saw the page is told by what name it is sent from now on; who saw something else is not.
    assert!(kept.headers.get("draft-seen").is_none(), "{kept:?}");
    let sheet = browser.reads(&path).await;
    let more = format!("{FEATURES}, nốt ruồi");
    let typed = [("token", sheet.field("token")), ("features", more.as_str()), ("seen", sheet.field("seen"))];
    let kept = browser.asks(reqwest::Method::POST, &keeping, &by_itself, Some(&typed)).await;
    let told = kept.headers["draft-seen"].to_str().unwrap().to_owned();
    assert_eq!(told, browser.reads(&path).await.field("seen"));
    let late = browser.asks(reqwest::Method::POST, &keeping, &by_itself, Some(&typed)).await;
    assert!(late.status == 200 && late.headers.get("draft-seen").is_none(), "{late:?}");
    house.clock.advance(Duration::hours(1));
    let lost = browser.asks(reqwest::Method::POST, &keeping, &by_itself, Some(&form)).await;
    assert_eq!(
        (lost.status, lost.text.as_str()),
        (204, ""),
        "the page that is open stays, and says that it was not kept"
    );
    let told = browser.sends(&keeping, &form).await;
    assert!(told.status == 401 && told.says("Việc vừa rồi chưa được ghi"), "{}", told.text);
    assert_eq!(browser.reads(&path).await.leads_to(), format!("/pages/sign-in?next={path}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_of_another_office_opens_by_what_the_citizen_brings() {
    let house = Box::pin(House::open(None)).await;
    let counter = Counter::of(&house).await;
    let (person, number) = counter.person("Trần Thị Hoài An", "17/09/1995", "").await;
    house.officer("an.le", &[Role::Capture], "o-2").await;
    let away = Browser::of(&house, "an.le").await;
    let path = format!("/pages/counter/persons/{person}");
    let start = away.reads("/pages/counter").await;
    let found = away.sends("/pages/counter/search", &[("token", start.field("token")), ("number", &number)]).await;
    assert!(found.says(&path) && !found.text.to_lowercase().contains("hoài an"), "{}", found.text);
    let closed = away.reads(&path).await;
    assert!(closed.status == 200 && closed.says("Người do đơn vị khác ghi sổ"), "{}", closed.text);
    assert!(!closed.text.to_lowercase().contains("hoài an") && !closed.says("id=\"compare\""));
    let shows =
        |name| [("token", closed.field("token")), ("number", &*number), ("birth", "17/09/1995"), ("name", name)];
    let wrong = away.sends(&path, &shows("Trần Thị Hoài Ân")).await;
    assert!(wrong.says("claim-mismatch") && !wrong.says("id=\"compare\"") && wrong.says("Hoài Ân"), "{}", wrong.text);
    assert_eq!(counter.trail("claim-refused", &person, "registration").await, 1, "the citizen's own office sees it");
    let right = away.sends(&path, &shows("Trần Thị Hoài An")).await;
    assert!(right.status == 200 && right.says("id=\"compare\""), "{}", right.text);
    // Without what the citizen brings, nothing is opened; with it, it is. A wrong claim is one, and one record.
    let opening = format!("{path}/application");
    let mut wrong = fields(&right, &[("kind", "first"), ("claimed", "yes")]);
    wrong.extend(shows("Trần Thị Hoài Ân"));
    let said = away.sends(&opening, &wrong).await;
    assert!(said.says("claim-mismatch") && said.says("Hoài Ân") && !said.says("id=\"compare\""), "{}", said.text);
    assert_eq!(counter.trail("claim-refused", &person, "registration").await, 2);
    let said = away.sends(&opening, &fields(&right, &[("kind", "first")])).await;
    assert!(said.says("claim-needed"), "{} {}", said.status, said.text);
    let brought = [("claimed", "yes"), ("number", &*number), ("birth", "17/09/1995"), ("name", "Trần Thị Hoài An")];
    let form: Vec<_> = fields(&right, &[("kind", "first")]).into_iter().chain(brought).collect();
    let said = away.sends(&opening, &form).await;
    assert!(said.status == 303 && said.leads_to().starts_with("/pages/counter/applications/"), "{}", said.text);
    // The counter of the citizen's own office learns that there is one, and not which.
    let own = counter.browser.reads(&path).await;
    assert!(own.says("đang có hồ sơ chưa xong") && !own.says(said.leads_to()), "{}", own.text);
    let there = counter.browser.reads(said.leads_to()).await;
    assert!(there.status == 403 && there.says("other-office"), "{}", there.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fee_papers_and_slip_go_through_the_counter() {
    let house = Box::pin(House::open(None)).await;
    let counter = Counter::of(&house).await;
    let (person, _) = counter.person("Trần Thị Hoài An", "17/09/1995", "012345678").await;
    let browser = &counter.browser;
    let (path, id) = counter.opens(browser, &person, "first").await;
    let sheet = browser.reads(&path).await;
    assert!(sheet.says("30.000 đồng"), "an old identity card costs: {}", sheet.text);
    let today = house.clock.today().to_string();
    let paid = |receipt| [("dong", "30000"), ("method", "cash"), ("receipt", receipt), ("paid_on", today.as_str())];
    let said = browser.sends(&format!("{path}/payment"), &fields(&sheet, &paid("?"))).await;
    assert!(said.status == 409 && said.says("fee-payment-unfit") && said.says("value=\"?\""), "{}", said.text);
    let form = fields(&sheet, &paid("AA/21 0001234"));
    let paying = format!("{path}/payment");
    let (one, two) = tokio::join!(browser.sends(&paying, &form), browser.sends(&paying, &form));
    assert_eq!(
        (one.leads_to(), two.leads_to()),
        (format!("{path}?done=fee").as_str(), format!("{path}?done=fee").as_str())
    );
    let entries = sql!("select count(*) as n from fee_entry");
    assert_eq!(house.count(entries, args![]).await, 1, "a double click is one payment");
    let sheet = browser.reads(&path).await;
    assert!(sheet.says("AA/21 0001234") && sheet.says("Không còn khoản nào phải thu"), "{}", sheet.text);
    // Another citizen is exempt, by ground and evidence.
    let (second, _) = counter.person("Đặng Thị Ngọc Ẩn", "14/07/1986", "012345679").await;
    let (other, _) = counter.opens(browser, &second, "first").await;
    let sheet = browser.reads(&other).await;
    let said = browser.sends(&format!("{other}/payment"), &fields(&sheet, &paid("AA/21-0001234"))).await;
    assert!(said.says("receipt-taken"), "{} {}", said.status, said.text);
    let exempt = [("ground", "poor-household"), ("evidence", "")];
    let said = browser.sends(&format!("{other}/exemption"), &fields(&sheet, &exempt)).await;
    assert!(said.says("reason-missing"), "{} {}", said.status, said.text);
    let exempt = [("ground", "poor-household"), ("evidence", "Giấy chứng nhận hộ nghèo 12/2026")];
    assert_eq!(browser.sends(&format!("{other}/exemption"), &fields(&sheet, &exempt)).await.status, 303);
    assert!(browser.reads(&other).await.says("Hộ nghèo"));
    // The papers are PDF, and each printing is a reading.
    counter.takes(browser, &path).await;
    let before = counter.trail("application-read", &person, "capture").await;
    for name in ["cc02", "slip"] {
        let paper = browser.reads(&format!("{path}/{name}")).await;
        assert_eq!(paper.headers["content-type"], "application/pdf", "{}", paper.text);
        assert!(paper.text.starts_with("%PDF-"));
        assert_eq!(paper.headers["cache-control"], "no-store");
    }
    assert_eq!(counter.trail("application-read", &person, "capture").await, before + 2);
    // An officer who hands cards over prints no slip of another officer's application.
    house.officer("an.le", &[Role::Capture, Role::HandOver], "o-1").await;
    let both = Browser::of(&house, "an.le").await;
    let said = both.reads(&format!("{path}/slip")).await;
    assert!(said.status == 403 && said.says("role-missing"), "{} {}", said.status, said.text);
    assert!(!both.reads(&path).await.says("/slip\""));
    assert!(counter.read(&id).await["slip"].is_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_citizen_who_says_that_the_register_is_wrong_is_heard_and_a_returned_application_is_sent_again() {
    let house = Box::pin(House::open(None)).await;
    let counter = Counter::of(&house).await;
    let approver = house.officer("khoi.do", &[Role::Approver], "o-1").await;
    let (person, _) = counter.person("Trần Thị Hoài An", "17/09/1995", "").await;
    let browser = &counter.browser;
    let (path, id) = counter.opens(browser, &person, "first").await;
    let sheet = browser.reads(&path).await;
    let checking = format!("{path}/register-check");
    for form in [&[("said", "agrees"), ("disagrees", "religion")][..], &[("said", "disagrees")]] {
        let said = browser.sends(&checking, &fields(&sheet, form)).await;
        assert!(said.says("register-check-unfit"), "{form:?}: {}", said.text);
    }
    let form = [("said", "disagrees"), ("disagrees", "religion"), ("disagrees", "permanent_residence")];
    assert_eq!(browser.sends(&checking, &fields(&sheet, &form)).await.status, 303);
    let sheet = browser.reads(&path).await;
    assert!(sheet.says("Công dân nói 2 mục sai") && sheet.says("DC02"), "{}", sheet.text);
    assert_eq!(counter.read(&id).await["register_check"]["disagrees"], json!(["religion", "permanent_residence"]));
    counter.takes(browser, &path).await;
    let sheet = browser.reads(&path).await;
    let form = fields(&sheet, &[("seen", sheet.field("seen"))]);
    assert_eq!(browser.sends(&format!("{path}/capture"), &form).await.status, 303);
    let until = (house.clock.today() + Duration::days(20)).to_string();
    let body = json!({"reasons": ["portrait-unfit"], "says": "Chụp lại ảnh.", "until": until});
    let said = approver.post(&format!("/api/v1/applications/{id}/return"), "k-r", body).await;
    assert_eq!(said.status, 200, "{said:?}");
    let sheet = browser.reads(&path).await;
    assert!(sheet.says("Chụp lại ảnh.") && sheet.says("Ảnh không dùng được trên thẻ"), "{}", sheet.text);
    // Taken anew, what was taken before is where it begins.
    assert!(sheet.says(FEATURES) && sheet.says("data:image/jpeg"), "{}", sheet.text);
    assert_eq!(photographs(browser, &path, &sheet, PHOTOGRAPH).await.status, 303);
    let sheet = browser.reads(&path).await;
    let form = fields(&sheet, &[("seen", sheet.field("seen"))]);
    assert_eq!(browser.sends(&format!("{path}/capture"), &form).await.status, 303);
    assert_eq!(counter.read(&id).await["stage"], "captured");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_officer_who_took_a_bit_of_a_draft_had_a_hand_in_it_whoever_sends_it() {
    on_both(async |house| {
        let counter = Counter::of(house).await;
        let (_, helper) = house.appointed("an.le", &[Role::Capture], "o-1").await;
        let (person, _) = counter.person("Trần Thị Hoài An", "17/09/1995", "").await;
        let (path, id) = counter.opens(&counter.browser, &person, "first").await;
        let other = Browser::of(house, "an.le").await;
        let sheet = other.reads(&path).await;
        assert_eq!(photographs(&other, &path, &sheet, PHOTOGRAPH).await.status, 303);
        assert_eq!(other.sends(&format!("{path}/claim/release"), &[("token", sheet.field("token"))]).await.status, 303);
        let sheet = counter.browser.reads(&path).await;
        let form = [("token", sheet.field("token")), ("features", FEATURES)];
        assert_eq!(counter.browser.sends(&format!("{path}/features"), &form).await.status, 303);
        let sheet = counter.browser.reads(&path).await;
        let form = fields(&sheet, &[("seen", sheet.field("seen"))]);
        assert_eq!(counter.browser.sends(&format!("{path}/capture"), &form).await.status, 303);
        let hand = sql!("select count(*) as n from application_officer where application_id = $1 and officer_id = $2");
        let (id, helper): (ApplicationId, OfficerId) = (id.parse().unwrap(), helper.parse().unwrap());
        assert_eq!(house.count(hand, args![id, helper]).await, 1, "so this officer never decides about it");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_officer_who_hands_cards_over_gets_no_dossier_of_the_counter_by_an_act_that_is_refused() {
    on_both(async |house| {
        let counter = Counter::of(house).await;
        house.officer("an.le", &[Role::HandOver], "o-1").await;
        let (person, _) = counter.person("Trần Thị Hoài An", "17/09/1995", "012345678").await;
        let (path, _) = counter.opens(&counter.browser, &person, "first").await;
        let other = Browser::of(house, "an.le").await;
        let before = counter.trail("person-read", &person, "capture").await;
        let page = other.reads("/pages").await;
        let token = page.field("token");
        for (act, form) in [
            ("payment", [("dong", "0"), ("method", "cash"), ("receipt", "?"), ("paid_on", "?"), ("key", "k-1")]),
            ("exemption", [("ground", "?"), ("evidence", ""), ("", ""), ("", ""), ("key", "k-2")]),
        ] {
            let form: Vec<_> = [("token", token)].into_iter().chain(form).collect();
            let said = other.sends(&format!("{path}/{act}"), &form).await;
            assert!(said.status == 403 && said.says("role-missing"), "{act}: {} {}", said.status, said.text);
            assert!(!said.text.to_lowercase().contains("hoài an"), "{act}");
        }
        assert_eq!(counter.trail("person-read", &person, "capture").await, before);
    })
    .await;
}
