//! JSON Pointers (RFC 6901): built from serde's path or from a position in the text, and followed into a value.

use serde_json::Value;
use serde_path_to_error::Segment;

use crate::json_scanner::length_of_string;

/// Appends a reference token, with `~` and `/` escaped (RFC 6901, section 3).
pub(super) fn push_token(pointer: &mut String, token: &str) {
    pointer.push('/');
    pointer.push_str(&token.replace('~', "~0").replace('/', "~1"));
}

/// Returns the pointer of a path of `serde_path_to_error`.
pub(super) fn pointer_of_path(path: &serde_path_to_error::Path) -> String {
    let mut pointer = String::new();
    for segment in path.iter() {
        match segment {
            Segment::Seq { index } => push_token(&mut pointer, &index.to_string()),
            Segment::Map { key } => push_token(&mut pointer, key),
            Segment::Enum { variant } => push_token(&mut pointer, variant),
            Segment::Unknown => {}
        }
    }
    pointer
}

/// Removes the member at `pointer` from its object. Returns false if there is no such member, or the pointer is that of
/// an element of a list, whose removal would shift the others.
pub(super) fn remove_member(body: &mut Value, pointer: &str) -> bool {
    let Some((parent, token)) = pointer.rsplit_once('/') else { return false };
    let name = token.replace("~1", "/").replace("~0", "~");
    let parent = body.pointer_mut(parent).and_then(Value::as_object_mut);
    parent.is_some_and(|parent| parent.remove(&name).is_some())
}

/// An object or a list that is not closed yet.
enum OpenContainer<'a> {
    /// Has the last name, as it is written, and whether its `:` is still to come.
    Object(Option<&'a [u8]>, bool),
    /// Has the number of elements before.
    List(usize),
}

/// Returns the pointer of the member of `json` whose name ends at `end` or later, or `None` if there is no name at that
/// position.
///
/// serde_path_to_error does not tell the name if the name itself is rejected, so it is looked up in the text.
pub(super) fn pointer_of_name(json: &[u8], end: usize) -> Option<String> {
    let mut open = Vec::new();
    let mut at = 0;
    while at < end {
        let length = if json[at] == b'"' { length_of_string(&json[at..]) } else { 1 };
        match (json[at], open.last_mut()) {
            (b'{', _) => open.push(OpenContainer::Object(None, true)),
            (b'[', _) => open.push(OpenContainer::List(0)),
            (b'}' | b']', _) => drop(open.pop()),
            (b',', Some(OpenContainer::List(items))) => *items += 1,
            (b',', Some(OpenContainer::Object(name, awaits_colon))) => {
                (*name, *awaits_colon) = (None, true);
            }
            (b':', Some(OpenContainer::Object(_, awaits_colon))) => *awaits_colon = false,
            (b'"', Some(OpenContainer::Object(name, true))) => *name = json.get(at..at + length),
            _ => {}
        }
        at += length;
    }
    let Some(OpenContainer::Object(Some(_), true)) = open.last() else { return None };
    let mut pointer = String::new();
    for step in &open {
        match step {
            OpenContainer::Object(name, _) => {
                push_token(&mut pointer, &decode_name(name.unwrap_or_default()));
            }
            OpenContainer::List(items) => push_token(&mut pointer, &items.to_string()),
        }
    }
    Some(pointer)
}

/// Decodes a name. One with half a surrogate pair, which is not valid UTF-8, is returned as it is written.
fn decode_name(literal: &[u8]) -> String {
    let written = || String::from_utf8_lossy(literal).trim_matches('"').to_owned();
    serde_json::from_slice(literal).unwrap_or_else(|_| written())
}
