//! What the register and the cards know is asked before a number is given, an application opened, a blank believed.

use crypto::identity::CardSerial;
use issuance::applications::hand_over::hand_over;
use issuance::applications::model::{ChangeReason, Kind, ReissueReason};
use issuance::applications::steps::{self as counter, Request};
use issuance::cards::steps as cards;
use issuance::deed::Object;
use issuance::ground::Role;
use issuance::ground::ids::PersonId;
use issuance::population::model::{Declaration, DeclaredRelative};
use issuance::production::steps::Delivery;
use issuance::production::{self, withdrawal};
use issuance::web::Problem;
use issuance::{args, numbering, population, sql};

use crate::offices::{LOST, Offices, appoint, declaration, moves, within};
use crate::tables::fresh_database;

/// Runs a scenario on SQLite, then on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            rules::$name(&Offices::open(None).await).await;
            if let Some(url) = fresh_database() {
                rules::$name(&Offices::open(Some(url)).await).await;
            }
        }
    )* };
}

on_both!(
    two_declarations_of_one_person_at_once_find_each_other,
    a_number_that_the_register_speaks_against_takes_an_officer_who_says_why,
    an_application_fits_the_cards_that_the_person_has_and_had,
    a_delivery_is_entered_at_once_and_has_a_limit,
    a_serial_that_another_office_claimed_is_named_and_taken_over_by_the_national_office,
    a_witness_is_another_officer_of_the_office,
);

/// The word that a caller is told.
fn word<T>(said: Result<T, impl Into<Problem>>) -> Result<T, &'static str> {
    said.map_err(|error| {
        let problem: Problem = error.into();
        problem.code().word()
    })
}

mod rules {
    use super::*;

    pub async fn two_declarations_of_one_person_at_once_find_each_other(offices: &Offices) {
        let register = &offices.state.register;
        for day in 10..20_usize {
            // Another mother each time, and a day far away: no pair is like the one before.
            let mother = ["Mùi", "Thân", "Dậu", "Tuất", "Hợi"][day % 5];
            let mother = DeclaredRelative { full_name: format!("Vàng Thị {mother}"), ..DeclaredRelative::default() };
            let birth_date = format!("{day}/0{}/19{}", day % 9 + 1, day * 4 + 10);
            let form = Declaration { birth_date, mother: Some(mother), ..declaration() };
            let declare =
                async || within!(offices, offices.registrar, deed => population::steps::declare(deed, register, &form));
            let (one, two) = tokio::join!(declare(), declare());
            let (one, two) = (one.unwrap(), two.unwrap());
            let suspected = [&one, &two].map(|(_, findings)| {
                findings.iter().filter(|finding| finding.code == "perhaps-declared-before").count()
            });
            assert_eq!(suspected.iter().sum::<usize>(), 1, "the later one finds the earlier one: {suspected:?}");
            // Each of them is a suspected double, whichever was later.
            for (person, _) in [one, two] {
                assert_eq!(numbered(offices, person, None).await, Err("acknowledgement-needed"));
            }
        }
    }

