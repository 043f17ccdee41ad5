# OpenLDAP: the suffix dc=lab,dc=test with ou=people and ou=groups, both empty; tests add their people.
# shellcheck shell=bash

slapd_port() { echo $((BASE + 50)); }
slapd_admin() { echo cn=admin,dc=lab,dc=test; }

slapd_config() {
  local folder="$LAB/slapd"
  cat <<CONF
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
pidfile $folder/pid
database mdb
suffix "dc=lab,dc=test"
rootdn "$(slapd_admin)"
rootpw $(secret slapd-admin)
directory $folder/data
# People may bind, and change their own password; nobody else reads it.
access to attrs=userPassword by self write by anonymous auth by * none
access to * by * read
overlay memberof
CONF
}

slapd_seed() {
  cat <<LDIF
dn: dc=lab,dc=test
objectClass: dcObject
objectClass: organization
dc: lab
o: Lab

dn: ou=people,dc=lab,dc=test
objectClass: organizationalUnit
ou: people

dn: ou=groups,dc=lab,dc=test
objectClass: organizationalUnit
ou: groups
LDIF
}

slapd_answers() {
  ldapwhoami -x -H "ldap://$HOST:$(slapd_port)" -D "$(slapd_admin)" -y <(printf %s "$(secret slapd-admin)")
}

slapd_start() {
  local folder="$LAB/slapd" slapd
  slapd=$(command -v slapd)
  (umask 077; mkdir -p "$folder"; slapd_config >"$folder/slapd.conf")
  if [ ! -e "$folder/made" ]; then
    rm -rf "$folder/data"
    mkdir -m 0700 "$folder/data"
    slapd_seed | slapadd -f "$folder/slapd.conf" >"$LAB/log/slapd-seed" 2>&1 || die "slapadd; see $LAB/log/slapd-seed"
    touch "$folder/made"
  fi
  if ! running slapd; then
    port_must_be_free "$(slapd_port)"
    # -d keeps it in the foreground; level 0 says nothing but errors.
    spawn slapd "$slapd" -f "$folder/slapd.conf" -h "ldap://$HOST:$(slapd_port)/" -d 0
  fi
  until_true 20 slapd slapd_answers
}

slapd_env() {
  cat <<ENV
export LAB_LDAP_HOST=$HOST
export LAB_LDAP_PORT=$(slapd_port)
export LAB_LDAP_USER=$(slapd_admin)
export LAB_LDAP_PASSWORD=$(secret slapd-admin)
export LAB_LDAP_SUFFIX=dc=lab,dc=test
ENV
}
