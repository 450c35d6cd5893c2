#!/bin/sh
# Has the images that ours are built on: sh base_images.sh PYTHON_IMAGE KAFKA_IMAGE
# They are pulled where a registry is reached. Elsewhere they are made from packages, under the same names, with the
# label syncline.standin: that takes root, Debian with debootstrap, and Maven. PYTHON_HOME or pyenv gives a Python
# 3.13; without one it is Debian's.
set -eu
python_image=$1 kafka_image=$2
cd "$(dirname "$0")"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export DOCKER_BUILDKIT=0 # the classic builder takes a base that no registry has

here() { docker image inspect "$1" >/dev/null 2>&1; }
build() { docker build --quiet --network host --tag "$1" "$2" >/dev/null; }
had() {
    docker pull --quiet "$1" 2>/dev/null && return
    if here "$1"; then echo "$1 cannot be pulled: the one that is here is taken"; else return 1; fi
}

debian() {
    here syncline-standin/debian && return
    echo "making a Debian from packages"
    mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format "\$(REPO_URI)" "Created-By: Packages" | head -1)}
    debootstrap --variant=minbase bookworm "$folder/debian" "$mirror" >"$folder/log" ||
        { tail "$folder/log" >&2 && exit 1; }
    rm -rf "$folder"/debian/var/cache/apt/archives/*.deb "$folder"/debian/var/lib/apt/lists/*
    tar -C "$folder/debian" -c . | docker import - syncline-standin/debian >/dev/null
}

if ! had "$python_image"; then
    debian
    echo "making $python_image from packages"
    cp -r python "$folder/python"
    mkdir "$folder/python/local"
    cp /etc/ssl/certs/ca-certificates.crt "$folder/python/"
    home=${PYTHON_HOME:-$(ls -d "$HOME"/.pyenv/versions/3.13.* 2>/dev/null | tail -1)}
    [ -z "$home" ] || tar -C "$home" --exclude=test --exclude=__pycache__ --exclude=site-packages --exclude=idlelib \
        --exclude='config-3*' --exclude='bin/pip*' -c bin lib | tar -C "$folder/python/local" -x
    build "$python_image" "$folder/python"
fi

if ! had "$kafka_image"; then
    debian
    echo "making $kafka_image from packages"
    cp -r kafka "$folder/kafka"
    mvn -q -B -f ../../../deploy/kafka/pom.xml -Dkafka.version="${kafka_image##*:}" -Djars="$folder/kafka/jars" package
    build "$kafka_image" "$folder/kafka"
fi
