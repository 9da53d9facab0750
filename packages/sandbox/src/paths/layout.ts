import { lstatSync } from "node:fs";
import { dirname } from "node:path";
import { wrongValue } from "@nearfar/core/internal";
import type { CheckedFile } from "../check.ts";
import { SandboxError } from "../errors.ts";
import type { Owners, PlannedMount } from "../plan.ts";
import type { Found } from "./given.ts";
import { foldersBetween, isBelow } from "./links.ts";

/** What lies at a place of a sandbox. */
export type Kind =
	| "folder"
	| "read"
	| "write"
	| "scratch"
	| "hide"
	| "protect"
	| "socket"
	| "device"
	| "file"
	| "proc"
	| "devpts";

/** Who has asked for a place. Of two that ask for the same place, the one with the higher number gets it. */
const ranks = { user: 6, caller: 5, pattern: 4, preset: 3, folder: 2, weak: 1, host: 0 } as const;

/** A place of a sandbox, and what lies there. */
export interface Node {
	readonly path: string;
	readonly kind: Kind;
	readonly type: "directory" | "file";
	readonly rank: keyof typeof ranks;
	readonly option?: string;
	/** The file of the host. Absent: the entry of the host's root, or nothing of the host. */
	readonly found?: Found;
	/** Whether the next sandbox finds it wherever a program moves it to: each name in any folder matches. */
	readonly movable?: boolean;
	/** Of a folder: its permission bits. */
	readonly mode?: number;
	/** Of a folder: the most bytes that it takes. */
	readonly size?: number;
	/** Of a made-up file. */
	readonly file?: CheckedFile;
	/** Of a made-up file: whether the host has a file there. */
	readonly exists?: boolean;
}

/** The places of a sandbox. The longest path wins, whatever the order in which they are added. */
export class Layout {
	#nodes = new Map<string, Node>();
	readonly #owners: Owners;

	/** @param owners - Programs that are not the caller cannot pass folders that the caller can. */
	constructor(owners: Owners) {
		this.#owners = owners;
	}

	/** Adds a place. Throws where the caller has listed the same path in two options. */
	add(node: Node): void {
		const before = this.#nodes.get(node.path);
		if (before?.rank === "caller" && node.rank === "caller" && before.kind !== node.kind) {
			throw wrongValue(
				`${node.option}`,
				`another path than that of ${before.option}, which says something else about it`,
				node.path,
			);
		}
		if (!before || ranks[node.rank] > ranks[before.rank]) this.#nodes.set(node.path, node);
	}

	get(path: string): Node | undefined {
		return this.#nodes.get(path);
	}

