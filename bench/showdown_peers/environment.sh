#!/bin/sh
# The peers' own environment, with nothing of edgeml in it: bench/showdown_peers/environment.sh [FOLDER]
set -eu
folder=${1:-${EDGEML_BENCH:-$HOME/.cache/edgeml-bench}/peers}
python=${PYTHON:-python3.11}
here=$(cd "$(dirname "$0")" && pwd)
"$python" -m venv "$folder"
"$folder/bin/pip" install -q -U pip
"$folder/bin/pip" install -q -r "$here/../requirements-peers.txt"
"$folder/bin/pip" check
