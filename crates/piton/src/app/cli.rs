//! The command line of every service: `serve`, `routes`, `config`, and the commands of modules and of the service
//! itself.

use std::ffi::OsString;
use std::mem;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, value_parser};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::attribute_scan::{ScanResult, scan};
use super::command::{Command, ModuleCommand};
use super::command_output::print;
use super::part_start_order::plan;
use super::settings_sources::{FlagSetting, LaunchSources};
use super::signals::{ReloadSignals, end_signals, follow_level_signals};
use super::{App, AppDescription, Exit, LaunchError, LaunchedApp};
use super::{config_command, open_files};
use crate::config::{Problem, Problems};
use crate::context;
use crate::http::{self, Listeners, RouteInfo};
use crate::part::Health;

/// The settings with a flag of their own: flag, key, placeholder, help.
const SETTING_FLAGS: [(&str, &str, &str, &str); 3] = [
    ("host", "http.host", "ADDRESS", "Listen on this address"),
    ("port", "http.port", "PORT", "Listen on this port; 0 takes a free one"),
    ("log-level", "log.level", "LEVEL", "Log from this level up: debug, info, warning, error"),
];

/// Runs the command of the command line, and returns the exit code.
pub(super) fn run(mut app: App, arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let module_commands: Vec<Command> =
        inventory::iter::<ModuleCommand>().map(|command| command.0()).collect();
    let matches = match clap_command(&app, &module_commands).try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { Exit::wrong_configuration() } else { Exit::OK };
        }
    };
    let name = app.name.clone();
    let done = sources(&matches).and_then(|sources| match matches.subcommand() {
        None | Some(("serve", _)) => runtime()?.block_on(serve(app, sources)),
        Some(("routes", matches)) => list_routes(&mut app, matches.get_flag("explain")),
        Some(("config", matches)) => config_command::show(&app, &sources, matches),
        Some((name, matches)) => {
            let mut commands = mem::take(&mut app.commands).into_iter().chain(module_commands);
            let command = commands.find(|command| command.clap.get_name() == name);
            let mut command = command.expect("clap accepts known commands only");
            if let Some(inspect) = command.inspect.take() {
                return inspect(&AppDescription::of(&app, &sources)?, matches);
            }
            if let Some(prepare) = command.background.take() {
                return runtime()?.block_on(run_in_background(prepare(app, matches), sources));
            }
            runtime()?.block_on(run_command(app, sources, command, matches.clone()))
        }
    });
    match done {
        Ok(()) => Exit::OK,
        Err(error) => {
            eprintln!("{}", error.report(&name));
            error.exit()
        }
    }
}

fn clap_command(app: &App, module_commands: &[Command]) -> clap::Command {
    let mut command = clap::Command::new(app.name.clone())
        .about(format!("{}, a service. Without a command it serves.", app.name))
        .after_help(
            "Settings come from defaults, a file (config.toml, .yaml, .json, or --config), `.env`, the environment, the \
             code and these flags; what comes later wins.\n`config` lists every setting with its value, where that \
             came from, what it does and its variables.",
        )
          .subcommand(clap::Command::new("serve").about("Serve until Ctrl-C or SIGTERM (the default)"))
        .subcommand(
            clap::Command::new("routes").about("List the routes").arg(
                Arg::new("explain")
                    .long("explain")
                    .action(ArgAction::SetTrue)
                    .help("Print the plain calls that the route macros stand for"),
            ),
        )
        .subcommand(config_command::command())
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .global(true)
                .help("Read settings from this file (TOML, YAML or JSON)"),
        )
        .arg(
            Arg::new("set")
                .long("set")
                .value_name("KEY=VALUE")
                .action(ArgAction::Append)
                .global(true)
                .help("Set any setting, such as http.timeout=5s"),
        )
        .arg(
            Arg::new("production")
                .long("production")
                .action(ArgAction::SetTrue)
                .global(true)
                .help("Run in production: all interfaces, errors show nothing of the inside"),
        );
    if let Some(version) = &app.version {
        command = command.version(version.to_string());
    }
    for (flag, _, placeholder, help) in SETTING_FLAGS {
        command =
            command.arg(Arg::new(flag).long(flag).value_name(placeholder).global(true).help(help));
    }
    app.commands
        .iter()
        .chain(module_commands)
        .fold(command, |all, command| all.subcommand(command.clap.clone()))
}

/// Returns the settings of the flags, and the file of `--config`.
fn sources(matches: &ArgMatches) -> Result<LaunchSources, LaunchError> {
    let mut flags = Vec::new();
    for (flag, key, ..) in SETTING_FLAGS {
        if let Some(value) = matches.get_one::<String>(flag) {
            flags.push(FlagSetting {
                key: key.into(),
                value: value.clone().into(),
                flag: format!("--{flag}"),
            });
        }
    }
    if matches.get_flag("production") {
        flags.push(FlagSetting {
            key: "production".into(),
            value: true.into(),
            flag: "--production".into(),
        });
    }
    for setting in matches.get_many::<String>("set").into_iter().flatten() {
        let Some((key, value)) = setting.split_once('=') else {
            // Does not quote the argument, because it may be a secret.
            let why = "the argument of `--set` has no `=`";
            let fix = "--set KEY=VALUE, such as --set http.timeout=5s";
            return Err(LaunchError::Settings(Problems(vec![Problem::new("--set", why, fix)])));
        };
        let value = Value::String(value.trim().to_owned());
        flags.push(FlagSetting { key: key.trim().to_owned(), value, flag: "--set".into() });
    }
    Ok(LaunchSources {
        flags,
        file: matches.get_one::<PathBuf>("config").cloned(),
        reads_process_env: true,
    })
}

