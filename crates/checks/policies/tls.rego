# Certificates that nobody checks.
package fleet.policy.tls

import data.fleet.lib

rules := {"tls/not-verified": {
	"severity": "high",
	"title": "Certificates are not checked",
	"explanation": "With checks off, anyone on the way can read and change what is sent. Hand over the authority's certificate instead. Held against code, commands and settings that switch the check off, not against comments and messages that name the switch; not against a connection without TLS (`http://`, `sslmode=disable`), which claims nothing.",
	"catches": `~~~python
import requests
answer = requests.get("https://reports.internal.example", verify=False)
~~~`,
	"passes": `Do not say verify=False here.
~~~python
import requests
# never verify=False
answer = requests.get("https://reports.internal.example", verify="/etc/ssl/ours.pem")
log.warning("verify=False is refused")
~~~`,
}}

# In programs, without what their strings hold.
in_programs := [
	{"has": ["verify"], "pattern": `\b(?:verify|verify_ssl|ssl_verify|verify_certs|tls_verify|validate_certs)\s*=\s*False\b`, "with": ["http", "ssl", "tls", "request", "session", "client", "connect", "boto", "url", "elastic"]},
	{"has": ["CERT_NONE"], "pattern": `(?:^|[^=!<>])=\s*(?:ssl\.)?CERT_NONE\b`},
	{"has": ["check_hostname"], "pattern": `\bcheck_hostname\s*=\s*False\b`},
	{"has": ["_create_unverified_context"], "pattern": `\b_create_unverified_context\b`},
	{"has": ["TCPConnector"], "pattern": `TCPConnector\([^)\n]*\b(?:ssl|verify_ssl)\s*=\s*False\b`},
	{"has": ["InsecureSkipVerify"], "pattern": `\bInsecureSkipVerify\s*(?::|=)\s*true\b`},
	{"has": ["rejectUnauthorized"], "pattern": `\brejectUnauthorized\s*[:=]\s*false\b`},
	{"has": ["strictSSL"], "pattern": `\bstrictSSL\s*[:=]\s*false\b`},
	{"has": ["danger_accept_invalid"], "pattern": `\bdanger_accept_invalid_(?:certs|hostnames)\(\s*true\s*\)`},
	{"has": ["VERIFY_NONE"], "pattern": `\b(?:SSL_)?VERIFY_NONE\b`, "unless": `(?:==|!=|is)\s*\S*VERIFY_NONE`},
	{"has": ["SslVerifyMode"], "pattern": `\bSslVerifyMode::NONE\b`},
	{"has": ["CURLOPT_SSL_VERIFY"], "pattern": `\bCURLOPT_SSL_VERIFY(?:PEER|HOST)\s*(?:,|=>)\s*(?:0L?|false|FALSE)\b`},
	{"has": ["NoopHostnameVerifier", "ALLOW_ALL_HOSTNAME_VERIFIER", "AllowAllHostnameVerifier"], "pattern": `\b(?:NoopHostnameVerifier|ALLOW_ALL_HOSTNAME_VERIFIER|AllowAllHostnameVerifier)\b`, "unless": `(?m)^\s*import\b[^\n]*HostnameVerifier`},
	{"has": ["ostnameVerifier"], "pattern": `\b(?:setHostnameVerifier|setDefaultHostnameVerifier|hostnameVerifier)\s*\(?\s*[({]\s*\(?[[:word:]]+,\s*[[:word:]]+\)?\s*->\s*(?:\{\s*return\s+)?true\b`},
	{"has": ["checkServerTrusted"], "pattern": `\bcheckServerTrusted\([^)]*\)\s*(?:throws\s+[[:word:]., ]+)?\{\s*\}`},
	{"has": ["checkServerTrusted"], "pattern": `\bfun\s+checkServerTrusted\([^)]*\)\s*(?:=\s*Unit|\{\s*\})`},
	{"has": ["TrustAllStrategy", "TrustSelfSignedStrategy", "InsecureTrustManagerFactory"], "pattern": `\b(?:TrustAllStrategy|InsecureTrustManagerFactory)\s*(?:\.INSTANCE|\()`},
	{"has": ["DangerousAcceptAnyServerCertificateValidator"], "pattern": `\bDangerousAcceptAnyServerCertificateValidator\b`},
	{"has": ["CertificateValidationCallback"], "pattern": `CertificateValidationCallback\s*\+?=\s*(?:delegate\s*\{\s*return\s+true|\([^)]*\)\s*=>\s*(?:\{\s*return\s+)?true)`},
	{"has": ["withInsecure", "WithInsecure"], "pattern": `\bgrpc\.WithTransportCredentials\(\s*insecure_skip`},
]

