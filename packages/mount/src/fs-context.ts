import { Buffer } from "node:buffer";
import { FileDescriptor, Location, type LocationLike, type OpenFile, openat2 } from "@nearfar/core";
import {
	adoptDescriptor,
	atFlags,
	options as checkOptions,
	fsconfigCommands,
	fsopenFlags,
	fspickFlags,
	type LogMessage,
	logLines,
	native,
	numberOf,
	optionalBoolean,
	outOfRange,
	refuseNotFollowed,
	shownData,
	text,
	toAt,
	wrongType,
	wrongValue,
} from "@nearfar/core/internal";
import { type DataPart, dataParts, type MountData } from "./data.ts";
import { join } from "./word.ts";

const LONGEST = 255; // bytes of a key and of a text: the kernel answers more with EINVAL, and no message
const MOST_BINARY = 1024 * 1024;

// By open file, because a copy of the descriptor is the same context. The name is for errors.
const types = new WeakMap<OpenFile, string>();

/** Returns the file system of a context, as far as this process knows it. */
export function typeOf(context: FsContext): string | undefined {
	return types.get(context.file);
}

/**
 * A file system that is being configured, before there is a mount.
 *
 * The order is: parameters, {@link FsContext.create}, then {@link fsmount}. After `fsmount`, as after {@link fspick}, come
 * parameters and {@link FsContext.reconfigure}. A `create` or a `reconfigure` that fails spends the context: everything else is
 * `EBUSY` from then on. A parameter that is refused does not. Closing a context does nothing to the mounts made from it.
 *
 * The kernel often says in the log of the context why it has refused a call. The error has these messages in `error.log`, also
 * in a batch and in helpers, and no longer in the log of the context.
 *
 * Attributes of the mount, such as `nosuid` and `noatime`, are options of `fsmount`, and `EINVAL` here. The words
 * `source ro rw sync dirsync lazytime mand` are parameters.
 *
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
 * task.run(() => {
 *   using context = fsopen("tmpfs").setString("size", "1m").setFlag("ro").create();
 *   using tmp = fsmount(context, { set: ["nosuid", "nodev"] });
 *   moveMount(tmp, "/tmp");
 * });
 * ```
 * @see fsopen(2), fsconfig(2), fsmount(2), Linux 5.2; CAP_SYS_ADMIN over the mount namespace
 */
export class FsContext extends FileDescriptor {
	/**
	 * Sets a parameter that has no value.
	 *
	 * @param key - The name of the parameter, at most 255 bytes.
	 * @returns This context.
	 * @throws `EINVAL` The file system does not know the parameter, or the parameter needs a value. `error.log` says which.
	 * @throws `EBUSY` The file system was created already, or an earlier `create` or `reconfigure` has failed.
	 * @throws `EPERM` The context was opened in another user namespace.
	 * @throws `ERR_NEARFAR_CLOSED` The context is closed.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The context belongs to another table than the current task's.
	 * @throws `ERR_NEARFAR_BATCH` The batch that makes the context has not run yet.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @throws `TypeError` The key is not a string, or holds a NUL byte.
	 * @throws `RangeError` The key is longer than 255 bytes.
	 * @example
	 * ```ts
	 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
	 * task.run(() => {
	 *   using context = fsopen("tmpfs").setFlag("ro").create();
	 *   fsmount(context).close();
	 * });
	 * ```
	 * @see fsconfig(2) FSCONFIG_SET_FLAG, Linux 5.2; CAP_SYS_ADMIN over the mount namespace
	 */
	setFlag(key: string): this {
		return this.#configure(fsconfigCommands.setFlag, checkKey(key), undefined, 0);
	}

	/**
	 * Sets a parameter to a text.
	 *
	 * @param key - The name of the parameter, at most 255 bytes.
	 * @param value - At most 255 bytes, without a NUL byte. What the file system reads as a number, too, is a text here.
	 * @returns This context.
	 * @throws `EINVAL` The file system does not know the parameter, or refuses the value. `error.log` says which.
	 * @throws `EBUSY` The file system was created already, or an earlier `create` or `reconfigure` has failed.
	 * @throws `EPERM` The context was opened in another user namespace.
	 * @throws `ERR_NEARFAR_CLOSED` The context is closed.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The context belongs to another table than the current task's.
	 * @throws `ERR_NEARFAR_BATCH` The batch that makes the context has not run yet.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @throws `TypeError` An argument has the wrong type, or holds a NUL byte.
	 * @throws `RangeError` The key or the value is longer than 255 bytes.
	 * @example
	 * ```ts
	 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
	 * task.run(() => {
	 *   using context = fsopen("tmpfs");
	 *   try {
	 *     context.setString("size", "much");
	 *   } catch (error) {
	 *     if (error instanceof SyscallError) console.log(error.log); // [ "tmpfs: Bad value for 'size'" ]
	 *   }
	 * });
	 * ```
	 * @see fsconfig(2) FSCONFIG_SET_STRING, Linux 5.2; CAP_SYS_ADMIN over the mount namespace
	 */
	setString(key: string, value: string | Buffer): this {
		return this.#configure(fsconfigCommands.setString, checkKey(key), checkValue(key, value), 0);
	}

