#!/bin/sh
# Makes a virtual environment of just what a lock names: sh deploy/setup.sh .venv requirements/dev.txt
# PYTHON: the interpreter. PROJECT=no: leaves this folder out. TORCH: cpu, cuda (as locked), or auto, which takes what
# was chosen before, else cpu on Linux without an NVIDIA GPU if the index of that build answers, else what is locked.
set -eu

venv=$1 lock=$2
root=$(dirname "$0")/.. python=${PYTHON:-python3} torch=${TORCH:-auto} project=${PROJECT:-yes}
started=$(date +%s)
chosen=$(cat "$venv/.torch" 2>/dev/null || true)

has_nvidia_gpu() {
    [ -e /dev/nvidia0 ] || nvidia-smi -L >/dev/null 2>&1
}

# uv is quicker, and knows the index of the CPU build: where it is missing pip fetches it, into a folder of its own.
find_uv() {
    if command -v uv >/dev/null 2>&1; then
        uv=uv
        return
    fi
    [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
    uv=$venv/.uv/bin/uv
    [ -x "$uv" ] || "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
        --target "$venv/.uv" --requirement "$root/requirements/uv.txt" || uv=
}

# Writes the lock for the CPU build: torch's own lines by the version that its index has, which has no locked hash;
# all else as it is locked, without the libraries of CUDA. Fails where the index does not answer.
cpu_lock() {
    [ -n "$uv" ] || return 1
    awk '/^(torch|torchvision)==/ { print $1 }' "$lock" >"$venv/torch.txt"
    UV_HTTP_TIMEOUT=10 UV_HTTP_CONNECT_TIMEOUT=5 UV_HTTP_RETRIES=1 "$uv" pip compile --quiet --no-deps --no-header \
        --no-annotate --python "$venv/bin/python" --torch-backend cpu "$venv/torch.txt" >"$venv/cpu.txt" || return 1
    awk '/^[a-z]/ { skip = /^(torch|torchvision|triton)==/ || /^(nvidia|cuda)-/ } !skip' "$lock" >>"$venv/cpu.txt"
}

# What is downloaded, by these locks.
size() {
    case "$(uname -s)-$torch-$lock" in
        Linux-cuda-*dev*) echo "3.7 GB, most of it for CUDA" ;;
        Linux-cuda-*) echo "3.2 GB, most of it for CUDA" ;;
        *dev*) echo "0.9 GB" ;;
        *) echo "0.5 GB" ;;
    esac
}

"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null || {
    echo "Syncline needs Python 3.11 to 3.14; '$python' is not: PYTHON=python3.12, for one" >&2
    exit 2
}
find_uv
[ -x "$venv/bin/python" ] || "$uv" venv --quiet --python "$python" "$venv"
rm -f "$venv"/.syncline-* # what this leaves half done is not taken for whole

[ "$torch" != auto ] || torch=${chosen:-auto}
if [ "$torch" = auto ]; then
    if [ "$(uname -s)" != Linux ] || has_nvidia_gpu; then
        torch=cuda
    elif cpu_lock 2>"$venv/cpu.log"; then
        torch=cpu
        echo "No NVIDIA GPU here: taking torch's CPU build (TORCH=cuda takes the other)."
    else
        torch=cuda
        echo "No NVIDIA GPU here, but the index of torch's CPU build cannot be reached: taking the package index's torch."
    fi
elif [ "$torch" = cpu ]; then
    cpu_lock || {
        echo "torch's CPU build cannot be had here; TORCH=cuda takes the package index's torch" >&2
        exit 2
    }
fi

# Compiled at once, as pip does it: processes that may not write bytecode would each compile all of torch.
echo "Making $venv with $("$python" --version): downloads about $(size) once."
if [ "$torch" = cpu ]; then
    "$uv" pip sync --compile-bytecode --python "$venv/bin/python" --torch-backend cpu "$venv/cpu.txt"
elif [ -n "$uv" ]; then
    again=
    # The CPU build has the version that is locked, too: it would stay.
    [ "$chosen" != cpu ] || again="--reinstall-package torch --reinstall-package torchvision"
    "$uv" pip sync --compile-bytecode --python "$venv/bin/python" --require-hashes $again "$lock"
else
    "$venv/bin/python" -m pip install --disable-pip-version-check --require-hashes --requirement "$lock"
fi
echo "$torch" >"$venv/.torch"
if [ "$project" != no ]; then
    if [ -n "$uv" ]; then
        "$uv" pip install --quiet --python "$venv/bin/python" --no-build-isolation --no-deps --editable "$root"
    else
        "$venv/bin/python" -m pip install --disable-pip-version-check --quiet --no-build-isolation --no-deps --editable "$root"
    fi
fi
echo "Done in $(($(date +%s) - started)) s."
