# Commands that destroy, and commands that run what the network sends.
package fleet.policy.shell

import data.fleet.lib

rules := {
	"shell/destructive": {
		"severity": "high",
		"title": "A command that destroys what it should not touch",
		"explanation": "Removes everything from the root or a home folder on, overwrites or formats a device, opens everything to everyone, or breeds processes without end. Removing what a variable names is fine; `$VAR/*` is not where the script neither sets the variable nor stops on an empty one (`${VAR:?}`, `set -u`). Commands in comments, messages and printed documents do not count.",
		"catches": `~~~bash
cleanup() {
  rm -rf "$HOME"
}
~~~`,
		"passes": `~~~bash
tmp=$(mktemp -d)
rm -rf "$tmp" /var/lib/apt/lists/*
echo "this never runs rm -rf /"   # nor rm -rf ~
~~~`,
	},
	"shell/pipe-from-net": {
		"severity": "high",
		"title": "Code from the network runs unseen",
		"explanation": "A download goes straight into a shell or an interpreter, so whatever the server sends is run. Download it, check its sum or signature, then run it. A download into a file, `jq`, `tar` or `gpg` is fine, and so is an interpreter with a program of its own (`python3 -c`, `-m`).",
		"catches": `~~~dockerfile
FROM debian:12.7
RUN curl -fsSL https://example.com/install.sh \
  | sudo bash -s -- --yes
~~~`,
		"passes": `The vendor says curl https://example.com/x | sh, which this does not do.
~~~bash
curl -fsSLo tool.tgz https://example.com/tool.tgz
echo "$SUM  tool.tgz" | sha256sum --check   # no curl | sh
curl -s https://example.com/versions | python3 -c 'import json, sys; print(json.load(sys.stdin)[0])'
~~~`,
	},
}

# A place that nothing may be removed from as a whole.
target := `["']?(?:/|/\*|~/?|~/\*|\$HOME/?|\$\{HOME\}/?|\$HOME["']?/\*|\$\{HOME\}["']?/\*|/(?:bin|boot|dev|etc|home|lib|lib64|opt|root|sbin|srv|sys|usr|var)/?(?:\*)?|/home/\*|[A-Za-z]:\\?\*?)["']?`

device := `/dev/(?:sd|hd|vd|xvd|nvme|mmcblk|disk|mapper/|loop)[[:word:]/-]*`

# What a script may not say: words that are there whenever the pattern matches, and the pattern.
destructive := [
	{"has": ["rm "], "what": "removes a whole tree of the system or of a home", "pattern": concat("", [`(?m)(?:^|[\s;&|("'\x60])(?:sudo(?:[ \t]|\\\n)+)?rm(?:[ \t]|\\\n)+(?:-[-[:word:]=]+(?:[ \t]|\\\n)+)*-(?:[a-zA-Z]*[rR]|-recursive)[-[:word:]=]*(?:[ \t]|\\\n)+(?:-[-[:word:]=]+(?:[ \t]|\\\n)+)*(?:--(?:[ \t]|\\\n)+)?(?:[^\s;&|]+(?:[ \t]|\\\n)+)*`, target, `(?:[\s;&|)"'\x60]|$)`])},
	{"has": ["no-preserve-root"], "what": "removes everything from the root on", "pattern": `rm\b[^\n;|&]*--no-preserve-root`},
	{"has": ["dd "], "what": "overwrites a device", "pattern": concat("", [`\bdd\s[^\n;|&]*\bof=["']?`, device])},
	{"has": ["mkfs"], "what": "formats a device", "pattern": concat("", [`\bmkfs(?:\.[[:word:]]+)?\s[^\n;|&]*`, device])},
	{"has": ["wipefs", "shred", "blkdiscard", "sgdisk"], "what": "wipes a device", "pattern": concat("", [`\b(?:wipefs|shred|blkdiscard|sgdisk)\s[^\n;|&]*`, device])},
	{"has": ["/dev/"], "what": "writes onto a device", "pattern": concat("", [`(?:>|\btee(?:\s+-a)?)\s*["']?`, device])},
	{"has": ["chmod", "chown"], "what": "changes the rights of the whole system", "pattern": concat("", [`\bch(?:mod|own)(?:[ \t]|\\\n)+(?:-[a-zA-Z]*R[a-zA-Z]*|--recursive)(?:[ \t]|\\\n)+(?:-[[:word:]]+(?:[ \t]|\\\n)+)*[[:word:]:.+=,-]+(?:[ \t]|\\\n)+`, target, `(?:[\s;&|)"']|$)`])},
	{"has": ["chmod"], "what": "changes the rights of the whole system", "pattern": concat("", [`\bchmod(?:[ \t]|\\\n)+[0-7]{3,4}(?:[ \t]|\\\n)+-R(?:[ \t]|\\\n)+`, target, `(?:[\s;&|)"']|$)`])},
	{"has": [":|"], "what": "breeds processes without end", "pattern": `:\s*\(\)\s*\{\s*:\s*\|\s*:\s*&\s*\}\s*;?\s*:`},
	{"has": [": |"], "what": "breeds processes without end", "pattern": `:\s*\(\)\s*\{\s*:\s*\|\s*:\s*&\s*\}\s*;?\s*:`},
	{"has": ["-delete"], "what": "removes everything found from the root on", "pattern": `\bfind\s+["']?(?:/|~/?|\$HOME)["']?\s+-delete`},
]

