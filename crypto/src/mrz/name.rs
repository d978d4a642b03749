//! The name field: Doc 9303-3 (8th ed.) §4.6, and its truncation, Doc 9303-5 (8th ed.) §4.2.2.3 and §4.2.3.

use std::fmt;

use super::{MrzError, UnknownCharacter, transliterate};
use crate::identity::FullName;

/// Primary and secondary identifier as the MRZ writes them: A to Z, components separated by one filler.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct MrzName {
    primary: String,
    secondary: String,
}

impl MrzName {
    /// Transliterates both identifiers; the secondary may be empty.
    ///
    /// # Errors
    /// [`UnknownCharacter`]. A primary identifier without any letter gives an empty one, which `Td1::compose` refuses.
    pub fn new(primary: &str, secondary: &str) -> Result<Self, UnknownCharacter> {
        Ok(Self { primary: transliterate(primary)?, secondary: transliterate(secondary)? })
    }

    /// Returns a citizen's name: the first word, the family name, is the primary identifier.
    ///
    /// # Errors
    /// [`UnknownCharacter`]; not for a name that was parsed by [`FullName`].
    pub fn of_citizen(name: &FullName) -> Result<Self, UnknownCharacter> {
        let parts = Self::new(name.family(), name.middle_and_given())?;
        // A family name without letters would leave the field without a primary identifier.
        if parts.primary.is_empty() { Self::new(&parts.secondary, "") } else { Ok(parts) }
    }

    /// Returns the primary identifier.
    pub fn primary(&self) -> &str {
        &self.primary
    }

    /// Returns the secondary identifier, empty if there is none.
    pub fn secondary(&self) -> &str {
        &self.secondary
    }

    /// Returns the name field of `width` characters, truncated if it must be.
    ///
    /// Uses method a) of §4.2.3: the last components become initials first, then the remaining room is returned to
    /// components from the front. Primary components are only cut to make room for `<<` and one letter.
    pub fn field(&self, width: usize) -> String {
        let whole = if self.secondary.is_empty() {
            self.primary.clone()
        } else {
            format!("{}<<{}", self.primary, self.secondary)
        };
        let written = if whole.len() <= width { whole } else { self.truncated(width) };
        format!("{written:<<width$}")
    }

    /// Reads a name field; a name of one part has no secondary identifier. Fillers that do not separate are ignored.
    ///
    /// # Errors
    /// [`MrzError::Form`] if there is no name at all or a digit in it.
    pub fn parse(field: &str) -> Result<Self, MrzError> {
        let (primary, secondary) = field.trim_matches('<').split_once("<<").unwrap_or((field.trim_matches('<'), ""));
        let component = |text: &str| text.split('<').filter(|c| !c.is_empty()).collect::<Vec<_>>().join("<");
        let name = Self { primary: component(primary), secondary: component(secondary) };
        let letters = |text: &str| text.bytes().all(|b| b.is_ascii_uppercase() || b == b'<');
        if name.primary.is_empty() || !letters(&name.primary) || !letters(&name.secondary) {
            return Err(MrzError::Form(super::Field::Name));
        }
        Ok(name)
    }

    fn truncated(&self, width: usize) -> String {
        let (primary, secondary) = (components(&self.primary), components(&self.secondary));
        if secondary.is_empty() {
            return fill(&primary, width);
        }
        // `<<` and the first letter of the secondary identifier.
        let mut primary = initials_from_the_back(&primary, width - 3);
        loop {
            let start = primary.join("<");
            let written = format!("{start}<<{}", fill(&secondary, width - start.len() - 2));
            // One-letter components may not end in the last position, where a letter has to show the truncation;
            // one letter less in the primary identifier shifts them there.
            if written.len() == width || !shorten_by_one(&mut primary) {
                return written;
            }
        }
    }
}

/// Shows nothing.
impl fmt::Debug for MrzName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MrzName(…)")
    }
}

fn components(identifier: &str) -> Vec<String> {
    identifier.split('<').filter(|c| !c.is_empty()).map(str::to_owned).collect()
}

/// Cuts components to initials, the last first, until they fit; then the first component; then drops the last ones.
fn initials_from_the_back(components: &[String], room: usize) -> Vec<String> {
    let mut kept = components.to_vec();
    let length = |kept: &[String]| kept.join("<").len();
    for at in (1..kept.len()).rev() {
        if length(&kept) <= room {
            return kept;
        }
        kept[at].truncate(1);
    }
    let excess = length(&kept).saturating_sub(room);
    let first = kept[0].len().saturating_sub(excess).max(1);
    kept[0].truncate(first);
    while length(&kept) > room && kept.len() > 1 {
        kept.pop();
    }
    kept
}

/// Returns as many components as fit with one letter each; the remaining room is given to them from the front.
fn fill(components: &[String], room: usize) -> String {
    let count = components.len().min(room.div_ceil(2));
    let mut spare = (room + 1).saturating_sub(2 * count);
    let mut parts = Vec::with_capacity(count);
    for component in &components[..count] {
        let taken = component.len().min(1 + spare);
        spare -= taken - 1;
        parts.push(&component[..taken]);
    }
    parts.join("<")
}

/// Takes a letter from the last component that has more than one; `false` if there is none.
fn shorten_by_one(components: &mut [String]) -> bool {
    match components.iter_mut().rev().find(|c| c.len() > 1) {
        Some(component) => component.pop().is_some(),
        None => false,
    }
}
