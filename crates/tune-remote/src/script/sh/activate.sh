# Making what is configured run.

# activate "RUN SEQUENCE" PATIENCE SECONDS VERB SUBJECT MARK: takes the lock, refuses to go on behind a fence, and does it,
# unless the mark shows that it has happened already. An empty mark is compared with nothing.
activate() {
  # A lost connection must not end the work in the middle.
  trap '' HUP INT PIPE
  need base64 cat mkdir mv rm sleep sync tail
  lock_or_fail "$2"
  epoch_seen
  above "$1" "$seen" || fail stale "$seen"
  # Sent twice, or again behind a fence, it is refused: an activation is done once.
  why=$(raise_epoch "$1" 2>&1) || fail record "$why"
  look_at "$4" "$5"
  if [ -n "$6" ] && [ "$mark" != "$6" ]; then
    result already
  else
    case $4 in
    reboot) reboot_host ;;
    boot_image) within "$3" build_boot_image ;;
    *) within "$3" turn_unit "$4" "$5" ;;
    esac
  fi
  finish
}

# result WORD [BODY]: says what became of it.
result() { say "result $1" "${2-}"; }

# within SECONDS COMMAND...: does it before the time is over. A command that is ended says why it failed as well; that it
# was ended is what counts.
within() {
  begin_watch "$1"
  shift
  why=
  "$@"
  code=$?
  end_watch
  if [ "$code" -eq 0 ]; then
    result done
  elif [ -n "$expired" ]; then
    result expired "$why"
  else
    result failed "$why"
  fi
}

# The answer must be on its way before the connection goes. systemd takes the order, answers, and goes down then; other
# systems are told by a process of its own, in a session of its own.
reboot_host() {
  if has_systemd; then
    if why=$(systemctl --no-wall --no-ask-password reboot 2>&1 9>&-); then result begun; else result failed "$why"; fi
  elif command -v reboot >/dev/null 2>&1; then
    result begun
    if command -v setsid >/dev/null 2>&1; then
      (setsid reboot </dev/null >/dev/null 2>&1 9>&- &)
    else
      (reboot </dev/null >/dev/null 2>&1 9>&- &)
    fi
  else
    fail 'missing reboot'
  fi
}

# turn_unit VERB UNIT: restarts or reloads it. A unit whose files were edited is read again first: it is to run what is
# configured.
turn_unit() {
  [ "$load" = loaded ] || {
    end_watch
    say "unit $load $active $sub $type"
    finish
  }
  if [ -n "$edited" ]; then why=$(systemctl --no-ask-password daemon-reload 2>&1) || return; fi
  why=$(systemctl --no-ask-password "$1" -- "$2" 2>&1) && return
  say log "$(unit_log "$2")"
  return 1
}

build_boot_image() {
  if command -v update-initramfs >/dev/null 2>&1; then
    why=$(update-initramfs -u -k all 2>&1) && return
  elif command -v dracut >/dev/null 2>&1; then
    why=$(dracut -f --regenerate-all 2>&1) && return
  else
    end_watch
    fail no_image_tool
  fi
  why=$(printf '%s\n' "$why" | tail -n 8)
  return 1
}
