//! What numbers on the command line must be, said in our words where they cannot be read as such at all. Those that
//! can are held against their bounds where everything else is.

use std::str::FromStr;

use clap::Command;
use fleet_deliberation::{AGENTS_MAX, JUDGES_MAX, MONEY_MAX, ROUNDS_MAX, TEST_WRITERS_MAX, TOP_K_MAX};

/// The command with what its numbers must be. A number below 0 is a value then, and no unknown flag.
pub(super) fn said(command: Command) -> Command {
    let command = command.mut_subcommand("deliberate", |command| {
        let command = counted(command, "agents", format!("a number from 1 to {AGENTS_MAX}"));
        let command = counted(command, "rounds", format!("a number from 0 to {ROUNDS_MAX}"));
        let command = judges(command);
        let command = counted(command, "top_k", format!("a number from 2 to {TOP_K_MAX}"));
        let command = counted(command, "test_writers", format!("a number from 0 to {TEST_WRITERS_MAX}"));
        let command = number::<u64>(command, "budget_tokens", "a number of tokens, at least 1".into());
        let money = format!("an amount above 0 and at most {MONEY_MAX}");
        timeout(number::<f64>(command, "budget_money", money))
    });
    command.mut_subcommand("eval", |command| {
        timeout(judges(counted(command, "agents", format!("a number from 1 to {AGENTS_MAX}"))))
    })
}

fn judges(command: Command) -> Command {
    counted(command, "judges", format!("an odd number up to {JUDGES_MAX}, or 0 for none"))
}

fn timeout(command: Command) -> Command {
    number::<u64>(command, "timeout", "a number of seconds from 1 to 86400".into())
}

fn counted(command: Command, name: &'static str, must_be: String) -> Command {
    number::<u32>(command, name, must_be)
}

fn number<N: FromStr + Clone + Send + Sync + 'static>(
    command: Command,
    name: &'static str,
    must_be: String,
) -> Command {
    let read = move |text: &str| text.parse::<N>().map_err(|_| format!("it must be {must_be}"));
    command.mut_arg(name, |arg| arg.allow_negative_numbers(true).value_parser(read))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, FromArgMatches as _};

    use super::*;
    use crate::cli::Cli;

    fn refused(words: &[&str]) -> String {
        let matches = said(Cli::command()).try_get_matches_from(words);
        matches.and_then(|matches| Cli::from_arg_matches(&matches)).unwrap_err().to_string()
    }

    #[test]
    fn a_number_that_cannot_be_one_is_refused_with_its_bounds() {
        for (flag, value, bound) in [
            ("--agents", "-1", "from 1 to 64"),
            ("--rounds", "many", "from 0 to 10"),
            ("--judges", "-1", "an odd number up to 9, or 0 for none"),
            ("--top-k", "99999999999", "from 2 to 8"),
            ("--test-writers", "-2", "from 0 to 8"),
            ("--budget-tokens", "-5", "at least 1"),
            ("--budget-money", "cheap", "above 0"),
            ("--timeout", "-1", "from 1 to 86400"),
        ] {
            let said = refused(&["fleet", "deliberate", "a task", flag, value]);
            assert!(said.contains(value) && said.contains(flag) && said.contains(bound), "{said}");
        }
        let said = refused(&["fleet", "eval", "tasks.jsonl", "--judges", "-1"]);
        assert!(said.contains("an odd number up to 9"), "{said}");
    }

    #[test]
    fn a_status_is_taken_in_small_and_in_capital_letters() {
        for status in ["completed", "COMPLETED", "in-progress", "IN_PROGRESS"] {
            let matches = said(Cli::command()).try_get_matches_from(["fleet", "list", "--status", status]);
            assert!(matches.is_ok(), "{status}");
        }
    }

    #[test]
    fn a_flag_that_is_unknown_stays_so() {
        let said = refused(&["fleet", "deliberate", "a task", "-1"]);
        assert!(said.contains("unexpected argument '-1'"), "{said}");
    }
}
