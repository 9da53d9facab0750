import { basename, dirname, relative } from "node:path";
import {
	type FileDescriptor,
	Location,
	openat2,
	readdir,
	rmdir,
	SyscallError,
	statx,
	Task,
	unlink,
} from "@nearfar/core";
import { SandboxError } from "./errors.ts";
import { look } from "./paths/given.ts";
import { expand, splitPattern, toPattern } from "./paths/glob.ts";
import type { Blueprint } from "./plan.ts";
import type { Violations } from "./violations.ts";

/** The places where nothing was when a sandbox was opened, and nothing could be mounted. */
export class Watch implements Disposable {
	readonly #places: { path: string; folder: FileDescriptor; name: string }[] = [];
	readonly #blueprint: Blueprint;
	readonly #seen: Set<string>;
	readonly #violations: Violations;

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
				if (this.#blueprint.options.protectMissing === "remove") {
					remove(folder, name);
					this.#seen.delete(path);
				}
			}
		});
	}

	/** Looks for files that have appeared and match a pattern. A program may have made more files than are looked at. */
	lookForMatches(): void {
		for (const { folder, entry } of this.#blueprint.watched) {
			const rest = entry.relative ? entry.text : splitPattern(entry.path)[1];
			try {
				for (const { path } of expand(folder, [toPattern(entry.option, entry.text, rest)])) {
					if (!this.#seen.has(path)) this.#report(path);
				}
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

	/** Opens the nearest folder above a path. A folder that is renamed later does not lead to other files. */
	#open(path: string): void {
		const above = nearest(dirname(path));
		const folder = openat2(above, { flags: ["path", "directory"] });
		this.#places.push({ path, folder, name: relative(above, path) });
	}
}

/** Returns the nearest folder above a path that exists. */
function nearest(path: string): string {
	const found = look(path);
	const isFolder = !(found instanceof SyscallError) && found.type === "directory";
	return isFolder ? path : nearest(dirname(path));
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

/** Removes a file, or a folder with everything in it. No link is followed. */
function remove(folder: FileDescriptor, path: string): void {
	using above = openat2(new Location(folder, dirname(path)), {
		flags: ["path", "directory"],
		resolve: ["beneath", "noSymlinks"],
	});
	removeFrom(above, basename(path));
}

function removeFrom(folder: FileDescriptor, name: string | Buffer): void {
	const place = new Location(folder, name, { symlinks: false });
	if (statx(place, { mask: ["type"] }).type !== "directory") {
		unlink(place);
		return;
	}
	using inside = openat2(place, { flags: ["directory", "nofollow"] });
	for (const entry of readdir(inside, { encoding: "buffer" })) removeFrom(inside, entry.name);
	rmdir(place);
}
