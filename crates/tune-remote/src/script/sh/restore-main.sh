# still_armed: this very restore, and not a later one of the same name, is wanted.
still_armed() { [ -e "$armed" ] && [ "$(head -n 1 "$armed")" = "# $name" ]; }

# restore_later SECONDS LIMIT PROCESS: waits for the end of the batch, at most up to the limit, and then for a
# confirmation. Without one it puts everything back under the lock.
restore_later() {
  trap '' HUP INT PIPE
  left=$2
  while [ -d "/proc/$3" ] && [ "$left" -gt 0 ]; do
    sleep 1
    left=$((left - 1))
  done
  left=$1
  while [ "$left" -gt 0 ]; do
    still_armed || exit 0
    sleep 1
    left=$((left - 1))
  done
  take_lock 86400 || exit 1
  restore_now
}

# restore_now: puts everything back, with the lock held. Not if the batch was confirmed or fenced meanwhile, and not if
# a later batch has changed the same items since.
restore_now() {
  still_armed || exit 0
  epoch_seen
  ! above "$seen" "$epoch_of_batch" || exit 0
  rm -f -- "$armed"
  if [ -d "$home" ]; then log=$home/restore.log; else log=$run/restore.log; fi
  restore_items >>"$log" 2>&1
  flush "$log"
  exit 0
}

# put_back BEFORE AFTER PLACE: only while the item is what the batch made it.
put_back() {
  before=$1
  after=$2
  shift 2
  look "$@"
  if same "$live" "$before"; then
    echo "as before: $2"
  elif ! same "$live" "$after"; then
    echo "left alone, because somebody else changed it: $2"
  else
    expected=$live
    put "$before" "$@"
    look "$@"
    if same "$live" "$before"; then echo "put back: $2"; else echo "could not be put back: $2: $why"; fi
  fi
}
