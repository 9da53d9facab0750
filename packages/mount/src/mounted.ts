import type { Buffer } from "node:buffer";
import {
	FileDescriptor,
	Location,
	type LocationLike,
	type OpenHow,
	openat2,
	type PathLike,
	TaskGoneError,
} from "@nearfar/core";
import {
	type AnyTask,
	adoptDescriptor,
	afterSuccess,
	options as checkOptions,
	currentTask,
	type FsmountFlag,
	fsmountFlags,
	joinBits,
	type MountAttribute,
	mountAttributes,
	moveMountFlags,
	native,
	numberOf,
	optionalBoolean,
	resolveFlags,
	runInOwner,
	text,
	toBits,
	wrongType,
	wrongValue,
} from "@nearfar/core/internal";
import { type AccessTimes, type AttributeOptions, accessTimeBits, attributeWords, mountSetattr } from "./attributes.ts";
import type { MountData } from "./data.ts";
import { checkParts, checkValue, FsContext, fsopen, type Parameter, setParts, typeOf } from "./fs-context.ts";
import { type MoveMountOptions, moveMount } from "./move.ts";
import { join, toWord } from "./word.ts";

/** Options of {@link Mount.create}, and of the functions that make a mount of one file system. */
export interface CreateOptions extends AttributeOptions {
	/** The source, which mount tables show: a device for file systems of a device, else any text. Default: the file system's name. */
	source?: string | Buffer;
	/** Parameters of the file system, set in their order after `source`. Default: none. */
	data?: MountData;
	/** Whether to fail with `EBUSY` rather than to use a file system that exists already. Since Linux 6.6. Default: false. */
	exclusive?: boolean;
}

/** Options of {@link fsmount}. */
export interface FsmountOptions {
	/** Names of `FSMOUNT_*` flags in camelCase, or a number. Close-on-exec is always added. Default: none. */
	flags?: readonly FsmountFlag[] | number;
	/** Attributes of the mount, by name or as a number. Default: none. */
	set?: readonly MountAttribute[] | number;
	/** When a read updates the access time. Default: `"relatime"`. */
	atime?: AccessTimes;
}

/**
 * A mount by descriptor, attached somewhere or detached.
 *
 * A detached mount is nowhere in the tree of mounts, and dissolves when its last descriptor is closed. `moveMount` hands the mount
 * over to the mount namespace: it then stays there after `close`. {@link Mount.attach} ties the mount to this object instead: when
 * the object is disposed, the mount goes too. A copy (`dup`, `task.put`, `task.get`) is a `Mount` and is not tied.
 *
 * End a mount before you remove the directory that it lies on, and remove the directory with rmdir(2). To remove a directory
 * recursively while something is mounted in it removes the files of what is mounted.
 *
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
 * task.run(() => {
 *   using scratch = Mount.create("tmpfs", { set: ["nosuid", "nodev"] }).attach("/tmp");
 *   openat2("/tmp/file", { flags: ["creat", "wronly"], mode: 0o600 }).close();
 * }); // /tmp is what it was before
 * ```
 * @see open_tree(2), fsmount(2), move_mount(2), Linux 5.2; CAP_SYS_ADMIN over the mount namespace
 */
export class Mount extends FileDescriptor {
	/** The task that has attached the mount, for dispose. `undefined`: dispose does not unmount. */
	#attachedBy: AnyTask | undefined;

	/**
	 * Makes a detached mount of a new file system: fsopen, `source`, `data`, create, and fsmount with `set` and `atime`. Where `clear`,
	 * `propagation` or `userns` is given, mount_setattr(2) follows.
	 *
	 * @param fstype - The file system, by its name in `/proc/filesystems`.
	 * @param options - Parameters of the file system, and attributes of the mount. Default: none.
	 * @returns A detached mount, which dissolves when it is closed. The caller closes it, or declares it with `using`.
	 * @throws `ENODEV` The kernel does not know the file system.
	 * @throws `EPERM` The task has no CAP_SYS_ADMIN over its mount namespace, or its user namespace may not mount this file system;
	 * `error.hint` says what is missing.
	 * @throws `EINVAL` The file system refuses a parameter; `error.log` often says why. An attribute in `data`, such as `nosuid`, is
	 * such a parameter.
	 * @throws `EBUSY` `exclusive` is asked for, and the file system exists.
	 * @throws `EOPNOTSUPP` `exclusive` needs Linux 6.6.
	 * @throws `ENOENT` A device or a directory that a parameter names does not exist.
	 * @throws `ENOTBLK` The file system needs a block device, and `source` is none.
	 * @throws `ENOMEM` The kernel has no memory for the file system.
	 * @throws `EMFILE` The task has reached its limit of descriptors.
	 * @throws `ENOSYS` The kernel is older than Linux 5.2, or a seccomp filter does not know the calls.
	 * @throws `ERR_NEARFAR_CLOSED` A descriptor is closed.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` A descriptor belongs to another table than the current task's.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @throws `TypeError` An argument has the wrong type, holds a NUL byte, or a name is no attribute.
	 * @throws `RangeError` A key or a text is longer than 255 bytes.
	 * @example
	 * ```ts
	 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
	 * task.run(() => {
	 *   using scratch = Mount.create("tmpfs", { data: { size: "1m" }, set: ["nosuid", "nodev"] });
	 *   scratch.open("file", { flags: ["creat", "wronly"], mode: 0o600 }).close(); // nobody else sees the file yet
	 *   moveMount(scratch, "/tmp");
	 * });
	 * ```
	 * @see fsopen(2), fsconfig(2), fsmount(2), Linux 5.2; CAP_SYS_ADMIN over the mount namespace
	 */
	static create(fstype: string, options?: CreateOptions): Mount {
		return createMount(fstype, [], checkOptions(options, createOptionNames));
	}

