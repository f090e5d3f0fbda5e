//! Why a statement is not run. Each message says what to change, because its reader is usually a language model.

use thiserror::Error;

/// A statement that Housekey does not send; always the caller's to correct.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// No statement is left once blanks, comments and `;` are taken away.
    #[error("the statement is empty: send one SQL statement")]
    Empty,
    /// The text is longer than [`super::Rules::max_length`].
    #[error("the statement has {length} bytes and may have {max}: make it shorter")]
    TooLong {
        /// Bytes of the text.
        length: usize,
        /// Bytes that are allowed.
        max: usize,
    },
    /// More words and signs than a statement may have, however short it is in bytes.
    #[error(
        "the statement has more than {max} words and signs: use a subquery or a range instead of a long list"
    )]
    TooManyTokens {
        /// Words and signs that are allowed.
        max: usize,
    },
    /// A zero byte, anywhere.
    #[error("the statement contains a NUL character: remove it (in a string, write \\0)")]
    NulByte,
    /// Something follows the first `;`.
    #[error("only one statement per call: remove everything after the first `;`")]
    SeveralStatements,
    /// `\G` asks a terminal for another layout.
    #[error("`\\G` belongs to terminals: remove it")]
    VerticalDelimiter,
    /// `/*` without its `*/`; ClickHouse counts nested comments.
    #[error("a `/*` comment is not closed: close it with `*/`, once for each `/*` inside it")]
    UnclosedComment,
    /// A single-quoted, hexadecimal or binary string does not end, or a digit in it is wrong.
    #[error("a string in single quotes is not closed: close it, and write a quote inside it as '' or \\'")]
    UnclosedString,
    /// An identifier in backticks, double quotes or typographic quotes does not end.
    #[error("a quoted identifier is not closed: close it with the quote that opened it")]
    UnclosedIdentifier,
    /// A `$tag$` whose tag holds more than letters, digits and `_`: ClickHouse versions disagree about it.
    #[error("a `$tag$` string may have only letters, digits and `_` in its tag: rename the tag")]
    HereDocTag,
    /// A number that runs into letters.
    #[error("`{text}` is not a number: correct it, or quote it if it is a name")]
    WrongNumber {
        /// The token.
        text: String,
    },
    /// A character that ClickHouse does not know outside quotes.
    #[error("`{text}` has no meaning in ClickHouse SQL: remove it or put it in quotes")]
    UnknownCharacter {
        /// The character.
        text: String,
    },
    /// A bracket that nothing closes before the statement ends.
    #[error("a bracket `{bracket}` is not closed: close it before the statement ends")]
    UnclosedBracket {
        /// The opening bracket.
        bracket: String,
    },
    /// A closing bracket that nothing opened.
    #[error("the bracket `{bracket}` closes nothing: remove it or open it")]
    UnopenedBracket {
        /// The closing bracket.
        bracket: String,
    },
    /// The statement starts with `@`, which could extend a user name before it.
    #[error("the statement starts with `@`: start it with a keyword such as SELECT")]
    LeadingAt,
    /// `EXECUTE AS` in the caller's own text.
    #[error("EXECUTE AS is refused: the statement already runs as the person who asks")]
    NestedExecuteAs,
    /// A statement that changes the session or a transaction.
    #[error("{word} is refused: every call stands alone, so there is no session to change")]
    SessionStatement {
        /// The keyword, in capitals.
        word: String,
    },
    /// `PARALLEL WITH` joins several statements.
    #[error("PARALLEL WITH is refused: only one statement per call")]
    ParallelWith,
    /// `INTO OUTFILE`.
    #[error(
        "INTO OUTFILE is refused: it would write a file on the machine that runs the query; results come back in the answer"
    )]
    IntoOutfile,
    /// `WITH … INSERT` and its like.
    #[error("{word} after WITH is refused: this tool only reads; let WITH end in a SELECT")]
    WriteAfterWith {
        /// The keyword, in capitals.
        word: String,
    },
    /// The statement does not start with something that reads.
    #[error(
        "`{word}` cannot start a statement here: this tool reads, with SELECT, WITH, SHOW, DESCRIBE, EXISTS or EXPLAIN"
    )]
    NotReadOnly {
        /// The first word or sign.
        word: String,
    },
    /// `EXPLAIN` of something that is not a `SELECT`, or of a sort that Housekey does not know.
    #[error("EXPLAIN is possible only for a SELECT: write EXPLAIN SELECT …")]
    ExplainedStatement,
    /// `SHOW` followed by a word that no read-only `SHOW` has.
    #[error(
        "SHOW {word} is not known: try SHOW TABLES, SHOW DATABASES or SHOW CREATE TABLE, or read the system tables"
    )]
    UnknownShow {
        /// The word.
        word: String,
    },
    /// A setting that the operator has not allowed.
    #[error(
        "the setting `{name}` may not be changed: remove it from the SETTINGS clause (a column or table called settings needs backticks)"
    )]
    SettingNotAllowed {
        /// The setting.
        name: String,
    },
    /// A setting that guards the server and that no operator can allow.
    #[error("the setting `{name}` is fixed by the server: remove it from the SETTINGS clause")]
    SettingFixed {
        /// The setting.
        name: String,
    },
    /// A `SETTINGS` clause that cannot be read.
    #[error(
        "the SETTINGS clause cannot be read: write SETTINGS name = value, name = value, without backslashes in names"
    )]
    SettingsUnreadable,
    /// A clause that the operator has blocked.
    #[error("{name} is not allowed here: leave it out")]
    BlockedClause {
        /// The clause, in capitals.
        name: &'static str,
    },
    /// A table function, engine, source or destination that leads out of the database.
    #[error(
        "`{name}` is not allowed here, because it may reach outside the database: use tables of this database, or ask the operator to list it in `clickhouse.allowed_table_functions`"
    )]
    Outside {
        /// Its name, as written.
        name: String,
    },
    /// A statement that reads, where one that writes is wanted.
    #[error("`{word}` starts a statement that only reads: use the tool that reads")]
    OnlyReads {
        /// The first word or sign.
        word: String,
    },
    /// A statement that is on no list.
    #[error(
        "`{statement}` cannot be run here: possible are INSERT, CREATE, ALTER and, where the operator allows it, what takes something away, such as DROP, DELETE and UPDATE"
    )]
    NotWritable {
        /// Its first words.
        statement: String,
    },
    /// A statement that takes something away, and the operator does not want that.
    #[error(
        "{statement} is refused here, because it takes something away or may: the operator has not allowed that with `clickhouse.allow_destructive`"
    )]
    Destructive {
        /// Its first words.
        statement: String,
    },
    /// A statement about access, from somebody whom another user acts for.
    #[error("{statement} is refused: who may do what is not changed through this server")]
    AccessUnderImpersonation {
        /// Its first words.
        statement: String,
    },
    /// Something in the rows of `VALUES` that is no constant.
    #[error("{word} cannot stand in VALUES here: write the values themselves, or INSERT INTO … SELECT")]
    QueryInValues {
        /// The keyword, in capitals.
        word: String,
    },
    /// `FROM INFILE`.
    #[error("FROM INFILE is refused: it would read a file; put the rows into the statement")]
    FromInfile,
    /// `ATTACH` that says where data lies.
    #[error("ATTACH is possible only by name, for what was detached: write ATTACH TABLE name")]
    AttachInFull,
    /// `CREATE FUNCTION` with a body that is not SQL.
    #[error("CREATE FUNCTION is possible only with SQL: write CREATE FUNCTION name AS x -> expression")]
    FunctionBody,
    /// More than one trailing `FORMAT` clause.
    #[error("the statement has more than one FORMAT clause: remove them, results come back as JSON")]
    SeveralFormats,
}
