//! From bytes to packets: as many as there are, and what to wait for.

use super::{Connection, Ending, Stage, Step};
use crate::clickhouse::native::error::NativeError;
use crate::clickhouse::native::exception;
use crate::clickhouse::native::hello::{self, HelloError, ServerHello};
use crate::clickhouse::native::login::Login;
use crate::clickhouse::native::packet;
use crate::clickhouse::native::revision::Feature;
use crate::clickhouse::native::wire::{Reader, WireError};

/// Bytes of a packet that is not a block: a hello with all settings, an exception with the query in it.
const LONGEST_HEAD: usize = 16 << 20;

impl Connection {
    pub(super) fn read_greeting(&mut self) -> Result<Step, NativeError> {
        const EXCEPTION: u64 = 2;
        let mut reader = Reader::new(self.inbox.rest());
        let result = match reader.varuint() {
            Ok(0) => ServerHello::read(&mut reader, self.options.announce).map(Ok),
            Ok(EXCEPTION) => exception::read(&mut reader, true).map(Err).map_err(HelloError::Wire),
            Ok(number) => return Err(not_clickhouse(number)),
            Err(error) => Err(HelloError::Wire(error)),
        };
        let position = reader.position();
        match result {
            Ok(Ok(hello)) => {
                self.inbox.pass(position);
                self.take_hello(hello)?;
                Ok(Step::Again)
            }
            Ok(Err(exception)) => {
                self.close(Ending::Refused(exception));
                Ok(Step::Again)
            }
            Err(HelloError::Native(error)) => Err(error),
            Err(HelloError::Wire(WireError::Malformed(error))) => Err(error.into()),
            Err(HelloError::Wire(WireError::Incomplete { missing })) => self.wait_for(missing),
        }
    }

    fn take_hello(&mut self, hello: ServerHello) -> Result<(), NativeError> {
        let interserver = matches!(self.options.login, Login::Interserver { .. });
        if interserver && !hello.revision.has(Feature::InterserverSecret) {
            return Err(NativeError::NoInterserverSecret(hello.revision));
        }
        let (addendum, framing) = hello::addendum(&hello)?;
        if !addendum.as_slice().is_empty() {
            self.outbox.push_back(addendum.into_bytes());
        }
        self.framing = framing;
        if framing.incoming {
            let early = self.inbox.take_all();
            let inbox = &mut self.inbox;
            self.unframer.receive(&early, |piece| inbox.push(piece));
        }
        self.hello = Some(hello);
        self.stage = Stage::Ready;
        Ok(())
    }

    pub(super) fn read_packet(&mut self) -> Result<Step, NativeError> {
        if let Some(mut body) = self.body.take() {
            return match body.advance(&mut self.inbox)? {
                Some(content) => self.take_content(content).map(|()| Step::Again),
                None => {
                    self.body = Some(body);
                    Ok(Step::Wait)
                }
            };
        }
        if !self.inbox.is_ready() || self.inbox.is_empty() {
            return Ok(Step::Wait);
        }
        let revision = self.revision();
        let before = matches!(&self.stage, Stage::Running(running) if !running.seen.anything);
        let mut reader = Reader::new(self.inbox.rest());
        match packet::read(&mut reader, revision, before) {
            Ok(packet) => {
                let position = reader.position();
                self.inbox.pass(position);
                self.take_packet(packet, revision)?;
                Ok(Step::Again)
            }
            Err(WireError::Malformed(error)) => Err(error.into()),
            Err(WireError::Incomplete { missing }) => self.wait_for(missing),
        }
    }

    fn wait_for(&mut self, missing: usize) -> Result<Step, NativeError> {
        self.inbox.want(missing);
        let most = self.options.packet_bytes.min(LONGEST_HEAD);
        if self.inbox.wanted() > most { Err(NativeError::PacketTooLong { most }) } else { Ok(Step::Wait) }
    }
}

fn not_clickhouse(number: u64) -> NativeError {
    match number {
        // "H" of a status line, and the record of a TLS alert.
        72 => NativeError::Http,
        21 => NativeError::Tls,
        other => NativeError::UnknownPacket(other),
    }
}
