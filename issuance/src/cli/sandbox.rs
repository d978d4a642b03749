//! `issuance sandbox`

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::Args;
use rand::Rng as _;
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::macros::date;
use time::{Date, OffsetDateTime};
use zeroize::Zeroizing;

use super::import::registrar;
use super::remote::{self, RemoteError, SignedIn, word};
use super::{Folder, Outcome, configuration, now, output, rng};
use crate::exchange::{self, Dimension, Service as Question};
use crate::ground::{Randomness, files};
use crate::keys::InitOptions;
use crate::population::import::{self, Ended, Wanted};
use crate::population::nation::{self, Nation, Rate};
use crate::server::{self, Service, Settings};

/// Makes a service with invented people, where other authorities try what they build before they are joined.
///
/// It has the services, the words and the checks of a real one, keys of its own, and says `sandbox` in every answer. In
/// DIR/partner stands what a partner is given: the certificate of a system that may ask everything, the keys of the
/// answers, and people to ask about. The kit that a partner runs is tests/partner-kit (docs/sandbox.md).
#[derive(Args)]
pub(super) struct Sandbox {
    #[command(flatten)]
    folder: Folder,
    /// People of its nation, at least 100.
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u64).range(100..=10_000_000))]
    people: u64,
    /// Another seed makes another nation.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Where it is to listen.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
    /// Name under which partners reach it. May be repeated [default: localhost].
    #[arg(long)]
    host: Vec<String>,
}

impl Sandbox {
    pub(super) fn run(self) -> Outcome {
        if self.folder.config.is_some() {
            return Err("a sandbox has a configuration of its own: leave --config out".into());
        }
        let data = self.folder.data.clone().ok_or("--data DIR is missing: the new folder of the sandbox")?;
        if data.symlink_metadata().is_ok() {
            return Err(format!("{}: it is there already: name a new folder", data.display()).into());
        }
        let host = self.host.first().map_or("localhost", String::as_str);
        for host in self.host.iter().map(String::as_str) {
            if !exchange::is_issuer(&format!("https://{host}")) || host.contains(':') {
                return Err(format!("--host {host:?}: the name alone by which partners reach it, without port").into());
            }
        }
        // Made beside its place, so that one that was cut is never served.
        let mut beside = data.as_os_str().to_owned();
        beside.push(".unfinished");
        let making = PathBuf::from(beside);
        let failed = |error| format!("{}: {error}", making.display());
        if making.symlink_metadata().is_ok() {
            let cut = "a sandbox was cut while it was made, or is being made: if none is, remove the folder";
            return Err(format!("{}: {cut}", making.display()).into());
        }
        files::private_folder(&making).map_err(failed)?;
        let folder = Folder { config: None, data: Some(making.clone()), key_file: self.folder.key_file.clone() };
        self.configure(&making, host)?;
        let settings = folder.settings()?;
        let defaults = InitOptions::default();
        // By the address it is reached while it is made.
        let hosts = self.host.iter().cloned().chain(defaults.hosts.clone()).collect();
        let organization = "Citizen Card SANDBOX: no person of it exists".to_owned();
        let options = InitOptions { hosts, organization, ..defaults };
        let made = server::init(&settings, &options, "admin", now(), &mut rng())?;
        output::complain(format_args!("{} people are invented …", self.people));
        let file = making.join("people.ndjson");
        self.invent(&file, &making.join("people-truth.ndjson"))?;
        let filled = Box::pin(fill(&settings, &making, &made.admin_password, file));
        tokio::runtime::Runtime::new()?.block_on(filled)?;
        fs::rename(&making, &data).map_err(failed)?;
        let data = data.display();
        output::line(format_args!("Founded in {data}, with {} invented people.", self.people))?;
        output::line(format_args!(
            "Officers: {data}/officers holds the passwords of admin, second, protector and registrar."
        ))?;
        output::line(format_args!("For the partner: {data}/partner."))?;
        output::line(format_args!("Next: issuance serve --data {data}"))?;
        Ok(())
    }

