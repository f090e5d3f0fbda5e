//! One connection to a server, without the socket.
//!
//! A host writes what [`Connection::poll_transmit`] gives it, hands what it reads to [`Connection::receive`], and asks
//! [`Connection::poll_event`] for events until there is none before it reads again: bytes pile up otherwise. One query
//! runs at a time. Time limits are the host's; so is closing the socket of a connection in [`State::Closed`].
//!
//! Data beside a statement is encoded when the server has said what it wants, all of it before the first byte is sent:
//! what does not fit is refused as a whole, and the server is told that there is none.

mod reading;
mod running;
mod state;
mod taking;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use zeroize::Zeroizing;

use super::body::Body;
use super::chunked::{self, Unframer};
use super::data::{DataError, Dialect};
use super::error::NativeError;
use super::hello::{self, Framing, ServerHello};
use super::inbox::Inbox;
use super::login::{Login, LoginError, Options};
use super::query::{self, EncodeError, Query};
use super::revision::Revision;
use crate::clickhouse::query::QueryEvent;
use running::Running;
pub use state::{Ending, StartError, State};

/// A connection to a server.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone, PartialEq))]
pub struct Connection {
    options: Options,
    stage: Stage,
    hello: Option<ServerHello>,
    /// In which times of the running query are shown.
    time_zone: String,
    framing: Framing,
    unframer: Unframer,
    inbox: Inbox,
    body: Option<Body>,
    outbox: VecDeque<Zeroizing<Vec<u8>>>,
    /// No more bytes will come.
    ended: bool,
    /// The server has answered a query, so it takes us for who we say.
    accepted: bool,
}

#[derive(Debug)]
#[cfg_attr(test, derive(Clone, PartialEq))]
enum Stage {
    Greeting,
    Ready,
    Pinging,
    Running(Box<Running>),
    /// A query has ended by this event, which was not asked for yet.
    Ended(QueryEvent, After),
    Closed(Ending),
}

/// What becomes of a connection after a query.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone, PartialEq))]
enum After {
    Ready,
    /// It is asked whether the server still listens.
    Ping,
    Close(Ending),
}

/// Whether reading goes on.
enum Step {
    Again,
    Wait,
}

impl Connection {
    /// A connection that has just been opened; there is a hello to transmit.
    ///
    /// # Errors
    ///
    /// When the login is one that no server may be asked for.
    pub fn new(options: Options) -> Result<Self, LoginError> {
        options.check()?;
        let outbox = VecDeque::from([hello::encode(&options)]);
        Ok(Self {
            options,
            stage: Stage::Greeting,
            hello: None,
            time_zone: String::new(),
            framing: Framing::default(),
            unframer: Unframer::default(),
            inbox: Inbox::default(),
            body: None,
            outbox,
            ended: false,
            accepted: false,
        })
    }

    /// What it can be used for.
    pub fn state(&self) -> State {
        match &self.stage {
            Stage::Greeting => State::Greeting,
            Stage::Ready => State::Ready,
            Stage::Pinging => State::Pinging,
            Stage::Running(running) if running.cancelled => State::Cancelling,
            Stage::Running(_) | Stage::Ended(..) => State::Running,
            Stage::Closed(_) => State::Closed,
        }
    }

    /// Why it is of no use any more, in [`State::Closed`].
    pub fn ending(&self) -> Option<&Ending> {
        match &self.stage {
            Stage::Closed(ending) => Some(ending),
            Stage::Greeting | Stage::Ready | Stage::Pinging | Stage::Running(_) | Stage::Ended(..) => None,
        }
    }

    /// What the server said of itself, once it has.
    pub fn server(&self) -> Option<&ServerHello> {
        self.hello.as_ref()
    }

    /// The next bytes to write. They are wiped when they are dropped.
    pub fn poll_transmit(&mut self) -> Option<Zeroizing<Vec<u8>>> {
        self.outbox.pop_front()
    }

    /// Takes bytes that were read.
    pub fn receive(&mut self, bytes: &[u8]) {
        if self.framing.incoming {
            let inbox = &mut self.inbox;
            self.unframer.receive(bytes, |piece| inbox.push(piece));
        } else {
            self.inbox.push(bytes);
        }
        self.read_unasked();
    }

    /// The server closed its side, or the connection broke.
    pub fn receive_end(&mut self) {
        self.ended = true;
        // What was left for later is looked at now: what is wrong with it is told better than that it broke off.
        self.inbox.expect_no_more();
        if let Some(body) = &mut self.body {
            body.expect_no_more();
        }
        self.read_unasked();
    }

    /// The next event of the running query, if the bytes so far hold one. After the last there is none.
    pub fn poll_event(&mut self) -> Option<QueryEvent> {
        loop {
            match &mut self.stage {
                Stage::Running(running) => match running.poll_event() {
                    Some(QueryEvent::RowTooLong) => {
                        self.cancel();
                        return Some(QueryEvent::RowTooLong);
                    }
                    Some(event) => return Some(event),
                    None => {}
                },
                Stage::Ended(..) => {
                    let ended = std::mem::replace(&mut self.stage, Stage::Ready);
                    let Stage::Ended(event, after) = ended else { return None };
                    self.go_on(after);
                    return Some(event);
                }
                Stage::Greeting | Stage::Ready | Stage::Pinging | Stage::Closed(_) => return None,
            }
            if matches!(self.step(), Step::Wait) {
                return None;
            }
        }
    }

