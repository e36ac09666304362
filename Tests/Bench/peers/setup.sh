#!/usr/bin/env bash
# Installs what the benchmark of other systems needs: Debian's packages with apt, Python's into a virtual environment.
# What cannot be installed is left out of the table.
#
#   setup.sh VENV
set -uo pipefail
venv=$1

packages=()
for package in php-cli php-redis ruby-sidekiq python3-venv; do
  dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null | grep -q ' installed$' || packages+=("$package")
done
if ((${#packages[@]})); then
  as_root=()
  ((EUID == 0)) || as_root=(sudo)
  "${as_root[@]}" apt-get -q update
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q install --yes --no-install-recommends "${packages[@]}"
fi

[[ -x $venv/bin/python ]] || /usr/bin/python3 -m venv "$venv" || exit 0
"$venv/bin/python" -c 'import rq, celery, dramatiq, kombu.transport.redis' 2>/dev/null ||
  "$venv/bin/pip" --quiet install rq 'celery[redis]' 'dramatiq[redis]'
exit 0
