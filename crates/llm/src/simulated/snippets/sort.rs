/// The items in order: each is put where it belongs among those before it.
pub fn sort_items<T: Ord>(items: Vec<T>) -> Vec<T> {
    let mut sorted: Vec<T> = Vec::with_capacity(items.len());
    for item in items {
        let place = sorted.partition_point(|other| *other <= item);
        sorted.insert(place, item);
    }
    sorted
}
// ----
/// The items in order: what is less than the first, what equals it, what is more.
pub fn sort_items<T: Ord + Clone>(items: &[T]) -> Vec<T> {
    let Some((pivot, rest)) = items.split_first() else { return Vec::new() };
    let (less, more): (Vec<T>, Vec<T>) = rest.iter().cloned().partition(|item| item < pivot);
    [sort_items(&less), vec![pivot.clone()], sort_items(&more)].concat()
}
// ----
/// The items in order.
pub fn sort_items<T: Ord>(mut items: Vec<T>) -> Vec<T> {
    for place in 1..items.len() {
        if items[place - 1] > items[place] {
            items.swap(place - 1, place);
        }
    }
    items
}
