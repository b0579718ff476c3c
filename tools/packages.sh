# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Debian packages that BPVS is built, shown and tested with, and the one way to install them.

# libbpf1 loads the programs; the two header packages compile them; ip makes namespaces, curl asks, nft loses packets;
# m4 expands a mon.cf.m4; mandoc checks the manual; Debian's own mon and its clients (tools/mon_real) are Perl.
# shellcheck disable=SC2034
SETUP_PACKAGES=(
    ca-certificates
    curl
    iproute2
    libbpf-dev
    libbpf1
    linux-libc-dev
    m4
    mandoc
    nftables
    perl
    python3
    python3-venv
)

# The virtual machine with the real IPVS (tests/oracle).
# shellcheck disable=SC2034
ORACLE_PACKAGES=(
    busybox-static
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
