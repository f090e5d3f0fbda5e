//! Recorded streams, cut or ended at each of their bytes.
//!
//! A connection is fed byte by byte, and what is asked about a byte is asked of a copy: to start over for each would take
//! as many times the stream as it has bytes.

use super::recorded::{Recorded, drain, recorded};
use super::*;

/// All events of a stream that arrives in one piece.
fn events_of(recorded: &Recorded) -> Vec<String> {
    let (mut connection, mut events) = (recorded.started(), Vec::new());
    connection.receive(&recorded.answer);
    drain(&mut connection, &mut events);
    recorded.check(&events);
    events
}

/// Whoever has read all that came does not remember in which pieces it did, so that two cuts of which neither touches the
/// other's place may be looked at apart: each lies between two places at which nothing was left to read.
#[test]
fn events_do_not_depend_on_where_a_stream_is_cut() {
    for recorded in recorded() {
        let mut slow = recorded.started();
        let (mut before, mut events, mut start) = (slow.clone(), Vec::new(), 0);
        let mut since = Vec::new();
        for (at, byte) in recorded.answer.iter().enumerate() {
            slow.receive(&[*byte]);
            drain(&mut slow, &mut since);
            if !slow.inbox.is_empty() {
                continue;
            }
            let piece = &recorded.answer[start..=at];
            for cut in 0..piece.len() {
                let (mut connection, mut seen) = (before.clone(), Vec::new());
                let (first, second) = piece.split_at(cut);
                for piece in [first, second] {
                    connection.receive(piece);
                    drain(&mut connection, &mut seen);
                }
                assert!(connection == slow, "{} at {}", recorded.name, start + cut);
                assert_eq!(seen, since, "{} at {}", recorded.name, start + cut);
            }
            events.append(&mut since);
            (before, start) = (slow.clone(), at + 1);
        }
        assert_eq!(start, recorded.answer.len(), "{}", recorded.name);
        recorded.check(&events);
    }
}

#[test]
fn a_stream_that_ends_after_any_byte_is_broken() {
    for recorded in recorded() {
        let all = events_of(&recorded);
        let (mut connection, mut left) = (recorded.started(), &*all);
        for (at, byte) in recorded.answer.iter().enumerate() {
            let (mut ended, mut last) = (connection.clone(), Vec::new());
            ended.receive_end();
            drain(&mut ended, &mut last);
            assert_eq!(ended.state(), State::Closed, "{} at {at}", recorded.name);
            if last == left {
                // Only the answer to the ping was missing, or the end of the last frame.
                let is_complete = recorded.name.contains("refused") || recorded.name.contains("chunked");
                assert!(is_complete, "{} at {at}", recorded.name);
            } else {
                let (last, before) = last.split_last().unwrap();
                assert!(last.starts_with("Broken("), "{} at {at}: {last}", recorded.name);
                assert!(left.starts_with(before), "{} at {at}", recorded.name);
            }
            let mut events = Vec::new();
            connection.receive(&[*byte]);
            drain(&mut connection, &mut events);
            left = left.strip_prefix(&*events).unwrap_or_else(|| panic!("{} at {at}", recorded.name));
        }
        assert_eq!(left, &[] as &[String], "{}", recorded.name);
    }
}
