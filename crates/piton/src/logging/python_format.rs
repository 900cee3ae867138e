//! Formats of Python's `logging` for `log.format`, so that the `LOG_FORMAT` of a deployment works
//! unchanged and its log collector finds the lines it expects.

use std::borrow::Cow;

use serde_json::{Value, json};
use tracing::Metadata;

use super::escape::logger_name;
use super::timestamp::{LogTime, date_and_seconds};
use crate::compat::percent_format::{
    ConversionKind, ConversionSpec, FormatNumber, FormatPiece, pieces,
};
use crate::compat::python_levels;
use crate::config::{Setting, suggest};

/// A format in the `%` style of Python's `logging`, such as
/// `%(asctime)s %(levelname)-8s %(message)s`.
#[derive(Clone, Debug, PartialEq)]
pub struct PythonFormat {
    pub(super) text: String,
    parts: Vec<FormatPart>,
}

/// The format of the milliseconds in `asctime`: Python's `default_msec_format`.
#[derive(Clone, Debug, PartialEq)]
pub struct MsecFormat {
    text: String,
    parts: Vec<MsecPart>,
}

#[derive(Clone, Debug, PartialEq)]
enum FormatPart {
    Text(String),
    Attribute(RecordAttribute, ConversionSpec),
}

#[derive(Clone, Debug, PartialEq)]
enum MsecPart {
    Text(String),
    Time(ConversionSpec),
    Msecs(ConversionSpec),
}

/// The attributes of Python's `LogRecord`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RecordAttribute {
    Asctime,
    Created,
    Filename,
    FuncName,
    Levelname,
    Levelno,
    Lineno,
    Message,
    Module,
    Msecs,
    Name,
    Pathname,
    Process,
    ProcessName,
    RelativeCreated,
    TaskName,
    Thread,
    ThreadName,
}

const RECORD_ATTRIBUTES: [(&str, RecordAttribute); 18] = [
    ("asctime", RecordAttribute::Asctime),
    ("created", RecordAttribute::Created),
    ("filename", RecordAttribute::Filename),
    ("funcName", RecordAttribute::FuncName),
    ("levelname", RecordAttribute::Levelname),
    ("levelno", RecordAttribute::Levelno),
    ("lineno", RecordAttribute::Lineno),
    ("message", RecordAttribute::Message),
    ("module", RecordAttribute::Module),
    ("msecs", RecordAttribute::Msecs),
    ("name", RecordAttribute::Name),
    ("pathname", RecordAttribute::Pathname),
    ("process", RecordAttribute::Process),
    ("processName", RecordAttribute::ProcessName),
    ("relativeCreated", RecordAttribute::RelativeCreated),
    ("taskName", RecordAttribute::TaskName),
    ("thread", RecordAttribute::Thread),
    ("threadName", RecordAttribute::ThreadName),
];

impl RecordAttribute {
    const fn is_number(self) -> bool {
        matches!(
            self,
            Self::Created
                | Self::Levelno
                | Self::Lineno
                | Self::Msecs
                | Self::Process
                | Self::RelativeCreated
                | Self::Thread
        )
    }
}

/// An event with the attributes of Python's `LogRecord`.
pub(super) struct PythonRecord<'a> {
    pub moment: LogTime,
    pub metadata: &'a Metadata<'a>,
    /// The message, escaped.
    pub message: &'a str,
    /// The fields and the request id that follow the message, escaped.
    pub fields: &'a str,
    pub context: &'a RecordContext,
    pub msec: &'a MsecFormat,
}

/// The attributes that the event itself does not have.
pub(super) struct RecordContext {
    /// The name of the span, which `#[instrument]` names as the function.
    pub function: &'static str,
    pub process: u32,
    pub thread: u64,
    pub thread_name: String,
    pub task_name: String,
    /// Python's `time.time()` at the start of the log.
    pub started_at: f64,
}

impl PythonFormat {
    /// The default format of Gnar Gear, and the format of `human`.
    pub const GNAR: &str = "%(asctime)s %(levelname)-8s %(name)s:%(lineno)d   %(message)s";

