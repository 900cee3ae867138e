//! A mail in the making, and what it is on the wire.

use aws_sdk_sesv2::primitives::Blob;
use aws_sdk_sesv2::types::{Destination, EmailContent, RawMessage, Template};
use lettre::Message;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment as Part, MessageBuilder, MultiPart, SinglePart};
use serde::Serialize;

use super::Mailbox;
use super::mailbox::{address_of, header_of};
use crate::aws::{Error, Kind};

/// The largest mail that Amazon takes, as it is on the wire.
const MOST_BYTES: usize = 40 * 1024 * 1024;

/// To so many at once Amazon delivers.
const MOST_RECIPIENTS: usize = 50;

/// A mail. [`Ses::send`](super::Ses::send) sends it.
///
/// ```
/// use piton::aws::ses::{Attachment, Email};
///
/// let invoice = Attachment::new("invoice.pdf", "application/pdf", vec![0x25, 0x50]);
/// let email = Email::new()
///     .to(("Müller, Jürgen", "jm@example.com"))
///     .reply_to("shop@example.com")
///     .subject("Your order ✓")
///     .text("Thank you.")
///     .html("<p>Thank you.</p>")
///     .attach(invoice);
/// ```
#[derive(Clone, Default)]
#[must_use = "a mail is sent by `ses.send(email).await`"]
pub struct Email {
    from: Option<Mailbox>,
    to: Vec<Mailbox>,
    cc: Vec<Mailbox>,
    bcc: Vec<Mailbox>,
    reply_to: Vec<Mailbox>,
    subject: Option<String>,
    text: Option<String>,
    html: Option<String>,
    attachments: Vec<Attachment>,
    headers: Vec<(String, String)>,
    template: Option<(String, Result<String, String>)>,
}

/// A file that goes with a mail.
#[derive(Clone)]
pub struct Attachment {
    /// What it is called.
    pub name: String,
    /// What it is, such as `application/pdf`.
    pub content_type: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

impl Attachment {
    /// A file that goes with a mail.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        content_type: impl Into<String>,
        bytes: impl Into<Vec<u8>>,
    ) -> Self {
        Self { name: name.into(), content_type: content_type.into(), bytes: bytes.into() }
    }
}

/// Makes a builder method for each list of people.
macro_rules! people {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        pub fn $name(mut self, who: impl Into<Mailbox>) -> Self {
            self.$name.push(who.into());
            self
        }
    )*};
}

impl Email {
    /// An empty mail.
    pub fn new() -> Self {
        Self::default()
    }

    /// A mail whose words are a template that SES keeps, filled with `data`. It has no subject, text,
    /// attachments or headers of its own.
    pub fn template(name: impl Into<String>, data: &impl Serialize) -> Self {
        let data = serde_json::to_string(data).map_err(|error| error.to_string());
        Self { template: Some((name.into(), data)), ..Self::default() }
    }

    /// Who sends it; `ses.from` of the settings otherwise.
    pub fn from(mut self, who: impl Into<Mailbox>) -> Self {
        self.from = Some(who.into());
        self
    }

    people! {
        /// Adds somebody it is for. All three kinds together are at most 50.
        to
        /// Adds somebody who gets a copy.
        cc
        /// Adds somebody who gets a copy that the others do not know of.
        bcc
        /// Adds somebody whom answers go to, instead of the sender.
        reply_to
    }

    /// What it is about.
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// What it says, as plain text.
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// What it says, as HTML. With [`text`](Self::text) too, the reader's program chooses.
    pub fn html(mut self, html: impl Into<String>) -> Self {
        self.html = Some(html.into());
        self
    }

    /// Adds a file. The whole mail may have 40 MiB; files grow by a third on their way.
    pub fn attach(mut self, attachment: Attachment) -> Self {
        self.attachments.push(attachment);
        self
    }

    /// Adds a header, such as `List-Unsubscribe`.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// What Amazon is given: the sender, whom it is for, and the content.
    pub(super) fn into_parts(
        self,
        default_from: Option<&str>,
    ) -> Result<(String, Destination, EmailContent), Error> {
        let Some(from) = self.from.clone().or_else(|| default_from.map(Mailbox::from)) else {
            return Err(refused("it has no sender: say `.from(..)`, or set ses.from"));
        };
        let from = from.parse()?;
        let recipients = self.to.len() + self.cc.len() + self.bcc.len();
        if recipients == 0 {
            return Err(refused("it is for nobody"));
        }
        if recipients > MOST_RECIPIENTS {
            return Err(refused(
                "it is for more than 50, the most that Amazon delivers to at once",
            ));
        }
        if self.template.is_some() {
            let destination = self.destination(header_of)?;
            return Ok((header_of(&from), destination, self.templated()?));
        }
        let destination = self.destination(address_of)?;
        let address = address_of(&from);
        let raw = RawMessage::builder().data(Blob::new(self.mime(from)?)).build();
        let raw = raw.map_err(|error| refused(&error.to_string()))?;
        Ok((address, destination, EmailContent::builder().raw(raw).build()))
    }

    /// Where answers to a mail of a template go: of others the mail itself says it.
    pub(super) fn reply_to_addresses(&self) -> Result<Option<Vec<String>>, Error> {
        if self.template.is_none() || self.reply_to.is_empty() {
            return Ok(None);
        }
        written(&self.reply_to, header_of).map(Some)
    }

    fn destination(
        &self,
        write: fn(&lettre::message::Mailbox) -> String,
    ) -> Result<Destination, Error> {
        Ok(Destination::builder()
            .set_to_addresses(Some(written(&self.to, write)?))
            .set_cc_addresses(Some(written(&self.cc, write)?))
            .set_bcc_addresses(Some(written(&self.bcc, write)?))
            .build())
    }

