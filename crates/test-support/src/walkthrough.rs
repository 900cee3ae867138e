//! Follows a page of the documentation: writes its files, types its commands, and compares their
//! output.
//!
//! - A block under a line that ends with `` `path`: `` is that file; under `` `path`, from `text` on: `` it takes
//!   the place of the file's lines from the first that begins with `text`.
//! - In a block `console` a line with `$ ` is typed, a last word `&` leaves it running (until it listens, if a port is
//!   in it), and the lines below are its answer. `..` stands for anything; a command without an answer has to succeed.
//! - Every other block is for people: [`Walkthrough::other_blocks`].

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// Maximum time until the output matches. Needed because nginx reports a reload before it has taken
/// effect, and because a worker may be asked before it listens.
const OUTPUT_TIMEOUT: Duration = Duration::from_secs(30);

/// Maximum time until a background command listens. It may have to be compiled first.
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// Beginnings of commands that can be repeated until their output matches: those that read, and Celery's remote control.
const REPEATABLE: [&str; 4] =
    ["curl ", "celery -A tasks control ", "celery -A tasks inspect ", "redis-cli llen "];

/// Marks the end of a command's output.
const END_MARKER: &str = "--- end of the answer, exit code";

/// The steps of a page.
#[derive(Debug)]
pub struct Walkthrough {
    /// Steps in order.
    pub steps: Vec<Step>,
    /// Blocks that are not steps: language and text.
    pub other_blocks: Vec<(String, String)>,
}

/// One instruction of the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Heading above it, without `## `.
    pub section: String,
    /// Line in the page.
    pub line: usize,
    /// The action.
    pub action: Action,
}

/// Action of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Write a file. With `from`, replace the part that starts with the first line beginning with
    /// it.
    Write {
        /// Path of the file.
        path: String,
        /// Beginning of the first line to replace.
        from: Option<String>,
        /// Content of the file.
        content: String,
    },
    /// Run a command.
    Type {
        /// The command, without a trailing `&`.
        command: String,
        /// Set if it keeps running in the background.
        in_background: bool,
        /// Expected output.
        answer: Vec<String>,
    },
}

impl Walkthrough {
    /// Reads a page of Markdown.
    ///
    /// # Panics
    /// If a block has no end.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut page = Self { steps: Vec::new(), other_blocks: Vec::new() };
        let (mut section, mut above) = ("", "");
        let mut lines = (1..).zip(text.lines());
        while let Some((number, line)) = lines.next() {
            if let Some(heading) = line.strip_prefix("## ") {
                section = heading;
            }
            if let Some(language) = line.strip_prefix("```") {
                let block: Vec<&str> = lines
                    .by_ref()
                    .map(|(_, line)| line)
                    .take_while(|line| *line != "```")
                    .collect();
                let step = |line, action| Step { section: section.to_owned(), line, action };
                if let Some((path, from)) = file(above) {
                    let content = block.join("\n") + "\n";
                    page.steps.push(step(number, Action::Write { path, from, content }));
                } else if language == "console" {
                    let typed = typed(&block).into_iter();
                    page.steps.extend(typed.map(|(at, action)| step(number + 1 + at, action)));
                } else {
                    page.other_blocks.push((language.to_owned(), block.join("\n") + "\n"));
                }
            }
            if !line.is_empty() {
                above = line;
            }
        }
        page
    }
}

/// Returns the file that the block below this line contains, and from which line on.
fn file(line: &str) -> Option<(String, Option<String>)> {
    let last = |text: &str| text.rsplit_once('`').map(|(_, path)| path.to_owned());
    if let Some(rest) = line.strip_suffix("` on:") {
        let (path, from) = rest.rsplit_once("`, from `")?;
        return Some((last(path)?, Some(from.to_owned())));
    }
    Some((last(line.strip_suffix("`:")?)?, None))
}

/// Returns the commands of a block, each with its line in it.
fn typed(block: &[&str]) -> Vec<(usize, Action)> {
    let mut found: Vec<(usize, Action)> = Vec::new();
    for (at, line) in block.iter().enumerate() {
        if let Some(command) = line.strip_prefix("$ ") {
            let in_background = command.ends_with(" &");
            let command = command.trim_end_matches(" &").to_owned();
            found.push((at, Action::Type { command, in_background, answer: Vec::new() }));
        } else if let Some((_, Action::Type { answer, .. })) = found.last_mut() {
            answer.push((*line).to_owned());
        }
    }
    found
}

/// Returns whether `answer` matches the page. Empty lines are ignored, `..` matches anything within
/// its line, and a line of `..` alone any number of lines.
#[must_use]
pub fn matches_expected(expected: &[String], answer: &str) -> bool {
    let expected: Vec<&str> =
        expected.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).collect();
    let lines: Vec<&str> = answer.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    match_lines(&expected, &lines)
}

