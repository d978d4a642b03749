//! Entity tags of RFC 9110 §8.8.3, and what `If-None-Match` says of one.

use axum::http::{HeaderMap, header};

/// True if `If-None-Match` (RFC 9110 §13.1.2) names this entity tag, or any by `*`: then the caller has what would be
/// answered. `opaque` is the tag without its quotation marks. Tags are compared weakly, so `W/"1"` names `"1"`. What
/// does not follow the grammar names nothing, and the answer is given whole.
///
/// ```text
/// If-None-Match = "*" / #entity-tag
/// entity-tag    = [ "W/" ] DQUOTE *etagc DQUOTE
/// ```
#[must_use]
pub fn is_known(headers: &HeaderMap, opaque: &str) -> bool {
    // Several lines of one field are one list (§5.3).
    let lines = headers.get_all(header::IF_NONE_MATCH).iter().map(|line| line.as_bytes().trim_ascii());
    let lines: Vec<&[u8]> = lines.collect();
    if lines == [b"*"] {
        return true;
    }
    let tags: Option<Vec<_>> = lines.into_iter().map(listed).collect();
    tags.is_some_and(|tags| tags.concat().contains(&opaque.as_bytes()))
}

/// Returns the opaque tags of one line; `None` if it does not follow the grammar. A comma may stand in a tag.
fn listed(line: &[u8]) -> Option<Vec<&[u8]>> {
    let (mut tags, mut rest) = (Vec::new(), line);
    loop {
        // An empty member of a list is passed over (§5.6.1).
        rest = rest.trim_ascii_start();
        if let Some(after) = rest.strip_prefix(b",") {
            rest = after;
            continue;
        }
        if rest.is_empty() {
            return Some(tags);
        }
        let quoted = rest.strip_prefix(b"W/").unwrap_or(rest).strip_prefix(b"\"")?;
        let end = quoted.iter().position(|byte| *byte == b'"')?;
        let (tag, after) = (&quoted[..end], quoted[end + 1..].trim_ascii_start());
        if !tag.iter().all(|byte| matches!(byte, 0x21..=0x7e | 0x80..)) || !(after.is_empty() || after[0] == b',') {
            return None;
        }
        tags.push(tag);
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn known(lines: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::IF_NONE_MATCH, HeaderValue::from_str(line).unwrap());
        }
        is_known(&headers, "a,1")
    }

    #[test]
    fn a_tag_is_known_alone_in_a_list_weak_and_on_a_second_line() {
        for lines in [
            &["\"a,1\""][..],
            &["W/\"a,1\""],
            &["*"],
            &["\"x\", W/\"a,1\" ,\"y\""],
            &[", ,\"a,1\","],
            &["\"x\"", "W/\"y\",\"a,1\""],
        ] {
            assert!(known(lines), "{lines:?}");
        }
    }

    #[test]
    fn what_names_another_tag_or_follows_no_grammar_names_nothing() {
        for lines in [
            &[][..],
            &[""],
            &["\"a\""],
            &["a,1"],
            &["\"a,1"],
            &["w/\"a,1\""],
            &["W/ \"a,1\""],
            &["\"x\" \"a,1\""],
            &["\"x,\"a,1\",y\""],
            &["\"x\", *"],
            &["*", "\"x\""],
            &["\"x a,1\""],
        ] {
            assert!(!known(lines), "{lines:?}");
        }
    }
}
