//! The text of a statement, for each of the two databases.

/// One statement. Made only by [`sql!`](crate::sql), so that a test finds every text in the sources and
/// prepares it on both databases.
#[derive(Clone, Copy, Debug)]
pub struct Sql {
    pg: &'static str,
    lite: &'static str,
}

impl Sql {
    /// For [`sql!`](crate::sql) only.
    #[must_use]
    pub const fn new(pg: &'static str, lite: &'static str) -> Self {
        Self { pg, lite }
    }

    /// The text for PostgreSQL.
    #[must_use]
    pub const fn pg(self) -> &'static str {
        self.pg
    }

    /// The text for SQLite.
    #[must_use]
    pub const fn lite(self) -> &'static str {
        self.lite
    }
}

/// A statement with `$1` placeholders: one text for both databases, or `sql!(pg "…", lite "…")` where they must differ.
///
/// Returns a [`Sql`](crate::store::Sql). The texts are literals, so no caller can put a statement of their own.
#[macro_export]
macro_rules! sql {
    (pg $pg:literal, lite $lite:literal $(,)?) => {
        $crate::store::Sql::new($pg, $lite)
    };
    ($both:literal) => {
        $crate::store::Sql::new($both, $both)
    };
}
