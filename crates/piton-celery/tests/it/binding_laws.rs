//! Laws of the call of a task.

use piton_celery::{Parameter, bind};
use proptest::prelude::*;
use serde_json::{Map, Value};

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// Returns parameters, the last ones with defaults, as Python demands.
fn parameters() -> impl Strategy<Value = Vec<Parameter<'static>>> {
    (0..=NAMES.len(), 0..=NAMES.len()).prop_map(|(count, required)| {
        let parameter = |(at, name)| Parameter { name, has_default: at >= required };
        NAMES.into_iter().take(count).enumerate().map(parameter).collect()
    })
}

/// Returns as many different values as there are names.
fn numbered(count: usize) -> Vec<Value> {
    (0..count).map(Value::from).collect()
}

proptest! {
    #[test]
    fn every_split_into_positions_and_names_binds_the_same(parameters in parameters(), split in 0..=5_usize) {
        let values = numbered(parameters.len());
        let split = split.min(values.len());
        let named = parameters.iter().zip(&values).skip(split);
        let kwargs = named.map(|(one, value)| (one.name.to_owned(), value.clone())).collect();
        let bound = bind("f", &parameters, values[..split].to_vec(), kwargs).unwrap();
        prop_assert_eq!(bound, values.into_iter().map(Some).collect::<Vec<_>>());
    }

    #[test]
    fn a_call_is_bound_if_each_argument_has_one_parameter_and_each_required_parameter_one_argument(
        parameters in parameters(),
        given in 0..7_usize,
        names in prop::sample::subsequence(vec!["a", "b", "c", "d", "e", "x"], 0..=6),
    ) {
        let kwargs: Map<_, _> = names.iter().map(|name| ((*name).to_owned(), Value::Null)).collect();
        let is_named = |parameter: &Parameter<'_>| names.contains(&parameter.name);
        let valid = given <= parameters.len()
            && names.iter().all(|name| parameters.iter().skip(given).any(|one| one.name == *name))
            && parameters.iter().skip(given).all(|one| one.has_default || is_named(one));
        match bind("f", &parameters, numbered(given), kwargs) {
            Ok(bound) => {
                prop_assert!(valid);
                prop_assert_eq!(bound.len(), parameters.len());
                prop_assert!(bound.iter().zip(&parameters).all(|(value, one)| value.is_some() || one.has_default));
            }
            Err(error) => {
                prop_assert!(!valid);
                prop_assert_eq!(error.exc_type, "TypeError");
                prop_assert!(error.exc_message[0].as_str().unwrap().starts_with("f() "));
            }
        }
    }
}
