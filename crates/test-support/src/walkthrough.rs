//! A page of the documentation, done as it says: its files are written, its commands typed, and what they
//! answer compared.
//!
//! - A block under a line that ends with `` `path`: `` is that file; under `` `path`, from `text` on: `` it takes
//!   the place of the file's lines from the first that begins with `text`.
//! - In a block `console` a line with `$ ` is typed, a last word `&` leaves it running, and the lines below are its
//!   answer. `..` stands for anything; a command without an answer has to succeed.
//! - Every other block is for people: [`Page::quotes`].

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// How long an answer may differ: nginx says that it reloads before it has.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long what was left running may take until it listens; it may have to be compiled before.
const START: Duration = Duration::from_secs(120);

/// No line of an answer begins with it.
const END: &str = "--- end of the answer, exit code";

/// A page, read.
#[derive(Debug)]
pub struct Page {
    /// What is to be done, in order.
    pub steps: Vec<Step>,
    /// Blocks that are only to be read: their language and their text.
    pub quotes: Vec<(String, String)>,
}

/// One thing that the page says to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The heading above it, without `## `.
    pub section: String,
    /// Its line in the page.
    pub line: usize,
    /// What to do.
    pub action: Action,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Write a file; if `from` is said, only what is from the line on that begins with it.
    Write {
        /// Where.
        path: String,
        /// From where on.
        from: Option<String>,
        /// What.
        content: String,
    },
    /// Type a command.
    Type {
        /// The command, without a last `&`.
        command: String,
        /// Whether it is left running.
        stays: bool,
        /// What it answers.
        answer: Vec<String>,
    },
}

impl Page {
    /// Reads a page of Markdown.
    ///
    /// # Panics
    /// If a block has no end.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut page = Self { steps: Vec::new(), quotes: Vec::new() };
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
                    page.quotes.push((language.to_owned(), block.join("\n") + "\n"));
                }
            }
            if !line.is_empty() {
                above = line;
            }
        }
        page
    }
}

/// The file that the block under this line is, and from where on.
fn file(line: &str) -> Option<(String, Option<String>)> {
    let last = |text: &str| text.rsplit_once('`').map(|(_, path)| path.to_owned());
    if let Some(rest) = line.strip_suffix("` on:") {
        let (path, from) = rest.rsplit_once("`, from `")?;
        return Some((last(path)?, Some(from.to_owned())));
    }
    Some((last(line.strip_suffix("`:")?)?, None))
}

/// The commands of a block, each with its line in it.
fn typed(block: &[&str]) -> Vec<(usize, Action)> {
    let mut found: Vec<(usize, Action)> = Vec::new();
    for (at, line) in block.iter().enumerate() {
        if let Some(command) = line.strip_prefix("$ ") {
            let stays = command.ends_with(" &");
            let command = command.trim_end_matches(" &").to_owned();
            found.push((at, Action::Type { command, stays, answer: Vec::new() }));
        } else if let Some((_, Action::Type { answer, .. })) = found.last_mut() {
            answer.push((*line).to_owned());
        }
    }
    found
}

/// Whether `answer` is what the page says. Empty lines do not count, `..` is anything within its line, and a
/// line of `..` alone any number of lines.
#[must_use]
pub fn is_as_said(said: &[String], answer: &str) -> bool {
    let said: Vec<&str> =
        said.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).collect();
    let lines: Vec<&str> = answer.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    match_lines(&said, &lines)
}

fn match_lines(said: &[&str], lines: &[&str]) -> bool {
    match said.split_first() {
        None => lines.is_empty(),
        Some((&"..", rest)) => {
            (0..=lines.len()).any(|skipped| match_lines(rest, &lines[skipped..]))
        }
        Some((first, rest)) => match lines.split_first() {
            Some((line, lines)) => is_like(first, line) && match_lines(rest, lines),
            None => false,
        },
    }
}

fn is_like(said: &str, line: &str) -> bool {
    match said.split_once("..") {
        None => said == line,
        Some((begin, rest)) => line.strip_prefix(begin).is_some_and(|line| {
            line.char_indices()
                .map(|(at, _)| at)
                .chain([line.len()])
                .any(|at| is_like(rest, &line[at..]))
        }),
    }
}

/// Somebody who does what a page says, in a shell.
#[derive(Debug)]
pub struct Reader {
    shell: Shell,
    /// What the page calls things, and what they are here.
    names: Vec<(String, String)>,
}

impl Reader {
    /// Begins in `folder`, with `variables` and no others. `names` are the ports, paths and words that are others
    /// here than on the page.
    ///
    /// # Panics
    /// If there is no bash.
    #[must_use]
    pub fn new(folder: &Path, variables: &[(&str, String)], names: &[(&str, String)]) -> Self {
        let names = names.iter().map(|(name, here)| ((*name).to_owned(), here.clone())).collect();
        Self { shell: Shell::start(folder, variables), names }
    }

