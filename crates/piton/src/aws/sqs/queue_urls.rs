//! [`QueueUrls`]: caches the URL of each queue; checks of queue names.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::OnceCell;

use crate::aws::{Error, Kind};

/// Maximum number of cached URLs: a service that builds names from its data would otherwise fill the memory.
const MAX_URLS: usize = 1000;

/// The URLs of queues, by name.
#[derive(Default)]
pub(super) struct QueueUrls(Mutex<HashMap<String, Arc<OnceCell<String>>>>);

impl QueueUrls {
    /// Returns the URL of a queue, calling `request` if it is not cached. Concurrent callers share one
    /// request.
    ///
    /// # Errors
    /// The name is not valid, or `request` failed. Failures are not cached.
    pub async fn get<F>(&self, name: &str, request: impl FnOnce() -> F) -> Result<String, Error>
    where
        F: Future<Output = Result<String, Error>>,
    {
        if is_url(name) {
            return Ok(name.to_owned());
        }
        check_name(name)
            .map_err(|why| Error::new(Kind::Invalid, format!("the queue `{name}`: {why}")))?;
        let cell = self.cell(name);
        cell.get_or_try_init(request).await.cloned()
    }

    fn cell(&self, name: &str) -> Arc<OnceCell<String>> {
        let mut urls = self.0.lock();
        if urls.len() >= MAX_URLS && !urls.contains_key(name) {
            urls.clear();
        }
        urls.entry(name.to_owned()).or_default().clone()
    }

    /// Forgets the URL of a queue that does not exist (any more), so that the next call requests it again.
    pub fn forget(&self, name: &str) {
        self.0.lock().remove(name);
    }
}

fn is_url(name: &str) -> bool {
    name.starts_with("https://") || name.starts_with("http://")
}

/// Returns whether the queue is a FIFO queue, by its name.
pub(super) fn is_fifo(name: &str) -> bool {
    name.ends_with(".fifo")
}

/// Returns the name of a queue for metrics and logs, also from a URL.
pub(super) fn short_name(name: &str) -> &str {
    if is_url(name) { name.rsplit('/').next().unwrap_or(name) } else { name }
}

/// Checks the name of a queue.
///
/// # Errors
/// The reason why the name is not valid.
pub(super) fn check_name(name: &str) -> Result<(), &'static str> {
    if is_url(name) {
        return Ok(());
    }
    let stem = name.strip_suffix(".fifo").unwrap_or(name);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if stem.is_empty() || name.len() > 80 {
        Err("the name of a queue has 1 to 80 characters")
    } else if !stem.bytes().all(plain) {
        Err(
            "the name of a queue is made of letters, digits, `-` and `_`, optionally with `.fifo` at its end",
        )
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_url_is_requested_once_and_again_after_it_was_forgotten() {
        let (urls, requests) = (QueueUrls::default(), AtomicUsize::new(0));
        let request = || async {
            let times = requests.fetch_add(1, Ordering::SeqCst);
            if times == 0 { Err(Error::new(Kind::NotFound, "none")) } else { Ok("http://q".into()) }
        };
        assert!(urls.get("q", request).await.is_err(), "a failure is not cached");
        assert_eq!(urls.get("q", request).await.unwrap(), "http://q");
        assert_eq!(urls.get("q", request).await.unwrap(), "http://q");
        assert_eq!(requests.load(Ordering::SeqCst), 2);
        urls.forget("q");
        assert!(urls.get("q", request).await.is_ok());
        assert_eq!(requests.load(Ordering::SeqCst), 3);
        assert_eq!(urls.get("https://sqs/1/q", request).await.unwrap(), "https://sqs/1/q");
        assert_eq!(requests.load(Ordering::SeqCst), 3, "a URL needs no request");
    }

    #[tokio::test]
    async fn the_number_of_cached_urls_is_bounded() {
        let urls = QueueUrls::default();
        for number in 0..3000 {
            let _ = urls.get(&format!("q{number}"), || async { Ok(String::new()) }).await;
        }
        assert!(urls.0.lock().len() <= MAX_URLS);
    }

    #[test]
    fn an_invalid_name_is_refused() {
        for right in ["gnar-queue", "a_b.fifo", "https://sqs.eu-central-1.amazonaws.com/1/q"] {
            assert_eq!(check_name(right), Ok(()), "{right}");
        }
        for wrong in ["", ".fifo", "a b", "a.b", "ü", &"x".repeat(81)] {
            assert!(check_name(wrong).is_err(), "{wrong}");
        }
        assert_eq!(short_name("https://sqs.eu-central-1.amazonaws.com/1/q.fifo"), "q.fifo");
    }
}
