//! What an administrator installs: units that are hardened, manual pages for every command, a migration that is
//! looked at before it is done.

use std::process::Command;

use crate::house::House;
use crate::postgres::fresh_database;

fn issuance(arguments: &[&str]) -> (bool, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_issuance")).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

/// systemd scores a unit from 0 (nothing is left open) to 10; below 2 it says OK.
#[test]
fn the_units_are_hardened() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    for unit in units().iter().filter(|unit| unit.ends_with(".service")) {
        let mut analyze = Command::new("systemd-analyze");
        analyze.args(["security", "--offline=true", "--threshold=20", &format!("{root}/{unit}")]);
        match analyze.output() {
            Ok(output) => assert!(output.status.success(), "{unit}: {}", String::from_utf8_lossy(&output.stdout)),
            Err(error) => println!("SKIPPED: systemd-analyze is not there ({error}); {unit} was not scored"),
        }
    }
}

/// The units of both packages, by their path below the root of the workspace.
fn units() -> Vec<String> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let mut units = Vec::new();
    for folder in ["card-agent/packaging", "issuance/packaging"] {
        for entry in std::fs::read_dir(format!("{root}/{folder}")).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let extension = name.rsplit('.').next();
            if matches!(extension, Some("service" | "timer")) {
                units.push(format!("{folder}/{name}"));
            }
        }
    }
    units.sort();
    assert_eq!(units.len(), 5, "{units:?}");
    units
}

/// `make install` and the Debian package bring every unit; none is enabled; what a unit runs is a command with these
/// options.
#[test]
fn every_unit_is_installed_and_runs_a_command_that_there_is() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let read = |path: &str| std::fs::read_to_string(format!("{root}/{path}")).unwrap();
    let install = read("Makefile");
    for unit in units() {
        assert!(install.contains(&unit), "make install leaves out {unit}");
        let (package, name) = unit.split_once("/packaging/").unwrap();
        let package = read(&format!("{package}/Cargo.toml"));
        let (stem, kind) = name.rsplit_once('.').unwrap();
        let named = format!("unit-name = \"{stem}\", enable = false, start = false");
        let own =
            package.contains(&format!("name = \"{stem}\"\n")) && package.contains("{ enable = false, start = false");
        assert!(own || package.contains(&named), "the package leaves out {unit}, or enables it");
        if kind == "timer" {
            let service = unit.replace(".timer", ".service");
            assert!(units().contains(&service), "{unit} has no service");
            continue;
        }
        let text = read(&unit);
        let Some(command) = text.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/bin/issuance ")) else {
            continue;
        };
        let command = command.replace("${ARCHIVE}", "/nowhere").replace("$RECIPIENTS", "--plain");
        let arguments: Vec<_> = command.split_whitespace().chain(["--data", "/nowhere-either"]).collect();
        let (good, _, error) = issuance(&arguments);
        assert!(!good && error.contains("/nowhere-either"), "{unit}: it is understood, and finds no folder: {error}");
    }
}

#[test]
fn every_command_has_a_manual_page_and_a_completion() {
    let folder = tempfile::tempdir().unwrap();
    let (good, _, error) = issuance(&["man", folder.path().to_str().unwrap()]);
    assert!(good, "{error}");
    let page = |name: &str| std::fs::read_to_string(folder.path().join(format!("{name}.1"))).unwrap();
    for command in ["init", "serve", "status", "config", "officer", "migrate", "crl", "rotate", "renew-server"] {
        assert!(page(&format!("issuance-{command}")).contains(".SH"), "{command}");
        assert!(page("issuance").contains(&command.replace('-', "\\-")), "{command}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let (good, text, _) = issuance(&["completions", shell]);
        assert!(good && text.contains("renew-server"), "{shell}");
    }
    assert!(issuance(&["--version"]).1.starts_with("issuance 0."));
}

/// Before the first start every step is missing; afterwards none. Looking changes nothing.
#[tokio::test]
async fn a_migration_is_looked_at_before_it_is_done() {
    for database in [Some(None), fresh_database().map(Some)].into_iter().flatten() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let data = data.to_str().unwrap();
        assert!(issuance(&["init", "--data", data]).0);
        let migrate = |flags: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_issuance"));
            command.args(["migrate", "--data", data]).args(flags);
            if let Some(url) = &database {
                command.env("ISSUANCE_DATABASE", url);
            }
            let output = command.output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        };
        for _ in 0..2 {
            let told = migrate(&["--dry-run"]);
            assert!(told.starts_with("would apply 0001_deed_audit_entry\n"), "{told}");
        }
        assert!(migrate(&[]).starts_with("applied 0001_deed_audit_entry\n"));
        assert!(migrate(&["--dry-run"]).contains("nothing to do"));
        assert!(migrate(&[]).contains("nothing to do"));
    }
}

/// A database that a newer program made is refused, also by a look.
#[tokio::test]
async fn a_database_of_a_newer_version_is_refused_by_a_look() {
    let house = Box::pin(House::open(None)).await;
    let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
    let sql = "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
               values (9999, 'of tomorrow', true, x'00', 0)";
    sqlx::raw_sql(sql).execute(tx.lite().unwrap()).await.unwrap();
    tx.commit().await.unwrap();
    let data = house.folder.path().join("data");
    let (good, _, error) =
        tokio::task::spawn_blocking(move || issuance(&["migrate", "--dry-run", "--data", data.to_str().unwrap()]))
            .await
            .unwrap();
    assert!(!good && error.contains("step 9999") && error.contains("newer version"), "{error}");
    house.service.stop().await;
}
