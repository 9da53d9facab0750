import {
	type FileDescriptor,
	type LocationLike,
	type NamespaceKind,
	NearfarError,
	openat2,
	statx,
} from "@nearfar/core";
import {
	array,
	options as checkOptions,
	currentBatch,
	text,
	toAt,
	wrongType,
	wrongValue,
} from "@nearfar/core/internal";
import { bind } from "./bind.ts";
import { closedUnless, type Mount } from "./mounted.ts";
import { moveMount } from "./move.ts";
import { completeTree, copyPart, kindsOf, openPlace } from "./populate.ts";
import { type ProcOptions, proc } from "./proc.ts";
import { tmpfs } from "./tmpfs.ts";

/** Options of {@link populateProc}. */
export interface PopulateProcOptions {
	/**
	 * The kinds of namespaces that are new. Default: the kinds that the task was cloned with, or has made since. A kind that the task
	 * has entered by `setns` since counts as not new, because the namespace may be the one of this machine.
	 */
	namespaces?: readonly NamespaceKind[];
	/** The procfs that is bound where the pid namespace is not new. Default: `"/proc"`. */
	source?: LocationLike;
	/** Options of the fresh proc. Only where the pid namespace is new. Default: those of {@link proc}. */
	proc?: ProcOptions;
	/**
	 * Files and directories to cover, by paths from the root of the procfs: `"kcore"` by the task's `/dev/null`, and `"acpi/"`, a directory, by an
	 * empty tmpfs. Default: nothing.
	 */
	mask?: readonly string[];
	/** Files and directories that become read-only, by paths from the root of the procfs, with everything below. Default: nothing more. */
	readonly?: readonly string[];
}

/** Where these are all new, `/proc/sys` has nothing that other namespaces share, apart from the network. */
const kindsOfSysctls = ["pid", "user", "ipc", "uts"] as const;

