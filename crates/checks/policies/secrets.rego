# Keys, tokens and passwords that stand where everyone can read them.
package fleet.policy.secrets

rules := {
	"secrets/private-key": {
		"severity": "high",
		"title": "A private key",
		"explanation": "The key itself, in any block or in the text around: PEM with its content, the same in base64, or a key of PuTTY or age. The marker alone (in a check, a pattern, a sentence) and public keys and certificates are fine.",
		"catches": `~~~yaml
tls.key: |
  -----BEGIN PRIVATE KEY-----
  MIIEXAMPLEexampleEXAMPLEexampleEXAMPLEexampleEXAMPLEexampleEXAMP
  -----END PRIVATE KEY-----
~~~`,
		"passes": `A key begins with -----BEGIN PRIVATE KEY-----.
~~~bash
grep -q -- '-----BEGIN PRIVATE KEY-----' "$file"
~~~
~~~text
-----BEGIN PUBLIC KEY-----
MIIBEXAMPLEexampleEXAMPLEexampleEXAMPLEexampleEXAMPLEexampleEXAM
-----END PUBLIC KEY-----
~~~`,
	},
	"secrets/credential": {
		"severity": "high",
		"title": "A credential of a known service",
		"explanation": "Text of the form of a key or token of AWS, Google, GitHub, GitLab, Slack, Stripe, OpenAI, Anthropic, Hugging Face, npm, PyPI, Docker, Azure, DigitalOcean, SendGrid, Telegram, Shopify, Databricks, Grafana, Vault or of a JSON Web Token, in any block, comments too, or in the text around. Patterns of such forms, forms filled with one letter (`ghp_xxxx…`) or with words such as `your`, and the examples of AWS's documentation and of jwt.io are fine.",
		"catches": concat("", [`~~~js
const token = "gh`, `p_EXAMPLEexampleEXAMPLEexampleEXAM0000";
~~~`]),
		"passes": `~~~python
PATTERN = r"\bghp_[A-Za-z0-9]{36}\b"
TOKEN = "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
~~~`,
	},
	"secrets/password": {
		"severity": "high",
		"title": "A password in code or configuration",
		"explanation": "A literal is given to something whose name ends in password, passphrase, secret, token or API key; in an address, a connection string, a flag or a statement of SQL, too. Not held against: what comes from the environment or a store, references (`${X}`, `{{ x }}`, `<…>`), empty values, names and paths, words without a digit or sign (`postgres`, `secret`), text with spaces, hashes, and what says itself that it is none (`change-me`, `your-…`, `example`, `xxxx`). Only fenced code is looked at, without its comments.",
		"catches": `~~~java
private static final String PASSWORD = "k7!Mailer-Sommer24";
~~~`,
		"passes": `~~~yaml
environment:
  DB_PASSWORD: ${DB_PASSWORD:?set it}
  API_PASSWORD: "{{ vault_api_password }}"
  SMTP_PASSWORD_FILE: /run/secrets/smtp
  ADMIN_PASSWORD: change-me
~~~
~~~python
password = os.environ["PASSWORD"]  # not "hunter2!"
PASSWORD_FIELD = "password1"
~~~`,
	},
}

# Every text of the proposal, with the index of its part; null is the text around the parts.
texts := array.concat(
	[{"part": i, "text": part.text} | some i, part in input.parts],
	[{"part": null, "text": input.prose}],
)

fault(id, part, found, message) := {"id": id, "severity": "high", "message": message, "part": part, "at": found, "hide": found}

# Private keys

keys := [
	{"has": "PRIVATE KEY", "pattern": `-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:\\r|\\n|[\s"'+,>|#*/;])*(?:(?:Proc-Type|DEK-Info|Version|Comment):[^\n]*\s+)*[A-Za-z0-9+/=]{24}`},
	{"has": "LS0tLS1CRUdJTi", "pattern": `LS0tLS1CRUdJTi(?:BQUklWQVRF|BSU0EgUFJJVkFU|BFQyBQUklWQVRF|BPUEVOU1NI|BFTkNSWVBURUQg)[A-Za-z0-9+/=]{20}`},
	{"has": "PuTTY-User-Key-File", "pattern": `PuTTY-User-Key-File-[23]:[^\n]*`},
	{"has": "AGE-SECRET-KEY-1", "pattern": `AGE-SECRET-KEY-1[A-Z0-9]{58}`},
]

