#!/bin/sh
# A stand-in for an application, by the way it meets SIGTERM or ends by itself.
idle() { while :; do sleep 3600 & wait $!; done; }

case "$1" in
  term) trap 'exit 0' TERM; echo "up"; idle ;;
  slow) trap 'sleep 3; exit 0' TERM; idle ;;      # cleans up for three seconds
  ignore) trap '' TERM; idle ;;                   # needs SIGKILL
  pid1) exec sleep 2147483647 ;;                  # no handler as pid 1: the kernel drops SIGTERM
  crash) sleep "${2:-1}"; exit 3 ;;
  once) echo "done"; exit 0 ;;
  *) exec "$@" ;;
esac
