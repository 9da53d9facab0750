import { capabilities } from "../addon/flags.generated.ts";
import { native } from "../addon/native.ts";
import { isInitialUserNamespace } from "../obstacles/ask.ts";
import { OVERFLOW_ID } from "../obstacles/helper-hint.ts";
import type { ObstacleValues } from "../obstacles/obstacle.ts";
import { SyscallError } from "../syscall-error.ts";
import { nearTask } from "../target/target.ts";
import type { Answer } from "./features.ts";

/** The programs that map ids for ordinary users. */
export type HelperName = "newuidmap" | "newgidmap";

/** A helper as it was found. */
export interface Helper {
	readonly answer: Answer;
	/** Why the helper has no privilege. */
	readonly problem?: ObstacleValues["helper-not-setuid"];
	/** Where the helper was looked for. */
	readonly searched: string;
}

const AT_FDCWD = -100;
const XATTR = 64; // bytes; struct vfs_ns_cap_data has 24
const S_ISUID = 0o4000;

/**
 * Looks for a helper in `PATH`, then in /usr/bin, and returns whether the helper gets its privilege when it is executed.
 *
 * @param helper - The name of the program.
 * @param mountinfo - The text of `/proc/self/mountinfo`.
 */
export function findHelper(helper: HelperName, mountinfo: string): Helper {
	const { accessSync, constants, realpathSync, statSync } = process.getBuiltinModule("node:fs");
	const searched = [...(process.env.PATH ?? "").split(":").filter(Boolean), "/usr/bin"];
	const isProgram = (path: string) => {
		try {
			accessSync(path, constants.X_OK);
			return statSync(path).isFile();
		} catch {
			return false; // the next folder may have it
		}
	};
	const path = searched.map((folder) => `${folder}/${helper}`).find(isProgram);
	const where = [...new Set(searched)].join(":");
	if (path === undefined) return { answer: { works: false, code: "ENOENT", syscall: "execve" }, searched: where };
	const real = realpathSync(path);
	const { mode, uid } = statSync(real);
	const mount = mountOf(real, mountinfo);
	const privileged = hasCapability(real, helper) || ((mode & S_ISUID) !== 0 && uid === 0);
	const isHidden = uid === OVERFLOW_ID && !isInitialUserNamespace();
	const owner = isHidden ? "owner not mapped" : "not root's";
	const reason = mount.nosuid ? "nosuid mount" : privileged ? undefined : mode & S_ISUID ? owner : "no bit";
	if (!reason) return { answer: { works: true, value: path }, searched: where };
	const mountPoint = mount.nosuid ? { mountPoint: mount.path } : {};
	return { answer: { works: false, value: path }, problem: { helper, path, reason, ...mountPoint }, searched: where };
}

/** Returns the innermost mount that holds a path, and whether it has the option nosuid. */
function mountOf(path: string, mountinfo: string): { path: string; nosuid: boolean } {
	let found = { path: "/", nosuid: false };
	for (const [, place = "", options = ""] of mountinfo.matchAll(/^\S+ \S+ \S+ \S+ (\S+) (\S+)/gm)) {
		const holds = place === "/" || path === place || path.startsWith(`${place}/`);
		// Of two mounts at one place the later one is on top.
		if (holds && place.length >= found.path.length)
			found = { path: place, nosuid: options.split(",").includes("nosuid") };
	}
	return found;
}

/** Returns whether a program has the file capability with which the helper writes maps. */
function hasCapability(path: string, helper: HelperName): boolean {
	try {
		const bytes = nearTask().run(() => native().getxattr(AT_FDCWD, path, 0, "security.capability", XATTR));
		const bit = helper === "newuidmap" ? capabilities.setuid : capabilities.setgid;
		return bytes.length >= 8 && (bytes.readUInt32LE(4) & (1 << bit)) !== 0;
	} catch (error) {
		if (error instanceof SyscallError) return false; // ENODATA, or a file system without attributes
		throw error;
	}
}