deny contains fault("secrets/private-key", t.part, found, "a private key stands here; it is known to everyone who reads this") if {
	some t in texts
	some key in keys
	contains(t.text, key.has)
	some found in regex.find_n(key.pattern, t.text, 5)
}

# Credentials of known forms

forms := [
	{"of": "AWS", "has": "A", "pattern": `\b(?:AKIA|ASIA)[A-Z0-9]{16}\b`},
	{"of": "Google", "has": "AIza", "pattern": `\bAIza[0-9A-Za-z_-]{35}\b`},
	{"of": "Google", "has": "GOCSPX-", "pattern": `\bGOCSPX-[0-9A-Za-z_-]{24,}`},
	{"of": "Google", "has": "ya29.", "pattern": `\bya29\.[0-9A-Za-z_-]{20,}`},
	{"of": "GitHub", "has": "gh", "pattern": `\bgh[pousr]_[A-Za-z0-9]{36}`},
	{"of": "GitHub", "has": "github_pat_", "pattern": `\bgithub_pat_[A-Za-z0-9_]{50,}`},
	{"of": "GitLab", "has": "gl", "pattern": `\bgl(?:pat|ptt|dt|rt|soat|cbt)-[A-Za-z0-9_-]{20,}`},
	{"of": "Slack", "has": "xox", "pattern": `\bxox[abeoprs]-[0-9A-Za-z-]{10,}`},
	{"of": "Slack", "has": "xapp-", "pattern": `\bxapp-[0-9]-[0-9A-Za-z-]{20,}`},
	{"of": "Slack", "has": "hooks.slack.com", "pattern": `hooks\.slack\.com/services/T[A-Z0-9]{6,}/B[A-Z0-9]{6,}/[A-Za-z0-9]{16,}`},
	{"of": "Discord", "has": "/api/webhooks/", "pattern": `discord(?:app)?\.com/api/webhooks/[0-9]{16,}/[A-Za-z0-9_-]{40,}`},
	{"of": "Stripe", "has": "k_", "pattern": `\b[sr]k_(?:live|test)_[0-9A-Za-z]{16,}`},
	{"of": "Stripe", "has": "whsec_", "pattern": `\bwhsec_[0-9A-Za-z+/]{24,}`},
	{"of": "OpenAI", "has": "sk-", "pattern": `\bsk-(?:proj|svcacct|admin|None|or-v1)-[A-Za-z0-9_-]{20,}`},
	{"of": "OpenAI", "has": "sk-", "pattern": `\bsk-[A-Za-z0-9]{32,}\b`},
	{"of": "Anthropic", "has": "sk-ant-", "pattern": `\bsk-ant-[A-Za-z0-9_-]{20,}`},
	{"of": "Hugging Face", "has": "hf_", "pattern": `\bhf_[A-Za-z0-9]{30,}\b`},
	{"of": "Groq", "has": "gsk_", "pattern": `\bgsk_[A-Za-z0-9]{40,}\b`},
	{"of": "npm", "has": "npm_", "pattern": `\bnpm_[A-Za-z0-9]{36}\b`},
	{"of": "PyPI", "has": "pypi-AgE", "pattern": `\bpypi-AgE[A-Za-z0-9_-]{40,}`},
	{"of": "Docker Hub", "has": "dckr_", "pattern": `\bdckr_(?:pat|oat)_[A-Za-z0-9_-]{20,}`},
	{"of": "Azure", "has": "AccountKey=", "pattern": `\bAccountKey=[A-Za-z0-9+/]{60,}={0,2}`},
	{"of": "DigitalOcean", "has": "do", "pattern": `\bdo[opr]_v1_[a-f0-9]{64}`},
	{"of": "SendGrid", "has": "SG.", "pattern": `\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{30,}`},
	{"of": "Telegram", "has": ":AA", "pattern": `\b[0-9]{8,10}:AA[A-Za-z0-9_-]{33}`},
	{"of": "Shopify", "has": "shp", "pattern": `\bshp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}\b`},
	{"of": "Databricks", "has": "dapi", "pattern": `\bdapi[a-f0-9]{32}\b`},
	{"of": "Grafana", "has": "gl", "pattern": `\bgl(?:sa|c)_[A-Za-z0-9_+/=]{32,}`},
	{"of": "Vault", "has": "hvs.", "pattern": `\bhvs\.[A-Za-z0-9_-]{24,}`},
	{"of": "Linear", "has": "lin_api_", "pattern": `\blin_api_[A-Za-z0-9]{40}`},
	{"of": "Mailgun", "has": "key-", "pattern": `\bkey-[a-f0-9]{32}\b`},
	{"of": "a JSON Web Token's issuer", "has": "eyJ", "pattern": `\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}`},
]

