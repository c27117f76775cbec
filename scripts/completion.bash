# shellcheck shell=bash disable=SC2207 # words without spaces
# bash completion for smolwrap(1): commands and options, the latter as --help
# lists them; then whatever the program completes itself.

# Is it an option without a value?
_smolwrap_flag()
{
	case $1 in
	-h | --help | -V | --version | -v | --verbose | --wait | --strict | \
	--insecure | --inherit | --no-*) ;;
	*) false ;;
	esac
}

# The word that names the program or the command, of those before the cursor;
# nothing while there is none.  bash's own words are cut at ':' and '@'.
_smolwrap_program()
{
	local -a words
	local i
	read -ra words <<<"${COMP_LINE:0:COMP_POINT - ${#1}}"
	for ((i = 1; i < ${#words[@]}; i++)); do
		case ${words[i]} in
		--) echo "${words[i + 1]}"; return ;;
		--*=*) ;;
		-*) _smolwrap_flag "${words[i]}" || ((i++)) ;;
		up | down | status) ;;
		*) echo "${words[i]}"; return ;;
		esac
	done
}

_smolwrap()
{
	local word=$2 before=$3 program i
	_smolwrap_flag "$before" && before=
	program=$(_smolwrap_program "$word")
	COMPREPLY=()
	if [[ $program = check ]]; then
		COMPREPLY=($(compgen -c -- "$word"))
	elif [[ -n $program ]]; then
		for ((i = 1; i < COMP_CWORD; i++)); do
			[[ ${COMP_WORDS[i]} = "$program" ]] && break
		done
		declare -F _command_offset >/dev/null && _command_offset "$i"
	elif [[ $word = -* ]]; then
		COMPREPLY=($(compgen -W "$(smolwrap --help |
		    grep -oE '(^ *|[, ] ?)--?[A-Za-z][a-z-]*' | tr -d ', ')" -- "$word"))
	else
		case $before in
		--via)
			compopt -o nospace
			COMPREPLY=($(compgen -W \
			    "ssh:// ssh+tls:// ssh+iroh:// mix:" -- "$word")) ;;
		--profile | -p)
			COMPREPLY=($(compgen -W "$(sed -n 's/^ *\[\(.*\)\].*/\1/p' \
			    "${XDG_CONFIG_HOME:-$HOME/.config}/smolwrap/config" \
			    2>/dev/null)" -- "$word")) ;;
		--listen) COMPREPLY=($(compgen -W "loopback deny tunnel open" -- "$word")) ;;
		--stack) COMPREPLY=($(compgen -W "auto thread session" -- "$word")) ;;
		--traffic) COMPREPLY=($(compgen -W "default fast raw" -- "$word")) ;;
		--isolate | --entry-tls)
			COMPREPLY=($(compgen -W "auto always never" -- "$word")) ;;
		-* | : | //*) ;;
		*) COMPREPLY=($(compgen -W "up down status check" -- "$word")
		    $(compgen -c -- "$word")) ;;
		esac
	fi
}
complete -o default -F _smolwrap smolwrap
