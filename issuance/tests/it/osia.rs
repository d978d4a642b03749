//! OSIA 7.1: the interfaces `dataaccess` and `uin` as our own contract has them, judged over TLS with tokens.

use issuance::{args, server, sql};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use time::Duration;

use crate::exchange::{Joined, agreed, grant, joined, partner, person, system_of, verifies};
use crate::house::{Caller, House, PASSWORD, on_both};
use crate::oauth::{Heard, heard, token};

const MAU: (&str, &str) = ("Nguyễn Thị Mẫu", "17/05/1990");
const PERSONS: &str = "/osia/dataaccess/v1/persons";
/// What OSIA does not carry.
const HEADERS: [(&str, &str); 3] = [
    ("x-exchange-officer", "nguyen.van.thu"),
    ("x-exchange-unit", "Chi%20c%E1%BB%A5c%20Th%E1%BB%AD"),
    ("x-exchange-case", "HS-1"),
];

/// A system of a partner with a token.
pub struct Client<'a> {
    pub system: &'a Caller,
    pub token: String,
}

impl<'a> Client<'a> {
    pub async fn of(joined: &'a Joined, scope: &str) -> Self {
        Self { system: &joined.system, token: token(&joined.system, &joined.system_id, scope).await }
    }

    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let address = format!("{}{path}", self.system.address);
        let request = self.system.client.request(method.parse().unwrap(), address).bearer_auth(&self.token);
        HEADERS.iter().fold(request, |request, (name, value)| request.header(*name, *value))
    }

    pub async fn asks(&self, method: &str, path: &str) -> Heard {
        answered(method, path, heard(self.request(method, path)).await)
    }

    pub async fn gets(&self, path: &str) -> Heard {
        answered("GET", path, heard(self.request("GET", path)).await)
    }

    pub async fn posts(&self, path: &str, body: Value) -> Heard {
        answered("POST", path, heard(self.request("POST", path).json(&body)).await)
    }

    pub async fn reads(&self, uin: &str, names: &[&str]) -> Heard {
        let names = names.iter().map(|name| format!("attributeNames={name}")).collect::<Vec<_>>().join("&");
        self.gets(&format!("{PERSONS}/{uin}?{names}")).await
    }

    async fn matches(&self, uin: &str, body: Value) -> Heard {
        self.posts(&format!("{PERSONS}/{uin}/match"), body).await
    }

    async fn verifies(&self, uin: &str, expressions: &[(&str, &str, &str)]) -> Heard {
        let expression = |(name, operator, value): &(&str, &str, &str)| json!({"attributeName": name, "operator": operator, "value": value});
        let body = expressions.iter().map(expression).collect();
        self.posts(&format!("{PERSONS}/{uin}/verify"), Value::Array(body)).await
    }
}

/// The contract: what this service says of the interfaces.
fn contract() -> Value {
    serde_json::from_str(include_str!("../../src/exchange/adapters/osia/openapi.json")).unwrap()
}

/// Checks an answer against the contract: its status is one of the operation, and its body has the form of that status.
fn answered(method: &str, path: &str, heard: Heard) -> Heard {
    let contract = contract();
    let asked = path.split('?').next().unwrap().split('/').collect::<Vec<_>>();
    let fits = |pattern: &str| {
        let pattern = pattern.split('/').collect::<Vec<_>>();
        pattern.len() == asked.len() && pattern.iter().zip(&asked).all(|(p, a)| p.starts_with('{') || p == a)
    };
    let paths = contract["paths"].as_object().unwrap();
    let fitting = || paths.iter().filter(|(pattern, _)| fits(pattern));
    let exact = fitting().find(|(pattern, _)| !pattern.contains('{'));
    let (_, item) = exact.or_else(|| fitting().next()).unwrap_or_else(|| panic!("{path} is not there"));
    let response = &item[method.to_lowercase()]["responses"][heard.status.to_string()];
    assert!(response.is_object(), "{method} {path}: {heard:?}");
    if response["content"].is_null() {
        assert!(heard.bytes.is_empty(), "{method} {path}: {heard:?}");
        return heard;
    }
    let schema = &response["content"]["application/json"]["schema"];
    assert!(valid(&contract, schema, &heard.body), "{method} {path}: {heard:?}");
    heard
}

/// True if a value is of this schema: as much of JSON Schema as the contract uses.
fn valid(document: &Value, schema: &Value, value: &Value) -> bool {
    if let Some(target) = schema["$ref"].as_str() {
        return valid(document, document.pointer(&target[1..]).unwrap(), value);
    }
    if let Some(ways) = schema["oneOf"].as_array() {
        return ways.iter().any(|way| valid(document, way, value));
    }
    match schema["type"].as_str().unwrap() {
        "string" => value.is_string(),
        "integer" => value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.as_array().is_some_and(|items| {
            items.len() as u64 >= schema["minItems"].as_u64().unwrap_or(0)
                && items.iter().all(|item| valid(document, &schema["items"], item))
        }),
        "object" => value.as_object().is_some_and(|members| {
            let needed = schema["required"].as_array().into_iter().flatten();
            needed.into_iter().all(|name| members.contains_key(name.as_str().unwrap()))
                && members.iter().all(|(name, member)| match schema["properties"].get(name) {
                    Some(known) => valid(document, known, member),
                    None => {
                        schema["additionalProperties"].is_object()
                            && valid(document, &schema["additionalProperties"], member)
                    }
                })
        }),
        other => panic!("{other}"),
    }
}