    async fn numbered(offices: &Offices, person: PersonId, acknowledged: Option<&str>) -> Result<(), &'static str> {
        let numbers = &offices.state.numbers;
        let establish = within!(offices, offices.registrar, deed => numbering::steps::establish(deed, numbers, person, acknowledged));
        word(establish).map(drop)
    }

    pub async fn a_number_that_the_register_speaks_against_takes_an_officer_who_says_why(offices: &Offices) {
        let foreigner = offices.declares(&Declaration { nationality: "FRA".into(), ..declaration() }).await;
        for words in [None, Some("he asked")] {
            assert_eq!(numbered(offices, foreigner, words).await, Err("not-entitled"), "no officer makes a citizen");
        }
        let dead = Declaration { died: "01/02/2020".into(), birth_date: "1950".into(), ..declaration() };
        let dead = offices.declares(&dead).await;
        assert_eq!(numbered(offices, dead, None).await, Err("acknowledgement-needed"));
        assert_eq!(numbered(offices, dead, Some(" \u{200b}")).await, Err("reason-missing"));
        numbered(offices, dead, Some("needed as a parent of record")).await.unwrap();
        let reasons = reasons(offices, Object::Person(dead), "number-established").await;
        assert_eq!(reasons, ["recorded as dead: needed as a parent of record"]);
        let sound =
            offices.declares(&Declaration { birth_date: "17/08/1973".into(), mother: None, ..declaration() }).await;
        numbered(offices, sound, None).await.unwrap();
    }

    /// The reasons that stand in the trail, and who gave them does too: a row without actor cannot be written.
    async fn reasons(offices: &Offices, object: Object, action: &str) -> Vec<String> {
        let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
        let sql = sql!("select reason from v_audit_entry where object = $1 and action = $2 order by id");
        let rows = tx.all(sql, args![object.to_string(), action]).await.unwrap();
        rows.iter().map(|row| row.get("reason").unwrap()).collect()
    }

    async fn applied(
        offices: &Offices,
        person: PersonId,
        kind: Kind,
        acknowledged: Option<&str>,
    ) -> Result<issuance::applications::model::Application, &'static str> {
        let office = offices.capture.office.clone();
        let request = Request { person, kind, office: &office, exempt: false, claim: None, acknowledged };
        word(within!(offices, offices.capture, deed => counter::register(deed, &offices.state.counter, request)))
    }

    pub async fn an_application_fits_the_cards_that_the_person_has_and_had(offices: &Offices) {
        let (lost, age) = (Kind::Reissue(ReissueReason::Lost), Kind::Change(ChangeReason::AgeReached));
        let person = offices.citizen().await;
        for kind in [lost, age, Kind::Change(ChangeReason::Damaged)] {
            let never = applied(offices, person, kind, None).await.map(drop);
            assert_eq!(never, Err("acknowledgement-needed"), "{kind:?} without ever a card");
        }
        assert_eq!(applied(offices, person, lost, Some(" ")).await.map(drop), Err("reason-missing"));
        let old = applied(offices, person, lost, Some("lost a card of 2016, police report 12")).await.unwrap();
        assert_eq!(old.fee, 70_000);
        let told = reasons(offices, Object::Application(old.id), "application-registered").await;
        assert_eq!(
            told,
            ["reissue; the register knows of no card that the person had: lost a card of 2016, police report 12"]
        );
        within!(offices, offices.capture, deed => withdrawal::cancel(deed, old.id, "found again")).unwrap();

        let first = offices.approved(person, Kind::First).await;
        let card = offices.card(&mut offices.initialised(1).await).await;
        within!(offices, offices.counter, deed => hand_over(deed, card, &first.slip.0)).unwrap();
        for words in [None, Some("she says so")] {
            // Minutes after the card was issued; and a card that is not reported lost.
            for kind in [age, lost] {
                let said = applied(offices, person, kind, words).await.map(drop);
                assert_eq!(said, Err("kind-contradicts-register"), "{kind:?} {words:?}");
            }
        }
        within!(offices, offices.counter, deed => cards::report_loss(deed, card, LOST)).unwrap();
        for kind in [Kind::First, age, Kind::Change(ChangeReason::OnRequest)] {
            let said = applied(offices, person, kind, Some("she says so")).await.map(drop);
            assert_eq!(said, Err("kind-contradicts-register"), "{kind:?} after a loss");
        }
        assert_eq!(applied(offices, person, lost, None).await.map(|application| application.fee), Ok(70_000));
    }

    async fn delivered(
        offices: &Offices,
        officer: &issuance::ground::Officer,
        serials: &[CardSerial],
    ) -> Result<(), Problem> {
        let production = &offices.state.production;
        let delivery =
            Delivery { manufacturer: "Maker", batch: "1", transport_key_id: "maker", firmware: None, serials };
        let said = within!(offices, officer, deed => production::steps::deliver(deed, production, delivery));
        said.map(drop).map_err(Problem::from)
    }

    fn serials(series: u8, number: usize) -> Vec<CardSerial> {
        let digits = |n: usize| u32::try_from(n).unwrap().to_be_bytes();
        let serial = |[a, b, c, d]: [u8; 4]| CardSerial([series, 0, 0, 0, 0, 0, a, b, c, d]);
        (0..number).map(|n| serial(digits(n))).collect()
    }

    pub async fn a_delivery_is_entered_at_once_and_has_a_limit(offices: &Offices) {
        let most = serials(1, 10_000);
        delivered(offices, &offices.stock, &most).await.unwrap();
        let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
        let sql = sql!("select count(*) as n from chip where office = 'district-1' and state = 'delivered'");
        assert_eq!(tx.one(sql, args![]).await.unwrap().unwrap().get::<i64>("n").unwrap(), 10_000);
        drop(tx);
        let code = |said: Result<(), Problem>| said.unwrap_err().code().word();
        assert_eq!(code(delivered(offices, &offices.stock, &serials(2, 10_001)).await), "list-too-long");
        let twice = [serials(3, 2), serials(3, 1)].concat();
        assert_eq!(code(delivered(offices, &offices.stock, &twice).await), "serial-already-delivered");
        let station = offices.station.id;
        let all =
            within!(offices, offices.stock, deed => production::steps::give_custody(deed, &most[..1_001], station));
        assert_eq!(word(all), Err("list-too-long"));
        within!(offices, offices.stock, deed => production::steps::give_custody(deed, &most[..100], station)).unwrap();
    }

    /// A typing mistake or a lie of one office does not keep the true delivery of another one out for ever.
    pub async fn a_serial_that_another_office_claimed_is_named_and_taken_over_by_the_national_office(
        offices: &Offices,
    ) {
        let deeds = offices.state.deeds();
        let elsewhere = moves(deeds, &appoint(deeds, Role::Stock).await, "district-2").await;
        let blanks = serials(7, 3);
        delivered(offices, &elsewhere, &blanks[1..2]).await.unwrap();
        let refused = delivered(offices, &offices.stock, &blanks).await.unwrap_err();
        assert_eq!(refused.code().word(), "serial-already-delivered");
        assert!(format!("{refused:?}").contains("district-2"), "{refused:?}");
        let national = moves(deeds, &appoint(deeds, Role::Stock).await, "national").await;
        delivered(offices, &national, &blanks).await.unwrap();
        let station = offices.station.id;
        let given = within!(offices, national, deed => production::steps::give_custody(deed, &blanks, station));
        assert_eq!(word(given), Err("other-office"), "between two offices they go in a box");
        let to = "district-1".parse().unwrap();
        let sent = within!(offices, national, deed => production::boxes::send(deed, &blanks, to, 2)).unwrap();
        let stock = &offices.stock;
        within!(offices, stock, deed => production::boxes::receive(deed, sent.id, &blanks, None)).unwrap();
        within!(offices, stock, deed => production::steps::give_custody(deed, &blanks, station)).unwrap();
        // What a station holds is no longer a claim on paper.
        let held = delivered(offices, &national, &blanks[..1]).await.unwrap_err();
        assert_eq!(held.code().word(), "serial-already-delivered");
    }

    pub async fn a_witness_is_another_officer_of_the_office(offices: &Offices) {
        let blanks = serials(9, 1);
        delivered(offices, &offices.stock, &blanks).await.unwrap();
        let elsewhere = moved(offices, "district-2").await;
        let unknown = issuance::ground::Id::from_uuid(uuid::Uuid::nil());
        let gone = dismissed(offices).await;
        let stock = &offices.stock;
        for (who, witness) in [("self", stock.id), ("unknown", unknown), ("elsewhere", elsewhere), ("gone", gone)] {
            let off = within!(offices, stock, deed => withdrawal::write_off(deed, &blanks[0], "torn", witness));
            assert_eq!(word(off).map(drop), Err("witness-unfit"), "{who}");
        }
        let (witness, other) = (&offices.approver, &offices.capture);
        let confirms = async |by: &issuance::ground::Officer| {
            word(within!(offices, by, deed => withdrawal::confirm_write_off(deed, &blanks[0], "torn")))
        };
        assert_eq!(confirms(witness).await.map(drop), Err("proposal-unknown"), "before it is proposed");
        let off = within!(offices, stock, deed => withdrawal::write_off(deed, &blanks[0], "torn", witness.id)).unwrap();
        assert_eq!(off.state.name(), "delivered", "it waits for the witness");
        for by in [stock, other] {
            assert_eq!(confirms(by).await.map(drop), Err("proposal-unknown"), "another officer than the witness");
        }
        let deeds = offices.state.deeds();
        let moved = moves(deeds, witness, "district-2").await;
        assert_eq!(confirms(&moved).await.map(drop), Err("witness-unfit"), "no longer of the office");
        moves(deeds, witness, "district-1").await;
        offices.clock.advance(time::Duration::days(7));
        assert_eq!(confirms(witness).await.map(drop), Err("proposal-unknown"), "after a week");
        within!(offices, stock, deed => withdrawal::write_off(deed, &blanks[0], "torn", witness.id)).unwrap();
        let off = confirms(witness).await.unwrap();
        let account = &serde_json::to_value(&off.state).unwrap()["account"];
        assert_eq!(account["evidence"], format!("witness officer/{}", witness.id));
        assert_eq!(account["by"], format!("officer/{}", stock.id));
        assert_eq!(confirms(witness).await.map(drop), Err("proposal-unknown"), "once");
        let again = within!(offices, stock, deed => withdrawal::write_off(deed, &blanks[0], "torn", witness.id));
        assert_eq!(word(again).map(drop), Err("chip-spoiled"));
        let told = offices.trail(issuance::deed::Object::Chip(blanks[0])).await;
        assert_eq!(told.iter().filter(|action| *action == "chip-write-off-proposed").count(), 2, "{told:?}");
    }

    /// An officer who works at another office.
    async fn moved(offices: &Offices, office: &str) -> issuance::ground::ids::OfficerId {
        let officer = appoint(offices.state.deeds(), Role::Stock).await;
        changed(offices, officer.id, sql!("update officer set office = $1 where id = $2"), args![office, officer.id])
            .await;
        officer.id
    }

    /// An officer whose account is closed.
    async fn dismissed(offices: &Offices) -> issuance::ground::ids::OfficerId {
        let officer = appoint(offices.state.deeds(), Role::Stock).await;
        let sql = sql!("update officer set disabled_at = $1 where id = $2");
        changed(offices, officer.id, sql, args![offices.clock.now(), officer.id]).await;
        officer.id
    }

    async fn changed(
        offices: &Offices,
        id: issuance::ground::ids::OfficerId,
        sql: issuance::store::Sql,
        arguments: Vec<issuance::store::Argument>,
    ) {
        let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
        assert_eq!(tx.change(&issuance::access::OFFICER, id, sql, arguments).await.unwrap(), 1);
        tx.commit().await.unwrap();
    }
}
