//! `#[protected(..)]` and `#[public]` below a route: inert attributes that the route macro reads. Each
//! becomes one call of a method of `piton::http::Route`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Error, Expr, ExprLit, ItemFn, Lit, LitStr, Meta, Result, Token};

/// The options of `#[protected(..)]`, for the message about an unknown one.
const OPTIONS: &str = "`fresh`, `refresh`, `optional`, `locations = [\"..\"]`, `verify_type = false`, \
                       `skip_revocation_check`, `api_key`, `scope = \"..\"`, `guard = ..`";

/// The names of locations, with the variants of `TokenLocation`.
const LOCATIONS: [(&str, &str); 4] = [
    ("headers", "Headers"),
    ("cookies", "Cookies"),
    ("query_string", "QueryString"),
    ("json", "Json"),
];

/// The method call that an attribute becomes.
#[derive(Default)]
pub struct GuardCall {
    pub call: TokenStream,
    /// The expression of `guard = ..`.
    pub source: Option<Expr>,
}

const ROUTES: [&str; 6] = ["get", "post", "put", "patch", "delete", "route"];

/// Returns whether the attribute registers a route.
pub fn is_route(attribute: &Attribute) -> bool {
    let last = attribute.path().segments.last();
    last.is_some_and(|last| ROUTES.iter().any(|route| last.ident == route))
}

/// Removes the attribute from the function, and returns the call that it becomes.
pub fn take(function: &mut ItemFn) -> Result<GuardCall> {
    let of = |attribute: &Attribute| {
        attribute.path().is_ident("protected") || attribute.path().is_ident("public")
    };
    let (mut found, others): (Vec<_>, Vec<_>) = function.attrs.drain(..).partition(of);
    function.attrs = others;
    if let Some(second) = found.get(1) {
        return Err(Error::new(
            second.span(),
            "a route has one guard: remove one of the attributes",
        ));
    }
    let Some(attribute) = found.pop() else { return Ok(GuardCall::default()) };
    if attribute.path().is_ident("public") {
        attribute.meta.require_path_only()?;
        return Ok(GuardCall { call: quote!(.public()), source: None });
    }
    protected(&attribute)
}

