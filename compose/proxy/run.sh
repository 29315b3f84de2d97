#!/bin/sh
# Deploys the service in /project into the environments, serves them, and shows what their functions print.
set -u

# A copy, because multistack keeps its state beside the project file and /project is the user's, read-only.
project=/var/lib/multistack/project
ready=/tmp/ready

take_project() {
  mkdir -p "$project" &&
    find "$project" -mindepth 1 -maxdepth 1 ! -name .multistack -exec rm -rf {} + &&
    tar --create --file /var/lib/multistack/project.tar --directory /project \
      --exclude ./.multistack --exclude ./.git --exclude ./.venv --exclude __pycache__ . &&
    tar --extract --file /var/lib/multistack/project.tar --directory "$project" --no-same-owner &&
    rm /var/lib/multistack/project.tar
}

proxy_runs() {
  pid=$(sed -n 's/.*"pid": *\([0-9]*\).*/\1/p' "$project/.multistack/proxy/server.json" 2>/dev/null)
  [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null
}

await_emulators='
import os, time, urllib.request as web
urls = [value for name, value in os.environ.items() if name.startswith("MULTISTACK_") and name.endswith("_ENDPOINT")]
deadline = time.monotonic() + 90
while urls and time.monotonic() < deadline:
    try:
        web.urlopen(urls[0] + "/_localstack/health", timeout=5).close()
        del urls[0]
    except OSError:
        time.sleep(0.2)
'

show_logs() {
  multistack logs --follow --tail 0 &
  logs=$!
}

# Also in the middle of a command, which then ends in good order itself.
stop() {
  trap - TERM INT
  rm -f "$ready"
  kill -TERM ${running:-} ${logs:-} 2>/dev/null
  wait
  multistack down
  exit 0
}

# The shell takes a signal only while it waits.
run() {
  "$@" &
  running=$!
  wait "$running"
  code=$?
  running=
  return "$code"
}

running='' logs=''
trap stop TERM INT
rm -f "$ready"
if ! take_project; then
  echo "error: the project folder can't be copied" >&2
  echo "hint: user $(id -u) of the container must be able to read all of it" >&2
  exit 1
fi
cd "$project" || exit 1

# After a restart of all containers nobody waits for the emulators; what is missing in the end, `up` tells.
run python -S -c "$await_emulators"
run multistack up || exit "$code"
# `up` keeps the release on record. What is wrong with a new one is told, and the old one serves on.
run multistack deploy >/dev/null
touch "$ready"

show_logs
while proxy_runs; do
  kill -0 "$logs" 2>/dev/null || show_logs
  run sleep 2
done
echo "error: the proxy ended" >&2
multistack down
exit 1
