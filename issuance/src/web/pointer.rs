//! Where in a JSON text something does not fit, as a JSON pointer (RFC 6901): serde tells line and column.

/// Returns the pointer of the value that is read last in a prefix of a JSON text: the value under way, or just ended.
#[must_use]
pub(super) fn of_last(prefix: &[u8]) -> String {
    let mut open: Vec<Place> = Vec::new();
    let mut at = 0;
    while let Some(byte) = prefix.get(at) {
        match byte {
            b'{' => open.push(Place::Object { key: None, wants_key: true }),
            b'[' => open.push(Place::Array(0)),
            b'}' | b']' => _ = open.pop(),
            b',' => match open.last_mut() {
                Some(Place::Object { wants_key, .. }) => *wants_key = true,
                Some(Place::Array(index)) => *index += 1,
                None => {}
            },
            b'"' => {
                let end = end_of_string(prefix, at);
                if let Some(Place::Object { key, wants_key: wants_key @ true }) = open.last_mut() {
                    *key = serde_json::from_slice(&prefix[at..end]).ok();
                    *wants_key = false;
                }
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    let mut pointer = String::new();
    for place in &open {
        match place {
            Place::Object { key: Some(key), .. } => push(&mut pointer, key),
            Place::Object { key: None, .. } => {}
            Place::Array(index) => push(&mut pointer, &index.to_string()),
        }
    }
    pointer
}

/// Appends a member's name to a pointer.
pub(super) fn push(pointer: &mut String, name: &str) {
    pointer.push('/');
    pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
}

/// The offset of line and column in a text, both counted from one, as serde counts them.
pub(super) fn offset(text: &[u8], line: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive(|byte| *byte == b'\n').take(line.saturating_sub(1)).map(<[u8]>::len).sum();
    (before + column).min(text.len())
}

enum Place {
    Object { key: Option<String>, wants_key: bool },
    Array(usize),
}

/// Returns the offset behind the string that begins at a quotation mark.
fn end_of_string(text: &[u8], begin: usize) -> usize {
    let mut at = begin + 1;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "read only to be refused")]
    struct Whole {
        name: String,
        #[serde(default)]
        parts: Vec<Part>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "read only to be refused")]
    struct Part {
        n: u8,
    }

    #[test]
    fn the_value_that_does_not_fit_is_pointed_at() {
        for (text, pointer) in [
            (r#"{"name": 7}"#, "/name"),
            ("{\n  \"name\": \"x\\\"{\",\n  \"parts\": [{\"n\": 1}, {\"n\": 256}]\n}", "/parts/1/n"),
            (r#"{"name": "x", "parts": [{"n": 1}, {}]}"#, "/parts/1"),
            (r#"{"name": "x", "parts": [{"n": 1, "m~/": 1}]}"#, "/parts/0/m~0~1"),
            (r#"{"parts": []}"#, ""),
            (r#"{"name": "x", "parts": {"n": 1}}"#, "/parts"),
            ("7", ""),
        ] {
            let error = serde_json::from_str::<Whole>(text).unwrap_err();
            let prefix = &text.as_bytes()[..offset(text.as_bytes(), error.line(), error.column())];
            assert_eq!(of_last(prefix), pointer, "{text}: {error}");
        }
    }

    #[test]
    fn no_text_breaks_the_search() {
        for text in ["", "\"", "\"\\", "}{]", ",,", "{\"a\"", "[[[{\"\\u00"] {
            let _ = of_last(text.as_bytes());
        }
    }
}
