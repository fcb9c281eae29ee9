# Looking at a host: every path of a plan with three processes, however many paths there are.

# dates GLOB PATH...: when each of the paths that exist was last changed. Nothing is read of them.
dates() {
  printf '%s times %s\n' "$nonce" "$1"
  shift
  for path do
    shift
    case $path in *"$newline"*) continue ;; esac
    [ ! -e "$path" ] || set -- "$@" "$path"
  done
  [ $# -eq 0 ] || stat -L -c '%Y %n' -- "$@" </dev/null
}

# survey ARGUMENT...: prints one record about each path, then the modes and contents of all files that can be read. An
# argument that is no path is a mark; it is handed back, so that the reader knows which glob gave which files.
survey() {
  for path do
    # The list turns into the files that can be read: each is dropped in front, and put back at the end if it is one.
    shift
    case $path in
    /*"$newline"*) continue ;; # Nothing that we ask for has such a name.
    /*) ;;
    *)
      printf '%s mark %s\n' "$nonce" "$path"
      continue
      ;;
    esac
    if [ -L "$path" ]; then
      printf '%s link %s\n' "$nonce" "$path"
      readlink "$path"
    fi
    access=
    if [ -e "$path" ]; then
      if [ -f "$path" ]; then
        type=file
      elif [ -d "$path" ]; then
        type=directory
      else
        type=special
      fi
      if [ -r "$path" ]; then
        access=r
        [ "$type" != file ] || set -- "$@" "$path"
      fi
      [ ! -w "$path" ] || access=${access}w
    else
      # A missing file and one behind a closed directory look alike from here. The nearest directory above tells.
      type=absent
      above=${path%/*}
      while [ -n "$above" ] && [ ! -e "$above" ]; do above=${above%/*}; done
      [ -x "${above:-/}" ] || type=hidden
      [ ! -w "${above:-/}" ] || access=w
    fi
    printf '%s path %s %s %s\n' "$nonce" "$type" "${access:--}" "$path"
  done
  printf '%s stat\n' "$nonce"
  [ $# -eq 0 ] || stat -L -c '%a %u %g %n' -- "$@" </dev/null
  printf '%s bytes\n' "$nonce"
  # One process reads everything. What separates two files is cat's own environment, which holds nothing but the nonce:
  # no content can imitate it. (The shell's `read` is no way: it asks for one byte at a time, and the kernel answers the
  # second request about a file in /proc/sys with nothing, so that 60 would be read as 6.)
  set -- /proc/self/environ /proc/self/environ "$@"
  number=0
  for path do
    shift
    number=$((number + 1))
    if [ "$number" -gt 2 ]; then
      set -- "$@" "$path" /proc/self/environ
    else
      set -- "$@" "$path"
    fi
  done
  env -i "TUNE=$nonce" "PATH=$PATH" cat -- "$@" </dev/null
  printf '\n%s end\n' "$nonce"
}
