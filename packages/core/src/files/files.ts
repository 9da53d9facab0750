import {
	atFlags,
	closeRangeFlags,
	type OpenFlag,
	openFlags,
	type ResolveFlag,
	resolveFlags,
} from "../addon/flags.generated.ts";
import { toBits } from "../addon/flags.ts";
import { native } from "../addon/native.ts";
import { options as checkOptions, integer, optionalBoolean } from "../arguments.ts";
import { BatchError, NearfarError } from "../errors.ts";
import { currentBatch, currentTask, taskControl } from "../target/target.ts";
import { adoptDescriptor, type FileDescriptor } from "./descriptor.ts";
import { invalidateHandles } from "./handle.ts";
import { type LocationLike, toAt } from "./location.ts";

/** How {@link openat2} opens. */
export interface OpenHow {
	/** `O_*` names in lower case, or a number. Default: for reading. Close-on-exec is always added. */
	flags?: readonly OpenFlag[] | number;
	/** Permission bits of a file that is created, 0 to 0o7777. Default: 0. */
	mode?: number;
	/** `RESOLVE_*` names in camelCase, or a number. Default: none. */
	resolve?: readonly ResolveFlag[] | number;
}

/**
 * Opens a file, with a say in how its path is resolved.
 *
 * @param at - A path, an open directory, or a {@link Location}.
 * @returns A descriptor of the current task; close it or declare it with `using`.
 * @throws `ENOENT` · `EXDEV` the path leaves where `resolve` keeps it · `ELOOP` a link that `resolve` forbids ·
 * `EINVAL` flags that contradict each other, a mode without `creat` or `tmpfile` · `EACCES` · `EMFILE`
 * @example
 * ```ts
 * using root = openat2("/etc", { flags: ["path", "directory"] });
 * using file = openat2(new Location(root, "../../hostname"), { resolve: ["inRoot", "noMagiclinks"] });
 * ```
 * @see openat2(2), Linux 5.6; no privilege
 */
export function openat2(at: LocationLike, how?: OpenHow): FileDescriptor {
	const { flags, mode, resolve } = checkOptions(how, "how");
	const place = toAt(at, "at");
	const bits = toBits(openFlags, flags, "flags");
	// An open directory by itself: the kernel's openat2 knows no empty path, "." is the same place.
	const path = place.path.length === 0 && place.flags & atFlags.emptyPath ? "." : place.path;
	const extra = place.flags & atFlags.symlinkNofollow ? openFlags.nofollow : 0;
	return adoptDescriptor(
		native().openat2(
			place.at,
			path,
			or(or(bits, openFlags.cloexec), extra),
			mode === undefined ? 0 : integer(mode, "mode", 0, 0o7777),
			toBits(resolveFlags, resolve, "resolve"),
		),
	);
}

function or(a: number, b: number): number {
	return Number(BigInt(a) | BigInt(b));
}

/**
 * Makes a pipe.
 *
 * @param options - `closeOnExec`, default true; `blocking`, default true, of both ends.
 * @returns The end to read from and the end to write to; close both.
 * @throws `EMFILE` the table is full · `ENFILE` · `EINVAL`
 * @example
 * ```ts
 * const [read, write] = pipe();
 * write.write("hello");
 * console.log(read.read(5).toString());
 * read.close();
 * write.close();
 * ```
 * @see pipe2(2); no privilege
 */
export function pipe(options?: {
	closeOnExec?: boolean;
	blocking?: boolean;
}): [read: FileDescriptor, write: FileDescriptor] {
	const { closeOnExec, blocking } = checkOptions(options);
	const cloexec = (optionalBoolean(closeOnExec, "closeOnExec") ?? true) ? openFlags.cloexec : 0;
	const nonblock = (optionalBoolean(blocking, "blocking") ?? true) ? 0 : openFlags.nonblock;
	const [read = -1, write = -1] = native().pipe(cloexec | nonblock);
	return [adoptDescriptor(read), adoptDescriptor(write)];
}

/**
 * Closes every descriptor of a task from `first` to `last`, but the channels that it, and whoever shares its table, is
 * controlled through.
 *
 * @param first - 0 or more.
 * @param last - `first` to 4294967295: as far as there are any.
 * @param options - `closeOnExec: true` only marks them, and leaves them open until then. `unshare: true` gives the task a
 * table of its own first, where it shares one (`share: ["files"]`): the others keep all that they have, and so do the
 * handles, which from then on are theirs alone. What stays open in the new table, a copy of each, has no handle.
 * @throws `ERR_NEARFAR_NEAR` in this process: the descriptors are Node's · `EINVAL` `first` is larger than `last` ·
 * `BatchError` `unshare` in a batch: what is made in one belongs to the table from before
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
	const { closeOnExec, unshare } = checkOptions(options);
	const mark = optionalBoolean(closeOnExec, "closeOnExec") ?? false;
	const task = currentTask();
	if (task.isNear) {
		throw new NearfarError("NEAR", "closeRange would close descriptors of Node itself: use it in a task");
	}
	if (optionalBoolean(unshare, "unshare")) {
		if (currentBatch())
			throw new BatchError("whose a descriptor is would be known only later: unshare before the batch");
		if (from <= to) taskControl().leaveTable(task);
	}
	const flags = mark ? closeRangeFlags.cloexec : 0;
	for (const [start, end] of around(from, to, taskControl().channelsToSpare(task))) {
		native().closeRange(start, end, flags);
		if (!mark) invalidateHandles(task.fdTable, start, end);
	}
}

/** A range without some numbers in it; it is left to the kernel to refuse one that ends before it begins. */
function around(first: number, last: number, spared: number[]): [number, number][] {
	const inside = spared.filter((number) => first <= number && number <= last).sort((a, b) => a - b);
	if (inside.length === 0) return [[first, last]];
	const starts = [first, ...inside.map((number) => number + 1)];
	const ends = [...inside.map((number) => number - 1), last];
	const parts = starts.map((start, index): [number, number] => [start, ends[index] ?? last]);
	return parts.filter(([start, end]) => start <= end);
}
