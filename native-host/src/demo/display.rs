//! Everything that the demo shows: a story on standard output, progress on standard error.
//!
//! Colours and a moving bar are for terminals; into a file go the same words without them.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::clickhouse::Progress;
use super::client::Rows;

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";
const CYAN: &str = "36";

/// Columns at which prose is broken.
const WIDTH: usize = 100;

/// What stands before everything below a heading.
const INDENT: &str = "  ";

/// A place to tell the story.
pub(super) struct Display {
    colours: bool,
}

impl Display {
    /// Tells it on standard output.
    pub(super) fn on_standard_output() -> Self {
        let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { colours: io::stdout().is_terminal() && !unwanted }
    }

    /// The first line.
    pub(super) fn title(&self, text: &str) {
        self.write(&format!("\n{}\n", self.paint(BOLD, text)));
    }

    /// Begins a part of the story.
    pub(super) fn heading(&self, text: &str) {
        self.write(&format!("\n{}\n", self.paint(BOLD, text)));
    }

    /// A statement, as the people below it ask it.
    pub(super) fn statement(&self, sql: &str) {
        self.write(&format!("{INDENT}{}\n", self.paint(CYAN, sql)));
    }

    /// Sentences.
    pub(super) fn prose(&self, text: &str) {
        for line in wrapped(text, WIDTH - INDENT.len()) {
            self.write(&format!("{INDENT}{}\n", self.paint(DIM, &line)));
        }
    }

    /// A line at the margin, with room around it.
    pub(super) fn note(&self, text: &str) {
        self.write(&format!("\n{}\n", self.paint(BOLD, text)));
    }

    /// Statements for somebody else to run.
    pub(super) fn code(&self, lines: &str) {
        for line in lines.lines() {
            self.write(format!("{INDENT}{line}").trim_end());
            self.write("\n");
        }
    }

    /// Lines for the reader's shell: at the margin, where a here-document has to end.
    pub(super) fn copied(&self, lines: &str) {
        self.write(&format!("{}\n", lines.trim_end()));
    }

    /// Names, values and remarks.
    pub(super) fn facts(&self, facts: &[(&str, &str, &str)]) {
        let names = widest(facts.iter().map(|(name, _, _)| *name));
        let values = widest(facts.iter().map(|(_, value, _)| *value));
        for (name, value, remark) in facts {
            let (name, value) = (padded(name, names), padded(value, values));
            let line = format!("{INDENT}{name}  {}  {}", self.paint(CYAN, &value), self.paint(DIM, remark));
            self.write(&format!("{}\n", line.trim_end()));
        }
    }

    /// What somebody got.
    pub(super) fn rows(&self, who: &str, width: usize, rows: &Rows) {
        let cells: Vec<Vec<String>> = rows.rows.iter().map(|row| row.iter().map(text_of).collect()).collect();
        let mut who = padded(who, width);
        for line in table(&rows.columns, &cells) {
            self.write(&format!("{INDENT}{}  {line}\n", self.paint(GREEN, &who)));
            who = " ".repeat(who.chars().count());
        }
        if rows.rows.is_empty() {
            self.write(&format!("{INDENT}{}  (no rows)\n", " ".repeat(width)));
        }
    }

    /// What somebody was told instead.
    pub(super) fn refusal(&self, who: &str, width: usize, text: &str) {
        let mut who = padded(who, width);
        for line in wrapped(text, WIDTH.saturating_sub(width + 4)) {
            self.write(&format!("{INDENT}{}  {}\n", self.paint(GREEN, &who), self.paint(RED, &line)));
            who = " ".repeat(who.chars().count());
        }
    }

    /// What several people got who were shown the same columns.
    pub(super) fn rows_of_all(&self, answers: &[(&str, &Rows)]) {
        let Some((_, first)) = answers.first() else { return };
        let mut columns = vec!["asked as".to_owned()];
        columns.extend(first.columns.iter().cloned());
        let mut cells = Vec::new();
        for (who, rows) in answers {
            for row in &rows.rows {
                cells.push(std::iter::once((*who).to_owned()).chain(row.iter().map(text_of)).collect());
            }
        }
        self.lines(&columns, &cells);
    }

