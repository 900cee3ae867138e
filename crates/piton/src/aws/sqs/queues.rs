//! From a queue's name to its address, asked for once.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use crate::aws::{Error, Kind};

/// A service that makes up names would fill the memory otherwise.
const MOST: usize = 1000;

/// What is known of the queues.
#[derive(Default)]
pub(super) struct Queues(Mutex<HashMap<String, Arc<OnceCell<String>>>>);

impl Queues {
    /// The address of a queue. Whoever asks at the same time waits for the same answer.
    pub async fn url<F>(&self, name: &str, ask: impl FnOnce() -> F) -> Result<String, Error>
    where
        F: Future<Output = Result<String, Error>>,
    {
        if is_url(name) {
            return Ok(name.to_owned());
        }
        if let Some(why) = wrong_name(name) {
            return Err(Error::new(Kind::Invalid, format!("the queue `{name}`: {why}")));
        }
        let cell = self.cell(name);
        cell.get_or_try_init(ask).await.cloned()
    }

    fn cell(&self, name: &str) -> Arc<OnceCell<String>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST && !known.contains_key(name) {
            known.clear();
        }
        known.entry(name.to_owned()).or_default().clone()
    }

    /// There is no such queue (any more): the next who needs it asks again.
    pub fn forget(&self, name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}

fn is_url(name: &str) -> bool {
    name.starts_with("https://") || name.starts_with("http://")
}

/// Whether messages of the queue have an order.
pub(super) fn is_fifo(name: &str) -> bool {
    name.ends_with(".fifo")
}

/// What a queue is called in figures and log lines: its name, of a URL too.
pub(super) fn short(name: &str) -> &str {
    if is_url(name) { name.rsplit('/').next().unwrap_or(name) } else { name }
}

/// Why this cannot be the name of a queue.
pub(super) fn wrong_name(name: &str) -> Option<&'static str> {
    if is_url(name) {
        return None;
    }
    let stem = name.strip_suffix(".fifo").unwrap_or(name);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if stem.is_empty() || name.len() > 80 {
        Some("the name of a queue has 1 to 80 characters")
    } else if !stem.bytes().all(plain) {
        Some(
            "the name of a queue is made of letters, digits, `-`, `_`, and perhaps `.fifo` at its end",
        )
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_queue_is_asked_for_once_and_again_when_it_is_gone() {
        let (queues, asked) = (Queues::default(), AtomicUsize::new(0));
        let ask = || async {
            let times = asked.fetch_add(1, Ordering::SeqCst);
            if times == 0 { Err(Error::new(Kind::NotFound, "none")) } else { Ok("http://q".into()) }
        };
        assert!(queues.url("q", ask).await.is_err(), "a failure is not remembered");
        assert_eq!(queues.url("q", ask).await.unwrap(), "http://q");
        assert_eq!(queues.url("q", ask).await.unwrap(), "http://q");
        assert_eq!(asked.load(Ordering::SeqCst), 2);
        queues.forget("q");
        assert!(queues.url("q", ask).await.is_ok());
        assert_eq!(asked.load(Ordering::SeqCst), 3);
        assert_eq!(queues.url("https://sqs/1/q", ask).await.unwrap(), "https://sqs/1/q");
        assert_eq!(asked.load(Ordering::SeqCst), 3, "a URL is taken as it is");
    }

    #[tokio::test]
    async fn made_up_names_do_not_fill_the_memory() {
        let queues = Queues::default();
        for number in 0..3000 {
            let _ = queues.url(&format!("q{number}"), || async { Ok(String::new()) }).await;
        }
        assert!(queues.0.lock().unwrap().len() <= MOST);
    }

    #[test]
    fn what_cannot_be_the_name_of_a_queue_is_refused() {
        for right in ["gnar-queue", "a_b.fifo", "https://sqs.eu-central-1.amazonaws.com/1/q"] {
            assert_eq!(wrong_name(right), None, "{right}");
        }
        for wrong in ["", ".fifo", "a b", "a.b", "ü", &"x".repeat(81)] {
            assert!(wrong_name(wrong).is_some(), "{wrong}");
        }
        assert_eq!(short("https://sqs.eu-central-1.amazonaws.com/1/q.fifo"), "q.fifo");
    }
}