	/**
	 * Sets a parameter to bytes. No file system of Linux 6.18 has such a parameter.
	 *
	 * @param key - The name of the parameter, at most 255 bytes.
	 * @param value - 1 to 1048576 bytes.
	 * @returns This context.
	 * @throws `EINVAL` The file system does not know the parameter, or the parameter is not binary. `error.log` says which.
	 * @throws `EBUSY` The file system was created already, or an earlier `create` or `reconfigure` has failed.
	 * @throws `EPERM` The context was opened in another user namespace.
	 * @throws `ENOMEM` There is no memory for a copy of the bytes.
	 * @throws `ERR_NEARFAR_CLOSED` The context is closed.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The context belongs to another table than the current task's.
	 * @throws `ERR_NEARFAR_BATCH` The batch that makes the context has not run yet.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @throws `TypeError` An argument has the wrong type, or the key holds a NUL byte.
	 * @throws `RangeError` The key is longer than 255 bytes, or the value is empty or longer than 1048576 bytes.
	 * @see fsconfig(2) FSCONFIG_SET_BINARY, Linux 5.2; CAP_SYS_ADMIN over the mount namespace
	 */
	setBinary(key: string, value: Uint8Array): this {
		checkKey(key);
		if (!(value instanceof Uint8Array)) throw wrongType("value", "a Uint8Array", value);
		if (value.length === 0 || value.length > MOST_BINARY) {
			throw outOfRange("value", `1 to ${MOST_BINARY} bytes`, value.length);
		}
		native().fsconfigBinary(numberOf(this), fsconfigCommands.setBinary, key, value, typeOf(this));
		return this;
	}

	/**
	 * Sets a parameter to the file at a path, which the file system looks up.
	 *
	 * @param key - The name of the parameter, at most 255 bytes.
	 * @param at - The file. A link at the end of the path is followed. An open descriptor is the file itself.
	 * @returns This context.
	 * @throws `EINVAL` The file system does not know the parameter, or the parameter is no path. `error.log` says which.
	 * @throws `ENAMETOOLONG` The path is longer than 4095 bytes.
	 * @throws `EBUSY` The file system was created already, or an earlier `create` or `reconfigure` has failed.
	 * @throws `EPERM` The context was opened in another user namespace.
	 * @throws `ERR_NEARFAR_CLOSED` The context or the descriptor is closed.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` A descriptor belongs to another table than the current task's.
	 * @throws `ERR_NEARFAR_BATCH` The batch that makes a descriptor has not run yet.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @throws `TypeError` An argument has the wrong type, or holds a NUL byte, or a `Location` does not follow links.
	 * @throws `RangeError` The key is longer than 255 bytes.
	 * @see fsconfig(2) FSCONFIG_SET_PATH, FSCONFIG_SET_PATH_EMPTY, Linux 5.2; CAP_SYS_ADMIN over the mount namespace
	 */
	setPath(key: string, at: LocationLike): this {
		if (at instanceof Location) refuseNotFollowed(at, "at");
		const place = toAt(at, "at");
		const isEmpty = place.path.length === 0 && (place.flags & atFlags.emptyPath) !== 0;
		const command = isEmpty ? fsconfigCommands.setPathEmpty : fsconfigCommands.setPath;
		return this.#configure(command, checkKey(key), place.path, place.at);
	}