# The texts that may hold one: one look at each instead of one for every form.
marked := [t |
	some t in texts
	regex.match(`A[KS]IA|AIza|GOCSPX-|ya29\.|gh[pousr]_|github_pat_|gl(?:pat|ptt|dt|rt|soat|cbt)-|gl(?:sa|c)_|xox[abeoprs]-|xapp-|hooks\.slack|/api/webhooks/|k_(?:live|test)_|whsec_|sk-|hf_|gsk_|npm_|pypi-AgE|dckr_|AccountKey=|do[opr]_v1_|SG\.|:AA|shp(?:at|ca|pa|ss)_|dapi|hvs\.|lin_api_|key-[0-9a-f]|eyJ`, t.text)
]

deny contains fault("secrets/credential", t.part, found, sprintf("this has the form of a credential of %s", [form.of])) if {
	some t in marked
	some form in forms
	contains(t.text, form.has)
	some found in regex.find_n(form.pattern, t.text, 5)
	not made_up(found)
}

deny contains fault("secrets/credential", t.part, found[1], "this has the form of a secret access key of AWS") if {
	some t in texts
	contains(lower(t.text), "aws")
	some found in regex.find_all_string_submatch_n(`(?i)aws[a-z_. -]{0,20}secret[a-z_. -]{0,20}["']?\s*(?:[=:,]|=>)\s*["']?([a-z0-9/+]{40})\b`, t.text, 5)
	regex.match(`[A-Z]`, found[1])
	regex.match(`[0-9]`, found[1])
	not made_up(found[1])
}

# The examples that documentation has shown for years.
known_examples := {"AKIAIOSFODNN7EXAMPLE", "AKIAI44QH8DHBEXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY"}

made_up(found) if found in known_examples

made_up(found) if contains(found, "eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lI")

made_up(found) if regex.match(`(?i)your|placeholder|replace|redacted|change.?me|insert|dummy|xxxx|\.\.\.|<`, found)

made_up(found) if {
	tail := substring(found, count(found) - 14, 14)
	count({c | some c in split(tail, "")}) < 4
}

# Passwords

# Whose value a password is: by the end of its name. The second kind also names things that are none.
strong := `password|passwd|passphrase|passwort|_pass|\bpass|pwd|client_?secret|clientsecret`

weak := `secret|token|api[_-]?key|access[_-]?key|secret[_-]?key|private[_-]?key|signing[_-]?key|encryption[_-]?key|auth[_-]?key|account[_-]?key|credential`

begin := `(?im)(?:^|[^?\s"'[:word:].-]|[[:word:]][ \t]|[{,(][ \t]*["']?)[ \t]*["']?`

given := concat("", [begin, `\b([[:word:].-]*(?:`, strong, `|`, weak, `))["']?\]?[ \t]*(?::[ \t]*[&A-Za-z<>?. ]{1,24}[ \t]*)?(?:=>|:=|[:=])[ \t]*[fbru]{0,2}["']([^"'\n]{4,})["']`])

