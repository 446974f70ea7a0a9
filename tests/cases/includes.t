#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What a folder may include, from the bottom up. An include that points another way ties
# together what can be understood, tested and changed apart.

. "$(dirname "$0")/lib.sh"

# may FOLDER FOLDER...: files of the first include nothing but of it and the others
may()
{
	folder=$1
	allowed=$(echo "$*" | tr ' ' '|')
	wrong=$(cd "$top_srcdir" && find "$folder" -name '*.[chS]' -exec \
		grep -HoE '^#[[:space:]]*include "[a-z]+/' {} + | grep -vE "\"($allowed)/\$")
	[ -z "$wrong" ] || echo "$wrong" | diag
	is "$folder includes only of: $*" "$wrong" ""
}

may common
may ringstore common
may policies common
may recorder policies ringstore common
may replay recorder ringstore common
may daemon recorder policies ringstore common
may ctl daemon replay recorder policies ringstore common
done_testing
