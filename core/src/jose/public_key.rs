//! Public keys of the kinds that providers sign with, and what each verifies.
//!
//! Deliberately absent: private keys. Nothing here can sign, so the weaknesses of private operations in pure Rust
//! (RUSTSEC-2023-0071) have nothing to work on.

use ed25519_dalek::VerifyingKey as Ed25519Key;
use p256::ecdsa::signature::Verifier;
use rsa::{BoxedUint, pkcs1v15, pss};
use sha2::{Sha256, Sha384, Sha512};

use super::algorithm::Algorithm;
use super::jwk_error::SkipReason;

/// RFC 7518 sections 3.3 and 3.5: a modulus has at least 2048 bits. The upper bound is on our work.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// An exponent that is longer than this is no exponent anybody uses, only work.
const MAX_EXPONENT_BYTES: usize = 4;

/// A public key, checked when it was read.
#[derive(Clone, Debug)]
pub(super) enum PublicKey {
    Rsa(rsa::PublicKey),
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    P521(p521::ecdsa::VerifyingKey),
    Ed25519(Ed25519Key),
}

/// The signature is not this key's over this message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotVerified;

impl PublicKey {
    /// A key of RFC 7518 section 6.3.1. Zero octets before the numbers are against section 2 but common.
    pub(super) fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, SkipReason> {
        let (modulus, exponent) = (without_zeros(modulus), without_zeros(exponent));
        let bits = modulus.first().map_or(0, |first| modulus.len() * 8 - first.leading_zeros() as usize);
        if bits < *RSA_BITS.start() {
            return Err(SkipReason::ModulusTooSmall { bits });
        }
        if bits > *RSA_BITS.end() {
            return Err(SkipReason::ModulusTooLarge { bits });
        }
        // An exponent of 1 signs nothing, and an even one has no inverse (RFC 8017 section 3.1).
        let sane = exponent.len() <= MAX_EXPONENT_BYTES
            && exponent != [1]
            && exponent.last().is_some_and(|last| last % 2 == 1);
        if !sane {
            return Err(SkipReason::Exponent);
        }
        let number = BoxedUint::from_be_slice_vartime;
        rsa::PublicKey::new_with_size_limits(number(modulus), number(exponent), RSA_BITS)
            .map(Self::Rsa)
            .map_err(|_| SkipReason::Modulus)
    }

    /// A key of RFC 7518 section 6.2.1, whose coordinates have the curve's full length. The point must lie on the
    /// curve.
    pub(super) fn elliptic(curve: Curve, x: &[u8], y: &[u8]) -> Result<Self, SkipReason> {
        let length = curve.coordinate_bytes();
        if x.len() != length || y.len() != length {
            return Err(SkipReason::Coordinates);
        }
        // SEC 1 section 2.3.3: uncompressed.
        let point = [&[4], x, y].concat();
        let key = match curve {
            Curve::P256 => p256::ecdsa::VerifyingKey::from_sec1_bytes(&point).map(Self::P256),
            Curve::P384 => p384::ecdsa::VerifyingKey::from_sec1_bytes(&point).map(Self::P384),
            Curve::P521 => p521::ecdsa::VerifyingKey::from_sec1_bytes(&point).map(Self::P521),
        };
        key.map_err(|_| SkipReason::NotOnCurve)
    }

    /// A key of RFC 8037 section 2. One of small order verifies signatures that nobody made.
    pub(super) fn ed25519(x: &[u8]) -> Result<Self, SkipReason> {
        let x = x.try_into().map_err(|_| SkipReason::Coordinates)?;
        let key = Ed25519Key::from_bytes(x).map_err(|_| SkipReason::NotOnCurve)?;
        if key.is_weak() { Err(SkipReason::Weak) } else { Ok(Self::Ed25519(key)) }
    }

    /// Whether the algorithm is one of this kind of key and, for ECDSA, of its curve.
    pub(super) const fn fits(&self, algorithm: Algorithm) -> bool {
        match algorithm {
            Algorithm::Rs256
            | Algorithm::Rs384
            | Algorithm::Rs512
            | Algorithm::Ps256
            | Algorithm::Ps384
            | Algorithm::Ps512 => matches!(self, Self::Rsa(_)),
            Algorithm::Es256 => matches!(self, Self::P256(_)),
            Algorithm::Es384 => matches!(self, Self::P384(_)),
            Algorithm::Es512 => matches!(self, Self::P521(_)),
            Algorithm::Ed25519 => matches!(self, Self::Ed25519(_)),
        }
    }

    /// Verifies `signature`. One that has not exactly the length of the key's is refused, so ECDSA in DER form is
    /// too (RFC 7518 section 3.4). Nothing is secret here, so nothing is compared in constant time.
    ///
    /// Both signs of ECDSA's `s` are accepted: RFC 7518 does not choose one, and nothing here relies on a token
    /// having one spelling.
    pub(super) fn verify(
        &self,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), NotVerified> {
        match (self, algorithm) {
            (Self::Rsa(key), Algorithm::Rs256) => {
                check(&pkcs1v15::VerifyingKey::<Sha256>::new(key.clone()), message, signature)
            }
            (Self::Rsa(key), Algorithm::Rs384) => {
                check(&pkcs1v15::VerifyingKey::<Sha384>::new(key.clone()), message, signature)
            }
            (Self::Rsa(key), Algorithm::Rs512) => {
                check(&pkcs1v15::VerifyingKey::<Sha512>::new(key.clone()), message, signature)
            }
            (Self::Rsa(key), Algorithm::Ps256) => {
                check(&pss::VerifyingKey::<Sha256>::new(key.clone()), message, signature)
            }
            (Self::Rsa(key), Algorithm::Ps384) => {
                check(&pss::VerifyingKey::<Sha384>::new(key.clone()), message, signature)
            }
            (Self::Rsa(key), Algorithm::Ps512) => {
                check(&pss::VerifyingKey::<Sha512>::new(key.clone()), message, signature)
            }
            (Self::P256(key), Algorithm::Es256) => check::<p256::ecdsa::Signature>(key, message, signature),
            (Self::P384(key), Algorithm::Es384) => check::<p384::ecdsa::Signature>(key, message, signature),
            (Self::P521(key), Algorithm::Es512) => check::<p521::ecdsa::Signature>(key, message, signature),
            (Self::Ed25519(key), Algorithm::Ed25519) => {
                let signature = signature.try_into().map_err(|_| NotVerified)?;
                // The strict form also refuses a nonce point of small order.
                key.verify_strict(message, &signature).map_err(|_| NotVerified)
            }
            (Self::Rsa(_) | Self::P256(_) | Self::P384(_) | Self::P521(_) | Self::Ed25519(_), _) => {
                Err(NotVerified)
            }
        }
    }
}

/// The curves of RFC 7518 section 6.2.1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
    P521,
}

impl Curve {
    const fn coordinate_bytes(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

fn check<'a, S: TryFrom<&'a [u8]>>(
    key: &impl Verifier<S>,
    message: &[u8],
    signature: &'a [u8],
) -> Result<(), NotVerified> {
    let signature = S::try_from(signature).map_err(|_| NotVerified)?;
    key.verify(message, &signature).map_err(|_| NotVerified)
}
