//! The file format age, version 1 (<https://age-encryption.org/v1>), with X25519 recipients and no other: what is
//! written here opens with `age --decrypt`, without this program.
//!
//! The crate `age` holds an older generation of the RustCrypto crates and sixty more; the format is small, and its
//! primitives (X25519, HKDF, HMAC, ChaCha20-Poly1305) come from aws-lc-rs, as TLS has them.
//!
//! ```text
//! file    = header nonce(16) chunk*
//! header  = "age-encryption.org/v1" LF stanza+ "--- " base64(HMAC-SHA-256) LF
//! stanza  = "-> X25519 " base64(ephemeral share) LF base64(wrapped file key) LF
//! chunk   = ChaCha20-Poly1305 of up to 64 KiB; its nonce counts, and marks the last one
//! ```

use std::fmt::{self, Write as _};
use std::io::{self, BufRead, Read, Write};
use std::str::FromStr;

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use aws_lc_rs::{hkdf, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use rand::CryptoRng;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;
use zeroize::Zeroizing;

/// To whom a file is encrypted: `age1…`, a public key of X25519.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Recipient([u8; 32]);

/// What opens a file: `AGE-SECRET-KEY-1…`, a private key of X25519.
#[derive(Clone)]
pub struct Identity(Zeroizing<[u8; 32]>);

/// Shows no key.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity")
    }
}

/// A text that is no recipient.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("`{0}` is no recipient of age: `age-keygen -o FILE` makes an identity and shows its recipient (age1…)")]
pub struct RecipientMalformed(String);

/// A text that is no identity. It is not shown.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("no identity of age: a line of the file that `age-keygen -o FILE` wrote begins with AGE-SECRET-KEY-1")]
pub struct IdentityMalformed;

impl FromStr for Recipient {
    type Err = RecipientMalformed;

    fn from_str(text: &str) -> Result<Self, RecipientMalformed> {
        match bech32::decode(text) {
            Some((prefix, key)) if prefix == RECIPIENT && text.starts_with(RECIPIENT) => Ok(Self(*key)),
            _ => Err(RecipientMalformed(text.to_owned())),
        }
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&bech32::encode(RECIPIENT, &self.0))
    }
}

impl<'de> Deserialize<'de> for Recipient {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Recipient {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl FromStr for Identity {
    type Err = IdentityMalformed;

    fn from_str(text: &str) -> Result<Self, IdentityMalformed> {
        match bech32::decode(text) {
            Some((prefix, key)) if prefix == IDENTITY && text.starts_with("AGE") => Ok(Self(key)),
            _ => Err(IdentityMalformed),
        }
    }
}

impl Identity {
    /// Reads the identities of a file as `age-keygen` writes it: one a line, comments with `#`.
    ///
    /// # Errors
    /// [`IdentityMalformed`] if a line is none, or there is none.
    pub fn read_all(text: &str) -> Result<Vec<Self>, IdentityMalformed> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let all = lines.map(str::parse).collect::<Result<Vec<_>, _>>()?;
        if all.is_empty() { Err(IdentityMalformed) } else { Ok(all) }
    }

    /// Returns the recipient for whom this identity opens files.
    #[must_use]
    pub fn recipient(&self) -> Recipient {
        Recipient(public(&private(&self.0)))
    }

    /// Returns the identity as text.
    #[must_use]
    pub fn reveal(&self) -> Zeroizing<String> {
        Zeroizing::new(bech32::encode(IDENTITY, &self.0).to_ascii_uppercase())
    }

    /// Makes a new identity.
    #[must_use]
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *key);
        Self(key)
    }

    /// Returns the file key out of a stanza, if it is for this identity.
    fn unwrap(&self, share: &[u8; 32], body: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, AgeError> {
        let private = private(&self.0);
        let key = wrapping_key(&private, share, share, &public(&private)).ok_or(AgeError::Header)?;
        let mut wrapped = Zeroizing::new(body.to_vec());
        let opened = key.open_in_place(zero_nonce(), Aad::empty(), &mut wrapped).map(|key| key.len());
        let Ok(length) = opened else { return Ok(None) };
        wrapped.truncate(length);
        Ok(Some(wrapped))
    }
}

/// Why a file does not open.
#[derive(Debug, Error)]
pub enum AgeError {
    /// Not of this format, or changed.
    #[error("it is no file of age, or its header was changed")]
    Header,
    /// The file system.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// None of the identities is one of its recipients'.
    #[error("none of the identities opens it: it is encrypted to another recipient")]
    NoMatch,
}

/// Encrypts what is written into it. Without [`finish`](Self::finish) the file is cut and does not open.
pub struct Encryptor<W: Write> {
    inner: W,
    stream: Stream,
    chunk: Zeroizing<Vec<u8>>,
    /// A chunk could not be written: what follows would have another place than it says.
    broken: bool,
}

