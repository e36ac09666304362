#!/usr/bin/env bash
# The demo: a private redis-server and a worker under a private supervisord, all of it in ./run/ of this folder.
#
#   supervisor/demo.sh start           start them anew, push messages, show what became of them
#   supervisor/demo.sh start cluster   with a Redis Cluster of three servers, and a queue of three shards
#   supervisor/demo.sh stop            end all of it; the messages stay in ./run/ for the next start
#
# `make demo`, `make demo DEMO=cluster` and `make stop` call this. Needs .build/release/smsq, redis-server and supervisord.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
run=$root/run

# Options from the caller's environment would reach the worker and the pushes below, and send them to another Redis.
unset "${!SMSQ_@}"

say() {
  if [[ -t 1 ]]; then printf '\n\033[1m%s\033[0m\n' "$*"; else printf '\n%s\n' "$*"; fi
}

fail() {
  printf 'demo: %s\n' "$*" >&2
  exit 1
}

# Prints a command as one would type it in this folder, then runs it.
show() {
  local line='$' word
  for word in "$@"; do
    word=${word//"$root/"/}
    case $word in
      redis) word="redis-cli -s run/redis.sock" ;;
      cluster) word="redis-cli -c -p ${ports[0]}" ;;
      control) word="supervisorctl -c supervisor/$config" ;;
      *[!A-Za-z0-9_./:+=-]*) word="'$word'" ;;
    esac
    line+=" $word"
  done
  printf '%s\n' "$line"
  "$@"
}

# Calls a command every 100 ms until it succeeds.
wait_for() {
  local seconds=$1 what=$2 tries=0
  shift 2
  until "$@" >/dev/null 2>&1; do
    ((++tries <= seconds * 10)) || fail "$what: not within $seconds s. Look into $run/*.log and $run/*.err"
    sleep 0.1
  done
}

