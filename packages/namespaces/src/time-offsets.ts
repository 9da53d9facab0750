import { readFileSync } from "node:fs";
import { Location, MultithreadedError, openat2, SyscallError, Task, TaskGoneError } from "@nearfar/core";
import {
	type AnyTask,
	afterSuccess,
	options as checkOptions,
	currentBatch,
	currentTask,
	explained,
	isInNode,
	native,
	openOwnProc,
	outOfRange,
	prctlOptions,
	whileDumpable,
	withFile,
	wrongType,
	wrongValue,
} from "@nearfar/core/internal";

/** What {@link setTimeOffsets} sets: by how much a clock differs in the new time namespace from the same clock of the machine. */
export interface TimeOffsets {
	/** Nanoseconds that are added to CLOCK_MONOTONIC and its variants. Default: the offset stays as it is. */
	monotonicNs?: bigint | number;
	/** Nanoseconds that are added to CLOCK_BOOTTIME and its variants, and so to the uptime. Default: the offset stays as it is. */
	boottimeNs?: bigint | number;
}

const NAME = "timens_offsets";
const FILE = `self/${NAME}`;
const PATH = `/proc/${FILE}`;
const [CLOCK_MONOTONIC, CLOCK_BOOTTIME] = [1, 7];
const SECOND = 1_000_000_000n; // nanoseconds
const LIMIT = 1n << 63n; // nanoseconds, 292 years; the kernel allows less
const LENGTH = 256; // bytes; the file has two short lines

/**
 * Sets the offsets of the clocks in the time namespace that the children of the current task get.
 *
 * The call works between `unshare(["time"])` and the first child. The task itself keeps its clocks until it executes a program, and
 * its children have the offsets from their beginning. CLOCK_REALTIME has no offset.
 *
 * In a batch, a task of an ordinary user is not dumpable afterwards, as from its beginning.
 *
 * @param offsets - `monotonicNs` and `boottimeNs`, in nanoseconds, each from -2^63 to 2^63-1. Negative offsets are allowed as long as
 * the clock stays above zero. A clock that is left out keeps its offset; at least one has to be given.
 * @throws `EACCES` The task has a child already in the time namespace, was itself cloned into it, or has made no time namespace.
 * @throws `EPERM` The task has no CAP_SYS_TIME over the time namespace that its children get: also where the task has made none, and its
 * children get the one of another user namespace.
 * @throws `ERANGE` A clock would be below zero, or beyond 146 years.
 * @throws `ENOENT` No procfs is mounted on `/proc`, or the kernel is older than Linux 5.6.
 * @throws `ERR_NEARFAR_MULTITHREADED` The call is made in Node, or in a thread of Node.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An offset is neither a bigint nor a number, no offset is given, or there is an unknown option.
 * @throws `RangeError` An offset is out of its range, or a number that is not whole or not safe.
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
 * task.run(() => {
 *   unshare(["time"]);
 *   setTimeOffsets({ boottimeNs: 86_400_000_000_000n }); // a day
 * });
 * await task.exec("uptime").check(); // up 1 day more
 * ```
 * @see time_namespaces(7), Linux 5.6; CAP_SYS_TIME over the time namespace
 */
export function setTimeOffsets(offsets: TimeOffsets): void {
	if ((offsets as unknown) === undefined) throw wrongType("offsets", "an object", offsets);
	const { monotonicNs, boottimeNs } = checkOptions(offsets, ["monotonicNs", "boottimeNs"], "offsets");
	const text =
		line(CLOCK_MONOTONIC, monotonicNs, "offsets.monotonicNs") + line(CLOCK_BOOTTIME, boottimeNs, "offsets.boottimeNs");
	if (text === "") throw wrongValue("offsets", "an object with `monotonicNs`, `boottimeNs` or both", offsets);
	const task = currentTask();
	if (isInNode(task)) {
		throw new MultithreadedError(
			"setTimeOffsets is for the children of one thread, and Node has many: call it in a task, after unshare",
		);
	}
	explained(() => (currentBatch() ? writeInBatch(task, text) : writeOffsets(task, text)), hintForOffsets);
}

/**
 * Returns the offsets of the clocks in the time namespace that the children of the current task get.
 *
 * Near, these are the offsets of the namespace that Node is in, which a container may have set.
 *
 * @returns Nanoseconds, which may be negative. Both are 0 in the initial time namespace, and in a new one.
 * @throws `ENOENT` No procfs is mounted on `/proc`, or the kernel is older than Linux 5.6.
 * @throws `ERR_NEARFAR_BATCH` A batch is being collected, and the call returns a value.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @example
 * ```ts
 * console.log(timeOffsets()); // { monotonicNs: 0n, boottimeNs: 0n }
 * ```
 * @see time_namespaces(7), Linux 5.6; no privilege
 */
