import type { Socket } from "node:net";
import type { Readable, Stream, Writable } from "node:stream";
import { FileDescriptor, openat2, pipe, Task } from "@nearfar/core";
import { array, integer, native, openFlags, outOfRange, wrongType, wrongValue } from "@nearfar/core/internal";

const STDERR = 2;

const AF_UNIX = 1;
const SOCK_STREAM_CLOEXEC = 0o2000001;
const SYS_setsockopt = process.arch === "arm64" ? 208 : 54;
const [SOL_SOCKET, SO_SNDBUF] = [1, 7];
// What an ordinary user may have by default, twice of what a socket has. The kernel takes less where that is not allowed.
const SEND_BUFFER = new Uint8Array(new Int32Array([212_992]).buffer);

/**
 * What a descriptor of the program is: a stream to this process, `/dev/null`, what this process has under the number,
 * or an open file of this process: its number, its handle, or a stream that has one: a socket is not read here any more.
 */
export type Stdio = "pipe" | "ignore" | "inherit" | number | FileDescriptor | Stream | null | undefined;

/** Streams of this process at the other ends of a program's descriptors, by number; `null`: not piped. */
export type Pipes = [
	stdin: Writable | null,
	stdout: Readable | null,
	stderr: Readable | null,
	...others: (Socket | null)[],
];

/** What `options.stdio` comes to: one entry for each number from 0. */
export type CheckedStdio = readonly ("pipe" | "ignore" | "inherit" | FileDescriptor)[];

/** A program's descriptors, open in this process until they have been put into the task. */
export interface OpenStdio {
	readonly entries: CheckedStdio;
	/** What this process keeps, by number. */
	readonly near: ReadonlyMap<number, FileDescriptor>;
	/** What goes to the task, by number. */
	readonly far: ReadonlyMap<number, FileDescriptor>;
	/** The flags with which what does not block now does, by number: programs expect that of their first three. */
	readonly blocking: ReadonlyMap<number, number>;
	/** A copy of a descriptor of this process, closed with the others. */
	keep(fd: FileDescriptor): FileDescriptor;
	/** Copies what somebody else may close before it has been put. */
	keepGiven(): void;
	/** Closes what the task has got, and with it what it alone should have. */
	sent(): void;
	/** Closes everything. */
	close(): void;
}

/** Checks `options.stdio` as Node does. */
export function checkStdio(stdio: Stdio | readonly Stdio[]): CheckedStdio {
	if (!Array.isArray(stdio) && typeof stdio !== "string") {
		throw wrongType("options.stdio", '"pipe", "ignore", "inherit" or an array', stdio);
	}
	const list: readonly Stdio[] = typeof stdio === "string" ? [stdio, stdio, stdio] : array(stdio, "options.stdio");
	const whole = list.length < 3 ? [...list, ...Array<Stdio>(3 - list.length).fill(undefined)] : list;
	return whole.map((entry, number) => checkEntry(entry, number, `options.stdio[${number}]`));
}

function checkEntry(entry: Stdio, number: number, name: string): CheckedStdio[number] {
	if (entry === undefined || entry === null) return number < 3 ? "pipe" : "ignore";
	if (entry === "pipe" || entry === "ignore" || entry instanceof FileDescriptor) return entry;
	if (entry === "inherit") return number < 3 ? entry : FileDescriptor.borrow(number);
	if (typeof entry === "number") return entry === number && number < 3 ? "inherit" : borrow(entry, name);
	if (typeof entry === "object") {
		const { fd, _handle } = entry as HasDescriptor;
		if (typeof fd === "number" && fd >= 0) return borrow(fd, name);
		if (typeof _handle?.fd === "number" && _handle.fd >= 0) {
			stopReading(entry as HasDescriptor);
			return borrow(_handle.fd, name);
		}
		throw wrongValue(name, "a stream that has a descriptor: one that is open, and no other kind", entry);
	}
	throw wrongValue(name, '"pipe", "ignore", "inherit", a descriptor or a stream that has one', entry);
}

/** What Node's own `spawn` knows of its streams. */
interface HasDescriptor {
	fd?: unknown;
	_handle?: { fd?: unknown; reading?: boolean; readStop?(): void } | null;
	_readableState?: { reading: boolean };
	pause?(): unknown;
	listenerCount?(event: string): number;
}

/** As Node does: what comes from now on is the program's. Sockets read ahead, of which `pause()` alone is no end. */
function stopReading(stream: HasDescriptor): void {
	if (stream._handle?.reading) {
		stream._handle.reading = false;
		stream._handle.readStop?.();
	}
	stream.pause?.();
	if (stream._readableState) stream._readableState.reading = false;
	if (stream.listenerCount) sayReadableToListeners(stream as Stream);
}

/**
 * When a child of Node has ended, Node reads what is left in its streams. Those that its own `spawn` has given away it
 * knows by a symbol that it keeps to itself, and asks the others whether they are readable: to nobody, says this one.
 */
function sayReadableToListeners(stream: Stream): void {
	const prototype = Object.getPrototypeOf(stream);
	const listened = () => stream.listenerCount("data") + stream.listenerCount("readable") > 0;
	Object.defineProperty(stream, "readable", {
		configurable: true,
		get: () => listened() && Reflect.get(prototype, "readable", stream),
		set: (value) => Reflect.set(prototype, "readable", value, stream),
	});
}

