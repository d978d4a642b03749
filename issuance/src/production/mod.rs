//! From a blank in a box to a chip that proved it is the card: stock, orders, receipts; and what becomes of an
//! application or a card that loses its chip.

pub mod ahead;
mod api;
pub mod batches;
mod batches_api;
pub mod boxes;
mod boxes_api;
pub mod card_batches;
mod card_batches_api;
pub mod card_faces;
pub mod cases;
mod cases_api;
pub mod counts;
mod disagreements;
pub mod dissolutions;
mod dissolutions_api;
mod documents;
pub mod ends;
mod ends_api;
mod error;
pub mod findings;
mod floor;
pub mod intake;
pub mod ledger;
mod ledger_api;
mod ledger_picture;
mod lists;
mod live;
mod misses;
pub mod model;
mod opening;
mod pages;
pub mod personalization;
pub mod print_jobs;
mod print_jobs_api;
mod problem;
pub mod recalls;
mod recalls_api;
pub mod reentry;
mod register_changes;
pub mod steps;
mod store;
mod voucher;
mod wire;
pub mod withdrawal;

use std::path::PathBuf;
use std::sync::Arc;

pub use api::routes;
pub use disagreements::{disagreements, open_cases_of_disagreements};
pub use error::ProductionError;
pub use ledger_picture::picture;
pub use opening::open_chips_of_before;
pub(crate) use pages::{in_factory, pages};
use serde::{Deserialize, Serialize};
pub use store::batches::{PRODUCTION_BATCH, open_batches};
pub use store::body_doubts::BODY_DOUBT;
pub use store::boxes::{STOCK_BOX, late as late_boxes, open_boxes};
pub use store::card_batches::{CARD_BATCH, unclosed as unclosed_card_batches};
pub use store::cases::{STOCK_CASE, cases_by_office, open_cases};
pub use store::counts::{STOCK_COUNT, STOCK_COUNT_PART};
pub use store::ends::DESTRUCTION;
pub use store::findings::FINDING;
pub use store::ledger::{POSTING, add_up as add_up_ledger, balances, check as check_ledger};
pub use store::print_jobs::waiting_since as print_jobs_waiting_since;
pub use store::recalls::RECALL;
pub use store::{
    CHIP, DELIVERY, Figures, MIGRATIONS, WRITE_OFF, add_up, chip_state, empty_documents, figures, key_versions,
    knows_order, miscounted,
};
pub use voucher::{KeptVoucher, Lie, Testimony, Voucher};

use crate::cards::CardProfile;
use crate::ground::Secrets;
use crate::ground::objects::Objects;
use crate::keys::{CardKeys, CurrentCrl, Signers};
use crate::population::Register;

/// Settings of production.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// An item of a batch of cards is a station's for so many minutes after its last order.
    pub lease_minutes: u32,
    /// Folder for what is printed on the bodies of cards, a file for each; none: nothing is printed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub print_jobs: Option<PathBuf>,
    /// The faces of cards are marked MẪU / SPECIMEN.
    pub specimen: bool,
    /// The name under the title of the office that issues, on the back of cards that are no specimens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signer_name: Option<String>,
    /// A box is received within so many working days; then it is a case, and an alarm.
    pub box_days: u32,
    /// A card is handed over only after another officer or a scanner compared its body with its chip; where one finds
    /// that they differ, a second one decides.
    pub body_check: bool,
    /// What of the cards of a batch needs no chip is made ahead in so many percent of the time of one core at most; 0:
    /// nothing is made ahead.
    pub ahead_percent: u8,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lease_minutes: 10,
            print_jobs: None,
            specimen: true,
            signer_name: None,
            box_days: 2,
            body_check: false,
            ahead_percent: 25,
        }
    }
}

/// What production has: card keys, the signer and the list in force, the series' profile, the objects and secrets
/// that documents rest under.
#[derive(Clone, Debug)]
pub struct Production {
    card_keys: Arc<CardKeys>,
    signer: Signers,
    crl: CurrentCrl,
    profile: Arc<CardProfile>,
    register: Register,
    objects: Objects,
    secrets: Secrets,
    misses: misses::Misses,
    round: print_jobs::Round,
    live: live::Live,
    settings: Settings,
}

impl Production {
    /// Production with these keys, this profile and these objects.
    #[must_use]
    pub fn new(
        card_keys: CardKeys,
        signer: Signers,
        crl: CurrentCrl,
        profile: Arc<CardProfile>,
        register: Register,
        objects: Objects,
        secrets: Secrets,
    ) -> Self {
        Self {
            card_keys: Arc::new(card_keys),
            signer,
            crl,
            profile,
            register,
            objects,
            secrets,
            misses: misses::Misses::default(),
            round: print_jobs::Round::default(),
            live: live::Live::default(),
            settings: Settings::default(),
        }
    }

    /// The same production, with these settings.
    #[must_use]
    pub fn with_settings(self, settings: Settings) -> Self {
        Self { settings, ..self }
    }

    /// Ends the streams of pages that follow what goes on in a factory: the service stops.
    pub fn end_streams(&self) {
        self.live.end();
    }

    /// Within how many working days a box is received.
    fn box_days(&self) -> u32 {
        self.settings.box_days
    }

    /// How long an item of a batch of cards is a station's after its last order.
    fn lease(&self) -> time::Duration {
        time::Duration::minutes(self.settings.lease_minutes.into())
    }
}
