//! The headers of a page: what its browser may load, run, and hand on.

use std::fmt;

/// The word of one answer by which its scripts are known: 128 bits, drawn anew for each answer.
#[derive(Clone, Eq, PartialEq)]
pub struct Nonce(String);

impl Nonce {
    /// A nonce of these random bytes.
    #[must_use]
    pub fn of(random: [u8; 16]) -> Self {
        Self(hex::encode(random))
    }

    /// As text, for the attribute `nonce` (and `hx-nonce`).
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Shows nothing of it: a log that is read while the page is open must not let a script in.
impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonce(…)")
    }
}

/// Returns the headers of a page whose scripts carry this nonce, names in lower case.
///
/// Scripts run by nonce alone and put markup into the page through the policy `htmx` of Trusted Types alone; styles,
/// pictures and fonts come from the service itself; forms go there; no other page may frame it. The camera is for the
/// page that photographs; nothing else of the device is.
#[must_use]
pub fn headers(nonce: &Nonce) -> [(&'static str, String); 6] {
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self' data: blob:; font-src \
         'self'; connect-src 'self'; media-src 'self' blob:; form-action 'self'; base-uri 'none'; frame-ancestors \
         'none'; require-trusted-types-for 'script'; trusted-types htmx"
    );
    [
        ("content-security-policy", policy),
        ("permissions-policy", "camera=(self), geolocation=(), microphone=(), payment=(), usb=()".to_owned()),
        ("referrer-policy", "same-origin".to_owned()),
        ("x-content-type-options", "nosniff".to_owned()),
        ("x-frame-options", "DENY".to_owned()),
        ("cross-origin-opener-policy", "same-origin".to_owned()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_runs_scripts_by_its_nonce_alone() {
        let nonce = Nonce::of([0xa5; 16]);
        let headers = headers(&nonce);
        let policy = &headers.iter().find(|(name, _)| *name == "content-security-policy").unwrap().1;
        assert!(policy.contains(&format!("script-src 'nonce-{}';", "a5".repeat(16))), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
        assert!(policy.contains("require-trusted-types-for 'script'") && policy.contains("frame-ancestors 'none'"));
        assert!(!format!("{nonce:?}").contains("a5"));
    }
}