	/**
	 * Opens a file of the mount by a path from its root. The path never leaves the mount: `..` and links end at its root, and links of
	 * `/proc` such as `/proc/self/exe` are refused.
	 *
	 * @param path - A path from the root of the mount, with or without a leading `/`. Empty: the root itself.
	 * @param how - As for `openat2`. `resolve` adds to `inRoot` and `noMagiclinks`. Default: opens for reading.
	 * @returns A descriptor of the current task. The caller closes it, or declares it with `using`.
	 * @throws `ENOENT` The file does not exist.
	 * @throws `ENOTDIR` A component on the way is not a directory, as the root of a mount of one file.
	 * @throws `EACCES` The file may not be opened this way, or a directory on the way may not be searched.
	 * @throws `EEXIST` `creat` and `excl` are asked for, and the file exists.
	 * @throws `ELOOP` A link of `/proc` is on the way, or there are more than 40 links.
	 * @throws `EAGAIN` The path has `..`, and another process renamed or mounted something meanwhile. Try again.
	 * @throws `EROFS` The mount is read-only, and the file is to be written.
	 * @throws `EMFILE` The task has reached its limit of descriptors.
	 * @throws `ERR_NEARFAR_CLOSED` The mount is closed.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The mount belongs to another table than the current task's.
	 * @throws `ERR_NEARFAR_BATCH` The batch that makes the mount has not run yet.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @throws `TypeError` An argument has the wrong type, a path holds a NUL byte, or a name is no flag.
	 * @throws `RangeError` A number is out of its range.
	 * @example
	 * ```ts
	 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
	 * task.run(() => {
	 *   using root = openTree("/usr", { flags: ["clone", "recursive"] });
	 *   using program = root.open("../../bin/env"); // /usr/bin/env
	 * });
	 * ```
	 * @see openat2(2), Linux 5.6; no privilege
	 */
	open(path: PathLike, how?: OpenHow): FileDescriptor {
		const { resolve, ...others } = checkOptions(how, ["flags", "mode", "resolve"], "how");
		const more = toBits(resolveFlags, resolve, "resolve");
		const inside = joinBits(more, resolveFlags.inRoot | resolveFlags.noMagiclinks);
		return openat2(new Location(this, path), { ...others, resolve: inside });
	}

	/**
	 * Attaches the mount, as {@link moveMount} does, and ties it to this object: dispose unmounts it from now on.
	 *
	 * @param to - The place: a directory for a directory, a file for a file. A path is not followed at its end. A `Location` follows
	 * by default. An open descriptor is the place itself.
	 * @param options - As for {@link moveMount}.
	 * @returns This mount.
	 * @throws `EINVAL` A directory goes on a file or on a link, or a file on a directory. The mount belongs to another mount namespace,
	 * or its parent mount is shared.
	 * @throws `EPERM` The task has no CAP_SYS_ADMIN over the mount namespace.
	 * @throws `ENOENT` The path does not exist.
	 * @throws `ENOTDIR` A part of the path is not a directory.
	 * @throws `ELOOP` The mount would move below itself.
	 * @throws `ENOSPC` The mount namespace has reached its limit of mounts (`/proc/sys/fs/mount-max`).
	 * @throws `ERR_NEARFAR_CLOSED` A descriptor is closed.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` A descriptor belongs to another table than the current task's.
	 * @throws `ERR_NEARFAR_BATCH` A descriptor is made by another batch, which has not run yet.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @throws `TypeError` An argument has the wrong type, holds a NUL byte, or a name is no flag.
	 * @throws `RangeError` A number is out of its range.
	 * @example
	 * ```ts
	 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
	 * task.run(() => {
	 *   using usr = openTree("/usr", { flags: ["clone", "recursive"] }).attach("/mnt");
	 * }); // /mnt is empty again
	 * ```
	 * @see move_mount(2), Linux 5.2; CAP_SYS_ADMIN over the mount namespace
	 */
	attach(to: LocationLike, options?: MoveMountOptions): this {
		const { flags } = checkOptions(options, ["flags"]);
		if (toBits(moveMountFlags, flags, "options.flags") & moveMountFlags.setGroup) {
			throw wrongValue("options.flags", 'without "setGroup", with which move_mount(2) attaches nothing', flags);
		}
		moveMount(this, to, options);
		// Already now: in a batch the object may be disposed of before the batch has run.
		const before = this.#attachedBy;
		this.#attachedBy = currentTask();
		afterSuccess(
			() => {},
			() => {
				this.#attachedBy = before;
			},
		);
		return this;
	}

