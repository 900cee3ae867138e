//! Binding the arguments of a message to the parameters of a task, with Python's errors.

use serde_json::{Map, Value};

use crate::exception::Exception;

/// A parameter of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter<'a> {
    /// The name by which an argument may be passed.
    pub name: &'a str,
    /// True if the argument may be left out.
    pub has_default: bool,
}

impl<'a> Parameter<'a> {
    /// Returns a parameter that needs an argument.
    #[must_use]
    pub const fn required(name: &'a str) -> Self {
        Self { name, has_default: false }
    }

    /// Returns a parameter with a default.
    #[must_use]
    pub const fn optional(name: &'a str) -> Self {
        Self { name, has_default: true }
    }
}

/// Returns the argument of each parameter, `None` where the default applies.
///
/// ```
/// use piton_celery::{Parameter, bind};
/// const PARAMETERS: [Parameter; 2] = [Parameter::required("cnpj"), Parameter::optional("force")];
///
/// let bound = bind("enrich", &PARAMETERS, vec!["33000167000101".into()], Default::default());
/// assert_eq!(bound.unwrap(), [Some("33000167000101".into()), None]);
///
/// let error = bind("enrich", &PARAMETERS, vec![], Default::default()).unwrap_err();
/// assert_eq!(error.exc_message, ["enrich() missing 1 required positional argument: 'cnpj'"]);
/// ```
///
/// # Errors
/// A `TypeError` with the text that CPython 3.11 has for a function of this name. Of several errors it is the
/// one that CPython reports, with names in the order of the [`Map`].
pub fn bind(
    function: &str,
    parameters: &[Parameter<'_>],
    args: Vec<Value>,
    kwargs: Map<String, Value>,
) -> Result<Vec<Option<Value>>, Exception> {
    let given = args.len();
    let mut bound: Vec<_> = args.into_iter().map(Some).take(parameters.len()).collect();
    bound.resize(parameters.len(), None);
    for (name, value) in kwargs {
        let parameter = parameters.iter().position(|parameter| parameter.name == name);
        let Some(at) = parameter else {
            let reason = format!("got an unexpected keyword argument '{name}'");
            return Err(type_error(function, &reason));
        };
        if bound[at].replace(value).is_some() {
            let reason = format!("got multiple values for argument '{name}'");
            return Err(type_error(function, &reason));
        }
    }
    if given > parameters.len() {
        return Err(too_many(function, parameters, given));
    }
    check_required(function, parameters, &bound)?;
    Ok(bound)
}

fn type_error(function: &str, reason: &str) -> Exception {
    Exception::type_error(format!("{function}() {reason}"))
}

fn too_many(function: &str, parameters: &[Parameter<'_>], given: usize) -> Exception {
    let most = parameters.len();
    let least = parameters.iter().filter(|parameter| !parameter.has_default).count();
    let (takes, plural) = if least < most {
        (format!("from {least} to {most}"), "s")
    } else {
        (most.to_string(), plural(most))
    };
    let was = if given == 1 { "was" } else { "were" };
    type_error(
        function,
        &format!("takes {takes} positional argument{plural} but {given} {was} given"),
    )
}

fn check_required(
    function: &str,
    parameters: &[Parameter<'_>],
    bound: &[Option<Value>],
) -> Result<(), Exception> {
    let is_missing = |(parameter, value): &(&Parameter<'_>, &Option<Value>)| {
        !parameter.has_default && value.is_none()
    };
    let missing = parameters.iter().zip(bound).filter(is_missing);
    let names: Vec<_> = missing.map(|(parameter, _)| format!("'{}'", parameter.name)).collect();
    if names.is_empty() {
        return Ok(());
    }
    let (count, plural) = (names.len(), plural(names.len()));
    let reason =
        format!("missing {count} required positional argument{plural}: {}", listed(&names));
    Err(type_error(function, &reason))
}

/// Returns `'a'`, `'a' and 'b'`, or `'a', 'b', and 'c'`.
fn listed(names: &[String]) -> String {
    match names {
        [one, other] => format!("{one} and {other}"),
        [first @ .., last] if !first.is_empty() => format!("{}, and {last}", first.join(", ")),
        _ => names.concat(),
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn bound(parameters: &[Parameter<'_>], args: Value, kwargs: Value) -> Result<Value, String> {
        let args = args.as_array().unwrap().clone();
        let kwargs = kwargs.as_object().unwrap().clone();
        bind("f", parameters, args, kwargs).map(|bound| json!(bound)).map_err(|error| {
            assert_eq!(
                (error.exc_type.as_str(), error.exc_module.as_deref()),
                ("TypeError", Some("builtins"))
            );
            error.exc_message[0].as_str().unwrap().to_owned()
        })
    }

    const AB: [Parameter<'_>; 2] = [Parameter::required("a"), Parameter::required("b")];
    const AB_OPTIONAL: [Parameter<'_>; 2] = [Parameter::required("a"), Parameter::optional("b")];
    const ABC: [Parameter<'_>; 3] = [AB[0], AB[1], Parameter::required("c")];

    #[test]
    fn arguments_are_bound_by_position_and_by_name() {
        assert_eq!(bound(&AB, json!([1, 2]), json!({})).unwrap(), json!([1, 2]));
        assert_eq!(bound(&AB, json!([1]), json!({"b": 2})).unwrap(), json!([1, 2]));
        assert_eq!(bound(&AB, json!([]), json!({"b": 2, "a": 1})).unwrap(), json!([1, 2]));
        assert_eq!(bound(&AB_OPTIONAL, json!([1]), json!({})).unwrap(), json!([1, null]));
        assert_eq!(bound(&[], json!([]), json!({})).unwrap(), json!([]));
    }

    #[test]
    fn a_null_that_was_passed_is_no_default() {
        let bound = bind("f", &AB_OPTIONAL, vec![json!(1), Value::Null], Map::new()).unwrap();
        assert_eq!(bound[1], Some(Value::Null));
    }

    #[test]
    fn errors_are_those_of_python() {
        let one = [Parameter::required("a")];
        let one_optional = [Parameter::optional("a")];
        // The right side is Python 3.11's.
        for (parameters, args, kwargs, expected) in [
            (
                &AB[..],
                json!([]),
                json!({"b": 1}),
                "f() missing 1 required positional argument: 'a'",
            ),
            (&AB, json!([]), json!({}), "f() missing 2 required positional arguments: 'a' and 'b'"),
            (
                &ABC,
                json!([]),
                json!({}),
                "f() missing 3 required positional arguments: 'a', 'b', and 'c'",
            ),
            (&AB, json!([1, 2, 3]), json!({}), "f() takes 2 positional arguments but 3 were given"),
            (&one, json!([1, 2]), json!({}), "f() takes 1 positional argument but 2 were given"),
            (&[], json!([1]), json!({}), "f() takes 0 positional arguments but 1 was given"),
            (
                &AB_OPTIONAL,
                json!([1, 2, 3]),
                json!({}),
                "f() takes from 1 to 2 positional arguments but 3 were given",
            ),
            (
                &one_optional,
                json!([1, 2]),
                json!({}),
                "f() takes from 0 to 1 positional arguments but 2 were given",
            ),
            (&AB, json!([1]), json!({"a": 1}), "f() got multiple values for argument 'a'"),
            (&AB, json!([1, 2, 3]), json!({"x": 1}), "f() got an unexpected keyword argument 'x'"),
            (&AB, json!([1, 2, 3]), json!({"a": 1}), "f() got multiple values for argument 'a'"),
        ] {
            assert_eq!(bound(parameters, args, kwargs).unwrap_err(), expected);
        }
    }
}
