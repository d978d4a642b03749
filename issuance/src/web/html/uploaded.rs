//! A form that came back with files in it (`multipart/form-data`, RFC 7578), as browsers write it. Its body is read
//! whole, within the limits of the caller, as every body is, and taken apart by `multer`; what the browser says of a
//! file's kind is not believed, and its name is used only where a page asks for many files.

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

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let UploadedFiles { filled, mut files } = UploadedFiles::from_request(request, state).await?;
        match files.len() {
            0 | 1 => Ok(Self { filled, file: files.pop().map(|(_, file)| file.into()).unwrap_or_default() }),
            _ => Err(malformed()),
        }
    }
}

/// The fields of a form, and the files in it with their names: any text, in any case a hostile one.
pub(crate) struct UploadedFiles {
    /// The fields. Their token is right.
    pub(crate) filled: Filled,
    /// The files, without those of a field in which none was chosen.
    pub(crate) files: Vec<(String, Bytes)>,
}

/// Shows nothing: what is sent is personal.
impl std::fmt::Debug for UploadedFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UploadedFiles(…)")
    }
}

impl<S: Send + Sync> FromRequest<S> for UploadedFiles {
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
        let Parts { fields, mut files } = parts(bytes.into(), boundary).await?;
        let filled = Filled::of(fields, hash.finalize().into(), token.as_deref())?;
        // What a browser sends for a field in which no file was chosen.
        files.retain(|(name, file)| !(name.is_empty() && file.is_empty()));
        Ok(Self { filled, files })
    }
}

/// What a form is made of.
#[derive(Default)]
#[cfg_attr(test, derive(Debug, Eq, PartialEq))]
struct Parts {
    /// Name and text of each field, in their order.
    fields: Vec<(String, String)>,
    /// Name and bytes of each file.
    files: Vec<(String, Bytes)>,
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
    let mut parts = Parts::default();
    while let Some(part) = form.next_field().await.map_err(|_| malformed())? {
        let name = part.name().filter(|name| !name.is_empty() && name.len() <= MOST_OF_NAME).map(str::to_owned);
        let (name, file) = (name.ok_or_else(malformed)?, part.file_name().map(cut));
        let value = part.bytes().await.map_err(|_| malformed())?;
        let too_many = parts.fields.len() == MOST_FIELDS || parts.files.len() == MOST_FILES;
        if too_many || (file.is_none() && value.len() > MOST_OF_TEXT) {
            return Err(malformed());
        }
        if let Some(name) = file {
            parts.files.push((name, value));
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

/// Returns the end of a file's name as it can be told: without what changes the direction of a text or cannot be seen.
fn cut(name: &str) -> String {
    let seen: Vec<char> = name.chars().filter(|c| !c.is_control() && !crate::ground::text::is_hidden(*c)).collect();
    seen[seen.len().saturating_sub(MOST_OF_FILE_NAME)..].iter().collect()
}

fn malformed() -> Problem {
    Problem::new(ProblemCode::BodyMalformed)
}

/// So long is no name of a field of ours, bytes.
const MOST_OF_NAME: usize = 100;
/// So long is no text of a form of ours, bytes: as long as the query that another form is read as.
const MOST_OF_TEXT: usize = 65_534;
/// So many fields a form of ours has at most.
const MOST_FIELDS: usize = 20;
/// So many files a form of ours brings at most; a page may take fewer.
const MOST_FILES: usize = 40;
/// So much of a file's name is told, characters.
const MOST_OF_FILE_NAME: usize = 80;

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
        let read_of = read(FORM, "x").await.unwrap();
        assert_eq!(read_of.fields, fields);
        let [(name, file)] = read_of.files.as_slice() else { panic!("one file") };
        assert!(name.ends_with("b.jpg") && **file == *b"\xff\xd8\r\n-\r\n", "{name}");
        // A file that was not chosen is sent without a name and without a byte.
        let none = b"--x\r\nContent-Disposition: form-data; name=\"photograph\"; filename=\"\"\r\n\r\n\r\n--x--\r\n";
        let files = vec![(String::new(), Bytes::new())];
        assert_eq!(read(none, "x").await, Ok(Parts { fields: vec![], files }));
        let of = |kind: &str| boundary(kind).unwrap();
        assert_eq!(of("multipart/form-data; boundary=x"), "x");
        assert_eq!(of("Multipart/Form-Data; charset=utf-8; boundary=\"x y\""), "x y");
        assert_eq!(of("multipart/form-data;boundary=----WebKitFormBoundary7MA4"), "----WebKitFormBoundary7MA4");
    }

    #[test]
    fn the_name_of_a_file_is_told_without_what_would_turn_it_around() {
        assert_eq!(cut("01 ngón cái.png"), "01 ngón cái.png");
        assert_eq!(cut("a\u{202e}gnp.exe\u{7}"), "agnp.exe");
        assert_eq!(cut(&format!("{}.png", "x".repeat(300))).chars().count(), 80);
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
        let forty = form(&vec![file.clone(); 40]);
        assert_eq!(read(&forty, "x").await.map(|parts| parts.files.len()), Ok(40));
        let a_file_too_much = form(&vec![file; 41]);
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
