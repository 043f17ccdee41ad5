# Two emulators of AWS. ministack refuses deactivated and deleted keys as AWS does, so verdicts about dead keys are
# proved on it; moto lets a deactivated key in, but knows last use, Organizations and reports. Both forget
# everything when they stop.
# shellcheck shell=bash

ministack_port() { echo $((BASE + 20)); }
moto_port() { echo $((BASE + 21)); }

# A key id in the shape of AWS's own, made here: the prefix and sixteen letters and digits of its base-32 alphabet.
aws_key_id() {
  local file="$LAB/secret/$1"
  if [ ! -s "$file" ]; then (umask 077; python3 -c 'import base64, os
print("AK" + "IA" + base64.b32encode(os.urandom(10)).decode())' >"$file"); fi
  cat "$file"
}

ministack_start() {
  if ! running ministack; then
    port_must_be_free "$(ministack_port)"
    # Without BIND_HOST it listens on every interface, and without AUTH it lets everybody in.
    AUTH=true BIND_HOST=$HOST MINISTACK_HOST=$HOST GATEWAY_PORT=$(ministack_port) MINISTACK_REGION=eu-west-1 CLOUDTRAIL_RECORDING=1 \
      AWS_ACCESS_KEY_ID=$(aws_key_id ministack-key-id) AWS_SECRET_ACCESS_KEY=$(secret ministack-key) \
      spawn ministack "$LAB/venv-ministack/bin/ministack"
  fi
  until_true 60 ministack curl -sf "http://$HOST:$(ministack_port)/_ministack/health"
}

# moto begins open and without any key: an administrator is made first, and then enforcement is switched on.
moto_start() {
  local admin="$LAB/secret/moto-admin"
  if ! running moto; then
    rm -f "$admin"
    port_must_be_free "$(moto_port)"
    spawn moto "$LAB/venv-tools/bin/moto_server" -H "$HOST" -p "$(moto_port)"
  fi
  until_true 60 moto curl -sf -o /dev/null "http://$HOST:$(moto_port)/moto-api/"
  [ -s "$admin" ] && return 0
  (umask 077; "$LAB/venv-tools/bin/python" "$here/moto_admin.py" "http://$HOST:$(moto_port)" >"$admin.new" 2>>"$LAB/log/moto") ||
    die "moto's administrator could not be made; see $LAB/log/moto"
  mv "$admin.new" "$admin"
}

ministack_env() {
  cat <<ENV
export LAB_MINISTACK_URL=http://$HOST:$(ministack_port)
export LAB_MINISTACK_KEY_ID=$(aws_key_id ministack-key-id)
export LAB_MINISTACK_KEY=$(secret ministack-key)
export LAB_AWS_REGION=eu-west-1
ENV
}
moto_env() {
  local id key
  read -r id key <"$LAB/secret/moto-admin"
  cat <<ENV
export LAB_MOTO_URL=http://$HOST:$(moto_port)
export LAB_MOTO_KEY_ID=$id
export LAB_MOTO_KEY=$key
ENV
}
