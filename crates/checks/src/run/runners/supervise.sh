# Runs steps one after the other, each in a process and within a time of its own, and says how each ended.
#
# bash -c THIS fleet RUNNER. It is given on the command line, not in a file, so that nothing that it runs can change
# it. Standard input: a mark, what all steps are told, and five lines a step: whether the rest depends on it, its
# seconds, its seal, its name, its command. A step reads its seal, its name and what all are told on standard input,
# and writes the seal to descriptor 3 when it has come to its end.
set -u
mapfile -t lines
# What steps could open again through /proc would tell them all seals.
exec 0</dev/null
runner=$1 mark=${lines[0]} common=${lines[1]} log=$TMPDIR/log sealed=$TMPDIR/seal
cd code || exit 70
for ((at = 2; at < ${#lines[@]}; at += 5)); do
  seal=${lines[at + 2]}
  rm -rf "$log" "$sealed"
  begun=${EPOCHREALTIME/[.,]/}
  printf '%s\n' "$seal" "${lines[at + 3]}" "$common" |
    timeout -s KILL "${lines[at + 1]}" bash -c "${lines[at + 4]}" fleet "$runner" 3>"$sealed" >"$log" 2>&1
  code=$?
  took=$(((${EPOCHREALTIME/[.,]/} - begun) / 1000))
  found=$(head -c 100 "$sealed" 2>/dev/null | tr -cd '0-9a-f')
  if [ "$found" = "$seal" ]; then whole=1; else whole=0; fi
  printf '\n%s %d %d %d\n' "$mark" "$code" "$took" "$whole"
  tail -c 16000 "$log" 2>/dev/null
  if [ "${lines[at]}" = needed ] && [ "$code" -ne 0 ]; then break; fi
done
