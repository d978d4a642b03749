//! An archive: tar, encrypted or plain; its last file lists the others with length and digest.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path, PathBuf};

use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::age::{AgeError, Decryptor, Encryptor, Identity, Recipient};
use super::manifest::Archive;
use super::{BackupError, Progress};
use crate::ground::files;

/// A file in the list at the end of an archive.
#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Listed {
    file: String,
    length: u64,
    sha256: String,
}

/// The list at the end of an archive.
const INDEX: &str = "index.json";

/// An archive that is being written.
pub(super) struct Writer {
    path: PathBuf,
    tar: tar::Builder<Sink>,
    listed: Vec<Listed>,
    recipients: Vec<String>,
    modified: u64,
    progress: Progress,
}

impl Writer {
    /// Begins an archive in `folder`, called `name` and, if it is encrypted, `name.age`. Files in it carry the moment
    /// `modified`, in seconds.
    pub(super) fn begin(
        folder: &Path,
        name: &str,
        recipients: &[Recipient],
        modified: u64,
        progress: &Progress,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, BackupError> {
        let sealed = if recipients.is_empty() { "" } else { ".age" };
        let path = folder.join(format!("{name}{sealed}"));
        let file = OpenOptions::new().write(true).create_new(true).mode(files::PRIVATE).open(&path);
        let file = file.map_err(BackupError::file(&path))?;
        let tee = Tee { file: BufWriter::new(file), digest: Sha256::new(), length: 0 };
        let sink = if recipients.is_empty() {
            Sink::Plain(tee)
        } else {
            Sink::Sealed(Encryptor::new(recipients, tee, rng).map_err(BackupError::file(&path))?)
        };
        let recipients = recipients.iter().map(ToString::to_string).collect();
        let progress = progress.clone();
        Ok(Self { path, tar: tar::Builder::new(sink), listed: Vec::new(), recipients, modified, progress })
    }

    /// Adds a file of `length` bytes.
    pub(super) fn add(&mut self, name: &str, mode: u32, length: u64, from: impl Read) -> Result<(), BackupError> {
        let failed = BackupError::file(&self.path);
        self.append(name, mode, length, from).map_err(failed)
    }

    fn append(&mut self, name: &str, mode: u32, length: u64, from: impl Read) -> io::Result<()> {
        let mut from = Digesting::new(from.take(length), "copying", &self.progress);
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(mode);
        header.set_mtime(self.modified);
        header.set_size(length);
        self.tar.append_data(&mut header, name, &mut from)?;
        let listed = from.listed(name);
        if listed.length != length {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("{name} became shorter while it was read"),
            ));
        }
        self.listed.push(listed);
        Ok(())
    }

    /// Writes the list, and flushes everything to the disk. Returns what the manifest says of the archive.
    pub(super) fn finish(mut self) -> Result<Archive, BackupError> {
        let failed = BackupError::file(&self.path);
        let index = serde_json::to_vec(&self.listed).expect("names and numbers become JSON");
        let files = self.listed.len() as u64;
        let (length, sha256) = self
            .append(INDEX, files::PRIVATE, index.len() as u64, &*index)
            .and_then(|()| match self.tar.into_inner()? {
                Sink::Plain(tee) => tee.finish(),
                Sink::Sealed(encryptor) => encryptor.finish()?.finish(),
            })
            .map_err(failed)?;
        let file = self.path.file_name().expect("an archive has a name").to_string_lossy().into_owned();
        Ok(Archive { file, length, sha256, files, recipients: self.recipients })
    }
}

enum Sink {
    Plain(Tee),
    Sealed(Encryptor<Tee>),
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tee) => tee.write(bytes),
            Self::Sealed(encryptor) => encryptor.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(tee) => tee.flush(),
            Self::Sealed(encryptor) => encryptor.flush(),
        }
    }
}

/// A file, with the digest of what is written into it.
struct Tee {
    file: BufWriter<File>,
    digest: Sha256,
    length: u64,
}

impl Tee {
    fn finish(mut self) -> io::Result<(u64, String)> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        Ok((self.length, hex::encode(self.digest.finalize())))
    }
}

impl Write for Tee {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.digest.update(&bytes[..written]);
        self.length += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Computes the digest of what is read.
struct Digesting<'a, R> {
    from: R,
    digest: Sha256,
    length: u64,
    what: &'static str,
    progress: &'a Progress,
}

impl<'a, R: Read> Digesting<'a, R> {
    fn new(from: R, what: &'static str, progress: &'a Progress) -> Self {
        Self { from, digest: Sha256::new(), length: 0, what, progress }
    }

