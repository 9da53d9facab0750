import { Location, type LocationLike, symlink } from "@nearfar/core";
import { array, options as checkOptions, id, optionalBoolean, text, toAt, wrongValue } from "@nearfar/core/internal";
import { bind } from "./bind.ts";
import { devpts } from "./devpts.ts";
import type { Mount } from "./mounted.ts";
import { mqueue } from "./namespace-views.ts";
import { completeTree, makeFolders, Parts, SourceFolder } from "./populate.ts";
import { tmpfs } from "./tmpfs.ts";

const ptsKinds = ["new", "host", "defer", "absent"] as const;

/** Options of {@link populateDev}. */
export interface PopulateDevOptions {
	/** The directory with the device nodes. Default: `"/dev"`. */
	source?: LocationLike;
	/** The nodes, by their paths below `source`. Default: `null`, `zero`, `full`, `random`, `urandom` and `tty`. */
	devices?: readonly string[];
	/** Whether `fuse` is there. Default: false. */
	fuse?: boolean;
	/** Whether `net/tun` is there. Default: false. */
	tun?: boolean;
	/** The group of all terminals of a new devpts, in the user namespace of the task. Default: the group of their opener. */
	ptsGid?: number;
	/**
	 * The file system on `pts`: `"new"` a new devpts; `"host"` that of `source`, with what is mounted below; `"defer"` an empty directory,
	 * for a devpts that comes later; `"absent"` nothing, and no `ptmx` either. Default: `"new"`.
	 */
	pts?: (typeof ptsKinds)[number];
	/** Whether `shm` is there, a tmpfs for everyone. Default: true. */
	shm?: boolean;
	/** Whether `mqueue` is there, with the message queues of the ipc namespace of the task. Default: false. */
	mqueue?: boolean;
	/** The file that `console` shows: a terminal, mostly. Default: there is no `console`. */
	console?: LocationLike;
}

const usualDevices = ["null", "zero", "full", "random", "urandom", "tty"];
const descriptorLinks = {
	fd: "/proc/self/fd",
	stdin: "/proc/self/fd/0",
	stdout: "/proc/self/fd/1",
	stderr: "/proc/self/fd/2",
};
/** Names that are no devices, because this function gives them a meaning. */
const taken = new Set([...Object.keys(descriptorLinks), "ptmx", "pts", "shm", "mqueue", "console"]);

/**
 * Builds a `/dev`: a tmpfs with the usual device nodes, links, terminals, and `shm`.
 *
 * - The tmpfs has the mode 755, `nosuid` and `noexec`.
 * - Each node of `devices` is bound from `source`, with `nosuid` and `noexec`. No node is made, so that CAP_MKNOD is not needed.
 * - `fd`, `stdin`, `stdout` and `stderr` are links to `/proc/self/fd`, and `ptmx` is a link to `pts/ptmx`. A bound `ptmx` would
 *   open a terminal of the host.
 * - `pts` is a devpts as {@link devpts} makes it, and `shm` a tmpfs of the mode 1777 with `nosuid` and `nodev`.
 *
 * All or nothing: the tree is built where no path reaches it, and attached by one move_mount(2). Whatever fails before, and
 * whatever kills the task, the tree dissolves, the target is as it was, and no descriptor stays. All sources are taken before
 * the target is covered, so that `populateDev("/dev")` works.
 *
 * No link below `source` is followed: a link at the name of a node is `ELOOP`. The function does not check the
 * type of a node: a `source` that somebody else can write to decides which files the names stand for. `console` is looked up as by `bind`, so give
 * an open descriptor where somebody else may replace the file.
 *
 * With `pts: "host"` a program reaches every terminal of the host that it may open, and can make a new one only if it may open
 * the `ptmx` of that devpts, whose mode is often 0.
 *
 * The program that sees this `/dev` can undo all of it while it has CAP_SYS_ADMIN over the mount namespace. Neither the tmpfs
 * nor `shm` has a limit other than the kernel's, which is half of the memory.
 *
 * Before Linux 6.15 the kernel mounts nothing in a detached tree. A probe finds that out, once in a process. There the tree is
 * attached first, filled through its descriptor, and unmounted if that fails; a task that is killed meanwhile leaves half a tree.
 *
 * @param target - The place, looked up as by {@link moveMount}: a directory. A path is not followed at its end. A `Location`
 * follows by default. An open descriptor is the place itself. With `null` the tree stays detached.
 * @param options - Nodes, terminals, and what else there is. Default: six nodes, a new devpts, and `shm`.
 * @returns Nothing with a target. With `null` a detached mount, which dissolves when it is closed: the caller closes it, or
 * declares it with `using`.
 * @throws `ENOENT` A node, `source`, `console` or the target does not exist. For a node of a `source` that is a text,
 * `error.path` is the whole path, and in a batch the part below `source`.
 * @throws `ELOOP` A link lies at the name of a node, or on the way from `source` to it.
 * @throws `ENOTDIR` `source` is no directory, or a component on the way to a node or to the target is none.
 * @throws `EACCES` A directory on the way may not be searched.
 * @throws `EINVAL` The user namespace does not map `ptsGid`; `error.log` says so.
 * @throws `EINVAL` A node is a directory, or the target is a link or a file.
 * @throws `EINVAL` `source` is in another mount namespace, or is unbindable.
 * @throws `EINVAL` The kernel is older than Linux 6.15, and the target is `null`.
 * @throws `EPERM` The task has no CAP_SYS_ADMIN over its mount namespace, or a seccomp filter does not know the calls.
 * @throws `EPERM` With `mqueue`: in a user namespace the ipc namespace does not belong to it. `error.hint` says so.
 * @throws `ENOMEM` The kernel has no memory for a mount.
 * @throws `ENOSPC` The mount namespace has reached its limit of mounts (`/proc/sys/fs/mount-max`).
 * @throws `EMFILE` The task has reached its limit of descriptors. The function needs about 13 for a moment, and one more for each
 * further device.
 * @throws `ENOSYS` The kernel is older than Linux 5.12, or a seccomp filter does not know the calls.
 * @throws `ERR_NEARFAR_CLOSED` A descriptor is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` A descriptor belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_BATCH` A descriptor is made by another batch, which has not run yet.
 * @throws `ERR_NEARFAR_BATCH` A batch is being collected, and the kernel is known to be older than Linux 6.15.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument has the wrong type, holds a NUL byte, or a name is no option. A device is no path below
 * `source`, or has a name that means something else here. `ptsGid` comes with another `pts` than `"new"`.
 * @throws `RangeError` `ptsGid` is out of its range, which is 0 to 2^32-2.
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
 * task.run(() => {
 *   populateDev("/dev");
 *   openat2("/dev/ptmx", { flags: ["rdwr", "noctty"] }).close(); // a terminal that the host does not see
 * });
 * ```
 * @see open_tree(2), fsopen(2), move_mount(2), Linux 6.15, in part 5.12; CAP_SYS_ADMIN over the mount namespace
 */
