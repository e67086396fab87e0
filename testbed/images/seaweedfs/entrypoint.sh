#!/bin/sh
# `server` gets the folder that is the volume; every other role is passed on as it is.
set -eu
case ${1:-} in
  server)
    shift
    exec weed -logtostderr=true server -dir=/data -volume.max=0 "$@"
    ;;
  *) exec weed -logtostderr=true "$@" ;;
esac
