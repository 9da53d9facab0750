import { LandlockUnavailableError } from "./errors.ts";
import type { Abi } from "./levels.ts";

const IN_A_MACHINE =
	'the kernel has no Landlock (CONFIG_SECURITY_LANDLOCK, Linux 5.13), or Landlock was not enabled at boot: "landlock" has to be in the list of lsm= on the kernel\'s command line';

/**
 * Returns the error for a kernel that lacks something.
 *
 * @param abi - The version of the ABI that the kernel has.
 * @param missing - The names of what is missing.
 * @param since - The version that has all of it.
 */
export function unavailable(abi: number, missing: readonly string[], since: Abi | undefined): LandlockUnavailableError {
	const kernel = abi === 0 ? "this kernel, which has no Landlock," : `Landlock of this kernel (ABI ${abi})`;
	const [word, version] = [
		missing.length === 1 ? "it" : "all of them",
		since && `ABI ${since.abi} (Linux ${since.linux})`,
	];
	const message = `${kernel} lacks ${missing.join(", ")}: ${version ?? "a later version"} has ${word}`;
	const drop = `options.drop with ${missing.map((name) => `"${name}"`).join(", ")} leaves ${word} free, and "any" whatever the kernel lacks`;
	return new LandlockUnavailableError(message, abi, missing, abi === 0 ? `${IN_A_MACHINE}; ${drop}` : drop);
}
