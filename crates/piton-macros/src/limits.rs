//! `#[limits(body = "50MiB", timeout = "5m")]` under a route: an inert attribute that the route macro reads.
//! It becomes one call of `piton::http::Route::limits`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Error, Expr, ExprLit, ItemFn, Lit, Meta, MetaNameValue, Result, Token};

use super::duration;

/// The options, for the message about a wrong one.
const OPTIONS: &str =
    "the options are `body = \"50MiB\"` and `timeout = \"5m\"`, each once and at least one";

/// The units of sizes, those of `piton::config::ByteSize`.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("KB", 1_000),
    ("B", 1),
];

/// Removes the attribute from the function, and returns the call that it becomes.
pub fn take(function: &mut ItemFn) -> Result<TokenStream> {
    let of = |attribute: &Attribute| attribute.path().is_ident("limits");
    let (found, others): (Vec<_>, Vec<_>) = function.attrs.drain(..).partition(of);
    function.attrs = others;
    if let Some(second) = found.get(1) {
        return Err(Error::new(second.span(), "a route has one `#[limits(..)]`: join the two"));
    }
    found.first().map_or(Ok(TokenStream::new()), call)
}

fn call(attribute: &Attribute) -> Result<TokenStream> {
    if !matches!(attribute.meta, Meta::List(_)) {
        return Err(Error::new(attribute.span(), OPTIONS));
    }
    let list =
        attribute.parse_args_with(Punctuated::<MetaNameValue, Token![,]>::parse_terminated)?;
    let mut names: Vec<String> = Vec::new();
    let mut calls = TokenStream::new();
    for MetaNameValue { path, value, .. } in &list {
        let name = path.get_ident().map(ToString::to_string).unwrap_or_default();
        match &*name {
            "body" => {
                let bytes = size(value)?;
                calls.extend(quote!(.body(::piton::config::ByteSize::bytes(#bytes))));
            }
            "timeout" => calls.extend(timeout(value)?),
            _ => return Err(Error::new(path.span(), OPTIONS)),
        }
        if names.contains(&name) {
            return Err(Error::new(path.span(), OPTIONS));
        }
        names.push(name);
    }
    if names.is_empty() {
        return Err(Error::new(attribute.span(), OPTIONS));
    }
    Ok(quote!(.limits(::piton::http::RouteLimits::new()#calls)))
}

fn timeout(value: &Expr) -> Result<TokenStream> {
    let duration = duration::literal(value)?;
    // Refused here, because every request of the route would fail.
    if matches!(text(value), Some(text) if text.trim_end_matches(char::is_alphabetic).bytes().all(|digit| digit == b'0'))
    {
        return Err(Error::new(value.span(), "a timeout is longer than zero"));
    }
    Ok(quote!(.timeout(#duration)))
}

fn text(value: &Expr) -> Option<String> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
        _ => None,
    }
}

/// Returns the number of bytes of a literal such as `"50MiB"`.
fn size(value: &Expr) -> Result<u64> {
    let invalid = || {
        Error::new(
            value.span(),
            "expected a size with its unit, such as `\"50MiB\"` or `\"512KB\"`",
        )
    };
    let text = text(value).ok_or_else(invalid)?;
    let split = text.find(|letter: char| letter.is_ascii_alphabetic()).ok_or_else(invalid)?;
    let number: u64 = text[..split].trim().parse().map_err(|_| invalid())?;
    let unit = text[split..].trim();
    let (_, bytes) =
        UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).ok_or_else(invalid)?;
    number.checked_mul(*bytes).ok_or_else(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(attribute: TokenStream) -> std::result::Result<String, String> {
        let mut function: ItemFn = syn::parse_quote!(#attribute async fn handler() {});
        take(&mut function).map(|call| call.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn limits_become_one_call_and_wrong_ones_name_the_form() {
        let call = expand(quote!(#[limits(body = "50MiB", timeout = "5m")])).unwrap();
        assert!(call.contains("52428800") && call.contains("300000"), "{call}");
        assert_eq!(expand(quote!()).unwrap(), "");
        for wrong in [
            quote!(#[limits]),
            quote!(#[limits()]),
            quote!(#[limits(bodies = "1B")]),
            quote!(#[limits(body = "1B", body = "2B")]),
        ] {
            assert!(expand(wrong).unwrap_err().contains("the options are"));
        }
        for wrong in [quote!(50), quote!("50"), quote!("MiB"), quote!("1 month")] {
            assert!(expand(quote!(#[limits(body = #wrong)])).unwrap_err().contains("a size"));
        }
        assert!(expand(quote!(#[limits(timeout = "0s")])).unwrap_err().contains("zero"));
    }
}