    /// `text` of the page as it is here. What a name has been replaced by is not looked at again: the digits of one
    /// port may stand in another.
    #[must_use]
    pub fn here(&self, text: &str) -> String {
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

    /// Does a step of the page.
    ///
    /// # Panics
    /// If it does not end as the page says, with the line of the page, what it says and what was answered.
    pub fn follow(&mut self, step: &Step) {
        match &step.action {
            Action::Write { path, from, content } => self.write(path, from.as_deref(), content),
            Action::Type { command, stays: true, .. } => self.leave_running(step, command),
            Action::Type { command, answer, .. } => self.type_in(step, command, answer),
        }
    }

    /// Types a command of the test's own, and gives its answer.
    ///
    /// # Panics
    /// If it fails.
    pub fn ask(&mut self, command: &str) -> String {
        let (answer, code) = self.shell.run(&self.here(command));
        assert_eq!(code, 0, "$ {command}\n{answer}");
        answer.trim().to_owned()
    }

    fn write(&mut self, path: &str, from: Option<&str>, content: &str) {
        let folder = PathBuf::from(self.ask("pwd"));
        let path = folder.join(self.here(path));
        let mut text = self.here(content);
        if let Some(from) = from {
            let old = std::fs::read_to_string(&path).expect("the page wrote it before");
            let kept = old.lines().take_while(|line| !line.starts_with(from));
            let kept: String = kept.flat_map(|line| [line, "\n"]).collect();
            assert!(kept.len() < old.len(), "no line of {} begins with {from}", path.display());
            text.insert_str(0, &kept);
        }
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    fn leave_running(&mut self, step: &Step, command: &str) {
        let command = self.here(command);
        self.shell.leave_running(&command);
        let mut ports =
            command.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok());
        let port: u16 = ports.rfind(|port| *port > 1023).expect("its port is in the command");
        let begin = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let late = begin.elapsed() > START;
            assert!(
                !late,
                "line {}: nobody listens after\n$ {command}\n{}",
                step.line,
                self.shell.log()
            );
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    fn type_in(&mut self, step: &Step, command: &str, answer: &[String]) {
        let (typed, begin) = (self.here(command), Instant::now());
        let said: Vec<String> = answer.iter().map(|line| self.here(line)).collect();
        loop {
            let (answered, code) = self.shell.run(&typed);
            if if said.is_empty() { code == 0 } else { is_as_said(&said, &answered) } {
                return;
            }
            // What only asks may be asked again.
            if !typed.starts_with("curl ") || begin.elapsed() > PATIENCE {
                let log = self.shell.log();
                panic!(
                    "line {} of the page, \"{}\"\n$ {typed}\n{answered}(exit code {code})\nbut the page says\n{}\n\
                     what runs has printed\n{log}",
                    step.line,
                    step.section,
                    said.join("\n"),
                );
            }
            std::thread::park_timeout(Duration::from_millis(100));
        }
    }
}

/// A shell that remembers what was said to it. What it has left running ends with it.
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
        // When the test ends, however it does, so does this.
        shell.run("exec 2>&1; trap 'kill $(jobs -p); wait' EXIT");
        shell
    }

    /// Runs a command, and gives what it printed and its exit code.
    fn run(&mut self, command: &str) -> (String, i32) {
        let input = self.input.as_mut().expect("it is there until the end");
        writeln!(input, "{{ {command}\n}} </dev/null\nprintf '\\n%s %s\\n' '{END}' $?")
            .expect("bash reads");
        let mut answer = String::new();
        loop {
            let mut line = String::new();
            let read = self.output.read_line(&mut line).expect("commands print text");
            assert!(read > 0, "the shell ended on: {command}\n{answer}");
            if let Some(code) = line.strip_prefix(END) {
                return (answer, code.trim().parse().expect("it is a number"));
            }
            let _ = write!(answer, "{line}");
        }
    }

    fn leave_running(&mut self, command: &str) {
        self.run(&format!("{command} >>{} 2>&1 &", self.log.display()));
    }

    /// What everything that runs has printed lately.
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

    fn said(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn two_dots_are_anything_in_a_line_and_any_lines_alone() {
        assert!(is_as_said(&said(&[r#"{"a":"..","b":2}"#]), "{\"a\":\"x\",\"b\":2}\n\n"));
        assert!(!is_as_said(&said(&[r#"{"a":"..","b":2}"#]), r#"{"a":"x","b":3}"#));
        assert!(!is_as_said(&said(&["a"]), "a\nb"));
        assert!(is_as_said(&said(&["a", "..", "d"]), "a\nb\nc\nd"));
        assert!(is_as_said(&said(&["a", ".."]), "a"));
        assert!(!is_as_said(&said(&["a", "..", "d"]), "a\nb"));
    }

    #[test]
    fn a_page_is_files_commands_and_quotes() {
        let page = Page::read(
            "# x\n## One\nThe file `a.txt`:\n\n```toml\na = 1\n```\nText `b`: and\n```console\n$ cat a.txt\na = 1\n\
             $ serve 5000 &\n```\n## Two\n`a.txt`, from `a` on:\n```toml\na = 2\n```\nlook\n```python\nx\n```\n",
        );
        assert_eq!(page.quotes, [("python".to_owned(), "x\n".to_owned())]);
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
            matches!(&answered.action, Action::Type { answer, stays: false, .. } if answer[..] == ["a = 1"])
        );
        assert!(
            matches!(&runs.action, Action::Type { command, stays: true, .. } if command == "serve 5000")
        );
        assert!(matches!(&replaced.action, Action::Write { from: Some(from), .. } if from == "a"));
    }

    #[test]
    fn who_follows_a_page_finds_what_it_says() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let page = "`a.txt`:\n```text\none\ntwo\n```\n```console\n$ X=$(cat a.txt | wc -l)\n$ echo $X\n2\n```\n\
            `a.txt`, from `two` on:\n```text\nTHREE\n```\n```console\n$ cat a.txt\none\n3\n```\n";
        let path = std::env::var_os("PATH").unwrap_or_default().to_string_lossy().into_owned();
        let mut reader = Reader::new(folder.path(), &[("PATH", path)], &[("THREE", "3".into())]);
        Page::read(page).steps.iter().for_each(|step| reader.follow(step));
    }

    #[test]
    #[should_panic(expected = "but the page says")]
    fn a_page_that_says_something_else_is_found_out() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut reader = Reader::new(folder.path(), &[], &[]);
        Page::read("```console\n$ echo 1\n2\n```\n")
            .steps
            .iter()
            .for_each(|step| reader.follow(step));
    }
}
