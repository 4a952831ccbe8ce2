#!/usr/bin/env bash
# What `terway-cli inspect node` says; the name that the troubleshooting document uses.
exec "$(dirname "$0")/inspect-terway.sh" node "$@"
