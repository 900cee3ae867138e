//! [`Cron`]: when a task is sent.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use croner::parser::{CronParser, Seconds};

use super::super::clock::millis;
use super::super::task::Task;
use crate::config::Problem;

/// The shortest interval of a schedule.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// Maximum number of missed ticks that [`Missed::CatchUp`] makes up for at once.
pub(super) const MAX_CATCH_UP: usize = 1000;

/// A schedule of a task. `#[piton::cron(..)]` above a function makes both; pass one made by hand to
/// [`App::cron`](crate::App::cron).
///
/// A pattern has five fields, or six with seconds in front: `0 3 * * *` is 3 o'clock each day, `*/10 * * * * *` every
/// ten seconds. With daylight saving time, a time that does not exist on a day is replaced by the next one that
/// does, and one that exists twice counts once.
///
/// ```
/// use std::time::Duration;
/// use piton::tasks::{Cron, Missed, Result, Task, TaskCall};
///
/// async fn export(_: TaskCall) -> Result<()> { Ok(()) }
///
/// let nightly = Cron::new("0 3 * * *", Task::new("shop.export", &[], export))
///     .timezone("America/Sao_Paulo")
///     .missed(Missed::Coalesce);
/// let often = Cron::every(Duration::from_secs(30), Task::new("shop.sweep", &[], export));
/// # let _ = piton::App::new("shop").no_scan().cron(nightly).cron(often);
/// ```
#[derive(Clone)]
pub struct Cron {
    task: Task,
    rule: Rule,
    zone: String,
    missed: Missed,
}

#[derive(Clone)]
enum Rule {
    Pattern(String),
    Every(Duration),
}

/// The handling of ticks that no process was there for, such as during a deployment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missed {
    /// Missed ticks are left out.
    #[default]
    Skip,
    /// One run makes up for all missed ticks.
    Coalesce,
    /// Every missed tick is made up for, at most 1,000 at once: the newest.
    CatchUp,
}

impl Cron {
    /// Makes a schedule of a pattern, in UTC.
    #[must_use = "a schedule does nothing until it is given to `App::cron`"]
    pub fn new(pattern: impl Into<String>, task: Task) -> Self {
        Self::with(Rule::Pattern(pattern.into()), task)
    }

    /// Makes a schedule of an interval, of whole seconds. Its ticks are multiples of the interval since 1970, so that all
    /// replicas agree.
    #[must_use = "a schedule does nothing until it is given to `App::cron`"]
    pub fn every(interval: Duration, task: Task) -> Self {
        Self::with(Rule::Every(interval), task)
    }

    fn with(rule: Rule, task: Task) -> Self {
        Self { task, rule, zone: "UTC".to_owned(), missed: Missed::default() }
    }

    /// Sets the time zone of the pattern, such as `Europe/Berlin`. **Default: UTC.**
    #[must_use]
    pub fn timezone(self, zone: impl Into<String>) -> Self {
        Self { zone: zone.into(), ..self }
    }

    /// Sets what happens to ticks that were missed. **Default: [`Missed::Skip`].**
    #[must_use]
    pub fn missed(self, missed: Missed) -> Self {
        Self { missed, ..self }
    }

    /// Returns the task, whose name is also that of the schedule.
    #[must_use]
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// Returns the schedule as people read it: `0 3 * * * (Europe/Berlin)`.
    pub(in crate::tasks) fn text(&self) -> String {
        match &self.rule {
            Rule::Pattern(pattern) => format!("{pattern} ({})", self.zone),
            Rule::Every(interval) => format!("every {}", humantime::format_duration(*interval)),
        }
    }

