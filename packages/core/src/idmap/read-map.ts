import { wrongValue } from "../arguments.ts";
import { BatchError } from "../errors.ts";
import { openat2 } from "../files/files.ts";
import { Location } from "../files/location.ts";
import { openOwnProc } from "../files/own-proc.ts";
import { openProcessFolder } from "../files/pidfd.ts";
import { readAll } from "../files/read-all.ts";
import { type ProcessLike, withPidfd } from "../process/process-like.ts";
import { SyscallError } from "../syscall-error.ts";
import { currentBatch, currentTask, taskOf, withFile } from "../target/target.ts";
import { END_OF_IDS, type IdMapping, lineInside } from "./mapping.ts";

const files = { uids: "uid_map", gids: "gid_map" } as const;

/**
 * Reads a map of the user namespace of a process, as the current task sees it. A line whose ids outside the current task's user
 * namespace does not have is left out. Of a line whose ids outside it has in part, that part is left.
 *
 * @param process - The process.
 * @param ids - Which of its two maps.
 */
export function readMap(process: ProcessLike, ids: "uids" | "gids"): IdMapping[] {
	if (ids !== "uids" && ids !== "gids") throw wrongValue("ids", '"uids" or "gids"', ids);
	if (currentBatch()) throw new BatchError("cannot read an id map in a batch: its lines are known only afterwards");
	const name = files[ids];
	using ownFile = openOwnProc(`thread-self/${name}`);
	const ownText = readAll(ownFile).toString();
	const own = linesOf(ownText);
	if (process === currentTask()) return own;
	const text = withPidfd(process, (pidfd) => {
		using folder = openProcessFolder(pidfd);
		if (!folder) throw notShown(String(process));
		using file = withFile(name, () => openat2(new Location(folder, name)));
		return readAll(file).toString();
	});
	const lines = linesOf(text);
	// The kernel shows the map of the reader's own namespace with the ids of the parent.
	return text === ownText ? lines : lines.flatMap((line) => visiblePart(line, own));
}

/** Reads the lines of the kernel. The kernel writes 4294967295 for an id outside that the reader's user namespace does not have. */
function linesOf(text: string): IdMapping[] {
	const lines: IdMapping[] = [];
	for (const [, inside, outside, count] of text.matchAll(/^ *(\d+) +(\d+) +(\d+)$/gm)) {
		lines.push({ inside: Number(inside), outside: Number(outside), count: Number(count) });
	}
	return lines.filter(({ outside }) => outside < END_OF_IDS);
}

/**
 * Returns the part of a line whose ids outside the reader has. The kernel converts the first id alone. The ids after it continue in
 * the reader's user namespace up to the end of the reader's own line. A descendant's line never passes that end.
 */
function visiblePart(line: IdMapping, own: readonly IdMapping[]): IdMapping[] {
	const holder = lineInside(own, line.outside);
	if (!holder) return [];
	return [{ ...line, count: Math.min(line.count, holder.inside + holder.count - line.outside) }];
}

function notShown(of: string): SyscallError {
	const hint = "/proc belongs to a pid namespace in which the process is not visible, or the process has ended";
	return new SyscallError({ code: "ESRCH", errno: 3, syscall: "openat2", of }, { path: "/proc", hint, ...taskOf() });
}
