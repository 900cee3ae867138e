//! [`ChordMember`]: the place of a task in a chord, which its message carries.

use piton_celery::{Embed, Envelope, Signature, TaskHeaders};

/// Maximum size of a body that is read for the chord in it, or written anew.
pub(super) const MAX_BODY_BYTES: usize = 64 << 20;

/// The place of a task in a chord.
#[derive(Clone, Debug)]
pub(super) struct ChordMember {
    pub group: String,
    /// The position among the results. `None` is the end.
    pub position: Option<i64>,
    pub body: Signature,
    pub root_id: String,
}

impl ChordMember {
    pub fn new(headers: &TaskHeaders, embed: Embed) -> Option<Box<Self>> {
        Some(Box::new(Self {
            group: headers.group.clone()?,
            position: headers.group_index,
            body: embed.chord?,
            root_id: headers.root_id.clone().unwrap_or_else(|| headers.id.clone()),
        }))
    }

    /// Returns the place of the task that a message is of.
    pub fn of_message(message: &str) -> Option<Box<Self>> {
        let mut envelope = Envelope::<TaskHeaders>::from_slice(message.as_bytes()).ok()?;
        let body = envelope.decode_body(MAX_BODY_BYTES).ok()?;
        Self::new(&envelope.headers, body.embed)
    }

    /// Returns the position as a score.
    pub fn position(&self) -> String {
        self.position.map_or_else(|| "+inf".to_owned(), |position| position.to_string())
    }
}
