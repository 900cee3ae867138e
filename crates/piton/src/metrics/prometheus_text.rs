//! Converts OpenMetrics to Prometheus' older text format, version 0.0.4.
//!
//! The two differ in how they name a counter's family (`x` against `x_total`), in lines that only
//! one of them has, and in exemplars. Tools that read the older one (`promtool check metrics` among
//! them) would take our counters for untyped metrics without a help text.

/// Returns the same metrics in Prometheus' text format, version 0.0.4.
pub(super) fn prometheus(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    let mut lines = open_metrics.lines().peekable();
    while let Some(line) = lines.next() {
        if line == "# EOF" || line.starts_with("# UNIT ") {
            continue;
        }
        let Some(help) = line.strip_prefix("# HELP ") else {
            text.push_str(without_exemplar(line));
            text.push('\n');
            continue;
        };
        // The name depends on the type, so that the next line is read first.
        let kind = lines.next_if(|line| line.starts_with("# TYPE ")).unwrap_or_default();
        let (name, help) = help.split_once(' ').unwrap_or((help, ""));
        let (suffix, kind) = match kind.rsplit(' ').next().unwrap_or_default() {
            "counter" => ("_total", "counter"),
            "info" => ("_info", "gauge"),
            "unknown" | "" => ("", "untyped"),
            kind => ("", kind),
        };
        // `Registry::register` adds the dot because OpenMetrics wants it; Prometheus' own texts have none.
        let help = help.strip_suffix('.').unwrap_or(help);
        text.push_str(&format!("# HELP {name}{suffix} {help}\n# TYPE {name}{suffix} {kind}\n"));
    }
    text
}

/// Returns the line without its exemplar, as in `x_bucket{..} 17 # {trace_id="..."} 0.67`, which the
/// older format does not have. The same characters in a label's value are no exemplar.
fn without_exemplar(line: &str) -> &str {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in line.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ' ' if !quoted && line[at..].starts_with(" # {") => return &line[..at],
            _ => {}
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_named_by_their_samples() {
        let open = "# HELP orders Orders placed.\n# TYPE orders counter\norders_total 1\n# EOF\n";
        let text =
            "# HELP orders_total Orders placed\n# TYPE orders_total counter\norders_total 1\n";
        assert_eq!(prometheus(open), text);
    }

    #[test]
    fn units_and_exemplars_are_left_out() {
        let open = "# HELP t_seconds Time.\n# TYPE t_seconds histogram\n# UNIT t_seconds seconds\n\
                    t_seconds_bucket{le=\"1.0\"} 17 # {trace_id=\"a\"} 0.67\n# EOF\n";
        let text =
            "# HELP t_seconds Time\n# TYPE t_seconds histogram\nt_seconds_bucket{le=\"1.0\"} 17\n";
        assert_eq!(prometheus(open), text);
        let label = r#"x{path="/a\" # {b"} 1"#;
        assert_eq!(without_exemplar(label), label);
    }

    #[test]
    fn info_is_a_gauge() {
        let open = "# HELP build It.\n# TYPE build info\nbuild_info{v=\"1\"} 1\n# EOF\n";
        assert!(prometheus(open).contains("# TYPE build_info gauge\nbuild_info{v=\"1\"} 1\n"));
    }
}
