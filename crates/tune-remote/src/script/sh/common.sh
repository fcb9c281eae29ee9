# What every script begins with.
#
# Nothing here or elsewhere relies on more than POSIX sh and coreutils or busybox. Variables are global, because POSIX
# knows no others.

set -u
umask 077
LC_ALL=C
export LC_ALL PATH
newline='
'

# flush PATH: makes a file's content, or a directory's entries, survive a power cut.
flush() { sync -- "$1" 2>/dev/null || sync; }