    /// Writes the configuration that every later command reads.
    fn configure(&self, data: &Path, host: &str) -> Outcome {
        let text = |text: &str| toml::Value::String(text.to_owned());
        let mut all = toml::Table::new();
        if let Some(key_file) = &self.folder.key_file {
            all.insert("key_file".to_owned(), text(&std::path::absolute(key_file)?.to_string_lossy()));
        }
        all.insert("listen".to_owned(), text(&self.listen.to_string()));
        let mut exchange = toml::Table::new();
        exchange.insert("sandbox".to_owned(), toml::Value::Boolean(true));
        exchange.insert("issuer".to_owned(), text(&format!("https://{host}:{}", self.listen.port())));
        all.insert("exchange".to_owned(), toml::Value::Table(exchange));
        let provinces = nation::invented_provinces().into_iter().map(|province| {
            let mut one = toml::Table::new();
            one.insert("code".to_owned(), text(&province.code.to_string()));
            one.insert("name".to_owned(), text(&province.name));
            toml::Value::Table(one)
        });
        let mut population = toml::Table::new();
        population.insert("extra_provinces".to_owned(), toml::Value::Array(provinces.collect()));
        all.insert("population".to_owned(), toml::Value::Table(population));
        let text = format!("# A sandbox, made by `issuance sandbox`: no person of it exists.\n{all}");
        let file = data.join(configuration::IN_DATA);
        Ok(files::replace(&file, &file.with_extension("new"), text.as_bytes(), files::PRIVATE)?)
    }

    fn invent(&self, file: &Path, truth: &Path) -> Outcome {
        let none: Rate = "0".parse()?;
        let nation = Nation::new(self.people, self.seed, (none, none), &[], DAY)?;
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let (mut out, mut truth) = (BufWriter::new(File::create(file)?), BufWriter::new(File::create(truth)?));
        nation.write(nation::Format::Ndjson, threads, &mut out, &mut truth, |_| {})?;
        out.flush()?;
        truth.flush()?;
        Ok(())
    }
}

/// Fills the register, and joins a partner, by the calls that officers use.
async fn fill(settings: &Settings, data: &Path, password: &str, file: PathBuf) -> Outcome {
    let settings = Settings { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..settings.clone() };
    let service = Service::start(&settings, None, Randomness::System).await?;
    let done = Box::pin(filled(&service, data, password, file)).await;
    service.stop().await;
    done
}

async fn filled(service: &Service, data: &Path, password: &str, file: PathBuf) -> Outcome {
    let base = remote::address(&format!("https://{}", service.address()))?;
    let (folder, password) = (data.to_owned(), Zeroizing::new(password.to_owned()));
    let team = blocking(move || Team::appointed(&folder, base, &password)).await?;
    let offices = service.offices();
    let (officer, office) = registrar(offices.deeds(), &"registrar".parse()?, None).await?;
    let wanted = Wanted { file: file.clone(), format: import::Format::Ndjson, officer, office };
    let stop = AtomicBool::new(false);
    let (done, ended) = Box::pin(import::import(offices.deeds(), &offices.register, wanted, &stop, |_| {})).await?;
    if ended == Ended::Stopped || done.accepted == 0 {
        return Err("the invented people did not enter the register".into());
    }
    let folder = data.to_owned();
    blocking(move || team.joins(&folder, &file)).await
}

/// Runs what waits for answers beside the service that gives them.
async fn blocking<T: Send + 'static>(
    what: impl FnOnce() -> Result<T, Box<dyn Error>> + Send + 'static,
) -> Result<T, Box<dyn Error>> {
    let done = tokio::task::spawn_blocking(move || what().map_err(|error| error.to_string())).await?;
    Ok(done?)
}

/// The officers of the sandbox, signed in.
struct Team {
    admin: SignedIn,
    protector: SignedIn,
    registrar: SignedIn,
}

impl Team {
    /// Appoints them: each has a password in a file of its own.
    fn appointed(data: &Path, base: reqwest::Url, first: &str) -> Result<Self, Box<dyn Error>> {
        let http = remote::client(&data.join("tls-ca.pem"), None, Duration::from_mins(1))?;
        let anyone = SignedIn::anyone(http, base);
        let folder = data.join("officers");
        files::private_folder(&folder)?;
        let admin = anyone.signed_in("admin", first)?;
        let own = password(&folder, "admin")?;
        admin.post("me/password", &json!({"old": first, "new": &*own}))?;
        fs::remove_file(data.join("admin-password"))?;
        let appoint = |name: &str, role: &str, second: Option<&SignedIn>| -> Result<SignedIn, Box<dyn Error>> {
            let office = json!({"username": name, "roles": [role], "office": "national"});
            let mut proposed = admin.post("officers", &office)?;
            if let Some(second) = second {
                let proposal = word(&proposed, "proposal_id").to_owned();
                proposed = second.post(&format!("officer-proposals/{proposal}/confirmation"), &json!({}))?;
            }
            let own = password(&folder, name)?;
            anyone.post("password", &json!({"token": word(&proposed, "token"), "password": &*own}))?;
            Ok(anyone.signed_in(name, &own)?)
        };
        let second = appoint("second", "admin", None)?;
        let protector = appoint("protector", "data-protection", Some(&second))?;
        let registrar = appoint("registrar", "registrar", Some(&second))?;
        drop(second);
        Ok(Self { admin, protector, registrar })
    }