    /// Returns the times of the schedule.
    ///
    /// # Errors
    /// The fault, with the fix.
    pub(in crate::tasks) fn ticks(&self) -> Result<Ticks, Box<Problem>> {
        let problem = |option: &str, why: String, fix: &str| {
            let key = format!("the schedule of `{}`: {option}", self.task.name());
            Err(Box::new(Problem::new(key, why, fix)))
        };
        let rule = match &self.rule {
            Rule::Every(interval) if *interval < MIN_INTERVAL || interval.subsec_nanos() > 0 => {
                let interval = humantime::format_duration(*interval);
                let why = format!("{interval}, and it must be whole seconds");
                return problem("every", why, "30s");
            }
            Rule::Every(interval) => TickRule::Every(millis(*interval)),
            Rule::Pattern(pattern) => {
                let parser = CronParser::builder().seconds(Seconds::Optional).build();
                match parser.parse(pattern) {
                    Ok(pattern) => TickRule::Pattern(Box::new(pattern)),
                    Err(error) => {
                        let fix = "five fields, `0 3 * * *` for 3 o'clock each day";
                        return problem("pattern", format!("{pattern:?}: {error}"), fix);
                    }
                }
            }
        };
        let Ok(zone) = self.zone.parse::<Tz>() else {
            let why = format!("{:?} is not a time zone of the IANA database", self.zone);
            return problem("timezone", why, "Europe/Berlin");
        };
        let ticks = Ticks { rule, zone, missed: self.missed };
        // Found now, because a day such as February 30 would otherwise never come without a word.
        if ticks.next_after(Utc::now().timestamp_millis()).is_none() {
            return problem("pattern", "there is no such time".to_owned(), "0 3 * * *");
        }
        Ok(ticks)
    }
}

impl fmt::Debug for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cron").field(&self.task.name()).field(&self.text()).finish()
    }
}

/// The times of a schedule, in milliseconds since 1970.
pub(in crate::tasks) struct Ticks {
    rule: TickRule,
    zone: Tz,
    missed: Missed,
}

enum TickRule {
    Pattern(Box<croner::Cron>),
    Every(i64),
}

impl Ticks {
    /// Returns the first tick after a time. `None` if there is none in sight.
    pub fn next_after(&self, after_ms: i64) -> Option<i64> {
        match &self.rule {
            TickRule::Every(interval_ms) => {
                Some(after_ms.div_euclid(*interval_ms).checked_add(1)? * interval_ms)
            }
            TickRule::Pattern(pattern) => {
                let next = pattern.find_next_occurrence(&self.local(after_ms)?, false).ok()?;
                Some(next.timestamp_millis())
            }
        }
    }

    /// Returns the last tick at or before a time.
    fn last_until(&self, until_ms: i64) -> Option<i64> {
        match &self.rule {
            TickRule::Every(interval_ms) => Some(until_ms.div_euclid(*interval_ms) * interval_ms),
            TickRule::Pattern(pattern) => {
                let last = pattern.find_previous_occurrence(&self.local(until_ms)?, true).ok()?;
                Some(last.timestamp_millis())
            }
        }
    }

    fn local(&self, at_ms: i64) -> Option<DateTime<Tz>> {
        // Without the fraction, because patterns match whole seconds.
        let seconds = DateTime::from_timestamp(at_ms.div_euclid(1000), 0)?;
        Some(seconds.with_timezone(&self.zone))
    }

    /// Returns the ticks after `last_ms` and until `now_ms` for which a run is due, and the newest of all ticks, from
    /// which it goes on. A tick is missed if it is older than `tolerance`.
    pub fn due(&self, last_ms: i64, now_ms: i64, tolerance: Duration) -> Due {
        let Some(newest) = self.last_until(now_ms).filter(|newest| *newest > last_ms) else {
            return Due::default();
        };
        let runs = match self.missed {
            Missed::Skip if now_ms - newest > millis(tolerance) => Vec::new(),
            Missed::Skip | Missed::Coalesce => vec![newest],
            Missed::CatchUp => self.all_until(last_ms, newest),
        };
        Due { runs, newest: Some(newest) }
    }

    fn all_until(&self, last_ms: i64, newest: i64) -> Vec<i64> {
        let mut ticks = std::collections::VecDeque::new();
        let mut at = last_ms;
        while let Some(next) = self.next_after(at).filter(|next| *next <= newest) {
            if ticks.len() == MAX_CATCH_UP {
                ticks.pop_front();
            }
            ticks.push_back(next);
            at = next;
        }
        ticks.into()
    }
}

/// The ticks of a schedule whose time has come.
#[derive(Debug, Default, PartialEq)]
pub(in crate::tasks) struct Due {
    /// The ticks to run, in their order.
    pub runs: Vec<i64>,
    /// The newest tick. `None` if none is due.
    pub newest: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Problems;
    use crate::tasks::error::Result;
    use crate::tasks::task_call::TaskCall;

    const TOLERANCE: Duration = Duration::from_secs(10);

    async fn nothing(_: TaskCall) -> Result<()> {
        Ok(())
    }

