#!/bin/sh
# What `make compose-up` does: starts everything, waits until it is deployed, shows where it is.
#
#   compose/up.sh MULTISTACK        the command, which makes the image of the proxy
set -eu
multistack=$1
cd "$(dirname "$0")"

fail() {
  echo "error: $1" >&2
  echo "hint: $2" >&2
  exit 3
}

if docker compose version >/dev/null 2>&1; then
  compose() { docker compose "$@"; }
elif docker-compose version >/dev/null 2>&1; then
  compose() { docker-compose "$@"; }
else
  fail "Docker Compose is not installed" "install it (Debian: \`apt-get install docker-compose\`), or use \`make envs-up\`"
fi
docker info >/dev/null 2>&1 || fail "no Docker engine answers" "start it; \`multistack doctor\` says more"

services=$(compose config --services | grep -v '^proxy$')
for image in $(sed -n 's/^    image: //p' compose.yaml | grep -v '^multistack/proxy:' | sort -u); do
  docker image inspect "$image" >/dev/null 2>&1 || case $image in
    multistack/*) fail "image $image is not in the Docker engine" "\`make image\` makes it" ;;
  esac
done
"$multistack" image build --proxy >/dev/null

compose up --detach --no-build --remove-orphans ||
  fail "Compose could not start everything" "if a port is taken, name another one, e.g. \`PROXY_PORT=8090 make compose-up\`"
proxy=$(compose ps --quiet proxy)
while :; do
  state=$(docker inspect --format '{{.State.Status}} {{.State.Health.Status}} {{.RestartCount}}' "$proxy")
  case $state in
    'running healthy '*) break ;;
    'running starting 0' | 'created '*) sleep 0.5 ;;
    *)
      compose logs --tail 20 proxy >&2
      fail "the proxy's container is ${state% *}" "its log is above; \`make compose-down\` removes everything"
      ;;
  esac
done

# Inside, the emulators have other addresses than on this machine.
here=''
for service in $services; do
  # Of a port that isn't published Compose 2 says nothing with an exit code, 1.29 an empty line without.
  address=$(compose port "$service" 4566 2>/dev/null) || continue
  [ -n "$address" ] || continue
  here="$here;s|http://$service:4566|http://$address|"
done
# Not piped into sed: a pipe has the exit code of its last command.
said=$(mktemp)
trap 'rm -f "$said"' EXIT
told=0
table=$(compose exec -T proxy multistack up 2>"$said") || told=$?
printf '%s\n' "$table" | sed "${here#;}"
if [ "$told" -ne 0 ]; then
  cat "$said" >&2
  exit "$told"
fi
