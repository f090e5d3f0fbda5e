//! Regular expressions as altinity-mcp's operators write them: Go's RE2 syntax, unanchored.
//!
//! The crate that matches them reads another dialect. What both spell alike but read differently is written anew:
//! `\d`, `\s`, `\w` and `\b` know ASCII only, an escaped mark is that mark, and a bracket within brackets is a
//! character. What only this crate knows is refused, so that an expression means the same everywhere, ClickHouse's own
//! RE2 included.

use std::fmt;

use regex::{Regex, RegexBuilder};

/// Bytes that an expression may take once it is compiled.
const LARGEST: usize = 1 << 20;
/// Bytes that an expression may have.
const LONGEST: usize = 2000;

/// A regular expression that was read.
#[derive(Clone)]
pub struct Pattern {
    text: String,
    regex: Regex,
}

impl Pattern {
    /// Reads an expression. The error continues the sentence "`key` …".
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::compile(text, |translated| translated)
    }

    /// Reads an expression that has to match a whole text: one that decides who somebody is must not be content with a
    /// part of a name.
    pub fn parse_whole(text: &str) -> Result<Self, String> {
        Self::compile(text, |translated| format!("\\A(?:{translated})\\z"))
    }

    fn compile(text: &str, frame: fn(String) -> String) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("has more than {LONGEST} bytes"));
        }
        let build = |translated: &str| {
            let built = RegexBuilder::new(translated).size_limit(LARGEST).build();
            built.map_err(|error| problem(&error))
        };
        let translated = Translation::of(text)?;
        // Without its frame it has to be one, too: what closes the frame's bracket would get out of it.
        let bare = build(&translated)?;
        let framed = frame(translated.clone());
        let regex = if framed == translated { bare } else { build(&framed)? };
        Ok(Self { text: text.to_owned(), regex })
    }

    /// The expression as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it matches somewhere in the text.
    pub fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// What a replacement, in which `$1` and `${name}` stand for captures, makes of a text that matches.
    pub fn replace(&self, text: &str, replacement: &str) -> Option<String> {
        let captures = self.regex.captures(text)?;
        let mut replaced = String::new();
        captures.expand(replacement, &mut replaced);
        Some(replaced)
    }

    /// A capture that a replacement names and the expression does not have: it would silently become nothing.
    pub fn missing_capture(&self, replacement: &str) -> Option<String> {
        let mut rest = replacement;
        while let Some((_, after)) = rest.split_once('$') {
            if let Some(after) = after.strip_prefix('$') {
                rest = after;
                continue;
            }
            let name = match after.strip_prefix('{') {
                Some(braced) => braced.split('}').next().unwrap_or_default(),
                None => {
                    let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
                    after.split(|letter: char| !is_name(letter)).next().unwrap_or_default()
                }
            };
            let known = match name.parse::<usize>() {
                Ok(number) => number < self.regex.captures_len(),
                Err(_) => self.regex.capture_names().flatten().any(|known| known == name),
            };
            if !known {
                return Some(name.to_owned());
            }
            rest = after;
        }
        None
    }
}

fn problem(error: &regex::Error) -> String {
    // The last line says what is wrong; those before it draw.
    let text = error.to_string();
    let reason = text.lines().last().unwrap_or_default();
    let reason = reason.strip_prefix("error: ").unwrap_or(reason);
    format!("is not a regular expression in RE2's syntax: {reason}")
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", self.text)
    }
}

/// An expression on its way from one dialect to the other.
struct Translation<'a> {
    rest: &'a str,
    done: String,
}

impl<'a> Translation<'a> {
    fn of(text: &'a str) -> Result<String, String> {
        let mut translation = Self { rest: text, done: String::with_capacity(text.len() + 16) };
        while let Some(character) = translation.next() {
            match character {
                '\\' => translation.escape(false)?,
                '[' => translation.class()?,
                '(' => translation.group()?,
                other => translation.done.push(other),
            }
        }
        Ok(translation.done)
    }

    fn next(&mut self) -> Option<char> {
        let next = self.rest.chars().next()?;
        self.rest = self.rest.get(next.len_utf8()..).unwrap_or_default();
        Some(next)
    }

    /// What follows a backslash.
    fn escape(&mut self, in_class: bool) -> Result<(), String> {
        let Some(next) = self.next() else {
            return Err("ends in a backslash".to_owned());
        };
        match next {
            'd' => self.done.push_str("[0-9]"),
            'D' => self.done.push_str("[^0-9]"),
            's' => self.done.push_str("[\\t\\n\\f\\r ]"),
            'S' => self.done.push_str("[^\\t\\n\\f\\r ]"),
            'w' => self.done.push_str("[0-9A-Za-z_]"),
            'W' => self.done.push_str("[^0-9A-Za-z_]"),
            'b' if !in_class => self.done.push_str("(?-u:\\b)"),
            'p' | 'P' => {
                return Err("uses `\\p`, for which there are no tables here: list the letters".to_owned());
            }
            'Q' => {
                let Some((quoted, rest)) = self.rest.split_once("\\E") else {
                    return Err("has `\\Q` without `\\E`".to_owned());
                };
                self.done.push_str(&regex::escape(quoted));
                self.rest = rest;
            }
            mark if mark.is_ascii_punctuation() => self.done.push_str(&regex::escape(&mark.to_string())),
            other => {
                self.done.push('\\');
                self.done.push(other);
            }
        }
        Ok(())
    }