setters := concat("", [`(?i)\b(?:set|with)?_?(`, strong, `|api_?key)\([ \t]*["']([^"'\n]{4,})["']`])

listed := `(?im)\bname["']?:[ \t]*["']?([[:word:].-]*(?:password|passwd|passphrase|_pass|pwd|secret|token|api_?key))["']?[ \t]*,?[ \t]*\n?[ \t]*["']?value["']?:[ \t]*["']?([^\s"'${<][^\s"'}]{3,})`

plain := concat("", [`(?im)(?:^[ \t]*(?:-[ \t]+["']?)?(?:export[ \t]+|ENV[ \t]+|ARG[ \t]+|local[ \t]+|readonly[ \t]+|set[ \t]+)?|[{,][ \t]*|(?:-e|--env|--build-arg)[ \t]+)([[:word:].-]*(?:`, strong, `|`, weak, `))[ \t]*[=:][ \t]*([^\s"'$<>{}\[\]()&*!|%#,\x60][^\s"',}]{3,})`])

spaced := `(?im)^[ \t]*ENV[ \t]+([[:word:].-]*(?:password|passwd|_pass|pwd))[ \t]+([^\s="'$<{][^\s]{3,})`

settings := {"bash", "console", "yaml", "dockerfile", "makefile", "env", "ini", "powershell"}

quoted_only := {"text", "console", "markdown", "diff"}

# Besides, by what a value is given to: name and value.
others := [
	{"has": "--", "pattern": `(?i)--(password|passwd|pass|client-secret|token|api-key)[= ]["']?([^\s"'$<{(-][^\s"']{3,})`},
	{"has": "sshpass", "pattern": `\b(sshpass)\s+-p\s*["']?([^\s"'$<{][^\s"']{3,})`},
	{"has": "mysql", "pattern": `\b(mysql|mysqldump|mysqladmin)\b[^\n|;&]*\s-p["']?([^\s"'$<{][^\s"']{3,})`},
	{"has": "curl", "pattern": `\b(curl)\b[^\n|;&]*\s(?:-u|--user)[ =]?["']?[[:word:].@-]+:([^\s"'$<{][^\s"']{3,})`},
	{"has": "://", "pattern": `\b([a-z][a-z0-9+]*)://[^\s:/@"'${}<>\x60]+:([^\s@/"'${}<>%*\x60]{3,})@`},
	{"has": "auth", "pattern": `\b(auth)\s*=\s*\(\s*["'][^"'\n]+["']\s*,\s*["']([^"'\n]{4,})["']`},
	{"has": "PasswordAuthentication", "pattern": `\b(PasswordAuthentication)\([^,\n]+,\s*"([^"\n]{4,})"`},
	{"has": "getConnection", "pattern": `\b(getConnection)\([^,\n]+,\s*"[^"\n]*",\s*"([^"\n]{4,})"`},
	{"has": "=", "pattern": `(?i)["'\x60][^"'\x60\n,(]*\b(?:host|server|user|uid|user id|dbname|database|data source|endpoint)=[^"'\x60\n,(]*\b(password|pwd)=([^\s;"'{}$%<>,()\x60]{4,})`},
	{"has": "=", "pattern": `(?i)["'\x60](?:[^"'\x60\n,(]*[;\s])?(password|pwd)=([^\s;"'{}$%<>,()\x60]{4,});`},
	{"has": "'", "pattern": `(?i)\b(password|identified\s+by)\s+'([^'\n]{4,})'`},
]

# The parts that speak of passwords, and those that hold what `others` looks for.
named := [{"part": i, "language": part.language, "code": part.code} |
	some i, part in input.parts
	part.language != "text"
	regex.match(`(?i)pass|pwd|secret|token|key|credential`, part.code)
]

addressed := [{"part": i, "code": part.code} |
	some i, part in input.parts
	not part.language in {"text", "markdown"}
	regex.match(`(?i)--(?:pass|client-|token|api-)|sshpass|mysql|curl|://[^\s/]*@|auth|getConnection|(?:password|pwd)=|(?:password|by) '`, part.code)
]

