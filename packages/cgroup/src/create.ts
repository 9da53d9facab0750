import type { Write } from "./check-limits.ts";
import type { Directory } from "./directory.ts";
import { enableIn } from "./enable.ts";
import { threadedError } from "./refusals.ts";

/** Makes a directory in another one, and writes its limits. Near: nothing in a new directory can wait. */
export function createIn(parent: Directory, name: string, writes: readonly Write[]): Directory {
	const refusal = threadedError(parent);
	if (refusal) throw refusal;
	enableIn(
		parent,
		writes.map(({ controller }) => controller),
	);
	const directory = parent.make(name);
	try {
		for (const { file, text, ifThere } of writes) {
			if (!ifThere || directory.readIfThere(file) !== undefined) directory.write(file, text);
		}
		return directory;
	} catch (error) {
		directory.fd.close();
		parent.removeAgain(name);
		throw error;
	}
}
