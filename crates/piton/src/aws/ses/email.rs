//! [`Email`]: builds a mail, and writes it as MIME.

use aws_sdk_sesv2::primitives::Blob;
use aws_sdk_sesv2::types::{Destination, EmailContent, RawMessage, Template};
use lettre::Message;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment as AttachmentPart, MessageBuilder, MultiPart, SinglePart};
use serde::Serialize;

use super::mailbox::{Mailbox, address_of, check_plain, header_of};
use crate::aws::{Error, Kind};

/// Maximum size of a mail as MIME, a quota of SES.
const MAX_MIME_BYTES: usize = 40 * 1024 * 1024;

/// Maximum number of recipients of one mail, a quota of SES.
const MAX_RECIPIENTS: usize = 50;

/// A mail, to be sent with [`Ses::send`](super::Ses::send).
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

/// A file attached to a mail.
#[derive(Clone)]
pub struct Attachment {
    /// The file name.
    pub name: String,
    /// The content type, such as `application/pdf`.
    pub content_type: String,
    /// The content.
    pub bytes: Vec<u8>,
}

impl Attachment {
    /// Creates an attachment.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        content_type: impl Into<String>,
        bytes: impl Into<Vec<u8>>,
    ) -> Self {
        Self { name: name.into(), content_type: content_type.into(), bytes: bytes.into() }
    }
}

/// Defines a builder method for each list of addresses.
macro_rules! address_lists {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        pub fn $name(mut self, mailbox: impl Into<Mailbox>) -> Self {
            self.$name.push(mailbox.into());
            self
        }
    )*};
}

impl Email {
    /// Creates an empty mail.
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a mail from a template that is stored in SES, filled with `data`. Such a mail has no subject,
    /// text, attachments or headers of its own.
    pub fn template(name: impl Into<String>, data: &impl Serialize) -> Self {
        let data = serde_json::to_string(data).map_err(|error| error.to_string());
        Self { template: Some((name.into(), data)), ..Self::default() }
    }

    /// Sets the sender. **Default: `ses.from` of the settings.**
    pub fn from(mut self, mailbox: impl Into<Mailbox>) -> Self {
        self.from = Some(mailbox.into());
        self
    }

    address_lists! {
        /// Adds a recipient. `to`, `cc` and `bcc` together are at most 50.
        to
        /// Adds a recipient of a copy.
        cc
        /// Adds a recipient of a copy that the others do not see.
        bcc
        /// Adds an address for replies, instead of the sender's.
        reply_to
    }

    /// Sets the subject.
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// Sets the plain text.
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// Sets the HTML. With [`text`](Self::text) too, the mail program of the reader chooses one.
    pub fn html(mut self, html: impl Into<String>) -> Self {
        self.html = Some(html.into());
        self
    }

    /// Adds a file. The whole mail may have 40 MiB as MIME, in which files are a third larger.
    pub fn attach(mut self, attachment: Attachment) -> Self {
        self.attachments.push(attachment);
        self
    }

