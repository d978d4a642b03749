//! `issuance init | serve | transport-key | rotate | crl | renew-server |
//! verify | backup | restore | reconcile | status | config | officer | openapi`

fn main() -> std::process::ExitCode {
    issuance::cli::run()
}
