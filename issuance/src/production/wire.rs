//! What stations and service send each other (`crypto::perso::protocol`), as the document describes it. A test holds
//! that these have the members of the types that are sent.

use utoipa::ToSchema;

macro_rules! described {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => { $(
        $(#[$doc])*
        #[derive(ToSchema)]
        #[expect(dead_code, reason = "describes what is sent by another type")]
        pub(super) struct $name { $($(#[$field_doc])* $field: $type,)* }
    )* };
}

described! {
    /// What a station reads from a chip: unproved.
    Presentation {
        /// Serial of the chip.
        #[schema(pattern = "^[0-9A-F]{20}$")]
        serial: String,
        /// Its life cycle: `blank`, `initialised`, `personalized`, `locked` or `terminated`.
        life_cycle: String,
        /// Version of its key set.
        key_version: u8,
        /// Sequence counter used last.
        sequence_counter: u32,
        /// Longest command APDU that it takes, in bytes.
        max_command: usize,
        /// Longest response APDU that it gives, in bytes.
        max_response: usize,
    }

    /// What the station read from the blank on its reader.
    Presented {
        /// In the clear and unproved.
        presentation: Presentation,
    }

    /// What the station read from the chip on its reader, and for which application.
    PresentedFor {
        /// In the clear and unproved.
        presentation: Presentation,
        /// The slip of an application that waits; without it, the one that waits longest is taken.
        slip: Option<String>,
        /// The batch of cards whose next item is wanted for a chip that belongs to no application yet; not with a slip.
        batch: Option<String>,
        /// The fence of the lease that this process has for the chip; none after a restart.
        fence: Option<u64>,
    }

    /// An item of a batch of cards that belongs to a station until a moment.
    Lease {
        /// The batch.
        batch: String,
        /// The item.
        item: String,
        /// Grows by one with every lease of the item.
        fence: u64,
        /// Until when; each order renews it.
        until: String,
    }

    /// How far a batch of cards is.
    BatchProgress {
        /// Its identifier.
        id: String,
        /// `released`, `running`, `paused` or `closed`.
        state: String,
        /// The higher, the more urgent.
        priority: u8,
        /// Items that wait for a chip.
        waiting: u64,
        /// Items that are bound to a chip.
        leased: u64,
        /// Items that are cards.
        done: u64,
        /// Items that become no card of this batch.
        left: u64,
        /// Chips that were used up and are no card.
        spoiled: u64,
        /// Cards per minute, over the last minutes.
        per_minute: f64,
        /// Seconds until all items are cards, at that rate; null without a rate.
        seconds_left: Option<u64>,
    }

    /// The batches of cards that the station's office works on, the most urgent first.
    OpenBatches {
        /// Released, running or paused.
        batches: Vec<BatchProgress>,
    }

    /// Commands for a chip, sealed.
    Order {
        /// Identifier given by the service, without meaning.
        id: String,
        /// Purpose of the order.
        purpose: String,
        /// Serial of the chip.
        #[schema(pattern = "^[0-9A-F]{20}$")]
        serial: String,
        /// Command APDUs in base64.
        commands: Vec<String>,
    }

    /// An order of intake.
    IntakeOrder {
        /// To be played as it is.
        order: Order,
    }

    /// What the station needs to read the finished card back.
    ReadBack {
        /// Card access number.
        #[schema(pattern = "^[0-9]{6}$")]
        can: String,
        /// Eight bytes that the chip signs.
        #[schema(pattern = "^[0-9a-f]{16}$")]
        challenge: String,
    }

    /// A sealed order and what is needed to read the finished card back.
    PersonalizationOrder {
        /// To be played as it is.
        order: Order,
        /// Access and challenge for reading the card back.
        read_back: ReadBack,
        /// The slip of the application that the chip is bound to.
        slip: String,
        /// What the service needs to know this order again if it loses its database: sealed, base64. The station keeps
        /// it with the order's commands, and gives it back when it is asked to.
        voucher: Option<String>,
        /// The lease, if the application is an item of a batch of cards.
        lease: Option<Lease>,
    }

    /// What a chip answered to an order.
    Receipt {
        /// Identifier of the order.
        order: String,
        /// Response APDUs in base64, in the order of the commands.
        responses: Vec<String>,
    }

    /// What a blank answered to an order of intake.
    IntakeReceipt {
        /// All answers.
        receipt: Receipt,
    }

    /// Active authentication over the challenge of the order.
    ActiveAuthentication {
        /// The challenge, eight bytes, hexadecimal.
        challenge: String,
        /// The chip's answer, `r || s`, hexadecimal.
        signature: String,
    }

    /// What a chip answered to an order of personalization, and its signature if it gave one.
    PersonalizationReceipt {
        /// All answers.
        receipt: Receipt,
        /// The chip's signature over the challenge of the order.
        active_authentication: Option<ActiveAuthentication>,
    }

    /// Why a station gives a chip up.
    Spoiled {
        /// What happened.
        reason: String,
        /// What shows it.
        evidence: String,
    }

    /// A chip in a station's custody.
    ChipInCustody {
        /// Its serial.
        #[schema(pattern = "^[0-9A-F]{20}$")]
        serial: String,
        /// What the ledger has it as: `delivered`, `initialised`, `bound`, `personalized`, `spoiled`; `tampered` for a
        /// record that was changed by another hand.
        state: String,
    }

    /// The chips in the custody of the station that asks.
    StationCustody {
        /// Blanks that still are to be taken in.
        delivered: u64,
        /// Stock: initialised, and bound to no application.
        initialised: u64,
        /// Bound to an application, and no card yet.
        bound: u64,
        /// Those of this page, by serial; of every state if one is asked for by its serial.
        items: Vec<ChipInCustody>,
        /// The next page is asked for with this text as `after`; null where the list ends.
        next: Option<String>,
    }

    /// What the service concluded from a receipt.
    Outcome {
        /// `incomplete`, `initialised` or `personalized`.
        outcome: String,
        /// Incomplete: what the station does next.
        next: Option<String>,
        /// Personalized: the card's id at the service.
        card_id: Option<String>,
    }
}

#[cfg(test)]
mod tests {
    use crypto::identity::CardSerial;
    use crypto::perso::{self, LifeCycle, protocol};
    use serde::Serialize;
    use serde_json::{Value, json};
    use utoipa::PartialSchema;

    use super::*;

    /// The members of what is sent, and of what is described.
    fn members<S: PartialSchema>(sent: &impl Serialize) -> (Vec<String>, Vec<String>) {
        let names = |value: &Value| {
            let mut names: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
            names.sort_unstable();
            names
        };
        let schema = serde_json::to_value(S::schema()).unwrap();
        (names(&json!(sent)), names(&schema["properties"]))
    }

    fn same<S: PartialSchema>(sent: &impl Serialize) {
        let (sent, described) = members::<S>(sent);
        assert_eq!(sent, described);
    }

    #[test]
    fn what_is_sent_is_what_is_described() {
        let serial = CardSerial([7; 10]);
        let presentation = perso::Presentation {
            serial,
            life_cycle: LifeCycle::Blank,
            key_version: 1,
            sequence_counter: 7,
            max_command: 261,
            max_response: 258,
        };
        same::<Presentation>(&presentation);
        let slip = "AAAAA00001".to_owned();
        let (batch, fence) = (Some(String::new()), Some(1));
        let wanted =
            protocol::PresentedFor { presentation: presentation.clone(), slip: Some(slip.clone()), batch, fence };
        same::<PresentedFor>(&wanted);
        same::<Presented>(&protocol::Presented { presentation });
        let order = perso::Order { id: String::new(), purpose: perso::Purpose::Intake, serial, commands: vec![] };
        same::<Order>(&order);
        same::<IntakeOrder>(&protocol::IntakeOrder { order: order.clone() });
        let read_back = protocol::ReadBack { can: "000017".to_owned(), challenge: [0; 8] };
        same::<ReadBack>(&read_back);
        let lease = protocol::Lease { batch: String::new(), item: String::new(), fence: 1, until: String::new() };
        same::<Lease>(&lease);
        same::<PersonalizationOrder>(&protocol::PersonalizationOrder {
            order,
            read_back,
            slip,
            voucher: Some(String::new()),
            lease: Some(lease),
        });
        let progress = protocol::BatchProgress {
            id: String::new(),
            state: String::new(),
            priority: 1,
            waiting: 0,
            leased: 0,
            done: 0,
            left: 0,
            spoiled: 0,
            per_minute: 0.0,
            seconds_left: None,
        };
        same::<BatchProgress>(&progress);
        same::<OpenBatches>(&protocol::OpenBatches { batches: vec![progress] });
        let receipt = perso::Receipt { order: String::new(), responses: vec![] };
        same::<Receipt>(&receipt);
        same::<IntakeReceipt>(&protocol::IntakeReceipt { receipt: receipt.clone() });
        let proof = protocol::ActiveAuthentication { challenge: vec![], signature: vec![] };
        same::<ActiveAuthentication>(&proof);
        let active_authentication = Some(proof);
        same::<PersonalizationReceipt>(&protocol::PersonalizationReceipt { receipt, active_authentication });
        same::<Spoiled>(&protocol::Spoiled { reason: String::new(), evidence: String::new() });
        same::<Outcome>(&protocol::Outcome::Initialised);
        let chip = protocol::ChipInCustody { serial, state: String::new() };
        same::<ChipInCustody>(&chip);
        let (delivered, initialised, bound, items, next) = (0, 0, 0, vec![chip], None);
        same::<StationCustody>(&protocol::Custody { delivered, initialised, bound, items, next });
    }
}
