//! `issuance stock`

use std::fs;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Outcome, Place, output};
use crate::ground::OfficeCode;
use crate::production::ledger::Balances;
use crate::{production, server};

/// Shows the accounts of the stock, and proves that they agree with its chips.
///
/// Every chip is on one account: supplier, store room, courier, office, station, card, spoiled, destroyed or lost. What
/// moves one is a posting from one account to another, so that the sum of all is 0 at every moment. See docs/stock.md.
#[derive(Args)]
pub(super) struct StockCommand {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Balances(Shown),
    Check(Checked),
}

/// Shows what the accounts hold.
#[derive(Args)]
struct Shown {
    #[command(flatten)]
    place: Place,
    /// Only those of this office.
    #[arg(long, value_name = "OFFICE")]
    office: Option<OfficeCode>,
    /// As one JSON object.
    #[arg(long)]
    json: bool,
    /// Draws what each kind of account holds into a file, too.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// Adds up all postings and compares them with all chips.
///
/// The sum of all accounts must be 0, no account but the supplier's may be below 0, and each account must hold as many
/// chips as there are by their own records. Ends with exit code 1 if anything differs. The service may run meanwhile.
#[derive(Args)]
struct Checked {
    #[command(flatten)]
    place: Place,
}

impl StockCommand {
    pub(super) fn run(self) -> Outcome {
        match self.verb {
            Verb::Balances(command) => command.run(),
            Verb::Check(command) => command.run(),
        }
    }
}

impl Shown {
    fn run(self) -> Outcome {
        let settings = self.place.settings()?;
        tokio::runtime::Runtime::new()?.block_on(async {
            let look = server::look(&settings).await?;
            let mut tx = look.begin_read().await?;
            let all = production::balances(&mut tx).await?;
            if let Some(office) = &self.office {
                let has_accounts = all.accounts.iter().any(|(account, _)| account.office.as_ref() == Some(office));
                if !has_accounts && !server::overdue::is_office(&mut tx, office).await? {
                    return Err(format!(
                        "no office is called {office}: it is no unit, and no officer in service is of it"
                    )
                    .into());
                }
            }
            let (sum, complaints) = (all.sum, all.complaints());
            let today = look.clock().today();
            let of = |office: Option<&OfficeCode>| self.office.as_ref().is_none_or(|wanted| office == Some(wanted));
            let accounts: Vec<_> = all.accounts.into_iter().filter(|(one, _)| of(one.office.as_ref())).collect();
            if let Some(path) = &self.svg {
                let of = self.office.as_ref().map_or_else(String::new, |office| format!(" of {office}"));
                let title = format!("Accounts of the stock{of}, {today}");
                let shown = Balances { accounts: accounts.clone(), ..Balances::default() };
                fs::write(path, production::picture(&title, &shown.by_place()))
                    .map_err(|e| format!("{}: {e}", path.display()))?;
            }
            if self.json {
                let accounts: Vec<_> = accounts
                    .iter()
                    .map(|(account, chips)| serde_json::json!({ "account": account.to_string(), "chips": chips }))
                    .collect();
                let view = serde_json::json!({ "sum": sum, "accounts": accounts, "complaints": complaints });
                output::line(format_args!("{}", serde_json::to_string_pretty(&view)?))?;
            } else {
                for (account, chips) in &accounts {
                    output::line(format_args!("{chips:>12}  {account}"))?;
                }
                output::line(format_args!("{sum:>12}  sum of all accounts"))?;
            }
            refuse(&complaints)
        })
    }
}

impl Checked {
    fn run(self) -> Outcome {
        let settings = self.place.settings()?;
        tokio::runtime::Runtime::new()?.block_on(async {
            let look = server::look(&settings).await?;
            let checked = production::check_ledger(&mut look.begin_read().await?).await?;
            for complaint in &checked.complaints {
                output::line(format_args!("{complaint}"))?;
            }
            if checked.complaints.is_empty() {
                let postings = checked.postings;
                output::line(format_args!(
                    "{postings} postings: the sum is 0, and the accounts are what the chips are."
                ))?;
            }
            refuse(&checked.complaints)
        })
    }
}

/// Refuses to end well where accounts and chips do not agree.
fn refuse(complaints: &[String]) -> Outcome {
    match complaints.len() {
        0 => Ok(()),
        n => Err(format!(
            "the accounts of the stock do not agree with its chips ({n} times): nothing of this service writes such rows; \
             find out whose hand it was, and compare with a backup"
        )
        .into()),
    }
}
