import { isUtf8 } from "node:buffer";
import { accessSync, constants, type Dirent, lstatSync, readdirSync } from "node:fs";
import { wrongValue } from "@nearfar/core/internal";
import { SandboxError } from "../errors.ts";

const MOST_MATCHES = 10_000;
const MOST_ENTRIES = 200_000;

/** A pattern below a folder. */
export interface Pattern {
	/** The option, such as `options.hide[0]`. */
	readonly option: string;
	/** The text as it was given. */
	readonly text: string;
	/** One test for each name of a path; `"**"` stands for any folders. */
	readonly names: readonly (RegExp | "**")[];
}

/** Returns whether a text is a pattern: it has `*`, `[` or a `?` that is not at its end. */
export function isPattern(text: string): boolean {
	return /[*[]|\?./.test(text);
}

/** Throws a `TypeError` for a pattern that looks like more than it would match: what it means would not be covered. */
export function checkPattern(text: string, option: string): void {
	const refuse = (allowed: string) => {
		throw wrongValue(option, allowed, text);
	};
	if (text.split("/").includes("..")) refuse("a pattern without ..: an absolute one can begin anywhere");
	if (/\{.*,.*\}/.test(text)) refuse("a pattern without braces: give one for each of their words");
	if (text.startsWith("!"))
		refuse("a pattern that says what it covers: an exception is a longer path in another option");
	if (text.endsWith("?")) refuse("a pattern without a ? at its end: it may match nothing as it is");
	try {
		toPattern(option, text, text);
	} catch (error) {
		if (!(error instanceof SyntaxError)) throw error;
		refuse("a pattern whose ranges begin with the lower character, such as [a-z]");
	}
}

/** Returns the folder of an absolute pattern that has no pattern in it, and the pattern below that folder. */
export function splitPattern(text: string): [folder: string, rest: string] {
	const names = text.split("/");
	const first = names.findIndex((name) => /[*?[]/.test(name));
	return [names.slice(0, first).join("/") || "/", names.slice(first).join("/")];
}

/** Makes the tests of a pattern. */
export function toPattern(option: string, text: string, relative: string): Pattern {
	const names = relative.split("/").filter((name) => name !== "" && name !== ".");
	return { option, text, names: names.map((name) => (name === "**" ? "**" : toTest(name))) };
}

/** Turns the pattern of one name into a regular expression. A `*` at the beginning matches names with a leading dot too. */
function toTest(name: string): RegExp {
	const source = name.replace(
		/\[(!?)([^\]]+)\]|[.*+?^${}()|\\/[\]]/g,
		(special, not: string | undefined, set: string | undefined) => {
			if (set !== undefined) return `[${not ? "^" : ""}${set.replace(/[\\^]/g, "\\$&")}]`;
			if (special === "*") return ".*";
			return special === "?" ? "." : `\\${special}`;
		},
	);
	return new RegExp(`^${source}$`, "s");
}

/** What a pattern has matched. */
export interface Match {
	readonly pattern: Pattern;
	readonly path: string;
}

/**
 * Returns what patterns match below a folder, without following links. What lies below a match is covered by it, and not looked at.
 *
 * The folders of the kernel, such as each procfs, are not looked into.
 *
 * @param folder - A canonical path.
 * @param procs - The places of each procfs other than `/proc`.
 * @throws `ERR_NEARFAR_SANDBOX_LIMIT` There are more than 10 000 matches, or 200 000 entries to look at.
 * @throws `ERR_NEARFAR_SANDBOX_PATH` A name on the way is not UTF-8.
 */
export function expand(folder: string, patterns: readonly Pattern[], procs: readonly string[]): Match[] {
	const matches: Match[] = [];
	if (patterns.length === 0) return matches;
	const skipped = ["/proc", "/sys", "/dev", ...procs];
	let looked = 0;
	const first = patterns.map((pattern) => ({ pattern, at: 0 }));
	const waiting: { path: string; states: State[] }[] = [{ path: folder, states: reached(first) }];
	for (let next = waiting.pop(); next; next = waiting.pop()) {
		const { path, states } = next;
		const list = entries(path);
		if (list === "sealed") {
			// The names in it are unknown, and a program that knows one can open it. The whole folder is what matches.
			const [state] = states;
			if (state) matches.push({ pattern: state.pattern, path });
			continue;
		}
		if (list.some(({ name }) => name.includes("\ufffd"))) refuseOtherNames(path, patterns);
		// Most names match no test. What every name reaches is found once for a folder, as a project has many names.
		const whatever = states.filter((state) => testOf(state) === "**").flatMap((state) => step(state, ""));
		const always = reached(whatever);
		const tested = states.filter((state) => testOf(state) !== "**");
		for (const entry of list) {
			looked++;
			const { name } = entry;
			const hits = tested.filter((state) => (testOf(state) as RegExp | undefined)?.test(name));
			const after = hits.length === 0 ? always : reached([...whatever, ...hits.flatMap((state) => step(state, name))]);
			const matched = after.find(({ pattern, at }) => at === pattern.names.length);
			const isFolder = after.length > 0 && entry.isDirectory();
			if (!matched && !isFolder) continue;
			const place = path === "/" ? `/${name}` : `${path}/${name}`;
			if (matched) matches.push({ pattern: matched.pattern, path: place });
			else if (!skipped.includes(place)) waiting.push({ path: place, states: after });
			if (matches.length > MOST_MATCHES) break;
		}
		if (looked > MOST_ENTRIES || matches.length > MOST_MATCHES) throw tooMuch(folder, patterns, matches, looked);
	}
	return matches;
}

/** How far a pattern is matched. */
interface State {
	readonly pattern: Pattern;
	/** How many of its names are. */
	readonly at: number;
}

/** Returns the test that the next name has to pass, if there is one. */
function testOf({ pattern, at }: State): RegExp | "**" | undefined {
	return pattern.names[at];
}

/** Adds the states in which a `**` stands for no folder. */
function reached(states: readonly State[]): State[] {
	const all = [...states];
	for (const { pattern, at } of all) {
		if (pattern.names[at] === "**" && at + 1 < pattern.names.length) all.push({ pattern, at: at + 1 });
	}
	return all;
}

/** Returns the states after one name. */
function step({ pattern, at }: State, name: string): State[] {
	const test = pattern.names[at];
	if (test === undefined) return [];
	if (test === "**") return at + 1 === pattern.names.length ? [{ pattern, at: at + 1 }] : [{ pattern, at }];
	return test.test(name) ? [{ pattern, at: at + 1 }] : [];
}

/**
 * Reads a folder. What this process may not read and not pass, a sandbox may not either, and a path that is too long for this process
 * names no secret of the caller. `"sealed"`: the names may not be read, and a program may pass the folder all the same, or change its
 * mode, because the folder is the caller's own.
 */
function entries(path: string): Dirent[] | "sealed" {
	try {
		accessSync(path, constants.X_OK);
		return readdirSync(path, { withFileTypes: true });
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException;
		if (code === "EACCES" && (isPassable(path) || isOwn(path))) return "sealed";
		if (["EACCES", "ENOENT", "ENOTDIR", "ENAMETOOLONG"].includes(`${code}`)) return [];
		throw error;
	}
}

function isPassable(folder: string): boolean {
	try {
		accessSync(folder, constants.X_OK);
		return true;
	} catch {
		return false; // whatever the reason is, this process cannot pass the folder
	}
}

function isOwn(folder: string): boolean {
	return lstatSync(folder, { throwIfNoEntry: false })?.uid === process.geteuid?.();
}

/** Throws where a name is not UTF-8: such a path cannot be covered, and what lies there would stay readable. */
function refuseOtherNames(folder: string, patterns: readonly Pattern[]): void {
	const other = readdirSync(folder, { encoding: "buffer" }).find((name) => !isUtf8(name));
	if (!other) return;
	throw new SandboxError(
		"PATH",
		`cannot expand ${textsOf(patterns)}: ${folder} has the name ${JSON.stringify(other.toString("latin1"))} (read as Latin-1), which is not UTF-8. Rename it, or hide ${folder}`,
	);
}

function textsOf(patterns: readonly Pattern[]): string {
	return [...new Set(patterns.map(({ option, text }) => `"${text}" of ${option}`))].join(", ");
}

function tooMuch(
	folder: string,
	patterns: readonly Pattern[],
	matches: readonly Match[],
	looked: number,
): SandboxError {
	const found =
		matches.length > MOST_MATCHES
			? `more than ${MOST_MATCHES} files match`
			: `${looked} files had to be looked at, of at most ${MOST_ENTRIES}`;
	// A pattern of a preset cannot be left out, but counts from what is writable alone.
	const isPreset = patterns.some(({ option }) => option.startsWith("the preset"));
	const help = isPreset
		? 'Name folders with fewer files in options.write, or begin with preset: "closed"'
		: "Name the files or folders, or a folder to look in";
	return new SandboxError("LIMIT", `cannot expand ${textsOf(patterns)} below ${folder}: ${found}. ${help}`);
}
