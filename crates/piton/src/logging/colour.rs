//! Decides whether output is coloured, by the conventions of other programs.

use std::env;
use std::ffi::OsString;

/// Returns whether output is coloured, by its variables:
///
/// 1. `NO_COLOR`, if set and not empty, turns colours off (<https://no-color.org>);
/// 2. `CLICOLOR_FORCE` and `FORCE_COLOR`, if set and neither empty nor `0`, turn them on, also where the
///    output is not a terminal (<https://bixense.com/clicolors>);
/// 3. a terminal has colours unless it is `TERM=dumb` or `CLICOLOR=0`.
pub(crate) fn is_coloured(is_terminal: bool) -> bool {
    decide(is_terminal, |name| env::var_os(name))
}

fn decide(is_terminal: bool, variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let is_on = |name| variable(name).is_some_and(|value| !value.is_empty() && value != "0");
    if variable("NO_COLOR").is_some_and(|value| !value.is_empty()) {
        return false;
    }
    if is_on("CLICOLOR_FORCE") || is_on("FORCE_COLOR") {
        return true;
    }
    let is = |name, refused: &str| variable(name).is_some_and(|value| value == refused);
    is_terminal && !is("TERM", "dumb") && !is("CLICOLOR", "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(is_terminal: bool, variables: &[(&str, &str)]) -> bool {
        decide(is_terminal, |name| {
            let found = variables.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn a_terminal_is_coloured_unless_it_is_dumb_or_colours_are_off() {
        assert!(with(true, &[]) && with(true, &[("TERM", "xterm"), ("NO_COLOR", "")]));
        assert!(with(true, &[("CLICOLOR", "1")]));
        for off in [("TERM", "dumb"), ("NO_COLOR", "1"), ("NO_COLOR", "0"), ("CLICOLOR", "0")] {
            assert!(!with(true, &[off]), "{off:?}");
        }
        assert!(!with(false, &[]) && !with(false, &[("TERM", "xterm")]));
    }

    #[test]
    fn colours_can_be_forced_and_no_color_wins() {
        for name in ["CLICOLOR_FORCE", "FORCE_COLOR"] {
            assert!(with(false, &[(name, "1")]) && with(true, &[(name, "1"), ("TERM", "dumb")]));
            assert!(!with(false, &[(name, "0")]) && !with(false, &[(name, "")]));
            assert!(!with(true, &[(name, "1"), ("NO_COLOR", "1")]));
        }
    }
}
