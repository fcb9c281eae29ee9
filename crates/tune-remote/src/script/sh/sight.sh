# What an activation is about, as it is now.

# sight VERB SUBJECT: prints which start of it this is, and its state.
sight() {
  need base64 cat
  look_at "$1" "$2"
  say mark "$mark"
  case $1 in
  reboot)
    # Without systemd, a shell that answers is all that there is to wait for.
    has_systemd || return 0
    say system "$(systemctl is-system-running 2>/dev/null)"
    ;;
  boot_image) ;;
  *)
    say "unit $load $active $sub $type"
    [ "$active" != failed ] || say log "$(unit_log "$2")"
    ;;
  esac
}

# look_at VERB SUBJECT: sets `mark`, and for a unit everything that is known of it.
look_at() {
  case $1 in
  reboot) mark=$(cat "$root/proc/sys/kernel/random/boot_id" 2>/dev/null) || fail boot_id ;;
  boot_image) mark=$(newest_boot_image) ;;
  *)
    look_at_unit "$2"
    mark=$invocation
    ;;
  esac
}

has_systemd() { [ -d "$root/run/systemd/system" ] && command -v systemctl >/dev/null 2>&1; }

look_at_unit() {
  has_systemd || fail no_systemd
  shown=$(systemctl show -p Id -p LoadState -p ActiveState -p SubState -p Type -p InvocationID -p NeedDaemonReload \
    -p FragmentPath -p DropInPaths -- "$1" 2>&1) || fail unit "$shown"
  id=$1 load=- active=- sub=- type=- invocation= edited= fragment= dropins=
  set -f
  IFS=$newline
  for line in $shown; do
    value=${line#*=}
    case $line in
    Id=?*) id=$value ;;
    LoadState=?*) load=$value ;;
    ActiveState=?*) active=$value ;;
    SubState=?*) sub=$value ;;
    Type=?*) type=$value ;;
    InvocationID=?*) invocation=$value ;;
    NeedDaemonReload=yes) edited=1 ;;
    FragmentPath=*) fragment=$value ;;
    DropInPaths=*) dropins=" $value " ;;
    esac
  done
  unset IFS
  set +f
  # Files that are new to systemd it does not count as edited.
  file=$root/etc/systemd/system/$id
  [ ! -f "$file" ] || [ "$root$fragment" = "$file" ] || edited=1
  for file in "$root/etc/systemd/system/$id.d"/*.conf "$root/run/systemd/system/$id.d"/*.conf; do
    [ -e "$file" ] || continue
    case $dropins in *" ${file#"$root"} "*) ;; *) edited=1 ;; esac
  done
}

# unit_log UNIT: the last words of a unit.
unit_log() { journalctl --quiet --no-pager -o cat -n 8 -u "$1" 2>/dev/null | tail -n 8; }

# The time at which the newest boot image was written; nothing where there is none.
newest_boot_image() {
  set +f
  TZ=UTC0 stat -c %y "$root"/boot/initrd* "$root"/boot/initramfs* "$root"/boot/*/*/initrd "$root"/efi/*/*/initrd \
    2>/dev/null | sort | tail -n 1
}
