//! A founded service without its listener, and the people who work there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::identity::CardSerial;
use crypto::perso::{self, Receipt};
use crypto::scp03::MasterKey;
use crypto::suite::{Curve, VerifyingKey};
use issuance::access::{OfficeCode, Officer, OfficerId, Role, Station, StationId};
use issuance::app::{App, Clock, Randomness};
use issuance::applications::model::{Application, Kind};
use issuance::applications::steps::{self as counter, CounterError, Request};
use issuance::args;
use issuance::cards;
use issuance::config::Config;
use issuance::numbering;
use issuance::pki::{self, Founding};
use issuance::population;
use issuance::population::model::{Declaration, DeclaredPlace, DeclaredRelative};
use issuance::production::intake::{self, IntakeOutcome};
use issuance::production::personalization::{self, Ordered, PersonalizationOutcome, Proof};
use issuance::production::steps::Delivery;
use issuance::production::{self, ProductionError};
use issuance::store::Tx;
use time::macros::datetime;
use zeroize::Zeroizing;

use crate::chip::Chip;

pub struct Offices {
    pub app: App,
    pub registrar: Officer,
    pub capture: Officer,
    pub approver: Officer,
    pub stock: Officer,
    pub counter: Officer,
    pub station: Station,
    _data: tempfile::TempDir,
}

const TRANSPORT_MASTER: [u8; 16] = [0x42; 16];

/// Commits what a verb did.
macro_rules! within {
    ($app:expr, $tx:ident => $verb:expr) => {{
        let mut tx = $app.begin().await.unwrap();
        let done = {
            let $tx = &mut tx;
            $verb.await
        };
        if done.is_ok() {
            tx.commit().await.unwrap();
        }
        done
    }};
}
pub(crate) use within;

impl Offices {
    pub async fn open(database: Option<String>) -> Self {
        let data = tempfile::tempdir().unwrap();
        let clock = Clock::standing(datetime!(2026-11-22 08:00 UTC));
        let config = Config {
            database,
            extra_provinces: vec!["003=Tỉnh Mẫu".parse().unwrap()],
            password_memory_kib: 64,
            password_passes: 1,
            ..Config::new(data.path())
        };
        let transport_keys = vec![("maker".to_owned(), Zeroizing::new(TRANSPORT_MASTER.to_vec()))];
        let founding = Founding { transport_keys, csca_curve: Curve::P256, ..Founding::default() };
        let randomness = Randomness::seeded(7);
        pki::found(&config, &founding, clock.now(), &mut randomness.draw()).unwrap();
        let app = App::open(config, clock, randomness).await.unwrap();
        let office = "district-1";
        let officer = |name: &str, role| Officer {
            id: OfficerId(name.into()),
            office: office.parse().unwrap(),
            roles: vec![role],
            session_id: "s".into(),
        };
        let station =
            Station { id: StationId(app.new_id()), name: "counter-1".into(), office: office.parse().unwrap() };
        let offices = Self {
            registrar: officer("registrar", Role::Registrar),
            capture: officer("capture", Role::Capture),
            approver: officer("approver", Role::Approver),
            stock: officer("stock", Role::Stock),
            counter: officer("counter", Role::HandOver),
            station,
            app,
            _data: data,
        };
        let mut tx = offices.app.begin().await.unwrap();
        enrol(&mut tx, &offices.app, &offices.station).await;
        tx.commit().await.unwrap();
        offices
    }

    /// A woman who does not exist, with her number.
    pub async fn citizen(&self) -> String {
        let declaration = declaration();
        let app = &self.app;
        let (person, _) =
            within!(app, tx => population::steps::declare(tx, app, &self.registrar, &declaration)).unwrap();
        within!(app, tx => numbering::steps::establish(tx, app, &self.registrar, &person)).unwrap();
        person
    }

    pub async fn applies(&self, person: &str, kind: Kind) -> Result<Application, CounterError> {
        let office: OfficeCode = "district-1".parse().unwrap();
        let request = Request { person, kind, office: &office, exempt: false };
        within!(self.app, tx => counter::register(tx, &self.app, &self.capture, request))
    }

    /// An application that waits for a chip.
    pub async fn approved(&self, person: &str, kind: Kind) -> Application {
        let application = self.applies(person, kind).await.unwrap();
        self.captures(&application.id).await;
        self.approves(&self.approver, &application.id).await.unwrap()
    }

