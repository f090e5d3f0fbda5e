//! Where the operator's settings come from: a file, the environment and the command line.

use std::fs::File;
use std::io::Read;

use housekey_core::config::{self, ConfigErrors, Host, Loaded, Sources};

/// Bytes that a file of settings may have.
const MOST_BYTES: u64 = 1 << 20;

/// The environment of this process and these flags. The document is read by [`load`], whichever of them names it.
pub fn sources(flags: Vec<(String, Vec<String>)>) -> Sources {
    // A variable that is not UTF-8 cannot be one of Housekey's.
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    Sources { document: None, environment, flags }
}

/// Lays the sources over the defaults and checks the result.
///
/// # Errors
/// Everything that is wrong, without secrets.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigErrors> {
    config::load(Host::Native, sources, &read_file)
}

/// The text of a file, or why there is none.
///
/// # Errors
/// A sentence that names the path.
pub fn read_file(path: &str) -> Result<String, String> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MOST_BYTES + 1).read_to_string(&mut text));
    match read {
        Ok(_) if text.len() as u64 > MOST_BYTES => Err(format!("{path} is larger than {MOST_BYTES} bytes")),
        Ok(_) => Ok(text),
        Err(error) => Err(format!("{path}: {error}")),
    }
}
