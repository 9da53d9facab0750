import {
	atFlags,
	closeRangeFlags,
	type OpenFlag,
	openFlags,
	type ResolveFlag,
	resolveFlags,
} from "../addon/flags.generated.ts";
import { joinBits, toBits } from "../addon/flags.ts";
import { native } from "../addon/native.ts";
import { options as checkOptions, integer, optionalBoolean } from "../arguments.ts";
import { BatchError, NearfarError } from "../errors.ts";
import { currentBatch, currentTask, isInNode, taskControl } from "../target/target.ts";
import { adoptDescriptor, type FileDescriptor } from "./descriptor.ts";
import { invalidateHandles } from "./handle.ts";
import { type LocationLike, toAt } from "./location.ts";

const LAST_OF_STDIO = 2;

/** How {@link openat2} opens a file. */
export interface OpenHow {
	/** `O_*` names in lower case, or a number. Default: for reading. Close-on-exec is always added. */
	flags?: readonly OpenFlag[] | number;
	/** Permission bits of a file that is created, 0 to 0o7777. Default: 0. */
	mode?: number;
	/** `RESOLVE_*` names in camelCase, or a number. Default: none. */
	resolve?: readonly ResolveFlag[] | number;
}

/**
 * Opens a file, with control over how its path is resolved.
 *
 * @param at - A path, an open directory, or a {@link Location}.
 * @param how - Flags, mode, and how the path is resolved. Default: opens for reading, and resolves the path as open(2) does.
 * @returns A descriptor of the current task. The caller closes it, or declares it with `using`.
 * @throws `ENOENT` The file does not exist, or the path is empty.
 * @throws `ENOTDIR` A component on the way is not a directory, or `directory` is asked for another file.
 * @throws `EACCES` The file may not be opened this way, or a directory on the way may not be searched.
 * @throws `EEXIST` `creat` and `excl` are asked for, and the file exists.
 * @throws `EISDIR` A directory is opened for writing.
 * @throws `EXDEV` The path leaves the place that `resolve` keeps it in.
 * @throws `ELOOP` `resolve` forbids a link on the way, the last component is a link and `nofollow` is asked for, or there
 * are more than 40 links.
 * @throws `EAGAIN` `beneath` or `inRoot` met `..` while another process renamed or mounted something. Try again.
 * @throws `EINVAL` Flags contradict each other, the kernel does not know one, or a mode comes without `creat` or `tmpfile`.
 * @throws `ENAMETOOLONG` A component has more than 255 bytes, or the path more than 4095.
 * @throws `EMFILE` The task has reached its limit of descriptors.
 * @throws `ENFILE` The machine has reached its limit of open files.
 * @throws `ERR_NEARFAR_CLOSED` A descriptor is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` A descriptor belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_BATCH` A descriptor is made by another batch, which has not run yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument has the wrong type, a path holds a NUL byte, or a name is no flag.
 * @throws `RangeError` A number is out of its range.
 * @example
 * ```ts
 * using root = openat2("/etc", { flags: ["path", "directory"] });
 * using file = openat2(new Location(root, "../../hostname"), { resolve: ["inRoot", "noMagiclinks"] });
 * ```
 * @see openat2(2), Linux 5.6; no privilege
 */
export function openat2(at: LocationLike, how?: OpenHow): FileDescriptor {
	const { flags, mode, resolve } = checkOptions(how, ["flags", "mode", "resolve"], "how");
	const place = toAt(at, "at");
	const bits = toBits(openFlags, flags, "flags");
	// openat2(2) takes no empty path. For an open directory itself, "." is the same place.
	const path = place.path.length === 0 && place.flags & atFlags.emptyPath ? "." : place.path;
	const extra = place.flags & atFlags.symlinkNofollow ? openFlags.nofollow : 0;
	return adoptDescriptor(
		native().openat2(
			place.at,
			path,
			joinBits(joinBits(bits, openFlags.cloexec), extra),
			mode === undefined ? 0 : integer(mode, "mode", 0, 0o7777),
			toBits(resolveFlags, resolve, "resolve"),
		),
	);
}

