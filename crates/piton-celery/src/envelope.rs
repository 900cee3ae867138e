//! The envelope of all messages: tasks, events, commands to workers, and their replies.

use std::borrow::Cow;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::compression::{Compression, too_large};
use crate::error::{Error, Kind};
use crate::lenient;
use crate::properties::{BodyEncoding, Properties};
use crate::protocol_one;
use crate::python_json;
use crate::safe_repr::{args_repr, kwargs_repr};
use crate::task_body::TaskBody;
use crate::task_headers::TaskHeaders;

/// The content type of the bodies that this crate reads and writes.
const JSON: &str = "application/json";

/// A message as it stands in a queue, with its body still encoded.
///
/// `H` are its headers: [`TaskHeaders`], or a [`Map`] for events, commands and replies.
///
/// ```
/// use piton_celery::{Envelope, Properties, TaskBody, TaskHeaders};
/// use serde_json::json;
///
/// let headers = TaskHeaders::new("proj.add", "my-id");
/// let body = TaskBody::new(vec![json!(2), json!(3)], Default::default());
/// let message = Envelope::task(headers, Properties::new("celery", "my-tag"), &body)?.to_vec()?;
///
/// let mut envelope: Envelope = Envelope::from_slice(&message)?;
/// assert_eq!(envelope.headers.task, "proj.add");
/// assert_eq!(envelope.decode_body(1 << 20)?, body);
/// # Ok::<(), piton_celery::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, bound = "H: MessageHeaders")]
#[non_exhaustive]
pub struct Envelope<H = TaskHeaders> {
    /// The body, encoded and perhaps compressed.
    #[serde(deserialize_with = "lenient::null_as_default")]
    pub body: String,
    /// The encoding of the body's text: `utf-8`, or `binary` for pickle.
    #[serde(rename = "content-encoding", deserialize_with = "lenient::null_as_default")]
    pub content_encoding: String,
    /// The format of the body: `application/json`.
    #[serde(rename = "content-type", deserialize_with = "lenient::null_as_default")]
    pub content_type: String,
    /// The headers.
    #[serde(deserialize_with = "lenient::null_as_default")]
    pub headers: H,
    /// The properties.
    #[serde(deserialize_with = "lenient::null_as_default")]
    pub properties: Properties,
}

/// The headers of a message.
pub trait MessageHeaders: Default + Serialize + DeserializeOwned {
    /// Returns the header that is missing and that receivers need.
    fn missing(&self) -> Option<&'static str>;

    /// Returns the codec that the body is compressed with.
    fn compression(&self) -> Option<Compression>;
}

impl MessageHeaders for TaskHeaders {
    fn missing(&self) -> Option<&'static str> {
        if self.task.is_empty() {
            return Some("headers.task");
        }
        self.id.is_empty().then_some("headers.id")
    }

    fn compression(&self) -> Option<Compression> {
        self.compression.clone()
    }
}

impl MessageHeaders for Map<String, Value> {
    fn missing(&self) -> Option<&'static str> {
        None
    }

    fn compression(&self) -> Option<Compression> {
        Some(self.get("compression")?.as_str()?.to_owned().into())
    }
}

impl<H: MessageHeaders> Envelope<H> {
    /// Returns a message with a JSON body, which is encoded as `properties.body_encoding` says.
    ///
    /// # Errors
    /// [`Kind::Malformed`] if `body` cannot be written as JSON, or the encoding is not known.
    pub fn new<B: Serialize + ?Sized>(
        headers: H,
        properties: Properties,
        body: &B,
    ) -> Result<Self, Error> {
        Self::with_json(headers, properties, python_json::to_vec(body)?)
    }

    fn with_json(headers: H, properties: Properties, json: Vec<u8>) -> Result<Self, Error> {
        let body = encode(json, &properties.body_encoding)?;
        let (content_type, content_encoding) = (JSON.to_owned(), "utf-8".to_owned());
        Ok(Self { body, content_encoding, content_type, headers, properties })
    }

    /// Reads a message.
    ///
    /// Fields that Python does without may be missing or null. Members of the envelope that Kombu does not define
    /// are dropped.
    ///
    /// # Errors
    /// [`Kind::Malformed`] if `message` is not the JSON of an envelope. Put such a message aside: it stays so.
    pub fn from_slice(message: &[u8]) -> Result<Self, Error> {
        python_json::from_slice(message)
    }

    /// Writes the message.
    ///
    /// # Errors
    /// [`Kind::Incomplete`] if a field is empty without which a Python worker ends (`content-type`), reconnects for
    /// ever (`headers.id`), or loses the message (`headers.task`, `properties.delivery_tag`,
    /// `properties.delivery_info`).
    pub fn to_vec(&self) -> Result<Vec<u8>, Error> {
        match self.missing() {
            Some(field) => Err(Error::incomplete(field)),
            None => python_json::to_vec(self),
        }
    }

