import { isRoot } from "../../../../test/needs.ts";
import type { SandboxOptions } from "../../src/index.ts";
import * as attempts from "../attempts.ts";

/** The options that every sandbox of these tests has. */
export const landlock = {
	preset: "closed",
	isolation: "landlock",
	...(isRoot && { rootFallback: "uid0" }),
} as const satisfies SandboxOptions;

/** Returns the output of a shell in a sandbox of its own. Throws unless the shell ends with 0. */
export async function inside(script: string, options: SandboxOptions = {}): Promise<string> {
	return await attempts.inside(script, { ...landlock, ...options });
}

/** Returns whether a shell in a sandbox of its own ends with 0. */
export async function succeeds(script: string, options: SandboxOptions = {}): Promise<boolean> {
	return await attempts.succeeds(script, { ...landlock, ...options });
}
