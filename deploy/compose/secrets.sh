#!/bin/sh
# Writes the secrets of ../compose.yaml, each a random text in a file of its own, and leaves those alone that are there.
set -eu
cd "$(dirname "$0")/.."
mkdir -p secrets
# Nobody else enters the folder. The files themselves must be readable: compose mounts each with its mode into a container that runs
# as another user.
chmod 700 secrets
made() {
  [ -s "secrets/$1" ] || printf '%s' "$2" >"secrets/$1"
  chmod 644 "secrets/$1"
}
random() {
  od -An -N24 -tx1 /dev/urandom | tr -d ' \n'
}
made postgres_password "$(random)"
made reconciler_password "$(random)"
made reconciler_url "postgresql://reconciler_apply:$(cat secrets/reconciler_password)@postgres:5432/shop"
made reconciler_token "$(random)"
made grafana_password "$(random)"
