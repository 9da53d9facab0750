import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

/** Returns a hash of all names, modes, owners and contents below a folder. */
export function hash(path: string): string {
	const all = createHash("sha256");
	const add = (place: string) => {
		const { mode, uid, gid } = lstatSync(place);
		all.update(`${place}\0${mode}\0${uid}\0${gid}\0`);
		if (lstatSync(place).isSymbolicLink()) all.update(readlinkSync(place));
		else if (lstatSync(place).isDirectory()) for (const name of readdirSync(place).sort()) add(join(place, name));
		else all.update(readFileSync(place));
	};
	add(path);
	return all.digest("hex");
}
