//! The names of what is stored in Redis.

use crate::tasks::redis_settings::RedisTasksSettings;

/// Kombu's separator between the name of a queue and its priority.
const SEPARATOR: &str = "\x06\x16";

/// The set of the ids of tasks that do not start any more.
pub(super) const REVOKED: &str = "piton:revoked";

/// The set of the ids of tasks that are cancelled if they run.
pub(super) const TERMINATED: &str = "piton:terminated";

/// The names of keys and channels. Those that Celery knows are Celery's; our own begin with `piton:`.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    /// Before every key of the broker: Celery's `global_keyprefix`.
    prefix: String,
    /// Before every key of results.
    result_prefix: String,
    /// The least priority of each list of a queue, in rising order.
    steps: Vec<u8>,
}

impl Keys {
    pub fn new(settings: &RedisTasksSettings) -> Self {
        let mut steps = settings.priority_steps.clone();
        steps.sort_unstable();
        steps.dedup();
        Self {
            prefix: settings.key_prefix.clone(),
            result_prefix: settings.result_key_prefix.clone(),
            steps,
        }
    }

    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Returns a key of the broker.
    pub fn named(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    pub fn steps(&self) -> &[u8] {
        &self.steps
    }

    /// Returns the step of a priority: the largest that is not above it.
    pub fn step_of(&self, priority: u8) -> u8 {
        let below = self.steps.iter().copied().filter(|step| *step <= priority);
        below.max().unwrap_or_default()
    }

    /// Returns the list of the messages of a queue that have this step.
    pub fn list(&self, queue: &str, step: u8) -> String {
        match step {
            0 => self.named(queue),
            step => format!("{}{queue}{SEPARATOR}{step}", self.prefix),
        }
    }

    /// Returns the lists of a queue, the first to serve first.
    pub fn lists<'a>(&'a self, queue: &'a str) -> impl Iterator<Item = String> + 'a {
        self.steps.iter().map(move |step| self.list(queue, *step))
    }

    /// Returns the list of the messages of a queue that cannot be read.
    pub fn dead_letters(&self, queue: &str) -> String {
        format!("{}{queue}.dead", self.prefix)
    }

    /// Returns the table of bindings of an exchange.
    pub fn bindings(&self, exchange: &str) -> String {
        format!("{}_kombu.binding.{exchange}", self.prefix)
    }

    /// Returns the entry of a table of bindings for a queue that is bound by its own name.
    pub fn binding(queue: &str) -> String {
        format!("{queue}{SEPARATOR}{SEPARATOR}{queue}")
    }

    /// Returns the key of a result, which is also the channel on which it is published.
    pub fn result(&self, id: &str) -> String {
        format!("{}celery-task-meta-{id}", self.result_prefix)
    }

    /// Returns the id in the key of a result.
    pub fn id_of<'a>(&self, key: &'a str) -> &'a str {
        let name = key.strip_prefix(&self.result_prefix).unwrap_or(key);
        name.strip_prefix("celery-task-meta-").unwrap_or(name)
    }

    /// Returns the pattern of the keys of all results.
    pub fn all_results(&self) -> String {
        let escaped: String = self.result_prefix.chars().flat_map(escape).collect();
        format!("{escaped}celery-task-meta-*")
    }

    /// Returns a key of a group: `""` for its stored members, `.s` for its size, `.j` for the results of its members.
    pub fn group(&self, id: &str, suffix: &str) -> String {
        format!("{}celery-taskset-meta-{id}{suffix}", self.result_prefix)
    }

    /// Returns the key of the summary of a group that was sent by this service.
    pub fn summary(&self, group: &str) -> String {
        format!("{}piton:group:{group}", self.result_prefix)
    }

    /// Returns the key of the message of a task that has failed.
    pub fn message(&self, id: &str) -> String {
        format!("{}piton:message:{id}", self.prefix)
    }
}

/// Returns a character of a pattern that stands for itself.
fn escape(character: char) -> impl Iterator<Item = char> {
    let backslash = "\\*?[]".contains(character).then_some('\\');
    backslash.into_iter().chain(std::iter::once(character))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(prefix: &str) -> Keys {
        let key_prefix = prefix.to_owned();
        let result_key_prefix = "r*".to_owned();
        Keys::new(&RedisTasksSettings { key_prefix, result_key_prefix, ..Default::default() })
    }

    #[test]
    fn lists_are_named_as_kombu_names_them() {
        let keys = keys("p:");
        let steps = [0, 2, 3, 5, 6, 8, 9, 255].map(|priority| keys.step_of(priority));
        assert_eq!(steps, [0, 0, 3, 3, 6, 6, 9, 9]);
        let lists: Vec<_> = keys.lists("q").collect();
        assert_eq!(lists, ["p:q", "p:q\x06\x163", "p:q\x06\x166", "p:q\x06\x169"]);
        assert_eq!(Keys::binding("q"), "q\x06\x16\x06\x16q");
    }

    #[test]
    fn a_prefix_in_a_pattern_stands_for_itself() {
        assert_eq!(keys("").all_results(), "r\\*celery-task-meta-*");
        assert_eq!(keys("").result("1"), "r*celery-task-meta-1");
    }
}
