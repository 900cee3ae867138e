//! `#[errors(404 = "..", 409)]` under a route: an inert attribute that the route macro reads. Each status
//! is one call of `piton::http::Route::error`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Error, ItemFn, LitInt, LitStr, Result, Token};

/// A status, with the description of the error.
struct DocumentedError {
    status: LitInt,
    description: Option<LitStr>,
}

impl Parse for DocumentedError {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let status: LitInt = input.parse().map_err(|error| {
            Error::new(
                error.span(),
                "write statuses: `#[errors(404 = \"there is no such order\")]`",
            )
        })?;
        if !status.base10_parse().is_ok_and(|number: u16| (400..600).contains(&number)) {
            return Err(Error::new(status.span(), "the status of an error is from 400 to 599"));
        }
        let description = match input.parse::<Option<Token![=]>>()? {
            Some(_) => Some(input.parse()?),
            None => None,
        };
        Ok(Self { status, description })
    }
}

/// Removes the attributes from the function, and returns the calls that they stand for.
pub fn take(function: &mut ItemFn) -> Result<TokenStream> {
    let of = |attribute: &Attribute| attribute.path().is_ident("errors");
    let (found, others): (Vec<_>, Vec<_>) = function.attrs.drain(..).partition(of);
    function.attrs = others;
    let mut known: Vec<u16> = Vec::new();
    let mut calls = TokenStream::new();
    for attribute in found {
        let list = attribute
            .parse_args_with(Punctuated::<DocumentedError, Token![,]>::parse_terminated)?;
        if list.is_empty() {
            return Err(Error::new(attribute.span(), "name the statuses: `#[errors(404)]`"));
        }
        for DocumentedError { status, description } in list {
            let number = status.base10_parse()?;
            if known.contains(&number) {
                return Err(Error::new(status.span(), format!("{number} is listed twice")));
            }
            known.push(number);
            let description = description.map_or_else(String::new, |text| text.value());
            calls.extend(quote!(.error(#number, #description)));
        }
    }
    Ok(calls)
}