	/**
	 * Sets a parameter to an open file.
	 *
	 * @param key - The name of the parameter, at most 255 bytes.
	 * @param fd - The file. The descriptor stays the caller's, and may be closed afterwards.
	 * @returns This context.
	 * @throws `EINVAL` The file system does not know the parameter, or takes no descriptor for it. `error.log` says which.
	 * @throws `EBUSY` The file system was created already, or an earlier `create` or `reconfigure` has failed.
	 * @throws `EPERM` The context was opened in another user namespace.
	 * @throws `EBADF` Other code has closed the descriptor.
	 * @throws `ERR_NEARFAR_CLOSED` The context or the descriptor is closed.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` A descriptor belongs to another table than the current task's.
	 * @throws `ERR_NEARFAR_BATCH` The batch that makes a descriptor has not run yet.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @throws `TypeError` An argument has the wrong type, or the key holds a NUL byte.
	 * @throws `RangeError` The key is longer than 255 bytes.
	 * @example
	 * ```ts
	 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
	 * task.run(() => {
	 *   using usr = openat2("/usr", { flags: ["path", "directory"] });
	 *   using etc = openat2("/etc", { flags: ["path", "directory"] });
	 *   using context = fsopen("overlay").setFd("lowerdir+", usr).setFd("lowerdir+", etc).create();
	 *   fsmount(context).close();
	 * });
	 * ```
	 * @see fsconfig(2) FSCONFIG_SET_FD, Linux 5.2, for layers of overlay 6.13; CAP_SYS_ADMIN over the mount namespace
	 */
	setFd(key: string, fd: FileDescriptor): this {
		return this.#configure(fsconfigCommands.setFd, checkKey(key), undefined, numberOf(fd, "fd"));
	}

	/**
	 * Sets all parameters that options name: one call for each, in their order.
	 *
	 * @param data - A text such as `"size=1m,mode=700"`, a list of such words, or an object. In an object `true` sets a flag,
	 * a descriptor sets the parameter to the open file, and any other value sets a text.
	 * @returns This context.
	 * @throws `EINVAL` The file system does not know a parameter, or refuses its value. `error.log` says which. What came before
	 * the parameter is set.
	 * @throws `EBUSY` The file system was created already, or an earlier `create` or `reconfigure` has failed.
	 * @throws `EPERM` The context was opened in another user namespace.
	 * @throws `ERR_NEARFAR_CLOSED` The context or a descriptor is closed.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` A descriptor belongs to another table than the current task's.
	 * @throws `ERR_NEARFAR_BATCH` The batch that makes a descriptor has not run yet.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @throws `TypeError` The options have the wrong form, or hold a NUL byte.
	 * @throws `RangeError` A key or a text is longer than 255 bytes. Nothing was set then.
	 * @example
	 * ```ts
	 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
	 * task.run(() => {
	 *   using context = fsopen("tmpfs").set({ size: "1m", mode: "700" }).create();
	 *   fsmount(context).close();
	 * });
	 * ```
	 * @see fsconfig(2), Linux 5.2; CAP_SYS_ADMIN over the mount namespace
	 */
	set(data: MountData): this {
		setParts(this, checkParts(data, "data"));
		return this;
	}

	/**
	 * Creates the file system, or finds an existing one that matches the parameters. `fsmount` then makes a mount of it.
	 *
	 * @param options - `exclusive`: fails rather than finds an existing one. Default: false.
	 * @returns This context.
	 * @throws `EPERM` The user namespace may not mount this file system; `error.hint` says what is missing.
	 * @throws `EINVAL` Parameters are missing or contradict each other. `error.log` often says which.
	 * @throws `EBUSY` The file system was created already, or an earlier `create` or `reconfigure` has failed. With `exclusive`: there is
	 * one that matches.
	 * @throws `EOPNOTSUPP` `exclusive` needs Linux 6.6.
	 * @throws `ENOENT` A device or a directory that a parameter names does not exist.
	 * @throws `ENOTBLK` The file system needs a block device, and `source` is none.
	 * @throws `ENOMEM` The kernel has no memory for the file system.
	 * @throws `ERR_NEARFAR_CLOSED` The context is closed.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The context belongs to another table than the current task's.
	 * @throws `ERR_NEARFAR_BATCH` The batch that makes the context has not run yet.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @throws `TypeError` An option has the wrong type.
	 * @example
	 * ```ts
	 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
	 * task.run(() => {
	 *   using context = fsopen("tmpfs").create();
	 *   fsmount(context).close();
	 * });
	 * ```
	 * @see fsconfig(2) FSCONFIG_CMD_CREATE, Linux 5.2, FSCONFIG_CMD_CREATE_EXCL 6.6; CAP_SYS_ADMIN over the user namespace
	 */
	create(options?: { exclusive?: boolean }): this {
		const { exclusive } = checkOptions(options, ["exclusive"]);
		const { cmdCreate, cmdCreateExcl } = fsconfigCommands;
		const command = optionalBoolean(exclusive, "options.exclusive") ? cmdCreateExcl : cmdCreate;
		return this.#configure(command, undefined, undefined, 0);
	}

