//! What chance promises.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::port::Entropy;

/// Calls a macro with the name of each rule.
#[macro_export]
macro_rules! each_rule_of_entropy {
    ($rule:ident) => {
        $rule!(no_name_is_given_twice);
        $rule!(units_lie_between_0_and_1_and_use_the_room);
    };
}

/// Names differ, and are UUIDs of version 4.
pub async fn no_name_is_given_twice(entropy: Arc<dyn Entropy>) {
    let names: BTreeSet<String> = (0..10_000).map(|_| entropy.id()).collect();
    assert_eq!(names.len(), 10_000);
    for name in &names {
        let parts: Vec<usize> = name.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12], "{name}");
        assert!(name.chars().all(|c| c == '-' || c.is_ascii_hexdigit()), "{name}");
        assert_eq!(name.as_bytes()[14], b'4', "{name}");
        assert!(b"89ab".contains(&name.as_bytes()[19]), "{name}");
    }
}

/// Units are from 0 up to, but not including, 1, everywhere in between.
pub async fn units_lie_between_0_and_1_and_use_the_room(entropy: Arc<dyn Entropy>) {
    let units: Vec<f64> = (0..10_000).map(|_| entropy.unit()).collect();
    assert!(units.iter().all(|unit| (0.0..1.0).contains(unit)));
    let mean = units.iter().sum::<f64>() / 10_000.0;
    assert!((0.45..0.55).contains(&mean), "the mean is {mean}");
}
