import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import type { CloneOptions } from "@nearfar/core";
import { type MountLine, mountAt, ownMounts, type Sandbox, sandbox } from "./sandbox.ts";

/** A sandbox with directories for an overlay. */
export interface Layers extends Sandbox {
	readonly upper: string;
	readonly work: string;
	/** The place to mount on. */
	readonly place: string;
	/** Makes a directory with a file in it, whose content is the name of the directory. */
	layer(name: string, file?: string): string;
	/** Returns the names that the place shows, as this process sees them. */
	shown(): string[];
	/** Returns the topmost mount on the place. */
	mounted(): MountLine | undefined;
}

export async function layers(options: CloneOptions = ownMounts): Promise<Layers> {
	const box = await sandbox(options);
	return Object.assign(box, {
		upper: box.folder("upper"),
		work: box.folder("work"),
		place: box.folder("place"),
		layer(name: string, file = name) {
			mkdirSync(box.outside(name));
			writeFileSync(box.outside(`${name}/${file}`), name);
			return box.inside(name);
		},
		shown: () => readdirSync(box.outside("place")).sort(),
		mounted: () => mountAt(box.task, box.inside("place")),
	});
}