/// A partner with a confirmation that says which, and a look-up by the number alone.
async fn agreeing(house: &House) -> (Joined, String) {
    let joined = joined(house).await;
    let mut confirm = grant("confirm", &["full_name", "birth_date", "sex"]);
    confirm["tells_which"] = json!(true);
    let fields = ["full_name", "birth_date", "sex", "personal_number", "permanent_residence", "religion", "life"];
    let mut look_up = grant("look-up", &fields);
    look_up["number_alone"] = json!(true);
    agreed(house, &joined, &joined.partner, "TT-1", json!([confirm, look_up])).await;
    let (_, number) = person(house, MAU.0, MAU.1, json!({})).await;
    (joined, number)
}

fn mau() -> Value {
    json!({"lastName": "Nguyễn", "firstName": "Thị Mẫu", "dateOfBirth": "1990-05-17"})
}

async fn looks(house: &House, action: &str) -> i64 {
    let sql = sql!("select count(*) as n from audit_entry where action = $1 and person_id is not null");
    house.count(sql, args![action]).await
}

#[tokio::test]
async fn attributes_are_read_under_their_names_in_osia_and_no_field_outside_the_agreement() {
    on_both(async |house| {
        let (joined, number) = agreeing(house).await;
        let client = Client::of(&joined, "pr.person.read").await;
        let names = ["firstName", "lastName", "dateOfBirth", "gender", "uin", "vitalStatus", "religion", "dob"];
        let said = client.reads(&number, &names).await;
        let expected = json!({"firstName": "Thị Mẫu", "lastName": "Nguyễn", "dateOfBirth": "1990-05-17", "gender": "F",
            "uin": number, "vitalStatus": "living",
            "religion": {"code": 1024, "message": "The register has no value"},
            "dob": {"code": 1023, "message": "Unknown attribute name"}});
        assert_eq!((said.status, &said.body), (200, &expected));
        assert_eq!(looks(house, "exchange-answered").await, 1);
        // The signature is over these bytes, and says which answer is kept and what the question was.
        let keys = house.anyone().get("/api/v1/exchange/keys").await.body;
        let signature = said.headers["x-jws-signature"].to_str().unwrap();
        assert!(verifies(&keys, signature, &said.bytes) && !verifies(&keys, signature, b"{}"));
        let header = crate::oauth::part(signature, 0);
        let query = names.map(|name| format!("attributeNames={name}")).join("&");
        let question = format!("GET {PERSONS}/{number}?{query}\ntax-number\nHS-1\nnguyen.van.thu\nChi cục Thử\n");
        assert_eq!(header["request_sha256"], json!(hex::encode(Sha256::digest(question))));
        let kept = sql!("select count(*) as n from exchange_request where id = $1 and answer is not null");
        let id: issuance::ground::ids::RequestId = header["answer"].as_str().unwrap().parse().unwrap();
        assert_eq!(house.count(kept, args![id]).await, 1);

        // Outside the agreement: refused with the reason, whole, and the person sees it.
        let said = client.reads(&number, &["firstName", "ethnicGroup"]).await;
        assert_eq!(said.status, 403);
        assert!(said.body["message"].as_str().unwrap().contains("ethnic_group"), "{said:?}");
        assert!(!said.body.to_string().contains("Mẫu"));
        assert_eq!(looks(house, "exchange-refused").await, 1);
        // Unknown, unreadable, and outside the reach: one and the same answer.
        let other = partner(house, &joined.bao, "p-khac").await;
        let (system, system_id) = system_of(house, &joined.bao, &other, "may-khac").await;
        let mut elsewhere = grant("look-up", &["full_name"]);
        elsewhere["number_alone"] = json!(true);
        elsewhere["provinces"] = json!(["004"]);
        agreed(house, &joined, &other, "TT-2", json!([elsewhere])).await;
        let far = Client { system: &system, token: token(&system, &system_id, "pr.person.read").await };
        let mut same = vec![far.reads(&number, &["firstName"]).await];
        for uin in
            ["003190999999", "x", "0", "%F0%9F%92%A5", "..%2F..%2Fetc", "%00x", &"9".repeat(400), &"a".repeat(32)]
        {
            let said = client.reads(uin, &["firstName"]).await;
            if uin == "%00x" {
                assert_eq!(said.status, 404, "{said:?}");
            } else {
                same.push(said);
            }
        }
        for said in &same {
            assert_eq!((said.status, &said.body), (404, &same[0].body), "{said:?}");
        }
        for bad in ["", "?attributeNames=", "?attributeNames=dob", "?attributeNames=firstName&names=uin"] {
            assert_eq!(client.gets(&format!("{PERSONS}/{number}{bad}")).await.status, 400, "{bad}");
        }
        let wide = (0..=100).map(|n| format!("a{n}")).collect::<Vec<_>>();
        assert_eq!(client.reads(&number, &wide.iter().map(String::as_str).collect::<Vec<_>>()).await.status, 400);
    })
    .await;
}

