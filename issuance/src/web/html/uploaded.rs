//! A form that came back with a file in it (`multipart/form-data`, RFC 7578), as browsers write it. Its body is read
//! whole, within the limits of the caller, as every body is, and taken apart by `multer`; what the browser says of the
//! file's name and kind is not believed and not kept.

use std::convert::Infallible;

use axum::extract::{FromRequest, Request};
use axum::http::header;
use bytes::Bytes;
use crypto::perso::problem::ProblemCode;
use futures_util::stream;
use multer::{Constraints, Multipart, SizeLimit};
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
        let token = request.extensions().get::<Visitor>().map(|visitor| visitor.token.clone());
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let boundary = boundary(kind)?;
        let mut hash = Sha256::new();
        for part in [request.method().as_str(), request.uri().path()] {
            hash.update(part);
            hash.update([0]);
        }
        let bytes = body_of(request).await?;
        hash.update(&bytes);
        let Parts { fields, file } = parts(bytes.into(), boundary).await?;
        let filled = Filled::of(fields, hash.finalize().into(), token.as_deref())?;
        Ok(Self { filled, file: file.unwrap_or_default().into() })
    }
}

/// What a form is made of.
#[derive(Default)]
#[cfg_attr(test, derive(Debug, Eq, PartialEq))]
struct Parts {
    /// Name and text of each field, in their order.
    fields: Vec<(String, String)>,
    /// The file.
    file: Option<Bytes>,
}

/// Returns the boundary that a content type names.
///
/// # Errors
/// `body-malformed` for another kind of body
fn boundary(kind: &str) -> Result<String, Problem> {
    let boundary = multer::parse_boundary(kind).map_err(|_| malformed())?;
    // As long as RFC 2046 has them, and not empty.
    if (1..=70).contains(&boundary.len()) { Ok(boundary) } else { Err(malformed()) }
}

/// Returns the parts of a form.
///
/// # Errors
/// `body-malformed` for a body that is no form, is not whole, or has more parts, longer texts or more files than our
/// forms; `text-unfit` for a text that no table takes
async fn parts(body: Bytes, boundary: String) -> Result<Parts, Problem> {
    let limits = SizeLimit::new().whole_stream(u64::try_from(body.len()).unwrap_or(u64::MAX));
    // All of it at once: so nothing is waited for, and a body that is cut ends in an error.
    let whole = stream::iter([Ok::<_, Infallible>(body)]);
    let mut form = Multipart::with_constraints(whole, boundary, Constraints::new().size_limit(limits));
    let (mut parts, mut count) = (Parts::default(), 0);
    while let Some(part) = form.next_field().await.map_err(|_| malformed())? {
        count += 1;
        let name = part.name().filter(|name| !name.is_empty() && name.len() <= MOST_OF_NAME).map(str::to_owned);
        let (name, is_file) = (name.ok_or_else(malformed)?, part.file_name().is_some());
        let value = part.bytes().await.map_err(|_| malformed())?;
        if count > MOST_PARTS || (is_file && parts.file.is_some()) || (!is_file && value.len() > MOST_OF_TEXT) {
            return Err(malformed());
        }
        if is_file {
            parts.file = Some(value);
            continue;
        }
        let text = std::str::from_utf8(&value).map_err(|_| malformed())?;
        if text.contains('\0') {
            return Err(Problem::new(ProblemCode::TextUnfit).detail("a text holds U+0000"));
        }
        parts.fields.push((name, text.to_owned()));
    }
    Ok(parts)
}

fn malformed() -> Problem {
    Problem::new(ProblemCode::BodyMalformed)
}

