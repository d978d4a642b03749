#!/usr/bin/env bash
# The drill: on a fresh Debian 12 the packages are installed, a service is founded (once on SQLite, once on PostgreSQL), a
# card issued, the machine backed up and destroyed; another machine restores it and issues the next card.
#
# The machines are folders made by debootstrap, each with process numbers and a network (loopback alone) of its own. On
# them only installed programs, curl, jq and age are used. There is no systemd running: the units are judged by
# systemd-analyze, and their program, account and environment are read from the installed unit.
# usage: tests/operations/fresh-debian.sh [FOLDER with the three packages; without it those of target/debug are made]
set -euo pipefail
cd "$(dirname "$0")/../.."
skipped() { printf 'SKIPPED: the drill on a fresh Debian: %s\nThe drill on a fresh Debian: 0 done, 1 skipped\n' "$1"; exit 0; }
[ "$(id -u)" = 0 ] || skipped "only root makes machines (debootstrap, chroot)"
unshare --net --mount --pid --fork true 2> /dev/null || skipped "this machine gives no namespaces (unshare)"
if ! command -v debootstrap > /dev/null; then
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap; } > /dev/null 2>&1 ||
        skipped "debootstrap is not there and cannot be installed"
fi
begun=$SECONDS
lap() { printf '%4d s  %s\n' $((SECONDS - begun)) "$1"; }
scratch=$(mktemp -d /tmp/citizen-card-drill-XXXXXX)
trap 'rm -rf --one-file-system "$scratch"' EXIT
world=$scratch/world one=$scratch/one
cache="${XDG_CACHE_HOME:-$HOME/.cache}/citizen-card/fresh-debian"
mkdir -p "$cache/archives" "$world/packages"

if [ $# -gt 0 ]; then
    cp "$1"/citizen-card-*.deb "$world/packages/"
else
    # A debug build is slow and as good for this: the drill is about packages, files and places, not about speed.
    tests/setup.sh deb
    .ci/deb dev
    cp target/debian/citizen-card-*.deb "$world/packages/"
fi
cp tests/operations/on-the-machine.sh tests/data/portrait/photograph.jpg "$world/"
lap "packages: $(ls "$world/packages" | tr '\n' ' ')"

# The bare system is kept as an archive, and so are the .debs that apt fetches; both are as the mirror gave them.
if [ ! -e "$cache/bookworm.tar" ]; then
    debootstrap --variant=minbase bookworm "$one" http://deb.debian.org/debian > "$cache/debootstrap.log" 2>&1 ||
        skipped "debootstrap cannot reach a mirror (its log: $cache/debootstrap.log)"
    tar -C "$one" --one-file-system -cf "$cache/bookworm.tar.new" . && mv "$cache/bookworm.tar.new" "$cache/bookworm.tar"
    rm -rf --one-file-system "$one"
fi
mkdir -p "$one/world" && tar -C "$one" -xf "$cache/bookworm.tar"
lap "a fresh Debian $(cat "$one/etc/debian_version")"

# Runs a step on a machine: own mounts, own process numbers; `net` has the network, for apt alone.
on() { # MACHINE NET|NONET STEP [ARGUMENT…]
    local machine=$1 net=--net
    [ "$2" = net ] && net=
    mkdir -p "$machine"
    # shellcheck disable=SC2086
    unshare --mount --pid --fork --kill-child $net bash -c '
        set -e
        machine=$1 world=$2 archives=$3 one=$4; shift 4
        # Every other machine is a layer over the first as it was installed: as fresh, and there at once.
        if [ "$machine" != "$one" ]; then
            mkdir -p "$machine"/{root,work,changes}
            mount -t overlay overlay -o "lowerdir=$one,upperdir=$machine/changes,workdir=$machine/work" "$machine/root" 2> /dev/null ||
                cp -a "$one/." "$machine/root"
            machine=$machine/root
        fi
        mount -t proc proc "$machine/proc"
        mount -t tmpfs tmpfs "$machine/dev/shm"
        mount -t tmpfs tmpfs "$machine/run" && mkdir -p "$machine/run/lock"
        mount --bind "$world" "$machine/world"
        mount --bind "$archives" "$machine/var/cache/apt/archives"
        exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
            chroot "$machine" /bin/bash /world/on-the-machine.sh "$@"
    ' bash "$machine" "$world" "$cache/archives" "$one" "${@:3}"
}

echo force-unsafe-io > "$one/etc/dpkg/dpkg.cfg.d/drill" # the machine lives for minutes: nothing has to be flushed
cp /etc/resolv.conf "$one/etc/resolv.conf" 2> /dev/null || true
printf '%s\n' '#!/bin/sh' 'exit 101' > "$one/usr/sbin/policy-rc.d" && chmod 755 "$one/usr/sbin/policy-rc.d"
[ -e /etc/apt/apt.conf.d/01proxy ] && cp /etc/apt/apt.conf.d/01proxy "$one/etc/apt/apt.conf.d/"
on "$one" net installs > "$scratch/install.log" 2>&1 || { tail -40 "$scratch/install.log" >&2; exit 1; }
lap "installed, removed, purged, installed again and upgraded, with settings and data kept"
on "$one" nonet units
lap "units verified and scored"

for engine in sqlite postgresql; do
    mkdir -p "$world/$engine"
    on "$scratch/first" nonet founds "$engine"
    lap "$engine: founded, card issued, backed up"
    rm -rf --one-file-system "$scratch/first"
    on "$scratch/second" nonet restores "$engine"
    lap "$engine: destroyed, restored on the other machine, next card issued"
    rm -rf --one-file-system "$scratch/second"
done
echo "The drill on a fresh Debian: 1 done, 0 skipped, in $((SECONDS - begun)) s"