#[tokio::test]
async fn a_number_alone_is_answered_only_where_the_agreement_says_so() {
    on_both(async |house| {
        let joined = joined(house).await;
        agreed(house, &joined, &joined.partner, "TT-1", json!([grant("look-up", &["full_name"])])).await;
        let (_, number) = person(house, MAU.0, MAU.1, json!({})).await;
        let client = Client::of(&joined, "pr.person.read").await;
        let said = client.reads(&number, &["firstName"]).await;
        assert_eq!(said.status, 400, "{said:?}");
        assert!(said.body["message"].as_str().unwrap().contains("full_name and birth_date go with a number"));
        // With the particulars, the partner has a name of its own for the person; by that it reads.
        let path = format!(
            "{PERSONS}?uin={number}&fullName=Nguy%E1%BB%85n%20Th%E1%BB%8B%20M%E1%BA%ABu&dateOfBirth=1990-05-17"
        );
        let found = client.gets(&path).await;
        assert_eq!(found.status, 200, "{found:?}");
        let own = found.body[0].as_str().unwrap();
        assert!(own.len() == 32 && own != number, "{own}");
        let said = client.reads(own, &["firstName", "lastName"]).await;
        assert_eq!((said.status, &said.body), (200, &json!({"firstName": "Thị Mẫu", "lastName": "Nguyễn"})));
        // It is no name for another partner.
        let other = partner(house, &joined.bao, "p-khac").await;
        let (system, system_id) = system_of(house, &joined.bao, &other, "may-khac").await;
        agreed(house, &joined, &other, "TT-2", json!([grant("look-up", &["full_name"])])).await;
        let stranger = Client { system: &system, token: token(&system, &system_id, "pr.person.read").await };
        assert_eq!(stranger.reads(own, &["firstName"]).await.status, 404);
        // REST says the same.
        let body = json!({"request": "r-1", "purpose": "tax-number", "case": "HS-1", "officer": "nguyen.van.thu",
            "unit": "Chi cục", "subject": {"personal_number": number}});
        assert_eq!(crate::exchange::asks(&joined.system, "look-up", body).await.code(), "exchange-request-unfit");
    })
    .await;
}

#[tokio::test]
async fn persons_are_found_by_a_number_with_particulars_and_by_particulars_alone_never() {
    on_both(async |house| {
        let (joined, number) = agreeing(house).await;
        let client = Client::of(&joined, "pr.person.read").await;
        let query = async |query: String| client.gets(&format!("{PERSONS}?{query}")).await;
        let particulars = "lastName=Nguy%E1%BB%85n&firstName=Th%E1%BB%8B%20M%E1%BA%ABu&dateOfBirth=1990-05-17";
        let found = query(format!("uin={number}&{particulars}")).await;
        assert_eq!((found.status, &found.body), (200, &json!([number])));
        let found = query(format!("uin={number}&{particulars}&names=lastName&names=gender&offset=0&limit=5")).await;
        assert_eq!((found.status, &found.body), (200, &json!([{"lastName": "Nguyễn", "gender": "F"}])));
        let wrong = query(format!("uin={number}&lastName=Tr&firstName=X&dateOfBirth=1990-05-17")).await;
        let unknown = query(format!("uin=003190999999&{particulars}")).await;
        assert_eq!((wrong.status, &wrong.body), (404, &unknown.body));
        assert_eq!(query(format!("uin={number}&{particulars}&offset=1")).await.status, 404);
        let search = query(particulars.to_owned()).await;
        assert_eq!(search.status, 403);
        assert!(search.body["message"].as_str().unwrap().contains("particulars alone find none"), "{search:?}");
        for bad in [
            String::new(),
            "names=firstName".to_owned(),
            format!("uin={number}"),
            format!("uin={number}&{particulars}&limit=0"),
            format!("uin={number}&{particulars}&limit=-1"),
            format!("uin={number}&{particulars}&offset=x"),
            format!("uin={number}&{particulars}&limit=1&limit=2"),
            format!("uin={number}&uin={number}&{particulars}"),
            format!("uin={number}&oldIdNumber=012345678&{particulars}"),
            format!("uin={number}&{particulars}&shoeSize=43"),
            format!("uin={number}&{particulars}&gender="),
            format!("uin={number}&lastName=A&dateOfBirth=1990-05-17"),
            format!("uin={number}&{particulars}&gender=%ff"),
        ] {
            assert_eq!(query(bad.clone()).await.status, 400, "{bad}");
        }
        assert_eq!(query(format!("uin={number}&{particulars}&names=ethnicGroup")).await.status, 403);
        assert_eq!(query(format!("uin={number}&{particulars}&religion=x")).await.status, 403, "not put to the test");
    })
    .await;
}

