# PostgreSQL: its own data folder, passwords by SCRAM, no socket files, loopback only.
# shellcheck shell=bash

postgres_port() { echo $((BASE + 10)); }

# Debian keeps the server's programs out of the PATH, a folder for each version: the newest counts.
postgres_bin() {
  local initdb
  initdb=$(ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null | sort -V | tail -n 1)
  [ -n "$initdb" ] || initdb=$(command -v initdb || true)
  if [ -n "$initdb" ]; then dirname "$(readlink -f "$initdb")"; fi
}

postgres_sql() {
  PGPASSWORD=$(secret postgres-admin) PGCONNECT_TIMEOUT=5 "$(postgres_bin)/psql" -X -q -At -v ON_ERROR_STOP=1 \
    -h "$HOST" -p "$(postgres_port)" -U postgres -d postgres "$@"
}

postgres_make() {
  local data=$1 pw="$LAB/postgres/first-password"
  mkdir -p "$LAB/postgres"
  (umask 077; secret postgres-admin >"$pw")
  if [ "$(id -u)" = 0 ]; then chown postgres "$LAB/postgres" "$pw"; fi
  (as postgres test -r "$pw") || die "the user postgres cannot enter $LAB; set OFFKEY_LAB to a folder that it can enter"
  rm -rf "$data"
  (as postgres "$(postgres_bin)/initdb" -D "$data" -U postgres --pwfile="$pw" -A scram-sha-256 -E UTF8 --locale=C --no-sync) \
    >"$LAB/log/postgres-initdb" 2>&1 || die "initdb; see $LAB/log/postgres-initdb: $(tail -n 2 "$LAB/log/postgres-initdb" | tr '\n' ' ')"
  rm -f "$pw"
}

postgres_start() {
  local data="$LAB/postgres/data"
  # The stamp comes last, so that a folder left by an interrupted initdb is made again.
  if [ ! -e "$LAB/postgres/made" ]; then postgres_make "$data"; touch "$LAB/postgres/made"; fi
  if ! running postgres; then
    port_must_be_free "$(postgres_port)"
    # Losing the data of a test server at a power cut costs nothing: fsync off.
    spawn_as postgres postgres "$(postgres_bin)/postgres" -D "$data" -p "$(postgres_port)" -c listen_addresses="$HOST" \
      -c unix_socket_directories= -c fsync=off -c max_connections=200 -c log_connections=on
  fi
  until_true 60 postgres postgres_sql -c 'select 1'
  # The administrator that OpenBao works with. The password travels by standard input.
  printf "select format('create role openbao superuser login password %%L', '%s') where not exists (select from pg_roles where rolname = 'openbao') \\\\gexec\n" \
    "$(secret postgres-openbao)" | postgres_sql
}

# SIGINT is PostgreSQL's fast stop: sessions are ended, not waited for.
postgres_stop() { stop postgres INT; }

postgres_env() {
  cat <<ENV
export LAB_PG_HOST=$HOST
export LAB_PG_PORT=$(postgres_port)
export LAB_PG_USER=postgres
export LAB_PG_PASSWORD=$(secret postgres-admin)
export LAB_PG_DATABASE=postgres
export LAB_PG_BIN=$(postgres_bin)
ENV
}
