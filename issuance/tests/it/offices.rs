//! The offices of a service without its listener, and the people who work there.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::identity::CardSerial;
use crypto::perso::{self, Receipt};
use crypto::scp03::MasterKey;
use crypto::suite::{Curve, VerifyingKey};
use issuance::access::{OFFICER, SESSION, STATION};
use issuance::applications::fetched::FetchedPortrait;
use issuance::applications::model::{Application, DossierDigest, Kind, Slip};
use issuance::applications::steps::{self as counter, CounterError, Request};
use issuance::deed::{Action, Deeds, Object, Occasion, Purpose};
use issuance::ground::actor::Service;
use issuance::ground::ids::{ApplicationId, CardId, PersonId};
use issuance::ground::{Clock, OfficeCode, Officer, Randomness, Role, Station};
use issuance::keys::InitOptions;
use issuance::population::model::{Declaration, DeclaredPlace, DeclaredRelative};
use issuance::production::intake::{self, IntakeOutcome};
use issuance::production::personalization::{self, Ordered, PersonalizationOutcome, Proof, Wish};
use issuance::production::steps::Delivery;
use issuance::production::{self, ProductionError};
use issuance::server::{self, Settings};
use issuance::store::Argument;
use issuance::{applications, args, cards, numbering, population, sql};
use time::macros::datetime;
use time::{OffsetDateTime, UtcOffset};
use zeroize::Zeroizing;

use crate::chip::Chip;
use crate::house::House;

pub struct Offices {
    pub state: server::Offices,
    pub clock: Clock,
    pub registrar: Officer,
    pub capture: Officer,
    pub approver: Officer,
    pub stock: Officer,
    pub counter: Officer,
    pub station: Station,
    pub data: tempfile::TempDir,
}

pub const TRANSPORT_MASTER: [u8; 16] = [0x42; 16];

/// The tests declare the same woman again and again: the officer who numbers her says that she is another one.
pub const OTHER_PARENTS: Option<&str> = Some("the papers name other parents");

/// Runs a verb as a deed of this caller, and commits it if it went well.
macro_rules! within {
    ($offices:expr, $actor:expr, $deed:ident => $verb:expr) => {{
        let mut deed = $offices.state.deeds().open($actor.clone()).await.unwrap();
        let done = {
            let $deed = &mut deed;
            $verb.await
        };
        if done.is_ok() {
            deed.commit().await.unwrap();
        }
        done
    }};
}
pub(crate) use within;

/// Runs a verb as a deed of this caller. A deed that dies is dropped with everything that it wrote; true if it did not
/// die, and was not refused.
macro_rules! lives {
    ($offices:expr, $actor:expr, $dies:expr, $deed:ident => $verb:expr) => {{
        let mut deed = $offices.state.deeds().open($actor.clone()).await.unwrap();
        let done = {
            let $deed = &mut deed;
            $verb.await.is_ok()
        };
        if done && !$dies {
            deed.commit().await.unwrap();
        }
        done && !$dies
    }};
}
pub(crate) use lives;

impl Offices {
    pub async fn open(database: Option<String>) -> Self {
        Self::open_with(database, InitOptions::default()).await
    }

    /// The people of a house that is open, with a chip's maker as there.
    pub async fn of(house: &House) -> Self {
        let state = house.service.offices().clone();
        let deeds = state.deeds();
        Self {
            registrar: appoint(deeds, Role::Registrar).await,
            capture: appoint(deeds, Role::Capture).await,
            approver: appoint(deeds, Role::Approver).await,
            stock: appoint(deeds, Role::Stock).await,
            counter: appoint(deeds, Role::HandOver).await,
            station: enrol(deeds, "counter-1").await,
            clock: house.clock.clone(),
            data: tempfile::tempdir().unwrap(),
            state,
        }
    }