export function timeOffsets(): { monotonicNs: bigint; boottimeNs: bigint } {
	using file = openOwnProc(FILE);
	const text = withFile(PATH, () => file.read(LENGTH).toString());
	const offset = (name: string) => {
		const [, seconds = 0, rest = 0] = new RegExp(`^(?:${name})\\s+(-?\\d+)\\s+(\\d+)$`, "m").exec(text) ?? [];
		return BigInt(seconds) * SECOND + BigInt(rest);
	};
	// The first kernels with the file show the numbers of the clocks.
	return { monotonicNs: offset(`monotonic|${CLOCK_MONOTONIC}`), boottimeNs: offset(`boottime|${CLOCK_BOOTTIME}`) };
}

/** Returns why the kernel has refused offsets. */
function hintForOffsets({ code, syscall }: SyscallError): string | undefined {
	if (syscall !== "write") return undefined;
	if (code === "EACCES") {
		return 'the offsets can be set only before the first child: call setTimeOffsets between unshare(["time"]) and the first clone, and do not clone the task with "time", because it would be in the namespace at once; another unshare(["time"]) in the same task makes a new one, whose offsets can be set';
	}
	if (code === "EPERM") {
		return 'CAP_SYS_TIME is not effective over the time namespace that children of the task get: call unshare(["time"]) first, in a task with "user" or with CAP_SYS_ADMIN and CAP_SYS_TIME';
	}
	if (code !== "ERANGE") return undefined;
	const { monotonicNs, boottimeNs } = Task.near.run(timeOffsets);
	const [uptime = "0"] = readFileSync("/proc/uptime", "utf8").split(" ");
	const monotonic = process.hrtime.bigint() - monotonicNs;
	const boottime = (BigInt(Math.round(Number(uptime) * 100)) * SECOND) / 100n - boottimeNs;
	return `the clock would be below zero, or beyond 146 years: now monotonicNs has to be at least -${monotonic}n, and boottimeNs at least -${boottime}n`;
}

/** Returns the line for a clock, or "" for an offset that is left out. The kernel takes no negative nanoseconds. */
function line(clock: number, offset: bigint | number | undefined, name: string): string {
	if (offset === undefined) return "";
	if (typeof offset !== "bigint" && typeof offset !== "number") throw wrongType(name, "a bigint or a number", offset);
	if (typeof offset === "number" && !Number.isSafeInteger(offset)) {
		throw outOfRange(name, "a bigint, or a whole number from -(2^53-1) to 2^53-1", offset);
	}
	const nanoseconds = BigInt(offset);
	if (nanoseconds < -LIMIT || nanoseconds >= LIMIT) throw outOfRange(name, "a bigint from -2^63 to 2^63-1", offset);
	const rest = ((nanoseconds % SECOND) + SECOND) % SECOND;
	return `${clock} ${(nanoseconds - rest) / SECOND} ${rest}\n`;
}

function writeOffsets(task: AnyTask, text: string): void {
	using file = openForWriting(task);
	withFile(PATH, () => file.write(text));
}

function openForWriting(task: AnyTask) {
	const open = () => openOwnProc(FILE, ["wronly"]);
	try {
		return open();
	} catch (error) {
		if (!(error instanceof SyscallError && error.code === "EACCES")) throw error;
		// The file is root's as long as the task is not dumpable, and root of the machine has no id in the task's namespace.
		return whileDumpable(task, open);
	}
}

/** Collects the calls of {@link writeOffsets}. Whether the task is dumpable before the batch is not known. */
function writeInBatch(task: AnyTask, text: string): void {
	// Before the batch, because a batch cannot look whether a procfs is on /proc.
	const folder = task.run(() => openOwnProc("self", ["path", "directory"]));
	currentBatch()?.whenEnded.push(() => folder.close());
	const setDumpable = (value: number) => native().setPrctl(prctlOptions.setDumpable, [value]);
	setDumpable(1);
	using file = openat2(new Location(folder, NAME), { flags: ["wronly", "nonblock"], resolve: ["noXdev"] });
	setDumpable(0);
	// A batch that ends in between leaves the task dumpable.
	afterSuccess(
		() => {},
		() => {
			try {
				task.run(() => setDumpable(0));
			} catch (error) {
				if (!(error instanceof TaskGoneError)) throw error;
			}
		},
	);
	file.write(text);
}
