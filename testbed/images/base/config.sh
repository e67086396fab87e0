#!/bin/sh
# Run on a fresh Debian tree: what makes it small, quick to build on, and silent about services.
set -eu
tree=$1
# Packages start their services when installed; inside an image build nothing may run.
printf '#!/bin/sh\nexit 101\n' >"$tree/usr/sbin/policy-rc.d"
chmod 755 "$tree/usr/sbin/policy-rc.d"
# An image layer is thrown away when its build is cut short: syncing every file only costs time.
cat >"$tree/etc/dpkg/dpkg.cfg.d/testbed" <<'CFG'
force-unsafe-io
path-exclude /usr/share/doc/*
path-exclude /usr/share/man/*
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*/LC_MESSAGES/*
CFG
cat >"$tree/etc/apt/apt.conf.d/testbed" <<'CFG'
APT::Install-Recommends "false";
Acquire::Languages "none";
CFG
rm -rf "$tree"/var/cache/apt/archives/*.deb "$tree"/var/cache/apt/*.bin "$tree"/var/lib/apt/lists/* \
  "$tree"/usr/share/doc/* "$tree"/usr/share/man/* "$tree"/usr/share/info/* "$tree"/var/log/*.log
find "$tree/usr/share/locale" -mindepth 1 -maxdepth 1 -type d -exec rm -rf {} +
