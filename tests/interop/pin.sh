#!/bin/sh
# Hold every nym-* package of the lock file at one release.  See README.
set -u
cargo generate-lockfile
for _ in 1 2 3; do
	for p in $(sed -n 's/^name = "\(nym-.*\)"/\1/p' Cargo.lock | sort -u); do
		cargo update -q -p "$p" --precise 1.21.6 2>/dev/null
	done
done
grep -A1 '^name = "nym-' Cargo.lock | grep version | sort | uniq -c
