//! Named points at which a debug build ends itself, so that tests can put a crash exactly there.
//!
//! `ISSUANCE_FAILPOINT=NAME:N` aborts the process when it passes the point `NAME` for the `N`-th time, counted from 1:
//! as abrupt as SIGKILL, nothing is unwound or flushed. A release build has no points: it neither reads the variable
//! nor counts, which a test of `tests` shows on the compiled file.

/// Between two pieces of 64 KiB of a backup, or of a backup that is put back.
pub const BACKUP_PIECE: &str = "backup-piece";
/// Between the answer to the message of a birth and the file that keeps it.
pub const BIRTH_ANSWERED: &str = "birth-answered";
/// Between the signature of a document and its storage.
pub const DOCUMENT_SIGNED: &str = "document-signed";
/// Between the writing of a file and its rename into the place of the old one.
pub const FILE_WRITTEN: &str = "file-written";
/// Between the rename of a file and the flush of its folder.
pub const FILE_RENAMED: &str = "file-renamed";
/// Between a notice that the other side took and the record of it.
pub const NOTICE_DELIVERED: &str = "notice-delivered";
/// Between a notification that a partner's address took and the record of it.
pub const NOTIFICATION_DELIVERED: &str = "notification-delivered";
/// Before an order of a lost database is judged.
pub const REENTRY: &str = "reentry";
/// Between the commit of a write and its answer.
pub const WRITE_COMMITTED: &str = "write-committed";

/// Passes the point with this name. In a debug build that was told so, the process ends here.
#[cfg(debug_assertions)]
pub fn pass(name: &str) {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static PLAN: LazyLock<Option<(String, u64)>> = LazyLock::new(|| {
        let plan = std::env::var("ISSUANCE_FAILPOINT").ok()?;
        let (name, turn) = plan.split_once(':')?;
        Some((name.to_owned(), turn.parse().ok()?))
    });
    static PASSED: AtomicU64 = AtomicU64::new(0);
    if let Some((wanted, turn)) = PLAN.as_ref()
        && wanted == name
        && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == *turn
    {
        std::process::abort();
    }
}

/// Does nothing: this is a release build.
#[cfg(not(debug_assertions))]
#[inline]
pub const fn pass(_: &str) {}
