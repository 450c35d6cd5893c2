#!/bin/sh
# Adds extras of pyproject.toml to an environment of setup.sh, by the lock: sh deploy/extras.sh VENV transcribe,onnx
# Needs uv. No extras, nothing to do.
set -eu

venv=$1 names=$2 lock=requirements/dev.txt
set -- # from here on: what uv is told beside
for name in $(echo "$names" | tr ',' ' '); do set -- "$@" --extra "$name"; done
[ $# -gt 0 ] || exit 0
backend=$(cat "$venv/.torch")
if [ "$backend" = cpu ]; then
    # As in setup.sh: the small builds are other files than those whose hashes are locked.
    awk '/^[a-z]/ { skip = /^(torch|torchvision)==/ } /^(torch|torchvision)==/ { print $1 } !skip' "$lock" \
        >"$venv/extras.txt"
    lock=$venv/extras.txt
    set -- "$@" --torch-backend cpu
else
    set -- "$@" --require-hashes
fi
uv pip install --python "$venv/bin/python" --requirement pyproject.toml --constraint "$lock" "$@"
