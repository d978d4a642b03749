//! `issuance init | serve | transport-key | rotate | crl | renew-server | verify | openapi`

fn main() -> std::process::ExitCode {
    issuance::cli::run()
}
