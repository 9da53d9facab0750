import { type LocationLike, Task } from "@nearfar/core";
import {
	array,
	options as checkOptions,
	currentBatch,
	openOwnProc,
	optionalBoolean,
	ownNamespaces,
	toAt,
	wrongValue,
} from "@nearfar/core/internal";
import type { DirectoryPart, Parameter } from "./fs-context.ts";
import { type CreateOptions, createOptionNames, type Mount, prepareMount } from "./mounted.ts";
import { flagsFor, mountByText, takesDescriptors } from "./overlay-by-text.ts";
import { placed } from "./placed.ts";

/** Options of {@link overlay}. */
export interface OverlayOptions extends CreateOptions {
	/**
	 * The directories to read, the topmost first: one at least with `upper`, else two, `dataOnly` counted. At most 500 in all. A link
	 * at the end of a path is followed, unless a `Location` says no. An open directory is a layer itself, also the root of a detached
	 * mount, and stays the caller's.
	 */
	lower: readonly LocationLike[];
	/** The directory that takes all changes, together with `work`. Default: none, and the overlay cannot be written. */
	upper?: LocationLike;
	/** An empty directory for the kernel, on the same mount as `upper`, and neither below nor above it. */
	work?: LocationLike;
	/**
	 * Directories below the lower ones, which are not seen themselves. A file of `lower` can refer to its contents there. Since
	 * Linux 6.5. Before 6.16 `data` has to say `metacopy=on`, with `userxattr: false`. Default: none.
	 */
	dataOnly?: readonly LocationLike[];
	/**
	 * Whether to leave out all syncing to the upper file system, which is faster. After a crash, or a write error of it, the
	 * upper directory may be damaged. The kernel leaves a mark in `work` that refuses the next mount. Since Linux 5.10. Default: false.
	 */
	volatile?: boolean;
	/**
	 * Whether the overlay keeps its notes in extended attributes `user.overlay.*`, which a user namespace may write, instead of
	 * `trusted.overlay.*`. Since Linux 5.11. Default: true in a user namespace, so if the task has one of its own, or `uid_map` of this
	 * process is not the identity.
	 */
	userxattr?: boolean;
}

/**
 * Mounts an overlay: a directory that shows several directories as one, and writes to the topmost.
 *
 * The kernel gets every layer by descriptor. So the names of layers may hold `:`, `,`, `\`, quotes, newlines and any bytes, may have
 * any length, and nothing is escaped. A layer that is a detached mount ({@link openTree} with `clone`) has no name at all.
 *
 * The kernel reads the layers with the privilege of the task that mounts the overlay, also when another task opens a file. While
 * the overlay is mounted, nothing else may write to `upper` and `work`, and a change of a lower layer has undefined results. The
 * inside of `work` belongs to root of the user namespace, with mode 0: after the mount has ended, that root can remove it.
 *
 * With `userxattr` the kernel turns `redirect_dir` and `metacopy` off: renaming a directory of a lower layer is then `EXDEV`, which
 * mv(1) answers with a copy. Without it, in a user namespace, removing such a directory and making it again is `EIO`. The default
 * avoids that. The file system of `upper` needs these attributes: for `userxattr` tmpfs has them since Linux 6.6. Where it has none,
 * `userxattr: false` is possible.
 *
 * Where the task may not write to `work`, the kernel mounts an overlay that cannot be written, without an error. The log of the kernel
 * (dmesg) says so, and has the reasons of some refusals: `work` below `upper` or on another mount, and options that exclude
 * each other. Two overlays with one `upper` or `work` are no error: the results are undefined.
 *
 * Before Linux 6.13, which takes no layers by descriptor, mount(2) makes the overlay, with paths below `/proc/self/fd` for the layers. That
 * needs a procfs, a target, and 4095 bytes for all options, which is room for about 200 layers. A detached mount, a batch,
 * `propagation` and `userns` are `EINVAL` there, and `EOPNOTSUPP` before Linux 6.5. One probe finds this out for the process.
 *
 * @param target - The place, looked up as by {@link moveMount}: a directory. A path is not followed at its end. A `Location`
 * follows by default. An open descriptor is the place itself. With `null` the mount stays detached.
 * @param options - The layers, and attributes of the mount.
 * @returns Nothing with a target. With `null` a detached mount, which dissolves when it is closed: the caller closes it, or
 * declares it with `using`.
 * @throws `ENOENT` A layer does not exist: `path` names it. Or the target does not exist.
 * @throws `ENOENT` This process has no `/proc`, so that the default of `userxattr` is not known: the option says it.
 * @throws `ENOENT` Before Linux 6.13: no procfs is mounted on `/proc`. `error.hint` says so.
 * @throws `ENOTDIR` A layer, or a part of a path, is not a directory.
 * @throws `EINVAL` A descriptor is no directory, there are more than 500 layers, or the file system refuses a parameter of `data`:
 * `error.log` says which. An attribute such as `nosuid` is such a parameter.
 * @throws `EOPNOTSUPP` Before Linux 6.5: the mount is detached, or the call is in a batch or has `propagation` or `userns`.
 * @throws `EINVAL` `work` is below `upper`, above it, or on another mount; the file system of a layer cannot be one. The reason is
 * in the log of the kernel.
 * @throws `EINVAL` The target is a link or a file.
 * @throws `EINVAL` Something is mounted below a layer, and a more privileged namespace has locked that mount, as all mounts are for a
 * task with a user namespace of its own. So `/` is no layer there.
 * @throws `EINVAL` A layer is an overlay whose layers are overlays too: the kernel allows two levels.
 * @throws `EINVAL` `upper` is read-only, as `error.log` says.
 * @throws `ELOOP` A layer lies below another one, or is given twice, as where `lower` is `upper`.
 * @throws `ESTALE` The upper directory was used with other lower ones before, and `data` asks for `index=on`.
 * @throws `EBUSY` `upper` or `work` is that of another overlay, and `data` asks for `index=on`.
 * @throws `EACCES` A directory on the way may not be searched.
 * @throws `EPERM` The task has no CAP_SYS_ADMIN over its mount namespace, or a seccomp filter does not know the calls.
 * @throws `EPERM` `data` asks for `redirect_dir=on` or `metacopy=on` in a user namespace, with `userxattr: false`.
 * @throws `ENODEV` The kernel has no overlay.
 * @throws `EOPNOTSUPP` `exclusive` needs Linux 6.6.
 * @throws `ENAMETOOLONG` A component of a path is longer than 255 bytes, or a path longer than 4095.
 * @throws `EBADF` Other code has closed a descriptor.
 * @throws `ENOMEM` The kernel has no memory for the file system.
 * @throws `ENOSPC` The mount namespace has reached its limit of mounts (`/proc/sys/fs/mount-max`), or the file system of `work` is full.
 * @throws `EMFILE` The task has reached its limit of descriptors. The function needs two for a moment, before Linux 6.13 one for each
 * layer.
 * @throws `ENOSYS` The kernel is older than Linux 5.2, or a seccomp filter does not know the calls.
 * @throws `ERR_NEARFAR_CLOSED` A descriptor is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` A descriptor belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_BATCH` A descriptor is made by another batch, which has not run yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument has the wrong type, holds a NUL byte, or a name is no option or attribute.
 * @throws `TypeError` There is one lower layer without `upper`: use {@link bind}. There is no lower layer, or `upper` comes without
 * `work` or `work` without `upper`.
 * @throws `RangeError` A number is out of its range, or a key or a text is longer than 255 bytes. Before Linux 6.13: the options are
 * longer than 4095 bytes.
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
 * task.run(() => {
 *   tmpfs("/tmp", { size: "64m" });
 *   mkdir("/tmp/upper");
 *   mkdir("/tmp/work");
 *   overlay("/usr", { lower: ["/usr"], upper: "/tmp/upper", work: "/tmp/work" });
 *   openat2("/usr/new", { flags: ["creat", "wronly"], mode: 0o644 }).close(); // /usr of the host stays as it is
 * });
 * ```
 * @see overlayfs in the kernel's documentation, fsopen(2), fsmount(2), Linux 5.11 in a user namespace, without text 6.13;
 * CAP_SYS_ADMIN over the mount namespace
 */