fn runtime() -> Result<Runtime, LaunchError> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

async fn serve(app: App, sources: LaunchSources) -> Result<(), LaunchError> {
    // Caught first, because until then they end the process.
    let end = end_signals()?;
    let reload = ReloadSignals::catch()?;
    http::receive_inherited_sockets();
    follow_level_signals()?;
    open_files::raise();
    let launched = app.launch(sources).await?;
    reload.follow(launched.handle.inner().reload.clone(), &end);
    let bound = Listeners::bind(&launched.http, launched.handle.production());
    let bound = bound.map_err(|why| LaunchError::Fault(why.into()));
    match bound.and_then(|listeners| launched.open(listeners)) {
        Ok(public) => launched.serve(public, end.stop, end.at_once).await,
        Err(error) => {
            launched.stop().await;
            Err(error)
        }
    }
}

/// Does the background work of the service without its routes.
async fn run_in_background(mut app: App, sources: LaunchSources) -> Result<(), LaunchError> {
    let end = end_signals()?;
    let reload = ReloadSignals::catch()?;
    follow_level_signals()?;
    open_files::raise();
    app.for_background = true;
    app.routes.clear();
    app.mounts.clear();
    app.file_mounts.clear();
    let launched = app.launch(sources).await?;
    reload.follow(launched.handle.inner().reload.clone(), &end);
    launched.run_in_background(end.stop, end.at_once).await
}

/// Runs a command with the parts that it needs, and without routes.
async fn run_command(
    mut app: App,
    sources: LaunchSources,
    mut command: Command,
    matches: ArgMatches,
) -> Result<(), LaunchError> {
    let run = command.run.take().ok_or_else(|| {
        LaunchError::Refused(vec![format!(
            "the command `{}` does nothing: give it a `.run(..)`",
            command.clap.get_name()
        )])
    })?;
    app.for_command = true;
    app.routes.clear();
    app.mounts.clear();
    app.file_mounts.clear();
    app.enabled = mem::take(&mut command.dependencies);
    let stop = end_signals()?.stop;
    let mut launched = app.launch(sources).await?;
    let connects = (command.connects)(&matches);
    let work = async {
        if connects {
            connect_all(&mut launched).await?;
        }
        context::within(launched.handle.clone(), run(launched.handle.clone(), matches)).await
    };
    let outcome = tokio::select! {
        outcome = work => outcome,
        () = stop.stopped() => Err(LaunchError::Fault("interrupted".into())),
    };
    launched.stop().await;
    outcome
}

/// The time that a command waits for its parts to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Waits until the parts of a command are connected.
///
/// # Errors
/// A part fails permanently, or is not available in time.
async fn connect_all(launched: &mut LaunchedApp) -> Result<(), LaunchError> {
    launched.connect(CONNECT_TIMEOUT).await;
    if let Some(error) = launched.take_permanent() {
        return Err(error);
    }
    let unavailable =
        launched.handle.health().await.into_iter().find_map(|part| match part.health {
            Health::Down(why) => Some(format!("`{}` is unavailable: {why}", part.name)),
            Health::Up | Health::Degraded(_) => None,
        });
    match unavailable {
        Some(why) => Err(LaunchError::Fault(why.into())),
        None => Ok(()),
    }
}

/// Prints the routes, also when some are wrong, so that one sees which.
fn list_routes(app: &mut App, explain: bool) -> Result<(), LaunchError> {
    let explained = explain.then(|| app.explain());
    let ScanResult { routes, notes, problem } = scan(app);
    notes.iter().for_each(|note| eprintln!("note: {note}"));
    app.routes.extend(routes);
    print(&explained.unwrap_or_else(|| table(&http::infos(&app.routes))))?;
    let mut reasons: Vec<String> = problem.into_iter().collect();
    reasons.extend(http::problems(&app.routes, |id| app.has_state(id)));
    if let Err(more) = plan(&app.routes, &app.enabled, &app.disabled) {
        reasons.extend(more);
    }
    if reasons.is_empty() { Ok(()) } else { Err(LaunchError::Refused(reasons)) }
}

/// Returns method, path, handler and line of each route, in columns.
fn table(infos: &[RouteInfo]) -> String {
    let width = |of: fn(&RouteInfo) -> usize| infos.iter().map(of).max().unwrap_or_default();
    let (methods, paths) =
        (width(|info| info.method.as_str().len()), width(|info| info.path.len()));
    let handlers = width(|info| info.handler.len());
    infos
        .iter()
        .map(|info| {
            let (method, path, handler) = (info.method.as_str(), &info.path, info.handler);
            let line =
                format!("{method:methods$}  {path:paths$}  {handler:handlers$}  {}", info.source);
            format!("{}\n", line.trim_end())
        })
        .collect()
}
