#!/bin/busybox sh
# The first program of a machine. Loads the modules, mounts the disks, and goes on with main.sh in the root file system.
busybox=/bin/busybox
$busybox mount -t proc proc /proc
$busybox mount -t sysfs sys /sys
$busybox mount -t devtmpfs dev /dev
for module in /modules/*.ko; do $busybox insmod "$module"; done

# The kernel finds disks and ports while this program runs.
for i in $($busybox seq 400); do
	[ -e /dev/vda ] && $busybox ls /dev | $busybox grep -q '^vport.*p2$' && break
	$busybox usleep 25000
done
$busybox mount -t ext4 /dev/vda /disk
[ ! -e /dev/vdb ] || $busybox mount -t ext4 /dev/vdb /disk/tree

cd /disk
for name in proc sys dev; do $busybox mount --move /$name $name; done
$busybox mkdir -p dev/pts dev/shm
$busybox mount -t devpts -o ptmxmode=666,gid=5 devpts dev/pts
$busybox mount -t tmpfs -o mode=1777 tmpfs dev/shm
$busybox mount -t tmpfs -o mode=755 tmpfs run
$busybox mount -t tmpfs -o mode=1777 tmpfs tmp
# With the options of systemd.
$busybox mount -t cgroup2 -o nsdelegate,memory_recursiveprot cgroup2 sys/fs/cgroup
$busybox ln -s /proc/self/fd dev/fd
$busybox mkdir run/vm
$busybox cp /bin/busybox /command /main.sh /as-user run/vm
exec $busybox switch_root . /run/vm/busybox sh /run/vm/main.sh
