# The host's lock, and the fence.
#
# `run` is a directory in /run, where only root can write: whoever could write to the lock's directory could keep everybody
# out. It holds `lock`, `holder` (who has it, for people), the highest `epoch.*` of each state since boot, and armed
# restores. A reboot empties it, and ends every script that it could concern.

# take_lock SECONDS: waits for the lock. Fails with 1 and the holder in `why` when it stays taken, with 2 and the reason
# when it cannot be taken at all. The lock is held until the script and everything that it started have ended.
take_lock() {
  patience=$1
  why=$({ mkdir -p -m 0700 "$run" && touch "$run/lock"; } 2>&1) || return 2
  if command -v flock >/dev/null 2>&1; then
    exec 9>>"$run/lock"
    until flock -n 9; do wait_for_lock || return 1; done
  else
    until ln -sn "$(me)" "$run/lock.owner" 2>/dev/null; do
      break_dead_lock || wait_for_lock || return 1
    done
    trap 'rm -f -- "$run/lock.owner"' EXIT
  fi
  printf '%s\n' "$holder" >"$run/holder"
}

wait_for_lock() {
  if [ "$patience" -le 0 ]; then
    why=$(cat "$run/holder" 2>/dev/null)
    return 1
  fi
  patience=$((patience - 1))
  sleep 1
}

# Without flock the lock is a link that says whose it is: process, start time and boot. Making a link is atomic, and
# these three are never the same for two processes.
me() { printf '%s.%s.%s' "$$" "$(started "$$")" "$(cat /proc/sys/kernel/random/boot_id)"; }

started() {
  # The name of a process may contain anything, so fields are counted behind it.
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
  set -f
  set -- ${stat##*) }
  printf '%s' "${20}"
}

# Removes the lock of a process that is no more. Only one process may ever remove one dead owner's lock, or the second
# would remove the lock that the first has just taken; a directory in the dead owner's name decides which.
break_dead_lock() {
  owner=$(readlink "$run/lock.owner" 2>/dev/null) || return 0
  process=${owner%%.*}
  [ "$owner" != "$process.$(started "$process").$(cat /proc/sys/kernel/random/boot_id)" ] || return 1
  mkdir "$run/dead.$owner" 2>/dev/null && rm -f -- "$run/lock.owner"
}

# epoch_seen: sets `seen` to the highest epoch, "RUN SEQUENCE", that this state has reached here.
epoch_seen() {
  seen='0 0'
  for file in "$run/epoch.$lineage" "$home/epoch"; do
    [ -f "$file" ] || continue
    epoch=$(cat "$file")
    case $epoch in
    *[!0-9\ ]* | *\ *\ * | \ * | *\ ) ;; # Damaged: the other one counts.
    *\ *) ! above "$epoch" "$seen" || seen=$epoch ;;
    esac
  done
}

# above "RUN SEQUENCE" "RUN SEQUENCE": whether the first epoch is later than the second.
above() {
  [ "${1% *}" -gt "${2% *}" ] || { [ "${1% *}" -eq "${2% *}" ] && [ "${1#* }" -gt "${2#* }" ]; }
}

# Shuts out every script of this state that was sent for an epoch up to this one, also one that has not started yet.
# In /run always, because that leaves nothing on the disk of a host that no state has changed; in the ledger's directory
# where there is one, so that an old state is recognised after a reboot too.
raise_epoch() {
  printf '%s\n' "$1" >"$run/.epoch" && mv -f "$run/.epoch" "$run/epoch.$lineage" || return
  [ -d "$home" ] || return 0
  printf '%s\n' "$1" >"$home/.epoch" && flush "$home/.epoch" && mv -f "$home/.epoch" "$home/epoch" && flush "$home"
}
