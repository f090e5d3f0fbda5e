//! What follows the head of a packet: a block, or texts, compressed or not. It is read as it arrives.

use super::block::{Block, BlockError, Context, Decoder};
use super::compress::{self, Unopened};
use super::error::{Malformed, NativeError};
use super::inbox::Inbox;
use super::packet::{self, BlockOf};
use super::wire::{Reader, WireError};

/// The rest of a packet.
#[derive(Debug)]
pub(super) enum Content {
    Block(BlockOf, Block),
    TableColumns,
}

/// Reads the rest of one packet.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone, PartialEq))]
pub(super) struct Body {
    of: Of,
    /// What came out of compressed frames, if there are any.
    plain: Option<Inbox>,
    /// Bytes that were read so far, uncompressed.
    read: usize,
    /// Bytes that it may take, uncompressed.
    most: usize,
}

#[derive(Debug)]
#[cfg_attr(test, derive(Clone, PartialEq))]
enum Of {
    Block(BlockOf, Box<Decoder>),
    TableColumns,
}

impl Body {
    pub(super) fn block(of: BlockOf, context: Context, compressed: bool, most: usize) -> Self {
        Self::new(Of::Block(of, Box::new(Decoder::new(context))), compressed, most)
    }

    pub(super) fn table_columns(compressed: bool, most: usize) -> Self {
        Self::new(Of::TableColumns, compressed, most)
    }

    fn new(of: Of, compressed: bool, most: usize) -> Self {
        Self { of, plain: compressed.then(Inbox::default), read: 0, most }
    }

    /// No bytes will follow.
    pub(super) fn expect_no_more(&mut self) {
        if let Some(plain) = &mut self.plain {
            plain.expect_no_more();
        }
    }

    /// Goes on with what has arrived; `None` when that is not all.
    pub(super) fn advance(&mut self, inbox: &mut Inbox) -> Result<Option<Content>, NativeError> {
        let Some(mut plain) = self.plain.take() else { return self.read(inbox) };
        let content = loop {
            if let Some(content) = self.read(&mut plain)? {
                break Some(content);
            }
            if !inbox.is_ready() {
                break None;
            }
            let mut reader = Reader::new(inbox.rest());
            match plain.append(|bytes| compress::open_frame(&mut reader, bytes, self.most)) {
                Ok(()) => {
                    let position = reader.position();
                    inbox.pass(position);
                }
                Err(Unopened::Wire(WireError::Incomplete { missing })) => {
                    inbox.want(missing);
                    break None;
                }
                Err(Unopened::Wire(WireError::Malformed(error))) => return Err(error.into()),
                Err(Unopened::Frame(error)) => return Err(error.into()),
                Err(Unopened::TooLong) => return Err(NativeError::PacketTooLong { most: self.most }),
            }
        };
        match (&content, plain.len()) {
            // A frame ends where its block ends.
            (Some(_), surplus @ 1..) => return Err(Malformed::Surplus { surplus }.into()),
            (Some(_), 0) | (None, _) => self.plain = Some(plain),
        }
        Ok(content)
    }

    fn read(&mut self, source: &mut Inbox) -> Result<Option<Content>, NativeError> {
        if !source.is_ready() {
            return Ok(None);
        }
        let mut reader = Reader::new(source.rest());
        let result = match &mut self.of {
            Of::Block(of, decoder) => match decoder.advance(&mut reader) {
                Ok(block) => Ok(Content::Block(*of, block)),
                Err(BlockError::Wire(error)) => Err(error),
                Err(error) => return Err(error.into()),
            },
            Of::TableColumns => {
                let mut attempt = reader.clone();
                packet::table_columns(&mut attempt).map(|()| {
                    reader = attempt;
                    Content::TableColumns
                })
            }
        };
        // What the reader has passed is done with, whatever the result.
        let position = reader.position();
        self.read = self.read.saturating_add(position);
        source.pass(position);
        match result {
            Ok(_) if self.read > self.most => Err(NativeError::PacketTooLong { most: self.most }),
            Ok(content) => Ok(Some(content)),
            Err(WireError::Malformed(error)) => Err(error.into()),
            Err(WireError::Incomplete { missing }) => {
                source.want(missing);
                if self.read.saturating_add(source.wanted()) > self.most {
                    return Err(NativeError::PacketTooLong { most: self.most });
                }
                Ok(None)
            }
        }
    }
}
