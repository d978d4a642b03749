//! The station of a golden house: its requests reach the offices in process, since its client certificate lasts a year
//! by the computer's clock and a golden house opens for longer.

use card_agent::client::{ActiveAuthentication, IdempotencyKey, Outcome, PersonalizationOrder, Service, ServiceError};
use card_agent::failure::Failure;
use card_agent::session::Session;
use card_agent::station::journal::{Journal, Kind};
use card_agent::station::{Done, Station};
use card_agent::transport::{Reader, TransportError};
use crypto::apdu::{Command, Response};
use crypto::conversation::CardTransport;
use crypto::identity::CardSerial;
use crypto::perso::problem::Problem;
use crypto::perso::protocol::ReadBack;
use crypto::perso::{Order, Presentation, Receipt};
use hardware_sim::{InProcess, InProcessError};
use issuance::deed::Deed;
use issuance::ground::actor;
use issuance::production::personalization::{self, Proof, Wish};
use issuance::production::{Production, ProductionError, intake, withdrawal};
use issuance::web;

use super::{House, StationRow, Trouble};
use crate::ambient;

/// The service as the station of a house in this process sees it.
pub struct InHouse<'a> {
    house: &'a House,
    station: actor::Station,
}

impl<'a> InHouse<'a> {
    /// The requests of this station.
    ///
    /// # Errors
    /// If the row is malformed.
    pub fn new(house: &'a House, row: &StationRow) -> Result<Self, Trouble> {
        let station = actor::Station { id: row.id.parse()?, name: row.name.clone(), office: row.office.parse()? };
        Ok(Self { house, station })
    }

    /// Does this kind of work with the chip, as `card-agent` does. Each chip has a reader of its own.
    ///
    /// # Errors
    /// [`Failure`] of the station.
    pub fn run(&self, kind: Kind, chip: &InProcess) -> Result<Done, Failure> {
        let journal = Journal::open(&self.house.dir.join("station"))?;
        let reader = chip.chip().serial().to_string();
        Station::new(self, journal, ambient::now).run(kind, &mut Session::new(Lying(chip.clone())), &reader)
    }

    fn does<T>(
        &self,
        verb: impl AsyncFnOnce(&mut Deed<actor::Station>, &Production) -> Result<T, ProductionError>,
    ) -> Result<T, ServiceError> {
        let offices = self.house.service.offices();
        let done = self.house.runtime.block_on(async {
            let mut deed = offices.deeds().open(self.station.clone()).await?;
            let done = verb(&mut deed, &offices.production).await?;
            deed.commit().await?;
            Ok::<_, web::Problem>(done)
        });
        done.map_err(|problem| refused(&problem))
    }
}

impl Service for InHouse<'_> {
    fn intake_order(&self, presentation: &Presentation, _: &IdempotencyKey) -> Result<Order, ServiceError> {
        self.does(async |deed, floor| intake::order(deed, floor, presentation).await)
    }

    fn intake_receipt(&self, receipt: &Receipt, _: &IdempotencyKey) -> Result<Outcome, ServiceError> {
        self.does(async |deed, floor| intake::receipt(deed, floor, receipt).await.map(Outcome::from))
    }

    fn personalization_order(
        &self,
        presentation: &Presentation,
        _: Option<&str>,
        _: &IdempotencyKey,
    ) -> Result<PersonalizationOrder, ServiceError> {
        let offices = self.house.service.offices();
        let preparing =
            personalization::prepare(offices.deeds(), &offices.production, &self.station, presentation, Wish::Next);
        self.house.runtime.block_on(preparing).map_err(|error| refused(&error.into()))?;
        let ordered = self.does(async |deed, floor| personalization::order(deed, floor, presentation, None).await)?;
        let read_back = ReadBack { can: ordered.can.to_string(), challenge: ordered.challenge };
        let voucher = ordered.voucher;
        Ok(PersonalizationOrder { order: ordered.order, read_back, slip: ordered.slip.0, voucher, lease: None })
    }

    fn personalization_receipt(
        &self,
        receipt: &Receipt,
        proof: Option<&ActiveAuthentication>,
        _: &IdempotencyKey,
    ) -> Result<Outcome, ServiceError> {
        let proof = proof.map(|proof| Proof { challenge: &proof.challenge, signature: &proof.signature });
        self.does(async |deed, floor| personalization::receipt(deed, floor, receipt, proof).await.map(Outcome::from))
    }

    fn spoiled(
        &self,
        serial: &CardSerial,
        reason: &str,
        evidence: &str,
        _: &IdempotencyKey,
    ) -> Result<(), ServiceError> {
        self.does(async |deed, _| withdrawal::spoil(deed, serial, reason, evidence).await.map(drop))
    }
}

fn refused(problem: &web::Problem) -> ServiceError {
    ServiceError::Problem(Box::new(Problem::new(problem.code(), 409, problem.cause().unwrap_or_default())))
}

/// A chip in process as it lies in a reader.
struct Lying(InProcess);

impl CardTransport for Lying {
    type Error = TransportError;

    fn transmit(&mut self, command: &Command) -> Result<Response, TransportError> {
        self.0.transmit(command).map_err(|error| match error {
            InProcessError::Fault(fault) => TransportError::Fault(fault),
            InProcessError::Gone => TransportError::Removed,
        })
    }
}

impl Reader for Lying {
    fn reset(&mut self) -> Result<(), TransportError> {
        self.0.chip().reset();
        Ok(())
    }
}
