//! Replays a recording on a virtual terminal, and collects the lines that scroll off.
//!
//! `avt` is asciinema's own terminal. A few bytes can cause much work ("clear the screen", "repeat
//! that 65,535 times"), so each step is charged for the cells that it touches, and the total is
//! limited.

use avt::parser::{EdScope, Function};
use avt::{Line, Observation, Observer, Parser, ScreenKind, Terminal};

use super::transcript::Transcript;

/// Maximum number of cells of the screen. At 16 bytes a cell and with the second screen that is 2
/// MiB.
const MAX_CELLS: usize = 64 * 1024;
const MAX_COLS: usize = 1024;
const MAX_ROWS: usize = 512;
const MIN_COLS: usize = 4;

/// Maximum number of cells touched in all. 64 MiB of plain output on 80 columns take two thirds of
/// it.
pub(super) const MAX_WORK: u64 = 1_000_000_000;

/// A virtual terminal and its transcript.
pub(super) struct Replay {
    parser: Parser,
    terminal: Terminal,
    transcript: Transcript,
    work_left: u64,
    full_screens: u64,
}

impl Replay {
    /// Creates a terminal of 80 × 24 with a budget of work.
    pub(super) fn within(work_left: u64) -> Self {
        Self {
            parser: Parser::new(),
            terminal: Terminal::new(80, 24).expect("neither is zero"),
            transcript: Transcript::default(),
            work_left,
            full_screens: 0,
        }
    }

    /// Resizes the terminal. Implausible sizes are clamped; zero means the default of 80 × 24.
    pub(super) fn resize(&mut self, cols: usize, rows: usize) {
        let cols = if cols == 0 { 80 } else { cols.clamp(MIN_COLS, MAX_COLS) };
        let rows = if rows == 0 { 24 } else { rows.clamp(1, MAX_ROWS.min(MAX_CELLS / cols)) };
        let (old_cols, old_rows) = self.terminal.size();
        if (cols, rows) == (old_cols, old_rows)
            || !self.afford(8 * self.area().max((cols * rows) as u64))
        {
            return;
        }
        // In two steps, because all rows at the new width could be more cells than allowed.
        for (cols, rows) in [(old_cols, old_rows.min(MAX_CELLS / cols)), (cols, rows)] {
            self.terminal.resize_with(cols, rows, &mut ScrolledOffLines(&mut self.transcript));
        }
    }

    /// Sends a character to the terminal.
    pub(super) fn show(&mut self, char: char) {
        if self.work_left == 0 {
            return;
        }
        if let Some(function) = self.parser.feed(char) {
            self.apply(function);
        }
    }

    fn apply(&mut self, function: Function) {
        if !self.afford(self.cost(&function)) {
            return;
        }
        if matches!(function, Function::Ris) {
            self.transcript.screen(&self.terminal);
        }
        let before = self.terminal.active_screen_kind();
        self.terminal.execute_with(function, &mut ScrolledOffLines(&mut self.transcript));
        if before == ScreenKind::Primary
            && self.terminal.active_screen_kind() == ScreenKind::Alternate
        {
            self.full_screens += 1;
        }
    }

    /// Returns the cost of a step: the maximum number of cells that it may touch, plus a constant.
    fn cost(&self, function: &Function) -> u64 {
        let (cols, rows) = self.terminal.size();
        let step = match function {
            Function::Print(_) | Function::Cr | Function::Bs | Function::Sgr(_) => 0,
            Function::Rep(times) => 8 * u64::from(*times),
            Function::Lf | Function::Nel | Function::Ri => (cols + rows) as u64,
            Function::Ed(EdScope::SavedLines) | Function::El(_) | Function::Ech(_) => cols as u64,
            Function::Ich(_)
            | Function::Dch(_)
            | Function::Cht(_)
            | Function::Cbt(_)
            | Function::Tbc(_) => cols as u64,
            Function::Il(_) | Function::Dl(_) | Function::Su(_) | Function::Sd(_) => self.area(),
            // Three times the area, because these touch each cell more than once.
            Function::Ed(_) | Function::Decaln => 3 * self.area(),
            Function::Ris | Function::Decset(_) | Function::Decrst(_) => self.area(),
            _ => 0,
        };
        8 + step
    }

    /// Returns the cost of moving the whole screen. Lines are moved one by one, so that rows count
    /// quadratically.
    fn area(&self) -> u64 {
        let (cols, rows) = self.terminal.size();
        (cols * rows).max(rows * rows / 4) as u64
    }

    fn afford(&mut self, cost: u64) -> bool {
        self.work_left = self.work_left.saturating_sub(cost);
        self.work_left > 0
    }

    /// Returns the transcript, the number of full-screen programs, and whether the work exceeded
    /// the limit.
    pub(super) fn finish(mut self) -> (String, u64, bool) {
        self.transcript.screen(&self.terminal);
        (self.transcript.text(), self.full_screens, self.work_left == 0)
    }
}

/// Collects the lines that scroll off the top of the screen.
struct ScrolledOffLines<'t>(&'t mut Transcript);

impl Observer for ScrolledOffLines<'_> {
    type Output = ();

    fn evicted(&mut self, _: &mut Observation<'_>, line: &Line) {
        self.0.line(line);
    }

    fn end(&mut self, _: &mut Observation<'_>) {}
}

/// Parses a size such as `80x24`.
pub(super) fn parse_size(text: &str) -> Option<(usize, usize)> {
    let (cols, rows) = text.split_once('x')?;
    Some((cols.parse().ok()?, rows.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{MAX_CELLS, MAX_WORK, Replay, parse_size};

    #[test]
    fn a_screen_never_has_more_cells_than_allowed() {
        let mut replay = Replay::within(MAX_WORK);
        for (cols, rows) in
            [(4, 65_535), (65_535, 65_535), (1, 1), (usize::MAX, 1), (1, usize::MAX), (480, 135)]
        {
            replay.resize(cols, rows);
            let (cols, rows) = replay.terminal.size();
            assert!(cols > 0 && rows > 0 && cols * rows <= MAX_CELLS, "{cols} × {rows}");
        }
        assert_eq!(replay.terminal.size(), (480, 135));
    }

    #[test]
    fn what_is_on_the_screen_outlives_a_change_of_its_size() {
        let mut replay = Replay::within(MAX_WORK);
        "one\r\ntwo\r\nthree".chars().for_each(|char| replay.show(char));
        replay.resize(40, 2);
        replay.resize(1024, 512);
        assert_eq!(replay.finish().0, "one\ntwo\nthree\n");
    }

    #[test]
    fn a_size_is_two_numbers() {
        assert_eq!(parse_size("80x24"), Some((80, 24)));
        assert_eq!(
            [parse_size("80"), parse_size("x"), parse_size("-1x5"), parse_size("80x24x1")],
            [None; 4]
        );
    }
}
