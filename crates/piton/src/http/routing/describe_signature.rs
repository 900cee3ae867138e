//! Describes a handler by the types in its signature.
//!
//! A type that implements [`Input`] or [`Output`] describes itself; any other is recorded as
//! undocumented instead of being refused. Stable Rust has no specialization, so this uses "autoref
//! specialization": the macros call `(&Probe::<T>::NEW).describe_input(..)`, and a method found without
//! another `&` wins, so that [`KnownInput`] is chosen where the type implements the trait.

use std::future::Future;
use std::marker::PhantomData;

use super::operation::{Input, Operation, Output};

/// Stands for the type `T`.
pub struct Probe<T>(PhantomData<T>);

impl<T> Probe<T> {
    pub const NEW: Self = Self(PhantomData);
}

pub trait KnownInput {
    fn describe_input(&self, operation: &mut Operation);
}

impl<T: Input> KnownInput for Probe<T> {
    fn describe_input(&self, operation: &mut Operation) {
        T::describe(operation);
    }
}

pub trait UnknownInput {
    fn describe_input(&self, operation: &mut Operation);
}

impl<T> UnknownInput for &Probe<T> {
    fn describe_input(&self, operation: &mut Operation) {
        operation.undocumented_input(std::any::type_name::<T>());
    }
}

/// The compiler looks for a method with as many `&` as its receiver has, then with one less: of
/// [`KnownOutput`], then of [`UnknownResult`], then of [`UnknownOutput`].
pub trait KnownOutput {
    fn describe_output(&self, operation: &mut Operation);
}

impl<T: Output> KnownOutput for &&Probe<T> {
    fn describe_output(&self, operation: &mut Operation) {
        T::describe(operation);
    }
}

pub trait UnknownResult {
    fn describe_output(&self, operation: &mut Operation);
}

/// A `Result` whose success has no description, such as `Result<impl IntoResponse>`.
impl<T, E> UnknownResult for &Probe<Result<T, E>> {
    fn describe_output(&self, operation: &mut Operation) {
        operation.returns_a_result();
        operation.undocumented(std::any::type_name::<T>());
    }
}

pub trait UnknownOutput {
    fn describe_output(&self, operation: &mut Operation);
}

impl<T> UnknownOutput for Probe<T> {
    fn describe_output(&self, operation: &mut Operation) {
        operation.undocumented(std::any::type_name::<T>());
    }
}

/// The placeholder for arguments that a handler does not have.
pub struct Absent;

impl Input for Absent {
    fn describe(_: &mut Operation) {}
}

/// Returns a probe of each argument of `handler`, and one of what it returns.
#[must_use]
pub fn signature<H: Signature<T>, T>(_: &H) -> (H::Inputs, H::Output) {
    (H::INPUTS, H::OUTPUT)
}

/// The types of a handler's arguments and of what it returns, found by inference: `T` is the tuple of
/// the arguments.
pub trait Signature<T> {
    /// A tuple of 16 probes.
    type Inputs;
    type Output;
    const INPUTS: Self::Inputs;
    const OUTPUT: Self::Output;
}

/// Implements [`Signature`] for functions with each number of arguments: the names of their
/// types, and the placeholders that fill the tuple up.
macro_rules! signatures {
    ($(($($argument:ident)*) ($($absent:ident)*))*) => {$(
        impl<H, F, $($argument),*> Signature<($($argument,)*)> for H
        where
            H: Fn($($argument),*) -> F,
            F: Future,
        {
            type Inputs = ($(Probe<$argument>,)* $(Probe<$absent>,)*);
            type Output = Probe<F::Output>;
            const INPUTS: Self::Inputs =
                ($(Probe::<$argument>::NEW,)* $(Probe::<$absent>::NEW,)*);
            const OUTPUT: Self::Output = Probe::NEW;
        }
    )*};
}

type X = Absent;

signatures! {
    () (X X X X X X X X X X X X X X X X)
    (A) (X X X X X X X X X X X X X X X)
    (A B) (X X X X X X X X X X X X X X)
    (A B C) (X X X X X X X X X X X X X)
    (A B C D) (X X X X X X X X X X X X)
    (A B C D E) (X X X X X X X X X X X)
    (A B C D E G) (X X X X X X X X X X)
    (A B C D E G I) (X X X X X X X X X)
    (A B C D E G I J) (X X X X X X X X)
    (A B C D E G I J K) (X X X X X X X)
    (A B C D E G I J K L) (X X X X X X)
    (A B C D E G I J K L M) (X X X X X)
    (A B C D E G I J K L M N) (X X X X)
    (A B C D E G I J K L M N O) (X X X)
    (A B C D E G I J K L M N O P) (X X)
    (A B C D E G I J K L M N O P Q) (X)
    (A B C D E G I J K L M N O P Q R) ()
}

/// Describes a handler by the types of its arguments and of its result; the route macros pass this
/// to [`Route::describe`](crate::http::Route::describe). A handler that returns `impl IntoResponse`
/// needs `describe!(handler, impl IntoResponse)`, because the type behind it is not known. One with
/// `impl` within a type, such as `Sse<impl Stream<..>>`, needs nothing.
///
/// ```
/// use piton::http::get;
/// use piton::prelude::*;
///
/// async fn greet(Path(name): Path<String>) -> String { format!("Hello, {name}") }
///
/// let route = get("/greet/{name}", greet).describe(piton::describe!(greet));
/// let app = App::new("by_hand").route(route);
/// ```
#[macro_export]
macro_rules! describe {
    ($handler:path) => {
        $crate::describe!(@inputs $handler, output, operation, (&&&output).describe_output(operation))
    };
    ($handler:path, impl $bound:path) => {
        $crate::describe!(
            @inputs $handler,
            _output,
            operation,
            operation.undocumented(concat!("impl ", stringify!($bound)))
        )
    };
    (@inputs $handler:path, $output:ident, $operation:ident, $describe_output:expr) => {
        |$operation: &mut $crate::http::Operation| {
            #[allow(unused_imports, reason = "which of the traits is used depends on the types")]
            use $crate::http::probe::{
                KnownInput, KnownOutput, UnknownInput, UnknownOutput, UnknownResult,
            };
            let (inputs, $output) = $crate::http::probe::signature(&$handler);
            (&inputs.0).describe_input($operation);
            (&inputs.1).describe_input($operation);
            (&inputs.2).describe_input($operation);
            (&inputs.3).describe_input($operation);
            (&inputs.4).describe_input($operation);
            (&inputs.5).describe_input($operation);
            (&inputs.6).describe_input($operation);
            (&inputs.7).describe_input($operation);
            (&inputs.8).describe_input($operation);
            (&inputs.9).describe_input($operation);
            (&inputs.10).describe_input($operation);
            (&inputs.11).describe_input($operation);
            (&inputs.12).describe_input($operation);
            (&inputs.13).describe_input($operation);
            (&inputs.14).describe_input($operation);
            (&inputs.15).describe_input($operation);
            $describe_output;
        }
    };
}
