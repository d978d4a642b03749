//! The pages of the administration: what one administrator proposes counts once another confirms it, what is shown to
//! whom, and what the pages say of stations, calendar, tables and keys before something runs out.

use issuance::ground::Role;
use issuance::{args, sql};
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use time::Duration;

use crate::house::{Caller, House, NIL, PASSWORD, client, on_both};
use crate::pages::{Browser, Sheet, fields};

const PLACE: &str = "/pages/administration";

/// The two administrators of the national office, each in a browser.
async fn administrators(house: &House) -> (Browser, Browser) {
    (Browser::of(house, "admin").await, Browser::of(house, "second").await)
}

/// Where a page of the administration leads after an act, or why it does not.
fn led(sheet: &Sheet) -> &str {
    assert_eq!(sheet.status, 303, "{}", sheet.text);
    sheet.leads_to()
}

/// The fields of the form of this page, with what its officer saw.
fn filled<'a>(sheet: &'a Sheet, form: &'a [(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let seen = sheet.says("name=\"seen\"").then(|| ("seen", sheet.field("seen")));
    seen.into_iter().chain(fields(sheet, form)).collect()
}

/// Fills the form of this page in and sends it.
async fn sends(browser: &Browser, page: &str, to: &str, form: &[(&str, &str)]) -> Sheet {
    let sheet = browser.reads(page).await;
    assert_eq!(sheet.status, 200, "{page}: {}", sheet.text);
    browser.sends(to, &filled(&sheet, form)).await
}

/// The identifier at the end of the first address that begins so.
fn id_after(sheet: &Sheet, begins: &str) -> String {
    let rest = sheet.text.split(begins).nth(1).unwrap_or_else(|| panic!("no {begins} in {}", sheet.text));
    rest.chars().take(36).collect()
}

/// The id of an officer, by the list.
async fn officer_id(browser: &Browser, name: &str) -> String {
    let list = browser.reads(&format!("{PLACE}/officers?name={name}&state=all")).await;
    id_after(&list, &format!("<th scope=\"row\"><a href=\"{PLACE}/officers/"))
}

