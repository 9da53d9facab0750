import { readdirSync } from "node:fs";
import { join } from "node:path";
import { refusedByLandlock } from "../isolation.ts";
import type { Without } from "../options.ts";
import type { Layout, Node } from "./layout.ts";
import { isBelow, isWithin } from "./links.ts";

/** One path that a sandbox of `isolation: "landlock"` allows, with everything below it. */
export interface PlannedRule {
	/** The path of the host. */
	readonly path: string;
	/** What is allowed, as the options of the same names say. `"socket"` and `"device"`: to connect to it, and to use it. */
	readonly kind: "read" | "write" | "socket" | "device";
	/** Whether it is a directory. */
	readonly type: "directory" | "file";
}

/** A path that is allowed, with the file that was found there. */
export interface Allowed extends PlannedRule {
	/** Absent: the entry of a folder that was listed. */
	readonly found?: Node["found"];
}

/** What has no place of its own without mounts, by the word of `without` that gives it up. */
const masks: { readonly [kind in Node["kind"]]?: Without } = { hide: "hide", protect: "protect", read: "protect" };

/** The places that show the host to a program. What is protected lies in a writable place, and is shown by that one. */
const showing: ReadonlySet<Node["kind"]> = new Set(["read", "write", "scratch", "protect"]);

/**
 * Returns what the places of a layout come to where nothing can be mounted: a list of trees that are allowed.
 *
 * @param without - What the caller does without.
 * @throws `ERR_NEARFAR_SANDBOX_UNAVAILABLE` A place takes something away from a tree that is allowed.
 */
export function toAllowed(layout: Layout, without: ReadonlySet<Without>): Allowed[] {
	const nodes = layout.nodes();
	const lacking = new Map<Without, Node>();
	const miss = (name: Without, node: Node) => without.has(name) || lacking.has(name) || lacking.set(name, node);
	const left: Node[] = [];
	for (const node of nodes) {
		const cover = layout.cover(node.path);
		const isShown = cover !== undefined && showing.has(cover.kind);
		if (node.kind === "scratch") miss("scratch", node);
		else if (node.kind === "file") miss("files", node);
		else if (isOwn(node) && isShown) left.push(node);
		else if (isShown && node.kind !== "write" && node.kind !== "socket" && node.kind !== "device") {
			const isMask = node.kind !== "read" || cover.kind === "write";
			const name = isMask ? masks[node.kind] : undefined;
			if (name) miss(name, node);
		}
	}
	if (lacking.size > 0) throw withoutError(lacking);
	return nodes.flatMap((node) => {
		const { kind, path, type, found } = node;
		if (kind === "proc") return [{ kind: "read", path, type }];
		if (kind !== "read" && kind !== "write" && kind !== "socket" && kind !== "device") return [];
		if (layout.cover(path)?.kind === kind) return []; // a folder on the way to what would be hidden or protected
		const inside = left.filter((other) => isBelow(other.path, path)).map(({ path }) => path);
		if (inside.length > 0) return entriesBut(path, inside).map((entry) => ({ ...entry, kind }) as const);
		return [{ kind, path, type, ...(found && { found }) } as const];
	});
}

/** Returns whether a program can read a path. */
export function isAllowed(path: string, allowed: readonly PlannedRule[]): boolean {
	return allowed.some((rule) => (rule.kind === "read" || rule.kind === "write") && isWithin(path, rule.path));
}

/** Returns whether a place is one that every sandbox has of its own. */
function isOwn({ kind }: Node): boolean {
	return kind === "folder" || kind === "proc" || kind === "devpts";
}

function withoutError(lacking: ReadonlyMap<Without, Node>): Error {
	const places = [...lacking].map(([name, { path, option }]) => `${name} ${path}${option ? ` of ${option}` : ""}`);
	const names = [...lacking.keys()].map((name) => `"${name}"`).join(", ");
	return refusedByLandlock(
		`${places.join(", ")}: Landlock allows whole trees, and takes nothing away inside of one. Do without by options.without: [${names}], or name smaller trees`,
	);
}

/** Returns the entries of a folder and of the folders below it, but for some paths and what is on the way to them. */
function entriesBut(folder: string, paths: readonly string[]): Omit<PlannedRule, "kind">[] {
	return entriesOf(folder).flatMap((entry) => {
		if (paths.includes(entry.path)) return [];
		const inside = paths.filter((path) => isWithin(path, entry.path));
		return inside.length > 0 ? entriesBut(entry.path, inside) : [entry];
	});
}

/** Returns the folders and files in a folder. A link needs no rule: Landlock looks at what the link leads to. */
function entriesOf(folder: string): Omit<PlannedRule, "kind">[] {
	try {
		return readdirSync(folder, { withFileTypes: true })
			.filter((entry) => entry.isDirectory() || entry.isFile())
			.map((entry) => ({ path: join(folder, entry.name), type: entry.isDirectory() ? "directory" : "file" }));
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === undefined) throw error;
		return []; // what this process may not list, a program may not either
	}
}
