import type { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import { FileDescriptor, pipe, Task } from "@nearfar/core";
import { adoptDescriptor, intBytes, native, numberOf, onSocket, openFlags } from "@nearfar/core/internal";
import type { CheckedStdio } from "./check-stdio.ts";
import { openStream } from "./open-stream.ts";

const STDERR = 2;

const AF_UNIX = 1;
const SOCK_STREAM_CLOEXEC = 0o2000001;
const [SOL_SOCKET, SO_SNDBUF] = [1, 7];
// Bytes: the default of the sysctl `net.core.wmem_max`, of which the kernel takes the double. Where the sysctl is
// lower, the kernel takes less without an error.
const SEND_BUFFER = 212_992;

/** The streams of this process at the other ends of the program's descriptors, by number. `null`: no stream. */
export type Pipes = readonly [
	stdin: Writable | null,
	stdout: Readable | null,
	stderr: Readable | null,
	...others: (Socket | null)[],
];

/** The descriptors of a program, open in this process until the task has got them. */
export interface OpenStdio {
	readonly entries: CheckedStdio;
	/** The ends that this process keeps, by the program's number. */
	readonly parentEnds: ReadonlyMap<number, FileDescriptor>;
	/** The descriptors that the task gets, by the program's number. */
	readonly taskEnds: ReadonlyMap<number, FileDescriptor>;
	/**
	 * The status flags without `O_NONBLOCK`, by the program's number, for descriptors that have that flag now: a program
	 * expects that 0, 1 and 2 block.
	 */
	readonly blocking: ReadonlyMap<number, number>;
	/** Returns a copy of a descriptor of this process, which {@link closeTaskEnds} and {@link close} close. */
	copy(fd: FileDescriptor): FileDescriptor;
	/** Replaces the caller's descriptors by copies: the caller may close its own before the task has got them. */
	copyCallersDescriptors(): void;
	/**
	 * Closes what the task has got by now. Otherwise a reader would never see the end of a pipe that the program closes.
	 */
	closeTaskEnds(): void;
	/** Closes everything that `openStdio` and `copy` have opened. */
	close(): void;
}

/** Opens in this process the descriptors that a program gets, and the other ends of its pipes. */
export function openStdio(entries: CheckedStdio): OpenStdio {
	const parentEnds = new Map<number, FileDescriptor>();
	const taskEnds = new Map<number, FileDescriptor>();
	const blocking = new Map<number, number>();
	const opened: FileDescriptor[] = []; // the caller's own descriptors among `taskEnds` stay open
	const closeAll = (descriptors: Iterable<FileDescriptor>) => {
		for (const descriptor of descriptors) descriptor.close();
	};
	try {
		for (const [number, entry] of entries.entries()) {
			if (entry instanceof FileDescriptor) {
				taskEnds.set(number, entry);
				const flags = number < 3 ? native().getStatus(numberOf(entry)) : 0;
				if (flags & openFlags.nonblock) blocking.set(number, flags & ~openFlags.nonblock);
			}
			if (entry !== "pipe") continue;
			// Node uses socket pairs too, which are faster. Standard error is a pipe: scripts open /dev/stderr, and open(2)
			// of a socket fails with ENXIO.
			const [parentEnd, taskEnd] = aboveStdio(number === STDERR ? pipe() : socketpair());
			if (number !== STDERR && isWritten(number)) enlargeSendBuffer(parentEnd);
			if (number !== STDERR && isRead(number)) enlargeSendBuffer(taskEnd);
			parentEnds.set(number, parentEnd);
			taskEnds.set(number, taskEnd);
			opened.push(taskEnd);
		}
	} catch (error) {
		closeAll([...parentEnds.values(), ...opened]);
		throw error;
	}
	const copy = (fd: FileDescriptor) => {
		const duplicate = Task.near.run(() => fd.dup({ min: STDERR + 1 }));
		opened.push(duplicate);
		return duplicate;
	};
	const copyCallersDescriptors = () => {
		for (const [number, fd] of taskEnds) if (!opened.includes(fd)) taskEnds.set(number, copy(fd));
	};
	return {
		entries,
		parentEnds,
		taskEnds,
		blocking,
		copy,
		copyCallersDescriptors,
		closeTaskEnds: () => closeAll(opened),
		close: () => closeAll([...parentEnds.values(), ...opened]),
	};
}

/** Returns whether this process writes to the other end of a descriptor of the program. */
function isWritten(number: number): boolean {
	return number === 0 || number > STDERR;
}

/** Returns whether this process reads from the other end of a descriptor of the program. */
function isRead(number: number): boolean {
	return number > 0;
}

function socketpair(): [FileDescriptor, FileDescriptor] {
	const [one = -1, other = -1] = native().socketpair(AF_UNIX, SOCK_STREAM_CLOEXEC);
	return [adoptDescriptor(one), adoptDescriptor(other)];
}

/**
 * Moves both ends to numbers above 2. Where this process has closed its stdin, stdout or stderr, new descriptors get these
 * numbers, and a program that inherits stdio would get the end of another program's pipe.
 */
function aboveStdio(ends: [FileDescriptor, FileDescriptor]): [FileDescriptor, FileDescriptor] {
	try {
		for (const [index, end] of ends.entries()) {
			if (end.fd > STDERR) continue;
			ends[index] = end.dup({ min: STDERR + 1 });
			end.close();
		}
		return ends;
	} catch (error) {
		for (const end of ends) end.close();
		throw error;
	}
}

/** Doubles the bytes that a socket holds for its reader, which then wakes half as often. */
function enlargeSendBuffer(socket: FileDescriptor): void {
	onSocket("setsockopt", socket.fd, [SOL_SOCKET, SO_SNDBUF, intBytes(SEND_BUFFER), 4]);
}

/** Makes the streams of this process from its ends, which the streams close. */
export function toPipes({ entries, parentEnds }: OpenStdio): Pipes {
	const stream = (number: number) => {
		const descriptor = parentEnds.get(number);
		return descriptor ? openStream(descriptor, isRead(number), isWritten(number)) : null;
	};
	return [...entries.keys()].map(stream) as unknown as Pipes;
}
