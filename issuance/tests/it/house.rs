//! A running service with its people: role clients that speak HTTPS.

use issuance::access::OFFICER;
use issuance::ground::ids::OfficerId;
use issuance::ground::{Clock, Randomness, Role};
use issuance::keys::InitOptions;
use issuance::server::{self, Settings};
use issuance::store::{Argument, Sql};
use issuance::{Service, args, sql};
use rcgen::{CertificateParams, KeyPair};
use reqwest::{Certificate, Client, ClientBuilder, Identity, Method};
use serde_json::{Value, json};
use tempfile::TempDir;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::tables;

pub struct House {
    pub folder: TempDir,
    pub clock: Clock,
    pub service: Service,
    /// Proposes, by the API; its password is [`PASSWORD`].
    pub admin: Caller,
    /// Confirms.
    pub second: Caller,
}

/// Runs a scenario in a fresh house on SQLite, then in another on PostgreSQL.
pub async fn on_both(scenario: impl AsyncFn(&House)) {
    for database in [Some(None), tables::fresh_database().map(Some)].into_iter().flatten() {
        // On the heap, so that the future of each test stays small.
        let house = Box::new(Box::pin(House::open(database)).await);
        Box::pin(scenario(house.as_ref())).await;
        Box::pin(house.service.stop()).await;
    }
}

/// Cheap passwords, a clock that stands.
pub fn settings(folder: &TempDir, database: Option<String>) -> Settings {
    let extra_provinces = vec!["003=Tỉnh Mẫu".parse().unwrap()];
    Settings {
        database,
        population: issuance::population::Settings { extra_provinces, ..Default::default() },
        listen: "127.0.0.1:0".parse().unwrap(),
        tick: std::time::Duration::from_millis(20),
        access: issuance::access::Settings {
            password_memory_kib: 64,
            password_passes: 1,
            refusal_delay: std::time::Duration::ZERO,
            ..Default::default()
        },
        ..Settings::new(folder.path().join("data"))
    }
}

/// The moment at which a test begins.
#[expect(clippy::disallowed_methods, reason = "certificates of reqwest are judged by the computer's clock")]
pub fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

impl House {
    pub async fn open(database: Option<String>) -> Self {
        Self::open_with(|settings| settings.database = database).await
    }

    /// A house with other settings.
    pub async fn open_with(change: impl FnOnce(&mut Settings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = settings(&folder, None);
        change(&mut settings);
        Box::pin(Self::begun(folder, settings)).await
    }

    async fn begun(folder: TempDir, settings: Settings) -> Self {
        let clock = Clock::standing(now());
        let rng = &mut Randomness::seeded(1).draw();
        let transport_keys = vec![("maker".to_owned(), Zeroizing::new(vec![0x42; 16]))];
        let options = InitOptions { transport_keys, ..InitOptions::default() };
        let made = server::init(&settings, &options, "admin", clock.now(), rng).unwrap();
        let service = Service::start(&settings, Some(clock.clone()), Randomness::seeded(2)).await.unwrap();
        let mut admin = Caller { client: client(&folder, None), address: address(&service), token: None };
        admin.token = Some(admin.signs_in("admin", &made.admin_password).await.body["token"].as_str().unwrap().into());
        let body = json!({"old": *made.admin_password, "new": PASSWORD});
        assert_eq!(admin.post("/api/v1/me/password", "first", body).await.status, 204);
        let body = json!({"username": "second", "roles": ["admin"], "office": "national"});
        let appointed = admin.post("/api/v1/officers", "second", body).await;
        let mut second = Caller { client: client(&folder, None), address: address(&service), token: None };
        second.owns("second", &appointed).await;
        Self { folder, clock, service, admin, second }
    }

    /// A caller without certificate and session.
    pub fn anyone(&self) -> Caller {
        Caller { client: client(&self.folder, None), address: address(&self.service), token: None }
    }

    /// An officer with these roles, signed in.
    pub async fn officer(&self, name: &str, roles: &[Role], office: &str) -> Caller {
        self.appointed(name, roles, office).await.0
    }

    /// As [`officer`](Self::officer), with the officer's id. Roles that exclude each other are put in by hand, for
    /// tests that want to be let through every gate.
    pub async fn appointed(&self, name: &str, roles: &[Role], office: &str) -> (Caller, String) {
        let some = if Role::conflict(roles).is_some() { &[] } else { roles };
        let body = json!({"username": name, "roles": some, "office": office});
        let made = self.admin.post("/api/v1/officers", name, body).await;
        assert_eq!(made.status, 200, "{:?}", made.body);
        let confirmed = self.confirms(&made).await;
        let mut officer = self.anyone();
        officer.owns(name, &confirmed).await;
        if some.len() != roles.len() {
            let mut tx = self.service.offices().deeds().db().begin_upkeep().await.unwrap();
            let id: OfficerId = made.body["id"].as_str().unwrap().parse().unwrap();
            let give = sql!("update officer set roles = $1 where id = $2");
            assert_eq!(tx.change(&OFFICER, id, give, args![Argument::json(&roles), id]).await.unwrap(), 1);
            tx.commit().await.unwrap();
        }
        (officer, made.body["id"].as_str().unwrap().into())
    }

    /// The second administrator confirms what the first proposed.
    pub async fn confirms(&self, proposed: &Said) -> Said {
        let id = proposed.body["proposal_id"].as_str().unwrap();
        let confirmed = self.second.post(&format!("/api/v1/officer-proposals/{id}/confirmation"), id, json!({})).await;
        assert_eq!(confirmed.status, 200, "{:?}", confirmed.body);
        confirmed
    }

    /// An enrolled station, and its id.
    pub async fn station(&self, name: &str) -> (Caller, String) {
        let key = KeyPair::generate().unwrap();
        let request = CertificateParams::new(vec![]).unwrap().serialize_request(&key).unwrap().pem().unwrap();
        let body = json!({"name": name, "office": "o-1", "csr_pem": request});
        let enrolled = self.admin.post("/api/v1/stations", name, body).await;
        assert_eq!(enrolled.status, 200, "{:?}", enrolled.body);
        let pem = format!("{}{}", enrolled.body["certificate_pem"].as_str().unwrap(), key.serialize_pem());
        let client = client(&self.folder, Some(&pem));
        let station = Caller { client, address: address(&self.service), token: None };
        (station, enrolled.body["id"].as_str().unwrap().into())
    }

    /// One number out of the database.
    pub async fn count(&self, sql: Sql, arguments: Vec<Argument>) -> i64 {
        let mut tx = self.service.offices().deeds().db().begin_read().await.unwrap();
        tx.one(sql, arguments).await.unwrap().unwrap().get("n").unwrap()
    }
}

#[derive(Clone)]
pub struct Caller {
    pub client: Client,
    pub address: String,
    pub token: Option<String>,
}

/// An answer of the service.
#[derive(Clone, Debug)]
pub struct Said {
    pub status: u16,
    pub body: Value,
    pub replayed: bool,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u64>,
    /// `Deprecation`: the address will go.
    pub deprecated: bool,
}

impl Said {
    /// The problem's code; empty if there is none.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

impl Caller {
    pub async fn signs_in(&self, name: &str, password: &str) -> Said {
        self.asks(Method::POST, "/api/v1/sessions", None, Some(json!({"username": name, "password": password}))).await
    }

