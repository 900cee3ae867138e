//! Bodies of requests and responses against their limit and the memory budget.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::Request;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::{BodyExt, Limited};

use crate::config::ByteSize;
use crate::http::server::body_limit_errors::{BodyExceedsBudget, BudgetExhausted};
use crate::http::server::request_body_limit::limit;
use crate::http::server::response_body::{MAX_WRITTEN_AT_ONCE, charge};
use crate::memory::{MemoryBudget, MemoryCharge};
use crate::request::body_state::{BodyReader, BodyRefusal, BodyState, MAX_KEPT, PIECE_OVERHEAD};

const MIB: usize = 1 << 20;

/// Returns a request whose body arrives in these pieces.
fn request(pieces: Vec<Bytes>) -> Request<Body> {
    Request::new(Body::from_stream(stream::iter(pieces.into_iter().map(Ok::<_, BudgetExhausted>))))
}

fn pieces(count: usize, size: usize) -> Vec<Bytes> {
    (0..count).map(|_| Bytes::from(vec![b'x'; size])).collect()
}

fn bounded(pieces: Vec<Bytes>, most: usize, budget: &Arc<MemoryBudget>) -> (Body, Arc<BodyState>) {
    let (request, state) = limit(request(pieces), most, budget, &Arc::default()).ok().unwrap();
    (request.into_body(), state.unwrap())
}

#[tokio::test]
async fn a_body_is_charged_until_its_request_ends() {
    let budget = MemoryBudget::new(4 << 20);
    let (body, state) = bounded(pieces(2, MIB), 2 * MIB, &budget);
    assert_eq!(budget.used(), 0, "nothing has arrived");
    let whole = body.collect().await.unwrap().to_bytes();
    assert_eq!(whole.len(), 2 * MIB);
    drop(whole);
    assert!(budget.used() >= 2 << 20, "the handler may have kept it");
    drop(state);
    assert_eq!(budget.used(), 0);
}

#[tokio::test]
async fn a_body_for_which_there_is_no_room_is_cut_off() {
    let budget = MemoryBudget::new(2 << 20);
    let (body, state) = bounded(pieces(2, MIB), 2 * MIB, &budget);
    let error = body.collect().await.unwrap_err().into_inner();
    assert!(error.is::<BodyExceedsBudget>(), "{error}");
    assert_eq!(state.refused(), Some(BodyRefusal::TooLarge));
    drop(state);
    assert_eq!(budget.used(), 0);
}

#[tokio::test]
async fn what_is_announced_and_would_not_fit_is_refused_at_once() {
    let budget = MemoryBudget::new(2 << 20);
    let request = Request::new(Body::from(vec![b'x'; 2 * MIB]));
    assert!(matches!(
        limit(request, 2 * MIB, &budget, &Arc::default()),
        Err(BodyRefusal::TooLarge)
    ));
    let other = MemoryCharge::new(budget.clone());
    assert!(other.grow(1 << 20));
    let request = Request::new(Body::from(vec![b'x'; MIB]));
    assert!(matches!(
        limit(request, 2 * MIB, &budget, &Arc::default()),
        Err(BodyRefusal::BudgetExhausted)
    ));
    drop(other);
    let request = Request::new(Body::from(vec![b'x'; 2 * MIB]));
    let refusal = limit(request, MIB, &budget, &Arc::default()).map(drop).unwrap_err();
    assert_eq!(refusal, BodyRefusal::AboveLimit(ByteSize::mib(1)));
    assert_eq!(budget.used(), 0);
}

#[tokio::test]
async fn a_small_piece_does_not_keep_the_buffer_it_was_read_into() {
    let budget = MemoryBudget::new(1 << 20);
    let buffer = Bytes::from(vec![b'x'; MIB]);
    let read: Vec<Bytes> = (0..100).map(|at| buffer.slice(at..=at)).collect();
    let (mut body, state) = bounded(read, MIB, &budget);
    let mut kept = Vec::new();
    while let Some(piece) = body.frame().await {
        kept.push(piece.unwrap().into_data().unwrap());
    }
    assert!(buffer.is_unique(), "a piece is a copy");
    assert_eq!((kept.len(), kept[0].len()), (1, 100), "what is there at once is joined");
    drop(state);
}

/// Returns a body that is pending after each piece, as hyper's is.
fn trickle(pieces: Vec<Bytes>) -> Body {
    let pieces = stream::iter(pieces).then(|piece| async {
        tokio::task::yield_now().await;
        Ok::<_, BudgetExhausted>(piece)
    });
    Body::from_stream(pieces)
}

#[tokio::test]
async fn a_piece_that_arrives_alone_is_handed_on_and_costs_more_than_its_bytes() {
    let budget = MemoryBudget::new(1 << 20);
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let pieces = stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|piece: Bytes| (Ok::<_, BudgetExhausted>(piece), receiver))
    });
    let request = Request::new(Body::from_stream(pieces));
    let (request, state) = limit(request, MIB, &budget, &Arc::default()).ok().unwrap();
    let mut body = request.into_body();
    for _ in 0..100 {
        sender.send(Bytes::from_static(b"x")).await.unwrap();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "x");
    }
    assert!(budget.used() >= 100 * PIECE_OVERHEAD, "{}", budget.used());
    drop((sender, state));
}

