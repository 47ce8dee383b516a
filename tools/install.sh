#!/bin/sh
# Installs dependencies when the lockfile has changed since the last install; silent and quick otherwise.
# All output goes to stderr: what runs after this may own stdout.
set -eu
cd "$(dirname "$0")/.."
want=$(cksum < package-lock.json)
have=$(cat node_modules/.ascribe-installed 2> /dev/null || true)
if [ "$want" != "$have" ]; then
  echo 'ascribe: installing dependencies (once)' >&2
  npm ci --no-fund --no-audit --loglevel=error >&2
  printf '%s\n' "$want" > node_modules/.ascribe-installed
fi