    fn listed(self, name: &str) -> Listed {
        Listed { file: name.to_owned(), length: self.length, sha256: hex::encode(self.digest.finalize()) }
    }
}

impl<R: Read> Read for Digesting<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.from.read(buffer)?;
        self.digest.update(&buffer[..length]);
        self.length += length as u64;
        self.progress.passed(self.what, length as u64)?;
        Ok(length)
    }
}

/// What opens an archive: identities, and the option that names them.
pub(super) struct Key<'a> {
    pub identities: &'a [Identity],
    pub flag: &'static str,
}

/// Reads an archive to its end: calls `visit` with name, length and content of each file, and
/// compares the list at the end.
pub(super) fn walk(
    path: &Path,
    sealed: bool,
    key: &Key<'_>,
    progress: &Progress,
    visit: &mut dyn FnMut(&str, &mut dyn Read) -> Result<(), BackupError>,
) -> Result<(), BackupError> {
    let mut archive = opened(path, sealed, key)?;
    // What fails while the archive is read is the archive's own fault.
    let bad = |error: io::Error| match error.get_ref() {
        Some(inner) if inner.is::<super::Stop>() => BackupError::Stopped,
        _ => BackupError::damaged(path, error),
    };
    let (mut listed, mut ended) = (Vec::new(), false);
    for entry in archive.entries().map_err(bad)? {
        let entry = entry.map_err(bad)?;
        let name = name_of(path, &entry)?;
        if ended {
            return Err(BackupError::damaged(path, "files follow after the list of files"));
        }
        let mut content = Digesting::new(entry, "reading", progress);
        if name == INDEX {
            let mut bytes = Vec::new();
            content.read_to_end(&mut bytes).map_err(bad)?;
            let index: Vec<Listed> =
                serde_json::from_slice(&bytes).map_err(|error| BackupError::damaged(path, error))?;
            if index != listed {
                return Err(BackupError::damaged(path, "its files are not those that it lists"));
            }
            ended = true;
        } else {
            visit(&name, &mut content)?;
            io::copy(&mut content, &mut io::sink()).map_err(bad)?;
            listed.push(content.listed(&name));
        }
    }
    if !ended {
        return Err(BackupError::damaged(path, "it ends before its list of files"));
    }
    // To the very end: only there the encryption says that nothing is missing.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(bad)?;
    Ok(())
}

/// Calls `visit` with the first file of an archive.
pub(super) fn first(
    path: &Path,
    sealed: bool,
    key: &Key<'_>,
    visit: &mut dyn FnMut(&str, &mut dyn Read) -> Result<(), BackupError>,
) -> Result<(), BackupError> {
    let mut archive = opened(path, sealed, key)?;
    let bad = |error: io::Error| BackupError::damaged(path, error);
    let mut entry = archive
        .entries()
        .map_err(bad)?
        .next()
        .ok_or_else(|| BackupError::damaged(path, "it is empty"))?
        .map_err(bad)?;
    let name = name_of(path, &entry)?;
    visit(&name, &mut entry)
}

fn opened(path: &Path, sealed: bool, key: &Key<'_>) -> Result<tar::Archive<Box<dyn Read>>, BackupError> {
    let file = BufReader::new(File::open(path).map_err(BackupError::file(path))?);
    let inner: Box<dyn Read> = if sealed {
        Box::new(Decryptor::new(key.identities, file).map_err(|error| match error {
            AgeError::NoMatch => {
                BackupError::Identity { file: path.to_owned(), flag: key.flag, why: error.to_string() }
            }
            AgeError::Header | AgeError::Io(_) => BackupError::damaged(path, error),
        })?)
    } else {
        Box::new(file)
    };
    Ok(tar::Archive::new(inner))
}

/// Returns the name of a file in an archive, which must stay below the folder that it is written to.
fn name_of<R: Read>(path: &Path, entry: &tar::Entry<'_, R>) -> Result<String, BackupError> {
    let name = entry.path().ok().and_then(|name| name.to_str().map(str::to_owned));
    let name = name.ok_or_else(|| BackupError::damaged(path, "a name is no text"))?;
    let inside = Path::new(&name).components().all(|part| matches!(part, Component::Normal(_)));
    if !inside || name.is_empty() || entry.header().entry_type() != tar::EntryType::Regular {
        return Err(BackupError::damaged(path, format_args!("`{name}` is no file that a backup holds")));
    }
    Ok(name)
}
