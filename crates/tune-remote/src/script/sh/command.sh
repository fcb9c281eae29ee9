# Running one program exactly as it was asked for. Its output and what it complains go where ours go.

# command_of SECONDS LIMIT INPUT WORD...: INPUT is the digest of what the program reads, or empty. After LIMIT bytes of
# output nobody listens any more.
command_of() {
  # A lost connection must not take the watchdog's script away from it.
  trap '' HUP INT PIPE
  seconds=$1
  limit=$2
  input=$3
  shift 3
  need grep head sleep
  [ -z "$input" ] || need base64
  say bytes
  printf '%s begin\n' "$nonce" >&2
  begin_watch "$seconds"
  # Through 3 comes the exit code, 4 is our output, 5 our complaints: what shells say about a program that was killed is
  # none of the program's words.
  exec 4>&1 5>&2
  code=$({ { feed "$@" 3>&- 4>&- 2>/dev/null; echo "$?" >&3; } | head -c "$limit" >&4 3>&-; } 3>&1 2>/dev/null)
  if was_late; then
    expired=1
    kill_marked
  fi
  printf '\n%s status %s %s\n%s end\n' "$nonce" "${code:-137}" "${expired:-0}" "$nonce"
  exit 0
}

feed() {
  if [ -n "$input" ]; then
    content "$input" | base64 -d | program "$@"
  else
    program "$@"
  fi
}

# exec finds programs only: nothing that is built into the shell, and no function of ours, goes by the same name.
program() {
  (
    umask 022
    trap - HUP INT PIPE TERM
    # By this everything that the program starts is known, also what it leaves behind. Half of the nonce is no nonce.
    TUNE_COMMAND=${nonce%????????????????}
    export TUNE_COMMAND
    exec "$@" 2>&5 5>&-
  )
}

# The time of a program, and of all that it has started, ends without mercy. The shells around it are left alone at first:
# one that is just starting the program would leave it to nobody. What hides its environment ends with them.
watch() {
  nap=
  late=0
  trap 'kill $nap 2>/dev/null; exit $late' TERM
  doze "$1"
  # The script is not told by a signal: there are shells that then stop listening to what they have started.
  late=3
  rounds=0
  while :; do
    kill_marked
    [ "$rounds" -lt 3 ] || kill_children KILL
    rounds=$((rounds + 1))
    doze 1
  done
}

# Ends the program and what it has started, all at once: when the first of them is gone the script may be at its end.
kill_marked() {
  set +f
  marked=
  for file in $(grep -lF "TUNE_COMMAND=${nonce%????????????????}" /proc/[0-9]*/environ 2>/dev/null); do
    process=${file#/proc/}
    marked="$marked ${process%/environ}"
  done
  [ -z "$marked" ] || kill -KILL $marked 2>/dev/null
}

# was_late: ends the watchdog, and tells whether its time had come.
was_late() {
  kill "$watchdog" 2>/dev/null
  wait "$watchdog" 2>/dev/null
  [ "$?" -eq 3 ]
}
