import type { LocationLike } from "@nearfar/core";
import type { LandlockFsRight, LandlockNetRight, LandlockScope } from "@nearfar/core/internal";
import type { LandlockPreset } from "./presets.ts";
import type { LandlockRestrictFlag } from "./restrict-self.ts";
import type { LandlockThreads } from "./threads.ts";

/** What is allowed on a file, or on a directory and all that is below it. */
export interface LandlockPath {
	/**
	 * The file or directory, looked up in the current task. The rule counts for what is there now: it stays when that is renamed, and
	 * does not count for what is made at the same path later.
	 */
	at: LocationLike;
	/**
	 * The rights, by preset or by name. At least one. A dynamic program needs `execute` also on its loader, such as
	 * `/lib64/ld-linux-x86-64.so.2`, and reads its libraries.
	 */
	allow: readonly (LandlockPreset | LandlockFsRight)[];
	/** `true`: a path that does not exist is left out. Refused in a batch, whose calls all have to succeed. Default: `false`. */
	optional?: boolean;
	/**
	 * What is there: the rights for directories are left out for a file. With `"directory"` another file is `ENOTDIR`. With `"file"` nothing is
	 * looked up: a directory then gets the rights of the files below it alone. Needed in a batch. Default: the task looks.
	 */
	kind?: "file" | "directory";
}

/** What is allowed on a port. */
export interface LandlockPort {
	/** The port, 0 to 65535. 0 stands for any port that the kernel chooses. */
	port: number;
	/** The rights. At least one. */
	allow: readonly LandlockNetRight[];
}

/**
 * What a domain allows. At least one of the three is there.
 *
 * @example
 * ```ts
 * const rules: LandlockRules = {
 *   paths: [{ at: "/usr", allow: ["run"] }, { at: "/tmp", allow: ["write"] }],
 *   ports: [{ port: 443, allow: ["connectTcp"] }],
 * };
 * await using task = await Task.clone();
 * console.log(task.run(() => landlock(rules, { drop: "any" })).fs);
 * ```
 */
export interface LandlockRules {
	/** Files and directories. Every right of the level is refused that no rule allows; with `[]` all are. Default: no right is refused. */
	paths?: readonly LandlockPath[];
	/** Ports. Every right of the level is refused that no rule allows; with `[]` all are. Default: no right is refused. */
	ports?: readonly LandlockPort[];
	/** What stays within the domain. Default: nothing. */
	scope?: readonly LandlockScope[];
}

/** Which version of the ABI counts, and what happens if the kernel has an older one. */
export interface LandlockLevel {
	/**
	 * The version of the ABI whose rights are refused, 1 to 11: the *level*. A later kernel never refuses more. Default: the lowest version
	 * that has every right and scope that the rules name, at least 3 with `paths` and 4 with `ports`. Presets do not count: they are cut to
	 * the level.
	 */
	require?: number;
	/**
	 * Rights and scopes that may stay free on a kernel that lacks them. `"any"`: all of them, and all flags. `enforced.dropped` names
	 * those that do. Default: none.
	 */
	drop?: readonly (LandlockFsRight | LandlockNetRight | LandlockScope)[] | "any";
	/** Flags of landlock_restrict_self(2). Default: none. */
	flags?: readonly LandlockRestrictFlag[];
}

/** Options of {@link landlock}. */
export interface LandlockOptions extends LandlockLevel, LandlockThreads {}

/** What holds after {@link landlock}. */
export interface Enforced {
	/** The version of the ABI that the kernel has. */
	abi: number;
	/** The version of the ABI whose rights are refused. */
	level: number;
	/** The rights on files and directories that are refused where no rule allows them. */
	fs: LandlockFsRight[];
	/** The rights on ports that are refused where no rule allows them. */
	net: LandlockNetRight[];
	/** What stays within the domain. */
	scope: LandlockScope[];
	/**
	 * What the kernel lacks and `drop` has named. Such a right stays free, but for `refer`: a kernel without it refuses every rename and
	 * link between directories.
	 */
	dropped: string[];
	/** The errata that the kernel has fixed: see `landlockErrata`. */
	errata: number;
}
