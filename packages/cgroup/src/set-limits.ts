import type { Write } from "./check-limits.ts";
import type { Directory } from "./directory.ts";
import { missingError } from "./refusals.ts";

/** Writes limits, each in a task beside this process. */
export async function setLimits(directory: Directory, writes: readonly Write[]): Promise<void> {
	const controllers = [...new Set(writes.map(({ controller }) => controller))];
	const refusal = missingError(directory, controllers, `limit ${directory.path}`);
	if (refusal) throw refusal;
	for (const { file, text, ifThere } of writes) {
		if (!ifThere || directory.readIfThere(file) !== undefined) await directory.writeInHelper(file, text);
	}
}
