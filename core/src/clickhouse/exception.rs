//! A ClickHouse exception, taken from the text that the server sends.

/// An error that ClickHouse reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// The number, such as 497; 0 when the text did not carry one.
    pub code: i32,
    /// The name, such as `ACCESS_DENIED`; empty when the text did not carry one.
    pub name: String,
    /// The message, without `Code: N. DB::Exception:` before it and without the server's version and any stack
    /// trace after it.
    pub message: String,
    /// Whether it came before the first byte of an answer, so that the statement cannot have run.
    pub before_execution: bool,
}
