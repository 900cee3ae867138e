//! The arguments of a task as logs and monitors show them: Python's syntax, of limited length and depth.
//!
//! This is Celery's `saferepr` (`celery/utils/saferepr.py`), so that a task looks the same from either language. It
//! differs from [`python_repr`](crate::python_repr) by its limits, and writes text without escapes.

use serde_json::{Map, Value};

use crate::python_repr::scalar_repr;
use crate::typed_repr;
use crate::typed_values;

/// Maximum length in characters. The rest of the last text, and closing brackets, may exceed it by a few.
const MAX_CHARACTERS: usize = 1024;

/// Maximum depth. Deeper lists and objects are `[...]` and `{...}`.
const MAX_DEPTH: usize = 3;

/// Returns positional arguments as Python shows a tuple: `(2, 'x')`.
///
/// ```
/// assert_eq!(piton_celery::args_repr(&[serde_json::json!(2)]), "(2,)");
/// ```
#[must_use]
pub fn args_repr(args: &[Value]) -> String {
    let mut repr = SafeRepr::new();
    repr.sequence("(", args, if args.len() == 1 { ",)" } else { ")" });
    repr.out
}

/// Returns arguments by name as Python shows a dict: `{'force': True}`. They are in the order of the [`Map`].
#[must_use]
pub fn kwargs_repr(kwargs: &Map<String, Value>) -> String {
    let mut repr = SafeRepr::new();
    repr.object(kwargs);
    repr.out
}

/// Returns a value as Celery shows it in events and logs, such as the result of a task.
#[must_use]
pub fn safe_repr(value: &Value) -> String {
    let mut repr = SafeRepr::new();
    repr.value(value);
    repr.out
}

struct SafeRepr {
    out: String,
    /// Characters that may still be written.
    remaining: usize,
    depth: usize,
    /// Set when the limit was reached: only brackets that are open are closed then.
    truncated: bool,
}

impl SafeRepr {
    fn new() -> Self {
        Self { out: String::new(), remaining: MAX_CHARACTERS, depth: 0, truncated: false }
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Array(_) if self.depth >= MAX_DEPTH => self.token("[...]"),
            Value::Array(items) => self.sequence("[", items, "]"),
            Value::Object(members) => self.object_or_typed(members),
            Value::String(text) => self.text("", text),
            scalar => self.scalar(&scalar_repr(scalar)),
        }
    }

    fn object_or_typed(&mut self, members: &Map<String, Value>) {
        match typed_values::parts(members) {
            Some((name @ ("bytes" | "base64"), value)) => {
                let bytes = typed_values::bytes_of(name, value).unwrap_or_default();
                self.bytes(bytes);
            }
            Some((name, value)) => match typed_repr::repr_without_bytes(name, value) {
                Some(repr) => self.scalar(&repr),
                None => self.object(members),
            },
            None => self.object(members),
        }
    }

    fn sequence(&mut self, open: &str, items: &[Value], close: &str) {
        self.nested(open, close, |repr| {
            for (at, item) in items.iter().enumerate() {
                if repr.separate(at) {
                    return;
                }
                repr.value(item);
            }
        });
    }

    fn object(&mut self, members: &Map<String, Value>) {
        if self.depth >= MAX_DEPTH {
            return self.token("{...}");
        }
        self.nested("{", "}", |repr| {
            for (at, (name, value)) in members.iter().enumerate() {
                if repr.separate(at) {
                    return;
                }
                repr.text("", name);
                repr.token(": ");
                repr.value(value);
            }
        });
    }

    /// Writes a separator before all but the first item. Returns whether the limit was reached.
    fn separate(&mut self, at: usize) -> bool {
        if at > 0 {
            self.token(", ");
        }
        self.truncated
    }

    fn nested(&mut self, open: &str, close: &str, content: impl FnOnce(&mut Self)) {
        self.token(open);
        // What was not opened is not closed either.
        if self.truncated {
            return;
        }
        self.depth += 1;
        content(self);
        self.depth -= 1;
        self.push(close);
    }

    /// Writes a token, or the sign that the limit was reached before it.
    fn token(&mut self, token: &str) {
        if self.remaining > 0 {
            self.push(token);
        } else if !self.truncated {
            self.truncated = true;
            self.out.push_str(", ...");
        }
    }

    fn push(&mut self, token: &str) {
        self.out.push_str(token);
        self.remaining = self.remaining.saturating_sub(token.chars().count());
    }

    fn scalar(&mut self, repr: &str) {
        let token = truncate(repr, self.remaining);
        self.token(&token);
    }

    fn text(&mut self, prefix: &str, text: &str) {
        let text = truncate(text, self.remaining).replace('\'', "\\'");
        self.token(&format!("{prefix}'{text}'"));
    }

    /// Writes bytes as text if they are UTF-8, otherwise in hexadecimal, without escapes.
    fn bytes(&mut self, mut bytes: Vec<u8>) {
        let ellipsis = if bytes.len() > self.remaining { "..." } else { "" };
        bytes.truncate(self.remaining);
        let text = String::from_utf8(bytes).unwrap_or_else(|error| {
            error.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
        });
        self.token(&format!("b'{text}{ellipsis}'"));
    }
}

/// Cuts text off at the last space before the limit, as Celery does also where the text just fits.
fn truncate(text: &str, max_characters: usize) -> String {
    // Bytes are never fewer than characters: short texts are not counted.
    if text.len() < max_characters || text.chars().count() < max_characters {
        return text.to_owned();
    }
    let end = text.char_indices().nth(max_characters).map_or(text.len(), |(at, _)| at);
    let kept = &text[..end];
    format!("{}...", kept.rsplit_once(' ').map_or(kept, |(kept, _)| kept))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn repr(value: Value) -> String {
        safe_repr(&value)
    }

    #[test]
    fn arguments_look_like_a_tuple_and_a_dict() {
        assert_eq!(args_repr(&[]), "()");
        assert_eq!(args_repr(&[json!(2), json!("x")]), "(2, 'x')");
        assert_eq!(kwargs_repr(&Map::new()), "{}");
        assert_eq!(
            kwargs_repr(json!({"a": null, "b": [true]}).as_object().unwrap()),
            "{'a': None, 'b': [True]}"
        );
    }

    #[test]
    fn depth_is_limited_to_three() {
        assert_eq!(repr(json!([[[[]]]])), "[[[[...]]]]");
        assert_eq!(repr(json!({"a": {"b": {"c": {"d": 1}}}})), "{'a': {'b': {'c': {...}}}}");
    }

    #[test]
    fn text_is_not_escaped_but_for_quotes() {
        assert_eq!(repr(json!("it's\n\\")), "'it\\'s\n\\'");
    }

    #[test]
    fn long_values_are_cut_and_their_brackets_closed() {
        let text = repr(json!(["x".repeat(5000), 1]));
        assert_eq!(text, format!("['{}...', ...]", "x".repeat(1023)));
        let numbers = repr(json!([[(0..5000).collect::<Vec<_>>()], 1]));
        assert!(numbers.ends_with(", ...]]]") && numbers.len() < 1040, "{numbers}");
    }
}
