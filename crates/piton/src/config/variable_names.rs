//! The environment variables of a setting, and their order.
//!
//! Every setting has one canonical variable, made of its key. An alias is a further one: the name that
//! platforms and older services use.

/// Returns the canonical environment variable of a setting: `PITON_HTTP_PORT` for `http.port`.
#[must_use]
pub fn variable(prefix: &str, key: &str) -> String {
    let mut variable = String::with_capacity(prefix.len() + 1 + key.len());
    variable.push_str(prefix);
    if !prefix.is_empty() {
        variable.push('_');
    }
    variable.extend(key.chars().map(|c| match c {
        '.' | '-' => '_',
        c => c.to_ascii_uppercase(),
    }));
    variable
}

/// Returns the key of a setting in a section; "" is the top level.
pub(super) fn join(section: &str, name: &str) -> String {
    if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") }
}

/// Suffix of a variable that names a file with the value.
const FILE: &str = "_FILE";

/// The variables of one setting, the strongest first.
#[derive(Debug)]
pub(crate) struct VariableNames {
    pub key: String,
    pub variables: Vec<SettingVariable>,
    /// True if `<variable>_FILE` is read, too.
    pub from_file: bool,
}

/// A variable of a setting.
#[derive(Debug)]
pub(crate) struct SettingVariable {
    pub name: String,
    /// True if the name is made of the key, not an alias.
    pub canonical: bool,
    /// True if the name has another prefix: such variables are read, but not listed.
    pub other_prefix: bool,
}

impl SettingVariable {
    /// Returns the variable that names a file with the value.
    pub fn of_file(&self) -> String {
        format!("{}{FILE}", self.name)
    }
}

impl VariableNames {
    /// Returns the variables of `key`. An alias for one app alone outranks the canonical variable, which
    /// outranks the aliases that all apps share.
    pub fn new<'a>(
        template: NameTemplate<'_>,
        key: String,
        aliases: impl Iterator<Item = &'a str>,
        from_file: bool,
    ) -> Self {
        let aliases: Vec<&str> = aliases.collect();
        let mut variables = ranked(template, &key, &aliases);
        for prefix in template.other_prefixes {
            for variable in ranked(NameTemplate { prefix, ..template }, &key, &aliases) {
                if variables.iter().all(|known| known.name != variable.name) {
                    variables.push(SettingVariable {
                        canonical: false,
                        other_prefix: true,
                        ..variable
                    });
                }
            }
        }
        Self { key, variables, from_file }
    }

    /// Returns the canonical variable.
    pub fn canonical(&self) -> &str {
        let canonical = self.variables.iter().find(|variable| variable.canonical);
        canonical.map_or("", |variable| &variable.name)
    }

    /// Returns the aliases, the strongest first.
    pub fn aliases(&self) -> Vec<String> {
        let aliases =
            self.variables.iter().filter(|variable| !variable.canonical && !variable.other_prefix);
        aliases.map(|variable| variable.name.clone()).collect()
    }

    /// Returns every variable that is read, and those that name a file.
    pub fn all(&self) -> impl Iterator<Item = String> {
        let files = self.variables.iter().filter(|_| self.from_file).map(SettingVariable::of_file);
        self.variables.iter().map(|variable| variable.name.clone()).chain(files)
    }
}

/// Returns the variables of `key` under one prefix, the strongest first.
fn ranked(template: NameTemplate<'_>, key: &str, aliases: &[&str]) -> Vec<SettingVariable> {
    let alias = |name| SettingVariable { name, canonical: false, other_prefix: false };
    let canonical = variable(template.prefix, key);
    let (mut variables, mut weaker) = (Vec::new(), Vec::new());
    for name in aliases {
        let side = if name.contains("{app}") { &mut variables } else { &mut weaker };
        side.push(alias(template.resolve(name)));
    }
    variables.push(SettingVariable { canonical: true, ..alias(canonical.clone()) });
    variables.append(&mut weaker);
    variables.retain(|variable| variable.canonical || variable.name != canonical);
    variables
}

/// The values of the placeholders in an alias.
#[derive(Clone, Copy)]
pub(crate) struct NameTemplate<'a> {
    pub prefix: &'a str,
    /// Prefixes that are read, too, after the first.
    pub other_prefixes: &'a [String],
    pub app: &'a str,
}

impl NameTemplate<'_> {
    /// Replaces the placeholders: `{prefix}_{app}_LOG_LEVEL` becomes `PITON_BILLING_LOG_LEVEL`.
    fn resolve(self, alias: &str) -> String {
        let alias = match self.prefix {
            "" => alias.replace("{prefix}_", "").replace("{prefix}", ""),
            prefix => alias.replace("{prefix}", prefix),
        };
        alias.replace("{app}", &upper(self.app))
    }
}

/// Returns the app's name in the form that it has in a variable.
fn upper(app: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    app.chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(prefix: &str, app: &str, aliases: &[&str]) -> Vec<String> {
        let template = NameTemplate { prefix, other_prefixes: &[], app };
        let names = VariableNames::new(template, "log.level".into(), aliases.iter().copied(), true);
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
        let other_prefixes = ["GNAR".to_owned()];
        let template = NameTemplate { prefix: "PITON", other_prefixes: &other_prefixes, app: "x" };
        let aliases = ["{prefix}_PG_ENDPOINT", "POSTGRESQL_HOST"];
        let names = VariableNames::new(template, "db.host".into(), aliases.into_iter(), false);
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
        let template = NameTemplate { prefix: "A", other_prefixes: &[], app: "x" };
        let names = |file| VariableNames::new(template, "k".into(), ["B"].into_iter(), file);
        assert_eq!(names(true).all().collect::<Vec<_>>(), ["A_K", "B", "A_K_FILE", "B_FILE"]);
        assert_eq!(names(false).all().collect::<Vec<_>>(), ["A_K", "B"]);
        assert_eq!((names(true).canonical(), names(true).aliases()), ("A_K", vec!["B".into()]));
    }
}
