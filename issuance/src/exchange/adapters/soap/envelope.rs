//! The envelope of SOAP 1.1: a header, and a body with one element, the question.

use std::fmt::Write as _;

use quick_xml::escape::escape;

use super::SOAP;
use super::xml::{self, Node, NotXml};

/// A message as it came in.
pub(in super::super) struct Envelope {
    /// The header.
    pub header: Header,
    /// The one element of the body.
    pub question: Node,
}

/// The header of a message; without blocks where there is none.
#[derive(Default)]
pub(in super::super) struct Header {
    /// Its blocks, in their order.
    pub blocks: Vec<Node>,
    /// True if there is text beside the blocks, or an attribute of the header itself.
    pub is_odd: bool,
    written: String,
}

/// Why a message is no question.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in super::super) enum Rejected {
    /// A block of the header that must be understood, and is not.
    MustUnderstand,
    /// No operation of this service gives data of a span of time.
    Synchronisation,
    /// What is wrong.
    Unfit(String),
    /// Not SOAP 1.1.
    Version,
}

impl From<NotXml> for Rejected {
    fn from(NotXml { why, at }: NotXml) -> Self {
        Self::Unfit(format!("{why} (byte {at})"))
    }
}

pub(in super::super) fn unfit<T>(why: impl Into<String>) -> Result<T, Rejected> {
    Err(Rejected::Unfit(why.into()))
}

impl Envelope {
    /// Reads a message.
    ///
    /// # Errors
    /// [`Rejected`]
    pub fn read(bytes: &[u8]) -> Result<Self, Rejected> {
        let envelope = xml::read(bytes)?;
        if envelope.name != "Envelope" {
            return unfit("the message is no SOAP envelope");
        }
        if envelope.namespace != SOAP {
            return Err(Rejected::Version);
        }
        plain(&envelope)?;
        let (mut header, mut body) = (None, None);
        for part in envelope.children {
            let place = if part.is(SOAP, "Header") && body.is_none() {
                &mut header
            } else if part.is(SOAP, "Body") {
                &mut body
            } else {
                return unfit(format!("Envelope: {} does not belong there", called(&part)));
            };
            if place.is_some() {
                return unfit(format!("Envelope: {} stands there twice", called(&part)));
            }
            *place = Some(part);
        }
        let Some(body) = body else { return unfit("Envelope: Body is missing") };
        plain(&body)?;
        let Ok([question]) = <[Node; 1]>::try_from(body.children) else {
            return unfit("Body: it has one element, the operation");
        };
        let header = header.map(|header| Header::of(header, &envelope.declared, bytes)).unwrap_or_default();
        Ok(Self { header, question })
    }
}

impl Header {
    fn of(header: Node, outer: &[(String, String)], bytes: &[u8]) -> Self {
        let is_odd = header.has_text() || !header.attributes.is_empty();
        let content = std::str::from_utf8(&bytes[header.content.clone()]).expect("it was read as UTF-8");
        let name = if header.prefix.is_empty() { String::new() } else { format!("{}:", header.prefix) };
        // The declarations of namespaces that hold in the header, its own before those of the envelope.
        let inherited = outer.iter().filter(|(prefix, _)| header.declared.iter().all(|(own, _)| own != prefix));
        let mut written = format!("<{name}Header");
        for (prefix, namespace) in inherited.chain(&header.declared) {
            let colon = if prefix.is_empty() { "" } else { ":" };
            let _ = write!(written, " xmlns{colon}{prefix}=\"{}\"", escape(namespace));
        }
        let _ = write!(written, ">{content}</{name}Header>");
        Self { blocks: header.children, is_odd, written }
    }

    /// Returns the header as it came in, to the byte, as an element that stands for itself; empty where there is none.
    pub fn as_written(&self) -> &str {
        &self.written
    }

