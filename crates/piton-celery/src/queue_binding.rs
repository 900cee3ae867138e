//! Bindings of queues to exchanges, as Kombu keeps them in a set of Redis.

use std::fmt;

/// The text between the parts of a member: Kombu's `sep`.
const SEPARATOR: &str = "\x06\x16";

/// A member of the set `_kombu.binding.<exchange>`: a queue that gets messages of the exchange.
///
/// ```
/// use piton_celery::QueueBinding;
/// let binding = QueueBinding::parse("celery\x06\x16\x06\x16celery").unwrap();
/// assert_eq!((binding.routing_key, binding.queue), ("celery", "celery"));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct QueueBinding<'a> {
    /// The routing key. Empty for an exchange that sends to all its queues.
    pub routing_key: &'a str,
    /// The pattern of an exchange of topics. Empty for all others.
    pub pattern: &'a str,
    /// The name of the queue.
    pub queue: &'a str,
}

impl<'a> QueueBinding<'a> {
    /// Returns the binding of a queue to a direct exchange, which sends to the queues of a message's routing key.
    #[must_use]
    pub fn direct(routing_key: &'a str, queue: &'a str) -> Self {
        Self { routing_key, pattern: "", queue }
    }

    /// Reads a member. Returns `None` if it has not three parts.
    #[must_use]
    pub fn parse(member: &'a str) -> Option<Self> {
        let mut parts = member.split(SEPARATOR);
        let binding =
            Self { routing_key: parts.next()?, pattern: parts.next()?, queue: parts.next()? };
        parts.next().is_none().then_some(binding)
    }
}

/// Writes the member.
impl fmt::Display for QueueBinding<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { routing_key, pattern, queue } = self;
        write!(f, "{routing_key}{SEPARATOR}{pattern}{SEPARATOR}{queue}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_members_are_read_and_written() {
        // Of a worker of Celery 5.7.0 that starts.
        for (member, routing_key, queue) in [
            ("celery\x06\x16\x06\x16celery", "celery", "celery"),
            ("\x06\x16\x06\x16w1@vm.celery.pidbox", "", "w1@vm.celery.pidbox"),
            ("worker.#\x06\x16\x06\x16celeryev.3021cc36", "worker.#", "celeryev.3021cc36"),
            (
                "e67a2cc2\x06\x16\x06\x16e67a2cc2.reply.celery.pidbox",
                "e67a2cc2",
                "e67a2cc2.reply.celery.pidbox",
            ),
        ] {
            let binding = QueueBinding::parse(member).unwrap();
            assert_eq!(binding, QueueBinding::direct(routing_key, queue));
            assert_eq!(binding.to_string(), member);
        }
    }

    #[test]
    fn a_member_has_three_parts() {
        for member in ["", "celery", "a\x06\x16b", "a\x06\x16b\x06\x16c\x06\x16d"] {
            assert_eq!(QueueBinding::parse(member), None, "{member:?}");
        }
    }
}