    fn missing(&self) -> Option<&'static str> {
        let info = &self.properties.delivery_info;
        if self.content_type.is_empty() {
            Some("content-type")
        } else if self.content_encoding.is_empty() {
            Some("content-encoding")
        } else if self.properties.delivery_tag.is_empty() {
            Some("properties.delivery_tag")
        } else if info.exchange.is_empty() && info.routing_key.is_empty() {
            Some("properties.delivery_info")
        } else {
            self.headers.missing()
        }
    }

    /// Reads the body of an event, a command or a reply.
    ///
    /// # Errors
    /// Those of [`Envelope::decode_body`].
    pub fn decode_json<T: DeserializeOwned>(&self, max_bytes: usize) -> Result<T, Error> {
        python_json::from_slice(&self.body_bytes(max_bytes)?)
    }

    /// Returns the JSON of the body: decoded, and decompressed to at most `max_bytes`.
    ///
    /// # Errors
    /// [`Kind::ContentType`], [`Kind::Compression`], [`Kind::TooLarge`], and [`Kind::Malformed`] if the body is not
    /// encoded or compressed as the message says.
    pub fn body_bytes(&self, max_bytes: usize) -> Result<Cow<'_, [u8]>, Error> {
        check_content_type(&self.content_type)?;
        let compression = self.headers.compression();
        // The limit is of the body's JSON: compressed it is smaller, or it is too large, too.
        let bytes = decode(&self.body, &self.properties.body_encoding, max_bytes)?;
        match compression {
            Some(codec) => Ok(Cow::Owned(codec.decompress(&bytes, max_bytes)?)),
            None => Ok(bytes),
        }
    }
}

impl Envelope<TaskHeaders> {
    /// Returns a complete message of protocol 2. Headers and properties that follow from others are filled in: the
    /// representations of the arguments, `correlation_id`, `reply_to`.
    ///
    /// # Errors
    /// Those of [`Envelope::new`].
    pub fn task(
        mut headers: TaskHeaders,
        mut properties: Properties,
        body: &TaskBody,
    ) -> Result<Self, Error> {
        headers.args_repr.get_or_insert_with(|| args_repr(&body.args));
        headers.kwargs_repr.get_or_insert_with(|| kwargs_repr(&body.kwargs));
        // The body is written anew.
        headers.compression = None;
        properties.correlation_id.get_or_insert_with(|| headers.id.clone());
        properties.reply_to.get_or_insert_default();
        Self::with_json(headers, properties, body.to_vec()?)
    }

    /// Reads the body of a task, of at most `max_bytes` of JSON.
    ///
    /// Protocol 1 has all headers in its body: such a message is upgraded, so that its `headers` are filled in, and
    /// it is written as protocol 2. Until then its `headers.task` is empty.
    ///
    /// # Errors
    /// [`Kind::ContentType`] if the body is not JSON, [`Kind::Compression`] if its codec is not supported,
    /// [`Kind::TooLarge`] beyond `max_bytes`, [`Kind::Incomplete`] without the name or the id of the task, and
    /// [`Kind::Malformed`] if it is damaged. `headers` are usable then, to store the failure.
    pub fn decode_body(&mut self, max_bytes: usize) -> Result<TaskBody, Error> {
        let json = self.body_bytes(max_bytes)?;
        let body = if protocol_one::is_protocol_one(&json) {
            let (headers, body) = protocol_one::upgrade(&json)?;
            self.upgrade(headers, &body)?;
            body
        } else {
            TaskBody::from_slice(&json)?
        };
        self.headers.missing().map_or(Ok(body), |field| Err(Error::incomplete(field)))
    }

    fn upgrade(&mut self, mut headers: TaskHeaders, body: &TaskBody) -> Result<(), Error> {
        if self.headers.task.is_empty() {
            headers.extra = std::mem::take(&mut self.headers.extra);
            headers.redelivered = self.headers.redelivered;
            self.headers = headers;
        }
        self.headers.compression = None;
        self.content_type = JSON.to_owned();
        self.content_encoding = "utf-8".to_owned();
        self.body = encode(body.to_vec()?, &self.properties.body_encoding)?;
        Ok(())
    }
}

/// Accepts JSON, and a missing content type as it.
fn check_content_type(content_type: &str) -> Result<(), Error> {
    let name = content_type.split(';').next().unwrap_or_default().trim();
    if name.is_empty() || name.eq_ignore_ascii_case(JSON) {
        return Ok(());
    }
    let known = [
        "application/x-python-serialize",
        "application/data",
        "application/x-yaml",
        "application/x-msgpack",
        "application/text",
        "text/plain",
    ];
    // Of the message is only quoted what is known to be harmless.
    let name = known.into_iter().find(|known| *known == name).unwrap_or("of another type");
    let message =
        format!("the body is {name}, not {JSON}: set `task_serializer = \"json\"` at the sender");
    Err(Error::new(Kind::ContentType, message))
}

fn encode(json: Vec<u8>, encoding: &BodyEncoding) -> Result<String, Error> {
    match encoding {
        BodyEncoding::Base64 => Ok(BASE64_STANDARD.encode(json)),
        BodyEncoding::Text => {
            String::from_utf8(json).map_err(|_| Error::malformed("the body is not UTF-8"))
        }
        BodyEncoding::Other(_) => Err(unknown_encoding()),
    }
}

