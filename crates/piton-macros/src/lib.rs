//! The attribute and derive macros of Piton. They parse, and generate calls of public functions of the `piton`
//! crate that a person could write; `myservice routes --explain` prints them.

mod cache_key;
mod cached;
mod cron;
mod duration;
mod embed;
mod errors;
mod from_row;
mod guard;
mod limits;
mod migrations;
mod option_text;
mod route;
mod settings;
mod sqs;
mod task;

use proc_macro::TokenStream;
use syn::{DeriveInput, ItemFn, parse_macro_input};

/// Defines the attribute of each HTTP method.
macro_rules! methods {
    ($($name:ident $method:literal)*) => {
        $(
            #[doc = concat!("Routes `", $method, "` requests for a path to the function below: `#[", stringify!($name), "(\"/path/{id}\")]`.")]
            ///
            /// The function is registered in whatever module it is; a `blueprint!` of its module or of one
            /// around that adds a prefix to the path. Its doc comment documents the route.
            #[proc_macro_attribute]
            pub fn $name(arguments: TokenStream, item: TokenStream) -> TokenStream {
                let arguments = parse_macro_input!(arguments as route::Arguments);
                let function = parse_macro_input!(item as ItemFn);
                finish(route::expand(arguments, function, Some($method)))
            }
        )*
    };
}

methods! {
    get "GET"
    post "POST"
    put "PUT"
    patch "PATCH"
    delete "DELETE"
}

/// Routes requests of several methods to the function:
/// `#[route("/path", methods = ["GET", "POST"])]`.
#[proc_macro_attribute]
pub fn route(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let arguments = parse_macro_input!(arguments as route::Arguments);
    let function = parse_macro_input!(item as ItemFn);
    finish(route::expand(arguments, function, None))
}

/// Requires a token or an API key: `#[protected]`, `#[protected(fresh)]`,
/// `#[protected(refresh)]`, `#[protected(optional)]`, `#[protected(locations = ["cookies"])]`,
/// `#[protected(verify_type = false)]`, `#[protected(skip_revocation_check)]`,
/// `#[protected(api_key, scope = "orders:write")]`, or
/// `#[protected(guard = Weekdays::only("monday"))]` with any `piton::http::Guard`. Belongs next to a
/// route's attribute.
#[proc_macro_attribute]
pub fn protected(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let function = parse_macro_input!(item as ItemFn);
    finish(guard::below("protected", &arguments.into(), function))
}

/// Allows anonymous callers though the blueprint is protected. Belongs next to a route's attribute.
#[proc_macro_attribute]
pub fn public(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let function = parse_macro_input!(item as ItemFn);
    finish(guard::below("public", &arguments.into(), function))
}

/// Caches the responses of a GET route: `#[cached]`, `#[cached(ttl = "60s", tags = ["companies"])]`,
/// with the options `ttl`, `tags = ["company:{cnpj}"]`, `key = "company:{cnpj}"`,
/// `vary = ["accept-language"]` and `shared`; see `piton::cache::Cached`. Belongs next to a route's
/// attribute.
#[proc_macro_attribute]
pub fn cached(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let function = parse_macro_input!(item as ItemFn);
    finish(guard::below("cached", &arguments.into(), function))
}

/// Documents the errors of a route by their status:
/// `#[errors(404 = "There is no such order.", 409)]`. Belongs next to a route's attribute.
///
/// The OpenAPI document lists them next to those that follow from the handler's arguments and guard; generated
/// clients have a type or a case for each.
#[proc_macro_attribute]
pub fn errors(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let function = parse_macro_input!(item as ItemFn);
    finish(guard::below("errors", &arguments.into(), function))
}

/// Sets limits of a route that differ from the settings: `#[limits(body = "50MiB", timeout = "5m")]`, for an
/// upload or a long report. `body` replaces `http.body_limit`, `timeout` replaces `http.timeout`. Belongs next to
/// a route's attribute.
#[proc_macro_attribute]
pub fn limits(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let function = parse_macro_input!(item as ItemFn);
    finish(guard::below("limits", &arguments.into(), function))
}

/// Caches the results of an `async fn`, except errors:
/// `#[piton::memoize(ttl = "60s", tags = ["companies"], key = "by-state:{state}")]`.
///
/// `key` and `tags` may name arguments, as in `format!`; in the key the values are escaped as by
/// `piton::cache::key!`, so that distinct arguments have distinct keys. The key is the whole
/// identity: another function with the same key shares the values. It may be left out where there
/// are no arguments. Arguments that do not determine the result, such as the database, are left out
/// of it. A generic function has separate values for each type. Works where `piton::cache::entry`
/// does; where no app runs, every call computes.
#[proc_macro_attribute]
pub fn memoize(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let options = parse_macro_input!(arguments as cached::CacheOptions);
    let function = parse_macro_input!(item as ItemFn);
    finish(cached::memoize(&options, function))
}

