//! MCP over a pair of streams: a message is a line, requests run beside each other, and one task writes.
//!
//! The end of the input cancels what still runs: nobody is left to read its answer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use housekey_core::jsonrpc::{self, ErrorObject};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::{debug, info, warn};

use super::lines::Lines;
use super::shutdown::Shutdown;
use crate::host::Native;

/// Messages that wait for a client that reads slowly.
const OUTBOX: usize = 64;
/// How long telling those who listen that it is over may hold up the end.
const FAREWELL: Duration = Duration::from_millis(50);
/// How long a client that no longer reads may hold up the end.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How long cancellations may hold up the end.
const BACKGROUND_TIMEOUT: Duration = Duration::from_secs(3);

/// Serves one client until its input ends or the process is told to stop.
///
/// # Errors
/// The configured token does not open a session.
pub async fn run(
    native: &Native,
    input: impl AsyncRead + Send + Unpin,
    output: impl AsyncWrite + Send + Unpin + 'static,
    shutdown: &Shutdown,
) -> anyhow::Result<()> {
    let session = native.step(|env| native.service().open_session(env))?;
    info!(version = env!("CARGO_PKG_VERSION"), subject = session.subject(), "serving one client on stdio");
    let (outbox, messages) = mpsc::channel(OUTBOX);
    let writer = tokio::spawn(write(messages, output));
    let max_line = native.service().config().server.max_body_bytes;
    let lines = Lines::begin(native.clone(), session, outbox.clone(), None, None);
    tokio::select! {
        () = serve(&lines, &outbox, input, max_line) => debug!("the input has ended"),
        () = shutdown.draining() => {
            // Who listens is told that it is over; what runs is not waited for.
            native.drain();
            let _ = timeout(FAREWELL, native.listeners().given_back()).await;
        }
    }
    lines.stopped().await;
    drop((lines, outbox));
    let _ = timeout(LAST_WORDS, writer).await;
    let _ = timeout(BACKGROUND_TIMEOUT, native.background().finished()).await;
    Ok(())
}

async fn serve(
    lines: &Arc<Lines>,
    outbox: &mpsc::Sender<String>,
    mut input: impl AsyncRead + Send + Unpin,
    max_line: usize,
) {
    let mut framer = Framer::new(max_line);
    let mut buffer = vec![0_u8; 16 << 10];
    loop {
        tokio::select! {
            read = input.read(&mut buffer) => {
                let read = read.unwrap_or_default();
                let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
                framer.receive(bytes);
                while let Some(line) = framer.next_line() {
                    take(lines, line, max_line).await;
                }
            }
            // The client no longer reads.
            () = outbox.closed() => break,
        }
    }
    if let Some(line) = framer.rest() {
        take(lines, Ok(line), max_line).await;
    }
}

async fn take(lines: &Arc<Lines>, line: Result<Bytes, LineTooLong>, max_line: usize) {
    match line {
        Ok(line) => lines.take(line).await,
        Err(LineTooLong) => {
            let message = format!("the message is longer than {max_line} bytes");
            let error = ErrorObject { code: jsonrpc::INVALID_REQUEST, message, data: None };
            lines.send(jsonrpc::error_text(None, &error)).await;
        }
    }
}

async fn write(mut messages: mpsc::Receiver<String>, mut output: impl AsyncWrite + Unpin) {
    while let Some(mut message) = messages.recv().await {
        message.push('\n');
        let written = async {
            output.write_all(message.as_bytes()).await?;
            output.flush().await
        };
        if let Err(error) = written.await {
            warn!("the output is closed: {error}");
            return;
        }
    }
}

/// A line exceeded the bound; its bytes are passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct LineTooLong;

/// Cuts a stream of bytes into lines, and holds at most one line beside what came last.
struct Framer {
    buffer: Vec<u8>,
    /// Bytes at the front of the buffer that hold no line break.
    searched: usize,
    max_line: usize,
    skipping: bool,
}

