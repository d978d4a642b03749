//! `card-agent readers | enrol | status | intake | personalize | spoil | info | inspect | kiosk | decode |
//! config | man | completions`.
//!
//! Exit status: 0 if everything asked for was done and everything required held; 2 for a command line that was not
//! understood; the others are listed in `docs/failure-codes.md`. Results go to standard output, progress and
//! failures to standard error.

mod arguments;
mod commands;
mod picture;
mod prompt;
mod screen;
mod vietnamese;

use std::io;
use std::process::ExitCode;

use card_agent::failure::{Code, Language};
use card_agent::session::Stop;
use clap::{CommandFactory as _, FromArgMatches as _};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::arguments::{Arguments, Manner};
use crate::screen::Screen;

fn main() -> ExitCode {
    let language = vietnamese::of_help(std::env::args_os());
    let line = vietnamese::told_in(language, Arguments::command());
    let parsed = line.try_get_matches().and_then(|matches| Arguments::from_arg_matches(&matches));
    let Arguments { command, manner } = match parsed {
        Ok(arguments) => arguments,
        Err(error) => {
            let told = if language == Language::Vietnamese { vietnamese::refusal(&error) } else { None };
            screen::misunderstood(&error, told.as_deref());
            let Some(told) = told else { error.exit() };
            // A closed or full standard error takes nothing.
            let _ = std::io::Write::write_all(&mut std::io::stderr(), told.as_bytes());
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    begin_log(&manner);
    let screen = Screen::new(&manner, command.word());
    let stop = Stop::default();
    watch_signals(stop.clone(), command.is_of_several_readers());
    match commands::perform(&command, &screen, &stop) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            screen.failure(&failure);
            ExitCode::from(failure.code.exit())
        }
    }
}

/// What is said at the first Ctrl-C while several readers are at work.
const FINISHING: &str = "finishing the chips that are begun, and no other; once more to end at once";

/// Begins the log on standard error: a line at the beginning of each work, or none where the
/// terminal shows its progress.
fn begin_log(manner: &Manner) {
    let level = match (manner.quiet, manner.verbose) {
        (true, _) => "card_agent=error",
        (false, 0) if screen::shows_progress(manner) => "card_agent=warn",
        (false, 0) => "card_agent=info",
        (false, 1) => "card_agent=debug",
        (false, _) => "debug",
    };
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level)))
        .with_writer(io::stderr)
        .with_ansi(screen::may_colour())
        .without_time()
        .with_target(false)
        .init();
}

/// Stops the work before the next command at the first Ctrl-C (or SIGTERM), and ends the process at the second. Both
/// are safe, because the journal is written before the chip. Where the terminal is asked for a secret nothing has
/// begun, and the first one ends it. At several readers the first one lets the chips be finished that are begun, and
/// SIGUSR1 pauses or goes on.
fn watch_signals(stop: Stop, at_several: bool) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    // Watched from now on, not from the moment at which the thread runs: until then a signal would end the process.
    let inside = runtime.enter();
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    let mut pause = if at_several { signal(SignalKind::user_defined1()).ok() } else { None };
    drop(inside);
    std::thread::spawn(move || {
        runtime.block_on(async {
            loop {
                let paused = async {
                    match &mut pause {
                        Some(pause) => pause.recv().await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    _ = paused => {
                        stop.pause_or_go_on();
                        continue;
                    }
                }
                if prompt::restore() || stop.request() > 0 {
                    std::process::exit(i32::from(Code::Interrupted.exit()));
                }
                eprintln!(
                    "{}",
                    if at_several { FINISHING } else { "stopping before the next command; once more to abort" }
                );
            }
        });
    });
}
