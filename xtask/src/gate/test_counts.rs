//! Reads the number of tests from the output of the test runners.

use std::fmt;

/// Number of tests that passed, failed and were skipped. `Display` is the closing line that CI
/// reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestCounts {
    pub passed: u64,
    pub failed: u64,
    pub skipped: u64,
}

impl TestCounts {
    pub fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }

    fn count(&mut self, number: u64, word: &str) {
        match word {
            "passed" => self.passed += number,
            "skipped" | "ignored" => self.skipped += number,
            "measured" | "filtered" => {}
            // Everything else is a failure, because nextest has several words for one: failed,
            // timed out, exec failed.
            _ => self.failed += number,
        }
    }
}

impl fmt::Display for TestCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

/// Parses nextest's last line: `Summary [   1.2s] 5 tests run: 4 passed (1 slow), 1 timed out, 2
/// skipped`.
pub fn nextest(output: &str) -> TestCounts {
    let summary = |line: &&str| line.trim_start().starts_with("Summary [");
    let counts = |line: &str| line.split_once(" run: ").map(|(_, counts)| counts.to_owned());
    let line = output.lines().rfind(summary).and_then(counts).unwrap_or_default();
    words(&without_parentheses(&line), ',')
}

/// Adds up rustdoc's lines, one for each crate and each kind of doctest: `test result: ok. 3
/// passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s`.
pub fn doctests(output: &str) -> TestCounts {
    let mut tally = TestCounts::default();
    for line in output.lines().filter_map(|line| line.trim().strip_prefix("test result: ")) {
        let counts = line.split_once(". ").map_or("", |(_, counts)| counts);
        tally.add(&words(counts, ';'));
    }
    tally
}

// Pairs of a number and its word, such as `4 passed, 1 timed out`. Only the first word counts,
// because "timed" and "exec" are unique.
fn words(text: &str, separator: char) -> TestCounts {
    let mut tally = TestCounts::default();
    for pair in text.split(separator) {
        let mut pair = pair.split_whitespace();
        if let (Some(Ok(number)), Some(word)) = (pair.next().map(str::parse), pair.next()) {
            tally.count(number, word);
        }
    }
    tally
}

fn without_parentheses(text: &str) -> String {
    let mut depth = 0_u32;
    let outside = |c: &char| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => return depth == 0,
        }
        false
    };
    text.chars().filter(outside).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(passed: u64, failed: u64, skipped: u64) -> TestCounts {
        TestCounts { passed, failed, skipped }
    }

    #[test]
    fn a_green_summary_is_read() {
        let output = "     Summary [   0.005s] 5 tests run: 5 passed, 0 skipped\n";
        assert_eq!(nextest(output), tally(5, 0, 0));
    }

    #[test]
    fn every_kind_of_failure_counts() {
        let output = "\
        FAIL [   0.1s] piton tests::a
------------
     Summary [  61.010s] 12/14 tests run: 7 passed (2 slow, 1 leaky), 2 failed, 2 timed out, 1 exec failed, 3 skipped
        FAIL [   0.1s] piton tests::a
warning: 2/14 tests were not run due to test failure
";
        assert_eq!(nextest(output), tally(7, 5, 3));
    }

    #[test]
    fn one_test_is_singular_and_still_read() {
        assert_eq!(nextest("     Summary [ 0.0s] 1 test run: 1 passed, 0 skipped"), tally(1, 0, 0));
    }

    #[test]
    fn no_summary_is_no_test() {
        assert_eq!(nextest("error: no tests to run"), TestCounts::default());
    }

    #[test]
    fn doctests_of_all_crates_are_added_up() {
        let output = "\
   Doc-tests piton
test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s
all doctests ran in 0.91s; merged doctests compilation took 0.80s
   Doc-tests piton_macros
test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 4 filtered out; finished in 0.00s
";
        assert_eq!(doctests(output), tally(4, 2, 1));
    }

    #[test]
    fn the_closing_line_names_skipped_tests_only_when_there_are_any() {
        assert_eq!(tally(12, 0, 0).to_string(), "12 passed, 0 failed");
        assert_eq!(tally(12, 1, 2).to_string(), "12 passed, 1 failed, 2 skipped");
    }
}
