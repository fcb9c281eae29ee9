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
  need head sleep
  [ -z "$input" ] || need base64
  say bytes
  printf '%s begin\n' "$nonce" >&2
  begin_watch "$seconds"
  # Through 3 comes the exit code, 4 is our output, 5 our complaints: what shells say about a program that was killed is
  # none of the program's words.
  exec 4>&1 5>&2
  code=$({ { feed "$@" 3>&- 4>&- 2>/dev/null; echo "$?" >&3; } | head -c "$limit" >&4 3>&-; } 3>&1 2>/dev/null)
  end_watch
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
    exec "$@" 2>&5 5>&-
  )
}

# The time of a program, and of all that it has started, ends without mercy.
watch() {
  nap=
  trap 'kill $nap 2>/dev/null; exit 0' TERM
  doze "$1"
  kill -TERM "$$"
  while :; do
    kill_children KILL
    doze 1
  done
}
