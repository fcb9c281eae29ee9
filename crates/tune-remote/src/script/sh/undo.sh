# undo ADDRESS KEY ORIGINAL PLACE ours FORM...: puts one item back.
undo() {
  address=$1
  label=$2
  original=$3
  shift 3
  # A file that a power cut left unfinished is not wanted either.
  if [ -z "$dry_run" ] && [ "$1" = file ]; then sweep "${2%/*}"; fi
  look "$@"
  about="$label ($address)"
  if [ "$original" = unknown ]; then
    unknown=$((unknown + 1))
    tell unknown "$about is $(shown "$live"); what it was before tune is not known, so it is left alone"
  elif same "$live" "$original"; then
    already=$((already + 1))
    tell already "$about is $(shown "$live")"
  elif ! is_ours "$@"; then
    conflicts=$((conflicts + 1))
    tell conflict "$about was $(shown "$original") before tune, is $(shown "$live") now, and that is not from tune;" \
      "tune wrote$ours"
  elif [ -n "$dry_run" ]; then
    restored=$((restored + 1))
    tell would "put back $about: $(shown "$live") -> $(shown "$original")"
  else
    was=$live
    expected=$live
    put "$original" "$@"
    look "$@"
    if same "$live" "$original"; then
      restored=$((restored + 1))
      tell restored "$about: $(shown "$was") -> $(shown "$live")"
    else
      failures=$((failures + 1))
      tell failed "$about should be $(shown "$original") and is $(shown "$live"): ${why:-the system stored something else}"
    fi
  fi
}

# is_ours PLACE ours FORM...: whether `live` is one of the forms. Sets `ours` to all of them, for people.
is_ours() {
  ours=
  found=1
  listed=
  for form do
    if [ -n "$listed" ]; then
      ours="$ours $(shown "$form")"
      ! same "$live" "$form" || found=0
    elif [ "$form" = ours ]; then
      listed=1
    fi
  done
  return "$found"
}

# shown FORM: a form for people; what could play tricks on a terminal becomes a question mark.
shown() {
  case $1 in
  "text "*) printf '%s' "\`${1#text }\`" ;;
  "file "*)
    set -- $1
    printf '%s' "a file (mode $2, owner $3:$4, sha256 $5)"
    ;;
  link) printf 'a symbolic link' ;;
  directory) printf 'a directory' ;;
  special) printf 'no regular file' ;;
  *) printf '%s' "$1" ;;
  esac | tr -c '\040-\176' '?'
}

tell() {
  word=$1
  shift
  printf '%-9s %s\n' "$word" "$(printf '%s' "$*" | tr -c '\040-\176' '?')"
}

main() {
  dry_run=
  case "$#${1-}" in
  0) ;;
  1-n) dry_run=1 ;;
  *)
    echo "usage: sh undo.sh [-n]" >&2
    exit 4
    ;;
  esac
  for tool in base64 cat chmod chown mktemp mv rm sha256sum stat sync tr; do
    command -v "$tool" >/dev/null 2>&1 || {
      echo "undo.sh needs $tool, which is not in $PATH" >&2
      exit 4
    }
  done
  restored=0 already=0 conflicts=0 unknown=0 failures=0
  if [ -z "$dry_run" ]; then
    trap '' HUP
    take_lock 60
    case $? in
    1)
      echo "another run holds the lock of this machine: $why" >&2
      exit 4
      ;;
    2)
      echo "cannot take the lock of this machine (are you root?): $why" >&2
      exit 4
      ;;
    esac
    # Nothing may undo the undo later.
    rm -f -- "$run/restore.$lineage"
  fi
  set -f
  items
  if [ -n "$dry_run" ]; then verb='to put back'; else verb='put back'; fi
  echo "$restored $verb, $already already as before, $conflicts changed by others, $unknown unknown, $failures failed"
  if [ "$failures" -gt 0 ]; then
    code=4
  elif [ $((conflicts + unknown)) -gt 0 ]; then
    code=5
  else
    code=0
    [ -n "$dry_run" ] || remove_home
  fi
  exit "$code"
}
