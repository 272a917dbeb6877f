# Dependencies whose version nobody has chosen.
package fleet.policy.dependencies

import data.fleet.lib

rules := {"deps/unpinned": {
	"severity": "medium",
	"title": "A dependency without a version",
	"explanation": "What is built today is something else tomorrow. Held against: a line without a version in a requirements file or in a project's `dependencies`; `*` and `latest` in package.json, Cargo.toml and pyproject.toml; a git dependency without a revision; `pip install` of a bare name, `npm install -g` of one, `go install …@latest` and `FROM` without a tag in a Dockerfile; an action at a branch. Ranges and carets are fine, and so is what a constraints or lock file pins.",
	"catches": `~~~text requirements.txt
boto3
pydantic>=2
~~~`,
	"passes": `~~~text requirements.txt
# pinned by pip-compile
boto3==1.35.0
pydantic>=2,<3
-r base.txt
mine @ git+https://git.example.com/mine.git@0123456789abcdef
~~~`,
}}

files := [{"part": i, "name": lib.file_name(part), "text": part.text, "code": part.code, "bare": part.bare, "language": part.language, "lines": part.lines, "document": part.document} |
	some i, part in input.parts
]

fault(part, at, message) := {"id": "deps/unpinned", "severity": "medium", "message": message, "part": part, "at": at}

# requirements.txt

requirements(file) if {
	contains(file.name, "requirements")
	regex.match(`^(?:[a-z0-9_-]+[-_.])?requirements(?:[-_.][a-z0-9_-]+)?\.txt$`, file.name)
}

requirements(file) if file.language in {"requirements", "pip-requirements"}

deny contains fault(file.part, line, sprintf("%s has no version", [found[0][1]])) if {
	some file in files
	requirements(file)
	some line in file.lines
	found := regex.find_all_string_submatch_n(`^\s*([A-Za-z0-9][[:word:].-]*(?:\[[^\]]*\])?)\s*(?:;.*|#.*)?$`, line, 1)
	count(found) > 0
}

deny contains fault(file.part, line, "a git dependency without a revision") if {
	some file in files
	requirements(file)
	some line in file.lines
	regex.match(`^[^#]*git\+`, line)
	not regex.match(`git\+[a-z]+://(?:[^@/\s]+@)?[^@\s]+@[[:word:]./-]+`, line)
}

# package.json

deny contains fault(file.part, sprintf("%s: %s", [name, version]), sprintf("%s is at %s", [name, said(version)])) if {
	some file in files
	file.language == "json"
	some document in file.document
	package_json(file, document)
	some kind in ["dependencies", "devDependencies", "optionalDependencies"]
	some name, version in document[kind]
	is_string(version)
	open_version(version)
}

package_json(file, _) if file.name == "package.json"

package_json(file, document) if {
	file.name == ""
	is_string(document.name)
}

package_json(file, document) if {
	file.name == ""
	is_object(document.scripts)
}

package_json(file, document) if {
	file.name == ""
	is_object(document.devDependencies)
}

open_version(version) if trim_space(version) in {"", "*", "x", "latest", "next"}

open_version(version) if {
	regex.match(`^(?:git\+|git:|github:|gitlab:|bitbucket:|[[:word:]-]+/[[:word:].-]+$)`, version)
	not contains(version, "#")
}

said("") := "no version at all"

said(version) := version if version != ""

# Cargo.toml, pyproject.toml

sections := [{"part": file.part, "header": header, "text": section} |
	some file in files
	file.language == "toml"
	regex.match(`(?m)^\s*\[[^\n]*dependencies|^\s*\[project\]|^\s*[[:word:]][[:word:].-]*dependencies\s*=`, file.code)
	some section in regex.split(`(?m)^[ \t]*\[`, file.code)
	header := split(section, "\n")[0]
]

cargo_like(section) if regex.match(`(?i)dependencies`, section.header)

deny contains fault(section.part, trim_space(found), "a dependency at *") if {
	some section in sections
	cargo_like(section)
	some found in regex.find_n(`(?m)^\s*["']?[[:word:].-]+["']?\s*=\s*(?:["'](?:\*|latest)["']|\{[^}\n]*\bversion\s*=\s*["']\*["'][^}\n]*\})`, section.text, 20)
	not regex.match(`^\s*["']?python["']?\s*=`, found)
}

deny contains fault(section.part, trim_space(found), "a git dependency without a revision") if {
	some section in sections
	cargo_like(section)
	some found in regex.find_n(`(?m)^\s*["']?[[:word:].-]+["']?\s*=\s*\{[^}\n]*\bgit\s*=[^}\n]*\}`, section.text, 20)
	not regex.match(`\b(?:rev|tag)\s*=`, found)
}

