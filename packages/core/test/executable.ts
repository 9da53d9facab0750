import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Makes a file with the given mode and returns its path. */
export function program(folder: string, name: string, text: string | Buffer, mode: number): string {
	const path = join(folder, name);
	writeFileSync(path, text);
	chmodSync(path, mode); // independent of the umask
	return path;
}