# What a program may not say.
destructive_calls := [
	{"has": ["rmtree"], "what": "removes a whole tree of the system or of a home", "pattern": `\brmtree\(\s*(?:["'](?:/|~/?)["']|Path\.home\(\)|os\.path\.expanduser\(\s*["']~/?["']\s*\)|pathlib\.Path\.home\(\))`},
	{"has": ["rmSync", "rmdir", "rm("], "what": "removes a whole tree of the system or of a home", "pattern": `\b(?:rmSync|rmdirSync|rm|rmdir)\(\s*(?:["'\x60](?:/|~/?)["'\x60]|os\.homedir\(\)|process\.env\.HOME)`},
	{"has": ["RemoveAll"], "what": "removes a whole tree of the system or of a home", "pattern": `\bos\.RemoveAll\(\s*(?:"/"|"~"|os\.Getenv\("HOME"\))`},
	{"has": ["remove_dir_all"], "what": "removes a whole tree of the system or of a home", "pattern": `\bremove_dir_all\(\s*"/"`},
	{"has": ["Remove-Item"], "what": "removes a whole drive", "pattern": `(?i)\bRemove-Item\b[^\n]*-Recurse[^\n]*\s["']?(?:[A-Z]:\\?|/|~|\$HOME)["']?(?:\s|$)`},
]

# A command that a program hands to a shell.
handed_over := `(?:system|popen|Popen|run|call|check_call|check_output|shell|execSync|exec|spawn|spawnSync|sh|Command|arg|command|local-exec|RUN|"(?:(?:post|pre)?install|prepare|setup|bootstrap|build|start|deploy)")\s*[(=:]\s*\[?\s*[frb]?["'\x60]`

net := `\b(?:curl|wget)\b`

# Within one pipe: no end of the command, but the line may go on.
along := `(?:[^\n;&]|\\\n|&[^&\n])*?`

as_user := `(?:sudo\s+(?:-\S+\s+)*|env\s+(?:\S+=\S*\s+)*|doas\s+)*(?:[A-Z_]+=\S*\s+)*(?:/\S*/)?`

shell_end := `(?:[\s;&|)"'\x60\]]|$)`

pipes := [
	{"has": ["|"], "what": "pipes a download into a shell", "pattern": concat("", [net, along, `[^|]\|\s*(?:\\\n\s*)?`, as_user, `(?:ba|z|k|da|fi|tc)?sh`, shell_end])},
	{"has": ["|"], "what": "pipes a download into an interpreter", "pattern": concat("", [`(?m)`, net, along, `[^|]\|\s*(?:\\\n\s*)?`, as_user, `(?:python[0-9.]*|perl|ruby|node|php|Rscript)[ \t]*(?:-(?:[\s"')]|$)|[;&|)"'\x60\]]|$)`])},
	{"has": ["<("], "what": "runs a download in a shell", "pattern": concat("", [`(?:\b(?:(?:ba|z|k)?sh|source|python[0-9.]*|perl|ruby|node)|(?:^|\s)\.)\s+(?:-\S+\s+)*<\(\s*`, net])},
	{"has": ["$(", "\u0060"], "what": "runs a download as a command", "pattern": concat("", [`\b(?:eval|(?:ba|z|k|da)?sh\s+(?:-[[:word:]]+\s+)*-[[:word:]]*c|python[0-9.]*\s+-c|perl\s+-e|ruby\s+-e|node\s+-e)\s+["']?(?:\$\(|\x60)\s*`, net])},
]

powershell_pipes := [
	`(?i)\b(?:iwr|irm|Invoke-WebRequest|Invoke-RestMethod|DownloadString)\b[^\n]*\|\s*(?:iex|Invoke-Expression)\b`,
	`(?i)\b(?:iex|Invoke-Expression)\b[^\n]*\b(?:iwr|irm|Invoke-WebRequest|Invoke-RestMethod|DownloadString)\b`,
]

evaluated := [
	{"has": ["exec", "eval"], "pattern": `\b(?:exec|eval)\(\s*(?:compile\(\s*)?(?:urllib\.request\.)?(?:urlopen|requests\.get|httpx\.get|request\.urlopen)\(`},
	{"has": ["eval("], "pattern": `\beval\(\s*(?:await\s*)?\(?\s*(?:await\s+)?(?:\(\s*await\s+)?(?:fetch|axios\.get|got)\(`},
	{"has": ["new Function"], "pattern": `\bnew\s+Function\(\s*(?:await\s*)?\(?\s*(?:await\s+)?(?:fetch|axios\.get)\(`},
]