    fn cron(pattern: &str) -> Cron {
        Cron::new(pattern, Task::new("shop.nightly", &[], nothing))
    }

    fn ticks(cron: Cron) -> Ticks {
        cron.ticks().unwrap()
    }

    fn at(time: &str) -> i64 {
        time.parse::<DateTime<Utc>>().unwrap().timestamp_millis()
    }

    fn next(ticks: &Ticks, after: &str) -> String {
        let next = ticks.next_after(at(after)).unwrap();
        DateTime::from_timestamp_millis(next).unwrap().format("%F %T").to_string()
    }

    #[test]
    fn a_pattern_is_in_its_time_zone_also_when_the_clocks_change() {
        let berlin = ticks(cron("30 2 * * *").timezone("Europe/Berlin"));
        assert_eq!(next(&berlin, "2026-01-10T12:00:00Z"), "2026-01-11 01:30:00");
        // On 29 March 2026 the clocks go from 2 to 3: 2:30 does not exist, and 3:00 stands for it.
        assert_eq!(next(&berlin, "2026-03-28T12:00:00Z"), "2026-03-29 01:00:00");
        assert_eq!(next(&berlin, "2026-03-29T01:00:00Z"), "2026-03-30 00:30:00");
        // On 25 October they go from 3 back to 2: 2:30 exists twice, and the first counts.
        assert_eq!(next(&berlin, "2026-10-24T12:00:00Z"), "2026-10-25 00:30:00");
        assert_eq!(next(&berlin, "2026-10-25T00:30:00Z"), "2026-10-26 01:30:00");
    }

    #[test]
    fn ticks_of_an_interval_are_the_same_in_every_process() {
        let often =
            ticks(Cron::every(Duration::from_secs(30), Task::new("shop.sweep", &[], nothing)));
        assert_eq!(next(&often, "2026-01-10T12:00:07Z"), "2026-01-10 12:00:30");
        assert_eq!(next(&often, "2026-01-10T12:00:30Z"), "2026-01-10 12:01:00");
    }

    #[test]
    fn missed_ticks_are_left_out_run_once_or_made_up_for() {
        let (last, now) = (at("2026-01-10T12:00:00Z"), at("2026-01-10T12:05:30Z"));
        let minutes: Vec<i64> = (1..=5).map(|minute| last + minute * 60_000).collect();
        let due = |missed| ticks(cron("* * * * *").missed(missed)).due(last, now, TOLERANCE);
        assert_eq!(due(Missed::Skip), Due { runs: vec![], newest: Some(minutes[4]) });
        assert_eq!(due(Missed::Coalesce).runs, [minutes[4]]);
        assert_eq!(due(Missed::CatchUp).runs, minutes);
        let on_time = ticks(cron("* * * * *")).due(last, last + 60_050, TOLERANCE);
        assert_eq!(on_time, Due { runs: vec![minutes[0]], newest: Some(minutes[0]) });
    }

    #[test]
    fn a_clock_that_was_set_back_makes_nothing_due_again() {
        let minutely = ticks(cron("* * * * *"));
        let last = at("2026-01-10T12:00:00Z");
        assert_eq!(minutely.due(last, last - 10_000, TOLERANCE), Due::default());
        assert_eq!(minutely.due(last, last + 59_999, TOLERANCE), Due::default());
    }

    #[test]
    fn making_up_is_limited_to_the_newest() {
        let often = ticks(cron("* * * * * *").missed(Missed::CatchUp));
        let due = often.due(0, 3_000_000, TOLERANCE);
        assert_eq!((due.runs.len(), due.runs.last()), (MAX_CATCH_UP, Some(&3_000_000)));
    }

    #[test]
    fn schedules_that_never_come_are_refused_with_the_fix() {
        let refused = |cron: Cron| Problems(vec![*cron.ticks().err().unwrap()]).to_string();
        assert!(refused(cron("0 25 * * *")).contains("0 3 * * *"));
        assert!(refused(cron("0 3 30 2 *")).contains("no such time"));
        assert!(refused(cron("0 3 * * *").timezone("Berlin")).contains("Europe/Berlin"));
        let task = Task::new("shop.sweep", &[], nothing);
        assert!(refused(Cron::every(Duration::from_millis(1500), task)).contains("whole seconds"));
    }
}
