/// n!, or nothing where it does not fit.
pub fn factorial(n: u64) -> Option<u64> {
    (1..=n).try_fold(1u64, |product, factor| product.checked_mul(factor))
}
// ----
/// n! by its definition, or nothing where it does not fit.
pub fn factorial(n: u64) -> Option<u64> {
    match n {
        0 => Some(1),
        n => factorial(n - 1)?.checked_mul(n),
    }
}
// ----
/// n!.
pub fn factorial(n: u64) -> u64 {
    (1..n).product()
}
