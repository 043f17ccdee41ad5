# NATS with JetStream, without passwords: it carries work, not secrets.
# shellcheck shell=bash

nats_port() { echo $((BASE + 60)); }

nats_start() {
  if ! running nats; then
    port_must_be_free "$(nats_port)"
    spawn nats "$LAB/venv-tools/bin/nats-server" -a "$HOST" -p "$(nats_port)" -m $(($(nats_port) + 1)) -js -sd "$LAB/nats"
  fi
  until_true 20 nats curl -sf "http://$HOST:$(($(nats_port) + 1))/healthz"
}

nats_env() {
  cat <<ENV
export LAB_NATS_URL=nats://$HOST:$(nats_port)
export LAB_NATS_MONITOR=http://$HOST:$(($(nats_port) + 1))
ENV
}
