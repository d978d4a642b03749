//! Help and labels in Vietnamese, from `docs/words/card-agent.toml`. English stands in the program.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::LazyLock;

use card_agent::failure::Language;
use clap::{Arg, ArgAction, Command};
use serde::Deserialize;

/// The words of the catalogue, each under what it translates.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Book {
    /// By the words of the command, with dots between them; the program itself has none.
    commands: BTreeMap<String, String>,
    /// By command and name, or for every command by the name alone.
    options: BTreeMap<String, String>,
    headings: BTreeMap<String, String>,
    /// Why a command line is not understood; `{0}`, `{1}` and `{2}` stand for what it is about.
    refusals: BTreeMap<String, String>,
    labels: BTreeMap<String, String>,
}

static BOOK: LazyLock<Book> = LazyLock::new(|| {
    toml::from_str(include_str!("../../docs/words/card-agent.toml")).expect("a test reads docs/words/card-agent.toml")
});

/// Returns the label of a result in this language.
pub fn label(language: Language, english: &'static str) -> &'static str {
    match language {
        Language::English => english,
        Language::Vietnamese => BOOK.labels.get(english).map_or(english, String::as_str),
    }
}

/// Returns the language in which help is wanted, before the command line is understood: that of `--lang` if it is one,
/// or that of the environment.
pub fn of_help(arguments: impl Iterator<Item = OsString>) -> Language {
    let words: Vec<_> = arguments.filter_map(|word| word.into_string().ok()).take_while(|word| word != "--").collect();
    let named = words.iter().enumerate().find_map(|(at, word)| match word.strip_prefix("--lang") {
        Some("") => words.get(at + 1).map(String::as_str),
        Some(value) => value.strip_prefix('='),
        None => None,
    });
    let own = named.and_then(|name| name.parse().ok());
    own.unwrap_or_else(|| Language::of_environment(|name| std::env::var(name).ok()))
}

/// Returns the command line with its help in this language.
pub fn told_in(language: Language, command: Command) -> Command {
    match language {
        Language::English => command,
        Language::Vietnamese => {
            let own = |name: &'static str, short, action| {
                let argument = Arg::new(name).long(name).short(short).action(action).help(&*BOOK.options[name]);
                argument.help_heading(&*BOOK.headings["Options"])
            };
            let version = own("version", 'V', ArgAction::Version);
            let help = own("help", 'h', ArgAction::Help).global(true);
            translated(command.disable_help_subcommand(true), "").args([help, version])
        }
    }
}

/// Returns why a command line is not understood, in Vietnamese; none for help and version, whose words are translated
/// already.
pub fn refusal(error: &clap::Error) -> Option<String> {
    use clap::error::{ContextKind as Of, ContextValue, ErrorKind as Kind};

    let of = |kind: Of| match error.get(kind) {
        Some(ContextValue::Strings(all)) => all.join(", "),
        Some(value) => value.to_string(),
        None => String::new(),
    };
    let source = || std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    let (key, about) = match error.kind() {
        Kind::DisplayHelp | Kind::DisplayHelpOnMissingArgumentOrSubcommand | Kind::DisplayVersion => return None,
        Kind::UnknownArgument => ("unknown-argument", vec![of(Of::InvalidArg)]),
        Kind::InvalidSubcommand => ("unknown-command", vec![of(Of::InvalidSubcommand)]),
        Kind::MissingRequiredArgument => ("missing-argument", vec![of(Of::InvalidArg)]),
        Kind::MissingSubcommand => ("missing-command", vec![]),
        Kind::InvalidValue if of(Of::InvalidValue).is_empty() => ("missing-value", vec![of(Of::InvalidArg)]),
        Kind::InvalidValue => ("value-not-listed", vec![of(Of::InvalidArg), of(Of::InvalidValue), of(Of::ValidValue)]),
        Kind::ValueValidation => ("value-unfit", vec![of(Of::InvalidArg), of(Of::InvalidValue), source()]),
        Kind::ArgumentConflict => ("conflict", vec![of(Of::InvalidArg), of(Of::PriorArg)]),
        Kind::NoEquals => ("equals-needed", vec![of(Of::InvalidArg)]),
        Kind::TooManyValues | Kind::TooFewValues | Kind::WrongNumberOfValues => {
            ("values-differ", vec![of(Of::InvalidArg)])
        }
        Kind::InvalidUtf8 => ("not-utf8", vec![]),
        _ => ("other", vec![error.kind().to_string()]),
    };
    let mut parts = vec![format!("{}: {}\n", BOOK.refusals["error"], filled(key, &about))];
    let similar = [of(Of::SuggestedArg), of(Of::SuggestedSubcommand), of(Of::SuggestedValue)];
    for word in similar.into_iter().filter(|word| !word.is_empty()) {
        parts.push(format!("\n  {}: {}\n", BOOK.refusals["hint"], filled("similar", &[word])));
    }
    let usage = of(Of::Usage);
    if let Some(usage) = usage.trim().strip_prefix("Usage:") {
        parts.push(format!("\n{}:{usage}\n", BOOK.headings["Usage"]));
    }
    parts.push(format!("\n{}\n", BOOK.refusals["help"]));
    Some(parts.concat())
}