fn match_lines(expected: &[&str], lines: &[&str]) -> bool {
    match expected.split_first() {
        None => lines.is_empty(),
        Some((&"..", rest)) => {
            (0..=lines.len()).any(|skipped| match_lines(rest, &lines[skipped..]))
        }
        Some((first, rest)) => match lines.split_first() {
            Some((line, lines)) => line_matches(first, line) && match_lines(rest, lines),
            None => false,
        },
    }
}

fn line_matches(expected: &str, line: &str) -> bool {
    match expected.split_once("..") {
        None => expected == line,
        Some((begin, rest)) => line.strip_prefix(begin).is_some_and(|line| {
            line.char_indices()
                .map(|(at, _)| at)
                .chain([line.len()])
                .any(|at| line_matches(rest, &line[at..]))
        }),
    }
}

/// Runs the steps of a page in a shell.
#[derive(Debug)]
pub struct WalkthroughRunner {
    shell: Shell,
    /// Replacements: text of the page, and its value here.
    names: Vec<(String, String)>,
}

impl WalkthroughRunner {
    /// Starts in `folder`, with `variables` alone. `names` are ports, paths and words of the page
    /// that differ here.
    ///
    /// # Panics
    /// If there is no bash.
    #[must_use]
    pub fn new(folder: &Path, variables: &[(&str, String)], names: &[(&str, String)]) -> Self {
        let names = names.iter().map(|(name, here)| ((*name).to_owned(), here.clone())).collect();
        Self { shell: Shell::start(folder, variables), names }
    }

    /// Replaces the names in a text of the page. Replaced text is not searched again, because the
    /// digits of one port may occur in another.
    #[must_use]
    pub fn localize(&self, text: &str) -> String {
        let (mut here, mut rest) = (String::new(), text);
        while let Some(first) = rest.chars().next() {
            let name = self.names.iter().find(|(name, _)| rest.starts_with(name));
            let skipped = match name {
                Some((name, other)) => {
                    here.push_str(other);
                    name.len()
                }
                None => {
                    here.push(first);
                    first.len_utf8()
                }
            };
            rest = &rest[skipped..];
        }
        here
    }

    /// Runs a step of the page.
    ///
    /// # Panics
    /// If the result differs from the page; the message has the page's line, the expected and the
    /// actual output.
    pub fn run_step(&mut self, step: &Step) {
        match &step.action {
            Action::Write { path, from, content } => self.write(path, from.as_deref(), content),
            Action::Type { command, in_background: true, .. } => {
                self.run_in_background(step, command);
            }
            Action::Type { command, answer, .. } => self.run_and_compare(step, command, answer),
        }
    }

    /// Runs a command of the test, and returns its output.
    ///
    /// # Panics
    /// If it fails.
    pub fn run_command(&mut self, command: &str) -> String {
        let (answer, code) = self.shell.run(&self.localize(command));
        assert_eq!(code, 0, "$ {command}\n{answer}");
        answer.trim().to_owned()
    }

    fn write(&mut self, path: &str, from: Option<&str>, content: &str) {
        let folder = PathBuf::from(self.run_command("pwd"));
        let path = folder.join(self.localize(path));
        let mut text = self.localize(content);
        if let Some(from) = from {
            let old = std::fs::read_to_string(&path).expect("the page wrote it before");
            let kept = old.lines().take_while(|line| !line.starts_with(from));
            let kept: String = kept.flat_map(|line| [line, "\n"]).collect();
            assert!(kept.len() < old.len(), "no line of {} begins with {from}", path.display());
            text.insert_str(0, &kept);
        }
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    fn run_in_background(&mut self, step: &Step, command: &str) {
        let command = self.localize(command);
        self.shell.run_in_background(&command);
        let mut ports =
            command.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok());
        // One that listens nowhere, such as a worker, is ready when the next command finds it.
        let Some(port) = ports.rfind(|port: &u16| *port > 1023) else { return };
        let begin = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let late = begin.elapsed() > START_TIMEOUT;
            assert!(
                !late,
                "line {}: nobody listens after\n$ {command}\n{}",
                step.line,
                self.shell.log()
            );
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    fn run_and_compare(&mut self, step: &Step, command: &str, answer: &[String]) {
        let (typed, begin) = (self.localize(command), Instant::now());
        let expected: Vec<String> = answer.iter().map(|line| self.localize(line)).collect();
        loop {
            let (answered, code) = self.shell.run(&typed);
            if if expected.is_empty() { code == 0 } else { matches_expected(&expected, &answered) }
            {
                return;
            }
            // Other commands would have their effect twice.
            let is_repeatable = REPEATABLE.iter().any(|begin| typed.starts_with(begin));
            if !is_repeatable || begin.elapsed() > OUTPUT_TIMEOUT {
                let log = self.shell.log();
                panic!(
                    "line {} of the page, \"{}\"\n$ {typed}\n{answered}(exit code {code})\nbut the page says\n{}\n\
                     what runs has printed\n{log}",
                    step.line,
                    step.section,
                    expected.join("\n"),
                );
            }
            std::thread::park_timeout(Duration::from_millis(100));
        }
    }
}

/// A shell with state. Its background commands end with it.
#[derive(Debug)]
struct Shell {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    log: tempfile::TempPath,
}

impl Shell {
    fn start(folder: &Path, variables: &[(&str, String)]) -> Self {
        let mut child = Command::new("bash")
            .args(["--noprofile", "--norc"])
            .current_dir(folder)
            .env_clear()
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("there is bash");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let log = tempfile::NamedTempFile::new().expect("a temporary file").into_temp_path();
        let mut shell = Self { child, input, output, log };
        // Set, so that background commands end with the test, however it ends.
        shell.run("exec 2>&1; trap 'kill $(jobs -p); wait' EXIT");
        shell
    }

