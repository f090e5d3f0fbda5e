//! Exceptions as the native protocol carries them, in the shape that they have everywhere else.

use super::error::Malformed;
use super::wire::{Reader, WireError};
use crate::clickhouse::exception::Exception;

/// Bytes of a text of an exception, which may quote the whole query.
const LONGEST: usize = 4 << 20;
/// Exceptions within exceptions; servers since 20 send none.
const DEEPEST: usize = 32;

/// Names of the codes of ClickHouse 26.9 (`system.errors`), which HTTP has in the text and this protocol leaves out:
/// a code and a name a line.
const NAMES: &str = include_str!("error_names.tsv");

/// Reads an exception behind its packet number. What it is nested around is read and dropped: the outermost says
/// what went wrong with the query.
pub(super) fn read(reader: &mut Reader<'_>, before_execution: bool) -> Result<Exception, WireError> {
    let mut outermost = None;
    for _ in 0..DEEPEST {
        let code = reader.i32()?;
        reader.bytes("the class of an exception", LONGEST)?;
        let message = reader.text("the message of an exception", LONGEST)?;
        reader.bytes("the stack trace of an exception", LONGEST)?;
        let nested = reader.bool("whether an exception has a cause")?;
        let exception = outermost.get_or_insert_with(|| shape(code, &message, before_execution));
        if !nested {
            return Ok(exception.clone());
        }
    }
    let count = u64::try_from(DEEPEST).unwrap_or(u64::MAX).saturating_add(1);
    Err(Malformed::TooMany { what: "exceptions within one another", count, most: DEEPEST }.into())
}

fn shape(code: i32, message: &str, before_execution: bool) -> Exception {
    let text = match name(code) {
        Some(name) => format!("{message}. ({name})"),
        None => format!("{message}."),
    };
    let mut exception = Exception::parse(&text, Some(code), before_execution);
    // A statement may have begun to run before its first packet; a setting is refused before that.
    exception.before_execution = exception.refused_setting().is_some();
    exception
}

fn name(code: i32) -> Option<&'static str> {
    let mut lines = NAMES.lines().filter_map(|line| line.split_once('\t'));
    lines.find(|(number, _)| number.parse() == Ok(code)).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clickhouse::RefusedSetting;
    use crate::clickhouse::native::wire::Writer;

    fn encoded(exceptions: &[(i32, &str)]) -> Vec<u8> {
        let mut packet = Writer::new();
        for (index, (code, message)) in exceptions.iter().enumerate() {
            packet.i32(*code).text("DB::Exception").text(message).text("0. ? @ 0x1");
            packet.bool(index + 1 < exceptions.len());
        }
        packet.as_slice().to_vec()
    }

    #[test]
    fn exceptions_are_those_of_http() {
        for (code, message, expected) in [
            (497, "DB::Exception: alice: Not enough privileges.", "alice: Not enough privileges."),
            (
                57,
                "DB::Exception: There was an error on [ch-0.local:9000]: x",
                "There was an error on [server]: x",
            ),
            (12_345, "DB::Exception: x", "x"),
            (60, "DB::Exception: Received from a:9000. DB::Exception: no table", "no table"),
        ] {
            let read = read(&mut Reader::new(&encoded(&[(code, message)])), true).unwrap();
            let name = name(code).unwrap_or_default();
            let http = format!("Code: {code}. {message}. ({name}) (version 26.9.2.1)\n");
            let http = Exception::parse(&http, None, false);
            assert_eq!(read.message, expected);
            if code != 12_345 {
                assert_eq!(read, http);
            }
        }
        assert_eq!((name(60), name(-1)), (Some("UNKNOWN_TABLE"), None));
    }

    #[test]
    fn refused_settings_are_known() {
        let bytes = encoded(&[(164, "DB::Exception: Cannot modify 'limit' setting in readonly mode")]);
        let before = read(&mut Reader::new(&bytes), true).unwrap();
        assert_eq!(before.refused_setting(), Some(RefusedSetting::ReadOnlyProfile("limit".to_owned())));
        let after = read(&mut Reader::new(&bytes), false).unwrap();
        assert_eq!(after.refused_setting(), None);
    }

    #[test]
    fn nesting_is_bounded() {
        let two = encoded(&[(1, "DB::Exception: outer"), (2, "DB::Exception: inner")]);
        let mut reader = Reader::new(&two);
        assert_eq!(read(&mut reader, true).unwrap().message, "outer");
        assert_eq!(reader.remaining(), 0);
        for cut in 0..two.len() {
            let incomplete = read(&mut Reader::new(&two[..cut]), true);
            assert!(matches!(incomplete, Err(WireError::Incomplete { .. })), "{cut}");
        }
        let many = encoded(&[(1, "x"); DEEPEST + 1]);
        assert!(matches!(read(&mut Reader::new(&many), true), Err(WireError::Malformed(_))));
    }
}
