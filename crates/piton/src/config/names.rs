//! Which environment variables a setting is read from, and which of them wins.
//!
//! Every setting has one canonical variable, made of its key. An alias is a further one, for what
//! platforms and older services call it.

use super::variable;

/// What stands behind the name of a variable whose value is the path of a file with the value.
const FILE: &str = "_FILE";

/// The variables of one setting, the strongest first.
#[derive(Debug)]
pub(crate) struct Names {
    pub key: String,
    pub variables: Vec<Variable>,
    /// Whether `<variable>_FILE` is read too.
    pub from_file: bool,
}

/// One variable of a setting.
#[derive(Debug)]
pub(crate) struct Variable {
    pub name: String,
    /// Made of the key, not an alias.
    pub canonical: bool,
    /// Of another prefix: read, and not listed one by one.
    pub foreign: bool,
}

impl Variable {
    /// The variable that names a file with the value.
    pub fn of_file(&self) -> String {
        format!("{}{FILE}", self.name)
    }
}

impl Names {
    /// The names of `key`. An alias for one app alone outranks the canonical variable, which
    /// outranks what all apps share.
    pub fn new<'a>(
        spelling: Spelling<'_>,
        key: String,
        aliases: impl Iterator<Item = &'a str>,
        from_file: bool,
    ) -> Self {
        let aliases: Vec<&str> = aliases.collect();
        let mut variables = ranked(spelling, &key, &aliases);
        for prefix in spelling.also {
            for variable in ranked(Spelling { prefix, ..spelling }, &key, &aliases) {
                if variables.iter().all(|known| known.name != variable.name) {
                    variables.push(Variable { canonical: false, foreign: true, ..variable });
                }
            }
        }
        Self { key, variables, from_file }
    }

    /// The canonical variable.
    pub fn canonical(&self) -> &str {
        let canonical = self.variables.iter().find(|variable| variable.canonical);
        canonical.map_or("", |variable| &variable.name)
    }

    /// The aliases, the strongest first.
    pub fn aliases(&self) -> Vec<String> {
        let aliases =
            self.variables.iter().filter(|variable| !variable.canonical && !variable.foreign);
        aliases.map(|variable| variable.name.clone()).collect()
    }

    /// Every variable that is looked at, those that name a file too.
    pub fn all(&self) -> impl Iterator<Item = String> {
        let files = self.variables.iter().filter(|_| self.from_file).map(Variable::of_file);
        self.variables.iter().map(|variable| variable.name.clone()).chain(files)
    }
}

/// The variables of `key` under one prefix, the strongest first.
fn ranked(spelling: Spelling<'_>, key: &str, aliases: &[&str]) -> Vec<Variable> {
    let alias = |name| Variable { name, canonical: false, foreign: false };
    let canonical = variable(spelling.prefix, key);
    let (mut variables, mut weaker) = (Vec::new(), Vec::new());
    for name in aliases {
        let side = if name.contains("{app}") { &mut variables } else { &mut weaker };
        side.push(alias(spelling.resolve(name)));
    }
    variables.push(Variable { canonical: true, ..alias(canonical.clone()) });
    variables.append(&mut weaker);
    variables.retain(|variable| variable.canonical || variable.name != canonical);
    variables
}

/// What the placeholders in an alias stand for.
#[derive(Clone, Copy)]
pub(crate) struct Spelling<'a> {
    pub prefix: &'a str,
    /// Prefixes that are read too, after the first.
    pub also: &'a [String],
    pub app: &'a str,
}

impl Spelling<'_> {
    /// `PITON_BILLING_LOG_LEVEL` for `{prefix}_{app}_LOG_LEVEL`.
    fn resolve(self, alias: &str) -> String {
        let alias = match self.prefix {
            "" => alias.replace("{prefix}_", "").replace("{prefix}", ""),
            prefix => alias.replace("{prefix}", prefix),
        };
        alias.replace("{app}", &upper(self.app))
    }
}

/// The app's name as it stands in a variable.
fn upper(app: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    app.chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(prefix: &str, app: &str, aliases: &[&str]) -> Vec<String> {
        let spelling = Spelling { prefix, also: &[], app };
        let names = Names::new(spelling, "log.level".into(), aliases.iter().copied(), true);
        names.variables.into_iter().map(|variable| variable.name).collect()
    }

    #[test]
    fn an_alias_for_the_app_outranks_the_canonical_name_which_outranks_the_others() {
        let ranked = names("GNAR", "my-app.é", &["B", "{prefix}_{app}_LEVEL", "A", "{app}_L"]);
        let expected = ["GNAR_MY_APP___LEVEL", "MY_APP___L", "GNAR_LOG_LEVEL", "B", "A"];
        assert_eq!(ranked, expected);
    }

    #[test]
    fn another_prefix_is_read_after_the_first_and_not_listed() {
        let also = ["GNAR".to_owned()];
        let spelling = Spelling { prefix: "PITON", also: &also, app: "x" };
        let aliases = ["{prefix}_PG_ENDPOINT", "POSTGRESQL_HOST"];
        let names = Names::new(spelling, "db.host".into(), aliases.into_iter(), false);
        let all: Vec<String> = names.all().collect();
        let first = ["PITON_DB_HOST", "PITON_PG_ENDPOINT", "POSTGRESQL_HOST"];
        assert_eq!(all[..3], first);
        assert_eq!(all[3..], ["GNAR_DB_HOST", "GNAR_PG_ENDPOINT"]);
        assert_eq!(names.aliases(), first[1..]);
    }

    #[test]
    fn without_a_prefix_no_underscore_stands_in_front() {
        let ranked = names("", "x", &["{prefix}_{app}_LEVEL", "{prefix}_OLD"]);
        assert_eq!(ranked, ["X_LEVEL", "LOG_LEVEL", "OLD"]);
    }

    #[test]
    fn an_alias_that_is_the_canonical_name_counts_once() {
        assert_eq!(names("A", "x", &["A_LOG_LEVEL", "{prefix}_LOG_LEVEL"]), ["A_LOG_LEVEL"]);
    }

    #[test]
    fn each_name_has_a_companion_for_a_file_where_files_are_read() {
        let spelling = Spelling { prefix: "A", also: &[], app: "x" };
        let names = |file| Names::new(spelling, "k".into(), ["B"].into_iter(), file);
        assert_eq!(names(true).all().collect::<Vec<_>>(), ["A_K", "B", "A_K_FILE", "B_FILE"]);
        assert_eq!(names(false).all().collect::<Vec<_>>(), ["A_K", "B"]);
        assert_eq!((names(true).canonical(), names(true).aliases()), ("A_K", vec!["B".into()]));
    }
}
