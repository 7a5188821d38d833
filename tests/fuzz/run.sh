#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh TARGET CORPUS: fuzz for LAZARET_FUZZ_SECONDS (default 10) starting from the corpus, which is
# never written to: new inputs go to a folder of their own, which is named when something was found.
set -eu
target=$1
corpus=$2
found=$(mktemp -d)
cd "$found"
if ! "$target" -max_total_time="${LAZARET_FUZZ_SECONDS:-10}" -timeout=10 -rss_limit_mb=1024 \
    -print_final_stats=1 -artifact_prefix="$found/" "$found" "$corpus"; then
    echo "FAIL $(basename "$target"): the input is in $found"
    exit 1
fi
rm -rf "$found"
