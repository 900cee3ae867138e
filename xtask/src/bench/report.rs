//! Reports: rows of numbers side by side, on the terminal and as a file in `bench/results/`.

use std::fmt::Write as _;
use std::fs;

use crate::command::{Cmd, Result, green, red};

/// Limit of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// No limit.
    None,
    /// The ratio is at least this.
    RatioFrom(f64),
    /// The ratio is at most this.
    RatioTo(f64),
    /// Piton's own value is at most this.
    PitonTo(f64),
    /// Piton's own value is at least this.
    PitonFrom(f64),
}

/// One measurement of both contenders.
#[derive(Clone, Debug)]
pub struct Row {
    pub what: String,
    pub unit: &'static str,
    /// Value of the peer that Piton is compared with.
    pub peer: f64,
    /// Values of further peers, each in a column of its own.
    pub further: Vec<f64>,
    pub piton: f64,
    /// Piton's value divided by the peer's; measured separately where rounds are paired.
    pub ratio: f64,
    pub limit: Limit,
}

impl Row {
    pub fn new(
        what: impl Into<String>,
        unit: &'static str,
        values: [f64; 2],
        limit: Limit,
    ) -> Self {
        let [peer, piton] = values;
        let ratio = piton / peer;
        Self { what: what.into(), unit, peer, further: Vec::new(), piton, ratio, limit }
    }

    /// Returns whether the row meets its limit, or `None` without one.
    pub fn is_ok(&self) -> Option<bool> {
        match self.limit {
            Limit::None => None,
            Limit::RatioFrom(least) => Some(self.ratio >= least),
            Limit::RatioTo(most) => Some(self.ratio <= most),
            Limit::PitonTo(most) => Some(self.piton <= most),
            Limit::PitonFrom(least) => Some(self.piton >= least),
        }
    }

    fn cells(&self) -> Vec<String> {
        let limit = match self.limit {
            Limit::None => String::new(),
            Limit::RatioFrom(least) => format!("ratio >= {least}"),
            Limit::RatioTo(most) => format!("ratio <= {most}"),
            Limit::PitonTo(most) => format!("{most} {}", self.unit).trim_end().to_owned(),
            Limit::PitonFrom(least) => format!(">= {}", number(least)),
        };
        let verdict = match self.is_ok() {
            None => "",
            Some(true) => "ok",
            Some(false) => "not ok",
        };
        let what = match self.unit {
            "" => self.what.clone(),
            unit => format!("{}, {unit}", self.what),
        };
        let ratio =
            if self.ratio.is_finite() { format!("{:.2}", self.ratio) } else { "-".to_owned() };
        let mut cells = vec![what, number(self.peer)];
        cells.extend(self.further.iter().copied().map(number));
        cells.extend([number(self.piton), ratio, limit, verdict.to_owned()]);
        cells
    }
}

fn headings(peers: &[&str]) -> Vec<String> {
    let all = [""].iter().chain(peers).chain(&["piton", "ratio", "limit", ""]);
    all.map(|heading| (*heading).to_owned()).collect()
}

/// Formats the rows as columns of text.
pub fn table(peer: &str, rows: &[Row]) -> String {
    wide_table(&[peer], rows)
}

/// Formats rows with further peers as columns of text.
pub fn wide_table(peers: &[&str], rows: &[Row]) -> String {
    let mut lines = vec![headings(peers)];
    lines.extend(rows.iter().map(Row::cells));
    let columns = lines[0].len();
    let widths: Vec<usize> = (0..columns)
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for line in &lines {
        text.push_str(aligned(line, &widths).trim_end());
        text.push('\n');
    }
    text
}

// Numbers are aligned to the right; the first column and the last two are words.
fn aligned(line: &[String], widths: &[usize]) -> String {
    let last = line.len() - 1;
    let cells = line.iter().zip(widths).enumerate().map(|(column, (cell, &width))| match column {
        _ if column == last && cell == "not ok" => red(cell),
        _ if column == last => green(cell),
        _ if column == 0 || column == last - 1 => format!("{cell:<width$}"),
        _ => format!("{cell:>width$}"),
    });
    cells.collect::<Vec<_>>().join("  ")
}

/// Formats the rows as a Markdown page, with the machine on which they were measured.
pub fn page(title: &str, command: &str, peer: &str, rows: &[Row]) -> String {
    let note = "Rates are measured in interleaved rounds: their ratio is the median of the rounds' ratios.";
    wide_page(title, command, note, &[peer], rows)
}