/// The token of the page that shows one, and what an officer types.
fn token(sheet: &Sheet) -> String {
    let shown = sheet.text.split("secret\">").nth(1).and_then(|rest| rest.split('<').next());
    shown.unwrap_or_else(|| panic!("no token in {}", sheet.text)).to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_officer_counts_once_another_administrator_confirmed_and_sets_a_password_with_a_token_shown_once() {
    on_both(async |house| {
        let (admin, second) = administrators(house).await;
        let new = format!("{PLACE}/officers/new");
        // What is wrong stands beside its field, and what was typed stays.
        let both = [("username", "Lan.Nguyễn"), ("office", "o-1"), ("roles", "capture"), ("roles", "approver")];
        let wrong = sends(&admin, &new, &format!("{PLACE}/officers"), &both).await;
        assert!(wrong.status == 409 && wrong.says("cán bộ duyệt, cán bộ thu nhận"), "{}", wrong.text);
        assert!(wrong.says("value=\"Lan.Nguyễn\"") && wrong.says("value=\"approver\" checked"), "{}", wrong.text);
        let wrong = [("username", "x y"), ("office", "O 1"), ("roles", "capture")];
        let wrong = sends(&admin, &new, &format!("{PLACE}/officers"), &wrong).await;
        assert!(wrong.status == 422 && wrong.says("id=\"username-err\""), "{}", wrong.text);
        let taken = [("username", "second"), ("office", "o-1"), ("roles", "capture")];
        let wrong = sends(&admin, &new, &format!("{PLACE}/officers"), &taken).await;
        assert!(wrong.status == 409 && wrong.says("Tên này đã có"), "{}", wrong.text);

        let form = [("username", "Lan.Nguyễn"), ("office", "o-1"), ("roles", "capture")];
        let proposed = sends(&admin, &new, &format!("{PLACE}/officers"), &form).await;
        let file = led(&proposed).to_owned();
        assert!(file.ends_with("?done=proposed"), "{file}");
        let file = file.trim_end_matches("?done=proposed").to_owned();
        let shown = admin.reads(&file).await;
        assert!(shown.says("lan.nguyễn") && shown.says("chưa có mật khẩu"), "{}", shown.text);
        assert!(shown.says("Chờ quản trị viên thứ hai"), "{}", shown.text);
        assert!(house.anyone().signs_in("lan.nguyễn", PASSWORD).await.status == 401);
        // The one who proposed reads it, and does not confirm it.
        let proposal = format!("{PLACE}/proposals/{}", id_after(&shown, &format!("{PLACE}/proposals/")));
        let own = admin.reads(&proposal).await;
        assert!(own.says("aria-disabled=\"true\"") && own.says("người khác quyết định"), "{}", own.text);
        let refused = sends(&admin, &proposal, &format!("{proposal}/confirmation"), &[]).await;
        assert!(refused.status == 403 && refused.says("second-officer-needed"), "{}", refused.text);
        // Another one does, and is shown the token this once.
        let home = second.reads("/pages").await;
        assert!(home.says("1 việc chờ xác nhận"), "{}", home.text);
        let sheet = second.reads(&proposal).await;
        assert!(sheet.says("cán bộ thu nhận") && !sheet.says("aria-disabled"), "{}", sheet.text);
        let form: Vec<(String, String)> =
            fields(&sheet, &[]).into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let confirmed = second.sends(&format!("{proposal}/confirmation"), &form).await;
        assert_eq!(confirmed.status, 200, "{}", confirmed.text);
        let token = token(&confirmed);
        assert_eq!((token.len(), token.matches(' ').count()), (79, 15), "{token}");
        let again = second.sends(&format!("{proposal}/confirmation"), &form).await;
        assert_eq!(led(&again), format!("{file}?done=effective"), "a second click has the same effect, and no token");
        assert!(admin.reads(&file).await.says("có mã đến"));

        let first = Browser::new(house);
        assert!(first.reads("/pages/sign-in").await.says("/pages/first-password"));
        let page = "/pages/first-password";
        assert_eq!(first.reads(page).await.status, 200);
        let wrong = first.sends(page, &[("code", "0000"), ("new", PASSWORD)]).await;
        assert!(wrong.status == 401 && wrong.says("one-time-token-unfit"), "{}", wrong.text);
        let short = first.sends(page, &[("code", &token), ("new", "short")]).await;
        assert!(short.status == 422 && short.says(&token), "{}", short.text);
        let set = first.sends(page, &[("code", &token), ("new", PASSWORD)]).await;
        assert_eq!(led(&set), "/pages/sign-in?set=yes");
        let used = first.sends(page, &[("code", &token), ("new", PASSWORD)]).await;
        assert_eq!(used.status, 401, "{}", used.text);
        Browser::of(house, "lan.nguyễn").await;
        let shown = second.reads(&file).await;
        assert!(shown.says("đang làm việc") && shown.says("bằng mật khẩu"), "{}", shown.text);
        let found = second.reads(&format!("{PLACE}/officers?name=Lan.Nguyen")).await;
        assert!(found.says("lan.nguyễn") && found.says("1 cán bộ"), "without marks: {}", found.text);
        let looked = sql!("select count(*) as n from v_audit_entry where action = 'officers-listed' and object = $1");
        let object = format!("officer/{}", file.rsplit('/').next().unwrap());
        assert!(house.count(looked, args![object]).await >= 3, "each look at a file is in the trail");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_an_officer_waits_for_two_and_an_end_counts_at_once_but_for_an_administrator() {
    on_both(async |house| {
        let (admin, second) = administrators(house).await;
        house.officer("kim.ngo", &[Role::Capture], "o-1").await;
        let officer = Browser::of(house, "kim.ngo").await;
        assert_eq!(officer.reads("/pages/counter").await.status, 200);
        let file = format!("{PLACE}/officers/{}", officer_id(&admin, "kim").await);
        let act = async |browser: &Browser, form: &[(&str, &str)]| sends(browser, &file, &file, form).await;

        // Other roles: the reason is needed, and stays with the roles.
        let wrong = act(&admin, &[("act", "roles"), ("roles", "registrar"), ("reason", " ")]).await;
        assert!(wrong.status == 422 && wrong.says("id=\"roles-reason-err\""), "{}", wrong.text);
        assert!(wrong.says("value=\"registrar\" checked"), "{}", wrong.text);
        let said = act(&admin, &[("act", "roles"), ("roles", "registrar"), ("reason", "chuyển việc")]).await;
        assert_eq!(led(&said), format!("{file}?done=proposed"));
        let waits = second.reads(&file).await;
        let proposal = format!("{PLACE}/proposals/{}", id_after(&waits, &format!("{PLACE}/proposals/")));
        let sheet = second.reads(&proposal).await;
        assert!(sheet.says("Vai trò mới: cán bộ sổ dân cư") && sheet.says("chuyển việc"), "{}", sheet.text);
        let down = sends(&second, &proposal, &format!("{proposal}/withdrawal"), &[]).await;
        assert_eq!(led(&down), format!("{PLACE}/proposals?done=withdrawn"));
        assert!(second.reads(&proposal).await.status == 404 && officer.reads("/pages/counter").await.status == 200);
        assert!(second.reads(&format!("{PLACE}/proposals")).await.says("Không có đề xuất nào chờ"));

        // Another office, confirmed: it counts at once.
        let said = act(&admin, &[("act", "office"), ("office", "o-2"), ("reason", "điều động")]).await;
        assert_eq!(led(&said), format!("{file}?done=proposed"));
        let list = second.reads(&format!("{PLACE}/proposals")).await;
        let proposal = format!("{PLACE}/proposals/{}", id_after(&list, &format!("{PLACE}/proposals/")));
        let done = sends(&second, &proposal, &format!("{proposal}/confirmation"), &[]).await;
        assert_eq!(led(&done), format!("{file}?done=effective"));
        assert!(admin.reads(&format!("{PLACE}/officers?office=o-2")).await.says("kim.ngo"));

        // An end counts at once, with the sessions; to come back takes two and a new password.
        let said = act(&admin, &[("act", "disable"), ("reason", "nghỉ việc")]).await;
        assert_eq!(led(&said), format!("{file}?done=ended"));
        assert_eq!(officer.reads("/pages").await.leads_to(), "/pages/sign-in");
        assert!(!admin.reads(&format!("{PLACE}/officers")).await.says("kim.ngo"), "in service alone");
        assert!(admin.reads(&format!("{PLACE}/officers?state=ended")).await.says("kim.ngo"));
        let said = act(&second, &[("act", "enable"), ("reason", "trở lại")]).await;
        assert_eq!(led(&said), format!("{file}?done=proposed"));
        let list = admin.reads(&format!("{PLACE}/proposals")).await;
        let proposal = format!("{PLACE}/proposals/{}", id_after(&list, &format!("{PLACE}/proposals/")));
        let done = sends(&admin, &proposal, &format!("{proposal}/confirmation"), &[]).await;
        assert_eq!(token(&done).len(), 79);

        // An administrator ends no other one alone, and nothing about themselves.
        let other = format!("{PLACE}/officers/{}", officer_id(&admin, "second").await);
        let sheet = admin.reads(&other).await;
        assert!(sheet.says("cần một quản trị viên khác xác nhận"), "{}", sheet.text);
        house.officer("third", &[Role::Admin], "national").await;
        let form = [("act", "disable"), ("reason", "thử")];
        let said = sends(&admin, &other, &other, &form).await;
        assert_eq!(led(&said), format!("{other}?done=proposed"));
        assert_eq!(second.reads(PLACE).await.status, 200, "the other one goes on until a third confirms");
        let own = second.reads(&other).await;
        assert!(own.says("tài khoản của bạn") && !own.says("name=\"act\""), "{}", own.text);
        let key = own.field("token").to_owned();
        let said = second.sends(&other, &[("token", &key), ("key", "k-own"), ("act", "reset"), ("reason", "x")]).await;
        assert!(said.status == 403 && said.says("second-officer-needed"), "{}", said.text);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_administrator_of_an_office_sees_that_office_and_wrong_passwords_are_told() {
    on_both(async |house| {
        let (admin, _) = administrators(house).await;
        for (name, roles, office) in [
            ("do.mai", &[Role::Registrar][..], "o-1"),
            ("far", &[Role::Registrar], "o-2"),
            ("local", &[Role::Admin], "o-1"),
        ] {
            house.officer(name, roles, office).await;
        }
        let local = Browser::of(house, "local").await;
        let list = local.reads(&format!("{PLACE}/officers?name=do.mai")).await;
        assert!(list.says("do.mai") && list.says("1 cán bộ"), "{}", list.text);
        let all = local.reads(&format!("{PLACE}/officers")).await;
        assert!(!all.says("far") && !all.says("id=\"office\""), "{}", all.text);
        let by_role = admin.reads(&format!("{PLACE}/officers?role=registrar")).await;
        assert!(by_role.says("far") && by_role.says("do.mai") && !by_role.says(">local<"), "{}", by_role.text);
        let far = format!("{PLACE}/officers/{}", officer_id(&admin, "far").await);
        let closed = local.reads(&far).await;
        assert!(closed.status == 403 && closed.says("other-office") && !closed.says("far"), "{}", closed.text);
        let nothing = admin.reads(&format!("{PLACE}/officers/{NIL}")).await;
        assert!(nothing.status == 404 && nothing.says("officer-not-found"), "{}", nothing.text);
        for path in ["/keys", "/deputies?office=o-2"] {
            let closed = local.reads(&format!("{PLACE}{path}")).await;
            assert!(closed.status == 403 && closed.says("other-office"), "{path}: {}", closed.text);
        }
        assert!(!local.reads(PLACE).await.says("Hiện không cần làm gì"), "the keys are the national office's");

        let file = format!("{PLACE}/officers/{}", officer_id(&admin, "do.mai").await);
        assert!(!admin.reads(&file).await.says("bị khóa đến"));
        for _ in 0..7 {
            house.anyone().signs_in("do.mai", "not the password").await;
        }
        let locked = admin.reads(&file).await;
        assert!(locked.says("bị khóa đến") && locked.says("từ 127.0.0.1"), "{}", locked.text);
        house.clock.advance(Duration::minutes(16));
        let later = admin.reads(&file).await;
        assert!(!later.says("bị khóa đến") && later.says("từ 127.0.0.1"), "{}", later.text);
    })
    .await;
}

/// A certification request, and its key.
fn request() -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let request = CertificateParams::new(vec![]).unwrap().serialize_request(&key).unwrap().pem().unwrap();
    (request, key.serialize_pem())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_station_is_enrolled_by_its_request_warned_of_in_time_and_revoked() {
    on_both(async |house| {
        let (admin, _) = administrators(house).await;
        house.officer("local", &[Role::Admin], "o-2").await;
        let (place, (csr, key)) = (format!("{PLACE}/stations"), request());
        assert!(admin.reads(&place).await.says("Chưa có trạm nào"));
        let new = async |form: &[(&str, &str)], file: &str| {
            let sheet = admin.reads(&format!("{place}/new")).await;
            admin.uploads(&place, &fields(&sheet, form), "file", "csr.pem", file.as_bytes()).await
        };
        let bad = new(&[("name", "Trạm 1"), ("office", "o-1"), ("csr", "not a request")], "").await;
        assert!(bad.status == 422 && bad.says("id=\"csr-err\"") && bad.says("not a request"), "{}", bad.text);
        assert!(bad.says("value=\"Trạm 1\""), "{}", bad.text);
        let made = new(&[("name", "Trạm 1"), ("office", "o-1"), ("csr", &csr)], "").await;
        let station = led(&made).trim_end_matches("?done=enrolled").to_owned();
        // Stations are looked for by a part of the name, or by the code of an office.
        for (sought, found) in [("trạm", true), ("o-1", true), ("o-", false), ("xyz", false)] {
            let list = admin.reads(&format!("{place}?sought={sought}")).await;
            assert_eq!(list.says(&station), found, "{sought}: {}", list.text);
        }
        let pem = admin.reads(&format!("{station}/certificate.pem")).await;
        assert!(pem.headers["content-disposition"].to_str().unwrap().contains("station.pem"), "{pem:?}");
        // The certificate opens what a station may do.
        let identity = format!("{}{key}", pem.text);
        let address = format!("https://{}", house.service.address());
        let station_at_work = Caller { client: client(&house.folder, Some(&identity)), address, token: None };
        let said = station_at_work.post("/api/v1/station/personalization/orders", "k-1", json!({})).await;
        assert_ne!(said.status, 401, "{said:?}");
        let authority = admin.reads(&format!("{place}/tls-ca.pem")).await;
        assert_eq!(authority.text, std::fs::read_to_string(house.folder.path().join("data/tls-ca.pem")).unwrap());
        // The same key again, by a file, and the same name.
        let again = new(&[("name", "Trạm 2"), ("office", "o-1"), ("csr", "")], &csr).await;
        assert!(again.status == 409 && again.says("key-certified-before"), "{}", again.text);
        let again = new(&[("name", "Trạm 1"), ("office", "o-1"), ("csr", "")], &request().0).await;
        assert!(again.status == 409 && again.says("id=\"name-err\""), "{}", again.text);

        // What ends is seen ahead.
        assert!(!admin.reads(PLACE).await.says("1 chứng thư sắp hết hạn"));
        house.clock.advance(Duration::days(340));
        let (admin, second) = administrators(house).await;
        assert!(admin.reads(PLACE).await.says("1 chứng thư sắp hết hạn"));
        let list = second.reads(&place).await;
        assert!(list.says("còn 2") && list.says("Trạm 1"), "{}", list.text);
        let wrong = sends(&admin, &station, &format!("{station}/revocation"), &[("reason", "")]).await;
        assert!(wrong.status == 422 && wrong.says("id=\"reason-err\""), "{}", wrong.text);
        let gone = sends(&admin, &station, &format!("{station}/revocation"), &[("reason", "mất máy")]).await;
        assert_eq!(led(&gone), format!("{station}?done=revoked"));
        let shown = admin.reads(&station).await;
        assert!(shown.says("mất máy") && !shown.says("/revocation"), "{}", shown.text);
        let said = station_at_work.post("/api/v1/station/personalization/orders", "k-2", json!({})).await;
        assert_eq!(said.code(), "station-revoked", "{said:?}");
        let local = Browser::of(house, "local").await;
        assert!(!local.reads(&place).await.says("Trạm 1"));
        for path in [station.clone(), format!("{station}/certificate.pem")] {
            let closed = local.reads(&path).await;
            assert!(closed.status == 403 && closed.says("other-office"), "{path}: {}", closed.text);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_of_the_calendar_counts_once_another_administrator_confirmed_what_was_read() {
    on_both(async |house| {
        let (admin, second) = administrators(house).await;
        let place = format!("{PLACE}/calendar");
        let year = admin.reads(&format!("{place}?year=2027")).await;
        assert!(year.says("tính trước, chưa có thông báo") && year.says("Giỗ Tổ Hùng Vương"), "{}", year.text);
        assert!(admin.reads(&format!("{place}?year=2031")).await.says("chưa có: thời hạn bị tính sớm hơn"));
        let form = |name| [("day", "2027-04-29"), ("kind", "holiday"), ("name", name), ("reason", "thông báo 12")];
        let wrong = sends(&admin, &place, &place, &form("")).await;
        assert!(wrong.status == 422 && wrong.says("id=\"name-err\"") && wrong.says("thông báo 12"), "{}", wrong.text);
        let said = sends(&admin, &place, &place, &form("nghỉ hoán đổi")).await;
        assert_eq!(led(&said), format!("{place}?year=2027&done=proposed"));
        let asked = "/api/v1/calendar?from=2027-04-29&to=2027-04-29";
        assert_eq!(house.admin.get(asked).await.body["days"][0]["working"], true);
        let own = admin.reads(&format!("{place}?year=2027")).await;
        assert!(own.says("Bạn đã đề xuất") && !own.says("/confirmation"), "{}", own.text);
        assert!(second.reads(PLACE).await.says("1 việc chờ xác nhận"));
        let page = format!("{place}?year=2027");
        let to = format!("{place}/2027-04-29/confirmation");
        let other = sends(&second, &page, &to, &[("kind", "working"), ("name", "nghỉ hoán đổi")]).await;
        assert!(other.status == 404 && other.says("proposal-unknown"), "{}", other.text);
        let said = sends(&second, &page, &to, &[("kind", "holiday"), ("name", "nghỉ hoán đổi")]).await;
        assert_eq!(led(&said), format!("{place}?year=2027&done=confirmed"));
        assert_eq!(house.admin.get(asked).await.body["days"][0]["working"], false);
        house.officer("local", &[Role::Admin], "o-1").await;
        let local = Browser::of(house, "local").await.reads(&page).await;
        assert!(local.says("nghỉ hoán đổi") && !local.says("name=\"day\""), "{}", local.text);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deputy_who_may_approve_waits_for_a_second_administrator_and_ends_with_a_reason() {
    on_both(async |house| {
        let (admin, second) = administrators(house).await;
        for (name, roles, office) in [
            ("dung.ly", &[Role::Approver][..], "o-1"),
            ("phuc.ha", &[Role::HandOver], "o-1"),
            ("kim.ngo", &[Role::Capture], "o-1"),
        ] {
            house.officer(name, roles, office).await;
        }
        let (place, page) = (format!("{PLACE}/deputies"), format!("{PLACE}/deputies?office=o-1"));
        let today = house.clock.today();
        let (from, to) = (today.to_string(), (today + Duration::days(4)).to_string());
        let form = |deputy| {
            [
                ("office", "o-1"),
                ("absent", "dung.ly"),
                ("deputy", deputy),
                ("from", &*from),
                ("to", &*to),
                ("reason", "nghỉ phép"),
            ]
        };
        for (deputy, status, says) in [
            ("kim.ngo", 422, "không được giữ cùng lúc"),
            ("dung.ly", 422, "không tự làm thay"),
            ("second", 422, "hai đơn vị khác nhau"),
            ("không.ai", 404, "Không có cán bộ này"),
        ] {
            let wrong = sends(&admin, &page, &place, &form(deputy)).await;
            assert!(wrong.status == status && wrong.says(says), "{deputy}: {} {}", wrong.status, wrong.text);
            assert!(wrong.says("id=\"deputy-err\"") && wrong.says("nghỉ phép"), "{deputy}: {}", wrong.text);
        }
        let said = sends(&admin, &page, &place, &form("phuc.ha")).await;
        assert_eq!(led(&said), format!("{page}&done=proposed"));
        let officer = Browser::of(house, "phuc.ha").await;
        assert_eq!(officer.reads("/pages/approvals").await.status, 403);
        let own = admin.reads(&page).await;
        assert!(own.says("Một quản trị viên khác xác nhận") && !own.says("name=\"digest\""), "{}", own.text);
        let sheet = second.reads(&page).await;
        let (id, digest) = (id_after(&sheet, &format!("{place}/")), sheet.field("digest").to_owned());
        let to = format!("{place}/{id}/confirmation");
        let wrong = sends(&second, &page, &to, &[("office", "o-1"), ("digest", "00")]).await;
        assert!(wrong.status == 409 && wrong.says("proposal-changed"), "{}", wrong.text);
        let said = sends(&second, &page, &to, &[("office", "o-1"), ("digest", &digest)]).await;
        assert_eq!(led(&said), format!("{page}&done=confirmed"));
        assert_eq!(officer.reads("/pages/approvals").await.status, 200);
        let file = format!("{PLACE}/officers/{}", officer_id(&admin, "dung.ly").await);
        assert!(admin.reads(&file).await.says("phuc.ha làm thay từ"));
        let said = sends(&admin, &page, &format!("{place}/{id}/end"), &[("office", "o-1"), ("reason", "về sớm")]).await;
        assert_eq!(led(&said), format!("{page}&done=ended"));
        assert_eq!(officer.reads("/pages/approvals").await.status, 403);
        assert!(admin.reads(&page).await.says("Không có ai làm thay"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offices_are_made_and_renamed_by_the_national_office_and_opened_by_their_hours() {
    on_both(async |house| {
        let (admin, second) = administrators(house).await;
        let place = format!("{PLACE}/offices");
        let form = |code, province| {
            [("code", code), ("kind", "district"), ("province", province), ("name", "Quận Mẫu"), ("parent", "national")]
        };
        let wrong = sends(&admin, &place, &place, &form("003-001", "")).await;
        assert!(wrong.status == 422 && wrong.says("id=\"province-err\""), "{}", wrong.text);
        assert!(wrong.says("value=\"003-001\"") && wrong.says("value=\"district\" required checked"), "{}", wrong.text);
        let made = sends(&admin, &place, &place, &form("003-001", "003")).await;
        assert_eq!(led(&made), format!("{place}/003-001?done=made"));
        let again = sends(&admin, &place, &place, &form("003-001", "003")).await;
        assert!(again.status == 409 && again.says("id=\"code-err\""), "{}", again.text);
        assert!(admin.reads(&format!("{place}?sought=quận")).await.says("003-001"));
        assert!(admin.reads(&format!("{place}?sought=xyz")).await.says("Không tìm thấy đơn vị nào"));
        let one = format!("{place}/003-001");
        let form = [("name", "Quận Mẫu Mới"), ("parent", "national"), ("reason", "nghị quyết 3")];
        let old = second.reads(&one).await;
        let said = sends(&admin, &one, &one, &form).await;
        assert_eq!(led(&said), format!("{one}?done=changed"));
        // A page from before does not give it the old name back.
        let back = [("name", "Quận Mẫu"), ("parent", "national"), ("reason", "nghị quyết 4")];
        let said = second.sends(&one, &filled(&old, &back)).await;
        assert!(said.status == 409 && said.says("form-moved-on") && said.says("nghị quyết 4"), "{}", said.text);
        let shown = admin.reads(&one).await;
        assert!(shown.says("Quận Mẫu Mới") && shown.text.matches("<th scope=\"row\">").count() == 2, "{}", shown.text);
        assert_eq!(admin.reads(&format!("{place}/none")).await.status, 404);

        let hours = format!("{one}/hours");
        assert!(admin.reads(&hours).await.says("Chưa đặt giờ tiếp nhận"));
        let tomorrow = (house.clock.today() + Duration::days(1)).to_string();
        let form = |rows| [("since", &*tomorrow), ("rows", rows), ("reason", "lịch mới")];
        for (rows, says) in [
            ("T2 07:30 11:30 15 2\nT8 08:00 09:00 15 1", "Không đọc được dòng 2"),
            ("T2 07:30 11:30 15 2\nT2 11:00 12:00 15 1", "Hai dòng chồng nhau: Thứ Hai"),
            ("T2 07:30 11:30 3 2", "từ 5 đến 240 phút"),
        ] {
            let wrong = sends(&admin, &hours, &hours, &form(rows)).await;
            assert!(wrong.status == 422 && wrong.says(says) && wrong.says("07:30 11:30"), "{rows}: {}", wrong.text);
        }
        let set = sends(&admin, &hours, &hours, &form("T2 07:30 11:30 15 2\nT7 08:00 10:00 30 1")).await;
        assert_eq!(led(&set), format!("{hours}?done=yes"));
        let kept = house.admin.get("/api/v1/offices/003-001/hours").await.body;
        assert_eq!(kept["versions"][0]["hours"][1]["weekday"], "saturday");
        assert!(admin.reads(&hours).await.says("Thứ Bảy"));
        house.officer("local", &[Role::Admin], "o-2").await;
        let local = Browser::of(house, "local").await;
        assert_eq!(local.reads(&hours).await.status, 403);
        assert!(!local.reads(&one).await.says("name=\"reason\""), "the national office changes offices");
        assert!(!local.reads(&place).await.says("name=\"code\""), "and makes them");
        let sheet = local.reads(&place).await;
        assert!(sheet.says("003-001"), "which offices there are every officer may know");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_of_places_is_shown_as_it_is_on_a_day() {
    let tables = tempfile::tempdir().unwrap();
    let rows = "table,code,valid_from,within,name_vi,name_en,successor\n\
                communes,99001,2026-07-01,001,Phường Mẫu,Mau,\ncommunes,00001,2026-07-01,,,,99001\n";
    std::fs::write(tables.path().join("2026.csv"), rows).unwrap();
    let house =
        Box::pin(House::open_with(|settings| settings.population.reorganisations = Some(tables.path().into()))).await;
    let (admin, _) = administrators(&house).await;
    let place = format!("{PLACE}/tables");
    let provinces = admin.reads(&place).await;
    assert!(provinces.says("Hà Nội") && provinces.says("chưa thay đổi từ tháng 11/2021"), "{}", provinces.text);
    let communes = async |on: &str| admin.reads(&format!("{place}?table=communes&within=001&on={on}")).await;
    let (before, after) = (communes("2026-06-30").await, communes("2026-07-01").await);
    assert!(before.says(">00001<") && !before.says("Phường Mẫu"), "{}", before.text);
    assert!(!after.says(">00001<") && after.says("Phường Mẫu") && after.says("01/07/2026"), "{}", after.text);
    assert!(after.says("aria-current=\"true\"") && !before.says("aria-current=\"true\""), "{}", before.text);
    let wrong = admin.reads(&format!("{place}?on=1/7/2026")).await;
    assert!(wrong.says("id=\"on-err\"") && wrong.says("value=\"1/7/2026\""), "{}", wrong.text);
    assert!(communes("1999-01-01").await.says(">00001<"), "of before 2021 the tables say what they said then");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_keys_are_told_by_purpose_and_time_before_they_run_out_and_none_is_shown() {
    on_both(async |house| {
        let (admin, _) = administrators(house).await;
        let place = format!("{PLACE}/keys");
        let sheet = admin.reads(&place).await;
        for words in ["Ký dữ liệu của thẻ", "ECDSA", "ds.der", "tls-ca.pem", "không cần làm gì", "Khóa chủ của thẻ"]
        {
            assert!(sheet.says(words), "{words}: {}", sheet.text);
        }
        assert!(!sheet.says("PRIVATE") && !sheet.says("ngay bây giờ"), "{}", sheet.text);
        assert!(admin.reads(PLACE).await.says("Hiện không cần làm gì"));
        house.clock.advance(Duration::days(88));
        let (admin, _) = administrators(house).await;
        let sheet = admin.reads(&place).await;
        assert!(sheet.says("trong vòng một tuần") && sheet.says("issuance rotate ds"), "{}", sheet.text);
        assert!(admin.reads(PLACE).await.says("khóa cần chú ý"));
    })
    .await;
}

/// What the walk in a browser (`tests/pages/administration.mjs`) needs: a request of a station, a unit, and officers.
pub async fn for_browser(house: &House) -> Value {
    let long = "nguyen.thi.huong.thu.nguyet.quynh.trang.thuy.duong.ngoc.bich";
    let (_, officer) = house.appointed(long, &[Role::HandOver, Role::Registrar, Role::Auditor], "o-1").await;
    for (name, role) in [("tuyet.lam", Role::Approver), ("hoa.tran", Role::HandOver), ("binh.cao", Role::Capture)] {
        house.officer(name, &[role], "o-1").await;
    }
    let unit =
        json!({"code": "003-001", "kind": "district", "province": "003", "name": "Quận Mẫu", "parent": "national"});
    assert_eq!(house.admin.post("/api/v1/units", "unit", unit).await.status, 201);
    house.station("maker-1").await;
    let day = json!({"day": "2027-04-29", "kind": "holiday", "name": "nghỉ hoán đổi", "reason": "thông báo 12"});
    assert_eq!(house.admin.post("/api/v1/calendar/days", "day", day).await.status, 200);
    let today = house.clock.today();
    json!({"password": PASSWORD, "officer": officer, "csr": request().0, "unit": "003-001", "absent": "tuyet.lam",
        "deputy": "hoa.tran", "excluded": "binh.cao", "today": today.to_string(),
        "tomorrow": (today + Duration::days(1)).to_string()})
}
