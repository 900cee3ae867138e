//! `log.format`: the forms of our own, and any that Python's `logging` understands, so that the
//! `LOG_FORMAT` of a deployment works unchanged and whoever reads its lines finds what they expect.

use std::borrow::Cow;
use std::fmt;

use serde_json::{Value, json};
use tracing::Metadata;

use super::line::logger;
use super::moment::{Moment, date_and_seconds};
use crate::compat::percent_format::{
    ConversionKind, ConversionSpec, FormatNumber, FormatPiece, pieces,
};
use crate::compat::python_levels;
use crate::config::{Setting, nearest, refuse_choice};

/// What a line looks like.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum LogFormat {
    /// For people if the output is a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For people: [`PythonFormat::GNAR`].
    Human,
    /// One JSON object a line, for machines.
    Json,
    /// A format in Python's spelling, without colours.
    Python(PythonFormat),
}

/// A format in the `%` style of Python's `logging`, such as
/// `%(asctime)s %(levelname)-8s %(message)s`.
#[derive(Clone, Debug, PartialEq)]
pub struct PythonFormat {
    text: String,
    parts: Vec<Part>,
}

/// How the milliseconds stand in `asctime`: Python's `default_msec_format`.
#[derive(Clone, Debug, PartialEq)]
pub struct MsecFormat {
    text: String,
    parts: Vec<MsecPart>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    Attribute(Attribute, ConversionSpec),
}

#[derive(Clone, Debug, PartialEq)]
enum MsecPart {
    Text(String),
    Time(ConversionSpec),
    Msecs(ConversionSpec),
}

/// What Python knows of a log record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attribute {
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

const ATTRIBUTES: [(&str, Attribute); 18] = [
    ("asctime", Attribute::Asctime),
    ("created", Attribute::Created),
    ("filename", Attribute::Filename),
    ("funcName", Attribute::FuncName),
    ("levelname", Attribute::Levelname),
    ("levelno", Attribute::Levelno),
    ("lineno", Attribute::Lineno),
    ("message", Attribute::Message),
    ("module", Attribute::Module),
    ("msecs", Attribute::Msecs),
    ("name", Attribute::Name),
    ("pathname", Attribute::Pathname),
    ("process", Attribute::Process),
    ("processName", Attribute::ProcessName),
    ("relativeCreated", Attribute::RelativeCreated),
    ("taskName", Attribute::TaskName),
    ("thread", Attribute::Thread),
    ("threadName", Attribute::ThreadName),
];

impl Attribute {
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

/// An event as Python would see it.
pub(super) struct Record<'a> {
    pub moment: Moment,
    pub metadata: &'a Metadata<'a>,
    /// Escaped.
    pub message: &'a str,
    /// The fields and the id of the request, as they follow the message. Escaped.
    pub fields: &'a str,
    pub around: &'a Around,
    pub msec: &'a MsecFormat,
}

/// What does not stand in the event itself.
pub(super) struct Around {
    /// The span: `#[instrument]` calls it as the function.
    pub function: &'static str,
    pub process: u32,
    pub thread: u64,
    pub thread_name: String,
    pub task_name: String,
    /// Python's `time.time()` when the log began.
    pub began: f64,
}

impl PythonFormat {
    /// The default format of Gnar Gear, and ours for people.
    pub const GNAR: &str = "%(asctime)s %(levelname)-8s %(name)s:%(lineno)d   %(message)s";

    /// Reads a format.
    ///
    /// # Errors
    /// Which field or conversion is wrong, with the whole format as it was probably meant.
    pub fn new(text: &str) -> Result<Self, String> {
        let parts = pieces(text)?.into_iter().map(|piece| match piece {
            FormatPiece::Text(text) => Ok(Part::Text(text)),
            FormatPiece::Conversion { name, spec } => {
                attribute(text, name, spec).map(|attribute| Part::Attribute(attribute, spec))
            }
        });
        Ok(Self { parts: parts.collect::<Result<_, _>>()?, text: text.to_owned() })
    }

    pub(super) fn gnar() -> Self {
        Self::new(Self::GNAR).expect("Gnar Gear's format is one")
    }

