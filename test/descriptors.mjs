import { readdirSync, readlinkSync } from "node:fs";
import { setTimeout } from "node:timers/promises";

/** Returns the numbers of this process's open descriptors whose link in `/proc/self/fd` matches. */
export function descriptorsOf(links) {
	return readdirSync("/proc/self/fd").filter((number) => {
		try {
			return links.test(readlinkSync(`/proc/self/fd/${number}`));
		} catch {
			return false; // the descriptor through which the folder was read
		}
	});
}

/** Waits up to 5 s until no more descriptors match than before. Returns how many more do. */
export async function descriptorsLeft(links, before) {
	const until = Date.now() + 5000;
	const more = () => Math.max(descriptorsOf(links).length - before, 0);
	let left = more();
	while (left > 0 && Date.now() < until) {
		await setTimeout(1);
		left = more();
	}
	return left;
}