fn decode<'a>(
    body: &'a str,
    encoding: &BodyEncoding,
    max_bytes: usize,
) -> Result<Cow<'a, [u8]>, Error> {
    let bytes = match encoding {
        // Refused before memory is taken for it. Padding hides at most two bytes.
        BodyEncoding::Base64 if body.len() / 4 * 3 > max_bytes.saturating_add(2) => {
            return Err(too_large(max_bytes));
        }
        BodyEncoding::Base64 => {
            let bytes = BASE64_STANDARD.decode(body);
            Cow::Owned(bytes.map_err(|_| Error::malformed("the body is not base64"))?)
        }
        BodyEncoding::Text => Cow::Borrowed(body.as_bytes()),
        BodyEncoding::Other(_) => return Err(unknown_encoding()),
    };
    if bytes.len() > max_bytes { Err(too_large(max_bytes)) } else { Ok(bytes) }
}

fn unknown_encoding() -> Error {
    Error::malformed("`properties.body_encoding` is neither base64 nor utf-8")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message() -> Envelope {
        let body = TaskBody::new(vec![json!("secret")], Map::new());
        Envelope::task(TaskHeaders::new("a", "1"), Properties::new("celery", "tag"), &body).unwrap()
    }

    /// Checks that a message without `field` is not written.
    #[track_caller]
    fn assert_incomplete(field: &str, make_incomplete: fn(&mut Envelope)) {
        let mut message = message();
        make_incomplete(&mut message);
        let error = message.to_vec().unwrap_err();
        assert_eq!(error.kind(), Kind::Incomplete);
        assert!(error.to_string().starts_with(&format!("`{field}`")), "{error}");
    }

    #[test]
    fn a_message_that_would_harm_a_python_worker_is_not_written() {
        assert_incomplete("content-type", |message| message.content_type.clear());
        assert_incomplete("content-encoding", |message| message.content_encoding.clear());
        assert_incomplete("headers.task", |message| message.headers.task.clear());
        assert_incomplete("headers.id", |message| message.headers.id.clear());
        assert_incomplete("properties.delivery_tag", |message| {
            message.properties.delivery_tag.clear();
        });
        assert_incomplete("properties.delivery_info", |message| {
            message.properties.delivery_info.routing_key.clear();
        });
    }

    #[test]
    fn a_body_of_another_format_is_refused_with_the_fix() {
        let mut message = message();
        message.content_type = "application/x-python-serialize".into();
        let error = message.decode_body(1000).unwrap_err();
        assert_eq!(error.kind(), Kind::ContentType);
        assert_eq!(
            error.to_string(),
            "the body is application/x-python-serialize, not application/json: set `task_serializer = \"json\"` \
             at the sender"
        );
        message.content_type = "application/json; charset=utf-8".into();
        assert!(message.decode_body(1000).is_ok());
    }

    #[test]
    fn a_body_beyond_the_maximum_is_refused_in_every_encoding() {
        let length = message().body_bytes(1000).unwrap().len();
        for encoding in [BodyEncoding::Base64, BodyEncoding::Text] {
            let mut properties = Properties::new("celery", "tag");
            properties.body_encoding = encoding;
            let body = message().decode_body(1000).unwrap();
            let mut message =
                Envelope::task(TaskHeaders::new("a", "1"), properties, &body).unwrap();
            assert_eq!(message.decode_body(length).unwrap(), body);
            assert_eq!(message.decode_body(length - 1).unwrap_err().kind(), Kind::TooLarge);
        }
    }

    #[test]
    fn a_body_that_is_damaged_is_an_error_that_quotes_nothing() {
        for body in [
            "%%%",
            "c2VjcmV0",
            "WyJzZWNyZXQiXQ==",
            "WzEsInNlY3JldCIsMV0=",
            "W1tdLHt9LHsiY2hhaW4iOiJzZWNyZXQifV0=",
        ] {
            let error = Envelope { body: body.into(), ..message() }.decode_body(1000).unwrap_err();
            assert_eq!(error.kind(), Kind::Malformed, "{body}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_message_without_what_python_does_without_is_read() {
        let minimal = br#"{"body": "[[],null,null]", "headers": {"task": "a", "id": "1"}}"#;
        let mut envelope: Envelope = Envelope::from_slice(minimal).unwrap();
        assert_eq!(envelope.decode_body(100).unwrap(), TaskBody::default());
        let nothing: Envelope =
            Envelope::from_slice(br#"{"headers": null, "properties": null}"#).unwrap();
        assert_eq!(nothing, Envelope::default());
    }

    #[test]
    fn a_task_without_name_in_either_protocol_is_incomplete() {
        for body in ["[[], {}, {}]", "{\"id\": \"1\"}"] {
            let mut envelope: Envelope = Envelope { body: body.into(), ..Envelope::default() };
            assert_eq!(envelope.decode_body(100).unwrap_err().kind(), Kind::Incomplete);
        }
    }
}
