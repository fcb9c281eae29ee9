# Leaving no trace: what goes when nothing of ours is left.

# Removes directories that we made and that are empty again, the deepest first.
drop_directories() {
  [ -f "$home/made" ] || return 0
  made=
  while IFS= read -r directory; do made=$directory$newline$made; done <"$home/made"
  kept=
  set -f
  IFS=$newline
  for directory in $made; do
    [ ! -d "$directory" ] || rmdir "$directory" 2>/dev/null || kept=$directory$newline$kept
  done
  unset IFS
  if [ -n "$kept" ]; then printf %s "$kept" >"$home/made"; else rm -f -- "$home/made"; fi
}

# Removes the ledger's directory, and the one that holds all of them when we made it and this was the last. The ledger
# itself goes first, for good: a crash after that leaves nothing that could be taken for a ledger.
remove_home() {
  drop_directories
  rm -f -- "$home/ledger.json" && flush "$home"
  rm -f -- "$home/undo.sh" "$home/epoch" "$home/.epoch" "$home/restore.log" "$home/made"
  rmdir "$home" 2>/dev/null || return 0
  parent=${home%/*}
  if [ -e "$parent/.made" ] && set +f && [ "$(echo "$parent"/*)" = "$parent/*" ]; then
    rm -f -- "$parent/.made"
    rmdir "$parent"
  fi
  flush "${parent%/*}"
}
