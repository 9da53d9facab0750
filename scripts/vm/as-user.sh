#!/bin/bash
# `as-user COMMAND…`: runs a command as uid 1000 in a machine, in the child "session" of a cgroup that root has given to that
# user, as `Delegate=yes` of systemd gives one: the directory and the three files that manage it belong to the user. A systemd
# of the user starts only where the folder of the system's is.
set -euo pipefail
top=/sys/fs/cgroup
group=$top/delegated
sed 's/^/+/; s/ / +/g' $top/cgroup.controllers >$top/cgroup.subtree_control
mkdir -p $group /run/systemd/system
for name in . cgroup.procs cgroup.threads cgroup.subtree_control; do chown 1000:1000 $group/$name; done
setpriv --reuid 1000 --regid 1000 --clear-groups mkdir -p $group/session
echo $$ >$group/session/cgroup.procs
exec setpriv --reuid 1000 --regid 1000 --clear-groups env HOME=/home/user USER=user "$@"
