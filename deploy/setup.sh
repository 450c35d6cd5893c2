#!/bin/sh
# Makes the virtual environment: sh deploy/setup.sh .venv requirements/dev.txt
# PYTHON: the interpreter to use. TORCH=cpu: torch without CUDA (uv only). PROJECT=no: its dependencies alone.
set -eu

venv=$1 lock=$2 python=${PYTHON:-python3} torch=${TORCH:-} project=${PROJECT:-yes}
started=$(date +%s)
# A later run without TORCH (the lock changed) keeps to the build that was asked for first.
[ -n "$torch" ] || ! [ -f "$venv/.torch" ] || torch=$(cat "$venv/.torch")
case "$(uname -s)-$torch" in
    Linux-cpu) size="about 0.8 GB" ;;
    Linux-*) size="about 3.5 GB, most of it torch's CUDA libraries (TORCH=cpu: 0.8 GB)" ;;
    *) size="about 0.7 GB" ;;
esac

"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null || {
    echo "Syncline needs Python 3.11 to 3.14; '$python' is not: make setup PYTHON=python3.12" >&2
    exit 2
}
echo "Making $venv with $("$python" --version): downloads $size once; 1 minute on a fast line, 10 on one of 50 Mbit/s."

if command -v uv >/dev/null 2>&1; then
    [ -x "$venv/bin/python" ] || uv venv --quiet --python "$python" "$venv"
    if [ "$torch" = cpu ]; then
        # The small build is another file than the one whose hash is locked, and needs no CUDA libraries.
        awk '/^(nvidia|cuda|triton)[-=]/ { skip = 1 } /^(torch|torchvision)==/ { print $1; skip = 1 }
             /^[a-z]/ && !/^(nvidia|cuda|triton)[-=]/ && !/^(torch|torchvision)==/ { skip = 0 } !skip' "$lock" >"$venv/cpu.txt"
        uv pip sync --python "$venv/bin/python" --torch-backend cpu "$venv/cpu.txt"
    else
        uv pip sync --python "$venv/bin/python" --require-hashes "$lock"
    fi
    [ "$project" = no ] || uv pip install --quiet --python "$venv/bin/python" --no-build-isolation --no-deps --editable .
else
    [ "$torch" != cpu ] || { echo "TORCH=cpu needs uv: install uv, or leave TORCH out" >&2; exit 2; }
    [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install --disable-pip-version-check --require-hashes --requirement "$lock"
    [ "$project" = no ] || "$venv/bin/python" -m pip install --disable-pip-version-check --quiet --no-build-isolation --no-deps --editable .
fi
echo "$torch" >"$venv/.torch"
echo "Done in $(($(date +%s) - started)) s."
