//! The check suite of proposals: `port::Checker`.
//!
//! A proposal is Markdown; the code in it stands in fenced blocks. [`Suite`] runs over those:
//!
//! | check | what it does |
//! |---|---|
//! | policy | what proposals may not contain, by rules in Rego; see [`Policies`] |
//! | lint | the syntax of code, by tree-sitter: Python, Rust, JavaScript, TypeScript, TSX, Go, Java, C, C++, Bash, HCL; of SQL and Dockerfiles, by readers of its own; JSON, YAML and TOML read whole; Kubernetes manifests against the fields of their kinds; advice from linters of the machine, see [`Linters`] |
//! | dry run | the code, run by itself in a sandbox; manifests, shown to a cluster where one is configured; see [`Runs`] |
//! | tests | the tests given with the task, run against the code in a sandbox |
//!
//! A check passes only when it has looked at something: a proposal without a block in a known language
//! is skipped, not passed. What is in a known language and is not read all the same (templates, transcripts
//! of a shell, data that nests too deep) is named in the message.
//!
//! # What the lint check does not see
//!
//! It reads fenced blocks, at the margin or inside list items. Code that stands indented without a
//! fence, inline, or in a block quote is not looked at. Of unified diffs the files are read that they make,
//! by their added lines; of others only the lengths of their hunks, and that is advice. Nothing is held
//! against a line that a diff removes.
//!
//! tree-sitter's grammars take more than the languages allow, so a pass means "reads like the language", not
//! "compiles". Excerpts are no faults: code that does not read as a file is tried inside of what may surround
//! it (a function, a class, a `switch`, an object), and `...` where something is left out is passed over.
//! What grammars are known not to know (macros of C, attributes, heredocs of shells, variance of type
//! parameters) is covered over and read again before it counts. Beyond the grammars are caught: typographic
//! quotes outside of strings; in Go a `{` on its own line, a missing comma before a line's end and statements
//! outside of functions; in JavaScript `await` where it cannot be, `const` without a value, two commas in a
//! call, a name declared twice in one block; in Java a method without a type and characters of more than one
//! letter; in C and C++ a class without its semicolon; in shells `fi` and its like alone; in HCL two on one
//! line and an attribute that is set twice. Everything that depends on names and types is for a compiler.
//!
//! SQL is read for what no dialect takes, not for what one of them does not: quotes, comments and brackets
//! that stay open, commas too many, clauses empty, without `BY` or in the wrong order, misspelt statements,
//! rows that are longer than their columns, columns of a table without a comma between them. A comma missing
//! between two names of a `SELECT` makes the second the name of the first, and passes.
//!
//! Dockerfiles are read for their instructions and what these need, not for the shell in them.
//!
//! JSON has no comments and no trailing commas, unless the fence says `jsonc` or the file is one of those
//! that take them; JSON5 is not read. Keys that stand twice are faults. Manifests of the built-in groups are
//! held against a table of fields, strictly: unknown fields, wrong types, fields that must be there (except
//! in patches, and where `# ...` says that something is left out), values that are none of those there are,
//! kinds that the version does not have. Custom resources are not looked into, nor is anything that only a
//! cluster can say, such as whether a name is valid or a selector fits.
//!
//! # Python and Rust
//!
//! For Python the following is caught although the grammar takes it: a missing body, indentation that
//! fits no level, `try` without `except` or `finally`, and Python 2's `print x`, `exec x`, `<>`,
//! `` `x` ``, `raise A, b`, `except A, b` and `0777`. These pass, and CPython would refuse them: two
//! parameters of one name; a parameter without a default after one with; a bare `*` or anything after
//! `**kwargs` in a parameter list; a positional argument after a keyword; `del f()`; `await = 3`;
//! `import a,`; `raise from x`; and whatever depends on where a statement stands (`return` outside a
//! function, `break` outside a loop, `await` outside an `async def`), which is right in an excerpt.
//!
//! For Rust these pass, and rustc would refuse them: a parameter without a type; a `static` without a
//! value; a missing `;` after a macro call; what is inside a macro call, beyond its brackets; and
//! everything after parsing: names, types, borrows. An excerpt from inside a function (statements, an
//! expression) is taken as such. The other way round, these are refused although rustc takes them:
//! `try!(…)`, `safe fn`, `$` as a token of a macro's pattern, attributes on arguments.
//!
//! Read over whole files once, it found fault with 4 of some 11,600 files of a Python 3.11 installation
//! (library and packages) and with 21 of some 5,500 files of published crates.

mod bound;
mod data;
mod diff;
mod lint;
mod linters;
mod names;
mod parts;
mod path;
mod policy;
mod run;
mod sketch;
mod suite;

pub use linters::{LinterFound, Linters};
pub use policy::{BadPolicy, POLICY_MS_MAX, Policies, Rule};
pub use run::{Cluster, RunBounds, Runs, Surroundings};
pub use suite::{FAULTS_MAX, INLINE_BYTES_MAX, PROPOSAL_BYTES_MAX, Suite, TESTS_BYTES_MAX, TIME_MS_MAX};
