//! `#[task(..)]`: a function that runs in the background, its registration, and a type of the same name to send it.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{
    Attribute, Error, Expr, FnArg, Ident, ItemFn, Lit, Pat, Result, ReturnType, Token, Type,
};

use super::duration;

/// The arguments: `name = "shop.charge", retries = 5, timeout = "30s", ack = early, ignore_result`.
#[derive(Default)]
pub struct Arguments {
    pub name: Option<Expr>,
    /// Each option as a call of a method of `Task`.
    pub options: Vec<TokenStream>,
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut arguments = Self::default();
        let mut backoff = Backoff::default();
        while !input.is_empty() {
            let name: Ident = input.parse()?;
            if !arguments.take(&name, &mut backoff, input)? {
                return Err(unknown_option(&name));
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        arguments.options.extend(backoff.option());
        Ok(arguments)
    }
}

/// The two delays that one method sets.
#[derive(Default)]
pub struct Backoff {
    first: Option<TokenStream>,
    max: Option<TokenStream>,
}

impl Backoff {
    pub fn option(self) -> Option<TokenStream> {
        if self.first.is_none() && self.max.is_none() {
            return None;
        }
        let first = self.first.unwrap_or_else(|| quote!(::core::time::Duration::from_secs(1)));
        let max = self.max.unwrap_or_else(|| quote!(::core::time::Duration::from_secs(600)));
        Some(quote!(.backoff(#first, #max)))
    }
}

pub fn unknown_option(name: &Ident) -> Error {
    let why = "the options are `name`, `queue`, `priority`, `retries`, `backoff`, `max_backoff`, `timeout`, \
               `soft_timeout`, `expires`, `ack` and `ignore_result`";
    Error::new(name.span(), why)
}

impl Arguments {
    /// Reads the option `name`. Returns false if tasks have no such option.
    pub fn take(
        &mut self,
        name: &Ident,
        backoff: &mut Backoff,
        input: ParseStream<'_>,
    ) -> Result<bool> {
        let option = match name.to_string().as_str() {
            "name" => {
                self.name = Some(value(input)?);
                return Ok(true);
            }
            "backoff" => {
                backoff.first = Some(duration::literal(&value(input)?)?);
                return Ok(true);
            }
            "max_backoff" => {
                backoff.max = Some(duration::literal(&value(input)?)?);
                return Ok(true);
            }
            "queue" | "priority" | "retries" => {
                let value = value(input)?;
                quote!(.#name(#value))
            }
            "timeout" | "soft_timeout" | "expires" => {
                let time = duration::literal(&value(input)?)?;
                quote!(.#name(#time))
            }
            "ack" => ack(&value(input)?)?,
            "ignore_result" => match flag(input)? {
                true => quote!(.ignore_result()),
                false => quote!(),
            },
            _ => return Ok(false),
        };
        self.options.push(option);
        Ok(true)
    }
}

pub fn value(input: ParseStream<'_>) -> Result<Expr> {
    input.parse::<Token![=]>()?;
    input.parse()
}

/// Reads `= true`, `= false`, or nothing, which is `true`.
fn flag(input: ParseStream<'_>) -> Result<bool> {
    if !input.peek(Token![=]) {
        return Ok(true);
    }
    input.parse::<Token![=]>()?;
    Ok(input.parse::<syn::LitBool>()?.value)
}

/// Returns the word of an option, which may stand in quotes: `late`, `"late"`.
pub fn word(value: &Expr) -> Option<String> {
    match value {
        Expr::Path(path) => path.path.get_ident().map(ToString::to_string),
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}

fn ack(value: &Expr) -> Result<TokenStream> {
    match word(value).as_deref() {
        Some("late") => Ok(quote!(.ack(::piton::tasks::Ack::Late))),
        Some("early") => Ok(quote!(.ack(::piton::tasks::Ack::Early))),
        _ => Err(Error::new(value.span(), "expected `late` or `early`")),
    }
}

/// One parameter of the function.
enum Parameter {
    /// `#[part] db: Db`
    Part(Type),
    Argument {
        name: Ident,
        r#type: Type,
        default: DefaultValue,
    },
}

/// The value of an argument that the message does not have.
enum DefaultValue {
    Required,
    /// `Option<T>`: `None`.
    None,
    /// `#[default(5)]`
    Value(Expr),
}

/// Returns the function without its marks, the type to send it, and its registration.
pub fn expand(arguments: &Arguments, mut function: ItemFn) -> Result<TokenStream> {
    let parameters = take_parameters(&mut function, false)?;
    let sender = sender(arguments, &function, &parameters);
    let name = &function.sig.ident;
    let call = format!("{name}::task()");
    let registration = registration(
        &quote!(::core::concat!(".task(", ::core::module_path!(), "::", #call, ")")),
        &quote!(app.task(#name::task())),
    );
    Ok(quote! { #function #sender #registration })
}

/// Registers an extension of the app, and the call that it stands for.
pub fn registration(text: &TokenStream, call: &TokenStream) -> TokenStream {
    quote! {
        ::piton::__private::inventory::submit! {
            ::piton::AppExtensionCall { module: ::core::module_path!(), call: #text }
        }

        ::piton::__private::inventory::submit! {
            ::piton::AppExtension { module: ::core::module_path!(), add: |app| #call }
        }
    }
}

/// Returns the parameters, and removes their marks. With `parts_only` every parameter is a part.
fn take_parameters(function: &mut ItemFn, parts_only: bool) -> Result<Vec<Parameter>> {
    let signature = &mut function.sig;
    if signature.asyncness.is_none() {
        let why = "a task is an `async fn`: write `async` before `fn`";
        return Err(Error::new(signature.fn_token.span(), why));
    }
    if !signature.generics.params.is_empty() {
        let why = "a task cannot be generic, because no message would name the types";
        return Err(Error::new(signature.generics.span(), why));
    }
    signature.inputs.iter_mut().map(|input| parameter(input, parts_only)).collect()
}

fn parameter(input: &mut FnArg, parts_only: bool) -> Result<Parameter> {
    let FnArg::Typed(input) = input else {
        return Err(Error::new(input.span(), "a task is a function, not a method"));
    };
    let is_part = take_attribute(&mut input.attrs, "part")?.is_some() || parts_only;
    let default = take_attribute(&mut input.attrs, "default")?;
    let r#type = (*input.ty).clone();
    if let Type::Reference(reference) = &r#type {
        let why =
            "an argument is read from a message, so its type owns it: `String` instead of `&str`";
        return Err(Error::new(reference.span(), why));
    }
    if is_part {
        return Ok(Parameter::Part(r#type));
    }
    let Pat::Ident(pattern) = &*input.pat else {
        let why = "an argument has a name, by which messages give it: `company: Company`";
        return Err(Error::new(input.pat.span(), why));
    };
    let default = match default {
        Some(attribute) => DefaultValue::Value(attribute.parse_args()?),
        None if is_option(&r#type) => DefaultValue::None,
        None => DefaultValue::Required,
    };
    Ok(Parameter::Argument { name: pattern.ident.clone(), r#type, default })
}

fn take_attribute(attributes: &mut Vec<Attribute>, name: &str) -> Result<Option<Attribute>> {
    let at = attributes.iter().position(|attribute| attribute.path().is_ident(name));
    let taken = at.map(|at| attributes.remove(at));
    if let Some(second) = attributes.iter().find(|attribute| attribute.path().is_ident(name)) {
        return Err(Error::new(second.span(), format!("`#[{name}]` is there twice")));
    }
    Ok(taken)
}

fn is_option(r#type: &Type) -> bool {
    let Type::Path(path) = r#type else { return false };
    path.path.segments.last().is_some_and(|segment| segment.ident == "Option")
}

/// Returns the type with the function's name, by which it is sent.
fn sender(arguments: &Arguments, function: &ItemFn, parameters: &[Parameter]) -> TokenStream {
    let (visibility, name) = (&function.vis, &function.sig.ident);
    let docs = function.attrs.iter().filter(|attribute| attribute.path().is_ident("doc"));
    let task_name = match &arguments.name {
        Some(name) => quote!(#name),
        None => {
            let function = name.to_string();
            quote!(::core::concat!(::core::env!("CARGO_CRATE_NAME"), ".", #function))
        }
    };
    let output = match &function.sig.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, output) => quote!(#output),
    };
    let output = quote!(<#output as ::piton::tasks::TaskOutput>::Value);
    let (inputs, values) = sent(parameters);
    let task = task(arguments, name, parameters);
    quote! {
        #(#docs)*
        #[expect(non_camel_case_types, reason = "it has the name of its function")]
        #[derive(Clone, Copy, Debug)]
        #visibility struct #name {}

        #[allow(dead_code)]
        impl #name {
            /// The name that messages carry.
            #visibility const NAME: &'static str = #task_name;

            /// Returns the task, for `App::task`.
            #[must_use]
            #visibility fn task() -> ::piton::tasks::Task {
                static TASK: ::std::sync::LazyLock<::piton::tasks::Task> =
                    ::std::sync::LazyLock::new(|| #task);
                TASK.clone()
            }

            /// Returns a call with these arguments, to set its options and send it.
            #visibility fn apply(#(#inputs),*) -> ::piton::tasks::Call<#output> {
                ::piton::tasks::Call::of(&Self::task()) #(.arg(&#values))*
            }

            /// Returns a call without arguments, for a task whose arguments are the results of others.
            #visibility fn signature() -> ::piton::tasks::Call<#output> {
                ::piton::tasks::Call::of(&Self::task())
            }

            /// Sends the task now.
            ///
            /// # Errors
            /// Those of `piton::tasks::Call::send`.
            #visibility async fn delay(
                #(#inputs),*
            ) -> ::core::result::Result<
                ::piton::tasks::Sent<#output>,
                ::piton::tasks::BrokerError,
            > {
                Self::apply(#(#values),*).send().await
            }
        }
    }
}

/// Returns the parameters of `apply` and their names.
fn sent(parameters: &[Parameter]) -> (Vec<TokenStream>, Vec<&Ident>) {
    let arguments = parameters.iter().filter_map(|parameter| match parameter {
        Parameter::Part(_) => None,
        Parameter::Argument { name, r#type, default } => Some(match default {
            DefaultValue::Value(_) => (quote!(#name: ::core::option::Option<#r#type>), name),
            DefaultValue::Required | DefaultValue::None => (quote!(#name: #r#type), name),
        }),
    });
    arguments.unzip()
}

/// Returns the expression that makes the task.
fn task(arguments: &Arguments, name: &Ident, parameters: &[Parameter]) -> TokenStream {
    let options = &arguments.options;
    let described = parameters.iter().filter_map(|parameter| match parameter {
        Parameter::Part(_) => None,
        Parameter::Argument { name, default, .. } => {
            let name = name.to_string();
            Some(match default {
                DefaultValue::Required => quote!(::piton::tasks::Parameter::required(#name)),
                _ => quote!(::piton::tasks::Parameter::optional(#name)),
            })
        }
    });
    let needs = parameters.iter().filter_map(|parameter| match parameter {
        Parameter::Part(part) => Some(quote!(.needs::<#part>())),
        Parameter::Argument { .. } => None,
    });
    let names: Vec<Ident> =
        (0..parameters.len()).map(|index| format_ident!("argument_{index}")).collect();
    let values = parameters.iter().map(extraction);
    quote! {
        ::piton::tasks::Task::new(
            #name::NAME,
            const { &[#(#described),*] },
            |mut call: ::piton::tasks::TaskCall| async move {
                let _ = &mut call;
                #(let #names = #values;)*
                ::piton::tasks::TaskOutput::into_value(#name(#(#names),*).await)
            },
        )
        #(#needs)*
        #(#options)*
    }
}

fn extraction(parameter: &Parameter) -> TokenStream {
    match parameter {
        Parameter::Part(part) => quote!(call.part::<#part>()?),
        Parameter::Argument { name, r#type, default } => {
            let name = name.to_string();
            match default {
                DefaultValue::Required => quote!(call.argument::<#r#type>(#name)?),
                DefaultValue::None => quote!(call.optional::<#r#type>(#name)?.flatten()),
                DefaultValue::Value(value) => quote! {
                    match call.optional::<::core::option::Option<#r#type>>(#name)?.flatten() {
                        ::core::option::Option::Some(value) => value,
                        ::core::option::Option::None => #value,
                    }
                },
            }
        }
    }
}

/// Returns the function of a schedule, whose parameters are all parts, and the type to send it.
pub fn expand_scheduled(arguments: &Arguments, function: &mut ItemFn) -> Result<TokenStream> {
    let parameters = take_parameters(function, true)?;
    Ok(sender(arguments, function, &parameters))
}
