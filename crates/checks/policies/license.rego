# Text under the GPL where the task forbids it.
package fleet.policy.license

rules := {"license/gpl": {
	"severity": "high",
	"title": "Text under the GPL, which the task forbids",
	"explanation": "Looked for only where the task's metadata has `forbid` with `gpl` in it, or its description or a requirement says that no GPL may be used. Held against a file that says it is under the GPL, AGPL or LGPL (SPDX line, notice, license field); not against code that names these licenses, nor a choice such as `MIT OR GPL-2.0`.",
	"metadata": {"forbid": "gpl"},
	"catches": `~~~c
/* SPDX-License-Identifier: GPL-2.0-only */
int f(void) { return 1; }
~~~`,
	"passes": `Nothing here is under the GPL.
~~~c
/* SPDX-License-Identifier: MIT */
static const char *refused[] = {"GPL-2.0", "GPL-3.0"}; /* no GPL in here */
~~~`,
}}

words := concat("\n", array.concat([input.task.description], input.task.requirements))

forbidden if contains(lower(object.get(input.task.metadata, "forbid", "")), "gpl")

forbidden if regex.match(`(?i)\b(?:no|not|without|avoid|never|none|non|free of|forbid[[:word:]]*|exclude[[:word:]]*|refuse[[:word:]]*|anything but|mustn't|don't|cannot|can't)\b[ -\-/-:<-~]{0,60}\b[AL]?GPL`, words)

forbidden if regex.match(`(?i)\b[AL]?GPL(?:v?[0-9.]*)?\b[ -\-/-:<-~]{0,40}\b(?:not allowed|not permitted|forbidden|prohibited|excluded|is out|must not|may not|cannot|incompatible)\b`, words)

# Between the words of a notice stand line breaks and the marks of comments.
gap := `[\s*#/;"'.!-]+`

forms := [
	`(?im)SPDX-License-Identifier:[ \t]*[^\n]*GPL[^\n]*`,
	concat("", [`(?i)(?:under|terms|licen[sc]ed|redistribute|covered|subject)\b[\x00-\x5f\x61-\x7f]{0,160}?GNU`, gap, `(?:(?:Lesser|Affero|Library)`, gap, `)?General`, gap, `Public`, gap, `Licen[sc]e`]),
	`(?i)(?:licen[sc]ed|released|distributed|published|available)[\s*#/]+under[\s*#/]+(?:the[\s*#/]+)?(?:terms[\s*#/]+of[\s*#/]+the[\s*#/]+)?(?:GNU[\s*#/]+)?[AL]?GPL`,
	`(?im)["']?\b(?:license|licence|licenses|__license__|image\.licenses)["']?[ \t]*[:=][ \t]*(?:\{[ \t]*text[ \t]*=[ \t]*)?["'][^"'\n]*GPL[^"'\n]*["']`,
	`(?i)License\s*::\s*OSI Approved\s*::\s*GNU[^"'\n]*`,
	`\bMODULE_LICENSE\(\s*"[^"]*GPL[^"]*"`,
	`(?im)^\s*(?:\*|#|//|--)?\s*@?licen[sc]e\s*[:=]?\s+(?:GNU\s+)?[AL]?GPL[^\n]*`,
]

# A choice between licenses leaves the other one.
choice(found) if {
	regex.match(`\bOR\b`, found)
	some name in regex.split(`\s+OR\s+|SPDX-License-Identifier:|["'():=]`, found)
	regex.match(`[A-Za-z]`, name)
	not contains(upper(name), "GPL")
	not regex.match(`(?i)licen[sc]e`, name)
}

deny contains fault if {
	forbidden
	some i, part in input.parts
	regex.match(`(?i)GPL|GNU`, part.text)
	some form in forms
	some found in regex.find_n(form, part.text, 3)
	not choice(found)
	fault := {"id": "license/gpl", "severity": "high", "message": "this is under the GPL, which the task forbids", "part": i, "at": trim_space(found)}
}
