import { type EveryName, options as optionsObject, wrongValue } from "@nearfar/core/internal";

/**
 * The options that Node's own `spawn` has and nearfar has not. Three mean nothing here. Two are refused with a sentence of
 * their own, unless they are false.
 */
const optionsOfNode = ["windowsHide", "windowsVerbatimArguments", "serialization", "shell", "detached"] as const;

/** The options that `run` alone has, and what to use in their place. */
const ofRun = {
	input: "write to child.stdin, or use run(), which has this option",
	encoding: "use child.stdout.setEncoding(), or run(), which has this option",
	maxOutput: "use run(), which has this option",
	maxBuffer: "use options.maxOutput of run()",
};

/**
 * Returns a copy of the options of `spawn` or `run`, with the inherited ones, which a copy by `...` would leave out. Refuses an
 * option that is unknown.
 */
export function copyOptions<T extends object, const K extends readonly (keyof T & string)[]>(
	options: T | undefined,
	known: K & EveryName<T, K>,
): T {
	const given = optionsObject<T, K>(options, known, "options", [...optionsOfNode, ...Object.keys(ofRun)]);
	refuseOptionsOfNode(given);
	for (const [name, instead] of Object.entries(ofRun)) {
		const value = (given as Record<string, unknown>)[name];
		if (value === undefined || known.some((option) => option === name)) continue;
		throw wrongValue(`options.${name}`, `absent: ${instead}`, value);
	}
	const copy: Partial<T> = {};
	for (const name of known) if (given[name] !== undefined) copy[name] = given[name];
	return copy as T; // an option that is missing is `undefined` in `T` too
}

/** Throws for options of `node:child_process` whose effect the caller would miss. */
function refuseOptionsOfNode(given: object): void {
	const { shell, detached } = given as { shell?: unknown; detached?: unknown };
	if (shell) throw wrongValue("options.shell", 'absent: use spawn("sh", ["-c", script])', shell);
	if (detached) throw wrongValue("options.detached", "absent: use options.session or options.group", detached);
}