    /// Gives numbers to some people, and joins the partner that may ask everything.
    fn joins(&self, data: &Path, people: &Path) -> Outcome {
        let folder = data.join("partner");
        files::private_folder(&folder)?;
        self.number_some(people, &folder.join("people.csv"))?;
        for (code, name_vi, name_en) in [
            (PURPOSE, "Thử nghiệm", "Trial"),
            (ONCE, "Thử nghiệm, một lần một ngày", "Trial, one person a day"),
            (OVER, "Thử nghiệm, thỏa thuận đã hết", "Trial, agreement that ended"),
        ] {
            let purpose = json!({"code": code, "name_vi": name_vi, "name_en": name_en, "law": "none: a sandbox"});
            self.admin.post("exchange-purposes", &purpose)?;
            self.protector.post(&format!("exchange-purposes/{code}/confirmation"), &json!({}))?;
        }
        let partner = json!({"code": "p-sandbox", "name": "Cơ quan thử nghiệm", "unit": "Hệ thống thử nghiệm",
            "contact_name": "Nguyễn Văn Thử", "contact_email": "ket-noi@example.invalid",
            "contact_phone": "024 0000 0000"});
        let partner = word(&self.admin.post("partners", &partner)?, "id").to_owned();
        self.protector.post(&format!("partners/{partner}/confirmation"), &json!({}))?;
        let key = KeyPair::generate()?;
        let request = CertificateParams::new(vec![])?.serialize_request(&key)?.pem()?;
        let system = json!({"name": "partner-kit", "csr_pem": request});
        let system = self.admin.post(&format!("partners/{partner}/systems"), &system)?;
        let path = format!("partner-systems/{}/confirmation", word(&system, "id"));
        let certified = self.protector.post(&path, &json!({}))?;
        let all: Vec<Value> = Question::ALL.iter().map(|service| grant(PURPOSE, *service, MANY)).collect();
        let once = json!([grant(ONCE, Question::Confirm, 1)]);
        // With these another partner is joined that brings a key of its own.
        for (number, grants) in [(1, &json!(all)), (2, &once)] {
            write(&folder.join(format!("terms-{number}.toml")), terms(number, grants)?.as_bytes())?;
        }
        self.agree(&partner, "SANDBOX-1", &json!(all))?;
        self.agree(&partner, "SANDBOX-2", &once)?;
        let over = self.agree(&partner, "SANDBOX-3", &json!([grant(OVER, Question::Confirm, MANY)]))?;
        self.admin
            .post(&format!("agreements/{over}/end"), &json!({"reason": "so that partners see one that ended"}))?;
        let keys = serde_json::to_string_pretty(&self.admin.get("exchange/keys")?)?;
        write(&folder.join("answer-keys.json"), keys.as_bytes())?;
        write(&folder.join("system.key"), key.serialize_pem().as_bytes())?;
        write(&folder.join("system.pem"), word(&certified, "certificate_pem").as_bytes())?;
        fs::copy(data.join("tls-ca.pem"), folder.join("tls-ca.pem"))?;
        Ok(())
    }

    /// An agreement with both signatures. Returns its identifier.
    fn agree(&self, partner: &str, number: &str, grants: &Value) -> Result<String, Box<dyn Error>> {
        let from: OffsetDateTime = now().replace_nanosecond(0)?;
        let until = (from + time::Duration::days(365 * 4)).format(&Rfc3339)?;
        let terms = json!({"partner_id": partner, "number": number, "basis": "none: a sandbox",
            "valid_from": from.format(&Rfc3339)?, "valid_to": until, "kept_days": 30, "grants": grants});
        let id = word(&self.admin.post("agreements", &terms)?, "id").to_owned();
        for signer in [&self.admin, &self.protector] {
            signer.post(&format!("agreements/{id}/signature"), &json!({}))?;
        }
        Ok(id)
    }

