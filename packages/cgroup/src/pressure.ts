import { abortSignal, options as checkOptions, explained, integer, wrongValue } from "@nearfar/core/internal";
import { type Directory, near } from "./directory.ts";
import { loop, type Source } from "./loop.ts";

/** When {@link Cgroup.pressure} has a value. */
export interface Trigger {
	/** `"some"` (default): at least one process has waited for the resource. `"full"`: all of them have, at the same time. */
	kind?: "some" | "full";
	/** The time that they have waited in one window, in milliseconds, from 1 to `window`. */
	stall: number;
	/** The length of the window in milliseconds, 500 to 10000. Of an ordinary user: a multiple of 2000. */
	window: number;
	/** Ends the iterable. */
	signal?: AbortSignal;
}

/** The shares of the time in which processes of a cgroup have waited for a resource. */
export interface Pressure {
	/** The time in which at least one process has waited. */
	readonly some: PressureLine;
	/** The time in which all processes have waited at once. */
	readonly full?: PressureLine;
}

/** One line of a pressure file. */
export interface PressureLine {
	/** The share of the last 10 seconds, in percent. */
	readonly avg10: number;
	/** The share of the last 60 seconds, in percent. */
	readonly avg60: number;
	/** The share of the last 300 seconds, in percent. */
	readonly avg300: number;
	/** The time since the cgroup was made, in milliseconds. */
	readonly total: number;
}

const MICROSECONDS = 1000; // in a millisecond
const [SHORTEST, LONGEST, ORDINARY] = [500, 10_000, 2000];
const resources = ["memory", "cpu", "io"];

/** Returns an iterable that has a value each time a trigger fires. */
export function watchPressure(
	directory: Directory,
	id: bigint,
	resource: string,
	trigger: Trigger,
): AsyncIterable<Pressure> {
	if (!resources.includes(resource)) throw wrongValue("resource", '"memory", "cpu" or "io"', resource);
	const {
		kind = "some",
		stall,
		window,
		signal,
	} = checkOptions(trigger, ["kind", "stall", "window", "signal"], "trigger");
	if (kind !== "some" && kind !== "full") throw wrongValue("trigger.kind", '"some" or "full"', kind);
	integer(window, "trigger.window", SHORTEST, LONGEST);
	integer(stall, "trigger.stall", 1, window);
	const text = `${kind} ${stall * MICROSECONDS} ${window * MICROSECONDS}`;
	return loop("watch the pressure of a cgroup", id, abortSignal(signal, "trigger.signal"), () =>
		openTrigger(directory, `${resource}.pressure`, text, window),
	);
}

function openTrigger(directory: Directory, name: string, trigger: string, window: number): Source<Pressure> {
	const explain = ({ code }: { code: string }) => hintFor(code, name, window);
	const file = explained(() => directory.open(name, ["rdwr"]), explain);
	try {
		explained(() => near("write a trigger", () => file.write(trigger)), explain);
	} catch (error) {
		file.close();
		throw error;
	}
	let fired = false; // the first value is that of the first firing
	return {
		files: [file],
		patience: undefined,
		read() {
			if (fired) return parsePressure(directory.readOpen(file, name));
			fired = true;
			return undefined;
		},
		[Symbol.dispose]: () => file.close(),
	};
}

/** Returns what to do about a refused trigger. */
function hintFor(code: string, name: string, window: number): string | undefined {
	if (code === "EINVAL" && window % ORDINARY !== 0) {
		return `an ordinary user's window is a multiple of ${ORDINARY} ms: any other one needs CAP_SYS_RESOURCE`;
	}
	if (code === "EACCES")
		return "in the delegated directory itself this file is another user's: watch a directory below";
	if (code === "ENOENT" || code === "EOPNOTSUPP") {
		return `this kernel counts no pressure here: boot it with psi=1, and write 1 to cgroup.pressure beside ${name}`;
	}
	return undefined;
}

/** Reads the text of a pressure file. */
export function parsePressure(text: string): Pressure {
	const lines = new Map(
		[...text.matchAll(/^(some|full) (.*)$/gm)].map(([, kind, line = ""]) => [kind, parseLine(line)]),
	);
	const full = lines.get("full");
	return { some: lines.get("some") ?? parseLine(""), ...(full && { full }) };
}

function parseLine(line: string): PressureLine {
	const field = (name: string) => Number(new RegExp(`\\b${name}=(\\S+)`).exec(line)?.[1] ?? 0);
	return {
		avg10: field("avg10"),
		avg60: field("avg60"),
		avg300: field("avg300"),
		total: field("total") / MICROSECONDS,
	};
}
