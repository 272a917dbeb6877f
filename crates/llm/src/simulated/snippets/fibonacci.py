def fibonacci(n: int) -> int:
    """Return the n-th Fibonacci number; fibonacci(0) is 0."""
    if n < 0:
        raise ValueError("n must not be negative")
    current, following = 0, 1
    for _ in range(n):
        current, following = following, current + following
    return current
# ----
from functools import lru_cache


@lru_cache(maxsize=None)
def fibonacci(n: int) -> int:
    """Return the n-th Fibonacci number, each computed once."""
    if n < 0:
        raise ValueError("n must not be negative")
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)
# ----
def fibonacci(n: int) -> int:
    """Return the n-th Fibonacci number."""
    current, following = 1, 1
    for _ in range(n):
        current, following = following, current + following
    return current