    /// Sets [`PASSWORD`] with the one-time token of an answer, and signs in.
    pub async fn owns(&mut self, name: &str, appointed: &Said) {
        let body = json!({"token": appointed.body["token"], "password": PASSWORD});
        let set = self.asks(Method::POST, "/api/v1/password", None, Some(body)).await;
        assert_eq!(set.status, 204, "{:?} {:?}", set.body, appointed.body);
        self.token = Some(self.signs_in(name, PASSWORD).await.body["token"].as_str().unwrap().into());
    }

    pub async fn get(&self, path: &str) -> Said {
        self.asks(Method::GET, path, None, None).await
    }

    pub async fn post(&self, path: &str, key: &str, body: Value) -> Said {
        self.asks(Method::POST, path, Some(key), Some(body)).await
    }

    pub async fn asks(&self, method: Method, path: &str, key: Option<&str>, body: Option<Value>) -> Said {
        let asked = method.as_str().to_owned();
        let mut request = self.client.request(method, format!("{}{path}", self.address));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        if let Some(body) = &body {
            request = request.json(body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let replayed = response.headers().contains_key("idempotency-replayed");
        let deprecated = response.headers().contains_key("deprecation");
        let retry_after = response.headers().get("retry-after").map(|value| value.to_str().unwrap().parse().unwrap());
        let bytes = response.bytes().await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        // Whatever a test is about: the answer is one that the document names.
        crate::document::check(&asked, path, status, &body);
        Said { status, body, replayed, retry_after, deprecated }
    }
}

fn address(service: &Service) -> String {
    format!("https://{}", service.address())
}

/// As [`client`] without a certificate, from this address.
pub fn client_from(folder: &TempDir, address: std::net::IpAddr) -> Client {
    client_in(folder.path(), address)
}

/// As [`client_from`].
pub fn client_in(folder: &std::path::Path, address: std::net::IpAddr) -> Client {
    let authority = std::fs::read(folder.join("data/tls-ca.pem")).unwrap();
    let builder = Client::builder().tls_certs_only([Certificate::from_pem(&authority).unwrap()]).no_proxy();
    builder.local_address(address).build().unwrap()
}

/// Trusts the house's authority only; shows the certificate, if there is one.
pub fn client(folder: &TempDir, identity: Option<&str>) -> Client {
    builder(folder, identity).build().unwrap()
}

/// As [`client`], before it is built.
pub fn builder(folder: &TempDir, identity: Option<&str>) -> ClientBuilder {
    let authority = std::fs::read(folder.path().join("data/tls-ca.pem")).unwrap();
    let builder = Client::builder().tls_certs_only(Certificate::from_pem_bundle(&authority).unwrap()).no_proxy();
    match identity {
        Some(pem) => builder.identity(Identity::from_pem(pem.as_bytes()).unwrap()),
        None => builder,
    }
}

pub const PASSWORD: &str = "correct horse battery";

/// An identifier that nothing has.
pub const NIL: &str = "00000000-0000-0000-0000-000000000000";
