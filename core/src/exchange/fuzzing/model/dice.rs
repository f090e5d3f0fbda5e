//! The input as a series of choices. When it is spent, everything is the first choice.

use super::heads::Person;

pub(super) struct Dice<'a>(&'a [u8]);

impl<'a> Dice<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    pub(super) fn is_spent(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    /// One of the numbers below `sides`.
    pub(super) fn roll(&mut self, sides: u8) -> u8 {
        self.byte() % sides.max(1)
    }

    /// One of the places in something of this length.
    pub(super) fn index(&mut self, length: usize) -> Option<usize> {
        (length > 0).then(|| usize::from(self.byte()) % length)
    }

    pub(super) fn pick<'b>(&mut self, texts: &[&'b str]) -> &'b str {
        self.index(texts.len()).and_then(|at| texts.get(at)).copied().unwrap_or_default()
    }

    pub(super) fn person(&mut self) -> Person {
        match self.roll(8) {
            0 => Person::Nobody,
            1 => Person::Forger,
            2 | 3 => Person::Bob,
            _ => Person::Alice,
        }
    }
}
