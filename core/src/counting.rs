//! Randomness that counts, so that a run of a fuzzer can be repeated.

use std::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};

/// The state.
pub(crate) struct Counting(pub(crate) u64);

impl TryRng for Counting {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.try_next_u64().map(|number| u32::try_from(number >> 32).unwrap_or_default())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        Ok(self.0)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for byte in bytes {
            *byte = u8::try_from(self.try_next_u64()? >> 56).unwrap_or_default();
        }
        Ok(())
    }
}

impl TryCryptoRng for Counting {}
