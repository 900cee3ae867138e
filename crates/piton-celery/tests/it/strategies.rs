//! Values that are drawn at random.

use std::time::Duration;

use chrono::{FixedOffset, TimeZone};
use piton_celery::{
    Embed, Envelope, IsoDateTime, Properties, Signature, TaskBody, TaskHeaders, typed_values,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Map, Value};

/// Text of all kinds, but for the prefix that serde_json reserves.
pub fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z._-]{1,12}",
        any::<String>(),
        Just("NaN".to_owned()),
        Just("\"},{\"__type__\":\"piton.number\",\"__value__\":\"1\"".to_owned()),
    ]
}

pub fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(typed_values::float),
        text().prop_map(Value::from),
        vec(any::<u8>(), 0..8).prop_map(|bytes| typed_values::bytes(&bytes)),
        time().prop_map(typed_values::datetime),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            object_of(inner).prop_map(Value::from)
        ]
    })
}

fn object_of(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
    vec((text(), value), 0..4).prop_map(|members| members.into_iter().collect())
}

pub fn object() -> impl Strategy<Value = Map<String, Value>> {
    object_of(value())
}

/// Members that no struct defines.
fn extra() -> impl Strategy<Value = Map<String, Value>> {
    vec(("x-[a-z]{0,6}", value()), 0..3).prop_map(|members| members.into_iter().collect())
}

/// Times of the years that Python has, to the microsecond.
pub fn time() -> impl Strategy<Value = IsoDateTime> {
    (-62_000_000_000_i64..253_000_000_000, 0..1_000_000_u32, option::of(-86_399..86_400_i32))
        .prop_map(|(seconds, microseconds, offset)| {
            let utc = chrono::DateTime::from_timestamp(seconds, microseconds * 1000).unwrap();
            match offset {
                Some(offset) => FixedOffset::east_opt(offset)
                    .unwrap()
                    .from_utc_datetime(&utc.naive_utc())
                    .into(),
                None => utc.naive_utc().into(),
            }
        })
}

pub fn headers() -> impl Strategy<Value = TaskHeaders> {
    let texts =
        (text(), text(), option::of(text()), option::of(text()), option::of(vec(text(), 0..3)));
    let numbers = (
        any::<u32>(),
        option::of(any::<i64>()),
        option::of(0..10_000_u64),
        option::of(any::<bool>()),
    );
    (texts, numbers, option::of(time()), option::of(time()), object(), extra()).prop_map(
        |(texts, numbers, eta, expires, stamps, extra)| {
            let (task, id, group, shadow, stamped) = texts;
            let (retries, group_index, limit, ignore_result) = numbers;
            let mut headers = TaskHeaders::new(task, id);
            (headers.group, headers.shadow, headers.stamped_headers) = (group, shadow, stamped);
            (headers.retries, headers.group_index) = (retries, group_index);
            headers.time_limit.hard = limit.map(Duration::from_millis);
            headers.ignore_result = ignore_result;
            (headers.eta, headers.expires) = (eta, expires);
            (headers.stamps, headers.extra) = (stamps, extra);
            headers
        },
    )
}

pub fn properties() -> impl Strategy<Value = Properties> {
    (text(), text(), any::<u8>(), option::of(text()), extra()).prop_map(
        |(queue, tag, priority, expiration, extra)| {
            let mut properties = Properties::new(queue, tag);
            properties.priority = priority;
            properties.expiration = expiration;
            properties.extra = extra;
            properties
        },
    )
}

pub fn signature() -> impl Strategy<Value = Signature> {
    (text(), vec(value(), 0..3), object(), object(), any::<bool>(), extra()).prop_map(
        |(task, args, kwargs, options, immutable, extra)| {
            let mut signature = Signature::new(task);
            (signature.args, signature.kwargs, signature.options) = (args, kwargs, options);
            signature.immutable = immutable;
            signature.extra = extra;
            signature
        },
    )
}

pub fn embed() -> impl Strategy<Value = Embed> {
    let list = || vec(signature(), 0..2);
    (list(), list(), list(), option::of(signature()), extra()).prop_map(
        |(callbacks, errbacks, chain, chord, extra)| {
            let mut embed = Embed::default();
            (embed.callbacks, embed.errbacks, embed.chain) = (callbacks, errbacks, chain);
            (embed.chord, embed.extra) = (chord, extra);
            embed
        },
    )
}

pub fn body() -> impl Strategy<Value = TaskBody> {
    (vec(value(), 0..4), object(), embed()).prop_map(|(args, kwargs, embed)| {
        let mut body = TaskBody::new(args, kwargs);
        body.embed = embed;
        body
    })
}

pub fn message() -> impl Strategy<Value = (Envelope, TaskBody)> {
    (headers(), properties(), body()).prop_map(|(headers, properties, body)| {
        (Envelope::task(headers, properties, &body).unwrap(), body)
    })
}