    /// Gives a number to the first people of the file whom no other looks like, and writes what a partner may know of
    /// them.
    fn number_some(&self, people: &Path, file: &Path) -> Outcome {
        let mut text = b"personal_number,full_name,birth_date,sex\n".to_vec();
        let mut numbered = 0;
        for line in BufReader::new(File::open(people)?).lines() {
            let declared: Value = serde_json::from_str(&line?)?;
            let [name, birth, sex] = ["full_name", "birth_date", "sex"].map(|member| word(&declared, member));
            // A person is named with the whole date of birth, and dead ones are left to the dead.
            if birth.len() != 10 || !word(&declared, "died").is_empty() || !word(&declared, "missing_since").is_empty()
            {
                continue;
            }
            let found = self.registrar.post("persons/search", &json!({"full_name": name, "birth_date": birth}))?;
            let Some([one]) = found["items"].as_array().map(Vec::as_slice) else { continue };
            let path = format!("persons/{}/number", word(one, "person_id"));
            let number = match word(one, "personal_number") {
                "" => match self.registrar.post(&path, &json!({"acknowledged": false, "because": ""})) {
                    Ok(given) => word(&given, "personal_number").to_owned(),
                    // One of whom the register is not sure is no example.
                    Err(RemoteError::Refused { .. }) => continue,
                    Err(other) => return Err(other.into()),
                },
                number => number.to_owned(),
            };
            writeln!(text, "{number},{name},{birth},{sex}")?;
            numbered += 1;
            if numbered == EXAMPLES {
                break;
            }
        }
        if numbered == 0 {
            return Err("none of the invented people could be given a number".into());
        }
        Ok(write(file, &text)?)
    }
}

/// A grant of all fields, or of all dimensions.
fn grant(purpose: &str, service: Question, per_day: u32) -> Value {
    let confirms = matches!(service, Question::Confirm | Question::ConfirmList);
    let alone = matches!(service, Question::LookUp | Question::CardStatus);
    if service == Question::Statistics {
        return json!({"purpose": purpose, "service": service, "dimensions": Dimension::ALL, "per_day": per_day});
    }
    let births = matches!(service, Question::Follow);
    json!({"purpose": purpose, "service": service, "fields": service.fields(), "per_day": per_day, "births": births,
        "tells_which": confirms, "number_alone": alone, "procedures": [procedure(purpose)]})
}

/// The code of the administrative procedure by which messages without a purpose are asked for this one.
fn procedure(purpose: &str) -> &'static str {
    match purpose {
        ONCE => "9.000002",
        OVER => "9.000003",
        _ => "1.000656",
    }
}

/// Terms of an agreement with these grants, as `issuance agreement draft` reads them.
fn terms(number: u8, grants: &Value) -> Result<String, Box<dyn Error>> {
    let from = now().replace_nanosecond(0)?;
    let until = from + time::Duration::days(365 * 4);
    let grants = toml::to_string(&json!({ "grants": grants }))?;
    Ok(format!(
        "# Terms for a partner that brings a key of its own: put its code, and a number of your own.\npartner = \"CODE\"\n\
         number = \"CODE-{number}\"\nbasis = \"none: a sandbox\"\nvalid_from = {}\nvalid_to = {}\nkept_days = 30\n\n{grants}",
        from.format(&Rfc3339)?,
        until.format(&Rfc3339)?
    ))
}

/// Invents a password, and writes it into a file that only its owner reads.
fn password(folder: &Path, name: &str) -> Result<Zeroizing<String>, RemoteError> {
    let mut octets = Zeroizing::new([0; 16]);
    rng().fill_bytes(&mut *octets);
    let password = Zeroizing::new(hex::encode(*octets));
    write(&folder.join(format!("{name}.password")), password.as_bytes())?;
    Ok(password)
}

fn write(file: &Path, bytes: &[u8]) -> Result<(), RemoteError> {
    let done = files::replace(file, &file.with_extension("new"), bytes, files::PRIVATE);
    done.map_err(|error| RemoteError::File(file.to_owned(), error))
}

/// The purpose for which everything may be asked.
const PURPOSE: &str = "sandbox";
/// The purpose for which one person a day may be asked about: to see a quota that is spent.
const ONCE: &str = "sandbox-once";
/// The purpose whose agreement ended.
const OVER: &str = "sandbox-over";
/// Persons a day.
const MANY: u32 = 1_000_000;
/// People whom the partner is told of.
const EXAMPLES: usize = 60;
/// The end of the collection of 2021.
const DAY: Date = date!(2021 - 01 - 31);
