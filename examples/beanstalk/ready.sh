#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# ready.sh ENVIRONMENT: waits until no change of it is under way, an hour at most. The waiter of the aws command line gives up
# after 400 seconds, and Immutable starts as many instances again as there are.
set -eu
left=360
while [ "$left" -gt 0 ]; do
  sleep 10
  status=$(aws elasticbeanstalk describe-environments --environment-names "$1" --query 'Environments[0].Status' --output text)
  case $status in
  Ready) exit 0 ;;
  Launching | Updating) ;;
  *) break ;;
  esac
  left=$((left - 1))
done
echo "ready.sh: $1 is not Ready: $status" >&2
exit 1