/// Returns the words under this key with what they are about in their places.
fn filled(key: &str, about: &[String]) -> String {
    let words = BOOK.refusals[key].clone();
    about.iter().enumerate().fold(words, |words, (place, what)| words.replace(&format!("{{{place}}}"), what))
}

fn translated(command: Command, path: &str) -> Command {
    let about = BOOK.commands.get(path).cloned().unwrap_or_default();
    let inner: Vec<String> = command.get_subcommands().map(|inner| inner.get_name().to_owned()).collect();
    let heading = |english: &str| BOOK.headings.get(english).map_or("", String::as_str);
    let mut command = command
        .disable_help_flag(true)
        .disable_version_flag(true)
        .about(about.clone())
        .long_about(about)
        .subcommand_help_heading(heading("Commands"))
        .help_template(format!("{{about-with-newline}}\n{}: {{usage}}\n\n{{all-args}}", heading("Usage")))
        .mut_args(|argument| {
            let help = option(path, argument.get_id().as_str()).unwrap_or_default().to_owned();
            let kind = if argument.is_positional() { "Arguments" } else { "Options" };
            argument.help(help.clone()).long_help(help).help_heading(heading(kind))
        });
    for name in inner {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        command = command.mut_subcommand(name, |inner| translated(inner, &path));
    }
    command
}