impl<W: Write> fmt::Debug for Encryptor<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Encryptor")
    }
}

impl<W: Write> Encryptor<W> {
    /// Writes the header for these recipients.
    ///
    /// # Errors
    /// The file system's; [`io::ErrorKind::InvalidInput`] for a recipient that is no point of the curve.
    pub fn new(recipients: &[Recipient], mut inner: W, rng: &mut impl CryptoRng) -> io::Result<Self> {
        let mut file_key = Zeroizing::new([0; FILE_KEY]);
        rng.fill_bytes(&mut *file_key);
        let mut header = format!("{VERSION}\n");
        for recipient in recipients {
            let mut ephemeral = Zeroizing::new([0; 32]);
            rng.fill_bytes(&mut *ephemeral);
            let ephemeral = private(&ephemeral);
            let share = public(&ephemeral);
            let key = wrapping_key(&ephemeral, &recipient.0, &share, &recipient.0)
                .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a recipient is no point of the curve"))?;
            let mut body = file_key.to_vec();
            key.seal_in_place_append_tag(zero_nonce(), Aad::empty(), &mut body).expect("16 bytes can be sealed");
            let [share, body] = [&share[..], &body].map(|bytes| STANDARD_NO_PAD.encode(bytes));
            let _ = writeln!(header, "-> X25519 {share}\n{body}");
        }
        header += "---";
        let mac = hmac::sign(&header_key(&*file_key), header.as_bytes());
        let _ = writeln!(header, " {}", STANDARD_NO_PAD.encode(mac.as_ref()));
        inner.write_all(header.as_bytes())?;
        let mut nonce = [0; 16];
        rng.fill_bytes(&mut nonce);
        inner.write_all(&nonce)?;
        Ok(Self {
            inner,
            stream: Stream::new(&*file_key, &nonce),
            chunk: Zeroizing::new(Vec::with_capacity(CHUNK + TAG)),
            broken: false,
        })
    }

    /// Writes the last chunk. Returns what was written to.
    ///
    /// # Errors
    /// The file system's.
    pub fn finish(mut self) -> io::Result<W> {
        self.put(true)?;
        Ok(self.inner)
    }

    fn put(&mut self, last: bool) -> io::Result<()> {
        if self.broken {
            return Err(io::Error::other("a chunk before this one could not be written"));
        }
        self.broken = true;
        let nonce = self.stream.nonce(last)?;
        self.stream.key.seal_in_place_append_tag(nonce, Aad::empty(), &mut *self.chunk).map_err(io::Error::other)?;
        let written = self.inner.write_all(&self.chunk);
        self.chunk.clear();
        written?;
        self.broken = false;
        Ok(())
    }
}

impl<W: Write> Write for Encryptor<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.broken {
            return Err(io::Error::other("a chunk before this one could not be written"));
        }
        // A full chunk waits until more comes: only then it is known not to be the last one.
        if self.chunk.len() == CHUNK && !bytes.is_empty() {
            self.put(false)?;
        }
        let taken = bytes.len().min(CHUNK - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Decrypts a file while it is read. Each byte that it gives is authentic; that the file is whole is known when it ends
/// without an error.
pub struct Decryptor<R: BufRead> {
    inner: R,
    stream: Stream,
    chunk: Zeroizing<Vec<u8>>,
    at: usize,
    ended: bool,
}

impl<R: BufRead> fmt::Debug for Decryptor<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Decryptor")
    }
}

impl<R: BufRead> Decryptor<R> {
    /// Reads the header, and opens it with the first identity that fits.
    ///
    /// # Errors
    /// [`AgeError`]
    pub fn new(identities: &[Identity], mut inner: R) -> Result<Self, AgeError> {
        let header = Header::read(&mut inner)?;
        let mut file_key = None;
        for (share, body) in &header.stanzas {
            for identity in identities {
                if file_key.is_none() {
                    file_key = identity.unwrap(share, body)?;
                }
            }
        }
        let file_key = file_key.ok_or(AgeError::NoMatch)?;
        hmac::verify(&header_key(&file_key), &header.covered, &header.mac).map_err(|_| AgeError::Header)?;
        let mut nonce = [0; 16];
        inner.read_exact(&mut nonce)?;
        let stream = Stream::new(&file_key, &nonce);
        Ok(Self { inner, stream, chunk: Zeroizing::new(Vec::with_capacity(CHUNK + TAG)), at: 0, ended: false })
    }

