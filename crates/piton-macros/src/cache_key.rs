//! Expands `key!("company:{cnpj}")` to one `piton::cache::KeyBuilder` call for each piece of the
//! text.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::parse::{Parse, ParseStream};
use syn::{Error, Expr, Ident, LitStr, Result, Token};

/// The text of a key, and the arguments of `format!`: values by position, and by name.
pub struct Arguments {
    text: LitStr,
    values: Vec<(Option<Ident>, Expr)>,
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let text = input.parse()?;
        let mut values = Vec::new();
        while !input.is_empty() {
            input.parse::<Token![,]>()?;
            if input.is_empty() {
                break;
            }
            let named = input.peek(Ident) && input.peek2(Token![=]) && !input.peek2(Token![==]);
            let name = if named { Some(input.parse()?) } else { None };
            if named {
                input.parse::<Token![=]>()?;
            }
            values.push((name, input.parse()?));
        }
        Ok(Self { text, values })
    }
}

/// Returns an expression whose value is the key, as a `String`.
pub fn expand(Arguments { text, values }: &Arguments) -> Result<TokenStream> {
    let names: Vec<Option<String>> =
        values.iter().map(|(name, _)| name.as_ref().map(Ident::to_string)).collect();
    let (builder, used) = builder_with(text, &names)?;
    if let Some(unused) = used.iter().position(|used| !used) {
        let (_, value) = &values[unused];
        return Err(Error::new_spanned(value, "nothing in the key names this value"));
    }
    let bound = values.iter().enumerate().map(|(at, (_, value))| {
        let argument = argument(at);
        quote!(let #argument = &(#value);)
    });
    Ok(quote!({ #(#bound)* #builder.finish() }))
}

/// Returns an expression whose value is the `KeyBuilder` of a key that names variables only.
pub fn builder(text: &LitStr) -> Result<TokenStream> {
    builder_with(text, &[]).map(|(builder, _)| builder)
}

/// A piece of a format text.
enum KeyPiece {
    Text(String),
    /// The argument, and its format specification: `:?`.
    Value(String, String),
}

fn builder_with(text: &LitStr, names: &[Option<String>]) -> Result<(TokenStream, Vec<bool>)> {
    let mut builder = quote!(::piton::cache::KeyBuilder::new());
    let mut used = vec![false; names.len()];
    let mut next = 0;
    for piece in pieces(text)? {
        let (name, spec) = match piece {
            KeyPiece::Text(piece) => {
                builder.extend(quote!(.text(#piece)));
                continue;
            }
            KeyPiece::Value(name, spec) => (name, spec),
        };
        let position = if name.is_empty() {
            next += 1;
            Some(next - 1)
        } else if let Ok(position) = name.parse() {
            Some(position)
        } else {
            names.iter().position(|known| known.as_ref() == Some(&name))
        };
        let value = match position {
            Some(position) => {
                let Some(used) = used.get_mut(position) else {
                    let why = "expected the name of a variable in the braces";
                    return Err(Error::new(text.span(), why));
                };
                *used = true;
                argument(position)
            }
            None => variable(&name, text.span()).ok_or_else(|| {
                let why = format!("`{{{name}}}` is not a variable: bind the value to a name first");
                Error::new(text.span(), why)
            })?,
        };
        let format = LitStr::new(&format!("{{{spec}}}"), text.span());
        builder.extend(quote!(.value(::core::format_args!(#format, #value))));
    }
    Ok((builder, used))
}

fn argument(position: usize) -> Ident {
    format_ident!("argument_{position}", span = Span::mixed_site())
}

fn variable(name: &str, span: Span) -> Option<Ident> {
    let letters = |c: char| c == '_' || c.is_alphanumeric();
    if !name.chars().all(letters) || name == "_" {
        return None;
    }
    // `{type}` means the variable `r#type`, because `type` alone is a keyword.
    let raw = name != "self" && syn::parse_str::<Ident>(name).is_err();
    Some(if raw { Ident::new_raw(name, span) } else { Ident::new(name, span) })
}

fn pieces(text: &LitStr) -> Result<Vec<KeyPiece>> {
    let wrong = |why: &str| Error::new(text.span(), why);
    let (mut pieces, mut plain) = (Vec::new(), String::new());
    let value = text.value();
    let mut letters = value.chars().peekable();
    while let Some(c) = letters.next() {
        if matches!(c, '{' | '}') && letters.peek() == Some(&c) {
            letters.next();
            plain.push(c);
        } else if c == '{' {
            let inside: String = letters.by_ref().take_while(|c| *c != '}').collect();
            if inside.contains('{') || !value.contains('}') {
                return Err(wrong("a `{` without its `}`: write `{{` for the brace itself"));
            }
            if !plain.is_empty() {
                pieces.push(KeyPiece::Text(std::mem::take(&mut plain)));
            }
            let colon = inside.find(':').unwrap_or(inside.len());
            let (name, spec) = inside.split_at(colon);
            pieces.push(KeyPiece::Value(name.trim().to_owned(), spec.to_owned()));
        } else if c == '}' {
            return Err(wrong("a `}` without its `{`: write `}}` for the brace itself"));
        } else {
            plain.push(c);
        }
    }
    if !plain.is_empty() {
        pieces.push(KeyPiece::Text(plain));
    }
    Ok(pieces)
}
