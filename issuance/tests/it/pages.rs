//! The pages of the officers: by what a reader is known, which forms are believed, what a page shows and decides. And
//! once in a real browser, which looks at each of them (`tests/pages/run.mjs`).

use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use issuance::ground::Role;
use issuance::{args, sql};
use reqwest::header::{AUTHORIZATION, COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use time::Duration;

use crate::house::{Caller, House, NIL, PASSWORD, builder, on_both};

/// A browser: it keeps the cookie of the session, and says where its forms come from.
pub struct Browser {
    client: Client,
    address: String,
    session: Option<String>,
}

/// What the browser was answered.
#[derive(Debug)]
pub struct Sheet {
    pub status: u16,
    pub text: String,
    pub headers: HeaderMap,
}

impl Sheet {
    /// Where it leads.
    pub fn leads_to(&self) -> &str {
        self.headers.get(LOCATION).map_or("", |place| place.to_str().unwrap())
    }

    /// The value of the first field of this name.
    pub fn field(&self, name: &str) -> &str {
        let after = self.text.split(&format!("name=\"{name}\" value=\"")).nth(1);
        after.and_then(|rest| rest.split('"').next()).unwrap_or_else(|| panic!("no field {name} in {}", self.text))
    }

    /// True if the page has the words.
    pub fn says(&self, words: &str) -> bool {
        self.text.contains(words)
    }
}

impl Browser {
    pub fn new(house: &House) -> Self {
        let client = builder(&house.folder, None).redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { client, address: format!("https://{}", house.service.address()), session: None }
    }

    /// A browser in which this officer has signed in.
    pub async fn of(house: &House, name: &str) -> Self {
        let mut browser = Self::new(house);
        let said = browser.sends("/pages/sign-in", &[("username", name), ("password", PASSWORD)]).await;
        assert_eq!((said.status, said.leads_to()), (303, "/pages"), "{}", said.text);
        let cookie = said.headers.get(SET_COOKIE).unwrap().to_str().unwrap();
        browser.session =
            cookie.strip_prefix("__Host-session=").and_then(|rest| rest.split(';').next()).map(Into::into);
        browser
    }

    pub async fn asks(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        form: Option<&[(&str, &str)]>,
    ) -> Sheet {
        let mut request = self.client.request(method, format!("{}{path}", self.address));
        if let Some(session) = &self.session {
            request = request.header(COOKIE, format!("__Host-look=vi.light; __Host-session={session}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(form) = form {
            // As it is typed: a value that begins so is escaped already.
            let encoded = |text: &str| text.strip_prefix("raw:").map_or_else(|| encoded(text), str::to_owned);
            let fields: Vec<String> =
                form.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
            request = request.header("content-type", "application/x-www-form-urlencoded").body(fields.join("&"));
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Sheet { status, headers, text: response.text().await.unwrap() }
    }

    pub async fn reads(&self, path: &str) -> Sheet {
        self.asks(Method::GET, path, &[], None).await
    }

    /// Sends a form with a file in it from one of our own pages, as browsers write it.
    pub async fn uploads(&self, path: &str, form: &[(&str, &str)], field: &str, named: &str, file: &[u8]) -> Sheet {
        let mut body = vec![];
        for (name, value) in form {
            body.extend(format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").bytes());
        }
        let head = format!("--b\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"{named}\"\r\n");
        body.extend(format!("{head}Content-Type: image/jpeg\r\n\r\n").bytes());
        body.extend(file);
        body.extend(b"\r\n--b--\r\n");
        self.sends_parts(path, body).await
    }

    /// Sends a form with many files in one field, each with its name.
    pub async fn uploads_all(
        &self,
        path: &str,
        form: &[(&str, &str)],
        field: &str,
        files: &[(String, Vec<u8>)],
    ) -> Sheet {
        let mut body = vec![];
        for (name, value) in form {
            body.extend(format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").bytes());
        }
        for (name, file) in files {
            let head = format!("--b\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"{name}\"\r\n");
            body.extend(format!("{head}Content-Type: application/octet-stream\r\n\r\n").bytes());
            body.extend(file);
            body.extend(b"\r\n");
        }
        body.extend(b"--b--\r\n");
        self.sends_parts(path, body).await
    }

    async fn sends_parts(&self, path: &str, body: Vec<u8>) -> Sheet {
        let request = self.client.post(format!("{}{path}", self.address)).header("sec-fetch-site", "same-origin");
        let session = self.session.as_deref().unwrap_or_default();
        let request = request.header(COOKIE, format!("__Host-look=vi.light; __Host-session={session}"));
        let request = request.header("content-type", "multipart/form-data; boundary=b").body(body);
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Sheet { status, headers, text: String::from_utf8_lossy(&response.bytes().await.unwrap()).into_owned() }
    }

    /// Opens a stream, whose pieces are read one by one.
    pub async fn follows(&self, path: &str) -> reqwest::Response {
        let session = self.session.as_deref().unwrap_or_default();
        let request = self.client.get(format!("{}{path}", self.address));
        request.header(COOKIE, format!("__Host-look=vi.light; __Host-session={session}")).send().await.unwrap()
    }

    /// Sends a form from one of our own pages.
    pub async fn sends(&self, path: &str, form: &[(&str, &str)]) -> Sheet {
        self.asks(Method::POST, path, &[("sec-fetch-site", "same-origin")], Some(form)).await
    }
}

/// A name as a key, which is ASCII.
fn hex(name: &str) -> String {
    hex::encode(name)
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

/// The people who make dossiers.
struct Counter {
    registrar: Caller,
    capture: Caller,
}

impl Counter {
    async fn of(house: &House) -> Self {
        Self {
            registrar: house.officer("thu.dang", &[Role::Registrar], "o-1").await,
            capture: house.officer("hang.vu", &[Role::Capture], "o-1").await,
        }
    }

    /// A person, with a number; the application and the person's id.
    async fn opens(&self, name: &str, birth: &str, sex: &str, mother: &str) -> (String, String) {
        let place = json!({"province": "003", "detail": "Số 14, thôn Mẫu"});
        let declaration = json!({"full_name": name, "birth_date": birth, "sex": sex, "birth_registration": place,
            "place_of_origin": place, "ethnic_group": "01", "permanent_residence": place,
            "father": {"full_name": "Phạm Hữu Lộc"}, "mother": {"full_name": mother}});
        let key = hex(name);
        let declared = self.registrar.post("/api/v1/declarations", &key, declaration).await;
        let person = declared.body["person_id"].as_str().unwrap_or_else(|| panic!("{declared:?}")).to_owned();
        let known = json!({"acknowledged": true, "because": "papers compared"});
        let number = self.registrar.post(&format!("/api/v1/persons/{person}/number"), &format!("{key}-n"), known).await;
        assert_eq!(number.status, 200, "{number:?}");
        let body = json!({"person_id": person, "kind": "first", "office": "o-1"});
        let opened = self.capture.post("/api/v1/applications", &key, body).await;
        assert_eq!(opened.status, 201, "{opened:?}");
        (opened.body["id"].as_str().unwrap().to_owned(), person)
    }

    /// Portrait, features, and what the citizen said to the register.
    async fn captures(&self, id: &str, said: Value) {
        let photograph = include_bytes!("../../../tests/data/portrait/drawn.jpg");
        let key = format!("{id} {}", said.to_string().len());
        let body = json!({"portrait": STANDARD.encode(photograph), "features": FEATURES, "register_check": said});
        let captured = self.capture.post(&format!("/api/v1/applications/{id}/capture"), &key, body).await;
        assert_eq!(captured.status, 200, "{captured:?}");
    }

    /// An application that waits for its decision.
    async fn dossier(&self, name: &str, birth: &str, sex: &str, mother: &str) -> (String, String) {
        let (id, person) = self.opens(name, birth, sex, mother).await;
        self.captures(&id, json!({"agrees": true})).await;
        (id, person)
    }
}

const FEATURES: &str = "Sẹo chấm trên cung mày trái";

async fn stage(approver: &Caller, id: &str) -> String {
    approver.get(&format!("/api/v1/applications/{id}")).await.body["stage"].as_str().unwrap_or_default().to_owned()
}

/// The fields of a decision, as the page has them.
pub fn fields<'a>(sheet: &'a Sheet, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let hidden = ["token", "key"].map(|name| (name, sheet.field(name)));
    hidden.into_iter().chain(more.iter().copied()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_know_their_readers_by_a_cookie_and_the_api_by_a_token_and_neither_opens_the_other() {
    let house = Box::pin(House::open(None)).await;
    let approver = house.officer("khoi.do", &[Role::Approver], "o-1").await;
    let browser = Browser::of(&house, "khoi.do").await;
    assert_eq!(browser.reads("/pages/approvals").await.status, 200);
    let cookie = browser.session.clone().unwrap();
    // The secret of the cookie is no bearer token, and that of the API no cookie.
    let mut borrowed = house.anyone();
    borrowed.token = Some(cookie.clone());
    assert_eq!(borrowed.get("/api/v1/me").await.code(), "session-needed");
    let mut bare = Browser::new(&house);
    bare.session = approver.token.clone();
    let said = bare.reads("/pages/approvals").await;
    assert_eq!((said.status, said.leads_to()), (303, "/pages/sign-in?next=/pages/approvals"));
    // Each door refuses what belongs to the other, even beside what opens it.
    let bearer = format!("Bearer {}", approver.token.as_deref().unwrap());
    let both = [(AUTHORIZATION.as_str(), bearer.as_str())];
    let said = browser.asks(Method::GET, "/pages/approvals", &both, None).await;
    assert!(said.status == 400 && said.says("bearer-on-page"), "{}", said.text);
    let said = browser.asks(Method::GET, "/api/v1/me", &both, None).await;
    assert!(said.status == 400 && said.says("cookie-on-api"), "{}", said.text);
    let said = browser.reads("/api/crl").await;
    assert!(said.says("cookie-on-api"), "also at the old addresses");
    assert_eq!(browser.reads("/health").await.status, 200, "what is no API takes no offence");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cookie_of_a_session_is_bound_to_this_host_and_ends_with_the_session() {
    let house = Box::pin(House::open(None)).await;
    house.officer("khoi.do", &[Role::Approver], "o-1").await;
    let said = Browser::new(&house).sends("/pages/sign-in", &[("username", "Khoi.Do "), ("password", PASSWORD)]).await;
    let cookie = said.headers.get(SET_COOKIE).unwrap().to_str().unwrap().to_owned();
    assert!(cookie.starts_with("__Host-session=") && cookie.ends_with("; Path=/; Secure; HttpOnly; SameSite=Strict"));
    let browser = Browser::of(&house, "khoi.do").await;
    let home = browser.reads("/pages").await;
    let left = browser.sends("/pages/sign-out", &[("token", home.field("token"))]).await;
    assert_eq!((left.status, left.leads_to()), (303, "/pages/sign-in?left=yes"));
    assert!(left.headers.get(SET_COOKIE).unwrap().to_str().unwrap().contains("Max-Age=0"));
    assert_eq!(browser.reads("/pages").await.leads_to(), "/pages/sign-in", "the session ended with the cookie");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_told_on_the_page_and_locks_as_it_does_at_the_api() {
    let house = Box::pin(House::open(None)).await;
    house.officer("khoi.do", &[Role::Approver], "o-1").await;
    let browser = Browser::new(&house);
    let wrong = [("username", "khoi.do"), ("password", "wrong"), ("next", "/pages/approvals")];
    for _ in 0..5 {
        let said = browser.sends("/pages/sign-in", &wrong).await;
        assert!(
            said.status == 401 && said.says("credentials-wrong") && said.says("value=\"khoi.do\""),
            "{}",
            said.text
        );
        assert_eq!(said.field("next"), "/pages/approvals");
        assert!(!said.headers.contains_key(SET_COOKIE));
    }
    let said = browser.sends("/pages/sign-in", &[("username", "khoi.do"), ("password", PASSWORD)]).await;
    assert!(said.status == 429 && said.says("sign-in-locked") && said.headers.contains_key("retry-after"), "{said:?}");
    // A place elsewhere is no place to go on.
    let other = Browser::new(&house);
    house.officer("an.le", &[Role::Approver], "o-1").await;
    for next in ["https://elsewhere.invalid/", "//elsewhere.invalid", "/api/v1/me"] {
        let form = [("username", "an.le"), ("password", PASSWORD), ("next", next)];
        assert_eq!(other.sends("/pages/sign-in", &form).await.leads_to(), "/pages", "{next}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_act_comes_from_a_page_of_ours_that_is_open_in_this_session() {
    let house = Box::pin(House::open(None)).await;
    let approver = house.officer("khoi.do", &[Role::Approver], "o-1").await;
    let counter = Counter::of(&house).await;
    let (id, _) = counter.dossier("Tô Quốc Huấn", "03/02/1979", "Nam", "Mai Thị Xuyến").await;
    let browser = Browser::of(&house, "khoi.do").await;
    let path = format!("/pages/approvals/{id}/approval");
    let open = browser.reads(&format!("/pages/approvals/{id}")).await;
    assert_eq!(open.status, 200, "{}", open.text);
    let right = fields(&open, &[("dossier", open.field("dossier"))]);
    let refused = |said: &Sheet| (said.status, said.says("form-foreign")) == (403, true);
    for from in [
        &[("sec-fetch-site", "cross-site")][..],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
        &[("origin", "https://elsewhere.invalid")],
        &[("origin", "null")],
        &[],
    ] {
        let said = browser.asks(Method::POST, &path, from, Some(&right)).await;
        assert!(refused(&said), "{from:?}: {}", said.text);
    }
    let without: Vec<_> = right.iter().copied().filter(|(name, _)| *name != "token").collect();
    assert!(refused(&browser.sends(&path, &without).await), "without token");
    // The token of another session of the same officer.
    let other = Browser::of(&house, "khoi.do").await.reads("/pages").await;
    let mut foreign = without.clone();
    foreign.push(("token", other.field("token")));
    assert!(refused(&browser.sends(&path, &foreign).await), "the token of another session");
    let said = browser
        .asks(Method::POST, &path, &[("sec-fetch-site", "same-origin"), ("content-type", "application/json")], None)
        .await;
    assert!(said.status == 400 && said.says("body-malformed"), "{}", said.text);
    assert_eq!(stage(&approver, &id).await, "captured", "nothing was decided");
    // The refusals behind the gate are in the trail.
    let kept = sql!(
        "select count(*) as n from v_audit_entry where action = 'access-refused' and reason like '%form-foreign%'"
    );
    assert!(house.count(kept, args![]).await >= 2);
    assert_eq!(browser.sends(&path, &right).await.status, 303);
    assert_eq!(stage(&approver, &id).await, "approved");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_decides_what_the_api_decides_once_and_each_look_is_in_the_trail() {
    on_both(async |house| {
        let approver = house.officer("khoi.do", &[Role::Approver], "o-1").await;
        let counter = Counter::of(house).await;
        let (first, person) = counter.dossier("Phạm Hữu Tưởng", "02/11/1961", "Nam", "Đỗ Thị Sen").await;
        let (second, _) = counter.dossier("Đặng Thị Ngọc Ẩn", "14/07/1986", "Nữ", "Bùi Thị Sữu").await;
        let (third, _) = counter.dossier("Hoàng Đức Ước", "21/05/1992", "Nam", "Trịnh Thị Ẩm").await;
        let browser = Browser::of(house, "khoi.do").await;
        let list = browser.reads("/pages/approvals").await;
        for id in [&first, &second, &third] {
            assert!(list.says(&format!("/pages/approvals/{id}")), "{}", list.text);
        }
        assert!(!list.says("Phạm"), "the queue has no names");
        let looked = sql!(
            "select count(*) as n from v_audit_entry where action = $1 and person_id = $2 and purpose = 'decision'"
        );
        let person_id: issuance::ground::ids::PersonId = person.parse().unwrap();
        let looks = async |action: &str| house.count(looked, args![action, person_id]).await;
        assert_eq!(looks("application-read").await, 0);
        let open = browser.reads(&format!("/pages/approvals/{first}")).await;
        for words in
            ["PHẠM HỮU TƯỞNG", "Phạm Hữu Tưởng", FEATURES, "02/11/1961", "Khai lần đầu", "data:image/jpeg;base64,"]
        {
            let there = open.says(words) || open.text.to_uppercase().contains(&words.to_uppercase());
            assert!(there, "{words}: {}", open.text);
        }
        assert_eq!(looks("application-read").await, 1);
        assert!(looks("person-read").await >= 1);
        assert_eq!(looks("person-history-read").await, 1);
        // A double click is one decision.
        let right = fields(&open, &[("dossier", open.field("dossier"))]);
        let path = format!("/pages/approvals/{first}/approval");
        let (one, two) = tokio::join!(browser.sends(&path, &right), browser.sends(&path, &right));
        assert_eq!((one.status, two.status), (303, 303), "{} {}", one.text, two.text);
        assert!(one.leads_to().contains("?done=approved&was="), "{}", one.leads_to());
        let approved = sql!("select count(*) as n from v_audit_entry where action = 'application-approved'");
        assert_eq!(house.count(approved, args![]).await, 1);
        assert_eq!(stage(&approver, &first).await, "approved");
        let told = browser.reads(one.leads_to()).await;
        assert!(told.says("Đã duyệt hồ sơ"), "{}", told.text);

        // Returned: what is missing is told beside what was typed.
        let open = browser.reads(&format!("/pages/approvals/{second}")).await;
        let path = format!("/pages/approvals/{second}/return");
        let says = ("says", "Mang theo giấy khai sinh.");
        let said = browser
            .sends(&path, &fields(&open, &[says, ("until", "2020-01-01"), ("reasons", "evidence-missing")]))
            .await;
        assert!(
            said.status == 422 && said.says("period-unfit") && said.says("Mang theo giấy khai sinh."),
            "{}",
            said.text
        );
        let said = browser.sends(&path, &fields(&open, &[says, ("until", "2020-01-01")])).await;
        assert!(said.says("reason-missing"), "{}", said.text);
        let until = (house.clock.today() + Duration::days(20)).to_string();
        let form = [says, ("until", until.as_str()), ("reasons", "evidence-missing"), ("reasons", "portrait-unfit")];
        assert_eq!(browser.sends(&path, &fields(&open, &form)).await.status, 303);
        let read = approver.get(&format!("/api/v1/applications/{second}")).await;
        assert_eq!(read.body["stage"], "returned");
        assert_eq!(read.body["return_reasons"], json!(["evidence-missing", "portrait-unfit"]));

        // Refused.
        let open = browser.reads(&format!("/pages/approvals/{third}")).await;
        let path = format!("/pages/approvals/{third}/refusal");
        let said = browser.sends(&path, &fields(&open, &[("reason", "  ")])).await;
        assert!(said.says("reason-missing"), "{}", said.text);
        let form = fields(&open, &[("reason", "Ảnh không phải của người nộp.")]);
        assert_eq!(
            browser.sends(&path, &form).await.leads_to().split("&was").next(),
            Some("/pages/approvals?done=refused")
        );
        assert_eq!(stage(&approver, &third).await, "refused");
        let empty = browser.reads("/pages/approvals").await;
        assert!(empty.says("Không còn hồ sơ nào chờ"), "{}", empty.text);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_bars_an_approval_is_what_the_verb_says_and_leaves_nothing_behind() {
    let house = Box::pin(House::open(None)).await;
    let approver = house.officer("khoi.do", &[Role::Approver], "o-1").await;
    house.officer("an.le", &[Role::Approver], "o-1").await;
    let counter = Counter::of(&house).await;
    let (id, _) = counter.opens("Tô Quốc Huấn", "03/02/1979", "Nam", "Mai Thị Xuyến").await;
    counter.captures(&id, json!({"disagrees": ["religion"]})).await;
    let (browser, other) = (Browser::of(&house, "khoi.do").await, Browser::of(&house, "an.le").await);
    let path = format!("/pages/approvals/{id}");
    let open = browser.reads(&path).await;
    assert!(open.says("id=\"why\"") && open.says("register-change-open"), "{}", open.text);
    assert!(open.says("không đúng, sổ chưa sửa"), "the field of which the citizen spoke");
    let moved = sql!("select count(*) as n from v_audit_entry where action = 'application-approved'");
    assert_eq!(house.count(moved, args![]).await, 0, "the trial is not kept");
    // Sent all the same, it is refused by the same rule, and told on the page.
    let form = fields(&open, &[("dossier", open.field("dossier"))]);
    let said = browser.sends(&format!("{path}/approval"), &form).await;
    assert!(said.status == 409 && said.says("role=\"alert\""), "{} {}", said.status, said.text);
    counter.captures(&id, json!({"agrees": true})).await;
    let stale = browser.sends(&format!("{path}/approval"), &form).await;
    assert!(stale.says("portrait-changed"), "what stands there now was not seen: {}", stale.text);
    let open = browser.reads(&path).await;
    assert!(!open.says("id=\"why\""), "{}", open.text);
    // One officer takes it: the other reads who has it, and decides nothing.
    let taken = browser.sends(&format!("{path}/claim"), &[("token", open.field("token"))]).await;
    assert_eq!((taken.status, taken.leads_to()), (303, path.as_str()));
    let there = other.reads(&path).await;
    assert!(
        there.says("application-claimed") && there.says("khoi.do đang giữ") && !there.says("data-opens"),
        "{}",
        there.text
    );
    let mine = browser.reads(&path).await;
    assert!(mine.says("Bạn đang giữ") && !mine.says("id=\"why\""), "{}", mine.text);
    let given = browser.sends(&format!("{path}/claim/release"), &[("token", mine.field("token"))]).await;
    assert_eq!(given.status, 303);
    assert!(!other.reads(&path).await.says("id=\"why\""));
    assert_eq!(stage(&approver, &id).await, "captured");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approver_sees_who_is_probably_the_same_person_and_why() {
    let house = Box::pin(House::open(None)).await;
    house.officer("khoi.do", &[Role::Approver], "o-1").await;
    let counter = Counter::of(&house).await;
    let (id, _) = counter.dossier("Phạm Hữu Tưởng", "02/11/1961", "Nam", "Đỗ Thị Sen").await;
    counter.opens("Phạm Hữu Tường", "02/11/1961", "Nam", "Đỗ Thị Sen").await;
    let browser = Browser::of(&house, "khoi.do").await;
    assert!(browser.reads("/pages/approvals").await.says("có người nghi trùng"));
    let open = browser.reads(&format!("/pages/approvals/{id}")).await;
    for words in ["Nghi trùng với 1 người", "Tường", "cùng ngày sinh", "cùng cha mẹ", "có lẽ là một người"]
    {
        let there = open.text.to_lowercase().contains(&words.to_lowercase());
        assert!(there, "{words}: {}", open.text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_officer_who_decides_anew_reads_complaint_and_refusal() {
    let house = Box::pin(House::open(None)).await;
    let refuser = house.officer("khoi.do", &[Role::Approver], "o-1").await;
    let chief = house.officer("chief", &[Role::Approver], "national").await;
    let counter = Counter::of(&house).await;
    let (id, _) = counter.dossier("Phạm Hữu Tưởng", "02/11/1961", "Nam", "Đỗ Thị Sen").await;
    let path = format!("/api/v1/applications/{id}");
    let told = [
        refuser.post(&format!("{path}/refusal"), "k-1", json!({"reason": "ảnh không phải công dân"})).await,
        counter
            .capture
            .post(
                &format!("{path}/appeal"),
                "k-2",
                json!({"words": "chụp sau khi ốm <b>", "on": house.clock.today().to_string()}),
            )
            .await,
        chief
            .post(
                &format!("{path}/appeal/decision"),
                "k-3",
                json!({"outcome": "allowed", "reason": "hai ảnh cũ là một người"}),
            )
            .await,
    ];
    assert!(told.iter().all(|said| said.status == 200), "{told:?}");
    // In a small house none of the officers is left: the page says so, and what helps.
    let (alone, page) = (Browser::of(&house, "khoi.do").await, format!("/pages/approvals/{id}"));
    let none_left = "Không còn cán bộ nào có thể quyết định hồ sơ này";
    let stuck = alone.reads(&page).await;
    assert!(stuck.says(none_left) && stuck.says("bổ nhiệm thêm người duyệt"), "{}", stuck.text);
    assert_eq!(refuser.get(&path).await.body["lacks_decider"], true);
    house.officer("an.le", &[Role::Approver], "o-1").await;
    assert!(!alone.reads(&page).await.says(none_left));
    assert_eq!(refuser.get(&path).await.body["lacks_decider"], false);
    let open = Browser::of(&house, "an.le").await.reads(&format!("/pages/approvals/{id}")).await;
    for words in
        ["Khiếu nại của công dân", "ảnh không phải công dân", "chụp sau khi ốm &#60;b&#62;", "hai ảnh cũ là một người"]
    {
        assert!(open.says(words), "{words}: {}", open.text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_another_office_is_closed_and_a_problem_is_a_page() {
    let house = Box::pin(House::open(None)).await;
    house.officer("khoi.do", &[Role::Approver], "o-2").await;
    let counter = Counter::of(&house).await;
    let (id, _) = counter.dossier("Tô Quốc Huấn", "03/02/1979", "Nam", "Mai Thị Xuyến").await;
    let browser = Browser::of(&house, "khoi.do").await;
    let said = browser.reads(&format!("/pages/approvals/{id}")).await;
    assert!(
        said.status == 403 && said.says("Việc này thuộc đơn vị khác") && said.says("other-office"),
        "{}",
        said.text
    );
    assert!(!said.says("Huấn"));
    for (path, status, code) in [
        (format!("/pages/approvals/{NIL}"), 404, "application-unknown"),
        ("/pages/approvals/x".to_owned(), 422, "identifier-malformed"),
        ("/pages/nowhere".to_owned(), 404, "no-such-path"),
        ("/pages/assets/app.css".to_owned(), 404, "no-such-path"),
        ("/pages/sign-out".to_owned(), 405, "method-not-allowed"),
    ] {
        let said = browser.reads(&path).await;
        assert!(said.status == status && said.says(code), "{path}: {} {}", said.status, said.text);
        let kind = said.headers["content-type"].to_str().unwrap();
        let policy = said.headers["content-security-policy"].to_str().unwrap();
        assert!(kind.starts_with("text/html") && policy.contains("default-src 'none'"), "{path}: {kind} {policy}");
        let nonce = policy.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next()).unwrap();
        assert!(said.says(&format!("nonce=\"{nonce}\"")) && nonce.len() == 32, "{path}");
        assert_eq!(said.headers["cache-control"], "no-store");
    }
    let one = browser.reads("/pages").await.headers["content-security-policy"].clone();
    assert_ne!(one, browser.reads("/pages").await.headers["content-security-policy"], "a nonce is used once");
    let sheet = browser.reads("/pages").await;
    let css = sheet.text.split("/pages/assets/").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let said = browser.reads(&format!("/pages/assets/{css}")).await;
    assert!(said.status == 200 && said.headers["cache-control"].to_str().unwrap().contains("immutable"));
    assert_eq!(said.headers["content-type"], "text/css; charset=utf-8");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_asks_by_itself_keeps_no_session_awake() {
    let house = Box::pin(House::open(None)).await;
    house.officer("khoi.do", &[Role::Approver], "o-1").await;
    let browser = Browser::of(&house, "khoi.do").await;
    let part = [("hx-request", "true")];
    for _ in 0..2 {
        house.clock.advance(Duration::minutes(14));
        let said = browser.asks(Method::GET, "/pages/approvals/queue?current=", &part, None).await;
        assert_eq!(said.status, 200, "{}", said.text);
    }
    house.clock.advance(Duration::minutes(4));
    let said = browser.asks(Method::GET, "/pages/approvals/queue?current=", &part, None).await;
    assert_eq!((said.status, said.text.as_str()), (204, ""), "nobody pressed anything for half an hour");
    assert_eq!(browser.reads("/pages").await.leads_to(), "/pages/sign-in");
    let said = browser.sends(&format!("/pages/approvals/{NIL}/refusal"), &[("reason", "x")]).await;
    assert!(said.status == 401 && said.says("Việc vừa rồi chưa được ghi"), "{}", said.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_that_another_hand_chose_is_changed_first_on_a_page_too() {
    let house = Box::pin(House::open(None)).await;
    let approver = house.officer("khoi.do", &[Role::Approver], "o-1").await;
    let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
    let id: issuance::ground::ids::OfficerId =
        approver.get("/api/v1/me").await.body["id"].as_str().unwrap().parse().unwrap();
    let due = sql!("update officer set password_due = $1 where id = $2");
    tx.change(&issuance::access::OFFICER, id, due, args![true, id]).await.unwrap();
    tx.commit().await.unwrap();
    let browser = Browser::of(&house, "khoi.do").await;
    assert_eq!(browser.reads("/pages/approvals").await.leads_to(), "/pages/password");
    let sheet = browser.reads("/pages/password").await;
    let form = |old, new| [("token", sheet.field("token")), ("old", old), ("new", new)];
    let said = browser.sends("/pages/password", &form(PASSWORD, "short")).await;
    assert!(said.status == 422 && said.says("password-unfit"), "{}", said.text);
    let said = browser.sends("/pages/password", &form(PASSWORD, "another horse battery")).await;
    assert_eq!((said.status, said.leads_to()), (303, "/pages?changed=yes"), "{}", said.text);
    assert_eq!(browser.reads("/pages/approvals").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_house_may_do_without_pages() {
    let house = Box::pin(House::open_with(|settings| settings.pages.enabled = false)).await;
    for path in ["/pages", "/pages/sign-in", "/pages/design"] {
        let said = Browser::new(&house).reads(path).await;
        assert_eq!((said.status, said.headers["content-type"].to_str().unwrap()), (404, "application/problem+json"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_chooses_language_and_colours_and_comes_back_to_the_page() {
    let house = Box::pin(House::open(None)).await;
    let browser = Browser::new(&house);
    let english = browser.asks(Method::GET, "/pages/design", &[("accept-language", "en-GB")], None).await;
    assert!(english.says("<html lang=\"en\">") && english.says("Every component"), "{}", english.text);
    let chosen =
        browser.sends("/pages/look", &[("language", "en"), ("theme", "dark"), ("back", "/pages/design")]).await;
    assert_eq!((chosen.status, chosen.leads_to()), (303, "/pages/design"));
    let cookie = chosen.headers.get(SET_COOKIE).unwrap().to_str().unwrap().split(';').next().unwrap().to_owned();
    let said = browser.asks(Method::GET, "/pages/design", &[("cookie", &cookie)], None).await;
    assert!(said.says("<html lang=\"en\" data-theme=\"dark\">"), "{}", said.text);
    let away = browser.sends("/pages/look", &[("back", "https://elsewhere.invalid/pages")]).await;
    assert_eq!(away.leads_to(), "/pages");
}

/// Where `tests/setup.sh test` puts what the browser test needs.
pub fn modules() -> PathBuf {
    let cache = std::env::var_os("HOME").map_or_else(|| "/root".into(), PathBuf::from);
    cache.join(".cache/citizen-card/pages")
}

/// Why the pages cannot be opened here.
pub fn missing() -> Option<&'static str> {
    let node = Command::new("node").arg("--version").output().ok();
    let version = node.and_then(|said| String::from_utf8(said.stdout).ok()).unwrap_or_default();
    let major: u32 = version.trim_start_matches('v').split('.').next().and_then(|text| text.parse().ok()).unwrap_or(0);
    if major < 20 {
        return Some("no node of version 20 or newer");
    }
    if !Path::new(CHROMIUM).exists() {
        return Some("no chromium");
    }
    if !modules().join("node_modules/playwright-core").exists() {
        return Some("no playwright-core; tests/setup.sh test installs it");
    }
    None
}

pub const CHROMIUM: &str = "/usr/bin/chromium";

/// Walks pages in a browser, as the script of this name has it. Returns what it tells; nothing
/// where there is no browser.
pub async fn walked(given: &Value) -> Option<String> {
    if let Some(why) = missing() {
        println!("SKIPPED: the pages are not opened in a browser: {why}");
        return None;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/pages/run.mjs");
    let out = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/pages");
    let mut browser = Command::new("node");
    browser.arg(script).env("PAGES", given.to_string()).env("MODULES", modules()).env("OUT", &out);
    let said = tokio::task::spawn_blocking(move || browser.output()).await.unwrap().unwrap();
    let told = [&said.stdout, &said.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert!(said.status.success(), "{}", told.concat());
    Some(told.concat())
}

/// One run: each page at three widths, in both languages, light, dark and with contrast, looked at by axe-core; and an
/// officer who decides by single keys.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_officer_decides_in_a_real_browser_and_nothing_is_in_the_way() {
    if let Some(why) = missing() {
        println!("SKIPPED: the pages are not opened in a browser: {why}");
        return;
    }
    let house = Box::pin(House::open(None)).await;
    let approver = house.officer("khoi.do", &[Role::Approver], "o-1").await;
    let counter = Counter::of(&house).await;
    let (first, _) = counter.dossier("Phạm Hữu Tưởng", "02/11/1961", "Nam", "Đỗ Thị Sen").await;
    counter.opens("Phạm Hữu Tường", "02/11/1961", "Nam", "Đỗ Thị Sen").await;
    let (second, _) = counter.dossier("Đặng Thị Ngọc Ẩn", "14/07/1986", "Nữ", "Bùi Thị Sữu").await;
    let (third, _) = counter.dossier("Hoàng Đức Ước", "21/05/1992", "Nam", "Trịnh Thị Ẩm").await;
    let (blocked, _) =
        counter.opens("Tôn Nữ Hoàng Phượng Khuê Ngọc Ẩn Thị Thương", "03/02/1979", "Nữ", "Mai Thị Xuyến").await;
    counter.captures(&blocked, json!({"disagrees": ["religion", "permanent_residence"]})).await;
    let people = Box::pin(crate::people_pages::for_browser(&house)).await;
    // Who comes to the counter next: a person with a number, and no application.
    let name = "Trần Thị Hoài An";
    let (open, person) = counter.opens(name, "17/09/1995", "Nữ", "Lý Thị Ngà").await;
    let gone = json!({"reason": "mở nhầm"});
    assert_eq!(counter.capture.post(&format!("/api/v1/applications/{open}/withdrawal"), "k-w", gone).await.status, 200);
    let read = counter.capture.get(&format!("/api/v1/persons/{person}")).await;
    let number = read.body["personal_number"].as_str().unwrap_or_else(|| panic!("{read:?}")).to_owned();
    let large = house.folder.path().join("large.jpg");
    std::fs::File::create(&large).unwrap().set_len(50 << 20).unwrap();
    let photograph = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/portrait/photograph.jpg");
    let administration = Box::pin(crate::administration_pages::for_browser(&house)).await;
    let today = house.clock.today();
    let factory = Box::pin(crate::factory_pages::for_browser(&house)).await;
    let given = json!({
        "people": people, "factory": factory, "administration": administration,
        "counter": {"username": "hang.vu", "number": number, "person": person, "name": name, "large": large,
            "photograph": photograph},
        "address": format!("https://{}", house.service.address()), "chromium": CHROMIUM,
        "username": "khoi.do", "password": PASSWORD, "name": "Phạm Hữu Tưởng", "features": FEATURES,
        "first": first, "second": second, "third": third, "blocked": blocked,
        "past": (today - Duration::days(3)).to_string(), "until": (today + Duration::days(20)).to_string(),
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/pages/run.mjs");
    let out = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/pages");
    let mut browser = Command::new("node");
    browser.arg(script).env("PAGES", given.to_string()).env("MODULES", modules()).env("OUT", &out);
    let said = tokio::task::spawn_blocking(move || browser.output()).await.unwrap().unwrap();
    let told = [&said.stdout, &said.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    println!("{}", told[0]);
    assert!(said.status.success(), "{}", told.concat());
    for (id, expected) in [(&first, "approved"), (&second, "returned"), (&third, "refused"), (&blocked, "captured")] {
        assert_eq!(stage(&approver, id).await, expected);
    }
}
