//! How long a query may take, and whose limit that is.

use super::Call;

/// The seconds that a query may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeLimit {
    /// `None` where nobody set a limit; ClickHouse's profile of the user may have one.
    pub(crate) seconds: Option<u64>,
    /// Who set it.
    set_by: SetBy,
    /// What the caller may ask for at most.
    cap: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SetBy {
    Operator,
    Tool,
    Token,
    Call,
}

impl TimeLimit {
    /// The least of what the operator, the operator for this tool, the token and the call say.
    pub(crate) fn of(call: &Call, tool: &str, asked: Option<u64>) -> Self {
        let config = &call.config;
        let operator = Some(config.clickhouse.max_execution_time).filter(|seconds| *seconds > 0);
        let of_tool = config.server.tool_timeouts.iter().find(|(name, _)| name == tool);
        let mut limit = Self { seconds: operator, set_by: SetBy::Operator, cap: None };
        limit.lower(of_tool.map(|(_, seconds)| *seconds), SetBy::Tool);
        limit.lower(call.access.max_execution_time, SetBy::Token);
        limit.cap = limit.seconds;
        limit.lower(asked, SetBy::Call);
        limit
    }

    fn lower(&mut self, seconds: Option<u64>, set_by: SetBy) {
        if let Some(seconds) = seconds.filter(|seconds| self.seconds.is_none_or(|least| *seconds < least)) {
            self.seconds = Some(seconds);
            self.set_by = set_by;
        }
    }

    /// What to say when ClickHouse broke a query off for its time: whose limit it was, and what helps.
    ///
    /// `reached` is the limit in milliseconds that ClickHouse names, if it names one.
    pub(crate) fn told(self, tool: &str, reached: Option<u64>) -> String {
        let ours = self.seconds.filter(|seconds| {
            // A profile of the person's may be stricter than what was sent.
            reached.is_none_or(|reached| reached == seconds.saturating_mul(1000))
        });
        let whose = match (ours, self.set_by) {
            (None, _) => "The time limit is that of the ClickHouse user's profile.".to_owned(),
            (Some(seconds), SetBy::Operator) => {
                format!("The limit of {seconds} s is the server's own for every query.")
            }
            (Some(seconds), SetBy::Tool) => {
                format!("The limit of {seconds} s is the server's own for `{tool}`.")
            }
            (Some(seconds), SetBy::Token) => {
                format!("The limit of {seconds} s is that of the access token.")
            }
            (Some(seconds), SetBy::Call) => match self.cap {
                Some(cap) => {
                    format!("The limit of {seconds} s was asked for by this call; up to {cap} s can be.")
                }
                None => format!("The limit of {seconds} s was asked for by this call; it may ask for more."),
            },
        };
        format!(
            "{whose} To need less time, read less: filter by the columns that the table is ordered by, take a \
             shorter period, fewer columns or a sample, or aggregate in steps."
        )
    }
}

/// The limit in milliseconds that ClickHouse's own words name: `Timeout exceeded: elapsed 1001.4 ms, maximum: 1000.000 ms`,
/// or in seconds before 24.
pub(super) fn reached(message: &str) -> Option<u64> {
    let (_, rest) = message.split_once("maximum: ")?;
    let (number, unit) = rest.split_once(' ').unwrap_or((rest, "seconds"));
    let whole = number.split('.').next()?.parse::<u64>().ok()?;
    if unit.starts_with("ms") { Some(whole) } else { whole.checked_mul(1000) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_told_with_its_owner() {
        let limit = |seconds, set_by, cap| TimeLimit { seconds, set_by, cap };
        for (limit, reached, wanted) in [
            (
                limit(Some(1), SetBy::Operator, Some(1)),
                Some(1000),
                "The limit of 1 s is the server's own for every query.",
            ),
            (
                limit(Some(1), SetBy::Tool, Some(1)),
                None,
                "The limit of 1 s is the server's own for `a_tool`.",
            ),
            (limit(Some(1), SetBy::Token, Some(1)), None, "The limit of 1 s is that of the access token."),
            (limit(Some(1), SetBy::Call, Some(9)), None, "asked for by this call; up to 9 s can be."),
            (limit(Some(1), SetBy::Call, None), None, "asked for by this call; it may ask for more."),
            (limit(Some(9), SetBy::Operator, Some(9)), Some(1000), "that of the ClickHouse user's profile"),
            (limit(None, SetBy::Operator, None), None, "that of the ClickHouse user's profile"),
        ] {
            let told = limit.told("a_tool", reached);
            assert!(told.contains(wanted) && told.contains("filter by"), "{told}");
        }
    }

    #[test]
    fn what_clickhouse_says_of_its_limit_is_read() {
        for (message, wanted) in [
            ("Timeout exceeded: elapsed 1001.451 ms, maximum: 1000.000 ms", Some(1000)),
            ("Timeout exceeded: elapsed 1.0004 seconds, maximum: 1", Some(1000)),
            ("Timeout exceeded: elapsed 5.1 seconds, maximum: 5.000000", Some(5000)),
            ("Timeout exceeded: elapsed 5.1 seconds, maximum: 2.5 seconds", Some(2000)),
            ("Timeout exceeded", None),
            ("maximum: ", None),
        ] {
            assert_eq!(reached(message), wanted, "{message}");
        }
    }
}
