//! A service's own settings, and the files that show all settings of an app before it runs.

use std::panic::Location;

use serde_json::Value;

use super::App;
use super::attribute_scan::scan;
use super::part_start_order::plan;
use super::settings_sections::{EnvAlias, OwnSection, all_sections, core_sections};
use crate::Settings;
use crate::config::{Config, Problem, Problems, Section};
use crate::part::PartDescriptor;

/// Returns the problems of the sections that the service declared.
pub(super) fn refused_sections(app: &App) -> Problems {
    let framework = all_sections(&[]);
    let mut problems = Problems::new();
    for (index, own) in app.own.iter().enumerate() {
        let before = &app.own[..index];
        problems.extend(name_problem(own, &framework).or_else(|| duplicate_problem(own, before)));
        let id = own.section.type_id();
        if app.states.has(id) || before.iter().any(|before| before.section.type_id() == id) {
            let why = "another state or section has the same type";
            problems.push(own.problem(why, "give it a type of its own"));
        }
    }
    problems
}

fn name_problem(own: &OwnSection, framework: &[Section]) -> Option<Problem> {
    let name = own.section.name();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(plain) {
        let fix = "take lower-case letters, digits, `_` and `-`";
        return Some(own.problem("not a valid name of a section", fix));
    }
    let first = |section: &Section| section.name().split('.').next() == Some(name);
    if framework.iter().any(first) {
        let why = format!("the section `{name}` belongs to the framework");
        return Some(own.problem(why, "take another name"));
    }
    let top_level = Config::loader("").load(&[]).0;
    let top = core_sections();
    let taken = top_level.describe(&top.iter().collect::<Vec<_>>());
    taken.iter().any(|setting| setting.key == name).then(|| {
        own.problem(format!("`{name}` is a setting of the framework"), "take another name")
    })
}

fn duplicate_problem(own: &OwnSection, before: &[OwnSection]) -> Option<Problem> {
    let first = before.iter().find(|before| before.section.name() == own.section.name())?;
    Some(own.problem(format!("declared at {} too", first.location), "remove one, or rename it"))
}

