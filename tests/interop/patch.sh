#!/bin/sh
# patch.sh FOLDER - the crate nym-network-defaults as it is published, in
# FOLDER, with one line changed: smolmix offers no way to name a network, it
# takes this crate's default; that default becomes what the environment names
# (NYM_APIS), as it is elsewhere in these crates.
set -eu
crate=nym-network-defaults version=1.21.6
out=$1
[ ! -e "$out/.complete" ] || exit 0
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$tmp/src" "$(dirname "$out")"
printf '[package]\nname = "fetch"\nversion = "0.0.0"\nedition = "2021"\n' \
    >"$tmp/Cargo.toml"
printf '[dependencies]\n%s = "=%s"\n' "$crate" "$version" >>"$tmp/Cargo.toml"
: >"$tmp/src/lib.rs"
manifest=$(cd "$tmp" && cargo metadata --format-version 1 |
    tr ',' '\n' | sed -n 's/^"manifest_path":"\(.*\)"}*$/\1/p' |
    grep "/$crate-$version/Cargo.toml$" | head -n 1)
rm -rf "$out"
cp -R "${manifest%/Cargo.toml}" "$out"
chmod -R u+w "$out"
awk '/^impl Default for NymNetworkDetails/ { inside = 1 }
	inside && sub(/new_mainnet/, "new_from_env") { inside = 0; n++ }
	{ print }
	END { exit n != 1 }' "${manifest%/Cargo.toml}/src/network.rs" \
	>"$out/src/network.rs"
: >"$out/.complete"
