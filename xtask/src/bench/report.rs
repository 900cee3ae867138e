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
        Self { what: what.into(), unit, peer, piton, ratio: piton / peer, limit }
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

    fn cells(&self) -> [String; 6] {
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
        [
            if self.unit.is_empty() {
                self.what.clone()
            } else {
                format!("{}, {}", self.what, self.unit)
            },
            number(self.peer),
            number(self.piton),
            if self.ratio.is_finite() { format!("{:.2}", self.ratio) } else { "-".to_owned() },
            limit,
            verdict.to_owned(),
        ]
    }
}

fn headings(peer: &str) -> [&str; 6] {
    ["", peer, "piton", "ratio", "limit", ""]
}

/// Formats the rows as columns of text.
pub fn table(peer: &str, rows: &[Row]) -> String {
    let cells: Vec<[String; 6]> = rows.iter().map(Row::cells).collect();
    let heading = headings(peer).map(str::to_owned);
    let width = |column: usize| {
        let lengths = cells.iter().chain([&heading]).map(|row| row[column].chars().count());
        lengths.max().unwrap_or(0)
    };
    let widths: [usize; 6] = std::array::from_fn(width);
    let mut text = String::new();
    for row in [&heading].into_iter().chain(&cells) {
        let [what, peer, piton, ratio, limit, verdict] = row;
        let [a, b, c, d, e, _] = widths;
        let verdict = if verdict == "not ok" { red(verdict) } else { green(verdict) };
        let line =
            format!("{what:<a$}  {peer:>b$}  {piton:>c$}  {ratio:>d$}  {limit:<e$}  {verdict}");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Formats the rows as a Markdown page, with the machine on which they were measured.
pub fn page(title: &str, command: &str, peer: &str, rows: &[Row]) -> String {
    let mut text =
        format!("# {title}\n\nWritten by `{command}`; numbers of another machine differ.\n\n");
    for (name, value) in machine() {
        let _ = writeln!(text, "- {name}: {value}");
    }
    text.push_str("\nRates are measured in interleaved rounds: their ratio is the median of the rounds' ratios.\n");
    let _ = writeln!(text, "\n| {} |", headings(peer).join(" | "));
    text.push_str("|---|---:|---:|---:|---|---|\n");
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
