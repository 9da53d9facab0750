import type { LocationLike, NamespaceKind } from "@nearfar/core";
import { options as checkOptions, optionalBoolean, toAt } from "@nearfar/core/internal";
import { mountSetattr } from "./attributes.ts";
import { bind } from "./bind.ts";
import type { Mount } from "./mounted.ts";
import { moveMount } from "./move.ts";
import { cgroup2, sysfs } from "./namespace-views.ts";
import { completeTree, copyPart, kindsOf, makeFolders, openPlace, Parts, SourceFolder } from "./populate.ts";
import { tmpfs } from "./tmpfs.ts";

/** Options of {@link populateSys}. */
export interface PopulateSysOptions {
	/**
	 * The kinds of namespaces that are new. Default: the kinds that the task was cloned with, or has made since. A kind that the task
	 * has entered by `setns` since counts as not new, because the namespace may be the one of this machine.
	 */
	namespaces?: readonly NamespaceKind[];
	/** The sysfs whose parts are bound. Default: `"/sys"`. */
	source?: LocationLike;
	/**
	 * The cgroups on `fs/cgroup`: `"new"` a cgroup2 of the cgroup namespace of the task; `"readonly"` that of `source`, read-only; a
	 * place, which is bound writable; `false` nothing. A path that is one of the two words needs `./` before it. Default: `"new"`
	 * where the cgroup namespace is new, else `"readonly"`.
	 */
	cgroup?: "readonly" | "new" | LocationLike | false;
	/** Whether `module` is there, read-only. Default: true. */
	module?: boolean;
	/** Whether `bus`, `class`, `dev` and `devices` are there, read-only. Default: false. */
	devices?: boolean;
}

const folders = [
	"block",
	"bus",
	"class",
	"dev",
	"devices",
	"firmware",
	"fs",
	"fs/cgroup",
	"kernel",
	"module",
	"power",
] as const;
const foldersOfNetwork = ["class/net", "devices/virtual", "devices/virtual/net"] as const;
const partsWithDevices = ["bus", "class", "dev", "devices"] as const;
const plain = ["nosuid", "nodev", "noexec"] as const;
const readonly = ["rdonly", ...plain] as const;

/**
 * Builds a `/sys`: a read-only tmpfs with the usual directories, and parts of a sysfs in them.
 *
 * The directories are `block`, `bus`, `class`, `dev`, `devices`, `firmware`, `fs`, `fs/cgroup`, `kernel`, `module` and `power`.
 * All directories are empty, apart from these:
 *
 * - `module` has what the source has, read-only.
 * - `fs/cgroup` has the cgroups that the option `cgroup` names.
 * - With `devices`, `bus`, `class`, `dev` and `devices` are there, read-only.
 * - Where the network namespace is new, `class/net` is there read-only, and `devices/virtual/net` writable.
 *
 * A sysfs shows the network namespace of the task that has mounted it, for ever. Where the network is new, everything that shows
 * network devices therefore comes from a fresh sysfs, and with `devices` all four directories: `source` would show the former
 * network. The files of a device belong to the root of the user namespace, but those of `lo` to user 0 of the machine if the
 * network was made before the id map was written, as by `Task.clone`.
 *
 * All or nothing: the tree is built where no path reaches it, and attached by one move_mount(2). Whatever fails before, and
 * whatever kills the task, the tree dissolves, the target is as it was, and no descriptor stays. All sources are taken before
 * the target is covered, so that `populateSys("/sys")` works.
 *
 * No link below `source` is followed. A program that keeps CAP_SYS_ADMIN over the mount namespace can undo all of this.
 *
 * Before Linux 6.15 the kernel mounts nothing in a detached tree. A probe finds that out, once in a process. There the tree is
 * attached first, filled through its descriptor, and unmounted if that fails; a task that is killed meanwhile leaves half a tree.
 *
 * @param target - The place, looked up as by {@link moveMount}: a directory. A path is not followed at its end. A `Location`
 * follows by default. An open descriptor is the place itself. With `null` the tree stays detached.
 * @param options - The kinds of new namespaces, the source, and the parts to show. Default: `module`, the network if it is new, and cgroups.
 * @returns Nothing with a target. With `null` a detached mount, which dissolves when it is closed: the caller closes it, or
 * declares it with `using`.
 * @throws `ENOENT` A part of `source`, `cgroup` or the target does not exist. For a part of a `source` that is a text,
 * `error.path` is the whole path, and in a batch the part below `source`.
 * @throws `ELOOP` A link lies at a part of `source`, or on the way to it.
 * @throws `ENOTDIR` `source` is no directory, or a component on the way is none.
 * @throws `EINVAL` The target is a link or a file, `cgroup` is a file, or `source` is in another mount namespace.
 * @throws `EINVAL` The kernel is older than Linux 6.15, and the target is `null`.
 * @throws `EPERM` The task has no CAP_SYS_ADMIN over its mount namespace, or a seccomp filter does not know the calls.
 * @throws `EPERM` In a user namespace the network namespace or the cgroup namespace does not belong to it. `error.hint` says which.
 * @throws `EACCES` A directory on the way may not be searched.
 * @throws `ENOMEM` The kernel has no memory for a mount.
 * @throws `ENOSPC` The mount namespace has reached its limit of mounts (`/proc/sys/fs/mount-max`).
 * @throws `EMFILE` The task has reached its limit of descriptors. The function needs up to twelve for a moment.
 * @throws `ENOSYS` The kernel is older than Linux 5.12, or a seccomp filter does not know the calls.
 * @throws `ERR_NEARFAR_CLOSED` A descriptor is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` A descriptor belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_BATCH` A descriptor is made by another batch, which has not run yet.
 * @throws `ERR_NEARFAR_BATCH` A batch is being collected, and the kernel is known to be older than Linux 6.15.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument has the wrong type, holds a NUL byte, or a name is no option.
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "mnt", "net"], idMap: "root" });
 * task.run(() => {
 *   populateSys("/sys", { cgroup: false });
 *   openat2("/sys/class/net/lo", { flags: ["directory"] }).close(); // and no other network device
 * });
 * ```
 * @see sysfs(5), open_tree(2), fsopen(2), move_mount(2), Linux 6.15, in part 5.12; CAP_SYS_ADMIN over the mount namespace
 */
