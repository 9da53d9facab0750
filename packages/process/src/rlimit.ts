import { integer, outOfRange, wrongType, wrongValue } from "@nearfar/core/internal";

/** The value of `RLIM64_INFINITY`: no limit. */
export const INFINITY = 2n ** 64n - 1n;

/** A limit in the unit of its resource: 0 or more. `"infinity"` or `Infinity`: no limit. */
export type Limit = number | bigint | "infinity";

/** The two limits of a resource. */
export interface Limits<T = Limit> {
	/** The limit that the kernel enforces, at most `hard`. */
	soft: T;
	/** The ceiling of `soft`. Every process may lower its own; raising it needs CAP_SYS_RESOURCE. */
	hard: T;
}

/**
 * Returns the bytes of a `struct rlimit64`.
 *
 * @param limits - Both limits, or one value for both.
 * @param name - The name of the parameter for an error message.
 */
export function toRlimit(limits: Limit | Limits, name: string): Uint8Array {
	const pair =
		limits !== null && typeof limits === "object"
			? [toBits(limits.soft, `${name}.soft`), toBits(limits.hard, `${name}.hard`)]
			: [toBits(limits, name), toBits(limits, name)];
	return new Uint8Array(BigUint64Array.from(pair).buffer);
}

function toBits(limit: Limit, name: string): bigint {
	if (limit === "infinity" || limit === Number.POSITIVE_INFINITY) return INFINITY;
	if (typeof limit === "string") throw wrongValue(name, `"infinity" or a number`, limit);
	if (typeof limit === "number") return BigInt(integer(limit, name, 0, Number.MAX_SAFE_INTEGER));
	if (typeof limit !== "bigint") throw wrongType(name, `a number, a bigint or "infinity"`, limit);
	if (limit < 0n || limit > INFINITY) throw outOfRange(name, "a bigint from 0 to 2^64-1", limit);
	return limit;
}