	/**
	 * Applies the parameters to the file system that exists already: every mount of it changes.
	 *
	 * Once a context has set one of the flags `ro sync dirsync lazytime mand`, each further `reconfigure` of this context takes the flag
	 * away, unless the flag is set again before. Other contexts leave the flag as it is.
	 *
	 * @returns This context.
	 * @throws `EINVAL` A parameter cannot be changed. `error.log` often says which.
	 * @throws `EBUSY` `ro` is set while files are open for writing; the context is not mounted yet, or an earlier call has failed.
	 * @throws `EPERM` The task has no CAP_SYS_ADMIN over the user namespace that has mounted the file system.
	 * @throws `ERR_NEARFAR_CLOSED` The context is closed.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The context belongs to another table than the current task's.
	 * @throws `ERR_NEARFAR_BATCH` The batch that makes the context has not run yet.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @example
	 * ```ts
	 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
	 * task.run(() => {
	 *   mount("scratch", "/tmp", "tmpfs", { data: "size=1m" });
	 *   using context = fspick("/tmp").setString("size", "2m").reconfigure();
	 * });
	 * ```
	 * @see fsconfig(2) FSCONFIG_CMD_RECONFIGURE, Linux 5.2; CAP_SYS_ADMIN over the user namespace of the file system
	 */
	reconfigure(): this {
		return this.#configure(fsconfigCommands.cmdReconfigure, undefined, undefined, 0);
	}

	/**
	 * Takes the messages of the kernel out of the log, the oldest first. The kernel keeps the last eight. Errors have those that
	 * came with them in `error.log` already.
	 *
	 * @returns The messages. There may be warnings after a call that succeeded.
	 * @throws `ERR_NEARFAR_CLOSED` The context is closed.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The context belongs to another table than the current task's.
	 * @throws `ERR_NEARFAR_BATCH` A batch is being collected, and the log is a value.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @example
	 * ```ts
	 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
	 * task.run(() => {
	 *   using context = fsopen("tmpfs").create();
	 *   console.log(context.log()); // []
	 * });
	 * ```
	 * @see fsopen(2), "Message retrieval"; no privilege
	 */
	log(): LogMessage[] {
		return logLines(native().readContextLog(numberOf(this)));
	}

	#configure(command: number, key: string | undefined, value: string | Uint8Array | undefined, aux: number): this {
		native().fsconfig(numberOf(this), command, key, value, aux, typeOf(this));
		return this;
	}
}

/**
 * Opens a context for a new file system.
 *
 * @param fstype - The file system, by its name in `/proc/filesystems`.
 * @returns A descriptor of the current task. The caller closes it, or declares it with `using`.
 * @throws `ENODEV` The kernel does not know the file system.
 * @throws `EPERM` The task has no CAP_SYS_ADMIN over its mount namespace, or a seccomp filter does not know the call.
 * @throws `EMFILE` The task has reached its limit of descriptors.
 * @throws `ENFILE` The machine has reached its limit of open files.
 * @throws `ENOMEM` The kernel has no memory for the context.
 * @throws `ENOSYS` The kernel is older than Linux 5.2, or a seccomp filter does not know the call.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `fstype` is not a string, or holds a NUL byte.
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
 * task.run(() => {
 *   using context = fsopen("tmpfs").setString("size", "1m").create();
 *   using tmp = fsmount(context, { set: ["nosuid", "nodev"] });
 *   moveMount(tmp, "/tmp");
 * });
 * ```
 * @see fsopen(2), Linux 5.2; CAP_SYS_ADMIN over the mount namespace
 */
export function fsopen(fstype: string): FsContext {
	const type = text(fstype, "fstype");
	const context = adoptDescriptor(native().fsopen(type, fsopenFlags.cloexec), FsContext);
	types.set(context.file, type);
	return context;
}

