#!/bin/sh
# Joins the cgroups in $TERWAY_CGROUPS (one directory a line), then runs the command. For processes that enter a node from outside, which
# would otherwise stay in the group of whoever started them.
set -eu
printf '%s\n' "$TERWAY_CGROUPS" | while read -r group; do [ -z "$group" ] || echo $$ >"$group/cgroup.procs"; done
exec "$@"