# Each text with its names and values that may be passwords: [the whole, the name, the value].
candidates contains [i, found] if {
	some part in named
	i := part.part
	not part.language in quoted_only
	some found in regex.find_all_string_submatch_n(given, part.code, 50)
}

candidates contains [i, found] if {
	some part in named
	i := part.part
	not part.language in quoted_only
	some found in regex.find_all_string_submatch_n(setters, part.code, 20)
}

candidates contains [i, found] if {
	some part in named
	i := part.part
	part.language in {"yaml", "json"}
	contains(part.code, "value")
	some found in regex.find_all_string_submatch_n(listed, part.code, 20)
}

candidates contains [i, found] if {
	some part in named
	i := part.part
	part.language in settings
	some found in regex.find_all_string_submatch_n(plain, part.code, 50)
}

candidates contains [i, found] if {
	some part in named
	i := part.part
	part.language == "dockerfile"
	some found in regex.find_all_string_submatch_n(spaced, part.code, 20)
}

candidates contains [i, found] if {
	some part in addressed
	i := part.part
	some form in others
	contains(part.code, form.has)
	some found in regex.find_all_string_submatch_n(form.pattern, part.code, 20)
}

deny contains fault("secrets/password", i, at, sprintf("a literal is given to %s; take it from the environment or a secret store", [lower(name)])) if {
	some [i, [whole, name, value]] in candidates
	secret(name, value)
	lines := [line | some line in split(whole, "\n"); contains(line, value)]
	at := trim_left(trim_space(lines[0]), `{,("'`)
}

secret(name, value) if {
	regex.match(concat("", [`(?i)(?:`, strong, `|identified\s+by|sshpass|mysql[[:word:]]*|curl|^auth$|passwordauthentication|getconnection|^[a-z][a-z0-9+]*)$`]), name)
	not regex.match(concat("", [`(?i)(?:`, weak, `)$`]), name)
	looks_secret(value)
}

secret(name, value) if {
	regex.match(concat("", [`(?i)(?:`, weak, `)$`]), name)
	count(value) >= 12
	regex.match(`[0-9]`, value)
	regex.match(`[A-Za-z]`, value)
	looks_secret(value)
}

looks_secret(value) if {
	count(value) >= 5
	regex.match(`[0-9]|[^A-Za-z0-9_./:@ -]`, value)
	not none(value)
}

looks_secret(value) if {
	count(value) >= 20
	regex.match(`^[A-Za-z]+$`, value)
	not none(value)
}

# What is no secret although it stands where one would.
none(value) if regex.match(`\s`, value)

none(value) if regex.match(`^[$<%*^/.~!\\]|\$\{|\{\{|\$\(|#\{|<[[:word:] -]+>|%[sdv(]|\{[[:word:].]*\}|://`, value)

none(value) if regex.match(`(?i)your|place.?holder|change.?(?:me|it)|changed|replace|example|redacted|dummy|todo|insert|fill.?in|xxx|\.\.\.|…|•|\*\*\*|not.?(?:a.?)?real|not.?set|invalid|wrong`, value)

none(value) if regex.match(`^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$`, value)

none(value) if regex.match(`^[[:word:].-]+(?:/[[:word:].-]+)+$`, value)

none(value) if regex.match(`(?i)^(?:sha|md|hs|rs|es|pbkdf|oauth|utf|base|ed|aes|argon|scram|bcrypt|scrypt|arn:|projects/|vault:|enc\[|op:|ssm:|secret:|env:|ref\+|sm:)[[:word:]:+-]*`, value)

none(value) if regex.match(`^(?:[a-z_][[:word:]]*\.)+[a-z_][[:word:]]*(?:\(.*)?$`, value)

none(value) if regex.match(`^(?:[0-9]+|true|false|null|none)$`, lower(value))

none(value) if regex.match(`[()\[\]]`, value)

none(value) if contains(value, "=>")
