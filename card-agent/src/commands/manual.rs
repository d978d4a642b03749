//! `card-agent man` and `card-agent completions`: made from the command line itself, so that they are true.

use std::fs;

use card_agent::failure::{Code, Failure};
use clap::CommandFactory as _;
use serde_json::json;

use crate::arguments::{Arguments, Completions, Man};
use crate::screen::Screen;

pub fn man(Man { folder }: &Man, screen: &Screen) -> Result<(), Failure> {
    let unusable = |e: std::io::Error| Failure::new(Code::OutputUnusable, format!("{}: {e}", folder.display()));
    fs::create_dir_all(folder).map_err(unusable)?;
    clap_mangen::generate_to(screen.told(Arguments::command()), folder).map_err(unusable)?;
    screen.result(json!({ "folder": folder }), &folder.display().to_string())
}

pub fn completions(Completions { shell }: &Completions, screen: &Screen) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(*shell, &mut Arguments::command(), "card-agent", &mut script);
    let script = String::from_utf8_lossy(&script);
    screen.result(json!({ "script": script }), script.trim_end())
}
