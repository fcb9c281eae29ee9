# How a script answers. Every record begins with a line that begins with the nonce, so that a chatty login shell is told
# apart from us; what follows the line up to the next record is its body, in base64.

# say WORD [BODY]: prints a record.
say() {
  printf '%s %s\n' "$nonce" "$1"
  [ -z "${2-}" ] || printf '%s' "$2" | base64
}

# fail WORD [BODY]: says why nothing was done, and ends.
fail() {
  say "fail $1" "${2-}"
  finish
}

finish() {
  say end
  exit 0
}

# need TOOL...: fails unless the host has them all.
need() {
  for tool do command -v "$tool" >/dev/null 2>&1 || fail "missing $tool"; done
}

# lock_or_fail SECONDS: takes the host's lock.
lock_or_fail() {
  take_lock "$1"
  case $? in
  1) fail busy "$why" ;;
  2) fail lock "$why" ;;
  esac
}
