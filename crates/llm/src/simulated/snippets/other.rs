/// What came of it: what was done, and what could not be.
#[derive(Debug, Default)]
pub struct Done<T> {
    pub done: Vec<T>,
    pub refused: usize,
}

/// Handles each item by itself, so that one bad item does not spoil the rest.
pub fn {name}<T>(items: impl IntoIterator<Item = Option<T>>) -> Done<T> {
    let mut result = Done { done: Vec::new(), refused: 0 };
    for item in items {
        match item {
            Some(item) => result.done.push(item),
            None => result.refused += 1,
        }
    }
    result
}
// ----
/// The items that are accepted and those that are not, each in their order.
pub fn {name}<T>(items: Vec<T>, accept: impl Fn(&T) -> bool) -> (Vec<T>, Vec<T>) {
    items.into_iter().partition(accept)
}
// ----
/// The first item that is accepted.
pub fn {name}<T: Clone>(items: &[T], accept: impl Fn(&T) -> bool) -> T {
    let place = items.iter().position(accept).unwrap_or(0);
    items[place].clone()
}
