import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Makes a file that may be a program, and returns its path. */
export function program(folder: string, name: string, text: string, mode: number): string {
	const path = join(folder, name);
	writeFileSync(path, text);
	chmodSync(path, mode); // whatever the umask is
	return path;
}