/**
 * Builds a `/proc`: a fresh proc where the pid namespace is new, else a recursive bind of another one.
 *
 * What belongs to new namespaces stays writable in `/proc/sys`:
 *
 * - Where the kinds `pid`, `user`, `ipc` and `uts` are all new, `/proc/sys` is as the kernel has it, and `/proc/sys/net` is
 *   read-only unless `net` is new too.
 * - Else `/proc/sys` is read-only, and `/proc/sys/net` is as before if `net` is new.
 *
 * Then the paths of `readonly` are bound on themselves, read-only, and the paths of `mask` are covered: a directory, whose path
 * ends in `/`, by an empty read-only tmpfs, and another file by the task's `/dev/null`. All of these paths begin at the root of the
 * procfs: `"sys/kernel"`, not `"/proc/sys/kernel"`. A link at the end of a masked path is covered itself. Every other link is
 * `ELOOP`. With `proc: { subset: "pid" }` there is no `/proc/sys`, and nothing that a mask would hide.
 *
 * All or nothing: the tree is built where no path reaches it, and attached by one move_mount(2). Whatever fails before, and
 * whatever kills the task, the tree dissolves, the target is as it was, and no descriptor stays. The source and `/dev/null` are
 * opened before the target is covered, so that `populateProc("/proc")` works.
 *
 * The tree is no boundary for the powerful:
 *
 * - A program that keeps CAP_SYS_ADMIN over the mount namespace can undo all of it: unmount a mask, mount another proc.
 * - Files of `/proc/sys` that no namespace owns belong to user 0 of the machine. Where that user is mapped, and `/proc/sys` is
 *   writable, a program that runs as this user may write to them: add `readonly: ["sys"]`, or map another user.
 * - `/dev/null` has to be the character device 1:3, or the call is refused. In a batch no call returns what the file is: there
 *   the function trusts that nobody else can replace `/dev/null` of the task.
 *
 * The kernel gives a nested user namespace a new proc only if nothing lies over the proc that it sees. Each mask, each path of
 * `readonly` and a read-only `/proc/sys` therefore keep nested user namespaces from mounting theirs.
 *
 * Before Linux 6.15 the kernel mounts nothing in a detached tree. A probe finds that out, once in a process. There the tree is
 * attached first, filled through its descriptor, and unmounted if that fails; a task that is killed meanwhile leaves half a tree.
 *
 * @param target - The place, looked up as by {@link moveMount}: a directory. A path is not followed at its end. A `Location`
 * follows by default. An open descriptor is the place itself. With `null` the tree stays detached.
 * @param options - The kinds of new namespaces, the source, and files to hide. Default: as the namespaces of the task demand.
 * @returns Nothing with a target. With `null` a detached mount, which dissolves when it is closed: the caller closes it, or
 * declares it with `using`.
 * @throws `ENOENT` A path of `mask` or `readonly`, `source`, `/dev/null` or the target does not exist. For the first two, `path` is
 * the path from the root of the procfs.
 * @throws `ENOENT` `source` is no procfs with a `sys`, such as one that was mounted with `subset`.
 * @throws `ELOOP` A path of `readonly`, or `/dev/null`, is a link, or a link lies on the way to a path of `mask`.
 * @throws `ENOTDIR` A path of `mask` ends in `/`, and is no directory; or a component on the way is none.
 * @throws `EINVAL` A path of `mask` is a directory, and does not end in `/`.
 * @throws `EINVAL` The target is a link or a file, or `source` is in another mount namespace.
 * @throws `EINVAL` The kernel is older than Linux 6.15, and the target is `null`.
 * @throws `EINVAL` The user namespace does not map `gid` of `proc`, or `proc` has another parameter that is refused; `error.log`
 * says which.
 * @throws `EPERM` The task has no CAP_SYS_ADMIN over its mount namespace, or a seccomp filter does not know the calls.
 * @throws `EPERM` In a user namespace the pid namespace does not belong to it, or the task sees no procfs that nothing is
 * mounted over. `error.hint` names both.
 * @throws `EACCES` A directory on the way may not be searched.
 * @throws `ENOMEM` The kernel has no memory for a mount.
 * @throws `ENOSPC` The mount namespace has reached its limit of mounts (`/proc/sys/fs/mount-max`).
 * @throws `EMFILE` The task has reached its limit of descriptors. The function needs up to four for a moment.
 * @throws `ENOSYS` The kernel is older than Linux 5.12, or a seccomp filter does not know the calls.
 * @throws `ERR_NEARFAR_CLOSED` A descriptor is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` A descriptor belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_BATCH` A descriptor is made by another batch, which has not run yet.
 * @throws `ERR_NEARFAR_BATCH` A batch is being collected, and the kernel is known to be older than Linux 6.15.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `ERR_NEARFAR_NULL_DEVICE` `/dev/null` of the task is another file than the null device.
 * @throws `TypeError` An argument has the wrong type, holds a NUL byte, or a name is no option. A path of `mask` or `readonly` is
 * empty, has a component `.` or `..`, or begins with `/proc/`. `proc` is given where the pid namespace is not new.
 * @throws `RangeError` An option of `proc` is out of its range.
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "mnt", "pid", "net"], idMap: "root" });
 * task.run(() => {
 *   populateProc("/proc", { mask: ["interrupts", "bus/"], readonly: ["irq"] });
 *   openat2("/proc/sys/net/ipv4/ip_forward", { flags: ["wronly"] }).close(); // of the network that is new
 * });
 * ```
 * @see proc(5), open_tree(2), fsopen(2), move_mount(2), Linux 6.15, in part 5.12; CAP_SYS_ADMIN over the mount namespace
 */
