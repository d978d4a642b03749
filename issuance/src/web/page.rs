//! Lists, page by page: one shape for all, and a cursor that names the last item instead of a count of those before it,
//! so that each page costs the same.
#![expect(clippy::disallowed_types, reason = "the query of a list is read in two parts, and refused in our words")]

use std::fmt::Display;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Query};
use axum::http::Uri;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto::perso::problem::ProblemCode;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Problem;
use crate::ground::text::Words;
use crate::store::{Record, StoreError};

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// In the order of the list, oldest first.
    pub items: Vec<T>,
    /// The next page is asked for with this text as `after`; null where the list ends. It has no meaning but this.
    pub next: Option<String>,
    /// Keys of rows of this page that another hand changed so that nothing of them can be shown; left
    /// out where there is none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub unreadable: Vec<String>,
}

impl<T> Page<T> {
    /// Makes a page of rows that were asked for with one more than a page holds ([`Listing::most`]); each comes with
    /// the key by which the list is ordered.
    #[must_use]
    pub fn of<K: Display>(mut rows: Vec<(K, T)>, limit: u16) -> Self {
        let more = rows.len() > usize::from(limit);
        rows.truncate(limit.into());
        let next = rows.last().filter(|_| more).map(|(key, _)| cursor(key));
        Self { items: rows.into_iter().map(|(_, item)| item).collect(), next, unreadable: vec![] }
    }

    /// A list that is one page.
    #[must_use]
    pub const fn whole(items: Vec<T>) -> Self {
        Self { items, next: None, unreadable: vec![] }
    }

    /// As [`of`](Self::of) for rows of a sealed table, each with whether its MAC holds, in the order of their column
    /// `id`. A row that another hand changed so that `item` cannot read it is named, and hides no other.
    ///
    /// # Errors
    /// [`StoreError`] for a row that holds and cannot be read: a fault of this program.
    pub fn judged<'r, K: Display + FromStr>(
        rows: &'r [(Record, bool)],
        limit: u16,
        item: impl Fn(&'r (Record, bool)) -> Result<(K, T), StoreError>,
    ) -> Result<Self, StoreError> {
        let (mut items, mut unreadable, mut last) = (vec![], vec![], None);
        for judged in rows.iter().take(limit.into()) {
            let (row, holds) = judged;
            match item(judged) {
                Ok((key, item)) => {
                    last = Some(key.to_string());
                    items.push(item);
                }
                Err(error) if *holds => return Err(error),
                Err(_) => {
                    let key = row.name();
                    last = key.parse::<K>().is_ok().then(|| key.clone()).or(last);
                    unreadable.push(key);
                }
            }
        }
        let next = last.filter(|_| rows.len() > usize::from(limit)).map(|key| cursor(&key));
        Ok(Self { items, next, unreadable })
    }
}

/// The page wanted: parameters that every list takes beside its own.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageAsked {
    /// `next` of the page before; the first page is asked for without it.
    #[param(value_type = Option<String>, max_length = 400)]
    after: Option<Words<400>>,
    /// Items of a page [default: 50].
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u16>,
}

/// Extracts what a list is asked for: its filter, and the page, after the item with this key.
#[derive(Debug)]
pub struct Listing<F, K> {
    /// The list's own parameters.
    pub filter: F,
    /// The key of the last item of the page before.
    pub after: Option<K>,
    /// Items of a page.
    pub limit: u16,
}

impl<F, K> Listing<F, K> {
    /// Rows to ask the database for: one more than a page holds, to see whether there is another page.
    #[must_use]
    pub fn most(&self) -> i64 {
        i64::from(self.limit) + 1
    }
}

impl<F: DeserializeOwned, K: FromStr, S: Sync> FromRequestParts<S> for Listing<F, K> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        // U+0000, which PostgreSQL does not take and SQLite does.
        if query.contains("%00") {
            return Err(Problem::new(ProblemCode::QueryMalformed));
        }
        let of_page = |pair: &&str| ["after", "limit"].contains(&pair.split('=').next().unwrap_or_default());
        let (page, filter): (Vec<&str>, Vec<&str>) =
            query.split('&').filter(|pair| !pair.is_empty()).partition(of_page);
        let PageAsked { after, limit } = read(&page)?;
        let limit = limit.unwrap_or(USUAL);
        if !(1..=MOST).contains(&limit) {
            return Err(Problem::new(ProblemCode::QueryMalformed).detail(format!("limit: 1 to {MOST}")));
        }
        let unknown = || Problem::new(ProblemCode::QueryMalformed).detail("after: no `next` of this list");
        let after = after.map(|text| key(text.as_str()).ok_or_else(unknown)).transpose()?;
        Ok(Self { filter: read(&filter)?, after, limit })
    }
}

/// Reads some of the pairs of a query.
fn read<T: DeserializeOwned>(pairs: &[&str]) -> Result<T, Problem> {
    let malformed = || Problem::new(ProblemCode::QueryMalformed);
    let uri = Uri::try_from(format!("/?{}", pairs.join("&"))).map_err(|_| malformed())?;
    Query::try_from_uri(&uri).map(|Query(asked)| asked).map_err(|_| malformed())
}

fn cursor(key: &impl Display) -> String {
    URL_SAFE_NO_PAD.encode(key.to_string())
}

fn key<K: FromStr>(cursor: &str) -> Option<K> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    std::str::from_utf8(&bytes).ok()?.parse().ok()
}

/// Items of a page, where the caller does not say.
const USUAL: u16 = 50;
/// Items of a page, at most.
const MOST: u16 = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Filter {
        office: Option<String>,
    }

    async fn asked(query: &str) -> Result<Listing<Filter, u64>, ProblemCode> {
        let request = axum::http::Request::builder().uri(format!("/list{query}")).body(()).unwrap();
        let (mut parts, ()) = request.into_parts();
        Listing::from_request_parts(&mut parts, &()).await.map_err(|problem| problem.code())
    }

    #[tokio::test]
    async fn a_list_takes_its_own_parameters_and_a_page() {
        let listing = asked(&format!("?office=o-1&limit=2&after={}", cursor(&7))).await.unwrap();
        assert_eq!((listing.filter.office.as_deref(), listing.after, listing.limit), (Some("o-1"), Some(7), 2));
        assert_eq!(listing.most(), 3);
        let listing = asked("").await.unwrap();
        assert_eq!((listing.filter.office, listing.after, listing.limit), (None, None, 50));
    }

    #[tokio::test]
    async fn what_no_list_understands_is_refused() {
        for query in ["?limit=0", "?limit=201", "?limit=x", "?limit=1&limit=2", "?after=%3f", "?after=eA", "?offset=3"]
        {
            assert_eq!(asked(query).await.unwrap_err(), ProblemCode::QueryMalformed, "{query}");
        }
        assert_eq!(asked("?office=%00").await.unwrap_err(), ProblemCode::QueryMalformed);
    }

    #[test]
    fn a_page_says_where_the_next_one_begins_and_the_last_one_does_not() {
        let rows = |n: u64| (1..=n).map(|key| (key, key)).collect::<Vec<_>>();
        let page = Page::of(rows(3), 2);
        assert_eq!((page.items, page.next.and_then(|next| key::<u64>(&next))), (vec![1, 2], Some(2)));
        assert_eq!(Page::of(rows(2), 2).next, None);
        assert_eq!(Page::of(rows(0), 2).next, None);
    }
}