deny contains fault(section.part, trim_space(found), "a git dependency without a revision") if {
	some section in sections
	regex.match(`dependencies\.[^\]]+\]`, section.header)
	some found in regex.find_n(`(?m)^\s*git\s*=\s*[^\n]*`, section.text, 1)
	not regex.match(`(?m)^\s*(?:rev|tag)\s*=`, section.text)
}

deny contains fault(section.part, trim_space(found), "a dependency at *") if {
	some section in sections
	regex.match(`dependencies\.[^\]]+\]`, section.header)
	some found in regex.find_n(`(?m)^\s*version\s*=\s*["']\*["']`, section.text, 1)
}

deny contains fault(section.part, name, sprintf("%s has no version", [name])) if {
	some section in sections
	startswith(section.header, "project]")
	some list in regex.find_all_string_submatch_n(`(?m)^\s*dependencies\s*=\s*\[((?:[^\]\[]|\[[^\]\[]*\])*)\]`, section.text, 1)
	some entry in regex.find_all_string_submatch_n(`["']([A-Za-z0-9][[:word:].-]*(?:\[[^\]]*\])?)\s*(?:;[^"\n]*)?["']\s*(?:,|\n|$)`, list[1], 50)
	name := entry[1]
}

# Dockerfiles

dockerfiles := [{"part": file.part, "code": code} |
	some file in files
	file.language == "dockerfile"
	code := regex.replace(file.code, `\\[ \t]*\n`, "  ")
]

install := `\bpip[0-9.]*\s+install\s+([^\n;|&]*)`

# What pip is kept up to date with, and options that take a value.
tools := {"pip", "setuptools", "wheel"}

valued := {"-r", "--requirement", "-i", "--index-url", "--extra-index-url", "-t", "--target", "--prefix", "--root", "-f", "--find-links", "--timeout", "--retries", "--platform", "--python-version", "-e", "--editable", "--no-binary", "--only-binary", "--trusted-host"}

deny contains fault(file.part, [found[0], name], sprintf("pip install %s without a version", [name])) if {
	some file in dockerfiles
	some found in regex.find_all_string_submatch_n(install, file.code, 20)
	words := regex.split(`\s+`, trim_space(found[1]))
	not constrained(words)
	some i, word in words
	name := trim(word, `"'`)
	regex.match(`^[A-Za-z0-9][[:word:].-]*(?:\[[[:word:],.-]*\])?$`, name)
	not regex.match(`\.(?:whl|gz|zip)$`, name)
	not name in tools
	not after_option(words, i)
}

after_option(words, i) if words[i - 1] in valued

constrained(words) if {
	some word in words
	word in {"-c", "--constraint", "--require-hashes"}
}

constrained(words) if {
	some word in words
	startswith(word, "--constraint=")
}

deny contains fault(file.part, found[0], sprintf("npm install of %s without a version", [found[1]])) if {
	some file in dockerfiles
	some found in regex.find_all_string_submatch_n(`\bnpm\s+(?:install|i|add)\s+(?:-\S+\s+)*(?:-g|--global)\s+(?:-\S+\s+)*([a-z@][^\s;&|]*)`, file.code, 20)
	not regex.match(`.@`, found[1])
}

deny contains fault(file.part, found, "a version that moves") if {
	some file in dockerfiles
	some found in regex.find_n(`\bgo\s+(?:install|get)\s+\S+@(?:latest|main|master)\b`, file.code, 20)
}

stages(file) := {lower(found[1]) |
	some found in regex.find_all_string_submatch_n(`(?im)^\s*FROM\s+[^\n]*\s+AS\s+(\S+)`, file.code, 50)
}

deny contains fault(file.part, trim_space(found[0]), sprintf("the image %s has no version", [image])) if {
	some file in dockerfiles
	some found in regex.find_all_string_submatch_n(`(?im)^\s*FROM\s+(?:--\S+\s+)*([^\s]+)`, file.code, 20)
	image := found[1]
	image != "scratch"
	not regex.match(`[$@]`, image)
	words := split(image, "/")
	last := words[count(words) - 1]
	moving(last)
	not lower(image) in stages(file)
}

moving(image) if not contains(image, ":")

moving(image) if endswith(image, ":latest")

# Workflows, Terraform

deny contains fault(file.part, trim_space(found), "an action at a branch") if {
	some file in files
	file.language == "yaml"
	contains(file.code, "uses:")
	some found in regex.find_n(`\buses:\s*["']?[[:word:].-]+/[[:word:]./-]+@(?:main|master|latest|HEAD)\b`, file.code, 20)
}

deny contains fault(file.part, trim_space(found), "a git dependency without a revision") if {
	some file in files
	file.language == "hcl"
	contains(file.code, "git")
	some found in regex.find_n(`\bsource\s*=\s*"(?:git::|git@|github\.com/)[^"\n]*"`, file.code, 20)
	not contains(found, "ref=")
}
