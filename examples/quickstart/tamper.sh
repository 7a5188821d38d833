#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# tamper.sh TRAIL COPY LAZARET: a trail is verified; then a copy in which one refusal has become a permission.
set -euo pipefail
trail=$1 copy=$2 lazaret=$3

echo
echo "== the trail: $(wc -l <"$trail") records, $(grep -c '"ev":"log"' "$trail") of them lines that the workload printed"
"$lazaret" verify "$trail" | sed 's/^/  /'

echo
echo "== a copy in which somebody has turned one refusal into a permission"
sed '/"obj":"mount","act":"EPERM"/s/EPERM/allow/' "$trail" >"$copy"
if "$lazaret" verify "$copy" | sed 's/^/  /'; then
    echo "tamper.sh: the forgery was not noticed" >&2
    exit 1
fi
echo "  lazaret verify says no, by its exit code too"
