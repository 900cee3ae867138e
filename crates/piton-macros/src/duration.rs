//! Durations in attributes: `"60s"`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;
use syn::{Error, Expr, Lit, Result};

/// Returns the `Duration` of a literal such as `"60s"`.
pub fn literal(value: &Expr) -> Result<TokenStream> {
    let invalid = || {
        Error::new(
            value.span(),
            "expected a duration with its unit, such as `\"60s\"` or `\"500ms\"`",
        )
    };
    let Expr::Lit(literal) = value else { return Err(invalid()) };
    let Lit::Str(text) = &literal.lit else { return Err(invalid()) };
    let text = text.value();
    let end = text.find(|letter: char| !letter.is_ascii_digit()).ok_or_else(invalid)?;
    let number: u64 = text[..end].parse().map_err(|_| invalid())?;
    let unit_millis: u64 = match &text[end..] {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(invalid()),
    };
    let millis = number.checked_mul(unit_millis).ok_or_else(invalid)?;
    Ok(quote!(::core::time::Duration::from_millis(#millis)))
}
