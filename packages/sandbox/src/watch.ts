import { basename, dirname, relative } from "node:path";
import { type FileDescriptor, Location, type LocationLike, openat2, SyscallError, statx, Task } from "@nearfar/core";
import { SandboxError } from "./errors.ts";
import { expand, type Pattern, splitPattern, toPattern } from "./paths/glob.ts";
import { isBelow } from "./paths/links.ts";
import { procMounts } from "./paths/proc-mounts.ts";
import type { Blueprint } from "./plan.ts";
import { removing } from "./remove.ts";
import type { Violations } from "./violations.ts";

/** The places where nothing was when a sandbox was opened, and nothing could be mounted. */
export class Watch implements Disposable {
	readonly #places: { path: string; folder: FileDescriptor; name: string }[] = [];
	readonly #blueprint: Blueprint;
	readonly #seen: Set<string>;
	readonly #violations: Violations;
	#covered: Set<string> | undefined;

	constructor(blueprint: Blueprint, violations: Violations) {
		this.#blueprint = blueprint;
		this.#violations = violations;
		this.#seen = new Set(blueprint.plan.matches.flatMap(({ paths }) => paths));
		Task.near.run(() => {
			for (const path of blueprint.plan.missing) this.#open(path);
		});
	}

	/** Looks for protected files that have appeared. */
	look(): void {
		Task.near.run(() => {
			for (const { path, folder, name } of this.#places) {
				if (this.#seen.has(path) || !exists(folder, name)) continue;
				this.#report(path);
				if (this.#blueprint.options.protectMissing === "remove") this.#remove(folder, path, name);
			}
		});
	}

	/** Looks for files that have appeared and match a pattern. A program may have made more files than are looked at. */
	lookForMatches(): void {
		const folders = new Map<string, Pattern[]>();
		for (const { folder, entry } of this.#blueprint.watched) {
			const pattern = toPattern(entry.option, entry.text, entry.relative ? entry.text : splitPattern(entry.path)[1]);
			folders.set(folder, [...(folders.get(folder) ?? []), pattern]);
		}
		const procs = folders.size > 0 ? procMounts() : [];
		for (const [folder, patterns] of folders) {
			try {
				for (const { path } of expand(folder, patterns, procs)) if (!this.#seen.has(path)) this.#report(path);
			} catch (error) {
				if (!(error instanceof SandboxError)) throw error;
				this.#violations.add("limit", error.message);
			}
		}
	}

	[Symbol.dispose](): void {
		for (const { folder } of this.#places) Task.near.run(() => folder.close());
	}

	#report(path: string): void {
		this.#seen.add(path);
		this.#violations.add("appeared", path);
	}

	/**
	 * Opens the nearest folder above a path, from the writable place on. No link is followed: a program of another sandbox may write there
	 * too, and what is opened may be removed. A folder that is renamed later does not lead to other files.
	 */
	#open(path: string): void {
		const above = this.#blueprint.nodes.findLast((node) => isBelow(path, node.path))?.path ?? "/";
		let folder = openPlace(above);
		let [name = "", ...rest] = relative(above, path).split("/");
		while (rest.length > 0) {
			const next = openFolder(folder, name);
			if (!next) break;
			folder.close();
			folder = next;
			[name = "", ...rest] = rest;
		}
		this.#places.push({ path, folder, name: [name, ...rest].join("/") });
	}

	/** Throws for a file that the sandbox hides. A program may have moved the folder that it lies in. */
	#refuseCovered(file: LocationLike): void {
		const { ino, dev } = statx(file, { mask: ["ino"] });
		this.#covered ??= new Set(
			this.#blueprint.nodes.flatMap(({ movable, found }) =>
				movable && found ? [fileKey(found.device, found.inode)] : [],
			),
		);
		if (ino !== undefined && this.#covered.has(fileKey(dev, ino)))
			throw new SandboxError("PATH", "a file that is hidden lies in it");
	}

	#remove(folder: FileDescriptor, path: string, name: string): void {
		try {
			using above = openat2(new Location(folder, dirname(name)), {
				flags: ["path", "directory"],
				resolve: ["beneath", "noSymlinks"],
			});
			const refuse = (file: LocationLike) => this.#refuseCovered(file);
			for (const _ of removing(above, basename(name), refuse)); // in one go: nothing else waits for this
			this.#seen.delete(path);
		} catch (error) {
			// A program can make what this process may not remove, and that is no reason to lose the result of a command.
			if (!(error instanceof SyscallError || error instanceof SandboxError)) throw error;
			this.#violations.add("appeared", `${path}, which cannot be removed: ${error.message}`);
		}
	}
}

function exists(folder: FileDescriptor, name: string): boolean {
	try {
		openat2(new Location(folder, name), { flags: ["path", "nofollow"], resolve: ["beneath", "noMagiclinks"] }).close();
		return true;
	} catch (error) {
		if (error instanceof SyscallError) return false;
		throw error;
	}
}

/** Opens a place that was a folder when the plan was drawn. */
function openPlace(path: string): FileDescriptor {
	try {
		return openat2(path, { flags: ["path", "directory"], resolve: ["noSymlinks"] });
	} catch (error) {
		if (!(error instanceof SyscallError)) throw error;
		const message = `cannot show ${path}: another file has taken its place meanwhile`;
		throw new SandboxError("PATH", message, { cause: error, step: `write ${path}` });
	}
}

/** Opens a folder in a folder. `undefined`: there is none, or a link. */
function openFolder(folder: FileDescriptor, name: string): FileDescriptor | undefined {
	try {
		return openat2(new Location(folder, name), {
			flags: ["path", "directory"],
			resolve: ["beneath", "noSymlinks"],
		});
	} catch (error) {
		if (error instanceof SyscallError) return undefined;
		throw error;
	}
}

function fileKey({ major, minor }: { major: number; minor: number }, inode: bigint): string {
	return `${major}:${minor}:${inode}`;
}
