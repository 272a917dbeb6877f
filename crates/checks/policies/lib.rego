# What the rules that are built in share.
package fleet.lib

# Languages in which commands for a shell stand.
shells := {"bash", "console", "dockerfile", "makefile", "yaml"}

# The blocks that hold commands for a shell, with their index.
scripts := [{"part": i, "bare": part.bare, "code": part.code, "language": part.language} |
	some i, part in input.parts
	part.language in shells
]

# The other blocks, which are programs or settings.
programs := [{"part": i, "bare": part.bare, "code": part.code, "language": part.language} |
	some i, part in input.parts
	not part.language in shells
	not part.language in {"text", "markdown", "diff"}
]

# The last word of a path, in lower case; empty where there is no path.
file_name(part) := lower(words[count(words) - 1]) if {
	is_string(part.path)
	words := split(part.path, "/")
} else := ""

# Whether a text holds one of some words.
holds(text, words) if {
	some word in words
	contains(text, word)
}
