import { lstatSync, readlinkSync } from "node:fs";
import { dirname, join } from "node:path";

/** A symbolic link on the way to a path. */
export interface Link {
	/** The place of the link, with no link on the way to it. */
	readonly path: string;
	/** The text of the link. */
	readonly target: string;
}

/** How many links the kernel follows in one path. */
const MOST_LINKS = 40;

/** Returns the links on the way to an absolute path that exists, in the order in which they are followed. */
export function linksOnTheWay(path: string): Link[] {
	const links: Link[] = [];
	let rest = parts(path);
	let place = "/";
	while (rest.length > 0 && links.length < MOST_LINKS) {
		const [name = "", ...others] = rest;
		const next = name === ".." ? dirname(place) : join(place, name);
		if (!lstatSync(next).isSymbolicLink()) {
			place = next;
			rest = others;
			continue;
		}
		const target = readlinkSync(next);
		links.push({ path: next, target });
		if (target.startsWith("/")) place = "/";
		rest = [...parts(target), ...others];
	}
	return links;
}

function parts(path: string): string[] {
	return path.split("/").filter((part) => part !== "" && part !== ".");
}

/** Returns whether a path is another one, or lies below it. */
export function isWithin(path: string, folder: string): boolean {
	return path === folder || isBelow(path, folder);
}

/** Returns whether a path lies below another one. */
export function isBelow(path: string, folder: string): boolean {
	return path.startsWith(folder === "/" ? "/" : `${folder}/`) && path !== folder;
}

/** Returns the folders between a folder and a path below it, the highest first. */
export function foldersBetween(folder: string, path: string): string[] {
	const folders: string[] = [];
	for (let above = dirname(path); isBelow(above, folder); above = dirname(above)) folders.unshift(above);
	return folders;
}
