//! Starts other programs, and prints each command as it can be typed again.

use std::error::Error;
use std::ffi::OsStr;
use std::fmt;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

pub type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// A command line. `Display` writes it as a person would type it into a shell.
#[derive(Clone, Debug)]
pub struct Cmd {
    words: Vec<String>,
    env: Vec<(String, String)>,
    dir: Option<PathBuf>,
}

impl Cmd {
    /// Creates a command from words separated by spaces. [`Cmd::arg`] adds a word that may contain
    /// spaces.
    pub fn new(line: &str) -> Self {
        let words = line.split_whitespace().map(str::to_owned).collect();
        Self { words, env: Vec::new(), dir: None }
    }

    pub fn arg(mut self, word: impl AsRef<OsStr>) -> Self {
        self.words.push(word.as_ref().to_string_lossy().into_owned());
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.to_owned(), value.as_ref().to_string_lossy().into_owned()));
        self
    }

    pub fn dir(mut self, dir: &Path) -> Self {
        self.dir = Some(dir.to_owned());
        self
    }

    /// Returns the standard library's command, for callers that need the child itself.
    pub fn std(&self) -> Command {
        let (program, args) = self.words.split_first().expect("a command has a program");
        let mut command = Command::new(program);
        command.args(args).envs(self.env.iter().map(|(name, value)| (name, value)));
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        command
    }

    /// Prints and runs the command; its output goes to ours.
    ///
    /// # Errors
    /// When it cannot be started or its exit code is not 0. The message contains the command.
    pub fn run(&self) -> Result<()> {
        say(&format!("$ {self}"));
        let status = self.std().status().map_err(|error| self.not_started(&error))?;
        if status.success() { Ok(()) } else { Err(format!("`{self}` ended with {status}").into()) }
    }

    /// Prints and runs the command, and keeps a copy of both outputs.
    ///
    /// # Errors
    /// When it cannot be started. Its exit code is part of the result.
    pub fn tee(&self) -> Result<Tee> {
        say(&format!("$ {self}"));
        let mut child = self
            .std()
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| self.not_started(&error))?;
        let stderr = child.stderr.take().expect("stderr is piped");
        let stdout = child.stdout.take().expect("stdout is piped");
        let other = thread::spawn(move || copy_lines(stderr, io::stderr()));
        let mut text = copy_lines(stdout, io::stdout());
        text.push_str(&other.join().expect("copying lines does not panic"));
        Ok(Tee { succeeded: child.wait()?.success(), text: without_colours(&text) })
    }

    /// Runs the command silently, and returns its standard output.
    ///
    /// # Errors
    /// When it cannot be started or its exit code is not 0. The message contains its standard
    /// error.
    pub fn read(&self) -> Result<String> {
        let output = self.std().output().map_err(|error| self.not_started(&error))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("`{self}` ended with {}\n{}", output.status, said.trim_end()).into())
    }

    /// Returns whether the command can be started and succeeds. Its output is discarded.
    pub fn works(&self) -> bool {
        let mut command = self.std();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    fn not_started(&self, error: &io::Error) -> String {
        format!("start `{self}`: {error}")
    }
}

impl fmt::Display for Cmd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(dir) = &self.dir {
            write!(f, "cd {} && ", quoted(&dir.to_string_lossy()))?;
        }
        for (name, value) in &self.env {
            write!(f, "{name}={} ", quoted(value))?;
        }
        let words: Vec<String> = self.words.iter().map(|word| quoted(word)).collect();
        f.write_str(&words.join(" "))
    }
}

/// Output of a command, both streams without colours, and whether it succeeded.
pub struct Tee {
    pub succeeded: bool,
    pub text: String,
}

/// Returns the folder of the workspace.
pub fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        // Read from the environment first, because worktrees that share a target folder share this
        // program: it may have been built in another one than where `cargo xtask` was typed.
        let built = || env!("CARGO_MANIFEST_DIR").into();
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(built, PathBuf::from);
        manifest.parent().expect("xtask lies in the workspace's folder").to_owned()
    })
}

/// Returns the path of `program`, searched in `PATH` and the folders for administrators.
pub fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// Prints a line, and flushes it, so that it precedes the output of the next command.
pub fn say(line: &str) {
    let mut out = io::stdout().lock();
    // Errors are ignored, because a closed pipe (`| head`) is no reason to fail.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

pub fn bold(text: &str) -> String {
    coloured("1", text)
}

pub fn green(text: &str) -> String {
    coloured("32", text)
}

pub fn red(text: &str) -> String {
    coloured("31", text)
}

pub fn colours() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

fn coloured(code: &str, text: &str) -> String {
    if colours() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

/// Sleeps between two checks of a condition that cannot be waited for.
#[expect(
    clippy::disallowed_methods,
    reason = "xtask has no async runtime that a sleep could block"
)]
pub fn pause(time: Duration) {
    thread::sleep(time);
}

/// Formats a duration as briefly as possible: `850 ms`, `12.3 s`, `2 min 05 s`.
pub fn human(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 1.0 {
        format!("{} ms", time.as_millis())
    } else if seconds < 99.95 {
        format!("{seconds:.1} s")
    } else {
        format!("{} min {:02} s", time.as_secs() / 60, time.as_secs() % 60)
    }
}

fn copy_lines(from: impl Read, mut to: impl Write) -> String {
    let mut from = BufReader::new(from);
    let mut kept = String::new();
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
        // Errors are ignored, because the child must not block when our own output is closed.
        let _ = to.write_all(&line).and_then(|()| to.flush());
        kept.push_str(&String::from_utf8_lossy(&line));
        line.clear();
    }
    kept
}

fn without_colours(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("\x1b[") {
        plain.push_str(&rest[..start]);
        let code = &rest[start + 2..];
        let end = code.find(|c: char| c.is_ascii_alphabetic()).map_or(code.len(), |at| at + 1);
        rest = &code[end..];
    }
    plain.push_str(rest);
    plain
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+./:,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_would_be_typed() {
        let command = Cmd::new("cargo doc").arg("--no-deps").env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(command.to_string(), "RUSTDOCFLAGS='-D warnings' cargo doc --no-deps");
    }

    #[test]
    fn a_copy_of_the_output_has_both_streams_and_no_colours() {
        let command = Cmd::new("sh -c").arg(r"printf '\033[1mout\033[0m\n'; echo err >&2; exit 3");
        let tee = command.tee().unwrap();
        assert_eq!((tee.succeeded, tee.text.as_str()), (false, "out\nerr\n"));
    }

    #[test]
    fn a_command_that_is_not_there_is_named() {
        let error = Cmd::new("no-such-program-here --flag").read().unwrap_err().to_string();
        assert!(error.starts_with("start `no-such-program-here --flag`: "), "{error}");
    }

    #[test]
    fn times_are_as_short_as_they_can_be() {
        let shown = [850, 12_340, 125_000].map(|ms| human(Duration::from_millis(ms)));
        assert_eq!(shown, ["850 ms", "12.3 s", "2 min 05 s"]);
    }
}
