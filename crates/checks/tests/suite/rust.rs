//! What the syntax check says of Rust.

use crate::{right, wrong};

#[test]
fn wrong_rust_is_found_where_it_is_wrong() {
    wrong(
        "rust",
        &[
            ("fn f( { }", 1, 6, "missing `)`"),
            ("fn f() {\n", 1, 8, "`{` is never closed"),
            ("fn f() -> { 1 }", 1, 8, "unexpected `->`"),
            ("fn f() {\n    let x = 5\n}", 2, 14, "missing `;`"),
            ("let x = ;", 1, 7, "unexpected `=`"),
            ("struct A { x: }", 1, 14, "missing type identifier"),
            ("struct A { x i32 }", 1, 12, "cannot be read from `x i32` on"),
            ("struct A", 1, 9, "missing `;`"),
            ("enum E { A, B", 1, 14, "missing `}`"),
            ("fn main() { println!(\"a\" }", 1, 25, "missing `)`"),
            ("fn main() { println!(\"a\")) }", 1, 26, "unexpected `)`"),
            ("fn main() { let x = 1 let y = 2; }", 1, 22, "missing `;`"),
            ("match x { 1 => }", 1, 15, "missing identifier"),
            ("match x { 1 -> 2 }", 1, 11, "cannot be read from `1 -> 2` on"),
            ("fn f() { x++; }", 1, 11, "cannot be read from `++` on"),
            ("use std::;", 1, 8, "unexpected `::`"),
            ("use std::{a, b;", 1, 15, "missing `}`"),
            ("impl A for { }", 1, 8, "unexpected `for`"),
            ("fn 1f() {}", 1, 4, "unexpected `1`"),
            ("let mut = 3;", 1, 9, "unexpected `=`"),
            ("int x = 3;", 1, 5, "unexpected `x`"),
            ("fn f(x i32) {}", 1, 6, "unexpected `x`"),
            ("fn f() { ... }", 1, 13, "missing field identifier"),
            ("fn f() { 'abc' }", 1, 10, "cannot be read from `'abc'` on"),
            ("fn f() { let s = \"abc; }", 1, 18, "unexpected `\"`"),
            ("fn f() { let x = y ? 1 : 2; }", 1, 22, "cannot be read from `1 : 2` on"),
            ("fn f<T() {}", 1, 7, "missing `>`"),
            ("#[derive(Debug)\nstruct A;", 1, 16, "missing `]`"),
            ("trait T { fn f() }", 1, 17, "missing `;`"),
            ("/* abc\nfn f() {}", 2, 10, "missing `*/`"),
            ("const X = 3;", 1, 1, "cannot be read from `const X =` on"),
            ("fn f() { new Foo(); }", 1, 10, "unexpected `new`"),
            ("class A { }", 1, 7, "unexpected `A`"),
            ("def f():\n    return 1", 1, 6, "`(` is never closed"),
            ("} fn g() {", 1, 10, "`{` is never closed"),
            ("The answer is below.", 1, 1, "cannot be read from `The answer is below.` on"),
            ("fn ä() { \"ö\" 5 }", 1, 14, "unexpected `5`"),
        ],
    );
}

#[test]
fn right_rust_passes() {
    right(
        "rust",
        &[
            "fn factorial(n: u64) -> u64 {\n    (1..=n).product()\n}",
            "#![allow(dead_code)]\nuse std::{fmt, io::{self, Write as _}};",
            "pub(crate) struct A<'a, T: Clone + 'a, const N: usize>(&'a [T; N]) where T: Send;",
            "#[derive(Debug)]\nenum E { A, B(i32), C { x: u8 }, D = 4 }",
            "impl<T> Trait for A<T> where T: ?Sized { type X = T; const N: u8 = 1; fn f(&mut self) {} }",
            "trait T: Send { fn f(&self) -> impl Iterator<Item = u8>; }",
            "async fn f() -> Result<(), Box<dyn Error>> { g().await?; Ok(()) }",
            "let Some(x) = y else { return };",
            "if let Some(x) = y && x > 1 { }",
            "match x { 1 | 2 => a, 3..=4 if b => { c } Foo { x, .. } => d, _ => unreachable!() }",
            "let v: Vec<_> = x.iter().map(|&y| y * 2).collect::<Vec<u8>>();",
            "x + 1",
            "let x = 5;\nx + 1",
            "v.iter().sum()",
            "macro_rules! m { ($($x:expr),* $(,)?) => { [$($x),*] }; }",
            "println!(\"{}\", x); vec![0; 3]; assert!(matches!(a, B { .. }));",
            "'outer: loop { break 'outer; }",
            "unsafe extern \"C\" { fn f(x: *const u8) -> i32; }",
            "static X: &str = r#\"a \"b\" c\"#; const Y: &[u8] = b\"x\\n\"; const C: char = '\\'';",
            "fn f(self: Box<Self>, mut x: i32, (a, b): (u8, u8), f: impl Fn(u8) -> u8) {}",
            "/// Says.\n/// ```\n/// f();\n/// ```\nmod a { //! Inner.\n}",
            "#[cfg(test)]\nmod tests {\n    use super::*;\n    #[test]\n    fn it() { assert_eq!(f(2), 4); }\n}",
            "let a = move || async move { 1 };",
            "let x = if a { 1 } else { 2 };",
            "let [a, .., b] = c; let (x, _) = d; let A { e, ref f } = g;",
            "type F = Box<dyn for<'a> Fn(&'a str) -> &'a str + Send>;",
            "fn f() -> ! { loop {} }",
            "let x = 1_000u64 + 0xff + 0b1 + 1e3 as u64;",
            "x.0.1 = y[..3][1..] as _;",
            "/* a /* nested */ comment */ fn f() {}",
        ],
    );
}
