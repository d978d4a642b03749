//! `issuance init | serve | transport-key | rotate | crl | renew-server | openapi`

use std::error::Error;
use std::io::{IsTerminal as _, Read as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use crypto::pki::{Country, CurveForm, SerialNumber};
use issuance::app::{Clock, Randomness};
use issuance::config::Config;
use issuance::pki::{self, Founding, KeyName, KeyStore};
use issuance::population::reference::ExtraProvince;
use tracing_subscriber::EnvFilter;
use zeroize::Zeroizing;

/// The office that decides: register, numbers, applications, production, cards.
///
/// `issuance init` founds a service in a folder, `issuance serve` runs it. Exit code 0: done; 1: refused, with the reason and
/// what to do on standard error; 2: wrong arguments.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Founds a service: keys, CSCA, document signer, trust-list signer, TLS authority, first administrator.
    ///
    /// Leaves csca.der, ds.der, trust-list-signer.der, csca.crl and tls-ca.pem in the folder for clients, and the first
    /// administrator's password in admin-password (mode 0600).
    Init(Init),
    /// Runs the service until Ctrl-C or SIGTERM; then requests under way finish.
    ///
    /// Log level by RUST_LOG (default: info); the log holds no personal data and no keys.
    Serve(Serve),
    /// Takes in the transport master key of a manufacturer. Restart the service afterwards.
    TransportKey {
        #[command(flatten)]
        folder: Folder,
        /// NAME=FILE; the file holds 32, 48 or 64 hexadecimal digits, `-` reads standard input.
        #[arg(value_name = "NAME=FILE")]
        key: String,
    },
    /// Certifies a new key under the CSCA, for `ds` (signs for 92 days) or `trust-list-signer` (a year). Restart the service
    /// afterwards.
    Rotate {
        #[command(flatten)]
        folder: Folder,
        /// Whose.
        #[arg(value_parser = ["ds", "trust-list-signer"])]
        signer: String,
    },
    /// Issues the next revocation list of the CSCA (due every 90 days).
    Crl {
        #[command(flatten)]
        folder: Folder,
        /// Serial number of a document signer to revoke, in hexadecimal. May be repeated.
        #[arg(long, value_name = "HEX")]
        revoke: Vec<String>,
    },
    /// Issues the TLS certificate of the server anew. Restart the service afterwards.
    RenewServer {
        #[command(flatten)]
        folder: Folder,
        /// Name or address under which the service is reached. May be repeated.
        #[arg(long, default_values = ["localhost", "127.0.0.1", "::1"])]
        host: Vec<String>,
    },
    /// Prints the OpenAPI document, generated from the code.
    Openapi,
}

#[derive(Args)]
struct Folder {
    /// Folder of keys, certificates and (without --database) the SQLite file.
    #[arg(long, value_name = "DIR", env = "ISSUANCE_DATA")]
    data: PathBuf,
    /// File with the key-encryption key (64 hexadecimal digits, mode 0600) [default: DIR/kek].
    #[arg(long, value_name = "FILE", env = "ISSUANCE_KEY_FILE")]
    key_file: Option<PathBuf>,
}

#[derive(Args)]
struct Init {
    #[command(flatten)]
    folder: Folder,
    /// Name of the first administrator.
    #[arg(long, default_value = "admin")]
    admin: String,
    /// Name or address under which the service is reached. May be repeated.
    #[arg(long, default_values = ["localhost", "127.0.0.1", "::1"])]
    host: Vec<String>,
    /// Base of the URLs in certificates (CRL distribution point).
    #[arg(long, default_value = "https://citizen-card.invalid")]
    public_url: String,
    /// The State, in names and in the MRZ.
    #[arg(long, default_value = "VN/VNM")]
    country: Country,
    /// The authority, as certificates name it.
    #[arg(long, default_value = "Citizen Card development authority")]
    organization: String,
    /// Certificates with named curves instead of explicit parameters, for verifiers that refuse the standard's form.
    #[arg(long)]
    named_curves: bool,
    /// NAME=FILE: a transport master key to take in (see transport-key). May be repeated.
    #[arg(long, value_name = "NAME=FILE")]
    transport_key: Vec<String>,
}

