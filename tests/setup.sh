#!/usr/bin/env bash
# Installs what the demonstration, the tests and the checks need on Debian 12. Nothing is done for what is there already.
# usage: tests/setup.sh demo | keep | test | interop | check | deb | mutants
set -euo pipefail
# The tools of `make check` and `make mutants`, each at the version that judges.
tools=()
folder="$HOME/.cache/citizen-card/tools"
packages=(ca-certificates gcc libc6-dev pkg-config libpcsclite-dev pcscd vsmartcard-vpcd procps)
case "${1:-demo}" in
  demo) ;;
  keep) packages+=(opensc curl jq faketime netcat-openbsd) ;; # for the commands to try next
  test) packages+=(openssl postgresql opensc curl jq faketime age nodejs npm chromium poppler-utils tesseract-ocr) ;;
  interop) packages+=(openssl maven default-jdk-headless) ;;
  check) packages=(ca-certificates gcc libc6-dev pkg-config libpcsclite-dev) tools=(cargo-deny@0.20.2 typos-cli@1.52.0) ;; # to compile
  deb) packages=(ca-certificates gcc binutils libc6-dev pkg-config libpcsclite-dev dpkg-dev) tools=(cargo-deb@3.8.0) ;;
  mutants) packages=(ca-certificates gcc libc6-dev openssl) tools=(cargo-mutants@27.1.0) ;;
  *) echo "usage: $0 demo|keep|test|interop|check|deb|mutants" >&2; exit 2 ;;
esac
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
# A toolchain that came another way than through apt is as good.
keep=()
for package in "${missing[@]}"; do
  case "$package" in
    maven) command -v mvn >/dev/null && continue ;;
    default-jdk-headless) command -v javac >/dev/null && continue ;;
    postgresql) compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null && continue ;;
    procps) command -v ps >/dev/null && continue ;;
    nodejs | npm) command -v "${package%js}" >/dev/null && continue ;;
  esac
  keep+=("$package")
done
command -v cargo >/dev/null || { echo "cargo is missing: install a Rust toolchain (1.95 or newer) first, see README.md" >&2; exit 1; }
if [ ${#keep[@]} -gt 0 ]; then
  as_root=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "Run as root, or install sudo: these Debian packages are missing: ${keep[*]}" >&2; exit 1; }
    as_root=(sudo)
  fi
  echo "Installing ${keep[*]}"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${keep[@]}" >/dev/null
  # With this entry the system's own pcscd would open a port for virtual cards on every interface. Ours is private and has its own.
  case " ${keep[*]} " in
    *" vsmartcard-vpcd "*) "${as_root[@]}" sed -i 's/^[^#]/#&/' /etc/reader.conf.d/vpcd ;;
  esac
fi
# The browser test's two libraries, at the versions and digests of the lock file; again only when that changes.
if [ "${1:-demo}" = test ]; then
  lock="$(dirname "$0")/pages/package-lock.json" modules="$HOME/.cache/citizen-card/pages"
  if command -v npm >/dev/null && ! cmp -s "$lock" "$modules/package-lock.json"; then
    echo "Installing playwright-core and axe-core, once on this machine"
    mkdir -p "$modules"
    cp "$(dirname "$0")/pages/package.json" "$modules/"
    cp "$lock" "$modules/"
    if ! (cd "$modules" && npm ci --ignore-scripts --no-audit --no-fund --silent); then
      rm -f "$modules/package-lock.json"
      echo "npm ci failed; the pages will not be opened in a browser" >&2
    fi
  fi
fi
# Built from crates.io, in the dev profile since it is quick enough; found again by its version, so that later runs need no network.
PATH="$folder/bin:$PATH"
for tool in "${tools[@]}"; do
  name="${tool%@*}" version="${tool#*@}"
  case "$name" in
    cargo-*) ask=(cargo "${name#cargo-}") ;;
    *) ask=("${name%-cli}") ;;
  esac
  case "$("${ask[@]}" --version 2>/dev/null || true)" in
    *" $version" | "$version") continue ;;
  esac
  echo "Building $name $version, once on this machine: about two minutes"
  env -u CARGO_TARGET_DIR nice cargo install --quiet --debug --locked --root "$folder" --version "=$version" "$name"
done
