//! Expands `piton::migrations!()`: embeds a folder of SQL files in the program.
//!
//! The files are read by `include_str!`, so that the compiler rebuilds when one changes. It cannot
//! see that a file was *added*: a `build.rs`, which `migrate new` writes, tells cargo. Without one, a
//! service in development compares the folder with the embedded files when it starts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Error, LitStr, Result};

const FOLDER: &str = "migrations";

/// Expands `migrations!()` or `migrations!("folder")`; the folder is relative to the package.
pub fn expand(input: TokenStream) -> TokenStream {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    embed(input, &package).unwrap_or_else(Error::into_compile_error)
}

fn embed(input: TokenStream, package: &Path) -> Result<TokenStream> {
    let folder = if input.is_empty() {
        LitStr::new(FOLDER, Span::call_site())
    } else {
        syn::parse2::<LitStr>(input)?
    };
    let refuse = |why: String| Error::new(folder.span(), format!("piton::migrations!: {why}"));
    let path = package.join(folder.value());
    let names = sql_files(&path).map_err(|why| refuse(format!("{}: {why}", path.display())))?;
    check(&names).map_err(refuse)?;
    let utf8 = |path: PathBuf| {
        path.into_os_string().into_string().map_err(|_| refuse("the path is not UTF-8".into()))
    };
    let files = names
        .into_iter()
        .map(|name| {
            let file = utf8(path.join(&name))?;
            Ok(quote!((#name, ::core::include_str!(#file))))
        })
        .collect::<Result<Vec<_>>>()?;
    let path = utf8(path)?;
    Ok(quote! {{
        const MIGRATIONS: ::piton::db::Migrations = {
            let embedded = ::piton::db::Migrations::new(&[#(#files),*]);
            // A release build embeds a relative folder, because it must not contain a path of the
            // machine that built it. It finds the folder from the working directory, as with
            // `cargo run --release`.
            embedded.embedded_from(if ::core::cfg!(debug_assertions) { #path } else { #folder })
        };
        MIGRATIONS
    }})
}

fn sql_files(folder: &Path) -> std::result::Result<Vec<String>, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| {
        format!("{error}; create the folder with a first file, such as `0001_users.sql`")
    })?;
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(|error| error.to_string())?.file_name();
        let name = name.into_string().map_err(|name| format!("{} is not UTF-8", name.display()))?;
        if name.ends_with(".sql") && !name.starts_with('.') {
            names.push(name);
        }
    }
    if names.is_empty() {
        return Err(
            "no .sql file in the folder: add the first one, such as `0001_users.sql`".into()
        );
    }
    names.sort();
    Ok(names)
}

/// Refuses file names at compile time that would otherwise be refused at launch.
fn check(names: &[String]) -> std::result::Result<(), String> {
    let mut used: BTreeMap<(u64, &str), &str> = BTreeMap::new();
    for name in names {
        let (number, backends) = parse(name).ok_or_else(|| {
            format!("{name}: a migration is named `0001_name.sql`, `0001_name.sqlite.sql` or `0001_name.postgres.sql`")
        })?;
        for backend in backends {
            if let Some(other) = used.insert((number, backend), name) {
                return Err(format!("{other} and {name} have the same number"));
            }
        }
    }
    Ok(())
}

/// Returns the number of a file and the databases that it is for.
fn parse(name: &str) -> Option<(u64, &'static [&'static str])> {
    let (number, rest) = name.strip_suffix(".sql")?.split_once('_')?;
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (title, backends): (_, &'static [&'static str]) = match rest.split_once('.') {
        None => (rest, &["sqlite", "postgres"]),
        Some((title, "sqlite")) => (title, &["sqlite"]),
        Some((title, "postgres")) => (title, &["postgres"]),
        Some(_) => return None,
    };
    if title.is_empty() {
        return None;
    }
    Some((number.parse::<i64>().ok()?.try_into().ok()?, backends))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> std::result::Result<(), String> {
        check(&names.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn names_are_checked_when_the_program_is_built() {
        assert!(names(&["0001_a.sql", "0002_b.sqlite.sql", "0002_b.postgres.sql"]).is_ok());
        assert!(names(&["a.sql"]).unwrap_err().contains("a.sql: a migration is named"));
        assert!(names(&["0001_a.mysql.sql"]).is_err());
        assert!(names(&["+1_a.sql"]).is_err());
        assert!(names(&["0001_a.sql", "1_b.sqlite.sql"]).unwrap_err().contains("same number"));
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = embed(quote!("nowhere"), Path::new("/piton")).unwrap_err().to_string();
        assert!(error.contains("/piton/nowhere"), "{error}");
    }
}
