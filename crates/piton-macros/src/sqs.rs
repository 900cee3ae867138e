//! `#[sqs("queue")]`: one call of `App::sqs`, registered.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{Error, Expr, ItemFn, Lit, LitStr, Result, Token};

use super::duration;
use super::option_text::text;

/// The arguments: `"queue", interval = "60s", max_messages = 10`.
pub struct Arguments {
    queue: Expr,
    options: Vec<(syn::Ident, Expr)>,
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if input.is_empty() {
            return Err(input.error("name the queue: `#[sqs(\"gnar-queue\")]`"));
        }
        let queue = input.parse()?;
        let mut options = Vec::new();
        while !input.is_empty() {
            input.parse::<Token![,]>()?;
            if input.is_empty() {
                break;
            }
            let name = input.parse()?;
            input.parse::<Token![=]>()?;
            options.push((name, input.parse()?));
        }
        Ok(Self { queue, options })
    }
}

/// Returns the unchanged function and its registration.
pub fn expand(arguments: Arguments, function: ItemFn) -> Result<TokenStream> {
    let signature = &function.sig;
    if signature.asyncness.is_none() {
        let why = "a message handler is an `async fn`: write `async` before `fn`";
        return Err(Error::new(signature.fn_token.span(), why));
    }
    if !signature.generics.params.is_empty() {
        let why = "a message handler cannot be generic, because no caller would name the types";
        return Err(Error::new(signature.generics.span(), why));
    }
    let (queue, name) = (&arguments.queue, &signature.ident);
    let options = arguments.options.iter().map(|(name, value)| option(name, value));
    let options: Vec<TokenStream> = options.collect::<Result<_>>()?;
    let text: String = options.iter().map(text).collect();
    // Any other expression than a literal is printed with its module in scope, because its names are from there.
    let (scope, end) = match queue {
        Expr::Lit(_) => (quote!(""), quote!("")),
        _ => (quote!("{ use ", ::core::module_path!(), "::*; "), quote!(" }")),
    };
    Ok(quote! {
        #function

        ::piton::__private::inventory::submit! {
            ::piton::AppExtensionCall {
                module: ::core::module_path!(),
                call: ::core::concat!(
                    ".sqs(piton::aws::sqs::Poll::new(",
                    #scope, ::core::stringify!(#queue), #end,
                    ", ", ::core::module_path!(), "::", ::core::stringify!(#name), ")",
                    #text, ")",
                ),
            }
        }

        ::piton::__private::inventory::submit! {
            ::piton::AppExtension {
                module: ::core::module_path!(),
                add: |app| app.sqs(::piton::aws::sqs::Poll::new(#queue, #name) #(#options)*),
            }
        }
    })
}

/// Returns the call `.interval(..)` for `interval = ".."`.
fn option(name: &syn::Ident, value: &Expr) -> Result<TokenStream> {
    let (method, value) = match name.to_string().as_str() {
        "interval" | "visibility_timeout" | "wait_time" => {
            (name.clone(), duration::literal(value)?)
        }
        "max_messages" | "max_number_of_messages" => {
            (format_ident!("max_number_of_messages"), quote!(#value))
        }
        "attribute_names" | "message_attribute_names" => {
            let names = names(value)?;
            (name.clone(), quote!([#(#names),*]))
        }
        "receive_request_attempt_id" => (name.clone(), quote!(#value)),
        _ => {
            let why = "the options are `interval`, `max_messages`, `visibility_timeout`, `wait_time`, \
                       `attribute_names`, `message_attribute_names` and `receive_request_attempt_id`";
            return Err(Error::new(name.span(), why));
        }
    };
    Ok(quote!(.#method(#value)))
}

fn names(value: &Expr) -> Result<Vec<LitStr>> {
    let not_a_list = || Error::new(value.span(), "expected a list of names, such as `[\"All\"]`");
    let Expr::Array(array) = value else { return Err(not_a_list()) };
    let name = |element: &Expr| match element {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) => Ok(text.clone()),
            _ => Err(not_a_list()),
        },
        _ => Err(not_a_list()),
    };
    array.elems.iter().map(name).collect()
}