	/**
	 * Unmounts the mount lazily, wherever it was moved meanwhile, with all that is mounted below and on it. The descriptor stays open.
	 *
	 * The call runs in the task that owns the table of the descriptor. A busy mount is no error: what is open stays usable until it is
	 * closed, and so does not end at once. To be refused instead, use `umount` without `detach`. A mount that is attached nowhere,
	 * and a task that is gone, are no errors either. If the task has left the mount namespace, the mount stays there.
	 *
	 * In a batch this is one call.
	 *
	 * @throws `ENOENT` No procfs is mounted on `/proc`, or one of a pid namespace that this process is not in. A task without one can
	 * end directories alone, and in a batch only those that the same batch makes.
	 * @throws `EACCES` The task sees no procfs, and may not search its working directory or the root of the mount.
	 * @throws `ENOTDIR` In a batch that makes the mount itself: the root of the mount is no directory.
	 * @throws `EPERM` The task has no CAP_SYS_ADMIN over the mount namespace.
	 * @throws `EBUSY` In a batch: more than seven mounts lie on the mount. The mount itself and those below the seven stay.
	 * @throws `ERR_NEARFAR_CLOSED` The mount is closed.
	 * @throws `ERR_NEARFAR_BATCH` Another batch makes the mount, and has not run yet.
	 * @example
	 * ```ts
	 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
	 * task.run(() => {
	 *   using scratch = Mount.create("tmpfs");
	 *   moveMount(scratch, "/tmp");
	 *   scratch.unmount();
	 * });
	 * ```
	 * @see umount2(2) MNT_DETACH; CAP_SYS_ADMIN over the mount namespace
	 */
	unmount(): void {
		const unmount = () => native().unmount(numberOf(this), currentTask().isNear);
		const task = this.#attachedBy;
		// Of two tasks with the same table, the other one may be in another mount namespace.
		const knows = task?.state === "live" && task.fdTable === this.table && task !== currentTask();
		try {
			if (knows) task.run(unmount);
			else runInOwner(this, unmount);
		} catch (error) {
			// The mounts of a task that is gone are its namespace's.
			if (!(error instanceof TaskGoneError)) throw error;
		}
	}