impl Framer {
    const fn new(max_line: usize) -> Self {
        Self { buffer: Vec::new(), searched: 0, max_line, skipping: false }
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    fn next_line(&mut self) -> Option<Result<Bytes, LineTooLong>> {
        loop {
            let unsearched = self.buffer.get(self.searched..).unwrap_or_default();
            let Some(found) = unsearched.iter().position(|byte| *byte == b'\n') else {
                self.searched = self.buffer.len();
                let too_long = !self.skipping && self.buffer.len() > self.max_line;
                if self.skipping || too_long {
                    self.buffer = Vec::new();
                    self.searched = 0;
                    self.skipping = true;
                }
                return too_long.then_some(Err(LineTooLong));
            };
            let end = self.searched + found;
            let line: Vec<u8> = self.buffer.drain(..=end).take(end).collect();
            self.searched = 0;
            if std::mem::take(&mut self.skipping) {
                continue;
            }
            return Some(if line.len() > self.max_line { Err(LineTooLong) } else { Ok(Bytes::from(line)) });
        }
    }

    /// A last line without its break.
    fn rest(self) -> Option<Bytes> {
        (!self.skipping && !self.buffer.is_empty()).then(|| Bytes::from(self.buffer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(chunks: &[&[u8]], max_line: usize) -> (Vec<Result<Bytes, LineTooLong>>, Option<Bytes>) {
        let mut framer = Framer::new(max_line);
        let mut lines = Vec::new();
        for chunk in chunks {
            framer.receive(chunk);
            while let Some(line) = framer.next_line() {
                lines.push(line);
            }
        }
        (lines, framer.rest())
    }

    #[test]
    fn lines_do_not_depend_on_chunks() {
        let text = b"one\n\ntwo two\nmuch too long a line\nthree\nend";
        let line = |text: &'static str| Ok(Bytes::from_static(text.as_bytes()));
        let wanted = vec![line("one"), line(""), line("two two"), Err(LineTooLong), line("three")];
        for size in 1..=text.len() {
            let chunks: Vec<&[u8]> = text.chunks(size).collect();
            let (found, rest) = lines(&chunks, 8);
            assert_eq!(found, wanted, "chunks of {size}");
            assert_eq!(rest, Some(Bytes::from_static(b"end")), "chunks of {size}");
        }
    }

    #[test]
    fn a_line_without_end_is_not_kept() {
        let mut framer = Framer::new(8);
        for _ in 0..1000 {
            framer.receive(&[b'x'; 100]);
            while framer.next_line().is_some() {}
            assert!(framer.buffer.capacity() <= 200);
        }
        framer.receive(b"\nok\n");
        assert_eq!(framer.next_line(), Some(Ok(Bytes::from_static(b"ok"))));
        assert_eq!(framer.next_line(), None);
    }

    #[test]
    fn exactly_as_long_as_allowed_is_allowed() {
        let (found, rest) = lines(&[b"12345678\n123456789\n"], 8);
        assert_eq!(found, vec![Ok(Bytes::from_static(b"12345678")), Err(LineTooLong)]);
        assert_eq!(rest, None);
    }

    #[tokio::test]
    async fn lines_are_answered_until_the_input_ends() {
        use housekey_core::config::{Host, Sources, load};
        let loaded = load(Host::Native, &Sources::default(), &|_| Err("no files here".into())).unwrap();
        let native = crate::serve::native(loaded.config).unwrap();
        let (_trigger, shutdown) = crate::serve::shutdown::channel();
        let input = b"{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"ping\"}\nnonsense\n".as_slice();
        let (output, mut answers) = tokio::io::duplex(64 << 10);
        run(&native, input, output, &shutdown).await.unwrap();
        let mut text = String::new();
        answers.read_to_string(&mut text).await.unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[0].contains("\"result\":{}") && lines[1].contains("-32700"), "{text}");
    }
}