#[tokio::test]
async fn a_match_says_what_differs_and_an_unknown_number_is_one_of_which_all_differs() {
    on_both(async |house| {
        let (joined, number) = agreeing(house).await;
        let client = Client::of(&joined, "pr.person.match pr.person.verify").await;
        let said = client.matches(&number, mau()).await;
        assert_eq!((said.status, &said.body), (200, &json!([])));
        let mut wrong = mau();
        wrong["firstName"] = json!("Thị Khác");
        wrong["gender"] = json!("M");
        wrong["shoeSize"] = json!(43);
        let differs = |name: &str, code: i32| json!({"attributeName": name, "errorCode": code});
        let said = client.matches(&number, wrong.clone()).await;
        let expected = [differs("shoeSize", 0), differs("lastName", 1), differs("firstName", 1), differs("gender", 1)];
        let sorted = |body: &Value| {
            let mut all: Vec<_> = body.as_array().unwrap().iter().map(Value::to_string).collect();
            all.sort();
            all
        };
        assert_eq!(sorted(&said.body), sorted(&json!(expected)));
        // No person has the number: as if each particular were another's.
        let mut every = mau();
        every["firstName"] = json!("Văn");
        every["dateOfBirth"] = json!("1980-01-01");
        let (of_other, of_none) = (client.matches(&number, every).await, client.matches("003190999999", mau()).await);
        assert_eq!((of_none.status, sorted(&of_none.body)), (of_other.status, sorted(&of_other.body)));
        assert_eq!(of_none.body.as_array().unwrap().len(), 3);
        for (body, status) in [
            (json!({}), 400),
            (json!({"lastName": "Nguyễn", "firstName": "Thị Mẫu"}), 400),
            (json!({"lastName": "Nguyễn", "dateOfBirth": "1990-05-17"}), 400),
            (json!({"gender": "", "fullName": MAU.0, "dateOfBirth": "1990-05-17"}), 400),
            (json!({"fullName": [MAU.0], "dateOfBirth": "1990-05-17"}), 400),
            (json!([1]), 400),
            (json!({"fullName": "x\u{0}", "dateOfBirth": "1990-05-17"}), 400),
            (json!({"fullName": MAU.0, "dateOfBirth": "1990-05-17", "ethnicGroup": "01"}), 403),
            (json!({"fullName": MAU.0, "dateOfBirth": "1990-05-17", "religion": "x"}), 403),
        ] {
            assert_eq!(client.matches(&number, body.clone()).await.status, status, "{body}");
        }
        let path = format!("{PERSONS}/{number}/match");
        let text = mau().to_string();
        for kind in ["text/plain", "application/xml", "application/x-www-form-urlencoded", ""] {
            let request = client.request("POST", &path).header("content-type", kind).body(text.clone());
            assert_eq!(answered("POST", &path, heard(request).await).status, 400, "{kind}");
        }
        let twice = format!("{{\"lastName\": \"X\", {}", &text[1..]);
        for body in
            [twice, "a".repeat(10_000_000), "[".repeat(100_000), format!("{text}{text}"), "\u{feff}{}".to_owned()]
        {
            let request = client.request("POST", &path).header("content-type", "application/json").body(body);
            assert_eq!(answered("POST", &path, heard(request).await).status, 400);
        }
    })
    .await;
}