# The folder to call everything by: this one, or, where its path is too long for a socket or has characters that URLs and
# config files give a meaning to, a symbolic link to it in a new folder under /tmp that is ours alone.
set_home() {
  local LC_ALL=C # ${#...} counts bytes, and A-Z has no accents in it
  home=$root
  local longest=$root/supervisor/../run/supervisor.sock.1234567
  if ((${#longest} <= 107)) && [[ $root =~ ^[A-Za-z0-9_./-]+$ ]]; then return; fi
  local parent
  parent=$(cat "$run/short-path" 2>/dev/null || true)
  if [[ -z $parent || $(readlink "$parent/smsq" 2>/dev/null) != "$root" || ! -O $parent ]]; then
    parent=$(mktemp -d /tmp/smsq.XXXXXX)
    ln -s "$root" "$parent/smsq"
    printf '%s\n' "$parent" >"$run/short-path"
  fi
  home=$parent/smsq
}

config=supervisord.conf
# Of the cluster's servers, as cluster.conf has them: nodes of a cluster speak to each other, so sockets do not do.
ports=(17701 17702 17703)

redis() { redis-cli -s "$home/run/redis.sock" "$@"; }
cluster() { redis-cli -c -p "${ports[0]}" "$@"; }
control() { supervisorctl -c "$home/supervisor/$config" "$@"; }
smsq=$root/.build/release/smsq

# --- Stop ------------------------------------------------------------------------------------------------------------

stop() {
  [[ -d $run ]] || return 0
  set_home
  local pid
  # The answer, not the pid file, says whether it runs: after a crash the file stays and its number is anybody's.
  if pid=$(control pid 2>/dev/null) && [[ $pid =~ ^[0-9]+$ ]]; then
    control shutdown >/dev/null
    wait_for 60 "stopping supervisord ($pid)" gone "$pid"
    rm -f "$run/supervisord.pid"
  fi
  [[ ! -e $run/supervisord.pid ]] || stop_orphans
  if [[ $home != "$root" ]]; then
    rm -f "$home" "$run/short-path"
    rmdir "${home%/smsq}"
  fi
}

# Ends what a supervisord that was killed left behind: workers of this binary that use the demo's Redis, and that Redis,
# because two of them on the same files would ruin these.
stop_orphans() {
  local process port
  for process in /proc/[0-9]*; do
    [[ $(readlink "$process/exe" 2>/dev/null) == "$smsq"* ]] || continue
    grep -qzE "^SMSQ_REDIS=(unix://.*/supervisor/\.\./run/redis\.sock|redis\+cluster://127\.0\.0\.1:${ports[0]},.*)$" \
      "$process/environ" 2>/dev/null || continue
    kill "${process#/proc/}" 2>/dev/null || continue
    wait_for 30 "stopping the worker ${process#/proc/}" gone "${process#/proc/}"
  done
  if redis ping >/dev/null 2>&1; then
    redis shutdown >/dev/null 2>&1 || true
    wait_for 30 "stopping redis-server" silent
  fi
  for port in "${ports[@]}"; do
    # Only a server whose files are here: that port may be anybody's.
    [[ $(redis-cli -p "$port" config get dir 2>/dev/null | tail -n 1) -ef $run/redis-$port ]] || continue
    redis-cli -p "$port" shutdown >/dev/null 2>&1 || true
    wait_for 30 "stopping the redis-server at port $port" port_is_free "$port"
  done
  rm -f "$run/supervisord.pid"
}

gone() { [[ ! -e /proc/$1 ]]; }
silent() { ! redis ping; }
port_is_free() { ! redis-cli -p "$1" ping; }

# --- Start -----------------------------------------------------------------------------------------------------------

start() {
  [[ -x $smsq ]] || fail "$smsq is missing: run make first"
  mkdir -p "$run"
  chmod 700 "$run"
  stop
  set_home
  # supervisord as root asks for a user by name, and complains if it is given none.
  local as_user=()
  if ((EUID == 0)); then as_user=(--user root); fi
  if [[ $config == cluster.conf ]]; then prepare_cluster; fi
  supervisord -c "$home/supervisor/$config" "${as_user[@]}"
  if [[ $config == cluster.conf ]]; then
    wait_for 20 "starting three redis-servers" all_answer
    # They keep in their files that they are one: only the first start makes them so.
    if nobody_knows_another; then make_cluster; fi
    wait_for 30 "finding the cluster whole again (to have it made anew: make stop; rm -r $run/redis-*)" is_whole
  else
    wait_for 20 "starting redis-server" answers
  fi
  wait_for 20 "starting the worker" running
}

prepare_cluster() {
  local port
  for port in "${ports[@]}"; do
    # An error is an answer, too.
    if [[ $(redis-cli -p "$port" ping 2>/dev/null) ]]; then fail "another server has port $port, which this demo needs"; fi
    mkdir -p "$run/redis-$port"
  done
}

make_cluster() {
  show redis-cli --cluster create "${ports[@]/#/127.0.0.1:}" --cluster-yes >"$run/cluster-create.log" 2>&1 ||
    fail "the three servers did not become a cluster: see $run/cluster-create.log"
  # The rest is long, and nobody is to type it.
  head -n 1 "$run/cluster-create.log"
}

nobody_knows_another() {
  local port
  for port in "${ports[@]}"; do redis-cli -p "$port" cluster info | grep -q '^cluster_known_nodes:1\b' || return 1; done
}

all_answer() {
  local port
  for port in "${ports[@]}"; do [[ $(redis-cli -p "$port" ping) == PONG ]] || return 1; done
}

is_whole() {
  local port
  for port in "${ports[@]}"; do redis-cli -p "$port" cluster info | grep -q '^cluster_state:ok' || return 1; done
}

answers() { [[ $(redis ping) == PONG ]]; }
running() { control status 'sms:*' | grep -q RUNNING && ! control status 'sms:*' | grep -qv RUNNING; }

# --- Messages --------------------------------------------------------------------------------------------------------

# Some hundreds of messages, one JSON object a line, and four lines that are none.
write_messages() {
  local texts=(
    'Your parcel is at the front desk.'
    '您的验证码是 824917，五分钟内有效，请勿告诉他人。'
    'Table for two at eight? 🍜🥢 See you there 👋'
    'Grüße aus Köln: Ihr Termin ist am Montag um 9 Uhr. Kosten: 25 €'
    '您好！您预订的高铁票已经出票，请携带本人有效身份证件，提前三十分钟到车站检票。如果需要改签或者退票，请在开车之前办理。祝您一路平安，旅途愉快！这条短信超过七十个字，所以分成几段发送。'
    'This one is long: it has more than the one hundred and sixty characters that fit into a single text message, so the network carries it in parts, and the phone of whoever reads it puts them together again.'
    '👨‍👩‍👧‍👦 家庭套餐 2 份，明天见 🎉'
  )
  local number
  for ((number = 0; number < 300; number++)); do
    printf '{"to":"+86138%08d","text":"%s"}\n' "$number" "${texts[number % ${#texts[@]}]}"
    case $number in
      50) printf '{"to":"+8613800138000","text":"this line is cut sho\n' ;;
      100) printf '{"to":"12","text":"too short for a number"}\n' ;;
      150) printf '{"text":"to nobody"}\n' ;;
      200) printf 'hello\n' ;;
    esac
  done
}

