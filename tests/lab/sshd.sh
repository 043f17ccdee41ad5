# OpenSSH: lets the user who runs the lab in with one key; authorized_keys and revoked_keys are files that tests edit
# (a line each, of their own).
# shellcheck shell=bash

sshd_port() { echo $((BASE + 70)); }

sshd_config() {
  local folder="$LAB/sshd"
  cat <<CONF
ListenAddress $HOST
Port $(sshd_port)
HostKey $folder/host_key
PidFile none
AuthorizedKeysFile $folder/authorized_keys
RevokedKeys $folder/revoked_keys
# The folder lies outside of any home, which StrictModes does not like.
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
# Tests log in many at a time.
MaxStartups 100
CONF
}

sshd_answers() {
  ssh -F /dev/null -i "$LAB/sshd/client_key" -p "$(sshd_port)" -o BatchMode=yes -o IdentitiesOnly=yes -o ConnectTimeout=5 \
    -o UserKnownHostsFile="$LAB/sshd/known_hosts" -o StrictHostKeyChecking=yes "$(id -un)@$HOST" true </dev/null
}

sshd_make() {
  local folder=$1
  (
    umask 077
    mkdir -p "$folder"
    rm -f "$folder"/*
    ssh-keygen -q -t ed25519 -N '' -C lab -f "$folder/host_key"
    ssh-keygen -q -t ed25519 -N '' -C lab -f "$folder/client_key"
    cp "$folder/client_key.pub" "$folder/authorized_keys"
    : >"$folder/revoked_keys"
    printf '[%s]:%s %s\n' "$HOST" "$(sshd_port)" "$(cut -d' ' -f1,2 "$folder/host_key.pub")" >"$folder/known_hosts"
  ) </dev/null
  touch "$folder/made"
}

sshd_start() {
  local folder="$LAB/sshd"
  [ -e "$folder/made" ] || sshd_make "$folder"
  if ! running sshd; then
    port_must_be_free "$(sshd_port)"
    # Debian's sshd separates privileges in this folder, and its service makes it; only root's sshd needs it.
    if [ "$(id -u)" = 0 ]; then mkdir -p -m 0755 /run/sshd; fi
    (umask 077; sshd_config >"$folder/config")
    # It starts itself again for each connection, so it wants its whole path.
    spawn sshd "$(command -v sshd)" -D -e -f "$folder/config"
  fi
  until_true 20 sshd sshd_answers
}

sshd_env() {
  local folder="$LAB/sshd"
  cat <<ENV
export LAB_SSHD_HOST=$HOST
export LAB_SSHD_PORT=$(sshd_port)
export LAB_SSHD_USER=$(id -un)
export LAB_SSHD_KEY=$folder/client_key
export LAB_SSHD_AUTHORIZED_KEYS=$folder/authorized_keys
export LAB_SSHD_REVOKED_KEYS=$folder/revoked_keys
export LAB_SSHD_KNOWN_HOSTS=$folder/known_hosts
ENV
}
