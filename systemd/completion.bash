# SPDX-License-Identifier: LGPL-2.1-or-later
# bash completion for blackboxctl

_blackboxctl_ids()
{
	blackboxctl list 2>/dev/null | sed -n '/^[0-9]/s/ .*//p'
}

_blackboxctl_services()
{
	blackboxctl status 2>/dev/null | sed '1d; s/ .*//'
}

_blackboxctl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]} words
	COMPREPLY=()

	if [ "$COMP_CWORD" -eq 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W \
			'status list info freeze dump rm verify repair enable disable record replay trace events' -- "$cur")
		return
	fi
	case $cur in
	-*)
		words=$(blackboxctl "$verb" --help 2>/dev/null | grep -o -e '--[a-z-]*')
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
		return
		;;
	esac
	case $verb in
	status|freeze)
		mapfile -t COMPREPLY < <(compgen -W "$(_blackboxctl_services)" -- "$cur")
		;;
	info|dump|rm|verify|repair|replay|trace|events)
		mapfile -t COMPREPLY < <(compgen -f -W "$(_blackboxctl_ids)" -- "$cur")
		;;
	enable|disable)
		words=$(systemctl list-unit-files --type=service --no-legend 2>/dev/null | sed 's/ .*//')
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
		;;
	*)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		;;
	esac
}
complete -o filenames -F _blackboxctl blackboxctl
