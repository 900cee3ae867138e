//! `#[cron(..)]`: a task that a schedule sends.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{Error, Expr, Ident, ItemFn, LitStr, Result, Token};

use super::duration;
use super::option_text::text;
use super::task::{self, Backoff};

/// The arguments: `"0 3 * * *", timezone = "America/Sao_Paulo"`, or `every = "30s"`, and the options of a task.
pub struct Arguments {
    schedule: Schedule,
    /// Each option as a call of a method of `Cron`.
    options: Vec<TokenStream>,
    task: task::Arguments,
}

enum Schedule {
    Pattern(Expr),
    Every(TokenStream),
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut schedule = if input.peek(LitStr) || (input.peek(Ident) && !input.peek2(Token![=])) {
            Some(Schedule::Pattern(input.parse()?))
        } else {
            None
        };
        let (mut options, mut task) = (Vec::new(), task::Arguments::default());
        let mut backoff = Backoff::default();
        if schedule.is_some() && !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
        while !input.is_empty() {
            let name: Ident = input.parse()?;
            match name.to_string().as_str() {
                "every" => {
                    schedule = Some(Schedule::Every(duration::literal(&task::value(input)?)?));
                }
                "timezone" => {
                    let zone = task::value(input)?;
                    options.push(quote!(.timezone(#zone)));
                }
                "missed" => options.push(missed(&task::value(input)?)?),
                _ if task.take(&name, &mut backoff, input)? => {}
                _ => return Err(unknown_option(&name)),
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        task.options.extend(backoff.option());
        let without = || {
            input.error("give the schedule: `#[cron(\"0 3 * * *\")]` or `#[cron(every = \"30s\")]`")
        };
        Ok(Self { schedule: schedule.ok_or_else(without)?, options, task })
    }
}

fn unknown_option(name: &Ident) -> Error {
    let why = "the options are `every`, `timezone`, `missed`, and those of `#[task]`";
    Error::new(name.span(), why)
}

fn missed(value: &Expr) -> Result<TokenStream> {
    let variant = match task::word(value).as_deref() {
        Some("skip") => quote!(Skip),
        Some("coalesce") => quote!(Coalesce),
        Some("catch_up") => quote!(CatchUp),
        _ => return Err(Error::new(value.span(), "expected `skip`, `coalesce` or `catch_up`")),
    };
    Ok(quote!(.missed(::piton::tasks::Missed::#variant)))
}

/// Returns the function, the type to send it at once, and its registration.
pub fn expand(arguments: &Arguments, mut function: ItemFn) -> Result<TokenStream> {
    let sender = task::expand_scheduled(&arguments.task, &mut function)?;
    let (name, options) = (&function.sig.ident, &arguments.options);
    let (constructor, schedule) = match &arguments.schedule {
        Schedule::Pattern(pattern) => (quote!(new), quote!(#pattern)),
        Schedule::Every(interval) => (quote!(every), quote!(#interval)),
    };
    let begin = format!(".cron(piton::tasks::Cron::{constructor}({}, ", text(&schedule));
    let end = format!("::{name}::task()){})", options.iter().map(text).collect::<String>());
    let registration = task::registration(
        &quote!(::core::concat!(#begin, ::core::module_path!(), #end)),
        &quote! {
            app.cron(::piton::tasks::Cron::#constructor(#schedule, #name::task()) #(#options)*)
        },
    );
    Ok(quote! { #function #sender #registration })
}