    /// Parses a format.
    ///
    /// # Errors
    /// The invalid field or conversion, with a corrected format if a field is misspelled.
    pub fn new(text: &str) -> Result<Self, String> {
        let parts = pieces(text)?.into_iter().map(|piece| match piece {
            FormatPiece::Text(text) => Ok(FormatPart::Text(text)),
            FormatPiece::Conversion { name, spec } => {
                attribute(text, name, spec).map(|attribute| FormatPart::Attribute(attribute, spec))
            }
        });
        Ok(Self { parts: parts.collect::<Result<_, _>>()?, text: text.to_owned() })
    }

    pub(super) fn gnar() -> Self {
        Self::new(Self::GNAR).expect("Gnar Gear's format is one")
    }

    /// Writes the line without its line end. The fields follow the message; if the format has no message,
    /// they are at the end.
    pub(super) fn write(&self, line: &mut String, record: &PythonRecord<'_>) {
        let is_message =
            |part: &FormatPart| matches!(part, FormatPart::Attribute(RecordAttribute::Message, _));
        let last = self.parts.iter().rposition(is_message);
        for (index, part) in self.parts.iter().enumerate() {
            match part {
                FormatPart::Text(text) => line.push_str(text),
                FormatPart::Attribute(attribute, spec) => record.write(line, *attribute, *spec),
            }
            if Some(index) == last {
                line.push_str(record.fields);
            }
        }
        if last.is_none() {
            line.push_str(record.fields);
        }
    }
}

/// Returns the attribute that a conversion names.
fn attribute(
    format: &str,
    name: Option<&str>,
    spec: ConversionSpec,
) -> Result<RecordAttribute, String> {
    let Some(name) = name else {
        return Err(
            "`%` without a field: write one such as `%(message)s`, or `%%` for a percent sign"
                .to_owned(),
        );
    };
    let Some((_, attribute)) = RECORD_ATTRIBUTES.iter().find(|(known, _)| *known == name) else {
        let names = RECORD_ATTRIBUTES.iter().map(|(name, _)| *name);
        return Err(match suggest(name, names.clone()) {
            Some(near) => {
                let meant = format.replace(&format!("%({name})"), &format!("%({near})"));
                format!("unknown field `{name}`: did you mean `{meant}`?")
            }
            None => {
                let names = names.collect::<Vec<_>>().join(", ");
                format!("unknown field `{name}`: expected one of {names}")
            }
        });
    };
    if spec.kind != ConversionKind::Text && !attribute.is_number() {
        return Err(format!("`{name}` is text, not a number: write `%({name})s`"));
    }
    Ok(*attribute)
}

impl PythonRecord<'_> {
    fn write(&self, line: &mut String, attribute: RecordAttribute, spec: ConversionSpec) {
        let (metadata, context) = (self.metadata, self.context);
        let number = |line: &mut String, number| spec.number(line, number);
        match attribute {
            RecordAttribute::Message => spec.text(line, self.message),
            RecordAttribute::Asctime => spec.text(line, &self.msec.asctime(self.moment)),
            RecordAttribute::Levelname => spec.text(line, python_levels::name(*metadata.level())),
            RecordAttribute::Name => {
                let mut name = String::new();
                logger_name(&mut name, metadata);
                spec.text(line, &name);
            }
            RecordAttribute::Lineno => {
                number(line, FormatNumber::Whole(metadata.line().unwrap_or(0).into()));
            }
            RecordAttribute::Levelno => {
                number(line, FormatNumber::Whole(python_levels::number(*metadata.level()).into()));
            }
            RecordAttribute::Created => number(line, FormatNumber::Fraction(self.moment.created())),
            RecordAttribute::RelativeCreated => {
                let millis = (self.moment.created() - context.started_at) * 1000.0;
                number(line, FormatNumber::Fraction(millis));
            }
            RecordAttribute::Msecs => {
                number(line, FormatNumber::Fraction(self.moment.millis().into()));
            }
            RecordAttribute::Pathname => spec.text(line, path(metadata)),
            RecordAttribute::Filename => spec.text(line, file(metadata)),
            RecordAttribute::Module => {
                let file = file(metadata);
                spec.text(line, file.rsplit_once('.').map_or(file, |(stem, _)| stem));
            }
            RecordAttribute::FuncName => spec.text(line, context.function),
            RecordAttribute::Process => number(line, FormatNumber::Whole(context.process.into())),
            RecordAttribute::ProcessName => spec.text(line, "MainProcess"),
            RecordAttribute::Thread => {
                number(line, FormatNumber::Whole(context.thread.try_into().unwrap_or(i64::MAX)));
            }
            RecordAttribute::ThreadName => spec.text(line, &context.thread_name),
            RecordAttribute::TaskName => spec.text(line, &context.task_name),
        }
    }
}