    /// True for a header with a block that may not be passed over.
    pub fn must_be_understood(&self, is_known: impl Fn(&Node) -> bool) -> bool {
        let is = |block: &Node| {
            let found = block.attributes.iter().find(|one| one.namespace == SOAP && one.name == "mustUnderstand");
            found.is_some_and(|one| matches!(one.value.trim(), "1" | "true"))
        };
        self.blocks.iter().any(|block| is(block) && !is_known(block))
    }
}

/// Refuses an element that has text beside its elements.
pub(in super::super) fn plain(part: &Node) -> Result<(), Rejected> {
    if part.has_text() {
        return unfit(format!("{}: it has elements and no text", called(part)));
    }
    no_attributes(part)
}

/// Refuses attributes that would change what an element means. Those of SOAP and of XML Schema change nothing here.
pub(in super::super) fn no_attributes(part: &Node) -> Result<(), Rejected> {
    let known = [SOAP, "http://www.w3.org/2001/XMLSchema-instance"];
    match part.attributes.iter().find(|attribute| !known.contains(&attribute.namespace.as_str())) {
        Some(_) => unfit(format!("{}: it has no attributes", called(part))),
        None => Ok(()),
    }
}

/// Returns how an element is called in what is said of it. A name that is none of a message is not said again.
pub(in super::super) fn called(part: &Node) -> String {
    let name = &part.name;
    // The shape of our names: letters alone, as no number and no address has.
    let fits = name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphabetic());
    match (fits, part.namespace.is_empty()) {
        (true, false) => name.clone(),
        (true, true) => format!("{name} without a namespace"),
        (false, _) => "an element".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(envelope: &str, blocks: &str) -> Header {
        let xml = format!(
            "<s:Envelope xmlns:s='{SOAP}'{envelope}><s:Header>{blocks}</s:Header><s:Body><x/></s:Body></s:Envelope>"
        );
        Envelope::read(xml.as_bytes()).ok().unwrap().header
    }

    #[test]
    fn a_header_is_written_again_to_the_byte_with_the_namespaces_that_hold_in_it() {
        let blocks = "\n <x:a  k = 'v' xmlns:x='urn:x'> A &amp; &#432;<!-- c --><![CDATA[<]]></x:a><d:b/> ";
        let written = header(" xmlns:d='urn:d&amp;\"'", blocks);
        assert_eq!(
            written.as_written(),
            format!("<s:Header xmlns:s=\"{SOAP}\" xmlns:d=\"urn:d&amp;&quot;\">{blocks}</s:Header>")
        );
        assert_eq!((written.blocks.len(), written.is_odd), (2, false));
        // The header's own declarations win, and an envelope without prefixes keeps its namespace.
        let xml = format!(
            "\u{feff}<Envelope xmlns='{SOAP}' xmlns:a='1'><Header xmlns:a='2'><a:b/></Header><Body><x/></Body></Envelope>"
        );
        let header = Envelope::read(xml.as_bytes()).ok().unwrap().header;
        assert_eq!(header.as_written(), format!("<Header xmlns=\"{SOAP}\" xmlns:a=\"2\"><a:b/></Header>"));
        let none = format!("<s:Envelope xmlns:s='{SOAP}'><s:Body><x/></s:Body></s:Envelope>");
        assert_eq!(Envelope::read(none.as_bytes()).ok().unwrap().header.as_written(), "");
        let empty = format!("<s:Envelope xmlns:s='{SOAP}'><s:Header/><s:Body><x/></s:Body></s:Envelope>");
        let empty = Envelope::read(empty.as_bytes()).ok().unwrap().header;
        assert_eq!(empty.as_written(), format!("<s:Header xmlns:s=\"{SOAP}\"></s:Header>"));
    }

    #[test]
    fn what_stands_beside_the_blocks_is_odd() {
        assert!(header("", "text").is_odd);
        assert!(!header("", " \n<a xmlns='urn:a'>text</a>").is_odd);
    }
}