    fn next_chunk(&mut self) -> io::Result<()> {
        let changed = || io::Error::new(io::ErrorKind::InvalidData, "it was changed or cut");
        self.chunk.clear();
        self.at = 0;
        let mut limited = (&mut self.inner).take((CHUNK + TAG) as u64);
        limited.read_to_end(&mut self.chunk)?;
        let last = self.inner.fill_buf()?.is_empty();
        let first = self.stream.count == 0;
        let nonce = self.stream.nonce(last)?;
        let opened = self.stream.key.open_in_place(nonce, Aad::empty(), &mut self.chunk).map(|chunk| chunk.len());
        let length = opened.map_err(|_| changed())?;
        self.chunk.truncate(length);
        // An empty last chunk stands for an empty file only.
        if length == 0 && !first {
            return Err(changed());
        }
        self.ended = last;
        Ok(())
    }
}

impl<R: BufRead> Read for Decryptor<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.chunk.len() && !self.ended {
            self.next_chunk()?;
        }
        let given = buffer.len().min(self.chunk.len() - self.at);
        buffer[..given].copy_from_slice(&self.chunk[self.at..self.at + given]);
        self.at += given;
        Ok(given)
    }
}

/// What stands before the payload.
struct Header {
    /// Ephemeral share and wrapped key of each stanza of X25519.
    stanzas: Vec<([u8; 32], Vec<u8>)>,
    /// The bytes under the MAC.
    covered: Vec<u8>,
    mac: Vec<u8>,
}

impl Header {
    fn read(inner: &mut impl BufRead) -> Result<Self, AgeError> {
        let mut covered = Vec::new();
        if line(inner, &mut covered)? != VERSION {
            return Err(AgeError::Header);
        }
        let mut stanzas = Vec::new();
        loop {
            let begins = covered.len();
            let text = line(inner, &mut covered)?;
            if let Some(mac) = text.strip_prefix("--- ") {
                covered.truncate(begins + "---".len());
                let mac = decoded(mac)?;
                return if mac.len() == 32 && begins > VERSION.len() + 1 {
                    Ok(Self { stanzas, covered, mac })
                } else {
                    Err(AgeError::Header)
                };
            }
            let words: Vec<_> = text.strip_prefix("-> ").ok_or(AgeError::Header)?.split(' ').collect();
            if words.iter().any(|word| word.is_empty() || !word.bytes().all(|byte| byte.is_ascii_graphic())) {
                return Err(AgeError::Header);
            }
            let mut body = Vec::new();
            loop {
                let text = line(inner, &mut covered)?;
                if text.len() > COLUMNS {
                    return Err(AgeError::Header);
                }
                body.extend(decoded(&text)?);
                if text.len() < COLUMNS {
                    break;
                }
            }
            if words[0] == "X25519" {
                let [_, share] = words[..] else { return Err(AgeError::Header) };
                let share = decoded(share)?.try_into().map_err(|_| AgeError::Header)?;
                if body.len() != FILE_KEY + TAG {
                    return Err(AgeError::Header);
                }
                stanzas.push((share, body));
            }
        }
    }
}

/// Reads a line of the header, and adds it to what the MAC covers. Returns it without its end.
fn line(inner: &mut impl BufRead, covered: &mut Vec<u8>) -> Result<String, AgeError> {
    let begins = covered.len();
    let room = (HEADER_LIMIT - covered.len().min(HEADER_LIMIT)) as u64;
    inner.take(room).read_until(b'\n', covered)?;
    let text = covered[begins..].strip_suffix(b"\n").ok_or(AgeError::Header)?;
    String::from_utf8(text.to_vec()).map_err(|_| AgeError::Header)
}

fn decoded(text: &str) -> Result<Vec<u8>, AgeError> {
    STANDARD_NO_PAD.decode(text).map_err(|_| AgeError::Header)
}

/// The key of the payload, and the number of the next chunk.
struct Stream {
    key: LessSafeKey,
    count: u64,
}

impl Stream {
    fn new(file_key: &[u8], nonce: &[u8; 16]) -> Self {
        Self { key: aead_key(&derived(nonce, file_key, b"payload")), count: 0 }
    }

    /// Returns the nonce of the next chunk: eleven bytes that count, one that marks the last.
    fn nonce(&mut self, last: bool) -> io::Result<Nonce> {
        let mut nonce = [0; 12];
        nonce[3..11].copy_from_slice(&self.count.to_be_bytes());
        nonce[11] = u8::from(last);
        self.count = self.count.checked_add(1).ok_or_else(|| io::Error::other("the file is too long"))?;
        Ok(Nonce::assume_unique_for_key(nonce))
    }
}

fn private(bytes: &[u8; 32]) -> PrivateKey {
    PrivateKey::from_private_key(&X25519, bytes).expect("any 32 bytes are a private key of X25519")
}