# Nothing waits, nothing is scheduled, nothing is in a worker's hand.
all_done() {
  local queue left
  for queue in otp sms; do
    left=$(redis eval "
      local left = redis.call('LLEN', KEYS[1]) + redis.call('ZCARD', KEYS[2])
      for _, life in ipairs(redis.call('ZRANGE', KEYS[3], 0, -1)) do
        left = left + redis.call('HLEN', ARGV[1] .. life)
      end
      return left" 3 "$queue" "{$queue}:later" "{$queue}:workers" "{$queue}:claimed:")
    [[ $left == 0 ]] || return 1
  done
}

# The same of the queue of several shards, as smsq counts them.
all_counted() { [[ $("$smsq" stats | grep -cE '^  (waiting|scheduled|claimed) +0$') == 3 ]]; }

cluster_demo() {
  config=cluster.conf
  say "Three Redis servers, which become one cluster, and a worker, under a private supervisord"
  start
  local seeds
  seeds=$(IFS=,; echo "${ports[*]/#/127.0.0.1:}")
  export SMSQ_REDIS=redis+cluster://$seeds
  show control status || true

  say "One queue of three shards: its lists are sms, sms.1 and sms.2, each on a server of its own"
  show "$smsq" shards --queue sms 3

  say "Messages: a push spreads them, and a plain LPUSH to any of the lists is as good"
  # Without the lines that are none.
  write_messages | grep -a '^{"to":"+86.*}$' >"$run/messages.jsonl"
  show "$smsq" push --file "$run/messages.jsonl"
  show cluster LPUSH sms.1 '{"to":"+8613800138000","text":"hi from redis-cli"}'

  say "Waiting until all are sent ..."
  wait_for 120 "sending all messages" all_counted
  show "$smsq" stats

  say "Each server has the books of one shard"
  local port
  for port in "${ports[@]}"; do show redis-cli -p "$port" KEYS '{sms*}:stats'; done

  say "It goes on running. To look further:"
  cat <<END
  export SMSQ_REDIS=$SMSQ_REDIS
  .build/release/smsq push --to +8613800138000 --text hello
  .build/release/smsq stats
  .build/release/smsq doctor
  supervisorctl -c $home/supervisor/$config stop redis:redis-${ports[1]}     # one server less: the others' shards go on
  supervisorctl -c $home/supervisor/$config start redis:redis-${ports[1]}
  supervisorctl -c $home/supervisor/$config tail -f sms:smsq-worker-0

To stop:
  make stop
END
}

demo() {
  say "A private Redis and a worker, under a private supervisord"
  start
  export SMSQ_REDIS=unix://$home/run/redis.sock SMSQ_DATABASE=$run/smsq.db
  show control status || true

  say "Single messages"
  show "$smsq" push --queue otp --to +8613800138000 --text '您的验证码是 123456'
  show "$smsq" push --queue sms --to +447700900123 --text 'See you at eight 👋'

  say "A file of messages, four of its lines wrong"
  write_messages >"$run/messages.jsonl"
  # 65: pushed, but for the lines that it named.
  show "$smsq" push --queue sms --file "$run/messages.jsonl" || [[ $? == 65 ]]

  say "No smsq at all: LPUSH from any language. The second one cannot be read, and ends among the dead letters, whole."
  show redis LPUSH sms '{"to":"+8613800138000","text":"hi from redis-cli"}'
  show redis LPUSH sms 'not a message'

  say "No daemon: a row in a SQLite table, and what crontab would call every minute"
  show "$smsq" table add --to +8613800138000 --text 'Your parcel is here'
  show "$smsq" cron --outbox
  show "$smsq" outbox list

  say "Waiting until all are sent, those too that the simulator turned down at first ..."
  wait_for 120 "sending all messages" all_done

  say "The end of the worker's log, as supervisord writes it"
  show tail -n 20 "$run/smsq-worker-0.log"

  say "The counts"
  show "$smsq" stats

  say "It goes on running. To look further:"
  cat <<END
  export SMSQ_REDIS=$SMSQ_REDIS SMSQ_DATABASE=$SMSQ_DATABASE
  .build/release/smsq push --to +8613800138000 --text hello
  .build/release/smsq stats
  .build/release/smsq dead
  redis-cli -s $home/run/redis.sock
  supervisorctl -c $home/supervisor/supervisord.conf tail -f sms:smsq-worker-0
  supervisorctl -c $home/supervisor/supervisord.conf restart 'sms:*'

To stop:
  make stop
END
}

case ${1-} in
  start)
    case ${2-} in
      '') demo ;;
      cluster) cluster_demo ;;
      *) fail "there is no demo '$2': leave it out, or write cluster" ;;
    esac
    ;;
  stop) stop && echo "The demo is stopped." ;;
  *) fail "usage: supervisor/demo.sh start [cluster] | stop" ;;
esac
