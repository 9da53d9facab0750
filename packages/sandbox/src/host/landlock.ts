import { release } from "node:os";
import type { CheckedOptions } from "../check.ts";
import { SandboxError } from "../errors.ts";
import type { ReportItem } from "./items.ts";

/** The ABIs of Landlock with which something came that a sandbox uses. */
export const abis = { truncate: 3, network: 4, scope: 6, resolveUnix: 9 } as const;

/** The package, which no other sandbox loads. */
export type Landlock = typeof import("@nearfar/landlock");

/** Loads the package. Throws where a sandbox of these options needs a later ABI than that of this kernel. */
export async function requireLandlock(options: Pick<CheckedOptions, "network" | "sockets">): Promise<Landlock> {
	const landlock = await import("@nearfar/landlock");
	const abi = landlock.landlockAbi();
	const [needed, kind] = neededBy(options);
	if (abi >= needed) return landlock;
	throw new SandboxError(
		"UNAVAILABLE",
		`cannot make a sandbox of isolation: "landlock"${kind}: ${missingOf(abi, needed)}. ${hintFor(abi)}`,
		{ step: "landlock", hint: hintFor(abi) },
	);
}

/** Returns the ABI that a sandbox needs, and what for. */
function neededBy({ network, sockets }: Pick<CheckedOptions, "network" | "sockets">): [abi: number, kind: string] {
	// Below this ABI the filter refuses every Unix socket.
	if (sockets.length > 0) return [abis.resolveUnix, " with options.sockets"];
	return typeof network === "string" ? [abis.truncate, ""] : [abis.network, " with a proxy"];
}

/** Says which ABI there is, and which one is needed. */
export function missingOf(abi: number, needed: number): string {
	const found = abi === 0 ? "no Landlock" : `Landlock of ABI ${abi}`;
	return `it needs Landlock of ABI ${needed}, and Linux ${release()} has ${found} here`;
}

/** Says what helps against a kernel without a later ABI. */
export function hintFor(abi: number): string {
	return abi === 0
		? "Landlock is in the kernel from Linux 5.13 on, and has to be enabled at boot: add landlock to the parameter lsm= of the kernel. A container may refuse its system calls, too"
		: "ABI 3 came with Linux 6.2, ABI 4 with Linux 6.7, and ABI 9 with Linux 7.1: use a later kernel";
}

/** What came with each later ABI, in words. */
const later: readonly (readonly [number, string])[] = [
	[abis.network, "a proxy"],
	[abis.scope, "signals that stay inside"],
	[abis.resolveUnix, "Unix sockets by path"],
];

/** Returns what a host of an ABI can have. */
export function landlockItem(abi: number): ReportItem {
	if (abi < abis.truncate) {
		return { name: "landlock", ok: false, cause: missingOf(abi, abis.truncate), hint: hintFor(abi) };
	}
	const missing = later.filter(([since]) => abi < since).map(([since, what]) => `${what} (ABI ${since})`);
	return {
		name: "landlock",
		ok: true,
		note: `ABI ${abi}${missing.length > 0 ? `, without ${missing.join(", ")}` : ""}`,
	};
}

/** Returns what to do where a sandbox with namespaces cannot be had; empty: Landlock cannot either. */
export async function orLandlock(): Promise<string> {
	const { landlockAbi } = await import("@nearfar/landlock");
	return landlockAbi() < abis.truncate ? "" : '. Where weaker is acceptable: isolation: "landlock"';
}
