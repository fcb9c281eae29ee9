# keeper.sh DIR: removes the lab's directory when standard input ends, that is when the lab is dropped or its process dies.
trap '' HUP INT TERM
cat >/dev/null
for attempt in 1 2 3 4 5 6 7 8 9 10; do
    for groups in /sys/fs/cgroup/"${1##*/}" /sys/fs/cgroup/*/"${1##*/}"; do
        [ ! -e "$groups" ] || find "$groups" -depth -type d -exec rmdir {} + 2>/dev/null
    done
    rm -rf --one-file-system "$1" 2>/dev/null && ! ls -d /sys/fs/cgroup/*/"${1##*/}" >/dev/null 2>&1 && exit
    # A host that is just ending may still have written a file.
    sleep 0.1
done
