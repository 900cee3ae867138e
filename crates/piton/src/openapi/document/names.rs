//! Names of schemas and operations that are identifiers in every language, and that are free.

/// Returns `name`, with a number after it if it is taken.
pub(in crate::openapi) fn free_name(name: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let mut free = name.to_owned();
    let mut number = 2;
    while is_taken(&free) {
        free = format!("{name}{number}");
        number += 1;
    }
    free
}

/// Returns a name that is an identifier in every language: `PageForCompany` for `Page_for_Company`, which is the
/// derive's name of `Page<Company>`.
pub(super) fn identifier(name: &str) -> String {
    let is_plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric());
    let name = if is_plain { name.to_owned() } else { capitalized(name) };
    match name.chars().next() {
        None => "Schema".to_owned(),
        Some(first) if first.is_ascii_digit() => format!("Schema{name}"),
        Some(_) => name,
    }
}

/// Joins the words of `text`, each with a capital letter, without characters that are not ASCII.
pub(super) fn capitalized(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric());
    let capitalized = words.filter_map(|word| {
        let word: String = word.chars().filter(char::is_ascii).collect();
        let first = word.chars().next()?;
        Some(format!("{}{}", first.to_ascii_uppercase(), &word[1..]))
    });
    capitalized.collect()
}
