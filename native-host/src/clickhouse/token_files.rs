//! Files that a token names, read below one directory and nowhere else.

use std::fs::{File, OpenOptions, canonicalize};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Bytes that a file may have. Bundles of all public authorities have a fifth of it.
const MOST_BYTES: u64 = 1 << 20;

/// Why a file is not read. The texts complete "the file x …" and are for the operator.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("cannot be looked up: `server.jwe.tls_directory` cannot be opened: {0}")]
    Directory(io::Error),
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    #[error("lies outside of `server.jwe.tls_directory`: a link leads out of it")]
    Outside,
    #[error("is not a regular file")]
    NotRegular,
    #[error("is larger than {} KiB", MOST_BYTES >> 10)]
    TooLarge,
    #[error("was replaced while it was opened")]
    Replaced,
}

/// The content of a file, whose path is relative to the directory. Links may lead about within it.
pub(super) fn read_below(directory: &Path, file: &str) -> Result<Vec<u8>, FileError> {
    let directory = canonicalize(directory).map_err(FileError::Directory)?;
    let path = canonicalize(directory.join(file)).map_err(FileError::Unreadable)?;
    if !path.starts_with(&directory) {
        return Err(FileError::Outside);
    }
    let opened = open(&path)?;
    // A folder on the way could have become a link since the path was judged.
    if canonicalize(&path).map_err(FileError::Unreadable)? != path {
        return Err(FileError::Replaced);
    }
    let mut content = Vec::new();
    opened.take(MOST_BYTES + 1).read_to_end(&mut content).map_err(FileError::Unreadable)?;
    if content.len() as u64 > MOST_BYTES { Err(FileError::TooLarge) } else { Ok(content) }
}

/// Opens a path that has no links. What is opened is judged, not what the path led to a moment ago.
fn open(path: &Path) -> Result<File, FileError> {
    // A named pipe would otherwise keep this thread waiting for its other end.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let opened = opened.map_err(|error| match error.raw_os_error() {
        Some(libc::ELOOP) => FileError::Replaced,
        // What a socket, or a device without a driver, answers.
        Some(libc::ENXIO | libc::ENODEV) => FileError::NotRegular,
        Some(_) | None => FileError::Unreadable(error),
    })?;
    let about = opened.metadata().map_err(FileError::Unreadable)?;
    if about.is_file() { Ok(opened) } else { Err(FileError::NotRegular) }
}

#[cfg(test)]
mod tests {
    use std::fs::{create_dir, remove_file, write};
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn only_regular_files_below_the_directory_are_read() {
        let place = tempfile::tempdir().unwrap();
        let (tls, outside) = (place.path().join("tls"), place.path().join("outside"));
        for folder in [&tls, &outside, &tls.join("tenant"), &place.path().join("tls-of-others")] {
            create_dir(folder).unwrap();
        }
        write(outside.join("key.pem"), "theirs").unwrap();
        write(place.path().join("tls-of-others/key.pem"), "theirs").unwrap();
        write(tls.join("tenant/key.pem"), "ours").unwrap();
        symlink("tenant/key.pem", tls.join("inner")).unwrap();
        symlink(tls.join("tenant/key.pem"), tls.join("absolute")).unwrap();
        symlink("../outside/key.pem", tls.join("out")).unwrap();
        symlink(&outside, tls.join("folder")).unwrap();
        symlink("out", tls.join("twice")).unwrap();
        symlink("loop", tls.join("loop")).unwrap();
        symlink("/dev/zero", tls.join("zero")).unwrap();
        let _socket = UnixListener::bind(tls.join("socket")).unwrap();
        let pipe = std::process::Command::new("mkfifo").arg(tls.join("pipe")).status().unwrap();
        assert!(pipe.success());
        let name = outside.join("key.pem");
        for (file, wanted) in [
            ("tenant/key.pem", Ok("ours")),
            ("inner", Ok("ours")),
            ("absolute", Ok("ours")),
            ("out", Err("lies outside")),
            ("folder/key.pem", Err("lies outside")),
            ("twice", Err("lies outside")),
            ("zero", Err("lies outside")),
            ("../outside/key.pem", Err("lies outside")),
            ("../tls-of-others/key.pem", Err("lies outside")),
            (name.to_str().unwrap(), Err("lies outside")),
            ("tenant", Err("not a regular file")),
            ("", Err("not a regular file")),
            ("pipe", Err("not a regular file")),
            ("socket", Err("not a regular file")),
            ("loop", Err("cannot be read")),
            ("nothing.pem", Err("cannot be read")),
        ] {
            match (read_below(&tls, file), wanted) {
                (Ok(content), Ok(wanted)) => assert_eq!(content, wanted.as_bytes(), "{file}"),
                (Err(error), Err(text)) => assert!(error.to_string().contains(text), "{file}: {error}"),
                (read, wanted) => panic!("{file}: {read:?} instead of {wanted:?}"),
            }
        }
    }

    #[test]
    fn a_file_that_became_a_way_out_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let (tls, secret) = (place.path().join("tls"), place.path().join("secret"));
        create_dir(&tls).unwrap();
        write(&secret, "theirs").unwrap();
        write(tls.join("a"), "ours").unwrap();
        assert_eq!(read_below(&tls, "a").unwrap(), b"ours");
        // As a swap between judgement and opening looks to `open`.
        remove_file(tls.join("a")).unwrap();
        symlink(&secret, tls.join("a")).unwrap();
        assert!(matches!(open(&tls.join("a")), Err(FileError::Replaced)));
        assert!(matches!(read_below(&tls, "a"), Err(FileError::Outside)));
    }

    #[test]
    fn a_directory_may_itself_be_a_link_and_has_to_be_there() {
        let place = tempfile::tempdir().unwrap();
        create_dir(place.path().join("tls-1")).unwrap();
        write(place.path().join("tls-1/a"), "ours").unwrap();
        symlink("tls-1", place.path().join("tls")).unwrap();
        assert_eq!(read_below(&place.path().join("tls"), "a").unwrap(), b"ours");
        let missing = read_below(&place.path().join("none"), "a").unwrap_err();
        assert!(matches!(missing, FileError::Directory(_)));
        assert!(!missing.to_string().contains("none"), "{missing}");
    }

    #[test]
    fn a_large_file_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let most = usize::try_from(MOST_BYTES).unwrap();
        write(place.path().join("most"), vec![b'a'; most]).unwrap();
        write(place.path().join("more"), vec![b'a'; most + 1]).unwrap();
        assert_eq!(read_below(place.path(), "most").unwrap().len(), most);
        assert!(matches!(read_below(place.path(), "more"), Err(FileError::TooLarge)));
    }
}
