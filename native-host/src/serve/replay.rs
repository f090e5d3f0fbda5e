//! A stream of events that can be taken up again after its connection broke (MCP 2025-11-25, transports, resumability): the
//! last events are kept, each under a number.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

/// What is kept of one stream.
const MOST_EVENTS: usize = 256;
const MOST_BYTES: usize = 1 << 20;

/// The events of one stream.
pub struct Replay {
    /// Its number within the session.
    id: u64,
    inner: Mutex<Inner>,
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct Inner {
    events: VecDeque<(u64, String)>,
    bytes: usize,
    /// The number of the last event; 0 is where the stream begins.
    last: u64,
    /// The last event that a reader took.
    taken: u64,
    done: bool,
    /// Whether there is, or will be, a reader.
    opened: bool,
    /// How often the readers were sent away, and when they may come again.
    partings: u64,
    pause: Option<Duration>,
}

/// Somebody who reads a stream from some event on.
pub(crate) struct Reader {
    after: u64,
    partings: u64,
}

impl Reader {
    /// The last event that it has read.
    pub(crate) const fn at(&self) -> u64 {
        self.after
    }
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// An event: its number and its text.
    Event(u64, String),
    /// Nothing more on this connection; the client may come again after this time.
    Part(Option<Duration>),
    /// Nothing more.
    End,
}

impl Replay {
    pub(crate) fn new(id: u64) -> Self {
        Self { id, inner: Mutex::default(), changed: watch::Sender::new(()) }
    }

    /// The id of an event, which names the stream, too.
    pub(crate) fn event_id(&self, number: u64) -> String {
        format!("{}-{number}", self.id)
    }

    /// Adds an event. What was kept longest goes first.
    pub(crate) fn push(&self, text: String) {
        let mut inner = self.lock();
        inner.last += 1;
        inner.bytes += text.len();
        let number = inner.last;
        inner.events.push_back((number, text));
        while inner.events.len() > MOST_EVENTS || (inner.bytes > MOST_BYTES && inner.events.len() > 1) {
            if let Some((_, gone)) = inner.events.pop_front() {
                inner.bytes -= gone.len();
            }
        }
        drop(inner);
        self.changed.send_replace(());
    }

    /// Adds the last event if there is, or will be, anybody who reads events; else gives it back.
    pub(crate) fn finish(&self, text: String) -> Result<(), String> {
        let is_stream = {
            let inner = self.lock();
            inner.opened || inner.last > 0
        };
        if !is_stream {
            return Err(text);
        }
        if !text.is_empty() {
            self.push(text);
        }
        self.end();
        Ok(())
    }

    /// Nothing more comes.
    pub(crate) fn end(&self) {
        self.lock().done = true;
        self.changed.send_replace(());
    }

    pub(crate) fn is_done(&self) -> bool {
        self.lock().done
    }

    /// Sends the readers away, who may come again after a pause.
    pub(crate) fn part(&self, pause: Duration) {
        let mut inner = self.lock();
        inner.partings += 1;
        inner.pause = Some(pause);
        drop(inner);
        self.changed.send_replace(());
    }

    /// Waits until there is anything to read.
    pub(crate) async fn begun(&self) {
        let mut changed = self.changed.subscribe();
        loop {
            {
                let inner = self.lock();
                if inner.last > 0 || inner.partings > 0 {
                    return;
                }
            }
            if changed.changed().await.is_err() {
                return;
            }
        }
    }

    /// Begins to read: after an event that the client has seen, or where the last reader stopped. Who read before is sent
    /// away if there may be one reader only.
    pub(crate) fn read(&self, after: Option<u64>, alone: bool) -> Reader {
        let mut inner = self.lock();
        inner.opened = true;
        if alone {
            inner.partings += 1;
            inner.pause = None;
        }
        let reader = Reader { after: after.unwrap_or(inner.taken), partings: inner.partings };
        drop(inner);
        self.changed.send_replace(());
        reader
    }

    /// The same for the first reader, who hears of a parting that came before it.
    pub(crate) fn read_first(&self) -> Reader {
        self.lock().opened = true;
        Reader { after: 0, partings: 0 }
    }

    /// What comes next for a reader. A future that is dropped loses nothing.
    pub(crate) async fn next(&self, reader: &mut Reader) -> Next {
        let mut changed = self.changed.subscribe();
        loop {
            if let Some(next) = self.ready(reader) {
                return next;
            }
            if changed.changed().await.is_err() {
                return Next::End;
            }
        }
    }

    fn ready(&self, reader: &mut Reader) -> Option<Next> {
        let mut inner = self.lock();
        let parted = inner.partings != reader.partings;
        let found = inner.events.iter().find(|(number, _)| *number > reader.after).cloned();
        match found {
            // One who was replaced takes nothing from who came after.
            Some((number, text)) if !parted || inner.pause.is_some() => {
                reader.after = number;
                inner.taken = inner.taken.max(number);
                Some(Next::Event(number, text))
            }
            _ if parted => Some(Next::Part(inner.pause)),
            None if inner.done => Some(Next::End),
            Some(_) | None => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The stream and the number that an event id names.
pub(crate) fn parse_event_id(text: &str) -> Option<(u64, u64)> {
    let (stream, number) = text.split_once('-')?;
    Some((stream.parse().ok()?, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: u64, text: &str) -> Next {
        Next::Event(number, text.to_owned())
    }

    #[tokio::test]
    async fn a_stream_is_taken_up_where_it_broke() {
        let replay = Replay::new(3);
        let mut first = replay.read_first();
        replay.push("a".into());
        replay.push("b".into());
        assert_eq!(replay.next(&mut first).await, event(1, "a"));
        replay.push("c".into());
        assert_eq!(replay.finish("d".into()), Ok(()));
        let (stream, number) = parse_event_id(&replay.event_id(1)).unwrap();
        assert_eq!((stream, number), (3, 1));
        let mut again = replay.read(Some(number), true);
        for wanted in [event(2, "b"), event(3, "c"), event(4, "d"), Next::End] {
            assert_eq!(replay.next(&mut again).await, wanted);
        }
    }

    #[tokio::test]
    async fn a_reader_is_sent_away_and_comes_again() {
        let replay = Replay::new(1);
        replay.part(Duration::from_secs(1));
        let mut first = replay.read_first();
        replay.push("a".into());
        assert_eq!(replay.next(&mut first).await, event(1, "a"));
        assert_eq!(replay.next(&mut first).await, Next::Part(Some(Duration::from_secs(1))));
        let mut second = replay.read(Some(0), true);
        assert_eq!(replay.next(&mut second).await, event(1, "a"));
        let mut third = replay.read(Some(1), true);
        assert_eq!(replay.next(&mut second).await, Next::Part(None), "replaced");
        replay.push("b".into());
        assert_eq!(replay.next(&mut second).await, Next::Part(None), "and takes nothing");
        assert_eq!(replay.next(&mut third).await, event(2, "b"));
    }

    #[test]
    fn what_nobody_reads_is_given_back() {
        let replay = Replay::new(1);
        assert_eq!(replay.finish("a".into()), Err("a".into()));
        replay.push("b".into());
        assert_eq!(replay.finish("c".into()), Ok(()));
    }

    #[tokio::test]
    async fn no_more_is_kept_than_is_bounded() {
        let replay = Replay::new(1);
        for number in 0..1000 {
            replay.push(number.to_string());
        }
        let mut reader = replay.read(Some(0), false);
        assert_eq!(replay.next(&mut reader).await, event(745, "744"));
        replay.push("x".repeat(MOST_BYTES + 1));
        assert_eq!(replay.lock().events.len(), 1);
    }
}
