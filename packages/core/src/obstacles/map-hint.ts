import { capabilities } from "../addon/flags.generated.ts";
import type { IdMap } from "../idmap/id-map.ts";
import { hasCapability } from "../process/capability-bits.ts";
import type { SyscallError } from "../syscall-error.ts";
import { readBounded } from "../target/read-bounded.ts";
import type { AnyTask } from "../target/target.ts";
import { stateOf } from "../task/state.ts";
import { idMapOf, parseMap, type Status, statusOf } from "./look.ts";

const PAGE = 4096; // bytes; the kernel takes less
const NO_ID = 4294967295;

/** One file of a user namespace that was refused. */
export interface RefusedMap {
	/** The path of the directory of the process in `/proc`, which this process reads. */
	readonly folder: string;
	readonly name: "setgroups" | "gid_map" | "uid_map";
	readonly content: IdMap | "deny";
	/** The task that has written. */
	readonly by: AnyTask;
}

/** Returns the rule of the kernel for which a map, or the denial of setgroups(2), was refused. */
export function hintForMap({ code, syscall }: SyscallError, refused: RefusedMap): string | undefined {
	const { folder, name, content, by } = refused;
	if (code === "EACCES" && syscall !== "write") return notDumpable;
	if (content === "deny") {
		const isMapped = readBounded(`${folder}/gid_map`) !== "";
		return code === "EPERM" && isMapped ? "setgroups(2) cannot be denied after the group map was written" : undefined;
	}
	const length = `${content}`.length;
	if (code === "EINVAL" && length >= PAGE) {
		return `the text of the map has ${length} bytes, and the kernel takes at most ${PAGE - 1}: use fewer lines, or lower ids`;
	}
	if (code !== "EPERM") return undefined;
	const present = readBounded(`${folder}/${name}`);
	if (present !== "") {
		return `${name} is written already (${shown(present)}), and the kernel takes a map once: make another user namespace`;
	}
	const status = statusOf(by);
	return status && (idRule(refused, content, status) ?? elsewhere);
}

const notDumpable =
	"the process is not dumpable, so that its files in /proc belong to root: call setDumpable(true) in it, or let root write";
const elsewhere =
	"the writer has to be in the user namespace of the process or in the parent of that one, and there the user that made the namespace, or have CAP_SYS_ADMIN over it";

/** Returns which of the rules about ids a map breaks. */
function idRule({ folder, name, by }: RefusedMap, map: IdMap, status: Status): string | undefined {
	const isUids = name === "uid_map";
	const [own, capability, label] = isUids
		? [status.uid, capabilities.setuid, "CAP_SETUID"]
		: [status.gid, capabilities.setgid, "CAP_SETGID"];
	const can = (bit: number) => hasCapability(status.effective, bit);
	const [first] = map.mappings;
	if (first && !can(capability)) {
		// The ids of a task in a user namespace of its own are others than this process sees.
		const isOwn = map.count === 1 && (stateOf(by).kinds.has("user") || first.outside === own);
		const helper = isUids ? "newuidmap" : "newgidmap";
		if (!isOwn) {
			const outside = map.mappings.find(({ outside }) => outside !== own)?.outside ?? first.outside;
			return `the map has ${map.count} ids, among them ${outside} outside, and without ${label} the writer may map its own effective id alone, which is ${own}: let ${helper} write the map (helper: "auto")`;
		}
		if (!isUids && readBounded(`${folder}/setgroups`).trim() !== "deny") {
			return `without CAP_SETGID the writer has to deny setgroups(2) before the group map: setgroups: "deny" or "auto"`;
		}
	}
	const parent = parseMap(idMapOf(by, isUids ? "uids" : "gids") ?? "");
	for (const { outside, count } of map.mappings) {
		const isInside = parent.some(([start, , length]) => start <= outside && outside + count <= start + length);
		if (parent.length > 0 && !isInside) {
			const lines = parent.map(([start, , length]) => `${start} to ${Math.min(start + length, NO_ID) - 1}`).join(", ");
			return `the ids ${outside} to ${outside + count - 1} outside are not in one line of the map of the writer's own user namespace, which has ${lines}: IdMap.cutBy cuts a map so`;
		}
	}
	if (isUids && map.toInside(0) !== undefined && !can(capabilities.setfcap)) {
		return `the map has the id 0 outside, for which the writer needs CAP_SETFCAP since Linux 5.12 (CapEff: ${status.effectiveText}): leave the id 0 out, or write with the capability`;
	}
	return undefined;
}

function shown(map: string): string {
	const lines = map.trim().split("\n");
	const [first = ""] = lines;
	return `${first.trim().replaceAll(/ +/g, " ")}${lines.length > 1 ? `, and ${lines.length - 1} more lines` : ""}`;
}