export function populateProc(target: LocationLike, options?: PopulateProcOptions): void;
export function populateProc(target: null, options?: PopulateProcOptions): Mount;
export function populateProc(target: LocationLike | null, options?: PopulateProcOptions): Mount | undefined {
	const asked = checkOptions(options, ["namespaces", "source", "proc", "mask", "readonly"]);
	const { namespaces, source = "/proc", proc: fresh } = asked;
	if (target !== null) toAt(target, "target");
	toAt(source, "options.source");
	const kinds = kindsOf(namespaces);
	if (fresh !== undefined && (fresh === null || typeof fresh !== "object")) {
		throw wrongType("options.proc", "an object", fresh);
	}
	if (fresh !== undefined && !kinds.has("pid")) {
		throw wrongValue("options.proc", "undefined where the pid namespace is not new: source is bound there", fresh);
	}
	const masks = placesOf(asked.mask, "options.mask");
	const readonlyPlaces = placesOf(asked.readonly, "options.readonly");

	using nothing = masks.some((path) => !path.endsWith("/")) ? openNull() : undefined;
	const tree = kinds.has("pid") ? proc(null, fresh) : bind(source, null, { propagation: "slave" });
	return completeTree(tree, target, () => {
		if (fresh?.subset === undefined) protectSysctls(tree, kinds);
		for (const path of readonlyPlaces) makeReadonly(tree, path);
		for (const path of masks) mask(tree, path, nothing);
	});
}

/** Leaves writable what belongs to new namespaces in `/proc/sys`, and makes the rest read-only. */
function protectSysctls(tree: Mount, kinds: ReadonlySet<NamespaceKind>): void {
	const ownsNetwork = kinds.has("net");
	if (kindsOfSysctls.every((kind) => kinds.has(kind))) {
		if (!ownsNetwork) makeReadonly(tree, "sys/net");
		return;
	}
	using network = ownsNetwork ? copyPart(tree, "sys/net") : undefined;
	makeReadonly(tree, "sys");
	if (!network) return;
	using place = openPlace(tree, "sys/net");
	moveMount(network, place);
}

/** Binds a part of a tree on itself, read-only with everything that is mounted below. */
function makeReadonly(tree: Mount, path: string): void {
	using copy = copyPart(tree, path, ["rdonly"]);
	using place = openPlace(tree, path);
	moveMount(copy, place);
}

/** Covers a directory by an empty file system, and a file by the null device. */
function mask(tree: Mount, path: string, nothing: FileDescriptor | undefined): void {
	const set = ["rdonly", "nosuid", "noexec"] as const;
	using place = openPlace(tree, path);
	using cover = path.endsWith("/")
		? tmpfs(null, { mode: 0o555, set: [...set, "nodev"] })
		: bind(nothing as FileDescriptor, null, { set, propagation: "slave" });
	moveMount(cover, place);
}

/** Opens the null device of the task, and checks that it is one. In a batch no call returns what the file is. */
function openNull(): FileDescriptor {
	const path = "/dev/null";
	const file = openat2(path, { flags: ["path"], resolve: ["noSymlinks"] });
	return closedUnless(file, () => {
		if (currentBatch()) return;
		const { type, rdev } = statx(file);
		if (type === "character" && rdev?.major === 1 && rdev.minor === 3) return;
		throw new NearfarError("NULL_DEVICE", `${path} of the task is not the null device, and so covers no file`);
	});
}

/** Checks paths from the root of a procfs. Returns each of them once, without a slash at the beginning. */
function placesOf(paths: readonly string[] | undefined, name: string): string[] {
	const places = array(paths ?? [], name).map((path, index) => {
		const place = text(path, `${name}[${index}]`).replace(/^\//, "");
		if (path.startsWith("/proc/")) {
			throw wrongValue(`${name}[${index}]`, "a path from the root of the procfs, such as kcore for /proc/kcore", path);
		}
		const components = place.replace(/\/$/, "").split("/");
		if (!components.some((component) => ["", ".", ".."].includes(component))) return place;
		throw wrongValue(`${name}[${index}]`, "a path below the root of the procfs, such as sys/kernel", path);
	});
	return [...new Set(places)];
}
