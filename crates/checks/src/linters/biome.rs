//! Biome, for JavaScript and TypeScript.

use fleet_deliberation::Severity;
use serde::Deserialize;

use super::output::{Finding, Read, Said};
use super::{Linter, Takes};
use crate::lint::{Language, Sound};

pub(super) const BIOME: Linter = Linter {
    name: "biome",
    comes_with: None,
    takes,
    // Groups are chosen here and rules below: a rule that a version does not know would be an error.
    args: &[
        "lint",
        "--reporter=json",
        "--colors=off",
        "--max-diagnostics=none",
        "--vcs-enabled=false",
        "--only=correctness",
        "--only=suspicious",
    ],
    read,
};

/// Rules that find bugs, in whatever group a version has them. None needs more than the code that it is about: names
/// that are defined or used elsewhere are not looked at.
const BUGS: &[&str] = &[
    "noAsyncPromiseExecutor",
    "noCatchAssign",
    "noClassAssign",
    "noCompareNegZero",
    "noConstAssign",
    "noConstantCondition",
    "noConstructorReturn",
    "noDuplicateCase",
    "noDuplicateClassMembers",
    "noDuplicateElseIf",
    "noDuplicateObjectKeys",
    "noDuplicateParameters",
    "noFallthroughSwitchClause",
    "noFocusedTests",
    "noFunctionAssign",
    "noGlobalObjectCalls",
    "noImportAssign",
    "noInvalidBuiltinInstantiation",
    "noInvalidUseBeforeDeclaration",
    "noMisleadingInstantiator",
    "noMisrefactoredShorthandAssign",
    "noPrecisionLoss",
    "noSelfAssign",
    "noSelfCompare",
    "noSetterReturn",
    "noSparseArray",
    "noStringCaseMismatch",
    "noThenProperty",
    "noUnreachable",
    "noUnreachableSuper",
    "noUnsafeDeclarationMerging",
    "noUnsafeFinally",
    "noUnsafeNegation",
    "noUnsafeOptionalChaining",
    "useGetterReturn",
    "useIsNan",
    "useValidTypeof",
    "useYield",
];
/// The category of what it cannot read.
const PARSER: &str = "parse";

#[derive(Deserialize)]
struct Output {
    diagnostics: Vec<Diagnostic>,
    /// Which command it was that came to its end.
    command: String,
}

#[derive(Deserialize)]
struct Diagnostic {
    category: String,
    location: Location,
    message: String,
}

#[derive(Deserialize)]
struct Location {
    path: String,
    start: Place,
}

#[derive(Deserialize)]
struct Place {
    line: usize,
    column: usize,
}

fn takes(sound: &Sound) -> Option<Takes> {
    Some(Takes::as_it_is(match sound.language {
        // It takes JSX in it, too.
        Language::JavaScript => "js",
        Language::TypeScript => "ts",
        Language::Tsx => "tsx",
        _ => return None,
    }))
}

fn read(said: &Said<'_>) -> Result<Read, String> {
    let output: Output = said.json()?;
    if output.command != "lint" || (output.diagnostics.is_empty() && said.code != 0) {
        return Err(said.unreadable("it says that it found something, and not what"));
    }
    let mut read = Read::default();
    for diagnostic in output.diagnostics {
        let file = said.file(&diagnostic.location.path)?;
        if diagnostic.category == PARSER {
            read.unread.insert(file);
            continue;
        }
        let rule = diagnostic.category.rsplit('/').next().unwrap_or_default();
        if BUGS.contains(&rule) {
            read.findings.push(Finding {
                file,
                row: diagnostic.location.start.line,
                column: diagnostic.location.start.column,
                rule: rule.to_owned(),
                message: diagnostic.message,
                severity: Severity::Low,
            });
        }
    }
    Ok(read)
}
