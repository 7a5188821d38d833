#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# account.sh EVENTS POLICY LAZARET: the events of one run, told for people.
set -euo pipefail
events=$1 policy=$2 lazaret=$3

echo
echo "== what was enforced, as the kernel showed it before the workload ran its first instruction"
jq -r 'select(.ev == "init.start") | .d
    | "  policy             \(.policy_sha256)",
      "  user, group        \(.read.uid):\(.read.gid), supplementary groups: \(.read.groups | length)",
      "  capabilities       effective \(.read.cap_eff), permitted \(.read.cap_prm), bounding \(.read.cap_bnd)",
      "  no_new_privs       \(.read.no_new_privs)",
      "  seccomp            mode \(.read.seccomp), \(.read.seccomp_filters) filter(s), refusals: \(.events)",
      "  Landlock           ABI \(.probed.landlock_abi), a forbidden path was refused with \(.probed.landlock)",
      "  exec budget        \(.exec_budget)",
      "  degraded           \(if .degraded == [] then "nothing" else .degraded | join(", ") end)",
      "  relaxations        \(if .relaxations == [] then "none" else .relaxations | join(", ") end)"' "$events"

echo
echo "== what was refused with an event, and why"
jq -r 'select(.ev == "seccomp.deny" or .ev == "exec.budget" or (.ev == "stop.request" and .act == "refused"))
    | [.ev, .obj, .act] | @tsv' "$events" | sort | uniq -c | while read -r count ev object answer; do
    case $ev in
    seccomp.deny)
        why=$("$lazaret" policy explain --json "$policy" "$object" | jq -r '.rules[-1] | "\(.text) (\(.at))"')
        printf '  %3d x  %-18s %-8s %s\n' "$count" "$object" "$answer" "$why"
        ;;
    exec.budget) printf '  %3d x  %-18s %-8s %s\n' "$count" execve "$answer" "workload.exec-budget is used up" ;;
    stop.request) printf '  %3d x  %-18s %-8s %s\n' "$count" "${object/_/ }" ignored "only somebody outside may stop the init" ;;
    esac
done
cat <<END
  Where a rule stands is (FILE:LINE:COLUMN). More about one: $lazaret policy explain $policy mount
  The other attempts raised no event: Landlock refused files and ports, the kernel a signal to another user's process.
END

echo
jq -r 'select(.ev == "init.stop")
    | if .act == "refused" then "== nothing was started: \(.obj): \(.d.message) (exit \(.d.exit))"
      else "== the end: exit \(.d.exit), \(.d.denied) refused calls, \(.d.lost) events lost" end' "$events"
