#!/bin/sh
# Makes a replica the master, and loses nothing: the old master takes no more writes before its replica takes over, so that
# the replica has all of them. Without that, what is written in the second of the failover would be lost, or sent twice.
#
#   docs/examples/failover.sh SENTINEL-HOST SENTINEL-PORT MASTER-NAME
#
# Logins: REDISCLI_AUTH for the server, SENTINEL_AUTH for the sentinel. For TLS, put --tls and its files into REDIS_CLI.
# Ends with 0 when the sentinel names the new master; with 1, and the old master at work again, when it does not in time.
set -u

host=$1 port=$2 name=$3
: "${REDIS_CLI:=redis-cli}"

sentinel() { REDISCLI_AUTH=${SENTINEL_AUTH-} $REDIS_CLI -h "$host" -p "$port" SENTINEL "$@"; }
address() { sentinel get-master-addr-by-name "$name" | tr '\n' ' '; }
fail() { echo "failover: $*" >&2; exit 1; }

old=$(address)
# shellcheck disable=SC2086 # two words: host and port
set -- $old
[ $# -eq 2 ] || fail "the sentinel names no master '$name': $old"
server() { $REDIS_CLI -h "$old_host" -p "$old_port" "$@"; }
old_host=$1 old_port=$2

# The longest that writers wait. They are let go before, when the old master becomes a replica.
[ "$(server CLIENT PAUSE 6000 WRITE)" = OK ] || fail "the master $old_host:$old_port refuses CLIENT PAUSE"
# A replica that is behind catches up within the pause; the sentinel takes the one that is ahead.
answer=$(sentinel failover "$name")
if [ "$answer" != OK ]; then
  server CLIENT UNPAUSE >/dev/null
  fail "the sentinel refuses: $answer"
fi

tries=0
while [ $tries -lt 50 ]; do
  new=$(address)
  if [ -n "$new" ] && [ "$new" != "$old" ]; then
    echo "failover: from $old_host:$old_port to $(echo "$new" | sed 's/ *$//; s/ /:/')"
    exit 0
  fi
  sleep 0.1
  tries=$((tries + 1))
done
server CLIENT UNPAUSE >/dev/null
fail "no other master within 5 s; see the sentinel's log"
