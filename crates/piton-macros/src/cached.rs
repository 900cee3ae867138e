//! `#[cached(..)]` under a route: an inert attribute that the route macro reads, one call of
//! `piton::http::Route::middleware`. And `#[memoize(..)]` above any function: one call of `piton::cache::entry`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    Attribute, Error, Expr, FnArg, GenericParam, Ident, ItemFn, LitStr, Meta, Pat, Result,
    ReturnType, Token, Type, parse_quote,
};

use super::{cache_key, duration};

/// The options of both attributes.
#[derive(Default)]
pub struct CacheOptions {
    ttl: Option<Expr>,
    tags: Vec<LitStr>,
    key: Option<LitStr>,
    vary: Vec<LitStr>,
    shared: Option<Ident>,
}

impl Parse for CacheOptions {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut options = Self::default();
        while !input.is_empty() {
            let name: Ident = input.parse()?;
            options.read(&name, input)?;
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(options)
    }
}

impl CacheOptions {
    fn read(&mut self, name: &Ident, input: ParseStream<'_>) -> Result<()> {
        if name == "shared" {
            self.shared = Some(name.clone());
            return Ok(());
        }
        if !["ttl", "tags", "key", "vary"].iter().any(|known| name == known) {
            let why = "the options are `ttl = \"60s\"`, `tags = [\"..\"]`, `key = \"..\"`, \
                       `vary = [\"..\"]` and `shared`";
            return Err(Error::new(name.span(), why));
        }
        input.parse::<Token![=]>()?;
        if name == "ttl" {
            self.ttl = Some(input.parse()?);
        } else if name == "key" {
            self.key = Some(input.parse()?);
        } else if name == "tags" {
            self.tags = list(input)?;
        } else {
            self.vary = list(input)?;
        }
        Ok(())
    }

