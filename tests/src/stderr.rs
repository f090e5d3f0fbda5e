//! What the hosts write to standard error, kept whole and watched for secrets.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, ensure};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::secrets;

static ALL: Mutex<Vec<Stderr>> = Mutex::new(Vec::new());

/// The output of one process, as far as it has come.
#[derive(Clone, Debug)]
pub struct Stderr {
    label: String,
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl Stderr {
    /// Begins to collect a stream.
    pub fn collect(label: impl Into<String>, mut stream: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let stderr = Self { label: label.into(), bytes: Arc::default() };
        ALL.lock().unwrap_or_else(PoisonError::into_inner).push(stderr.clone());
        let bytes = Arc::clone(&stderr.bytes);
        tokio::spawn(async move {
            let mut chunk = vec![0; 16 << 10];
            while let Ok(length @ 1..) = stream.read(&mut chunk).await {
                let mut bytes = bytes.lock().unwrap_or_else(PoisonError::into_inner);
                bytes.extend(chunk.iter().take(length));
            }
        });
        stderr
    }

    /// What has come until now.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

/// Fails if any process has written a secret.
pub fn check_all() -> Result<()> {
    let all = ALL.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for stderr in all {
        let shown = secrets::shown_in(&stderr.text());
        ensure!(shown.is_empty(), "standard error of {} shows {}", stderr.label, shown.join(", "));
    }
    Ok(())
}
