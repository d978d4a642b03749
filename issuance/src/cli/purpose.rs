//! `issuance purpose`

use clap::{Args, Subcommand};
use serde_json::json;

use super::confirm::confirm;
use super::remote::{SignedIn, Signing, tampered, word};
use super::{Outcome, output};
use crate::exchange::PurposeCode;

/// What other authorities may ask for, with the law's article, for officers of the national office.
///
/// It asks a running service, as the officer who signs in. One officer proposes a purpose, a data protection officer
/// confirms it.
#[derive(Args)]
pub(super) struct PurposeCommand {
    #[command(flatten)]
    signing: Signing,
    #[command(subcommand)]
    act: Act,
}

#[derive(Subcommand)]
enum Act {
    /// Proposes a purpose. A data protection officer, another one, confirms it.
    New(New),
    /// Confirms a purpose that another officer proposed.
    Confirm {
        /// Its code.
        #[arg(value_parser = code)]
        code: String,
    },
    /// Lists the purposes: code, state, name, law.
    List {
        /// As one JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Ends a purpose: no agreement can be drafted or signed for it any more. Refused while an agreement has it.
    End {
        /// Its code; it is never given again.
        #[arg(value_parser = code)]
        code: String,
        /// Why, for the trail.
        #[arg(long, value_name = "WORDS")]
        because: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Args)]
struct New {
    /// 2 to 40 lower-case letters, digits and hyphens.
    #[arg(value_parser = code)]
    code: String,
    /// In Vietnamese: what the citizen reads.
    #[arg(long, value_name = "WORDS")]
    vietnamese: String,
    /// In English.
    #[arg(long, value_name = "WORDS")]
    english: String,
    /// The law's article.
    #[arg(long, value_name = "WORDS")]
    law: String,
    /// Term of the Data Privacy Vocabulary (DPV 2.3) that is nearest.
    #[arg(long, value_name = "TERM")]
    dpv: Option<String>,
}

impl PurposeCommand {
    pub(super) fn run(self) -> Outcome {
        if let Act::End { code, yes, .. } = &self.act {
            confirm(&format!("Purpose {code} ends for good."), *yes)?;
        }
        act(&self.signing.sign_in()?, self.act)
    }
}

fn act(office: &SignedIn, act: Act) -> Outcome {
    match act {
        Act::New(New { code, vietnamese, english, law, dpv }) => {
            let mut body = json!({"code": code, "name_vi": vietnamese, "name_en": english, "law": law});
            if let Some(dpv) = dpv {
                body["dpv"] = json!(dpv);
            }
            office.post("exchange-purposes", &body)?;
            output::line(format_args!(
                "Proposed. A data protection officer confirms it: issuance purpose confirm {code}"
            ))?;
        }
        Act::Confirm { code } => {
            office.post(&format!("exchange-purposes/{code}/confirmation"), &json!({}))?;
            output::line(format_args!("{code}\tconfirmed"))?;
        }
        Act::List { json } => {
            let all = office.get("exchange-purposes")?;
            if json {
                return Ok(output::line(format_args!("{}", serde_json::to_string_pretty(&all["purposes"])?))?);
            }
            for one in all["purposes"].as_array().into_iter().flatten() {
                let state = match (one["ended_at"].is_string(), one["confirmed_by"].is_string()) {
                    (true, _) => "ended",
                    (false, true) => "confirmed",
                    (false, false) => "drafted",
                };
                let [code, name, law] = ["code", "name_vi", "law"].map(|member| word(one, member));
                output::line(format_args!("{code}\t{state}\t{name}\t{law}{}", tampered(one)))?;
            }
        }
        Act::End { code, because, .. } => {
            office.post(&format!("exchange-purposes/{code}/end"), &json!({"reason": because}))?;
            output::line(format_args!("{code}\tended"))?;
        }
    }
    Ok(())
}

/// Refuses what is no code of a purpose.
fn code(text: &str) -> Result<String, &'static str> {
    let code = PurposeCode::try_from(text.to_owned());
    code.map(|code| code.as_str().to_owned()).map_err(|_| "2 to 40 lower-case letters, digits and hyphens")
}