export function populateSys(target: LocationLike, options?: PopulateSysOptions): void;
export function populateSys(target: null, options?: PopulateSysOptions): Mount;
export function populateSys(target: LocationLike | null, options?: PopulateSysOptions): Mount | undefined {
	const asked = checkOptions(options, ["namespaces", "source", "cgroup", "module", "devices"]);
	const { source = "/sys" } = asked;
	if (target !== null) toAt(target, "target");
	toAt(source, "options.source");
	const kinds = kindsOf(asked.namespaces);
	const { cgroup = kinds.has("cgroup") ? "new" : "readonly" } = asked;
	if (cgroup !== false) toAt(cgroup, "options.cgroup");
	const hasModule = optionalBoolean(asked.module, "options.module") ?? true;
	const hasDevices = optionalBoolean(asked.devices, "options.devices") ?? false;

	using parts = new Parts();
	using files = new SourceFolder(source);
	if (hasModule) parts.add("module", files.copy("module", readonly));
	if (cgroup === "new") parts.add("fs/cgroup", cgroup2(null));
	else if (cgroup === "readonly") parts.add("fs/cgroup", files.copy("fs/cgroup", readonly));
	else if (cgroup !== false) parts.add("fs/cgroup", bind(cgroup, null, { set: plain, propagation: "slave" }));
	// The source shows the devices of the former network, also below devices that are no network devices.
	using fresh = kinds.has("net") ? sysfs(null) : undefined;
	if (hasDevices && !fresh) for (const path of partsWithDevices) parts.add(path, files.copy(path, readonly));
	const tree = tmpfs(null, { source: "sysfs", mode: 0o755, set: plain });
	return completeTree(tree, target, (isAttached) => {
		makeFolders(tree, folders);
		if (fresh) {
			if (!hasDevices) makeFolders(tree, foldersOfNetwork);
			putNetworkInto(tree, fresh, hasDevices, isAttached);
		}
		parts.putInto(tree);
		mountSetattr(tree, { set: ["rdonly"] });
	});
}

/** Puts the network devices of a fresh sysfs into a tree, and all other devices too if that is asked for. */
function putNetworkInto(tree: Mount, fresh: Mount, hasDevices: boolean, isAttached: boolean): void {
	using parts = new Parts();
	// Before Linux 6.15 a part of a detached mount cannot be copied: the sysfs is attached for a moment, in the tree.
	if (isAttached) {
		using place = openPlace(tree, "kernel");
		moveMount(fresh, place);
	}
	if (hasDevices) for (const path of partsWithDevices) parts.add(path, copyPart(fresh, path, readonly));
	parts.add("class/net", copyPart(fresh, "class/net", readonly));
	parts.add("devices/virtual/net", copyPart(fresh, "devices/virtual/net"));
	if (isAttached) fresh.unmount();
	parts.putInto(tree);
}
