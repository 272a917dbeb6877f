/// The n-th Fibonacci number, or nothing where it does not fit.
pub fn fibonacci(n: u32) -> Option<u64> {
    let (mut current, mut following) = (0u64, 1u64);
    for _ in 0..n {
        let sum = current.checked_add(following)?;
        (current, following) = (following, sum);
    }
    Some(current)
}
// ----
/// The Fibonacci numbers, as many as fit.
pub fn fibonacci(n: usize) -> Option<u64> {
    let pairs = std::iter::successors(Some((0u64, 1u64)), |(a, b)| Some((*b, a.checked_add(*b)?)));
    pairs.map(|(a, _)| a).nth(n)
}
// ----
/// The n-th Fibonacci number.
pub fn fibonacci(n: u32) -> u64 {
    if n <= 2 { n as u64 } else { fibonacci(n - 1) + fibonacci(n - 2) }
}
