//! Reads DG1, DG2, DG13 and SOD with the `dmrtd` crate over PC/SC and prints what it saw as one JSON line.
//!
//! usage: read-with-dmrtd READER bac|pace-mrz|pace-can DOCUMENT_NUMBER BIRTH(yymmdd) EXPIRY(yymmdd) CAN CSCA.der

use std::error::Error;
use std::ffi::CString;

use chrono::NaiveDate;
use dmrtd::auth::passive::{self, DataGroup, TrustAnchor};
use dmrtd::com::{TransceiveError, Transceiver};
use dmrtd::lds::ef::ElementaryFile;
use dmrtd::passport::Passport;
use dmrtd::proto::can_key::CanKey;
use dmrtd::proto::dba_key::DBAKey;
use sha2::{Digest, Sha256};

struct Reader(pcsc::Card);

impl Transceiver for Reader {
    fn transceive(&mut self, apdu: &[u8]) -> Result<Vec<u8>, TransceiveError> {
        let mut buffer = vec![0; 65_538];
        self.0.transmit(apdu, &mut buffer).map(<[u8]>::to_vec).map_err(|e| TransceiveError::new(e.to_string()))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().collect();
    let [_, reader, mode, number, birth, expiry, can, csca] = &args[..] else {
        return Err("usage: read-with-dmrtd READER bac|pace-mrz|pace-can NUMBER BIRTH EXPIRY CAN CSCA.der".into());
    };
    let context = pcsc::Context::establish(pcsc::Scope::User)?;
    let card = context.connect(&CString::new(reader.as_str())?, pcsc::ShareMode::Shared, pcsc::Protocols::ANY)?;
    let mut passport = Passport::new(Reader(card));
    match mode.as_str() {
        "bac" => passport.start_session(DBAKey::new(number, date(birth, 1900)?, date(expiry, 2000)?, false)?)?,
        "pace-mrz" => {
            let access = passport.read_ef_card_access()?;
            passport.start_session_pace(DBAKey::new(number, date(birth, 1900)?, date(expiry, 2000)?, true)?, &access)?;
        }
        _ => {
            let access = passport.read_ef_card_access()?;
            passport.start_session_pace(CanKey::new(can)?, &access)?;
        }
    }
    let dg1 = passport.read_ef_dg1()?.to_bytes().to_vec();
    let dg2 = passport.read_ef_dg2()?.to_bytes().to_vec();
    let dg13 = passport.read_ef_dg13()?.to_bytes().to_vec();
    let sod = passport.read_ef_sod()?.to_bytes().to_vec();
    let groups = [(1, &dg1), (2, &dg2), (13, &dg13)].map(|(number, bytes)| DataGroup { number, bytes });
    let verdict = passive::verify(&sod, &groups, &[TrustAnchor::from_certificate(&std::fs::read(csca)?)?])?;
    let digest = |bytes: &[u8]| hex::encode(Sha256::digest(bytes));
    println!(
        "{{\"program\":\"dmrtd\",\"mode\":\"{mode}\",\"dg1\":\"{}\",\"dg2\":\"{}\",\"dg13\":\"{}\",\"sod\":\"{}\",\"authentic\":{}}}",
        digest(&dg1),
        digest(&dg2),
        digest(&dg13),
        digest(&sod),
        verdict.is_authentic()
    );
    Ok(())
}

/// Six MRZ digits; a birth year is placed in this century or the last, an expiry in this one. BAC and PACE
/// use the six digits only.
fn date(six: &str, century: i32) -> Result<NaiveDate, Box<dyn Error>> {
    let part = |range: std::ops::Range<usize>| -> Result<u32, Box<dyn Error>> { Ok(six.get(range).ok_or("six digits wanted")?.parse()?) };
    NaiveDate::from_ymd_opt(century + part(0..2)? as i32, part(2..4)?, part(4..6)?).ok_or_else(|| "not a date".into())
}
