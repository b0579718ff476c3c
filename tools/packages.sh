# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Debian packages that BPVS is built, shown and tested with, and the one way to install them.

# libbpf1 loads the programs; the two header packages compile them; ip makes namespaces, curl and ping ask, nft loses packets;
# ps finds what was left running; mandoc checks the manual.
# shellcheck disable=SC2034
SETUP_PACKAGES=(
    ca-certificates
    curl
    iproute2
    iputils-ping
    libbpf-dev
    libbpf1
    linux-libc-dev
    mandoc
    nftables
    procps
    python3
    python3-venv
)

# m4 expands a mon.cf.m4; Debian's own mon and its clients (tools/mon_real) are Perl, and look for `tcp` in netbase's
# /etc/protocols.
# shellcheck disable=SC2034
PEER_PACKAGES=(
    m4
    netbase
    perl
)

# The virtual machine with the real IPVS (tests/oracle); virtme-run asks `file` for the kernel's version.
# shellcheck disable=SC2034
ORACLE_PACKAGES=(
    busybox-static
    file
    ipvsadm
    kmod
    qemu-system-x86
)

missing_packages() {
    local package
    for package in "$@"; do
        [[ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" == installed ]] || echo "$package"
    done
}

# Installs those of the named packages that are missing. Without root, or without apt, one sentence names them.
install_packages() {
    local missing
    mapfile -t missing < <(missing_packages "$@")
    ((${#missing[@]})) || return 0
    if ! command -v apt-get >/dev/null; then
        echo "apt-get is not here: install these packages' equivalents by hand: ${missing[*]}" >&2
        return 1
    fi
    if ((EUID != 0)); then
        echo "Debian packages are missing (${missing[*]}) and installing them needs root: run 'sudo make setup'." >&2
        return 1
    fi
    echo "  APT     ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    local log
    log=$(mktemp)
    if ! { apt-get update && apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        echo "apt-get could not install: ${missing[*]}" >&2
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
}

# unpack_packages FOLDER PACKAGE...: what the packages hold, in a folder that they get to themselves; nothing is installed.
unpack_packages() {
    local target=$1 work archive
    shift
    echo "  APT     $* (unpacked, not installed)"
    mkdir -p build
    work=$(mktemp -d -p build unpack.XXXXXX)
    chmod 755 "$work"
    # The lists of packages may be missing or old; only root can fetch new ones.
    if ! _download "$work" "$@" && ! { ((EUID == 0)) && apt-get update >"$work/log" 2>&1 && _download "$work" "$@"; }; then
        tail -n 3 "$work/log" >&2
        rm -rf "$work"
        echo "could not be fetched: the tests beside it are skipped." >&2
        return 1
    fi
    mkdir "$work/root"
    for archive in "$work"/*.deb; do
        dpkg -x "$archive" "$work/root"
    done
    rm -rf "$target"
    mv -T "$work/root" "$target"
    rm -rf "$work"
}

_download() {
    local work=$1
    shift
    (cd "$work" && apt-get download "$@") >"$work/log" 2>&1
}
