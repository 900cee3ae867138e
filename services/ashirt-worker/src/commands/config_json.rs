//! `ashirt-worker config-json` prints the configuration that an administrator pastes into ASHIRT.

use std::collections::BTreeMap;

use piton::clap::Arg;
use piton::config::{Problem, Problems};
use piton::prelude::*;
use piton::{AppDescription, Arguments, HttpSettings, LaunchError, serde_json};

use crate::protocol::{WorkerConfiguration, process_url};
use crate::worker_settings::WorkerSettings;

/// Creates the command.
pub(crate) fn config_json() -> Command {
    Command::new("config-json", "Print the configuration that an administrator pastes into ASHIRT")
        .arg(
            Arg::new("url")
                .long("url")
                .value_name("URL")
                .help("Where ASHIRT reaches the worker, such as http://ashirt-worker:5000 [default: worker.url]"),
        )
        .inspect(print)
}

fn print(app: &AppDescription<'_>, arguments: &Arguments) -> Result<(), LaunchError> {
    let mut problems = Problems::new();
    let settings: WorkerSettings = app.config().read("worker", &mut problems);
    let http: HttpSettings = app.config().read("http", &mut problems);
    let given = arguments.get_one::<String>("url").or(settings.url.as_ref());
    let guess = format!("http://ashirt-worker:{}", http.port);
    let url = process_url(given.unwrap_or(&guess));
    if let Err(why) = &url {
        problems.push(Problem::new("--url", *why, "--url http://ashirt-worker:5000"));
    }
    let (Ok(url), true) = (url, problems.is_empty()) else {
        return Err(LaunchError::Settings(problems));
    };
    let secret = settings.shared_secret.get();
    let header = secret.map(|secret| (settings.shared_secret_header.clone(), secret.to_owned()));
    if given.is_none() {
        eprintln!(
            "note: the URL of the worker is not configured, so its host is a guess: set --url or worker.url"
        );
    }
    if header.is_some() {
        eprintln!("note: the output contains the shared secret");
    }
    let headers: BTreeMap<_, _> = header.into_iter().collect();
    let configuration = serde_json::to_string_pretty(&WorkerConfiguration::new(url, headers));
    piton::print(&format!("{}\n", configuration.expect("it holds nothing but text")))
}
