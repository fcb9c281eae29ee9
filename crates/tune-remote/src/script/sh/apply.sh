# Writing a batch: ledger first, then every item by compare-and-set, read back.

# begin "RUN SEQUENCE" SECONDS DIRECTORY...: takes the lock and refuses to go on behind a fence.
begin() {
  # A lost connection must not end the work between a write and its read-back.
  trap '' HUP INT PIPE
  need base64 cat chmod chown ln mkdir mktemp mv readlink rm rmdir sha256sum sleep stat sync touch
  lock_or_fail "$2"
  epoch_seen
  above "$1" "$seen" || fail stale "$seen"
  shift 2
  sweep "$@" "$home"
}

# record LEDGER UNDO: makes the ledger and undo.sh durable, before the first item is touched.
record() {
  why=$({ make_home && write_ledger "$1" "$2"; } 2>&1) || {
    clear_home
    fail record "$why"
  }
}

make_home() {
  parent=${home%/*}
  # Only what we made ourselves is removed when the last ledger goes.
  if [ ! -d "$parent" ]; then mkdir -p "${parent%/*}" && mkdir -m 0700 "$parent" && : >"$parent/.made" || return; fi
  [ -d "$home" ] || mkdir -m 0700 "$home" && flush "$parent"
}

# write_ledger LEDGER UNDO: replaces both files, each as a whole.
write_ledger() {
  unpack "$1" "$home/.ledger" && unpack "$2" "$home/.undo" &&
    flush "$home/.ledger" && flush "$home/.undo" &&
    mv -f "$home/.undo" "$home/undo.sh" && mv -f "$home/.ledger" "$home/ledger.json" && flush "$home"
}

# clear_home: removes the ledger's directory when it holds no ledger.
clear_home() {
  rm -f -- "$home/.ledger" "$home/.undo"
  [ -e "$home/ledger.json" ] || remove_home
}

# start "RUN SEQUENCE" SECONDS: from here on items are touched. Nothing is begun after the time.
start() {
  why=$(raise_epoch "$1" 2>&1) || {
    clear_home
    fail record "$why"
  }
  expired=
  complete=1
  failed_groups=' '
  # Before our own trap: a shell that is just being forked would take the end of a quick batch for us, and lose it. And
  # in braces, because a shell keeps a copy of what a function closes, and with it the lock.
  { watch "$2"; } </dev/null >/dev/null 2>&1 9>&- &
  watchdog=$!
  trap 'expired=1' TERM
}

# watch SECONDS: when the time is over it asks the script to begin nothing more. If that does not help it ends whatever
# the script waits for, and at last the script. A write that not even that ends keeps the lock, so that no fence
# lets anybody believe that it is over.
watch() {
  nap=
  trap 'kill $nap 2>/dev/null; exit 0' TERM
  doze "$1"
  kill -TERM "$$"
  doze 5
  kill_children
  doze 5
  kill -KILL "$$"
}

doze() {
  sleep "$1" &
  nap=$!
  wait "$nap"
}

kill_children() {
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
  for child in $family; do [ "$child" = "$$" ] || kill -KILL "$child" 2>/dev/null; done
}

# change INDEX GROUP BEFORE AFTER PLACE: writes one item and says what became of it.
change() {
  index=$1
  group=$2
  before=$3
  after=$4
  shift 4
  case "$expired$failed_groups" in
  1* | *" $group "*)
    outcome not_tried
    return
    ;;
  esac
  look "$@"
  if same "$live" "$after"; then
    outcome done
  elif same "$live" "$before"; then
    write "$@"
  else
    foreign "$@"
  fi
}

# impossible INDEX GROUP MESSAGE: an item that no script can write.
impossible() {
  index=$1
  group=$2
  case "$expired$failed_groups" in
  1* | *" $group "*) outcome not_tried ;;
  *) outcome refused "$3" ;;
  esac
}

write() {
  expected=$live
  put "$after" "$@"
  result=$?
  look "$@"
  if [ "$result" -eq 0 ] && same "$live" "$after"; then
    outcome done
    return
  fi
  if [ "$result" -eq 9 ]; then
    foreign "$@"
    return
  fi
  stored=$live
  [ "$result" -ne 0 ] || why="the system stored \`${live#text }\` instead of \`${after#text }\`"
  refusal=$why
  # What was there is put back at once: half a success is no state that anybody asked for.
  if ! same "$live" "$before"; then
    expected=$live
    put "$before" "$@"
    look "$@"
  fi
  if same "$live" "$before"; then
    outcome refused "$refusal"
  else
    show_live "$@"
    outcome broken "$refusal"
  fi
}

# foreign PLACE: what is there is not what the plan saw.
foreign() {
  case $live in
  link | directory | special | unreadable) outcome refused "$live" ;;
  *)
    show_live "$@"
    outcome conflict
    ;;
  esac
}

show_live() {
  say "live $index" "$live"
  case $live in
  "file "*)
    say "bytes-of $index"
    base64 <"$2"
    ;;
  esac
}

# outcome WORD [MESSAGE]
outcome() {
  say "outcome $index $1" "${2-}"
  case $1 in done | not_tried) ;; *) failed_groups="$failed_groups$group " ;; esac
  [ "$1" = done ] || complete=
}

# settle keep | replace LEDGER UNDO | remove: when every item succeeded the ledger becomes what it is to be afterwards, or goes.
settle() {
  kill "$watchdog" 2>/dev/null
  wait "$watchdog" 2>/dev/null
  trap '' TERM
  # Where this fails the ledger of the running batch stays, which covers both ends of every change.
  case $complete$1 in
  1replace) write_ledger "$2" "$3" 2>/dev/null ;;
  1remove) remove_home 2>/dev/null ;;
  esac
  finish
}
