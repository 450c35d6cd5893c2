#!/bin/sh
# Builds docker compose v2 from the Go module proxy: sh compose.sh FILE. Leaves nothing else behind.
# `go install module@version` refuses it (its go.mod replaces a module), so it is fetched, and built in its folder.
set -eu
file=$1 version=${COMPOSE_VERSION:-v2.40.3} module=github.com/docker/compose/v2
mkdir -p "$(dirname "$file")"
file=$(cd "$(dirname "$file")" && pwd)/$(basename "$file")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export GOPATH="$folder/go" GOCACHE="$folder/cache" GOFLAGS="-mod=mod -modcacherw" CGO_ENABLED=0
source=$(go mod download -json "$module@$version" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
cd "$source"
go build -trimpath -p "${JOBS:-2}" -ldflags "-s -w -X $module/internal.Version=$version" -o "$file.part" ./cmd
mv "$file.part" "$file"
"$file" version
