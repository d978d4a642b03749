//! What must hold at every moment of a history, and in the end.

use std::collections::BTreeMap;

use issuance::applications::store::progress;
use issuance::ground::Id;
use issuance::ground::ids::ApplicationId;
use issuance::server::overdue;
use issuance::store::Sql;
use issuance::{args, production, sql};
use serde_json::Value;

use super::House;

impl House {
    async fn count(&self, sql: Sql) -> u64 {
        let mut tx = self.offices.state.deeds().db().begin_read().await.unwrap();
        tx.one(sql, args![]).await.unwrap().unwrap().number("n").unwrap()
    }

    /// What must hold at every moment.
    pub(super) async fn is_in_order(&self) {
        let mut tx = self.offices.state.deeds().db().begin_read().await.unwrap();
        let found = overdue::look(&mut tx, self.offices.clock.today()).await.unwrap();
        assert_eq!(found.defects, vec![], "each dossier that waits has an owner and a day");
        assert_eq!(progress::count_ownerless(&mut tx).await.unwrap(), 0);
        let balances = production::balances(&mut tx).await.unwrap();
        assert_eq!((balances.sum, balances.complaints()), (0, vec![]));
        let open = sql!(
            "select id, stage from application where stage not in ('refused', 'cancelled', 'handed-over') order by id"
        );
        let rows = tx.all(open, args![]).await.unwrap();
        let there: BTreeMap<ApplicationId, String> =
            rows.iter().map(|row| (Id::of(row, "id").unwrap(), row.get("stage").unwrap())).collect();
        let under_way = self.open.iter().filter(|(_, dossier)| dossier.stage != "refused");
        let expected: BTreeMap<ApplicationId, String> =
            under_way.map(|(id, dossier)| (*id, dossier.stage.to_owned())).collect();
        assert_eq!(there, expected, "each dossier is where it was moved to");
        let rows = tx.all(sql!("select stage, count(*) as n from application group by stage"), args![]).await.unwrap();
        let there: BTreeMap<String, u64> =
            rows.iter().map(|row| (row.get("stage").unwrap(), row.number("n").unwrap())).collect();
        let mut expected: BTreeMap<String, u64> = BTreeMap::new();
        let open = self.open.values().map(|dossier| dossier.stage);
        for stage in open.chain(self.ended.values().copied()) {
            *expected.entry(stage.to_owned()).or_default() += 1;
        }
        assert_eq!(there, expected, "none is lost or doubled");
        // Each chip that carries a dossier is the one that the history put it on.
        let held = sql!("select id, state, state_data from chip where state in ('bound', 'personalized') order by id");
        let mut on_chips = BTreeMap::new();
        for row in tx.all(held, args![]).await.unwrap() {
            let (serial, data): (String, Value) = (row.get("id").unwrap(), row.json("state_data").unwrap());
            let application: ApplicationId = data["application"].as_str().unwrap().parse().unwrap();
            let before = on_chips.insert(application, serial);
            assert_eq!(before, None, "{application} is on two chips");
        }
        drop(tx);
        for (id, dossier) in &self.open {
            let expected = dossier.chip.as_ref().map(|chip| chip.serial.to_string());
            assert_eq!(on_chips.remove(id), expected, "{id} at {}", dossier.stage);
        }
        let handed_over = |id: &ApplicationId| self.ended.get(id) == Some(&"handed-over");
        assert!(on_chips.keys().all(handed_over), "a chip of an ended dossier is a card in a citizen's hand");
    }

    /// What must hold in the end.
    pub(super) async fn is_whole(&self) {
        self.is_in_order().await;
        let mut tx = self.offices.state.deeds().db().begin_read().await.unwrap();
        assert_eq!(production::check_ledger(&mut tx).await.unwrap().complaints, Vec::<String>::new());
        drop(tx);
        let chips = self.count(sql!("select count(*) as n from chip")).await;
        assert_eq!(chips, u64::from(self.chips), "no chip is lost or doubled");
        let twice = sql!(
            "select count(*) as n from (select person_id from card where status = 'active' group by person_id
             having count(*) > 1) two"
        );
        assert_eq!(self.count(twice).await, 0, "no person has two cards that count");
        let active = self.count(sql!("select count(*) as n from card where status = 'active'")).await;
        assert_eq!(active, self.holders.len() as u64, "each holder has a card that counts");
        let waiting = sql!("select count(*) as n from card where status = 'personalized'");
        assert_eq!(self.count(waiting).await, 0, "no card waits for a citizen who comes no more");
        let numbers = sql!("select count(distinct personal_number) as n from person where personal_number is not null");
        assert_eq!(self.count(numbers).await, self.persons as u64, "each number has one person");
        let closed = self.count(sql!("select count(*) as n from closed_application")).await;
        assert_eq!(closed, self.ended.len() as u64, "each dossier ended once");
        let unpaid = sql!(
            "select count(*) as n from application a where a.stage = 'handed-over' and a.fee <>
             (select coalesce(sum(f.settles), 0) from fee_entry f where f.application_id = a.id)"
        );
        assert_eq!(self.count(unpaid).await, 0, "each card is paid for, or exempt");
        let unclosed = sql!("select count(*) as n from card_batch where state <> 'closed'");
        assert_eq!(self.count(unclosed).await, 0, "each batch came to its end");
        let unsettled = sql!("select count(*) as n from stock_case where state <> 'settled'");
        assert_eq!(self.count(unsettled).await, 0, "each case is settled");
        let jobs = sql!("select count(*) as n from print_job where state in ('pending', 'written')");
        assert_eq!(self.count(jobs).await, 0, "nothing is left to print of what is over");
        Box::pin(self.offices.counts_are_true()).await;
    }
}
