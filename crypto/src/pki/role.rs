//! Roles of certified keys.

/// Role of a certified key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Role {
    /// Country signing CA: a root if it is issued by itself, a link certificate if by another CSCA key of the State.
    Csca,
    /// Document signer: signs EF.SOD of documents whose MRZ begins with one of these types (`ID`, or
    /// `I` for all that begin so).
    DocumentSigner {
        /// One or two characters each.
        document_types: Vec<String>,
    },
    /// Trust-list signer: signs master lists and trust bundles.
    TrustListSigner,
}
