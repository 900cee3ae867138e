//! `#[get("/path")]` and the attributes of other methods: register one call of `piton::http::get`.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    Error, Expr, ExprLit, FnArg, ItemFn, Lit, LitStr, Meta, Result, ReturnType, Token, Type,
};

use super::{cached, errors, guard, limits};

/// `"/path"`, and `methods = ["GET"]` for `#[route]`.
pub struct Arguments {
    path: LitStr,
    methods: Vec<LitStr>,
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if input.is_empty() {
            return Err(input.error("a route needs a path, such as `\"/users/{id}\"`"));
        }
        let path: LitStr = input.parse()?;
        let mut methods = Vec::new();
        while !input.is_empty() {
            input.parse::<Token![,]>()?;
            if input.is_empty() {
                break;
            }
            let name: syn::Ident = input.parse()?;
            if name != "methods" {
                return Err(Error::new(
                    name.span(),
                    "the only option is `methods = [\"GET\", ..]`",
                ));
            }
            input.parse::<Token![=]>()?;
            let list;
            syn::bracketed!(list in input);
            methods.extend(Punctuated::<LitStr, Token![,]>::parse_terminated(&list)?);
        }
        Ok(Self { path, methods })
    }
}

/// Generates the unchanged function, checks that make compiler messages point at the right place, and its
/// registration.
pub fn expand(
    arguments: Arguments,
    mut function: ItemFn,
    method: Option<&str>,
) -> Result<TokenStream> {
    let attributes = function.attrs.clone();
    let guard::GuardCall { call: guard, source: guard_source } = guard::take(&mut function)?;
    let cached = cached::take(&mut function, &methods(&arguments, method))?;
    let errors = errors::take(&mut function)?;
    let limits = limits::take(&mut function)?;
    if attributes.iter().any(guard::is_route) {
        // Passed on to the next route attribute of the function, which would otherwise register an unguarded route.
        function.attrs = attributes;
    }
    check_path(&arguments.path)?;
    check_function(&function)?;
    let name = &function.sig.ident;
    let make = make(&arguments, name, method)?;
    let doc = documentation(&function);
    let describe = describe(&function);
    let deprecated = function.attrs.iter().any(|attribute| attribute.path().is_ident("deprecated"));
    let deprecated = deprecated.then(|| quote!(.describe(|operation| operation.deprecated())));
    let guard_source = match guard_source {
        Some(source) => quote!(::core::option::Option::Some(::core::stringify!(#source))),
        None => quote!(::core::option::Option::None),
    };
    let checks = checks(&function);
    let span = name.span();
    let source = quote_spanned!(span=> .at(::core::file!(), ::core::line!()));
    Ok(quote! {
        #function

        // Allowed, because the registration of a deprecated handler should not warn about its use.
        #[allow(deprecated)]
        const _: () = {
            #checks

            ::piton::__private::inventory::submit! {
                ::piton::http::Registration {
                    module: ::core::module_path!(),
                    route: || #make.doc(#doc)#source.describe(#describe)#deprecated #errors #limits #guard #cached,
                    guard: #guard_source,
                }
            }
        };
    })
}

/// Returns the methods in upper case.
fn methods(arguments: &Arguments, method: Option<&str>) -> Vec<String> {
    let listed = arguments.methods.iter().map(|method| method.value().to_ascii_uppercase());
    method.map(str::to_owned).into_iter().chain(listed).collect()
}

/// Generates the call that a person could write: `piton::http::get("/path", name)`.
fn make(arguments: &Arguments, name: &syn::Ident, method: Option<&str>) -> Result<TokenStream> {
    let path = &arguments.path;
    if let Some(method) = method {
        if let Some(extra) = arguments.methods.first() {
            return Err(Error::new(
                extra.span(),
                "for several methods use `#[route(\"/path\", methods = [..])]`",
            ));
        }
        let function = format_ident!("{}", method.to_ascii_lowercase());
        return Ok(quote!(::piton::http::#function(#path, #name)));
    }
    if arguments.methods.is_empty() {
        return Err(Error::new(
            path.span(),
            "name the methods: `#[route(\"/path\", methods = [\"GET\", \"POST\"])]`",
        ));
    }
    let mut methods = Vec::new();
    for method in &arguments.methods {
        let upper = method.value().to_ascii_uppercase();
        if !["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT"]
            .contains(&upper.as_str())
        {
            return Err(Error::new(method.span(), format!("`{upper}` is not a method of HTTP")));
        }
        let constant = format_ident!("{upper}");
        methods.push(quote!(::piton::axum::http::Method::#constant));
    }
    Ok(quote!(::piton::http::route(&[#(#methods),*], #path, #name)))
}

fn check_path(path: &LitStr) -> Result<()> {
    let value = path.value();
    if !value.is_empty() && !value.starts_with('/') {
        return Err(Error::new(path.span(), format!("a path begins with `/`: write \"/{value}\"")));
    }
    if let Some(old) = value.split('/').find(|segment| segment.starts_with([':', '*', '<'])) {
        let name = old.trim_start_matches([':', '*', '<']).trim_end_matches('>');
        let name = name.rsplit(':').next().unwrap_or(name);
        return Err(Error::new(
            path.span(),
            format!("`{old}` is another framework's way to write a parameter: write `{{{name}}}`"),
        ));
    }
    Ok(())
}

fn check_function(function: &ItemFn) -> Result<()> {
    let signature = &function.sig;
    if signature.asyncness.is_none() {
        return Err(Error::new(
            signature.fn_token.span(),
            "a handler is an `async fn`: write `async` before `fn`",
        ));
    }
    if !signature.generics.params.is_empty() {
        return Err(Error::new(
            signature.generics.span(),
            "a handler cannot be generic: its types would be unknown at launch",
        ));
    }
    for argument in &signature.inputs {
        match argument {
            FnArg::Receiver(receiver) => {
                return Err(Error::new(
                    receiver.span(),
                    "a handler is a function and takes no `self`",
                ));
            }
            FnArg::Typed(typed) => {
                if let Type::ImplTrait(opaque) = &*typed.ty {
                    return Err(Error::new(
                        opaque.span(),
                        "an argument of a handler needs a type of its own, not `impl`",
                    ));
                }
            }
        }
    }
    if signature.inputs.len() > 16 {
        return Err(Error::new(signature.inputs.span(), "a handler takes at most 16 arguments"));
    }
    Ok(())
}

fn argument_types(function: &ItemFn) -> Vec<&Type> {
    function
        .sig
        .inputs
        .iter()
        .filter_map(|argument| match argument {
            FnArg::Typed(typed) => Some(&*typed.ty),
            FnArg::Receiver(_) => None,
        })
        .collect()
}

/// Generates the call that collects the description of every type in the signature.
fn describe(function: &ItemFn) -> TokenStream {
    let name = &function.sig.ident;
    match &function.sig.output {
        ReturnType::Type(_, output) if matches!(**output, Type::ImplTrait(_)) => {
            quote!(::piton::describe!(#name, impl IntoResponse))
        }
        _ => quote!(::piton::describe!(#name)),
    }
}

/// Generates a check of the trait bounds of each type at its place in the signature. Without it, one compiler message
/// would say that the whole function is not a handler.
fn checks(function: &ItemFn) -> TokenStream {
    let arguments = argument_types(function);
    let mut checks = TokenStream::new();
    if let Some((last, others)) = arguments.split_last() {
        for argument in others {
            checks.extend(quote_spanned!(argument.span()=> parts::<#argument>();));
        }
        checks.extend(quote_spanned!(last.span()=> request::<#last, _>();));
    }
    if let ReturnType::Type(_, output) = &function.sig.output
        && !has_impl(output.to_token_stream())
    {
        checks.extend(quote_spanned!(output.span()=> answer::<#output>();));
    }
    quote! {
        #[allow(dead_code, reason = "it is compiled, never run")]
        fn __check_the_types_of_the_handler() {
            fn parts<T: ::piton::axum::extract::FromRequestParts<::piton::Handle> + Send>() {}
            fn request<T: ::piton::axum::extract::FromRequest<::piton::Handle, M> + Send, M>() {}
            fn answer<T: ::piton::axum::response::IntoResponse>() {}
            #checks
        }
    }
}

/// Returns whether a type has `impl` anywhere within it. Such a type can only be written where it is
/// returned, so that no check can name it.
fn has_impl(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(word) => word == "impl",
        TokenTree::Group(group) => has_impl(group.stream()),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

/// Returns the doc comment, without the space after `///`.
fn documentation(function: &ItemFn) -> String {
    let lines = function.attrs.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(line), .. }) => Some(line.value()),
            _ => None,
        },
        _ => None,
    });
    let lines: Vec<String> =
        lines.map(|line| line.strip_prefix(' ').unwrap_or(&line).to_owned()).collect();
    lines.join("\n").trim().to_owned()
}

/// `#[piton::test]`.
pub fn test(arguments: &TokenStream, mut function: ItemFn) -> Result<TokenStream> {
    if !arguments.is_empty() {
        return Err(Error::new(arguments.span(), "`#[piton::test]` takes no arguments"));
    }
    if function.sig.asyncness.take().is_none() {
        return Err(Error::new(
            function.sig.fn_token.span(),
            "`#[piton::test]` is for an `async fn`; for others there is `#[test]`",
        ));
    }
    let block = &function.block;
    let body = quote!({ ::piton::testing::block_on(async move #block) });
    function.block = syn::parse2(body)?;
    Ok(quote!(#[::core::prelude::v1::test] #function))
}
