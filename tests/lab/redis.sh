# Redis: access by ACL users; 'default' is the administrator. Keeps nothing over a restart.
# shellcheck shell=bash

redis_port() { echo $((BASE + 31)); }

redis_ping() { [ "$(REDISCLI_AUTH=$(secret redis-admin) redis-cli -h "$HOST" -p "$(redis_port)" --no-auth-warning ping)" = PONG ]; }

redis_start() {
  if ! running redis; then
    port_must_be_free "$(redis_port)"
    (umask 077; mkdir -p "$LAB/redis"; printf 'bind %s\nport %s\nsave ""\nappendonly no\ndir %s\nrequirepass %s\n' \
      "$HOST" "$(redis_port)" "$LAB/redis" "$(secret redis-admin)" >"$LAB/redis/redis.conf")
    spawn redis "$(command -v redis-server)" "$LAB/redis/redis.conf" --daemonize no
  fi
  until_true 20 redis redis_ping
}

redis_env() {
  cat <<ENV
export LAB_REDIS_HOST=$HOST
export LAB_REDIS_PORT=$(redis_port)
export LAB_REDIS_USER=default
export LAB_REDIS_PASSWORD=$(secret redis-admin)
ENV
}
