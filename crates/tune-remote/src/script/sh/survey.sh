# Looking at a host: every path of a plan, with two processes for each five hundred.

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
  # One word about each argument: whether its content is to follow. Some at a time, because to make a long text longer
  # takes bash as long as the text.
  readable=
  some=
  number=0
  for path do
    number=$((number + 1))
    if [ "$number" -gt 500 ]; then
      readable=$readable$some
      some=
      number=1
    fi
    case $path in
    /*"$newline"*) # Nothing that we ask for has such a name.
      some="$some -"
      continue
      ;;
    /*) ;;
    *)
      some="$some -"
      printf '%s mark %s\n' "$nonce" "$path"
      continue
      ;;
    esac
    if [ -L "$path" ]; then
      printf '%s link %s\n' "$nonce" "$path"
      readlink "$path"
    fi
    access=
    content=-
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
        [ "$type" != file ] || content=r
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
    some="$some $content"
    printf '%s path %s %s %s\n' "$nonce" "$type" "${access:--}" "$path"
  done
  readable=$readable$some
  printf '%s stat\n' "$nonce"
  by_hundreds modes '' "$@"
  printf '%s bytes\n' "$nonce"
  # What separates two files is cat's own environment, which holds nothing but the nonce: no content can imitate it. (The
  # shell's `read` is no way: it asks for one byte at a time, and the kernel answers the second request about a file in
  # /proc/sys with nothing, so that 60 would be read as 6.)
  bytes /proc/self/environ /proc/self/environ
  by_hundreds bytes /proc/self/environ "$@"
  printf '\n%s end\n' "$nonce"
}

modes() { stat -L -c '%a %u %g %n' -- "$@" </dev/null; }

bytes() { env -i "TUNE=$nonce" "PATH=$PATH" cat -- "$@" </dev/null; }

# by_hundreds COMMAND AFTER PATH...: gives the command those of the paths that `readable` marks, with a word after each.
# Not all at once: the kernel limits what one program can be told, and bash counts from the first argument to reach one.
by_hundreds() {
  command=$1
  after=$2
  shift 2
  number=0
  words=
  for content in $readable; do
    number=$((number + 1))
    # What is evaluated holds numbers and names from here, never a path.
    [ "$content" = - ] || words="$words \"\${$number}\" $after"
    if [ "$number" -eq 500 ]; then
      [ -z "$words" ] || eval "$command $words"
      shift 500
      number=0
      words=
    fi
  done
  [ -z "$words" ] || eval "$command $words"
}