	/** Returns the places in the order in which they are placed: each after the one that it lies in. */
	nodes(): Node[] {
		return [...this.#nodes.values()].sort((one, other) => (one.path < other.path ? -1 : 1));
	}

	ofKind(kind: Kind): Node[] {
		return this.nodes().filter((node) => node.kind === kind);
	}

	/** Returns the place that a path lies in: the nearest one above it. */
	cover(path: string): Node | undefined {
		for (let above = path; above !== "/"; ) {
			above = dirname(above);
			const node = this.#nodes.get(above);
			if (node) return node;
		}
		return undefined;
	}

	/** Returns whether a path lies in memory of the sandbox, so that its place is made. */
	isMade(path: string): boolean {
		const cover = this.#nodes.has(path) ? undefined : this.cover(path);
		return cover !== undefined && isEmpty(cover);
	}

	/** Returns whether a program can see a folder of the host, or one that is made. */
	isVisible(path: string): boolean {
		const node = this.#nodes.get(path);
		if (node) return node.kind !== "hide";
		const cover = this.cover(path);
		if (cover && !isEmpty(cover)) return true;
		return this.nodes().some((other) => isBelow(other.path, path) && this.cover(other.path) === cover);
	}

	/** Takes away what changes nothing, and adds what makes the rest hold. */
	settle(): void {
		const asked = this.nodes();
		this.#nodes = new Map();
		for (const node of asked) if (!this.#isIdle(node, this.cover(node.path))) this.#nodes.set(node.path, node);
		for (const node of this.nodes()) {
			const cover = this.cover(node.path);
			if (!cover || isEmpty(cover)) continue;
			const onTheWay = this.#owners === "caller" ? [] : [cover.path, ...foldersBetween(cover.path, node.path)];
			const barred = onTheWay.find((folder) => !isPassable(folder, cover, this.#owners));
			if (barred === cover.path && node.rank === "caller" && !isMask(node)) throw outOfReach(node, barred);
			if (barred !== undefined && (isMask(node) || barred === cover.path)) this.#nodes.delete(node.path);
			else if (barred !== undefined)
				this.#nodes.set(barred, { path: barred, kind: "hide", type: "directory", rank: "weak" });
			else if (cover.kind === "write" && isRestriction(node)) this.#keep(cover, node);
		}
		for (const node of this.nodes()) {
			const cover = this.cover(node.path);
			if (node.kind === "file" && node.exists === false && cover && !isEmpty(cover)) {
				throw new SandboxError(
					"PATH",
					`cannot make the file ${node.path} of ${node.option}: the host has no file there, and ${cover.path} is the host's`,
				);
			}
		}
	}

	/**
	 * Makes each folder between a writable place and one that takes something away a mount of its own, which cannot be renamed or removed.
	 * Otherwise a program would move the folder, put another one in its place, and the next sandbox would show the file as it is.
	 */
	#keep(cover: Node, node: Node): void {
		for (const path of foldersBetween(cover.path, node.path)) {
			if (!this.#nodes.has(path)) this.#nodes.set(path, { path, kind: "write", type: "directory", rank: "weak" });
		}
	}

	/** Returns whether a place is the same as what it lies in. */
	#isIdle(node: Node, cover: Node | undefined): boolean {
		if (!cover) return false;
		const made = isEmpty(cover);
		if (node.kind === "folder") return !made && !isFolder(node.path);
		if (node.kind === "protect") return cover.kind !== "write" && cover.kind !== "proc";
		if (node.kind === "hide") return made;
		// What a preset shows is there already where the program can write.
		const shown = node.rank === "weak" && (cover.kind === "write" || cover.kind === "scratch");
		if (node.kind === "read") return shown || cover.kind === "read" || cover.kind === "protect";
		return node.kind === "write" && cover.kind === "write";
	}

	toMount(node: Node): PlannedMount {
		const { path, kind, type } = node;
		const cover = this.cover(path);
		const made = cover !== undefined && isEmpty(cover);
		return { path, kind, type, ...(hasSource(node, made) && { source: path }), made };
	}
}

/** Returns whether a place shows the host through a copy of its own, and not through what it lies in. */
export function hasSource({ kind, rank, found }: Pick<Node, "kind" | "rank" | "found">, made: boolean): boolean {
	if (kind === "device" || kind === "scratch") return true;
	if (kind === "write") return found !== undefined;
	if (kind === "socket") return made;
	return kind === "read" && (made || rank === "host");
}

/** Returns whether a place is memory of the sandbox, in which places for others are made. */
export function isEmpty({ kind }: Pick<Node, "kind">): boolean {
	return kind === "folder" || kind === "hide";
}

function outOfReach({ path, option }: Node, folder: string): SandboxError {
	return new SandboxError(
		"PATH",
		`cannot show ${path} of ${option}: a program of a sandbox of root has another id, and cannot pass ${folder}, which is shown as others see it. Name ${path} alone, or ${folder} in options.write or options.scratch`,
	);
}

/** Returns whether a place only takes something away. */
function isMask({ kind }: Node): boolean {
	return kind === "hide" || kind === "protect";
}

/** Returns whether a place takes something away from a writable one, which a program must not get back by moving folders. */
function isRestriction({ kind, movable = false }: Node): boolean {
	return !movable && ["hide", "protect", "read", "scratch", "file"].includes(kind);
}

function isFolder(path: string): boolean {
	return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/**
 * Returns whether a program of a sandbox of root can pass a folder. Of a writable place, root's files are the program's own, and the
 * program can change their modes.
 */
function isPassable(folder: string, cover: Node, owners: Owners): boolean {
	const { mode = 0, uid } = lstatSync(folder, { throwIfNoEntry: false }) ?? {};
	if (uid === 0 && (cover.kind === "write" || cover.kind === "scratch")) return true;
	return (mode & (uid === 0 && owners === "uid0" ? 0o100 : 0o001)) !== 0;
}