/**
 * Opens a context for the file system of an existing mount, to change its parameters with {@link FsContext.reconfigure}.
 *
 * @param at - The root of a mount. A path is followed at its end. A `Location` says whether links are followed and automounts
 * are triggered. An open descriptor is the place itself.
 * @returns A descriptor of the current task. The caller closes it, or declares it with `using`.
 * @throws `EINVAL` The place is not the root of a mount.
 * @throws `EPERM` The task has no CAP_SYS_ADMIN over the user namespace that has mounted the file system, or a seccomp filter does not
 * know the call.
 * @throws `ENOENT` The path does not exist.
 * @throws `ENOTDIR` A part of the path is not a directory.
 * @throws `EBADF` Other code has closed the descriptor.
 * @throws `EMFILE` The task has reached its limit of descriptors.
 * @throws `ENOSYS` The kernel is older than Linux 5.2, or a seccomp filter does not know the call.
 * @throws `ERR_NEARFAR_CLOSED` A descriptor is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` A descriptor belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_BATCH` A descriptor is made by another batch, which has not run yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` The argument is no place, or holds a NUL byte.
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
 * task.run(() => {
 *   mount("scratch", "/tmp", "tmpfs");
 *   using context = fspick("/tmp").setFlag("ro").reconfigure();
 * });
 * ```
 * @see fspick(2), Linux 5.2; CAP_SYS_ADMIN over the user namespace of the file system
 */
export function fspick(at: LocationLike): FsContext {
	const place = toAt(at, "at");
	const flags = join(
		fspickFlags.cloexec,
		place.flags & atFlags.symlinkNofollow ? fspickFlags.symlinkNofollow : 0,
		place.flags & atFlags.noAutomount ? fspickFlags.noAutomount : 0,
		place.flags & atFlags.emptyPath ? fspickFlags.emptyPath : 0,
	);
	return adoptDescriptor(native().fspick(place.at, place.path, flags), FsContext);
}

function checkKey(key: string): string {
	const length = Buffer.byteLength(text(key, "key"));
	if (length > LONGEST) throw outOfRange("key", `at most ${LONGEST} bytes`, `${length} bytes`);
	return key;
}

/** Checks a text for fsconfig(2). An error shows the text without what looks like a password by the key. */
export function checkValue<T extends string | Uint8Array>(key: string, value: T, name = "value"): T {
	if (typeof value !== "string" && !((value as unknown) instanceof Uint8Array)) {
		throw wrongType(name, "a string or a Buffer", value);
	}
	if (typeof value === "string" ? value.includes("\0") : value.includes(0)) {
		const shown = shownData(`${key}=${value}`);
		throw wrongValue(name, "without NUL bytes, which end a text for the kernel", shown);
	}
	const length = typeof value === "string" ? Buffer.byteLength(value) : value.length;
	if (length <= LONGEST) return value;
	throw outOfRange(name, `at most ${LONGEST} bytes, which is what fsconfig(2) takes`, `${length} bytes`);
}

/** Cuts options into parts, and checks all of them before a call, so that a wrong part leaves the context as it is. */
export function checkParts(data: MountData, name: string): readonly DataPart[] {
	const parts = dataParts(data, name);
	for (const { key, value } of parts) {
		checkKey(key);
		if (value instanceof FileDescriptor) numberOf(value, name);
		else if (value !== undefined) checkValue(key, value);
	}
	return parts;
}

/** Sets parameters, by one call for each, and one that opens the directory if there is one. */
export function setParts(context: FsContext, parts: readonly Parameter[]): void {
	for (const part of parts) {
		if ("directory" in part) setDirectory(context, part);
		else if (part.value === undefined) context.setFlag(part.key);
		else if (part.value instanceof FileDescriptor) context.setFd(part.key, part.value);
		else context.setString(part.key, part.value);
	}
}

/** Sets a parameter to a directory by descriptor. The file system keeps the directory, so that the descriptor is closed at once. */
function setDirectory(context: FsContext, { key, directory }: DirectoryPart): void {
	if (directory instanceof FileDescriptor) {
		context.setFd(key, directory);
		return;
	}
	using opened = openDirectory(directory);
	context.setFd(key, opened);
}

/** Opens a directory as a layer of a file system. */
export function openDirectory(at: LocationLike): FileDescriptor {
	return openat2(at, { flags: ["path", "directory"] });
}

/** A parameter of a file system: its text may be bytes that are no UTF-8. */
export type Parameter = DataPart | { readonly key: string; readonly value: string | Buffer } | DirectoryPart;

/** A parameter that is a directory, which is opened for the call. An open descriptor stays the caller's. */
export interface DirectoryPart {
	readonly key: string;
	readonly directory: LocationLike;
}
