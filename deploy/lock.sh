#!/bin/sh
# Writes the locks: versions and hashes of everything, for all supported systems and Pythons at once. No host is named:
# whoever installs takes the files from where their own machine is told to.
set -eu

cd "$(dirname "$0")/.."
lock() {
    out=$1
    shift
    uv pip compile "$@" --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
        --no-emit-find-links --no-header --quiet --output-file "$out"
    if grep -n '://\|--index\|--find-links' "$out"; then
        echo "$out names a host" >&2
        exit 1
    fi
}
lock requirements/service.txt pyproject.toml --extra cli --extra broker --extra service
lock requirements/demo.txt pyproject.toml --extra cli --extra broker --extra service --extra transcribe --group build \
    --constraint requirements/service.txt
lock requirements/dev.txt pyproject.toml --all-extras --group dev --constraint requirements/demo.txt
lock requirements/uv.txt --group uv
# What `make test-tensorflow` needs: in an environment of its own, for TensorFlow holds numpy and protobuf back.
lock requirements/tensorflow.txt requirements/tensorflow.in