    /// Runs a command, and returns its output and its exit code.
    fn run(&mut self, command: &str) -> (String, i32) {
        let input = self.input.as_mut().expect("it is there until the end");
        writeln!(input, "{{ {command}\n}} </dev/null\nprintf '\\n%s %s\\n' '{END_MARKER}' $?")
            .expect("bash reads");
        let mut answer = String::new();
        loop {
            let mut line = String::new();
            let read = self.output.read_line(&mut line).expect("commands print text");
            assert!(read > 0, "the shell ended on: {command}\n{answer}");
            if let Some(code) = line.strip_prefix(END_MARKER) {
                return (answer, code.trim().parse().expect("it is a number"));
            }
            let _ = write!(answer, "{line}");
        }
    }

    fn run_in_background(&mut self, command: &str) {
        self.run(&format!("{command} >>{} 2>&1 &", self.log.display()));
    }

    /// Returns the last lines that background commands have printed.
    fn log(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn two_dots_are_anything_in_a_line_and_any_lines_alone() {
        assert!(matches_expected(&expected(&[r#"{"a":"..","b":2}"#]), "{\"a\":\"x\",\"b\":2}\n\n"));
        assert!(!matches_expected(&expected(&[r#"{"a":"..","b":2}"#]), r#"{"a":"x","b":3}"#));
        assert!(!matches_expected(&expected(&["a"]), "a\nb"));
        assert!(matches_expected(&expected(&["a", "..", "d"]), "a\nb\nc\nd"));
        assert!(matches_expected(&expected(&["a", ".."]), "a"));
        assert!(!matches_expected(&expected(&["a", "..", "d"]), "a\nb"));
    }

    #[test]
    fn a_page_is_files_commands_and_quotes() {
        let page = Walkthrough::read(
            "# x\n## One\nThe file `a.txt`:\n\n```toml\na = 1\n```\nText `b`: and\n```console\n$ cat a.txt\na = 1\n\
             $ serve 5000 &\n```\n## Two\n`a.txt`, from `a` on:\n```toml\na = 2\n```\nlook\n```python\nx\n```\n",
        );
        assert_eq!(page.other_blocks, [("python".to_owned(), "x\n".to_owned())]);
        let places: Vec<_> =
            page.steps.iter().map(|step| (step.section.as_str(), step.line)).collect();
        assert_eq!(places, [("One", 5), ("One", 10), ("One", 12), ("Two", 16)]);
        let [Step { action: Action::Write { path, from: None, .. }, .. }, answered, runs, replaced] =
            &page.steps[..]
        else {
            panic!("{page:?}")
        };
        assert_eq!(path, "a.txt");
        assert!(
            matches!(&answered.action, Action::Type { answer, in_background: false, .. } if answer[..] == ["a = 1"])
        );
        assert!(
            matches!(&runs.action, Action::Type { command, in_background: true, .. } if command == "serve 5000")
        );
        assert!(matches!(&replaced.action, Action::Write { from: Some(from), .. } if from == "a"));
    }

    #[test]
    fn who_follows_a_page_finds_what_it_says() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let page = "`a.txt`:\n```text\none\ntwo\n```\n```console\n$ X=$(cat a.txt | wc -l)\n$ echo $X\n2\n```\n\
            `a.txt`, from `two` on:\n```text\nTHREE\n```\n```console\n$ cat a.txt\none\n3\n```\n";
        let path = std::env::var_os("PATH").unwrap_or_default().to_string_lossy().into_owned();
        let mut reader =
            WalkthroughRunner::new(folder.path(), &[("PATH", path)], &[("THREE", "3".into())]);
        Walkthrough::read(page).steps.iter().for_each(|step| reader.run_step(step));
    }

    #[test]
    #[should_panic(expected = "but the page says")]
    fn a_page_that_says_something_else_is_found_out() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut reader = WalkthroughRunner::new(folder.path(), &[], &[]);
        Walkthrough::read("```console\n$ echo 1\n2\n```\n")
            .steps
            .iter()
            .for_each(|step| reader.run_step(step));
    }
}
