//! `ashirt-worker config-json`: what an administrator pastes into ASHIRT.

use std::collections::BTreeMap;

use piton::clap::Arg;
use piton::config::{Problem, Problems};
use piton::prelude::*;
use piton::{Arguments, HttpSettings, LaunchError, Outline, serde_json};

use crate::protocol::{WorkerConfiguration, process_url};
use crate::worker_settings::WorkerSettings;

/// The verb.
pub(crate) fn config_json() -> Verb {
    Verb::new("config-json", "Print what an administrator pastes into ASHIRT")
        .arg(
            Arg::new("url")
                .long("url")
                .value_name("URL")
                .help("Where ASHIRT reaches the worker, such as http://ashirt-worker:5000 [default: worker.url]"),
        )
        .look(print)
}

fn print(app: &Outline<'_>, arguments: &Arguments) -> Result<(), LaunchError> {
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
            "note: nothing says where ASHIRT reaches the worker: the host is a guess; say it by --url or worker.url"
        );
    }
    if header.is_some() {
        eprintln!("note: it holds the shared secret");
    }
    let headers: BTreeMap<_, _> = header.into_iter().collect();
    let configuration = serde_json::to_string_pretty(&WorkerConfiguration::new(url, headers));
    piton::print(&format!("{}\n", configuration.expect("it holds nothing but text")))
}
