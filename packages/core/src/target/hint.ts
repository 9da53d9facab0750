import type { FailureData } from "../../native/binding.js";
import { atFlags, prctlOptions } from "../addon/flags.generated.ts";
import { hintForLandlock } from "./landlock-hint.ts";
import { hintForXattr } from "./xattr-hint.ts";

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
 * Returns what may stand in the way of a call on mounts, on filters, on Landlock, on capabilities or on those of a file, and what to do about it. The call,
 * the file system and the error decide: no further call is made.
 *
 * @param failure - The failure.
 * @param paths - The paths that the error has.
 */
export function hintFor(failure: FailureData, paths: { path?: string; dest?: string }): string | undefined {
	const { code = "", syscall = "", fstype, number } = failure;
	if (/xattr(at)?$/.test(syscall)) return hintForXattr(syscall, code);
	if (syscall === "seccomp") return filters[code];
	if (syscall.startsWith("landlock_")) return hintForLandlock(syscall, code);
	switch (code) {
		case "EPERM":
			return privileges(syscall, number ?? -1) ?? hintForPermission(syscall, fstype?.toString());
		case "ENOSYS":
			return (
				since[syscall] &&
				`the kernel is older than Linux ${since[syscall]}, or a container's seccomp filter does not know the call`
			);
		case "ENOENT":
			if (![paths.path, paths.dest].some((path) => path?.startsWith("/proc/self/fd/"))) return undefined;
			return "the call reaches an open descriptor through /proc/self/fd, and no procfs of this pid namespace is mounted on /proc";
		case "EINVAL":
			return hintForPlace(syscall, fstype?.toString(), number ?? 0);
		case "EBUSY":
			return syscall === "umount2" ? busyMount : undefined;
		case "ELOOP":
			return fstype?.toString() === "overlay" ? nestedLayers : undefined;
		default:
			return undefined;
	}
}

/** What stands in the way of a filter of seccomp(2), by the error. */
const filters: Readonly<Record<string, string>> = {
	EACCES:
		"the caller has neither no_new_privs nor CAP_SYS_ADMIN over its user namespace: call setNoNewPrivs() of @nearfar/process before, or give noNewPrivs: true to spawn",
	EINVAL: "the bytes are no filter that the kernel takes: compileFilter of @nearfar/seccomp makes one from rules",
	ENOMEM: "the filters of a process have at most 32768 instructions in all, each filter counted with 4 more",
};

/** Returns what a call on capabilities needs. The functions of @nearfar/caps say more where they can read the sets. */
function privileges(syscall: string, option: number): string | undefined {
	if (syscall === "capset") {
		return "permitted never grows; effective is a part of permitted; and what is added to inheritable has to be in the bounding set, and permitted unless CAP_SETPCAP is effective";
	}
	if (syscall !== "prctl") return undefined;
	switch (option) {
		case prctlOptions.capbsetDrop:
			return "CAP_SETPCAP has to be effective, also for a capability that the bounding set has lost already";
		case prctlOptions.capAmbient:
			return "each capability has to be permitted and inheritable, and the securebit noCapAmbientRaise must not be set";
		case prctlOptions.setSecurebits:
			return "CAP_SETPCAP has to be effective; a locked bit cannot change, a lock stays, and a bit that the kernel does not know is refused";
		case prctlOptions.setKeepcaps:
			return "the securebit keepCaps is locked";
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
	if (syscall === "fsconfig" && fstype === undefined) {
		return "a file system is reconfigured from the user namespace that has mounted it; a context belongs to the user namespace that opened it";
	}
	if (makes) return `${userFileSystems}; a context belongs to the user namespace that opened it`;
	if (syscall === "mount") return `${noPrivilege}; or ${fstype === undefined ? lockedFlag : userFileSystems}`;
	if (syscall === "umount2" || syscall === "pivot_root") return noPrivilege;
	if (since[syscall] === undefined) return undefined;
	const changes = syscall === "mount_setattr" || syscall === "open_tree_attr";
	return `${changes ? `${lockedAttribute}; or ` : ""}${noPrivilege}; ${unknownToFilter}`;
}

const noPrivilege =
	'the caller has no CAP_SYS_ADMIN over its mount namespace, which a task of Task.clone({ namespaces: ["user", "mnt"], idMap: "root" }) has';
const unknownToFilter =
	"where that is not the reason and all of these calls fail, a container's seccomp filter does not know them";
const userFileSystems =
	"a user namespace may mount tmpfs, ramfs, devpts, overlay and fuse, and no file system of a device";
const lockedFlag =
	"the remount does not repeat a flag that a more privileged namespace has locked: mountSetattr changes only what it names";
const lockedAttribute =
	"a more privileged namespace has locked an attribute that the call clears, or the access times that it changes; the mount is id-mapped already; or userns is the initial user namespace";

const lockedBelow =
	"something that a more privileged namespace has locked may be mounted below: a copy then has to be recursive";
const noIdMap =
	"an id map needs a user namespace that has maps, and a file system that allows it, which proc, sysfs, devpts and ramfs do not";

const reasonElsewhere =
	"mount(2) does not say which option is wrong: Mount.create, fsopen and the functions of one file system have the kernel's reason in error.log";
const changedPlace =
	"remount, move and propagation need a mount point; bind needs rec where a more privileged namespace has locked something below; and a mount without any of these flags needs the name of a file system";
const layers = "work has to be on the mount of upper, neither below nor above it";
const nestedLayers = "a layer lies in another layer, or is given twice";
const busyMount =
	'a file or a directory of the mount is in use, or something is mounted below: with the flag "detach" the mount goes out of sight now, and ends when it is not in use any more';

function hintForPlace(syscall: string, fstype: string | undefined, flags: number): string | undefined {
	if (fstype === "overlay" && (syscall === "fsconfig" || syscall === "mount")) {
		return `where error.log has no reason, the kernel's log (dmesg) often has one: ${layers}`;
	}
	switch (syscall) {
		case "mount":
			return fstype === undefined ? changedPlace : reasonElsewhere;
		case "umount2":
			return "the place is not a mount point, or a more privileged namespace has locked the mount";
		case "fspick":
			return "the place has to be a mount point";
		case "move_mount":
			return "a plain path is not followed: at a link the mount goes on the link itself, which takes no directory; a directory goes on a directory and a file on a file; what is moved has to be the root of a mount, and of no other mount namespace; and before Linux 6.15 nothing can be mounted in a detached tree";
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
