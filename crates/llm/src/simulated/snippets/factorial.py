def factorial(n: int) -> int:
    """Return n!, the product of the whole numbers from 1 to n."""
    if n < 0:
        raise ValueError("n must not be negative")
    result = 1
    for factor in range(2, n + 1):
        result *= factor
    return result
# ----
def factorial(n: int) -> int:
    """Return n! by its definition: 0! is 1, n! is n times (n - 1)!."""
    if n < 0:
        raise ValueError("n must not be negative")
    return 1 if n == 0 else n * factorial(n - 1)
# ----
def factorial(n: int) -> int:
    """Return n!, the product of the whole numbers from 1 to n."""
    result = 1
    for factor in range(1, n):
        result *= factor
    return result
