# Private OpenBaos: one for one test that must seal it, stop it or read an audit log with nothing else in it. In memory,
# version 2 key-value store at secret/, root token, file audit.
# They need no lock: each has a name of its own.
# shellcheck shell=bash

private_port() { cat "$LAB/private/$1/port" 2>/dev/null || echo -; }

private_name() {
  [[ $1 =~ ^[a-z0-9-]+$ ]] || die "a private OpenBao's name is small letters, digits and dashes, not '$1'"
  echo "vault-$1"
}

# Ports of private servers are drawn above those of the shared ones; one that is taken is drawn again.
private_draw_port() {
  local port
  for _ in $(seq 50); do
    port=$((BASE + 100 + RANDOM % 5000))
    (exec 3<>"/dev/tcp/$HOST/$port") 2>/dev/null || { echo "$port"; return; }
  done
  die "no free port between $((BASE + 100)) and $((BASE + 5100))"
}

# Answers, and has printed its unseal key; or is dead, which the caller looks at.
private_answers() {
  running "$1" || return 0
  grep -q '^Unseal Key: ' "$LAB/log/$1" || return 1
  curl -sf --max-time 2 "http://$HOST:$(private_port "$1")/v1/sys/health" >/dev/null
}

private_vault() {
  local name folder token
  name=$(private_name "$1")
  folder="$LAB/private/$name"
  [ -x "$LAB/venv-tools/bin/bao" ] || die "the lab is not running: run tests/lab/up"
  running "$name" && die "$name runs already; stop it first: tests/lab/up stop ${name#vault-}"
  rm -rf "$folder"
  (umask 077; mkdir -p "$folder")
  token=$(openssl rand -hex 20)
  printf 'audit "file" "file" {\n  options { file_path = "%s/audit.log" }\n}\n' "$folder" >"$folder/config.hcl"
  # The server may lose the race for its port; then it ends at once, and another port is drawn.
  for _ in 1 2 3; do
    private_draw_port >"$folder/port"
    : >"$LAB/log/$name"
    BAO_DEV_ROOT_TOKEN_ID=$token HOME=$folder spawn "$name" "$LAB/venv-tools/bin/bao" server -dev -dev-no-store-token \
      -dev-listen-address="$HOST:$(private_port "$name")" -config="$folder/config.hcl"
    until private_answers "$name"; do sleep 0.05; done
    running "$name" && break
  done
  running "$name" || die "$name did not start; see $LAB/log/$name: $(tail -n 2 "$LAB/log/$name" | tr '\n' ' ')"
  (umask 077; cat >"$folder/env" <<ENV
export LAB_PRIVATE_NAME=$name
export LAB_PRIVATE_ADDR=http://$HOST:$(private_port "$name")
export LAB_PRIVATE_TOKEN=$token
export LAB_PRIVATE_UNSEAL=$(sed -n 's/.*Unseal Key: *//p' "$LAB/log/$name" | head -n 1)
export LAB_PRIVATE_AUDIT_LOG=$folder/audit.log
ENV
  )
  cat "$folder/env"
}

# private_call NAME METHOD PATH [JSON]
private_call() {
  local name=$1
  shift
  running "$name" || die "$name does not run"
  (
    # shellcheck source=/dev/null
    . "$LAB/private/$name/env"
    BAO_URL=$LAB_PRIVATE_ADDR BAO_TOKEN=$LAB_PRIVATE_TOKEN bao_call "$@"
  )
}
private_stop() {
  local name
  name=$(private_name "${1#vault-}")
  stop "$name" KILL # in memory: there is nothing to close properly
  rm -rf "$LAB/private/$name" "$LAB/log/$name"
}
private_seal() { private_call "$(private_name "${1#vault-}")" PUT sys/seal; }
private_unseal() {
  local name
  name=$(private_name "${1#vault-}")
  private_call "$name" PUT sys/unseal "{\"key\":\"$(sed -n 's/.*LAB_PRIVATE_UNSEAL=//p' "$LAB/private/$name/env")\"}" >/dev/null
}
