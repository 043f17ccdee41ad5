#!/usr/bin/env bash
# Rotates many shared passwords over OpenBao, Secrets Manager and PostgreSQL in one case while the program is killed again and again.
#
#   benches/rotate.sh [SECRETS] [KILLS]     default: 500 secrets, SIGKILL ten times
#
# The servers are those of the tests (tests/lab). It is the test `scale` at another size: it fails unless every store ends with
# a value that works, every old one is dead, and no value is in the case. Prints wall times and calls.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tests/lab/up up core
export OFFKEY_SCALE=${1:-500} OFFKEY_SCALE_KILLS=${2:-10}
exec cargo test --release --test integration scale:: -- --nocapture
