//! The command `config`: every setting with its value, an example file, or a schema for editors.

use std::io::{self, IsTerminal};

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::Value;

use super::command_output::print;
use super::load_settings::load_settings;
use super::settings_sections::all_sections;
use super::settings_sources::LaunchSources;
use super::{App, LaunchError};
use crate::config::config_listing::{self, ListStyle};
use crate::config::{Config, Problem, Problems, Section, SettingInfo, suggest_key};
use crate::logging::is_coloured;

/// Returns the command with its arguments.
pub(super) fn command() -> Command {
    let switch = |name, help| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help).conflicts_with("example")
    };
    Command::new("config")
        .about("List every setting: value, origin, what it does, variables")
        .arg(
            Arg::new("key")
                .value_name("KEY-OR-SECTION")
                .help("Only this setting or section, such as http.port or http"),
        )
        .arg(
            Arg::new("example")
                .long("example")
                .value_name("FORMAT")
                .value_parser(["toml"])
                .num_args(0..=1)
                .default_missing_value("toml")
                .conflicts_with("key")
                .help(
                    "Print a file to start from, with every setting commented out at its default",
                ),
        )
        .arg(
            switch("schema", "Print the JSON Schema of the file, for editors")
                .conflicts_with_all(["key", "json"]),
        )
        .arg(switch("json", "Print the list as JSON"))
}

/// Prints the settings. The list is printed also when settings are wrong, so that one sees which.
pub(super) fn show(
    app: &App,
    sources: &LaunchSources,
    matches: &ArgMatches,
) -> Result<(), LaunchError> {
    if matches.contains_id("example") {
        return print(&app.config_example());
    }
    if matches.get_flag("schema") {
        return print(&pretty(&app.config_schema()));
    }
    let parts: Vec<_> = inventory::iter::<crate::part::PartDescriptor>().collect();
    let (config, problems) = load_settings(app, sources, &parts);
    let key = matches.get_one::<String>("key").map_or("", String::as_str);
    let described = described(app, &config, key)?;
    if matches.get_flag("json") {
        print(&pretty(&config_listing::json(&described)))?;
    } else {
        let coloured = is_coloured(io::stdout().is_terminal());
        let whole_docs = !key.is_empty();
        print(&config_listing::list(&described, ListStyle { coloured, whole_docs }))?;
    }
    if problems.is_empty() { Ok(()) } else { Err(LaunchError::Settings(problems)) }
}

/// Returns the settings of the section `key`, or the one of that name; all for "".
fn described(app: &App, config: &Config, key: &str) -> Result<Vec<SettingInfo>, LaunchError> {
    let known = all_sections(&app.own);
    let mut described = config.describe(&known.iter().collect::<Vec<&Section>>());
    if key.is_empty() {
        return Ok(described);
    }
    let within = |name: &str| {
        name.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    if described.iter().any(|setting| within(&setting.key)) {
        described.retain(|setting| within(&setting.key));
        return Ok(described);
    }
    let mut names: Vec<&str> = described.iter().map(|setting| &*setting.key).collect();
    for section in &known {
        names.push(section.name());
    }
    let fix = match suggest_key(key, &names) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`config` without a key lists all".to_owned(),
    };
    let problem = Problem::new(key, "neither a setting nor a section", fix);
    Err(LaunchError::Settings(Problems(vec![problem])))
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}
