//! The value of a setting in the environment or in `.env`: in its variables, or in a file that one names.

use std::collections::HashMap;

use super::raw_value::RawValue;
use super::secret_file_variable;
use super::setting_problem::Problem;
use super::variable_names::{SettingVariable, VariableNames};

/// Returns the value of one variable of a layer, or the content of the file that it names.
pub(super) fn value_of_variable(
    layer: &HashMap<String, RawValue>,
    names: &VariableNames,
    variable: &SettingVariable,
) -> Option<Result<RawValue, Box<Problem>>> {
    let is_set = |raw: &&RawValue| raw.value.as_str() != Some("");
    let file = if names.from_file { layer.get(&variable.of_file()) } else { None };
    // An empty alias is not set, because shells and compose files often pass one on that has no value.
    let value = layer.get(&variable.name).filter(|raw| variable.canonical || is_set(raw));
    match (value, file.filter(is_set)) {
        (Some(value), Some(file)) if is_set(&value) => {
            Some(Err(duplicate_value(names, value, file).into()))
        }
        (_, Some(file)) => Some(secret_file_variable::read(&names.key, &file.value, &file.origin)),
        (Some(value), None) => Some(Ok(value.clone())),
        (None, None) => None,
    }
}

fn duplicate_value(names: &VariableNames, value: &RawValue, file: &RawValue) -> Problem {
    let name = |raw: &RawValue| raw.origin.variable().unwrap_or_default().to_owned();
    let (value, file_variable) = (name(value), name(file));
    let why = format!("{value} and {file_variable} are both set");
    Problem::new(&names.key, why, format!("remove {value} or {file_variable}"))
        .at(file.origin.clone())
}
