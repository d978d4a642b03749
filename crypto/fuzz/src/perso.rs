//! Orders and receipts, which travel through a station.

use crypto::apdu::{Command, Response};
use crypto::command::store_data::StoreData;
use crypto::conversation::{CardTransport, Fault};
use crypto::perso::{Collector, Order, Presentation, Receipt, Record, Script, play};
use crypto::scp03::KeySet;

/// Keys of the chip whose receipt is the seed.
pub fn keys() -> KeySet {
    KeySet::new(&[0x40; 16], &[0x41; 16], &[0x42; 16]).expect("three keys of AES-128")
}

struct Yes;

impl CardTransport for Yes {
    type Error = Complaint;

    fn transmit(&mut self, _: &Command) -> Result<Response, Complaint> {
        Ok(Response::success([]))
    }
}

struct Complaint;

impl From<Fault> for Complaint {
    fn from(_: Fault) -> Self {
        Self
    }
}

pub fn order(bytes: &[u8]) {
    if let Ok(order) = serde_json::from_slice::<Order>(bytes) {
        let again = serde_json::to_vec(&order).expect("an order can be written");
        assert_eq!(serde_json::from_slice::<Order>(&again).ok().as_ref(), Some(&order));
        let (receipt, error) = play(&mut Yes, &order, &mut |_| {});
        assert_eq!(error.is_none(), receipt.answers(&order));
    }
    if let Ok(presentation) = serde_json::from_slice::<Presentation>(bytes) {
        let mut rng = super::chip::fixed_rng();
        if let Ok(script) = Script::report(&keys(), &presentation, &mut rng) {
            assert_eq!(script.steps().len(), script.order("x").commands.len());
        }
    }
    if let Ok(record) = serde_json::from_slice::<Record>(bytes) {
        let script = Script::from_record(record);
        let receipt = Receipt { order: String::new(), responses: vec![vec![0x90, 0x00]; 3] };
        let _ = (script.steps(), script.verify(&keys(), &receipt));
    }
}

pub fn receipt(bytes: &[u8]) {
    let Ok(receipt) = serde_json::from_slice::<Receipt>(bytes) else { return };
    let again = serde_json::to_vec(&receipt).expect("a receipt can be written");
    assert_eq!(serde_json::from_slice::<Receipt>(&again).ok().as_ref(), Some(&receipt));
    let record = serde_json::from_slice::<Record>(include_bytes!("../context/record.json")).expect("our own record");
    if Script::from_record(record).verify(&keys(), &receipt).is_ok() {
        let genuine = serde_json::from_slice::<Receipt>(include_bytes!("../seeds/receipt/genuine.json")).expect("ours");
        assert_eq!(receipt.responses, genuine.responses, "a forged receipt");
    }
}

/// The first byte cuts the rest into blocks.
pub fn store_data(bytes: &[u8]) {
    let Some((cut, stream)) = bytes.split_first() else { return };
    let mut collector = Collector::new();
    let mut blocks = stream.chunks(usize::from(*cut).max(1)).enumerate().peekable();
    let mut refused = false;
    while let Some((number, block)) = blocks.next() {
        let [.., number] = number.to_be_bytes();
        let last = blocks.peek().is_none();
        refused |= collector.take(&StoreData { last, block: number, data: block.to_vec() }).is_err();
    }
    assert!(!(refused && collector.is_complete()), "a stream that was refused in part is complete");
}
