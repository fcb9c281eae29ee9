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
  # The files that can be read, and the same with what separates their contents, as the numbers of the arguments: a list
  # that is put together anew for every path would take minutes for thousands.
  readable=
  contents=
  number=0
  for path do
    number=$((number + 1))
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
        if [ "$type" = file ]; then
          readable="$readable \"\${$number}\""
          contents="$contents \"\${$number}\" /proc/self/environ"
        fi
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
  [ -z "$readable" ] || eval "stat -L -c '%a %u %g %n' -- $readable </dev/null"
  printf '%s bytes\n' "$nonce"
  # One process reads everything. What separates two files is cat's own environment, which holds nothing but the nonce:
  # no content can imitate it. (The shell's `read` is no way: it asks for one byte at a time, and the kernel answers the
  # second request about a file in /proc/sys with nothing, so that 60 would be read as 6.)
  # What is evaluated holds numbers and names from here, never a path.
  eval 'env -i "TUNE=$nonce" "PATH=$PATH" cat -- /proc/self/environ /proc/self/environ '"$contents"' </dev/null'
  printf '\n%s end\n' "$nonce"
}