#[derive(Args)]
struct Serve {
    #[command(flatten)]
    folder: Folder,
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8443", env = "ISSUANCE_LISTEN")]
    listen: SocketAddr,
    /// postgres://USER:PASSWORD@HOST/NAME [default: SQLite in DIR]. Prefer the environment: arguments are visible to others.
    #[arg(long, value_name = "URL", env = "ISSUANCE_DATABASE", hide_env_values = true)]
    database: Option<String>,
    /// CODE or CODE=NAME: a province beside the official ones, for invented people. May be repeated.
    #[arg(long, value_name = "CODE[=NAME]")]
    extra_province: Vec<String>,
    /// Log lines as JSON.
    #[arg(long)]
    log_json: bool,
}

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> ExitCode {
    let outcome = match Arguments::parse().verb {
        Verb::Init(init) => found(init),
        Verb::Serve(serve) => serve_until_told(serve),
        Verb::TransportKey { folder, key } => take_in(&folder, &key),
        Verb::Rotate { folder, signer } => rotate(&folder, &signer),
        Verb::Crl { folder, revoke } => issue_crl(&folder, &revoke),
        Verb::RenewServer { folder, host } => {
            pki::renew_server(&folder.config(), &host, Clock::System.now(), &mut Randomness::System.draw())
                .map_err(Into::into)
        }
        Verb::Openapi => print_document(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("issuance: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Folder {
    fn config(&self) -> Config {
        Config { key_file: self.key_file.clone(), ..Config::new(&self.data) }
    }
}

fn found(init: Init) -> Outcome {
    let config = init.folder.config();
    let founding = Founding {
        admin: init.admin,
        hosts: init.host,
        country: init.country,
        organization: init.organization,
        curve_form: if init.named_curves { CurveForm::Named } else { CurveForm::Explicit },
        public_url: init.public_url,
        transport_keys: init.transport_key.iter().map(|text| transport_key(text)).collect::<Result<_, _>>()?,
        ..Founding::default()
    };
    pki::found(&config, &founding, Clock::System.now(), &mut Randomness::System.draw())?;
    let data = config.data.display();
    println!("Founded in {data}.");
    println!("Administrator `{}`, password in {data}/admin-password (delete it once you know it).", founding.admin);
    println!("For clients: {data}/tls-ca.pem, {data}/csca.der, {data}/ds.der.");
    println!("Next: issuance serve --data {data}");
    Ok(())
}

fn serve_until_told(serve: Serve) -> Outcome {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let log = log.with_ansi(std::io::stderr().is_terminal());
    if serve.log_json {
        log.json().init()
    } else {
        log.init()
    }
    let config = Config {
        listen: serve.listen,
        database: serve.database,
        extra_provinces: serve.extra_province.iter().map(|text| province(text)).collect::<Result<_, _>>()?,
        ..serve.folder.config()
    };
    tokio::runtime::Runtime::new()?.block_on(async {
        let service = issuance::serve(config).await?;
        println!("issuance listens on https://{}", service.address());
        told_to_stop().await?;
        eprintln!("issuance: finishing requests under way");
        service.stop().await;
        Ok(())
    })
}

/// Ctrl-C, or SIGTERM.
async fn told_to_stop() -> std::io::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}

fn take_in(folder: &Folder, key: &str) -> Outcome {
    let (id, key) = transport_key(key)?;
    let store = KeyStore::open(&folder.data, folder.key_file.as_deref())?;
    pki::CardKeys::import_transport(&store, &id, &key)?;
    println!("Transport master key `{id}` is taken in; restart the service.");
    Ok(())
}

fn rotate(folder: &Folder, signer: &str) -> Outcome {
    let name = if signer == "ds" { KeyName::DocumentSigner } else { KeyName::TrustListSigner };
    let mut rng = Randomness::System.draw();
    let certificate = pki::rotate(&folder.config(), name, Clock::System.now(), &mut rng)?;
    println!("Certificate {} of {signer} is issued; restart the service.", certificate.serial());
    Ok(())
}

fn issue_crl(folder: &Folder, revoke: &[String]) -> Outcome {
    let serial = |text: &String| Ok::<_, hex::FromHexError>(SerialNumber::from_content(&hex::decode(text)?));
    let serials = revoke.iter().map(serial).collect::<Result<Vec<_>, _>>()?;
    let crl = pki::issue_crl(&folder.config(), &serials, Clock::System.now())?;
    println!(
        "csca.crl lists {} certificates, next due {}.",
        crl.revoked().len(),
        crl.next_update().map_or_else(String::new, |at| at.date().to_string())
    );
    Ok(())
}

fn print_document() -> Outcome {
    println!("{}", issuance::http::document().to_pretty_json()?);
    Ok(())
}

/// Identifier and key.
type TransportKey = (String, Zeroizing<Vec<u8>>);

/// `NAME=FILE`
fn transport_key(text: &str) -> Result<TransportKey, Box<dyn Error>> {
    let (name, file) = text.split_once('=').ok_or("--transport-key: NAME=FILE is needed")?;
    let mut digits = Zeroizing::new(String::new());
    match file {
        "-" => std::io::stdin().read_to_string(&mut digits)?,
        file => std::fs::File::open(file).map_err(|e| format!("{file}: {e}"))?.read_to_string(&mut digits)?,
    };
    let key = hex::decode(digits.trim()).map_err(|_| format!("{file} does not hold hexadecimal digits"))?;
    Ok((name.to_owned(), Zeroizing::new(key)))
}

/// `CODE` or `CODE=NAME`
fn province(text: &str) -> Result<ExtraProvince, Box<dyn Error>> {
    let (code, name) = text.split_once('=').unwrap_or((text, "Tỉnh Mẫu"));
    let code = code.parse().map_err(|e| format!("--extra-province {text}: {e}"))?;
    Ok(ExtraProvince { code, name: name.to_owned() })
}
