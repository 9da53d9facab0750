import { SyscallError } from "@nearfar/core";
import { native, outOfRange } from "@nearfar/core/internal";
import { CapabilitySet, type Caps, toCapabilityBits } from "./capability-set.ts";

/** The hint for a call that the capabilities of the task allow. */
export const filtered = "a security module or a seccomp filter refuses the call";

/** Returns the bits of a set. Throws a `RangeError` for a capability that the running kernel does not have. */
export function toKernelBits(source: Caps, parameter: string): bigint {
	const bits = toCapabilityBits(source, parameter);
	const unknown = bits & ~CapabilitySet.all().bits;
	if (unknown !== 0n) {
		const allowed = `made of capabilities that this kernel has, up to number ${native().lastCapability()}`;
		throw outOfRange(parameter, allowed, named(unknown));
	}
	return bits;
}

/** Returns capabilities as the texts of this package name them: `"netAdmin,41"`. */
export function named(bits: bigint): string {
	return CapabilitySet.from(bits).toString();
}

/**
 * Runs `fn`. If the kernel refuses a call of it with EPERM, the error says what stands in the way.
 *
 * @param fn - Makes the calls.
 * @param explain - Reads the sets, and returns the hint. `undefined`: the error keeps the hint that it has.
 */
export function explained<T>(fn: () => T, explain: (refusal: SyscallError) => string | undefined): T {
	try {
		return fn();
	} catch (error) {
		if (isRefusal(error)) {
			const hint = explainOrNothing(error, explain);
			if (hint !== undefined) Object.assign(error, { hint });
		}
		throw error;
	}
}

/** True when the kernel has refused a call with EPERM. */
export function isRefusal(error: unknown): error is SyscallError {
	return error instanceof SyscallError && error.code === "EPERM";
}

function explainOrNothing(refusal: SyscallError, explain: (refusal: SyscallError) => string | undefined) {
	try {
		return explain(refusal);
	} catch {
		// The sets cannot be read, for instance because the task has ended. The refusal itself is what the caller has to know.
		return undefined;
	}
}