    /// What follows an opening bracket, to its end.
    fn class(&mut self) -> Result<(), String> {
        self.done.push('[');
        if self.rest.starts_with('^') {
            self.next();
            self.done.push('^');
        }
        let mut first = true;
        while let Some(character) = self.next() {
            match character {
                ']' if !first => {
                    self.done.push(']');
                    return Ok(());
                }
                '\\' => self.escape(true)?,
                '[' if self.rest.starts_with(':') => {
                    let Some((name, rest)) = self.rest.split_once(":]") else {
                        return Err("has `[:` without `:]`".to_owned());
                    };
                    self.done.push('[');
                    self.done.push_str(name);
                    self.done.push_str(":]");
                    self.rest = rest;
                }
                '-' if self.rest.starts_with('-') => {
                    return Err("has `--` in brackets: write a hyphen as `\\-`".to_owned());
                }
                '[' | ']' | '&' | '~' => {
                    self.done.push('\\');
                    self.done.push(character);
                }
                other => self.done.push(other),
            }
            first = false;
        }
        Err("has a bracket that is not closed".to_owned())
    }

    /// What follows an opening parenthesis: the flags, if it has any.
    fn group(&mut self) -> Result<(), String> {
        self.done.push('(');
        let Some(flags) = self.rest.strip_prefix('?') else { return Ok(()) };
        if flags.starts_with("P<") || flags.starts_with('<') {
            return Ok(());
        }
        let flags = flags.split([':', ')']).next().unwrap_or_default();
        match flags.chars().find(|flag| !"imsU-".contains(*flag)) {
            Some(flag) => Err(format!("has the flag `{flag}`, which RE2 does not know")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_mean_what_they_mean_in_re2() {
        for (pattern, matched, missed) in [
            ("sales", &["sales.orders", "x.sales_2"][..], &["Sales.x"][..]),
            (r"^sales\.rep_", &["sales.rep_a"], &["salesXrep_a", "my.sales.rep_a"]),
            (r"(?i)^SALES\.", &["sales.a"], &["other.a"]),
            (r"\.v\d+$", &["a.v1"], &["a.v", "a.v٣"]),
            (r"^\w+\.x$", &["a_1.x"], &["é.x"]),
            (r"\bx\b", &["a.x"], &["a.xy"]),
            (r"^[^\W]+$", &["ab"], &["a.b"]),
            (r"^[[a]$", &["[", "a"], &["b", "]"]),
            (r"^[]a]$", &["]", "a"], &["["]),
            (r"^[a&&b]$", &["&", "a", "b"], &["c"]),
            (r"^a\<b$", &["a<b"], &["ab"]),
            (r"^\Qa.b\E$", &["a.b"], &["axb"]),
            (r"^[[:alpha:]é]+$", &["aé"], &["1"]),
            (r"^(?:a|b)\.(?P<n>c{2})$", &["a.cc"], &["a.c"]),
            (r"^.\.b$", &["é.b"], &["éé.b"]),
            ("", &["", "anything"], &[]),
        ] {
            let parsed = Pattern::parse(pattern).unwrap();
            for text in matched {
                assert!(parsed.is_match(text), "{pattern} should match {text}");
            }
            for text in missed {
                assert!(!parsed.is_match(text), "{pattern} should not match {text}");
            }
            assert_eq!(parsed.as_str(), pattern);
        }
    }

    #[test]
    fn what_is_no_expression_is_refused_with_a_reason() {
        let long = "a".repeat(LONGEST + 1);
        for (pattern, part) in [
            ("(", "unclosed group"),
            ("a)", "unopened group"),
            ("[a", "a bracket that is not closed"),
            ("*", "missing expression"),
            (r"a\", "ends in a backslash"),
            (r"\pL", "list the letters"),
            ("(?x)a b", "the flag `x`"),
            ("(?u:a)", "the flag `u`"),
            (r"\Qabc", r"`\Q` without `\E`"),
            ("[a--b]", "`--` in brackets"),
            ("[[:alpha]", "`[:` without `:]`"),
            ("(?=a)", "the flag `=`"),
            (r"(a)\1", "backreferences"),
            ("(?:a{1000}){1000}", "exceeds size limit"),
            (&long, "more than 2000 bytes"),
        ] {
            let error = Pattern::parse(pattern).unwrap_err();
            assert!(error.contains(part), "{pattern:.30}: {error}");
        }
    }
}
