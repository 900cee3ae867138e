//! Expands `piton::embed!("static")`: the files of a folder in the program of a release, and the folder itself in
//! development.
//!
//! The files are read by `include_bytes!`, so that the compiler rebuilds when one changes. It cannot see that a file was
//! added: a `build.rs` tells cargo.

use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::{Error, Ident, LitStr, Result, Token};

/// Expands `embed!("folder")`; the folder is relative to the package.
pub fn expand(input: TokenStream) -> TokenStream {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    embed(input, &package).unwrap_or_else(Error::into_compile_error)
}

fn embed(input: TokenStream, package: &Path) -> Result<TokenStream> {
    let Arguments { folder, always } = syn::parse2(input)?;
    let refuse = |why: String| Error::new(folder.span(), format!("piton::embed!: {why}"));
    let root = package.join(folder.value());
    let mut files = Vec::new();
    collect(&root, "", &mut files).map_err(refuse)?;
    files.sort();
    let entries = files.iter().map(|(name, path)| {
        let bytes = std::fs::read(path).map_err(|error| refuse(format!("{path}: {error}")))?;
        let hash = hash(&bytes);
        Ok(quote! {
            ::piton::http::EmbeddedFile { path: #name, bytes: ::core::include_bytes!(#path), hash: #hash }
        })
    });
    let entries = entries.collect::<Result<Vec<_>>>()?;
    let embedded = quote! {
        ::piton::http::StaticFiles::embedded(::piton::http::EmbeddedFiles { files: &[#(#entries),*] })
    };
    if always {
        return Ok(embedded);
    }
    let root = utf8(&root).map_err(refuse)?;
    Ok(quote! {{
        // A release must not contain a path of the machine that built it.
        #[cfg(debug_assertions)]
        let files = ::piton::http::StaticFiles::folder(#root);
        #[cfg(not(debug_assertions))]
        let files = #embedded;
        files
    }})
}

/// `"folder"`, and `always` to embed in development too.
struct Arguments {
    folder: LitStr,
    always: bool,
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let folder = input.parse()?;
        if input.is_empty() {
            return Ok(Self { folder, always: false });
        }
        input.parse::<Token![,]>()?;
        let word: Ident = input.parse()?;
        if word == "always" {
            return Ok(Self { folder, always: true });
        }
        Err(Error::new(word.span(), "the only option is `always`, to embed in development too"))
    }
}

/// Collects the names below `prefix`, with `/`, and the paths of the files in a folder, except hidden ones.
fn collect(
    folder: &Path,
    prefix: &str,
    files: &mut Vec<(String, String)>,
) -> std::result::Result<(), String> {
    let entries =
        std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for entry in entries {
        let path = entry.map_err(|error| format!("{}: {error}", folder.display()))?.path();
        let name = utf8(Path::new(path.file_name().unwrap_or_default()))?;
        if name.starts_with('.') && name != ".well-known" {
            continue;
        }
        let name = format!("{prefix}{name}");
        if path.is_dir() {
            collect(&path, &format!("{name}/"), files)?;
        } else {
            files.push((name, utf8(&path)?));
        }
    }
    Ok(())
}

fn utf8(path: &Path) -> std::result::Result<String, String> {
    path.to_str().map(str::to_owned).ok_or_else(|| format!("{} is not UTF-8", path.display()))
}

/// Returns 128 bits of SipHash as hexadecimal digits. It tells the versions of a file apart, and nobody gains by a
/// collision, because the files are the service's own.
fn hash(bytes: &[u8]) -> String {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        hasher.write_u8(salt);
        hasher.write(bytes);
        hasher.finish()
    };
    format!("{:016x}{:016x}", half(0), half(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_embedded_in_order_with_hashes_and_without_hidden_ones() {
        let package = std::env::temp_dir().join(format!("piton-embed-{}", std::process::id()));
        let root = package.join("static");
        for name in ["b.txt", "a/c.txt", ".git/config", ".env", ".well-known/x"] {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, name).unwrap();
        }
        let code = embed(quote!("static"), &package).unwrap().to_string();
        std::fs::remove_dir_all(&package).unwrap();
        let at = |name: &str| code.find(&format!("path : \"{name}\"")).unwrap();
        assert!(at(".well-known/x") < at("a/c.txt") && at("a/c.txt") < at("b.txt"), "{code}");
        assert!(!code.contains(".git") && !code.contains(".env"), "{code}");
        assert!(code.contains("cfg (not (debug_assertions))"), "{code}");
        assert!(code.contains(&hash(b"b.txt")) && code.contains("include_bytes !"), "{code}");
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = embed(quote!("nowhere"), Path::new("/piton")).unwrap_err().to_string();
        assert!(error.contains("/piton/nowhere"), "{error}");
    }
}
