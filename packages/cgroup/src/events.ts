import { type FileDescriptor, SyscallError } from "@nearfar/core";
import type { Directory } from "./directory.ts";
import { loop, type Source } from "./loop.ts";
import { keyed, type MemoryEvents, parseMemoryEvents } from "./stat.ts";
import { parseState } from "./waiting.ts";

/** The state of a cgroup: whether it has processes, whether they are frozen, and what has happened to them since it was made. */
export interface CgroupEvent {
	/** Whether there is a living process in the cgroup or below. */
	readonly populated: boolean;
	/** Whether all processes in the cgroup and below are frozen. */
	readonly frozen: boolean;
	/** What the memory controller has done here and below, as totals. Absent without the controller. */
	readonly memory?: MemoryEvents;
	/** How often a process could not be made because of the limit of processes. Absent without the controller. */
	readonly pidsMax?: number;
}

/** An empty cgroup may be removed by another program, and nothing tells of that. */
const PATIENCE = 1000; // milliseconds

/** Returns an iterable of the states of a cgroup: the present one, and one more after each change. */
export function watchEvents(
	directory: Directory,
	id: bigint,
	signal: AbortSignal | undefined,
): AsyncIterable<CgroupEvent> {
	return loop("watch a cgroup", id, signal, () => new States(directory));
}

class States implements Source<CgroupEvent> {
	readonly #directory: Directory;
	readonly #state: FileDescriptor;
	readonly #memory: FileDescriptor | undefined = undefined;
	readonly #pids: FileDescriptor | undefined = undefined;
	#last: CgroupEvent | undefined;

	constructor(directory: Directory) {
		this.#directory = directory;
		this.#state = directory.open("cgroup.events", []);
		try {
			this.#memory = openIfThere(directory, "memory.events");
			this.#pids = openIfThere(directory, "pids.events");
		} catch (error) {
			this[Symbol.dispose]();
			throw error;
		}
	}

	get files(): readonly FileDescriptor[] {
		return [this.#state, this.#memory, this.#pids].filter((file) => file !== undefined);
	}

	get patience(): number | undefined {
		return this.#last?.populated ? undefined : PATIENCE;
	}

	read(): CgroupEvent | undefined {
		const directory = this.#directory;
		const memory = this.#memory && readIfThere(directory, this.#memory, "memory.events");
		const pids = this.#pids && readIfThere(directory, this.#pids, "pids.events");
		const next = {
			...parseState(directory.readOpen(this.#state, "cgroup.events")),
			...(memory !== undefined && { memory: parseMemoryEvents(memory) }),
			...(pids !== undefined && { pidsMax: keyed(pids).get("max") ?? 0 }),
		};
		if (JSON.stringify(next) === JSON.stringify(this.#last)) return undefined;
		this.#last = next;
		return next;
	}

	[Symbol.dispose](): void {
		for (const file of this.files) file.close();
	}
}

function openIfThere(directory: Directory, name: string): FileDescriptor | undefined {
	try {
		return directory.open(name, []);
	} catch (error) {
		if (error instanceof SyscallError && error.code === "ENOENT") return undefined;
		throw error;
	}
}

/** Returns the text of an open file. `undefined`: its controller was taken away meanwhile. */
function readIfThere(directory: Directory, file: FileDescriptor, name: string): string | undefined {
	try {
		return directory.readOpen(file, name);
	} catch (error) {
		if (error instanceof SyscallError && error.code === "ENODEV") return undefined;
		throw error;
	}
}
