# Runs one of the tests given with a task on a proposal's script.
#
# Standard input: the seal, the test's name, and the text of the tests as one word of the shell. The seal is written to
# descriptor 3 once the test has come to its end; a script that ends the shell before has not.
IFS= read -r fleet_seal
IFS= read -r fleet_name
IFS= read -r fleet_text
exec 0</dev/null 4>&3 3>&-
solution() { bash "$SOLUTION" "$@"; }
# Statements outside of functions that do not start the script themselves see its functions.
if [ "$fleet_name" = tests ]; then
  fleet_run() {
    case $fleet_tests in
      *SOLUTION* | *solution*) ;;
      *) source "$SOLUTION" >/dev/null ;;
    esac
    eval "$fleet_tests"
  }
else
  fleet_run() { eval "$fleet_tests"; "$fleet_name"; }
fi
eval "fleet_tests=$fleet_text"
(
  set -eu
  fleet_run 4>&-
  printf '%s' "$fleet_seal" >&4
)