# In programs, where the switch is in a string.
in_strings := [
	{"has": ["NODE_TLS_REJECT_UNAUTHORIZED"], "pattern": `\bNODE_TLS_REJECT_UNAUTHORIZED["']?\]?\s*[:=]\s*["']?0\b`},
	{"has": ["PYTHONHTTPSVERIFY"], "pattern": `\bPYTHONHTTPSVERIFY["']?\]?\s*[:=]\s*["']?0\b`},
	{"has": ["rejectUnauthorized"], "pattern": `["']rejectUnauthorized["']\s*:\s*false\b`},
	{"has": ["cert_reqs"], "pattern": `\bcert_reqs\s*=\s*["']CERT_NONE["']`},
	{"has": ["verify_peer"], "pattern": `["']verify_peer(?:_name)?["']\s*=>\s*false\b`},
	{"has": ["http.sslVerify", "sslVerify"], "pattern": `\bhttp\.sslVerify["',\s=]+false\b`},
]

# In commands.
in_scripts := [
	{"has": ["curl"], "pattern": `(?m)\bcurl\b(?:[^\n|;&]|\\\n|&[^&\n])*?\s(?:-[0-9afgijklnqsvGILJNOSZR#]*k[a-zA-Z]*|--insecure|--proxy-insecure)(?:[\s"')]|$)`},
	{"has": ["--no-check-certificate"], "pattern": `--no-check-certificate\b`},
	{"has": ["http.sslVerify", "http.sslverify"], "pattern": `(?i)\bhttp\.(?:\S*\.)?sslVerify[= ]["']?(?:false|0|no|off)\b`},
	{"has": ["GIT_SSL_NO_VERIFY"], "pattern": `\bGIT_SSL_NO_VERIFY\s*[=:]\s*["']?(?:1|true|yes)`},
	{"has": ["NODE_TLS_REJECT_UNAUTHORIZED"], "pattern": `\bNODE_TLS_REJECT_UNAUTHORIZED\s*[=: ]\s*["']?0\b`},
	{"has": ["PYTHONHTTPSVERIFY"], "pattern": `\bPYTHONHTTPSVERIFY\s*[=: ]\s*["']?0\b`},
	{"has": ["strict-ssl"], "pattern": `\bstrict-ssl[= ]["']?false\b`},
	{"has": ["--trusted-host"], "pattern": `\bpip[0-9.]*\s[^\n]*--trusted-host\b`},
	{"has": ["insecure-skip-tls-verify"], "pattern": `--insecure-skip-tls-verify(?:=true)?(?:[\s"']|$)`},
	{"has": ["SkipCertificateCheck"], "pattern": `-SkipCertificateCheck\b`},
	{"has": ["--verify=no"], "pattern": `\bhttps?\s[^\n]*--verify[= ]no\b`},
]

