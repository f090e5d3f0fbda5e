//! The child process and what it wrote last.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use super::StartError;

/// What `clickhouse.py` puts before lines that are meant for the person at the terminal.
const ANNOUNCEMENT: &str = "housekey clickhouse: ";

/// Tells `clickhouse.py` to switch on EXECUTE AS.
const ALLOW_EXECUTE_AS: &str = "allow-execute-as";

/// Lines of the child's standard error that are kept for an error message.
const STDERR_LINES: usize = 20;

/// It is a child of the standard library and a thread reads its standard error, because both must
/// outlive the runtime that started them when tests share one ClickHouse.
pub(super) struct Process {
    child: Child,
    lines: Arc<Mutex<VecDeque<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Process {
    pub(super) fn spawn(python: &Path, folder: &Path, execute_as: bool) -> Result<Self, StartError> {
        let mut command = Command::new(python);
        command
            .arg("-I")
            .arg(folder.join("clickhouse.py"))
            .arg(folder)
            .args(execute_as.then_some(ALLOW_EXECUTE_AS))
            .current_dir(folder)
            // The child ends when this pipe closes, which the kernel does even for a killed parent.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        // Ctrl-C is for Housekey, which then stops the child when nothing needs it any more.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command
            .spawn()
            .map_err(|source| StartError::Spawn { program: python.display().to_string(), source })?;
        let lines = Arc::new(Mutex::new(VecDeque::new()));
        let reader = child.stderr.take().map(|stderr| {
            let lines = Arc::clone(&lines);
            thread::spawn(move || relay(stderr, &lines))
        });
        Ok(Self { child, lines, reader })
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How the child ended, if it has.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    pub(super) fn last_lines(&self) -> String {
        lock(&self.lines).iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    /// The last lines of a child that has ended.
    pub(super) fn finish_stderr(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            // The pipe is closed, so the thread ends; if it panicked there are fewer lines.
            let _ = reader.join();
        }
        self.last_lines()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if the child has ended already. Its data is thrown away, so there is
        // nothing that it would have to finish.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Keeps the last lines, and passes announcements on to our own standard error.
fn relay(stderr: impl Read, lines: &Mutex<VecDeque<String>>) {
    let mut reader = BufReader::new(stderr);
    let mut bytes = Vec::new();
    while let Ok(1..) = reader.read_until(b'\n', &mut bytes) {
        let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
        bytes.clear();
        if line.starts_with(ANNOUNCEMENT) {
            // Nobody is left to tell if standard error is closed.
            let _ = writeln!(io::stderr(), "{line}");
        }
        let mut kept = lock(lines);
        if kept.len() == STDERR_LINES {
            kept.pop_front();
        }
        kept.push_back(line);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept() {
        let lines = Mutex::new(VecDeque::new());
        let text: String = (0..50).map(|number| format!("line {number}\n")).collect();
        relay(text.as_bytes(), &lines);
        let kept = lock(&lines);
        assert_eq!(kept.len(), STDERR_LINES);
        assert_eq!(kept.back().map(String::as_str), Some("line 49"));
    }
}
