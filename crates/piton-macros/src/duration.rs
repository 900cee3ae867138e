//! Times as attributes say them: `"60s"`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;
use syn::{Error, Expr, Lit, Result};

/// `"60s"` as a `Duration`.
pub fn literal(value: &Expr) -> Result<TokenStream> {
    let wrong =
        || Error::new(value.span(), "a time with its unit, such as `\"60s\"` or `\"500ms\"`");
    let Expr::Lit(literal) = value else { return Err(wrong()) };
    let Lit::Str(text) = &literal.lit else { return Err(wrong()) };
    let text = text.value();
    let end = text.find(|letter: char| !letter.is_ascii_digit()).ok_or_else(wrong)?;
    let number: u64 = text[..end].parse().map_err(|_| wrong())?;
    let each: u64 = match &text[end..] {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    let millis = number.checked_mul(each).ok_or_else(wrong)?;
    Ok(quote!(::core::time::Duration::from_millis(#millis)))
}
