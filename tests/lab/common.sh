# Words that every server's file uses. Read by tests/lab/up, never run.
# shellcheck shell=bash

log() { printf 'lab: %s\n' "$*" >&2; }
die() { log "FAILED: $*"; exit 1; }

# The folder is ours alone to write, and others may enter but not list it (PostgreSQL's own user must enter).
# A folder at this place that somebody else made is refused: /var/tmp is open to everybody.
make_folder() {
  mkdir -p "$(dirname "$LAB")"
  mkdir -m 0711 "$LAB" 2>/dev/null || true
  [ -d "$LAB" ] && [ ! -L "$LAB" ] && [ -O "$LAB" ] || die "$LAB is not a folder of yours; remove it or set OFFKEY_LAB"
  chmod 0711 "$LAB"
  touch "$LAB/.offkey-lab"
  (umask 077; mkdir -p "$LAB/run" "$LAB/log" "$LAB/secret")
}

# One change of the shared servers at a time. The lock ends with this process; servers do not inherit it (see spawn).
lock() {
  exec 9>"$LAB/.lock"
  flock -w 900 9 || die "another tests/lab/up has held $LAB/.lock for 15 minutes; see what it does, then try again"
}

# secret NAME: a random value, made when first asked for and kept with the lab. Letters and digits only, so that it
# needs no escaping in any configuration file or URL.
secret() {
  local file="$LAB/secret/$1" new
  if [ ! -s "$file" ]; then
    # Whole or not at all, and never over another's: callers may be parallel.
    new=$(mktemp "$file.XXXXXX")
    openssl rand -hex 20 >"$new"
    ln "$new" "$file" 2>/dev/null || true
    rm -f "$new"
  fi
  cat "$file"
}

# as USER COMMAND…: drops to USER when root, else runs as we are (then every server is ours anyway). It execs, so
# that the process id of a spawned server is the server's own.
as() {
  local user=$1
  shift
  if [ "$(id -u)" = 0 ]; then
    exec setpriv --reuid="$user" --regid="$user" --init-groups -- env HOME="$LAB" "$@"
  fi
  exec "$@"
}

# When a process began, in clock ticks since boot: with the id it names one process, even after ids are used again.
began() {
  local stat
  { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
  stat=${stat##*) }
  # shellcheck disable=SC2086
  set -- $stat
  echo "${20}"
}

# spawn NAME COMMAND…: detached, output to log/NAME, identity to run/NAME.
spawn() {
  local name=$1 pid
  shift
  (cd "$LAB" && exec setsid nohup "$@" >>"$LAB/log/$name" 2>&1 </dev/null 9>&-) &
  pid=$!
  printf '%s %s\n' "$pid" "$(began "$pid")" >"$LAB/run/$name"
}

# spawn_as USER NAME COMMAND…
spawn_as() {
  local user=$1 name=$2
  shift 2
  if [ "$(id -u)" = 0 ]; then
    spawn "$name" setpriv --reuid="$user" --regid="$user" --init-groups -- env HOME="$LAB" "$@"
  else
    spawn "$name" "$@"
  fi
}

# The process id of a server that runs, or failure.
pid_of() {
  local pid start
  read -r pid start 2>/dev/null <"$LAB/run/$1" || return 1
  [ "$(began "$pid")" = "$start" ] || return 1
  echo "$pid"
}
running() { pid_of "$1" >/dev/null; }
# What was started by name. RabbitMQ stops its epmd itself, afterwards: without it, it could not stop in order.
run_names() { ls "$LAB/run" 2>/dev/null | grep -vx epmd || true; }

# until_true SECONDS NAME COMMAND…: waits for a server, but not for one that is dead.
until_true() {
  local limit=$((SECONDS + $1)) name=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    running "$name" || die "$name ended while starting; its last words: $(tail -n 3 "$LAB/log/$name" | tr '\n' ' ')"
    [ "$SECONDS" -lt "$limit" ] || die "$name does not answer; see $LAB/log/$name"
    sleep 0.1
  done
}

# A port that somebody else holds would make the health check talk to a stranger.
port_must_be_free() {
  ! (exec 3<>"/dev/tcp/$HOST/$1") 2>/dev/null || die "port $1 is in use by something else; set OFFKEY_LAB_BASE to move the lab"
}

# stop NAME [SIGNAL]: asks, waits half a minute, insists.
stop() {
  local name=$1 signal=${2:-TERM} pid
  if pid=$(pid_of "$name"); then
    kill "-$signal" "$pid" 2>/dev/null || true
    for _ in $(seq 300); do running "$name" || break; sleep 0.1; done
    # The whole group, which spawn made: a script that started the server must not leave it behind.
    if running "$name"; then kill -KILL -- "-$pid" 2>/dev/null || true; fi
    log "stopped $name"
  fi
  rm -f "$LAB/run/$name"
}
# A server's own way to stop, if its file has one.
stop_quietly() { if declare -F "${1}_stop" >/dev/null; then "${1}_stop"; else stop "$1"; fi; }
start() { "${1}_start"; }

# together WHAT NAME…: runs WHAT for all names at once and fails if one fails.
together() {
  local what=$1 name jobs=() failed=0
  shift
  for name in "$@"; do "$what" "$name" & jobs+=($!); done
  for name in "${jobs[@]}"; do wait "$name" || failed=1; done
  [ "$failed" = 0 ] || exit 1
}

# One line about a server.
line() {
  local pid port=-
  declare -F "${1//-/_}_port" >/dev/null && port=$("${1//-/_}_port")
  case "$1" in vault-*) port=$(private_port "$1") ;; esac
  if pid=$(pid_of "$1"); then
    printf '%-10s up    %s:%-6s pid %-7s %4d MiB\n' "$1" "$HOST" "$port" "$pid" "$(($(awk '/VmRSS/{print $2}' "/proc/$pid/status") / 1024))"
  else
    printf '%-10s down\n' "$1"
  fi
}

# The settings of every server that runs, in one file that appears whole or not at all.
write_env() {
  local name
  (
    umask 077
    {
      echo "# Written by tests/lab/up. Synthetic credentials of servers on loopback; they end with 'tests/lab/up purge'."
      printf "export LAB_FOLDER=%s\nexport LAB_TOOLS=%s\n" "$LAB" "$LAB/venv-tools/bin"
      for name in "${CORE[@]}" "${OTHERS[@]}"; do if running "$name"; then "${name}_env"; fi; done
    } >"$LAB/env.new"
  )
  mv "$LAB/env.new" "$LAB/env"
  if [ -z "$(run_names | grep -v '^vault-' || true)" ]; then rm -f "$LAB/env"; fi
}
