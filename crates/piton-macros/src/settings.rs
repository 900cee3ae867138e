//! `#[derive(Settings)]`: writes one call of `Reader::setting`, `Reader::setting_with` or
//! `Reader::section` for each field.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::{
    Attribute, Data, DeriveInput, Error, Expr, Field, Fields, Lit, LitStr, Meta, Path, Result,
};

/// Returns the implementation of `::piton::config::Settings` for a struct with named fields.
pub fn derive(input: DeriveInput) -> Result<TokenStream> {
    let fields = named_fields(&input)?;
    let StructOptions { check, uses_variable } = struct_options(&input.attrs)?;
    let doc = doc_of(&input.attrs);
    let (read, names): (Vec<_>, Vec<_>) =
        fields.into_iter().map(field).collect::<Result<Vec<_>>>()?.into_iter().unzip();
    check_duplicates(&names)?;

    let name = &input.ident;
    let (generics, arguments, bounds) = input.generics.split_for_impl();
    // With an underscore, because a struct whose fields are all sections does not use its default.
    let default = format_ident!("_default", span = proc_macro2::Span::mixed_site());
    let check = check.map(|check| quote!(#check(&settings, from);));
    let uses_variable = uses_variable.map(|uses_variable| {
        quote! {
            fn uses_variable(name: &str) -> bool {
                #uses_variable(name)
            }
        }
    });
    Ok(quote! {
        #[automatically_derived]
        impl #generics ::piton::config::Settings for #name #arguments #bounds {
            const DOC: &'static str = #doc;

            fn read(from: &mut ::piton::config::Reader<'_>) -> Self {
                let #default = <Self as ::core::default::Default>::default();
                let settings = Self { #(#read),* };
                #check
                settings
            }

            #uses_variable
        }
    })
}

fn named_fields(input: &DeriveInput) -> Result<Vec<&Field>> {
    let refusal = "settings are a struct with named fields: each field is a setting";
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => Ok(fields.named.iter().collect()),
            Fields::Unit => Ok(Vec::new()),
            Fields::Unnamed(_) => Err(Error::new_spanned(&input.ident, refusal)),
        },
        _ => Err(Error::new_spanned(&input.ident, refusal)),
    }
}