/// So long is no name of a field of ours, bytes.
const MOST_OF_NAME: usize = 100;
/// So long is no text of a form of ours, bytes: as long as the query that another form is read as.
const MOST_OF_TEXT: usize = 65_534;
/// So many parts has no form of ours.
const MOST_PARTS: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &[u8] = b"--x\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\nabc\r\n--x\r\nContent-Disposition: \
        form-data; name=\"photograph\"; filename=\"a \\\" b.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8\r\n-\r\n\r\n--x--\r\n";

    async fn read(body: &[u8], boundary: &str) -> Result<Parts, &'static str> {
        parts(Bytes::copy_from_slice(body), boundary.to_owned()).await.map_err(|problem| problem.code().word())
    }

    fn field(name: &str, text: &[u8]) -> Vec<u8> {
        let head = format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
        [head.as_bytes(), text, b"\r\n"].concat()
    }

    fn form(parts: &[Vec<u8>]) -> Vec<u8> {
        [&parts.concat()[..], b"--x--\r\n"].concat()
    }

    #[tokio::test]
    async fn fields_and_file_are_read_as_browsers_write_them() {
        let fields = vec![("token".to_owned(), "abc".to_owned())];
        let file = Some(Bytes::from_static(b"\xff\xd8\r\n-\r\n"));
        assert_eq!(read(FORM, "x").await, Ok(Parts { fields, file }));
        // A file that was not chosen is sent without a name and without a byte.
        let none = b"--x\r\nContent-Disposition: form-data; name=\"photograph\"; filename=\"\"\r\n\r\n\r\n--x--\r\n";
        assert_eq!(read(none, "x").await, Ok(Parts { fields: vec![], file: Some(Bytes::new()) }));
        let of = |kind: &str| boundary(kind).unwrap();
        assert_eq!(of("multipart/form-data; boundary=x"), "x");
        assert_eq!(of("Multipart/Form-Data; charset=utf-8; boundary=\"x y\""), "x y");
        assert_eq!(of("multipart/form-data;boundary=----WebKitFormBoundary7MA4"), "----WebKitFormBoundary7MA4");
    }

    #[tokio::test]
    async fn a_body_that_is_cut_or_no_form_is_refused() {
        for cut in 0..FORM.len() - 4 {
            assert_eq!(read(&FORM[..cut], "x").await, Err("body-malformed"), "{cut}");
        }
        assert_eq!(read(FORM, "y").await, Err("body-malformed"));
        assert_eq!(read(b"", "x").await, Err("body-malformed"));
        let nameless = b"--x\r\nContent-Disposition: form-data\r\n\r\nabc\r\n--x--\r\n";
        assert_eq!(read(nameless, "x").await, Err("body-malformed"));
        let long = format!("multipart/form-data; boundary={}", "x".repeat(71));
        for kind in
            ["application/x-www-form-urlencoded", "multipart/form-data", "multipart/form-data; boundary=", &long]
        {
            assert!(boundary(kind).is_err(), "{kind}");
        }
    }

    #[tokio::test]
    async fn what_no_form_of_ours_has_is_refused() {
        let twenty = vec![field("a", b""); 20];
        assert_eq!(read(&form(&twenty), "x").await.map(|parts| parts.fields.len()), Ok(20));
        let file = b"--x\r\nContent-Disposition: form-data; name=\"a\"; filename=\"b\"\r\n\r\nc\r\n".to_vec();
        let a_file_too_much = form(&[file.clone(), field("a", b"b"), file]);
        for body in [
            form(&vec![field("a", b""); 21]),
            form(&vec![field("a", b""); 10_000]),
            a_file_too_much,
            form(&[field("a", &vec![b'a'; MOST_OF_TEXT + 1])]),
            form(&[field("a", b"\xff\xfe")]),
            form(&[field(&"a".repeat(101), b"")]),
            form(&[field("", b"")]),
            // A line break within a name ends its line, and what follows is no field of a head.
            form(&[field("a\r\nb", b"")]),
        ] {
            assert_eq!(read(&body, "x").await, Err("body-malformed"), "{} bytes", body.len());
        }
        assert_eq!(read(&form(&[field("a", b"b\0c")]), "x").await, Err("text-unfit"));
        // A form within a form is text of the outer one.
        let inner = b"--y\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\nabc\r\n--y--";
        let nested = read(&form(&[field("a", inner)]), "x").await.unwrap();
        assert_eq!(nested.fields, [("a".to_owned(), String::from_utf8_lossy(inner).into_owned())]);
    }
}
