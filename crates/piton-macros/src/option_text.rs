//! Calls of methods as text, for `routes --explain`.

use proc_macro2::TokenStream;

/// Returns a call as one would write it, without the spaces that `to_string` puts between tokens. Its
/// arguments are numbers and texts, which have spaces in quotes only.
pub fn text(option: &TokenStream) -> String {
    let text = option.to_string();
    let parts = text.split('"').enumerate();
    let parts =
        parts.map(|(at, part)| if at % 2 == 0 { part.replace(' ', "") } else { part.into() });
    parts.collect::<Vec<_>>().join("\"")
}