    fn templated(self) -> Result<EmailContent, Error> {
        let own = self.subject.is_some() || self.text.is_some() || self.html.is_some();
        if own || !self.attachments.is_empty() || !self.headers.is_empty() {
            return Err(refused("it is a template's, and has words, files or headers of its own"));
        }
        let Some((name, data)) = self.template else { return Err(refused("it has no template")) };
        let data = data.map_err(|why| refused(&format!("the template's data: {why}")))?;
        let template = Template::builder().template_name(name).template_data(data).build();
        Ok(EmailContent::builder().template(template).build())
    }

    /// The mail as it is on the wire, without those who get it unknown to the others.
    fn mime(self, from: lettre::message::Mailbox) -> Result<Vec<u8>, Error> {
        let files: usize = self.attachments.iter().map(|file| file.bytes.len()).sum();
        let words =
            self.text.as_ref().map_or(0, String::len) + self.html.as_ref().map_or(0, String::len);
        if files / 3 * 4 + words > MOST_BYTES {
            return Err(too_large());
        }
        let builder = self.head(from)?;
        let body = self.words();
        let message = if self.attachments.is_empty() {
            match body {
                Some(Words::One(part)) => builder.singlepart(part),
                Some(Words::Both(part)) => builder.multipart(part),
                None => return Err(refused("it says nothing: give it a text, HTML or a file")),
            }
        } else {
            let mut mixed = match body {
                Some(Words::One(part)) => MultiPart::mixed().singlepart(part),
                Some(Words::Both(part)) => MultiPart::mixed().multipart(part),
                None => MultiPart::mixed().singlepart(SinglePart::plain(String::new())),
            };
            for file in self.attachments {
                mixed = mixed.singlepart(attached(file)?);
            }
            builder.multipart(mixed)
        };
        let mime = message.map_err(|error| refused(&error.to_string()))?.formatted();
        if mime.len() > MOST_BYTES { Err(too_large()) } else { Ok(mime) }
    }

    fn head(&self, from: lettre::message::Mailbox) -> Result<MessageBuilder, Error> {
        let mut builder = Message::builder().from(from);
        for who in &self.to {
            builder = builder.to(who.parse()?);
        }
        for who in &self.cc {
            builder = builder.cc(who.parse()?);
        }
        for who in &self.bcc {
            builder = builder.bcc(who.parse()?);
        }
        for who in &self.reply_to {
            builder = builder.reply_to(who.parse()?);
        }
        if let Some(subject) = &self.subject {
            plain("the subject", subject)?;
            builder = builder.subject(subject.as_str());
        }
        for (name, value) in &self.headers {
            builder = builder.raw_header(header(name, value)?);
        }
        Ok(builder)
    }

    fn words(&self) -> Option<Words> {
        match (self.text.clone(), self.html.clone()) {
            (Some(text), Some(html)) => {
                Some(Words::Both(MultiPart::alternative_plain_html(text, html)))
            }
            (Some(text), None) => Some(Words::One(SinglePart::plain(text))),
            (None, Some(html)) => Some(Words::One(SinglePart::html(html))),
            (None, None) => None,
        }
    }
}

enum Words {
    One(SinglePart),
    Both(MultiPart),
}

fn written(
    people: &[Mailbox],
    write: fn(&lettre::message::Mailbox) -> String,
) -> Result<Vec<String>, Error> {
    people.iter().map(|who| who.parse().map(|parsed| write(&parsed))).collect()
}

fn attached(file: Attachment) -> Result<SinglePart, Error> {
    plain("the name of a file", &file.name)?;
    let of_type = ContentType::parse(&file.content_type);
    let of_type =
        of_type.map_err(|_| refused("the type of a file is none, as `text/csv` is one"))?;
    Ok(Part::new(file.name).body(file.bytes, of_type))
}

/// A header that the mail does not have anyway.
fn header(name: &str, value: &str) -> Result<HeaderValue, Error> {
    const OURS: [&str; 9] =
        ["from", "sender", "to", "cc", "bcc", "reply-to", "subject", "date", "mime-version"];
    let lower = name.to_ascii_lowercase();
    if OURS.contains(&lower.as_str()) || lower.starts_with("content-") {
        return Err(refused(&format!(
            "the header `{lower}` has a method of its own, or is written by itself"
        )));
    }
    plain("a header", value)?;
    let visible = |byte: u8| byte.is_ascii_graphic() && byte != b':';
    if name.is_empty() || !name.bytes().all(visible) {
        return Err(refused("the name of a header is none"));
    }
    let name = HeaderName::new_from_ascii(name.to_owned());
    let name = name.map_err(|_| refused("the name of a header is none"))?;
    Ok(HeaderValue::new(name, value.to_owned()))
}

/// What stands in a header may not begin another.
pub(super) fn plain(what: &str, text: &str) -> Result<(), Error> {
    if text.chars().any(char::is_control) {
        return Err(refused(&format!("{what} has a line end or another control character in it")));
    }
    Ok(())
}

fn refused(why: &str) -> Error {
    Error::new(Kind::Invalid, format!("the mail cannot be sent: {why}"))
}

fn too_large() -> Error {
    refused("it is larger than 40 MiB, the most that Amazon takes")
}

/// Neither whom mail is for nor what it says belongs in a log.
impl std::fmt::Debug for Email {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let recipients = self.to.len() + self.cc.len() + self.bcc.len();
        f.debug_struct("Email")
            .field("recipients", &recipients)
            .field("attachments", &self.attachments.len())
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Attachment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Attachment({} bytes)", self.bytes.len())
    }
}
