//! `issuance.toml` and what stands over it: the environment, then flags. Unknown keys are named with line and remedy.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use issuance::server::config::{Config, ConfigError, DOCUMENTED};
use tempfile::TempDir;

fn issuance(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_issuance"));
    for name in ["ISSUANCE_CONFIG", "ISSUANCE_DATA", "ISSUANCE_KEY_FILE", "ISSUANCE_DATABASE", "ISSUANCE_LISTEN"] {
        command.env_remove(name);
    }
    command.args(arguments).envs(environment.iter().copied()).output().unwrap()
}

/// Standard output of a command that is done.
fn done(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let output = issuance(arguments, environment);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Standard error of a command that is refused.
fn refused(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let output = issuance(arguments, environment);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

fn file(folder: &TempDir, text: &str) -> String {
    let path = folder.path().join("issuance.toml");
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The documented file holds each key with the default that the program has, and leaves out none.
#[test]
fn the_documented_file_says_the_defaults_and_every_key() {
    let documented = Config::parse(DOCUMENTED, "issuance.toml").unwrap();
    assert_eq!(documented.dump().unwrap(), Config::default().dump().unwrap());
    // With its comments opened, it is still a configuration, and says every key.
    let opened: String = DOCUMENTED
        .lines()
        .map(|line| {
            line.strip_prefix("# ")
                .filter(|rest| rest.split_once(" = ").is_some_and(|(key, _)| is_key(key)))
                .unwrap_or(line)
                .to_owned()
                + "\n"
        })
        .collect();
    let opened = Config::parse(&opened, "issuance.toml").unwrap();
    let all = opened.dump().unwrap();
    for key in
        ["data", "key_file", "database", "database_password_file", "country", "hosts", "named_curves", "password_turns"]
    {
        assert!(all.lines().any(|line| line.starts_with(&format!("{key} = "))), "{key}\n{all}");
    }
    let said = |text: &str| text.lines().filter(|line| line.contains(" = ") && !line.starts_with('#')).count();
    let keys =
        DOCUMENTED.lines().filter(|line| line.trim_start_matches("# ").split(" = ").next().is_some_and(is_key)).count();
    assert_eq!(keys, said(&all), "a key without its line in issuance.toml\n{all}");
}

fn is_key(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest_right_name() {
    let folder = TempDir::new().unwrap();
    for (text, expected) in [
        ("lisen = \"127.0.0.1:1\"\n", "line 1: there is no key `lisen`; did you mean `listen`?"),
        ("\n[cart]\n", "line 2: there is no key `cart`; did you mean `card`?"),
        (
            "[access]\nlockout_after = 3\nlock_out_for = \"1m\"\n",
            "line 3: there is no key `lock_out_for`; did you mean `lockout_for`?",
        ),
        ("[applications.fees]\nchanges = 1\n", "line 2: there is no key `changes`; did you mean `change`?"),
        ("[trust]\nbundle_lifetime = \"soon\"\n", "line 2: `soon` is no length of time"),
        (
            "[card]\npace_cipher = \"3DES\"\n",
            "line 2: `3DES` is no cipher of new cards; write one of AES-128, AES-192, AES-256",
        ),
        ("listen = \"everywhere\"\n", "line 1: invalid socket address syntax"),
        ("listen = \n", "line 1"),
        ("[population]\nextra_provinces = [{ code = \"3\", name = \"x\" }]\n", "line 2"),
    ] {
        let told = refused(&["config", "--config", &file(&folder, text), "--data", "nowhere", "check"], &[]);
        assert!(told.contains(expected) && told.contains("issuance.toml"), "{text}: {told}");
    }
}

#[test]
fn the_environment_stands_over_the_file_and_flags_over_both() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let data = data.to_str().unwrap();
    let config = file(
        &folder,
        "data = \"data\"\nlisten = \"127.0.0.1:1\"\n[access]\nlockout_after = 3\n[cards]\nloss_term = \"2days\"\n",
    );
    let dump = |environment: &[(&str, &str)]| done(&["config", "--config", &config, "dump"], environment);

    let plain = dump(&[]);
    // Paths in the file are relative to the file.
    for line in
        [&format!("data = \"{data}\""), "listen = \"127.0.0.1:1\"", "lockout_after = 3", "loss_term = \"2days\""]
    {
        assert!(plain.lines().any(|written| written == line), "{line}\n{plain}");
    }
    let over = dump(&[
        ("ISSUANCE__ACCESS__LOCKOUT_AFTER", "4"),
        ("ISSUANCE__CARDS__LOSS_TERM", "3days"),
        ("ISSUANCE__LISTEN", "[::1]:2"),
    ]);
    for line in ["lockout_after = 4", "loss_term = \"3days\"", "listen = \"[::1]:2\""] {
        assert!(over.lines().any(|written| written == line), "{line}\n{over}");
    }
    // What was dumped is a configuration that says the same.
    let again = TempDir::new().unwrap();
    assert_eq!(done(&["config", "--config", &file(&again, &over), "dump"], &[]), over);

    let told = refused(&["config", "--config", &config, "check"], &[("ISSUANCE__ACCESS__LOCKOUT", "4")]);
    assert!(told.contains("environment variable ISSUANCE__ACCESS__LOCKOUT: there is no key `lockout`"), "{told}");
    let told = refused(&["config", "--config", &config, "check"], &[("ISSUANCE__LISTEN__PORT", "4")]);
    assert!(told.contains("environment variable ISSUANCE__LISTEN__PORT"), "{told}");
}

#[test]
fn values_that_cannot_be_together_are_refused_by_name() {
    let folder = TempDir::new().unwrap();
    for (text, expected) in [
        ("[limits]\nconnections = 10\n", "limits.strangers must be less than limits.connections"),
        ("[trust]\nbundle_renewal = \"8days\"\n", "trust.bundle_lifetime must be longer than trust.bundle_renewal"),
        ("[access]\nlockout_after = 0\n", "access.lockout_after must be at least 1"),
        ("[applications.fees]\npercent = 101\n", "applications.fees.percent must be at most 100"),
        ("[web]\nbody_limit = 99999999\n", "web.known_bytes_per_origin must be at least web.body_limit"),
        ("database_password_file = \"password\"\n", "database_password_file needs `database`"),
    ] {
        let told = refused(&["config", "--config", &file(&folder, text), "--data", "nowhere", "check"], &[]);
        assert!(told.contains(expected), "{text}: {told}");
    }
    assert!(refused(&["config", "check"], &[]).contains("no folder is named"));
    assert!(
        refused(&["config", "--config", "/nonexistent/issuance.toml", "check"], &[])
            .contains("/nonexistent/issuance.toml: there is no such file")
    );
}

/// The password is a file's or a descriptor's; it stands neither in the configuration nor in what is shown of it.
#[test]
fn a_password_is_never_in_the_file_and_never_shown() {
    let folder = TempDir::new().unwrap();
    let told = refused(
        &[
            "config",
            "--config",
            &file(&folder, "database = \"postgres://citizen:sesame@db/citizen\"\n"),
            "--data",
            "x",
            "check",
        ],
        &[],
    );
    assert!(told.contains("`database_password_file`") && !told.contains("sesame"), "{told}");

    fs::write(folder.path().join("password"), "sesame/=@ 1\n").unwrap();
    let text = "data = \"data\"\ndatabase = \"postgres://citizen@db:5433/citizen?sslmode=require\"\ndatabase_password_file = \"password\"\n";
    let config = Config::read(Path::new(&file(&folder, text)), std::iter::empty()).unwrap();
    assert_eq!(
        config.settings().unwrap().database.unwrap(),
        "postgres://citizen:sesame%2F%3D%40%201@db:5433/citizen?sslmode=require"
    );
    assert!(!config.dump().unwrap().contains("sesame"));

    for url in ["postgres://citizen:sesame@db/citizen", "postgres://citizen@db/citizen?password=sesame"] {
        let shown = done(&["config", "--data", "x", "dump"], &[("ISSUANCE_DATABASE", url)]);
        assert!(shown.contains("***") && !shown.contains("sesame"), "{shown}");
    }
    let config = Config { database: Some("postgres://db/citizen".to_owned()), ..config };
    assert!(matches!(config.settings(), Err(ConfigError::Value { key: "database", .. })));
}

/// What a start would trip over is found before: the filter of the log, and a database that does not answer.
#[test]
fn the_check_tries_the_log_filter_and_asks_the_database_within_a_limit() {
    let folder = TempDir::new().unwrap();
    let text = "data = \"data\"\n[log]\nfilter = \"info,issuance=loud\"\n";
    let told = refused(&["config", "--config", &file(&folder, text), "check"], &[("RUST_LOG", "info")]);
    assert!(told.contains("log.filter `info,issuance=loud`"), "{told}");

    // A port that takes connections and never says a word.
    let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://citizen@{}/citizen", deaf.local_addr().unwrap());
    let config = file(&folder, &format!("data = \"data\"\ndatabase = {url:?}\n"));
    let told = refused(&["config", "--config", &config, "check", "--patience", "1"], &[]);
    assert!(told.contains("does not answer within 1 s"), "{told}");
    let told = done(&["config", "--config", &config, "check", "--offline"], &[]);
    assert!(told.contains("not asked"), "{told}");
    drop(deaf);
    let told = refused(&["config", "--config", &config, "check"], &[]);
    assert!(told.contains("cannot be opened") || told.contains("does not answer"), "{told}");
}

/// Targets and recipients of the configuration stand where no flag is given; flags win.
#[test]
fn backups_need_no_flags_where_the_configuration_says_them() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    done(&["init", "--data", data.to_str().unwrap()], &[]);
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let settings = issuance::server::Settings::new(&data);
        let randomness = issuance::ground::Randomness::System;
        Box::pin(issuance::server::Offices::open(&settings, None, randomness)).await.unwrap();
    });
    let rng = &mut issuance::ground::Randomness::seeded(5).draw();
    let mut recipient = || issuance::server::backup::age::Identity::generate(rng).recipient().to_string();
    let [one, other, third] = [recipient(), recipient(), recipient()];
    let says = |keys: &str| {
        let text = format!(
            "data = \"data\"\n[backup]\nfolder = \"backups\"\nrecipients = [{one:?}]\nkeys_recipients = [{keys}]\n"
        );
        file(&folder, &text)
    };
    assert!(refused(&["config", "--config", &says(""), "check"], &[]).contains("backup.keys_recipients must be named"));
    assert!(refused(&["config", "--config", &says(&format!("{one:?}")), "check"], &[]).contains("nobody opens both"));
    let told = refused(&["config", "--config", &says("\"age1else\""), "check"], &[]);
    assert!(told.contains("line 5") && told.contains("age1else"), "{told}");
    let config = says(&format!("{other:?}"));
    let told = done(&["config", "--config", &config, "dump"], &[]);
    assert!(told.contains(&one) && told.contains(&other) && told.contains("backups"), "{told}");

    done(&["backup", "--config", &config], &[]);
    let made: Vec<_> =
        fs::read_dir(folder.path().join("backups")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let manifest = fs::read_to_string(made[0].join("manifest.json")).unwrap();
    assert!(made.len() == 1 && manifest.contains(&one) && manifest.contains(&other), "{manifest}");
    let elsewhere = folder.path().join("elsewhere");
    done(&["backup", elsewhere.to_str().unwrap(), "--config", &config, "--recipient", &third], &[]);
    let manifest = fs::read_to_string(elsewhere.join("manifest.json")).unwrap();
    assert!(manifest.contains(&third) && !manifest.contains(&one) && manifest.contains(&other), "{manifest}");
    let bare = file(&folder, "data = \"data\"\n");
    for command in ["backup", "archive"] {
        assert!(refused(&[command, "--config", &bare], &[]).contains("no folder is named"));
        let told = refused(&[command, "there", "--config", &bare], &[]);
        assert!(told.contains("nobody could open it"), "{told}");
    }
}

/// What `init` was told holds for every later command: the folder with its key elsewhere opens
/// without being told again.
#[test]
fn what_init_knew_is_not_forgotten() {
    let folder = TempDir::new().unwrap();
    let (data, kek) = (folder.path().join("data"), folder.path().join("elsewhere-kek"));
    let data = data.to_str().unwrap();
    done(&["init", "--data", data, "--key-file", kek.to_str().unwrap(), "--organization", "Cục Mẫu"], &[]);
    assert!(kek.exists());
    done(&["crl", "--data", data], &[]);
    assert!(done(&["config", "--data", data, "check"], &[]).contains("its keys open"));

    assert!(refused(&["verify", "--data", data], &[]).contains("`issuance serve` makes its tables"));

    // Another State in the configuration than in the folder.
    let strange = file(&folder, &format!("data = {data:?}\nkey_file = {kek:?}\n[authority]\ncountry = \"UT/UTO\"\n"));
    for command in [
        vec!["config", "--config", &strange, "check"],
        vec!["crl", "--config", &strange],
        vec!["verify", "--config", &strange],
    ] {
        let told = refused(&command, &[]);
        assert!(
            told.contains("authority.country is `UT/UTO` in the configuration") && told.contains("`VN/VNM`"),
            "{told}"
        );
    }
}

/// The authority stands in the configuration: `init` founds with it, and flags stand over it.
#[test]
fn init_founds_the_authority_of_the_configuration() {
    let folder = TempDir::new().unwrap();
    let text = "data = \"data\"\n[authority]\ncountry = \"UT/UTO\"\nnationality = \"Utopia\"\nutc_offset = \"-03:30\"\nhosts = [\"utopia.invalid\"]\norganization = \"Registry of Utopia\"\n";
    let config = file(&folder, text);
    let told = done(&["init", "--config", &config, "--organization", "Registry"], &[]);
    assert!(told.contains(&format!("Next: issuance serve --config {config}")), "{told}");
    let founded = fs::read_to_string(folder.path().join("data/authority.toml")).unwrap();
    for line in [
        "country = \"UT/UTO\"",
        "nationality = \"Utopia\"",
        "organization = \"Registry\"",
        "utc_offset_seconds = -12600",
        "hosts = [\"utopia.invalid\"]",
    ] {
        assert!(founded.lines().any(|written| written == line), "{line}\n{founded}");
    }
    assert!(
        refused(&["config", "--config", &config, "check"], &[])
            .contains("authority.organization is `Registry of Utopia`")
    );
    for (text, expected) in
        [("country = \"Utopia\"", "authority.country: "), ("utc_offset = \"7\"", "authority.utc_offset: ")]
    {
        let config = file(&folder, &format!("data = \"other\"\n[authority]\n{text}\n"));
        assert!(refused(&["init", "--config", &config], &[]).contains(expected));
    }
}

/// A reload says which keys were changed and do not count yet, by name and without a value.
#[test]
fn a_reload_names_the_keys_that_count_after_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let text = format!("data = {:?}\nlisten = \"127.0.0.1:0\"\n", data.to_str().unwrap());
    let config = file(&folder, &text);
    done(&["init", "--config", &config], &[]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_issuance"));
    command.args(["serve", "--config", &config]).env_remove("RUST_LOG").env_remove("ISSUANCE_LISTEN");
    let mut serving = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(serving.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.contains("listens on"), "{first}");
    let mut log = BufReader::new(serving.stderr.take().unwrap());
    let mut said = String::new();
    let until = |said: &mut String, log: &mut BufReader<_>, words: &str| {
        while !said.contains(words) {
            assert!(log.read_line(said).unwrap() > 0, "it has ended: {said}");
        }
    };
    let signal = |name: &str| {
        assert!(Command::new("kill").args([name, &serving.id().to_string()]).status().unwrap().success());
    };
    until(&mut said, &mut log, "issuance listens on");
    signal("-HUP");
    until(&mut said, &mut log, "reloaded: the signers");
    fs::write(&config, format!("{text}[log]\nfilter = \"info\"\n[access]\nfactors = 2\nlockout_after = 7\n")).unwrap();
    let mut again = String::new();
    signal("-HUP");
    until(&mut again, &mut log, "reloaded: the signers");
    signal("-TERM");
    log.read_to_string(&mut again).unwrap();
    assert!(serving.wait().unwrap().success());
    assert!(!said.contains("keys="), "{said}");
    assert!(again.contains("access.factors, access.lockout_after") && again.contains("started again"), "{again}");
    assert!(!again.contains("log.filter"), "what is taken anew is not named: {again}");
}
