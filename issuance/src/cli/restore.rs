//! `issuance restore`

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use time::format_description::well_known::Rfc3339;
use zeroize::Zeroizing;

use super::backup::attended;
use super::{Outcome, now, output};
use crate::server::backup::age::Identity;
use crate::server::backup::{self, Restoration};

/// Checks a backup, and restores it into a folder and a database that are empty.
///
/// Every digest is compared before anything is written. Counters (personal numbers, signatures of keys) go
/// on above what the backup knows, since some may have been given after it; sessions end; the audit trail
/// says that it was restored.
#[derive(Args)]
pub(super) struct RestoreCommand {
    /// The folder of the backup, or of an archive (`issuance archive`).
    #[arg(value_name = "FROM")]
    from: PathBuf,
    /// Take the archive of keys from this newer backup of the same installation: that of FROM may be gone.
    #[arg(long, value_name = "NEWER")]
    keys_from: Option<PathBuf>,
    /// Check the backup; without --data nothing is written. An archive is opened if there is an identity for it.
    #[arg(long, required_unless_present = "data")]
    verify: bool,
    /// The folder to restore into: empty, or not there.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where the key-encryption key is to lie [default: DIR/kek].
    #[arg(long, value_name = "FILE", requires = "data")]
    key_file: Option<PathBuf>,
    /// <postgres://USER:PASSWORD@HOST/NAME>: the empty database, for a backup of PostgreSQL. Arguments are visible to
    /// others: prefer the environment, or ~/.pgpass.
    #[arg(long, value_name = "URL", env = "ISSUANCE_DATABASE", hide_env_values = true)]
    database: Option<String>,
    /// File of the identity that opens the data, as age-keygen wrote it.
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// File of the identity that opens the keys.
    #[arg(long, value_name = "FILE")]
    keys_identity: Option<PathBuf>,
    /// Raise every counter by so much: more than any of them can have gone on between the backup and the loss. A cell
    /// of personal numbers has 1,000,000 positions.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(32..=500_000))]
    skip: u64,
    /// The program that restores PostgreSQL.
    #[arg(long, value_name = "FILE", default_value = "pg_restore")]
    pg_restore: PathBuf,
    /// PostgreSQL was recovered by its own means (base backup and archived log): take the database as it is, and from
    /// the backup only keys, files and objects.
    #[arg(long, requires = "data")]
    adopt: bool,
}

impl RestoreCommand {
    pub(super) fn run(self) -> Outcome {
        let identities = read(self.identity.as_deref())?;
        let keys_identities = read(self.keys_identity.as_deref())?;
        // Of an archive, the newest generation.
        let from = backup::newest(&self.from)?;
        let Some(data) = self.data else {
            return verify(&from, self.keys_from.as_deref(), &identities, &keys_identities);
        };
        let what = Restoration {
            from,
            keys_from: self.keys_from,
            data: data.clone(),
            key_file: self.key_file.clone(),
            database: self.database,
            identities,
            keys_identities,
            skip: self.skip,
            pg_restore: self.pg_restore,
            adopt: self.adopt,
        };
        let restored = attended(async |progress| Box::pin(backup::restore(what, progress, now())).await)?;
        let manifest = &restored.manifest;
        output::line(format_args!(
            "Installation {} is restored in {}, as of {}.",
            manifest.installation,
            data.display(),
            manifest.moment()
        ))?;
        output::line(format_args!(
            "Every counter was raised by {}; every session was ended; the audit trail says so.",
            self.skip
        ))?;
        let tables: Vec<_> = restored.verified.tables.iter().map(|(table, rows)| format!("{table} {rows}")).collect();
        output::line(format_args!("Records verified: {}.", tables.join(", ")))?;
        for (table, id) in &restored.verified.faults {
            output::line(format_args!("{table} {id} was changed outside the service, before the backup"))?;
        }
        for one in &restored.verified.miscounted {
            let (of, state, said, counted) = (one.of, &one.state, one.said, one.counted);
            output::line(format_args!("{of} {state}: there are {counted}, the tally says {said}"))?;
        }
        match &restored.without_row {
            Some(names) if names.is_empty() => {}
            Some(names) => {
                output::line(format_args!(
                    "Erased again: {} portraits that no application has (erased after the backup was begun, or never attached).",
                    names.len()
                ))?;
                if self.adopt {
                    names.iter().try_for_each(|name| output::line(format_args!("  without a row: {name}")))?;
                }
            }
            None => output::line(format_args!(
                "Not erased again, since records were changed: portraits that no application has. When that is mended: issuance \
                 retention run --orphans"
            ))?,
        }
        if !restored.without_object.is_empty() {
            output::line(format_args!(
                "{} portraits are newer than the objects of the backup: bring them from the copies of DATA/objects and \
                 DATA/content-keys, else they are taken again:",
                restored.without_object.len()
            ))?;
        }
        for (application, name) in &restored.without_object {
            output::line(format_args!("  without an object: application {application}, {name}"))?;
        }
        output::line(format_args!(
            "Not in it: what happened after the backup, also officers and stations that were locked and cards that were \
             revoked since."
        ))?;
        output::line(format_args!(
            "Next: keep the old place from ever serving again; `issuance reconcile`; `issuance crl` (a list of revocations \
             newer than any before); then `issuance serve`."
        ))?;
        match restored.verified.faults.len() {
            0 => Ok(()),
            faults => {
                Err(format!("{faults} records were changed outside the service; the service refuses them").into())
            }
        }
    }
}

fn verify(from: &Path, keys_from: Option<&Path>, identities: &[Identity], keys_identities: &[Identity]) -> Outcome {
    let checked = attended(async |progress| backup::check(from, keys_from, identities, keys_identities, progress))?;
    let manifest = &checked.manifest;
    output::line(format_args!(
        "{}: installation {}, {}, tables of version {}, as of {}, by issuance {}.",
        from.display(),
        manifest.installation,
        manifest.engine,
        manifest.schema,
        manifest.moment(),
        manifest.program
    ))?;
    output::line(format_args!("Every digest is right."))?;
    if checked.segments > 0 {
        let until = checked.until.format(&Rfc3339)?;
        output::line(format_args!(
            "Segments of the log: {}, none is missing; the last is of {until}.",
            checked.segments
        ))?;
    }
    let said = |opened, flag: &str| {
        if opened {
            "was opened, and each of its files compared".to_owned()
        } else {
            format!("was not opened ({flag})")
        }
    };
    output::line(format_args!("The archive of data {}.", said(checked.data_opened, "--identity")))?;
    output::line(format_args!("The archive of keys {}.", said(checked.keys_opened, "--keys-identity")))?;
    if !checked.keys_opened {
        output::line(format_args!("That nobody exchanged the whole backup is seen only with the keys opened."))?;
    }
    Ok(())
}

fn read(file: Option<&Path>) -> Result<Vec<Identity>, Box<dyn std::error::Error>> {
    let Some(file) = file else { return Ok(Vec::new()) };
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let text = Zeroizing::new(text);
    Ok(Identity::read_all(&text).map_err(|error| format!("{}: {error}", file.display()))?)
}
