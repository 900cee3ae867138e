//! `#[derive(FromRow)]`: one `row.get("column")?` for each field.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Field, Fields, LitStr, Result};

/// How a field is read.
enum How {
    Column,
    Json,
    Default,
}

struct Reading<'a> {
    field: &'a Field,
    name: LitStr,
    how: How,
}

/// Writes `impl FromRow` for a struct with named fields.
///
/// # Errors
/// Not such a struct, or an attribute that is not known.
pub fn derive(input: DeriveInput) -> Result<TokenStream> {
    let readings = fields(&input)?.iter().map(reading).collect::<Result<Vec<_>>>()?;
    let lines = readings.iter().map(|Reading { field, name, how }| {
        let ident = &field.ident;
        match how {
            How::Column => quote!(#ident: row.get(#name)?),
            How::Json => quote!(#ident: row.get_json(#name)?),
            How::Default => quote!(#ident: row.get_or_default(#name)?),
        }
    });
    let name = &input.ident;
    let mut generics = input.generics.clone();
    if generics.type_params().next().is_some() {
        let predicates = &mut generics.make_where_clause().predicates;
        for Reading { field, how, .. } in &readings {
            let ty = &field.ty;
            predicates.push(match how {
                How::Column => syn::parse_quote!(#ty: ::piton::db::Column),
                How::Json => syn::parse_quote!(#ty: ::piton::serde::de::DeserializeOwned),
                How::Default => {
                    syn::parse_quote!(#ty: ::piton::db::Column + ::core::default::Default)
                }
            });
        }
    }
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics ::piton::db::FromRow for #name #type_generics #where_clause {
            fn from_row(row: &::piton::db::Row) -> ::core::result::Result<Self, ::piton::db::Error> {
                ::core::result::Result::Ok(Self { #(#lines),* })
            }
        }
    })
}

fn fields(input: &DeriveInput) -> Result<&syn::punctuated::Punctuated<Field, syn::Token![,]>> {
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => Ok(&fields.named),
            _ => Err(Error::new(
                input.ident.span(),
                "FromRow finds columns by the fields' names: name the fields, read the row as a tuple, or implement \
                 `piton::db::Column` for a type that is one column",
            )),
        },
        _ => Err(Error::new(
            input.ident.span(),
            "FromRow is for structs; for an enum that is one column implement `piton::db::Column`",
        )),
    }
}

fn reading(field: &Field) -> Result<Reading<'_>> {
    let ident =
        field.ident.as_ref().ok_or_else(|| Error::new(field.span(), "expected a named field"))?;
    let mut name = LitStr::new(&ident.unraw().to_string(), ident.span());
    let mut how = How::Column;
    for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("row")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("rename") {
                name = meta.value()?.parse()?;
                return Ok(());
            }
            let new = if meta.path.is_ident("json") {
                How::Json
            } else if meta.path.is_ident("default") {
                How::Default
            } else {
                return Err(meta.error("expected `rename = \"..\"`, `json` or `default`"));
            };
            if !matches!(how, How::Column) {
                return Err(meta.error("`json` and `default` do not go together"));
            }
            how = new;
            Ok(())
        })?;
    }
    Ok(Reading { field, name, how })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn derived(input: DeriveInput) -> String {
        derive(input).unwrap_or_else(Error::into_compile_error).to_string()
    }

    #[test]
    fn each_field_is_read_by_its_name() {
        let code = derived(syn::parse_quote! {
            struct A { r#type: String, #[row(rename = "uf")] state: String, #[row(json)] b: B, #[row(default)] c: i64 }
        });
        for line in [
            "row . get (\"type\")",
            "row . get (\"uf\")",
            "row . get_json (\"b\")",
            "row . get_or_default (\"c\")",
        ] {
            assert!(code.contains(line), "{line} in {code}");
        }
    }

    #[test]
    fn what_cannot_be_derived_says_what_to_do() {
        assert!(
            derived(syn::parse_quote!(
                struct A(i64);
            ))
            .contains("name the fields")
        );
        assert!(
            derived(syn::parse_quote!(
                enum A {
                    B,
                }
            ))
            .contains("Column")
        );
        assert!(
            derived(syn::parse_quote!(
                struct A {
                    #[row(nmae = "b")]
                    a: i64,
                }
            ))
            .contains("expected `rename")
        );
        assert!(
            derived(syn::parse_quote!(
                struct A {
                    #[row(json, default)]
                    a: i64,
                }
            ))
            .contains("do not go together")
        );
    }
}