	/**
	 * Unmounts the mount if {@link Mount.attach} has attached it, as {@link Mount.unmount} does, and closes the descriptor. A mount that
	 * is busy goes out of sight now, and lives on where it is open.
	 *
	 * Whatever the error, the descriptor is closed, and the mount stays.
	 *
	 * @throws `ENOENT` As for {@link Mount.unmount}: no procfs is mounted on `/proc`.
	 * @throws `EPERM` The task has no CAP_SYS_ADMIN over the mount namespace any more.
	 * @throws `EACCES` The task sees no procfs, and may not search its working directory or the root of the mount.
	 * @throws `ERR_NEARFAR_BATCH` Another batch makes the mount, and has not run yet. The mount stays when that batch has run.
	 */
	override [Symbol.dispose](): void {
		try {
			if (this.#attachedBy && !this.closed) this.unmount();
		} finally {
			this.close();
		}
	}
}

/**
 * Makes a detached mount of a file system that a context has created.
 *
 * @param context - A context after `create`. It stays open, and can reconfigure the file system from now on.
 * @param options - Flags, and attributes of the mount. Default: none.
 * @returns A detached mount, which dissolves when it is closed. The caller closes it, or declares it with `using`. With the flag
 * `namespace` it is a plain `FileDescriptor` of a new mount namespace instead.
 * @throws `EINVAL` `create` was not called yet or has failed, or the kernel does not know a flag or an attribute.
 * @throws `EBUSY` The context has made a mount already, or `reconfigure` has failed.
 * @throws `EPERM` The user namespace may not mount this file system; `error.hint` says what is missing.
 * @throws `EMFILE` The task has reached its limit of descriptors.
 * @throws `ENOMEM` The kernel has no memory for the mount.
 * @throws `ENOSYS` The kernel is older than Linux 5.2, or a seccomp filter does not know the call.
 * @throws `ERR_NEARFAR_CLOSED` The context is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The context belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_BATCH` The batch that makes the context has not run yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument has the wrong type, or a name is no flag. `idmap` is set: use `mountSetattr` with `userns`.
 * @throws `RangeError` A number is out of its range.
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
 * task.run(() => {
 *   using context = fsopen("tmpfs").create();
 *   using tmp = fsmount(context, { set: ["nosuid", "nodev"], atime: "noatime" });
 *   moveMount(tmp, "/tmp");
 * });
 * ```
 * @see fsmount(2), Linux 5.2, `namespace` 7.1; CAP_SYS_ADMIN over the mount namespace
 */
export function fsmount(context: FsContext, options?: FsmountOptions): Mount {
	const { flags, set, atime } = checkOptions(options, ["flags", "set", "atime"]);
	if (!(context instanceof FsContext)) throw wrongType("context", "an FsContext", context);
	const attributes = fsmountAttributes(set, atime);
	const word = join(toWord(fsmountFlags, flags, "options.flags"), fsmountFlags.cloexec);
	const made = native().fsmount(numberOf(context, "context"), word, attributes, typeOf(context));
	return adoptMount(made, (word & NAMESPACE) !== 0);
}

/** Converts the attributes for fsmount(2), which takes no id map. */
function fsmountAttributes(set: FsmountOptions["set"], atime: AccessTimes | undefined): number {
	const attributes = toWord(mountAttributes, set, "options.set");
	if (attributes & mountAttributes.idmap) {
		throw wrongValue("options.set", 'without "idmap", which mountSetattr sets along with userns', set);
	}
	return join(attributes, accessTimeBits(atime));
}

/** The names of {@link CreateOptions}, for the functions that take them. */
export const createOptionNames = [
	"source",
	"data",
	"exclusive",
	"set",
	"atime",
	"clear",
	"propagation",
	"userns",
] as const;

/**
 * Makes a detached mount of a new file system. Checks everything before the first call, and closes what it has made when a step
 * fails.
 *
 * @param fstype - The file system, whose name is also the source unless the options have one.
 * @param parameters - Parameters that the caller has checked. `data` of the options follows them, so that its last word counts.
 * @param options - Options whose names the caller has checked.
 */
export function createMount(fstype: string, parameters: readonly Parameter[], options: CreateOptions): Mount {
	return prepareMount(fstype, options)(parameters);
}

/** Checks the options of {@link createMount} without a call, and returns the function that makes the mount. */
export function prepareMount(fstype: string, options: CreateOptions): (parameters: readonly Parameter[]) => Mount {
	const { source = fstype, data, exclusive, set, atime, clear, propagation, userns } = options;
	text(fstype, "fstype");
	const first = { key: "source", value: checkValue("source", source, "options.source") };
	const last = data === undefined ? [] : checkParts(data, "options.data");
	const create = { exclusive: optionalBoolean(exclusive, "options.exclusive") ?? false };
	fsmountAttributes(set, atime);
	const later = {
		...(clear !== undefined && { clear }),
		...(propagation !== undefined && { propagation }),
		...(userns !== undefined && { userns }),
	};
	attributeWords(later);
	return (parameters) => {
		using context = fsopen(fstype);
		setParts(context, [first, ...parameters, ...last]);
		context.create(create);
		const mount = fsmount(context, { ...(set !== undefined && { set }), ...(atime !== undefined && { atime }) });
		return closedUnless(mount, () => {
			if (Object.keys(later).length > 0) mountSetattr(mount, later);
		});
	};
}

const NAMESPACE = 2; // FSMOUNT_NAMESPACE and OPEN_TREE_NAMESPACE

/** Wraps a new descriptor of a mount, or of a mount namespace, which the caller's declared type then does not say. */
export function adoptMount(number: number, isNamespace: boolean): Mount {
	return isNamespace ? (adoptDescriptor(number) as Mount) : adoptDescriptor(number, Mount);
}

/** Runs the steps after the one that has made a descriptor, and returns it. Closes the descriptor if a step fails. */
export function closedUnless<T extends FileDescriptor>(made: T, steps: () => void): T {
	try {
		steps();
		return made;
	} catch (error) {
		made.close();
		throw error;
	}
}