    /// What is counted as it changes is what the rows say, before and after it is added up.
    pub async fn counts_are_true(&self) {
        for _ in 0..2 {
            // Nothing is written meanwhile, so that both look at the same rows.
            let mut tx = self.state.deeds().db().begin_upkeep().await.unwrap();
            let counted: Vec<(String, u64)> = (applications::store::figures(&mut tx).await.unwrap().into_iter())
                .map(|(stage, n, _)| (format!("application {stage}"), n))
                .chain(labelled("card", cards::store::figures(&mut tx).await.unwrap()))
                .chain(labelled("chip", production::figures(&mut tx).await.unwrap().chips))
                .collect();
            let truth = sql!(
                "select 'application ' || stage as what, count(*) as n from application group by stage
                 union all select 'card ' || status, count(*) from card group by status
                 union all select 'chip ' || state, count(*) from chip group by state order by what"
            );
            let truth = tx.all(truth, args![]).await.unwrap();
            let truth = truth.iter().map(|row| (row.get("what").unwrap(), row.number("n").unwrap()));
            assert_eq!(counted.into_iter().collect::<BTreeMap<_, _>>(), truth.collect::<BTreeMap<String, u64>>());
            applications::store::add_up(&mut tx).await.unwrap();
            cards::store::add_up(&mut tx).await.unwrap();
            production::add_up(&mut tx).await.unwrap();
            tx.commit().await.unwrap();
        }
    }

    /// The offices of an authority of which something is decided otherwise.
    pub async fn open_with(database: Option<String>, options: InitOptions) -> Self {
        // Half past three in the afternoon in Viet Nam.
        Box::pin(Self::open_at(database, datetime!(2026-11-22 08:30 UTC), options)).await
    }

    /// The offices of a State whose civil time is so far ahead of UTC, at this moment.
    pub async fn open_in(database: Option<String>, at: OffsetDateTime, utc_offset: UtcOffset) -> Self {
        Box::pin(Self::open_at(database, at, InitOptions { utc_offset, ..InitOptions::default() })).await
    }

    async fn open_at(database: Option<String>, at: OffsetDateTime, options: InitOptions) -> Self {
        Self::open_as(database, at, options, |_| ()).await
    }

    /// As [`open_in`](Self::open_in) in Viet Nam, with other settings.
    pub async fn open_where(database: Option<String>, at: OffsetDateTime, change: impl FnOnce(&mut Settings)) -> Self {
        Self::open_as(database, at, InitOptions::default(), change).await
    }

    async fn open_as(
        database: Option<String>,
        at: OffsetDateTime,
        options: InitOptions,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let data = tempfile::tempdir().unwrap();
        let clock = Clock::standing(at);
        let mut settings = Settings { database, ..Settings::new(data.path()) };
        change(&mut settings);
        settings.access.password_memory_kib = 64;
        settings.access.password_passes = 1;
        settings.population.extra_provinces = vec!["003=Tỉnh Mẫu".parse().unwrap()];
        let transport_keys = vec![("maker".to_owned(), Zeroizing::new(TRANSPORT_MASTER.to_vec()))];
        let options = InitOptions { transport_keys, csca_curve: Curve::P256, ..options };
        let randomness = Randomness::seeded(7);
        server::init(&settings, &options, "admin", clock.now(), &mut randomness.draw()).unwrap();
        let state = Box::pin(server::Offices::open(&settings, Some(clock.clone()), randomness)).await.unwrap();
        let registrar = appoint(state.deeds(), Role::Registrar).await;
        Self {
            capture: appoint(state.deeds(), Role::Capture).await,
            approver: appoint(state.deeds(), Role::Approver).await,
            stock: appoint(state.deeds(), Role::Stock).await,
            counter: appoint(state.deeds(), Role::HandOver).await,
            station: enrol(state.deeds(), "counter-1").await,
            registrar,
            state,
            clock,
            data,
        }
    }

    /// Stops, and starts with the keys that lie in the folder now. On SQLite.
    pub async fn starts_again(&mut self) {
        self.starts_again_with(|_| ()).await;
    }

    /// As [`starts_again`](Self::starts_again), with other settings.
    pub async fn starts_again_with(&mut self, change: impl FnOnce(&mut Settings)) {
        self.state.deeds().db().close().await;
        let mut settings = Settings::new(self.data.path());
        change(&mut settings);
        settings.population.extra_provinces = vec!["003=Tỉnh Mẫu".parse().unwrap()];
        let clock = Some(self.clock.clone());
        self.state = server::Offices::open(&settings, clock, Randomness::seeded(8)).await.unwrap();
    }

    /// A woman who does not exist, with her number.
    pub async fn citizen(&self) -> PersonId {
        let person = self.declares(&declaration()).await;
        within!(self, self.registrar, deed => numbering::steps::establish(deed, &self.state.numbers, person, OTHER_PARENTS)).unwrap();
        person
    }

    pub async fn declares(&self, declaration: &Declaration) -> PersonId {
        let register = &self.state.register;
        let declared = within!(self, self.registrar, deed => population::steps::declare(deed, register, declaration));
        declared.unwrap().0
    }

