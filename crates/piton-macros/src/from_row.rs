//! Expands `#[derive(FromRow)]` to one `row.get("column")?` for each field.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Field, Fields, LitStr, Result};

/// The way to read a field.
enum FieldMode {
    Column,
    Json,
    Default,
}

/// A field and its column.
struct FieldReader<'a> {
    field: &'a Field,
    name: LitStr,
    mode: FieldMode,
}

/// Writes `impl FromRow` for a struct with named fields.
///
/// # Errors
/// The type is not such a struct, or an attribute is unknown.
pub fn derive(input: DeriveInput) -> Result<TokenStream> {
    let readers = fields(&input)?.iter().map(field_reader).collect::<Result<Vec<_>>>()?;
    let lines = readers.iter().map(|FieldReader { field, name, mode }| {
        let ident = &field.ident;
        match mode {
            FieldMode::Column => quote!(#ident: row.get(#name)?),
            FieldMode::Json => quote!(#ident: row.get_json(#name)?),
            FieldMode::Default => quote!(#ident: row.get_or_default(#name)?),
        }
    });
    let name = &input.ident;
    let mut generics = input.generics.clone();
    if generics.type_params().next().is_some() {
        let predicates = &mut generics.make_where_clause().predicates;
        for FieldReader { field, mode, .. } in &readers {
            let ty = &field.ty;
            predicates.push(match mode {
                FieldMode::Column => syn::parse_quote!(#ty: ::piton::db::Column),
                FieldMode::Json => syn::parse_quote!(#ty: ::piton::serde::de::DeserializeOwned),
                FieldMode::Default => {
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

fn field_reader(field: &Field) -> Result<FieldReader<'_>> {
    let ident =
        field.ident.as_ref().ok_or_else(|| Error::new(field.span(), "expected a named field"))?;
    let mut name = LitStr::new(&ident.unraw().to_string(), ident.span());
    let mut mode = FieldMode::Column;
    for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("row")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("rename") {
                name = meta.value()?.parse()?;
                return Ok(());
            }
            let new = if meta.path.is_ident("json") {
                FieldMode::Json
            } else if meta.path.is_ident("default") {
                FieldMode::Default
            } else {
                return Err(meta.error("expected `rename = \"..\"`, `json` or `default`"));
            };
            if !matches!(mode, FieldMode::Column) {
                return Err(meta.error("`json` and `default` cannot be combined"));
            }
            mode = new;
            Ok(())
        })?;
    }
    Ok(FieldReader { field, name, mode })
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
    fn a_type_that_cannot_be_derived_is_an_error_with_the_fix() {
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
            .contains("cannot be combined")
        );
    }
}
