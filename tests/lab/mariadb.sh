# MariaDB: its own data folder, root by password over TCP.
# shellcheck shell=bash

mariadb_port() { echo $((BASE + 30)); }

# mariadb_sql: runs what comes on standard input as root. The password is in a file that only we read.
mariadb_sql() {
  mariadb --defaults-file="$LAB/secret/mariadb.cnf" --batch --skip-column-names
}

mariadb_make() {
  local data=$1
  rm -rf "$data"
  mkdir -p "$LAB/mariadb"
  if [ "$(id -u)" = 0 ]; then chown mysql "$LAB/mariadb"; fi
  (as mysql mariadb-install-db --no-defaults --datadir="$data" --auth-root-authentication-method=normal --skip-test-db) \
    >"$LAB/log/mariadb-install" 2>&1 || die "mariadb-install-db; see $LAB/log/mariadb-install: $(tail -n 2 "$LAB/log/mariadb-install" | tr '\n' ' ')"
  # Runs before anybody can connect: the installer leaves accounts of root without a password for every name of the
  # machine. With --skip-name-resolve, who comes from 127.0.0.1 is not called localhost.
  (umask 077; cat >"$LAB/mariadb/first.sql" <<SQL
delete from mysql.global_priv where User = 'root' and Host <> 'localhost';
flush privileges;
alter user root@localhost identified by '$(secret mariadb-root)';
create user root@'$HOST' identified by '$(secret mariadb-root)';
grant all on *.* to root@'$HOST' with grant option;
SQL
  )
  if [ "$(id -u)" = 0 ]; then chown mysql "$LAB/mariadb/first.sql"; fi
}

mariadb_start() {
  local data="$LAB/mariadb/data" first=()
  if [ ! -e "$LAB/mariadb/made" ]; then mariadb_make "$data"; first=(--init-file="$LAB/mariadb/first.sql"); fi
  if ! running mariadb; then
    port_must_be_free "$(mariadb_port)"
    spawn_as mysql mariadb "$(command -v mariadbd)" --no-defaults --datadir="$data" --port="$(mariadb_port)" --bind-address="$HOST" \
      --socket="$LAB/mariadb/socket" --pid-file="$LAB/mariadb/pid" --skip-log-bin --skip-name-resolve \
      "${first[@]}"
  fi
  (umask 077; printf '[client]\nhost=%s\nport=%s\nprotocol=tcp\nuser=root\npassword=%s\n' "$HOST" "$(mariadb_port)" "$(secret mariadb-root)" >"$LAB/secret/mariadb.cnf")
  until_true 60 mariadb mariadb_sql <<<'select 1'
  touch "$LAB/mariadb/made"
  rm -f "$LAB/mariadb/first.sql"
}

mariadb_env() {
  cat <<ENV
export LAB_MARIADB_HOST=$HOST
export LAB_MARIADB_PORT=$(mariadb_port)
export LAB_MARIADB_USER=root
export LAB_MARIADB_PASSWORD=$(secret mariadb-root)
ENV
}