# In settings.
in_settings := [
	{"has": ["validate_certs"], "pattern": `(?im)^\s*(?:-\s+)?validate_certs\s*[:=]\s*["']?(?:false|no|off)\b`},
	{"has": ["insecure-skip-tls-verify"], "pattern": `(?im)["']?insecure-skip-tls-verify["']?\s*:\s*true\b`},
	{"has": ["nsecure"], "pattern": `(?im)["']?\b(?:insecureSkipVerify|insecure_skip_verify|insecureSkipTLSVerify)["']?\s*[:=]\s*["']?true\b`},
	{"has": ["verify"], "pattern": `(?im)(?:^|[{,])\s*(?:-\s+)?["']?(?:skip_tls_verify|skip_ssl_verify|tls_skip_verify|disable_ssl_verification)["']?\s*[:=]\s*["']?true\b`},
	{"has": ["verify"], "pattern": `(?im)(?:^|[{,])\s*(?:-\s+)?["']?(?:verify_ssl|ssl_verify|tls_verify|verify_certs|verify_certificates?)["']?\s*[:=]\s*["']?(?:false|no|off)\b`},
	{"has": ["allow_unverified_ssl"], "pattern": `(?m)\ballow_unverified_ssl\s*=\s*true\b`},
	{"has": ["rejectUnauthorized"], "pattern": `["']?\brejectUnauthorized["']?\s*[:=]\s*false\b`},
	{"has": ["sslVerify"], "pattern": `(?im)^\s*sslVerify\s*=\s*false\b`},
	{"has": ["strict-ssl"], "pattern": `(?im)^\s*strict-ssl\s*=\s*false\b`},
]

# The parts that may hold one of them: one look at each instead of one for every form.
programs := [program |
	some program in lib.programs
	regex.match(`(?i)verif|cert_|certificate|check_hostname|TCPConnector|rejectUnauthorized|strictSSL|invalid_|trust|curl|TLS_`, program.code)
]

scripts := [script |
	some script in lib.scripts
	regex.match(`(?i)curl|certificate|ssl|tls|--trusted-host|PYTHONHTTPSVERIFY|SkipCert|--verify`, script.bare)
]

set_up := [{"part": i, "code": part.code} |
	some i, part in input.parts
	part.language in settings
	regex.match(`(?i)validate_certs|insecure|verif|rejectUnauthorized|strict-ssl`, part.code)
]

settings := {"yaml", "json", "toml", "ini", "env", "hcl", "powershell"}

# Whether one of the words that a form asks for besides its own is there.
together(form, text) if not form["with"]

together(form, text) if lib.holds(lower(text), form["with"])

excused(form, text) if regex.match(form.unless, text)

told := "certificates are not checked here: anyone on the way can read and change what is sent"

deny contains fault if {
	some program in programs
	some form in in_programs
	lib.holds(program.bare, form.has)
	together(form, program.code)
	not excused(form, program.bare)
	some found in regex.find_n(form.pattern, program.bare, 5)
	fault := {"id": "tls/not-verified", "severity": "high", "message": told, "part": program.part, "at": trim_space(found)}
}

deny contains fault if {
	some program in programs
	some form in in_strings
	lib.holds(program.code, form.has)
	some found in regex.find_n(form.pattern, program.code, 5)
	fault := {"id": "tls/not-verified", "severity": "high", "message": told, "part": program.part, "at": found}
}

deny contains fault if {
	some script in scripts
	some form in in_scripts
	lib.holds(script.bare, form.has)
	some found in regex.find_n(form.pattern, script.bare, 5)
	fault := {"id": "tls/not-verified", "severity": "high", "message": told, "part": script.part, "at": trim_space(found)}
}

# A program hands such a command to a shell.
deny contains fault if {
	some program in programs
	lib.holds(program.code, ["curl", "--no-check-certificate"])
	some found in regex.find_n(`["'\x60](?:curl\s[^"'\x60\n]*\s(?:-[fsSLgvIO]*k[a-zA-Z]*|--insecure)|wget\s[^"'\x60\n]*--no-check-certificate)[\s"'\x60]`, program.code, 5)
	fault := {"id": "tls/not-verified", "severity": "high", "message": told, "part": program.part, "at": found}
}

deny contains fault if {
	some part in set_up
	some form in in_settings
	lib.holds(part.code, form.has)
	some found in regex.find_n(form.pattern, part.code, 5)
	fault := {"id": "tls/not-verified", "severity": "high", "message": told, "part": part.part, "at": trim_space(found)}
}
