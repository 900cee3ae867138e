//! The command `keys`. Output for programs goes to standard output, messages for people to standard
//! error, so that `KEY=$(service keys create NAME)` holds the key and nothing else.

use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::{Arg, ArgAction, ArgMatches};
use secrecy::ExposeSecret;

use super::error::{KeyError, KeyErrorKind};
use super::key_table::{KeyInfo, KeyState};
use super::manage::NewKey;
use crate::app::{Command, LaunchError, ModuleCommand};
use crate::auth::api_key::api_keys::ApiKeys;
use crate::config::{Setting, Value};

inventory::submit! { ModuleCommand(keys_command) }

fn keys_command() -> Command {
    let name = |help| Arg::new("name").value_name("NAME").required(true).help(help);
    let expires = || time("expires", "TIME", "How long the key is valid, such as 90d");
    let create = clap::Command::new("create")
        .about("Create a key and print it; it cannot be shown again")
        .arg(name("Name of the caller: letters, digits, `.`, `-` and `_`"))
        .arg(
            Arg::new("scope")
                .long("scope")
                .value_name("SCOPES")
                .action(ArgAction::Append)
                .value_delimiter(',')
                .help("Scopes of the key, separated by commas; `*` is every scope [default: none]"),
        )
        .arg(
            expires().help("How long the key is valid, such as 90d [default: until it is revoked]"),
        );
    let list = clap::Command::new("list")
        .about("List all keys, without their secrets")
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON"));
    let revoke =
        clap::Command::new("revoke").about("Revoke a key, or all keys of a name, at once").arg(
            Arg::new("key")
                .value_name("NAME-OR-ID")
                .required(true)
                .help("Name, id, or the text of a leaked key"),
        );
    let rotate = clap::Command::new("rotate")
        .about("Replace a key by a new one with its name and scopes, and print it")
        .arg(name("Name of the key in use"))
        .arg(
            time("grace", "TIME", "How long the old key remains valid, such as 24h")
                .default_value("24h"),
        )
        .arg(expires().help("How long the new key is valid [default: as long as the old one was]"));
    Command::new("keys", "Create, list, rotate and revoke API keys")
        .subcommand(create)
        .subcommand(list)
        .subcommand(rotate)
        .subcommand(revoke)
        .needs::<ApiKeys>()
        .run(|app, arguments| async move {
            let keys = app.api_keys();
            match arguments.subcommand() {
                Some(("create", arguments)) => {
                    print_new(&keys, &create_key(&keys, arguments).await?);
                }
                Some(("rotate", arguments)) => {
                    print_new(&keys, &rotate_key(&keys, arguments).await?);
                }
                Some(("revoke", arguments)) => {
                    let count = keys.revoke(text(arguments, "key")).await?;
                    eprintln!("Revoked {count} {}.", if count == 1 { "key" } else { "keys" });
                }
                Some((_, arguments)) => {
                    let list = keys.list().await?;
                    let json = arguments.get_flag("json");
                    print!("{}", if json { as_json(&list)? } else { table(&list) });
                }
                None => {}
            }
            Ok::<_, LaunchError>(())
        })
}

/// Returns an argument that is a duration with its unit, as in the settings.
fn time(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    let parse = |text: &str| <Duration as Setting>::parse(&Value::from(text));
    Arg::new(name).long(name).value_name(value).value_parser(parse).help(help)
}

fn text<'a>(arguments: &'a ArgMatches, name: &str) -> &'a str {
    arguments.get_one::<String>(name).expect("clap requires this argument")
}

async fn create_key(keys: &ApiKeys, arguments: &ArgMatches) -> Result<NewKey, KeyError> {
    let scopes = arguments.get_many::<String>("scope").unwrap_or_default();
    let scopes: Vec<String> = scopes.map(|scope| scope.trim().to_owned()).collect();
    keys.create(text(arguments, "name"), &scopes, lifetime(arguments)?).await
}

async fn rotate_key(keys: &ApiKeys, arguments: &ArgMatches) -> Result<NewKey, KeyError> {
    let grace = arguments.get_one::<Duration>("grace").copied().unwrap_or_default();
    keys.rotate(text(arguments, "name"), grace, lifetime(arguments)?).await
}

fn lifetime(arguments: &ArgMatches) -> Result<Option<Duration>, KeyError> {
    match arguments.get_one::<Duration>("expires").copied() {
        Some(Duration::ZERO) => Err(KeyError::new(KeyErrorKind::Invalid, "the lifetime is zero")),
        lifetime => Ok(lifetime),
    }
}

fn print_new(keys: &ApiKeys, new: &NewKey) {
    let until = new.expires_at.map_or("until it is revoked".to_owned(), |end| {
        format!("until {}", end.format("%Y-%m-%d %H:%M UTC"))
    });
    let scopes = if new.scopes.is_empty() { "none".to_owned() } else { new.scopes.join(", ") };
    eprintln!("The key `{}` ({}) is valid {until}. Scopes: {scopes}.", new.name, new.id);
    eprintln!("Store it now: it cannot be shown again. Send it in the header {}:", keys.header());
    println!("{}", new.key.expose_secret());
}

fn as_json(list: &[KeyInfo]) -> Result<String, serde_json::Error> {
    Ok(format!("{}\n", serde_json::to_string_pretty(list)?))
}

fn table(list: &[KeyInfo]) -> String {
    const HEAD: [&str; 7] = ["NAME", "ID", "STATE", "SCOPES", "CREATED", "EXPIRES", "LAST USED"];
    if list.is_empty() {
        return "No keys: `keys create NAME` creates one.\n".into();
    }
    let cells = |key: &KeyInfo| {
        let scopes = if key.scopes.is_empty() { "-".into() } else { key.scopes.join(",") };
        let (created, expires) = (minute(Some(key.created_at)), minute(key.expires_at));
        let state = state(key.state).to_owned();
        [
            key.name.clone(),
            key.id.clone(),
            state,
            scopes,
            created,
            expires,
            minute(key.last_used_at),
        ]
    };
    let rows: Vec<[String; 7]> =
        std::iter::once(HEAD.map(str::to_owned)).chain(list.iter().map(cells)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or_default();
    let widths: [usize; 7] = std::array::from_fn(width);
    let line = |row: &[String; 7]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

fn state(state: KeyState) -> &'static str {
    match state {
        KeyState::Active => "active",
        KeyState::Replaced => "replaced",
        KeyState::Expired => "expired",
        KeyState::Revoked => "revoked",
    }
}

fn minute(moment: Option<DateTime<Utc>>) -> String {
    moment.map_or("-".into(), |moment| moment.format("%Y-%m-%d %H:%M").to_string())
}