# The parts that may hold one of them: one look at each instead of one for every form.
scripts := [script |
	some script in lib.scripts
	regex.match(`rm |no-preserve-root|dd |mkfs|wipefs|shred|blkdiscard|sgdisk|/dev/|ch(?:mod|own) |: ?\||-delete`, script.bare)
]

programs := [program |
	some program in lib.programs
	regex.match(`rmtree|rm(?:Sync|dir|\()|RemoveAll|remove_dir_all|Remove-Item`, program.code)
]

deny contains fault if {
	some script in scripts
	some form in destructive
	lib.holds(script.bare, form.has)
	some found in regex.find_n(form.pattern, script.bare, 5)
	fault := {"id": "shell/destructive", "severity": "high", "message": sprintf("this %s", [form.what]), "part": script.part, "at": trim_space(found)}
}

# An empty variable makes `$VAR/*` the root.
deny contains fault if {
	some script in scripts
	contains(script.bare, "rm ")
	some found in regex.find_all_string_submatch_n(`\brm(?:[ \t]|\\\n)+(?:-[-[:word:]=]+(?:[ \t]|\\\n)+)*-[a-zA-Z]*[rR][a-zA-Z]*(?:[ \t]|\\\n)+(?:-[-[:word:]=]+(?:[ \t]|\\\n)+)*(?:--(?:[ \t]|\\\n)+)?(?:[^\s;&|]+(?:[ \t]|\\\n)+)*?["']?\$\{?([[:word:]]+)\}?["']?/(?:\*|["']?(?:[\s;&|)]|$))`, script.bare, 20)
	name := found[1]
	not name in {"HOME"}
	not regex.match(`(?m)^\s*(?:set\s+-[[:word:]]*u|set\s+-o\s+nounset|#!.*\s-[[:word:]]*u)|\bset\s+-[a-z]*u`, script.code)
	not regex.match(sprintf(`\b%s=["']?(?:[^\s"'$]|\$\(|\$\{[[:word:]]+:)`, [name]), script.code)
	fault := {
		"id": "shell/destructive",
		"severity": "high",
		"message": sprintf("this removes everything from the root on when %s is empty; write ${%s:?}", [name, name]),
		"part": script.part,
		"at": trim_space(found[0]),
	}
}

deny contains fault if {
	some program in programs
	some form in destructive_calls
	lib.holds(program.code, form.has)
	some found in regex.find_n(form.pattern, program.code, 5)
	fault := {"id": "shell/destructive", "severity": "high", "message": sprintf("this %s", [form.what]), "part": program.part, "at": found}
}

# `system("rm -rf /")` and the like.
deny contains fault if {
	some program in lib.programs
	contains(program.code, "rm -")
	some found in regex.find_n(concat("", [handed_over, `(?:sudo\s+)?rm\s+-[a-zA-Z]*[rR][a-zA-Z]*\s+(?:-\S+\s+)*(?:/|/\*|~|~/\*|\$HOME)["'\x60\s]`]), program.code, 5)
	fault := {"id": "shell/destructive", "severity": "high", "message": "this removes a whole tree of the system or of a home", "part": program.part, "at": found}
}

deny contains fault if {
	some script in lib.scripts
	lib.holds(script.bare, ["curl", "wget"])
	some form in pipes
	lib.holds(script.bare, form.has)
	some found in regex.find_n(form.pattern, script.bare, 5)
	fault := {"id": "shell/pipe-from-net", "severity": "high", "message": sprintf("this %s, which runs whatever the server sends", [form.what]), "part": script.part, "at": found}
}

deny contains fault if {
	some program in lib.programs
	lib.holds(program.code, ["curl", "wget"])
	contains(program.code, "|")
	some found in regex.find_n(concat("", [handed_over, `[^"'\x60\n]*`, net, `[^"'\x60\n]*\|\s*`, as_user, `(?:ba|z)?sh`, shell_end]), program.code, 5)
	fault := {"id": "shell/pipe-from-net", "severity": "high", "message": "this pipes a download into a shell, which runs whatever the server sends", "part": program.part, "at": found}
}

deny contains fault if {
	some program in lib.programs
	program.language == "powershell"
	some pattern in powershell_pipes
	some found in regex.find_n(pattern, program.code, 5)
	fault := {"id": "shell/pipe-from-net", "severity": "high", "message": "this runs whatever the server sends", "part": program.part, "at": found}
}

deny contains fault if {
	some program in lib.programs
	some form in evaluated
	lib.holds(program.code, form.has)
	some found in regex.find_n(form.pattern, program.code, 5)
	fault := {"id": "shell/pipe-from-net", "severity": "high", "message": "this runs whatever the server sends", "part": program.part, "at": found}
}