/// Returns the initializer of a field, and the name of its setting.
fn field(field: &Field) -> Result<(TokenStream, LitStr)> {
    let ident = field.ident.as_ref().expect("only named fields come here");
    let options = field_options(&field.attrs)?;
    let FieldOptions { section, rename, aliases, from_file, min, max } = options;
    let name = rename.unwrap_or_else(|| LitStr::new(&ident.unraw().to_string(), ident.span()));
    let (doc, ty) = (doc_of(&field.attrs), &field.ty);
    let default = format_ident!("_default", span = proc_macro2::Span::mixed_site());
    let read = if section {
        quote!(#ident: from.section::<#ty>(#name, #doc))
    } else if from_file || !aliases.is_empty() || min.is_some() || max.is_some() {
        let from_file = from_file.then(|| quote!(.with_file()));
        let aliases = (!aliases.is_empty()).then(|| quote!(.aliases(&[#(#aliases),*])));
        let min = min.map(|min| quote!(.min(#min)));
        let max = max.map(|max| quote!(.max(#max)));
        let more = quote!(::piton::config::SettingOptions::new() #aliases #from_file #min #max);
        quote!(#ident: from.setting_with::<#ty>(#name, #doc, #default.#ident, #more))
    } else {
        quote!(#ident: from.setting::<#ty>(#name, #doc, #default.#ident))
    };
    Ok((read, name))
}

/// The arguments of `#[setting(..)]` on a field.
#[derive(Default)]
struct FieldOptions {
    section: bool,
    rename: Option<LitStr>,
    aliases: Vec<LitStr>,
    from_file: bool,
    min: Option<String>,
    max: Option<String>,
}

fn field_options(attributes: &[Attribute]) -> Result<FieldOptions> {
    let mut options = FieldOptions::default();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("setting")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("section") {
                options.section = true;
                Ok(())
            } else if meta.path.is_ident("rename") {
                let name: LitStr = meta.value()?.parse()?;
                check_name(&name)?;
                options.rename = Some(name);
                Ok(())
            } else if meta.path.is_ident("alias") {
                let alias: LitStr = meta.value()?.parse()?;
                check_alias(&alias)?;
                options.aliases.push(alias);
                Ok(())
            } else if meta.path.is_ident("from_file") {
                options.from_file = true;
                Ok(())
            } else if meta.path.is_ident("min") {
                options.min = Some(bound(&meta.value()?.parse()?)?);
                Ok(())
            } else if meta.path.is_ident("max") {
                options.max = Some(bound(&meta.value()?.parse()?)?);
                Ok(())
            } else {
                let known = "`section`, `rename = \"..\"`, `alias = \"..\"`, `from_file`, `min = ..` and `max = ..`";
                Err(meta.error(format!("a field takes {known}")))
            }
        })?;
        let bounded = options.min.is_some() || options.max.is_some();
        if options.section && (!options.aliases.is_empty() || options.from_file || bounded) {
            let why = "a section has no variable: `alias`, `from_file`, `min` and `max` belong on its fields";
            return Err(Error::new_spanned(attribute, why));
        }
    }
    Ok(options)
}

/// Returns a bound as values are written in settings: `5`, `-5`, `0.5`, `"30s"`.
fn bound(value: &Expr) -> Result<String> {
    match value {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) => return Ok(text.value()),
            Lit::Int(number) => return Ok(number.base10_digits().to_owned()),
            Lit::Float(number) => return Ok(number.base10_digits().to_owned()),
            _ => {}
        },
        Expr::Unary(negative) if matches!(negative.op, syn::UnOp::Neg(_)) => {
            return bound(&negative.expr).map(|number| format!("-{number}"));
        }
        _ => {}
    }
    Err(Error::new_spanned(value, "a bound is a number, or a text such as `\"30s\"`"))
}

/// The arguments of `#[setting(..)]` on the struct.
#[derive(Default)]
struct StructOptions {
    check: Option<Path>,
    uses_variable: Option<Path>,
}

fn struct_options(attributes: &[Attribute]) -> Result<StructOptions> {
    let mut options = StructOptions::default();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("setting")) {
        attribute.parse_nested_meta(|meta| {
            let option = if meta.path.is_ident("check") {
                &mut options.check
            } else if meta.path.is_ident("uses_variable") {
                &mut options.uses_variable
            } else {
                let known =
                    "`check = path::of::a_function` and `uses_variable = path::of::a_function`";
                return Err(meta.error(format!("a struct takes {known}")));
            };
            *option = Some(meta.value()?.parse::<Path>()?);
            Ok(())
        })?;
    }
    Ok(options)
}

/// Checks a name. Environment variables are made of it, so it has no other characters than theirs.
fn check_name(name: &LitStr) -> Result<()> {
    let text = name.value();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    if text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(plain) {
        Ok(())
    } else {
        Err(Error::new_spanned(name, "a name has lower-case letters, digits, `_` and `-`"))
    }
}

/// Checks an alias, which is the name of a variable: `PORT`, `{prefix}_{app}_LOG_LEVEL`.
fn check_alias(alias: &LitStr) -> Result<()> {
    let text = alias.value().replace("{prefix}", "P").replace("{app}", "A");
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    if !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(plain)
    {
        Ok(())
    } else {
        let why = "an alias is the name of a variable, and may contain `{prefix}` and `{app}`";
        Err(Error::new_spanned(alias, why))
    }
}

fn check_duplicates(names: &[LitStr]) -> Result<()> {
    for (index, name) in names.iter().enumerate() {
        if names[..index].iter().any(|before| before.value() == name.value()) {
            return Err(Error::new_spanned(name, "two fields have this name"));
        }
    }
    Ok(())
}

/// Returns the doc comment, without the space before each line.
fn doc_of(attributes: &[Attribute]) -> String {
    let lines: Vec<String> = attributes.iter().filter_map(doc_line).collect();
    let lines: Vec<&str> = lines
        .iter()
        .flat_map(|line| line.lines())
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect();
    lines.join("\n").trim().to_owned()
}

fn doc_line(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(meta) = &attribute.meta else { return None };
    let Expr::Lit(value) = &meta.value else { return None };
    match &value.lit {
        Lit::Str(text) if meta.path.is_ident("doc") => Some(text.value() + "\n"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn derived(input: TokenStream) -> String {
        match derive(syn::parse2(input).expect("the input is Rust")) {
            Ok(output) => {
                syn::parse2::<syn::ItemImpl>(output.clone()).expect("the output is an impl");
                output.to_string()
            }
            Err(error) => format!("refused: {error}"),
        }
    }

    #[test]
    fn each_field_is_one_call_with_its_doc_comment_and_default() {
        let output = derived(quote! {
            /// A section.
            struct Http {
                /// Address to listen on.
                /// **Default: `5000`.**
                port: u16,
                #[setting(section)]
                pool: Pool,
            }
        });
        let call = r#"port : from . setting :: < u16 > ("port" , "Address to listen on.\n**Default: `5000`.**" , _default . port)"#;
        assert!(output.contains(call), "{output}");
        assert!(output.contains(r#"from . section :: < Pool > ("pool" , "")"#), "{output}");
        assert!(output.contains(r#"DOC : & 'static str = "A section.""#), "{output}");
    }

    #[test]
    fn a_raw_or_renamed_field_has_its_plain_name() {
        let output = derived(quote!(
            struct S {
                r#type: u8,
                #[setting(rename = "max-body")]
                body: u8,
            }
        ));
        assert!(output.contains(r#"r#type : from . setting :: < u8 > ("type""#), "{output}");
        assert!(output.contains(r#"("max-body""#), "{output}");
    }

    #[test]
    fn aliases_and_files_are_options_of_one_call() {
        let output = derived(quote!(
            struct S {
                /// Listens.
                #[setting(alias = "PORT", alias = "{prefix}_{app}_PORT")]
                port: u16,
                #[setting(alias = "DATABASE_URL", from_file)]
                url: String,
            }
        ));
        let port = r#"port : from . setting_with :: < u16 > ("port" , "Listens." , _default . port , :: piton :: config :: SettingOptions :: new () . aliases (& ["PORT" , "{prefix}_{app}_PORT"]))"#;
        assert!(output.contains(port), "{output}");
        assert!(output.contains(r#". aliases (& ["DATABASE_URL"]) . with_file ()"#), "{output}");
    }

    #[test]
    fn bounds_are_options_as_they_are_written() {
        let output = derived(quote!(
            struct S {
                #[setting(min = 1, max = 1_000)]
                count: u32,
                #[setting(min = "1ms")]
                wait: Duration,
                #[setting(min = -1.5)]
                bias: f64,
            }
        ));
        for call in [r#". min ("1") . max ("1000")"#, r#". min ("1ms")"#, r#". min ("-1.5")"#] {
            assert!(output.contains(call), "{output}");
        }
    }

    #[test]
    fn a_check_is_called_with_the_settings_and_the_reader() {
        let output = derived(quote!(
            #[setting(check = Self::check)]
            struct S {
                a: u8,
            }
        ));
        assert!(output.contains("Self :: check (& settings , from) ;"), "{output}");
    }

    #[test]
    fn variables_that_are_no_settings_are_declared_by_a_function() {
        let output = derived(quote!(
            #[setting(uses_variable = is_ours)]
            struct S {
                a: u8,
            }
        ));
        assert!(output.contains("is_ours (name)"), "{output}");
    }

    #[test]
    fn unit_structs_and_generics_are_supported() {
        assert!(
            derived(quote!(
                struct S;
            ))
            .contains("Self { }")
        );
        assert!(
            derived(quote!(
                struct S<T: Setting + Default + 'static> {
                    a: T,
                }
            ))
            .contains("for S < T >")
        );
    }

    #[test]
    fn other_types_and_unknown_arguments_are_refused() {
        for (input, why) in [
            (
                quote!(
                    enum E {
                        A,
                    }
                ),
                "named fields",
            ),
            (
                quote!(
                    struct S(u8);
                ),
                "named fields",
            ),
            (
                quote!(
                    struct S {
                        #[setting(sektion)]
                        a: u8,
                    }
                ),
                "a field takes",
            ),
            (
                quote!(
                    #[setting(rename = "x")]
                    struct S {
                        a: u8,
                    }
                ),
                "a struct takes",
            ),
            (
                quote!(
                    struct S {
                        #[setting(rename = "Max Body")]
                        a: u8,
                    }
                ),
                "lower-case",
            ),
            (
                quote!(
                    struct S {
                        #[setting(alias = "NO SPACE")]
                        a: u8,
                    }
                ),
                "the name of a variable",
            ),
            (
                quote!(
                    struct S {
                        #[setting(min = false)]
                        a: u8,
                    }
                ),
                "a bound is a number",
            ),
            (
                quote!(
                    struct S {
                        #[setting(section, alias = "A")]
                        a: T,
                    }
                ),
                "a section has no variable",
            ),
            (
                quote!(
                    struct S {
                        a: u8,
                        #[setting(rename = "a")]
                        b: u8,
                    }
                ),
                "two fields",
            ),
        ] {
            let output = derived(input);
            assert!(output.starts_with("refused: ") && output.contains(why), "{output}");
        }
    }
}
