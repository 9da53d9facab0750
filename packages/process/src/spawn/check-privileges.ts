import { CapabilitySet, type Caps } from "@nearfar/caps";
import {
	capabilityBits,
	checkSecureBits,
	checkUser,
	type GivenSecureBits,
	native,
	outOfRange,
	resolveUser,
	wrongValue,
} from "@nearfar/core/internal";
import type { SpawnOptions } from "./options.ts";

/** The options `capabilities` and `securebits`, checked. */
export interface CheckedPrivileges {
	/** One bit for each capability. */
	readonly capabilities?: bigint;
	readonly securebits?: GivenSecureBits;
}

/** Checks and copies the options `capabilities` and `securebits`. */
export function checkPrivileges(
	capabilities: Caps | undefined,
	securebits: GivenSecureBits | undefined,
): CheckedPrivileges {
	return {
		...(capabilities !== undefined && { capabilities: checkCapabilities(capabilities, "options.capabilities") }),
		...(securebits !== undefined && { securebits: checkSecureBits(securebits, "options.securebits") }),
	};
}

/** Returns the bits of capabilities. Throws where the running kernel does not have one of them. */
function checkCapabilities(caps: Caps, option: string): bigint {
	const last = native().lastCapability();
	// The iteration of a set leaves out what has no name.
	const bits = capabilityBits(caps instanceof CapabilitySet ? caps.bits : caps, option);
	if (bits >> BigInt(last + 1) === 0n) return bits;
	throw outOfRange(option, `made of capabilities of this kernel, 0 to ${last}`, caps);
}

/**
 * Returns the ids of the option `user`, and nothing without it. Called when all other options have been checked, because the
 * directory service may take its time.
 */
export function resolveIds(
	user: SpawnOptions["user"],
	others: Pick<SpawnOptions, "uid" | "gid" | "groups">,
): Pick<SpawnOptions, "uid" | "gid" | "groups"> {
	if (user === undefined) return {};
	checkUser(user, "options.user");
	for (const name of ["uid", "gid", "groups"] as const) {
		if (others[name] === undefined) continue;
		throw wrongValue(
			`options.${name}`,
			"absent with options.user, which sets the user, the group and the groups",
			others[name],
		);
	}
	const { uid, gid, groups } = resolveUser(user, "options.user");
	return { uid, gid, groups };
}