impl App {
    /// Adds a section of the service's own: read and checked with all other settings at launch, and listed by the
    /// command `config`. Handlers take it as `State<S>`, other code as
    /// [`Handle::state`](crate::Handle::state).
    ///
    /// ```
    /// use piton::http::get;
    /// use piton::prelude::*;
    /// use piton::testing::TestApp;
    ///
    /// /// What we charge.
    /// #[derive(Clone, Settings)]
    /// struct Billing {
    ///     /// Whole cents a call. **Default: `3`.**
    ///     price: u32,
    /// }
    ///
    /// impl Default for Billing {
    ///     fn default() -> Self { Self { price: 3 } }
    /// }
    ///
    /// async fn price(State(billing): State<Billing>) -> String {
    ///     format!("{} cents", billing.price)
    /// }
    ///
    /// #[piton::test]
    /// async fn the_price_is_a_setting() {
    ///     let app = App::new("shop").settings::<Billing>("billing").route(get("/", price));
    ///     let app = TestApp::new(app.set("billing.price", 5)).await;
    ///     assert_eq!(app.get("/").await.text(), "5 cents");
    /// }
    /// # fn main() {}
    /// ```
    ///
    /// In the environment the setting is `PITON_BILLING_PRICE`. A name that the framework uses is refused at launch.
    #[must_use]
    #[track_caller]
    pub fn settings<S>(mut self, section: &'static str) -> Self
    where
        S: Settings + Clone + Send + Sync,
    {
        self.own.push(OwnSection::new::<S>(section, Location::caller()));
        self
    }

    /// Reads a setting from one more environment variable, such as the one that an older service
    /// called it: `.env_alias("OLD_DB_HOST", "db.host")`. The setting's own variable outranks it,
    /// unless the name holds `{app}`; `{prefix}` and `{app}` are replaced, see
    /// [`SettingOptions::aliases`](crate::config::SettingOptions::aliases).
    #[must_use]
    #[track_caller]
    pub fn env_alias(mut self, variable: impl Into<String>, key: impl Into<String>) -> Self {
        let (variable, key) = (variable.into(), key.into());
        self.env_aliases.push(EnvAlias { variable, key, location: Location::caller() });
        self
    }

    /// Returns an example file (TOML): every setting that the app reads, with its documentation, commented out at
    /// its default. It does not depend on the machine, so that it can be checked in and a test can compare it.
    /// `config --example` prints it.
    #[must_use]
    pub fn config_example(&self) -> String {
        self.with_defaults(|config, sections| config.example(sections))
    }

    /// Returns the JSON Schema (draft 2020-12) of the app's configuration file, for editors. As
    /// [`App::config_example`] it does not depend on the machine; `config --schema` prints it.
    #[must_use]
    pub fn config_schema(&self) -> Value {
        self.with_defaults(|config, sections| config.schema(sections))
    }

    /// Calls `render` with the sections that the app reads, and no value set.
    fn with_defaults<T>(&self, render: impl FnOnce(&Config, &[&Section]) -> T) -> T {
        let sections = self.read_sections();
        let sections: Vec<&Section> = sections.iter().collect();
        let (config, _) = self.loader().load(&sections);
        render(&config, &sections)
    }

    /// Returns a loader with the app's prefixes, defaults and aliases.
    pub(super) fn loader(&self) -> crate::config::Loader {
        let loader = Config::loader(&self.env_prefix).app(&*self.name);
        let also = self.also_env_prefixes.iter();
        let loader = also.fold(loader, |loader, prefix| loader.also_prefix(&**prefix));
        let loader = self.defaults.iter().fold(loader, |loader, own| {
            loader.default_to(&*own.key, own.value.clone(), &*own.origin)
        });
        self.env_aliases.iter().fold(loader, |loader, alias| {
            loader.alias(&*alias.variable, &*alias.key, alias.location.to_string())
        })
    }

    /// Returns the sections of the parts that start, instead of all in the build: the features of one service of a
    /// workspace are compiled into the others as well.
    fn read_sections(&self) -> Vec<Section> {
        let scanned = scan(self).routes;
        let mut needs = crate::part::Dependencies(self.enabled.0.clone());
        needs.0.extend(self.dependencies_of_extensions().0);
        needs.0.extend(
            self.commands.iter().flat_map(|command| command.dependencies.0.iter().copied()),
        );
        let every = || inventory::iter::<PartDescriptor>().collect::<Vec<_>>();
        let planned = |routes| plan(routes, &needs, &self.disabled).unwrap_or_else(|_| every());
        let mut parts: Vec<&PartDescriptor> = planned(&scanned);
        parts.extend(planned(&self.routes));
        parts.sort_by_key(|part| part.name);
        parts.dedup_by_key(|part| (part.id)());
        let own = self.own.iter().map(|own| own.section);
        let parts = parts.into_iter().map(|part| part.section);
        core_sections().into_iter().chain(parts).chain(own).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SettingInfo;

    fn is_kind(setting: &SettingInfo, kind: &str) -> bool {
        setting.expects.contains(kind)
    }

    /// Returns values at and beyond the ends of every range, for a setting of that kind.
    fn extremes(setting: &SettingInfo) -> Vec<&'static str> {
        if is_kind(setting, "a duration") {
            vec![
                "0s",
                "1ns",
                "36500days",
                "36501days",
                "584542046090years",
                "18446744073709551615s",
            ]
        } else if is_kind(setting, "a size") {
            vec!["0B", "1B", "1024TiB", "1025TiB", "18446744073709551615B", "16777215TiB"]
        } else {
            vec!["0", "1", "65535", "4294967295", "4294967296", "18446744073709551615", "-1"]
        }
    }

    fn ranged(known: &[&Section]) -> Vec<SettingInfo> {
        let (config, _) = Config::loader("PITON").load(known);
        let all = config.describe(known).into_iter();
        all.filter(|setting| setting.range.is_some()).collect()
    }

    #[test]
    fn every_number_duration_and_size_of_the_framework_has_bounds() {
        let sections = all_sections(&[]);
        let known: Vec<&Section> = sections.iter().collect();
        let all = ranged(&known);
        assert!(all.len() > 20, "{}", all.len());
        for setting in &all {
            let vars = [(&*setting.variable, "4294967295")];
            let (config, _) = Config::loader("PITON").env(vars).load(&known);
            let by_check = config.check(&known, &known).iter().any(|it| it.key == setting.key);
            let [min, max] = setting.range.as_ref().expect("filtered");
            let kinds = ["a whole number", "a duration", "a size", "a number"];
            assert!(kinds.iter().any(|kind| is_kind(setting, kind)), "{}", setting.expects);
            assert!(setting.expects.contains(&**min) && setting.expects.contains(&**max));
            // A bound that is only the type's maximum is no bound: pools and timers cannot take
            // such values.
            let of_type = [u64::MAX.to_string(), i64::MAX.to_string(), u32::MAX.to_string()];
            assert!(
                by_check
                    || !of_type.contains(&max.to_string())
                        && max != "2147483647"
                        && !max.contains("e308"),
                "{} needs `#[setting(max = ..)]`",
                setting.key
            );
        }
    }

    #[test]
    fn no_extreme_of_a_setting_panics_and_what_lies_outside_is_refused_by_name() {
        let sections = all_sections(&[]);
        let known: Vec<&Section> = sections.iter().collect();
        for setting in ranged(&known) {
            let [min, max] = setting.range.clone().expect("filtered");
            let loaded = |value: &str| {
                let vars = [(&*setting.variable, value)];
                let (config, mut problems) = Config::loader("PITON").env(vars).load(&known);
                problems.extend(config.check(&known, &known));
                problems
            };
            let outside = format!("from `{min}` to `{max}`");
            let outside = [outside, format!("from {min} to {max}")];
            let refused = |problems: &Problems| {
                problems.iter().any(|problem| {
                    problem.key == setting.key
                        && outside.iter().any(|range| problem.why.contains(&**range))
                })
            };
            for bound in [&min, &max] {
                let problems = loaded(bound);
                assert!(!refused(&problems), "{} = {bound}: {problems}", setting.key);
            }
            for value in extremes(&setting) {
                drop(loaded(value));
            }
            let beyond = match () {
                () if is_kind(&setting, "a duration") => ["584542046090years", "36501days"],
                () if is_kind(&setting, "a size") => ["18446744073709551615B", "1025TiB"],
                () => ["18446744073709551615", "99999999999"],
            };
            for value in beyond {
                let problems = loaded(value);
                assert!(refused(&problems), "{} = {value}: {problems}", setting.key);
            }
        }
    }
}
