//! What a fuzzer calls. Not part of the interface.

use super::{Document, Host, Sources, load};

/// Loads arbitrary sources on both hosts: it must end, in a configuration or in errors that say something.
///
/// Lines of the form `$NAME=value` and `--flag value` become variables and flags, the others the document.
pub fn check(input: &str) {
    let mut sources = Sources::default();
    let mut document = String::new();
    for line in input.lines() {
        let variable = line.strip_prefix('$').and_then(|rest| rest.split_once('='));
        if let Some((name, value)) = variable {
            sources.environment.push((name.to_owned(), value.to_owned()));
        } else if let Some(rest) =
            line.strip_prefix("--").filter(|rest| !rest.starts_with('-') && !rest.is_empty())
        {
            let (name, value) = rest.split_once(' ').unwrap_or((rest, ""));
            sources.flags.push((name.to_owned(), vec![value.to_owned()]));
        } else {
            document.push_str(line);
            document.push('\n');
        }
    }
    for name in ["a.yaml", "a.json", "a"] {
        sources.document = Some(Document::new(name, document.clone()));
        for host in [Host::Native, Host::Edge] {
            let read_file =
                |path: &str| if path.is_empty() { Err("no file".to_owned()) } else { Ok(path.to_owned()) };
            match load(host, &sources, &read_file) {
                Ok(loaded) => {
                    assert!(!loaded.config.clickhouse.username.is_empty(), "an empty user is refused")
                }
                Err(errors) => assert!(!errors.to_string().is_empty(), "errors say something"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    /// The committed corpus, so that it is replayed without a fuzzer.
    #[test]
    fn the_corpus_passes() {
        for input in [
            include_str!("../../fuzz/corpus/config/full.yaml"),
            include_str!("../../fuzz/corpus/config/layers.txt"),
            include_str!("../../fuzz/corpus/config/malformed.yaml"),
            include_str!("../../fuzz/corpus/config/object.json"),
        ] {
            super::check(input);
            for (end, _) in input.char_indices() {
                super::check(input.get(..end).unwrap_or_default());
            }
        }
    }
}