    pub async fn applies(&self, person: PersonId, kind: Kind) -> Result<Application, CounterError> {
        let office: OfficeCode = "district-1".parse().unwrap();
        let request = Request { person, kind, office: &office, exempt: false, claim: None, acknowledged: None };
        within!(self, self.capture, deed => counter::register(deed, &self.state.counter, request))
    }

    /// An application that waits for a chip.
    pub async fn approved(&self, person: PersonId, kind: Kind) -> Application {
        let application = self.applies(person, kind).await.unwrap();
        self.captures(application.id).await;
        self.approves(&self.approver, application.id).await.unwrap()
    }

    pub async fn captures(&self, id: ApplicationId) {
        let photograph = STANDARD.encode(photograph());
        let portrait = counter::develop(&self.state.counter, photograph, None).await.unwrap();
        within!(self, self.capture, deed => counter::capture(deed, id, portrait, "Nốt ruồi")).unwrap();
    }

    /// Reads an application and approves what it shows.
    pub async fn approves(&self, officer: &Officer, id: ApplicationId) -> Result<Application, CounterError> {
        let seen = self.sees(officer, id).await?;
        let portrait = self.fetches(id).await?;
        within!(self, officer, deed => counter::approve(deed, &self.state.counter, id, seen, portrait))
    }

    /// Reads the portrait of an application, as a handler does before its deed.
    pub async fn fetches(&self, id: ApplicationId) -> Result<Option<FetchedPortrait>, CounterError> {
        counter::fetch_portrait(self.state.deeds(), &self.state.counter, id).await
    }

    /// Reads an application. Returns the name of what the officer saw.
    pub async fn sees(&self, officer: &Officer, id: ApplicationId) -> Result<Option<DossierDigest>, CounterError> {
        let seen = within!(self, officer, deed => counter::read(deed, id, Occasion::default()))?;
        Ok(seen.stage.capture_of().map(|capture| capture.dossier(officer.id)))
    }

    /// A blank in the station's custody.
    pub async fn blank(&self, number: u8) -> Chip {
        let serial = CardSerial([0, 1, 2, 3, 4, 5, 6, 7, 8, number]);
        let serials = [serial];
        let delivery = Delivery {
            manufacturer: "Maker",
            batch: "1",
            transport_key_id: "maker",
            firmware: None,
            serials: &serials,
        };
        let production = &self.state.production;
        within!(self, self.stock, deed => production::steps::deliver(deed, production, delivery)).unwrap();
        let station = self.station.id;
        within!(self, self.stock, deed => production::steps::give_custody(deed, &serials, station)).unwrap();
        let keys = MasterKey::from_bytes(&TRANSPORT_MASTER).unwrap().diversify(&serial, 0xff);
        Chip::blank(serial, keys)
    }

    pub async fn takes_in(&self, chip: &mut Chip) -> Result<IntakeOutcome, ProductionError> {
        let (presentation, production) = (chip.presentation(), &self.state.production);
        let order = within!(self, self.station, deed => intake::order(deed, production, &presentation))?;
        let (receipt, _) = perso::play(chip, &order, &mut |_| {});
        within!(self, self.station, deed => intake::receipt(deed, production, &receipt))
    }

    pub async fn initialised(&self, number: u8) -> Chip {
        let mut chip = self.blank(number).await;
        assert_eq!(self.takes_in(&mut chip).await.unwrap(), IntakeOutcome::Initialised);
        chip
    }

    pub async fn prepares(&self, station: &Station, chip: &Chip) -> Result<(), ProductionError> {
        let production = &self.state.production;
        let prepared =
            personalization::prepare(self.state.deeds(), production, station, &chip.presentation(), Wish::Next).await;
        prepared.map(drop)
    }

    /// As [`prepares`](Self::prepares), for the application with this slip.
    pub async fn prepares_for(&self, slip: &Slip, chip: &Chip) -> Result<(), ProductionError> {
        let (production, presentation) = (&self.state.production, chip.presentation());
        let (deeds, station) = (self.state.deeds(), &self.station);
        personalization::prepare(deeds, production, station, &presentation, Wish::Slip(slip)).await.map(drop)
    }

    pub async fn orders(&self, chip: &Chip) -> Result<Ordered, ProductionError> {
        self.prepares(&self.station, chip).await?;
        let presentation = chip.presentation();
        let production = &self.state.production;
        within!(self, self.station, deed => personalization::order(deed, production, &presentation, None))
    }