#[tokio::test]
async fn expressions_are_true_together_or_false_and_an_order_alone_is_refused() {
    on_both(async |house| {
        let (joined, number) = agreeing(house).await;
        let client = Client::of(&joined, "pr.person.verify").await;
        let of_mau = [("fullName", "=", MAU.0), ("dateOfBirth", "=", "1990-05-17")];
        let with = |more: &[(&'static str, &'static str, &'static str)]| [&of_mau[..], more].concat();
        for (more, expected) in [
            (vec![], true),
            (vec![("gender", "=", "F")], true),
            (vec![("gender", "=", "M")], false),
            (vec![("dateOfBirth", "<", "2008-11-27")], true),
            (vec![("dateOfBirth", ">", "2008-11-27")], false),
            (vec![("dateOfBirth", ">=", "1990-05-17"), ("dateOfBirth", "<=", "1990-05-17")], true),
            (vec![("dateOfBirth", "<", "1990-05-17")], false),
            (vec![("dateOfBirth", "=", "1991-05-17")], false),
        ] {
            let said = client.verifies(&number, &with(&more)).await;
            assert_eq!((said.status, &said.body), (200, &json!(expected)), "{more:?}");
            let said = client.verifies("003190999999", &with(&more)).await;
            assert_eq!((said.status, &said.body), (200, &json!(false)), "unknown number");
        }
        let said = client.verifies(&number, &[("dateOfBirth", "<", "1990-05-18")]).await;
        assert_eq!(said.status, 403, "{said:?}");
        assert_eq!(client.verifies(&number, &with(&[("ethnicGroup", "=", "01")])).await.status, 403, "not agreed");
        for bad in [
            vec![],
            vec![("fullName", "=", MAU.0)],
            with(&[("gender", "<", "M")]),
            with(&[("gender", "!=", "M")]),
            with(&[("dateOfBirth", "<", "tomorrow")]),
            with(&[("dateOfBirth", "<", "1990")]),
            with(&[("shoeSize", "=", "43")]),
        ] {
            assert_eq!(client.verifies(&number, &bad).await.status, 400, "{bad:?}");
        }
        let path = format!("{PERSONS}/{number}/verify");
        let more = json!([{"attributeName": "gender", "operator": "=", "value": "F", "unless": 1}]);
        assert_eq!(client.posts(&path, more).await.status, 400, "a member that OSIA does not have");
    })
    .await;
}

#[tokio::test]
async fn without_token_scope_officer_unit_or_case_there_is_no_answer() {
    on_both(async |house| {
        let (joined, number) = agreeing(house).await;
        let reader = Client::of(&joined, "pr.person.read").await;
        // Each operation, with a token that has every other scope.
        for (path, item) in contract()["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let scope = operation["security"][0]["BearerAuth"][0].as_str().unwrap();
                let asked = path.replace("{uin}", &number).replace("{identifier}", &number);
                let all = ["id.read", "id.verify", "pr.person.match", "pr.person.read", "pr.person.verify"];
                let others = all.map(str::to_owned);
                let others = others.into_iter().filter(|other| other != scope).collect::<Vec<_>>().join(" ");
                let client = Client::of(&joined, &others).await;
                let said = heard(client.request(&method.to_uppercase(), &asked).body("x")).await;
                assert_eq!(answered(method, &asked, said).status, 403, "{method} {path}");
                let bare = heard(
                    client
                        .system
                        .client
                        .request(method.to_uppercase().parse().unwrap(), format!("{}{asked}", client.system.address)),
                )
                .await;
                assert!(bare.headers.contains_key("www-authenticate"), "{bare:?}");
                assert_eq!(answered(method, &asked, bare).status, 401, "{method} {path}");
                let stranger = house.anyone();
                let said = heard(
                    stranger
                        .client
                        .request(method.to_uppercase().parse().unwrap(), format!("{}{asked}", stranger.address))
                        .bearer_auth(&client.token),
                )
                .await;
                assert_eq!(answered(method, &asked, said).status, 401, "{method} {path} without a certificate");
            }
        }
        let path = format!("{PERSONS}/{number}?attributeNames=gender");
        let at = format!("{}{path}", reader.system.address);
        let with = async |headers: &[(&str, &str)]| {
            let request = reader.system.client.get(&at).bearer_auth(&reader.token);
            heard(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
        };
        assert_eq!(with(&HEADERS).await.status, 200);
        for left_out in 0..3 {
            let some: Vec<_> = (0..3).filter(|at| *at != left_out).map(|at| HEADERS[at]).collect();
            assert_eq!(with(&some).await.status, 400, "{left_out}");
        }
        let [officer, unit, case] = HEADERS;
        for (name, value) in [
            ("x-exchange-officer", "robot"),
            ("x-exchange-officer", "p-thue"),
            ("x-exchange-officer", "%20"),
            ("x-exchange-officer", "%ff"),
            ("x-exchange-unit", "%00"),
            ("x-exchange-case", "%F0%9F"),
        ] {
            let others = HEADERS.into_iter().filter(|(known, _)| *known != name);
            let headers: Vec<_> = others.chain([(name, value)]).collect();
            assert_eq!(with(&headers).await.status, 400, "{name}: {value}");
        }
        assert_eq!(with(&[officer, unit, case, case]).await.status, 400, "a header that stands there twice");
        let purpose = |code: &'static str| [officer, unit, case, ("x-exchange-purpose", code)];
        assert_eq!(with(&purpose("tax-number")).await.status, 200);
        assert_eq!(with(&purpose("never-agreed")).await.status, 403);
        // One identifier of a request: the same answer; another content: refused.
        let request = |id: &'static str, case: &'static str| {
            [officer, unit, ("x-exchange-case", case), ("x-exchange-request", id)]
        };
        let first = with(&request("r-1", "HS-1")).await;
        let again = with(&request("r-1", "HS-1")).await;
        assert_eq!((first.status, &first.body), (again.status, &again.body));
        let header =
            |said: &Heard| crate::oauth::part(said.headers["x-jws-signature"].to_str().unwrap(), 0)["answer"].clone();
        assert_eq!(header(&first), header(&again), "the answer that is kept");
        assert_eq!(with(&request("r-1", "HS-2")).await.status, 400);
        assert_eq!(looks(house, "answer-replayed").await, 1);
        // A token of another system, and one that is over.
        let (second, _) = system_of(house, &joined.bao, &joined.partner, "may-chu-2").await;
        let stolen = Client { system: &second, token: reader.token.clone() };
        assert_eq!(stolen.gets(&path).await.status, 401);
        house.clock.advance(Duration::seconds(600));
        assert_eq!(reader.gets(&path).await.status, 401);
        // No number of a person stands in the trail's texts.
        let told = sql!("select count(*) as n from audit_entry where object like $1 or reason like $1");
        assert_eq!(house.count(told, args![format!("%{number}%")]).await, 0);
    })
    .await;
}

#[tokio::test]
async fn an_agreement_that_ends_ends_its_answers_at_once_and_guesses_are_counted() {
    on_both(async |house| {
        let joined = joined(house).await;
        let id =
            agreed(house, &joined, &joined.partner, "TT-1", json!([grant("confirm", &["full_name", "birth_date"])]))
                .await;
        let (_, number) = person(house, MAU.0, MAU.1, json!({})).await;
        let client = Client::of(&joined, "pr.person.match").await;
        // It is not agreed that it is said which: all is wrong together.
        let mut wrong = mau();
        wrong["firstName"] = json!("Thị Khác");
        let said = client.matches(&number, wrong.clone()).await;
        assert_eq!(said.body.as_array().unwrap().len(), 3, "{said:?}");
        for _ in 0..9 {
            assert_eq!(client.matches(&number, wrong.clone()).await.status, 200);
        }
        let said = client.matches(&number, mau()).await;
        assert_eq!((said.status, said.headers["retry-after"].to_str().unwrap()), (429, "3600"), "{said:?}");
        house.clock.advance(Duration::seconds(3601));
        let client = Client::of(&joined, "pr.person.match").await;
        assert_eq!(client.matches(&number, mau()).await.body, json!([]));
        let mut bao = joined.bao.clone();
        bao.token = bao.signs_in("bao", PASSWORD).await.body["token"].as_str().map(str::to_owned);
        let end = format!("/api/v1/agreements/{id}/end");
        assert_eq!(bao.post(&end, "end", json!({"reason": "over"})).await.status, 200);
        let refused = looks(house, "exchange-refused").await;
        assert_eq!(client.matches(&number, mau()).await.status, 403);
        assert_eq!(looks(house, "exchange-refused").await, refused + 1, "the person sees it");
    })
    .await;
}

#[tokio::test]
async fn documents_are_none_and_no_scope_opens_them() {
    on_both(async |house| {
        let (joined, number) = agreeing(house).await;
        let form = format!("grant_type=client_credentials&client_id={}&scope=pr.document.read", joined.system_id);
        let request = joined.system.client.post(format!("{}/oauth2/token", joined.system.address));
        let said = heard(request.header("content-type", "application/x-www-form-urlencoded").body(form)).await;
        assert_eq!((said.status, &said.body["error"]), (400, &json!("invalid_scope")));
        let client = Client::of(&joined, "pr.person.read").await;
        let said = client.gets(&format!("{PERSONS}/{number}/document?doctype=marriage&format=pdf")).await;
        assert_eq!(said.status, 403);
    })
    .await;
}

#[tokio::test]
async fn a_civil_registry_reports_a_birth_and_has_the_number_once() {
    on_both(async |house| {
        let joined = joined(house).await;
        let grants = json!([grant("birth", &["personal_number"])]);
        agreed(house, &joined, &joined.partner, "TT-KS", grants).await;
        let client = Client::of(&joined, "uin.generate").await;
        let child = |name: &str| {
            json!({"lastName": "Nguyễn", "firstName": name, "dateOfBirth": "2026-11-20", "gender": "F",
                "birthProvince": "003", "originProvince": "003", "ethnicGroup": "01", "motherName": "Trần Thị Thử",
                "registration": format!("Số 1, {name}")})
        };
        let generate = async |transaction: &str, body: Value| {
            client.posts(&format!("/osia/uin/v1/uin?transactionId={transaction}"), body).await
        };
        let born = generate("t-1", child("Thị Mầm")).await;
        assert_eq!(born.status, 200, "{born:?}");
        let number = born.body.as_str().unwrap();
        assert!(number.starts_with("003326") && number.len() == 12, "{number}");
        let keys = house.anyone().get("/api/v1/exchange/keys").await.body;
        assert!(verifies(&keys, born.headers["x-jws-signature"].to_str().unwrap(), &born.bytes));
        let again = generate("t-1", child("Thị Mầm")).await;
        assert_eq!((again.status, &again.body), (200, &born.body), "the same transaction");
        assert_eq!(generate("t-1", child("Thị Mận")).await.status, 400, "with another content");
        let persons = sql!("select count(*) as n from person");
        assert_eq!(house.count(persons, args![]).await, 1);
        // The child is in the register already: an officer decides, and no number is given.
        let mut same = child("Thị Mầm");
        same["registration"] = json!("Số 2");
        let held = generate("t-2", same).await;
        assert_eq!((held.status, &held.body["code"]), (403, &json!(1025)), "{held:?}");
        assert!(!held.body.to_string().contains(number), "{held:?}");
        assert_eq!(house.count(persons, args![]).await, 1);
        for (transaction, change, status) in [
            ("t-3", json!({"shoeSize": "17"}), 400),
            ("t-4", json!({"registration": ""}), 400),
            ("t-5", json!({"dateOfBirth": "2026-02-30"}), 400),
            ("t-6", json!({"gender": "x"}), 400),
            ("", json!({}), 400),
        ] {
            let mut body = child("Thị Ba");
            for (name, value) in change.as_object().unwrap() {
                body[name] = value.clone();
            }
            let said = generate(transaction, body).await;
            assert_eq!(said.status, status, "{transaction}: {said:?}");
        }
        assert_eq!(client.posts("/osia/uin/v1/uin", child("Thị Ba")).await.status, 400, "no transaction");
        assert_eq!(house.count(persons, args![]).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_relying_party_verifies_and_reads_what_it_names() {
    on_both(async |house| {
        let (joined, number) = agreeing(house).await;
        let client = Client::of(&joined, "id.read id.verify").await;
        let verify = async |whom: &str, transaction: &str, body: Value| {
            client.posts(&format!("/osia/3rdparty/v1/verify/{whom}?transactionId={transaction}"), body).await
        };
        let yes = verify(&number, "t-1", json!({"biographicData": mau()})).await;
        assert_eq!((yes.status, &yes.body["verificationCode"]), (200, &json!(1)), "{yes:?}");
        let mut wrong = mau();
        wrong["gender"] = json!("M");
        let no = verify(&number, "t-2", json!({"biographicData": wrong})).await;
        let unknown = verify("003190999999", "t-3", json!({"biographicData": mau()})).await;
        assert_eq!(
            (no.status, &no.body),
            (200, &json!({"verificationCode": 0, "verificationMessage": "not verified"}))
        );
        assert_eq!((unknown.status, &unknown.body), (200, &no.body));
        let reused = verify(&number, "t-1", json!({"biographicData": wrong})).await;
        assert_eq!(reused.status, 400, "a transaction with another content");
        assert_eq!(verify(&number, "t-1", json!({"biographicData": mau()})).await.body, yes.body);
        for (body, status) in [
            (json!({}), 400),
            (json!({"biographicData": {}}), 400),
            (json!({"biographicData": {"shoeSize": 43}}), 400),
            (json!({"biographicData": mau(), "more": 1}), 400),
            (json!({"biographicData": mau(), "biometricData": []}), 403),
            (json!({"biographicData": mau(), "contactData": {"email": "a@example.invalid"}}), 403),
        ] {
            assert_eq!(verify(&number, "t-4", body.clone()).await.status, status, "{body}");
        }
        let reads = async |whom: &str, names: &[&str]| {
            let transaction = house.count(sql!("select count(*) as n from exchange_request"), args![]).await;
            let path = format!("/osia/3rdparty/v1/attributes/{whom}&transactionId=r-{transaction}");
            client.posts(&path, json!({"outputBiographicData": names})).await
        };
        let said = reads(&format!("{number}?identifierType=uin"), &["lastName", "gender", "religion"]).await;
        let expected = json!({"biographicData": {"lastName": "Nguyễn", "gender": "F"}});
        assert_eq!((said.status, &said.body), (200, &expected), "what has no value is left out");
        assert_eq!(reads(&format!("{number}?identifierType=token"), &["gender"]).await.status, 404);
        assert_eq!(reads(&format!("{number}?identifierType=credentialNumber"), &["gender"]).await.status, 400);
        assert_eq!(reads(&format!("{number}?identifierType=uin"), &["ethnicGroup"]).await.status, 403);
        assert_eq!(reads(&format!("{number}?identifierType=uin"), &["shoeSize"]).await.status, 400);
        assert_eq!(reads(&format!("{number}?identifierType=uin"), &[]).await.status, 400);
    })
    .await;
}

#[test]
fn the_contract_has_the_operations_that_are_served_and_no_others() {
    let mut told = std::collections::BTreeSet::new();
    for (path, item) in contract()["paths"].as_object().unwrap() {
        told.extend(item.as_object().unwrap().keys().map(|method| (method.to_uppercase(), path.clone())));
    }
    let served = server::adapter_rights().into_keys();
    let served: std::collections::BTreeSet<_> =
        served.filter(|(_, path)| path.starts_with("/osia/") && path != "/osia/openapi.json").collect();
    assert_eq!(told, served);
}

/// What an original says of an operation: scopes, statuses, parameters, and whether there is a body.
#[derive(Debug, Default, Eq, PartialEq)]
struct Shape {
    id: String,
    scopes: Vec<String>,
    statuses: Vec<String>,
    parameters: Vec<(String, String, bool)>,
}

/// Reads the operations of an OpenAPI document in YAML, as far as a shape goes: lines by their indentation.
fn shapes(yaml: &str) -> std::collections::BTreeMap<(String, String), Shape> {
    let mut all = std::collections::BTreeMap::new();
    let (mut path, mut key, mut open) = (String::new(), None, false);
    for line in yaml.lines() {
        let (indent, text) = (line.len() - line.trim_start().len(), line.trim());
        if text.is_empty() {
            continue;
        }
        if indent == 0 {
            open = text == "paths:";
            continue;
        }
        if !open {
            continue;
        }
        match (indent, text.strip_suffix(':')) {
            (2, Some(name)) if name.starts_with('/') => name.clone_into(&mut path),
            (4, Some(method)) if ["get", "post", "put", "patch", "delete"].contains(&method) => {
                let at = (method.to_owned(), path.clone());
                all.insert(at.clone(), Shape::default());
                key = Some(at);
            }
            _ => {}
        }
        let Some(shape) = key.as_ref().and_then(|key| all.get_mut(key)) else { continue };
        // What is deeper is said of a callback.
        if let Some(id) = text.strip_prefix("operationId: ").filter(|_| indent == 6) {
            id.clone_into(&mut shape.id);
        } else if let Some(scopes) = text.strip_prefix("- BearerAuth: [") {
            shape.scopes = scopes.trim_end_matches(']').split(',').map(|scope| scope.trim().to_owned()).collect();
        } else if indent == 8
            && text.len() == 4
            && text.ends_with(':')
            && text.starts_with(|c: char| c.is_ascii_digit())
        {
            shape.statuses.push(text.trim_end_matches(':').to_owned());
        } else if indent == 8 && text.starts_with("- name: ") {
            shape.parameters.push((text["- name: ".len()..].to_owned(), String::new(), false));
        } else if indent == 10 && text.starts_with("in: ") {
            if let Some(last) = shape.parameters.last_mut() {
                text["in: ".len()..].clone_into(&mut last.1);
            }
        } else if indent == 10
            && text == "required: true"
            && let Some(last) = shape.parameters.last_mut()
        {
            last.2 = true;
        }
    }
    all
}

#[test]
fn the_contract_says_what_the_originals_say_where_they_are_there() {
    let contract = contract();
    let workspace = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let promised = std::env::var_os("CITIZEN_CARD_SHARED").map(std::path::PathBuf::from);
    let beside = vec![workspace.join("../shared"), workspace.join("../../shared")];
    let folders = promised.clone().map_or(beside, |folder| vec![folder]);
    let whole = &["429", "503"][..];
    for (interface, operations, served, more_statuses) in [
        ("3rdparty", 5, 2, whole),
        ("dataaccess", 5, 5, whole),
        // Here the standard has no word for a caller without a right.
        ("notification", 8, 8, &["401", "403", "429", "503"]),
        ("uin", 1, 1, whole),
    ] {
        let name = format!("vectors/osia/{interface}.yaml");
        let Some(original) = folders.iter().find_map(|folder| std::fs::read_to_string(folder.join(&name)).ok()) else {
            assert!(promised.is_none(), "CITIZEN_CARD_SHARED is set, and {name} is not in it");
            println!("SKIPPED: the contract was not compared with the original: {name} is not there");
            continue;
        };
        let shapes = shapes(&original);
        assert_eq!(shapes.len(), operations, "{shapes:?}");
        let mut met = 0;
        for ((method, path), shape) in shapes {
            let ours = &contract["paths"][format!("/osia/{interface}{path}")][&method];
            if ours.is_null() {
                continue;
            }
            met += 1;
            assert_eq!(ours["operationId"], json!(shape.id), "{method} {path}");
            let scope = ours["security"][0]["BearerAuth"][0].as_str().unwrap();
            assert!(shape.scopes.iter().any(|one| one == scope), "{method} {path}: {scope}");
            let statuses: Vec<_> = ours["responses"].as_object().unwrap().keys().cloned().collect();
            for status in &shape.statuses {
                assert!(statuses.contains(status), "{method} {path}: {status}");
            }
            // More: too much was asked, and a service that cannot answer now.
            let more: Vec<_> = statuses.iter().filter(|status| !shape.statuses.contains(status)).collect();
            // Of lists and of topics the standard says nothing of a request that does not fit.
            let more: Vec<_> =
                more.into_iter().filter(|status| interface != "notification" || *status != "400").collect();
            assert_eq!(more, more_statuses, "{method} {path}");
            let of = |parameter: &Value| {
                let text = |name: &str| parameter[name].as_str().unwrap().to_owned();
                (text("name"), text("in"), parameter["required"] == json!(true))
            };
            let all = ours["parameters"].as_array().unwrap().iter().map(of);
            let parameters: Vec<_> = all.filter(|(_, place, _)| place != "header").collect();
            assert_eq!(parameters, shape.parameters, "{method} {path}");
        }
        assert_eq!(met, served, "{interface}");
    }
}