    pub async fn captures(&self, id: &str) {
        let portrait = counter::develop(&self.app, &STANDARD.encode(photograph()), None).await.unwrap();
        within!(self.app, tx => counter::capture(tx, &self.app, &self.capture, id, portrait, "Nốt ruồi")).unwrap();
    }

    pub async fn approves(&self, officer: &Officer, id: &str) -> Result<Application, CounterError> {
        within!(self.app, tx => counter::approve(tx, &self.app, officer, id))
    }

    /// A blank in the station's custody.
    pub async fn blank(&self, number: u8) -> Chip {
        let serial = CardSerial([0, 1, 2, 3, 4, 5, 6, 7, 8, number]);
        let serials = [serial];
        let delivery = Delivery { manufacturer: "Maker", batch: "1", transport_key_id: "maker", serials: &serials };
        let app = &self.app;
        within!(app, tx => production::steps::deliver(tx, app, &self.stock, delivery)).unwrap();
        within!(app, tx => production::steps::give_custody(tx, app, &self.stock, &serials, &self.station.id)).unwrap();
        let keys = MasterKey::from_bytes(&TRANSPORT_MASTER).unwrap().diversify(&serial, 0xff);
        Chip::blank(serial, keys)
    }

    pub async fn takes_in(&self, chip: &mut Chip) -> Result<IntakeOutcome, ProductionError> {
        let presentation = chip.presentation();
        let order = within!(self.app, tx => intake::order(tx, &self.app, &self.station, &presentation))?;
        let (receipt, _) = perso::play(chip, &order, &mut |_| {});
        within!(self.app, tx => intake::receipt(tx, &self.app, &self.station, &receipt))
    }

    pub async fn initialised(&self, number: u8) -> Chip {
        let mut chip = self.blank(number).await;
        assert_eq!(self.takes_in(&mut chip).await.unwrap(), IntakeOutcome::Initialised);
        chip
    }

    pub async fn orders(&self, chip: &Chip) -> Result<Ordered, ProductionError> {
        let presentation = chip.presentation();
        personalization::prepare(&self.app, &self.station, &presentation).await?;
        within!(self.app, tx => personalization::order(tx, &self.app, &self.station, &presentation))
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
        within!(self.app, tx => personalization::receipt(tx, &self.app, &self.station, receipt, proof))
    }

    pub async fn personalizes(&self, chip: &mut Chip) -> Result<PersonalizationOutcome, ProductionError> {
        let ordered = self.orders(chip).await?;
        let (receipt, _) = perso::play(chip, &ordered.order, &mut |_| {});
        self.reports(chip, &ordered, &receipt).await
    }

    /// The whole of production; gives the card.
    pub async fn card(&self, chip: &mut Chip) -> String {
        match self.personalizes(chip).await.unwrap() {
            PersonalizationOutcome::Personalized { card } => card,
            other => panic!("{other:?}"),
        }
    }

    pub async fn application(&self, id: &str) -> Application {
        let mut tx = self.app.begin_read().await.unwrap();
        issuance::applications::store::application(&mut tx, id).await.unwrap().unwrap()
    }

    pub async fn status(&self, sod: &[u8]) -> String {
        let hash = crypto::sod::Sod::parse(sod).unwrap().fingerprint();
        let mut tx = self.app.begin_read().await.unwrap();
        cards::steps::status(&mut tx, &hash).await.unwrap()
    }

    pub async fn revoked(&self) -> usize {
        let mut tx = self.app.begin_read().await.unwrap();
        cards::revoked_documents(&mut tx).await.unwrap().len()
    }

    /// What the trail tells of an object.
    pub async fn trail(&self, object: &str) -> Vec<String> {
        let mut tx = self.app.begin_read().await.unwrap();
        let sql = "select id, action from audit where object = $1 order by at, id";
        let rows = tx.all(sql, args![object]).await.unwrap();
        rows.iter().map(|row| row.get("action").unwrap()).collect()
    }

    pub fn csca(&self) -> crypto::pki::Certificate {
        self.app.signer().csca().clone()
    }
}

/// The row that the access office writes when it enrols a station.
pub async fn enrol(tx: &mut Tx, app: &App, station: &Station) {
    tx.run(
        "insert into station (id, name, office, fingerprint, certificate, made_at, expires_at)
         values ($1, $2, $3, $4, $4, $5, $6)",
        args![
            &station.id,
            &station.name,
            station.office.as_str(),
            station.id.0.as_bytes(),
            app.now(),
            app.now() + time::Duration::days(365)
        ],
    )
    .await
    .unwrap();
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

/// Shades, and nobody's face.
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
