import { capabilities } from "../addon/flags.generated.ts";
import { native } from "../addon/native.ts";
import { environmentVariable } from "../environment.ts";
import { SyscallError } from "../syscall-error.ts";
import { nearTask } from "../target/target.ts";
import { isInitialUserNamespace } from "./ask.ts";
import { mountThatHolds, type SeenMount } from "./look.ts";
import type { ObstacleValues } from "./obstacle.ts";

/** The programs that map ids for ordinary users. */
export type HelperName = "newuidmap" | "newgidmap";

/** A helper as it was found. */
export interface Helper {
	/** `undefined`: no folder has the program. */
	readonly path: string | undefined;
	/** Why the helper has no privilege. */
	readonly problem?: ObstacleValues["helper-not-setuid"];
	/** Where the helper was looked for. */
	readonly searched: string;
}

/** The owner of a file is shown as this id if the user namespace does not map the owner. */
const OVERFLOW_ID = 65534;
const AT_FDCWD = -100;
const XATTR = 64; // bytes; struct vfs_ns_cap_data has 24
const S_ISUID = 0o4000;

/**
 * Looks for a helper in `PATH`, then in /usr/bin, and returns whether the helper gets its privilege when it is executed.
 *
 * @param helper - The name of the program.
 * @param mounts - The mounts in sight.
 */
export function findHelper(helper: HelperName, mounts: readonly SeenMount[]): Helper {
	const { accessSync, constants, realpathSync, statSync } = process.getBuiltinModule("node:fs");
	const searched = [...(environmentVariable("PATH") ?? "").split(":").filter(Boolean), "/usr/bin"];
	const isProgram = (path: string) => {
		try {
			accessSync(path, constants.X_OK);
			return statSync(path).isFile();
		} catch {
			return false; // the next folder may have it
		}
	};
	const path = searched.map((folder) => `${folder}/${helper}`).find(isProgram);
	const found = { path, searched: [...new Set(searched)].join(":") };
	if (path === undefined) return found;
	const real = realpathSync(path);
	const { mode, uid } = statSync(real);
	const mount = mountThatHolds(real, mounts);
	const privileged = hasFileCapability(real, helper) || ((mode & S_ISUID) !== 0 && uid === 0);
	const isHidden = uid === OVERFLOW_ID && !isInitialUserNamespace();
	const owner = isHidden ? "owner not mapped" : "not root's";
	if (mount?.nosuid) return { ...found, problem: { helper, path, reason: "nosuid mount", mountPoint: mount.at } };
	if (privileged) return found;
	return { ...found, problem: { helper, path, reason: mode & S_ISUID ? owner : "no bit" } };
}

/** Returns whether a program has the file capability with which the helper writes maps. */
function hasFileCapability(path: string, helper: HelperName): boolean {
	try {
		const bytes = nearTask().run(() => native().getxattr(AT_FDCWD, path, 0, "security.capability", XATTR));
		const bit = helper === "newuidmap" ? capabilities.setuid : capabilities.setgid;
		return bytes.length >= 8 && (bytes.readUInt32LE(4) & (1 << bit)) !== 0;
	} catch (error) {
		if (error instanceof SyscallError) return false; // ENODATA, or a file system without attributes
		throw error;
	}
}