fn public(key: &PrivateKey) -> [u8; 32] {
    let public = key.compute_public_key().expect("a private key of X25519 has a public one");
    public.as_ref().try_into().expect("public keys of X25519 have 32 bytes")
}

/// Returns the key that wraps the file key; none if the share is a point of small order.
fn wrapping_key(own: &PrivateKey, other: &[u8; 32], share: &[u8; 32], recipient: &[u8; 32]) -> Option<LessSafeKey> {
    let salt = [*share, *recipient].concat();
    let info: &[u8] = b"age-encryption.org/v1/X25519";
    let other = UnparsedPublicKey::new(&X25519, other);
    agree(own, other, (), |shared| Ok(aead_key(&derived(&salt, shared, info)))).ok()
}

fn header_key(file_key: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &*derived(b"", file_key, b"header"))
}

fn aead_key(key: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).expect("32 bytes are a key of ChaCha20"))
}

fn derived(salt: &[u8], secret: &[u8], info: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(secret);
    let info = [info];
    let expanded = extracted.expand(&info, hkdf::HKDF_SHA256).expect("32 bytes can be derived");
    expanded.fill(&mut *key).expect("32 bytes can be derived");
    key
}

/// For a key that is used once.
fn zero_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

const VERSION: &str = "age-encryption.org/v1";
const RECIPIENT: &str = "age";
const IDENTITY: &str = "age-secret-key-";
const FILE_KEY: usize = 16;
const TAG: usize = 16;
const CHUNK: usize = 64 * 1024;
/// Characters of a full line in the body of a stanza.
const COLUMNS: usize = 64;
/// A header is not longer than this; ours has some hundred bytes.
const HEADER_LIMIT: usize = 64 * 1024;

/// Bech32 (BIP 173) of 32 bytes, without its limit of 90 characters.
mod bech32 {
    use zeroize::Zeroizing;

    const ALPHABET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

    pub(super) fn encode(prefix: &str, bytes: &[u8; 32]) -> String {
        let mut values = Zeroizing::new(Vec::new());
        for bit in (0..260).step_by(5) {
            values.push((bit..bit + 5).fold(0, |value, bit| value << 1 | bit_of(bytes, bit)));
        }
        let mut checked = expanded(prefix);
        checked.extend_from_slice(&values);
        checked.extend([0; 6]);
        let sum = polymod(&checked) ^ 1;
        values.extend((0..6).map(|at| (sum >> (5 * (5 - at)) & 31) as u8));
        let digits = values.iter().map(|value| char::from(ALPHABET[usize::from(*value)]));
        format!("{prefix}1{}", digits.collect::<String>())
    }

    /// Returns the prefix in small letters, and the 32 bytes.
    pub(super) fn decode(text: &str) -> Option<(String, Zeroizing<[u8; 32]>)> {
        if text.bytes().any(|byte| byte.is_ascii_lowercase()) && text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return None;
        }
        let text = Zeroizing::new(text.to_ascii_lowercase());
        let (prefix, digits) = text.rsplit_once('1')?;
        let value = |digit| ALPHABET.iter().position(|known| *known == digit).and_then(|at| u8::try_from(at).ok());
        let values = Zeroizing::new(digits.bytes().map(value).collect::<Option<Vec<u8>>>()?);
        let mut checked = Zeroizing::new(expanded(prefix));
        checked.extend_from_slice(&values);
        // 52 digits of data, of which the last four bits are zero, and six of checksum.
        if values.len() != 58 || polymod(&checked) != 1 || values[51] & 15 != 0 {
            return None;
        }
        let mut bytes = Zeroizing::new([0; 32]);
        for bit in 0..256 {
            bytes[bit / 8] |= (values[bit / 5] >> (4 - bit % 5) & 1) << (7 - bit % 8);
        }
        Some((prefix.to_owned(), bytes))
    }

    fn bit_of(bytes: &[u8; 32], bit: usize) -> u8 {
        bytes.get(bit / 8).map_or(0, |byte| byte >> (7 - bit % 8) & 1)
    }

    fn expanded(prefix: &str) -> Vec<u8> {
        prefix.bytes().map(|byte| byte >> 5).chain([0]).chain(prefix.bytes().map(|byte| byte & 31)).collect()
    }

    fn polymod(values: &[u8]) -> u32 {
        const GENERATORS: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
        values.iter().fold(1, |sum, value| {
            let mixed = (sum & 0x01ff_ffff) << 5 ^ u32::from(*value);
            let chosen = GENERATORS.iter().enumerate().filter(|(at, _)| sum >> 25 >> at & 1 == 1);
            chosen.fold(mixed, |sum, (_, generator)| sum ^ generator)
        })
    }
}

#[cfg(test)]
#[path = "age_tests.rs"]
mod tests;