    /// A table by itself.
    pub(super) fn table(&self, columns: &[&str], rows: &[Vec<Value>]) {
        let columns: Vec<String> = columns.iter().map(|column| (*column).to_owned()).collect();
        let cells: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(text_of).collect()).collect();
        self.lines(&columns, &cells);
    }

    fn lines(&self, columns: &[String], cells: &[Vec<String>]) {
        for (at, line) in table(columns, cells).into_iter().enumerate() {
            let line = if at == 0 { self.paint(DIM, &line) } else { line };
            self.write(&format!("{INDENT}{line}\n"));
        }
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colours && !text.trim().is_empty() {
            format!("\x1b[{colour}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// A reader that has gone has seen enough.
    fn write(&self, text: &str) {
        let mut output = io::stdout().lock();
        let _ = output.write_all(text.as_bytes()).and_then(|()| output.flush());
    }
}

/// A value as a person reads it. What ClickHouse or a person wrote may hold control characters, which a terminal
/// would obey.
fn text_of(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    };
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// Lines of equal columns; those of numbers stand to the right.
fn table(columns: &[String], rows: &[Vec<String>]) -> Vec<String> {
    let layout: Vec<(usize, bool)> = columns
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let cells = || rows.iter().filter_map(|row| row.get(at)).map(String::as_str);
            let numbers = !rows.is_empty() && cells().all(|cell| cell.parse::<f64>().is_ok());
            (widest(cells().chain([column.as_str()])), numbers)
        })
        .collect();
    let line = |cells: &[String]| {
        let cells = cells.iter().zip(&layout).map(|(cell, (width, numbers))| {
            let gap = " ".repeat(width.saturating_sub(cell.chars().count()));
            if *numbers { format!("{gap}{cell}") } else { format!("{cell}{gap}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    std::iter::once(columns).chain(rows.iter().map(Vec::as_slice)).map(line).collect()
}

fn widest<'a>(texts: impl Iterator<Item = &'a str>) -> usize {
    texts.map(|text| text.chars().count()).max().unwrap_or_default()
}

fn padded(text: &str, width: usize) -> String {
    format!("{text:width$}")
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

/// Shows how far the installation is.
pub(super) enum Installing {
    /// A bar that moves.
    Bar(ProgressBar),
    /// A line for a step and for every tenth of it.
    Lines(Mutex<u64>),
}

impl Installing {
    /// Shows it on standard error, which a pipe behind the story does not take away.
    pub(super) fn on_standard_error() -> Self {
        if !io::stderr().is_terminal() {
            return Self::Lines(Mutex::new(0));
        }
        let bar = ProgressBar::new_spinner();
        bar.set_style(spinner());
        Self::Bar(bar)
    }

    /// Ends the display, with a last line.
    pub(super) fn done(&self, text: &str) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
        line(text);
    }
}

impl Progress for Installing {
    fn step(&self, text: &str) {
        match self {
            Self::Bar(bar) => {
                bar.set_style(spinner());
                bar.set_message(text.to_owned());
                bar.enable_steady_tick(Duration::from_millis(100));
            }
            Self::Lines(told) => {
                *told.lock().unwrap_or_else(PoisonError::into_inner) = 0;
                line(text);
            }
        }
    }

    fn advance(&self, done: u64, total: u64) {
        match self {
            Self::Bar(bar) => {
                if bar.length() != Some(total) {
                    bar.set_length(total);
                    bar.set_style(growing());
                }
                bar.set_position(done);
            }
            Self::Lines(told) => {
                let tenths = done.saturating_mul(10).checked_div(total).unwrap_or_default();
                let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
                if tenths > *told {
                    *told = tenths;
                    line(&format!("  {} %", tenths * 10));
                }
            }
        }
    }
}

impl Drop for Installing {
    fn drop(&mut self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

fn line(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

fn spinner() -> ProgressStyle {
    style("{spinner} {msg} ({elapsed})")
}

fn growing() -> ProgressStyle {
    style("{spinner} {msg}\n  {bar:40} {bytes} of about {total_bytes} ({elapsed})")
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn tables_are_aligned() {
        let rows = [texts(&["north", "7"]), texts(&["süd", "120"])];
        assert_eq!(table(&texts(&["region", "n"]), &rows), ["region    n", "north     7", "süd     120"]);
        assert_eq!(table(&texts(&["a", "b"]), &[]), ["a  b"]);
    }

    #[test]
    fn prose_is_broken_between_words() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("unbreakable x", 4), ["unbreakable", "x"]);
    }

    #[test]
    fn terminals_are_not_commanded() {
        assert_eq!(text_of(&json!("a\u{1b}[31mb\nc")), "a [31mb c");
        assert_eq!(text_of(&json!(null)), "null");
    }
}