function borrow(fd: number, name: string): FileDescriptor {
	return FileDescriptor.borrow(integer(fd, name, 0, 2 ** 31 - 1));
}

/** Opens what a program's descriptors need in this process. */
export function openStdio(entries: CheckedStdio): OpenStdio {
	const near = new Map<number, FileDescriptor>();
	const far = new Map<number, FileDescriptor>();
	const blocking = new Map<number, number>();
	const ours: FileDescriptor[] = [];
	const closeAll = (descriptors: Iterable<FileDescriptor>) => {
		for (const descriptor of descriptors) descriptor.close();
	};
	try {
		for (const [number, entry] of entries.entries()) {
			if (entry instanceof FileDescriptor) {
				far.set(number, entry);
				const flags = number < 3 ? native().getStatus(entry.number()) : 0;
				if (flags & openFlags.nonblock) blocking.set(number, flags & ~openFlags.nonblock);
			}
			if (entry !== "pipe") continue;
			// A socket pair as Node has, which is faster; but scripts open /dev/stderr, and no socket can be opened.
			const [mine, theirs] = number === STDERR ? pipe() : socketpair();
			if (number !== STDERR && isWritten(number)) widen(mine);
			if (number !== STDERR && isRead(number)) widen(theirs);
			near.set(number, mine);
			far.set(number, theirs);
			ours.push(theirs);
		}
	} catch (error) {
		closeAll([...near.values(), ...ours]);
		throw error;
	}
	const keep = (fd: FileDescriptor) => {
		const copy = Task.near.run(() => fd.dup());
		ours.push(copy);
		return copy;
	};
	const keepGiven = () => {
		for (const [number, fd] of far) if (!ours.includes(fd)) far.set(number, keep(fd));
	};
	return {
		entries,
		near,
		far,
		blocking,
		keep,
		keepGiven,
		sent: () => closeAll(ours),
		close: () => closeAll([...near.values(), ...ours]),
	};
}

/** Whether this process writes what the program has under the number. */
function isWritten(number: number): boolean {
	return number === 0 || number > STDERR;
}

/** Whether it reads from it. */
function isRead(number: number): boolean {
	return number > 0;
}

function socketpair(): [FileDescriptor, FileDescriptor] {
	const [one = -1, other = -1] = native().socketpair(AF_UNIX, SOCK_STREAM_CLOEXEC);
	return [FileDescriptor.adopt(one), FileDescriptor.adopt(other)];
}

/** Lets a socket hold more of what is written to it: whoever is at the other end is woken half as often. */
function widen(socket: FileDescriptor): void {
	native().syscall(SYS_setsockopt, [socket.fd, SOL_SOCKET, SO_SNDBUF, SEND_BUFFER, SEND_BUFFER.length]);
}

/** Descriptors of a task, and the numbers that they shall have in the program. */
export type Placed = readonly (readonly [number: number, descriptor: FileDescriptor])[];

/** Keeps every descriptor that is made in a task: one that is collected would be closed there. */
export type Hold = (descriptor: FileDescriptor) => FileDescriptor;

/**
 * Puts a program's descriptors into a task; part of a batch. 0, 1 and 2 are in their places then.
 *
 * What came with the message has low numbers until the batch has ended: nothing may take their place before
 * everything was put.
 */
export function putStdio(task: Task, { entries, far, blocking }: OpenStdio, hold: Hold): Placed {
	const placed: (readonly [number, FileDescriptor])[] = [];
	for (const [number, descriptor] of far) {
		if (number < 3) hold(task.put(descriptor, { number, closeOnExec: false }));
		else placed.push([number, hold(task.put(descriptor))]);
	}
	for (const [number, flags] of blocking) native().setStatus(number, flags);
	const ignored = [...entries.keys()].filter((number) => entries[number] === "ignore");
	if (ignored.length === 0) return placed;
	const nothing = hold(openat2("/dev/null", { flags: ["rdwr"] }));
	for (const number of ignored) {
		if (number < 3) hold(nothing.dupTo(number, { closeOnExec: false }));
		else placed.push([number, nothing]);
	}
	return placed;
}

/** Gives descriptors of a task their numbers, part of a batch. Nothing else that is needed may lie there any more. */
export function placeStdio(placed: Placed, hold: Hold): FileDescriptor[] {
	const min = Math.max(...placed.map(([number]) => number), 2) + 1;
	const moved = placed.map(([number, descriptor]) => [number, hold(descriptor.dup({ min }))] as const);
	return moved.map(([number, descriptor]) => hold(descriptor.dupTo(number)));
}

/** The streams of this process for what a program has got. */
export function toPipes({ entries, near }: OpenStdio): Pipes {
	const stream = (number: number) => {
		const descriptor = near.get(number);
		if (!descriptor) return null;
		const { Socket } = process.getBuiltinModule("node:net");
		return new Socket({ fd: descriptor.take(), readable: isRead(number), writable: isWritten(number) });
	};
	return [...entries.keys()].map(stream) as unknown as Pipes;
}

/** Refuses a number that two descriptors of the program would have. */
export function checkNumbers(entries: CheckedStdio, fds: Placed): void {
	const taken = new Set(entries.keys());
	for (const [number] of fds) {
		if (taken.has(number)) throw outOfRange("options.fds", "numbers that options.stdio does not use", number);
		taken.add(number);
	}
}
