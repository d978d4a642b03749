//! `issuance leases`

use std::error::Error;

use clap::{Args, Subcommand, ValueEnum};
use crypto::identity::{ProvinceCode, Sex};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::confirm::confirm;
use super::{Outcome, Place, output};
use crate::deed::Deeds;
use crate::ground::actor::Service;
use crate::ground::ids::LeaseId;
use crate::ground::{Id, OfficeCode};
use crate::numbering::Numbers;
use crate::numbering::leases::{self, Lease, LeasePurpose, LeaseState, Wanted};
use crate::numbering::store::leases as store;
use crate::population::Register;
use crate::server;

/// Leases of personal numbers: what birth desks and offline stations took, and what is left of it.
///
/// Every number of a lease that no person has is listed by `show`. After the lease it is never given.
#[derive(Args)]
pub(super) struct LeasesCommand {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    act: Act,
}

#[derive(Subcommand)]
enum Act {
    /// Lists the leases, oldest first: identifier, office, holder, province and year, numbers, used, end, state. A
    /// record that was changed by another hand is named, and the exit code is then 1.
    List {
        /// Only those of this office.
        #[arg(long)]
        office: Option<OfficeCode>,
        /// As one JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Shows a lease and its unused numbers.
    Show {
        /// Identifier of the lease.
        id: LeaseId,
        /// As one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Leases blocks of numbers and draws them: a line `lease ID` once a block is durable, then
    /// its numbers, one a line.
    Take(Take),
    /// Returns a lease: nothing of it comes in any more.
    Return {
        /// Identifier of the lease.
        id: LeaseId,
        /// Why, for the trail.
        #[arg(long)]
        because: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Args)]
struct Take {
    /// The desk or station, in words.
    #[arg(long)]
    holder: String,
    /// The office whose desk or station it is.
    #[arg(long, default_value = "national")]
    office: OfficeCode,
    /// What it is for.
    #[arg(long, default_value = "offline-station")]
    purpose: For,
    /// Province of birth registration, three digits.
    #[arg(long)]
    province: ProvinceCode,
    /// Year of birth.
    #[arg(long)]
    year: u16,
    /// `M` or `F` [default: so many numbers of both].
    #[arg(long)]
    sex: Option<Sex>,
    /// Numbers of a sex in one lease, 1 to 10000.
    #[arg(long, default_value_t = 100)]
    numbers: u32,
    /// Days that a lease lasts.
    #[arg(long, default_value_t = 30)]
    days: u16,
    /// So many leases, one after the other.
    #[arg(long, default_value_t = 1)]
    leases: u32,
}

#[derive(Clone, Copy, ValueEnum)]
enum For {
    BirthDesk,
    OfflineStation,
}

impl LeasesCommand {
    pub(super) fn run(self) -> Outcome {
        let settings = self.place.settings()?;
        if let Act::Return { id, yes, .. } = &self.act {
            confirm(&format!("Lease {id} ends for good; what of it is not in the register yet never comes in."), *yes)?;
        }
        tokio::runtime::Runtime::new()?.block_on(async {
            let (deeds, numbers) = server::numbers(&settings).await?;
            let done = Box::pin(act(&deeds, &Register::open(&settings.population)?, &numbers, self.act)).await;
            deeds.db().close().await;
            done
        })
    }
}

/// A lease in the list.
#[derive(Serialize)]
struct Item {
    id: LeaseId,
    office: OfficeCode,
    holder: String,
    purpose: LeasePurpose,
    province: String,
    birth_year: u16,
    numbers: u32,
    used: u64,
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
    /// Null for a record that was changed by another hand.
    state: Option<LeaseState>,
}

impl Item {
    fn new(lease: Lease, used: u64, holds: bool, now: OffsetDateTime) -> Self {
        Self {
            state: holds.then(|| lease.state(now)),
            numbers: lease.size(),
            id: lease.id,
            office: lease.office,
            holder: lease.holder,
            purpose: lease.purpose,
            province: lease.province.to_string(),
            birth_year: lease.birth_year,
            used,
            expires_at: lease.expires_at,
        }
    }

    fn line(&self) -> Result<String, Box<dyn Error>> {
        let Self { id, office, holder, province, birth_year, numbers, used, expires_at, .. } = self;
        let state = serde_json::to_value(self.state)?;
        let (until, state) = (expires_at.format(&Rfc3339)?, state.as_str().unwrap_or("tampered"));
        Ok(format!(
            "{id}\t{office}\t{holder}\t{province} {birth_year}\t{numbers} numbers\t{used} used\t{until}\t{state}"
        ))
    }
}

async fn act(deeds: &Deeds, register: &Register, numbers: &Numbers, act: Act) -> Outcome {
    let now = deeds.source().now();
    match act {
        Act::List { office, json } => {
            let (mut items, mut unreadable, mut after) = (vec![], vec![], Id::nil());
            let mut tx = deeds.db().begin_read().await?;
            loop {
                let page = store::leases(&mut tx, office.as_ref(), after, PAGE).await?;
                let ids: Vec<_> = page.iter().filter_map(|(row, _)| Id::of(row, "id").ok()).collect();
                let Some(last) = ids.last() else { break };
                after = *last;
                let used = store::used(&mut tx, &ids).await?;
                for (row, holds) in page {
                    match store::read(&row) {
                        Ok(lease) => {
                            let used = used.get(&lease.id).copied().unwrap_or(0);
                            items.push(Item::new(lease, used, holds, now));
                        }
                        Err(error) if holds => return Err(error.into()),
                        // One that another hand changed hides no other.
                        Err(_) => unreadable.push(row.name()),
                    }
                }
            }
            drop(tx);
            if json {
                output::line(format_args!("{}", serde_json::to_string_pretty(&items)?))?;
            } else {
                for item in &items {
                    output::line(format_args!("{}", item.line()?))?;
                }
            }
            let strange = items.iter().filter(|item| item.state.is_none()).map(|item| item.id.to_string());
            let strange: Vec<_> = strange.chain(unreadable).collect();
            super::refuse_strange("number_lease", strange.iter().map(String::as_str))
        }
        Act::Show { id, json } => {
            let mut deed = deeds.open(Service).await?;
            let (lease, unused) = leases::read(&mut deed, numbers, id, |_, _| Ok(())).await?;
            let used = store::used(deed.tx(), &[id]).await?.get(&id).copied().unwrap_or(0);
            deed.commit().await?;
            let item = Item::new(lease, used, true, now);
            if json {
                let shown = serde_json::json!({"lease": item, "unused": unused});
                return Ok(output::line(format_args!("{shown}"))?);
            }
            output::line(format_args!("{}", item.line()?))?;
            for number in unused {
                output::line(format_args!("{number}"))?;
            }
            Ok(())
        }
        Act::Take(take) => {
            let today = deeds.source().clock().today();
            if register.reference().province(take.province, today).is_none() {
                return Err(format!(
                    "no province of the tables or of `extra_provinces` has the code {}",
                    take.province
                )
                .into());
            }
            for _ in 0..take.leases {
                let mut deed = deeds.open(Service).await?;
                let lease = Box::pin(leases::lease(&mut deed, numbers, take.wanted())).await?;
                deed.commit().await?;
                // Durable from here on: what is killed below loses numbers that are listed.
                output::line(format_args!("lease {}", lease.id))?;
                let drawn: Vec<String> =
                    lease.numbers(numbers.permutation()).map(|n| n.map(|n| n.to_string())).collect::<Result<_, _>>()?;
                output::line(format_args!("{}", drawn.join("\n")))?;
            }
            Ok(())
        }
        Act::Return { id, because, .. } => {
            let mut deed = deeds.open(Service).await?;
            leases::give_back(&mut deed, id, &because, |_, _| Ok(())).await?;
            deed.commit().await?;
            Ok(output::line(format_args!("Lease {id} is returned."))?)
        }
    }
}

impl Take {
    fn wanted(&self) -> Wanted {
        Wanted {
            office: self.office.clone(),
            holder: self.holder.clone(),
            purpose: match self.purpose {
                For::BirthDesk => LeasePurpose::BirthDesk,
                For::OfflineStation => LeasePurpose::OfflineStation,
            },
            province: self.province,
            birth_year: self.year,
            sex: self.sex,
            numbers: self.numbers,
            days: self.days,
        }
    }
}

const PAGE: i64 = 200;
