//! Databases for tests that do not care how the tables came to be there.

use std::path::Path;

use issuance::server::migrations;
use issuance::store::{Db, StoreError, Tx};

use crate::postgres;

/// A database of PostgreSQL with the tables of this version, and nothing in them that a service puts there: a copy of
/// one that was migrated once, which is quicker than to migrate each. Without PostgreSQL it says so and returns `None`.
pub fn fresh_database() -> Option<String> {
    postgres::copied_database(|url| {
        let url = url.to_owned();
        // A thread of its own: the test that asks runs in a runtime already.
        let made = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
                let db = Db::connect(Some(&url), Path::new("/")).await.unwrap();
                db.migrate(&migrations()).await.unwrap();
                db.close().await;
            });
        });
        made.join().unwrap();
    })
}

/// Changes rows past every office, as an older program or another hand would have: again where a worker of the service,
/// which goes on meanwhile, was at the same rows.
pub async fn by_hand(db: &Db, change: impl AsyncFn(&mut Tx) -> Result<(), StoreError>) {
    for _ in 0..20 {
        let mut tx = db.begin_upkeep().await.unwrap();
        let done = match change(&mut tx).await {
            Ok(()) => tx.commit().await,
            Err(error) => Err(error),
        };
        match done {
            Err(StoreError::Busy(_)) => {}
            done => return done.unwrap(),
        }
    }
    panic!("a worker was at these rows twenty times");
}
