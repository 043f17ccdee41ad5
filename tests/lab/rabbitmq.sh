# RabbitMQ with its management interface. Its name server (epmd), its distribution and its management would each listen
# on every interface: each is bound here, and epmd is the lab's own.
# shellcheck shell=bash

rabbitmq_port() { echo $((BASE + 40)); }
rabbitmq_management() { echo $((BASE + 41)); }
epmd_port() { echo $((BASE + 43)); }

rabbitmq_config() {
  cat <<CONF
listeners.tcp.1 = $HOST:$(rabbitmq_port)
management.tcp.ip = $HOST
management.tcp.port = $(rabbitmq_management)
default_user = lab-admin
default_pass = $(secret rabbitmq-admin)
default_user_tags.administrator = true
CONF
}

# The script itself: what is on the PATH is a wrapper that changes users in its own way.
rabbitmq_program() {
  local script
  script=$(ls /usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server 2>/dev/null | sort -V | tail -n 1)
  echo "${script:-$(command -v rabbitmq-server)}"
}

rabbitmq_answers() {
  printf 'url = "http://%s:%s/api/overview"\nuser = "lab-admin:%s"\n' "$HOST" "$(rabbitmq_management)" "$(secret rabbitmq-admin)" |
    curl -sf --max-time 5 -K -
}

rabbitmq_start() {
  local folder="$LAB/rabbitmq"
  if ! running epmd; then
    port_must_be_free "$(epmd_port)"
    spawn epmd "$(command -v epmd)" -address "$HOST" -port "$(epmd_port)"
  fi
  if ! running rabbitmq; then
    port_must_be_free "$(rabbitmq_port)"
    (umask 077; mkdir -p "$folder"; rabbitmq_config >"$folder/rabbitmq.conf"; echo '[rabbitmq_management].' >"$folder/plugins")
    if [ "$(id -u)" = 0 ]; then chown -R rabbitmq "$folder"; fi
    # RUNNING_UNDER_SYSTEMD makes the script become the server, where it would else stay and watch it.
    spawn_as rabbitmq rabbitmq env HOME="$folder" RUNNING_UNDER_SYSTEMD=true \
      RABBITMQ_NODENAME=offkey-lab@localhost RABBITMQ_DIST_PORT=$((BASE + 42)) \
      RABBITMQ_MNESIA_BASE="$folder/mnesia" RABBITMQ_LOG_BASE="$folder/log" RABBITMQ_PID_FILE="$folder/pid" \
      RABBITMQ_ENABLED_PLUGINS_FILE="$folder/plugins" RABBITMQ_CONFIG_FILE="$folder/rabbitmq.conf" \
      ERL_EPMD_ADDRESS="$HOST" ERL_EPMD_PORT="$(epmd_port)" \
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1}" "$(rabbitmq_program)"
  fi
  until_true 120 rabbitmq rabbitmq_answers
}

rabbitmq_stop() {
  stop rabbitmq
  stop epmd
}

rabbitmq_env() {
  cat <<ENV
export LAB_RABBITMQ_URL=http://$HOST:$(rabbitmq_management)
export LAB_RABBITMQ_PORT=$(rabbitmq_port)
export LAB_RABBITMQ_USER=lab-admin
export LAB_RABBITMQ_PASSWORD=$(secret rabbitmq-admin)
ENV
}