    /// Adds a header, such as `List-Unsubscribe`.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Returns the sender, the recipients and the content for SES.
    ///
    /// # Errors
    /// [`Kind::Invalid`], with the reason.
    pub(super) fn into_parts(
        self,
        default_from: Option<&str>,
    ) -> Result<(String, Destination, EmailContent), Error> {
        let Some(from) = self.from.clone().or_else(|| default_from.map(Mailbox::from)) else {
            return Err(refused("it has no sender: call `.from(..)`, or set ses.from"));
        };
        let from = from.parse()?;
        let recipients = self.to.len() + self.cc.len() + self.bcc.len();
        if recipients == 0 {
            return Err(refused("it has no recipients"));
        }
        if recipients > MAX_RECIPIENTS {
            return Err(refused("it has more than 50 recipients, the maximum of SES"));
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

    /// Returns the addresses for replies to a mail from a template. Other mails have them in their headers.
    pub(super) fn reply_to_addresses(&self) -> Result<Option<Vec<String>>, Error> {
        if self.template.is_none() || self.reply_to.is_empty() {
            return Ok(None);
        }
        write_all(&self.reply_to, header_of).map(Some)
    }

    fn destination(
        &self,
        write: fn(&lettre::message::Mailbox) -> String,
    ) -> Result<Destination, Error> {
        Ok(Destination::builder()
            .set_to_addresses(Some(write_all(&self.to, write)?))
            .set_cc_addresses(Some(write_all(&self.cc, write)?))
            .set_bcc_addresses(Some(write_all(&self.bcc, write)?))
            .build())
    }

    fn templated(self) -> Result<EmailContent, Error> {
        let own = self.subject.is_some() || self.text.is_some() || self.html.is_some();
        if own || !self.attachments.is_empty() || !self.headers.is_empty() {
            return Err(refused(
                "it is from a template, and has text, files or headers of its own",
            ));
        }
        let Some((name, data)) = self.template else { return Err(refused("it has no template")) };
        let data = data.map_err(|why| refused(&format!("the template's data: {why}")))?;
        let template = Template::builder().template_name(name).template_data(data).build();
        Ok(EmailContent::builder().template(template).build())
    }

    /// Returns the mail as MIME, without the `bcc` recipients.
    fn mime(self, from: lettre::message::Mailbox) -> Result<Vec<u8>, Error> {
        let files: usize = self.attachments.iter().map(|file| file.bytes.len()).sum();
        let text =
            self.text.as_ref().map_or(0, String::len) + self.html.as_ref().map_or(0, String::len);
        // Estimated first, so that a mail that is too large is not encoded. Base64 is a third larger.
        if files / 3 * 4 + text > MAX_MIME_BYTES {
            return Err(too_large());
        }
        let builder = self.head(from)?;
        let body = self.body();
        let message = if self.attachments.is_empty() {
            match body {
                Some(MailBody::Single(part)) => builder.singlepart(part),
                Some(MailBody::Alternative(part)) => builder.multipart(part),
                None => return Err(refused("it is empty: add a text, HTML or a file")),
            }
        } else {
            let mut mixed = match body {
                Some(MailBody::Single(part)) => MultiPart::mixed().singlepart(part),
                Some(MailBody::Alternative(part)) => MultiPart::mixed().multipart(part),
                None => MultiPart::mixed().singlepart(SinglePart::plain(String::new())),
            };
            for file in self.attachments {
                mixed = mixed.singlepart(attachment_part(file)?);
            }
            builder.multipart(mixed)
        };
        let mime = message.map_err(|error| refused(&error.to_string()))?.formatted();
        if mime.len() > MAX_MIME_BYTES { Err(too_large()) } else { Ok(mime) }
    }

    fn head(&self, from: lettre::message::Mailbox) -> Result<MessageBuilder, Error> {
        let mut builder = Message::builder().from(from);
        for mailbox in &self.to {
            builder = builder.to(mailbox.parse()?);
        }
        for mailbox in &self.cc {
            builder = builder.cc(mailbox.parse()?);
        }
        for mailbox in &self.bcc {
            builder = builder.bcc(mailbox.parse()?);
        }
        for mailbox in &self.reply_to {
            builder = builder.reply_to(mailbox.parse()?);
        }
        if let Some(subject) = &self.subject {
            check_plain("the subject", subject)?;
            builder = builder.subject(subject.as_str());
        }
        for (name, value) in &self.headers {
            builder = builder.raw_header(custom_header(name, value)?);
        }
        Ok(builder)
    }

    fn body(&self) -> Option<MailBody> {
        match (self.text.clone(), self.html.clone()) {
            (Some(text), Some(html)) => {
                Some(MailBody::Alternative(MultiPart::alternative_plain_html(text, html)))
            }
            (Some(text), None) => Some(MailBody::Single(SinglePart::plain(text))),
            (None, Some(html)) => Some(MailBody::Single(SinglePart::html(html))),
            (None, None) => None,
        }
    }
}

/// The text, the HTML, or both.
enum MailBody {
    Single(SinglePart),
    Alternative(MultiPart),
}

fn write_all(
    mailboxes: &[Mailbox],
    write: fn(&lettre::message::Mailbox) -> String,
) -> Result<Vec<String>, Error> {
    mailboxes.iter().map(|mailbox| mailbox.parse().map(|parsed| write(&parsed))).collect()
}

fn attachment_part(file: Attachment) -> Result<SinglePart, Error> {
    check_plain("the name of a file", &file.name)?;
    let content_type = ContentType::parse(&file.content_type);
    let content_type = content_type
        .map_err(|_| refused("invalid content type of a file, expected such as `text/csv`"))?;
    Ok(AttachmentPart::new(file.name).body(file.bytes, content_type))
}

/// Returns a custom header.
///
/// # Errors
/// The header is one that the mail has anyway, or is not valid.
fn custom_header(name: &str, value: &str) -> Result<HeaderValue, Error> {
    const RESERVED: [&str; 9] =
        ["from", "sender", "to", "cc", "bcc", "reply-to", "subject", "date", "mime-version"];
    let lower = name.to_ascii_lowercase();
    if RESERVED.contains(&lower.as_str()) || lower.starts_with("content-") {
        return Err(refused(&format!(
            "the header `{lower}` has a method of its own, or is written automatically"
        )));
    }
    check_plain("a header", value)?;
    let visible = |byte: u8| byte.is_ascii_graphic() && byte != b':';
    if name.is_empty() || !name.bytes().all(visible) {
        return Err(refused("invalid name of a header"));
    }
    let name = HeaderName::new_from_ascii(name.to_owned());
    let name = name.map_err(|_| refused("invalid name of a header"))?;
    Ok(HeaderValue::new(name, value.to_owned()))
}

fn refused(why: &str) -> Error {
    Error::new(Kind::Invalid, format!("the mail cannot be sent: {why}"))
}

fn too_large() -> Error {
    refused("it is larger than 40 MiB, the maximum of SES")
}

/// Shows neither addresses nor text, because they do not belong in a log.
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
