//! The types of a handler's arguments, as far as they are known without a description.

use std::any::TypeId;
use std::net::SocketAddr;

use axum::Extension;
use axum::body::Body;
use axum::extract::{ConnectInfo, MatchedPath};
use bytes::Bytes;
use http::{HeaderMap, Method, Uri, Version};

use crate::handle::Handle;
use crate::part::PartDescriptor;

/// The type of one argument of a handler.
#[derive(Clone, Copy, Debug)]
pub struct ArgumentType {
    pub(crate) id: TypeId,
    pub(crate) name: &'static str,
}

impl ArgumentType {
    /// Returns whether this is a type of axum that reads the address of the connection's other end.
    pub(crate) fn is_peer_address(&self) -> bool {
        [
            TypeId::of::<ConnectInfo<SocketAddr>>(),
            TypeId::of::<Extension<ConnectInfo<SocketAddr>>>(),
        ]
        .contains(&self.id)
    }

    /// Returns whether this is a type that is known not to read the address: one of these, or a
    /// registered part. Generic types are not among them, because the type id of each `Json<T>` is
    /// another.
    pub(crate) fn is_known_not_to_read_peer_address(&self) -> bool {
        [
            TypeId::of::<Handle>(),
            TypeId::of::<Method>(),
            TypeId::of::<Uri>(),
            TypeId::of::<Version>(),
            TypeId::of::<HeaderMap>(),
            TypeId::of::<MatchedPath>(),
            TypeId::of::<String>(),
            TypeId::of::<Bytes>(),
            TypeId::of::<Body>(),
        ]
        .contains(&self.id)
            || descriptor_of(self.id).is_some()
    }
}

/// Returns the registered part whose type is `id`.
pub(crate) fn descriptor_of(id: TypeId) -> Option<&'static PartDescriptor> {
    inventory::iter::<PartDescriptor>().find(|descriptor| (descriptor.id)() == id)
}

/// The argument types of a handler, read from the tuple by which axum tells handlers apart. So a route
/// made by hand is known to take `Db` without a declaration.
pub trait HandlerArguments: 'static {
    /// Returns the types in their order.
    fn types() -> Vec<ArgumentType>;
}

impl HandlerArguments for ((),) {
    fn types() -> Vec<ArgumentType> {
        Vec::new()
    }
}

macro_rules! arguments {
    ($($argument:ident)*) => {
        impl<M: 'static, $($argument: 'static),*> HandlerArguments for (M, $($argument,)*) {
            fn types() -> Vec<ArgumentType> {
                vec![$(ArgumentType {
                    id: TypeId::of::<$argument>(),
                    name: std::any::type_name::<$argument>(),
                }),*]
            }
        }
    };
}

arguments!(T1);
arguments!(T1 T2);
arguments!(T1 T2 T3);
arguments!(T1 T2 T3 T4);
arguments!(T1 T2 T3 T4 T5);
arguments!(T1 T2 T3 T4 T5 T6);
arguments!(T1 T2 T3 T4 T5 T6 T7);
arguments!(T1 T2 T3 T4 T5 T6 T7 T8);
arguments!(T1 T2 T3 T4 T5 T6 T7 T8 T9);
arguments!(T1 T2 T3 T4 T5 T6 T7 T8 T9 T10);
arguments!(T1 T2 T3 T4 T5 T6 T7 T8 T9 T10 T11);
arguments!(T1 T2 T3 T4 T5 T6 T7 T8 T9 T10 T11 T12);
arguments!(T1 T2 T3 T4 T5 T6 T7 T8 T9 T10 T11 T12 T13);
arguments!(T1 T2 T3 T4 T5 T6 T7 T8 T9 T10 T11 T12 T13 T14);
arguments!(T1 T2 T3 T4 T5 T6 T7 T8 T9 T10 T11 T12 T13 T14 T15);
arguments!(T1 T2 T3 T4 T5 T6 T7 T8 T9 T10 T11 T12 T13 T14 T15 T16);
