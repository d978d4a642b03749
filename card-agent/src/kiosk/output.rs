//! The files of a card as the chip gave them, for analysis with other tools, and the proved portrait.

use std::path::Path;

use crypto::inspection::{Evidence, FileReading, Holder};
use crypto::lds::{File, ImageFormat};
use crypto::sod::Sod;

use crate::failure::Failure;
use crate::private;

/// Writes each file read (`com.bin`, `sod.bin`, `dg1.bin` …, `cardaccess.bin`) and the document signer's certificate
/// from the EF.SOD as `ds.der`, as read and unproved: the verdict says which of them hold. The face is written as
/// `portrait.jpg` (or `.jp2`) only if DG2 was proved to be signed. Only the user of this account
/// may read what is written.
///
/// # Errors
/// Those of [`private::write`].
pub fn write_files(folder: &Path, evidence: &Evidence, holder: Option<&Holder>) -> Result<(), Failure> {
    let write = |name: &str, bytes: &[u8]| private::write(&folder.join(name), bytes);
    private::create_folder(folder)?;
    for (file, reading) in &evidence.files {
        if let FileReading::Read(bytes) = reading {
            write(&name(*file), bytes)?;
        }
    }
    if let Some(dg2) = holder.and_then(Holder::portrait) {
        write(if dg2.format == ImageFormat::Jpeg { "portrait.jpg" } else { "portrait.jp2" }, &dg2.image)?;
    }
    if let Some(Ok(sod)) = evidence.file(File::Sod).map(Sod::parse)
        && let Ok(signer) = sod.signer_certificate()
    {
        write("ds.der", signer.der())?;
    }
    Ok(())
}

/// Returns the name under which [`write_files`] writes a file of the card.
pub fn name(file: File) -> String {
    match file {
        File::AtrInfo => "atrinfo.bin".to_owned(),
        File::CardAccess => "cardaccess.bin".to_owned(),
        File::CardSecurity => "cardsecurity.bin".to_owned(),
        File::Com => "com.bin".to_owned(),
        File::DataGroup(group) => format!("dg{}.bin", group.number()),
        File::Dir => "dir.bin".to_owned(),
        File::Sod => "sod.bin".to_owned(),
    }
}
