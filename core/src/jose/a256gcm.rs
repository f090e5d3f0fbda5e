//! `A256GCM` (RFC 7518 section 5.3). The tag is compared by `aes-gcm`, in constant time.

use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit, Nonce, Tag};
use zeroize::Zeroizing;

use crate::secret::Secret;

pub(super) const KEY_BYTES: usize = 32;
/// An initialization vector of 96 bits and a tag of 128.
pub(super) const IV_BYTES: usize = 12;
pub(super) const TAG_BYTES: usize = 16;

/// The ciphertext and the tag; `None` if the plaintext is longer than the cipher allows. A key and a vector must not
/// serve twice.
pub(super) fn encrypt(
    key: &[u8; KEY_BYTES],
    iv: [u8; IV_BYTES],
    additional_data: &[u8],
    plaintext: &[u8],
) -> Option<(Vec<u8>, [u8; TAG_BYTES])> {
    let mut buffer = Zeroizing::new(plaintext.to_vec());
    let tag = Aes256Gcm::new(key.into())
        .encrypt_inout_detached(&Nonce::from(iv), additional_data, buffer.as_mut_slice().into())
        .ok()?;
    Some((std::mem::take(&mut *buffer), tag.into()))
}

/// The plaintext, if the tag is that of the key, the vector and both texts.
pub(super) fn decrypt(
    key: &[u8; KEY_BYTES],
    iv: [u8; IV_BYTES],
    additional_data: &[u8],
    ciphertext: &[u8],
    tag: [u8; TAG_BYTES],
) -> Option<Secret<Vec<u8>>> {
    let mut buffer = Zeroizing::new(ciphertext.to_vec());
    Aes256Gcm::new(key.into())
        .decrypt_inout_detached(
            &Nonce::from(iv),
            additional_data,
            buffer.as_mut_slice().into(),
            &Tag::from(tag),
        )
        .ok()?;
    Some(Secret::new(std::mem::take(&mut *buffer)))
}
