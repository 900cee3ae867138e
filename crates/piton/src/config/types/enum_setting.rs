//! [`setting_enum!`](crate::setting_enum!): settings that choose between names.

use crate::config::similar_names::suggest;

/// Declares an enum whose variants have a name in settings, and implements
/// [`Setting`](crate::config::Setting) for it. Names are case-insensitive; further names after the first
/// are read but not documented; an unknown name is refused with the most similar one.
///
/// ```
/// piton::setting_enum! {
///     /// How eager the worker is.
///     pub enum Pace: default Calm {
///         /// One task at a time.
///         Calm = "calm" | "slow",
///         /// As many as there are cores.
///         Busy = "busy",
///     }
/// }
///
/// assert_eq!("SLOW".parse(), Ok(Pace::Calm));
/// assert_eq!("bussy".parse::<Pace>(), Err("expected `calm` or `busy`: did you mean `busy`?".into()));
/// ```
#[macro_export]
macro_rules! setting_enum {
    (
        $(#[$meta:meta])*
        $visible:vis enum $name:ident: default $default:ident {
            $( $(#[doc = $doc:literal])* $variant:ident = $text:literal $(| $alias:literal)* ),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        $visible enum $name {
            $( $(#[doc = $doc])* $variant, )+
        }

        impl $name {
            /// Returns the name in settings.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant => $text, )+ }
            }
        }

        impl ::core::default::Default for $name {
            fn default() -> Self {
                Self::$default
            }
        }

        impl ::core::fmt::Display for $name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl ::core::str::FromStr for $name {
            type Err = ::std::string::String;

            fn from_str(text: &str) -> ::core::result::Result<Self, Self::Err> {
                const CHOICES: &[(&str, $name)] = &[
                    $( ($text, $name::$variant), $( ($alias, $name::$variant), )* )+
                ];
                let text = text.trim();
                match CHOICES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
                    ::core::option::Option::Some((_, choice)) => ::core::result::Result::Ok(*choice),
                    ::core::option::Option::None => ::core::result::Result::Err(
                        $crate::config::reject_name(text, &[$( $text ),+]),
                    ),
                }
            }
        }

        impl $crate::config::Setting for $name {
            fn expects() -> ::std::borrow::Cow<'static, str> {
                $crate::config::list_names(&[$( $text ),+]).into()
            }

            fn parse(value: &$crate::config::Value) -> ::core::result::Result<Self, ::std::string::String> {
                match value {
                    $crate::config::Value::String(text) => text.parse(),
                    // Numbers too, because a name may be one: Python's level `10` is `DEBUG`.
                    $crate::config::Value::Number(number) => number.to_string().parse(),
                    _ => ::core::result::Result::Err(
                        ::std::format!("expected {}", <Self as $crate::config::Setting>::expects()),
                    ),
                }
            }

            fn show(&self) -> $crate::config::Value {
                $crate::config::Value::from(self.name())
            }

            fn schema() -> $crate::config::Value {
                $crate::config::enum_schema(&[$( ($text, ::core::concat!($( $doc, "\n" ),*)) ),+])
            }
        }
    };
}

/// Returns a list of names for people: `` `a`, `b` or `c` ``.
#[doc(hidden)]
#[must_use]
pub fn list_names(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

/// Returns the message that refuses a name, with the most similar one.
#[doc(hidden)]
#[must_use]
pub fn reject_name(given: &str, names: &[&str]) -> String {
    let expected = format!("expected {}", list_names(names));
    match suggest(given, names.iter().copied()) {
        Some(name) => format!("{expected}: did you mean `{name}`?"),
        None => expected,
    }
}

/// Returns the JSON Schema of a choice, with the description of each name.
#[doc(hidden)]
#[must_use]
pub fn enum_schema(choices: &[(&str, &str)]) -> serde_json::Value {
    let choice = |(name, doc): &(&str, &str)| {
        let doc: Vec<_> = doc.trim().lines().map(str::trim).collect();
        serde_json::json!({ "const": name, "description": doc.join("\n") })
    };
    serde_json::json!({ "type": "string", "oneOf": choices.iter().map(choice).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::config::Setting;

    crate::setting_enum! {
        /// A pace.
        pub enum Pace: default Calm {
            /// One at a time,
            /// in order.
            Calm = "calm" | "slow",
            /// All at once.
            Busy = "busy",
            Idle = "idle",
        }
    }

    #[test]
    fn names_and_further_names_are_read_in_any_case() {
        for calm in ["calm", "CALM", "Slow", " calm "] {
            assert_eq!(Pace::parse(&json!(calm)), Ok(Pace::Calm));
        }
        assert_eq!(Pace::default(), Pace::Calm);
        assert_eq!(Pace::Busy.show(), json!("busy"));
        assert_eq!(Pace::Busy.to_string(), "busy");
    }

    #[test]
    fn a_wrong_name_is_refused_with_the_nearest() {
        let why = "expected `calm`, `busy` or `idle`: did you mean `busy`?";
        assert_eq!(Pace::parse(&json!("bsuy")), Err(why.into()));
        let why = "expected `calm`, `busy` or `idle`";
        assert_eq!(Pace::parse(&json!("frantic")), Err(why.into()));
        assert_eq!(Pace::parse(&json!(3)), Err(why.into()));
    }

    #[test]
    fn the_schema_says_what_each_name_means() {
        let schema = Pace::schema();
        let calm = json!({"const": "calm", "description": "One at a time,\nin order."});
        assert_eq!(schema["oneOf"][0], calm);
        assert_eq!(schema["oneOf"][2], json!({"const": "idle", "description": ""}));
    }
}
