// Fetches Node for an architecture from npm.
import * as fs from "node:fs";
import { join } from "node:path";
import { execute, place } from "./debian.mjs";

/** Fetches the newest Node of a line, unless an earlier run has, and returns the folder with its `bin`. */
export function fetchNode(line, arch) {
	const folder = join(place, `node-${line}-${arch}`);
	if (fs.existsSync(folder)) return folder;
	const partial = `${folder}.partial-${process.pid}`;
	fs.mkdirSync(partial, { recursive: true });
	const [{ filename }] = JSON.parse(
		execute("npm", ["pack", "--json", "--pack-destination", partial, `node-linux-${arch}@${line}`], { cwd: partial }),
	);
	execute("tar", ["-xzf", filename, "--strip-components=1"], { cwd: partial });
	fs.rmSync(join(partial, filename));
	fs.renameSync(partial, folder);
	return folder;
}
