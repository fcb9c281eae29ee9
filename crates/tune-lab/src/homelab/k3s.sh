#!/bin/bash
# Stands in for K3s on a guest: who answers is the lab, behind the port of the API server.
case ${1-} in
--version)
    printf 'k3s version %s (148243c4)\ngo version go1.24.5\n' "$VERSION"
    exit 0
    ;;
kubectl) shift ;;
*)
    echo "this stands in for k3s and knows \`k3s --version\` and \`k3s kubectl\`" >&2
    exit 1
    ;;
esac
if { exec 3<>/dev/tcp/127.0.0.1/6443; } 2>/dev/null && echo "$*" >&3 && read -r status <&3; then
    [ "$status" = 0 ] || exec >&2
    cat <&3
    exit "$status"
fi
echo "The connection to the server 127.0.0.1:6443 was refused - did you specify the right host or port?" >&2
exit 1
