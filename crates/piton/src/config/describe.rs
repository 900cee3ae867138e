//! Descriptions of all settings of a service: for the command `config`, the example file and the schema.

use serde_json::Value;

use super::layers::Config;
use super::section::Section;
use super::setting_description::SettingInfo;
use super::setting_problem::Problems;
use super::variable_names::VariableNames;
use super::{config_listing, example_file, json_schema};

impl Config {
    /// Returns every setting of the `known` sections, in their order. A section that is listed twice
    /// counts once.
    #[must_use]
    pub fn describe(&self, known: &[&Section]) -> Vec<SettingInfo> {
        let (mut described, mut problems) = (Vec::new(), Problems::new());
        for section in distinct(known) {
            let reader = self.reader(section.name(), &mut problems);
            section.visit(&mut reader.describing(section.doc(), &mut described));
        }
        described
    }

    /// Returns the settings as a list for people: value, origin, description and variables of each.
    #[must_use]
    pub fn list(described: &[SettingInfo]) -> String {
        config_listing::list(described, config_listing::ListStyle::default())
    }

    /// Returns a TOML file for the app: every setting of the `known` sections with its description,
    /// commented out at its default.
    #[must_use]
    pub fn example(&self, known: &[&Section]) -> String {
        example_file::toml(&self.0.app, &self.describe(known))
    }

    /// Returns the JSON Schema of a file with the settings of the `known` sections.
    #[must_use]
    pub fn schema(&self, known: &[&Section]) -> Value {
        json_schema::schema(&self.0.app, &self.describe(known))
    }

    /// Returns the variables of every setting of the `known` sections, without parsing any value.
    pub(super) fn variable_names(&self, known: &[&Section]) -> Vec<VariableNames> {
        let (mut names, mut problems) = (Vec::new(), Problems::new());
        for section in distinct(known) {
            let reader = self.reader(section.name(), &mut problems);
            section.visit(&mut reader.listing_variables(&mut names));
        }
        names
    }
}

/// Returns each section once, in the order of its first place in the list.
fn distinct<'a>(known: &[&'a Section]) -> impl Iterator<Item = &'a Section> {
    let is_new = |(index, section): &(usize, &&Section)| {
        !known[..*index].iter().any(|before| before.is(section))
    };
    known.iter().enumerate().filter(is_new).map(|(_, section)| *section)
}