/**
 * Makes a pipe.
 *
 * @param options - `closeOnExec`: whether execve(2) closes both ends, default true. `blocking`: whether reads and writes
 * wait, at both ends, default true.
 * @returns The end to read from and the end to write to. The caller closes both.
 * @throws `EMFILE` The task has reached its limit of descriptors.
 * @throws `ENFILE` The machine has reached its limit of open files, or the user the limit of memory for pipes.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An option has the wrong type.
 * @example
 * ```ts
 * const [read, write] = pipe();
 * write.write("hello");
 * console.log(read.read(5).toString()); // hello
 * read.close();
 * write.close();
 * ```
 * @see pipe2(2); no privilege
 */
export function pipe(options?: {
	closeOnExec?: boolean;
	blocking?: boolean;
}): [read: FileDescriptor, write: FileDescriptor] {
	const { closeOnExec, blocking } = checkOptions(options, ["closeOnExec", "blocking"]);
	const cloexec = (optionalBoolean(closeOnExec, "closeOnExec") ?? true) ? openFlags.cloexec : 0;
	const nonblock = (optionalBoolean(blocking, "blocking") ?? true) ? 0 : openFlags.nonblock;
	const [read = -1, write = -1] = native().pipe(cloexec | nonblock);
	return [adoptDescriptor(read), adoptDescriptor(write)];
}

/**
 * Closes all descriptors of a task in a range of numbers, except the channels through which nearfar controls the task and
 * the tasks that share its table.
 *
 * With `unshare` a task that shares its table (`share: ["files"]`) gets a table of its own first. The other tasks keep all
 * their descriptors, and existing `FileDescriptor` objects belong to them alone from then on. The descriptors that stay
 * open in the new table are copies without an object.
 *
 * @param first - The first number, 0 to 4294967295.
 * @param last - The last number, `first` to 4294967295. Numbers that are not open are skipped.
 * @param options - `closeOnExec`: true lets execve(2) close the descriptors instead, default false. `unshare`: true gives
 * the task a table of its own first, default false.
 * @throws `EINVAL` `first` is larger than `last`.
 * @throws `ERR_NEARFAR_NEAR` The call would run in this process, whose descriptors belong to Node.
 * @throws `ERR_NEARFAR_BATCH` `unshare` is asked for in a batch.
 * @throws `ERR_NEARFAR_BATCH` A task that will share the table is still being cloned.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument has the wrong type.
 * @throws `RangeError` A number is out of its range.
 * @example
 * ```ts
 * await using task = await Task.clone();
 * task.run(() => closeRange(3, 4294967295));
 * ```
 * @see close_range(2), Linux 5.9, with `closeOnExec` 5.11; no privilege
 */
export function closeRange(first: number, last: number, options?: { closeOnExec?: boolean; unshare?: boolean }): void {
	const from = integer(first, "first", 0, 2 ** 32 - 1);
	const to = integer(last, "last", 0, 2 ** 32 - 1);
	const { closeOnExec, unshare } = checkOptions(options, ["closeOnExec", "unshare"]);
	const mark = optionalBoolean(closeOnExec, "closeOnExec") ?? false;
	const task = currentTask();
	if (isInNode(task)) {
		throw new NearfarError(
			"NEAR",
			"cannot close a range of descriptors in this process: they belong to Node; call closeRange in task.run()",
		);
	}
	if (optionalBoolean(unshare, "unshare")) {
		if (currentBatch()) {
			// Which table a descriptor belongs to would be known only after the batch has run.
			throw new BatchError("cannot unshare a table in a batch: call closeRange with `unshare` before the batch");
		}
		if (from <= to) taskControl().leaveTable(task);
	}
	const flags = mark ? closeRangeFlags.cloexec : 0;
	// The numbers of stdio are never channels. Asking for the channels waits for a new task to start.
	const spared = to <= LAST_OF_STDIO ? [] : taskControl().channelsToSpare(task);
	for (const [start, end] of partsWithout(from, to, spared)) {
		native().closeRange(start, end, flags);
		if (!mark) invalidateHandles(task.fdTable, start, end);
	}
}

/** Returns the parts of a range between some numbers. A range that ends before it begins is left for the kernel to refuse. */
function partsWithout(first: number, last: number, spared: number[]): [number, number][] {
	const inside = spared.filter((number) => first <= number && number <= last).sort((a, b) => a - b);
	if (inside.length === 0) return [[first, last]];
	const starts = [first, ...inside.map((number) => number + 1)];
	const ends = [...inside.map((number) => number - 1), last];
	const parts = starts.map((start, index): [number, number] => [start, ends[index] ?? last]);
	return parts.filter(([start, end]) => start <= end);
}
