//! Notifications: a partner's system is told at an address of its own of what it follows, in the order of its feed.
//!
//! The address is named by two officers beforehand; a subscription of the partner chooses one of these and a topic, and
//! counts once the token that was sent there was shown. What is told is what the feed tells: judged by the agreement in
//! force at each delivery, without data, under the partner's own name for the person, with a record about the person.

pub(super) mod addresses;
pub(super) mod addresses_api;
mod delivery;
mod post;
pub(super) mod subscriptions;

use std::collections::BTreeSet;

pub use delivery::{Delivered, deliver_notifications, notifications_given_up};

use super::feed::{self, Kind};
use super::model::{Field, Grant, Unlisted};

/// How a change is noted that is no change: a child entered the register.
pub(super) const BORN: &str = "born";

/// What a subscription is about: events of OSIA 7.1 (notification, event types) that the feed has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Topic {
    /// Another sex.
    ChangeOfGender,
    /// Another name at birth.
    ChangeOfName,
    /// The person is dead.
    Death,
    /// A child has a number.
    LiveBirth,
    /// Anything else of the agreement.
    UpdatePerson,
}

impl Topic {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::ChangeOfGender, Self::ChangeOfName, Self::Death, Self::LiveBirth, Self::UpdatePerson];

    /// The name, as in the standard.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ChangeOfGender => "changeOfGender",
            Self::ChangeOfName => "changeOfName",
            Self::Death => "death",
            Self::LiveBirth => "liveBirth",
            Self::UpdatePerson => "updatePerson",
        }
    }

    /// The identifier: the same in each installation.
    pub const fn uuid(self) -> &'static str {
        match self {
            Self::ChangeOfGender => "6f7aa1de-0a4e-4b53-9a0c-5be8a6f7d201",
            Self::ChangeOfName => "6f7aa1de-0a4e-4b53-9a0c-5be8a6f7d202",
            Self::Death => "6f7aa1de-0a4e-4b53-9a0c-5be8a6f7d203",
            Self::LiveBirth => "6f7aa1de-0a4e-4b53-9a0c-5be8a6f7d204",
            Self::UpdatePerson => "6f7aa1de-0a4e-4b53-9a0c-5be8a6f7d205",
        }
    }

    /// Returns the topic of this name.
    pub fn named(name: &str) -> Result<Self, Unlisted> {
        Self::ALL.into_iter().find(|topic| topic.name() == name).ok_or(Unlisted)
    }

    /// True if a grant lets anything of this topic be told.
    pub fn is_granted(self, grant: &Grant) -> bool {
        match self {
            Self::ChangeOfGender => grant.fields.contains(&Field::Sex),
            Self::ChangeOfName => grant.fields.contains(&Field::FullName),
            Self::Death => grant.fields.contains(&Field::Life),
            Self::LiveBirth => grant.births,
            Self::UpdatePerson => true,
        }
    }

    /// True if one of these fields, as far as its kind is told and the agreement names it, is of this topic.
    fn is_of(self, changed: &str, told: &BTreeSet<Kind>, mask: &BTreeSet<Field>) -> bool {
        changed.split(',').any(|field| {
            let topic = match field {
                "died" => Self::Death,
                "full_name" => Self::ChangeOfName,
                "sex" => Self::ChangeOfGender,
                _ => Self::UpdatePerson,
            };
            topic == self && feed::kinds(field, mask).iter().any(|kind| told.contains(kind))
        })
    }
}

/// When a message that an address did not take is sent again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Policy {
    /// After so many seconds.
    pub countdown: u32,
    /// So many times; none: as long as changes are kept.
    pub retries: Option<u32>,
}

impl Default for Policy {
    fn default() -> Self {
        Self { countdown: 3600, retries: Some(168) }
    }
}

