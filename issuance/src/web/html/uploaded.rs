//! A form that came back with a file in it (`multipart/form-data`, RFC 7578), as browsers write it. It is read whole,
//! within the limits of the caller, as every body is; what the browser says of the file's name and kind is not believed
//! and not kept.

use axum::extract::{FromRequest, Request};
use axum::http::header;
use crypto::perso::problem::ProblemCode;
use sha2::{Digest, Sha256};

use super::filled::Filled;
use super::frame::Visitor;
use crate::web::Problem;
use crate::web::write::body_of;

/// The fields of a form, and the one file in it.
pub(crate) struct Uploaded {
    /// The fields. Their token is right.
    pub(crate) filled: Filled,
    /// The file; empty if none was chosen.
    pub(crate) file: Vec<u8>,
}

/// Shows nothing: what is sent is personal.
impl std::fmt::Debug for Uploaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Uploaded(…)")
    }
}

impl<S: Send + Sync> FromRequest<S> for Uploaded {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let malformed = || Problem::new(ProblemCode::BodyMalformed);
        let token = request.extensions().get::<Visitor>().map(|visitor| visitor.token.clone());
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let boundary = boundary(kind).ok_or_else(malformed)?.to_owned();
        let mut hash = Sha256::new();
        for part in [request.method().as_str(), request.uri().path()] {
            hash.update(part);
            hash.update([0]);
        }
        let bytes = body_of(request).await?;
        hash.update(&bytes);
        let (mut fields, mut file) = (vec![], None);
        for Part { name, is_file, value } in parts(&bytes, &boundary).ok_or_else(malformed)? {
            if is_file {
                if file.replace(value.to_vec()).is_some() {
                    return Err(malformed());
                }
                continue;
            }
            let text = std::str::from_utf8(value).map_err(|_| malformed())?;
            if text.contains('\0') {
                return Err(Problem::new(ProblemCode::TextUnfit).detail("a text holds U+0000"));
            }
            fields.push((name.to_owned(), text.to_owned()));
        }
        let filled = Filled::of(fields, hash.finalize().into(), token.as_deref())?;
        Ok(Self { filled, file: file.unwrap_or_default() })
    }
}

/// One field of a form.
#[derive(Debug, Eq, PartialEq)]
struct Part<'a> {
    name: &'a str,
    is_file: bool,
    value: &'a [u8],
}

/// Returns the boundary that a content type names.
fn boundary(kind: &str) -> Option<&str> {
    let rest = kind.strip_prefix("multipart/form-data;")?;
    let boundary = rest.split(';').find_map(|pair| pair.trim().strip_prefix("boundary="))?.trim_matches('"');
    (1..=70).contains(&boundary.len()).then_some(boundary)
}

/// Returns the parts of a form, or nothing for a body that is none, is not whole, or has more parts than our forms.
fn parts<'a>(body: &'a [u8], boundary: &str) -> Option<Vec<Part<'a>>> {
    let between = [b"\r\n--", boundary.as_bytes()].concat();
    let mut rest = body.strip_prefix(&between[2..])?;
    let mut found = vec![];
    loop {
        if rest.starts_with(b"--") {
            return Some(found);
        }
        rest = rest.strip_prefix(b"\r\n")?;
        let head = find(&rest[..rest.len().min(MOST_OF_HEAD)], b"\r\n\r\n")?;
        let (name, is_file) = described(std::str::from_utf8(&rest[..head]).ok()?)?;
        rest = &rest[head + 4..];
        let end = find(rest, &between)?;
        found.push(Part { name, is_file, value: &rest[..end] });
        rest = &rest[end + between.len()..];
        if found.len() > MOST_PARTS {
            return None;
        }
    }
}

/// Returns the name of a part, and whether it is a file, as its head says it.
fn described(head: &str) -> Option<(&str, bool)> {
    let line = head.split("\r\n").find(|line| line.to_ascii_lowercase().starts_with("content-disposition:"))?;
    let name = line.split("; ").find_map(|pair| pair.strip_prefix("name=\""))?.strip_suffix('"')?;
    Some((name, line.split("; ").any(|pair| pair.starts_with("filename="))))
}

fn find(text: &[u8], sought: &[u8]) -> Option<usize> {
    let first = sought.first()?;
    let mut from = 0;
    // Byte by byte to the first letter: a photograph of megabytes is passed over quickly.
    while let Some(at) = text.get(from..)?.iter().position(|byte| byte == first) {
        if text[from + at..].starts_with(sought) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

/// Longest head of a part.
const MOST_OF_HEAD: usize = 4_096;
/// So many fields has no form of ours.
const MOST_PARTS: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &[u8] = b"--x\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\nabc\r\n--x\r\nContent-Disposition: \
        form-data; name=\"photograph\"; filename=\"a \\\" b.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8\r\n-\r\n\r\n--x--\r\n";

    #[test]
    fn fields_and_file_are_read_as_browsers_write_them() {
        let parts = parts(FORM, "x").unwrap();
        assert_eq!(
            parts,
            [
                Part { name: "token", is_file: false, value: b"abc" },
                Part { name: "photograph", is_file: true, value: b"\xff\xd8\r\n-\r\n" },
            ]
        );
        assert_eq!(boundary("multipart/form-data; boundary=x"), Some("x"));
        assert_eq!(boundary("multipart/form-data; charset=utf-8; boundary=\"x y\""), Some("x y"));
    }

    #[test]
    fn a_body_that_is_cut_or_no_form_is_refused() {
        for cut in 0..FORM.len() - 4 {
            assert_eq!(parts(&FORM[..cut], "x"), None, "{cut}");
        }
        assert_eq!(parts(FORM, "y"), None);
        assert_eq!(parts(b"", "x"), None);
        let nameless = b"--x\r\nContent-Disposition: form-data\r\n\r\nabc\r\n--x--\r\n";
        assert_eq!(parts(nameless, "x"), None);
        let many =
            [b"--x".to_vec(), b"\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n--x".repeat(22)].concat();
        assert_eq!(parts(&many, "x"), None);
        for kind in ["application/x-www-form-urlencoded", "multipart/form-data", "multipart/form-data; boundary="] {
            assert_eq!(boundary(kind), None, "{kind}");
        }
    }
}
