import type { FailureData } from "../../native/binding.js";
import { fsconfigCommands, prctlOptions, resources } from "../addon/flags.generated.ts";
import type { FlagTable } from "../addon/flags.ts";
import { pathsText } from "../syscall-error.ts";
import { logLines } from "./context-log.ts";
import { shownData } from "./mount-data.ts";

/** The commands of fsconfig(2) that have no parameter, as the methods of a context. */
const commands: ReadonlyMap<number, string> = new Map([
	[fsconfigCommands.cmdCreate, "create"],
	[fsconfigCommands.cmdCreateExcl, "create({ exclusive: true })"],
	[fsconfigCommands.cmdReconfigure, "reconfigure"],
]);

/**
 * Returns the text that says what a refused call was about, for the message of its error. `undefined`: the paths say it.
 *
 * @param failure - The failure.
 * @param paths - The paths that the error has.
 * @param descriptor - The number of the descriptor that the call was about, as the caller knows it.
 */
export function objectText(
	{ syscall, number, fstype, data, key, log }: FailureData,
	paths: { path?: string; dest?: string },
	descriptor: number | undefined,
): string | undefined {
	if (descriptor !== undefined) return `fd ${descriptor} ${pathsText(paths)}`.trim();
	if (fstype || data || key || log?.length || syscall === "fsconfig") {
		const reasons = logLines(log).map(({ text }) => text);
		return [
			shownData(pathsText(paths)),
			!key && syscall === "fsconfig" && commands.get(number ?? -1),
			key && `'${shownData(`${key}`)}'`,
			fstype && `${syscall?.startsWith("fs") ? "of" : "as"} ${fstype}`,
			data && `with '${shownData(`${data}`)}'`,
			reasons.length > 0 && `(${shownData(reasons.join("; "))})`,
		]
			.filter(Boolean)
			.join(" ");
	}
	if (number === undefined || number === null) return undefined;
	if (syscall === "prctl") return named(prctlOptions, number, "PR_");
	return syscall?.endsWith("rlimit") ? named(resources, number, "RLIMIT_") : undefined;
}

/** Returns a name of nearfar and the kernel's: `setName (PR_SET_NAME)`. Returns a number that has no name as it is. */
function named(table: FlagTable, number: number, prefix: string): string {
	const [name] = Object.entries(table).find(([, value]) => value === number) ?? [];
	if (name === undefined) return `${number}`;
	return `${name} (${prefix}${name.replace(/[A-Z]/g, "_$&").toUpperCase()})`;
}
