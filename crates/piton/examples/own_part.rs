//! A part of one's own: something with settings that starts with the app, is healthy or not, and is
//! an argument of handlers. Try `cargo run -p piton --example own_part -- --set quotes.limit=1`,
//! then `curl http://127.0.0.1:5000/quote`, and `.. config` to see its section.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use piton::config::Problem;
use piton::part::{self, Health, Launch, Part};
use piton::prelude::*;

/// Hands out quotes, a limited number of them.
#[derive(Clone)]
struct Quotes {
    left: Arc<AtomicUsize>,
}

/// How many quotes there are.
#[derive(Settings)]
struct QuotesSettings {
    /// How many quotes may be handed out before the part is down. **Default: `3`.**
    limit: usize,
}

impl Default for QuotesSettings {
    fn default() -> Self {
        Self { limit: 3 }
    }
}

impl Part for Quotes {
    const NAME: &'static str = "quotes";
    type Settings = QuotesSettings;

    async fn start(settings: QuotesSettings, _: &Launch) -> Result<Self, part::Error> {
        if settings.limit == 0 {
            return Err(
                Problem::new("quotes.limit", "no quotes at all", "allow at least one").into()
            );
        }
        Ok(Self { left: Arc::new(AtomicUsize::new(settings.limit)) })
    }

    async fn health(&self) -> Health {
        match self.left.load(Ordering::Relaxed) {
            0 => Health::Down("no quotes left".into()),
            _ => Health::Up,
        }
    }
}

piton::part!(Quotes);

/// One quote, as long as there are any.
#[get("/quote")]
async fn quote(quotes: Quotes) -> Result<&'static str> {
    let take = |left: usize| left.checked_sub(1);
    let taken = quotes.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
    taken.map(|_| "Festina lente.\n").map_err(|_| Error::unavailable("no quotes left"))
}

fn main() -> piton::Exit {
    App::new("own_part").run()
}
