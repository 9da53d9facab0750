import type { FailureData } from "../../native/binding.js";
import { atFlags } from "../addon/flags.generated.ts";

/** The kinds of namespaces that a task needs for file systems which show a namespace. */
const ofNamespace: Readonly<Record<string, string>> = {
	sysfs: "net",
	mqueue: "ipc",
	cgroup2: "cgroup",
	cgroup: "cgroup",
};

/** The calls that a kernel or the seccomp filter of a container may not know, with the first kernel that has them. */
const since: Readonly<Record<string, string>> = {
	fsopen: "5.2",
	fspick: "5.2",
	fsconfig: "5.2",
	fsmount: "5.2",
	open_tree: "5.2",
	move_mount: "5.2",
	mount_setattr: "5.12",
	statmount: "6.8",
	listmount: "6.8",
	open_tree_attr: "6.15",
};

/**
 * Returns what may stand in the way of a call on mounts, and what to do about it. The call, the file system and the error decide:
 * no further call is made.
 *
 * @param failure - The failure.
 * @param paths - The paths that the error has.
 */
export function hintFor(failure: FailureData, paths: { path?: string; dest?: string }): string | undefined {
	const { code, syscall = "", fstype, number } = failure;
	switch (code) {
		case "EPERM":
			return hintForPermission(syscall, fstype?.toString());
		case "ENOSYS":
			return (
				since[syscall] &&
				`the kernel is older than Linux ${since[syscall]}, or a container's seccomp filter does not know the call`
			);
		case "ENOENT":
			if (![paths.path, paths.dest].some((path) => path?.startsWith("/proc/self/fd/"))) return undefined;
			return "the call reaches an open descriptor through /proc/self/fd, and no procfs of this pid namespace is mounted on /proc";
		case "EINVAL":
			return hintForPlace(syscall, number ?? 0);
		default:
			return undefined;
	}
}

function hintForPermission(syscall: string, fstype: string | undefined): string | undefined {
	const makes = syscall === "fsconfig" || syscall === "fsmount";
	if (makes || syscall === "mount" || syscall === "fsopen") {
		// fsopen(2) refuses sysfs already, and proc only for a lack of privilege.
		if (fstype === "proc" && syscall !== "fsopen") {
			return 'in a user namespace a proc needs a pid namespace of the same user namespace (clone with "pid"), and a procfs in sight that nothing is mounted over, as the masks of a container are';
		}
		const kind = fstype === undefined ? undefined : ofNamespace[fstype];
		if (kind) {
			const inSight = fstype === "sysfs" ? ", and a sysfs in sight that nothing is mounted over" : "";
			return `in a user namespace ${fstype} needs a namespace of the kind "${kind}" that belongs to it (clone with "${kind}")${inSight}`;
		}
	}
	if (makes) {
		return "a user namespace may mount tmpfs, ramfs, devpts, overlay and fuse, and no file system of a device; a context belongs to the user namespace that opened it";
	}
	if (since[syscall] === undefined) return undefined;
	const changes = syscall === "mount_setattr" || syscall === "open_tree_attr";
	return changes ? `${lockedAttribute}; or ${noPrivilege}` : noPrivilege;
}

const noPrivilege =
	"the task has no CAP_SYS_ADMIN over its mount namespace; where that is not the reason and all of these calls fail, a container's seccomp filter does not know them";
const lockedAttribute =
	"a more privileged namespace has locked an attribute that the call clears, or the access times that it changes; the mount is id-mapped already; or userns is the initial user namespace";

const lockedBelow =
	"something that a more privileged namespace has locked may be mounted below: a copy then has to be recursive";
const noIdMap =
	"an id map needs a user namespace that has maps, and a file system that allows it, which proc, sysfs, devpts and ramfs do not";

function hintForPlace(syscall: string, flags: number): string | undefined {
	switch (syscall) {
		case "move_mount":
			return "a plain path is not followed: at a link the mount goes on the link itself, which takes no directory; a directory goes on a directory and a file on a file; a mount of another mount namespace cannot be moved; and before Linux 6.15 nothing can be mounted in a detached tree";
		case "open_tree":
			return flags & atFlags.recursive ? undefined : lockedBelow;
		case "open_tree_attr":
			return flags & atFlags.recursive ? noIdMap : `${lockedBelow}; ${noIdMap}`;
		case "pivot_root":
			return 'the new root has to be a mount, and neither it, its parent nor the parent of the present root may be shared: begin with mount(null, "/", null, { flags: ["rec", "private"] })';
		case "mount_setattr":
			return `the place has to be the root of a mount of this mount namespace, for an id map detached; ${noIdMap}`;
		default:
			return undefined;
	}
}