export function overlay(target: LocationLike, options: OverlayOptions): void;
export function overlay(target: null, options: OverlayOptions): Mount;
export function overlay(target: LocationLike | null, options: OverlayOptions): Mount | undefined {
	const { lower, upper, work, dataOnly, volatile, userxattr, ...create } = checkOptions(options, [
		"lower",
		"upper",
		"work",
		"dataOnly",
		"volatile",
		"userxattr",
		...createOptionNames,
	]);
	const places = checkLayers(lower, dataOnly ?? [], upper, work);
	const isVolatile = optionalBoolean(volatile, "options.volatile") ?? false;
	const asked = optionalBoolean(userxattr, "options.userxattr");
	const make = prepareMount("overlay", create);
	const flags = flagsFor(create);
	if (target !== null) toAt(target, "target");
	const parameters: Parameter[] = [
		...places,
		...(isVolatile ? [{ key: "volatile", value: undefined }] : []),
		...((asked ?? isInUserNamespace()) ? [{ key: "userxattr", value: undefined }] : []),
	];
	if (target === null || flags === undefined || currentBatch() || takesDescriptors()) {
		return placed(target, () => make(parameters));
	}
	mountByText(target, parameters, create, flags);
	return undefined;
}

/** Checks the layers, and returns them as parameters in the order that the kernel takes. */
function checkLayers(
	lower: readonly LocationLike[],
	dataOnly: readonly LocationLike[],
	upper: LocationLike | undefined,
	work: LocationLike | undefined,
): DirectoryPart[] {
	const layer = (key: string, directory: LocationLike, name: string): DirectoryPart => {
		toAt(directory, name);
		return { key, directory };
	};
	const layers = (key: string, places: readonly LocationLike[], name: string) =>
		array(places, name).map((place, index) => layer(key, place, `${name}[${index}]`));
	const read = [...layers("lowerdir+", lower, "options.lower"), ...layers("datadir+", dataOnly, "options.dataOnly")];
	if (lower.length === 0) throw wrongValue("options.lower", "one directory at least", lower);
	if ((upper === undefined) !== (work === undefined)) {
		const [given, missing] = upper === undefined ? ["work", "upper"] : ["upper", "work"];
		throw wrongValue(`options.${missing}`, `a directory beside options.${given}`, undefined);
	}
	if (upper !== undefined && work !== undefined) {
		return [...read, layer("upperdir", upper, "options.upper"), layer("workdir", work, "options.work")];
	}
	if (read.length > 1) return read;
	throw wrongValue("options.lower", "two directories at least without options.upper: bind shows a single one", lower);
}

/** Returns whether the current task may not write `trusted.*` attributes, because its user namespace is not the first one. */
function isInUserNamespace(): boolean {
	if (ownNamespaces().has("user")) return true;
	return Task.near.run(() => {
		using file = openOwnProc("self/uid_map");
		return !/^\s*0\s+0\s+4294967295\s*$/.test(file.read(4096).toString());
	});
}