    fn ttl(&self) -> Result<Option<TokenStream>> {
        self.ttl
            .as_ref()
            .map(|ttl| duration::literal(ttl).map(|ttl| quote!(.ttl(#ttl))))
            .transpose()
    }
}

fn list(input: ParseStream<'_>) -> Result<Vec<LitStr>> {
    let list;
    syn::bracketed!(list in input);
    Ok(Punctuated::<LitStr, Token![,]>::parse_terminated(&list)?.into_iter().collect())
}

/// Removes the attribute from the function, and returns the call that it expands to.
pub fn take(function: &mut ItemFn, methods: &[String]) -> Result<TokenStream> {
    let is_cached = |attribute: &Attribute| attribute.path().is_ident("cached");
    let (mut found, others): (Vec<_>, Vec<_>) = function.attrs.drain(..).partition(is_cached);
    function.attrs = others;
    if let Some(second) = found.get(1) {
        return Err(Error::new(second.span(), "a route has one `#[cached]`: remove the others"));
    }
    let Some(attribute) = found.pop() else { return Ok(TokenStream::new()) };
    if let Some(method) = methods.iter().find(|method| !["GET", "HEAD"].contains(&method.as_str()))
    {
        let why = format!("`#[cached]` is for GET: responses to {method} are not cached");
        return Err(Error::new(attribute.span(), why));
    }
    let options: CacheOptions = match &attribute.meta {
        Meta::Path(_) => CacheOptions::default(),
        _ => attribute.parse_args()?,
    };
    let ttl = options.ttl()?;
    let (tags, key, vary) = (&options.tags, options.key.iter(), &options.vary);
    let tags = (!tags.is_empty()).then(|| quote!(.tags([#(#tags),*])));
    let vary = (!vary.is_empty()).then(|| quote!(.vary([#(#vary),*])));
    let shared = options.shared.map(|_| quote!(.shared()));
    Ok(quote!(.middleware(::piton::cache::Cached::new()#ttl #tags #(.key(#key))* #vary #shared)))
}

/// Expands `#[memoize(..)]` above a function.
pub fn memoize(options: &CacheOptions, mut function: ItemFn) -> Result<TokenStream> {
    let signature = &function.sig;
    if signature.asyncness.is_none() {
        let why = "`#[memoize]` is for async functions, because the cache may be in Redis: write `async` before `fn`";
        return Err(Error::new(signature.fn_token.span(), why));
    }
    if let Some(other) =
        options.vary.first().map(Spanned::span).or(options.shared.as_ref().map(Ident::span))
    {
        return Err(Error::new(
            other,
            "this option is for `#[cached]`: a function reads no headers",
        ));
    }
    let arguments = arguments(&function)?;
    let key = match &options.key {
        Some(key) => cache_key::builder(key)?,
        // `function_of` supplies the path, because a macro does not see the module around it.
        None if arguments.is_empty() => quote!({
            fn here() {}
            ::piton::cache::KeyBuilder::new().text(::piton::cache::function_of(&here))
        }),
        None => {
            let why = "name the arguments that the result depends on: `key = \"by-state:{state}\"`";
            return Err(Error::new(signature.ident.span(), why));
        }
    };
    let types = type_names(&function);
    let ttl = options.ttl()?;
    let tags = &options.tags;
    let tags = (!tags.is_empty()).then(|| quote!(.tags([#(::std::format!(#tags)),*])));
    let call = if returns_result(&signature.output) {
        format_ident!("get_or_insert_with")
    } else {
        format_ident!("get_or_insert")
    };
    let mut inner = function.clone();
    inner.attrs.retain(|attribute| {
        attribute.path().is_ident("allow") || attribute.path().is_ident("expect")
    });
    inner.vis = syn::Visibility::Inherited;
    inner.sig.ident = format_ident!("compute");
    function.sig.inputs.iter_mut().for_each(remove_mut);
    function.block = parse_quote!({
        ::piton::__private::inventory::submit! {
            ::piton::AppExtension {
                module: ::core::module_path!(),
                add: |app| app.enable_dependencies(|dependencies| dependencies.add::<::piton::cache::Cache>()),
            }
        }
        #inner
        let entry = ::piton::cache::entry_of(#key #types)#ttl #tags;
        entry.#call(|| compute(#(#arguments),*)).await
    });
    Ok(quote!(#function))
}

/// Adds the type arguments of a generic function to the key, because its result may depend on them.
fn type_names(function: &ItemFn) -> TokenStream {
    let parameters = function.sig.generics.params.iter().filter_map(|parameter| match parameter {
        GenericParam::Type(parameter) => {
            let name = &parameter.ident;
            Some(quote!(.type_name(::core::any::type_name::<#name>())))
        }
        GenericParam::Const(parameter) => {
            let name = &parameter.ident;
            Some(quote!(.type_name(&::std::format!("{:?}", #name))))
        }
        GenericParam::Lifetime(_) => None,
    });
    let opaque = function.sig.inputs.iter().filter_map(|argument| match argument {
        FnArg::Typed(typed) if matches!(*typed.ty, Type::ImplTrait(_)) => {
            let name = name(argument).ok()?;
            Some(quote!(.type_name(::core::any::type_name_of_val(&#name))))
        }
        _ => None,
    });
    parameters.chain(opaque).collect()
}

/// Returns the names of the arguments.
fn arguments(function: &ItemFn) -> Result<Vec<Ident>> {
    function.sig.inputs.iter().map(|argument| name(argument).cloned()).collect()
}

/// Removes `mut` from an argument, because the outer function only forwards it.
fn remove_mut(argument: &mut FnArg) {
    if let FnArg::Typed(typed) = argument
        && let Pat::Ident(pattern) = &mut *typed.pat
    {
        pattern.mutability = None;
    }
}

fn name(argument: &FnArg) -> Result<&Ident> {
    match argument {
        FnArg::Typed(typed) => match &*typed.pat {
            Pat::Ident(pattern) if pattern.subpat.is_none() => Ok(&pattern.ident),
            other => Err(Error::new(other.span(), "give the argument a name")),
        },
        FnArg::Receiver(receiver) => {
            Err(Error::new(receiver.span(), "`#[memoize]` is for functions, not for methods"))
        }
    }
}

fn returns_result(output: &ReturnType) -> bool {
    let ReturnType::Type(_, output) = output else { return false };
    let Type::Path(path) = &**output else { return false };
    path.path.segments.last().is_some_and(|last| last.ident == "Result")
}
