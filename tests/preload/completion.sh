#!/usr/bin/env bash
# What bash offers for words of ours; LINE is what was typed so far.

# shellcheck disable=SC1091,SC2206 # sourced; words are split as bash splits them
[ -n "$BASH_VERSION" ] || exec bash "$0"
cd "${0%/*}/../.." || exit 1
. tests/lib/tap.sh
PATH=$PWD/${B:-build/default}:$PATH
[ -x "$(command -v smolwrap)" ] || skip_all "smolwrap is not built"
. scripts/completion.bash
compopt() { :; }		# only bash itself may call it

# offers LINE: one a line.
offers() {
	local line=$1
	COMP_LINE=$line COMP_POINT=${#line}
	COMP_WORDS=($line)
	[[ $line = *' ' ]] && COMP_WORDS+=('')
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	_smolwrap smolwrap "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
	printf '%s\n' "${COMPREPLY[@]}"
}

is "$(offers 'smolwrap stat' | grep -x status | sort -u)" status "commands"
is "$(offers 'smolwrap --known')" "--known-hosts" "options"
for option in $(smolwrap --help | grep -oE -- '(^|[ ,])--?[A-Za-z][a-z-]*' | tr -d ' ,'); do
	[ "$(offers "smolwrap $option" | grep -cx -- "$option")" -gt 0 ] ||
		missing="$missing $option"
done
is "$missing" "" "every option of --help"
is "$(offers 'smolwrap --via ssh://me@h -i /key --wait tr' | grep -x true | sort -u)" true \
    "programs, behind options and their values"
is "$(offers 'smolwrap --traffic f')" fast "values"
_command_offset() { COMPREPLY=("offset $1 of ${#COMP_WORDS[@]}"); }
is "$(offers 'smolwrap --via ssh://me@h git pu')" "offset 3 of 5" \
    "then it is the program's own turn"
is "$(offers 'smolwrap -- up --x')" "offset 2 of 4" "also that of one like a command"
XDG_CONFIG_HOME=$(mktemp -d)
mkdir "$XDG_CONFIG_HOME/smolwrap"
printf 'via ssh://a\n[work]\nvia ssh://b\n' >"$XDG_CONFIG_HOME/smolwrap/config"
is "$(offers 'smolwrap -p ')" work "profiles"
rm -r "$XDG_CONFIG_HOME"
tap_end
