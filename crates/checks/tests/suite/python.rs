//! What the syntax check says of Python.

use crate::{right, wrong};

#[test]
fn wrong_python_is_found_where_it_is_wrong() {
    wrong(
        "python",
        &[
            ("def f(:\n    return 1", 1, 7, "missing `)`"),
            ("def f()\n    return 1", 1, 8, "missing `:`"),
            ("def f(n)  # why\n    return n", 1, 9, "missing `:`"),
            ("class A\n    pass", 1, 8, "missing `:`"),
            ("for i in range(3)\n    print(i)", 1, 18, "missing `:`"),
            ("while True\n    pass", 1, 11, "missing `:`"),
            ("def f():\n    return 1\n\ndef g()\n    return 2", 4, 8, "missing `:`"),
            ("x = (1, 2\ny = 3", 1, 5, "`(` is never closed"),
            ("x = [1, 2\n", 1, 5, "`[` is never closed"),
            ("d = {'a': 1\n", 1, 5, "`{` is never closed"),
            ("print('a'", 1, 6, "`(` is never closed"),
            ("f(x))", 1, 1, "cannot be read from `f(x))` on"),
            ("}", 1, 1, "unexpected `}`"),
            ("if x = 3:\n    pass", 1, 6, "cannot be read from `= 3` on"),
            ("def f():\nreturn 1", 1, 9, "missing the indented body of this `function`"),
            ("if x:\n", 1, 6, "missing the indented body of this `if`"),
            ("class A:\n    # nothing yet", 1, 9, "missing the indented body of this `class`"),
            ("if x:\n        a\n    b", 3, 5, "unexpected indentation before `b`"),
            ("def f():\n    x = 1\n   return x", 3, 4, "unexpected indentation before `return x`"),
            ("x = 1\n    y = 2", 2, 5, "unexpected indentation before `y = 2`"),
            ("if x:\n\ta\n        b", 3, 9, "unexpected indentation before `b`"),
            (
                "for x in y:\n        if x:\n            a\n       else:\n            b",
                4,
                8,
                "the indentation of this `else` is not that of what it belongs to",
            ),
            ("x = 'abc\n", 1, 5, "unexpected `'`"),
            ("x = \"\"\"abc\n", 1, 5, "unexpected `\"\"\"`"),
            ("return = 3", 1, 8, "unexpected `=`"),
            ("x = 5 5", 1, 5, "unexpected `5`"),
            ("x =", 1, 1, "cannot be read from `x =` on"),
            ("import", 1, 1, "unexpected `import`"),
            ("try:\n    a()\nb()", 1, 1, "`try` without `except` or `finally`"),
            ("x++", 1, 1, "cannot be read from `x++` on"),
            ("const x = 1", 1, 7, "unexpected `x`"),
            ("x && y", 1, 4, "unexpected `&`"),
            ("x = {1: 2, 3}", 1, 12, "unexpected `3`"),
            ("[x for x in]", 1, 12, "missing identifier"),
            ("def 1f():\n    pass", 1, 5, "unexpected `1`"),
            ("$x = 3", 1, 1, "unexpected `$`"),
            ("print \"hello\"", 1, 1, "Python 2's `print` statement; `print(…)` is a function"),
            ("exec \"x\"", 1, 1, "Python 2's `exec` statement; `exec(…)` is a function"),
            ("if x <> y:\n    pass", 1, 6, "`<>` is Python 2; `!=` compares"),
            ("x = `y`", 1, 5, "backticks are Python 2; `repr(…)` does it"),
            ("raise ValueError, 'x'", 1, 1, "Python 2's `raise A, b`; it is `raise A(b)`"),
            (
                "try:\n    a\nexcept ValueError, e:\n    b",
                3,
                1,
                "Python 2's `except A, b`; it is `except A as b`",
            ),
            ("x = 0777", 1, 5, "a number that begins with 0; octal is `0o…`"),
            ("The answer is below.", 1, 1, "cannot be read from `The answer is below.` on"),
            ("größe = 'ä' 5", 1, 9, "unexpected `'ä'`"),
        ],
    );
}

#[test]
fn right_python_passes() {
    right(
        "python",
        &[
            "def factorial(n: int) -> int:\n    return 1 if n < 2 else n * factorial(n - 1)",
            "def f(a, /, b, *, c=1, **rest): ...",
            "class A:\n    ...",
            "...",
            "x = 1; y = 2",
            "if x: y = 1\nelse: y = 2",
            "async def f():\n    async with a as b:\n        await b",
            "await f()",
            "return 1",
            "x = f\"{a!r:>{width}} {b['c']}\"",
            "match point:\n    case (0, 0):\n        print('origin')\n    case _:\n        pass",
            "if (n := len(a)) > 10:\n    pass",
            "@decorated(1)\n@again\nclass A(B, metaclass=C):\n    x: int = 1",
            "try:\n    a()\nexcept (A, B) as e:\n    raise C from e\nelse:\n    b()\nfinally:\n    c()",
            "try:\n    a()\nexcept* ValueError:\n    pass",
            "with open('a') as a, open('b') as b:\n    pass",
            "x = [\n    y\n  for y in z\n      if y\n]",
            "x = 1 + \\\n    2",
            "lambda *a, **k: (a, k)",
            "def f():\n    '''Says:\n\n  not indented\n    '''\n    return 1",
            "type Pair[T] = tuple[T, T]",
            "def f[T: int](x: T) -> T:\n    return x",
            "x = 0o777 + 0xFF + 0b11 + 1_000 + 00 + 1e-3 + 2j",
            "global x\nnonlocal y\ndel z, w[0]\nassert a, 'b'",
            "for i, (a, b) in enumerate(c):\n    continue\nelse:\n    pass",
            "def outer():\n    def inner():\n        yield from x\n\n    # between\n    return inner",
            "# a comment first\n\nimport os.path as p\nfrom . import (a, b as c,)",
            "if a:\n    pass\n# less indented\n    # more indented\nelif b:\n    pass",
            "print(\"a\", file=f, *b, **c)",
            "größe = 'ä'",
            "match = 1\ncase = 2\ntype = 3\nprint = 4",
            "if True:\n\tx = 1\n\ty = 2",
            "    def method(self):\n        return 1\n\n    x = 2",
        ],
    );
}

#[test]
fn of_a_transcript_only_what_was_typed_counts() {
    right(
        "python",
        &[
            ">>> factorial(5)\n120\n>>> for i in x:\n...     print(i)\n...\n1\n2",
            ">>> 1 / 0\nTraceback (most recent call last):\n  ...\nZeroDivisionError: division by zero",
            "\n  >>> a\n  1",
        ],
    );
    right("pycon", &[">>> a\nsome output, not Python"]);
    wrong(
        "python",
        &[
            (">>> a\n1\n>>> f(]\n", 3, 5, "cannot be read from `f(]` on"),
            ("a()\n>>> b", 2, 1, "cannot be read from `>>>` on"),
        ],
    );
}
