# The fence: after it, nothing that was sent to this host earlier can take effect any more.

# fence "RUN SEQUENCE" SECONDS DIRECTORY...: waits for a running script to end, lets an armed restore act now and not
# later, shuts out scripts that have not started, and removes what a killed one left in the directories.
fence() {
  need base64 cat mkdir mv rm sync
  lock_or_fail "$2"
  epoch_seen
  ! above "$seen" "$1" || fail stale "$seen"
  # That somebody looks, perhaps over the connection that was open before, is no confirmation.
  if [ -e "$run/restore.$lineage" ]; then sh "$run/restore.$lineage" now </dev/null >/dev/null 2>&1; fi
  rm -f -- "$run/restore.$lineage"
  why=$(raise_epoch "$1" 2>&1) || fail record "$why"
  shift 2
  sweep "$@" "$home"
  drop_directories
}

# confirm NAME: disarms the restore of that name, unless it has begun already.
confirm() {
  need base64 cat head mkdir rm
  lock_or_fail "$2"
  [ -e "$run/restore.$lineage" ] && [ "$(head -n 1 "$run/restore.$lineage")" = "# $1" ] || fail restored
  rm -f -- "$run/restore.$lineage" || fail record
  say confirmed
}
