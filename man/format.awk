# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Writes blackbox-format.5 from ringstore/format.h: its first comment, and each definition
# with its own. What is there in words only, the header says too.

BEGIN {
	width["le16"] = 2; width["le32"] = 4; width["le64"] = 8
	print ".\\\" SPDX-License-Identifier: LGPL-2.1-or-later"
	print ".\\\" Made from ringstore/format.h; do not edit."
	print ".Dd November 26, 2026\n.Dt BLACKBOX-FORMAT 5\n.Os"
	print ".Sh NAME\n.Nm blackbox-format\n.Nd rings, incidents and dumps, as they stand on disk"
	print ".Sh DESCRIPTION"
	print "blackbox keeps what it records in files of these formats."
	print "They belong to it alone:"
	print ".Xr blackboxctl 1"
	print "lists, reads, checks and repairs them."
	print "They are described here for who has to look at one without it.\n.Pp"
}

function literal(line)
{
	gsub(/\\/, "\\e", line)
	return (line ~ /^[.']/ ? "\\&" : "") line
}

# Lines of a comment: those that are indented stand as they are.
function show_comment(text,    n, lines, i, inside)
{
	n = split(text, lines, "\n")
	for (i = 1; i <= n; i++) {
		if (lines[i] ~ /^ / && !inside) {
			print ".Bd -literal -offset indent -compact"
			inside = 1
		} else if (lines[i] !~ /^ / && inside) {
			print ".Ed"
			inside = 0
		}
		if (lines[i] ~ /^$/)
			print ".Pp"
		else
			print literal(inside ? substr(lines[i], 3) : lines[i])
	}
	if (inside)
		print ".Ed"
}

function trailing(line)
{
	if (line !~ /\/\*.*\*\//)
		return ""
	sub(/.*\/\* */, "", line)
	sub(/ *\*\/.*/, "", line)
	return line
}

function begin_table(title)
{
	print ".Ss " title
	if (comment != "")
		show_comment(comment)
	comment = ""
	print ".Bl -tag -width \"first_event\""
}

# The value of a definition, without what is the compiler's: 4u << 20.
function show_define(name, value, said)
{
	print ".Ss " name
	print ".Li " literal(value) (said == "" ? "" : " :\n" literal(said))
	if (comment != "") {
		print ".Pp"
		show_comment(comment)
	}
	comment = ""
}

/^\/\* SPDX/ { next }

# A comment of several lines.
/^\/\*$/ { in_comment = 1; comment = ""; next }
in_comment && /^ \*\/$/ {
	in_comment = 0
	if (!seen_first) {
		sub(/^[^\n]*\n\n?/, "", comment)	# the file's own name
		show_comment(comment)
		comment = ""
		seen_first = 1
		print ".Sh DEFINITIONS"
	}
	next
}
in_comment {
	sub(/^ \* ?/, "")
	comment = comment (comment == "" ? "" : "\n") $0
	next
}
/^\/\* .* \*\/$/ { comment = trailing($0); next }

# How many kinds there are is the reader's business.
/^#define [A-Z_]*_LAST / { comment = ""; next }

/^#define [A-Z]/ {
	said = trailing($0)
	sub(/ *\/\*.*/, "")
	value = $0
	sub(/^#define [A-Z_]+[ \t]+/, "", value)
	if (value !~ /\\$/)
		show_define($2, value, said)
	next
}

/^enum [a-z_]+ \{/ { begin_table("enum " $2); in_enum = 1; next }
/^struct [a-z_]+ \{/ { begin_table("struct " $2); in_struct = 1; offset = 0; next }
/^\};/ {
	if (in_enum || in_struct)
		print ".El"
	if (in_struct)
		print "It is " offset " bytes long."
	if (in_struct)
		struct_len = offset
	in_enum = in_struct = 0
	next
}
in_enum && /=/ {
	said = trailing($0)
	value = $0
	sub(/^[^=]*= */, "", value)
	sub(/,.*/, "", value)
	print ".It Dv " $1 " = " value
	if (said != "")
		print literal(said)
	next
}
in_struct && ($1 in width) {
	said = trailing($0)
	names = $0
	sub(/;.*/, "", names)
	sub(/^[ \t]*[a-z0-9]+ /, "", names)
	n = split(names, each, /, */)
	for (i = 1; i <= n; i++) {
		print ".It Va " each[i] " , offset " offset ", " width[$1] " bytes"
		offset += width[$1]
	}
	if (said != "")
		print literal(said)
	next
}
/^static_assert\(sizeof\(struct/ {
	len = $0
	sub(/.* == /, "", len)
	if (len + 0 != struct_len) {
		print "format.awk: " struct_len " bytes are described, but: " $0 >"/dev/stderr"
		failed = 1
		exit 1
	}
}
/^$/ { next }

END {
	if (failed)
		exit 1
	print ".Sh COMPATIBILITY"
	print "A reader refuses what it can't know, with the message that a newer version wrote it:"
	print "a chunk whose"
	print ".Va version"
	print "is above its own, that has a flag which it doesn't know, or that is of a kind which it"
	print "doesn't know and may not skip; a manifest whose"
	print ".Ql format"
	print "is above its own, or which"
	print ".Ql needs"
	print "something; a dump whose version is above its own."
	print "What older versions wrote it reads."
	print ".Sh SEE ALSO"
	print ".Xr blackboxctl 1 ,"
	print ".Xr blackbox-policy 5 ,"
	print ".Xr blackboxd 8"
}
