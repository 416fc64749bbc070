# Installs the packages named as arguments; starts no service, removes no package. Run by root.
set -eu
export DEBIAN_FRONTEND=noninteractive

# What maintainer scripts ask before they start a service. The administrator's own answer stays.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 130' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi

apt() {
    apt-get --quiet --yes --no-remove -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@"
}

# Lists that are some days old name files that the archive no longer has.
if ! apt install --no-install-recommends "$@"; then
    apt update
    apt install --no-install-recommends "$@"
fi

# Nor shall they start at the next boot, of a machine that is perhaps no server. This speaks to systemd too.
for package in "$@"; do
    case $package in
    haproxy) update-rc.d haproxy disable ;;
    nginx-light) update-rc.d nginx disable ;;
    esac
done
