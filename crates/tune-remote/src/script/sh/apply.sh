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
  complete=1
  failed_groups=' '
  begin_watch "$2"
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
  end_watch
  # Where this fails the ledger of the running batch stays, which covers both ends of every change.
  case $complete$1 in
  1replace) write_ledger "$2" "$3" 2>/dev/null ;;
  1remove) remove_home 2>/dev/null ;;
  esac
  finish
}
