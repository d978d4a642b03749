//! What the pages of the service and of the kiosk share, without a web framework: stylesheet, fonts, icons and scripts
//! ([`asset`]), the headers under which a page is safe ([`headers`]), its languages ([`Language`]), and numbers and
//! dates as they are written in Viet Nam ([`written`]).

mod assets;
mod headers;
mod language;
pub mod written;

pub use assets::{Asset, ICONS, address, asset};
pub use headers::{Nonce, headers};
pub use language::Language;
