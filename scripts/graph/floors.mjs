// The rooms of the sources and their floors, from the top down. A room uses rooms of its own floor and of lower floors.
// A name that ends with `/` is a folder, every other name a file; `*` is every file and folder that is not named.

/** For each folder its floors: the names of the rooms, and what they hold. */
export const houses = {
	"crates/linux/src": [
		[["target/"], "the current target of a thread; running a call there"],
		[["threads/"], "changing every thread of this process, or none"],
		[["task/"], "making, feeding and ending a task"],
		[["wait/"], "waiting for replies, children and descriptors that become ready"],
		[["sequence/"], "calls that travel together: encoding, memfd, reply"],
		[["calls/"], "one file for each family of system calls, nothing but calls"],
		[
			["call", "error", "filter", "flags/", "own_descriptor", "owned", "users", "wire"],
			"the ground: calls, failures, filters, flags, the format of messages",
		],
	],
	"packages/core/src": [
		[["index", "internal", "shared"], "what users, and what the other packages may import"],
		[["probe/"], "probe: trying what this process may make, and saying what stands in the way"],
		[["task/", "obstacles/"], "Task: cloning, batches, exec, sharing; what can stand in the way, and how it is found"],
		[["idmap/"], "IdMap, subordinate ids and their allocation"],
		[["process/"], "Process, ChildProcess, waiting for a child, signals"],
		[["files/"], "FileDescriptor, EventFd, Location, and the calls that open, stat and change files"],
		[["target/"], "which task makes the calls now"],
		[["addon/"], "loading the addon, its events, the tables of flags"],
		[
			[
				"abortable",
				"arguments",
				"copies",
				"dispose-symbols",
				"environment",
				"errors",
				"identity",
				"nearest",
				"package-folder",
				"sharers",
				"shell-word",
				"syscall-error",
				"warn-once",
			],
			"the ground: checking arguments, error classes, identities",
		],
	],
	"packages/process/src": [
		[["index"], "what users may import"],
		[["spawn/"], "spawn: its options, streams, deadline and process tree"],
		[["prctl/", "*"], "one file for each call, or for each option of prctl(2)"],
	],
	"packages/sandbox/src": [
		[["index"], "what users may import"],
		[["doctor", "sandbox", "start", "*"], "run, start, Sandbox and doctor"],
		[["lodging", "command/"], "process 1 of a sandbox, from its beginning to its end; a command in it"],
		[["build/", "landlock/", "watch"], "making the root, or doing without; looking for what appears"],
		[["plan"], "the plan: what a sandbox is going to be, as data"],
		[["guarantees", "host/"], "what is in force; what a host can do"],
		[["limits/"], "the group of a sandbox, and those of its commands"],
		[["check"], "checking options"],
		[["network/", "paths/", "tty/"], "the network of a sandbox, its paths, terminals of commands"],
		[
			[
				"cgroup-limits",
				"devices",
				"environment",
				"errors",
				"filter",
				"isolation",
				"options",
				"remove",
				"securebits",
				"violations",
			],
			"the ground: options, errors, the default filter",
		],
	],
	"packages/nearfar/src": [
		[["nearfar", "*"], "the programs"],
		[["doctor", "run"], "one file for each command"],
		[
			["arguments", "config", "help", "progress", "report", "signals", "terminal"],
			"what the caller has given, and what the caller sees",
		],
		[["errors", "print"], "the ground: errors and the streams"],
	],
};

/** Returns the tables as docs/architecture.md shows them. */
export function drawFloors() {
	const lines = Object.entries(houses).flatMap(([folder, floors]) => {
		const rooms = floors.map(([names]) => names.join(" "));
		const width = Math.max(...rooms.map((room) => room.length).filter((length) => length < 30));
		return [folder, ...floors.map(([, holds], i) => `  ${rooms[i].padEnd(width)}  ${holds}`)];
	});
	return lines.join("\n");
}

/**
 * Returns the arrows of a graph that point to a higher floor, and the modules that have no floor, as sentences.
 * A graph maps the path of each module in its folder, without extension, to a set of paths that it uses.
 */
export function upwardArrows(floors, graph) {
	const floorOf = (path) => {
		const [room, inside] = path.split("/");
		const fits = (name) => (name.endsWith("/") ? name === `${room}/` : name === room && !inside);
		const found = floors.findIndex(([names]) => names.some(fits));
		return found >= 0 ? found : floors.findIndex(([names]) => names.includes("*"));
	};
	const faults = [];
	for (const [from, targets] of graph) {
		if (floorOf(from) < 0) faults.push(`${from} is on no floor of scripts/graph/floors.mjs`);
		for (const to of targets)
			if (floorOf(to) < floorOf(from)) faults.push(`${from} uses ${to}, which is on a higher floor`);
	}
	return faults;
}