/// Returns the path of the file, or Python's placeholder for an unknown one.
fn path<'a>(metadata: &Metadata<'a>) -> &'a str {
    metadata.file().unwrap_or("(unknown file)")
}

fn file<'a>(metadata: &Metadata<'a>) -> &'a str {
    let path = path(metadata);
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

impl RecordContext {
    pub fn new(function: Option<&'static str>, started_at: f64) -> Self {
        let thread = std::thread::current();
        let thread_name = match thread.name() {
            Some("main") => "MainThread".to_owned(),
            Some(name) => name.chars().filter(|c| !c.is_control()).collect(),
            None => format!("Thread-{}", thread_number(&thread)),
        };
        Self {
            function: function.unwrap_or("(unknown function)"),
            process: std::process::id(),
            thread: thread_number(&thread),
            thread_name,
            // Python formats a missing name as `None`.
            task_name: tokio::task::try_id()
                .map_or_else(|| "None".to_owned(), |id| format!("Task-{id}")),
            started_at,
        }
    }
}

/// Returns the number of a thread, which stable Rust shows only in its `Debug` text.
fn thread_number(thread: &std::thread::Thread) -> u64 {
    let shown = format!("{:?}", thread.id());
    let digits: String = shown.chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}

impl MsecFormat {
    /// Parses a format.
    ///
    /// # Errors
    /// The reason why it is invalid, with the default to write instead.
    pub fn new(text: &str) -> Result<Self, String> {
        let default = || format!("write `{}`", Self::DEFAULT);
        let mut parts = Vec::new();
        let mut count = 0;
        for piece in pieces(text).map_err(|why| format!("{why}: {}", default()))? {
            parts.push(match piece {
                FormatPiece::Text(text) => MsecPart::Text(text),
                FormatPiece::Conversion { name: Some(name), .. } => {
                    return Err(format!(
                        "`%({name})` has a name, which is not allowed here: {}",
                        default()
                    ));
                }
                FormatPiece::Conversion { spec, .. } => {
                    count += 1;
                    match (count, spec.kind) {
                        (1, ConversionKind::Text) => MsecPart::Time(spec),
                        (1, _) => {
                            return Err(format!("the time is text, not a number: {}", default()));
                        }
                        _ => MsecPart::Msecs(spec),
                    }
                }
            });
        }
        if count != 2 && !text.is_empty() {
            let why = "expected two conversions, for the time and for the milliseconds";
            return Err(format!("{why}: {}", default()));
        }
        Ok(Self { text: text.to_owned(), parts })
    }

    /// The format of Gnar Gear. Python's default has a comma instead of the point.
    pub const DEFAULT: &str = "%s.%03d";

    pub(super) fn is_default(&self) -> bool {
        self.text == Self::DEFAULT
    }

    fn asctime(&self, moment: LogTime) -> String {
        let mut time = String::new();
        date_and_seconds(&mut time, moment, ' ');
        if self.parts.is_empty() {
            return time;
        }
        let mut whole = String::new();
        for part in &self.parts {
            match part {
                MsecPart::Text(text) => whole.push_str(text),
                MsecPart::Time(spec) => spec.text(&mut whole, &time),
                MsecPart::Msecs(spec) => {
                    spec.number(&mut whole, FormatNumber::Fraction(moment.millis().into()));
                }
            }
        }
        whole
    }
}

impl Default for MsecFormat {
    fn default() -> Self {
        Self::new(Self::DEFAULT).expect("two conversions stand in the default")
    }
}

impl Setting for MsecFormat {
    fn expects() -> Cow<'static, str> {
        "Python's `default_msec_format`, such as `%s.%03d`, or nothing".into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let text = value.as_str().ok_or_else(|| format!("expected {}", Self::expects()))?;
        Self::new(text)
    }

    fn show(&self) -> Value {
        Value::from(self.text.as_str())
    }

    fn schema() -> Value {
        json!({ "type": "string", "examples": [Self::DEFAULT, ""] })
    }
}
