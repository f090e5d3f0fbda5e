//! What the suite found: every check of every scenario, and what was expected of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::{fmt, fs};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use system_tests::conformance::{EXPECTED, Requirements, Subject};

/// The check that every message fits the revision's schema.
const WIRE: &str = "wire-schema-valid";

/// A run of a requirement set.
pub(crate) struct Report {
    scenarios: BTreeMap<String, Vec<Check>>,
    /// Those whose results count.
    scored: BTreeSet<String>,
}

struct Check {
    id: String,
    status: String,
    message: String,
}

impl Check {
    /// A warning is held against a server like a failure: either it has a reason, or it is a defect.
    fn is_bad(&self) -> bool {
        self.status == "FAILURE" || self.status == "WARNING"
    }
}

impl Report {
    /// Reads the files that the suite has left: `server-<scenario>-<time>/checks.json`.
    pub(crate) fn read(folder: &Path, unscored: &BTreeSet<String>) -> Result<Self> {
        let mut scenarios = BTreeMap::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()).and_then(scenario) else {
                continue;
            };
            let text = fs::read_to_string(path.join("checks.json")).with_context(|| name.to_owned())?;
            let checks: Vec<Value> = serde_json::from_str(&text)?;
            let checks =
                checks.iter().map(check).collect::<Option<_>>().context("a check without its members")?;
            ensure!(scenarios.insert(name.to_owned(), checks).is_none(), "{name} ran twice");
        }
        let scored = scenarios.keys().filter(|name| !unscored.contains(*name)).cloned().collect();
        Ok(Self { scenarios, scored })
    }

    /// A row of the table in the summary of `tests/run`: each number behind its word.
    pub(crate) fn counts(&self, subject: Subject, revision: &str) -> String {
        let excused: BTreeSet<&str> = expectations(subject, revision)
            .filter(|entry| entry.check.is_none())
            .map(|entry| entry.scenario)
            .collect();
        let (mut passed, mut in_part, mut absent, mut unscored) = (0, 0, 0, 0);
        for (name, checks) in &self.scenarios {
            let is_scored = self.scored.contains(name);
            if excused.contains(name.as_str()) || is_skipped(checks) {
                absent += usize::from(is_scored);
            } else if checks.iter().any(Check::is_bad) {
                in_part += usize::from(is_scored);
            } else if is_scored {
                passed += 1;
            } else {
                unscored += 1;
            }
        }
        let checks = self.scenarios.values().flatten();
        let (scored, checked, wire) = (
            self.scored.len(),
            checks.clone().filter(|check| check.status == "SUCCESS").count(),
            checks.filter(|check| check.id == WIRE),
        );
        let valid = wire.clone().filter(|check| !check.is_bad()).count();
        format!(
            "passed {passed} in-part {in_part} not-applicable {absent} scored {scored} unscored-passed {unscored} \
             checks-passed {checked} {WIRE} {valid}/{}",
            wire.count()
        )
    }

    /// Whether the suite found what was expected, no less and no more.
    pub(crate) fn check(&self, subject: Subject, set: Requirements) -> Result<()> {
        let mut wrong = Vec::new();
        let (scored, all) = (self.scored.len(), self.scenarios.len());
        let is_known = self.scenarios.keys().all(|name| self.scored.contains(name) != set.is_unscored(name));
        if !is_known || (scored, all - scored) != (set.scored, set.unscored_count()) {
            wrong.push(format!("{scored} scenarios were scored and {} were not", all - scored));
        }
        let expected: Vec<_> = expectations(subject, set.revision).collect();
        for (name, checks) in &self.scenarios {
            let of_it: Vec<_> = expected.iter().filter(|entry| entry.scenario == name).collect();
            let is_excused = |check: &&Check| of_it.iter().any(|entry| entry.excuses(check));
            for check in checks.iter().filter(|check| check.is_bad() && !is_excused(check)) {
                wrong.push(format!("{} {name}:{}: {}", check.status, check.id, check.message));
            }
            if of_it.is_empty() && is_skipped(checks) {
                wrong.push(format!("{name} was skipped"));
            }
            for entry in of_it {
                if !is_skipped(checks) && !checks.iter().any(|check| check.is_bad() && entry.excuses(check)) {
                    wrong.push(format!("{entry} passes, and is expected to fail: {}", entry.reason));
                }
            }
        }
        for entry in expected.iter().filter(|entry| !self.scenarios.contains_key(entry.scenario)) {
            wrong.push(format!("{entry} is expected to fail, and did not run"));
        }
        ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
        Ok(())
    }
}

/// One expectation: a scenario, or a check of it.
struct Entry {
    scenario: &'static str,
    check: Option<&'static str>,
    reason: &'static str,
}

impl Entry {
    fn of(entry: &'static str, reason: &'static str) -> Self {
        match entry.split_once(':') {
            Some((scenario, check)) => Self { scenario, check: Some(check), reason },
            None => Self { scenario: entry, check: None, reason },
        }
    }

    fn excuses(&self, check: &Check) -> bool {
        self.check.map_or(check.id != WIRE, |id| id == check.id)
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.scenario)?;
        self.check.map_or(Ok(()), |check| write!(f, ":{check}"))
    }
}

fn expectations(subject: Subject, revision: &str) -> impl Iterator<Item = Entry> {
    let concerned = EXPECTED.iter().filter(move |expected| expected.concerns(subject, revision));
    concerned.flat_map(|expected| expected.entries.iter().map(|entry| Entry::of(entry, expected.reason)))
}

/// Whether nothing of a scenario was tried.
fn is_skipped(checks: &[Check]) -> bool {
    checks.iter().all(|check| check.status == "SKIPPED" || check.status == "INFO" || check.id == WIRE)
}

fn check(check: &Value) -> Option<Check> {
    let text = |name: &str| check[name].as_str().map(str::to_owned);
    let message = text("errorMessage").or_else(|| text("description")).unwrap_or_default();
    Some(Check {
        id: text("id")?,
        status: text("status")?,
        message: format!("{message} {}", check["details"]),
    })
}

/// The scenario in `server-tools-list-2026-11-29T19-20-00-000Z`.
fn scenario(folder: &str) -> Option<&str> {
    let name = folder.strip_prefix("server-")?;
    let time = name.rfind('T')?.checked_sub("-2026-11-29".len())?;
    name.get(..time)
}
