//! Questions that a carrier brings: a security server of a data exchange layer, which knows the members of the layer
//! and says for which of them it asks. Pure.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::ids::PartnerSystemId;
use super::text::Login;

/// A member of a data exchange layer, as it calls its members: `instance/class/code`, or with a subsystem after it. A
/// subsystem is another one than its member.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Member(String);

/// A text that names no member.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("a member is instance/class/code or instance/class/code/subsystem, each 1 to 100 of A-Z a-z 0-9 '()+,-.=?")]
pub struct MemberMalformed;

impl Member {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the member of these parts.
    ///
    /// # Errors
    /// [`MemberMalformed`]
    pub fn of(parts: &[&str]) -> Result<Self, MemberMalformed> {
        let fits = matches!(parts.len(), 3 | 4) && parts.iter().all(|part| is_identifier(part));
        if fits { Ok(Self(parts.join("/"))) } else { Err(MemberMalformed) }
    }

    /// Returns the instance of the layer.
    #[must_use]
    pub fn instance(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }
}

impl FromStr for Member {
    type Err = MemberMalformed;

    fn from_str(text: &str) -> Result<Self, MemberMalformed> {
        Self::of(&text.split('/').collect::<Vec<_>>())
    }
}

/// True for a part of an identifier: 1 to 100 of the characters that X-Road has for them.
#[must_use]
pub fn is_identifier(part: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"'()+,-.=?".contains(&b);
    (1..=100).contains(&part.len()) && part.bytes().all(fits)
}

/// What a carrier says of a question that it brings.
#[derive(Clone)]
pub struct Brought {
    /// The member that asks.
    pub member: Member,
    /// Identifier of the message, by the member.
    pub message: String,
    /// Identifier of the query, by the carrier.
    pub query: Option<String>,
    /// The member's officer.
    pub user: Option<String>,
    /// The member's case.
    pub issue: Option<String>,
}

/// Shows neither officer nor case.
impl fmt::Debug for Brought {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Brought({}, {}, …)", self.member.as_str(), self.message)
    }
}

impl Brought {
    /// Returns the officer whom the carrier names: an account, or a number for life without the code of the country
    /// before it.
    #[must_use]
    pub fn officer(&self) -> Option<&str> {
        self.user.as_deref().map(|user| {
            let (country, number) = user.split_at_checked(2).unwrap_or_default();
            let numbered = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
            if numbered && country.bytes().all(|b| b.is_ascii_uppercase()) { number } else { user }
        })
    }

    /// True if this officer is the one whom the carrier names, or it names none.
    #[must_use]
    pub fn is_of(&self, officer: &str) -> bool {
        let spelt = |name: &str| name.parse::<Login>().is_ok_and(|name| name.as_str() == officer);
        self.officer().is_none_or(spelt)
    }
}

/// A question that a carrier brought, and the carrier: looked at again when a deed begins.
#[derive(Clone, Debug)]
pub struct Carried {
    /// The system that is the carrier.
    pub carrier: PartnerSystemId,
    /// What it says.
    pub brought: Brought,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_have_three_or_four_parts_of_the_characters_of_the_layer() {
        for good in ["VN/GOV/000.00.00.G12/thue", "VN/GOV/000.00.00.G12", "a/b/'()+,-.=?/Z9"] {
            let member: Member = good.parse().unwrap();
            assert_eq!((member.as_str(), member.instance()), (good, good.split('/').next().unwrap()));
        }
        let long = format!("VN/GOV/{}", "a".repeat(101));
        for bad in
            ["", "VN", "VN/GOV", "VN/GOV/", "VN//G12", "/VN/GOV/G12", "a/b/c/d/e", "VN/GOV/G 12", "VN/GOV/ưu", &long]
        {
            assert_eq!(bad.parse::<Member>(), Err(MemberMalformed), "{bad}");
        }
    }

    #[test]
    fn an_officer_is_named_with_the_country_or_without() {
        let brought = |user: Option<&str>| Brought {
            member: "VN/GOV/1".parse().unwrap(),
            message: "m".to_owned(),
            query: None,
            user: user.map(str::to_owned),
            issue: None,
        };
        for (user, officer, agrees) in [
            (Some("VN000190000017"), "000190000017", true),
            (Some("000190000017"), "000190000017", true),
            (Some("Nguyen.Van.Thu"), "nguyen.van.thu", true),
            (Some("VNnguyen.van.thu"), "nguyen.van.thu", false),
            (Some("vn000190000017"), "000190000017", false),
            (Some("VN"), "", false),
            (Some("ư"), "nguyen.van.thu", false),
            (None, "nguyen.van.thu", true),
        ] {
            assert_eq!(brought(user).is_of(officer), agrees, "{user:?} {officer}");
        }
        assert!(!format!("{:?}", brought(Some("VN000190000017"))).contains("0001"));
    }
}
