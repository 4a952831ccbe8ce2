#!/usr/bin/env bash
# What `terway-cli inspect pod` says; the name that the troubleshooting document uses.
exec "$(dirname "$0")/inspect-terway.sh" pod "$@"