impl Policy {
    /// Reads `countdown,max`; what is missing is the default, and a `max` of -1 means without end.
    ///
    /// # Errors
    /// A sentence for the partner.
    pub fn read(text: &str) -> Result<Self, &'static str> {
        const UNFIT: &str = "policy: countdown,max with a countdown of 1 to 86400 seconds and a max of -1 to 10000";
        let mut policy = Self::default();
        let mut parts = text.split(',');
        if let Some(countdown) = parts.next().filter(|part| !part.is_empty()) {
            policy.countdown = countdown.parse().map_err(|_| UNFIT)?;
        }
        if let Some(max) = parts.next() {
            policy.retries = match max.parse::<i32>() {
                Ok(-1) => None,
                Ok(max) => Some(max.try_into().map_err(|_| UNFIT)?),
                Err(_) => return Err(UNFIT),
            };
        }
        let fits = (1..=86_400).contains(&policy.countdown) && policy.retries.is_none_or(|max| max <= 10_000);
        if fits && parts.next().is_none() { Ok(policy) } else { Err(UNFIT) }
    }

    /// As it is said.
    pub fn text(self) -> String {
        let max = self.retries.map_or_else(|| "-1".to_owned(), |max| max.to_string());
        format!("{},{max}", self.countdown)
    }
}

/// Reads an address: HTTPS, a host, and nothing that could lead elsewhere. Returns it in its one spelling.
///
/// # Errors
/// A sentence that does not repeat the address.
fn address(text: &str) -> Result<String, &'static str> {
    if text.len() > LONGEST_ADDRESS {
        return Err("address: at most 500 bytes");
    }
    let url: reqwest::Url = text.parse().map_err(|_| "address: it is none")?;
    if url.scheme() != "https" || url.host_str().is_none_or(str::is_empty) {
        return Err("address: over HTTPS alone");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("address: without a name or a password");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("address: without a query or a fragment");
    }
    Ok(url.into())
}

/// Longest address.
const LONGEST_ADDRESS: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_https_and_leads_nowhere_else() {
        assert_eq!(address("https://May-Chu.example:8443/tin").as_deref(), Ok("https://may-chu.example:8443/tin"));
        assert_eq!(address("https://may-chu.example").as_deref(), Ok("https://may-chu.example/"));
        for bad in [
            "",
            "may-chu.example",
            "http://may-chu.example/",
            "ftp://may-chu.example/",
            "file:///etc/passwd",
            "https://",
            "https://ten:mat-khau@may-chu.example/",
            "https://ten@may-chu.example/",
            "https://may-chu.example/?q=1",
            "https://may-chu.example/#a",
            &format!("https://may-chu.example/{}", "a".repeat(500)),
        ] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_policy_reads_as_the_standard_has_it() {
        let read = |text: &str| Policy::read(text).map(Policy::text);
        assert_eq!(read("").as_deref(), Ok("3600,168"));
        assert_eq!(read("60").as_deref(), Ok("60,168"));
        assert_eq!(read("60,-1").as_deref(), Ok("60,-1"));
        assert_eq!(read("1,0").as_deref(), Ok("1,0"));
        for bad in ["0,1", "-1,1", "1,-2", "x", "1,x", "1,2,3", "86401,1", "1,10001", "1,", "1.5,1"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn of_a_change_each_topic_tells_what_is_its_own() {
        let mask: BTreeSet<Field> = [Field::Life, Field::FullName, Field::BirthDate].into();
        let of = |changed: &str| {
            let told = feed::kinds(changed, &mask);
            let topics = Topic::ALL.into_iter().filter(|topic| topic.is_of(changed, &told, &mask));
            topics.map(Topic::name).collect::<Vec<_>>()
        };
        assert_eq!(of("died"), ["death"]);
        assert_eq!(of("missing_since"), ["updatePerson"], "a court's declaration is no death");
        assert_eq!(of("full_name"), ["changeOfName"]);
        assert_eq!(of("birth_date,full_name"), ["changeOfName", "updatePerson"]);
        assert_eq!(of("birth_date,sex"), ["updatePerson"], "the agreement does not name the sex");
        assert_eq!(of("religion"), [""; 0]);
        assert_eq!(of("record"), ["updatePerson"]);
        assert_eq!(of(BORN), [""; 0], "a birth is no change");
        // Of a person who moved away only the residence is told.
        let all: BTreeSet<Field> = Field::ALL.iter().copied().collect();
        let told = [Kind::Residence].into();
        assert!(!Topic::Death.is_of("died,permanent_residence", &told, &all));
        assert!(Topic::UpdatePerson.is_of("died,permanent_residence", &told, &all));
    }
}