/// Builds a cache key with the syntax of `format!`; see `piton::cache::key`.
#[proc_macro]
pub fn cache_key(input: TokenStream) -> TokenStream {
    finish(cache_key::expand(&parse_macro_input!(input as cache_key::Arguments)))
}

/// Calls the function with the messages of a queue: `#[sqs("gnar-queue")]`, with the options
/// `interval = "60s"`, `max_messages = 10`, `visibility_timeout = "30s"`, `wait_time = "20s"`,
/// `attribute_names = ["All"]`, `message_attribute_names = ["All"]` and
/// `receive_request_attempt_id = ".."`.
///
/// The function is registered in whatever module it is. It takes a `Message`, then at most six parts; the
/// message is deleted unless the function returns `false` or an error, or panics.
#[proc_macro_attribute]
pub fn sqs(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let arguments = parse_macro_input!(arguments as sqs::Arguments);
    let function = parse_macro_input!(item as ItemFn);
    finish(sqs::expand(arguments, function))
}

/// Makes a task of the function, which runs in the background: `#[task]`, with the options `name = "shop.charge"`,
/// `queue = "cards"`, `priority = 5`, `retries = 5`, `backoff = "1s"`, `max_backoff = "10m"`, `timeout = "30s"`,
/// `soft_timeout = "25s"`, `expires = "1h"`, `ack = early` and `ignore_result`; see `piton::tasks::Task`.
///
/// Parts are marked, `#[part] db: Db`. Every other parameter is an argument of the message, by position or by name; one
/// of the type `Option<_>`, or with `#[default(5)]`, may be absent. The function stays as it is, and a type of the same
/// name sends it: `charge::delay(..)`, `charge::apply(..)`.
#[proc_macro_attribute]
pub fn task(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let arguments = parse_macro_input!(arguments as task::Arguments);
    let function = parse_macro_input!(item as ItemFn);
    finish(task::expand(&arguments, function))
}

/// Runs the function by a schedule, as a task: `#[cron("0 3 * * *")]` or `#[cron(every = "30s")]`, with the options
/// `timezone = "America/Sao_Paulo"`, `missed = skip`, `coalesce` or `catch_up`, and those of `#[task]`; see
/// `piton::tasks::Cron`.
///
/// Its parameters are parts. `nightly::delay()` runs it at once.
#[proc_macro_attribute]
pub fn cron(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let arguments = parse_macro_input!(arguments as cron::Arguments);
    let function = parse_macro_input!(item as ItemFn);
    finish(cron::expand(&arguments, function))
}

/// Turns an `async fn` into a test with a runtime of its own.
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let function = parse_macro_input!(item as ItemFn);
    finish(route::test(&arguments.into(), function))
}

/// Implements `Settings`: the struct is a section of the settings, its doc comments are the documentation, and its
/// `Default` has the defaults.
#[proc_macro_derive(Settings, attributes(setting))]
pub fn settings(input: TokenStream) -> TokenStream {
    finish(settings::derive(parse_macro_input!(input as DeriveInput)))
}

/// Implements `FromRow`: reads the struct from a row of the database, by column names.
#[proc_macro_derive(FromRow, attributes(row))]
pub fn from_row(input: TokenStream) -> TokenStream {
    finish(from_row::derive(parse_macro_input!(input as DeriveInput)))
}

/// Takes the files of a folder of the package for `App::static_files`: a release has them in the program, a build for
/// development reads the folder, so that a change shows at once. `piton::embed!("static")`, or
/// `piton::embed!("static", always)` to have them in the program in development too.
///
/// Hidden files are left out. A file's `ETag` is a hash of its content. Cargo rebuilds when a file changes; for new
/// files a `build.rs` prints `cargo::rerun-if-changed=static`.
#[proc_macro]
pub fn embed(input: TokenStream) -> TokenStream {
    embed::expand(input.into()).into()
}

/// Embeds the `.sql` files of a folder (`migrations` unless named) in the program.
#[proc_macro]
pub fn migrations(input: TokenStream) -> TokenStream {
    migrations::expand(input.into()).into()
}

fn finish(expanded: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    expanded.unwrap_or_else(syn::Error::into_compile_error).into()
}
