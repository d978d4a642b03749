//! One SQL, two databases.

use issuance::args;
use issuance::store::StoreError;
use time::OffsetDateTime;

use crate::house::on_both;

#[tokio::test]
async fn what_goes_in_comes_out() {
    on_both(async |house| {
        let app = house.service.app();
        let at = app.now();
        let mut tx = app.begin().await.unwrap();
        tx.run(
            "insert into trust_bundle (id, issued_at, content_hash, prepared, signed) values ($1, $2, $3, $4, $5)",
            args!["Nguyễn", at, [7; 32], &[0_u8, 255][..], None::<Vec<u8>>],
        )
        .await
        .unwrap();
        let sql = "select id, issued_at, content_hash, prepared, signed from trust_bundle where id = $1";
        let row = tx.one_locked(sql, args!["Nguyễn"]).await.unwrap().unwrap();
        assert_eq!(row.get::<String>("id").unwrap(), "Nguyễn");
        assert_eq!(row.get::<OffsetDateTime>("issued_at").unwrap(), at);
        assert_eq!(row.array::<32>("content_hash").unwrap(), [7; 32]);
        assert_eq!(row.get::<Vec<u8>>("prepared").unwrap(), [0, 255]);
        assert_eq!(row.get::<Option<Vec<u8>>>("signed").unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_row_that_does_not_parse_is_named_with_table_column_and_id() {
    on_both(async |house| {
        let app = house.service.app();
        let mut tx = app.begin().await.unwrap();
        tx.run("update officer set roles = $1, office = $2", args!["[\"emperor\"]", "Ở đây"]).await.unwrap();
        let row = tx.one("select id, roles, office, made_at from officer", vec![]).await.unwrap().unwrap();
        let id = row.get::<String>("id").unwrap();
        let error = row.json::<Vec<issuance::access::Role>>("roles").unwrap_err();
        let StoreError::Inconsistent { table, column, id: culprit } = error else { panic!("{error}") };
        assert_eq!((table.as_str(), column.as_str(), culprit), ("officer", "roles", id));
        assert!(row.parsed::<issuance::access::OfficeCode>("office").is_err());
        assert!(row.number::<u8>("made_at").is_err());
        assert!(row.get::<bool>("made_at").is_err());
        assert!(row.get::<String>("nowhere").is_err());
    })
    .await;
}

#[tokio::test]
async fn a_unique_constraint_is_a_duplicate_and_a_dropped_transaction_never_happened() {
    on_both(async |house| {
        let app = house.service.app();
        let insert = "insert into signing_key (id, name, used) values ($1, $2, $3)";
        let mut tx = app.begin().await.unwrap();
        tx.run(insert, args!["a", "x", 0_i64]).await.unwrap();
        assert!(matches!(tx.run(insert, args!["a", "y", 0_i64]).await, Err(StoreError::Duplicate { .. })));
        drop(tx);
        assert_eq!(house.count("select count(*) as n from signing_key where id = $1", args!["a"]).await, 0);
    })
    .await;
}

#[tokio::test]
async fn twenty_workers_claim_each_piece_once() {
    on_both(async |house| {
        let app = house.service.app().clone();
        let mut tx = app.begin().await.unwrap();
        for n in 0..40 {
            tx.run("insert into signing_key (id, name, used) values ($1, 'piece', 0)", args![format!("{n:02}")])
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
        let workers: Vec<_> = (0..20)
            .map(|_| {
                let app = app.clone();
                tokio::spawn(async move {
                    let mut claimed = Vec::new();
                    loop {
                        let mut tx = app.begin().await.unwrap();
                        let next = "select id from signing_key where name = 'piece' and used = 0 order by id limit 1";
                        let Some(row) = tx.claim(next, vec![]).await.unwrap() else { return claimed };
                        let id: String = row.get("id").unwrap();
                        tx.run("update signing_key set used = 1 where id = $1", args![&id]).await.unwrap();
                        tx.commit().await.unwrap();
                        claimed.push(id);
                    }
                })
            })
            .collect();
        let mut all = Vec::new();
        for worker in workers {
            all.extend(worker.await.unwrap());
        }
        all.sort();
        assert_eq!(all, (0..40).map(|n| format!("{n:02}")).collect::<Vec<_>>());
    })
    .await;
}
