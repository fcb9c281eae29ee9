# What an item is now, and making it something else.
#
# A PLACE is where an item lives:   value PATH | either NAME PATH NAME PATH | reported PATH TABLE FIELD | file PATH
# A FORM is what it is:             absent | text VALUE | file MODE UID GID SHA256
# Whatever else can be in a place has a form that no wanted form equals: link, directory, special, unreadable.

# look PLACE: sets `live` to the form of what is there now.
look() {
  case $1 in
  value) look_value "$2" ;;
  either) look_either "$2" "$3" "$4" "$5" ;;
  reported) look_reported "$2" "$3" "$4" ;;
  file) look_file "$2" ;;
  esac
}

look_value() {
  if [ ! -e "$1" ]; then
    live=absent
  elif live=$(cat "$1" 2>/dev/null && printf .); then
    # The full stop protects line breaks from the shell, which drops all of them at the end.
    live=${live%.}
    live="text ${live%"$newline"}"
  else
    live=unreadable
  fi
}

# Of two values that zero each other, the one that is not zero speaks for both; the first if both are zero.
look_either() {
  look_value "$2"
  one=$live
  look_value "$4"
  case $one in "text "*) ;; *)
    live=$one
    return
    ;;
  esac
  case $live in "text "*) ;; *) return ;; esac
  if [ "$one" = 'text 0' ] && [ "$live" != 'text 0' ]; then
    live="text $3=${live#text }"
  else
    live="text $1=${one#text }"
  fi
}

# What was written to the first file says nothing; the line `FIELD TYPE VALUE` of the table does.
look_reported() {
  live=absent
  [ -e "$1" ] || return 0
  table=$(cat "$2" 2>/dev/null)
  field=$3
  set -f
  set -- $table
  live=unreadable
  while [ $# -ge 3 ]; do
    if [ "$1" = "$field" ]; then
      live="text $3"
      return
    fi
    shift
  done
}

look_file() {
  if [ -L "$1" ]; then
    live=link
  elif [ ! -e "$1" ]; then
    live=absent
  elif [ -d "$1" ]; then
    live=directory
  elif [ ! -f "$1" ]; then
    live=special
  elif owner=$(stat -c '%a %u %g' -- "$1" 2>/dev/null) && sum=$(sha256sum 2>/dev/null <"$1"); then
    live="file $owner ${sum%% *}"
  else
    live=unreadable
  fi
}

# same FORM FORM: whether two forms are one. Values are compared with every run of white space as one space, because
# the kernel prints tabs where people type spaces.
same() {
  [ "$1" != "$2" ] || return 0
  case $1 in "text "*) ;; *) return 1 ;; esac
  case $2 in "text "*) ;; *) return 1 ;; esac
  squeeze "$1"
  first=$squeezed
  squeeze "$2"
  [ "$first" = "$squeezed" ] && return
  # A module prints a truth value as Y or N, whatever was written, and a choice among all that could be chosen.
  case $first/$squeezed in
  'text Y/text 1' | 'text 1/text Y' | 'text N/text 0' | 'text 0/text N') return 0 ;;
  esac
  chosen "$first" "$squeezed" || chosen "$squeezed" "$first"
}

# chosen FORM FORM: whether the first is a menu such as `text slow [fast]` in which the second, `text fast`, is chosen.
chosen() {
  case $2 in *[][]*) return 1 ;; esac
  case " ${1#text } " in
  "  "*) false ;;
  *" [${2#text }] "*) ;;
  *) false ;;
  esac
}

squeeze() {
  # Splitting is wanted here; `set -f` keeps a star from becoming file names.
  set -f
  set -- $1
  squeezed="$*"
}

# put FORM PLACE: makes it so, or fails with the reason in `why`; with 9 when a file is not `expected` any more.
put() {
  form=$1
  shift
  why=
  case $1 in
  value) put_value "$form" "$2" ;;
  reported) put_reported "$form" "$2" "$3" "$4" ;;
  either)
    case $form in
    "text $2="*) put_value "text ${form#"text $2="}" "$3" ;;
    "text $4="*) put_value "text ${form#"text $4="}" "$5" ;;
    *) put_value "$form" "$3" ;;
    esac
    ;;
  file) put_file "$form" "$2" ;;
  esac
}

put_value() {
  case $1 in "text "*) ;; *)
    why='a value cannot be removed'
    return 1
    ;;
  esac
  if [ ! -e "$2" ]; then
    why='there is no such value'
    return 1
  fi
  # cat writes the value with one write, as the kernel wants it, and can say why it was refused; the shell cannot.
  why=$({ printf '%s\n' "${1#text }" 2>/dev/null | cat >"$2"; } 2>&1)
}

# What the system ignored does not stay behind either: some day it might be taken.
put_reported() {
  kept=$(cat "$2" 2>/dev/null)
  put_value "$1" "$2" || return
  look_reported "$2" "$3" "$4"
  same "$live" "$1" || put_value "text $kept" "$2"
}

put_file() {
  directory=${2%/*}
  case $1 in
  absent) why=$(remove_file "$2" 2>&1) && drop_directories ;;
  *) make_directory "$directory" && why=$(replace_file "$1" "$2" 2>&1) ;;
  esac
}

remove_file() {
  still_expected "$1" || return
  rm -f -- "$1" && flush "$directory"
}

# Nobody ever sees half a file, and a power cut leaves the old one or the new one: a new file beside the old one gets
# everything, reaches the disk, and takes its name.
replace_file() {
  set -f
  set -- $1 "$2"
  new=$(mktemp "$directory/.tune.XXXXXX") || return
  unpack "$5" "$new" &&
    chown "$3:$4" "$new" && chmod "$2" "$new" && label_like "$6" "$new" && flush "$new" &&
    still_expected "$6" && rename "$new" "$6" && flush "$directory"
  result=$?
  [ "$result" -eq 0 ] || rm -f -- "$new"
  return "$result"
}

# unpack SHA256 PATH: writes the content of that digest to a file of ours.
unpack() {
  content "$1" 2>/dev/null | base64 -d >"$2" || return
  sum=$(sha256sum <"$2")
  [ "${sum%% *}" = "$1" ] || {
    echo 'the content did not arrive whole'
    return 1
  }
}

# The security label of SELinux is part of a file that is replaced.
label_like() {
  [ ! -e "$1" ] || [ ! -e /sys/fs/selinux/enforce ] || chcon --reference="$1" "$2"
}

still_expected() {
  look_file "$1"
  [ "$live" = "$expected" ] || {
    echo 'it was changed at this moment'
    return 9
  }
}

rename() {
  # -T keeps mv from moving into a directory of that name; where it is unknown, looking first must do.
  mv -fT "$1" "$2" 2>/dev/null || { [ ! -d "$2" ] && mv -f "$1" "$2"; }
}

# A missing directory is made, and noted first, so that it goes when the last of our files in it goes.
make_directory() {
  [ -n "$1" ] && [ ! -d "$1" ] || return 0
  make_directory "${1%/*}" || return
  why=$({
    printf '%s\n' "$1" >>"$home/made" && flush "$home/made" && mkdir -m 0755 "$1" && flush "${1%/*}/"
  } 2>&1)
}

# sweep DIRECTORY...: removes what killed runs left behind. Only under the lock: another run's new file looks the same.
sweep() {
  set +f
  for directory do rm -f -- "$directory"/.tune.??????; done
  set -f
}
