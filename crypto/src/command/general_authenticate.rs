//! GENERAL AUTHENTICATE: ISO/IEC 7816-4:2013 §11.5.5, Doc 9303-11 (8th ed.) §4.4.4.2 and §6.2.4.2.

use crate::apdu::{Command, Response, SHORT_NE, Status, cla};
use crate::conversation::Fault;
use crate::tlv::{self, Reader, Tlv};

/// One step of a protocol: at most one data object inside the dynamic authentication data.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GeneralAuthenticate {
    /// Tag and value; `None` for the empty template that asks for PACE's nonce.
    pub object: Option<(u32, Vec<u8>)>,
    /// Whether more steps follow; the class byte chains them (§4.4.4.3).
    pub chained: bool,
}

/// Instruction byte.
pub const INS: u8 = 0x86;

impl GeneralAuthenticate {
    /// Returns a step that others follow.
    pub fn step(tag: u32, value: &[u8]) -> Self {
        Self { object: Some((tag, value.to_vec())), chained: true }
    }

    /// Returns the last or only step.
    pub fn last(tag: u32, value: &[u8]) -> Self {
        Self { object: Some((tag, value.to_vec())), chained: false }
    }

    /// Returns the first step of PACE, which carries nothing.
    pub fn first() -> Self {
        Self { object: None, chained: true }
    }

    /// Returns the value, if the object has this tag.
    ///
    /// # Errors
    /// [`Status::WRONG_DATA`] (`6A80`) if the object is missing or has another tag.
    pub fn value(&self, tag: u32) -> Result<&[u8], Status> {
        match &self.object {
            Some((found, value)) if *found == tag => Ok(value),
            _ => Err(Status::WRONG_DATA),
        }
    }
}

/// Encodes the command as the terminal sends it.
impl From<GeneralAuthenticate> for Command {
    fn from(step: GeneralAuthenticate) -> Self {
        let inside = step.object.map(|(tag, value)| tlv::encode(tag, &value)).unwrap_or_default();
        let class = if step.chained { cla::CHAINED } else { cla::PLAIN };
        Self::new(INS, 0, 0).class(class).data(tlv::encode(TEMPLATE, &inside)).expecting(SHORT_NE)
    }
}

/// Decodes the command as the chip receives it.
impl TryFrom<&Command> for GeneralAuthenticate {
    type Error = Status;

    fn try_from(command: &Command) -> Result<Self, Status> {
        match command {
            Command { ins, .. } if *ins != INS => Err(Status::INSTRUCTION_NOT_SUPPORTED),
            Command { p, .. } if *p != [0, 0] => Err(Status::WRONG_P1P2),
            Command { data, .. } => {
                let template = Tlv::expect(TEMPLATE, data).map_err(|_| Status::WRONG_DATA)?;
                let mut inside = template.children();
                let object =
                    if inside.is_empty() { None } else { Some(inside.read().map_err(|_| Status::WRONG_DATA)?) };
                inside.finish().map_err(|_| Status::WRONG_DATA)?;
                Ok(Self { object: object.map(|o| (o.tag.0, o.value.to_vec())), chained: command.is_chained() })
            }
        }
    }
}

/// Returns the chip's answer: one data object inside the dynamic authentication data.
pub fn answer(tag: u32, value: &[u8]) -> Response {
    Response::success(tlv::encode(TEMPLATE, &tlv::encode(tag, value)))
}

/// Returns the chip's answer to a step that gives nothing back.
pub fn empty_answer() -> Response {
    Response::success(tlv::encode(TEMPLATE, &[]))
}

/// Reads the value of the first object with this tag in the answer; others (references of certification authorities,
/// §4.4.5.5) may stand beside it.
///
/// # Errors
/// [`Fault::Misbehaved`] if the answer is not such a template.
pub fn heard(tag: u32, data: &[u8]) -> Result<Vec<u8>, Fault> {
    let wrong = Fault::Misbehaved("the answer to GENERAL AUTHENTICATE is not the dynamic authentication data expected");
    let Ok(template) = Tlv::expect(TEMPLATE, data) else { return Err(wrong) };
    let mut inside: Reader<'_> = template.children();
    let mut value = None;
    while !inside.is_empty() {
        match inside.read() {
            Ok(object) if object.tag.0 == tag && value.is_none() => value = Some(object.value.to_vec()),
            Ok(_) => {}
            Err(_) => return Err(wrong),
        }
    }
    value.ok_or(wrong)
}

/// Dynamic authentication data.
const TEMPLATE: u32 = 0x7c;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worked_example_of_appendix_g1() {
        assert_eq!(hex::encode(Command::from(GeneralAuthenticate::first()).to_bytes()), "10860000027c0000");
        let last = GeneralAuthenticate::last(0x85, &hex_literal::hex!("C2B0BD78D94BA866"));
        assert_eq!(hex::encode(Command::from(last).to_bytes()), "008600000c7c0a8508c2b0bd78d94ba86600");
    }

    #[test]
    fn what_the_terminal_encodes_the_chip_decodes() {
        for step in [
            GeneralAuthenticate::first(),
            GeneralAuthenticate::step(0x81, &[4; 133]),
            GeneralAuthenticate::last(0x80, &[]),
        ] {
            assert_eq!(GeneralAuthenticate::try_from(&Command::from(step.clone())), Ok(step));
        }
        let step = GeneralAuthenticate::step(0x81, &[1]);
        assert_eq!((step.value(0x81), step.value(0x83)), (Ok(&[1][..]), Err(Status::WRONG_DATA)));
    }

    #[test]
    fn what_the_chip_answers_the_terminal_decodes() {
        let response = answer(0x86, &[5; 8]);
        assert_eq!(heard(0x86, &response.data), Ok(vec![5; 8]));
        assert!(heard(0x84, &response.data).is_err());
        assert!(heard(0x86, &response.data[..9]).is_err());
        assert_eq!(heard(0x86, &hex_literal::hex!("7c08 8603010203 870144")), Ok(vec![1, 2, 3]));
    }

    proptest::proptest! {
        #[test]
        fn any_data_field_is_understood_or_refused(data: Vec<u8>) {
            let _ = heard(0x86, &data);
            let _ = GeneralAuthenticate::try_from(&Command::new(INS, 0, 0).data(data));
        }
    }
}
