# The time of a script: it is kept on the host, because a client that is gone ends nothing there.

# begin_watch SECONDS: from now on the time runs; when it is over `expired` is set.
begin_watch() {
  expired=
  # Before our own trap: a shell that is just being forked would take the end of a quick script for us, and lose it. And
  # in braces, because a shell keeps a copy of what a function closes, and with it the lock.
  { watch "$1"; } </dev/null >/dev/null 2>&1 9>&- &
  watchdog=$!
  trap 'expired=1' TERM
}

end_watch() {
  kill "$watchdog" 2>/dev/null
  wait "$watchdog" 2>/dev/null
  trap '' TERM
}

# watch SECONDS: when the time is over it asks the script to begin nothing more. If that does not help it ends whatever
# the script waits for, and at last the script. A write that not even that ends keeps the lock, so that no fence
# lets anybody believe that it is over.
watch() {
  # What nobody ends would stay on the host until its time is over. A shell takes a signal between any two commands, so
  # `$!` and not a variable of ours tells what is being waited for; and a child that has only just been forked still has
  # our trap and would lose any signal but this one.
  earlier=${!-}
  trap '[ "${!-}" = "$earlier" ] || kill -KILL "$!" 2>/dev/null; exit 0' TERM
  doze "$1"
  kill -TERM "$$"
  doze 5
  kill_children KILL
  doze 5
  kill -KILL "$$"
}

doze() {
  sleep "$1" &
  wait "$!"
}

# kill_children SIGNAL: signals everything that the script has started, but not the watchdog itself.
kill_children() {
  signal=$1
  # In this copy of the shell $$ is still the script; only a child can tell our own number.
  self=$(exec sh -c 'echo "$PPID"')
  family=" $$ "
  grown=
  while [ "$family" != "$grown" ]; do
    grown=$family
    set +f
    for stat in /proc/[0-9]*/stat; do
      { read -r line <"$stat"; } 2>/dev/null || continue
      child=${line%% *}
      set -- ${line##*) }
      case $family in
      *" $child "*) ;;
      *" $2 "*) [ "$child" = "$self" ] || family="$family$child " ;;
      esac
    done
  done
  # All at once: when the first of them is gone the script goes on, and may end us before the last.
  family=${family#" $$ "}
  [ -z "$family" ] || kill "-$signal" $family 2>/dev/null
}