#[tokio::test]
async fn a_body_in_tiny_pieces_is_charged_for_its_bytes() {
    for is_buffered in [false, true] {
        let budget = MemoryBudget::new(16 << 20);
        let body = trickle(vec![Bytes::from_static(b"1234567"); 150_000]);
        let (request, state) =
            limit(Request::new(body), 2 * MIB, &budget, &Arc::default()).ok().unwrap();
        let state = state.unwrap();
        if is_buffered {
            state.announce(BodyReader { buffers: true });
        }
        let mut body = request.into_body();
        let mut length = 0;
        while let Some(piece) = body.frame().await {
            length += piece.unwrap().into_data().unwrap().len();
        }
        assert_eq!((length, state.refused()), (7 * 150_000, None));
        assert!(budget.used() < (length + length / 8) as u64, "{}", budget.used());
    }
}

#[tokio::test]
async fn a_large_body_that_is_copied_stays_charged() {
    let budget = MemoryBudget::new(32 << 20);
    let (mut body, state) = bounded(pieces(40, MIB), 64 * MIB, &budget);
    state.announce(BodyReader { buffers: true });
    for read in 1..=28 {
        drop(body.frame().await.unwrap().unwrap());
        assert_eq!(budget.used(), read << 20);
    }
    let error = body.frame().await.unwrap().unwrap_err().into_inner();
    assert!(error.is::<BodyExceedsBudget>(), "{error}");
    drop((body, state));
    assert_eq!(budget.used(), 0);
}

#[tokio::test]
async fn a_large_body_that_is_let_go_piece_by_piece_is_charged_for_what_is_alive() {
    let budget = MemoryBudget::new(8 << 20);
    let (mut body, state) = bounded(pieces(40, MIB), 64 * MIB, &budget);
    while let Some(piece) = body.frame().await {
        drop(piece.unwrap());
        assert!(budget.used() <= MAX_KEPT + 4096, "{}", budget.used());
    }
    drop((body, state));
    assert_eq!(budget.used(), 0);
}

#[tokio::test]
async fn a_large_body_that_is_kept_is_charged_whole() {
    let budget = MemoryBudget::new(32 << 20);
    let (body, state) = bounded(pieces(16, MIB), 16 * MIB, &budget);
    let whole = body.collect().await.unwrap().to_bytes();
    assert!(budget.used() >= 16 << 20, "{}", budget.used());
    drop((whole, state));
    assert_eq!(budget.used(), 0);
    let (body, _state) = bounded(pieces(40, MIB), 64 * MIB, &budget);
    assert!(body.collect().await.unwrap_err().into_inner().is::<BodyExceedsBudget>());
}

#[tokio::test]
async fn an_answer_is_charged_until_the_last_piece_is_gone() {
    let budget = MemoryBudget::new(4 << 20);
    let answer = || Response::new(Body::from(vec![b'x'; MIB]));
    let response = charge(answer(), &budget, true).unwrap();
    assert_eq!(response.body().size_hint().exact(), Some(1 << 20));
    let mut body = response.into_body();
    let (mut last, mut read) = (None, 0);
    while let Some(piece) = body.frame().await {
        let piece = piece.unwrap().into_data().unwrap();
        assert!(piece.len() <= MAX_WRITTEN_AT_ONCE);
        read += piece.len();
        last = Some(piece);
    }
    drop(body);
    assert_eq!((read, budget.used()), (MIB, 1 << 20));
    drop(last);
    assert_eq!(budget.used(), 0);

    let waiting: Vec<_> = (0..3).map(|_| charge(answer(), &budget, true).unwrap()).collect();
    assert!(charge(answer(), &budget, true).is_err());
    let done = charge(answer(), &budget, false).unwrap();
    assert_eq!(budget.used(), 4 << 20, "what was done is told all the same");
    drop((waiting, done));
    assert_eq!(budget.used(), 0);
}

#[tokio::test]
async fn answers_that_are_small_or_made_while_they_are_sent_are_not_charged() {
    let budget = MemoryBudget::new(1 << 20);
    let small = charge(Response::new(Body::from(vec![0; 1 << 16])), &budget, true).unwrap();
    let stream = stream::iter((0..64).map(|_| Ok::<_, BudgetExhausted>(Bytes::from(vec![0; MIB]))));
    let body = Limited::new(Body::from_stream(stream), 64 * MIB);
    let streamed = charge(Response::new(Body::new(body)), &budget, true).unwrap();
    assert_eq!(budget.used(), 0);
    assert_eq!(streamed.into_body().collect().await.unwrap().to_bytes().len(), 64 * MIB);
    drop(small);
}

#[tokio::test]
async fn a_body_of_known_size_that_comes_in_pieces_loses_none_of_them() {
    /// A body such as a file's, whose size is known before it is read.
    struct File(Vec<Bytes>);

    impl http_body::Body for File {
        type Data = Bytes;
        type Error = BudgetExhausted;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BudgetExhausted>>> {
            Poll::Ready(self.0.pop().map(|piece| Ok(Frame::data(piece))))
        }

        fn size_hint(&self) -> SizeHint {
            SizeHint::with_exact(self.0.iter().map(|piece| piece.len() as u64).sum())
        }
    }

    let budget = MemoryBudget::new(1 << 20);
    let file = Response::new(Body::new(File(pieces(4, MIB))));
    let response = charge(file, &budget, true).unwrap();
    assert_eq!((response.body().size_hint().exact(), budget.used()), (Some(4 << 20), 0));
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes().len(), 4 * MIB);
}