export function populateDev(target: LocationLike, options?: PopulateDevOptions): void;
export function populateDev(target: null, options?: PopulateDevOptions): Mount;
export function populateDev(target: LocationLike | null, options?: PopulateDevOptions): Mount | undefined {
	const asked = checkOptions(options, [
		"source",
		"devices",
		"fuse",
		"tun",
		"ptsGid",
		"pts",
		"shm",
		"mqueue",
		"console",
	]);
	const { source = "/dev", ptsGid, pts = "new", console } = asked;
	if (target !== null) toAt(target, "target");
	toAt(source, "options.source");
	if (console !== undefined) toAt(console, "options.console");
	if (!ptsKinds.includes(pts)) throw wrongValue("options.pts", `one of ${ptsKinds.join(", ")}`, pts);
	if (ptsGid !== undefined) {
		id(ptsGid, "options.ptsGid");
		if (pts !== "new") throw wrongValue("options.ptsGid", 'undefined unless options.pts is "new"', ptsGid);
	}
	const devices = new Set(array(asked.devices ?? usualDevices, "options.devices").map(deviceName));
	if (optionalBoolean(asked.fuse, "options.fuse")) devices.add("fuse");
	if (optionalBoolean(asked.tun, "options.tun")) devices.add("net/tun");
	const hasShm = optionalBoolean(asked.shm, "options.shm") ?? true;
	const hasMqueue = optionalBoolean(asked.mqueue, "options.mqueue") ?? false;

	using parts = new Parts();
	using nodes = new SourceFolder(source);
	const files = [...devices];
	for (const path of devices) parts.add(path, nodes.copy(path, ["nosuid", "noexec"]));
	if (console !== undefined) {
		files.push("console");
		parts.add("console", bind(console, null, { set: ["nosuid", "noexec"], propagation: "slave" }));
	}
	const folders = foldersOf(files);
	if (pts !== "absent") folders.add("pts");
	if (pts === "new") parts.add("pts", devpts(null, ptsGid === undefined ? {} : { gid: ptsGid }));
	if (pts === "host") parts.add("pts", nodes.copy("pts", ["nosuid", "noexec"]));
	if (hasShm) {
		folders.add("shm");
		parts.add("shm", tmpfs(null, { mode: 0o1777 }));
	}
	if (hasMqueue) {
		folders.add("mqueue");
		parts.add("mqueue", mqueue(null));
	}
	const tree = tmpfs(null, { mode: 0o755, set: ["nosuid", "noexec"] });
	return completeTree(tree, target, () => {
		makeFolders(tree, folders);
		for (const path of files) tree.open(path, { flags: ["creat", "excl", "wronly"], mode: 0o444 }).close();
		for (const [name, at] of Object.entries(descriptorLinks)) symlink(at, new Location(tree, name));
		if (pts !== "absent") symlink("pts/ptmx", new Location(tree, "ptmx"));
		parts.putInto(tree);
	});
}

/** Checks the path of a device below the source. */
function deviceName(path: unknown, index: number): string {
	const name = `options.devices[${index}]`;
	const components = text(path, name).split("/");
	if (components.some((component) => ["", ".", ".."].includes(component))) {
		throw wrongValue(name, "a path below the source, such as net/tun", path);
	}
	if (taken.has(components[0] ?? "")) {
		throw wrongValue(name, `another name than ${[...taken].join(", ")}, which have a meaning of their own`, path);
	}
	return components.join("/");
}

/** Returns the directories above files, each one after the directory that it lies in. */
function foldersOf(paths: readonly string[]): Set<string> {
	const folders = new Set<string>();
	for (const path of paths) {
		for (let end = path.indexOf("/"); end >= 0; end = path.indexOf("/", end + 1)) folders.add(path.slice(0, end));
	}
	return folders;
}
