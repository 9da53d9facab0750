# Process 1 of a machine. Runs the command, whose output goes to the first port, and writes its exit code to the second port.
busybox=/run/vm/busybox
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/vm HOME=/root USER=root LANG=C.UTF-8
$busybox hostname machine
$busybox ip link set lo up
# Limits of swap are files that a cgroup has only where there is swap.
$busybox fallocate -l 128m /swap && $busybox chmod 600 /swap && $busybox mkswap /swap >/dev/null && $busybox swapon /swap

# Only one process at a time can open a port, and a program may open its output once more, as /dev/stderr. So the command
# writes to a pipe.
$busybox mkfifo /run/vm/output
$busybox dd bs=64k if=/run/vm/output of="$(echo /dev/vport*p1)" 2>/dev/null &
copy=$!
cd /tree
/bin/bash /run/vm/command </dev/null >/run/vm/output 2>&1
code=$?
# A process that the command left behind may keep the pipe open.
for i in $($busybox seq 20); do
	$busybox kill -0 $copy 2>/dev/null || break
	$busybox usleep 50000
done
echo $code >"$(echo /dev/vport*p2)"
$busybox sync
$busybox poweroff -f
