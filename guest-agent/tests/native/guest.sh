# Makes private namespaces look like a guest whose agent has prepared its file systems.
mount -t tmpfs tmpfs /run
mkdir /run/husk /run/tree
mkdir -p /run/husk/volumes/v/deep
touch /run/husk/volumes/v/file /run/husk/volumes/single
mount -t tmpfs tmpfs /run/husk/volumes/v/deep
chown 7:8 /run/husk/volumes/v/file
# The tree of cgroups is the host's: a part of it becomes the root that the agent sees.
mount -t cgroup2 cgroup2 /run/tree
mkdir "/run/tree/$CGROUP"
echo $$ > "/run/tree/$CGROUP/cgroup.procs"
umount /run/tree
mount -t tmpfs tmpfs /sys/block
mount -t tmpfs tmpfs /dev
for device in "null 1 3" "zero 1 5" "full 1 7" "random 1 8" "urandom 1 9" "tty 5 0"; do
    set -- $device
    mknod -m 666 "/dev/$1" c "$2" "$3"
done
mknod /dev/kmsg c 1 11
for disk in "vda scratch0 $SCRATCH" "vdb image1 $IMAGE"; do
    set -- $disk
    mkdir "/sys/block/$1"
    echo 2048 > "/sys/block/$1/size"
    echo "$2" > "/sys/block/$1/serial"
    mknod "/dev/$1" b 7 "$3"
done
exec unshare --cgroup sh -ec 'mount -t cgroup2 -o nsdelegate cgroup2 /sys/fs/cgroup; exec "$AGENT"'