/// Moves an attribute above the route's below it, where the route macro reads it.
pub fn below(name: &str, arguments: &TokenStream, mut function: ItemFn) -> Result<TokenStream> {
    if !function.attrs.iter().any(is_route) {
        let why = format!(
            "`#[{name}]` needs a route: add `#[get(\"/path\")]` or another method above it"
        );
        return Err(Error::new(function.sig.ident.span(), why));
    }
    let name = quote::format_ident!("{name}");
    let attribute = if arguments.is_empty() {
        syn::parse_quote!(#[#name])
    } else {
        syn::parse_quote!(#[#name(#arguments)])
    };
    function.attrs.push(attribute);
    Ok(quote!(#function))
}

fn protected(attribute: &Attribute) -> Result<GuardCall> {
    let mut options = ProtectedOptions::default();
    if !matches!(attribute.meta, Meta::Path(_)) {
        let list = attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)?;
        list.iter().try_for_each(|meta| options.read(meta))?;
    }
    let call = options.call(attribute)?;
    Ok(GuardCall { call, source: options.guard })
}

/// The parsed options of `#[protected(..)]`.
#[derive(Default)]
struct ProtectedOptions {
    api_key: bool,
    token: Vec<&'static str>,
    /// `.verify_type(false)`, `.locations(..)`.
    calls: Vec<(&'static str, TokenStream)>,
    scopes: Vec<LitStr>,
    guard: Option<Expr>,
}

impl ProtectedOptions {
    fn read(&mut self, meta: &Meta) -> Result<()> {
        let is = |name| meta.path().is_ident(name);
        match meta {
            Meta::Path(_) if is("api_key") => self.api_key = true,
            Meta::Path(_) if is("fresh") => self.token.push("fresh"),
            Meta::Path(_) if is("refresh") => self.token.push("refresh"),
            Meta::Path(_) if is("optional") => self.token.push("optional"),
            Meta::Path(_) if is("skip_revocation_check") => {
                self.token.push("skip_revocation_check");
            }
            Meta::NameValue(pair) if is("verify_type") => match &pair.value {
                Expr::Lit(ExprLit { lit: Lit::Bool(verify), .. }) => {
                    self.calls.push(("verify_type", quote!(.verify_type(#verify))));
                }
                other => {
                    return Err(Error::new(
                        other.span(),
                        "expected `verify_type = true` or `verify_type = false`",
                    ));
                }
            },
            Meta::NameValue(pair) if is("locations") => {
                let locations = locations(&pair.value)?;
                self.calls.push(("locations", quote!(.locations(&[#(#locations),*]))));
            }
            Meta::NameValue(pair) if is("scope") => match &pair.value {
                Expr::Lit(ExprLit { lit: Lit::Str(scope), .. }) => self.scopes.push(scope.clone()),
                other => {
                    return Err(Error::new(
                        other.span(),
                        "expected a scope as a string, such as `scope = \"orders:write\"`",
                    ));
                }
            },
            Meta::NameValue(pair) if is("guard") && self.guard.is_none() => {
                self.guard = Some(pair.value.clone());
            }
            other => return Err(Error::new(other.span(), format!("expected one of {OPTIONS}"))),
        }
        Ok(())
    }

    fn call(&self, attribute: &Attribute) -> Result<TokenStream> {
        let Self { api_key, token, calls, scopes, guard } = self;
        let mut names = token.iter().chain(calls.iter().map(|(option, _)| option));
        if let Some(guard) = guard {
            if *api_key || names.next().is_some() || !scopes.is_empty() {
                let why = "`guard = ..` cannot be combined with other options";
                return Err(Error::new(attribute.span(), why));
            }
            return Ok(quote!(.guard(#guard)));
        }
        if *api_key {
            if let Some(option) = names.next() {
                let why =
                    format!("`{option}` applies to tokens, but this route requires an API key");
                return Err(Error::new(attribute.span(), why));
            }
            return Ok(
                quote!(.guard(::piton::auth::api_key::ApiKeyGuard::new()#(.scope(#scopes))*)),
            );
        }
        if let Some(scope) = scopes.first() {
            let why = "scopes belong to API keys: write `#[protected(api_key, scope = \"..\")]`";
            return Err(Error::new(scope.span(), why));
        }
        let mut names: Vec<_> = names.collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            let why = format!("`{}` is listed twice", twice[0]);
            return Err(Error::new(attribute.span(), why));
        }
        let options = token.iter().map(|option| quote::format_ident!("{option}"));
        let calls = calls.iter().map(|(_, call)| call);
        Ok(quote!(.guard(::piton::auth::jwt::TokenGuard::new()#(.#options())*#(#calls)*)))
    }
}

/// Returns the variants of `TokenLocation` that a string or a list of strings names.
fn locations(value: &Expr) -> Result<Vec<TokenStream>> {
    let items: Vec<&Expr> = match value {
        Expr::Array(array) => array.elems.iter().collect(),
        one => vec![one],
    };
    if items.is_empty() {
        return Err(Error::new(value.span(), "the list of locations is empty"));
    }
    let mut names = Vec::new();
    for item in items {
        let Expr::Lit(ExprLit { lit: Lit::Str(name), .. }) = item else {
            return Err(Error::new(item.span(), "expected a location as a string"));
        };
        let text = name.value();
        let Some((_, variant)) = LOCATIONS.iter().find(|(known, _)| *known == text) else {
            let known: Vec<_> = LOCATIONS.iter().map(|(known, _)| format!("`{known}`")).collect();
            let why = format!("unknown location: expected one of {}", known.join(", "));
            return Err(Error::new(name.span(), why));
        };
        if names.contains(variant) {
            return Err(Error::new(name.span(), "this location is listed twice"));
        }
        names.push(*variant);
    }
    let variant = |name: &&str| {
        let name = quote::format_ident!("{name}");
        quote!(::piton::auth::jwt::TokenLocation::#name)
    };
    Ok(names.iter().map(variant).collect())
}
