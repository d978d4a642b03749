//! What the chip announces about itself: the answer to reset, EF.ATR/INFO and EF.DIR.

use crypto::command::select::LDS1_APPLICATION;
use crypto::tlv;

use crate::profile::Profile;

/// Returns the answer to reset, in the form that a PC/SC reader gives to a contactless card (PC/SC part 3
/// §3.1.3.2.3.1): T=0 and T=1 offered without parameters, the historical bytes of ISO/IEC 7816-4:2013
/// §12.1.1, the check byte.
///
/// ```text
/// 3B 87 80 01 | 80 31 98 73 94 01 E0 | TCK
///               80          compact TLV objects follow, no status
///                  31 98    card service data: selection by full DF name, EF.ATR/INFO there, read with READ BINARY, has an MF
///                        73 94 01 E0   capabilities: DF name, file identifier, short identifier; units of one byte;
///                                      chaining, extended length, lengths in EF.ATR/INFO
/// ```
pub fn answer_to_reset(profile: &Profile) -> Vec<u8> {
    let services = 0x98 | if profile.directory { 0x20 } else { 0 };
    let [dedicated_files, units, lengths] = capabilities(profile);
    let mut atr = vec![0x3b, 0x80 | HISTORICAL_BYTES, 0x80, 0x01];
    atr.extend([0x80, 0x31, services, 0x73, dedicated_files, units, lengths]);
    atr.push(atr[1..].iter().fold(0, |check, byte| check ^ byte));
    atr
}

/// Returns the content of EF.ATR/INFO: capabilities and the lengths of the longest APDUs (Doc
/// 9303-10 (8th ed.) §3.11.1).
pub fn info(profile: &Profile) -> Vec<u8> {
    let lengths = [profile.max_command, profile.max_response].map(|length| tlv::encode(0x02, &unsigned(length)));
    [tlv::encode(0x47, &capabilities(profile)), tlv::encode(0x7f66, &lengths.concat())].concat()
}

/// Returns the content of EF.DIR: one application template (Doc 9303-10 (8th ed.) §3.11.2).
pub fn directory() -> Vec<u8> {
    tlv::encode(0x61, &tlv::encode(0x4f, &LDS1_APPLICATION))
}

/// Returns the three bytes of the software function tables: ISO/IEC 7816-4:2013 §12.1.1.9, tables 117 to 119.
fn capabilities(profile: &Profile) -> [u8; 3] {
    [0x94, 0x01, if profile.extended_length { 0xe0 } else { 0xa0 }]
}

/// Returns the content of a DER INTEGER that is not negative.
fn unsigned(value: usize) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let skip = bytes.iter().take(bytes.len() - 1).take_while(|b| **b == 0).count();
    let mut content = bytes[skip..].to_vec();
    if content[0] & 0x80 != 0 {
        content.insert(0, 0);
    }
    content
}

/// Number of historical bytes in the answer to reset.
const HISTORICAL_BYTES: u8 = 7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_atr_is_the_documented_one() {
        let atr = answer_to_reset(&Profile::default());
        assert_eq!(hex::encode(&atr[..11]), "3b878001803198739401e0");
        assert_eq!(atr[1..].iter().fold(0, |check, byte| check ^ byte), 0);
        assert!(atr.len() <= 33);
    }

    #[test]
    fn the_announced_lengths_are_read_back() {
        for profile in [Profile::default(), Profile::short()] {
            let read = crypto::lds::AtrInfo::parse(&info(&profile)).expect("well formed").expect("lengths");
            assert_eq!((read.max_command, read.max_response), (profile.max_command, profile.max_response));
        }
    }
}
