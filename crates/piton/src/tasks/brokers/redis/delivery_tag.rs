//! [`DeliveryTag`]: the name of one delivery of a message among the unacknowledged ones.

use std::fmt;

/// The name of a delivery, of which each has its own: what is acknowledged late under an old one touches nothing.
/// Celery treats it as opaque text.
///
/// It says who has the message and where it goes when it is given back, so that no further table is needed for that.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct DeliveryTag {
    pub holder: Holder,
    /// Unique among those of the holder.
    pub number: String,
    /// The step of the message's priority.
    pub step: u8,
    pub queue: String,
}

/// The holder of a message that is in no queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Holder {
    /// The worker that runs the task, or soon will.
    Worker(i64),
    /// The schedule: the message waits until its task is due.
    Schedule,
}

/// The mark of tags that are ours.
const MARK: &str = "piton";

/// The mark of a message that waits for its time.
const SCHEDULE: &str = "eta";

impl DeliveryTag {
    /// Reads a tag. Returns `None` if another program has made it.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(5, ':');
        let mut next = || parts.next();
        (next()? == MARK).then_some(())?;
        let holder = match next()? {
            SCHEDULE => Holder::Schedule,
            worker => Holder::Worker(worker.parse().ok()?),
        };
        let (number, step) = (next()?.to_owned(), next()?.parse().ok()?);
        Some(Self { holder, number, step, queue: next()?.to_owned() })
    }

    /// Returns the number of the claim that the delivery came from.
    pub fn batch(&self) -> Option<u64> {
        self.number.split('.').next()?.parse().ok()
    }

    /// Returns the place of the delivery among those of its holder.
    pub fn place(&self) -> (u64, u64) {
        let index = self.number.split('.').nth(1).and_then(|index| index.parse().ok());
        (self.batch().unwrap_or_default(), index.unwrap_or_default())
    }

    /// Returns the pattern of the tags of one claim.
    pub fn all_of_batch(worker: i64, batch: u64) -> String {
        format!("{MARK}:{worker}:{batch}.*")
    }

    /// Returns the pattern of all tags of a worker.
    pub fn all_of(worker: i64) -> String {
        format!("{MARK}:{worker}:*")
    }
}

impl fmt::Display for DeliveryTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { holder, number, step, queue } = self;
        match holder {
            Holder::Schedule => write!(f, "{MARK}:{SCHEDULE}:{number}:{step}:{queue}"),
            Holder::Worker(worker) => write!(f, "{MARK}:{worker}:{number}:{step}:{queue}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_read_as_it_was_written() {
        for holder in [Holder::Worker(7), Holder::Schedule] {
            let tag = DeliveryTag { holder, number: "3.1".into(), step: 9, queue: "a:b".into() };
            assert_eq!(DeliveryTag::parse(&tag.to_string()), Some(tag));
        }
        for foreign in ["", "5f3a-77", "piton:x:1:0:q", "piton:1:2", "piton:eta:1:x:q"] {
            assert_eq!(DeliveryTag::parse(foreign), None, "{foreign}");
        }
    }
}