/// Returns the words of an option: of this command's own, or of every command's.
fn option(path: &str, id: &str) -> Option<&'static str> {
    let name = match id {
        "repeat" => "loop".to_owned(),
        id => id.replace('_', "-"),
    };
    let own = format!("{path}.{name}");
    BOOK.options.get(&own).or_else(|| BOOK.options.get(&name)).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory as _;

    use super::*;
    use crate::arguments::Arguments;

    /// Returns the keys of all commands and options that there are.
    fn walk(command: &Command, path: &str, commands: &mut BTreeSet<String>, options: &mut BTreeSet<String>) {
        commands.insert(path.to_owned());
        for argument in command.get_arguments() {
            let id = argument.get_id().as_str();
            let words = option(path, id).unwrap_or_else(|| panic!("docs/words/card-agent.toml lacks {path}.{id}"));
            assert!(!words.trim().is_empty(), "{path}.{id}");
            let name = if id == "repeat" { "loop".to_owned() } else { id.replace('_', "-") };
            let own = format!("{path}.{name}");
            options.insert(if BOOK.options.contains_key(&own) { own } else { name });
        }
        for inner in command.get_subcommands() {
            let path =
                if path.is_empty() { inner.get_name().to_owned() } else { format!("{path}.{}", inner.get_name()) };
            walk(inner, &path, commands, options);
        }
    }

    #[test]
    fn every_command_and_option_has_its_words_and_no_word_is_left_over() {
        let (mut commands, mut options) = (BTreeSet::new(), BTreeSet::from(["help".to_owned(), "version".to_owned()]));
        walk(&Arguments::command(), "", &mut commands, &mut options);
        assert_eq!(commands, BOOK.commands.keys().cloned().collect());
        assert_eq!(options, BOOK.options.keys().cloned().collect());
        let all = [&BOOK.commands, &BOOK.options, &BOOK.headings, &BOOK.refusals, &BOOK.labels];
        assert!(all.iter().flat_map(|words| words.values()).all(|words| !words.trim().is_empty()));
    }

    #[test]
    fn the_translated_command_line_understands_the_same() {
        let command = told_in(Language::Vietnamese, Arguments::command());
        command.clone().debug_assert();
        let line = ["card-agent", "--lang", "vi", "inspect", "--show-portrait", "--json"];
        assert!(command.clone().try_get_matches_from(line).is_ok());
        for line in [
            &["card-agent", "--help"][..],
            &["card-agent", "inspect", "-h"],
            &["card-agent", "config", "check", "--help"],
        ] {
            let help = command.clone().try_get_matches_from(line).unwrap_err().to_string();
            for english in ["Usage", "Options:", "Commands:", "Print ", "Reader", "Folder"] {
                assert!(!help.contains(english), "{english}: {help}");
            }
            assert!(help.contains("Cách dùng: card-agent") && help.contains("In trợ giúp."), "{help}");
        }
    }

    /// Whatever is wrong with a command line, no English word of the library is left.
    #[test]
    fn a_command_line_that_is_not_understood_is_refused_in_vietnamese() {
        let refused = |line: &[&str]| {
            let command = told_in(Language::Vietnamese, Arguments::command());
            let line = ["card-agent"].iter().chain(line);
            let parsed = command.try_get_matches_from(line);
            refusal(&parsed.expect_err("not understood")).expect("not help")
        };
        let mut used = BTreeSet::new();
        for (line, key, names) in [
            (&["info", "--nope"][..], "unknown-argument", "--nope"),
            (&["info", "--stations", "x"], "unknown-argument", "--station"),
            (&["infos"], "unknown-command", "infos"),
            (&["spoil", "--station", "x"], "missing-argument", "--serial"),
            (&["status", "--station"], "missing-value", "--station"),
            (&["config", "example", "door"], "value-not-listed", "kiosk"),
            (&["intake", "--station", "x", "--limit", "0"], "value-unfit", "--limit"),
            (&["readers", "-q", "-v"], "conflict", "--verbose"),
        ] {
            let said = refused(line);
            let begin = BOOK.refusals[key].split("{0}").find(|words| !words.trim().is_empty());
            let begin = begin.map(|words| words.split('{').next().unwrap_or_default().trim()).unwrap_or_default();
            assert!(said.starts_with("lỗi: ") && said.contains(names) && said.contains(begin), "{line:?}: {said}");
            for english in ["error", "Usage", "unexpected", "required", "tip", "For more", "possible values", "found"] {
                assert!(!said.contains(english), "{line:?}: {english}: {said}");
            }
            used.insert(key);
        }
        // Parts of every refusal, and what none of our commands can be misused to.
        let unused = [
            "error",
            "hint",
            "help",
            "similar",
            "equals-needed",
            "missing-command",
            "not-utf8",
            "other",
            "values-differ",
        ];
        let told: BTreeSet<_> = BOOK.refusals.keys().map(String::as_str).filter(|key| !unused.contains(key)).collect();
        assert_eq!(used, told, "a refusal without a line here");
    }

    #[test]
    fn the_language_of_help_is_that_of_the_command_line_or_of_the_environment() {
        let of = |line: &[&str]| of_help(line.iter().map(OsString::from));
        assert_eq!(of(&["card-agent", "--lang", "vi", "readers"]), Language::Vietnamese);
        assert_eq!(of(&["card-agent", "readers", "--lang=vi", "--lang=en"]), Language::Vietnamese);
        assert_eq!(of(&["card-agent", "readers", "--lang=en"]), Language::English);
    }
}
