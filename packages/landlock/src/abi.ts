import { SyscallError } from "@nearfar/core";
import { native } from "@nearfar/core/internal";

// Flags of landlock_create_ruleset(2) that ask, and make no ruleset.
const VERSION = 1;
const ERRATA = 2;

let version: number | undefined;
let errata: number | undefined;

/**
 * Returns the version of the kernel's Landlock. The kernel is asked once for each process, near, whichever task is current.
 *
 * @returns The version of the ABI, from 1. 0: the kernel has no Landlock, or Landlock was not enabled at boot.
 * @throws `EPERM` A filter of seccomp(2) refuses the call.
 * @example
 * ```ts
 * console.log(landlockAbi() >= 3); // true: a file cannot be emptied either where writing is refused
 * ```
 * @see landlock_create_ruleset(2), Linux 5.13; no privilege
 */
export function landlockAbi(): number {
	version ??= ask(VERSION, ["ENOSYS", "EOPNOTSUPP"]);
	return version;
}

/**
 * Returns which errata of Landlock this kernel has fixed. The kernel is asked once for each process, near, whichever task is current.
 *
 * @returns A bit for each erratum, erratum 1 as bit 0. 0: none, or the kernel is too old to say.
 * @throws `EPERM` A filter of seccomp(2) refuses the call.
 * @example
 * ```ts
 * console.log((landlockErrata() & 1) !== 0); // true: rules about TCP leave other stream sockets, such as SMC, alone
 * ```
 * @see landlock_create_ruleset(2), Linux 6.15; no privilege
 */
export function landlockErrata(): number {
	errata ??= ask(ERRATA, ["ENOSYS", "EOPNOTSUPP", "EINVAL"]);
	return errata;
}

/** Asks the kernel. After one of the errors in `none` the answer is 0. */
function ask(flag: number, none: readonly string[]): number {
	try {
		return native().landlockVersion(flag);
	} catch (error) {
		if (error instanceof SyscallError && none.includes(error.code)) return 0;
		throw error;
	}
}
