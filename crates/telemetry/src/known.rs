//! Values of labels, of which there may only be so many.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use fleet_orchestrator::stats::OTHER;

/// The values of a label that were seen so far.
#[derive(Debug)]
pub(crate) struct Known {
    max: usize,
    values: Mutex<BTreeSet<Arc<str>>>,
}

impl Known {
    /// Up to `max` values, and one for all others.
    pub(crate) fn up_to(max: usize) -> Known {
        Known { max, values: Mutex::default() }
    }

    /// The value to count `value` under.
    pub(crate) fn value(&self, value: &str) -> Arc<str> {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = values.get(value) {
            return Arc::clone(known);
        }
        if values.len() >= self.max {
            return OTHER.into();
        }
        let new: Arc<str> = value.into();
        values.insert(Arc::clone(&new));
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_after_the_bound_shares_a_value() {
        let known = Known::up_to(2);
        let values = ["a", "b", "c", "a", "d", "b"].map(|value| known.value(value));
        assert_eq!(values.each_ref().map(|value| &**value), ["a", "b", OTHER, "a", OTHER, "b"]);
    }
}