    pub async fn reports(
        &self,
        chip: &Chip,
        ordered: &Ordered,
        receipt: &Receipt,
    ) -> Result<PersonalizationOutcome, ProductionError> {
        let signature = chip.signs(&ordered.challenge);
        let proof = Some(Proof { challenge: &ordered.challenge, signature: &signature });
        self.receives(receipt, proof).await
    }

    pub async fn receives(
        &self,
        receipt: &Receipt,
        proof: Option<Proof<'_>>,
    ) -> Result<PersonalizationOutcome, ProductionError> {
        let production = &self.state.production;
        within!(self, self.station, deed => personalization::receipt(deed, production, receipt, proof))
    }

    pub async fn personalizes(&self, chip: &mut Chip) -> Result<PersonalizationOutcome, ProductionError> {
        let ordered = self.orders(chip).await?;
        let (receipt, _) = perso::play(chip, &ordered.order, &mut |_| {});
        self.reports(chip, &ordered, &receipt).await
    }

    /// The whole of production. Returns the card.
    pub async fn card(&self, chip: &mut Chip) -> CardId {
        match self.personalizes(chip).await.unwrap() {
            PersonalizationOutcome::Personalized { card } => card,
            other @ PersonalizationOutcome::Incomplete { .. } => panic!("{other:?}"),
        }
    }

    pub async fn application(&self, id: ApplicationId) -> Application {
        let mut deed = self.state.deeds().open(Service).await.unwrap();
        issuance::applications::store::application(&mut deed, id).await.unwrap().unwrap()
    }

    pub async fn status(&self, sod: &[u8]) -> String {
        let hash = hex::encode(crypto::sod::Sod::parse(sod).unwrap().fingerprint());
        let mut tx = self.state.deeds().db().begin_read().await.unwrap();
        cards::steps::status(&mut tx, &hash).await.unwrap()
    }

    pub async fn revoked(&self) -> usize {
        let mut tx = self.state.deeds().db().begin_read().await.unwrap();
        cards::store::revoked_documents(&mut tx).await.unwrap().len()
    }

    /// What the trail tells of an object, in the order of the alphabet: the clock stands still, so it has no other.
    pub async fn trail(&self, object: Object) -> Vec<String> {
        let mut tx = self.state.deeds().db().begin_read().await.unwrap();
        let sql = sql!("select action from v_audit_entry where object = $1 order by action");
        let rows = tx.all(sql, args![object.to_string()]).await.unwrap();
        rows.iter().map(|row| row.get("action").unwrap()).collect()
    }

    /// What `GET /health` answers: status and details.
    pub async fn health(&self) -> (String, Vec<String>) {
        let answer = server::health(&self.state).await.unwrap();
        (answer.status, answer.details)
    }

    pub fn csca(&self) -> crypto::pki::Certificate {
        crypto::pki::Certificate::parse(&std::fs::read(self.data.path().join("csca.der")).unwrap()).unwrap()
    }
}

/// An officer of the office `district-1`, as the access office would have appointed one and let in.
pub async fn appoint(deeds: &Deeds, role: Role) -> Officer {
    let source = deeds.source();
    let officer = Officer::new(source.id(), "district-1".parse().unwrap(), vec![role], source.id());
    let mut deed = deeds.open(Service).await.unwrap();
    let insert =
        sql!("insert into officer (id, username, password, roles, office, made_at) values ($1, $2, '', $3, $4, $5)");
    let name = format!("{}-{}", role.name(), officer.id);
    let arguments = args![officer.id, name, Argument::json(&officer.roles), &officer.office, source.now()];
    deed.tx().run(insert, arguments).await.unwrap();
    deed.tx().seal(&OFFICER, officer.id).await.unwrap();
    let session = sql!(
        "insert into session (id, token_hash, officer_id, opened_at, seen_at, expires_at) values ($1, $2, $3, $4, $4, $4)"
    );
    let token = officer.session.to_string().into_bytes();
    deed.tx().run(session, args![officer.session, token, officer.id, source.now()]).await.unwrap();
    deed.tx().seal(&SESSION, officer.session).await.unwrap();
    deed.record(Action::OfficerMade, Object::Officer(officer.id), None, Purpose::Administration).await.unwrap();
    deed.commit().await.unwrap();
    officer
}

