//! The model of clients that take turns, fed with random bytes; the fuzz target `exchange_model` feeds the same.

use housekey_core::exchange::fuzzing::model::{Tally, check};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::driver::Counting;
use rand_core::TryRng;

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_messages_breaks_a_rule(turns in vec(any::<u8>(), 0..1200)) {
        check(&turns);
    }
}

/// The model must come to everything that it judges, or its rules hold for nothing.
#[test]
fn the_model_comes_to_everything_that_it_judges() {
    let mut rng = Counting(42);
    let mut all = Tally::default();
    for _ in 0..400 {
        let mut turns = vec![0; 1200];
        rng.try_fill_bytes(&mut turns).unwrap();
        let Tally { sent, results, refused, cancelled, answered, sessions, listeners } = check(&turns);
        all = Tally {
            sent: all.sent + sent,
            results: all.results + results,
            refused: all.refused + refused,
            cancelled: all.cancelled + cancelled,
            answered: all.answered + answered,
            sessions: all.sessions + sessions,
            listeners: all.listeners + listeners,
        };
    }
    let Tally { sent, results, refused, cancelled, answered, sessions, listeners } = all;
    assert!(sent > 5000 && results > 1000 && refused > 500, "{all:?}");
    assert!(cancelled > 20 && answered > 20 && sessions > 100 && listeners > 20, "{all:?}");
}
