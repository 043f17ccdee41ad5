# OpenBao: raft storage, unsealed by a static key, audited to a file; mounts secret/ (KV 2), database/, userpass, approle.
# shellcheck shell=bash

openbao_port() { echo "$BASE"; }
openbao_url() { echo "http://$HOST:$(openbao_port)"; }

# bao_call METHOD PATH [JSON] with BAO_TOKEN set: prints the answer. Token and body travel by standard input, because
# every user of the machine can read a command line.
bao_call() {
  local method=$1 path=$2 body=${3:-}
  {
    printf 'url = "%s/v1/%s"\nrequest = "%s"\n' "${BAO_URL:-$(openbao_url)}" "$path" "$method"
    [ -z "${BAO_TOKEN:-}" ] || printf 'header = "X-Vault-Token: %s"\n' "$BAO_TOKEN"
    [ -z "$body" ] || printf 'data = "%s"\n' "$(tr '\n' ' ' <<<"$body" | sed 's/[\\"]/\\&/g')"
  } | curl -sS --fail-with-body --max-time 20 -K -
}
json_field() { python3 -c 'import json,sys
value = json.load(sys.stdin)
for key in sys.argv[1].split("."): value = value[key]
print(value)' "$1"; }

# The 'initialize' stanza runs once, on empty storage, and the root token it works with is revoked afterwards: so it
# also makes an administrator. Audit devices can only be declared in this file, the API to add them is off.
openbao_config() {
  local data="$LAB/openbao"
  cat <<HCL
api_addr = "$(openbao_url)"
cluster_addr = "http://$HOST:$(($(openbao_port) + 1))"

listener "tcp" {
  address         = "$HOST:$(openbao_port)"
  cluster_address = "$HOST:$(($(openbao_port) + 1))"
  tls_disable     = true
}

storage "raft" {
  path                   = "$data/raft"
  node_id                = "lab"
  performance_multiplier = 1
}

seal "static" {
  current_key_id = "lab"
  current_key    = "file://$data/seal.key"
}

audit "file" "file" {
  options { file_path = "$data/audit.log" }
}

initialize "lab" {
$(openbao_request kv sys/mounts/secret 'type = "kv", options = { version = "2" }')
$(openbao_request database sys/mounts/database 'type = "database"')
$(openbao_request userpass sys/auth/userpass 'type = "userpass"')
$(openbao_request approle sys/auth/approle 'type = "approle"')
$(openbao_request policy sys/policies/acl/lab-admin 'policy = "path \"*\" { capabilities = [\"create\", \"read\", \"update\", \"patch\", \"delete\", \"list\", \"scan\", \"sudo\"] }"')
$(openbao_request admin auth/userpass/users/lab-admin "password = \"$(secret openbao-admin)\", token_policies = [\"lab-admin\"]")
}
HCL
}
openbao_request() {
  printf '  request "%s" {\n    operation = "update"\n    path      = "%s"\n    data      = { %s }\n  }' "$1" "$2" "$3"
}

openbao_login() {
  local answer
  answer=$(bao_call PUT auth/userpass/login/lab-admin "{\"password\":\"$(secret openbao-admin)\"}") || return 1
  (umask 077; json_field auth.client_token <<<"$answer" >"$LAB/secret/openbao-token")
}

# Whether the administrator's token is there and still good.
openbao_token_works() {
  [ -s "$LAB/secret/openbao-token" ] && BAO_TOKEN=$(<"$LAB/secret/openbao-token") bao_call GET auth/token/lookup-self >/dev/null 2>&1
}

openbao_start() {
  local data="$LAB/openbao"
  if ! running openbao; then
    port_must_be_free "$(openbao_port)"
    (umask 077; mkdir -p "$data/raft"; openbao_config >"$data/config.hcl"; [ -s "$data/seal.key" ] || head -c 32 /dev/urandom >"$data/seal.key")
    spawn openbao "$LAB/venv-tools/bin/bao" server -config="$data/config.hcl"
  fi
  until_true 60 openbao curl -sf "$(openbao_url)/v1/sys/health"
  # Health is good a little before the requests of the 'initialize' stanza are done.
  openbao_token_works || until_true 60 openbao openbao_login
  # A KV 2 mount refuses writes until its upgrade from version 1, which runs in the background, is done.
  BAO_TOKEN=$(<"$LAB/secret/openbao-token") until_true 30 openbao bao_call GET secret/config
}

# The connection 'lab' of the database engine; tests add their own roles to it.
openbao_knows_postgres() {
  local stamp="$LAB/openbao/knows-postgres" url
  url="$HOST:$(postgres_port)"
  [ "$(cat "$stamp" 2>/dev/null)" != "$url" ] || return 0
  BAO_TOKEN=$(<"$LAB/secret/openbao-token") bao_call PUT database/config/lab "$(cat <<JSON
{"plugin_name": "postgresql-database-plugin", "allowed_roles": "*", "password_authentication": "scram-sha-256",
 "connection_url": "postgresql://{{username}}:{{password}}@$url/postgres?sslmode=disable",
 "username": "openbao", "password": "$(secret postgres-openbao)"}
JSON
  )" >"$LAB/log/openbao-database" || die "OpenBao could not be told about PostgreSQL: $(tr '\n' ' ' <"$LAB/log/openbao-database")"
  echo "$url" >"$stamp"
}

openbao_env() {
  cat <<ENV
export LAB_BAO_ADDR=$(openbao_url)
export LAB_BAO_TOKEN=$(cat "$LAB/secret/openbao-token")
export LAB_BAO_AUDIT_LOG=$LAB/openbao/audit.log
export LAB_BAO_DATABASE=lab
ENV
}
