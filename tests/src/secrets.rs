//! Everything that no log may show. Whoever makes a secret registers it here, and every cell ends with a look at
//! all that the hosts have written.

use std::sync::{Mutex, PoisonError};

static SECRETS: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

/// Registers a secret under a name that failures may show, and gives it back.
pub fn remember(name: &str, secret: impl Into<String>) -> String {
    let secret = secret.into();
    let mut secrets = SECRETS.lock().unwrap_or_else(PoisonError::into_inner);
    if secret.len() >= 8 && !secrets.iter().any(|(_, known)| *known == secret) {
        secrets.push((name.to_owned(), secret.clone()));
    }
    secret
}

/// A fresh secret of 32 hexadecimal digits.
pub fn fresh(name: &str) -> String {
    remember(name, format!("{:032x}", rand::random::<u128>()))
}

/// The names of the secrets that a text shows.
pub fn shown_in(text: &str) -> Vec<String> {
    let secrets = SECRETS.lock().unwrap_or_else(PoisonError::into_inner);
    secrets
        .iter()
        .filter(|(_, secret)| text.contains(secret.as_str()))
        .map(|(name, _)| name.clone())
        .collect()
}
