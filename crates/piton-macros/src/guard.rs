//! `#[protected(..)]` and `#[public]` under a route: inert attributes that the route macro reads. Each
//! is one call of a method of `piton::http::Route`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Error, Expr, ExprLit, ItemFn, Lit, LitStr, Meta, Result, Token};

/// What may stand in the brackets, for the message about something else.
const OPTIONS: &str = "`fresh`, `refresh`, `optional`, `api_key`, `scope = \"..\"`, `guard = ..`";

/// The call that an attribute stands for.
#[derive(Default)]
pub struct Call {
    pub call: TokenStream,
    /// The expression of `guard = ..`.
    pub source: Option<Expr>,
}

const ROUTES: [&str; 6] = ["get", "post", "put", "patch", "delete", "route"];

/// Returns whether the attribute is one that makes a route.
pub fn is_route(attribute: &Attribute) -> bool {
    let last = attribute.path().segments.last();
    last.is_some_and(|last| ROUTES.iter().any(|route| last.ident == route))
}

/// Takes the attribute away from the function, and returns the call that it stands for.
pub fn take(function: &mut ItemFn) -> Result<Call> {
    let of = |attribute: &Attribute| {
        attribute.path().is_ident("protected") || attribute.path().is_ident("public")
    };
    let (mut found, others): (Vec<_>, Vec<_>) = function.attrs.drain(..).partition(of);
    function.attrs = others;
    if let Some(second) = found.get(1) {
        return Err(Error::new(second.span(), "a route has one guard: write one of them"));
    }
    let Some(attribute) = found.pop() else { return Ok(Call::default()) };
    if attribute.path().is_ident("public") {
        attribute.meta.require_path_only()?;
        return Ok(Call { call: quote!(.public()), source: None });
    }
    protected(&attribute)
}

/// The attribute stands above the route's: it goes below, where the route macro reads it.
pub fn below(name: &str, arguments: &TokenStream, mut function: ItemFn) -> Result<TokenStream> {
    if !function.attrs.iter().any(is_route) {
        let why =
            format!("`#[{name}]` is for a route: write `#[get(\"/path\")]` or its kin above it");
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

fn protected(attribute: &Attribute) -> Result<Call> {
    let mut said = Said::default();
    if !matches!(attribute.meta, Meta::Path(_)) {
        let list = attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)?;
        list.iter().try_for_each(|meta| said.read(meta))?;
    }
    let call = said.call(attribute)?;
    Ok(Call { call, source: said.guard })
}

/// What stands in the brackets.
#[derive(Default)]
struct Said {
    api_key: bool,
    token: Vec<&'static str>,
    scopes: Vec<LitStr>,
    guard: Option<Expr>,
}

impl Said {
    fn read(&mut self, meta: &Meta) -> Result<()> {
        let is = |name| meta.path().is_ident(name);
        match meta {
            Meta::Path(_) if is("api_key") => self.api_key = true,
            Meta::Path(_) if is("fresh") => self.token.push("fresh"),
            Meta::Path(_) if is("refresh") => self.token.push("refresh"),
            Meta::Path(_) if is("optional") => self.token.push("optional"),
            Meta::NameValue(pair) if is("scope") => match &pair.value {
                Expr::Lit(ExprLit { lit: Lit::Str(scope), .. }) => self.scopes.push(scope.clone()),
                other => return Err(Error::new(other.span(), "a scope is text in quotes")),
            },
            Meta::NameValue(pair) if is("guard") && self.guard.is_none() => {
                self.guard = Some(pair.value.clone());
            }
            other => return Err(Error::new(other.span(), format!("expected one of {OPTIONS}"))),
        }
        Ok(())
    }

    fn call(&self, attribute: &Attribute) -> Result<TokenStream> {
        let Self { api_key, token, scopes, guard } = self;
        if let Some(guard) = guard {
            if *api_key || !token.is_empty() || !scopes.is_empty() {
                let why = "a route has one guard: `guard = ..` goes with no other option";
                return Err(Error::new(attribute.span(), why));
            }
            return Ok(quote!(.guard(#guard)));
        }
        if *api_key {
            if let Some(option) = token.first() {
                let why = format!("`{option}` is for tokens, and this route asks for a key");
                return Err(Error::new(attribute.span(), why));
            }
            return Ok(quote!(.guard(::piton::auth::api_key::Protected::new()#(.scope(#scopes))*)));
        }
        if let Some(scope) = scopes.first() {
            let why = "a scope is a key's: write `#[protected(api_key, scope = \"..\")]`";
            return Err(Error::new(scope.span(), why));
        }
        let options = token.iter().map(|option| quote::format_ident!("{option}"));
        Ok(quote!(.guard(::piton::auth::jwt::Protected::new()#(.#options())*)))
    }
}