/// The officer at another office, as two administrators would have decided.
pub async fn moves(deeds: &Deeds, officer: &Officer, office: &str) -> Officer {
    let officer = Officer { office: office.parse().unwrap(), ..officer.clone() };
    let mut tx = deeds.db().begin_upkeep().await.unwrap();
    let sql = sql!("update officer set office = $1 where id = $2");
    assert_eq!(tx.change(&OFFICER, officer.id, sql, args![&officer.office, officer.id]).await.unwrap(), 1);
    tx.commit().await.unwrap();
    officer
}

/// Gives an officer these roles, as two administrators would have decided.
pub async fn employs(deeds: &Deeds, officer: &Officer, roles: &[Role]) -> Officer {
    let officer = Officer { roles: roles.to_vec(), ..officer.clone() };
    let mut tx = deeds.db().begin_upkeep().await.unwrap();
    let sql = sql!("update officer set roles = $1 where id = $2");
    let arguments = args![Argument::json(&officer.roles), officer.id];
    assert_eq!(tx.change(&OFFICER, officer.id, sql, arguments).await.unwrap(), 1);
    tx.commit().await.unwrap();
    officer
}

/// Approves as an officer who is appointed to decide too, for this once.
pub async fn approves_too(
    offices: &Offices,
    officer: &Officer,
    id: ApplicationId,
) -> Result<Application, CounterError> {
    let deeds = offices.state.deeds();
    let decides = employs(deeds, officer, &[&officer.roles[..], &[Role::Approver]].concat()).await;
    let approved = offices.approves(&decides, id).await;
    employs(deeds, officer, &officer.roles).await;
    approved
}

/// A station of the office `district-1`, as the access office would have enrolled one.
pub async fn enrol(deeds: &Deeds, name: &str) -> Station {
    let source = deeds.source();
    let station = Station { id: source.id(), name: name.to_owned(), office: "district-1".parse().unwrap() };
    let mut deed = deeds.open(Service).await.unwrap();
    let insert = sql!(
        "insert into station (id, name, office, fingerprint, certificate, made_at, expires_at)
         values ($1, $2, $3, $4, $4, $5, $6)"
    );
    let fingerprint = station.id.to_string().into_bytes();
    let expires_at = source.now() + time::Duration::days(365);
    let arguments = args![station.id, name, &station.office, fingerprint, source.now(), expires_at];
    deed.tx().run(insert, arguments).await.unwrap();
    deed.tx().seal(&STATION, station.id).await.unwrap();
    deed.record(Action::StationEnrolled, Object::Station(station.id), None, Purpose::Administration).await.unwrap();
    deed.commit().await.unwrap();
    station
}

/// Form DC01 of a woman who does not exist: province 003 is not assigned.
pub fn declaration() -> Declaration {
    let place = DeclaredPlace { province: "003".into(), detail: "Số 1 Phố Mẫu".into(), ..Default::default() };
    Declaration {
        full_name: "Nguyễn Thị Mẫu".into(),
        birth_date: "05/01/2000".into(),
        sex: "Nữ".into(),
        birth_registration: place.clone(),
        place_of_origin: place.clone(),
        ethnic_group: "01".into(),
        permanent_residence: Some(place),
        mother: Some(DeclaredRelative { full_name: "Trần Thị Thử".into(), ..Default::default() }),
        ..Default::default()
    }
}

/// Shades, and no face.
pub fn photograph() -> Vec<u8> {
    let picture = image::RgbImage::from_fn(480, 640, |x, y| {
        let round = (x.abs_diff(240).pow(2) + y.abs_diff(260).pow(2)).isqrt();
        let shade = |n: u32| u8::try_from(n.min(255)).unwrap();
        image::Rgb([shade(255 - round / 2), shade(x / 2), shade((x * y) % 97 + 60)])
    });
    let mut jpeg = vec![];
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 90).encode_image(&picture).unwrap();
    jpeg
}

/// The public key in a DG15.
pub fn key_of(dg15: &[u8]) -> VerifyingKey {
    crypto::pki::spki::parse(&crypto::lds::Dg15::parse(dg15).unwrap().spki).unwrap()
}

/// What the holder tells of a lost card.
pub const LOST: cards::steps::Report<'static> =
    cards::steps::Report { by_holder: true, grounds: "left on a bus", term: time::Duration::days(7) };

fn labelled(what: &str, counts: Vec<(String, u64)>) -> impl Iterator<Item = (String, u64)> {
    counts.into_iter().map(move |(state, n)| (format!("{what} {state}"), n))
}
