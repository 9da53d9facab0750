import { isRoot, type Need, needs } from "../../../../test/needs.ts";

/** The words before `node` with which it has every capability: an ordinary user has them in a user namespace. */
export const privileged: readonly string[] = isRoot ? [] : ["unshare", "--map-root-user"];

/** Declares tests of a Node with every capability. */
export function needsPrivilege(...more: readonly Need[]): ReturnType<typeof needs> {
	return isRoot ? needs("root", ...more) : needs("user namespaces", "the program unshare", ...more);
}
