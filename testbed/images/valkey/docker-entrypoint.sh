#!/bin/sh
# Behaves as the official image's entrypoint does: what begins with a dash is an option of the server, a .conf file is its configuration;
# root gives the working directory to the user valkey and becomes that user.
set -eu
case ${1:-} in
  -* | *.conf) set -- valkey-server "$@" ;;
  *) ;;
esac
if [ "${1:-}" = valkey-server ] && [ "$(id -u)" = 0 ]; then
  find . ! -user valkey -exec chown valkey '{}' +
  exec setpriv --reuid=valkey --regid=valkey --clear-groups -- "$0" "$@"
fi
# Files that others need not read, unless whoever starts it has said otherwise.
if [ "$(umask)" = 0022 ]; then umask 0077; fi
if [ "${1:-}" = valkey-server ]; then
  shift
  # Before the user's own options, which thereby win; beside a configuration file it would win over the file.
  case ${1:-} in
    -* | '') set -- --protected-mode no "$@" ;;
    *) ;;
  esac
  set -- valkey-server "$@"
fi
exec "$@"
