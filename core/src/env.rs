//! What a step may know besides its message.

use rand_core::CryptoRng;

use crate::facts::Facts;
use crate::time::UnixTime;

/// The world as the host lends it for one step.
///
/// A run is a function of the configuration, the facts, the moment, the random bytes and the messages: given the
/// same five, core answers the same.
pub struct Env<'a> {
    /// The host's clock, read once for the step.
    pub now: UnixTime,
    /// Randomness fit for keys and nonces.
    pub rng: &'a mut dyn CryptoRng,
    /// What earlier requests learned.
    pub facts: &'a Facts,
}

impl Env<'_> {
    /// 128 random bits as 32 lower-case hexadecimal digits, for query and request ids.
    pub fn random_id(&mut self) -> String {
        let mut bytes = [0_u8; 16];
        self.rng.fill_bytes(&mut bytes);
        let mut id = String::with_capacity(32);
        for byte in bytes {
            for nibble in [byte >> 4, byte & 15] {
                id.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
            }
        }
        id
    }
}