    /// Starts a query in [`State::Ready`].
    ///
    /// # Errors
    ///
    /// The connection stays as it is.
    pub fn start_query(&mut self, query: &Query) -> Result<(), StartError> {
        let (Stage::Ready, Some(hello)) = (&self.stage, &self.hello) else {
            return Err(StartError::NotReady);
        };
        let packet = query.encode(&self.options, hello)?;
        let dialect = self.dialect();
        let data = query.data.as_deref();
        if data.is_some_and(|data| data.rows.is_some()) && !query.takes_data {
            return Err(EncodeError::Data(DataError::NoInsert).into());
        }
        let tables = data.map(|data| data.tables.as_slice()).unwrap_or_default();
        let tables: Result<Vec<_>, _> = tables.iter().map(|table| dialect.table(table)).collect();
        let tables = tables.map_err(EncodeError::Data)?;
        self.time_zone = query.time_zone().unwrap_or(&hello.time_zone).to_owned();
        self.transmit(packet);
        for table in tables {
            self.transmit(table);
        }
        self.transmit(dialect.end());
        self.stage = Stage::Running(Box::new(Running::new(query)));
        Ok(())
    }

    /// Asks the server to stop the running query. No event follows; the connection is ready again, or closed, once
    /// the rest of the answer has been received.
    pub fn cancel(&mut self) {
        match &mut self.stage {
            Stage::Running(running) if !running.cancelled => {
                running.cancel();
                // Rows that are still to be sent stay here; the packet that is being written was taken already.
                if running.seen.request_for_data() {
                    self.outbox.clear();
                }
                self.transmit(query::cancel());
            }
            Stage::Ended(..) => while self.poll_event().is_some() {},
            Stage::Running(_) | Stage::Greeting | Stage::Ready | Stage::Pinging | Stage::Closed(_) => {}
        }
        self.read_unasked();
    }

    /// Asks in [`State::Ready`] whether the server is still there; it is, once the connection is ready again.
    pub fn ping(&mut self) {
        if matches!(self.stage, Stage::Ready) {
            self.transmit(query::ping());
            self.stage = Stage::Pinging;
        }
    }

    fn go_on(&mut self, after: After) {
        self.stage = match after {
            After::Ready => Stage::Ready,
            After::Close(ending) => Stage::Closed(ending),
            After::Ping => {
                self.transmit(query::ping());
                Stage::Pinging
            }
        };
        self.read_unasked();
    }

    fn transmit(&mut self, packet: Zeroizing<Vec<u8>>) {
        let framed = self.framing.outgoing;
        self.outbox.push_back(if framed { chunked::frame(&packet).into_bytes() } else { packet });
    }

    /// Reads what nobody waits for events of.
    fn read_unasked(&mut self) {
        loop {
            match &self.stage {
                Stage::Running(running) if !running.cancelled => return,
                Stage::Ended(..) | Stage::Closed(_) => return,
                Stage::Running(_) | Stage::Greeting | Stage::Ready | Stage::Pinging => {}
            }
            if matches!(self.step(), Step::Wait) {
                return;
            }
        }
    }

    /// Reads one packet and draws the conclusions.
    fn step(&mut self) -> Step {
        let read = match self.stage {
            Stage::Greeting => self.read_greeting(),
            Stage::Ready | Stage::Pinging | Stage::Running(_) => self.read_packet(),
            Stage::Ended(..) | Stage::Closed(_) => return Step::Wait,
        };
        match read {
            Ok(Step::Wait) if self.ended => {
                let ending = self.hang_up();
                self.close(ending);
                Step::Again
            }
            Ok(step) => step,
            Err(error) => {
                self.close(Ending::Native(error));
                Step::Again
            }
        }
    }

    fn hang_up(&self) -> Ending {
        let asked = matches!(self.stage, Stage::Running(_) | Stage::Greeting);
        match self.options.login {
            Login::Interserver { .. } if asked && !self.accepted => Ending::InterserverRefused,
            Login::Interserver { .. } | Login::Password { .. } => Ending::HungUp,
        }
    }

    /// Of no use any more; a query that runs gets to know why.
    fn close(&mut self, ending: Ending) {
        self.inbox = Inbox::default();
        self.body = None;
        self.outbox.clear();
        self.stage = match &self.stage {
            Stage::Running(running) if !running.cancelled => {
                Stage::Ended(ending.event(), After::Close(ending))
            }
            Stage::Running(_) | Stage::Greeting | Stage::Ready | Stage::Pinging => Stage::Closed(ending),
            Stage::Ended(..) | Stage::Closed(_) => return,
        };
    }

    fn dialect(&self) -> Dialect {
        Dialect { revision: self.revision(), compression: self.options.compression }
    }

    fn revision(&self) -> Revision {
        self.hello.as_ref().map_or(Revision::OLDEST, |hello| hello.revision)
    }
}
