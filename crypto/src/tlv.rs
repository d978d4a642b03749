//! BER-TLV data objects as smart cards use them: ISO/IEC 7816-4:2013 §5.2.2 (tags of one to three
//! bytes, definite lengths).

use thiserror::Error;

/// A tag, its bytes read as one big-endian number: `0x77`, `0x7f49`, `0x5f1f`.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Tag(pub u32);

impl Tag {
    /// Returns whether the value is itself a sequence of data objects (bit 6 of the first byte).
    pub fn is_constructed(self) -> bool {
        self.bytes()[0] & 0x20 != 0
    }

    fn bytes(self) -> Vec<u8> {
        let all = self.0.to_be_bytes();
        let skip = all.iter().take(3).take_while(|b| **b == 0).count();
        all[skip..].to_vec()
    }
}

impl std::fmt::Debug for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:02X}", self.0)
    }
}

impl std::fmt::Display for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(self, f)
    }
}

/// Error when reading data objects.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum TlvError {
    /// A length byte of `80` (indefinite) or of more than four following bytes.
    #[error("tag {tag}: a length in this form is not allowed here")]
    LengthForm {
        /// The data object's tag.
        tag: Tag,
    },
    /// The wanted object is missing.
    #[error("data object {tag} is missing")]
    Missing {
        /// The tag looked for.
        tag: Tag,
    },
    /// Bytes follow the object that should have been the last.
    #[error("{extra} bytes follow where the data object should end")]
    Trailing {
        /// Number of extra bytes.
        extra: usize,
    },
    /// The input ends within a tag, a length or a value.
    #[error("the data object is cut short: {wanted} bytes wanted, {present} present")]
    Truncated {
        /// Bytes announced.
        wanted: usize,
        /// Bytes present.
        present: usize,
    },
    /// Another object stands where this one was expected.
    #[error("expected data object {expected}, found {found}")]
    Unexpected {
        /// The tag expected.
        expected: Tag,
        /// The tag found.
        found: Tag,
    },
}

/// One data object, borrowed from the bytes it was read from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Tlv<'a> {
    /// Its tag.
    pub tag: Tag,
    /// Its value field.
    pub value: &'a [u8],
    /// The whole object as read: tag, length and value. Hash this, never a re-encoding.
    pub raw: &'a [u8],
}

impl<'a> Tlv<'a> {
    /// Reads the whole of `bytes` as one object with this tag.
    ///
    /// # Errors
    /// [`TlvError`] if it is cut short, has another tag or is followed by more bytes.
    pub fn expect(tag: u32, bytes: &'a [u8]) -> Result<Self, TlvError> {
        let mut reader = Reader::new(bytes);
        let tlv = reader.expect(tag)?;
        reader.finish()?;
        Ok(tlv)
    }

    /// Returns a reader over the objects in the value field.
    pub fn children(&self) -> Reader<'a> {
        Reader::new(self.value)
    }

    /// Returns the first object with this tag in the value field, in any order (lenient look-up).
    ///
    /// # Errors
    /// [`TlvError::Missing`] if there is none; the error of a malformed object before it.
    pub fn child(&self, tag: u32) -> Result<Tlv<'a>, TlvError> {
        find(self.value, tag)?.ok_or(TlvError::Missing { tag: Tag(tag) })
    }
}

/// Returns the first object with this tag among the objects of `bytes`, or `None`.
///
/// # Errors
/// [`TlvError`] if an object before it is malformed.
pub fn find(bytes: &[u8], tag: u32) -> Result<Option<Tlv<'_>>, TlvError> {
    let mut reader = Reader::new(bytes);
    while !reader.is_empty() {
        let tlv = reader.read()?;
        if tlv.tag == Tag(tag) {
            return Ok(Some(tlv));
        }
    }
    Ok(None)
}

/// Reads data objects one after the other. Never panics.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Returns whether all was read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Returns the bytes not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Returns the next object, whatever its tag.
    ///
    /// # Errors
    /// [`TlvError::Truncated`], [`TlvError::LengthForm`].
    pub fn read(&mut self) -> Result<Tlv<'a>, TlvError> {
        let (header, tag, length) = header(self.rest)?;
        let whole = header
            .checked_add(length)
            .filter(|n| *n <= self.rest.len())
            .ok_or(TlvError::Truncated { wanted: header.saturating_add(length), present: self.rest.len() })?;
        let (raw, rest) = self.rest.split_at(whole);
        self.rest = rest;
        Ok(Tlv { tag, value: &raw[header..], raw })
    }

    /// Returns the next object, which must have this tag.
    ///
    /// # Errors
    /// [`TlvError::Missing`] at the end, [`TlvError::Unexpected`] for another tag, and the errors of [`Reader::read`].
    pub fn expect(&mut self, tag: u32) -> Result<Tlv<'a>, TlvError> {
        if self.is_empty() {
            return Err(TlvError::Missing { tag: Tag(tag) });
        }
        let tlv = self.read()?;
        if tlv.tag == Tag(tag) { Ok(tlv) } else { Err(TlvError::Unexpected { expected: Tag(tag), found: tlv.tag }) }
    }

    /// Returns the next object if it has this tag; otherwise nothing is consumed.
    ///
    /// # Errors
    /// The errors of [`Reader::read`].
    pub fn optional(&mut self, tag: u32) -> Result<Option<Tlv<'a>>, TlvError> {
        let mut ahead = *self;
        if ahead.is_empty() {
            return Ok(None);
        }
        let tlv = ahead.read()?;
        if tlv.tag != Tag(tag) {
            return Ok(None);
        }
        *self = ahead;
        Ok(Some(tlv))
    }

    /// Succeeds if nothing is left.
    ///
    /// # Errors
    /// [`TlvError::Trailing`].
    pub fn finish(self) -> Result<(), TlvError> {
        if self.rest.is_empty() { Ok(()) } else { Err(TlvError::Trailing { extra: self.rest.len() }) }
    }
}