    /// Writes the line, without its end. The fields follow the message, or stand at the end where
    /// the format has none.
    pub(super) fn write(&self, line: &mut String, record: &Record<'_>) {
        let is_message = |part: &Part| matches!(part, Part::Attribute(Attribute::Message, _));
        let last = self.parts.iter().rposition(is_message);
        for (index, part) in self.parts.iter().enumerate() {
            match part {
                Part::Text(text) => line.push_str(text),
                Part::Attribute(attribute, spec) => record.write(line, *attribute, *spec),
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

/// The attribute that a conversion names.
fn attribute(format: &str, name: Option<&str>, spec: ConversionSpec) -> Result<Attribute, String> {
    let Some(name) = name else {
        return Err("`%` names no field: such as `%(message)s`, or `%%` for the sign".to_owned());
    };
    let Some((_, attribute)) = ATTRIBUTES.iter().find(|(known, _)| *known == name) else {
        let names = ATTRIBUTES.iter().map(|(name, _)| *name);
        return Err(match nearest(name, names.clone()) {
            Some(near) => {
                let meant = format.replace(&format!("%({name})"), &format!("%({near})"));
                format!("there is no field `{name}`, but `{near}`: write `{meant}`")
            }
            None => {
                let names = names.collect::<Vec<_>>().join(", ");
                format!("there is no field `{name}`; there are {names}")
            }
        });
    };
    if spec.kind != ConversionKind::Text && !attribute.is_number() {
        return Err(format!("`{name}` is text and no number: `%({name})s` writes it"));
    }
    Ok(*attribute)
}

impl Record<'_> {
    fn write(&self, line: &mut String, attribute: Attribute, spec: ConversionSpec) {
        let (metadata, around) = (self.metadata, self.around);
        let number = |line: &mut String, number| spec.number(line, number);
        match attribute {
            Attribute::Message => spec.text(line, self.message),
            Attribute::Asctime => spec.text(line, &self.msec.asctime(self.moment)),
            Attribute::Levelname => spec.text(line, python_levels::name(*metadata.level())),
            Attribute::Name => {
                let mut name = String::new();
                logger(&mut name, metadata);
                spec.text(line, &name);
            }
            Attribute::Lineno => {
                number(line, FormatNumber::Whole(metadata.line().unwrap_or(0).into()));
            }
            Attribute::Levelno => {
                number(line, FormatNumber::Whole(python_levels::number(*metadata.level()).into()));
            }
            Attribute::Created => number(line, FormatNumber::Fraction(self.moment.created())),
            Attribute::RelativeCreated => {
                let millis = (self.moment.created() - around.began) * 1000.0;
                number(line, FormatNumber::Fraction(millis));
            }
            Attribute::Msecs => {
                number(line, FormatNumber::Fraction(self.moment.millis().into()));
            }
            Attribute::Pathname => spec.text(line, path(metadata)),
            Attribute::Filename => spec.text(line, file(metadata)),
            Attribute::Module => {
                let file = file(metadata);
                spec.text(line, file.rsplit_once('.').map_or(file, |(stem, _)| stem));
            }
            Attribute::FuncName => spec.text(line, around.function),
            Attribute::Process => number(line, FormatNumber::Whole(around.process.into())),
            Attribute::ProcessName => spec.text(line, "MainProcess"),
            Attribute::Thread => {
                number(line, FormatNumber::Whole(around.thread.try_into().unwrap_or(i64::MAX)));
            }
            Attribute::ThreadName => spec.text(line, &around.thread_name),
            Attribute::TaskName => spec.text(line, &around.task_name),
        }
    }
}

/// The words in brackets are Python's own.
fn path<'a>(metadata: &Metadata<'a>) -> &'a str {
    metadata.file().unwrap_or("(unknown file)")
}

fn file<'a>(metadata: &Metadata<'a>) -> &'a str {
    let path = path(metadata);
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

impl Around {
    pub fn new(function: Option<&'static str>, began: f64) -> Self {
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
            // As Python's `None` is written.
            task_name: tokio::task::try_id()
                .map_or_else(|| "None".to_owned(), |id| format!("Task-{id}")),
            began,
        }
    }
}

/// The standard library shows the number of a thread in its `Debug` form only.
fn thread_number(thread: &std::thread::Thread) -> u64 {
    let shown = format!("{:?}", thread.id());
    let digits: String = shown.chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}

impl MsecFormat {
    /// Reads a format.
    ///
    /// # Errors
    /// What is wrong with it, with the default to write instead.
    pub fn new(text: &str) -> Result<Self, String> {
        let default = || format!("write `{}`", Self::DEFAULT);
        let mut parts = Vec::new();
        let mut count = 0;
        for piece in pieces(text).map_err(|why| format!("{why}: {}", default()))? {
            parts.push(match piece {
                FormatPiece::Text(text) => MsecPart::Text(text),
                FormatPiece::Conversion { name: Some(name), .. } => {
                    return Err(format!(
                        "`%({name})` has a name, where none may stand: {}",
                        default()
                    ));
                }
                FormatPiece::Conversion { spec, .. } => {
                    count += 1;
                    match (count, spec.kind) {
                        (1, ConversionKind::Text) => MsecPart::Time(spec),
                        (1, _) => {
                            return Err(format!("the time is text and no number: {}", default()));
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

    /// Gnar Gear's; Python's own has a comma.
    pub const DEFAULT: &str = "%s.%03d";

    pub(super) fn is_default(&self) -> bool {
        self.text == Self::DEFAULT
    }

    fn asctime(&self, moment: Moment) -> String {
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

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Human => "human",
            Self::Json => "json",
            Self::Python(format) => &format.text,
        })
    }
}

impl Setting for LogFormat {
    fn expects() -> Cow<'static, str> {
        "`auto`, `human`, `json` or a format of Python's, such as `%(levelname)s %(message)s`"
            .into()
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let text = value.as_str().ok_or_else(|| format!("expected {}", Self::expects()))?;
        if text.contains("%(") {
            return PythonFormat::new(text).map(Self::Python);
        }
        match text.trim().to_ascii_lowercase().as_str() {
            "auto" => Ok(Self::Auto),
            "human" => Ok(Self::Human),
            "json" => Ok(Self::Json),
            _ => Err(refuse_choice(text, &["auto", "human", "json", "%(message)s"])),
        }
    }

    fn show(&self) -> Value {
        Value::from(self.to_string())
    }

    fn schema() -> Value {
        json!({ "type": "string", "examples": ["auto", "human", "json", PythonFormat::GNAR] })
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
