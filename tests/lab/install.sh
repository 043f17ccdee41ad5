# Getting the servers: Debian packages (as root) and wheels in two virtual environments. Nothing is fetched when it is there.
# shellcheck shell=bash

declare -A PACKAGES=(
  [postgres]="postgresql" [mariadb]="mariadb-server" [redis]="redis-server age" [rabbitmq]="rabbitmq-server"
  [slapd]="slapd ldap-utils" [sshd]="openssh-server openssh-client"
)
# Which virtual environment holds a server: tests/lab/requirements-NAME.txt pins it.
declare -A WHEELS=([openbao]=tools [moto]=tools [nats]=tools [ministack]=ministack)
# age is no server: tests run it on files. It comes with the smallest server that the tests always want.
# Programs whose presence means that the packages are there. PostgreSQL's are not on the PATH.
declare -A PROGRAMS=(
  [mariadb]="mariadbd mariadb-install-db mariadb" [redis]="redis-server redis-cli age age-keygen" [rabbitmq]="rabbitmq-server epmd"
  [slapd]="slapd slapadd slappasswd ldapwhoami" [sshd]="sshd ssh-keygen ssh"
)

have_programs() {
  local program
  if [ "$1" = postgres ]; then [ -n "$(postgres_bin)" ]; return; fi
  for program in ${PROGRAMS[$1]:-}; do command -v "$program" >/dev/null || return 1; done
}

# Debian starts a server when its package is installed, unless policy-rc.d forbids it. The lab starts its own.
without_autostart() {
  local policy=/usr/sbin/policy-rc.d made= status=0
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    made=1
  fi
  if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    mkdir -p /etc/postgresql-common
    echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
  fi
  "$@" || status=$?
  [ -z "$made" ] || rm -f "$policy"
  return "$status"
}

apt_install() {
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q -o DPkg::Lock::Timeout=300 </dev/null &&
    apt-get install -y -q -o DPkg::Lock::Timeout=300 --no-install-recommends "$@" </dev/null
}

install_packages() {
  local packages=("$@")
  [ "$(id -u)" = 0 ] || die "missing Debian packages and not root; as root run: apt-get install --no-install-recommends ${packages[*]}"
  command -v apt-get >/dev/null || die "missing and there is no apt-get; install what your system calls: ${packages[*]}"
  log "installing ${packages[*]}"
  without_autostart apt_install "${packages[@]}" >"$LAB/log/apt" 2>&1 || die "apt-get install ${packages[*]}; see $LAB/log/apt: $(tail -n 2 "$LAB/log/apt" | tr '\n' ' ')"
}

# The stamp holds the pins, so that a changed pin makes a new environment.
install_wheels() {
  local name=$1 venv="$LAB/venv-$1" wants="$here/requirements-$1.txt"
  cmp -s "$wants" "$venv/.pins" && return 0
  log "making the Python environment '$name'"
  rm -rf "$venv"
  python3 -m venv "$venv" >"$LAB/log/pip-$name" 2>&1 ||
    die "python3 cannot make a virtual environment; as root run: apt-get install python3 python3-venv ($(tail -n 1 "$LAB/log/pip-$name"))"
  "$venv/bin/pip" install -q --no-input --no-compile --no-deps -r "$wants" >>"$LAB/log/pip-$name" 2>&1 ||
    die "pip could not install $wants; see $LAB/log/pip-$name: $(tail -n 2 "$LAB/log/pip-$name" | tr '\n' ' ')"
  cp "$wants" "$venv/.pins"
}

install_for() {
  local name packages=() wheels=" programs " jobs=() failed=0
  for name in curl openssl flock python3 setpriv; do
    command -v "$name" >/dev/null || die "$name is missing; as root run: apt-get install curl openssl util-linux python3 python3-venv"
  done
  for name in "$@"; do
    # shellcheck disable=SC2206
    have_programs "$name" || packages+=(${PACKAGES[$name]})
    case "$wheels" in *" ${WHEELS[$name]:-} "*) ;; *) wheels+="${WHEELS[$name]:-} " ;; esac
  done
  if [ "${#packages[@]}" -gt 0 ]; then install_packages "${packages[@]}" & jobs+=($!); fi
  for name in $wheels; do install_wheels "$name" & jobs+=($!); done
  for name in "${jobs[@]:-}"; do [ -z "$name" ] || wait "$name" || failed=1; done
  [ "$failed" = 0 ] || exit 1
}
