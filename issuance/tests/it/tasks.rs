//! The ten commonest tasks, done in a real browser and counted: `docs/tasks.md` says how many clicks, fields and keys
//! each takes, and none may take more.

use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use issuance::ground::Role;
use serde_json::{Value, json};
use time::Duration;

use crate::house::{Caller, House, PASSWORD};
use crate::pages::{CHROMIUM, missing, modules};

/// The officers who make dossiers ready for the tasks.
struct Ready<'a> {
    house: &'a House,
    registrar: Caller,
    capture: Caller,
}

impl Ready<'_> {
    /// A person with a number.
    async fn person(&self, name: &str, birth: &str, mother: &str) -> (String, String) {
        let (key, place) = (hex::encode(birth), json!({"province": "003", "detail": "Số 9, thôn Mẫu"}));
        let declaration = json!({"full_name": name, "birth_date": birth, "sex": "Nam", "birth_registration": place,
            "place_of_origin": place, "ethnic_group": "01", "permanent_residence": place, "mother": {"full_name": mother}});
        let said = self.registrar.post("/api/v1/declarations", &key, declaration).await;
        let person = said.body["person_id"].as_str().unwrap_or_else(|| panic!("{said:?}")).to_owned();
        let known = json!({"acknowledged": true, "because": "papers compared"});
        let number = self.registrar.post(&format!("/api/v1/persons/{person}/number"), &format!("{key}-n"), known).await;
        (person, number.body["personal_number"].as_str().unwrap_or_else(|| panic!("{number:?}")).to_owned())
    }

    /// An application that waits for its decision.
    async fn dossier(&self, name: &str, birth: &str, mother: &str) -> String {
        let (person, number) = self.person(name, birth, mother).await;
        let body = json!({"person_id": person, "kind": "first", "office": "o-1"});
        let opened = self.capture.post("/api/v1/applications", &number, body).await;
        let id = opened.body["id"].as_str().unwrap_or_else(|| panic!("{opened:?}")).to_owned();
        let photograph = include_bytes!("../../../tests/data/portrait/drawn.jpg");
        let body = json!({"portrait": STANDARD.encode(photograph), "features": "Nốt ruồi dưới mép phải",
            "register_check": {"agrees": true}});
        let captured =
            self.capture.post(&format!("/api/v1/applications/{id}/capture"), &format!("{number}-c"), body).await;
        assert_eq!(captured.status, 200, "{captured:?}");
        id
    }

    /// An application that was refused, and about which the citizen complains.
    async fn complaint(&self, refuser: &Caller) -> String {
        let id = self.dossier("Khổng Văn Lợi", "05/05/1984", "Nhữ Thị Sim").await;
        let path = format!("/api/v1/applications/{id}");
        let reason = json!({"reason": "ảnh không phải công dân"});
        assert_eq!(refuser.post(&format!("{path}/refusal"), "k-1", reason).await.status, 200);
        let words = json!({"words": "chụp sau khi ốm", "on": self.house.clock.today().to_string()});
        assert_eq!(self.capture.post(&format!("{path}/appeal"), "k-2", words).await.status, 200);
        id
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ten_commonest_tasks_take_no_more_than_the_table_says() {
    if let Some(why) = missing() {
        println!("SKIPPED: the tasks are not counted in a browser: {why}");
        return;
    }
    let house = Box::pin(House::open(None)).await;
    let people = Box::pin(crate::people_pages::for_browser(&house)).await;
    let ready = Ready {
        house: &house,
        registrar: house.officer("thu.dang", &[Role::Registrar], "o-1").await,
        capture: house.officer("hang.vu", &[Role::Capture], "o-1").await,
    };
    let refuser = house.officer("khoi.do", &[Role::Approver], "o-1").await;
    for (name, office) in [("lien.ho", "o-1"), ("chief", "national")] {
        house.officer(name, &[Role::Approver], office).await;
    }
    let complaint = Box::pin(ready.complaint(&refuser)).await;
    let (_, comes) = ready.person("Trần Hoài Ân", "17/09/1995", "Lý Thị Ngà").await;
    let photograph = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/portrait/photograph.jpg");
    let given: Value = json!({
        "address": format!("https://{}", house.service.address()), "chromium": CHROMIUM, "password": PASSWORD,
        "hand": people["username"], "number": people["number"], "person": people["person"], "slip": people["slip"],
        "holder": "Lâm Quang Thế Hiển", "serial": "00010203040506070801",
        "counter": "hang.vu", "comes": comes, "photograph": photograph, "approver": "lien.ho",
        "approved": ready.dossier("Phạm Hữu Tưởng", "02/11/1961", "Đỗ Thị Sen").await,
        "returned": ready.dossier("Đặng Ngọc Ẩn", "14/07/1986", "Bùi Thị Sữu").await,
        "refused": ready.dossier("Hoàng Đức Ước", "21/05/1992", "Trịnh Thị Mơ").await,
        "until": (house.clock.today() + Duration::days(20)).to_string(),
        "chief": "chief", "complaint": complaint,
    });
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut browser = Command::new("node");
    browser.arg(root.join("tests/pages/tasks.mjs")).env("TASKS", given.to_string()).env("MODULES", modules());
    browser.env("TABLE", root.join("docs/tasks.md"));
    let said = tokio::task::spawn_blocking(move || browser.output()).await.unwrap().unwrap();
    let told = [&said.stdout, &said.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    println!("{}", told[0]);
    assert!(said.status.success(), "{}", told.concat());
}