/// Returns the total length in bytes (tag, length and value) of the object that begins with these bytes, of which at
/// least the header must be there. A file reader uses it to know how much of an elementary file to read.
///
/// # Errors
/// [`TlvError::Truncated`] if the header itself is cut short, [`TlvError::LengthForm`].
pub fn announced_length(start: &[u8]) -> Result<usize, TlvError> {
    let (header, _, length) = header(start)?;
    Ok(header.saturating_add(length))
}

/// Encodes one object: tag, shortest definite length, value.
pub fn encode(tag: u32, value: &[u8]) -> Vec<u8> {
    let mut out = Tag(tag).bytes();
    out.reserve(value.len() + 5);
    push_length(&mut out, value.len());
    out.extend_from_slice(value);
    out
}

/// Encodes a constructed object from already encoded children.
pub fn encode_all(tag: u32, children: &[&[u8]]) -> Vec<u8> {
    encode(tag, &children.concat())
}

/// Encodes a non-negative INTEGER from its big-endian magnitude, in the fewest octets (X.690 §8.3).
pub fn encode_integer(magnitude: &[u8]) -> Vec<u8> {
    let zeros = magnitude.iter().take_while(|b| **b == 0).count();
    let mut content = magnitude[zeros..].to_vec();
    if content.first().is_none_or(|first| first & 0x80 != 0) {
        content.insert(0, 0);
    }
    encode(0x02, &content)
}

/// Returns how many bytes tag and length take before a value of `length` bytes.
pub fn header_length(tag: u32, length: usize) -> usize {
    let mut length_field = Vec::with_capacity(5);
    push_length(&mut length_field, length);
    Tag(tag).bytes().len() + length_field.len()
}

fn push_length(out: &mut Vec<u8>, length: usize) {
    match u8::try_from(length) {
        Ok(short @ 0..=0x7f) => out.push(short),
        _ => {
            let bytes = length.to_be_bytes();
            let field = &bytes[bytes.iter().take_while(|b| **b == 0).count()..];
            out.push(0x80 | u8::try_from(field.len()).expect("a length has at most eight bytes"));
            out.extend_from_slice(field);
        }
    }
}

/// Returns header length, tag and value length.
fn header(bytes: &[u8]) -> Result<(usize, Tag, usize), TlvError> {
    let cut = |wanted: usize| TlvError::Truncated { wanted, present: bytes.len() };
    let first = *bytes.first().ok_or(cut(1))?;
    let mut tag = u32::from(first);
    let mut at = 1;
    if first & 0x1f == 0x1f {
        loop {
            let byte = *bytes.get(at).ok_or(cut(at + 1))?;
            if at > 2 {
                return Err(TlvError::LengthForm { tag: Tag(tag) });
            }
            tag = tag << 8 | u32::from(byte);
            at += 1;
            if byte & 0x80 == 0 {
                break;
            }
        }
    }
    let form = *bytes.get(at).ok_or(cut(at + 1))?;
    at += 1;
    let length = match form {
        0..=0x7f => usize::from(form),
        0x81..=0x84 => {
            let count = usize::from(form & 0x7f);
            let field = bytes.get(at..at + count).ok_or(cut(at + count))?;
            at += count;
            field.iter().fold(0usize, |n, b| n << 8 | usize::from(*b))
        }
        _ => return Err(TlvError::LengthForm { tag: Tag(tag) }),
    };
    Ok((at, Tag(tag), length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_as_short_as_they_can_be() {
        for (length, head) in [
            (0, vec![0x53, 0]),
            (0x7f, vec![0x53, 0x7f]),
            (0x80, vec![0x53, 0x81, 0x80]),
            (0x100, vec![0x53, 0x82, 1, 0]),
        ] {
            let encoded = encode(0x53, &vec![7; length]);
            assert_eq!(&encoded[..head.len()], &head[..]);
            assert_eq!(announced_length(&encoded), Ok(encoded.len()));
            assert_eq!(Tlv::expect(0x53, &encoded).map(|t| t.value.len()), Ok(length));
        }
    }

    #[test]
    fn every_truncation_is_refused() {
        let encoded = encode_all(0x7f49, &[&encode(0x06, &[1, 2, 3]), &encode(0x5f24, &[9; 200])]);
        for end in 0..encoded.len() {
            assert!(Tlv::expect(0x7f49, &encoded[..end]).is_err(), "{end} bytes");
        }
    }

    #[test]
    fn the_indefinite_form_is_refused() {
        assert_eq!(Tlv::expect(0x30, &[0x30, 0x80, 0, 0]), Err(TlvError::LengthForm { tag: Tag(0x30) }));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_but_never_panic(bytes: Vec<u8>) {
            let mut reader = Reader::new(&bytes);
            while !reader.is_empty() { if reader.read().is_err() { break } }
        }

        #[test]
        fn what_was_written_is_read_back(value: Vec<u8>) {
            for tag in [0x04, 0x30, 0x5f1f, 0x7f61, 0x005f_8101] {
                let encoded = encode(tag, &value);
                let tlv = Tlv::expect(tag, &encoded).map_err(|e| proptest::test_runner::TestCaseError::fail(e.to_string()))?;
                proptest::prop_assert_eq!(tlv.value, &value[..]);
            }
        }
    }
}