/// Formats rows with further peers as a Markdown page. The note says how they were measured.
pub fn wide_page(title: &str, command: &str, note: &str, peers: &[&str], rows: &[Row]) -> String {
    let mut text =
        format!("# {title}\n\nWritten by `{command}`; numbers of another machine differ.\n\n");
    for (name, value) in machine() {
        let _ = writeln!(text, "- {name}: {value}");
    }
    let _ = writeln!(text, "\n{note}\n\n| {} |", headings(peers).join(" | "));
    let _ = writeln!(text, "|---{}|---:|---:|---|---|", "|---:".repeat(peers.len()));
    for row in rows {
        let _ = writeln!(text, "| {} |", row.cells().join(" | "));
    }
    text
}

fn machine() -> Vec<(&'static str, String)> {
    let said = |command: &str| Cmd::new(command).read().unwrap_or_default().trim().to_owned();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    vec![
        ("date", said("date --utc +%Y-%m-%d")),
        ("processor", format!("{}, {cores} cores", processor(&cpu))),
        ("kernel", said("uname -sr")),
        ("compiler", said("rustc --version")),
    ]
}

fn processor(cpuinfo: &str) -> &str {
    let model = |line: &'_ str| line.starts_with("model name");
    let line = cpuinfo.lines().find(|line| model(line)).and_then(|line| line.split_once(':'));
    line.map_or("unknown", |(_, name)| name.trim())
}

// Three significant digits and separated thousands, so that the table is easy to read: `76,982`,
// `12.3`, `0.52`.
fn number(value: f64) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    if value.fract() == 0.0 || value >= 100.0 {
        return thousands(&format!("{value:.0}"));
    }
    if value >= 10.0 { format!("{value:.1}") } else { format!("{value:.2}") }
}

fn thousands(digits: &str) -> String {
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Writes the page to `bench/results/<name>.md`.
///
/// # Errors
/// When the file cannot be written.
pub fn write(name: &str, page: &str) -> Result<()> {
    let dir = crate::command::root().join("bench/results");
    fs::create_dir_all(&dir)?;
    Ok(fs::write(dir.join(name).with_extension("md"), page)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(limit: Limit) -> Row {
        Row::new("start to ready", "ms", [2.0, 3.0], limit)
    }

    #[test]
    fn a_limit_is_on_the_ratio_or_on_pitons_own_value() {
        assert_eq!(row(Limit::None).is_ok(), None);
        assert_eq!(row(Limit::RatioTo(1.5)).is_ok(), Some(true));
        assert_eq!(row(Limit::RatioFrom(1.6)).is_ok(), Some(false));
        assert_eq!(row(Limit::PitonTo(2.9)).is_ok(), Some(false));
    }

    #[test]
    fn a_measurement_that_failed_is_not_ok() {
        let row = Row::new("requests", "", [f64::NAN, 1.0], Limit::RatioFrom(0.95));
        assert_eq!(row.is_ok(), Some(false));
    }

    #[test]
    fn the_page_has_a_row_a_measurement() {
        let page = page("Core", "cargo xtask bench core", "axum", &[row(Limit::PitonTo(50.0))]);
        assert!(page.contains("| start to ready, ms | 2 | 3 | 1.50 | 50 ms | ok |"), "{page}");
    }

    #[test]
    fn further_peers_have_columns_of_their_own() {
        let row = Row { further: vec![5.0, f64::NAN], ..row(Limit::None) };
        let page =
            wide_page("Tasks", "cargo xtask bench tasks", "A note.", &["a", "b", "c"], &[row]);
        assert!(
            page.contains("A note.\n\n|  | a | b | c | piton | ratio | limit |  |\n"),
            "{page}"
        );
        assert!(page.contains("| start to ready, ms | 2 | 5 | - | 3 | 1.50 |  |  |"), "{page}");
    }

    #[test]
    fn numbers_are_read_at_a_glance() {
        let shown = [76_982.2, 194.0, 12.34, 0.523, 1_234_567.0].map(number);
        assert_eq!(shown, ["76,982", "194", "12.3", "0.52", "1,234,567"]);
    }

    #[test]
    fn the_processor_is_named() {
        assert_eq!(processor("processor: 0\nmodel name\t: A Fast One\n"), "A Fast One");
        assert_eq!(processor(""), "unknown");
    }
}
