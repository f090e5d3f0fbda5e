//! Housekey as a native server: what core decides, done with sockets, files and a clock.
//!
//! Core names the steps; [`drive`] takes them one after another, with [`clickhouse`] and [`fetch`] as its hands.
//! [`serve`] brings messages in, over HTTP or over standard input, and [`cli`] is the program around it all.
//!
//! Deliberately absent: decisions. Who may ask what, as whom and with which answer is core's alone.

pub mod cli;
pub mod clickhouse;
pub mod component;
pub mod demo;
pub mod drive;
pub mod fetch;
pub mod host;
pub mod logging;
pub mod probe;
mod resolver;
pub mod serve;
pub mod settings;
pub mod talk;
pub mod token;
mod whoami;
